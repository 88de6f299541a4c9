"""Work: new links and reservoirs that a case opens on a date, and what they cost."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

import numpy as np
import pandas as pd
import pyomo.environ as pyo

from wateralloc.basin import Basin
from wateralloc.case import Case
from wateralloc.errors import Findings
from wateralloc.parts import DATA, Part, Quantity
from wateralloc.parts.demand import DAYS_OF_YEAR
from wateralloc.tables import Column, Table

WORKS = Table(
    "works",
    "Works that are planned: which links and reservoirs a case opens together, one a row.",
    (
        Column("name", "name of the row", "name", required=True),
        Column("work", "work it belongs to, as cases call it; empty: the name of the row", "name"),
        Column("link", "link that opens with the work", "name", refers_to="links"),
        Column(
            "reservoir",
            "reservoir that opens with the work, in place of a link",
            "name",
            refers_to="reservoirs",
        ),
        Column(
            "investment_million", "cost of building it, million of the currency", default=0.0, low=0
        ),
        Column(
            "annual_cost_million",
            "cost of keeping it open for a year, million of the currency",
            default=0.0,
            low=0,
        ),
    ),
)


class Work(Part):
    """Open new links and reservoirs on the date that a case gives.

    A link or reservoir that stands in ``works.csv`` is closed until the case opens its work under
    ``works:``, as in ``works: {cau_transfer: 2031-01-01}``; without that it stays closed.  A closed
    link carries nothing and a closed reservoir keeps nothing, but passes on what reaches it.  In
    the period in which the date lies, what is open is the share of the days from the date on.

    Costs do not depend on how the work is used: the investment falls due in the period of the
    opening (before the horizon, it is not counted), the annual cost by days while it is open.  The
    cost of the water and the energy of pumping are those of its links (``links.csv``,
    ``pumps.csv``).

    Equation
    --------
    open(w, t) = days of t from the date of the work on / days of t;
    flow(l, t) <= open(w, t) capacity(l, t);
    work_cost(w, t) = annual_cost(w) open(w, t) days(t) / 365.
    """

    kind = "work"
    tables = (WORKS,)
    reports = {"work_cost": "work", "work_investment": "work"}

    def complete(self, tables: dict[str, pd.DataFrame]) -> None:
        works = tables["works"]
        works["work"] = works["work"].where(works["work"] != "", works.index)

    def check(self, basin: Basin, findings: Findings) -> None:
        rows: dict[tuple[str, str], str] = {}
        table = basin.tables["works"]
        for row in table.index:
            work = table.at[row, "work"]
            elements = {kind: name for kind in ELEMENTS if (name := table.at[row, kind])}
            place = partial(basin.position, "works", row)
            if not elements:
                findings.add(
                    place("name"),
                    "E267",
                    f"row '{row}' of work '{work}' has neither a link nor a reservoir; "
                    "name the one that opens with it",
                )
            if len(elements) > 1:
                findings.add(
                    place("reservoir"),
                    "E267",
                    f"row '{row}' of work '{work}' has a link and a reservoir; "
                    "give each a row of its own",
                )
            for kind, name in elements.items():
                first = rows.setdefault((kind, name), row)
                if first != row:
                    findings.add(
                        place(kind),
                        "E267",
                        f"{kind} '{name}' of work '{work}' stands already in row '{first}' of work "
                        f"'{table.at[first, 'work']}'; it opens with one work: keep one row",
                    )

    def declare(self, m: pyo.ConcreteModel, case: Case) -> None:
        table = case.basin.tables["works"]
        days = case.timeline.days
        cost = {
            w: table.at[w, "annual_cost_million"] * share * days / DAYS_OF_YEAR
            for w, share in open_shares(case).items()
        }
        investment = {
            w: table.at[w, "investment_million"] * opens_in(case, work)
            for w, work in table["work"].items()
        }
        m.work_cost = pyo.Param(list(table.index), initialize=cost, **DATA)
        m.work_investment = pyo.Param(list(table.index), initialize=investment, **DATA)

    def quantities(self, m: pyo.ConcreteModel, case: Case) -> Iterable[Quantity]:
        money = f"million {case.basin.currency}"
        yield Quantity(
            "work_cost",
            "work",
            dict(m.work_cost.items()),
            money,
            "annual cost of the work, by days while it is open",
        )
        yield Quantity(
            "work_investment",
            "work",
            dict(m.work_investment.items()),
            money,
            "cost of building the work, in the period in which it opens",
        )


ELEMENTS = {"link": "links", "reservoir": "reservoirs"}
"""What a row of a work opens: column and table."""


def open_shares(case: Case) -> dict[str, np.ndarray]:
    """Share of each period in which the element of a row is open (time)."""
    table = case.basin.tables["works"]
    shares: dict[str, np.ndarray] = {}
    for kind, elements in ELEMENTS.items():
        opened = case.opened(elements)
        shares |= {w: opened[name] for w, name in table[kind].items() if name}
    return {w: shares[w] for w in table.index}


def opens_in(case: Case, work: str) -> np.ndarray:
    """1 in the period in which a work opens, 0 in the others (time)."""
    edges = case.timeline.edges
    date = case.works.get(work, edges[-1])
    return ((edges[:-1] <= date) & (date < edges[1:])).astype(float)
