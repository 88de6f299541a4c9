"""Where the water of each use came from, if water mixes wherever it meets."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr
from scipy.sparse import csc_array
from scipy.sparse.linalg import splu

STORAGE, OTHER = ":storage", ":other"
"""Sources beside the sub-basins: water in store or under way at the start; rain on lakes and so on.
"""
SEA, LOSS, STORED = ":outflow", ":loss", ":stored"
"""Uses beside the sectors: water that leaves the basin, is lost, or is in store at the end."""
TRACED = ("inflow", "storage_start", "storage_end", "link_in", "link_out", "return_flow",
          "withdrawal")  # fmt: skip
"""Amounts of the balance of a node that are traced one by one; all others are gained or lost."""
NOTHING = 1e-9


@dataclass(frozen=True)
class Traced:
    """Volumes from sources to uses.

    Attributes
    ----------
    sources : names of sub-basins, then `STORAGE` and `OTHER`
    uses : names of sectors, then `SEA`, `LOSS` and `STORED`
    volumes : hm3 (member, source, use)
    """

    sources: tuple[str, ...]
    uses: tuple[str, ...]
    volumes: np.ndarray


class _Water:
    """What enters at each place, goes from place to place, and is used: volumes (member).

    Places are the nodes, and then the links.
    """

    def __init__(self, n_members: int, n_places: int, sources: tuple[str, ...]) -> None:
        self.sources = {name: k for k, name in enumerate(sources)}
        self.entering = np.zeros((n_members, n_places, len(sources)))
        self.starts: list[int] = []
        self.ends: list[int] = []
        self.moved: list[np.ndarray] = []
        self.used: list[tuple[int, str, np.ndarray]] = []

    def enter(self, node: int, source: str, volume: np.ndarray) -> None:
        self.entering[:, node, self.sources[source]] += volume

    def move(self, start: int, end: int, volume: np.ndarray) -> None:
        self.starts.append(start)
        self.ends.append(end)
        self.moved.append(volume)

    def use(self, node: int, use: str, volume: np.ndarray) -> None:
        self.used.append((node, use, volume))

    def keep(self, node: int, change: np.ndarray) -> None:
        """Store what there is more of at the end; what there is less of comes in."""
        self.use(node, STORED, np.maximum(change, 0.0))
        self.enter(node, STORAGE, np.maximum(-change, 0.0))

    def makeup(self, member: int) -> np.ndarray:
        """Share of each source in the water of each node (node, source)."""
        entering = self.entering[member]
        n = entering.shape[0]
        starts, ends = np.array(self.starts, int), np.array(self.ends, int)
        volumes = np.array([volume[member] for volume in self.moved])
        total = entering.sum(axis=1) + np.bincount(ends, volumes, n)
        is_dry = total <= NOTHING
        here = np.arange(n)
        entries = np.concatenate([np.where(is_dry, 1.0, total),
                                  -np.where(is_dry[ends], 0.0, volumes)])  # fmt: skip
        places = np.concatenate([here, ends]), np.concatenate([here, starts])
        known = np.where(is_dry[:, None], 0.0, entering)
        matrix = csc_array((entries, places), shape=(n, n))
        return np.asarray(splu(matrix).solve(known))


def trace(dataset: xr.Dataset, periods: np.ndarray) -> Traced:
    """Trace the water that is used, lost, kept or let go back to where it entered the basin.

    Within the periods, water is taken to be mixed at each node: what leaves it has the make-up of
    all that came in, whatever the use.  The make-up of all nodes together solves one linear system,
    so loops (return flow to a node upstream, pumping) are no trouble.

    Parameters
    ----------
    periods : mask (time)

    Returns
    -------
    Traced
        Each source adds up to what entered there, each use to what it took.  Of the sectors it is
        consumption: what returns is not used up.

    Source
    ------
    Bialek (1996), Tracing the flow of electricity, IEE Proceedings - Generation, Transmission and
    Distribution 143(4): proportional sharing at a node, here of water.
    """
    basins = [str(name) for name in dataset["node_sub_basin"].values]
    sources = (*dict.fromkeys(basins), STORAGE, OTHER)
    sectors = dict.fromkeys(str(name) for name in dataset["sector"].values)
    uses = (*sectors, SEA, LOSS, STORED)
    n_places = len(basins) + dataset.sizes["link"]
    water = _Water(dataset.sizes["member"], n_places, sources)
    place = {str(node): k for k, node in enumerate(dataset["node"].values)}
    inflow = _sum(dataset, "balance_inflow", periods)
    for k, name in enumerate(basins):
        water.enter(k, name, inflow[:, k])
    _add_storage(water, dataset, periods, place)
    _add_other(water, dataset, periods)
    _add_links(water, dataset, periods, place)
    _add_users(water, dataset, periods, place)
    at_use = {name: k for k, name in enumerate(uses)}
    volumes = np.zeros((dataset.sizes["member"], len(sources), len(uses)))
    for member in range(volumes.shape[0]):
        makeup = water.makeup(member)
        for node, use, volume in water.used:
            volumes[member, :, at_use[use]] += makeup[node] * volume[member]
    return Traced(sources, uses, volumes)


def _sum(dataset: xr.Dataset, name: str, periods: np.ndarray) -> np.ndarray:
    """Volumes of the periods together (member, item)."""
    return dataset.variables[name].values[:, periods].sum(axis=1)


def _change(dataset: xr.Dataset, start: str, end: str, periods: np.ndarray) -> np.ndarray:
    """What there is more of at the end of the periods than at their start (member, item)."""
    return (dataset.variables[end].values - dataset.variables[start].values)[:, periods].sum(axis=1)


def _add_storage(
    water: _Water, dataset: xr.Dataset, periods: np.ndarray, place: dict[str, int]
) -> None:
    """Storage of all nodes that have any: reservoirs, aquifers."""
    if "balance_storage_end" not in dataset:
        return
    change = _change(dataset, "balance_storage_start", "balance_storage_end", periods)
    for k in place.values():
        water.keep(k, change[:, k])


def _add_other(water: _Water, dataset: xr.Dataset, periods: np.ndarray) -> None:
    """Amounts of the balance that are not traced: evaporation is lost, rain gained, and so on."""
    for name, values in dataset.variables.items():
        amount = str(name).removeprefix("balance_")
        sign = values.attrs.get("balance_sign")
        if sign is None or amount in TRACED:
            continue
        volume = sign * _sum(dataset, str(name), periods)
        for k in range(volume.shape[1]):
            water.enter(k, OTHER, np.maximum(volume[:, k], 0.0))
            water.use(k, LOSS, np.maximum(-volume[:, k], 0.0))


def _add_links(
    water: _Water, dataset: xr.Dataset, periods: np.ndarray, place: dict[str, int]
) -> None:
    """Water from node to node, what is lost and under way, and what leaves the basin.

    A link is a place of its own, where what comes in mixes with what is under way.
    """
    sent, came = (_sum(dataset, name, periods) for name in ("flow_in", "flow_out"))
    more = _change(dataset, "in_transit_start", "in_transit", periods)
    lost = _sum(dataset, "loss", periods)
    ends = zip(dataset["link_from"].values, dataset["link_to"].values, strict=True)
    for k, (start, end) in enumerate(ends):
        a, b = place[str(start)], place.get(str(end))
        if b is None:
            water.use(a, SEA, sent[:, k])
            continue
        here = len(place) + k
        water.move(a, here, sent[:, k])
        water.use(here, LOSS, lost[:, k])
        water.keep(here, more[:, k])
        water.move(here, b, came[:, k])


def _add_users(
    water: _Water, dataset: xr.Dataset, periods: np.ndarray, place: dict[str, int]
) -> None:
    """What users use up, lose on the way to them, and let return."""
    consumed, returned = (_sum(dataset, name, periods) for name in ("consumption", "return_flow"))
    withdrawn = consumed + returned
    more = _change(dataset, "return_in_transit_start", "return_in_transit_end", periods)
    sectors, ends = (dataset[name].values.astype(str) for name in ("sector", "return_to"))
    for k, drawn in enumerate(_drawn(dataset, periods, place, withdrawn)):
        sector, back = str(sectors[k]), place.get(str(ends[k]))
        total = sum(volume for _, volume in drawn)
        for node, volume in drawn:
            share = np.divide(volume, total, out=np.zeros_like(volume), where=total > NOTHING)
            water.use(node, sector, share * consumed[:, k])
            water.use(node, LOSS, volume - share * withdrawn[:, k])
            if back is not None:
                kept = np.maximum(share * more[:, k], 0.0)
                water.use(node, STORED, kept)
                came = share * (returned[:, k] - np.maximum(more[:, k], 0.0))
                water.move(node, back, came)
        if back is not None:
            water.enter(back, STORAGE, np.maximum(-more[:, k], 0.0))


def _drawn(
    dataset: xr.Dataset, periods: np.ndarray, place: dict[str, int], withdrawn: np.ndarray
) -> list[list[tuple[int, np.ndarray]]]:
    """Nodes that each demand draws from, and the volume (member) drawn there."""
    own = [[(place[str(node)], withdrawn[:, k])]
           for k, node in enumerate(dataset["demand_node"].values)]  # fmt: skip
    if "drawn" not in dataset:
        return own
    demands = [str(name) for name in dataset["demand"].values]
    several: dict[str, list[tuple[int, np.ndarray]]] = {}
    volumes = _sum(dataset, "drawn", periods)
    for k, demand in enumerate(dataset["source_demand"].values):
        node = place[str(dataset["source_node"].values[k])]
        several.setdefault(str(demand), []).append((node, volumes[:, k]))
    return [several.get(name, of) for name, of in zip(demands, own, strict=True)]
