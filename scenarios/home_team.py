"""A home-visit team in one replication: prepared at the institution, on its round with a mobile line that is not everywhere, back
at the institution to send what waits and to correct what was wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from scenarios.outbox import Outbox
from scenarios.phones import Air, PhoneContact
from scenarios.prescriptions import RxMix, draw_kind, draw_prescription, order
from scenarios.runner import Steps
from scenarios.site import Site
from scenarios.switching import switch_on
from scenarios.town import Patient
from scenarios.trail import Trail
from scenarios.visit_rows import visit_row
from scenarios.world import CardContact, Tally, Workplace
from virtual_devices.authorization import Purpose
from virtual_devices.clock import NS, roc_datetime13
from virtual_devices.flow import Flow
from virtual_devices.institution.abnormal import without_line
from virtual_devices.institution.common_lists import example_lists
from virtual_devices.institution.home_bag import HomeBag
from virtual_devices.institution.home_visit import prepare, recognise
from virtual_devices.institution.told import Done, Whom, begun_with_card, begun_with_wallet, consultation, diagnoses_of
from virtual_devices.institution.uploads import enqueue
from virtual_devices.link import Attempt, Link, Outcome, Provenance
from virtual_devices.pki import Role
from virtual_devices.prescription.document import Prescription
from virtual_devices.reader.authenticate import sam_of
from virtual_devices.reader.prescribing import Issued, amendment, card_entries, issue
from virtual_devices.reader.prescription_desk import Drawer, RxPolicy
from virtual_devices.reader.prescription_offers import Offer, from_centre
from virtual_devices.reader.prescription_wallet import leave_for_wallet, put_on_wallet
from virtual_devices.reader.presentation import Counter as Reader
from virtual_devices.reader.presentation import Medium
from virtual_devices.reader.transmit import Ended, Handle
from virtual_devices.reader.visit import (
    Registered,
    VisitRequest,
    open_card,
    read_medical,
    register,
    sign_prescriptions,
    write_consultation,
)
from virtual_devices.reader.wallet_visit import VirtualRegistered, register_wallet
from virtual_devices.records import RECORDS
from virtual_devices.trace import StageRow
from virtual_devices.uploads.facts import Fees, VisitFacts
from virtual_devices.wallet.consent import Use

DIAGNOSIS = "I10"
HOME_CARE = "01"
"""Visit type of a first home visit (the second and later of a course are AH)."""


class Coverage:
    """A mobile line that is not everywhere. ``there`` says whether it is, where the team is now."""

    def __init__(self, line: Link) -> None:
        self._line = line
        self.there = True

    @property
    def channel(self) -> str:
        return self._line.channel

    @property
    def device(self) -> str:
        return self._line.device

    @property
    def provenance(self) -> Provenance:
        return self._line.provenance

    def attempt(self, message: bytes, timeout_s: float) -> Attempt:
        """Without a line the device knows at once."""
        return self._line.attempt(message, timeout_s) if self.there else Attempt(Outcome.GONE, 0)


@dataclass(slots=True)
class Home:
    """One patient on the round. ``covered``: whether there is a mobile line; ``issued``: what was prescribed; ``later``: it was
    on no list, and is written when the team is back."""

    id: str
    patient: Patient
    covered: bool
    arrived_ns: int = -1
    tally: Tally = field(default_factory=Tally)
    registered: Registered | VirtualRegistered | None = None
    signatures: list[str] = field(default_factory=list)  # of the orders, by the SAM
    issued: Issued | None = None
    later: bool = False
    outcome: str = "served"
    code: str = "0"


@dataclass(frozen=True)
class Pace:
    """How long things take, drawn by the caller's own services, in nanoseconds."""

    travel: Callable[[str], int]
    visit: Callable[[str], int]
    question: Callable[[str], int]


class Team:
    """One team. ``office``: its desk at the institution; ``bag``: what it takes along."""

    def __init__(
        self, site: Site, mobile: Coverage, air: Air, trail: Trail, mix: RxMix, pace: Pace, retry_s: float, *,
        issue_offline: bool, amended_share: float, listed_share: float,
    ) -> None:
        self.world = site.world
        self.site, self.trail, self._mix, self._pace, self._air = site, trail, mix, pace, air
        self.mobile = mobile
        self.office = site.workplace("office", Role.PHYSICIAN)
        self.device = site.workplace("mobile device", Role.PHYSICIAN)
        self.device.hpc, self.device.cloud_link = self.office.hpc, mobile  # one physician, with one card
        self.device.hpc_link = self.office.hpc_link
        self.drawer = Drawer(RxPolicy(issue_offline=issue_offline))
        self.bag = HomeBag(site.institution.code, site.town.authority.verifier(), site.town.fresh("home bag"))
        self.outbox = Outbox(site, self.office, retry_s, lambda: self.back, self.drawer, trail)
        self._reader = Reader(medium=Medium.QR_BLE, purpose=Purpose.OUTPATIENT)
        self._amended_share, self._listed_share = amended_share, listed_share
        self.lists = example_lists()
        self.back = False
        self.homes: list[Home] = []
        self.left: Counter[str] = Counter()
        self.seen: list[Callable[[Home], None]] = []
        """Told of each home that was visited, before the team goes on."""

    # -- before

    def prepare(self, homes: list[Home]) -> Steps[None]:
        """Switch on, and take along what is needed of each patient, until the evening."""
        world, office = self.world, self.office
        self.homes = homes
        for place in (office, self.device):
            yield from world.perform(switch_on(place), "open", place)
        until_ns = world.clock.now_ns() + 10 * 3600 * NS
        for home in homes:
            try:
                yield from world.perform(self._prepared(home, until_ns), "prepare home visit", office, visit=home.id)
            except Ended as e:
                home.outcome, home.code = ("gave-up" if e.torn else "refused"), e.code

    def _prepared(self, home: Home, until_ns: int) -> Flow[None]:
        sam = yield from sam_of(self.office.desk)
        package = yield from prepare(self.office.desk, sam, self._hpc, self.bag, home.patient.card_no, until_ns)
        if package.insurance != "0":
            raise Ended("the patient is not insured", package.insurance, "cloud")

    # -- the round

    def round(self) -> Steps[None]:
        """From home to home, and back."""
        world = self.world
        for home in self.homes:
            yield world.env.timeout(self._pace.travel(home.id))
            home.arrived_ns = world.clock.now_ns()
            self.mobile.there = home.covered
            try:
                if home.code == "0":
                    yield from self._visit(home)
            except Ended as e:
                home.outcome, home.code = ("gave-up" if e.torn else "refused"), e.code
            self._record(home)
            self.left[home.id] += 1
            world.record(StageRow(world.replication, home.id, "at home", home.arrived_ns, home.arrived_ns, world.clock.now_ns()))
            for told in self.seen:
                told(home)
        yield world.env.timeout(self._pace.travel("back"))
        self.mobile.there = True
        self.bag.empty()

    def _visit(self, home: Home) -> Steps[None]:
        if home.patient.phone is not None:
            yield from self._by_phone(home)
        else:
            yield from self._by_card(home)

    def _by_phone(self, home: Home) -> Steps[None]:
        desk, hpc, patient = self.device.desk, self._hpc, home.patient
        contact = self._phone(home)
        request = self._request(home)
        registered: VirtualRegistered = yield from contact.run(
            "register", lambda: register_wallet(desk, self._reader, request), Use.REGISTRATION,
            ended=lambda r: "retried" if r.online else "offline",
        )
        home.registered = registered
        yield from self._recognised(home, registered.person.card_no, _identity(patient))
        yield self.world.env.timeout(self._pace.visit(home.id))
        issued = yield from self._prescribe(home)
        if issued is None:
            return
        batch = self.site.town.drawn("home batch", home.id)[:16]
        yield from contact.run(
            "write back", lambda: put_on_wallet(desk, self._reader, patient.card_no, [issued.filed.signed], batch, hpc),
            Use.TREATMENT,
        )
        self.trail.note(issued.prescription.id, "on phone", desk.name, "physician", visit=home.id, online=issued.online)

    def _by_card(self, home: Home) -> Steps[None]:
        desk, hpc, patient = self.device.desk, self._hpc, home.patient
        assert patient.card is not None
        contact = CardContact(self.world, self.device, patient.card, home.id, home.tally)
        request = self._request(home)
        try:
            registered: Registered = yield from contact.run(
                "register", lambda _: register(desk, request), ended=lambda r: "retried" if r.online else "offline"
            )
            home.registered = registered
            yield from self._recognised(home, registered.public.card_no, registered.public.identity)
            yield from contact.run("consult", lambda _: read_medical(desk, hpc, registered.public), lambda found: found[0])
            yield self.world.env.timeout(self._pace.visit(home.id))
            issued = yield from self._prescribe(home)
            entries = [] if issued is None else card_entries(issued.prescription, registered.request.visited_at)

            def write(card: Handle | None) -> Flow[list[str]]:
                if card is None:
                    _, card, _ = yield from open_card(desk, hpc)
                yield from write_consultation(card, registered, self.site.town.drawn("write", home.id)[:16], _codes(), entries)
                return (yield from sign_prescriptions(desk, (yield from sam_of(desk)), entries))

            home.signatures = yield from contact.run("write back", write)
            if issued is not None:
                self.trail.note(issued.prescription.id, "on card", desk.name, "physician", visit=home.id, online=issued.online)
        finally:
            contact.take_out()
            patient.card = contact.card

    def _recognised(self, home: Home, card_no: str, identity: bytes) -> Steps[None]:
        """It is the patient who was prepared for; then they are asked what the list has for them."""
        assert self.device.hpc is not None
        package = recognise(self.bag, card_no, self.office.desk.hpc_id, identity, self.world.clock.now_ns())
        for question in self.lists.questions(package):
            yield self.world.env.timeout(self._pace.question(f"{home.id} {question.id}"))

    def _prescribe(self, home: Home) -> Steps[Issued | None]:
        """Signed at the home; at the data centre when there is a line, else when the team is back. None: nothing can be looked up
        here, and what the patient needs is on no list."""
        listed = self.world.stream("patient", home.patient.key, "listed").random() < self._listed_share
        home.later = not listed and not self.mobile.there
        return None if home.later else (yield from self._write(home, self.device, listed))

    def _write(self, home: Home, place: Workplace, listed: bool) -> Steps[Issued]:
        world, desk = self.world, place.desk
        document = self._document(home, listed)
        issued: Issued = yield from world.perform(
            issue(desk, self.drawer, document, self._hpc), "prescribe", place, visit=home.id, tally=home.tally,
            ended=lambda result: "retried" if result.online else "offline",
        )
        home.issued = issued
        self.trail.note(document.id, "issued", desk.name, "physician", visit=home.id, online=issued.online)
        return issued

    def _document(self, home: Home, listed: bool) -> Prescription:
        """A package of the list, or what the physician has looked up."""
        world, town, patient, registered = self.world, self.site.town, home.patient, home.registered
        assert registered is not None
        rng = world.stream("patient", patient.key, "prescription")
        document = draw_prescription(
            rng, self._mix, draw_kind(rng, self._mix), id=town.drawn("home prescription", home.id)[:16],
            device=town.device_of(patient), card_no=patient.card_no, institution=self.site.institution.code,
            at_ns=world.clock.now_ns(), visit=registered.identifier,
        )
        if not listed:
            return document
        package = world.stream("patient", patient.key, "package").choice(list(self.lists.packages))
        return replace(document, entries=self.lists.entries(package, order(document.kind), document.days))

    # -- back at the institution

    def settle(self) -> Steps[None]:
        """What waits is sent, what was on no list is prescribed; what was wrong is corrected within the day, signed and linked
        (HOM-05)."""
        self.back = True
        self.outbox.wake()
        for home in self.homes:
            if home.later:
                yield from self._write_later(home)
        for home in self.homes:
            rng = self.world.stream("patient", home.patient.key, "correction")
            if home.issued is not None and rng.random() < self._amended_share:
                yield from self._amend(home, home.issued)
        self.outbox.wake()

    def _write_later(self, home: Home) -> Steps[None]:
        """At the institution, for the phone by way of the data centre; a card gets it at the next contact."""
        office, patient = self.office, home.patient
        try:
            issued = yield from self._write(home, office, listed=False)
            if patient.phone is not None:
                left = leave_for_wallet(office.desk, patient.card_no, [issued.filed.signed])
                yield from self.world.perform(left, "leave", office, visit=home.id, tally=home.tally)
        except Ended as e:  # no line and a policy that wants one, or the records are not taken: the patient is called in
            self.trail.note(
                self.site.town.drawn("home prescription", home.id)[:16], "not issued", office.desk.name, "physician",
                visit=home.id, code=e.code,
            )
        self._tell(home, office)

    def _amend(self, home: Home, issued: Issued) -> Steps[None]:
        office = self.office
        try:
            changed = yield from self.world.perform(self._amended(issued), "correct", office, visit=home.id)
        except Ended as e:  # dispensed meanwhile: not changed silently
            self.trail.note(issued.prescription.id, "not amended", office.desk.name, "physician", visit=home.id, code=e.code)
            return
        self.trail.follows(changed.prescription.id, issued.prescription.id)
        self.trail.note(
            changed.prescription.id, "amended", office.desk.name, "physician", visit=home.id, online=changed.online
        )

    def _amended(self, issued: Issued) -> Flow[Issued]:
        desk = self.office.desk
        found = yield from from_centre(desk, self.drawer, id=issued.prescription.id)
        offer: Offer | None = next(iter(found or ()), None)
        if offer is None:
            raise Ended("the prescription is not at the data centre yet", "4061", "cloud")
        rx = offer.standing.rx
        fewer = rx.entries[:-1] or rx.entries
        document = amendment(desk, offer.standing, replace(rx, entries=fewer))
        return (yield from issue(desk, self.drawer, document, self._hpc))

    def _record(self, home: Home) -> None:
        """The visit's row, and its record into the queue when it was begun; one whose prescription comes later waits for that."""
        world, registered = self.world, home.registered
        if not home.later:
            self._tell(home, self.device)
        world.record(visit_row(
            world, home.id, home.patient, home.tally, arrived_ns=home.arrived_ns, outcome=home.outcome, code=home.code,
            sequence=registered.sequence if registered is not None else "",
            online=bool(registered is not None and registered.identifier), booked=True,
        ))

    def _tell(self, home: Home, place: Workplace) -> None:
        registered, now_ns = home.registered, self.world.clock.now_ns()
        if registered is not None:
            enqueue(place.desk, home.id, self._told(home, registered), registered.request.request_id, now_ns, now_ns)

    def _told(self, home: Home, registered: Registered | VirtualRegistered) -> VisitFacts:
        holder, rng = home.patient.holder, self.world.stream("patient", home.patient.key, "fees")
        fee, copay = rng.randrange(900, 2400), rng.choice((50, 100, 150))
        if isinstance(registered, Registered):
            begun = begun_with_card(registered, self.device.desk.sam_id)
        else:
            begun = begun_with_wallet(registered, without_line(home=True, bluetooth=self._reader.medium is Medium.QR_BLE))
        whom = Whom(holder.id_no, holder.birth_date, home.patient.card_no)
        issued = home.issued
        paid = Fees(outpatient=fee, outpatient_copay=copay)
        if issued is not None:
            done = Done((DIAGNOSIS,), paid, prescription=issued.prescription, signatures=tuple(home.signatures))
        elif home.later:
            done = Done((DIAGNOSIS,), paid)
        else:  # the visit came to nothing
            done = Done(diagnoses_of(()), Fees(outpatient=copay, outpatient_copay=copay))
        return consultation(self.site.institution.code, self.office.desk.hpc_id, whom, begun, done)

    # -- who and where

    @property
    def _hpc(self) -> Handle:
        assert self.office.hpc is not None
        return Handle("hpc", True, False, self.office.hpc.atr)

    def _phone(self, home: Home) -> PhoneContact:
        assert home.patient.phone is not None
        return PhoneContact(self.world, self.device, home.patient.phone, self._air, home.id, home.tally)

    def _request(self, home: Home) -> VisitRequest:
        town, when = self.site.town, roc_datetime13(self.world.clock.now_ns())
        return VisitRequest(town.drawn("home request", home.id)[:16], town.drawn("home issue", home.id)[:16], when, HOME_CARE)


def _identity(patient: Patient) -> bytes:
    holder = patient.holder
    return f"{holder.id_no:<10}{holder.birth_roc:<7}".encode("ascii")


def _codes() -> bytes:
    names = ("main_diagnosis", *(f"sub_diagnosis_{i}" for i in range(1, 6)))
    blank = {f"{name}_{part}": b" " for name in names for part in ("lead", "trail")}
    return RECORDS["write_code_icd10"].pack({**blank, "recard_mark": "1", "main_diagnosis": DIAGNOSIS})


__all__ = ["Coverage", "Home", "Pace", "Team"]
