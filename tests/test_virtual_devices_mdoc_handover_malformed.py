"""Messages of a handover and carriers that break the rules, and what of others is overlooked."""

from __future__ import annotations

import pytest

from virtual_devices.errors import UsageError
from virtual_devices.mdoc import ndef, tnep
from virtual_devices.mdoc.carriers import (
    BleCarrier,
    LeRole,
    MalformedHandover,
    NfcCarrier,
    OtherCarrier,
    Power,
    alternative,
    read_alternative,
    read_carrier,
)
from virtual_devices.mdoc.handover import (
    SERVICE,
    StaticHandover,
    make_request,
    make_select,
    read_request,
    read_select,
)
from virtual_devices.mdoc.ndef import MalformedNdef, Record, Tnf

from .handover_messages import DRAW, ENGAGEMENT


def _select(*records: Record, version: bytes = b"\x15", kind: bytes = b"Hs", inner: bytes | None = None) -> bytes:
    rows = alternative(NfcCarrier(), (b"mdoc",)).to_bytes() if inner is None else inner
    return ndef.encode([Record(Tnf.WELL_KNOWN, kind, version + rows), *records])


_NFC = NfcCarrier(255, 256).record()
_MDOC = Record(Tnf.EXTERNAL, b"iso.org:18013:deviceengagement", ENGAGEMENT, b"mdoc")


def test_least_select_is_read() -> None:
    assert read_select(_select(_NFC, _MDOC)).carriers == (NfcCarrier(255, 256),)
    assert read_select(_select(_MDOC, inner=b"")).carriers == ()


@pytest.mark.parametrize(
    "message",
    [
        _select(_NFC, _MDOC, kind=b"Hr"),
        _select(_NFC, _MDOC, version=b"\x25"),
        _select(_NFC, _MDOC, version=b"\x05"),
        _select(_NFC, _MDOC, version=b"", inner=b""),
        _select(_NFC, _MDOC, inner=b"\xd1\x02"),
        _select(_MDOC),
        _select(_NFC, _NFC, _MDOC),
        _select(_NFC),
        _select(_NFC, _MDOC, _MDOC),
        _select(_NFC, Record(Tnf.EXTERNAL, _MDOC.type, ENGAGEMENT)),
        _select(_NFC, Record(Tnf.EXTERNAL, _MDOC.type, b"", b"mdoc")),
        ndef.encode([_MDOC, _NFC]),
    ],
)
def test_malformed_select_is_refused(message: bytes) -> None:
    with pytest.raises((MalformedNdef, MalformedHandover)):
        read_select(message)


_COLLISION = Record(Tnf.WELL_KNOWN, b"cr", b"ab")
_AC = alternative(NfcCarrier())


@pytest.mark.parametrize(
    "rows",
    [
        [_AC], [_COLLISION], [_COLLISION, _COLLISION, _AC], [Record(Tnf.WELL_KNOWN, b"cr", b"a"), _AC],
        [Record(Tnf.WELL_KNOWN, b"cr", b"abc"), _AC], [_COLLISION, Record(Tnf.WELL_KNOWN, b"ac", b"\x01\x03nfd\x00")],
    ],
)
def test_malformed_request_is_refused(rows: list[Record]) -> None:
    assert read_request(ndef.encode([Record(Tnf.WELL_KNOWN, b"Hr", b"\x15" + ndef.encode([_COLLISION, _AC])), _NFC]))
    with pytest.raises(MalformedHandover):
        read_request(ndef.encode([Record(Tnf.WELL_KNOWN, b"Hr", b"\x15" + ndef.encode(rows)), _NFC]))


@pytest.mark.parametrize("raw", ["", "01", "0100", "010130", "01013001", "0101300104AABBCC", "0101300000", "01FF30"])
def test_malformed_alternative_carrier_is_refused(raw: str) -> None:
    assert read_alternative(bytes.fromhex("FD01300101AA")) == (Power.ACTIVE, b"0", (b"\xaa",))
    with pytest.raises(MalformedHandover):
        read_alternative(bytes.fromhex(raw))


@pytest.mark.parametrize(
    ("payload", "limits"),
    [
        ("01", (None, None)), ("010301FFFF0302FFFF", (65535, 65535)), ("010301FFFF0402010000", (65535, 65536)),
        ("0102 01FF 0302 0100", (255, 256)), ("01 0302FFFF 0301FFFF 0177", (65535, 65535)), ("01 040100FFFF 0000", (65535, None)),
    ],
)
def test_nfc_carrier_is_read(payload: str, limits: tuple[int | None, int | None]) -> None:
    record = Record(Tnf.EXTERNAL, b"iso.org:18013:nfc", bytes.fromhex(payload), b"nfc")
    assert read_carrier(record, Power.ACTIVE) == NfcCarrier(*limits)


@pytest.mark.parametrize(
    "payload",
    ["010201FE", "010302 00FF", "010401010000", "0105020100000000", "0103", "010301FF", "0101 01", "0100 01", "010201FF0201FF"],
)
def test_malformed_nfc_carrier_is_refused(payload: str) -> None:
    with pytest.raises(MalformedHandover):
        read_carrier(Record(Tnf.EXTERNAL, b"iso.org:18013:nfc", bytes.fromhex(payload), b"nfc"), Power.ACTIVE)


@pytest.mark.parametrize("payload", ["", "02FF"])
def test_nfc_carrier_of_another_version_is_another_carrier(payload: str) -> None:
    record = Record(Tnf.EXTERNAL, b"iso.org:18013:nfc", bytes.fromhex(payload), b"nfc")
    assert read_carrier(record, Power.ACTIVE) == OtherCarrier(record, Power.ACTIVE)


@pytest.mark.parametrize(
    "payload",
    [
        "", "1107" + "00" * 16, "011C", "021C04", "031C0000", "021C00021C01", "021C00 021B00", "021C00 091B" + "00" * 8,
        "021C00 1007" + "00" * 15, "021C00 2107" + "00" * 32, "021C00 1107", "021C00 00 021C01", "02",
    ],
)
def test_malformed_ble_carrier_is_refused(payload: str) -> None:
    with pytest.raises(MalformedHandover):
        read_carrier(Record(Tnf.MEDIA, b"application/vnd.bluetooth.le.oob", bytes.fromhex(payload), b"0"), Power.ACTIVE)


def test_ble_carrier_with_fields_of_others_is_read() -> None:
    payload = bytes.fromhex("021C03 020106 0409766863 071B010203040506 0000")
    found = read_carrier(Record(Tnf.MEDIA, b"application/vnd.bluetooth.le.oob", payload, b"x"), Power.ACTIVATING)
    address = bytes.fromhex("060504030201")
    assert found == BleCarrier(LeRole.CENTRAL_PREFERRED, None, address, None, Power.ACTIVATING, b"x")
    assert [(role.peripheral, role.central) for role in LeRole] == [(True, False), (False, True), (True, True), (True, True)]


@pytest.mark.parametrize(
    "make",
    [
        lambda: NfcCarrier(254), lambda: NfcCarrier(65536), lambda: NfcCarrier(255, 255), lambda: NfcCarrier(255, 65537),
        lambda: BleCarrier(LeRole.CENTRAL, address=b"12345"), lambda: StaticHandover(ENGAGEMENT, ()),
        lambda: make_request((), DRAW),
        lambda: make_select(ENGAGEMENT, (NfcCarrier(), NfcCarrier())), lambda: make_select(bytes(40_000), (NfcCarrier(),)),
        lambda: tnep.ServiceParameter(b""), lambda: tnep.ServiceParameter(SERVICE, wait_code=64),
    ],
)
def test_what_cannot_be_written_is_the_callers_mistake(make: object) -> None:
    assert callable(make)
    with pytest.raises(UsageError):
        make()
