"""Notes on how a period repeats, and the faults of such notes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyomo.environ as pyo
import pytest

from wateralloc.errors import ModelError
from wateralloc.repeats import Repeats


@pytest.fixture
def m() -> pyo.ConcreteModel:
    m = pyo.ConcreteModel()
    m.repeats = Repeats()
    m.a, m.b = pyo.Var(), pyo.Var()
    m.v = pyo.Var(["x", "y"])
    m.row = pyo.Constraint(["x", "y"], rule=lambda m, i: m.v[i] >= 0)
    return m


def test_what_is_noted(m: pyo.ConcreteModel) -> None:
    m.repeats.carry(m.a, m.b, 2, 5.0)
    (note,) = m.repeats.carried
    assert (note.now, note.before, note.lag, note.initial) == (m.a, m.b, 2, 5.0)
    m.repeats.share(m.v, [0, 0, 1])
    m.repeats.total(m.row["x"], np.array([0, -1, 0]))
    assert {id(m.v["x"]), id(m.v["y"])} == set(m.repeats.shared)
    assert m.repeats.common == set()
    assert set(m.repeats.totals) == {id(m.row["x"])}
    assert set(m.repeats.noted) == {
        id(v) for v in (m.a, m.b, m.v["x"], m.v["y"], m.row["x"])
    }  # fmt: skip


def test_shared_over_members_is_common(m: pyo.ConcreteModel) -> None:
    m.repeats.share(m.a, [0, 0], over_members=True)
    assert m.repeats.common == {id(m.a)}


def test_one_variable_may_be_carried_by_several(m: pyo.ConcreteModel) -> None:
    m.repeats.carry(m.v["x"], m.b, 1)
    m.repeats.carry(m.v["y"], m.b, 3)
    assert [note.lag for note in m.repeats.carried] == [1, 3]


@pytest.mark.parametrize("lag", [0, -1, 1.5])
def test_lag_is_a_whole_number_from_one(m: pyo.ConcreteModel, lag: Any) -> None:
    with pytest.raises(ModelError, match=rf"'a' is carried over {lag} periods; give a whole"):
        m.repeats.carry(m.a, m.b, lag)


def test_component_repeats_in_one_way(m: pyo.ConcreteModel) -> None:
    m.repeats.share(m.a, [0, 0])
    with pytest.raises(ModelError, match="'a' has a note already"):
        m.repeats.carry(m.a, m.b)
    with pytest.raises(ModelError, match="'a' has a note already"):
        m.repeats.share(m.a, [0, 1])
    m.repeats.total(m.row["y"], [0, 0])
    with pytest.raises(ModelError, match=r"'row\[y\]' has a note already"):
        m.repeats.total(m.row, [0, 0])


def test_share_leaves_no_period_out(m: pyo.ConcreteModel) -> None:
    with pytest.raises(ModelError, match="'a' is shared over a window that leaves periods out"):
        m.repeats.share(m.a, [0, -1])


def test_windows_may_overlap_in_a_total(m: pyo.ConcreteModel) -> None:
    m.repeats.total(m.row, [[0, 1], np.array([1, 2, 4])])
    assert {id(one) for one in m.row.values()} == set(m.repeats.totals)
    assert [run.tolist() for run in m.repeats.totals[id(m.row["x"])]] == [[0, 1], [1, 2, 4]]
    assert m.repeats.totals[id(m.row["x"])] is m.repeats.totals[id(m.row["y"])]


def test_no_window_at_all_is_a_total_without_rows(m: pyo.ConcreteModel) -> None:
    m.repeats.total(m.row, [])
    assert m.repeats.totals[id(m.row["x"])] == ()


@pytest.mark.parametrize(
    ("windows", "text"),
    [
        ([[1, 0]], r"a window of 'row' has the periods \[1, 0\]; give one or more"),
        ([[0, 0]], r"has the periods \[0, 0\]; .* in time order"),
        ([[-1, 0]], r"has the periods \[-1, 0\]; .* counted from 0"),
        ([np.empty(0, int)], r"has the periods \[\]; give one or more"),
        ([[0, 1], [1]], r"'row' end in the periods \[1, 1\]; each must end later"),
        ([[0.5, 1]], "give one whole number for each period"),
    ],
)
def test_overlapping_windows_are_in_time_order(
    m: pyo.ConcreteModel, windows: Any, text: str
) -> None:
    with pytest.raises(ModelError, match=text):
        m.repeats.total(m.row, windows)
    assert not m.repeats.noted


@pytest.mark.parametrize("window", [[0.0, 1.0], np.array([[0, 1]]), "ab", 3])
def test_window_is_one_whole_number_a_period(m: pyo.ConcreteModel, window: Any) -> None:
    with pytest.raises(ModelError, match="give one whole number for each period"):
        m.repeats.total(m.row, window)
    with pytest.raises(ModelError, match="the window of 'v' is"):
        m.repeats.share(m.v, window)


def test_note_that_is_refused_leaves_nothing(m: pyo.ConcreteModel) -> None:
    """A second, right note is taken after a wrong one."""
    with pytest.raises(ModelError):
        m.repeats.carry(m.a, m.b, 0)
    with pytest.raises(ModelError):
        m.repeats.share(m.a, [0, -1])
    assert not m.repeats.noted
    m.repeats.carry(m.a, m.b, 1)
