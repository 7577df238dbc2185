"""Emergency access: opened by a professional, told at once, accounted for afterwards, named when nobody did."""

from __future__ import annotations

from typing import Any

import pytest

from virtual_devices.clock import NS
from virtual_devices.cloud.core import Person
from virtual_devices.cloud.emergency import ACCOUNT_S, Access, Essentials, Reason
from virtual_devices.institution.emergency import Opened, account, open_access
from virtual_devices.reader.transmit import Ended

from .desk import CARD_NO, DOCTOR_ID, INSTITUTION, NOW_NS, Bench, switch_on
from .test_virtual_devices_reader_certificates import Silence

ID_NO = "A223456781"


class Ward:
    """An emergency desk whose data centre knows one patient."""

    def __init__(self) -> None:
        self.bench = Bench()
        self.sam = self.bench.run(switch_on(self.bench))
        self.domain = self.bench.cloud.emergencies
        known = Essentials(CARD_NO, "陳美玲", ["PENICILLIN"], ["C50"])
        self.domain.essentials = lambda id_no, _: known if id_no == ID_NO else None

    def open(self, reason: Reason = Reason.UNCONSCIOUS, id_no: str = "", **links: Any) -> Opened:
        bench = self.bench
        opened: Opened = bench.run(open_access(bench.desk, self.sam, bench.doctor, reason, id_no), **links)
        return opened

    def account(self, access: bytes, card_no: str = CARD_NO, said: str = "brought in by ambulance") -> str:
        code: str = self.bench.run(account(self.bench.desk, self.sam, access, card_no, said))
        return code


def test_known_patient_without_a_card_is_told_of_at_once() -> None:
    ward = Ward()
    opened = ward.open(Reason.NO_CARD, ID_NO)
    [*_, told] = ward.bench.cloud.audit.about(CARD_NO)
    actor = told.entry.actor
    assert actor.startswith(f"{INSTITUTION}/") and actor.count("/") == 2 and DOCTOR_ID not in actor
    assert opened.online and opened.told["allergies"] == ["PENICILLIN"] and opened.told["card_no"] == CARD_NO


def test_unknown_patient_is_treated_and_named_later() -> None:
    ward = Ward()
    opened = ward.open()
    assert opened.told == {} and ward.domain.of(CARD_NO) == []
    assert ward.account(opened.id) == "0"
    (seen,) = ward.domain.of(CARD_NO)
    assert (seen.institution, seen.professional, seen.reason, seen.said) == (
        INSTITUTION, DOCTOR_ID, Reason.UNCONSCIOUS, "brought in by ambulance",
    )


def test_what_nobody_accounted_for_is_named() -> None:
    ward = Ward()
    first, second = ward.open(), ward.open()
    assert ward.account(first.id) == "0"
    due_ns = NOW_NS + ACCOUNT_S * NS
    assert ward.domain.unaccounted(due_ns - 1) == []
    assert [a.id for a in ward.domain.unaccounted(due_ns)] == [second.id]
    assert ward.domain.unaccounted(due_ns, "1234567890") == []


def test_no_line_holds_up_nobody() -> None:
    ward = Ward()
    opened = ward.open(Reason.DEAD_PHONE, ID_NO, cloud=Silence())
    assert not opened.online and opened.told == {}


def test_account_is_given_once_for_ones_own_access_and_its_own_patient() -> None:
    ward = Ward()
    opened = ward.open(Reason.NO_CARD, ID_NO)
    ward.bench.core.enrol(Person("000000000099"))
    assert ward.account(opened.id, "000000000099") == "5020"
    assert ward.account(opened.id, "000000000000") == "9012"
    assert ward.account(bytes(16)) == "5150"
    assert ward.account(opened.id, said="") == "9002"
    assert [ward.account(opened.id), ward.account(opened.id), ward.account(opened.id, said="another story")] == ["0", "0", "9002"]
    ward.domain.accesses.put(Access(b"o" * 16, "1234567890", "B1", Reason.NO_CARD, NOW_NS))
    assert ward.account(b"o" * 16) == "5150"


def test_access_needs_the_professionals_own_signature() -> None:
    ward = Ward()
    with pytest.raises(Ended) as end:
        ward.bench.run(open_access(ward.bench.desk, ward.sam, ward.sam, Reason.NO_CARD, ID_NO))
    assert end.value.code == "9130" and list(ward.domain.accesses) == []
