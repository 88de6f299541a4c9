"""The value of foresight: one case under several ways of looking ahead, side by side.

Every way decides for the same members, and what it decided is valued over the whole horizon by one
measure.  The regret of a way is by how much a goal is worse than what perfect foresight could have
done in its place: under the same rules, and with at least as much left in store at the end.  Goals
come in an order: a way that does worse in an early goal may do better in a later one.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from wateralloc.case import Case
from wateralloc.case.foresight import Foresight, read_foresight
from wateralloc.comparison import Comparison, compare
from wateralloc.comparison.figures import Figure, figures_of
from wateralloc.errors import (
    Fault,
    InputError,
    Position,
    SolveError,
    listed,
    or_do,
    suggest,
)
from wateralloc.foresight import solve
from wateralloc.foresight.forecast import FORECASTS, forecast_skill
from wateralloc.foresight.outcome import Missed, Outcome, missed, outcomes
from wateralloc.foresight.perfect import Solution
from wateralloc.results import Results, collect
from wateralloc.rules import Soft

log = logging.getLogger(__name__)

PERFECT = "perfect"
WINDOWS = (6, 18)
KNOWN = (*FORECASTS, "perfect")
"""Names of forecasts; ``file`` where the case has one."""
NOTHING = 1e-6
"""Differences up to this share of 1 + the value are those of the solver's tolerances."""
TITLES = {
    "en": {
        "simulate": "each period by itself",
        "rolling": "{window} periods in sight, forecast: {forecast}",
        "two_stage": "some decisions before the hydrology is known",
        "perfect": "all that comes is known; its end as the case asks",
        "known": "perfect",
        "climatology": "climatology",
        "persistence": "persistence",
        "conditional": "conditional on the last flow",
        "file": "from a file",
    },
    "vi": {
        "simulate": "từng thời đoạn một",
        "rolling": "thấy trước {window} thời đoạn, dự báo: {forecast}",
        "two_stage": "một phần quyết định trước khi biết thủy văn",
        "perfect": "biết trước tất cả; cuối kỳ theo yêu cầu",
        "known": "biết trước",
        "climatology": "trung bình nhiều năm",
        "persistence": "quán tính",
        "conditional": "theo dòng chảy vừa qua",
        "file": "từ tệp",
    },
}
MEASURES = ("deficit", "satisfaction", "worst_province_satisfaction", "energy", "value")
"""Figures of which it is said what of them is owed to foresight."""


@dataclass(frozen=True)
class ValueOfForesight:
    """What the ways of looking ahead came to.

    Attributes
    ----------
    members : hydrologies, the same for all ways
    ways : DataFrame
        By way: `title_en`, `title_vi`, `knows` (``all``, ``some`` or ``nothing`` of what comes),
        `fault` (why there is no result; "" where there is one).
    goals : DataFrame
        One row a way and goal: `place`, `goal`, `sense`, `unit`, `mean` and `worst` value with
        `worst_member`; `regret`, by how much the mean is worse than under perfect foresight that
        leaves as much in store, `most_regret` of a member, and `most_regret_member`.
    by_member : DataFrame
        The same of each member: `value` and `regret`.
    rules : DataFrame
        One row a way and rule: `missed` in all, mean over members, in `unit`; `broken`, the share
        of its periods or windows in which it is broken; `members` in which it is.
    figures : DataFrame
        As :class:`~wateralloc.comparison.Comparison` has them, with the storage left at the end.
    trust : DataFrame
        One row a figure: of the way whose value is nearest to that of perfect foresight in its
        place, among those that do not know what comes, `way`, its `value`, `perfect`, and `owed`,
        the difference: at least so much of a perfect result is owed to knowing the future; and
        `most`, the same of the way that is farthest from it.
    skill : DataFrame
        Of :func:`~wateralloc.foresight.forecast.forecast_skill`, for the longest window.
    comparison : ways as policies
    """

    members: tuple[str, ...]
    ways: pd.DataFrame
    goals: pd.DataFrame = field(repr=False)
    by_member: pd.DataFrame = field(repr=False)
    rules: pd.DataFrame = field(repr=False)
    figures: pd.DataFrame = field(repr=False)
    trust: pd.DataFrame = field(repr=False)
    skill: pd.DataFrame = field(repr=False)
    comparison: Comparison = field(repr=False)


@dataclass(frozen=True)
class _Ran:
    """What came of a way."""

    results: Results
    outcomes: list[Outcome]
    missed: list[Missed]
    best: list[Outcome]
    """Outcomes of perfect foresight in its place."""
    best_figures: list[Figure]


def value_of_foresight(
    case: Case,
    *,
    windows: Sequence[int] = WINDOWS,
    forecasts: Sequence[str] = tuple(FORECASTS),
    stride: int = 1,
    decide: Sequence[str] = (),
    folder: Path | None = None,
    jobs: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> ValueOfForesight:
    """Run a case under several ways of looking ahead and set them side by side.

    Ways that go forward miss hard rules by as little as can be where they cannot keep them, unless
    the case's own foresight says that they stop.

    Parameters
    ----------
    windows : periods in sight of the rolling ways
    forecasts : of the rolling ways: climatology, persistence, conditional, perfect; file, where the
        foresight of the case names one
    stride : periods that are known and kept
    decide : quantities whose every item is decided in all periods before the hydrology is known,
        for two_stage; it runs too where it is the case's own foresight
    folder : each way's result is written there, in a folder by its name; None: none is
    jobs : processes that run ways side by side
    progress : called with the number of ways done and their number

    Raises
    ------
    InputError
        A window or forecast is unknown.
    Infeasible, SolveError
        The perfect way has no result.  Of another way the reason stands in `ways`.

    Source
    ------
    Regret: Savage (1951), The theory of statistical decision, Journal of the American Statistical
    Association 46, 55-67.  What perfect foresight overstates: Draper et al. (2003), Journal of
    Water Resources Planning and Management 129, 155-164; Zhao, Cai & Yang (2011), Water Resources
    Research 47, W01540 (forecast uncertainty in real-time operation).
    """
    _check(case, windows, forecasts)
    ways = ways_of(case, windows, forecasts, stride, decide)
    ran: dict[str, _Ran] = {}
    faults = dict.fromkeys(ways, "")
    for done, (name, came) in enumerate(_run_all(ways, case, jobs), 1):
        if isinstance(came, _Ran):
            ran[name] = came
            if folder is not None:
                came.results.write(folder / name)
        elif name == PERFECT:
            raise came
        else:
            log.warning("%s has no result: %s", name, str(came).splitlines()[0])
            faults[name] = str(came)
        if progress:
            progress(done, len(ways))
    ran = {name: ran[name] for name in ways if name in ran}
    comparison = compare([one.results for one in ran.values()], reference=PERFECT)
    by_member = _by_member(ran, comparison.members)
    figures = pd.concat([comparison.figures, _end_storage(ran, comparison.members)])
    return ValueOfForesight(
        comparison.members,
        _ways(ways, faults),
        _goals(by_member),
        by_member,
        _rules(ran),
        figures.reset_index(drop=True),
        _trust(ran, figures, [w for w in ran if not _knows(ways[w].foresight)]),
        _skill(case, max(windows, default=1), forecasts),
        comparison,
    )


# --- ways ---------------------------------------------------------------------------------------


def ways_of(
    case: Case,
    windows: Sequence[int] = WINDOWS,
    forecasts: Sequence[str] = tuple(FORECASTS),
    stride: int = 1,
    decide: Sequence[str] = (),
) -> dict[str, Case]:
    """The case under each way of looking ahead, the perfect one last."""
    own = case.foresight
    way_on = own.simulate or own.rolling
    rules: dict[str, Any] = {"hard_rules": way_on.hard_rules if way_on else "miss"}
    ways: dict[str, Any] = {"simulate": {"simulate": rules}}
    for window in dict.fromkeys(min(window, case.n_periods) for window in windows):
        for forecast in forecasts:
            keys: dict[str, Any] = {"window": window, "stride": min(stride, window), **rules}
            if forecast == "file":
                keys["file"] = own.rolling.file if own.rolling else None
            else:
                keys["forecast"] = forecast
            ways[f"rolling_{window}_{forecast}"] = {"rolling": keys}
    if own.mode == "two_stage" and own.two_stage is not None:
        ways["two_stage"] = {"two_stage": own.two_stage.model_dump(mode="json")}
    elif decide:
        ways["two_stage"] = {"two_stage": {"decisions": dict.fromkeys(decide, "all")}}
    ways[PERFECT] = PERFECT
    return {name: _under(case, name, way) for name, way in ways.items()}


def _under(case: Case, name: str, way: Any) -> Case:
    foresight = Foresight.model_validate(read_foresight(way))
    title = {}
    for lang, words in TITLES.items():
        rolling = foresight.rolling
        forecast = "file" if rolling and rolling.file else rolling.forecast if rolling else ""
        word = words["known"] if forecast == "perfect" else words.get(forecast, "")
        window = rolling.window if rolling else 0
        title[lang] = words[foresight.mode].format(window=window, forecast=word)
    return replace(
        case,
        name=name,
        title=title,
        foresight=foresight,
        resolved={**case.resolved, "foresight": way},
    )


def _check(case: Case, windows: Sequence[int], forecasts: Sequence[str]) -> None:
    known = [*KNOWN, *(["file"] if case.issued is not None else [])]
    faults = [
        Fault(Position("--windows"), "E303", f"window is {window}; must be 1 period or more")
        for window in windows
        if window < 1
    ]
    faults += [
        Fault(
            Position("--forecasts"),
            "E303",
            f"unknown forecast '{name}'"
            + or_do(suggest(name, known), f"forecasts are {listed(known)}"),
        )
        for name in forecasts
        if name not in known
    ]
    if faults:
        raise InputError(faults)


def _knows(foresight: Foresight) -> str:
    """What of the future a way knows: all, some, or nothing ("")."""
    if foresight.mode == "simulate":
        return ""
    if foresight.mode == "two_stage":
        return "some"
    if foresight.mode == "rolling":
        return "some" if foresight.knows_what_comes else ""
    return "all"


def _run_all(
    ways: Mapping[str, Case], case: Case, jobs: int
) -> Iterator[tuple[str, _Ran | SolveError | InputError]]:
    """Yield what came of each way as it is done: its result, or why there is none."""
    if jobs == 1:
        yield from ((name, _run(way, case)) for name, way in ways.items())
        return
    # a new process each: threads of this one do not outlive a fork
    with ProcessPoolExecutor(min(jobs, len(ways)), get_context("spawn")) as pool:
        futures = {pool.submit(_run, way, case): name for name, way in ways.items()}
        try:
            for future in as_completed(futures):
                yield futures[future], future.result()
        except BrokenProcessPool:
            text = "E404 a process that ran a way was ended from outside; use fewer jobs"
            raise SolveError(text) from None
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _run(way: Case, case: Case) -> _Ran | SolveError | InputError:
    """Solve a way, and then what could have been done in its place by one who knows all."""
    try:
        solution = solve(way)
        best = solution if way.name == PERFECT else solve(_in_its_place(way, solution))
    except (SolveError, InputError) as error:
        return error
    return _Ran(
        collect(solution, solution.seconds),
        outcomes(solution, case.rules),
        missed(solution, case.rules),
        outcomes(best, case.rules),
        figures_of(collect(best).dataset, (), ()),
    )


def _in_its_place(way: Case, solution: Solution) -> Case:
    """Perfect foresight on the terms of a way.

    It leaves at the end, in every reservoir and aquifer, at least what the way left; where the way
    may miss hard rules, so may it, by as little as can be and before all goals.
    """
    m = solution.period.model
    ends = {
        **{r: m.storage_end[r] for r in m.reservoir},
        **{a: m.aquifer_end[a] for a in m.aquifer},
    }
    left = {name: solution.value(end)[:, -1] * (1.0 - NOTHING) for name, end in ends.items()}
    rules = way.rules
    if way.foresight.misses_hard_rules:
        first = Soft(goal=1)
        rules = tuple(r if r.soft else r.model_copy(update={"soft": first}) for r in rules)
    return replace(way, foresight=Foresight(), rules=rules, left_at_end=left)


# --- tables -------------------------------------------------------------------------------------


def _ways(ways: Mapping[str, Case], faults: Mapping[str, str]) -> pd.DataFrame:
    rows = [
        (way.title["en"], way.title["vi"], _knows(way.foresight) or "nothing", faults[name])
        for name, way in ways.items()
    ]
    index = pd.Index(list(ways), name="way")
    return pd.DataFrame(rows, index=index, columns=["title_en", "title_vi", "knows", "fault"])


def _by_member(ran: Mapping[str, _Ran], members: Sequence[str]) -> pd.DataFrame:
    rows = []
    for way, one in ran.items():
        for own, best in zip(one.outcomes, one.best, strict=True):
            sign = 1.0 if own.sense == "minimise" else -1.0
            regret = _beyond_tolerance(sign * (own.values - best.values), best.values)
            for k, member in enumerate(members):
                rows.append(
                    (
                        way, member, own.place, own.name, own.sense, own.unit,
                        float(own.values[k]), float(regret[k]),
                    )
                )  # fmt: skip
    columns = ["way", "member", "place", "goal", "sense", "unit", "value", "regret"]
    return pd.DataFrame(rows, columns=columns)


def _beyond_tolerance(difference: Any, value: Any) -> np.ndarray:
    """A difference to a value; 0 where it is within the tolerances of the solver."""
    return np.where(np.abs(difference) <= NOTHING * (1.0 + np.abs(value)), 0.0, difference)


def _goals(by_member: pd.DataFrame) -> pd.DataFrame:
    rows = []
    keys = ["way", "place", "goal", "sense", "unit"]
    for key, of in by_member.groupby(keys, sort=False):
        value, regret = of["value"].to_numpy(), of["regret"].to_numpy()
        members = of["member"].to_numpy()
        worst = int(np.argmax(value if key[3] == "minimise" else -value))
        most = int(np.argmax(regret))
        rows.append(
            (
                *key, value.mean(), value[worst], members[worst], regret.mean(), regret[most],
                members[most] if regret[most] > 0 else "",
            )
        )  # fmt: skip
    columns = [
        *keys, "mean", "worst", "worst_member", "regret", "most_regret", "most_regret_member",
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=columns)


def _rules(ran: Mapping[str, _Ran]) -> pd.DataFrame:
    rows = [
        (
            way, of.rule, of.kind, of.is_soft, of.unit, float(of.volume.mean()),
            float(of.broken.mean() / of.windows) if of.windows else 0.0,
            int((of.broken > 0).sum()),
        )
        for way, one in ran.items()
        for of in one.missed
    ]  # fmt: skip
    columns = ["way", "rule", "kind", "is_soft", "unit", "missed", "broken", "members"]
    return pd.DataFrame(rows, columns=columns)


def _end_storage(ran: Mapping[str, _Ran], members: Sequence[str]) -> pd.DataFrame:
    """Storage of all reservoirs, and of each, at the end of the horizon: as figures."""
    found = {way: _ending(one.results) for way, one in ran.items()}
    base = found[PERFECT]
    rows = []
    for way, of_name in found.items():
        for name, ending in of_name.items():
            least = int(np.argmin(ending))
            scope = "basin" if name == "all" else "reservoir"
            rows.append(
                (
                    way, "storage_at_end", scope, name, "hm3", ending.mean(), "", ending[least],
                    members[least], "", ending.mean() - base[name].mean(),
                )
            )  # fmt: skip
    columns = [
        "policy", "measure", "scope", "name", "unit", "mean", "mean_of", "worst", "worst_member",
        "worst_of", "change",
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=columns)


def _ending(results: Results) -> dict[str, np.ndarray]:
    """Storage at the end of the horizon (member), of ``all`` reservoirs and of each by name."""
    of = results.dataset["storage_end"].isel(time=-1).transpose("member", "reservoir")
    by_name = {str(r): of.values[:, i] for i, r in enumerate(of["reservoir"].values)}
    return {"all": of.values.sum(axis=1), **by_name} if by_name else {}


def _trust(ran: Mapping[str, _Ran], figures: pd.DataFrame, blind: Sequence[str]) -> pd.DataFrame:
    """What of the figures of perfect foresight no way reaches that does not know what comes.

    Parameters
    ----------
    blind : ways that do not know it
    """
    keys = ["policy", "measure", "scope", "name"]
    mean = figures.set_index(keys)["mean"].to_dict()
    # what nothing has a value of stands among the figures of neither
    found: dict[tuple[str, ...], list[tuple[str, float, float]]] = {}
    for way in blind:
        for f in ran[way].best_figures:
            is_shown = f.measure in MEASURES and f.scope in ("basin", "region", "sector")
            own = mean.get((way, f.measure, f.scope, f.name))
            if is_shown and own is not None:
                figure = (f.measure, f.scope, f.name, f.unit)
                found.setdefault(figure, []).append((way, float(own), f.mean))
    rows = []
    for key, of in found.items():
        values, perfect = np.array([v for _, v, _ in of]), np.array([p for _, _, p in of])
        owed = _beyond_tolerance(perfect - values, perfect)
        near, far = int(np.argmin(np.abs(owed))), int(np.argmax(np.abs(owed)))
        rows.append(
            (
                *key, of[near][0], float(values[near]), float(perfect[near]),
                float(owed[near]), float(owed[far]),
            )
        )  # fmt: skip
    columns = ["measure", "scope", "name", "unit", "way", "value", "perfect", "owed", "most"]
    return pd.DataFrame(rows, columns=columns)


def _skill(case: Case, window: int, forecasts: Sequence[str]) -> pd.DataFrame:
    """Skill of the forecasts that learn from the record; none where it has too few years."""
    tried = [name for name in forecasts if name in FORECASTS]
    try:
        return forecast_skill(case, tried, window)
    except InputError:
        # the ways that need them have said so
        return forecast_skill(case, (), 1)
