"""Hydropower: what water that falls through turbines yields, by head and flow."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pyomo.environ as pyo

from wateralloc.basin import Basin, Curve
from wateralloc.case import Case
from wateralloc.errors import Findings
from wateralloc.parts import DATA, Exact, Part, Quantity, unit
from wateralloc.parts.reservoir import curve_of, mean_storage
from wateralloc.tables import Column, Table
from wateralloc.tangents import curve_along, larger
from wateralloc.units import HM3_PER_M3

GWH_PER_HM3_M = 1000 * 9.81 * 1e6 / 3.6e12
"""Energy of 1 hm3 of water that falls 1 m: density x gravity x volume, in GWh."""
GWH_PER_HM3_MW_PER_M3S = 1 / 3.6
"""Energy of 1 hm3 of water of which each m3/s yields 1 MW, in GWh."""

HYDROPOWER = Table(
    "hydropower",
    "Hydropower plants, each on a link through which its turbines draw.",
    (
        Column("plant", "name of the plant", "name", required=True),
        Column("link", "link of its turbines", "name", required=True, refers_to="links"),
        Column("capacity", "installed capacity", dimension="power", required=True, low=0),
        Column(
            "efficiency",
            "energy out over energy of the falling water, turbine to terminals",
            dimension="fraction",
            low=0,
            high=1,
        ),
        Column(
            "efficiency_curve",
            "curve of the efficiency (fraction) by net head (m), in place of efficiency",
            "name",
            refers_to="curves",
        ),
        Column(
            "power_curve",
            "curve of the output (mw) by flow (m3s), at whatever head; in place of an efficiency",
            "name",
            refers_to="curves",
        ),
        Column("max_turbine", "largest flow through the turbines", dimension="flow", low=0),
        Column(
            "head",
            "gross head that never changes; empty: level of the reservoir less the tailwater",
            dimension="length",
            low=0,
        ),
        Column("head_loss", "head lost in the conduits", dimension="length", default=0.0, low=0),
        Column("tailwater", "level of the tailwater, always", dimension="length"),
        Column(
            "tailwater_curve",
            "curve of the tailwater level (m) by the whole release (m3s)",
            "name",
            refers_to="curves",
        ),
        Column(
            "tailwater_reservoir",
            "reservoir below whose level, where it is higher, is the tailwater (a cascade)",
            "name",
            refers_to="reservoirs",
        ),
        Column("price", "value of its energy", dimension="energy_price", varies="timeline"),
        Column("name_vi", "Vietnamese name", "text"),
        Column("name_en", "English name", "text"),
    ),
    key="plant",
)


@dataclass(frozen=True)
class Plant:
    """What head and efficiency of one plant depend on.

    Attributes
    ----------
    efficiency : number, or curve by net head
    loss : head lost in the conduits [m]
    fixed_head : gross head [m]; None where it follows the levels
    level, tailwater, level_below : curves of the reservoir above, the tailwater (or its level [m])
        and the reservoir below; None where they do not matter
    """

    efficiency: float | Curve
    loss: float
    fixed_head: float | None = None
    level: Curve | None = None
    tailwater: float | Curve | None = None
    level_below: Curve | None = None

    @property
    def by_release(self) -> bool:
        """Tell whether the head follows the release."""
        return isinstance(self.tailwater, Curve)

    def head(self, above: Any = None, release: Any = None, below: Any = None) -> Any:
        """Net head [m] at mean storages above and below [hm3] and a release [m3/s]."""
        if self.fixed_head is not None:
            return self.fixed_head - self.loss
        down: Any = self.tailwater
        if isinstance(self.tailwater, Curve):
            down = curve_along(self.tailwater, "stage", release)
        if self.level_below is not None:
            level = curve_along(self.level_below, "level", below)
            down = level if down is None else larger(down, level)
        return larger(curve_along(self.level, "level", above) - down - self.loss, 0.0)

    def rate(self, head: Any) -> Any:
        """Energy of a volume of water that falls through a net head [GWh per hm3]."""
        efficiency: Any = self.efficiency
        if isinstance(efficiency, Curve):
            efficiency = curve_along(efficiency, "efficiency", head)
        return GWH_PER_HM3_M * efficiency * head


class Hydropower(Part):
    """Turn the water of a link into energy.

    The gross head is the level of the reservoir, at the mean of its storage at the start and the
    end of the period, less the tailwater: the higher of the plant's own tailwater level, by the
    whole release of the dam, and the level of the reservoir below.  Energy is then a product of
    flow and head, and stands in the period as a straight line that follows the result from pass to
    pass.  In the first pass, and always under ``linearisation: fixed``, that is energy at a fixed
    head: half the active storage, half the largest turbine flow.  A plant of known head has it in
    column ``head``; a plant of known output by flow has a ``power_curve``, which must be concave.

    Water that passes the dam by spillways yields nothing; ``energy_spilled`` is what it would have
    yielded.

    Equation
    --------
    energy(p, t) = 0.002725 GWh/(hm3 m) x efficiency(head) x head(p, t) x flow(link, t);
    head = level(mean storage) - max(tailwater(release), level below) - head loss, at least 0;
    energy(p, t) <= capacity x hours;  flow(link, t) <= max_turbine.

    Source
    ------
    Loucks & van Beek (2017), Water Resource Systems Planning and Management, section 4.3.5; the
    successive lines: Reznicek & Simonovic (1990), Water Resources Research 26, 2013-2026.
    """

    kind = "hydropower"
    tables = (HYDROPOWER,)
    reports = {
        "energy": "plant",
        "energy_spilled": "plant",
        "energy_value": "plant",
        "turbined": "plant",
        "head": "plant",
    }

    # --- faults ---------------------------------------------------------------------------------

    def check(self, basin: Basin, findings: Findings) -> None:
        table = basin.tables["hydropower"]
        first_of: dict[str, str] = {}
        for name in table.index:
            row = table.loc[name]

            def fault(column: str, code: str, text: str, name: str = name) -> None:
                findings.add(basin.position("hydropower", name, column), code, text)

            if row["link"] in first_of:
                fault(
                    "link",
                    "E261",
                    f"plants '{first_of[row['link']]}' and '{name}' stand on one link "
                    f"'{row['link']}'; give each a link of its own",
                )
            first_of.setdefault(row["link"], name)
            ways = [c for c in ("efficiency", "efficiency_curve", "power_curve") if row[c]]
            if row["efficiency"] is not None and "efficiency" not in ways:
                ways.append("efficiency")
            if len(ways) != 1:
                fault(
                    "efficiency",
                    "E261",
                    f"plant '{name}' has {' and '.join(ways) or 'no efficiency'}; "
                    "give one of efficiency_fraction, efficiency_curve and power_curve",
                )
            self._check_curves(basin, row, fault)
            if row["head"] is None and not row["power_curve"]:
                self._check_head(basin, name, row, fault)

    @staticmethod
    def _check_curves(basin: Basin, row: Any, fault: Callable[..., None]) -> None:
        for column, quantity, text in (
            ("efficiency_curve", "efficiency", "an efficiency (fraction) by head (m)"),
            ("tailwater_curve", "stage", "a level (m) by flow (m3s)"),
            ("power_curve", "power", "an output (mw) by flow (m3s)"),
        ):
            curve = basin.curves.get(row[column])
            if curve is None:
                continue
            if not curve.has(quantity):
                fault(column, "E222", f"curve '{curve.name}' has no {quantity}; must give {text}")
            elif quantity == "power":
                flow, power = curve.points["power"]
                slopes = np.diff(power) / np.diff(flow)
                if flow[0] or power[0] or any(b > a * (1 + 1e-9) for a, b in pairwise(slopes)):
                    fault(
                        column,
                        "E262",
                        f"curve '{curve.name}' is not concave from 0 m3s, 0 mw; each m3s more "
                        "must yield as much as the one before or less",
                    )
                if power[-1] > row["capacity"] * (1 + 1e-9):
                    fault(
                        column,
                        "E262",
                        f"curve '{curve.name}' reaches {power[-1]:g} mw, plant '{row.name}' has "
                        f"{row['capacity']:g} mw; correct one of them",
                    )
            elif quantity == "efficiency" and row["head"] is not None:
                _check_efficiency(curve, row.name, (row["head"] - row["head_loss"],), fault)

    @staticmethod
    def _check_head(basin: Basin, name: str, row: Any, fault: Callable[..., None]) -> None:
        start = basin.tables["links"]["from"].get(row["link"])
        if start is None:
            return
        if start not in basin.tables["reservoirs"].index:
            fault(
                "head",
                "E261",
                f"plant '{name}' draws from '{start}', which is no reservoir; give its head_m",
            )
            return
        ways = [c for c in ("tailwater", "tailwater_curve") if row[c] not in (None, "")]
        if len(ways) == 2 or (not ways and not row["tailwater_reservoir"]):
            what = "two tailwaters" if ways else "no tailwater"
            fault(
                "tailwater",
                "E261",
                f"plant '{name}' has {what}; give tailwater_m or tailwater_curve, or "
                "tailwater_reservoir, or its head_m",
            )
            return
        for column, reservoir in (
            ("link", start),
            ("tailwater_reservoir", row["tailwater_reservoir"]),
        ):
            if reservoir and reservoir in basin.tables["reservoirs"].index:
                curve = curve_of(basin, reservoir)
                named = basin.tables["reservoirs"].at[reservoir, "curve"]
                if curve is None or not curve.has("level"):
                    if curve is not None or not named:  # else the fault is the curve's
                        fault(
                            column,
                            "E222",
                            f"reservoir '{reservoir}' of plant '{name}' has no curve with its "
                            "level (m) by storage (hm3); give it one, or give the plant's head_m",
                        )
                    return
        for column, quantity in (("tailwater_curve", "stage"), ("efficiency_curve", "efficiency")):
            curve = basin.curves.get(row[column])
            if row[column] and (curve is None or not curve.has(quantity)):
                return
        if row["efficiency"] is None and not row["efficiency_curve"]:
            return
        plant = plant_of(basin, name)
        dead = basin.tables["reservoirs"].at[start, "dead"]
        flow = largest_flow(basin, row)
        below = basin.tables["reservoirs"]["normal"].get(row["tailwater_reservoir"])
        try:
            head = float(plant.head(dead, flow, below))
        except ValueError:
            return  # a storage outside its curve: the fault is the reservoir's
        if head <= 0:
            fault(
                "tailwater",
                "E262",
                f"plant '{name}' has no head at dead storage {dead:g} hm3 of '{start}' and its "
                f"largest flow: the level {plant.level.level(dead):g} m and the tailwater "
                "cross; correct one of the curves, or head_loss_m",
            )
            return
        if isinstance(plant.efficiency, Curve):
            normal = basin.tables["reservoirs"].at[start, "normal"]
            below = basin.tables["reservoirs"]["dead"].get(row["tailwater_reservoir"])
            highest = float(plant.head(normal, 0.0, below))
            _check_efficiency(plant.efficiency, name, (head, highest), fault)

    # --- the period -----------------------------------------------------------------------------

    def declare(self, m: pyo.ConcreteModel, case: Case) -> None:
        basin, seconds = case.basin, case.timeline.seconds
        table = basin.tables["hydropower"]
        m.plant = pyo.Set(initialize=list(table.index))
        most = {p: mw * seconds / 3.6e6 for p, mw in table["capacity"].items()}
        m.energy_capacity = pyo.Param(m.plant, initialize=most, units=unit("GWh"), **DATA)
        limits = case.volumes("hydropower", "max_turbine")
        m.turbine_most = pyo.Param(list(limits), initialize=limits, units=unit("hm3"), **DATA)
        price = case.attribute("hydropower", "price")
        m.energy_price = pyo.Param(list(price), initialize=price, units=unit("hm3/GWh"), **DATA)
        m.m3s_per_hm3 = pyo.Param(initialize=1 / (seconds * HM3_PER_M3), **DATA)
        steps = {
            (p, i): (x0, x1, (y1 - y0) / (x1 - x0))
            for p, curve in table["power_curve"].items()
            if curve
            for i, ((x0, y0), (x1, y1)) in enumerate(
                pairwise(zip(*basin.curves[curve].points["power"], strict=True))
            )
        }
        widths = {key: (x1 - x0) * seconds * HM3_PER_M3 for key, (x0, x1, _) in steps.items()}
        m.power_step = pyo.Param(list(steps), initialize=widths, units=unit("hm3"), **DATA)
        m.power_yield = pyo.Param(
            list(steps),
            initialize={k: slope * GWH_PER_HM3_MW_PER_M3S for k, (*_, slope) in steps.items()},
            units=unit("GWh/hm3"),
            **DATA,
        )
        m.turbined_in_step = pyo.Var(
            list(steps), bounds=lambda m, p, i: (0.0, m.power_step[p, i]), units=unit("hm3")
        )

    def constrain(self, m: pyo.ConcreteModel, case: Case) -> None:
        table, links = case.basin.tables["hydropower"], case.basin.tables["links"]
        m.energy = pyo.Expression(m.plant)
        spillways = {
            p: [k for k in m.links_out[above] if links.at[k, "kind"] == "spillway"]
            for p, above in links["from"][table["link"]].set_axis(table.index).items()
        }
        m.energy_spilled = pyo.Expression(
            [p for p in m.plant if spillways[p] and not table.at[p, "power_curve"]]
        )
        m.fixed_head = pyo.Param(m.plant, initialize=0.0, **DATA)
        m.fixed_rate = pyo.Param(m.plant, units=unit("GWh/hm3"), **DATA)
        m.exact = {}
        by_steps = [p for p in m.plant if table.at[p, "power_curve"]]
        for p in m.plant:
            link = table.at[p, "link"]
            if p in by_steps:
                m.energy[p] = sum(
                    m.power_yield[key] * m.turbined_in_step[key] for key in steps_of(m, p)
                )
                continue
            self._by_head(m, case, p, "energy", [link])
            if p in m.energy_spilled:
                self._by_head(m, case, p, "energy_spilled", spillways[p])
        m.turbined_in_steps = pyo.Constraint(
            by_steps,
            rule=lambda m, p: (
                sum(m.turbined_in_step[key] for key in steps_of(m, p))
                == m.flow[table.at[p, "link"]]
            ),
        )
        m.plant_capacity = pyo.Constraint(
            [p for p in m.plant if p not in by_steps],
            rule=lambda m, p: m.energy[p] <= m.energy_capacity[p],
        )
        m.turbine_limit = pyo.Constraint(
            list(m.turbine_most),
            rule=lambda m, p: m.flow[table.at[p, "link"]] <= m.turbine_most[p],
        )

    @staticmethod
    def _by_head(m: pyo.ConcreteModel, case: Case, p: str, name: str, links: list[str]) -> None:
        """Set the energy, made or spilled, of the water in some links below the dam of a plant."""
        energy = m.component(name)
        plant = plant_of(case.basin, p)
        volume = sum(m.flow[k] for k in links)
        if plant.fixed_head is not None:
            m.fixed_head[p] = plant.head()
            m.fixed_rate[p] = float(plant.rate(plant.head()))
            energy[p] = m.fixed_rate[p] * volume
            return
        row = case.basin.tables["hydropower"].loc[p]
        above = case.basin.tables["links"].at[row["link"], "from"]
        arguments = {"above": mean_storage(m, above)}
        steps = [m.storage_end[above]]
        if plant.by_release:
            arguments["release"] = sum(m.flow[k] for k in m.links_out[above])
            steps.append(m.flow[row["link"]])
        if plant.level_below is not None:
            arguments["below"] = mean_storage(m, row["tailwater_reservoir"])
            steps.append(m.storage_end[row["tailwater_reservoir"]])
        names = tuple(arguments)

        def head(*at: Any, per_hm3: Any) -> Any:
            known = dict(zip(names, at, strict=True))
            if "release" in known:
                known["release"] = known["release"] * per_hm3
            return plant.head(**known)

        def of_water(water: Any, *at: Any) -> Any:
            return water * plant.rate(head(*at[:-1], per_hm3=at[-1]))

        m.fixed_head[p] = usual = float(plant.head(**usual_state(case.basin, p)))
        energy[p] = m.tangents.add(
            f"{name}[{p}]",
            of_water,
            [volume, *arguments.values()],
            start=(0.0, [float(plant.rate(usual)), *(0.0 for _ in names)]),
            data=[m.m3s_per_hm3],
            steps=steps,
            scale=m.energy_capacity[p].value,
            in_rows=False,
            most=m.energy_capacity[p] if name == "energy" else None,
            units=unit("GWh"),
        )
        if case.linearisation.is_updated:
            per_hm3 = m.m3s_per_hm3.value
            most = m.energy_capacity[p].value if name == "energy" else np.inf
            m.exact[name, p] = Exact(
                lambda *at: np.minimum(of_water(*at, per_hm3), most),
                (volume, *arguments.values()),
            )
            m.exact["head", p] = Exact(
                lambda *at: head(*at, per_hm3=per_hm3), tuple(arguments.values())
            )

    def quantities(self, m: pyo.ConcreteModel, case: Case) -> Iterable[Quantity]:
        def exact(name: str) -> dict[str, Exact]:
            return {p: m.exact[name, p] for p in m.plant if (name, p) in m.exact}

        energy = exact("energy")
        for p in m.plant:
            key = case.basin.tables["hydropower"].at[p, "power_curve"]
            if key:
                energy[p] = self._output(m, case, p, case.basin.curves[key])
        yield Quantity(
            "energy", "plant", dict(m.energy.items()), "GWh", "energy produced", exact=energy
        )
        yield Quantity(
            "energy_spilled",
            "plant",
            dict(m.energy_spilled.items()),
            "GWh",
            "energy that the water passing by the spillways would have given",
            exact=exact("energy_spilled"),
        )
        price = {p: m.energy_price[p] for p in m.energy_price}
        yield Quantity(
            "energy_value",
            "plant",
            {p: price[p] * m.energy[p] for p in price},
            f"million {case.basin.currency}",
            "value of the energy produced",
            exact={p: priced(energy[p], price[p].value) for p in price if p in energy},
        )
        link = case.basin.values("hydropower", "link")
        yield Quantity(
            "turbined", "plant", {p: m.flow[link[p]] for p in m.plant}, "hm3",
            "volume through the turbines",
        )  # fmt: skip
        yield Quantity(
            "head",
            "plant",
            dict(m.fixed_head.items()),
            "m",
            "net head; 0 where the output follows the flow alone",
            "time: mean",
            exact=exact("head"),
        )

    @staticmethod
    def _output(m: pyo.ConcreteModel, case: Case, p: str, curve: Curve) -> Exact:
        """Energy by an output curve, which steps give only where they fill in their order."""
        hours = case.timeline.seconds / 3600
        per_hm3 = m.m3s_per_hm3.value
        link = case.basin.tables["hydropower"].at[p, "link"]
        return Exact(lambda flow: curve.at("power", flow * per_hm3) * hours * 1e-3, (m.flow[link],))


def _check_efficiency(
    curve: Curve, plant: str, heads: Iterable[float], fault: Callable[..., None]
) -> None:
    """Check that an efficiency curve, whose last lines go on, stays an efficiency."""
    for head in heads:
        efficiency = float(curve.at("efficiency", head))
        if not 0 <= efficiency <= 1:
            fault(
                "efficiency_curve",
                "E262",
                f"curve '{curve.name}' goes on to an efficiency of {efficiency:.3g} at a head of "
                f"{head:.4g} m of plant '{plant}'; give it a point there, from 0 to 1",
            )


def steps_of(m: pyo.ConcreteModel, plant: str) -> list[tuple[str, int]]:
    """Steps of the output curve of a plant."""
    return [key for key in m.power_step if key[0] == plant]


def priced(energy: Exact, price: Any) -> Exact:
    """Value of an energy at a price."""
    return Exact(lambda *at: energy.function(*at) * price, energy.arguments)


def plant_of(basin: Basin, name: str) -> Plant:
    """What head and efficiency of a plant depend on."""
    row = basin.tables["hydropower"].loc[name]
    efficiency = basin.curves.get(row["efficiency_curve"], row["efficiency"])
    if row["head"] is not None:
        return Plant(efficiency, row["head_loss"], fixed_head=row["head"])
    below = row["tailwater_reservoir"]
    return Plant(
        efficiency,
        row["head_loss"],
        level=curve_of(basin, basin.tables["links"].at[row["link"], "from"]),
        tailwater=basin.curves.get(row["tailwater_curve"], row["tailwater"]),
        level_below=curve_of(basin, below) if below else None,
    )


def largest_flow(basin: Basin, row: Any) -> float:
    """Largest flow [m3/s] of the turbines of a plant, or of its link; 0 where none is stated."""
    if row["max_turbine"] is not None:
        return row["max_turbine"]
    capacity = basin.tables["links"].at[row["link"], "capacity"]
    return capacity if isinstance(capacity, float) else 0.0


def usual_state(basin: Basin, name: str) -> dict[str, float]:
    """Half the active storage above and below [hm3], half the largest turbine flow [m3/s]."""
    row, reservoirs = basin.tables["hydropower"].loc[name], basin.tables["reservoirs"]
    above = basin.tables["links"].at[row["link"], "from"]
    state = {"above": reservoirs.loc[above, ["dead", "normal"]].mean()}
    state["release"] = largest_flow(basin, row) / 2
    if row["tailwater_reservoir"]:
        state["below"] = reservoirs.loc[row["tailwater_reservoir"], ["dead", "normal"]].mean()
    return state
