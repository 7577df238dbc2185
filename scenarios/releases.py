"""A clinic's prescriptions for a pharmacy (交付調劑): signed at the consultation, onto the phone or the card, and to the data
centre."""

from __future__ import annotations

from dataclasses import dataclass, field

from scenarios.phones import PhoneContact
from scenarios.prescriptions import RxMix, draw_kind, draw_prescription
from scenarios.runner import Steps
from scenarios.town import Patient, Town
from scenarios.trail import Trail
from scenarios.world import Tally, Workplace
from virtual_devices.prescription.document import Prescription
from virtual_devices.radio import Field
from virtual_devices.reader.prescribing import Issued, issue
from virtual_devices.reader.prescription_desk import Drawer
from virtual_devices.reader.prescription_wallet import leave_for_wallet, put_on_wallet
from virtual_devices.reader.presentation import Counter
from virtual_devices.reader.transmit import Ended
from virtual_devices.wallet.consent import Use


@dataclass
class Releases:
    """What one clinic releases. ``share``: of consultations that end with a prescription for a pharmacy."""

    town: Town
    institution: str
    trail: Trail
    mix: RxMix
    share: float
    drawer: Drawer = field(default_factory=Drawer)
    issued: dict[str, Issued] = field(default_factory=dict)
    """By visit."""

    def document(self, visit: str, patient: Patient, identifier: str) -> Prescription | None:
        """What the physician writes, None for nothing."""
        world = self.town.world
        rng = world.stream("patient", patient.key, "released")
        if rng.random() >= self.share:
            return None
        return draw_prescription(
            rng, self.mix, draw_kind(rng, self.mix), id=self.town.drawn("released", visit)[:16],
            device=self.town.device_of(patient), card_no=patient.card_no, institution=self.institution,
            at_ns=world.clock.now_ns(), visit=identifier,
        )

    def issue(self, visit: str, place: Workplace, tally: Tally, document: Prescription) -> Steps[Issued]:
        """Signed, and at the data centre or waiting for the line."""
        assert place.hpc_handle is not None
        issued: Issued = yield from self.town.world.perform(
            issue(place.desk, self.drawer, document, place.hpc_handle), "prescribe", place, visit=visit, tally=tally,
            ended=lambda result: "retried" if result.online else "offline",
        )
        self.issued[visit] = issued
        self.trail.note(document.id, "issued", place.desk.name, "physician", visit=visit, online=issued.online)
        return issued

    def onto_phone(self, visit: str, patient: Patient, place: Workplace, tally: Tally, air: Field, issued: Issued) -> Steps[None]:
        """In a presentation; when the phone cannot be held to the reader long enough, left with the data centre for it."""
        assert patient.phone is not None and place.hpc_handle is not None
        desk, hpc, batch = place.desk, place.hpc_handle, self.town.drawn("released batch", visit)[:16]
        contact = PhoneContact(self.town.world, place, patient.phone, air, visit, tally)
        records = [issued.filed.signed]
        try:
            yield from contact.run(
                "write back", lambda: put_on_wallet(desk, Counter(), patient.card_no, records, batch, hpc), Use.TREATMENT
            )
        except Ended as e:
            if not e.torn:
                raise
            left = leave_for_wallet(desk, patient.card_no, records)
            yield from self.town.world.perform(left, "leave", place, visit=visit, tally=tally)
            return
        self.trail.note(issued.prescription.id, "on phone", desk.name, "physician", visit=visit, online=issued.online)


__all__ = ["Releases"]
