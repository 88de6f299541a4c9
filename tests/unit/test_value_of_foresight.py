"""The value of foresight: by hand, and what is said of it."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import Phase, assume, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from tests.basins import month_starts, write_basin
from tests.properties.basins import linear_goals, networks, read
from tests.small import at_fixed_lines, make_case
from wateralloc.basin import read_basin
from wateralloc.case import Case, build_case
from wateralloc.cli import app
from wateralloc.comparison.foresight import ValueOfForesight, value_of_foresight, ways_of
from wateralloc.errors import Infeasible, InputError
from wateralloc.goals.share import Share
from wateralloc.period import build_period
from wateralloc.report import foresight_table
from wateralloc.results import Results
from wateralloc.timeline import Timeline

FLOW = 4e6 / 86400
"""4 hm3 a day [m3/s]."""
DELIVERY = {
    "rule": "minimum_delivery", "name": "delta", "at": "town",
    "flow_m3s": {"from": "01-02", "to": "01-02", "value": FLOW},
}  # fmt: skip


def two_days(folder: Path, target: float = 0, rules=(DELIVERY,), **more: Any) -> Case:
    """``lake -> town -> sea``: 10 hm3 in store, no inflow; a farm at the town asks 10 hm3 a day.

    On the second day 4 hm3 must pass the town.  Who knows that keeps 4 and gives 3 on each day; who
    does not gives all 10 on the first day, and has nothing for the second.
    """
    return make_case(
        folder,
        periods=2,
        nodes=[
            {"name": "lake", "kind": "reservoir"},
            {"name": "town", "kind": "junction", "region": "south", "province": "lowland"},
            {"name": "sea", "kind": "sink"},
        ],
        links=[
            {"name": "outlet", "from": "lake", "to": "town", "kind": "reach"},
            {"name": "lower", "from": "town", "to": "sea", "kind": "reach"},
        ],
        reservoirs=[{"name": "lake", "dead_hm3": 0, "normal_hm3": 10, "initial_hm3": 10,
                     "target_hm3": target}],
        demands=[
            {
                "name": "farm", "node": "town", "region": "south", "province": "lowland",
                "sector": "irrigation", "demand_hm3_day": 10, "consumption_fraction": 1,
            }
        ],
        rules=rules,
        goals=[{"share": {"among": "demand", "window": "period"}}],
        **more,
    )  # fmt: skip


def goal_of(value: ValueOfForesight, way: str, goal: str) -> pd.Series:
    of = value.goals
    (row,) = of[(of["way"] == way) & of["goal"].str.endswith(goal)].index
    return of.loc[row]


def figure_of(value: ValueOfForesight, way: str, measure: str) -> float:
    of = value.figures
    here = (of["policy"] == way) & (of["measure"] == measure) & (of["name"] == "all")
    return float(of.loc[here, "mean"].iloc[0])


@pytest.fixture(scope="module")
def by_hand(tmp_path_factory: pytest.TempPathFactory) -> ValueOfForesight:
    case = two_days(tmp_path_factory.mktemp("by_hand"))
    return value_of_foresight(case, windows=[2], forecasts=["perfect"])


def test_ways_by_hand(by_hand: ValueOfForesight) -> None:
    assert list(by_hand.ways.index) == ["simulate", "rolling_2_perfect", "perfect"]
    assert list(by_hand.ways["knows"]) == ["nothing", "some", "all"]
    assert list(by_hand.ways["fault"]) == ["", "", ""]
    for way, least, deficit in (
        ("simulate", 0.0, 0.5), ("rolling_2_perfect", 0.3, 0.7), ("perfect", 0.3, 0.7),
    ):  # fmt: skip
        assert goal_of(by_hand, way, "least satisfaction")["mean"] == pytest.approx(least, abs=1e-7)
        assert goal_of(by_hand, way, "deficit")["mean"] == pytest.approx(deficit, abs=1e-7)
        assert figure_of(by_hand, way, "deficit") == pytest.approx(20 * deficit, abs=1e-6)
        assert figure_of(by_hand, way, "storage_at_end") == pytest.approx(0, abs=1e-6)


def test_regret_by_hand(by_hand: ValueOfForesight) -> None:
    first, later = (
        goal_of(by_hand, "simulate", goal) for goal in ("least satisfaction", "deficit")
    )
    # worse in what comes first, and therefore better in what comes later
    assert first["regret"] == pytest.approx(0.3, abs=1e-7)
    assert first["most_regret_member"] == "2001-01"
    assert later["regret"] == pytest.approx(-0.2, abs=1e-7)
    assert later["most_regret_member"] == ""
    assert goal_of(by_hand, "rolling_2_perfect", "deficit")["regret"] == 0
    assert (by_hand.by_member.loc[by_hand.by_member["way"] == "perfect", "regret"] == 0).all()


def test_a_hard_rule_is_missed_where_nobody_knew(by_hand: ValueOfForesight) -> None:
    rules = by_hand.rules.set_index("way")
    assert rules.loc["simulate", "missed"] == pytest.approx(4, abs=1e-6)
    assert rules.loc["simulate", "broken"] == 1  # it asks on one day
    assert not rules.loc["simulate", "is_soft"]
    assert rules.loc["perfect", "missed"] == 0
    assert rules.loc["perfect", "members"] == 0


def test_what_is_owed_to_foresight(by_hand: ValueOfForesight) -> None:
    trust = by_hand.trust.set_index(["measure", "scope", "name"])
    row = trust.loc[("deficit", "basin", "all")]
    assert row["way"] == "simulate"
    assert row["perfect"] == pytest.approx(14, abs=1e-6)
    assert row["value"] == pytest.approx(10, abs=1e-6)
    assert row["owed"] == row["most"] == pytest.approx(4, abs=1e-6)


def test_regret_is_for_the_same_storage_at_the_end(tmp_path: Path) -> None:
    """The basin asks that the lake end full; who does not see the end spends its 10 hm3.

    Perfect foresight that must leave 10 gives nothing; that which may leave nothing gives 5 and 5
    in place of 10 and 0.
    """
    case = two_days(tmp_path, target=10, rules=())
    value = value_of_foresight(case, windows=[], forecasts=[])
    assert figure_of(value, "perfect", "deficit") == pytest.approx(20, abs=1e-6)
    assert figure_of(value, "perfect", "storage_at_end") == pytest.approx(10, abs=1e-6)
    assert figure_of(value, "simulate", "deficit") == pytest.approx(10, abs=1e-6)
    first, later = (goal_of(value, "simulate", goal) for goal in ("least satisfaction", "deficit"))
    assert first["regret"] == pytest.approx(0.5, abs=1e-5)
    assert later["regret"] == pytest.approx(0, abs=1e-5)


def test_what_must_be_left_goes_with_the_member(tmp_path: Path) -> None:
    case = with_record(tmp_path / "basin", [2.0, 3.0, 4.0, 6.0])
    left = np.array([5.0, 0.0, 30.0, 12.0])
    least = {}
    asked = replace(case, left_at_end={"lake": left})
    for name, of in (("all", asked), ("two", asked.with_members([3, 1]))):
        least[name] = build_period(of).model.storage_least["lake"].value
    assert least["all"][:, -1].tolist() == left.tolist()
    assert least["two"][:, -1].tolist() == [12.0, 0.0]
    assert (least["all"][:, :-1] == 0).all()


def test_where_a_hard_rule_stops_the_reason_is_told(tmp_path: Path) -> None:
    case = two_days(
        tmp_path, more={"foresight": {"rolling": {"window": 2, "hard_rules": "stop",
                                                  "forecast": "perfect"}}}
    )  # fmt: skip
    value = value_of_foresight(case, windows=[], forecasts=[])
    assert "E402" in value.ways.loc["simulate", "fault"]
    assert "delta" in value.ways.loc["simulate", "fault"]
    assert set(value.goals["way"]) == {"perfect"}
    assert value.trust.empty
    assert any("no result: E402" in text for _, text in foresight_table.ways(value))


def test_without_a_perfect_result_there_is_nothing_to_compare(tmp_path: Path) -> None:
    impossible = DELIVERY | {"flow_m3s": 3 * FLOW}
    case = make_case(
        tmp_path, periods=2,
        nodes=case_nodes(), links=case_links(), rules=[impossible], goals=[{"minimise": "spill"}],
        reservoirs=[{"name": "lake", "dead_hm3": 0, "normal_hm3": 10, "initial_hm3": 10,
                     "target_hm3": 0}],
    )  # fmt: skip
    with pytest.raises(Infeasible):
        value_of_foresight(case, windows=[], forecasts=[])


def case_nodes() -> list[dict[str, str]]:
    return [
        {"name": "lake", "kind": "reservoir"},
        {"name": "town", "kind": "junction"},
        {"name": "sea", "kind": "sink"},
    ]


def case_links() -> list[dict[str, str]]:
    return [
        {"name": "outlet", "from": "lake", "to": "town", "kind": "reach"},
        {"name": "lower", "from": "town", "to": "sea", "kind": "reach"},
    ]


@settings(deadline=None, max_examples=6, phases=[Phase.generate], derandomize=True)
@given(drawn=networks(), goals=linear_goals(), window=st.integers(1, 4))
def test_no_way_is_better_than_perfect_foresight_in_its_place(
    drawn: dict[str, Any], goals: list[Any], window: int
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        case = at_fixed_lines(read(folder, drawn, goals))
        try:
            value = value_of_foresight(case, windows=[window], forecasts=["perfect"])
        except Infeasible:
            assume(False)
    for (way, member), of in value.by_member.groupby(["way", "member"]):
        if value.ways.loc[way, "fault"]:
            continue
        regret = of["regret"].to_numpy()
        first = np.flatnonzero(np.abs(regret) > 1e-5 * (1 + of["value"].abs().to_numpy()))
        missed = value.rules.loc[(value.rules["way"] == way), "missed"].sum()
        # what is lost first is lost to foresight; rules come before all goals
        assert missed > 0 or not first.size or regret[first[0]] > 0, (way, member)


def test_ways_say_what_they_are(tmp_path: Path) -> None:
    case = two_days(tmp_path)
    ways = ways_of(case, [1, 9], ["climatology", "perfect"], stride=3, decide=["withdrawal"])
    assert list(ways) == [
        "simulate", "rolling_1_climatology", "rolling_1_perfect", "rolling_2_climatology",
        "rolling_2_perfect", "two_stage", "perfect",
    ]  # fmt: skip
    assert ways["rolling_2_climatology"].resolved["foresight"] == {
        "rolling": {"window": 2, "stride": 2, "hard_rules": "miss", "forecast": "climatology"}
    }
    assert ways["two_stage"].foresight.two_stage.decisions == {"withdrawal": "all"}
    assert ways["rolling_2_climatology"].title == {
        "en": "2 periods in sight, forecast: climatology",
        "vi": "thấy trước 2 thời đoạn, dự báo: trung bình nhiều năm",
    }


def test_unknown_forecasts_and_windows_are_faults(tmp_path: Path) -> None:
    case = two_days(tmp_path)
    with pytest.raises(InputError) as caught:
        value_of_foresight(case, windows=[0], forecasts=["climatolgy", "file"])
    assert str(caught.value) == (
        "--windows: E303 window is 0; must be 1 period or more\n"
        "--forecasts: E303 unknown forecast 'climatolgy'; did you mean 'climatology'?\n"
        "--forecasts: E303 unknown forecast 'file'; forecasts are climatology, persistence, "
        "conditional, perfect"
    )


def with_record(folder: Path, years: list[float]) -> Case:
    """``spring -> lake -> town``: years of one flow each [m3/s]; a town asks 5."""
    dates = month_starts("2001-01", 12 * len(years))
    write_basin(
        folder,
        nodes=[{"name": "spring", "kind": "inflow"}, *case_nodes()],
        links=[
            {"name": "upper", "from": "spring", "to": "lake", "kind": "reach"},
            *case_links(),
        ],
        reservoirs=[{"name": "lake", "dead_hm3": 0, "normal_hm3": 30, "initial_hm3": 15,
                     "target_hm3": 0}],
        demands=[
            {
                "name": "town", "node": "town", "region": "south", "province": "lowland",
                "sector": "domestic", "demand_m3s": 5, "consumption_fraction": 1,
            }
        ],
        series={"inflow_m3s": {"date": dates, "spring": [y for y in years for _ in range(12)]}},
    )  # fmt: skip
    return build_case(
        read_basin(folder),
        Timeline("2031-01-01", 6, "month"),
        goals=[Share(among="demand", window="period")],
        name="record",
    )


def test_forecasts_are_run_and_their_skill_is_told(tmp_path: Path) -> None:
    case = with_record(tmp_path / "basin", [2.0, 3.0, 4.0, 6.0])
    value = value_of_foresight(case, windows=[3], forecasts=["climatology", "persistence"])
    assert not value.ways["fault"].any()
    least = {way: goal_of(value, way, "least satisfaction")["mean"] for way in value.ways.index}
    # who sees nothing spends first; who knows all loses nothing; the year's flow tells the next
    assert least["simulate"] < least["perfect"]
    assert least["rolling_3_persistence"] <= least["perfect"] + 1e-7
    assert least["rolling_3_persistence"] > least["simulate"]
    assert (value.by_member["regret"][value.by_member["goal"].str.endswith("least satisfaction")]
            >= 0).all()  # fmt: skip
    skill = value.skill.set_index(["forecast", "lead", "node"])["against_climatology"]
    assert skill["persistence", 1, "all"] == pytest.approx(1, abs=1e-9)
    assert skill["climatology", 1, "all"] == 0


def test_ways_side_by_side_give_the_same(by_hand: ValueOfForesight, tmp_path: Path) -> None:
    value = value_of_foresight(two_days(tmp_path), windows=[2], forecasts=["perfect"], jobs=2)
    pd.testing.assert_frame_equal(value.by_member, by_hand.by_member)
    pd.testing.assert_frame_equal(value.rules, by_hand.rules)


def test_two_stages_give_all_members_what_the_driest_can_have(tmp_path: Path) -> None:
    case = with_record(tmp_path / "basin", [2.0, 3.0, 4.0, 6.0])
    value = value_of_foresight(case, windows=[], forecasts=[], decide=["withdrawal"])
    assert value.ways.loc["two_stage", "knows"] == "some"
    goal = goal_of(value, "two_stage", "least satisfaction")
    # of 5 m3/s over 181 days, the driest brings 2 m3/s and there are 15 hm3 in store
    asked = 5 * 181 * 0.0864
    assert goal["mean"] == pytest.approx((2 * 181 * 0.0864 + 15) / asked, abs=1e-6)
    assert goal["mean"] == pytest.approx(goal["worst"], abs=1e-6)
    assert goal["most_regret_member"] == "2004-01"


def test_a_record_of_too_few_years_stops_its_ways_alone(tmp_path: Path) -> None:
    case = with_record(tmp_path / "basin", [2.0, 6.0])
    value = value_of_foresight(case, windows=[3], forecasts=["climatology"])
    assert "E375" in value.ways.loc["rolling_3_climatology", "fault"]
    assert not value.ways.loc["simulate", "fault"]
    assert value.skill.empty


def test_tables_in_both_languages(by_hand: ValueOfForesight, tmp_path: Path) -> None:
    english = foresight_table.tables(by_hand, "en")
    assert [table.title for table in english] == [
        "Goals, in their order",
        "Regret: by how much worse than had all been known, with as much left in store",
        "Rules missed",
        "Deficit by region and by sector",
        "Energy, storage and worth",
        "What is not to be trusted in perfect foresight",
    ]
    regret = english[1]
    assert regret.shares == tuple(regret.frame.columns)
    assert regret.frame.loc["simulate"].tolist() == pytest.approx([0.3, -0.2], abs=1e-7)
    assert list(english[2].frame.columns) == ["delta, hm3", "delta: broken"]
    vietnamese = foresight_table.markdown(by_hand, "vi")
    for word in ("Mức hối tiếc", "Cách", "từng thời đoạn một", "Thiếu hụt, triệu m³"):
        assert word in vietnamese
    foresight_table.write(by_hand, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(foresight_table.FILES)
    goals = pd.read_csv(tmp_path / "goals.csv")
    assert goals["regret"].tolist() == pytest.approx(by_hand.goals["regret"].tolist(), abs=1e-9)


def test_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    two_days(tmp_path)
    monkeypatch.chdir(tmp_path)
    command = ["foresight", "case.yaml", "--windows", "2", "--forecasts", "perfect"]
    done = CliRunner().invoke(app, command, env={"COLUMNS": "200"})
    assert done.exit_code == 0, done.output
    assert "Regret: by how much worse" in done.output
    assert "simulate" in done.output
    folder = tmp_path / "results" / "case_foresight"
    assert (folder / "trust.csv").is_file()
    ran = Results.read(folder / "simulate")
    assert ran.manifest["resolved"]["foresight"] == {"simulate": {"hard_rules": "miss"}}
    wrong = CliRunner().invoke(app, ["foresight", "case.yaml", "--windows", "six"])
    assert wrong.exit_code == 2
