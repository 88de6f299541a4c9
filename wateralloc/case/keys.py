"""Keys of the case file, and their JSON Schema."""

from __future__ import annotations

import datetime
import re
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.json_schema import models_json_schema

from wateralloc.case.foresight import Foresight, read_foresight
from wateralloc.catalogue import find
from wateralloc.hydrology import Factor, Hydrology


class _Keys(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def _date_text(value: Any) -> str:
    try:
        if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", value):
            raise ValueError
        return datetime.date.fromisoformat(value).isoformat()
    except (TypeError, ValueError):
        raise ValueError("must be a date, as 2030-06-01") from None


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


def _linearisation(value: Any) -> Any:
    if isinstance(value, str):
        if value not in ("fixed", "updated"):
            raise ValueError("must be updated or fixed, or {passes: 15, tolerance: 0.001}")
        return {"passes": 1} if value == "fixed" else {}
    return value


class LinearisationKeys(_Keys):
    """How often what is not linear (head, lake area, splits) is updated."""

    passes: Annotated[
        int, Field(strict=True, ge=1, le=100, description="most passes; 1: never updated")
    ] = 15
    tolerance: Annotated[
        float,
        Field(
            gt=0,
            lt=1,
            description="passes end when storages move by less than ten times this share of their "
            "range and no goal can gain more than this share",
        ),
    ] = 1e-3

    @property
    def is_updated(self) -> bool:
        """Tell whether lines move after the first pass."""
        return self.passes > 1


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
        Foresight,
        BeforeValidator(read_foresight),
        Field(
            description="how far ahead allocations look: perfect, the whole horizon; simulate, one "
            "period at a time; rolling, a window with a forecast; two_stage, some decisions the "
            "same in all members"
        ),
    ] = Foresight()
    linearisation: Annotated[
        LinearisationKeys,
        BeforeValidator(_linearisation),
        Field(
            description="updated: what is not linear is solved again at its result until it stands "
            "still; fixed: one pass, at fixed heads"
        ),
    ] = LinearisationKeys()
    integers: Annotated[
        bool,
        Field(
            strict=True,
            description="whether rules may have decisions of yes or no, such as triggers by "
            "storage; goes with linearisation: fixed",
        ),
    ] = False
    riverbed: Annotated[
        int | None,
        Field(
            strict=True,
            description="year whose river bed holds: rating curves and splits; default: the year "
            "in which the horizon starts",
        ),
    ] = None
    works: Annotated[
        dict[str, Annotated[str, BeforeValidator(_date_text)]],
        Field(description="work of works.csv -> day on which it opens, YYYY-MM-DD"),
    ] = {}
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
    passes = case["properties"]["linearisation"]
    case["properties"]["linearisation"] = {
        "description": passes.pop("description"),
        "anyOf": [passes, {"enum": ["updated", "fixed"]}],
    }
    foresight = case["properties"]["foresight"]
    own = definitions.pop("Foresight")["properties"]
    case["properties"]["foresight"] = {
        "description": foresight["description"],
        "anyOf": [
            {"enum": ["perfect", "simulate"]},
            *(
                {
                    "type": "object",
                    "properties": {mode: own[mode]["anyOf"][0]},
                    "required": [mode],
                    "additionalProperties": False,
                }
                for mode in ("simulate", "rolling", "two_stage")
            ),
        ],
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
