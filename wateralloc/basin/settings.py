"""The file ``basin.yaml``."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from wateralloc.errors import Findings, listed, or_do, suggest
from wateralloc.tables import NAMES_ARE, YamlFile, is_identifier
from wateralloc.units import split_unit


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Label(_Strict):
    """Names of a thing in English and Vietnamese."""

    en: str = ""
    vi: str = ""


LABELLED = ("regions", "provinces", "sub_basins", "sectors")
"""Keys with names and their labels."""


class Province(Label):
    """Names of a province, and its region."""

    region: str = ""


def _named(value: Any) -> Any:
    """Take a plain name for a label in English."""
    return {"en": value} if isinstance(value, str) else value


def _labels(value: Any) -> Any:
    """Take a list of names, or names without labels, for a mapping to labels."""
    if isinstance(value, list):
        return {name: {} for name in value}
    if isinstance(value, dict):
        return {name: {} if label is None else _named(label) for name, label in value.items()}
    return {} if value is None else value


class BasinFile(_Strict):
    """Keys of ``basin.yaml``; keys that start with ``meta_`` are free."""

    schema_version: Annotated[
        Literal[1], Field(alias="schema", description="version of the format")
    ]
    name: Annotated[
        Label, BeforeValidator(_named), Field(description="name of the basin, {en: ..., vi: ...}")
    ]
    description: Annotated[str, Field(default="", description="what it is, in a few words")]
    currency: Annotated[
        str, Field(default="", pattern="^[A-Z]{3}$", description="currency of prices, e.g. VND")
    ]
    water_year_start: Annotated[
        int, Field(default=1, ge=1, le=12, description="month in which the water year starts")
    ]
    base_year: Annotated[
        int | None, Field(default=None, description="year of the demands in demands.csv")
    ]
    licence: Annotated[str, Field(default="", description="licence of the tables")]
    sources: Annotated[str, Field(default="", description="file that says where figures come from")]
    regions: Annotated[
        dict[str, Label],
        BeforeValidator(_labels),
        Field(default={}, description="who shares water: name -> {en, vi}"),
    ]
    provinces: Annotated[
        dict[str, Province],
        BeforeValidator(_labels),
        Field(default={}, description="name -> {en, vi, region}"),
    ]
    sub_basins: Annotated[
        dict[str, Label],
        BeforeValidator(_labels),
        Field(
            default={},
            description="rivers that nodes belong to: name -> {en, vi}; without the "
            "key the names in nodes.csv are all there are",
        ),
    ]
    sectors: Annotated[
        dict[str, Label],
        BeforeValidator(_labels),
        Field(default={}, description="what water is for, in their order: name -> {en, vi}"),
    ]


def read_settings(
    file: YamlFile, findings: Findings
) -> tuple[BasinFile | None, dict[str, list[str]]]:
    """Check what basin.yaml says.

    Returns
    -------
    settings : None after a fault
    names : regions, provinces, sub-basins where they are listed, and sectors -> names, also after
        a fault elsewhere in the file
    """
    if not file.is_sound:
        return None, {}
    data = _without_meta(file.data)
    names = {}
    for key in LABELLED:
        labels = _labels(data.get(key))
        if isinstance(labels, dict) and (labels or key != "sub_basins"):
            names[key] = [str(name) for name in labels]
            for k, name in enumerate(names[key]):
                if not is_identifier(name):
                    at = k if isinstance(data[key], list) else name
                    findings.add(
                        file.key_position(key, at),
                        "E210",
                        f"name '{name}' under {key} is not valid; {NAMES_ARE}",
                    )
    try:
        settings = BasinFile.model_validate(data)
    except ValidationError as error:
        for fault in error.errors():
            _add_setting(file, fault, findings)
        return None, names
    for name, province in settings.provinces.items():
        if province.region and province.region not in settings.regions:
            findings.add(
                file.position("provinces", name, "region"),
                "E211",
                f"region '{province.region}' of province '{name}' does not exist"
                f"{or_do(suggest(province.region, settings.regions), 'declare it under regions')}",
            )
    return settings, names


def _without_meta(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            key: _without_meta(item)
            for key, item in value.items()
            if not str(key).startswith("meta_")
        }
    return value


def _add_setting(file: YamlFile, fault: Any, findings: Findings) -> None:
    keys = tuple(key for key in fault["loc"] if key != "[key]")
    name = ".".join(str(key) for key in keys)
    if fault["type"] == "missing":
        findings.add(file.position(*keys[:-1]), "E302", f"required key '{name}' is missing; add it")
    elif fault["type"] == "extra_forbidden":
        model: type[BaseModel] = BasinFile if len(keys) == 1 else Label
        if len(keys) == 3 and keys[0] == "provinces":
            model = Province
        known = [info.alias or key for key, info in model.model_fields.items()]
        base = split_unit(str(keys[-1]))[0]
        hint = (
            f"; keys here have no unit: write '{base}'"
            if base in known and base != keys[-1]
            else suggest(str(keys[-1]), known) or f"; keys here are {listed(known)}, or meta_..."
        )
        findings.add(file.key_position(*keys), "E301", f"unknown key '{name}'{hint}")
    else:
        must = re.sub("^(Input|String|Keys) should", "must", fault["msg"])
        if fault["type"] == "string_pattern_mismatch":
            must = "must be three capital letters, e.g. VND"
        if fault["type"] in ("model_type", "dict_type"):
            must = "must be keys with values"
        findings.add(file.position(*keys), "E303", f"{name} is {fault['input']!r}; {must}")


def by_language(label: Label, name: str) -> dict[str, str]:
    """Names by language; where one is missing, the other or the plain name stands in."""
    names = {key: value for key, value in label.model_dump().items() if value}
    return {"en": name, "vi": names.get("en", name)} | names
