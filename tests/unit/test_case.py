import json

import numpy as np
import pytest

from tests.basins import month_starts, tiny_basin, tiny_parts, write_basin
from wateralloc.basin import read_basin
from wateralloc.case import (
    build_case,
    bundled_folder,
    case_schema,
    read_case,
    record_of,
)
from wateralloc.catalogue import find
from wateralloc.errors import InputError, Position
from wateralloc.hydrology import Member
from wateralloc.rules.quota import Quota
from wateralloc.timeline import Timeline

CASE = """\
schema: 1
basin: basin
timeline: {start: 2030-01-01, periods: 12, step: month}
rules:
  - rule: quota
    sectors: [irrigation]
    volume_hm3: 50
  - rule: minimum_delivery
    name: delta
    at: town
    flow_m3s: {months: [1, 2], value: 1}
goals:
  - meet: {sectors: [domestic]}
  - minimise: spill
"""
YEAR = Timeline("2030-01-01", 12, "month")
TWO_YEARS = {
    "inflow_m3s": {"date": month_starts("2001-01", 24), "spring": range(24), "lake": [7.0] * 24}
}


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder with the tiny basin, two years of record, and a case; it is the working folder."""
    monkeypatch.chdir(tmp_path)
    tiny_basin(tmp_path / "basin", series=TWO_YEARS)
    write(tmp_path / "case.yaml", CASE)
    return tmp_path


def write(path, text):
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")


def faults_of(*arguments, **keywords):
    with pytest.raises(InputError) as caught:
        read_case(*arguments, **keywords)
    return [str(fault) for fault in caught.value.faults]


# --- the case -------------------------------------------------------------------------------


def test_a_case_holds_what_its_file_says(here):
    write(
        here / "case.yaml",
        CASE
        + """\
title: {vi: Chia sẻ}
description: Who gets what
hydrology: {year: 2002-01, scale: 0.5}
demand: {year: 2030, scale: {irrigation: 0.9}}
""",
    )
    case = read_case(here / "case.yaml")
    assert (case.name, case.title) == ("case", {"en": "Chia sẻ", "vi": "Chia sẻ"})
    assert case.description == "Who gets what"
    assert case.timeline == YEAR
    assert case.members == (Member("2002-01", -28),)
    assert (case.n_members, case.n_periods) == (1, 12)
    assert [rule.name for rule in case.rules] == ["quota", "delta"]
    assert case.rule_positions == (Position("case.yaml", 5, 5), Position("case.yaml", 8, 5))
    assert [goal.kind for goal in case.goals] == ["meet", "minimise"]
    assert (case.foresight.mode, case.demand_year) == ("perfect", 2030)
    assert case.demand_scale == {"irrigation": 0.9}
    assert case.inflow_scale == {"spring": 0.5, "lake": 0.5}
    assert case.files == (here / "case.yaml",)
    assert case.resolved["timeline"] == {"start": "2030-01-01", "periods": 12, "step": "month"}
    json.dumps(case.resolved)


def test_the_water_year_is_that_of_the_basin(here):
    tiny_basin(here / "basin", series=TWO_YEARS, yaml={"water_year_start": 6})
    assert read_case("case.yaml").timeline.water_year_start == 6


def test_attributes_follow_the_members_and_the_timeline(here):
    case = read_case("case.yaml")
    inflow = case.attribute("nodes", "inflow")
    assert list(inflow) == ["spring", "lake"]
    np.testing.assert_array_equal(inflow["spring"], np.arange(24.0).reshape(2, 12))
    capacity = case.attribute("links", "capacity")
    assert list(capacity) == ["outlet"]
    np.testing.assert_array_equal(capacity["outlet"], np.full((2, 12), 50.0))
    limit = case.attribute("reservoirs", "flood_limit")["lake"]
    # 80 from 15 June to 15 September, else 100
    assert limit[0, 5] == pytest.approx((14 * 100 + 16 * 80) / 30, rel=1e-14)
    assert limit[1, 6] == 80
    at_end = case.attribute("reservoirs", "flood_limit", at_end=True)["lake"]
    assert at_end[0].tolist() == [100] * 5 + [80] * 3 + [100] * 4
    for array in (inflow["spring"], capacity["outlet"], limit, at_end):
        assert array.shape == (2, 12)
        with pytest.raises(ValueError, match="read-only"):
            array[0, 0] = 1


def test_volumes_have_the_true_length_of_the_period(here):
    case = read_case("case.yaml", {"timeline.start": "2028-01-01"})
    volume = case.volumes("nodes", "inflow")["lake"]
    days = np.array([31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])
    np.testing.assert_allclose(volume, np.broadcast_to(7 * 0.0864 * days, (2, 12)), rtol=1e-14)
    assert not volume.flags.writeable
    with pytest.raises(ValueError, match="is no flow"):
        case.volumes("reservoirs", "normal")


def test_a_scale_moves_only_the_inflow(here):
    case = read_case("case.yaml", {"hydrology.scale": "{main: 0.5}"})
    plain = read_case("case.yaml")
    for node, factor in (("spring", 0.5), ("lake", 1.0)):
        np.testing.assert_allclose(
            case.attribute("nodes", "inflow")[node],
            factor * plain.attribute("nodes", "inflow")[node],
            rtol=1e-15,
        )
    assert case.attribute("links", "capacity")["outlet"][0, 0] == 50


def test_series_that_follow_the_timeline_have_the_dates_of_the_case(here):
    demands = [d for d in tiny_parts()["demands"] if d["name"] == "town_domestic"]
    demands[0].pop("annual_hm3")
    series = TWO_YEARS | {
        "demand_m3s": {"date": month_starts("2029-01", 24), "town_domestic": range(24)}
    }
    tiny_basin(here / "basin", series=series, demands=demands)
    case = read_case("case.yaml", {"rules": "[]"})
    demand = case.attribute("demands", "demand")["town_domestic"]
    np.testing.assert_array_equal(demand, np.broadcast_to(np.arange(12.0, 24.0), (2, 12)))
    ends = case.attribute("demands", "demand", at_end=True)["town_domestic"]
    np.testing.assert_array_equal(ends, demand)
    assert faults_of("case.yaml", {"rules": "[]", "timeline.start": "2031-01-01"}) == [
        "case.yaml:3:1: E232 horizon is 2031-01-01 to 2031-12-31 but "
        "basin/series/demand_m3s.csv covers 2029-01-01 to 2030-12-31; "
        "extend the series or move the timeline"
    ]


def test_a_limit_on_storage_is_a_state_not_an_amount(here):
    parts = tiny_parts()
    parts["reservoirs"][0].pop("flood_limit_hm3")
    limits = {"date": month_starts("2030-01", 12), "lake": [80] * 12}
    series = TWO_YEARS | {"flood_limit_hm3": limits}
    write_basin(here / "basin", **parts | {"series": series})
    case = read_case("case.yaml", {"timeline": "{start: 2030-01-01, periods: 36, step: dekad}"})
    limit = case.attribute("reservoirs", "flood_limit")["lake"]
    np.testing.assert_allclose(limit, np.full((2, 36), 80.0), rtol=1e-14)


def test_exceedance_counts_the_inflow_over_the_horizon(here):
    # the second year is wetter, and driest when its own spring is cut off
    assert read_case("case.yaml", {"hydrology.exceedance": "0.3"}).members[0].name == "2002-01"
    assert read_case("case.yaml", {"hydrology.exceedance": "0.7"}).members[0].name == "2001-01"


def test_the_record_is_what_all_series_cover(here):
    evaporation = {"date": month_starts("2001-07", 36), "lake": [3] * 36}
    series = TWO_YEARS | {"evaporation_mm_day": evaporation}
    parts = tiny_parts()
    parts["reservoirs"][0].pop("evaporation_mm_day")
    write_basin(here / "basin", **parts | {"series": series})
    basin = read_basin(here / "basin")
    assert [str(day) for day in record_of(basin)] == ["2001-07-01", "2003-01-01"]
    case = read_case("case.yaml")
    assert [member.name for member in case.members] == ["2002-01"]


def test_changes_are_a_patch_on_the_basin(here):
    change = {"changes.links.outlet.capacity_m3s": "20"}
    case = read_case("case.yaml", change)
    assert case.attribute("links", "capacity")["outlet"][0, 0] == 20
    assert faults_of("case.yaml", {"changes.links.outlet.capacity_m3s": "-1"}) == [
        "--set changes.links.outlet.capacity_m3s=-1: E203 capacity_m3s is -1 for link 'outlet'; "
        "must be 0 or more"
    ]


# --- in code --------------------------------------------------------------------------------


def test_a_case_is_built_in_code(here):
    basin = read_basin(here / "basin")
    case = build_case(basin, YEAR, rules=[Quota(volume_hm3=3)], inflow_scale={"lake": 2.0})
    assert [rule.name for rule in case.rules] == ["quota"]
    assert len(case.rule_positions) == 1
    assert [member.name for member in case.members] == ["2001-01", "2002-01"]
    assert case.attribute("nodes", "inflow")["lake"][0, 0] == 14
    named = build_case(basin, YEAR, members=[Member("wet", -28)], demand_scale={"irrigation": 0.5})
    assert named.members == (Member("wet", -28),)
    assert named.demand_scale == {"irrigation": 0.5}


def test_a_case_in_code_must_fit_the_record(here):
    with pytest.raises(InputError, match="E232 record: horizon from 2030-01-01 to 2032-12-31"):
        build_case(read_basin(here / "basin"), Timeline("2030-01-01", 36, "month"))


def test_a_basin_without_a_record_has_one_member(here):
    nodes = [dict(node, inflow_m3s=3) for node in tiny_parts()["nodes"]]
    tiny_basin(here / "other", nodes=nodes, series={})
    case = build_case(read_basin(here / "other"), YEAR)
    assert case.members == (Member("2030-01", 0),)
    inflow = case.attribute("nodes", "inflow")
    np.testing.assert_array_equal(inflow["spring"], np.full((1, 12), 3.0))


# --- extends and --set ----------------------------------------------------------------------


def test_a_case_changes_the_one_it_extends(here):
    write(
        here / "sub" / "child.yaml",
        """\
extends: ../case.yaml
timeline: {periods: 6}
hydrology: {year: 2001-01}
without: [quota]
rules:
  - rule: quota
    name: new
    volume_hm3: 1
  - rule: minimum_delivery
    name: delta
    at: lake
    volume_hm3: 5
goals:
  - minimise: cost
""",
    )
    own = "name: parent\ntitle: Parent\nhydrology: {members: all, scale: 2}\n"
    write(here / "case.yaml", CASE + own)
    case = read_case("sub/child.yaml")
    assert (case.name, case.title["en"]) == ("child", "child")
    assert (case.timeline.start, case.timeline.periods) == ("2030-01-01", 6)
    assert [member.name for member in case.members] == ["2001-01"]
    assert case.inflow_scale == {"spring": 2, "lake": 2}
    assert [(rule.name, getattr(rule, "at", "")) for rule in case.rules] == [
        ("delta", "lake"),
        ("new", ""),
    ]
    places = [(at.file, at.line, at.column) for at in case.rule_positions]
    assert places == [("sub/child.yaml", 9, 5), ("sub/child.yaml", 6, 5)]
    assert [goal.kind for goal in case.goals] == ["minimise"]
    assert [path.name for path in case.files] == ["child.yaml", "case.yaml"]
    assert not {"extends", "without"} & case.resolved.keys()


def test_a_chain_of_cases_is_merged_from_its_end(here):
    write(here / "middle.yaml", "extends: case\ndemand: {scale: {irrigation: 0.5, domestic: 2}}\n")
    write(here / "top.yaml", "extends: middle\ndemand: {scale: {irrigation: 0.7}}\n")
    case = read_case("top")
    assert case.demand_scale == {"irrigation": 0.7, "domestic": 2}
    assert [path.name for path in case.files] == ["top.yaml", "middle.yaml", "case.yaml"]


def test_a_rule_file_is_read_beside_the_case_in_which_it_stands(here):
    write(here / "sub" / "mine.py", "def keep(m, case):\n    pass\n")
    rule = "  - {rule: python, file: mine.py, function: keep}\ngoals:"
    text = CASE.replace("basin: basin", "basin: ../basin").replace("goals:", rule)
    write(here / "sub" / "base.yaml", text)
    write(here / "top.yaml", "extends: sub/base.yaml\n")
    assert read_case("top.yaml").rules[-1].file.resolve() == (here / "sub" / "mine.py").resolve()


def test_values_are_set_from_outside(here):
    case = read_case(
        "case.yaml",
        {
            "timeline.periods": "3",
            "hydrology.year": "2002-01",
            "rules.delta.flow_m3s": "7",
            "rules.0.volume_hm3": "8",
            "goals.meet.sectors": "[irrigation, domestic]",
            "goals.1.minimise": "cost",
            "demand.scale.irrigation": "0.5",
            "name": "other",
        },
    )
    assert case.timeline.periods == 3
    assert case.members[0].name == "2002-01"
    assert case.rules[1].flow_m3s.root == 7
    assert case.rules[0].volume_hm3 == 8
    assert case.goals[0].sectors == ("irrigation", "domestic")
    assert case.goals[1].quantity == "cost"
    assert case.demand_scale == {"irrigation": 0.5}
    assert case.name == case.resolved["name"] == "other"
    assert case.resolved["rules"][1]["flow_m3s"] == 7


def test_years_set_from_outside_take_the_place_of_those_chosen(here):
    write(here / "case.yaml", CASE + "hydrology: {members: all, scale: 0.5}\n")
    case = read_case("case.yaml", {"hydrology.years": "[2002-01]"})
    assert [member.name for member in case.members] == ["2002-01"]
    assert case.inflow_scale["lake"] == 0.5
    both = faults_of("case.yaml", {"hydrology.year": "2002-01", "hydrology.exceedance": "0.5"})
    assert "has year and exceedance; keep one of them" in both[0]


def test_rules_are_left_out_from_outside(here):
    assert [rule.name for rule in read_case("case.yaml", {"without": "[quota]"}).rules] == ["delta"]


def test_a_basin_set_from_outside_is_sought_in_the_working_folder(here):
    write(here / "sub" / "case.yaml", CASE)
    assert "E305 basin 'basin' cannot be found" in faults_of("sub/case.yaml")[0]
    assert read_case("sub/case.yaml", {"basin": "basin"}).basin.folder.samefile(here / "basin")


def test_an_empty_value_from_outside_is_a_fault(here):
    assert faults_of("case.yaml", {"basin": "''", "timeline.periods": ""}) == [
        "--set basin='': E303 basin is empty; must have a value",
        "--set timeline.periods=: E303 timeline.periods is empty; must be a whole number",
    ]


# --- finding --------------------------------------------------------------------------------


def test_a_name_is_sought_here_then_in_cases(here):
    write(here / "cases" / "dry.yaml", CASE.replace("basin: basin", "basin: ../basin"))
    assert read_case("dry").name == "dry"
    assert read_case("case").name == "case"


def test_a_name_that_is_nowhere_is_told_with_the_places(here):
    (fault,) = faults_of("caze")
    assert fault == (
        "caze: E305 case 'caze' cannot be found; searched 'caze', 'caze.yaml', 'cases/caze.yaml' "
        "and the cases of the package; did you mean 'case'?"
    )


def test_a_path_that_is_missing_or_a_folder_is_told(here):
    assert faults_of("cas.yaml") == [
        "cas.yaml: E101 case file 'cas.yaml' is missing; did you mean 'case.yaml'?"
    ]
    for folder in ("basin", "./basin", here / "basin"):
        assert faults_of(folder)[0].endswith("is a directory; must be a case file")


def test_a_case_in_a_folder_below_is_found_by_its_name(here):
    (here / "cases" / "family").mkdir(parents=True)
    write(
        here / "cases" / "family" / "wet.yaml", CASE.replace("basin: basin", "basin: ../../basin")
    )
    assert read_case("family/wet").name == "wet"
    assert [read_case(name).name for name in ("none", "pilot/none")] == ["none", "none"]
    assert read_case("works/none").name == "none_works"


def test_a_name_below_a_folder_that_is_nowhere_is_told(here):
    assert faults_of("pilot/nome") == [
        "pilot/nome: E101 case file 'pilot/nome' is missing; did you mean 'pilot/none'?"
    ]


def test_the_bundle_holds_basins():
    assert (bundled_folder() / "basins" / "red_river" / "basin.yaml").is_file()


def test_a_bundled_basin_is_found_by_name_and_read_whole(here):
    write(
        here / "red.yaml",
        """\
schema: 1
basin: red_river
timeline: {start: 2030-06-01, periods: 36, step: dekad}
hydrology: {scale: {da: 0.9}}
goals:
  - meet: {sectors: [domestic]}
""",
    )
    case = read_case("red.yaml")
    assert [case.members[0].name, case.members[-1].name] == ["1989-06", "2009-06"]
    assert case.n_members == 21
    inflow = case.volumes("nodes", "inflow")
    record = case.basin.series["inflow"]
    first = record.values["hoa_binh"].to_numpy()[36:72]  # the water year from June 1990
    np.testing.assert_allclose(
        inflow["hoa_binh"][1], first * 0.9 * case.timeline.seconds * 1e-6, rtol=1e-14
    )
    dry = read_case("red.yaml", {"hydrology.exceedance": "0.95", "hydrology.scale": "1"})
    total = {
        member.name: sum(volume[k].sum() for volume in inflow.values())
        for k, member in enumerate(read_case("red.yaml", {"hydrology.scale": "1"}).members)
    }
    assert dry.members[0].name in sorted(total, key=total.get)[:3]


# --- schema ---------------------------------------------------------------------------------


def test_the_schema_has_every_rule_and_goal():
    schema = case_schema()
    text = json.dumps(schema)
    kinds = {
        schema["$defs"][way["$ref"].split("/")[-1]]["properties"]["rule"]["const"]
        for way in schema["properties"]["rules"]["items"]["anyOf"]
    }
    assert kinds == set(find("rules"))
    goals = {
        key for way in schema["properties"]["goals"]["items"]["anyOf"] for key in way["properties"]
    }
    assert goals == set(find("goals"))
    references = {part.split('"')[0] for part in text.split('"#/$defs/')[1:]}
    assert references <= set(schema["$defs"])


def test_the_schema_explains_every_key():
    schema = case_schema()
    models = [schema, *schema["$defs"].values()]
    silent = [
        key
        for model in models
        for key, entry in model.get("properties", {}).items()
        if key != "rule" and not entry.get("description") and "const" not in entry
    ]
    assert silent == ["en", "vi"]
