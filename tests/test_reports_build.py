"""The report as a whole: a pure function of the run directory, honest about what is not there, whole in itself."""

from __future__ import annotations

import base64
import gettext
import hashlib
import importlib.util
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from types import ModuleType
from typing import Any

import duckdb
import pytest

from reports import gallery, palette
from reports.build import build, page, summary
from reports.catalogue import LOCALE, Catalogue, ReportError, catalogue
from reports.fieldcodes import explain, explain_status, status_word
from reports.formats import interval
from reports.statistics import Basis, Estimate
from virtual_devices.authentication import TROUBLE_SW

from . import report_pages

ROOT = Path(__file__).parents[1]


def _sample_module() -> ModuleType:
    spec = importlib.util.spec_from_file_location("sample_run", Path(__file__).with_name("sample_run.py"))
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["sample_run"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


sample_run = _sample_module()
Make = Callable[..., Path]
unembedded, unpainted = report_pages.unembedded, report_pages.unpainted


@pytest.fixture
def make(tmp_path: Path) -> Make:
    def made(name: str = "run", **settings: Any) -> Path:
        path: Path = sample_run.write_sample(tmp_path / name, sample_run.Sample(**settings))
        return path

    return made


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run in which every section has something to say."""
    path: Path = sample_run.write_sample(tmp_path_factory.mktemp("full") / "run")
    return path


@pytest.fixture(scope="module")
def html(full: Path) -> str:
    return page(full, Catalogue())


class Texts(HTMLParser):
    """Every text that a person meets, attributes included, that is not marked as data."""

    VOID = frozenset({"meta", "link", "br", "path", "rect", "use"})

    def __init__(self, source: str) -> None:
        super().__init__()
        self.stack: list[tuple[str, bool]] = []
        self.texts: list[str] = []
        self.ids: list[str] = []
        self.tags: set[str] = set()
        self.feed(source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.tags.add(tag)
        self.ids += [given["id"] or ""] if "id" in given else []
        self.texts += [given["aria-label"] or ""] if "aria-label" in given else []
        if tag not in self.VOID:
            data = given.get("translate") == "no" or tag in ("style", "title") or bool(self.stack and self.stack[-1][1])
            self.stack.append((tag, data))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.ids += [v or "" for k, v in attrs if k == "id"]

    def handle_endtag(self, tag: str) -> None:
        if self.stack and self.stack[-1][0] == tag:
            self.stack.pop()

    def handle_data(self, data: str) -> None:
        if data.strip() and not (self.stack and self.stack[-1][1]):
            self.texts.append(data.strip())


# --- a pure function of the directory -----------------------------------------------------------------------------------


def test_report_made_by_another_process_is_the_same_bytes(full: Path, html: str) -> None:
    command = [
        sys.executable,
        "-c",
        "import sys, pathlib; from reports.build import build; build(pathlib.Path(sys.argv[1]))",
        str(full),
    ]
    caches = {name: os.environ[name] for name in ("MPLCONFIGDIR", "PYTHONPYCACHEPREFIX") if name in os.environ}
    environment = {"PYTHONHASHSEED": "77", "TZ": "America/Lima", "HOME": str(full), "MPLCONFIGDIR": str(full), **caches}
    subprocess.run(command, check=True, cwd=ROOT, env=environment)
    assert (full / "report.html").read_text(encoding="utf-8") == html


def test_report_does_not_know_the_wall_clock_where_it_was_made_or_the_order_of_rows(make: Make, html: str) -> None:
    other = make("elsewhere/under/another name's folder")
    end = json.loads((other / "end.json").read_text())
    (other / "end.json").write_text(json.dumps(end | {"started_at": "1999-01-01T00:00:00+00:00", "elapsed_s": 999.0}))
    for path in sorted((other / "tables").glob("*.parquet")):
        quoted = str(path).replace("'", "''")
        duckdb.connect().execute(
            f"COPY (SELECT * FROM read_parquet('{quoted}') ORDER BY hash(COLUMNS(*)::VARCHAR)) TO '{quoted}.new' (FORMAT parquet)"
        )
        Path(f"{path}.new").replace(path)
    assert page(other, Catalogue()) == html


# --- whole in itself ----------------------------------------------------------------------------------------------------


def test_report_asks_nobody_for_anything(html: str) -> None:
    assert not re.search(r"(?:https?:)?//[a-z0-9]", re.sub(r"base64,[A-Za-z0-9+/=]+", "", html))
    assert not {"script", "link", "img", "iframe", "object", "form"} & Texts(html).tags
    assert re.findall(r"url\((?!#|data:)[^)]*\)", html) == []


def test_policy_admits_the_one_style_sheet_and_nothing_else(html: str) -> None:
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', html)
    css = re.search(r"<style>(.*?)</style>", html, re.DOTALL)
    assert policy and css
    digest = base64.b64encode(hashlib.sha256(css[1].encode()).digest()).decode()
    expected = f"default-src 'none'; style-src 'sha256-{digest}'; font-src data:; base-uri 'none'; form-action 'none'"
    assert policy[1].replace("&#39;", "'") == expected
    assert " style=" not in html and "<style" not in html.replace("<style>", "", 1)


def test_ids_are_unique_and_links_lead_somewhere(html: str) -> None:
    ids = Texts(html).ids
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'(?:href="#|url\(#)([^")]+)', html)) <= set(ids)


def test_chinese_is_in_the_embedded_font(html: str, full: Path) -> None:
    from io import BytesIO

    from fontTools.ttLib import TTFont

    face = re.search(r'font-family:"Noto Sans TC";font-weight:400;src:url\(data:font/woff;base64,([^)]*)\)', html)
    assert face and "網路不通" in html
    font = TTFont(BytesIO(base64.b64decode(face[1])))
    assert {ord(c) for c in "網路不通○●abc019"} <= set(font.getBestCmap())
    assert len(font.getGlyphOrder()) < 400


def test_figures_use_the_palette_only(html: str) -> None:
    body = html[html.index("<body>") :]
    assert re.findall(r"#[0-9a-fA-F]{6}\b", body) == []
    css = html[: html.index("<body>")].split("}", 3)[-1]
    named = {c for pair in palette.LIGHT_DARK.values() for c in pair}
    found = set(re.findall(r"#[0-9a-fA-F]{6}\b", re.sub(r"base64,[^)]*", "", css)))
    assert found <= named


@pytest.mark.usefixtures("unembedded")
def test_what_a_device_says_of_itself_is_never_markup(make: Make) -> None:
    run = make()
    manifest = json.loads((run / "manifest.json").read_text(encoding="utf-8"))
    evil = "<script>alert(1)</script></style>"
    manifest["title"] = manifest["doubts"][0] = manifest["devices"][0]["detail"] = evil
    manifest["scenario"]["clinic"][evil] = evil
    (run / "manifest.json").write_text(json.dumps(manifest))
    made = page(run, Catalogue())
    assert "<script" not in made and "&lt;script&gt;" in made


# --- honest about what is not there -------------------------------------------------------------------------------------


@pytest.mark.usefixtures("unembedded")
def test_a_run_without_visits_says_so(make: Make) -> None:
    made = page(make(visits=0), Catalogue())
    for sentence in (
        "No visit was recorded.",
        "No fault struck.",
        "No record was made for upload.",
        "No conservation law was checked.",
        "No role changed hands during the run.",
        "No message was exchanged.",
    ):
        assert sentence in made
    assert "<svg" not in made and "nan" not in Texts(made).texts


@pytest.mark.usefixtures("unembedded")
def test_a_run_of_one_visit_gives_no_interval(make: Make) -> None:
    run = make(visits=1, replications=1, measured=False, refused_share=0.0)
    assert "no interval: too few" in page(run, Catalogue())
    assert "The one served patient left within" in summary(run)


@pytest.mark.usefixtures("unembedded")
def test_a_run_of_refusals_only_has_no_time_in_the_house(make: Make) -> None:
    made = page(make(visits=4, refused_share=1.0), Catalogue())
    assert "None of the 12 visits was served." in made and "nothing to count" in made


@pytest.mark.usefixtures("unpainted")
def test_one_replication_is_said_to_be_one(make: Make) -> None:
    made = page(make(replications=1), Catalogue())
    assert "There is one replication or none" in made and "95 % interval" in made


@pytest.mark.parametrize(
    ("ended", "words"),
    [
        ("killed", "nothing has been recovered"),
        ("recovered", "its journal was recovered"),
        ("interrupted", "interrupted by a person"),
    ],
)
@pytest.mark.usefixtures("unpainted")
def test_a_run_that_did_not_end_by_itself_says_so_first(make: Make, ended: str, words: str) -> None:
    run = make(ended=ended, visits=10)
    made = page(run, Catalogue())
    assert words in made[made.index('id="summary"') : made.index('class="tiles"')]
    assert words in summary(run).splitlines()[0]


def test_a_failed_run_shows_the_error(make: Make) -> None:
    run = make(visits=5)
    (run / "end.json").write_text(json.dumps({"ended": "failed", "error": "OSError: disk full", "rows": {}}))
    assert "OSError: disk full" in summary(run)


def test_a_half_written_end_counts_as_a_kill(make: Make) -> None:
    run = make(visits=5)
    (run / "end.json").write_text('{"ended": "compl')
    assert "This run was killed" in summary(run)


def test_a_completed_run_has_no_banner(html: str) -> None:
    assert 'role="alert"' not in html


@pytest.mark.usefixtures("unpainted")
def test_a_broken_law_is_shown_in_red_everywhere(make: Make) -> None:
    run = make(broken_law=True, visits=20)
    made = page(run, Catalogue())
    assert '<td class="bad">BROKEN in 1, first in replication 2' in made
    assert "1 of 3 conservation laws is BROKEN in 1 of 3 replications checked." in made
    assert 'class="finding bad"' in made and '<div class="bad">' in made
    last = summary(run).splitlines()[-1]
    assert last == "1 of 3 conservation laws is BROKEN in 1 of 3 replications checked."


def test_a_law_that_claims_to_hold_with_unequal_sides_is_broken(make: Make) -> None:
    run = make(visits=6)
    rows = dict(sample_run.Sample().rows)
    rows["ledger"] = [sample_run.LedgerRow(0, "a law", 3, 4, True)]
    sample_run.write_tables(run, rows)
    assert "1 of 1 conservation laws is BROKEN in 1 of 1 replications checked." in summary(run)


@pytest.mark.usefixtures("unembedded")
def test_sums_of_nanoseconds_may_pass_64_bits(make: Make) -> None:
    run, day = make(visits=2), 86_400 * 10**9
    rows = dict(sample_run.Sample().rows)
    rows["stages"] = [sample_run.StageRow(0, f"v{i}", "desk", 0, 400 * day, 401 * day) for i in range(300)]
    rows["ledger"] = [sample_run.LedgerRow(r, "a law", 2**62, 2**62, True) for r in range(4)]
    sample_run.write_tables(run, rows)
    assert "Conservation laws" in page(run, Catalogue()) and f"{2**64:,}" in page(run, Catalogue())


def test_modelled_and_measured_never_share_a_row(html: str) -> None:
    rows = re.findall(r"<tr>(.*?)</tr>", html, re.DOTALL)
    assert any("measured</td>" in r for r in rows) and any("modelled</td>" in r for r in rows)
    assert not any("measured</td>" in r and "modelled</td>" in r for r in rows)


def test_summary_is_five_lines(full: Path) -> None:
    lines = summary(full).splitlines()
    assert len(lines) == 5
    assert lines[1].startswith("450 visits: 433 served, 17 refused")
    assert lines[-1] == "All 3 conservation laws hold in all 3 replications."


def test_what_is_no_run_directory_is_refused(tmp_path: Path, make: Make) -> None:
    with pytest.raises(ReportError, match="not a run directory"):
        build(tmp_path)
    run = make(visits=1)
    (run / "manifest.json").write_text('{"schema": 2}')
    with pytest.raises(ReportError, match="schema 1"):
        build(run)


def test_a_code_known_in_two_spaces_is_given_with_both_meanings() -> None:
    both = explain("5003")
    assert both.space == "cshis / upload-api" and " / " in both.en and " / " in both.zh
    assert explain("cshis:5003").space == "cshis" and " / " not in explain("cshis:5003").en
    assert explain("cshis:no-such").en == "" and explain("nowhere:5003").en == ""


def test_a_status_word_that_stands_for_a_code_is_explained_as_that_code() -> None:
    assert explain_status("9420") == explain("cshis:5020") and explain_status("9420").zh == "資料與持卡人不符"
    assert explain_status("9700").code == "9100"
    for status in ("9000", "9499", "94FF", "61XX", "6A82", "zz", ""):
        assert explain_status(status).en == "" and explain_status(status).code == status


def test_every_reason_to_refuse_a_party_has_a_text() -> None:
    assert [sw for sw in TROUBLE_SW.values() if not status_word(f"{sw:04X}")] == []


@pytest.mark.usefixtures("unpainted")
def test_a_cards_own_refusal_is_shown_with_the_text_of_its_code(make: Make) -> None:
    run = make(visits=3)
    rows = dict(sample_run.Sample().rows)
    said = {"card": "9420", "hpc": "9603", "wallet": "9499", "cloud": "5020"}
    rows["exchanges"] = [
        sample_run.ExchangeRow(0, "v", "s", "visit", "write", role, "contact", "virtual", "modelled", 0, 1, "replied", b"", b"",
                               1, 2, status, "")
        for role, status in said.items()
    ]
    sample_run.write_tables(run, rows)
    made = page(run, Catalogue())
    table = made[made.index('id="codes"') : made.index('id="requirements"')]
    line = {role: re.sub(r"<[^>]+>", "|", row) for role in ("card", "HPC", "wallet", "data centre")
            for row in re.findall(rf"<tr>(<td>{role}</td>.*?)</tr>", table, re.DOTALL)}
    meaning = "|cshis||entry belongs to another person||資料與持卡人不符||official|"
    assert meaning in line["card"] and "|9420|5020|" in line["card"]
    assert meaning in line["data centre"] and "|5020||cshis" in line["data centre"]
    assert "certificate is revoked" in line["HPC"] and "9603" in line["HPC"]
    assert "9499" in line["wallet"] and "5099" not in line["wallet"]


def test_intervals_show_that_their_ends_differ() -> None:
    close = Estimate(332.2e6, 331.8e6, 332.4e6, 9, Basis.OVER_REPLICATIONS)
    assert interval(Catalogue(), close) == "331.8 to 332.4 ms"
    assert interval(Catalogue(), Estimate(90e9, 60e9, 125e9, 9, Basis.OVER_REPLICATIONS)) == "60 to 125 s"


@pytest.mark.usefixtures("unpainted")
def test_a_stand_in_is_not_asked_to_be_real_and_a_rate_is_no_duration(make: Make) -> None:
    run = make(visits=1)
    manifest = json.loads((run / "manifest.json").read_text(encoding="utf-8"))
    manifest |= {"rig": {"card": "virtual", "wallet": "stand-in"}, "scenario": {"bandwidth_kbit_s": 1000, "rest_s": 300}}
    (run / "manifest.json").write_text(json.dumps(manifest))
    settings = page(run, Catalogue()).partition('id="settings"')[2]
    assert "every role virtual." in settings and "asked to be real" not in settings
    assert "16.7 min" not in settings and "5 min" in settings


# --- figures ------------------------------------------------------------------------------------------------------------


def test_every_figure_file_is_found_and_has_its_place(html: str) -> None:
    files = {p.stem for p in (ROOT / "reports" / "figures").glob("*.py") if not p.name.startswith("_")}
    figures = gallery.found()
    assert {f.name for f in figures} == files
    assert all(f.title and f.caption and f.units and callable(f.draw) for f in figures)
    absent = ("segments", "nfc_map", "ble_map", "qr_map")  # nobody presents a virtual card in the sample, and there is no map
    shown = [f for f in figures if f.section not in absent]
    assert [f.name for f in shown if f'<figure id="figure-{f.name}">' not in html] == []
    assert html.count('role="img"') == 2 * len(shown) == html.count('<svg class="wide"') + html.count('<svg class="narrow"')


@pytest.mark.usefixtures("unpainted")
def test_a_figure_without_a_place_stands_under_further_figures(monkeypatch: pytest.MonkeyPatch, full: Path) -> None:
    import reports.figures.made_of as figure

    monkeypatch.delattr(figure, "SECTION")
    made = page(full, Catalogue())
    assert made.index('<section id="further"') < made.index('id="figure-made_of"') < made.index('<section id="settings"')


# --- texts --------------------------------------------------------------------------------------------------------------


class Marked(gettext.NullTranslations):
    """A language in which every text is between two marks; it remembers what it was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: set[str] = set()

    def gettext(self, message: str) -> str:
        self.asked.add(message)
        return f"«{message}»"

    def ngettext(self, msgid1: str, msgid2: str, n: int) -> str:
        self.asked |= {msgid1, msgid2}
        return f"«{msgid1 if n == 1 else msgid2}»"


def _data(run: Path) -> set[str]:
    """Every text that the rows and the manifest bring along."""
    found: set[str] = set()
    for path in sorted((run / "tables").glob("*.parquet")):
        relation = duckdb.connect().sql(f"SELECT * FROM read_parquet('{path}')")
        for name, kind in zip(relation.columns, relation.types, strict=True):
            if str(kind) == "VARCHAR":
                found |= {str(v) for (v,) in relation.project(f'"{name}"').distinct().fetchall()}
    return found | {f.partition(":")[0] for f in found}


@pytest.fixture(scope="module")
def translated(full: Path) -> tuple[Marked, str]:
    """What the page of the whole run asked to be translated, and the page."""
    marked = Marked()
    return marked, page(full, Catalogue("xx", marked))


def test_another_language_changes_every_text(full: Path, translated: tuple[Marked, str]) -> None:
    _, made = translated
    assert '<html lang="xx">' in made
    data = _data(full)
    plain = [t for t in Texts(made).texts if re.search(r"[A-Za-z]{2}", t) and "«" not in t]
    left = [t for t in plain if t not in data and t.strip("○●◎▷◐ ") not in data]  # a step, with the sign of its origin
    assert left == []


@pytest.mark.usefixtures("unembedded")
def test_every_text_used_is_in_the_catalogue_for_translators(translated: tuple[Marked, str], make: Make) -> None:
    marked = Marked()
    words = Catalogue("xx", marked)
    for settings in (
        {"visits": 0},
        {"replications": 1, "visits": 30},
        {"ended": "killed", "broken_law": True},
        {"measured": False, "visits": 3},
    ):
        page(make("-".join(settings), **settings), words)
    pot = pytest.importorskip("babel.messages.pofile", reason="Babel is in the development requirements")
    with (LOCALE / "reports.pot").open("rb") as file:
        there = {i for m in pot.read_po(file) if m.id for i in (m.id if isinstance(m.id, tuple) else (m.id,))}
    assert (marked.asked | translated[0].asked) - there == set()


def test_catalogue_for_translators_is_up_to_date(tmp_path: Path) -> None:
    pytest.importorskip("babel", reason="Babel is in the development requirements")
    fresh = tmp_path / "reports.pot"
    command = [
        "extract",
        "-F",
        "reports/locale/babel.cfg",
        "-k",
        "say",
        "-k",
        "say_n:1,2",
        "-k",
        "N_",
        "--no-default-keywords",
        "--omit-header",
        "--no-location",
        "--sort-output",
        "-o",
        str(fresh),
        "reports",
        "bench",
    ]
    subprocess.run([sys.executable, "-m", "babel.messages.frontend", *command], check=True, cwd=ROOT, capture_output=True)
    assert fresh.read_text(encoding="utf-8") == (LOCALE / "reports.pot").read_text(encoding="utf-8")


def test_an_unknown_language_names_those_that_exist() -> None:
    with pytest.raises(ReportError, match="there is en"):
        catalogue("tlh")
