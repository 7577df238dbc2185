"""What is done at a clinic's counters with a patient's card: register, consult and write back, price."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

from scenarios.clinic_params import Params
from scenarios.clinic_phones import PhoneCounters
from scenarios.releases import Releases
from scenarios.runner import Steps
from scenarios.site import Site
from scenarios.town import Patient
from scenarios.world import CardContact, Tally, Workplace, World
from virtual_devices.clock import parse_roc, roc_datetime13
from virtual_devices.flow import Flow
from virtual_devices.institution.abnormal import Trouble, code_for, obtained, situation_of, trouble_of, without_line
from virtual_devices.institution.told import Begun, Done, Whom, begun_with_card, begun_with_wallet, consultation, diagnoses_of
from virtual_devices.institution.uploads import enqueue
from virtual_devices.prescription.document import Prescription
from virtual_devices.randomness import digest
from virtual_devices.reader.authenticate import sam_of
from virtual_devices.reader.desk import Pending
from virtual_devices.reader.prescribing import card_entries, read_entries
from virtual_devices.reader.transmit import Ended, Handle
from virtual_devices.reader.visit import (
    MedicalRecords,
    Registered,
    VisitRequest,
    open_card,
    read_medical,
    register,
    sign_prescriptions,
    write_consultation,
    write_fees,
)
from virtual_devices.reader.wallet_visit import VirtualRegistered
from virtual_devices.records import RECORDS
from virtual_devices.uploads.facts import Fees, VisitFacts


@dataclass(slots=True)
class Visit:
    """A visit under way."""

    id: str
    patient: Patient
    booked: bool
    arrived_ns: int
    tally: Tally = field(default_factory=Tally)
    registered: Registered | VirtualRegistered | None = None
    outcome: str = "served"
    code: str = "0"
    recorded: bool = False
    visited_at: str = ""
    """ROC date and time that the visit is called by, once somebody has tried to register it."""
    sam_id: str = ""
    """Of the desk that registered it."""
    trouble: Trouble | None = None
    """Why it goes on without a card."""
    professional_id: str = ""
    done: Done | None = None
    """What the physician did, but for the fees."""


class Counters:
    """The acts at the counters of one clinic in one replication."""

    def __init__(self, world: World, clinic: Site, params: Params, releases: Releases | None = None) -> None:
        self.world = world
        self.releases = releases
        self.clinic = clinic
        self.params = params
        self.physician = ""  # whose visits those are that do not come as far
        self.true: dict[str, VisitFacts] = {}
        """What should have been told of each visit."""
        self.phones = PhoneCounters(world, params.field, params.retry_uploads_s)

    def at(self, station: str, visit: Visit, place: Workplace, service_ns: int) -> Steps[None]:
        """Serve the patient at this station and workplace."""
        virtual = visit.patient.phone is not None
        match station:
            case "registration":
                factor = self.params.booked_registration_factor if visit.booked else 1.0
                yield self.world.env.timeout(round(service_ns * factor))
                try:
                    yield from (self._register_virtual if virtual else self._register)(visit, place)
                except Ended as e:
                    self._go_on_without_card(visit, e)
            case "consultation" if visit.trouble is not None:
                yield self.world.env.timeout(service_ns)
                _, entries = self._findings(visit, place, visit.visited_at)
                self._ordered(visit, entries, None, ())  # the SAM signs with a card alone
            case "consultation":
                yield from (self._consult_virtual if virtual else self._consult)(visit, place, service_ns)
            case "pricing":
                yield self.world.env.timeout(service_ns)
                yield from self._price(visit, place)
            case _:
                yield self.world.env.timeout(service_ns)

    def _go_on_without_card(self, visit: Visit, ended: Ended) -> None:
        """Something is broken, and the patient is treated all the same. Raises Ended again for one who was refused."""
        trouble = trouble_of(ended)
        if self.params.without_card == "sent away" or not situation_of(trouble):
            raise ended
        visit.trouble, visit.code = trouble, trouble.code

    def abnormal_code(self, visit: Visit) -> str:
        """What stands in the place of the sequence number of a visit without card, empty for any other."""
        return "" if visit.trouble is None else code_for(visit.trouble)

    def _register(self, visit: Visit, place: Workplace) -> Steps[None]:
        contact = self._contact(visit, place)
        request = self._request(visit)
        try:
            visit.registered = yield from contact.run(
                "register", lambda _: register(place.desk, request), ended=lambda r: "retried" if r.online else "offline"
            )
            visit.code, visit.sam_id = visit.registered.notice, place.desk.sam_id
        finally:
            self._done(visit, contact)

    def _register_virtual(self, visit: Visit, place: Workplace) -> Steps[None]:
        visit.registered = yield from self.phones.register(visit.id, visit.patient, place, visit.tally, self._request(visit))
        visit.code = visit.registered.notice

    def _consult_virtual(self, visit: Visit, place: Workplace, service_ns: int) -> Steps[None]:
        registered = visit.registered
        assert isinstance(registered, VirtualRegistered)
        codes, entries = self._findings(visit, place, registered.request.visited_at)
        document = self._released(visit, registered.identifier)
        yield from self.phones.consult(
            visit.id, visit.patient, place, visit.tally, registered, service_ns, codes, entries if document is None else ()
        )
        given = entries if document is None else card_entries(document, registered.request.visited_at)
        self._ordered(visit, given, document, ())
        if document is not None and self.releases is not None:
            issued = yield from self.releases.issue(visit.id, place, visit.tally, document)
            yield from self.releases.onto_phone(visit.id, visit.patient, place, visit.tally, self.params.field, issued)

    def _consult(self, visit: Visit, place: Workplace, service_ns: int) -> Steps[None]:
        """Read the records, talk, write back: the card stays in unless everybody shares one reader."""
        registered = visit.registered
        assert isinstance(registered, Registered) and place.hpc_handle is not None
        hpc, desk = place.hpc_handle, place.desk
        contact = self._contact(visit, place)
        codes, entries = self._findings(visit, place, registered.request.visited_at)
        document = self._released(visit, registered.identifier)
        if document is not None:
            entries = card_entries(document, registered.request.visited_at)

        def write(card: Handle | None) -> Flow[list[str]]:
            if card is None:
                _, card, _ = yield from open_card(desk, hpc)
            yield from write_consultation(card, registered, self._id(visit, "write"), codes, entries)
            sam = yield from sam_of(desk)
            return (yield from sign_prescriptions(desk, sam, entries))

        def handle_of(result: tuple[Handle, MedicalRecords]) -> Handle:
            return result[0]

        try:
            yield from contact.run("consult", lambda _: read_medical(desk, hpc, registered.public), handle_of)
            yield self.world.env.timeout(service_ns)
            signatures = yield from contact.run("write back", write)
            self._ordered(visit, entries, document, signatures)
        finally:
            self._done(visit, contact)
        if document is not None and self.releases is not None:
            yield from self.releases.issue(visit.id, place, visit.tally, document)

    def _released(self, visit: Visit, identifier: str) -> Prescription | None:
        return None if self.releases is None else self.releases.document(visit.id, visit.patient, identifier)

    def _ordered(self, visit: Visit, entries: list[bytes], document: Prescription | None, signatures: Sequence[str]) -> None:
        """What was written is told of: the orders, or the prescription in their place."""
        assert visit.done is not None
        read = () if document is not None else tuple(entry for _, entry in read_entries(entries))
        visit.done = replace(visit.done, entries=read, prescription=document, signatures=tuple(signatures))

    def _price(self, visit: Visit, place: Workplace) -> Steps[None]:
        registered = visit.registered
        fee, copay = self._fees(visit)
        fees = RECORDS["write_fee"].pack({"outpatient_fee": f"{fee:08d}", "outpatient_copay": f"{copay:08d}"})
        if isinstance(registered, Registered):
            contact = self._contact(visit, place)
            try:
                yield from contact.run(
                    "price", lambda _: write_fees(place.desk, registered, self._id(visit, "fees"), fees)
                )
            finally:
                self._done(visit, contact)
        elif registered is not None:
            yield from self.phones.price(visit.id, visit.patient, place, visit.tally, registered, fees)
        self.hand_over(visit, place)

    def _fees(self, visit: Visit) -> tuple[int, int]:
        rng = self.world.stream("patient", visit.patient.key, "fees")
        return rng.randrange(250, 1200), rng.choice((50, 100, 150))

    def hand_over(self, visit: Visit, place: Workplace) -> None:
        """Queue what there is to tell of a visit that was begun, once. Who left before seeing a physician has paid the copay."""
        begun = self._begun(visit)
        if begun is None or visit.recorded:
            return
        now_ns, (fee, copay) = self.world.clock.now_ns(), self._fees(visit)
        holder = visit.patient.holder
        whom = Whom(holder.id_no, holder.birth_date, "" if visit.trouble is not None else visit.patient.card_no)
        done = visit.done or Done(diagnoses_of(()), Fees(outpatient=copay, outpatient_copay=copay))
        if visit.done is not None:
            done = replace(done, fees=Fees(outpatient=fee, outpatient_copay=copay))
        told = consultation(self.clinic.institution.code, visit.professional_id or self.physician, whom, begun, done)
        self.true[visit.id] = told
        rng = self.world.stream("patient", visit.patient.key, "typed")
        if rng.random() < self.params.mistyped_share:
            told = replace(told, birth_date=told.birth_date - timedelta(days=1 + rng.randrange(30)))
        enqueue(place.desk, visit.id, told, self._id(visit, "request"), now_ns, now_ns)
        visit.recorded = True

    def mend(self, pending: Pending) -> tuple[VisitFacts, int] | None:
        """What was mistyped, as it should be, and how long it takes somebody to see it; None for what nobody can mend."""
        true, rng = self.true[pending.visit], self.world.stream("correction", pending.visit)
        if pending.told.birth_date == true.birth_date:
            return None
        return replace(pending.told, birth_date=true.birth_date), self.params.corrected_after.draw_ns(rng)

    def _begun(self, visit: Visit) -> Begun | None:
        match visit.registered:
            case Registered() as registered:
                return begun_with_card(registered, visit.sam_id)
            case VirtualRegistered() as registered:
                return begun_with_wallet(registered, without_line())
        if visit.trouble is None:
            return None
        trouble = visit.trouble
        return Begun(parse_roc(visit.visited_at), situation=situation_of(trouble), obtained=obtained(trouble))

    def _contact(self, visit: Visit, place: Workplace) -> CardContact:
        assert visit.patient.card is not None
        return CardContact(self.world, place, visit.patient.card, visit.id, visit.tally)

    def _done(self, visit: Visit, contact: CardContact) -> None:
        contact.take_out()
        visit.patient.card = contact.card

    def _id(self, visit: Visit, purpose: str) -> bytes:
        return digest(self.world.scenario.run.seed, self.world.replication, visit.id, purpose)[:16]

    def _request(self, visit: Visit) -> VisitRequest:
        visit.visited_at = roc_datetime13(self.world.clock.now_ns())
        return VisitRequest(self._id(visit, "request"), self._id(visit, "issue"), visit.visited_at)

    def _findings(self, visit: Visit, place: Workplace, visited_at: str) -> tuple[bytes, list[bytes]]:
        """Diagnoses and prescription entries, as the records to be written, and as what is told of the visit."""
        rng = self.world.stream("patient", visit.patient.key, "findings")
        blank = {f"{name}_{part}": b" " for name in _DIAGNOSES for part in ("lead", "trail")}
        diagnosis = rng.choice(_ICD10)
        codes = RECORDS["write_code_icd10"].pack({**blank, "recard_mark": "1", "main_diagnosis": diagnosis})
        entries = []
        for _ in range(rng.randint(0, self.params.prescriptions_max)):
            days = rng.choice((3, 5, 7, 14, 28))
            entries.append(
                RECORDS["outpatient_rx"].pack(
                    {
                        "visit_datetime": visited_at, "order_type": "2" if days > 7 else "1",
                        "item_code": f"AC{rng.randrange(10**8):08d}", "usage": rng.choice(("QD", "BID", "TID", "QID", "HS")),
                        "days": f"{days:02d}", "total_quantity": f"{days * rng.randint(1, 4):05d}.0", "delivery_mark": "01",
                    }
                )
            )
        visit.professional_id = place.desk.hpc_id
        visit.done = Done((diagnosis,), Fees())
        return codes, entries


_DIAGNOSES = ("main_diagnosis", *(f"sub_diagnosis_{i}" for i in range(1, 6)))
_ICD10 = ("J069", "J0190", "J209", "K297", "I10", "E119", "M545", "R05", "L209", "N390", "H1033", "J029")
