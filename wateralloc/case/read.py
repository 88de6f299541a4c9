"""Reading a case, and checking it against its basin."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from wateralloc.basin import Basin, read_basin
from wateralloc.case.extends import Chain, apply
from wateralloc.case.faults import Checker
from wateralloc.case.find import find_basin, find_case, is_path
from wateralloc.case.forecast_file import Issued, read_forecasts
from wateralloc.case.foresight import Rolling, TwoStage
from wateralloc.case.items import Item
from wateralloc.case.keys import CaseKeys, TimelineKeys
from wateralloc.case.model import (
    Case,
    check_timeline_series,
    first_year,
    forecast_nodes,
    record_of,
)
from wateralloc.case.synthetic import synthetic_series
from wateralloc.catalogue import find
from wateralloc.errors import CaseError, Findings, Position, listed, shown, suggest
from wateralloc.hydrology import Hydrology, Member, check_withdrawals, factors_by_node
from wateralloc.seasonal import Seasonal
from wateralloc.tables import NAMES_ARE, is_identifier
from wateralloc.timeline import Timeline
from wateralloc.units import HM3_PER_M3

if TYPE_CHECKING:
    from wateralloc.goals import Goal
    from wateralloc.rules import Rule, Soft


log = logging.getLogger(__name__)


def read_case(
    path_or_name: Path | str,
    changes: Mapping[str, str] | None = None,
    findings: Findings | None = None,
) -> Case:
    """Read and check a case, with those it extends, and its basin.

    Parameters
    ----------
    path_or_name : path of a YAML file, or a name: of a file here, in ``cases/``, or of a case that
        comes with the package
    changes : dotted key -> YAML text, put in place of what the file says; entries of a list go by
        number or name: ``{"rules.delta_guarantee.flow_m3s": "1000"}``
    findings : faults found before, raised together with those found here

    Raises
    ------
    InputError
        With every fault of the case and its basin.
    """
    findings = Findings() if findings is None else findings
    text = str(path_or_name)
    at = Position(shown(text) if is_path(text) else text)
    path = find_case(text, Path(), at, findings)
    case = None
    if path is not None:
        case = _Reader(path, changes or {}, findings).read()
    findings.raise_if_any()
    assert case is not None
    return case


def _warn_of_missing(case: Case) -> None:
    """Tell where a withdrawal upstream asks more than flows."""
    for node, missing in case.missing_upstream().items():
        if missing.any():
            asked = case.upstream_withdrawal[node].on(case.timeline, case.basin.patterns)
            volume = float((asked * case.timeline.seconds).sum()) * HM3_PER_M3
            log.warning(
                "hydrology.withdrawal_m3s.%s asks %.4g hm3; %.4g hm3 of it do not flow in the "
                "mean of the members, at most %.4g (%s)",
                node, volume, missing.sum(axis=1).mean(), missing.sum(axis=1).max(),
                case.members[int(missing.sum(axis=1).argmax())].name,
            )  # fmt: skip


class _Reader:
    """Reads one case, step by step; later steps skip what earlier ones found broken."""

    def __init__(self, path: Path, changes: Mapping[str, str], findings: Findings) -> None:
        self.path, self.changes, self.findings = path, changes, findings

    def read(self) -> Case | None:
        chain = Chain(self.findings)
        items = chain.read(self.path)
        if items is None:
            return None
        apply(items, self.changes, self.findings)
        items.value.pop("extends", None)
        chain.drop_rules(items, items.value.pop("without", None))
        self.items, self.is_whole = items, chain.is_whole
        keys = self._keys()
        if keys is not None and keys.integers and keys.linearisation.is_updated:
            self._fault(
                self._at("integers"),
                "E332",
                "integers is true while linearisation is updated; decisions of yes or no are made "
                "in one pass: write `linearisation: fixed` too",
            )
        basin, is_sound = self._basin()
        timeline = self._timeline(basin)
        rules = self._rules(basin, is_sound)
        goals = self._goals(basin, is_sound)
        self._check_penalties([goal for goal, _ in goals])
        if keys is not None and keys.foresight.two_stage is not None:
            self._check_decisions(keys.foresight.two_stage, basin, is_sound)
        item = items.get("hydrology")
        # its own faults are found among the keys of the case
        hydrology = Checker(Findings()).check(Hydrology, item, "") if item else Hydrology()
        members: tuple[Member, ...] = ()
        scale: dict[str, float | Seasonal] = {}
        if basin is not None and hydrology is not None:
            scale = self._scale(hydrology, basin, is_sound)
            self._check_withdrawals(hydrology, basin, is_sound)
        if basin is not None and timeline is not None:
            check_timeline_series(basin, timeline, self._at("timeline"), self.findings)
            if hydrology is not None and (is_sound or record_of(basin)):
                members = self._members(hydrology, basin, timeline, scale, is_sound)
        issued = None
        if basin is not None and timeline is not None and is_sound:
            rolling = keys.foresight.rolling if keys is not None else None
            issued = self._issued(rolling, basin, timeline, members)
        if basin is not None:
            self._check_demand(basin, is_sound)
            self._check_works(basin, timeline, is_sound)
        if self.findings or keys is None or basin is None or timeline is None:
            return None
        given: dict[str, dict[str, np.ndarray]] = {}
        if hydrology is not None and hydrology.synthetic is not None:
            given = synthetic_series(basin, timeline, hydrology.synthetic, members)
        case = Case(
            name=keys.name,
            title={
                "en": keys.title.en or keys.title.vi or keys.name,
                "vi": keys.title.vi or keys.title.en or keys.name,
            },
            description=keys.description,
            basin=basin,
            timeline=timeline,
            members=members,
            rules=tuple(rule for rule, _ in rules),
            rule_positions=tuple(at for _, at in rules),
            goals=tuple(goal for goal, _ in goals),
            goal_positions=tuple(at for _, at in goals),
            foresight=keys.foresight,
            linearisation=keys.linearisation,
            integers=keys.integers,
            riverbed=first_year(timeline) if keys.riverbed is None else keys.riverbed,
            works={work: np.datetime64(day, "D") for work, day in keys.works.items()},
            demand_year=keys.demand.year,
            demand_scale=keys.demand.scale,
            inflow_scale=scale,
            upstream_withdrawal=dict(keys.hydrology.withdrawal_m3s),
            given=given,
            issued=issued,
            files=(*chain.files, *([issued.path] if issued else [])),
            resolved={"name": keys.name, **items.plain()},
            changes=dict(self.changes),
        )
        _warn_of_missing(case)
        return case

    def _fault(self, at: Position, code: str, text: str) -> None:
        self.findings.add(at, code, text, CaseError)

    def _at(self, *keys: Any) -> Position:
        item = self.items.deepest(keys)
        return item.key_at if isinstance(item.value, (dict, list)) else item.at

    def _keys(self) -> CaseKeys | None:
        checker = Checker(self.findings, is_whole=self.is_whole)
        stem = {} if self.items.get("name") else {"name": self.path.stem}
        keys = checker.check(CaseKeys, self.items, "the case", stem)
        name = self.items.get("name")
        text = name.value if name else self.path.stem
        if isinstance(text, str) and not re.fullmatch(r"\w[\w.-]*", text):
            at = name.at if name else Position(shown(self.path))
            what = "" if name else ", which the file gives it,"
            self._fault(
                at,
                "E210",
                f"name '{text}' of the case{what} is not valid; "
                "write letters, digits, '_', '-' and '.' in key name",
            )
        return keys

    def _basin(self) -> tuple[Basin | None, bool]:
        """Read the basin; it may be in part broken, then the second is False."""
        item = self.items.get("basin")
        if item is None or not isinstance(item.value, str) or not item.value:
            return None, False
        folder = find_basin(item, self.findings)
        if folder is None:
            return None, False
        changes = self.items.get("changes")
        data = changes.plain() if changes else {}
        found = Findings()
        basin = read_basin(
            folder,
            data if isinstance(data, dict) else {},
            found,
            lambda *keys: self._at("changes", *keys),
        )
        self.findings.faults += found.faults
        return basin, not found

    def _timeline(self, basin: Basin | None) -> Timeline | None:
        item = self.items.get("timeline")
        if item is None:
            return None
        keys = Checker(Findings()).check(TimelineKeys, item, "")
        if keys is None:
            return None
        first_month = basin.water_year_start if basin else 1
        try:
            timeline = Timeline(keys.start, keys.periods, keys.step, first_month)
            last = int(str(timeline.edges[-1])[:4])
        except ValueError as error:
            text = f"timeline.start: {error}; move it, or change step"
            self._fault(self._at("timeline", "start"), "E303", text)
            return None
        if int(keys.start[:4]) < 1700 or last > 2250:
            text = f"horizon runs from {keys.start} to {last}; must be within 1700 to 2250"
            self._fault(self._at("timeline"), "E303", text)
            return None
        return timeline

    # --- rules and goals ---

    def _rules(self, basin: Basin | None, is_sound: bool) -> list[tuple[Rule, Position]]:
        kinds = find("rules")
        rules: list[tuple[Rule, Position]] = []
        named: dict[str, Position] = {}
        n_goals = len(self._list("goals"))
        self._soft: list[tuple[str, Soft, Item]] = []
        for item in self._list("rules"):
            kind = item.get("rule")
            if not isinstance(item.value, dict):
                continue
            if kind is None:
                near = next((key for key in item.value if suggest(str(key), ["rule"])), None)
                todo = f"write 'rule' in place of '{near}'" if near else "add it"
                self._fault(item.at, "E302", f"rule has no key 'rule' with its kind; {todo}")
                continue
            if not isinstance(kind.value, str) or kind.value not in kinds:
                tail = suggest(str(kind.value), kinds) or f"; rules are {listed(kinds, 30)}"
                self._fault(kind.at, "E311", f"unknown rule '{kind.value}'{tail}")
                continue
            name = item.get("name")
            text = name.value if name is not None else kind.value
            self._check_rule_name(text, name or kind, item, named)
            extra = {} if name else {"name": kind.value}
            checker = Checker(self.findings)
            rule = checker.check(kinds[kind.value], item, f"rule '{text}'", extra, ("rule",))
            if rule is None:
                continue
            rules.append((rule, item.at))
            if rule.soft is not None:
                self._soft.append((rule.name, rule.soft, item))
                has_price = rule.soft.penalty is not None
                last = n_goals if has_price else n_goals + 1
                if n_goals and rule.soft.goal is not None and rule.soft.goal > last:
                    self._fault(
                        item.deepest(("soft", "goal")).at,
                        "E303",
                        f"soft.goal of rule '{text}' is {rule.soft.goal} but the case has "
                        f"{n_goals} goals; must be from 1 to {last}"
                        + ("" if has_price else " (after the last)"),
                    )
            self._check_names(rule, item, basin, is_sound)
        return rules

    def _check_penalties(self, goals: list[Goal]) -> None:
        """Check that a goal counts each penalty of a soft rule."""
        if len(goals) < len(self._list("goals")):
            return  # a goal has faults of its own
        for name, soft, item in self._soft:
            if soft.goal is None or soft.goal <= len(goals):
                for key, code, text in soft.check(name, goals):
                    self._fault(item.deepest(("soft", key)).at, code, text)

    def _check_rule_name(
        self, text: Any, name: Item, item: Item, named: dict[str, Position]
    ) -> None:
        if not isinstance(text, str):
            return
        if not is_identifier(text):
            self._fault(name.at, "E210", f"name '{text}' of a rule is not valid; {NAMES_ARE}")
        if text in named:
            self._fault(
                name.at,
                "E206",
                f"two rules are called '{text}', the other at {named[text]}; "
                "give this one a name of its own in key name",
            )
        named.setdefault(text, item.at)

    def _goals(self, basin: Basin | None, is_sound: bool) -> list[tuple[Goal, Position]]:
        kinds = find("goals")
        goals: list[tuple[Goal, Position]] = []
        for number, item in enumerate(self._list("goals"), 1):
            if not isinstance(item.value, dict):
                continue
            if len(item.value) != 1:
                self._fault(
                    item.at,
                    "E303",
                    f"goal {number} has {len(item.value)} keys; must have one, its kind, "
                    "as in `- meet: {sectors: [domestic]}`",
                )
                continue
            ((kind, body),) = item.value.items()
            if kind not in kinds:
                tail = suggest(str(kind), kinds) or f"; goals are {listed(kinds, 30)}"
                self._fault(body.key_at, "E312", f"unknown goal '{kind}'{tail}")
                continue
            if body.value is None:
                body.value = {}
            goal = Checker(self.findings).check(kinds[kind], body, f"goal {number} ({kind})")
            if goal is not None:
                goals.append((goal, item.at))
                self._check_names(goal, body, basin, is_sound)
        return goals

    def _check_decisions(self, keys: TwoStage, basin: Basin | None, is_sound: bool) -> None:
        """Check the names of what two_stage decides beforehand: a quantity and items of it."""
        at = self.items.deepest(("foresight", "two_stage", "decisions"))
        for name, items in keys.decisions.items():
            named = {"quantity": name, "of": () if isinstance(items, str) else items}
            quantity = find("goals")["maximise"].model_validate(named)
            self._check_names(quantity, at.deepest((name,)), basin, is_sound)

    def _list(self, key: str) -> list[Item]:
        item = self.items.get(key)
        return item.value if item is not None and isinstance(item.value, list) else []

    def _check_names(
        self, clause: Rule | Goal, item: Item, basin: Basin | None, is_sound: bool
    ) -> None:
        if basin is None or not all(t.attrs["is_read"] for t in basin.tables.values()):
            return
        try:
            faults = clause.check(basin)
        except Exception:
            # it stumbled over a part of the basin whose fault is reported already
            if is_sound:
                raise
            return
        for key, code, text in faults:
            found = item.deepest(key.split(".")) if key else item
            if isinstance(found.value, list):
                # of a list of names, the one that the text speaks of
                found = next((i for i in found.value if f"'{i.value}'" in text), found)
            self._fault(found.at, code, text)

    # --- hydrology and demand ---

    def _scale(
        self, hydrology: Hydrology, basin: Basin, is_sound: bool
    ) -> dict[str, float | Seasonal]:
        if not basin.tables["nodes"].attrs["is_read"]:
            return {}
        sub_basins = dict(basin.tables["nodes"]["sub_basin"])
        # where the basin has faults, a node's inflow may be what could not be read
        with_inflow = list(basin.values("nodes", "inflow") if is_sound else sub_basins)
        factors, faults = factors_by_node(hydrology.scale, sub_basins, with_inflow)
        for key, code, text in faults:
            item = self.items.deepest(("hydrology", "scale", key))
            self._fault(item.key_at, code, text)
        scale = hydrology.scale if isinstance(hydrology.scale, dict) else {"": hydrology.scale}
        for name, factor in scale.items():
            if isinstance(factor, Seasonal):
                self._check_patterns(factor, basin, "fraction", "scale", *([name] if name else []))
        return factors

    def _check_withdrawals(self, hydrology: Hydrology, basin: Basin, is_sound: bool) -> None:
        if not basin.tables["nodes"].attrs["is_read"]:
            return
        nodes = list(basin.tables["nodes"].index)
        with_inflow = list(basin.values("nodes", "inflow")) if is_sound else nodes
        taken = hydrology.withdrawal_m3s
        for name, code, text in check_withdrawals(taken, nodes, with_inflow):
            item = self.items.deepest(("hydrology", "withdrawal_m3s", name))
            self._fault(item.key_at, code, text)
        for name, flow in taken.items():
            self._check_patterns(flow, basin, "flow", "withdrawal_m3s", name)

    def _check_patterns(self, value: Seasonal, basin: Basin, dimension: str, *keys: str) -> None:
        if basin.tables["patterns"].attrs["is_read"]:
            for _, code, text in value.check(".".join(keys), basin.patterns, dimension):
                self._fault(self._at("hydrology", *keys), code, text)

    def _members(
        self,
        hydrology: Hydrology,
        basin: Basin,
        timeline: Timeline,
        scale: dict[str, float | Seasonal],
        is_sound: bool,
    ) -> tuple[Member, ...]:
        def totals(members: tuple[Member, ...]) -> np.ndarray:
            case = Case(
                "", basin, timeline, members,
                inflow_scale=scale, upstream_withdrawal=dict(hydrology.withdrawal_m3s),
            )  # fmt: skip
            volumes = case.volumes("nodes", "inflow").values()
            return np.sum([v.sum(axis=1) for v in volumes], axis=0)

        if hydrology.exceedance is not None and not is_sound:
            return ()
        record = record_of(basin)
        if hydrology.synthetic is not None and record and not forecast_nodes(basin):
            self._fault(
                self._at("hydrology", "synthetic"),
                "E350",
                "synthetic makes inflow from a record but the inflow of no node is a series; add "
                "series/inflow_m3s.csv, or remove synthetic",
            )
            return ()
        members, faults = hydrology.choose(timeline, record, totals)
        for key, code, text in faults:
            keys = ("hydrology", *key.split(".")) if self.items.get("hydrology") else ("timeline",)
            self._fault(self._at(*keys), code, text)
        return members

    def _issued(
        self,
        rolling: Rolling | None,
        basin: Basin,
        timeline: Timeline,
        members: tuple[Member, ...],
    ) -> Issued | None:
        """Read the forecasts that the foresight names, and check that windows find theirs."""
        item = self.items.get("foresight", "rolling", "file")
        if item is None or not isinstance(item.value, str):
            return None
        nodes = forecast_nodes(basin)
        if not nodes:
            self._fault(
                item.at,
                "E378",
                "foresight.rolling.file gives inflow but the inflow of no node is a series; add "
                "series/inflow_m3s.csv, or remove the file",
            )
            return None
        path = item.folder / item.value
        issued = read_forecasts(path, item.at, nodes, timeline.step, self.findings)
        if issued is not None and rolling is not None and members:
            for text in issued.lacks(timeline, members, nodes, rolling):
                self._fault(item.at, "E376", text)
        return issued

    def _check_demand(self, basin: Basin, is_sound: bool) -> None:
        scale = self.items.get("demand", "scale")
        for sector, item in scale.value.items() if scale and isinstance(scale.value, dict) else ():
            if sector not in basin.sectors and (basin.sectors or is_sound):
                known = listed(basin.sectors) or "none"
                tail = suggest(str(sector), basin.sectors) or f"; sectors are {known}"
                self._fault(item.key_at, "E313", f"unknown sector '{sector}'{tail}")
        year = self.items.get("demand", "year")
        if year is None or type(year.value) is not int or not is_sound:
            return
        rows = basin.tables["projections"]
        if not len(rows):
            self._fault(
                year.at,
                "E303",
                f"demand.year is {year.value} but the basin has no projections.csv; "
                "add it, or remove the year",
            )
            return
        years = rows.groupby("sector")["year"].agg(["min", "max"]).astype(int)
        first, last = years["min"].max(), years["max"].min()
        if not first <= year.value <= last:
            self._fault(
                year.at,
                "E303",
                f"demand.year is {year.value} but the projections of the sectors reach from "
                f"{first} to {last}; must be within",
            )

    def _check_works(self, basin: Basin, timeline: Timeline | None, is_sound: bool) -> None:
        item = self.items.get("works")
        if item is None or not isinstance(item.value, dict):
            return
        table = basin.tables["works"]
        known = list(dict.fromkeys(table["work"]))
        for work, opens in item.value.items():
            if work not in known and (known or is_sound):
                tail = suggest(str(work), known) or f"; works are {listed(known) or 'none'}"
                self._fault(opens.key_at, "E318", f"unknown work '{work}'{tail}")
            try:
                day = np.datetime64(opens.value, "D")
            except (TypeError, ValueError):
                continue  # the fault is among the keys of the case
            if timeline is not None and day >= timeline.edges[-1]:
                self._fault(
                    opens.at,
                    "E318",
                    f"works.{work} is {day} but the horizon ends {timeline.last_days[-1]}; a work "
                    "dated after the horizon changes nothing: move the date, or remove it",
                )
