"""What is done at a clinic's counters with a patient's phone: the same steps as with a card (``clinic_counters``), by taps."""

from __future__ import annotations

from collections.abc import Sequence

from scenarios.clinic import Patient
from scenarios.phones import PhoneContact
from scenarios.runner import Steps
from scenarios.world import Tally, Workplace, World
from virtual_devices.clock import parse_roc
from virtual_devices.radio import Field
from virtual_devices.randomness import digest
from virtual_devices.reader.visit import VisitRequest
from virtual_devices.reader.wallet_visit import (
    Counter,
    VirtualRegistered,
    read_medical_wallet,
    register_wallet,
    write_wallet,
)
from virtual_devices.wallet.consent import Use
from virtual_devices.write_back import Kind, Record


class PhoneCounters:
    """The acts at the counters with phones, in one replication."""

    def __init__(self, world: World, field: Field) -> None:
        self._world = world
        self._field = field
        self._counter = Counter()

    def _contact(self, visit: str, patient: Patient, place: Workplace, tally: Tally) -> PhoneContact:
        assert patient.phone is not None
        return PhoneContact(self._world, place, patient.phone, self._field, visit, tally)

    def register(
        self, visit: str, patient: Patient, place: Workplace, tally: Tally, request: VisitRequest,
    ) -> Steps[VirtualRegistered]:
        """Presented, believed, and registered with the data centre."""
        contact = self._contact(visit, patient, place, tally)
        return (
            yield from contact.run(
                "register", lambda: register_wallet(place.desk, self._counter, request), Use.REGISTRATION,
                ended=lambda r: "retried" if r.online else "offline",
            )
        )

    def consult(
        self, visit: str, patient: Patient, place: Workplace, tally: Tally, registered: VirtualRegistered, service_ns: int,
        codes: bytes, entries: Sequence[bytes],
    ) -> Steps[None]:
        """Read the records, talk, write diagnoses and prescriptions back."""
        hpc, desk = place.hpc_handle, place.desk
        assert hpc is not None
        contact = self._contact(visit, patient, place, tally)
        yield from contact.run(
            "consult", lambda: read_medical_wallet(desk, self._counter, hpc, registered), Use.TREATMENT
        )
        yield self._world.env.timeout(service_ns)
        at_ns = parse_roc(registered.request.visited_at)

        def records(holder: bytes) -> Sequence[Record]:
            seen = Record(
                Kind.VISIT, self._id(visit, "visit record"), holder, at_ns,
                {1: registered.sequence, 2: registered.request.visit_type, 3: desk.institution.code, 4: codes},
            )
            given = [
                Record(Kind.PRESCRIPTION, self._id(visit, f"prescription {n}"), holder, at_ns, {1: entry})
                for n, entry in enumerate(entries)
            ]
            return [seen, *given]

        yield from contact.run(
            "write back",
            lambda: write_wallet(desk, self._counter, registered, records, self._id(visit, "batch"), hpc), Use.TREATMENT,
        )

    def price(
        self, visit: str, patient: Patient, place: Workplace, tally: Tally, registered: VirtualRegistered, fees: bytes,
    ) -> Steps[None]:
        """Fees onto the phone."""
        at_ns = parse_roc(registered.request.visited_at)

        def records(holder: bytes) -> Sequence[Record]:
            return [Record(Kind.FEE, self._id(visit, "fee record"), holder, at_ns, {1: fees})]

        batch = self._id(visit, "fee batch")
        contact = self._contact(visit, patient, place, tally)
        yield from contact.run(
            "price", lambda: write_wallet(place.desk, self._counter, registered, records, batch), Use.REGISTRATION
        )

    def _id(self, visit: str, purpose: str) -> bytes:
        return digest(self._world.scenario.run.seed, self._world.replication, visit, purpose)[:16]
