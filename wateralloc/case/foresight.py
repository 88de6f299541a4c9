"""How far ahead allocations look: the entry ``foresight`` of a case.

Every way stacks the same period (docs/formulation.md); the ways differ in which periods one program
holds, what is known of them, and which members it joins.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from wateralloc.errors import listed, suggest

MODES = ("perfect", "simulate", "rolling", "two_stage")
FORECASTS = ("perfect", "climatology", "persistence", "conditional")
Positive = Annotated[int, Field(strict=True, ge=1)]


class _Keys(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Forward(_Keys):
    """Ways that decide one period after another, each without those that follow."""

    hard_rules: Annotated[
        Literal["stop", "miss"],
        Field(
            description="where hard rules cannot be kept, as nobody knew what would come: stop, "
            "with the reason; miss, by as little as can be, before all goals, and reported"
        ),
    ] = "stop"


class Simulate(_Forward):
    """One period at a time; nothing of the future is known."""


class Rolling(_Forward):
    """A window of some periods at a time, of which the first are kept."""

    window: Annotated[Positive, Field(description="periods in one program")]
    stride: Annotated[
        Positive,
        Field(description="periods that are kept, and known; then the window moves on by them"),
    ] = 1
    forecast: Annotated[
        Literal["perfect", "climatology", "persistence", "conditional"],
        Field(
            description="what is thought of the periods beyond those: perfect, what comes; "
            "climatology, the mean of the record at that time of year; persistence, the last "
            "anomaly goes on and fades; conditional, what follows the last flow on average"
        ),
    ] = "climatology"
    file: Annotated[
        str | None,
        Field(
            description="in place of forecast: a CSV file of forecasts, from the case file, with "
            "the columns issued, date, node, inflow_m3s"
        ),
    ] = None

    @model_validator(mode="after")
    def _within(self) -> Rolling:
        if self.stride > self.window:
            raise ValueError(f"keeps {self.stride} periods of a window of {self.window}")
        if self.file is not None and "forecast" in self.model_fields_set:
            raise ValueError("has forecast and file; keep one of them")
        return self

    @property
    def n_leads(self) -> int:
        """How far ahead of what is known the window looks, what is known being one."""
        return 1 if self.file is None and self.forecast == "perfect" else self._n_ahead + 1

    @property
    def _n_ahead(self) -> int:
        return self.window - self.stride

    def looks_at(self, n_periods: int) -> np.ndarray:
        """Tell which forecasts some window looks at (lead, time); leads from 1."""
        looks = np.zeros((self._n_ahead, n_periods), bool)
        for start in range(0, n_periods, self.stride):
            ahead = np.arange(start + self.stride, min(start + self.window, n_periods))
            looks[ahead - start - self.stride, ahead] = True
        return looks


class Cvar(_Keys):
    """Mean of the worst members."""

    cvar: Annotated[
        float, Field(gt=0, lt=1, description="share of the members, the best, that do not count")
    ]


class TwoStage(_Keys):
    """All members in one program; some decisions are the same in all of them."""

    decisions: Annotated[
        dict[str, Annotated[tuple[str, ...], Field(min_length=1)] | Literal["all"]],
        Field(
            min_length=1,
            description="what is decided before the hydrology is known: quantity -> its items",
        ),
    ]
    periods: Annotated[
        Positive | None,
        Field(description="number of periods, from the first, that it holds for; default: all"),
    ] = None
    risk: Annotated[
        Literal["expected", "worst"] | Cvar,
        Field(description="what of a goal counts: its mean over members, the worst, or its CVaR"),
    ] = "expected"


class Foresight(_Keys):
    """One of the ways to look ahead, with its settings.

    Attributes
    ----------
    mode : ``perfect``, ``simulate``, ``rolling`` or ``two_stage``
    """

    mode: Literal["perfect", "simulate", "rolling", "two_stage"] = "perfect"
    simulate: Simulate | None = None
    rolling: Rolling | None = None
    two_stage: TwoStage | None = None

    @property
    def goes_forward(self) -> bool:
        """Whether periods are decided one after another, each without those that follow."""
        return self.mode in ("simulate", "rolling")

    @property
    def knows_what_comes(self) -> bool:
        """Whether what is thought of the periods in sight is what comes."""
        return self.rolling is None or self.rolling.n_leads == 1

    @property
    def is_by_period(self) -> bool:
        """Whether each program holds one period and nothing else."""
        return self.mode == "simulate" or (self.rolling is not None and self.rolling.window == 1)

    @property
    def misses_hard_rules(self) -> bool:
        """Whether hard rules give way where they cannot be kept."""
        way = self.simulate or self.rolling
        return way is not None and way.hard_rules == "miss"

    def window(self, n_periods: int) -> tuple[int, int]:
        """Periods in one program, and how many of them are kept."""
        if self.mode == "simulate":
            return 1, 1
        if self.rolling is not None:
            return min(self.rolling.window, n_periods), min(self.rolling.stride, n_periods)
        return n_periods, n_periods


def read_foresight(value: Any) -> Any:
    """Turn the entry of a case into keys of :class:`Foresight`.

    Raises
    ------
    ValueError
        It names no way, or more than one.
    """
    if isinstance(value, Foresight):
        return value
    if isinstance(value, str):
        value = {value: None}
    if not isinstance(value, dict) or len(value) != 1:
        raise ValueError(f"must be one of {listed(MODES)}, as `foresight: perfect`")
    ((mode, body),) = value.items()
    if mode not in MODES:
        raise ValueError(f"must be one of {listed(MODES)}{suggest(str(mode), MODES)}")
    if mode == "perfect" and body:
        raise ValueError("perfect has no settings; write `foresight: perfect`")
    if mode == "perfect" or (mode == "simulate" and body is None):
        return {"mode": mode}
    if not isinstance(body, dict):
        need = {
            "simulate": "hard_rules: miss",
            "rolling": "window: 18",
            "two_stage": "decisions: {withdrawal: all}",
        }[mode]
        raise ValueError(f"{mode} needs settings, as `foresight: {{{mode}: {{{need}}}}}`")
    return {"mode": mode, mode: body}
