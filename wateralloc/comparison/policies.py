"""The policies of a comparison: cases and results, read, checked against each other, and run."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from wateralloc import job
from wateralloc.case import Case, read_case
from wateralloc.case.find import find_case
from wateralloc.errors import (
    Findings,
    Infeasible,
    InputError,
    Position,
    SolveError,
    WaterAllocError,
    listed,
    or_do,
    shown,
    suggest,
)
from wateralloc.results import Results
from wateralloc.results.manifest import identify
from wateralloc.results.store import DATASET, MANIFEST, check_free

Source = Case | Results | Path | str
Progress = Callable[[int, int], None]


@dataclass
class Policy:
    """A policy: its case, its result, or both.

    Attributes
    ----------
    at : where it comes from, for messages
    case : None where only a result is known
    folder : of its result; None of what is only in memory
    identity : what its result follows from, of a case that was read from a file
    """

    name: str
    at: Position
    case: Case | None = None
    folder: Path | None = None
    identity: dict[str, Any] | None = None
    results: Results | None = None
    is_solved: bool = False
    """It was run now, not read."""

    @property
    def frame(self) -> Frame:
        """What it must have in common with others."""
        if self.case is not None:
            return Frame.of_case(self.case, (self.identity or identify(self.case))["inputs"])
        assert self.results is not None
        return Frame.of_results(self.results)

    @property
    def is_current(self) -> bool:
        """Tell whether its folder has the result of the case as it is now."""
        if self.identity is None or self.folder is None:
            return False
        path = self.folder / MANIFEST
        if not path.is_file() or not (self.folder / DATASET).is_file():
            return False
        try:
            manifest = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return False
        now = json.loads(json.dumps(self.identity))
        if not isinstance(manifest, dict) or manifest.get("mended"):
            return False  # where limits gave way it is not the result of the case as it is written
        return all(manifest.get(k) == v for k, v in now.items())

    def read(self) -> Results:
        """The result, from memory or from its folder."""
        if self.results is not None:
            return self.results
        assert self.folder is not None
        return Results.read(self.folder)


@dataclass(frozen=True)
class Frame:
    """What policies must have in common to be compared.

    Attributes
    ----------
    items : nodes and demands, in their order
    inputs : SHA-256 of the files of the basin, by their names
    """

    basin: str
    items: tuple[tuple[str, ...], ...]
    edges: tuple[str, ...]
    members: tuple[str, ...]
    inputs: dict[str, str]

    @classmethod
    def of_case(cls, case: Case, inputs: Mapping[str, str]) -> Frame:
        tables = case.basin.tables
        return cls(
            case.basin.name,
            tuple(tuple(map(str, tables[table].index)) for table in ("nodes", "demands")),
            tuple(map(str, case.timeline.edges)),
            tuple(member.name for member in case.members),
            _of_basin(inputs, case.basin.name),
        )

    @classmethod
    def of_results(cls, results: Results) -> Frame:
        dataset = results.dataset
        bounds = dataset["time_bnds"].values.astype("datetime64[D]")
        return cls(
            str(dataset.attrs["basin"]),
            tuple(tuple(map(str, dataset[dim].values)) for dim in ("node", "demand")),
            (*map(str, bounds[:, 0]), str(bounds[-1, 1])),
            tuple(map(str, dataset["member"].values)),
            _of_basin(results.manifest["inputs"], str(dataset.attrs["basin"])),
        )

    def conflicts(self, other: Frame, name: str, members: Sequence[str]) -> Iterator[str]:
        """Yield how this frame differs from that of the policy of a name.

        Parameters
        ----------
        members : members that are compared; none: all, which must be the same
        """
        if self.basin != other.basin:
            yield (
                f"basin is '{self.basin}' but that of '{name}' is '{other.basin}'; "
                "compare policies on one basin"
            )
            return
        for what, mine, its in zip(("nodes", "demands"), self.items, other.items, strict=True):
            if mine != its:
                odd = sorted({*mine} ^ {*its})
                yield (
                    f"{what} of the basin are not those of '{name}'"
                    f"{': ' + listed(odd, 6) if odd else ', or in another order'}; "
                    "run both again on one basin"
                )
        both = self.inputs.keys() | other.inputs.keys()
        odd = sorted(f for f in both if self.inputs.get(f) != other.inputs.get(f))
        if odd:
            yield (
                f"basin '{self.basin}' is not as it was for '{name}': {listed(odd, 6)} differ; "
                "run both again on one basin"
            )
        if self.edges != other.edges:
            yield (
                f"periods are {_periods(self.edges)} but those of '{name}' are "
                f"{_periods(other.edges)}; compare policies over the same periods"
            )
        if not members and self.members != other.members:
            yield (
                f"members are {listed(self.members, 6)} but those of '{name}' are "
                f"{listed(other.members, 6)}; give them the same, or name those that all have "
                "by --member"
            )


def _of_basin(inputs: Mapping[str, str], basin: str) -> dict[str, str]:
    return {name: digest for name, digest in inputs.items() if name.startswith(f"{basin}/")}


def _periods(edges: Sequence[str]) -> str:
    return f"{len(edges) - 1} from {edges[0]} to before {edges[-1]}"


# --- reading ------------------------------------------------------------------------------------


def read_policies(
    sources: Iterable[Source], changes: Mapping[str, str], results: Path
) -> list[Policy]:
    """Read cases and results; every fault of all of them is raised at once.

    Parameters
    ----------
    results : folder with the results of cases, by their names
    """
    policies: list[Policy] = []
    findings = Findings()
    for source in sources:
        try:
            policies.append(_read(source, changes, results))
        except InputError as error:
            findings.faults += [(fault, type(error)) for fault in error.faults]
    named: dict[str, Policy] = {}
    for policy in policies:
        if policy.name in named:
            text = (
                f"two policies are called '{policy.name}', the other at {named[policy.name].at}; "
                "name each once, or give one another name in key name"
            )
            findings.add(policy.at, "E206", text, InputError)
        named.setdefault(policy.name, policy)
    if not policies and not findings:
        findings.add(
            Position("compare"), "E302", "no policy is named; name two or more", InputError
        )
    findings.raise_if_any()
    return policies


def _read(source: Source, changes: Mapping[str, str], results: Path) -> Policy:
    if isinstance(source, Case):
        return Policy(source.name, Position(f"case {source.name}"), case=source)
    if isinstance(source, Results):
        name = str(source.manifest["case"])
        return Policy(name, Position(f"result {name}"), results=source)
    text = str(source)
    folder = next((f for f in (Path(text), results / text) if f.is_dir()), None)
    findings = Findings()
    path = None if Path(text).is_dir() else find_case(text, Path(), Position(text), findings)
    if path is None and folder is not None:
        read = Results.read(folder)
        at = Position(shown(folder))
        return Policy(str(read.manifest["case"]), at, folder=folder, results=read)
    findings.raise_if_any()
    assert path is not None
    case = read_case(path, changes)
    at = Position(shown(path))
    return Policy(case.name, at, case, results / case.name, identify(case))


def check_alike(policies: Sequence[Policy], members: Sequence[str]) -> None:
    """Check that policies can be compared.

    Raises
    ------
    InputError
        They differ in basin, timeline or members; the text says how.
    """
    findings = Findings()
    first = policies[0].frame
    for policy in policies:
        frame = policy.frame
        for text in frame.conflicts(first, policies[0].name, members):
            findings.add(policy.at, "E341", text, InputError)
        for member in members:
            if member not in frame.members:
                near = or_do(
                    suggest(member, frame.members), f"members are {listed(frame.members, 30)}"
                )
                findings.add(policy.at, "E341", f"there is no member '{member}'{near}", InputError)
    findings.raise_if_any()


# --- running ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Task:
    """A case to run, and the folder for its result; None: it is handed back."""

    case: Case
    folder: Path | None


def run_policies(
    policies: Sequence[Policy], jobs: int = 1, progress: Progress | None = None
) -> None:
    """Run the cases whose results are not there, or are of other inputs, options or code.

    Parameters
    ----------
    jobs : processes that run cases side by side
    progress : called with the number of members done and their number in all

    Raises
    ------
    InputError, Infeasible, SolveError
        With every case that could not be solved; the results of the others are kept.
    """
    waiting = [p for p in policies if p.results is None and not p.is_current]
    for policy in waiting:
        if policy.folder is not None:
            check_free(policy.folder)
    total = sum(_size(policy) for policy in waiting)
    done = 0
    errors: list[WaterAllocError] = []

    def ended(policy: Policy, results: Results | None) -> None:
        nonlocal done
        policy.results, policy.is_solved = results, True
        done += _size(policy)
        if progress:
            progress(done, total)

    if jobs == 1 or len(waiting) < 2:
        for policy in waiting:

            def tell(n_done: int, _: int) -> None:
                if progress:
                    progress(done + n_done, total)

            try:
                ended(policy, _run(_task(policy), tell))
            except WaterAllocError as error:
                errors.append(error)
    else:
        errors += _run_in_processes(waiting, jobs, ended)
    if errors:
        _raise(errors, len(waiting))


def _run_in_processes(
    waiting: Sequence[Policy], jobs: int, ended: Callable[[Policy, Results | None], None]
) -> list[WaterAllocError]:
    errors: list[WaterAllocError] = []
    # a new process each: threads of this one do not outlive a fork
    with ProcessPoolExecutor(min(jobs, len(waiting)), get_context("spawn")) as pool:
        futures = {pool.submit(_run, _task(policy)): policy for policy in waiting}
        try:
            for future in as_completed(futures):
                try:
                    ended(futures[future], future.result())
                except WaterAllocError as error:
                    errors.append(error)
        except BrokenProcessPool:
            errors.append(
                SolveError("E404 a process that ran a case was ended from outside; use fewer jobs")
            )
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return errors


def _task(policy: Policy) -> _Task:
    assert policy.case is not None
    return _Task(policy.case, policy.folder)


def _size(policy: Policy) -> int:
    return policy.case.n_members if policy.case else 0


def _run(task: _Task, progress: Progress | None = None) -> Results | None:
    results = job.run(task.case, progress=progress)
    if task.folder is None:
        return results
    results.write(task.folder)
    return None


def _raise(errors: Sequence[WaterAllocError], n_run: int) -> None:
    faults = [fault for error in errors if isinstance(error, InputError) for fault in error.faults]
    if len(faults) and all(isinstance(error, InputError) for error in errors):
        raise InputError(sorted(set(faults)))
    is_infeasible = any(isinstance(error, Infeasible) for error in errors)
    text = "\n".join(str(error) for error in errors)
    kept = f"{len(errors)} of {n_run} cases have no result; those of the others are kept: "
    kind = Infeasible if is_infeasible else SolveError
    raise kind(f"{text}\n{kept}leave these out to compare the others")
