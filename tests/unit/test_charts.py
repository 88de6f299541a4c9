"""Charts draw what tables and dataset say: each member, each season, in both languages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.reported import drawn, number, rows_of, solved, study
from wateralloc import to_pyomo
from wateralloc.errors import InputError
from wateralloc.report import tables
from wateralloc.report.charts import allocation, network, rivers, rules, sankey
from wateralloc.report.charts.labels import HEIGHT, LETTER, NEAR, place_labels
from wateralloc.report.charts.shortage import waterfall
from wateralloc.report.charts.style import compact
from wateralloc.report.charts.view import make_view
from wateralloc.results import Results

CHOICES = [(None, None), ("2001-01", None), ("2002-01", "dry"), (None, "wet")]
WET = (6, 7, 8, 9, 10)
YEARS = 2
"""Of the horizon, of which one is a leap year."""
UNITS = ("_hm3", "_gwh")
FIGURES = 6e-4
"""Relative difference of a number of four figures."""


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    return solved(tmp_path_factory.mktemp("charts"))


@pytest.fixture(scope="module")
def table(results: Results) -> dict[str, pd.DataFrame]:
    """Tables as they are written, with the month and the season of each period."""
    tables = results.tables()
    for rows in tables.values():
        if "period_start" in rows:
            start = pd.to_datetime(rows["period_start"])
            rows["month"] = start.dt.strftime("%b")
            rows["season"] = np.where(start.dt.month.isin(WET), "wet", "dry")
    return tables


def chosen(rows: pd.DataFrame, member: str | None, season: str | None) -> pd.DataFrame:
    """Rows of a member and a season; their amounts add up to a mean over members and years."""
    rows = rows[rows["season"] == season] if season else rows
    picked = rows[rows["member"] == member] if member else rows
    share = 1.0 if member else 1.0 / rows["member"].nunique()
    numbers = {c: picked[c] * share / YEARS for c in picked if str(c).endswith(UNITS)}
    return picked.assign(**numbers)


# --- who got how much ------------------------------------------------------------------------


@pytest.mark.parametrize(("member", "season"), CHOICES)
def test_heat_map(
    results: Results, table: dict[str, pd.DataFrame], member: str | None, season: str | None
) -> None:
    said = drawn(allocation.heat_map(make_view(results, "en", member, season)))
    rows = chosen(table["allocation"], member, season)
    names = {"ha_noi": "Ha Noi", "ha_giang": "Ha Giang"}
    sums = rows.groupby(["province", "month"])[["demand_hm3", "deficit_hm3"]].sum()
    assert len(sums) == 2 * (12 if season is None else 5 if season == "wet" else 7)
    for (province, month), of in sums.iterrows():
        share = number(said.pop(f"{names[province]}, {month}"))
        expected = 1 - of["deficit_hm3"] / of["demand_hm3"]
        assert share == pytest.approx(expected, abs=0.0006), (province, month)
    assert not [name for name in said if name.startswith("Ha ")]


def test_heat_map_in_vietnamese(results: Results, table: dict[str, pd.DataFrame]) -> None:
    said = drawn(allocation.heat_map(make_view(results, "vi", "2001-01")))
    # 60 hm3 are asked in each of two Aprils, and the table says what is lacking
    sums = chosen(table["allocation"], "2001-01", None).query("province == 'ha_giang'")
    april = sums[sums["month"] == "Apr"]
    share = 1 - april["deficit_hm3"].sum() / april["demand_hm3"].sum()
    assert said["Hà Giang, th. 4"] == f"{100 * share:.1f}%".replace(".", ",")
    assert "Mức đáp ứng nhu cầu, %, theo tỉnh và tháng" in next(t for t in said if "Title" in t)


@pytest.mark.parametrize("season", [None, "dry", "wet"])
def test_deficits_of_members(
    results: Results, table: dict[str, pd.DataFrame], season: str | None
) -> None:
    said = drawn(allocation.member_deficits(make_view(results, season=season)))
    for member in ("2001-01", "2002-01"):
        sums = chosen(table["allocation"], member, season).groupby("region")["deficit_hm3"].sum()
        for region, label in (("hills", "Hills"), ("delta", "Delta")):
            found = number(said[f"{member}, {label}"])
            assert found == pytest.approx(sums[region], rel=FIGURES), (member, region)


@pytest.mark.parametrize("member", [None, "2002-01"])
def test_energy(results: Results, table: dict[str, pd.DataFrame], member: str | None) -> None:
    said = drawn(allocation.energy(make_view(results, member=member)))
    sums = chosen(table["energy"], member, None).groupby("month")["energy_gwh"].sum()
    assert len(sums) == 12
    for month, energy in sums.items():
        assert number(said[f"Power house, {month}"]) == pytest.approx(energy, rel=FIGURES)


def test_months_start_with_the_water_year(results: Results) -> None:
    june = results.dataset.assign_attrs(water_year_start=6)
    months, places = allocation.month_places(make_view(Results(june, results.manifest)))
    assert months == [6, 7, 8, 9, 10, 11, 12, 1, 2, 3, 4, 5]
    assert places[:6].tolist() == [7, 8, 9, 10, 11, 0]


# --- the network -----------------------------------------------------------------------------


@pytest.mark.parametrize("draw", [network.basin_map, network.schematic])
@pytest.mark.parametrize(("member", "season"), CHOICES)
def test_flows_and_satisfaction(
    results: Results,
    table: dict[str, pd.DataFrame],
    draw: Any,
    member: str | None,
    season: str | None,
) -> None:
    said = drawn(draw(make_view(results, "en", member, season)))
    links = chosen(table["links"], member, season)
    days = results.dataset["days"].values
    is_wet = np.isin(results.dataset["time"].dt.month, WET)
    length = days[is_wet == (season == "wet")].sum() if season else days.sum()
    flows = links.groupby("link")["flow_in_hm3"].sum() * YEARS / (length * 0.0864)
    for link, flow in flows.items():
        if link != "sea_outflow" and f"{link}" in said:
            assert number(said[link]) == pytest.approx(flow, rel=6e-3), link
    assert {"upper", "outlet", "weir", "brook", "lower"} <= set(said)
    users = chosen(table["allocation"], member, season)
    sums = users.groupby("node")[["demand_hm3", "deficit_hm3"]].sum()
    for node, label in (("head", "Head"), ("fork", "Fork")):
        expected = 1 - sums.loc[node, "deficit_hm3"] / sums.loc[node, "demand_hm3"]
        assert number(said[label]) == pytest.approx(expected, abs=0.00051), node


def test_schematic_flows_from_left_to_right(results: Results) -> None:
    places = network.schematic_places(make_view(results))
    x = {node: place[0] for node, place in places.items()}
    assert x["head"] < x["lake"] < x["fork"] < x["sea"]
    assert x["hill"] == x["lake"]
    assert len(set(places.values())) == len(places)


def test_map_has_the_outlines_of_the_result(results: Results) -> None:
    assert network.has_map(make_view(results))
    dataset = results.dataset.assign(
        outline_lon=("outline_point", [104.0, 105.0, 106.0, 107.0, 107.5]),
        outline_lat=("outline_point", [20.0, 21.0, 22.0, 20.0, 20.5]),
        outline_line=("outline_point", [0, 0, 0, 1, 1]),
        outline_kind=("outline", ["coast", "border"]),
    )
    chart = network.basin_map(make_view(Results(dataset, results.manifest)))
    lines = [row for row in rows_of(chart) if "l" in row and isinstance(row["x"], list)]
    assert [row["y"] for row in lines] == [[20.0, 21.0, 22.0], [20.0, 20.5]]
    shrink = np.cos(np.deg2rad(dataset["lat"].values.mean()))
    assert lines[0]["x"] == pytest.approx([104 * shrink, 105 * shrink, 106 * shrink], abs=1e-3)


@pytest.mark.parametrize(("member", "season"), CHOICES)
def test_sankey_adds_up(
    results: Results, table: dict[str, pd.DataFrame], member: str | None, season: str | None
) -> None:
    view = make_view(results, "en", member, season)
    said = {name.split("  ")[0]: name.split("  ")[1] for name in drawn(sankey.sankey(view))
            if "  " in name}  # fmt: skip
    balance = chosen(table["balance"], member, season)
    inflow = balance.groupby("node")["inflow_hm3"].sum()
    assert number(said["Upper river"]) == pytest.approx(inflow["head"], rel=FIGURES)
    assert number(said["Lower river"]) == pytest.approx(inflow["hill"], rel=FIGURES)
    users = chosen(table["allocation"], member, season)
    consumed = users.groupby("sector")["consumption_hm3"].sum()
    for sector, label in (("domestic", "Domestic"), ("irrigation", "Irrigation")):
        assert number(said[label]) == pytest.approx(consumed[sector], rel=FIGURES)


# --- reservoirs and rivers -------------------------------------------------------------------


def test_reservoir_shows_members_limits_and_rules(results: Results) -> None:
    view = make_view(results)
    assert rivers.reservoirs_drawn(view) == ["lake"]
    rows = rows_of(rivers.reservoir(view, "lake"))
    dataset = results.dataset
    storage = dataset["storage_end"].sel(reservoir="lake").values
    fan = next(row for row in rows if "q0" in row)
    assert fan["q2"] == compact([60, *np.median(storage, axis=0)])
    assert fan["q0"] == compact([60, *storage.min(axis=0)])
    assert fan["q4"] == compact([60, *storage.max(axis=0)])
    members = {row["m"]: row["v"] for row in rows if "m" in row}
    assert members == {k + 1: compact([60, *of]) for k, of in enumerate(storage)}
    months = dataset["time"].dt.month.values
    flood = [120 if month in (7, 8) else 200 for month in months]
    dead = [10] * 23 + [40]
    asked = [50 if month in (10, 11) else None for month in months]
    limits = [row["v"][1:] for row in rows if set(row) == {"v"}]
    assert limits == [flood, dead, asked]


def test_flow_shows_what_rules_ask(results: Results) -> None:
    view = make_view(results)
    assert rivers.nodes_drawn(view) == ["fork"]
    rows = rows_of(rivers.flow(view, "fork"))
    flow = results.dataset["river_flow"].sel(node="fork").values / (
        results.dataset["days"].values * 0.0864
    )
    members = {row["m"]: row["v"] for row in rows if "m" in row}
    assert members[2] == compact([*flow[1], flow[1, -1]])
    limits = [row["v"] for row in rows if set(row) == {"v"}]
    assert limits[0] == compact([2.5 / 0.0864] * 25)
    february = [25.0 if month == 2 else None for month in results.dataset["time"].dt.month.values]
    assert limits[1] == compact([np.nan if v is None else v for v in [*february, None]])


def test_level_is_that_of_the_rating(results: Results) -> None:
    """50 m3/s are 1 m, 400 are 3: the delivery of 28.94 m3/s stands at 0.5787 m."""
    view = make_view(results)
    assert rivers.ratings_drawn(view) == ["fork_level"]
    rows = rows_of(rivers.level(view, "fork_level"))
    flow = rivers.flow_of(view, "fork")
    curve = np.interp(flow, [0, 50, 400], [0, 1, 3])
    members = {row["m"]: row["v"] for row in rows if "m" in row}
    assert members[1] == pytest.approx([*curve[0], curve[0, -1]], rel=FIGURES)
    delta, gates = (row["v"] for row in rows if set(row) == {"v"})
    assert delta == pytest.approx([0.5787] * 25, rel=1e-3)
    assert [v for v in gates if v is not None] == pytest.approx([0.5, 0.5], rel=1e-3)


@pytest.mark.parametrize("season", [None, "dry"])
def test_duration_curves(results: Results, season: str | None) -> None:
    view = make_view(results, "en", "2001-01", season)
    said = drawn(rivers.duration(view, "fork"))
    flow = rivers.flow_of(view, "fork")[:, view.season_masks[view.season]]
    title = "share of time with at least this flow"
    for share in (0, 50, 90):
        label = f"{title}: {share}%; m³/s: "
        found = next(name for name in said if name.startswith(label) and "all members" in name)
        expected = np.quantile(flow, 1 - share / 100)
        assert number(found.removeprefix(label).split(";")[0]) == pytest.approx(expected, rel=6e-3)
    one = [name for name in said if "chosen member, m³/s" in name]
    assert len(one) == flow.shape[1]
    largest = next(name for name in one if name.startswith(f"{title}: {100 / (len(one) + 1):.0f}%"))
    assert number(largest.split("m³/s: ")[1].split(";")[0]) == pytest.approx(
        flow[0].max(), rel=6e-3
    )


def test_axis_of_flows_has_round_numbers() -> None:
    for low, high, ticks in (
        (3.0, 80.0, [5.0, 10.0, 20.0, 50.0]),
        (0.2, 4000.0, [1.0, 10.0, 100.0, 1000.0]),
        (6.0, 6.0, None),
    ):
        axis = rivers._flow_axis(low, high)
        assert axis["scale"].type == "log"
        values = axis["axis"].to_dict().get("values")
        assert values == (None if ticks is None else pytest.approx(ticks))
    assert rivers._flow_axis(0.0, 5.0)["scale"].domain == [0, 5.0]
    assert rivers._flow_axis(0.0, 0.0)["scale"].domain == [0, 1.0]


# --- rules -----------------------------------------------------------------------------------


@pytest.mark.parametrize("member", [None, "2001-01", "2002-01"])
def test_rules(results: Results, table: dict[str, pd.DataFrame], member: str | None) -> None:
    said = drawn(rules.rules(make_view(results, member=member)))
    dataset = results.dataset
    broken = ~dataset["kept"].values
    broken = broken if member is None else broken[[list(dataset["member"].values).index(member)]]
    starts = dataset["rule_start"].values.astype("datetime64[D]").astype(str)
    assert broken.any()
    for name, start, share in zip(dataset["rule"].values, starts, broken.mean(axis=0), strict=True):
        assert number(said[f"{name}, {start}"]) == pytest.approx(share), (name, start)


def test_many_windows_are_drawn_by_month_or_year() -> None:
    days = np.datetime64("2001-01-01") + np.arange(150)
    assert len(rules._groups(days)) == 150
    months = rules._groups(np.datetime64("2001-01-01") + np.arange(151))
    assert [group.size for group in months] == [31, 28, 31, 30, 31]
    years = rules._groups(np.datetime64("2001-01-01") + np.arange(0, 365 * 14, 10))
    assert len(years) == 14


def test_waterfall_goes_down_to_what_is_given() -> None:
    chart = waterfall("Why", "hm³", ["asked", "law", "water", "given"], [30, 50], 100, 20)
    bars = [(row["n"], row["a"], row["z"], row["v"]) for row in rows_of(chart)]
    assert bars == [
        ("asked", 0, 100, 100), ("law", 70, 100, 30), ("water", 20, 70, 50), ("given", 0, 20, 20),
    ]  # fmt: skip
    assert "hm³" in chart.description


# --- what results say of the basin -----------------------------------------------------------


def test_limits_are_those_of_the_model(tmp_path: Path, results: Results) -> None:
    model = to_pyomo(study(tmp_path))
    for name, bound in (("storage_least", "lb"), ("storage_most", "ub")):
        bounds = [
            [getattr(model.storage_end["lake", member, t], bound) for t in range(24)]
            for member in model.member
        ]
        np.testing.assert_allclose(results.dataset[name].values[:, :, 0], bounds)
    assert results.dataset["reservoir_with_limit"].values.tolist() == ["lake"]


def test_rating_of_the_riverbed_is_told(results: Results) -> None:
    assert results.dataset["rating_is_current"].values.tolist() == [1]
    assert results.dataset["rating_node"].values.tolist() == ["fork"]


def test_a_result_of_an_earlier_version_is_refused(results: Results) -> None:
    old = Results(results.dataset.drop_vars(["storage_least", "lon"]), results.manifest)
    with pytest.raises(InputError, match="has no storage_least, lon: it is of an earlier"):
        make_view(old)


@pytest.mark.parametrize(
    ("choice", "text"),
    [
        (("fr",), "no lang is called 'fr'; known: en, vi"),
        (("en", "2001-02"), "no member is called '2001-02'; did you mean '2001-01'?"),
        (("en", None, "wett"), "no season is called 'wett'; did you mean 'wet'?"),
    ],
)
def test_an_unknown_choice_is_refused(results: Results, choice: Any, text: str) -> None:
    with pytest.raises(InputError, match=text.replace("?", r"\?")):
        make_view(results, *choice)


# --- labels and numbers ----------------------------------------------------------------------


@given(
    st.lists(
        st.tuples(st.floats(0, 500), st.floats(0, 300), st.sampled_from(["", "Hà Nội", "Y" * 30])),
        min_size=1, max_size=25,
    )
)  # fmt: skip
@settings(max_examples=60)
def test_labels_never_overlap(points: list[tuple[float, float, str]]) -> None:
    at = np.array([point[:2] for point in points])
    texts = [point[2] for point in points]
    sides = place_labels(at, texts, (500.0, 300.0))
    boxes = []
    for (x, y), text, side in zip(at, texts, sides, strict=True):
        assert side is None or text
        if side:
            wide = LETTER * len(text)
            dx = {"right": NEAR + 1, "left": -NEAR - 1 - wide}.get(side, -wide / 2)
            dy = {"above": -NEAR - 1 - HEIGHT, "below": NEAR + 1}.get(side, -HEIGHT / 2)
            boxes.append((x + dx, y + dy, x + dx + wide, y + dy + HEIGHT, (x, y)))
    for k, (left, top, right, bottom, own) in enumerate(boxes):
        assert min(left, top) >= 0
        assert right <= 500
        assert bottom <= 300
        for x, y in at.tolist():
            inside = left < x + NEAR and x - NEAR < right and top < y + NEAR and y - NEAR < bottom
            assert (x, y) == own or not inside
        for other in boxes[k + 1 :]:
            apart = right <= other[0] or other[2] <= left or bottom <= other[1] or other[3] <= top
            assert apart


@given(st.floats(-1e9, 1e9), st.integers(2, 6))
def test_compact_keeps_the_figures(value: float, figures: int) -> None:
    found = compact(value, figures)
    assert abs(found - value) <= max(0.5001 * 10.0 ** (1 - figures) * abs(value), 1e-9)
    assert len(str(found).lstrip("-0.").replace(".", "").rstrip("0").split("e")[0]) <= max(
        figures, len(f"{abs(value):.0f}") if isinstance(found, int) else 0
    )


def test_compact_is_plain_json() -> None:
    assert compact([[1.0, np.nan], [0.12345, -0.0]]) == [[1, None], [0.1234, 0]]
    assert isinstance(compact(np.float64(3.0)), int)


def test_months_of_part_of_a_year_are_means_over_the_years_that_have_them(
    results: Results,
) -> None:
    """Of 18 months six come twice: they are as in the table, not two thirds of their sum."""
    part = Results(results.dataset.isel(time=slice(18)), results.manifest)
    view = make_view(part)
    found = allocation.by_month(view, part.dataset["demand_volume"].values)[0].sum(axis=-1)
    months, _ = allocation.month_places(view)
    table = tables.pivot(part, ["month"], None, "demand").iloc[:, 0]
    named = {tables.MONTHS[month - 1]: volume for month, volume in zip(months, found, strict=True)}
    assert named == pytest.approx(dict(table))
