"""Explanations of shortages as people read them: text and plain data."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from wateralloc.report.cells import cell
from wateralloc.units import HM3_PER_M3

if TYPE_CHECKING:
    from wateralloc.case import Case
    from wateralloc.explanation import Award, Cause, Explanation, Loss, Step
    from wateralloc.foresight.limits import Limit

NOTHING = 1e-6
"""Volumes up to this [hm3] are none."""
SHOWN, NAMED = 8, 4
"""Losses that are told one by one, and names in a list."""
SMALL = 1e-3
"""Share of the shortage below which what is taken or lost is not told by itself."""
WORDS: dict[str, dict[str, str]] = {
    "en": {
        "all": "all users",
        "member": "member {}",
        "short": "short by {short} of {asked} {of} ({share})",
        "short plant": "{short} {of} ({share}) less than the {asked} {of} of its capacity",
        "not short": "not short: given all of {asked} {of}",
        "requested": "what is asked",
        "requested plant": "at capacity throughout",
        "reachable": "water and works alone, with nobody else served",
        "entitled": "what environmental flows and hard rules leave to it",
        "delivered": "what it is given",
        "requested_name": "requested",
        "reachable_name": "reachable",
        "entitled_name": "entitled",
        "delivered_name": "delivered",
        "free": "the goals leave it open between {low} and {high} {of}",
        "steps": "Who has the water, in the order of the law",
        "physics": "there is no more: inflow, storage and the size of works",
        "environmental_flow": "environmental flows",
        "goal": "goal {}: {}",
        "open": "nobody: the goals leave it open",
        "few": "{} other clauses, together",
        "award": "{rule}: {claimant} asks {claim} hm3 and is settled at level {level}, in round "
        "{round}",
        "beside": " with {}",
        "limits": "What holds it back: if it gave way",
        "users": "Who takes water that would reach it",
        "own": "it takes itself in other periods",
        "one": "1 {unit} {way} gives {rate} {of}, up to {lift} {unit} ({gain} {of} in all)",
        "some": "{lift} {unit} {way} give {gain} {of}: between {low} and {high} {of} for 1 {unit}",
        "more": "more",
        "less": "less",
        "now": "now {}",
        "nothing": "No limit that gives way by itself gives it more here: what is gained goes to "
        "others, or to other periods, first.",
        "only water": "Nobody else has it, and no work is too small: what lacks is water.",
        "worth": "1 hm3 more at {nodes} gives it {rate} {of}, up to {lift} hm3 more",
        "worth between": "1 hm3 more at {nodes} gives it between {low} and {high} {of}: a kink of "
        "the optimum; {lift} hm3 more give {gain} {of}",
        "first": "If it came before all goals it would be given {first} {of}, and there would be "
        "less of",
        "lost nothing": "If it came before all goals it would be given {first} {of}.",
        "and more": "and {} more, {} hm3 together",
        "demand": "{}",
        "energy": "energy of {}",
        "storage": "storage of {} at the end",
        "soft_rule": "water that {} asks",
        "settled": "What gives way was tried: with it, all goals were settled again.",
        "others": " and {} others",
        "dekad": "ten-day periods",
        "month": "months",
        "week": "weeks",
        "day": "days",
    },
    "vi": {
        "all": "tất cả các hộ dùng nước",
        "member": "kịch bản thủy văn {}",
        "short": "thiếu {short} trong {asked} {of} ({share})",
        "short plant": "ít hơn {short} {of} ({share}) so với {asked} {of} khi chạy hết công suất",
        "not short": "không thiếu: được cấp đủ {asked} {of}",
        "requested": "lượng yêu cầu",
        "requested plant": "nếu luôn chạy hết công suất",
        "reachable": "nếu chỉ có nước và công trình, không cấp cho ai khác",
        "entitled": "phần còn lại sau dòng chảy tối thiểu và các quy tắc bắt buộc",
        "delivered": "lượng được cấp",
        "requested_name": "yêu cầu",
        "reachable_name": "tới được",
        "entitled_name": "được hưởng",
        "delivered_name": "được cấp",
        "free": "các mục tiêu để ngỏ, trong khoảng {low} đến {high} {of}",
        "steps": "Nước ở đâu, theo thứ tự của luật",
        "physics": "không có hơn: dòng chảy đến, dung tích và năng lực công trình",
        "environmental_flow": "dòng chảy tối thiểu",
        "goal": "mục tiêu {}: {}",
        "open": "không ai: các mục tiêu để ngỏ",
        "few": "{} điều khoản khác, cộng lại",
        "award": "{rule}: {claimant} yêu cầu {claim} triệu m³, được ấn định ở mức {level}, vòng "
        "{round}",
        "beside": " cùng với {}",
        "limits": "Điều gì giữ lại: nếu nới ra",
        "users": "Ai lấy phần nước có thể tới đó",
        "own": "chính hộ này lấy ở các thời đoạn khác",
        "one": "{way} 1 {unit} thì được thêm {rate} {of}, cho tới {lift} {unit} (tất cả {gain} "
        "{of})",
        "some": "{way} {lift} {unit} thì được thêm {gain} {of}: từ {low} đến {high} {of} "
        "cho 1 {unit}",
        "more": "thêm",
        "less": "bớt",
        "now": "hiện là {}",
        "nothing": "Không giới hạn nào, khi nới riêng, đem lại thêm nước ở đây: phần thêm trước "
        "hết về hộ khác hoặc thời đoạn khác.",
        "only water": "Không ai khác lấy và không công trình nào quá nhỏ: thiếu là thiếu nước.",
        "worth": "thêm 1 triệu m³ tại {nodes} thì được {rate} {of}, cho tới {lift} triệu m³",
        "worth between": "thêm 1 triệu m³ tại {nodes} thì được từ {low} đến {high} {of}: điểm "
        "gãy của lời giải tối ưu; thêm {lift} triệu m³ thì được {gain} {of}",
        "first": "Nếu đứng trước mọi mục tiêu thì được {first} {of}, và sẽ bớt đi",
        "lost nothing": "Nếu đứng trước mọi mục tiêu thì được {first} {of}.",
        "and more": "và {} nơi khác, tổng cộng {} triệu m³",
        "demand": "{}",
        "energy": "điện lượng của {}",
        "storage": "dung tích cuối kỳ của {}",
        "soft_rule": "nước mà {} yêu cầu",
        "settled": "Mỗi điều nới ra đều đã thử: giải lại mọi mục tiêu với nó.",
        "others": " và {} nơi khác",
        "dekad": "kỳ 10 ngày",
        "month": "tháng",
        "week": "tuần",
        "day": "ngày",
    },
}
VOLUME = {"en": "hm3", "vi": "triệu m³"}


def title(explanation: Explanation, lang: str = "en") -> str:
    """Name the target: who, when and in which member."""
    case, say = explanation.settled.case, WORDS[lang]
    target = explanation.target
    who = ", ".join(_claimant(case, name, lang) for _, name in target.group)
    if target.plants:
        who = ", ".join(_name(case, "hydropower", p, lang) for p in target.plants)
    elif len(target.demands) == 1:
        who = _name(case, "demands", target.demands[0], lang)
    when = periods(case, target.periods, lang)
    return f"{who or say['all']} · {when} · {say['member'].format(explanation.member)}"


def unit_of(explanation: Explanation, lang: str = "en") -> str:
    """Unit of what is explained, in words."""
    return "GWh" if explanation.target.plants else VOLUME[lang]


def text(explanation: Explanation, lang: str = "en") -> str:
    """Write an explanation in plain words."""
    return "\n".join(_lines(explanation, lang)) + "\n"


def _lines(e: Explanation, lang: str) -> Iterator[str]:
    case, say = e.settled.case, WORDS[lang]
    yield title(e, lang)
    share = cell(e.short / e.requested if e.requested else 0.0, is_share=True)
    is_short = e.short > NOTHING
    of = unit_of(e, lang)
    is_plant = bool(e.target.plants)
    key = ("short plant" if is_plant else "short") if is_short else "not short"
    yield say[key].format(short=cell(e.short), asked=cell(e.requested), share=share, of=of)
    if e.free[1] - e.free[0] > NOTHING:
        yield say["free"].format(low=cell(e.free[0]), high=cell(e.free[1]), of=of)
    if not is_short:
        return
    yield ""
    figures = [
        (say[f"{f}_name"], cell(getattr(e, f)), say[f"{f} plant" if f == "requested" and is_plant
                                                    else f])
        for f in ("requested", "reachable", "entitled", "delivered")
    ]  # fmt: skip
    wide = [max(len(row[k]) for row in figures) for k in (0, 1)]
    for name, value, meaning in figures:
        yield f"  {name:<{wide[0]}}  {value:>{wide[1]}}  {meaning}"
    yield ""
    yield f"{say['steps']} [{of}]"
    taken, rest = _told(e)
    width = max(len(cell(step.taken)) for step in taken)
    for step in taken:
        yield f"  {cell(step.taken):>{width}}  {_step(case, step, lang)}"
        for award in e.awards:
            if step.kind == "goal" and award.goal == step.number:
                yield f"  {'':>{width}}    {_award(case, award, lang)}"
    if rest:
        few = cell(sum(step.taken for step in rest))
        yield f"  {few:>{width}}  {say['few'].format(len(rest))}"
    yield ""
    for heading, is_user in (("limits", False), ("users", True)):
        causes = [cause for cause in e.causes if (cause.kind == "user") == is_user]
        if causes:
            yield say[heading]
            for cause in causes:
                yield f"  {_cause_name(case, cause, e.target.demands, lang)}"
                yield f"    {_cause(case, cause, of, lang)}"
    if not e.causes:
        is_physics = e.requested - e.steps[0].left >= e.short - NOTHING
        yield say["only water" if is_physics else "nothing"]
    yield ""
    yield from _worth(e, lang)
    yield from _losses(e, lang)
    if e.causes:
        yield say["settled"]


def _told(e: Explanation) -> tuple[list[Step], list[Step]]:
    """Steps that are told one by one, and those that take hardly anything."""
    taken = [step for step in e.steps if step.taken > NOTHING]
    least = SMALL * e.short
    return [s for s in taken if s.taken >= least], [s for s in taken if s.taken < least]


def _step(case: Case, step: Step, lang: str) -> str:
    say = WORDS[lang]
    if step.kind in ("rule", "soft_rule"):
        return rule_name(case, step.rule)
    if step.kind == "goal":
        named = say["goal"].format(step.number, _title(step.goal))
        return named + _goal_place(case, step.goal)
    return say["open" if step.kind == "free" else step.kind]


def _title(goal: Any) -> str:
    named = getattr(goal, "title", None)
    return str(named()) if callable(named) else str(goal.kind)


def _goal_place(case: Case, goal: Any) -> str:
    for known, position in zip(case.goals, case.goal_positions, strict=False):
        if known is goal and position.line:
            return f" ({position})"
    return ""


def rule_name(case: Case, rule: Any, label: str = "") -> str:
    """Name a rule with its place in the case and its source in law."""
    notes = [
        str(position)
        for known, position in zip(case.rules, case.rule_positions, strict=False)
        if known is rule and position.line
    ]
    notes += [rule.source] if rule.source else []
    return f"{rule.kind} '{label or rule.name}'" + (f" ({'; '.join(notes)})" if notes else "")


def _award(case: Case, award: Award, lang: str) -> str:
    say = WORDS[lang]
    line = say["award"].format(
        rule=award.rule, claimant=_claimant(case, award.claimant, lang), claim=cell(award.claim),
        level=cell(award.level), round=award.round,
    )  # fmt: skip
    if award.beside:
        beside = [_claimant(case, name, lang) for name in award.beside]
        line += say["beside"].format(_some(beside, lang))
    return line


def _some(words: Sequence[str], lang: str) -> str:
    """Join names; of many the first, and how many more there are."""
    more = len(words) - NAMED
    text = ", ".join(words[:NAMED] if more > 1 else words)
    return text + (WORDS[lang]["others"].format(more) if more > 1 else "")


def _claimant(case: Case, name: str, lang: str) -> str:
    """Words of a claimant: a region, province, sector, demand, or several of these."""
    basin = case.basin
    words = []
    for part in name.split("/"):
        known = next(
            (of[part] for of in (basin.provinces, basin.regions, basin.sectors) if part in of), None
        )
        demands = basin.tables["demands"]
        if known is None and part in demands.index:
            known = {lang: demands.at[part, f"name_{lang}"]}
        words.append(str((known or {}).get(lang) or part))
    return "/".join(words)


def _name(case: Case, table: str, name: str, lang: str) -> str:
    rows = case.basin.tables[table]
    return str(rows.at[name, f"name_{lang}"] or name) if name in rows.index else name


def limit_name(case: Case, limit: Limit, lang: str) -> str:
    """Name a limit with its item in words."""
    if limit.kind == "rule":
        return rule_name(case, limit.rule, limit.item)
    table = {"flow": "links", "storage_end": "nodes", "withdrawal": "demands"}.get(limit.name, "")
    word = _name(case, table, limit.item, lang) if table else limit.item
    text = limit.text(lang).replace(f"'{limit.item}'", word)
    for kind, full in (("reservoir ", word), ("hồ ", word)):  # "Hòa Bình reservoir" says it already
        if kind.strip() in full.lower():
            text = text.replace(f"{kind}{word}", word)
    return text


def _cause_name(case: Case, cause: Cause, own: Sequence[str], lang: str) -> str:
    say, item = WORDS[lang], cause.limit.item
    named = (
        (say["own"] if item in own else _name(case, "demands", item, lang))
        if cause.kind == "user"
        else limit_name(case, cause.limit, lang)
    )
    text = f"{named}, {periods(case, cause.periods, lang)}"
    if abs(cause.now) <= NOTHING:  # the limit compares two amounts and has none of its own
        return text
    return f"{text}, {say['now'].format(_amount(case, cause, cause.now, lang))}"


def _amount(case: Case, cause: Cause, volume: float, lang: str) -> str:
    """Volume of a limit, with its mean flow where it is one."""
    rule = cause.limit.rule
    if _unit_of_limit(cause.limit, lang) == "GWh":
        return f"{cell(volume)} GWh"
    text = f"{cell(volume)} {VOLUME[lang]}"
    is_flow = (
        rule.reported_in == "m3s"
        if rule is not None
        else cause.limit.name in ("flow", "environmental_flow")
    )
    if is_flow:
        seconds = float(case.timeline.seconds[list(cause.periods)].sum())
        text += f" ({cell(volume / (seconds * HM3_PER_M3))} m3/s)"
    return text


def _cause(case: Case, cause: Cause, of: str, lang: str) -> str:
    say = WORDS[lang]
    return say["one" if cause.is_linear else "some"].format(
        unit=_unit_of_limit(cause.limit, lang), of=of,
        way=say["more" if cause.places[0].step > 0 else "less"], lift=cell(cause.lift),
        gain=cell(cause.gain), rate=cell(cause.rates[1]), low=cell(cause.rates[0]),
        high=cell(cause.rates[1]),
    )  # fmt: skip


def _unit_of_limit(limit: Limit, lang: str) -> str:
    is_energy = getattr(limit.rule, "reported_in", "") == "gwh" or limit.name == "plant_capacity"
    return "GWh" if is_energy else VOLUME[lang]


def _worth(e: Explanation, lang: str) -> Iterator[str]:
    worth, say = e.worth, WORDS[lang]
    if worth is None or worth.rates[1] <= NOTHING:
        return
    nodes = _some([_name(e.settled.case, "nodes", n, lang) for n in worth.nodes], lang)
    key = "worth" if worth.is_one else "worth between"
    yield say[key].format(
        nodes=nodes, rate=cell(worth.rates[1]), low=cell(worth.rates[0]), high=cell(worth.rates[1]),
        lift=cell(worth.lift), gain=cell(worth.gain), of=unit_of(e, lang),
    )  # fmt: skip


def _losses(e: Explanation, lang: str) -> Iterator[str]:
    say, case = WORDS[lang], e.settled.case
    if e.first - e.delivered <= NOTHING:
        return
    lost = [loss for loss in e.losses if loss.amount > max(SMALL * e.short, NOTHING)]
    yield say["first" if lost else "lost nothing"].format(first=cell(e.first), of=unit_of(e, lang))
    for kind in dict.fromkeys(loss.kind for loss in lost):
        of_kind = [loss for loss in lost if loss.kind == kind]
        for loss in of_kind[:SHOWN]:
            unit = VOLUME[lang] if loss.unit == "hm3" else loss.unit
            yield f"  {cell(loss.amount)} {unit}  {say[kind].format(_lost(case, loss, e, lang))}"
        rest = of_kind[SHOWN:]
        if rest:
            yield "  " + say["and more"].format(len(rest), cell(sum(r.amount for r in rest)))


def _lost(case: Case, loss: Loss, e: Explanation, lang: str) -> str:
    if loss.kind == "demand" and loss.name in e.target.demands:
        return WORDS[lang]["own"]
    table = {"demand": "demands", "energy": "hydropower", "storage": "nodes"}.get(loss.kind)
    return _name(case, table, loss.name, lang) if table else loss.name


def periods(case: Case, places: Sequence[int], lang: str = "en") -> str:
    """Say which periods: one by its days, several by their number, first and last day."""
    timeline = case.timeline
    first, last = timeline.starts[min(places)], timeline.last_days[max(places)]
    if len(places) == 1 and timeline.step == "day":
        return str(first)
    dash = f"{first} – {last}"
    if len(places) in (1, timeline.periods):
        return dash
    is_run = max(places) - min(places) + 1 == len(places)
    return dash if is_run else f"{len(places)} {WORDS[lang][timeline.step]}, {dash}"


def as_data(explanation: Explanation, lang: str = "en") -> dict[str, Any]:
    """An explanation as plain data, for JSON: the target in `unit`, all else in hm3 or as said."""
    e, case = explanation, explanation.settled.case
    starts, ends = case.timeline.starts, case.timeline.last_days

    def days(places: Sequence[int]) -> list[str]:
        return [str(starts[t]) for t in places]

    return {
        "title": title(e, lang),
        "member": e.member,
        "demands": list(e.target.demands),
        "plants": list(e.target.plants),
        "period_start": days(e.target.periods),
        "period_end": [str(ends[t]) for t in e.target.periods],
        "unit": e.target.unit,
        "requested": e.requested,
        "reachable": e.reachable,
        "entitled": e.entitled,
        "delivered": e.delivered,
        "deficit": e.short,
        "free": list(e.free),
        "taken": [
            {
                "kind": step.kind,
                "clause": _clause(step),
                "text": _step(case, step, lang),
                "taken": step.taken,
                "left": step.left,
            }
            for step in e.steps
        ],
        "causes": [
            {
                "kind": cause.kind,
                "name": cause.limit.item,
                "text": limit_name(case, cause.limit, lang),
                "source": getattr(cause.limit.rule, "source", ""),
                "period_start": days(cause.periods),
                "now": cause.now,
                "unit": "GWh" if getattr(cause.limit.rule, "reported_in", "") == "gwh" else "hm3",
                "gives_way_by": cause.lift,
                "gain": cause.gain,
                "rate": list(cause.rates),
                "is_linear": cause.is_linear,
            }
            for cause in e.causes
        ],
        "worth": None
        if e.worth is None
        else {
            "nodes": list(e.worth.nodes),
            "rate": list(e.worth.rates),
            "up_to_hm3": e.worth.lift,
            "gain": e.worth.gain,
        },
        "awards": [
            {
                "goal": award.goal,
                "rule": award.rule,
                "claimant": award.claimant,
                "claim_hm3": award.claim,
                "level": award.level,
                "round": award.round,
                "beside": list(award.beside),
            }
            for award in e.awards
        ],
        "first": e.first,
        "losses": [
            {"kind": loss.kind, "name": loss.name, "amount": loss.amount, "unit": loss.unit}
            for loss in e.losses
        ],
    }


def _clause(step: Step) -> str:
    if step.rule is not None:
        return str(step.rule.name)
    return _title(step.goal) if step.goal is not None else ""


def figure_data(explanation: Explanation, lang: str = "en") -> tuple[list[str], np.ndarray]:
    """Names and volumes of the steps from what is requested to what is delivered."""
    case = explanation.settled.case
    taken, _ = _told(explanation)
    # places in files and sources are for the text
    names = [_step(case, s, lang).partition(" (")[0] for s in taken]
    return names, np.array([s.taken for s in taken])
