"""Contradictory cases: what is said of them, whole; that it is minimal, and that it mends them.

Each folder ``infeasible_*`` holds ``case.yaml`` and ``expected.txt``, and may have tables of its
own in ``basin`` beside those of :mod:`tests.errors.contradictory`.  ``UPDATE_EXPECTED=1`` writes
what is expected anew.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.errors.contradictory import valley
from wateralloc import run
from wateralloc.case import read_case
from wateralloc.errors import Infeasible
from wateralloc.foresight.conflict import Alternative, Conflict, Side, find_reasons
from wateralloc.foresight.conflict.find import SMALLEST, Reasons
from wateralloc.horizon import Horizon, MemberProgram
from wateralloc.period import Period, build_period
from wateralloc.solve import least_repair

FOLDERS = sorted(path for path in Path(__file__).parent.glob("infeasible_*") if path.is_dir())
every_folder = pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)

ROUNDING = 1e-5
"""What is given beyond a repair, which leaves out amounts that are not reported [hm3]."""


@pytest.fixture
def here(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder beside its basin, as the working folder."""
    shutil.copytree(folder, tmp_path / "here")
    valley(tmp_path / "here" / "basin")
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "here"


@every_folder
def test_contradiction_is_told_whole(folder: Path, here: Path) -> None:
    with pytest.raises(Infeasible) as caught:
        run("case.yaml")

    expected = folder / "expected.txt"
    if os.environ.get("UPDATE_EXPECTED"):
        expected.write_text(f"{caught.value}\n", encoding="utf-8")
    assert f"{caught.value}\n" == expected.read_text(encoding="utf-8")
    assert caught.value.exit_code == 3


@every_folder
def test_each_limit_of_a_conflict_is_needed(folder: Path, here: Path) -> None:
    """The limits of a conflict, with the balances of nodes without inflow, cannot be met.

    Without any one of them they can.
    """
    period, horizon, lp, reasons = found()
    assert reasons.conflicts
    for conflict in reasons.conflicts:
        part = part_of(lp, conflict, period, horizon)
        assert not can_be_met(part)
        for side in (*conflict.sides, *conflict.against):
            assert can_be_met(without(part, side)), side.text


@every_folder
def test_clauses_that_mend_alone_are_those_without_which_the_case_can_be_met(
    folder: Path, here: Path
) -> None:
    """Each clause of the conflicts is left out of the whole case, which is solved again."""
    period, horizon, lp, reasons = found()
    clauses = {side.text: side for c in reasons.conflicts for side in (*c.sides, *c.hardly)}
    alone = {a.limit.text() if a.limit.rule is None else a.limit.rule.name
             for a in reasons.alternatives}  # fmt: skip
    for side in clauses.values():
        name = side.text if side.rule is None else side.rule.name
        rows = [r.constraint for r in period.rule_rows if r.rule is side.rule]
        flows = period.model.environmental_flow
        rows += [row for key, row in flows.items() if side.text == f"environmental flow '{key}'"]
        numbers = np.concatenate([horizon.rows[id(row)] for row in rows])
        assert can_be_met(freed(lp, numbers)) == (name in alone)


@every_folder
def test_each_repair_mends_the_case_and_less_does_not(folder: Path, here: Path) -> None:
    _, _, lp, reasons = found()
    for alternative in reasons.alternatives:
        assert can_be_met(changed(lp, [alternative]))
        assert not can_be_met(changed(lp, [alternative], share=0.99))
    assert can_be_met(changed(lp, all_changes(reasons)))
    assert not can_be_met(changed(lp, all_changes(reasons), share=0.99))


@every_folder
def test_clauses_are_ranked_before_limits_of_the_basin(folder: Path, here: Path) -> None:
    reasons = found()[3]
    ranks = [(a.is_physical, float(f"{a.volume:.5g}")) for a in reasons.alternatives]
    assert ranks == sorted(ranks)
    clauses = [a.volume for a in reasons.alternatives if a.limit.rule is not None]
    least = sum(np.abs(gives).sum() for _, _, gives in all_changes(reasons))
    assert all(least <= volume * (1 + 1e-5) for volume in clauses)


@every_folder
def test_mended_case_has_a_solution(folder: Path, here: Path) -> None:
    results = run("case.yaml", mend=True)
    (mended,) = results.manifest["mended"].values()
    rules = results.tables()["rules"]
    soft = {rule.name for rule in read_case("case.yaml").rules if rule.soft}
    of_rules = results.dataset["rule_clause"].to_series()
    broken = set(of_rules[~results.dataset["kept"].values[0]]) - soft
    assert broken == {what["rule"] for what in mended if what["rule"]}
    assert len(rules) == of_rules.size
    assert all(what["text"]["en"] in results.dataset.attrs["mended"] for what in mended)


def test_there_are_folders() -> None:
    assert len(FOLDERS) >= 30


# --- helpers ------------------------------------------------------------------------------------


def found() -> tuple[Period, Horizon, MemberProgram, Reasons]:
    """The program of the case, and why it cannot be met."""
    case = read_case("case.yaml")
    period = build_period(case)
    horizon = Horizon(period.model, case.n_members, case.n_periods)
    lp = horizon.stack().member(0)
    return period, horizon, lp, find_reasons(period, horizon, 0)


def can_be_met(lp: MemberProgram) -> bool:
    nothing = np.empty(0, int)
    return least_repair(lp, nothing, nothing) is not None


def part_of(
    lp: MemberProgram, conflict: Conflict, period: Period, horizon: Horizon
) -> MemberProgram:
    """The program with no limits but those of a conflict, and zeros: of balances, of flows."""
    sides = (*conflict.sides, *conflict.hardly, *conflict.against)
    own_rows = {int(n) for side in sides if side.is_row for n in side.numbers}
    clauses = [row.constraint for row in period.rule_rows]
    clauses += list(period.model.environmental_flow.values())
    of_clauses = np.concatenate([horizon.rows[id(row)] for row in clauses])
    is_zero = np.isin(lp.row_lower, (0, -np.inf)) & np.isin(lp.row_upper, (0, np.inf))
    stays = is_zero
    stays[of_clauses] = False
    stays[list(own_rows)] = True
    part = freed(lp, np.flatnonzero(~stays))
    columns = {
        kind: [int(n) for side in sides if not side.is_row for n in side.numbers
               if side.what.kind in (kind, "initial")]
        for kind in ("lower", "upper")
    }  # fmt: skip
    col_lower, col_upper = np.zeros(lp.col_lower.size), np.full(lp.col_upper.size, np.inf)
    col_lower[columns["lower"]] = lp.col_lower[columns["lower"]]
    col_upper[columns["upper"]] = lp.col_upper[columns["upper"]]
    is_shut = lp.col_upper == 0
    col_upper[is_shut] = 0.0
    return replace(part, col_lower=col_lower, col_upper=col_upper)


def without(lp: MemberProgram, side: Side) -> MemberProgram:
    """The program without the limits of a side."""
    if side.is_row:
        return freed(lp, side.numbers)
    col_lower, col_upper = lp.col_lower.copy(), lp.col_upper.copy()
    col_lower[side.numbers], col_upper[side.numbers] = -np.inf, np.inf
    return replace(lp, col_lower=col_lower, col_upper=col_upper)


def freed(lp: MemberProgram, rows: np.ndarray) -> MemberProgram:
    """The program without the limits of some rows."""
    row_lower, row_upper = lp.row_lower.copy(), lp.row_upper.copy()
    row_lower[rows], row_upper[rows] = -np.inf, np.inf
    return replace(lp, row_lower=row_lower, row_upper=row_upper)


def all_changes(reasons: Reasons) -> list[tuple[bool, np.ndarray, np.ndarray]]:
    """The least change of all clauses together: is row, numbers, what gives way."""
    return [(c.limit.is_row, c.limit.numbers, c.gives) for c in reasons.changes]


def changed(
    lp: MemberProgram,
    changes: Sequence[Alternative | tuple[bool, np.ndarray, np.ndarray]],
    share: float = 1.0,
) -> MemberProgram:
    """The program with a share of what gives way."""
    limits = {
        name: getattr(lp, name).copy()
        for name in ("row_lower", "row_upper", "col_lower", "col_upper")
    }
    for change in changes:
        is_row, numbers, gives = (
            (change.is_row, change.numbers, change.gives)
            if isinstance(change, Alternative)
            else change
        )
        given = share * gives + np.where(share == 1, ROUNDING, 0.0) * np.sign(gives)
        of = "row" if is_row else "col"
        limits[f"{of}_lower"][numbers] -= np.maximum(given, 0.0)
        limits[f"{of}_upper"][numbers] -= np.minimum(given, 0.0)
        fixed = limits[f"{of}_lower"][numbers] > limits[f"{of}_upper"][numbers]
        assert not fixed.any()
    assert SMALLEST < ROUNDING
    return replace(lp, **limits)
