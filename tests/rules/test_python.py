"""python: a user's own rule, per period and summed over a window, and its faults."""

from pathlib import Path

import pytest

from tests.small import check_golden, inflow, make_case, solve
from wateralloc import InputError

GOLDEN = Path(__file__).parent / "golden" / "python.lp"

RULES = """\
import numpy as np
import pyomo.environ as pyo


def keep_a_third(m, case):
    m.keep = pyo.Constraint(expr=m.flow["reach"] - m.inflow["river"] / 3 >= 0)


def keep_in_all(m, case, volume):
    required = np.zeros(case.n_periods)
    required[0] = volume
    m.owed = pyo.Param(initialize=required, mutable=True, within=pyo.Any)
    m.keep_in_all = pyo.Constraint(expr=m.flow["reach"] >= m.owed)
    m.repeats.total(m.keep_in_all, case.timeline.window("horizon"))


def broken(m, case):
    m.keep = pyo.Constraint(expr=m.flow["rech"] >= 1)


def takes_nothing():
    pass
"""


def farm(folder, function, **arguments):
    (folder / "my_rules.py").write_text(RULES, encoding="utf-8")
    rule = {"rule": "python", "name": "own", "file": "my_rules.py", "function": function}
    if arguments:
        rule["arguments"] = arguments
    return make_case(
        folder,
        periods=3,
        goals=[{"meet": {}}],
        rules=[rule],
        nodes=[{"name": "river", "kind": "inflow"}, {"name": "sea", "kind": "sink"}],
        links=[{"name": "reach", "from": "river", "to": "sea", "kind": "reach"}],
        demands=[{"name": "rice", "node": "river", "sector": "irrigation", "annual_hm3": 9 * 365}],
        series=inflow(river=[9, 12, 30]),
    )


def test_row_in_every_period(tmp_path):
    solution, values = solve(farm(tmp_path, "keep_a_third"))
    assert values["withdrawal"]["rice"] == pytest.approx([6, 8, 9])
    (row,) = solution.period.rule_rows
    assert row.label == "own.keep"
    assert solution.stages[0][0].rule_price["own.keep"] == pytest.approx([1, 1, 0])


def test_row_summed_over_a_window(tmp_path):
    """27 asked of 51 in all; 26 must pass, so 25 can be taken, not 27."""
    _, values = solve(farm(tmp_path, "keep_in_all", volume=26))
    assert sum(values["withdrawal"]["rice"]) == pytest.approx(25)


@pytest.mark.parametrize(
    ("function", "arguments", "text"),
    [
        ("keep_a_thrid", {}, r"case\.yaml:\d+:\d+: E314 .*did you mean 'keep_a_third'"),
        ("takes_nothing", {}, r"E314 .*must take \(m, case\)"),
        ("keep_in_all", {}, r"E314 .*missing a required argument: 'volume'"),
        ("broken", {}, r"my_rules\.py:18: E314 rule 'own' failed: KeyError"),
    ],
)
def test_faults_of_the_function(tmp_path, function, arguments, text):
    with pytest.raises(InputError, match=text):
        solve(farm(tmp_path, function, **arguments))


def test_golden(tmp_path):
    check_golden(farm(tmp_path, "keep_a_third"), GOLDEN)
