"""prefer on a town with a river, a far lake and a well: in their order, whatever is lost."""

from pathlib import Path

import pytest

from tests.small import check_golden, inflow, make_case, solve
from wateralloc import InputError

GOLDEN = Path(__file__).parent / "golden" / "prefer.lp"


def town(folder, goals, has_sources=True, **lake):
    """The town asks 9 hm3 a day: first of the river (3), then of the lake (5), then of the well."""
    places = {"river": 10, "lake": 10, "well": 10}
    return make_case(
        folder,
        periods=2,
        goals=goals,
        nodes=[
            *({"name": name, "kind": "inflow"} for name in places),
            {"name": "sea", "kind": "sink"},
        ],
        links=[
            {"name": f"{name}_sea", "from": name, "to": "sea", "kind": "reach"} for name in places
        ],
        demands=[
            {"name": "town", "node": "river", "sector": "domestic", "annual_hm3": 9 * 365},
            {"name": "mill", "node": "river", "sector": "industry", "annual_hm3": 365},
        ],
        **({"sources": [
            {"name": "at_well", "demand": "town", "node": "well", "preference": 3},
            {"name": "at_lake", "demand": "town", "node": "lake", "preference": 2,
             "capacity_hm3_day": 5, **lake},
            {"name": "at_river", "demand": "town", "node": "river", "preference": 1,
             "capacity_hm3_day": 3},
        ]} if has_sources else {}),
        series=inflow(**{name: [volume] * 2 for name, volume in places.items()}),
    )  # fmt: skip


GOALS = [{"meet": {}}, {"prefer": {}}]


def test_sources_are_used_in_their_order(tmp_path):
    """9 = 3 + 5 + 1; the optimum counts the lake's once and the well's twice, on two days."""
    solution, values = solve(town(tmp_path, GOALS))
    assert values["drawn"] == {"at_river": [3, 3], "at_lake": [5, 5], "at_well": [1, 1]}
    stage = solution.stages[0][1]
    assert stage.name == "2 prefer first sources of all"
    assert stage.value == pytest.approx(2 * (5 + 2 * 1))


def test_order_holds_whatever_is_lost_on_the_way(tmp_path):
    """The lake comes before the well although 60 % of it is lost: 9 = 3 + 0.4 x 5 + 4."""
    _, values = solve(town(tmp_path, GOALS, loss_fraction=0.6))
    assert values["drawn"] == {"at_river": [3, 3], "at_lake": [5, 5], "at_well": [4, 4]}


def test_same_preference_is_free(tmp_path):
    """The lake is as good as the river; which of them is used is left to the goals that follow."""
    goals = [*GOALS, {"maximise": {"quantity": "drawn", "of": ["at_lake"]}}]
    _, values = solve(town(tmp_path, goals, preference=1, capacity_hm3_day=7))
    assert values["drawn"] == {"at_river": [2, 2], "at_lake": [7, 7], "at_well": [0, 0]}


def test_who_has_no_choice_of_sources_has_nothing_to_prefer(tmp_path):
    """Where all users are meant the goal may have nothing to do, as in a basin without sources."""
    solution, values = solve(town(tmp_path, GOALS, has_sources=False))
    assert values["withdrawal"] == {"town": [9, 9], "mill": [1, 1]}
    assert solution.stages[0][1].value == 0


@pytest.mark.parametrize(
    ("users", "text"),
    [
        ({"sectors": ["domestc"]}, "E313 .*'domestc'; did you mean 'domestic'"),
        ({"demands": ["mill"]}, r"E313 no demand of these has a row in sources\.csv"),
    ],
)
def test_faults(tmp_path, users, text):
    with pytest.raises(InputError, match=text):
        town(tmp_path, [{"meet": {}}, {"prefer": users}])


def test_golden(tmp_path):
    check_golden(town(tmp_path, GOALS), GOLDEN)
