"""Hand a linear program to HiGHS, optimise goals in order, certify every optimum.

This is the only module that knows the solver.  Ordered goals are optimised in stages: after each,
the optimal face is fixed by bounds (columns with a nonzero reduced cost, rows with a nonzero dual),
so the matrix stays as it is.  Every optimum is certified in NumPy from A, bounds, x and duals.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import highspy
import numpy as np
import scipy.sparse as sp

# highspy.Highs prints a banner before any option can be set
from highspy._core import HighsBasis, HighsBasisStatus, _Highs

from wateralloc.errors import Infeasible, SolveError, Uncertified
from wateralloc.horizon import MemberProgram, with_coefficients

log = logging.getLogger(__name__)

FEASIBILITY = 1e-7
"""Largest primal violation, over 1 + |limit|, and dual violation, over 1 + largest |cost|."""
FINE = 1e-9
"""An optimum with a larger primal violation is kept only if no other start gives a finer one."""
GAP = 1e-9
"""Largest relative duality gap."""
FACE = 1e-8
"""A dual above this, of the scaled cost, puts its column or row on the optimal face."""

WIDEST = 1e4
"""Largest coefficient of a cost that the solver gets; smaller ones do not count in its scale."""

ATTEMPTS: dict[str, dict[str, Any]] = {
    "warm": {"presolve": "choose"},
    "cold": {"presolve": "choose"},
    "cold, unpresolved": {"presolve": "off"},
    "cold, rescaled": {"presolve": "off", "simplex_scale_strategy": 2},
}
"""Starts of a stage in order, with their options; the next is tried where one is not certified.

The last, by equilibration, is only for what no other start certifies: programs in which limits are
wide and duals large, so that dual errors within the solver's tolerance open a gap.
"""

OPTIONS: dict[str, Any] = {
    "output_flag": False,
    "threads": 1,
    "parallel": "off",
    "solver": "simplex",
    "simplex_scale_strategy": 4,
    "primal_feasibility_tolerance": 1e-9,
    "dual_feasibility_tolerance": 1e-9,
    "mip_feasibility_tolerance": 1e-8,
    "mip_rel_gap": 0.0,
    "mip_abs_gap": 1e-7,
}
"""HiGHS options of every run.

Scaling strategy 4 halved the time of large reservoir networks (California, up to 20 years by
month); on small ones it gains nothing (benchmarks/stack). Tolerances are tight because duals fix
the faces between stages.
"""


WITH_CHANGES = {"simplex_dual_edge_weight_strategy": 1}
"""Options of a warm start after coefficients were changed, as in the rounds of a goal ``share``.

With the weights of the steepest edge, which a change makes useless, `leximin` took 1.7
and `cea` 4 times as many iterations (benchmarks/share).
"""

AHEAD: dict[str, Any] = {"presolve": "off", "dual_simplex_cost_perturbation_multiplier": 0.0}
"""Options of the run for all goals in one: a perturbed cost would hide the last of them."""
LEAST_WEIGHT = 2.0**-30
"""Smallest weight of a goal beside the first, where all are in one."""

_STATUS = HighsBasisStatus.__members__

NO_OPTIMUM = (highspy.HighsModelStatus.kInfeasible, highspy.HighsModelStatus.kUnbounded)


@dataclass(frozen=True)
class Certificate:
    """How far x and duals are from an exact optimum; made without the solver.

    Attributes
    ----------
    primal : largest violation of a bound or row, divided by 1 + |limit|
    dual : largest sign violation of a dual, divided by 1 + largest |cost|
    gap : |primal objective - dual objective| / max(1, |primal objective|)
    """

    primal: float
    dual: float
    gap: float

    @property
    def is_valid(self) -> bool:
        return self.primal <= FEASIBILITY and self.dual <= FEASIBILITY and self.gap <= GAP

    def worse(self, other: Certificate) -> Certificate:
        """The larger of each figure."""
        return Certificate(
            max(self.primal, other.primal), max(self.dual, other.dual), max(self.gap, other.gap)
        )


def dot(one: np.ndarray, other: np.ndarray) -> float:
    """Sum of products, the same on any number of threads.

    BLAS, behind ``@``, shares this out among threads: of 180 thousand columns it took sixty times
    the processor time, which other workers on the machine then lacked.
    """
    return float(np.einsum("i,i", one, other))


def certify(lp: MemberProgram, cost: np.ndarray, x: np.ndarray, y: np.ndarray) -> Certificate:
    """Certify that x minimises cost x over `lp`, with row duals y.

    Parameters
    ----------
    cost, x : (column)
    y : (row), change of the optimum by a unit of the row's limit

    Notes
    -----
    Weak duality: for every y, with d = cost - A'y, the optimum is at least
    sum(y+ row_lower - y- row_upper) + sum(d+ col_lower - d- col_upper).  A dual that leans on an
    infinite limit counts as a dual violation.  An x or y that is not finite certifies nothing.
    """
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        return Certificate(np.inf, np.inf, np.inf)
    matrix = lp.matrix
    activity = matrix @ x
    primal = 0.0
    for value, low, high in (
        (x, lp.col_lower, lp.col_upper),
        (activity, lp.row_lower, lp.row_upper),
    ):
        for limit, excess in ((low, low - value), (high, value - high)):
            beyond = np.flatnonzero(excess > 0)
            scaled = excess[beyond] / (1 + np.abs(limit[beyond]))
            primal = max(primal, float(scaled.max(initial=0.0)))
    reduced = cost - matrix.T @ y
    scale = 1 + float(np.abs(cost).max(initial=0.0))
    dual = 0.0
    bound = 0.0
    for price, low, high in (
        (reduced, lp.col_lower, lp.col_upper),
        (y, lp.row_lower, lp.row_upper),
    ):
        limit = np.where(price > 0, low, high)
        infinite = np.flatnonzero(~np.isfinite(limit))
        limit[infinite] = 0.0
        dual = max(dual, float(np.abs(price[infinite]).max(initial=0.0)) / scale)
        bound += dot(price, limit)
    objective = dot(cost, x)
    return Certificate(primal, dual, abs(objective - bound) / max(1.0, abs(objective)))


@dataclass
class Optimum:
    """One certified optimum of a stage.

    Attributes
    ----------
    objective : in the goal's own units, in the direction the goal was stated
    x : (column)
    y : dual of each row: how much the objective rises by a unit more of the row's limit (row)
    cost : what was minimised, as the solver got it (column)
    cost_scale : y and the objective are those of `cost` times this
    held : later goals must keep it
    """

    name: str
    sense: str
    objective: float
    x: np.ndarray
    y: np.ndarray
    certificate: Certificate
    iterations: int
    seconds: float
    cost: np.ndarray
    cost_scale: float
    cold_again: bool = False
    held: bool = False


@dataclass
class Stages:
    """Goals optimised in order on the program of one member.

    Parameters
    ----------
    lp : program; its bounds are copied, the caller's stay as they are
    where : text that names the member in messages
    bases : optimal bases by the name of the optimum: those of a former, similar program to start
        from; those found here take their place
    start : basis to start the first optimum from, where `bases` has none for it
    combined : all goals of a former, similar program in one: it is solved first, and a goal is not
        run where the basis found is certified optimal for it
    integers : columns that are yes or no; optima are then those of branch and bound, which show
        which decisions are best: they have no duals, are not certified and cannot be held by a face
    """

    lp: MemberProgram
    where: str = ""
    optima: list[Optimum] = field(default_factory=list)
    bases: dict[str, Any] = field(default_factory=dict)
    start: Any = None
    combined: Combined | None = None
    integers: np.ndarray = field(default_factory=lambda: np.empty(0, int))

    def __post_init__(self) -> None:
        lp = self._given = self.lp
        self.lp = MemberProgram(
            lp.indptr,
            lp.indices,
            lp.data,
            lp.col_lower.copy(),
            lp.col_upper.copy(),
            lp.row_lower.copy(),
            lp.row_upper.copy(),
        )
        self._highs: _Highs | None = None
        self.changes: dict[tuple[int, int], float] = {}
        """Coefficients that were changed, by row and column."""
        self._cost = np.empty(0)
        self._is_ahead = False
        """Whether HiGHS goes on from the optimum of all goals in one."""
        self._hand: tuple[np.ndarray, np.ndarray] | None = None
        """Columns at the basis that HiGHS has, and its basic variables, where it is ahead."""
        self._waiting: tuple[list[np.ndarray], list[np.ndarray]] = [], []
        """Columns and rows whose limits HiGHS was not told while it was ahead."""

    # --- one stage --------------------------------------------------------------------------

    def optimise(
        self,
        name: str,
        cost: np.ndarray,
        sense: str = "minimise",
        constant: float = 0.0,
        cost_scale: float | None = None,
    ) -> Optimum:
        """Optimise one goal over what the former goals left free.

        Parameters
        ----------
        cost : (column), in the goal's own units
        sense : ``minimise`` or ``maximise``
        constant : added to the objective
        cost_scale : the solver gets `cost` divided by this, so that the duals of volumes are near
            1, as its tolerances expect; default: a :func:`typical` coefficient

        Raises
        ------
        Infeasible, Uncertified, SolveError
        """
        started = time.perf_counter()
        sign = 1.0 if sense == "minimise" else -1.0
        scale = cost_scale or typical(cost)
        scaled = sign * cost / scale
        ahead = 0
        if self._highs is None and self.combined is not None and not self.integers.size:
            ahead = self._look_ahead(self.combined)
        known = self._at_hand(scaled)
        if known is None:
            self._tell(scaled)
        if known is not None:
            (x, y, certificate), iterations, cold_again = known, 0, False
        elif self.integers.size:
            x, iterations = self._seek(name, scaled)
            y, certificate = np.zeros(self.lp.row_lower.size), Certificate(np.inf, np.inf, np.inf)
            cold_again = False
        else:
            basis = self.bases.get(name, None if self.optima else self.start)
            if basis is not None and not self._is_ahead:
                is_packed = isinstance(basis, PackedBasis)
                self._highs.setBasis(basis.unpack() if is_packed else basis)
            is_warm = basis is not None or self._is_ahead or bool(self.optima)
            x, y, certificate, iterations, cold_again = self._solve(name, scaled, is_warm)
            if self._is_ahead:
                self._hand = x, self._basic_variables()
        optimum = Optimum(
            name,
            sense,
            dot(cost, x) + constant,
            x,
            y * sign * scale,
            certificate,
            ahead + iterations,
            time.perf_counter() - started,
            scaled,
            sign * scale,
            cold_again,
        )
        self.optima.append(optimum)
        self.bases[name] = self._highs.getBasis()
        return optimum

    def _look_ahead(self, combined: Combined) -> int:
        """Optimise all goals in one, from the former program's basis; return the iterations."""
        highs = self._highs = load(self.lp, combined.cost)
        self._cost = combined.cost
        highs.setBasis(combined.basis.unpack())
        usual = {option: highs.getOptionValue(option)[1] for option in AHEAD}
        for option, value in AHEAD.items():
            highs.setOptionValue(option, value)
        highs.run()
        for option, value in usual.items():
            highs.setOptionValue(option, value)
        if highs.getModelStatus() == highspy.HighsModelStatus.kOptimal:
            self._is_ahead = True
            self._hand = np.asarray(highs.getSolution().col_value), self._basic_variables()
        return int(highs.getInfo().simplex_iteration_count)

    def _at_hand(self, cost: np.ndarray) -> tuple[np.ndarray, np.ndarray, Certificate] | None:
        """Columns and duals at the basis that HiGHS has, if they are certified for a cost."""
        if self._hand is None:
            return None
        x, basic = self._hand
        y = self._duals(cost, basic)
        if y is not None:
            certificate = certify(self.lp, cost, x, y)
            if certificate.is_valid and certificate.primal <= FINE:
                return x, y, certificate
        self._hand = None
        return None

    def _basic_variables(self) -> np.ndarray:
        """Columns in the basis, a row r as -1 - r."""
        return np.asarray(self._highs.getBasicVariables()[1])

    def _duals(self, cost: np.ndarray, basic: np.ndarray) -> np.ndarray | None:
        """Duals of the rows at a cost, by the factors that HiGHS has of its basis."""
        of_basic = np.where(basic >= 0, cost[np.maximum(basic, 0)], 0.0)
        status, y = self._highs.getBasisTransposeSolve(of_basic)
        return np.asarray(y) if status == highspy.HighsStatus.kOk else None

    def _tell(self, cost: np.ndarray) -> None:
        """Give HiGHS a cost, and the limits that it was not told."""
        if self._highs is None:
            self._highs, self._cost = load(self.lp, cost), cost
            return
        columns = np.flatnonzero(cost != self._cost).astype(np.int32)
        self._highs.changeColsCost(columns.size, columns, cost[columns])
        self._cost = cost
        for kind, waiting in enumerate(self._waiting):
            if waiting:
                self._bound(kind, np.unique(np.concatenate(waiting)))
                waiting.clear()

    def combine(self) -> Combined | None:
        """Put the goals in one, so that a similar program can be started from it.

        A goal's weight is so small that at this optimum no price of a goal before it is outweighed,
        as far as :data:`LEAST_WEIGHT` lets it; what is at a limit in the basis is at the one that
        the first goal with a price there names.

        Returns
        -------
        Combined
            None where there are not several goals, or some was not held by its face alone.
        """
        if len(self.optima) < 2 or self.changes or self.integers.size:
            return None
        if not all(optimum.held for optimum in self.optima[:-1]):
            return None
        lp, basic = self._given, self._basic_variables()
        duals = [self._duals(optimum.cost, basic) for optimum in self.optima]
        prices = [
            np.concatenate([optimum.cost - lp.matrix.T @ y, y])
            for optimum, y in zip(self.optima, duals, strict=True)
            if y is not None
        ]
        if len(prices) < len(duals):
            return None
        lower = np.concatenate([lp.col_lower, lp.row_lower])
        upper = np.concatenate([lp.col_upper, lp.row_upper])
        for price in prices:
            price[(np.abs(price) <= FACE) | (lower == upper)] = 0.0
        weights = _weights(prices)
        packed = PackedBasis.of(self._highs.getBasis())
        status, first = np.concatenate([packed.columns, packed.rows]), np.zeros(lower.size)
        for price in prices:
            first = np.where(first == 0, price, first)
        for side, limit, at in ((first > 0, lower, LOWER), (first < 0, upper, UPPER)):
            status[side & (status != BASIC) & np.isfinite(limit)] = at
        basis = PackedBasis(*np.split(status, [packed.columns.size]))
        cost = sum(w * optimum.cost for w, optimum in zip(weights, self.optima, strict=True))
        return Combined(np.asarray(cost), basis)

    def _solve(
        self, name: str, cost: np.ndarray, is_warm: bool
    ) -> tuple[np.ndarray, np.ndarray, Certificate, int, bool]:
        """Solve from the present basis; cold where that fails, is not certified or is coarse."""
        iterations = 0
        best: tuple[np.ndarray, np.ndarray, Certificate] | None = None
        failed: Certificate | None = None
        attempts = list(ATTEMPTS) if is_warm else list(ATTEMPTS)[1:]
        status, statuses = None, set()
        for attempt in attempts:
            if attempt == attempts[-1] and (best is not None or status in NO_OPTIMUM):
                break
            status, x, y, more = self._run(attempt)
            iterations += more
            statuses.add(status)
            certificate = None
            if status == highspy.HighsModelStatus.kOptimal:
                certificate = certify(self.lp, cost, x, y)
                if not certificate.is_valid:
                    failed = certificate
                elif best is None or certificate.primal < best[2].primal:
                    best = x, y, certificate
                if best is not None and best[2].primal <= FINE:
                    break
            text = certificate or self._highs.modelStatusToString(status)
            log.debug("%s%s, %s start: %s", self.where, name, attempt, text)
        if best is not None:
            return *best, iterations, attempt != attempts[0]
        # where one start ends with no answer, another may have had it
        if failed is not None and (certificate is not None or statuses.isdisjoint(NO_OPTIMUM)):
            raise Uncertified(
                f"E405 {self.where}goal '{name}': the solver's optimum fails the certificate "
                f"(primal {failed.primal:.1e}, dual {failed.dual:.1e}, gap {failed.gap:.1e}); "
                "report it with `wateralloc export --to mps`"
            )
        if highspy.HighsModelStatus.kInfeasible in statuses:
            raise Infeasible(f"E402 {self.where}goal '{name}': no allocation meets all hard limits")
        if status == highspy.HighsModelStatus.kUnbounded:
            raise SolveError(
                f"E403 {self.where}goal '{name}' is unbounded: what it optimises has no limit"
            )
        raise SolveError(f"E404 {self.where}goal '{name}': the solver stopped with '{text}'")

    def _seek(self, name: str, cost: np.ndarray) -> tuple[np.ndarray, int]:
        """Branch and bound; return the columns and the iterations.

        Rows that hold goals are thin, and its presolve may take them for contradictions; so where
        it finds no optimum it starts again without.
        """
        chosen = np.asarray(self.integers, np.int32)
        whole = np.full(chosen.size, int(highspy.HighsVarType.kInteger), np.uint8)
        iterations = 0
        for presolve in ("choose", "off"):
            self._highs.clearSolver()
            self._highs.setOptionValue("presolve", presolve)
            self._highs.changeColsIntegrality(chosen.size, chosen, whole)
            self._highs.run()
            status = self._highs.getModelStatus()
            x = np.asarray(self._highs.getSolution().col_value)
            iterations += int(self._highs.getInfo().simplex_iteration_count)
            if status == highspy.HighsModelStatus.kOptimal:
                return x, iterations
        if status == highspy.HighsModelStatus.kInfeasible:
            raise Infeasible(f"E402 {self.where}goal '{name}': no allocation meets all hard limits")
        text = self._highs.modelStatusToString(status)
        raise SolveError(f"E404 {self.where}goal '{name}': the solver stopped with '{text}'")

    def _run(self, attempt: str) -> tuple[highspy.HighsModelStatus, np.ndarray, np.ndarray, int]:
        if attempt != "warm":
            self._highs.clearSolver()
        usual = {"simplex_scale_strategy": OPTIONS["simplex_scale_strategy"]}
        usual |= dict.fromkeys(WITH_CHANGES, -1)  # the solver's own choice
        own = WITH_CHANGES if attempt == "warm" and self.changes else {}
        for option, value in (usual | ATTEMPTS[attempt] | own).items():
            self._highs.setOptionValue(option, value)
        self._highs.run()
        solution = self._highs.getSolution()
        return (
            self._highs.getModelStatus(),
            np.asarray(solution.col_value),
            np.asarray(solution.row_dual),
            int(self._highs.getInfo().simplex_iteration_count),
        )

    # --- between stages ---------------------------------------------------------------------

    def hold(self) -> int:
        """Fix the optimal face of the last goal by bounds; return how many limits were fixed.

        Every optimum has each column with a nonzero reduced cost, and each row with a nonzero dual,
        at the limit its sign names (complementary slackness); these limits are all the face is.
        """
        lp, last = self.lp, self.optima[-1]
        y = last.y / last.cost_scale
        n_fixed = 0
        for price, value, low, high, fix in (
            (last.cost - lp.matrix.T @ y, last.x, lp.col_lower, lp.col_upper, self.bound_columns),
            (y, lp.matrix @ last.x, lp.row_lower, lp.row_upper, self.bound_rows),
        ):
            priced = np.flatnonzero((np.abs(price) > FACE) & (low < high))
            limit = np.where(price[priced] > 0, low[priced], high[priced])
            at_limit = np.abs(value[priced] - limit) <= FEASIBILITY * (1 + np.abs(limit))
            face, limit = priced[at_limit], limit[at_limit]
            fix(face, limit, limit)
            n_fixed += face.size
        last.held = True
        return n_fixed

    def drift(self) -> float:
        """Largest change of a held optimum since it was found, relative to 1 + its size."""
        x = self.optima[-1].x
        return max(
            (
                abs(dot(o.cost, x) - dot(o.cost, o.x)) / (1 + abs(dot(o.cost, o.x)))
                for o in self.optima
                if o.held
            ),
            default=0.0,
        )

    def bound_columns(self, columns: np.ndarray, lower: np.ndarray, upper: np.ndarray) -> None:
        """Set new bounds of columns."""
        self.lp.col_lower[columns], self.lp.col_upper[columns] = lower, upper
        self._bound(0, columns)

    def bound_rows(self, rows: np.ndarray, lower: np.ndarray, upper: np.ndarray) -> None:
        """Set new limits of rows."""
        self.lp.row_lower[rows], self.lp.row_upper[rows] = lower, upper
        self._bound(1, rows)

    def _bound(self, kind: int, places: np.ndarray) -> None:
        """Tell HiGHS the limits of columns (0) or rows (1), or keep them for later."""
        lp, highs = self.lp, self._highs
        if self._hand is not None:
            self._waiting[kind].append(places)
        elif len(places) and highs is not None:
            change, lower, upper = (
                (highs.changeColsBounds, lp.col_lower, lp.col_upper),
                (highs.changeRowsBounds, lp.row_lower, lp.row_upper),
            )[kind]
            change(len(places), np.asarray(places, np.int32), lower[places], upper[places])

    def change_coefficients(
        self, rows: np.ndarray, columns: np.ndarray, values: np.ndarray
    ) -> None:
        """Set coefficients, each at a row and column of its own."""
        if not len(rows):
            return
        self.changes |= {
            (int(i), int(j)): float(v) for i, j, v in zip(rows, columns, values, strict=True)
        }
        self.lp = with_coefficients(self.lp, rows, columns, values)
        self._hand, self._is_ahead = None, False
        if self._highs is not None:
            for i, j, v in zip(rows, columns, values, strict=True):
                self._highs.changeCoeff(int(i), int(j), float(v))

    def mark(self) -> tuple[np.ndarray, ...]:
        """Copy all bounds and limits."""
        lp = self.lp
        return tuple(a.copy() for a in (lp.col_lower, lp.col_upper, lp.row_lower, lp.row_upper))

    def reset(self, mark: tuple[np.ndarray, ...]) -> None:
        """Put bounds and limits back as they were at a mark."""
        lp, (col_lower, col_upper, row_lower, row_upper) = self.lp, mark
        columns = np.flatnonzero((lp.col_lower != col_lower) | (lp.col_upper != col_upper))
        self.bound_columns(columns, col_lower[columns], col_upper[columns])
        rows = np.flatnonzero((lp.row_lower != row_lower) | (lp.row_upper != row_upper))
        self.bound_rows(rows, row_lower[rows], row_upper[rows])


LOWER, BASIC, UPPER = 0, 1, 2
"""States of a column or row in a basis."""


@dataclass(frozen=True)
class PackedBasis:
    """A basis as arrays, which go to other processes: status of each column and of each row."""

    columns: np.ndarray
    rows: np.ndarray

    @classmethod
    def of(cls, basis: Any) -> PackedBasis:
        columns, rows = (
            np.fromiter(map(int, status), np.int8, len(status))
            for status in (basis.col_status, basis.row_status)
        )
        return cls(columns, rows)

    def unpack(self) -> Any:
        """The basis as HiGHS has it."""
        basis, known = HighsBasis(), [HighsBasisStatus(k) for k in range(len(_STATUS))]
        basis.col_status = list(map(known.__getitem__, self.columns.tolist()))
        basis.row_status = list(map(known.__getitem__, self.rows.tolist()))
        basis.valid = True
        return basis


@dataclass(frozen=True)
class Combined:
    """All goals of one program in one cost, for similar programs to start from.

    Attributes
    ----------
    cost : of all goals, each weighed so that it gives way to those before it (column)
    basis : optimal for each goal with those before it held, so for `cost` too
    """

    cost: np.ndarray
    basis: PackedBasis


def _weights(prices: list[np.ndarray]) -> list[float]:
    """Weights of goals, the first 1, by which no price is outweighed by those of later goals.

    Parameters
    ----------
    prices : of each goal, those of columns and rows

    >>> _weights([np.array([1.0, 0.0]), np.array([-8.0, 2.0]), np.array([1.0, -1.0])])
    [1.0, 0.0625, 0.0625]
    """
    beside = [1.0]
    later = prices[-1]
    for price in prices[-2::-1]:
        against = price * later < 0
        ratio = np.abs(price[against] / later[against]).min(initial=2.0)
        beside.append(float(2.0 ** np.floor(np.log2(ratio / 2))))
        later = price + beside[-1] * later
    weights = np.cumprod([1.0, *beside[:0:-1]])
    return [float(w) for w in np.maximum(weights, LEAST_WEIGHT)]


def typical(cost: np.ndarray) -> float:
    """Size that the coefficients of a cost have in the middle: their geometric mean; 1 without any.

    A power of two, so that what is divided by it is not rounded.
    Not the largest: with it the worth of water in California, which spans seven powers of ten, is
    mostly near the solver's perturbation, and its run took half as long again (docs/performance).

    >>> typical(np.array([0.0, -2.0, 50.0]))
    8.0
    """
    sizes = np.abs(cost[cost != 0])
    if not sizes.size:
        return 1.0
    middle = max(np.log2(sizes).mean(), np.log2(sizes.max() / WIDEST))
    return float(2.0 ** np.round(middle))


def load(lp: MemberProgram, cost: np.ndarray) -> _Highs:
    """Hand a program to a new HiGHS instance.

    Parameters
    ----------
    cost : to be minimised (column)

    Raises
    ------
    SolveError
        HiGHS refuses an option or the model.
    """
    highs = _Highs()
    for option, value in OPTIONS.items():
        if highs.setOptionValue(option, value) == highspy.HighsStatus.kError:
            raise SolveError(f"E404 HiGHS refuses option {option}={value}")
    n_columns, n_rows = lp.col_lower.size, lp.row_lower.size
    status = highs.passModel(
        n_columns,
        n_rows,
        lp.indices.size,
        int(highspy.MatrixFormat.kColwise),
        int(highspy.ObjSense.kMinimize),
        0.0,
        cost,
        lp.col_lower,
        lp.col_upper,
        lp.row_lower,
        lp.row_upper,
        lp.indptr,
        lp.indices,
        lp.data,
        np.zeros(n_columns, np.int32),
    )
    if status == highspy.HighsStatus.kError:
        raise SolveError(
            "E404 HiGHS refuses the model: a number is not finite or a bound is crossed"
        )
    return highs


PRIMAL: dict[str, Any] = {"presolve": "off", "simplex_strategy": 4}
"""Options of runs in which only the cost changes: the basis stays feasible, so primal simplex."""


class ManyCosts:
    """Optimises one cost after another over the same program, each from where the last one ended.

    Every optimum is certified; one that is not is solved once more from nothing.

    Parameters
    ----------
    basis : to start from; default: none
    where : text that names the program in messages

    Attributes
    ----------
    certificate : the worst figures of all optima
    """

    def __init__(self, lp: MemberProgram, basis: Any = None, where: str = "") -> None:
        self.lp, self.where = lp, where
        self.certificate = Certificate(0.0, 0.0, 0.0)
        self.n_solved = self.iterations = 0
        self._cost = np.zeros(lp.col_lower.size)
        self._highs = load(lp, self._cost)
        for option, value in PRIMAL.items():
            self._highs.setOptionValue(option, value)
        if basis is not None:
            self._highs.setBasis(basis)

    def minimise(self, name: str, columns: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """Make a weighed sum of columns, each named once, as small as can be.

        Parameters
        ----------
        name : of what is sought, for messages
        weights : their size near 1, as the solver's tolerances expect (of `columns`)

        Returns
        -------
        x : (column)

        Raises
        ------
        Infeasible, Uncertified, SolveError
        """
        cost = np.zeros(self._cost.size)
        cost[columns] = weights
        places = np.flatnonzero(cost != self._cost).astype(np.int32)
        self._highs.changeColsCost(places.size, places, cost[places])
        self._cost = cost
        self._highs.run()
        self.n_solved += 1
        self.iterations += int(self._highs.getInfo().simplex_iteration_count)
        if self._highs.getModelStatus() == highspy.HighsModelStatus.kOptimal:
            solution = self._highs.getSolution()
            x = np.asarray(solution.col_value)
            found = certify(self.lp, cost, x, np.asarray(solution.row_dual))
            if found.is_valid:
                self.certificate = self.certificate.worse(found)
                return x
        log.debug("%s%s: not certified from the last basis, solved anew", self.where, name)
        anew = Stages(self.lp, self.where).optimise(name, cost, cost_scale=1.0)
        self.certificate = self.certificate.worse(anew.certificate)
        self.iterations += anew.iterations
        return anew.x


class FirstBasis:
    """Finds an optimal basis of a program whose matrix and goals stay while its limits move.

    Goals are optimised in their order: after each, the columns and rows with a dual are fixed where
    they are.  Simplex then moves only those without, which leaves the duals as they are; so the
    last basis is optimal for every goal with those before it held.

    Parameters
    ----------
    costs : of each goal in order, to be minimised, the largest near 1 (goal, column)
    where : text that names the program in messages
    """

    def __init__(self, lp: MemberProgram, costs: np.ndarray, where: str = "") -> None:
        self.where, self.costs = where, costs
        self._highs = load(lp, costs[0])
        self._highs.setOptionValue("presolve", "off")
        self._columns = np.arange(lp.col_lower.size, dtype=np.int32)
        self._rows = np.arange(lp.row_lower.size, dtype=np.int32)

    def find(
        self, columns: tuple[np.ndarray, np.ndarray], rows: tuple[np.ndarray, np.ndarray]
    ) -> PackedBasis:
        """Solve within limits, from scratch.

        Parameters
        ----------
        columns, rows : lower and upper limits

        Raises
        ------
        Infeasible, SolveError
        """
        highs = self._highs
        highs.changeColsBounds(self._columns.size, self._columns, *columns)
        highs.changeRowsBounds(self._rows.size, self._rows, *rows)
        highs.clearSolver()
        fixed = np.full(columns[0].size, -1, np.int8), np.full(rows[0].size, -1, np.int8)
        for g, cost in enumerate(self.costs):
            highs.changeColsCost(self._columns.size, self._columns, cost)
            self._run()
            if g + 1 < len(self.costs):
                self._fix(columns, rows, fixed)
        found = PackedBasis.of(highs.getBasis())
        # HiGHS has what is fixed at its lower limit; here it is at the one that its dual names
        return PackedBasis(
            *(
                np.where((at >= 0) & (status != BASIC), at, status).astype(np.int8)
                for at, status in zip(fixed, (found.columns, found.rows), strict=True)
            )
        )

    def _run(self) -> None:
        self._highs.run()
        status = self._highs.getModelStatus()
        if status == highspy.HighsModelStatus.kInfeasible:
            raise Infeasible(f"E402 {self.where}no allocation meets all hard limits")
        if status != highspy.HighsModelStatus.kOptimal:
            text = self._highs.modelStatusToString(status)
            raise SolveError(f"E404 {self.where}the solver stopped with '{text}'")

    def _fix(
        self,
        columns: tuple[np.ndarray, np.ndarray],
        rows: tuple[np.ndarray, np.ndarray],
        fixed: tuple[np.ndarray, np.ndarray],
    ) -> None:
        """Fix the columns and rows that have a dual at the limit that it names; note which."""
        solution, highs = self._highs.getSolution(), self._highs
        for dual, (lower, upper), at, change in (
            (np.asarray(solution.col_dual), columns, fixed[0], highs.changeColsBounds),
            (np.asarray(solution.row_dual), rows, fixed[1], highs.changeRowsBounds),
        ):
            priced = np.flatnonzero((np.abs(dual) > FACE) & (at < 0))
            if priced.size:
                is_lower = dual[priced] > 0
                at[priced] = np.where(is_lower, LOWER, UPPER)
                limit = np.where(is_lower, lower[priced], upper[priced])
                change(priced.size, priced.astype(np.int32), limit, limit)


@dataclass(frozen=True)
class Repair:
    """By how much limits must give way for a program to be feasible, and the proof of it.

    Attributes
    ----------
    by_row, by_column : amount by which each limit gives way, positive where it must fall (a
        minimum that cannot be met), negative where it must rise
    y : dual of each row of the program (row); with -A'y on the columns it proves that less would
        not do
    """

    by_row: np.ndarray
    by_column: np.ndarray
    y: np.ndarray


RANKED = 1e-6
"""By which share an amount of the highest rank counts more than one of the lowest."""


class Repairs:
    """Least repairs of one program by one set of limits after another.

    Each starts from the basis of the one before: only which limits may give way differs.

    Parameters
    ----------
    rows, columns : rows whose limits, and columns whose bounds, may give way in any of them
    ranks : of the rows and then the columns, from 0 to 1: of repairs that are as small, the one by
        those of low rank is found; default: whichever the solver finds first
    """

    def __init__(
        self,
        lp: MemberProgram,
        rows: np.ndarray,
        columns: np.ndarray,
        ranks: np.ndarray | None = None,
    ) -> None:
        self.rows, self.columns = rows, columns
        self._size = n_rows, n_columns = lp.row_lower.size, lp.col_lower.size
        n_soft, n_bent = rows.size, columns.size
        pick_rows = sp.csc_matrix(
            (np.ones(n_soft), (rows, np.arange(n_soft))), shape=(n_rows, n_soft)
        )
        pick_columns = sp.csc_matrix(
            (np.ones(n_bent), (np.arange(n_bent), columns)), shape=(n_bent, n_columns)
        )
        bend = sp.identity(n_bent, format="csc")
        matrix = sp.bmat(
            [
                [lp.matrix, pick_rows, -pick_rows, None, None],
                [pick_columns, None, None, bend, -bend],
            ]
        ).tocsc()
        free_lower, free_upper = lp.col_lower.copy(), lp.col_upper.copy()
        # no volume is below 0
        free_lower[columns], free_upper[columns] = np.minimum(lp.col_lower[columns], 0.0), np.inf
        zeros, unlimited = np.zeros(2 * (n_soft + n_bent)), np.full(2 * (n_soft + n_bent), np.inf)
        program = MemberProgram(
            matrix.indptr,
            matrix.indices,
            matrix.data,
            np.concatenate([free_lower, zeros]),
            np.concatenate([free_upper, unlimited]),
            np.concatenate([lp.row_lower, lp.col_lower[columns]]),
            np.concatenate([lp.row_upper, lp.col_upper[columns]]),
        )
        ranks = np.zeros(n_soft + n_bent) if ranks is None else ranks
        of_rows, of_columns = np.split(1.0 + RANKED * ranks, [n_soft])
        prices = (np.zeros(n_columns), of_rows, of_rows, of_columns, of_columns)
        self._cost = np.concatenate(prices)
        self._stages = Stages(program, "repair: ")

    def least(
        self, rows: np.ndarray | None = None, columns: np.ndarray | None = None
    ) -> Repair | None:
        """Find the least total amount by which limits must give way for a solution to be there.

        Parameters
        ----------
        rows, columns : those that may give way, of the ones given at first; default: all

        Returns
        -------
        Repair
            Its amounts are of all limits given at first.  None where no amount helps.

        Raises
        ------
        Uncertified, SolveError
        """
        n_rows, n_columns = self._size
        may = [
            np.ones(of_all.size, bool) if some is None else np.isin(of_all, some)
            for some, of_all in ((rows, self.rows), (columns, self.columns))
        ]
        most = np.where(np.concatenate([may[0], may[0], may[1], may[1]]), np.inf, 0.0)
        places = np.arange(n_columns, n_columns + most.size)
        changed = most != self._stages.lp.col_upper[places]
        self._stages.bound_columns(places[changed], np.zeros(int(changed.sum())), most[changed])
        try:
            optimum = self._stages.optimise("least repair", self._cost)
        except Infeasible:
            return None
        sizes = np.array([self.rows.size, self.rows.size, self.columns.size])
        up, down, bent_up, bent_down = np.split(optimum.x[n_columns:], np.cumsum(sizes))
        return Repair(up - down, bent_up - bent_down, optimum.y[:n_rows])


def least_repair(lp: MemberProgram, rows: np.ndarray, columns: np.ndarray) -> Repair | None:
    """Find the least total amount by which limits must give way for the program to be feasible.

    Parameters
    ----------
    rows, columns : rows whose limits, and columns whose bounds, may give way

    Returns
    -------
    Repair
        None where no amount helps.
    """
    return Repairs(lp, rows, columns).least()


def irreducible(
    lp: MemberProgram, groups: Sequence[tuple[np.ndarray, np.ndarray]]
) -> list[int] | None:
    """Find groups of limits that cannot be met together, of which each is needed.

    A deletion filter: a group without which the rest still cannot be met is left out for good.

    Parameters
    ----------
    groups : rows and columns of each, whose limits are left out together; what is in no group
        stays

    Returns
    -------
    list of int
        Places of the groups that are needed: without any one of them, what is left can be met.
        None where the program has a solution, or the solver cannot tell.

    Source
    ------
    Chinneck & Dravnieks (1991), Locating minimal infeasible constraint sets in linear programs,
    ORSA Journal on Computing 3, 157-168: the deletion filter.
    """
    highs = load(lp, np.zeros(lp.col_lower.size))
    highs.setOptionValue("presolve", "off")

    def bound(rows: np.ndarray, columns: np.ndarray, is_free: bool) -> None:
        for change, at, lower, upper in (
            (highs.changeRowsBounds, rows, lp.row_lower, lp.row_upper),
            (highs.changeColsBounds, columns, lp.col_lower, lp.col_upper),
        ):
            if at.size:
                low, high = np.full(at.size, -np.inf), np.full(at.size, np.inf)
                if not is_free:
                    low, high = lower[at], upper[at]
                change(at.size, at.astype(np.int32), low, high)

    def can_be_met() -> bool | None:
        highs.run()
        return {
            highspy.HighsModelStatus.kOptimal: True,
            highspy.HighsModelStatus.kInfeasible: False,
        }.get(highs.getModelStatus())

    if can_be_met() is not False:
        return None
    needed = []
    for place, (rows, columns) in enumerate(groups):
        bound(rows, columns, is_free=True)
        answer = can_be_met()
        if answer is None:
            return None
        if answer:
            needed.append(place)
            bound(rows, columns, is_free=False)
    return needed


def write_model(
    lp: MemberProgram,
    cost: np.ndarray,
    sense: str,
    names: tuple[list[str], list[str]],
    path: Path,
    constant: float = 0.0,
    integers: np.ndarray | None = None,
) -> None:
    """Write a program to a file in the format its ending names, ``.lp`` or ``.mps``.

    Parameters
    ----------
    cost : (column)
    sense : ``minimise`` or ``maximise``
    names : of the columns and of the rows; HiGHS takes none that has a space
    constant : added to the objective
    integers : columns that are yes or no

    Raises
    ------
    SolveError
        HiGHS refuses the model, a name or the file.
    """
    highs = load(lp, cost)
    if integers is not None and integers.size:
        whole = np.full(integers.size, int(highspy.HighsVarType.kInteger), np.uint8)
        highs.changeColsIntegrality(integers.size, integers.astype(np.int32), whole)
    is_least = sense == "minimise"
    highs.changeObjectiveSense(
        highspy.ObjSense.kMinimize if is_least else highspy.ObjSense.kMaximize
    )
    highs.changeObjectiveOffset(constant)
    for name_it, of in zip((highs.passColName, highs.passRowName), names, strict=True):
        for k, name in enumerate(of):
            if name_it(k, name) == highspy.HighsStatus.kError:
                raise SolveError(f"E404 HiGHS refuses the name '{name}'")
    # a warning says that names were replaced
    if highs.writeModel(str(path)) != highspy.HighsStatus.kOk:
        raise SolveError(f"E404 HiGHS cannot write '{path}'")
