"""Environmental flow: kept before users take theirs; canals do not count."""

from pathlib import Path

import pytest

from tests.small import check_golden, inflow, make_case, solve
from wateralloc import Infeasible

GOLDEN = Path(__file__).parent / "golden" / "environmental_flow.lp"


def river(folder, inflows=(10, 10)):
    return make_case(
        folder,
        periods=len(inflows),
        goals=[{"meet": {}}],
        nodes=[
            {"name": "head", "kind": "inflow"},
            {"name": "field", "kind": "junction"},
            {"name": "sea", "kind": "sink"},
        ],
        links=[
            {"name": "reach", "from": "head", "to": "sea", "kind": "reach"},
            {"name": "ditch", "from": "head", "to": "field", "kind": "canal"},
            {"name": "drain", "from": "field", "to": "sea", "kind": "reach"},
        ],
        demands=[{"name": "farm", "node": "field", "sector": "irrigation", "annual_hm3": 9 * 365}],
        environmental_flows=[{"name": "life", "node": "head", "minimum_hm3_day": 4}],
        series=inflow(head=inflows),
    )


def test_the_river_keeps_its_minimum(tmp_path):
    _, values = solve(river(tmp_path, (10, 20)))
    assert values["withdrawal"]["farm"] == [6, 9]
    assert values["flow_in"]["reach"][0] == 4
    assert values["river_flow"]["head"][1] >= 4


def test_a_minimum_beyond_the_water_is_infeasible_and_says_by_how_much(tmp_path):
    with pytest.raises(Infeasible, match=r" 1\.5 hm3 of environmental flow 'life': 2001-01-02"):
        solve(river(tmp_path, (10, 2.5)))


def test_golden(tmp_path):
    check_golden(river(tmp_path), GOLDEN)
