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


def not_linear(m, case):
    m.keep = pyo.Constraint(expr=m.flow["reach"] * m.withdrawal["rice"] >= 1)


def not_continuous(m, case):
    m.gate = pyo.Var(within=pyo.Binary)


def of_another_length(m, case):
    m.owed = pyo.Param(initialize=np.ones(7), mutable=True, within=pyo.Any)


def not_a_number(m, case):
    m.owed = pyo.Param(initialize=np.array([1, np.nan, 1]), mutable=True, within=pyo.Any)


def with_an_objective(m, case):
    m.most = pyo.Objective(expr=m.flow["reach"])


def a_range(m, case):
    m.keep = pyo.Constraint(expr=(0, m.flow["reach"], 3))


def limit_is_nan(m, case):
    m.keep = pyo.Constraint(expr=m.flow["reach"] >= float("nan"))


def leaves(m, case):
    raise SystemExit(7)
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
        ("not_linear", {}, r"my_rules\.py:25: E314 rule 'own': row 'keep' is not linear: flow"),
        ("not_continuous", {}, r"E314 rule 'own': variable 'gate' is not continuous"),
        ("of_another_length", {}, r"E314 .*'owed' is of shape \(7,\); must be .* 3 periods"),
        ("not_a_number", {}, r"E314 .*'owed' has values that are not a number \(NaN\)"),
        ("with_an_objective", {}, r"E314 .*'most' is an objective, which would have no effect"),
        ("a_range", {}, r"my_rules\.py:\d+: E314 .*row 'keep' is an equality or a range"),
        ("limit_is_nan", {}, r"E314 .*limit of row 'keep' is not a number \(NaN\)"),
        ("leaves", {}, r"my_rules\.py:54: E314 rule 'own' failed: SystemExit: 7"),
    ],
)
def test_faults_of_the_function(tmp_path, function, arguments, text):
    with pytest.raises(InputError, match=text):
        solve(farm(tmp_path, function, **arguments))


def test_line_of_a_fault_in_a_file_that_is_named_from_here(tmp_path, monkeypatch):
    """Commands run in the folder of the study, so that paths are relative."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=r"^my_rules\.py:18: E314 rule 'own' failed"):
        solve(farm(Path(), "broken"))


def test_golden(tmp_path):
    check_golden(farm(tmp_path, "keep_a_third"), GOLDEN)
