"""What is thought of periods that are not known yet: forecasts, said as more members.

A window knows its first periods and decides on them; what it sees of the others is a forecast.
:func:`lead_case` puts beside each member what was thought of it, one row for each lead, so that
the program of a window takes each period from the row of its lead and nothing else changes.

Source
------
Climatology, and leaving out the year that is forecast: Wilks (2019), Statistical methods in the
atmospheric sciences, 4th ed., ch. 7 and 9.  Persistence that fades: van den Dool (2007), Empirical
methods in short-term climate prediction; with a correlation for each time of the year it is the
periodic model of Thomas & Fiering (1962) without its noise.  Conditional: regression of later on
present flow by time of the year, as in Garen (1992), Journal of Water Resources Planning and
Management 118, 654-670; shrunk after Copas (1983), Journal of the Royal Statistical Society B 45,
311-354.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pandas as pd

from wateralloc.case import Case, record_of
from wateralloc.case.foresight import Foresight, Rolling
from wateralloc.case.model import AMOUNTS, series_in_use
from wateralloc.errors import CaseError, Fault, Position, shown
from wateralloc.hydrology import Member, resample, spans

LEAST_YEARS = 3
"""Years of the record, the member's own left out, below which it says nothing of a date."""
YEAR = np.timedelta64(366, "D")


def lead_case(case: Case) -> Case:
    """Say the forecasts of a rolling case as members: one for each member and lead.

    Row ``member * n_leads + lead`` holds, at each period, what was thought of it when the periods
    up to `lead` before it were known; lead 0 is what comes.  With perfect foresight of the window
    nothing is forecast, and the case is returned as it is.

    Where C is the mean of the record at the time of year of period t, the member's own year left
    out, and Q what comes, the forecast of lead l is

    - climatology: C(t);
    - persistence: C(t) (1 + (Q(t-l) / C(t-l) - 1) r(t-l) ... r(t-1)), where r(t) is the record's
      correlation of Q / C with that of the next period, by month, at least 0;
    - conditional: C(t) (1 + (Q(t-l) / C(t-l) - 1) b(t-l)), where b is the slope of the regression
      of Q / C on that of l periods before, by its month, shrunk and from 0 to 1.

    With that no forecast is below zero.  In a horizon of more than a year the other years of the
    member are among those of the record; without them little would be left to learn from.

    A file gives the inflow of nodes; what else follows the hydrology is then the climatology.
    Periods for which nothing was known `lead` before them have the climatology; no window looks at
    them.

    Returns
    -------
    Case
        With ``n_members * n_leads`` members, whose values are in ``given``, before any factor on
        the inflow.

    Raises
    ------
    CaseError
        E375: the record has too few years.  E376: the file lacks a forecast that a window needs.
    """
    rolling = case.foresight.rolling
    if case.foresight.mode != "rolling" or rolling is None or rolling.n_leads == 1:
        return case
    n_leads, shape = rolling.n_leads, (case.n_members * rolling.n_leads, case.n_periods)
    record = Record(case)
    thought = np.empty((0, case.n_members, n_leads, case.n_periods))
    if rolling.file is not None:
        thought = _with_inflow_of_file(case, record, rolling)
    elif record.columns:
        thought = FORECASTS[rolling.forecast](record, n_leads)
    given: dict[str, dict[str, np.ndarray]] = {}
    for column, places in record.columns.items():
        names = case.basin.series[column].values.columns
        given[column] = {
            str(name): thought[place].reshape(shape)
            for name, place in zip(names, range(places.start, places.stop), strict=True)
        }
    members = tuple(
        replace(member, name=f"{member.name}+{lead}") if lead else member
        for member in case.members
        for lead in range(n_leads)
    )
    return replace(case, members=members, given=given)


@dataclass(frozen=True, eq=False)
class Record:
    """The years of the record, laid on the periods of a case.

    A series is a name in a column that follows the hydrology.  Values are in the canonical unit
    and before any factor of the case on the inflow.
    """

    case: Case

    @cached_property
    def columns(self) -> dict[str, slice]:
        """Column that follows the hydrology -> places of its names among the series."""
        found, start = {}, 0
        for column, series in series_in_use(self.case.basin, "hydrology").items():
            end = start + series.values.shape[1]
            found[column] = slice(start, end)
            start = end
        return found

    @cached_property
    def shifts(self) -> np.ndarray:
        """Whole years (year) by which the timeline is moved to lie somewhere in the record."""
        record = record_of(self.case.basin)
        assert record is not None
        years = [int(str(day)[:4]) for day in (*record, *self.case.timeline.edges[[0, -1]])]
        return np.arange(years[0] - years[3], years[1] - years[2] + 1)

    @cached_property
    def _spans(self) -> tuple[np.ndarray, np.ndarray]:
        """Dates of the record for each period, datetime64[D] (year, time) both."""
        return spans(self.case.timeline, [Member("", int(s)) for s in self.shifts])

    @cached_property
    def covered(self) -> np.ndarray:
        """Where the record has a value (year, time)."""
        record = record_of(self.case.basin)
        assert record is not None
        starts, ends = self._spans
        return (starts >= record[0]) & (ends <= record[1])

    @cached_property
    def values(self) -> np.ndarray:
        """Values of the record (series, year, time); 0 where there are none."""
        covered = self.covered
        starts, ends = (days[covered][None, :] for days in self._spans)
        values = np.zeros((self.n_series, *covered.shape))
        for column, places in self.columns.items():
            series = self.case.basin.series[column]
            numbers = series.values.to_numpy(float)
            of = resample(numbers, series.timeline, starts, ends, is_amount=self._is_amount(column))
            values[places, covered] = of[:, 0]
        return values

    @cached_property
    def truth(self) -> np.ndarray:
        """What comes (series, member, time)."""
        case = self.case
        own = np.searchsorted(self.shifts, [member.years for member in case.members])
        values = np.empty((self.n_series, case.n_members, case.n_periods))
        for column, places in self.columns.items():
            if column in case.given:
                names = case.basin.series[column].values.columns
                values[places] = [case.given[column][str(name)] for name in names]
            else:
                values[places] = self.values[places][:, own]
        return values

    @cached_property
    def others(self) -> np.ndarray:
        """Where a member may learn from the record (member, year, time): not in its own year.

        Members with values of their own have no year in the record.
        """
        case = self.case
        is_own = np.zeros((case.n_members, self.shifts.size), bool)
        if any(column not in case.given for column in self.columns):
            years = np.array([member.years for member in case.members])
            is_own = self.shifts == years[:, None]
        return self.covered & ~is_own[:, :, None]

    @cached_property
    def mean(self) -> np.ndarray:
        """Climatology (series, member, time).

        Raises
        ------
        CaseError
        """
        count = self.others.sum(axis=1)
        self.check_years(int(count.min(initial=LEAST_YEARS)))
        # one product for each period: (time, series, year) by (time, year, member)
        total = self.values.transpose(2, 0, 1) @ self.others.transpose(2, 1, 0).astype(float)
        return total.transpose(1, 2, 0) / count

    @cached_property
    def correlation(self) -> np.ndarray:
        """Correlation with the period before, by its month (series, member, 13), from 0 to 1."""
        return np.clip(self._products(1).correlation, 0.0, 1.0)

    def slope(self, lead: int) -> np.ndarray:
        """Slope on what was `lead` periods before, by its month (series, member, 13), from 0 to 1.

        It is shrunk by what so many pairs would give by chance.
        """
        products = self._products(lead)
        return np.clip(products.slope * products.shrinkage, 0.0, 1.0)

    def _products(self, lead: int) -> _Products:
        """Pair each period of the record with that `lead` before it, by the month of the latter.

        What is paired are values over their climatology, less 1, so that their mean is 0.
        """
        timeline = self.case.timeline
        # in a longer horizon the same pairs come again
        n_year = int((timeline.starts <= timeline.starts[0] + YEAR).sum())
        end = min(n_year + lead, timeline.periods)
        of_month = timeline.month[: end - lead, None] == np.arange(13)
        found = np.zeros((4, self.n_series, self.case.n_members, 13))
        for k in range(self.case.n_members):
            anomaly = _ratio(self.values[:, :, :end], self.mean[:, k, None, :end]) - 1.0
            is_pair = self.others[k, :, lead:end] & self.others[k, :, : end - lead]
            before, after = anomaly[:, :, : end - lead] * is_pair, anomaly[:, :, lead:] * is_pair
            for place, of in enumerate((before * before, before * after, after * after)):
                found[place, :, k] = of.sum(axis=1) @ of_month
            found[3, :, k] = is_pair.sum(axis=0) @ of_month
        return _Products(*found)

    @property
    def n_series(self) -> int:
        """Number of series."""
        return max((places.stop for places in self.columns.values()), default=0)

    def _is_amount(self, column: str) -> bool:
        return any(
            c.name == column and c.dimension in AMOUNTS
            for table in self.case.basin.declared.values()
            for c in table.columns
        )

    def check_years(self, least: int) -> None:
        """Check that the record has enough years, where it has the fewest."""
        if least < LEAST_YEARS:
            forecast = self.case.foresight.rolling
            what = forecast.forecast if forecast else "a forecast"
            raise CaseError(
                [
                    Fault(
                        _place(self.case),
                        "E375",
                        f"forecast {what} learns from the record, whose years other than that of "
                        f"the member itself are {least} on some date; must be {LEAST_YEARS} or "
                        "more: extend the series, or write forecast: perfect",
                    )
                ]
            )


@dataclass(frozen=True)
class _Products:
    """Sums over pairs of a period and an earlier one, by month (series, member, month).

    Attributes
    ----------
    before, both, after : of squares of the earlier, of products, of squares of the later
    count : number of pairs
    """

    before: np.ndarray
    both: np.ndarray
    after: np.ndarray
    count: np.ndarray

    @property
    def correlation(self) -> np.ndarray:
        return _over(self.both, np.sqrt(self.before * self.after))

    @property
    def slope(self) -> np.ndarray:
        return _over(self.both, self.before)

    @property
    def shrinkage(self) -> np.ndarray:
        """1 - 1 / F of the regression, at least 0 (Copas 1983)."""
        explained = self.correlation**2
        by_chance = _over(1.0 - explained, explained * (self.count - 2.0))
        usable = (explained > 0.0) & (self.count > 2)
        return np.where(usable, np.clip(1.0 - by_chance, 0.0, 1.0), 0.0)


# --- forecasts ------------------------------------------------------------------------------


def _climatology(record: Record, n_leads: int) -> np.ndarray:
    """Forecasts (series, member, lead, time); lead 0 is what comes."""
    thought = np.repeat(record.mean[:, :, None, :], n_leads, axis=2)
    thought[:, :, 0] = record.truth
    return thought


def _persistence(record: Record, n_leads: int) -> np.ndarray:
    thought = _climatology(record, n_leads)
    mean, r = record.mean, record.correlation[:, :, record.case.timeline.month]
    anomaly = _ratio(record.truth, mean) - 1.0
    fade = np.ones(r.shape)
    for lead in range(1, min(n_leads, record.case.n_periods)):
        fade[:, :, lead:] = fade[:, :, lead - 1 : -1] * r[:, :, lead - 1 : -1]
        faded = anomaly[:, :, :-lead] * fade[:, :, lead:]
        thought[:, :, lead, lead:] = mean[:, :, lead:] * (1.0 + faded)
    return thought


def _conditional(record: Record, n_leads: int) -> np.ndarray:
    thought = _climatology(record, n_leads)
    n_periods, months = record.case.n_periods, record.case.timeline.month
    anomaly = _ratio(record.truth, record.mean) - 1.0
    for lead in range(1, min(n_leads, n_periods)):
        slope = record.slope(lead)[:, :, months[:-lead]]
        mean = record.mean[:, :, lead:]
        thought[:, :, lead, lead:] = mean * (1.0 + slope * anomaly[:, :, :-lead])
    return thought


FORECASTS = {
    "climatology": _climatology,
    "persistence": _persistence,
    "conditional": _conditional,
}
"""What is thought (series, member, lead, time), by the name of the forecast."""


def _with_inflow_of_file(case: Case, record: Record, rolling: Rolling) -> np.ndarray:
    """The forecasts of the file; of what it does not give, the climatology."""
    assert case.issued is not None  # it is read with the case
    n_leads, places = rolling.n_leads, record.columns["inflow"]
    names = list(map(str, case.basin.series["inflow"].values.columns))
    inflow = case.issued.by_lead(case.timeline, case.members, names, rolling)
    if record.n_series > len(names):
        thought = _climatology(record, n_leads)
    else:
        thought = np.empty((len(names), case.n_members, n_leads, case.n_periods))
        thought[:, :, 0] = record.truth
    thought[places, :, 1:] = inflow
    return thought


# --- how good they are ----------------------------------------------------------------------


def forecast_skill(
    case: Case, forecasts: Sequence[str] = tuple(FORECASTS), n_leads: int = 7
) -> pd.DataFrame:
    """Compare forecasts of inflow with what came, by lead, over all members and periods.

    Parameters
    ----------
    case : its members are what is tried, e.g. all years of the record
    forecasts : names of forecasts
    n_leads : periods ahead, one being what is known

    Returns
    -------
    DataFrame
        One row a forecast, lead (from 1) and node (and ``all``, the sum): `bias_m3s`, mean of the
        forecast less that of what came; `correlation`; `nash_sutcliffe`, 1 less the mean square
        error over the variance of what came; and `against_climatology`, 1 less the mean square
        error over that of the climatology.  A correlation without variance is 0, and a ratio to no
        error at all 0 where the forecast has none either.

    Raises
    ------
    CaseError
        As :func:`lead_case`.

    Source
    ------
    Nash & Sutcliffe (1970), Journal of Hydrology 10, 282-290.
    """
    n_leads = min(n_leads, case.n_periods)
    rows: list[tuple[object, ...]] = []
    base = _inflow_by_lead(case, "climatology", n_leads)
    for forecast in forecasts:
        of = base if forecast == "climatology" else _inflow_by_lead(case, forecast, n_leads)
        for node, thought in of.items():
            for lead in range(1, n_leads):
                came = thought[:, 0, lead:].ravel()
                guess, mean = thought[:, lead, lead:].ravel(), base[node][:, lead, lead:].ravel()
                error = float(((guess - came) ** 2).mean())
                rows.append(
                    (
                        forecast, lead, node, float((guess - came).mean()),
                        float(_correlation(guess[None], came[None])[0]),
                        _skill(error, float(came.var())),
                        _skill(error, float(((mean - came) ** 2).mean())),
                    )
                )  # fmt: skip
    columns = [
        "forecast", "lead", "node", "bias_m3s", "correlation", "nash_sutcliffe",
        "against_climatology",
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=columns)


def _inflow_by_lead(case: Case, forecast: str, n_leads: int) -> dict[str, np.ndarray]:
    """Inflow [m3/s] of nodes with a series, and of ``all`` of them: (member, lead, time)."""
    rolling = Rolling.model_validate({"window": n_leads, "forecast": forecast})
    tried = lead_case(replace(case, foresight=Foresight(mode="rolling", rolling=rolling)))
    if tried.n_members == case.n_members:
        return {}
    inflow = tried.attribute("nodes", "inflow")
    shape = (case.n_members, n_leads, case.n_periods)
    of = {name: inflow[name].reshape(shape) for name in tried.given.get("inflow", {})}
    return {**of, "all": np.sum(list(of.values()), axis=0)} if of else {}


def _skill(error: float, reference: float) -> float:
    if reference > 0.0:
        return 1.0 - error / reference
    return 0.0 if error == 0.0 else -np.inf


def _correlation(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Correlation of rows of pairs (series, pair); 0 where one does not vary."""
    if not a.shape[1]:
        return np.zeros(a.shape[0])
    a, b = (x - x.mean(axis=1, keepdims=True) for x in (a, b))
    size = np.sqrt((a**2).sum(axis=1) * (b**2).sum(axis=1))
    return np.divide((a * b).sum(axis=1), size, out=np.zeros(size.shape), where=size > 0)


def _over(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Quotient; 0 where there is nothing to divide by."""
    return np.divide(a, b, out=np.zeros(a.shape), where=b > 0)


def _ratio(values: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """Values over their climatology; 1 where that is zero, as it stays zero whatever the ratio."""
    mean = np.broadcast_to(mean, values.shape)
    return np.divide(values, mean, out=np.ones(values.shape), where=mean > 0)


def _place(case: Case) -> Position:
    """Where the foresight of a case stands, as far as it is known."""
    return Position(shown(case.files[0]) if case.files else "code")
