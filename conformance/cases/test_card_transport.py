"""How a patient card's commands and answers are carried: wrong lengths, pieces, links, over T=1 and over T=0."""

from __future__ import annotations

from conformance import command_loop
from conformance.case import Each, Nature, case
from conformance.command_loop import CHAIN_LIMIT, GET_RESPONSE
from conformance.kinds.card import PUBLIC, PUBLIC_BYTES, CardTester
from virtual_devices.apdu import Command


def _t1(card: CardTester) -> None:
    if card.handle.t0:
        card.not_applicable("the card speaks T=0")


def _t0(card: CardTester) -> None:
    if not card.handle.t0:
        card.not_applicable("the card speaks T=1")


@case("P-COS-01", nature=Nature.LIMIT, zh="T=1：Le 過短即告知正確長度，恰好則給", each=lambda: {
    "1": Each((1, 0x6C39)), "56": Each((56, 0x6C39)), "57": Each((57, 0x9000)), "58": Each((58, 0x9000)),
    "255": Each((255, 0x9000)),
})
def test_wrong_le_is_told(card: CardTester, lengths: tuple[int, int]) -> None:
    """Over T=1 an Le that is too short for the public data is answered with the right one; one that will do with the data."""
    card.insert()
    _t1(card)
    le, word = lengths
    answer = card.send(Command(0, 0xCA, 0x11, 0x00, b"\0\0", le), "public data")
    card.word(answer, word, "public data")
    card.equal("bytes", len(answer.data), PUBLIC_BYTES if word == 0x9000 else 0)


@case("P-COS-02", nature=Nature.VALID, zh="T=0：資料以 61xx 告知，取回一次")
def test_t0_data_are_announced_and_fetched(card: CardTester) -> None:
    """Over T=0 the public data are announced, told their length by GET RESPONSE, fetched once."""
    card.insert()
    _t0(card)
    for raw in (PUBLIC, PUBLIC + "00"):
        card.equal("answer", card.send(raw, "public data").to_bytes(), bytes.fromhex("6139"))
        card.word(card.send(GET_RESPONSE, "wrong Le"), 0x6C39, "wrong Le")
        answer = card.send("00C0000039", "fetched")
        card.word(answer, 0x9000, "fetched")
        card.equal("bytes", len(answer.data), PUBLIC_BYTES)
        card.word(card.send("00C0000039", "fetched again"), 0x6985, "fetched again")


@case("P-COS-02", nature=Nature.VALID, zh="T=0：資料可分次取回")
def test_t0_data_are_fetched_in_pieces(card: CardTester) -> None:
    """Over T=0 what waits can be fetched piece by piece, and each time the card says what is left."""
    card.insert()
    _t0(card)
    card.equal("announced", card.send(PUBLIC, "public data").to_bytes(), bytes.fromhex("6139"))
    first = card.send("00C0000030", "first piece")
    card.equal("left after the first piece", f"{first.sw:04X}", "6109")
    card.word(card.send("00C000000A", "too much"), 0x6C09, "too much")
    second = card.send("00C0000009", "second piece")
    card.word(second, 0x9000, "second piece")
    card.equal("the pieces together", first.data + second.data, card.must(PUBLIC, "the whole"))


@case("P-COS-02", nature=Nature.INVALID, zh="T=0：Le 不符即 6Cxx；延伸長度 6700", each=lambda: {
    "shorter": Each(("00B2011C08", 0x6C09)), "longer": Each(("00B2011C0A", 0x6C09)), "le-00": Each(("00B2011C00", 0x6C09)),
    "right": Each(("00B2011C09", 0x9000)), "extended-le": Each(("00B2011C000009", 0x6700)),
    "extended-data": Each(("00CA11000000020000", 0x6700)),
})
def test_t0_wrong_le_is_told(card: CardTester, wrong: tuple[str, int]) -> None:
    """Over T=0 an area is read with the right Le only; extended length is refused."""
    card.insert()
    _t0(card)
    raw, word = wrong
    card.word(card.send(raw, "read"), word, "read")


@case("P-COS-01", "P-COS-02", nature=Nature.INOPPORTUNE, zh="取回資料：無資料 6985、參數 6A86、附資料 6700",
      each=command_loop.get_responses)
def test_get_response_without_need_is_refused(card: CardTester, wrong: tuple[str, int]) -> None:
    """GET RESPONSE when nothing waits, with parameters or with data is refused."""
    command_loop.refused_and_goes_on(card, *wrong)


@case("P-COS-01", "P-COS-02", "P-COS-05", nature=Nature.INOPPORTUNE, zh="等待取回之資料：別的指令或重置後即消失",
      destructive=True)
def test_what_waits_is_dropped(card: CardTester) -> None:
    """Data that wait to be fetched are gone after another command, and after a reset."""
    for between in ("another command", "a reset"):
        card.at_desk()
        if card.handle.t0:
            waits = card.send(PUBLIC, "public data").sw == 0x6139
        else:
            waits = card.send("00B2018D0A", "vaccinations, ten bytes at a time").sw == 0x6100
        card.need("data wait", waits)
        if between == "a reset":
            card.reset()
        else:
            card.must("0084000008", "a challenge")
        card.word(card.send("00C0000001", f"get response after {between}"), 0x6985, f"get response after {between}")


@case("P-COS-01", "P-COS-02", "P-ICC-04", nature=Nature.VALID, zh="長資料：整批、分段、逐筆讀取結果相同", destructive=True)
def test_long_data_are_the_same_however_they_are_read(card: CardTester) -> None:
    """An area of 1400 bytes is the same in pieces, in one extended answer where the card takes that, and record by record."""
    card.at_desk()
    long = Command(0, 0xB2, 1, 17 << 3 | 5, le=256)
    answer = card.send(long, "first piece")
    card.equal("left after the first piece", (f"{answer.sw:04X}", len(answer.data)), ("6100", 256))
    card.equal("too small an Le", f"{card.send('00B2018D0A', 'ten bytes').sw:04X}", "6C00" if card.handle.t0 else "6100")
    whole = card.ask(long, "whole area")
    card.word(whole, 0x9000, "whole area")
    card.equal("bytes", len(whole.data), 1400)
    one_by_one = [card.must(card.area("inoculation", number), f"record {number}") for number in range(1, 41)]
    card.equal("records one by one", b"".join(one_by_one), whole.data)


@case("P-COS-03", nature=Nature.VALID, zh="指令串接：兩節合為一")
def test_command_in_links_is_one(card: CardTester) -> None:
    """The public data are given to a command in two links."""
    card.insert()
    card.word(card.send("10CA11000100", "first link"), 0x9000, "first link")
    answer = card.ask("00CA11000100", "last link")
    card.word(answer, 0x9000, "last link")
    card.equal("bytes", len(answer.data), PUBLIC_BYTES)


@case("P-COS-03", nature=Nature.INOPPORTUNE, zh="串接中插入別的指令：6883，串接作廢", each=lambda: {
    "other-data": Each(("00CA00000100", 0x6883)), "other-instruction": Each(("0084000008", 0x6883)),
    "get-response": Each((GET_RESPONSE, 0x6883)), "unknown-instruction": Each(("0099000000", 0x6D00)),
    "unknown-class": Each(("C0CA110000", 0x6E00)),
})
def test_command_in_between_ends_a_chain(card: CardTester, between: tuple[str, int]) -> None:
    """Another command within a chain is refused, and the chain is forgotten."""
    card.insert()
    card.word(card.send("10CA11000100", "first link"), 0x9000, "first link")
    raw, word = between
    card.word(card.send(raw, "another command"), word, "another command")
    answer = card.send("00CA11000100", "last link of what was forgotten")
    card.word(answer, 0x6700, "last link of what was forgotten")
    card.says(PUBLIC, 0x9000, "public data afterwards")


@case("P-COS-03", "P-COS-05", nature=Nature.INOPPORTUNE, zh="重置後串接作廢")
def test_reset_ends_a_chain(card: CardTester) -> None:
    """A chain that was begun before a reset is forgotten."""
    card.insert()
    card.word(card.send("10CA11000100", "first link"), 0x9000, "first link")
    card.reset()
    card.word(card.send("00CA11000100", "last link after a reset"), 0x6700, "last link after a reset")
    card.says(PUBLIC, 0x9000, "public data afterwards")


@case("P-COS-03", nature=Nature.LIMIT, zh="串接最長 8192 位元組；再長即 6700")
def test_chain_has_a_limit(card: CardTester) -> None:
    """A chain of 8192 bytes is taken; one byte more is refused by 6700, and the chain is forgotten."""
    card.insert()
    link = Command(0x10, 0xCA, 0x11, 0x00, b"x" * 255)
    for number in range(CHAIN_LIMIT // 255):
        card.word(card.send(link, f"link {number}"), 0x9000, f"link {number}")
    rest = CHAIN_LIMIT % 255
    card.word(card.send(Command(0x10, 0xCA, 0x11, 0x00, b"x" * rest), "up to the limit"), 0x9000, "up to the limit")
    card.word(card.send(Command(0x10, 0xCA, 0x11, 0x00, b"x"), "beyond it"), 0x6700, "beyond it")
    card.says(PUBLIC, 0x9000, "public data afterwards")
