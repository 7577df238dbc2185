"""The suite's sentences in Chinese: whole, true to the English there is, and never half of each on a page."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from markupsafe import escape

from bench.conform_report import REPORT, VERDICTS, write
from bench.conform_words import words_of
from bench.drivers import nfc, pcsc
from conformance import wording
from conformance.case import Kind, cases
from conformance.catalogue import CatalogueError
from conformance.clause import Reason
from conformance.clause import clauses as english_clauses
from conformance.declared import stated
from conformance.kinds import suites
from conformance.mutants import equivalent, idle
from conformance.outcome import Outcome, outcome
from conformance.report import Made, Report, build
from conformance.tester import Check, Result, perform
from conformance.vectors.world import World
from conformance.verdict import Status, Verdict
from conformance.wording import SUBJECTS, Wording, clauses, digest, first, requirements, sentences
from reports.conformance import page

from . import sentences as sources

MAINLAND = ("信息", "數據", "網絡", "默認", "軟件", "硬件", "程序員", "字節", "服務器", "調用", "接口", "存儲", "響應", "激活")
NAMES = frozenset({  # of fields and operations, as messages and standards have them
    "Connection", "Handover", "Security", "State", "access", "activate", "apply", "attestation", "aud", "authorization",
    "batch", "card", "chain", "chains", "challenge", "claim", "content", "crit", "cti", "digest", "eligibility", "entries",
    "exp", "given", "hold", "hpc", "identifier", "idx", "index", "iss", "map", "nonce", "null", "part", "prescriptions",
    "proof", "purpose", "reason", "rebind", "receipts", "records", "said", "sequence", "sub", "suspend", "total", "true", "typ",
    "upload", "version", "wiped", "zlib",
})
CHINESE = re.compile(r"[\u4e00-\u9fff]")
MADE = Made(at="2026-03-02T00:00:00Z", laboratory="", python="3.11.2", machine="Linux x86_64")


@pytest.fixture(scope="module")
def chinese() -> Wording:
    return Wording()


# -- whole, and true to the English

def test_every_clause_has_its_chinese_and_it_is_of_the_english_there_is() -> None:
    whole = clauses()
    assert list(whole) == list(english_clauses())
    for id, text in whole.items():
        assert CHINESE.search(first(text)) and text.endswith("。"), id


def test_clause_names_in_chinese_what_it_names_in_english() -> None:
    named = re.compile(r"P-[A-Z]{3}-\d\d|`[^`]+`|(?<![\d.])\d{4}(?!\d)")
    for id, clause in english_clauses().items():
        assert set(named.findall(clause.plain)) <= set(named.findall(clauses()[id])), id


def test_changed_english_is_told_with_its_clause(monkeypatch: pytest.MonkeyPatch) -> None:
    there = wording._read(wording.CLAUSES)
    assert digest("a  b\nc") == digest("a b c") != digest("a b d")
    for changed, says in [
        ({**there, "P-GEN-01": {"of": "0" * 12, "text": "別的。"}}, "P-GEN-01: its English has changed"),
        ({id: row for id, row in there.items() if id != "P-GEN-02"}, "there is no P-GEN-02"),
        ({**there, "P-GEN-99": {"of": "", "text": ""}}, "P-GEN-99: there is no such clause"),
    ]:
        monkeypatch.setattr(wording, "_read", lambda _name, changed=changed: changed)
        with pytest.raises(CatalogueError, match=says):
            clauses.__wrapped__()


def test_sentence_of_a_verdict_in_the_sources_has_its_chinese(chinese: Wording) -> None:
    there = sentences()
    missing = [(where, text) for where, text in sources.said() if text not in there and ("{}" in text or not chinese.told(text))]
    assert missing == []  # write them into conformance/chinese/: README.md there has the rules


def test_step_and_what_is_expected_in_the_sources_has_its_chinese() -> None:
    told = words_of("zh-TW")[1].told
    there = [*sources.named(), *sources.expected()]
    missing = [(where, text) for where, text in there if not told(text.replace("{}", "X1"))]
    assert missing == []  # write them into conformance/chinese/, steps.toml or values.toml


def test_reason_of_a_clause_and_of_a_self_check_has_its_chinese(chinese: Wording) -> None:
    said = {*(reason.says for reason in Reason), *(row.why for row in equivalent.equivalents()), *idle.justified().values()}
    assert [text for text in sorted(said) if not CHINESE.search(chinese.told(text))] == []


def test_what_the_drivers_say_of_cards_and_readers_has_its_chinese(chinese: Wording) -> None:
    said = {text for table in (nfc._MEANING, pcsc._MEANING) for _, text in table.values()}
    assert [text for text in sorted(said) if not CHINESE.search(chinese.told(text))] == []
    assert chinese.told(f"{pcsc.NO_PCSCD} [0x8010001D]").endswith(" [0x8010001D]")


def test_chinese_is_taiwans() -> None:
    texts = [*sentences().values(), *clauses().values(), *requirements().values()]
    assert [text for text in texts if any(word in text for word in MAINLAND)] == []


def test_purpose_of_a_case_names_fields_and_operations_alone_in_latin_letters() -> None:
    """Words of English that stand in the Chinese of purposes: names of fields, arguments, operations, standards."""
    word = re.compile(r"(?<![\w.\-:/({\[])[A-Z]?[a-z]{2,}(?![\w.\-(=/:])")
    assert all(CHINESE.search(case.zh) for case in cases())
    assert {found for case in cases() for found in word.findall(case.zh)} <= NAMES


def test_subject_of_cases_has_its_name() -> None:
    assert set(sentences(SUBJECTS)) == {".".join(case.id.split(".")[:2]) for case in cases()}


# -- put together

@pytest.mark.parametrize(("english", "said"), [
    ("not over nfc: contact, contact-t0 only", "不適用於 NFC：僅接觸式、接觸式 T=0"),
    ("status word of wrong PIN, torn at 3: expected 63C2, received 9000",
     "「錯誤之密碼，於 3 抽卡」之狀態碼：應為「63C2」，實得「9000」"),
    ("before its point: the wallet does not answer [4000]", "尚未到達測試重點即中斷：錢包無回應 [4000]"),
    ("documents in it: expected 1, received {'a': 0} [usb is gone]", "其中之文件：應為「1」，實得「{'a': 0}」[usb is gone]"),
    ("no data with a refusal of select: expected , received 6100", "「選取應用」遭拒時無資料：應無內容，實得「6100」"),
    ("no data with a refusal of select: expected data, received ", "「選取應用」遭拒時無資料：應為「資料」，實無內容"),
    ("code: expected 0, received 9130; it may be an earlier case's doing, for this data centre remembers: begin it anew, and run"
     " this case alone",
     "代碼：應為「0」，實得「9130」；可能受先前案例影響（此資料中心保留先前內容）：請重新啟動，並單獨執行本案例"),
    ("36 of 100 slower than 500 ms: fewer than 90 in a hundred within it, at a risk of 0.05",
     "100 次中有 36 次超過 500 毫秒：每百次符合者不足 90 次（風險 0.05）"),
    ("no presentation had the segment written", "沒有任何出示包含「寫入」段"),
    ("it answered nothing in 3 cases one after the other, and is not tried further: the card does not answer [4000]",
     "連續 3 個案例皆無回應，不再續測：「卡片無回應 [4000]」"),
    ("3 presentations came to nothing (the phone has gone [4013]); 1 of 20 slower than 500 ms, which decides nothing; about 40"
     " more are needed", "3 次出示未完成（「手機已離開 [4013]」）；20 次中有 1 次超過 500 毫秒，不足以判定；約需再 40 次"),
    ("{'visits': 0}", "{'visits': 0}"), ("card_no", "card_no"), ("", ""),
    ("a sentence that nobody has translated", ""), ("codes of a thing that nobody has translated", ""),
    ("ValueError: it is no number", ""),
])
def test_sentence_is_chinese_or_none_at_all(chinese: Wording, english: str, said: str) -> None:
    assert chinese.told(english) == said


@pytest.mark.parametrize("name", ["one", "two"])
def test_slip_in_a_file_of_sentences_is_told(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    rows: Mapping[str, str] = {"a {} of {}": "{0}"} if name == "one" else {"again": "再"}
    monkeypatch.setattr(wording, "_read", lambda _name: rows)
    with pytest.raises(CatalogueError, match="fills in other things" if name == "one" else "there twice"):
        sentences.__wrapped__()


# -- a device, tried, and as if each of its checks had failed

@pytest.fixture(scope="module")
def tried() -> list[tuple[Outcome, Result]]:
    suite, world = suites()[Kind.SAM], World(1)
    found = []
    for case in cases():
        if case.kind is Kind.SAM and len(found) < 25:
            result = perform(case, lambda case: suite.tester(suite.reference(world, "contact", case.id), world, case.id))
            found.append((outcome(case, result, "virtual", "contact"), result))
    return found


def test_whatever_a_case_finds_is_told_in_chinese(chinese: Wording, tried: list[tuple[Outcome, Result]]) -> None:
    def said() -> Iterator[str]:
        for made, result in tried:
            yield made.why
            yield from (step for step, *_ in made.frames)
            for check in result.checks:
                yield f"{check.what}: expected {check.expected or 'nothing'}, received {check.received or 'nothing'}"

    assert len(tried) == 25 and all(result.checks for _, result in tried)
    assert [text for text in said() if text and not chinese.told(text)] == []


def failed(why: str) -> Report:
    case = next(case for case in cases() if case.kind is Kind.SAM)
    result = Result(case.id, Verdict.FAIL, Status.RAN, why, (Check("one", False, "1", "2", 0),))
    frame = ("verify PIN", "timed_out", "", "00" * 200 + "... (400 characters)", "")
    made = Outcome(**{**outcome(case, result, "virtual", "contact").plain(), "frames": (frame,)})
    return build([made], made=MADE, bench="vhc-bench 0", seed=1, asked={}, stated=stated(Kind.SAM, None))


def test_page_is_of_one_language_and_the_data_are_the_same(tmp_path: Path) -> None:
    report = failed("status word of wrong PIN: expected 63C2, received 9000")
    english, chinese = (write(report, tmp_path / language, language=language).read_text(encoding="utf-8")
                        for language in ("en", "zh-TW"))
    for name in (REPORT, VERDICTS):
        assert (tmp_path / "en" / name).read_bytes() == (tmp_path / "zh-TW" / name).read_bytes()
    assert "status word of wrong PIN: expected 63C2, received 9000" in english
    assert "「錯誤之密碼」之狀態碼：應為「63C2」，實得「9000」" in chinese
    assert all(text in chinese for text in ("逾時", "驗證 PIN", "共 400 個字元", "安全模組卡"))
    assert 'lang="en"' not in chinese and "維持英文者" not in chinese
    id = report.clauses[0].id
    for made, whole in ((english, english_clauses()[id].plain), (chinese, clauses()[id])):
        assert escape(whole.replace("`", "")) in made


def test_what_has_no_chinese_is_marked_and_said_once() -> None:
    made = page(failed("the driver speaks of itself").model_dump(mode="json"), *words_of("zh-TW"))
    assert 'lang="en">the driver speaks of itself<' in made
    assert made.count("維持英文者") == 1
