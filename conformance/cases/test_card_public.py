"""What every reader in the field may ask a patient card, byte for byte, and what it hears when it asks for something else."""

from __future__ import annotations

from conformance import command_loop
from conformance.case import Each, Nature, case
from conformance.chips import MadeUp
from conformance.kinds.card import CARD_NUMBER, PUBLIC, PUBLIC_BYTES, PUBLIC_LE, SELECT, CardTester
from virtual_devices.apdu import Command
from virtual_devices.authentication import Party

_FORMS = {
    "16-bytes": SELECT, "16-bytes-with-le": SELECT + "00", "15-bytes-with-le": "00A404000FD1580000010000000000000000001100",
}
_FOREIGN_SELECTS = {
    "payment": "00A4040008A000000003000000", "payment-environment": "00A4040C0BA000000063504B43532D3135",
    "master-file": "00A4000C023F00", "master-file-with-data": "00A40000023F00", "path": "00A4080C022F00", "nothing": "00A40000",
    "file": "00A4020C020002", "no-name": "00A40400", "beginning-of-the-name": "00A4040005D158000001",
    "one-byte-longer": "00A404001100D1580000010000000000000000001100", "passport": "00A4040007A0000002471001",
    "citizen-card": "00A4040009A00000039742544659", "security-module": "00A4040010D1580000010000000000000000003100",
    "right-name-as-a-path": "00A4080010D1580000010000000000000000001100",
}
_WRONG = {
    "read-binary": ("00B0000000", 0x6D00), "data-object-006e": ("00CA006E00", 0x6A88), "data-object-9f7f": ("80CA9F7F00", 0x6A88),
    "data-object-2400": ("00CA240002000000", 0x6A88), "instruction-00": ("0000000000", 0x6D00),
    "class-c0": ("C0A4000002", 0x6E00),
    "class-ff": ("FFCA000000", 0x6E00), "class-a0": ("A0A40000023F00", 0x6E00), "class-of-a-channel": ("01CA1100020000", 0x6E00),
    "public-data-without-data": ("00CA1100", 0x6700), "public-data-with-le-alone": ("00CA110000", 0x6700),
    "public-data-one-byte": ("00CA11000100", 0x6700), "public-data-three-bytes": ("00CA110003000000", 0x6700),
    "public-data-offset-1": ("00CA1100020001", 0x6A80), "public-data-offset-256": ("00CA1100020100", 0x6A80),
    "no-area": ("00B201FC00", 0x6A82), "area-18-bits": ("00B2010400", 0x6A82), "record-0": ("00B2001C00", 0x6A83),
    "record-2-of-1": ("00B2021C00", 0x6A83), "next-record": ("00B2011A00", 0x6A86), "first-record": ("00B2011800", 0x6A86),
    "up-to-this-record": ("00B2011E00", 0x6A86), "read-record-with-data": ("00B2011C0100", 0x6700),
    "challenge-p1": ("0084010008", 0x6A86), "challenge-p2": ("0084000108", 0x6A86),
    "challenge-with-data": ("008400000100", 0x6A86),
    "challenge-of-7": ("0084000007", 0x6700), "challenge-of-33": ("0084000021", 0x6700),
}


_OF_WHAT = {"challenge": ("P-COS-04", "P-COS-06"), **dict.fromkeys(
    ("no-area", "area", "record", "next-record", "first-record", "up-to-this-record", "read-record"),
    ("P-COS-04", "P-ICC-04", "P-ICC-11"))}
"""What a card must know for a command to be wrong in no more than its parameters."""


def _goes_on(card: CardTester) -> None:
    """Whatever was asked, the next reader gets the public data."""
    data = card.says(PUBLIC, 0x9000, "public data afterwards")
    card.equal("bytes of public data afterwards", len(data), PUBLIC_BYTES)


@case("P-ICC-02", nature=Nature.VALID, zh="公開基本資料：有無 Le 皆讀得 57 位元組",
      each=lambda: {"without-le": Each(PUBLIC), "with-le": Each(PUBLIC_LE), "with-its-length": Each(PUBLIC + "39")})
def test_public_data_are_read(card: CardTester, raw: str) -> None:
    """The public data, as readers in the field ask for them, are 57 bytes with every field where it belongs."""
    card.insert()
    data = card.says(raw, 0x9000, "public data")
    card.equal("bytes", len(data), PUBLIC_BYTES)
    card.expect("the card number is 12 digits", data[:12].isdigit(), "digits", data[:12])
    card.expect("the ID number is a letter and nine digits", data[32:33].isalpha() and data[33:42].isdigit(), "", data[32:42])
    card.expect("birth date and issue date are digits", (data[42:49] + data[50:57]).isdigit(), "digits", data[42:57])
    card.expect("sex is M or F", data[49:50] in (b"M", b"F"), "M or F", data[49:50])
    name = data[12:32].rstrip(b" \0")
    card.expect("the name is at the left, filled with spaces or NUL", bool(name) and b"\0" not in name, "", data[12:32])


@case("P-ICC-02", "P-COS-01", nature=Nature.VALID, zh="公開基本資料：延伸長度亦可（T=1）")
def test_public_data_are_read_with_extended_length(card: CardTester) -> None:
    """Over T=1 the public data are read with extended length fields, with and without Le."""
    card.insert()
    if card.handle.t0:
        card.not_applicable("the card speaks T=0")
    expected = card.must(PUBLIC, "public data")
    for raw in ("00CA11000000020000", "00CA110000000200000000"):
        answer = card.send(raw, "public data, extended")
        card.word(answer, 0x9000, "public data, extended")
        card.equal("public data, extended", answer.data, expected)


@case("P-ICC-03", nature=Nature.VALID, zh="卡號：12 位元組，即公開資料之首")
def test_card_number_is_the_first_field(card: CardTester) -> None:
    """The card number is what the public data begin with."""
    card.insert()
    card.says(CARD_NUMBER, 0x9000, "card number", card.must(PUBLIC, "public data")[:12])


@case("P-ICC-01", nature=Nature.VALID, zh="選取應用：16 位元組或 15 位元組附 Le",
      each=lambda: {name: Each(raw) for name, raw in _FORMS.items()})
def test_application_is_selected(card: CardTester, raw: str) -> None:
    """SELECT by the name of the application is accepted in both forms in the field; a card without SELECT says so."""
    card.insert()
    word = 0x6D00 if _without_select(card) else 0x9000
    card.word(card.send(raw, "select"), word, "select")
    _goes_on(card)


@case("P-ICC-13", nature=Nature.VALID, zh="不支援選取之卡：一律 6D00，資料照給")
def test_card_without_select_says_so(card: CardTester) -> None:
    """A card of the kind that knows no SELECT answers the right one and a foreign one by 6D00, and gives the public data."""
    card.insert(MadeUp(personal={"profile": "y2025"}))
    for raw in (SELECT, _FOREIGN_SELECTS["payment"], _FOREIGN_SELECTS["master-file"]):
        card.word(card.send(raw, "select"), 0x6D00, "select")
    _goes_on(card)


@case("P-ICC-01", nature=Nature.INVALID, zh="選取他種應用：6A82，卡片照常",
      each=lambda: {name: Each(raw) for name, raw in _FOREIGN_SELECTS.items()})
def test_foreign_select_is_refused(card: CardTester, raw: str) -> None:
    """SELECT of another application or file is refused by 6A82, and the card goes on."""
    card.insert()
    word = 0x6D00 if _without_select(card) else 0x6A82
    card.word(card.send(raw, "foreign select"), word, "foreign select")
    _goes_on(card)


def _without_select(card: CardTester) -> bool:
    return card.send(SELECT, "the right select").sw == 0x6D00


@case("P-COS-04", "P-ICC-10", nature=Nature.INVALID, zh="錯誤之類別、指令、參數、長度：各有其狀態碼，卡片照常",
      each=lambda: {name: Each(wrong, clauses=next(
          (clauses for begin, clauses in _OF_WHAT.items() if name.startswith(begin)), ())) for name, wrong in _WRONG.items()})
def test_wrong_command_is_refused(card: CardTester, wrong: tuple[str, int]) -> None:
    """A command of a wrong class, instruction, parameter or length is refused by its status word, and the card goes on."""
    command_loop.refused_and_goes_on(card, *wrong)


@case("P-ICC-10", nature=Nature.ATTACK, zh="其他資料物件一概不公開：6A88")
def test_no_other_data_object_is_public(card: CardTester) -> None:
    """Nobody is given a data object but the public data, the card number and the certificate: 6A88 for every other."""
    card.insert()
    for high in range(256):
        for low in (0x00, 0x11, 0x21) if high not in (0x00, 0x11, 0x7F) else (0x01, 0x12, 0x22):
            command = Command(0x00, 0xCA, high, low, b"\0\0", le=256)
            answer = card.send(command, "another data object")
            card.equal(f"status word for {high:02X}{low:02X}", f"{answer.sw:04X}", "6A88")


@case("P-COS-04", nature=Nature.INVALID, zh="不成指令之位元組：6700，卡片照常",
      each=command_loop.no_commands)
def test_what_is_no_command_is_refused(card: CardTester, raw: str) -> None:
    """Bytes that are no command are refused by 6700, and the card goes on."""
    command_loop.refused_and_goes_on(card, raw, 0x6700)


@case("P-COS-04", "P-COS-06", nature=Nature.LIMIT, zh="最短之指令：4 位元組；延伸 Le：7 位元組")
def test_shortest_commands_are_commands(card: CardTester) -> None:
    """Four bytes are a command, and over T=1 seven with an extended Le alone."""
    command_loop.shortest_commands_are_commands(card)


@case("P-COS-06", nature=Nature.LIMIT, zh="隨機數 8 至 32 位元組，且每次不同",
      each=command_loop.challenges)
def test_challenge_is_fresh(card: CardTester, lengths: tuple[int, int]) -> None:
    """Challenges are as long as asked for, and never the same, not after a reset either."""
    command_loop.challenge_is_fresh(card, lengths)


@case("P-ICC-05", nature=Nature.VALID, zh="憑證鏈：通往主管機關，且所載卡號相符")
def test_certificate_names_the_card(card: CardTester) -> None:
    """The certificate leads to the authority, is a patient card's, and names the number that the public data show."""
    card.insert()
    number = card.must(CARD_NUMBER, "card number").decode("ascii", "replace")
    chain = card.says(Command(0, 0xCA, 0x7F, 0x21, le=256), 0x9000, "certificate")
    card.equal("the card that it names", card.believed(chain).subject_id, number)


@case("P-ICC-13", "P-COS-05", nature=Nature.INOPPORTUNE, zh="選取應用後，先前之驗證即失效", destructive=True)
def test_select_ends_what_was_proved(card: CardTester) -> None:
    """After a right SELECT the SAM that had proved itself has not."""
    card.at_desk()
    if _without_select(card):
        card.not_applicable("the card knows no SELECT")
    card.says(card.area("basic"), 0x6982, "basic data after select")
    card.prove(Party.SAM)
    card.says(card.area("basic"), 0x9000, "basic data after another proof")
