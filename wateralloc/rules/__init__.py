"""The policies: one rule per file, in the same form as a part.

A rule is a pydantic model of its clause in the case file.  Its `constrain` adds rows to the period,
``achieved >= required`` or ``achieved <= required``, in each period or summed over a window.  What
a rule asked and what came of it is read back from its rows, so a user's own rule reports like any
other.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import numpy as np
import pyomo.environ as pyo
from pydantic import BaseModel, ConfigDict, Field, model_validator

from wateralloc.errors import CaseError, Fault, listed
from wateralloc.parts import DATA, unit
from wateralloc.timeline import Timeline

if TYPE_CHECKING:
    from wateralloc.basin import Basin
    from wateralloc.case import Case

log = logging.getLogger(__name__)

KEPT = 1e-6
"""A rule whose shortfall is up to this [hm3, or GWh] is kept."""


class Soft(BaseModel):
    """How a rule may be broken: in the order of goals, or at a price.

    With `goal` alone the shortfall is made least just before that goal, and held.  With a `penalty`
    it is weighed against what goal number `goal` counts, or the first goal that counts money.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    goal: Annotated[
        int | None,
        Field(ge=1, description="place in the order of goals, from 1; default: the money goal"),
    ] = None
    penalty: Annotated[
        float | None,
        Field(
            strict=True,
            gt=0,
            allow_inf_nan=False,
            description="price of each hm3 (or GWh) missed, in what the goal counts; in money: "
            "currency per m3 (per kWh)",
        ),
    ] = None

    @model_validator(mode="after")
    def _something(self) -> Soft:
        if self.goal is None and self.penalty is None:
            raise ValueError("give goal, or penalty, or both")
        return self

    def counted_in(self, goals: Sequence[Any]) -> int | None:
        """Place of the goal that counts the penalty, from 1; None where none can."""
        if self.goal is None:
            return next((k for k, goal in enumerate(goals, 1) if goal.counts_money), None)
        fits = self.goal <= len(goals) and goals[self.goal - 1].counts_penalties
        return self.goal if fits else None

    def check(self, rule: str, goals: Sequence[Any]) -> list[tuple[str, str, str]]:
        """Faults of a penalty that only the goals show: (key, error code, text) each."""
        if self.penalty is None or self.counted_in(goals) is not None:
            return []
        can = [f"{k} ({goal.kind})" for k, goal in enumerate(goals, 1) if goal.counts_penalties]
        others = f"one of {listed(can)}" if can else "one that is a sum, such as minimise: spill"
        if self.goal is None:
            text = (
                f"penalty of rule '{rule}' is money but no goal of the case counts money; name in "
                f"key goal what counts it, {others}, or add a goal such as net_benefit"
            )
            return [("penalty", "E329", text)]
        kind = f"{self.goal} ({goals[self.goal - 1].kind})" if self.goal <= len(goals) else "it"
        text = (
            f"penalty of rule '{rule}' cannot be counted in goal {kind}, which is not one sum; "
            f"name {others}, or leave out the penalty: the rule then comes before the goal"
        )
        return [("goal", "E329", text)]


@dataclass(frozen=True)
class Report:
    """What a rule reports in each period, beside its rows."""

    rule: str
    item: str
    name: str
    units: str
    value: Any


class Rule(BaseModel):
    """A clause of a case.

    Attributes
    ----------
    kind : word after ``rule:`` in the case file
    vi : what it does, in one line of Vietnamese
    """

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)
    kind: ClassVar[str | None] = None
    vi: ClassVar[str] = ""

    name: Annotated[str, Field(description="name in results; default: the rule's kind")] = ""
    source: Annotated[str, Field(description="legal source of the clause")] = ""
    soft: Annotated[
        Soft | None,
        Field(description="the rule may be broken, in the order of goals; else it is hard"),
    ] = None

    @property
    def reported_in(self) -> str:
        """Unit of its rows in results.

        ``hm3`` of the period or window, ``m3s`` as mean flow, or ``gwh`` of energy.
        """
        return "hm3"

    @property
    def place(self) -> str:
        """Node or reservoir whose flow or storage it names; "" where it names none, or several."""
        named = (getattr(self, key, "") for key in ("flow_at", "at", "reservoir"))
        return next((name for name in named if isinstance(name, str) and name), "")

    def check(self, basin: Basin) -> list[tuple[str, str, str]]:
        """Faults that only the basin shows: (key, error code, text) each."""
        return []

    def prepare(self, m: pyo.ConcreteModel, case: Case) -> None:
        """Change data of the period, before any rule adds rows: values of its Params."""

    def constrain(self, m: pyo.ConcreteModel, case: Case) -> None:
        """Add the rule's rows to the period.

        Variables and equations that the rows need, such as those of an account, go to
        ``m.workings``: what stands there is not reported as a row of the rule.
        """
        raise NotImplementedError

    def report(
        self, m: pyo.ConcreteModel, name: str, values: dict[str, Any], units: str = "hm3"
    ) -> None:
        """Report expressions of the period in ``accounts.csv``, beside the rule's rows.

        Parameters
        ----------
        name : what they are, as ``balance`` of an account
        values : item -> linear expression of the period; a rule with one item names it ""
        units : ``hm3``, ``1``, ...
        """
        m.reports += [Report(self.name, item, name, units, value) for item, value in values.items()]

    def require(
        self,
        m: pyo.ConcreteModel,
        rows: dict[str, tuple[Any, np.ndarray]],
        sense: str,
        window: np.ndarray | Sequence[np.ndarray] | None = None,
        suffix: str = "",
    ) -> None:
        """Add one row for each item: achieved >= required, or <=.

        Parameters
        ----------
        rows : item -> (achieved, a linear expression [hm3, or GWh for a rule reported in it];
            required, in the same unit (time) or (member, time)).  A rule with one row names it "".
        sense : ``>=`` or ``<=``
        window : number of the window of each period (time), -1 where the rule is silent; achieved
            and required add up over a window.  None: every period is its own window.  For windows
            that overlap: the periods of each, as of `rolling_windows`.
        suffix : told apart from other rows of the same rule
        """
        name = self.name + suffix
        of_rows = unit("GWh" if self.reported_in == "gwh" else "hm3")
        required = pyo.Param(
            list(rows), initialize={i: r for i, (_, r) in rows.items()}, units=of_rows, **DATA
        )
        block = m.rules
        block.add_component(f"{name}_required", required)

        def row(_: Any, item: str) -> Any:
            achieved = rows[item][0]
            return achieved >= required[item] if sense == ">=" else achieved <= required[item]

        constraint = pyo.Constraint(list(rows), rule=row)
        block.add_component(name, constraint)
        if window is not None:
            for item in rows:
                m.repeats.total(constraint[item], window)


def number_windows(mask: np.ndarray) -> np.ndarray:
    """Give each period of a mask (time) a window of its own, -1 to the others."""
    return np.where(mask, np.cumsum(mask) - 1, -1)


def at_first_period(volume: float, window: np.ndarray) -> np.ndarray:
    """Put a window's volume at its first period (time), so that it adds up to itself."""
    required = np.zeros(window.size)
    number, first = np.unique(window, return_index=True)
    required[first[number >= 0]] = volume
    return required


def last_of_each(window: np.ndarray) -> np.ndarray:
    """Mark the last period of each window (time).

    >>> last_of_each(np.array([0, 0, -1, 1])).tolist()
    [False, True, False, True]
    """
    marked = np.zeros(window.size, bool)
    number, from_last = np.unique(window[::-1], return_index=True)
    marked[window.size - 1 - from_last[number >= 0]] = True
    return marked


def at_last_period(volumes: Iterable[float], runs: Sequence[np.ndarray], size: int) -> np.ndarray:
    """Lay out the volumes of overlapping windows over the periods, so that each adds up to its own.

    What a window shares with earlier ones is laid out already; the rest stands at its last period,
    which no earlier one has.  So single periods may have a share below 0.

    >>> at_last_period([6.0, 7.0], [np.array([0, 1]), np.array([1, 2])], 4).tolist()
    [0.0, 6.0, 1.0, 0.0]
    """
    required = np.zeros(size)
    for volume, run in zip(volumes, runs, strict=True):
        required[run[-1]] = volume - required[run].sum()
    return required


def rolling_windows(
    timeline: Timeline, name: str, count: int, months: Sequence[int] = (), *, whole: bool = False
) -> tuple[list[np.ndarray], list[int]]:
    """Find the runs of consecutive windows: one that ends in each window of the horizon.

    Parameters
    ----------
    name : window of which a run has several: ``month``, ``season``, ``year``, ...
    count : windows of a run
    whole : leave out the run that ends in a window which the horizon cuts at its end

    Returns
    -------
    runs : periods of the horizon in each run, in time order
    n_before : how many windows of each run begin before the horizon.  The last of them is the part
        of a window before the horizon, where the horizon starts within one.

    Examples
    --------
    >>> years = Timeline("2001-01-01", 36, "month")
    >>> runs, n_before = rolling_windows(years, "year", 2)
    >>> [(int(run[0]), int(run[-1])) for run in runs], n_before
    ([(0, 11), (0, 23), (12, 35)], [1, 0, 0])
    """
    number = timeline.window(name, months or None)
    inside = [np.flatnonzero(number == k) for k in range(int(number.max(initial=-1)) + 1)]
    cut = [_cut_by_horizon(timeline, name, months, periods) for periods in inside]
    runs, n_before = [], []
    for k in range(len(inside)):
        if whole and cut[k][1]:
            continue
        first = k - count + 1
        runs.append(np.concatenate(inside[max(first, 0) : k + 1]))
        n_before.append(max(-first, 0) + int(first <= 0 and cut[0][0]))
    return runs, n_before


def history_too_long(length: int, count: int) -> str:
    """Say that history has more values than runs of `count` windows can reach back to."""
    return (
        f"history_hm3 has {length} values but a run of {count} windows has {count - 1} before its "
        "last, and one that the horizon may cut; leave out the oldest"
    )


def with_history(
    case: Case,
    rule: Rule,
    runs: Sequence[np.ndarray],
    n_before: Sequence[int],
    history: Sequence[float],
    reach: int | None = None,
) -> tuple[list[np.ndarray], list[float]]:
    """Keep the runs whose windows before the horizon are known, with a warning where some are not.

    Parameters
    ----------
    runs, n_before : as of `rolling_windows`
    history : volume of the windows that begin before the horizon, the oldest first
    reach : most windows before the horizon that a run of the rule has; default: of these runs

    Returns
    -------
    runs : those that are known
    volumes : volume of each before the horizon

    Raises
    ------
    CaseError
        There is more history than the horizon reaches back to.
    """
    if not runs:
        log.warning("%s: no run of windows ends in the horizon; the rule is silent", rule.name)
        return [], []
    reach = max(n_before) if reach is None else reach
    if len(history) > reach:
        text = (
            f"history_hm3 of rule '{rule.name}' has {len(history)} values but its runs reach back "
            f"over {reach} windows before the horizon; leave out the oldest"
        )
        raise CaseError([Fault(case.rule_positions[case.rules.index(rule)], "E324", text)])
    known = [k for k, n in enumerate(n_before) if n <= len(history)]
    if len(known) < len(runs):
        log.warning(
            "%s: %d of %d runs of windows reach further back than history_hm3, which has %d of %d "
            "values; the rule is silent in these runs",
            rule.name,
            len(runs) - len(known),
            len(runs),
            len(history),
            max(n_before),
        )
    volumes = [float(sum(history[len(history) - n_before[k] :])) for k in known]
    return [runs[k] for k in known], volumes


def windows(
    timeline: Timeline,
    name: str,
    months: Sequence[int] = (),
    *,
    whole: bool = False,
    rule: str = "",
) -> np.ndarray:
    """Number the windows of a rule (time); -1 where it is silent.

    Parameters
    ----------
    whole : leave out windows of which the horizon has only a part, with a warning that names
    `rule`;
        a least volume cannot be asked of a part, while a cap holds in it
    """
    number = timeline.window(name, months or None)
    if not whole or name in ("period", "horizon"):
        return number
    for k in range(int(number.max(initial=-1)) + 1):
        inside = np.flatnonzero(number == k)
        if any(_cut_by_horizon(timeline, name, months, inside)):
            first, last = timeline.starts[inside[0]], timeline.last_days[inside[-1]]
            log.warning(
                "%s: the %s from %s to %s is not whole in the horizon; the rule is silent in it",
                rule,
                name,
                first,
                last,
            )
            number = np.where(number == k, -1, number)
    left = np.unique(number[number >= 0])
    return np.where(number >= 0, np.searchsorted(left, number), -1)


def _cut_by_horizon(
    timeline: Timeline, name: str, months: Sequence[int], inside: np.ndarray
) -> tuple[bool, bool]:
    """Tell whether a window of some periods began before the horizon, and goes on after it."""
    if name in ("period", "horizon"):
        return False, False
    # a period is in the window of its first day, and so would be those around the horizon
    length = 7 if timeline.step == "week" else 1
    before = _month_number(timeline.starts[0] - np.timedelta64(length, "D"))
    after = _month_number(timeline.edges[-1])
    if name == "season":  # a run of the named months, all next to each other
        return (
            inside[0] == 0 and _any_named(range(before, before + 1), months),
            inside[-1] == timeline.periods - 1 and _any_named(range(after, after + 1), months),
        )
    first = last = _month_number(timeline.starts[inside[0]])
    if name == "year":
        first -= (first - (timeline.water_year_start - 1)) % 12
        last = first + 11
    return (
        _any_named(range(first, before + 1), months or range(1, 13)),
        _any_named(range(after, last + 1), months or range(1, 13)),
    )


def _any_named(numbers: range, months: Sequence[int]) -> bool:
    return any(number % 12 + 1 in months for number in numbers)


def _month_number(day: np.datetime64) -> int:
    """Months since 1970-01 of a day."""
    return int(day.astype("datetime64[M]").astype(int))
