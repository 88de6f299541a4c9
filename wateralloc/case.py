"""The case: what is asked of a basin, in which years, under which rules and goals.

A case file is read with the place of every key and value.  Cases that extend others are merged,
``--set`` comes on top, and then everything is checked: keys, values, names in the basin, dates of
the record.  All faults of the case and of its basin are raised at once.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
)
from pydantic.errors import PydanticInvalidForJsonSchema
from pydantic.json_schema import models_json_schema
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from wateralloc.basin import Basin, Series, SeriesColumn, read_basin
from wateralloc.catalogue import find
from wateralloc.errors import (
    CODES,
    CaseError,
    Findings,
    Position,
    listed,
    shown,
    suggest,
)
from wateralloc.hydrology import (
    Factor,
    Hydrology,
    Member,
    factors_by_node,
    is_covered,
    resample,
    spans,
    value_at,
)
from wateralloc.tables import NAMES_ARE, YamlFile, is_identifier, read_yaml
from wateralloc.timeline import Pattern, Timeline
from wateralloc.units import hm3_of_m3s

if TYPE_CHECKING:
    from wateralloc.goals import Goal
    from wateralloc.rules import Rule

AMOUNTS = ("depth",)
"""Dimensions whose series are amounts of their period; volumes that vary are limits on a state."""

_CHOICES = ("members", "year", "years", "exceedance")
_OWN = ("name", "title", "description", "extends")
_ENDINGS = (".yaml", ".yml")


# --- the case -------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Case:
    """A case: basin, timeline, hydrology, rules, goals and foresight.

    Attributes
    ----------
    title : language (``en``, ``vi``) -> title
    members : hydrologies, in the order of results
    rule_positions : where each rule stands
    foresight : ``perfect``
    demand_year : year to which demands are projected; None: as in the basin
    demand_scale : sector -> factor on its demands
    inflow_scale : node -> factor on its inflow
    files : every case file that was read
    resolved : the case as plain data, after ``extends`` and ``--set``
    """

    name: str
    basin: Basin
    timeline: Timeline
    members: tuple[Member, ...]
    rules: tuple[Rule, ...] = ()
    rule_positions: tuple[Position, ...] = ()
    goals: tuple[Goal, ...] = ()
    title: dict[str, str] = field(default_factory=dict)
    description: str = ""
    foresight: str = "perfect"
    demand_year: int | None = None
    demand_scale: dict[str, float] = field(default_factory=dict)
    inflow_scale: dict[str, float] = field(default_factory=dict)
    files: tuple[Path, ...] = ()
    resolved: dict[str, Any] = field(default_factory=dict, repr=False)
    _arrays: dict[tuple[str, ...], Any] = field(default_factory=dict, init=False, repr=False)

    @property
    def n_members(self) -> int:
        return len(self.members)

    @property
    def n_periods(self) -> int:
        return self.timeline.periods

    def attribute(self, table: str, column: str, at_end: bool = False) -> dict[str, np.ndarray]:
        """Values of a numeric column of the basin in each period.

        A number holds throughout; a pattern follows the dates of the case; a series follows those
        of the case, or, where the column follows the hydrology, those of each member's record.

        Parameters
        ----------
        at_end : take the value of each period's last day in place of the period's mean (or, for
            a series of amounts, its sum)

        Returns
        -------
        dict of ndarray [canonical unit] (member, time)
            By name, where there is a value; read-only.
        """
        key = ("attribute", table, column, str(at_end))
        if key not in self._arrays:
            self._arrays[key] = self._attribute(table, column, at_end)
        return dict(self._arrays[key])

    def volumes(self, table: str, column: str) -> dict[str, np.ndarray]:
        """Volume of each period of a flow column, read-only.

        Returns
        -------
        dict of ndarray [hm3] (member, time)

        Raises
        ------
        ValueError
            The column is no flow.
        """
        if self.basin.declared[table].column(column).dimension != "flow":
            raise ValueError(f"column {column} of table {table} is no flow and has no volume")
        key = ("volumes", table, column)
        if key not in self._arrays:
            self._arrays[key] = {
                name: _read_only(hm3_of_m3s(flow, self.timeline.seconds))
                for name, flow in self.attribute(table, column).items()
            }
        return dict(self._arrays[key])

    def _attribute(self, table: str, column: str, at_end: bool) -> dict[str, np.ndarray]:
        shape = (self.n_members, self.n_periods)
        values = self.basin.values(table, column)
        from_series: dict[str, np.ndarray] = {}
        if any(isinstance(value, SeriesColumn) for value in values.values()):
            from_series = self._from_series(table, column, at_end)
        scale = self.inflow_scale if (table, column) == ("nodes", "inflow") else {}
        arrays = {}
        for name, value in values.items():
            array: Any
            if isinstance(value, SeriesColumn):
                array = from_series[name]
            elif isinstance(value, Pattern):
                array = value.at_end(self.timeline) if at_end else value.mean(self.timeline)
            else:
                array = value
            arrays[name] = _read_only(np.broadcast_to(array * scale.get(name, 1.0), shape))
        return arrays

    def _from_series(self, table: str, column: str, at_end: bool) -> dict[str, np.ndarray]:
        declared = self.basin.declared[table].column(column)
        series = self.basin.series[column]
        members = self.members if declared.varies == "hydrology" else (Member("", 0),)
        starts, ends = spans(self.timeline, members)
        numbers = series.values.to_numpy(float)
        if at_end:
            arrays = value_at(numbers, series.timeline, ends - np.timedelta64(1, "D"))
        else:
            is_amount = declared.dimension in AMOUNTS
            arrays = resample(numbers, series.timeline, starts, ends, is_amount=is_amount)
        return dict(zip(series.values.columns, arrays, strict=True))


def _read_only(array: np.ndarray) -> np.ndarray:
    array.flags.writeable = False
    return array


def build_case(
    basin: Basin,
    timeline: Timeline,
    rules: Iterable[Rule] = (),
    goals: Iterable[Goal] = (),
    members: Sequence[Member] | None = None,
    *,
    name: str = "case",
    demand_year: int | None = None,
    demand_scale: Mapping[str, float] | None = None,
    inflow_scale: Mapping[str, float] | None = None,
) -> Case:
    """Build a case in code, without a file.

    Parameters
    ----------
    rules : one without a name takes that of its kind
    members : default: every year of the record that covers the horizon; one when there is no record
    inflow_scale : node -> factor on its inflow

    Raises
    ------
    CaseError
        The record does not cover the horizon.
    """
    here = Position("code")
    findings = Findings()
    if members is None:
        members, faults = Hydrology().choose(timeline, record_of(basin), lambda _: np.empty(0))
        for key, code, text in faults:
            findings.add(here, code, f"{key}: {text}", CaseError)
    _check_timeline_series(basin, timeline, here, findings)
    findings.raise_if_any()
    named = tuple(
        rule if rule.name else rule.model_copy(update={"name": rule.kind}) for rule in rules
    )
    return Case(
        name=name,
        title={"en": name, "vi": name},
        basin=basin,
        timeline=timeline,
        members=tuple(members),
        rules=named,
        rule_positions=(here,) * len(named),
        goals=tuple(goals),
        demand_year=demand_year,
        demand_scale=dict(demand_scale or {}),
        inflow_scale=dict(inflow_scale or {}),
    )


def _series_in_use(basin: Basin, varies: str) -> dict[str, Series]:
    """Series that give a value of a column which follows the hydrology, or the timeline."""
    return {
        column.name: basin.series[column.name]
        for table in basin.declared.values()
        for column in table.columns
        if column.varies == varies
        and any(of_table == table.name for of_table, _ in basin.in_series(column.name))
    }


def record_of(basin: Basin) -> tuple[np.datetime64, np.datetime64] | None:
    """First day, and day after the last, for which all series of the hydrology have values.

    None when the basin has no series that follow the hydrology.
    """
    lines = [series.timeline for series in _series_in_use(basin, "hydrology").values()]
    if not lines:
        return None
    return max(line.edges[0] for line in lines), min(line.edges[-1] for line in lines)


def _check_timeline_series(
    basin: Basin, timeline: Timeline, at: Position, findings: Findings
) -> None:
    for series in _series_in_use(basin, "timeline").values():
        line = series.timeline
        if not is_covered(timeline, Member("", 0), (line.edges[0], line.edges[-1])):
            findings.add(
                at,
                "E232",
                f"horizon is {timeline.starts[0]} to {timeline.last_days[-1]} but "
                f"{shown(series.path)} covers {line.starts[0]} to {line.last_days[-1]}; "
                "extend the series or move the timeline",
                CaseError,
            )


# --- keys of the case file ------------------------------------------------------------------


class _Keys(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def _date_text(value: Any) -> str:
    try:
        if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", value):
            raise ValueError
        return datetime.date.fromisoformat(value).isoformat()
    except (TypeError, ValueError):
        raise ValueError("must be a date, as 2030-06-01") from None


def _foresight(value: Any) -> Any:
    if value != "perfect":
        raise ValueError("must be perfect; this version looks ahead in no other way")
    return value


def _title(value: Any) -> Any:
    return {"en": value, "vi": value} if isinstance(value, str) else value


class TimelineKeys(_Keys):
    """Periods of the horizon."""

    start: Annotated[
        str,
        BeforeValidator(_date_text),
        Field(description="first day, YYYY-MM-DD", json_schema_extra={"format": "date"}),
    ]
    periods: Annotated[int, Field(strict=True, ge=1, le=100_000, description="number of periods")]
    step: Annotated[
        Literal["month", "dekad", "week", "day"],
        Field(description="length of a period; a dekad runs from the 1st, 11th or 21st"),
    ]


class DemandKeys(_Keys):
    """How the demands of the basin are changed."""

    year: Annotated[
        int | None,
        Field(strict=True, description="year to which demands are projected (projections.csv)"),
    ] = None
    scale: Annotated[dict[str, Factor], Field(description="sector -> factor on its demands")] = {}


class TitleKeys(_Keys):
    """Title by language."""

    en: str = ""
    vi: str = ""


class CaseKeys(_Keys):
    """A case: what is asked of a basin."""

    schema_version: Annotated[
        Literal[1], Field(alias="schema", description="version of the format of case files: 1")
    ]
    name: Annotated[
        str, Field(description="name of the case and of its results; default: that of the file")
    ]
    title: Annotated[
        TitleKeys, BeforeValidator(_title), Field(description="title, {en: ..., vi: ...}")
    ] = TitleKeys()
    description: Annotated[str, Field(description="what the case is for")] = ""
    extends: Annotated[
        str | None, Field(description="case that this one changes: a file beside it, or a name")
    ] = None
    basin: Annotated[
        str,
        Field(min_length=1, description="folder of the basin from the case file, or its name"),
    ]
    changes: Annotated[
        dict[str, dict[str, dict[str, Any]]],
        Field(description="table -> row -> column with its unit -> value, in place of the basin's"),
    ] = {}
    timeline: Annotated[TimelineKeys, Field(description="periods of the horizon")]
    hydrology: Annotated[
        Hydrology, Field(description="years of the record; default: all that cover the horizon")
    ] = Hydrology()
    demand: Annotated[DemandKeys, Field(description="changes of demand")] = DemandKeys()
    foresight: Annotated[
        Literal["perfect"],
        BeforeValidator(_foresight),
        Field(description="how far ahead allocations look: perfect, the whole horizon"),
    ] = "perfect"
    rules: Annotated[
        list[dict[str, Any]], Field(description="rules, each `rule: KIND` with its keys")
    ] = []
    without: Annotated[
        list[str], Field(description="names of rules of the extended case to leave out")
    ] = []
    goals: Annotated[
        list[dict[str, Any]],
        Field(min_length=1, description="goals in their order, each one key with its body"),
    ]


def case_schema() -> dict[str, Any]:
    """JSON Schema of case files, with every rule and goal that is installed."""
    rules, goals = find("rules"), find("goals")
    models = [CaseKeys, *rules.values(), *goals.values()]
    keys, both = models_json_schema([(model, "validation") for model in models])
    definitions = both["$defs"]

    def definition(model: type) -> tuple[str, dict[str, Any]]:
        reference = keys[model, "validation"]["$ref"]
        return reference, definitions[reference.split("/")[-1]]

    for kind, model in rules.items():
        body = definition(model)[1]
        body["properties"] = {"rule": {"const": kind}, **body["properties"]}
        body["required"] = ["rule", *body.get("required", [])]
    case = definitions.pop(definition(CaseKeys)[0].split("/")[-1])
    case["properties"]["rules"]["items"] = {
        "anyOf": [{"$ref": definition(model)[0]} for model in rules.values()]
    }
    case["properties"]["goals"]["items"] = {
        "anyOf": [
            {
                "type": "object",
                "properties": {kind: {"anyOf": [{"$ref": definition(m)[0]}, {"type": "string"}]}},
                "required": [kind],
                "additionalProperties": False,
            }
            for kind, m in goals.items()
        ]
    }
    title = case["properties"]["title"]
    case["properties"]["title"] = {
        "description": title.pop("description"),
        "anyOf": [title, {"type": "string"}],
    }
    # a case that extends another needs only what it changes, and a file has a name
    required = [key for key in case.pop("required") if key != "name"]
    case["anyOf"] = [{"required": ["extends"]}, {"required": required}]
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **case, "$defs": definitions}


# --- values with their places ---------------------------------------------------------------


@dataclass
class Item:
    """A value of a case file, and where it stands.

    Attributes
    ----------
    value : scalar, or items by key, or a list of items
    at, key_at : positions of the value and of its key
    folder : folder of the file, from which paths in it are read
    """

    value: Any
    at: Position
    key_at: Position
    folder: Path

    def get(self, *keys: Any) -> Item | None:
        """Item below, if there is one."""
        item: Item | None = self
        for key in keys:
            item = item.below(key) if item is not None else None
        return item

    def below(self, key: Any) -> Item | None:
        """Item of a key, or of a number in a list."""
        if isinstance(self.value, dict):
            return self.value.get(key)
        is_number = isinstance(self.value, list) and str(key).isdigit()
        return self.value[int(key)] if is_number and int(key) < len(self.value) else None

    def deepest(self, keys: Iterable[Any]) -> Item:
        """Item below, or the deepest that is there of those on the way to it."""
        item = self
        for key in keys:
            below = item.below(key)
            if below is None:
                break
            item = below
        return item

    def plain(self) -> Any:
        """Plain data; dates as text."""
        if isinstance(self.value, dict):
            return {key: item.plain() for key, item in self.value.items()}
        if isinstance(self.value, list):
            return [item.plain() for item in self.value]
        return self.value.isoformat() if isinstance(self.value, datetime.date) else self.value


def _items_of_file(file: YamlFile) -> Item:
    def wrap(value: Any, keys: tuple[Any, ...]) -> Item:
        if isinstance(value, dict):
            value = {key: wrap(below, (*keys, key)) for key, below in value.items()}
        elif isinstance(value, list):
            value = [wrap(below, (*keys, k)) for k, below in enumerate(value)]
        return Item(value, file.position(*keys), file.key_position(*keys), file.path.parent)

    return wrap(file.data, ())


def _items_of_data(value: Any, at: Position, folder: Path) -> Item:
    if isinstance(value, dict):
        value = {key: _items_of_data(below, at, folder) for key, below in value.items()}
    elif isinstance(value, list):
        value = [_items_of_data(below, at, folder) for below in value]
    return Item(value, at, at, folder)


def _label(item: Item) -> str:
    """Name of a rule, or kind of a goal, by which an entry of a list is known; "" without one."""
    if not isinstance(item.value, dict):
        return ""
    if "rule" in item.value:
        name = item.get("name")
        return str((name if name and name.value else item.value["rule"]).value)
    return str(next(iter(item.value))) if len(item.value) == 1 else ""


# --- finding files --------------------------------------------------------------------------


def bundled_folder() -> Path:
    """Folder that holds the ``cases/`` and ``basins/`` that come with the package."""
    package = Path(__file__).parent
    bundled = package / "bundled"
    return bundled if bundled.is_dir() else package.parent


def bundled_cases() -> dict[str, Path]:
    """Cases that come with the package, by name."""
    return {path.stem: path for path in sorted((bundled_folder() / "cases").glob("*.yaml"))}


def _is_path(text: str) -> bool:
    return "/" in text or "\\" in text or text.endswith(_ENDINGS)


def _find_case(text: str, folder: Path, at: Position, findings: Findings) -> Path | None:
    """Path of a case that is named by a path or by its name."""
    path = folder / text
    tried = [path]
    if not _is_path(text):
        tried += [folder / f"{text}.yaml", folder / "cases" / f"{text}.yaml"]
        tried += [bundled for name, bundled in bundled_cases().items() if name == text]
    for candidate in tried:
        if candidate.is_file():
            return candidate
    if path.is_dir():
        findings.add(at, "E102", f"'{text}' is a directory; must be a case file", CaseError)
        return None
    if _is_path(text):
        near = suggest(path.name, _names_beside(path))
        what = f"case file '{text}' is missing{near or '; give the path of one'}"
        findings.add(at, "E101", what, CaseError)
        return None
    here = {p.stem for f in (folder, folder / "cases") for p in f.glob("*.yaml")}
    places = listed(f"'{shown(place)}'" for place in tried)
    known = sorted({*here, *bundled_cases()})
    findings.add(
        at,
        "E305",
        f"case '{text}' cannot be found; searched {places} and the cases of the package"
        f"{suggest(text, known) or '; give a path, or one of these names: ' + listed(known)}",
        CaseError,
    )
    return None


def _find_basin(item: Item, findings: Findings) -> Path | None:
    """Folder of a basin that is named by a path or by its name."""
    text = item.value
    path = item.folder / text
    bundled = bundled_folder() / "basins"
    if path.is_dir():
        return path
    if path.exists():
        what = f"basin '{text}' is a file; must be the folder of a basin"
        findings.add(item.at, "E102", what, CaseError)
        return None
    if not _is_path(text) and (bundled / text).is_dir():
        return bundled / text
    names = _names_beside(path) if _is_path(text) else [*_names_beside(path), *_folders(bundled)]
    places = f"'{shown(path)}'" + ("" if _is_path(text) else " and the basins of the package")
    findings.add(
        item.at,
        "E305",
        f"basin '{text}' cannot be found; searched {places}"
        f"{suggest(path.name, names) or '; give the path of its folder from the case file'}",
        CaseError,
    )
    return None


def _names_beside(path: Path) -> list[str]:
    return sorted(p.name for p in path.parent.iterdir()) if path.parent.is_dir() else []


def _folders(path: Path) -> list[str]:
    return sorted(p.name for p in path.iterdir() if p.is_dir()) if path.is_dir() else []


# --- extends and --set ----------------------------------------------------------------------


class _Chain:
    """Reads a case file and those it extends, and merges them.

    Attributes
    ----------
    files : every file that was read, the case first
    is_whole : all of them could be read
    """

    def __init__(self, findings: Findings) -> None:
        self.findings = findings
        self.files: list[Path] = []
        self.is_whole = True

    def read(self, path: Path) -> Item | None:
        file = read_yaml(path, self.findings)
        self.files.append(path)
        if not file.is_sound:
            self.is_whole = False
            return None
        case = _items_of_file(file)
        extends = case.get("extends")
        if extends is None:
            without = case.value.pop("without", None)
            if without is not None:
                self._fault(
                    without.key_at,
                    "E303",
                    "without drops rules of an extended case but this case extends none; "
                    "remove it, or add extends",
                )
            return case
        parent = self._read_parent(extends)
        if parent is None:
            self.is_whole = False
            return case
        return self._extend(parent, case)

    def _read_parent(self, extends: Item) -> Item | None:
        if not isinstance(extends.value, str):
            what = f"extends is {_shown_value(extends)}; must be the name or path of a case"
            self._fault(extends.at, "E303", what)
            return None
        path = _find_case(extends.value, extends.folder, extends.at, self.findings)
        if path is None:
            return None
        before = [file.resolve() for file in self.files]
        if path.resolve() in before:
            circle = [*self.files[before.index(path.resolve()) :], path]
            self._fault(
                extends.at,
                "E304",
                f"cases extend each other in a circle: {' -> '.join(shown(p) for p in circle)}; "
                "remove one extends",
            )
            return None
        return self.read(path)

    def _extend(self, parent: Item, child: Item) -> Item:
        base = {key: item for key, item in parent.value.items() if key not in _OWN}
        own = {key: item for key, item in child.value.items() if key != "without"}
        rules = own.pop("rules", None)
        merged = _merge(Item(base, *_places(parent)), Item(own, *_places(child)))
        self.drop_rules(merged, child.get("without"))
        if rules is not None:
            merged.value["rules"] = _merge_rules(base.get("rules"), rules)
        return merged

    def drop_rules(self, case: Item, without: Item | None) -> None:
        """Leave out the rules named by ``without``."""
        rules = case.get("rules")
        if without is None or not isinstance(without.value, list):
            if without is not None:
                what = f"without is {_shown_value(without)}; must be a list of rule names"
                self._fault(without.at, "E303", what)
            return
        entries = rules.value if rules and isinstance(rules.value, list) else []
        known = [_label(entry) for entry in entries]
        for item in without.value:
            if item.value not in known and self.is_whole:
                near = suggest(item.value, known) or f"; rules are {listed(known) or 'none'}"
                what = f"there is no rule '{item.value}' to leave out{near}"
                self._fault(item.at, "E311", what)
        drop = [item.value for item in without.value]
        if rules and isinstance(rules.value, list):
            rules.value[:] = [entry for entry in entries if _label(entry) not in drop]

    def _fault(self, at: Position, code: str, text: str) -> None:
        self.findings.add(at, code, text, CaseError)


def _places(item: Item) -> tuple[Position, Position, Path]:
    return item.at, item.key_at, item.folder


def _merge(base: Item, top: Item) -> Item:
    if not (isinstance(base.value, dict) and isinstance(top.value, dict)):
        return top
    merged = dict(base.value)
    for key, item in top.value.items():
        if key == "hydrology" and key in merged:
            _drop_choices(merged[key], item.value if isinstance(item.value, dict) else ())
        merged[key] = _merge(merged[key], item) if key in merged else item
    return Item(merged, *_places(top))


def _drop_choices(hydrology: Item, keys: Iterable[Any]) -> None:
    """Forget which years a hydrology chooses where others are chosen on top of it."""
    if set(_CHOICES) & set(keys) and isinstance(hydrology.value, dict):
        hydrology.value = {k: v for k, v in hydrology.value.items() if k not in _CHOICES}


def _merge_rules(base: Item | None, top: Item) -> Item:
    if base is None or not (isinstance(base.value, list) and isinstance(top.value, list)):
        return top
    rules = list(base.value)
    place = {_label(rule): k for k, rule in reversed(list(enumerate(rules))) if _label(rule)}
    for rule in top.value:
        k = place.pop(_label(rule), None)
        if k is None:
            rules.append(rule)
        else:
            rules[k] = rule
    return Item(rules, *_places(top))


def _apply(case: Item, changes: Mapping[str, str], findings: Findings) -> None:
    """Put the values of ``--set a.b=c`` in their places."""
    for path, text in changes.items():
        at = Position(f"--set {path}={text}")
        try:
            value = YAML(typ="safe", pure=True).load(text)
        except (YAMLError, ValueError) as error:
            what = str(getattr(error, "problem", None) or error).splitlines()[0]
            findings.add(at, "E105", f"'{text}' is not valid YAML: {what}; quote it", CaseError)
            continue
        fault = _set(case, path.split("."), _items_of_data(value, at, Path.cwd()))
        if fault:
            findings.add(at, "E301", fault, CaseError)


def _set(case: Item, keys: list[str], new: Item) -> str:
    """Set an item; returns the text of a fault, or ""."""
    if keys[0] == "extends":
        return "extends cannot be set from outside; name the other case in place of this one"
    item = case
    for k, key in enumerate(keys):
        where = f"'{'.'.join(keys[:k])}'" if k else "the case"
        if not key:
            return "a key is empty; write it as a.b=value"
        if item.value is None:
            item.value = {}
        if isinstance(item.value, list):
            found = _entry(item.value, key)
            if isinstance(found, str):
                return where + found
            container, slot = found
        elif isinstance(item.value, dict):
            container, slot = item.value, key
        else:
            return f"{where} is {_shown_value(item)} and holds no key '{key}'; set {where} itself"
        if k == len(keys) - 1:
            if item is case.get("hydrology") and key in _CHOICES:
                kept = {c: v for c, v in container.items() if v.at.file.startswith("--set ")}
                others = {c: v for c, v in container.items() if c not in _CHOICES}
                item.value = container = {**others, **kept}
            container[slot] = new
            return ""
        if isinstance(container, dict) and slot not in container:
            container[slot] = Item({}, new.at, new.at, new.folder)
        item = container[slot]
    return ""


def _entry(entries: list[Item], key: str) -> tuple[Any, Any] | str:
    """Container and key of a list's entry, by its number or name; else the tail of a message."""
    if key.isdigit():
        if int(key) < len(entries):
            return entries, int(key)
        return f" has no entry {key}; it has {len(entries)}, counted from 0"
    labels = [_label(entry) for entry in entries]
    if labels.count(key) > 1:
        numbers = " or ".join(str(k) for k, label in enumerate(labels) if label == key)
        return f" has several entries '{key}'; take one by its number, counted from 0: {numbers}"
    if key not in labels:
        known = [label for label in labels if label]
        tail = suggest(key, known) or f"; it has {listed(known) or 'none with a name'}"
        return f" has no entry '{key}'{tail}"
    k = labels.index(key)
    # a goal is known by its one key, and its body is what is meant
    return (entries, k) if "rule" in entries[k].value else (entries[k].value, key)


# --- faults in words ------------------------------------------------------------------------

_MUST: dict[str, str] = {
    "int_type": "be a whole number",
    "int_parsing": "be a whole number",
    "int_from_float": "be a whole number",
    "float_type": "be a number",
    "float_parsing": "be a number",
    "finite_number": "be a finite number",
    "bool_type": "be true or false",
    "bool_parsing": "be true or false",
    "string_type": "be text",
    "path_type": "be a path",
    "list_type": "be a list, as [a, b]",
    "tuple_type": "be a list, as [a, b]",
    "dict_type": "be keys with values",
    "model_type": "be keys with values",
    "model_attributes_type": "be keys with values",
    "greater_than_equal": "be {ge:g} or more",
    "greater_than": "be more than {gt:g}",
    "less_than_equal": "be {le:g} or less",
    "less_than": "be less than {lt:g}",
    "literal_error": "be {expected}",
    "enum": "be {expected}",
    "too_short": "have at least {min_length}",
    "too_long": "have at most {max_length}",
    "string_too_short": "have a value",
    "union_tag_invalid": "be a number, pattern:NAME, or keys with a value",
}
# said of a whole value, these say nothing where something within it has a fault of its own
_OF_WHOLE = {k for k in _MUST if k.endswith(("_type", "_parsing"))} | {"literal_error", "too_short"}


def _shown_value(item: Item) -> str:
    value = item.value
    if value is None or value == "":
        return "empty"
    if isinstance(value, dict):
        return "keys with values"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:g}"
    return str(value) if isinstance(value, int) else f"'{value}'"


@dataclass(frozen=True)
class _Finding:
    path: tuple[Any, ...]
    item: Item
    code: str
    type: str
    text: str
    key: str = ""
    near: str = ""


class _Checker:
    """Checks a part of a case file against its model, and puts the faults in plain words."""

    def __init__(self, findings: Findings, *, is_whole: bool = True) -> None:
        self.findings, self.is_whole = findings, is_whole

    def check(
        self,
        model: type[BaseModel],
        item: Item,
        name: str,
        extra: Mapping[str, Any] | None = None,
        without: Sequence[str] = (),
    ) -> Any:
        """Build the model from an item; None after faults.

        Parameters
        ----------
        name : what the item is, in words
        extra : keys that the case file leaves out
        without : keys of the item that are not the model's
        """
        data = item.plain()
        if isinstance(data, dict):
            data = {**(extra or {}), **{k: v for k, v in data.items() if k not in without}}
        try:
            return model.model_validate(data, context={"folder": item.folder})
        except ValidationError as error:
            faults = [self._finding(model, item, name, fault) for fault in error.errors()]
            self._add(faults)
            return None

    def _finding(self, model: type[BaseModel], root: Item, name: str, fault: Any) -> _Finding:
        kind, loc, context = fault["type"], fault["loc"], fault.get("ctx") or {}
        path: list[Any] = []
        item = root
        for key in loc:
            # a step that is no key of the data tells which way of writing the value was tried
            below = item.below(key)
            if below is not None:
                item = below
                path.append(key)
        if kind in ("extra_forbidden", "invalid_key"):
            known = _keys_at(model, loc[:-1])
            key, where = str(loc[-1]), _where(path[:-1], name)
            hint = suggest(key, known)
            near = hint.split("'")[1] if hint else ""
            tail = hint or (f"; its keys are {listed(known, 30)}" if known else "; remove it")
            what = f"unknown key '{key}' in {where}{tail}"
            return _Finding(tuple(path[:-1]), item, "E301", kind, what, key, near)
        if kind == "missing":
            key = str(loc[-1])
            meaning = _keys_at(model, loc[:-1]).get(key, "")
            what = f"{_where(path, name)} has no key '{key}'; add it" + (meaning and f": {meaning}")
            return _Finding(tuple(path), item, "E302", kind, what, key)
        if kind in CODES:
            return _Finding(tuple(path), item, kind, kind, fault["msg"])
        if kind in ("value_error", "assertion_error"):
            text = str(context.get("error", fault["msg"]))
        elif kind in _MUST:
            text = "must " + _MUST[kind].format(**context)
            if kind in ("too_short", "too_long"):
                text += " entry" if list(context.values())[1:2] == [1] else " entries"
            if kind in ("literal_error", "enum") and isinstance(item.value, str):
                text += suggest(item.value, re.findall(r"'([^']+)'", context["expected"]))
        else:
            text = re.sub("^(Input|String|Value|Keys?) should ", "must ", fault["msg"])
        return _Finding(tuple(path), item, "E303", kind, text, _called(path, name))

    def _add(self, faults: list[_Finding]) -> None:
        meant = {(f.path, f.near) for f in faults if f.near}
        of_value: dict[tuple[Any, ...], list[_Finding]] = {}
        not_finite = {fault.at for fault, _ in self.findings.faults if fault.code == "E204"}
        for fault in faults:
            if fault.code == "E303" and fault.item.at in not_finite:
                continue  # told when the file was read
            if fault.code == "E303":
                if not any(
                    _is_below(other.path, fault.path) for other in faults if fault.type in _OF_WHOLE
                ):
                    of_value.setdefault(fault.path, []).append(fault)
            elif fault.code == "E302":
                if self.is_whole and (fault.path, fault.key) not in meant:
                    at = fault.item.key_at if fault.path else fault.item.at
                    self.findings.add(at, fault.code, fault.text, CaseError)
            else:
                at = fault.item.key_at if fault.code == "E301" else fault.item.at
                self.findings.add(at, fault.code, fault.text, CaseError)
        for group in of_value.values():
            first = group[0]
            texts = list(dict.fromkeys(fault.text for fault in group))
            text = texts[0] + "".join(
                " or " + re.sub("^must (be )?", "", other) for other in texts[1:]
            )
            is_whole_value = isinstance(first.item.value, (dict, list)) and first.type not in _MUST
            joint = ": " if is_whole_value else f" is {_shown_value(first.item)}; "
            self.findings.add(first.item.at, "E303", f"{first.key}{joint}{text}", CaseError)


def _is_below(path: tuple[Any, ...], other: tuple[Any, ...]) -> bool:
    return len(path) > len(other) and path[: len(other)] == other


def _where(path: Sequence[Any], name: str) -> str:
    """Name a place in a case, for use within a sentence."""
    if not path:
        return name
    dotted = ".".join(str(key) for key in path)
    return f"'{dotted}'" if name == "the case" else f"'{dotted}' of {name}"


def _called(path: Sequence[Any], name: str) -> str:
    """Name a value, at the start of a sentence."""
    if not path:
        return name
    dotted = ".".join(str(key) for key in path)
    return dotted if name == "the case" else f"{dotted} of {name}"


def _keys_at(model: type[BaseModel], loc: Sequence[Any]) -> dict[str, str]:
    """Keys that a model takes at a place, with their meanings, from its JSON Schema."""
    try:
        root = model.model_json_schema()
    except PydanticInvalidForJsonSchema:
        fields = model.model_fields.items() if not loc else ()
        return {info.alias or key: info.description or "" for key, info in fields}

    def spread(schema: dict[str, Any]) -> list[dict[str, Any]]:
        if "$ref" in schema:
            return spread(root["$defs"][schema["$ref"].split("/")[-1]])
        ways = [*schema.get("anyOf", ()), *schema.get("oneOf", ()), *schema.get("allOf", ())]
        return [schema, *(found for way in ways for found in spread(way))]

    schemas = spread(root)
    for key in loc:
        below: list[dict[str, Any]] = []
        for schema in schemas:
            if isinstance(key, int):
                step = schema.get("items")
            else:
                step = schema.get("properties", {}).get(key) or schema.get("additionalProperties")
            if isinstance(step, dict):
                below += spread(step)
        schemas = below or schemas
    return {
        key: way.get("description", "")
        for schema in schemas
        for key, way in schema.get("properties", {}).items()
    }


# --- reading --------------------------------------------------------------------------------


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
    at = Position(shown(text) if _is_path(text) else text)
    path = _find_case(text, Path(), at, findings)
    case = None
    if path is not None:
        case = _Reader(path, changes or {}, findings).read()
    findings.raise_if_any()
    assert case is not None
    return case


class _Reader:
    """Reads one case, step by step; later steps skip what earlier ones found broken."""

    def __init__(self, path: Path, changes: Mapping[str, str], findings: Findings) -> None:
        self.path, self.changes, self.findings = path, changes, findings

    def read(self) -> Case | None:
        chain = _Chain(self.findings)
        items = chain.read(self.path)
        if items is None:
            return None
        _apply(items, self.changes, self.findings)
        items.value.pop("extends", None)
        chain.drop_rules(items, items.value.pop("without", None))
        self.items, self.is_whole = items, chain.is_whole
        keys = self._keys()
        basin, is_sound = self._basin()
        timeline = self._timeline(basin)
        rules = self._rules(basin, is_sound)
        goals = self._goals(basin, is_sound)
        item = items.get("hydrology")
        # its own faults are found among the keys of the case
        hydrology = _Checker(Findings()).check(Hydrology, item, "") if item else Hydrology()
        members: tuple[Member, ...] = ()
        scale: dict[str, float] = {}
        if basin is not None and hydrology is not None:
            scale = self._scale(hydrology, basin, is_sound)
        if basin is not None and timeline is not None:
            _check_timeline_series(basin, timeline, self._at("timeline"), self.findings)
            if hydrology is not None and (is_sound or record_of(basin)):
                members = self._members(hydrology, basin, timeline, scale, is_sound)
        if basin is not None:
            self._check_demand(basin, is_sound)
        if self.findings or keys is None or basin is None or timeline is None:
            return None
        return Case(
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
            goals=tuple(goals),
            foresight=keys.foresight,
            demand_year=keys.demand.year,
            demand_scale=keys.demand.scale,
            inflow_scale=scale,
            files=tuple(chain.files),
            resolved={"name": keys.name, **items.plain()},
        )

    def _fault(self, at: Position, code: str, text: str) -> None:
        self.findings.add(at, code, text, CaseError)

    def _at(self, *keys: Any) -> Position:
        item = self.items.deepest(keys)
        return item.key_at if isinstance(item.value, (dict, list)) else item.at

    def _keys(self) -> CaseKeys | None:
        checker = _Checker(self.findings, is_whole=self.is_whole)
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
        folder = _find_basin(item, self.findings)
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
        keys = _Checker(Findings()).check(TimelineKeys, item, "")
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
            checker = _Checker(self.findings)
            rule = checker.check(kinds[kind.value], item, f"rule '{text}'", extra, ("rule",))
            if rule is None:
                continue
            rules.append((rule, item.at))
            if rule.soft is not None and n_goals and rule.soft.goal > n_goals + 1:
                self._fault(
                    item.deepest(("soft", "goal")).at,
                    "E303",
                    f"soft.goal of rule '{text}' is {rule.soft.goal} but the case has {n_goals} "
                    f"goals; must be from 1 to {n_goals + 1} (after the last)",
                )
            self._check_names(rule, item, basin, is_sound)
        return rules

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

    def _goals(self, basin: Basin | None, is_sound: bool) -> list[Goal]:
        kinds = find("goals")
        goals: list[Goal] = []
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
            goal = _Checker(self.findings).check(kinds[kind], body, f"goal {number} ({kind})")
            if goal is not None:
                goals.append(goal)
                self._check_names(goal, body, basin, is_sound)
        return goals

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

    def _scale(self, hydrology: Hydrology, basin: Basin, is_sound: bool) -> dict[str, float]:
        if not basin.tables["nodes"].attrs["is_read"]:
            return {}
        sub_basins = dict(basin.tables["nodes"]["sub_basin"])
        # where the basin has faults, a node's inflow may be what could not be read
        with_inflow = list(basin.values("nodes", "inflow") if is_sound else sub_basins)
        factors, faults = factors_by_node(hydrology.scale, sub_basins, with_inflow)
        for key, code, text in faults:
            item = self.items.deepest(("hydrology", "scale", key))
            self._fault(item.key_at, code, text)
        return factors

    def _members(
        self,
        hydrology: Hydrology,
        basin: Basin,
        timeline: Timeline,
        scale: dict[str, float],
        is_sound: bool,
    ) -> tuple[Member, ...]:
        def totals(members: tuple[Member, ...]) -> np.ndarray:
            case = Case("", basin, timeline, members, inflow_scale=scale)
            volumes = case.volumes("nodes", "inflow").values()
            return np.sum([v.sum(axis=1) for v in volumes], axis=0)

        if hydrology.exceedance is not None and not is_sound:
            return ()
        members, faults = hydrology.choose(timeline, record_of(basin), totals)
        for key, code, text in faults:
            keys = ("hydrology", *key.split(".")) if self.items.get("hydrology") else ("timeline",)
            self._fault(self._at(*keys), code, text)
        return members

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
