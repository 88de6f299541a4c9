"""What all charts share: colours, fonts, locale, the compact form of their data."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import altair as alt
import numpy as np

from wateralloc.errors import Fault, InputError, Position, listed, shown
from wateralloc.results.store import replacing

INK, SOFT, LINE = "#1f2a33", "#5b6770", "#d7dee4"
"""Text, lesser text, and lines that divide."""
WATER, DEEP, LACK, LIMIT, GOOD = "#2b7bba", "#0b3c5d", "#c8502d", "#8a4fa3", "#3c8d6e"
"""Water, one member of it, deficits, limits of law and works, what is kept."""
SECTORS = ("#0072b2", "#009e73", "#e69f00", "#56b4e9", "#cc79a7", "#d55e00", "#8c7a00", "#5b6770")
"""Of sectors, plants and the like: Okabe and Ito (2008), told apart by the colour-blind."""
SHORTAGE = ("#67001f", "#a8323e", "#d6604d", "#f4a582", "#fddbc7", "#f1f5f8")
SHORTAGE_FROM = (0.5, 0.7, 0.85, 0.95, 0.9995)
"""Colours of a satisfaction, from the worst to served in full, and where each but the first begins.
"""
FONT = "Arial, 'Liberation Sans', 'DejaVu Sans', sans-serif"
FIGURES = 4
"""Figures of a number that is drawn."""
WIDTH = 640
"""Of a figure that is saved [px]; in the report it is that of the page."""
NARROW = 480
"""Room [px] below which a chart is drawn for a narrow page.  Expressions ask for the parameter
``room``: the width with axes and all, which stays while a chart finds its layout.
"""
ENDINGS = (".svg", ".pdf", ".png", ".html")
SHARPNESS = 300
"""Dots per inch of a PNG."""

LOCALE: dict[str, dict[str, Any]] = {
    "en": {"decimal": ".", "thousands": ",", "grouping": [3], "currency": ["", ""]},
    "vi": {"decimal": ",", "thousands": ".", "grouping": [3], "currency": ["", ""]},
}
TIME_LOCALE: dict[str, dict[str, Any]] = {
    "en": {
        "dateTime": "%x, %X", "date": "%Y-%m-%d", "time": "%H:%M:%S", "periods": ["AM", "PM"],
        "days": ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"],
        "shortDays": ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"],
        "months": ["January", "February", "March", "April", "May", "June", "July", "August",
                   "September", "October", "November", "December"],
        "shortMonths": ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct",
                        "Nov", "Dec"],
    },
    "vi": {
        "dateTime": "%x, %X", "date": "%d/%m/%Y", "time": "%H:%M:%S", "periods": ["SA", "CH"],
        "days": ["Chủ nhật", "Thứ hai", "Thứ ba", "Thứ tư", "Thứ năm", "Thứ sáu", "Thứ bảy"],
        "shortDays": ["CN", "T2", "T3", "T4", "T5", "T6", "T7"],
        "months": [f"tháng {k}" for k in range(1, 13)],
        "shortMonths": [f"th. {k}" for k in range(1, 13)],
    },
}  # fmt: skip


def compact(values: Any, figures: int = FIGURES) -> Any:
    """Round numbers to the figures that are drawn, whole ones as integers, in nested lists.

    >>> compact([[1234.567, 0.000123456], [1e-12, 70.0]])
    [[1235, 0.0001235], [0, 70]]
    """
    array = np.asarray(values, float)
    with np.errstate(divide="ignore"):
        size = np.floor(np.log10(np.abs(array)))
    places = np.where(np.isfinite(size), figures - 1 - size, 0.0)
    scale = 10.0 ** np.clip(places, -12, 12)
    rounded = np.where(np.abs(array) < 1e-9, 0.0, np.round(array * scale) / scale)
    return _plain(rounded.tolist())


def _plain(values: Any) -> Any:
    if isinstance(values, list):
        return [_plain(value) for value in values]
    if values != values:
        return None
    return int(values) if values == int(values) else float(f"{values:.12g}")


@dataclass
class Drawing:
    """A chart in the making: its data, once each, beside its specification.

    Attributes
    ----------
    lang : of its numbers and dates
    choice : parameters that it answers to, by name, as they stand at first
    """

    lang: str
    choice: Mapping[str, int] = field(default_factory=dict)
    data: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def chart(
        self, rows: list[dict[str, Any]], *steps: dict[str, Any], apart: Sequence[str] = ()
    ) -> Any:
        """A chart of some rows, with nothing drawn yet.

        Parameters
        ----------
        steps : transforms of the rows, as Vega-Lite writes them
        apart : columns that are kept by themselves and looked up by the column ``key``, so that
            charts whose rows differ in others, as in names, have them once
        """
        if apart:
            numbers = [{name: row[name] for name in ("key", *apart)} for row in rows]
            numbers.sort(key=lambda row: str(row["key"]))
            rows = [{n: value for n, value in row.items() if n not in apart} for row in rows]
            found = {"data": {"name": self._keep(numbers)}, "key": "key", "fields": list(apart)}
            steps = ({"lookup": "key", "from": found}, *steps)
        chart = alt.Chart(alt.NamedData(self._keep(rows)))
        if steps:
            chart.transform = list(steps)
        return chart

    def _keep(self, rows: list[dict[str, Any]]) -> str:
        """Keep rows by a name that says what they are."""
        text = json.dumps(rows, separators=(",", ":"), allow_nan=False)
        name = hashlib.sha256(text.encode()).hexdigest()[:12]
        self.data[name] = rows
        return name

    def finish(
        self,
        layers: Sequence[Any],
        title: str,
        height: float,
        *,
        names: Mapping[str, Any] | None = None,
        ratio: float | None = None,
        description: str = "",
    ) -> Any:
        """Put layers together, with the look of all charts.

        Parameters
        ----------
        height : [px]
        names : further parameters: what expressions of the chart look up
        ratio : of height to width, for a chart that must keep it
        description : for those who do not see it; default: the title
        """
        chart = alt.layer(*layers) if len(layers) > 1 else layers[0]
        known = {**self.choice, "room": WIDTH, **(names or {})}
        # set as they are: to pass them through the chart's methods copies all of it each time
        chart.params = [
            *(alt.VariableParameter(name=name, value=value) for name, value in known.items()),
            *(chart.params if isinstance(chart.params, list) else ()),
        ]
        chart.title, chart.description = title, description or title
        chart.width, chart.height = WIDTH, round(height)
        if ratio:
            chart.usermeta = {"ratio": round(ratio, 3)}
        locale = {"number": LOCALE[self.lang], "time": TIME_LOCALE[self.lang]}
        chart.config = {**CONFIG, "locale": locale}
        chart.datasets = self.data
        return chart


CONFIG: dict[str, Any] = {
    "font": FONT,
    "background": "white",
    "axis": {
        "labelColor": SOFT, "titleColor": SOFT, "gridColor": LINE, "domainColor": LINE,
        "tickColor": LINE, "labelFontSize": 11, "titleFontSize": 11, "titleFontWeight": "normal",
        "labelLimit": 170,
    },
    "legend": {
        "labelColor": INK, "titleColor": SOFT, "labelFontSize": 11, "titleFontSize": 11,
        "orient": "bottom", "titleFontWeight": "normal", "labelLimit": 260, "titleLimit": 300,
        "columns": {"expr": f"room < {NARROW} ? 1 : 3"}, "symbolStrokeWidth": 2.5,
    },
    "title": {"color": INK, "fontSize": 13, "anchor": "start", "fontWeight": "bold", "offset": 6},
    "view": {"stroke": None},
}  # fmt: skip
"""The look of all charts."""


def named(name: str) -> dict[str, Any]:
    """Transform: all rows have a name, column ``k``, for their colour and the legend."""
    return {"calculate": json.dumps(name), "as": "k"}


def by_member(values: np.ndarray, figures: int = FIGURES) -> Any:
    """Numbers by member, the last axis, in short: one where all members have the same.

    >>> by_member(np.array([[1.5, 1.5], [1.5, 2.0]]))
    [1.5, [1.5, 2]]
    """
    if values.ndim > 1:
        return [by_member(of, figures) for of in values]
    numbers = compact(values, figures)
    return numbers[0] if len(set(numbers)) == 1 else numbers


def of_member(column: str, *, by_season: bool = False) -> str:
    """Expression: the number of the member that is chosen, of what :func:`by_member` gives."""
    of = f"datum.{column}[season]" if by_season else f"datum.{column}"
    return f"(isArray({of}) ? {of}[member] : {of})"


def kept(condition: str) -> dict[str, Any]:
    """Transform: only rows that meet a condition."""
    return {"filter": condition}


def computed(**columns: str) -> list[dict[str, Any]]:
    """Transforms: columns by an expression each, in their order.

    A column may not take the place of one that it, or another, is computed from: when a choice
    changes, all are computed again from the rows as they are then.
    """
    return [{"calculate": expression, "as": name} for name, expression in columns.items()]


def colour(names: Sequence[str], colours: Sequence[str], symbol: str = "stroke") -> Any:
    """Colour by name, as :func:`named` gives it, with a legend of all names."""
    return alt.Color(
        "k:N",
        title=None,
        scale=alt.Scale(domain=list(names), range=list(colours)),
        legend=alt.Legend(symbolType=symbol),
    )


def classed(column: str, ends: Sequence[float]) -> dict[str, Any]:
    """Transform: the class of a share, column ``class``: how many ends it reaches."""
    reached = (f"(datum.{column} >= {end})" for end in ends)
    return {"calculate": " + ".join(reached), "as": "class"}


def class_colour(
    ends: Sequence[float], colours: Sequence[str], title: str, first: str = "", last: str = ""
) -> Any:
    """Colour by class, as :func:`classed` gives it, with a legend of all classes.

    Parameters
    ----------
    first, last : names of the first and the last class, where they are not those of a range
    """
    percent = [f"{100.0 * end:.0f}" for end in ends]
    ranges = [f"{low}–{high} %" for low, high in zip(percent, [*percent[1:], "100"], strict=True)]
    names = [first or f"< {percent[0]} %", *ranges[:-1], last or ranges[-1]]
    return alt.Color(
        "class:O",
        title=title,
        scale=alt.Scale(domain=list(range(len(names))), range=list(colours)),
        legend=alt.Legend(
            labelExpr=f"{json.dumps(names, ensure_ascii=False)}[datum.value]",
            symbolType="square", symbolSize=130, symbolStrokeColor=SOFT, symbolStrokeWidth=0.5,
            columns=alt.ExprRef(f"room < {NARROW} ? 2 : 6"),
        ),
    )  # fmt: skip


def take_apart(chart: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Specification of a chart without its data, and the data.

    To pass data through the chart library takes several times as long as to draw.
    """
    data = chart.datasets
    chart.datasets = alt.Undefined
    try:
        return chart.to_dict(validate=False), data
    finally:
        chart.datasets = data


def side_by_side(charts: Sequence[Any], columns: int) -> Any:
    """Put finished charts into one picture, so many in a row; colours have one legend for all."""
    data: dict[str, Any] = {}
    for chart in charts:
        data |= chart.datasets
        config = chart.config
        chart.config = chart.datasets = alt.Undefined
    whole = alt.concat(*charts, columns=columns).resolve_scale(color="shared")
    whole.config, whole.datasets = config, data
    return whole


def check_ending(path: Path | str) -> str:
    """Ending of the file of a figure, in small letters.

    Raises
    ------
    InputError
        Figures are not written so.
    """
    path = Path(path)
    ending = path.suffix.lower()
    if ending not in ENDINGS:
        said = f"as '{ending}'" if ending else "without an ending"
        text = f"a figure cannot be written {said}; end it in {listed(ENDINGS)}"
        raise InputError([Fault(Position(shown(path)), "E107", text)])
    return ending


def save(chart: Any, path: Path | str) -> Path:
    """Write a chart as a picture, or as a page of its own.

    Parameters
    ----------
    path : ends in .svg, .pdf, .png or .html; the last answers to hover and needs no network

    Returns
    -------
    Path
        The file.

    Raises
    ------
    InputError
        The ending is another.
    OSError
        It cannot be written.
    """
    import vl_convert as vlc

    path, ending = Path(path), check_ending(path)
    spec, data = take_apart(chart)
    spec["datasets"] = data
    with replacing(path) as written:
        if ending == ".svg":
            written.write_text(vlc.vegalite_to_svg(spec), encoding="utf-8")
        elif ending == ".pdf":
            written.write_bytes(vlc.vegalite_to_pdf(spec))
        elif ending == ".png":
            written.write_bytes(vlc.vegalite_to_png(spec, ppi=SHARPNESS, scale=1.0))
        else:
            written.write_text(vlc.vegalite_to_html(spec, bundle=True), encoding="utf-8")
    return path


def day_numbers(times: np.ndarray) -> list[int]:
    """Days since 1970-01-01."""
    return np.asarray(times).astype("datetime64[D]").astype(int).tolist()


NUMBERED: dict[str, Any] = {"window": [{"op": "row_number", "as": "i"}]}
"""Transform: rows are numbered from 1, column ``i``."""


def unrolled(*fields: str) -> list[dict[str, Any]]:
    """Transforms: a row that holds lists by time becomes a row for each time, column ``t``.

    The chart must have the parameter ``days``, the day number of each time.
    """
    day = "datetime(1970, 0, 1 + days[datum.i - 1])"
    return [{"flatten": list(fields)}, NUMBERED, *computed(t=day)]


def shown_if(chart: Any, condition: dict[str, Any], yes: float, no: float) -> Any:
    """Give a chart an opacity where a condition is met, and another for the rest."""
    chart.encoding.opacity = {"condition": {**condition, "value": yes}, "value": no}
    return chart
