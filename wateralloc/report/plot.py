"""Figures of a result, as ``results.plot`` gives them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from wateralloc.errors import Fault, InputError, Position, listed, or_do, suggest
from wateralloc.report.charts import allocation, network, rivers, rules, sankey
from wateralloc.report.charts.view import View, make_view
from wateralloc.results import Results


class Plot:
    """Figures of a result.

    Each is an Altair chart: it shows itself in a notebook, and ``chart.save("map.svg")`` writes it
    as SVG, PDF, PNG or HTML; ``chart.properties(width=400)`` changes it.

    All methods take `lang` (``en`` or ``vi``), and `member` and `season` (``dry`` or ``wet``) where
    they are of all members, or the whole year, by themselves.  They raise InputError where a name
    is unknown, or the result has nothing of the kind.

    Parameters
    ----------
    results : what is drawn

    Examples
    --------
    >>> results = Results.read("results/pilot_sharing")  # doctest: +SKIP
    >>> results.plot.reservoir("hoa_binh", lang="vi").save("hoa_binh.pdf")  # doctest: +SKIP
    """

    def __init__(self, results: Results) -> None:
        self._results = results

    def heat_map(self, **choice: str) -> Any:
        """Satisfaction of each province in each month of the year."""
        return allocation.heat_map(self._with_users("heat_map", choice))

    def deficits(self, **choice: str) -> Any:
        """Deficit of each member by region, the largest first [hm3 a year]."""
        return allocation.member_deficits(self._with_users("deficits", choice))

    def map(self, **choice: str) -> Any:
        """The basin at its coordinates: mean flows [m3/s], satisfaction at the nodes."""
        view = self._view(choice)
        if not network.has_map(view):
            _refuse("map", "no two nodes have a place; give nodes.csv columns lon and lat")
        return network.basin_map(view)

    def schematic(self, **choice: str) -> Any:
        """The network from the headwaters to the mouths, with what the map shows."""
        return network.schematic(self._view(choice))

    def sankey(self, **choice: str) -> Any:
        """Water from the sub-basins to the sectors, the sea, losses and storage [hm3 a year]."""
        return sankey.sankey(self._view(choice))

    def reservoir(self, name: str, **choice: str) -> Any:
        """Storage of a reservoir with its limits by date and what rules ask of it [hm3]."""
        view = self._view(choice)
        return rivers.reservoir(view, _known("reservoir", name, view.dataset["reservoir"].values))

    def flow(self, node: str, **choice: str) -> Any:
        """Mean flow that the river carries on from a node, with what rules ask of it [m3/s]."""
        view = self._view(choice)
        return rivers.flow(view, _known("node", node, view.dataset["node"].values))

    def level(self, rating: str, **choice: str) -> Any:
        """Level of the river by a rating, with the levels that rules come to [m]."""
        view = self._view(choice)
        known = view.dataset["rating"].values if "rating" in view.dataset else ()
        return rivers.level(view, _known("rating", rating, known))

    def duration(self, node: str, **choice: str) -> Any:
        """How often the flow past a node is reached or exceeded [m3/s]."""
        view = self._view(choice)
        return rivers.duration(view, _known("node", node, view.dataset["node"].values))

    def energy(self, **choice: str) -> Any:
        """Energy of each plant by month of the year [GWh]."""
        view = self._view(choice)
        if not view.dataset.sizes.get("plant", 0):
            _refuse("energy", "the result has no plants")
        return allocation.energy(view)

    def rules(self, **choice: str) -> Any:
        """Rules kept and broken through time, as shares of the members."""
        view = self._view(choice)
        if not view.dataset.sizes["rule"]:
            _refuse("rules", "the case has no rules")
        return rules.rules(view)

    def _view(self, choice: dict[str, str]) -> View:
        unknown = set(choice) - {"lang", "member", "season"}
        if unknown:
            raise TypeError(f"unknown argument {listed(sorted(unknown))}; use lang, member, season")
        return make_view(
            self._results, choice.get("lang", "en"), choice.get("member"), choice.get("season")
        )

    def _with_users(self, what: str, choice: dict[str, str]) -> View:
        view = self._view(choice)
        if not view.dataset.sizes["demand"]:
            _refuse(what, "the basin has no users")
        return view


def _known(what: str, name: str, known: Iterable[Any]) -> str:
    """Return a name that is known.

    Raises
    ------
    InputError
        It is not.
    """
    names = [str(one) for one in known]
    if name not in names:
        hint = or_do(suggest(name, names), f"known: {listed(names, 30) or 'none'}")
        _refuse(what, f"no {what} is called '{name}'{hint}")
    return name


def _refuse(what: str, text: str) -> None:
    raise InputError([Fault(Position(f"plot.{what}"), "E303", text)])
