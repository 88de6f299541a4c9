"""Tables for people: sums, means over members and years, order and words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.basins import month_starts
from tests.goals.test_firm_energy import GWH_PER_HM3, lake
from tests.small import make_case
from wateralloc.errors import InputError
from wateralloc.foresight.perfect import solve_perfect
from wateralloc.report.tables import (
    allocation_summary,
    energy_summary,
    pivot,
    rules_summary,
)
from wateralloc.results import Results, collect

YEARS = 3
MONTH = np.diff(np.arange("2001-01", "2005-02", dtype="datetime64[M]").astype("datetime64[D]"))
DAYS = MONTH.astype(int)


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    """Two members of 24 months; the town asks 2 hm3 a day, and the river has 1 in odd years.

    The delta asks 1 hm3 a day of what passes the town and is served second.
    """
    n = 12 * YEARS
    wet = [3.0 if (k // 12) % 2 else 1.0 for k in range(n)]
    label = {"province": "upland"}
    case = make_case(
        tmp_path_factory.mktemp("report"),
        periods=24,
        goals=[{"meet": {"demands": ["town_farm"]}}, {"meet": {}}],
        rules=[{
            "rule": "minimum_delivery", "name": "to_sea", "at": "delta",
            "flow_m3s": 0.5 / 0.0864, "soft": {"goal": 3},
        }],
        more={
            "timeline": {"start": "2011-01-01", "periods": 24, "step": "month"},
            "hydrology": {"members": "all"},
        },
        yaml={
            "regions": {"south": {"en": "South", "vi": "Miền Nam"}, "north": {"vi": "Miền Bắc"}},
            "sectors": {"works": {"en": "Works", "vi": "Công nghiệp"}, "farm": {"en": "Farm"}},
        },
        nodes=[
            {"name": "town", "kind": "inflow"}, {"name": "delta", "kind": "junction"},
            {"name": "sea", "kind": "sink"},
        ],
        links=[
            {"name": "upper", "from": "town", "to": "delta", "kind": "reach"},
            {"name": "lower", "from": "delta", "to": "sea", "kind": "reach"},
        ],
        demands=[
            {"name": "town_farm", "node": "town", "region": "north", "sector": "farm",
             "demand_hm3_day": 2, **label},
            {"name": "delta_farm", "node": "delta", "region": "south", "sector": "farm",
             "demand_hm3_day": 1, "priority": 2, **label},
            {"name": "delta_works", "node": "delta", "region": "south", "sector": "works",
             "demand_hm3_day": 0, "priority": 2, **label},
        ],
        series={"inflow_hm3_day": {"date": month_starts("2001-01", n), "town": wet}},
    )  # fmt: skip
    return collect(solve_perfect(case))


# Member 2001 has the years (dry, wet), member 2002 (wet, dry): in every year one of two is dry.
# The timeline is 2011 (365 days) and 2012 (366 days).  On a dry day town and delta lack 1 each.
DRY, ALL = (365 + 366) / 2, 365 + 366


def test_mean_over_members_and_per_year(results: Results) -> None:
    table = pivot(results, ["region", "sector"], None, "deficit")
    assert table.attrs["unit"] == "hm3/year"
    assert table.index.names == ["Region", "Sector"]
    assert list(table.columns) == ["Deficit"]
    # in the order of the basin, not of the alphabet or the table of demands
    assert list(table.index) == [("South", "Works"), ("South", "Farm"), ("north", "Farm")]
    assert table["Deficit"].tolist() == pytest.approx([0, DRY / 2, DRY / 2], abs=1e-9)


def test_member_and_year_are_not_averaged(results: Results) -> None:
    table = pivot(results, ["member"], "year", "deficit")
    assert table.attrs["unit"] == "hm3"
    assert list(table.index) == ["2001-01", "2002-01"]
    assert list(table.columns) == [2011, 2012]
    assert table.to_numpy() == pytest.approx(np.array([[2 * 365, 0], [0, 2 * 366]]), abs=1e-9)


def test_month_is_a_mean_over_its_years(results: Results) -> None:
    table = pivot(results, ["sector"], "month", "demand", lang="vi")
    assert list(table.columns) == [f"Tháng {k}" for k in range(1, 13)]
    assert table.columns.name == "Tháng"
    assert table.index.name == "Ngành"
    assert list(table.index) == ["Công nghiệp", "Farm"]
    # 3 hm3 a day; February is the mean of 28 and 29 days
    assert table.loc["Farm", "Tháng 2"] == pytest.approx(3 * 28.5, abs=1e-9)
    assert table.loc["Farm", "Tháng 7"] == pytest.approx(3 * 31, abs=1e-9)
    assert table.attrs["unit"] == "triệu m³"
    assert pivot(results, ["sector"], "month", "demand").columns[:2].tolist() == ["Jan", "Feb"]


def test_satisfaction_is_a_ratio_of_sums(results: Results) -> None:
    table = pivot(results, ["region"], "sector", "satisfaction")
    town = 1 - (DRY / 2) / ALL  # lacks 1 of 2 in half the days
    assert table.loc["north", "Farm"] == pytest.approx(town, abs=1e-12)
    assert table.loc["South", "Farm"] == pytest.approx(1 - DRY / ALL, abs=1e-12)
    assert table.loc["South", "Works"] == 1.0  # nothing asked
    assert np.isnan(table.loc["north", "Works"])  # no such users
    whole = pivot(results, [], None, "satisfaction")
    assert whole.loc["Satisfaction", "Satisfaction"] == pytest.approx(
        1 - 2 * DRY / (3 * ALL), abs=1e-12
    )


def test_every_field_adds_up_to_the_whole(results: Results) -> None:
    total = float(results.dataset["withdrawal"].sum()) / 2
    for field in ("region", "province", "node", "demand", "sector", "priority"):
        table = pivot(results, [field], None, "withdrawal")
        assert table.to_numpy().sum() == pytest.approx(total / 2, rel=1e-12), field
    for field, share in (("year", 1), ("period", 1), ("month", 2), ("dekad", 2)):
        table = pivot(results, [], field, "withdrawal")
        assert table.to_numpy().sum() == pytest.approx(total / share, rel=1e-12), field
    assert pivot(results, ["member"], None, "withdrawal").to_numpy().sum() == pytest.approx(total)


def test_two_of_the_same_name_stay_two(results: Results) -> None:
    words = results.dataset["word_en"].copy()
    words[results.dataset["word_of"] == "demand"] = "Pump"
    dataset = results.dataset.assign_coords(word_en=words)
    table = pivot(Results(dataset, {}), ["sector"], "demand", "demand")
    assert list(table.columns) == ["Pump"] * 3
    assert np.nansum(table.to_numpy()) == pytest.approx(3 * ALL / 2, rel=1e-12)


def test_tables_read_from_disk_are_the_same(results: Results, tmp_path: Path) -> None:
    again = Results.read(results.write(tmp_path / "out"))
    for make in (pivot, allocation_summary, rules_summary):
        pd.testing.assert_frame_equal(make(again), make(results))


def test_allocation_summary(results: Results) -> None:
    table = allocation_summary(results)
    assert list(table.columns) == ["Demand", "Withdrawal", "Deficit", "Satisfaction"]
    assert list(table.index) == [
        ("South", "Works"), ("South", "Farm"), ("South", "Total"),
        ("north", "Farm"), ("north", "Total"), ("Total", "Total"),
    ]  # fmt: skip
    assert table["Demand"].tolist() == pytest.approx(
        [0, ALL / 2, ALL / 2, ALL, ALL, 3 * ALL / 2], abs=1e-9
    )
    assert table["Deficit"].tolist() == pytest.approx(
        [0, DRY / 2, DRY / 2, DRY / 2, DRY / 2, DRY], abs=1e-9
    )
    assert table["Satisfaction"].tolist() == pytest.approx(
        [1, 0.5, 0.5, 0.75, 0.75, 2 / 3], abs=1e-12
    )
    assert allocation_summary(results, "vi").columns.tolist() == [
        "Nhu cầu", "Lượng lấy", "Thiếu hụt", "Mức đáp ứng",
    ]  # fmt: skip
    assert allocation_summary(results, "vi").index[-1] == ("Tổng", "Tổng")


def test_rules_summary(results: Results) -> None:
    """The rule asks half a hm3 a day past the delta, where the users leave nothing."""
    (row,) = rules_summary(results).to_dict("records")
    assert (row["Kind"], row["Checked"], row["Kept"], row["Broken"]) == (
        "minimum_delivery",
        48,
        0,
        48,
    )
    assert row["Members with a breach"] == 2
    assert row["Worst shortfall"] == pytest.approx(0.5 / 0.0864, rel=1e-6)
    assert row["Unit"] == "m3s"
    assert rules_summary(results, "vi").index.name == "Quy tắc"


@pytest.mark.parametrize(
    ("asked", "text"),
    [
        ({"rows": ["regio"]}, "rows: E303 unknown word 'regio'; did you mean 'region'"),
        ({"columns": "months"}, "columns: E303 unknown word 'months'; did you mean 'month'"),
        ({"value": "price"}, "value: E303 unknown word 'price'; known: demand, withdrawal"),
        ({"lang": "fr"}, "lang: E303 unknown word 'fr'; known: en, vi"),
        ({"columns": "region"}, "rows: E303 'region' is named twice"),
    ],
)
def test_unknown_words(results: Results, asked: dict[str, Any], text: str) -> None:
    with pytest.raises(InputError) as error:
        pivot(results, **asked)
    assert text in str(error.value)


# --- energy -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def plants(tmp_path_factory: pytest.TempPathFactory) -> Results:
    """A lake that gives 4 hm3 a day to one plant, over three days of January."""
    return collect(solve_perfect(lake(tmp_path_factory.mktemp("plants"), {"window": "period"})))


def test_energy_goes_by_plant(plants: Results) -> None:
    table = pivot(plants, value="energy")
    assert table.index.name == "Plant"
    assert table.loc["mill", "Energy"] == pytest.approx(12 * GWH_PER_HM3)
    assert table.attrs["unit"] == "GWh"
    by_day = pivot(plants, ["plant"], "period", "energy", "vi")
    assert by_day.index.name == "Nhà máy"
    np.testing.assert_allclose(by_day.loc["mill"], [4 * GWH_PER_HM3] * 3)
    assert pivot(plants, value="energy_value").attrs["unit"] == "million VND"


def test_energy_summary(plants: Results, results: Results) -> None:
    """100 m of head; what has no plants has no summary."""
    table = energy_summary(plants)
    assert table.columns.tolist() == ["Energy", "Energy spilled", "Mean head, m"]
    assert table.loc["mill"].tolist() == pytest.approx([12 * GWH_PER_HM3, 0, 100])
    assert table.loc["Total", "Energy"] == pytest.approx(12 * GWH_PER_HM3)
    assert energy_summary(results).empty


def test_metrics_of_energy(plants: Results) -> None:
    table = plants.tables()["metrics"].set_index(["scope", "name", "metric"])["value"]
    assert table["plant", "mill", "energy_gwh"] == pytest.approx(12 * GWH_PER_HM3)
    assert table["basin", "all", "firm_power_mw"] == pytest.approx(4 * GWH_PER_HM3 / 24 * 1e3)


def test_fields_that_a_value_does_not_have(plants: Results, results: Results) -> None:
    with pytest.raises(InputError, match="energy does not go by 'sector'; it may go by member, pl"):
        pivot(plants, ["sector"], None, "energy")
    with pytest.raises(InputError, match="deficit does not go by 'plant'"):
        pivot(plants, ["plant"])
    with pytest.raises(InputError, match="the result has no plants and so no energy"):
        pivot(results, value="energy")
