"""Everybody's cards as the data centre has them, and the one way in which a card changes its state.

A person may have one physical card and one virtual card of their own; for a ward, a guardian's phone may hold one more under
each authorization. Each is a *slot*: at most one card in it is valid at any time. The rules of a card's life are
:data:`virtual_devices.lifecycle.LIFE`.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol

from virtual_devices.clock import NS
from virtual_devices.cloud.card_rows import BARRED, CARDS, WIPING, Barred, Card, CardRow, CardsByName, Held, Phone, Wiping
from virtual_devices.cloud.counting import next_number
from virtual_devices.cloud.identification import Act, Given, Identification, Level
from virtual_devices.cloud.journal import Answer, Asker, Journal, Request
from virtual_devices.cloud.places import Places
from virtual_devices.codes import Space
from virtual_devices.lifecycle import NOT_ALLOWED, OK, STATUS, Carrier, Event, FieldCode, Party, Refusal, State, step
from virtual_devices.vhc import MAX_FORMER

NO_SUCH_CARD, WRONG_KEY, ANOTHER_PERSON, STOPPED = (
    FieldCode("9012"), FieldCode("1024", Space.VHC), FieldCode("5020"), FieldCode("9011"),
)
DAY_NS = 86_400 * NS
VALID_DAYS = {Carrier.VIRTUAL: 365, Carrier.PHYSICAL: 10 * 365}
ACTIVATION_DAYS = 30
OPEN = frozenset({State.APPLIED, State.ISSUED, State.ACTIVE, State.SUSPENDED})


class Follower(Protocol):
    """Who must act in the same act when a phone's key comes to its end: the guardians' authorizations."""

    def key_gone(self, request: Request, key: bytes) -> None:
        """The key is lost, or the card of its own holder was recalled."""

    def key_moved(self, request: Request, old: bytes, phone: Phone) -> None:
        """The holder of the key has changed phones."""


class Ledger:
    """The cards, found by name, person and phone."""

    def __init__(self, identification: Identification, places: Places, journal: Journal | None = None) -> None:
        """All over the journal's books."""
        self.identification, self.places = identification, places
        self.journal = journal or Journal()
        self.books = self.journal.books
        self.followers: list[Follower] = []
        self._rows = self.books.shelf(CARDS)
        self._barred = self.books.shelf(BARRED)
        self._wiping = self.books.shelf(WIPING)
        self.cards = CardsByName(self._rows)
        identification.ask_cards(self._keys_of, self._physical_active)

    def bar(self, card_no: str) -> None:
        """The data centre itself has stopped this person's card."""
        self._barred.put(Barred(card_no))

    def unbar(self, card_no: str) -> None:
        self._barred.remove(card_no)

    def barred(self, card_no: str) -> bool:
        return self._barred.get(card_no) is not None

    def of(self, card_no: str) -> list[Card]:
        """A person's cards, as they were made."""
        return self._cards(self._rows.where(card_no=card_no))

    def _cards(self, rows: list[CardRow]) -> list[Card]:
        return [Card(row.name, self._rows) for row in sorted(rows, key=lambda row: row.number)]

    # -- looking

    def own(self, card_no: str, carrier: Carrier = Carrier.VIRTUAL) -> Card | None:
        """The person's own card of that kind that was made last."""
        return next((c for c in reversed(self.of(card_no)) if c.carrier is carrier and c.held is None), None)

    def held(self, authorization: bytes, ward: str) -> Card | None:
        """The ward's card that was made last under an authorization."""
        cards = reversed(self.of(ward))
        return next((c for c in cards if c.held is not None and c.held.authorization == authorization), None)

    def former(self, card: Card) -> list[bytes]:
        """The virtual cards whose place this one took, by what their records name, newest first: the same person's, in the hands
        of the same guardian if any."""
        def hands(one: Card) -> str:
            return "" if one.held is None else one.held.guardian

        before = [c for c in self.of(card.card_no) if c.row.number < card.row.number and c.phone and hands(c) == hands(card)]
        kept = dict.fromkeys(c.holder for c in reversed(before) if c.state is not State.ENDED and c.holder != card.holder)
        return list(kept)[:MAX_FORMER]

    def open_cards(self, card_no: str) -> list[Card]:
        """Everything that bears a person's number and has not come to its end."""
        return [card for card in self.of(card_no) if card.state in OPEN]

    def on_phone(self, phone: Phone | None) -> list[Card]:
        """Every card that was ever put on a phone: its holder's, wards', and other people's who share it."""
        return [] if phone is None else self._cards(self._rows.where(device=phone.device))

    def with_key(self, phone: Phone | None) -> list[Card]:
        """Those of them that are bound to the same key: its holder's own and wards'."""
        return [card for card in self.on_phone(phone) if card.phone == phone]

    def wipe_orders(self, device: bytes) -> tuple[str, ...]:
        """The cards that a phone is to erase, told when it next asks."""
        return tuple([order.name for order in self._wiping.where(device=device)])

    def standing(self, name: str, at_ns: int, key: bytes | None = None) -> FieldCode:
        """Whether the card may be presented now: ``0``, or the code that refuses. ``key``: by which it is presented."""
        card = self.cards.get(name)
        if card is None:
            return NO_SUCH_CARD
        self.settle(card.card_no, at_ns)
        outcome = step(card.state, Event.PRESENT, card.carrier)
        if isinstance(outcome, Refusal):
            return outcome.code
        return WRONG_KEY if key is not None and (card.phone is None or card.phone.key != key) else OK

    def _keys_of(self, card_no: str) -> frozenset[bytes]:
        card = self.own(card_no)
        usable = card is not None and card.state in (State.ACTIVE, State.SUSPENDED)
        return frozenset({card.phone.key}) if usable and card is not None and card.phone is not None else frozenset()

    def _physical_active(self, card_no: str) -> bool:
        card = self.own(card_no, Carrier.PHYSICAL)
        return card is not None and card.state is State.ACTIVE

    # -- changing

    def make(
        self, request: Request, card_no: str, carrier: Carrier, level: Level, phone: Phone | None = None,
        held: Held | None = None, *, active: bool, until_ns: int | None = None,
    ) -> Card:
        """A card, applied for and issued: suspended in the status list until it is activated, which may be in the same act."""
        ends_ns = request.at_ns + VALID_DAYS[carrier] * DAY_NS if until_ns is None else until_ns
        ends_ns = min(ends_ns, held.until_ns) if held else ends_ns
        number = next_number(self.books, "cards")
        name = f"{carrier.name[0]}{number:010d}"
        device, key = (phone.device, phone.key) if phone is not None else (b"", b"")
        self._rows.add(CardRow(
            name, number, card_no, carrier, request.at_ns, ends_ns, level, self.places.draw(), phone, held, device, key,
        ))
        card = Card(name, self._rows)
        self._write(request, card, "apply", level.value)
        self.move(request, card, Event.ISSUE)
        if active:
            self.move(request, card, Event.ACTIVATE)
        return card

    def move(self, request: Request, card: Card, event: Event) -> None:
        """One step of one card's life, written down and published. The caller has asked whether it may be."""
        outcome = step(card.state, event, card.carrier)
        assert not isinstance(outcome, Refusal), outcome.text
        card.change(state=outcome.to, suspended_by=request.asker if outcome.to is State.SUSPENDED else None)
        status = STATUS[card.state]
        if status is not None:
            self.journal.publish(card.place, status)
        if card.phone is not None and card.state in (State.LOST, State.REBOUND, State.RECALLED):
            self._wiping.put(Wiping(card.name, card.phone.device))
        if card.state is State.WIPED:
            self._wiping.remove(card.name)
        self._write(request, card, event.value)

    def move_all(self, request: Request, cards: Collection[Card], event: Event) -> tuple[str, ...]:
        """The event for every card that accepts it. Their names."""
        accepting = [c for c in cards if not isinstance(step(c.state, event, c.carrier), Refusal)]
        for card in accepting:
            self.move(request, card, event)
        return tuple(card.name for card in accepting)

    def end_phone(self, request: Request, phone: Phone, event: Event) -> tuple[str, ...]:
        """The end of a phone's key and of what it was trusted with; a lost phone takes everything on it along."""
        ending = self.on_phone(phone) if event is Event.REPORT_LOST else self.with_key(phone)
        done = self.move_all(request, ending, event)
        for key in dict.fromkeys(card.phone.key for card in ending if card.phone is not None):
            for follower in self.followers:
                follower.key_gone(request, key)
        return done

    def settle(self, card_no: str, at_ns: int) -> None:
        """What the date has done to a person's cards meanwhile."""
        for card in self.of(card_no):
            event = _due(card, at_ns)
            if event is not None:
                self.move(Request(b"", Asker(Party.CLOCK, ""), at_ns), card, event)

    def settle_all(self, at_ns: int) -> None:
        """The same for everybody: expiry by date."""
        for card_no in sorted({row.card_no for row in self._rows}):
            self.settle(card_no, at_ns)

    def _write(self, request: Request, card: Card, what: str, detail: str = "") -> None:
        under = card.held.authorization if card.held else b""
        self.journal.write(request, what, card.card_no, card.name, under, detail)

    # -- rules that several acts share

    def entitled(self, request: Request, card_no: str, given: Given | None, act: Act) -> Level | FieldCode:
        """The level at which the asker is known, if it entitles to the act. Holders ask for themselves only; without any
        information about the person the data centre alone acts, of its own accord."""
        party = request.asker.party
        if party is Party.HOLDER and request.asker.name != card_no:
            return ANOTHER_PERSON
        if party not in (Party.HOLDER, Party.DATA_CENTRE) or (given is not None and given.officer and party is Party.HOLDER):
            return NOT_ALLOWED
        self.settle(card_no, request.at_ns)
        if given is None and party is Party.DATA_CENTRE:
            return Level.COUNTER
        return self.identification.level(card_no, given or Given(), act, request.at_ns)

    def find(self, request: Request, name: str) -> Card | Answer:
        """The card, if it is the asker's business: its holder, the guardian who holds it, its phone, the data centre."""
        card = self.cards.get(name)
        if card is None:
            return Answer(NO_SUCH_CARD, "no such card")
        self.settle(card.card_no, request.at_ns)
        who = request.asker.name
        own = {
            Party.HOLDER: who == card.card_no,
            Party.GUARDIAN: card.held is not None and who == card.held.guardian,
            Party.DEVICE: card.phone is not None and who == card.phone.device.hex(),
            Party.DATA_CENTRE: True,
        }
        return card if own.get(request.asker.party, False) else Answer(ANOTHER_PERSON, "another person's card")

    def phone_refused(self, phone: Phone) -> Answer | None:
        """A card of one's own needs a new key in hardware: no key serves twice, and never one from a phone that was lost."""
        if not phone.attested:
            return Answer(WRONG_KEY, "the key is not attested as hardware")
        return Answer(WRONG_KEY, "the key has had a card before") if self._rows.where(key=phone.key) else None

    def stopped(self, card_no: str, level: Level) -> Answer | None:
        """After the data centre itself suspended or recalled a card, the next one is given at a counter only."""
        if self.barred(card_no) and level is not Level.COUNTER:
            return Answer(STOPPED, "the data centre has stopped this person's card: apply at a counter")
        return None


def _due(card: Card, at_ns: int) -> Event | None:
    if card.state is State.ISSUED and at_ns >= min(card.made_ns + ACTIVATION_DAYS * DAY_NS, card.expires_ns):
        return Event.CLOSE
    return Event.EXPIRE if card.state in (State.ACTIVE, State.SUSPENDED) and at_ns >= card.expires_ns else None


__all__ = ["ACTIVATION_DAYS", "Card", "Follower", "Held", "Ledger", "OPEN", "Phone", "VALID_DAYS"]
