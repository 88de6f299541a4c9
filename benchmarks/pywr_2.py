"""Run a tree basin in Pywr 2, in an environment that has Pywr 2 and not this project.

``python -I pywr_2.py ORDER.json`` (``-I``: a neighbour of this file is called pywr.py).  It says on
standard output when the model is set up, waits for a line, runs, and says how long that took.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np


def schema(network: dict[str, Any], inflow: Path, n_members: int) -> dict[str, Any]:
    """Write the model by Pywr's schema 2, with deliveries and storages kept in memory.

    Parameters
    ----------
    inflow : HDF5 file with a table (time, member) of each node, [hm3 a day]
    """

    def literal(value: float) -> dict[str, Any]:
        return {"type": "Literal", "value": value}

    def parameter(name: str) -> dict[str, Any]:
        return {"type": "Parameter", "name": name}

    nodes: list[dict[str, Any]] = [{"type": "Output", "meta": {"name": "sea"}}]
    edges, parameters = [], []
    of_reservoir = {node: r for r, node in enumerate(network["reservoirs"])}
    for n, parent in enumerate(network["parent"]):
        name, r = f"n{n}", of_reservoir.get(n)
        if r is None:
            nodes.append({"type": "Link", "meta": {"name": name}})
        else:
            nodes.append(
                {
                    "type": "Storage",
                    "meta": {"name": name},
                    "min_volume": literal(0.0),
                    "max_volume": literal(network["capacity"][r]),
                    "initial_volume": {"type": "Absolute", "volume": network["initial"][r]},
                    "cost": literal(-network["worth_kept"][r]),
                }
            )
        edges.append({"from_node": name, "to_node": f"n{parent}" if parent >= 0 else "sea"})
        parameters.append(
            {
                "type": "TablesArray",
                "meta": {"name": f"flow_{name}"},
                "url": str(inflow),
                "where": "/",
                "node": name,
                "scenario": "hydrology",
            }
        )
        flow = parameter(f"flow_{name}")
        nodes.append({"type": "Catchment", "meta": {"name": f"inflow_{name}"}, "flow": flow})
        edges.append({"from_node": f"inflow_{name}", "to_node": name})
    for u, n in enumerate(network["users"]):
        parameters.append(
            {
                "type": "MonthlyProfile",
                "meta": {"name": f"demand_n{n}"},
                "values": {"type": "Literal", "values": network["demand"][u]},
            }
        )
        nodes.append(
            {
                "type": "Output",
                "meta": {"name": f"user_n{n}"},
                "max_flow": parameter(f"demand_n{n}"),
                "cost": literal(-network["worth"][u]),
            }
        )
        edges.append({"from_node": f"n{n}", "to_node": f"user_n{n}"})
    kept = kept_names(network)
    metric_sets = [
        {"name": what, "metrics": [{"type": "Node", "name": name} for name in names]}
        for what, names in kept.items()
    ]
    return {
        "metadata": {"title": "tree"},
        "time": {
            "start": network["start"],
            "end": network["end"],
            "timestep": {"type": "Days", "days": 1},
        },
        "scenarios": {"groups": [{"name": "hydrology", "size": n_members}]},
        "network": {
            "nodes": nodes,
            "edges": edges,
            "parameters": parameters,
            "metric_sets": metric_sets,
            "outputs": [{"type": "Memory", "name": what, "metric_set": what} for what in kept],
        },
    }


def kept_names(network: dict[str, Any]) -> dict[str, list[str]]:
    """Names of the nodes whose flow or volume is kept."""
    return {
        "delivered": [f"user_n{n}" for n in network["users"]],
        "stored": [f"n{n}" for n in network["reservoirs"]],
    }


def arranged(frame: Any, names: list[str]) -> np.ndarray:
    """Values of a long table as (name, time, member)."""
    days, day = np.unique(frame["time_start"].to_numpy(), return_inverse=True)
    members, member = np.unique(frame["simulation_id"].to_numpy(), return_inverse=True)
    place = {name: i for i, name in enumerate(names)}
    name = [place[name] for name in frame["name"].to_list()]
    values = np.full((len(names), days.size, members.size), np.nan)
    values[name, day, member] = frame["value"].to_numpy()
    return values


def main(path: Path) -> None:
    """Set up, wait, run, save."""
    from pywr import ModelSchema

    order = json.loads(path.read_text(encoding="utf-8"))
    network = json.loads(Path(order["network"]).read_text(encoding="utf-8"))
    n_members = network["n_members"]
    text = json.dumps(schema(network, Path(order["inflow"]), n_members))
    started = time.perf_counter()
    model = ModelSchema.from_json_string(text).build(None, None)
    setup = time.perf_counter() - started
    print(json.dumps({"setup_s": setup}), flush=True)
    sys.stdin.readline()
    started, started_cpu = time.perf_counter(), time.process_time()
    result = model.run(order["solver"], {"threads": order["threads"]})
    run, cpu = time.perf_counter() - started, time.process_time() - started_cpu
    print(json.dumps({"setup_s": setup, "run_s": run, "cpu_s": cpu}), flush=True)
    if order["save"]:
        frames = {
            what: result.network_result.to_dataframe(what) for what in ("delivered", "stored")
        }
        names = kept_names(network)
        np.savez(order["save"], **{what: arranged(frames[what], names[what]) for what in frames})


if __name__ == "__main__":
    main(Path(sys.argv[1]))
