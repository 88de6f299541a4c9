"""minimise: a named quantity of the basin, summed over its items and the horizon."""

from __future__ import annotations

from wateralloc.goals.quantity import QuantityGoal


class Minimise(QuantityGoal):
    """Make a quantity as small as it can be.

    The quantity is one of those in the results (spill, cost, outflow, evaporation, ...); `of`
    names the items that count, `when: last` counts the last period only.

    Equation
    --------
    minimise the sum of the quantity over its items and periods.

    Example
    -------
    .. code-block:: yaml

        goals:
          - minimise: spill
          - minimise: {quantity: flow_in, of: [transfer_canal]}
    """

    kind = "minimise"
    sense = "minimise"
