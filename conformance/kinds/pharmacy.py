"""A pharmacy's software under test: prescriptions come to it from codes and from the data centre, which is ours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from conformance.case import Kind
from conformance.kinds import Suite
from conformance.offices import OfficeTester, OfficeUnderTest
from conformance.references.clinic import Done
from conformance.references.pharmacy import Found, ReferencePharmacy
from conformance.vectors.world import World
from virtual_devices.clock import NS
from virtual_devices.prescription.document import Prescription, PrescriptionClass


class PharmacyUnderTest(OfficeUnderTest, Protocol):
    """See :class:`conformance.references.pharmacy.ReferencePharmacy` for what each does."""

    def find(self, **what: str | bytes) -> Found: ...
    def scan(self, texts: Sequence[str], device: bytes = b"") -> Found: ...
    def card(self, personal: Mapping[str, Any]) -> Found: ...
    def phone(self, records: Sequence[bytes], chains: Sequence[Sequence[bytes]]) -> Found: ...
    def dispense(self, root: bytes) -> Done: ...
    def signed_on_paper(self) -> Done: ...
    def no_paper(self) -> Done: ...
    def give_back(self) -> Done: ...
    def doubt(self, root: bytes) -> Done: ...
    def settle(self) -> Done: ...
    def record(self, *, upload: bool = True) -> Done: ...
    def correct(self) -> Done: ...


class PharmacyTester(OfficeTester):
    """The people at a pharmacy, and the clinic that prescribed."""

    role = "pharmacy"

    def __init__(self, software: PharmacyUnderTest, world: World, name: str) -> None:
        super().__init__(software, world, name)
        self.software = software

    def prescribed(
        self, kind: PrescriptionClass = PrescriptionClass.ORDINARY, name: str = "rx", **more: Any,
    ) -> tuple[Prescription, bytes]:
        """A prescription of the clinic's at the data centre."""
        pen = self.pen(self.clinic)
        document = pen.prescription(self.now_ns // NS * NS, name, kind, **more)
        raw = pen.sign(document.record())
        self.need("the data centre has it", self.leave(self.clinic, "rx-store", raw) == "0")
        return document, raw

    def found(self, document: Prescription) -> None:
        """It is found at the data centre by its id; that is a check."""
        shown = self.act("find", lambda: self.software.find(id=document.id))
        self.expect("it is found", [root for root, _ in shown.states] == [document.id], "one", shown)


SUITE = Suite(
    Kind.PHARMACY, ("desk",), ReferencePharmacy, PharmacyTester,
    (
        *(f"virtual_devices.reader.dispensing:{name}" for name in (
            "Dispensed", "dispense", "receive", "give_back", "_return", "query", "withdraw",
        )),
        "virtual_devices.reader.prescription_offers",
        "virtual_devices.reader.prescription_desk", "virtual_devices.qr.prescription", "virtual_devices.qr.parts",
        "virtual_devices.qr.text",
    ),
)

__all__ = ["SUITE", "PharmacyTester", "PharmacyUnderTest"]
