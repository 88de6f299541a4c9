"""The manifest of a result: what went in, what came out, and how sure it is."""

from __future__ import annotations

import hashlib
import inspect
import platform
from collections.abc import Mapping
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

import wateralloc
from wateralloc.case import Case, bundled_cases
from wateralloc.foresight.perfect import Solution
from wateralloc.hydrology import Synthetic
from wateralloc.solve import OPTIONS

PACKAGES = ("pyomo", "highspy", "numpy", "scipy", "pandas", "xarray", "netCDF4", "pydantic")
ABOVE = ("bundled", "cli", "comparison", "export.py", "report")
"""What of the package only shows results, or is no code of it."""
_OF_STAGE = ("goal", "name", "sense", "value", "kept", "unit", "iterations")


def make_manifest(
    solution: Solution, dataset: xr.Dataset, seconds: Mapping[str, float]
) -> dict[str, Any]:
    """Describe a result by plain data; the same inputs give the same, but for the times."""
    case, lp, worst = solution.case, solution.horizon.stack(), solution.certificate
    members = [member.name for member in case.members]
    of_members = list(zip(members, solution.stages, strict=True))
    return {
        "schema": 1,
        "case": case.name,
        "title": dict(case.title),
        "basin": case.basin.name,
        **identify(case),
        "members": members,
        "reference": None,  # only members of an ensemble start from another's bases
        "size": {
            "members": case.n_members,
            "periods": case.n_periods,
            "rows": lp.n_rows,
            "columns": lp.n_columns,
            "nonzeros": lp.n_nonzeros,
        },
        "stages": {
            member: [{key: getattr(stage, key) for key in _OF_STAGE} for stage in stages]
            for member, stages in of_members
        },
        "passes": {
            member: {
                "converged": convergence.is_reached,
                "why": convergence.why,
                "shown": convergence.best,
                "passes": len(convergence.passes),
            }
            for member, convergence in zip(members, solution.convergence, strict=False)
        },
        "mended": {
            member: [what.plain() for what in of_member]
            for member, of_member in getattr(solution, "mended", {}).items()
        },
        "certificate": {"primal": worst.primal, "dual": worst.dual, "gap": worst.gap},
        "drift": float(np.max(solution.drift, initial=0.0)),
        "balance": _residuals(dataset),
        "seconds": {name: float(value) for name, value in seconds.items()},
        "seconds_by_stage": {
            member: [stage.seconds for stage in stages] for member, stages in of_members
        },
    }


def identify(case: Case) -> dict[str, Any]:
    """Tell what a result follows from: inputs, options, versions, and the code itself.

    A case whose result has the same need not be run again.
    """
    return {
        "source": _source(case),
        "changes": portable(case.changes),
        "inputs": hash_inputs(case),
        "resolved": portable(case.resolved),
        "seed": _seed(case),
        "versions": {
            "python": platform.python_version(),
            "wateralloc": wateralloc.__version__,
            **{package: version(package) for package in PACKAGES},
        },
        "code": _hash_of_code(case),
        "solver": {"name": "HiGHS", "options": dict(OPTIONS)},
    }


def _hash_of_code(case: Case) -> str:
    """SHA-256 of this package, and of the files of rules and goals from elsewhere.

    Between two releases the version tells nothing of what has changed.
    """
    package = Path(wateralloc.__file__).parent
    files = {path.relative_to(package).as_posix(): path for path in package.rglob("*.py")}
    files = {name: path for name, path in files.items() if name.split("/")[0] not in ABOVE}
    for kind in {type(clause) for clause in (*case.rules, *case.goals)}:
        with suppress(TypeError):  # it was made in a session and has no file
            source = inspect.getsourcefile(kind)
            if source and not Path(source).is_relative_to(package):
                files[kind.__module__] = Path(source)
    digest = hashlib.sha256()
    for name, path in sorted(files.items()):
        digest.update(name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def _residuals(dataset: xr.Dataset) -> dict[str, float]:
    """Largest residual of a node and period, and largest over all that it gives and takes."""
    residual = np.abs(dataset["residual"].values)
    turnover = np.zeros(residual.shape)
    for amount in dataset.data_vars.values():
        if "balance_sign" in amount.attrs:
            turnover += amount.values
    relative = np.divide(residual, turnover, out=np.zeros(residual.shape), where=turnover > 0)
    return {
        "largest_residual_hm3": float(residual.max(initial=0.0)),
        "largest_relative_residual": float(relative.max(initial=0.0)),
    }


def _source(case: Case) -> dict[str, str | None]:
    """Where the case was read, in words that hold on every machine; None of one made in code.

    ``case`` is the path from the working directory, or the bare name of a file outside of it;
    ``shipped`` the name of a case that comes with the package.
    """
    if not case.files:
        return {"case": None, "shipped": None}
    path = Path(case.files[0]).resolve()
    here = Path.cwd().resolve()
    shipped = (name for name, place in bundled_cases().items() if place.resolve() == path)
    return {
        "case": path.relative_to(here).as_posix() if path.is_relative_to(here) else path.name,
        "shipped": next(shipped, None),
    }


def _seed(case: Case) -> int | None:
    """Start of the random numbers of synthetic members; None where members are of the record."""
    synthetic = (case.resolved.get("hydrology") or {}).get("synthetic")
    return None if synthetic is None else Synthetic.model_validate(synthetic).seed


def hash_file(path: Path) -> str:
    """SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def hash_inputs(case: Case) -> dict[str, str]:
    """SHA-256 of every input file, by the names of :func:`input_files`."""
    hashes = {name: hash_file(path) for name, path in input_files(case).items()}
    return dict(sorted(hashes.items()))


def input_files(case: Case) -> dict[str, Path]:
    """Every input file, by a name that is the same on every machine; the case file first.

    Files of the basin are named from its folder, others from that of the case file; one elsewhere
    by its folder and its own name.
    """
    basin = case.basin.folder.resolve()
    roots = {basin.parent if basin.is_file() else basin: f"{case.basin.name}/"}
    if case.files:
        roots[Path(case.files[0]).resolve().parent] = ""
    rules = [getattr(rule, "file", None) for rule in case.rules]
    files = [*case.files, *(file for file in rules if isinstance(file, Path)), *case.basin.files]
    found = {}
    for path in (Path(file).resolve() for file in files):
        names = (
            f"{prefix}{path.relative_to(root).as_posix()}"
            for root, prefix in roots.items()
            if path.is_relative_to(root)
        )
        name = next(names, f"{path.parent.name}/{path.name}")
        found[name] = path
    return found


def portable(value: Any) -> Any:
    """Plain data for JSON, with absolute paths cut to their last part."""
    if isinstance(value, Mapping):
        return {str(key): portable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [portable(item) for item in value]
    if isinstance(value, Path | str):
        path = Path(value)
        return path.name if path.is_absolute() else str(value)
    return value if isinstance(value, int | float | None) else str(value)
