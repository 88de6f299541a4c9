"""Which users a rule or goal speaks of: by sector, region, province or name."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

from pydantic import BaseModel, Field

from wateralloc.basin import Basin
from wateralloc.errors import listed, suggest

Names = tuple[str, ...]


class Users(BaseModel):
    """A group of users: all demands that meet every list that is given."""

    sectors: Annotated[Names, Field(description="sectors; default: all")] = ()
    regions: Annotated[Names, Field(description="regions; default: all")] = ()
    provinces: Annotated[Names, Field(description="provinces; default: all")] = ()
    demands: Annotated[Names, Field(description="demands by name; default: all")] = ()

    def check_users(self, basin: Basin) -> list[tuple[str, str, str]]:
        """Faults: names that are not in the basin, and a group that is empty."""
        faults = []
        for key, known in (
            ("sectors", basin.sectors),
            ("regions", basin.regions),
            ("provinces", basin.provinces),
            ("demands", basin.tables["demands"].index),
        ):
            faults += unknown(key, getattr(self, key), known, key[:-1])
        if not faults and not self.users_in(basin):
            text = "no demand of the basin meets all of these; widen the lists"
            if basin.tables["demands"].empty:
                text = "the basin has no demand that it could serve; add one to demands.csv"
            faults.append(("", "E313", text))
        return faults

    def users_title(self) -> str:
        """Name the group in a few words."""
        lists = (self.sectors, self.regions, self.provinces, self.demands)
        return " of ".join("+".join(names) for names in lists if names) or "all"

    def users_in(self, basin: Basin) -> list[str]:
        """Names of the demands of the group, in table order."""
        table = basin.tables["demands"]
        keep = table.index == table.index
        for column, names in (
            ("sector", self.sectors),
            ("region", self.regions),
            ("province", self.provinces),
        ):
            if names:
                keep &= table[column].isin(names).to_numpy()
        if self.demands:
            keep &= table.index.isin(self.demands)
        return list(table.index[keep])


def unknown(
    key: str, names: Iterable[str], known: Iterable[str], what: str
) -> list[tuple[str, str, str]]:
    """Faults for names that do not exist in the basin."""
    choices = [str(name) for name in known]
    return [
        (
            key,
            "E313",
            f"unknown {what} '{name}'{suggest(name, choices) or '; known: ' + listed(choices)}",
        )
        for name in names
        if name not in choices
    ]
