"""Aquifer beside a river and the sea: storage, pumping, yield, spring, depletion; by hand."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest

from tests.small import check_golden, days, inflow, make_case, solve
from wateralloc import run
from wateralloc.errors import Infeasible
from wateralloc.foresight.perfect import solve_perfect

GOLDEN = Path(__file__).parent / "golden" / "aquifer.lp"
SPRING = {"name": "spring", "from": "ground", "to": "river", "kind": "reach"}


def wells(
    folder: Path,
    *,
    asked: float | list[float] = 0,
    inflows: list[float],
    links: list[dict[str, Any]] | None = None,
    demands: list[dict[str, Any]] | None = None,
    **ground: Any,
) -> dict[str, Any]:
    """Arguments of make_case: a river to the sea, an aquifer with a well that asks for water."""
    well: dict[str, Any] = {"name": "well", "node": "ground", "sector": "domestic"}
    series = inflow(river=inflows)
    if isinstance(asked, list):
        series["demand_hm3_day"] = {"date": days(len(asked)), "well": asked}
    else:
        well["demand_hm3_day"] = asked
    row = {"name": "ground", "capacity_hm3": 200, "initial_hm3": 100, "target_hm3": 0}
    return {
        "folder": folder,
        "periods": len(inflows),
        "goals": [{"meet": {}}],
        "nodes": [
            {"name": "river", "kind": "inflow"},
            {"name": "ground", "kind": "aquifer"},
            {"name": "sea", "kind": "sink"},
        ],
        "links": [
            {"name": "reach", "from": "river", "to": "sea", "kind": "reach"},
            *(links or []),
        ],
        "aquifers": [row | ground],
        "demands": [well, *(demands or [])],
        "series": series,
    }


def depleting(folder: Path, asked: list[float], **ground: Any) -> dict[str, Any]:
    """Four fifths of the pumping come out of the river: half of that a day later, then the rest."""
    return wells(
        folder,
        asked=asked,
        inflows=[20] * len(asked),
        stream="river",
        depletion_fraction=0.8,
        depletion_lag_periods=1,
        depletion_weights="0.5 0.3 0.2",
        **ground,
    )


def test_stream_gives_what_the_weights_say_and_the_aquifer_gains_it(tmp_path: Path) -> None:
    """10 hm3 pumped on day 1: the river loses 8 x (0.5, 0.3, 0.2) on days 2, 3 and 4.

    No water enters the aquifer but the river's, so it needs no spring, nor any other link.
    """
    _, values = solve(make_case(**depleting(tmp_path, [10, 0, 0, 0, 0])))
    assert values["pumping"]["ground"] == [10, 0, 0, 0, 0]
    assert values["stream_depletion"]["ground"] == [0, 4, 2.4, 1.6, 0]
    assert values["induced_recharge"]["ground"] == [0, 4, 2.4, 1.6, 0]
    assert values["aquifer_start"]["ground"] == [100, 90, 94, 96.4, 98]
    assert values["aquifer_end"]["ground"] == [90, 94, 96.4, 98, 98]
    assert values["outflow"]["sea"] == [20, 16, 17.6, 18.4, 20]


def test_pumping_before_the_horizon_depletes_the_stream_in_it(tmp_path: Path) -> None:
    """10 hm3 a day before: 8 x (0.5 + 0.3 + 0.2), then 8 x (0.3 + 0.2), 8 x 0.2, and no more.

    No pumping in the horizon makes room for it, but there is room enough for 13.6 hm3.
    """
    _, values = solve(make_case(**depleting(tmp_path, [0] * 4, initial_pumping_hm3_day=10)))
    assert values["induced_recharge"]["ground"] == [8, 4, 1.6, 0]
    assert values["aquifer_end"]["ground"] == [108, 112, 113.6, 113.6]


def test_depletion_at_once_of_a_stream_shared_by_two_aquifers(tmp_path: Path) -> None:
    """Wells of 10 and 4 hm3 a day take a half and all of it from the river on the same day."""
    parts = wells(
        tmp_path,
        asked=10,
        inflows=[20, 20],
        demands=[{"name": "farm", "node": "deep", "sector": "farm", "demand_hm3_day": 4}],
        stream="river",
        depletion_fraction=0.5,
    )
    parts["nodes"].append({"name": "deep", "kind": "aquifer"})
    deep = {"name": "deep", "capacity_hm3": 50, "initial_hm3": 50, "stream": "river"}
    parts["aquifers"].append(deep | {"depletion_fraction": 1})
    solution, values = solve(make_case(**parts))
    assert values["aquifer_end"] == {"ground": [95, 90], "deep": [50, 50]}
    assert values["outflow"]["sea"] == [11, 11]
    sign, lost = solution.period.balance["river"]["stream_depletion"]
    assert sign == -1
    assert solution.value(lost)[0] == pytest.approx([9, 9])


def test_stream_bears_the_depletion_to_the_last_drop(tmp_path: Path) -> None:
    """The river brings 3 hm3 on day 2, which 4 hm3 of pumping would deplete by 4: 3 are pumped."""
    parts = wells(
        tmp_path,
        asked=[4, 0],
        inflows=[20, 3],
        stream="river",
        depletion_percent=100,
        depletion_lag_periods=1,
    )
    _, values = solve(make_case(**parts))
    assert values["withdrawal"]["well"] == [3, 0]
    assert values["outflow"]["sea"] == [20, 0]


def test_limit_and_cost_of_what_demands_and_links_pump(tmp_path: Path) -> None:
    """Well and field ask 4 + 5, of which the limit lets 6 be pumped, for 2 VND/m3 each.

    A canal and a transfer out of the aquifer are pumped like the pump; the reach is not.
    """
    parts = wells(
        tmp_path,
        asked=4,
        inflows=[0, 0],
        links=[
            {"name": "lift", "from": "ground", "to": "field", "kind": "pump", "minimum_hm3_day": 1},
            {"name": "ditch", "from": "ground", "to": "field", "kind": "canal"},
            {"name": "pipe", "from": "ground", "to": "sea", "kind": "transfer",
             "minimum_hm3_day": 0.5},
            {"name": "drain", "from": "field", "to": "sea", "kind": "reach"},
            SPRING | {"minimum_hm3_day": 2},
        ],
        demands=[{"name": "rice", "node": "field", "sector": "farm", "demand_hm3_day": 5}],
        pumping_limit_hm3_day=6,
        pumping_cost_vnd_m3=2,
    )  # fmt: skip
    parts["nodes"].append({"name": "field", "kind": "junction"})
    parts["goals"].append({"minimise": "pumping_cost"})
    solution, values = solve(make_case(**parts))
    assert values["pumping"]["ground"] == [6, 6]
    assert values["pumping_cost"]["ground"] == [12, 12]
    assert solution.stages[0][1].value == 24
    assert solution.stages[0][0].value == pytest.approx((18 - 11) / 18)  # the pipe takes 0.5 a day
    assert values["aquifer_end"]["ground"] == [92, 84]  # pumping and the spring's 2


def test_source_that_draws_on_the_aquifer_is_pumped_too(tmp_path: Path) -> None:
    """A town of 6 draws 2 from the river and the rest, of which half is lost, from the aquifer:
    8 of pumping give 4, beside the 1 of the well, but the limit is 7."""
    parts = wells(
        tmp_path,
        asked=1,
        inflows=[2],
        demands=[{"name": "town", "node": "sea", "sector": "domestic", "demand_hm3_day": 6}],
        pumping_limit_hm3_day=7,
    )
    parts["sources"] = [
        {"name": "weir", "demand": "town", "node": "river"},
        {"name": "bore", "demand": "town", "node": "ground", "loss_fraction": 0.5},
    ]
    _, values = solve(make_case(**parts))
    assert values["pumping"]["ground"] == [7]
    assert values["withdrawal"] == {"well": [1], "town": [5]}
    assert values["aquifer_end"]["ground"] == [93]


@pytest.mark.parametrize(
    ("years", "pumped"),
    [
        pytest.param(1, [8, 8], id="cut_years"),
        pytest.param(2, [8], id="both_years"),
        pytest.param(9, [8], id="horizon_shorter_than_the_run"),
    ],
)
def test_yield_caps_also_the_part_of_a_year(
    years: int, pumped: list[float], tmp_path: Path
) -> None:
    """Two days of one water year and two of the next ask 5 each; 8 may be pumped in a run."""
    parts = wells(
        tmp_path, asked=5, inflows=[0] * 4, sustainable_yield_hm3=8, yield_years=years,
    )  # fmt: skip
    parts["yaml"] = {"water_year_start": 2}
    parts["more"] = {"timeline": {"start": "2001-01-30", "periods": 4, "step": "day"}}
    parts["series"] = {}
    _, values = solve(make_case(**parts))
    taken = values["withdrawal"]["well"]
    by_run = [sum(taken[:2]), sum(taken[2:])] if len(pumped) == 2 else [sum(taken)]
    assert by_run == pytest.approx(pumped)


def test_yield_caps_every_run_of_years_not_only_those_side_by_side(tmp_path: Path) -> None:
    """365 hm3 asked a year, 500 allowed in any two: most is had by a lean year in the middle,
    365 + 135 + 365; every other choice gives less."""
    parts = wells(
        tmp_path,
        asked=1,
        inflows=[0] * 36,
        capacity_hm3=2000,
        initial_hm3=2000,
        sustainable_yield_hm3=500,
        yield_years=2,
    )
    parts["more"] = {"timeline": {"start": "2001-01-01", "periods": 36, "step": "month"}}
    parts["series"] = {}
    _, values = solve(make_case(**parts))
    taken = values["withdrawal"]["well"]
    assert [sum(taken[k : k + 12]) for k in (0, 12, 24)] == pytest.approx([365, 135, 365])


def test_full_aquifer_overflows_by_its_spring(tmp_path: Path) -> None:
    """95 of 100 hm3 and 3 a day: 98, then 100 with 1 to the spring, then 3 to the spring."""
    parts = wells(
        tmp_path,
        inflows=[1] * 3,
        links=[SPRING],
        capacity_hm3=100,
        initial_hm3=95,
        recharge_hm3_day=3,
    )
    parts["goals"] = [{"maximise": "aquifer_end"}]
    _, values = solve(make_case(**parts))
    assert values["recharge"]["ground"] == [3, 3, 3]
    assert values["aquifer_end"]["ground"] == [98, 100, 100]
    assert values["flow_in"]["spring"] == [0, 1, 3]
    assert values["outflow"]["sea"] == [1, 2, 4]


def test_nobody_empties_an_aquifer_through_its_spring(tmp_path: Path) -> None:
    """A town on the dry river asks 10 a day of a full aquifer with free springs and 2 of recharge.

    It gets the 3 that the springs give at least, and on day 3 the 4 of recharge that enter.
    """
    parts = wells(
        tmp_path,
        inflows=[0] * 3,
        links=[
            SPRING | {"minimum_hm3_day": 2},
            SPRING | {"name": "source", "minimum_hm3_day": 1},
        ],
        demands=[{"name": "town", "node": "river", "sector": "domestic", "demand_hm3_day": 10}],
        capacity_hm3=100,
    )
    parts["series"]["recharge_hm3_day"] = {"date": days(3), "ground": [2, 2, 4]}
    _, values = solve(make_case(**parts))
    assert values["withdrawal"]["town"] == [5, 5, 7]
    assert values["aquifer_end"]["ground"] == [97, 94, 91]


def test_target_is_what_was_there_at_the_start_where_none_is_given(tmp_path: Path) -> None:
    """Recharge of 2 a day is all that may be taken; dead storage holds on every day before."""
    parts = wells(
        tmp_path,
        asked=[9, 0, 0],
        inflows=[0] * 3,
        links=[SPRING],
        recharge_hm3_day=2,
        dead_hm3=96,
        target_hm3=None,
    )
    _, values = solve(make_case(**parts))
    assert values["withdrawal"]["well"] == [6, 0, 0]  # 100 + 2 - 96
    assert values["aquifer_end"]["ground"][0] == 96
    assert values["aquifer_end"]["ground"][-1] == 100


def test_depletion_that_the_stream_cannot_bear_is_infeasible(tmp_path: Path) -> None:
    parts = wells(
        tmp_path,
        inflows=[1],
        stream="river",
        depletion_fraction=1,
        depletion_lag_periods=1,
        initial_pumping_hm3_day=2,
    )
    with pytest.raises(Infeasible):
        solve_perfect(make_case(**parts))


# --- results ------------------------------------------------------------------------------------


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_balance_closes_from_the_files_and_is_that_of_the_aquifer(tmp_path: Path) -> None:
    make_case(**depleting(tmp_path, [10, 0, 3, 7, 0], pumping_cost_vnd_m3=2))
    results = run(tmp_path / "case.yaml")
    folder = results.write(tmp_path / "out")
    into = ("inflow", "link_in", "return_flow", "storage_start", "recharge", "induced_recharge")
    out_of = ("withdrawal", "evaporation", "storage_end", "link_out", "stream_depletion")
    own = {row["period_start"]: row for row in rows_of(folder / "aquifers.csv")}
    assert len(own) == 5
    exchanged = 0.0
    balance = rows_of(folder / "balance.csv")
    for row in balance:
        amount = {name: float(row.get(f"{name}_hm3", 0)) for name in (*into, *out_of)}
        residual = sum(amount[n] for n in into) - sum(amount[n] for n in out_of)
        assert abs(residual) < 1e-9
        assert abs(float(row["residual_hm3"])) < 1e-9
        exchanged += amount["induced_recharge"] - amount["stream_depletion"]
        if row["node"] == "ground":
            at = own[row["period_start"]]
            for name in ("storage_start", "storage_end", "induced_recharge"):
                assert amount[name] == float(at[f"{name}_hm3"])
            assert amount["withdrawal"] == float(at["pumping_hm3"])
    assert abs(exchanged) < 1e-9
    assert [float(row["pumping_cost"]) for row in own.values()] == [20, 0, 6, 14, 0]
    assert list(results.dataset["aquifer"].values) == ["ground"]
    assert results.dataset["balance_stream_depletion"].attrs["balance_sign"] == -1
    assert results.dataset["aquifer_end"].attrs["cell_methods"] == "time: point"


def test_basin_without_aquifers_has_no_table_of_them(tmp_path: Path) -> None:
    parts = wells(tmp_path, inflows=[4])
    parts["nodes"] = [node for node in parts["nodes"] if node["kind"] != "aquifer"]
    del parts["aquifers"]
    parts["demands"][0]["node"] = "river"
    make_case(**parts)
    folder = run(tmp_path / "case.yaml").write(tmp_path / "out")
    assert not (folder / "aquifers.csv").exists()
    assert "recharge_hm3" not in rows_of(folder / "balance.csv")[0]


def test_golden(tmp_path: Path) -> None:
    parts = depleting(
        tmp_path,
        [10, 0, 3],
        links=[SPRING | {"minimum_hm3_day": 1}],
        recharge_hm3_day=3,
        pumping_limit_hm3_day=8,
        sustainable_yield_hm3=9,
        initial_pumping_hm3_day=5,
    )
    check_golden(make_case(**parts), GOLDEN)
