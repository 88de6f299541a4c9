"""How far ahead allocations look: the entry ``foresight`` of a case.

Every way stacks the same period (docs/formulation.md); the ways differ in which periods one program
holds, what is known of them, and which members it joins.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from wateralloc.errors import listed, suggest

MODES = ("perfect", "simulate", "rolling", "two_stage")
FORECASTS = ("perfect", "climatology", "persistence", "conditional")
Positive = Annotated[int, Field(strict=True, ge=1)]


class _Keys(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Simulate(_Keys):
    """One period at a time; nothing of the future is known."""


class Rolling(_Keys):
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
            "anomaly goes on and fades; conditional, what followed flows like the last ones"
        ),
    ] = "climatology"
    file: Annotated[
        str | None,
        Field(description="in place of forecast: a file of forecasts, issued x leads x nodes"),
    ] = None

    @model_validator(mode="after")
    def _within(self) -> Rolling:
        if self.stride > self.window:
            raise ValueError(f"keeps {self.stride} periods of a window of {self.window}")
        return self

    @property
    def n_leads(self) -> int:
        """How far ahead of what is known the window looks, what is known being one."""
        return 1 if self.file is None and self.forecast == "perfect" else self._n_ahead + 1

    @property
    def _n_ahead(self) -> int:
        return self.window - self.stride


class Cvar(_Keys):
    """Mean of the worst members."""

    cvar: Annotated[
        float, Field(gt=0, lt=1, description="share of the members, the best, that do not count")
    ]


class TwoStage(_Keys):
    """All members in one program; some decisions are the same in all of them."""

    decisions: Annotated[
        dict[str, tuple[str, ...] | Literal["all"]],
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
    rolling: Rolling | None = None
    two_stage: TwoStage | None = None

    @property
    def goes_forward(self) -> bool:
        """Whether periods are decided one after another, each without those that follow."""
        return self.mode in ("simulate", "rolling")

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
    if mode in ("perfect", "simulate"):
        if body:
            raise ValueError(f"{mode} has no settings; write `foresight: {mode}`")
        return {"mode": mode}
    if not isinstance(body, dict):
        need = "window: 18" if mode == "rolling" else "decisions: {withdrawal: all}"
        raise ValueError(f"{mode} needs settings, as `foresight: {{{mode}: {{{need}}}}}`")
    return {"mode": mode, mode: body}
