"""What the benchmarks share: timing, peak memory in a process of its own, the machine, JSON."""

from __future__ import annotations

import argparse
import gc
import json
import multiprocessing
import os
import platform
import resource
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

RESULTS = Path(__file__).parent / "results"
PACKAGES = ("highspy", "numpy", "pandas", "pyomo", "scipy", "xarray")
BYTES_PER_MIB = 2**20

console = Console(stderr=True)


# --- time -----------------------------------------------------------------------------------


class Stopwatch:
    """Seconds of each stage of one run.

    Examples
    --------
    >>> watch = Stopwatch()
    >>> watch.lap("build") >= 0
    True
    >>> list(watch.seconds)
    ['build']
    """

    def __init__(self) -> None:
        gc.collect()
        self.seconds: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, stage: str) -> float:
        """End a stage; return its seconds."""
        now = time.perf_counter()
        self.seconds[stage] = now - self._last
        self._last = now
        return self.seconds[stage]


def spread(figures: Sequence[float]) -> dict[str, Any]:
    """Summarise the same figure over several runs.

    >>> spread([3.0, 1.0, 2.0])
    {'median': 2.0, 'min': 1.0, 'max': 3.0, 'runs': 3}
    """
    return {
        "median": statistics.median(figures),
        "min": min(figures),
        "max": max(figures),
        "runs": len(figures),
    }


def ratios(upper: Sequence[float], lower: Sequence[float]) -> dict[str, Any]:
    """Ratio of the medians, and the spread of the ratio run by run.

    Runs are paired in the order in which they were made, as far as both have one.

    >>> ratios([2.0, 6.0, 4.0], [1.0, 2.0, 2.0])["of_medians"]
    2.0
    """
    paired = [a / b for a, b in zip(upper, lower, strict=False)]
    of_medians = statistics.median(upper) / statistics.median(lower)
    return {"of_medians": of_medians, "run_by_run": spread(paired)}


def target(name: str, ratio: float, at_most: float, at: str) -> dict[str, Any]:
    """State a target, what was measured, and whether it is met."""
    return {"name": name, "at": at, "at_most": at_most, "ratio": ratio, "passed": ratio <= at_most}


# --- memory ---------------------------------------------------------------------------------


def own_peak() -> int:
    """Largest resident memory of this process so far [bytes]."""
    try:
        # after fork and exec ru_maxrss starts from the size of the parent; VmHWM does not
        for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def peak_memory(function: Callable[..., Any], *arguments: Any) -> dict[str, float]:
    """Run a function in a fresh process and measure its peak memory.

    Parameters
    ----------
    function : at the top level of a module
    arguments : what it is called with

    Returns
    -------
    dict
        ``peak_mib`` of the process, and ``above_start_mib``: how much of it came after the imports.

    Raises
    ------
    RuntimeError
        The process failed.
    """
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_measure, args=(sender, function, arguments))
    process.start()
    sender.close()
    try:
        start, peak = receiver.recv()
    except EOFError:
        process.join()
        raise RuntimeError(
            f"{function.__name__} failed in its own process, exit code {process.exitcode}"
        ) from None
    process.join()
    return {"peak_mib": peak / BYTES_PER_MIB, "above_start_mib": (peak - start) / BYTES_PER_MIB}


def _measure(sender: Any, function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    start = own_peak()
    function(*arguments)
    sender.send((start, own_peak()))


# --- the record -----------------------------------------------------------------------------


def machine() -> dict[str, Any]:
    """Describe the machine and the packages; no host name, no paths."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        for line in cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "cpu": model,
        "cores": os.cpu_count(),
        "memory_gib": round(memory / 2**30, 1),
        "system": platform.system(),
        "python": platform.python_version(),
        "packages": {name: version(name) for name in PACKAGES},
    }


def write(name: str, result: dict[str, Any], folder: Path) -> Path:
    """Write a result as ``<name>.json``: whole, or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.json"
    draft = path.with_suffix(".json.tmp")
    text = json.dumps(_rounded(result), indent=2, ensure_ascii=False, allow_nan=False)
    draft.write_text(text + "\n", encoding="utf-8")
    draft.replace(path)
    return path


def _rounded(value: Any) -> Any:
    """Floats with six digits, which is more than a clock tells; what must be exact is text."""
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(item) for item in value]
    return float(f"{value:.6g}") if isinstance(value, float) else value


# --- the command ----------------------------------------------------------------------------


class Steps:
    """A progress display of named steps."""

    def __init__(self, title: str, total: int) -> None:
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._title = title
        self._task = self._progress.add_task(title, total=total)

    def __enter__(self) -> Steps:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def next(self, step: str) -> None:
        """Say what is done now."""
        self._progress.update(self._task, advance=1, description=f"{self._title}: {step}")


def main(benchmarks: dict[str, Callable[[bool], dict[str, Any]]], about: str) -> None:
    """Run benchmarks from the command line and write their results."""
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--full", action="store_true", help="at the full sizes: takes minutes")
    parser.add_argument("--out", type=Path, default=RESULTS, metavar="DIR", help="where JSON goes")
    options = parser.parse_args()
    for name, run in benchmarks.items():
        started = time.perf_counter()
        result = {
            "benchmark": name,
            "size": "full" if options.full else "quick",
            "machine": machine(),
            **run(options.full),
        }
        result["seconds"] = time.perf_counter() - started
        write(name, result, options.out)
        _show(name, result)


def _show(name: str, result: dict[str, Any]) -> None:
    table = Table(
        title=f"{name} ({result['size']}, {result['seconds']:.0f} s)", title_justify="left"
    )
    for heading in ("target", "at", "at most", "measured", ""):
        table.add_column(heading, justify="right" if heading in ("at most", "measured") else "left")
    for one in result.get("targets", ()):
        mark = "[green]met[/]" if one["passed"] else "[red]missed[/]"
        table.add_row(one["name"], one["at"], f"{one['at_most']:.3g}", f"{one['ratio']:.3g}", mark)
    console.print(table)
