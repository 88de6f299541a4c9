"""report.html: both languages whole, what inputs say inert, every kind of result, the command."""

from __future__ import annotations

import json
import re
import shutil
import string
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import vl_convert as vlc
from typer.testing import CliRunner

from tests.basins import month_starts
from tests.ensemble.river import write_case
from tests.reported import parts, solved
from tests.small import inflow, make_case
from wateralloc import job
from wateralloc.cli.base import app
from wateralloc.errors import InputError
from wateralloc.foresight.perfect import solve_perfect
from wateralloc.report.charts import allocation, network, rivers, rules, sankey, traces, view
from wateralloc.report.charts.style import take_apart
from wateralloc.report.page import kept, render, words
from wateralloc.report.page import result as page
from wateralloc.report.page.model import Figure, Figures, Page
from wateralloc.report.tables import tabulate
from wateralloc.results import Results, collect

EVIL = "</script><script>alert(1)</script>"
EVIL_TOO = "\"'><img src=x onerror=alert(1)>{{ 7 * 7 }} \\u0027 `${1}`"
DAY = date(2026, 1, 31)
SECTIONS = {
    "summary", "allocation", "basin", "water", "reservoirs", "rivers", "duration", "energy",
    "rules", "why", "metrics", "figures", "record",
}  # fmt: skip
VOID = {"meta", "img", "br", "hr", "input", "link"}


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    return solved(tmp_path_factory.mktemp("page"))


@dataclass
class Reader(HTMLParser):
    """What a page has: its elements, and the texts that are seen in each language."""

    elements: list[tuple[str, dict[str, str | None]]] = field(default_factory=list)
    texts: list[tuple[str, str]] = field(default_factory=list)  # language or "", text
    scripts: list[str] = field(default_factory=list)
    open: list[tuple[str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            of = dict(attrs).get("data-of") or (self.open[-1][1] if self.open else "")
            self.open.append((tag, of))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop()[0] == tag, f"{tag} closes what it did not open"

    def handle_data(self, data: str) -> None:
        tag, of = self.open[-1] if self.open else ("", "")
        if tag == "script":
            self.scripts.append(data)
        elif tag != "style" and data.strip():
            self.texts.append((of, data.strip()))

    def seen(self, lang: str) -> list[str]:
        """Texts that are seen in a language."""
        return [text for of, text in self.texts if of in ("", lang)]


def read_html(text: str) -> Reader:
    reader = Reader()
    reader.feed(text)
    reader.close()
    assert reader.open == []
    return reader


def rendered(made: Page, lang: str = "en") -> str:
    return render.render(made, lang, "/* library */")


def figures(made: Page) -> Iterator[Figure]:
    for section in made.sections:
        for block in section.blocks:
            if isinstance(block, Figures):
                yield from block.figures


def check_drawn(made: Page) -> set[str]:
    """All charts of a page compile and can be drawn, in both languages; return their names."""
    for figure in figures(made):
        for chart in figure.charts.values():
            spec, rows = take_apart(chart)
            assert "<svg" in vlc.vegalite_to_svg(spec | {"datasets": rows})
    return {figure.name for figure in figures(made)}


# --- two languages ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "module", [words, render, view, allocation, network, rivers, rules, sankey, traces]
)
def test_words_are_in_both_languages(module: Any) -> None:
    def fields(text: str) -> set[str | None]:
        return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}

    for key, said in module.WORDS.items():
        assert set(said) == {"en", "vi"}, key
        assert all(text.strip() for text in said.values()), key
        assert fields(said["en"]) == fields(said["vi"]), key
        if said["en"] == said["vi"]:
            assert key in {"GWh", "hash"}, key


def test_texts_kept_are_in_both_languages() -> None:
    for said in (kept.MENDED, kept.MANY_PROGRAMS):
        assert set(said) == {"en", "vi"}


def test_no_english_is_left_in_the_vietnamese_page(results: Results) -> None:
    dataset = results.dataset
    names = {str(name) for name in dataset["rule"].values}
    names |= {str(rule["rule"]) for rule in results.manifest["resolved"]["rules"]}
    names |= {str(name).partition(", round")[0] for name in dataset["stage_name"].values}
    names |= {"Decision 1", "English", str(dataset.attrs["source"]), *results.manifest["inputs"]}
    seen = read_html(rendered(page.make_page(results, day=DAY))).seen("vi")
    left = [text for text in seen if text not in names]
    english = _words(" ".join(said["en"] for of in ALL_WORDS for said in of.values()))
    vietnamese = _words(" ".join(said["vi"] for of in ALL_WORDS for said in of.values()))
    assert {"member", "demand", "kept", "year"} <= english - vietnamese
    assert len(left) > 150
    for text in left:
        text = re.sub(r"case|study|basin|wateralloc \w+|--\w+", "", text)
        assert not _words(text) & (english - vietnamese), text
    assert {"Tóm tắt", "Hồ Núi Cốc: dung tích trữ", "Hà Giang", "Đồng bằng"} <= set(left)


ALL_WORDS = [m.WORDS for m in (words, render, view, allocation, network, rivers, rules, sankey)]


def _words(text: str) -> set[str]:
    return set(re.findall(r"\b[a-z]{4,}\b", re.sub(r"{\w+}", "", text).lower()))


def test_vietnamese_numbers_and_dates(results: Results) -> None:
    reader = read_html(rendered(page.make_page(results, day=DAY), "vi"))
    vi, en = (" ".join(reader.seen(lang)) for lang in ("vi", "en"))
    assert "01/01/2011 – 31/12/2012" in vi
    assert "lập ngày 31/01/2026" in vi
    assert "2011-01-01 – 2012-12-31" in en
    # two members, two years; a year is a year as in the tables, also where it is a leap year
    asked = results.dataset["demand_volume"].sum().item() / 2 / 2
    assert tabulate(results, [], None, "demand").frame.iat[0, 0] == pytest.approx(asked)
    number = f"{asked:,.0f}"
    assert number in en
    assert number.replace(",", ".") in vi
    (attributes,) = (of for tag, of in reader.elements if tag == "html")
    assert attributes == {"lang": "vi", "data-lang": "vi"}


# --- what inputs say is inert ----------------------------------------------------------------


def hostile(folder: Path) -> Results:
    """The study with names that try to break out of the page."""
    arguments = parts()
    arguments["more"]["title"] = {"en": EVIL, "vi": EVIL_TOO}
    arguments["rules"][0] |= {"source": EVIL + EVIL_TOO}
    for table in ("nodes", "demands", "hydropower"):
        for row in arguments[table]:
            row |= {"name_en": EVIL, "name_vi": EVIL_TOO}
    for key in ("regions", "provinces", "sub_basins", "sectors"):
        arguments["yaml"][key] = {
            name: {**label, "en": f"{name} {EVIL}", "vi": f"{name} {EVIL_TOO}"}
            for name, label in arguments["yaml"][key].items()
        }
    return solved(folder, **arguments)


def test_names_are_inert(tmp_path: Path) -> None:
    told = kept.Told(
        title={"en": EVIL, "vi": EVIL_TOO}, text={"en": f"x\n{EVIL}", "vi": f"x\n{EVIL_TOO}"},
        unit={"en": EVIL, "vi": EVIL_TOO}, labels={"en": [EVIL] * 3, "vi": [EVIL_TOO] * 3},
        taken=[1.0], requested=2.0, delivered=1.0, data={},
    )  # fmt: skip
    sources = f"# {EVIL}\n\n|a|status|\n|---|---|\n|{EVIL_TOO}|stated|\n\n![x](http://x/y.png)\n"
    made = page.make_page(hostile(tmp_path), kept=kept.Kept(sources, (told,)), day=DAY)
    reader = read_html(rendered(made))
    assert [tag for tag, _ in reader.elements if tag == "script"] == ["script"] * 3
    assert not [tag for tag, _ in reader.elements if tag in ("img", "iframe", "link", "object")]
    assert not [
        name for _, attributes in reader.elements for name in attributes if name[:2] == "on"
    ]
    for lang, evil in (("en", EVIL), ("vi", EVIL_TOO)):
        seen = reader.seen(lang)
        assert evil in seen  # as text, letter by letter
        assert made.title[lang] == evil
    stored = json.loads(reader.scripts[0])
    assert stored["title"] == {"en": EVIL, "vi": EVIL_TOO}
    assert "</script" not in reader.scripts[0].lower()
    assert check_drawn(made) >= {"map", "sankey", "heat", "why-0"}


def test_script_json_is_read_back() -> None:
    value = {"a": [EVIL, EVIL_TOO, "\u2028\u2029<!--"], "đ": 1.5}
    text = render.script_json(value)
    assert "<" not in text
    assert json.loads(text) == value
    with pytest.raises(ValueError, match="not JSON compliant"):
        render.script_json(float("nan"))


def test_nothing_loads_from_elsewhere(results: Results, tmp_path: Path) -> None:
    text = page.write(results, tmp_path / "report.html", day=DAY).read_text(encoding="utf-8")
    reader = read_html(text)
    policy = next(a["content"] for t, a in reader.elements if t == "meta" and "content" in a
                  and a.get("http-equiv"))  # fmt: skip
    assert str(policy).startswith("default-src 'none'; script-src 'unsafe-inline'")
    for tag, attributes in reader.elements:
        for name in ("src", "srcset", "data", "action", "poster", "background"):
            assert not attributes.get(name), (tag, attributes)
        if "href" in attributes:
            assert str(attributes["href"]).startswith("#"), (tag, attributes)
    style = text.partition("<style>")[2].partition("</style>")[0]
    assert style
    assert "url(" not in style
    assert "@import" not in style
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]


# --- kinds of results ------------------------------------------------------------------------


def sections(made: Page) -> set[str]:
    names = {section.name for section in made.sections}
    assert names <= SECTIONS
    return names


def test_study_has_every_section(results: Results) -> None:
    made = page.make_page(results, day=DAY)
    assert sections(made) == SECTIONS
    assert check_drawn(made) == {
        "heat", "deficits", "map", "schematic", "sankey", "reservoir-0", "level-0", "flow-0",
        "duration-0", "energy", "rules",
    }  # fmt: skip
    assert made.choices["member"]["vi"] == ("Tất cả kịch bản thủy văn", "2001-01", "2002-01")
    assert made.choices["season"]["en"][0] == "Whole year"
    assert made.warnings == []
    said = " ".join(read_html(rendered(made)).seen("en"))
    assert "3 users ask for" in said
    assert "The worst member is 2001-01" in said
    assert "Of 3 rules 1 are kept in all periods of all members" in said
    assert "Broken somewhere: delta, gates." in said


PLAIN: dict[str, Any] = {
    "periods": 3,
    "goals": [{"meet": {}}],
    "nodes": [{"name": "river", "kind": "inflow"}, {"name": "sea", "kind": "sink"}],
    "links": [{"name": "reach", "from": "river", "to": "sea", "kind": "reach"}],
    "demands": [
        {"name": "farm", "node": "river", "sector": "irrigation", "demand_hm3_day": 8},
    ],
    "series": inflow(river=[10, 5, 10]),
}


def plain(folder: Path, **changes: Any) -> Results:
    """A river and a farm, for three days: no plants, rules, places, reservoirs or provinces."""
    return collect(solve_perfect(make_case(folder, **(PLAIN | changes))))


def test_smallest_basin(tmp_path: Path) -> None:
    found = plain(tmp_path)
    made = page.make_page(found, day=DAY)
    assert sections(made) == SECTIONS - {"reservoirs", "rivers", "duration", "energy", "rules"}
    assert check_drawn(made) == {"heat", "schematic", "sankey"}
    reader = read_html(rendered(made))
    said = " ".join(reader.seen("en"))
    assert "one member" in said
    assert "The case has no rules." in said
    assert "worst member" not in said
    assert "of the demand is met" in said
    # there is nothing to choose but the language
    assert [a.get("id") for tag, a in reader.elements if tag == "select"] == ["language"]


def test_basin_without_users(tmp_path: Path) -> None:
    changes = {**PLAIN, "goals": [{"maximise": "outflow"}]}
    del changes["demands"]
    made = page.make_page(collect(solve_perfect(make_case(tmp_path, **changes))), day=DAY)
    assert "allocation" not in sections(made)
    assert "metrics" not in sections(made)
    assert check_drawn(made) == {"schematic", "sankey"}
    assert "Nobody is short." in read_html(rendered(made)).seen("en")


def test_everyone_is_served(tmp_path: Path) -> None:
    found = plain(tmp_path, series=inflow(river=[10, 10, 10]))
    assert not page.is_short(found)
    seen = read_html(rendered(page.make_page(found, day=DAY))).seen("en")
    assert "All users (1) are served in full, in every period of one member." in seen
    assert "Nobody is short." in seen
    assert check_drawn(page.make_page(found, day=DAY)) == {"heat", "schematic", "sankey"}


def test_no_water_at_all(tmp_path: Path) -> None:
    found = plain(tmp_path, series=inflow(river=[0, 0, 0]))
    made = page.make_page(found, day=DAY)
    assert check_drawn(made) == {"heat", "schematic", "sankey"}
    assert "0.0 %" in read_html(rendered(made)).seen("en")


def test_many_years_by_month(tmp_path: Path) -> None:
    months = month_starts("2001-01", 36)
    changes = parts()
    changes |= {"periods": 36}
    changes["more"]["timeline"] = {"start": "2001-01-01", "periods": 36, "step": "month"}
    changes["more"]["hydrology"] = {"record": "dates"}
    found = solved(tmp_path, **changes)
    assert found.dataset.sizes["time"] == len(months)
    made = page.make_page(found, day=DAY)
    assert check_drawn(made) >= {"heat", "reservoir-0", "rules"}
    chart = rivers.reservoir(view.make_view(found), "lake")
    assert '"format": "%Y"' in json.dumps(take_apart(chart)[0])


def test_ensemble_folder(tmp_path: Path) -> None:
    path, out = write_case(tmp_path, years=4), tmp_path / "out"
    invoke("ensemble", path, "--workers", 1, "--out", out)
    invoke("report", out)
    reader = read_html((out / "report.html").read_text(encoding="utf-8"))
    options = [a for tag, a in reader.elements if tag == "option"]
    assert len(options) == 2 + 2 * 5  # languages; all and four members, in both
    assert "4 members" in " ".join(reader.seen("en"))


# --- explanations and what is kept -----------------------------------------------------------


def invoke(*arguments: object, code: int = 0) -> str:
    done = CliRunner().invoke(app, [str(a) for a in arguments], env={"COLUMNS": "200"})
    assert done.exit_code == code, done.output
    return done.output


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the case of a short farm, in which commands run."""
    make_case(tmp_path, **(PLAIN | {"more": {"name": "short"}}))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def why(folder: Path, lang: str = "en") -> str:
    """What the page of a result says in its section of explanations."""
    text = (folder / page.NAME).read_text(encoding="utf-8")
    section = text.partition('<section id="why"')[2].partition("</section>")[0]
    return " ".join(read_html(f'<section id="why"{section}</section>').seen(lang))


def test_run_leaves_a_page_and_report_makes_it_again(here: Path) -> None:
    invoke("run", "case.yaml", "--out", "out", "--explain", 1)
    assert "short by 3 of 24 hm³" in why(here / "out")
    first = kept.read(here / "out")
    assert first is not None
    assert first.explanations is not None
    assert len(first.explanations) == 1
    (here / "out" / page.NAME).unlink()
    assert "out/report.html" in invoke("report", "out")
    assert "short by 3 of 24 hm³" in why(here / "out")
    assert kept.read(here / "out") == first
    # without an explanation, anew
    invoke("report", "out", "--explain", 0, "--lang", "vi", "--out", "pages/một.html")
    text = (here / "pages" / "một.html").read_text(encoding="utf-8")
    assert '<html lang="vi" data-lang="vi">' in text
    assert "No explanation is kept with this result." in text
    assert "short by 3" not in text
    left = kept.read(here / "out")
    assert left is not None
    assert left.explanations is None


@pytest.mark.parametrize(
    "foresight", ["simulate", "{rolling: {window: 2, stride: 1, forecast: perfect}}"]
)
def test_a_result_of_several_programs_is_not_explained(here: Path, foresight: str) -> None:
    found = job.run("case.yaml", changes={"foresight": foresight})
    told = kept.gather(found, found.write(here / "out"), 1)
    assert told == kept.Kept(refused=kept.MANY_PROGRAMS)
    assert kept.read(here / "out") == told
    page.write(found, here / "out" / page.NAME, kept=told)
    assert why(here / "out").endswith("--set foresight=perfect.")
    assert "biết trước" in why(here / "out", "vi")


def test_a_mended_result_is_not_explained(here: Path) -> None:
    rule = "{rule: minimum_delivery, name: sea, at: river, flow_m3s: 80}"
    found = job.run("case.yaml", changes={"rules": f"[{rule}]"}, mend=True)
    folder = found.write(here / "out")
    assert kept.gather(found, folder, 0).refused == {}  # nothing was asked
    told = kept.gather(found, folder, 1)
    assert told.refused == kept.MENDED
    made = page.make_page(found, kept=told, day=DAY)
    reader = read_html(rendered(made))
    assert [a["role"] for tag, a in reader.elements if a.get("class") == "mended"] == ["alert"]
    assert words.WORDS["mended"]["vi"] in reader.seen("vi")
    assert kept.MENDED["en"] in reader.seen("en")


def test_a_case_that_is_gone_is_no_trouble_but_for_explanations(here: Path) -> None:
    invoke("run", "case.yaml", "--out", "out", "--no-report")
    assert not (here / "out" / page.NAME).exists()
    assert not (here / "out" / kept.NAME).exists()
    shutil.rmtree(here / "basin")
    invoke("report", "out")
    text = (here / "out" / page.NAME).read_text(encoding="utf-8")
    assert words.WORDS["no sources"]["vi"] in read_html(text).seen("vi")
    assert "basin" in invoke("report", "out", "--explain", 1, code=2)


def test_errors_of_the_command(here: Path) -> None:
    assert "E101" in invoke("report", "nowhere", code=2)
    assert "E109" in invoke("report", ".", code=2)
    assert "must end in .html" in invoke("report", "out", "--out", "page.pdf", code=2)
    invoke("report", "out", "--explain", -1, code=2)


DAMAGED = ["", "{", "[]", "{}", '{"sources": "", "refused": {}}',
           '{"sources": "", "refused": {}, "explanations": [{"title": 1}]}']  # fmt: skip


@pytest.mark.parametrize("text", DAMAGED)
def test_what_is_kept_may_be_damaged(tmp_path: Path, text: str) -> None:
    (tmp_path / kept.NAME).write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=r"report\.json: E108 cannot be read") as caught:
        kept.read(tmp_path)
    assert "make it again: wateralloc report with --explain" in str(caught.value)


def test_what_is_kept_is_read_back(tmp_path: Path) -> None:
    assert kept.read(tmp_path) is None
    told = kept.Told(
        {"en": "a", "vi": "b"}, {"en": "a", "vi": "đ"}, {"en": "hm3", "vi": "triệu m³"},
        {"en": ["x"], "vi": ["y"]}, [1.5], 3.0, 1.5, {"unit": "hm3"},
    )  # fmt: skip
    for one in (kept.Kept(), kept.Kept("# S", (told,)), kept.Kept(refused=kept.MENDED)):
        kept.write(one, tmp_path)
        assert kept.read(tmp_path) == one


def test_sources_are_counted() -> None:
    text = """
| a | status | b |
|---|---|---|
| x | stated | stated |
| y | derived from two | |
| z | estimate | |
| z | estimates and stated ones | |
| z | | |

stated, estimate
| a | kind |
|---|---|
| x | stated |
"""
    assert page.count_kinds(text) == {"stated": 1, "derived": 1, "estimate": 1, "mixed": 1}
