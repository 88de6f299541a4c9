"""headwater_protection: where rivers rise, little is taken, some is stored, and some flows on."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
import pyomo.environ as pyo
from pydantic import Field, model_validator

from wateralloc.basin import Basin
from wateralloc.case import Case
from wateralloc.parts.link import RIVER_KINDS, river_flow
from wateralloc.parts.reservoir import has_filled
from wateralloc.rules import Rule, number_windows
from wateralloc.rules.flows import check_natural, natural_flow, nodes_above
from wateralloc.seasonal import Seasonal
from wateralloc.users import unknown

SHARES = ("withdrawal_share", "minimum_storage_share", "river_share")
PROTECTIONS = (*SHARES, "minimum_storage_hm3")


class HeadwaterProtection(Rule):
    """Protect the nodes where rivers rise: limit withdrawals, keep storage, let water flow on.

    The nodes are those named under `nodes`, or all from which the river flows to the section
    `above`, without the section's own node.  Any of three protections may be asked, each by date:

    - *withdrawals*: all that users draw at a node is at most `withdrawal_share` of the inflow that
      rises at that node; 0 forbids it.  With `sectors` only those users count, so that drinking
      water may be left free.  A node without inflow of its own allows none.
    - *storage*: each reservoir keeps `minimum_storage_share` of its normal storage, or all of them
      together keep `minimum_storage_hm3`, at the end of each period whose last day is named.
    - *flow*: the river carries on from each node at least `river_share` of its natural flow (as it
      would come if nobody stored or took water), or, with ``river_share_of: local``, of the inflow
      that rises at the node itself.

    Canals, pumps and transfers are no withdrawals: what they lead out of the headwater is limited
    by `river_share` only.  A reservoir that a work has yet to open, or that is still filling to
    dead storage, keeps nothing yet.  Each protection has its own rows in the results.  All of it is
    linear, as natural flow and inflow are known before.

    Equation
    --------
    sum of withdrawals at n <= withdrawal_share(t) inflow(n, t);
    storage_end(r, t) >= minimum_storage_share(t) normal(r), or
    sum of storage_end(r, t) >= minimum_storage_hm3(t);
    river_flow(n, t) >= river_share(t) natural_flow(n, t), or river_share(t) inflow(n, t).

    Source
    ------
    Equity between upstream and downstream, minimum flow kept: Law on Water Resources 28/2023/QH15,
    Art. 35.  A share of the natural flow as a standard for healthy rivers: Richter, Davis, Apse &
    Konrad (2012), A presumptive standard for environmental flow protection, River Research and
    Applications 28, 1312-1321.

    Example
    -------
    .. code-block:: yaml

        - rule: headwater_protection
          name: sources_of_the_da
          above: hoa_binh
          withdrawal_share: 0.1
          sectors: [irrigation, industry]
          minimum_storage_share: {from: 01-01, to: 05-31, value: 0.3}
    """

    kind = "headwater_protection"
    vi = "Bảo vệ đầu nguồn: hạn chế lấy nước, giữ dung tích hồ và duy trì dòng chảy xuống hạ lưu."

    nodes: Annotated[tuple[str, ...], Field(description="nodes that are protected")] = ()
    above: Annotated[
        str, Field(description="in their place: node of a section, above which all are protected")
    ] = ""
    withdrawal_share: Annotated[
        Seasonal | None,
        Field(description="share of a node's own inflow that may be withdrawn there, by date"),
    ] = None
    sectors: Annotated[
        tuple[str, ...], Field(description="sectors whose withdrawals are limited; default: all")
    ] = ()
    minimum_storage_share: Annotated[
        Seasonal | None,
        Field(description="share of normal storage that each reservoir keeps, by date"),
    ] = None
    minimum_storage_hm3: Annotated[
        Seasonal | None, Field(description="storage that all reservoirs together keep, by date")
    ] = None
    river_share: Annotated[
        Seasonal | None, Field(description="share of its inflow that the river carries on, by date")
    ] = None
    river_share_of: Annotated[
        Literal["natural", "local"],
        Field(description="what it is a share of: natural flow, or inflow of the node itself"),
    ] = "natural"

    @model_validator(mode="after")
    def _is_whole(self) -> HeadwaterProtection:
        if bool(self.nodes) == bool(self.above):
            raise ValueError("give either nodes or above")
        if not self._given():
            raise ValueError(f"protects nothing; give at least one of {', '.join(PROTECTIONS)}")
        if self.minimum_storage_share is not None and self.minimum_storage_hm3 is not None:
            raise ValueError("give either minimum_storage_share or minimum_storage_hm3")
        if self.sectors and self.withdrawal_share is None:
            raise ValueError("has sectors but no withdrawal_share, which they belong to")
        return self

    def _given(self) -> dict[str, Seasonal]:
        values = {key: getattr(self, key) for key in PROTECTIONS}
        return {key: value for key, value in values.items() if value is not None}

    # --- faults ---------------------------------------------------------------------------------

    def check(self, basin: Basin) -> list[tuple[str, str, str]]:
        known = basin.tables["nodes"].index
        faults = unknown("nodes", self.nodes, known, "node")
        faults += unknown("above", [self.above] if self.above else [], known, "node")
        faults += unknown("sectors", self.sectors, basin.sectors, "sector")
        for key, value in self._given().items():
            dimension = "fraction" if key in SHARES else "volume"
            faults += value.check(key, basin.patterns, dimension)
        if faults:
            return faults
        for key in SHARES:
            faults += self._check_share(basin, key)
        return faults + self._check_objects(basin)

    def _check_share(self, basin: Basin, key: str) -> list[tuple[str, str, str]]:
        value = self._given().get(key)
        largest = 0.0 if value is None else float(value.by_day(basin.patterns).max())
        if largest <= 1:
            return []
        return [(key, "E303", f"{key} is {largest:g}; a share must be 0 to 1")]

    def _check_objects(self, basin: Basin) -> list[tuple[str, str, str]]:
        """Faults of protections that find nothing to protect at the nodes."""
        faults = []
        nodes = self.protected(basin)
        key, where = ("nodes", "at these nodes") if self.nodes else ("above", "there")
        if not nodes:
            text = f"no node lies above '{self.above}' by the river; name another section"
            return [("above", "E327", text)]
        if self.withdrawal_share is not None and not any(self._drawers(basin, n) for n in nodes):
            of_sectors = f" of {' or '.join(self.sectors)}" if self.sectors else ""
            text = f"no user{of_sectors} draws {where}; remove withdrawal_share, or widen {key}"
            faults.append((key, "E327", text))
        for limit in ("minimum_storage_share", "minimum_storage_hm3"):
            if limit in self._given() and not self._reservoirs(basin):
                text = f"no reservoir stands {where}; remove {limit}, or widen {key}"
                faults.append((key, "E327", text))
        if "minimum_storage_hm3" in self._given() and self._reservoirs(basin):
            faults += self._check_room(basin)
        if "minimum_storage_share" in self._given():
            faults += [
                (
                    "minimum_storage_share",
                    "E327",
                    f"minimum_storage_share asks for a share of '{r}', which has no normal storage "
                    "to take it of; give it one, or write minimum_storage_hm3",
                )
                for r in self._reservoirs(basin)
                if np.isinf(basin.tables["reservoirs"].at[r, "normal"])
            ]
        if self.river_share is not None:
            faults += self._check_river(basin, key, where)
        return faults

    def _check_room(self, basin: Basin) -> list[tuple[str, str, str]]:
        limit, kept = self.minimum_storage_hm3, self._reservoirs(basin)
        asked = 0.0 if limit is None else float(limit.by_day(basin.patterns).max())
        room = float(basin.tables["reservoirs"].loc[kept, "normal"].astype(float).sum())
        if asked <= room:
            return []
        return [
            (
                "minimum_storage_hm3",
                "E327",
                f"minimum_storage_hm3 is {asked:g} but the reservoirs there ({', '.join(kept)}) "
                f"hold {room:g} hm3 when full; must be at most that",
            )
        ]

    def _check_river(self, basin: Basin, key: str, where: str) -> list[tuple[str, str, str]]:
        nodes = self._rivers(basin)
        if not nodes:
            of = "inflow of its own" if self.river_share_of == "local" else "river that goes on"
            text = f"no node has {of} {where}; remove river_share, or widen {key}"
            return [(key, "E327", text)]
        if self.river_share_of == "local":
            return []
        return [fault for n in nodes for fault in check_natural(basin, n, key)]

    # --- what is protected ----------------------------------------------------------------------

    def protected(self, basin: Basin) -> list[str]:
        """Protected nodes, in table order."""
        chosen = set(self.nodes) or nodes_above(basin, self.above)
        return [n for n in basin.tables["nodes"].index if n in chosen]

    def _reservoirs(self, basin: Basin) -> list[str]:
        table = basin.tables["reservoirs"]
        return [r for r in self.protected(basin) if r in table.index]

    def _rivers(self, basin: Basin) -> list[str]:
        """Protected nodes that the river leaves, and that have what `river_share` is a share of."""
        links, kinds = basin.tables["links"], basin.tables["nodes"]["kind"]
        leaving = set(links["from"][links["kind"].isin(RIVER_KINDS)]) | set(
            kinds.index[kinds == "sink"]
        )
        with_inflow = basin.values("nodes", "inflow")
        return [
            n
            for n in self.protected(basin)
            if n in leaving
            and kinds[n] != "aquifer"
            and (self.river_share_of == "natural" or n in with_inflow)
        ]

    def _drawers(self, basin: Basin, node: str) -> tuple[list[str], list[str]] | None:
        """Demands without sources, and sources, that draw at a node; None where there are none."""
        table, sources = basin.tables["demands"], basin.tables["sources"]
        counts = table.index[table["sector"].isin(self.sectors or basin.sectors)]
        here = table.index[(table["node"] == node) & ~table.index.isin(sources["demand"])]
        demands = [d for d in here if d in counts]
        at_source = sources.index[(sources["node"] == node) & sources["demand"].isin(counts)]
        return (demands, list(at_source)) if demands or len(at_source) else None

    # --- the rows -------------------------------------------------------------------------------

    def constrain(self, m: pyo.ConcreteModel, case: Case) -> None:
        basin, timeline, patterns = case.basin, case.timeline, case.basin.patterns
        nodes, nothing = self.protected(basin), np.zeros((case.n_members, case.n_periods))
        if self.withdrawal_share is not None:
            share, rows = self.withdrawal_share.on(timeline, patterns), {}
            for n in nodes:
                if drawers := self._drawers(basin, n):
                    demands, sources = drawers
                    taken = sum(m.withdrawal[d] for d in demands) + sum(m.drawn[s] for s in sources)
                    rises = m.inflow[n].value if n in m.inflow else nothing
                    rows[n] = taken, share * rises
            window = number_windows(self.withdrawal_share.active(timeline))
            self.require(m, rows, "<=", window, "_withdrawal")
        self._keep_storage(m, case)
        if self.river_share is not None:
            share, is_local = (
                self.river_share.on(timeline, patterns),
                self.river_share_of == "local",
            )
            rows = {}
            for n in self._rivers(basin):
                flow = m.inflow[n].value if is_local else natural_flow(m, case, n)
                rows[n] = river_flow(m, n), share * flow
            window = number_windows(self.river_share.active(timeline))
            self.require(m, rows, ">=", window, "_river")

    def _keep_storage(self, m: pyo.ConcreteModel, case: Case) -> None:
        limit = self.minimum_storage_share or self.minimum_storage_hm3
        if limit is None:
            return
        asked = limit.at_end(case.timeline, case.basin.patterns)
        stored = {r: m.storage_end[r] for r in self._reservoirs(case.basin)}
        is_open = {
            r: has_filled(case, r, case.opened("reservoirs").get(r, np.ones(case.n_periods)))
            for r in stored
        }
        rows = {"": (sum(stored.values()), asked * np.any(list(is_open.values()), axis=0))}
        if self.minimum_storage_share is not None:
            normal = case.basin.tables["reservoirs"]["normal"]
            rows = {r: (s, asked * normal[r] * is_open[r]) for r, s in stored.items()}
        window = number_windows(limit.active_at_end(case.timeline))
        self.require(m, rows, ">=", window, "_storage")
