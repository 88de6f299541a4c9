"""Sink on a spring and two seas: water leaves without a limit, and counts as a link to outside."""

from pathlib import Path

from tests.small import check_golden, inflow, make_case, solve

GOLDEN = Path(__file__).parent / "golden" / "sink.lp"


def two_seas(folder):
    return make_case(
        folder,
        periods=2,
        goals=[{"maximise": {"quantity": "outflow", "of": ["west"]}}],
        nodes=[
            {"name": "spring", "kind": "inflow"},
            {"name": "east", "kind": "sink"},
            {"name": "west", "kind": "sink"},
        ],
        links=[
            {"name": "to_east", "from": "spring", "to": "east", "kind": "reach"},
            {
                "name": "to_west",
                "from": "spring",
                "to": "west",
                "kind": "reach",
                "capacity_hm3_day": 8,
            },
        ],
        series=inflow(spring=[5, 20]),
    )


def test_water_leaves_at_the_sinks(tmp_path):
    solution, values = solve(two_seas(tmp_path))
    assert values["outflow"] == {"east": [0, 12], "west": [5, 8]}
    assert values["flow_in"]["west"] == values["flow_out"]["west"] == [5, 8]
    assert solution.stages[0][0].value == 13


def test_golden(tmp_path):
    check_golden(two_seas(tmp_path), GOLDEN)


def test_a_basin_may_be_one_place(tmp_path):
    """A town at the sea: 5 and 20 flow by, 8 are asked."""
    case = make_case(
        tmp_path,
        periods=2,
        goals=[{"meet": {}}],
        nodes=[{"name": "town", "kind": "sink"}],
        demands=[{"name": "homes", "node": "town", "sector": "domestic", "demand_hm3_day": 8}],
        series=inflow(town=[5, 20]),
    )
    _, values = solve(case)
    assert values["withdrawal"] == {"homes": [5, 8]}
    assert values["outflow"] == {"town": [0, 12]}
