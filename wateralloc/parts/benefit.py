"""Benefit: what water is worth to a demand, in blocks of falling value."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import pyomo.environ as pyo

from wateralloc.basin import Basin
from wateralloc.case import Case
from wateralloc.errors import Findings
from wateralloc.parts import DATA, Exact, Part, Quantity, unit
from wateralloc.parts.demand import demand_volumes
from wateralloc.tables import Column, Table
from wateralloc.units import hm3_of_m3s

BENEFITS = Table(
    "benefits",
    "What water is worth to a demand, one block a row; each begins where the one before it ends.",
    (
        Column("demand", "demand", "name", required=True, refers_to="demands"),
        Column(
            "month",
            "month of the year, 1 to 12; empty: all months for which the demand has no rows",
            "integer",
            low=1,
            high=12,
        ),
        Column(
            "up_to",
            "where the block ends, as a share of the demand",
            dimension="fraction",
            low=0,
            high=1,
        ),
        Column(
            "up_to_flow",
            "where the block ends, as a flow, in place of a share",
            dimension="flow",
            low=0,
        ),
        Column(
            "value",
            "benefit of each m3 withdrawn in the block",
            dimension="price",
            required=True,
            low=0,
        ),
    ),
    key="",
)

ENDS = {"up_to": "up_to_fraction", "up_to_flow": "up_to_flow_m3s"}
"""The two ways to say where a block ends, and how they are written."""


class Benefit(Part):
    """Value the water of a demand along a concave curve of straight lines.

    The curve of a demand is a stack of blocks: its first water is worth the value of the first
    block, what follows that of the second, and so on; water above the last block is worth nothing.
    Values must not rise from block to block, so that a goal which maximises the benefit fills the
    blocks in their order.  Results hold the benefit of the water withdrawn, whatever the goals are.
    The curve of a period is that of the month in which it starts.

    Equation
    --------
    benefit(d, t) = sum_i value(d, i) block(d, i, t);
    0 <= block(d, i, t) <= (up_to(d, i) - up_to(d, i - 1)) demand(d, t);
    sum_i block(d, i, t) <= withdrawal(d, t).

    Source
    ------
    Loucks & van Beek (2017), Water Resource Systems Planning and Management, chapter 4 (benefits of
    three users of a river; concave functions as straight lines).
    """

    kind = "benefit"
    tables = (BENEFITS,)
    reports = {"benefit": "demand"}

    def check(self, basin: Basin, findings: Findings) -> None:
        table, single = basin.tables["benefits"], basin.values("demands", "value")
        for demand in dict.fromkeys(table["demand"]):
            if demand in single:
                findings.add(
                    basin.position("demands", demand, "value"),
                    "E224",
                    f"value of demand '{demand}' is given here and in benefits.csv; keep one",
                )
        for (demand, _), rows in curves_of(table).items():
            self._check_curve(basin, findings, demand, rows)

    def _check_curve(
        self, basin: Basin, findings: Findings, demand: str, rows: Sequence[int]
    ) -> None:
        table, currency = basin.tables["benefits"], basin.currency
        first_way, end, value = "", 0.0, float("inf")
        for row in rows:
            place = partial(basin.position, "benefits", row)
            given = [column for column in ENDS if table.at[row, column] is not None]
            if len(given) != 1:
                has = f"both {' and '.join(ENDS.values())}" if given else "no end"
                findings.add(
                    place(given[-1] if given else "demand"),
                    "E224" if given else "E202",
                    f"block of demand '{demand}' has {has}; give {' or '.join(ENDS.values())}",
                )
                continue
            (way,) = given
            first_way = first_way or way
            if way != first_way:
                findings.add(
                    place(way),
                    "E225",
                    f"block of demand '{demand}' ends by {ENDS[way]}, the first by "
                    f"{ENDS[first_way]}; use one of them in all blocks of a curve",
                )
                continue
            if table.at[row, way] <= end:
                findings.add(
                    place(way),
                    "E225",
                    f"block of demand '{demand}' ends at {table.at[row, way]:g} but begins at "
                    f"{end:g}; must end above it",
                )
            if table.at[row, "value"] > value:
                findings.add(
                    place("value"),
                    "E225",
                    f"block of demand '{demand}' is worth {table.at[row, 'value']:g} {currency}/m3 "
                    f"after {value:g}; a benefit must be concave, value may not rise from block to "
                    "block: correct it, or join the two blocks",
                )
            end, value = table.at[row, way], table.at[row, "value"]

    def declare(self, m: pyo.ConcreteModel, case: Case) -> None:
        blocks = blocks_of(case)
        width = {key: width for key, (width, _) in blocks.items()}
        value = {key: value for key, (_, value) in blocks.items()}
        m.benefit_width = pyo.Param(list(blocks), initialize=width, units=unit("hm3"), **DATA)
        m.benefit_value = pyo.Param(list(blocks), initialize=value, **DATA)
        m.benefit_block = pyo.Var(
            list(blocks), bounds=lambda m, d, i: (0.0, m.benefit_width[d, i]), units=unit("hm3")
        )
        numbers: dict[str, list[int]] = {}
        for demand, number in blocks:
            numbers.setdefault(demand, []).append(number)
        m.blocks_of = numbers

    def constrain(self, m: pyo.ConcreteModel, case: Case) -> None:
        m.benefit_blocks = pyo.Constraint(
            list(m.blocks_of),
            rule=lambda m, d: sum(m.benefit_block[d, i] for i in m.blocks_of[d]) <= m.withdrawal[d],
        )

    def quantities(self, m: pyo.ConcreteModel, case: Case) -> Iterable[Quantity]:
        yield Quantity(
            "benefit",
            "demand",
            {
                d: sum(m.benefit_value[d, i] * m.benefit_block[d, i] for i in blocks)
                for d, blocks in m.blocks_of.items()
            },
            f"million {case.basin.currency}",
            "benefit of the water withdrawn",
            exact={
                d: Exact(
                    partial(
                        benefit_of,
                        widths=[m.benefit_width[d, i].value for i in blocks],
                        values=[m.benefit_value[d, i].value for i in blocks],
                    ),
                    (m.withdrawal[d],),
                )
                for d, blocks in m.blocks_of.items()
            },
        )


def curves_of(table: pd.DataFrame) -> dict[tuple[str, int | None], list[int]]:
    """Rows of each curve, by its demand and month, in the order of the table."""
    curves: dict[tuple[str, int | None], list[int]] = {}
    for row, demand, month in zip(table.index, table["demand"], table["month"], strict=True):
        curves.setdefault((demand, month), []).append(row)
    return curves


def blocks_of(case: Case) -> dict[tuple[str, int], tuple[np.ndarray, np.ndarray]]:
    """Width [hm3] and value [currency/m3] of the blocks of each demand (member, time).

    A month whose curve has fewer blocks than another has the rest with no width.
    """
    table, timeline = case.basin.tables["benefits"], case.timeline
    asked, curves = demand_volumes(case), curves_of(table)
    blocks = {}
    for demand in dict.fromkeys(table["demand"]):
        rows_of = {
            month: curves.get((demand, month), curves.get((demand, None), []))
            for month in np.unique(timeline.month)
        }
        for number in range(max(map(len, rows_of.values()))):
            width, value = np.zeros((2, *asked[demand].shape))
            for month, rows in rows_of.items():
                if number < len(rows):
                    inside = timeline.month == month
                    begin = end_of(case, rows[number - 1], asked) if number else 0.0
                    end = end_of(case, rows[number], asked)
                    width[:, inside] = (end - begin)[:, inside]
                    value[:, inside] = table.at[rows[number], "value"]
            blocks[demand, number + 1] = (width, value)
    return blocks


def end_of(case: Case, row: int, asked: dict[str, np.ndarray]) -> np.ndarray:
    """Volume [hm3] at which the block of a row ends (member, time)."""
    table = case.basin.tables["benefits"]
    of_demand, share = asked[table.at[row, "demand"]], table.at[row, "up_to"]
    if share is not None:
        return np.asarray(share * of_demand)
    flow = table.at[row, "up_to_flow"]
    return np.broadcast_to(hm3_of_m3s(flow, case.timeline.seconds), of_demand.shape)


def benefit_of(
    withdrawal: Any, widths: Sequence[np.ndarray], values: Sequence[np.ndarray]
) -> np.ndarray:
    """Benefit [million of the currency] of a withdrawal [hm3] (member, time) along its blocks.

    >>> benefit_of(5.0, widths=[2.0, 4.0, 3.0], values=[10.0, 3.0, 1.0]).item()
    29.0
    """
    begins = np.cumsum([np.zeros_like(widths[0]), *widths[:-1]], axis=0)
    filled = np.clip(withdrawal - begins, 0.0, widths)
    return np.asarray((values * filled).sum(axis=0))
