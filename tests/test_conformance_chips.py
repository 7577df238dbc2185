"""Chips under test: what a real card is spared, and what a case notices of a chip that is silent or torn."""

from __future__ import annotations

import pytest

from bench.duts import Dut
from conformance.case import Case, Kind, Nature, cases
from conformance.chips import ChipTester, VirtualChip
from conformance.kinds import suites
from conformance.tester import perform
from conformance.vectors.world import World
from conformance.verdict import Verdict
from virtual_devices.clock import VirtualClock
from virtual_devices.link import PowerCut

WORLD = World(1)
SPENDS = {0x20, 0x24, 0x26, 0x28, 0x2C, 0x82, 0xDA}
"""PIN commands, proofs, writes."""
CHIPS = (Kind.CARD, Kind.SAM, Kind.HPC)


def of(kind: Kind) -> list[Case]:
    """What is tried over T=1, which every kind of chip has."""
    return [case for case in cases() if case.kind is kind and suites()[kind].tries(case, "contact")]


@pytest.mark.parametrize("kind", CHIPS)
def test_real_chip_is_spared_what_changes_it(kind: Kind) -> None:
    spared, allowed = (Dut(suites()[kind], "pcsc:X", "contact", destructive=leave) for leave in (False, True))
    virtual = Dut(suites()[kind], "virtual", "contact")
    for case in of(kind):
        assert bool(spared.rules_out(case)) == case.destructive, case.id
        assert not allowed.rules_out(case) and not virtual.rules_out(case)
    assert {case.destructive for case in of(kind)} == {True, False}


@pytest.mark.parametrize("kind", CHIPS)
def test_case_that_is_harmless_enters_no_pin_proves_and_writes_nothing(kind: Kind) -> None:
    suite = suites()[kind]
    for case in of(kind):
        if not case.destructive:
            result = perform(case, lambda c: suite.tester(suite.reference(WORLD, "contact", c.id), WORLD, c.id))
            sent = {row.request[1] for row in result.rows if len(getattr(row, "request", b"")) > 1}
            assert not sent & SPENDS, case.id


@pytest.mark.parametrize(
    ("kind", "id"), [(Kind.CARD, "card.public.certificate-names-the-card"), (Kind.SAM, "sam.module.module-says-whose-it-is"),
                     (Kind.HPC, "hpc.card.card-says-whose-it-is")],
)
def test_certificate_of_an_authority_that_nobody_here_knows_is_no_fault_of_somebodys_chip(kind: Kind, id: str) -> None:
    suite, (case,) = suites()[kind], [case for case in cases() if case.id == id]
    for masked, verdict in ((True, Verdict.INCONCLUSIVE), (False, Verdict.FAIL)):

        def tester(case: Case, masked: bool = masked) -> ChipTester:
            made = suite.tester(suite.reference(WORLD, "contact", case.id), World(2), case.id)
            assert isinstance(made, ChipTester)
            made.masked = masked
            return made

        assert perform(case, tester).verdict is verdict


class Broken:
    """A chip that answers as told."""

    def __init__(self, answer: object) -> None:
        self._answer = answer

    def power_on(self) -> bytes:
        return bytes.fromhex("3B80810150")

    def handle(self, request: bytes, now_ns: int) -> bytes:
        if isinstance(self._answer, Exception):
            raise self._answer
        assert isinstance(self._answer, bytes)
        return self._answer

    def power_off(self) -> None:
        return


def says(tester: ChipTester) -> None:
    tester.insert()
    tester.says("00CA005A00", 0x9000, "something")


@pytest.mark.parametrize(("answer", "verdict"), [
    (bytes.fromhex("9000"), Verdict.PASS), (bytes.fromhex("6D00"), Verdict.FAIL), (b"\x90", Verdict.FAIL), (b"", Verdict.FAIL),
    (PowerCut("pulled"), Verdict.INCONCLUSIVE), (bytes.fromhex("6100"), Verdict.FAIL),
])
def test_broken_chip_gets_its_verdict(answer: object, verdict: Verdict) -> None:
    case = Case("sam.some.thing", Kind.SAM, ("P-COS-01",), Nature.VALID, "says", "說", says)
    chip = VirtualChip("sam", VirtualClock(), lambda _: Broken(answer))
    assert perform(case, lambda c: suites()[Kind.SAM].tester(chip, WORLD, c.id)).verdict is verdict
