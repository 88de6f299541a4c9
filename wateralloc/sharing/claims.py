"""Claims rules: an estate is too small for the claims on it.

Every rule takes an estate and claims, all in one unit, and returns awards in the order of the
claims: no award is below 0 or above its claim, and they add up to the estate.  When the estate
covers all claims, the awards are the claims.  Nothing is searched for with a tolerance: each level
is found by sorting and solved for in closed form, so the answers are exact up to rounding.

Who is one claimant is a choice that comes before the rule and often matters more: with every rule
but the proportional one, five provinces get something else than one delta with their sum.

The definitions and their properties are in Thomson (2003), Axiomatic and game-theoretic analysis
of bankruptcy and taxation problems, Mathematical Social Sciences 45.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from math import comb
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from wateralloc.errors import listed, or_do, suggest
from wateralloc.sharing.checks import Array, SharingError, number, numbers, positive

Rule = Callable[[float, ArrayLike], Array]

MOST_EXACT = 16
"""Random arrival is exact up to so many claimants: it looks at every set of them."""


def proportional(estate: float, claims: ArrayLike, weights: ArrayLike | None = None) -> Array:
    """Give each claimant the same share of its claim (PRO: pro rata, equal coverage).

    Parameters
    ----------
    estate : what there is
    claims : (claimant)
    weights : (claimant)
        A claimant of weight 2 gets twice the share of its claim, until it has all of it.

    Equation
    --------
    a(k) = estate c(k) / sum of c; with weights a(k) = min(c(k), level w(k) c(k)).

    Source
    ------
    Aristotle, Nicomachean Ethics V; Moulin (2002), Axiomatic cost and surplus sharing.  Weights:
    Casas-Méndez, Fragnelli & García-Jurado (2011).

    Examples
    --------
    >>> proportional(100, [12, 18, 90, 30]).tolist()
    [8.0, 12.0, 60.0, 20.0]
    """
    estate, claims = _problem(estate, claims)
    if weights is None:
        total = claims.sum()
        return claims * (estate / total) if estate < total else claims
    return _equalise(estate, claims, claims * positive(weights, "weights", claims.size))


def cea(estate: float, claims: ArrayLike, weights: ArrayLike | None = None) -> Array:
    """Give all the same, but nobody more than its claim (CEA: constrained equal awards).

    Small claimants are safe: who asks for less than an equal part gets all of it.

    Parameters
    ----------
    estate : what there is
    claims : (claimant)
    weights : (claimant)
        A claimant of weight 2 gets twice as much, until it has its claim.

    Equation
    --------
    a(k) = min(c(k), w(k) level), with the level at which they add up to the estate.

    Source
    ------
    Maimonides, Laws of Lending and Borrowing 20; Thomson (2003).  Weights: Casas-Méndez, Fragnelli
    & García-Jurado (2011), Weighted bankruptcy rules, European Journal of Operational Research 215.

    Examples
    --------
    >>> cea(100, [12, 18, 90, 30]).tolist()
    [12.0, 18.0, 40.0, 30.0]
    """
    estate, claims = _problem(estate, claims)
    equal = np.ones(claims.size) if weights is None else positive(weights, "weights", claims.size)
    return _equalise(estate, claims, equal)


def cel(estate: float, claims: ArrayLike, weights: ArrayLike | None = None) -> Array:
    """Let all lose the same, but nobody more than its claim (CEL: constrained equal losses).

    Large claimants are favoured and small ones may get nothing: for drinking water it needs a
    floor (:func:`with_floors`).

    Parameters
    ----------
    estate : what there is
    claims : (claimant)
    weights : (claimant)
        A claimant of weight 2 bears twice the loss.  The direction is the opposite of that in
        :func:`cea`: here a weight burdens.

    Equation
    --------
    c(k) - a(k) = min(c(k), u(k) level), with the level at which the awards add up to the estate.

    Source
    ------
    Maimonides; Aumann & Maschler (1985); Thomson (2003).

    Examples
    --------
    >>> cel(100, [12, 18, 90, 30]).round(6).tolist()
    [0.0, 5.333333, 77.333333, 17.333333]
    """
    estate, claims = _problem(estate, claims)
    return claims - cea(max(0.0, float(claims.sum()) - estate), claims, weights)


def tal(estate: float, claims: ArrayLike, theta: ArrayLike = 0.5) -> Array:
    """First bring all towards a share theta of their claim, then let losses be equal (TAL family).

    One slider from :func:`cel` (theta 0) over :func:`talmud` (1/2) to :func:`cea` (1): everyone
    first gets the share theta of its need, in equal awards; what remains divides the loss of the
    rest equally.  `theta` may differ by claimant, as with a higher safe share for households.

    Parameters
    ----------
    estate : what there is
    claims : (claimant)
    theta : number, or (claimant)
        Share of the claim that is shared as awards [0..1].

    Equation
    --------
    estate <= sum of theta c: CEA(estate, theta c); else theta c + CEL(estate - sum of theta c,
    (1 - theta) c).

    Source
    ------
    Moreno-Ternero & Villar (2006), The TAL-family of rules for bankruptcy problems, Social Choice
    and Welfare 27.

    Examples
    --------
    >>> tal(100, [12, 18, 90, 30], theta=0.25).tolist()
    [3.0, 4.5, 76.25, 16.25]
    """
    estate, claims = _problem(estate, claims)
    if np.ndim(theta) == 0:
        theta = np.full(claims.size, number(theta, "theta", 0.0, 1.0))  # type: ignore[arg-type]
    first = claims * numbers(theta, "theta", 0.0, 1.0, claims.size)
    return _in_two_halves(estate, claims, first, cea, cel)


def talmud(estate: float, claims: ArrayLike) -> Array:
    """Share the first half of the claims in equal awards, the second in equal losses (Talmud).

    Of two claimants each concedes what it does not claim, and what both claim is halved: the
    contested garment.  It is the nucleolus of the game in which a coalition takes what the others
    leave (:func:`wateralloc.sharing.games.bankruptcy_game`).

    Equation
    --------
    estate <= D/2: CEA(estate, c/2); else c/2 + CEL(estate - D/2, c/2), with D the sum of c.

    Source
    ------
    Babylonian Talmud, Kethubot 93a; Aumann & Maschler (1985), Game theoretic analysis of a
    bankruptcy problem from the Talmud, Journal of Economic Theory 36.

    Examples
    --------
    >>> talmud(200, [100, 200, 300]).tolist()
    [50.0, 75.0, 75.0]
    """
    return tal(estate, claims, 0.5)


def reverse_talmud(estate: float, claims: ArrayLike) -> Array:
    """Share the first half of the claims in equal losses, the second in equal awards (RTAL).

    Equation
    --------
    estate <= D/2: CEL(estate, c/2); else c/2 + CEA(estate - D/2, c/2).

    Source
    ------
    Chun, Schummer & Thomson (2001), Constrained egalitarianism: a new solution to bankruptcy
    problems, Seoul Journal of Economics 14.

    Examples
    --------
    >>> reverse_talmud(100, [100, 200, 300]).tolist()
    [0.0, 25.0, 75.0]
    """
    estate, claims = _problem(estate, claims)
    return _in_two_halves(estate, claims, claims / 2, cel, cea)


def piniles(estate: float, claims: ArrayLike) -> Array:
    """Share in equal awards up to half of each claim, then again in the other halves (PIN).

    Equation
    --------
    estate <= D/2: CEA(estate, c/2); else c/2 + CEA(estate - D/2, c/2).

    Source
    ------
    Piniles (1861), Darkah shel Torah; Aumann & Maschler (1985).

    Examples
    --------
    >>> piniles(100, [12, 18, 90, 30]).round(6).tolist()
    [12.0, 15.333333, 51.333333, 21.333333]
    """
    estate, claims = _problem(estate, claims)
    return _in_two_halves(estate, claims, claims / 2, cea, cea)


def constrained_egalitarian(estate: float, claims: ArrayLike) -> Array:
    """Come as near to equal awards as half of each claim, kept by all, allows (CE).

    Equation
    --------
    estate <= D/2: CEA(estate, c/2); else a(k) = max(c(k)/2, min(c(k), level)).

    Source
    ------
    Chun, Schummer & Thomson (2001).

    Examples
    --------
    >>> constrained_egalitarian(100, [12, 18, 90, 30]).tolist()
    [12.0, 18.0, 45.0, 25.0]
    """
    estate, claims = _problem(estate, claims)
    half = claims / 2
    if estate >= claims.sum():
        return claims
    if estate <= half.sum():
        return cea(estate, half)
    return np.clip(_level(estate, half, claims, np.ones(claims.size)), half, claims)


def adjusted_proportional(estate: float, claims: ArrayLike) -> Array:
    """Give what nobody else claims, then share the rest pro rata of what is still asked (AP).

    Equation
    --------
    m(k) = max(0, estate - sum over j other than k of c(j)); R = estate - sum of m;
    a(k) = m(k) + R c'(k) / sum of c', with c'(k) = min(c(k) - m(k), R).

    Source
    ------
    Curiel, Maschler & Tijs (1987), Bankruptcy games, Zeitschrift für Operations Research 31.

    Examples
    --------
    >>> (11 * adjusted_proportional(100, [12, 18, 90, 30])).round(6).tolist()
    [72.0, 108.0, 740.0, 180.0]
    """
    estate, claims = _problem(estate, claims)
    if estate >= claims.sum():
        return claims
    sure = minimal_rights(estate, claims)
    rest = max(0.0, estate - float(sure.sum()))
    return sure + proportional(rest, np.minimum(claims - sure, rest))


def minimal_rights(estate: float, claims: ArrayLike) -> Array:
    """What the others leave to a claimant even when all of them are served in full.

    Equation
    --------
    m(k) = max(0, estate - sum over j other than k of c(j)).

    Examples
    --------
    >>> minimal_rights(100, [12, 18, 90]).tolist()
    [0.0, 0.0, 70.0]
    """
    estate, claims = _problem(estate, claims)
    return np.clip(estate - (claims.sum() - claims), 0.0, claims)


def random_arrival(estate: float, claims: ArrayLike) -> Array:
    """Average over all orders of arrival of "first come, fully served" (RA).

    It is the Shapley value of the game in which a coalition takes what the others leave.  Exact:
    it goes over every set of claimants, so it takes at most 16 of them;
    :func:`sample_arrivals` estimates it for more.

    Equation
    --------
    a(k) = sum over S without k of |S|! (n - |S| - 1)! / n! min(c(k), max(0, estate - c(S))).

    Source
    ------
    O'Neill (1982), A problem of rights arbitration from the Talmud, Mathematical Social Sciences 2.

    Raises
    ------
    SharingError
        There are more than 16 claimants.

    Examples
    --------
    >>> (6 * random_arrival(100, [12, 18, 90, 30])).round(6).tolist()
    [41.0, 59.0, 405.0, 95.0]
    """
    estate, claims = _problem(estate, claims)
    n = claims.size
    if n > MOST_EXACT:
        raise SharingError(
            f"random_arrival is given {n} claims; must be {MOST_EXACT} or fewer for an exact "
            f"answer, use sample_arrivals for more"
        )
    if estate >= claims.sum():
        return claims
    awards = np.zeros(n)
    for k in range(n):
        taken, size = np.zeros(1), np.zeros(1, int)
        for other in np.delete(claims, k):
            taken = np.concatenate([taken, taken + other])
            size = np.concatenate([size, size + 1])
        chance = np.array([1 / (n * comb(n - 1, s)) for s in range(n)])
        awards[k] = chance[size] @ np.minimum(claims[k], np.maximum(0.0, estate - taken))
    return awards


class Sampled(NamedTuple):
    """Awards estimated from sampled orders, and how far off they may be."""

    awards: Array
    """(claimant); they add up to the estate."""
    standard_error: Array
    """(claimant), in the unit of the estate."""


def sample_arrivals(
    estate: float, claims: ArrayLike, n_orders: int = 10_000, seed: int = 0
) -> Sampled:
    """Estimate :func:`random_arrival` from orders drawn at random.

    Parameters
    ----------
    estate : what there is
    claims : (claimant)
    n_orders : how many orders are drawn, 2 or more
    seed : the same seed draws the same orders

    Equation
    --------
    mean over the drawn orders of min(c(k), max(0, estate - what came before k)); the standard
    error is the standard deviation over the orders divided by the root of their number.

    Source
    ------
    Castro, Gómez & Tejada (2009), Polynomial calculation of the Shapley value based on sampling,
    Computers & Operations Research 36.

    Examples
    --------
    >>> found = sample_arrivals(100, [12, 18, 90, 30], seed=1)
    >>> bool(np.all(abs(found.awards - random_arrival(100, [12, 18, 90, 30])) < 1))
    True
    """
    estate, claims = _problem(estate, claims)
    n_orders = int(number(n_orders, "n_orders", 2))
    draw = np.random.default_rng(seed)
    total, squares = np.zeros(claims.size), np.zeros(claims.size)
    for _ in range(n_orders):
        order = draw.permutation(claims.size)
        before = np.concatenate([[0.0], np.cumsum(claims[order])[:-1]])
        award = np.minimum(claims[order], np.maximum(0.0, estate - before))
        total[order] += award
        squares[order] += award**2
    mean = total / n_orders
    variance = np.maximum(0.0, squares / n_orders - mean**2) * n_orders / (n_orders - 1)
    return Sampled(mean, np.sqrt(variance / n_orders))


def minimal_overlap(estate: float, claims: ArrayLike) -> Array:
    """Lay the claims on the estate with least overlap; each part is shared by who claims it (MO).

    Equation
    --------
    With claims in rising order and t such that sum of max(0, c(k) - t) = estate - t (t = estate
    when one claim covers the estate): a(k) = sum over j <= k of (min(c(j), t) - min(c(j-1), t)) /
    (n - j + 1), plus max(0, min(c(k), estate) - t).

    Source
    ------
    Ibn Ezra (12th century); O'Neill (1982); Chun & Thomson (2005), Convergence under replication of
    rules to adjudicate conflicting claims, Games and Economic Behavior 50.

    Examples
    --------
    >>> minimal_overlap(100, [12, 18, 90, 30]).tolist()
    [3.0, 5.0, 76.0, 16.0]
    """
    estate, claims = _problem(estate, claims)
    if estate >= claims.sum():
        return claims
    order = np.argsort(claims, kind="stable")
    rising = np.minimum(claims[order], estate)
    n = rising.size
    t = estate if rising[-1] >= estate else _overlap(estate, rising)
    steps = np.diff(np.minimum(rising, t), prepend=0.0)
    awards = np.empty(n)
    awards[order] = np.cumsum(steps / np.arange(n, 0, -1)) + np.maximum(0.0, rising - t)
    return np.minimum(awards, claims)


def _overlap(estate: float, rising: Array) -> float:
    """Where the part claimed by several ends: claims above it lie side by side."""
    above = np.cumsum(rising[::-1])  # sum of the k largest, k = 1..n
    k = np.arange(2, rising.size + 1)
    ends = (above[1:] - estate) / (k - 1)
    next_lower = np.append(rising[::-1][2:], 0.0)
    # with k claims above t the next one is not; the first k for which that is true
    return float(ends[np.argmax(ends >= next_lower)])


RULES: dict[str, Rule] = {
    "proportional": proportional,
    "cea": cea,
    "cel": cel,
    "talmud": talmud,
    "reverse_talmud": reverse_talmud,
    "piniles": piniles,
    "constrained_egalitarian": constrained_egalitarian,
    "adjusted_proportional": adjusted_proportional,
    "random_arrival": random_arrival,
    "minimal_overlap": minimal_overlap,
}
"""Rules by name; ``tal`` is no single rule, but one for each theta."""

WEIGHTED: dict[str, Callable[..., Array]] = {"proportional": proportional, "cea": cea, "cel": cel}
"""Rules that take weights.  In ``cel`` a weight burdens, in the others it favours."""


def rule_of(rule: str | Rule) -> Rule:
    """Return a rule by its name; a function is returned as it is.

    Raises
    ------
    SharingError
        No rule has the name.

    Examples
    --------
    >>> rule_of("talmut")
    Traceback (most recent call last):
    ...
    wateralloc.sharing.checks.SharingError: unknown rule 'talmut'; did you mean 'talmud'?
    """
    if not isinstance(rule, str):
        return rule
    if rule not in RULES:
        hint = or_do(suggest(rule, RULES), f"must be one of {listed(RULES)}")
        raise SharingError(f"unknown rule '{rule}'{hint}")
    return RULES[rule]


# --- layers on top of a rule --------------------------------------------------------------------


def with_floors(
    estate: float,
    claims: ArrayLike,
    floors: ArrayLike,
    rule: str | Rule = "proportional",
    floor_rule: str | Rule = "cea",
) -> Array:
    """Guarantee each claimant its floor first, then share the rest by a rule.

    Parameters
    ----------
    estate : what there is
    claims : (claimant)
    floors : (claimant)
        What is served before anything is shared, as for households; at most the claim.
    rule : shares what is above the floors
    floor_rule : shares the estate when it does not reach for the floors

    Equation
    --------
    estate <= sum of b: rule of floors (estate, b); else b + rule (estate - sum of b, c - b).

    Source
    ------
    Hougaard, Moreno-Ternero & Østerdal (2012), A unifying framework for the problem of adjudicating
    conflicting claims, Journal of Mathematical Economics 48.

    Examples
    --------
    >>> with_floors(100, [12, 18, 90, 30], [12, 0, 0, 10], "cel").round(6).tolist()
    [12.0, 1.333333, 73.333333, 13.333333]
    """
    estate, claims = _problem(estate, claims)
    floors = numbers(floors, "floors", size=claims.size)
    wrong = np.flatnonzero(floors > claims)
    if wrong.size:
        k = wrong[0]
        raise SharingError(
            f"floors[{k}] is {floors[k]}; must be at most the claim, which is {claims[k]}"
        )
    needed = float(floors.sum())
    if estate <= needed:
        return rule_of(floor_rule)(estate, floors)
    return floors + rule_of(rule)(estate - needed, claims - floors)


def priority(
    estate: float,
    claims: ArrayLike,
    classes: Sequence[float] | ArrayLike,
    rule: str | Rule = "proportional",
) -> Array:
    """Serve class after class; inside a class a rule shares (prior appropriation).

    Parameters
    ----------
    estate : what there is
    claims : (claimant)
    classes : (claimant)
        Whole or other numbers; the lowest is served first.
    rule : shares inside a class

    Equation
    --------
    a(class q) = rule (what the classes before q leave, c(class q)).

    Source
    ------
    Prior appropriation ("first in time, first in right"), as in Moulin (2000), Priority rules and
    other asymmetric rationing methods, Econometrica 68.

    Examples
    --------
    >>> priority(100, [12, 18, 90, 30], [1, 3, 3, 2]).round(6).tolist()
    [12.0, 9.666667, 48.333333, 30.0]
    """
    estate, claims = _problem(estate, claims)
    ranks = numbers(classes, "classes", -np.inf, size=claims.size)
    share, left, awards = rule_of(rule), estate, np.zeros(claims.size)
    for rank in np.unique(ranks):
        inside = ranks == rank
        awards[inside] = share(left, claims[inside])
        left = max(0.0, left - float(claims[inside].sum()))
    return awards


def two_tiers(
    estate: float,
    claims: ArrayLike,
    groups: Sequence[Hashable],
    rule: str | Rule = "proportional",
    inner_rule: str | Rule | None = None,
) -> Array:
    """Share among groups first, as regions, then inside each group, as among its sectors.

    Parameters
    ----------
    estate : what there is
    claims : (claimant)
    groups : (claimant)
        Name of the group of each claimant; a group claims the sum of its members' claims.
    rule : shares among groups
    inner_rule : shares inside each group; default: the same

    Equation
    --------
    A = rule (estate, sums of c by group); a(members of g) = inner rule (A(g), c(members of g)).

    Examples
    --------
    >>> claims, regions = [10, 30, 20, 30, 80, 30], ["hills"] * 3 + ["delta"] * 3
    >>> two_tiers(120, claims, regions, "cea").tolist()
    [10.0, 30.0, 20.0, 20.0, 20.0, 20.0]
    >>> cea(120, claims).tolist()  # in one tier
    [10.0, 22.5, 20.0, 22.5, 22.5, 22.5]
    """
    estate, claims = _problem(estate, claims)
    if len(groups) != claims.size:
        raise SharingError(f"groups has {len(groups)} values; must have {claims.size}, one each")
    of = list(dict.fromkeys(groups))
    member = np.array([of.index(group) for group in groups], int)
    sums = np.bincount(member, claims, minlength=len(of))
    given = rule_of(rule)(estate, sums)
    share, awards = rule_of(rule if inner_rule is None else inner_rule), np.zeros(claims.size)
    for group, amount in enumerate(given):
        inside = member == group
        awards[inside] = share(float(amount), claims[inside])
    return awards


# --- arithmetic ---------------------------------------------------------------------------------


def _problem(estate: float, claims: ArrayLike) -> tuple[float, Array]:
    return number(estate, "estate"), numbers(claims, "claims")


def _equalise(estate: float, caps: Array, weights: Array) -> Array:
    """Raise all together at the speed of their weights, each up to its cap."""
    if estate >= caps.sum():
        return caps
    return np.clip(weights * _level(estate, np.zeros(caps.size), caps, weights), 0.0, caps)


def _level(estate: float, low: Array, high: Array, weights: Array) -> float:
    """Solve sum of clip(w level, low, high) = estate, for sum of low <= estate <= sum of high.

    The sum is linear between the levels at which somebody leaves its lower or reaches its upper
    bound.  These are sorted, the piece is found, and the level solved for from who is between its
    bounds there: no rounding adds up along the way.
    """
    moves = weights > 0
    speed, first, last = weights[moves], low[moves], high[moves]
    levels = np.concatenate([first / speed, last / speed])
    order = np.argsort(levels, kind="stable")
    at = levels[order]
    slopes = np.cumsum(np.concatenate([speed, -speed])[order])
    reached = low.sum() + np.concatenate([[0.0], np.cumsum(slopes[:-1] * np.diff(at))])
    piece = min(int(np.searchsorted(reached, estate, side="right")), at.size - 1)
    middle = (at[piece - 1] + at[piece]) / 2 if piece else at[0]
    between = (first / speed < middle) & (middle < last / speed)
    if not between.any():
        return float(middle)
    bound = np.where(last / speed <= middle, last, first)[~between].sum() + high[~moves].sum()
    return float((estate - bound) / speed[between].sum())


def _in_two_halves(estate: float, claims: Array, first: Array, below: Rule, above: Rule) -> Array:
    """Share up to `first` by one rule, and what is beyond it by another."""
    threshold = float(first.sum())
    if estate <= threshold:
        return below(estate, first)
    return first + above(estate - threshold, claims - first)
