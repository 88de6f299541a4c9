"""How storage and flow run through the horizon under each policy, and how it keeps its rules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import xarray as xr

from wateralloc.comparison.figures import edges_of
from wateralloc.units import m3s_of_hm3

CARRIED = ("basin", "source")
"""Attributes of results that hold for all policies."""


@dataclass(frozen=True)
class Course:
    """Storage and flow of a policy, means over the members.

    Attributes
    ----------
    storage : DataArray [hm3] (edge, reservoir)
    flow : DataArray [m3/s] (time, node), of every node
    asked : nodes whose flow is of interest
    attributes : what holds for all policies
    """

    storage: xr.DataArray = field(repr=False)
    flow: xr.DataArray = field(repr=False)
    asked: frozenset[str]
    attributes: dict[str, str]


def course_of(dataset: xr.Dataset) -> Course:
    """Take the course of a policy from its result."""
    edges = edges_of(dataset)
    first, last = (
        dataset[name].mean("member").transpose("time", "reservoir").values
        for name in ("storage_start", "storage_end")
    )
    storage = xr.DataArray(
        np.concatenate([first[:1], last]),
        {"edge": edges.astype("datetime64[ns]"), "reservoir": dataset["reservoir"].values},
        ("edge", "reservoir"),
        attrs={"units": "hm3", "long_name": "storage, mean over members"},
    )
    seconds = np.diff(edges).astype("timedelta64[s]").astype(float)
    flow = xr.DataArray(
        m3s_of_hm3(
            dataset["river_flow"].mean("member").transpose("time", "node").values, seconds[:, None]
        ),
        {"time": edges[:-1].astype("datetime64[ns]"), "node": dataset["node"].values},
        ("time", "node"),
        attrs={"units": "m3/s", "long_name": "flow that the river carries on, mean over members"},
    )
    known = {name: str(dataset.attrs[name]) for name in CARRIED}
    return Course(storage, flow, _asked(dataset), known)


def _asked(dataset: xr.Dataset) -> frozenset[str]:
    """Control points, where a level is read, and nodes whose flow a rule names."""
    asked = {*dataset["node"].values[dataset["node_kind"].values == "control"]}
    if "rating_node" in dataset:
        asked |= {*dataset["rating_node"].values, *dataset["rating_flow_at"].values}
    asked |= {*dataset["rule_at"].values[dataset["rule_unit"].values == "m3s"]}
    return frozenset(str(node) for node in asked)


def side_by_side(courses: Mapping[str, Course]) -> xr.Dataset:
    """Courses of all policies; of nodes those that any of them asks about."""
    first = next(iter(courses.values()))
    asked = frozenset().union(*(course.asked for course in courses.values()))
    nodes = [str(node) for node in first.flow["node"].values if node in asked]
    policies = pd.Index(list(courses), dtype=object, name="policy")
    parts = {
        "storage": [course.storage for course in courses.values()],
        "flow": [course.flow.sel(node=nodes) for course in courses.values()],
    }
    joined = {
        name: xr.concat(of_policy, policies, join="exact") for name, of_policy in parts.items()
    }
    return xr.Dataset(joined, attrs=first.attributes)


def rule_table(dataset: xr.Dataset, policy: str) -> pd.DataFrame:
    """How a policy keeps its own rules, a row each."""
    label = dataset["rule_clause"].values.astype(str)
    kept, slack = (dataset[name].transpose("member", "rule").values for name in ("kept", "slack"))
    rows = []
    for name in dict.fromkeys(label.tolist()):
        here = label == name
        kind, unit = (str(dataset[of].values[here][0]) for of in ("rule_kind", "rule_unit"))
        alike = here & (dataset["rule_unit"].values == unit)
        missed = np.where(kept[:, alike], 0.0, -slack[:, alike]).max()
        share = float(kept[:, here].mean())
        rows.append((policy, name, kind, share, max(float(missed), 0.0), unit))
    columns = ["policy", "rule", "kind", "kept", "missed", "unit"]
    return pd.DataFrame(rows, columns=columns)
