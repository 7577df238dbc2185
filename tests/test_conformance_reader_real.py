"""A reader as device under test over a real channel: a process of its own reads our scripted card through nfcpy."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest

from bench.duts import Dut
from bench.hands import Nobody
from bench.reach import Means
from conformance.case import Kind, cases
from conformance.kinds import suites
from conformance.tester import Result, perform
from conformance.verdict import Verdict

from .places import ROOT

LIMIT_S = 30


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dut]:
    log = tmp_path_factory.mktemp("vendor") / "log.jsonl"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        path = f"udp:127.0.0.1:{free.getsockname()[1]}"
    answers = {"log": str(log), "answer_s": LIMIT_S, "person_s": 4 * LIMIT_S}
    means = Means(answers=answers, hands=Nobody("the reader reads by itself"))
    vendor = subprocess.Popen([sys.executable, "-m", "tests.vendor_reader", path, str(log)], cwd=ROOT)
    dut = Dut(suites()[Kind.READER], f"nfc:{path}", "nfc", means=means)
    try:
        yield dut
    finally:
        dut.way.close()
        vendor.kill()
        vendor.wait()


def tried(dut: Dut, begin: str) -> Result:
    (case,) = (case for case in cases() if case.kind is Kind.READER and case.id.startswith(begin))
    return dut.done(perform(case, dut.tester, real=True))


@pytest.mark.parametrize("begin", [
    "reader.nfc.container-of-a-tag-is-judged[mapping-4", "reader.nfc.data-fields-are-the-smaller-of-both[odd",
    "reader.nfc.negotiated-handover-is-answered",
])
def test_reader_reads_our_card_and_its_verdict_is_expected(reader: Dut, begin: str) -> None:
    result = tried(reader, begin)
    assert (result.verdict, result.why) == (Verdict.PASS, "")
    assert {row.provenance for row in result.rows} == {"presented"}  # type: ignore[union-attr]


def test_reader_is_not_tried_in_what_nobody_can_have_it_do(reader: Dut) -> None:
    result = tried(reader, "reader.writing.batch-that-was-stored-before-is-done")
    assert result.verdict is Verdict.NOT_APPLICABLE and "somebody has to have it" in result.why


def test_reader_whose_verdict_nobody_sees_is_told_with_the_remedy() -> None:
    dut = Dut(suites()[Kind.READER], "nfc:udp:127.0.0.1:1", "nfc")
    result = tried(dut, "reader.nfc.negotiated-handover-is-answered")
    assert result.verdict is Verdict.ERROR and 'give log = "FILE" in the PIXIT' in result.why
