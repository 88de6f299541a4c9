"""What users draw, lose, consume and return is exact, from the results alone, on any basin."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.properties.basins import flows, rivers
from tests.small import make_case
from wateralloc.foresight.perfect import solve_perfect
from wateralloc.results import collect


@st.composite
def rivers_with_sources(draw: st.DrawFn) -> dict[str, Any]:
    """A river some of whose users draw elsewhere, lose water on the way, or withdrew before."""
    river = draw(rivers())
    names = [node["name"] for node in river["nodes"]]
    sources = []
    for user in river["demands"]:
        user["initial_withdrawal_hm3_day"] = draw(flows)
        for i in range(draw(st.integers(0, 2))):
            loss = draw(st.sampled_from([0, 0.2, 0.9]))
            sources.append(
                {
                    "name": f"{user['name']}_{i}",
                    "demand": user["name"],
                    "node": draw(st.sampled_from(names)),
                    "preference": draw(st.integers(1, 3)),
                    "capacity_hm3_day": draw(st.one_of(st.none(), flows)),
                    "loss_fraction": loss,
                    "loss_to": draw(st.sampled_from(["", *names])) if loss else None,
                }
            )
    return river | ({"sources": sources} if sources else {})


def close(one: Any, other: Any) -> None:
    np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-6)


def check_returns(dataset: xr.Dataset) -> None:
    """What returns later is on its way meanwhile, and arrives at a node."""
    start, end = (
        dataset[f"return_in_transit_{when}"].transpose(..., "time").values
        for when in ("start", "end")
    )
    leaves, arrives = (
        dataset[name].transpose(..., "time").values for name in ("return_flow", "return_arriving")
    )
    close(end, start + leaves - arrives)
    close(start[..., 1:], end[..., :-1])
    assert min(start.min(), end.min()) >= 0
    if "balance_return_flow" in dataset:
        close(arrives.sum(axis=1), dataset["balance_return_flow"].sum("node").values)


def check_sources(dataset: xr.Dataset) -> None:
    """What is drawn at the nodes reaches a demand or is lost, and of the loss some seeps."""
    by_node = dataset["balance_withdrawal"].sum("node")
    withdrawal = dataset["withdrawal"]
    if "source" not in dataset.dims:
        close(by_node, withdrawal.sum("demand"))
        return
    drawn, loss = dataset["drawn"], dataset["delivery_loss"]
    close(by_node, withdrawal.sum("demand") + loss.sum("source"))
    for name in withdrawal["demand"].values:
        own = dataset["source_demand"].values == name
        if own.any():
            reached = (drawn - loss)[..., own].sum("source")
            close(reached, withdrawal.sel(demand=name))
    if "balance_delivery_seepage" in dataset:
        close(dataset["delivery_seepage"].sum("source"),
              dataset["balance_delivery_seepage"].sum("node"))  # fmt: skip


@given(river=rivers_with_sources())
@settings(max_examples=25)
def test_what_users_do_with_water_adds_up(river: dict[str, Any]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        case = make_case(Path(folder), goals=[{"meet": {}}, {"prefer": {}}], **river)
        dataset = collect(solve_perfect(case)).dataset
    check_returns(dataset)
    check_sources(dataset)
    assert float(abs(dataset["residual"]).max()) <= 1e-6
