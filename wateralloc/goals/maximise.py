"""maximise: a named quantity of the basin, summed over its items and the horizon."""

from __future__ import annotations

from wateralloc.goals.quantity import QuantityGoal


class Maximise(QuantityGoal):
    """Make a quantity as large as it can be.

    The quantity is one of those in the results (spill, cost, outflow, evaporation, ...), or what a
    rule reports in ``accounts.csv``, as ``RULE.NAME``: the balance of an account, or a term of a
    rule of your own.  `of` names the items that count, `when: last` counts the last period only, as
    for storage at the end.  What is not linear, as energy and evaporation, counts by a
    straight line that follows the solution pass by pass.

    Equation
    --------
    maximise the sum of the quantity over its items and periods.

    Source
    ------
    Isermann (1982), Linear lexicographic optimization, OR Spektrum 4, 223-228 (goals in a strict
    order, each held while the next is optimised).

    Example
    -------
    .. code-block:: yaml

        goals:
          - maximise: {quantity: storage_end, of: [hoa_binh, son_la], when: last}
    """

    kind = "maximise"
    vi = "Đưa một đại lượng của kết quả về giá trị lớn nhất có thể."
    sense = "maximise"
