"""The formulation of one period in Pyomo: one physical concept per file.

Names in the period model: sets ``m.node, m.link, m.reservoir, m.demand``; variables are volumes
[hm3] of the period.  Data are mutable ``Param(within=Any)`` that hold arrays (member, period).
"""

from __future__ import annotations

from abc import ABC
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd
import pyomo.environ as pyo

from wateralloc.catalogue import find
from wateralloc.errors import Findings
from wateralloc.tables import Table

if TYPE_CHECKING:
    from wateralloc.basin import Basin
    from wateralloc.case import Case


DATA: dict[str, Any] = {"mutable": True, "within": pyo.Any}
"""How a Param of the period is declared: its values are arrays (member, period)."""


@dataclass(frozen=True)
class Exact:
    """How results compute what the period holds only as a line or in blocks.

    Attributes
    ----------
    function : of arrays (member, time), one an argument
    arguments : linear expressions of the period
    """

    function: Callable[..., Any]
    arguments: tuple[Any, ...]


@dataclass(frozen=True)
class Quantity:
    """A named quantity of the period, by item: what results report and goals may optimise.

    Attributes
    ----------
    name : as in the results, e.g. ``withdrawal``
    dim : what its items are: ``node``, ``link``, ``reservoir``, ``demand``
    values : item -> linear expression of the period, or data (an array (member, period))
    units : CF units, e.g. ``hm3``
    long_name : what it is, in words
    cell_methods : ``time: sum``, ``time: mean`` or ``time: point`` (at the end of the period)
    exact : item -> how results compute it, where `values` is but a line
    """

    name: str
    dim: str
    values: dict[str, Any]
    units: str
    long_name: str
    cell_methods: str = "time: sum"
    exact: dict[str, Exact] = field(default_factory=dict)


class Part(ABC):
    """One physical concept of the period.

    Attributes
    ----------
    kind : its name
    tables : tables it reads
    balance : the amounts it puts in the node balance, each with its sign (+1 into the node)
    reports : the quantities it yields, each with its dimension
    """

    kind: ClassVar[str | None] = None
    tables: ClassVar[tuple[Table, ...]] = ()
    balance: ClassVar[dict[str, int]] = {}
    reports: ClassVar[dict[str, str]] = {}

    def complete(self, tables: dict[str, pd.DataFrame]) -> None:
        """Fill cells whose default stands in another table, in place."""

    def check(self, basin: Basin, findings: Findings) -> None:
        """Add the faults that only several columns together show."""

    def declare(self, m: pyo.ConcreteModel, case: Case) -> None:
        """Add the variables and data of the period."""

    def water(self, m: pyo.ConcreteModel, node: str) -> dict[str, Any]:
        """Amounts [hm3] this part gives a node or takes from it, by the names in `balance`.

        Each is >= 0 (a linear expression); `balance` alone carries the sign.
        """
        return {}

    def constrain(self, m: pyo.ConcreteModel, case: Case) -> None:
        """Add the rows of the period."""

    def quantities(self, m: pyo.ConcreteModel, case: Case) -> Iterable[Quantity]:
        """Yield what the part adds to the results."""
        return ()


@cache
def unit(name: str) -> Any:
    """Pyomo unit of a component: ``hm3``, ``km2``, ``m``, ``GWh``, ..."""
    known = pyo.units  # loads pint, which takes long; so not when the module is imported
    return {
        "1": known.dimensionless,
        "hm3": known.hm**3,
        "m3/s": known.m**3 / known.s,
        "m3/s/hm3": known.m**3 / known.s / known.hm**3,
        "km2": known.km**2,
        "m": known.m,
        "km2/hm3": known.km**2 / known.hm**3,
        "GWh": known.GWh,
        "GWh/hm3": known.GWh / known.hm**3,
        # of a price of energy: a price of water is a pure number, so money counts in hm3
        "hm3/GWh": known.hm**3 / known.GWh,
    }[name]


def by_node(node_of: pd.Series) -> dict[str, list[str]]:
    """Group the names of a column of nodes: node -> names, in table order."""
    groups: dict[str, list[str]] = {}
    for name, node in node_of.items():
        groups.setdefault(node, []).append(name)
    return groups


def without_zeros(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Leave out arrays that are 0 throughout."""
    of_id = {id(array): array for array in arrays.values()}  # names may have one in common
    zeros = {key for key, array in of_id.items() if not array.any()}
    return {name: array for name, array in arrays.items() if id(array) not in zeros}


def parts() -> list[Part]:
    """One of every part that is found."""
    return [part() for part in find("parts").values()]


def quantities(m: pyo.ConcreteModel, case: Case) -> list[Quantity]:
    """Every quantity of the period; what several parts yield under one name is one quantity.

    They are made once, when all parts have added their rows.
    """
    if hasattr(m, "reported"):
        return m.reported
    merged: dict[str, Quantity] = {}
    for part in parts():
        for quantity in part.quantities(m, case):
            known = merged.setdefault(quantity.name, quantity)
            if known is not quantity:
                merged[quantity.name] = replace(
                    known,
                    values={**known.values, **quantity.values},
                    exact={**known.exact, **quantity.exact},
                )
    m.reported = list(merged.values())
    return m.reported


def quantity_dims() -> dict[str, str]:
    """Dimension of every quantity that some part reports."""
    return {name: dim for part in parts() for name, dim in part.reports.items()}


def items_of(basin: Basin, dim: str) -> list[str]:
    """Names along a dimension; after the links stand the sinks, which are links to outside."""
    nodes = basin.tables["nodes"]
    if dim == "link":
        return [*basin.tables["links"].index, *nodes.index[nodes["kind"] == "sink"]]
    return list(basin.tables["hydropower" if dim == "plant" else f"{dim}s"].index)
