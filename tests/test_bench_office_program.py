"""A clinic's and a pharmacy's software as programs: ours in a process of its own, over HTTPS; and programs that do not answer."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.duts import Dut, duts
from bench.reach import GIVE_UP, Means
from conformance.case import Kind, cases
from conformance.tester import Result, perform
from conformance.verdict import Verdict
from virtual_devices.trace import ExchangeRow

KINDS = (Kind.CLINIC, Kind.PHARMACY)
OURS = {
    Kind.CLINIC: (
        "visits.visit-is-checked-begun-and-its-record-sent-at-once", "visits.visit-without-a-line-is-served-and-told-later",
        "visits.patient-whose-card-cannot-be-read-is-treated[a-card]", "visits.guardian-who-presents-a-wards-card-is-named",
        "uploads.upload-that-was-interrupted-is-sent-again-unchanged[reply-lost-2]",
        "uploads.record-that-a-check-refused-is-set-aside-and-corrected[1.0]",
        "prescriptions.doubt-is-answered-under-the-physicians-signature",
        "prescriptions.prescription-under-a-revoked-certificate-is-none", "home.patient-is-recognised-at-home-without-a-line",
    ),
    Kind.PHARMACY: (
        "dispensing.prescription-is-asked-for-and-its-dispensing-signed",
        "dispensing.dispensing-without-an-answer-is-told-later-once[reply-lost-allowed]",
        "dispensing.recipient-of-a-controlled-drug-signs", "dispensing.record-that-was-set-aside-is-corrected",
        "codes.code-of-a-prescription-is-judged[whole]", "sources.prescription-is-taken-from-a-card-of-today",
        "sources.card-of-today-that-is-not-in-order-is-refused[locked-by-its-holder]",
        "sources.prescription-is-taken-from-the-holders-phone", "sources.prescription-that-nobody-signed-is-none[altered]",
    ),
}
"""One case for each thing that crosses the process's border."""
ANSWERS = """
import json, sys, time
for line in sys.stdin:
    asked = json.loads(line)
    do = asked["do"]
    if do == "new":
        print("{}")
    elif MODE == "dies":
        sys.exit(3)
    elif MODE == "hangs":
        time.sleep(600)
    elif MODE == "cannot":
        print(json.dumps({"error": "not in this version"}))
    elif MODE == "lies":
        print(json.dumps({"code": "0", "raw": "ff", "queue": 0, "done": 1, "waiting": 0, "refused": 0, "rx_waiting": 0,
                          "rx_done": 0, "rx_refused": 0}))
    else:
        print(json.dumps({"code": 0, "states": 7, "raw": []}))
    sys.stdout.flush()
"""


@pytest.fixture(scope="module")
def ours() -> Iterator[dict[Kind, Dut]]:
    made = {kind: duts([f"{kind.value}=program:{sys.executable} -m bench.own_office {kind.value}"], means=Means())[kind][0]
            for kind in KINDS}
    yield made
    for dut in made.values():
        dut.way.close()


def tried(dut: Dut, case: str) -> Result:
    [found] = [one for one in cases() if one.id == f"{dut.suite.kind.value}.{case}"]
    return dut.done(perform(found, dut.tester, real=True))


@pytest.mark.parametrize(("kind", "case"), [(kind, case) for kind in KINDS for case in OURS[kind]])
def test_our_own_software_passes_from_outside(ours: dict[Kind, Dut], kind: Kind, case: str) -> None:
    result = tried(ours[kind], case)
    assert (result.verdict, result.why) == (Verdict.PASS, "")
    rows = [row for row in result.rows if isinstance(row, ExchangeRow) and row.role == kind.value]
    assert {row.provenance for row in rows} == {"measured"} and rows
    assert [json.loads(row.request)["do"] for row in rows if row.request_bytes < 4096]  # its words are the evidence
    heard = [row for row in result.rows if isinstance(row, ExchangeRow) and row.role == "data-centre"]
    assert {row.provenance for row in heard} <= {"presented"}
    assert bool(heard) is ("codes." not in case and "not-in-order" not in case)


def other(tmp_path: Path, mode: str, kind: Kind = Kind.CLINIC, answer_s: int = 10) -> Dut:
    file = tmp_path / "software.py"
    file.write_text(f"MODE = {mode!r}\n{ANSWERS}", encoding="utf-8")
    means = Means(answers={"answer_s": answer_s})
    return duts([f"{kind.value}=program:{sys.executable} {file}"], means=means)[kind][0]


@pytest.mark.parametrize(("mode", "verdict", "why"), [
    ("dies", Verdict.FAIL, "it has ended with 3"), ("hangs", Verdict.FAIL, "no answer within the limit"),
    ("cannot", Verdict.NOT_APPLICABLE, "not in this version"), ("noise", Verdict.FAIL, "no code"),
    ("lies", Verdict.FAIL, "expected"),
])
def test_program_that_does_not_do_it_has_its_verdict(tmp_path: Path, mode: str, verdict: Verdict, why: str) -> None:
    dut = other(tmp_path, mode, answer_s=1 if mode == "hangs" else 10)
    try:
        result = tried(dut, OURS[Kind.CLINIC][0])
        assert result.verdict is verdict and why in result.why
        if mode == "lies":
            again = tried(dut, "prescriptions.correction-after-the-last-issue-is-refused")
            assert again.verdict is Verdict.FAIL and "a signed record" in again.why
    finally:
        dut.way.close()


def test_address_that_cannot_be_served_is_told() -> None:
    means = Means(answers={"data_centre": "http://localhost:8443"})
    dut = duts(["clinic=program:true"], means=means)[Kind.CLINIC][0]
    result = tried(dut, OURS[Kind.CLINIC][0])
    assert result.verdict is Verdict.ERROR and "https://HOST:PORT" in result.why


@pytest.mark.parametrize("kind", KINDS)
def test_program_that_never_answers_is_given_up(tmp_path: Path, kind: Kind) -> None:
    dut = other(tmp_path, "dies", kind)
    try:
        for case in OURS[kind][:GIVE_UP]:
            assert not dut.way.given_up
            assert tried(dut, case).verdict is Verdict.FAIL
        assert "answered nothing" in dut.way.given_up
    finally:
        dut.way.close()


@pytest.fixture(scope="module")
def small() -> Iterator[Dut]:
    """Somebody else's, by the pages alone (tests/small_clinic.py)."""
    file = Path(__file__).with_name("small_clinic.py")
    dut = duts([f"clinic=program:{sys.executable} -I {file}"], means=Means(answers={"answer_s": 60}))[Kind.CLINIC][0]
    yield dut
    dut.way.close()


@pytest.mark.parametrize(("case", "verdict", "why"), [
    ("visits.visit-is-checked-begun-and-its-record-sent-at-once", Verdict.PASS, ""),
    ("visits.visit-without-a-line-is-served-and-told-later", Verdict.PASS, ""),
    ("uploads.upload-that-was-interrupted-is-sent-again-unchanged[reply-lost-1]", Verdict.PASS, ""),
    ("visits.visit-that-the-data-centre-refuses-is-none", Verdict.FAIL, "refused: expected 9060, received 0"),
    ("uploads.record-follows-its-format[1.0]", Verdict.NOT_APPLICABLE, "it writes format 2.0 only"),
])
def test_small_software_of_somebody_elses(small: Dut, case: str, verdict: Verdict, why: str) -> None:
    result = tried(small, case)
    assert (result.verdict, why in result.why) == (verdict, True), result.why
    if "reply-lost" in case:
        heard = [row for row in result.rows if isinstance(row, ExchangeRow) and row.role == "data-centre"]
        assert {(row.step, row.outcome, row.fault) for row in heard} >= {
            ("POST /v1/uploads", "reply_lost", "reply lost"), ("POST /v1/uploads", "replied", "")}


def test_program_that_goes_by_the_machines_clock_is_not_taken_through_a_day(tmp_path: Path) -> None:
    where = tmp_path / "credentials"
    means = Means(answers={"clock": "machine", "data_centre": "https://localhost:0", "credentials": str(where)})
    dut = duts([f"clinic=program:{sys.executable} -m bench.own_office clinic"], means=means)[Kind.CLINIC][0]
    try:
        assert tried(dut, OURS[Kind.CLINIC][0]).verdict is Verdict.PASS
        later = tried(dut, OURS[Kind.CLINIC][1])
        assert later.verdict is Verdict.NOT_APPLICABLE and "a wait of 90000 s" in later.why
        assert (where / "clinic.pem").is_file()
    finally:
        dut.way.close()
