"""What a person reads of the suite outside its page: terminal and JUnit, whole in Chinese, and fitted to wide letters."""

from __future__ import annotations

import ast
import io
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner
from rich.cells import cell_len

from bench.cli import main
from bench.conform_junit import junit
from bench.conform_progress import Progress
from bench.conform_report import REPORT
from bench.conform_told import tell
from bench.conform_words import words_of
from bench.declaration import template
from bench.exchanges import lines
from bench.pics import command as pics
from bench.requirements import command as requirements
from bench.results import PROPERTY
from conformance.case import Kind
from conformance.clause import Elsewhere
from conformance.form import form
from conformance.report import Made, Report, Tried, build, read
from conformance.verdict import Verdict
from conformance.wording import Template, sentences
from conformance.wording import requirements as chinese_requirements
from reports.catalogue import catalogue

from . import sentences as sources
from .places import ROOT
from .test_conformance_report import outcome

CHINESE = re.compile(r"[\u4e00-\u9fff]")
WORD = re.compile(r"[a-z]{2,}")
ZH = words_of("zh-TW")[1]
MADE = Made(at="2026-03-02T00:00:00Z", laboratory="laboratory", python="3.11.2", machine="Linux x86_64")

TELLING = ("compare", "conform_junit", "conform_progress", "conform_told", "conforming", "pics", "requirements",
           "running", "self_check_report", "verify")
"""Modules of ``bench`` that say something to a person in the language that was asked for."""
_SAYS = {"say", "say_n", "N_"}
_NO_WORDS = {"UsageError", "BenchError", "RecordError", "option", "argument", "Choice", "Element", "SubElement", "tostring",
             "encode", "model_dump"}
"""Calls in which a text is translated already, is no sentence for a person, or is one of :func:`tests.sentences.refused`."""

NAMES = {"vhc-bench conform", "vhc-bench report ", "vhc-bench ", "conform progress"}


# -- the sources

def untranslated(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Sentences that a module writes or yields without asking the catalogue: two words at least, in a call or a yield."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Call) and _name(node.func) in _SAYS | _NO_WORDS:
            continue
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            continue  # a docstring
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value and WORD.search(node.value):
            yield node.lineno, node.value
        yield from untranslated(node)


def _name(called: ast.expr) -> str:
    return called.attr if isinstance(called, ast.Attribute) else called.id if isinstance(called, ast.Name) else ""


@pytest.mark.parametrize("name", TELLING)
def test_sentence_of_a_terminal_is_asked_of_the_catalogue(name: str) -> None:
    tree = ast.parse((ROOT / "bench" / f"{name}.py").read_text(encoding="utf-8"))
    assert [found for found in untranslated(tree) if found[1] not in NAMES] == []


def test_text_that_is_asked_of_the_catalogue_is_in_it() -> None:
    """Where it is called within an f-string, nobody extracts it."""
    nodes = [node for path in (ROOT / "bench").glob("*.py") for node in ast.walk(ast.parse(path.read_text("utf-8")))]
    asked = {node.args[0].value for node in nodes
             if isinstance(node, ast.Call) and _name(node.func) in _SAYS and node.args and isinstance(node.args[0], ast.Constant)}
    assert len(asked) > 60
    there = ZH.words.translations.gettext
    assert [text for text in asked if there(text) == text and WORD.search(re.sub(r"{.*?}", "", text))] == []


def test_sentence_that_is_not_asked_of_the_catalogue_is_found() -> None:
    assert list(untranslated(ast.parse('click.echo(f"{n} cases did not pass")'))) == [(1, " cases did not pass")]


def test_refusal_in_the_sources_has_its_chinese() -> None:
    found = list(sources.refused())
    assert len(found) > 60
    there = sentences()
    whole = [(where, text) for where, text in found if text.replace("{}", "").strip(' ?",') not in ("is", "did you mean")]
    missing = [(where, text) for where, text in whole if text not in there and not CHINESE.search(ZH.told(text))]
    assert missing == []  # write them into conformance/chinese/refusals.toml


def test_requirement_and_why_it_has_no_clause_have_their_chinese() -> None:
    assert all(CHINESE.search(text) and text.endswith("。") for text in chinese_requirements().values())
    assert [one for one in Elsewhere if not CHINESE.search(ZH.told(one.says))] == []


def test_what_somebody_types_is_never_translated() -> None:
    one = Template.of("--dut {}: no {}", "--dut「{0!s}」：無{1}")
    assert one.literal == {0}
    assert "card=virtual" in ZH.told("--channel nfc: card=virtual is tried over contact, contact-t0")


# -- told

def report(*verdicts: Verdict, many: int = 0) -> Report:
    told = [outcome(f"wallet.session.n{n:03}", verdict, "status word of wrong PIN: expected 63C2, received 9000")
            for n, verdict in enumerate(verdicts)]
    told += [outcome(f"wallet.session.m{n:03}", Verdict.INCONCLUSIVE, "no answer in time", "ble") for n in range(many)]
    return build(told, made=MADE, bench="vhc-bench 0", seed=1, asked={"dut": []},
                 expected={("wallet.session.n001", ""): "已知的問題"},
                 devices=[Tried(kind="wallet", device="virtual", channels=("ble", "nfc"), real=False)])


WHOLE = report(*Verdict, Verdict.FAIL, many=9)


def english(said: str) -> list[str]:
    """Lines of a person's with no Chinese: not those that are an id, a number or a path."""
    return [line for line in said.splitlines() if WORD.search(line) and not CHINESE.search(line) and " " in line.strip()]


def test_terminal_is_chinese_where_that_is_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    tell(WHOLE, ZH)
    said = capsys.readouterr().out
    assert english(said) == []
    why = "「錯誤之密碼」之狀態碼：應為「63C2」，實得「9000」"
    assert all(text in said for text in (why, "它這麼做。", "重測：vhc-bench conform"))
    assert "expected" not in said and "（已知：已知的問題）" in said


def test_columns_of_the_table_stand_below_their_headings(capsys: pytest.CaptureFixture[str]) -> None:
    tell(WHOLE, ZH)
    heading, *rows = capsys.readouterr().out.splitlines()[-3:]
    place = cell_len(heading.partition("判定")[0])
    every = "通過 1、不通過 2、無法判定 1、測試平台錯誤 1、不適用 1、待人員檢視 1"
    assert [row[cut(row, place):].split(maxsplit=1) for row in rows] == [["無法判定", "無法判定 9"], ["不通過", every]]


def cut(text: str, cells: int) -> int:
    """How many letters take so many columns."""
    return next(n for n in range(len(text) + 1) if cell_len(text[:n]) >= cells)


def test_terminal_counts_only_verdicts_that_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    tell(report(Verdict.PASS), words_of("en")[1])
    assert capsys.readouterr().out.splitlines()[-1].split() == ["wallet", "virtual", "nfc", "pass", "1", "pass"]


def test_junit_is_for_people_in_their_language_and_for_programs_in_one() -> None:
    there = {language: ElementTree.fromstring(junit(WHOLE, words_of(language)[1])) for language in ("en", "zh-TW")}
    named = {language: [{key: value for key, value in node.attrib.items() if key not in ("message", "value")}
                        for node in tree.iter()] for language, tree in there.items()}
    assert named["en"] == named["zh-TW"]
    assert {node.get("type") for node in there["en"].iter()} == {None, *(v.value for v in Verdict if v is not Verdict.PASS)}
    people = [node.get("message", "") for node in there["zh-TW"].iter() if node.tag in ("failure", "error", "skipped")]
    people += [node.text or "" for node in there["zh-TW"].iter() if node.tag in ("failure", "error")]
    people += [node.get("value", "") for node in there["zh-TW"].iter("property") if node.get("name") == "purpose"]
    assert people and [text for text in people if english(text) or not CHINESE.search(text)] == []


@pytest.mark.parametrize("options", [[], ["--coverage"], ["LIF-01", "PRC-01", "NFC-02", "DLG-04", "--coverage"]], ids=len)
def test_requirements_are_told_in_chinese(options: list[str]) -> None:
    done = CliRunner().invoke(requirements, [*options, "--lang", "zh-TW"])
    assert done.exit_code == 0 and english(done.output) == []


@pytest.mark.parametrize("kind", Kind)
def test_declaration_that_is_wrong_is_told_in_chinese(kind: Kind, tmp_path: Path) -> None:
    """Empty, and with an answer that cannot be to every question."""
    empty, wrong = tmp_path / "empty.toml", tmp_path / "wrong.toml"
    text = template(form(kind))
    empty.write_text(text, encoding="utf-8")
    wrong.write_text(re.sub(r"^# (\w+) = .*$", r"\1 = -1", text, flags=re.MULTILINE) + "more = 1\nform = 2", encoding="utf-8")
    for file in (empty, wrong):
        done = CliRunner().invoke(pics, ["check", str(file), "--lang", "zh-TW"])
        told = [line for line in str(done.exception).splitlines() if line.startswith(str(file)) or "處錯誤" in line]
        assert len(told) > 4 and [line for line in told if not CHINESE.search(line)] == []
        assert [line for line in told if re.search(r"must|missing|answer with|contradicts", line)] == []


# -- while it runs

def ran(width: int, *verdicts: str, total: int = 20) -> str:
    """What is shown while so many cases run."""
    out = io.StringIO()
    progress = Progress(catalogue("zh-TW"), out, width)
    progress.pytest_sessionstart(cast(Any, SimpleNamespace(testscollected=total)))
    for verdict in verdicts:
        progress.pytest_runtest_logstart("test_x.py::wallet.session.很長的名稱" + "字" * 40)
        for when in ("setup", "call", "teardown"):
            told = [(PROPERTY, {"verdict": verdict})] if verdict else []
            progress.pytest_runtest_logreport(cast(Any, SimpleNamespace(
                when=when, failed=verdict != "pass" and when == "call", user_properties=told, nodeid="x",
                longreprtext="it fell over",
            )))
    progress.pytest_sessionfinish()
    return out.getvalue()


def test_line_that_changes_is_never_wider_than_the_terminal() -> None:
    shown = ran(60, "pass", "fail").split("\r")
    assert [line for line in shown if cell_len(line.replace("\x1b[K", "")) >= 60] == []
    assert "已測 1 / 20 個案例" in shown[2] and shown[-1] == "\x1b[K"


def test_progress_off_a_terminal_is_a_line_for_each_tenth() -> None:
    said = ran(0, *["pass"] * 19, "fail")
    assert len(said.splitlines()) == 10 and english(said) == []
    assert said.splitlines()[-1] == "已測 20 / 20 個案例，1 個未通過"


def test_what_no_case_says_is_told_at_once() -> None:
    assert "it fell over" in ran(0, "") and "it fell over" not in ran(0, "fail")


# -- all of it

KILLER = """
import os
def pytest_runtest_call(item):
    if "checksum-of-nothing" in item.name:
        os._exit(9)
"""


def conform(*args: str, folder: Path, **more: str) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-m", "bench.cli", "conform", *args]
    return subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False, env={**os.environ, **more})


def test_command_speaks_chinese_leaves_no_case_out_and_what_it_does_not_keep_comes_again(tmp_path: Path) -> None:
    """The process of one case falls over: an error, not a case less."""
    (tmp_path / "killer.py").write_text(KILLER)
    done = conform("--only", "sam.signing", "--lang", "zh-TW", "--out", "first", folder=tmp_path, PYTEST_PLUGINS="killer",
                   PYTHONPATH=str(tmp_path))
    assert done.returncode == 3 and english(done.stdout) == [], done.stdout + done.stderr
    assert "未得判定：「worker" in done.stdout and "crashed while running" in done.stderr
    found = {v.case: v for v in read((tmp_path / "first" / REPORT).read_bytes(), "first").verdicts}
    assert found.pop("sam.signing.checksum-of-nothing-is-refused").verdict is Verdict.ERROR
    assert {v.verdict for v in found.values()} == {Verdict.PASS}
    assert list(lines(tmp_path / "first")) == []
    one = found["sam.signing.signature-has-64-bytes"]
    assert conform(*one.command.split()[2:], "--keep", "all", "--out", "second", folder=tmp_path).returncode == 0
    assert [sha256(line).hexdigest() for line in lines(tmp_path / "second")] == [one.capture]


def test_command_refuses_in_chinese() -> None:
    done = CliRunner().invoke(main, ["conform", "--dut", "wallet=usb", "--lang", "zh-TW"])
    assert done.exit_code == 2 and "非裝置代號" in done.output and english(done.output) == []
