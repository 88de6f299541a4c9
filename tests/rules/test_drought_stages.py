"""drought_stages on a lake with a field and a mill, by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.small import check_golden, inflow, make_case, solve
from tests.unit.test_period import check_units, scalars
from wateralloc import read_case
from wateralloc.errors import CaseError
from wateralloc.period import build_period

GOLDEN = Path(__file__).parent / "golden" / "drought_stages.lp"
WHOLE = {"integers": True, "linearisation": "fixed"}
STAGES = [
    {"stage": "alert", "below_hm3": 25, "cut": {"irrigation": 0.5}},
    {"stage": "drought", "below_hm3": 12, "cut": {"irrigation": 0.8, "industry": 0.5}},
]


def lake(
    folder: Path,
    flows: list[float],
    more: dict[str, Any] | None = None,
    goals: Any = (),
    series: Any = None,
    **rule: Any,
) -> Any:
    """A river through a lake of 40 hm3, half full and more; rice asks 10 a day, a mill 2."""
    rule = {"trigger": {"storage_of": ["lake"]}, "stages": STAGES} | rule
    return make_case(
        folder,
        periods=len(flows),
        goals=[{"meet": {}}, {"maximise": "storage_end"}, *goals],
        rules=[{"rule": "drought_stages", "name": "stages", **rule}],
        more=WHOLE if more is None else more,
        nodes=[
            {"name": "head", "kind": "inflow"},
            {"name": "lake", "kind": "reservoir"},
            {"name": "sea", "kind": "sink"},
        ],
        links=[
            {"name": "upper", "from": "head", "to": "lake", "kind": "reach"},
            {"name": "lower", "from": "lake", "to": "sea", "kind": "reach"},
        ],
        reservoirs=[
            {"name": "lake", "dead_hm3": 0, "normal_hm3": 40, "initial_hm3": 30, "target_hm3": 0}
        ],
        demands=[
            {"name": "rice", "node": "lake", "sector": "irrigation", "annual_hm3": 3650},
            {"name": "mill", "node": "lake", "sector": "industry", "annual_hm3": 730},
        ],
        series=series or inflow(head=flows),
    )


def stages_of(solution: Any, member: int = 0) -> list[float]:
    (report,) = [r for r in solution.period.model.reports if r.name == "stage"]
    return [round(float(v), 6) for v in solution.value(report.value)[member]]


def test_the_storage_on_the_day_tells_the_stage(tmp_path: Path) -> None:
    """30: no stage, 12 go; 18: alert, but only 6 go; so 12 are left: alert, 7; then drought, 3.

    Who does not look ahead takes 12, 7, 3 and 3: it is the foresight that saves the 1 hm3.
    """
    solution, values = solve(lake(tmp_path, [0, 0, 0, 0]))
    check_units(scalars(solution.period))
    got = np.sum([values["withdrawal"][d] for d in ("rice", "mill")], axis=0)
    assert sum(got) == pytest.approx(12 + 6 + 7 + 3)
    start = [30.0, *values["storage_end"]["lake"][:-1]]
    assert stages_of(solution) == [float((s < 25) + (s < 12)) for s in start]
    cut = {0: (10, 2), 1: (5, 2), 2: (2, 1)}
    for t, stage in enumerate(stages_of(solution)):
        assert values["withdrawal"]["rice"][t] <= cut[int(stage)][0] + 1e-9
        assert values["withdrawal"]["mill"][t] <= cut[int(stage)][1] + 1e-9


@pytest.mark.parametrize(("stored", "taken"), [(11, 7.5), (9, 7.167), (7, 7.083), (5, 7.0)])
def test_tiers_of_lake_mead(tmp_path: Path, stored: float, taken: float) -> None:
    """Of 7.5 million acre-feet a year the lower basin takes 7.167, 7.083 and 7.0 by tiers of 2007.

    The tiers are by the level of the lake, 1075, 1050 and 1025 ft; here by storages for them, of
    10, 8 and 6.
    """
    tiers = [
        {"stage": f"tier_{k}", "below_hm3": below, "cut": 1 - of / 7.5}
        for k, (below, of) in enumerate(((10, 7.167), (8, 7.083), (6, 7.0)), 1)
    ]
    more = {"changes": {
        "demands": {"rice": {"annual_hm3": 6.5 * 365}, "mill": {"annual_hm3": 365}},
        "reservoirs": {"lake": {"initial_hm3": stored}},
    }}  # fmt: skip
    _, values = solve(lake(tmp_path, [9.0], more | WHOLE, stages=tiers))
    assert values["withdrawal"]["rice"][0] + values["withdrawal"]["mill"][0] == pytest.approx(taken)


def test_a_decision_holds_until_the_next(tmp_path: Path) -> None:
    """Decided on 1 and 3 January: no stage on two days, of which 18 are taken, not 24.

    So 12 are left on the third: alert, and both days together take them all.
    """
    solution, values = solve(lake(tmp_path, [0, 0, 0, 0], decided=["01-01", "01-03"]))
    assert stages_of(solution)[0] == stages_of(solution)[1] == 0
    assert stages_of(solution)[2] == stages_of(solution)[3]
    total = sum(values["withdrawal"]["rice"]) + sum(values["withdrawal"]["mill"])
    assert total == pytest.approx(30)


@pytest.mark.parametrize(
    ("trigger", "stages"), [("inflow_at", [0, 0, 1]), ("forecast_at", [0, 1, 1])]
)
def test_a_flow_is_known_beforehand(tmp_path: Path, trigger: str, stages: list[int]) -> None:
    """Flows of 20, 2 and 2 hm3 a day; below 10 hm3 a day is a stage.

    Looking back a day: 20 (the first day has only its own), 20 and 2; looking at the day: 20, 2, 2.
    """
    flows = [20.0, 2.0, 2.0]
    rule = {
        "trigger": {trigger: ["head"], "periods": 1},
        "stages": [{"stage": "low", "below_m3s": 10e6 / 86400, "cut": 0.5}],
    }
    solution, values = solve(lake(tmp_path, flows, {}, **rule))
    assert stages_of(solution) == stages
    rice = [5.0 if stage else 10.0 for stage in stages]
    assert values["withdrawal"]["rice"] == pytest.approx(rice)


def test_a_forecast_near_the_end_is_of_what_is_left(tmp_path: Path) -> None:
    """Of 12, 12, 6 and 14 hm3 a day the three to come are 10, 10.67, 10 and 14 on the mean."""
    rule = {
        "trigger": {"forecast_at": ["head"], "periods": 3},
        "stages": [{"stage": "low", "below_m3s": 10.5e6 / 86400, "cut": 0.5}],
    }
    solution, _ = solve(lake(tmp_path, [12.0, 12.0, 6.0, 14.0], {}, **rule))
    assert stages_of(solution) == [1, 0, 1, 0]


DATES = [str(np.datetime64("2001-01-01") + k) for k in range(3 * 365 + 1)]


def of_years(step: str, start: str, periods: int, *years: str) -> dict[str, Any]:
    """Keys of a case whose members are years of the record."""
    return {
        "timeline": {"start": start, "periods": periods, "step": step},
        "hydrology": {"record": "historic", "years": list(years)},
    }


@pytest.mark.parametrize(
    ("step", "periods", "decides"),
    [
        ("month", 6, [0, 0, 0, 1, 1, 1]),  # November to April: 25 February decides for February
        ("dekad", 18, [0] * 11 + [1] * 7),  # 25 February lies in the last dekad of February
        ("day", 181, [0] * 116 + [1] * 65),
    ],
)
def test_a_day_of_decision_counts_for_its_period(
    tmp_path: Path, step: str, periods: int, decides: list[int]
) -> None:
    flows = [9.0] * len(DATES)
    case = lake(
        tmp_path, flows, of_years(step, "2001-11-01", periods, "2001-11") | WHOLE,
        decided=["02-25"],
        series={"inflow_hm3_day": {"date": DATES, "head": flows}},
    )  # fmt: skip
    (rule,) = case.rules
    assert rule.decisions(case).tolist() == decides


def test_29_february(tmp_path: Path) -> None:
    """It is the 28th where there is none, and in a leap year no second day of decision."""
    flows = [9.0] * len(DATES)
    more = {"timeline": {"start": "2004-02-27", "periods": 4, "step": "day"},
            "hydrology": {"record": "historic", "years": ["2003-02"]}}  # fmt: skip
    for day in ("02-28", "02-29"):
        case = lake(
            tmp_path / day, flows, more | WHOLE, decided=[day],
            series={"inflow_hm3_day": {"date": DATES, "head": flows}},
        )  # fmt: skip
        (rule,) = case.rules
        assert rule.decisions(case).tolist() == [0, 1, 1, 1]


def test_members_decide_for_themselves(tmp_path: Path) -> None:
    """By dekads: in the wet year 12 hm3 come a day, as much as is asked, and nothing is cut.

    In the dry year 4 come, and 30 are stored: 110 in all.  Who takes the 70 of the first dekad is
    cut to 30 in the second.  Foresight keeps what a milder stage needs, and takes all.
    """
    flows = [12.0] * 365 + [4.0] * 731
    case = lake(
        tmp_path, flows, of_years("dekad", "2001-01-01", 2, "2001-01", "2002-01") | WHOLE,
        series={"inflow_hm3_day": {"date": DATES, "head": flows}},
    )  # fmt: skip
    solution, values = solve(case)
    m = solution.period.model
    assert stages_of(solution, 0) == [0, 0]
    assert values["withdrawal"]["rice"] == pytest.approx([100, 100])
    for k in (0, 1):
        start = solution.value(m.storage_start["lake"])[k]
        assert stages_of(solution, k) == [float((s < 25) + (s < 12)) for s in start]
    taken = solution.value(m.withdrawal["rice"] + m.withdrawal["mill"])[1]
    assert taken.sum() == pytest.approx(30 + 80)


def test_soft_stages_are_broken_where_a_goal_before_wants_it(tmp_path: Path) -> None:
    rule = {
        "trigger": {"forecast_at": ["head"], "periods": 1},
        "stages": [{"stage": "low", "below_m3s": 1e4, "cut": {"irrigation": 0.5}}],
        "soft": {"goal": 2},
    }
    solution, values = solve(lake(tmp_path, [20.0, 20.0], {}, **rule))
    assert values["withdrawal"]["rice"] == [10, 10]
    (keep,) = [s for s in solution.stages[0] if s.name == "2 keep stages"]
    assert keep.value == pytest.approx(10)


def test_a_case_must_allow_decisions_of_yes_or_no(tmp_path: Path) -> None:
    with pytest.raises(CaseError, match=r"case.yaml:\d+:\d+: E332 rule 'stages' makes decisions"):
        build_period(lake(tmp_path, [0.0], {}))


def test_decisions_need_fixed_lines(tmp_path: Path) -> None:
    lake(tmp_path, [0.0])
    with pytest.raises(CaseError, match="E332 integers is true while linearisation is updated"):
        read_case(tmp_path / "case.yaml", {"linearisation": "updated"})


def test_golden(tmp_path: Path) -> None:
    check_golden(lake(tmp_path, [0.0, 0.0], decided=["01-01"]), GOLDEN)
