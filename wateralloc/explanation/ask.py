"""What is asked to be explained: which users, periods and member, of a case or a result."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from wateralloc import job
from wateralloc.case import Case, read_case
from wateralloc.errors import CaseError, Fault, Findings, Position, listed, or_do, suggest
from wateralloc.explanation.causes import NOTHING
from wateralloc.explanation.shortage import Explanation, Target, explain_shortage
from wateralloc.foresight.settled import Settled, settle
from wateralloc.results import Results
from wateralloc.results.record import case_of

FIELDS = ("demand", "region", "province", "sector")
"""What users may be named by."""
_DATE = re.compile(r"\d{4}(-\d\d(-\d\d)?)?")

Progress = Callable[[int, int], None]


def explain(
    source: Case | str | Path,
    *,
    demand: str = "",
    region: str = "",
    province: str = "",
    sector: str = "",
    plant: str = "",
    period: str = "",
    member: str = "",
    worst: int = 0,
    changes: Mapping[str, str] | None = None,
    progress: Progress | None = None,
) -> list[Explanation]:
    """Say why users are short.

    Parameters
    ----------
    source : a case in memory, its path or name, or the folder of a result
    demand, region, province, sector : users, those that meet all that are given; default: all
    plant : in place of users: why it makes less than at its capacity
    period : ``2031-02-21`` (the period of a day), ``2031-02``, ``2031`` or ``FROM..TO``; default:
        the whole horizon
    member : hydrology; default: the one in which these users are shortest
    worst : explain each of the so many users that lack most; 0: all of them together
    changes : settings in place of those of the case, by dotted key
    progress : called with the number of explanations done and in all

    Returns
    -------
    list of Explanation
        None where nobody is short.

    Raises
    ------
    InputError
        What is asked is not in the case, or a result's case cannot be found.
    Infeasible
        The case has no solution; the text says why.
    SolveError

    Examples
    --------
    >>> import wateralloc
    >>> found = wateralloc.explain("pilot_dry_year", province="phu_tho", member="2009-06")
    ... # doctest: +SKIP
    """
    case, results = read(source, changes or {})
    named = {"demand": demand, "region": region, "province": province, "sector": sector}
    users = choose_users(case, named) if not plant else []
    if plant:
        _check_name(Position("--plant"), "plant", plant, case.basin.tables["hydropower"].index)
    places = choose_periods(case, period)
    if results is None and not member and case.n_members > 1:
        results = job.run(case, progress=progress, ranges=False)
    k = choose_member(case, member, users, places, results, plant)
    settled = settle(case.with_members([k]))
    group = tuple((field, name) for field, name in named.items() if name)
    targets = [Target(tuple(users), tuple(places), group)]
    if plant:
        targets = [Target((), tuple(places), plants=(plant,))]
    elif worst:
        lacks = {d: _lack(settled, d, places) for d in users}
        ranked = sorted((d for d in users if lacks[d] > NOTHING), key=lambda d: (-lacks[d], d))
        targets = [Target((d,), tuple(places)) for d in ranked[:worst]]
    found = []
    for number, target in enumerate(targets, 1):
        found.append(explain_shortage(settled, target))
        if progress:
            progress(number, len(targets))
    return found


def _lack(settled: Settled, demand: str, places: Sequence[int]) -> float:
    model = settled.period.model
    asked = settled.horizon.array(model.demand[demand])[0]
    return float((asked - settled.value(model.withdrawal[demand]))[list(places)].sum())


def read(source: Case | str | Path, changes: Mapping[str, str]) -> tuple[Case, Results | None]:
    """The case that is asked about, and its results where they are given."""
    if isinstance(source, Case):
        return source, None
    if Path(source).is_dir():
        results = Results.read(source)
        return case_of(results, Path(source), changes), results
    return read_case(source, changes), None


def choose_users(case: Case, named: Mapping[str, str]) -> list[str]:
    """Demands that meet all that is named, in table order.

    Raises
    ------
    CaseError
        A name is not in the basin, or no demand meets them together.
    """
    basin, findings = case.basin, Findings()
    table = basin.tables["demands"]
    known = {
        "demand": list(table.index),
        "region": list(basin.regions),
        "province": list(basin.provinces),
        "sector": list(basin.sectors),
    }
    keep = np.ones(len(table), bool)
    for field, name in named.items():
        if not name:
            continue
        try:
            _check_name(Position(f"--{field}"), field, name, known[field])
        except CaseError as error:
            findings.faults += [(fault, CaseError) for fault in error.faults]
            continue
        keep &= (table.index if field == "demand" else table[field]).to_numpy() == name
    findings.raise_if_any()
    users = [str(d) for d in table.index[keep]]
    if not users:
        words = listed(f"{field} '{name}'" for field, name in named.items() if name)
        text = f"no demand is of {words} together; name fewer"
        raise CaseError([Fault(Position("explain"), "E380", text)])
    return users


def choose_periods(case: Case, text: str) -> list[int]:
    """Places of the periods that a text names; of months and spans those that start in them."""
    timeline = case.timeline
    if not text:
        return list(range(timeline.periods))
    at = Position(f"--period {text}")
    first, dots, last = (word.strip() for word in text.partition(".."))
    ends = [first, last] if dots else [first, first]
    try:
        if not all(_DATE.fullmatch(word) for word in ends):
            raise ValueError
        start, stop = np.datetime64(ends[0]), np.datetime64(ends[1])
    except ValueError:
        what = f"'{text}' is no date; write 2031-02-21, 2031-02, 2031 or FROM..TO"
        raise CaseError([Fault(at, "E380", what)]) from None
    begin = start.astype("datetime64[D]")
    end = (stop + 1).astype("datetime64[D]")  # the day after the day, month or year
    inside = np.flatnonzero((timeline.last_days >= begin) & (timeline.starts < end))
    if len(ends[0]) < len("2031-02-21") or dots:  # of months and spans the periods that start there
        starts = np.flatnonzero((timeline.starts >= begin) & (timeline.starts < end))
        inside = starts if starts.size else inside
    if not inside.size:
        what = (
            f"{text} is not within the horizon, {timeline.starts[0]} to {timeline.last_days[-1]}; "
            "name a day, month or span of it"
        )
        raise CaseError([Fault(at, "E380", what)])
    return [int(t) for t in inside]


def choose_member(
    case: Case,
    name: str,
    users: Sequence[str],
    places: Sequence[int],
    results: Results | None,
    plant: str = "",
) -> int:
    """Place of the member that is named; without a name, of that which is worst for them."""
    names = [member.name for member in case.members]
    if name:
        check_member(case, name)
        return names.index(name)
    if results is None or len(names) == 1:
        return 0
    if plant:
        lost = -results.dataset["energy"].sel(plant=[plant]).isel(time=list(places))
        by_member = lost.sum(["time", "plant"]).to_series()
    else:
        deficit = results.dataset["deficit"].sel(demand=list(users)).isel(time=list(places))
        by_member = deficit.sum(["time", "demand"]).to_series()
    return names.index(str(by_member[[n for n in names if n in by_member.index]].idxmax()))


def check_member(case: Case, name: str) -> None:
    """Check that the case has a member of a name.

    Raises
    ------
    CaseError
        It has not.
    """
    _check_name(Position("--member"), "member", name, [m.name for m in case.members])


def _check_name(at: Position, what: str, name: str, known: Iterable[str]) -> None:
    choices = [str(word) for word in known]
    if name not in choices:
        near = or_do(suggest(name, choices), f"known: {listed(choices, 30) or 'none'}")
        raise CaseError([Fault(at, "E380", f"no {what} is called '{name}'{near}")])
