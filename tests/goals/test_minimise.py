"""minimise: least spill of a lake, by hand; faults of the quantity."""

from pathlib import Path

import pytest

from tests.goals.lake import lake
from tests.small import check_golden, solve
from wateralloc import InputError

GOLDEN = Path(__file__).parent / "golden" / "minimise.lp"


def test_least_spill(tmp_path):
    """25 in day 1: 6 through the outlet, 10 kept, 9 spilled; day 2: 6 out."""
    solution, values = solve(lake(tmp_path, [{"minimise": "spill"}]))
    assert sum(values["spill"]["lake"]) == pytest.approx(9)
    assert solution.stages[0][0].name == "1 minimise spill"
    assert solution.stages[0][0].value == pytest.approx(9)


@pytest.mark.parametrize(
    ("goal", "text"),
    [
        ({"minimise": "spil"}, "E315 unknown quantity 'spil'; did you mean 'spill'"),
        ({"minimise": {"quantity": "spill", "of": ["lke"]}}, "E313 .*'lke'; did you mean 'lake'"),
    ],
)
def test_faults(tmp_path, goal, text):
    with pytest.raises(InputError, match=text):
        lake(tmp_path, [goal])


def test_golden(tmp_path):
    check_golden(lake(tmp_path, [{"minimise": "spill"}]), GOLDEN)
