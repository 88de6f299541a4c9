"""The daily operation of the Red River: what the case asks, and some days of it."""

import re
from pathlib import Path

import numpy as np
import pytest

import wateralloc
from docs import daily
from wateralloc import read_case
from wateralloc.parts.reservoir import curve_of

CASE = Path(__file__).parents[2] / "cases" / "daily" / "daily_operation.yaml"
DAYS = 8


@pytest.fixture(scope="module")
def case():
    return read_case(CASE)


@pytest.fixture(scope="module")
def june():
    """The first days: the lakes come down to their curves, and the season turns on 15 June."""
    return wateralloc.run(CASE, changes={"timeline.start": "1990-06-11",
                                         "timeline.periods": str(DAYS)}).dataset  # fmt: skip


def test_it_is_twenty_years_of_days_without_a_forecast(case):
    assert case.foresight.mode == "simulate"
    assert (case.timeline.step, case.n_periods) == ("day", 7305)
    assert str(case.timeline.last_days[-1]) == "2010-05-31"
    assert case.n_members == 1
    assert case.riverbed == 2020


def test_water_travels_hours(case):
    lag = case.basin.values("links", "lag")
    to_son_tay = ("hoa_binh_city_to_trung_ha", "trung_ha_to_viet_tri", "viet_tri_to_son_tay")
    assert [lag[link] for link in to_son_tay] == [12, 2, 4]


def test_no_rule_is_hard(case):
    assert all(rule.soft is not None for rule in case.rules)


def test_every_reservoir_has_its_curve_and_no_end_that_binds(case):
    table = case.basin.tables["reservoirs"]
    (goal,) = [goal for goal in case.goals if goal.kind == "end_storage"]
    assert set(goal.names(case.basin)) == set(table.index)
    assert (table["target"] == table["dead"]).all()


def test_curves_stay_within_the_limits_of_the_basin(case):
    (goal,) = [goal for goal in case.goals if goal.kind == "end_storage"]
    limits = case.attribute("reservoirs", "flood_limit", at_end=True)
    for name, curve in {**goal.target_hm3, **goal.target_m}.items():
        storage = curve.at_end(case.timeline, case.basin.patterns)
        assert curve.active_at_end(case.timeline).all(), name
        if name in goal.target_m:
            storage = curve_of(case.basin, name).storage(storage)
        if name in limits:
            assert (storage <= limits[name][0] + 0.1).all(), name


def test_some_days_of_june(june, case):
    """No water is lost; the lakes keep their flood limits from the 15th, and users are served."""
    assert abs(june["residual"]).max() < 1e-6
    limits = case.attribute("reservoirs", "flood_limit", at_end=True)
    first = int(np.argmax(case.timeline.starts == june["time"].values[0].astype("datetime64[D]")))
    for name, limit in limits.items():
        storage = june["storage_end"].sel(reservoir=name).values[0]
        assert (storage <= limit[0, first : first + DAYS] + 1e-6).all()
    assert float(june["deficit"].sum()) < 1e-3 * float(june["demand_volume"].sum())
    assert (june["kept"].values).all()


def test_water_released_today_reaches_son_tay_today_and_tomorrow(june):
    """12, 2 and 4 hours below Hoa Binh: a day's water stands on three links at its end."""
    assert (june["in_transit"].sel(link="hoa_binh_city_to_trung_ha").values > 0).all()
    flow_in = june["flow_in"].sel(link="hoa_binh_city_to_trung_ha").values[0]
    flow_out = june["flow_out"].sel(link="hoa_binh_city_to_trung_ha").values[0]
    np.testing.assert_allclose(flow_out[1:], (flow_in[1:] + flow_in[:-1]) / 2)


def test_page_is_in_step_with_its_inputs():
    text = daily.PAGE.read_text(encoding="utf-8")
    assert f"nputs `{daily.digest_of_inputs()}`" in text, "docs/daily.md: python -m docs.daily"
    for figure in re.findall(r"daily_\w+\.svg", text):
        assert (daily.HERE / figure).is_file()
