"""Where blocks are solved: in this process, or by Dask on this machine or on a scheduler elsewhere.

Dask runs a block again on another worker when the one that had it dies, as often as it allows.  No
result depends on who solved what, or in which order.
"""

from __future__ import annotations

import os
import warnings
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

from wateralloc.case import Case
from wateralloc.ensemble.block import (
    Block,
    Part,
    find_reference,
    solve_block,
    without_members,
)
from wateralloc.errors import Fault, InputError, Position
from wateralloc.foresight.reference import Reference

DEATHS = 2
"""Workers that a block may cost before it is given up, where the scheduler is started here."""
AHEAD = 3
"""Blocks a worker has at hand, with the one it solves, so that it never waits for the next."""
QUIET = {
    "distributed.worker.profile.enabled": False,
    "distributed.worker.memory.monitor-interval": "1s",
    "distributed.admin.tick.interval": "500ms",
    "distributed.admin.system-monitor.interval": "10s",
    "distributed.nanny.pre-spawn-environ.MALLOC_TRIM_THRESHOLD_": str(2**28),
    "distributed.nanny.pre-spawn-environ.MALLOC_MMAP_THRESHOLD_": str(2**25),
}
"""Settings by which workers started here spend less on watching themselves.

Dask's own suit many short tasks: its samples of the stack and its ticks, and memory that goes back
to the system after each array, took a seventh of a block of some seconds.
"""
PATIENCE = "30s"
"""How long a scheduler is waited for."""


@dataclass(frozen=True)
class Task:
    """Some members to be solved.

    Attributes
    ----------
    owner : number of their ensemble
    places : of the members in it
    """

    owner: int
    places: tuple[int, ...]


@dataclass(frozen=True)
class Wanted:
    """An ensemble to be solved.

    Attributes
    ----------
    first : places of the members of which one is the reference; empty where all start cold
    """

    case: Case
    first: tuple[int, ...] = ()

    def part(self, places: tuple[int, ...]) -> Part:
        return Part.of(self.case, places)


@dataclass(frozen=True)
class Died:
    """Every worker that was given the part died over it."""

    reason: str


Outcomes = Iterator[tuple[Task, Block | Died]]


class Pool(Protocol):
    """Solves tasks and yields what came of them, in the order in which they end."""

    def solve(self, wanted: Mapping[int, Wanted], tasks: deque[Task]) -> Outcomes:
        """Solve tasks, which are taken off them.

        Parameters
        ----------
        wanted : by the number of the ensemble
        """
        ...


class Here:
    """No other process: one block after another."""

    def solve(self, wanted: Mapping[int, Wanted], tasks: deque[Task]) -> Outcomes:
        references: dict[int, Reference | None] = {}
        while tasks:
            task = tasks.popleft()
            of = wanted[task.owner]
            case = without_members(of.case)
            if of.first and task.owner not in references:
                references[task.owner] = find_reference(case, of.part(of.first))
            yield task, solve_block(case, of.part(task.places), references.get(task.owner))


class Cluster:
    """Workers of a Dask scheduler.

    Parameters
    ----------
    client : ``distributed.Client``
    """

    def __init__(self, client: Any) -> None:
        self.client = client

    def solve(self, wanted: Mapping[int, Wanted], tasks: deque[Task]) -> Outcomes:
        from distributed import as_completed
        from distributed.scheduler import KilledWorker

        # a task, not scattered: what a dead worker held is then made again
        held = {
            owner: self._submit(_hold, without_members(of.case)) for owner, of in wanted.items()
        }
        references = {
            owner: self._submit(find_reference, held[owner], of.part(of.first))
            for owner, of in wanted.items()
            if of.first
        }
        running: dict[str, Task] = {}
        ended = as_completed()

        def fill() -> None:
            while tasks and len(running) < AHEAD * max(self._n_threads(), 1):
                task = tasks.popleft()
                part = wanted[task.owner].part(task.places)
                reference = references.get(task.owner)
                future = self._submit(_solve_block, held[task.owner], part, reference)
                running[future.key] = task
                ended.add(future)

        fill()
        for future in ended:
            task = running.pop(future.key)
            try:
                outcome: Block | Died = future.result()
            except KilledWorker as error:
                outcome = Died(str(error))
            future.release()
            fill()
            yield task, outcome

    def _n_threads(self) -> int:
        return sum(self.client.nthreads().values())

    def _submit(self, function: Callable[..., Any], *arguments: Any) -> Any:
        with warnings.catch_warnings():
            # a case of a large basin is some megabytes, and is sent once
            warnings.filterwarnings("ignore", "Sending large graph", UserWarning)
            return self.client.submit(function, *arguments, pure=False)


def _hold(case: Case) -> Case:
    """Keep a case where the workers are."""
    return case


def _solve_block(case: Case, part: Part, reference: Reference | None) -> Block:
    """Solve a block on a worker, and write its file without asking the scheduler.

    xarray would take a lock of the whole cluster for each variable; the file is the worker's own.
    """
    import dask

    with dask.config.set(scheduler="synchronous"):
        return solve_block(case, part, reference)


@contextmanager
def open_pool(workers: int | None = None, scheduler: str | None = None) -> Iterator[Pool]:
    """Open a place where blocks are solved.

    Parameters
    ----------
    workers : processes on this machine; default: one for each processor; 1: this process
    scheduler : address of a Dask scheduler, whose workers are used in place of this machine's

    Raises
    ------
    InputError
        The scheduler cannot be reached, or has no workers.
    """
    if scheduler is None and (workers or processors()) == 1:
        yield Here()
        return
    import dask
    from distributed import Client, LocalCluster

    if scheduler is not None:
        at = Position(scheduler)
        try:
            client = Client(scheduler, timeout=PATIENCE)
        except (OSError, ValueError) as error:
            text = f"scheduler cannot be reached ({error}); start one with `dask scheduler`"
            raise InputError([Fault(at, "E365", text)]) from None
        with client:
            if not client.nthreads():
                text = f"scheduler has no workers; start some with `dask worker {scheduler}`"
                raise InputError([Fault(at, "E365", text)])
            yield Cluster(client)
        return
    settings = {
        "distributed.scheduler.allowed-failures": DEATHS,
        "distributed.worker.daemon": True,
        **QUIET,
    }
    with (
        dask.config.set(settings),
        LocalCluster(
            n_workers=workers or processors(),
            threads_per_worker=1,  # HiGHS runs on one, and members are many
            processes=True,
            dashboard_address="127.0.0.1:0",  # a fixed port would be in the way of a second run
            silence_logs=50,
        ) as cluster,
        Client(cluster) as client,
    ):
        yield Cluster(client)


def processors() -> int:
    """Processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
