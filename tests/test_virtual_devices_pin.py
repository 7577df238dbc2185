"""PINs: the counter, the block, the PUK, changing, switching off; and no try is won by pulling the card."""

from __future__ import annotations

import pytest

from virtual_devices.apdu import Command
from virtual_devices.errors import UsageError
from virtual_devices.link import PowerCut
from virtual_devices.pin import PUK_TRIES, pin_block, pin_cells
from virtual_devices.reader.visit import open_card

from .chips import at_desk, bench_with, on, say, verify
from .desk import PIN, hpc, patient_card

PUK = "13579024"
CHANGE, DISABLE, ENABLE, UNBLOCK = 0x24, 0x26, 0x28, 0x2C


def change(chip: object, new: str) -> int:
    return say(chip, Command(0, CHANGE, 1, 0x81, pin_block(new))).sw


def unblock(chip: object, puk: str, new: str) -> int:
    return say(chip, Command(0, UNBLOCK, 0, 0x81, pin_block(puk) + pin_block(new))).sw


def state(chip: object) -> int:
    return say(chip, Command(0, 0x20, 0, 0x81)).sw


def switch(chip: object, ins: int) -> int:
    return say(chip, Command(0, ins, 1, 0x81)).sw


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
    assert change(card, "1111") == 0x6982
    verify(card, PIN)
    assert change(card, "111") == 0x6A80 and change(card, "111111") == 0x9000
    card.power_on()
    assert verify(card, PIN) == 0x63C2 and verify(card, "111111") == 0x9000


def test_professionals_pin_cannot_be_switched_off() -> None:
    card = on(hpc())
    verify(card, PIN)
    assert switch(card, DISABLE) == switch(card, ENABLE) == 0x6D00


def test_holder_sets_switches_off_and_on_and_only_before_a_proved_sam() -> None:
    card = on(patient_card())
    assert state(card) == 0x9000 and verify(card, "1234") == 0x6984  # none was ever set
    assert change(card, "1234") == 0x6982
    card = at_desk(bench := bench_with())
    assert switch(card, ENABLE) == 0x6984 and change(card, "1234") == 0x9000
    bench.run(open_card(bench.desk))
    assert switch(card, DISABLE) == 0x6982 and verify(card, "1234") == 0x9000
    assert switch(card, DISABLE) == 0x9000 and verify(card, "1234") == 0x6984  # nothing to guess at while it is off
    assert state(card) == 0x9000
    assert switch(card, ENABLE) == 0x9000
    bench.run(open_card(bench.desk))
    assert state(card) == 0x63C3


def test_new_pin_has_all_its_tries() -> None:
    card = at_desk(bench_with(pin="1234"))
    verify(card, "0000")
    verify(card, "1234")
    assert change(card, "4321") == 0x9000
    assert verify(card, "0000") == 0x63C2


def test_patient_card_has_no_puk() -> None:
    assert unblock(on(patient_card(pin="1234")), PUK, "1111") == 0x6A81


@pytest.mark.parametrize("pin", ["0000", PIN])
def test_no_try_is_won_back_by_pulling_the_card(pin: str) -> None:
    """Cut at every point of a VERIFY: as many answers as the counter allows, never one more."""
    for point in range(40):
        card = on(hpc())
        before = card.pin.tries_left
        card.arm_cut(point)
        try:
            answered = verify(card, pin)
        except PowerCut:
            answered = 0
        card.arm_cut(None)
        card.power_on()
        assert card.pin.tries_left <= before and not card.pin.verified
        if answered == 0x9000:
            assert card.pin.tries_left == 3
        elif answered:
            assert card.pin.tries_left == 2
        elif pin == "0000":
            assert card.pin.tries_left in (2, 3) and (point >= 2 or card.pin.tries_left == 3)


def test_torn_guesses_run_out() -> None:
    """A thief pulls the card as soon as it has counted down, whatever the point: no more than three comparisons happen."""
    for point in range(9):
        card = on(hpc())
        answers = 0
        for _ in range(12):
            card.arm_cut(point)
            try:
                answers += verify(card, "0000") != 0x6983
            except PowerCut:
                pass
            card.arm_cut(None)
            card.power_on()
        assert answers <= 3 and card.pin.tries_left in (0, 3)


@pytest.mark.parametrize("act", ["change", "unblock", "disable"])
def test_torn_change_is_the_old_pin_or_the_new_one(act: str) -> None:
    outcomes = set()
    for point in range(60):
        card = at_desk(bench_with(pin=PIN)) if act == "disable" else on(hpc())
        verify(card, PIN)
        card.arm_cut(point)
        try:
            {"change": lambda: change(card, "1111"), "unblock": lambda: unblock(card, PUK, "1111"),  # noqa: B023
             "disable": lambda: switch(card, DISABLE)}[act]()  # noqa: B023
        except PowerCut:
            pass
        card.arm_cut(None)
        card.power_on()
        if act == "disable":
            outcomes.add(state(card) in (0x9000, 0x63C3))
            continue
        new, old = verify(card, "1111") == 0x9000, verify(card, PIN) == 0x9000
        assert new != old
        outcomes.add(new)
    assert outcomes == ({True} if act == "disable" else {True, False})


@pytest.mark.parametrize(("p1", "p2"), [(1, 0x81), (0, 0x80), (0, 0), (0xFF, 0x81)])
def test_other_references_are_refused(p1: int, p2: int) -> None:
    assert say(on(hpc()), Command(0, 0x20, p1, p2, pin_block(PIN))).sw == 0x6A86


@pytest.mark.parametrize(("pin", "puk"), [("123", ""), ("1234567", ""), ("12a4", ""), ("１２３４", ""), ("1234", "123456789")])
def test_pin_that_could_never_be_entered_is_the_callers_mistake(pin: str, puk: str) -> None:
    with pytest.raises(UsageError):
        pin_cells("pin", pin, 3, puk)


def test_cells_never_hold_the_pin() -> None:
    assert not any(PIN.encode() in cell or PUK.encode() in cell for cell in pin_cells("pin", PIN, 3, PUK).values())
