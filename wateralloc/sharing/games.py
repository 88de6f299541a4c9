"""Cooperative games: what each coalition can do alone, and how to share what all can do together.

A :class:`Game` holds a value for every coalition, or a cost.  The rules that share it are the same
for both: a cost game is the game of its negative values, and what comes out is a cost to bear in
place of a value to get.

In water the value of a coalition depends on what the others do meanwhile.  That is for whoever
computes the values to state: others keep what they take today, take all they can, take nothing, or
take what they are entitled to.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import comb
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import OptimizeResult, linprog, minimize

from wateralloc.errors import listed, or_do, suggest
from wateralloc.sharing import checks
from wateralloc.sharing.checks import Array, SharingError
from wateralloc.sharing.river import Benefit, River, river_value

log = logging.getLogger(__name__)

MOST_PLAYERS = 16
"""A game holds a number for every set of players: 65,535 of them here."""
ROUNDING = 1e-9
"""Differences up to this share of the largest value of a game are rounding."""
SURE = 1e-7
"""A coalition whose dual is above this is settled at the level of its round (all duals: 1)."""
EXACT = {"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10}


@dataclass(frozen=True, eq=False)
class Game:
    """A value, or a cost, for every coalition.

    Parameters
    ----------
    players : names
    table : array (2 ** number of players)
        Value of each coalition; player k is in coalition s when bit k of s is set.
    is_cost : whether the numbers are costs to be borne

    Examples
    --------
    >>> game = Game.from_values(["up", "down"], {"up": 12, "down": 6, "up+down": 26})
    >>> game(["up", "down"]), shapley(game)
    (26.0, {'up': 16.0, 'down': 10.0})
    """

    players: tuple[str, ...]
    table: Array
    is_cost: bool = False

    def __post_init__(self) -> None:
        checks.names(self.players, "players")
        if len(self.players) > MOST_PLAYERS:
            raise SharingError(
                f"the game has {len(self.players)} players; must have {MOST_PLAYERS} or fewer, "
                f"join some of them"
            )
        table = checks.numbers(self.table, "table", -np.inf, size=2 ** len(self.players))
        if table[0] != 0:
            raise SharingError(f"the empty coalition has {table[0]:g}; must have 0")
        object.__setattr__(self, "table", table)

    @classmethod
    def from_function(
        cls,
        players: Sequence[str],
        value: Callable[[frozenset[str]], float],
        is_cost: bool = False,
    ) -> Game:
        """Ask a function for the value of every coalition, and warn when parts do better apart."""
        players = checks.names(players, "players")
        table = [
            0.0,
            *(float(value(cls._members(players, s))) for s in range(1, 2 ** len(players))),
        ]
        game = cls(players, np.array(table), is_cost)
        apart = game.better_apart()
        if apart is not None:
            one, other, gain = apart
            log.warning(
                "coalitions %s and %s do better apart than together by %g; a rule that shares what "
                "all reach together may ask more of a coalition than it can have",
                "+".join(sorted(one)),
                "+".join(sorted(other)),
                gain,
            )
        return game

    @classmethod
    def from_values(
        cls,
        players: Sequence[str],
        values: Mapping[str | Iterable[str], float],
        is_cost: bool = False,
    ) -> Game:
        """Read the value of every coalition from a table.

        Parameters
        ----------
        players : names
        values : by coalition
            As text ``a+b``, or as a tuple or set of names; every coalition must be there.
        is_cost : whether the numbers are costs
        """
        found: dict[frozenset[str], float] = {}
        for key, amount in values.items():
            coalition = frozenset(key.split("+") if isinstance(key, str) else key)
            for name in sorted(coalition - set(players)):
                hint = or_do(suggest(name, players), f"must be one of {listed(players)}")
                raise SharingError(f"a coalition names '{name}', which is no player{hint}")
            if coalition in found:
                raise SharingError(
                    f"coalition {'+'.join(sorted(coalition))} stands twice; keep one"
                )
            found[coalition] = amount

        def value(coalition: frozenset[str]) -> float:
            if coalition not in found:
                raise SharingError(f"coalition {'+'.join(sorted(coalition))} has no value; add it")
            return found[coalition]

        return cls.from_function(players, value, is_cost)

    @staticmethod
    def _members(players: Sequence[str], code: int) -> frozenset[str]:
        return frozenset(name for k, name in enumerate(players) if code >> k & 1)

    def __call__(self, coalition: Iterable[str]) -> float:
        """Value, or cost, of a coalition."""
        code = 0
        for name in set(coalition):
            if name not in self.players:
                hint = or_do(suggest(name, self.players), f"must be one of {listed(self.players)}")
                raise SharingError(f"'{name}' is no player{hint}")
            code |= 1 << self.players.index(name)
        return float(self.table[code])

    # What follows works on values; a cost is a negative value.

    @property
    def worth(self) -> Array:
        return -self.table if self.is_cost else self.table

    @property
    def size(self) -> int:
        return len(self.players)

    @property
    def members(self) -> Array:
        """Array (coalition, player): 1 where the player is in it."""
        codes = np.arange(2**self.size)[:, None]
        return (codes >> np.arange(self.size) & 1).astype(float)

    @property
    def alone(self) -> Array:
        """Value of each player alone (player)."""
        return self.worth[1 << np.arange(self.size)]

    @property
    def added(self) -> Array:
        """What each player adds to all others (player)."""
        whole = self.worth[-1]
        return whole - self.worth[(2**self.size - 1) ^ (1 << np.arange(self.size))]

    @property
    def scale(self) -> float:
        return float(np.abs(self.table).max()) or 1.0

    def named(self, payoff: Array) -> dict[str, float]:
        """Payoffs (for costs: what each bears) by player."""
        amounts = -payoff if self.is_cost else payoff
        return dict(zip(self.players, (amounts + 0.0).tolist(), strict=True))

    def payoff(self, amounts: Mapping[str, float]) -> Array:
        """Values in the order of the players; the inverse of :meth:`named`."""
        unknown = set(amounts) ^ set(self.players)
        if unknown:
            raise SharingError(
                f"amounts and players differ in {listed(sorted(unknown))}; match them"
            )
        found = checks.numbers([amounts[name] for name in self.players], "amounts", -np.inf)
        return -found if self.is_cost else found

    def better_apart(self) -> tuple[frozenset[str], frozenset[str], float] | None:
        """Two coalitions without a common member that do better apart, and by how much.

        The pair with the largest gain; None when there is none: values are then superadditive,
        costs subadditive.  Printed tables of costs often are not, by rounding.

        Examples
        --------
        >>> game = Game.from_values(["a", "b"], {"a": 3, "b": 2, "a+b": 5})
        >>> game.better_apart() is None
        True
        """
        worst: tuple[float, int, int] = (ROUNDING * self.scale, 0, 0)
        codes = np.arange(2**self.size)
        for one in range(1, 2**self.size):
            others = codes[(codes & one == 0) & (codes > one)]
            if others.size:
                gain = self.worth[one] + self.worth[others] - self.worth[others | one]
                at = int(np.argmax(gain))
                if gain[at] > worst[0]:
                    worst = (float(gain[at]), one, int(others[at]))
        gain_most, one, other = worst
        if not one:
            return None
        return self._members(self.players, one), self._members(self.players, other), gain_most

    def cover(self) -> Game:
        """The game in which a coalition may split into the parts that do best: it is superadditive.

        Equation
        --------
        v'(S) = max over partitions of S of sum of v(parts).

        Examples
        --------
        >>> game = Game(("a", "b"), np.array([0, 3.0, 2.0, 4.0]))
        >>> game.cover()(["a", "b"])
        5.0
        """
        best = self.worth.copy()
        for whole in range(1, 2**self.size):
            part = (whole - 1) & whole
            while part > whole ^ part:
                best[whole] = max(best[whole], best[part] + best[whole ^ part])
                part = (part - 1) & whole
        return Game(self.players, -best if self.is_cost else best, self.is_cost)


# --- games of water -----------------------------------------------------------------------------


def bankruptcy_game(estate: float, claims: Mapping[str, float]) -> Game:
    """The game of a claims problem: a coalition has what the others leave when served in full.

    Its nucleolus is the Talmud rule, its Shapley value random arrival.

    Equation
    --------
    v(S) = max(0, estate - sum over k outside S of c(k)).

    Source
    ------
    O'Neill (1982); Aumann & Maschler (1985).

    Examples
    --------
    >>> found = nucleolus(bankruptcy_game(200, {"a": 100, "b": 200, "c": 300}))
    >>> [round(amount, 9) for amount in found.values()]
    [50.0, 75.0, 75.0]
    """
    estate = checks.number(estate, "estate")
    checks.numbers(list(claims.values()), "claims")
    total = sum(claims.values())
    return Game.from_function(
        list(claims),
        lambda s: max(0.0, min(estate, total) - sum(c for k, c in claims.items() if k not in s)),
    )


def river_game(river: River, inflow: ArrayLike, benefits: Sequence[Benefit]) -> Game:
    """The game of a river: a coalition uses its own water where it is worth most to it.

    Equation, source: :func:`wateralloc.sharing.river.river_value`.

    Examples
    --------
    >>> river = River.line("up", "down")
    >>> river_game(river, [6, 1], [[(2, 4.0), (9, 1.0)], [(2, 6.0), (9, 2.0)]])(["up", "down"])
    26.0
    """
    return Game.from_function(river.names, river_value(river, inflow, benefits))


# --- stability ----------------------------------------------------------------------------------


def excess(game: Game, amounts: Mapping[str, float]) -> dict[frozenset[str], float]:
    """What each coalition could gain by leaving; for costs, what it could save.

    Equation
    --------
    e(S) = v(S) - x(S).

    Examples
    --------
    >>> game = Game.from_values(["up", "down"], {"up": 12, "down": 6, "up+down": 26})
    >>> [gain for gain in excess(game, {"up": 19, "down": 7}).values()]
    [-7.0, -1.0]
    """
    gain = game.worth - game.members @ game.payoff(amounts)
    proper = range(1, 2**game.size - 1)
    return {Game._members(game.players, s): float(gain[s]) for s in proper}


def in_core(game: Game, amounts: Mapping[str, float]) -> bool:
    """Whether all is shared and no coalition gains by leaving.

    Equation
    --------
    x(N) = v(N), x(S) >= v(S) for all S.

    Examples
    --------
    >>> game = Game.from_values(["up", "down"], {"up": 12, "down": 6, "up+down": 26})
    >>> in_core(game, {"up": 19, "down": 7}), in_core(game, {"up": 21, "down": 5})
    (True, False)
    """
    payoff, slack = game.payoff(amounts), ROUNDING * game.scale
    if abs(payoff.sum() - game.worth[-1]) > slack:
        return False
    return bool(np.all(game.worth - game.members @ payoff <= slack))


class LeastCore(NamedTuple):
    """How far the game is from, or within, stability."""

    epsilon: float
    """Above 0: what each coalition must be given to stay; below 0: the margin of the core."""
    amounts: dict[str, float]
    """One division that reaches it (not always the only one; the nucleolus is the central one)."""


def least_core(game: Game) -> LeastCore:
    """Make the largest gain from leaving as small as it can be.

    Equation
    --------
    min epsilon, with x(N) = v(N) and x(S) >= v(S) - epsilon for every coalition but none and all.

    Source
    ------
    Maschler, Peleg & Shapley (1979), Geometric properties of the kernel, nucleolus, and related
    solution concepts, Mathematics of Operations Research 4.

    Examples
    --------
    >>> game = Game.from_values(["up", "down"], {"up": 12, "down": 6, "up+down": 26})
    >>> least_core(game).epsilon  # each alone: 18 of 26; half the rest is each one's margin
    -4.0
    """
    if game.size == 1:
        return LeastCore(0.0, game.named(game.worth[-1:]))
    rows, worth = game.members[1:-1], game.worth[1:-1] / game.scale
    found = _program(
        c=np.append(np.zeros(game.size), 1.0),
        at_most=(np.column_stack([-rows, -np.ones(len(rows))]), -worth),
        equal=(np.append(np.ones(game.size), 0.0)[None], game.worth[-1:] / game.scale),
    )
    epsilon = float(found.x[-1] * game.scale)
    return LeastCore(epsilon, game.named(found.x[:-1] * game.scale))


def has_core(game: Game) -> bool:
    """Whether some division leaves no coalition better off alone.

    Source
    ------
    Bondareva (1963), Shapley (1967): the core has a point when no balanced set of coalitions does
    better than all together.

    Examples
    --------
    >>> pairs = {"a+b": 6, "a+c": 6, "b+c": 6, "a+b+c": 8}
    >>> has_core(Game.from_values(["a", "b", "c"], {"a": 0, "b": 0, "c": 0, **pairs}))
    False
    """
    return least_core(game).epsilon <= ROUNDING * game.scale


# --- divisions ----------------------------------------------------------------------------------


def shapley(game: Game) -> dict[str, float]:
    """Give each player the mean of what it adds over all orders of joining.

    Equation
    --------
    x(k) = sum over S without k of |S|! (n - |S| - 1)! / n! (v(S and k) - v(S)).

    Source
    ------
    Shapley (1953), A value for n-person games, Contributions to the Theory of Games II.

    Examples
    --------
    >>> shapley(Game.from_values(["up", "down"], {"up": 12, "down": 6, "up+down": 26}))
    {'up': 16.0, 'down': 10.0}
    """
    n, codes = game.size, np.arange(2**game.size)
    chance = np.array([1 / (n * comb(n - 1, s)) for s in range(n)])
    sizes = game.members.sum(axis=1).astype(int)
    payoff = np.zeros(n)
    for k in range(n):
        without = codes[codes >> k & 1 == 0]
        payoff[k] = chance[sizes[without]] @ (game.worth[without | 1 << k] - game.worth[without])
    return game.named(payoff)


def nucleolus(game: Game, individual: bool = True, verify: bool = True) -> dict[str, float]:
    """Make the worst-off coalition as well off as can be, then the next, and so on.

    Each round is a linear program that raises the least surplus of all coalitions not yet settled.
    Those with a positive dual are what keeps it from rising and are settled at it: a row that
    merely looks tight proves nothing, and many printed nucleoli are wrong by that.  Coalitions
    whose share follows from the settled ones drop out.  The answer is then solved for from the
    settled rows, and tested anew by Kohlberg's criterion.

    Parameters
    ----------
    game : Game
    individual : no player gets less than alone; False gives the prenucleolus
    verify : test the answer by :func:`is_nucleolus`

    Equation
    --------
    lexmax sorted (x(S) - v(S)), with x(N) = v(N) and x(k) >= v(k).

    Source
    ------
    Schmeidler (1969), The nucleolus of a characteristic function game, SIAM Journal on Applied
    Mathematics 17; Kohlberg (1971); on errors in print Guajardo & Jörnsten (2015), Common mistakes
    in computing the nucleolus, European Journal of Operational Research 241.

    Raises
    ------
    SharingError
        Players alone have more than all together, so no division gives each what it has alone.

    Examples
    --------
    >>> game = Game.from_values(["up", "down"], {"up": 12, "down": 6, "up+down": 26})
    >>> [round(amount, 9) for amount in nucleolus(game).values()]
    [16.0, 10.0]
    """
    n, worth, members = game.size, game.worth / game.scale, game.members
    if individual and game.alone.sum() > game.worth[-1] + ROUNDING * game.scale:
        raise SharingError(
            f"players alone have {game.alone.sum():g}, all together {game.worth[-1]:g}; nobody can "
            f"be given what it has alone, use individual=False"
        )
    low = worth[1 << np.arange(n)] if individual else np.full(n, -np.inf)
    settled = [_Settled(members[-1], float(worth[-1]), None)]
    n_rounds = 0
    while len(fixed := _independent(settled)) < n:
        levels = _solve(settled, n, n_rounds)[n:]
        rows = np.array([one.row for one in fixed])
        free = _outside_span(members, rows)
        found = _program(
            c=np.append(np.zeros(n), -1.0),
            at_most=(np.column_stack([-members[free], np.ones(free.size)]), -worth[free]),
            equal=(
                np.column_stack([rows, np.zeros(len(rows))]),
                np.array([one.side + (0 if one.at is None else levels[one.at]) for one in fixed]),
            ),
            low=np.append(low, -np.inf),
        )
        blocked = free[-found.ineqlin.marginals > SURE]
        settled += [_Settled(members[s], float(worth[s]), n_rounds) for s in blocked]
        held = np.flatnonzero(found.lower.marginals[:n] > SURE)
        settled += [_Settled(np.eye(n)[k], float(low[k]), None) for k in held]
        n_rounds += 1
    amounts = game.named(_solve(settled, n, n_rounds)[:n] * game.scale)
    if verify and not is_nucleolus(game, amounts, individual):
        raise SharingError(
            f"{amounts} does not pass Kohlberg's test; the values of the game lie too many orders "
            f"of magnitude apart, leave out the small ones"
        )
    return amounts


class _Settled(NamedTuple):
    """A row of the nucleolus that holds for good: x(S) = side + level of the round."""

    row: Array
    side: float
    at: int | None
    """Round whose level it is; None: no level."""


def _solve(settled: Sequence[_Settled], n: int, n_rounds: int) -> Array:
    """Shares, as far as settled, and the level of each round, from the settled rows alone."""
    system = np.zeros((len(settled), n + n_rounds))
    for k, one in enumerate(settled):
        system[k, :n] = one.row
        if one.at is not None:
            system[k, n + one.at] = -1.0
    sides = np.array([one.side for one in settled])
    return np.linalg.lstsq(system, sides, rcond=None)[0]


def _independent(settled: Sequence[_Settled]) -> list[_Settled]:
    """A basis of the settled rows: a program with the others too would depend on their rounding."""
    basis: list[_Settled] = []
    for one in settled:
        rows = np.array([*(known.row for known in basis), one.row])
        if np.linalg.matrix_rank(rows) == len(rows):
            basis.append(one)
    return basis


def _outside_span(members: Array, rows: Array) -> np.ndarray:
    """Coalitions, but none and all, whose share does not follow from the rows."""
    basis = np.linalg.qr(rows.T)[0]
    apart = members - members @ basis @ basis.T
    found = np.flatnonzero(np.abs(apart).max(axis=1) > ROUNDING)
    return found[(found > 0) & (found < len(members) - 1)]


def is_nucleolus(game: Game, amounts: Mapping[str, float], individual: bool = True) -> bool:
    """Test a division by Kohlberg's criterion, without computing the nucleolus.

    For every level, the coalitions that gain at least so much by leaving must be balanced: no
    shift of shares helps one of them and hurts none.  Players who get only what they have alone
    may not lose either.

    Equation
    --------
    For every level b, with D = coalitions with v(S) - x(S) >= b: y(N) = 0, y(S) >= 0 for S in D and
    y(k) >= 0 where x(k) = v(k) imply y(S) = 0 for S in D.

    Source
    ------
    Kohlberg (1971), On the nucleolus of a characteristic function game, SIAM Journal on Applied
    Mathematics 20.

    Examples
    --------
    >>> game = Game.from_values(["up", "down"], {"up": 12, "down": 6, "up+down": 26})
    >>> is_nucleolus(game, {"up": 16, "down": 10}), is_nucleolus(game, {"up": 17, "down": 9})
    (True, False)
    """
    n, members, payoff = game.size, game.members, game.payoff(amounts) / game.scale
    worth, alone, slack = game.worth / game.scale, game.alone / game.scale, 1e-8
    if abs(payoff.sum() - worth[-1]) > slack:
        return False
    if individual and np.any(payoff < alone - slack):
        return False
    held = np.eye(n)[np.abs(payoff - alone) <= slack] if individual else np.zeros((0, n))
    gain = (worth - members @ payoff)[1:-1]
    order = 1 + np.argsort(-gain, kind="stable")
    ends = [*np.flatnonzero(-np.diff(gain[order - 1]) > slack), len(order) - 1] if n > 1 else []
    for end in ends:
        chosen = members[order[: end + 1]]
        rows = np.vstack([chosen, held])
        helped = _program(
            c=-chosen.sum(axis=0),
            at_most=(
                np.vstack([-rows, chosen]),
                np.append(np.zeros(len(rows)), [1.0] * len(chosen)),
            ),
            equal=(np.ones((1, n)), np.zeros(1)),
        )
        if -helped.fun > 1e-6:
            return False
        if np.linalg.matrix_rank(np.vstack([chosen, np.ones(n)])) == n:
            break  # no shift at all is left, nor for the levels below
    return True


def separable_costs(game: Game) -> dict[str, float]:
    """Each bears what it alone causes, and the rest by what it is spared (SCRB).

    "Separable costs, remaining benefits": the practice of water authorities for the joint costs of
    a dam with several purposes.  It is the point of :func:`gately`.

    Equation
    --------
    m(k) = C(N) - C(N without k); x(k) = m(k) + (C(k) - m(k)) / sum of (C(j) - m(j)) (C(N) - sum of
    m).

    Source
    ------
    Federal Inter-Agency River Basin Committee (1950), Proposed practices for economic analysis of
    river basin projects; Young, Okada & Hashimoto (1982), Water Resources Research 18.

    Raises
    ------
    SharingError
        Nobody is spared anything, and still there is a rest to divide.

    Examples
    --------
    >>> costs = {"city": 8, "farm": 6, "city+farm": 10}
    >>> separable_costs(Game.from_values(["city", "farm"], costs, is_cost=True))
    {'city': 6.0, 'farm': 4.0}
    """
    spared = game.alone - game.added
    rest = game.worth[-1] - game.added.sum()
    return game.named(game.added + _part(game, spared, rest, "separable_costs"))


def gately(game: Game) -> dict[str, float]:
    """Make every player equally prone to break up: the others lose as many times what it loses.

    Equation
    --------
    (sum over j other than k of x(j) - v(N without k)) / (x(k) - v(k)) the same for all k.

    Source
    ------
    Gately (1974), Sharing the gains from regional cooperation, International Economic Review 15;
    Straffin & Heaney (1981), Game theory and the Tennessee Valley Authority, International Journal
    of Game Theory 10.

    Examples
    --------
    >>> gately(Game.from_values(["up", "down"], {"up": 12, "down": 6, "up+down": 26}))
    {'up': 16.0, 'down': 10.0}
    """
    gain = game.worth[-1] - game.alone.sum()
    return game.named(game.alone + _part(game, game.added - game.alone, gain, "gately"))


def tau_value(game: Game) -> dict[str, float]:
    """Compromise between what each adds to all and what it can be sure of with the others paid.

    Equation
    --------
    M(k) = v(N) - v(N without k); mu(k) = max over S with k of v(S) - sum over j in S but k of M(j);
    x = mu + s (M - mu), with s such that x(N) = v(N).

    Source
    ------
    Tijs (1981), Bounds for the core and the tau-value; Tijs & Driessen (1986), Game theory and cost
    allocation problems, Management Science 32.

    Raises
    ------
    SharingError
        The game is not quasi-balanced: mu is above M, or v(N) does not lie between their sums.

    Examples
    --------
    >>> tau_value(Game.from_values(["up", "down"], {"up": 12, "down": 6, "up+down": 26}))
    {'up': 16.0, 'down': 10.0}
    """
    top, members = game.added, game.members
    left = game.worth - members @ top
    sure = np.array([top[k] + left[members[:, k] > 0].max() for k in range(game.size)])
    slack, whole = ROUNDING * game.scale, game.worth[-1]
    within = sure.sum() - slack <= whole <= top.sum() + slack
    if np.any(sure > top + slack) or not within:
        raise SharingError(
            f"the game is not quasi-balanced: players are sure of {game.named(sure)} and add "
            f"{game.named(top)} to all, who share {game.table[-1]:g}; it has no tau-value, use "
            f"shapley or nucleolus"
        )
    return game.named(sure + _part(game, top - sure, whole - sure.sum(), "tau_value"))


def equal_nonseparable(game: Game) -> dict[str, float]:
    """Each gets what it adds to all; what remains, or lacks, is divided equally (ENSC).

    Equation
    --------
    x(k) = M(k) + (v(N) - sum of M) / n, M(k) = v(N) - v(N without k).

    Source
    ------
    Moulin (1985), The separability axiom and equal-sharing methods, Journal of Economic Theory 36.

    Examples
    --------
    >>> equal_nonseparable(Game.from_values(["up", "down"], {"up": 12, "down": 6, "up+down": 26}))
    {'up': 16.0, 'down': 10.0}
    """
    return game.named(game.added + (game.worth[-1] - game.added.sum()) / game.size)


def equal_surplus(game: Game) -> dict[str, float]:
    """Each gets what it has alone, and the gain of joining is divided equally.

    Equation
    --------
    x(k) = v(k) + (v(N) - sum of v(j)) / n.

    Source
    ------
    Driessen & Funaki (1991), Coincidence of and collinearity between game theoretic solutions, OR
    Spektrum 13 (centre of the imputation set).

    Examples
    --------
    >>> equal_surplus(Game.from_values(["up", "down"], {"up": 12, "down": 6, "up+down": 26}))
    {'up': 16.0, 'down': 10.0}
    """
    return game.named(game.alone + (game.worth[-1] - game.alone.sum()) / game.size)


DIVISIONS: dict[str, Callable[[Game], dict[str, float]]] = {
    "shapley": shapley,
    "nucleolus": nucleolus,
    "separable_costs": separable_costs,
    "gately": gately,
    "tau_value": tau_value,
    "equal_nonseparable": equal_nonseparable,
    "equal_surplus": equal_surplus,
}
"""Ways to divide what all reach together, by name."""


def _part(game: Game, by: Array, rest: float, name: str) -> Array:
    """Divide a rest in proportion to something."""
    total, slack = float(by.sum()), ROUNDING * game.scale
    if abs(total) > slack:
        return by * (rest / total)
    if abs(rest) > slack:
        raise SharingError(
            f"{name} has {rest:g} to divide, and nothing to divide it by; use equal_surplus"
        )
    return np.zeros(game.size)


# --- who would leave ----------------------------------------------------------------------------


def propensity_to_disrupt(game: Game, amounts: Mapping[str, float]) -> dict[str, float]:
    """How many times its own loss the others lose when a player leaves.

    Infinite for a player who loses nothing; large means it can threaten.

    Equation
    --------
    (sum over j other than k of x(j) - v(N without k)) / (x(k) - v(k)).

    Source
    ------
    Gately (1974).

    Examples
    --------
    >>> game = Game.from_values(["up", "down"], {"up": 12, "down": 6, "up+down": 26})
    >>> propensity_to_disrupt(game, {"up": 14, "down": 12})
    {'up': 3.0, 'down': 0.3333333333333333}
    """
    payoff = game.payoff(amounts)
    others = payoff.sum() - payoff - (game.worth[-1] - game.added)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(others == 0, 0.0, others) / (payoff - game.alone)
    return dict(
        zip(game.players, np.where(payoff == game.alone, np.inf, ratio).tolist(), strict=True)
    )


def power_index(game: Game, amounts: Mapping[str, float]) -> dict[str, float]:
    """Share of the whole gain of joining that each player gets (Loehman).

    Equation
    --------
    alpha(k) = (x(k) - v(k)) / sum over j of (x(j) - v(j)).

    Source
    ------
    Loehman et al. (1979), Cost allocation for a regional wastewater treatment system, Water
    Resources Research 15.

    Raises
    ------
    SharingError
        Nothing is gained by joining.

    Examples
    --------
    >>> game = Game.from_values(["up", "down"], {"up": 12, "down": 6, "up+down": 26})
    >>> power_index(game, {"up": 14, "down": 12})
    {'up': 0.25, 'down': 0.75}
    """
    gain = game.payoff(amounts) - game.alone
    if abs(gain.sum()) <= ROUNDING * game.scale:
        raise SharingError("nothing is gained by joining; the power index has nothing to share")
    return dict(zip(game.players, (gain / gain.sum()).tolist(), strict=True))


def stability_index(game: Game, amounts: Mapping[str, float]) -> float:
    """Coefficient of variation of the power index: small where all gain alike.

    Equation
    --------
    standard deviation (of all players) / mean of alpha.

    Source
    ------
    Dinar & Howitt (1997), Mechanisms for allocation of environmental control cost, Journal of
    Environmental Management 49.

    Examples
    --------
    >>> game = Game.from_values(["up", "down"], {"up": 12, "down": 6, "up+down": 26})
    >>> stability_index(game, {"up": 14, "down": 12})
    0.5
    """
    alpha = np.array(list(power_index(game, amounts).values()))
    return float(alpha.std() / alpha.mean())


def is_self_enforcing(states: Iterable[tuple[Game, Mapping[str, float]]]) -> bool:
    """Whether in every state, wet or dry, each player has at least what it has alone.

    Where not, the agreement needs a bond, or payments that depend on the state.

    Equation
    --------
    x(k; state) >= v(k; state) for all k and states.

    Examples
    --------
    >>> game = Game.from_values(["up", "down"], {"up": 12, "down": 6, "up+down": 26})
    >>> is_self_enforcing([(game, {"up": 14, "down": 12}), (game, {"up": 21, "down": 5})])
    False
    """
    return all(
        bool(np.all(game.payoff(amounts) >= game.alone - ROUNDING * game.scale))
        for game, amounts in states
    )


def transfers(balance: Mapping[str, float]) -> list[tuple[str, str, float]]:
    """Who pays whom how much so that balances (+ receives, - pays) are settled.

    The largest payer pays the largest receiver first; there are at most n - 1 payments.

    Raises
    ------
    SharingError
        The balances do not add up to zero.

    Examples
    --------
    >>> transfers({"up": 4, "middle": 2, "down": -6})
    [('down', 'up', 4.0), ('down', 'middle', 2.0)]
    """
    amounts = checks.numbers(list(balance.values()), "balance", -np.inf)
    slack = ROUNDING * (float(np.abs(amounts).max()) if amounts.size else 0.0)
    if abs(amounts.sum()) > amounts.size * slack:
        raise SharingError(f"balance adds up to {amounts.sum():g}; must add up to 0")
    left, made = dict(zip(balance, amounts.tolist(), strict=True)), []
    while left and max(left.values()) > slack:
        payer, receiver = min(left, key=lambda k: left[k]), max(left, key=lambda k: left[k])
        paid = min(-left[payer], left[receiver])
        if paid <= 0:
            break
        left[payer] += paid
        left[receiver] -= paid
        made.append((payer, receiver, paid))
    return made


def rank_divisions(divisions: Mapping[str, Mapping[str, float]], is_cost: bool = False) -> Ranked:
    """How acceptable ways of dividing are: each player ranks them by what it gets.

    Parameters
    ----------
    divisions : by name, what each player gets
    is_cost : what each player bears, so that less is better

    Equation
    --------
    regret(way) = max over k of (best x(k) over ways - x(k; way)).

    Examples
    --------
    >>> ranked = rank_divisions({"equal": {"up": 10, "down": 10}, "shapley": {"up": 14, "down": 6}})
    >>> ranked.votes, ranked.largest_regret
    ({'equal': 1, 'shapley': 1}, {'equal': 4.0, 'shapley': 4.0})
    """
    if not divisions:
        raise SharingError("divisions is empty; give at least one")
    sign = -1.0 if is_cost else 1.0
    players = list(next(iter(divisions.values())))
    for name, amounts in divisions.items():
        if set(amounts) != set(players):
            raise SharingError(
                f"division '{name}' has other players than the first; must have the same"
            )
    gets = np.array([[sign * d[k] for k in players] for d in divisions.values()])
    best = gets.max(axis=0)
    votes, regret = (gets == best).sum(axis=1), (best - gets).max(axis=1)
    return Ranked(
        dict(zip(divisions, votes.tolist(), strict=True)),
        dict(zip(divisions, regret.tolist(), strict=True)),
    )


class Ranked(NamedTuple):
    """Acceptability of ways of dividing."""

    votes: dict[str, int]
    """For how many players the way is the best (equal bests count for each)."""
    largest_regret: dict[str, float]
    """How much the player it is worst for could have more."""


# --- bargaining ---------------------------------------------------------------------------------


def nash_with_payments(
    together: float, alone: ArrayLike, weights: ArrayLike | None = None
) -> Array:
    """Share the gain by bargaining power, when money can change hands (Nash, Harsanyi).

    Parameters
    ----------
    together : what all reach
    alone : (player)
        What each has when no agreement is found.
    weights : (player)
        Bargaining power; default: the same. They are brought to a sum of 1.

    Equation
    --------
    x(k) = d(k) + w(k) (v(N) - sum of d).

    Source
    ------
    Nash (1950), The bargaining problem, Econometrica 18; Harsanyi (1963), International Economic
    Review 4.

    Raises
    ------
    SharingError
        Nothing is gained by agreeing.

    Examples
    --------
    >>> nash_with_payments(26, [12, 6], [3, 1]).tolist()
    [18.0, 8.0]
    """
    alone = checks.numbers(alone, "alone", -np.inf)
    power = _power(weights, alone.size)
    gain = checks.number(together, "together", -np.inf) - alone.sum()
    if gain < 0:
        raise SharingError(
            f"together is {together:g}, below the {alone.sum():g} all have alone; there is nothing "
            f"to agree on"
        )
    return alone + power * gain


def nash(
    utility: ArrayLike,
    constant: ArrayLike,
    rows: ArrayLike,
    sides: ArrayLike,
    disagreement: ArrayLike,
    weights: ArrayLike | None = None,
) -> Array:
    """Find the decision in which the product of gains over disagreement is largest.

    For decisions within linear limits and benefits linear in them, without payments.  The answer
    is verified: no other decision raises the weighted sum of relative gains.

    Parameters
    ----------
    utility : array (player, decision)
    constant : array (player)
        u = utility @ y + constant.
    rows, sides : arrays (limit, decision), (limit)
        rows @ y <= sides; y is free of other bounds.
    disagreement : array (player)
    weights : array (player)
        Bargaining power; default: the same.

    Returns
    -------
    array (decision)

    Equation
    --------
    max sum of w(k) log(u(k) - d(k)), rows y <= sides.

    Source
    ------
    Nash (1950); Harsanyi & Selten (1972), Management Science 18 (weights).

    Raises
    ------
    SharingError
        No decision is better than disagreement for every player, or the decisions are unbounded.

    Examples
    --------
    A headwater gains 1 for each unit it keeps of 50, the delta 2.4 for each it gets:

    >>> limits = [[1.0], [-1.0]], [50.0, 0.0]
    >>> nash([[1.0], [-2.4]], [0.0, 120.0], *limits, disagreement=[10, 48]).round(6).tolist()
    [20.0]
    >>> nash([[1.0], [-2.4]], [0.0, 120.0], *limits, [10, 48], [3, 1]).round(6).tolist()
    [25.0]
    """
    gains, limits = np.array(utility, float), np.array(rows, float)
    n, n_decisions = gains.shape
    sides = checks.numbers(sides, "sides", -np.inf, size=len(limits))
    base = checks.numbers(constant, "constant", -np.inf, size=n)
    base = base - checks.numbers(disagreement, "disagreement", -np.inf, size=n)
    power = _power(weights, n)
    start = _program(
        c=np.append(np.zeros(n_decisions), -1.0),
        at_most=(
            np.block([[limits, np.zeros((len(limits), 1))], [-gains, np.ones((n, 1))]]),
            np.concatenate([sides, base]),
        ),
    )
    if start.x[-1] <= 0:
        raise SharingError(
            f"no decision leaves every player above its disagreement (the best falls short by "
            f"{-start.x[-1]:g}); there is nothing to agree on"
        )
    floor = 1e-9 * start.x[-1]
    scale = 1.0 / np.maximum(np.abs(gains).max(axis=1), floor)

    def loss(y: Array) -> float:
        return -float(power @ np.log(np.maximum(scale * (gains @ y + base), floor)))

    def slope(y: Array) -> Array:
        return -(power / np.maximum(gains @ y + base, floor)) @ gains

    found = minimize(
        loss,
        start.x[:-1],
        jac=slope,
        method="SLSQP",
        constraints=[
            {"type": "ineq", "fun": lambda y: sides - limits @ y, "jac": lambda y: -limits}
        ],
        options={"ftol": 1e-15, "maxiter": 1000},
    ).x
    better = _program(c=slope(found), at_most=(limits, sides))
    if float(slope(found) @ found - better.fun) > 1e-6:
        raise SharingError(
            "the bargaining solution was not found; scale decisions and benefits to 1"
        )
    return found


def _power(weights: ArrayLike | None, n: int) -> Array:
    if weights is None:
        return np.full(n, 1 / n)
    power = checks.positive(weights, "weights", n)
    return power / power.sum()


def _program(
    c: Array,
    at_most: tuple[Array, Array],
    equal: tuple[Array, Array] | None = None,
    low: Array | None = None,
) -> OptimizeResult:
    """Solve min c x, rows x <= sides, rows x = sides, x >= low (default: free)."""
    bounds = np.full((len(c), 2), [-np.inf, np.inf])
    if low is not None:
        bounds[:, 0] = low
    equal_rows, equal_sides = equal if equal is not None else (None, None)
    found = linprog(c, *at_most, equal_rows, equal_sides, bounds, method="highs-ds", options=EXACT)
    if found.status != 0:
        raise SharingError(f"no answer: {found.message}")
    return found
