"""PINs (ISO/IEC 7816-4 clause 11.5) as patient card and professional's card have them: what both kinds' cases try, said once.

Each begins with a chip that has the PIN :data:`PIN`, switched on, with three tries.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from conformance.case import Each
from conformance.chips import PIN_REFERENCE, PIN_STATE, ChipTester, MadeUp
from virtual_devices.apdu import Command

PIN, WRONG = "246810", "000000"
NO_PINS: Mapping[str, str] = {
    "one-digit": "31FFFFFFFFFFFFFF", "three-digits": "313233FFFFFFFFFF", "seven-digits": "31323334353637FF",
    "eight-digits": "3132333435363738", "letters": "41424344FFFFFFFF", "filler-within": "31FF3334FFFFFFFF",
    "filler-alone": "FF" * 8,
    "seven-bytes": "32343638313000", "four-bytes": "31323334", "nine-bytes": "323436383130FFFFFF",
    "nul-as-filler": "3234363831300000",
}
"""Blocks that could never be a PIN."""


def no_pins() -> Mapping[str, Each]:
    return {name: Each(bytes.fromhex(raw)) for name, raw in NO_PINS.items()}


def tries_run_out(chip: ChipTester) -> None:
    """63C2, 63C1, 6983; the right one does not help then, nor does a reset."""
    _state(chip, 0x63C3)
    for word in (0x63C2, 0x63C1, 0x6983):
        chip.says(chip.pin(WRONG), word, "wrong PIN")
    chip.says(chip.pin(PIN), 0x6983, "right PIN, too late")
    _state(chip, 0x63C0)
    chip.reset()
    _state(chip, 0x63C0)
    chip.says(chip.pin(PIN), 0x6983, "right PIN after a reset")


def right_pin_gives_tries_back(chip: ChipTester) -> None:
    """Two wrong ones, the right one, and there are three tries again, also after a reset."""
    for word in (0x63C2, 0x63C1):
        chip.says(chip.pin(WRONG), word, "wrong PIN")
    chip.reset()
    _state(chip, 0x63C1)
    chip.says(chip.pin(PIN), 0x9000, "right PIN")
    _state(chip, 0x9000)
    chip.reset()
    _state(chip, 0x63C3)


def wrong_pin_takes_back_what_was_verified(chip: ChipTester) -> None:
    """A wrong PIN after the right one, and none is verified; no PIN at all does the same and costs no try."""
    for block, word, left in ((chip.pin(WRONG), 0x63C2, 0x63C2), (Command(0, 0x20, 0, PIN_REFERENCE, b"1"), 0x6A80, 0x63C3)):
        chip.must(chip.pin(PIN), "right PIN")
        chip.says(block, word, "another one")
        _state(chip, left)


def no_pin_costs_no_try(chip: ChipTester, block: bytes) -> None:
    """What is no PIN is refused by 6A80, to be compared and to be set, and no try is spent."""
    chip.says(Command(0, 0x20, 0, PIN_REFERENCE, block), 0x6A80, "no PIN")
    _state(chip, 0x63C3)
    chip.must(chip.pin(PIN), "right PIN")
    chip.says(Command(0, 0x24, 1, PIN_REFERENCE, block), 0x6A80, "no PIN, to be set")


def other_references_are_refused(chip: ChipTester) -> None:
    """P1 and P2 other than the PIN's: 6A86, to compare, to change and to unblock, and nothing is spent."""
    block = chip.pin(PIN).data
    for ins, right in ((0x20, 0), (0x24, 1), (0x2C, 0)):
        for p1, p2 in ((right ^ 1, PIN_REFERENCE), (right, 0x80), (right, 0x00), (0xFF, PIN_REFERENCE)):
            chip.says(Command(0, ins, p1, p2, block), 0x6A86, f"instruction {ins:02X} {p1:02X}{p2:02X}")
    _state(chip, 0x63C3)


def limits_of_length(chip: ChipTester) -> None:
    """Four digits and six can be set, and are then the PIN."""
    chip.must(chip.pin(PIN), "PIN")
    for new in ("1234", "123456"):
        chip.says(chip.change(new), 0x9000, f"a PIN of {len(new)} digits")
        chip.says(chip.pin(new), 0x9000, "the new PIN")


def change_needs_the_old_pin(chip: ChipTester) -> None:
    """Without the old one 6982, and it stays; with it the new one has all its tries."""
    chip.says(chip.change("1111"), 0x6982, "change without the old PIN")
    chip.says(chip.pin("1111"), 0x63C2, "the new one, refused")
    chip.says(chip.pin(PIN), 0x9000, "the old one")
    chip.says(chip.change("1111"), 0x9000, "change with the old PIN")
    chip.says(chip.pin(PIN), 0x63C2, "the old one, now wrong")
    chip.says(chip.pin("1111"), 0x9000, "the new one")


def no_try_is_won_by_pulling(chip: ChipTester, begin: Callable[[], None]) -> None:
    """Torn at every point of a comparison: with a wrong PIN no more than three are ever made, and none verifies anything."""
    for point in range(9):
        begin()
        answers = 0
        for _ in range(8):
            if not chip.torn(chip.pin(WRONG), point, f"wrong PIN, torn at {point}"):
                answers += 1
        left = chip.ask(PIN_STATE, "how it stands").sw
        chip.expect(f"torn at {point}: the tries are all there or used up", left in (0x63C3, 0x63C0), "63C3 or 63C0",
                    f"{left:04X}")
        if point >= 2:
            chip.equal(f"torn at {point}: tries left", f"{left:04X}", "63C0")


def torn_change_is_old_or_new(chip: ChipTester, begin: Callable[[], None]) -> None:
    """Torn at every point of a change: the old PIN or the new one, and all of one."""
    seen = set()
    for point in range(40):
        begin()
        chip.must(chip.pin(PIN), "PIN")
        torn = chip.torn(chip.change("1111"), point, f"change, torn at {point}")
        old = chip.ask(chip.pin(PIN), "the old PIN").ok
        new = chip.ask(chip.pin("1111"), "the new PIN").ok
        chip.expect(f"torn at {point}: one of the two is the PIN", old is not new, "old or new", f"old {old}, new {new}")
        seen.add(new)
        if not torn:
            break
    chip.equal("seen: the old one after early tears, the new one after late ones", seen, {False, True})


def pin_that_was_never_set_is_not_compared(chip: ChipTester) -> None:
    """Never set, or not switched on: 6984 to every PIN."""
    for cells, word in (({"pin.enabled": b"\x01", "pin.hash": b""}, 0x63C3), ({"pin.enabled": b"\0"}, 0x9000)):
        chip.insert(MadeUp(cells=cells))
        for pin in (PIN, WRONG):
            chip.says(chip.pin(pin), 0x6984, "a PIN where there is none")
        _state(chip, word)


def _state(chip: ChipTester, word: int) -> None:
    chip.says(PIN_STATE, word, "how the PIN stands")


__all__ = [
    "NO_PINS", "PIN", "WRONG", "change_needs_the_old_pin", "limits_of_length", "no_pin_costs_no_try", "no_pins",
    "no_try_is_won_by_pulling", "pin_that_was_never_set_is_not_compared", "other_references_are_refused",
    "right_pin_gives_tries_back", "torn_change_is_old_or_new",
    "tries_run_out", "wrong_pin_takes_back_what_was_verified",
]
