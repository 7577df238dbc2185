"""PIN and biometric: counted before they are compared, slowed down, locked, and no cut, copy or clock wins a try."""

from __future__ import annotations

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from virtual_devices.clock import NS
from virtual_devices.link import Work
from virtual_devices.wallet.holder import (
    BIOMETRIC_TRIES,
    DELAYS_S,
    LOCKED_AFTER,
    PROOF_S,
    Holder,
    Means,
    Tried,
    Verdict,
    too_simple,
)
from virtual_devices.wallet.keystore import Keystore
from virtual_devices.wallet.power import Memory, Power
from virtual_devices.wallet.vault import Vault, VaultRefused, search

from .phones import cut

PIN, WRONG = "739154", "739155"
DAY_NS = 86_400 * NS


class Phone:
    """A phone with a PIN. ``steady_ns``: its clock that nobody sets, here kept over restarts, which helps a guesser most."""

    def __init__(self, pin: str = PIN) -> None:
        self.power = Power()
        self.flash: dict[str, bytes] = {}
        self.chip: dict[str, bytes] = {}
        self.steady_ns = 1000 * NS
        self.on()
        self.vault.format()
        assert self.holder.set_pin(pin, self.steady_ns)

    def on(self) -> None:
        self.keystore = Keystore("test", "phone A", cells=self.chip, power=self.power)
        self.keystore.power_on()
        self.store = Memory("flash", self.flash, Work(), self.power)
        self.vault = Vault(self.store, self.keystore)
        self.vault.power_on()
        self.holder = Holder(self.vault, self.keystore)
        self.holder.power_on(self.steady_ns)

    def restart(self, flash: dict[str, bytes] | None = None) -> None:
        self.flash, self.chip = self.store.cells() if flash is None else flash, self.keystore.cells()
        self.on()

    def enter(self, pin: str) -> Tried:
        return self.holder.enter_pin(pin, self.steady_ns)

    def proved(self) -> Means | None:
        return self.holder.take_proof(self.steady_ns)

    def wrong(self, times: int) -> Tried:
        """So many wrong PINs, each waited for."""
        for _ in range(times):
            self.steady_ns += self.holder.wait_ns(self.steady_ns)
            tried = self.enter(WRONG)
        return tried


def test_right_pin_is_a_proof_for_one_use_and_for_a_minute() -> None:
    phone = Phone()
    assert phone.enter(PIN) == Tried(Verdict.RIGHT)
    assert phone.proved() is Means.PIN and phone.proved() is None
    for passed, still in ((PROOF_S * NS - 1, True), (PROOF_S * NS, False), (-1, False)):
        phone.enter(PIN)
        phone.steady_ns += passed
        assert (phone.proved() is Means.PIN) is still
    phone.enter(PIN)
    phone.enter(WRONG)
    assert phone.proved() is None  # a wrong one takes back the right one before
    phone.enter(PIN)
    phone.holder.drop_proof()
    assert phone.proved() is None


def test_wrong_pins_are_slowed_down_as_the_table_says_and_the_ninth_locks() -> None:
    phone = Phone()
    for number in range(1, LOCKED_AFTER + 1):
        assert phone.enter("") .verdict is not Verdict.WRONG  # neither compared nor counted
        phone.steady_ns += phone.holder.wait_ns(phone.steady_ns)
        tried = phone.enter(WRONG)
        assert tried.wrong_before == number and tried.wait_ns == DELAYS_S.get(number, 0) * NS
        assert tried.verdict is (Verdict.LOCKED if number == LOCKED_AFTER else Verdict.WRONG)
        if tried.wait_ns:
            phone.steady_ns += tried.wait_ns - 1
            assert phone.enter(PIN) == Tried(Verdict.WAIT, 1)
            phone.steady_ns += 1
    phone.steady_ns += 10_000 * DAY_NS
    phone.restart()
    assert phone.enter(PIN).verdict is Verdict.LOCKED and phone.holder.locked
    assert phone.holder.show_biometric(True, phone.steady_ns).verdict is Verdict.LOCKED
    assert phone.proved() is None


def test_right_pin_tells_how_many_wrong_ones_came_before_and_clears_them() -> None:
    phone = Phone()
    phone.wrong(4)
    assert phone.enter(PIN) == Tried(Verdict.RIGHT, 0, 4)
    assert phone.enter(PIN) == Tried(Verdict.RIGHT, 0, 0)


def test_count_and_delay_survive_a_restart_and_the_delay_begins_anew() -> None:
    phone = Phone()
    phone.wrong(5)
    phone.steady_ns += 29 * NS
    assert phone.holder.wait_ns(phone.steady_ns) == 1 * NS
    phone.restart()
    assert phone.enter(PIN) == Tried(Verdict.WAIT, 30 * NS)
    phone.steady_ns = 5 * NS  # as after a power-on that starts the steady clock at nought
    phone.restart()
    assert phone.enter(PIN) == Tried(Verdict.WAIT, 30 * NS)


def test_clock_that_goes_back_begins_the_delay_anew_and_never_shortens_it() -> None:
    phone = Phone()
    phone.wrong(6)
    phone.steady_ns += 59 * NS
    phone.steady_ns -= 100 * NS
    assert phone.enter(PIN) == Tried(Verdict.WAIT, 60 * NS)
    phone.steady_ns += 60 * NS - 1
    assert phone.enter(PIN).verdict is Verdict.WAIT
    phone.steady_ns += 1
    assert phone.enter(PIN).verdict is Verdict.RIGHT


def test_cut_never_wins_a_try() -> None:
    """The power goes at every point of a wrong try: either it was counted, or it was never compared."""
    for pin in (WRONG, PIN):
        point = 0
        while True:
            phone = Phone()
            phone.wrong(2)
            answered: list[Tried] = []
            went = cut(phone.power, point, lambda phone=phone, pin=pin, answered=answered: answered.append(phone.enter(pin)))
            if not went:
                break
            phone.restart()
            assert not answered and phone.proved() is None
            before = phone.enter(PIN).wrong_before
            assert before in ((2, 3) if pin == WRONG else (0, 2, 3))
            point += 1
        assert point > 15


def test_cutting_the_power_in_every_try_gains_nothing() -> None:
    """Thirty tries, each cut at the same point: what was compared is never more than the table grants."""
    for point in range(0, 60, 2):
        phone, compared = Phone(), 0
        for _ in range(30):
            phone.steady_ns += phone.holder.wait_ns(phone.steady_ns)
            answered: list[Tried] = []
            cut(phone.power, point, lambda phone=phone, answered=answered: answered.append(phone.enter(WRONG)))
            phone.restart()
            compared += any(tried.wrong_before for tried in answered)
        assert compared <= LOCKED_AFTER


def test_flash_set_back_gives_no_more_tries() -> None:
    phone = Phone()
    fresh = phone.vault.backup()
    phone.wrong(4)
    with pytest.raises(VaultRefused):
        phone.restart(fresh)


def test_neither_pin_nor_digest_lies_readable_on_the_flash() -> None:
    phone = Phone()
    thief = Keystore("test", "phone B")
    for needle in (PIN.encode(), phone.vault.get("holder.pin") or b"-"):
        assert not search(phone.vault.backup(), thief, needle)
    assert PIN.encode() not in (phone.vault.get("holder.pin") or b"")
    other = Phone()
    other.keystore.random(1)
    assert other.enter(PIN) and other.holder.take_proof(other.steady_ns)
    assert other.holder.set_pin(PIN, other.steady_ns) is False  # the proof was used
    other.enter(PIN)
    assert other.holder.set_pin(PIN, other.steady_ns)
    assert other.vault.get("holder.pin") != phone.vault.get("holder.pin")  # another salt


def test_new_pin_needs_the_old_one_and_a_finger_is_not_enough() -> None:
    phone = Phone()
    assert not phone.holder.set_pin("975310", phone.steady_ns)
    phone.holder.show_biometric(True, phone.steady_ns)
    assert not phone.holder.set_pin("975310", phone.steady_ns)
    phone.enter(PIN)
    assert phone.holder.set_pin("975310", phone.steady_ns)
    assert phone.enter(PIN).verdict is Verdict.WRONG and phone.enter("975310").verdict is Verdict.RIGHT


@pytest.mark.parametrize(
    "pin", ["", "12", "1111", "000000", "123456", "4321", "9876", "12a4", "１２３４", "1357" * 4, "-123", "²²²²"],
)
def test_pin_that_is_none_or_too_simple_is_not_taken(pin: str) -> None:
    phone = Phone()
    phone.enter(PIN)
    assert not phone.holder.set_pin(pin, phone.steady_ns)
    assert phone.enter(PIN).verdict is Verdict.RIGHT


def test_runs_and_repetitions_are_few_among_all_pins() -> None:
    assert sum(too_simple(f"{n:04}") for n in range(10_000)) == 10 + 7 + 7
    assert not too_simple("7890" + "2") and too_simple("6789")


# -- biometric

def test_biometric_falls_back_to_the_pin_after_five_failures_in_a_row() -> None:
    phone = Phone()
    for number in range(1, BIOMETRIC_TRIES + 1):
        verdict = phone.holder.show_biometric(False, phone.steady_ns).verdict
        assert verdict is (Verdict.PIN_NEEDED if number == BIOMETRIC_TRIES else Verdict.WRONG)
    phone.restart()
    assert phone.holder.show_biometric(True, phone.steady_ns).verdict is Verdict.PIN_NEEDED and phone.proved() is None
    assert phone.enter(PIN).verdict is Verdict.RIGHT
    assert phone.holder.show_biometric(True, phone.steady_ns).verdict is Verdict.RIGHT
    assert phone.proved() is Means.BIOMETRIC


def test_biometric_leaves_the_count_of_wrong_pins_alone() -> None:
    phone = Phone()
    phone.wrong(3)
    phone.holder.show_biometric(True, phone.steady_ns)
    assert phone.enter(PIN).wrong_before == 3


def test_without_a_pin_nobody_proves_anything() -> None:
    phone = Phone()
    phone.vault.wipe()
    phone.vault.format()
    assert phone.enter(PIN).verdict is Verdict.NOT_SET
    assert phone.holder.show_biometric(True, phone.steady_ns).verdict is Verdict.NOT_SET
    assert phone.proved() is None


# -- guessing

def test_guesser_alone_with_the_phone_has_nine_tries_in_a_year_and_for_ever() -> None:
    phone, tries, end = Phone(), 0, 1000 * NS + 365 * DAY_NS
    guesses = (f"{n:06}" for n in range(10**6))
    while phone.steady_ns < end:
        tried = phone.enter(next(guesses))
        if tried.verdict is Verdict.LOCKED and tried.wrong_before == 0:
            break
        tries += tried.verdict is Verdict.WRONG or tried.wrong_before > 0
        phone.steady_ns += phone.holder.wait_ns(phone.steady_ns) + NS
    assert tries == LOCKED_AFTER == 9
    assert tries / 10**4 == 0.0009 and tries / 10**6 == 0.000009


@pytest.mark.parametrize(("patient", "a_day"), [(False, 4), (True, 8)])
def test_guesser_beside_a_holder_who_comes_every_day_has_as_many_tries_as_stated(patient: bool, a_day: int) -> None:
    """Stops before the delays (so that nobody notices) or before the lock; the holder's right PIN clears the count."""
    phone, tries, days = Phone(), 0, 60
    for _ in range(days):
        begin = phone.steady_ns
        while not phone.holder.wait_ns(phone.steady_ns) or patient:
            if phone.holder._tries()[0] + 1 in ((LOCKED_AFTER,) if patient else DELAYS_S):
                break
            phone.wrong(1)
            tries += 1
        phone.steady_ns = begin + DAY_NS
        assert phone.enter(PIN).wrong_before == a_day  # and is told
    assert tries == a_day * days and (365 * a_day) in (1460, 2920)


class Guesser(RuleBasedStateMachine):
    """Any acts in any order: never more comparisons than the table grants."""

    @initialize()
    def begin(self) -> None:
        self.phone = Phone()
        self.compared = 0  # wrong PINs compared since the last right one
        self.uncertain = 0  # tries that a cut may have counted

    @rule(passes=st.sampled_from([0, 1, 29, 30, 31, 60, 299, 300, 900, 86_400]))
    def wait(self, passes: int) -> None:
        self.phone.steady_ns += passes * NS

    @rule(back=st.integers(1, 2000))
    def clock_back(self, back: int) -> None:
        self.phone.steady_ns -= back * NS

    @rule()
    def restart(self) -> None:
        self.phone.restart()

    @rule(at=st.integers(0, 40))
    def wrong(self, at: int) -> None:
        answers: list[Tried] = []
        if cut(self.phone.power, at, lambda: answers.append(self.phone.enter(WRONG))):
            self.uncertain += 1
            self.phone.restart()
        elif answers[0].wrong_before:
            self.compared += 1
            assert self.compared <= answers[0].wrong_before <= self.compared + self.uncertain
        assert self.phone.proved() is None

    @rule()
    def right(self) -> None:
        tried = self.phone.enter(PIN)
        if tried.verdict is Verdict.RIGHT:
            assert self.phone.proved() is Means.PIN
            self.compared = self.uncertain = 0
        else:
            assert self.phone.proved() is None
            assert self.phone.holder.locked or self.phone.holder.wait_ns(self.phone.steady_ns) > 0

    @rule(matched=st.booleans())
    def finger(self, matched: bool) -> None:
        tried = self.phone.holder.show_biometric(matched, self.phone.steady_ns)
        assert (self.phone.proved() is Means.BIOMETRIC) == (tried.verdict is Verdict.RIGHT)
        assert matched or tried.verdict is not Verdict.RIGHT

    @invariant()
    def never_more(self) -> None:
        if hasattr(self, "phone"):
            assert self.compared <= LOCKED_AFTER
            assert not self.phone.holder.locked or self.compared + self.uncertain >= LOCKED_AFTER


TestGuesser = Guesser.TestCase
