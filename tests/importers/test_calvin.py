"""A small invented network in CALVIN's format: the basin of it has the optimum of its arcs."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from scipy.optimize import linprog
from typer.testing import CliRunner

from wateralloc import read_case
from wateralloc.cli import app
from wateralloc.errors import InputError
from wateralloc.foresight import solve
from wateralloc.importers.calvin import (
    COLUMNS,
    HM3_PER_TAF,
    import_calvin,
    network_of,
    read_links,
)
from wateralloc.period import build_period

MONTHS = ("1921-10-31", "1921-11-30", "1921-12-31", "1922-01-31")
FREE = 1e12


def arcs(inflow=(30.0, 50.0, -2.0, 20.0)):
    """Rows of a network: a lake of two blocks, an aquifer, a town and a farm with falling worth."""
    rows = [
        ("INITIAL", f"SR_A.{MONTHS[0]}", 0, 0, 1, 40, 40),
        ("INITIAL", f"GW_B.{MONTHS[0]}", 0, 0, 1, 500, 500),
        (f"SR_A.{MONTHS[-1]}", "FINAL", 0, 0, 1, 35, 60),
        (f"GW_B.{MONTHS[-1]}", "FINAL", 0, 0, 1, 480, FREE),
        ("SOURCE", "INITIAL", 0, 0, 1, 0, FREE),
        ("FINAL", "SINK", 0, 0, 1, 0, FREE),
    ]
    for t, (month, water) in enumerate(zip(MONTHS, inflow, strict=True)):
        rows += [
            ("SOURCE", f"INFLOW.{month}", 0, 0, 1, 0, FREE),
            (f"INFLOW.{month}", f"SR_A.{month}", 0, 0, 1, 60 - 10 * t, 60 - 10 * t),
            (f"INFLOW.{month}", f"GW_B.{month}", 0, 0, 1, water, water),
            (f"SR_A.{month}", f"D1.{month}", 0, 0.5 * t, 0.9, 5, 70),
            (f"GW_B.{month}", f"D1.{month}", 0, 20, 1, 0, 15),
            (f"D1.{month}", f"D2.{month}", 0, 0, 1, 0, FREE),
            (f"D2.{month}", f"D1.{month}", 0, 0, 1, 0, FREE),
            (f"D1.{month}", f"TOWN.{month}", 0, -90 - t, 1, 0, 10),
            (f"D1.{month}", f"TOWN.{month}", 1, -40, 1, 0, 10 + t),
            (f"D2.{month}", f"FARM.{month}", 0, -30, 0.8, 0, 25),
            (f"TOWN.{month}", f"D2.{month}", 0, 0, 0.25, 0, FREE),
            (f"TOWN.{month}", f"SINK.{month}", 0, 0, 0.5, 0, FREE),
            (f"FARM.{month}", f"SINK.{month}", 0, 0, 1, 0, FREE),
            (f"D2.{month}", f"SINK.{month}", 0, 0, 1, 0, FREE),
            (f"SINK.{month}", "SINK", 0, 0, 1, 0, FREE),
        ]
        if t == 1:
            rows.append((f"D1.{month}", f"TOWN.{month}", 2, -35, 1, 1, 3))
        # a fixed flow below 0 runs the other way
        back = (-1, -1) if t == 2 else (0, 2)
        rows.append((f"D2.{month}", f"TOWN.{month}", 0, 0, 0.5, *back))
        if t < len(MONTHS) - 1:
            after = MONTHS[t + 1]
            rows += [
                (f"SR_A.{month}", f"SR_A.{after}", 0, -6 - t, 0.98 - t / 100, 10, 30),
                (f"SR_A.{month}", f"SR_A.{after}", 1, -7 if t == 1 else -2, 0.98 - t / 100, 0, 50),
                (f"GW_B.{month}", f"GW_B.{after}", 0, 0.01, 1, 0, FREE),
            ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def optimum_of_arcs(table: pd.DataFrame) -> float:
    """Least cost of the arcs as they stand, by another solver's interface."""
    outside = ("SOURCE", "SINK")
    nodes = {n: k for k, n in enumerate(dict.fromkeys([*table["i"], *table["j"]]))}
    column = np.arange(len(table))
    into = sp.csr_matrix(
        (np.ones(len(table)), (table["j"].map(nodes), column)), (len(nodes), len(table))
    )
    out_of = sp.csr_matrix(
        (1 / table["amplitude"], (table["i"].map(nodes), column)), (len(nodes), len(table))
    )
    rows = [k for name, k in nodes.items() if name not in outside]
    upper = table["upper_bound"].where(table["upper_bound"] < FREE, np.inf)
    found = linprog(
        table["cost"],
        A_eq=(into - out_of)[rows],
        b_eq=np.zeros(len(rows)),
        bounds=np.column_stack([table["lower_bound"], upper]),
        method="highs",
    )
    assert found.status == 0, found.message
    return float(found.fun)


def write(table: pd.DataFrame, folder: Path) -> Path:
    path = folder / "links.csv"
    table.to_csv(path, index=False)
    return path


def refuse(table: pd.DataFrame, folder: Path) -> str:
    path = write(table, folder)
    with pytest.raises(InputError) as caught:
        network_of(read_links(path), path)
    return str(caught.value)


@pytest.mark.parametrize("inflow", [(30.0, 50.0, -2.0, 20.0), (3.0, 1.0, 2.0, 2.0)])
def test_basin_has_the_optimum_of_the_arcs(tmp_path, inflow):
    """Pieces by month, blocks that swap their order, gains, losses, canals both ways."""
    table = arcs(inflow)
    case_file, _ = import_calvin(write(table, tmp_path), tmp_path / "study")
    solution = solve(read_case(case_file))
    value = solution.stages[0][0].value * 1e6
    assert value == pytest.approx(-optimum_of_arcs(table), rel=1e-9)


def test_what_arcs_become(tmp_path):
    path = write(arcs(), tmp_path)
    network = network_of(read_links(path), path)
    nodes, links = network.tables["nodes"], network.tables["links"].set_index("name")
    assert dict(zip(nodes["name"], nodes["kind"], strict=True)) == {
        "SR_A": "reservoir", "GW_B": "reservoir", "D1": "junction", "D2": "inflow",
        "TOWN": "junction", "FARM": "junction", "SINK": "sink",
    }  # fmt: skip
    assert links.loc["SR_A__D1", "loss_fraction"] == pytest.approx(0.1)
    assert {"D1__TOWN__0", "D1__TOWN__1", "D1__TOWN__2", "GW_B__losses", "TOWN__losses"} <= set(
        links.index
    )
    assert links.index[links["may_circle"]].tolist() == ["D1__D2", "D2__D1"]
    capacity = network.series["capacity_hm3"]
    # what arrives is at most 70, so at most 70 / 0.9 enters; a piece of one month is closed else
    assert capacity["SR_A__D1"].tolist() == pytest.approx([70 / 0.9 * HM3_PER_TAF] * 4)
    assert capacity["D1__TOWN__2"].tolist() == pytest.approx([0, 3 * HM3_PER_TAF, 0, 0])
    assert capacity["GW_B__losses"].tolist() == pytest.approx([0, 0, 2 * HM3_PER_TAF, 0])
    assert "D1__D2" not in capacity
    inflow = network.series["inflow_hm3"] / HM3_PER_TAF
    assert inflow["GW_B"].tolist() == pytest.approx([30, 50, 0, 20])
    assert inflow["D2"].tolist() == pytest.approx([0, 0, 1 / 0.5, 0])
    assert network.series["storage_loss_fraction"]["SR_A"].tolist() == pytest.approx(
        [0, 0.02, 0.03, 0.04]
    )
    reservoirs = network.tables["reservoirs"].set_index("name")
    assert reservoirs.loc["GW_B", "normal_hm3"] == ""
    assert float(reservoirs.loc["SR_A", "target_maximum_hm3"]) == 60 * HM3_PER_TAF
    blocks = network.tables["carryover_values"]
    assert blocks["reservoir"].tolist() == ["SR_A", "GW_B", "SR_A"]


def test_columns_are_about_as_many_as_arcs(tmp_path):
    """One for each arc, but storage beside its blocks and pieces that are not there each month."""
    table = arcs()
    case_file, _ = import_calvin(write(table, tmp_path), tmp_path / "study")
    m = build_period(read_case(case_file)).model
    assert len(m.flow) + len(m.carryover_block) + len(m.storage_end) == 15 + 2 + 2
    assert len(m.carryover_blocks) == 1  # the aquifer's only block is its storage


def test_packed_file_and_command(tmp_path):
    path = tmp_path / "links.csv.gz"
    with gzip.open(path, "wt", encoding="utf-8") as file:
        arcs().to_csv(file, index=False)
    folder = tmp_path / "study"
    done = CliRunner().invoke(app, ["import", "calvin", str(path), str(folder)])
    assert done.exit_code == 0, done.output
    assert "nodes: 7 · links: 15 · reservoirs: 2 · months: 4" in done.output
    again = CliRunner().invoke(app, ["import", "calvin", str(path), str(folder), "--lang", "vi"])
    assert again.exit_code == 2
    assert "E109" in again.output
    other = CliRunner().invoke(app, ["import", "calvin", str(path), f"{folder}_vi", "--lang", "vi"])
    assert "hồ chứa: 2 · tháng: 4" in other.output


# --- faults -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        (("D1", "D2.1921-10-31", 0, 0, 1, 0, 1), "E355 node 'D1' has no month"),
        (("D1.1921-13-31", "D2.1921-10-31", 0, 0, 1, 0, 1), "E355 node 'D1.1921-13-31' has no"),
        (("D 1.1921-10-31", "D2.1921-10-31", 0, 0, 1, 0, 1), "E210 place 'D 1' is not a valid"),
        (("D1.1921-10-31", "D2.1921-11-30", 0, 0, 1, 0, 1), "E357 arc D1.1921-10-31 to D2.19"),
        (("SR_A.1921-10-31", "FINAL", 0, 0, 1, 0, 1), "E357 arc SR_A.1921-10-31 to FINAL bel"),
        (("D1.1921-10-31", "NEW.1921-10-31", 0, 0, 0, 0, 1), "E358 arc D1.1921-10-31 to NEW.19"),
        (("D1.1921-10-31", "NEW.1921-10-31", 0, 0, 1, 2, 1), "has lower_bound 2 above upper_b"),
        (("D1.1921-10-31", "NEW.1921-10-31", 0, 0, 1, -1, 1), "E356 arc D1.1921-10-31 to NEW."),
        (("SOURCE", "D1.1921-10-31", 0, 0, 1, 0, 4), "brings water from SOURCE but is not one"),
        (("INITIAL", "SR_A.1921-10-31", 1, 0, 1, 0, 4), "is not one volume without a cost"),
        (("D1.1921-10-31", "SINK", 0, 0, 1, 0, FREE), "E359 arc D1.1921-10-31 to SINK has"),
        (("D1.1921-10-31", "D2.1921-10-31", 0, 0, 1, 0, FREE), "E359 arc D1.1921-10-31 to D2.19"),
        (("D1.1921-10-31", "D2.1921-10-31", 1, 0, 1, 0, FREE), "has a limit in some months and"),
    ],
)  # fmt: skip
def test_arcs_without_a_place_in_a_basin(tmp_path, row, fault):
    table = arcs()
    table.loc[len(table)] = row
    text = refuse(table, tmp_path)
    assert fault in text
    if "arc" in fault:
        assert f"links.csv:{len(table) + 1}: " in text


@pytest.mark.parametrize(
    ("i", "column", "value", "fault"),
    [
        ("D2.1921-11-30", "amplitude", 0.7, "E358 arc D2.1921-11-30"),
        ("SR_A.1921-11-30", "amplitude", 0.5, "all water stored must lose the same share"),
        ("GW_B.1921-11-30", "upper_bound", 900.0, "E359 storage of 'GW_B' has a limit in some"),
    ],
)
def test_arcs_that_change_by_month(tmp_path, i, column, value, fault):
    table = arcs()
    chosen = (table["i"] == i) & table["j"].str.match("(FARM|SR_A|GW_B)")
    table.loc[table.index[chosen][-1], column] = value
    assert fault in refuse(table, tmp_path)


def test_file_that_is_no_table_of_arcs(tmp_path):
    with pytest.raises(InputError, match="E101"):
        read_links(tmp_path / "links.csv")
    assert "E355 has no column amplitude" in refuse(arcs().drop(columns="amplitude"), tmp_path)
    table = arcs().astype({"cost": object})
    table.loc[3, "cost"] = "cheap"
    assert "links.csv:5: E204 cost is 'cheap'" in refuse(table, tmp_path)
    assert "E103" in refuse(arcs().iloc[:0], tmp_path)
    without = arcs()
    gone = without["i"].str.contains("1921-11") | without["j"].str.contains("1921-11")
    assert "E355 has no node in 1921-11" in refuse(without[~gone], tmp_path)
