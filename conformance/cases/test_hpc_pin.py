"""The PIN of a professional's card and its PUK: manual 3.3 has it lock after three wrong ones."""

from __future__ import annotations

from conformance import pins
from conformance.case import Nature, case
from conformance.chips import PIN_OFF, PIN_ON, PIN_STATE, MadeUp
from conformance.kinds.hpc import PIN, PUK, HpcTester
from conformance.pins import WRONG
from virtual_devices.apdu import Command

_PUK_TRIES = 10


@case("P-PIN-02", nature=Nature.LIMIT, zh="連續三次錯誤即鎖，重置亦不能解", destructive=True)
def test_tries_run_out(hpc: HpcTester) -> None:
    """Three wrong PINs lock the card; neither the right one nor a reset unlocks it."""
    hpc.insert()
    pins.tries_run_out(hpc)


@case("P-PIN-02", nature=Nature.VALID, zh="正確之密碼使次數恢復", destructive=True)
def test_right_pin_gives_tries_back(hpc: HpcTester) -> None:
    """The right PIN gives all tries back; what was spent outlives a reset."""
    hpc.insert()
    pins.right_pin_gives_tries_back(hpc)


@case("P-PIN-02", nature=Nature.INVALID, zh="再次輸入錯誤，先前之驗證即失效", destructive=True)
def test_wrong_pin_takes_back_what_was_verified(hpc: HpcTester) -> None:
    """A wrong PIN after the right one takes back what was verified."""
    hpc.insert()
    pins.wrong_pin_takes_back_what_was_verified(hpc)


@case("P-PIN-01", nature=Nature.INVALID, zh="不成密碼者：6A80，不計次數", destructive=True, each=pins.no_pins)
def test_no_pin_costs_no_try(hpc: HpcTester, block: bytes) -> None:
    """What could never be a PIN is refused and costs no try, and cannot be set."""
    hpc.insert()
    pins.no_pin_costs_no_try(hpc, block)


@case("P-PIN-01", nature=Nature.INVALID, zh="他種參照：6A86", destructive=True)
def test_other_references_are_refused(hpc: HpcTester) -> None:
    """Other references than the PIN's are refused."""
    hpc.insert()
    pins.other_references_are_refused(hpc)


@case("P-PIN-01", "P-PIN-03", nature=Nature.LIMIT, zh="四至六位數字皆可設為密碼", destructive=True)
def test_limits_of_length(hpc: HpcTester) -> None:
    """PINs of four and of six digits can be set."""
    hpc.insert()
    pins.limits_of_length(hpc)


@case("P-PIN-03", nature=Nature.INOPPORTUNE, zh="變更密碼須先驗證舊密碼", destructive=True)
def test_change_needs_the_old_pin(hpc: HpcTester) -> None:
    """A new PIN needs the old one verified, and has all its tries."""
    hpc.insert()
    pins.change_needs_the_old_pin(hpc)


@case("P-PIN-04", nature=Nature.INVALID, zh="醫事人員卡之密碼不得關閉：6D00", destructive=True)
def test_pin_cannot_be_switched_off(hpc: HpcTester) -> None:
    """A professional's PIN is neither switched off nor on."""
    hpc.insert()
    hpc.must(hpc.pin(PIN), "PIN")
    for command in (PIN_OFF, PIN_ON):
        hpc.says(command, 0x6D00, "switch")
    hpc.reset()
    hpc.says(PIN_STATE, 0x63C3, "still asked for")


@case("P-PIN-02", nature=Nature.INOPPORTUNE, zh="從未設定之密碼不予比對：6984", destructive=True)
def test_pin_that_was_never_set_is_not_compared(hpc: HpcTester) -> None:
    """A PIN that was never set is not compared, and no try is spent."""
    pins.pin_that_was_never_set_is_not_compared(hpc)


@case("P-PIN-05", nature=Nature.INVALID, zh="無解鎖碼之卡：6A81", destructive=True)
def test_card_without_a_puk_is_not_unlocked(hpc: HpcTester) -> None:
    """A card that was made without a PUK says so, and its PIN stays."""
    hpc.insert(MadeUp(cells={"pin.puk": b""}))
    hpc.says(hpc.unblock(PUK, "1111"), 0x6A81, "unblock")
    hpc.says(hpc.pin(PIN), 0x9000, "the PIN stays")


@case("P-PIN-05", nature=Nature.VALID, zh="解鎖碼解鎖並設新密碼", destructive=True)
def test_puk_unlocks(hpc: HpcTester) -> None:
    """The PUK unlocks a locked card and sets a new PIN with all its tries, which is verified at once."""
    hpc.insert()
    for _ in range(3):
        hpc.ask(hpc.pin(WRONG), "wrong PIN")
    hpc.says(hpc.unblock(PUK, "1111"), 0x9000, "unblock")
    hpc.says(PIN_STATE, 0x9000, "verified")
    hpc.reset()
    hpc.says(hpc.pin(PIN), 0x63C2, "the old one")
    hpc.says(hpc.pin("1111"), 0x9000, "the new one")


@case("P-PIN-05", nature=Nature.LIMIT, zh="解鎖碼十次；正確者使次數恢復", destructive=True)
def test_puk_has_tries_of_its_own(hpc: HpcTester) -> None:
    """Ten wrong PUKs and none is taken, also after a reset; the right one before that gives all of them back."""
    hpc.insert()
    hpc.says(hpc.unblock("00000000", "1111"), 0x63C9, "wrong PUK")
    hpc.says(hpc.unblock(PUK, "1111"), 0x9000, "right PUK")
    for left in range(_PUK_TRIES - 1, -1, -1):
        hpc.says(hpc.unblock("00000000", "2222"), 0x63C0 | left, "wrong PUK")
    hpc.says(hpc.unblock(PUK, "2222"), 0x6983, "right PUK, too late")
    hpc.reset()
    hpc.says(hpc.unblock(PUK, "2222"), 0x6983, "right PUK after a reset")
    hpc.says(hpc.pin("1111"), 0x9000, "the PIN stays")


@case("P-PIN-05", nature=Nature.INVALID, zh="格式錯誤之解鎖：6A80，不計次數", destructive=True)
def test_malformed_unblock_costs_no_try(hpc: HpcTester) -> None:
    """A PUK without a PIN, with what is no PIN, or of another length is refused and costs no try."""
    hpc.insert()
    right = hpc.unblock(PUK, "1111").data
    for data in (right[:8], right[:-1], right + b"\xff", hpc.unblock(PUK, "12").data, hpc.unblock(PUK, "abcd").data, b""):
        hpc.says(Command(0, 0x2C, 0, 0x81, data), 0x6A80, f"unblock with {len(data)} bytes")
    hpc.says(hpc.unblock("00000000", "1111"), 0x63C9, "a wrong PUK is the first that counts")
    hpc.says(hpc.pin(PIN), 0x9000, "the PIN stays")


@case("P-PIN-02", "P-COS-07", nature=Nature.MEDIUM, zh="抽卡不能多得嘗試次數", destructive=True)
def test_no_try_is_won_by_pulling(hpc: HpcTester) -> None:
    """The card pulled at any point of a comparison: no more than three are ever made."""
    pins.no_try_is_won_by_pulling(hpc, hpc.insert)


@case("P-PIN-03", "P-COS-07", nature=Nature.MEDIUM, zh="變更密碼中抽卡：非舊即新", destructive=True)
def test_torn_change_is_old_or_new(hpc: HpcTester) -> None:
    """The card pulled at any point of a change holds the old PIN or the new one."""
    pins.torn_change_is_old_or_new(hpc, hpc.insert)


@case("P-PIN-05", "P-COS-07", nature=Nature.MEDIUM, zh="解鎖中抽卡：解鎖碼次數不增", destructive=True)
def test_torn_unblock_wins_no_try(hpc: HpcTester) -> None:
    """A wrong PUK torn at any point never leaves more tries than before; the PIN stays."""
    for point in range(9):
        hpc.insert()
        hpc.torn(hpc.unblock("00000000", "1111"), point, f"wrong PUK, torn at {point}")
        word = hpc.ask(hpc.unblock("00000000", "1111"), "another").sw
        expected = (0x63C8, 0x63C9) if point < 3 else (0x63C8,)
        hpc.expect(f"torn at {point}: tries left", word in expected, "fewer", f"{word:04X}")
        hpc.says(hpc.pin(PIN), 0x9000, "the PIN stays")
