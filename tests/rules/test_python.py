"""python: a user's own rule: rows, variables, accounts and terms by hand, and its faults."""

from pathlib import Path

import pytest

from tests.basins import month_starts
from tests.small import check_golden, inflow, make_case, solve
from wateralloc import InputError
from wateralloc.foresight.perfect import solve_perfect
from wateralloc.period import build_period

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
    m.gate = pyo.Var(within=pyo.NonNegativeIntegers)


def all_or_nothing(m, case, least):
    m.open = pyo.Var(within=pyo.Binary)
    m.nothing = pyo.Constraint(expr=m.withdrawal["rice"] - 99 * m.open <= 0)
    m.least = pyo.Constraint(expr=m.flow["reach"] - least * m.open >= 0)


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


def bank(m, case, rule, right, loss=0.0):
    own = pyo.Block(concrete=True)
    m.workings.add_component(rule.name, own)
    own.deposited = pyo.Var(["rice", "maize"], bounds=(0, None))
    own.drawn = pyo.Var(["rice", "maize"], bounds=(0, None))
    own.before = pyo.Var()
    own.balance = pyo.Var(bounds=(0, 100))
    m.repeats.carry(own.before, own.balance, initial=1)
    own.account = pyo.Constraint(
        expr=own.balance
        == (1 - loss) * own.before + pyo.quicksum(own.deposited.values())
        - pyo.quicksum(own.drawn.values())
    )
    rule.require(
        m,
        {
            d: (m.withdrawal[d] + own.deposited[d] - own.drawn[d], np.full(case.n_periods, right))
            for d in m.demand
        },
        "<=",
    )
    return {"paid": (3 * own.drawn["rice"], "million")}


def largest(m, case):
    window = case.timeline.window("horizon")
    m.workings.peak = pyo.Var(bounds=(0, None))
    m.repeats.share(m.workings.peak, window)
    m.workings.is_peak = pyo.Constraint(expr=m.withdrawal["rice"] - m.workings.peak <= 0)
    once = np.zeros(case.n_periods)
    once[0] = 1
    m.workings.once = pyo.Param(initialize=once, mutable=True, within=pyo.Any)
    return {"charge": m.workings.once * m.workings.peak}


def in_head(m, case):
    m.hours = pyo.Param(initialize=24 * case.timeline.days, mutable=True, within=pyo.Any)
    m.workings.power = pyo.Var(bounds=(0, None), units=pyo.units.GWh)
    m.workings.rate = pyo.Var(bounds=(0, 9), units=pyo.units.m**3 / pyo.units.s)
    m.workings.of_power = pyo.Constraint(expr=m.hours * m.workings.power == m.flow["reach"])


def given(m, case):
    return {"given": 2 * m.inflow["river"]}


def unseen(m, case):
    m.workings.tie = pyo.Constraint(expr=m.flow["reach"] == 3)


def twice(m, case):
    m.one = pyo.Block(concrete=True)
    m.one.x = pyo.Var()
    m.x = pyo.Var()


def curved_term(m, case):
    return {"fee": m.flow["reach"] ** 2}


def text_term(m, case):
    return {"fee": "high"}


def bad_term(m, case):
    return {"a fee": m.flow["reach"]}


def unit_term(m, case):
    return {"fee": (m.flow["reach"], 3)}


def same_term(m, case):
    m.fee = pyo.Var()
    return {"fee": m.flow["reach"]}


def reports_twice(m, case, rule):
    m.fee = pyo.Var()
    rule.report(m, "fee", {"a": m.flow["reach"], "b": m.withdrawal["rice"]})


def bare_term(m, case):
    return m.flow["reach"]


def of_pieces(m, case):
    m.order = pyo.SOSConstraint(var=m.flow, sos=1)
"""


def farm(
    folder,
    function,
    *,
    goals=None,
    soft=None,
    more_demands=(),
    more=None,
    series=None,
    **arguments,
):
    folder.mkdir(exist_ok=True)
    (folder / "my_rules.py").write_text(RULES, encoding="utf-8")
    rule = {"rule": "python", "name": "own", "file": "my_rules.py", "function": function}
    if arguments:
        rule["arguments"] = arguments
    if soft:
        rule["soft"] = {"goal": soft}
    return make_case(
        folder,
        periods=3,
        goals=goals or [{"meet": {}}],
        more=more,
        rules=[rule],
        nodes=[{"name": "river", "kind": "inflow"}, {"name": "sea", "kind": "sink"}],
        links=[{"name": "reach", "from": "river", "to": "sea", "kind": "reach"}],
        demands=[
            {"name": "rice", "node": "river", "sector": "irrigation", "annual_hm3": 9 * 365},
            *more_demands,
        ],
        series=series or inflow(river=[9, 12, 30]),
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
        ("not_continuous", {}, r"E314 rule 'own': variable 'gate' takes whole numbers; it must be"),
        ("of_another_length", {}, r"E314 .*'owed' is of shape \(7,\); must be .* 3 periods"),
        ("not_a_number", {}, r"E314 .*'owed' has values that are not a number \(NaN\)"),
        ("with_an_objective", {}, r"E314 .*'most' is an objective, which would have no effect"),
        ("a_range", {}, r"my_rules\.py:\d+: E314 .*row 'keep' is an equality or a range"),
        ("limit_is_nan", {}, r"E314 .*limit of row 'keep' is not a number \(NaN\)"),
        ("leaves", {}, r"my_rules\.py:60: E314 rule 'own' failed: SystemExit: 7"),
        ("unseen", {}, r"E314 .*'workings\.tie' has no variable of a rule in it, so that it would"),
        (
            "twice",
            {},
            r"E314 rule 'own': two of its variables or reports are called 'x'; give each",
        ),
        ("reports_twice", {}, r"E314 rule 'own': two of its variables or reports are called 'fee'"),
        ("curved_term", {}, r"E314 rule 'own': term 'fee' is not a linear expression .*flow"),
        ("text_term", {}, r"E314 rule 'own': term 'fee' is not a linear expression .*high"),
        ("bad_term", {}, r"E314 rule 'own': name 'a fee' of a term is not valid"),
        ("unit_term", {}, r"E314 rule 'own': term 'fee' must be an expression, or \(expression, "),
        (
            "same_term",
            {},
            r"E314 rule 'own': term 'fee' is called as a variable or report is; give",
        ),
        ("bare_term", {}, r"E314 rule 'own': the function returns a \w+; return nothing, or terms"),
        ("of_pieces", {}, r"E314 rule 'own': 'order' is a SOSConstraint, which would have no eff"),
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


# --- variables, accounts, terms -------------------------------------------------------------------

MAIZE = {"name": "maize", "node": "river", "sector": "irrigation", "demand_hm3_day": 4}
ENOUGH = inflow(river=[20, 20, 20])


def test_account_lends_from_one_user_and_day_to_another(tmp_path):
    """Right 6 a day each; 1 is in the bank and half is lost a day.  Rice asks 9 and maize 4.

    Every day maize, which comes first, leaves 2, and rice would draw 3.  On day 1 half of the 1 is
    left: 2.5 can be drawn.  What is kept loses half, so all is drawn at once: rice has 8.5 then,
    and 8 on days 2 and 3, which is 24.5 of the 27 it asks.
    """
    goals = [{"meet": {"demands": ["maize"]}}, {"meet": {}}]
    case = farm(
        tmp_path, "bank", goals=goals, right=6, loss=0.5, more_demands=[MAIZE], series=ENOUGH
    )
    solution, values = solve(case)
    assert sum(values["withdrawal"]["rice"]) == pytest.approx(24.5)
    assert values["withdrawal"]["maize"] == pytest.approx([4, 4, 4])
    assert solution.stages[0][1].value == pytest.approx(2.5 / 39)
    reports = {(r.name, r.item): solution.value(r.value)[0] for r in solution.period.model.reports}
    assert reports["before", ""] == pytest.approx([1, 0, 0])
    assert reports["balance", ""] == pytest.approx([0, 0, 0])
    assert reports["drawn", "rice"] == pytest.approx([2.5, 2, 2])
    assert reports["paid", ""] == pytest.approx([7.5, 6, 6])
    assert [row.label for row in solution.period.rule_rows] == ["own[rice]", "own[maize]"]


def test_account_of_a_soft_rule(tmp_path):
    """Meeting all comes first: 2.5 beyond the rights; the equation of the account still holds."""
    case = farm(tmp_path, "bank", right=6, loss=0.5, soft=2, more_demands=[MAIZE], series=ENOUGH)
    solution, values = solve(case)
    assert sum(values["withdrawal"]["rice"]) == pytest.approx(27)
    assert [s.value for s in solution.stages[0]] == pytest.approx([0, 2.5])
    (row,) = [r for r in solution.period.rule_rows if r.label == "own[rice]"]
    assert solution.value(row.achieved)[0] - 6 == pytest.approx(
        solution.value(solution.period.model.shortfall["own", "own[rice]"])[0]
    )


def test_a_goal_takes_a_variable_at_the_end(tmp_path):
    """Before users are met, all rights are deposited: 12 a day, 1 + 36 at the end without loss."""
    goals = [{"maximise": {"quantity": "own.balance", "when": "last"}}, {"meet": {}}]
    solution, values = solve(farm(tmp_path, "bank", goals=goals, right=6, more_demands=[MAIZE]))
    first = solution.stages[0][0]
    assert (first.name, first.unit) == ("1 maximise own.balance at the end", "hm3")
    assert first.value == pytest.approx(37)
    assert sum(values["withdrawal"]["rice"]) == pytest.approx(0)


def test_a_goal_takes_items_of_a_variable(tmp_path):
    """No deposit of maize: rice keeps to its 6, and the 1 it finds in the bank."""
    goals = [{"minimise": {"quantity": "own.deposited", "of": ["maize"]}}, {"meet": {}}]
    solution, values = solve(farm(tmp_path, "bank", goals=goals, right=6, more_demands=[MAIZE]))
    assert solution.stages[0][0].name == "1 minimise own.deposited of maize"
    assert sum(values["withdrawal"]["rice"]) == pytest.approx(19)


def test_a_term_in_its_unit_and_a_value_shared_by_all_periods(tmp_path):
    """Of 27 asked all can be had; the largest day is then 9.  With no user first, it is 0."""
    goals = [{"meet": {}}, {"minimise": "own.charge"}]
    solution, _ = solve(farm(tmp_path, "largest", goals=goals))
    assert [s.value for s in solution.stages[0]] == pytest.approx([0, 9])
    assert solution.stages[0][1].name == "2 minimise own.charge"
    (peak,) = [r for r in solution.period.model.reports if r.name == "peak"]
    assert solution.value(peak.value)[0] == pytest.approx([9, 9, 9])
    _, values = solve(farm(tmp_path, "largest", goals=goals[::-1]))
    assert values["withdrawal"]["rice"] == pytest.approx([0, 0, 0])


def test_every_member_has_an_account_of_its_own(tmp_path):
    """Rights of 100 a month each, in a year with water and in one without; both ask for more.

    With water all of 3 x 200 is withdrawn, and the 1 in the bank; without, the bank fills up to its
    limit of 100.
    """
    months = month_starts("2001-01", 24)
    case = farm(
        tmp_path,
        "bank",
        goals=[{"meet": {}}, {"maximise": {"quantity": "own.balance", "when": "last"}}],
        more_demands=[MAIZE],
        more={
            "timeline": {"start": "2001-01-01", "periods": 3, "step": "month"},
            "hydrology": {"record": "historic", "members": "all"},
        },
        series={"inflow_hm3_day": {"date": months, "river": [50] * 12 + [0] * 12}},
        right=100,
    )
    solution = solve_perfect(case)
    m = solution.period.model
    taken = sum(solution.value(m.withdrawal[d]) for d in m.demand).sum(axis=1)
    assert taken == pytest.approx([601, 0])
    assert [stages[1].value for stages in solution.stages] == pytest.approx([0, 100])


def test_units_of_what_is_reported(tmp_path):
    model = build_period(farm(tmp_path, "in_head")).model
    assert {r.name: r.units for r in model.reports} == {"power": "GWh", "rate": "m3s"}
    model = build_period(farm(tmp_path, "bank", right=6, more_demands=[MAIZE])).model
    units = {r.name: r.units for r in model.reports}
    assert (units["balance"], units["paid"]) == ("hm3", "million")


def test_equations_of_an_account_with_data_by_period(tmp_path):
    solution = solve_perfect(farm(tmp_path, "in_head"))
    m = solution.period.model
    assert 24 * solution.value(m.workings.power) == pytest.approx(solution.value(m.flow["reach"]))
    assert solution.period.rule_rows == ()


@pytest.mark.parametrize(
    ("function", "goal", "text"),
    [
        ("largest", "own.chrge", r"case\.yaml:\d+:\d+: E315 goal minimise: unknown quantity "
         r"'own\.chrge'; did you mean 'own\.charge'"),
        ("largest", "other.sum", r"unknown quantity 'other\.sum'; rules report own\.charge, own"),
        ("keep_a_third", "own.x", r"unknown quantity 'own\.x'; no rule of the case reports"),
        ("given", "own.given", r"E315 goal minimise: 'own\.given' does not depend on what is"),
        ("largest", {"quantity": "own.peak", "of": ["a"]}, r"E313 .*'own\.peak' has no items"),
    ],
)  # fmt: skip
def test_faults_of_a_goal_on_what_a_rule_reports(tmp_path, function, goal, text):
    with pytest.raises(InputError, match=text):
        build_period(farm(tmp_path, function, goals=[{"meet": {}}, {"minimise": goal}]))


def test_fault_of_an_item(tmp_path):
    goals = [{"minimise": {"quantity": "own.drawn", "of": ["rcie"]}}]
    with pytest.raises(InputError, match=r"E313 .*item of own\.drawn 'rcie'; did you mean 'rice'"):
        build_period(farm(tmp_path, "bank", goals=goals, right=6, more_demands=[MAIZE]))


def test_a_decision_of_yes_or_no(tmp_path):
    """Rice may take only where 7 pass the reach: of 9, 12 and 30 come 2, 5 and all 9."""
    whole = {"integers": True, "linearisation": "fixed"}
    goals = [{"meet": {}}, {"minimise": "own.open"}]
    case = farm(tmp_path, "all_or_nothing", least=7, more=whole, goals=goals)
    solution, values = solve(case)
    assert values["withdrawal"]["rice"] == pytest.approx([2, 5, 9])
    (report,) = [r for r in solution.period.model.reports if r.name == "open"]
    assert report.units == "1"
    assert solution.value(report.value)[0].tolist() == [1, 1, 1]
    case = farm(tmp_path / "more", "all_or_nothing", least=11, more=whole, goals=goals)
    solution, values = solve(case)
    assert values["withdrawal"]["rice"] == pytest.approx([0, 1, 9], abs=1e-6)


def test_a_decision_needs_leave_of_the_case(tmp_path):
    with pytest.raises(InputError, match="E332 rule 'own' makes decisions of yes or no"):
        build_period(farm(tmp_path, "all_or_nothing", least=7))


def test_golden(tmp_path):
    """Rows of the rule, an account that is none, and a goal on a term."""
    goals = [{"minimise": "own.paid"}, {"meet": {}}]
    case = farm(tmp_path, "bank", goals=goals, right=6, loss=0.25, more_demands=[MAIZE])
    check_golden(case, GOLDEN)
