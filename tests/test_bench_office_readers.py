"""Our own clinic's and pharmacy's software from outside, its security module and cards in PC/SC readers."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from bench.duts import Dut, duts
from bench.reach import Means
from conformance.case import Kind, cases
from conformance.tester import perform
from conformance.verdict import Verdict

from .desk_slots import DeskSlots, desk_slots

pytestmark = pytest.mark.needs("pcsc")
IN_READERS = {"slots": "pcsc", "answer_s": 60}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DeskSlots]:
    with desk_slots(tmp_path_factory.mktemp("slots")) as made:
        yield made


@pytest.mark.parametrize(("kind", "names"), [
    (Kind.CLINIC, ("visits.visit-is-checked-begun-and-its-record-sent-at-once",
                   "visits.patient-whose-card-cannot-be-read-is-treated[a-card]")),
    (Kind.PHARMACY, ("sources.prescription-is-taken-from-a-card-of-today",)),
])
def test_software_with_readers_of_its_own_passes(place: DeskSlots, kind: Kind, names: tuple[str, ...]) -> None:
    means = Means(answers=IN_READERS, env=place.env)
    dut: Dut = duts([f"{kind.value}=program:{sys.executable} -m bench.own_office {kind.value}"], means=means)[kind][0]
    try:
        for name in names:
            [case] = [one for one in cases() if one.id == f"{kind.value}.{name}"]
            result = perform(case, dut.tester, real=True)
            assert (result.verdict, result.why) == (Verdict.PASS, "")
    finally:
        dut.way.close()
