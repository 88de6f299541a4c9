"""no_new_use on two fields of one river, by hand: 8 hm3 a day were asked in 2020, 12 in 2030."""

from pathlib import Path

import pytest

from tests.small import check_golden, inflow, make_case, solve
from wateralloc.errors import InputError

GOLDEN = Path(__file__).parent / "golden" / "no_new_use.lp"


def river(folder, goals=({"meet": {}},), demand=None, flow=100, **rule):
    """``hills -> plain -> sea``, a field at each."""
    return make_case(
        folder,
        periods=3,
        goals=goals,
        rules=[{"rule": "no_new_use", "name": "closed", "year": 2020} | rule],
        more={"demand": demand or {"year": 2030}},
        nodes=[
            {"name": "hills", "kind": "inflow"},
            {"name": "plain", "kind": "junction"},
            {"name": "sea", "kind": "sink"},
        ],
        links=[
            {"name": "upper", "from": "hills", "to": "plain", "kind": "reach"},
            {"name": "lower", "from": "plain", "to": "sea", "kind": "reach"},
        ],
        demands=[
            {"name": "tea", "node": "hills", "sector": "irrigation", "annual_hm3": 8 * 365},
            {"name": "rice", "node": "plain", "sector": "irrigation", "annual_hm3": 8 * 365},
            {"name": "town", "node": "plain", "sector": "domestic", "annual_hm3": 1 * 365},
        ],
        projections=[
            {"sector": sector, "year": year, "factor": factor}
            for sector in ("irrigation", "domestic")
            for year, factor in ((2020, 1), (2030, 1.5))
        ],
        series=inflow(hills=[flow] * 3),
    )


def test_users_above_a_section_stay_at_the_base_year(tmp_path):
    """The section lies at the plain, whose own users are not above it."""
    _, values = solve(river(tmp_path, above="plain"))
    assert values["withdrawal"] == {"tea": [8] * 3, "rice": [12] * 3, "town": [1.5] * 3}


def test_users_of_a_group_anywhere_may_grow_by_a_share(tmp_path):
    """1.25 x 8 = 10 of the 12 that the fields ask."""
    _, values = solve(river(tmp_path, sectors=["irrigation"], growth=0.25))
    assert values["withdrawal"] == {"tea": [10] * 3, "rice": [10] * 3, "town": [1.5] * 3}


def test_base_year_lies_between_two_projections(tmp_path):
    """2025: 8 x 1.25."""
    _, values = solve(river(tmp_path, above="sea", year=2025, sectors=["irrigation"]))
    assert values["withdrawal"]["tea"] == pytest.approx([10] * 3)


def test_a_case_that_asks_more_does_not_raise_the_base(tmp_path):
    """24 a day are tried, 8 were asked."""
    asked = {"year": 2020, "scale": {"irrigation": 3}}
    _, values = solve(river(tmp_path, demand=asked, above="plain"))
    assert values["demand"]["tea"] == pytest.approx([24] * 3)
    assert values["withdrawal"]["tea"] == pytest.approx([8] * 3)


def test_together_one_may_grow_by_what_another_leaves(tmp_path):
    """8 + 8 for both; the rice, that comes first, takes its 12 and leaves 4."""
    goals = [{"meet": {"demands": ["rice"]}}, {"meet": {}}]
    case = river(tmp_path, goals=goals, sectors=["irrigation"], together=True)
    _, values = solve(case)
    assert values["withdrawal"]["rice"] == pytest.approx([12] * 3)
    assert values["withdrawal"]["tea"] == pytest.approx([4] * 3)


def test_over_a_window_days_may_differ(tmp_path):
    """On no day more than the 12 that are asked, and 24 over the three days."""
    _, values = solve(river(tmp_path, above="plain", window="horizon"))
    assert sum(values["withdrawal"]["tea"]) == pytest.approx(24)


def test_soft_it_falls_short_by_the_new_use(tmp_path):
    goals = [{"meet": {}}, {"minimise": "spill"}]
    solution, values = solve(river(tmp_path, goals=goals, above="plain", soft={"goal": 2}))
    assert values["withdrawal"]["tea"] == pytest.approx([12] * 3)
    stage = solution.stages[0][1]
    assert (stage.name, stage.value) == ("2 keep closed", pytest.approx(3 * (12 - 8)))


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        ({"above": "hills"}, "E313 no demand of the group lies above 'hills'"),
        ({"above": "plan"}, "E313 unknown node 'plan'; did you mean 'plain'"),
        ({"year": 2035}, "E303 year is 2035 but the projections .* reach from 2020 to 2030"),
        ({"growth": -0.1}, "growth"),
    ],
)
def test_faults(tmp_path, rule, text):
    with pytest.raises(InputError, match=text):
        river(tmp_path, **rule)


def test_golden(tmp_path):
    check_golden(river(tmp_path, sectors=["irrigation"], window="horizon", growth=0.25), GOLDEN)
