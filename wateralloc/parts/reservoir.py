"""Reservoir: water kept from one period to the next, within limits by date, under sun and rain."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
import pyomo.environ as pyo

from wateralloc.basin import Basin, Curve
from wateralloc.case import Case
from wateralloc.errors import CaseError, Findings, InputError, TableError
from wateralloc.parts import DATA, Part, Quantity, by_node, unit
from wateralloc.tables import Column, Table
from wateralloc.tangents import curve_along
from wateralloc.timeline import Pattern

RESERVOIRS = Table(
    "reservoirs",
    "Reservoirs; each is a node of kind `reservoir`.",
    (
        Column("name", "node of the reservoir", "name", required=True, refers_to="nodes"),
        Column(
            "dead", "storage below which it never falls", dimension="volume", required=True, low=0
        ),
        Column("normal", "largest storage; empty: no limit", dimension="volume", low=0),
        Column(
            "flood_limit",
            "largest storage at the end of a period, by date",
            dimension="volume",
            low=0,
            varies="timeline",
        ),
        Column(
            "minimum_storage",
            "least storage at the end of a period, by date",
            dimension="volume",
            low=0,
            varies="timeline",
        ),
        Column(
            "initial",
            "storage at the start of the horizon; 0 where a work is still to open it",
            dimension="volume",
            required=True,
            low=0,
        ),
        Column(
            "target",
            "least storage at the end of the horizon; empty: as at the start",
            dimension="volume",
            low=0,
        ),
        Column(
            "target_maximum",
            "largest storage at the end of the horizon; empty: no limit of its own",
            dimension="volume",
            low=0,
        ),
        Column(
            "filling_days",
            "days in which a reservoir that a work opens must fill to dead storage",
            "integer",
            default=365,
            low=0,
        ),
        Column(
            "evaporation",
            "evaporation from open water",
            dimension="depth_rate",
            low=0,
            varies="hydrology",
        ),
        Column(
            "rain",
            "rain on open water, where the inflow does not hold it",
            dimension="depth_rate",
            low=0,
            varies="hydrology",
        ),
        Column(
            "seepage",
            "water lost through the bed, as a depth over the lake",
            dimension="depth_rate",
            low=0,
            varies="timeline",
        ),
        Column(
            "seepage_to",
            "node, such as an aquifer, that the seepage reaches; empty: lost",
            "name",
            refers_to="nodes",
        ),
        Column(
            "storage_loss",
            "share of the water stored at the start of a period that is lost in it, where there is "
            "no curve to say by which area; negative: gained",
            dimension="fraction",
            default=0.0,
            low=-1,
            high=1,
            varies="timeline",
        ),
        Column("curve", "curve with its level and area by storage", "name", refers_to="curves"),
    ),
)

SHALLOW = 1e-6
"""Depth [m] that moves no water to speak of."""
ON_LAKE = ("evaporation", "rain", "seepage")
"""Columns with a depth of water over the area of the lake."""

CROSSING = (
    ("dead", "flood_limit"),
    ("minimum_storage", "normal"),
    ("minimum_storage", "flood_limit"),
    ("target", "target_maximum"),
)
"""Limits from below and from above that must not cross."""
WORDS = {
    "dead": "dead storage",
    "minimum_storage": "minimum storage",
    "target": "target storage",
    "normal": "normal storage",
    "flood_limit": "flood limit",
    "target_maximum": "largest target storage",
}


class Reservoir(Part):
    """Carry storage from period to period.

    Storage stays between the larger of dead storage and the minimum storage, and the smaller of
    normal storage and the flood limit; the limits of a period are those of its last day.  At the
    end of the horizon at least `target` is left (else perfect foresight would drain it), and at
    most `target_maximum`.

    Evaporation, rain and seepage are depths of the period on the area at its mean storage.  The
    area follows the curve, by tangents (see `tangents`); in the first pass, and always under
    ``linearisation: fixed``, it is the straight line fitted to the curve by least squares between
    dead and normal storage.  Where a tangent could fall below zero, at storages far below the one
    it touches, a pass goes no further down than to no area.  Evaporation and seepage go on at dead
    storage, so they need inflow then, or water kept for them.

    Where only the share is known that is lost of what was stored, as in networks of whole states,
    `storage_loss` takes it in place of depths: of the water at the start of the period.

    A reservoir that belongs to a work holds nothing before it opens: its `initial` is then 0.  Once
    open it has `filling_days` to fill to dead storage, in which its storage has no limit from below
    but `target`; after them its limits are those of any reservoir.  One that is open on the first
    day and holds its dead storage then has nothing to fill.

    Equation
    --------
    max(dead, minimum_storage(t)) <= storage_end(t) <= min(normal, flood_limit(t));
    target <= storage_end(last) <= target_maximum;
    storage_start(t) = storage_end(t - 1);  storage_start(first) = initial;
    evaporation, rain, seepage = depth(t) area((storage_start + storage_end) / 2);
    water(n) += storage_start - storage_end - evaporation + rain - seepage - storage_loss;
    storage_loss(t) = share(t) storage_start(t);
    water(seepage_to) += seepage.

    Source
    ------
    Loucks & van Beek (2017), Water Resource Systems Planning and Management, section 4.3.3
    (evaporation on mean storage).
    """

    kind = "reservoir"
    tables = (RESERVOIRS,)
    balance = {
        "storage_start": 1,
        "storage_end": -1,
        "evaporation": -1,
        "rain": 1,
        "seepage": -1,
        "storage_loss": -1,
        "seepage_in": 1,
    }
    reports = {
        "storage_start": "reservoir",
        "storage_end": "reservoir",
        "evaporation": "reservoir",
        "rain": "reservoir",
        "seepage": "reservoir",
        "storage_loss": "reservoir",
        "release": "reservoir",
        "spill": "reservoir",
    }

    def complete(self, tables: dict[str, pd.DataFrame]) -> None:
        normal = tables["reservoirs"]["normal"]
        tables["reservoirs"]["normal"] = normal.where(normal.notna(), np.inf)

    # --- faults ---------------------------------------------------------------------------------

    def check(self, basin: Basin, findings: Findings) -> None:
        table = basin.tables["reservoirs"]
        kinds = basin.tables["nodes"]["kind"]
        for name in table.index:
            if kinds.get(name) not in ("reservoir", None):
                findings.add(
                    basin.position("reservoirs", name, "name"),
                    "E255",
                    f"reservoir '{name}' stands at a node of kind '{kinds[name]}'; "
                    "give the node kind 'reservoir'",
                )
            if self._check_limits(basin, findings, name):
                self._check_curve(basin, findings, name)
        for name in kinds.index[kinds == "reservoir"].difference(table.index):
            findings.add(
                basin.position("nodes", name, "kind"),
                "E211",
                f"node '{name}' is of kind 'reservoir' but has no row in reservoirs.csv; add one",
            )

    @staticmethod
    def _check_limits(basin: Basin, findings: Findings, name: str) -> bool:
        """Check limits that are numbers or patterns; False when dead and normal storage cross."""
        row = basin.tables["reservoirs"].loc[name]
        dead, normal = row["dead"], row["normal"]
        if dead > normal:
            findings.add(
                basin.position("reservoirs", name, "dead"),
                "E241",
                f"dead storage {dead:g} hm3 of '{name}' is above normal storage {normal:g}; "
                "must be at or below it",
            )
            return False
        is_outside = False
        for column in ("initial", "target", "target_maximum"):
            value = row[column]
            may_be_empty = column == "initial" and in_work(basin, name)
            if value is None or dead <= value <= normal or (may_be_empty and value == 0):
                continue
            is_outside = True
            what = f"{column} storage" if column == "initial" else WORDS[column]
            findings.add(
                basin.position("reservoirs", name, column),
                "E241",
                f"{what} {value:g} hm3 of '{name}' is outside dead to normal "
                f"({dead:g} to {normal:g}); must be within"
                + (", or 0 for a reservoir that a work is to open" if may_be_empty else ""),
            )
        for lower, upper in CROSSING[:-1] if is_outside else CROSSING:
            low, high = (_by_day(basin, name, column) for column in (lower, upper))
            crosses = low > high
            if not crosses.any():
                continue
            day = int(np.argmax(crosses))
            is_by_date = np.unique(low).size > 1 or np.unique(high).size > 1
            on = f" on {str(_YEAR + day)[5:]}" if is_by_date else ""
            _add_crossing(findings, basin, name, (lower, upper), (low[day], high[day]), on)
        return True

    @staticmethod
    def _check_curve(basin: Basin, findings: Findings, name: str) -> None:
        row = basin.tables["reservoirs"].loc[name]
        curve = basin.curves.get(row["curve"])
        for column in ON_LAKE:
            is_given = row[column] is not None or ("reservoirs", name) in basin.in_series(column)
            if is_given and (curve is None or not curve.has("area")):
                findings.add(
                    basin.position("reservoirs", name, column),
                    "E222",
                    f"'{name}' has {column} but no curve with an area (km2) by storage; "
                    "name one in column curve",
                )
        if curve is None:
            return
        least, most = storage_range(basin, name)
        for quantity in ("level", "area"):
            if curve.has(quantity):
                low, high = curve.range(quantity)
                if low > least * (1 + 1e-9) or high < most * (1 - 1e-9):
                    findings.add(
                        basin.position("reservoirs", name, "curve"),
                        "E222",
                        f"{quantity} of curve '{row['curve']}' covers {low:g} to {high:g} hm3; "
                        f"'{name}' needs {least:g} to {most:g}",
                    )

    # --- the period -----------------------------------------------------------------------------

    def declare(self, m: pyo.ConcreteModel, case: Case) -> None:
        basin = case.basin
        table = basin.tables["reservoirs"]
        m.reservoir = pyo.Set(initialize=list(table.index))
        least, most = storage_limits(case)
        m.storage_least = pyo.Param(m.reservoir, initialize=least, units=unit("hm3"), **DATA)
        m.storage_most = pyo.Param(m.reservoir, initialize=most, units=unit("hm3"), **DATA)
        m.storage_start = pyo.Var(m.reservoir, units=unit("hm3"))
        m.storage_end = pyo.Var(
            m.reservoir,
            bounds=lambda m, r: (m.storage_least[r], m.storage_most[r]),
            units=unit("hm3"),
        )
        for r, initial in table["initial"].items():
            m.repeats.carry(m.storage_start[r], m.storage_end[r], 1, initial)
        shares = case.attribute("reservoirs", "storage_loss")
        losing = {r: share for r, share in shares.items() if share.any()}
        m.storage_loss = pyo.Param(list(losing), initialize=losing, **DATA)
        opened = case.opened("reservoirs")
        depths = {
            name: {
                r: rate * case.timeline.days * opened.get(r, 1.0) * 1e-3
                for r, rate in case.attribute("reservoirs", name).items()
            }
            for name in ON_LAKE
        }
        m.lake_area = {}
        for r in m.reservoir:
            on_it = [of_name[r] for of_name in depths.values() if r in of_name]
            if on_it:
                m.lake_area[r] = lake_area(m, basin, r, sum(on_it))
        m.on_lake = {}
        for name, depth in depths.items():
            data = pyo.Param(list(depth), initialize=depth, units=unit("m"), **DATA)
            m.add_component(f"{name}_depth", data)
            m.on_lake[name] = {r: data[r] * m.lake_area[r] for r in depth}
        receivers = table["seepage_to"][list(m.on_lake["seepage"])]
        m.seepage_into = by_node(receivers[receivers != ""])

    def water(self, m: pyo.ConcreteModel, node: str) -> dict[str, Any]:
        amounts = {}
        if node in m.reservoir:
            amounts = {"storage_start": m.storage_start[node], "storage_end": m.storage_end[node]}
            amounts |= {name: of[node] for name, of in m.on_lake.items() if node in of}
        if node in m.storage_loss:
            amounts["storage_loss"] = m.storage_loss[node] * m.storage_start[node]
        if node in m.seepage_into:
            seepage = m.on_lake["seepage"]
            amounts["seepage_in"] = sum(seepage[r] for r in m.seepage_into[node])
        return amounts

    def constrain(self, m: pyo.ConcreteModel, case: Case) -> None:
        # the line of the first pass is never below zero, so where lines stay there is no need
        moving = m.lake_area if case.linearisation.is_updated else ()
        m.lake_is_wet = pyo.Constraint(
            [r for r in moving if may_fall_dry(case.basin, r)],
            rule=lambda m, r: m.lake_area[r] >= 0,
        )

    def quantities(self, m: pyo.ConcreteModel, case: Case) -> Iterable[Quantity]:
        kind = case.basin.values("links", "kind")
        yield Quantity(
            "storage_start",
            "reservoir",
            dict(m.storage_start.items()),
            "hm3",
            "storage at the start of the period",
            "time: point",
        )
        yield Quantity(
            "storage_end",
            "reservoir",
            dict(m.storage_end.items()),
            "hm3",
            "storage at the end of the period",
            "time: point",
        )
        for name, text in (
            ("evaporation", "volume evaporated from the reservoir"),
            ("rain", "rain on the lake"),
            ("seepage", "volume that seeps out of the reservoir"),
        ):
            yield Quantity(name, "reservoir", m.on_lake[name], "hm3", text)
        yield Quantity(
            "storage_loss",
            "reservoir",
            {r: m.storage_loss[r] * m.storage_start[r] for r in m.storage_loss},
            "hm3",
            "volume lost as a share of what was stored",
        )
        for name, is_spill, text in (
            ("release", False, "controlled release"),
            ("spill", True, "uncontrolled release"),
        ):
            yield Quantity(
                name,
                "reservoir",
                {
                    r: sum(
                        m.flow[k]
                        for k in m.links_out.get(r, ())
                        if (kind[k] == "spillway") is is_spill
                    )
                    for r in m.reservoir
                },
                "hm3",
                f"{text} into the links below",
            )


_YEAR = np.datetime64("2001-01-01")
"""First day of a year without 29 February."""


def _by_day(basin: Basin, name: str, column: str) -> np.ndarray:
    """Limit of storage [hm3] on each day of the year (365).

    Not a number where it has no value, or follows the years.
    """
    value = basin.values("reservoirs", column).get(name)
    if isinstance(value, Pattern) and value.unit == "hm3":  # else the fault is its unit's
        return value.by_day
    return np.full(365, value if isinstance(value, float) else np.nan)


def _add_crossing(
    findings: Findings,
    basin: Basin,
    name: str,
    columns: tuple[str, str],
    values: tuple[float, float],
    when: str,
    kind: type[InputError] = TableError,
) -> None:
    """Add the fault of a limit from below that is above one from above."""
    (lower, upper), (low, high) = columns, values
    as_is = lower == "target" and basin.tables["reservoirs"].at[name, "target"] is None
    findings.add(
        basin.position("reservoirs", name, upper if lower == "dead" else lower),
        "E241",
        f"{WORDS[lower]} {low:g} hm3{' (as at the start)' if as_is else ''} of '{name}' is above "
        f"its {WORDS[upper]} {high:g}{when}; must be at or below it",
        kind,
    )


def in_work(basin: Basin, reservoir: str) -> bool:
    """Tell whether a reservoir belongs to a work, so that it may still have to be built."""
    return reservoir in set(basin.tables["works"]["reservoir"])


def storage_range(basin: Basin, reservoir: str) -> tuple[float, float]:
    """Least and largest storage [hm3] in any case: from dead storage, or from 0 in a work."""
    row = basin.tables["reservoirs"].loc[reservoir]
    return 0.0 if in_work(basin, reservoir) else row["dead"], row["normal"]


def storage_limits(case: Case) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Least and largest storage at the end of each period [hm3] (member, time).

    Raises
    ------
    CaseError
        Limits cross in a period, or a reservoir that is still to be opened holds water.
    """
    basin, findings = case.basin, Findings()
    least, most = {}, {}
    opened, always = case.opened("reservoirs"), np.ones(case.n_periods)
    minimum, flood = (
        case.attribute("reservoirs", column, at_end=True)
        for column in ("minimum_storage", "flood_limit")
    )
    for name, row in basin.tables["reservoirs"].to_dict("index").items():
        initial = row["initial"]
        share = opened.get(name, always)
        if initial > 0 and share[0] < 1:
            findings.add(
                basin.position("reservoirs", name, "initial"),
                "E241",
                f"initial storage of '{name}' is {initial:g} hm3 but its work is not open on "
                f"{case.timeline.starts[0]}, where the horizon starts; must be 0 in this case",
                CaseError,
            )
        lower, upper = _limits(case, name, row, share, minimum.get(name), flood.get(name))
        for columns in product(lower, upper):
            low, high = lower[columns[0]], upper[columns[1]]
            if (low > high).any():
                k, t = np.argwhere(low > high)[0]
                when = f" on {case.timeline.last_days[t]}"
                values = (low[k, t], high[k, t])
                _add_crossing(findings, basin, name, columns, values, when, CaseError)
        least[name] = np.maximum.reduce(list(lower.values()))
        most[name] = np.minimum.reduce(list(upper.values()))
    findings.raise_if_any()
    return least, most


def _limits(
    case: Case,
    name: str,
    row: dict[str, Any],
    opened: np.ndarray,
    minimum: np.ndarray | None,
    flood: np.ndarray | None,
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Limits from below and from above by column [hm3] (member, time).

    Parameters
    ----------
    row : its cells in the table
    opened : share of each period in which the reservoir is open (time)
    minimum, flood : minimum storage and flood limit [hm3] (member, time), where it has them
    """
    shape = (case.n_members, case.n_periods)
    is_open = opened > 0
    is_filled = is_open if row["initial"] >= row["dead"] else has_filled(case, name, opened)
    is_last = (np.arange(case.n_periods) == case.n_periods - 1) & case.sees_end
    target = row["initial"] if row["target"] is None else row["target"]
    maximum = row["target_maximum"]
    if name in case.left_at_end:
        target, maximum = case.left_at_end[name][:, None], None
    lower = {"dead": np.where(is_filled, row["dead"], 0.0)}
    lower["target"] = np.where(is_last & is_open, target, 0.0)
    upper = {"normal": np.where(is_open, row["normal"], 0.0)}
    if minimum is not None:
        lower["minimum_storage"] = np.where(is_filled, minimum, 0.0)
    if flood is not None:
        upper["flood_limit"] = flood
    if maximum is not None:
        upper["target_maximum"] = np.where(is_last, maximum, np.inf)
    return (
        {column: np.broadcast_to(limit, shape) for column, limit in lower.items()},
        {column: np.broadcast_to(limit, shape) for column, limit in upper.items()},
    )


def has_filled(case: Case, reservoir: str, opened: np.ndarray) -> np.ndarray:
    """Tell whether a reservoir must hold its dead storage at the end of each period (time).

    Parameters
    ----------
    opened : share of each period in which it is open (time)
    """
    row, timeline = case.basin.tables["reservoirs"].loc[reservoir], case.timeline
    if row["initial"] >= row["dead"]:
        return opened > 0
    first = int(np.argmax(opened > 0))
    opens = timeline.edges[first + 1] - round(opened[first] * timeline.days[first])
    return (opened > 0) & (timeline.edges[1:] - opens >= np.timedelta64(row["filling_days"], "D"))


def mean_storage(m: pyo.ConcreteModel, reservoir: str) -> Any:
    """Mean of the storage [hm3] at the start and the end of the period."""
    return (m.storage_start[reservoir] + m.storage_end[reservoir]) / 2


def lake_area(m: pyo.ConcreteModel, basin: Basin, reservoir: str, depth: np.ndarray) -> Any:
    """Area [km2] at the mean storage of the period, as a tangent to the curve.

    Its error counts as the water it stands for, against the active storage.

    Parameters
    ----------
    depth : all that falls on the lake, evaporates and seeps [m] (member, time)
    """
    curve = curve_of(basin, reservoir)
    low, normal = storage_range(basin, reservoir)
    at_zero, slope = area_line(curve, low, normal)
    return m.tangents.add(
        f"area[{reservoir}]",
        partial(curve_along, curve, "area"),
        [mean_storage(m, reservoir)],
        start=(at_zero, [slope]),
        steps=[m.storage_end[reservoir]],
        scale=(normal - low or 1.0) / np.maximum(depth, SHALLOW),
        units=unit("km2"),
    )


def may_fall_dry(basin: Basin, reservoir: str) -> bool:
    """Tell whether some tangent to the area is below zero at a storage that the lake may have."""
    storage, area = curve_of(basin, reservoir).points["area"]
    slope = np.diff(area) / np.diff(storage)
    low, normal = storage_range(basin, reservoir)
    is_reached = (storage[1:] >= low) & (storage[:-1] <= normal)
    return bool((is_reached & (area[:-1] + slope * (low - storage[:-1]) < -1e-9)).any())


def curve_of(basin: Basin, reservoir: str) -> Curve | None:
    """Curve of a reservoir, where it has one."""
    return basin.curves.get(basin.tables["reservoirs"].loc[reservoir, "curve"])


def area_line(curve: Curve, low: float, high: float) -> tuple[float, float]:
    """Fit area = a0 + a1 storage between two storages.

    Least squares over 200 equal steps of storage, kept at or above zero area at `low`.

    Parameters
    ----------
    low, high : storage [hm3]

    Returns
    -------
    a0 : km2
    a1 : km2 per hm3
    """
    storage = np.linspace(low, high, 201)
    area = curve.area(storage)
    if high <= low:
        return float(area[0]), 0.0
    slope, at_zero = np.polyfit(storage, area, 1)
    if at_zero + slope * low < 0:
        slope = float(area[-1] / (high - low))
        at_zero = -slope * low
    return float(at_zero), float(slope)
