"""A data centre's office for cards, with a few people, in process and timeless: what tests of cards and guardians stand at."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from itertools import count

from virtual_devices.authorization import Scope
from virtual_devices.card.holder import id_number
from virtual_devices.clock import NS
from virtual_devices.cloud.card_ledger import DAY_NS, Card, Ledger, Phone
from virtual_devices.cloud.cards import Cards
from virtual_devices.cloud.guardians import Guardians
from virtual_devices.cloud.identification import CardSession, Given, Identification, Registered
from virtual_devices.cloud.journal import Answer, Asker, Journal, Request
from virtual_devices.cloud.places import Places
from virtual_devices.cloud.restoring import Restoring
from virtual_devices.lifecycle import Carrier, Party, State
from virtual_devices.randomness import ByteStream, digest, stream
from virtual_devices.status_list import Status

from .desk import NOW_NS
from .shelves import fresh_books

ANNA = Registered("000000000001", "陳美玲", id_number("A", "F", 1), date(1988, 5, 4), "F1234567", "0912000001")
BO = Registered("000000000002", "林志明", id_number("B", "M", 2), date(1985, 1, 2), "F7654321", "0912000002")
CHILD = Registered(
    "000000000011", "林心怡", id_number("C", "F", 3), date(2016, 6, 1), "F1234567", parents=frozenset({ANNA.card_no, BO.card_no}),
)
BABY = Registered(
    "000000000012", "林宗翰", id_number("D", "M", 4), date(2024, 2, 29), "F1234567", parents=frozenset({ANNA.card_no}),
)
OLD = Registered("000000000021", "陳文雄", id_number("E", "M", 5), date(1938, 9, 9), "F1111111", "0912000021")
PEOPLE = (ANNA, BO, CHILD, BABY, OLD)
OFFICER = Asker(Party.DATA_CENTRE, "officer 7")


def phone(name: str, *, key: str = "", attested: bool = True) -> Phone:
    return Phone(digest("phone", name)[:8], digest("key", key or name), attested)


def facts(person: Registered) -> Given:
    return Given(id_no=person.id_no, birth_date=person.birth_date, household_no=person.household_no)


def certified(person: Registered) -> Given:
    return Given(id_no=person.id_no, certified_id_no=person.id_no)


def own_phone(person: Registered, of: Phone) -> Given:
    return Given(id_no=person.id_no, bound_key=of.key)


def at_counter(person: Registered) -> Given:
    return Given(id_no=person.id_no, officer=OFFICER.name)


@dataclass
class Office:
    """Cards, guardians and prescriptions over one ledger; everybody has a physical card. ``at_ns`` moves by hand."""

    at_ns: int = NOW_NS
    numbers: count[int] = field(default_factory=lambda: count(1))

    def __post_init__(self) -> None:
        books = fresh_books()
        self.identification = Identification(stream("tests", "codes"), books)
        places = Places("https://status.example/cards", stream("tests", "places"), 2, 4096, books)
        self.ledger = Ledger(self.identification, places, Journal(books))
        self.cards = Cards(self.ledger)
        fresh = ByteStream("tests", "authorizations")
        own = Places("https://status.example/authorizations", stream("tests", "own places"), 1, 4096, books)
        self.guardians = Guardians(self.ledger, own, fresh)
        medicine = frozenset({Scope.MEDICAL, Scope.COLLECT})
        self.restoring = Restoring(self.ledger, lambda held, _: bool(self.guardians.grants[held.authorization].scope & medicine))
        for person in PEOPLE:
            assert self.cards.register(self.officer(), person, self.at_ns + 3650 * DAY_NS).ok

    def request(self, party: Party, name: str) -> Request:
        return Request(next(self.numbers).to_bytes(16, "big"), Asker(party, name), self.at_ns)

    def by(self, person: Registered) -> Request:
        return self.request(Party.HOLDER, person.card_no)

    def guardian(self, person: Registered) -> Request:
        return self.request(Party.GUARDIAN, person.card_no)

    def device(self, of: Phone) -> Request:
        return self.request(Party.DEVICE, of.device.hex())

    def officer(self) -> Request:
        return self.request(OFFICER.party, OFFICER.name)

    def later(self, days: float = 0, seconds: float = 0) -> None:
        self.at_ns += int(days * DAY_NS) + int(seconds * NS)

    def session(self, person: Registered, statement: bytes = b"statement") -> Given:
        return Given(session=CardSession(statement, person.card_no, self.at_ns))

    def reached(self, person: Registered) -> Given:
        known = Given(person.id_no, person.birth_date, person.household_no, person.phone_no)
        code, digits = self.identification.send_code(person.card_no, known, self.at_ns)
        assert code.number == "0"
        return Given(person.id_no, person.birth_date, person.household_no, person.phone_no, digits)

    def card(self, answer: Answer, number: int = 0) -> Card:
        assert answer.ok, (answer.code, answer.text)
        return self.ledger.cards[answer.cards[number]]

    def with_phone(self, person: Registered, of: Phone) -> Card:
        """The person's own virtual card in use on that phone."""
        card = self.card(self.cards.apply(self.by(person), person.card_no, certified(person), of))
        assert self.cards.activate(self.by(person), card.name, of.key).ok
        return card

    def status(self, card: Card) -> Status | None:
        return self.ledger.journal.status(card.place)

    def standing(self, card: Card) -> str:
        return self.ledger.standing(card.name, self.at_ns).number

    def physical(self, person: Registered) -> Card:
        card = self.ledger.own(person.card_no, Carrier.PHYSICAL)
        assert card is not None
        return card

    def in_state(self, state: State, of: Phone) -> Card:
        """Bo's card, brought to a state by the acts that lead there."""
        name = BO.card_no
        if state is State.ISSUED:
            return self.card(self.cards.apply(self.by(BO), name, certified(BO), of))
        if state is State.ENDED:
            card = self.card(self.cards.apply(self.by(BO), name, certified(BO), of))
            self.cards.close(self.by(BO), card.name)
            return card
        card = self.with_phone(BO, of)
        match state:
            case State.SUSPENDED:
                self.cards.suspend(self.by(BO), card.name, own_phone(BO, of))
            case State.LOST:
                self.cards.report_lost(self.by(BO), name, certified(BO))
            case State.REBOUND:
                self.cards.rebind(self.by(BO), name, certified(BO), phone("the next one"))
            case State.RECALLED:
                self.cards.recall(self.by(BO), card.name, certified(BO))
            case State.EXPIRED:
                self.later(days=366)
                self.standing(card)
            case State.WIPED:
                self.cards.report_lost(self.by(BO), name, certified(BO))
                self.cards.wiped(self.device(of), card.name)
        assert card.state is state
        return card
