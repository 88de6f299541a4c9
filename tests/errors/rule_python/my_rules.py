"""Rules of the user, with faults."""

import pyomo.environ as pyo


def keep_water(m, case, share):
    """Multiply two things that are decided, and fix a flow."""
    m.product = pyo.Constraint(expr=m.flow["lower"] * m.withdrawal["town_domestic"] >= share)
    m.fixed = pyo.Constraint(expr=m.flow["lower"] == 3)
    m.gate = pyo.Var(within=pyo.NonNegativeIntegers)
    return {"a fee": m.flow["lower"]}


def hide(m, case):
    """Limit the basin where no row of a rule stands."""
    m.workings.hidden = pyo.Constraint(expr=m.flow["lower"] <= 3)
