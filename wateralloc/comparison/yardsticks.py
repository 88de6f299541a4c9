"""Yardsticks: what is measured on every policy alike, whether or not a policy has the rule.

A yardstick is a flow at a section by date, or a rule of a case.  The rows of a rule are those that
the period of its case has; what was achieved is computed from the results of each policy, so only
a rule whose rows are made of flows, storages and withdrawals can be a yardstick.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
import pyomo.environ as pyo
import xarray as xr
from pydantic import ValidationError
from pyomo.core.expr import identify_variables
from pyomo.core.expr.visitor import replace_expressions

from wateralloc.case import Case
from wateralloc.errors import Fault, InputError, Position, listed, or_do, suggest
from wateralloc.parts import DATA
from wateralloc.parts.link import RIVER_KINDS
from wateralloc.parts.sink import OUTLET
from wateralloc.period import Period, RuleRow, build_period, required_values
from wateralloc.rules import KEPT, Rule
from wateralloc.seasonal import Seasonal
from wateralloc.timeline import Timeline
from wateralloc.units import hm3_of_m3s

KINDS = ("minimum_delivery", "minimum_level")
"""Rules of a case that are its yardsticks unless one is named."""
SEEN = {
    "flow": ("flow_in", "link"),
    "outflow": ("flow_in", "link"),
    "storage_start": ("storage_start", "reservoir"),
    "storage_end": ("storage_end", "reservoir"),
    "withdrawal": ("withdrawal", "demand"),
}
"""Variables of the period that results have: name and dimension there."""

Measured = tuple[np.ndarray, np.ndarray]
"""By how much each window was missed [hm3] (member, window), and whether it was kept."""


class Yardstick(Protocol):
    """What is measured on every result."""

    @property
    def label(self) -> str:
        """What it is called in tables."""

    def measure(self, dataset: xr.Dataset) -> Measured:
        """Measure a result: what was missed, and what was kept."""


# --- a flow at a section ------------------------------------------------------------------------

_SPELLING = re.compile(
    r"(?P<node>[^:@\s]+):(?P<flow>[0-9.]+)(@(?P<start>\d\d-\d\d)\.\.(?P<end>\d\d-\d\d))?"
)


@dataclass(frozen=True)
class FlowAtSection:
    """At least a mean flow [m3/s] that the river carries on from a node, by date.

    A period that the dates name in part is asked the mean over its days.
    """

    label: str
    node: str
    flow: Seasonal

    @classmethod
    def read(cls, text: str) -> FlowAtSection:
        """Read ``NODE:FLOW`` or ``NODE:FLOW@MM-DD..MM-DD``.

        Raises
        ------
        InputError
            It is not written so.

        Examples
        --------
        >>> FlowAtSection.read("son_tay:2418@01-21..02-28").node
        'son_tay'
        """
        match = _SPELLING.fullmatch(text)
        try:
            if match is None:
                raise ValueError
            value: Any = float(match["flow"])
            if match["start"]:
                value = {"from": match["start"], "to": match["end"], "value": value}
            return cls(text, match["node"], Seasonal(value))
        except (ValueError, ValidationError):
            raise InputError(
                [
                    Fault(
                        Position(f"--kept {text}"),
                        "E303",
                        f"'{text}' is not a flow at a section; write NODE:FLOW, or with dates "
                        "NODE:FLOW@MM-DD..MM-DD as in son_tay:2418@01-21..02-28",
                    )
                ]
            ) from None

    def check(self, sections: Sequence[str]) -> list[Fault]:
        """Fault where the river does not pass the node."""
        if self.node in sections:
            return []
        text = f"no river leaves '{self.node}'" + or_do(
            suggest(self.node, sections), f"sections are {listed(sections)}"
        )
        return [Fault(Position(f"--kept {self.label}"), "E313", text)]

    def measure(self, dataset: xr.Dataset) -> Measured:
        timeline = timeline_of(dataset)
        required = hm3_of_m3s(self.flow.on(timeline, {}), timeline.seconds)
        here = (dataset["link_from"].values == self.node) & _is_river(dataset)
        flow = dataset["flow_in"].transpose("member", "time", "link").values[:, :, here]
        missed = np.maximum(required - flow.sum(axis=2), 0.0)[:, self.flow.active(timeline)]
        return missed, missed <= KEPT


def sections_of(dataset: xr.Dataset) -> list[str]:
    """Nodes from which a river carries on."""
    return list(dict.fromkeys(dataset["link_from"].values[_is_river(dataset)].tolist()))


def _is_river(dataset: xr.Dataset) -> np.ndarray:
    return np.isin(dataset["link_kind"].values, (*RIVER_KINDS, OUTLET))


def timeline_of(dataset: xr.Dataset) -> Timeline:
    """Timeline of a result."""
    first = str(dataset["time_bnds"].values.astype("datetime64[D]")[0, 0])
    attributes = dataset.attrs
    return Timeline(
        first, dataset.sizes["time"], attributes["step"], int(attributes["water_year_start"])
    )


# --- a rule of a case ---------------------------------------------------------------------------


@dataclass(frozen=True)
class RuleOfCase:
    """A rule of a case, measured on the results of others."""

    label: str
    period: Period
    rows: tuple[RuleRow, ...]

    def measure(self, dataset: xr.Dataset) -> Measured:
        parts = [self._measure_row(row, dataset) for row in self.rows]
        missed = np.concatenate(parts, axis=1)
        return missed, missed <= KEPT

    def _measure_row(self, row: RuleRow, dataset: xr.Dataset) -> np.ndarray:
        shape = (dataset.sizes["member"], dataset.sizes["time"])
        achieved = np.broadcast_to(_value(row.achieved, self.period.model, dataset), shape)
        missing = required_values(row, *shape) - achieved
        missing = missing if row.sense == ">=" else -missing
        window = self.period.model.repeats.totals.get(id(row.constraint), np.arange(shape[1]))
        totals = [missing[:, window == k].sum(axis=1) for k in np.unique(window[window >= 0])]
        total = np.stack(totals, axis=1) if totals else np.zeros((shape[0], 0))
        return np.maximum(total, 0.0)


def rules_of(case: Case, members: Sequence[str], rules: Mapping[str, str]) -> list[RuleOfCase]:
    """Make yardsticks of rules of a case.

    Parameters
    ----------
    members : those on which the results are measured, by name
    rules : name of the rule -> label

    Raises
    ------
    InputError
        A rule cannot be measured on results.
    """
    chosen = tuple(member for member in case.members if member.name in members)
    period = build_period(replace(case, members=chosen))
    found, faults = [], []
    for name, label in rules.items():
        rows = tuple(row for row in period.rule_rows if row.rule.name == name)
        unseen = sorted({v for row in rows for v in _unseen(row, period.model)})
        if unseen:
            faults.append(
                Fault(
                    Position(f"--yardstick {case.name}:{name}"),
                    "E303",
                    f"rule '{name}' cannot be measured on the results of others: it goes by "
                    f"{listed(unseen, 4)}, and results have flows, storages and withdrawals; "
                    "name another rule, or a flow by --kept",
                )
            )
        found.append(RuleOfCase(label, period, rows))
    if faults:
        raise InputError(faults)
    return found


def clause_of(rule: Rule, case: Case) -> str:
    """What a rule asks, as text: the same for two rules that ask the same of all results."""
    asked = rule.model_dump(mode="json", exclude={"name", "source", "soft"})
    if "riverbed" in asked and asked["riverbed"] is None:
        asked["riverbed"] = case.riverbed
    return json.dumps({"rule": rule.kind, **asked}, sort_keys=True)


def _place(variable: Any, model: pyo.ConcreteModel) -> str:
    """Name of a variable among those that results have, or ""."""
    parent = variable.parent_component()
    known = parent.local_name in SEEN and parent is model.component(parent.local_name)
    return str(parent.local_name) if known else ""


def _unseen(row: RuleRow, model: pyo.ConcreteModel) -> list[str]:
    if row.rule.reported_in == "gwh":
        return ["energy"]
    variables = identify_variables(row.achieved)
    return [v.parent_component().local_name for v in variables if not _place(v, model)]


def _value(expression: Any, model: pyo.ConcreteModel, dataset: xr.Dataset) -> np.ndarray:
    """Value of a linear expression of the period, its variables as in a result (member, time)."""
    values = {}
    variables = list(identify_variables(expression))
    for number, variable in enumerate(variables):
        quantity, dim = SEEN[_place(variable, model)]
        at = list(dataset[dim].values).index(variable.index())
        values[number] = dataset[quantity].transpose("member", "time", dim).values[:, :, at]
    holder = pyo.ConcreteModel()
    holder.seen = pyo.Param(list(values), initialize=values, **DATA)
    numbers = {id(variable): holder.seen[k] for k, variable in enumerate(variables)}
    return np.asarray(pyo.value(replace_expressions(expression, numbers)), float)
