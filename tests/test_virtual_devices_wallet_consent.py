"""Consent: the table is the machine, and nothing leaves without a proof, in the session and for the elements it was given for."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from virtual_devices.clock import NS
from virtual_devices.link import Work
from virtual_devices.wallet.consent import (
    ARMED_S,
    OPEN,
    SESSION_S,
    TRANSITIONS,
    Answer,
    Consent,
    Element,
    Event,
    Scope,
    State,
    Use,
)
from virtual_devices.wallet.holder import Holder, Means
from virtual_devices.wallet.keystore import Denied, KeyDenied, Policy, Purpose
from virtual_devices.wallet.power import Memory, Power
from virtual_devices.wallet.vault import Vault

from .phones import keystore

PIN = "739154"
NAME, PHOTO, BIRTH, VISITS = (
    ("basic", "name"), ("basic", "photo"), ("basic", "birth"), ("medical", "visits"),
)
ALL = (NAME, PHOTO, BIRTH, VISITS)
ONE, TWO = b"session one", b"session two"
USE = Use.TREATMENT
T0 = 5000 * NS


class Phone:
    """A holder with a phone, and a consent that guards a key."""

    def __init__(self) -> None:
        power = Power()
        self.keystore = keystore(power=power)
        vault = Vault(Memory("flash", {}, Work(), power), self.keystore)
        vault.power_on()
        vault.format()
        self.holder = Holder(vault, self.keystore)
        self.holder.power_on(T0)
        assert self.holder.set_pin(PIN, T0)
        self.consent = Consent(self.holder)
        self.keystore.make("card", Purpose.SIGN, Policy.HOLDER)
        self.keystore.set_gate(self.consent.gate)
        self.now = T0

    def prove(self) -> None:
        self.holder.show_biometric(True, self.now)

    def ask(self, session: bytes = ONE, elements: tuple[Element, ...] = (NAME, PHOTO), use: Use = USE) -> Answer:
        return self.consent.ask(session, use, elements, self.now)

    def give(self, *ticked: Element, use: Use = USE) -> bool:
        self.prove()
        return self.consent.give(use, ticked, self.now)

    def arm(self, *elements: Element, use: Use = USE) -> bool:
        self.prove()
        return self.consent.arm(use, elements, self.now)

    def leaves(self, session: bytes = ONE, use: Use = USE) -> set[Element]:
        return set(self.consent.allows(session, use, ALL, self.now))

    def signs(self) -> bool:
        try:
            self.keystore.sign("card", b"")
        except KeyDenied as denied:
            assert denied.why is Denied.CONSENT
            return False
        return True


def in_state(state: State) -> Phone:
    phone = Phone()
    match state:
        case State.ARMED:
            phone.arm(NAME, PHOTO)
        case State.ASKED:
            phone.ask()
        case State.GIVEN:
            phone.ask()
            phone.give(NAME)
        case State.ASKED_MORE:
            phone.ask()
            phone.give(NAME)
            phone.ask(elements=(NAME, VISITS))
        case State.DECLINED:
            phone.ask()
            phone.consent.decline()
        case State.OVER:
            phone.ask()
            phone.give(NAME)
            phone.consent.end(ONE)
    assert phone.consent.state is state
    return phone


def later(phone: Phone) -> None:
    phone.now += SESSION_S * NS
    phone.consent.look(phone.now)


ACTS: dict[Event, Callable[[Phone], object]] = {
    Event.ARM: lambda phone: phone.arm(NAME),
    Event.TAP: lambda phone: phone.ask(TWO, (NAME, VISITS)),
    Event.ASK: lambda phone: phone.ask(ONE if phone.consent.state in (*OPEN, State.ASKED) else TWO, (VISITS, BIRTH)),
    Event.GIVE: lambda phone: phone.give(*ALL),
    Event.DECLINE: lambda phone: phone.consent.decline(),
    Event.LOCK: lambda phone: phone.consent.lock_screen(),
    Event.EXPIRE: later,
    Event.END: lambda phone: phone.consent.end(ONE),
}


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("event", Event)
def test_every_act_in_every_state_does_what_the_table_says_and_nothing_else(state: State, event: Event) -> None:
    if event is Event.TAP and state in (State.NONE, State.OVER):
        expected = TRANSITIONS[state, Event.ASK]  # with nothing armed, a request is a request
    else:
        expected = TRANSITIONS.get((state, event), state)
    phone = in_state(state)
    ACTS[event](phone)
    assert phone.consent.state is expected
    assert phone.signs() is (expected in OPEN) is bool(phone.leaves(ONE) | phone.leaves(TWO))


def test_table_reaches_every_state_and_every_open_one_can_be_closed() -> None:
    reached, found = {State.NONE}, True
    while found:
        found = {to for (source, _), to in TRANSITIONS.items() if source in reached} - reached
        reached |= found
    assert reached == set(State)
    for state in OPEN:
        assert {TRANSITIONS[state, event] for event in (Event.END, Event.EXPIRE)} == {State.OVER}
    opening = {(source, event) for (source, event), to in TRANSITIONS.items() if to in OPEN and source not in OPEN}
    assert opening == {(State.ARMED, Event.TAP), (State.ASKED, Event.GIVE)}  # both after a proof


# -- nothing leaves without it

def test_given_elements_leave_in_their_session_for_their_use_and_no_others() -> None:
    phone = Phone()
    assert phone.leaves() == set() and not phone.signs()
    assert phone.ask() is Answer.WAIT
    assert phone.leaves() == set() and not phone.signs()
    assert phone.give(NAME, PHOTO, VISITS)  # what was not asked for is not given, ticked or not
    assert phone.leaves() == {NAME, PHOTO} and phone.signs()
    assert phone.leaves(TWO) == set() and phone.leaves(use=Use.NON_MEDICAL) == set()
    assert phone.ask() is Answer.GIVEN
    phone.consent.end(TWO)
    assert phone.leaves() == {NAME, PHOTO}
    phone.consent.end(ONE)
    assert phone.leaves() == set() and not phone.signs()


def test_what_was_given_in_one_session_is_not_given_in_the_next() -> None:
    phone = in_state(State.OVER)
    assert phone.ask(TWO, (NAME, PHOTO)) is Answer.WAIT
    assert phone.give(PHOTO)
    assert phone.leaves(TWO) == {PHOTO}
    phone.consent.end(TWO)
    phone.arm(BIRTH)
    assert phone.ask(b"three", ALL) is Answer.GIVEN and phone.leaves(b"three") == {BIRTH}


def test_without_a_proof_nothing_is_given_or_armed() -> None:
    phone = Phone()
    phone.ask()
    for verdict in (False, None):
        if verdict is not None:
            phone.holder.show_biometric(verdict, phone.now)
        assert not phone.consent.give(USE, (NAME,), phone.now) and phone.consent.state is State.ASKED
    phone.holder.enter_pin("000000", phone.now)
    assert not phone.consent.give(USE, (NAME,), phone.now)
    phone.consent.decline()
    phone.consent.end(ONE)
    assert not phone.consent.arm(USE, (NAME,), phone.now) and phone.consent.state is State.OVER


def test_one_proof_serves_one_consent() -> None:
    phone = Phone()
    phone.ask()
    assert phone.give(NAME)
    phone.ask(elements=(NAME, VISITS))
    assert not phone.consent.give(USE, (VISITS,), phone.now)
    assert phone.leaves() == {NAME}


def test_consent_says_by_which_means_it_was_given() -> None:
    phone = Phone()
    phone.ask()
    phone.holder.enter_pin(PIN, phone.now)
    assert phone.consent.give(USE, (NAME,), phone.now)
    given = phone.consent.given
    assert given is not None and given.means is Means.PIN and not given.armed and given.scope == Scope.of(USE, [NAME])
    phone.consent.end(ONE)
    assert phone.consent.given is None


# -- partly given, declined

def test_unticked_elements_stay_inside_and_are_not_asked_for_again() -> None:
    phone = Phone()
    phone.ask(elements=(NAME, PHOTO, VISITS))
    assert phone.consent.asked.elements(USE) == {NAME, PHOTO, VISITS}
    phone.give(NAME)
    assert phone.leaves() == {NAME}
    assert phone.ask(elements=(NAME, PHOTO, VISITS)) is Answer.GIVEN  # answered without troubling the holder
    assert phone.leaves() == {NAME} and phone.consent.asked == Scope()
    assert phone.ask(elements=(NAME, PHOTO, BIRTH)) is Answer.WAIT
    assert phone.consent.asked.elements(USE) == {BIRTH}
    assert phone.ask(elements=(NAME, PHOTO, BIRTH)) is Answer.WAIT  # the same again
    assert phone.ask(elements=(NAME, VISITS)) is Answer.GIVEN  # nothing new in it
    assert phone.ask(elements=(BIRTH, ("medical", "allergies"))) is Answer.REFUSED  # another question meanwhile
    assert phone.consent.asked.elements(USE) == {BIRTH}
    assert phone.consent.decline() and phone.leaves() == {NAME}
    assert phone.ask(elements=(BIRTH,)) is Answer.GIVEN and phone.leaves() == {NAME}


def test_declined_session_gets_nothing_and_may_not_ask_again() -> None:
    for refuse in (lambda p: p.consent.decline(), lambda p: p.give(), lambda p: p.consent.lock_screen()):
        phone = Phone()
        phone.ask()
        refuse(phone)
        assert phone.consent.state is State.DECLINED and phone.leaves() == set()
        assert phone.ask() is Answer.REFUSED and phone.ask(TWO) is Answer.REFUSED
        phone.consent.end(ONE)
        assert phone.ask(ONE) is Answer.REFUSED and phone.ask(TWO) is Answer.WAIT


def test_other_session_cannot_use_or_replace_what_is_asked_or_given() -> None:
    phone = Phone()
    phone.ask()
    assert phone.ask(TWO) is Answer.REFUSED and phone.ask(ONE, (VISITS,)) is Answer.REFUSED
    assert phone.consent.asked.elements(USE) == {NAME, PHOTO}  # the question under the holder's finger stays as it was
    phone.give(NAME)
    assert phone.ask(TWO) is Answer.REFUSED and phone.leaves(TWO) == set()
    assert phone.ask(b"") is Answer.REFUSED and phone.ask(ONE, ()) is Answer.REFUSED


def test_same_elements_for_another_use_are_asked_for() -> None:
    phone = Phone()
    phone.ask()
    phone.give(NAME, PHOTO)
    assert phone.ask(use=Use.NON_MEDICAL) is Answer.WAIT
    assert phone.leaves(use=Use.NON_MEDICAL) == set() and phone.leaves() == {NAME, PHOTO}
    phone.give(NAME, use=Use.NON_MEDICAL)
    assert phone.leaves(use=Use.NON_MEDICAL) == {NAME} and phone.leaves() == {NAME, PHOTO}


def test_holder_can_take_back_what_was_given_and_what_was_armed() -> None:
    phone = in_state(State.GIVEN)
    assert phone.consent.decline() and phone.leaves() == set() and phone.ask() is Answer.REFUSED
    phone = in_state(State.ARMED)
    assert phone.consent.decline() and phone.ask() is Answer.WAIT
    assert not Phone().consent.decline()


# -- armed

def test_armed_consent_gives_what_is_armed_for_one_session() -> None:
    phone = Phone()
    assert phone.arm(NAME, VISITS)
    assert phone.leaves() == set() and not phone.signs()  # armed alone lets nothing out
    assert phone.ask(elements=(NAME, PHOTO)) is Answer.GIVEN
    assert phone.leaves() == {NAME, VISITS} and phone.signs()  # the visits too, when they are asked for later
    given = phone.consent.given
    assert given is not None and given.armed and given.means is Means.BIOMETRIC
    phone.consent.end(ONE)
    assert phone.ask(TWO) is Answer.WAIT and phone.leaves(TWO) == set()


@pytest.mark.parametrize(("passed", "answer"), [(0, Answer.GIVEN), (ARMED_S * NS - 1, Answer.GIVEN), (ARMED_S * NS, Answer.WAIT),
                                                (-1, Answer.WAIT), (10**18, Answer.WAIT)])
def test_armed_for_a_minute_and_a_clock_that_goes_back_disarms(passed: int, answer: Answer) -> None:
    phone = Phone()
    phone.arm(NAME)
    phone.now += passed
    assert phone.ask() is answer and bool(phone.leaves()) is (answer is Answer.GIVEN)


def test_locking_the_screen_disarms_and_forgets_a_proof() -> None:
    phone = Phone()
    phone.arm(NAME)
    phone.consent.lock_screen()
    assert phone.consent.state is State.NONE
    phone.prove()
    phone.consent.lock_screen()
    assert phone.ask() is Answer.WAIT and not phone.consent.give(USE, (NAME,), phone.now)


def test_locking_the_screen_leaves_a_session_under_way_alone() -> None:
    phone = in_state(State.GIVEN)
    phone.consent.lock_screen()
    assert phone.leaves() == {NAME}


def test_armed_for_one_use_gives_nothing_for_another_and_is_spent() -> None:
    phone = Phone()
    phone.arm(NAME, use=Use.REGISTRATION)
    assert phone.ask(use=Use.NON_MEDICAL) is Answer.WAIT and phone.leaves(use=Use.NON_MEDICAL) == set()
    phone.consent.end(ONE)
    assert phone.ask(TWO, use=Use.REGISTRATION) is Answer.WAIT


def test_skimmer_who_taps_before_and_after_gets_nothing() -> None:
    phone = Phone()
    assert phone.ask(ONE) is Answer.WAIT and phone.leaves() == set()
    phone.consent.end(ONE)
    phone.arm(NAME)
    phone.now += (ARMED_S + 1) * NS
    assert phone.ask(TWO) is Answer.WAIT and phone.leaves(TWO) == set()


# -- time and restart

def test_consent_ends_with_the_time_of_a_session_at_the_latest() -> None:
    for passed in (SESSION_S * NS, -1):
        phone = in_state(State.GIVEN)
        phone.now += passed
        assert phone.leaves() == set() and not phone.signs() and phone.consent.state is State.OVER
    phone = in_state(State.GIVEN)
    phone.now += SESSION_S * NS - 1
    assert phone.leaves() == {NAME}


def test_restart_forgets_every_consent() -> None:
    for state in State:
        phone = in_state(state)
        phone.consent.power_on()
        assert phone.consent.state is State.NONE and phone.leaves() == set() and not phone.signs()


# -- everything in any order

class AnyUse(RuleBasedStateMachine):
    """What may leave is, at every moment, something that a proof was given for, in this session, lately, and not taken back."""

    sessions = st.sampled_from([ONE, TWO, b"three"])
    some = st.sets(st.sampled_from(ALL), max_size=4)
    uses = st.sampled_from([Use.TREATMENT, Use.REGISTRATION])

    @initialize()
    def begin(self) -> None:
        self.phone = Phone()
        self.proofs = self.spent = 0
        self.ticked: set[tuple[Use, Element]] = set()  # all that the holder has agreed to since the last session began
        self.armed: set[tuple[Use, Element]] = set()
        self.running = b""

    @rule(right=st.booleans())
    def prove(self, right: bool) -> None:
        self.phone.holder.enter_pin(PIN, self.phone.now) if right else self.phone.holder.drop_proof()
        self.proofs = int(right)

    @rule(use=uses, elements=some)
    def arm(self, use: Use, elements: set[Element]) -> None:
        if self.phone.consent.arm(use, elements, self.phone.now):
            assert self.proofs
            self.proofs, self.armed = 0, {(use, e) for e in elements}

    @rule(session=sessions, use=uses, elements=some)
    def ask(self, session: bytes, use: Use, elements: set[Element]) -> None:
        before = self.phone.consent.state
        answer = self.phone.consent.ask(session, use, elements, self.phone.now)
        if answer is not Answer.REFUSED and before not in (*OPEN, State.ASKED):
            # what was given in advance holds for the whole session that asks for any of it
            met = bool(self.armed & {(use, e) for e in elements})
            self.running, self.ticked, self.armed = session, self.armed if met else set(), set()

    @rule(use=uses, elements=some)
    def give(self, use: Use, elements: set[Element]) -> None:
        asked = self.phone.consent.asked.parts
        if self.phone.consent.give(use, elements, self.phone.now):
            assert self.proofs
            self.proofs = 0
            self.ticked |= {(use, e) for e in elements} & asked

    @rule()
    def decline(self) -> None:
        if self.phone.consent.state in (State.GIVEN, State.ARMED):
            self.armed = set()
            if self.phone.consent.state is State.GIVEN:
                self.ticked = set()
        self.phone.consent.decline()

    @rule()
    def lock(self) -> None:
        self.phone.consent.lock_screen()
        self.proofs, self.armed = 0, set()

    @rule(session=sessions)
    def end(self, session: bytes) -> None:
        self.phone.consent.end(session)
        if session == self.running:
            self.ticked = set()

    @rule(passes=st.sampled_from([1, 30, 61, 901, -5]))
    def time(self, passes: int) -> None:
        self.phone.now += passes * NS
        if passes == 901:
            self.ticked, self.armed, self.proofs = set(), set(), 0
        if passes in (61, -5):
            self.armed = set()

    @rule()
    def restart(self) -> None:
        self.phone.consent.power_on()
        self.ticked, self.armed = set(), set()

    @invariant()
    def nothing_leaves_without(self) -> None:
        if not hasattr(self, "phone"):
            return
        for session in (ONE, TWO, b"three"):
            for use in Use:
                out = self.phone.leaves(session, use)
                assert {(use, e) for e in out} <= self.ticked
                assert not out or session == self.running
        assert self.phone.signs() is (self.phone.consent.state in OPEN)
        assert not self.phone.signs() or self.ticked


TestAnyUse = AnyUse.TestCase
