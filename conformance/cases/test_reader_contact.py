"""A reader with a card in its slot or a chip in its field: which generation it is, the PIN typed at it, who proves themselves."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from conformance.case import Each, Nature, case
from conformance.chips import MadeUp
from conformance.kinds.reader import ReaderTester, Task
from conformance.references.card import reference_card
from conformance.references.reader import HOLDER_PIN
from conformance.references.second import ReferenceSecond
from conformance.vectors.world import CARD_NO, World
from virtual_devices.apdu import Command
from virtual_devices.card.second import SecondCard
from virtual_devices.link import Device
from virtual_devices.mdoc import nfc_retrieval, type4

SLOT, FIELD = ("contact",), ("nfc",)
SELECT, READ_BINARY, ENVELOPE, VERIFY, NAME_PARTY, PROVE = 0xA4, 0xB0, 0xC3, 0x20, 0x22, 0x88
NO_SAM, NO_HPC, NO_CARD, NOT_A_CARD = "4012", "4014", "4013", "4033"


def _second(reader: ReaderTester, protocol: str = "contact", **personal: Any) -> SecondCard:
    made = ReferenceSecond(reader.world, protocol, reader.name)
    made.personalise(**personal)
    return made.card


def _first(reader: ReaderTester, world: World | None = None) -> Device:
    """A card of the first generation, of the world that the reader trusts or another."""
    return reference_card(world or reader.world, "contact", reader.name).device(MadeUp())


def _sent(commands: list[bytes]) -> list[Command]:
    return [Command.parse(raw) for raw in commands]


# -- which card it is

@case("P-CHP-10", "P-CHP-05", nature=Nature.VALID, zh="先選卡片應用以辨世代；接觸交遞", channels=SLOT)
def test_second_card_is_found_and_read_by_contact(reader: ReaderTester) -> None:
    """The reader selects the card application first, reads the files behind it, and speaks to it without another SELECT."""
    reader.give_lists()
    told, commands = reader.present_chip(_second(reader).contact)
    reader.done(told)
    sent = _sent(commands)
    reader.equal("the first command", (sent[0].ins, sent[0].p1, sent[0].data), (SELECT, 4, nfc_retrieval.AID))
    files = [one.data for one in sent if one.ins == SELECT and one.p1 != 4]
    reader.equal("files read", files[:2], [type4.CC_FILE.to_bytes(2, "big"), type4.NDEF_FILE.to_bytes(2, "big")])
    first = next(at for at, one in enumerate(sent) if one.ins == ENVELOPE)
    after = [one for one in sent[first:] if one.ins == SELECT]
    reader.equal("SELECT commands within the session", after, [])


@case("P-CHP-06", nature=Nature.VALID, zh="T=0：末段 ENVELOPE 不帶 Le，欄位 255 位元組", channels=SLOT)
def test_second_card_is_read_over_t0(reader: ReaderTester) -> None:
    """Over T=0 no ENVELOPE has Le or extended length, and links bring 255 bytes at most."""
    reader.give_lists()
    told, commands = reader.present_chip(_second(reader, "contact-t0").contact)
    reader.done(told)
    links = [one for one in _sent(commands) if one.ins == ENVELOPE]
    reader.expect("there are links", bool(links), "some", "none")
    reader.equal("Le and extended length", {(one.le, one.extended) for one in links}, {(None, False)})
    reader.expect("data of a link", max(len(one.data) for one in links) <= 255, 255, max(len(one.data) for one in links))


@case("P-CHP-10", nature=Nature.VALID, zh="待持卡人者：於讀卡機輸入密碼，同一會話再要求", channels=(*SLOT, *FIELD))
def test_pin_is_typed_at_the_reader(reader: ReaderTester) -> None:
    """Where a phone's holder is asked on the screen the PIN is typed at the reader, after VERIFY without data has told that it is
    a card, and the request goes again in the same session."""
    reader.give_lists()
    card = _second(reader, pin=HOLDER_PIN)
    told, commands = reader.present_chip(card.contact if reader.channel == "contact" else card.contactless, Task.CONSULT)
    reader.done(told)
    sent = _sent(commands)
    typed = [at for at, one in enumerate(sent) if one.ins == VERIFY and one.data]
    reader.equal("PINs typed", len(typed), 1)
    asked = [at for at, one in enumerate(sent) if one.ins == VERIFY and not one.data]
    reader.expect("it asks first whether a PIN is wanted", bool(asked) and asked[0] < typed[0], "before", asked)
    reader.expect("a request after it", any(one.ins == ENVELOPE for one in sent[typed[0] :]), "one", "none")
    again = [one for one in sent[typed[0] :] if one.ins in (SELECT, READ_BINARY)]
    reader.equal("new engagements after it", again, [])


# -- a card of the first generation

@case("P-DSK-01", "P-CHP-10", nature=Nature.VALID, zh="舊卡：安全模組與卡片互證，再由醫事人員卡證明", channels=SLOT)
def test_parties_prove_themselves_in_order(reader: ReaderTester) -> None:
    """With a card of the first generation SAM and card prove themselves to each other first, then the professional's card."""
    reader.give_lists()
    told, commands = reader.present_chip(_first(reader))
    reader.done(told)
    reader.equal("the card", told.card_no, CARD_NO)
    sent = _sent(commands)
    named = [one.data[-1] for one in sent if one.ins == NAME_PARTY]
    reader.equal("parties named to the card, in order", list(dict.fromkeys(named)), [2, 3])
    proofs = [at for at, one in enumerate(sent) if one.ins == PROVE]
    reader.expect("the card is asked to prove itself", bool(proofs), "INTERNAL AUTHENTICATE", "none")
    professional = next(at for at, one in enumerate(sent) if one.ins == NAME_PARTY and one.data[-1] == 3)
    reader.expect("before the professional comes", proofs[0] < professional, professional, proofs[0])


@case("P-DSK-02", nature=Nature.MEDIUM, zh="缺安全模組、醫事人員卡或健保卡：指出是哪一張", channels=SLOT, each=lambda: {
    "sam": Each(("sam", NO_SAM), "Without its SAM", "缺安全模組"), "hpc": Each(("hpc", NO_HPC), "Without a professional's card",
                                                                       "缺醫事人員卡"),
    "card": Each(("card", NO_CARD), "Without a patient's card", "缺健保卡"),
})
def test_party_that_is_not_there_is_named(reader: ReaderTester, tried: tuple[str, str]) -> None:
    """A desk that cannot have one of the three says by the field's code which."""
    role, code = tried
    if role != "card":
        reader.take_out(role)
        told, _ = reader.present_chip(_first(reader))
    else:
        told, _ = reader.present_chip(None)
    reader.equal("code", told.code, code)
    reader.equal("nothing of the card", told.card_no, "")


@case("P-DSK-02", nature=Nature.ATTACK, zh="卡片不能證明身分：指出是健保卡", channels=SLOT, each=lambda: {
    "not-a-card": Each("not-a-card", "Another chip", "別的晶片"), "stranger": Each("stranger", "A card of another authority",
                                                                       "別的發卡者之卡"),
})
def test_card_that_proves_nothing_is_named(reader: ReaderTester, what: str) -> None:
    """A chip that is no patient card, and a card that cannot prove itself, are refused by codes that name the card."""
    if what == "not-a-card":
        told, _ = reader.present_chip(_Mute())
        reader.equal("code", told.code, NOT_A_CARD)
        return
    told, _ = reader.present_chip(_first(reader, replace(reader.world, trusted=reader.world.stranger)))
    reader.expect("it is refused", told.code != "0", "a code", told.code)
    reader.expect("the text names the card", "card" in told.text, "card", told.text)


class _Mute:
    """A chip that knows no command."""

    atr = bytes.fromhex("3B00")

    def power_on(self) -> bytes:
        return self.atr

    def handle(self, request: bytes, now_ns: int) -> bytes:
        return b"\x6d\x00"

    def power_off(self) -> None:
        return
