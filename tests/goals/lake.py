"""A lake with an outlet of 6 hm3 a day and a weir, above the sea."""

from tests.small import inflow, make_case


def lake(folder, goals):
    return make_case(
        folder,
        periods=2,
        goals=goals,
        nodes=[{"name": "lake", "kind": "reservoir"}, {"name": "sea", "kind": "sink"}],
        links=[
            {
                "name": "outlet",
                "from": "lake",
                "to": "sea",
                "kind": "turbine",
                "capacity_hm3_day": 6,
            },
            {"name": "weir", "from": "lake", "to": "sea", "kind": "spillway"},
        ],
        reservoirs=[
            {"name": "lake", "dead_hm3": 0, "normal_hm3": 10, "initial_hm3": 5, "target_hm3": 0}
        ],
        series=inflow(lake=[20, 0]),
    )
