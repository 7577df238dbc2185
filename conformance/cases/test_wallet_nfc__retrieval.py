"""A wallet in a reader's field, retrieval: the commands that carry session messages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from conformance.case import Each, Nature, case
from conformance.commands import Commands, envelope
from conformance.kinds.wallet import REGISTRATION, WalletTester
from virtual_devices.apdu import Command
from virtual_devices.mdoc import nfc_retrieval, type4
from virtual_devices.mdoc.nfc_retrieval import MAX_LINKS, MAX_MESSAGE_BYTES, wrap
from virtual_devices.wallet.consent import Use

NFC, RETRIEVAL = ("nfc",), type4.select(nfc_retrieval.AID)
NOISE = wrap(b"noise")


@case("P-NFC-01", nature=Nature.VALID, zh="選擇取資料之應用", channels=NFC, each=lambda: {
    "p2-00": Each((0x00, 0x9000)), "p2-0c": Each((0x0C, 0x9000)), "p2-04": Each((0x04, 0x6A86), nature=Nature.INVALID),
})
def test_retrieval_is_selected_by_its_name(wallet: WalletTester, tried: tuple[int, int]) -> None:
    """SELECT of retrieval is taken with P2 00 and 0C, and with no other."""
    p2, sw = tried
    field = Commands.met(wallet)
    field.says(replace(RETRIEVAL, p2=p2), sw, "SELECT")


def _breaking() -> Mapping[str, Each]:
    found: tuple[tuple[str, Command | str, int, str, str], ...] = (
        ("no-le", Command(0, 0xC3, 0, 0, NOISE), 0x6700, "Without Le", "未帶 Le"),
        ("le-in-a-link", Command(0x10, 0xC3, 0, 0, NOISE, 256), 0x6700, "Le in a link that is not the last", "非末段卻帶 Le"),
        ("no-data", Command(0, 0xC3, 0, 0, b"", 256), 0x6700, "Without data", "沒有資料"),
        ("other-object", envelope(b"\x54" + NOISE[1:]), 0x6A80, "Another data object", "別的資料物件"),
        ("too-few", envelope(b"\x53\x09noise"), 0x6A80, "Fewer bytes than its length says", "資料短於長度"),
        ("too-many", envelope(b"\x53\x02noise"), 0x6A80, "More bytes than its length says", "資料長於長度"),
        ("too-many-in-a-link", envelope(b"\x53\x02noise", more=True), 0x6A80, "More bytes than its length says, and more to come",
         "資料長於長度，且仍有後續"),
        ("indefinite", envelope(b"\x53\x80noise\0\0"), 0x6A80, "A length that is not definite", "不定長度"),
        ("tag-alone", envelope(b"\x53"), 0x6A80, "The tag alone", "只有標籤"),
        ("five-bytes-of-length", envelope(b"\x53\x85\0\0\0\0\5noise"), 0x6A80, "Five bytes of length", "長度欄五位元組"),
        ("nothing-to-fetch", Command(0, 0xC0, 0, 0, le=256), 0x6985, "GET RESPONSE, and nothing to fetch", "無可取之資料"),
        ("class", replace(envelope(NOISE), cla=0x80), 0x6E00, "Another class", "別的類別"),
        ("instruction", Command(0, 0xCB, 0, 0, NOISE, 256), 0x6D00, "Another instruction", "別的指令"),
        ("p1", replace(envelope(NOISE), p1=1), 0x6A86, "Another P1", "P1 不符"),
        ("p2", replace(envelope(NOISE), p2=1), 0x6A86, "Another P2", "P2 不符"),
        ("no-such-message", envelope(b"\x53\x83\1\0\1" + bytes(9), more=True), 0x6700, "A message of 65537 bytes is announced",
         "預告 65537 位元組之訊息"),
    )
    return {name: Each((command, sw), says, zh) for name, command, sw, says, zh in found}


@case("P-NFC-05", "P-NFC-03", "P-GEN-08",
      nature=Nature.INVALID, zh="不合規則之指令：以狀態字拒絕，會話不受影響", channels=NFC, each=_breaking)
def test_command_that_breaks_a_rule_is_refused(wallet: WalletTester, tried: tuple[Command | str, int]) -> None:
    """A command that breaks a rule is refused by its status word, and the session goes on after it."""
    opened = wallet.meet(Use.REGISTRATION)
    Commands(wallet).says(tried[0], tried[1], "what is refused")
    answer = wallet.request(opened, wallet.asked(opened, REGISTRATION), "registration")
    wallet.equal("documents in the answer", len(answer.documents), 1)


@case("P-NFC-05", nature=Nature.INOPPORTUNE, zh="拒絕之後，先前之片段作廢", channels=NFC, each=lambda: {
    "other-instruction": Each((Command(0, 0xC0, 0, 0, le=256), 0x6883), "GET RESPONSE inside a chain", "鏈中插入 GET RESPONSE"),
    "le-in-a-link": Each((Command(0x10, 0xC3, 0, 0, b"x", 256), 0x6700), "A link that breaks a rule", "不合規則之片段"),
})
def test_what_was_under_way_is_dropped(wallet: WalletTester, tried: tuple[Command, int]) -> None:
    """A command inside a chain that is refused drops the links before it."""
    field = Commands.met(wallet)
    field.open_retrieval()
    field.says(envelope(NOISE[:3], more=True), 0x9000, "the first link")
    field.says(tried[0], tried[1], "what is refused")
    field.says(envelope(NOISE[3:]), 0x6A80, "the last link alone")


@case("P-NFC-05", "P-NFC-02", nature=Nature.INVALID, zh="取回覆之指令不合規則：拒絕，回覆作廢", channels=NFC, each=lambda: {
    "data": Each((Command(0, 0xC0, 0, 0, b"x", 256), 0x6700), "With data", "帶資料"),
    "no-le": Each((Command(0, 0xC0, 0, 0), 0x6700), "Without Le", "未帶 Le"),
    "link": Each((Command(0x10, 0xC0, 0, 0, le=256), 0x6985), "As a link of a chain", "作為鏈之一段"),
})
def test_odd_fetching_drops_the_answer(wallet: WalletTester, tried: tuple[Command, int]) -> None:
    """A GET RESPONSE that breaks a rule is refused, and what waited is dropped."""
    field = Commands.met(wallet)
    field.open_retrieval()
    answer = field.send(envelope(NOISE, le=1), "a message")
    wallet.equal("data wait", (answer.sw >> 8, len(answer.data)), (0x61, 1))
    field.says(tried[0], tried[1], "what is refused")
    field.says(Command(0, 0xC0, 0, 0, le=256), 0x6985, "GET RESPONSE after it")


@case("P-NFC-05", nature=Nature.INOPPORTUNE, zh="選擇之前一律 6985", channels=NFC)
def test_nothing_is_answered_before_select(wallet: WalletTester) -> None:
    """Before SELECT of retrieval ENVELOPE and GET RESPONSE are answered with 6985."""
    field = Commands.met(wallet)
    field.says(envelope(NOISE), 0x6985, "ENVELOPE")
    field.says(Command(0, 0xC0, 0, 0, le=256), 0x6985, "GET RESPONSE")


@case("P-NFC-01", "P-NFC-02", "P-NFC-04",
      nature=Nature.VALID, zh="短欄位：訊息分段送出，回覆分段取回", channels=NFC, each=lambda: {
    "shortest": Each((255, 256)), "odd": Each((100, 77)),
})
def test_message_goes_in_links_and_its_answer_in_pieces(wallet: WalletTester, fields: tuple[int, int]) -> None:
    """With short data fields a request goes in links, and its answer is fetched in pieces; both say the same as whole ones."""
    wallet.counter = replace(wallet.counter, max_command_bytes=fields[0], max_response_bytes=fields[1])
    opened = wallet.meet(Use.REGISTRATION)
    answer = wallet.request(opened, wallet.asked(opened, REGISTRATION), "registration")
    wallet.equal("documents in the answer", len(answer.documents), 1)
    wallet.believed(opened, answer.documents[0])


@case("P-NFC-02", nature=Nature.LIMIT, zh="回覆尚餘多少：61XX，逾 255 位元組為 6100", channels=NFC)
def test_what_waits_is_told(wallet: WalletTester) -> None:
    """61XX says how much waits, 6100 that more than 255 bytes do, and the last piece comes with 9000."""
    opened = wallet.meet(Use.REGISTRATION)
    message = wallet.first(opened, wallet.asked(opened, REGISTRATION))
    opened.established = True
    field = Commands(wallet)
    for link in nfc_retrieval.envelopes(message, 255, 256):
        answer = field.send(link, "a link")
    whole, waits = answer.data, answer.sw
    while waits == 0x6100:
        answer = field.send(Command(0, 0xC0, 0, 0, le=256), "the next piece")
        wallet.equal("bytes of a piece", len(answer.data), 256)
        whole, waits = whole + answer.data, answer.sw
    if waits >> 8 == 0x61:
        answer = field.send(Command(0, 0xC0, 0, 0, le=waits & 0xFF), "the last piece")
        wallet.equal("bytes of the last piece", (len(answer.data), answer.sw), (waits & 0xFF, 0x9000))
        whole += answer.data
    wallet.equal("documents", len(wallet.answer(opened, nfc_retrieval.unwrap(whole)).documents), 1)


@case("P-NFC-03", nature=Nature.LIMIT, zh="資料物件之長度欄：一至四位元組皆可", channels=NFC, each=lambda: {
    f"{count}-bytes": Each(count) for count in (1, 2, 3, 4)
})
def test_length_need_not_be_short(wallet: WalletTester, count: int) -> None:
    """A data object whose length is not in the shortest form is taken, with 1 to 4 bytes after the first."""
    field = Commands.met(wallet)
    field.open_retrieval()
    field.ended_by(envelope(bytes((0x53, 0x80 | count)) + (5).to_bytes(count, "big") + b"noise"), "a longer length")


@case("P-NFC-03", nature=Nature.LIMIT, zh="空訊息亦是訊息", channels=NFC)
def test_empty_message_comes_to_the_session(wallet: WalletTester) -> None:
    """A data object of no bytes is a message, which the session answers."""
    field = Commands.met(wallet)
    field.open_retrieval()
    field.ended_by(envelope(b"\x53\x00"), "an empty message")


@case("P-NFC-04", nature=Nature.LIMIT, zh="一則訊息最多 1024 個片段", channels=NFC, each=lambda: {
    "1024": Each(MAX_LINKS), "1025": Each(MAX_LINKS + 1),
})
def test_chain_has_a_limit(wallet: WalletTester, links: int) -> None:
    """A chain of 1024 commands is a message, one of 1025 is refused with 6700."""
    field = Commands.met(wallet)
    field.open_retrieval()
    raw = b"\x53\x82" + (links - 4).to_bytes(2, "big") + bytes(links - 4)
    for at in range(links - 1):
        field.says(envelope(raw[at : at + 1], more=True), 0x9000, f"link {at + 1}")
    if links > MAX_LINKS:
        field.says(envelope(raw[-1:]), 0x6700, f"link {links}")
    else:
        field.ended_by(envelope(raw[-1:]), f"link {links}")


@case("P-NFC-04", nature=Nature.LIMIT, zh="訊息 65536 位元組可收；65537：6700", channels=NFC, each=lambda: {
    "longest": Each(MAX_MESSAGE_BYTES), "too-long": Each(MAX_MESSAGE_BYTES + 1),
})
def test_message_in_links_has_a_limit(wallet: WalletTester, length: int) -> None:
    """A message of 65536 bytes comes to the session; of 65537 the first link is refused."""
    field = Commands.met(wallet)
    field.open_retrieval()
    links = list(nfc_retrieval.envelopes(bytes(length), 255, 256))
    if length > MAX_MESSAGE_BYTES:
        field.says(links[0], 0x6700, "the first link")
        return
    for link in links[:-1]:
        field.says(link, 0x9000, "a link")
    field.ended_by(links[-1], "the last link")
