"""What happened before the curtain rises, or behind it: a physician who prescribed yesterday, a pharmacy that gave the first
issue last month. Everything is signed and stored for true, over links that take no time, and leaves no row."""

from __future__ import annotations

from typing import TypeVar

from scenarios.phones import PhoneHolder
from scenarios.site import Site
from scenarios.town import PROFESSIONAL_PIN, Patient, Town
from virtual_devices.clock import VirtualClock
from virtual_devices.flow import Flow, Session, run
from virtual_devices.link import DirectLink, Link
from virtual_devices.network import Contact
from virtual_devices.pki import Role
from virtual_devices.prescription.document import Prescription
from virtual_devices.reader.authenticate import insert_hpc, open_sam
from virtual_devices.reader.calls import get_reader_certificates
from virtual_devices.reader.desk import Policy
from virtual_devices.reader.dispensing import Dispensed, dispense
from virtual_devices.reader.prescribing import Issued, issue
from virtual_devices.reader.prescription_desk import Drawer
from virtual_devices.reader.prescription_offers import from_centre
from virtual_devices.reader.prescription_wallet import put_on_wallet
from virtual_devices.reader.presentation import Counter
from virtual_devices.reader.transmit import Handle
from virtual_devices.uploads.register import Trade
from virtual_devices.wallet.consent import Use
from virtual_devices.wallet.faces import NfcFace

T = TypeVar("T")


class _Knows:
    """A professional who knows their PIN."""

    def ask(self, person: str, act: str) -> tuple[int, str]:
        return 0, PROFESSIONAL_PIN if act == "enter PIN" else ""


class Offstage:
    """One professional at an institution that nobody watches. Its clock goes forward only: use it in the order of time."""

    def __init__(self, town: Town, code: str, name: str, role: Role = Role.PHYSICIAN) -> None:
        self.town = town
        self.clock = VirtualClock()
        trade = Trade.PHARMACY if role is Role.PHARMACIST else Trade.CLINIC
        self.site = Site(town, code, Policy(), Contact(), name=name, trade=trade)
        self.place = self.site.workplace(role.name.lower(), role)
        self.place.desk.clock = self.clock
        assert self.place.hpc is not None
        self.hpc = Handle("hpc", True, False, self.place.hpc.atr)
        self.drawer = Drawer()

    def run(self, flow: Flow[T], at_ns: int, patient: Patient | None = None) -> T:
        """A flow at that moment, to its end, in no time."""
        self.clock.advance_to(at_ns)
        if at_ns >= self.place.desk.reader_until_ns:  # every day anew: what phones are shown must be what signs
            self._run(self._switch_on(), None)
        return self._run(flow, patient)

    def _run(self, flow: Flow[T], patient: Patient | None) -> T:
        assert self.place.hpc is not None
        links: dict[str, Link] = {
            "sam": DirectLink(self.place.sam, self.clock), "hpc": DirectLink(self.place.hpc, self.clock),
            "cloud": DirectLink(self.town.centre, self.clock, channel="network"),
        }
        if patient is None or patient.phone is None:
            return run(flow, Session(links, self.clock, _Knows()))
        face = NfcFace(patient.phone)
        links["wallet"] = DirectLink(face, self.clock, channel="nfc")
        holder = PhoneHolder(patient.phone, _Knows(), self.clock, Use.TREATMENT)
        try:
            return run(flow, Session(links, self.clock, holder))
        finally:
            face.power_off()

    def _switch_on(self) -> Flow[None]:
        sam = yield from open_sam(self.place.desk)
        yield from insert_hpc(self.place.desk, sam)
        yield from get_reader_certificates(self.place.desk, sam)


    # -- acts

    def issue(self, document: Prescription, at_ns: int) -> Issued:
        """Signed, and at the data centre."""
        return self.run(issue(self.place.desk, self.drawer, document, self.hpc), at_ns)

    def put_on_phone(self, patient: Patient, signed: bytes, batch_id: bytes, at_ns: int) -> None:
        """Onto the patient's phone, in a presentation."""
        flow = put_on_wallet(self.place.desk, Counter(), patient.card_no, [signed], batch_id, self.hpc)
        self.run(flow, at_ns, patient)

    def dispense(self, root: bytes, at_ns: int) -> Dispensed:
        """One issue of a prescription that the data centre has."""
        def flow() -> Flow[Dispensed]:
            found = yield from from_centre(self.place.desk, self.drawer, id=root)
            assert found, "the data centre has no such prescription"
            return (yield from dispense(self.place.desk, self.drawer, found[0], self.hpc))

        return self.run(flow(), at_ns)


__all__ = ["Offstage"]
