"""Sources of a town between a spring, a far lake and the sea: order, loss, cost; by hand."""

from pathlib import Path

import pytest

from tests.small import check_golden, inflow, make_case, solve
from wateralloc.parts.demand import drawn_at
from wateralloc.results import collect

GOLDEN = Path(__file__).parent / "golden" / "source.lp"
SOURCES = [
    {"name": "weir", "demand": "town", "node": "spring", "capacity_hm3_day": 4, "cost_vnd_m3": 1},
    {
        "name": "pipe",
        "demand": "town",
        "node": "hill",
        "preference": 2,
        "cost_vnd_m3": 3,
        "loss_fraction": 0.2,
        "loss_to": "spring",
    },
]


def town(folder, goals=({"meet": {}}, {"minimise": "source_cost"}), sources=SOURCES, **tables):
    """``hill -> spring -> sea``; the town lies by the sea, where it draws nothing.

    It asks 8 hm3 a day and returns a quarter; a mill at the spring asks 1.
    """
    return make_case(
        folder,
        periods=2,
        goals=list(goals),
        nodes=[
            {"name": "hill", "kind": "inflow"},
            {"name": "spring", "kind": "inflow"},
            {"name": "sea", "kind": "sink", "region": "coast"},
        ],
        links=[
            {"name": "brook", "from": "hill", "to": "spring", "kind": "reach"},
            {"name": "river", "from": "spring", "to": "sea", "kind": "reach"},
        ],
        demands=[
            {
                "name": "town",
                "node": "sea",
                "sector": "domestic",
                "annual_hm3": 8 * 365,
                "consumption_fraction": 0.75,
                "return_to": "sea",
            },
            {"name": "mill", "node": "spring", "sector": "industry", "annual_hm3": 365},
        ],
        **({"sources": sources} if sources else {}),
        **{"series": inflow(hill=[10, 2], spring=[3, 3]), **tables},
    )


def test_withdrawal_is_what_all_sources_deliver(tmp_path):
    """The weir gives its 4; the pipe draws 5, of which 1 seeps to the spring and 4 arrive.

    Day 1: the spring has 3 + (10 - 5) + 1 = 9, less 4 and the mill's 1; the sea gets 4 and the
    town's returned 2.  Day 2: 5 come in all, 4 go through the weir and 1 to the mill.  The pipe
    would bring no more to both together, as what it leaves reaches the spring, at a higher cost.
    """
    solution, values = solve(town(tmp_path))
    assert values["drawn"] == {"weir": [4, 4], "pipe": [5, 0]}
    assert values["withdrawal"] == {"town": [8, 4], "mill": [1, 1]}
    assert values["delivery_loss"] == {"weir": [0, 0], "pipe": [1, 0]}
    assert values["delivery_seepage"] == {"pipe": [1, 0]}
    assert values["source_cost"] == {"weir": [4, 4], "pipe": [15, 0]}
    assert values["outflow"]["sea"] == [6, 1]
    assert solution.stages[0][1].value == pytest.approx(23)


def test_water_is_drawn_from_the_nodes_of_the_sources(tmp_path):
    """The town's own node gives nothing; what the mill draws at the spring adds to the weir's."""
    solution, _ = solve(town(tmp_path))
    m, balance = solution.period.model, solution.period.balance
    taken = {n: solution.value(drawn_at(m, n))[0].tolist() for n in m.node}
    assert taken == {"hill": [5, 0], "spring": [5, 5], "sea": [0, 0]}
    for node in ("hill", "spring"):
        sign, amount = balance[node]["withdrawal"]
        assert sign == -1
        assert solution.value(amount)[0].tolist() == taken[node]
    assert "withdrawal" not in balance["sea"]


def test_own_node_is_a_source_when_a_row_names_it(tmp_path):
    """Drawn where it lies, the town is limited by its row: 3 of its 8 hm3, at no loss."""
    sources = [{"name": "well", "demand": "town", "node": "sea", "capacity_hm3_day": 3}]
    _, values = solve(town(tmp_path, [{"meet": {}}], sources))
    assert values["withdrawal"]["town"] == [3, 3]
    assert values["outflow"]["sea"][0] == pytest.approx(3 + 10 - 1 - 3 + 0.75)


def test_loss_leaves_the_basin_where_no_node_takes_it(tmp_path):
    """Of 13 the mill takes 1; 2.5 of the 5 in the pipe arrive, and 0.625 return."""
    pipe = {"name": "pipe", "demand": "town", "node": "hill", "loss_percent": 50}
    sources = [pipe | {"capacity_hm3_day": 5}]
    _, values = solve(town(tmp_path, [{"meet": {}}], sources))
    assert values["withdrawal"]["town"] == [2.5, 1]
    assert values["delivery_loss"]["pipe"] == [2.5, 1]
    assert values["delivery_seepage"] == {}
    assert values["outflow"]["sea"][0] == pytest.approx(13 - 5 - 1 + 0.625)


def test_table_of_results(tmp_path):
    tables = collect(solve(town(tmp_path))[0]).tables()
    table = tables["sources"]
    assert list(table) == [
        "member", "period_start", "source", "demand", "node", "preference", "drawn_hm3",
        "delivered_hm3", "delivery_loss_hm3", "cost",
    ]  # fmt: skip
    assert table.iloc[1].to_list()[1:] == [
        "2001-01-01", "pipe", "town", "hill", 2, 5, 4, 1, 15,
    ]  # fmt: skip
    place = tables["allocation"].set_index("demand").loc["town", ["node", "region"]]
    assert set(place["node"]) == {"sea"}
    assert set(place["region"]) == {"coast"}
    assert tables["balance"]["residual_hm3"].abs().max() < 1e-9


def test_basin_without_sources_has_no_such_table(tmp_path):
    case = town(tmp_path, [{"meet": {}}], sources=[])
    assert "sources" not in collect(solve(case)[0]).tables()


def test_golden(tmp_path):
    check_golden(town(tmp_path), GOLDEN)
