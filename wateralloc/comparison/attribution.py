"""Which clause made the difference: the change between two cases, divided over their clauses.

Equation
--------
Let v(S) be a figure of the case that has the clauses S as the second case says and the others as
the first does, and n their number.  Clause c is given

    the mean over all n! orders of v(those before c, and c) - v(those before c),

its Shapley value.  It does not depend on an order, adds up to the whole change, and a clause that
changes nothing beside any others is given nothing.

Source
------
Shapley (1953), A value for n-person games, Contributions to the Theory of Games II; sampled orders:
Castro, Gomez & Tejada (2009), Computers & Operations Research 36, each with its reverse: Mitchell,
Cooper, Frank & Holmes (2022), Journal of Machine Learning Research 23.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import combinations
from math import factorial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from wateralloc import job
from wateralloc.case import Case
from wateralloc.comparison import REFERENCE
from wateralloc.comparison.clauses import Pair, pair_of
from wateralloc.comparison.differences import Difference
from wateralloc.comparison.figures import Figure, Years, kept_figures, value_figures
from wateralloc.comparison.policies import Progress, Source, check_alike, read_policies
from wateralloc.comparison.yardsticks import KINDS, Yardstick, rules_of
from wateralloc.errors import (
    Fault,
    Infeasible,
    InputError,
    Position,
    SolveError,
    listed,
    or_do,
    suggest,
)
from wateralloc.timeline import years_between

MOST_EXACT = 8
"""Clauses up to which every combination is solved."""
MOST_ORDERS = 200
"""Orders after which sampling stops."""
ROUND = 16
"""Orders that are drawn at a time, half of them the reverses of the others."""
PRECISE = 0.01
"""Standard error, as a share of the whole change, at which sampling stops."""
NOTHING = 1e-6
"""A change up to this [the unit of the figure] is none, and sampling does not wait for it."""
ENDS = 2
"""The two cases themselves, which are solved first."""

Key = tuple[str, str, str]
"""Measure, scope and name of a figure."""
Values = Callable[[Sequence[Collection[int]]], np.ndarray]
"""Gives the figures of combinations of clauses (combination, figure)."""


@dataclass(frozen=True)
class Attribution:
    """The change of each figure between two cases, divided over the clauses that differ.

    Attributes
    ----------
    reference, policy : the two cases, by name
    members : hydrologies over which the figures are means
    orders : orders that were sampled; 0: it is exact
    seed : of the sampling
    solved : combinations of clauses that were solved
    clauses : DataFrame
        One row a rule, goal or setting that differs: `clause` to which it belongs, `part`, `item`,
        `change`, `before`, `after`.
    table : DataFrame
        One row a figure: `reference`, `policy`, `measure`, `scope`, `name`, `unit`, the value
        `before` and `after`, a column for each clause, and `total`, their sum.
    errors : DataFrame
        Standard errors [the unit of the figure] of the columns of clauses, row by row; 0 where it
        is exact.
    names : DataFrame
        Words for regions and sectors: `scope`, `name`, `en`, `vi`.
    """

    reference: str
    policy: str
    members: tuple[str, ...]
    orders: int
    seed: int
    solved: int
    clauses: pd.DataFrame = field(repr=False)
    table: pd.DataFrame = field(repr=False)
    errors: pd.DataFrame = field(repr=False)
    names: pd.DataFrame = field(repr=False)

    @property
    def names_of_clauses(self) -> list[str]:
        return list(self.errors.columns)


@dataclass(frozen=True, eq=False)
class Question:
    """Two cases whose difference is to be divided.

    Attributes
    ----------
    members : hydrologies over which the figures are means; those solved are the cases'
    """

    pair: Pair
    members: tuple[str, ...]


def attribute(
    cases: Iterable[Source],
    *,
    changes: Mapping[str, str] | None = None,
    results: Path | str = "results",
    reference: str = "",
    members: Sequence[str] = (),
    together: Iterable[Sequence[str]] = (),
    jobs: int = 1,
    most_orders: int = MOST_ORDERS,
    seed: int = 0,
    progress: Progress | None = None,
) -> Attribution:
    """Divide the change of every figure between two cases over the clauses that differ.

    Each combination of clauses is solved once, in memory.

    Parameters
    ----------
    cases : names or paths of two cases, or cases in memory
    changes : settings in place of those of both cases, by dotted key
    results : folder of results, in which no case may be meant
    reference : the case from which the change is; default: the one called ``none``, else the first
    members : only these hydrologies; default: all, which must be the same in both
    together : clauses that are taken as one, by their names
    jobs : processes that solve combinations side by side
    most_orders : orders after which sampling stops, where there are more than 8 clauses
    seed : of the sampling
    progress : called with the number of members solved and the most there can be in all

    Raises
    ------
    InputError
        They are not two cases that can be compared, or some clauses make no case without others.
    Infeasible
        Some clauses of the one case cannot be met with the others of the other.

    Examples
    --------
    >>> from wateralloc.comparison.attribution import attribute
    >>> attribute(["baseline", "pilot_sharing"], jobs=2).table  # doctest: +SKIP
    """
    question = read_question(
        cases, changes=changes, results=results, reference=reference, members=members,
        together=together,
    )  # fmt: skip
    return answer(question, jobs=jobs, most_orders=most_orders, seed=seed, progress=progress)


def read_question(
    cases: Iterable[Source],
    *,
    changes: Mapping[str, str] | None = None,
    results: Path | str = "results",
    reference: str = "",
    members: Sequence[str] = (),
    together: Iterable[Sequence[str]] = (),
) -> Question:
    """Read two cases and find the clauses by which they differ; parameters as of :func:`attribute`.

    Raises
    ------
    InputError
        With every fault that can be known before anything is solved.
    """
    policies = read_policies(cases, changes or {}, Path(results))
    names = [policy.name for policy in policies]
    if len(policies) != 2:
        text = (
            f"a difference is divided between two cases but {listed(names) or 'none'} are named; "
            "name two"
        )
        raise InputError([Fault(Position("--why"), "E342", text)])
    faults = [
        Fault(
            policy.at,
            "E342",
            f"'{policy.name}' is a result, whose clauses cannot be tried one by one; "
            "name the case itself",
        )
        for policy in policies
        if policy.case is None
    ]
    if reference and reference not in names:
        text = f"no policy is called '{reference}'" + or_do(
            suggest(reference, names), f"policies are {listed(names)}"
        )
        faults.append(Fault(Position("--reference"), "E303", text))
    if faults:
        raise InputError(faults)
    check_alike(policies, members)
    first = reference or (REFERENCE if REFERENCE in names else names[0])
    before, after = sorted((p.case for p in policies if p.case), key=lambda c: c.name != first)
    chosen = tuple(members) or tuple(member.name for member in before.members)
    if not any(case.foresight.two_stage for case in (before, after)):
        # else what is decided for all members takes all of them
        before, after = (_with_members(case, chosen) for case in (before, after))
    pair = pair_of(before, after, list(together))
    if len(pair.clauses) <= MOST_EXACT:
        for taken in _combinations(len(pair.clauses)):
            pair.case_of(taken)
    return Question(pair, chosen)


def _with_members(case: Case, names: Sequence[str]) -> Case:
    places = {member.name: k for k, member in enumerate(case.members)}
    return case.with_members([places[name] for name in names])


def answer(
    question: Question,
    *,
    jobs: int = 1,
    most_orders: int = MOST_ORDERS,
    seed: int = 0,
    progress: Progress | None = None,
) -> Attribution:
    """Solve the combinations of clauses and divide the change; as :func:`attribute`."""
    pair = question.pair
    n = len(pair.clauses)
    is_exact = n <= MOST_EXACT
    most = 2**n if is_exact else min(2**n, 2 + (n - 1) * max(most_orders, ROUND))
    with _solving(question, jobs) as solve:
        known = _Known(question, solve, most, progress)
        ends = known([(), range(n)])
        orders = 0
        if is_exact:
            shares = shapley(known(_combinations(n)), n)
            errors = np.zeros_like(shares)
        else:
            shares, errors, orders = sample(known, n, known.is_awaited(), most_orders, seed)
    names = [clause.name for clause in pair.clauses]
    is_sampled = orders > 0
    return Attribution(
        pair.before.name,
        pair.after.name,
        question.members,
        orders,
        seed if is_sampled else 0,
        known.n_solved,
        pd.DataFrame(
            [(clause.name, *atom.difference) for clause in pair.clauses for atom in clause.atoms],
            columns=["clause", *("item" if f == "clause" else f for f in Difference._fields)],
        ),
        _table(pair, known.labels, ends, shares),
        pd.DataFrame(errors.T, columns=names),
        pd.DataFrame(known.names, columns=["scope", "name", "en", "vi"]),
    )


def _table(
    pair: Pair, labels: Mapping[Key, str], ends: np.ndarray, shares: np.ndarray
) -> pd.DataFrame:
    frame = pd.DataFrame(list(labels), columns=["measure", "scope", "name"])
    frame.insert(0, "reference", pair.before.name)
    frame.insert(1, "policy", pair.after.name)
    frame["unit"] = list(labels.values())
    frame["before"], frame["after"] = ends
    for clause, share in zip(pair.clauses, shares, strict=True):
        frame[clause.name] = share
    frame["total"] = ends[1] - ends[0]
    return frame


# --- dividing -----------------------------------------------------------------------------------


def _combinations(n: int) -> list[tuple[int, ...]]:
    """Every set of n clauses, the small ones first."""
    return [taken for size in range(n + 1) for taken in combinations(range(n), size)]


def shapley(values: np.ndarray, n: int) -> np.ndarray:
    """Divide over n clauses what all of them change.

    Parameters
    ----------
    values : ndarray (combination, figure)
        Of every set of clauses, the small ones first, each size in the order of its members.

    Returns
    -------
    ndarray (clause, figure)

    Examples
    --------
    >>> shapley(np.array([[0.0], [12.0], [6.0], [26.0]]), 2).ravel().tolist()
    [16.0, 10.0]
    """
    place = {frozenset(taken): k for k, taken in enumerate(_combinations(n))}
    shares = np.zeros((n, values.shape[1]))
    for taken, k in place.items():
        weight = factorial(len(taken)) * factorial(n - len(taken) - 1) if len(taken) < n else 0
        for clause in set(range(n)) - taken:
            gained = values[place[taken | {clause}]] - values[k]
            shares[clause] += weight / factorial(n) * gained
    return shares


def sample(
    values: Values, n: int, is_awaited: Sequence[bool], most_orders: int, seed: int
) -> tuple[np.ndarray, np.ndarray, int]:
    """Divide over n clauses what all of them change, by orders drawn at random.

    Each order is taken with its reverse, and the mean of the two is one draw: where pairs of
    clauses act on each other and larger groups do not, its value is exact.

    Parameters
    ----------
    values : gives the figures of combinations of clauses (combination, figure)
    is_awaited : figures whose standard errors must fall below 1 % of their change before it stops
    most_orders : it stops there at the latest, after one round at the earliest

    Returns
    -------
    shares, errors : ndarray (clause, figure)
        Means over the draws, and their standard errors.
    orders : int
        How many were taken.
    """
    generator = np.random.default_rng(seed)
    awaited = np.asarray(is_awaited, bool)
    draws: list[np.ndarray] = []
    while True:
        firsts = [generator.permutation(n) for _ in range(ROUND // 2)]
        orders = [order for first in firsts for order in (first, first[::-1])]
        found = values([tuple(order[:k]) for order in orders for k in range(n + 1)])
        steps = np.diff(found.reshape(len(orders), n + 1, -1), axis=1)
        for k in range(0, len(orders), 2):
            pair = np.zeros_like(steps[0])
            for order, gained in zip(orders[k : k + 2], steps[k : k + 2], strict=True):
                pair[order] += gained / 2
            draws.append(pair)
        shares = np.mean(draws, axis=0)
        errors = np.std(draws, axis=0, ddof=1) / np.sqrt(len(draws))
        total = np.abs(shares.sum(axis=0))
        is_precise = errors.max(axis=0) <= PRECISE * total
        is_done = is_precise | (total <= NOTHING) | ~awaited
        if is_done.all() or 2 * len(draws) + ROUND > most_orders:
            return shares, errors, 2 * len(draws)


# --- solving ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Measured:
    """Figures of one combination of clauses.

    Attributes
    ----------
    means, units : by measure, scope and name
    names : words for regions and sectors: scope, name, English, Vietnamese
    """

    means: dict[Key, float]
    units: dict[Key, str]
    names: tuple[tuple[str, str, str, str], ...]


Solve = Callable[[Sequence[Collection[int]]], Iterator[Measured]]
"""Solves combinations of clauses, and yields their figures in this order."""


class _Known:
    """Figures of the combinations of clauses; each is solved once.

    Attributes
    ----------
    labels : figures that the two cases themselves have, in their order, with their units
    names : words for regions and sectors: scope, name, English, Vietnamese
    """

    def __init__(
        self, question: Question, solve: Solve, most: int, progress: Progress | None
    ) -> None:
        self.question, self.solve, self.most, self.progress = question, solve, most, progress
        self.means: dict[frozenset[int], dict[Key, float]] = {}
        self.labels: dict[Key, str] = {}
        self.names: tuple[tuple[str, str, str, str], ...] = ()

    @property
    def n_solved(self) -> int:
        return len(self.means)

    def is_awaited(self) -> list[bool]:
        """Figures of the whole basin, for whose precision sampling waits."""
        return [scope == "basin" for _, scope, _ in self.labels]

    def __call__(self, combinations: Sequence[Collection[int]]) -> np.ndarray:
        wanted = [frozenset(int(k) for k in taken) for taken in combinations]
        missing = [taken for taken in dict.fromkeys(wanted) if taken not in self.means]
        for taken, measured in zip(missing, self.solve(missing), strict=True):
            if self.n_solved < ENDS:
                self.labels = measured.units | self.labels
                self.names = measured.names
            self.means[taken] = measured.means
            if self.progress:
                each = self.question.pair.before.n_members
                self.progress(each * self.n_solved, each * self.most)
        return np.array(
            [[self.means[taken].get(key, 0.0) for key in self.labels] for taken in wanted]
        ).reshape(len(wanted), len(self.labels))


class _Solver:
    """Solves combinations of clauses and measures their results."""

    def __init__(self, question: Question) -> None:
        self.question = question
        self.yardsticks = _yardsticks(question.pair)

    def __call__(self, taken: Collection[int]) -> Measured:
        dataset = _dataset(self.question.pair, taken).sel(member=list(self.question.members))
        figures = {
            (f.measure, f.scope, f.name): f for f in figures_divided(dataset, self.yardsticks)
        }
        return Measured(
            {key: figure.mean for key, figure in figures.items()},
            {key: figure.unit for key, figure in figures.items()},
            _names(dataset),
        )


def figures_divided(dataset: xr.Dataset, yardsticks: Sequence[Yardstick]) -> Iterator[Figure]:
    """Compute the figures that are divided, alone of those that a comparison has.

    All of these take longer than a small case to solve, and there are many combinations.
    """
    edges = dataset["time_bnds"].values.astype("datetime64[D]")
    years = Years(years_between(edges[0, 0], edges[-1, 1]))
    lacks = (dataset["demand_volume"] - dataset["withdrawal"]).sum("time")
    deficit = lacks.transpose("member", "demand").values
    yield years.mean("deficit", "basin", "all", "hm3", deficit.sum(axis=1), -1)
    for scope in ("region", "sector"):
        of = dataset[scope].values
        for name in dict.fromkeys(of):
            if name:
                total = deficit[:, of == name].sum(axis=1)
                yield years.mean("deficit", scope, str(name), "hm3", total, -1)
    if dataset.sizes.get("plant", 0):
        energy = dataset["energy"].sum(["time", "plant"]).values
        yield years.mean("energy", "basin", "all", "GWh", energy, 1)
    yield from value_figures(dataset, years)
    for yardstick in yardsticks:
        yield from kept_figures(yardstick, dataset, years)


def _yardsticks(pair: Pair) -> list[Yardstick]:
    """Rules of delivery and level that differ: as each case has them."""
    names = {atom.rule for clause in pair.clauses for atom in clause.atoms if atom.rule}
    wanted = [
        [rule.name for rule in case.rules if rule.kind in KINDS and rule.name in names]
        for case in (pair.before, pair.after)
    ]
    found: list[Yardstick] = []
    for case, own, others in zip((pair.before, pair.after), wanted, wanted[::-1], strict=True):
        labels = {name: f"{name} ({case.name})" if name in others else name for name in own}
        if labels:
            found += rules_of(case, [member.name for member in case.members], labels)
    return found


def _names(dataset: xr.Dataset) -> tuple[tuple[str, str, str, str], ...]:
    columns = (dataset[f"word_{column}"].values for column in ("of", "name", "en", "vi"))
    return tuple(
        (str(of), str(name), str(en), str(vi))
        for of, name, en, vi in zip(*columns, strict=True)
        if of in ("region", "sector")
    )


@contextmanager
def _solving(question: Question, jobs: int) -> Iterator[Solve]:
    """Give what solves combinations of clauses: here, or in processes of their own."""
    if jobs == 1 or not question.pair.clauses:
        solver = _Solver(question)
        yield lambda missing: map(solver, missing)
        return
    # a new process each: threads of this one do not outlive a fork
    context = get_context("spawn")
    with ProcessPoolExecutor(jobs, context, initializer=_start, initargs=(question,)) as pool:

        def solve(missing: Sequence[Collection[int]]) -> Iterator[Measured]:
            for future in [pool.submit(_solve, taken) for taken in missing]:
                yield future.result()

        try:
            yield solve
        except BrokenProcessPool as error:
            text = "E404 a process that ran a case was ended from outside; use fewer jobs"
            raise SolveError(text) from error
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


_own: dict[str, _Solver] = {}
"""The solver of a process of its own."""


def _start(question: Question) -> None:
    _own["solver"] = _Solver(question)


def _solve(taken: Collection[int]) -> Measured:
    return _own["solver"](taken)


def _dataset(pair: Pair, taken: Collection[int]) -> xr.Dataset:
    """Solve a combination of clauses.

    Raises
    ------
    InputError, Infeasible
        Neither case has the fault; the text names the clauses.
    """
    try:
        return job.run(pair.case_of(taken), ranges=False).dataset
    except Infeasible as error:
        if len(taken) in (0, len(pair.clauses)):
            raise
        text = (
            f"{pair.position_of(taken)}: E343 no allocation meets {pair.words_of(taken)}, so "
            f"the change cannot be divided; {pair.way_out()}, or make a rule soft\n{error}"
        )
        raise Infeasible(text) from error
    except InputError as error:
        if len(taken) in (0, len(pair.clauses)) or any(f.code == "E344" for f in error.faults):
            raise
        raise pair.no_case(taken, error.faults) from error
