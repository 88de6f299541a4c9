"""equal_filling: reservoirs stand equally full, within a tolerance."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
import pyomo.environ as pyo
from pydantic import Field

from wateralloc.basin import Basin
from wateralloc.case import Case
from wateralloc.parts import DATA, unit
from wateralloc.parts.reservoir import has_filled
from wateralloc.rules import Rule, number_windows
from wateralloc.seasonal import Seasonal
from wateralloc.users import unknown


class EqualFilling(Rule):
    """Keep several reservoirs equally full, within a tolerance.

    The filling of a reservoir is what it holds above dead storage, as a share of its usable
    storage: from dead storage up to normal storage, or, with ``full: flood_limit``, up to the flood
    limit of the day where that is lower.  No reservoir may stand fuller or emptier than all of them
    together by more than `tolerance_share` of its own usable storage.  So no one of them is emptied
    for the others, room for floods is spread, and a region whose reservoir fills first does not
    keep more of its water than the rest.

    The filling is compared at the end of each period; the rule is silent in periods whose last day
    `tolerance_share` does not name, so it may be asked for some dates only.  A reservoir that a
    work has yet to open, or that is still filling to dead storage, is left out until it has.  With
    a tolerance of 0 they stand exactly alike, which inflow, outlets and flood limits may not allow:
    give it some room, or make the rule soft.  Results show as achieved how much a reservoir holds
    beyond its even part (below 0: how much it lacks), and as required the tolerance, in hm3.

    Equation
    --------
    -tolerance U(r) <= storage_end(r) - dead(r) - U(r) F <= tolerance U(r), with the usable storage
    U(r) = normal(r) - dead(r) and F = sum (storage_end - dead) / sum U over the reservoirs; so F is
    the filling of all together, and the rows are linear.

    Source
    ------
    Space rule: Bower, Hufschmidt & Reedy (1962), in Maass et al., Design of water-resource systems;
    Lund & Guzman (1999), Derived operating rules for reservoirs in series or in parallel, Journal
    of Water Resources Planning and Management 125, 143-153.

    Example
    -------
    .. code-block:: yaml

        - rule: equal_filling
          name: three_lakes_alike
          reservoirs: [thac_ba, tuyen_quang, hoa_binh]
          tolerance_share: {from: 11-01, to: 05-31, value: 0.1}
          soft: {goal: 2}
    """

    kind = "equal_filling"
    vi = "Các hồ tích nước đồng đều: tỷ lệ dung tích hữu ích không chênh quá mức cho phép."

    reservoirs: Annotated[
        tuple[str, ...], Field(min_length=2, description="reservoirs, two or more")
    ]
    tolerance_share: Annotated[
        Seasonal, Field(description="largest difference, as a share of usable storage, by date")
    ]
    full: Annotated[
        Literal["normal", "flood_limit"],
        Field(description="what counts as full: normal storage, or the flood limit of the day"),
    ] = "normal"

    def check(self, basin: Basin) -> list[tuple[str, str, str]]:
        faults = unknown(
            "reservoirs", self.reservoirs, basin.tables["reservoirs"].index, "reservoir"
        )
        twice = [r for k, r in enumerate(self.reservoirs) if r in self.reservoirs[:k]]
        if twice:
            text = f"reservoir '{twice[0]}' is named twice; name each once"
            faults.append(("reservoirs", "E303", text))
        faults += self.tolerance_share.check("tolerance_share", basin.patterns, "fraction")
        return faults or self._check_storages(basin)

    def _check_storages(self, basin: Basin) -> list[tuple[str, str, str]]:
        table = basin.tables["reservoirs"]
        return [
            (
                "reservoirs",
                "E327",
                f"reservoir '{r}' has no usable storage (dead and normal storage are both "
                f"{table.at[r, 'dead']:g} hm3), so it has no filling; leave it out",
            )
            for r in self.reservoirs
            if table.at[r, "normal"] <= table.at[r, "dead"]
        ] + [
            (
                "reservoirs",
                "E327",
                f"reservoir '{r}' has no normal storage, so it has no filling; give it one, or "
                "leave it out",
            )
            for r in self.reservoirs
            if np.isinf(table.at[r, "normal"])
        ]

    def constrain(self, m: pyo.ConcreteModel, case: Case) -> None:
        timeline = case.timeline
        dead, usable, counts = self._storages(case)
        total, all_dead = sum(usable.values()), sum(dead.values())
        # of all usable storage; where none of them counts there is nothing to compare
        part = {r: usable[r] / np.where(total > 0, total, 1.0) for r in self.reservoirs}
        even_dead = {r: dead[r] - part[r] * all_dead for r in self.reservoirs}
        block = pyo.Block(concrete=True)
        m.workings.add_component(f"{self.name}_filling", block)
        block.part = pyo.Param(list(part), initialize=part, **DATA)
        block.counts = pyo.Param(list(counts), initialize=counts, **DATA)
        block.dead = pyo.Param(list(even_dead), initialize=even_dead, units=unit("hm3"), **DATA)
        stored = sum(block.counts[r] * m.storage_end[r] for r in self.reservoirs)
        beyond = {
            r: block.counts[r] * m.storage_end[r] - block.part[r] * stored - block.dead[r]
            for r in self.reservoirs
        }
        tolerance = self.tolerance_share.at_end(timeline, case.basin.patterns)
        window = number_windows(self.tolerance_share.active_at_end(timeline))
        for suffix, sense, sign in (("_below", ">=", -1.0), ("_above", "<=", 1.0)):
            rows = {r: (beyond[r], sign * tolerance * usable[r]) for r in self.reservoirs}
            self.require(m, rows, sense, window, suffix)

    def _storages(self, case: Case) -> tuple[dict[str, np.ndarray], ...]:
        """Dead and usable storage [hm3], and whether it counts, each (member, time)."""
        table, shape = case.basin.tables["reservoirs"], (case.n_members, case.n_periods)
        limits = case.attribute("reservoirs", "flood_limit", at_end=True)
        dead, usable, counts = {}, {}, {}
        for r in self.reservoirs:
            opened = case.opened("reservoirs").get(r, np.ones(case.n_periods))
            full = np.full(shape, table.at[r, "normal"])
            if self.full == "flood_limit" and r in limits:
                full = np.minimum(full, limits[r])
            room = np.maximum(full - table.at[r, "dead"], 0.0)
            is_in = has_filled(case, r, opened) & (room > 0)
            counts[r] = is_in.astype(float)
            dead[r], usable[r] = counts[r] * table.at[r, "dead"], counts[r] * room
        return dead, usable, counts
