"""Control software under test over a wire: our own, asked over HTTP and through its adapter, its slots behind a real pcscd, its
data centre over HTTPS. A sample of the cases; and software that breaks."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest

from bench.duts import Dut, duts
from bench.hands import Step, unseen
from bench.presenters.certificate import self_signed
from bench.presenters.control import Control
from bench.reach import GIVE_UP, NOBODY, Means
from conformance.case import Kind, cases
from conformance.kinds import suites
from conformance.tester import Result, perform
from conformance.verdict import Verdict
from virtual_devices.clock import NS
from virtual_devices.errors import UsageError
from virtual_devices.trace import ExchangeRow

from .broken_face import Fault, broken_face
from .places import ROOT
from .ports import free_port
from .processes import wait_until
from .software_desk import SoftwareDesk, software_desk

pytestmark = pytest.mark.needs("pcsc")
PASSED = (
    "local.kit-serves-a-visit", "local.kit-says-what-is-wanting", "local.signature-is-made-by-the-cards-there[three-cards]",
    "calls.request-to-the-data-centre", "calls.request-without-an-answer-comes-again-with-its-id[reply-lost]",
    "calls.answer-that-is-not-the-data-centres-is-not-believed[forged]",
    "calls.card-that-is-missing-is-named[wrong-card]", "calls.card-that-is-taken-away-ends-the-call[4]",
    "writing.file-that-is-not-as-it-was-said", "cards.professionals-card-that-is-none-is-refused[over]",
    "calls.card-that-is-missing-is-named[no-card]", "cards.status-word-of-a-card-becomes-its-code[6982]",
    "writing.visit-is-taken-back-once",
)
NOT_GIVEN = {
    "cards.professionals-card-that-is-none-is-refused[revoked]": "which certificates are revoked",
    "writing.institution-without-the-right": "set by its maker",
    "writing.visit-is-not-taken-back-too-late": "a wait of 86401 s",
    "local.kit-takes-no-code-that-is-out-of-date": "a wait of 300 s",
    "writing.file-that-the-memory-does-not-hold": "memory", "local.revoked-professional-of-6-0": "which certificates are revoked",
}


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SoftwareDesk]:
    with software_desk(tmp_path_factory.mktemp("software")) as made:
        yield made


def tried(moniker: str, answers: Mapping[str, object], *begin: str) -> dict[str, Result]:
    """By the name of the case behind its kind."""
    kind = Kind.CONTROL_SOFTWARE
    dut = Dut(suites()[kind], moniker, "desk", destructive=True, means=Means(answers=answers))
    names = tuple(f"{kind.value}.{name}" for name in begin)
    try:
        return {case.id.removeprefix(f"{kind.value}."): dut.way.done(perform(case, dut.tester, real=True))
                for case in cases() if case.kind is kind and case.id.startswith(names)}
    finally:
        dut.way.close()


def why(found: Mapping[str, Result]) -> dict[str, str]:
    """Of those that did not pass."""
    return {name: f"{result.verdict.name}: {result.why}" for name, result in found.items() if result.verdict is not Verdict.PASS}


def test_software_passes_by_its_own_rows_over_every_face(desk: SoftwareDesk) -> None:
    found = tried(desk.moniker, desk.answers, *PASSED)
    assert len(found) == len(PASSED)
    assert why(found) == {}
    rows = [row for result in found.values() for row in result.rows if isinstance(row, ExchangeRow)]
    assert {(row.device, row.provenance) for row in rows} == {(desk.moniker, "measured")}
    assert all(row.duration_ns > 0 for row in rows)
    times_s = [[row.at_ns // NS for row in result.rows if isinstance(row, ExchangeRow)] for result in found.values()]
    assert all(max(one) < min(next_one) for one, next_one in pairwise(times_s))
    assert list(Path(str(desk.answers["uploads"])).iterdir()) == []


def test_what_cannot_be_done_round_a_black_box_is_not_applicable(desk: SoftwareDesk) -> None:
    found = tried(desk.moniker, desk.answers, *NOT_GIVEN)
    assert {result.verdict for result in found.values()} == {Verdict.NOT_APPLICABLE}
    assert all(NOT_GIVEN[next(n for n in NOT_GIVEN if name.startswith(n))] in result.why for name, result in found.items())


@dataclass(frozen=True)
class Typist:
    """Somebody at the keyboard, who types what the screen says when asked to."""

    channel: Path
    told: list[str]
    why_none: str = ""

    def ask(self, step: Step, limit_s: float, seen: Callable[[], bool] = unseen, *, about: str = "") -> bool:
        assert step is Step.ENTER_PIN and limit_s > 0 and not seen()
        self.told.append(about)
        Control(self.channel).people(dict(pair.split(": ", 1) for pair in about.partition("): ")[2].split("; ")))
        return True


def test_person_types_what_the_software_asks_for_where_nobody_else_does(desk: SoftwareDesk) -> None:
    [case] = [one for one in cases() if one.id.startswith("control-software.calls.three-cards-prove-themselves")]
    typist = Typist(Path(desk.slots.env["XDG_RUNTIME_DIR"]) / "vhc-bench" / "software.sock", [])
    for hands, verdict in ((typist, Verdict.PASS), (NOBODY, Verdict.NOT_APPLICABLE)):
        dut = Dut(suites()[case.kind], desk.adapter, "desk", destructive=True, means=Means(answers=desk.answers, hands=hands))
        result = dut.done(perform(case, dut.tester, real=True))
        dut.way.close()
        assert result.verdict is verdict, result.why
    assert ["hpcVerifyHPCPIN" in about and "enter PIN: 246810" in about for about in typist.told] == [True]


def test_face_that_was_not_given_is_not_tried(desk: SoftwareDesk) -> None:
    found = tried(desk.faces["kit"], desk.answers, "local.kit-refuses", "local.initial-names", "calls.public-data")
    said = {name.partition(".")[0] + result.verdict.name: result.why for name, result in found.items()}
    assert said == {
        "localPASS": "", "localNOT_APPLICABLE": "its face 6.0 was not given: https://HOST:PORT in --dut",
        "callsNOT_APPLICABLE": "its face 3.3 was not given: program:COMMAND in --dut",
    }


@pytest.mark.parametrize(("text", "faces"), [
    ("http://127.0.0.1:3033", 1), ("https://127.0.0.1:5066 + http://127.0.0.1:3033", 2),
    ("http://127.0.0.1:3033 + program:sh -c 'a + program:b'", 2), ("program:adapter + x", 1),
])
def test_faces_are_joined_with_the_program_last(text: str, faces: int) -> None:
    [dut] = duts([f"control-software={text}"])[Kind.CONTROL_SOFTWARE]
    assert len(dut.way.found) == faces
    assert " + ".join(map(str, dut.way.found)) == text


@pytest.mark.parametrize("text", ["pcsc:X", "http://a:1 + http://b:2", "http:", "https://"])
def test_what_is_no_face_is_said(text: str) -> None:
    with pytest.raises(UsageError, match="control-software="):
        duts([f"control-software={text}"])


def test_what_is_missing_round_it_is_said(desk: SoftwareDesk) -> None:
    begin = "local.kit-refuses"
    for change, told in (({"credentials": "none"}, "present vpcd --what desk --credentials"),
                         ({"sam_reader": "ACS*"}, "no presenter"), ({"data_centre": "http://x"}, "https://HOST:PORT")):
        [result] = tried(desk.moniker, {**desk.answers, **change}, begin).values()
        assert result.verdict is Verdict.ERROR
        assert told in result.why


FAIL, OPEN = Verdict.FAIL, Verdict.INCONCLUSIVE
FAULTS = {
    Fault.REFUSES: (OPEN, "no connection"), Fault.HANGS: (FAIL, "no answer within"), Fault.TRICKLES: (FAIL, "no answer within"),
    Fault.ENDLESS: (FAIL, "more than"), Fault.NOISE: (FAIL, "no HTTP"), Fault.NO_OBJECT: (FAIL, "no JSON object"),
    Fault.DIES: (OPEN, ""),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_software_that_breaks_in_one_case_is_judged_there_and_spoils_no_other(desk: SoftwareDesk, fault: Fault) -> None:
    [case] = [one for one in cases() if one.id == "control-software.local.kit-serves-a-visit-of-a-virtual-card"]
    threads = threading.active_count()
    with broken_face(desk.faces["kit"]) as face:
        answers = {**desk.answers, "answer_s": 2 if fault in (Fault.HANGS, Fault.TRICKLES) else 60}
        dut = Dut(suites()[case.kind], face.url, "desk", destructive=True, means=Means(answers=answers))
        found = []
        for how in (fault, Fault.NONE):
            face.breaks(how)
            found.append(dut.done(perform(case, dut.tester, real=True)))
        dut.way.close()
    verdict, told = FAULTS[fault]
    assert [(one.verdict, one.why) for one in found][1] == (Verdict.PASS, "")
    assert (found[0].verdict, told in found[0].why) == (verdict, True), found[0].why
    assert wait_until(lambda: threading.active_count() == threads)


def test_software_that_does_not_come_back_is_given_up(desk: SoftwareDesk) -> None:
    chosen = [one for one in cases() if one.id.startswith("control-software.local.kit-")]
    with broken_face(desk.faces["kit"]) as face:
        dut = Dut(suites()[Kind.CONTROL_SOFTWARE], face.url, "desk", destructive=True, means=Means(answers=desk.answers))
        face.breaks(Fault.REFUSES)
        for number, case in enumerate(chosen[:GIVE_UP]):
            assert dut.way.given_up == "", number
            dut.done(perform(case, dut.tester, real=True))
        assert "answered nothing in 3 cases" in dut.way.given_up
        dut.way.close()


@pytest.mark.parametrize(("command", "verdict", "told"), [
    ("cat", FAIL, 'neither "code" nor "out"'), ("false", OPEN, "it has ended with 1"),
    ("sh -c 'while read -r line; do echo noise; done'", FAIL, "no JSON object"),
    ("""sh -c 'while read -r line; do echo "{\\"error\\": \\"no such function\\"}"; done'""", Verdict.NOT_APPLICABLE,
     "no such function"),
])
def test_adapter_that_does_not_do_what_it_is_asked(desk: SoftwareDesk, command: str, verdict: Verdict, told: str) -> None:
    [result] = tried(f"program:{command}", desk.answers, "calls.public-data").values()
    assert (result.verdict, told in result.why) == (verdict, True), result.why


@contextmanager
def foreign(desk: SoftwareDesk, folder: Path) -> Iterator[str]:
    """A component that shares nothing with ours, at the same readers: its address."""
    self_signed(folder, ["127.0.0.1"])
    port, readers = free_port(), [desk.slots.readers[role] for role in ("sam", "card", "hpc")]
    command = [sys.executable, "-m", "tests.foreign_component", f"{port}", str(folder / "certificate.pem"),
               str(folder / "key.pem"), *readers]
    with subprocess.Popen(command, cwd=ROOT, env={**os.environ, **desk.slots.env}) as process:
        try:
            assert wait_until(lambda: _served(port))
            yield f"https://127.0.0.1:{port}"
        finally:
            process.kill()


def _served(port: int) -> bool:
    with socket.socket() as there:
        return there.connect_ex(("127.0.0.1", port)) == 0


def test_software_that_somebody_else_wrote_passes_what_it_does_and_fails_what_it_does_not(
    desk: SoftwareDesk, tmp_path: Path,
) -> None:
    with foreign(desk, tmp_path) as url:
        answers = {**desk.answers, "certificate": str(tmp_path / "certificate.pem")}
        found = tried(url, answers, "local.local-component", "local.initial-names", "local.sam-of-6-0", "local.kit-refuses")
    told = {name.split("-")[0]: (result.verdict, result.why) for name, result in found.items()}
    assert told.pop("local.local") == (Verdict.PASS, "")
    assert told.pop("local.initial") == (FAIL, "verification: expected 0, received 1301")
    assert told.pop("local.sam") == (FAIL, "refuses 9060: expected 1303, received 1301")
    assert [verdict for verdict, _ in told.values()] == [Verdict.NOT_APPLICABLE]
