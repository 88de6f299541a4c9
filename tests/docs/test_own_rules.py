"""The worked examples of docs/own_rules.md: each is run, and does what its page says."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.docs.test_docs import BASE, DOCS, ROOT, blocks, write_rule_files
from wateralloc import read_case
from wateralloc.foresight.perfect import Solution, solve_perfect
from wateralloc.results import collect
from wateralloc.users import Users

PAGE = "docs/own_rules.md"
SHORT = {
    "linearisation": "fixed",
    "hydrology": "{record: historic, years: [2009-06]}",
}
"""One dry year in one pass."""


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("own_rules")
    for part in ("basins", "cases"):
        shutil.copytree(ROOT / part, folder / part)
    write_rule_files(folder / "cases")
    return folder


def run(study: Path, name: str, changes: dict[str, str] | None = None) -> Solution:
    """Run the example whose rule has a name, for one dry year."""
    (block,) = [text for text in blocks(PAGE, "yaml") if f"name: {name}\n" in text]
    path = study / "cases" / f"{name}.yaml"
    path.write_text(BASE + block, encoding="utf-8")
    return solve_perfect(read_case(path, SHORT | (changes or {})))


def accounts(solution: Solution) -> dict[tuple[str, str], np.ndarray]:
    """What rules report, by name and item (time)."""
    return {
        (report.name, report.item): solution.value(report.value)[0]
        for report in solution.period.model.reports
    }


def account_table(solution: Solution) -> dict[tuple[str, ...], np.ndarray]:
    """Values of ``accounts.csv`` by rule, item, quantity and unit (time)."""
    table = collect(solution).tables()["accounts"].fillna({"item": ""})
    return {
        key: of["value"].to_numpy()
        for key, of in table.groupby(["rule", "item", "quantity", "unit"])
    }


def withdrawn(solution: Solution, **users: Any) -> np.ndarray:
    """Withdrawal of a group of users (time)."""
    names = Users(**users).users_in(solution.case.basin)
    return sum(solution.value(solution.period.model.withdrawal[d])[0] for d in names)


def test_every_example_has_its_file(study: Path) -> None:
    named = re.findall(r"^    file: (\w+\.py)$", (DOCS / "own_rules.md").read_text("utf-8"), re.M)
    assert len(named) == len(set(named)) == 3
    for name in named:
        assert (study / "cases" / name).is_file()


def test_tail_gets_its_share_of_each_month(study: Path) -> None:
    solution = run(study, "tail_of_cam_dinh")
    m, case = solution.period.model, solution.case
    into, on = (solution.value(m.flow[k])[0] for k in ("cam_dinh_canal", "day_upper_to_phu_ly"))
    window = case.timeline.window("month", [1, 2, 3])
    assert set(window) == {-1, 0, 1, 2}
    for month in range(3):
        inside = window == month
        assert on[inside].sum() >= 0.4 * into[inside].sum() - 1e-6
    (row,) = [row for row in solution.period.rule_rows if row.rule.name == "tail_of_cam_dinh"]
    assert row.label == "tail_of_cam_dinh.tail_share"
    assert solution.horizon.rows[id(row.constraint)].size == 3


def test_bank_lends_what_was_left_and_no_more(study: Path) -> None:
    solution = run(study, "bank")
    found = accounts(solution)
    before, balance, lost = (found[name, ""] for name in ("before", "balance", "lost"))
    into = found["deposited", "farms"] + found["deposited", "works"]
    out = found["drawn", "farms"] + found["drawn", "works"]
    assert balance == pytest.approx(0.98 * before + into - out, abs=1e-6)
    assert before[0] == 0
    assert before[1:] == pytest.approx(balance[:-1])
    assert lost == pytest.approx(0.02 * before)
    assert balance.max() <= 30 + 1e-6
    assert out.sum() > 1, "the farms need more than a flat right in some months"
    m = solution.period.model
    for group, sector in (("farms", "irrigation"), ("works", "industry")):
        users = {"sectors": (sector,), "provinces": ("ha_nam",)}
        names = Users(**users).users_in(solution.case.basin)
        right = 0.9 * sum(m.demand[d].value for d in names)[0].mean()
        short = sum(solution.value(m.shortfall[label])[0] for label in m.shortfall if
                    label == ("bank", f"bank[{group}]"))  # fmt: skip
        taken = withdrawn(solution, **users)
        room = right - found["deposited", group] + found["drawn", group] + short
        assert (taken <= room + 1e-6).all()
    table = account_table(solution)
    assert table["bank", "", "balance", "hm3"] == pytest.approx(balance, abs=1e-6)
    assert ("bank", "works", "drawn", "hm3") in table
    last = solution.stages[0][-1]
    assert last.name.endswith(" maximise bank.balance at the end")
    assert last.unit == "hm3"
    assert last.value == pytest.approx(balance[-1], abs=1e-6)


def test_steadier_before_energy_than_after_it(study: Path) -> None:
    before = run(study, "steady")
    change = accounts(before)["change", ""]
    m, seconds = before.period.model, before.case.timeline.seconds
    released = sum(before.value(m.flow[f"hoa_binh_{k}"])[0] for k in ("turbine", "spillway"))
    flow = np.concatenate([[1000], released * 1e6 / seconds])
    assert change == pytest.approx(np.abs(np.diff(flow)), abs=1e-3)
    (stage,) = [s for s in before.stages[0] if s.name.endswith(" minimise steady.change")]
    assert (stage.unit, stage.value) == ("m3s", pytest.approx(change.sum(), abs=1e-2))
    goals = "[{meet: {}}, {maximise: energy}, {minimise: steady.change}]"
    after = run(study, "steady", {"goals": goals})
    assert accounts(after)["change", ""].sum() > 1.1 * change.sum()
    energy = [
        sum(s.value(s.period.model.energy[p]).sum() for p in m.plant) for s in (before, after)
    ]
    assert energy[0] < energy[1]
