"""Settings of all tests."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.internal.conjecture import providers
from hypothesis.internal.constants_ast import Constants, _constants_from_source

# Tests are as wide as a pipe: a worker of pytest-xdist is told the size of some terminal.
for name in ("COLUMNS", "LINES"):
    os.environ.pop(name, None)

# The same examples on every machine, and no time limit on one: a slow machine is no fault.
settings.register_profile(
    "repeatable", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("repeatable")

PACKAGE = Path(__file__).resolve().parents[1] / "wateralloc"


@cache
def constants_of_the_package() -> Constants:
    """Numbers and words of the program, for Hypothesis to try now and then.

    By itself it takes those of all modules loaded so far, so that its examples would depend on the
    tests that ran before, and on the worker.
    """
    found = providers._local_constants
    for path in sorted(PACKAGE.rglob("*.py")):
        found |= _constants_from_source(path.read_bytes(), limit=True)
    return found


providers._get_local_constants = constants_of_the_package


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the figures that tests recorded as their property ``figure``, of workers too."""
    for report in terminalreporter.getreports("passed"):
        for name, text in report.user_properties:
            if name == "figure":
                terminalreporter.write_line(str(text))
