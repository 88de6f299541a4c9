"""fixed_plus_surplus: a fixed volume of each window, and a share of what nature brings beyond."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
import pyomo.environ as pyo
from pydantic import BaseModel, ConfigDict, Field, model_validator

from wateralloc.basin import Basin
from wateralloc.case import Case
from wateralloc.errors import CaseError, Fault
from wateralloc.parts.link import river_flow
from wateralloc.rules import Rule, windows
from wateralloc.rules.flows import at_first_periods, check_natural, natural_over, window_sums
from wateralloc.users import unknown

Share = Annotated[float, Field(strict=True, ge=0, le=1)]
Volume = Annotated[float, Field(strict=True, ge=0, allow_inf_nan=False)]
Months = tuple[Annotated[int, Field(ge=1, le=12)], ...]


class DryWindow(BaseModel):
    """When the fixed volume is not owed whole: a window whose natural flow is below a limit."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    natural_below_hm3: Annotated[
        Volume | None, Field(description="the window is dry when the natural volume is below it")
    ] = None
    natural_below_share_of_mean: Annotated[
        Share | None,
        Field(description="the window is dry below this share of the mean natural volume"),
    ] = None
    mean_hm3: Annotated[
        float | None,
        Field(
            strict=True,
            gt=0,
            allow_inf_nan=False,
            description="that mean; default: of the same window in all members and years",
        ),
    ] = None
    fixed_share: Annotated[
        Share, Field(description="share of the fixed volume that is owed in a dry window")
    ] = 0.0

    @model_validator(mode="after")
    def _one_limit(self) -> DryWindow:
        if (self.natural_below_hm3 is None) == (self.natural_below_share_of_mean is None):
            raise ValueError("give either natural_below_hm3 or natural_below_share_of_mean")
        if self.mean_hm3 is not None and self.natural_below_share_of_mean is None:
            raise ValueError("has mean_hm3 without natural_below_share_of_mean; remove it")
        return self


class FixedPlusSurplus(Rule):
    """Deliver a fixed volume of each window, and a share of the surplus of the natural flow.

    Those below can count on the fixed volume; those above carry dry years, and give a share of what
    comes beyond a reference, so that wet years are shared.  The natural volume of the window is
    what the river would carry without reservoirs and uses, at the node `at` or the nodes
    `natural_at`, as a sum.

    An `exception` takes the burden of the driest windows off those above: when the natural volume
    of a window is below a limit, only `fixed_share` of the fixed volume is owed (0 unless it is
    given).  The limit is a volume, or a share of the mean.  The mean is given, or it is that of the
    same window of the calendar in all members and years of the case.  The whole window decides,
    also what comes late in it: what is owed is known from the start, not only as the year goes on.

    What counts as delivered is the water the river carries on from the node.  The rule is silent
    in windows of which the horizon has only a part.  What is owed is a number for each window and
    member, so the rule is linear.

    Equation
    --------
    sum over the window of river_flow(at, t)
    >= f fixed_hm3 + share_of_surplus max(0, N - reference_hm3), where
    N is the sum over the window of natural_flow; f is fixed_share where N is below the limit of the
    exception, else 1.

    Source
    ------
    Pakistan, Water Apportionment Accord (1991), paragraphs 2 and 4 (volumes of the provinces, and
    37, 37, 14 and 12 % of what the rivers carry beyond).  Portugal and Spain, Albufeira Convention
    of 1998, additional protocol, with its revision of 2008 (volumes of the year, and exceptions:
    on the Douro when the rain from October to May is below 65 % of its mean).

    Example
    -------
    .. code-block:: yaml

        - rule: fixed_plus_surplus
          name: accord
          at: son_tay
          fixed_hm3: 12000
          reference_hm3: 18000
          share_of_surplus: 0.37
          window: season
          months: [12, 1, 2, 3, 4]
          exception: {natural_below_share_of_mean: 0.65, mean_hm3: 20000}
    """

    kind = "fixed_plus_surplus"
    vi = (
        "Giao một lượng nước cố định mỗi mùa hoặc năm, cộng một tỷ lệ phần nước đến vượt mức chuẩn."
    )

    at: Annotated[str, Field(description="node past which the water is delivered")]
    fixed_hm3: Annotated[Volume, Field(description="fixed volume of each window")]
    share_of_surplus: Annotated[Share, Field(description="share of the surplus")] = 0.0
    reference_hm3: Annotated[
        Volume, Field(description="natural volume of a window beyond which there is a surplus")
    ] = 0.0
    natural_at: Annotated[
        tuple[str, ...],
        Field(description="nodes whose natural flow counts, as a sum; default: at"),
    ] = ()
    exception: Annotated[
        DryWindow | None, Field(description="when less of the fixed volume is owed; default: never")
    ] = None
    window: Annotated[
        Literal["month", "season", "year", "horizon"], Field(description="window of the volumes")
    ] = "year"
    months: Annotated[Months, Field(description="months of the windows; default: all")] = ()

    @model_validator(mode="after")
    def _surplus_over_what(self) -> FixedPlusSurplus:
        given = self.model_fields_set
        if ("share_of_surplus" in given) != ("reference_hm3" in given):
            raise ValueError("give share_of_surplus and reference_hm3 together, or neither")
        return self

    def check(self, basin: Basin) -> list[tuple[str, str, str]]:
        nodes, key = basin.tables["nodes"].index, "natural_at" if self.natural_at else "at"
        faults = unknown("at", [self.at], nodes, "node")
        faults += unknown("natural_at", self.natural_at, nodes, "node")
        if self._needs_natural:
            faults += [
                fault
                for n in self.natural_at or (self.at,)
                for fault in check_natural(basin, n, key)
            ]
        return faults

    @property
    def _needs_natural(self) -> bool:
        return self.exception is not None or self.share_of_surplus > 0

    def constrain(self, m: pyo.ConcreteModel, case: Case) -> None:
        window = windows(case.timeline, self.window, self.months, whole=True, rule=self.name)
        natural = np.zeros((case.n_members, case.n_periods))
        if self._needs_natural:
            natural = natural_over(m, case, self.natural_at or (self.at,))
        volume = window_sums(natural, window)
        owed = self.fixed_hm3 * self._fixed_part(case, window, volume)
        owed += self.share_of_surplus * np.maximum(0.0, volume - self.reference_hm3)
        required = at_first_periods(owed, window)
        self.require(m, {"": (river_flow(m, self.at), required)}, ">=", window)

    def _fixed_part(self, case: Case, window: np.ndarray, volume: np.ndarray) -> np.ndarray:
        """Share of the fixed volume that is owed (member, window)."""
        dry = self.exception
        if dry is None:
            return np.ones(volume.shape)
        if dry.natural_below_hm3 is not None:
            return np.where(volume < dry.natural_below_hm3, dry.fixed_share, 1.0)
        mean = dry.mean_hm3 or self._mean(case, window, volume)
        return np.where(volume < dry.natural_below_share_of_mean * mean, dry.fixed_share, 1.0)

    def _mean(self, case: Case, window: np.ndarray, volume: np.ndarray) -> np.ndarray:
        """Mean of the natural volume of the same window in all members and years (window)."""
        number, first = np.unique(window, return_index=True)
        month = case.timeline.month[first[number >= 0]]
        means = np.empty(month.size)
        for k in np.unique(month):
            of_month = volume[:, month == k]
            if of_month.size < 2:
                at = case.rule_positions[case.rules.index(self)]
                text = (
                    f"exception of rule '{self.name}' compares with the mean natural volume, but "
                    "the case has only one such window; give mean_hm3, or more members"
                )
                raise CaseError([Fault(at, "E303", text)])
            means[month == k] = of_month.mean()
        return means
