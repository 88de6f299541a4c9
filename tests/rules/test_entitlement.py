"""entitlement of two holders at one river with water enough, by hand."""

from pathlib import Path

import numpy as np
import pytest

from tests.rules.months import by_month, months
from tests.small import check_golden, make_case, solve
from wateralloc import InputError

GOLDEN = Path(__file__).parent / "golden" / "entitlement.lp"
HOLDERS = {
    "hills": {"regions": ["north"], "volume_hm3": 6},
    "delta": {"regions": ["south"], "volume_hm3": 10},
}
WORTH = {"rice": 2, "maize": 1, "town": 9}


def river(folder, rice, maize, town=None, holders=HOLDERS, goals=({"meet": {}},), **rule):
    """What rice in the hills, maize in the delta and a town there ask, month by month [hm3]."""
    n = len(rice)
    town = [0] * n if town is None else town
    start = rule.pop("start", "2001-01")
    worth = rule.pop("worth", WORTH)
    return make_case(
        folder,
        periods=n,
        goals=goals,
        rules=[
            {"rule": "entitlement", "name": "rights", "window": "month", "holders": holders} | rule
        ],
        nodes=[{"name": "river", "kind": "inflow"}, {"name": "sea", "kind": "sink"}],
        links=[{"name": "reach", "from": "river", "to": "sea", "kind": "reach"}],
        demands=[
            {"name": name, "node": "river", "sector": sector, "region": region,
             "value_vnd_m3": worth.get(name)}
            for name, sector, region in (
                ("rice", "irrigation", "north"), ("maize", "irrigation", "south"),
                ("town", "domestic", "south"),
            )
        ],
        series={
            **by_month("inflow_hm3_day", start, river=[200] * n),
            **by_month("demand_hm3_day", start, rice=rice, maize=maize, town=town),
        },
        more=months(start, n),
    )  # fmt: skip


def told(solution, name):
    """What the rule reports under a name: holder -> values over the periods."""
    return {
        report.item: solution.horizon.value(report.value, solution.x)[0].tolist()
        for report in solution.period.model.reports
        if report.name == name
    }


def taken(values, *names):
    return np.sum([values["withdrawal"][name] for name in names], axis=0)


def test_each_holder_has_its_entitlement(tmp_path):
    """Maize and town share 10, rice has 6; what one does not use helps nobody."""
    solution, values = solve(river(tmp_path, [9, 2], [8, 8], [4, 1]))
    assert taken(values, "rice") == pytest.approx([6, 2])
    assert taken(values, "maize", "town") == pytest.approx([10, 9])
    assert [row.label for row in solution.period.rule_rows] == ["rights[hills]", "rights[delta]"]
    assert told(solution, "entitlement") == {"hills": [6, 6], "delta": [10, 10]}


def test_users_without_a_holder_are_free(tmp_path):
    holders = {"hills": {"regions": ["north"], "volume_hm3": 6}}
    _, values = solve(river(tmp_path, [9], [30], holders=holders))
    assert taken(values, "rice", "maize") == pytest.approx([36])


def test_share_of_what_its_users_ask(tmp_path):
    holders = {"all": {"sectors": ["irrigation", "domestic"], "share_of_demand": 0.5}}
    _, values = solve(river(tmp_path, [4, 10], [8, 0], [0, 2], holders=holders))
    assert taken(values, "rice", "maize", "town") == pytest.approx([6, 6])


def test_entitlement_of_a_year_over_its_months(tmp_path):
    """A year of 60 for rice that asks 10 a month from July; the half year has 60 too."""
    holders = {"hills": {"regions": ["north"], "volume_hm3": 60}}
    case = river(tmp_path, [10] * 18, [0] * 18, holders=holders, window="year", start="2001-07")
    _, values = solve(case)
    assert sum(taken(values, "rice")[:6]) == pytest.approx(60)
    assert sum(taken(values, "rice")[6:]) == pytest.approx(60)


# --- carry-over -----------------------------------------------------------------------------------


def test_unused_entitlement_is_carried_on_less_its_loss(tmp_path):
    """Rice asks 2 of 6 and may carry half of 6, of which a quarter is lost: 6 + 2.25."""
    case = river(tmp_path, [2, 9], [0, 0], carry_over={"share": 0.5, "loss": 0.25})
    solution, values = solve(case)
    assert taken(values, "rice") == pytest.approx([2, 8.25])
    assert told(solution, "carried_on")["hills"] == pytest.approx([3, 0])
    assert told(solution, "carried_in")["hills"] == pytest.approx([0, 2.25])


def test_carry_over_limit_as_a_volume(tmp_path):
    """4 are left of 6, one may go on; without loss."""
    _, values = solve(river(tmp_path, [2, 9], [0, 0], carry_over={"limit_hm3": 1}))
    assert taken(values, "rice") == pytest.approx([2, 7])


def test_what_is_not_used_is_carried_on_twice_within_the_limit(tmp_path):
    """Left are 6, then 6 + 3: 3 go on each time, so that month 3 has 6 + 3."""
    _, values = solve(river(tmp_path, [0, 0, 20], [0, 0, 0], carry_over={"share": 0.5}))
    assert taken(values, "rice") == pytest.approx([0, 0, 9])


def test_what_was_carried_on_before_the_horizon(tmp_path):
    """2 come in, a half is lost."""
    holders = {"hills": {**HOLDERS["hills"], "initial_hm3": 2}, "delta": HOLDERS["delta"]}
    case = river(tmp_path, [9], [20], holders=holders, carry_over={"share": 0.5, "loss": 0.5})
    _, values = solve(case)
    assert taken(values, "rice") == pytest.approx([7])
    assert taken(values, "maize") == pytest.approx([10])


def test_carried_over_the_months_between_two_seasons(tmp_path):
    """March and April have 6; 1 of the season of 2001 is left, and is there in March 2002.

    Between the seasons rice is free.
    """
    rice = [2, 3, *[7] * 10, 5, 5]
    case = river(
        tmp_path, rice, [0] * 14, start="2001-03", window="season", months=[3, 4],
        carry_over={"share": 1.0},
    )  # fmt: skip
    solution, values = solve(case)
    assert sum(taken(values, "rice")[:2]) == pytest.approx(5)
    assert taken(values, "rice")[2:12] == pytest.approx([7] * 10)
    assert sum(taken(values, "rice")[12:]) == pytest.approx(7)
    assert told(solution, "carried_on")["hills"][1] == pytest.approx(1)
    assert told(solution, "carried_in")["hills"][12] == pytest.approx(1)


# --- trade ----------------------------------------------------------------------------------------


def test_leases_let_water_go_where_it_is_worth_most(tmp_path):
    """In money: rice (2 a m3) asks 20, maize (1) asks 10; all of the delta's 10 go to the hills."""
    case = river(
        tmp_path, [20], [10], goals=[{"net_benefit": {}}], trade={"price_per_m3": 1.5}
    )  # fmt: skip
    solution, values = solve(case)
    assert taken(values, "rice") == pytest.approx([16])
    assert taken(values, "maize") == pytest.approx([0], abs=1e-9)
    assert told(solution, "leased_out")["delta"] == pytest.approx([10])
    assert told(solution, "leased_in")["hills"] == pytest.approx([10])
    assert told(solution, "trade_value") == {
        "hills": [pytest.approx(-15)], "delta": [pytest.approx(15)]
    }  # fmt: skip


@pytest.mark.parametrize(("limit", "leased"), [({"limit_share": 0.3}, 1.8), ({"limit_hm3": 3}, 3)])
def test_limit_holds_for_what_is_leased_in_too(tmp_path, limit, leased):
    """0.3 of the 6 of the hills is 1.8, less than 0.3 of the 10 of the delta."""
    case = river(tmp_path, [20], [10], goals=[{"net_benefit": {}}], trade=limit)
    _, values = solve(case)
    assert taken(values, "rice") == pytest.approx([6 + leased])
    assert taken(values, "maize") == pytest.approx([10 - leased])


def test_exchange_rate_and_costs(tmp_path):
    """4 of 10 are asked in the delta, 6 leased out, 3 got in the hills; accounts close."""
    trade = {"exchange_rate": 0.5, "price_per_m3": 2, "transaction_cost_per_m3": 0.5}
    solution, values = solve(river(tmp_path, [20], [4], trade=trade))
    assert taken(values, "rice", "maize") == pytest.approx([13])
    assert told(solution, "leased_out")["delta"] == pytest.approx([6])
    assert told(solution, "leased_in")["hills"] == pytest.approx([3])
    value = told(solution, "trade_value")
    assert (value["delta"][0], value["hills"][0]) == (pytest.approx(6), pytest.approx(-6))
    assert told(solution, "transaction_cost")["delta"] == pytest.approx([3])


def test_trade_stays_within_a_group(tmp_path):
    """The town and the maize of the delta trade; the hills are not in the group."""
    holders = {
        "hills": {"regions": ["north"], "volume_hm3": 6},
        "fields": {"demands": ["maize"], "volume_hm3": 8},
        "towns": {"sectors": ["domestic"], "volume_hm3": 2},
    }
    case = river(tmp_path, [20], [3], [9], holders=holders, trade={"within": [["fields", "towns"]]})
    _, values = solve(case)
    assert taken(values, "rice") == pytest.approx([6])
    assert taken(values, "maize", "town") == pytest.approx([10])
    assert taken(values, "town") >= 7 - 1e-9


def test_leases_are_of_one_window(tmp_path):
    """Month 1 has nothing to lease as the delta uses all; month 2 has 10."""
    _, values = solve(river(tmp_path, [20, 20], [10, 0], trade={}))
    assert sum(taken(values, "rice", "maize")) == pytest.approx(16 + 16)


def test_price_cap_keeps_water_that_is_worth_more_at_home(tmp_path):
    """The delta has 10: its town asks 3 at 9, its maize 7 at 1.  At a cap of 5 it leases out 7.

    The goal is rice first, so without the cap all 10 would go.  At a cap of 0.5 nothing goes.
    """
    goals = [{"meet": {"sectors": ["irrigation"], "regions": ["north"]}}, {"meet": {}}]
    for number, (cap, got) in enumerate([(None, 16), (5, 13), (0.5, 6)]):
        trade = {} if cap is None else {"price_cap_per_m3": cap}
        case = river(tmp_path / str(number), [20], [7], [3], goals=goals, trade=trade)
        _, values = solve(case)
        assert taken(values, "rice") == pytest.approx([got])


def test_price_cap_weighs_the_blocks_of_a_benefit_curve(tmp_path):
    """Half of the 8 of maize is worth 6, the rest 1: at a cap of 5 the delta leases out 10 - 4."""
    case = make_case(
        tmp_path,
        periods=1,
        goals=[{"meet": {"demands": ["rice"]}}],
        rules=[{"rule": "entitlement", "name": "rights", "window": "month", "holders": HOLDERS,
                "trade": {"price_cap_per_m3": 5}}],
        nodes=[{"name": "river", "kind": "inflow"}, {"name": "sea", "kind": "sink"}],
        links=[{"name": "reach", "from": "river", "to": "sea", "kind": "reach"}],
        demands=[
            {"name": "rice", "node": "river", "sector": "irrigation", "region": "north",
             "value_vnd_m3": 1},
            {"name": "maize", "node": "river", "sector": "irrigation", "region": "south"},
        ],
        benefits=[
            {"demand": "maize", "up_to_fraction": 0.5, "value_vnd_m3": 6},
            {"demand": "maize", "up_to_fraction": 1, "value_vnd_m3": 1},
        ],
        series={
            **by_month("inflow_hm3_day", "2001-01", river=[200]),
            **by_month("demand_hm3_day", "2001-01", rice=[20], maize=[8]),
        },
        more=months("2001-01", 1),
    )  # fmt: skip
    _, values = solve(case)
    assert taken(values, "rice") == pytest.approx([6 + 6])


def test_carry_over_and_trade_together_close(tmp_path):
    """used + leased out - leased in + carried on - carried in <= entitlement, every month."""
    rng = np.random.default_rng(3)
    rice, maize = rng.integers(0, 15, 8).tolist(), rng.integers(0, 15, 8).tolist()
    case = river(
        tmp_path, rice, maize, carry_over={"share": 0.4, "loss": 0.1},
        trade={"limit_share": 0.5, "exchange_rate": 0.9},
    )  # fmt: skip
    solution, values = solve(case)
    report = {name: told(solution, name) for name in
              ("entitlement", "leased_in", "leased_out", "carried_on", "carried_in")}  # fmt: skip
    for holder, users in (("hills", ["rice"]), ("delta", ["maize", "town"])):
        of = {name: np.array(values_[holder]) for name, values_ in report.items()}
        used = taken(values, *users)
        left = of["entitlement"] + of["carried_in"] + of["leased_in"]
        assert (used + of["leased_out"] + of["carried_on"] <= left + 1e-9).all()
        assert of["carried_in"][1:] == pytest.approx(0.9 * of["carried_on"][:-1])
    got, given = (np.sum(list(report[k].values()), axis=0) for k in ("leased_in", "leased_out"))
    assert got == pytest.approx(0.9 * given)


def test_last_goal_leaves_no_lease_in_vain(tmp_path):
    """The hills are short of 2 and lease 2; the delta has 6 to spare."""
    goals = [{"meet": {}}, {"minimise": "rights.transaction_cost"}]
    case = river(tmp_path, [8], [4], goals=goals, trade={"transaction_cost_per_m3": 3})
    solution, _ = solve(case)
    assert told(solution, "leased_out") == {"hills": [0], "delta": [pytest.approx(2)]}
    assert solution.stages[0][1].value == pytest.approx(6)
    assert solution.stages[0][1].unit == "million VND"


def test_soft_entitlement_is_exceeded_after_the_goal(tmp_path):
    solution, values = solve(river(tmp_path, [9, 2], [8, 8], [4, 1], soft={"goal": 2}))
    assert taken(values, "rice") == pytest.approx([9, 2])
    assert solution.stages[0][1].value == pytest.approx(3 + 2)


# --- faults ---------------------------------------------------------------------------------------


TWO = {"hills": {"regions": ["north"], "volume_hm3": 6}, "fields": {"sectors": ["irrigation"],
                                                                    "volume_hm3": 1}}  # fmt: skip


@pytest.mark.parametrize(
    ("keys", "text"),
    [
        ({"holders": TWO}, "E323 demand 'rice' is in holders 'hills' and 'fields'"),
        ({"holders": {"a b": HOLDERS["hills"]}}, "name 'a b' of a holder is not valid"),
        ({"holders": {"a": {"regions": ["nord"], "volume_hm3": 1}}}, "E313 unknown region 'nord'"),
        ({"holders": {"a": {"regions": ["north"]}}}, "give either volume_hm3 or share_of_demand"),
        ({"holders": {"a": HOLDERS["hills"]}, "trade": {}}, "trade takes two holders or more"),
        ({"window": "season"}, "a season needs its months"),
        ({"carry_over": {"loss": 0.1}}, "give either share or limit_hm3"),
        ({"holders": {"a": {**HOLDERS["hills"], "initial_hm3": 2}}}, "lapses without carry_over"),
        (
            {"holders": {"a": {**HOLDERS["hills"], "initial_hm3": 7}}, "carry_over": {"share": 1}},
            "E324 holder 'a' carries 7 hm3 into the horizon, above the 6",
        ),
        ({"trade": {"within": [["hills", "dleta"]]}}, "E323 unknown holder 'dleta'; did you mean"),
        ({"trade": {"within": [["hills", "delta"], ["delta", "hills"]]}}, "E323 .* stands twice"),
        ({"trade": {"limit_share": 0.1, "limit_hm3": 1}}, "not both"),
        ({"trade": {"price_per_m3": 2, "price_cap_per_m3": 1}}, "above price_cap_per_m3 1"),
        (
            {"trade": {"price_cap_per_m3": 1}, "worth": {"rice": 1, "maize": 1}},
            "E325 demand 'town' of holder 'delta' has no value",
        ),
    ],
)  # fmt: skip
def test_keys_that_contradict_each_other(tmp_path, keys, text):
    with pytest.raises(InputError, match=text):
        river(tmp_path, [1], [1], **keys)


def test_golden(tmp_path):
    holders = {"hills": {**HOLDERS["hills"], "initial_hm3": 1}, "delta": HOLDERS["delta"]}
    case = river(
        tmp_path, [2, 9], [8, 8], holders=holders, carry_over={"share": 0.5, "loss": 0.25},
        trade={"limit_share": 0.5, "exchange_rate": 0.9},
    )  # fmt: skip
    check_golden(case, GOLDEN)
