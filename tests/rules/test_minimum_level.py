"""minimum_level of a town by the flow past a weir, by hand: the bed sinks between two epochs."""

from pathlib import Path

import pytest

from tests.small import check_golden, inflow, make_case, solve
from wateralloc.errors import CaseError
from wateralloc.period import build_period

GOLDEN = Path(__file__).parent / "golden" / "minimum_level.lp"
M3S = 1 / 0.0864  # one hm3 a day as a flow


def curve(name, *points):
    """Rows of curves.csv: flow [hm3 a day] and level [m]."""
    return [
        {"curve": name, "x": flow * M3S, "y": level, "x_unit": "m3s", "y_unit": "m"}
        for flow, level in points
    ]


def town(folder, inflows=(10, 10, 10), more=None, **rule):
    """A farm at the weir asks 8; the town's level goes with the flow past the weir.

    In the old riverbed 2 m takes 2 hm3 a day and 3 m takes 6; in the new one 5 and 9.
    """
    return make_case(
        folder,
        periods=len(inflows),
        goals=[{"meet": {}}],
        rules=[
            {"rule": "minimum_level", "name": "gates", "at": "town", "flow_at": "weir"} | rule
        ],
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
        curves=[*curve("old", (1, 1), (2, 2), (6, 3)), *curve("new", (2, 1), (5, 2), (9, 3))],
        ratings=[
            {"name": "bed_2005", "node": "town", "flow_at": "weir", "curve": "old",
             "from_year": 2005, "to_year": 2009},
            {"name": "bed_2018", "node": "town", "flow_at": "weir", "curve": "new",
             "from_year": 2018},
        ],
        series=inflow(weir=inflows),
        more=more,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("riverbed", "level", "farm"),
    [(2005, 2.5, 6), (2009, 2, 8), (2015, 2.5, 6), (2018, 2.5, 3), (2030, 2.5, 3), (1990, 2.5, 6)],
)
def test_level_takes_more_water_in_the_sunken_bed(tmp_path, riverbed, level, farm):
    """2.5 m takes 4 hm3 a day in the old bed, which holds in the gap too, and 7 in the new."""
    _, values = solve(town(tmp_path, level_m=level, riverbed=riverbed))
    assert values["withdrawal"]["farm"] == pytest.approx([farm] * 3)


def test_riverbed_of_the_case_unless_the_rule_has_its_own(tmp_path):
    case = town(tmp_path / "of_case", level_m=2.5, more={"riverbed": 2020})
    assert solve(case)[1]["withdrawal"]["farm"] == pytest.approx([3] * 3)
    case = town(tmp_path / "own", level_m=2.5, riverbed=2005, more={"riverbed": 2020})
    assert solve(case)[1]["withdrawal"]["farm"] == pytest.approx([6] * 3)


def test_each_day_takes_its_own_flow(tmp_path):
    """2 m, then 3 m, in dekads from 1 January: 10 days of 2 hm3, then 5 of 2 and 5 of 6."""
    case = town(
        tmp_path,
        level_m=[2, {"from": "01-16", "to": "01-31", "value": 3}],
        more={
            "timeline": {"start": "2001-01-01", "periods": 2, "step": "dekad"},
            "hydrology": {"record": "historic", "members": "all"},
        },
        inflows=[10] * 20,
    )
    (row,) = build_period(case).rule_rows
    assert row.required.value.tolist() == pytest.approx([20, 40])


def test_days_without_a_level_ask_nothing(tmp_path):
    case = town(tmp_path, level_m={"from": "01-02", "to": "01-02", "value": 3})
    solution, values = solve(case)
    assert values["withdrawal"]["farm"] == pytest.approx([8, 4, 8])
    # one hm3 more past the weir costs one hm3 of deficit
    assert solution.stages[0][0].rule_price["gates"] == pytest.approx([1])


def test_soft_level_falls_short(tmp_path):
    """3 m takes 6 of 5 hm3: the farm gets nothing, and 1 is missing each day."""
    case = town(tmp_path, (5, 5), level_m=3, soft={"goal": 1})
    solution, values = solve(case)
    assert solution.stages[0][0].value == pytest.approx(2)
    assert values["withdrawal"]["farm"] == pytest.approx([0, 0])


@pytest.mark.parametrize(
    ("more", "rule", "text"),
    [
        (
            {},
            {"riverbed": 2020, "level_m": [2, {"months": [3], "value": 3.2}]},
            "E317 level 3.2 m at 'town' is outside rating 'bed_2018' (from 2018) of riverbed 2020, "
            "which covers 1 to 3 m; ask for a level within it, or extend its curve",
        ),
        (
            {"riverbed": 2011},
            {"level_m": 0.5},
            "E317 level_m of rule 'gates': level 0.5 m at 'town' is outside rating 'bed_2005' "
            "(2005 to 2009) of riverbed 2011, which covers 1 to 3 m; ask for a level within it, "
            "or extend its curve",
        ),
        (
            {},
            {"flow_at": "town", "level_m": 2},
            "E317 no rating gives the level at 'town' by the flow at 'town'; add one to "
            "ratings.csv, or set flow_at (ratings: town by the flow at weir)",
        ),
        (
            {},
            {"flow_at": "wier", "level_m": 2},
            "E313 unknown node 'wier'; did you mean 'weir'?",
        ),
    ],
)
def test_faults(tmp_path, more, rule, text):
    with pytest.raises(CaseError) as caught:
        build_period(town(tmp_path, more=more, **rule))
    (fault,) = caught.value.faults
    assert f"{fault.code} {fault.text}" == text
    assert fault.at.file.endswith("case.yaml")
    assert fault.at.line > 0


def test_golden(tmp_path):
    level = [{"months": [1], "value": 2}, {"from": "01-02", "to": "01-02", "value": 2.5}]
    check_golden(town(tmp_path, level_m=level, riverbed=2018), GOLDEN)
