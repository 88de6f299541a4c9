"""Finding the files of cases and the folders of basins, by path or by name."""

from __future__ import annotations

from pathlib import Path

from wateralloc.case.items import Item
from wateralloc.errors import BUNDLES, CaseError, Findings, Position, listed, shown, suggest

_ENDINGS = (".yaml", ".yml")


def bundled_folder() -> Path:
    """Folder that holds the ``cases/`` and ``basins/`` that come with the package."""
    package = Path(__file__).parents[1]
    bundled = package / "bundled"
    return bundled if bundled.is_dir() else package.parent


def bundled_cases() -> dict[str, Path]:
    """Cases that come with the package, by name (pilot/none in a folder), the shallowest first."""
    cases = bundled_folder() / "cases"
    paths = sorted(cases.rglob("*.yaml"), key=lambda path: (len(path.parts), path))
    return {path.relative_to(cases).with_suffix("").as_posix(): path for path in paths}


def is_path(text: str) -> bool:
    """Tell whether a text is a path and no name."""
    return "/" in text or "\\" in text or text.endswith(_ENDINGS)


def find_case(text: str, folder: Path, at: Position, findings: Findings) -> Path | None:
    """Path of a case that is named by a path or by its name."""
    path = folder / text
    tried = [path]
    if not text.endswith(_ENDINGS):
        tried += [folder / f"{text}.yaml", folder / "cases" / f"{text}.yaml"]
        tried += [
            bundled
            for name, bundled in bundled_cases().items()
            if name == text or name.endswith(f"/{text}")
        ]
    for candidate in tried:
        if candidate.is_file():
            return candidate
    if path.is_dir():
        findings.add(at, "E102", f"'{text}' is a directory; must be a case file", CaseError)
        return None
    if is_path(text):
        near = suggest(path.name, _names_beside(path)) or suggest(text, bundled_cases())
        what = f"case file '{text}' is missing{near or '; give the path of one'}"
        findings.add(at, "E101", what, CaseError)
        return None
    here = {p.stem for f in (folder, folder / "cases") for p in f.glob("*.yaml")}
    places = listed(f"'{shown(place)}'" for place in tried)
    known = sorted({*here, *(name.rpartition("/")[2] for name in bundled_cases())})
    findings.add(
        at,
        "E305",
        f"case '{text}' cannot be found; searched {places} and the cases of the package"
        f"{suggest(text, known) or '; give a path, or one of these names: ' + listed(known)}",
        CaseError,
    )
    return None


def find_basin(item: Item, findings: Findings) -> Path | None:
    """Folder, workbook or NetCDF file of a basin that is named by a path or by its name."""
    text = item.value
    path = item.folder / text
    bundled = bundled_folder() / "basins"
    if path.is_dir() or (path.is_file() and path.suffix.lower() in BUNDLES):
        return path
    if path.exists():
        endings = " or ".join(BUNDLES)
        what = f"basin '{text}' is a file; must be the folder of a basin, or a file {endings}"
        findings.add(item.at, "E102", what, CaseError)
        return None
    if not is_path(text) and (bundled / text).is_dir():
        return bundled / text
    names = _names_beside(path) if is_path(text) else [*_names_beside(path), *_folders(bundled)]
    places = f"'{shown(path)}'" + ("" if is_path(text) else " and the basins of the package")
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
