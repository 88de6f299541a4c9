"""A page as one file: styles, scripts, data and all."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, StrictUndefined
from markdown_it import MarkdownIt
from markupsafe import Markup

from wateralloc.report.charts.style import take_apart
from wateralloc.report.page.model import Figure, Figures, Page

WORDS = {
    "study": {"en": "A study, not an official allocation.",
              "vi": "Đây là một nghiên cứu, không phải phương án phân bổ chính thức."},
    "choices": {"en": "Choices", "vi": "Lựa chọn"},
    "language": {"en": "Language", "vi": "Ngôn ngữ"},
    "member": {"en": "Member", "vi": "Kịch bản"},
    "season": {"en": "Season", "vi": "Mùa"},
    "policy": {"en": "Policy", "vi": "Cơ chế"},
    "across": {"en": "Across", "vi": "Trục ngang"},
    "up": {"en": "Up", "vi": "Trục đứng"},
    "noscript": {"en": "The charts are drawn by scripts in this file, which are switched off here.",
                 "vi": "Các hình được vẽ bằng mã trong tệp này, hiện đang bị tắt."},
}  # fmt: skip


def render(page: Page, lang: str, scripts: str) -> str:
    """Make the file of a page, in both languages.

    Parameters
    ----------
    lang : shown first
    scripts : of :func:`library`
    """
    charts, data = _pooled(page)
    stored = {"title": dict(page.title), "charts": charts, "data": data}
    return _template().render(
        page=page,
        lang=lang,
        words=WORDS,
        css=Markup(_asset("report.css")),
        charts=Markup(script_json(stored)),
        library=Markup(scripts.replace("</script", "<\\/script")),
        script=Markup(_asset("report.js")),
    )


def script_json(value: Any) -> str:
    r"""JSON that may stand inside a script element, whatever it says.

    >>> script_json({"a": "</script><!--"})
    '{"a":"\\u003c/script>\\u003c!--"}'
    """
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def markdown(text: str) -> str:
    """Markdown as HTML; HTML inside it is shown as text, and no picture is loaded."""
    return MarkdownIt("commonmark", {"html": False}).enable("table").disable("image").render(text)


def _figures(page: Page) -> Iterator[Figure]:
    for section in page.sections:
        for block in section.blocks:
            if isinstance(block, Figures):
                yield from block.figures


def _pooled(page: Page) -> tuple[dict[str, Any], dict[str, Any]]:
    """Specifications by chart and language, and their data, each once."""
    charts: dict[str, Any] = {}
    data: dict[str, Any] = {}
    for figure in _figures(page):
        charts[figure.name] = {}
        for lang, chart in figure.charts.items():
            spec, of_chart = take_apart(chart)
            for of_page in ("$schema", "title"):  # the page says the title itself
                spec.pop(of_page, None)
            data |= of_chart
            charts[figure.name][lang] = spec
    return charts, data


@cache
def _template() -> Any:
    environment = Environment(autoescape=True, undefined=StrictUndefined)
    return environment.from_string(_asset("report.html"))


@cache
def _asset(name: str) -> str:
    return files(__package__).joinpath("assets", name).read_text(encoding="utf-8")


@cache
def library() -> str:
    """Vega, Vega-Lite and Vega-Embed, as the package of the chart library brings them.

    They are put together by a process of its own, beside which the page is made: in this one it
    would take its turns with all else.
    """
    bundle = (
        "import sys, vl_convert; sys.stdout.buffer.write(vl_convert.javascript_bundle().encode())"
    )
    done = subprocess.run([sys.executable, "-c", bundle], stdout=subprocess.PIPE, check=True)
    return done.stdout.decode()
