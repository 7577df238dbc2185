"""What people may ask the data centre to do with their cards: apply, activate, re-bind, report lost, suspend, recall.

No bytes but ids, no signatures: what was proven, the protocol round this has verified. Every act is all or nothing, carries
the asker's id for it, and answers with the changes of status to be published; online they hold at once.
"""

from __future__ import annotations

from virtual_devices.cloud.card_ledger import NO_SUCH_CARD, OPEN, WRONG_KEY, Card, Ledger, Phone
from virtual_devices.cloud.identification import LEVELS, Act, Given, Level, Registered
from virtual_devices.cloud.journal import Answer, Request
from virtual_devices.codes import Space
from virtual_devices.lifecycle import NOT_ALLOWED, Carrier, Event, FieldCode, Party, Refusal, State, step

NOT_LATER = FieldCode("1059", Space.VHC)
BOTH = frozenset(Carrier)


class Cards:
    """The acts, over one ledger."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.journal = ledger.journal

    # -- having a card

    def register(self, request: Request, person: Registered, physical_until_ns: int | None = None) -> Answer:
        """Take a person in from the registers, with the physical card that they have (None: none)."""
        return self.journal.once(
            request, ("register", person, physical_until_ns), lambda: self._register(request, person, physical_until_ns),
        )

    def _register(self, request: Request, person: Registered, until_ns: int | None) -> Answer:
        if request.asker.party is not Party.DATA_CENTRE:
            return Answer(NOT_ALLOWED, "people are registered by the data centre")
        self.ledger.identification.people[person.card_no] = person
        self.journal.write(request, "register", person.card_no)
        if until_ns is None or self.ledger.own(person.card_no, Carrier.PHYSICAL) is not None:
            return Answer()
        card = self.ledger.make(request, person.card_no, Carrier.PHYSICAL, Level.COUNTER, active=True, until_ns=until_ns)
        return Answer(cards=(card.name,))

    def apply(self, request: Request, card_no: str, given: Given, phone: Phone) -> Answer:
        """A first virtual card, or one after the last has come to its end: issued, and of use once :meth:`activate` is done.

        An application by facts, which family and thieves know, gives way to one by a proof that may also activate.
        """
        return self.journal.once(request, ("apply", card_no, given, phone), lambda: self._apply(request, card_no, given, phone))

    def _apply(self, request: Request, card_no: str, given: Given, phone: Phone) -> Answer:
        level = self.ledger.entitled(request, card_no, given, Act.APPLY)
        if isinstance(level, FieldCode):
            return Answer(level)
        if refused := self.ledger.phone_refused(phone) or self.ledger.stopped(card_no, level):
            return refused
        last = self.ledger.own(card_no)
        if last is not None and last.state is State.ISSUED and _may_activate(level) and not _may_activate(last.level):
            self.ledger.move(request, last, Event.CLOSE)
        elif last is not None and last.state in OPEN:
            outcome = step(last.state, Event.ISSUE)
            assert isinstance(outcome, Refusal)
            return Answer(outcome.code, outcome.text, (last.name,))
        self.ledger.unbar(card_no)
        card = self.ledger.make(request, card_no, Carrier.VIRTUAL, level, phone, active=False)
        return Answer(cards=(card.name,))

    def activate(
        self, request: Request, name: str, key: bytes = b"", given: Given | None = None, code_key: bytes = b"",
    ) -> Answer:
        """The phone has its credential and answers with its key, or the chip has come. Who applied at a level that does not
        entitle to it gives a better proof now. ``code_key``: the id of the key that wraps the card's codes."""
        content = "activate", name, key, given, code_key
        return self.journal.once(request, content, lambda: self._activate(request, name, key, given))

    def _activate(self, request: Request, name: str, key: bytes, given: Given | None) -> Answer:
        card = self._found(request, name, Event.ACTIVATE)
        if isinstance(card, Answer):
            return card
        if card.phone is not None and card.phone.key != key:
            return Answer(WRONG_KEY, "the card is bound to another key")
        if given is not None or not _may_activate(card.level):
            level = self.ledger.entitled(request, card.card_no, given or Given(), Act.ACTIVATE)
            if isinstance(level, FieldCode):
                return Answer(level)
            card.change(level=level)
        self.ledger.move(request, card, Event.ACTIVATE)
        return Answer(cards=(name,))

    # -- another phone, another chip

    def rebind(self, request: Request, card_no: str, given: Given, phone: Phone) -> Answer:
        """A new phone: its card is valid and the old one's is not, in this act. Wards' cards on the old phone move along.

        ``cards`` of the answer: the new one, the old one.
        """
        return self.journal.once(
            request, ("rebind", card_no, given, phone), lambda: self._rebind(request, card_no, given, phone),
        )

    def _rebind(self, request: Request, card_no: str, given: Given, phone: Phone) -> Answer:
        level = self.ledger.entitled(request, card_no, given, Act.REBIND)
        if isinstance(level, FieldCode):
            return Answer(level)
        old = self._replaceable(card_no, Carrier.VIRTUAL, Event.REPLACE)
        if isinstance(old, Answer):
            return old
        if refused := self.ledger.phone_refused(phone) or self.ledger.stopped(card_no, level):
            return refused
        return Answer(cards=(self._bind_anew(request, old, level, phone).name, old.name))

    def _bind_anew(self, request: Request, old: Card, level: Level, phone: Phone) -> Card:
        self.ledger.unbar(old.card_no)
        self.ledger.move(request, old, Event.REPLACE)
        new = self.ledger.make(request, old.card_no, Carrier.VIRTUAL, level, phone, active=True)
        if old.phone is not None:
            for follower in self.ledger.followers:
                follower.key_moved(request, old.phone.key, phone)
            self.ledger.move_all(request, self.ledger.with_key(old.phone), Event.RECALL)  # what no authorization carries over
        return new

    def replace_physical(self, request: Request, card_no: str, given: Given) -> Answer:
        """A chip for one lost, damaged or expired, or for none: active when handed over at a counter, else once it has come."""
        return self.journal.once(
            request, ("replace physical", card_no, given), lambda: self._replace_chip(request, card_no, given),
        )

    def _replace_chip(self, request: Request, card_no: str, given: Given) -> Answer:
        level = self.ledger.entitled(request, card_no, given, Act.REISSUE)
        if isinstance(level, FieldCode):
            return Answer(level)
        if refused := self.ledger.stopped(card_no, level):
            return refused
        old = self._replaceable(card_no, Carrier.PHYSICAL, Event.REPLACE)
        last = self.ledger.own(card_no, Carrier.PHYSICAL)
        if isinstance(old, Answer) and last is not None and last.state in OPEN:
            return old
        if isinstance(old, Card):
            self.ledger.move(request, old, Event.REPLACE)
        return Answer(cards=(self._new_chip(request, card_no, level).name,))

    def _new_chip(self, request: Request, card_no: str, level: Level) -> Card:
        self.ledger.unbar(card_no)
        return self.ledger.make(request, card_no, Carrier.PHYSICAL, level, active=level is Level.COUNTER)

    def reissue_both(self, request: Request, card_no: str, given: Given, phone: Phone) -> Answer:
        """One application after losing both: the old ones end, a new chip is made, the new phone's card is valid at once.

        ``cards`` of the answer: the new virtual card, the new chip.
        """
        return self.journal.once(
            request, ("re-issue both", card_no, given, phone), lambda: self._reissue_both(request, card_no, given, phone),
        )

    def _reissue_both(self, request: Request, card_no: str, given: Given, phone: Phone) -> Answer:
        level = self.ledger.entitled(request, card_no, given, Act.REISSUE)
        if isinstance(level, FieldCode):
            return Answer(level)
        chip = self._replaceable(card_no, Carrier.PHYSICAL, Event.REPORT_LOST)
        if isinstance(chip, Answer):
            return chip
        old = self._replaceable(card_no, Carrier.VIRTUAL, Event.REPORT_LOST)
        if isinstance(old, Answer):
            return old
        if refused := self.ledger.stopped(card_no, level) or self.ledger.phone_refused(phone):
            return refused
        self._end(request, [chip, old], Event.REPORT_LOST)
        self.ledger.move(request, chip, Event.REPLACE)
        new = self._bind_anew(request, old, level, phone)
        return Answer(cards=(new.name, self._new_chip(request, card_no, level).name))

    def _replaceable(self, card_no: str, carrier: Carrier, event: Event) -> Card | Answer:
        """The person's own card, if it is lost already or accepts the event."""
        card = self.ledger.own(card_no, carrier)
        if card is None:
            return Answer(NO_SUCH_CARD, f"there is no {carrier.value} card")
        outcome = step(card.state, event, carrier)
        if isinstance(outcome, Refusal) and card.state is not State.LOST:
            return Answer(outcome.code, outcome.text)
        return card

    # -- ending

    def report_lost(
        self, request: Request, card_no: str, given: Given | None, what: frozenset[Carrier] = frozenset({Carrier.VIRTUAL}),
    ) -> Answer:
        """Lost: refused online from now on, invalid in the status list, everything on the phone with it, wards' cards too."""
        return self.journal.once(
            request, ("report lost", card_no, given, what), lambda: self._report_lost(request, card_no, given, what),
        )

    def _report_lost(self, request: Request, card_no: str, given: Given | None, what: frozenset[Carrier]) -> Answer:
        level = self.ledger.entitled(request, card_no, given, Act.REPORT_LOST)
        if isinstance(level, FieldCode):
            return Answer(level)
        lost = []
        for carrier in sorted(what, key=lambda one: one.value):
            card = self.ledger.own(card_no, carrier)
            if card is None:
                return Answer(NO_SUCH_CARD, f"there is no {carrier.value} card")
            outcome = step(card.state, Event.REPORT_LOST, carrier, request.asker.party)
            if isinstance(outcome, Refusal):
                return Answer(outcome.code, outcome.text)
            lost.append(card)
        names = self._end(request, lost, Event.REPORT_LOST)
        return Answer(cards=names)

    def recall(self, request: Request, name: str, given: Given | None = None, why: str = "") -> Answer:
        """Given up by its holder, or taken back by the data centre (then the next is given at a counter only)."""
        return self.journal.once(request, ("recall", name, given, why), lambda: self._recall(request, name, given, why))

    def _recall(self, request: Request, name: str, given: Given | None, why: str) -> Answer:
        card = self._asked(request, name, given, Act.RECALL, Event.RECALL)
        if isinstance(card, Answer):
            return card
        if request.asker.party is Party.DATA_CENTRE and given is None:
            self.ledger.bar(card.card_no)
        self.journal.write(request, "recall asked", card.card_no, name, detail=why)
        return Answer(cards=self._end(request, [card], Event.RECALL))

    def _end(self, request: Request, cards: list[Card], event: Event) -> tuple[str, ...]:
        """The end of these cards. When it is the own card of a phone's holder, of all on that phone."""
        done: list[str] = []
        for card in cards:
            if card.held is None and card.phone is not None:
                done += self.ledger.end_phone(request, card.phone, event)
            else:
                done += self.ledger.move_all(request, [card], event)
        return tuple(done)

    def wiped(self, request: Request, name: str) -> Answer:
        """The phone has erased the card, or the chip came back and was destroyed."""
        return self._simple(request, name, Event.WIPE, "wiped")

    def close(self, request: Request, name: str) -> Answer:
        """An application withdrawn before the card was activated."""
        return self._simple(request, name, Event.CLOSE, "close")

    def _simple(self, request: Request, name: str, event: Event, what: str) -> Answer:
        def act() -> Answer:
            card = self._found(request, name, event)
            if isinstance(card, Answer):
                return card
            self.ledger.move(request, card, event)
            return Answer(cards=(name,))

        return self.journal.once(request, (what, name), act)

    # -- for a while

    def suspend(self, request: Request, name: str, given: Given | None = None) -> Answer:
        """For a while: a phone mislaid, or a doubt of the data centre's. Wards' cards of the same key with it."""
        return self.journal.once(request, ("suspend", name, given), lambda: self._suspend(request, name, given))

    def _suspend(self, request: Request, name: str, given: Given | None) -> Answer:
        card = self._asked(request, name, given, Act.SUSPEND, Event.SUSPEND)
        if isinstance(card, Answer):
            return card
        if request.asker.party is Party.DATA_CENTRE and given is None:
            self.ledger.bar(card.card_no)
        whole = self.ledger.with_key(card.phone) if card.held is None else [card]
        return Answer(cards=self.ledger.move_all(request, whole, Event.SUSPEND))

    def resume(self, request: Request, name: str, given: Given | None = None) -> Answer:
        """By who suspended it, or by the data centre."""
        return self.journal.once(request, ("resume", name, given), lambda: self._resume(request, name, given))

    def _resume(self, request: Request, name: str, given: Given | None) -> Answer:
        card = self._asked(request, name, given, Act.RESUME, Event.RESUME)
        if isinstance(card, Answer):
            return card
        by = card.suspended_by
        if request.asker.party is not Party.DATA_CENTRE and by != request.asker:
            return Answer(NOT_ALLOWED, "suspended by the data centre")
        if request.asker.party is Party.DATA_CENTRE:
            self.ledger.unbar(card.card_no)
        whole = self.ledger.with_key(card.phone) if card.held is None else [card]
        return Answer(cards=self.ledger.move_all(request, [c for c in whole if c.suspended_by == by], Event.RESUME))

    def lift(self, request: Request, card_no: str) -> Answer:
        """The data centre's stop is over: the person may apply again in every way, and guardians may hold their card again."""
        def act() -> Answer:
            if request.asker.party is not Party.DATA_CENTRE:
                return Answer(NOT_ALLOWED, "the data centre stopped it, and lifts it")
            self.ledger.unbar(card_no)
            self.journal.write(request, "lift", card_no)
            return Answer()

        return self.journal.once(request, ("lift", card_no), act)

    def renew(self, request: Request, name: str, until_ns: int) -> Answer:
        """A later end: of a chip by a card update, of a virtual card with its credential made anew. Insurance is the caller's."""
        return self.journal.once(request, ("renew", name, until_ns), lambda: self._renew(request, name, until_ns))

    def _renew(self, request: Request, name: str, until_ns: int) -> Answer:
        card = self._found(request, name, Event.RENEW)
        if isinstance(card, Answer):
            return card
        until_ns = min(until_ns, card.held.until_ns) if card.held else until_ns
        if until_ns <= max(card.expires_ns, request.at_ns):
            return Answer(NOT_LATER, "that is no later end")
        card.change(expires_ns=until_ns)
        self.ledger.move(request, card, Event.RENEW)
        return Answer(cards=(name,))

    # -- finding the card of an act

    def _found(self, request: Request, name: str, event: Event) -> Card | Answer:
        """The asker's card, if its state accepts the event from them."""
        card = self.ledger.find(request, name)
        if isinstance(card, Answer):
            return card
        outcome = step(card.state, event, card.carrier, request.asker.party)
        return Answer(outcome.code, outcome.text) if isinstance(outcome, Refusal) else card

    def _asked(self, request: Request, name: str, given: Given | None, act: Act, event: Event) -> Card | Answer:
        card = self._found(request, name, event)
        if isinstance(card, Answer):
            return card
        level = self.ledger.entitled(request, card.card_no, given, act)
        return Answer(level) if isinstance(level, FieldCode) else card


def _may_activate(level: Level) -> bool:
    return Act.ACTIVATE in LEVELS[level].may


__all__ = ["BOTH", "Cards"]
