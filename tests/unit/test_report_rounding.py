"""Rounding that keeps totals: by hand, and on random tables."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wateralloc.report import rounding
from wateralloc.report.rounding import round_line, round_table

numbers = st.one_of(
    st.just(0.0),
    st.floats(0, 1e5, allow_nan=False),
    st.integers(0, 999).map(lambda n: n / 20),  # halves of the last digit
)
DECIMALS = 1
Table = tuple[np.ndarray, list[list[int]], list[list[int]]]


@st.composite
def tables(draw: st.DrawFn) -> Table:
    """A table of groups of rows with subtotals, and columns; totals of each way may be absent."""
    n_columns = draw(st.integers(1, 5))
    groups = draw(st.lists(st.integers(1, 4), min_size=1, max_size=4))
    has_groups, has_rows, has_columns = (draw(st.booleans()) for _ in range(3))
    rows: list[list[int]] = []
    lines: list[list[float]] = []
    for size in groups:
        here = []
        for _ in range(size):
            here.append(len(rows))
            rows.append([len(rows)])
            lines.append(draw(st.lists(numbers, min_size=n_columns, max_size=n_columns)))
        if has_groups:
            rows.append(here)
            lines.append([sum(lines[i][j] for i in here) for j in range(n_columns)])
    own = [i for i, of in enumerate(rows) if of == [i]]
    if has_rows:
        rows.append(own)
        lines.append([sum(lines[i][j] for i in own) for j in range(n_columns)])
    values = np.array(lines)
    columns = [[j] for j in range(n_columns)]
    if has_columns:
        columns.append(list(range(n_columns)))
        values = np.column_stack([values, values.sum(1)])
    for i in own:  # what does not exist
        for j in range(n_columns):
            if values[i, j] == 0.0 and draw(st.booleans()):
                values[i, j] = np.nan
    return values, rows, columns


@given(tables())
@settings(max_examples=300, deadline=None)
def test_random_tables_add_up(table: Table) -> None:
    values, rows, columns = table
    rounded = round_table(values, rows, columns, DECIMALS)
    np.testing.assert_array_equal(np.isnan(rounded.numbers), np.isnan(values))
    units = np.rint(np.nan_to_num(rounded.numbers) * 10**DECIMALS)
    for i, of in enumerate(rows):
        np.testing.assert_array_equal(units[i], units[of].sum(0))
    for j, of in enumerate(columns):
        np.testing.assert_array_equal(units[:, j], units[:, of].sum(1))
    exact = np.nan_to_num(values) * 10**DECIMALS
    assert np.abs(units - exact).max() < 1.0
    assert rounded.off < 1.0
    if (len(rows[-1]) > 1 and len(columns[-1]) > 1) or values.size == 1:
        assert abs(units[-1, -1] - exact[-1, -1]) <= 0.5 + 1e-5  # that of all is the nearest


@given(st.lists(st.floats(0, 0.999), min_size=1, max_size=12))
def test_largest_remainders_are_rounded_up(shares: list[float]) -> None:
    up = round_line(np.array(shares), [list(range(len(shares)))])
    assert up.sum() == np.floor(sum(shares) + 0.5)
    raised = [s for s, one in zip(shares, up, strict=True) if one]
    assert all(s <= min(raised, default=1.0) for s, one in zip(shares, up, strict=True) if not one)


def test_two_ways_by_hand() -> None:
    """Rounded each by itself the halves give rows of 2 and 0, or columns of 2 and 0."""
    cells = np.array([[0.5, 0.5], [0.5, 0.5]])
    values = np.vstack([cells, cells.sum(0)])
    values = np.column_stack([values, values.sum(1)])
    parts = [[0], [1], [0, 1]]
    found = round_table(values, parts, parts, 0).numbers
    assert found[2].tolist() == [1, 1, 2]
    assert found[:, 2].tolist() == [1, 1, 2]
    assert sorted(found[:2, :2].ravel()) == [0, 0, 1, 1]


def test_nested_totals_are_rounded_from_the_outermost_down() -> None:
    """1.2 of 0.4 three times is 1; of its parts 0.8 and 0.4 the first is 1."""
    values = np.array([0.4, 0.4, 0.8, 0.4, 0.4, 1.2])[:, None]
    rows = [[0], [1], [0, 1], [3], [3], [0, 1, 3]]
    assert round_table(values, rows, [[0]], 0).numbers.ravel().tolist() == [1, 0, 1, 0, 0, 1]


def test_whole_numbers_stay() -> None:
    noisy = np.array([[0.1 + 0.2, 0.7 - 1e-16], [0.6, 0.4]])  # 0.3 with an error in its last bit
    values = np.vstack([noisy, noisy.sum(0)])
    values = np.column_stack([values, values.sum(1)])
    parts = [[0], [1], [0, 1]]
    found = round_table(values, parts, parts, 1)
    assert found.numbers.tolist() == [[0.3, 0.7, 1.0], [0.6, 0.4, 1.0], [0.9, 1.1, 2.0]]


def test_table_that_is_too_large_tells_how_far_its_totals_are_off(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rounding, "MOST_CELLS", 3)
    values = np.full((5, 5), 0.4)
    values[4], values[:, 4] = 1.6, 1.6
    values[4, 4] = 6.4
    parts = [[0], [1], [2], [3], [0, 1, 2, 3]]
    found = round_table(values, parts, parts, 0)
    assert found.numbers[4, 4] == 0.0  # it still adds up
    assert found.off == pytest.approx(6.4)
