"""maximise: a named quantity of the basin, summed over its items and the horizon."""

from __future__ import annotations

from wateralloc.goals.quantity import QuantityGoal


class Maximise(QuantityGoal):
    """Make a quantity as large as it can be.

    The quantity is one of those in the results (spill, cost, outflow, evaporation, ...); `of`
    names the items that count, `when: last` counts the last period only.

    Equation
    --------
    maximise the sum of the quantity over its items and periods.

    Example
    -------
    .. code-block:: yaml

        goals:
          - maximise: {quantity: storage_end, of: [hoa_binh, son_la], when: last}
    """

    kind = "maximise"
    sense = "maximise"
