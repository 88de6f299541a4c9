"""Synthetic members: the key of a case file, and the series of a basin made from its record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from wateralloc.hydrology.bootstrap import fit_bootstrap
from wateralloc.hydrology.parametric import fit_model
from wateralloc.hydrology.record import Member, Span
from wateralloc.hydrology.years import RecordYears, record_years
from wateralloc.timeline import Timeline

LEAST_YEARS = {"bootstrap": 5, "parametric": 10}
"""Years of record without which a method says more than it knows."""
BLOCK = 100
"""Members made at a time, so that what is on the way takes little room beside what is made."""
PREFIX = "synthetic_"


class Synthetic(BaseModel):
    """Members made from the record by chance."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    method: Annotated[
        Literal["bootstrap", "parametric"],
        Field(
            description="bootstrap: periods of the record are drawn again, each after one like "
            "the last; parametric: lognormal flows of a periodic autoregressive model"
        ),
    ]
    members: Annotated[int, Field(strict=True, ge=1, le=9999, description="how many")]
    seed: Annotated[
        int,
        Field(strict=True, ge=0, description="start of the random numbers: the same, the same"),
    ] = 1
    neighbours: Annotated[
        int | None,
        Field(
            strict=True,
            ge=1,
            description="of a bootstrap: periods of the record of which one is drawn; default: "
            "the root of the number of years",
        ),
    ] = None

    @model_validator(mode="after")
    def _fitting(self) -> Synthetic:
        if self.neighbours is not None and self.method != "bootstrap":
            raise ValueError("has neighbours, which only a bootstrap has; remove it")
        return self

    @property
    def all_members(self) -> tuple[Member, ...]:
        """Members by their names, ``synthetic_0001`` the first."""
        return tuple(Member(f"{PREFIX}{number:04d}") for number in range(1, self.members + 1))

    def fault(self, timeline: Timeline, record: Span) -> str:
        """Tell why the record is too short; "" when it is not."""
        n_years, least = record_years(timeline, record).n_least, LEAST_YEARS[self.method]
        if n_years >= least:
            return ""
        last = record[1] - np.timedelta64(1, "D")
        return (
            f"the record from {record[0]} to {last} has some date of the horizon in {n_years} "
            f"{'year' if n_years == 1 else 'years'} only; {self.method} takes {least} or more: "
            "extend the series"
            + (", or write method: bootstrap" if n_years >= LEAST_YEARS["bootstrap"] else "")
        )


def number_of(member: Member) -> int:
    """Number of a synthetic member, from 1."""
    return int(member.name.removeprefix(PREFIX))


@dataclass(frozen=True)
class Recorded:
    """A series of the record.

    Attributes
    ----------
    timeline : its periods
    names : of its columns
    values : ndarray (record time, name)
    is_amount : whether values add up in time
    """

    timeline: Timeline
    names: tuple[str, ...]
    values: np.ndarray
    is_amount: bool = False


def make_series(
    synthetic: Synthetic,
    timeline: Timeline,
    record: Span,
    series: Mapping[str, Recorded],
    numbers: Sequence[int],
) -> dict[str, dict[str, np.ndarray]]:
    """Make the series of some members, on the periods of the case.

    By bootstrap all series take the same dates of the record.  By the parametric method inflow is
    made, and the other series are the mean of the record by date.

    Parameters
    ----------
    series : column -> record; ``inflow`` must be there
    numbers : of the members, from 1

    Returns
    -------
    dict of dict of ndarray (member, time)
        Column -> name -> values, inflow [m3/s].
    """
    years = record_years(timeline, record)
    known = {
        column: years.values(of.values, of.timeline, is_amount=of.is_amount)
        for column, of in series.items()
    }
    if synthetic.method == "bootstrap":
        made = _drawn(synthetic, timeline, years, series["inflow"], known, numbers)
    else:
        shape = (len(numbers), timeline.periods)
        made = {
            column: np.broadcast_to(
                np.nanmean(values, axis=1)[:, np.newaxis], (len(values), *shape)
            )
            for column, values in known.items()
            if column != "inflow"
        }
        made["inflow"] = _modelled(synthetic, timeline, years, known["inflow"], numbers)
    return {column: dict(zip(of.names, made[column], strict=True)) for column, of in series.items()}


def drawn_days(
    synthetic: Synthetic,
    timeline: Timeline,
    record: Span,
    inflow: Recorded,
    numbers: Sequence[int],
) -> np.ndarray:
    """First days of the record that a bootstrap takes, datetime64[D] (member, time)."""
    years = record_years(timeline, record)
    drawn = fit_bootstrap(years, timeline, inflow.values, inflow.timeline, synthetic.neighbours)
    rows = drawn.draw(synthetic.seed, numbers)
    return years.starts[rows, np.arange(timeline.periods)]


def _drawn(
    synthetic: Synthetic,
    timeline: Timeline,
    years: RecordYears,
    inflow: Recorded,
    known: Mapping[str, np.ndarray],
    numbers: Sequence[int],
) -> dict[str, np.ndarray]:
    bootstrap = fit_bootstrap(years, timeline, inflow.values, inflow.timeline, synthetic.neighbours)
    time = np.arange(timeline.periods)
    made = {
        column: np.empty((len(values), len(numbers), time.size)) for column, values in known.items()
    }
    for block in _blocks(len(numbers)):
        rows = bootstrap.draw(synthetic.seed, numbers[block])
        for column, values in known.items():
            made[column][:, block] = values[:, rows, time]
    return made


def _modelled(
    synthetic: Synthetic,
    timeline: Timeline,
    years: RecordYears,
    known: np.ndarray,
    numbers: Sequence[int],
) -> np.ndarray:
    model = fit_model(years, timeline, known)
    made = np.empty((len(known), len(numbers), timeline.periods))
    for block in _blocks(len(numbers)):
        made[:, block] = model.flow(synthetic.seed, numbers[block]).transpose(2, 0, 1)
    return made


def _blocks(n: int) -> list[slice]:
    return [slice(start, start + BLOCK) for start in range(0, n, BLOCK)]
