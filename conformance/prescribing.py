"""A clinic and a pharmacy before a data centre under test: what they prescribe and dispense, and what it says to that."""

from __future__ import annotations

from typing import Any

from conformance.kinds.data_centre import DataCentreTester
from conformance.records import Pen
from virtual_devices.prescription.document import Prescription, PrescriptionClass
from virtual_devices.write_back import Record


class Desk:
    """A clinic and a pharmacy that write prescriptions and what becomes of them."""

    def __init__(self, data_centre: DataCentreTester, holder: bytes = b"") -> None:
        self.t = data_centre
        self._holder = holder

    @property
    def clinic(self) -> Pen:
        return Pen(self.t.clinic, self.t.world, self._holder)

    @property
    def pharmacy(self) -> Pen:
        return Pen(self.t.pharmacy, self.t.world, self._holder)

    def say(
        self, operation: str, record: Record | bytes, by: Pen, documents: tuple[bytes, ...] = (),
        chains: list[list[bytes]] | None = None,
    ) -> str:
        """The code for a signed record. ``chains``: of its signers, those of now when left out."""
        raw = record if isinstance(record, bytes) else by.sign(record)
        chains = self.clinic.chains + self.pharmacy.chains if chains is None else chains
        arguments = {"record": raw, "chains": chains, "documents": list(documents)}
        return self.t.ask(operation, arguments, by=by.place)[0]

    def stored(self, document: Prescription) -> bytes:
        raw = self.clinic.sign(document.record())
        self.t.equal("stored", self.say("rx-store", raw, self.clinic), "0")
        return raw

    def prescribed(self, kind: PrescriptionClass = PrescriptionClass.ORDINARY, **more: Any) -> tuple[Prescription, bytes]:
        document = self.clinic.prescription(self.t.now_ns, kind=kind, **more)
        return document, self.stored(document)

    def give(self, of: Prescription, raw: bytes, issue: int = 1, name: str = "dispensing", operation: str = "rx-dispense") -> str:
        return self.say(operation, self.pharmacy.dispensing(of, raw, self.t.now_ns, issue, name), self.pharmacy)


__all__ = ["Desk"]
