"""Inflow on a spring and a sea."""

from pathlib import Path

import numpy as np

from tests.small import check_golden, inflow, make_case, solve

GOLDEN = Path(__file__).parent / "golden" / "inflow.lp"


def spring(folder, **basin):
    return make_case(
        folder,
        periods=3,
        goals=[{"minimise": "outflow"}],
        nodes=[{"name": "spring", "kind": "inflow"}, {"name": "sea", "kind": "sink"}],
        links=[{"name": "river", "from": "spring", "to": "sea", "kind": "reach"}],
        **basin,
    )


def test_inflow_is_all_the_water_there_is(tmp_path):
    _, values = solve(spring(tmp_path, series=inflow(spring=[3, 0, 7], sea=[1, 1, 1])))
    assert values["inflow"] == {"spring": [3, 0, 7], "sea": [1, 1, 1]}
    assert values["outflow"]["sea"] == [4, 1, 8]


def test_flow_becomes_volume_by_the_true_length_of_the_period(tmp_path):
    """1 m3/s is 0.0864 hm3 a day; February 2001 has 28 days."""
    case = spring(
        tmp_path,
        series={
            "inflow_m3s": {"date": ["2001-01-01", "2001-02-01", "2001-03-01"], "spring": [1, 1, 1]}
        },
        more={"timeline": {"start": "2001-01-01", "periods": 3, "step": "month"}},
    )
    _, values = solve(case)
    np.testing.assert_allclose(values["inflow"]["spring"], 0.0864 * np.array([31, 28, 31]))


def test_golden(tmp_path):
    check_golden(spring(tmp_path, series=inflow(spring=[3, 0, 7])), GOLDEN)
