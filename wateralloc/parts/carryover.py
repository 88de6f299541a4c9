"""Carryover: what the water left in a reservoir at the end of a period is worth, in blocks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

import numpy as np
import pyomo.environ as pyo

from wateralloc.basin import Basin
from wateralloc.case import Case
from wateralloc.errors import CaseError, Findings
from wateralloc.parts import DATA, Exact, Part, Quantity, by_node, unit
from wateralloc.tables import Column, Table

CARRYOVER = Table(
    "carryover_values",
    "What water left in a reservoir at the end of a period is worth, one block a row.",
    (
        Column("name", "name of the block", "name", required=True),
        Column("reservoir", "reservoir", "name", required=True, refers_to="reservoirs"),
        Column(
            "block_least",
            "water that lies in the block at least",
            dimension="volume",
            default=0.0,
            low=0,
            varies="timeline",
        ),
        Column(
            "block_most",
            "largest volume of the block; empty: no limit",
            dimension="volume",
            low=0,
            varies="timeline",
        ),
        Column(
            "carryover_value",
            "worth of each m3 in the block at the end of a period; negative: a cost of keeping it",
            dimension="price",
            default=0.0,
            varies="timeline",
        ),
    ),
)


class Carryover(Part):
    """Value the water left in a reservoir at the end of each period.

    The worth of a storage is a concave curve of straight lines, one block each.  A goal that counts
    it (``net_benefit``, ``maximise: carryover_value``) fills the dearest block first by itself, so
    blocks may stand in any order, and their values and volumes may follow the dates.  Water above
    the blocks is worth nothing.  Where keeping water costs money, the reservoir has one block
    without limits, as nothing would make water fill several.

    Results hold the worth of the storage along the blocks, whatever the goals are.

    Equation
    --------
    carryover_value(r, t) = sum_i value(i, t) block(i, t);
    least(i, t) <= block(i, t) <= most(i, t);
    sum over the blocks i of r of block(i, t) <= storage_end(r, t).

    Source
    ------
    Draper (2001), Implicit stochastic optimization with limited foresight for reservoir systems
    (carry-over storage value functions); Khadem, Rougé, Harou, Hansen, Medellin-Azuara & Lund
    (2018), Estimating the economic value of interannual reservoir storage in water resource
    systems, Water Resources Research 54.
    """

    kind = "carryover"
    tables = (CARRYOVER,)
    reports = {"carryover_value": "reservoir"}

    def check(self, basin: Basin, findings: Findings) -> None:
        table = basin.tables["carryover_values"]
        for blocks in by_node(table["reservoir"]).values():
            for name in blocks:
                row = table.loc[name]
                least, most, value = row["block_least"], row["block_most"], row["carryover_value"]
                numbers = [v for v in (least, most) if isinstance(v, float)]
                if len(numbers) == 2 and least > most:
                    findings.add(
                        basin.position("carryover_values", name, "block_least"),
                        "E241",
                        f"block '{name}' holds at least {least:g} hm3 but at most {most:g}; "
                        "must be at or below it",
                    )
                is_one = len(blocks) == 1 and not least and most is None
                if isinstance(value, float) and value < 0 and not is_one:
                    findings.add(
                        basin.position("carryover_values", name, "carryover_value"),
                        "E225",
                        f"value of block '{name}' is {value:g} {basin.currency}/m3, below 0, so "
                        "that water would be left out of it; give the reservoir one block without "
                        "limits, or a value of 0 or more",
                    )

    def declare(self, m: pyo.ConcreteModel, case: Case) -> None:
        least, most, value = (
            case.attribute("carryover_values", column, at_end=at_end)
            for column, at_end in (
                ("block_least", True), ("block_most", True), ("carryover_value", False),
            )
        )  # fmt: skip
        m.carryover_of = by_node(case.basin.tables["carryover_values"]["reservoir"])
        # one block without limits is the storage itself
        whole = {
            blocks[0]
            for blocks in m.carryover_of.values()
            if len(blocks) == 1 and not least[blocks[0]].any() and blocks[0] not in most
        }
        _check_blocks(case, least, most, {i: v for i, v in value.items() if i not in whole})
        m.block_least = pyo.Param(list(least), initialize=least, units=unit("hm3"), **DATA)
        m.block_most = pyo.Param(list(most), initialize=most, units=unit("hm3"), **DATA)
        m.block_value = pyo.Param(list(value), initialize=value, **DATA)
        m.carryover_block = pyo.Var(
            [i for i in value if i not in whole],
            bounds=lambda m, i: (m.block_least[i], m.block_most[i] if i in m.block_most else None),
            units=unit("hm3"),
        )

    def constrain(self, m: pyo.ConcreteModel, case: Case) -> None:
        in_blocks = [r for r, blocks in m.carryover_of.items() if blocks[0] in m.carryover_block]
        m.carryover_blocks = pyo.Constraint(
            in_blocks,
            rule=lambda m, r: (
                sum(m.carryover_block[i] for i in m.carryover_of[r]) <= m.storage_end[r]
            ),
        )

    def quantities(self, m: pyo.ConcreteModel, case: Case) -> Iterable[Quantity]:
        def stored(reservoir: str, block: str) -> Any:
            is_part = block in m.carryover_block
            return m.carryover_block[block] if is_part else m.storage_end[reservoir]

        yield Quantity(
            "carryover_value",
            "reservoir",
            {
                r: sum(m.block_value[i] * stored(r, i) for i in blocks)
                for r, blocks in m.carryover_of.items()
            },
            f"million {case.basin.currency}",
            "worth of the water left in the reservoir at the end of the period",
            exact={
                r: Exact(
                    partial(
                        worth_of,
                        leasts=[m.block_least[i].value for i in blocks],
                        mosts=[m.block_most[i].value if i in m.block_most else np.inf
                               for i in blocks],
                        values=[m.block_value[i].value for i in blocks],
                    ),
                    (m.storage_end[r],),
                )
                for r, blocks in m.carryover_of.items()
                if blocks[0] in m.carryover_block
            },
        )  # fmt: skip


def _check_blocks(
    case: Case,
    least: dict[str, np.ndarray],
    most: dict[str, np.ndarray],
    value: dict[str, np.ndarray],
) -> None:
    """Check the values and volumes that follow the dates, in every period.

    Raises
    ------
    CaseError
    """
    findings = Findings()
    for name in value:
        position = partial(case.basin.position, "carryover_values", name)
        crosses = least[name] > most.get(name, np.inf)
        if crosses.any():
            k, t = np.argwhere(crosses)[0]
            findings.add(
                position("block_least"),
                "E241",
                f"block '{name}' holds at least {least[name][k, t]:g} hm3 but at most "
                f"{most[name][k, t]:g} on {case.timeline.last_days[t]}; must be at or below it",
                CaseError,
            )
        if (value[name] < 0).any():
            k, t = np.argwhere(value[name] < 0)[0]
            findings.add(
                position("carryover_value"),
                "E225",
                f"value of block '{name}' is {value[name][k, t]:g} {case.basin.currency}/m3 in the "
                f"period from {case.timeline.labels[t]}, below 0, so that water would be left "
                "out of it; give the reservoir one block without limits, or a value of 0 or more",
                CaseError,
            )
    findings.raise_if_any()


def worth_of(
    storage: Any,
    leasts: Sequence[Any],
    mosts: Sequence[Any],
    values: Sequence[np.ndarray],
) -> np.ndarray:
    """Worth [million of the currency] of a storage [hm3] (member, time), dearest blocks first.

    >>> worth_of(5.0, leasts=[1.0, 0.0], mosts=[3.0, 3.0], values=[2.0, 10.0]).item()
    34.0
    """
    least, most, value = (
        np.stack(np.broadcast_arrays(*of, np.asarray(storage)))[:-1]
        for of in (leasts, mosts, values)
    )
    order = np.argsort(-value, axis=0, kind="stable")
    room, value = (np.take_along_axis(of, order, axis=0) for of in (most - least, value))
    rest = np.asarray(storage) - least.sum(axis=0)
    begins = np.concatenate([np.zeros_like(room[:1]), np.cumsum(room[:-1], axis=0)])
    filled = np.clip(rest - begins, 0.0, room)
    of_least = np.take_along_axis(least, order, axis=0)
    return np.asarray((value * (filled + of_least)).sum(axis=0))
