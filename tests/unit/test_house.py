"""The house: layers, what is shipped, what every concept must bring, the public names."""

from __future__ import annotations

import inspect
import re
import runpy
import subprocess
import sys
import textwrap
import tomllib
import unicodedata
import zipfile
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from ruamel.yaml import YAML

import wateralloc
from wateralloc import catalogue
from wateralloc.case.items import items_of_data
from wateralloc.errors import CODES, Position
from wateralloc.report.pages import split_docstring
from wateralloc.units import UNITS

ROOT = Path(__file__).resolve().parents[2]
VIETNAMESE = set(
    "ăâđêôơưáàảãạắằẳẵặấầẩẫậéèẻẽẹếềểễệíìỉĩịóòỏõọốồổỗộớờởỡợúùủũụứừửữựýỳỷỹỵ"
    "ĂÂĐÊÔƠƯÁÀẢÃẠẮẰẲẴẶẤẦẨẪẬÉÈẺẼẸẾỀỂỄỆÍÌỈĨỊÓÒỎÕỌỐỒỔỖỘỚỜỞỠỢÚÙỦŨỤỨỪỬỮỰÝỲỶỸỴ"
)
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
CONCEPTS = [
    (package, kind)
    for package in ("parts", "rules", "goals")
    for kind, concept in catalogue.find(package).items()
    if concept.__module__.startswith("wateralloc.")
]
CLAUSES = [(package, kind) for package, kind in CONCEPTS if package != "parts"]


def run_here(*command: object) -> str:
    """Run a command in the repository; return what it printed, and fail with that."""
    done = subprocess.run(
        [str(word) for word in command], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_layers() -> None:
    run_here(Path(sys.executable).with_name("lint-imports"), "--no-cache")


# --- concepts -----------------------------------------------------------------------------------


def test_concepts_are_found() -> None:
    assert {kind for package, kind in CONCEPTS if package == "parts"} >= {
        "inflow",
        "link",
        "reservoir",
        "demand",
        "environmental_flow",
        "sink",
    }
    assert {kind for package, kind in CONCEPTS if package == "rules"} >= {
        "minimum_delivery",
        "reservoir_levels",
        "quota",
        "python",
    }
    assert {kind for package, kind in CONCEPTS if package == "goals"} >= {
        "meet",
        "minimise",
        "maximise",
    }


@pytest.mark.parametrize(("package", "kind"), CONCEPTS)
def test_concept_has_its_test_and_golden_lp(package: str, kind: str) -> None:
    folder = ROOT / "tests" / package
    test, lp = folder / f"test_{kind}.py", folder / "golden" / f"{kind}.lp"
    missing = [path.relative_to(ROOT).as_posix() for path in (test, lp) if not path.is_file()]
    assert not missing, f"{package}/{kind} has no {' and no '.join(missing)}; add it"
    assert f"{kind}.lp" in test.read_text(encoding="utf-8"), f"{test.name} does not use {lp.name}"


@pytest.mark.parametrize("package", ["parts", "rules", "goals"])
def test_golden_lp_belongs_to_a_concept(package: str) -> None:
    kinds = [kind for of, kind in CONCEPTS if of == package]
    for path in (ROOT / "tests" / package / "golden").glob("*.lp"):
        of_kind = any(path.stem == kind or path.stem.startswith(f"{kind}_") for kind in kinds)
        assert of_kind, f"{path.name} belongs to nothing in {package}"


@pytest.mark.parametrize(("package", "kind"), CONCEPTS)
def test_concept_is_its_own_reference_page(package: str, kind: str) -> None:
    lead, sections = page_of(package, kind)
    assert "Equation" in sections, f"the docstring of {package}/{kind} has no section Equation"
    first, _, rest = lead.partition("\n\n")
    assert first.endswith("."), f"the first line of {package}/{kind} says what it does, in one line"
    assert "\n" not in first
    if package != "parts":
        assert rest, f"the docstring of {package}/{kind} says no more than its first line"


@pytest.mark.parametrize(("package", "kind"), CLAUSES)
def test_clause_names_its_source(package: str, kind: str) -> None:
    source = page_of(package, kind)[1].get("Source", "")
    assert source, f"the docstring of {package}/{kind} has no section Source: a law, or a paper"
    is_named = re.search(r"\b(1[5-9]|20)\d\d\b|Art\. \d|the user", source, re.IGNORECASE)
    assert is_named, (
        f"Source of {package}/{kind} names no author and year, and no article: {source}"
    )


@pytest.mark.parametrize(("package", "kind"), CLAUSES)
def test_clause_has_a_line_of_vietnamese(package: str, kind: str) -> None:
    line = catalogue.find(package)[kind].vi
    assert line, f"{package}/{kind} has no `vi`, a line of Vietnamese that says what it does"
    assert VIETNAMESE & set(unicodedata.normalize("NFC", line)), f"no letter of {line!r} has a mark"
    assert line == unicodedata.normalize("NFC", line).strip()
    assert "\n" not in line


@pytest.mark.parametrize(("package", "kind"), CLAUSES)
def test_example_of_a_clause_is_valid(package: str, kind: str) -> None:
    """Every block of its Example is YAML of a case, and the clause in it fits its model."""
    text = page_of(package, kind)[1].get("Example", "")
    blocks = re.findall(r"^\.\. code-block:: yaml\n\n((?:[ ]+.*\n|\n)+)", text + "\n", re.MULTILINE)
    assert blocks, f"the docstring of {package}/{kind} has no Example in YAML"
    found = [clause for block in blocks for clause in clauses_of(package, textwrap.dedent(block))]
    own = [clause for clause in found if clause[1] == kind]
    assert own, f"the Example of {package}/{kind} has no {kind} in it"
    for of, named, body in found:
        concept = catalogue.find(of)
        assert named in concept, f"the Example of {package}/{kind} names an unknown {named}"
        concept[named].model_validate(body)


@pytest.mark.parametrize(("package", "kind"), CLAUSES)
def test_clause_has_a_broken_input_and_its_message(package: str, kind: str) -> None:
    folder = ROOT / "tests" / "errors" / f"{package.removesuffix('s')}_{kind}"
    missing = [name for name in ("case.yaml", "expected.txt") if not (folder / name).is_file()]
    assert not missing, f"{folder.relative_to(ROOT)} has no {' and no '.join(missing)}; add it"
    (clauses,) = [
        value
        for key, value in YAML(typ="safe", pure=True).load(folder / "case.yaml").items()
        if key == package
    ]
    kinds = {c.get("rule") if package == "rules" else next(iter(c)) for c in clauses}
    assert kind in kinds, f"{folder.name}/case.yaml has no {kind}"


def test_broken_inputs_of_clauses_belong_to_one() -> None:
    folders = {
        path.name
        for of in ("rule", "goal")
        for path in (ROOT / "tests" / "errors").glob(f"{of}_*")
        if path.is_dir()
    }
    known = {f"{package.removesuffix('s')}_{kind}" for package, kind in CLAUSES}
    assert folders <= known, f"{sorted(folders - known)} belong to no rule or goal"


def page_of(package: str, kind: str) -> tuple[str, dict[str, str]]:
    """What leads the docstring of a concept, and its sections by name."""
    lead, sections = split_docstring(inspect.getdoc(catalogue.find(package)[kind]) or "")
    return lead, dict(sections)


def clauses_of(package: str, text: str) -> Iterator[tuple[str, str, Any]]:
    """Rules and goals of a block of YAML: package, kind and body of each.

    Parameters
    ----------
    package : what a bare list in the block is
    """
    data = YAML(typ="safe", pure=True).load(text)
    read = items_of_data(data, Position("example"), ROOT).plain()  # dates as text, as in a case
    for of, clauses in (read if isinstance(read, dict) else {package: read}).items():
        if of not in ("rules", "goals"):
            continue
        for clause in clauses:
            body = dict(clause)
            if of == "rules":
                yield of, body.pop("rule"), body
            else:
                ((kind, value),) = body.items()
                yield of, kind, {} if value is None else value


# --- public names -------------------------------------------------------------------------------


def test_public_names() -> None:
    names = wateralloc.__all__
    assert set(names) >= {"Results", "read_basin", "read_case", "run", "to_pyomo"}
    own = [name for name in names if not name.startswith("__")]
    assert len(own) <= 16, "the public names are about a dozen"
    assert sorted(set(names), key=str.lower) == sorted(names, key=str.lower)
    for name in names:
        assert hasattr(wateralloc, name), f"{name} is in __all__ but does not exist"
        assert name.startswith("__") or getattr(wateralloc, name).__doc__, f"{name} says nothing"


# --- what is shipped ----------------------------------------------------------------------------


def test_wheel_holds_basins_and_cases(tmp_path: Path) -> None:
    run_here(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", tmp_path)
    (wheel,) = tmp_path.glob("*.whl")
    assert wheel.name == f"wateralloc-{wateralloc.__version__}-py3-none-any.whl"
    with zipfile.ZipFile(wheel) as archive:
        inside = set(archive.namelist())
    bundled = {
        f"wateralloc/bundled/{path.relative_to(ROOT).as_posix()}"
        for folder in ("basins", "cases")
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert "wateralloc/bundled/cases/pilot_sharing.yaml" in bundled
    assert bundled <= inside
    assert "wateralloc/py.typed" in inside
    assert not [name for name in inside if name.startswith(("tests/", "docs/", "basins/"))]


def test_constraints_pin_every_requirement() -> None:
    pins = dict(
        re.findall(r"^([\w.-]+)==(\S+)$", (ROOT / "constraints.txt").read_text("utf-8"), re.M)
    )
    pins = {canonicalize_name(name): version for name, version in pins.items()}
    extras = PROJECT["optional-dependencies"].values()
    for text in chain(PROJECT["dependencies"], *extras):
        requirement = Requirement(text)
        pin = pins.get(canonicalize_name(requirement.name))
        assert pin, f"constraints.txt does not pin {requirement.name}; run make constraints"
        assert requirement.specifier.contains(pin), f"{requirement} does not allow the pin {pin}"


def test_manual_is_generated_from_the_declarations(tmp_path: Path) -> None:
    runpy.run_path(str(ROOT / "docs" / "generate.py"))["write"](tmp_path)
    page = {path.stem: path.read_text(encoding="utf-8") for path in tmp_path.glob("*.md")}
    assert all(f"`{code}`" in page["errors"] for code in CODES)
    assert all(f"`_{suffix}`" in page["units"] for suffix in UNITS)
    for package, kind in CONCEPTS:
        assert f"\n## {kind}\n" in page[package]
        for table in catalogue.find(package)[kind].tables if package == "parts" else ():
            assert f"\n## {table.name}.csv\n" in page["tables"]
            assert all(f"`{column.name}" in page["tables"] for column in table.columns)
