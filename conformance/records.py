"""Signed records and files of visits as institutions make them: what those who take them in are tried with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

from conformance.town import HOLDER, Place
from conformance.vectors.world import CARD_NO, Reader, World
from virtual_devices import pki
from virtual_devices.cose import Signature, signer_structure
from virtual_devices.prescription.acts import About, Answer, Decision, Dispensing, Query, Received, Return
from virtual_devices.prescription.document import Cancellation, Entry, Prescription, PrescriptionClass
from virtual_devices.prescription.recipient import Written
from virtual_devices.prescription.rules import day_of
from virtual_devices.uploads.document import Encoding
from virtual_devices.uploads.facts import Fees, Order, OrderKind, VisitFacts
from virtual_devices.uploads.fields import Version
from virtual_devices.uploads.making import make
from virtual_devices.uploads.xml_writer import write
from virtual_devices.write_back import Kind, Record, holder_of, signer_header

DRUG = Entry("1", "AC49171100", "", "1T QD PO", 7, 70, "02")


def signed(record: Record, *signers: Reader, world: World) -> bytes:
    """By these, in this order."""
    message = record.unsigned()
    for signer in signers:
        header = signer_header(signer.chain[0])
        value = world.es256(signer.key, signer_structure(message.protected, header, message.payload))
        message = message.with_signature(Signature(header, {}, value))
    return message.to_bytes()


class Pen:
    """What a place writes, signed by its professional and its SAM. ``holder``: whom records are for."""

    def __init__(self, place: Place, world: World, holder: bytes = b"") -> None:
        self.place = place
        self.world = world
        self.holder = holder or holder_of(world.device_key)

    @property
    def chains(self) -> list[list[bytes]]:
        return [list(self.place.professional.chain), list(self.place.sam.chain)]

    def sign(self, record: Record) -> bytes:
        both = (self.place.professional, self.place.sam)
        return signed(record, *(both if record.kind.needs_professional else both[1:]), world=self.world)

    def number(self, *name: object) -> bytes:
        return self.world.fresh("record", self.place.institution, *name)(16)

    def visit(self, at_ns: int, name: str = "visit", holder: bytes = b"", **fields: Any) -> Record:
        return Record(Kind.VISIT, self.number(name), holder or self.holder, at_ns, {1: "W001", 2: "01",
                                                                                    3: self.place.institution})

    def prescription(
        self, at_ns: int, name: str = "rx", kind: PrescriptionClass = PrescriptionClass.ORDINARY, **more: Any,
    ) -> Prescription:
        """A released prescription of seven days, or a refill of three times 28."""
        refill = kind.refill
        days, issues, lasts = (28, 3, 84) if refill else (7, 1, 3)
        entry = replace(DRUG, order_type="2", days=28, total_tenths=280, delivery_mark="06") if refill else DRUG
        usual = {
            "issues": issues, "days": days, "card_no": CARD_NO, "visit": "11503020800000000001", "entries": (entry,),
            "last_day": day_of(at_ns) + timedelta(days=lasts - 1),
        }
        return Prescription(self.number(name), self.holder, at_ns, self.place.institution, kind=kind, **{**usual, **more})

    def cancellation(self, of: Prescription, at_ns: int, name: str = "cancel") -> Record:
        follows = pki.hashed(self.sign(of.record()))
        return Cancellation(self.number(name), self.holder, at_ns, self.place.institution, of.id, follows, "mistake").record()

    def amendment(self, of: Prescription, at_ns: int, name: str = "amend", **more: Any) -> Prescription:
        follows = pki.hashed(self.sign(of.record()))
        return replace(of, id=self.number(name), issued_ns=at_ns, amends=of.id, follows=follows, **more)

    # -- a pharmacy's; ``raw``: the document as it was signed

    def about(self, of: Prescription, raw: bytes) -> About:
        return About(of.amends or of.id, of.id, pki.hashed(raw), of.device)

    def dispensing(self, of: Prescription, raw: bytes, at_ns: int, issue: int = 1, name: str = "dispensing") -> Record:
        return Dispensing(self.number(name), self.about(of, raw), self.place.institution, at_ns, issue).record()

    def returned(self, of: Prescription, raw: bytes, given: Record, at_ns: int) -> Record:
        return Return(self.number("return"), self.about(of, raw), self.place.institution, at_ns, given.id, "back").record()

    def doubt(self, of: Prescription, raw: bytes, at_ns: int) -> Record:
        return Query(self.number("query"), self.about(of, raw), self.place.institution, at_ns, "dose?", (0,)).record()

    def answer(self, of: Prescription, raw: bytes, asked: Record, at_ns: int) -> Record:
        about = self.about(of, raw)
        return Answer(self.number("answer"), about, self.place.institution, at_ns, asked.id, Decision.CONFIRM, "yes").record()

    def received(self, of: Prescription, raw: bytes, given: Record, at_ns: int, name: str = "received") -> Record:
        evidence = Written(HOLDER.holder.name, pki.hashed(b"paper"), "self").evidence()
        return Received(self.number(name), self.about(of, raw), self.place.institution, at_ns, given.id, evidence).record()


def facts(place: Place, visited_ns: int, identifier: str, **more: Any) -> VisitFacts:
    """An ordinary visit of the holder's, as its record tells it."""
    drug = Order(OrderKind.DRUG, "AC00000000", Decimal(9), prescription_class="A", usage="TID", days=3, route="PO",
                 signature="7" * 40)
    usual: dict[str, Any] = {
        "sam_id": place.sam_id, "card_no": CARD_NO, "sequence": "0001", "signature": "5" * 128, "diagnoses": ("J069",),
        "fees": Fees(outpatient=420, outpatient_copay=50), "benefit_type": "4", "service_class": "11", "dispensing_mode": "0",
        "days_supplied": 3, "orders": (drug,), "identifier": identifier, "national_id": HOLDER.holder.id_no,
        "birth_date": HOLDER.holder.birth_date, "visit_type": "01", "visited_ns": visited_ns,
    }
    return VisitFacts(**{"institution": place.institution, "professional_id": place.professional_id, **usual, **more})


def visit_file(visits: Sequence[VisitFacts], version: Version = Version.V20) -> bytes:
    """As it is uploaded."""
    return write([make(visit, version) for visit in visits], Encoding.BIG5 if version is Version.V10 else Encoding.UTF8)


__all__ = ["DRUG", "Pen", "facts", "signed", "visit_file"]
