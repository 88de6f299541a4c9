"""The folder of an ensemble: finished blocks, and what they are of.

``ensemble.json`` says which case, code and members the folder is for.  A finished block is one file
in ``blocks/``: it is written beside its place and moved there when it is whole, which is the one
moment from which it counts.  There is no second list that could say something else.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import locket
import numpy as np

from wateralloc.case import Case
from wateralloc.ensemble.block import Block, code_in_use, read_record
from wateralloc.errors import Fault, InputError, Position, listed, shown
from wateralloc.results.manifest import identify
from wateralloc.results.store import DATASET, MANIFEST

HEADER, BLOCKS, LOCK = "ensemble.json", "blocks", ".lock"
MADE = (HEADER, DATASET, MANIFEST)
BLOCK = 10
"""Members of a block, at most."""
LEAST_BLOCKS = 20
"""Blocks that an ensemble is cut into, as far as it has so many members."""


def refuse(folder: Path, code: str, text: str) -> InputError:
    """A fault of the folder of an ensemble."""
    return InputError([Fault(Position(shown(folder)), code, text)])


def fingerprint(case: Case) -> dict[str, Any]:
    """Tell what the results of an ensemble follow from; of equal ones the results are the same."""
    digest = hashlib.sha256()
    for member in case.members:
        digest.update(f"{member.name}\0{member.years}\0".encode())
    for column, of_name in sorted(case.given.items()):
        for name, values in sorted(of_name.items()):
            digest.update(f"{column}\0{name}\0{values.shape}\0".encode() + values.tobytes())
    clauses = [
        [type(clause).__name__, _plain(clause.model_dump())]
        for clause in (*case.rules, *case.goals)
    ]
    settings = {
        "timeline": repr(case.timeline),
        "foresight": repr(case.foresight),
        "linearisation": repr(case.linearisation),
        "integers": case.integers,
        "riverbed": case.riverbed,
        "works": {work: str(day) for work, day in case.works.items()},
        "demand": [case.demand_year, sorted(case.demand_scale.items())],
        "inflow_scale": sorted(case.inflow_scale.items()),
        "upstream_withdrawal": sorted(case.upstream_withdrawal.items()),
        "clauses": clauses,
    }
    found = {
        **identify(case),
        **code_in_use(case),
        "settings": _plain(settings),
        "members": digest.hexdigest(),
    }
    as_in_file: dict[str, Any] = json.loads(json.dumps(found))
    return as_in_file


def _plain(value: Any) -> Any:
    """Plain data for JSON, equal whenever the value is, on any machine."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, np.ndarray):
        return hashlib.sha256(value.tobytes()).hexdigest()
    if isinstance(value, Path):
        return value.name
    if isinstance(value, str | int | float | None):
        return value
    return re.sub(r" at 0x[0-9a-f]+", "", repr(value))


def block_size(n_members: int) -> int:
    """Members of a block: few enough that workers end together, and that little is lost."""
    return max(1, min(BLOCK, n_members // LEAST_BLOCKS))


@dataclass
class Store:
    """The folder of an ensemble.

    Attributes
    ----------
    identity : what the results follow from, as :func:`fingerprint` tells it
    members : names, in the order of results
    size : members of a block
    """

    folder: Path
    identity: dict[str, Any] = field(repr=False)
    members: tuple[str, ...] = field(repr=False)
    size: int

    @classmethod
    @contextmanager
    def opened(
        cls,
        folder: Path,
        case: Case,
        size: int | None = None,
        *,
        reference: bool = False,
        restart: bool = False,
    ) -> Iterator[Store]:
        """Open the folder of an ensemble, new or begun; nobody else may write to it meanwhile.

        Parameters
        ----------
        size : members of a block; one that was begun keeps its own
        reference : whether members start from a reference, and not cold
        restart : what other settings left in the folder is thrown away

        Raises
        ------
        InputError
            The folder holds other files, or members of another case, or is in use.
        """
        folder = Path(os.path.abspath(folder))  # noqa: PTH100 - a link to a folder stays a link
        check_place(folder)
        folder.mkdir(parents=True, exist_ok=True)
        lock = locket.lock_file(str(folder / LOCK), timeout=0)
        try:
            lock.acquire()
        except locket.LockError:
            text = "is in use by another run of the same ensemble; wait for it, or name another"
            raise refuse(folder, "E362", f"{text} folder") from None
        try:
            identity = {**fingerprint(case), "start": "reference" if reference else "cold"}
            yield cls._begin(folder, case, identity, size, restart)
        finally:
            lock.release()

    @classmethod
    def _begin(
        cls, folder: Path, case: Case, identity: dict[str, Any], size: int | None, restart: bool
    ) -> Store:
        header = folder / HEADER
        names = tuple(member.name for member in case.members)
        if restart:
            clear(folder)
        if header.is_file():
            begun = json.loads(header.read_text(encoding="utf-8"))
            changed = differences(begun["identity"], identity)
            if changed:
                raise refuse(
                    folder,
                    "E361",
                    f"holds members of another run: {listed(changed)} changed since; name another "
                    "folder with --out, or throw them away with --restart",
                )
            return cls(folder, identity, names, begun["block"])
        store = cls(folder, identity, names, size or block_size(len(names)))
        text = json.dumps({"schema": 1, "block": store.size, "identity": identity}, indent=2)
        write_whole(header, text.encode())
        return store

    # --- blocks -----------------------------------------------------------------------------

    @property
    def is_done(self) -> bool:
        """Whether the blocks were joined to a result already."""
        return (self.folder / MANIFEST).is_file() and (self.folder / DATASET).is_file()

    def records(self) -> dict[Path, dict[str, Any]]:
        """Records of the finished blocks by their file, in the order of their members."""
        found = {}
        for path in sorted((self.folder / BLOCKS).glob("[0-9]*.nc")):
            try:
                found[path] = read_record(path)
            except (OSError, ValueError) as error:
                raise refuse(
                    path, "E108", f"is damaged ({error}); remove it, and run the same again"
                ) from None
        return dict(sorted(found.items(), key=lambda item: item[1]["places"][0]))

    def pending(self) -> list[list[int]]:
        """Blocks still to be solved, each of members that follow each other, as their places."""
        done = {place for record in self.records().values() for place in record["places"]}
        blocks: list[list[int]] = []
        for place in range(len(self.members)):
            if place in done:
                continue
            is_next = bool(blocks) and blocks[-1][-1] == place - 1
            if is_next and place % self.size:
                blocks[-1].append(place)
            else:
                blocks.append([place])
        return blocks

    def keep(self, block: Block) -> None:
        """Write a finished block: from here on it is never solved again."""
        name = f"{block.places[0]:06d}-{block.places[-1]:06d}.nc"
        write_whole(self.folder / BLOCKS / name, block.file)

    def draft(self, name: str) -> Path:
        """Where a file of the result is written, until :meth:`place` moves it to its place."""
        return self.folder / BLOCKS / f".{name}"

    def place(self, name: str) -> None:
        self.draft(name).replace(self.folder / name)

    def drop_blocks(self) -> None:
        """Remove the blocks, once their result is in place."""
        shutil.rmtree(self.folder / BLOCKS, ignore_errors=True)


def check_place(folder: Path) -> None:
    """Check that a folder is an ensemble's, empty or not there.

    Raises
    ------
    InputError
    """
    if not folder.exists() or (folder / HEADER).is_file():
        return
    if not folder.is_dir():
        raise refuse(folder, "E102", "is a file; name a folder")
    if any(path.name != LOCK for path in folder.iterdir()):
        raise refuse(
            folder, "E109", "is not empty and not an ensemble; name a new folder or an empty one"
        )


def clear(folder: Path) -> None:
    """Remove what an ensemble made; files of the user stay."""
    for name in (*MADE[1:], *(p.name for p in folder.glob("*.csv")), MADE[0]):
        (folder / name).unlink(missing_ok=True)
    shutil.rmtree(folder / BLOCKS, ignore_errors=True)


def differences(begun: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """Name what differs between two fingerprints, as a user knows it."""
    changed = []
    for key, meaning in (
        ("inputs", "the file"),
        ("versions", "the version of"),
        ("settings", "the settings"),
        ("resolved", "the case"),
        ("members", "the members"),
        ("code", "the code of wateralloc or of a rule"),
        ("solver", "the options of the solver"),
        ("start", "what members start from"),
    ):
        if begun.get(key) == now.get(key):
            continue
        if key in ("inputs", "versions"):
            old, new = begun.get(key, {}), now[key]
            changed += [
                f"{meaning} {name}" for name in sorted(old | new) if old.get(name) != new.get(name)
            ]
        else:
            changed.append(meaning)
    return changed


def write_whole(path: Path, content: bytes) -> None:
    """Write a file so that at any moment it is there whole, or not at all; also after a crash."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f".{path.name}.{uuid.uuid4().hex[:12]}")
    try:
        with new.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
    except BaseException:
        new.unlink(missing_ok=True)
        raise


def failures(records: Sequence[dict[str, Any]]) -> list[dict[str, str]]:
    """Members without a solution, with their reasons, in the order of the members."""
    return [failed for record in records for failed in record["failed"]]
