"""From a solution to results: every quantity by label, the balance, rules, goals and prices.

The Dataset holds no NaN.  A quantity that an item does not have is 0 (a benefit without a value, a
loss of an outlet); what cannot be 0 stands on a dimension of the items that have it (a level).
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import xarray as xr

import wateralloc
from wateralloc.basin import Basin
from wateralloc.case import Case
from wateralloc.errors import ModelError, SolveError
from wateralloc.foresight.perfect import Solution
from wateralloc.foresight.ranges import Ranges, effort_of, find_ranges
from wateralloc.parts import items_of
from wateralloc.parts.reservoir import curve_of
from wateralloc.parts.sink import OUTLET, OUTSIDE
from wateralloc.results.accounts import account_variables
from wateralloc.results.basin_variables import basin_variables
from wateralloc.results.convergence import convergence_variables
from wateralloc.results.manifest import make_manifest
from wateralloc.results.prices import price_variables, rule_variables, stage_variables
from wateralloc.results.sharing import sharing_variables
from wateralloc.results.soft import soft_variables
from wateralloc.results.store import Results
from wateralloc.results.variables import MT, NOISE, Variable, clean, text, variable, whole

log = logging.getLogger(__name__)

RANGES = "withdrawal_ranges"
"""Attribute that says whether the ranges of deliveries were computed."""


def collect(
    solution: Solution, seconds: Mapping[str, float] | None = None, effort: float = np.inf
) -> Results:
    """Gather the results of a solved case.

    A solution that has its faces also gives the ranges of deliveries that the goals leave open.

    Parameters
    ----------
    seconds : times of the run so far, for the manifest, beside those of the solution
    effort : what may be spent on ranges, in linear programs times their columns

    Returns
    -------
    Results
        Its Dataset has dims member, time, node, link, reservoir, demand, rule, goal, stage, and
            those of what else the basin has (plant, aquifer, ...).

    Raises
    ------
    ModelError
        A number is not finite.
    """
    solution = _without_noise(solution)
    case = solution.case
    variables: dict[str, Variable] = {}
    dims = {"node", "link", "reservoir", "demand"}
    for quantity in solution.period.quantities():
        items = items_of(case.basin, quantity.dim)
        if not items and quantity.dim not in dims:
            continue  # a basin without plants has no energy
        dims.add(quantity.dim)
        # a variable cannot be named like its dimension
        name = f"{quantity.name}_volume" if quantity.name == quantity.dim else quantity.name
        known = [*quantity.values, *quantity.exact]
        values = _values(
            solution, items, {i: solution.value_of(quantity, i) for i in items if i in known}
        )
        variables[name] = variable(
            (*MT, quantity.dim),
            values,
            quantity.long_name,
            quantity.units,
            quantity.cell_methods,
        )
    variables |= _balance(solution)
    variables |= _levels(case.basin, variables["storage_end"][1])
    variables |= rule_variables(solution)
    variables |= stage_variables(solution)
    variables |= price_variables(solution)
    variables |= convergence_variables(solution)
    variables |= sharing_variables(solution)
    variables |= soft_variables(solution)
    variables |= account_variables(solution)
    variables |= basin_variables(case)
    ranges = _ranges(solution, effort)
    variables |= _range_variables(ranges) if ranges else {}
    attributes = _attributes(case) | {RANGES: _told(ranges)}
    dataset = xr.Dataset(variables, _coordinates(case, dims) | _words(case.basin), attributes)
    _check_finite(dataset)
    _set_encoding(dataset)
    times = solution.seconds | dict(seconds or {})
    times |= {"ranges": ranges.seconds} if ranges else {}
    return Results(dataset, make_manifest(solution, dataset, times))


def _ranges(solution: Solution, most: float) -> Ranges | None:
    """What the goals leave open, where it was kept; what fails is told, and costs no result."""
    if not solution.faces:
        return None
    effort = effort_of(solution)
    if effort > most:
        log.warning(
            "the ranges of deliveries are left out: to find them may take %.0f times as long as "
            "is spent on them unasked; add --ranges for all of them",
            effort / most,
        )
        return None
    try:
        return find_ranges(solution)
    except SolveError as error:
        log.warning("%s\nthe ranges of deliveries are left out of the results", error)
        return None


def _range_variables(ranges: Ranges) -> dict[str, Variable]:
    """Least and most of each withdrawal, and of the deficits of totals, over all optima."""
    totals, dims = ranges.totals, (*MT, "demand")
    over = "withdrawal that an optimum of all goals has"
    found = {
        "withdrawal_least": variable(
            dims, clean(ranges.least), f"least {over}", "hm3", "time: sum"
        ),
        "withdrawal_most": variable(dims, clean(ranges.most), f"greatest {over}", "hm3",
                                    "time: sum"),
        "total_scope": variable("total", text(totals.scope), "scope, as of metrics"),
        "total_name": variable("total", text(totals.name), "name, as of metrics"),
    }  # fmt: skip
    for end, values in (("least", totals.deficit_least), ("most", totals.deficit_most)):
        what = f"{end} deficit over the horizon, of these demands together, at an optimum"
        found[f"total_deficit_{end}"] = variable(("member", "total"), clean(values), what, "hm3")
    return found


def _told(ranges: Ranges | None) -> str:
    """Say in a line whether ranges were computed, and what they are."""
    if ranges is None:
        return "not computed"
    return (
        "least and most withdrawal over all optima of the goals in their order, lines and "
        "decisions of yes or no as at the result"
    )


def _without_noise(solution: Solution) -> Solution:
    """Put columns that the solver left outside their bounds by its tolerance at the bound.

    All numbers of the results follow from the columns, so they still agree with each other.
    """
    lp = solution.horizon.stack()
    x = np.clip(solution.x, lp.col_lower, lp.col_upper)
    can_be_zero = (lp.col_lower <= 0.0) & (lp.col_upper >= 0.0)
    return replace(solution, x=np.where(can_be_zero & (np.abs(x) <= NOISE), 0.0, x))


def _values(solution: Solution, items: list[str], known: Mapping[str, np.ndarray]) -> np.ndarray:
    """Values (member, time, item) from those by item, 0 where there are none."""
    case = solution.case
    values = np.zeros((case.n_members, case.n_periods, len(items)))
    for i, item in enumerate(items):
        if item in known:
            values[:, :, i] = known[item]
    return clean(values)


def _balance(solution: Solution) -> dict[str, Variable]:
    """Amounts of the balance of each node, and what is left of them."""
    balance = solution.period.balance
    nodes = list(balance)
    signs = {name: sign for amounts in balance.values() for name, (sign, _) in amounts.items()}
    variables: dict[str, Variable] = {}
    residual = np.zeros((solution.case.n_members, solution.case.n_periods, len(nodes)))
    for name, sign in sorted(signs.items()):
        values = _values(
            solution,
            nodes,
            {n: solution.value(of[name][1]) for n, of in balance.items() if name in of},
        )
        residual += sign * values
        variables[f"balance_{name}"] = variable(
            (*MT, "node"),
            values,
            f"{name.replace('_', ' ')} in the balance of the node",
            "hm3",
            "time: point" if name.startswith("storage") else "time: sum",
            balance_sign=sign,
        )
    meaning = "sum of the balance of the node, each amount with its balance_sign"
    return variables | {
        "residual": variable((*MT, "node"), residual + 0.0, meaning, "hm3", "time: sum")
    }


def _levels(basin: Basin, storage: np.ndarray) -> dict[str, Variable]:
    """Level and area at the end of each period, of the reservoirs whose curve has them.

    Parameters
    ----------
    storage : at the end of each period [hm3] (member, time, reservoir)
    """
    curves = [curve_of(basin, reservoir) for reservoir in items_of(basin, "reservoir")]
    variables: dict[str, Variable] = {}
    for quantity, units in (("level", "m"), ("area", "km2")):
        dim = f"reservoir_with_{quantity}"
        known = [
            (i, getattr(curve, quantity))
            for i, curve in enumerate(curves)
            if curve is not None and curve.has(quantity)
        ]
        values = np.zeros((*storage.shape[:2], len(known)))
        for k, (i, at_storage) in enumerate(known):
            values[:, :, k] = at_storage(storage[:, :, i])
        meaning = f"{quantity} of the reservoir at the end of the period"
        variables[quantity] = variable((*MT, dim), values, meaning, units, "time: point")
        names = text(items_of(basin, "reservoir")[i] for i, _ in known)
        variables[dim] = variable(dim, names, f"reservoirs whose {quantity} is known")
    return variables


def _coordinates(case: Case, dims: set[str]) -> dict[str, Any]:
    basin, timeline = case.basin, case.timeline
    nodes, links, demands = (basin.tables[name] for name in ("nodes", "links", "demands"))
    sinks = [node for node, kind in nodes["kind"].items() if kind == "sink"]
    edges = timeline.edges.astype("datetime64[ns]")
    bounds = np.stack([edges[:-1], edges[1:]], axis=1)
    found: dict[str, Any] = {
        "time": variable(
            "time", edges[:-1], "first day of the period",
            standard_name="time", axis="T", bounds="time_bnds",
        ),
        "time_bnds": (("time", "bnds"), bounds),
        "days": variable("time", timeline.days, "length of the period", "day"),
        "water_year": variable(
            "time", timeline.water_year.astype(np.int32),
            "calendar year in which the water year of the period starts",
        ),
        "member": variable(
            "member", text(member.name for member in case.members),
            "hydrology; one of the record has the name of its first month there",
        ),
    }  # fmt: skip
    for dim in sorted(dims):
        found[dim] = variable(dim, text(items_of(basin, dim)), f"name of the {dim}")
    for name, of_sink in (("from", sinks), ("to", [OUTSIDE] * len(sinks)),
                          ("kind", [OUTLET] * len(sinks))):  # fmt: skip
        words = text([*links[name], *of_sink])
        found[f"link_{name}"] = variable("link", words, f"{name} of the link")
    for name in ("kind", "region", "province", "sub_basin"):
        found[f"node_{name}"] = variable("node", text(nodes[name]), f"{name} of the node")
    lon, lat = (basin.values("nodes", name) for name in ("lon", "lat"))
    placed = [node for node in nodes.index if node in lon and node in lat]
    found["node_with_place"] = variable("node_with_place", text(placed), "name of the node")
    for name, values, word, unit in (("lon", lon, "longitude", "degrees_east"),
                                     ("lat", lat, "latitude", "degrees_north")):  # fmt: skip
        degrees = np.array([values[node] for node in placed], dtype=float)
        meaning = f"{word} of the node, WGS 84"
        found[name] = variable("node_with_place", degrees, meaning, unit, standard_name=word)
    found["demand_node"] = variable("demand", text(demands["node"]), "node of the demand")
    found["return_to"] = variable(
        "demand", text(demands["return_to"]), "node to which the rest of the demand returns"
    )
    for name in ("region", "province", "sector"):
        found[name] = variable("demand", text(demands[name]), f"{name} of the demand")
    found["priority"] = variable("demand", whole(demands["priority"]), "priority, 1 first")
    if "source" in dims:
        sources = basin.tables["sources"]
        for name, meaning in (("demand", "demand that it serves"), ("node", "node of the source")):
            found[f"source_{name}"] = variable("source", text(sources[name]), meaning)
        meaning = "place among the sources of the demand, 1 first"
        found["preference"] = variable("source", whole(sources["preference"]), meaning)
    return found


def _words(basin: Basin) -> dict[str, Variable]:
    """Names of everything in both languages, so that results read without the basin."""
    labelled = {
        "region": basin.regions, "province": basin.provinces, "sub_basin": basin.sub_basins,
        "sector": basin.sectors,
    }  # fmt: skip
    rows = [
        (of, name, label.get("en", ""), label.get("vi", ""))
        for of, labels in labelled.items()
        for name, label in labels.items()
    ]
    for of in ("node", "link", "demand", "plant"):
        table = basin.tables["hydropower" if of == "plant" else f"{of}s"]
        columns = (table.index, table["name_en"], table["name_vi"])
        rows += [(of, *words) for words in zip(*columns, strict=True)]
    meanings = {
        "of": "what is named", "name": "name in the tables", "en": "English name",
        "vi": "Vietnamese name",
    }  # fmt: skip
    return {
        f"word_{column}": variable("word", text(row[i] or row[1] for row in rows), meaning)
        for i, (column, meaning) in enumerate(meanings.items())
    }


def _attributes(case: Case) -> dict[str, Any]:
    return {
        "Conventions": "CF-1.11",
        "title": case.title.get("en", case.name),
        "title_vi": case.title.get("vi", case.name),
        "source": f"wateralloc {wateralloc.__version__}",
        "comment": "A study, not an official allocation. What an item does not have is 0.",
        "case": case.name,
        "basin": case.basin.name,
        "currency": case.basin.currency,
        "step": case.timeline.step,
        "water_year_start": case.timeline.water_year_start,
    }


def _check_finite(dataset: xr.Dataset) -> None:
    for name, values in dataset.variables.items():
        if values.dtype.kind == "f" and not np.isfinite(values.values).all():
            raise ModelError(f"'{name}' of the results has a number that is not finite")


def _set_encoding(dataset: xr.Dataset) -> None:
    """Say how the file keeps numbers: without loss, compressed, without a fill value."""
    for values in dataset.variables.values():
        if values.dtype.kind == "M":
            values.encoding = {
                "units": "days since 1970-01-01",
                "calendar": "proleptic_gregorian",
                "dtype": "int32",
                "_FillValue": None,
            }
        elif values.dtype.kind == "f":
            values.encoding = {"_FillValue": None, "zlib": True, "complevel": 4}
