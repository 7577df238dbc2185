"""The languages of the report: catalogues are complete, compiled, and chosen by name alone."""

from __future__ import annotations

import gettext
import re
import string
from pathlib import Path

import duckdb
import pytest
from click.testing import CliRunner

from bench.cli import main
from bench.rig import Rig
from bench.run import run
from reports.build import build, page, summary
from reports.catalogue import DOMAIN, LOCALE, Catalogue, ReportError, catalogue, languages
from reports.formats import duration, interval, share
from reports.names import NAMES
from reports.statistics import Basis, Estimate
from reports.terms import TERMS
from scenarios.files import load, situations

from . import report_pages
from .places import MORNING
from .sample_run import Sample, write_sample

unembedded, unpainted = report_pages.unembedded, report_pages.unpainted
catalogs = pytest.importorskip("babel.messages.pofile", reason="Babel is in the development requirements")

FOLDERS = sorted(p.parent for p in LOCALE.glob(f"*/LC_MESSAGES/{DOMAIN}.po"))
BY_LANGUAGE = pytest.mark.parametrize("folder", FOLDERS, ids=lambda p: p.parent.name)
LATIN = {  # what a Chinese text of ours writes in Latin letters
    "NFC", "PIN", "SAM", "HPC", "IDC", "BLE", "QR", "UTC", "CLA", "INS", "P1", "P2", "Wilson", "Student", "Mbit", "params",
    "contact", "commit",
}  # fmt: skip


def read(path: Path) -> dict[object, tuple[str, ...]]:
    """Message (a text, or singular and plural) -> its translations."""
    with path.open("rb") as file:
        read_catalog = catalogs.read_po(file)
    return {m.id: m.string if isinstance(m.string, tuple) else (m.string,) for m in read_catalog if m.id}


def names_in(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


# --- complete -----------------------------------------------------------------------------------------------------------


def test_there_is_english_and_the_chinese_of_taiwan() -> None:
    assert languages() == ["en", "zh-TW"]
    assert [folder.parent.name.replace("_", "-") for folder in FOLDERS] == [one for one in languages() if one != "en"]


@BY_LANGUAGE
def test_catalogue_translates_every_text_and_no_other(folder: Path) -> None:
    translated = read(folder / "reports.po")
    assert translated.keys() == read(LOCALE / "reports.pot").keys()
    assert [source for source, said in translated.items() if not all(text.strip() for text in said)] == []


@BY_LANGUAGE
def test_catalogue_has_nothing_fuzzy_or_obsolete(folder: Path) -> None:
    with (folder / "reports.po").open("rb") as file:
        read_catalog = catalogs.read_po(file)
    assert [m.id for m in read_catalog if m.fuzzy] == []
    assert not read_catalog.obsolete


@BY_LANGUAGE
def test_translation_fills_in_what_its_source_does(folder: Path) -> None:
    differing = [
        source
        for source, said in read(folder / "reports.po").items()
        for text in said
        if names_in(text) != (names_in(source) if isinstance(source, str) else names_in(source[1]) | names_in(source[0]))
    ]
    assert differing == []


@BY_LANGUAGE
def test_compiled_catalogue_says_what_its_source_says(folder: Path) -> None:
    with (folder / "reports.mo").open("rb") as file:
        compiled = gettext.GNUTranslations(file)
    for source, said in read(folder / "reports.po").items():
        if isinstance(source, str):
            assert compiled.gettext(source) == said[0]
        else:
            assert {compiled.ngettext(*source, n) for n in range(5)} == set(said)  # type: ignore[misc]


def test_names_of_our_own_situations_are_in_the_vocabulary(tmp_path: Path) -> None:
    doubts = {doubt for module in situations().values() for doubt in getattr(module, "DOUBTS", ())}
    assert doubts - NAMES == set()  # a new one goes into reports/names.py and the catalogues
    bands = {"run.replications": "1", "params.arrivals.bands": '[{start="09:15", end="10:15", per_hour=40}]'}
    tables = run(load(MORNING, bands), tmp_path / "run", Rig()).directory / "tables"
    for table, column in (("exchanges", "step"), ("stages", "station"), ("acts", "act"), ("ledger", "law")):
        found = duckdb.sql(f"SELECT DISTINCT {column} FROM '{tables / table}.parquet'").fetchall()
        assert found and {name for (name,) in found} - TERMS.keys() == set(), table


# --- in Chinese ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_sample(tmp_path_factory.mktemp("zh") / "run", Sample(replications=2, visits=60))


@pytest.fixture(scope="module")
def html(sample: Path) -> str:
    return page(sample, catalogue("zh-TW"))


def test_chinese_report_says_its_language_and_holds_no_english_of_ours(html: str) -> None:
    assert '<html lang="zh-TW">' in html
    body = re.sub(r'<(\w+)[^>]* translate="no"[^>]*>.*?</\1>|<svg.*?</svg>', "", html[html.index("<body>") :], flags=re.DOTALL)
    texts = re.sub(r"<[^>]*>", "\n", body)
    ours = {line for line in texts.splitlines() if set(re.findall(r"[A-Za-z][A-Za-z0-9]+", line)) - LATIN}
    of_the_run = ("cshis:9129", "line-down", "情境「clinic」", "write prescription", "unlock", "authenticate cards", "issue",
                  "read medical", "sign record", "pcsc:", "版本")
    assert {line for line in ours if not any(name in line for name in of_the_run)} == set()
    assert "安全模組卡 (SAM)" in texts and "就醫人次" in texts


def test_chinese_report_gives_official_words_as_the_meaning(html: str) -> None:
    codes = html[html.index('id="codes"') : html.index('id="requirements"')]
    assert "官方文字" not in codes and 'class="chinese"' not in html
    assert "非限制院所就診" in codes and "holder restricted" not in codes


def test_chinese_report_made_twice_is_the_same_bytes(sample: Path, html: str) -> None:
    assert build(sample, "zh-TW").read_text(encoding="utf-8") == html


def test_language_is_never_taken_from_the_environment(sample: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    english = summary(sample)
    for name in ("LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.setenv(name, "zh_TW.UTF-8")
    assert summary(sample) == english == summary(sample, "en")
    assert summary(sample, "zh-TW") != english


def test_chinese_numbers_stand_with_chinese_units() -> None:
    words = catalogue("zh-TW")
    assert [duration(words, ns) for ns in (45e6, 4.2e9, 34 * 60e9, 27 * 3600e9)] == [
        "45\u00a0毫秒", "4.2\u00a0秒", "34\u00a0分鐘", "27\u00a0小時",
    ]  # fmt: skip
    assert share(words, 0.978) == "97.8%"
    assert interval(words, Estimate(90e9, 60e9, 125e9, 9, Basis.OVER_REPLICATIONS)) == "60 至 125\u00a0秒"
    assert words.join(["甲", "乙", "丙"]) == "甲、乙與丙"
    assert words.say_n("The one conservation law holds", "All {n} conservation laws hold", 1) == "1 項守恆檢核全部相符"
    assert words.sentences("一。", "", "二。") == "一。二。" and Catalogue().sentences("One.", "Two.") == "One. Two."


# --- from the command line ----------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("unpainted")
def test_command_line_makes_the_report_in_the_language_that_it_is_told(sample: Path) -> None:
    def made(*words: str) -> str:
        result = CliRunner().invoke(main, ["report", str(sample), *words], catch_exceptions=False)
        assert result.exit_code == 0
        return result.output

    assert "人次完成" in made("--lang", "zh-tw")
    assert '<html lang="zh-TW">' in (sample / "report.html").read_text(encoding="utf-8")
    assert " served, " in made()
    assert '<html lang="en">' in (sample / "report.html").read_text(encoding="utf-8")


@pytest.mark.usefixtures("unpainted")
def test_run_takes_a_language_as_well(tmp_path: Path) -> None:
    bands = 'params.arrivals.bands=[{start="09:15", end="09:30", per_hour=20}]'
    words = ["run", str(MORNING), "-n", "1", "--set", bands, "--out", str(tmp_path / "run"), "--lang", "zh-TW"]
    result = CliRunner().invoke(main, words, catch_exceptions=False)
    assert result.exit_code == 0 and "守恆檢核全部相符" in result.output
    assert '<html lang="zh-TW">' in (tmp_path / "run" / "report.html").read_text(encoding="utf-8")


def test_a_language_that_is_not_there_is_refused_with_those_that_are(sample: Path) -> None:
    result = CliRunner().invoke(main, ["report", str(sample), "--lang", "tlh"])
    assert result.exit_code == 2 and "'en', 'zh-tw'" in result.output
    with pytest.raises(ReportError, match="there is en, zh-TW"):
        catalogue("zh_Hans_CN")
