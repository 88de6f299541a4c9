"""share: a shortage is shared among claimants by a rule."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import numpy as np
import pyomo.environ as pyo
from pydantic import Field, model_validator

from wateralloc.basin import Basin
from wateralloc.case import Case
from wateralloc.errors import CaseError, Fault, Position, listed, suggest
from wateralloc.goals import Goal, Stage
from wateralloc.goals.claims import (
    PHASES,
    TARGETS,
    Awards,
    Claimants,
    Phase,
    Rounds,
    Shared,
    Terms,
)
from wateralloc.parts import DATA, quantities
from wateralloc.users import Users

Kind = Literal["region", "province", "sector", "demand"]
RuleName = Literal[
    "leximin",
    "proportional",
    "cea",
    "cel",
    "talmud",
    "tal",
    "reverse_talmud",
    "piniles",
    "constrained_egalitarian",
    "adjusted_proportional",
    "random_arrival",
    "minimal_overlap",
]
Weight = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Part = Annotated[float, Field(ge=0, le=1)]


class Share(Goal, Users):
    """Share what there is among claimants by a rule, when it is not enough for all.

    **Who claims, and over what time** (the *equity unit*) decides more than the rule.  A claimant
    is a region, province, sector or demand (`among`), or a group that the case names (`claimants`);
    its claim is what its users ask in each `window`, its award what they withdraw.  Two tiers,
    ``among: [region, sector]``, share first among regions and then among the sectors within each.

    The rules:

    ``proportional``, or ``leximin``
        the same satisfaction for all; who can be given more without taking it from a worse-off
        gets more
    ``cea``, constrained equal awards
        the same volume for all, up to the claim: small claimants are safe
    ``cel``, constrained equal losses
        the same volume is missing to all: favours large claimants, small ones may get nothing
    ``talmud``
        equal awards up to half of each claim, then equal losses
    ``tal``
        the same with `theta` in place of one half: 0 is ``cel``, 1 is ``cea``
    ``reverse_talmud``
        equal losses up to half of each claim, then equal awards
    ``piniles``, ``constrained_egalitarian``
        equal awards up to half of each claim; then equal gains beyond it, or equal awards again
    ``adjusted_proportional``
        first what nobody else could use, then in proportion to what each could still be given
    ``random_arrival``
        the mean over all orders in which claimants could come, each served in full (Shapley value)
    ``minimal_overlap``
        of the most that all together can be given, by the rule for a single stock

    On a river not every award can be reached: a canal is too small, water is upstream or comes at
    the wrong time.  What a claimant cannot be given is passed on to the others.  Each step is a
    linear program that raises a common level; claimants with a positive shadow price are those that
    keep it down, and are settled at it.  When all are settled the deficit of the whole group is
    made least, and later goals choose the months, the costs and the energy with the awards held.

    `classes` puts claimants in strict order: those of the first are served by the rule, then those
    of the second, and so on.  `floors` are guaranteed before the rule starts.  `shape` shares once
    more, in each of its windows, so that the shortage of a year does not fall on one month.

    Two prices of the rule are reported.  The volume price is the share of the water that could be
    delivered at most to the group and is not, because of the rule; on a network without losses and
    return flows it is zero.  The value price is the same in money, by ``value`` of demands.csv or
    benefits.csv, where they have one.

    Equation
    --------
    lexmax sorted ((award(c, w) - start(c, w)) / pace(c, w)) over claimants c and windows w, in each
    phase of the rule; award(c, w) = sum over the users of c and the periods of w of
    withdrawal(d, t).  lexmax sorted: the least of these levels is made as large as can be, then
    the next.  start is the award from which a phase counts, pace what a claimant gains by a unit of
    the level: weight x claim for ``leximin``, the weight for equal awards.  Equal losses start from
    the claims, so the level is below 0, and their pace is the loss weight.

    Source
    ------
    Thomson (2003), Axiomatic and game-theoretic analysis of bankruptcy and taxation problems,
    Mathematical Social Sciences 45, 249-297; Moreno-Ternero & Villar (2006), The TAL-family of
    rules for bankruptcy problems, Social Choice and Welfare 27, 231-249; rounds by dual variables:
    Ogryczak, Pioro & Tomaszewski (2005), Telecommunications network design and max-min
    optimization problem, Journal of Telecommunications and Information Technology 3, 43-56.

    Example
    -------
    .. code-block:: yaml

        goals:
          - meet: {sectors: [domestic]}
          - share:
              sectors: [irrigation, aquaculture]
              among: [region, sector]
              rule: [talmud, proportional]
              window: season
              months: [11, 12, 1, 2, 3, 4, 5]
              shape: month
    """

    kind = "share"
    vi = "Chia sẻ thiếu hụt giữa các bên có nhu cầu theo một quy tắc đã chọn."

    among: Annotated[
        Kind | Annotated[tuple[Kind, ...], Field(min_length=1, max_length=4)] | None,
        Field(description="who the claimants are; a list: in tiers, each within the one before"),
    ] = None
    claimants: Annotated[
        dict[str, Users],
        Field(description="claimants in place of among: name -> sectors, regions, ..."),
    ] = {}
    rule: Annotated[
        RuleName | Annotated[tuple[RuleName, ...], Field(min_length=1)],
        Field(description="how they share; a list: one rule for each tier"),
    ] = "leximin"
    theta: Annotated[
        Part | dict[str, Part] | None,
        Field(description="share of each claim up to which awards are equal, for rule tal"),
    ] = None
    weights: Annotated[
        dict[str, Weight], Field(description="claimant -> how fast it gains; default: 1")
    ] = {}
    loss_weights: Annotated[
        dict[str, Weight],
        Field(description="claimant -> share of losses it bears, where losses are shared"),
    ] = {}
    floors: Annotated[
        dict[str, Part], Field(description="claimant -> share of its claim guaranteed first")
    ] = {}
    classes: Annotated[
        tuple[Annotated[tuple[str, ...], Field(min_length=1)], ...] | Literal["priority"],
        Field(description="claimants in strict order, or priority: by that column of demands.csv"),
    ] = ()
    window: Annotated[
        Literal["period", "month", "season", "year", "horizon"],
        Field(description="window over which an award counts"),
    ] = "year"
    months: Annotated[
        tuple[Annotated[int, Field(ge=1, le=12)], ...],
        Field(description="months that count; default: all"),
    ] = ()
    shape: Annotated[
        Literal["period", "month"] | None,
        Field(description="windows in which satisfaction is shared once more within the awards"),
    ] = None
    tolerance: Annotated[
        float,
        Field(ge=0, lt=1, description="share of its claim that later goals may take from each"),
    ] = 0.0

    @model_validator(mode="after")
    def _agree(self) -> Share:
        if (self.among is None) == (not self.claimants):
            raise ValueError(
                "say who shares: give either among (region, province, sector, demand), or claimants"
            )
        if self.claimants and (self.sectors or self.regions or self.provinces or self.demands):
            raise ValueError(
                "claimants name their own users; leave out sectors, regions, provinces and demands"
            )
        if isinstance(self.rule, tuple) and len(self.rule) != len(self.tiers):
            raise ValueError(
                f"rule has {len(self.rule)} names but there are {len(self.tiers)} tiers; "
                "give one name, or one for each tier"
            )
        if ("tal" in self.rules) != (self.theta is not None):
            raise ValueError("theta goes with rule tal: give both or neither")
        return self

    @property
    def tiers(self) -> tuple[str, ...]:
        """What claimants are, tier by tier."""
        if self.among is None:
            return ("claimants",)
        return (self.among,) if isinstance(self.among, str) else self.among

    @property
    def rules(self) -> tuple[str, ...]:
        """Rule of each tier."""
        return self.rule if isinstance(self.rule, tuple) else (self.rule,) * len(self.tiers)

    # --- who they are

    def users_in(self, basin: Basin) -> list[str]:
        if not self.claimants:
            return super().users_in(basin)
        named = {d for group in self.claimants.values() for d in group.users_in(basin)}
        return [d for d in basin.tables["demands"].index if d in named]

    def users_title(self) -> str:
        return "+".join(self.claimants) if self.claimants else super().users_title()

    def check(self, basin: Basin) -> list[tuple[str, str, str]]:
        faults = [] if self.claimants else self.check_users(basin)
        owner: dict[str, str] = {}
        for name, group in self.claimants.items():
            faults += [
                (f"claimants.{name}.{key}".rstrip("."), code, text)
                for key, code, text in group.check_users(basin)
            ]
            for demand in group.users_in(basin):
                if demand in owner:
                    text = (
                        f"demand '{demand}' is in claimant '{owner[demand]}' and in '{name}'; "
                        "a user claims once: leave it out of one"
                    )
                    faults.append((f"claimants.{name}", "E319", text))
                owner.setdefault(demand, name)
        if faults:
            return faults
        known = [name for tier in range(len(self.tiers)) for name in self.groups(basin, tier)]
        theta = self.theta if isinstance(self.theta, dict) else {}
        for key, names in (
            ("weights", self.weights),
            ("loss_weights", self.loss_weights),
            ("floors", self.floors),
            ("theta", theta),
        ):
            faults += [(f"{key}.{n}", "E319", _unknown(n, known)) for n in names if n not in known]
        return faults + self._check_classes(basin)

    def _check_classes(self, basin: Basin) -> list[tuple[str, str, str]]:
        first = self.groups(basin, 0)
        if self.classes == "priority":
            priority = basin.tables["demands"]["priority"]
            return [
                (
                    "classes",
                    "E319",
                    f"claimant '{name}' has users of priorities {listed(map(str, found))}; "
                    "name the classes, or choose claimants of one priority each",
                )
                for name, group in first.items()
                for found in [sorted({int(priority[d]) for d in group})]
                if len(found) > 1
            ]
        named = [name for names in self.classes for name in names]
        faults = [("classes", "E319", _unknown(n, first)) for n in named if n not in first]
        twice = sorted({name for name in named if named.count(name) > 1})
        left = [name for name in first if named and name not in named]
        if twice:
            faults.append(("classes", "E319", f"{listed(twice)} stands in two classes; keep one"))
        if left and not faults:
            text = f"{listed(left)} stands in no class; put every claimant in one"
            faults.append(("classes", "E319", text))
        return faults

    def groups(self, basin: Basin, tier: int) -> dict[str, list[str]]:
        """Demands of each claimant of a tier; names of a lower tier are ``region/sector``."""
        if self.claimants:
            return {name: group.users_in(basin) for name, group in self.claimants.items()}
        table = basin.tables["demands"]
        groups: dict[str, list[str]] = {}
        for demand in self.users_in(basin):
            words = [
                demand if kind == "demand" else str(table.at[demand, kind])
                for kind in self.tiers[: tier + 1]
            ]
            groups.setdefault("/".join(words), []).append(demand)
        return groups

    def all_claimants(self, case: Case) -> list[Claimants]:
        """Claimants of every tier, and of `shape` after them."""
        window = case.timeline.window(self.window, self.months or None)
        found = [
            Claimants(" and ".join(self.tiers[: k + 1]), self.groups(case.basin, k), window)
            for k in range(len(self.tiers))
        ]
        if self.shape:
            finer = case.timeline.window(self.shape, self.months or None)
            found.append(Claimants(f"{found[-1].title}, shape", found[-1].groups, finer))
        return found

    # --- in the period

    def declare(self, m: pyo.ConcreteModel, case: Case, number: int) -> None:
        block = pyo.Block(concrete=True)
        m.goals.add_component(f"share_{number}", block)
        tables = self.all_claimants(case)
        if not tables[0].n_windows:
            self._no_window(case)
        for tier, claimants in enumerate(tables):
            home, phases = block, []
            if tier:
                home = pyo.Block(concrete=True)
                block.add_component(f"tier_{tier + 1}", home)
            else:
                claims = claimants.claims(m)
                phases = [self._first_phase(claimants, claim) for claim in claims]
            claimants.declare(m, home, case, phases)
        users = self.users_in(case.basin)
        claimed = np.where(tables[0].window >= 0, 1.0, 0.0)
        block.claimed = pyo.Param(initialize=claimed, **DATA)
        short = {d: m.demand[d] - m.withdrawal[d] for d in users}
        block.deficit = pyo.Expression(expr=sum(short.values()))
        block.short = pyo.Expression(expr=block.claimed * sum(short.values()))
        worth = next((q.values for q in quantities(m, case) if q.name == "benefit"), {})
        block.worth = pyo.Expression(expr=sum(worth[d] for d in users if d in worth))
        block.has_worth = any(d in worth for d in users)

    def _first_phase(self, claimants: Claimants, claim: np.ndarray) -> Phase:
        """What the first program of a member does, as far as the claims tell."""
        terms = self._terms(claimants, claim)
        if (terms.base > 0).any():
            return Phase(np.zeros_like(claim), terms.base, terms.base)
        rule = "leximin" if self.rules[0] in TARGETS else self.rules[0]
        return next(iter(PHASES[rule](terms, lambda: np.zeros_like(claim))))

    def _terms(self, claimants: Claimants, claim: np.ndarray, is_shape: bool = False) -> Terms:
        def of(values: dict[str, float], default: float) -> np.ndarray:
            column = [default if is_shape else values.get(n, default) for n in claimants.names]
            return np.repeat(np.array(column, float)[:, None], claimants.n_windows, axis=1)

        theta = self.theta if self.theta is not None else 0.5
        by_name, same = (theta, 0.5) if isinstance(theta, dict) else ({}, theta)
        return Terms(
            claim, of(self.weights, 1.0), of(self.loss_weights, 1.0), of(self.floors, 0.0),
            of(by_name, same),
        )  # fmt: skip

    def _no_window(self, case: Case) -> None:
        text = (
            f"goal share: no period of the horizon lies in months {listed(map(str, self.months))}; "
            "choose others, or extend the timeline"
        )
        raise CaseError([Fault(Position(case.name), "E319", text)])

    def objective(self, m: pyo.ConcreteModel, number: int) -> tuple[pyo.Expression, str]:
        return m.goals.component(f"share_{number}").goal, "maximise"

    def outcome(self, m: pyo.ConcreteModel, number: int) -> tuple[Any, str]:
        return m.goals.component(f"share_{number}").deficit, "minimise"

    def measure(self, m: pyo.ConcreteModel, case: Case, stage: Stage) -> tuple[str, float]:
        asked = sum(float(stage.data(m.demand[d]).sum()) for d in self.users_in(case.basin))
        return "fraction of demand", 1.0 / (asked or 1.0)

    # --- one member

    def wait(self, m: pyo.ConcreteModel, case: Case, number: int, stage: Stage) -> None:
        block = m.goals.component(f"share_{number}")
        for tier, claimants in enumerate(self.all_claimants(case)):
            home = block if not tier else block.component(f"tier_{tier + 1}")
            tie_to_users(home, claimants, stage, -np.inf)

    def optimise(self, m: pyo.ConcreteModel, case: Case, number: int, stage: Stage) -> None:
        block, users = m.goals.component(f"share_{number}"), self.users_in(case.basin)
        place = f"{number} share"
        asked = sum(stage.data(m.demand[d]) for d in users)
        is_claimed = stage.data(block.claimed)
        claimed = float((asked * is_claimed).sum())
        most = claimed - stage.optimise(f"{place}: most", block.short, "minimise", aside=True)
        stage.decide()  # rounds need duals, which yes-or-no decisions do not have
        best_worth = worth = None
        if block.has_worth:
            name = f"{place}: greatest value"
            best_worth = stage.optimise(name, block.worth, "maximise", aside=True)
        awards = [
            self._serve(m, case, tier, claimants, number, stage)
            for tier, claimants in enumerate(self.all_claimants(case))
        ]
        if block.has_worth:
            name = f"{place}: value of the awards"
            worth = stage.optimise(name, block.worth, "maximise", aside=True)
        # what nobody else can use goes to those who can; the last program, whose prices count
        unit, scale = self.measure(m, case, stage)
        stage.optimise(f"{place}, rest", block.deficit, "minimise", unit, scale)
        if not self.tolerance:
            stage.hold()
        taken = sum(stage.values(m.withdrawal[d]) for d in users)
        given = float((taken * is_claimed).sum())
        stage.record(Shared(number, self.title(), tuple(awards), most, given, best_worth, worth))

    def _serve(
        self,
        m: pyo.ConcreteModel,
        case: Case,
        tier: int,
        claimants: Claimants,
        number: int,
        stage: Stage,
    ) -> Awards:
        """Share among the claimants of one tier within what the tiers before were given."""
        block = m.goals.component(f"share_{number}")
        home = block if not tier else block.component(f"tier_{tier + 1}")
        tie_to_users(home, claimants, stage)
        claimants = claimants.in_sight(*stage.sight)
        claim = claimants.claim_of(m, stage)
        is_shape = tier == len(self.tiers)
        rule = "leximin" if is_shape else self.rules[tier]
        window = self.shape if is_shape else self.window
        name = f"{number} share among {claimants.title} by {window}, {rule}"
        if not claimants.n_windows:  # nothing is claimed in sight
            nothing = np.zeros(claim.shape)
            return Awards(tier + 1, rule, window, claimants, claim, nothing.astype(int), nothing, 0)
        volume = float(stage.known(home.volume)[0]) or 1.0
        rounds = Rounds(name, claimants, home, stage, claim, volume)
        terms, mark = self._terms(claimants, claim, is_shape), stage.mark()
        for active in self._classes(case.basin, claimants, is_first=not tier):
            rounds.serve(rule, terms, np.repeat(active[:, None], claim.shape[1], axis=1))
        if self.tolerance:
            stage.reset(mark)
            rounds.keep_within(self.tolerance)
        return Awards(
            tier + 1, rule, window, claimants, claim, rounds.settled_in, rounds.level, rounds.number
        )

    def title(self) -> str:
        """Name the goal, for tables of goals."""
        return f"share {self.users_title()} among {' and '.join(self.tiers)}"

    def _classes(self, basin: Basin, claimants: Claimants, is_first: bool) -> list[np.ndarray]:
        """Who is served together, class by class (claimant)."""
        names = claimants.names
        if not is_first or not self.classes:
            return [np.ones(len(names), bool)]
        if self.classes == "priority":
            priority = basin.tables["demands"]["priority"]
            of = np.array([int(priority[group[0]]) for group in claimants.groups.values()])
            return [of == number for number in np.unique(of)]
        return [np.isin(names, members) for members in self.classes]


def tie_to_users(home: Any, claimants: Claimants, stage: Stage, lower: float = 0.0) -> None:
    """Let no satisfaction be more than what users withdraw; -inf: let it be free of them."""
    for name in claimants.names:
        rows = stage.all_rows(home.shared[name])
        stage.limit_rows(rows, np.full(rows.size, lower), np.full(rows.size, np.inf))


def _unknown(name: str, known: Any) -> str:
    choices = [str(k) for k in known]
    tail = suggest(name, choices) or f"; claimants are {listed(choices)}"
    return f"no claimant is called '{name}'{tail}"
