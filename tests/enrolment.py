"""Phones before the data centre, in messages: an office with people and registers, and the app on a phone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import pytest

from virtual_devices import cose
from virtual_devices.authorization import Purpose, Relation, Scope
from virtual_devices.clock import VirtualClock
from virtual_devices.cloud.guardians import Ground, Wish
from virtual_devices.cloud.identification import Registered
from virtual_devices.cloud.issuer import CardHolder, CardIssuer, portrait
from virtual_devices.cloud.office import Office
from virtual_devices.cloud.phone_messages import phone_request, proof_payload
from virtual_devices.cloud.phone_service import PhoneService
from virtual_devices.flow import Flow, PromptPeople, Session, run
from virtual_devices.link import DirectLink, Link
from virtual_devices.pki import DAY_NS, Role
from virtual_devices.randomness import ByteStream
from virtual_devices.wallet import app
from virtual_devices.wallet.app import App, Refusal
from virtual_devices.wallet.attestation import PhoneMaker
from virtual_devices.wallet.phone import Phone

from . import card_office
from .card_office import ANNA, CHILD
from .desk import AUTHORITY, NOW_NS
from .wallets import PHONE_PIN

MAKER = PhoneMaker("tests", NOW_NS)
EASY = {"allergies": ["PENICILLIN"], "critical_illness": [], "inoculations": [], "donation_mark": "A"}


def holder_of(person: Registered) -> CardHolder:
    sex = "F" if person.id_no[1] == "2" else "M"
    return CardHolder(
        person.card_no, person.name, person.id_no, person.birth_date, sex, date(2026, 1, 1), date(2031, 1, 1), portrait(sex, 40),
        medical=EASY,
    )


def facts(person: Registered) -> dict[str, Any]:
    return {"id_no": person.id_no, "birth_date": person.birth_date.isoformat(), "household_no": person.household_no}


@dataclass
class Town:
    """The data centre's office with everybody of ``card_office`` in its registers, and as many phones as wanted."""

    clock: VirtualClock = field(default_factory=lambda: VirtualClock(NOW_NS))
    counted: int = 0  # tickets

    def __post_init__(self) -> None:
        domain = self.domain = card_office.Office()
        holders = {person.card_no: holder_of(person) for person in card_office.PEOPLE}
        self.issuer = CardIssuer(AUTHORITY, "town")
        self.office = Office(
            domain.cards, domain.guardians, domain.restoring, self.issuer, holders, AUTHORITY.root_der, MAKER.root_der,
            ByteStream("town", "challenges"),
        )
        self.service = PhoneService(self.office)

    def app(self, name: str, *, hardware: bool = True) -> App:
        made = Phone("town", name, AUTHORITY.root_der, maker=MAKER.batch(1) if hardware else None)
        made.start(self.clock.now_ns())
        made.format()
        assert made.holder.set_pin(PHONE_PIN, self.clock.now_ns())
        return App(made, self.clock)

    def link(self) -> Link:
        return DirectLink(self.service, self.clock, channel="network")

    def run(self, flow: Flow[Any], link: Link | None = None) -> Any:
        return run(flow, Session({"issuer": link or self.link()}, self.clock, PromptPeople({})))

    def ask(self, of: App, operation: str, arguments: dict[str, Any], number: bytes) -> tuple[str, dict[str, Any]]:
        """Code and body of the answer to a request with that number, signed now by this phone: sent anew as often as wanted."""
        keystore, now_ns = of.phone.keystore, self.clock.now_ns()
        raw = phone_request(
            operation, number, keystore.public_key(of.key), lambda m: keystore.sign(of.key, m), arguments, now_ns,
        )
        payload = cose.decode(self.service.handle(raw, now_ns)).payload_map()
        assert payload is not None
        return payload[8], dict(payload[9])

    def certificate(self, person: Registered, of: App, operation: str) -> dict[str, Any]:
        """Identified by a citizen certificate, for this operation, over this phone's challenge."""
        challenge = self.run(app.call(of, "challenge", {}))["challenge"]
        citizen = AUTHORITY.issue(Role.CITIZEN, person.id_no)
        signed = cose.sign1(citizen.key, proof_payload(operation, person.card_no, challenge), {cose.X5CHAIN: list(citizen.chain)})
        return {"id_no": person.id_no, "certificate": signed}

    def enrolled(self, person: Registered, name: str) -> tuple[App, str]:
        """A phone with the person's card, by way of an officer's ticket."""
        of = self.app(name)
        card = self.run(app.apply(of, person.card_no, self.ticket(person)))
        self.run(app.activate(of, card, self.ticket(person)))
        return of, card

    def ticket(self, person: Registered) -> dict[str, Any]:
        """In person at a counter: the officer has seen a document."""
        self.counted += 1
        number = f"T{self.counted:04d}{person.card_no}"
        self.office.tickets[number] = (person.card_no, card_office.OFFICER.name)
        return {"id_no": person.id_no, "ticket": number}

    def statuses(self) -> Iterator[bytes]:
        """Status lists as published now."""
        journal = self.domain.ledger.journal
        places = {change.place: change.status for change in journal.changes}
        yield from self.issuer.status_lists(places, self.clock.now_ns(), 4096).values()


def refused(town: Town, flow: Any) -> Refusal:
    with pytest.raises(Refusal) as end:
        town.run(flow)
    return end.value


def certified_by(town: Town, of: App, operation: str) -> dict[str, Any]:
    return town.certificate(ANNA, of, operation)


def wish(scope: frozenset[Scope] = frozenset({Scope.BASIC, Scope.MEDICAL, Scope.WRITE}), days: int = 300) -> Wish:
    return Wish(
        CHILD.card_no, ANNA.card_no, Relation.PARENT, Ground.PARENT, scope, Purpose.CARE, NOW_NS, NOW_NS + days * DAY_NS,
        card_office.certified(ANNA),
    )
