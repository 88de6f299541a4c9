"""A price is a slope: the deficit never falls faster than the price of water says."""

from __future__ import annotations

import tempfile
from copy import deepcopy
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.properties.basins import rivers
from tests.small import make_case
from wateralloc.foresight.perfect import solve_perfect
from wateralloc.results import Results, collect


def results_of(river: dict[str, Any]) -> Results:
    with tempfile.TemporaryDirectory() as folder:
        return collect(solve_perfect(make_case(Path(folder), goals=[{"meet": {}}], **river)))


@given(river=rivers(), period=st.integers(0, 5), more=st.sampled_from([0.5, 20.0, -0.5]))
@settings(max_examples=15)
def test_price_of_water_bounds_what_more_or_less_of_it_does(
    river: dict[str, Any], period: int, more: float
) -> None:
    """The least deficit is convex in the inflow: it lies above the line whose slope is the price.

    deficit(inflow + more) >= deficit(inflow) + balance_price x more, for more of either sign.
    """
    columns = river["series"]["inflow_hm3_day"]
    node = next(name for name in columns if name != "date")
    period %= river["periods"]
    more = max(more, -columns[node][period])
    other = deepcopy(river)
    other["series"]["inflow_hm3_day"][node][period] += more
    before, after = results_of(river), results_of(other)
    price = float(before.dataset["balance_price"].sel(goal=1, node=node)[0, period])
    assert price <= 1e-9, "more water never adds to the deficit where spill is free"
    least = float(before.dataset["deficit"].sum()) + price * more
    assert float(after.dataset["deficit"].sum()) >= least - 1e-6
