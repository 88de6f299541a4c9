"""Metrics of results: of service, equity and stress, of reservoirs, plants, rules and goals."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
import xarray as xr

from wateralloc import metrics

ALL = "all"
"""Name of all demands together."""
CLAIMANTS = ("region", "province", "sector", "demand")
"""Who is served: scopes of the metrics of service, and of equity."""
SERVED = ("basin", *CLAIMANTS[:3], "region_sector", "demand")
"""Scopes of the metrics of service."""
_Row = tuple[str, list[str], str, np.ndarray]
"""Scope, names, metric and values (member, name)."""
Rows = Iterator[_Row]


def metric_table(dataset: xr.Dataset) -> pd.DataFrame:
    """Metrics of each member: of service (basin, region, sector, ...), of reservoirs and of rules.

    A claimant of several demands is short in a period when they lack water together.  Names end in
    the unit where there is one.
    """
    groups = {scope: _group(dataset, scope) for scope in SERVED}
    rows = [
        *_service(groups), *_equity(groups), *_storage(dataset), *_energy(dataset),
        *_through(dataset), *_kept(dataset), *_prices_of_sharing(dataset),
        *_sustained(groups, dataset["water_year"]), *_inequality(groups, dataset),
        *_profiles(groups), *_stress(groups, dataset),
    ]  # fmt: skip
    return _table(rows, dataset)


def service_table(dataset: xr.Dataset, scopes: Sequence[str]) -> pd.DataFrame:
    """Metrics of service of some scopes alone, which takes a fraction of the time of all.

    Parameters
    ----------
    scopes : of ``basin``, ``region``, ``province``, ``sector``, ``region_sector``, ``demand``
    """
    groups = {scope: _group(dataset, scope) for scope in scopes}
    return _table([*_service(groups), *_indices(groups, dataset["water_year"])], dataset)


def _table(rows: Iterable[_Row], dataset: xr.Dataset) -> pd.DataFrame:
    """Rows as one table, by member."""
    n_members, names = dataset.sizes["member"], dataset["member"].values
    frames = [
        pd.DataFrame({
            "member": np.repeat(names, len(items)), "scope": scope,
            "name": np.tile(np.asarray(items, object), n_members), "metric": metric,
            "value": np.broadcast_to(values, (n_members, len(items))).ravel(),
        })
        for scope, items, metric, values in rows
        if len(items)
    ]  # fmt: skip
    columns = ["member", "scope", "name", "metric", "value"]
    if not frames:
        return pd.DataFrame(columns=columns)
    table = pd.concat(frames, ignore_index=True)
    order = {name: k for k, name in enumerate(names)}
    by_member = np.argsort(table["member"].map(order).to_numpy(), kind="stable")
    return table.iloc[by_member].reset_index(drop=True)[columns]


@dataclass(frozen=True)
class _Group:
    """Demands of a scope by the name that they belong to.

    Attributes
    ----------
    names : of the scope
    label : name of each demand, empty where it has none (demand)
    demand, withdrawal : of all of a name together [hm3] (member, claimant, time)
    """

    names: list[str]
    label: np.ndarray
    demand: xr.DataArray
    withdrawal: xr.DataArray

    @cached_property
    def asked(self) -> xr.DataArray:
        """Demand of the horizon [hm3] (member, claimant)."""
        return self.demand.sum("time")

    @cached_property
    def served(self) -> xr.DataArray:
        """Satisfaction over the horizon (member, claimant)."""
        return metrics.volume_reliability(self.demand, self.withdrawal)

    @cached_property
    def short(self) -> xr.DataArray:
        """Whether less than is asked is withdrawn (member, claimant, time)."""
        return metrics.is_short(self.demand, self.withdrawal)


def _service(groups: dict[str, _Group]) -> Rows:
    for scope, group in groups.items():
        names, demand, withdrawal = group.names, group.demand, group.withdrawal
        short = group.short
        deficit = demand - withdrawal
        share = 1.0 - metrics.satisfaction(demand, withdrawal)
        found = {
            "demand_hm3": group.asked,
            "withdrawal_hm3": withdrawal.sum("time"),
            "deficit_hm3": deficit.sum("time"),
            "volume_reliability": group.served,
            "time_reliability": metrics.time_reliability(short),
            "resilience": metrics.resilience(short),
            "vulnerability_hm3": metrics.vulnerability(deficit, short),
            "vulnerability_share": metrics.vulnerability(share, short),
            "worst_deficit_hm3": metrics.worst_period(deficit, short),
            "worst_deficit_share": metrics.worst_period(share, short),
            "longest_failure_periods": metrics.longest_failure(short),
        }
        for metric, values in found.items():
            yield scope, names, metric, values.transpose("member", ...).values + 0.0


def _equity(groups: dict[str, _Group]) -> Rows:
    for claimant in CLAIMANTS:
        group = groups[claimant]
        if not group.names:
            continue
        served = group.served
        gini = metrics.gini(served, group.asked, "claimant").values[:, None]
        yield "basin", ["all"], f"gini_among_{claimant}", gini
        yield "basin", ["all"], f"least_served_{claimant}", served.min("claimant").values[:, None]


def _storage(dataset: xr.Dataset) -> Rows:
    names = list(dataset["reservoir"].values)
    storage = dataset["storage_end"]
    yield "reservoir", names, "lowest_storage_hm3", storage.min("time").values
    yield "reservoir", names, "highest_storage_hm3", storage.max("time").values
    yield "reservoir", names, "storage_at_end_hm3", storage.isel(time=-1).values
    for metric, quantity in (
        ("spill_hm3", "spill"), ("release_hm3", "release"), ("evaporation_hm3", "evaporation"),
    ):  # fmt: skip
        yield "reservoir", names, metric, dataset[quantity].sum("time").values
    levels = list(dataset["reservoir_with_level"].values)
    yield "reservoir", levels, "lowest_level_m", dataset["level"].min("time").values


def _energy(dataset: xr.Dataset) -> Rows:
    """Energy of each plant and of all; firm power is the least mean of a period."""
    if not dataset.sizes.get("plant", 0):
        return
    names, hours = list(dataset["plant"].values), dataset["days"] * 24
    of_plants = {
        "energy_gwh": dataset["energy"].sum("time"),
        "energy_spilled_gwh": dataset["energy_spilled"].sum("time"),
        "energy_value_million": dataset["energy_value"].sum("time"),
        "firm_power_mw": (1e3 * dataset["energy"] / hours).min("time"),
    }
    together = (1e3 * dataset["energy"].sum("plant") / hours).min("time")
    for metric, values in of_plants.items():
        total = together if metric == "firm_power_mw" else values.sum("plant")
        yield "plant", names, metric, values.transpose("member", "plant").values
        yield "basin", ["all"], metric, total.values[:, None]


def _through(dataset: xr.Dataset) -> Rows:
    """What enters and leaves the basin."""
    for name in ("inflow", "outflow"):
        volume = dataset[name].sum(["time", "node"]).values
        yield "basin", ["all"], f"{name}_hm3", volume[:, None]


def _kept(dataset: xr.Dataset) -> Rows:
    label = dataset["rule"].values
    names = list(dict.fromkeys(label))
    kept, slack = dataset["kept"].values, dataset["slack"].values
    if names:
        share = np.stack([kept[:, label == name].mean(axis=1) for name in names], axis=1)
        worst = np.stack([slack[:, label == name].min(axis=1) for name in names], axis=1)
        yield "rule", names, "share_kept", share
        yield "rule", names, "worst_shortfall", np.maximum(-worst, 0.0) + 0.0


def _prices_of_sharing(dataset: xr.Dataset) -> Rows:
    """What the rules of goals ``share`` do without, of the most that could be."""
    if not dataset.sizes.get("sharing", 0):
        return
    numbers, names = dataset["sharing_goal"].values, dataset["sharing_name"].values
    titles = [f"{number} {name}" for number, name in zip(numbers, names, strict=True)]
    has_value = dataset["sharing_has_value"].values.astype(bool)
    yield "goal", titles, "volume_price", dataset["sharing_volume_price"].values
    worth = dataset["sharing_value_price"].values[:, has_value]
    yield "goal", [t for t, has in zip(titles, has_value, strict=True) if has], "value_price", worth


# --- sustainability, inequality, profiles, stress: the last rows of a member -------------------


def _sustained(groups: dict[str, _Group], year: xr.DataArray) -> Rows:
    """Indices that put volume, time and depth of shortages into one number."""
    of_demands = _sustainability(groups["demand"])["sustainability_geometric"]
    for scope, group in groups.items():
        yield from _indices({scope: group}, year)
        if scope != "demand":
            mean = _mean_by(of_demands, groups["demand"].asked, group)
            yield scope, group.names, "sustainability_of_demands", mean


def _indices(groups: dict[str, _Group], year: xr.DataArray) -> Rows:
    """Shortage index and sustainability of each name by itself."""
    for scope, group in groups.items():
        yearly = (metrics.sum_by_year(v, year) for v in (group.demand, group.withdrawal))
        found = {"shortage_index": metrics.hec_shortage_index(*yearly), **_sustainability(group)}
        for metric, values in found.items():
            yield scope, group.names, metric, values.transpose("member", ...).values + 0.0


def _sustainability(group: _Group) -> dict[str, xr.DataArray]:
    short = group.short
    ratio = metrics.mean_shortage_ratio(group.demand, group.withdrawal, short)
    parts = metrics.time_reliability(short), metrics.resilience(short), ratio
    return {
        "vulnerability_mean_share": ratio,
        "sustainability_product": metrics.sustainability_product(*parts),
        "sustainability_geometric": metrics.sustainability_geometric(*parts),
    }


def _mean_by(measure: xr.DataArray, weight: xr.DataArray, group: _Group) -> np.ndarray:
    """Weighted mean over the demands of each name; 1 where they ask nothing."""
    measured, weights = (v.transpose("member", "claimant").values for v in (measure, weight))
    total = _gather(weights, group.label, group.names)
    amount = _gather(measured * weights, group.label, group.names)
    return np.divide(amount, total, out=np.ones_like(total), where=total > 0)


def _inequality(groups: dict[str, _Group], dataset: xr.Dataset) -> Rows:
    """Beside Gini: indices that look more at the worst off, or fall apart by region."""
    for claimant in CLAIMANTS:
        group = groups[claimant]
        if not group.names:
            continue
        served, asked = group.served, group.asked
        theil = metrics.theil(served, "claimant", asked)
        atkinson = metrics.atkinson(served, "claimant", weight=asked)
        yield "basin", ["all"], f"theil_among_{claimant}", theil.values[:, None]
        yield "basin", ["all"], f"atkinson_among_{claimant}", atkinson.values[:, None]
    if groups["region"].names:
        group = groups["demand"]
        region = xr.DataArray(dataset["region"].values.astype(str), dims="claimant")
        parts = metrics.theil_parts(group.served, region, "claimant", group.asked)
        for part in ("between", "within"):
            yield "basin", ["all"], f"theil_{part}_region", parts[part].values[:, None] + 0.0


def _profiles(groups: dict[str, _Group]) -> Rows:
    """Satisfactions from the worst off; the name of a row is its rank."""
    for claimant in CLAIMANTS:
        if groups[claimant].names:
            profile = metrics.leximin_profile(groups[claimant].served, "claimant")
            ranks = [str(rank) for rank in profile["rank"].values]
            yield f"leximin_{claimant}", ranks, "satisfaction", profile.values


def _stress(groups: dict[str, _Group], dataset: xr.Dataset) -> Rows:
    """Withdrawal beside what there is, of the basin and of each region that has nodes."""
    for scope in ("basin", "region"):
        group, inside = groups[scope], _inside(dataset, scope)
        names = [name for name in group.names if name in inside.values()]
        if not names:
            continue
        available = _available(dataset, inside, names)
        withdrawal = group.withdrawal.isel(claimant=[group.names.index(n) for n in names])
        yearly = [metrics.sum_by_year(v, dataset["water_year"]) for v in (withdrawal, available)]
        ratio = metrics.withdrawal_to_availability(*yearly)
        whole = metrics.withdrawal_to_availability(*(v.sum("time") for v in yearly))
        found = {
            "availability_hm3": available.sum("time"),
            "withdrawal_to_availability": whole,
            "highest_withdrawal_to_availability": ratio.max("time"),
        }
        for metric, values in found.items():
            yield scope, names, metric, values.values
        found = {
            "withdrawal_hm3": yearly[0], "availability_hm3": yearly[1],
            "withdrawal_to_availability": ratio,
        }  # fmt: skip
        years = [str(year) for year in ratio["time"].values]
        of_years = [y if scope == "basin" else f"{name}/{y}" for name in names for y in years]
        for metric, values in found.items():
            by_year = values.transpose("member", "claimant", "time").values
            yield f"{scope}_year", of_years, metric, by_year.reshape(-1, len(of_years))


def _inside(dataset: xr.Dataset, scope: str) -> dict[str, str]:
    """Name of the scope that each node is in; empty where it is in none."""
    nodes = dataset["node"].values
    if scope == "basin":
        return dict.fromkeys(map(str, nodes), ALL)
    return {str(n): str(r) for n, r in zip(nodes, dataset["node_region"].values, strict=True)}


def _available(dataset: xr.Dataset, inside: dict[str, str], names: list[str]) -> xr.DataArray:
    """Inflow and recharge within, and what links bring from outside [hm3] (member, name, time)."""
    into = [np.array([inside[str(node)] for node in dataset["node"].values], object)]
    brought = [dataset["inflow"].transpose("member", "node", "time").values]
    if "recharge" in dataset:
        into.append(np.array([inside[str(a)] for a in dataset["aquifer"].values], object))
        brought.append(dataset["recharge"].transpose("member", "aquifer", "time").values)
    ends = zip(dataset["link_from"].values, dataset["link_to"].values, strict=True)
    crossing = [(inside.get(str(a), ""), inside.get(str(b), "")) for a, b in ends]
    into.append(np.array([b if a != b else "" for a, b in crossing], object))
    brought.append(dataset["flow_out"].transpose("member", "link", "time").values)
    total = sum(_gather(v, label, names) for v, label in zip(brought, into, strict=True))
    return xr.DataArray(total, dims=("member", "claimant", "time"))


# --- groups of demands --------------------------------------------------------------------------


def _group(dataset: xr.Dataset, scope: str) -> _Group:
    if scope == "basin":
        label = np.full(dataset.sizes["demand"], ALL, object)
    elif scope == "region_sector":
        pairs = zip(dataset["region"].values, dataset["sector"].values, strict=True)
        label = np.array([f"{r}/{s}" if r else "" for r, s in pairs], object)
    else:
        label = dataset[scope].values
    names = [str(name) for name in dict.fromkeys(label) if name]
    volumes = [
        dataset[quantity].transpose("member", "demand", "time").values
        for quantity in ("demand_volume", "withdrawal")
    ]
    # without coordinates, all in one order: to align them took most of the time of small cases
    dims = ("member", "claimant", "time")
    return _Group(
        names, label, *(xr.DataArray(_gather(v, label, names), dims=dims) for v in volumes)
    )


def _gather(values: np.ndarray, label: np.ndarray, names: list[str]) -> np.ndarray:
    """Sum (member, item, ...) over the items of each name: (member, name, ...)."""
    position = {name: i for i, name in enumerate(names)}
    # members first in memory too: sums over the others then do not depend on how many there are
    total = np.zeros((values.shape[0], len(names), *values.shape[2:]))
    for item, name in enumerate(label):
        if name in position:
            total[:, position[name]] += values[:, item]
    return total
