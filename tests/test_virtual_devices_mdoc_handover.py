"""NFC handover: annex D's messages, wallet and reader against each other, and everything malformed."""

from __future__ import annotations

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from virtual_devices.errors import UsageError
from virtual_devices.mdoc import ndef, nfc_reader, tnep
from virtual_devices.mdoc.carriers import (
    BleCarrier,
    Carrier,
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
    NegotiatedHandover,
    StaticHandover,
    make_request,
    make_select,
    read_request,
    read_select,
)
from virtual_devices.mdoc.ndef import MalformedNdef, Record, Tnf
from virtual_devices.mdoc.nfc_reader import read_container
from virtual_devices.mdoc.type4 import Type4Tag
from virtual_devices.randomness import ByteStream
from virtual_devices.reader.transmit import Ended

from .nfc_wallet import NfcWallet, Saying, tap

HS = bytes.fromhex(
    "91020F487315D10209616301013001046D646F63"
    "1A200C016170706C69636174696F6E2F766E642E626C7565746F6F74682E6C652E6F6F6230081B28128B37282801021C01"
    "5C1E580469736F2E6F72673A31383031333A646576696365656E676167656D656E746D646F63"
    "A20063312E30018201D818584BA4010220012158205A88D182BCE5F42EFA59943F33359D2E8A968FF289D93E5FA444B624343167FE"
    "225820B16E8CF858DDC7690407BA61D4C338237A8CFCF3DE6AA672FC60A557AA32FC67"
)
HR = bytes.fromhex(
    "91022548721591020263720102110204616301013000110206616301036E6663005102046163010157001A201E016170706C69636174696F6E"
    "2F766E642E626C7565746F6F74682E6C652E6F6F6230081B28078080BF2801021C021107C832FFF6D26FA0BEB34DFCD555D4823A1C11010369"
    "736F2E6F72673A31383031333A6E66636E6663015A172B016170706C69636174696F6E2F766E642E7766612E6E616E57030101032302001324"
    "FEC9A70B97AC9684A4E326176EF5B981C5E8533E5F00298CFCCBC35E700A6B020414"
)
"""Handover Select and Handover Request inside the session transcript of ISO/IEC 18013-5:2021, annex D."""
SERVICE_UUID = UUID("3a82d455-d5fc-4db3-bea0-6fd2f6ff32c8")
ENGAGEMENT = bytes.fromhex("A20063312E30018201D81841A0")
DRAW = ByteStream("handover")

uuids = st.binary(min_size=16, max_size=16).map(lambda raw: UUID(bytes=raw))
powers = st.sampled_from(Power)
ble = st.builds(
    BleCarrier, st.sampled_from(LeRole), st.none() | uuids, st.none() | st.binary(min_size=6, max_size=6),
    st.none() | st.booleans(), powers, st.binary(min_size=1, max_size=3).map(b"b".__add__),
)
nfc = st.builds(
    NfcCarrier, st.none() | st.integers(255, 65535), st.none() | st.integers(256, 65536), powers,
    st.sampled_from([b"nfc", b"n" * 255]),
)
other = st.builds(
    OtherCarrier,
    st.binary(min_size=128, max_size=400).map(lambda raw: Record(Tnf.MEDIA, b"application/vnd.wfa.nan", raw, b"W")),
    powers,
)
carriers = st.lists(st.one_of(ble, nfc, other), min_size=1, max_size=4, unique_by=lambda carrier: carrier.id)
engagements = st.one_of(st.binary(min_size=1, max_size=90), st.binary(min_size=250, max_size=600))


def rows_of(message: bytes) -> list[Record]:
    return list(ndef.decode(message))


def test_annex_d_is_a_negotiated_handover_to_ble() -> None:
    found = read_select(HS, HR)
    assert (found.hs, found.hr) == (HS, HR)
    address = bytes.fromhex("2828378B1228")
    assert found.carriers == (BleCarrier(LeRole.CENTRAL, address=address, random_address=True),)
    assert found.device_engagement == HS[-88:]
    assert found.ble_service == SERVICE_UUID


def test_request_of_annex_d_offers_ble_nfc_and_wifi() -> None:
    first, second, third = read_request(HR)
    assert first == BleCarrier(LeRole.PERIPHERAL_PREFERRED, SERVICE_UUID, bytes.fromhex("28BF80800728"), True)
    assert second == NfcCarrier()
    assert isinstance(third, OtherCarrier)
    assert (third.id, third.power) == (b"W", Power.ACTIVE)


def test_messages_of_annex_d_are_written_byte_for_byte() -> None:
    assert make_select(HS[-88:], read_select(HS).carriers) == HS
    records = rows_of(make_request(read_request(HR), lambda count: b"\x01\x02"[:count]))
    assert records.pop().id == b"mdocreader"  # what readers say of themselves since
    assert ndef.encode(records) == HR


@given(carriers, engagements)
def test_select_survives_the_wire_both_ways(offered: list[Carrier], engagement: bytes) -> None:
    raw = make_select(engagement, offered)
    found = read_select(raw)
    assert found.carriers == tuple(offered)
    assert found.device_engagement == engagement
    assert make_select(found.device_engagement, found.carriers) == raw


@given(carriers)
def test_request_survives_the_wire_both_ways(offered: list[Carrier]) -> None:
    assert read_request(make_request(offered, DRAW)) == tuple(offered)


@given(carriers, engagements)
def test_static_handover_reaches_the_reader_as_it_stood(offered: list[Carrier], engagement: bytes) -> None:
    content = StaticHandover(engagement, offered)
    tag = Type4Tag(content)
    found, rows = tap(NfcWallet(tag), nfc_reader.handover((), DRAW))
    assert found == content.handover
    assert found.hr is None
    assert tag.read_whole
    assert {row.step for row in rows} == {"engage by NFC"}


@given(carriers, engagements, st.data())
def test_negotiated_handover_gives_both_sides_the_same(offered: list[Carrier], engagement: bytes, data: st.DataObject) -> None:
    chosen = data.draw(st.sampled_from(offered))
    seen: list[tuple[Carrier, ...]] = []

    def choose(found: tuple[Carrier, ...]) -> Carrier:
        seen.append(found)
        return chosen

    wallet = NegotiatedHandover(engagement, choose)
    found, rows = tap(NfcWallet(Type4Tag(wallet)), nfc_reader.handover(offered, DRAW))
    assert max(len(row.request) for row in rows) <= 5 + 255  # short commands only, whatever the tag would take
    assert seen == [tuple(offered)]
    assert found == wallet.handover
    assert found.carriers == (chosen,)
    assert found.hr is not None
    assert read_request(found.hr) == tuple(offered)


def test_reader_waits_as_the_tag_asks() -> None:
    class Late(NegotiatedHandover):
        """Puts every answer off until the third time the file is read."""

        polls = 0
        held = b""

        def written(self, message: bytes) -> bytes | None:
            self.held, self.polls = super().written(message) or b"", 0
            return b""

    wallet = Late(ENGAGEMENT, lambda found: found[0], tnep.ServiceParameter(SERVICE, wait_code=24, extensions=3))
    tag = Type4Tag(wallet)

    class Polled(NfcWallet):
        def handle(self, request: bytes, now_ns: int) -> bytes:
            if request[:4] == b"\x00\xb0\x00\x00" and wallet.held:
                wallet.polls += 1
                if wallet.polls == 3:
                    tag.put(wallet.held)
            return super().handle(request, now_ns)

    found, rows = tap(Polled(tag), nfc_reader.handover([NfcCarrier()], DRAW))
    assert found == wallet.handover
    assert rows[-1].at_ns == 6 * 32_000_000  # 2 ** (24 / 4 - 1) ms, three times for each of two answers


class Counting(NfcWallet):
    """Counts how often the length of the message is read."""

    polls = 0

    def handle(self, request: bytes, now_ns: int) -> bytes:
        self.polls += request == b"\x00\xb0\x00\x00\x02"
        return super().handle(request, now_ns)


@pytest.mark.parametrize("extensions", [0, 7, 15])
def test_reader_gives_up_on_an_answer_that_never_comes(extensions: int) -> None:
    class Never(NegotiatedHandover):
        def written(self, message: bytes) -> bytes | None:
            return b""

    wallet = Never(ENGAGEMENT, lambda found: found[0], tnep.ServiceParameter(SERVICE, extensions=extensions))
    device = Counting(Type4Tag(wallet))
    with pytest.raises(Ended, match="holds no message"):
        tap(device, nfc_reader.handover([NfcCarrier()], DRAW))
    assert device.polls == 1 + 1 + extensions  # the offer, then the answer


def test_wallet_without_a_carrier_in_common_says_so_and_the_reader_ends() -> None:
    wallet = NegotiatedHandover(ENGAGEMENT, lambda _: None)
    with pytest.raises(Ended, match="in common"):
        tap(NfcWallet(Type4Tag(wallet)), nfc_reader.handover([NfcCarrier()], DRAW))
    assert wallet.handover is None


def test_one_engagement_makes_one_handover() -> None:
    wallet = NegotiatedHandover(ENGAGEMENT, lambda found: found[0])
    device = NfcWallet(Type4Tag(wallet))
    first, _ = tap(device, nfc_reader.handover([NfcCarrier()], DRAW))
    with pytest.raises(Ended):
        tap(device, nfc_reader.handover([NfcCarrier()], DRAW))
    assert wallet.handover == first


def test_reader_ends_when_the_service_is_not_opened() -> None:
    class Closed(NegotiatedHandover):
        def written(self, message: bytes) -> bytes | None:
            return tnep.status_message(0x80)

    with pytest.raises(Ended, match="status 128"):
        tap(NfcWallet(Type4Tag(Closed(ENGAGEMENT, lambda found: found[0]))), nfc_reader.handover([NfcCarrier()], DRAW))


def test_reader_ends_at_more_than_it_asked_for() -> None:
    with pytest.raises(Ended, match="6 bytes read where 3 were asked for"):
        tap(Saying(*_SELECTED, "00039000", "0102030405069000"), nfc_reader.handover([NfcCarrier()], DRAW))


def test_negotiated_tag_that_cannot_be_written_ends_the_reader() -> None:
    class ReadOnly(NegotiatedHandover):
        writable = False

    with pytest.raises(Ended, match="does not take"):
        tap(NfcWallet(Type4Tag(ReadOnly(ENGAGEMENT, lambda found: found[0]))), nfc_reader.handover([NfcCarrier()], DRAW))


@pytest.mark.parametrize(
    "message",
    [
        b"", b"\xd1", HR, HS, tnep.status_message(0), tnep.select_message(b"urn:nfc:sn:snep"),
        ndef.encode([Record(Tnf.WELL_KNOWN, b"Ts")]), ndef.encode([Record(Tnf.WELL_KNOWN, b"Ts", b"\x05urn")]),
        ndef.encode([Record(Tnf.WELL_KNOWN, b"Ts", b"\x01u"), Record(Tnf.EMPTY)]),
    ],
)
def test_message_out_of_turn_is_answered_by_a_protocol_error(message: bytes) -> None:
    wallet = NegotiatedHandover(ENGAGEMENT, lambda found: found[0])
    wallet.begin()
    answer = wallet.written(message)
    assert answer is not None
    assert tnep.read_status(ndef.decode(answer)) == tnep.PROTOCOL_ERROR
    assert wallet.handover is None


@pytest.mark.parametrize("message", [HS, b"\xd1\x02", tnep.status_message(0), HR[:-1]])
def test_other_message_than_a_request_is_answered_by_a_protocol_error(message: bytes) -> None:
    wallet = NegotiatedHandover(ENGAGEMENT, lambda found: found[0])
    assert wallet.written(tnep.select_message(SERVICE)) == tnep.status_message(tnep.SUCCESS)
    assert wallet.written(message) == tnep.status_message(tnep.PROTOCOL_ERROR)
    assert wallet.written(HR) == make_select(ENGAGEMENT, read_request(HR)[:1])


def test_service_given_back_shows_the_offer_again() -> None:
    wallet = NegotiatedHandover(ENGAGEMENT, lambda found: found[0])
    offer = wallet.begin()
    wallet.written(tnep.select_message(SERVICE))
    assert wallet.written(tnep.select_message(b"")) == offer
    assert wallet.written(HR) == tnep.status_message(tnep.PROTOCOL_ERROR)


@given(st.lists(st.one_of(st.binary(max_size=40), st.binary(min_size=200, max_size=400), st.sampled_from([HS, HR])), max_size=8))
def test_wallet_answers_whatever_is_written(messages: list[bytes]) -> None:
    wallet = NegotiatedHandover(ENGAGEMENT, lambda found: found[0])
    wallet.written(tnep.select_message(SERVICE))
    for message in messages:
        answer = wallet.written(message)
        assert answer is not None
        assert ndef.decode(answer)


@given(st.sampled_from([HS, HR]), st.data())
def test_message_with_a_changed_byte_is_read_or_refused(message: bytes, data: st.DataObject) -> None:
    raw = bytearray(message)
    raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    for read in (read_select, read_request):
        try:
            read(bytes(raw))
        except (MalformedNdef, MalformedHandover):
            pass


def test_what_others_add_is_overlooked() -> None:
    records = rows_of(HS)
    inner = [Record(Tnf.EXTERNAL, b"example.org:x", b"?"), *ndef.decode(records[0].payload[1:])]
    first = Record(Tnf.WELL_KNOWN, b"Hs", b"\x14" + ndef.encode(inner))
    extra = [Record(Tnf.MEDIA, b"text/plain", b"hello", b"t"), Record(Tnf.UNKNOWN, payload=b"x")]
    found = read_select(ndef.encode([first, *records[1:], *extra]))
    assert found.carriers == read_select(HS).carriers


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


def test_service_parameter_survives_the_wire_both_ways() -> None:
    service = tnep.ServiceParameter(SERVICE, 20, 7, 1000)
    assert service.wait_s == 0.016
    assert tnep.offered((Record(Tnf.EMPTY), service.record()), SERVICE) == service
    assert tnep.offered((service.record(),), b"urn:nfc:sn:other") is None
    assert service.record().payload == b"\x10\x13urn:nfc:sn:handover\x00\x14\x07\x03\xe8"


@pytest.mark.parametrize("payload", ["", "10", "10000000000000", "10017500000000", "2001750000000000"])
def test_malformed_service_parameter_is_refused(payload: str) -> None:
    with pytest.raises(MalformedHandover):
        tnep.offered((Record(Tnf.WELL_KNOWN, b"Tp", bytes.fromhex(payload)),), SERVICE)


@pytest.mark.parametrize(
    "container",
    [
        "000F207FFF7FFF0406E1047FFF00", "000E207FFF7FFF0406E1047FFF00FF", "000F407FFF7FFF0406E1047FFF00FF",
        "000F207FFF7FFF0506E1047FFF00FF", "000F20000E7FFF0406E1047FFF00FF", "000F207FFF00000406E1047FFF00FF",
        "000F207FFF7FFF0406E1047FFF80FF", "000F207FFF7FFF0406E104000400FF",
    ],
)
def test_malformed_capability_container_is_refused(container: str) -> None:
    found = read_container(bytes.fromhex("000F207FFF7FFF0406E1047FFF00FF"))
    assert found == nfc_reader.Container(0xE104, 0x7FFF, 0x7FFF, 0x7FFD, False)
    with pytest.raises(MalformedHandover):
        read_container(bytes.fromhex(container))


_CONTAINER = "000F207FFF7FFF0406E1047FFF00FF9000"
_SELECTED = ["9000", "9000", _CONTAINER, "9000"]


@pytest.mark.parametrize(
    "replies",
    [
        ["6A82"], ["9000", "6A82"], ["9000", "9000", "6A86"], ["9000", "9000", "9000"], ["9000", "90"], [*_SELECTED[:3], "6A82"],
        [*_SELECTED, "009000"], [*_SELECTED, "FFFF9000"], [*_SELECTED, "00009000"], [*_SELECTED, "00039000", "9000"],
        [*_SELECTED, "00039000", "0102030405069000"], [*_SELECTED, "00039000", "6B00"], [*_SELECTED, "00039000", "D000009000"],
    ],
)
def test_reader_ends_at_a_tag_that_cannot_be(replies: list[str]) -> None:
    device = Saying(*replies)
    with pytest.raises(Ended):
        tap(device, nfc_reader.handover([NfcCarrier()], DRAW))
    assert device.replies == []
