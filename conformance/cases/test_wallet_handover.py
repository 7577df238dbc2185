"""What a reader writes to a wallet's tag in a negotiated handover: every structure that may be broken, and what is overlooked."""

from __future__ import annotations

from collections.abc import Mapping

from conformance.case import Each, Nature, case
from conformance.cases.test_wallet_nfc import BLE, NFC, OWN, negotiating
from conformance.commands import Commands
from conformance.kinds.wallet import Contents, WalletTester
from virtual_devices.mdoc import handover, ndef, tnep, type4
from virtual_devices.mdoc.carriers import BLE_TYPE, NFC_TYPE, BleCarrier, LeRole, NfcCarrier, alternative
from virtual_devices.mdoc.ndef import Record, Tnf

NUMBER = Record(Tnf.WELL_KNOWN, b"cr", b"\1\2")
"""The collision resolution record."""
OURS, THEIRS = alternative(OWN), alternative(BLE)
TEXT = Record(Tnf.WELL_KNOWN, b"T", b"\x02enx")
ROLE = b"\x02\x1c\x00"
"""The LE role in a BLE carrier: peripheral."""


def _first(*rows: Record, kind: bytes = b"Hr", tnf: Tnf = Tnf.WELL_KNOWN) -> Record:
    return Record(tnf, kind, bytes((handover.VERSION,)) + ndef.encode(rows))


def _message(*rows: Record, records: tuple[Record, ...] = (OWN.record(),)) -> bytes:
    return ndef.encode([_first(*rows), *records])


def _way(payload: bytes, record: Record | None = None) -> bytes:
    """Hr whose only way is told so."""
    return _message(NUMBER, Record(Tnf.WELL_KNOWN, b"ac", payload), records=(record or OWN.record(),))


def _nfc(fields: bytes) -> bytes:
    """Hr with retrieval over NFC, these fields after its version."""
    return _message(NUMBER, OURS, records=(Record(Tnf.EXTERNAL, NFC_TYPE, b"\x01" + fields, OWN.id),))


def _ble(payload: bytes) -> bytes:
    """Hr with retrieval over NFC and this BLE carrier beside it."""
    return _message(NUMBER, OURS, THEIRS, records=(OWN.record(), Record(Tnf.MEDIA, BLE_TYPE, payload, BLE.id)))


def _ends_with(last: bytes) -> bytes:
    """A right Hr, its last record's bytes given here: what is behind the ones that count."""
    first = _first(NUMBER, OURS).to_bytes(first=True, last=False)
    return first + OWN.record().to_bytes(first=False, last=False) + last


def _broken() -> Mapping[str, Each]:
    right = _message(NUMBER, OURS)
    short = Record(Tnf.WELL_KNOWN, b"cr", b"\1")
    nameless = Record(Tnf.EXTERNAL, NFC_TYPE, b"\x01", b"")
    first, own = _first(NUMBER, OURS), OWN.record()
    found = (
        ("no-number", _message(OURS), "No collision resolution record", "無碰撞解決紀錄"),
        ("two-numbers", _message(NUMBER, NUMBER, OURS), "Two collision resolution records", "碰撞解決紀錄二筆"),
        ("short-number", _message(short, OURS), "A collision number of one byte", "碰撞解決數一位元組"),
        ("another-message", ndef.encode([_first(NUMBER, OURS, kind=b"Hs"), own]), "Hs in place of Hr", "以 Hs 代 Hr"),
        ("external-type", ndef.encode([_first(NUMBER, OURS, tnf=Tnf.EXTERNAL), own]), "Hr as an external type", "Hr 為外部型別"),
        ("nothing-in-it", ndef.encode([Record(Tnf.WELL_KNOWN, b"Hr"), own]), "Hr without a version", "Hr 無版本"),
        ("no-reference", _way(b"\x01\x00\x00", nameless), "A way without a reference", "途徑未指向紀錄"),
        ("no-count", _way(b"\x01\x03nfc"), "A way without a count of auxiliary records", "途徑無輔助紀錄數"),
        ("auxiliary-missing", _way(b"\x01\x03nfc\x01"), "An auxiliary reference that is not there", "輔助紀錄不存在"),
        ("auxiliary-cut", _way(b"\x01\x03nfc\x01\x04mdo"), "An auxiliary reference cut short", "輔助紀錄不完整"),
        ("more-after", _way(OURS.payload + b"\0"), "Bytes after a way's references", "途徑之後尚有位元組"),
        ("command-254", _nfc(b"\x02\x01\xfe"), "A longest command field of 254 bytes", "指令欄位 254"),
        ("command-65536", _nfc(b"\x04\x01\x01\0\0"), "A longest command field of 65536 bytes", "指令欄位 65536"),
        ("response-255", _nfc(b"\x02\x02\xff"), "A longest response field of 255 bytes", "回覆欄位 255"),
        ("response-65537", _nfc(b"\x04\x02\x01\0\1"), "A longest response field of 65537 bytes", "回覆欄位 65537"),
        ("field-of-nothing", _nfc(b"\x00\x05"), "A field of no bytes", "欄位無內容"),
        ("no-role", _ble(b""), "BLE without a role", "藍牙無角色"),
        ("role-of-two", _ble(b"\x03\x1c\0\0"), "A role of two bytes", "角色二位元組"),
        ("role-4", _ble(b"\x02\x1c\x04"), "A role that there is not", "沒有的角色"),
        ("service-of-15", _ble(ROLE + b"\x10\x07" + bytes(15)), "A service of 15 bytes", "服務碼 15 位元組"),
        ("address-of-5", _ble(ROLE + b"\x06\x1b" + bytes(5)), "An address of 5 bytes", "位址 5 位元組"),
        ("no-begin", bytes((right[0] & 0x7F,)) + right[1:], "A message without beginning", "訊息無起始"),
        ("begins-twice", first.to_bytes(True, False) + own.to_bytes(True, True), "A message that begins twice", "訊息起始二次"),
        ("no-end", first.to_bytes(True, False) + own.to_bytes(False, False), "A message without end", "訊息無結尾"),
        ("after-its-end", right + b"\0", "Bytes after the end", "結尾之後尚有位元組"),
        ("in-chunks", _ends_with(b"\x71\x01\x01Tx"), "A record in chunks", "分塊之紀錄"),
        ("cut-in-head", _ends_with(b"\x51"), "A record cut within its head", "紀錄之標頭不完整"),
        ("record-cut", right[:-1], "A record cut short", "紀錄不完整"),
        ("no-type", _ends_with(b"\x51\x00\x01x"), "A type that is not there", "紀錄無型別"),
        ("empty-with-content", _ends_with(b"\x50\x00\x01x"), "An empty record with content", "空紀錄卻有內容"),
    )
    return {name: Each(raw, says, zh) for name, raw, says, zh in found}


@case("P-HND-05", "P-HND-03", "P-GEN-08",
      nature=Nature.INVALID, zh="Hr 之結構不合規則：TNEP 狀態 1，之後照常交遞", channels=NFC, each=_broken)
def test_broken_request_is_answered_with_status_1(wallet: WalletTester, raw: bytes) -> None:
    """A request with a broken structure is answered with TNEP status 1, and a right one is answered after it."""
    field = negotiating(wallet)
    field.write(raw)
    wallet.equal("TNEP status", field.status(), tnep.PROTOCOL_ERROR)
    field.write(field.request(OWN))
    wallet.equal("ways in Hs", len(field.select_of(field.message()).carriers), 1)


def _right() -> Mapping[str, Each]:
    longest = _message(NUMBER, OURS, records=(OWN.record(), TEXT))
    padded = Record(Tnf.WELL_KNOWN, b"T", bytes(type4.MAX_MESSAGE_BYTES - len(longest) + len(TEXT.payload) - 3))
    whole = _message(NUMBER, OURS, records=(OWN.record(), padded))
    assert len(whole) == type4.MAX_MESSAGE_BYTES
    named = Record(Tnf.WELL_KNOWN, b"T", b"x", b"t")
    central = BleCarrier(LeRole.CENTRAL_PREFERRED, BLE.service, bytes(6))
    found = (
        ("shortest-fields", _message(NUMBER, OURS, records=(NfcCarrier(255, 256).record(),)), "The shortest data fields",
         "最短欄位"),
        ("longest-fields", _message(NUMBER, OURS, records=(NfcCarrier(65535, 65536).record(),)), "The longest data fields",
         "最長欄位"),
        ("auxiliary", _message(NUMBER, alternative(OWN, (b"t",)), records=(OWN.record(), named)), "An auxiliary record",
         "輔助紀錄"),
        ("every-role", _message(NUMBER, OURS, THEIRS, records=(OWN.record(), central.record())), "The last of the LE roles",
         "最後一種角色"),
        ("empty-record", _ends_with(b"\x50\x00\x00"), "An empty record at the end", "最後為空紀錄"),
        ("longest", whole, "A message of 32765 bytes", "訊息 32765 位元組"),
    )
    return {name: Each(raw, says, zh) for name, raw, says, zh in found}


@case("P-HND-05", "P-HND-03", "P-TAG-01", nature=Nature.LIMIT, zh="Hr 在界限之內：照常交遞", channels=NFC, each=_right)
def test_request_within_the_limits_is_answered(wallet: WalletTester, raw: bytes) -> None:
    """A request at the limits of what its parts may be is answered with Hs and the way chosen."""
    field = negotiating(wallet)
    field.write(raw)
    wallet.equal("ways in Hs", len(field.select_of(field.message()).carriers), 1)


@case("P-HND-06", "P-HND-05", nature=Nature.INVALID, zh="選擇服務之紀錄不合規則：TNEP 狀態 1", channels=NFC, each=lambda: {
    name: Each(ndef.encode([Record(Tnf.WELL_KNOWN, b"Ts", payload), *more]), says, zh) for name, payload, more, says, zh in (
        ("empty", b"", (), "No bytes", "沒有內容"),
        ("other-length", bytes((len(handover.SERVICE) - 1,)) + handover.SERVICE, (), "A name longer than its length says",
         "名稱長於長度欄"),
        ("with-more", bytes((len(handover.SERVICE),)) + handover.SERVICE, (TEXT,), "Another record beside it", "尚有別的紀錄"),
    )
})
def test_odd_choice_of_a_service_is_none(wallet: WalletTester, raw: bytes) -> None:
    """A Service Select that breaks its rule is answered with TNEP status 1; a right one opens the service after it."""
    field = _offered(wallet)
    field.write(raw)
    wallet.equal("TNEP status", field.status(), tnep.PROTOCOL_ERROR)
    field.write(tnep.select_message(handover.SERVICE))
    wallet.equal("TNEP status of the service", field.status(), tnep.SUCCESS)


def _offered(wallet: WalletTester) -> Commands:
    if hasattr(wallet.wallet, "fill"):
        wallet.made_up().fill(Contents(negotiated=True))
    field = Commands.met(wallet)
    field.open_offer()
    return field
