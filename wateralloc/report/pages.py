"""Pages of parts, rules and goals, as their docstrings and the fields of their models tell them.

The manual and ``wateralloc rules`` show the same pages.
"""

from __future__ import annotations

import inspect
import re
import textwrap
import types
import typing
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from wateralloc import catalogue
from wateralloc.errors import Fault, InputError, Position, listed, suggest

SECTION = re.compile(r"^([A-Z]\w+)\n-{3,}\n", re.MULTILINE)
PACKAGES = ("rules", "goals")
"""What a case names by its kind."""
DIRECTIVE = re.compile(r"^\.\. [\w-]+::.*\n\n?", re.MULTILINE)
STRONG = re.compile(r"(\*\*?)(?=\S)([^*]+)(?<=\S)\1(?!\w)")
BROKEN = re.compile(r"^(.{76,}[^;:.\n])\n(?![<>=+-])", re.MULTILINE)
"""A line of an equation that went on because it was full."""
INDENT = " " * 4
ROLE = re.compile(r":\w+:`~?([^`]+)`")


@dataclass(frozen=True)
class Key:
    """A key of a clause in a case file; `default` is as it would be written, "" for none."""

    name: str
    type: str
    default: str
    is_required: bool
    meaning: str


@dataclass(frozen=True)
class Page:
    """The page of a rule or goal.

    Attributes
    ----------
    package : ``rules`` or ``goals``
    line : what it does, in one line, by language
    lead : what stands before the sections, without its first line
    sections : (name, text) in their order
    """

    package: str
    kind: str
    line: dict[str, str]
    lead: str
    sections: tuple[tuple[str, str], ...]
    keys: tuple[Key, ...]


def find_pages() -> list[Page]:
    """Pages of every rule and goal that is installed, rules first."""
    return [
        read_page(package, concept)
        for package in PACKAGES
        for concept in catalogue.find(package).values()
    ]


def pages_of(name: str) -> list[Page]:
    """Pages of a name: one, or two where a rule and a goal have it both.

    Raises
    ------
    InputError
        No rule or goal has the name.
    """
    pages = find_pages()
    found = [page for page in pages if page.kind == name]
    if not found:
        known = [page.kind for page in pages]
        tail = suggest(name, known) or f"; there are {listed(known, 60)}"
        raise InputError(
            [Fault(Position("rules"), "E311", f"no rule or goal is called '{name}'{tail}")]
        )
    return found


def read_page(package: str, concept: Any) -> Page:
    """Read the page of a rule or goal from its class."""
    lead, sections = split_docstring(inspect.getdoc(concept) or "")
    first, _, rest = lead.partition("\n\n")
    line = plain(" ".join(first.split()))
    return Page(
        package,
        str(concept.kind),
        # of another package's rule without a Vietnamese line there is only the English one
        {"en": line, "vi": getattr(concept, "vi", "") or line},
        rest.strip(),
        sections,
        tuple(keys_of(concept)) if issubclass(concept, BaseModel) else (),
    )


def split_docstring(docstring: str) -> tuple[str, tuple[tuple[str, str], ...]]:
    """Split a numpydoc docstring into what leads it, and its sections (name, text)."""
    lead, *pieces = SECTION.split(docstring)
    return lead.strip(), tuple(
        (name, body.strip("\n").rstrip())
        for name, body in zip(pieces[::2], pieces[1::2], strict=True)
    )


def plain(text: str) -> str:
    """Text of a docstring without its marks, for a terminal; words that could be prose are quoted.

    >>> print(plain("takes `at` and `flow_m3s`, as :class:`Rule`"))
    takes 'at' and flow_m3s, as Rule
    """
    text = ROLE.sub(r"\1", DIRECTIVE.sub("", text)).replace("``", "`")
    text = re.sub(r"`([a-z]+)`", r"'\1'", text)
    return re.sub(r"`([^`\n]+\n?[^`\n]*)`", r"\1", text).replace("::\n", ":\n")


def laid_out(text: str, width: int, *, is_equation: bool = False) -> str:
    r"""Text of a section for a terminal: paragraphs, lists and equations broken at a width.

    Parameters
    ----------
    is_equation : each line starts anew, and what is left of a long one is indented

    Examples
    --------
    >>> print(laid_out("one\ntwo\n\n- three four\n- five\n\n`a`\n    first\n    of all", 10))
    one two
    <BLANKLINE>
    - three
      four
    - five
    <BLANKLINE>
    a
        first
        of all
    """
    return "\n\n".join(
        "\n".join(_lines(paragraph, width, is_equation))
        for paragraph in plain(text).strip("\n").split("\n\n")
    )


def _lines(paragraph: str, width: int, is_equation: bool) -> Iterator[str]:
    def fill(text: str, first: str = "", rest: str = "") -> list[str]:
        words = STRONG.sub(r"\2", " ".join(text.split()))
        return textwrap.wrap(
            words, max(width, 20), initial_indent=first, subsequent_indent=rest,
            break_long_words=False, break_on_hyphens=False,
        )  # fmt: skip

    if paragraph.startswith(INDENT):  # code
        yield from paragraph.split("\n")
    elif paragraph.startswith("- "):
        for item in re.split(r"^- ", paragraph, flags=re.MULTILINE)[1:]:
            yield from fill(item, "- ", "  ")
    elif f"\n{INDENT}" in paragraph:  # terms, and below each what it means
        for term, meaning in re.findall(r"^(\S.*)\n((?: .*(?:\n|$))+)", paragraph, re.MULTILINE):
            yield from [*fill(term.replace("'", "")), *fill(meaning, INDENT, INDENT)]
    elif is_equation:
        for line in BROKEN.sub(r"\1 ", paragraph).split("\n"):
            yield from fill(line, "", INDENT)
    else:
        yield from fill(paragraph)


def keys_of(model: type[BaseModel], code: Callable[[str], str] = str) -> list[Key]:
    """Keys of a clause, in the order of the model.

    Parameters
    ----------
    code : marks what is written as it stands, as in the manual
    """
    keys = []
    for name, field in model.model_fields.items():
        is_required = field.default is PydanticUndefined and field.default_factory is None
        default = field.get_default(call_default_factory=True)
        is_none = is_required or default in (None, "", (), {})
        keys.append(
            Key(
                field.alias or name,
                type_words(field.annotation, code),
                "" if is_none else code(_as_written(default)),
                is_required,
                field.description or "",
            )
        )
    return keys


def _as_written(default: Any) -> str:
    return str(default).lower() if isinstance(default, bool) else str(default)


def type_words(annotation: Any, code: Callable[[str], str] = str) -> str:
    """Name a type in words that a user of case files knows.

    >>> type_words(int | None), type_words(tuple[tuple[str, ...], ...])
    ('integer', 'list of lists of texts')
    >>> type_words(typing.Literal["sea", "lake"] | tuple[typing.Literal["sea", "lake"], ...])
    'sea, lake or list of these'
    """
    origin, inside = typing.get_origin(annotation), typing.get_args(annotation)
    if origin in (typing.Union, types.UnionType):
        words = [type_words(one, code) for one in inside if one is not type(None)]
        lists = {f"list of {_plural(word)}" for word in words if ", " in word}
        return " or ".join(
            "list of these" if word in lists else word for word in dict.fromkeys(words)
        )
    if origin is typing.Annotated:
        return type_words(inside[0], code)
    if origin is typing.Literal:
        return ", ".join(code(str(one)) for one in inside)
    if origin in (tuple, list):
        return f"list of {_plural(type_words(inside[0], code))}"
    simple = {
        str: "text", float: "number", int: "integer", bool: "yes or no", Path: "path",
        Any: "anything",
    }  # fmt: skip
    if annotation in simple:
        return simple[annotation]
    if origin is dict or annotation is dict:
        return "mapping"
    if annotation.__name__ == "Seasonal":
        return "value by date"
    names = (field.alias or name for name, field in annotation.model_fields.items())
    keys = ", ".join(f"{name}: ..." for name in names)
    return code(f"{{{keys}}}")


def _plural(word: str) -> str:
    if word.startswith("list of "):
        return f"lists{word.removeprefix('list')}"
    return f"{word}s" if word.isalpha() else word
