"""NFC handover: annex D's messages, and wallet and reader against each other."""

from __future__ import annotations

from contextlib import suppress
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from virtual_devices.mdoc import ndef, tnep
from virtual_devices.mdoc.carriers import (
    BleCarrier,
    Carrier,
    LeRole,
    MalformedHandover,
    NfcCarrier,
    OtherCarrier,
    Power,
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
from virtual_devices.mdoc.type4 import Type4Tag
from virtual_devices.reader import nfc as nfc_reader
from virtual_devices.reader.transmit import Ended

from .handover_messages import DRAW, ENGAGEMENT, HR, HS, SERVICE_UUID
from .nfc_wallet import NfcWallet, tap

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


def test_one_engagement_makes_one_handover() -> None:
    wallet = NegotiatedHandover(ENGAGEMENT, lambda found: found[0])
    device = NfcWallet(Type4Tag(wallet))
    first, _ = tap(device, nfc_reader.handover([NfcCarrier()], DRAW))
    with pytest.raises(Ended):
        tap(device, nfc_reader.handover([NfcCarrier()], DRAW))
    assert wallet.handover == first


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
    with suppress(MalformedNdef, MalformedHandover):
        found = read_select(bytes(raw))
        assert found.hs == bytes(raw) and found.device_engagement and found.hr is None
    with suppress(MalformedNdef, MalformedHandover):
        assert all(carrier.id for carrier in read_request(bytes(raw)))


def test_what_others_add_is_overlooked() -> None:
    records = rows_of(HS)
    inner = [Record(Tnf.EXTERNAL, b"example.org:x", b"?"), *ndef.decode(records[0].payload[1:])]
    first = Record(Tnf.WELL_KNOWN, b"Hs", b"\x14" + ndef.encode(inner))
    extra = [Record(Tnf.MEDIA, b"text/plain", b"hello", b"t"), Record(Tnf.UNKNOWN, payload=b"x")]
    found = read_select(ndef.encode([first, *records[1:], *extra]))
    assert found.carriers == read_select(HS).carriers
