"""Write the reference pages of the manual from the declarations in the code.

Run by ``docs/conf.py`` at every build; ``python docs/generate.py`` writes them alone.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from pathlib import Path

import typer
from pydantic import BaseModel

import wateralloc
from wateralloc import basin, catalogue, cli, errors, metrics, units
from wateralloc.report import pages
from wateralloc.tables import Column, Table, spellings


def write(folder: Path) -> None:
    """Write every page into a folder, which is made when it is not there."""
    texts = {
        "index": _index(),
        "tables": _tables(),
        "units": _units(),
        "parts": _concepts("parts", "Parts", "The physics of one period; one concept a file."),
        "rules": _concepts("rules", "Rules", "What a case may ask, under `rules:`."),
        "goals": _concepts("goals", "Goals", "What a case may optimise, in order, under `goals:`."),
        "metrics": _metrics(),
        "commands": _commands(),
        "errors": _errors(),
        "api": _api(),
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        path = folder / f"{name}.md"
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


def write_in_vietnamese(folder: Path) -> None:
    """Write ``rules_vi.md`` and ``goals_vi.md``: a line of Vietnamese for each."""
    folder.mkdir(parents=True, exist_ok=True)
    for package, word in (("rules", "quy tắc"), ("goals", "mục tiêu")):
        found = [page for page in pages.find_pages() if page.package == package]
        rows = [(f"[`{p.kind}`](reference/{package}.md#{p.kind})", p.line["vi"]) for p in found]
        text = _grid((word, "nội dung"), rows)
        (folder / f"{package}_vi.md").write_text(text, encoding="utf-8")


def _grid(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    def line(cells: Iterable[str]) -> str:
        return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"

    head = list(head)
    return "\n".join([line(head), line("---" for _ in head), *map(line, rows)]) + "\n"


def _index() -> str:
    return """# Reference

These pages are written from the code when the manual is built.

```{toctree}
tables
units
parts
rules
goals
metrics
commands
errors
api
```
"""


# --- tables and units ---------------------------------------------------------------------------


def declared_tables() -> list[Table]:
    """Return every table of a basin: those of the basin itself, then those of the parts."""
    own = [basin.NODES, basin.CURVES, basin.PATTERNS]
    return own + [table for part in catalogue.find("parts").values() for table in part.tables]


def _tables() -> str:
    text = "# Tables of a basin\n\n"
    text += (
        "A column that holds an amount is written with its unit; below it stands with the usual "
        "one, and any unit of the same dimension in [](units.md) will do. A column of which every "
        "cell would be empty may be left out.\n"
    )
    for table in declared_tables():
        text += f"\n(table-{table.name})=\n## {table.name}.csv\n\n{table.meaning}"
        text += " The file must be there.\n\n" if table.required else "\n\n"
        text += _grid(
            ("column", "type", "if empty", "meaning"),
            ((_label(c), c.type, _default(c), _meaning(c)) for c in table.columns),
        )
    return text


def _label(column: Column) -> str:
    name = spellings(column, "<currency>")[0]
    return f"`{name}`"


def _default(column: Column) -> str:
    if column.required:
        return "**required**"
    return "" if column.default in (None, "") else f"{column.default:g}".removesuffix(".0")


def _meaning(column: Column) -> str:
    text = column.meaning
    if column.choices:
        text += f": {', '.join(f'`{choice}`' for choice in column.choices)}"
    if column.refers_to:
        text += f" (a name of {column.refers_to})"
    if column.low > float("-inf") or column.high < float("inf"):
        low = "" if column.low == float("-inf") else f"{column.low:g} or more"
        high = "" if column.high == float("inf") else f"{column.high:g} or less"
        text += f"; {', '.join(filter(None, (low, high)))}"
    if column.varies != "no":
        text += f"; may vary (a series follows the {column.varies})"
    return text


def _units() -> str:
    rows = [
        (f"`_{unit.suffix}`", unit.text, unit.dimension, f"{unit.factor:g}")
        for unit in units.UNITS.values()
    ]
    rows += [
        ("`_<currency>_m3`", "currency per m³", "price", "1"),
        ("`_<currency>_kwh`", "currency per kWh", "energy_price", "1"),
    ]
    return (
        "# Units\n\nThe ending of a column names its unit. Values are converted once, when read: "
        "multiplied by the factor to the usual unit of their dimension (that with factor 1).\n\n"
        + _grid(("ending", "unit", "dimension", "factor"), rows)
    )


# --- parts, rules and goals ---------------------------------------------------------------------


def _concepts(package: str, title: str, lead: str) -> str:
    text = f"# {title}\n\n{lead}\n"
    for kind, concept in catalogue.find(package).items():
        text += f"\n## {kind}\n\n{_rst(inspect.getdoc(concept) or '')}\n"
        tables = concept.tables if package == "parts" else ()
        if tables:
            names = ", ".join(f"[{t.name}.csv](#table-{t.name})" for t in tables)
            text += f"\nReads {names}.\n"
        if issubclass(concept, BaseModel) and concept.model_fields:
            text += "\n" + _grid(("key", "type", "default", "meaning"), _fields(concept))
    return text


def _rst(docstring: str) -> str:
    """Turn a numpydoc docstring into a block of reStructuredText; an equation keeps its lines."""
    text, sections = pages.split_docstring(docstring)
    for name, body in sections:
        if name == "Equation":
            body = ".. code-block:: text\n\n" + "".join(
                f"   {line}\n" for line in pages.plain(body).strip().splitlines()
            )
        text += f"\n\n.. rubric:: {name}\n\n{body.strip()}\n"
    return f"````{{eval-rst}}\n{text.strip()}\n````\n"


def _fields(model: type[BaseModel]) -> Iterable[tuple[str, str, str, str]]:
    for key in pages.keys_of(model, lambda word: f"`{word}`"):
        default = "**required**" if key.is_required else key.default
        yield f"`{key.name}`", key.type, default, key.meaning


# --- commands, errors, public names -------------------------------------------------------------


def _commands() -> str:
    (app,) = {id(v): v for v in vars(cli).values() if isinstance(v, typer.Typer)}.values()
    group = typer.main.get_command(app)
    text = "# Commands\n\n" + _grid(
        ("exit code", "meaning"),
        (
            ("0", "done"),
            ("1", "the formulation was used in a way it does not support: a fault of code"),
            ("2", "bad input, or a command that is not written right"),
            ("3", "infeasible; the text names the limits that contradict each other"),
            ("4", "solver failure, or an optimum that could not be certified"),
            ("130", "stopped by the user"),
        ),
    )
    for name, command in group.commands.items():
        words = " ".join(
            p.name.upper() + ("..." if p.nargs == -1 else "")
            for p in command.params
            if p.param_type_name == "argument"
        )
        text += f"\n## wateralloc {name}\n\n```text\nwateralloc {name} {words} [OPTIONS]\n```\n\n"
        text += f"{inspect.cleandoc(command.help or '')}\n\n"
        rows = [
            (
                f"`{', '.join(o if o[0] == '-' else o.upper() for o in p.opts)}`",
                getattr(p, "help", None) or "",
            )
            for p in command.params
            if p.name != "help"
        ]
        text += _grid(("argument or option", "meaning"), rows) if rows else ""
    return text


def _errors() -> str:
    groups = {"E1": "Files", "E2": "Tables and basins", "E3": "Cases", "E4": "Solving"}
    text = "# Error codes\n\n"
    text += (
        "A fault reads `file:line:column: code text`. All faults of an input are reported at once. "
        "A code keeps its meaning for ever.\n"
    )
    for start, title in groups.items():
        rows = [(f"`{c}`", meaning) for c, meaning in errors.CODES.items() if c.startswith(start)]
        text += f"\n## {title}\n\n" + _grid(("code", "meaning"), rows)
    return text


def _metrics() -> str:
    text = """# Metrics

Functions of `wateralloc.metrics`, each with its equation and source. Where they stand in results,
how to read them and an example by hand: [](../metrics.md).
"""
    for part in ("service", "equity", "stress"):
        module = f"wateralloc.metrics.{part}"
        found = [getattr(metrics, name) for name in metrics.__all__]
        names = [f.__name__ for f in found if getattr(f, "__module__", "") == module]
        text += f"\n## {part.capitalize()}\n"
        for name in names:
            text += f"\n### {name}\n\n```{{eval-rst}}\n.. autofunction:: {module}.{name}\n```\n"
    return text


def _api() -> str:
    text = "# Public names\n\nThese names of `wateralloc` keep their meaning between releases.\n"
    for name in wateralloc.__all__:
        if name.startswith("__"):
            continue
        thing = getattr(wateralloc, name)
        if inspect.isclass(thing):
            directive, members = "autoclass", "\n   :members:"
        else:
            directive, members = "autofunction" if callable(thing) else "autodata", ""
        text += f"\n```{{eval-rst}}\n.. {directive}:: wateralloc.{name}{members}\n```\n"
    return text


if __name__ == "__main__":
    write(Path(__file__).parent / "reference")
