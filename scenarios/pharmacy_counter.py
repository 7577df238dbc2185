"""What is done at a pharmacy's counter: prescriptions found, checked, dispensed and signed for, on a card or a phone; doubts
asked and waited for; what the line does not carry now, told later."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import simpy

from scenarios.outbox import Outbox
from scenarios.phones import PhoneContact
from scenarios.runner import Steps, T
from scenarios.site import Site
from scenarios.town import Patient
from scenarios.trail import Trail
from scenarios.world import CardContact, Tally, Workplace
from virtual_devices.authorization import Purpose
from virtual_devices.clock import NS
from virtual_devices.flow import Flow
from virtual_devices.institution.signing import sign_with_sam
from virtual_devices.institution.told import Whom, dispensing
from virtual_devices.institution.uploads import enqueue
from virtual_devices.prescription.acts import Query
from virtual_devices.prescription.recipient import Written
from virtual_devices.prescription.states import State
from virtual_devices.radio import Field
from virtual_devices.reader.dispensing import Dispensed, dispense, give_back, query, receive
from virtual_devices.reader.prescription_desk import Drawer
from virtual_devices.reader.prescription_offers import Offer, from_card, from_centre, from_wallet
from virtual_devices.reader.prescription_wallet import Stored, leave_for_wallet, put_on_wallet
from virtual_devices.reader.presentation import Counter
from virtual_devices.reader.transmit import Ended, Handle
from virtual_devices.uploads.facts import Fees, VisitFacts
from virtual_devices.wallet.consent import Use

NO_LINE, NOTHING_TO_DISPENSE = "4061", "D049"
OPEN_STATES = frozenset({State.ISSUED, State.PARTLY})
Answered = Callable[[Query], simpy.Event]
"""Who answers a query, behind the scene: an event that comes when they have."""


@dataclass(slots=True)
class Visitor:
    """Somebody at the pharmacy. ``doubtful``: the pharmacist will have a question."""

    id: str
    patient: Patient
    arrived_ns: int
    doubtful: bool = False
    tally: Tally = field(default_factory=Tally)
    dispensed: Dispensed | None = None
    returned: bool = False  # nobody signed for it: it came back
    recorded: bool = False
    told: VisitFacts | None = None
    signed: Stored | None = None  # the phone's receipt for the dispensing
    outcome: str = "served"
    code: str = "0"


class PharmacyCounter:
    """The acts at the counters of one pharmacy in one replication."""

    def __init__(self, site: Site, drawer: Drawer, trail: Trail, field: Field, outbox: Outbox) -> None:
        self.world, self.site, self.drawer, self.trail, self.outbox = site.world, site, drawer, trail, outbox
        self._field = field
        self._counter = Counter(purpose=Purpose.PHARMACY)

    # -- reception

    def receive(self, visitor: Visitor, place: Workplace, answered: Answered) -> Steps[None]:
        """Find what there is to dispense, ask what is doubtful, dispense, and put the dispensing onto the phone: it takes what
        those sign who stand before it, so this is done where it was signed. Raises Ended with the code that sends one away."""
        offer = yield from self._offer(visitor, place)
        self.trail.note(offer.root, "read", place.desk.name, "pharmacist", visit=visitor.id, online=offer.online)
        if visitor.doubtful:
            offer = yield from self._doubt(visitor, place, offer, answered)
        visitor.dispensed = yield from self._dispense(visitor, place, offer)
        if visitor.patient.phone is not None:
            visitor.signed = yield from self._taking_back(visitor, place, self._onto_phone(visitor, place, visitor.dispensed))

    def _offer(self, visitor: Visitor, place: Workplace) -> Steps[Offer]:
        """The first prescription that may be dispensed: from the device, else from the data centre."""
        hpc, desk = self._hpc(place), place.desk
        if visitor.patient.phone is not None:
            _, found = yield from self._phone(visitor, place).run(
                "find prescriptions", lambda: from_wallet(desk, self.drawer, self._counter, hpc), Use.DISPENSING
            )
            chosen = self._open(found)
            if chosen is not None:
                return chosen
            asked = yield from self._flow("find prescriptions", visitor, place, self._ask_centre(visitor, place))
        else:
            contact = self._card(visitor, place)
            try:
                on_card = yield from contact.run("find prescriptions", lambda _: from_card(desk, self.drawer, hpc))
            finally:
                contact.take_out()
                visitor.patient.card = contact.card
            asked = on_card.offers
        if asked is None:
            raise Ended("the prescription is at the data centre, and there is no line", NO_LINE, "cloud")
        chosen = self._open(asked)
        if chosen is None:
            raise Ended("nothing to dispense", NOTHING_TO_DISPENSE, "his")
        return chosen

    def _ask_centre(self, visitor: Visitor, place: Workplace) -> Flow[list[Offer] | None]:
        return (yield from from_centre(place.desk, self.drawer, card_no=visitor.patient.card_no))

    def _open(self, found: list[Offer]) -> Offer | None:
        now_ns = self.world.clock.now_ns()
        usable = [one for one in found if one.standing.rx.released and one.standing.state(now_ns) in OPEN_STATES]
        return min(usable, key=lambda one: (one.standing.rx.issued_ns, one.root), default=None)

    # -- doubts

    def _doubt(self, visitor: Visitor, place: Workplace, offer: Offer, answered: Answered) -> Steps[Offer]:
        """Ask the physician, wait for the answer, look at what stands now. Without a line the doubt cannot be asked (4061)."""
        hpc, desk = self._hpc(place), place.desk
        asked = yield from self._flow("doubt", visitor, place, query(desk, self.drawer, offer, hpc, "dose?", (1,)))
        self.trail.note(offer.root, "doubted", desk.name, "pharmacist", visit=visitor.id)
        yield answered(asked)
        found = yield from self._flow("doubt", visitor, place, from_centre(desk, self.drawer, id=offer.root))
        now = next((one for one in found or () if one.root == offer.root), None)
        if now is None:
            raise Ended("the answer is at the data centre, and there is no line", NO_LINE, "cloud")
        self.trail.note(offer.root, "answered", desk.name, "physician", visit=visitor.id)
        return now

    # -- dispensing

    def _dispense(self, visitor: Visitor, place: Workplace, offer: Offer) -> Steps[Dispensed]:
        desk = place.desk
        done: Dispensed = yield from self._flow(
            "dispense", visitor, place, dispense(desk, self.drawer, offer, self._hpc(place)),
            ended=lambda result: "retried" if result.online else "offline",
        )
        self.trail.note(offer.root, "dispensed", desk.name, "pharmacist", visit=visitor.id, online=done.online)
        self.outbox.wake()
        told = self._told(visitor, place, done)
        if visitor.patient.card is not None:  # the SAM has just known it
            told = yield from self._flow("sign", visitor, place, sign_with_sam(desk, told))
        visitor.told = told
        return done

    def _told(self, visitor: Visitor, place: Workplace, done: Dispensed) -> VisitFacts:
        holder, rng = visitor.patient.holder, self.world.stream("patient", visitor.patient.key, "dispensing fee")
        whom = Whom(holder.id_no, holder.birth_date, visitor.patient.card_no)
        at_ns, fees = visitor.arrived_ns // NS * NS, Fees(outpatient=rng.randrange(60, 900))
        return dispensing(self.site.institution.code, place.desk.hpc_id, whom, at_ns, done, fees)

    def hand_over(self, visitor: Visitor, place: Workplace) -> Steps[None]:
        """The recipient's signature where there must be one, and the visit's record into the queue."""
        done = visitor.dispensed
        assert done is not None
        if done.needs_recipient:
            yield from self._taking_back(visitor, place, self._signed_for(visitor, place, done))
        self.recorded(visitor, place)

    def _taking_back(self, visitor: Visitor, place: Workplace, steps: Steps[T]) -> Steps[T]:
        """A controlled drug that nobody signs for does not leave: its issue is free again."""
        try:
            return (yield from steps)
        except Ended:
            done = visitor.dispensed
            assert done is not None
            if done.needs_recipient:
                yield from self._flow("take back", visitor, place, give_back(place.desk, self.drawer, done, self._hpc(place)))
                self.trail.note(done.offer.root, "taken back", place.desk.name, "pharmacist", visit=visitor.id)
                visitor.returned = True
            else:
                self.recorded(visitor, place)
            raise

    def _signed_for(self, visitor: Visitor, place: Workplace, done: Dispensed) -> Steps[None]:
        paper = Written(visitor.patient.holder.name, self.site.town.drawn("signature", visitor.id))
        signed, hpc = visitor.signed, self._hpc(place)
        evidence, former = (paper.evidence(), frozenset()) if signed is None else (signed.evidence, signed.former)
        sent = yield from self._flow(
            "sign for", visitor, place, receive(place.desk, self.drawer, done, evidence, hpc, former)
        )
        self.trail.note(done.offer.root, "received", place.desk.name, "recipient", visit=visitor.id, online=sent.ok)

    def _onto_phone(self, visitor: Visitor, place: Workplace, done: Dispensed) -> Steps[Stored | None]:
        """None when it could not be held to the reader long enough: then it waits at the data centre for the phone."""
        desk, hpc, patient = place.desk, self._hpc(place), visitor.patient
        batch = self.site.town.drawn("dispensing", visitor.id)[:16]
        try:
            stored = yield from self._phone(visitor, place).run(
                "write back", lambda: put_on_wallet(desk, self._counter, patient.card_no, [done.filed.signed], batch, hpc),
                Use.DISPENSING,
            )
        except Ended as e:
            if done.needs_recipient or not e.torn:
                raise
            yield from self._flow("leave", visitor, place, leave_for_wallet(desk, patient.card_no, [done.filed.signed]))
            return None
        self.trail.note(done.offer.root, "on phone", desk.name, "pharmacist", visit=visitor.id, online=done.online)
        return stored

    def recorded(self, visitor: Visitor, place: Workplace) -> None:
        """The visit's record, queued once: of those alone to whom something was dispensed, and who have it."""
        now_ns = self.world.clock.now_ns()
        if visitor.told is None or visitor.recorded:
            return
        visitor.recorded = True
        enqueue(place.desk, visitor.id, visitor.told, self.site.town.drawn("record", visitor.id)[:16], now_ns, now_ns)
        self.outbox.wake()

    # -- who and where

    def _flow(
        self, name: str, visitor: Visitor, place: Workplace, flow: Flow[T], ended: Callable[[T], str] = lambda _: "retried",
    ) -> Steps[T]:
        return (
            yield from self.world.perform(flow, name, place, visit=visitor.id, tally=visitor.tally, ended=ended)
        )

    def _hpc(self, place: Workplace) -> Handle:
        assert place.hpc_handle is not None
        return place.hpc_handle

    def _phone(self, visitor: Visitor, place: Workplace) -> PhoneContact:
        assert visitor.patient.phone is not None
        return PhoneContact(self.world, place, visitor.patient.phone, self._field, visitor.id, visitor.tally)

    def _card(self, visitor: Visitor, place: Workplace) -> CardContact:
        assert visitor.patient.card is not None
        return CardContact(self.world, place, visitor.patient.card, visitor.id, visitor.tally)


__all__ = ["Answered", "PharmacyCounter", "Visitor"]
