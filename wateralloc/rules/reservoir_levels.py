"""reservoir_levels: a reservoir stays above or below a level, or a storage, by date."""

from __future__ import annotations

from typing import Annotated

import numpy as np
import pyomo.environ as pyo
from pydantic import Field, model_validator

from wateralloc.basin import Basin
from wateralloc.case import Case
from wateralloc.parts.reservoir import curve_of
from wateralloc.rules import Rule, number_windows
from wateralloc.seasonal import Seasonal
from wateralloc.users import unknown

DIMENSION = {"m": "length", "hm3": "volume"}


class ReservoirLevels(Rule):
    """Keep a reservoir's level or storage within limits at the end of each period.

    A rule curve: the floor that keeps water for the dry season, the ceiling that keeps room for a
    flood.  A limit is read on the last day of the period; the rule is silent in periods whose last
    day it does not name.  A level is turned into storage by the reservoir's curve before anything
    is solved, so the row is exact, and required and achieved are reported as storage [hm3].  With
    more than one limit each is a row of its own.

    Equation
    --------
    storage_end(r, t) >= storage(minimum(t)), and <= storage(maximum(t)).

    Source
    ------
    Decision 740/QD-TTg of 2019, Art. 18 and Annex III (levels of Hoa Binh, Thac Ba and Tuyen Quang
    by date in the dry season); Lund & Guzman (1999), Derived operating rules for reservoirs in
    series or in parallel, Journal of Water Resources Planning and Management 125, 143-153.

    Example
    -------
    .. code-block:: yaml

        - rule: reservoir_levels
          name: annex_iii_hoa_binh
          reservoir: hoa_binh
          minimum_m: pattern:hoa_binh_minimum_level
          source: Decision 740/QD-TTg, Annex III
    """

    kind = "reservoir_levels"
    vi = "Giữ mực nước hoặc dung tích hồ chứa trong giới hạn quy định, theo ngày trong năm."

    reservoir: Annotated[str, Field(description="reservoir")]
    minimum_m: Annotated[Seasonal | None, Field(description="lowest level, by date")] = None
    maximum_m: Annotated[Seasonal | None, Field(description="highest level, by date")] = None
    minimum_hm3: Annotated[Seasonal | None, Field(description="least storage, by date")] = None
    maximum_hm3: Annotated[Seasonal | None, Field(description="largest storage, by date")] = None

    @model_validator(mode="after")
    def _one_limit(self) -> ReservoirLevels:
        if not self._limits():
            raise ValueError("give at least one of minimum_m, maximum_m, minimum_hm3, maximum_hm3")
        return self

    def _limits(self) -> dict[str, Seasonal]:
        keys = [f"{side}_{unit}" for side in ("minimum", "maximum") for unit in DIMENSION]
        return {key: getattr(self, key) for key in keys if getattr(self, key) is not None}

    def check(self, basin: Basin) -> list[tuple[str, str, str]]:
        faults = unknown(
            "reservoir", [self.reservoir], basin.tables["reservoirs"].index, "reservoir"
        )
        for key, limit in self._limits().items():
            dimension = DIMENSION[key.split("_")[1]]
            faults += limit.check(key, basin.patterns, dimension)
            if dimension == "length" and not faults:
                curve = curve_of(basin, self.reservoir)
                if curve is None or not curve.has("level"):
                    faults.append(
                        (
                            key,
                            "E222",
                            f"reservoir '{self.reservoir}' has no curve with its level; "
                            "state the limit as a storage in hm3, or give it a curve",
                        )
                    )
        return faults

    def constrain(self, m: pyo.ConcreteModel, case: Case) -> None:
        timeline, both = case.timeline, len(self._limits()) > 1
        storage = m.storage_end[self.reservoir]
        for key, limit in self._limits().items():
            value = limit.at_end(timeline, case.basin.patterns)
            active = limit.active_at_end(timeline)
            if key.endswith("_m"):
                storages = np.zeros(case.n_periods)
                storages[active] = curve_of(case.basin, self.reservoir).storage(value[active])
                value = storages
            side = key.split("_")[0]
            self.require(
                m,
                {"": (storage, value)},
                ">=" if side == "minimum" else "<=",
                number_windows(active),
                suffix=f"_{key}" if both else "",
            )
