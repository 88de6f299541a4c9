"""indexed_delivery: what is delivered follows a table of an index, as a flow or a storage."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Annotated, Any, Literal

import numpy as np
import pyomo.environ as pyo
from pydantic import BaseModel, ConfigDict, Field, model_validator

from wateralloc.basin import Basin
from wateralloc.case import Case
from wateralloc.errors import CaseError, Fault
from wateralloc.parts import unit
from wateralloc.parts.link import river_flow
from wateralloc.rules import Rule, last_of_each, number_windows, windows
from wateralloc.rules.flows import (
    arriving,
    at_first_periods,
    check_natural,
    natural_over,
    window_sums,
    work_data,
)
from wateralloc.rules.yes_or_no import most_by, runs_in_circle, storage_together
from wateralloc.units import hm3_of_m3s
from wateralloc.users import Names, unknown

Amount = Annotated[float | None, Field(strict=True, ge=0, allow_inf_nan=False)]
SAME = 1e-9
"""Largest jump of a table, relative, that counts as none (rounding of its numbers)."""


class Index(BaseModel):
    """What the table is read by: one of the four."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    natural_flow_at: Annotated[
        Names, Field(description="natural flow past these nodes, without reservoirs and uses")
    ] = ()
    inflow_of: Annotated[Names, Field(description="local inflow of these nodes")] = ()
    flow_at: Annotated[
        Names, Field(description="water that reaches these nodes in fact, in the same window")
    ] = ()
    storage_of: Annotated[
        Names, Field(description="storage of these reservoirs at the start of the window")
    ] = ()

    @model_validator(mode="after")
    def _one_index(self) -> Index:
        if len(self.model_fields_set) != 1 or not next(iter(self.named().values()), ()):
            raise ValueError("give one of natural_flow_at, inflow_of, flow_at and storage_of")
        return self

    def named(self) -> dict[str, Names]:
        """What is given."""
        return {key: getattr(self, key) for key in sorted(self.model_fields_set)}

    @property
    def is_decided(self) -> bool:
        """Tell whether the index depends on what is decided."""
        return bool(self.flow_at or self.storage_of)


class Band(BaseModel):
    """A row of the table: what is delivered while the index is in a band."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    up_to_m3s: Annotated[
        Amount, Field(description="the band ends with this mean flow; the last row has no end")
    ] = None
    up_to_hm3: Annotated[
        Amount, Field(description="the band ends with this volume, in place of up_to_m3s")
    ] = None
    share: Annotated[
        float | None, Field(strict=True, ge=0, le=1, description="share of the index")
    ] = None
    flow_m3s: Annotated[Amount, Field(description="mean flow, whatever the index")] = None
    volume_hm3: Annotated[Amount, Field(description="volume of the window")] = None
    all_but_m3s: Annotated[Amount, Field(description="the index less this mean flow")] = None
    all_but_hm3: Annotated[Amount, Field(description="the index less this volume")] = None

    @model_validator(mode="after")
    def _one_amount(self) -> Band:
        keys = ("share", "flow_m3s", "volume_hm3", "all_but_m3s", "all_but_hm3")
        if sum(getattr(self, key) is not None for key in keys) != 1:
            raise ValueError(f"give one of {', '.join(keys)}")
        if len({key.split("_")[-1] for key in _given(self)} - {"share"}) > 1:
            raise ValueError("mixes m3s and hm3; give both in one of them")
        return self


class Point(BaseModel):
    """A point of a table that is read in between: an index, and what is delivered at it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    index_m3s: Annotated[Amount, Field(description="index as mean flow of the window")] = None
    index_hm3: Annotated[Amount, Field(description="index as volume")] = None
    flow_m3s: Annotated[Amount, Field(description="mean flow delivered at it")] = None
    volume_hm3: Annotated[Amount, Field(description="volume delivered at it in the window")] = None

    @model_validator(mode="after")
    def _two_amounts(self) -> Point:
        for keys in (("index_m3s", "index_hm3"), ("flow_m3s", "volume_hm3")):
            if sum(getattr(self, key) is not None for key in keys) != 1:
                raise ValueError(f"give either {keys[0]} or {keys[1]}")
        return self


@dataclass(frozen=True)
class Piece:
    """A straight line of the table: volume = intercept + slope index, up to an index.

    Each number is in the units of the table, and is multiplied with the volume of one m3/s over the
    window to the given power, to count in hm3 of the window.
    """

    up_to: float
    slope: float
    intercept: float
    up_to_power: int
    slope_power: int
    intercept_power: int


class IndexedDelivery(Rule):
    """Deliver what a table says of an index: the more there is, the more is owed.

    A table by bands of flow divides low and high water otherwise, as the treaty on the Ganges does:
    up to 70,000 cusecs half each, then a fixed flow, beyond 75,000 all but 40,000.  A table by
    points is read in between along straight lines, as the compact of the Rio Grande; beyond its
    ends the first and the last line go on, and never below zero.

    The index is one of four:

    natural_flow_at
        the natural flow past nodes, without reservoirs and uses, after its travel time;
    inflow_of
        the local inflow of nodes, as the record has it (or `border_flow` changes it);
    flow_at
        the water that reaches nodes in fact, before use there, in the same window;
    storage_of
        the storage of reservoirs at the start of the window.

    Several nodes or reservoirs add up.  The first two are numbers; the table may have any shape.
    The last two depend on what is decided.  "At least" is linear then as long as the table is
    convex: it does not jump, and rises ever faster.  Such a table is the largest of its lines, and
    the delivery is held above each.  In any other, as one of steps, the band is a decision of yes
    or no in each window and member (an integer column for each band), true to the table; such a
    case says ``integers: true`` and ``linearisation: fixed``, and without it the table is a fault.
    Under perfect foresight the index may be steered: water is let down, or kept, to be in the band
    that suits the goals.  An index exactly where a band ends may be counted to the next as well.
    A table by storage that is smoothed to straight lines, "linear hedging", needs no yes or no,
    keeps the spirit of steps, and has a price.

    In a table flows are means over the window, volumes are those of the window.  What counts as
    delivered is the water the river carries on from `at`, or what enters the link `link`, as a
    transfer.  The rule is silent in windows of which the horizon has only a part.

    With an index that is decided, results show 0 as required and, as achieved, what is delivered
    beyond an amount that is at least what is owed.  What is owed is the largest of the lines of the
    table, each summed over the window: `owed_by_line` in ``accounts.csv``, beside `index` and
    `delivered`.  Where bands are decided there are `owed` and, in the first period of each window,
    `band`, its number from 1, instead; a row of the table that falls below zero counts as two.

    Equation
    --------
    delivered(w) >= f(X(w)), where delivered(w) is the sum over the window of river_flow(at, t), or
    of flow(link, t); f is the table; and X(w) is the sum over the window of the natural flow, the
    inflow or what arrives, or the storage at its start.
    Where X is decided: owed(w) >= slope(i) X(w) + intercept(i) for each line i of the table, and
    delivered(w) - owed(w) >= 0.
    Where bands are decided, with z(i, w) in {0, 1} for the band from L(i) to U(i):
    sum over i of z(i, w) = 1; X(w) = sum of x(i, w) with L(i) z(i, w) <= x(i, w) <= U(i) z(i, w);
    delivered(w) >= sum of slope(i) x(i, w) + intercept(i) z(i, w).

    Source
    ------
    India and Bangladesh, treaty on sharing of the Ganges waters at Farakka of 12 December 1996,
    Annexure I (bands of flow).  Rio Grande Compact (1938), Art. III and IV (points, intermediate
    values by proportional parts).  Tajo-Segura, Real Decreto 773/2014 and 638/2021 (transfer by
    levels of storage: steps).  Colorado River, Interim Guidelines for Lower
    Basin Shortages and the Coordinated Operations of Lakes Powell and Mead (2007) (by storage).

    Example
    -------
    .. code-block:: yaml

        - rule: indexed_delivery
          name: as_on_the_ganges
          at: son_tay
          index: {natural_flow_at: [son_tay]}
          table:
            - {up_to_m3s: 1982, share: 0.5}
            - {up_to_m3s: 2124, flow_m3s: 991}
            - {all_but_m3s: 1133}
          window: period
          months: [1, 2, 3, 4, 5]

    Steps by storage, in a case with ``integers: true`` and ``linearisation: fixed``:

    .. code-block:: yaml

        - rule: indexed_delivery
          name: transfer_by_levels
          link: nhue_canal
          index: {storage_of: [hoa_binh, son_la]}
          table:
            - {up_to_hm3: 8000, volume_hm3: 0}
            - {up_to_hm3: 12000, volume_hm3: 27}
            - {volume_hm3: 60}
          window: month
    """

    kind = "indexed_delivery"
    vi = "Giao nước theo bảng tra: lượng giao phụ thuộc dòng chảy đến hoặc dung tích hồ."

    at: Annotated[str, Field(description="node past which the water is delivered")] = ""
    link: Annotated[
        str, Field(description="link that takes what is delivered, in place of `at`")
    ] = ""
    index: Annotated[Index, Field(description="what the table is read by")]
    table: Annotated[
        tuple[Band, ...], Field(description="rows by bands of the index, from the lowest")
    ] = ()
    points: Annotated[
        tuple[Point, ...], Field(description="points, read along straight lines, in place of table")
    ] = ()
    window: Annotated[
        Literal["period", "month", "season", "year", "horizon"],
        Field(description="window of index and delivery"),
    ] = "period"
    months: Annotated[
        tuple[Annotated[int, Field(ge=1, le=12)], ...],
        Field(description="months of the windows; default: all"),
    ] = ()

    @model_validator(mode="after")
    def _whole(self) -> IndexedDelivery:
        if bool(self.at) == bool(self.link):
            raise ValueError("give either at or link")
        if bool(self.table) == bool(self.points):
            raise ValueError("give either table, by bands, or points")
        if len(self.points) == 1:
            raise ValueError("has one point; a straight line needs two")
        units = self._units()
        if len(units) > 1:
            raise ValueError(f"mixes {' and '.join(units)}; give all rows in one of them")
        ends = [p.up_to for p in _of_bands(self.table)][:-1] or [x for x, _ in _xy(self.points)]
        if not np.all(np.isfinite(ends)) or any(b <= a for a, b in pairwise(ends)):
            what = "ends of its bands" if self.table else "index of its points"
            raise ValueError(f"must give the {what} in rising order, each one once")
        if self.table and {"up_to_m3s", "up_to_hm3"} & _given(self.table[-1]):
            raise ValueError("has an end in its last row; leave it out, the last row has none")
        if self.index.storage_of and self._is_by_flow:
            raise ValueError("has an index in m3s, but a storage is in hm3; give it in hm3")
        return self

    def _units(self) -> list[str]:
        """Units of the rows, one where they agree: of bands, or of index and delivery of points."""
        of_bands = {unit for row in self.table if (unit := _unit_of(row))}
        of_points = {" with ".join(sorted(_given(row))) for row in self.points}
        return sorted(of_bands | of_points)

    @property
    def _is_by_flow(self) -> bool:
        """Tell whether the index of the table is a flow in m3/s."""
        return bool(self.pieces()[0].up_to_power)

    def pieces(self) -> list[Piece]:
        """Straight lines of the table, from the lowest index on."""
        return list(_of_bands(self.table) if self.table else _of_points(self.points))

    # --- faults ---------------------------------------------------------------------------------

    def check(self, basin: Basin) -> list[tuple[str, str, str]]:
        nodes, index = basin.tables["nodes"].index, self.index
        known = {
            "natural_flow_at": (nodes, "node"),
            "inflow_of": (basin.values("nodes", "inflow"), "node with inflow"),
            "flow_at": (nodes, "node"),
            "storage_of": (basin.tables["reservoirs"].index, "reservoir"),
        }
        faults = unknown("at", [self.at] if self.at else [], nodes, "node")
        faults += unknown(
            "link", [self.link] if self.link else [], basin.tables["links"].index, "link"
        )
        for key, names in index.named().items():
            faults += unknown(f"index.{key}", names, *known[key])
        for node in index.natural_flow_at:
            faults += check_natural(basin, node, "index.natural_flow_at")
        return faults

    def _not_linear(self) -> str:
        """Say why a table is not the largest of its lines; "" where it is."""
        measure = "m3/s" if self._is_by_flow else "hm3"
        for piece, after in pairwise(self.pieces()):
            at = piece.up_to
            here, there = (p.intercept + p.slope * at for p in (piece, after))
            if abs(there - here) > SAME * max(1.0, abs(here)):
                how = f"jumps from {here:g} to {there:g}"
            elif after.slope < piece.slope - SAME:
                how = f"rises by {piece.slope:g} before and by {after.slope:g} beyond"
            else:
                continue
            what = "storage" if self.index.storage_of else "flow that is decided"
            other = (
                "" if self.index.storage_of else "use a known index, natural_flow_at or inflow_of; "
            )
            return (
                f"delivery by a {what} must rise ever faster, without jumps, to be linear; at "
                f"{at:g} {measure} it {how}: {other}give points whose line rises ever faster; or "
                "write `integers: true` and `linearisation: fixed` in the case, which makes the "
                "band a decision of yes or no"
            )
        return ""

    def _raise(self, case: Case, key: str, code: str, text: str) -> None:
        """Raise a fault that only the case shows."""
        at = case.rule_positions[case.rules.index(self)]
        raise CaseError([Fault(at, code, f"{key} of rule '{self.name}': {text}")])

    # --- the period -----------------------------------------------------------------------------

    def constrain(self, m: pyo.ConcreteModel, case: Case) -> None:
        window = windows(case.timeline, self.window, self.months, whole=True, rule=self.name)
        delivered: Any = m.flow[self.link] if self.link else river_flow(m, self.at)
        # volume of one m3/s over each window
        per_flow = window_sums(hm3_of_m3s(1.0, case.timeline.seconds)[None, :], window)[0]
        if self.index.is_decided:
            text = self._not_linear()
            if not text:
                self._above_lines(m, case, delivered, window, per_flow)
            elif case.integers:
                self._in_bands(m, case, delivered, window, per_flow)
            else:
                self._raise(case, "table" if self.table else "points", "E322", text)
            return
        known = self._known(m, case)
        owed = read_table(self.pieces(), window_sums(known, window), per_flow)
        self.require(m, {"": (delivered, at_first_periods(owed, window))}, ">=", window)

    def _known(self, m: pyo.ConcreteModel, case: Case) -> np.ndarray:
        """Index that does not depend on what is decided [hm3] (member, time)."""
        if self.index.natural_flow_at:
            return natural_over(m, case, self.index.natural_flow_at)
        return np.sum([m.inflow[node].value for node in self.index.inflow_of], axis=0)

    def _decided(self, m: pyo.ConcreteModel, case: Case) -> Any:
        """Index that depends on what is decided [hm3], an expression of the period."""
        if self.index.storage_of:
            return sum(m.storage_start[r] for r in self.index.storage_of)
        return sum(arriving(m, case, node) for node in self.index.flow_at)

    def _above_lines(
        self,
        m: pyo.ConcreteModel,
        case: Case,
        delivered: Any,
        window: np.ndarray,
        per_flow: np.ndarray,
    ) -> None:
        """Hold the delivery above every line of a convex table."""
        is_storage = bool(self.index.storage_of)
        index = self._decided(m, case)
        pieces = self.pieces()
        # a storage counts once, where the window starts; a flow in each of its periods
        spread = at_first_periods if is_storage else in_all_periods
        slopes = {
            str(k + 1): spread((p.slope * per_flow**p.slope_power)[None, :], window)[0]
            for k, p in enumerate(pieces)
        }
        least = {
            str(k + 1): at_first_periods(
                (p.intercept * per_flow**p.intercept_power)[None, :], window
            )[0]
            for k, p in enumerate(pieces)
        }
        slope = work_data(m, f"{self.name}_slope", slopes, "1")
        intercept = work_data(m, f"{self.name}_intercept", least, "hm3")
        owed = pyo.Var(bounds=(0, None), units=unit("hm3"))
        m.workings.add_component(f"{self.name}_owed", owed)
        by_line = {k: slope[k] * index + intercept[k] for k in slopes}
        lines = pyo.Constraint(
            list(slopes), rule=lambda _, k: owed - slope[k] * index >= intercept[k]
        )
        m.workings.add_component(f"{self.name}_lines", lines)
        m.repeats.total(lines, window)
        self.report(m, "delivered", {"": delivered})
        self.report(m, "index", {"": index})
        self.report(m, "owed_by_line", by_line)
        self.require(m, {"": (delivered - owed, np.zeros(case.n_periods))}, ">=", window)

    def _in_bands(
        self,
        m: pyo.ConcreteModel,
        case: Case,
        delivered: Any,
        window: np.ndarray,
        per_flow: np.ndarray,
    ) -> None:
        """Decide in each window in which band the index is, and hold the delivery above it."""
        if not per_flow.size:
            return
        is_storage = bool(self.index.storage_of)
        least, most = self._range(m, case, window)
        low: dict[str, np.ndarray] = {}
        high: dict[str, np.ndarray] = {}
        slope: dict[str, np.ndarray] = {}
        intercept: dict[str, np.ndarray] = {}
        edge = np.broadcast_to(least, most.shape)
        for number, p in enumerate(above_zero(self.pieces()), 1):
            end = np.clip(p.up_to * per_flow**p.up_to_power, edge, most)
            if (end > edge).any() or (not low and not np.isfinite(p.up_to)):
                k = str(number)
                low[k], high[k] = edge, end
                slope[k] = (p.slope * per_flow**p.slope_power)[None, :]
                intercept[k] = (p.intercept * per_flow**p.intercept_power)[None, :]
            edge = end
        is_first = np.diff(np.maximum.accumulate(window), prepend=-1) > 0
        once = number_windows(is_first)

        def data(word: str, values: dict[str, np.ndarray], of: str = "hm3") -> pyo.Param:
            placed = {k: at_first_periods(v, window) for k, v in values.items()}
            return work_data(m, f"{self.name}_{word}", placed, of)

        bands = list(low)
        lows, highs = data("low", low), data("high", high)
        slopes, intercepts = data("slope", slope, "1"), data("intercept", intercept)
        first = work_data(m, f"{self.name}_first", {"": is_first.astype(float)})[""]
        block = m.workings
        in_band = pyo.Var(bands, domain=pyo.Binary)
        part = pyo.Var(bands, bounds=(0, None), units=unit("hm3"))
        block.add_component(f"{self.name}_in_band", in_band)
        block.add_component(f"{self.name}_part", part)
        # periods before the first window, and between windows, belong to none; what stands there
        # is counted nowhere
        column = np.maximum(np.maximum.accumulate(window), 0)
        m.repeats.share(in_band, column)
        m.repeats.share(part, column)
        index = self._decided(m, case)
        rows = {
            "one_band": (sum(in_band[k] for k in bands) == 1, once),
            "parts": (
                index - first * sum(part[k] for k in bands) == 0, once if is_storage else window
            ),
        } | {
            f"{word}_{k}": (row, once)
            for k in bands
            for word, row in (
                ("from", part[k] - lows[k] * in_band[k] >= 0),
                ("up_to", part[k] - highs[k] * in_band[k] <= 0),
            )
        }  # fmt: skip
        for word, (expression, of) in rows.items():
            row = pyo.Constraint(expr=expression)
            block.add_component(f"{self.name}_{word}", row)
            m.repeats.total(row, of)
        owed = sum(slopes[k] * part[k] + intercepts[k] * in_band[k] for k in bands)
        self.report(m, "delivered", {"": delivered})
        self.report(m, "index", {"": index})
        self.report(m, "owed", {"": owed})
        numbers = {"": sum(int(k) * in_band[k] for k in bands) * first}
        self.report(m, "band", numbers, "1")
        self.require(m, {"": (delivered - owed, np.zeros(case.n_periods))}, ">=", window)

    def _range(
        self, m: pyo.ConcreteModel, case: Case, window: np.ndarray
    ) -> tuple[float, np.ndarray]:
        """Least and largest index that is possible [hm3], the latter (member, window)."""
        last = np.flatnonzero(last_of_each(window))
        if self.index.storage_of:
            least, most = storage_together(case.basin, self.index.storage_of)
            return least, np.full((1, last.size), most)
        for node in self.index.flow_at:
            if runs_in_circle(case.basin, node):
                text = (
                    f"the flow at '{node}' has no limit by which a band could be told, as water "
                    "that leaves it may come back by links; choose a node outside of the circle, "
                    "or a table that rises ever faster"
                )
                self._raise(case, "index.flow_at", "E336", text)
        return 0.0, len(self.index.flow_at) * most_by(m, case)[:, last]


def above_zero(pieces: list[Piece]) -> Iterator[Piece]:
    """Straight lines of a table, cut where they fall below zero, and zero there.

    >>> [(p.up_to, p.slope) for p in above_zero([Piece(50, 1, -40, 0, 0, 0)])]
    [(40.0, 0.0), (50, 1)]
    """
    start = 0.0
    for p in pieces:
        zero = -p.intercept / p.slope if p.slope else np.inf
        at_start = p.slope * start + p.intercept
        at_end = p.slope * p.up_to + p.intercept if p.slope else p.intercept
        nothing = replace(p, slope=0.0, intercept=0.0)
        if min(at_start, at_end) >= 0:
            yield p
        elif max(at_start, at_end) <= 0:
            yield nothing
        else:
            lower, upper = (nothing, p) if at_start < 0 else (p, nothing)
            yield replace(lower, up_to=zero)
            yield upper
        start = p.up_to


def read_table(pieces: list[Piece], index: np.ndarray, per_flow: np.ndarray) -> np.ndarray:
    """Read what is owed off a table.

    Parameters
    ----------
    index : [hm3] (member, window)
    per_flow : volume of one m3/s over each window [hm3] (window)

    Returns
    -------
    ndarray [hm3] (member, window)

    Examples
    --------
    Half of the flow up to 70, and 35 beyond, over windows of one hm3 for each m3/s:

    >>> half = Piece(70, 0.5, 0, 1, 0, 1)
    >>> fixed = Piece(np.inf, 0, 35, 1, 0, 1)
    >>> read_table([half, fixed], np.array([[60.0, 70.0, 90.0]]), np.ones(3))
    array([[30., 35., 35.]])
    """
    inside, values = [], []
    for p in pieces:
        inside.append(index <= p.up_to * per_flow**p.up_to_power)
        values.append(
            p.slope * per_flow**p.slope_power * index + p.intercept * per_flow**p.intercept_power
        )
    return np.maximum(0.0, np.select(inside, values))


def in_all_periods(value: np.ndarray, window: np.ndarray) -> np.ndarray:
    """Give each period of a window its value (member, window), 0 to the others (member, time)."""
    none = np.zeros((value.shape[0], 1))
    return np.concatenate([value, none], axis=1)[:, window]  # -1 is the last


def _given(row: BaseModel) -> set[str]:
    """Keys of a row that have a value."""
    return {key for key in row.model_fields_set if getattr(row, key) is not None}


def _unit_of(row: Band) -> str:
    """Unit of a row, m3s or hm3; "" for a share without an end."""
    units = {key.split("_")[-1] for key in _given(row)} - {"share"}
    return units.pop() if units else ""


def _of_bands(rows: tuple[Band, ...]) -> Iterator[Piece]:
    for row in rows:
        end = row.up_to_hm3 if row.up_to_m3s is None else row.up_to_m3s
        power = int(_unit_of(row) == "m3s")
        slope, intercept = 0.0, 0.0
        if row.share is not None:
            slope = row.share
        elif row.flow_m3s is not None or row.volume_hm3 is not None:
            intercept = row.flow_m3s if row.flow_m3s is not None else row.volume_hm3
        else:
            less = row.all_but_m3s if row.all_but_m3s is not None else row.all_but_hm3
            slope, intercept = 1.0, -less
        yield Piece(np.inf if end is None else end, slope, intercept, power, 0, power)


def _of_points(rows: tuple[Point, ...]) -> Iterator[Piece]:
    x_power = int(rows[0].index_m3s is not None)
    y_power = int(rows[0].flow_m3s is not None)
    points = _xy(rows)
    for k, ((x, y), (x_next, y_next)) in enumerate(pairwise(points)):
        slope = (y_next - y) / (x_next - x)
        end = x_next if k < len(points) - 2 else np.inf
        yield Piece(end, slope, y - slope * x, x_power, y_power - x_power, y_power)


def _xy(rows: tuple[Point, ...]) -> list[tuple[float, float]]:
    """Index and delivery of points, in the units of the table."""
    return [
        (
            row.index_m3s if row.index_m3s is not None else row.index_hm3 or 0.0,
            row.flow_m3s if row.flow_m3s is not None else row.volume_hm3 or 0.0,
        )
        for row in rows
    ]
