"""The page that lays results beside the record: its builder, and that it is in step."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import wateralloc
from docs.validation import compare, page, reduced
from docs.validation.recorded import DATA, HERE, digest_of_inputs, recorded

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def dry_year() -> xr.Dataset:
    """The driest year of the record, in one pass."""
    changes = {
        "hydrology": "{record: historic, years: [2004-06]}",
        "linearisation": "fixed",
        "riverbed": "2020",
    }
    return wateralloc.run(ROOT / "cases" / "pilot_riverbed.yaml", changes=changes).dataset


@pytest.fixture(scope="module")
def first_dekads(tmp_path_factory: pytest.TempPathFactory) -> xr.Dataset:
    """The first six periods of the held-aside years."""
    case = reduced.write_case(tmp_path_factory.mktemp("reduced"), 2010, periods=6)
    return wateralloc.run(case).dataset


def test_page_is_in_step_with_its_inputs():
    text = page.PAGE.read_text(encoding="utf-8")
    assert f"inputs `{digest_of_inputs()}`" in text, "docs/validation/red_river.md: make validation"
    assert "$" not in text
    for figure in re.findall(r"\]\((\w+\.svg)\)", text):
        assert (HERE / figure).is_file()


def test_page_shows_what_is_recorded():
    text = page.PAGE.read_text(encoding="utf-8")
    for row in recorded("energy").itertuples():
        assert f"| {row.stated_gwh:,.0f} | {row.status} | {row.note} |" in text
    for epoch, row in compare.flow_for_level().iterrows():
        cells = (f"{row['son_tay', what]:,.0f}" for what in ("recorded", "modelled"))
        assert f"| {page._dash(str(epoch))} | {' | '.join(cells)} |" in text
    assert {path.stem for path in DATA.glob("*.csv")} == set(_tables_read())


def _tables_read() -> set[str]:
    code = "".join(path.read_text(encoding="utf-8") for path in HERE.glob("*.py"))
    return set(re.findall(r'recorded\("(\w+)"\)', code))


def test_template_and_words_fit():
    with pytest.raises(ValueError, match=r"no place for \['spare'\]"):
        page.fill({"spare": "word"})
    with pytest.raises(KeyError):
        page.fill({})


def test_flow_below_the_gauges_is_theirs_after_the_travel_time(first_dekads):
    """Three gauges above Son Tay, ten-day periods, no users.

    A link of L hours hands on 1 - L/240 of what enters it in a period of ten days, and L/240 of
    what entered in the period before; before the first it was the flow under way.
    """
    links = compare.basin().tables["links"]
    gauges = recorded("regulated_dekads")[list(reduced.GAUGES.values())]
    da, thao, lo = gauges.to_numpy()[:5].T

    def after(flow: np.ndarray, link: str) -> np.ndarray:
        late = links.at[link, "lag"] / 240
        before = np.append(links.at[link, "initial"], flow[:-1])
        return (1 - late) * flow + late * before

    thao = after(after(thao, "yen_bai_to_phu_tho"), "phu_tho_to_trung_ha")
    at_trung_ha = after(da, "hoa_binh_city_to_trung_ha") + thao
    at_viet_tri = after(at_trung_ha, "trung_ha_to_viet_tri") + after(lo, "vu_quang_to_viet_tri")
    expected = after(at_viet_tri, "viet_tri_to_son_tay")
    volume = first_dekads["river_flow"].sel(node="son_tay").isel(member=0).values[:5]
    assert volume / (10 * 0.0864) == pytest.approx(expected)


def test_held_aside_years_are_laid_side_by_side(first_dekads):
    later = first_dekads.assign_coords(time=first_dekads["time"] + np.timedelta64(8 * 366, "D"))
    table = compare.held_aside({2010: first_dekads, 2018: later})
    assert len(table) == 12
    early = table[table.index.year == 2010]
    record = recorded("regulated_dekads")
    assert early["son_tay", "recorded"].to_numpy() == pytest.approx(record["son_tay_m3s"][:6])
    assert early["ha_noi", "modelled"].lt(early["son_tay", "modelled"]).all()
    assert early["level", "modelled"].between(1, 5).all()
    scores = compare.scores(
        early["son_tay", "recorded"], early["son_tay", "recorded"], early["days", ""]
    )
    assert scores["closure"] == scores["rmse"] == 0
    assert scores["nse"] == 1


def test_energy_has_every_plant_once_and_hoa_binh_with_son_la(dry_year):
    table = compare.energy(dry_year)
    assert list(table.index) == [
        "lai_chau", "ban_chat", "huoi_quang", "son_la", "hoa_binh", "hoa_binh_with_son_la",
        "thac_ba", "tuyen_quang",
    ]  # fmt: skip
    assert table["mean"].between(0.5 * table["stated_gwh"], 1.3 * table["stated_gwh"]).all()
    at_record, by_plant = compare.plant_at_the_record()
    assert by_plant == pytest.approx(at_record, rel=0.01)
    years = compare.hoa_binh_years(dry_year)
    assert list(years.index) == [2004]
    assert years["turbine_m3s"].item() <= years["release_m3s"].item()


def test_flows_by_month_keep_the_volume(dry_year):
    table = compare.monthly_flows(dry_year)
    model = table.xs("model", level=1)
    days = dry_year["days"].groupby("time.month").sum().values
    year = (model[list(compare.MONTHS)] * days).sum(axis=1) / 365
    assert year.to_numpy() == pytest.approx(model["year"].to_numpy())
    assert table["dry"].between(0.2, 0.6).all()


def test_water_in_store_and_on_its_way_out(dry_year):
    stored = compare.stored_water({"run": dry_year})
    assert list(stored.index) == ["01-01", "03-01", "04-01"]
    assert stored["run", "mean"].between(12, 28).all()
    volumes = compare.season_volumes({"run": dry_year})["mean"]
    assert volumes["hoa_binh", "run"] < volumes["three reservoirs", "run"] < 10
    assert ("three reservoirs", "recorded") not in volumes.index


def test_share_of_the_duong_is_that_of_its_epoch(dry_year):
    row = compare.duong_shares({"2018-2022": dry_year}).loc["2018-2022"]
    assert row["year", "fork"] == pytest.approx(row["year", "recorded"], abs=0.01)
    assert row["year", "gauges"] > row["year", "fork"]


def test_a_river_bed_costs_nothing_beside_itself(dry_year):
    table = compare.riverbeds({"2005-09": dry_year, "2018-22": dry_year})
    assert (table.xs("difference", level=1, axis=1) == 0).all(axis=None)
    assert list(dict.fromkeys(table.columns.get_level_values(0))) == ["mean", "2004-06"]
    rule = table.loc["level rule", ("mean", "2018-22")]
    # 19 days of the spells in three dekads of February and two beside, at the flow of the rating
    need = compare.flow_for_level().loc["2018-2022", ("son_tay", "modelled")]
    assert rule["asked, hm³"] == pytest.approx(19 * need * 0.0864)
    assert rule["periods kept"] <= 5


def test_numbers_are_written_as_the_page_has_them():
    assert page._percent(-0.0234) == "−2.3 %"
    assert page._away(-0.0234) == "2.3 % below"
    assert page._signed(-0.04, 1) == "0"
    assert page._range(22.1, 22.6) == "22.1–22.6"
    assert page._list(["a", "b", "c"]) == "a, b and c"
    assert page._member("1999-06") == "1999–00"
    assert page._day("04-01") == "1 April"
