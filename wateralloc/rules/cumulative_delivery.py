"""cumulative_delivery: a volume is owed each year, and what is over or under goes to an account."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import numpy as np
import pyomo.environ as pyo
from pydantic import Field, model_validator

from wateralloc.basin import Basin
from wateralloc.case import Case
from wateralloc.parts import DATA, unit
from wateralloc.parts.link import river_flow
from wateralloc.rules import Rule, at_first_period, last_of_each, number_windows, windows
from wateralloc.users import unknown

Volume = Annotated[float, Field(strict=True, ge=0, allow_inf_nan=False)]


class CumulativeDelivery(Rule):
    """Owe a volume past a node in each window, and carry what is over or under in an account.

    What the river carries on from the node `at` in a window, beyond the `volume_hm3` owed for it,
    is a credit; what is missing is a debit.  A debit must stay within `debit_limit_hm3` at the end
    of every window, and with `settle` nothing may be owed at the end of the last.  A credit may pay
    for later windows: up to `credit_limit_hm3` at the end of a window, above which it is lost, and
    less the share `loss` of it from one window to the next, as water held in a reservoir
    evaporates.  A debit does not shrink by itself.

    Only whole windows count: in a part of one at the start or the end of the horizon nothing is
    owed and nothing credited, and a warning says so.  `initial_hm3` is the account before the first
    whole window: a credit, or below 0 a debit.

    The account stands in the program as two volumes, credit and debit, period by period, and all is
    linear.  The water that is delivered is exact, and so is whether the limits can be kept.  The
    account in results is one that keeps them: where a credit is of no use to the plan, the program
    is free to give up a part of it (`given_up`), so that what could still be claimed may be more.
    A goal ``maximise: {quantity: NAME.balance, when: last}`` makes it give up nothing in vain.
    With neither loss nor credit limit nothing can be given up, and the account is exact.

    Equation
    --------
    credit(t) - debit(t) = credit(t - 1) - lost(t) - debit(t - 1) + credited(t) - owed(t), where

    - 0 <= credited(t) <= river_flow(at, t) within windows, and 0 between them; it is all of the
      river flow where there is no credit limit;
    - owed(t) = volume_hm3 in the last period of each window, else 0;
    - lost(t) = loss * credit(t - 1) in the first period of each window but the first, else 0.

    At the end of each window: debit <= debit_limit_hm3 (the rule), credit <= credit_limit_hm3; at
    the end of the last, with `settle`: debit <= 0.

    Source
    ------
    Rio Grande Compact (1938), Articles I and VI: annual credits and debits, and limits of the
    accrued debit of Colorado and New Mexico.  The spill of the reservoir below, which cancels
    credits and debits there, is not in this rule.

    Example
    -------
    .. code-block:: yaml

        - rule: cumulative_delivery
          name: dry_season_account
          at: son_tay
          volume_hm3: 20000
          window: season
          months: [1, 2, 3, 4, 5]
          credit_limit_hm3: 3000
          debit_limit_hm3: 1500
          loss: 0.05
          initial_hm3: 400
          settle: true
    """

    kind = "cumulative_delivery"
    vi = "Lượng nước giao thiếu (nợ) và giao thừa (dư) được ghi vào tài khoản, chuyển sang kỳ sau."

    at: Annotated[str, Field(description="node past which the water is delivered")]
    volume_hm3: Annotated[Volume, Field(description="volume owed for each window")]
    window: Annotated[
        Literal["period", "month", "season", "year"],
        Field(description="window for which volume_hm3 is owed"),
    ] = "year"
    months: Annotated[
        tuple[Annotated[int, Field(ge=1, le=12)], ...],
        Field(description="months in which deliveries count; default: all"),
    ] = ()
    debit_limit_hm3: Annotated[
        Volume | None, Field(description="largest debit at the end of a window; default: any")
    ] = None
    credit_limit_hm3: Annotated[
        Volume | None, Field(description="largest credit at the end of a window; default: any")
    ] = None
    loss: Annotated[
        float,
        Field(strict=True, ge=0, lt=1, description="share of a credit lost to the next window"),
    ] = 0.0
    initial_hm3: Annotated[
        float,
        Field(
            strict=True,
            allow_inf_nan=False,
            description="account before the first whole window: a credit, or below 0 a debit",
        ),
    ] = 0.0
    settle: Annotated[
        bool, Field(description="no debit is left at the end of the last whole window")
    ] = False

    @model_validator(mode="after")
    def _asks_for_something(self) -> CumulativeDelivery:
        if self.debit_limit_hm3 is None and not self.settle:
            raise ValueError(
                "give debit_limit_hm3, or settle: true; without them nothing is ever due"
            )
        if self.window == "season" and not self.months:
            raise ValueError("a season needs its months; give months, or window: year")
        return self

    def check(self, basin: Basin) -> list[tuple[str, str, str]]:
        faults = unknown("at", [self.at], basin.tables["nodes"].index, "node")
        limit = self.credit_limit_hm3
        if limit is not None and self.initial_hm3 > limit:
            faults.append(
                (
                    "initial_hm3",
                    "E324",
                    f"account starts with a credit of {self.initial_hm3:g} hm3, above "
                    f"credit_limit_hm3 {limit:g}; lower initial_hm3, or raise the limit",
                )
            )
        return faults

    def constrain(self, m: pyo.ConcreteModel, case: Case) -> None:
        window = windows(case.timeline, self.window, self.months, whole=True, rule=self.name)
        at_end = last_of_each(window)
        debit = self._account(m, window, at_end)
        if self.debit_limit_hm3 is not None:
            limit = np.where(at_end, self.debit_limit_hm3, 0.0)
            self.require(m, {"": (debit, limit)}, "<=", number_windows(at_end))
        if self.settle:
            is_last = at_end & (window == window.max())
            nothing = np.zeros(case.n_periods)
            self.require(m, {"": (debit, nothing)}, "<=", number_windows(is_last), "_settled")

    def _account(self, m: pyo.ConcreteModel, window: np.ndarray, at_end: np.ndarray) -> Any:
        """Add the account to the workings, and report it; return its debit."""
        block, hm3 = m.workings, unit("hm3")

        def add(part: str, component: Any) -> Any:
            block.add_component(f"{self.name}_{part}", component)
            return component

        owed_in = np.where(at_end, self.volume_hm3, 0.0)
        lost_in = at_first_period(self.loss, np.where(window == 0, -1, window))
        debit_before_all = max(-self.initial_hm3, 0.0)
        owed = add("owed", pyo.Param(initialize=owed_in, units=hm3, **DATA))
        loss = add("loss", pyo.Param(initialize=lost_in, **DATA))
        counts = add("counts", pyo.Param(initialize=(window >= 0).astype(float), **DATA))
        # a debit cannot be more than all that was ever owed
        most = debit_before_all + np.cumsum(owed_in)
        debit_most = add("debit_most", pyo.Param(initialize=most, units=hm3, **DATA))

        credit = add("credit", pyo.Var(bounds=(0, None), units=hm3))
        debit = add("debit", pyo.Var(bounds=(0, debit_most), units=hm3))
        credit_before = add("credit_before", pyo.Var(units=hm3))
        debit_before = add("debit_before", pyo.Var(units=hm3))
        m.repeats.carry(credit_before, credit, 1, max(self.initial_hm3, 0.0))
        m.repeats.carry(debit_before, debit, 1, debit_before_all)
        delivered = counts * river_flow(m, self.at)
        credited = delivered
        if self.credit_limit_hm3 is not None:
            credited = add("credited", pyo.Var(bounds=(0, None), units=hm3))
            add("at_most_delivered", pyo.Constraint(expr=credited <= delivered))
            limit_in = np.where(at_end, self.credit_limit_hm3, 0.0)
            limit = add("credit_most", pyo.Param(initialize=limit_in, units=hm3, **DATA))
            limited = add("credit_limit", pyo.Constraint(expr=credit <= limit))
            m.repeats.total(limited, number_windows(at_end))
        lost = loss * credit_before
        add(
            "account",
            pyo.Constraint(
                expr=credit - debit == credit_before - lost - debit_before + credited - owed
            ),
        )
        self.report(m, "balance", {"": credit - debit})
        self.report(m, "delivered", {"": delivered})
        self.report(m, "owed", {"": owed})
        self.report(m, "lost", {"": lost})
        self.report(m, "given_up", {"": delivered - credited})
        return debit
