"""Rules made for rivers: water goes down, so who is below can only ask for what passes.

A :class:`River` says who lies above whom.  Each riparian has its own inflow and its own claim (or
its own benefit of water).  Rules in volumes are :func:`sequential` and :func:`shared_rights`.  The
incremental, hierarchical and average-tree rules share money: what they give is a payoff, which the
riparian has from its water *and* from what others pay it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike

from wateralloc.errors import listed, or_do, suggest
from wateralloc.sharing.checks import Array, SharingError, names, numbers
from wateralloc.sharing.claims import Rule, rule_of

Value = Callable[[frozenset[str]], float]
"""What a coalition of riparians can reach alone, as :class:`~wateralloc.sharing.games.Game`."""

Benefit = Sequence[tuple[float, float]]
"""Pieces (width, benefit of one unit) in the order of use; the last may be infinitely wide."""


@dataclass(frozen=True)
class River:
    """Riparians and who lies next below each; one mouth, no branching downstream.

    Water that branches, as in a delta, is one riparian here: what reaches it is shared by
    another rule, for instance in two tiers.

    Parameters
    ----------
    names : riparians, in any order
    downstream : for each, the name of the next below; None at the mouth

    Examples
    --------
    >>> River(("hills", "plain", "delta"), ("plain", "delta", None)).order
    (0, 1, 2)
    """

    names: tuple[str, ...]
    downstream: tuple[str | None, ...]

    def __post_init__(self) -> None:
        names(self.names, "names")
        if len(self.downstream) != len(self.names):
            raise SharingError(
                f"downstream has {len(self.downstream)} values; must have {len(self.names)}, "
                f"one each"
            )
        for name, below in zip(self.names, self.downstream, strict=True):
            if below is not None:
                self._find(below, f"downstream of '{name}'")
        mouths = [n for n, d in zip(self.names, self.downstream, strict=True) if d is None]
        if len(mouths) != 1:
            raise SharingError(
                f"the river has {len(mouths)} mouths ({listed(mouths)}); must have one"
            )
        if len(self.order) != len(self.names):
            missing = [name for k, name in enumerate(self.names) if k not in self.order]
            raise SharingError(f"{listed(missing)} never reach the mouth; break the circle")

    @classmethod
    def line(cls, *along: str) -> River:
        """Riparians one below the other, the uppermost first."""
        return cls(tuple(along), (*along[1:], None))

    def _find(self, name: str, what: str) -> int:
        if name not in self.names:
            hint = or_do(suggest(name, self.names), f"must be one of {listed(self.names)}")
            raise SharingError(f"{what} is '{name}', which is no riparian{hint}")
        return self.names.index(name)

    @property
    def below(self) -> tuple[int | None, ...]:
        """Position of the next below each riparian."""
        return tuple(None if d is None else self.names.index(d) for d in self.downstream)

    @property
    def above(self) -> tuple[tuple[int, ...], ...]:
        """Positions of those next above each riparian."""
        found: list[list[int]] = [[] for _ in self.names]
        for k, below in enumerate(self.below):
            if below is not None:
                found[below].append(k)
        return tuple(tuple(ups) for ups in found)

    @property
    def order(self) -> tuple[int, ...]:
        """Positions so that each comes after all above it."""
        above, walk = self.above, [k for k, below in enumerate(self.below) if below is None]
        for k in walk:
            walk.extend(above[k])
        return tuple(reversed(walk))

    @property
    def is_line(self) -> bool:
        """Whether there are no confluences."""
        return all(len(ups) <= 1 for ups in self.above)

    def components(self, coalition: Iterable[str]) -> list[frozenset[str]]:
        """Split a coalition into the parts that hang together along the river."""
        members = {self._find(name, "a member of the coalition") for name in coalition}
        below = self.below
        top: dict[int, int] = {}
        for k in reversed(self.order):
            if k in members:
                down = below[k]
                top[k] = top[down] if down in members and down is not None else k
        parts: dict[int, set[str]] = {}
        for k, end in top.items():
            parts.setdefault(end, set()).add(self.names[k])
        return [frozenset(part) for part in parts.values()]


# --- volumes ------------------------------------------------------------------------------------


def sequential(
    river: River, inflow: ArrayLike, claims: ArrayLike, rule: str | Rule = "proportional"
) -> Array:
    """Share at each riparian in turn between itself and all that is asked below it.

    From the source down: what reaches a riparian is an estate with two claims on it, its own and
    the *net* need of those below (their claims less their own inflows).  An upstream riparian
    bargains with the need of the downstream as a whole, not with every claimant there.

    On a river with confluences the need below one is divided among the branches in proportion to
    the inflow each has; a branch so asks nothing of another.  That extension is this package's; on
    a river without confluences it is the published rule.

    Parameters
    ----------
    river : River
    inflow : (riparian)
        Local inflow of each.
    claims : (riparian)
    rule : any rule of :mod:`wateralloc.sharing.claims`, applied to two claims

    Equation
    --------
    E(i) = e(i) + sum over branches j next above of (E(j) - a(j)); C(i) = max(0, sum over j below i
    of (c(j) - e(j))); a(i) = the first award of rule (E(i); c(i), C(i)).

    Source
    ------
    Ansink & Weikard (2012), Sequential sharing rules for river sharing problems, Social Choice and
    Welfare 38.

    Examples
    --------
    >>> river = River.line("hills", "plain", "delta")
    >>> sequential(river, [100, 20, 0], [60, 40, 80], "cea").tolist()
    [50.0, 35.0, 35.0]
    """
    n = len(river.names)
    inflow = numbers(inflow, "inflow", size=n)
    claims = numbers(claims, "claims", size=n)
    share, below, above = rule_of(rule), river.below, river.above
    available = inflow.copy()
    for k in river.order:
        available[k] += sum(available[up] for up in above[k])
    need = np.zeros(n)
    for k in reversed(river.order):
        down = below[k]
        if down is None:
            continue
        supply = float(sum(available[up] for up in above[down]))
        part = available[k] / supply if supply > 0 else 1 / len(above[down])
        need[k] = part * (claims[down] - inflow[down] + need[down])
    awards, reaching = np.zeros(n), inflow.copy()
    for k in river.order:
        awards[k] = share(float(reaching[k]), [claims[k], max(0.0, float(need[k]))])[0]
        down = below[k]
        if down is not None:
            reaching[down] += max(0.0, float(reaching[k] - awards[k]))
    return awards


def shared_rights(river: River, inflow: ArrayLike, passed: float) -> Array:
    """Let each riparian pass on a share of what reaches it, and the mouth keep the rest.

    The compromise between two claims of right: absolute territorial sovereignty (`passed` is 0:
    each keeps its own water) and unlimited territorial integrity (1: all goes to the mouth).

    Parameters
    ----------
    river : River
    inflow : (riparian)
    passed : share of what reaches a riparian that it passes on [0..1]

    Equation
    --------
    a(i) = (1 - passed) (e(i) + g), with g = what those next above pass on; at the mouth e(n) + g.

    Source
    ------
    Martínez & Moreno-Ternero (2024), arXiv 2407.14623.

    Examples
    --------
    >>> shared_rights(River.line("hills", "plain", "delta"), [100, 20, 0], 0.5).tolist()
    [50.0, 35.0, 35.0]
    """
    reaching = numbers(inflow, "inflow", size=len(river.names))
    on = float(numbers([passed], "passed", 0.0, 1.0, one=True)[0])
    awards, below = np.zeros(reaching.size), river.below
    for k in river.order:
        down = below[k]
        awards[k] = reaching[k] if down is None else (1 - on) * reaching[k]
        if down is not None:
            reaching[down] += on * reaching[k]
    return awards


# --- benefit ------------------------------------------------------------------------------------


def best_use(
    river: River,
    inflow: ArrayLike,
    benefits: Sequence[Benefit],
    coalition: Iterable[str] | None = None,
) -> Array:
    """Use the water of a coalition where it is worth most, within what can flow to each.

    A coalition has the inflows of its members only, and water reaches a member from those above it
    only through members.  The pieces of the benefits are served in the order of their worth, each
    with all that can reach it: with concave benefits no other order does better.

    Parameters
    ----------
    river : River
    inflow : (riparian)
    benefits : (riparian)
        Pieces (width, benefit of one unit); the benefit of one unit must not rise.
    coalition : names; default: all

    Returns
    -------
    array (riparian)
        Water used by each; 0 for those outside the coalition.

    Equation
    --------
    max sum of b(i, a(i)), with sum over j in and above i of a(j) <= sum over them of e(j).

    Source
    ------
    Ambec & Sprumont (2002); greedy on a laminar family: Federgruen & Groenevelt (1986), The greedy
    procedure for resource allocation problems, Operations Research 34.

    Examples
    --------
    >>> river, pieces = River.line("up", "down"), [[(2, 4.0), (9, 1.0)], [(2, 6.0), (9, 2.0)]]
    >>> best_use(river, [6, 1], pieces).tolist()
    [2.0, 5.0]
    """
    n = len(river.names)
    inflow = numbers(inflow, "inflow", size=n)
    if len(benefits) != n:
        raise SharingError(f"benefits has {len(benefits)} values; must have {n}, one each")
    members = set(range(n))
    if coalition is not None:
        members = {river._find(name, "a member of the coalition") for name in coalition}
    below, above = river.below, river.above
    left = np.zeros(n)  # water in and above i that nobody has taken
    for k in river.order:
        if k in members:
            left[k] = inflow[k] + sum(left[up] for up in above[k])  # 0 outside
    pieces = sorted(
        (-worth, k, at, width)
        for k in members
        for at, (width, worth) in enumerate(_concave(benefits[k], river.names[k]))
        if worth > 0
    )
    used = np.zeros(n)
    for _, k, _, width in pieces:
        way, down = [k], below[k]
        while down is not None and down in members:
            way.append(down)
            down = below[down]
        taken = min(width, float(left[way].min()))
        used[k] += taken
        left[way] -= taken
    return used


def benefit_of(use: float, benefit: Benefit) -> float:
    """Benefit of a volume, from its pieces; what is beyond the last is worth nothing.

    Examples
    --------
    >>> benefit_of(5, [(2, 4.0), (9, 1.0)])
    11.0
    """
    total, left = 0.0, use
    for width, worth in benefit:
        total += worth * min(width, left)
        left = max(0.0, left - width)
    return total


def _concave(benefit: Benefit, name: str) -> Benefit:
    for width, worth in benefit:
        if not width >= 0 or not np.isfinite(worth):
            raise SharingError(
                f"benefit of '{name}' has a piece ({width}, {worth}); a width must be 0 or more, "
                f"and a benefit of one unit a finite number"
            )
    for (_, worth), (_, after) in pairwise(benefit):
        if after > worth:
            raise SharingError(
                f"benefit of '{name}' rises from {worth:g} to {after:g} a unit; must not rise, "
                f"put the pieces in the order of use"
            )
    return benefit


def river_value(river: River, inflow: ArrayLike, benefits: Sequence[Benefit]) -> Value:
    """Return what each coalition can reach with its own water: the value of its connected parts.

    Water that leaves a part of a coalition is taken by those between, so parts that do not hang
    together do not help each other.

    Equation
    --------
    v(S) = sum over connected parts T of S of max sum over i in T of b(i, a(i)).

    Source
    ------
    Ambec & Sprumont (2002), Sharing a river, Journal of Economic Theory 107.

    Examples
    --------
    >>> river, pieces = River.line("up", "down"), [[(2, 4.0), (9, 1.0)], [(2, 6.0), (9, 2.0)]]
    >>> river_value(river, [6, 1], pieces)(frozenset({"up", "down"}))
    26.0
    """

    def value(coalition: frozenset[str]) -> float:
        use = best_use(river, inflow, benefits, coalition)
        inside = [k for k, name in enumerate(river.names) if name in coalition]
        return float(sum(benefit_of(use[k], benefits[k]) for k in inside))

    value(frozenset(river.names))  # faults in the numbers show here, not at the first coalition
    return value


def downstream_incremental(river: River, value: Value) -> Array:
    """Give each riparian what the water use of all above it gains by its joining them.

    On a river without confluences it is the only division in which no coalition does better alone,
    and nobody has more than with all the water from above to itself.

    Parameters
    ----------
    river : River
    value : of a coalition; :func:`river_value` or a game

    Returns
    -------
    array (riparian)
        Payoffs, not water: what somebody gets beyond the benefit of its water is paid by others.

    Equation
    --------
    x(i) = v(i and all above it) - sum over branches next above of v(the whole branch).

    Source
    ------
    Ambec & Sprumont (2002); satiation: Ambec & Ehlers (2008), Games and Economic Behavior 64;
    confluences: van den Brink, van der Laan & Moes (2012), Journal of Environmental Economics and
    Management 63.

    Examples
    --------
    >>> river, pieces = River.line("up", "down"), [[(2, 4.0), (9, 1.0)], [(2, 6.0), (9, 2.0)]]
    >>> downstream_incremental(river, river_value(river, [6, 1], pieces)).tolist()
    [12.0, 14.0]
    """
    (mouth,) = (name for name, d in zip(river.names, river.downstream, strict=True) if d is None)
    return hierarchical(river, value, mouth)


def upstream_incremental(river: River, value: Value) -> Array:
    """Give each riparian what those below it gain by its joining them.

    Equation
    --------
    x(i) = v(i and all below it) - v(all below it).

    Source
    ------
    van den Brink, van der Laan & Vasil'ev (2007), Component efficient solutions in line-graph games
    with applications, Economic Theory 33.

    Raises
    ------
    SharingError
        The river has confluences; :func:`hierarchical` with a chosen root is what there is then.

    Examples
    --------
    >>> river, pieces = River.line("up", "down"), [[(2, 4.0), (9, 1.0)], [(2, 6.0), (9, 2.0)]]
    >>> upstream_incremental(river, river_value(river, [6, 1], pieces)).tolist()
    [20.0, 6.0]
    """
    if not river.is_line:
        raise SharingError(
            "the river has confluences, and upstream_incremental is for one without; "
            "use hierarchical with a root, or average_tree"
        )
    return hierarchical(river, value, river.names[river.order[0]])


def hierarchical(river: River, value: Value, root: str) -> Array:
    """Give each riparian what it adds to the branches that end at it, seen from a root.

    Equation
    --------
    x(i) = v(i and all behind it) - sum over the branches next behind it of v(the whole branch),
    behind = away from the root.

    Source
    ------
    Demange (2004), On group stability in hierarchies and networks, Journal of Political Economy
    112.

    Examples
    --------
    >>> river, pieces = River.line("up", "down"), [[(2, 4.0), (9, 1.0)], [(2, 6.0), (9, 2.0)]]
    >>> hierarchical(river, river_value(river, [6, 1], pieces), "down").tolist()
    [12.0, 14.0]
    """
    return _from_root(river, value, river._find(root, "root"), {})


def average_tree(river: River, value: Value) -> Array:
    """Average the hierarchical payoffs over all riparians as the root.

    It asks for few coalitions (two for each reach), so it suits many provinces.

    Equation
    --------
    x(i) = 1/n sum over r of hierarchical x(i) with root r.

    Source
    ------
    Herings, van der Laan & Talman (2008), The average tree solution for cycle-free graph games,
    Games and Economic Behavior 62.

    Examples
    --------
    >>> river, pieces = River.line("up", "down"), [[(2, 4.0), (9, 1.0)], [(2, 6.0), (9, 2.0)]]
    >>> average_tree(river, river_value(river, [6, 1], pieces)).tolist()
    [16.0, 10.0]
    """
    known: dict[frozenset[str], float] = {}
    n = len(river.names)
    return np.mean([_from_root(river, value, root, known) for root in range(n)], axis=0)


def _from_root(river: River, value: Value, root: int, known: dict[frozenset[str], float]) -> Array:
    near: list[list[int]] = [list(ups) for ups in river.above]
    for k, below in enumerate(river.below):
        if below is not None:
            near[k].append(below)
    walk, behind = [root], {root: -1}
    for k in walk:
        for other in near[k]:
            if other != behind[k]:
                behind[other] = k
                walk.append(other)
    branch = [frozenset([name]) for name in river.names]
    payoff = np.zeros(len(river.names))
    for k in reversed(walk):
        if branch[k] not in known:
            known[branch[k]] = float(value(branch[k]))
        payoff[k] += known[branch[k]]
        if behind[k] >= 0:
            payoff[behind[k]] -= known[branch[k]]
            branch[behind[k]] |= branch[k]
    return payoff


def payments(
    payoffs: ArrayLike, benefits: ArrayLike, riparians: Sequence[str]
) -> Mapping[str, float]:
    """What each riparian receives (+) or pays (-) beyond the benefit of the water it uses.

    Equation
    --------
    p(i) = x(i) - b(i, a(i)); they add up to zero when the water is used best.

    Examples
    --------
    >>> payments([12, 14], [8, 18], ["up", "down"])
    {'up': 4.0, 'down': -4.0}
    """
    payoffs = numbers(payoffs, "payoffs", -np.inf, size=len(riparians))
    benefits = numbers(benefits, "benefits", -np.inf, size=len(riparians))
    return dict(zip(riparians, (payoffs - benefits).tolist(), strict=True))
