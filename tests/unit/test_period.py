"""The period: one balance, rules as rows, goals in order, units that agree."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyomo.environ as pyo
import pytest
from pyomo.core.base.units_container import UnitsError
from pyomo.util.check_units import assert_units_consistent, assert_units_equivalent

from tests.everything import everything
from tests.everything import parts as every_part
from tests.small import make_case
from wateralloc.catalogue import find
from wateralloc.errors import InputError
from wateralloc.goals.keep import Keep
from wateralloc.parts import unit
from wateralloc.period import Period, build_period, required_values


@pytest.fixture
def period(tmp_path: Path) -> Period:
    return build_period(everything(tmp_path))


def test_everything_is_in_the_case(tmp_path: Path) -> None:
    """A new part, rule or goal must be added to it, so that its units are checked below."""
    case = everything(tmp_path)
    assert {rule.kind for rule in case.rules} == set(find("rules"))
    assert {goal.kind for goal in case.goals} == set(find("goals"))
    for part in find("parts").values():
        for table in part.tables:
            used = {"projections"}  # a factor on demand, which has no part in the period
            assert table.name in used or not case.basin.tables[table.name].empty, table.name


# --- balance ------------------------------------------------------------------------------------


def test_balance_of_every_node_names_each_amount_with_its_sign(period: Period) -> None:
    signs = {node: {k: s for k, (s, _) in of.items()} for node, of in period.balance.items()}
    assert signs == {
        "head": {"inflow": 1, "link_out": -1, "withdrawal": -1},
        "lake": {
            "link_in": 1, "link_out": -1, "storage_start": 1, "storage_end": -1,
            "evaporation": -1, "rain": 1, "seepage": -1, "return_flow": 1, "withdrawal": -1,
        },
        "pond": {"link_out": -1, "storage_start": 1, "storage_end": -1, "storage_loss": -1},
        "fork": {
            "link_in": 1, "link_out": -1, "seepage_in": 1, "withdrawal": -1,
            "stream_depletion": -1, "delivery_seepage": 1,
        },
        "field": {"link_in": 1, "link_out": -1, "withdrawal": -1, "return_flow": 1},
        "ground": {
            "recharge": 1, "induced_recharge": 1, "storage_start": 1, "storage_end": -1,
            "link_out": -1, "withdrawal": -1,
        },
        "coast": {"link_in": 1, "link_out": -1, "withdrawal": -1},
        "gulf": {"link_in": 1, "link_out": -1},
        "sea": {"link_in": 1, "link_out": -1, "return_flow": 1},
    }  # fmt: skip


def test_balance_is_the_only_equation(period: Period) -> None:
    """Beside what a part needs to say what its variables are, and the accounts of rules."""
    equations = [
        row.name for row in period.model.component_data_objects(pyo.Constraint) if row.equality
    ]
    of_accounts = [name for name in equations if name.startswith("workings.")]
    assert {name.split("_")[0] for name in of_accounts} == {"workings.account", "workings.rights"}
    assert [name for name in equations if name not in of_accounts] == [
        "balance[head]", "balance[lake]", "balance[pond]", "balance[fork]", "balance[field]",
        "balance[ground]", "balance[coast]", "balance[gulf]", "balance[sea]", "pumped[ground]",
        "turbined_in_steps[tunnel_mill]", "channel_storage[ditch]", "delivered[mill]",
        "split_fixed[new_mouth]",
        "split_curved[to_branch]", "in_zones[lake]",
    ]  # fmt: skip


def test_amounts_of_the_balance_add_up_to_its_row(period: Period) -> None:
    m = period.model
    random = np.random.default_rng(1)
    for variable in m.component_data_objects(pyo.Var):
        variable.set_value(random.uniform(1, 9), skip_validation=True)
    for node, of in period.balance.items():
        total = sum(sign * pyo.value(amount) for sign, amount in of.values())
        np.testing.assert_allclose(pyo.value(m.balance[node].body), total, rtol=1e-12)


# --- rules --------------------------------------------------------------------------------------


def test_every_rule_has_rows_but_one_that_changes_data(period: Period) -> None:
    with_rows = {row.rule.name for row in period.rule_rows}
    assert {rule.name for rule in period.case.rules} - with_rows == {"abroad"}
    labels = [row.label for row in period.rule_rows]
    assert len(set(labels)) == len(labels)


def test_rows_of_rules_by_label_and_sense(period: Period) -> None:
    rows = {row.label: (row.rule.name, row.sense) for row in period.rule_rows}
    expected = {
        "delta": ("delta", ">="),
        "wish": ("wish", ">="),
        "levels_minimum_m": ("levels", ">="),
        "levels_maximum_hm3": ("levels", "<="),
        "cap": ("cap", "<="),
        "soft_cap": ("soft_cap", "<="),
        "gates": ("gates", ">="),
        "salt[gulf]": ("salt", ">="),
        "load": ("load", ">="),
        "passed_on": ("passed_on", ">="),
        "hands_off": ("hands_off", "<="),
        "rights[town]": ("rights", "<="),
        "rights[farms]": ("rights", "<="),
        "stages[irrigation]": ("stages", "<="),
        "own.keep": ("own", ">="),
    }
    assert {label: rows.get(label) for label in expected} == expected


def test_soft_rule_falls_short_on_its_own_side(period: Period) -> None:
    """A minimum gets its shortfall added, a cap taken off; `achieved` is without it."""
    m = period.model
    rows = {row.label: row for row in period.rule_rows if row.rule.soft}
    assert {label for _, label in m.shortfall} == set(rows)
    for variable in m.component_data_objects(pyo.Var):
        variable.set_value(1.0, skip_validation=True)
    for label, row in rows.items():
        shortfall = m.shortfall[row.rule.name, label]
        shortfall.set_value(5.0)
        sign = 1 if row.sense == ">=" else -1
        difference = pyo.value(row.constraint.body) - pyo.value(row.achieved)
        np.testing.assert_allclose(difference, sign * 5.0, err_msg=label)
        shortfall.set_value(1.0)


def rule_case(folder: Path, text: str) -> Any:
    (folder / "own.py").write_text(
        f"import pyomo.environ as pyo\n\n\ndef own(m, case):\n    {text}\n", encoding="utf-8"
    )
    rule = {"rule": "python", "name": "mine", "file": "own.py", "function": "own"}
    basin = {k: v for k, v in every_part().items() if k not in ("rules", "goals")}
    return make_case(folder, goals=[{"meet": {}}], rules=[rule], **basin)


@pytest.mark.parametrize(
    ("text", "row"),
    [
        ("m.fixed = pyo.Constraint(expr=m.flow['upper'] == 3)", "fixed"),
        ("m.between = pyo.Constraint(expr=(1, m.flow['upper'], 3))", "between"),
    ],
)
def test_row_with_two_limits_is_refused(tmp_path: Path, text: str, row: str) -> None:
    with pytest.raises(InputError, match=f"rule 'mine': row '{row}' is an equality or a range"):
        build_period(rule_case(tmp_path, text))


def test_rows_of_an_indexed_rule_are_told_apart(tmp_path: Path) -> None:
    text = "m.both = pyo.Constraint(['upper', 'lower'], rule=lambda m, k: m.flow[k] <= 99)"
    rows = build_period(rule_case(tmp_path, text)).rule_rows
    assert [row.label for row in rows] == ["mine.both[upper]", "mine.both[lower]"]
    assert [row.sense for row in rows] == ["<=", "<="]


def test_required_values_of_every_period(period: Period) -> None:
    rows = {row.label: row for row in period.rule_rows}
    assert required_values(rows["own.keep"], 1, 6).tolist() == [[0.0] * 6]
    wish = required_values(rows["wish"], 1, 6)
    np.testing.assert_allclose(wish, np.full((1, 6), 150 * 0.0864))
    # a quota in volume stands whole at the first period of its window
    np.testing.assert_allclose(required_values(rows["cap"], 1, 6), [[9, 0, 0, 0, 0, 0]])


# --- goals --------------------------------------------------------------------------------------


def test_soft_rules_stand_before_the_goal_they_name(period: Period) -> None:
    """A rule with a penalty has no goal of its own."""
    names = [goal.rule if isinstance(goal, Keep) else goal.kind for _, goal in period.goals]
    assert [number for number, _ in period.goals] == list(range(1, len(names) + 1))
    soft = {}
    for rule in period.case.rules:
        if rule.soft and rule.soft.penalty is None:
            soft.setdefault(rule.soft.goal, []).append(rule.name)
    expected = []
    for place, goal in enumerate(period.case.goals, 1):
        expected += [*soft.get(place, []), goal.kind]
    assert names == expected
    assert names[:4] == ["meet", "wish", "share", "prefer"]


# --- units --------------------------------------------------------------------------------------


def scalars(period: Period) -> Period:
    """Put one number into every Param: units are checked on scalars."""
    for param in period.model.component_data_objects(pyo.Param):
        if isinstance(param.value, np.ndarray):
            # not 0: Pyomo takes a limit of 0 for one without unit
            param.set_value(float(param.value.max()) or 1.0)
    return period


def check_units(period: Period) -> None:
    """Units agree within rows and expressions, of bounds, of what is carried and of results."""
    m = period.model
    assert_units_consistent(m)
    for variable in m.component_data_objects(pyo.Var):
        for bound in (variable.lower, variable.upper):
            if bound is not None and not isinstance(bound, (int, float)):
                assert_units_equivalent(variable, bound)
    for note in m.repeats.carried:
        assert_units_equivalent(note.now, note.before)
    for number, goal in period.goals:
        if goal.kind == "net_benefit":
            continue  # money has no unit
        is_energy = goal.kind == "firm_energy" or getattr(goal, "quantity", "") == "energy"
        assert_units_equivalent(goal.objective(m, number)[0], unit("GWh" if is_energy else "hm3"))
    for row in period.rule_rows:
        is_energy = row.rule.reported_in == "gwh"
        assert_units_equivalent(row.achieved, unit("GWh" if is_energy else "hm3"))
    for quantity in period.quantities():
        if quantity.units in ("hm3", "GWh"):
            for value in quantity.values.values():
                if not isinstance(value, (int, float)):
                    assert_units_equivalent(value, unit(quantity.units))


def units_agree(period: Period) -> bool:
    try:
        check_units(period)
    except UnitsError:
        return False
    return True


def test_units_agree(period: Period) -> None:
    check_units(scalars(period))


def united(m: pyo.ConcreteModel) -> Iterator[Any]:
    for component in m.component_objects((pyo.Param, pyo.Var)):
        if component.get_units() is not None and len(component):
            yield component


def test_wrong_unit_of_any_component_is_noticed(period: Period) -> None:
    """Each is given another unit in turn, so nothing that has a unit escapes the check."""
    m = scalars(period).model
    components = list(united(m))
    assert {"inflow", "withdrawal", "evaporation_depth", "goals.share_3.volume"} <= {
        component.name for component in components
    }
    for component in components:
        right = component._units
        component._units = pyo.units.second
        assert not units_agree(period), f"a wrong unit of {component.name} is not noticed"
        component._units = right
    check_units(period)
