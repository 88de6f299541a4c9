"""Split: how the river divides its water among its branches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyomo.environ as pyo

from wateralloc.basin import Basin, Curve, SeriesColumn
from wateralloc.case import Case
from wateralloc.errors import Findings, listed
from wateralloc.parts import DATA, Part, unit
from wateralloc.parts.epochs import YEARS, check_epochs, rows_in, years_of
from wateralloc.parts.link import RIVER_KINDS, river_flow
from wateralloc.parts.rating import mean_flow
from wateralloc.tables import Column, Table
from wateralloc.tangents import curve_along, larger, smaller
from wateralloc.timeline import Pattern

LIMITS = ("minimum_share", "maximum_share")
WAYS_OF_LIMITS = ([LIMITS[0]], [LIMITS[1]], list(LIMITS))
"""Columns that a row may have together."""
SUM = 1e-6
"""Largest difference from 1 of the sum of shares (rounding of their values)."""

SPLITS = Table(
    "splits",
    "How the river divides at a node, each row for one branch and the riverbed of some years.",
    (
        Column("name", "name of the split", "name", required=True),
        Column("node", "node where the river divides", "name", required=True, refers_to="nodes"),
        Column(
            "link",
            "branch: a link of the river out of the node",
            "name",
            required=True,
            refers_to="links",
        ),
        Column(
            "share",
            "share of the river that takes this branch",
            dimension="fraction",
            low=0,
            high=1,
            varies="timeline",
        ),
        Column(
            "minimum_share",
            "least share, in place of share",
            dimension="fraction",
            low=0,
            high=1,
            varies="timeline",
        ),
        Column(
            "maximum_share",
            "largest share, in place of share",
            dimension="fraction",
            low=0,
            high=1,
            varies="timeline",
        ),
        Column(
            "curve",
            "curve with the share (fraction) or the flow (m3s) of the branch by the flow that is "
            "divided, in place of share",
            "name",
            refers_to="curves",
        ),
        *YEARS,
    ),
)


class Split(Part):
    """Divide the river among its branches: fixed, within limits, or by a curve of the flow.

    What is divided is the water the river carries on from the node in all its branches; canals,
    pumps and transfers take theirs before.  A branch has a `share`; or a `minimum_share` and a
    `maximum_share`, between which the allocation is free; or a `curve`.  A branch without a row
    takes what is left, so one is left without a row wherever another has a curve.  Rows may differ
    by the years of the riverbed; the case's ``riverbed`` chooses: before the first epoch of a
    branch the first, in a gap the one before, after the last the last.

    By a curve the branch's flow is not linear in the river's.  The first pass, and fixed mode, take
    the share of the middle of the curve at every flow; further passes the tangent.  A share stays
    as it is beyond the ends of its curve; a curve of flow starts at 0, and its last straight line
    goes on.

    Equation
    --------
    Q(n, t) = river_flow(n, t), sum over the river links out of n;
    flow(l, t) = share(l, t) Q(n, t);  or
    minimum_share(l, t) Q(n, t) <= flow(l, t) <= maximum_share(l, t) Q(n, t);  or
    flow(l, t) = share(Q) Q, or flow(Q), by the curve, Q as mean flow of the period.

    Source
    ------
    Kleinhans, Ferguson, Lane & Hardy (2013), Splitting rivers at their seams: bifurcations and
    avulsion, Earth Surf. Process. Landforms 38, 47-61 (division of flow by the beds of the
    branches).
    """

    kind = "split"
    tables = (SPLITS,)

    def check(self, basin: Basin, findings: Findings) -> None:
        table, links = basin.tables["splits"], basin.tables["links"]
        sound = []
        for name in table.index:
            row = table.loc[name]
            link, node = row["link"], row["node"]
            if link not in links.index:
                continue  # it has a fault of its own
            start, kind = links.at[link, "from"], links.at[link, "kind"]
            if start != node or kind not in RIVER_KINDS:
                what = f"leaves '{start}'" if start != node else f"is a {kind}"
                findings.add(
                    basin.position("splits", name, "link"),
                    "E264",
                    f"link '{link}' of split '{name}' {what}; must be a link of the river out of "
                    f"'{node}' ({', '.join(RIVER_KINDS)})",
                )
            elif self._check_way(basin, name, row, findings):
                sound.append(name)
        check_epochs(basin, "splits", ["link"], "E264", findings)
        for node, rows in table.loc[sound].groupby("node", sort=False):
            for names in _sets_in_use(rows):
                self._check_sum(basin, node, rows.loc[names], findings)

    @staticmethod
    def _check_way(basin: Basin, name: str, row: pd.Series, findings: Findings) -> bool:
        """Check that a row divides in one way, whose limits or curve can hold."""
        place = lambda column: basin.position("splits", name, column)  # noqa: E731
        given = [c for c in ("share", *LIMITS, "curve") if _is_given(basin, name, row, c)]
        if given not in (["share"], ["curve"], *WAYS_OF_LIMITS):
            columns = [c if c == "curve" else f"{c}_fraction" for c in given]
            findings.add(
                place(given[0] if given else "share"),
                "E264",
                f"split '{name}' has {' and '.join(columns) or 'no share'}; give either "
                "share_fraction, or minimum_share_fraction and maximum_share_fraction (or one of "
                "the two), or curve",
            )
            return False
        curve = basin.curves.get(row["curve"])
        fault = "" if curve is None else _fault_of_curve(curve)
        if fault:
            findings.add(
                place("curve"), "E264", f"curve '{row['curve']}' of split '{name}' {fault}"
            )
            return False
        if given == list(LIMITS):
            (least, most), on = on_common_days(_range(basin, name, row))
            if least.size and (least > most).any():
                k = int(np.argmax(least > most))
                findings.add(
                    place("minimum_share"),
                    "E264",
                    f"minimum share {least[k]:g} of split '{name}' is above its maximum share "
                    f"{most[k]:g}{on[k]}; must be at or below it",
                )
                return False
        return True

    @staticmethod
    def _check_sum(basin: Basin, node: str, rows: pd.DataFrame, findings: Findings) -> None:
        """Check that the branches of a node can take together what the river carries."""
        links = basin.tables["links"]
        is_branch = (links["from"] == node) & links["kind"].isin(RIVER_KINDS)
        is_whole = set(links.index[is_branch]) == set(rows["link"])
        names = listed(f"'{name}'" for name in rows.index)

        def fault(text: str) -> None:
            findings.add(basin.position("splits", rows.index[-1], "name"), "E264", text)

        if is_whole and (rows["curve"] != "").any():
            fault(
                f"every branch of '{node}' has a row ({names}) and one of them a curve; "
                "leave one branch without a row: it takes the rest"
            )
            return
        ranges = [_range(basin, name, rows.loc[name]) for name in rows.index]
        least, on = on_common_days([low for low, _ in ranges])
        most, on_most = on_common_days([high for _, high in ranges])
        total, reach = (np.sum(limits, axis=0) for limits in (least, most))
        over, under = np.flatnonzero(total > 1 + SUM), np.flatnonzero(reach < 1 - SUM)
        is_fixed = all(_is_given(basin, name, rows.loc[name], "share") for name in rows.index)
        if is_whole and is_fixed and (over.size or under.size):
            k = [*over, *under][0]
            fault(
                f"shares of the branches of '{node}' ({names}) add up to {total[k]:.6g}{on[k]}; "
                "must add up to 1, as every branch has one"
            )
        elif over.size:
            fault(
                f"least shares of the branches of '{node}' ({names}) add up to "
                f"{total[over[0]]:.6g}{on[over[0]]}; must not add up to more than 1"
            )
        elif is_whole and under.size:
            fault(
                f"largest shares of the branches of '{node}' ({names}) add up to "
                f"{reach[under[0]]:.6g}{on_most[under[0]]}; must reach 1, as every branch has one"
            )

    def declare(self, m: pyo.ConcreteModel, case: Case) -> None:
        table = case.basin.tables["splits"]
        in_use = rows_in(table, ["link"], case.riverbed)
        m.splits = table.loc[in_use, ["node", "link", "curve"]]
        for column in ("share", *LIMITS):
            given = case.attribute("splits", column)
            values = {s: given[s] for s in in_use if s in given}
            m.add_component(f"split_{column}", pyo.Param(list(values), initialize=values, **DATA))

    def constrain(self, m: pyo.ConcreteModel, case: Case) -> None:
        branch = {s: m.flow[link] for s, link in m.splits["link"].items()}
        river = {s: river_flow(m, node) for s, node in m.splits["node"].items()}
        curves = {s: case.basin.curves[c] for s, c in m.splits["curve"].items() if c}
        share, least, most = m.split_share, m.split_minimum_share, m.split_maximum_share
        fixed = [s for s in share if not self._takes_the_rest(m, s)]
        m.split_fixed = pyo.Constraint(fixed, rule=lambda _, s: branch[s] == share[s] * river[s])
        m.split_least = pyo.Constraint(
            list(least), rule=lambda _, s: branch[s] >= least[s] * river[s]
        )
        m.split_most = pyo.Constraint(list(most), rule=lambda _, s: branch[s] <= most[s] * river[s])
        m.split_curved = pyo.Constraint(
            list(curves),
            rule=lambda m, s: m.flow_per_volume * branch[s] == self._along(m, s, curves[s]),
        )

    @staticmethod
    def _takes_the_rest(m: pyo.ConcreteModel, split: str) -> bool:
        """Tell whether its share follows from those of all other branches of the node."""
        node = m.splits.at[split, "node"]
        shared = [s for s in m.split_share if m.splits.at[s, "node"] == node]
        return len(shared) == len(m.river_out[node]) and split == shared[-1]

    @staticmethod
    def _along(m: pyo.ConcreteModel, split: str, curve: Curve) -> Any:
        """Flow of a branch [m3/s] by its curve, as a straight line."""
        node = m.splits.at[split, "node"]
        middle = sum(curve.range(_quantity(curve))) / 2
        at_middle = float(branch_flow(curve, middle))
        return m.tangents.add(
            f"split[{split}]",
            lambda flow: branch_flow(curve, flow),
            [mean_flow(m, node)],
            start=(0.0, [at_middle / middle]),
            steps=[m.flow[k] for k in m.river_out[node]],
            scale=at_middle,
            units=unit("m3/s"),
        )


def branch_flow(curve: Curve, flow: Any) -> Any:
    """Flow of a branch by the flow that is divided, both m3/s.

    A share stays as it is beyond the ends of its curve; of a flow the last line goes on.
    """
    if curve.has("flow"):
        return curve_along(curve, "flow", flow)
    lowest, highest = curve.range("share")
    return curve_along(curve, "share", smaller(larger(flow, lowest), highest)) * flow


def on_common_days(
    values: Sequence[float | Pattern | SeriesColumn],
) -> tuple[list[np.ndarray], list[str]]:
    """Lay values by date side by side.

    Returns
    -------
    arrays : of each value; empty where they are series of different dates
    on : the date of each element, as the tail of a sentence; "" where nothing varies
    """
    lines = {value.series.timeline for value in values if isinstance(value, SeriesColumn)}
    if len(lines) > 1:
        return [np.empty(0) for _ in values], []
    line = lines.pop() if lines else None
    is_constant = line is None and not any(isinstance(value, Pattern) for value in values)
    days = np.datetime64("2001-01-01") + np.arange(1 if is_constant else 365)
    arrays = []
    for value in values:
        if isinstance(value, SeriesColumn):
            array = value.values
        elif isinstance(value, Pattern):
            array = value.on(days) if line is None else value.mean(line)
        else:
            array = np.full(days.size if line is None else line.periods, value)
        arrays.append(array)
    if is_constant:
        return arrays, [""]
    texts = [str(day)[5:] for day in days] if line is None else line.labels
    return arrays, [f" on {text}" for text in texts]


def _sets_in_use(rows: pd.DataFrame) -> list[list[str]]:
    """Rows of a node that hold together in some year."""
    edges = {edge for name in rows.index for edge in years_of(rows.loc[name])}
    years = sorted({0.0} | {year + k for year in edges if np.isfinite(year) for k in (0, 1)})
    sets = [rows_in(rows, ["link"], year) for year in years]
    return [names for k, names in enumerate(sets) if names not in sets[:k]]


def _is_given(basin: Basin, name: str, row: pd.Series, column: str) -> bool:
    return row[column] not in (None, "") or ("splits", name) in basin.in_series(column)


def _range(basin: Basin, name: str, row: pd.Series) -> list[Any]:
    """Least and largest share of a split, each a number or by date."""
    curve = basin.curves.get(row["curve"])
    if curve is not None and curve.has("share"):
        shares = curve.points["share"][1]
        return [float(shares.min()), float(shares.max())]
    fixed = basin.values("splits", "share").get(name)
    if fixed is not None:
        return [fixed, fixed]
    return [basin.values("splits", c).get(name, k) for k, c in enumerate(LIMITS)]


def _quantity(curve: Curve) -> str:
    return "flow" if curve.has("flow") else "share"


def _fault_of_curve(curve: Curve) -> str:
    """What is wrong with the curve of a branch, as the tail of a sentence; "" where nothing is."""
    if curve.has("flow") == curve.has("share"):
        what = "both the share and" if curve.has("flow") else "neither the share nor"
        return (
            f"has {what} the flow of a branch by the flow that is divided; "
            "give points with x_unit m3s, and y_unit fraction or m3s for all"
        )
    if curve.has("share"):
        return ""
    divided, taken = curve.points["flow"]
    if divided[0] or taken[0]:
        return (
            f"starts with {taken[0]:g} m3/s of {divided[0]:g} m3/s; must start with 0 of 0, for "
            "the branch to be known at the lowest flows"
        )
    over = np.flatnonzero(taken > divided)
    if over.size:
        k = over[0]
        return f"gives {taken[k]:g} m3/s of {divided[k]:g} m3/s; must not be more than is divided"
    if curve.slope("flow", divided[-1]) > 1:
        return (
            f"rises by {curve.slope('flow', divided[-1]):g} m3/s with each m3/s at its end; must "
            "not rise by more than 1, as its last line goes on"
        )
    return ""
