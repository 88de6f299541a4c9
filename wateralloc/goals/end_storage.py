"""end_storage: what is left in the reservoirs at the end of what is in sight."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Any, Literal

import numpy as np
import pyomo.environ as pyo
from pydantic import BaseModel, ConfigDict, Field, model_validator

from wateralloc.basin import Basin
from wateralloc.case import Case
from wateralloc.errors import SolveError, listed
from wateralloc.goals import LinearGoal, Stage
from wateralloc.parts import DATA, unit
from wateralloc.parts.reservoir import curve_of, storage_range
from wateralloc.seasonal import Seasonal
from wateralloc.timeline import day_of_year
from wateralloc.users import unknown

NOTHING = 1e-7
"""Water up to this share of all active storage is not missing."""
STUCK = 1e-7
"""A dual above this share of the level's own cost keeps the level up."""
ROOM = 1e-9
"""What a volume that is settled may still move by, as a share of 1 + its size."""

DIMENSION = {"target_hm3": "volume", "target_m": "length"}
"""Keys of targets by date, and what each measures."""
MOST_NAMES = 3
"""Reservoirs up to this number are named in the title."""
WAYS = ("target", "target_hm3", "target_m", "value_per_m3", "values")

Number = Annotated[float, Field(strict=True, ge=0, allow_inf_nan=False)]


class StorageBlock(BaseModel):
    """A part of the storage, and what water in it is worth."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    up_to_hm3: Annotated[
        Number | None, Field(description="storage at which the block ends; default: the top")
    ] = None
    value_per_m3: Annotated[
        Number, Field(description="worth of a m3 left in it, in the currency of the basin")
    ]


class EndStorage(LinearGoal):
    """Leave water in the reservoirs at the end of what is in sight.

    What is in sight ends with the horizon under perfect foresight, with the window under rolling
    foresight, and with the period itself where a case is simulated.  A program sees no use for
    water beyond that day and empties the lakes by it; this goal says what the water left is for, in
    one of two ways.

    By a **target**, below which as little as can be is missing on that day:

    ``target: full``
        the largest storage that ``reservoirs.csv`` allows on the day, with the flood limit
    ``target: initial``
        the storage at the start of the horizon
    ``target_hm3``, ``target_m``
        a storage, or a level, by date: the rule curve of each reservoir named.  It never asks more
        than the basin allows on the day, and a reservoir is free where it does not name the day.
        With ``gradual: true`` a value is reached on the last day of its span, in a straight line
        from the one before it, so that no lake has to fall or fill within a day

    Water above the target is free: the goals that follow may use it or keep it.  What is missing is
    spread over the reservoirs (``missing: share``): the largest share missing, of a reservoir's
    active storage (dead to normal), is made as small as can be, then the next largest, and so on,
    until no tie is left.  So reservoirs stay in balance, and water is moved down to a lake that
    lacks more: after a goal ``minimise: spill`` through turbines only.  ``missing: volume`` makes
    the volume missing in all of them together least; in which it is missing is then left to the
    goals that follow, with a `tolerance` lest a little evaporation decide.

    By its **worth**, which is made as large as can be: one `value_per_m3` for all water left, or
    `values`, in which blocks of each reservoir's storage, from the bottom up, are worth less and
    less.  Such values are what the water would bring later; they come from a run that sees further,
    or from a study of the economy.  Water above the last block is worth nothing.

    Storage is that at the end of the last period in sight.  Where ``reservoirs.csv`` asks a target
    at the end of the horizon, or a rule asks a level, that stays a limit.

    Equation
    --------
    By a target: lexicographically minimise the largest missing(r) / (normal(r) - dead(r)), or
    minimise sum over r of missing(r), with missing(r) >= target(r, T) - storage_end(r, T) and
    missing(r) >= 0.  T is the last period in sight.

    By worth: maximise sum over r and blocks i of value(r, i) kept(r, i), with 0 <= kept(r, i) <=
    up_to(r, i) - up_to(r, i - 1) and sum over i of kept(r, i) <= storage_end(r, T).

    Source
    ------
    Value of water carried over: Draper & Lund (2004), Optimal hedging and carryover storage value,
    Journal of Water Resources Planning and Management 130, 83-87.  Rule curves, and storage kept in
    balance between reservoirs by equal shares: Lund & Guzman (1999), Derived operating rules for
    reservoirs in series or in parallel, same journal 125, 143-153.

    Example
    -------
    .. code-block:: yaml

        goals:
          - meet: {sectors: [domestic]}
          - end_storage: {target: full, reservoirs: [hoa_binh, son_la]}

    .. code-block:: yaml

        goals:
          - meet: {sectors: [domestic]}
          - end_storage:
              target_m:
                hoa_binh: pattern:hoa_binh_minimum_level
                thac_ba: [{from: 01-01, to: 05-31, value: 50}, {from: 09-01, to: 12-31, value: 56}]
          - maximise: energy

    .. code-block:: yaml

        goals:
          - meet: {sectors: [domestic]}
          - end_storage:
              values:
                hoa_binh: [{up_to_hm3: 6000, value_per_m3: 800}, {value_per_m3: 450}]
                thac_ba: [{value_per_m3: 300}]
    """

    kind = "end_storage"
    vi = (
        "Giữ nước trong hồ vào cuối khoảng thời gian nhìn thấy: thiếu ít nhất so với mức đích, "
        "hoặc có giá trị lớn nhất."
    )

    reservoirs: Annotated[
        tuple[str, ...],
        Field(description="reservoirs; default: all, or those that targets or values name"),
    ] = ()
    target: Annotated[
        Literal["full", "initial"] | None,
        Field(description="full: largest storage allowed on the day; initial: that at the start"),
    ] = None
    target_hm3: Annotated[
        dict[str, Seasonal], Field(description="reservoir -> storage by date that should be left")
    ] = {}
    target_m: Annotated[
        dict[str, Seasonal], Field(description="reservoir -> level by date that should be left")
    ] = {}
    gradual: Annotated[
        bool,
        Field(
            description="targets by date go in straight lines, each reached on the last day of "
            "its span"
        ),
    ] = False
    missing: Annotated[
        Literal["share", "volume"],
        Field(
            description="what is made least below a target: the largest share missing of a "
            "reservoir's active storage, then the next; or the volume missing in all"
        ),
    ] = "share"
    value_per_m3: Annotated[
        Number | None,
        Field(description="worth of a m3 left in any reservoir, in the currency of the basin"),
    ] = None
    values: Annotated[
        dict[str, tuple[StorageBlock, ...]],
        Field(description="reservoir -> blocks of its storage from the bottom, with their worth"),
    ] = {}

    @model_validator(mode="after")
    def _one_way(self) -> EndStorage:
        ways = [way for way in WAYS if getattr(self, way) not in (None, {})]
        if len(ways) != 1 and ways != list(DIMENSION):
            raise ValueError(f"give one of {listed(WAYS)}")
        if self._by_name and self.reservoirs:
            raise ValueError(f"names its reservoirs under {ways[0]}; leave out `reservoirs`")
        if "missing" in self.model_fields_set and not self.has_target:
            raise ValueError("has no target of which a part is missing; leave out `missing`")
        if self.gradual and not (self.target_hm3 or self.target_m):
            raise ValueError("has no targets by date that could be gradual; leave out `gradual`")
        if self.is_spread and self.tolerance:
            raise ValueError("has a tolerance, which is of one sum; add `missing: volume`")
        return self

    @property
    def _by_name(self) -> dict[str, Any]:
        """What is given for reservoirs by name."""
        return {**self.target_hm3, **self.target_m, **self.values}

    @property
    def has_target(self) -> bool:
        """Whether it goes by a target, and not by what water is worth."""
        return self.value_per_m3 is None and not self.values

    @property
    def is_spread(self) -> bool:
        """Whether it takes one program after another, share by share."""
        return self.has_target and self.missing == "share"

    @property
    def counts_money(self) -> bool:
        return not self.has_target

    @property
    def counts_penalties(self) -> bool:  # type: ignore[override]  # it hangs on the way
        return not self.is_spread

    def names(self, basin: Basin) -> list[str]:
        """Reservoirs that count."""
        return list(self.reservoirs or self._by_name or basin.tables["reservoirs"].index)

    # --- faults ---------------------------------------------------------------------------------

    def check(self, basin: Basin) -> list[tuple[str, str, str]]:
        known = basin.tables["reservoirs"].index
        if not len(known):
            return [("", "E313", "end_storage has no reservoirs: the basin has no reservoirs.csv")]
        faults = unknown("reservoirs", self.reservoirs, known, "reservoir")
        for way in (*DIMENSION, "values"):
            faults += unknown(way, getattr(self, way), known, "reservoir")
        twice = [name for name in self.target_hm3 if name in self.target_m]
        if twice:
            text = f"reservoir '{twice[0]}' has a target in hm3 and one in m; keep one"
            faults.append(("target_m", "E303", text))
        for way, dimension in DIMENSION.items():
            for name, target in getattr(self, way).items():
                of_pattern = target.check(way, basin.patterns, dimension)
                is_known = name in known and not of_pattern
                faults += self._check_target(basin, way, name, target) if is_known else of_pattern
        for name, blocks in self.values.items():
            faults += self._check_blocks(name, blocks)
        return faults or self._check_normal(basin)

    def _check_normal(self, basin: Basin) -> list[tuple[str, str, str]]:
        """Ask a largest storage of reservoirs of which a share may be missing."""
        normal = basin.tables["reservoirs"]["normal"]
        return [
            (
                "",
                "E202",
                f"reservoir '{r}' has no normal_hm3, so that no share of it can be missing below a "
                "target; add it, or give water a worth in place of a target",
            )
            for r in self.names(basin)
            if self.has_target and not np.isfinite(normal[r])
        ]

    def _check_target(
        self, basin: Basin, way: str, name: str, target: Seasonal
    ) -> list[tuple[str, str, str]]:
        if self.gradual and not target.named().all():
            text = f"target of '{name}' does not name every day, so that it cannot be gradual; "
            return [(way, "E303", text + "add the days that are missing")]
        values = target.by_day(basin.patterns)[target.named()]
        normal, most = basin.tables["reservoirs"].at[name, "normal"], float(values.max())
        if way == "target_hm3":
            limit, in_unit = normal, "hm3"
        else:
            curve = curve_of(basin, name)
            if curve is None or not curve.has("level"):
                text = f"reservoir '{name}' has no curve with its level; "
                return [(way, "E222", text + "give target_hm3, or give it a curve")]
            lowest, limit, in_unit = float(curve.points["level"][1][0]), curve.level(normal), "m"
            if values.min() < lowest:
                text = f"level {values.min():g} m of '{name}' is below its curve, which starts at "
                return [(way, "E222", f"{text}{lowest:g} m; must be on it")]
        if most > limit * (1 + ROOM):
            text = f"target {most:g} {in_unit} of '{name}' is above its normal storage, "
            return [(way, "E241", f"{text}{limit:g} {in_unit}; must be at or below it")]
        return []

    @staticmethod
    def _check_blocks(name: str, blocks: tuple[StorageBlock, ...]) -> list[tuple[str, str, str]]:
        texts = []
        if not blocks:
            texts.append("has no blocks; give at least one")
        ends = [block.up_to_hm3 for block in blocks]
        if None in ends[:-1]:
            texts.append("has a block without up_to_hm3 that is not the last; say where it ends")
        elif any(low >= high for low, high in pairwise([0.0, *(e for e in ends if e is not None)])):
            texts.append("has a block that does not end above the one before it; put them in order")
        if any(low.value_per_m3 < high.value_per_m3 for low, high in pairwise(blocks)):
            texts.append(
                "has a block that is worth more than the one below it; the worth of storage must "
                "be concave: correct it, or join the two"
            )
        return [("values", "E225", f"reservoir '{name}' {text}") for text in texts]

    # --- the period -----------------------------------------------------------------------------

    def title(self) -> str:
        names = list(self.reservoirs or self._by_name)
        of = "+".join(names) if len(names) <= MOST_NAMES else f"{len(names)} reservoirs"
        of = of or "all"
        return f"{'end storage' if self.has_target else 'worth of end storage'} of {of}"

    def measure(self, m: pyo.ConcreteModel, case: Case, stage: Stage) -> tuple[str, float]:
        return ("hm3" if self.has_target else f"million {case.basin.currency}"), 1.0

    def declare(self, m: pyo.ConcreteModel, case: Case, number: int) -> None:
        block = pyo.Block(concrete=True)
        m.goals.add_component(f"end_storage_{number}", block)
        block.names = self.names(case.basin)
        # what is one column for all that is in sight counts in its first period only
        once = np.zeros(case.n_periods)
        once[0] = 1.0
        block.once = pyo.Param(initialize=once, **DATA)
        if self.has_target:
            self._declare_target(m, case, block)
        else:
            self._declare_worth(m, case, block)

    def _declare_target(self, m: pyo.ConcreteModel, case: Case, block: Any) -> None:
        names, whole = block.names, np.zeros(case.n_periods, int)
        block.target = pyo.Param(
            names, initialize=self._targets(m, case), units=unit("hm3"), **DATA
        )
        block.missing = pyo.Var(names, bounds=(0, None), units=unit("hm3"))
        block.lacks = pyo.Constraint(
            names, rule=lambda b, r: b.missing[r] + m.storage_end[r] >= b.target[r]
        )
        block.total = pyo.Expression(expr=block.once * sum(block.missing[r] for r in names))
        block.goal = pyo.Expression(expr=block.total)
        m.repeats.share(block.missing, whole)
        m.repeats.at_end(block.lacks, case.n_periods)
        if not self.is_spread:
            return
        active = {r: _active(case.basin, r) for r in names}
        block.all_active = sum(active.values()) or 1.0
        part = {r: volume / block.all_active for r, volume in active.items()}
        block.part = pyo.Param(names, initialize=part, **DATA)
        # the level counts as the volume it stands for, so that duals are hm3 for hm3
        block.level = pyo.Var(bounds=(0, None), units=unit("hm3"))
        block.even = pyo.Constraint(
            names, rule=lambda b, r: b.missing[r] - b.part[r] * b.level <= 0
        )
        block.goal.set_value(block.once * block.level)
        m.repeats.share(block.level, whole)
        m.repeats.at_end(block.even, case.n_periods)

    def _targets(self, m: pyo.ConcreteModel, case: Case) -> dict[str, np.ndarray]:
        """Storage that should be left, were each period the last in sight [hm3] (member, time)."""
        basin, shape = case.basin, (case.n_members, case.n_periods)
        if self.target == "full":
            found = {r: m.storage_most[r].value for r in self.names(basin)}
        elif self.target == "initial":
            initial = basin.values("reservoirs", "initial")
            found = {r: initial[r] for r in self.names(basin)}
        else:
            found = {r: self._curve(m, case, r) for r in self._by_name}
        return {r: np.broadcast_to(target, shape) for r, target in found.items()}

    def _curve(self, m: pyo.ConcreteModel, case: Case, reservoir: str) -> np.ndarray:
        """Rule curve of a reservoir [hm3] (member, time), 0 on days it does not name."""
        target = self._by_name[reservoir]
        by_day, on = target.by_day(case.basin.patterns), day_of_year(case.timeline.last_days)
        if self.gradual:
            by_day = _reached_at_ends(by_day)
        value, active = by_day[on], target.named()[on]
        if reservoir in self.target_m:
            value[active] = curve_of(case.basin, reservoir).storage(value[active])
        return np.minimum(np.where(active, value, 0.0), m.storage_most[reservoir].value)

    def _declare_worth(self, m: pyo.ConcreteModel, case: Case, block: Any) -> None:
        width, value = {}, {}
        for r in block.names:
            normal, below = float(case.basin.tables["reservoirs"].at[r, "normal"]), 0.0
            alone = StorageBlock(value_per_m3=self.value_per_m3 or 0.0)
            for i, part in enumerate(self.values.get(r, (alone,)), 1):
                end = normal if part.up_to_hm3 is None else min(part.up_to_hm3, normal)
                width[r, i], value[r, i] = max(end - below, 0.0), part.value_per_m3
                below = max(end, below)
        keys = list(width)
        block.width = pyo.Param(keys, initialize=width, units=unit("hm3"), **DATA)
        block.value = pyo.Param(keys, initialize=value, **DATA)
        block.kept = pyo.Var(keys, bounds=lambda b, r, i: (0.0, b.width[r, i]), units=unit("hm3"))
        block.holds = pyo.Constraint(
            block.names,
            rule=lambda b, r: sum(b.kept[key] for key in keys if key[0] == r) <= m.storage_end[r],
        )
        worth = sum(block.value[key] * block.kept[key] for key in keys)
        block.goal = pyo.Expression(expr=block.once * worth)
        m.repeats.share(block.kept, np.zeros(case.n_periods, int))
        m.repeats.at_end(block.holds, case.n_periods)

    def objective(self, m: pyo.ConcreteModel, number: int) -> tuple[pyo.Expression, str]:
        goal = m.goals.component(f"end_storage_{number}").goal
        return goal, "minimise" if self.has_target else "maximise"

    def outcome(self, m: pyo.ConcreteModel, number: int) -> tuple[Any, str]:
        if not self.has_target:
            return self.objective(m, number)
        return m.goals.component(f"end_storage_{number}").total, "minimise"

    # --- one program after another --------------------------------------------------------------

    def optimise(self, m: pyo.ConcreteModel, case: Case, number: int, stage: Stage) -> None:
        if self.is_spread:
            self._spread(m.goals.component(f"end_storage_{number}"), number, stage)
        else:
            super().optimise(m, case, number, stage)

    def is_plain(self, case: Case) -> bool:
        return not self.tolerance and not self.is_spread

    def _spread(self, block: Any, number: int, stage: Stage) -> None:
        """Make the largest share missing least, then the next largest, and so on.

        A reservoir whose row keeps the level up is settled: it can miss no less, unless one that
        misses as large a share misses still more.
        """
        is_open = list(block.names)
        while is_open:
            n_settled = len(block.names) - len(is_open)
            name = f"{number} {self.title()}, largest share missing"
            if n_settled:
                name += f" but for {n_settled}"
            level = stage.optimise(
                name, block.goal, "minimise", "fraction of active storage", 1 / block.all_active
            )
            stage.decide()
            settled = [
                r
                for r in is_open
                if level <= NOTHING * block.all_active
                or block.part[r].value * abs(float(stage.duals(block.even[r])[0])) > STUCK
            ]
            missing = {r: float(stage.values(block.missing[r])[0]) for r in settled}
            stage.hold(is_final=False)
            if not settled:
                raise SolveError(
                    f"E404 {name}: no reservoir keeps the level up; report it with "
                    "`wateralloc export --to mps`"
                )
            for r in settled:
                most = missing[r] + ROOM * (1 + missing[r])
                stage.bound(block.missing[r], np.zeros(1), np.array([most]))
                stage.limit(block.even[r], np.array([-np.inf]), np.array([np.inf]))
            is_open = [r for r in is_open if r not in settled]
            for r in is_open:
                stage.limit(block.even[r], np.array([-np.inf]), np.zeros(1))
        # what is missing is settled; the level is free to be at or above the largest share again
        stage.bound(block.level, np.zeros(1), np.array([np.inf]))
        for r in block.names:
            stage.limit(block.even[r], np.array([-np.inf]), np.zeros(1))


def _reached_at_ends(by_day: np.ndarray) -> np.ndarray:
    """Let each value be reached on the last day that it holds, from the one before it (365).

    >>> _reached_at_ends(np.array([0.0, 0.0, 0.0, 6.0, 6.0, 6.0])).tolist()
    [4.0, 2.0, 0.0, 2.0, 4.0, 6.0]
    """
    ends = np.flatnonzero(by_day != np.roll(by_day, -1))
    if not ends.size:
        return by_day
    return np.interp(np.arange(by_day.size), ends, by_day[ends], period=by_day.size)


def _active(basin: Basin, reservoir: str) -> float:
    """Storage [hm3] between the least and the largest that a reservoir can have."""
    low, normal = storage_range(basin, reservoir)
    return float(normal - low)
