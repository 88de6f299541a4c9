"""maximise: most storage of a lake at the end, after least spill, by hand."""

from pathlib import Path

import pytest

from tests.goals.lake import lake
from tests.small import check_golden, solve

GOLDEN = Path(__file__).parent / "golden" / "maximise.lp"


def test_most_storage_at_the_end(tmp_path):
    goal = {"maximise": {"quantity": "storage_end", "of": ["lake"], "when": "last"}}
    solution, values = solve(lake(tmp_path, [{"minimise": "spill"}, goal]))
    # least spill (9) leaves 16, of which 6 leave on day 1; 10 stay on both days
    assert values["storage_end"]["lake"] == pytest.approx([10, 10])
    assert solution.stages[0][1].value == pytest.approx(10)


def test_golden(tmp_path):
    goal = {"maximise": {"quantity": "storage_end", "when": "last"}}
    check_golden(lake(tmp_path, [{"minimise": "spill"}, goal]), GOLDEN)
