"""What treaties, compacts and operating rules ask, as functions of the numbers of the day.

The first part is building blocks that take the data of any agreement: tables by band, schedules
with straight pieces, splits, rolling sums, accounts, states by threshold.  The second part is
agreements of rivers of the world, each made of these blocks.  Their constants are
:class:`Published`: with the source, and with a mark that says whether the number was confirmed in
a public text or is recalled from the literature, to be checked before it is used in a study.

Units are those of the agreement (m3/s, cusecs, acre-feet, hm3): each function says which.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import linprog

from wateralloc.errors import listed, or_do, suggest
from wateralloc.sharing.checks import Array, SharingError, number, numbers, shares
from wateralloc.sharing.claims import proportional


@dataclass(frozen=True)
class Published:
    """Numbers of an agreement, with their source.

    Parameters
    ----------
    data : the numbers
    unit : of the numbers
    source : text they come from
    mark : ``confirmed`` in a public text, or ``recalled`` from the literature and to be checked
    """

    data: Any
    unit: str
    source: str
    mark: Literal["confirmed", "recalled"]


def _rising(values: Sequence[float], name: str) -> Array:
    found = numbers(values, name, -np.inf)
    if not found.size:
        raise SharingError(f"{name}: there is none; give at least one")
    if np.any(np.diff(found) <= 0):
        raise SharingError(f"{name} are at {listed(found.tolist())}; must rise")
    return found


def _same_names(one: Mapping[str, Any], other: Mapping[str, Any], name: str, with_: str) -> None:
    differ = sorted(set(one) ^ set(other))
    if differ:
        raise SharingError(f"{name} and {with_} differ in {listed(differ)}; name the same in both")


# --- building blocks ----------------------------------------------------------------------------


def by_band(index: float, bands: Sequence[tuple[float, Any]]) -> Any:
    """Look up a step table: the last band whose lower end the index has reached.

    Parameters
    ----------
    index : flow, storage or level of the day
    bands : (lower end, what holds from there on), rising

    Raises
    ------
    SharingError
        The index is below the first band, or the bands do not rise.

    Examples
    --------
    >>> by_band(600, [(0, "none"), (400, "reduced"), (1300, "full")])
    'reduced'
    """
    ends = _rising([end for end, _ in bands], "bands")
    if not index >= ends[0]:
        raise SharingError(
            f"index is {index:g}, below the first band, which starts at {ends[0]:g}; add a band"
        )
    return bands[int(np.searchsorted(ends, index, side="right")) - 1][1]


@dataclass(frozen=True)
class Schedule:
    """A quantity by an index, straight between the rows of a table.

    Parameters
    ----------
    rows : (index, quantity), index rising
    slope_after : how the quantity rises beyond the last row; None: the table ends there

    Examples
    --------
    >>> Schedule(((500, 286), (600, 345)))(550)
    315.5
    """

    rows: tuple[tuple[float, float], ...]
    slope_after: float | None = None

    def __post_init__(self) -> None:
        _rising([index for index, _ in self.rows], "rows of the schedule")
        numbers([quantity for _, quantity in self.rows], "quantities of the schedule", -np.inf)

    def __call__(self, index: float) -> float:
        """Quantity at an index.

        Raises
        ------
        SharingError
            The index lies outside the table.
        """
        x, y = (np.array(column, float) for column in zip(*self.rows, strict=True))
        beyond = index - x[-1]
        if beyond > 0 and self.slope_after is not None:
            return float(y[-1] + self.slope_after * beyond)
        if not x[0] <= index <= x[-1]:
            raise SharingError(
                f"index is {index:g}; must lie within the schedule, {x[0]:g} to {x[-1]:g}"
            )
        return float(np.interp(index, x, y))

    def lines(self) -> list[tuple[float, float]]:
        """Lines (slope, constant) through neighbouring rows."""
        x, y = (np.array(column, float) for column in zip(*self.rows, strict=True))
        slopes = np.diff(y) / np.diff(x)
        found = [
            (float(s), float(b)) for s, b in zip(slopes, y[:-1] - slopes * x[:-1], strict=True)
        ]
        if self.slope_after is not None:
            found.append((float(self.slope_after), float(y[-1] - self.slope_after * x[-1])))
        return found

    @property
    def shape(self) -> Literal["straight", "convex", "concave", "neither"]:
        """Whether the schedule bends upwards (convex), downwards (concave), both or not.

        "At least the schedule" is linear when it is convex, "at most" when it is concave: the
        quantity then lies above, or below, all its lines.  Else an index that a program may choose
        needs integer columns.

        Examples
        --------
        >>> Schedule(((0, 0), (70, 35), (75, 35)), slope_after=1).shape
        'neither'
        """
        bends = np.diff([slope for slope, _ in self.lines()])
        up, down = bool(np.any(bends > 1e-12)), bool(np.any(bends < -1e-12))
        if up and down:
            return "neither"
        return "convex" if up else "concave" if down else "straight"


def split(volume: float, parts: Mapping[str, float]) -> dict[str, float]:
    """Divide a volume by fixed shares, which add up to 1.

    Examples
    --------
    >>> split(500, {"Syria": 0.42, "Iraq": 0.58})
    {'Syria': 210.0, 'Iraq': 290.0}
    """
    volume = number(volume, "volume")
    given = shares(list(parts.values()), "shares")
    return dict(zip(parts, (volume * given).tolist(), strict=True))


def base_and_surplus(
    volume: float, base: Mapping[str, float], surplus_shares: Mapping[str, float]
) -> dict[str, float]:
    """Serve fixed base volumes, and divide what is beyond them by shares.

    A volume below the sum of the bases is divided in proportion to them.

    Examples
    --------
    >>> base_and_surplus(120, {"hills": 40, "delta": 60}, {"hills": 0.25, "delta": 0.75})
    {'hills': 45.0, 'delta': 75.0}
    """
    volume = number(volume, "volume")
    _same_names(base, surplus_shares, "base", "surplus_shares")
    first = numbers(list(base.values()), "base")
    given = shares([surplus_shares[name] for name in base], "surplus_shares")
    surplus = max(0.0, volume - float(first.sum()))
    return dict(zip(base, (proportional(volume, first) + surplus * given).tolist(), strict=True))


def equal_deviations(
    volume: float, normal: Mapping[str, float], parts: Mapping[str, float] | None = None
) -> dict[str, float]:
    """Give each its normal volume, and share what is more or less than all of them.

    Parameters
    ----------
    volume : to be divided
    normal : volume of each in a normal year
    parts : share of each in a departure; default: equal

    Raises
    ------
    SharingError
        The departure would take more from somebody than its normal volume.

    Examples
    --------
    >>> equal_deviations(80, {"Egypt": 55.5, "Sudan": 18.5})
    {'Egypt': 58.5, 'Sudan': 21.5}
    """
    usual = numbers(list(normal.values()), "normal")
    if parts is None:
        given = np.full(usual.size, 1 / usual.size)
    else:
        _same_names(normal, parts, "normal", "parts")
        given = shares([parts[name] for name in normal], "parts")
    gets = usual + given * (number(volume, "volume") - usual.sum())
    if np.any(gets < 0):
        name = list(normal)[int(np.argmin(gets))]
        raise SharingError(
            f"volume is {volume:g}, so far below normal ({usual.sum():g}) that '{name}' would get "
            f"{gets.min():g}; the agreement does not say what then, use a claims rule"
        )
    return dict(zip(normal, gets.tolist(), strict=True))


def rolling_minimum(history: ArrayLike, total: float) -> float:
    """Least delivery of this year so that the window of years ends with its total.

    Parameters
    ----------
    history : deliveries of the years before, one less than the window is long
    total : to be delivered in the window

    Equation
    --------
    max(0, total - sum of history).

    Examples
    --------
    >>> round(rolling_minimum([7.5] * 8 + [8.2], 75), 9)
    6.8
    """
    return max(0.0, number(total, "total") - float(numbers(history, "history").sum()))


class Account(NamedTuple):
    """An account of deliveries after a year."""

    balance: float
    """Above 0 credit, below 0 debit."""
    lost: float
    """Credit that did not fit, or was wiped out by a spill."""
    overdrawn: float
    """Debit beyond what is allowed: the breach of the year."""


def account_step(
    balance: float,
    scheduled: float,
    delivered: float,
    most_credit: float = np.inf,
    most_debit: float = np.inf,
    loss: float = 0.0,
    spilled: bool = False,
) -> Account:
    """Carry an account of debit and credit over one year.

    Parameters
    ----------
    balance : at the start; above 0 credit
    scheduled, delivered : of the year
    most_credit, most_debit : limits of the balance
    loss : share of a credit that evaporates in a year [0..1]
    spilled : a spill wipes out credit and debit

    Equation
    --------
    B' = (1 - loss) B + delivered - scheduled, cut to -most_debit .. most_credit; 0 after a spill.

    Examples
    --------
    >>> account_step(-80, scheduled=400, delivered=370, most_debit=100)
    Account(balance=-100.0, lost=0.0, overdrawn=10.0)
    """
    kept = number(balance, "balance", -np.inf)
    kept *= 1 - number(loss, "loss", 0.0, 1.0) if kept > 0 else 1.0
    kept += number(delivered, "delivered") - number(scheduled, "scheduled")
    overdrawn, lost = max(0.0, -kept - most_debit), max(0.0, kept - most_credit)
    kept = min(max(kept, -most_debit), most_credit)
    if spilled:
        return Account(0.0, lost + max(0.0, kept), overdrawn)
    return Account(float(kept), float(lost), float(overdrawn))


def cap_account(used: ArrayLike, cap: ArrayLike, tolerance: float) -> tuple[Array, int | None]:
    """Add up use beyond a yearly cap, and tell when it passes the tolerance.

    Parameters
    ----------
    used, cap : (year)
    tolerance : share of the cap of the year up to which the sum may rise

    Returns
    -------
    array (year) of the cumulative overrun, and the first year above tolerance or None

    Equation
    --------
    overrun(y) = sum over years up to y of (used - cap); breach when overrun(y) > tolerance cap(y).

    Examples
    --------
    >>> overrun, breach = cap_account([110, 108, 105], [100, 100, 100], 0.2)
    >>> overrun.tolist(), breach
    ([10.0, 18.0, 23.0], 2)
    """
    used = numbers(used, "used")
    cap = numbers(cap, "cap", size=used.size)
    overrun = np.cumsum(used - cap)
    over = np.flatnonzero(overrun > number(tolerance, "tolerance") * cap)
    return overrun, int(over[0]) if over.size else None


def state_by_threshold(
    index: float, thresholds: Sequence[float], previous: int | None = None, margin: float = 0.0
) -> int:
    """Tell the drought state, 0 the driest, with a margin before it gets better again.

    Parameters
    ----------
    index : storage, inflow or forecast on the date of the decision
    thresholds : rising; the state is how many of them the index has reached
    previous : state before; None: none
    margin : how far above a threshold the index must be to leave the drier state

    Examples
    --------
    >>> state_by_threshold(410, [400, 600, 1300])
    1
    >>> state_by_threshold(410, [400, 600, 1300], previous=0, margin=25)
    0
    """
    ends = _rising(thresholds, "thresholds")
    reached = int(np.searchsorted(ends, index, side="right"))
    if previous is None or reached <= previous:
        return reached
    surely = int(np.searchsorted(ends, index - number(margin, "margin"), side="right"))
    return max(previous, surely)


def hedged_release(storage: float, base: float, slope: float, most: float) -> float:
    """Release less the emptier the reservoir: the smooth cousin of a stepped rule.

    Equation
    --------
    min(most, base + slope storage), not below 0 and not above the storage.

    Examples
    --------
    >>> hedged_release(600, base=0, slope=0.03, most=60)
    18.0
    """
    storage = number(storage, "storage")
    return float(min(max(0.0, min(most, base + slope * storage)), storage))


def with_exception(required: float, measured: float, waived_below: float) -> float:
    """What is owed unless the year is so dry that the agreement waives it.

    Examples
    --------
    >>> with_exception(3500, measured=0.60, waived_below=0.65)
    0.0
    """
    return 0.0 if measured < waived_below else number(required, "required")


class Capacity(NamedTuple):
    """Storages of the owners of a reservoir after one step."""

    filled: Array
    """After inflow and internal spill, before use (owner)."""
    storage: Array
    """After use (owner)."""
    internal_spill: Array
    """What each got (+) from, or left (-) to, the others (owner)."""
    external_spill: float


def capacity_step(
    storage: ArrayLike,
    inflow: float,
    used: ArrayLike,
    capacity: float,
    space_shares: ArrayLike,
    inflow_shares: ArrayLike | None = None,
    loss: float = 0.0,
) -> Capacity:
    """Carry a reservoir of several owners over one step (continuous accounting).

    Each owns a share of the space and of the inflow.  What does not fit into the space of one
    spills into that of the others, in proportion to the room they have; only what fits nowhere
    leaves the reservoir.  Losses are borne in proportion to storage.

    Parameters
    ----------
    storage : (owner), at the start
    inflow : of the step
    used : (owner)
    capacity : of the reservoir
    space_shares, inflow_shares : (owner); the second default to the first
    loss : evaporated in the step

    Equation
    --------
    S' = S + inflow share - loss S / sum of S + internal spill - external spill - used, with
    S + ... <= space share x capacity.

    Source
    ------
    Dudley & Musgrave (1988), Capacity sharing of water reservoirs, Water Resources Research 24.

    Raises
    ------
    SharingError
        An owner uses more than it has, or holds more than its space.

    Examples
    --------
    >>> capacity_step([50, 38], 10, [8, 10], 100, [0.6, 0.4]).storage.tolist()
    [50.0, 30.0]
    """
    storage = numbers(storage, "storage")
    n = storage.size
    used = numbers(used, "used", size=n)
    room = shares(space_shares, "space_shares", n) * number(capacity, "capacity")
    come = room / room.sum() if inflow_shares is None else shares(inflow_shares, "inflow_shares", n)
    over = np.flatnonzero(storage > room * (1 + 1e-9))
    if over.size:
        k = over[0]
        raise SharingError(f"storage[{k}] is {storage[k]:g}; must fit its space of {room[k]:g}")
    lost = number(loss, "loss", 0.0, float(storage.sum()))
    filled = storage + number(inflow, "inflow") * come
    filled -= lost * (storage / storage.sum() if lost else 0.0)
    spilled = np.maximum(0.0, filled - room)
    taken = proportional(float(spilled.sum()), np.maximum(0.0, room - filled))
    given = proportional(float(taken.sum()), spilled)
    filled = np.minimum(filled + taken, room)
    short = np.flatnonzero(used > filled + 1e-9 * number(capacity, "capacity"))
    if short.size:
        k = short[0]
        raise SharingError(f"used[{k}] is {used[k]:g}; must be at most what it has, {filled[k]:g}")
    left = np.maximum(0.0, filled - used)
    return Capacity(filled, left, taken - given, float((spilled - given).sum()))


class Bank(NamedTuple):
    """A carry-over account after a year."""

    balance: float
    spilled: float


def bank_step(
    balance: float,
    deposit: float = 0.0,
    withdrawal: float = 0.0,
    most: float = np.inf,
    loss: float = 0.0,
    most_withdrawal: float = np.inf,
) -> Bank:
    """Carry unused water over one year: losses, then withdrawal; what does not fit spills.

    Equation
    --------
    B' = min(most, (1 - loss) (B + deposit) - withdrawal).

    Raises
    ------
    SharingError
        More is withdrawn than is there, or than may be recovered in a year.

    Examples
    --------
    >>> bank_step(80, deposit=40, withdrawal=10, most=90, loss=0.05)
    Bank(balance=90.0, spilled=14.0)
    """
    held = (1 - number(loss, "loss", 0.0, 1.0)) * (
        number(balance, "balance") + number(deposit, "deposit")
    )
    limit = min(held, most_withdrawal)
    if number(withdrawal, "withdrawal") > limit:
        raise SharingError(f"withdrawal is {withdrawal:g}; must be at most {limit:g}")
    left = held - withdrawal
    return Bank(float(min(left, most)), max(0.0, left - most))


class Trade(NamedTuple):
    """What a market of entitlements comes to."""

    used: Array
    """(user)."""
    bought: Array
    """(user); below 0 where sold."""
    price: dict[str, float]
    """Benefit of one more unit, by zone.  Without limits the middle of what seller and buyer would
    take; with limits from the duals, which need not be the only ones."""
    gain: float
    """Benefit of trading over using one's own entitlement."""


def trade(
    entitlements: ArrayLike,
    benefits: Sequence[Sequence[tuple[float, float]]],
    zones: Sequence[str] | None = None,
    most_net: Mapping[str, float] | None = None,
) -> Trade:
    """Let entitlements be traded until nobody values a unit more than who holds it.

    Parameters
    ----------
    entitlements : (user)
    benefits : (user)
        Pieces (width, benefit of one unit), the benefit of one unit never rising.
    zones : (user)
        Zone of each; default: one zone.
    most_net : by zone, the most it may buy or sell on balance; default: no limit

    Equation
    --------
    max sum of b(i, used(i)), sum of used <= sum of entitlements, |net purchase of a zone| <= limit.

    Source
    ------
    As in any cap-and-trade: Howe, Schurmeier & Shaw (1986), Innovative approaches to water
    allocation, Water Resources Research 22.

    Examples
    --------
    >>> market = trade([60, 40], [[(100, 2.0)], [(50, 5.0), (50, 1.0)]])
    >>> market.used.tolist(), market.bought.tolist(), market.price, market.gain
    ([50.0, 50.0], [-10.0, 10.0], {'all': 2.0}, 30.0)
    """
    own = numbers(entitlements, "entitlements")
    if len(benefits) != own.size:
        raise SharingError(f"benefits has {len(benefits)} values; must have {own.size}, one each")
    pieces = [(k, width, worth) for k, of in enumerate(benefits) for width, worth in of]
    for of in benefits:
        worths = [worth for _, worth in of]
        if worths != sorted(worths, reverse=True):
            raise SharingError(f"benefits of one unit are {worths}; must not rise")
    holds = np.array([[float(k == user) for k, _, _ in pieces] for user in range(own.size)])
    where = np.array(["all"] * own.size if zones is None else list(zones))
    if where.size != own.size:
        raise SharingError(f"zones has {where.size} values; must have {own.size}, one each")
    rows, sides = [np.ones(own.size)], [float(own.sum())]
    for zone, most in (most_net or {}).items():
        if zone not in where:
            hint = or_do(suggest(zone, where), f"must be one of {listed(np.unique(where))}")
            raise SharingError(f"most_net names '{zone}', which is no zone{hint}")
        for inside in (where == zone, where != zone):  # what a zone sells, the others use
            rows.append(inside.astype(float))
            sides.append(float(own[inside].sum()) + number(most, f"most_net of '{zone}'"))
    limits = np.array(rows)
    found = linprog(
        [-worth for _, _, worth in pieces],
        A_ub=limits @ holds,
        b_ub=sides,
        bounds=[(0, width) for _, width, _ in pieces],
        method="highs-ds",
    )
    if found.status != 0:
        raise SharingError(f"the market has no answer: {found.message}")
    worth_of_use = -found.ineqlin.marginals @ limits  # (user)
    used = holds @ found.x
    if not most_net:
        is_scarce = used.sum() >= own.sum() * (1 - 1e-9)
        worth_of_use = np.full(own.size, _middle_price(pieces, found.x) if is_scarce else 0.0)
    return Trade(
        used,
        used - own,
        {str(zone): float(worth_of_use[where == zone][0]) for zone in dict.fromkeys(where)},
        float(-found.fun - sum(_benefit(own[k], of) for k, of in enumerate(benefits))),
    )


def _middle_price(pieces: Sequence[tuple[int, float, float]], used: Array) -> float:
    """Worth of the last unit used, or the middle between it and the first not used."""
    slack = 1e-9
    sells = [worth for (_, _, worth), u in zip(pieces, used, strict=True) if u > slack]
    buys = [w for (_, width, w), u in zip(pieces, used, strict=True) if u < width - slack]
    lowest, highest = min(sells, default=0.0), max(buys, default=0.0)
    return float(max(0.0, (lowest + min(highest, lowest)) / 2))


def _benefit(use: float, pieces: Sequence[tuple[float, float]]) -> float:
    total, left = 0.0, use
    for width, worth in pieces:
        total += max(0.0, worth) * min(width, left)
        left = max(0.0, left - width)
    return total


class Option(NamedTuple):
    """What a dry-year option is worth."""

    bought: float
    """Volume under option."""
    cost: float
    """Expected cost with it."""
    cost_without: float


def option_lease(
    demand: float,
    own: ArrayLike,
    chance: ArrayLike,
    premium: float,
    exercise: float,
    emergency: float,
) -> Option:
    """Buy the option to lease water in dry years, before it is known how dry the year is.

    The expected cost is straight between the shortages of the states, so the best volume is one of
    them (the smallest, when several are equally good).

    Parameters
    ----------
    demand : to be met in every state
    own : (state)
        Own water in each.
    chance : (state)
        Probability of each.
    premium : paid for each unit under option, in every state
    exercise : paid for each unit leased
    emergency : paid for each unit still missing

    Equation
    --------
    min over h of premium h + sum over w of p(w) (exercise min(h, m(w)) + emergency max(0, m(w) -
    h)), m(w) = max(0, demand - own(w)).

    Source
    ------
    O'Donnell & Colby (2009), Dry-year water supply reliability contracts, University of Arizona.

    Examples
    --------
    >>> option_lease(100, [110, 95, 70], [0.5, 0.3, 0.2], 8, 10, 40)
    Option(bought=5.0, cost=265.0, cost_without=300.0)
    """
    own = numbers(own, "own")
    chance = shares(chance, "chance", own.size)
    missing = np.maximum(0.0, number(demand, "demand") - own)
    leased = number(exercise, "exercise")
    bought_late = number(emergency, "emergency")

    def cost(held: float) -> float:
        use = np.minimum(held, missing) if leased <= bought_late else np.zeros(missing.size)
        dear = bought_late * (missing - use)
        return float(number(premium, "premium") * held + chance @ (leased * use + dear))

    volumes = np.unique(np.append(missing, 0.0))
    costs = [cost(held) for held in volumes]
    best = int(np.flatnonzero(np.array(costs) <= min(costs) + 1e-9 * max(1.0, abs(min(costs))))[0])
    return Option(float(volumes[best]), costs[best], cost(0.0))


def charges_returned(
    benefits: ArrayLike, awards: ArrayLike, price: ArrayLike, key: ArrayLike
) -> Array:
    """Let all pay the value of the water they use, and return the receipts by an agreed key.

    Parameters
    ----------
    benefits : (user)
        Benefit of the water used.
    awards : (user)
        Water used.
    price : number or (user)
        Value of one more unit where it is taken.
    key : (user)
        Share of each in the receipts.

    Equation
    --------
    net(k) = B(k) - price(k) a(k) + key(k) sum of price a.

    Source
    ------
    Arjoon, Tilmant & Herrmann (2016), Sharing water and benefits in transboundary river basins,
    Hydrology and Earth System Sciences 20.

    Examples
    --------
    >>> charges_returned([80, 120], [40, 40], 1.5, [0.75, 0.25]).tolist()
    [110.0, 90.0]
    """
    benefits = numbers(benefits, "benefits", -np.inf)
    awards = numbers(awards, "awards", size=benefits.size)
    each = np.broadcast_to(np.asarray(price, float), awards.shape)
    paid = numbers(each, "price", size=awards.size) * awards
    return benefits - paid + shares(key, "key", awards.size) * paid.sum()


# --- agreements ---------------------------------------------------------------------------------

SOUTH_AUSTRALIA = Published(
    (108.5, 124.0, 135.0, 170.5, 180.0, 217.0, 217.0, 194.0, 186.0, 135.0, 93.0, 90.0),
    "GL a month, July to June",
    "Murray-Darling Basin Agreement, entitlement of South Australia: 1,850 GL a year "
    "(confirmed, with September); the other months recalled",
    "recalled",
)
EUPHRATES_1987 = Published(
    500.0, "m3/s, mean of a year", "Turkey-Syria protocol of 1987", "confirmed"
)
EUPHRATES_1989 = Published(
    {"Syria": 0.42, "Iraq": 0.58},
    "share of the flow at the Turkish border",
    "Syria-Iraq protocol of 1989",
    "confirmed",
)
MEXICO_1944 = Published(
    1.5, "million acre-feet a year", "Treaty of 1944, Article 10 (Colorado)", "recalled"
)
ALBUFEIRA_1998 = Published(
    {
        "Douro at Miranda": (3500.0, 0.65),
        "Douro at Saucelle and Agueda": (3800.0, 0.65),
        "Douro at Crestuma": (5000.0, 0.65),
    },
    "hm3 a year, and the share of mean rain below which it is waived",
    "Albufeira Convention of 1998, protocol of 2008",
    "confirmed",
)
CHU_TALAS_2000 = Published(
    {
        "Talas": {"Kyrgyzstan": 0.5, "Kazakhstan": 0.5},
        "Chu": {"Kyrgyzstan": 0.58, "Kazakhstan": 0.42},
    },
    "share of the flow",
    "Chu-Talas agreement of 2000",
    "recalled",
)
INDUS_1991 = Published(
    {
        "base": {"Punjab": 55.94, "Sindh": 48.76, "NWFP": 8.78, "Balochistan": 3.87},
        "surplus": {"Punjab": 0.37, "Sindh": 0.37, "NWFP": 0.14, "Balochistan": 0.12},
    },
    "million acre-feet a year; NWFP with 3.00 of ungauged canals",
    "Pakistan, Water Apportionment Accord of 1991, paragraphs 2 and 4",
    "confirmed",
)
GANGES_1996 = Published(
    {
        "Bangladesh": Schedule(((0, 0), (70_000, 35_000), (75_000, 35_000)), slope_after=1.0),
        "guarantee": 35_000.0,
    },
    "cusecs, mean of ten days at Farakka",
    "Ganges Water Sharing Treaty of 1996, Annexure I",
    "confirmed",
)
RIO_GRANDE_1948 = Published(
    {
        "low": Schedule(((500, 286), (600, 345))),
        "middle": Schedule(((1000, 621), (1100, 707))),
        "high": Schedule(((2000, 1595), (2100, 1695))),
        "most_debit": 200.0,
    },
    "thousand acre-feet a year, by the index supply at Otowi; six rows of the table",
    "Rio Grande Compact of 1938, Article IV as of 1948",
    "recalled",
)
REPUBLICAN_1943 = Published(
    {"Colorado": 54.1, "Kansas": 190.3, "Nebraska": 234.5},
    "thousand acre-feet a year of virgin supply; judged by the mean of five years",
    "Republican River Compact of 1943",
    "recalled",
)
COLORADO_1922 = Published(
    (75.0, 10),
    "million acre-feet in so many years one after the other",
    "Colorado River Compact of 1922, Article III(d)",
    "recalled",
)
MURRAY_DARLING_CAP = Published(
    0.2, "share of the yearly cap", "Murray-Darling Cap: overrun that leads to an audit", "recalled"
)
NILE_1959 = Published(
    {"evaporation": 10.0, "normal": {"Egypt": 55.5, "Sudan": 18.5}},
    "km3 a year at Aswan",
    "Nile Waters Agreement of 1959",
    "confirmed",
)
TAJO_SEGURA_2021 = Published(
    {
        "storage_level_1": 1300.0,
        "inflow_level_1": 1400.0,
        "transfer": {1: 60.0, 2: 27.0, 3: 20.0, 4: 0.0},
        "storage_level_4": 400.0,
        "most_a_year": 650.0,
    },
    "hm3; transfers a month, of level 3 the most that may be allowed",
    "Real Decreto 773/2014 as amended by 638/2021",
    "confirmed",
)
TAJO_SEGURA_REFERENCE = Published(
    (586.0, 688.0),
    "hm3, lowest and highest of the monthly storages below which level 3 holds",
    "Real Decreto 773/2014 as amended by 638/2021",
    "recalled",
)
MEAD_2007 = Published(
    {"Arizona": 2.48, "Nevada": 0.287, "California": 4.4},
    "million acre-feet a year, at 1,050 to 1,075 ft",
    "Interim Guidelines of 2007 for Lower Basin shortages",
    "confirmed",
)
MEAD_2007_TOTALS = Published(
    ((0.0, 7.0), (1025.0, 7.083), (1050.0, 7.167), (1075.0, 7.5)),
    "ft, and million acre-feet a year from there up",
    "Interim Guidelines of 2007; 7.167 is the sum of the confirmed volumes",
    "recalled",
)
DELAWARE = Published(
    ((0, (520, 1650)), (1, (560, 1550)), (2, (680, 1655)), (3, (800, 1750))),
    "drought state from the driest: mgd to New York, cfs at Montague (in drought at most)",
    "Delaware River Basin, Good Faith Agreement of 1983",
    "recalled",
)
PFES_VIETNAM = Published(
    {"hydropower_vnd_kwh": 36.0, "clean_water_vnd_m3": 52.0, "industry_vnd_m3": 50.0},
    "VND a kWh sold or a m3",
    "Viet Nam, Decrees 99/2010, 147/2016 and 156/2018/ND-CP",
    "confirmed",
)


def ganges_1996(flow: float, guaranteed: str | None = None) -> dict[str, float]:
    """Share the ten-day flow at Farakka [cusecs] between India and Bangladesh.

    Up to 70,000 half each; up to 75,000 Bangladesh 35,000; beyond, India 40,000; the rest to the
    other.  In alternate ten days from 11 March to 10 May one side is guaranteed 35,000.

    Parameters
    ----------
    flow : cusecs, mean of the ten days
    guaranteed : ``India``, ``Bangladesh`` or None

    Source
    ------
    Ganges Water Sharing Treaty of 1996, Annexures I and II (confirmed).

    Examples
    --------
    >>> ganges_1996(72_500)
    {'India': 37500.0, 'Bangladesh': 35000.0}
    >>> ganges_1996(60_000, guaranteed="Bangladesh")
    {'India': 25000.0, 'Bangladesh': 35000.0}
    """
    flow = number(flow, "flow")
    east = GANGES_1996.data["Bangladesh"](flow)
    gets = {"India": flow - east, "Bangladesh": east}
    if guaranteed is None:
        return gets
    if guaranteed not in gets:
        raise SharingError(f"guaranteed is '{guaranteed}'; must be India, Bangladesh or None")
    sure = min(flow, max(gets[guaranteed], GANGES_1996.data["guarantee"]))
    return {side: sure if side == guaranteed else flow - sure for side in gets}


def rio_grande_1948(index: float) -> float:
    """Delivery at Elephant Butte that New Mexico owes for an index supply at Otowi.

    Only six rows of the table are held here: between 600 and 1,000, and between 1,100 and 2,000,
    the table has more rows than these, and the function refuses.  Bring the whole table as a
    :class:`Schedule` for a study.

    Parameters
    ----------
    index : thousand acre-feet a year

    Source
    ------
    Rio Grande Compact of 1938, Article IV, schedule of 1948 (recalled).

    Examples
    --------
    >>> rio_grande_1948(1050)
    664.0
    """
    for part in ("low", "middle", "high"):
        schedule: Schedule = RIO_GRANDE_1948.data[part]
        if schedule.rows[0][0] <= index <= schedule.rows[-1][0]:
            return schedule(index)
    raise SharingError(
        f"index is {index:g}; rows are held for 500 to 600, 1000 to 1100 and 2000 to 2100 only, "
        f"give the whole table as a Schedule"
    )


def tajo_segura_2021(storage: float, inflow: float, reference: float) -> float:
    """Monthly transfer [hm3] from Entrepeñas and Buendía to the Segura.

    Parameters
    ----------
    storage : hm3, of both reservoirs together
    inflow : hm3, of the last 12 months
    reference : hm3
        Storage of the month below which level 3 holds (586 to 688, recalled); the transfer of
        level 3 is the most that may be allowed.

    Source
    ------
    Real Decreto 773/2014 as amended by 638/2021 (confirmed; references recalled).

    Examples
    --------
    >>> [tajo_segura_2021(s, 800, 640) for s in (1350, 900, 600, 390)]
    [60.0, 27.0, 20.0, 0.0]
    """
    storage, inflow = number(storage, "storage"), number(inflow, "inflow")
    rule = TAJO_SEGURA_2021.data
    if storage < rule["storage_level_4"]:
        level = 4
    elif storage >= rule["storage_level_1"] or inflow >= rule["inflow_level_1"]:
        level = 1
    else:
        level = 2 if storage >= number(reference, "reference") else 3
    return float(rule["transfer"][level])


def mead_2007(elevation: float) -> dict[str, float]:
    """What the Lower Basin states get [million acre-feet a year] at 1,050 to 1,075 ft of Lake Mead.

    Source
    ------
    Interim Guidelines of 2007 (confirmed); totals of other levels are in `MEAD_2007_TOTALS`.

    Raises
    ------
    SharingError
        The elevation is outside this tier.

    Examples
    --------
    >>> mead_2007(1060)
    {'Arizona': 2.48, 'Nevada': 0.287, 'California': 4.4}
    """
    if not 1050 <= elevation <= 1075:
        raise SharingError(
            f"elevation is {elevation:g} ft; volumes by state are held for 1050 to 1075 ft only, "
            f"use MEAD_2007_TOTALS"
        )
    return dict(MEAD_2007.data)


def nile_1959(flow: float) -> dict[str, float]:
    """Share the year's flow at Aswan [km3]: evaporation first, departures from normal equally.

    Source
    ------
    Nile Waters Agreement of 1959 (confirmed).

    Examples
    --------
    >>> nile_1959(90)
    {'Egypt': 58.5, 'Sudan': 21.5}
    """
    data = NILE_1959.data
    return equal_deviations(number(flow, "flow") - data["evaporation"], data["normal"])


def indus_1991(volume: float) -> dict[str, float]:
    """Share a year's water [million acre-feet] among Pakistan's provinces.

    Source
    ------
    Water Apportionment Accord of 1991 (confirmed).  That a shortage is shared in proportion to the
    base volumes is this package's reading: the accord says "pro rata".

    Examples
    --------
    >>> base = INDUS_1991.data["base"]
    >>> extra = indus_1991(sum(base.values()) + 10)
    >>> {name: round(extra[name] - base[name], 9) for name in base}
    {'Punjab': 3.7, 'Sindh': 3.7, 'NWFP': 1.4, 'Balochistan': 1.2}
    """
    return base_and_surplus(volume, INDUS_1991.data["base"], INDUS_1991.data["surplus"])


def pfes_vietnam(
    hydropower_kwh: float = 0.0, clean_water_m3: float = 0.0, industry_m3: float = 0.0
) -> dict[str, float]:
    """Payments for forest environmental services [VND] by what is sold or used.

    A transfer from users to those who keep the forest: it belongs into the accounts of regions, not
    into the benefit of the basin.

    Source
    ------
    Decrees 99/2010, 147/2016 and 156/2018/ND-CP (rates confirmed; the decree now in force is to be
    checked).

    Examples
    --------
    >>> paid = pfes_vietnam(hydropower_kwh=8.5e9, clean_water_m3=3e8)
    >>> {name: amount / 1e9 for name, amount in paid.items()}  # billion VND
    {'hydropower': 306.0, 'clean_water': 15.6, 'industry': 0.0}
    """
    rate = PFES_VIETNAM.data
    return {
        "hydropower": number(hydropower_kwh, "hydropower_kwh") * rate["hydropower_vnd_kwh"],
        "clean_water": number(clean_water_m3, "clean_water_m3") * rate["clean_water_vnd_m3"],
        "industry": number(industry_m3, "industry_m3") * rate["industry_vnd_m3"],
    }


def euphrates_1989(flow: float) -> dict[str, float]:
    """Share the flow at the Turkish border [m3/s] between Syria and Iraq.

    Source
    ------
    Syria-Iraq protocol of 1989 (confirmed).

    Examples
    --------
    >>> euphrates_1989(500)
    {'Syria': 210.0, 'Iraq': 290.0}
    """
    return split(flow, EUPHRATES_1989.data)


def mexico_1944(us_cut: float = 0.0) -> float:
    """Delivery to Mexico [million acre-feet a year]; in extraordinary drought cut as US uses are.

    Parameters
    ----------
    us_cut : share by which uses in the United States are cut [0..1]

    Source
    ------
    Treaty of 1944, Article 10 (recalled).

    Examples
    --------
    >>> mexico_1944(0.1)
    1.35
    """
    return float(MEXICO_1944.data * (1 - number(us_cut, "us_cut", 0.0, 1.0)))


def colorado_1922(history: ArrayLike) -> float:
    """Least delivery at Lee Ferry this year [million acre-feet] after those of nine years.

    Source
    ------
    Colorado River Compact of 1922, Article III(d) (recalled).

    Examples
    --------
    >>> round(colorado_1922([7.5] * 8 + [8.2]), 9)
    6.8
    """
    total, years = COLORADO_1922.data
    return rolling_minimum(numbers(history, "history", size=years - 1), total)


def albufeira_1998(section: str, rain: float) -> float:
    """Yearly volume [hm3] that Spain owes at a section of the Douro; none after a dry winter.

    Parameters
    ----------
    section : as in `ALBUFEIRA_1998`
    rain : from 1 October to 1 June, as a share of its mean

    Source
    ------
    Albufeira Convention of 1998, protocol of 2008 (confirmed).

    Examples
    --------
    >>> albufeira_1998("Douro at Miranda", 0.7), albufeira_1998("Douro at Miranda", 0.6)
    (3500.0, 0.0)
    """
    sections = ALBUFEIRA_1998.data
    if section not in sections:
        hint = or_do(suggest(section, sections), f"must be one of {listed(sections)}")
        raise SharingError(f"unknown section '{section}'{hint}")
    required, waived_below = sections[section]
    return with_exception(required, number(rain, "rain"), waived_below)


def delaware_1983(state: int) -> dict[str, float]:
    """Diversion to New York [mgd] and flow at Montague [cfs] by the state of the reservoirs.

    Parameters
    ----------
    state : 0 drought, 1 lower warning, 2 upper warning, 3 normal; see :func:`state_by_threshold`

    Source
    ------
    Delaware River Basin, Good Faith Agreement of 1983 (recalled); in drought the flow at Montague
    is an upper limit that also depends on the season and on salt in the estuary.

    Examples
    --------
    >>> delaware_1983(3)
    {'new_york_mgd': 800.0, 'montague_cfs': 1750.0}
    """
    table = dict(DELAWARE.data)
    if state not in table:
        raise SharingError(f"state is {state}; must be 0 (drought) to {max(table)} (normal)")
    diversion, flow = table[state]
    return {"new_york_mgd": float(diversion), "montague_cfs": float(flow)}


class Compliance(NamedTuple):
    """How well a clause was kept."""

    met: float
    """Share of the windows in which what was owed was delivered."""
    mean_shortfall: float
    """Over the windows in which it was not; 0 where it always was."""
    worst_shortfall: float


def compliance(delivered: ArrayLike, owed: ArrayLike) -> Compliance:
    """Tell how often and by how much deliveries fell short of what was owed.

    Parameters
    ----------
    delivered, owed : (window)

    Equation
    --------
    shortfall(w) = max(0, owed(w) - delivered(w)); a window is met to a millionth of what is owed.

    Examples
    --------
    >>> compliance([10, 8, 12, 5], [10, 10, 10, 10])
    Compliance(met=0.5, mean_shortfall=3.5, worst_shortfall=5.0)
    """
    owed = numbers(owed, "owed")
    if not owed.size:
        raise SharingError("owed is empty; give at least one window")
    missing = np.maximum(0.0, owed - numbers(delivered, "delivered", size=owed.size))
    broken = missing > 1e-6 * owed
    if not broken.any():
        return Compliance(1.0, 0.0, 0.0)
    worst, mean = float(missing.max()), float(missing[broken].mean())
    return Compliance(float(1 - broken.mean()), mean, worst)
