"""Why a user is short, by hand: who has the water, what gives way, what others would lose."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner, Result

import wateralloc
from tests.small import inflow, make_case
from wateralloc import job
from wateralloc.case import Case
from wateralloc.cli import base as cli
from wateralloc.errors import CaseError, Infeasible, InputError, Uncertified
from wateralloc.explanation import Cause, Explanation, Target, explain_shortage, rule_cost
from wateralloc.explanation.causes import LESS, Search
from wateralloc.explanation.shortage import wanted_of
from wateralloc.foresight.limits import Limits
from wateralloc.foresight.settled import Settled, most, settle
from wateralloc.horizon import MemberProgram
from wateralloc.report import explanation as words
from wateralloc.report import explanation_figure
from wateralloc.report.charts.shortage import waterfall

M3S = 1 / 0.0864
"""One hm3 a day, in m3/s."""
DELTA = {
    "rule": "minimum_delivery", "name": "delta", "at": "head", "flow_m3s": 2 * M3S,
    "source": "Treaty of the river, Art. 3",
}  # fmt: skip
ORDER = [{"meet": {"sectors": ["domestic"]}}, {"meet": {"sectors": ["irrigation"]}}]


def river(folder: Path, *, goals: Sequence[Any] = ORDER, **more: Any) -> Case:
    """10 hm3 a day come to `head`; a town asks 3, a farm 8; 1 is nature's, 2 are the delta's."""
    basin: dict[str, Any] = {
        "yaml": {
            "regions": {"upland": {"en": "Upland", "vi": "Vùng cao"}},
            "sectors": {"domestic": {"en": "Domestic", "vi": "Sinh hoạt"}, "irrigation": {}},
        },
        "nodes": [
            {"name": "head", "kind": "inflow", "name_en": "Head", "name_vi": "Đầu nguồn"},
            {"name": "sea", "kind": "sink"},
        ],
        "links": [{"name": "reach", "from": "head", "to": "sea", "kind": "reach"}],
        "demands": [
            {"name": "town", "node": "head", "sector": "domestic", "region": "upland",
             "demand_hm3_day": 3, "name_en": "Town", "name_vi": "Thị trấn"},
            {"name": "farm", "node": "head", "sector": "irrigation", "region": "upland",
             "demand_hm3_day": 8, "name_en": "Farm", "name_vi": "Nông trại"},
        ],
        "environmental_flows": [{"name": "life", "node": "head", "minimum_hm3_day": 1}],
        "series": inflow(head=[10]),
        "rules": [DELTA],
    }  # fmt: skip
    merged = {name: rows for name, rows in (basin | more).items() if rows or name == "rules"}
    periods = len(merged["series"]["inflow_hm3_day"]["date"])
    return make_case(folder, periods=periods, goals=goals, **merged)


def explained(case: Case, *demands: str, periods: Sequence[int] = (0,)) -> Explanation:
    return explain_shortage(settle(case), Target(demands, tuple(periods)))


def taken(e: Explanation) -> dict[str, float]:
    """What each clause takes, by its kind and name."""
    return {
        f"{s.kind} {s.rule.name if s.rule else s.number or ''}".strip(): pytest.approx(s.taken)
        for s in e.steps
        if s.taken > 1e-9
    }


def cause(e: Explanation, name: str) -> Cause:
    return next(c for c in e.causes if c.limit.item == name)


# --- by hand ------------------------------------------------------------------------------------


def test_who_has_the_water_and_what_gives_way(tmp_path: Path) -> None:
    """Of 10 the delta has 2 (of which 1 is nature's anyway), the town 3: the farm gets 5 of 8.

    Were the delta asked 1 less, the farm had 1 more; below that nature's flow holds.  Were the town
    to take less, the farm had all 3.
    """
    e = explained(river(tmp_path), "farm")
    assert (e.requested, e.reachable, e.entitled, e.delivered) == pytest.approx((8, 8, 8, 5))
    assert taken(e) == {"goal 1": 3}
    delta, town = cause(e, "delta"), cause(e, "town")
    assert (delta.kind, delta.now, delta.lift, delta.gain) == (
        "rule",
        *map(pytest.approx, (2, 1, 1)),
    )
    assert (town.kind, town.now, town.lift, town.gain) == ("user", *map(pytest.approx, (3, 3, 3)))
    assert delta.is_linear
    assert delta.rates == pytest.approx((1, 1))
    assert e.worth is not None
    assert (e.worth.rates, e.worth.lift) == (pytest.approx((1, 1)), pytest.approx(3))
    assert e.first == pytest.approx(8, rel=1e-5)
    assert {loss.name: loss.amount for loss in e.losses} == {"town": pytest.approx(3, rel=1e-4)}


def test_what_rules_leave_is_told_apart_from_what_water_allows(tmp_path: Path) -> None:
    """Of 5 that come 1 is nature's and the delta has 1 more; the town has the other 3."""
    e = explained(river(tmp_path, series=inflow(head=[5])), "farm")
    assert (e.reachable, e.entitled, e.delivered) == pytest.approx((5, 3, 0))
    assert taken(e) == {"physics": 3, "environmental_flow": 1, "rule delta": 1, "goal 1": 3}
    assert sum(step.taken for step in e.steps) == pytest.approx(e.short)


def test_size_of_a_canal(tmp_path: Path) -> None:
    """A canal of 4 hm3 a day that loses half brings the farm 2 of 3: it is too small by 2."""
    case = river(
        tmp_path,
        nodes=[{"name": "head", "kind": "inflow"}, {"name": "field", "kind": "junction"},
               {"name": "sea", "kind": "sink"}],
        links=[{"name": "reach", "from": "head", "to": "sea", "kind": "reach"},
               {"name": "canal", "from": "head", "to": "field", "kind": "canal",
                "capacity_hm3_day": 4, "loss_fraction": 0.5},
               {"name": "drain", "from": "field", "to": "sea", "kind": "reach"}],
        demands=[{"name": "farm", "node": "field", "sector": "irrigation", "demand_hm3_day": 3}],
        goals=[{"meet": {}}], rules=[],
    )  # fmt: skip
    e = explained(case, "farm")
    assert taken(e) == {"physics": 1}
    canal = cause(e, "canal")
    assert (canal.kind, canal.lift, canal.gain) == ("works", pytest.approx(2), pytest.approx(1))
    assert canal.rates == pytest.approx((0.5, 0.5))  # half of it is lost on the way


def test_storage_brings_water_from_the_day_before(tmp_path: Path) -> None:
    """A lake keeps no more than 6: of 10 on the first day 4 run off, on the second none comes."""
    case = river(
        tmp_path,
        nodes=[{"name": "head", "kind": "reservoir"}, {"name": "sea", "kind": "sink"}],
        reservoirs=[{"name": "head", "dead_hm3": 0, "normal_hm3": 6, "initial_hm3": 0,
                     "target_hm3": 0}],
        demands=[{"name": "farm", "node": "head", "sector": "irrigation", "region": "upland",
                  "demand_hm3_day": 8}],
        series=inflow(head=[18, 0]), goals=[{"meet": {}}], rules=[], environmental_flows=[],
    )  # fmt: skip
    e = explained(case, "farm", periods=(0, 1))
    assert (e.requested, e.delivered) == pytest.approx((16, 14))
    lake = cause(e, "head")
    assert (lake.kind, lake.periods, lake.lift, lake.gain) == (
        "storage", (0,), pytest.approx(2), pytest.approx(2),
    )  # fmt: skip


def test_return_flow_makes_water_worth_more(tmp_path: Path) -> None:
    """Half of what the town takes comes back above the farm: 1 hm3 less there gives half of one."""
    case = river(
        tmp_path,
        nodes=[{"name": "head", "kind": "inflow"}, {"name": "mid", "kind": "junction"},
               {"name": "sea", "kind": "sink"}],
        links=[{"name": "upper", "from": "head", "to": "mid", "kind": "reach"},
               {"name": "lower", "from": "mid", "to": "sea", "kind": "reach"}],
        demands=[{"name": "town", "node": "head", "sector": "domestic", "demand_hm3_day": 6,
                  "consumption_fraction": 0.5, "return_to": "mid"},
                 {"name": "farm", "node": "mid", "sector": "irrigation", "demand_hm3_day": 8}],
        rules=[], environmental_flows=[],
    )  # fmt: skip
    e = explained(case, "farm")
    assert (e.delivered, e.short) == pytest.approx((7, 1))
    town = cause(e, "town")
    assert (town.lift, town.gain, town.rates) == (
        pytest.approx(2), pytest.approx(1), pytest.approx((0.5, 0.5)),
    )  # fmt: skip


def test_a_volume_without_a_certified_program_is_tried_a_little_smaller(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Were the town to take 3 less, the farm had all it lacks: a program that is as thin as can be.

    Here it is refused; a thousandth less is not, and no half of it is told in its place.  Where
    nothing that is tried can be certified, it is said that what the town would give is not told.
    """
    settled, target = settle(river(tmp_path)), Target(("farm",), (0,))
    column = settled.horizon.columns[id(settled.period.model.withdrawal["town"])][0]
    again, refused = Settled.again, 1e-9

    def thin(settled: Settled, program: MemberProgram, is_warm: bool = True) -> Settled:
        if program.col_upper[column] <= refused:
            raise Uncertified("E405 thin")
        return again(settled, program, is_warm)

    monkeypatch.setattr(Settled, "again", thin)
    town = cause(explain_shortage(settled, target), "town")
    assert (town.lift, town.gain) == (pytest.approx(2.997), pytest.approx(2.997))
    assert town.is_linear
    assert not caplog.records
    refused = 3 - 1e-9
    e = explain_shortage(settled, target)
    assert [c.limit.item for c in e.causes] == ["delta"]
    assert [record.message for record in caplog.records] == [
        "demand of 'town': what it would give is not told, as programs with it moved could not be "
        "certified"
    ]


def test_limits_that_just_end_a_shortage_of_the_pilot() -> None:
    """What just ends Ha Noi's shortage leaves its industry no water but rounding: prices of 4e7.

    The solver then stops, or what it finds is not certified; the gain of what is a little less was
    lost with it, or told for half the volume.
    """
    changes = {"hydrology.year": "2009-06", "linearisation": "fixed"}
    settled = settle(wateralloc.read_case("pilot_sharing", changes))
    demands = settled.case.basin.tables["demands"]
    users = tuple(demands.index[demands["province"] == "ha_noi"])
    wanted, requested = wanted_of(settled, Target(users, tuple(range(settled.case.n_periods))))
    best = most(settled.faces[-1].program, wanted)
    limits = Limits(settled.period, settled.horizon)
    search = Search(settled, limits, wanted, requested - best.value, best)
    places = {limit.text(): (limit, p) for limit, p in search.candidates(best).items()}
    found = search.cause(*places["demand of 'vinh_phuc_domestic'"])
    assert found is not None
    assert found.gain == pytest.approx(search.short, rel=2 * LESS)
    assert found.is_linear


def test_what_goals_leave_open_is_nobodys(tmp_path: Path) -> None:
    """Two of equal rank ask 3 and 8 of 7: which of them is short is left open."""
    case = river(tmp_path, goals=[{"meet": {}}])
    e = explained(case, "farm")
    assert e.free == (pytest.approx(5), pytest.approx(8))
    both = explained(case, "farm", "town")
    assert both.free == pytest.approx((8, 8))
    assert taken(both) == {"physics": 1, "environmental_flow": 1, "rule delta": 1}


def test_claimants_settled_together(tmp_path: Path) -> None:
    """8 are shared in proportion to 3 and 8: 8/11 of each claim; 1 hm3 more gives the farm 8/11."""
    goals = [{"share": {"among": "demand", "rule": "leximin", "window": "horizon"}}]
    e = explained(river(tmp_path, goals=goals), "farm")
    assert e.delivered == pytest.approx(64 / 11)
    (award,) = e.awards
    assert (award.claimant, award.claim, award.beside) == ("farm", 8, ("town",))
    assert award.level == pytest.approx(8 / 11)
    assert e.worth is not None
    assert e.worth.rates == pytest.approx((8 / 11, 8 / 11))
    delta = cause(e, "delta")
    assert (delta.lift, delta.gain) == (pytest.approx(1), pytest.approx(8 / 11))


def test_a_soft_rule_is_named_with_its_place(tmp_path: Path) -> None:
    """The delta's 2 come by order, before the farm: it is a goal that takes them."""
    soft = DELTA | {"soft": {"goal": 1}, "flow_m3s": 6 * M3S}
    e = explained(river(tmp_path, rules=[soft]), "farm")
    assert taken(e) == {"soft_rule delta": 4, "goal 2": 3}
    assert cause(e, "delta").gain == pytest.approx(5)


def test_a_plant_below_its_capacity(tmp_path: Path) -> None:
    """100 MW make 2.4 GWh a day.  A plant of 0.1 GWh to a hm3 gets 5 of 10: the town takes 5."""
    case = river(
        tmp_path,
        nodes=[{"name": "head", "kind": "inflow"}, {"name": "low", "kind": "junction"},
               {"name": "sea", "kind": "sink"}],
        links=[{"name": "turbine", "from": "head", "to": "low", "kind": "turbine"},
               {"name": "reach", "from": "low", "to": "sea", "kind": "reach"}],
        hydropower=[{"plant": "station", "link": "turbine", "capacity_mw": 100,
                     "efficiency_fraction": 1, "head_m": 36.7}],
        demands=[{"name": "town", "node": "head", "sector": "domestic", "demand_hm3_day": 5}],
        goals=[{"meet": {}}, {"maximise": "energy"}], rules=[], environmental_flows=[],
    )  # fmt: skip
    e = explain_shortage(settle(case), Target((), (0,), plants=("station",)))
    assert e.requested == pytest.approx(2.4)
    per_hm3 = e.reachable / 10
    assert e.delivered == pytest.approx(5 * per_hm3)
    assert taken(e) == {"physics": 2.4 - 10 * per_hm3, "goal 1": 5 * per_hm3}
    assert cause(e, "town").rates == pytest.approx((per_hm3, per_hm3))
    assert "GWh" in words.text(e)


# --- the same by new data -----------------------------------------------------------------------


def test_less_asked_in_the_case_file_gives_what_is_said(tmp_path: Path) -> None:
    """The whole job with the delta's flow lowered by what the explanation names."""
    e = explained(river(tmp_path / "a"), "farm")
    delta = cause(e, "delta")
    less = DELTA | {"flow_m3s": (2 - delta.lift) * M3S}
    before, after = (
        job.run(case).dataset["deficit"].sel(demand="farm").values.sum()
        for case in (river(tmp_path / "b"), river(tmp_path / "c", rules=[less]))
    )
    assert before - after == pytest.approx(delta.gain, abs=1e-6)


# --- what is asked ------------------------------------------------------------------------------


def two_days(folder: Path) -> Case:
    return river(folder, series=inflow(head=[10, 4]))


def test_worst_users_and_groups(tmp_path: Path) -> None:
    case = two_days(tmp_path)
    found = wateralloc.explain(case, worst=2)
    assert [e.target.demands for e in found] == [("farm",), ("town",)]
    (region,) = wateralloc.explain(case, region="upland", period="2001-01-02")
    assert region.target.periods == (1,)
    assert (region.requested, region.short) == pytest.approx((11, 9))
    (month,) = wateralloc.explain(case, demand="farm", period="2001-01")
    assert month.target.periods == (0, 1)
    (span,) = wateralloc.explain(case, demand="farm", period="2001-01-01..2001-01-01")
    assert span.target.periods == (0,)


def test_names_that_are_not_there_are_all_told(tmp_path: Path) -> None:
    case = two_days(tmp_path)
    with pytest.raises(CaseError) as error:
        wateralloc.explain(case, region="uplnd", sector="fishing")
    assert str(error.value).splitlines() == [
        "--region: E380 no region is called 'uplnd'; did you mean 'upland'?",
        "--sector: E380 no sector is called 'fishing'; known: domestic, irrigation",
    ]
    for asked, text in (
        ({"period": "2002"}, "--period 2002: E380 2002 is not within the horizon, 2001-01-01 to "
         "2001-01-02; name a day, month or span of it"),
        ({"period": "May"}, "--period May: E380 'May' is no date; write 2031-02-21, 2031-02, 2031 "
         "or FROM..TO"),
        ({"member": "x"}, "--member: E380 no member is called 'x'; known: 2001-01"),
        ({"plant": "x"}, "--plant: E380 no plant is called 'x'; known: none"),
        ({"demand": "town", "sector": "irrigation"},
         "explain: E380 no demand is of demand 'town', sector 'irrigation' together; name fewer"),
    ):  # fmt: skip
        with pytest.raises(CaseError) as error:
            wateralloc.explain(case, **asked)
        assert str(error.value) == text


def test_a_case_that_decides_step_by_step_is_refused(tmp_path: Path) -> None:
    case = river(tmp_path, more={"foresight": "simulate"})
    with pytest.raises(CaseError) as error:
        wateralloc.explain(case, demand="farm")
    assert str(error.value).endswith(
        "case.yaml: E381 foresight is simulate, which decides without all of the horizon in one "
        "program; add --set foresight=perfect for what stands behind a shortage with the whole "
        "horizon in sight"
    )


def test_a_case_without_a_solution_says_why(tmp_path: Path) -> None:
    case = river(tmp_path, rules=[DELTA | {"flow_m3s": 12 * M3S}])
    with pytest.raises(Infeasible, match="conflict of 2 hm3"):
        wateralloc.explain(case, demand="farm")


# --- what is printed ----------------------------------------------------------------------------

ENGLISH = """\
Farm · 2001-01-01 · member 2001-01
short by 3 of 8 hm3 (37.5 %)

  requested  8  what is asked
  reachable  8  water and works alone, with nobody else served
  entitled   8  what environmental flows and hard rules leave to it
  delivered  5  what it is given

Who has the water, in the order of the law [hm3]
  3  goal 1: meet domestic ({goal})

What holds it back: if it gave way
  minimum_delivery 'delta' ({rule}; Treaty of the river, Art. 3), 2001-01-01, now 2 hm3 (23.15 m3/s)
    1 hm3 less gives 1 hm3, up to 1 hm3 (1 hm3 in all)
Who takes water that would reach it
  Town, 2001-01-01, now 3 hm3
    1 hm3 less gives 1 hm3, up to 3 hm3 (3 hm3 in all)

1 hm3 more at Head gives it 1 hm3, up to 3 hm3 more
If it came before all goals it would be given 8 hm3, and there would be less of
  3 hm3  Town
What gives way was tried: with it, all goals were settled again.
"""
VIETNAMESE = """\
Nông trại · 2001-01-01 · kịch bản thủy văn 2001-01
thiếu 3 trong 8 triệu m³ (37.5 %)

  yêu cầu     8  lượng yêu cầu
  tới được    8  nếu chỉ có nước và công trình, không cấp cho ai khác
  được hưởng  8  phần còn lại sau dòng chảy tối thiểu và các quy tắc bắt buộc
  được cấp    5  lượng được cấp

Nước ở đâu, theo thứ tự của luật [triệu m³]
  3  mục tiêu 1: meet domestic ({goal})

Điều gì giữ lại: nếu nới ra
  minimum_delivery 'delta' ({rule}; Treaty of the river, Art. 3), 2001-01-01, hiện là 2 triệu m³ (23.15 m3/s)
    bớt 1 triệu m³ thì được thêm 1 triệu m³, cho tới 1 triệu m³ (tất cả 1 triệu m³)
Ai lấy phần nước có thể tới đó
  Thị trấn, 2001-01-01, hiện là 3 triệu m³
    bớt 1 triệu m³ thì được thêm 1 triệu m³, cho tới 3 triệu m³ (tất cả 3 triệu m³)

thêm 1 triệu m³ tại Đầu nguồn thì được 1 triệu m³, cho tới 3 triệu m³
Nếu đứng trước mọi mục tiêu thì được 8 triệu m³, và sẽ bớt đi
  3 triệu m³  Thị trấn
Mỗi điều nới ra đều đã thử: giải lại mọi mục tiêu với nó.
"""  # noqa: E501


@pytest.mark.parametrize(("lang", "text"), [("en", ENGLISH), ("vi", VIETNAMESE)])
def test_text_as_printed(tmp_path: Path, lang: str, text: str) -> None:
    case = river(tmp_path)
    places = {"goal": case.goal_positions[0], "rule": case.rule_positions[0]}
    (e,) = wateralloc.explain(case, demand="farm")
    assert words.text(e, lang) == text.format(**places)


def ran(*arguments: str) -> Result:
    return CliRunner().invoke(cli.app, list(arguments))


def test_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    case = two_days(tmp_path)
    monkeypatch.chdir(tmp_path)
    folder = job.run(case).write(tmp_path / "results" / "case")
    done = ran("explain", "case.yaml", "--worst", "1", "--json")
    assert done.exit_code == 0, done.output
    (found,) = json.loads(done.output)
    assert (found["demands"], found["deficit"]) == (["farm"], pytest.approx(11))
    assert found["unit"] == "hm3"
    assert sum(step["taken"] for step in found["taken"]) == pytest.approx(11)
    figure = tmp_path / "why.svg"
    done = ran("explain", str(folder), "--demand", "town", "--figure", str(figure), "--lang", "vi")
    assert done.exit_code == 0, done.output
    assert "thiếu 1 trong 6 triệu m³" in done.output
    assert "<svg" in figure.read_text(encoding="utf-8")
    done = ran("explain", "case.yaml", "--demand", "twon")
    assert done.exit_code == 2
    assert "did you mean 'town'?" in done.stderr


def test_figure_goes_from_what_is_asked_to_what_is_given(tmp_path: Path) -> None:
    """8 asked, 3 taken by the goal of the town, 5 given: three bars."""
    farm = explained(river(tmp_path), "farm")
    town = replace(farm, requested=6.0, delivered=3.0)
    (bars, below) = explanation_figure.draw([farm, town], "vi").datasets.values()
    assert [bar["n"] for bar in bars] == ["yêu cầu", "mục tiêu 1: meet domestic", "được cấp"]
    assert [(bar["a"], bar["z"]) for bar in bars] == [(0, 8), (5, 8), (0, 5)]
    assert [(bar["a"], bar["z"]) for bar in below] == [(0, 6), (3, 6), (0, 3)]
    for ending, first in ((".svg", b"<svg"), (".png", b"\x89PNG"), (".pdf", b"%PDF")):
        path = tmp_path / f"why{ending}"
        explanation_figure.write_figure([farm, town], path, "vi")
        assert path.read_bytes().startswith(first)
    assert (tmp_path / "why.svg").read_text(encoding="utf-8").count(">Nông trại · ") == 2
    with pytest.raises(InputError, match=r"why\.xyz: E107 a figure cannot be written as '\.xyz'"):
        explanation_figure.write_figure([farm], tmp_path / "why.xyz")


def test_a_long_name_stands_whole_above_its_bar() -> None:
    long = "goal 2: meet irrigation+livestock_other+aquaculture of the delta"
    chart = waterfall("Farm", "hm3", ["requested", long, "delivered"], [3], 8, 5)
    (bars,) = chart.datasets.values()
    assert bars[1]["n"] == long
    assert 6 * len(long) < chart.width  # letters of 11 px are some 6 px wide


# --- what a rule costs --------------------------------------------------------------------------


def test_what_a_rule_costs(tmp_path: Path) -> None:
    """The delta has 2 on each day; nature has 1 anyway, so the rule costs the farm 1 a day.

    On the second day 4 come: the town has 2 of 3, and would have all without the rule.
    A percent less of 2 hm3 is 0.02: it is worth as much to the first goal that it binds.
    """
    case = two_days(tmp_path)
    cost = rule_cost(case, "delta")
    figures = cost.figures.set_index(["scope", "name"])["cost"]
    assert figures["basin", "all"] == pytest.approx(2)
    assert figures["sector", "domestic"] == pytest.approx(1)
    assert figures["sector", "irrigation"] == pytest.approx(1)
    assert list(cost.by_price["goal"]) == [1, 2]
    # in the unit of the goals: fractions of 6 and of 16 hm3
    assert list(cost.by_price["gain"]) == pytest.approx([0.02 / 6, 0.02 / 16])
    assert list(cost.goals["with_rule"] - cost.goals["without"]) == pytest.approx([1 / 6, 1 / 16])
    with pytest.raises(CaseError) as error:
        rule_cost(case, "dleta")
    assert "has no rule 'dleta'; did you mean 'delta'?" in str(error.value)


def test_a_soft_rule_costs_what_its_place_takes(tmp_path: Path) -> None:
    """Its own goal is gone without it, and those behind it are still matched by their order."""
    soft = DELTA | {"soft": {"goal": 1}}
    cost = rule_cost(river(tmp_path, rules=[soft]), "delta")
    assert list(cost.goals["goal"]) == [2, 3]
    assert cost.figures["cost"].iloc[0] == pytest.approx(1)


def test_cost_of_a_rule_as_printed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    two_days(tmp_path)
    monkeypatch.chdir(tmp_path)
    done = ran("explain", "case.yaml", "--rule", "delta")
    assert done.exit_code == 0, done.output
    assert done.output.splitlines()[:2] == [
        "What minimum_delivery 'delta' (case.yaml:10:3; Treaty of the river, Art. 3) costs",
        "member 2001-01, 2001-01-01 – 2001-01-02",
    ]
    rows = [line.split() for line in done.output.splitlines()]
    assert ["whole", "basin", "12", "10", "2"] in rows
    assert "Cái giá của" in ran("explain", "case.yaml", "--rule", "delta", "--lang", "vi").output
    as_data = json.loads(ran("explain", "case.yaml", "--rule", "delta", "--json").output)
    assert as_data["figures"][0]["cost"] == pytest.approx(2)


def test_rates_are_numbers(tmp_path: Path) -> None:
    """Nothing in what is told is NaN or infinite."""
    (e,) = wateralloc.explain(river(tmp_path), demand="farm")
    data = json.dumps(words.as_data(e), allow_nan=False)
    assert np.isfinite([step["taken"] for step in json.loads(data)["taken"]]).all()
