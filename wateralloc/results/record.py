"""The case behind a result, and whether it gives the same numbers again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, overload

import numpy as np
import xarray as xr

from wateralloc.case import Case, bundled_cases, bundled_folder, read_case
from wateralloc.errors import Fault, InputError, Position, listed, shown
from wateralloc.foresight import solve
from wateralloc.foresight.perfect import Progress, Solution, make_reference
from wateralloc.foresight.reference import Reference
from wateralloc.results.dataset import collect
from wateralloc.results.equality import EQUAL, Difference, compare
from wateralloc.results.manifest import hash_file, identify, input_files, portable
from wateralloc.results.measures import metric_table
from wateralloc.results.soundness import Contradiction, check_alone
from wateralloc.results.store import DATASET, MANIFEST, Results

ENSEMBLE = "ensemble.json"
"""What an ensemble keeps beside its manifest: how it was begun."""
CANDIDATES = 10
"""Members, the first by name, of which the first with a solution is an ensemble's reference."""
SAMPLE = 3
"""Members of an ensemble that are solved again."""
NEAR = 1e-6
"""The same where versions, options or code are others."""
DIGITS = 12
"""Of a hash that is named in a message."""
_OF_SOLVER = (
    "pass_iterations", "stage_cold_again", "stage_dual", "stage_gap", "stage_iterations",
    "stage_primal",
)  # fmt: skip
"""Variables that tell how the solver worked: of other versions they may be others."""

# --- the case -----------------------------------------------------------------------------------


@overload
def case_of(
    results: Results,
    folder: Path,
    changes: Mapping[str, str] | None = ...,
    *,
    path: Path | str | None = ...,
    strict: Literal[True] = ...,
) -> Case: ...


@overload
def case_of(
    results: Results,
    folder: Path,
    changes: Mapping[str, str] | None = ...,
    *,
    path: Path | str | None = ...,
    strict: Literal[False],
) -> tuple[Case, list[Fault]]: ...


def case_of(
    results: Results,
    folder: Path,
    changes: Mapping[str, str] | None = None,
    *,
    path: Path | str | None = None,
    strict: bool = True,
) -> Case | tuple[Case, list[Fault]]:
    """Read the case of a result again, with the settings it was run with.

    The case file is looked for by the path it had from the working directory, in ``cases/`` and by
    its bare name: here, in each folder above the result, and among the cases of the package.  A
    file that is still the same goes before others of its name.

    Parameters
    ----------
    folder : of the result
    changes : settings that come on top of those of the result, by dotted key
    path : the case file, where it cannot be found
    strict : refuse a case whose inputs are not those of the result

    Returns
    -------
    Case
        With the members of the result; with those of the case where `changes` bring others.
    list of Fault
        What is missing or different; only with ``strict=False``.

    Raises
    ------
    InputError
        All that is missing or different; or the case cannot be read.
    """
    folder = Path(folder)
    record = record_of(results, folder)
    place = _find_case(record, folder, path)
    case: Case | None = None
    unread: tuple[Fault, ...] = ()
    try:
        if place.is_file():
            case = read_case(place, {**_settings(record), **(changes or {})})
    except InputError as error:
        unread = error.faults
    faults = _input_faults(record, folder, place, case)
    if case is None:
        raise InputError(sorted(faults) or unread)
    names = [str(name) for name in results.dataset["member"].values]
    if not changes:
        faults = faults or _setting_faults(record, case, place)
        faults += _member_faults(case, names, place)
    if strict and faults:
        raise InputError(sorted(faults))
    case = _restrict(case, names)
    return case if strict else (case, sorted(faults))


def record_of(results: Results, folder: Path) -> dict[str, Any]:
    """What a result says of how it came about; an ensemble keeps some of it in a file of its own.

    Raises
    ------
    InputError
        It was made of a case in memory, or by a version that did not keep it.
    """
    record = dict(results.manifest)
    begun = Path(folder) / ENSEMBLE
    if "source" not in record and begun.is_file():
        identity = json.loads(begun.read_text(encoding="utf-8"))["identity"]
        kept = ("source", "changes", "seed", "start")
        record |= {key: identity[key] for key in kept if key in identity}
    if "source" not in record:
        text = "was made by a version that did not keep where its case is; run the case again"
        _refuse(folder, text)
    if record["source"]["case"] is None:
        _refuse(folder, "was made of a case in memory, which has no file; run it again there")
    return record


def _refuse(folder: Path, text: str) -> None:
    raise InputError([Fault(Position(shown(folder)), "E384", text)])


def _find_case(record: Mapping[str, Any], folder: Path, path: Path | str | None) -> Path:
    """Place of the case file; where it is not there, the place where it should be."""
    if path is not None:
        return Path(path)
    stored = Path(record["source"]["case"])
    tails = dict.fromkeys((stored, Path("cases", stored.name), Path(stored.name)))
    above = [Path.cwd(), *Path(folder).resolve().parents]
    tried = [base / tail for base in above for tail in tails]
    shipped = bundled_cases().get(record["source"]["shipped"] or "")
    tried += [shipped] if shipped else []
    return _find_file(tried, record["inputs"].get(stored.name, ""))


def _settings(record: Mapping[str, Any]) -> dict[str, str]:
    """Settings the case was run with, also the foresight that a comparison gave it in memory."""
    settings = dict(record["changes"])
    foresight = json.dumps(record["resolved"].get("foresight"))
    if foresight == "null" or '"file"' in foresight:  # a file is named from the folder of the case
        return settings
    others = {key: value for key, value in settings.items() if key.split(".")[0] != "foresight"}
    return {**others, "foresight": foresight}


def _input_faults(
    record: Mapping[str, Any], folder: Path, place: Path, case: Case | None
) -> list[Fault]:
    """Inputs that are missing, different or new; a basin that is missing is one fault."""
    stored: dict[str, str] = record["inputs"]
    own, again = Path(record["source"]["case"]).name, "or run the case again"
    files = input_files(case) if case is not None else {}
    now = {own if path == place.resolve() else name: path for name, path in files.items()}
    home = place.resolve().parent
    above = [home, *home.parents, *folder.resolve().parents]
    basin, prefix = _find_basin(record, above), f"{record['basin']}/"
    faults = []
    if case is None and not basin.is_dir():
        lost = [name for name in stored if name.startswith(prefix)]
        text = f"is missing: it held {len(lost)} inputs of the basin; put it back, {again}"
        faults.append(Fault(Position(shown(basin)), "E382", text))
        stored = {name: digest for name, digest in stored.items() if name not in lost}
    for name, digest in stored.items():
        if name == own:
            path = place
        elif name in now:
            path = now[name]
        elif name.startswith(prefix):
            path = basin / name.removeprefix(prefix)
        else:
            path = _find_file([base / name for base in above], digest)
        at = Position(shown(path))
        if not path.is_file():
            text = f"is missing: it was sha-256 {digest[:DIGITS]}…; put it back, {again}"
            faults.append(Fault(at, "E382", text))
        elif (found := hash_file(path)) != digest:
            text = (
                f"is not as it was: sha-256 is {found[:DIGITS]}…, was {digest[:DIGITS]}…; "
                f"put the former back, {again}"
            )
            faults.append(Fault(at, "E383", text))
    for name, path in now.items():
        if name not in stored:
            text = f"is new: the result was made without it; take it away, {again}"
            faults.append(Fault(Position(shown(path)), "E383", text))
    return faults


def _find_basin(record: Mapping[str, Any], above: Sequence[Path]) -> Path:
    """Folder of the basin, or of its one file; where it is not there, where it should be."""
    of_case = str(record["resolved"].get("basin", record["basin"]))
    folders = [base / of_case for base in (*above, bundled_folder() / "basins")]
    found = next((path for path in folders if path.exists()), folders[0]).resolve()
    return found.parent if found.is_file() else found


def _find_file(tried: Sequence[Path], digest: str) -> Path:
    """The file that is the same, else one of its name, else the place where it should be."""
    found = [path for path in tried if path.is_file()]
    same = [path for path in found if hash_file(path) == digest]
    likely = [path for path in tried if path.parent.is_dir()]
    return [*same, *found, *likely, *tried][0]


def _setting_faults(record: Mapping[str, Any], case: Case, place: Path) -> list[Fault]:
    """Keys of the case that differ although its files and settings do not."""
    now = json.loads(json.dumps(portable(case.resolved)))
    stored = record["resolved"]
    odd = sorted(key for key in now.keys() | stored.keys() if now.get(key) != stored.get(key))
    if not odd:
        return []
    text = (
        f"{listed(odd)} of the case is not as in the result though its file is the same: it was "
        "changed in memory, or set from another folder; run the case again"
    )
    return [Fault(Position(shown(place)), "E383", text)]


def _member_faults(case: Case, names: Sequence[str], place: Path) -> list[Fault]:
    known = {member.name for member in case.members}
    missing = [name for name in names if name not in known]
    if not missing:
        return []
    text = f"the case has no member {listed(missing, 6)}, as the result has; run the case again"
    return [Fault(Position(shown(place)), "E384", text)]


def _restrict(case: Case, names: Sequence[str]) -> Case:
    """The case with the members of a result, in their order, where it has them all."""
    known = [member.name for member in case.members]
    if known == list(names) or not set(names) <= set(known):
        return case
    return case.with_members([known.index(name) for name in names])


# --- the same numbers again ---------------------------------------------------------------------


@dataclass(frozen=True)
class Verification:
    """Whether a result holds: by itself, and when its case is solved again.

    Attributes
    ----------
    case : its name
    members : those that were solved again, of `n_members` in the result
    tolerance : relative difference up to which numbers count as equal
    changed : versions, options and code that are others now: ``highspy 1.10.0 -> 1.11.0``
    certificate : worst figures of all programs of the result: primal, dual, gap
    residual : largest residual of the balance of a node, from its amounts [hm3]
    contradictions : found in the result alone
    n_variables, n_values : how many were compared
    largest : the largest difference; None where all is the same to the last bit
    differences : of each variable the largest, where it is above the tolerance
    """

    folder: Path
    case: str
    members: tuple[str, ...]
    n_members: int
    tolerance: float
    changed: tuple[str, ...]
    certificate: dict[str, float]
    residual: float
    contradictions: tuple[Contradiction, ...]
    n_variables: int
    n_values: int
    largest: Difference | None
    differences: tuple[Difference, ...] = field(repr=False)

    @property
    def is_equal(self) -> bool:
        return not self.differences and not self.contradictions


def verify(
    folder: Path | str,
    *,
    case: Path | str | None = None,
    members: int | None = None,
    tolerance: float | None = None,
    progress: Progress | None = None,
) -> Verification:
    """Check a result by itself, solve its case again and compare every variable by its labels.

    Certificate and water balance are checked first, from what is stored.  Deliveries that differ
    within optima of the same value are differences here.

    Parameters
    ----------
    case : the case file, where it cannot be found
    members : how many are solved again, chosen by the hash of their names; default: 3 of an
        ensemble, all of another result.  Members that were solved in one program (two_stage) are
        always solved together.
    tolerance : relative difference up to which numbers are equal, absolute below 1; default: 1e-9,
        and 1e-6 where versions, options or code are others now
    progress : called with the number of members done and the number in all

    Raises
    ------
    InputError
        The folder is no result; inputs are missing or different: all are named.
    Infeasible, SolveError
        The case has no solution now.

    Examples
    --------
    >>> from wateralloc.results.record import verify
    >>> verify("results/pilot_sharing").is_equal  # doctest: +SKIP
    True
    """
    folder = Path(folder)
    with _opened(folder) as results:
        worst, residual, contradictions = check_alone(results)
        again = case_of(results, folder, path=case)
        record = record_of(results, folder)
        changed = _changed(record, again)
        if tolerance is None:
            tolerance = NEAR if changed else EQUAL
        names = [member.name for member in again.members]
        if members is None and "ensemble" in results.manifest:
            members = SAMPLE
        sample = names if again.foresight.mode == "two_stage" else sample_of(names, members)
        chosen = again.with_members([names.index(name) for name in sample])
        stored = _of_members(results.dataset, sample)
        reference, has_ranges = _reference(record, again), "withdrawal_least" in stored
        solved = collect(_solve(chosen, record, reference, has_ranges, progress)).dataset
        if "metric_value" in stored:
            solved = solved.assign(_metric_variables(solved))
        skipped = _OF_SOLVER if changed else ()
        found = list(compare(stored, solved, skipped))
    sizes = [difference for difference, _ in found if difference.size > 0]
    return Verification(
        folder=folder,
        case=str(record["case"]),
        members=tuple(sample),
        n_members=len(names),
        tolerance=tolerance,
        changed=changed,
        certificate=worst,
        residual=residual,
        contradictions=tuple(contradictions),
        n_variables=len(found),
        n_values=sum(n_values for _, n_values in found),
        largest=max(sizes, key=lambda difference: difference.size, default=None),
        differences=tuple(difference for difference in sizes if difference.size > tolerance),
    )


@contextmanager
def _opened(folder: Path) -> Iterator[Results]:
    """Results in a folder; of an ensemble only what is asked for is read."""
    if not (folder / ENSEMBLE).is_file():
        yield Results.read(folder)
        return
    if not (folder / MANIFEST).is_file() or not (folder / DATASET).is_file():
        _refuse(folder, "is an ensemble that is not done; run it again, and it goes on")
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        dataset = xr.open_dataset(folder / DATASET, engine="netcdf4", cache=False)
    except (OSError, ValueError) as error:
        text = f"cannot be read ({error}); run the case again"
        raise InputError([Fault(Position(shown(folder)), "E108", text)]) from None
    with dataset:
        yield Results(dataset, manifest)


def sample_of(names: Sequence[str], n_members: int | None) -> list[str]:
    """Members chosen by the hash of their names, in their own order; all where no number is given.

    >>> sample_of(["2001-06", "2002-06", "2003-06"], 2)
    ['2001-06', '2002-06']
    """
    by_hash = sorted(names, key=lambda name: hashlib.sha256(name.encode()).hexdigest())
    chosen = set(by_hash[:n_members])
    return [name for name in names if name in chosen]


def _changed(record: Mapping[str, Any], case: Case) -> tuple[str, ...]:
    """Versions, options and code that are not those of the result."""
    now = json.loads(json.dumps(identify(case)))
    found = []
    for of, stored, current in (
        ("", record["versions"], now["versions"]),
        ("HiGHS ", record["solver"]["options"], now["solver"]["options"]),
    ):
        for name in sorted(stored.keys() | current.keys()):
            former, new = stored.get(name, "-"), current.get(name, "-")
            if former != new:
                found.append(f"{of}{name} {former} -> {new}")
    if record["code"] != now["code"]:
        codes = (digest[:DIGITS] for digest in (record["code"], now["code"]))
        found.append("code {}… -> {}…".format(*codes))
    return tuple(found)


def _solve(
    case: Case,
    record: Mapping[str, Any],
    reference: Reference | None,
    keep_faces: bool,
    progress: Progress | None,
) -> Solution:
    """Solve a case as it was: where limits gave way, they do so again."""
    if record.get("mended"):
        from wateralloc.foresight.conflict.mend import solve_mended

        return solve_mended(case, progress, keep_faces)
    return solve(case, progress, reference, keep_faces)


def _reference(record: Mapping[str, Any], case: Case) -> Reference | None:
    """What members of an ensemble started from; None where they started cold."""
    if record.get("start") != "reference":
        return None
    names = [member.name for member in case.members]
    failed = [of["member"] for of in record["ensemble"]["failed"]]
    first = [name for name in sorted([*names, *failed])[:CANDIDATES] if name in names]
    return make_reference(case.with_members([names.index(n) for n in first])) if first else None


def _of_members(dataset: xr.Dataset, names: Sequence[str]) -> xr.Dataset:
    """What a dataset has of some members, also of the rows (stages, passes) that each has."""
    rows = {}
    for dim in dataset.dims:
        key = str(dim) if dim == "member" else f"{dim}_member"
        if key in dataset.variables:
            rows[dim] = np.flatnonzero(np.isin(dataset[key].values.astype(str), list(names)))
    return dataset.isel(rows)


def _metric_variables(dataset: xr.Dataset) -> dict[str, Any]:
    """Metrics as an ensemble keeps them beside its results: (member, metric)."""
    table = metric_table(dataset)
    n_members = dataset.sizes["member"]
    found: dict[str, Any] = {
        f"metric_{column}": ("metric", table[column].to_numpy(object)[: len(table) // n_members])
        for column in ("scope", "name", "metric")
    }
    values = table["value"].to_numpy(float).reshape(n_members, -1)
    units = {"units_by": "metric_metric"}
    return found | {"metric_value": (("member", "metric"), values, units)}
