"""One block of members: what a worker does, and what it gives back."""

from __future__ import annotations

import gc
import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from wateralloc.case import Case
from wateralloc.ensemble.join import join_files
from wateralloc.errors import Infeasible, ModelError, SolveError
from wateralloc.foresight import solve
from wateralloc.foresight.perfect import make_reference
from wateralloc.foresight.reference import Reference
from wateralloc.hydrology import Member
from wateralloc.results import collect
from wateralloc.results.manifest import identify
from wateralloc.results.measures import metric_table
from wateralloc.results.store import write_netcdf

RECORD = "record"
"""Attribute of the file of a block that tells, as JSON, what was solved in it."""
BY_MEMBER = ("stages", "passes", "seconds_by_stage")
"""Parts of a manifest that have an entry for each member."""
Given = Mapping[str, Mapping[str, np.ndarray]]


@dataclass(frozen=True)
class Part:
    """Some members of a case, with the values of their own.

    Attributes
    ----------
    places : of the members in the whole ensemble
    given : as in :class:`wateralloc.case.Case`, of these members
    """

    places: tuple[int, ...]
    members: tuple[Member, ...]
    given: Given

    @classmethod
    def of(cls, case: Case, places: Sequence[int]) -> Part:
        part = case.with_members(places)
        return cls(tuple(map(int, places)), part.members, part.given)


@dataclass(frozen=True)
class Block:
    """What came of a part.

    Attributes
    ----------
    record : what was solved, as it also stands in the file
    file : bytes of a NetCDF file with the results of the members that have a solution
    """

    places: tuple[int, ...]
    record: dict[str, Any]
    file: bytes


def without_members(case: Case) -> Case:
    """The case as workers get it once: without what belongs to single members, and without files.

    A worker on another machine need not have the files that were read.
    """
    basin = replace(case.basin, files=())
    return replace(case, basin=basin, given={}, files=())


def of_part(case: Case, part: Part) -> Case:
    """The case of some members only.

    Parameters
    ----------
    case : as :func:`without_members` left it
    """
    return replace(case, members=part.members, given={c: dict(v) for c, v in part.given.items()})


def find_reference(case: Case, part: Part) -> Reference | None:
    """Solve the first member of a part, by name, that has a solution, for others to start from it.

    None where none has: all then start cold.
    """
    try:
        return make_reference(of_part(case, part))
    except Infeasible:
        return None


def solve_block(case: Case, part: Part, reference: Reference | None = None) -> Block:
    """Solve a part of a case; members that fail are told, and stop no other.

    Parameters
    ----------
    case : as :func:`without_members` left it
    reference : what each member starts from; default: each starts cold

    Returns
    -------
    Block
        With the results of the members that have a solution, and the reasons of those that have
        none.
    """
    # models point in circles: what the block before left would stay until Python looks for such
    gc.collect()
    case = of_part(case, part)
    with tempfile.TemporaryDirectory(prefix="wateralloc-") as folder:
        path = Path(folder) / "block.nc"
        record = _solve_together(case, path, reference)
        if record is None:
            record = _solve_each(case, path, reference)
        record |= {
            "places": list(part.places),
            "members": [member.name for member in part.members],
            "worker": code_in_use(case),
        }
        write_record(path, record)
        return Block(part.places, record, path.read_bytes())


def _solve_together(case: Case, path: Path, reference: Reference | None) -> dict[str, Any] | None:
    """Solve all members and write their results; None where one of several has no solution."""
    try:
        solution = solve(case, reference=reference)
    except SolveError as error:
        if case.n_members > 1:
            return None
        write_netcdf(path, xr.Dataset())
        return {"failed": [_failure(case.members[0], error)], "manifest": {}}
    results = collect(solution, solution.seconds)
    write_netcdf(path, results.dataset.assign(metric_variables(results.dataset)))
    kept = (*BY_MEMBER, "size", "certificate", "drift", "balance", "seconds")
    manifest = {key: results.manifest[key] for key in kept}
    manifest["reference"] = reference.identity() if reference else None
    return {"failed": [], "manifest": manifest}


def _solve_each(case: Case, path: Path, reference: Reference | None) -> dict[str, Any]:
    """Solve members one by one, so that those beside one without a solution are kept."""
    pieces, failed, manifest = [], [], dict[str, Any]()
    for k in range(case.n_members):
        piece = path.with_name(f"{k}.nc")
        record = _solve_together(case.with_members([k]), piece, reference)
        assert record is not None
        failed += record["failed"]
        if record["manifest"]:
            pieces.append(piece)
            manifest = join_manifests(manifest, record["manifest"])
    if pieces:
        join_files(pieces, path)
    else:
        write_netcdf(path, xr.Dataset())
    return {"failed": failed, "manifest": manifest}


def _failure(member: Member, error: SolveError) -> dict[str, str]:
    return {"member": member.name, "kind": type(error).__name__, "reason": str(error)}


_IN_USE: dict[frozenset[type], dict[str, Any]] = {}


def code_in_use(case: Case) -> dict[str, Any]:
    """Code and versions that this process works with, by which results of other code are noticed.

    They are those it began with: files that change later do not change what is loaded.
    """
    clauses = frozenset(type(clause) for clause in (*case.rules, *case.goals))
    if clauses not in _IN_USE:
        identity = identify(case)
        _IN_USE[clauses] = {"code": identity["code"], "versions": identity["versions"]}
    return _IN_USE[clauses]


def metric_variables(dataset: xr.Dataset) -> dict[str, Any]:
    """Metrics of each member as variables (member, metric), so that they stand beside the results.

    Raises
    ------
    ModelError
        Members do not have the same metrics.
    """
    table = metric_table(dataset)
    n_members = dataset.sizes["member"]
    n_metrics = len(table) // max(n_members, 1)
    found: dict[str, Any] = {}
    for column, meaning in (
        ("scope", "what is measured: basin, sector, reservoir, ..."),
        ("name", "name of it"),
        ("metric", "name of the metric, which ends in its unit"),
    ):
        words = table[column].to_numpy(object).reshape(n_members, n_metrics)
        if (words != words[:1]).any():
            raise ModelError("members do not have the same metrics")
        found[f"metric_{column}"] = ("metric", words[0], {"long_name": meaning})
    values = table["value"].to_numpy(float).reshape(n_members, n_metrics)
    attributes = {"long_name": "metric of the member", "units_by": "metric_metric"}
    encoding = {"_FillValue": None, "zlib": True, "complevel": 4}
    return found | {"metric_value": (("member", "metric"), values, attributes, encoding)}


def join_manifests(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """Join what manifests say of different members of one case."""
    if not one or not other:
        return one or other
    joined = dict(one)
    for key in BY_MEMBER:
        joined[key] = one[key] | other[key]
    for key in ("certificate", "balance"):
        joined[key] = {figure: max(one[key][figure], other[key][figure]) for figure in one[key]}
    joined["drift"] = max(one["drift"], other["drift"])
    joined["seconds"] = {
        step: one["seconds"].get(step, 0.0) + other["seconds"].get(step, 0.0)
        for step in one["seconds"] | other["seconds"]
    }
    size, more = one["size"], other["size"]
    largest = {key: max(size[key], more[key]) for key in size}
    joined["size"] = largest | {"members": size["members"] + more["members"]}
    return joined


def write_record(path: Path, record: Mapping[str, Any]) -> None:
    """Put the record of a block into its file."""
    import netCDF4

    with netCDF4.Dataset(path, "a") as file:
        file.setncattr_string(RECORD, json.dumps(record, ensure_ascii=False))


def read_record(path: Path) -> dict[str, Any]:
    """Read the record of the file of a block.

    Raises
    ------
    OSError, ValueError
        The file is no block, or damaged.
    """
    import netCDF4

    with netCDF4.Dataset(path) as file:
        if RECORD not in file.ncattrs():
            raise ValueError("it has no record")
        record: dict[str, Any] = json.loads(file.getncattr(RECORD))
    return record
