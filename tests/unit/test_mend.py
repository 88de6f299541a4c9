"""Mended cases: what gives way, by how much, and that every output says so."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from typer.testing import CliRunner

from tests.small import inflow, make_case
from wateralloc.case import Case
from wateralloc.cli.base import app
from wateralloc.errors import CaseError, Infeasible
from wateralloc.foresight import conflict
from wateralloc.foresight.conflict.mend import MendedHorizon, solve_mended
from wateralloc.foresight.perfect import solve_perfect
from wateralloc.job import run

M3S = 1 / 0.0864
"""One hm3 a day, in m3/s."""
LEAN, RICH = (10, 4, 10), (10, 20, 10)


def river(folder: Path, *years: tuple[float, ...], flow: float = 5, **more: Any) -> Case:
    """A river, of which 5 hm3 a day are to reach the sea; each year is a member of three days."""
    n_days = 365 * (len(years) - 1) + 3
    record = np.full(n_days, 10.0)
    for k, year in enumerate(years):
        record[365 * k : 365 * k + 3] = year
    table = {
        "nodes": [{"name": "river", "kind": "inflow"}, {"name": "sea", "kind": "sink"}],
        "links": [{"name": "reach", "from": "river", "to": "sea", "kind": "reach"}],
        "demands": [{"name": "farm", "node": "river", "sector": "irrigation", "demand_hm3_day": 8}],
        "series": inflow(river=record.tolist()),
    }
    rule = {"rule": "minimum_delivery", "name": "sea", "at": "river", "flow_m3s": flow * M3S}
    return make_case(
        folder, periods=3, goals=[{"meet": {}}], rules=more.pop("rules", [rule]), **table | more
    )


def test_mended_run_says_so_in_every_output(tmp_path: Path, monkeypatch: Any) -> None:
    """4 hm3 come on the second day, where 5 are to pass: it passes 4, and the farm has none."""
    river(tmp_path, LEAN)
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, ["run", "case.yaml", "--mend", "--out", "out"])
    assert done.exit_code == 0, done.output
    told = "minimum_delivery 'sea' (case.yaml:10:3) lowered by up to 11.57 m3/s (1 hm3) in the "
    told += "period from 2001-01-02"
    assert f"mended 2001-01: {told}" in done.output
    assert "hard limits gave way: these are not the results of the case as it is" in done.output

    manifest = json.loads((tmp_path / "out/manifest.json").read_text(encoding="utf-8"))
    ((member, (what,)),) = manifest["mended"].items()
    assert member == "2001-01"
    assert (what["rule"], what["way"], what["unit"]) == ("sea", "lowered", "m3/s")
    assert what["volume"] == pytest.approx(1)
    assert [step["period"] for step in what["when"]] == ["2001-01-02"]
    assert what["when"][0]["asked"] == pytest.approx(5 * M3S)
    assert what["when"][0]["kept"] == pytest.approx(4 * M3S)

    with xr.open_dataset(tmp_path / "out/results.nc") as dataset:
        assert dataset.attrs["mended"] == f"2001-01: {told}"
    rules = (tmp_path / "out/rules.csv").read_text(encoding="utf-8").splitlines()
    columns = rules[0].split(",")
    rows = [dict(zip(columns, line.split(","), strict=True)) for line in rules[1:]]
    assert [row["kept"] for row in rows] == ["true", "false", "true"]
    assert [float(row["required"]) for row in rows] == pytest.approx([5 * M3S] * 3)
    assert [float(row["slack"]) for row in rows] == pytest.approx([0, -M3S, 0], abs=1e-5)


def test_mended_run_speaks_vietnamese(tmp_path: Path, monkeypatch: Any) -> None:
    river(tmp_path, LEAN)
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, ["run", "case.yaml", "--mend", "--out", "out", "--lang", "vi"])
    assert "đã nới các giới hạn cứng" in done.output
    assert "giảm nhiều nhất 11.57 m3/s (1 hm3), thời đoạn từ 2001-01-02" in done.output


def test_case_with_a_solution_is_not_touched(tmp_path: Path) -> None:
    case = river(tmp_path, RICH)
    mended, plain = solve_mended(case), solve_perfect(case)
    assert mended.mended == {}
    assert np.array_equal(mended.x, plain.x)
    assert run(case, mend=True).manifest["mended"] == {}
    assert "mended" not in run(case, mend=True).dataset.attrs


def test_members_that_need_none_are_not_touched(tmp_path: Path) -> None:
    """Of a rich and a lean year only the lean one is mended."""
    more = {"hydrology": {"record": "historic", "members": "all"}}
    case = river(tmp_path, RICH, LEAN, more=more)
    assert case.n_members == 2
    with pytest.raises(Infeasible):
        solve_perfect(case)
    solution = solve_mended(case)
    assert list(solution.mended) == ["2002-01"]
    assert np.array_equal(solution.x[0], solve_perfect(case.with_members([0])).x[0])


def test_nothing_more_than_the_least_gives_way(tmp_path: Path) -> None:
    """The sea gets all of the second day, to the last drop that is not rounding."""
    solution = solve_mended(river(tmp_path, LEAN))
    delivered = solution.value(solution.period.model.outflow["sea"])[0]
    assert delivered == pytest.approx([5, 4, 5], abs=1e-6)


def test_environmental_flow_gives_way_after_rules(tmp_path: Path) -> None:
    """The flow of 7 alone is more than 4; so no rule can help, and it gives way by 3."""
    flows = [{"name": "life", "node": "river", "minimum_hm3_day": 7}]
    solution = solve_mended(river(tmp_path, LEAN, rules=[], environmental_flows=flows))
    ((what,),) = solution.mended.values()
    assert (what.text, what.rule) == ("environmental flow 'life'", "")
    assert what.volume == pytest.approx(3)


def test_limits_of_works_give_way_last(tmp_path: Path) -> None:
    """The lake must end at 50 hm3, and has 10 + 24: its target falls to what is there."""
    reservoir = {"name": "river", "dead_hm3": 5, "normal_hm3": 60, "initial_hm3": 10,
                 "target_hm3": 50}  # fmt: skip
    nodes = [{"name": "river", "kind": "reservoir"}, {"name": "sea", "kind": "sink"}]
    case = river(tmp_path, LEAN, rules=[], nodes=nodes, reservoirs=[reservoir])
    solution = solve_mended(case)
    ((what,),) = solution.mended.values()
    assert what.text == "storage limits of 'river'"
    assert what.volume == pytest.approx(16)
    assert solution.value(solution.period.model.storage_end["river"])[0, -1] == pytest.approx(34)


@pytest.mark.parametrize("foresight", ["simulate", {"rolling": {"window": 2}}])
def test_members_that_do_not_see_the_horizon_are_refused(tmp_path: Path, foresight: Any) -> None:
    case = river(tmp_path, LEAN, more={"foresight": foresight})
    with pytest.raises(
        CaseError, match=r"case.yaml: E386 members of foresight '(simulate|rolling)'"
    ):
        run(case, mend=True)


def test_water_balance_is_never_mended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A balance that asks for 9 and for 8 cannot close, whatever gives way."""
    stack = MendedHorizon.stack

    def broken(self: MendedHorizon) -> Any:
        lp = stack(self)
        rows = self.rows[id(self.model.balance["sea"])]
        lp.row_lower[0, rows], lp.row_upper[0, rows] = 9.0, 8.0
        return lp

    monkeypatch.setattr(MendedHorizon, "stack", broken)
    with pytest.raises(Infeasible, match="E387 case, member 2001-01: no amount") as raised:
        solve_mended(river(tmp_path, LEAN))
    assert "the water balance itself cannot close" in str(raised.value)


def test_what_is_still_infeasible_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As where a decision of yes or no stands in the way: here nothing gives way in truth."""
    monkeypatch.setattr(MendedHorizon, "stack_mended", lambda self, changes: self.stack())
    with pytest.raises(
        Infeasible, match=r"E388 case: rules gave way .2001-01. and it still has no"
    ):
        solve_mended(river(tmp_path, LEAN))


def test_limits_stay_given_where_lines_move(tmp_path: Path) -> None:
    """A program that is renewed keeps what gave way, and takes it from what is asked now."""
    case = river(tmp_path, LEAN)
    solution = solve_mended(case)
    horizon = solution.horizon
    before = horizon.stack()
    after = horizon.refresh()
    assert np.array_equal(before.row_lower, after.row_lower)
    assert not np.array_equal(horizon.asked.row_lower, after.row_lower)
    assert replace(solution, mended={}).mended == {}
    assert conflict.explain_infeasible(solution.period, horizon, 0).startswith(
        "E402 the limits by themselves can be met together"
    )
