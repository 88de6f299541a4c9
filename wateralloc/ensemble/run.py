"""An ensemble: all members of a case, in blocks and in parallel, into one result."""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from wateralloc.case import Case, read_case
from wateralloc.ensemble.block import join_manifests
from wateralloc.ensemble.join import join_files
from wateralloc.ensemble.pool import Died, Pool, Task, Wanted, open_pool
from wateralloc.ensemble.store import Store, check_place, failures, refuse, write_whole
from wateralloc.ensemble.summary import (
    metric_quantiles,
    period_quantiles,
    pool_metrics,
    read_metrics,
)
from wateralloc.errors import CaseError, Fault, Infeasible, Position, SolveError, shown
from wateralloc.foresight.perfect import Progress
from wateralloc.results.store import DATASET, MANIFEST, Results, write_csv

METRICS, QUANTILES, PERIODS, FAILED = (
    "metrics.csv",
    "quantiles.csv",
    "period_quantiles.csv",
    "failed.csv",
)


IDENTITY = (
    "inputs", "resolved", "versions", "code", "solver", "source", "changes", "seed", "start",
)  # fmt: skip
"""What of ``ensemble.json`` stands in the manifest too."""
CANDIDATES = 10
"""Members, the first by name, of which the first that has a solution is the reference."""


@dataclass(frozen=True)
class Ensemble:
    """What came of an ensemble.

    Attributes
    ----------
    folder : where it stands; ``results.nc`` there has every quantity of every member
    failed : members without a solution: ``member``, ``kind`` and ``reason`` each
    """

    folder: Path
    manifest: dict[str, Any] = field(repr=False)

    @property
    def failed(self) -> list[dict[str, str]]:
        return list(self.manifest["ensemble"]["failed"])

    @property
    def n_solved(self) -> int:
        return int(self.manifest["ensemble"]["solved"])

    @property
    def metrics(self) -> pd.DataFrame:
        """Metrics of all members together, as :func:`.summary.pool_metrics` says."""
        return pd.read_csv(self.folder / METRICS)

    @property
    def quantiles(self) -> pd.DataFrame:
        """Mean, extremes and quantiles of each metric among the members."""
        return pd.read_csv(self.folder / QUANTILES)

    def results(self) -> Results:
        """All members as results in memory, like those of a run."""
        return Results.read(self.folder)


def run_ensemble(
    case: Case | str | Path,
    out: Path | str | None = None,
    *,
    changes: Mapping[str, str] | None = None,
    workers: int | None = None,
    scheduler: str | None = None,
    block: int | None = None,
    reference: bool = False,
    restart: bool = False,
    progress: Progress | None = None,
) -> Ensemble:
    """Solve all members of a case in parallel and keep what comes of each as soon as it is there.

    Started again after it was stopped in whatever way, it goes on with the members that are
    missing.  Results do not depend on the number of workers, on the block or on the order in which
    members end.  A member without a solution is told with its reason and stops no other.  From a
    script call it below ``if __name__ == "__main__":``, as workers load the script.

    Parameters
    ----------
    case : a case that was read, the path of a case file, or the name of one
    out : folder; default: ``results/<case>-ensemble``
    changes : settings in place of those in the file, only for a case that is read here
    workers : processes on this machine; default: one for each processor
    scheduler : address of a Dask scheduler whose workers do the work, as ``tcp://10.0.0.1:8786``
    block : members that are solved and written together
    reference : start every member from the bases of the first one by name, in place of from
        nothing: faster the longer the horizon
    restart : throw away what the folder holds of another case, and begin anew
    progress : called with the number of members that are done and the number in all

    Raises
    ------
    InputError
        Faults of the case; the folder holds members of another case, or other files.
    Infeasible
        No member has a solution.
    SolveError
        Workers died over a member again and again; the others are kept.
    """
    if isinstance(case, Case):
        if changes:
            raise ValueError("changes are for a case that is read here; give its path or name")
    else:
        case = read_case(case, changes or {})
    check_case(case, reference)
    folder = Path(out) if out is not None else Path("results") / f"{case.name}-ensemble"
    (ensemble,) = solve_all(
        [(case, folder)],
        workers,
        scheduler,
        block,
        reference=reference,
        restart=restart,
        progress=progress,
    )
    if isinstance(ensemble, Infeasible):
        raise ensemble
    return ensemble


def check_case(case: Case, reference: bool = False) -> None:
    """Check that members of a case can be solved each by itself, from a reference if asked.

    Raises
    ------
    CaseError
    """
    at = Position(shown(case.files[0])) if case.files else Position("code")
    if reference and case.foresight.mode != "perfect":
        text = (
            f"foresight {case.foresight.mode} starts each step from the one before, not from a "
            "reference; leave --reference out"
        )
        raise CaseError([Fault(at, "E367", text)])
    if case.foresight.mode == "two_stage":
        text = (
            "foresight two_stage joins all members in one program, an ensemble solves each by "
            "itself; use `wateralloc run`, or another foresight"
        )
        raise CaseError([Fault(at, "E360", text)])


def solve_all(
    wanted: Sequence[tuple[Case, Path]],
    workers: int | None,
    scheduler: str | None,
    block: int | None,
    *,
    reference: bool = False,
    restart: bool = False,
    progress: Progress | None = None,
) -> list[Ensemble | Infeasible]:
    """Solve several cases, each into its folder, with the same workers.

    Returns
    -------
    list
        An ensemble each; where no member has a solution, why.
    """
    for _, folder in wanted:
        check_place(folder)
    with ExitStack() as stack:
        stores = [
            stack.enter_context(
                Store.opened(folder, case, block, reference=reference, restart=restart)
            )
            for case, folder in wanted
        ]
        tasks = deque(
            Task(owner, tuple(places))
            for owner, store in enumerate(stores)
            if not store.is_done
            for places in store.pending()
        )
        if tasks:
            pool = stack.enter_context(open_pool(workers, scheduler))
            cases = {
                owner: Wanted(case, first_by_name(case) if reference else ())
                for owner, (case, _) in enumerate(wanted)
            }
            _solve(pool, cases, tasks, stores, progress)
        return [_finish(case, store) for (case, _), store in zip(wanted, stores, strict=True)]


def first_by_name(case: Case) -> tuple[int, ...]:
    """Places of the members that may be the reference: the same in whatever order they come."""
    by_name = sorted(range(case.n_members), key=lambda k: case.members[k].name)
    return tuple(by_name[:CANDIDATES])


def _solve(
    pool: Pool,
    wanted: Mapping[int, Wanted],
    tasks: deque[Task],
    stores: Sequence[Store],
    progress: Progress | None,
) -> None:
    """Solve tasks and keep each block as it comes.

    Raises
    ------
    SolveError
        Workers died over single members; all others are kept.
    """
    total = sum(len(store.members) for store in stores)
    done = total - sum(len(task.places) for task in tasks)
    if progress:
        progress(done, total)

    def died(tasks: deque[Task]) -> Iterator[Task]:
        """Solve tasks and keep what comes of them; yield those that workers died over."""
        nonlocal done
        for task, outcome in pool.solve(wanted, tasks):
            if isinstance(outcome, Died):
                yield task
                continue
            store = stores[task.owner]
            _check_worker(store, outcome.record["worker"])
            store.keep(outcome)
            done += len(task.places)
            if progress:
                progress(done, total)

    suspects = [Task(task.owner, (place,)) for task in died(tasks) for place in task.places]
    # a block that only waited at a worker that died is no cause: so each alone, with no other near
    causes = [task for suspect in suspects for task in died(deque([suspect]))]
    if causes:
        named = [(stores[task.owner], task.places[0]) for task in causes]
        raise SolveError(
            "\n".join(
                f"E363 {store.folder.name}, member {store.members[place]}: every worker that was "
                "given it died, perhaps for want of memory; all others are kept; give fewer "
                "--workers, or more memory, and run it again"
                for store, place in named
            )
        )


def _check_worker(store: Store, worker: Mapping[str, Any]) -> None:
    """Refuse what was solved by another version of the code."""
    for key in ("code", "versions"):
        if worker[key] != store.identity[key]:
            raise refuse(
                store.folder,
                "E364",
                f"a worker has other {key} than this machine; install the same wateralloc and "
                "packages everywhere",
            )


def _finish(case: Case, store: Store) -> Ensemble | Infeasible:
    """Join the blocks to one result; what was finished before is read."""
    folder = store.folder
    if not store.is_done:
        started = time.perf_counter()
        records = store.records()
        failed = failures(list(records.values()))
        solved = [path for path, record in records.items() if record["manifest"]]
        if failed:
            write_csv(store.draft(FAILED), pd.DataFrame(failed))
            store.place(FAILED)
        if not solved:
            first = failed[0]["reason"]
            return Infeasible(
                f"E402 {case.name}: none of {case.n_members} members has a solution; the first: "
                f"{first}"
            )
        join_files(solved, store.draft(DATASET))
        for name, table in summaries(store.draft(DATASET)).items():
            write_csv(store.draft(name), table)
            store.place(name)
        store.place(DATASET)
        manifest: dict[str, Any] = {}
        for record in records.values():
            manifest = join_manifests(manifest, record["manifest"])
        manifest["seconds"]["join"] = time.perf_counter() - started
        whole = _manifest(case, store, manifest, failed)
        text = json.dumps(whole, indent=2, ensure_ascii=False)
        write_whole(folder / MANIFEST, f"{text}\n".encode())  # now it is done
    store.drop_blocks()
    return Ensemble(folder, json.loads((folder / MANIFEST).read_text(encoding="utf-8")))


def _manifest(
    case: Case, store: Store, manifest: dict[str, Any], failed: list[dict[str, str]]
) -> dict[str, Any]:
    identity = {key: store.identity[key] for key in store.identity if key != "settings"}
    return {
        "schema": 1,
        "case": case.name,
        "title": dict(case.title),
        "basin": case.basin.name,
        **{key: identity[key] for key in IDENTITY if key in identity},
        **manifest,
        "ensemble": {
            "members": case.n_members,
            "solved": manifest["size"]["members"],
            "block": store.size,
            "failed": failed,
        },
    }


def summaries(path: Path) -> dict[str, pd.DataFrame]:
    """Tables of all members together, by the name of their file, from ``results.nc``."""
    metrics = read_metrics(path)
    return {
        METRICS: pool_metrics(metrics),
        QUANTILES: metric_quantiles(metrics),
        PERIODS: period_quantiles(path),
    }
