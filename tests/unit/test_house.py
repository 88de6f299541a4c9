"""The house: layers, what is shipped, what every concept must bring, the public names."""

from __future__ import annotations

import re
import runpy
import subprocess
import sys
import tomllib
import zipfile
from itertools import chain
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import wateralloc
from wateralloc import catalogue
from wateralloc.errors import CODES
from wateralloc.units import UNITS

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
CONCEPTS = [
    (package, kind)
    for package in ("parts", "rules", "goals")
    for kind, concept in catalogue.find(package).items()
    if concept.__module__.startswith("wateralloc.")
]


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
    kinds = {kind for of, kind in CONCEPTS if of == package}
    assert {path.stem for path in (ROOT / "tests" / package / "golden").glob("*.lp")} <= kinds


@pytest.mark.parametrize(("package", "kind"), CONCEPTS)
def test_concept_is_its_own_reference_page(package: str, kind: str) -> None:
    text = catalogue.find(package)[kind].__doc__ or ""
    assert "Equation\n" in text, f"the docstring of {package}/{kind} has no section Equation"


# --- public names -------------------------------------------------------------------------------


def test_public_names() -> None:
    names = wateralloc.__all__
    assert set(names) >= {"Results", "read_basin", "read_case", "run", "to_pyomo"}
    assert len(names) <= 16, "the public names are about a dozen"
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
        for table in getattr(catalogue.find(package)[kind], "tables", ()):
            assert f"\n## {table.name}.csv\n" in page["tables"]
            assert all(f"`{column.name}" in page["tables"] for column in table.columns)
