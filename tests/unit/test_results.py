"""Results: numbers by label, prices, rules, files that are whole at any moment."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

from tests.basins import tiny_parts
from tests.small import inflow, make_case
from wateralloc.errors import InputError
from wateralloc.foresight.perfect import solve_perfect
from wateralloc.results import Results, collect, store
from wateralloc.results.tables import balance, make_tables

HM3_OF_A_DAY = 0.0864
"""Volume of 1 m3/s over a day."""

COLUMNS = {
    "allocation": "member period_start region province node demand sector priority demand_hm3 "
    "withdrawal_hm3 deficit_hm3 satisfaction consumption_hm3 return_flow_hm3 water_value",
    "balance": "member period_start node inflow_hm3 link_in_hm3 return_flow_hm3 withdrawal_hm3 "
    "evaporation_hm3 storage_start_hm3 storage_end_hm3 link_out_hm3 residual_hm3",
    "links": "member period_start link from to kind flow_in_hm3 loss_hm3 flow_out_hm3 flow_m3s "
    "in_transit_start_hm3 in_transit_end_hm3",
    "reservoirs": "member period_start reservoir storage_start_hm3 storage_end_hm3 level_m "
    "area_km2 evaporation_hm3 release_hm3 spill_hm3 rain_hm3 seepage_hm3",
    "rules": "member period_start rule kind required achieved unit slack shadow_price kept",
    "metrics": "member scope name metric value",
}


def river(**changes: Any) -> dict[str, Any]:
    """``head -> town -> sea``: a farm at the head returns half to the town, which has a works.

    The head gains 6, 4 and 30 hm3; farm and works ask 10 each a day.
    """
    demand = {"region": "north", "province": "upland", "demand_hm3_day": 10}
    return {
        "nodes": [
            {"name": "head", "kind": "inflow", "region": "north", "province": "upland"},
            {"name": "town", "kind": "junction"},
            {"name": "sea", "kind": "sink"},
        ],
        "links": [
            {"name": "upper", "from": "head", "to": "town", "kind": "reach"},
            {"name": "lower", "from": "town", "to": "sea", "kind": "reach"},
        ],
        "demands": [
            {"name": "farm", "node": "head", "sector": "irrigation", **demand,
             "consumption_fraction": 0.5, "return_to": "town", "name_vi": "Ruộng"},
            {"name": "works", "node": "town", "sector": "industry", "priority": 2, **demand},
        ],
        "series": inflow(head=[6, 4, 30]),
    } | changes  # fmt: skip


def results_of(folder: Path, goals: list[Any], rules: Any = (), **basin: Any) -> Results:
    basin = basin or river()
    case = make_case(folder, periods=3, goals=goals, rules=rules, **basin)
    return collect(solve_perfect(case), {"read": 0.25})


@pytest.fixture
def results(tmp_path: Path) -> Results:
    return results_of(tmp_path, [{"meet": {"demands": ["farm"]}}, {"meet": {}}])


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


# --- numbers --------------------------------------------------------------------------------


def test_allocation_by_hand(results: Results) -> None:
    table = results.tables()["allocation"].set_index("demand")
    farm, works = table.loc["farm"], table.loc["works"]
    assert farm["withdrawal_hm3"].tolist() == pytest.approx([6, 4, 10], abs=1e-9)
    assert farm["deficit_hm3"].tolist() == pytest.approx([4, 6, 0], abs=1e-9)
    assert farm["satisfaction"].tolist() == pytest.approx([0.6, 0.4, 1], abs=1e-12)
    assert farm["return_flow_hm3"].tolist() == pytest.approx([3, 2, 5], abs=1e-9)
    assert works["withdrawal_hm3"].tolist() == pytest.approx([3, 2, 10], abs=1e-9)
    assert works["consumption_hm3"].tolist() == pytest.approx([3, 2, 10], abs=1e-9)
    assert farm["period_start"].tolist() == ["2001-01-01", "2001-01-02", "2001-01-03"]
    assert set(farm["priority"]) == {1}
    assert set(works["priority"]) == {2}


def test_region_of_a_demand_is_that_of_its_node_when_it_has_none(tmp_path: Path) -> None:
    parts = river()
    demand = dict(parts["demands"][0], region="", province="")
    results = results_of(tmp_path, [{"meet": {}}], **river(demands=[demand]))
    assert results.dataset["region"].values.tolist() == ["north"]
    assert results.dataset["province"].values.tolist() == ["upland"]


def test_links_have_the_outlet_of_a_sink(results: Results) -> None:
    table = results.tables()["links"].set_index("link")
    assert table.loc["sea", "kind"].tolist() == ["outlet"] * 3
    assert table.loc["sea", "from"].tolist() == ["sea"] * 3
    assert table.loc["sea", "to"].tolist() == ["outside"] * 3
    assert table.loc["sea", "flow_in_hm3"].tolist() == pytest.approx([0, 0, 15], abs=1e-9)
    assert table.loc["upper", "flow_m3s"].tolist()[2] == pytest.approx(20 / HM3_OF_A_DAY, rel=1e-9)


def test_columns_are_those_of_the_format(results: Results) -> None:
    tables = results.tables()
    assert {name: list(table) for name, table in tables.items()} == {
        name: columns.split() for name, columns in COLUMNS.items()
    }


def test_reservoir_levels_follow_the_curve(tmp_path: Path) -> None:
    parts = tiny_parts()
    parts["series"] = inflow(spring=[1, 2, 3])
    results = results_of(tmp_path, [{"meet": {}}], **parts)
    table = results.tables()["reservoirs"]
    # the curve of the tiny basin: 20 m and 1 km2 at 0 hm3, 40 m and 5 km2 at 100 hm3
    storage = table["storage_end_hm3"]
    assert table["level_m"].tolist() == pytest.approx((20 + 0.2 * storage).tolist(), abs=1e-9)
    assert table["area_km2"].tolist() == pytest.approx((1 + 0.04 * storage).tolist(), abs=1e-9)


def test_level_is_empty_without_a_curve_and_dataset_has_no_nan(tmp_path: Path) -> None:
    parts = tiny_parts()
    parts["series"] = inflow(spring=[1, 2, 3])
    lake = {
        k: v for k, v in parts["reservoirs"][0].items() if k not in ("evaporation_mm_day", "curve")
    }
    results = results_of(tmp_path, [{"meet": {}}], **(parts | {"reservoirs": [lake]}))
    for name, variable in results.dataset.variables.items():
        if variable.dtype.kind == "f":
            assert np.isfinite(variable.values).all(), name
    results.write(tmp_path / "out")
    assert [row["level_m"] for row in rows_of(tmp_path / "out/reservoirs.csv")] == ["", "", ""]


def test_dataset_describes_itself(results: Results) -> None:
    dataset = results.dataset
    assert dataset.attrs["Conventions"].startswith("CF-")
    for name in ("withdrawal", "balance_link_out", "flow_in", "residual"):
        assert dataset[name].attrs["units"] == "hm3"
        assert dataset[name].attrs["cell_methods"] == "time: sum"
        assert dataset[name].attrs["long_name"]
    assert dataset["demand_volume"].dims == ("member", "time", "demand")
    assert dataset["storage_end"].dims == ("member", "time", "reservoir")
    assert dataset["storage_end"].attrs["cell_methods"] == "time: point"
    assert dataset["balance_link_out"].attrs["balance_sign"] == -1
    for name, variable in dataset.variables.items():
        if variable.dtype.kind in "if":
            assert {"units", "units_by"} & set(variable.attrs), name
            assert variable.attrs["long_name"], name
        if variable.dtype.kind == "f" and "time" in variable.dims[:-1]:
            assert "cell_methods" in variable.attrs, name
    bounds = dataset["time_bnds"].values.astype("datetime64[D]")
    assert (bounds[:, 1] - bounds[:, 0] == np.timedelta64(1, "D")).all()
    words = dict(zip(dataset["word_name"].values, dataset["word_vi"].values, strict=True))
    assert words["farm"] == "Ruộng"
    assert words["works"] == "works"


def test_amount_of_another_part_stands_after_the_residual(results: Results) -> None:
    extra = xr.zeros_like(results.dataset["residual"]) + 2.0
    extra.attrs = {"balance_sign": 1}
    table = balance(results.dataset.assign(balance_recharge=extra))
    assert list(table)[-2:] == ["residual_hm3", "recharge_hm3"]
    assert set(table["recharge_hm3"]) == {2.0}


def test_basin_without_inflow_or_users(tmp_path: Path) -> None:
    parts = {key: rows for key, rows in river().items() if key in ("nodes", "links")}
    results = results_of(tmp_path, [{"minimise": "outflow"}], **parts)
    results.write(tmp_path / "out")
    assert rows_of(tmp_path / "out/allocation.csv") == []
    assert {row["inflow_hm3"] for row in rows_of(tmp_path / "out/balance.csv")} == {"0.0"}
    values = results.tables()["metrics"].set_index("metric")["value"]
    assert values["inflow_hm3"] == 0.0
    xr.testing.assert_identical(Results.read(tmp_path / "out").dataset, results.dataset)


def test_reading_results_does_not_load_the_formulation() -> None:
    code = "import sys, wateralloc.report.tables; sys.exit('pyomo' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# --- prices ---------------------------------------------------------------------------------


def total_deficit(results: Results, demands: list[str]) -> float:
    return float(results.dataset["deficit"].sel(demand=demands).sum())


def test_water_value_is_the_deficit_avoided_by_one_more(tmp_path: Path) -> None:
    """A hm3 at the head serves the farm with 1 and, by its return, the works with a half."""
    goals = [{"meet": {}}]
    base = results_of(tmp_path / "base", goals)
    value = base.dataset["water_value"].isel(member=0)
    assert value.sel(demand="farm").values.tolist() == pytest.approx([1.5, 1.5, 0], abs=1e-9)
    assert value.sel(demand="works").values.tolist() == pytest.approx([1, 1, 0], abs=1e-9)
    for t in range(3):
        more = [6.0, 4.0, 30.0]
        more[t] += 0.01
        other = results_of(tmp_path / str(t), goals, **river(series=inflow(head=more)))
        avoided = total_deficit(base, ["farm", "works"]) - total_deficit(other, ["farm", "works"])
        assert avoided / 0.01 == pytest.approx(float(value.sel(demand="farm")[t]), abs=1e-6)


def test_water_value_is_that_of_the_goal_that_names_the_demand(results: Results) -> None:
    value = results.dataset["water_value"].isel(member=0)
    # the first goal is the farm's alone, and it is short twice
    assert value.sel(demand="farm").values.tolist() == pytest.approx([1, 1, 0], abs=1e-9)
    assert value.sel(demand="works").values.tolist() == pytest.approx([1, 1, 0], abs=1e-9)


def test_water_value_of_a_shared_demand_and_of_one_that_no_goal_names(tmp_path: Path) -> None:
    goals = [{"share": {"demands": ["works"], "among": "demand", "window": "period"}}]
    value = results_of(tmp_path, goals).dataset["water_value"].isel(member=0)
    assert value.sel(demand="farm").values.tolist() == [0, 0, 0]
    assert value.sel(demand="works").values.tolist() == pytest.approx([1, 1, 0], abs=1e-9)


def test_water_value_of_a_demand_with_sources_is_that_of_the_best(tmp_path: Path) -> None:
    """2 hm3 a day are asked; the brook has 1, so more of it counts; the far pipe is full."""
    results = results_of(
        tmp_path,
        [{"meet": {}}],
        nodes=[
            {"name": "brook", "kind": "inflow"}, {"name": "lake", "kind": "inflow"},
            {"name": "sea", "kind": "sink"},
        ],
        links=[
            {"name": "a", "from": "brook", "to": "sea", "kind": "reach"},
            {"name": "b", "from": "lake", "to": "sea", "kind": "reach"},
        ],
        demands=[{"name": "town", "node": "lake", "sector": "domestic", "demand_hm3_day": 2}],
        sources=[
            {"name": "far", "demand": "town", "node": "lake", "capacity_hm3_day": 0.5},
            {"name": "near", "demand": "town", "node": "brook"},
        ],
        series=inflow(brook=[1, 1, 1], lake=[9, 9, 9]),
    )  # fmt: skip
    assert results.dataset["water_value"].values.ravel() == pytest.approx([1, 1, 1])


def test_balance_price_by_goal(results: Results) -> None:
    price = results.dataset["balance_price"].isel(member=0)
    assert price.dims == ("goal", "time", "node")
    assert price.sel(goal=1, node="head").values.tolist() == pytest.approx([-1, -1, 0], abs=1e-9)
    assert results.dataset["goal_name"].values.tolist() == ["1 meet farm", "2 meet all"]


# --- rules ----------------------------------------------------------------------------------


def delivery(flow: float, **more: Any) -> dict[str, Any]:
    """Ask a flow past the town, in hm3 a day, on 2 January."""
    flow_m3s = {"from": "01-02", "to": "01-02", "value": flow / HM3_OF_A_DAY}
    return {"rule": "minimum_delivery", "name": "keep", "at": "town", "flow_m3s": flow_m3s, **more}


def test_rule_row_has_what_was_asked_achieved_and_its_price(tmp_path: Path) -> None:
    results = results_of(tmp_path, [{"meet": {}}], [delivery(1.5)])
    (row,) = results.tables()["rules"].to_dict("records")
    assert [row[name] for name in ("member", "period_start", "rule", "kind", "unit", "kept")] == [
        "2001-01", "2001-01-02", "keep", "minimum_delivery", "m3s", "true",
    ]  # fmt: skip
    assert row["required"] == pytest.approx(1.5 / HM3_OF_A_DAY, rel=1e-12)
    assert row["achieved"] == pytest.approx(1.5 / HM3_OF_A_DAY, rel=1e-9)
    assert row["slack"] == 0.0
    more = results_of(tmp_path / "more", [{"meet": {}}], [delivery(1.51)])
    lost = total_deficit(more, ["farm", "works"]) - total_deficit(results, ["farm", "works"])
    assert lost == pytest.approx(0.01, abs=1e-9)
    assert row["shadow_price"] == pytest.approx(lost / (0.01 / HM3_OF_A_DAY), rel=1e-6)


def test_price_of_a_cap_is_what_a_tighter_one_costs(tmp_path: Path) -> None:
    cap = {
        "rule": "quota",
        "name": "cap",
        "demands": ["farm"],
        "volume_hm3": 12,
        "window": "horizon",
    }
    results = results_of(tmp_path, [{"meet": {"demands": ["farm"]}}], [cap])
    (row,) = results.tables()["rules"].to_dict("records")
    assert (row["required"], row["unit"], row["kept"]) == (12.0, "hm3", "true")
    assert row["achieved"] == pytest.approx(12, abs=1e-9)
    assert row["shadow_price"] == pytest.approx(1, abs=1e-9)
    dataset = results.dataset
    assert str(dataset["rule_end"].values[0])[:10] == "2001-01-03"
    assert dataset["shadow_price_stage"].values.tolist() == [[1]]


def test_broken_soft_rule(tmp_path: Path) -> None:
    """On 2 January 4 hm3 come: the works and farm, served first, leave nothing for the rule."""
    rules = [delivery(3, soft={"goal": 2})]
    results = results_of(tmp_path, [{"meet": {}}, {"minimise": "outflow"}], rules)
    (row,) = results.tables()["rules"].to_dict("records")
    assert row["kept"] == "false"
    assert row["slack"] == pytest.approx(-3 / HM3_OF_A_DAY, rel=1e-9)
    kept = results.tables()["metrics"].query("scope == 'rule'").set_index("metric")["value"]
    assert kept["share_kept"] == 0.0
    assert kept["worst_shortfall"] == pytest.approx(3 / HM3_OF_A_DAY, rel=1e-9)


def test_rule_of_several_rows_over_windows(tmp_path: Path) -> None:
    """A user's rule of two items, summed over two windows; the last day is in none."""
    (tmp_path / "mine.py").write_text(
        "import numpy as np\n"
        "import pyomo.environ as pyo\n"
        "def half(m, case):\n"
        "    m.half = pyo.Constraint(['farm', 'works'], rule=lambda m, d: m.withdrawal[d] <= 5)\n"
        "    m.repeats.total(m.half, np.array([0, 1, -1]))\n",
        encoding="utf-8",
    )
    rule = {"rule": "python", "name": "mine", "file": "mine.py", "function": "half"}
    results = results_of(tmp_path, [{"meet": {}}], [rule])
    results.write(tmp_path / "out")
    rows = rows_of(tmp_path / "out/rules.csv")
    assert [(row["rule"], row["period_start"]) for row in rows] == [
        ("mine.half[farm]", "2001-01-01"), ("mine.half[farm]", "2001-01-02"),
        ("mine.half[works]", "2001-01-01"), ("mine.half[works]", "2001-01-02"),
    ]  # fmt: skip
    assert [float(row["required"]) for row in rows] == [5, 5, 5, 5]
    achieved = [float(row["achieved"]) for row in rows]
    assert achieved == pytest.approx([5, 4, 3.5, 2], abs=1e-9)  # the works also have what passes
    assert "mine.py" in results.manifest["inputs"]


def test_case_without_rules_has_empty_rules(results: Results, tmp_path: Path) -> None:
    results.write(tmp_path / "out")
    assert (tmp_path / "out/rules.csv").read_text(encoding="utf-8") == (
        COLUMNS["rules"].replace(" ", ",") + "\n"
    )
    assert Results.read(tmp_path / "out").dataset.sizes["rule"] == 0


# --- stages and metrics ---------------------------------------------------------------------


def test_stages_are_kept(results: Results) -> None:
    dataset = results.dataset
    assert dataset["stage_name"].values.tolist() == ["1 meet farm", "2 meet all"]
    assert dataset["stage_value"].values.tolist() == pytest.approx([10 / 30, 25 / 60], abs=1e-9)
    assert dataset["stage_unit"].values.tolist() == ["fraction of demand"] * 2
    assert (dataset["stage_gap"] <= 1e-9).all()
    assert results.manifest["stages"]["2001-01"][0]["value"] == pytest.approx(1 / 3, abs=1e-9)


def test_metrics_by_hand(results: Results) -> None:
    table = results.tables()["metrics"].set_index(["scope", "name", "metric"])["value"].sort_index()
    farm = table["demand", "farm"]
    assert farm["volume_reliability"] == pytest.approx(20 / 30, abs=1e-12)
    assert farm["time_reliability"] == pytest.approx(1 / 3, abs=1e-12)
    assert farm["resilience"] == pytest.approx(1 / 2, abs=1e-12)
    assert farm["vulnerability_hm3"] == pytest.approx(6, abs=1e-9)
    assert farm["vulnerability_share"] == pytest.approx(0.6, abs=1e-9)
    assert farm["longest_failure_periods"] == 2
    assert table["region", "north", "deficit_hm3"] == pytest.approx(25, abs=1e-9)
    assert table["region_sector", "north/industry", "deficit_hm3"] == pytest.approx(15, abs=1e-9)
    assert table["basin", "all", "inflow_hm3"] == pytest.approx(40, abs=1e-9)
    assert table["basin", "all", "outflow_hm3"] == pytest.approx(15, abs=1e-9)
    assert table["basin", "all", "least_served_sector"] == pytest.approx(0.5, abs=1e-9)
    # two of equal demand served 2/3 and 1/2: |difference| / (2 x their sum)
    assert table["basin", "all", "gini_among_sector"] == pytest.approx(1 / 14, abs=1e-9)
    assert table["basin", "all", "gini_among_region"] == 0.0


def test_indices_by_hand(results: Results) -> None:
    """The farm gets 6, 4, 10 of 10 each day, the works 3, 2, 10; region north is both."""
    table = results.tables()["metrics"].set_index(["scope", "name", "metric"])["value"].sort_index()
    farm, works, north = table["demand", "farm"], table["demand", "works"], table["region", "north"]
    # a year of which there are three days
    assert farm["shortage_index"] == pytest.approx(100 * (1 / 3) ** 2)
    assert farm["vulnerability_mean_share"] == pytest.approx(10 / 20)
    assert works["vulnerability_mean_share"] == pytest.approx(15 / 20)
    for user, depth in ((farm, 10 / 20), (works, 15 / 20), (north, 25 / 40)):
        product = (1 / 3) * (1 / 2) * (1 - depth)
        assert user["sustainability_product"] == pytest.approx(product)
        assert user["sustainability_geometric"] == pytest.approx(product ** (1 / 3))
    # both ask the same
    of_users = [user["sustainability_geometric"] for user in (farm, works)]
    assert north["sustainability_of_demands"] == pytest.approx(np.mean(of_users))
    assert "sustainability_of_demands" not in farm
    # served 2/3 and 1/2, of a mean of 7/12: 8/7 and 6/7 of it
    basin = table["basin", "all"]
    theil = (8 / 7) * np.log(8 / 7) / 2 + (6 / 7) * np.log(6 / 7) / 2
    assert basin["theil_among_demand"] == pytest.approx(theil)
    assert basin["theil_within_region"] == pytest.approx(theil)
    assert basin["theil_between_region"] == pytest.approx(0, abs=1e-12)
    assert basin["atkinson_among_demand"] == pytest.approx(1 - np.sqrt(1 / 3) / (7 / 12))
    profile = table["leximin_demand"]
    assert profile[:, "satisfaction"].to_dict() == pytest.approx({"1": 1 / 2, "2": 2 / 3})


def test_stress_by_hand(results: Results, tmp_path: Path) -> None:
    table = results.tables()["metrics"].set_index(["scope", "name", "metric"])["value"].sort_index()
    # 40 hm3 come to the head, which alone is in the north; 35 are withdrawn, by both
    for scope, name in (("basin", "all"), ("region", "north"), ("basin_year", "2001"),
                        ("region_year", "north/2001")):  # fmt: skip
        item = table[scope, name]
        assert item["withdrawal_hm3"] == pytest.approx(35)
        assert item["availability_hm3"] == pytest.approx(40)
        assert item["withdrawal_to_availability"] == pytest.approx(35 / 40)
    # the town as a region of its own has what the farm leaves and returns: 3, 2 and 25
    parts = river()
    parts["nodes"][1] |= {"region": "south"}
    parts["demands"][1] = parts["demands"][1] | {"region": "south"}
    goals = [{"meet": {"demands": ["farm"]}}, {"meet": {}}]
    two = results_of(tmp_path / "two", goals, **parts).tables()["metrics"]
    south = two.set_index(["scope", "name", "metric"])["value"].sort_index()["region", "south"]
    # returns of the farm do not come by a link
    assert south["availability_hm3"] == pytest.approx(20)
    assert south["withdrawal_to_availability"] == pytest.approx(15 / 20)


def test_stress_of_the_worst_year_and_of_groundwater(tmp_path: Path) -> None:
    """Two water years of a day and two days; an aquifer with a recharge of 5 a day."""
    parts = river()
    parts["nodes"].append({"name": "sand", "kind": "aquifer", "region": "north"})
    parts["aquifers"] = [{"name": "sand", "capacity_hm3": 100, "initial_hm3": 50,
                          "recharge_hm3_day": 5}]  # fmt: skip
    parts["links"].append({"name": "spring", "from": "sand", "to": "head", "kind": "reach"})
    results = results_of(tmp_path, [{"meet": {}}], **parts)
    dataset = results.dataset.assign_coords(water_year=("time", [2000, 2001, 2001]))
    table = make_tables(dataset)["metrics"].set_index(["scope", "name", "metric"])["value"]
    table = table.sort_index()
    north = table["region", "north"]
    assert north["availability_hm3"] == pytest.approx(40 + 15)
    by_year = table["region_year"][:, "availability_hm3"]
    assert by_year.to_dict() == pytest.approx({"north/2000": 6 + 5, "north/2001": 34 + 10})
    stress = table["region_year"][:, "withdrawal_to_availability"]
    assert north["highest_withdrawal_to_availability"] == pytest.approx(stress.max())
    assert stress.min() < stress.max()


def test_region_without_a_node_has_no_stress(tmp_path: Path) -> None:
    parts = river()
    parts["demands"][1] = parts["demands"][1] | {"region": "abroad"}
    table = results_of(tmp_path, [{"meet": {}}], **parts).tables()["metrics"]
    stress = table[table["metric"] == "withdrawal_to_availability"]
    assert "abroad" in set(table.loc[table["scope"] == "region", "name"])
    assert set(stress.loc[stress["scope"] == "region", "name"]) == {"north"}


def test_sharing_by_hand(tmp_path: Path) -> None:
    """Days of 6, 4 and 30 for claims of 10 and 5 by equal losses."""
    demands = [
        {"name": name, "node": "head", "sector": "irrigation", "demand_hm3_day": asked,
         "value_vnd_m3": value}
        for name, asked, value in (("rice", 10, 1), ("tea", 5, 4))
    ]  # fmt: skip
    goals = [
        {"share": {"among": "demand", "rule": "cel", "window": "period"}},
        {"maximise": {"quantity": "outflow"}},
    ]
    results = results_of(tmp_path, goals, **river(demands=demands))
    table = results.tables()["sharing"]
    assert " ".join(table.columns) == (
        "member goal tier rule claimant window_start window_end claim_hm3 award_hm3 satisfaction "
        "round level"
    )
    assert table["claimant"].tolist() == ["rice", "tea"] * 3
    by = table.set_index(["claimant", "window_start"])
    # 9 of 15 are missing on the first day, 4.5 each, and 11 on the second; tea has 5 to lose
    assert by.loc["rice", "award_hm3"].tolist() == pytest.approx([5.5, 4, 10])
    assert by.loc["tea", "award_hm3"].tolist() == pytest.approx([0.5, 0, 5])
    assert by.loc["tea", "satisfaction"].tolist() == pytest.approx([0.1, 0, 1])
    assert by.loc["rice", "window_end"].tolist() == ["2001-01-01", "2001-01-02", "2001-01-03"]
    assert set(table["rule"]) == {"cel"}
    assert set(table["tier"]) == set(table["goal"]) == {1}
    # a loss of 4.5 where the mean claim is 7.5
    assert by.loc[("rice", "2001-01-01"), "level"] == pytest.approx(-0.6)
    metric = results.tables()["metrics"].set_index(["scope", "name", "metric"])["value"]
    metric = metric.sort_index()["goal"]["1 share all among demand"]
    assert metric["volume_price"] == pytest.approx(0, abs=1e-12)
    # tea first on every day: 5 x 4 + 1, 4 x 4, 5 x 4 + 10; the rule gives 7.5, 4 and 30
    assert metric["value_price"] == pytest.approx(1 - 41.5 / 67)


def test_sharing_in_tiers_has_their_names_and_no_value_without_values(tmp_path: Path) -> None:
    goals = [{"share": {"among": ["region", "demand"], "window": "horizon", "shape": "period"}}]
    results = results_of(tmp_path, goals)
    table = results.tables()["sharing"]
    of = table.groupby("tier", sort=True)
    assert [sorted(set(part["claimant"])) for _, part in of] == [
        ["north"], ["north/farm", "north/works"], ["north/farm", "north/works"],
    ]  # fmt: skip
    assert [len(part) for _, part in of] == [1, 2, 6]
    metrics = results.tables()["metrics"]
    assert set(metrics.loc[metrics["scope"] == "goal", "metric"]) == {"volume_price"}


def test_case_without_share_has_no_sharing(results: Results) -> None:
    assert "sharing" not in results.tables()
    assert "award_claim" not in results.dataset


# --- files ----------------------------------------------------------------------------------


def test_files_and_reading_back(results: Results, tmp_path: Path) -> None:
    folder = results.write(tmp_path / "a/b/out")
    assert {path.name for path in folder.iterdir()} == {
        "results.nc", "manifest.json", *(f"{name}.csv" for name in COLUMNS),
    }  # fmt: skip
    assert [path.name for path in folder.parent.iterdir()] == ["out"]
    again = Results.read(folder)
    xr.testing.assert_identical(again.dataset, results.dataset)
    tables, tables_again = make_tables(results.dataset), make_tables(again.dataset)
    for name, table in tables.items():
        assert table.astype(object).equals(tables_again[name].astype(object)), name
    for row, value in zip(
        rows_of(folder / "allocation.csv"), tables["allocation"]["satisfaction"], strict=True
    ):
        assert float(row["satisfaction"]) == value  # to the last bit


def test_same_inputs_give_the_same_bytes(tmp_path: Path) -> None:
    goals = [{"meet": {}}]
    folders = [
        results_of(tmp_path / name, goals, [delivery(2)]).write(tmp_path / name / "out")
        for name in ("one", "two")
    ]
    for path in folders[0].iterdir():
        if path.name != "manifest.json":
            assert path.read_bytes() == (folders[1] / path.name).read_bytes(), path.name
    manifests = [json.loads((f / "manifest.json").read_text(encoding="utf-8")) for f in folders]
    for manifest in manifests:
        assert set(manifest.pop("seconds")) == {"read", "build", "solve", "write"}
        manifest.pop("seconds_by_stage")
    assert manifests[0] == manifests[1]


def test_manifest_names_every_input_and_no_place_on_this_machine(
    results: Results, tmp_path: Path
) -> None:
    manifest = results.manifest
    assert set(manifest["inputs"]) == {
        "case.yaml", "basin/basin.yaml", "basin/nodes.csv", "basin/links.csv", "basin/demands.csv",
        "basin/series/inflow_hm3_day.csv",
    }  # fmt: skip
    assert all(len(digest) == 64 for digest in manifest["inputs"].values())
    assert str(tmp_path) not in json.dumps(manifest)
    assert manifest["size"]["periods"] == 3
    assert manifest["balance"]["largest_residual_hm3"] <= 1e-9
    assert manifest["versions"]["highspy"]
    assert manifest["solver"]["options"]["threads"] == 1


def test_run_that_dies_while_writing_leaves_the_former_result(
    results: Results, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = results.write(tmp_path / "out")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}

    def die(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(xr.Dataset, "to_netcdf", die)
        with pytest.raises(KeyboardInterrupt):
            results.write(folder)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    results.write(folder)
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def beside(folder: Path) -> list[str]:
    """What is left beside a folder of results."""
    return [path.name for path in folder.iterdir() if path.name.startswith(".")]


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (OSError(28, "No space left on device"), "No space left on device"),
        (RuntimeError("NetCDF: HDF error"), "results.nc cannot be written .*HDF error"),
    ],
)
@pytest.mark.parametrize("is_first", [True, False])
def test_full_disk_leaves_nothing_half_written(
    results: Results, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    error: Exception, text: str, is_first: bool,
) -> None:  # fmt: skip
    folder = tmp_path / "out"
    if not is_first:
        results.write(folder)

    def fail(*_: Any, **__: Any) -> None:
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(xr.Dataset, "to_netcdf", fail)
        with pytest.raises(OSError, match=text) as caught:
            results.write(folder)
    assert caught.value.filename == str(folder)
    assert beside(tmp_path) == []
    assert folder.exists() is not is_first


def test_ctrl_c_in_the_netcdf_library_waits_until_it_is_done(
    results: Results, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the midst of it the library kept its lock, and the run hung for ever when it closed."""
    folder = results.write(tmp_path / "out")
    written = xr.Dataset.to_netcdf
    done = []
    # a shell that runs this in the background lets Ctrl-C be ignored
    former = signal.signal(signal.SIGINT, signal.default_int_handler)

    def write(*arguments: Any, **options: Any) -> None:
        signal.raise_signal(signal.SIGINT)
        written(*arguments, **options)
        done.append(True)

    with monkeypatch.context() as patch:
        patch.setattr(xr.Dataset, "to_netcdf", write)
        with pytest.raises(KeyboardInterrupt):
            results.write(folder)
    assert done == [True]
    assert beside(tmp_path) == []
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    signal.signal(signal.SIGINT, former)
    xr.testing.assert_identical(Results.read(folder).dataset, results.dataset)


def test_two_runs_into_one_folder_disturb_each_other_nowhere(
    results: Results, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = results.write(tmp_path / "out")
    (folder / "notes.txt").write_text("mine", encoding="utf-8")
    moved, written = Path.replace, xr.Dataset.to_netcdf
    others = ["while writing", "before the first move", "between the moves"]

    def another() -> None:
        if others:
            others.pop(0)
            results.write(folder)

    def write(*arguments: Any, **options: Any) -> None:
        another()
        written(*arguments, **options)

    def replace(path: Path, target: Path) -> Path:
        if path == folder or target == folder:
            another()
        return moved(path, target)

    with monkeypatch.context() as patch:
        patch.setattr(xr.Dataset, "to_netcdf", write)
        patch.setattr(Path, "replace", replace)
        patch.setattr(store, "PAUSE", 0.0)
        results.write(folder)
    assert others == []
    xr.testing.assert_identical(Results.read(folder).dataset, results.dataset)
    assert (folder / "notes.txt").read_text(encoding="utf-8") == "mine"
    assert beside(tmp_path) == []


def test_what_a_killed_run_left_goes_after_a_day(results: Results, tmp_path: Path) -> None:
    killed, running = (tmp_path / f".out.new.{name}" for name in ("killed", "running"))
    for path in (killed, running):
        path.mkdir()
        (path / "balance.csv").write_text("half", encoding="utf-8")
    os.utime(killed, (0, 0))
    results.write(tmp_path / "out")
    assert beside(tmp_path) == [running.name]


@pytest.mark.parametrize("moves_done", [1, 2])
def test_run_that_dies_between_two_moves_is_mended(
    results: Results, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moves_done: int
) -> None:
    folder = results.write(tmp_path / "out")
    (folder / "notes.txt").write_text("mine", encoding="utf-8")
    moved = Path.replace
    n_moves = 0

    def die_later(path: Path, target: Path) -> Path:
        nonlocal n_moves
        if n_moves == moves_done:
            raise KeyboardInterrupt
        n_moves += 1
        return moved(path, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", die_later)
        with pytest.raises(KeyboardInterrupt):
            results.write(folder)
    xr.testing.assert_identical(Results.read(folder).dataset, results.dataset)
    assert (folder / "notes.txt").read_text(encoding="utf-8") == "mine"
    results.write(folder)
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_replacing_keeps_the_users_files_and_drops_reports_of_the_former(
    results: Results, tmp_path: Path
) -> None:
    folder = results.write(tmp_path / "out")
    for name in ("notes.txt", "report.html"):
        (folder / name).write_text("former", encoding="utf-8")
    results.write(folder)
    assert (folder / "notes.txt").is_file()
    assert not (folder / "report.html").exists()


def test_folder_that_is_no_result_is_not_touched(results: Results, tmp_path: Path) -> None:
    folder = tmp_path / "documents"
    folder.mkdir()
    (folder / "thesis.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(InputError, match=r"documents: E109 is not empty and not a result"):
        results.write(folder)
    with pytest.raises(InputError, match="E109"):
        results.write(folder / "thesis.txt")
    assert (folder / "thesis.txt").read_text(encoding="utf-8") == "mine"
    assert [path.name for path in folder.iterdir()] == ["thesis.txt"]


@pytest.mark.parametrize(
    ("make", "code"),
    [
        (lambda folder: None, "E101"),
        (lambda folder: folder.mkdir(), "E109"),
        (lambda folder: folder.write_text("x", encoding="utf-8"), "E109"),
    ],
)
def test_reading_what_is_no_result(tmp_path: Path, make: Any, code: str) -> None:
    make(tmp_path / "out")
    with pytest.raises(InputError, match=rf"out: {code} .*run the case"):
        Results.read(tmp_path / "out")


def test_reading_a_damaged_result(results: Results, tmp_path: Path) -> None:
    folder = results.write(tmp_path / "out")
    (folder / store.DATASET).write_bytes(b"damaged")
    with pytest.raises(InputError, match="E108"):
        Results.read(folder)
