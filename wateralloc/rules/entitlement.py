"""entitlement: holders of rights use, carry over and lease what they are entitled to."""

from __future__ import annotations

from itertools import combinations
from typing import Annotated, Any, Literal

import numpy as np
import pyomo.environ as pyo
from pydantic import BaseModel, ConfigDict, Field, model_validator

from wateralloc.basin import Basin
from wateralloc.case import Case
from wateralloc.parts import DATA, unit
from wateralloc.parts.benefit import blocks_of
from wateralloc.parts.demand import demand_volumes
from wateralloc.rules import Rule, at_first_period, last_of_each, number_windows, windows
from wateralloc.tables import NAMES_ARE, is_identifier
from wateralloc.users import Users, unknown

Volume = Annotated[float, Field(strict=True, ge=0, allow_inf_nan=False)]
Share = Annotated[float, Field(strict=True, ge=0, le=1)]
Names = Annotated[tuple[str, ...], Field(min_length=2)]


class Holder(Users):
    """A holder: a group of users, and what they may withdraw together in each window."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    volume_hm3: Annotated[
        Volume | None, Field(description="entitlement of the holder in each window")
    ] = None
    share_of_demand: Annotated[
        Share | None, Field(description="entitlement as a share of what its users ask")
    ] = None
    initial_hm3: Annotated[
        Volume, Field(description="unused entitlement of the window before the horizon")
    ] = 0.0

    @model_validator(mode="after")
    def _one_amount(self) -> Holder:
        if (self.volume_hm3 is None) == (self.share_of_demand is None):
            raise ValueError("give either volume_hm3 or share_of_demand")
        return self


class CarryOver(BaseModel):
    """How unused entitlement goes on to the next window."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    share: Annotated[
        Share | None, Field(description="most that is carried on, as a share of the entitlement")
    ] = None
    limit_hm3: Annotated[Volume | None, Field(description="most that each holder carries on")] = (
        None
    )
    loss: Annotated[Share, Field(description="share of it that is lost on the way")] = 0.0

    @model_validator(mode="after")
    def _one_limit(self) -> CarryOver:
        if (self.share is None) == (self.limit_hm3 is None):
            raise ValueError("give either share or limit_hm3")
        return self


class Trade(BaseModel):
    """How holders lease entitlement to each other within a window."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    limit_share: Annotated[
        Share | None,
        Field(description="most that a holder leases out or in, as a share of its entitlement"),
    ] = None
    limit_hm3: Annotated[
        Volume | None, Field(description="most that a holder leases out or in, in a window")
    ] = None
    exchange_rate: Annotated[
        float,
        Field(strict=True, gt=0, le=1, description="what is got for each m3 that is leased out"),
    ] = 1.0
    within: Annotated[
        tuple[Names, ...],
        Field(description="groups of holders that trade among themselves; default: all together"),
    ] = ()
    price_per_m3: Annotated[
        Volume, Field(description="price of a m3 got, in the currency of the basin; reported only")
    ] = 0.0
    transaction_cost_per_m3: Annotated[
        Volume, Field(description="cost of a m3 leased out; reported only")
    ] = 0.0
    price_cap_per_m3: Annotated[
        Volume | None,
        Field(description="highest price: water worth more to a holder's own users is not leased"),
    ] = None

    @model_validator(mode="after")
    def _one_limit(self) -> Trade:
        if self.limit_share is not None and self.limit_hm3 is not None:
            raise ValueError("give limit_share or limit_hm3, not both")
        cap = self.price_cap_per_m3
        if cap is not None and self.price_per_m3 > cap:
            raise ValueError(f"price_per_m3 is above price_cap_per_m3 {cap:g}; lower it")
        return self


class Entitlement(Rule):
    """Give holders the right to a volume in each window, to use, to carry over or to lease out.

    A holder is a group of users, named under `holders`; no user may have two.  In each window its
    users withdraw at most its entitlement, and what it carried over from the window before and
    leased in, less what it leases out and carries on.  Users without a holder are free.  Like a
    quota, an entitlement limits what is taken and promises nobody that the water is there; in a
    part of a window at the start or the end of the horizon the whole entitlement holds.

    `carry_over` lets unused entitlement go on to the next window, up to a share of the entitlement
    or a volume; a share `loss` of it is lost.  It can be used in the next window alone, or be
    carried on again within the limit.  It is a right that goes on, not water: no storage is kept
    for it, and a shared reservoir may have spilled what it stands for.

    `trade` lets holders lease entitlement to each other for a window.  What is got in a group of
    holders is `exchange_rate` times what is leased out; none leases out more than its own
    entitlement.  **Who leases to whom is what the goals of the case make best**: with
    ``net_benefit`` water goes where it is worth most, as in a market without frictions; with
    ``share`` it goes to whom is short.  Prices do not steer it.  `price_per_m3` and
    `transaction_cost_per_m3` only value in results what was leased: they are not in the costs of
    ``minimise: cost`` or ``net_benefit``.  A last goal ``minimise: NAME.transaction_cost``, or
    ``minimise: NAME.leased_out``, leaves no lease that is of no use.

    `price_cap_per_m3` keeps sellers at home: nobody leases out, at the cap or below, water that is
    worth more to its own users.  So each holder leases out at most its entitlement less all that
    its users ask at a value above the cap (`value` in ``demands.csv``, or ``benefits.csv``).  It is
    no limit on a shadow price, and no model of bids: the price at which the trade would clear is
    not in the program, buyers who would pay more than the cap are not sorted out, and a seller is
    held back also where its users could not be served for want of water.

    All is linear.  Results report what each holder is entitled to, carries and leases; where a
    right is of no use to the plan, the program need not carry it on, unless a goal ``maximise:
    NAME.carried_on`` asks for it.

    Equation
    --------
    For each holder h and window w, with sums over the window and the users d of h:

    sum of withdrawal(d, t) + leased_out(h, w) - leased_in(h, w) + carried_on(h, w)
    - (1 - loss) carried_on(h, w - 1) <= entitlement(h, w);

    0 <= carried_on(h, w) <= share * entitlement(h, w), or limit_hm3;
    sum of leased_in(h, w) = exchange_rate * sum of leased_out(h, w), in each group of `within`;
    0 <= leased_in, leased_out <= limit_share * entitlement(h, w), or limit_hm3;
    leased_out(h, w) <= entitlement(h, w) - what its users ask at a value above price_cap_per_m3.

    Source
    ------
    Murray-Darling Basin (Australia): entitlements, carry-over and allocation trade between zones,
    in Water Act 2007 (Cth), Schedule 3, and Basin Plan 2012, chapter 12; Young & McColl (2003),
    Robust reform, Australian Economic Review 36, 225-234.  For Viet Nam: Law on Water Resources
    28/2023/QH15, on licences, whose holders may transfer the right.

    Example
    -------
    .. code-block:: yaml

        - rule: entitlement
          name: rights
          window: year
          holders:
            hills: {regions: [northern_midlands_mountains], sectors: [irrigation], volume_hm3: 3000}
            delta: {regions: [red_river_delta], sectors: [irrigation], share_of_demand: 0.8}
          carry_over: {share: 0.2, loss: 0.1}
          trade: {limit_share: 0.3, exchange_rate: 0.9, price_per_m3: 500}
    """

    kind = "entitlement"
    vi = "Quyền sử dụng nước theo năm hoặc mùa, được chuyển sang kỳ sau và cho thuê lại."

    holders: Annotated[
        dict[str, Holder], Field(min_length=1, description="holders by name, each a group of users")
    ]
    window: Annotated[
        Literal["period", "month", "season", "year", "horizon"],
        Field(description="window of the entitlements"),
    ] = "year"
    months: Annotated[
        tuple[Annotated[int, Field(ge=1, le=12)], ...],
        Field(description="months in which withdrawals count; default: all"),
    ] = ()
    carry_over: Annotated[
        CarryOver | None, Field(description="how unused entitlement goes on; default: it lapses")
    ] = None
    trade: Annotated[
        Trade | None, Field(description="how holders lease to each other; default: not at all")
    ] = None

    @model_validator(mode="after")
    def _fits_together(self) -> Entitlement:
        for name, holder in self.holders.items():
            if not is_identifier(name):
                raise ValueError(f"name '{name}' of a holder is not valid; {NAMES_ARE}")
            if holder.initial_hm3 and self.carry_over is None:
                raise ValueError(f"initial_hm3 of '{name}' lapses without carry_over; give it")
        if self.window == "season" and not self.months:
            raise ValueError("a season needs its months; give months, or window: year")
        if self.trade is not None and len(self.holders) < 2:
            raise ValueError("trade takes two holders or more; name another, or remove trade")
        return self

    def check(self, basin: Basin) -> list[tuple[str, str, str]]:
        faults = []
        for name, holder in self.holders.items():
            for key, code, text in holder.check_users(basin):
                faults.append((f"holders.{name}" + (key and f".{key}"), code, text))
        faults += self._check_one_holder(basin)
        faults += self._check_initial()
        if self.trade is not None:
            faults += self._check_trade(basin, self.trade)
        return faults

    def _check_one_holder(self, basin: Basin) -> list[tuple[str, str, str]]:
        users = {name: set(holder.users_in(basin)) for name, holder in self.holders.items()}
        return [
            (
                f"holders.{other}",
                "E323",
                f"demand '{min(users[name] & users[other])}' is in holders '{name}' and '{other}'; "
                "a user has one holder: narrow the lists of one of them",
            )
            for name, other in combinations(users, 2)
            if users[name] & users[other]
        ]

    def _check_initial(self) -> list[tuple[str, str, str]]:
        faults = []
        for name, holder in self.holders.items():
            carry_over = self.carry_over or CarryOver(share=1.0)
            limit = carry_over.limit_hm3
            if carry_over.share is not None and holder.volume_hm3 is not None:
                limit = carry_over.share * holder.volume_hm3
            if limit is not None and holder.initial_hm3 > limit:
                faults.append(
                    (
                        f"holders.{name}.initial_hm3",
                        "E324",
                        f"holder '{name}' carries {holder.initial_hm3:g} hm3 into the horizon, "
                        f"above the {limit:g} that carry_over allows; lower it",
                    )
                )
        return faults

    def _check_trade(self, basin: Basin, trade: Trade) -> list[tuple[str, str, str]]:
        faults = []
        seen: set[str] = set()
        for number, group in enumerate(trade.within):
            key = f"trade.within.{number}"
            for _, _, text in unknown(key, group, self.holders, "holder"):
                faults.append((key, "E323", text))
            twice = [name for k, name in enumerate(group) if name in seen or name in group[:k]]
            faults += [
                (key, "E323", f"holder '{name}' stands twice in within; name it once")
                for name in twice
            ]
            seen.update(group)
        if trade.price_cap_per_m3 is not None:
            valued = set(basin.values("demands", "value")) | set(basin.tables["benefits"]["demand"])
            for name, holder in self.holders.items():
                missing = [d for d in holder.users_in(basin) if d not in valued]
                if missing:
                    faults.append(
                        (
                            "trade.price_cap_per_m3",
                            "E325",
                            f"demand '{missing[0]}' of holder '{name}' has no value, so that a "
                            "price cap cannot be weighed against it; give value in demands.csv or "
                            "benefits.csv, or remove price_cap_per_m3",
                        )
                    )
        return faults

    def constrain(self, m: pyo.ConcreteModel, case: Case) -> None:
        terms = _Terms(self, m, case)
        used = {
            name: sum(m.withdrawal[d] for d in holder.users_in(case.basin))
            for name, holder in self.holders.items()
        }
        if self.carry_over is not None:
            for name, carried in terms.carry(self.carry_over).items():
                used[name] += carried
        if self.trade is not None:
            for name, leased in terms.lease(self.trade).items():
                used[name] += leased
        rows = {name: (used[name], terms.granted[name]) for name in self.holders}
        self.require(m, rows, "<=", terms.window)
        granted = m.rules.component(f"{self.name}_required")
        self.report(m, "entitlement", {name: granted[name] for name in self.holders})


class _Terms:
    """What carry-over and trade add to the rows of an entitlement.

    Attributes
    ----------
    window : number of the window of each period (time)
    granted : holder -> entitlement over the periods, that adds up over a window
    volume : holder -> entitlement of its window in each period (member, time)
    """

    def __init__(self, rule: Entitlement, m: pyo.ConcreteModel, case: Case) -> None:
        self.rule, self.m, self.case = rule, m, case
        self.window = windows(case.timeline, rule.window, rule.months)
        self.at_end = last_of_each(self.window)
        self.at_start = last_of_each(self.window[::-1])[::-1]
        self.asked = demand_volumes(case)
        self.granted, self.volume = {}, {}
        for name, holder in rule.holders.items():
            granted = at_first_period(holder.volume_hm3 or 0.0, self.window)
            if holder.share_of_demand is not None:
                users = holder.users_in(case.basin)
                asked = np.sum([self.asked[d] for d in users], axis=0)
                granted = np.where(self.window >= 0, holder.share_of_demand * asked, 0.0)
            self.granted[name] = granted
            self.volume[name] = self._over_window(granted)

    def _over_window(self, amount: np.ndarray) -> np.ndarray:
        """Sum of an amount over the window of each period; 0 outside (member, time)."""
        amount = np.broadcast_to(amount, (self.case.n_members, self.case.n_periods))
        total = np.zeros(amount.shape)
        for number in range(int(self.window.max(initial=-1)) + 1):
            inside = self.window == number
            total[:, inside] = amount[:, inside].sum(axis=1, keepdims=True)
        return total

    def _add(self, part: str, component: Any) -> Any:
        self.m.workings.add_component(f"{self.rule.name}_{part}", component)
        return component

    def _param(self, part: str, values: dict[str, np.ndarray]) -> Any:
        return self._add(
            part, pyo.Param(list(values), initialize=values, units=unit("hm3"), **DATA)
        )

    def _volumes(self, part: str, most: dict[str, np.ndarray]) -> Any:
        """Variables of each holder, 0 or more and at most so much."""
        limit = self._param(f"{part}_most", most)
        return self._add(
            part,
            pyo.Var(list(most), bounds=lambda _, name: (0, limit[name]), units=unit("hm3")),
        )

    def carry(self, carry_over: CarryOver) -> dict[str, Any]:
        """Entitlement that each holder carries on, less what it carried on from before."""
        m, names = self.m, list(self.rule.holders)
        # held is decided at the end of a window, stays until the next begins, and is used there
        most = {}
        for name in names:
            limit = (
                carry_over.share * self.volume[name]
                if carry_over.share is not None
                else carry_over.limit_hm3
            )
            most[name] = np.where(self.at_end, limit, np.inf)
        held = self._volumes("carried", most)
        before = self._add("carried_before", pyo.Var(names, units=unit("hm3")))
        for name, holder in self.rule.holders.items():
            m.repeats.carry(before[name], held[name], 1, holder.initial_hm3)
        stays = self._add("stays", pyo.Param(initialize=(self.window < 0).astype(float), **DATA))
        kept = self._add(
            "kept", pyo.Param(initialize=(1 - carry_over.loss) * self.at_start, **DATA)
        )
        ends = self._add("ends", pyo.Param(initialize=self.at_end.astype(float), **DATA))
        between = self._add(
            "between",
            pyo.Constraint(names, rule=lambda _, name: held[name] == stays * before[name]),
        )
        m.repeats.total(between, number_windows(~self.at_end))
        self.rule.report(m, "carried_on", {name: ends * held[name] for name in names})
        self.rule.report(m, "carried_in", {name: kept * before[name] for name in names})
        return {name: ends * held[name] - kept * before[name] for name in names}

    def lease(self, trade: Trade) -> dict[str, Any]:
        """Entitlement that each holder leases out, less what it leases in."""
        m, currency = self.m, self.case.basin.currency
        groups = trade.within or (tuple(self.rule.holders),)
        names = [name for group in groups for name in group]
        limit = {name: self._trade_limit(trade, name) for name in names}
        # a lease stands in the first period of its window
        out_most = {
            name: np.where(
                self.at_start, np.minimum(limit[name], self._for_lease(trade, name)), 0.0
            )
            for name in names
        }
        in_most: dict[str, np.ndarray] = {}
        for group in groups:
            in_all = trade.exchange_rate * np.sum([out_most[name] for name in group], axis=0)
            in_most |= {name: np.minimum(limit[name], in_all) for name in group}
        leased_out, leased_in = self._volumes("out", out_most), self._volumes("in", in_most)
        rate = trade.exchange_rate
        clears = self._add(
            "clears",
            pyo.Constraint(
                range(1, len(groups) + 1),
                rule=lambda _, number: (
                    sum(leased_in[name] for name in groups[number - 1])
                    == rate * sum(leased_out[name] for name in groups[number - 1])
                ),
            ),
        )
        m.repeats.total(clears, number_windows(self.at_start))
        report = self.rule.report
        report(m, "leased_out", dict(leased_out.items()))
        report(m, "leased_in", dict(leased_in.items()))
        if trade.price_per_m3:
            paid = {
                name: trade.price_per_m3 * (rate * leased_out[name] - leased_in[name])
                for name in names
            }
            report(m, "trade_value", paid, f"million {currency}")
        if trade.transaction_cost_per_m3:
            cost = {name: trade.transaction_cost_per_m3 * leased_out[name] for name in names}
            report(m, "transaction_cost", cost, f"million {currency}")
        return {name: leased_out[name] - leased_in[name] for name in names}

    def _trade_limit(self, trade: Trade, name: str) -> Any:
        if trade.limit_share is not None:
            return trade.limit_share * self.volume[name]
        return np.inf if trade.limit_hm3 is None else trade.limit_hm3

    def _for_lease(self, trade: Trade, name: str) -> np.ndarray:
        """Entitlement of the window that a holder would lease out (member, time)."""
        volume = self.volume[name]
        if trade.price_cap_per_m3 is None:
            return volume
        cap, basin = trade.price_cap_per_m3, self.case.basin
        value, blocks = basin.values("demands", "value"), blocks_of(self.case)
        dear = np.zeros(volume.shape)
        for d in self.rule.holders[name].users_in(basin):
            if d in value:
                dear += self.asked[d] if value[d] > cap else 0.0
            for (demand, _), (width, worth) in blocks.items():
                if demand == d:
                    dear += np.where(worth > cap, width, 0.0)
        return np.maximum(volume - self._over_window(dear), 0.0)
