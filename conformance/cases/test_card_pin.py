"""The PIN of a patient card's holder: comparing, counting, changing, switching off; and what pulling the card does not win."""

from __future__ import annotations

from functools import partial

from conformance import pins
from conformance.case import Nature, case
from conformance.chips import PIN_OFF, PIN_ON, PIN_STATE, MadeUp
from conformance.kinds.card import CardTester
from conformance.pins import PIN, WRONG
from virtual_devices.apdu import Command
from virtual_devices.authentication import Party

_LOCKED = MadeUp(personal={"pin": PIN})


@case("P-PIN-02", nature=Nature.LIMIT, zh="連續三次錯誤即鎖，重置亦不能解", destructive=True)
def test_tries_run_out(card: CardTester) -> None:
    """Three wrong PINs lock the card; neither the right one nor a reset unlocks it."""
    card.insert(_LOCKED)
    pins.tries_run_out(card)


@case("P-PIN-02", nature=Nature.VALID, zh="正確之密碼使次數恢復", destructive=True)
def test_right_pin_gives_tries_back(card: CardTester) -> None:
    """The right PIN gives all tries back; what was spent outlives a reset."""
    card.insert(_LOCKED)
    pins.right_pin_gives_tries_back(card)


@case("P-PIN-02", nature=Nature.INVALID, zh="再次輸入錯誤，先前之驗證即失效", destructive=True)
def test_wrong_pin_takes_back_what_was_verified(card: CardTester) -> None:
    """A wrong PIN after the right one takes back what was verified."""
    card.insert(_LOCKED)
    pins.wrong_pin_takes_back_what_was_verified(card)


@case("P-PIN-01", nature=Nature.INVALID, zh="不成密碼者：6A80，不計次數", destructive=True, each=pins.no_pins)
def test_no_pin_costs_no_try(card: CardTester, block: bytes) -> None:
    """What could never be a PIN is refused and costs no try, and cannot be set."""
    card.at_desk(_LOCKED)
    pins.no_pin_costs_no_try(card, block)


@case("P-PIN-01", nature=Nature.INVALID, zh="他種參照：6A86", destructive=True)
def test_other_references_are_refused(card: CardTester) -> None:
    """Other references than the PIN's are refused."""
    card.at_desk(_LOCKED)
    pins.other_references_are_refused(card)


@case("P-PIN-01", "P-PIN-03", nature=Nature.LIMIT, zh="四至六位數字皆可設為密碼", destructive=True)
def test_limits_of_length(card: CardTester) -> None:
    """PINs of four and of six digits can be set."""
    card.at_desk(_LOCKED)
    pins.limits_of_length(card)


@case("P-PIN-03", nature=Nature.INOPPORTUNE, zh="變更密碼須先驗證舊密碼", destructive=True)
def test_change_needs_the_old_pin(card: CardTester) -> None:
    """A new PIN needs the old one verified, and has all its tries."""
    card.at_desk(_LOCKED)
    pins.change_needs_the_old_pin(card)


@case("P-PIN-03", nature=Nature.VALID, zh="變更密碼後次數恢復", destructive=True)
def test_new_pin_has_all_its_tries(card: CardTester) -> None:
    """After a change all tries are there, whatever was spent before and whoever guesses now."""
    card.at_desk(_LOCKED)
    card.must(card.pin(PIN), "PIN")
    card.must(card.change("4321"), "change")
    card.says(card.pin(WRONG), 0x63C2, "wrong PIN")


@case("P-PIN-03", "P-PIN-04", nature=Nature.INOPPORTUNE, zh="無安全模組：密碼不得變更、開啟或關閉", destructive=True)
def test_pin_is_set_before_a_sam_only(card: CardTester) -> None:
    """Without a proved SAM no PIN is set, changed, switched off or on."""
    card.insert(_LOCKED)
    card.must(card.pin(PIN), "PIN")
    card.says(card.change("1111"), 0x6982, "change")
    card.says(PIN_OFF, 0x6982, "switch off")
    card.says(PIN_ON, 0x6982, "switch on")
    card.insert()
    card.says(card.change("1111"), 0x6982, "a first PIN")
    card.says(PIN_STATE, 0x9000, "no PIN is asked for")


@case("P-PIN-04", nature=Nature.VALID, zh="持卡人可設定、關閉、重新開啟密碼", destructive=True)
def test_holder_sets_switches_off_and_on(card: CardTester) -> None:
    """Before a proved SAM the holder sets a first PIN, switches it off and on again; while it is off none is compared."""
    card.at_desk()
    card.says(PIN_STATE, 0x9000, "no PIN is asked for")
    card.says(card.pin("1234"), 0x6984, "a PIN where there is none")
    card.says(PIN_ON, 0x6984, "switch on what was never set")
    card.says(card.change("1234"), 0x9000, "a first PIN")
    card.reset()
    card.prove(Party.SAM)
    card.says(PIN_STATE, 0x63C3, "it is asked for")
    for command in (PIN_OFF, PIN_ON, card.change("1111")):
        card.says(command, 0x6982, "without the PIN")
    card.says(card.area("visit"), 0x6982, "visits without the PIN")
    card.must(card.pin("1234"), "PIN")
    card.says(PIN_OFF, 0x9000, "switch off")
    card.says(card.pin("1234"), 0x6984, "compared while it is off")
    card.reset()
    card.prove(Party.SAM)
    card.says(PIN_STATE, 0x9000, "not asked for")
    card.says(card.area("visit"), 0x9000, "visits without a PIN")
    card.says(PIN_ON, 0x9000, "switch on")
    card.reset()
    card.says(PIN_STATE, 0x63C3, "asked for again")
    card.says(card.pin("1234"), 0x9000, "the same PIN")


@case("P-PIN-04", nature=Nature.INVALID, zh="開關密碼之參數錯誤：6A86", destructive=True)
def test_wrong_switches_are_refused(card: CardTester) -> None:
    """Switching off and on with another reference, or with data, is refused, and nothing is switched."""
    card.at_desk(_LOCKED)
    card.must(card.pin(PIN), "PIN")
    for ins in (0x26, 0x28):
        for p1, p2, data in ((0, 0x81, b""), (1, 0x82, b""), (1, 0x80, b""), (1, 0x81, card.pin(PIN).data)):
            card.says(Command(0, ins, p1, p2, data), 0x6A86, f"instruction {ins:02X} {p1:02X}{p2:02X}")
    card.reset()
    card.says(PIN_STATE, 0x63C3, "still asked for")


@case("P-PIN-04", nature=Nature.INOPPORTUNE, zh="從未設定之密碼不予比對：6984", destructive=True)
def test_pin_that_was_never_set_is_not_compared(card: CardTester) -> None:
    """A PIN that was never set is not compared, and no try is spent."""
    pins.pin_that_was_never_set_is_not_compared(card)


@case("P-PIN-05", nature=Nature.INVALID, zh="健保卡無解鎖碼：6A81", destructive=True)
def test_card_has_no_puk(card: CardTester) -> None:
    """A patient card has no PUK, locked or not."""
    card.insert(_LOCKED)
    card.says(card.unblock("13579024", "1111"), 0x6A81, "unblock")
    for _ in range(3):
        card.ask(card.pin(WRONG), "wrong PIN")
    card.says(card.unblock("13579024", "1111"), 0x6A81, "unblock when locked")
    card.says(card.pin(PIN), 0x6983, "right PIN, too late")


@case("P-PIN-02", "P-COS-07", nature=Nature.MEDIUM, zh="抽卡不能多得嘗試次數", destructive=True)
def test_no_try_is_won_by_pulling(card: CardTester) -> None:
    """The card pulled at any point of a comparison: no more than three are ever made."""
    pins.no_try_is_won_by_pulling(card, partial(card.insert, _LOCKED))


@case("P-PIN-03", "P-COS-07", nature=Nature.MEDIUM, zh="變更密碼中抽卡：非舊即新", destructive=True)
def test_torn_change_is_old_or_new(card: CardTester) -> None:
    """The card pulled at any point of a change holds the old PIN or the new one."""
    pins.torn_change_is_old_or_new(card, partial(card.at_desk, _LOCKED))
