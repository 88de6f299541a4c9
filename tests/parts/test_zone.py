"""Zones of two reservoirs above the sea: which one a goal fills first, by hand."""

from pathlib import Path

import numpy as np
import pytest

from tests.small import check_golden, inflow, make_case, solve
from wateralloc.errors import TableError
from wateralloc.parts.zone import in_zone

GOLDEN = Path(__file__).parent / "golden" / "zone.lp"
ZONES = [
    {"name": "upper_buffer", "reservoir": "upper", "top_hm3": 40},
    {"name": "lower_buffer", "reservoir": "lower", "top_hm3": 30},
    {"name": "upper_rest", "reservoir": "upper", "top_hm3": 100},
    {"name": "lower_rest", "reservoir": "lower", "top_hm3": 100},
]
BUFFERS_FIRST = [
    {"maximise": {"quantity": "zone_storage", "of": ["upper_buffer", "lower_buffer"]}},
    {"maximise": {"quantity": "zone_storage", "of": ["lower_rest"], "when": "last"}},
]


def cascade(folder, *, inflows=(10, 45, 35), goals=BUFFERS_FIRST, zones=ZONES, more=None, works=()):
    """``upper -> lower -> sea``; both have a dead storage of 10 and hold it at the start."""
    sizes = {"dead_hm3": 10, "normal_hm3": 100, "initial_hm3": 10, "filling_days": 1}
    reservoirs = [{"name": "upper", **sizes}, {"name": "lower", **sizes}]
    if works:
        reservoirs[0]["initial_hm3"] = 0
    return make_case(
        folder,
        periods=len(inflows),
        goals=goals,
        more=more,
        nodes=[
            {"name": "upper", "kind": "reservoir"},
            {"name": "lower", "kind": "reservoir"},
            {"name": "sea", "kind": "sink"},
        ],
        links=[
            {"name": "gorge", "from": "upper", "to": "lower", "kind": "turbine"},
            {"name": "outlet", "from": "lower", "to": "sea", "kind": "turbine"},
        ],
        reservoirs=reservoirs,
        zones=zones,
        series=inflow(upper=inflows),
        **({"works": works} if works else {}),
    )


def test_buffers_fill_before_what_is_above_them(tmp_path):
    """The buffers take 30 and 20 hm3.  10 + 45 come by day 2, so both are full then and 5 lie above
    one of them; with the 35 of day 3 all 40 hm3 above the buffers end in the lower reservoir."""
    _, values = solve(cascade(tmp_path))
    buffers = np.array([values["zone_storage"][z] for z in ("upper_buffer", "lower_buffer")])
    assert buffers.sum(axis=0).tolist() == pytest.approx([10, 50, 50])
    last = {zone: at[-1] for zone, at in values["zone_storage"].items()}
    assert last == pytest.approx(
        {"upper_buffer": 30, "lower_buffer": 20, "upper_rest": 0, "lower_rest": 40}
    )
    assert values["storage_end"]["lower"][-1] == pytest.approx(10 + 20 + 40)


def test_results_report_the_water_that_lies_in_a_zone(tmp_path):
    """A goal that values the top zone alone puts water there first; the report says where it is."""
    goals = [{"maximise": {"quantity": "zone_storage", "of": ["upper_rest"]}}]
    solution, values = solve(cascade(tmp_path, inflows=(20, 0), goals=goals))
    valued = solution.value(solution.period.model.zone_storage["upper_rest"])
    assert valued[0].tolist() == pytest.approx([20, 20])
    assert values["zone_storage"]["upper_rest"] == pytest.approx([0, 0])
    assert values["zone_storage"]["upper_buffer"] == pytest.approx([20, 20])


@pytest.mark.parametrize(
    ("storage", "water"), [(5.0, 0.0), (10.0, 0.0), (25.0, 15.0), (40.0, 30.0), (90.0, 30.0)]
)
def test_water_in_a_zone(storage, water):
    assert in_zone(10.0, 40.0, storage) == water


def test_zones_of_a_new_reservoir_stay_empty_until_it_has_filled(tmp_path):
    """`upper` opens on 2 January and has to hold its dead storage, 10, by the end of that day."""
    case = cascade(
        tmp_path,
        inflows=(10, 12, 5),
        goals=BUFFERS_FIRST[:1],
        more={"works": {"dam": "2001-01-02"}},
        works=[{"name": "dam", "reservoir": "upper"}],
    )
    _, values = solve(case)
    assert values["storage_end"]["upper"][0] == 0
    assert values["storage_end"]["upper"][1] >= 10
    assert values["zone_storage"]["upper_buffer"][0] == 0
    inside = sum(values["zone_storage"][z][-1] for z in ("upper_buffer", "upper_rest"))
    assert values["storage_end"]["upper"][-1] == pytest.approx(10 + inside)


@pytest.mark.parametrize(
    ("tops", "text"),
    [
        (
            {"upper_buffer": 10},
            "zones.csv:2:20: E269 top 10 hm3 of zone 'upper_buffer' is not above dead storage 10 "
            "of 'upper'; must be above it, with the lowest zone first",
        ),
        (
            {"upper_buffer": 100},
            "zones.csv:4:18: E269 top 100 hm3 of zone 'upper_rest' is not above the top of the "
            "zone before it, 100 of 'upper'; must be above it, with the lowest zone first",
        ),
        (
            {"lower_rest": 90},
            "zones.csv:5:18: E269 zones of 'lower' end at 90 hm3, the top of 'lower_rest'; must "
            "end at normal storage 100: correct the top or add a zone",
        ),
    ],
)
def test_zones_rise_from_dead_to_normal_storage(tmp_path, tops, text):
    zones = [{**zone, "top_hm3": tops.get(zone["name"], zone["top_hm3"])} for zone in ZONES]
    with pytest.raises(TableError) as caught:
        cascade(tmp_path, zones=zones)
    assert str(caught.value).endswith(text)


def test_golden(tmp_path):
    check_golden(cascade(tmp_path), GOLDEN)
