"""From a solution to results: every quantity by label, the balance, rules, goals and prices.

The Dataset holds no NaN.  A quantity that an item does not have is 0 (a benefit without a value, a
loss of an outlet); what cannot be 0 stands on a dimension of the items that have it (a level).
"""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Iterable, Mapping
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

import wateralloc
from wateralloc.basin import Basin
from wateralloc.case import Case
from wateralloc.errors import ModelError
from wateralloc.foresight.perfect import Solution, StageOptimum
from wateralloc.goals.meet import Meet
from wateralloc.goals.share import Share
from wateralloc.parts import items_of
from wateralloc.parts.reservoir import curve_of
from wateralloc.parts.sink import OUTLET, OUTSIDE
from wateralloc.period import Period, RuleRow, required_values
from wateralloc.results.store import Results
from wateralloc.solve import OPTIONS
from wateralloc.units import HM3_PER_M3

NOISE = 1e-9
"""Amounts up to this [hm3] are rounding of the solver, and are written as 0."""
KEPT = 1e-6
"""A rule whose shortfall is up to this [hm3] is kept."""
PRICED = 1e-9
"""A dual above this is a price."""
PACKAGES = ("pyomo", "highspy", "numpy", "scipy", "pandas", "xarray", "netCDF4", "pydantic")

MTD = ("member", "time")
Variable = tuple[Any, Any, dict[str, Any]]


def collect(solution: Solution, seconds: Mapping[str, float] | None = None) -> Results:
    """Gather the results of a solved case.

    Parameters
    ----------
    seconds : times of the run so far by what they were spent on, for the manifest; they need not
        have those of the solution

    Returns
    -------
    Results
        With one Dataset; dims member, time, node, link, reservoir, demand, rule_row, goal, stage.

    Raises
    ------
    ModelError
        A number is not finite.
    """
    solution = _without_noise(solution)
    case, period = solution.case, solution.period
    variables: dict[str, Variable] = {}
    for quantity in period.quantities():
        items = items_of(case.basin, quantity.dim)
        values = _stack(solution, items, quantity.values)
        name = f"{quantity.name}_volume" if quantity.name == quantity.dim else quantity.name
        variables[name] = (
            (*MTD, quantity.dim), values,
            _attrs(quantity.units, quantity.long_name, quantity.cell_methods),
        )
    variables |= _balance(solution)
    variables |= _levels(case.basin, variables["storage_end"][1])
    variables |= _stages(solution)
    variables |= _rules(solution)
    variables |= _prices(solution)
    dataset = xr.Dataset(variables, _coordinates(case), _title(case))
    _check_finite(dataset)
    _set_encoding(dataset)
    times = {**solution.seconds, **(seconds or {})}
    return Results(dataset, _manifest(solution, dataset, times))


def _without_noise(solution: Solution) -> Solution:
    """Put columns that the solver left outside their bounds by its tolerance at the bound.

    All numbers of the results follow from the columns, so they still agree with each other.
    """
    lp = solution.horizon.stack()
    x = np.clip(solution.x, lp.col_lower, lp.col_upper)
    can_be_zero = (lp.col_lower <= 0.0) & (lp.col_upper >= 0.0)
    return replace(solution, x=np.where(can_be_zero & (np.abs(x) <= NOISE), 0.0, x))


def _attrs(units: str, long_name: str, cell_methods: str = "", **more: Any) -> dict[str, Any]:
    attrs = {"units": units, "long_name": long_name}
    if cell_methods:
        attrs["cell_methods"] = cell_methods
    return attrs | more


def _stack(solution: Solution, items: list[str], values: Mapping[str, Any]) -> np.ndarray:
    """Values (member, time, item) of the items, 0 where there is none."""
    case = solution.case
    array = np.zeros((case.n_members, case.n_periods, len(items)))
    for i, item in enumerate(items):
        if item in values:
            array[:, :, i] = solution.value(values[item])
    return _clean(array)


def _clean(array: np.ndarray) -> np.ndarray:
    """Without rounding below zero, and without negative zero."""
    return np.where((array < 0) & (array >= -NOISE), 0.0, array) + 0.0


# --- water ----------------------------------------------------------------------------------


def _balance(solution: Solution) -> dict[str, Variable]:
    """Amounts of the balance of each node, and what is left of them."""
    balance = solution.period.balance
    signs = {name: sign for of in balance.values() for name, (sign, _) in of.items()}
    variables: dict[str, Variable] = {}
    residual = 0.0
    for name in sorted(signs):
        amounts = {n: of[name][1] for n, of in balance.items() if name in of}
        values = _stack(solution, list(balance), amounts)
        residual = residual + signs[name] * values
        variables[f"balance_{name}"] = (
            (*MTD, "node"), values,
            _attrs(
                "hm3", f"{name.replace('_', ' ')} in the balance of the node",
                "time: point" if name.startswith("storage") else "time: sum",
                balance_sign=signs[name],
            ),
        )
    variables["residual"] = (
        (*MTD, "node"), residual + 0.0,
        _attrs("hm3", "sum of the balance of the node, each amount with its balance_sign", "time: sum"),
    )
    return variables


def _levels(basin: Basin, storage: np.ndarray) -> dict[str, Variable]:
    """Level and area at the end of each period, of the reservoirs whose curve has them."""
    variables: dict[str, Variable] = {}
    for quantity, units in (("level", "m"), ("area", "km2")):
        known = {}
        for i, reservoir in enumerate(items_of(basin, "reservoir")):
            curve = curve_of(basin, reservoir)
            if curve is not None and curve.has(quantity):
                known[reservoir] = getattr(curve, quantity)(storage[:, :, i])
        dim = f"reservoir_with_{quantity}"
        values = np.zeros((*storage.shape[:2], len(known)))
        for i, array in enumerate(known.values()):
            values[:, :, i] = array
        variables[quantity] = (
            (*MTD, dim), values,
            _attrs(units, f"{quantity} of the reservoir at the end of the period", "time: point"),
        )
        variables[dim] = (dim, _text(known), {"long_name": f"reservoirs whose {quantity} is known"})
    return variables


# --- rules ----------------------------------------------------------------------------------


def _rules(solution: Solution) -> dict[str, Variable]:
    """One row for each rule row and window, in the order of the rules; all members have the same."""
    case, seconds = solution.case, solution.case.timeline.seconds
    columns: dict[str, list[Any]] = {
        name: [] for name in (
            "required", "achieved", "slack", "kept", "shadow_price", "shadow_price_stage",
            "rule", "rule_clause", "rule_kind", "rule_unit", "rule_sense", "rule_is_soft",
            "rule_start", "rule_end",
        )
    }
    for row in solution.period.rule_rows:
        first, last, total = _windows(solution, row)
        required = total(required_values(row, case.n_members, case.n_periods))
        achieved = total(solution.value(row.achieved))
        slack = achieved - required if row.sense == ">=" else required - achieved
        unit, factor = row.rule.reported_in, np.ones(first.size)
        if unit == "m3s" and (first == last).all():
            factor = 1.0 / (seconds[first] * HM3_PER_M3)
        else:
            unit = "hm3"
        price, stage = _shadow_prices(solution, row, first.size)
        n = first.size
        columns["required"].append(_clean(required * factor))
        columns["achieved"].append(_clean(achieved * factor))
        columns["slack"].append(np.where(np.abs(slack) <= NOISE, 0.0, slack * factor))
        columns["kept"].append(slack >= -KEPT)
        columns["shadow_price"].append(price / factor)
        columns["shadow_price_stage"].append(stage)
        columns["rule_start"].append(case.timeline.starts[first])
        columns["rule_end"].append(case.timeline.last_days[last])
        for name, value in (
            ("rule", row.label), ("rule_clause", row.rule.name), ("rule_kind", row.rule.kind),
            ("rule_unit", unit), ("rule_sense", row.sense), ("rule_is_soft", bool(row.rule.soft)),
        ):
            columns[name] += [value] * n
    texts = {
        "required": "what the rule asks", "achieved": "what came of it",
        "slack": "achieved less required, or required less achieved for a cap; below 0: broken",
        "kept": "whether the shortfall is at most 1e-6 hm3",
        "shadow_price": "by how much one unit more of the requirement (one unit less of a cap) worsens "
        "the first goal that it binds, in the unit of that stage's objective",
        "shadow_price_stage": "number of that stage within the member, from 1; 0 where none is bound",
        "rule": "rule, with the item in brackets where it has several",
        "rule_clause": "name of the rule in the case", "rule_kind": "kind of the rule",
        "rule_unit": "unit of required, achieved and slack", "rule_sense": "achieved is >= or <= required",
        "rule_is_soft": "whether the rule may be broken",
        "rule_start": "first day of the first period of the window",
        "rule_end": "last day of the last period of the window",
    }
    shape = (case.n_members, 0)
    variables: dict[str, Variable] = {}
    for name, text in texts.items():
        values, attrs = columns[name], {"long_name": text}
        if name in ("rule_start", "rule_end"):
            array = np.concatenate([np.empty(0, "datetime64[D]"), *values])
            variables[name] = ("rule_row", array.astype("datetime64[ns]"), attrs)
        elif name == "rule_is_soft":
            variables[name] = ("rule_row", np.array(values, bool), attrs)
        elif name.startswith("rule"):
            variables[name] = ("rule_row", _text(values), attrs)
        else:
            dtype = {"kept": bool, "shadow_price_stage": np.int32}.get(name, float)
            array = np.concatenate([np.empty(shape, dtype), *values], axis=1)
            variables[name] = (("member", "rule_row"), array, attrs)
    return variables


def _windows(solution: Solution, row: RuleRow) -> tuple[np.ndarray, np.ndarray, Any]:
    """First and last period of each window of a rule row, and how to add up over the windows."""
    n_periods = solution.case.n_periods
    window = solution.period.model.repeats.totals.get(id(row.constraint), np.arange(n_periods))
    order = np.argsort(window, kind="stable")
    order = order[window[order] >= 0]
    number = window[order]
    starts = np.flatnonzero(np.diff(number, prepend=-1))
    ends = np.append(starts[1:], order.size) - 1

    def total(values: np.ndarray) -> np.ndarray:
        if not starts.size:
            return np.zeros((values.shape[0], 0))
        return np.add.reduceat(values[:, order], starts, axis=1)

    return order[starts], order[ends], total


def _shadow_prices(
    solution: Solution, row: RuleRow, n_rows: int
) -> tuple[np.ndarray, np.ndarray]:
    """Price [objective per hm3 of required] of each row of each member, and the stage it is of."""
    prices = np.zeros((solution.case.n_members, n_rows))
    numbers = np.zeros(prices.shape, np.int32)
    for k, stages in enumerate(solution.stages):
        for number, stage in enumerate(stages, 1):
            # a dual is the change of the objective by a unit more of the limit
            worse = 1.0 if (stage.sense == "minimise") == (row.sense == ">=") else -1.0
            dual = worse * stage.rule_price[row.label]
            new = (numbers[k] == 0) & (np.abs(dual) > PRICED)
            prices[k, new], numbers[k, new] = dual[new], number
    return prices, numbers


# --- goals and prices -----------------------------------------------------------------------


def _stages(solution: Solution) -> dict[str, Variable]:
    """One row for each linear program of each member, in the order they were solved."""
    members = [member.name for member in solution.case.members]
    rows = [
        (member, number, stage)
        for member, stages in zip(members, solution.stages, strict=True)
        for number, stage in enumerate(stages, 1)
    ]
    columns: dict[str, tuple[Any, str]] = {
        "stage_member": (_text(member for member, _, _ in rows), "member"),
        "stage_number": (_whole(n for _, n, _ in rows), "number of the stage within the member"),
        "stage_goal": (_whole(s.goal for _, _, s in rows), "place of its goal"),
        "stage_name": (_text(s.name for _, _, s in rows), "name of the stage"),
        "stage_sense": (_text(s.sense for _, _, s in rows), "minimise or maximise"),
        "stage_value": (_real(s.value for _, _, s in rows), "optimum, in the unit of the stage"),
        "stage_unit": (_text(s.unit for _, _, s in rows), "unit of the optimum"),
        "stage_value_scale": (
            _real(s.value_scale for _, _, s in rows), "unit of the optimum over that of its prices"
        ),
        "stage_iterations": (_whole(s.iterations for _, _, s in rows), "iterations of the solver"),
        "stage_cold_again": (
            np.array([s.cold_again for _, _, s in rows], bool),
            "whether it was certified only after a second solve, from scratch",
        ),
        "stage_primal": (
            _real(s.certificate.primal for _, _, s in rows), "certificate: scaled primal violation"
        ),
        "stage_dual": (
            _real(s.certificate.dual for _, _, s in rows), "certificate: scaled dual violation"
        ),
        "stage_gap": (
            _real(s.certificate.gap for _, _, s in rows), "certificate: relative duality gap"
        ),
    }
    return {
        name: ("stage", array, {"long_name": text}) for name, (array, text) in columns.items()
    } | {
        "drift": (
            "member", np.asarray(solution.drift, float),
            _attrs("1", "largest relative change of a held optimum by the end"),
        )
    }


def _prices(solution: Solution) -> dict[str, Variable]:
    """Price of water at every node for each goal, and what it is worth to each demand."""
    case, goals = solution.case, solution.period.goals
    last = [_last_stages(stages) for stages in solution.stages]
    nodes = items_of(case.basin, "node")
    price = np.zeros((case.n_members, len(goals), case.n_periods, len(nodes)))
    for k, of_goal in enumerate(last):
        for g, (number, _) in enumerate(goals):
            price[k, g] = of_goal[number].balance_price.T
    price += 0.0
    table = case.basin.tables["demands"]
    value = np.zeros((case.n_members, case.n_periods, len(table)))
    goal_of = _goals_of_demands(solution.period)
    for d, demand in enumerate(table.index):
        if demand in goal_of:
            node = nodes.index(table.at[demand, "node"])
            value[:, :, d] = -price[:, goal_of[demand], :, node]
    value = np.where(np.abs(value) <= PRICED, 0.0, value)
    return {
        "goal": (
            "goal", _whole(number for number, _ in goals), {"long_name": "place of the goal"}
        ),
        "goal_name": (
            "goal", _text(last[0][number].name for number, _ in goals), {"long_name": "goal"}
        ),
        "balance_price": (
            ("member", "goal", "time", "node"), price,
            {
                "long_name": "change of the goal's last objective, in the unit of its expression, by "
                "1 hm3 more at the node, with the goals before it held"
            },
        ),
        "water_value": (
            (*MTD, "demand"), value + 0.0,
            _attrs(
                "1", "deficit [hm3] avoided by 1 hm3 more at the node of the demand, among the users of "
                "the first goal that names it, with the goals before it held; 0 where no goal names it",
            ),
        ),
    }


def _last_stages(stages: Iterable[StageOptimum]) -> dict[int, StageOptimum]:
    """Last stage of each goal; for ``share`` that is where the rest of the deficit is made least."""
    return {stage.goal: stage for stage in stages}


def _goals_of_demands(period: Period) -> dict[str, int]:
    """Position of the first goal that makes the deficit of a demand least."""
    found: dict[str, int] = {}
    for position, (_, goal) in enumerate(period.goals):
        if isinstance(goal, Meet | Share):
            for demand in goal.users_in(period.case.basin):
                found.setdefault(demand, position)
    return found


# --- labels ---------------------------------------------------------------------------------


def _text(words: Iterable[Any]) -> np.ndarray:
    return np.array([str(word) for word in words], dtype=object)


def _whole(numbers: Iterable[int]) -> np.ndarray:
    return np.array([int(number) for number in numbers], dtype=np.int32)


def _real(numbers: Iterable[float]) -> np.ndarray:
    return np.array([float(number) for number in numbers], dtype=float)


def _coordinates(case: Case) -> dict[str, Any]:
    basin, timeline = case.basin, case.timeline
    nodes, links, demands = (basin.tables[name] for name in ("nodes", "links", "demands"))
    edges = timeline.edges.astype("datetime64[ns]")
    sinks = [n for n, kind in nodes["kind"].items() if kind == "sink"]
    coordinates: dict[str, Any] = {
        "member": ("member", _text(m.name for m in case.members),
                   {"long_name": "hydrology: month of the record that stands for the first period"}),
        "time": ("time", edges[:-1], {
            "standard_name": "time", "long_name": "first day of the period", "axis": "T",
            "bounds": "time_bnds",
        }),
        "time_bnds": (("time", "bnds"), np.stack([edges[:-1], edges[1:]], axis=1)),
        "days": ("time", timeline.days, _attrs("day", "length of the period")),
        "water_year": ("time", timeline.water_year.astype(np.int32),
                       {"long_name": "calendar year in which the water year of the period starts"}),
    }  # fmt: skip
    for dim in ("node", "link", "reservoir", "demand"):
        coordinates[dim] = (dim, _text(items_of(basin, dim)), {"long_name": f"name of the {dim}"})
    ends = {
        "from": (*links["from"], *sinks),
        "to": (*links["to"], *[OUTSIDE] * len(sinks)),
        "kind": (*links["kind"], *[OUTLET] * len(sinks)),
    }
    for name, words in ends.items():
        coordinates[f"link_{name}"] = ("link", _text(words), {"long_name": f"{name} of the link"})
    for name in ("kind", "region", "province", "sub_basin"):
        coordinates[f"node_{name}"] = (
            "node", _text(nodes[name]), {"long_name": f"{name.replace('_', '-')} of the node"}
        )
    coordinates["demand_node"] = (
        "demand", _text(demands["node"]), {"long_name": "node of the demand"}
    )
    for name in ("region", "province"):
        words = [
            own or nodes.at[node, name]
            for own, node in zip(demands[name], demands["node"], strict=True)
        ]
        coordinates[name] = ("demand", _text(words), {"long_name": f"{name} of the demand"})
    coordinates["sector"] = ("demand", _text(demands["sector"]), {"long_name": "sector"})
    coordinates["priority"] = (
        "demand", _whole(demands["priority"]), {"long_name": "priority, 1 first"}
    )
    return coordinates | _words(basin)


def _words(basin: Basin) -> dict[str, Any]:
    """Names of everything in both languages, so that results read without the basin."""
    rows = [
        (dim, name, label.get("en", ""), label.get("vi", ""))
        for dim, labels in (
            ("region", basin.regions), ("province", basin.provinces), ("sector", basin.sectors),
        )
        for name, label in labels.items()
    ]
    for dim in ("node", "link", "demand"):
        table = basin.tables[f"{dim}s"]
        rows += zip([dim] * len(table), table.index, table["name_en"], table["name_vi"], strict=True)
    return {
        f"word_{column}": ("word", _text(row[i] or row[1] for row in rows), {"long_name": text})
        for i, (column, text) in enumerate((
            ("of", "what is named"), ("name", "name in the tables"),
            ("en", "English name"), ("vi", "Vietnamese name"),
        ))
    }


def _title(case: Case) -> dict[str, Any]:
    basin = case.basin
    return {
        "Conventions": "CF-1.11",
        "title": case.title.get("en", case.name),
        "title_vi": case.title.get("vi", case.name),
        "source": f"wateralloc {wateralloc.__version__}",
        "case": case.name,
        "basin": basin.name,
        "currency": basin.currency,
        "step": case.timeline.step,
        "water_year_start": case.timeline.water_year_start,
        "comment": "a study, not an official allocation; quantities that an item does not have are 0",
    }


def _check_finite(dataset: xr.Dataset) -> None:
    for name, variable in dataset.variables.items():
        if variable.dtype.kind == "f" and not np.isfinite(variable.values).all():
            raise ModelError(f"'{name}' of the results has a number that is not finite")


def _set_encoding(dataset: xr.Dataset) -> None:
    for variable in dataset.variables.values():
        if variable.dtype.kind == "M":
            variable.encoding = {
                "units": "days since 1970-01-01", "calendar": "proleptic_gregorian",
                "dtype": "int32", "_FillValue": None,
            }
        elif variable.dtype.kind == "f":
            variable.encoding = {"_FillValue": None, "zlib": True, "complevel": 4, "shuffle": True}


# --- manifest -------------------------------------------------------------------------------


def _manifest(
    solution: Solution, dataset: xr.Dataset, seconds: Mapping[str, float]
) -> dict[str, Any]:
    case, lp, worst = solution.case, solution.horizon.stack(), solution.certificate
    residual = np.abs(dataset["residual"].values)
    turnover = sum(
        abs(v.values) for name, v in dataset.data_vars.items() if str(name).startswith("balance_")
        and "balance_sign" in v.attrs
    )
    relative = np.divide(residual, turnover, out=np.zeros(residual.shape), where=turnover > 0)
    return {
        "schema": 1,
        "case": case.name,
        "title": dict(case.title),
        "basin": case.basin.name,
        "inputs": _hashes(case),
        "resolved": _portable(case.resolved),
        "versions": {
            "python": platform.python_version(),
            "wateralloc": wateralloc.__version__,
            **{package: version(package) for package in PACKAGES},
        },
        "solver": {"name": "HiGHS", "options": dict(OPTIONS)},
        "size": {
            "members": case.n_members, "periods": case.n_periods, "rows": lp.n_rows,
            "columns": lp.n_columns, "nonzeros": lp.n_nonzeros,
        },
        "stages": {
            member.name: [
                {
                    "goal": s.goal, "name": s.name, "sense": s.sense, "value": s.value, "unit": s.unit,
                    "iterations": s.iterations,
                }
                for s in stages
            ]
            for member, stages in zip(case.members, solution.stages, strict=True)
        },
        "certificate": {"primal": worst.primal, "dual": worst.dual, "gap": worst.gap},
        "drift": float(np.max(solution.drift, initial=0.0)),
        "balance": {
            "largest_residual_hm3": float(residual.max(initial=0.0)),
            "largest_relative_residual": float(relative.max(initial=0.0)),
        },
        "seconds": {name: float(value) for name, value in seconds.items()},
        "seconds_by_stage": {
            member.name: [s.seconds for s in stages]
            for member, stages in zip(case.members, solution.stages, strict=True)
        },
    }


def _hashes(case: Case) -> dict[str, str]:
    """SHA-256 of every input file, by a name that is the same on every machine."""
    folder = Path(case.files[0]).resolve().parent if case.files else case.basin.folder.resolve()
    rules = [rule.file for rule in case.rules if isinstance(getattr(rule, "file", None), Path)]
    roots = {case.basin.folder.resolve(): f"{case.basin.name}/", folder: ""}
    hashes = {}
    for path in (*case.files, *rules, *case.basin.files):
        path = Path(path).resolve()
        name = next(
            (
                f"{prefix}{path.relative_to(root).as_posix()}"
                for root, prefix in roots.items()
                if path.is_relative_to(root)
            ),
            f"{path.parent.name}/{path.name}",
        )
        hashes[name] = hashlib.sha256(path.read_bytes()).hexdigest()
    return dict(sorted(hashes.items()))


def _portable(value: Any) -> Any:
    """Plain data for JSON, with absolute paths cut to their last part."""
    if isinstance(value, Mapping):
        return {str(key): _portable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_portable(item) for item in value]
    if isinstance(value, Path) or (isinstance(value, str) and Path(value).is_absolute()):
        return Path(value).name if Path(value).is_absolute() else Path(value).as_posix()
    return value if isinstance(value, str | int | float | bool | None) else str(value)
