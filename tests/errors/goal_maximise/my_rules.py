"""A rule of the user that forbids nothing: it tells the largest withdrawal."""

import pyomo.environ as pyo


def largest_withdrawal(m, case):
    """Name what a goal may take."""
    m.workings.peak = pyo.Var(bounds=(0, None))
    m.repeats.share(m.workings.peak, case.timeline.window("horizon"))
    m.workings.is_peak = pyo.Constraint(expr=m.withdrawal["town_irrigation"] - m.workings.peak <= 0)
    return {"charge": 2 * m.workings.peak}
