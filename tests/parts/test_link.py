"""Link on a spring and a sea: capacity, minimum, loss, cost and lag, by hand."""

from pathlib import Path

from tests.small import check_golden, inflow, make_case, solve

GOLDEN = Path(__file__).parent / "golden" / "link.lp"
NODES = [{"name": "spring", "kind": "inflow"}, {"name": "sea", "kind": "sink"}]


def lagged(folder):
    """10, 20, 30 hm3 leave the spring; a tenth is lost; it travels one day after 5 hm3 a day."""
    link = {
        "name": "river",
        "from": "spring",
        "to": "sea",
        "kind": "reach",
        "loss_fraction": 0.1,
        "lag_periods": 1,
        "initial_hm3_day": 5,
        "cost_vnd_m3": 2,
    }
    return make_case(
        folder,
        periods=3,
        goals=[{"minimise": "cost"}],
        nodes=NODES,
        links=[link],
        series=inflow(spring=[10, 20, 30]),
    )


def test_lag_loss_and_cost(tmp_path):
    solution, values = solve(lagged(tmp_path))
    assert values["flow_in"]["river"] == [10, 20, 30]
    assert values["flow_out"]["river"] == [4.5, 9, 18]
    assert values["loss"]["river"] == [0.5, 1, 2]
    assert values["outflow"]["sea"] == [4.5, 9, 18]
    assert values["cost"]["river"] == [20, 40, 60]  # 2 VND/m3 of 10, 20, 30 hm3, in million VND
    assert solution.stages[0][0].value == 120


def test_capacity_and_minimum_choose_between_links(tmp_path):
    """30 hm3 a day: at least 4 and at most 12 by the dear canal, the rest by the cheap one."""
    links = [
        {
            "name": "cheap",
            "from": "spring",
            "to": "sea",
            "kind": "canal",
            "capacity_hm3_day": 25,
            "cost_vnd_m3": 1,
        },
        {
            "name": "dear",
            "from": "spring",
            "to": "sea",
            "kind": "canal",
            "minimum_hm3_day": 4,
            "capacity_hm3_day": 12,
            "cost_vnd_m3": 3,
        },
    ]
    case = make_case(
        tmp_path,
        periods=2,
        goals=[{"minimise": "cost"}],
        nodes=NODES,
        links=links,
        series=inflow(spring=[30, 10]),
    )
    _, values = solve(case)
    assert values["flow_in"]["cheap"] == [25, 6]
    assert values["flow_in"]["dear"] == [5, 4]


def test_golden(tmp_path):
    check_golden(lagged(tmp_path), GOLDEN)
