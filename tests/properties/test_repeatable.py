"""Random examples are the same in every run, whatever ran before."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from tests.conftest import constants_of_the_package


def examples() -> list[Any]:
    found: list[Any] = []

    @settings(max_examples=200, phases=[Phase.generate])
    @given(st.lists(st.integers() | st.floats(allow_nan=False) | st.text()))
    def gather(values: list[Any]) -> None:
        found.extend(values)

    gather()
    return found


def test_loaded_modules_change_no_example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = examples()
    module = ModuleType("loaded_in_between")
    module.__file__ = str(tmp_path / "loaded_in_between.py")
    constants = [*range(12345, 12845), *(f"word {n}" for n in range(500))]
    Path(module.__file__).write_text(f"VALUES = {constants}\n", encoding="utf-8")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    assert examples() == before


def test_constants_of_the_program_are_tried() -> None:
    assert set(constants_of_the_package().floats) & set(examples())
