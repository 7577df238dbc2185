"""A clinic's software whose people are persons: what they are told, through a real pseudo-terminal, and what they type."""

from __future__ import annotations

import json
import os
import re
import select
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len

from bench.duts import Dut, duts
from bench.hands import Hands, Nobody, Person, Program
from bench.hands_screen import Words, typing_screen
from bench.own_office import Office
from bench.reach import Means
from bench.reach.office_hands import ACTS, BYTES
from bench.reach.office_people import PATIENT
from conformance.case import Kind, cases
from conformance.kinds import suites
from conformance.tester import Result, perform
from conformance.verdict import Verdict
from virtual_devices.errors import UsageError

from .pseudo_terminal import pseudo_terminal

SIZE = 100, 30
LIMIT_S = 60
LEFT = "\x1b[?1049l"
"""What the terminal is told when a question is over."""


def clinic(hands: Hands, **answers: int) -> Dut:
    means = Means(answers={"person_s": LIMIT_S, **answers}, hands=hands)
    return Dut(suites()[Kind.CLINIC], "hands", "hands", destructive=True, means=means)


def tried(dut: Dut, begin: str) -> Result:
    (case,) = (case for case in cases() if case.kind is Kind.CLINIC and case.id.startswith(f"clinic.{begin}"))
    try:
        return perform(case, dut.tester, real=True)
    finally:
        dut.way.close()


class Clerk:
    """Reads what the terminal says, does it at our own software, and types what that shows."""

    def __init__(self, near: int) -> None:
        self._near, self._office = near, Office("clinic", 1)
        self._over = threading.Event()
        self._shown = ""
        self._answer: Mapping[str, Any] = {}
        self._act = ""
        self.thread = threading.Thread(target=self._work)

    def _work(self) -> None:
        while not self._over.is_set():
            if not select.select([self._near], [], [], 0.05)[0]:
                continue
            self._shown = (self._shown + os.read(self._near, 65536).decode(errors="ignore"))[-6000:]
            picture = self._shown.rpartition("\x1b[H")[2]
            if re.search(r"> _ *\r", picture):
                os.write(self._near, (self._typed(" ".join(picture.split())) + "\n").encode())
                while LEFT not in self._shown and not self._over.is_set():  # the next picture is of the next question
                    if select.select([self._near], [], [], 0.05)[0]:
                        self._shown += os.read(self._near, 65536).decode(errors="ignore")
                self._shown = self._shown.partition(LEFT)[2]

    def _typed(self, told: str) -> str:
        if "it is done" in told or "Enter once it is done" in told:
            self._answer = self._office.answer(self._does(told))
            return "" if self._answer.get("code", "0") == "0" else str(self._answer["code"])
        names = {"identifier (20": "identifier", "sequence number": "sequence", "abnormal situation": "abnormal",
                 "for whom": "for_whom", "wait to be sent": "queue", "were sent": "done", "another institution": "waiting",
                 "prescriptions wait": "rx_waiting", "prescriptions were sent": "rx_done", "prescriptions were set": "rx_refused",
                 "were set aside >": "refused", "FIELD:CODE": "findings"}
        asked = told.rpartition("Esc: it cannot be done")[2]
        name = [name for words, name in names.items() if words in asked][-1]
        found = self._answer.get(name, "")
        return " ".join(found) if isinstance(found, list | tuple) else str(found)

    def _does(self, told: str) -> dict[str, Any]:
        now = {"now_ms": time.time_ns() // 10**6}
        if "Open the software anew" in told:
            file = re.search(r"stands? in|is in (\S+desk\.json)", told)
            assert file is not None
            return {"do": "new", **json.loads(Path(file[1]).read_text()), **now}
        if "Register a visit of type" in told:
            return {"do": "visit", "how": "card", "visit_type": "01", "upload": "sent at once" in told, "fees": None,
                    "allergy": "", "patient": PATIENT, **now}
        if "Have it send what waits" in told:
            return {"do": "upload", **now}
        assert "Look how many records" in told, told
        return {"do": "shelves", **now}

    def stop(self) -> None:
        self._over.set()
        self.thread.join()


@pytest.fixture
def seat() -> Iterator[tuple[int, Path]]:
    """The person's end of a terminal, and the path of the bench's."""
    with pseudo_terminal(*SIZE) as ends:
        yield ends


@pytest.mark.parametrize("begin", [
    "visits.visit-is-checked-begun-and-its-record-sent-at-once",
    "visits.patient-whose-card-cannot-be-read-is-treated[a-card]",
])
def test_person_does_what_the_terminal_says_and_types_what_the_software_shows(seat: tuple[int, Path], begin: str) -> None:
    clerk = Clerk(seat[0])
    clerk.thread.start()
    try:
        result = tried(clinic(Person(terminal=seat[1])), begin)
    finally:
        clerk.stop()
    assert (result.verdict, result.why) == (Verdict.PASS, "")


def test_what_nobody_can_type_is_not_applicable(tmp_path: Path) -> None:
    robot = tmp_path / "robot"
    robot.write_text("#!/bin/sh\nexit 0\n")
    robot.chmod(0o755)
    result = tried(clinic(Program(str(robot))), "prescriptions.prescription-that-is-refused-later")
    assert (result.verdict, BYTES in result.why) == (Verdict.NOT_APPLICABLE, True), result.why


class Asleep(Clerk):
    """Does nothing, before a terminal that goes on showing."""

    def _work(self) -> None:
        while not self._over.is_set():
            if select.select([self._near], [], [], 0.05)[0]:
                os.read(self._near, 65536)


def test_act_that_nobody_did_leaves_the_case_open(seat: tuple[int, Path]) -> None:
    clerk = Asleep(seat[0])
    clerk.thread.start()
    try:
        result = tried(clinic(Person(terminal=seat[1]), person_s=1), "visits.visit-is-checked-begun")
    finally:
        clerk.stop()
    assert result.verdict is Verdict.INCONCLUSIVE and "nobody did it at the software within 1 s" in result.why


def test_nobody_at_the_software_makes_its_cases_not_applicable() -> None:
    result = tried(clinic(Nobody("nobody is here")), "visits.visit-is-checked-begun")
    assert (result.verdict, result.why) == (Verdict.NOT_APPLICABLE, "nobody is here")


@pytest.mark.parametrize(("given", "says"), [
    ("pharmacy=hands", "which nobody types: program:COMMAND"), ("control-software=hands", "called by programs"),
    ("wallet=hands", "a wallet is"), ("clinic=hands:me", "stands alone"),
])
def test_other_kinds_have_no_persons_and_the_error_says_why(given: str, says: str) -> None:
    with pytest.raises(UsageError) as raised:
        duts([given])
    assert says in str(raised.value)


ASKED: Mapping[str, Any] = {
    "file": "/tmp/desk.json", "patient": PATIENT, "version": "2.0", "offline": True, "what": "cancel", "text": "1234",
    "serials": ["a1"], "how": "ward", "visit_type": "01", "upload": False, "fees": {"outpatient": 300}, "allergy": "PENICILLIN",
    "id_no": "A123456789", "birth_date": "0790101", "card_no": "000012345678", "hours": 24.0,
    "identity": b"A1234567890790101".hex(), "professional": "B223456789",
}


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
@pytest.mark.parametrize("act", ACTS)
def test_act_is_told_in_both_languages_and_fits_a_terminal(act: str, size: tuple[int, int]) -> None:
    en, zh = ACTS[act].says(ASKED)
    lines = typing_screen((Words("DESK", en), Words("櫃檯", zh)), ("The code", "代碼"), "01", 9, 30, size)
    assert (len(lines), {cell_len(line) for line in lines}) == (size[1], {size[0]})
    whole = "".join(line.strip() for line in lines).replace(" ", "")
    assert en.replace(" ", "") in whole and zh.replace(" ", "") in whole and ">01_" in whole


def test_keys_are_typed_taken_back_and_given_up(seat: tuple[int, Path]) -> None:
    words, near = (Words("DESK", "Do."), Words("櫃檯", "做。")), seat[0]

    def typed(keys: bytes) -> str | None:
        found: list[str | None] = []
        thread = threading.Thread(target=lambda: found.append(Person(terminal=seat[1]).typed(words, ("Code", "代碼"), 30)))
        thread.start()
        shown = b""
        while b"> _" not in shown:
            shown += os.read(near, 65536)
        os.write(near, keys)
        while thread.is_alive():
            if select.select([near], [], [], 0.01)[0]:
                os.read(near, 65536)
        return found[0]

    assert typed("AD6\x7f7王大\x7f\n".encode()) == "AD7王"
    assert typed(b"\n") == ""
    assert typed(b"\x1b") is None
