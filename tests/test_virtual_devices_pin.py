"""PINs: the counter, the block, the PUK, changing, switching off; and no try is won by pulling the card."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from virtual_devices.apdu import Command
from virtual_devices.errors import UsageError
from virtual_devices.pin import PUK_TRIES, pin_block, pin_cells
from virtual_devices.reader.visit import open_card

from .chips import at_desk, bench_with, change_pin, on, say, switch_pin, verify
from .desk import PIN, PUK, hpc, patient_card
from .memory import pulled


def unblock(chip: object, puk: str, new: str) -> int:
    return say(chip, Command(0, 0x2C, 0, 0x81, pin_block(puk) + pin_block(new))).sw


def state(chip: object) -> int:
    return say(chip, Command(0, 0x20, 0, 0x81)).sw


def test_three_wrong_pins_lock_and_the_right_one_resets_the_count() -> None:
    card = on(hpc())
    assert state(card) == 0x63C3
    assert [verify(card, "0000"), verify(card, "0000")] == [0x63C2, 0x63C1]
    assert verify(card, PIN) == 0x9000 and state(card) == 0x9000
    assert [verify(card, "0000") for _ in range(3)] == [0x63C2, 0x63C1, 0x6983]
    assert verify(card, PIN) == 0x6983
    card.power_on()
    assert state(card) == 0x63C0 and verify(card, PIN) == 0x6983


def test_wrong_pin_takes_back_what_was_verified() -> None:
    card = on(hpc())
    verify(card, PIN)
    assert verify(card, "0000") == 0x63C2 and not card.pin.verified


@pytest.mark.parametrize("data", ["31", "3132333435363738", "313233FFFFFFFFFF", "31323334353637FF", "31FF3334FFFFFFFF", "FF" * 8])
def test_what_is_no_pin_costs_no_try(data: str) -> None:
    card = on(hpc())
    assert say(card, Command(0, 0x20, 0, 0x81, bytes.fromhex(data))).sw == 0x6A80 and state(card) == 0x63C3


def test_puk_unlocks_and_has_a_counter_of_its_own() -> None:
    card = on(hpc())
    for _ in range(3):
        verify(card, "0000")
    assert unblock(card, "00000000", "1111") == 0x63C0 | (PUK_TRIES - 1)
    assert unblock(card, PUK, "12") == 0x6A80
    assert unblock(card, PUK, "1111") == 0x9000 and card.pin.verified
    card.power_on()
    assert verify(card, "1111") == 0x9000
    for tries in range(PUK_TRIES - 1, -1, -1):
        assert unblock(card, "00000000", "2222") == 0x63C0 | tries
    assert unblock(card, PUK, "2222") == 0x6983


def test_change_needs_the_old_pin() -> None:
    card = on(hpc())
    assert change_pin(card, "1111") == 0x6982
    verify(card, PIN)
    assert change_pin(card, "111") == 0x6A80 and change_pin(card, "111111") == 0x9000
    card.power_on()
    assert verify(card, PIN) == 0x63C2 and verify(card, "111111") == 0x9000


def test_professionals_pin_cannot_be_switched_off() -> None:
    card = on(hpc())
    verify(card, PIN)
    assert switch_pin(card, False) == switch_pin(card, True) == 0x6D00


def test_holder_sets_switches_off_and_on_and_only_before_a_proved_sam() -> None:
    card = on(patient_card())
    assert state(card) == 0x9000 and verify(card, "1234") == 0x6984  # none was ever set
    assert change_pin(card, "1234") == 0x6982
    card = at_desk(bench := bench_with())
    assert switch_pin(card, True) == 0x6984 and change_pin(card, "1234") == 0x9000
    bench.run(open_card(bench.desk))
    assert switch_pin(card, False) == 0x6982 and verify(card, "1234") == 0x9000
    assert switch_pin(card, False) == 0x9000 and verify(card, "1234") == 0x6984  # nothing to guess at while it is off
    assert state(card) == 0x9000
    assert switch_pin(card, True) == 0x9000
    bench.run(open_card(bench.desk))
    assert state(card) == 0x63C3


def test_new_pin_has_all_its_tries() -> None:
    card = at_desk(bench_with(pin="1234"))
    verify(card, "0000")
    verify(card, "1234")
    assert change_pin(card, "4321") == 0x9000
    assert verify(card, "0000") == 0x63C2


def test_patient_card_has_no_puk() -> None:
    assert unblock(on(patient_card(pin="1234")), PUK, "1111") == 0x6A81


@pytest.mark.parametrize("pin", ["0000", PIN])
def test_no_try_is_won_back_by_pulling_the_card(pin: str) -> None:
    """Cut at every point of a VERIFY: a try is spent before anything is compared, and comes back with the right PIN only."""
    left = []
    for point in range(40):
        card = on(hpc())
        answered = pulled(card, point, lambda card=card: verify(card, pin))  # type: ignore[misc]
        left.append(card.pin.tries_left)
        assert not card.pin.verified
        if answered is not None:
            assert answered == (0x9000 if pin == PIN else 0x63C2)
            break
    *torn, whole = left
    spent = [3] * 2 + [2] * 7  # the count is down once the journal of its one cell is sealed
    assert torn == (spent if pin == "0000" else spent + [2] * 2 + [3] * 7)
    assert whole == (2 if pin == "0000" else 3)


def test_torn_guesses_run_out() -> None:
    """A thief pulls the card as soon as it has counted down, whatever the point: no more than three comparisons happen."""
    for point in range(9):
        card = on(hpc())
        answers = [pulled(card, point, lambda card=card: verify(card, "0000")) for _ in range(12)]  # type: ignore[misc]
        assert sum(answer not in (None, 0x6983) for answer in answers) <= 3
        assert card.pin.tries_left == (3 if point < 2 else 0)


ACTS: dict[str, tuple[Callable[[], Any], Callable[[Any], int]]] = {
    "change": (lambda: on(hpc()), lambda card: change_pin(card, "1111")),
    "unblock": (lambda: on(hpc()), lambda card: unblock(card, PUK, "1111")),
    "disable": (lambda: at_desk(bench_with(pin=PIN)), lambda card: switch_pin(card, False)),
}


@pytest.mark.parametrize("act", ACTS)
def test_torn_change_is_the_old_pin_or_the_new_one(act: str) -> None:
    make, do = ACTS[act]
    outcomes = set()
    for point in range(60):
        card = make()
        verify(card, PIN)
        answered = pulled(card, point, lambda card=card: do(card))  # type: ignore[misc]
        if act == "disable":
            now = state(card)
            assert now in (0x9000, 0x63C3)
            outcomes.add(now == 0x9000)
        else:
            new, old = verify(card, "1111") == 0x9000, verify(card, PIN) == 0x9000
            assert new != old
            outcomes.add(new)
        if answered is not None:
            break
    assert answered == 0x9000 and outcomes == {True, False}


@pytest.mark.parametrize(("p1", "p2"), [(1, 0x81), (0, 0x80), (0, 0), (0xFF, 0x81)])
def test_other_references_are_refused(p1: int, p2: int) -> None:
    assert say(on(hpc()), Command(0, 0x20, p1, p2, pin_block(PIN))).sw == 0x6A86


@pytest.mark.parametrize(("pin", "puk"), [("123", ""), ("1234567", ""), ("12a4", ""), ("１２３４", ""), ("1234", "123456789")])
def test_pin_that_could_never_be_entered_is_the_callers_mistake(pin: str, puk: str) -> None:
    with pytest.raises(UsageError):
        pin_cells("pin", pin, 3, puk)


def test_cells_never_hold_the_pin() -> None:
    assert not any(PIN.encode() in cell or PUK.encode() in cell for cell in pin_cells("pin", PIN, 3, PUK).values())
