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
    tabulate,
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
            {"name": "town", "kind": "inflow", "sub_basin": "upper"},
            {"name": "delta", "kind": "junction"},
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


# --- totals, statistics, seasons ----------------------------------------------------------------


def test_totals_follow_what_they_sum(results: Results) -> None:
    table = pivot(results, ["region", "sector"], "month", "demand", totals=True)
    assert list(table.index) == [
        ("South", "Works"), ("South", "Farm"), ("South", "Total"),
        ("north", "Farm"), ("north", "Total"), ("Total", ""),
    ]  # fmt: skip
    assert table.columns[-1] == "Total"
    assert table.loc[("South", "Total"), "Feb"] == pytest.approx(28.5)
    assert table.loc[("Total", ""), "Feb"] == pytest.approx(3 * 28.5)
    assert table.loc[("north", "Total"), "Total"] == pytest.approx(ALL)
    assert table.loc[("Total", ""), "Total"] == pytest.approx(3 * ALL / 2)


def test_total_of_three_fields_has_one_line_for_each_outer_one(results: Results) -> None:
    table = pivot(results, ["province", "region", "sector"], None, "demand", totals=True)
    # all users are of one province, so its total is that of all, and stands once
    assert [key for key in table.index if "Total" in key] == [
        ("upland", "South", "Total"), ("upland", "north", "Total"), ("upland", "Total", ""),
    ]  # fmt: skip
    assert table.iloc[-1, 0] == pytest.approx(3 * ALL / 2)


def test_total_of_satisfaction_is_the_ratio_of_summed_volumes(results: Results) -> None:
    found = tabulate(results, ["region"], "sector", "satisfaction")
    table = found.frame
    assert table.index[-1] == table.columns[-1] == "Overall"
    assert table.loc["Overall", "Overall"] == pytest.approx(1 - 2 * DRY / (3 * ALL), abs=1e-12)
    assert table.loc["South", "Overall"] == pytest.approx(0.5, abs=1e-12)
    assert np.isnan(table.loc["north", "Works"])
    assert not found.adds_up
    assert found.heading == "Satisfaction, mean over members [%]"


def test_members_have_no_total(results: Results) -> None:
    by_member = pivot(results, ["region"], "member", "deficit", totals=True)
    assert list(by_member.columns) == ["2001-01", "2002-01"]
    assert list(by_member.index) == ["South", "north", "Total"]
    nested = pivot(results, ["member", "region"], None, "deficit", totals=True)
    assert [key[1] for key in nested.index] == ["South", "north", "Total"] * 2
    inner = pivot(results, ["region", "member"], None, "deficit", totals=True)
    assert "Total" not in inner.index.get_level_values(0).union(inner.index.get_level_values(1))


def test_one_line_has_no_total(results: Results) -> None:
    assert list(pivot(results, ["province"], None, "deficit", totals=True).index) == ["upland"]
    assert pivot(results, [], None, "deficit", totals=True).shape == (1, 1)
    assert pivot(results, [], "sector", "deficit", totals=True).columns.tolist() == [
        "Works", "Farm", "Total",
    ]  # fmt: skip


def test_statistics_are_of_totals_not_sums(results: Results) -> None:
    """One member lacks 730 in the first year, the other 732 in the second."""
    for stat, first, second, both in (
        ("min", 0, 0, 730), ("max", 730, 732, 732), ("median", 365, 366, 731),
        ("q25", 182.5, 183, 730.5), ("mean", 365, 366, 731),
    ):  # fmt: skip
        found = tabulate(results, ["province"], "year", "deficit", stat=stat)
        assert found.frame.to_numpy().ravel() == pytest.approx([first, second, both], abs=1e-9)
        assert found.adds_up == (stat == "mean")
        assert len(found.notes) == (stat != "mean")
    assert found.frame.columns[-1] == "Total"
    found = tabulate(results, ["province"], "year", "deficit", "vi", stat="q25")
    assert found.frame.columns[-1] == "Phân vị 25 % của tổng"
    assert found.title == "Thiếu hụt, phân vị 25 % của các kịch bản thủy văn"
    assert tabulate(results, stat="max").title == "Deficit, largest of the members"


def test_statistic_of_satisfaction_is_that_of_members(results: Results) -> None:
    table = pivot(results, [], "year", "satisfaction", stat="min")
    # in its dry year a member lacks 2 of 3
    assert table.to_numpy().ravel() == pytest.approx([1 / 3, 1 / 3], abs=1e-9)


def test_seasons_are_halves_of_the_year(results: Results) -> None:
    found = tabulate(results, ["sector"], "season", "demand")
    assert list(found.frame.columns) == ["Dry season (Nov-May)", "Wet season (Jun-Oct)", "Total"]
    assert found.frame.loc["Farm"].tolist() == pytest.approx([3 * 212.5, 3 * 153, 3 * 365.5])
    assert found.notes == ("Each number is the mean of a year's season, over the years that have "
                           "it.",)  # fmt: skip
    by_year = pivot(results, ["season"], "year", "demand", "vi")
    assert list(by_year.index) == ["Mùa kiệt (tháng 11-5)", "Mùa lũ (tháng 6-10)"]
    assert by_year.iloc[0].tolist() == pytest.approx([3 * 212, 3 * 213])


def test_sub_basin_is_that_of_the_node(results: Results) -> None:
    table = pivot(results, ["sub_basin"], None, "demand", "vi")
    assert table.index.name == "Tiểu lưu vực"
    assert table["Nhu cầu"].to_dict() == pytest.approx({"upper": ALL, "(không)": ALL / 2})


def test_printed_numbers_add_up(results: Results) -> None:
    third = results.dataset.assign(demand_volume=results.dataset["demand_volume"] / 3)
    found = tabulate(Results(third, {}), ["region", "sector"], "month", "demand")
    units = np.rint(found.printed.to_numpy() * 10**found.decimals)
    for i, parts in enumerate(found.row_parts):
        np.testing.assert_array_equal(units[i], np.nansum(units[list(parts)], axis=0))
    for j, parts in enumerate(found.column_parts):
        np.testing.assert_array_equal(units[:, j], np.nansum(units[:, list(parts)], axis=1))
    assert np.abs(found.printed - found.frame).max(axis=None) < 10.0**-found.decimals
    plain = np.round(found.frame.to_numpy(), found.decimals)
    assert plain[1, :-1].sum() != pytest.approx(plain[1, -1], abs=0.001)  # by itself each does not


def test_result_without_users_has_an_empty_table(results: Results) -> None:
    empty = Results(results.dataset.isel(demand=slice(0, 0)), {})
    assert tabulate(empty, ["region", "sector"], "month").printed.shape == (0, 0)
    assert tabulate(empty, ["region"], None, "satisfaction", stat="max").printed.shape == (0, 1)
    assert tabulate(empty, [], None).printed.iloc[0, 0] == 0.0


def test_statistics_that_are_none(results: Results) -> None:
    for stat, text in (
        ("mdian", "stat: E390 unknown statistic of members 'mdian'; did you mean 'median'?"),
        ("q101", "E390 unknown statistic of members 'q101'; use mean, min, max, median, or q0 to"),
    ):
        with pytest.raises(InputError) as error:
            pivot(results, stat=stat)
        assert text in str(error.value)
    with pytest.raises(InputError, match="E390 a table by member has no max over members; leave"):
        pivot(results, ["region"], "member", stat="max")


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
