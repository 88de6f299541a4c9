"""Workers, schedulers and deaths: the same to the last bit as one process left in peace."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from tests.ensemble.river import assert_same, few, finish, start, write_case
from wateralloc import InputError, run_ensemble
from wateralloc.ensemble import pool
from wateralloc.errors import SolveError

WAIT = 90.0
"""Seconds after which a test gives up what it waits for."""


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results of six members, by one process."""
    folder = tmp_path_factory.mktemp("alone")
    case = few(write_case(folder), 6)
    return run_ensemble(case, folder / "out", workers=1, block=2).folder


def blocks_of(folder: Path) -> int:
    return len(list((folder / "blocks").glob("[0-9]*.nc")))


# --- a scheduler --------------------------------------------------------------------------------


@contextmanager
def dask_cluster(folder: Path, n_workers: int) -> Iterator[str]:
    """A scheduler and workers, each a process started by Dask's own commands."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"tcp://127.0.0.1:{port}"
    root = Path(__file__).resolve().parents[2]
    started = []

    def dask(*words: str) -> None:
        started.append(
            subprocess.Popen(
                [sys.executable, "-m", "dask", *words],
                cwd=folder,
                env={**os.environ, "PYTHONPATH": str(root)},
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        )

    try:
        dask("scheduler", "--host", "127.0.0.1", "--port", str(port), "--no-dashboard")
        for _ in range(n_workers):
            dask("worker", address, "--nthreads", "1", "--no-dashboard", "--no-nanny")
        yield address
    finally:
        for process in started:
            process.kill()  # a worker that is asked to end looks long for its scheduler
        for process in started:
            process.wait(timeout=WAIT)


def test_scheduler_by_address(alone: Path, tmp_path: Path) -> None:
    case = few(write_case(tmp_path), 6)
    with dask_cluster(tmp_path, 2) as address:
        found = run_ensemble(case, tmp_path / "out", scheduler=address, block=2)
    assert_same(alone, found.folder)


def test_scheduler_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "PATIENCE", "1s")
    case = few(write_case(tmp_path), 2)
    with pytest.raises(InputError, match="E365 scheduler cannot be reached"):
        run_ensemble(case, tmp_path / "out", scheduler="tcp://127.0.0.1:9")


# --- deaths -------------------------------------------------------------------------------------


def test_worker_that_dies_is_replaced(alone: Path, tmp_path: Path) -> None:
    log = tmp_path / "log"
    path = write_case(tmp_path, log=str(log), killer="1802-03", kills=1)
    run_ensemble(few(path, 6), tmp_path / "out", workers=2, block=2)
    solved = log.read_text(encoding="utf-8").splitlines()
    assert sorted(solved).count("1802-03,1803-03") >= 2
    assert Path(f"{log}.deaths").read_text(encoding="utf-8") == "x"
    without = few(write_case(tmp_path / "without", log=str(tmp_path / "other")), 6)
    whole = run_ensemble(without, tmp_path / "whole", workers=1, block=2)
    assert_same(whole.folder, tmp_path / "out")


def test_member_that_kills_every_worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its neighbours are kept; once it can be solved only it is."""
    monkeypatch.setattr(pool, "DEATHS", 0)
    log, out = tmp_path / "log", tmp_path / "out"
    path = write_case(tmp_path, log=str(log), killer="1802-03", kills=2)
    case = few(path, 4)
    with pytest.raises(SolveError, match=r"E363 out, member 1802-03: every worker .* died"):
        run_ensemble(case, out, workers=2, block=2)
    # the other block is solved whole, or member by member if it waited at a worker that died
    assert blocks_of(out) in (2, 3)
    log.write_text("", encoding="utf-8")
    found = run_ensemble(case, out, workers=1)
    # the three others were kept: only this one is solved now
    assert log.read_text(encoding="utf-8").split() == ["1802-03"]
    whole = run_ensemble(case, tmp_path / "whole", workers=1, block=2)
    assert_same(whole.folder, found.folder)


@pytest.mark.parametrize(
    ("workers", "years", "block", "kills"), [(1, 200, 25, (1, 3, 6)), (2, 20, 4, (2,))]
)
def test_killed(
    tmp_path: Path, workers: int, years: int, block: int, kills: tuple[int, ...]
) -> None:
    """Kill -9 when some blocks are there, again and again: the same, and none of them twice."""
    log, out = tmp_path / "log", tmp_path / "broken"
    path = write_case(tmp_path, years, log=str(log))
    command = ["ensemble", path, "--workers", workers, "--block", block, "--out", out]
    finished: set[str] = set()
    for n_blocks in kills:
        process = start(command)
        deadline = time.monotonic() + WAIT
        while blocks_of(out) < n_blocks and time.monotonic() < deadline:
            assert process.poll() is None, process.communicate()[0]
            time.sleep(0.01)
        children = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        _, alive = psutil.wait_procs(children, timeout=WAIT)
        assert not alive, "workers go on without the one who writes"
        assert blocks_of(out) >= n_blocks
        firsts = {int(line[:4]) - 1800 for line in log.read_text(encoding="utf-8").splitlines()}
        assert not firsts & {int(name[:6]) for name in finished}, "a finished block came again"
        log.write_text("", encoding="utf-8")
        finished = {block.name for block in (out / "blocks").glob("[0-9]*.nc")}
    finish(start(command))
    again = log.read_text(encoding="utf-8").splitlines()
    assert len(again) == years // block - len(finished)
    whole = run_ensemble(path, tmp_path / "whole", workers=1, block=years // 2)
    assert_same(whole.folder, out)
