"""Tidy tables of results: one row for each member, period and item, floats as they are."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import xarray as xr

from wateralloc import metrics
from wateralloc.results.measures import metric_table
from wateralloc.units import HM3_PER_M3, SECONDS_PER_DAY

BALANCE = (
    "inflow", "link_in", "return_flow", "withdrawal", "evaporation", "storage_start", "storage_end",
    "link_out",
)  # fmt: skip
"""Amounts of ``balance.csv`` before the residual; those of other parts follow it."""
RANGES = ("withdrawal_least", "withdrawal_most")
"""What the goals leave open, where it was computed."""


def make_tables(dataset: xr.Dataset) -> dict[str, pd.DataFrame]:
    """Every table of results by the name of its file."""
    return {
        name: make(dataset)
        for name, make in TABLES.items()
        if name not in OPTIONAL or dataset.sizes.get(OPTIONAL[name], 0)
    }


def allocation(dataset: xr.Dataset) -> pd.DataFrame:
    """What each demand asked and got; `return_flow_hm3` is withdrawal less consumption.

    `water_value` is the deficit avoided [hm3] by 1 hm3 more at the demand's node.  A demand with
    sources of its own (``sources.csv``) is shown at the node where it lies, although its water
    comes from others: the withdrawals of ``balance.csv`` at a node then are not those here.

    Where the ranges were computed, `withdrawal_least_hm3` and `withdrawal_most_hm3` are the least
    and the most that the demand withdraws in the period at any optimum of all goals; equal ones
    say that the goals fix it.
    """
    demand, withdrawal = dataset["demand_volume"], dataset["withdrawal"]
    return _frame(
        dataset, "demand",
        region=dataset["region"], province=dataset["province"], node=dataset["demand_node"],
        demand=dataset["demand"], sector=dataset["sector"], priority=dataset["priority"],
        demand_hm3=demand, withdrawal_hm3=withdrawal, deficit_hm3=dataset["deficit"],
        satisfaction=metrics.satisfaction(demand, withdrawal),
        consumption_hm3=dataset["consumption"], return_flow_hm3=dataset["return_flow"],
        water_value=dataset["water_value"],
        **{f"{name}_hm3": dataset[name] for name in RANGES if name in dataset},
    )  # fmt: skip


def balance(dataset: xr.Dataset) -> pd.DataFrame:
    """Water balance of each node.

    ``inflow + link_in + return_flow - withdrawal - evaporation + storage_start - storage_end -
    link_out = residual``; an amount of another part stands after the residual, which has it with
    the sign of the attribute ``balance_sign`` in ``results.nc``.  `return_flow_hm3` is what arrives
    at the node in the period.
    """
    signed = [
        str(name).removeprefix("balance_")
        for name, variable in dataset.data_vars.items()
        if "balance_sign" in variable.attrs
    ]
    absent = xr.zeros_like(dataset["residual"])
    columns = {f"{name}_hm3": dataset.get(f"balance_{name}", absent) for name in BALANCE}
    columns["residual_hm3"] = dataset["residual"]
    columns |= {f"{name}_hm3": dataset[f"balance_{name}"] for name in signed if name not in BALANCE}
    return _frame(dataset, "node", node=dataset["node"], **columns)


def links(dataset: xr.Dataset) -> pd.DataFrame:
    """Water in each link: what enters in the period, what arrives, and what of it was lost.

    A sink is a link of kind ``outlet`` to ``outside``.  `flow_m3s` is the mean flow that enters.
    ``in_transit_start + flow_in - loss - flow_out = in_transit_end``: what is on its way in a link
    that has a lag or stores water.
    """
    flow = dataset["flow_in"] / (dataset["days"] * SECONDS_PER_DAY * HM3_PER_M3)
    columns = {
        "link": dataset["link"], "from": dataset["link_from"], "to": dataset["link_to"],
        "kind": dataset["link_kind"], "flow_in_hm3": dataset["flow_in"],
        "loss_hm3": dataset["loss"], "flow_out_hm3": dataset["flow_out"], "flow_m3s": flow,
        "in_transit_start_hm3": dataset["in_transit_start"],
        "in_transit_end_hm3": dataset["in_transit"],
    }  # fmt: skip
    return _frame(dataset, "link", **columns)


def sources(dataset: xr.Dataset) -> pd.DataFrame:
    """What each source of a demand gave; only of demands that have sources of their own.

    ``drawn = delivered + delivery_loss``; the withdrawal of a demand is what all its sources
    deliver.  `cost` is in millions of the basin's currency.
    """
    drawn, loss = dataset["drawn"], dataset["delivery_loss"]
    return _frame(
        dataset, "source",
        source=dataset["source"], demand=dataset["source_demand"], node=dataset["source_node"],
        preference=dataset["preference"], drawn_hm3=drawn, delivered_hm3=drawn - loss,
        delivery_loss_hm3=loss, cost=dataset["source_cost"],
    )  # fmt: skip


def reservoirs(dataset: xr.Dataset) -> pd.DataFrame:
    """State and releases of each reservoir; level and area are those of the end of the period.

    A level or area is empty where the reservoir has no curve of it.
    """
    names = dataset["reservoir"].values
    known = {}
    for quantity in ("level", "area"):
        dim = f"reservoir_with_{quantity}"
        known[quantity] = dataset[quantity].rename({dim: "reservoir"}).reindex(reservoir=names)
    return _frame(
        dataset, "reservoir",
        reservoir=dataset["reservoir"],
        storage_start_hm3=dataset["storage_start"], storage_end_hm3=dataset["storage_end"],
        level_m=known["level"], area_km2=known["area"], evaporation_hm3=dataset["evaporation"],
        release_hm3=dataset["release"], spill_hm3=dataset["spill"],
        rain_hm3=dataset["rain"], seepage_hm3=dataset["seepage"],
    )  # fmt: skip


def aquifers(dataset: xr.Dataset) -> pd.DataFrame:
    """State and pumping of each aquifer; `induced_recharge_hm3` is what its stream loses to it.

    `pumping_cost` is in millions of the basin's currency.
    """
    return _frame(
        dataset, "aquifer",
        aquifer=dataset["aquifer"],
        storage_start_hm3=dataset["aquifer_start"], storage_end_hm3=dataset["aquifer_end"],
        recharge_hm3=dataset["recharge"], induced_recharge_hm3=dataset["induced_recharge"],
        pumping_hm3=dataset["pumping"], pumping_cost=dataset["pumping_cost"],
    )  # fmt: skip


def energy(dataset: xr.Dataset) -> pd.DataFrame:
    """Energy of each plant; `head_m` is the net head at the mean storage of the period.

    `energy_value` is in millions of the basin's currency, 0 where a plant has no price.
    """
    flow = dataset["turbined"] / (dataset["days"] * SECONDS_PER_DAY * HM3_PER_M3)
    return _frame(
        dataset, "plant",
        plant=dataset["plant"], energy_gwh=dataset["energy"], head_m=dataset["head"],
        turbine_m3s=flow, energy_spilled_gwh=dataset["energy_spilled"],
        energy_value=dataset["energy_value"],
    )  # fmt: skip


def passes(dataset: xr.Dataset) -> pd.DataFrame:
    """Passes of each member, while what is not linear was solved again at its result.

    `value` is the first goal that lines are in, computed without lines; `kept` marks the passes
    that were the best so far, of which the last is shown.
    """
    return pd.DataFrame({
        "member": dataset["pass_member"].values, "pass": dataset["pass_number"].values,
        "value": dataset["pass_value"].values, "foretold": dataset["pass_foretold"].values,
        "step": dataset["pass_step"].values, "error": dataset["pass_error"].values,
        "radius": dataset["pass_radius"].values,
        "kept": np.where(dataset["pass_is_kept"].values > 0, "true", "false"),
        "whole": np.where(dataset["pass_is_whole"].values > 0, "true", "false"),
    })  # fmt: skip


def sharing(dataset: xr.Dataset) -> pd.DataFrame:
    """Claim and award of each claimant of a goal ``share``, in each window and tier.

    `round` is the program in which the award was settled: the lower, the less the claimant could be
    given.  `satisfaction` is 1 where nothing is claimed.
    """
    n_members, n_rows = dataset.sizes["member"], dataset.sizes["award"]

    def over_members(values: np.ndarray) -> np.ndarray:
        return np.tile(values, n_members)

    claim, award = dataset["award_claim"], dataset["award_volume"]
    return pd.DataFrame({
        "member": np.repeat(dataset["member"].values, n_rows),
        "goal": over_members(dataset["award_goal"].values),
        "tier": over_members(dataset["award_tier"].values),
        "rule": over_members(dataset["award_rule"].values),
        "claimant": over_members(dataset["award_claimant"].values),
        "window_start": over_members(_dates(dataset["award_start"].values)),
        "window_end": over_members(_dates(dataset["award_end"].values)),
        "claim_hm3": claim.values.ravel(), "award_hm3": award.values.ravel(),
        "satisfaction": metrics.satisfaction(claim, award).values.ravel(),
        "round": dataset["award_round"].values.ravel(),
        "level": dataset["award_level"].values.ravel(),
    })  # fmt: skip


def rules(dataset: xr.Dataset) -> pd.DataFrame:
    """What each rule asked and what came of it; a window stands at its first period.

    `slack` is below 0 where the rule is broken.  `shadow_price` is by how much one unit more of the
    requirement, or one unit less of a cap, worsens the first objective that the rule binds, in the
    unit of that objective (``shadow_price_stage`` in ``results.nc`` says which).
    """
    n_members, n_rows = dataset.sizes["member"], dataset.sizes["rule"]

    def over_members(name: str) -> np.ndarray:
        return np.tile(dataset[name].values, n_members)

    return pd.DataFrame({
        "member": np.repeat(dataset["member"].values, n_rows),
        "period_start": np.tile(_dates(dataset["rule_start"].values), n_members),
        "rule": over_members("rule"), "kind": over_members("rule_kind"),
        "required": dataset["required"].values.ravel(),
        "achieved": dataset["achieved"].values.ravel(),
        "unit": over_members("rule_unit"),
        "slack": dataset["slack"].values.ravel(),
        "shadow_price": dataset["shadow_price"].values.ravel(),
        "kept": np.where(dataset["kept"].values.ravel(), "true", "false"),
    })  # fmt: skip


def soft_rules(dataset: xr.Dataset) -> pd.DataFrame:
    """What each soft rule missed, what that costs, and at which price it would be kept.

    `price`, `kept_from`, `least` and `cost` are empty where the rule comes by the order of goals;
    `kept_from` also where no more is missed than must be, which is `least`.
    """
    n_members, n_rules = dataset.sizes["member"], dataset.sizes["soft_rule"]

    def over_members(name: str) -> np.ndarray:
        return np.tile(dataset[name].values, n_members)

    def by_member(name: str) -> np.ndarray:
        return dataset[name].values.ravel()

    penalty, goal = over_members("soft_penalty"), over_members("soft_goal")
    has_price = penalty > 0
    way = [f"{'penalty in ' if p else ''}goal {g}" for p, g in zip(has_price, goal, strict=True)]
    kept_from = by_member("soft_kept_from")
    return pd.DataFrame({
        "member": np.repeat(dataset["member"].values, n_rules),
        "rule": over_members("soft_rule"), "kind": over_members("soft_kind"), "soft": way,
        "windows": over_members("soft_windows"), "broken": by_member("soft_broken"),
        "missed": by_member("soft_missed"), "missed_unit": over_members("soft_missed_unit"),
        "worst": by_member("soft_worst"), "unit": over_members("soft_unit"),
        "worst_start": np.where(
            by_member("soft_broken") > 0, _dates(by_member("soft_worst_start")), ""
        ),
        "penalty": np.where(has_price, penalty, np.nan),
        "price": np.where(has_price, by_member("soft_price"), np.nan),
        "kept_from": np.where(kept_from > 0, kept_from, np.nan),
        "least": np.where(has_price, by_member("soft_least"), np.nan),
        "cost": np.where(has_price, by_member("soft_cost"), np.nan),
        "cost_unit": np.where(has_price, over_members("soft_cost_unit"), ""),
    })  # fmt: skip


def accounts(dataset: xr.Dataset) -> pd.DataFrame:
    """What rules report of each period: balances of accounts, and the like."""
    return _frame(
        dataset, "account",
        rule=dataset["account_rule"], item=dataset["account_item"],
        quantity=dataset["account_quantity"], value=dataset["account_value"],
        unit=dataset["account_unit"],
    )  # fmt: skip


def _frame(dataset: xr.Dataset, dim: str, **columns: xr.DataArray) -> pd.DataFrame:
    """Lay columns out over member, time and one more dimension, in that order."""
    sizes = {name: dataset.sizes[name] for name in ("member", "time", dim)}
    shape = tuple(sizes.values())

    def spread(array: np.ndarray, along: int) -> np.ndarray:
        view = [1, 1, 1]
        view[along] = -1
        return np.broadcast_to(array.reshape(view), shape).ravel()

    frame = {
        "member": spread(dataset["member"].values, 0),
        "period_start": spread(_dates(dataset["time"].values), 1),
    }
    for name, column in columns.items():
        if column.dims == (dim,):
            frame[name] = spread(column.values, 2)
        else:
            frame[name] = column.transpose(*sizes).values.ravel()
    return pd.DataFrame(frame)


def _dates(times: np.ndarray) -> np.ndarray:
    return np.datetime_as_string(times.astype("datetime64[D]")).astype(object)


TABLES: dict[str, Callable[[xr.Dataset], pd.DataFrame]] = {
    "allocation": allocation, "sources": sources, "balance": balance, "links": links,
    "reservoirs": reservoirs, "aquifers": aquifers, "energy": energy, "passes": passes,
    "rules": rules, "soft_rules": soft_rules, "accounts": accounts, "sharing": sharing,
    "metrics": metric_table,
}  # fmt: skip
OPTIONAL = {
    "sources": "source", "aquifers": "aquifer", "energy": "plant", "passes": "pass",
    "sharing": "award", "soft_rules": "soft_rule", "accounts": "account",
}  # fmt: skip
"""Tables that are made only of a basin that has such items, by the dimension of these."""
