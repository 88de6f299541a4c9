"""release_window below a lake, by hand: a canal takes what is not asked of the river."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.small import check_golden, inflow, make_case, solve
from tests.unit.test_period import check_units, scalars
from wateralloc.errors import CaseError
from wateralloc.period import build_period

GOLDEN = Path(__file__).parent / "golden" / "release_window.lp"
M3S = 1 / 0.0864  # one hm3 a day as a flow
WHOLE = {"integers": True, "linearisation": "fixed"}
WEIR = [{"at": "weir", "flow_m3s": 6 * M3S}]


def best(earliest: str, latest: str, days: int) -> dict[str, Any]:
    """A window whose start is chosen."""
    return {"earliest": earliest, "latest": latest, "length_days": days}


def named(start: str, days: int) -> dict[str, Any]:
    """A window whose start is named."""
    return {"start": start, "length_days": days}


def river(
    folder: Path,
    flows: list[float],
    windows: list[dict[str, Any]],
    more: dict[str, Any] | None = None,
    goals: Any = ({"meet": {}},),
    series: Any = None,
    **rule: Any,
) -> Any:
    """``weir -> town -> sea``: a farm at the weir asks 8 a day, and 6 are to pass it in a window.

    The town stands at 2 m when 2 hm3 a day pass, at 3 m with 6.
    """
    return make_case(
        folder,
        periods=len(flows),
        goals=list(goals),
        rules=[{"rule": "release_window", "name": "spell", "places": WEIR, "windows": windows}
               | rule],
        more=more,
        nodes=[
            {"name": "weir", "kind": "inflow"},
            {"name": "town", "kind": "control"},
            {"name": "sea", "kind": "sink"},
        ],
        links=[
            {"name": "river", "from": "weir", "to": "town", "kind": "reach"},
            {"name": "lower", "from": "town", "to": "sea", "kind": "reach"},
        ],
        demands=[{"name": "farm", "node": "weir", "sector": "irrigation", "annual_hm3": 8 * 365}],
        curves=[
            {"curve": "stage", "x": flow * M3S, "y": level, "x_unit": "m3s", "y_unit": "m"}
            for flow, level in ((2, 2), (6, 3))
        ],
        ratings=[{"name": "bed", "node": "town", "flow_at": "weir", "curve": "stage"}],
        series=series or inflow(weir=flows),
    )  # fmt: skip


def reports(solution: Any, member: int = 0) -> dict[tuple[str, str], list[float]]:
    """What the rule reports, by name and item."""
    return {
        (r.name, r.item): np.round(
            np.broadcast_to(
                solution.value(r.value), (solution.case.n_members, solution.case.n_periods)
            )[member],
            9,
        ).tolist()
        for r in solution.period.model.reports
    }


def test_a_named_window_asks_its_days(tmp_path: Path) -> None:
    """2 and 3 January: of 10 the farm has 4 there, and all 8 else; nothing is decided."""
    case = river(tmp_path, [10] * 4, [named("01-02", 2)])
    _, values = solve(case)
    assert values["withdrawal"]["farm"] == pytest.approx([8, 4, 4, 8])


def test_the_first_days_may_be_free(tmp_path: Path) -> None:
    case = river(tmp_path, [10] * 4, [named("01-02", 2)], free_days=1)
    _, values = solve(case)
    assert values["withdrawal"]["farm"] == pytest.approx([8, 8, 4, 8])


def test_a_level_is_a_flow_by_the_rating(tmp_path: Path) -> None:
    """2.5 m takes 4 hm3 a day; flow and level share their days, and the larger one binds."""
    level = {"at": "town", "flow_at": "weir", "level_m": 2.5}
    case = river(tmp_path, [10] * 3, [named("01-02", 1)], places=[level])
    _, values = solve(case)
    assert values["withdrawal"]["farm"] == pytest.approx([8, 6, 8])
    case = river(tmp_path, [10] * 3, [named("01-02", 1)], places=[level, *WEIR])
    _, values = solve(case)
    assert values["withdrawal"]["farm"] == pytest.approx([8, 4, 8])


def test_the_best_start_is_where_the_river_has_it(tmp_path: Path) -> None:
    """Two days from the 1st to the 4th: only 3 and 4 January pass 6 beside the 8 of the farm."""
    case = river(tmp_path, [9, 9, 15, 14, 9, 9], [best("01-01", "01-04", 2)], WHOLE)
    solution, values = solve(case)
    assert values["withdrawal"]["farm"] == pytest.approx([8] * 6)
    assert reports(solution) == {
        ("start", "window 1"): [0, 0, 1, 0, 0, 0],
        ("days", ""): [0, 0, 1, 1, 0, 0],
        ("asked", "weir"): [0, 0, 6, 6, 0, 0],
    }
    check_units(scalars(solution.period))


def test_the_best_start_lies_between_earliest_and_latest(tmp_path: Path) -> None:
    """3 January is too late: of the 2nd and 3rd the second day is free of cost, the first not."""
    case = river(tmp_path, [9, 9, 15, 15, 9, 9], [best("01-01", "01-02", 2)], WHOLE)
    solution, values = solve(case)
    assert reports(solution)["start", "window 1"] == [0, 1, 0, 0, 0, 0]
    assert sum(values["withdrawal"]["farm"]) == pytest.approx(6 * 8 - 5)


@pytest.mark.parametrize(("gap", "second", "missed"), [(0, 2, 0), (2, 4, 5)])
def test_windows_keep_their_gap(tmp_path: Path, gap: int, second: int, missed: float) -> None:
    """Water for four days from the 1st; with two days between only half of it serves.

    Then the second is on the 5th and 6th, and the 5th has but 9: the farm misses 5.
    """
    flows = [15, 15, 15, 15, 9, 15, 9, 9]
    windows = [best("01-01", "01-04", 2), best("01-02", "01-05", 2)]
    case = river(tmp_path, flows, windows, WHOLE, gap_days=gap)
    solution, values = solve(case)
    of = reports(solution)
    assert of["start", "window 1"].index(1) == 0
    assert of["start", "window 2"].index(1) == second
    assert 8 * 8 - sum(values["withdrawal"]["farm"]) == pytest.approx(missed)


def test_a_named_window_keeps_the_next_away(tmp_path: Path) -> None:
    """The first is on the 2nd; the next may begin on the 4th at the earliest, after a day."""
    flows = [15, 15, 15, 9, 15, 9]
    windows = [named("01-02", 1), best("01-03", "01-05", 1)]
    case = river(tmp_path, flows, windows, WHOLE, gap_days=1)
    solution, values = solve(case)
    of = reports(solution)
    assert of["start", "window 2"] == [0, 0, 0, 0, 1, 0]
    assert of["days", ""] == [0, 1, 0, 0, 1, 0]
    assert of["asked", "weir"] == [0, 6, 0, 0, 6, 0]
    assert sum(values["withdrawal"]["farm"]) == pytest.approx(6 * 8)


def test_and_keeps_the_one_before_it_away(tmp_path: Path) -> None:
    """The second is on the 5th; the first must end by the 3rd, though the 4th has the water."""
    flows = [9, 9, 9.5, 15, 15, 9]
    windows = [best("01-01", "01-04", 1), named("01-05", 1)]
    case = river(tmp_path, flows, windows, WHOLE, gap_days=1)
    solution, _ = solve(case)
    assert reports(solution)["start", "window 1"] == [0, 0, 1, 0, 0, 0]


DEKADS: dict[str, Any] = {
    "timeline": {"start": "2001-01-01", "periods": 3, "step": "dekad"},
    "hydrology": {"record": "historic", "members": "all"},
}


def test_days_of_a_longer_period_add_up(tmp_path: Path) -> None:
    """8 to 12 January: three days of the first dekad and two of the second, 18 and 12 hm3."""
    case = river(tmp_path, [10] * 31, [named("01-08", 5)], DEKADS)
    (row,) = build_period(case).rule_rows
    assert row.required.value.tolist() == pytest.approx([18, 12, 0])


def test_the_best_start_in_dekads(tmp_path: Path) -> None:
    """From the 8th or from the 11th; 5 days lie 3 + 2, or 5, and the second dekad has the water."""
    flows = [8.5] * 10 + [11] * 10 + [8] * 11
    case = river(tmp_path, flows, [best("01-08", "01-15", 5)], DEKADS | WHOLE)
    solution, values = solve(case)
    assert sum(values["withdrawal"]["farm"]) == pytest.approx(8 * 31)
    of = reports(solution)
    assert of["start", "window 1"] == [0, 1, 0]
    assert of["days", ""] == [0, 5, 0]
    assert of["asked", "weir"] == pytest.approx([0, 30, 0])


def test_members_and_years_choose_for_themselves(tmp_path: Path) -> None:
    """Months of two years, which a window around New Year spans: one start in each, by member.

    In the horizon from July to June after next the windows of both turns of the year lie.
    """
    start = np.datetime64("2001-07-01")
    size = 365 * 3 + 1
    flows = np.full(size, 8.0)
    dates = [str(start + k) for k in range(size)]
    for day in ("2001-12", "2003-01", "2004-01"):
        flows[[d.startswith(day) for d in dates]] = 10.0
    more = {
        "timeline": {"start": "2001-07-01", "periods": 24, "step": "month"},
        "hydrology": {"record": "historic", "years": ["2001-07", "2002-07"]},
    }
    windows = [best("12-10", "01-20", 4)]
    case = river(
        tmp_path, list(flows), windows, more | WHOLE,
        series={"inflow_hm3_day": {"date": dates, "weir": flows.tolist()}},
    )  # fmt: skip
    solution, _ = solve(case)
    started = [np.flatnonzero(reports(solution, k)["start", "window 1"]).tolist() for k in (0, 1)]
    assert started == [[5, 18], [6, 18]]
    assert solution.stages[0][0].value == pytest.approx(0)
    assert solution.stages[1][0].value == pytest.approx(0)


def test_a_window_that_the_horizon_cuts(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Named: its days inside are asked. Chosen: silent, and said so."""
    case = river(tmp_path, [10] * 4, [named("12-30", 4)])
    _, values = solve(case)
    assert values["withdrawal"]["farm"] == pytest.approx([4, 4, 8, 8])
    case = river(tmp_path / "best", [10] * 4, [best("01-01", "01-03", 3)], WHOLE)
    _, values = solve(case)
    assert values["withdrawal"]["farm"] == pytest.approx([8] * 4)
    assert "window 1, which may be from 2001-01-01 to 2001-01-05, is not whole" in caplog.text


def test_29_february_is_the_28th_elsewhere(tmp_path: Path) -> None:
    case = river(tmp_path, [10] * 60, [named("02-29", 1)])
    (row,) = build_period(case).rule_rows
    assert np.flatnonzero(row.required.value).tolist() == [58]


def test_soft_window_falls_short(tmp_path: Path) -> None:
    """Two days of 5 and 4 hm3: 6 are asked of one of them; 1 is missing on the better day."""
    case = river(
        tmp_path, [5, 4, 5], [best("01-01", "01-02", 1)], WHOLE,
        goals=[{"meet": {}}], soft={"goal": 1},
    )  # fmt: skip
    solution, values = solve(case)
    assert solution.stages[0][0].value == pytest.approx(1)
    assert values["withdrawal"]["farm"] == pytest.approx([0, 4, 5], abs=1e-6)


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        ({"windows": [{"length_days": 3}]}, "has start: best; give earliest and latest"),
        ({"windows": [named("01-02", 3) | {"latest": "01-03"}]},
         "starts on 01-02; leave out latest"),
        ({"places": [{"at": "weir"}]}, "give either flow_m3s or level_m"),
        ({"places": [{"at": "weir", "flow_m3s": 3, "riverbed": 2000}]},
         "has flow_at or riverbed, which belong to level_m"),
        ({"places": [{"at": "wier", "flow_m3s": 3}]},
         "E313 unknown node 'wier'; did you mean 'weir'?"),
        ({"places": [{"at": "town", "level_m": 2.5}]},
         "E317 no rating gives the level at 'town' by the flow at 'town'"),
        ({"places": WEIR * 2}, "E334 'weir' is a place of the rule already"),
        ({"free_days": 2}, "E334 the window has 2 days and free_days is 2, so it would ask "
         "nothing; lengthen it, or lower free_days"),
        ({"windows": [named("01-02", 2), named("01-03", 2)]},
         "E334 the window starts by 01-03, but after those before it in the list, with gap_days "
         "0, there is no place before 01-04; move its days, or shorten a window before it"),
    ],
)  # fmt: skip
def test_faults(tmp_path: Path, rule: dict[str, Any], text: str) -> None:
    windows = rule.pop("windows", [named("01-02", 2)])
    with pytest.raises(CaseError) as caught:
        river(tmp_path, [10] * 4, windows, WHOLE, **rule)
    assert text in str(caught.value)


def test_periods_that_leave_no_start(tmp_path: Path) -> None:
    """In dekads the second may start on the 9th only, where the first ends on the 6th, gap 4."""
    windows = [best("01-02", "01-03", 4), best("01-09", "01-10", 4)]
    case = river(tmp_path, [10] * 31, windows, DEKADS | WHOLE, gap_days=4)
    with pytest.raises(CaseError) as caught:
        build_period(case)
    assert (
        "E335 rule 'spell': window 2 may start from 2001-01-09 with a period, at last with that "
        "from 2001-01-09, but the window before it leaves no place before 2001-01-10"
    ) in str(caught.value)


def test_a_chosen_start_needs_leave_of_the_case(tmp_path: Path) -> None:
    with pytest.raises(CaseError, match="E332 rule 'spell' makes decisions of yes or no"):
        build_period(river(tmp_path, [10] * 4, [best("01-01", "01-03", 1)]))


def test_a_level_of_a_riverbed_it_does_not_reach(tmp_path: Path) -> None:
    place = {"at": "town", "flow_at": "weir", "level_m": 3.5}
    case = river(tmp_path, [10] * 4, [named("01-01", 1)], places=[place])
    with pytest.raises(CaseError, match=r"E317 rule 'spell': level_m: level 3\.5 m at 'town'"):
        build_period(case)


def test_golden(tmp_path: Path) -> None:
    windows = [best("01-01", "01-02", 2), best("01-03", "01-04", 1)]
    check_golden(river(tmp_path, [9, 9, 15, 14], windows, WHOLE, gap_days=1), GOLDEN)
