"""Policies on the same axes: who is served, what changes, how often, and what goes against what.

A column of a row that holds a list is never overwritten by one of its values: the row is the same
when another of them is chosen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import altair as alt
import numpy as np

from wateralloc.report.charts.sides import Sides, coloured, dashed, faded, shaped
from wateralloc.report.charts.style import (
    INK,
    LINE,
    NUMBERED,
    SOFT,
    Drawing,
    compact,
    computed,
    day_numbers,
    kept,
)
from wateralloc.report.charts.traces import time_axis
from wateralloc.report.compare_table import Key

WORDS = {
    "policy": {"en": "Policy", "vi": "Cơ chế"},
    "met by region": {"en": "Demand met, by region", "vi": "Mức đáp ứng nhu cầu, theo vùng"},
    "met by sector": {"en": "Demand met, by sector", "vi": "Mức đáp ứng nhu cầu, theo ngành"},
    "met": {"en": "Demand met", "vi": "Mức đáp ứng"},
    "deficit": {"en": "Deficit", "vi": "Thiếu hụt"},
    "province": {"en": "Province", "vi": "Tỉnh"},
    "region": {"en": "Region", "vi": "Vùng"},
    "sector": {"en": "Sector", "vi": "Ngành"},
    "changes": {"en": "Deficit: change against {}", "vi": "Thiếu hụt: thay đổi so với {}"},
    "change": {"en": "Change of the deficit", "vi": "Thay đổi thiếu hụt"},
    "open": {"en": "left open by the goals", "vi": "mục tiêu để ngỏ"},
    "yes": {"en": "yes", "vi": "có"},
    "no": {"en": "no", "vi": "không"},
    "exceedance": {"en": "Deficit of the members, from the largest",
                   "vi": "Thiếu hụt của các kịch bản, từ lớn nhất"},
    "share": {"en": "share of members with at least this deficit",
              "vi": "tỷ lệ kịch bản thiếu từ mức này trở lên"},
    "member": {"en": "Member", "vi": "Kịch bản"},
    "less": {"en": "less is better", "vi": "càng ít càng tốt"},
    "more": {"en": "more is better", "vi": "càng nhiều càng tốt"},
    "trade": {"en": "What goes against what", "vi": "Được cái này, mất cái kia"},
    "front": {"en": "No other is as good in both", "vi": "Không cơ chế nào tốt bằng ở cả hai"},
    "across": {"en": "Across", "vi": "Trục ngang"},
    "up": {"en": "Up", "vi": "Trục đứng"},
    "may be none": {"en": "yes: it may be none", "vi": "có: có thể không đổi"},
    "worst": {"en": "Deficit of the worst member", "vi": "Thiếu hụt của kịch bản xấu nhất"},
    "kept": {"en": "Periods kept: {}", "vi": "Thời đoạn giữ được: {}"},
    "storage": {"en": "storage", "vi": "dung tích trữ"},
    "all reservoirs": {"en": "All reservoirs", "vi": "Tất cả hồ chứa"},
    "flow": {"en": "flow", "vi": "lưu lượng"},
    "date": {"en": "Date", "vi": "Ngày"},
    "from": {"en": "Period from", "vi": "Thời đoạn từ"},
    "rules": {"en": "How often each policy keeps its own rules",
              "vi": "Mỗi cơ chế giữ quy tắc của mình bao nhiêu lần"},
    "yardsticks": {"en": "Rules of delivery and level, on every policy alike",
                   "vi": "Dòng chảy và mực nước phải giữ, đo như nhau cho mọi cơ chế"},
    "rule": {"en": "Rule", "vi": "Quy tắc"},
    "kept share": {"en": "kept", "vi": "giữ được"},
    "missed": {"en": "missed", "vi": "thiếu"},
}  # fmt: skip
SENSES = {
    "deficit": -1, "energy": 1, "worst_province_satisfaction": 1, "value": 1, "spill": -1,
    "outflow": 1, "gini_among_region": -1, "gini_among_province": -1, "gini_among_sector": -1,
}  # fmt: skip
"""Measures of the whole basin that are set against each other: 1 where more is better, else -1."""
EXACT = 7
"""Figures by which it is judged whether a policy is better than another."""
FEW = 8
"""Policies up to which rows of points are wide."""
LESS, MORE = "#0072b2", "#d55e00"
"""Smaller and larger deficits."""
OPEN = "#d9dfe3"
"""Where the goals leave open that nothing changes."""
KEPT = ("#67001f", "#a8323e", "#d6604d", "#f4a582", "#a9cbe3")
KEPT_FROM = (0.5, 0.75, 0.9, 1.0 - 1e-9)
"""Colours of a share of periods in which a rule is kept, and where each but the first begins."""
LABEL = 13
"""Height of a label beside points [px]."""
GUTTER = "min(170, width * 0.5)"
"""Room for labels at the right of points."""
PAD = 14
"""Room between points and the frame [px]."""


def _say(sides: Sides) -> dict[str, str]:
    return {key: text[sides.lang] for key, text in WORDS.items()}


# --- who is served --------------------------------------------------------------------------


def served(sides: Sides, scope: str) -> Any:
    """Draw the satisfaction of each region or sector under every policy.

    Parameters
    ----------
    scope : ``region`` or ``sector``
    """
    drawing, say = sides.drawing(), _say(sides)
    names = sides.names("satisfaction", scope)
    rows = []
    for name in names:
        share = sides.values(("satisfaction", scope, name))
        lack = sides.values(("deficit", scope, name))
        rows += [
            {"g": sides.word(scope, name), "p": policy, "k": sides.place(policy),
             "vs": compact(share[policy], EXACT), "ds": compact(lack[policy])}
            for policy in sides.policies if policy in share
        ]  # fmt: skip
    unit = sides.unit(sides.units["deficit", scope, names[0]])
    base = drawing.chart(rows, *computed(v="datum.vs[member]", d="datum.ds[member]")).encode(
        y=alt.Y("g:N", sort=[sides.word(scope, name) for name in names], title=None,
                scale=alt.Scale(paddingInner=0.3, paddingOuter=0.1),
                axis=alt.Axis(domain=False, ticks=False, labelLimit=150)),
        yOffset=alt.YOffset("k:N", scale=alt.Scale(domain=[*range(1, len(sides.policies) + 1)])),
        opacity=faded(),
    )  # fmt: skip
    x = alt.X("v:Q", title=None, scale=alt.Scale(zero=False, nice=True),
              axis=alt.Axis(format="~%", tickCount=5))  # fmt: skip
    stems = base.mark_rule(color=LINE, aria=False).encode(x=x, x2=alt.value(0))
    points = base.mark_point(filled=True, size=45).encode(
        x=x, color=coloured(sides), shape=shaped(sides),
        tooltip=[
            alt.Tooltip("p:N", title=say["policy"]),
            alt.Tooltip("g:N", title=say[scope]),
            alt.Tooltip("v:Q", title=say["met"], format=".2%"),
            alt.Tooltip("d:Q", title=f"{say['deficit']}, {unit}", format=",.4~r"),
        ],
    )  # fmt: skip
    lane = 11 if len(sides.policies) <= FEW else 8
    height = len(names) * (lane * len(sides.policies) + 14)
    return drawing.finish([stems, points], say[f"met by {scope}"], height)


# --- what changes ---------------------------------------------------------------------------


def places_changed(sides: Sides) -> tuple[str, list[str]]:
    """Scope, province or region, and its names whose deficit is not that of the reference."""
    scope = "province" if sides.names("deficit", "province") else "region"
    found = []
    for name in sides.names("deficit", scope):
        values = sides.values(("deficit", scope, name))
        base = values[sides.comparison.reference]
        if any(np.abs(of - base).max() > 1e-6 for of in values.values()):
            found.append(name)
    return scope, found


def changes(sides: Sides) -> Any:
    """Draw by how much the deficit of each province is another than in the reference."""
    drawing, say = sides.drawing(), _say(sides)
    scope, names = places_changed(sides)
    rows = []
    for name in names:
        key = ("deficit", scope, name)
        values = sides.values(key)
        base = values[sides.comparison.reference]
        rows += [
            {"g": sides.word(scope, name), "p": policy, "k": sides.place(policy),
             "vs": compact(values[policy] - base), "ds": compact(values[policy]),
             "bs": compact(base), "os": sides.is_tie(key, policy).astype(int).tolist()}
            for policy in sides.others if policy in values
        ]  # fmt: skip
    unit = sides.unit(sides.units["deficit", scope, names[0]])
    most = np.abs([row["vs"] for row in rows]).max(axis=0)
    is_wide = f"width / {len(sides.others)} > 46"
    chart = (
        drawing.chart(
            rows, *computed(v="datum.vs[member]", d="datum.ds[member]", b="datum.bs[member]",
                            o="datum.os[member]"),
            *computed(
                open=f"datum.o ? {_quoted(say['may be none'])} : {_quoted(say['no'])}",
                text="datum.o ? '=' : abs(datum.v) < 0.05 ? '' : "
                "format(datum.v, abs(datum.v) < 100 ? '+,.1f' : '+,.0f')",
            ),
        )
        .encode(
            x=_policy_axis(sides.others),
            y=alt.Y("g:N", sort=[sides.word(scope, name) for name in names], title=None,
                    axis=alt.Axis(domain=False, ticks=False)),
            opacity=faded(0.25),
        )
    )  # fmt: skip
    ends: list[Any] = [alt.ExprRef("-most[member]"), 0, alt.ExprRef("most[member]")]
    cells = chart.mark_rect(stroke="white", strokeWidth=1).encode(
        color=alt.Color(
            "v:Q", title=f"{say['change']}, {unit}",
            condition={"test": "datum.o", "value": OPEN},
            scale=alt.Scale(
                type="pow", exponent=0.5, domain=ends, range=[LESS, "#f7f7f7", MORE]
            ),
            legend=alt.Legend(gradientLength=240, gradientThickness=12, format="+,.2~r",
                              values=alt.ExprRef(_ticks("most[member]"))),
        ),
        tooltip=[
            alt.Tooltip("g:N", title=say[scope]),
            alt.Tooltip("p:N", title=say["policy"]),
            alt.Tooltip("v:Q", title=f"{say['change']}, {unit}", format="+,.4~r"),
            alt.Tooltip("d:Q", title=say["deficit"], format=",.4~r"),
            alt.Tooltip("b:Q", title=f"{say['deficit']}: {sides.comparison.reference}",
                        format=",.4~r"),
            alt.Tooltip("open:N", title=say["open"]),
        ],
    )  # fmt: skip
    numbers = chart.mark_text(aria=False, fontSize=10).encode(
        text=alt.Text("text:N"),
        color=alt.ColorValue(
            INK,
            condition={"test": "!datum.o && abs(datum.v) > 0.4 * most[member]", "value": "white"},
        ),
        opacity=alt.OpacityValue(alt.ExprRef(f"{is_wide} ? 1 : 0")),
    )
    return drawing.finish(
        [cells, numbers], f"{say['changes'].format(sides.comparison.reference)} [{unit}]",
        max(60, 19 * len(names)), names={"most": [float(one) or 1.0 for one in most]},
    )  # fmt: skip


def _ticks(most: str) -> str:
    """Expression: numbers that are named beside a scale of changes, alike to both sides."""
    return "[" + ", ".join(f"{share} * {most}" for share in (-1, -0.25, 0, 0.25, 1)) + "]"


def _policy_axis(policies: Sequence[str]) -> Any:
    """Policies as columns, their names slanting above them."""
    return alt.X(
        "p:N", sort=list(policies), title=None,
        axis=alt.Axis(orient="top", labelAngle=-50, labelLimit=150, domain=False, ticks=False),
    )  # fmt: skip


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


# --- how often ------------------------------------------------------------------------------


def exceedance(sides: Sides) -> Any:
    """Draw the deficit of each member, from the largest, every policy on the same axes."""
    drawing, say = sides.drawing(), _say(sides)
    key = ("deficit", "basin", "all")
    members = np.array(sides.comparison.members)
    can_choose = {name: k + 1 for k, name in enumerate(sides.chosen_from)}
    rows = []
    for policy, values in sides.members_of(key).items():
        order = np.argsort(-values, kind="stable")
        rows.append(
            {"p": policy, "k": sides.place(policy), "v": compact(values[order]),
             "m": members[order].tolist(), "c": [can_choose.get(m, 0) for m in members[order]]}
        )  # fmt: skip
    unit = sides.unit(sides.units[key])
    steps: list[dict[str, Any]] = [
        {"flatten": ["v", "m", "c"]},
        {"window": [{"op": "row_number", "as": "i"}], "groupby": ["k"]},
        *computed(s=f"datum.i / {len(members) + 1}"),
    ]
    base = drawing.chart(rows, *steps).encode(
        x=alt.X("s:Q", title=say["share"], axis=alt.Axis(format=".0%"),
                scale=alt.Scale(domain=[0, 1])),
        y=alt.Y("v:Q", title=unit),
        color=coloured(sides), opacity=faded(),
    )  # fmt: skip
    lines = base.mark_line(strokeWidth=1.8, aria=False).encode(
        strokeDash=dashed(sides), order=alt.Order("i:Q")
    )
    points = base.mark_point(filled=True).encode(
        shape=shaped(sides),
        size=alt.SizeValue(22, condition={"test": "member > 0 && datum.c == member", "value": 110}),
        tooltip=[
            alt.Tooltip("p:N", title=say["policy"]),
            alt.Tooltip("m:N", title=say["member"]),
            alt.Tooltip("v:Q", title=f"{say['deficit']}, {unit}", format=",.4~r"),
            alt.Tooltip("s:Q", title=say["share"], format=".0%"),
        ],
    )
    return drawing.finish([lines, points], f"{say['exceedance']} [{unit}]", 280)


# --- what goes against what -----------------------------------------------------------------


@dataclass(frozen=True)
class Measure:
    """A measure that policies are set against each other by.

    Attributes
    ----------
    sense : 1 where more is better, -1 where less is
    values : by policy, for each choice of a member (choice)
    """

    key: Key
    title: str
    unit: str
    sense: int
    values: Mapping[str, np.ndarray]

    @property
    def name(self) -> str:
        """Title with the unit."""
        return f"{self.title}, {self.unit}" if self.unit else self.title


def measures(sides: Sides) -> list[Measure]:
    """Measures that all policies have and in which they can be better or worse."""
    say = _say(sides)
    found = [
        *(_measure(sides, (measure, "basin", "all"), sense) for measure, sense in SENSES.items()),
        *(_measure(sides, ("deficit", scope, name), -1, sides.word(scope, name))
          for scope in ("region", "sector") for name in sides.names("deficit", scope)),
        *(_measure(sides, ("kept", "yardstick", name), 1, name)
          for name in sides.names("kept", "yardstick")),
    ]  # fmt: skip
    known = [measure for measure in found if measure is not None]
    if sides.is_ensemble and sides.has(("deficit", "basin", "all")):
        known.insert(1, _of_worst_member(sides, say["worst"]))
    return known


def _measure(sides: Sides, key: Key, sense: int, name: str = "") -> Measure | None:
    if not sides.has(key):
        return None
    if key[0] == "kept":
        title = WORDS["kept"][sides.lang].format(name)
    else:
        title = sides.title(key[0]) + (f": {name}" if name else "")
    unit = sides.units[key]
    return Measure(key, title, "" if unit == "1" else sides.unit(unit), sense, sides.values(key))


def _of_worst_member(sides: Sides, title: str) -> Measure:
    key = ("deficit", "basin", "all")
    n = 1 + len(sides.chosen_from)
    values = {policy: np.full(n, of.max()) for policy, of in sides.members_of(key).items()}
    return Measure(("worst", "basin", "all"), title, sides.unit(sides.units[key]), -1, values)


def first_choice(of: Sequence[Measure]) -> dict[str, int]:
    """Measures that are drawn first, across and up: deficit and energy, or what there is."""
    places = {measure.key: k for k, measure in enumerate(of)}
    up = places.get(("energy", "basin", "all"), min(1, len(of) - 1))
    return {"across": places.get(("deficit", "basin", "all"), 0), "up": up}


def undominated(across: Measure, up: Measure, place: int = 0) -> list[str]:
    """Policies to which no other is as good in both measures and better in one.

    Parameters
    ----------
    place : of the choice of a member
    """
    gains = {
        policy: (across.sense * _judged(of[place]), up.sense * _judged(up.values[policy][place]))
        for policy, of in across.values.items()
    }
    return [
        policy
        for policy, own in gains.items()
        if not any(
            other != own and other[0] >= own[0] and other[1] >= own[1] for other in gains.values()
        )
    ]


def _judged(value: float) -> float:
    return float(compact(value, EXACT))


def trade_off(sides: Sides) -> Any:
    """Draw each policy as a point in the plane of two measures that can be chosen.

    Parameters ``across`` and ``up`` are their places in :func:`measures`.  A policy to which no
    other is as good in both and better in one has a ring.  Names stand at the right, each as near
    the height of its point as the others leave room for.
    """
    say, of = _say(sides), measures(sides)
    drawing = sides.drawing(**first_choice(of))
    rows = [
        {"p": policy, "k": sides.place(policy),
         "vs": np.array([compact(m.values[policy], EXACT) for m in of], float).T.tolist()}
        for policy in sides.policies
    ]  # fmt: skip
    height = max(320, LABEL * len(rows) + 40)
    steps = [
        *computed(x="datum.vs[member][across]", y="datum.vs[member][up]",
                  gx="senses[across] * datum.x", gy="senses[up] * datum.y"),
        _best("gx", "gy"), _best("gy", "gx"),
        *computed(f="datum.best_gx <= datum.gx && datum.best_gy <= datum.gy",
                  front=f"datum.f ? {_quoted(say['yes'])} : {_quoted(say['no'])}",
                  xt=_shown("across", "datum.x"), yt=_shown("up", "datum.y")),
    ]  # fmt: skip
    x = alt.X("x:Q", title=None, scale=_plane_scale([0, alt.ExprRef(f"width - {GUTTER}")]),
              axis=alt.Axis(labelExpr=_shown("across", "datum.value"), tickCount=4))  # fmt: skip
    y = alt.Y("y:Q", title=None, scale=_plane_scale([alt.ExprRef("height"), 0]),
              axis=alt.Axis(labelExpr=_shown("up", "datum.value"), tickCount=5))  # fmt: skip
    plane = drawing.chart(rows, *steps).encode(x=x, y=y)
    front = drawing.chart(rows, *steps, kept("datum.f")).encode(x=x, y=y)
    points = plane.mark_point(filled=True, size=70).encode(
        color=coloured(sides), shape=shaped(sides), opacity=faded(),
        tooltip=[
            alt.Tooltip("p:N", title=say["policy"]),
            alt.Tooltip("xt:N", title=say["across"]),
            alt.Tooltip("yt:N", title=say["up"]),
            alt.Tooltip("front:N", title=say["front"]),
        ],
    )  # fmt: skip
    layers = [
        front.mark_line(color=SOFT, strokeDash=[3, 3], aria=False).encode(order=alt.Order("x:Q")),
        *_names(drawing.chart(rows, *steps, *_beside(len(rows), height)), height),
        front.mark_point(size=210, color=INK, strokeWidth=1.4, filled=False, aria=False).encode(
            opacity=faded()
        ),
        points,
        *_titles(drawing, height),
    ]
    names = {
        "senses": [m.sense for m in of],
        "shares": [not m.unit for m in of],
        "titles": [f"{m.name} ({say['more' if m.sense > 0 else 'less']})" for m in of],
    }
    return drawing.finish(layers, say["trade"], height, names=names)


def _best(by: str, of: str) -> dict[str, Any]:
    """Transform: the most of a column among rows that have at least as much of another."""
    return {
        "window": [{"op": "max", "field": of, "as": f"best_{of}"}],
        "sort": [{"field": by, "order": "descending"}],
        "frame": [None, 0],
        "ignorePeers": False,
    }


def _shown(axis: str, value: str) -> str:
    """Expression: a value of the measure of an axis as text."""
    return f"shares[{axis}] ? format({value}, '.3~%') : format({value}, ',.5~r')"


def _plane_scale(ends: list[Any]) -> Any:
    return alt.Scale(zero=False, nice=False, padding=PAD, range=ends)


def _beside(n: int, height: float) -> list[dict[str, Any]]:
    """Transforms: places [px] of points and of their names, which keep their distance.

    In the order from the top each name is put at its point, or below the one before it; then, from
    the bottom, as high as those below it need.
    """
    size = f"(width - {GUTTER})"
    part = "datum.{0}1 > datum.{0}0 ? (datum.{0} - datum.{0}0) / (datum.{0}1 - datum.{0}0) : 0.5"
    ends = [{"op": op, "field": of, "as": f"{of}{k}"}
            for of in ("x", "y") for k, op in enumerate(("min", "max"))]  # fmt: skip
    return [
        {"joinaggregate": ends},
        *computed(
            px=f"{PAD} + ({part.format('x')}) * ({size} - {2 * PAD})",
            py=f"{height - PAD} - ({part.format('y')}) * {height - 2 * PAD}",
        ),
        {"window": [{"op": "row_number", "as": "i"}], "sort": [{"field": "py"}]},
        *computed(free=f"datum.py - {LABEL} * datum.i"),
        {"window": [{"op": "max", "field": "free", "as": "down"}], "sort": [{"field": "i"}]},
        *computed(
            ly=f"min(datum.down + {LABEL} * datum.i, "
            f"{height - LABEL / 2} - {LABEL} * ({n} - datum.i))",
            lx=f"{size} + 16",
        ),
    ]


def _names(chart: Any, height: float) -> list[Any]:
    """Names of the points, each with a line to its point."""
    at = chart.encode(y=alt.Y("ly:Q", scale=None, axis=None), opacity=faded())
    name = {"align": "left", "baseline": "middle", "fontSize": 11, "aria": False,
            "limit": alt.ExprRef(f"{GUTTER} - 18")}  # fmt: skip
    texts = at.encode(x=alt.X("lx:Q", scale=None, axis=None), text=alt.Text("p:N"))
    return [
        at.transform_calculate(lx="datum.lx - 3")
        .mark_rule(color="#b8c2ca", strokeWidth=0.8, aria=False)
        .encode(
            x=alt.X("px:Q", scale=None, axis=None), x2=alt.X2("lx"),
            y=alt.Y("py:Q", scale=None, axis=None), y2=alt.Y2("ly"),
        ),
        texts.transform_filter("!datum.f").mark_text(color=SOFT, **name),
        texts.transform_filter("datum.f").mark_text(color=INK, fontWeight="bold", **name),
    ]  # fmt: skip


def _titles(drawing: Drawing, height: float) -> list[Any]:
    """Names of the two measures, which the choice changes."""
    one = drawing.chart([{}])
    place = {"color": SOFT, "fontSize": 11, "align": "left", "aria": False}
    return [
        one.mark_text(x=0, y=-9, text=alt.ExprRef("titles[up]"), **place),
        one.mark_text(
            x=0, y=height + 34, text=alt.ExprRef("titles[across]"), **place
        ),
    ]  # fmt: skip


# --- through the year -----------------------------------------------------------------------


MOST_DRAWN = 12
"""Reservoirs, or places on the river, that are drawn; the largest."""


def reservoirs_drawn(sides: Sides) -> list[str]:
    """Reservoirs that are drawn: the largest, in the order of the basin."""
    return _largest(sides, "storage", "reservoir")


def nodes_drawn(sides: Sides) -> list[str]:
    """Places on the river that are drawn: those of the largest flows, in the order of the basin."""
    return _largest(sides, "flow", "node")


def _largest(sides: Sides, quantity: str, dim: str) -> list[str]:
    values = sides.comparison.courses[quantity]
    most = values.max([d for d in values.dims if d != dim]).values
    names = [str(name) for name in values[dim].values]
    drawn = [k for k in np.argsort(-most, kind="stable")[:MOST_DRAWN] if most[k] > 0]
    return [names[k] for k in sorted(drawn)]


def storage(sides: Sides, reservoir: str = "") -> Any:
    """Draw the storage of a reservoir under every policy, or that of all together."""
    say = _say(sides)
    values = sides.comparison.courses["storage"]
    of = values.sel(reservoir=reservoir) if reservoir else values.sum("reservoir")
    name = sides.word("node", reservoir) if reservoir else say["all reservoirs"]
    title = f"{name}: {say['storage']}"
    return _course(sides, title, sides.unit("hm3"), of.transpose("policy", "edge").values)


def flow(sides: Sides, node: str) -> Any:
    """Draw the flow of the river past a node under every policy."""
    values = sides.comparison.courses["flow"].sel(node=node).transpose("policy", "time").values
    title = f"{sides.word('node', node)}: {_say(sides)['flow']}"
    # the last period goes on to its end
    lasting = np.concatenate([values, values[:, -1:]], axis=1)
    return _course(sides, title, "m³/s", lasting, is_step=True)


def _course(
    sides: Sides, title: str, unit: str, values: np.ndarray, *, is_step: bool = False
) -> Any:
    """Draw lines through the horizon (policy, edge)."""
    drawing, say = sides.drawing(), _say(sides)
    rows = [
        {"p": policy, "k": sides.place(policy), "v": of_policy}
        for policy, of_policy in zip(sides.policies, compact(values), strict=True)
    ]
    day = "%Y-%m-%d" if sides.lang == "en" else "%d/%m/%Y"
    steps = [
        {"flatten": ["v"]}, {**NUMBERED, "groupby": ["k"]},
        *computed(t="datetime(1970, 0, 1 + days[datum.i - 1])"),
    ]  # fmt: skip
    base = drawing.chart(rows, *steps).encode(
        x=alt.X("t:T", axis=time_axis(sides)), y=alt.Y("v:Q", title=unit)
    )
    lines = base.mark_line(interpolate="step-after" if is_step else "linear", aria=False).encode(
        color=coloured(sides), strokeDash=dashed(sides), opacity=faded(0.08),
        strokeWidth=alt.StrokeWidth("k:O", legend=None, scale=sides.scale("width")),
    )  # fmt: skip
    seen = base.mark_point(opacity=0, size=60, aria=False).encode(
        tooltip=[
            alt.Tooltip("p:N", title=say["policy"]),
            alt.Tooltip("t:T", title=say["from" if is_step else "date"], format=day),
            alt.Tooltip("v:Q", title=unit, format=",.4~r"),
        ],
    )
    names = {"days": day_numbers(sides.edges)}
    return drawing.finish([lines, seen], title, 190, names=names, description=f"{title} [{unit}]")


# --- rules ----------------------------------------------------------------------------------


def rules(sides: Sides) -> Any:
    """Draw how often each policy keeps its own rules; empty where it has no such rule."""
    table = sides.comparison.rules
    rows = [
        {"g": row.rule, "p": row.policy, "k": sides.place(row.policy),
         "vs": [compact(row.kept, EXACT)],
         "ws": [f"{row.missed:.4g} {row.unit.replace('m3s', 'm³/s').replace('hm3', 'hm³')}"]}
        for row in table.itertuples(index=False)
    ]  # fmt: skip
    return _kept_map(sides, rows, list(dict.fromkeys(table["rule"])), "rules", "0")


def yardsticks(sides: Sides) -> Any:
    """Draw how often each yardstick is kept under every policy."""
    names = sides.names("kept", "yardstick")
    rows = []
    for name in names:
        kept_of, missed_of = (sides.values((m, "yardstick", name)) for m in ("kept", "missed"))
        unit = sides.unit(sides.units["missed", "yardstick", name])
        rows += [
            {"g": name, "p": policy, "k": sides.place(policy),
             "vs": compact(kept_of[policy], EXACT),
             "ws": [f"{missed:.4g} {unit}" for missed in missed_of[policy]]}
            for policy in sides.policies
        ]  # fmt: skip
    return _kept_map(sides, rows, names, "yardsticks", "member")


def _kept_map(
    sides: Sides, rows: list[dict[str, Any]], names: Sequence[str], title: str, place: str
) -> Any:
    """Draw shares in which rules are kept; a row holds them for each choice of a member.

    Parameters
    ----------
    place : expression of the choice
    """
    drawing, say = sides.drawing(), _say(sides)
    steps = computed(
        v=f"datum.vs[{place}]", w=f"datum.ws[{place}]", text="format(floor(datum.v * 100), 'd')"
    )
    base = drawing.chart(rows, *steps).encode(
        x=_policy_axis(sides.policies),
        y=alt.Y("g:N", sort=list(names), title=None, axis=alt.Axis(
            domain=False, ticks=False, labelLimit=alt.ExprRef("width < 300 ? 110 : 220"))),
        opacity=faded(0.25),
    )  # fmt: skip
    cells = base.mark_rect(stroke="white", strokeWidth=1).encode(
        color=alt.Color(
            "v:Q", title=say["kept share"],
            scale=alt.Scale(type="threshold", domain=list(KEPT_FROM), range=list(KEPT)),
            legend=alt.Legend(format=".0%", gradientLength=220, gradientThickness=12),
        ),
        tooltip=[
            alt.Tooltip("g:N", title=say["rule"]),
            alt.Tooltip("p:N", title=say["policy"]),
            alt.Tooltip("v:Q", title=say["kept share"], format=".1%"),
            alt.Tooltip("w:N", title=say["missed"]),
        ],
    )  # fmt: skip
    numbers = base.mark_text(aria=False, fontSize=10).encode(
        text=alt.Text("text:N"),
        color=alt.ColorValue(INK, condition={"test": "datum.v < 0.9", "value": "white"}),
        opacity=alt.OpacityValue(alt.ExprRef(f"width / {len(sides.policies)} > 30 ? 1 : 0")),
    )
    return drawing.finish([cells, numbers], say[title], max(60, 22 * len(names)))
