"""The water balance closes from the written files alone, on any basin."""

from __future__ import annotations

import csv
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings

from tests.properties.basins import rivers
from tests.small import inflow, make_case
from wateralloc.foresight.perfect import solve_perfect
from wateralloc.results import collect

ABSOLUTE, RELATIVE = 1e-6, 1e-9
INTO = ("inflow", "link_in", "return_flow", "storage_start")
OUT_OF = ("withdrawal", "evaporation", "storage_end", "link_out")


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def total(rows: list[dict[str, str]], item: str, column: str) -> dict[tuple[str, ...], float]:
    """Sum of a column by member, period and item."""
    sums: dict[tuple[str, ...], float] = defaultdict(float)
    for row in rows:
        sums[row["member"], row["period_start"], row[item]] += float(row[column])
    return sums


def check_files(folder: Path) -> None:
    """Close the balance of every node and period, and trace each amount to its own file."""
    balance = rows_of(folder / "balance.csv")
    links, users = rows_of(folder / "links.csv"), rows_of(folder / "allocation.csv")
    leaving, arriving = total(links, "from", "flow_in_hm3"), total(links, "to", "flow_out_hm3")
    drawn = total(users, "node", "withdrawal_hm3")
    storage = {
        (row["member"], row["period_start"], row["reservoir"]): row
        for row in rows_of(folder / "reservoirs.csv")
    }
    assert balance
    for row in balance:
        at = (row["member"], row["period_start"], row["node"])
        amount = {name: float(row[f"{name}_hm3"]) for name in (*INTO, *OUT_OF)}
        allowed = min(ABSOLUTE, max(1e-12, RELATIVE * sum(amount.values())))
        assert min(amount.values()) >= 0.0, (at, amount)
        residual = sum(amount[n] for n in INTO) - sum(amount[n] for n in OUT_OF)
        assert abs(residual) <= allowed, (at, amount)
        assert abs(residual - float(row["residual_hm3"])) <= allowed
        assert abs(amount["link_out"] - leaving.get(at, 0.0)) <= allowed
        assert abs(amount["link_in"] - arriving.get(at, 0.0)) <= allowed
        assert abs(amount["withdrawal"] - drawn.get(at, 0.0)) <= allowed
        for name in ("storage_start", "storage_end", "evaporation"):
            own = float(storage[at][f"{name}_hm3"]) if at in storage else 0.0
            assert amount[name] == own, (at, name)
    for row in users:
        amount = {
            n: float(row[f"{n}_hm3"])
            for n in ("demand", "withdrawal", "deficit", "consumption", "return_flow")
        }
        assert min(amount.values()) >= 0.0, row
        assert abs(amount["demand"] - amount["withdrawal"] - amount["deficit"]) <= 1e-9
        assert abs(amount["withdrawal"] - amount["consumption"] - amount["return_flow"]) <= 1e-9
    _check_chain(balance)
    _check_links(links)
    _check_returns(users, balance)


def _check_links(links: list[dict[str, str]]) -> None:
    """What enters a link is lost, leaves it, or is on its way until a later period."""
    before: dict[tuple[str, str], float] = {}
    for row in links:
        at = (row["member"], row["link"])
        amount = {
            n: float(row[f"{n}_hm3"])
            for n in ("flow_in", "loss", "flow_out", "in_transit_start", "in_transit_end")
        }
        assert min(amount.values()) >= 0.0, row
        allowed = min(ABSOLUTE, max(1e-12, RELATIVE * sum(amount.values())))
        start, end = amount["in_transit_start"], amount["in_transit_end"]
        left = amount["flow_in"] - amount["loss"] - amount["flow_out"]
        assert abs(start + left - end) <= allowed, row
        assert abs(start - before.get(at, start)) <= allowed, row
        before[at] = end


def _check_chain(balance: list[dict[str, str]]) -> None:
    """Storage at the start of a period is that at the end of the one before."""
    before: dict[tuple[str, str], float] = {}
    for row in balance:
        at = (row["member"], row["node"])
        start = float(row["storage_start_hm3"])
        assert start == before.get(at, start)
        before[at] = float(row["storage_end_hm3"])


def _check_returns(users: list[dict[str, str]], balance: list[dict[str, str]]) -> None:
    """No more returns than was withdrawn and not consumed."""
    returned = sum(float(row["return_flow_hm3"]) for row in users)
    assert sum(float(row["return_flow_hm3"]) for row in balance) <= returned * (1 + 1e-9) + 1e-9


@given(river=rivers())
@settings(max_examples=25)
def test_balance_closes_from_the_files_alone(river: dict[str, Any]) -> None:
    goals = [
        {"meet": {}},
        {"minimise": "spill"},
        {"maximise": {"quantity": "storage_end", "when": "last"}},
    ]
    with tempfile.TemporaryDirectory() as folder:
        case = make_case(Path(folder), goals=goals, **river)
        results = collect(solve_perfect(case))
        check_files(results.write(Path(folder) / "out"))


def test_check_notices_a_number_that_is_wrong(tmp_path: Path) -> None:
    """The check itself can fail: a millionth more in any amount is seen."""
    case = make_case(
        tmp_path, periods=1, goals=[{"meet": {}}],
        nodes=[{"name": "head", "kind": "inflow"}, {"name": "sea", "kind": "sink"}],
        links=[{"name": "river", "from": "head", "to": "sea", "kind": "reach"}],
        demands=[{"name": "town", "node": "head", "sector": "works", "region": "all",
                  "demand_hm3_day": 3}],
        series=inflow(head=[10]),
    )  # fmt: skip
    folder = collect(solve_perfect(case)).write(tmp_path / "out")
    check_files(folder)
    for name, good in (
        ("links", "7.0,0.0,7.0"), ("allocation", "3.0,3.0,0.0"), ("balance", "10.0,0.0"),
    ):  # fmt: skip
        path = folder / f"{name}.csv"
        text = path.read_text(encoding="utf-8")
        assert good in text
        first = good.split(",")[0]
        path.write_text(
            text.replace(good, good.replace(first, f"{first}00001", 1)), encoding="utf-8"
        )
        with pytest.raises(AssertionError):
            check_files(folder)
        path.write_text(text, encoding="utf-8")
    check_files(folder)
