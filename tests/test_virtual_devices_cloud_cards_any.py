"""Any history of people, phones and guardians: one valid card in a slot, what is revoked stays so, and every answer once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from itertools import count

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from virtual_devices.authorization import Purpose, Relation, Scope
from virtual_devices.cloud.card_ledger import DAY_NS, Card, Phone
from virtual_devices.cloud.card_rows import CARDS
from virtual_devices.cloud.guardians import Ground, Wish
from virtual_devices.cloud.identification import Given, Registered
from virtual_devices.cloud.journal import Answer, Request
from virtual_devices.lifecycle import REVOKED, Carrier, State
from virtual_devices.status_list import Status

from .card_office import ANNA, BO, CHILD, Office, at_counter, certified, facts, phone

PEOPLE = st.sampled_from([ANNA, BO])
PROOFS: st.SearchStrategy[Callable[[Registered], Given]] = st.sampled_from([certified, at_counter, facts])
WHAT = st.sampled_from([frozenset({Carrier.VIRTUAL}), frozenset({Carrier.PHYSICAL}), frozenset(Carrier)])


class AnyHistory(RuleBasedStateMachine):
    """Acts in any order, most of them out of place. What is asserted must hold after each."""

    def __init__(self) -> None:
        super().__init__()
        self.office = Office()
        self.phones = count()
        self.done: list[tuple[Callable[[], Answer], Answer]] = []
        self.revoked: set[str] = set()
        self.lost: set[str] = set()
        self.seen = 0

    def act(self, act: Callable[[], Answer]) -> Answer:
        answer = act()
        self.done.append((act, answer))
        if not answer.ok:
            assert answer.changes == () and answer.code.code.known
        return answer

    def asker(self, person: Registered, proof: Callable[[Registered], Given]) -> Request:
        return self.office.officer() if proof is at_counter else self.office.by(person)

    def any_phone(self, shared: bool) -> Phone:
        number = next(self.phones)
        return phone("shared" if shared else f"phone {number}", key=f"key {number}")

    def own(self, person: Registered) -> Card | None:
        return self.office.ledger.own(person.card_no)

    @initialize(who=st.sets(PEOPLE), wards=st.sets(PEOPLE))
    def begin_in_use(self, who: set[Registered], wards: set[Registered]) -> None:
        """Histories that start in the middle: people with cards, a child with a card on their phones."""
        for person in sorted(who | wards, key=lambda one: one.card_no):
            self.office.with_phone(person, self.any_phone(False))
        for guardian in sorted(wards, key=lambda one: one.card_no):
            self.grant(guardian, 300)
            request, cti, own = self.office.guardian(guardian), self.done[-1][1].authorization, self.own(guardian)
            assert own is not None and own.phone is not None
            at = own.phone
            assert self.act(partial(self.office.guardians.hold, request, cti, at)).ok

    # -- what people do

    @rule(person=PEOPLE, proof=PROOFS, shared=st.booleans())
    def apply(self, person: Registered, proof: Callable[[Registered], Given], shared: bool) -> None:
        request, new = self.asker(person, proof), self.any_phone(shared)
        self.act(lambda: self.office.cards.apply(request, person.card_no, proof(person), new))

    @rule(person=PEOPLE, proof=PROOFS | st.none())
    def activate(self, person: Registered, proof: Callable[[Registered], Given] | None) -> None:
        card = self.own(person)
        if card is None or card.phone is None:
            return
        request = self.office.by(person) if proof is not at_counter else self.office.officer()
        name, key, given = card.name, card.phone.key, proof(person) if proof else None
        self.act(lambda: self.office.cards.activate(request, name, key, given))

    @rule(person=PEOPLE, proof=PROOFS, shared=st.booleans(), both=st.booleans())
    def new_phone(self, person: Registered, proof: Callable[[Registered], Given], shared: bool, both: bool) -> None:
        request, new, old = self.asker(person, proof), self.any_phone(shared), self.own(person)
        do = self.office.cards.reissue_both if both else self.office.cards.rebind
        answer = self.act(lambda: do(request, person.card_no, proof(person), new))
        if answer.ok:
            assert old is not None and old.state is State.REBOUND
            assert self.office.standing(self.office.ledger.cards[answer.cards[0]]) == "0"

    @rule(person=PEOPLE, proof=PROOFS, what=WHAT)
    def report_lost(self, person: Registered, proof: Callable[[Registered], Given], what: frozenset[Carrier]) -> None:
        request = self.asker(person, proof)
        answer = self.act(lambda: self.office.cards.report_lost(request, person.card_no, proof(person), what))
        self.lost.update(answer.cards)
        assert all(self.office.standing(self.office.ledger.cards[name]) != "0" for name in answer.cards)

    @rule(person=PEOPLE, proof=PROOFS, what=st.sampled_from(["suspend", "resume", "recall"]), officer=st.booleans())
    def stop(self, person: Registered, proof: Callable[[Registered], Given], what: str, officer: bool) -> None:
        card = self.own(person)
        if card is None:
            return
        request = self.office.officer() if officer else self.asker(person, proof)
        name, given = card.name, None if officer else proof(person)
        self.act(lambda: getattr(self.office.cards, what)(request, name, given))

    @rule(person=PEOPLE, proof=PROOFS)
    def new_chip(self, person: Registered, proof: Callable[[Registered], Given]) -> None:
        request = self.asker(person, proof)
        answer = self.act(lambda: self.office.cards.replace_physical(request, person.card_no, proof(person)))
        if answer.ok:
            handed_over, chip = self.office.officer(), answer.cards[0]
            self.act(lambda: self.office.cards.activate(handed_over, chip, b"", at_counter(person)))

    @rule(person=PEOPLE)
    def wipe(self, person: Registered) -> None:
        for card in [c for c in self.office.ledger.cards.values() if c.card_no == person.card_no and c.phone is not None]:
            assert card.phone is not None
            ordered = card.name in self.office.ledger.wipe_orders(card.phone.device)
            if ordered:
                assert self.act(partial(self.office.cards.wiped, self.office.device(card.phone), card.name)).ok

    @rule(days=st.sampled_from([1, 5, 31, 400]))
    def time_passes(self, days: int) -> None:
        self.office.later(days=days)

    # -- guardians

    @rule(guardian=PEOPLE, days=st.sampled_from([10, 300]))
    def grant_for_child(self, guardian: Registered, days: int) -> None:
        self.grant(guardian, days)

    def grant(self, guardian: Registered, days: int) -> None:
        now_ns = self.office.at_ns
        wish = Wish(
            CHILD.card_no, guardian.card_no, Relation.PARENT, Ground.PARENT, frozenset({Scope.BASIC}), Purpose.CARE, now_ns,
            now_ns + days * DAY_NS, certified(guardian),
        )
        request = self.office.by(guardian)
        self.act(lambda: self.office.guardians.grant(request, wish))

    @precondition(lambda self: self.office.guardians.grants)
    @rule(data=st.data(), what=st.sampled_from(["hold", "withdraw"]), person=PEOPLE)
    def use(self, data: st.DataObject, what: str, person: Registered) -> None:
        cti = data.draw(st.sampled_from(list(self.office.guardians.grants)))
        request, own = self.office.guardian(person), self.own(person)
        if what == "withdraw":
            self.act(lambda: self.office.guardians.withdraw(request, cti))
        elif own is not None and own.phone is not None:
            at = own.phone
            self.act(lambda: self.office.guardians.hold(request, cti, at))

    @precondition(lambda self: self.done)
    @rule(data=st.data())
    def ask_again(self, data: st.DataObject) -> None:
        """A lost answer: the same act under the same id changes nothing and hears the same."""
        again, answer = data.draw(st.sampled_from(self.done))
        before = self.office.ledger.journal.changes
        assert again() == answer
        assert self.office.ledger.journal.changes == before

    # -- what must hold

    @invariant()
    def one_valid_card_in_each_slot(self) -> None:
        self.office.ledger.settle_all(self.office.at_ns)
        active = [c for c in self.office.ledger.cards.values() if c.state is State.ACTIVE]
        slots = Counter((c.card_no, c.carrier, c.held.authorization if c.held else b"") for c in active)
        assert all(number == 1 for number in slots.values()), slots
        own_keys = [c.phone.key for c in active if c.phone is not None and c.held is None]
        assert len(own_keys) == len(set(own_keys))

    @invariant()
    def revoked_stays_revoked(self) -> None:
        cards = self.office.ledger.cards
        self.revoked |= {name for name, card in cards.items() if card.state in REVOKED}
        for name in self.revoked | self.lost:
            assert cards[name].state in REVOKED and self.office.status(cards[name]) is Status.INVALID
            assert self.office.standing(cards[name]) != "0"

    @invariant()
    def list_says_what_the_state_is(self) -> None:
        says = {State.ACTIVE: Status.VALID, State.SUSPENDED: Status.SUSPENDED, State.ISSUED: Status.SUSPENDED}
        for card in self.office.ledger.cards.values():
            assert self.office.status(card) is says.get(card.state, self.office.status(card))
        places = [card.place for card in self.office.ledger.cards.values()]
        assert len(places) == len(set(places))

    @invariant()
    def wards_card_lives_under_an_authorization_on_its_guardians_phone_only(self) -> None:
        cards, grants = self.office.ledger.cards.values(), self.office.guardians.grants
        for card in cards:
            if card.held is not None and card.state is State.ACTIVE:
                grant = grants[card.held.authorization]
                assert grant.in_force(self.office.at_ns) and card.phone is not None and card.phone.key == grant.key
        revoked_keys = {c.phone.key for c in cards if c.state in REVOKED and c.held is None and c.phone is not None}
        for grant in grants.values():
            status = self.office.ledger.journal.status(grant.place)
            assert status is (Status.VALID if grant.withdrawn_ns < 0 else Status.INVALID)
            assert grant.withdrawn_ns >= 0 or grant.key not in revoked_keys

    @invariant()
    def journal_only_grows(self) -> None:
        entries = self.office.ledger.journal.entries
        assert len(entries) >= self.seen
        self.seen = len(entries)


TestAnyHistory = AnyHistory.TestCase
TestAnyHistory.settings = settings(max_examples=40, stateful_step_count=40, deadline=None)


def test_machine_would_notice_a_second_valid_card() -> None:
    """The invariant is one that can fail."""
    machine = AnyHistory()
    card = machine.office.with_phone(ANNA, phone("one"))
    machine.one_valid_card_in_each_slot()
    machine.office.ledger.books.shelf(CARDS).put(replace(card.row, name="V9999999999", phone=phone("two")))
    try:
        machine.one_valid_card_in_each_slot()
    except AssertionError:
        return
    raise AssertionError("two valid cards of one person passed")
