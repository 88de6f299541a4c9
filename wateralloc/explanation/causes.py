"""Limits that hold a user down: what each would give if it gave way, and for how much.

Where goals are settled in order, the most that a user can be given is a number that each limit of
the case and basin moves at a rate.  The duals of a linear program on the last face say at which
(:mod:`wateralloc.foresight.settled`); that a limit really gives what they say, and up to which
volume, is found by settling all goals again with the limit moved.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from wateralloc.errors import Infeasible, SolveError
from wateralloc.foresight.limits import Limit, Limits
from wateralloc.foresight.settled import Most, Settled, Wanted, most
from wateralloc.horizon import MemberProgram

log = logging.getLogger(__name__)

SMALL = 1e-7
"""Rates up to this [hm3 per hm3] are rounding."""
NOTHING = 1e-6
"""Volumes up to this [hm3] are none."""
SAME = 0.002
"""A response within this share of what the rate says is linear."""
TRIES = 10
"""Volumes that are tried for one limit."""
LESS = 0.001
"""By this share less is tried of a volume whose program is not certified.

The volume that just ends a shortage, or at which another limit is just reached, leaves the goals
after it no room but rounding.  Their prices are then 10^7 and more, with which no optimum in double
precision closes its gap; a little less leaves them room.
"""
USERS = ("withdrawal", "drawn")
STOCKS = ("storage_end", "aquifer_end", "channel_end")
"""Variables of users, and of what is stored."""
ALIKE = 0.5
"""Of a limit in several periods those move whose rate is at least this share of the largest."""
TOLD = 1e-3
"""Share of a shortage below which what a limit gives is not told."""


@dataclass(frozen=True)
class Place:
    """One copy of a limit: the lower or upper limit of a row or column of the program.

    Attributes
    ----------
    step : by how much the limit moves for a unit that it gives way: -1 for what is asked, and for
        the demand of another user, +1 for what is allowed
    rate : gain of the target by a unit that it gives way
    room : how far it can
    """

    number: int
    is_row: bool
    is_lower: bool
    step: float
    rate: float
    room: float

    def price(self, found: Most) -> float:
        """Gain by a unit that it gives way, by the duals of a program."""
        return float((found.by_row if self.is_row else found.by_column)[self.number]) * self.step


@dataclass(frozen=True)
class Cause:
    """A limit that holds a user down, over all periods in which it does.

    Attributes
    ----------
    limit : which it is; of a user that takes the water, its demand
    kind : ``rule``, ``environmental_flow``, ``works``, ``storage`` or ``user``
    periods : those in which it gives way
    now : the limits as they are [hm3, or GWh], summed over the places
    lift : volume by which it gives way in all [hm3, or GWh], shared among its places as `parts`
    gain : what the user is then given more [hm3]
    rates : least and largest gain by a unit of `lift` that was found, equal where it is linear
    is_linear : the duals foretold the gain
    """

    limit: Limit
    kind: str
    places: tuple[Place, ...]
    parts: np.ndarray
    periods: tuple[int, ...]
    now: float
    lift: float
    gain: float
    rates: tuple[float, float]
    is_linear: bool

    def lifted(self, program: MemberProgram, volume: float) -> MemberProgram:
        """The program with the limit moved by a volume."""
        return moved(program, self.places, self.parts * volume)


def moved(program: MemberProgram, places: Sequence[Place], volumes: np.ndarray) -> MemberProgram:
    """The program with limits giving way, each by a volume; of an equation both sides move."""
    limits = {
        True: (program.row_lower.copy(), program.row_upper.copy()),
        False: (program.col_lower.copy(), program.col_upper.copy()),
    }
    for place, volume in zip(places, volumes, strict=True):
        low, high = limits[place.is_row]
        is_both = low[place.number] == high[place.number]
        for limit, is_this in ((low, place.is_lower), (high, not place.is_lower)):
            if is_this or is_both:
                limit[place.number] += place.step * volume
    return replace(
        program,
        row_lower=limits[True][0],
        row_upper=limits[True][1],
        col_lower=limits[False][0],
        col_upper=limits[False][1],
    )


@dataclass
class Search:
    """Finds what holds a target down.

    Attributes
    ----------
    wanted : the target, as a sum of columns
    short : what the target lacks [hm3]
    best : most of the target on the last face
    n_lost : volumes tried whose programs the solver gave no certified answer to
    """

    settled: Settled
    limits: Limits
    wanted: Wanted
    short: float
    best: Most
    n_lost: int = 0

    def __post_init__(self) -> None:
        self._own = {int(c) for c in self.wanted.columns} if self.wanted.is_plain else set()

    # --- candidates

    def candidates(self, found: Most) -> dict[Limit, list[Place]]:
        """Limits by which the target would gain, by the duals of a program that makes it most."""
        lp = self.settled.program
        by_limit: dict[Limit, list[Place]] = {}
        activity = lp.matrix @ found.x
        for is_row, price, value, low, high in (
            (True, found.by_row[: lp.row_lower.size], activity, lp.row_lower, lp.row_upper),
            (False, found.by_column, found.x, lp.col_lower, lp.col_upper),
        ):
            for number in np.flatnonzero((np.abs(price) > SMALL) & (low < high)):
                if not is_row and int(number) in self._own:
                    continue
                limit = (
                    self.limits.of_row(int(number))
                    if is_row
                    else self.limits.of_column(int(number), is_lower=False)
                )
                place = _place(
                    int(number),
                    is_row,
                    float(price[number]),
                    float(value[number]),
                    float(low[number]),
                    float(high[number]),
                    limit.name in USERS,
                )
                if place is None:
                    continue
                if place.is_lower and not is_row:
                    limit = self.limits.of_column(int(number), is_lower=True)
                if limit.kind == "workings" or (limit.kind == "row" and not limit.is_known):
                    continue  # equations of a goal or a rule are no limits of their own
                by_limit.setdefault(limit, []).append(place)
        return by_limit

    def water_at(self, nodes: Iterable[str], periods: Sequence[int]) -> list[Place]:
        """The water of some nodes in some periods, as what more of it gives."""
        model, rows = self.settled.period.model, self.settled.horizon.rows
        return [
            # of "sum of water == 0": a hm3 more at the node moves its limit by -1
            Place(int(row), True, True, -1.0, -float(self.best.by_row[row]), np.inf)
            for node in nodes
            for row in rows[id(model.balance[node])][list(periods)]
        ]

    # --- what they give

    def gain(self, places: Sequence[Place], volumes: np.ndarray) -> tuple[float, Most | None]:
        """What the target gains by limits that give way, all goals settled again.

        NaN and None where no allocation keeps the limits, or none could be certified.
        """
        program = moved(self.settled.program, places, volumes)
        try:
            again = self.settled.again(program)
            found = most(again.faces[-1].program, self.wanted, start=self.best.basis)
        except Infeasible:
            return np.nan, None
        except SolveError as error:
            log.debug("limits moved by %g: %s", float(np.sum(volumes)), error)
            self.n_lost += 1
            return np.nan, None
        return found.value - self.best.value, found

    def cause(self, limit: Limit, places: list[Place], most_needed: float = np.inf) -> Cause | None:
        """Find how much a limit gives if it gives way, as far as the target lacks it."""
        largest = max(place.rate for place in places)
        used = tuple(
            p
            for p in places
            if (p.rate >= ALIKE * largest or largest <= SMALL) and p.room > NOTHING
        )
        if not used:
            return None
        room = np.array([place.room for place in used])
        parts = np.where(np.isfinite(room), room, 1.0)
        parts = np.ones(room.size) if np.isinf(room).all() else parts
        parts = parts / parts.sum()
        rate = max(float(parts @ [place.rate for place in used]), 0.0)
        cap = min(self.short / rate if rate > SMALL else self.short, most_needed)
        if np.isfinite(room).all():
            cap = min(cap, float(room.sum()))
        if cap <= NOTHING:
            return None
        n_lost = self.n_lost
        found = self.response(used, parts, rate, cap)
        if found is None:
            if self.n_lost > n_lost:
                log.warning(
                    "%s: what it would give is not told, as programs with it moved could not be "
                    "certified",
                    limit.text(),
                )
            return None
        lift, gain, rates, is_linear = found
        lp, now = self.settled.program, 0.0
        for place in used:
            low, high = (
                (lp.row_lower, lp.row_upper) if place.is_row else (lp.col_lower, lp.col_upper)
            )
            now += float((low if place.is_lower else high)[place.number])
        periods = sorted({t for p in used for t in self.limits.periods(p.number, p.is_row)})
        return Cause(
            limit, kind_of(limit), used, parts, tuple(periods), now, lift, gain, rates, is_linear
        )

    def response(
        self, places: Sequence[Place], parts: np.ndarray, rate: float, cap: float
    ) -> tuple[float, float, tuple[float, float], bool] | None:
        """Volume, gain, rates, and whether it is linear; None where nothing is gained.

        The gain bends where another limit is reached.  Its rate at the volume tried, by duals,
        gives the point at which it bends: where both lines meet.
        """
        volume, is_edge = cap, True
        nearest: tuple[float, float] | None = None
        for _ in range(TRIES):
            gain, found = self.gain(places, parts * volume)
            if found is None:
                volume *= 1 - LESS if is_edge else 0.5
                is_edge = False
                continue
            if rate > SMALL and abs(gain - rate * volume) <= SAME * rate * volume + NOTHING / 10:
                return volume, gain, (rate, rate), True
            if gain > NOTHING:
                nearest = volume, gain
            if rate <= SMALL:
                break
            there = float(parts @ [place.price(found) for place in places])
            bend = (gain - there * volume) / (rate - there) if there < rate - SMALL else 0.0
            is_edge = NOTHING < bend < 0.99 * volume
            volume = bend if is_edge else volume / 4
            if rate * volume < NOTHING:
                break
        if nearest is None or nearest[1] < TOLD * self.short:
            return None
        volume, gain = nearest
        mean = gain / volume
        return volume, gain, (min(rate, mean), max(rate, mean)), False


def _place(
    number: int, is_row: bool, price: float, value: float, low: float, high: float, is_user: bool
) -> Place | None:
    """The limit that a row or column is at, if the target gains where it gives way."""
    is_lower = value - low <= high - value
    if is_user and not is_lower and price < -SMALL:  # the less it takes, the more is left
        return Place(number, is_row, False, -1.0, -price, high - max(low, 0.0))
    if is_user and not is_lower:
        return None  # that another asked more is nothing that gives way
    step = -1.0 if is_lower else 1.0
    # what is allowed is tried up to twice what it is
    limit = low if is_lower else high if high > 0 else np.inf
    # that nothing flows back is no limit that could give way
    return (
        Place(number, is_row, is_lower, step, price * step, limit)
        if (price * step > SMALL and limit > 0)
        else None
    )


def kind_of(limit: Limit) -> str:
    """What a limit is, in one word."""
    if limit.kind == "rule" or limit.name == "environmental_flow":
        return "rule" if limit.kind == "rule" else "environmental_flow"
    if limit.name in USERS:
        return "user"
    return "storage" if limit.name in STOCKS else "works"
