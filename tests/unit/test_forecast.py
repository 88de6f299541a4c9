import csv
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.basins import month_starts, tiny_basin, write_basin
from wateralloc.basin import read_basin
from wateralloc.case import build_case, read_case
from wateralloc.case.foresight import Rolling
from wateralloc.errors import CaseError
from wateralloc.foresight import check, solve
from wateralloc.foresight.forecast import FORECASTS, forecast_skill, lead_case
from wateralloc.goals.end_storage import EndStorage
from wateralloc.timeline import Timeline

JANUARY = Timeline("2031-01-01", 12, "month")


def basin_with(folder, evaporation=None, **inflow):
    """``spring, brook -> pond -> sea`` with monthly series from 2001-01 (a value a month)."""
    dates = month_starts("2001-01", len(next(iter(inflow.values()))))
    series = {"inflow_m3s": {"date": dates, **inflow}}
    if evaporation is not None:
        series["evaporation_mm_day"] = {"date": dates, "pond": evaporation}
    springs = [{"name": name, "kind": "inflow", "sub_basin": "main"} for name in inflow]
    write_basin(
        folder,
        nodes=[*springs, {"name": "pond", "kind": "reservoir"}, {"name": "sea", "kind": "sink"}],
        links=[
            *({"name": f"from_{n}", "from": n, "to": "pond", "kind": "reach"} for n in inflow),
            {"name": "outlet", "from": "pond", "to": "sea", "kind": "reach"},
        ],
        reservoirs=[
            {
                "name": "pond",
                "dead_hm3": 0,
                "normal_hm3": 50,
                "initial_hm3": 20,
                "curve": "pond",
            }
        ],
        curves=[
            {"curve": "pond", "x": x, "y": y, "x_unit": "hm3", "y_unit": unit}
            for unit, ys in (("m", (0, 20)), ("km2", (1, 5)))
            for x, y in zip((0, 50), ys, strict=True)
        ],
        series=series,
    )
    return read_basin(folder)


def case_of(basin, forecast="climatology", window=4, stride=1, timeline=JANUARY, **more):
    rolling = {"window": window, "stride": stride, "forecast": forecast}
    return build_case(basin, timeline, foresight={"rolling": rolling}, **more)


def by_lead(case, table="nodes", column="inflow", name="spring"):
    """What was thought: (member, lead, time)."""
    thought = lead_case(case).attribute(table, column)[name]
    return thought.reshape(case.n_members, case.foresight.rolling.n_leads, case.n_periods)


def noise(n_years, seed=1):
    return np.random.default_rng(seed).uniform(5, 50, 12 * n_years).round(3)


def autoregressive(n_years, r=0.7, seed=1):
    """Flows of which the anomaly over a yearly course is an AR(1)."""
    draws = np.random.default_rng(seed).normal(size=12 * n_years)
    state = np.zeros(draws.size)
    for t in range(1, draws.size):
        state[t] = r * state[t - 1] + np.sqrt(1 - r**2) * draws[t]
    course = 30 + 20 * np.cos(2 * np.pi * np.arange(draws.size) / 12)
    return (course * np.exp(0.3 * state)).round(6)


# --- by hand --------------------------------------------------------------------------------


def test_nothing_is_forecast_where_the_window_is_known(tmp_path):
    basin = basin_with(tmp_path, spring=noise(4))
    for case in (
        case_of(basin, "perfect"),
        case_of(basin, "climatology", window=3, stride=3),
        build_case(basin, JANUARY),
        build_case(basin, JANUARY, foresight="simulate"),
    ):
        assert lead_case(case) is case


def test_climatology_is_the_mean_of_the_other_years(tmp_path):
    flows = np.repeat([10.0, 20.0, 60.0, 110.0], 12) + np.tile(np.arange(12.0), 4)
    case = case_of(basin_with(tmp_path, spring=flows), window=3)
    thought = by_lead(case)
    assert thought.shape == (4, 3, 12)
    np.testing.assert_allclose(thought[:, 0], flows.reshape(4, 12), rtol=1e-14)
    # year 1: (20 + 60 + 110) / 3, year 2: (10 + 60 + 110) / 3, ...
    for lead in (1, 2):
        np.testing.assert_allclose(
            thought[:, lead] - np.arange(12.0),
            np.repeat([[190 / 3], [60.0], [140 / 3], [30.0]], 12, axis=1),
            rtol=1e-13,
        )


def test_rows_are_named_by_member_and_lead(tmp_path):
    tried = lead_case(case_of(basin_with(tmp_path, spring=noise(4)), window=3))
    names = [member.name for member in tried.members]
    assert names[:4] == ["2001-01", "2001-01+1", "2001-01+2", "2002-01"]
    assert tried.n_members == 12
    # rows can be taken like members
    one = tried.with_members([4]).attribute("nodes", "inflow")["spring"]
    np.testing.assert_array_equal(one[0], tried.attribute("nodes", "inflow")["spring"][4])


@pytest.mark.parametrize("forecast", ["persistence", "conditional"])
def test_where_wet_years_stay_wet_the_last_flow_tells_all(tmp_path, forecast):
    # each year is its own factor times one course: anomalies do not fade, correlation is 1
    course = 10 + np.arange(12.0) ** 1.5
    factors = np.array([0.5, 0.8, 1.2, 1.5, 1.6])
    flows = (factors[:, None] * course).ravel()
    case = case_of(basin_with(tmp_path, spring=flows), forecast, window=5)
    thought = by_lead(case)
    for lead in range(1, 5):
        expected = (factors[:, None] * course)[:, lead:]
        np.testing.assert_allclose(thought[:, lead, lead:], expected, rtol=1e-9)
    # before anything was known there is the climatology
    others = (factors.sum() - factors) / 4
    np.testing.assert_allclose(thought[:, 2, :2], others[:, None] * course[:2], rtol=1e-12)


def test_persistence_fades_by_the_correlation_of_the_month_before(tmp_path):
    # Januaries and Februaries go together (correlation 1), what follows does not know of them
    flows = np.full((6, 12), 10.0)
    flows[:, 0] = [5, 15, 5, 15, 5, 15]
    flows[:, 1] = [8, 12, 8, 12, 8, 12]
    flows[:, 2] = [9, 9, 11, 11, 10, 10]
    basin = basin_with(tmp_path, spring=flows.ravel())
    thought = by_lead(case_of(basin, "persistence", window=3))
    others = flows[1:].mean(axis=0)
    # member 1: January is 5 of a mean of 11, so February is 5/11 of its mean of 10.4
    assert thought[0, 1, 1] == pytest.approx(others[1] * 5 / others[0], rel=1e-12)
    # March from February, correlation by hand over years 2 to 6
    a, b = flows[1:, 1] / others[1] - 1, flows[1:, 2] / others[2] - 1
    r = max((a * b).sum() / np.sqrt((a * a).sum() * (b * b).sum()), 0)
    ratio = 1 + (flows[0, 1] / others[1] - 1) * r
    assert thought[0, 1, 2] == pytest.approx(others[2] * ratio, rel=1e-12)
    # and from January through February
    ratio = 1 + (flows[0, 0] / others[0] - 1) * 1 * r
    assert thought[0, 2, 2] == pytest.approx(others[2] * ratio, rel=1e-12)


def test_conditional_is_a_shrunk_regression(tmp_path):
    flows = autoregressive(8)
    thought = by_lead(case_of(basin_with(tmp_path, spring=flows), "conditional", window=4))
    years = flows.reshape(8, 12)
    for member, lead, last in ((0, 1, 3), (5, 3, 8), (7, 2, 0)):
        others = np.delete(years, member, axis=0)
        mean = others.mean(axis=0)
        before, after = others[:, last] / mean[last] - 1, others[:, last + lead] / mean[last + lead]
        slope = before @ (after - 1) / (before @ before)
        r2 = (before @ (after - 1)) ** 2 / (before @ before) / ((after - 1) @ (after - 1))
        shrunk = slope * max(1 - (1 - r2) / (r2 * (7 - 2)), 0)
        ratio = 1 + np.clip(shrunk, 0, 1) * (years[member, last] / mean[last] - 1)
        expected = mean[last + lead] * ratio
        assert thought[member, lead, last + lead] == pytest.approx(expected, rel=1e-9)


def test_a_river_that_runs_dry_is_forecast_dry(tmp_path):
    flows = noise(5).reshape(5, 12)
    flows[:, 3:6] = 0.0
    basin = basin_with(tmp_path, spring=flows.ravel(), brook=np.zeros(60))
    for forecast in FORECASTS:
        case = case_of(basin, forecast)
        assert (by_lead(case)[:, :, 3:6] == 0).all()
        assert (by_lead(case, name="brook") == 0).all()


def test_all_that_follows_the_hydrology_is_forecast(tmp_path):
    evaporation = noise(4, seed=3) / 10
    case = case_of(basin_with(tmp_path, evaporation, spring=noise(4)))
    thought = by_lead(case, "reservoirs", "evaporation", "pond")
    own = case.attribute("reservoirs", "evaporation")["pond"]
    np.testing.assert_array_equal(thought[:, 0], own)
    mean = (own.sum(axis=0) - own) / 3
    np.testing.assert_allclose(thought[:, 1], mean, rtol=1e-12)


def test_a_basin_without_record_has_rows_all_the_same(tmp_path):
    write_basin(
        tmp_path,
        nodes=[
            {"name": "spring", "kind": "inflow", "inflow_m3s": 5},
            {"name": "sea", "kind": "sink"},
        ],
        links=[{"name": "river", "from": "spring", "to": "sea", "kind": "reach"}],
    )
    case = case_of(read_basin(tmp_path))
    assert (by_lead(case) == 5).all()


def test_a_factor_on_the_inflow_counts_once(tmp_path):
    basin = basin_with(tmp_path, spring=noise(5), brook=noise(5, seed=2))
    for forecast in FORECASTS:
        plain, scaled = (
            case_of(basin, forecast),
            case_of(basin, forecast, inflow_scale={"spring": 0.5}),
        )
        np.testing.assert_allclose(by_lead(scaled), 0.5 * by_lead(plain), rtol=1e-14)
        np.testing.assert_array_equal(by_lead(scaled, name="brook"), by_lead(plain, name="brook"))


def test_members_with_values_of_their_own_learn_from_the_whole_record(tmp_path):
    flows = noise(5)
    case = case_of(basin_with(tmp_path, spring=flows))
    own = np.full((2, 12), 7.0)
    made = replace(case, members=case.members[:2], given={"inflow": {"spring": own}})
    thought = by_lead(made)
    np.testing.assert_array_equal(thought[:, 0], own)
    np.testing.assert_allclose(
        thought[:, 1], np.tile(flows.reshape(5, 12).mean(axis=0), (2, 1)), rtol=1e-12
    )


def test_in_a_long_horizon_the_other_years_of_the_member_count(tmp_path):
    flows = noise(6)
    case = case_of(basin_with(tmp_path, spring=flows), timeline=Timeline("2031-01-01", 60, "month"))
    assert case.n_members == 2
    years = flows.reshape(6, 12)
    others = (years.sum(axis=0) - years) / 5
    np.testing.assert_allclose(by_lead(case)[0, 1], others[:5].ravel(), rtol=1e-12)
    np.testing.assert_allclose(by_lead(case)[1, 1], others[1:].ravel(), rtol=1e-12)


# --- properties -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def five_years(tmp_path_factory):
    """A basin whose record of five years is replaced, example by example."""
    return basin_with(tmp_path_factory.mktemp("basin"), spring=noise(5))


def with_flows(basin, values):
    series = basin.series["inflow"]
    frame = series.values.copy()
    frame.loc[:, "spring"] = values
    return replace(basin, series={"inflow": replace(series, values=frame)})


@settings(deadline=None, max_examples=25)
@given(
    forecast=st.sampled_from(sorted(FORECASTS)),
    step=st.sampled_from(["month", "dekad", "week", "day"]),
    member=st.integers(0, 3),
    share=st.floats(0.05, 0.95),
    seed=st.integers(0, 1000),
)
def test_what_is_to_come_changes_no_forecast(five_years, forecast, step, member, share, seed):
    rng = np.random.default_rng(seed)
    n_periods = {"month": 10, "dekad": 30, "week": 12, "day": 15}[step]
    timeline = Timeline("2031-02-01", n_periods, step)
    basin = with_flows(five_years, rng.uniform(1, 9, 60))
    case = case_of(basin, forecast, window=6, timeline=timeline)
    now = min(int(share * n_periods), n_periods - 1)
    # of the member's own record, all is otherwise from the first month wholly after `now`
    month = np.datetime64("2001-01") + 12 * member
    first = month + int((timeline.edges[now + 1] - 1).astype("datetime64[M]").astype(int) % 12) + 1
    dates = np.datetime64("2001-01") + np.arange(60)
    is_to_come = (dates >= first) & (dates < month + 12)
    flows = basin.series["inflow"].values["spring"].to_numpy()
    other = with_flows(basin, np.where(is_to_come, 7.0 * flows, flows))
    before = by_lead(case)[member]
    after = by_lead(replace(case, basin=other))[member]
    for t in range(n_periods):
        for lead in range(1, case.foresight.rolling.n_leads):
            if t - lead <= now:
                assert before[lead, t] == pytest.approx(after[lead, t], rel=1e-12)


@settings(deadline=None, max_examples=20)
@given(forecast=st.sampled_from(sorted(FORECASTS)), seed=st.integers(0, 1000), wild=st.booleans())
def test_no_forecast_is_below_zero(five_years, forecast, seed, wild):
    rng = np.random.default_rng(seed)
    flows = rng.exponential(10, 60) ** (3 if wild else 1)
    case = case_of(with_flows(five_years, flows), forecast, window=7)
    assert by_lead(case).min() >= 0


# --- how good they are ----------------------------------------------------------------------


def skill_at(table, forecast, lead, measure, node="all"):
    rows = table.set_index(["forecast", "lead", "node"])
    return rows.loc[(forecast, lead, node), measure]


def test_on_a_river_with_memory_persistence_beats_climatology(tmp_path):
    case = case_of(basin_with(tmp_path, spring=autoregressive(150)))
    table = forecast_skill(case, n_leads=4)
    # an AR(1) of 0.7 explains half of the variance at lead 1, a quarter at lead 2, 0.12 at lead 3
    for forecast in ("persistence", "conditional"):
        assert 0.42 < skill_at(table, forecast, 1, "against_climatology") < 0.54
        assert 0.17 < skill_at(table, forecast, 2, "against_climatology") < 0.3
        assert 0.05 < skill_at(table, forecast, 3, "against_climatology") < 0.18
    assert skill_at(table, "climatology", 1, "against_climatology") == 0
    assert skill_at(table, "climatology", 1, "bias_m3s") == pytest.approx(0, abs=1e-9)


def test_on_a_river_without_memory_nothing_is_lost(tmp_path):
    table = forecast_skill(case_of(basin_with(tmp_path, spring=noise(30))), n_leads=3)
    for forecast in ("persistence", "conditional"):
        assert abs(skill_at(table, forecast, 1, "against_climatology")) < 0.08


def test_skill_by_hand(tmp_path):
    # two nodes, a climatology of 10 and of the others' years; the sum is judged as a sum
    flows = np.tile(np.array([[6.0], [10.0], [14.0], [10.0]]), 12).ravel()
    case = case_of(basin_with(tmp_path, spring=flows, brook=flows))
    table = forecast_skill(case, ("climatology",), n_leads=2)
    mean = (40 - np.array([6, 10, 14, 10])) / 3
    error = ((mean - [6, 10, 14, 10]) ** 2).mean()
    assert skill_at(table, "climatology", 1, "nash_sutcliffe", "spring") == pytest.approx(
        1 - error / 8
    )
    assert skill_at(table, "climatology", 1, "nash_sutcliffe") == pytest.approx(1 - error / 8)
    assert skill_at(table, "climatology", 1, "correlation") == pytest.approx(-1)
    assert skill_at(table, "climatology", 1, "bias_m3s") == pytest.approx(0, abs=1e-12)


# --- from a file ----------------------------------------------------------------------------


def write_forecasts(path, rows, header=("issued", "date", "node", "inflow_m3s")):
    with path.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream, lineterminator="\n").writerows([header, *rows])


def perfect_rows(basin, n_ahead=6, factor=1.0):
    """Forecasts of what came, of every month of the record, up to so many months ahead."""
    series = basin.series["inflow"]
    dates, frame = series.timeline.labels, series.values
    for issued in range(len(dates)):
        for date in range(issued, min(issued + n_ahead, len(dates))):
            for node in frame.columns:
                yield dates[issued], dates[date], node, factor * frame[node].iloc[date]


def file_case(folder, basin, **more):
    rolling = {"window": 4, "file": str(folder / "forecasts.csv")} | more.pop("rolling", {})
    return build_case(basin, JANUARY, foresight={"rolling": rolling}, **more)


def test_a_perfect_file_is_what_comes(tmp_path):
    basin = basin_with(tmp_path / "basin", spring=noise(4), brook=noise(4, seed=2))
    write_forecasts(tmp_path / "forecasts.csv", perfect_rows(basin))
    case = file_case(tmp_path, basin, inflow_scale={"spring": 0.5})
    for name in ("spring", "brook"):
        thought = by_lead(case, name=name)
        came = case.attribute("nodes", "inflow")[name]
        for lead in range(4):
            np.testing.assert_allclose(thought[:, lead, lead:], came[:, lead:], rtol=1e-12)


def test_a_file_holds_what_it_says_of_each_lead(tmp_path):
    basin = basin_with(tmp_path / "basin", spring=noise(3))
    dates = basin.series["inflow"].timeline.labels
    # issue number * 100 + month ahead
    rows = [
        (dates[i], dates[j], "spring", 100 * i + (j - i))
        for i in range(36)
        for j in range(i, min(i + 5, 36))
    ]
    write_forecasts(tmp_path / "forecasts.csv", rows)
    thought = by_lead(file_case(tmp_path, basin, rolling={"window": 4, "stride": 2}))
    assert thought.shape == (3, 3, 12)
    # windows begin at periods 0, 2, 4, ... and know two: the forecast of lead 1 is of 2, 4, ...
    for member in range(3):
        for t in range(2, 12):
            lead = 1 + t % 2
            issued = 12 * member + t - lead + 1
            assert thought[member, lead, t] == 100 * issued + lead - 1


def test_what_a_file_does_not_give_is_the_climatology(tmp_path):
    evaporation = noise(4, seed=3) / 10
    basin = basin_with(tmp_path / "basin", evaporation, spring=noise(4))
    write_forecasts(tmp_path / "forecasts.csv", perfect_rows(basin))
    thought = by_lead(file_case(tmp_path, basin), "reservoirs", "evaporation", "pond")
    alone = by_lead(case_of(basin), "reservoirs", "evaporation", "pond")
    np.testing.assert_array_equal(thought, alone)


def test_a_file_that_falls_short_of_a_longer_window_is_a_fault(tmp_path):
    basin = basin_with(tmp_path / "basin", spring=noise(3))
    write_forecasts(tmp_path / "forecasts.csv", perfect_rows(basin, n_ahead=3))
    lead_case(file_case(tmp_path, basin))
    case = file_case(tmp_path, basin)
    longer = replace(
        case, foresight=case.foresight.model_copy(update={"rolling": Rolling(window=5, file="x")})
    )
    with pytest.raises(CaseError, match=r"E376 .*issued on 2001-02-01 has no flow of spring on "):
        lead_case(longer)


def test_the_file_is_an_input_of_the_case(tmp_path):
    tiny_basin(
        tmp_path / "basin",
        series={"inflow_m3s": {"date": month_starts("2001-01", 24), "spring": noise(2)}},
    )
    basin = read_basin(tmp_path / "basin")
    (tmp_path / "own").mkdir()
    write_forecasts(tmp_path / "own" / "forecasts.csv", perfect_rows(basin))
    (tmp_path / "case.yaml").write_text(
        "schema: 1\nbasin: basin\ntimeline: {start: 2030-01-01, periods: 12, step: month}\n"
        "goals:\n  - meet: {}\n"
        "foresight: {rolling: {window: 3, file: own/forecasts.csv}}\n",
        encoding="utf-8",
    )
    case = read_case(tmp_path / "case.yaml")
    assert case.files[-1] == tmp_path / "own" / "forecasts.csv"
    came = case.attribute("nodes", "inflow")["spring"]
    np.testing.assert_allclose(by_lead(case)[:, 1, 1:], came[:, 1:], rtol=1e-12)


# --- faults ---------------------------------------------------------------------------------


@pytest.mark.parametrize("forecast", sorted(FORECASTS))
def test_too_few_years_are_a_fault(tmp_path, forecast):
    case = case_of(basin_with(tmp_path, spring=noise(3)), forecast)
    with pytest.raises(CaseError, match=f"E375 forecast {forecast} learns .* are 2 on some date"):
        check(case)


def test_forecast_and_file_stand_for_each_other():
    with pytest.raises(ValueError, match="has forecast and file; keep one"):
        Rolling(window=3, forecast="persistence", file="forecasts.csv")


@pytest.mark.parametrize(("window", "stride"), [(2, 1), (4, 1), (5, 2)])
def test_members_with_forecasts_go_as_if_alone(tmp_path, window, stride):
    """To the last window, in which one period is left; all bits, however many members there are."""
    basin = basin_with(tmp_path, evaporation=noise(6, seed=3) / 10, spring=noise(6))
    goals = [EndStorage(target_hm3={"pond": [{"months": list(range(1, 13)), "value": 30}]})]
    case = case_of(basin, "persistence", window, stride, goals=goals)
    together = solve(case)
    for k in range(case.n_members):
        assert solve(case.with_members([k])).x[0].tobytes() == together.x[k].tobytes()
