import numpy as np
import pytest
from pydantic import BaseModel, ValidationError

from wateralloc.seasonal import Seasonal
from wateralloc.timeline import Pattern, Timeline

DEKADS = Timeline("2030-01-01", 6, "dekad")  # to the end of February: 10, 10, 11, 10, 10, 8 days
PATTERN = Pattern("level", ((1, 1), (1, 16)), (2.0, 6.0), "m3s")


def test_a_number_holds_all_year():
    value = Seasonal(5)
    assert value.on(DEKADS, {}).tolist() == [5] * 6
    assert value.active(DEKADS).all()
    assert value.at_end(DEKADS, {}).tolist() == [5] * 6
    assert value.active_at_end(DEKADS).all()


def test_a_pattern_gives_the_mean_of_its_days():
    value = Seasonal("pattern:level")
    # dekad 2 is 11 to 20 January: five days at 2, five at 6
    np.testing.assert_allclose(value.on(DEKADS, {"level": PATTERN}), [2, 4, 6, 6, 6, 6], rtol=1e-15)
    assert value.at_end(DEKADS, {"level": PATTERN}).tolist() == [2, 6, 6, 6, 6, 6]
    assert list(value.pattern_names()) == ["level"]


def test_months_and_spans_are_silent_elsewhere():
    months = Seasonal({"months": [2], "value": 8})
    assert months.on(DEKADS, {}).tolist() == [0, 0, 0, 8, 8, 8]
    assert months.active(DEKADS).tolist() == [False] * 3 + [True] * 3

    span = Seasonal({"from": "01-16", "to": "01-21", "value": 11})
    np.testing.assert_allclose(span.on(DEKADS, {}), [0, 5.5, 1, 0, 0, 0], rtol=1e-15)
    assert span.active(DEKADS).tolist() == [False, True, True, False, False, False]
    assert span.at_end(DEKADS, {}).tolist() == [0, 11, 0, 0, 0, 0]
    assert span.active_at_end(DEKADS).tolist() == [False, True, False, False, False, False]


def test_a_span_goes_around_new_year():
    span = Seasonal({"from": "12-31", "to": "01-01", "value": 1})
    days = Timeline("2029-12-30", 5, "day")
    assert span.on(days, {}).tolist() == [0, 1, 1, 0, 0]


@pytest.mark.parametrize("last", ["02-28", "02-29"])
def test_the_leap_day_goes_with_the_day_before_it(last):
    span = Seasonal({"from": "02-27", "to": last, "value": 1})
    assert span.on(Timeline("2028-02-27", 4, "day"), {}).tolist() == [1, 1, 1, 0]
    assert span.on(Timeline("2030-02-27", 3, "day"), {}).tolist() == [1, 1, 0]


def test_later_entries_win_where_they_overlap():
    value = Seasonal(
        [
            {"months": [1], "value": 4},
            {"from": "01-21", "to": "02-10", "value": "pattern:level"},
            {"from": "02-10", "to": "02-10", "value": 1},
        ]
    )
    assert value.on(DEKADS, {"level": PATTERN}).tolist() == [4, 4, 6, 5.5, 0, 0]
    assert value.active(DEKADS).tolist() == [True] * 4 + [False] * 2


def test_check_tells_unknown_patterns_and_wrong_units():
    value = Seasonal(["pattern:levle", {"months": [1], "value": "pattern:level"}])
    faults = value.check("minimum_hm3", {"level": PATTERN}, "volume")
    assert [(key, code) for key, code, _ in faults] == [("minimum_hm3", "E223")] * 2
    assert "did you mean 'level'?" in faults[0][2]
    assert "unit 'm3s', which is no volume" in faults[1][2]
    assert Seasonal("pattern:level").check("flow_m3s", {"level": PATTERN}, "flow") == []


@pytest.mark.parametrize(
    ("value", "loc"),
    [
        (-1, ()),
        (float("nan"), ()),
        (True, ()),
        ("1200", ()),
        ("pattern:", ()),
        ([], ()),
        ({"months": [1]}, ("value",)),
        ({"months": [13], "value": 1}, ("months", 0)),
        ({"months": [1], "value": 1, "to": "02-01"}, ("from",)),
        ({"from": "02-30", "to": "03-01", "value": 1}, ("from",)),
        ({"from": "1-2", "to": "03-01", "value": 1}, ("from",)),
        ([1, {"months": [1], "value": "x"}], (1, "value")),
    ],
)
def test_bad_values_are_refused_where_they_stand(value, loc):
    class Clause(BaseModel):
        flow: Seasonal

    with pytest.raises(ValidationError) as caught:
        Clause(flow=value)
    locs = [
        tuple(step for step in error["loc"][1:] if " " not in str(step))
        for error in caught.value.errors()
    ]
    assert loc in locs


def test_its_schema_names_the_ways_to_write_it():
    text = str(Seasonal.model_json_schema())
    for word in ("months", "from", "to", "value", "pattern:"):
        assert word in text
