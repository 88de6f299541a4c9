"""Pumping on a spring, a hill and a sea: energy of the water lifted, and its cost, by hand."""

from pathlib import Path

from tests.small import check_golden, days, inflow, make_case, solve

GOLDEN = Path(__file__).parent / "golden" / "pumping.lp"


def pumped(
    folder, goals=({"meet": {}}, {"minimise": "pumping_energy"}), more_series=None, **of_pump
):
    """10 hm3 a day; the field on the hill takes 4, 6 and 6 of it through a main that loses 20 %.

    So that its user gets 3.2, 4.8 and 4.8 hm3, the pump lifts 4, 6 and 6: at 0.25 kWh/m3 that takes
    1, 1.5 and 1.5 GWh.
    """
    return make_case(
        folder,
        periods=3,
        goals=list(goals),
        nodes=[
            {"name": "spring", "kind": "inflow"},
            {"name": "hill", "kind": "junction"},
            {"name": "sea", "kind": "sink"},
        ],
        links=[
            {"name": "river", "from": "spring", "to": "sea", "kind": "reach"},
            {
                "name": "main",
                "from": "spring",
                "to": "hill",
                "kind": "pump",
                "capacity_hm3_day": 6,
                "loss_fraction": 0.2,
            },
            {"name": "drain", "from": "hill", "to": "sea", "kind": "canal"},
        ],
        demands=[{"name": "field", "node": "hill", "sector": "irrigation", "demand_hm3_day": 5}],
        pumps=[{"link": "main", "energy_kwh_m3": 0.25, **of_pump}],
        series=inflow(spring=[4, 10, 10]) | (more_series or {}),
    )


def test_energy_follows_what_enters_the_link(tmp_path):
    solution, values = solve(pumped(tmp_path))
    assert values["withdrawal"]["field"] == [3.2, 4.8, 4.8]
    assert values["flow_in"]["main"] == [4, 6, 6]
    assert values["pumping_energy"] == {"main": [1, 1.5, 1.5]}
    assert values["pumping_energy_cost"] == {}  # it has no price
    assert solution.stages[0][1].value == 4
    assert solution.stages[0][1].unit == "GWh"


def test_cost_of_the_energy(tmp_path):
    """1,600 VND/kWh are 1,600 million VND for each GWh."""
    _, values = solve(pumped(tmp_path, price_vnd_kwh=1600))
    assert values["pumping_energy_cost"] == {"main": [1600, 2400, 2400]}


def test_cheapest_day_to_pump(tmp_path):
    """A tank on the hill is filled on the day when energy is cheap.

    4 hm3 have to be in the tank in the end. The price is 3, 1 and 2 VND/kWh; the pump lifts at most
    3 hm3 a day, so 3 go up on the second day and 1 on the third: 0.5 x (3 x 1 + 1 x 2) = 2.5.
    """
    case = make_case(
        tmp_path,
        periods=3,
        goals=[{"minimise": "pumping_energy_cost"}],
        nodes=[
            {"name": "spring", "kind": "inflow"},
            {"name": "tank", "kind": "reservoir"},
            {"name": "sea", "kind": "sink"},
        ],
        links=[
            {"name": "river", "from": "spring", "to": "sea", "kind": "reach"},
            {
                "name": "main",
                "from": "spring",
                "to": "tank",
                "kind": "pump",
                "capacity_hm3_day": 3,
            },
            {"name": "outlet", "from": "tank", "to": "sea", "kind": "canal"},
        ],
        reservoirs=[
            {"name": "tank", "dead_hm3": 0, "normal_hm3": 9, "initial_hm3": 0, "target_hm3": 4}
        ],
        pumps=[{"link": "main", "energy_kwh_m3": 0.5, "price_vnd_kwh": "pattern:price"}],
        patterns=[
            {"pattern": "price", "start": f"01-0{day}", "value": value, "unit": "vnd_kwh"}
            for day, value in ((1, 3), (2, 1), (3, 2))
        ],
        series=inflow(spring=[10, 10, 10]),
    )
    solution, values = solve(case)
    assert values["flow_in"]["main"] == [0, 3, 1]
    assert values["pumping_energy"]["main"] == [0, 1.5, 0.5]
    assert values["pumping_energy_cost"]["main"] == [0, 1.5, 1]
    assert solution.stages[0][0].value == 2.5


def test_price_from_a_series(tmp_path):
    """1, 1.5 and 1.5 GWh at 1, 2 and 4 VND/kWh."""
    case = pumped(
        tmp_path,
        more_series={"price_vnd_kwh": {"date": days(3), "main": [1, 2, 4]}},
    )
    _, values = solve(case)
    assert values["pumping_energy_cost"]["main"] == [1, 3, 6]


def test_golden(tmp_path):
    """The goal has 0.25 kWh/m3 x 1,600 VND/kWh = 400 VND for each m3 that enters the main."""
    goals = [{"minimise": "pumping_energy_cost"}, {"meet": {}}]
    check_golden(pumped(tmp_path, goals, price_vnd_kwh=1600), GOLDEN)
