"""A wallet in a reader's field: the tag, and both handovers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from uuid import UUID

from conformance.case import Each, Nature, case
from conformance.commands import Commands, envelope
from conformance.kinds.wallet import REGISTRATION, Contents, WalletTester
from virtual_devices.apdu import Command
from virtual_devices.mdoc import handover, ndef, nfc_retrieval, tnep, type4
from virtual_devices.mdoc.carriers import NFC_TYPE, BleCarrier, Carrier, LeRole, NfcCarrier, OtherCarrier, alternative
from virtual_devices.mdoc.ndef import Record, Tnf
from virtual_devices.mdoc.nfc_retrieval import wrap
from virtual_devices.wallet.consent import Use

NFC, TAPPED, TAG, RETRIEVAL = ("nfc",), ("nfc", "nfc-ble"), type4.select(type4.AID), type4.select(nfc_retrieval.AID)
CONTAINER = bytes.fromhex("000F207FFF7FFF0406E1047FFF00")
OWN = NfcCarrier()
"""What a reader names of retrieval over NFC: the version alone."""
BLE = BleCarrier(LeRole.PERIPHERAL, UUID(int=1, version=4))
UNKNOWN = OtherCarrier(Record(Tnf.EXTERNAL, b"example.org:way", b"\x01", b"w"))
"""A way that there is not, as a reader of another time may name it."""
NOISE = wrap(b"noise")


# -- the tag

@case("P-TAG-01", nature=Nature.VALID, zh="標籤之應用與能力容器", channels=TAPPED)
def test_container_is_the_standards(wallet: WalletTester) -> None:
    """The tag's application opens, and its container is the one of the rule, its last byte 00 for a tag that is written."""
    field = Commands.met(wallet)
    found = field.open_tag()
    field.says(type4.select_file(type4.CC_FILE), 0x9000, "the container again")
    raw = field.says(type4.read_binary(0, 15), 0x9000, "the container")
    wallet.equal("the container", raw, CONTAINER + (b"\x00" if found.writable else b"\xff"))


@case("P-TAG-01", "P-HND-01", "P-HND-02", "P-HND-03", nature=Nature.VALID, zh="靜態交遞：Hs、參與紀錄與途徑", channels=NFC)
def test_static_handover_is_as_its_rule(wallet: WalletTester) -> None:
    """The file holds Hs of version 1.5, one engagement with id mdoc, and retrieval over NFC with the data fields it takes."""
    field = Commands.met(wallet)
    field.open_static()
    hs = field.message()
    found = field.select_of(hs)
    first = ndef.decode(hs)[0]
    wallet.equal("version of the handover", first.payload[:1].hex(), "15")
    rows = [row for row in ndef.decode(first.payload[1:]) if row.type == b"ac"]
    referring = [row for row in rows if row.payload.endswith(b"\x01\x04mdoc")]
    wallet.equal("carriers that refer to the engagement", len(referring), len(rows))
    _names_its_data_fields(wallet, found.carriers)


def _names_its_data_fields(wallet: WalletTester, carriers: tuple[Carrier, ...]) -> None:
    nfc = [one for one in carriers if isinstance(one, NfcCarrier)]
    wallet.equal("ways over NFC", len(nfc), 1)
    both = (nfc[0].max_command_bytes, nfc[0].max_response_bytes)
    wallet.expect("both longest data fields are named", None not in both, "two numbers", both)


_RULES: Mapping[str, tuple[Command | str, int, str, str]] = {
    "past-the-end": (type4.read_binary(0x7FFF, 1), 0x6B00, "Reading past the end", "讀取超過檔尾"),
    "no-such-file": (type4.select_file(0xE105), 0x6A82, "Another file", "別的檔案"),
    "other-control": ("00A4000002E104", 0x6A86, "SELECT FILE with other parameters", "SELECT FILE 之參數不符"),
    "other-instruction": ("0020000000", 0x6D00, "Another instruction", "別的指令"),
    "other-class": ("80B0000002", 0x6E00, "Another class", "別的類別"),
    "no-length": ("00B00000", 0x6700, "Reading without a length", "讀取未帶長度"),
    "data-in-a-read": ("00B0000001FF02", 0x6700, "Reading with data", "讀取卻帶資料"),
    "short-identifier": ("00B0840002", 0x6A82, "Reading by a short file identifier", "以短檔案識別碼讀取"),
    "longer-name": ("00A4000C03E10400", 0x6700, "SELECT FILE with three bytes", "SELECT FILE 三位元組"),
    "cut-short": ("00B0", 0x6700, "A command of two bytes", "指令只有二位元組"),
    "link-of-a-chain": ("10B0000002", 0x6884, "A link of a chain", "鏈之一段"),
}


@case("P-TAG-03", nature=Nature.INVALID, zh="標籤拒絕不合規則之指令", channels=TAPPED, each=lambda: {
    name: Each((command, sw), says, zh) for name, (command, sw, says, zh) in _RULES.items()
})
def test_command_that_breaks_the_tags_rule_is_refused(wallet: WalletTester, tried: tuple[Command | str, int]) -> None:
    """What the tag does not take is refused by its status word, and its message is read after it as before."""
    field = Commands.met(wallet)
    field.open_tag()
    before = field.message()
    field.says(tried[0], tried[1], "what is refused")
    wallet.equal("the message afterwards", field.message(), before)


@case("P-TAG-03", nature=Nature.LIMIT, zh="讀至檔尾；自檔尾起讀：6B00", channels=TAPPED)
def test_file_ends_where_its_message_does(wallet: WalletTester) -> None:
    """The last byte of the message is read, and what begins behind it is refused."""
    field = Commands.met(wallet)
    field.open_tag()
    end = 2 + len(field.message())
    wallet.equal("bytes read at the end", len(field.says(type4.read_binary(end - 1, 9), 0x9000, "the last byte")), 1)
    field.says(type4.read_binary(end, 1), 0x6B00, "behind the last byte")


@case("P-TAG-04", nature=Nature.INOPPORTUNE, zh="未選檔案之讀寫：6986；選擇被拒即未開啟：6985", channels=NFC)
def test_nothing_is_read_before_a_file_is_selected(wallet: WalletTester) -> None:
    """Without a file selected nothing is read or written; a SELECT that was refused opens nothing."""
    field = Commands.met(wallet)
    field.says(TAG, 0x9000, "the tag")
    field.says(type4.read_binary(0, 2), 0x6986, "READ BINARY")
    field.says(type4.update_binary(0, bytes(2)), 0x6986, "UPDATE BINARY")
    for application, step in ((TAG, "the tag"), (RETRIEVAL, "retrieval")):
        field.says(replace(application, p2=0x04), 0x6A86, f"{step}, another P2")
        field.says(type4.select_file(type4.NDEF_FILE) if application is TAG else envelope(NOISE), 0x6985, f"{step} after it")


@case("P-TAG-03", nature=Nature.ATTACK, zh="靜態標籤不可寫：6982", channels=TAPPED)
def test_static_tag_is_not_written(wallet: WalletTester) -> None:
    """A tag of a static handover is not written: 6982, and its message stays."""
    field = Commands.met(wallet)
    field.open_static()
    before = field.message()
    field.says(type4.update_binary(0, bytes(2)), 0x6982, "UPDATE BINARY")
    wallet.equal("the message afterwards", field.message(), before)


@case("P-TAG-04", "P-GEN-08", nature=Nature.INOPPORTUNE, zh="以名稱選擇標籤或取資料；先前者重設", channels=NFC)
def test_select_chooses_and_resets(wallet: WalletTester) -> None:
    """SELECT by name goes from the tag to retrieval and back, and what was selected before is as at first."""
    field = Commands.met(wallet)
    field.says(type4.read_binary(0, 2), 0x6985, "READ BINARY before SELECT")
    field.open_tag()
    field.says(RETRIEVAL, 0x9000, "retrieval")
    field.says(type4.read_binary(0, 2), 0x6D00, "READ BINARY of retrieval")
    field.says(TAG, 0x9000, "the tag again")
    field.says(type4.read_binary(0, 2), 0x6986, "READ BINARY, no file selected")
    field.says(type4.select(b"\xd2\x76\x00\x00\x85\x01\x02"), 0x6A82, "an unknown name")
    field.says(type4.select_file(type4.NDEF_FILE), 0x6985, "SELECT FILE after it")
    field.says(envelope(NOISE), 0x6985, "ENVELOPE after it")
    field.open_tag()


# -- negotiated handover

def negotiating(wallet: WalletTester, use: Use | None = None) -> Commands:
    """A wallet whose tag asks for the reader's ways: one made up so, or the one that is there."""
    if hasattr(wallet.wallet, "fill"):
        wallet.made_up().fill(Contents(negotiated=True))
    field = Commands.met(wallet, use)
    field.open_service()
    return field


@case("P-HND-02", "P-HND-01", "P-HND-03", "P-TAG-02",
      nature=Nature.VALID, zh="協商交遞：途徑由讀取者提出，卡片擇一", channels=NFC,
      each=lambda: {"in-pieces": Each(20), "in-one": Each(0)})
def test_negotiated_handover_leads_to_a_session(wallet: WalletTester, piece: int) -> None:
    """The reader writes its request, in pieces or at once, reads Hs with the one way chosen, and both are in the transcript."""
    field = negotiating(wallet, Use.REGISTRATION)
    hr = field.request(OWN, BLE)
    field.write(hr, piece=piece)
    hs = field.message()
    found = field.select_of(hs, hr)
    wallet.equal("ways chosen", len(found.carriers), 1)
    wallet.expect("the way chosen was offered", found.carriers[0].id in (OWN.id, BLE.id), "one of the reader's", found.carriers)
    opened = field.session(found)
    answer = wallet.request(opened, wallet.asked(opened, REGISTRATION), "registration")
    wallet.equal("documents in the answer", len(answer.documents), 1)
    wallet.believed(opened, answer.documents[0])


@case("P-HND-07", nature=Nature.INOPPORTUNE, zh="一次參與一次交遞：第二個 Hr 拒絕", channels=NFC)
def test_second_request_is_refused(wallet: WalletTester) -> None:
    """After Hs with a way a second request is answered with TNEP status 1."""
    field = negotiating(wallet)
    field.write(field.request(OWN))
    wallet.equal("ways in Hs", len(field.select_of(field.message()).carriers), 1)
    field.write(field.request(OWN))
    wallet.equal("TNEP status", field.status(), tnep.PROTOCOL_ERROR)


@case("P-HND-07", "P-HND-03", nature=Nature.INVALID, zh="途徑皆不合：Hs 不含途徑", channels=NFC)
def test_no_way_in_common_is_told(wallet: WalletTester) -> None:
    """When none of the reader's ways suits, Hs has the engagement and no way; another request is answered then."""
    field = negotiating(wallet)
    field.write(field.request(UNKNOWN))
    wallet.equal("ways in Hs", field.select_of(field.message()).carriers, ())
    field.write(field.request(OWN))
    wallet.equal("ways in the next Hs", len(field.select_of(field.message()).carriers), 1)


@case("P-HND-06", nature=Nature.INOPPORTUNE, zh="未知服務、順序不對：TNEP 狀態 1", channels=NFC, each=lambda: {
    "unknown-service": Each(lambda _: tnep.select_message(b"urn:nfc:sn:nothing"), "A service that there is not", "沒有的服務"),
    "request-first": Each(lambda field: field.request(OWN), "A request before the service is selected", "未選服務即送要求"),
})
def test_message_out_of_turn_is_answered_with_status_1(wallet: WalletTester, make: Callable[[Commands], bytes]) -> None:
    """A service that there is not and a message out of turn are answered with TNEP status 1; the service opens after it."""
    if hasattr(wallet.wallet, "fill"):
        wallet.made_up().fill(Contents(negotiated=True))
    field = Commands.met(wallet)
    field.open_offer()
    field.write(make(field))
    wallet.equal("TNEP status", field.status(), tnep.PROTOCOL_ERROR)
    field.write(tnep.select_message(handover.SERVICE))
    wallet.equal("TNEP status of the service", field.status(), tnep.SUCCESS)


def _request(*rows: Record, records: tuple[Record, ...] = (OWN.record(),), version: int = handover.VERSION) -> bytes:
    """Hr with these rows and records, as nobody should make it."""
    first = Record(Tnf.WELL_KNOWN, b"Hr", bytes((version,)) + ndef.encode([Record(Tnf.WELL_KNOWN, b"cr", b"\1\2"), *rows]))
    return ndef.encode([first, *records])


def _odd_requests() -> Mapping[str, Each]:
    ours = alternative(OWN)
    twice = Record(Tnf.EXTERNAL, NFC_TYPE, b"\x01\x03\x01\xff\xff\x03\x01\xff\xff", OWN.id)
    cut = Record(Tnf.EXTERNAL, NFC_TYPE, b"\x01\x03\x01\xff", OWN.id)
    found = (
        ("refers-to-none", _request(ours, records=(Record(Tnf.EXTERNAL, NFC_TYPE, b"\x01", b"x"),)),
         "A way that refers to no record", "途徑所指之紀錄不存在"),
        ("refers-to-two", _request(ours, records=(OWN.record(), OWN.record())), "A way that refers to two records",
         "途徑指向二筆紀錄"),
        ("field-twice", _request(ours, records=(twice,)), "A field that stands there twice", "欄位重複"),
        ("cut", _request(ours, records=(cut,)), "A structure cut short", "結構不完整"),
        ("no-way", _request(), "No way at all", "沒有途徑"),
        ("version-2", _request(ours, version=0x20), "Version 2.0", "版本 2.0"),
        ("noise", b"\xff\xff\xff", "Noise", "雜訊"),
    )
    return {name: Each(raw, says, zh) for name, raw, says, zh in found}


@case("P-HND-05", "P-VER-01", nature=Nature.INVALID, zh="Hr 不合規則：TNEP 狀態 1", channels=NFC, each=_odd_requests)
def test_odd_request_is_answered_with_status_1(wallet: WalletTester, raw: bytes) -> None:
    """A request that breaks a rule is answered with TNEP status 1, and a right one is answered after it."""
    field = negotiating(wallet)
    field.write(raw)
    wallet.equal("TNEP status", field.status(), tnep.PROTOCOL_ERROR)
    field.write(field.request(OWN))
    wallet.equal("ways in Hs", len(field.select_of(field.message()).carriers), 1)


@case("P-HND-05", "P-HND-01", nature=Nature.VALID, zh="Hr 含未知之欄位、紀錄或次版本：照常交遞", channels=NFC, each=lambda: {
    "field": Each(_request(alternative(OWN), records=(Record(Tnf.EXTERNAL, NFC_TYPE, b"\x01\x02\x09\x00", OWN.id),)),
                  "A field that nobody knows", "未知之欄位"),
    "record": Each(_request(alternative(OWN), records=(OWN.record(), Record(Tnf.WELL_KNOWN, b"T", b"\x02enx"))),
                   "A record that nobody knows", "未知之紀錄"),
    "version-1-9": Each(_request(alternative(OWN), version=0x19), "Version 1.9", "版本 1.9"),
})
def test_unknown_parts_of_a_request_are_overlooked(wallet: WalletTester, raw: bytes) -> None:
    """Fields, records and minor versions that nobody knows do not hinder a handover."""
    field = negotiating(wallet)
    field.write(raw)
    wallet.equal("ways in Hs", len(field.select_of(field.message()).carriers), 1)


_WRITES: Mapping[str, tuple[tuple[tuple[int, bytes, int], ...], str, str]] = {
    "half-a-length": (((0, b"\0", 0x6B00),), "Half a length", "長度欄只寫一半"),
    "second-half": (((1, b"\1", 0x6B00),), "The other half of the length", "只寫長度欄後半"),
    "piece-first": (((2, b"piece", 0x6985),), "A piece before length 0", "未先寫長度 0"),
    "hole": (((0, bytes(2), 0x9000), (9, b"piece", 0x6B00)), "A hole between the pieces", "片段之間有空洞"),
    "shorter": (((0, bytes(2), 0x9000), (2, b"piece", 0x9000), (0, b"\0\x09", 0x6A80)), "A message shorter than its length",
                "訊息短於長度欄"),
    "nothing": (((0, b"", 0x6700),), "No bytes", "沒有內容"),
    "behind-the-file": (((0, bytes(2), 0x9000), (0x7FFE, b"ab", 0x6A84)), "A piece beyond the file", "超出檔案"),
    "short-identifier": (((0x8400, b"ab", 0x6A82),), "By a short file identifier", "以短檔案識別碼"),
}


@case("P-TAG-03", nature=Nature.INVALID, zh="寫入標籤不合規則：拒絕", channels=NFC, each=lambda: {
    name: Each(writes, says, zh) for name, (writes, says, zh) in _WRITES.items()
})
def test_write_that_breaks_a_rule_is_refused(wallet: WalletTester, writes: tuple[tuple[int, bytes, int], ...]) -> None:
    """What cannot be written is refused by its status word, and a whole request is answered after it."""
    field = negotiating(wallet)
    for at, data, sw in writes:
        field.says(type4.update_binary(at, data), sw, f"UPDATE BINARY at {at}")
    field.write(field.request(OWN))
    wallet.equal("ways in Hs", len(field.select_of(field.message()).carriers), 1)


@case("P-TAG-03", "P-TAG-01", nature=Nature.ATTACK, zh="能力容器不可寫：6982", channels=NFC)
def test_container_is_not_written(wallet: WalletTester) -> None:
    """The container of a tag that is written stays as it is: 6982."""
    field = negotiating(wallet)
    field.says(type4.select_file(type4.CC_FILE), 0x9000, "the container")
    field.says(type4.update_binary(0, b"\0\0"), 0x6982, "UPDATE BINARY")
    wallet.equal("the container", field.says(type4.read_binary(0, 15), 0x9000, "the container"), CONTAINER + b"\x00")
