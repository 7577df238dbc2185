"""Prescriptions for tests: documents and acts as a drawn world has them, unsigned, and signed ones."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import Any

from virtual_devices import pki
from virtual_devices.cloud.books import MemoryBooks
from virtual_devices.cloud.prescriptions import Outcome, Prescriptions
from virtual_devices.cose import Signature, signer_structure
from virtual_devices.pki import DAY_NS, Identity, Role
from virtual_devices.prescription.acts import About, Answer, Decision, Dispensing, Query, Received, Restoration, Return
from virtual_devices.prescription.document import Cancellation, Entry, Prescription, PrescriptionClass
from virtual_devices.prescription.recipient import Written
from virtual_devices.prescription.rules import day_of
from virtual_devices.prescription.signing import Filed
from virtual_devices.randomness import digest, private_key
from virtual_devices.write_back import Record, holder_of, signer_header

from .desk import AUTHORITY, CARD_NO, DOCTOR_ID, INSTITUTION, NOW_NS, SAM_ID

PHARMACY, OTHER_PHARMACY = "5931010018", "5931010027"
PHARMACIST_ID = "B223456789"
DEVICE = holder_of(private_key("tests", "phone").public_key())
DRUG = Entry("1", "AC49171100", "", "1T QD PO", 7, 70, "02")
NO_TIME = 0


def rx(name: str = "rx", kind: PrescriptionClass = PrescriptionClass.ORDINARY, **more: Any) -> Prescription:
    """A released prescription: seven days, or a refill of three times 28 days."""
    refill = kind.refill
    days, issues = (28, 3) if refill else (7, 1)
    entry = replace(DRUG, order_type="2", days=28, total_tenths=280, delivery_mark="06") if refill else DRUG
    lasts = 84 if refill else 3
    usual = {
        "issues": issues, "days": days, "card_no": CARD_NO, "visit": "11503020800000000001",
        "entries": (entry,), "last_day": day_of(NOW_NS) + timedelta(days=lasts - 1),
    }
    return Prescription(number(name), DEVICE, NOW_NS, INSTITUTION, kind=kind, **{**usual, **more})


def refill(name: str = "rx", **more: Any) -> Prescription:
    return rx(name, PrescriptionClass.REFILL, **more)


def number(name: str) -> bytes:
    return digest("tests", "prescription", name)[:16]


def drawn(record: Record, signer: str = DOCTOR_ID, role: Role = Role.PHYSICIAN, institution: str = INSTITUTION) -> Filed:
    """As a drawn world hands it over."""
    return Filed(record, record.to_bytes(), signer, role, institution)


def by_pharmacist(act: Any, institution: str = PHARMACY) -> Filed:
    return drawn(act.record(), PHARMACIST_ID, Role.PHARMACIST, institution)


def about(document: Prescription, filed: Filed | None = None, root: bytes = b"") -> About:
    return About(root or document.id, document.id, (filed or drawn(document.record())).digest, document.device)


@dataclass
class Register:
    """The data centre's prescriptions, and short ways to act on them. Times are hours after :data:`NOW_NS`."""

    domain: Prescriptions = field(default_factory=lambda: Prescriptions(MemoryBooks()))
    hours: float = 0.0

    def at(self, hours: float | None = None) -> int:
        return NOW_NS + round((self.hours if hours is None else hours) * 3600) * 1_000_000_000

    def take(self, filed: Filed) -> Outcome:
        return self.domain.take(filed, self.at())

    def store(self, document: Prescription) -> Filed:
        filed = drawn(document.record())
        assert self.take(filed).ok
        return filed

    def dispensing(
        self, document: Prescription, name: str = "first", issue: int = 1, where: str = PHARMACY, **more: Any,
    ) -> Filed:
        hours, root = more.pop("hours", None), more.pop("root", b"")
        act = Dispensing(number(name), about(document, root=root), where, self.at(hours), issue, **more)
        return by_pharmacist(act, where)

    def give_back(self, given: Filed, document: Prescription, name: str = "back") -> Filed:
        act = Return(number(name), about(document), given.institution, self.at(), given.record.id, "not collected")
        return by_pharmacist(act, given.institution)

    def query(self, document: Prescription, name: str = "query", where: str = PHARMACY) -> Filed:
        return by_pharmacist(Query(number(name), about(document), where, self.at(), "dose?", (0,)), where)

    def answer(self, document: Prescription, asked: Filed, decision: Decision = Decision.CONFIRM, name: str = "answer",
               where: str = INSTITUTION, role: Role = Role.PHYSICIAN) -> Filed:
        act = Answer(number(name), about(document), where, self.at(), asked.record.id, decision, "yes")
        return drawn(act.record(), DOCTOR_ID, role, where)

    def cancellation(self, document: Prescription, head: Filed, name: str = "cancel") -> Filed:
        act = Cancellation(number(name), document.device, self.at(), INSTITUTION, document.id, head.digest, "wrong patient")
        return drawn(act.record())

    def restoration(self, document: Prescription, cancelled: Filed, name: str = "restore") -> Filed:
        act = Restoration(number(name), about(document), INSTITUTION, self.at(), cancelled.digest)
        return drawn(act.record())

    def amendment(self, document: Prescription, head: Filed, name: str = "amendment", **more: Any) -> Prescription:
        return replace(document, id=number(name), issued_ns=self.at(), amends=document.id, follows=head.digest, **more)

    def written(self, given: Filed, document: Prescription, name: str = "received") -> Filed:
        evidence = Written("王小明", digest("paper"), "self").evidence()
        act = Received(number(name), about(document), given.institution, self.at(), given.record.id, evidence)
        return by_pharmacist(act, given.institution)


# -- signed

DOCTOR, CLINIC = AUTHORITY.issue(Role.PHYSICIAN, DOCTOR_ID), AUTHORITY.issue(Role.SAM, SAM_ID, organisation=INSTITUTION)
PHARMACIST = AUTHORITY.issue(Role.PHARMACIST, PHARMACIST_ID)
PHARMACY_SAM = AUTHORITY.issue(Role.SAM, "SAM000000002", organisation=PHARMACY)


def signed(record: Record, professional: Identity = DOCTOR, sam: Identity = CLINIC) -> bytes:
    """By [HPC, SAM], with software keys."""
    message = record.unsigned()
    for identity in (professional, sam):
        header = signer_header(identity.chain[0])
        value = pki.sign(identity.key, signer_structure(message.protected, header, message.payload))
        message = message.with_signature(Signature(header, {}, value))
    return message.to_bytes()


def day(after: int) -> date:
    return day_of(NOW_NS + after * DAY_NS)
