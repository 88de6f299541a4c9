"""Explanations keep their word: what they say a limit gives, it gives when all is solved again."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.properties.basins import LINEAR, MEET, networks
from tests.small import make_case
from wateralloc.errors import Infeasible
from wateralloc.explanation import Cause, Explanation, Target, explain_shortage
from wateralloc.foresight.settled import Settled, Wanted, most, settle
from wateralloc.horizon import MemberProgram

BASINS = 200
SHARE = [
    {"meet": {"sectors": ["town"]}},
    {"share": {"among": "demand", "rule": "leximin", "window": "horizon"}},
]
GOALS = [MEET, [*MEET, *LINEAR[1:3]], SHARE, [LINEAR[3], *MEET]]


def with_less(program: MemberProgram, cause: Cause) -> MemberProgram:
    """The program with every copy of the limit moved by its part, by hand."""
    limits = {
        (True, True): program.row_lower.copy(), (True, False): program.row_upper.copy(),
        (False, True): program.col_lower.copy(), (False, False): program.col_upper.copy(),
    }  # fmt: skip
    for place, part in zip(cause.places, cause.parts, strict=True):
        limits[place.is_row, place.is_lower][place.number] += place.step * part * cause.lift
    return replace(
        program,
        row_lower=limits[True, True], row_upper=limits[True, False],
        col_lower=limits[False, True], col_upper=limits[False, False],
    )  # fmt: skip


def most_of(settled: Settled, target: Target) -> float:
    """Most that a target is given once all goals are settled."""
    model = settled.period.model
    columns = [
        settled.horizon.columns[id(model.withdrawal[d])][list(target.periods)]
        for d in target.demands
    ]
    return most(settled.faces[-1].program, Wanted(np.concatenate(columns))).value


def check(e: Explanation, counts: Counter[str]) -> None:
    """Compare what an explanation says with the case solved anew, from nothing."""
    assert sum(step.taken for step in e.steps) == pytest.approx(e.short, abs=1e-5)
    assert e.requested + 1e-6 >= e.reachable >= e.entitled - 1e-6
    assert e.entitled + 1e-6 >= e.free[1] >= e.delivered - 1e-6
    before = most_of(e.settled, e.target)
    for cause in e.causes:
        anew = e.settled.again(with_less(e.settled.program, cause), is_warm=False)
        gain = most_of(anew, e.target) - before
        counts["causes"] += 1
        if cause.is_linear:
            assert gain == pytest.approx(cause.gain, rel=0.01, abs=1e-5), cause.limit
            assert gain == pytest.approx(cause.rates[0] * cause.lift, rel=0.01, abs=1e-5)
        else:
            counts["intervals"] += 1
            low, high = cause.rates
            assert low * cause.lift * 0.99 - 1e-5 <= gain <= high * cause.lift * 1.01 + 1e-5
    check_worth(e, before)
    if e.first - e.delivered > 1e-6:
        assert e.first <= e.entitled + 1e-6


def check_worth(e: Explanation, before: float) -> None:
    """More water at the node gives what is said, less of it takes no more than the other price."""
    worth = e.worth
    if worth is None:
        return
    for volume in (worth.lift, -1e-3 * worth.lift):
        program = e.settled.program
        lower, upper = program.row_lower.copy(), program.row_upper.copy()
        for place, part in zip(worth.places, worth.parts, strict=True):
            lower[place.number] -= part * volume
            upper[place.number] -= part * volume
        try:
            anew = e.settled.again(
                replace(program, row_lower=lower, row_upper=upper), is_warm=False
            )
        except Infeasible:
            assert volume < 0  # the last of it cannot be spared
            continue
        gain = most_of(anew, e.target) - before
        low, high = sorted(rate * volume for rate in worth.rates)
        slack = 0.01 * abs(high) + 1e-5
        assert low - slack <= gain <= high + slack, (worth, volume, gain)


def explanations(case: Any) -> list[Explanation]:
    """Explanations of the users that are short: over the horizon, and in their worst period."""
    settled = settle(case)
    model, found = settled.period.model, []
    for d in model.demand_name:
        lack = settled.horizon.array(model.demand[d])[0] - settled.value(model.withdrawal[d])
        if lack.sum() > 1e-4:
            every = tuple(range(case.n_periods))
            found.append(explain_shortage(settled, Target((d,), every)))
            found.append(explain_shortage(settled, Target((d,), (int(lack.argmax()),))))
    return found


def test_what_gives_way_gives_what_is_said(record_property: Callable[[str, object], None]) -> None:
    counts: Counter[str] = Counter()

    @settings(
        max_examples=BASINS, suppress_health_check=list(HealthCheck), database=None,
        phases=[Phase.generate],
    )  # fmt: skip
    @given(basin=networks(members=1), goals=st.sampled_from(GOALS))
    def check_all(basin: dict[str, Any], goals: list[Any]) -> None:
        with tempfile.TemporaryDirectory() as folder:
            found = explanations(make_case(Path(folder), goals=goals, **basin))
        counts["basins"] += 1
        counts["explanations"] += len(found)
        for explanation in found:
            check(explanation, counts)

    check_all()
    assert counts["basins"] >= BASINS
    assert counts["causes"] > BASINS
    share = counts["intervals"] / counts["causes"]
    record_property(
        "figure",
        f"{counts['explanations']} explanations of {counts['basins']} random basins: "
        f"{counts['causes']} limits, of which {share:.1%} needed an interval",
    )
