"""Run a tree basin in Pywr 1, in an environment that has Pywr 1 and not this project.

``python -I pywr_1.py ORDER.json`` (``-I``: a neighbour of this file is called pywr.py).  It says on
standard output when the model is set up, waits for a line, runs, and says how long that took.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np


def build(network: dict[str, Any], inflow: np.ndarray, solver: str, fast: bool) -> Any:
    """Make the model, with recorders of deliveries and storages.

    Parameters
    ----------
    inflow : [hm3 a day] (node, time, member)
    solver : ``glpk-edge`` or ``glpk``
    fast : with the options that leave constant data alone and skip checks of indices
    """
    from pywr.core import Catchment, Link, Model, Output, Scenario, Storage, Timestepper
    from pywr.parameters import ArrayIndexedScenarioParameter, MonthlyProfileParameter
    from pywr.recorders import NumpyArrayNodeRecorder, NumpyArrayStorageRecorder

    options = ("set_fixed_flows_once", "set_fixed_costs_once", "set_fixed_factors_once")
    solver_args = dict.fromkeys((*options, "use_unsafe_api"), True) if fast else {}
    model = Model(solver=solver, solver_args=solver_args)
    model.timestepper = Timestepper(network["start"], network["end"], 1)
    scenario = Scenario(model, "hydrology", size=inflow.shape[2])
    at: dict[int, Any] = {-1: Output(model, "sea")}
    of_reservoir = {node: r for r, node in enumerate(network["reservoirs"])}
    for n, parent in enumerate(network["parent"]):
        r = of_reservoir.get(n)
        if r is None:
            at[n] = Link(model, f"n{n}")
        else:
            at[n] = Storage(
                model,
                f"n{n}",
                min_volume=0.0,
                max_volume=network["capacity"][r],
                initial_volume=network["initial"][r],
                cost=-network["worth_kept"][r],
            )
            NumpyArrayStorageRecorder(model, at[n], name=f"stored_n{n}")
        at[n].connect(at[parent])
        flow = ArrayIndexedScenarioParameter(model, scenario, np.array(inflow[n]))
        Catchment(model, f"inflow_n{n}", flow=flow).connect(at[n])
    for u, n in enumerate(network["users"]):
        most = MonthlyProfileParameter(model, network["demand"][u])
        user = Output(model, f"user_n{n}", max_flow=most, cost=-network["worth"][u])
        at[n].connect(user)
        NumpyArrayNodeRecorder(model, user, name=f"delivered_n{n}")
    model.setup()
    return model


def recorded(model: Any, network: dict[str, Any]) -> dict[str, np.ndarray]:
    """Deliveries (user, time, member) and storages (reservoir, time, member) [hm3]."""
    return {
        what: np.array([np.asarray(model.recorders[f"{what}_n{n}"].data) for n in network[of]])
        for what, of in (("delivered", "users"), ("stored", "reservoirs"))
    }


def main(path: Path) -> None:
    """Set up, wait, run, save."""
    order = json.loads(path.read_text(encoding="utf-8"))
    network = json.loads(Path(order["network"]).read_text(encoding="utf-8"))
    inflow = np.load(order["inflow"], mmap_mode="r")[:, :, slice(*order["members"])]
    started = time.perf_counter()
    model = build(network, inflow, order["solver"], order["fast"])
    setup = time.perf_counter() - started
    print(json.dumps({"setup_s": setup}), flush=True)
    sys.stdin.readline()
    started, started_cpu = time.perf_counter(), time.process_time()
    model.run()
    run, cpu = time.perf_counter() - started, time.process_time() - started_cpu
    print(json.dumps({"setup_s": setup, "run_s": run, "cpu_s": cpu}), flush=True)
    if order["save"]:
        np.savez(order["save"], **recorded(model, network))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
