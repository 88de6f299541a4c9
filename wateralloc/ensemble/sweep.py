"""A sweep: one case under every combination of some settings, each an ensemble of its own."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import pandas as pd

from wateralloc.case import Case, read_case
from wateralloc.ensemble.run import Ensemble, check_case, solve_all
from wateralloc.errors import CaseError, Fault, Infeasible, InputError, Position
from wateralloc.foresight.perfect import Progress
from wateralloc.results.store import replacing, write_csv

SWEEP, METRICS, QUANTILES = "sweep.csv", "metrics.csv", "quantiles.csv"


@dataclass(frozen=True)
class Sweep:
    """What came of a sweep.

    Attributes
    ----------
    folder : where it stands; each combination has a folder of its own there
    table : a row for each combination: its settings, ``folder``, ``members``, ``solved``
    metrics : ``metrics.csv`` of all combinations, with their settings
    """

    folder: Path
    table: pd.DataFrame = field(repr=False)
    metrics: pd.DataFrame = field(repr=False)


def run_sweep(
    case: str | Path,
    vary: Mapping[str, Sequence[str]],
    out: Path | str | None = None,
    *,
    changes: Mapping[str, str] | None = None,
    workers: int | None = None,
    scheduler: str | None = None,
    block: int | None = None,
    reference: bool = False,
    restart: bool = False,
    progress: Progress | None = None,
) -> Sweep:
    """Solve a case under every combination of settings, for all its members, in parallel.

    It resumes as :func:`run_ensemble` does.  A combination under which no member has a solution is
    told and stops no other.

    Parameters
    ----------
    case : path of a case file, or the name of a case
    vary : values of each setting by its dotted key: ``{"demand.year": ["2030", "2040"]}``
    out : folder; default: ``results/<case>-sweep``
    changes : settings that are the same in all
    workers, scheduler, block, reference, restart, progress : as for :func:`run_ensemble`; progress
        counts the members of all combinations

    Raises
    ------
    InputError
        With the faults of all combinations; nothing is solved then.
    SolveError
        Workers died over a member again and again; all others are kept.
    """
    settings = combine(vary)
    cases = _read(case, settings, changes or {}, reference)
    folder = Path(out) if out is not None else Path("results") / f"{cases[0].name}-sweep"
    names = [name_of(setting) for setting in settings]
    found = solve_all(
        [(of, folder / name) for of, name in zip(cases, names, strict=True)],
        workers,
        scheduler,
        block,
        reference=reference,
        restart=restart,
        progress=progress,
    )
    table = pd.DataFrame(
        [
            {
                **setting,
                "folder": name,
                "members": of.n_members,
                "solved": 0 if isinstance(ensemble, Infeasible) else ensemble.n_solved,
            }
            for setting, name, of, ensemble in zip(settings, names, cases, found, strict=True)
        ]
    )
    sweep = Sweep(folder, table, _together(settings, found, METRICS))
    for file, rows in (
        (SWEEP, table),
        (METRICS, sweep.metrics),
        (QUANTILES, _together(settings, found, QUANTILES)),
    ):
        with replacing(folder / file) as written:
            write_csv(written, rows)
    return sweep


def combine(vary: Mapping[str, Sequence[str]]) -> list[dict[str, str]]:
    """Every combination of the values, the last setting changing first.

    >>> combine({"a": ["1", "2"], "b": ["x", "y"]})[:2]
    [{'a': '1', 'b': 'x'}, {'a': '1', 'b': 'y'}]

    Raises
    ------
    CaseError
        A setting has no value, or one twice; there is no setting.
    """
    at, faults = Position("--vary"), []
    if not vary:
        faults.append(Fault(at, "E366", "nothing is varied; name a setting, as demand.year=2030"))
    for key, values in vary.items():
        if not values or not all(str(value).strip() for value in values):
            faults.append(Fault(at, "E366", f"'{key}' has an empty value; give it, or remove it"))
        twice = sorted({value for value in values if list(values).count(value) > 1})
        if twice:
            faults.append(Fault(at, "E366", f"'{key}' has {twice[0]} twice; name it once"))
    if faults:
        raise CaseError(faults)
    return [dict(zip(vary, values, strict=True)) for values in itertools.product(*vary.values())]


def name_of(setting: Mapping[str, str]) -> str:
    """Name of the folder of a combination.

    >>> name_of({"demand.year": "2030", "hydrology.scale": "{lo: 0.9}"})
    'demand.year=2030,hydrology.scale=%7Blo%3A%200.9%7D'
    """
    return ",".join(f"{quote(key)}={quote(value, safe='')}" for key, value in setting.items())


def _read(
    case: str | Path,
    settings: Sequence[Mapping[str, str]],
    changes: Mapping[str, str],
    reference: bool,
) -> list[Case]:
    """Read the case under each combination; all faults are told together."""
    cases: list[Case] = []
    faults: set[Fault] = set()
    for setting in settings:
        try:
            of_setting = read_case(case, {**changes, **setting})
            check_case(of_setting, reference)
            cases.append(of_setting)
        except InputError as error:
            faults.update(error.faults)
    if faults:
        raise InputError(sorted(faults))
    return cases


def _together(
    settings: Sequence[Mapping[str, str]],
    found: Sequence[Ensemble | Infeasible],
    name: str,
) -> pd.DataFrame:
    """A table of every combination that has a solution, with its settings in front."""
    frames = []
    for setting, ensemble in zip(settings, found, strict=True):
        if isinstance(ensemble, Infeasible):
            continue
        table = pd.read_csv(ensemble.folder / name)
        for place, (key, value) in enumerate(setting.items()):
            table.insert(place, key, value)
        frames.append(table)
    if not frames:
        raise next(error for error in found if isinstance(error, Infeasible))
    return pd.concat(frames, ignore_index=True)
