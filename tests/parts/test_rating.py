"""Rating of a town by the flow at a weir, in two riverbeds, by hand."""

from pathlib import Path

import pytest

from tests.small import check_golden, inflow, make_case, solve
from wateralloc.parts.epochs import row_in, years_text
from wateralloc.parts.rating import rating_of
from wateralloc.results.dataset import collect

GOLDEN = Path(__file__).parent / "golden" / "rating.lp"
M3S = 1 / 0.0864  # one hm3 a day as a flow


def town(folder, inflows=(2, 4, 12), **changes):
    """2 m takes 2 hm3 a day in the old bed and 5 in the new; the farm at the weir takes 1 first."""
    curves = {"old": [(1, 1), (2, 2), (6, 3)], "new": [(2, 1), (5, 2), (9, 3)]}
    basin = {
        "nodes": [
            {"name": "weir", "kind": "inflow"},
            {"name": "town", "kind": "control"},
            {"name": "sea", "kind": "sink"},
        ],
        "links": [
            {"name": "river", "from": "weir", "to": "town", "kind": "reach"},
            {"name": "lower", "from": "town", "to": "sea", "kind": "reach"},
        ],
        "demands": [{"name": "farm", "node": "weir", "sector": "irrigation", "annual_hm3": 365}],
        "curves": [
            {"curve": name, "x": flow * M3S, "y": level, "x_unit": "m3s", "y_unit": "m"}
            for name, points in curves.items()
            for flow, level in points
        ],
        "ratings": [
            {"name": "bed_2018", "node": "town", "flow_at": "weir", "curve": "new",
             "from_year": 2018},
            {"name": "bed_2005", "node": "town", "flow_at": "weir", "curve": "old",
             "from_year": 2005, "to_year": 2009},
            {"name": "tide", "node": "sea", "curve": "old"},
        ],
        "series": inflow(weir=inflows),
    }  # fmt: skip
    return make_case(folder, periods=len(inflows), goals=[{"meet": {}}], **(basin | changes))


def test_level_by_every_rating(tmp_path):
    """1, 3 and 11 hm3 a day pass: 1, 2.25 and, on the last line of 1/4 m a hm3, 4.25 m.

    By the new bed the first line of 1/3 m a hm3 goes on down to 2/3 m; then 4/3, and 3.5.
    """
    case = town(tmp_path)
    solution, _ = solve(case)
    level = collect(solution).dataset["river_level"]
    assert level.dims == ("member", "time", "rating")
    assert level.attrs["units"] == "m"
    assert level.sel(rating="bed_2005").values[0] == pytest.approx([1, 2.25, 4.25])
    assert level.sel(rating="bed_2018").values[0] == pytest.approx([2 / 3, 4 / 3, 3.5])
    assert level.sel(rating="tide").values[0] == pytest.approx([1, 2.25, 4.25])


@pytest.mark.parametrize(
    ("riverbed", "rating"),
    [(1990, "bed_2005"), (2005, "bed_2005"), (2009, "bed_2005"), (2017, "bed_2005"),
     (2018, "bed_2018"), (2050, "bed_2018")],
)  # fmt: skip
def test_rating_of_a_riverbed(tmp_path, riverbed, rating):
    """Before the first epoch the first, in a gap the one before, after the last the last."""
    basin = town(tmp_path).basin
    assert rating_of(basin, "town", "weir", riverbed) == rating
    assert rating_of(basin, "sea", "sea", riverbed) == "tide"
    assert rating_of(basin, "town", "town", riverbed) is None


def test_years_in_words(tmp_path):
    rows = town(tmp_path).basin.tables["ratings"]
    assert [years_text(rows.loc[name]) for name in rows.index] == [
        "from 2018", "2005 to 2009", "all years",
    ]  # fmt: skip
    assert row_in(rows, 1800) == "tide"  # its years have no beginning


def test_golden(tmp_path):
    check_golden(town(tmp_path), GOLDEN)
