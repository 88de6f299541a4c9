"""Properties of claims rules, each as a question with a yes or no on one problem."""

from __future__ import annotations

from itertools import combinations

import numpy as np

from wateralloc.sharing.checks import Array
from wateralloc.sharing.claims import Rule, minimal_rights


def same(one: Array, other: Array, size: float) -> bool:
    return bool(np.all(np.abs(np.asarray(one) - other) <= 1e-9 * max(1.0, size)))


def keeps_order(rule: Rule, estate: float, claims: Array, other: float) -> bool:
    """Who claims more gets no less, and loses no less."""
    order = np.argsort(claims, kind="stable")
    awards = rule(estate, claims)[order]
    losses = claims[order] - awards
    slack = 1e-9 * max(1.0, claims.sum())
    return bool(np.all(np.diff(awards) >= -slack) and np.all(np.diff(losses) >= -slack))


def more_water_hurts_nobody(rule: Rule, estate: float, claims: Array, other: float) -> bool:
    less, more = sorted((estate, other))
    gain = rule(more, claims) - rule(less, claims)
    return bool(np.all(gain >= -1e-9 * max(1.0, claims.sum())))


def larger_claim_gets_no_less(rule: Rule, estate: float, claims: Array, other: float) -> bool:
    before = rule(estate, claims)
    for k in range(claims.size):
        raised = claims.copy()
        raised[k] += other
        if rule(estate, raised)[k] < before[k] - 1e-9 * max(1.0, raised.sum()):
            return False
    return True


def ignores_claims_above_estate(rule: Rule, estate: float, claims: Array, other: float) -> bool:
    return same(rule(estate, claims), rule(estate, np.minimum(claims, estate)), claims.sum())


def minimal_rights_first(rule: Rule, estate: float, claims: Array, other: float) -> bool:
    sure = minimal_rights(estate, claims)
    rest = max(0.0, estate - sure.sum())
    return same(rule(estate, claims), sure + rule(rest, claims - sure), claims.sum())


def composition_down(rule: Rule, estate: float, claims: Array, other: float) -> bool:
    """A smaller estate may be shared by the awards of the larger as claims."""
    less, more = sorted((estate, other))
    return same(rule(less, claims), rule(less, rule(more, claims)), claims.sum())


def composition_up(rule: Rule, estate: float, claims: Array, other: float) -> bool:
    """An estate may be shared as it comes in, on what is still claimed."""
    less, more = sorted((estate, other))
    first = rule(less, claims)
    second = rule(more - less, np.maximum(0.0, claims - first))
    return same(rule(more, claims), first + second, claims.sum())


def self_dual(rule: Rule, estate: float, claims: Array, other: float) -> bool:
    """What is there and what is missing are shared alike."""
    missing = max(0.0, claims.sum() - estate)
    return same(rule(estate, claims), claims - rule(missing, claims), claims.sum())


def consistent(rule: Rule, estate: float, claims: Array, other: float) -> bool:
    """Those who stay, with what they had together, get the same."""
    awards = rule(estate, claims)
    for n in range(1, claims.size):
        for chosen in combinations(range(claims.size), n):
            stay = list(chosen)
            if not same(rule(awards[stay].sum(), claims[stay]), awards[stay], claims.sum()):
                return False
    return True


def midpoint(rule: Rule, estate: float, claims: Array, other: float) -> bool:
    return same(rule(claims.sum() / 2, claims), claims / 2, claims.sum())


def merging_gains_nothing(rule: Rule, estate: float, claims: Array, other: float) -> bool:
    """Two who join, or one who splits, get the same together."""
    awards = rule(estate, claims)
    for i, j in combinations(range(claims.size), 2):
        merged = np.append(np.delete(claims, [i, j]), claims[i] + claims[j])
        if not same(rule(estate, merged)[-1:], awards[[i, j]].sum(keepdims=True), claims.sum()):
            return False
    return True


def secures_a_part(rule: Rule, estate: float, claims: Array, other: float) -> bool:
    """Nobody gets less than the n-th part of its claim, or of the estate if that is less."""
    sure = np.minimum(claims, estate) / claims.size
    return bool(np.all(rule(estate, claims) >= sure - 1e-9 * max(1.0, claims.sum())))


LAWS = {
    "order": keeps_order,
    "resource_monotonicity": more_water_hurts_nobody,
    "claims_monotonicity": larger_claim_gets_no_less,
    "truncation": ignores_claims_above_estate,
    "minimal_rights": minimal_rights_first,
    "composition_down": composition_down,
    "composition_up": composition_up,
    "self_duality": self_dual,
    "consistency": consistent,
    "midpoint": midpoint,
    "merging": merging_gains_nothing,
    "securement": secures_a_part,
}
NAMES = (
    "proportional",
    "cea",
    "cel",
    "talmud",
    "reverse_talmud",
    "piniles",
    "constrained_egalitarian",
    "adjusted_proportional",
    "random_arrival",
    "minimal_overlap",
)
ANSWERS = {  # y: holds always, n: not; in the order of NAMES
    "order": "yyyyyyyyyy",
    "resource_monotonicity": "yyyyyyyyyy",
    "claims_monotonicity": "yyyyyyyyyy",
    "truncation": "nynynnnyyy",
    "minimal_rights": "nnyynnnyyy",
    "composition_down": "yyynnnnnnn",
    "composition_up": "yyynnnnnnn",
    "self_duality": "ynnyynnyyn",
    "consistency": "yyyyyyynnn",
    "midpoint": "ynnyyyyyyn",
    "merging": "ynnnnnnnnn",
    "securement": "nynynyyyyy",
}
"""What each rule keeps.

Minimal overlap keeps minimal rights first.  Let L = D - E be what is missing; taking the minimal
rights away cuts claims at L and the estate by what is above it.  With the estate above the largest
claim, t <= L, since the sum of min(c, L) is 2 L or more: two claims reach L, or one does and the
others add up to more than L.  So the equation of t loses the same on both sides, t stays, and each
award loses its minimal right.  With a claim that covers the estate it still does so afterwards, and
the awards of the others do not depend on it.
"""

BROKEN = {  # the smallest problems found: estate, claims, and the other number the law asks for
    ("truncation", "proportional"): (1, (1, 2), 0),
    ("truncation", "cel"): (1, (1, 2), 0),
    ("truncation", "reverse_talmud"): (1, (1, 2), 0),
    ("truncation", "piniles"): (2, (1, 3), 0),
    ("truncation", "constrained_egalitarian"): (2, (1, 3), 0),
    ("minimal_rights", "proportional"): (2, (1, 2), 0),
    ("minimal_rights", "cea"): (2, (1, 2), 0),
    ("minimal_rights", "reverse_talmud"): (2, (1, 2), 0),
    ("minimal_rights", "piniles"): (2, (1, 2), 0),
    ("minimal_rights", "constrained_egalitarian"): (2, (1, 2), 0),
    ("composition_down", "talmud"): (1, (1, 2), 2),
    ("composition_down", "reverse_talmud"): (1, (1, 2), 2),
    ("composition_down", "piniles"): (1, (1, 2), 2),
    ("composition_down", "constrained_egalitarian"): (1, (1, 3), 2),
    ("composition_down", "adjusted_proportional"): (1, (1, 2), 2),
    ("composition_down", "random_arrival"): (1, (1, 2), 2),
    ("composition_down", "minimal_overlap"): (1, (1, 2), 2),
    ("composition_up", "talmud"): (1, (1, 2), 2),
    ("composition_up", "reverse_talmud"): (1, (1, 2), 2),
    ("composition_up", "piniles"): (1, (1, 3), 2),
    ("composition_up", "constrained_egalitarian"): (1, (1, 2), 2),
    ("composition_up", "adjusted_proportional"): (1, (1, 2), 2),
    ("composition_up", "random_arrival"): (1, (1, 2), 2),
    ("composition_up", "minimal_overlap"): (1, (1, 2), 2),
    ("self_duality", "cea"): (1, (1, 2), 0),
    ("self_duality", "cel"): (1, (1, 2), 0),
    ("self_duality", "piniles"): (1, (1, 2), 0),
    ("self_duality", "constrained_egalitarian"): (1, (1, 2), 0),
    ("self_duality", "minimal_overlap"): (2, (1, 1, 2), 0),
    ("consistency", "adjusted_proportional"): (2, (1, 2, 2), 0),
    ("consistency", "random_arrival"): (2, (1, 2, 2), 0),
    ("consistency", "minimal_overlap"): (2, (1, 1, 2), 0),
    ("midpoint", "cea"): (1, (1, 2), 0),
    ("midpoint", "cel"): (1, (1, 2), 0),
    ("midpoint", "minimal_overlap"): (1, (1, 1, 2), 0),
    ("merging", "cea"): (1, (1, 1, 1), 0),
    ("merging", "cel"): (1, (1, 1, 1), 0),
    ("merging", "talmud"): (1, (1, 1, 1), 0),
    ("merging", "reverse_talmud"): (1, (1, 1, 1), 0),
    ("merging", "piniles"): (1, (1, 1, 1), 0),
    ("merging", "constrained_egalitarian"): (1, (1, 1, 1), 0),
    ("merging", "adjusted_proportional"): (1, (1, 1, 1), 0),
    ("merging", "random_arrival"): (1, (1, 1, 1), 0),
    ("merging", "minimal_overlap"): (1, (1, 1, 1), 0),
    ("securement", "proportional"): (1, (1, 2), 0),
    ("securement", "cel"): (1, (1, 2), 0),
    ("securement", "reverse_talmud"): (1, (1, 2), 0),
}
