"""Water balances from the written files alone: of nodes, links, stores, demands and the basin.

Nothing here asks the program for a volume: the files are read as a spreadsheet would read them, and
what enters is added up against what leaves.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from tests.properties.basins import M3S
from tests.properties.physics import branch_flow, points
from wateralloc.case import Case

ABSOLUTE, RELATIVE = 1e-6, 1e-9
ROUNDING = 2e-9
"""What the results round to zero [hm3], in a balance of a few such amounts."""
INTO = (
    "inflow", "link_in", "return_flow", "storage_start", "rain", "seepage_in", "recharge",
    "induced_recharge", "delivery_seepage",
)  # fmt: skip
OUT_OF = (
    "withdrawal", "evaporation", "storage_end", "link_out", "seepage", "stream_depletion",
)  # fmt: skip
RIVER, PUMPED = ("reach", "distributary", "turbine", "spillway"), ("canal", "pump", "transfer")
"""Kinds of links: of the river, and those whose water is pumped where they leave an aquifer."""


def read_rows(path: Path) -> pd.DataFrame:
    """Read a file; its volumes to the last digit."""
    rows = pd.read_csv(path, dtype=str, keep_default_na=False)
    return rows.astype({column: float for column in rows if column.endswith("_hm3")})


class Files:
    """The files of a run, laid out: rows are members and periods, columns are items."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.rows = {path.stem: read_rows(path) for path in folder.glob("*.csv")}
        self.dataset = xr.load_dataset(folder / "results.nc")
        balance = self.rows["balance"]
        self.index = pd.MultiIndex.from_frame(balance[["member", "period_start"]]).unique()
        self.of = cache(self._of)

    def _of(self, table: str, item: str, column: str) -> pd.DataFrame:
        """Sum of a column of a file by the words of another; empty where there is no such file."""
        rows = self.rows.get(table)
        if rows is None or rows.empty:
            return pd.DataFrame(index=self.index)
        keys = ["member", "period_start", item]
        amounts = rows.groupby(keys, sort=False)[f"{column}_hm3"].sum().unstack(item)
        return amounts.reindex(self.index)

    def variable(self, name: str) -> pd.DataFrame:
        """Values of a variable of results.nc, by item."""
        values = self.dataset[name]
        dim = next(d for d in values.dims if d not in ("member", "time"))
        array = values.transpose("member", "time", dim).values
        return pd.DataFrame(
            array.reshape(len(self.index), -1), self.index, self.dataset[dim].values
        )

    def starts(self, amounts: pd.DataFrame) -> pd.DataFrame:
        """Amounts of the first period of each member."""
        return amounts.groupby(level="member", sort=False).first()

    def ends(self, amounts: pd.DataFrame) -> pd.DataFrame:
        """Amounts of the last period of each member."""
        return amounts.groupby(level="member", sort=False).last()


@dataclass
class Worst:
    """Largest residuals seen.

    Attributes
    ----------
    absolute : hm3
    relative : share of the turnover
    """

    absolute: float = 0.0
    relative: float = 0.0

    def check(self, residual: Any, amounts: Iterable[Any], what: str) -> None:
        """Check that a balance closes, against the sum of its amounts, and take note."""
        off = np.abs(np.asarray(residual, float))
        turnover = sum(np.abs(np.asarray(a, float)) for a in amounts) + np.zeros(off.shape)
        if not off.size:
            return
        self.absolute = max(self.absolute, float(off.max()))
        self.relative = max(self.relative, float((off / np.maximum(turnover, 1.0)).max()))
        allowed = np.clip(RELATIVE * turnover, ROUNDING, ABSOLUTE)
        assert (off <= allowed).all(), (what, off.max(), turnover.ravel()[off.argmax()])

    def same(self, one: pd.DataFrame, other: pd.DataFrame, what: str) -> None:
        """Check that amounts agree; one that is absent is 0."""
        one, other = one.align(other, join="outer", axis=1, fill_value=0.0)
        one, other = one.fillna(0.0), other.fillna(0.0)
        self.check(one - other, [one], what)


def check_files(files: Files) -> Worst:
    """Close every balance of the files of a run, and trace each amount to its own file."""
    worst = Worst()
    for checked in (
        check_nodes, check_links, check_stores, check_demands, check_aquifers, check_basin,
    ):  # fmt: skip
        checked(files, worst)
    return worst


def check_nodes(files: Files, worst: Worst) -> None:
    """The balance of every node closes, and its amounts are those of the other files."""
    known = [c.removesuffix("_hm3") for c in files.rows["balance"] if c.endswith("_hm3")]
    assert set(known) <= {*INTO, *OUT_OF, "residual"}, "an amount that this check does not know"
    of = {name: files.of("balance", "node", name) for name in known}
    amounts = [of[name] for name in known if name != "residual"]
    assert min(amount.to_numpy().min() for amount in amounts) >= 0.0
    residual = sum(of[n] for n in INTO if n in of) - sum(of[n] for n in OUT_OF if n in of)
    worst.check(residual, amounts, "balance of a node")
    worst.check(residual - of["residual"], amounts, "residual in balance.csv")
    worst.same(of["link_out"], files.of("links", "from", "flow_in"), "link_out")
    worst.same(
        of["link_in"], files.of("links", "to", "flow_out").drop(columns="outside"), "link_in"
    )
    empty = pd.DataFrame(index=files.index)
    worst.same(of["inflow"], files.variable("inflow"), "inflow")
    for name in ("recharge", "induced_recharge"):
        worst.same(of.get(name, empty), files.of("aquifers", "aquifer", name), name)
    for name in ("evaporation", "rain", "seepage"):
        worst.same(of.get(name, empty), files.of("reservoirs", "reservoir", name), name)


def check_links(files: Files, worst: Worst) -> None:
    """What enters a link is lost, leaves it, or is on its way until a later period."""
    flow_in, loss, flow_out, start, end = (
        files.of("links", "link", name)
        for name in ("flow_in", "loss", "flow_out", "in_transit_start", "in_transit_end")
    )
    amounts = [flow_in, loss, flow_out, start, end]
    assert min(amount.to_numpy().min() for amount in amounts) >= 0.0
    worst.check(start + flow_in - loss - flow_out - end, amounts, "balance of a link")
    check_chain(start, end, worst, "water on its way in a link")


def check_chain(start: pd.DataFrame, end: pd.DataFrame, worst: Worst, what: str) -> None:
    """What is there at the start of a period is what was at the end of the one before."""
    before = end.groupby(level="member", sort=False).shift()
    later = before.notna().all(axis=1)
    worst.check((start - before)[later], [start[later]], what)


def check_stores(files: Files, worst: Worst) -> None:
    """Reservoirs and aquifers keep from period to period what the balance of their node says."""
    for when in ("start", "end"):
        stored = pd.concat(
            [
                files.of("reservoirs", "reservoir", f"storage_{when}"),
                files.of("aquifers", "aquifer", f"storage_{when}"),
            ],
            axis=1,
        )
        worst.same(files.of("balance", "node", f"storage_{when}"), stored, f"storage_{when}")
    start, end = (files.of("balance", "node", f"storage_{when}") for when in ("start", "end"))
    check_chain(start, end, worst, "storage")
    out = files.of("links", "from", "flow_in")
    let_out = files.of("reservoirs", "reservoir", "release") + files.of(
        "reservoirs", "reservoir", "spill"
    )
    worst.same(let_out, out[let_out.columns], "release and spill")


def check_demands(files: Files, worst: Worst) -> None:
    """What a demand draws reaches it, and returns in time to a node."""
    asked, taken, short, consumed, returned = (
        files.of("allocation", "demand", name)
        for name in ("demand", "withdrawal", "deficit", "consumption", "return_flow")
    )
    assert min(a.to_numpy().min() for a in (asked, taken, short, consumed, returned)) >= 0.0
    worst.check(asked - taken - short, [asked, taken], "demand")
    worst.check(taken - consumed - returned, [taken], "consumption and return flow")
    start, end = (files.variable(f"return_in_transit_{when}") for when in ("start", "end"))
    arriving = files.variable("return_arriving")
    amounts = [start, end, arriving, returned]
    worst.check(start + returned - arriving - end, amounts, "return flow on its way")
    check_chain(start, end, worst, "return flow on its way")
    at_nodes = files.of("balance", "node", "return_flow")
    worst.check(
        arriving.sum(axis=1) - at_nodes.sum(axis=1), [arriving.sum(axis=1)], "return flow at nodes"
    )
    sources = files.rows.get("sources")
    own = files.rows["allocation"]
    if sources is not None:
        drawn, loss = (files.of("sources", "source", name) for name in ("drawn", "delivery_loss"))
        worst.check(
            drawn - loss - files.of("sources", "source", "delivered"), [drawn], "delivery loss"
        )
        delivered = files.of("sources", "demand", "delivered")
        worst.same(delivered, taken[delivered.columns], "water of the sources of a demand")
        own = own[~own["demand"].isin(sources["demand"])]
    at_home = own.groupby(["member", "period_start", "node"])["withdrawal_hm3"].sum()
    drawn_at = at_home.unstack("node").reindex(files.index).fillna(0.0)
    drawn_at = drawn_at.add(files.of("sources", "node", "drawn"), fill_value=0.0)
    worst.same(files.of("balance", "node", "withdrawal"), drawn_at, "withdrawals at a node")


def check_aquifers(files: Files, worst: Worst) -> None:
    """What is pumped is drawn or lifted; what the aquifer gains of a stream, the stream loses."""
    if "aquifers" not in files.rows:
        return
    pumping = files.of("aquifers", "aquifer", "pumping")
    links = files.rows["links"]
    lifted = links[links["kind"].isin(PUMPED)]
    lifted = lifted.groupby(["member", "period_start", "from"])["flow_in_hm3"].sum()
    drawn = files.of("balance", "node", "withdrawal").add(
        lifted.unstack("from").reindex(files.index), fill_value=0.0
    )
    worst.same(pumping, drawn[pumping.columns], "pumping")
    gained = files.of("aquifers", "aquifer", "induced_recharge").sum(axis=1)
    lost = files.of("balance", "node", "stream_depletion").sum(axis=1)
    worst.check(gained - lost, [gained], "stream depletion")


def check_basin(files: Files, worst: Worst) -> None:
    """Over the horizon, what enters the basin leaves it, is used up, or is still there."""

    def total(table: str, item: str, *columns: str) -> pd.Series:
        return sum(
            files.of(table, item, c).sum(axis=1).groupby(level="member", sort=False).sum()
            for c in columns
            if f"{c}_hm3" in files.rows.get(table, ())
        ) + pd.Series(0.0, files.index.unique("member"))

    links = files.rows["links"]
    outlets = links[links["kind"] == "outlet"].groupby("member", sort=False)["flow_out_hm3"].sum()
    under_way = {"start": files.starts, "end": files.ends}
    kept = {
        when: sum(
            side(amounts).sum(axis=1)
            for amounts in (
                files.of("balance", "node", f"storage_{when}"),
                files.of("links", "link", f"in_transit_{when}"),
                files.variable(f"return_in_transit_{when}"),
            )
        )
        for when, side in under_way.items()
    }
    entered = [kept["start"], total("balance", "node", "inflow", "rain", "recharge")]
    left = [
        kept["end"],
        outlets,
        total("allocation", "demand", "consumption"),
        total("links", "link", "loss"),
        total("balance", "node", "evaporation"),
        total("reservoirs", "reservoir", "seepage") - total("balance", "node", "seepage_in"),
        total("sources", "source", "delivery_loss") - total("balance", "node", "delivery_seepage"),
    ]
    residual = sum(entered) - sum(left)
    worst.check(residual, [*entered, *left], "balance of the basin")
    assert (residual.abs() <= RELATIVE * sum(entered) + ROUNDING).all()


# --- what follows a curve -------------------------------------------------------------------------


def check_lines(files: Files, case: Case, basin: dict[str, Any]) -> pd.Series:
    """Lakes, splits and intakes follow their curves, within what the kept pass says it is off.

    Returns
    -------
    Series
        What it says, as a share of the size of each (member).
    """
    passes = files.rows["passes"]
    kept = passes[passes["kept"] == "true"].groupby("member", sort=False).last()
    error_of = kept["error"].astype(float)
    is_converged = files.dataset["is_converged"].to_series().astype(bool)
    assert (error_of[is_converged] <= case.linearisation.tolerance).all()
    assert (files.dataset["convergence"].values != "").all(), "it says why the passes ended"
    error = error_of.reindex(files.index.get_level_values("member")).to_numpy()
    for check in (check_lakes, check_splits, check_intakes):
        check(files, case, basin, error * (1 + 1e-6))
    return error_of


def check_lakes(files: Files, case: Case, basin: dict[str, Any], error: np.ndarray) -> None:
    """Evaporation, rain and seepage are depths on the area of the mean storage."""
    start, end = (
        files.of("reservoirs", "reservoir", f"storage_{when}") for when in ("start", "end")
    )
    for row in basin["reservoirs"]:
        r = row["name"]
        open_metres = case.timeline.days * 1e-3 * case.opened("reservoirs").get(r, 1.0)
        depths = {
            name: (rates[r] * open_metres).ravel()
            for name in ("evaporation", "rain", "seepage")
            if r in (rates := case.attribute("reservoirs", name))
        }
        if not depths:
            continue
        area = np.interp((start[r] + end[r]) / 2, *points(basin, row["curve"], "km2"))
        active = row["normal_hm3"] - (0 if row["initial_hm3"] == 0 else row["dead_hm3"])
        in_all = np.maximum(sum(depths.values()), 1e-6)
        for name, depth in depths.items():
            off = np.abs(files.of("reservoirs", "reservoir", name)[r] - depth * area)
            assert (off <= error * active * depth / in_all + ROUNDING).all(), (r, name)


def check_splits(files: Files, case: Case, basin: dict[str, Any], error: np.ndarray) -> None:
    """A branch with a curve takes what its curve says of the river."""
    (row,) = (
        row
        for row in basin["splits"]
        if row["link"] == "branch"
        and row.get("from_year", 0) <= case.riverbed <= row.get("to_year", 9999)
    )
    if "curve" in row:
        river = river_flow(files, case, basin, "fork")
        taken, middle = branch_flow(basin, row["curve"], river.sum(axis=1).to_numpy())
        assert (np.abs(river["branch"] - taken) <= error * middle + 1e-6).all()


def check_intakes(files: Files, case: Case, basin: dict[str, Any], error: np.ndarray) -> None:
    """An intake takes no more than the flow of the river lets it."""
    for row in basin["intakes"]:
        river = river_flow(files, case, basin, row["flow_at"] or row["node"])
        low, high = row["threshold_hm3_day"] * M3S, row["full_hm3_day"] * M3S
        opening = np.clip((river.sum(axis=1) - low) / (high - low), 0.0, 1.0)
        most = row["capacity_hm3_day"] * np.tile(case.timeline.days, case.n_members)
        taken = files.of("balance", "node", "withdrawal")[row["node"]]
        assert (taken <= most * (opening + error) + 1e-6).all()


def river_flow(files: Files, case: Case, basin: dict[str, Any], node: str) -> pd.DataFrame:
    """Mean flow that enters each link of the river out of a node [m3/s]."""
    out = [k["name"] for k in basin["links"] if k["from"] == node and k["kind"] in RIVER]
    seconds = np.tile(case.timeline.seconds, case.n_members)
    return files.of("links", "link", "flow_in")[out].mul(1e6 / seconds, axis=0)
