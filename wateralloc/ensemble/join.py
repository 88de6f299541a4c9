"""From files of some members each to one file of all: results side by side along the members.

One variable of one file is in memory at a time, so it takes no more for a thousand members than for
ten.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np

from wateralloc.errors import ModelError

MEMBER = "member"
COMPRESSION = {"zlib": True, "complevel": 4}


def join_files(paths: Sequence[Path], target: Path) -> None:
    """Write results of different members of one case, in the order given, into one NetCDF file.

    What has a dimension ``member`` is put together along it.  So is what has a row for each of a
    number that differs between members: a dimension ``x`` with a variable ``x_member`` (stages,
    passes).  All else is the same for all members and taken from the first file.

    Raises
    ------
    ModelError
        The files are not of one case.
    """
    with netCDF4.Dataset(paths[0]) as first:
        growing = [
            name
            for name in first.dimensions
            if name == MEMBER or f"{name}_member" in first.variables
        ]
        counts = dict.fromkeys(growing, 0)
        for path in paths:
            with netCDF4.Dataset(path) as file:
                _check_like(first, file, growing, path)
                for name in growing:
                    counts[name] += file.dimensions[name].size
        chunk = {name: max(first.dimensions[name].size, 1) for name in growing}
        with netCDF4.Dataset(target, "w", format="NETCDF4") as joined:
            _lay_out(first, joined, counts, chunk)
            start = dict.fromkeys(growing, 0)
            for path in paths:
                with netCDF4.Dataset(path) as file:
                    for name, variable in file.variables.items():
                        grows = [dim for dim in variable.dimensions if dim in start]
                        if grows or file.filepath() == first.filepath():
                            _copy(variable, joined.variables[name], start)
                    for name in growing:
                        start[name] += file.dimensions[name].size


def _check_like(first: Any, file: Any, growing: Sequence[str], path: Path) -> None:
    same = {name: dim.size for name, dim in first.dimensions.items() if name not in growing}
    theirs = {name: dim.size for name, dim in file.dimensions.items() if name not in growing}
    if same != theirs or set(first.variables) != set(file.variables):
        differs = sorted(
            {name for name, _ in same.items() ^ theirs.items()}
            | (set(first.variables) ^ set(file.variables))
        )
        raise ModelError(
            f"results of members do not fit each other: {path.name} differs from the first in "
            f"{', '.join(differs)}"
        )


def _lay_out(first: Any, joined: Any, counts: dict[str, int], chunk: dict[str, int]) -> None:
    """Dimensions, variables and attributes of the joined file, as in the first of its parts."""
    joined.setncatts({key: first.getncattr(key) for key in first.ncattrs() if key != "record"})
    for name, dimension in first.dimensions.items():
        joined.createDimension(name, counts.get(name, dimension.size))
    for name, variable in first.variables.items():
        attributes = {key: variable.getncattr(key) for key in variable.ncattrs()}
        fill = attributes.pop("_FillValue", None)
        sizes = [joined.dimensions[dim].size for dim in variable.dimensions]
        options: dict[str, Any] = {}
        is_number = variable.dtype is not str
        if is_number and variable.dimensions and all(sizes):
            options = dict(COMPRESSION) if np.dtype(variable.dtype).kind == "f" else {}
            options["chunksizes"] = [
                min(chunk.get(dim, size), size)
                for dim, size in zip(variable.dimensions, sizes, strict=True)
            ]
        new = joined.createVariable(
            name, variable.dtype, variable.dimensions, fill_value=fill, **options
        )
        new.setncatts(attributes)
        if "chunksizes" in options:
            # by default the library keeps so many chunks of each variable that all would be there
            size = int(np.prod(options["chunksizes"])) * np.dtype(variable.dtype).itemsize
            new.set_var_chunk_cache(size=2 * size)


def _copy(variable: Any, new: Any, start: dict[str, int]) -> None:
    """Write a variable of a part where the part starts; numbers as they are in the file."""
    for either in (variable, new):
        either.set_auto_maskandscale(False)
        either.set_auto_chartostring(False)
    where = tuple(
        slice(start.get(dim, 0), start.get(dim, 0) + size)
        for dim, size in zip(variable.dimensions, variable.shape, strict=True)
    )
    if all(variable.shape):
        new[where] = variable[...]
