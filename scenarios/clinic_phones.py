"""What is done at a clinic's counters with a patient's phone: the same steps as with a card (``clinic_counters``), by taps."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from scenarios.phones import PhoneContact
from scenarios.runner import Steps
from scenarios.town import Patient
from scenarios.world import Tally, Workplace, World
from virtual_devices.clock import parse_roc, seconds
from virtual_devices.radio import Field
from virtual_devices.randomness import digest
from virtual_devices.reader.presentation import Counter
from virtual_devices.reader.transmit import Ended, Handle
from virtual_devices.reader.visit import VisitRequest
from virtual_devices.reader.wallet_visit import VirtualRegistered, read_medical_wallet, register_wallet, send_late, write_wallet
from virtual_devices.wallet.consent import Use
from virtual_devices.write_back import Kind, Record


class PhoneCounters:
    """The acts at the counters with phones, in one replication."""

    def __init__(self, world: World, field: Field, retry_s: float) -> None:
        self._world = world
        self._field = field
        self._retry_s = retry_s
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

        yield from self._write("write back", contact, visit, place, tally, registered, records, "batch", Use.TREATMENT, hpc)

    def price(
        self, visit: str, patient: Patient, place: Workplace, tally: Tally, registered: VirtualRegistered, fees: bytes,
    ) -> Steps[None]:
        """Fees onto the phone."""
        at_ns = parse_roc(registered.request.visited_at)

        def records(holder: bytes) -> Sequence[Record]:
            return [Record(Kind.FEE, self._id(visit, "fee record"), holder, at_ns, {1: fees})]

        contact = self._contact(visit, patient, place, tally)
        yield from self._write("price", contact, visit, place, tally, registered, records, "fee batch", Use.REGISTRATION)

    def _write(
        self, name: str, contact: PhoneContact, visit: str, place: Workplace, tally: Tally, registered: VirtualRegistered,
        records: Callable[[bytes], Sequence[Record]], batch: str, use: Use, hpc: Handle | None = None,
    ) -> Steps[None]:
        """Onto the phone; when it cannot be held to the reader long enough, left with the data centre for it (WBK-01)."""
        desk, batch_id = place.desk, self._id(visit, batch)
        try:
            yield from contact.run(name, lambda: write_wallet(desk, self._counter, registered, records, batch_id, hpc), use)
        except Ended as e:
            if not e.torn:
                raise
            self._world.env.process(self._leave(place, visit, registered, records, hpc))

    def _leave(
        self, place: Workplace, visit: str, registered: VirtualRegistered, records: Callable[[bytes], Sequence[Record]],
        hpc: Handle | None,
    ) -> Steps[None]:
        """Again from time to time while the line is down, until the situation's horizon."""
        world = self._world
        while world.clock.now_ns() < world.horizon_ns:
            try:
                if (yield from world.perform(send_late(place.desk, registered, records, hpc), "leave", place, visit=visit)):
                    return
            except Ended as e:
                if not e.torn:  # the data centre does not take them, and will not later
                    return
            yield world.env.timeout(seconds(self._retry_s))

    def _id(self, visit: str, purpose: str) -> bytes:
        return digest(self._world.scenario.run.seed, self._world.replication, visit, purpose)[:16]
