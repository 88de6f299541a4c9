"""Mend members without a solution: the least that limits must give way, and the solution then."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np

from wateralloc.case import Case
from wateralloc.errors import CaseError, Fault, Infeasible, Position
from wateralloc.foresight.conflict.find import (
    Change,
    Elastic,
    changes_of,
    find_reasons,
    limits_in_tiers,
    repair_of,
)
from wateralloc.foresight.conflict.words import explain_infeasible
from wateralloc.foresight.perfect import Passes, Progress, Solution
from wateralloc.horizon import Horizon, LinearProgram
from wateralloc.period import Period, build_period
from wateralloc.units import HM3_PER_M3

MENDED_TIERS = 3
"""Rules, environmental flows, and the limits of storages and links; never the water balance."""
ROUNDING = 1e-8
"""What is given beyond the least repair, as a share of 1 + its size, so that rounding is none."""
UNITS = {"m3s": "m3/s", "gwh": "GWh"}


@dataclass(frozen=True)
class Step:
    """By how much a limit gave way in one period or window, in the unit of its :class:`Mended`."""

    period: str
    asked: float
    kept: float


@dataclass(frozen=True)
class Mended:
    """A limit that gave way in one member.

    Attributes
    ----------
    text, text_vi : what it is, with the place of a rule
    rule : name of the rule, "" where it is none
    is_lowered : it asked for less in the end; else it allowed more
    volume : what was given in all [hm3, or GWh]
    unit : of the steps, ``hm3``, ``m3/s`` or ``GWh``
    """

    text: str
    text_vi: str
    rule: str
    is_lowered: bool
    volume: float
    unit: str
    steps: tuple[Step, ...]

    @property
    def volume_unit(self) -> str:
        """Unit of the volume."""
        return "GWh" if self.unit == "GWh" else "hm3"

    def plain(self) -> dict[str, Any]:
        """The same as plain data, for the manifest."""
        return {
            "what": self.text,
            "rule": self.rule,
            "way": "lowered" if self.is_lowered else "raised",
            "volume": self.volume,
            "volume_unit": self.volume_unit,
            "unit": self.unit,
            "when": [
                {"period": step.period, "asked": step.asked, "kept": step.kept}
                for step in self.steps
            ],
            "text": {lang: self.tell(lang) for lang in ("en", "vi")},
        }

    def tell(self, lang: str = "en") -> str:
        """Say what gave way, by how much and when."""
        most = max(abs(step.asked - step.kept) for step in self.steps)
        first, last = self.steps[0].period, self.steps[-1].period
        volume = f"{self.volume:.4g} {self.volume_unit}"
        if lang == "vi":
            verb = "giảm" if self.is_lowered else "tăng"
            when = (
                f"thời đoạn từ {first}"
                if first == last
                else f"{len(self.steps)} thời đoạn, từ {first} đến {last}"
            )
            return f"{self.text_vi}: {verb} nhiều nhất {most:.4g} {self.unit} ({volume}), {when}"
        verb = "lowered" if self.is_lowered else "raised"
        when = (
            f"in the period from {first}"
            if first == last
            else f"in {len(self.steps)} periods, from {first} to {last}"
        )
        return f"{self.text} {verb} by up to {most:.4g} {self.unit} ({volume}) {when}"


@dataclass(frozen=True)
class MendedSolution(Solution):
    """All members of a case, solved; some after limits had given way.

    Attributes
    ----------
    mended : member -> what gave way; members that needed nothing are not in it
    """

    mended: Mapping[str, tuple[Mended, ...]] = field(default_factory=dict)


class MendedHorizon(Horizon):
    """A horizon of which limits have given way; also where its lines move.

    Attributes
    ----------
    asked : the program as it is without
    """

    asked: LinearProgram | None = None

    def stack_mended(self, changes: Mapping[int, tuple[Change, ...]]) -> LinearProgram:
        """Stack the program and let limits give way.

        Parameters
        ----------
        changes : member -> what gives way
        """
        self.asked = lp = self.stack()
        self._by_row = np.zeros((2, lp.n_members, lp.n_rows))
        self._by_column = np.zeros((2, lp.n_members, lp.n_columns))
        for k, of_member in changes.items():
            for change in of_member:
                by = self._by_row if change.limit.is_row else self._by_column
                gives = change.gives + ROUNDING * np.sign(change.gives) * (1 + np.abs(change.gives))
                by[0, k, change.limit.numbers] = -np.maximum(gives, 0.0)
                by[1, k, change.limit.numbers] = -np.minimum(gives, 0.0)
        return self._give(lp)

    def refresh(self) -> LinearProgram:
        if self.asked is None:
            return super().refresh()
        self.lp = self.asked
        self.asked = super().refresh()
        return self._give(self.asked)

    def _give(self, lp: LinearProgram) -> LinearProgram:
        (low, high), (left, right) = self._by_row, self._by_column
        self.lp = replace(
            lp,
            row_lower=lp.row_lower + low,
            row_upper=lp.row_upper + high,
            col_lower=lp.col_lower + left,
            col_upper=lp.col_upper + right,
        )
        return self.lp


def solve_mended(
    case: Case, progress: Progress | None = None, keep_faces: bool = False
) -> MendedSolution:
    """Solve a case with perfect foresight; where hard limits contradict each other, they give way.

    In each member hard rules give way first, by the least total volume; where no amount of theirs
    helps, environmental flows with them, then the limits of storages and links.

    Parameters
    ----------
    keep_faces : keep what the goals leave open

    Raises
    ------
    CaseError
        The case does not see its whole horizon in one program of each member.
    Infeasible
        No amount helps, or what stands in the way is a decision of yes or no.
    Uncertified, SolveError
    """
    check_mending(case)
    started = time.perf_counter()
    period = build_period(case)
    horizon = MendedHorizon(period.model, case.n_members, case.n_periods)
    lp = horizon.stack()
    built = time.perf_counter()
    tiers = limits_in_tiers(period, horizon)[:MENDED_TIERS]
    changes = {k: _changes(period, horizon, tiers, k) for k in range(case.n_members)}
    mended = {
        case.members[k].name: tuple(_mended(case, lp, k, change) for change in of_member)
        for k, of_member in changes.items()
        if of_member
    }
    horizon.stack_mended(changes)
    try:
        found = Passes(period, horizon, progress, keep_faces=keep_faces).solve()
    except Infeasible as error:
        if not mended:
            raise
        raise Infeasible(
            f"E388 {case.name}: rules gave way ({', '.join(mended)}) and it still has no solution; "
            f"make a rule soft\n{error}"
        ) from None
    seconds = {"build": built - started, "solve": time.perf_counter() - built}
    parts = {part.name: getattr(found, part.name) for part in fields(Solution)}
    return MendedSolution(**{**parts, "seconds": seconds}, mended=mended)


def attributes_of(solution: MendedSolution) -> dict[str, str]:
    """Attribute of the results of a mended case; none where nothing gave way."""
    told = [f"{member}: {what.tell()}" for member, of in solution.mended.items() for what in of]
    return {"mended": "; ".join(told)} if told else {}


def check_mending(case: Case) -> None:
    """Refuse a case whose members are not solved each by itself with the whole horizon in sight.

    Raises
    ------
    CaseError
    """
    mode = case.foresight.mode
    if mode == "perfect" or (mode == "two_stage" and case.n_members == 1):
        return
    way_out = "make rules soft"
    if case.foresight.goes_forward:
        way_out = f"write `hard_rules: miss` under {mode}"
    text = (
        f"members of foresight '{mode}' are not solved each with its whole horizon, so none can be "
        f"mended; write `foresight: perfect`, or {way_out} and run without --mend"
    )
    at = Position(str(case.files[0])) if case.files else Position(case.name)
    raise CaseError([Fault(at, "E386", text)])


def _changes(
    period: Period, horizon: Horizon, tiers: list[list[Elastic]], member: int
) -> tuple[Change, ...]:
    """What gives way in a member; nothing where it has a solution."""
    lp = horizon.stack().member(member)
    limits: list[Elastic] = []
    for tier in tiers:
        limits += tier
        repair = repair_of(lp, limits)
        if repair is not None:
            is_needed = bool(changes_of(limits, repair))
            return find_reasons(period, horizon, member).changes if is_needed else ()
    case = period.case
    raise Infeasible(
        f"E387 {case.name}, member {case.members[member].name}: no amount by which rules, "
        "environmental flows, storages and links give way is enough; check inflows, losses and "
        f"initial storages\n{explain_infeasible(period, horizon, member)}"
    )


def _mended(case: Case, lp: LinearProgram, member: int, change: Change) -> Mended:
    """What a change is, in the unit in which its limit is told."""
    limit = change.limit
    program = lp.member(member)
    low, high = (
        (program.row_lower, program.row_upper)
        if limit.is_row
        else (program.col_lower, program.col_upper)
    )
    per_hm3 = np.ones(limit.numbers.size)
    if limit.unit == "m3s":
        per_hm3 = 1 / (case.timeline.seconds[limit.periods] * HM3_PER_M3)
    steps = []
    for i in np.flatnonzero(change.gives):
        asked = (low if change.gives[i] > 0 else high)[limit.numbers[i]]
        steps.append(
            Step(
                case.timeline.labels[limit.periods[i]],
                float(asked * per_hm3[i]),
                float((asked - change.gives[i]) * per_hm3[i]),
            )
        )
    return Mended(
        limit.text + limit.place,
        limit.text_vi + limit.place,
        limit.rule.name if limit.rule is not None else "",
        bool(change.gives.sum() > 0),
        float(np.abs(change.gives).sum()),
        UNITS.get(limit.unit, "hm3"),
        tuple(steps),
    )
