"""NDEF: both directions, every kind of malformed message, and messages that others published."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from virtual_devices.errors import PeerError, UsageError
from virtual_devices.mdoc.ndef import MAX_RECORDS, MalformedNdef, NdefProblem, Record, Tnf, decode, encode

from .handover_messages import HS

URI_RECORD = bytes.fromhex("D1010C55016578616D706C652E636F6D")
"""The NFC Forum's URI record with prefix 01, ``http://www.``, and "example.com"."""

ids = st.one_of(st.none(), st.binary(max_size=12), st.binary(min_size=200, max_size=255))
types = st.one_of(st.binary(min_size=1, max_size=12), st.binary(min_size=200, max_size=255))
payloads = st.one_of(st.binary(max_size=20), st.binary(min_size=250, max_size=600), st.sampled_from([255, 256, 4000]).map(bytes))
typed = st.sampled_from([Tnf.WELL_KNOWN, Tnf.MEDIA, Tnf.URI, Tnf.EXTERNAL])
records = st.one_of(
    st.builds(Record, typed, types, payloads, ids, st.booleans()),
    st.builds(Record, st.just(Tnf.UNKNOWN), st.just(b""), payloads, ids, st.booleans()),
    st.builds(Record, st.just(Tnf.EMPTY), id=st.sampled_from([None, b""]), long=st.booleans()),
)
messages = st.lists(records, min_size=1, max_size=12)


@given(messages)
def test_message_survives_the_wire_both_ways(row: list[Record]) -> None:
    raw = encode(row)
    again = decode(raw)
    assert again == tuple(row)
    assert encode(again) == raw


@given(st.one_of(st.binary(max_size=60), st.binary(min_size=128, max_size=600), st.binary(max_size=60).map(b"\xd1".__add__)))
def test_decode_of_any_bytes_round_trips_or_is_malformed(raw: bytes) -> None:
    try:
        found = decode(raw)
    except MalformedNdef as refused:
        assert isinstance(refused, PeerError)
        return
    assert encode(found) == raw


@given(messages, st.data())
def test_message_cut_anywhere_is_malformed(row: list[Record], data: st.DataObject) -> None:
    raw = encode(row)
    with pytest.raises(MalformedNdef):
        decode(raw[: data.draw(st.integers(0, len(raw) - 1))])


@given(messages, st.integers(0, 255), st.data())
def test_message_with_a_changed_byte_is_another_message_or_malformed(row: list[Record], byte: int, data: st.DataObject) -> None:
    raw = bytearray(encode(row))
    raw[data.draw(st.integers(0, len(raw) - 1))] = byte
    try:
        found = decode(bytes(raw))
    except MalformedNdef:
        return
    assert encode(found) == raw


def test_uri_record_of_the_nfc_forum_is_read_and_written() -> None:
    (record,) = decode(URI_RECORD)
    assert record == Record(Tnf.WELL_KNOWN, b"U", b"\x01example.com")
    assert encode([record]) == URI_RECORD


def test_handover_select_of_annex_d_is_read_and_written() -> None:
    hs, ble, engagement = decode(HS)
    assert hs.of(Tnf.WELL_KNOWN, b"Hs")
    assert hs.id is None
    assert ble.of(Tnf.MEDIA, b"application/vnd.bluetooth.le.oob")
    assert ble.id == b"0"
    assert engagement.of(Tnf.EXTERNAL, b"iso.org:18013:deviceengagement")
    assert engagement.id == b"mdoc"
    assert len(engagement.payload) == 88
    assert encode([hs, ble, engagement]) == HS


def test_empty_record_is_three_bytes() -> None:
    assert encode([Record(Tnf.EMPTY)]) == bytes.fromhex("D00000")


def test_record_of_256_bytes_is_long() -> None:
    assert encode([Record(Tnf.UNKNOWN, payload=bytes(255))])[:3] == bytes.fromhex("D500FF")
    assert encode([Record(Tnf.UNKNOWN, payload=bytes(256))])[:6] == bytes.fromhex("C50000000100")


@pytest.mark.parametrize(
    ("hexadecimal", "problem", "offset"),
    [
        ("", NdefProblem.EMPTY, 0),
        ("D1", NdefProblem.TRUNCATED, 0),
        ("D10101", NdefProblem.TRUNCATED, 0),
        ("D1010255 01", NdefProblem.TRUNCATED, 0),
        ("C10100000001 55", NdefProblem.TRUNCATED, 0),
        ("C101FFFFFFFF55", NdefProblem.TRUNCATED, 0),
        ("D9010055", NdefProblem.TRUNCATED, 0),
        ("D901000255", NdefProblem.TRUNCATED, 0),
        ("51010055", NdefProblem.NO_BEGIN, 0),
        ("91010055", NdefProblem.NO_END, 4),
        ("91010055 D1010055", NdefProblem.SECOND_BEGIN, 4),
        ("D1010055 00", NdefProblem.AFTER_END, 4),
        ("D1010055 51010055", NdefProblem.AFTER_END, 4),
        ("B1010055 560000", NdefProblem.CHUNKED, 0),
        ("F1010055", NdefProblem.CHUNKED, 0),
        ("D60000", NdefProblem.CHUNKED, 0),
        ("91010055 560000", NdefProblem.CHUNKED, 4),
        ("D7010055", NdefProblem.BAD_TNF, 0),
        ("D10000", NdefProblem.BAD_TYPE, 0),
        ("D40001 00", NdefProblem.BAD_TYPE, 0),
        ("D50100 55", NdefProblem.BAD_TYPE, 0),
        ("D00100 55", NdefProblem.BAD_TYPE, 0),
        ("D00001 55", NdefProblem.BAD_TYPE, 0),
        ("D8000001 55", NdefProblem.BAD_TYPE, 0),
    ],
)
def test_malformed_message_is_refused_with_its_reason(hexadecimal: str, problem: NdefProblem, offset: int) -> None:
    with pytest.raises(MalformedNdef) as refused:
        decode(bytes.fromhex(hexadecimal))
    assert (refused.value.problem, refused.value.offset) == (problem, offset)


def test_limits_are_held() -> None:
    row = [Record(Tnf.EMPTY)] * (MAX_RECORDS + 1)
    assert len(decode(encode(row[1:]))) == MAX_RECORDS
    with pytest.raises(MalformedNdef) as refused:
        decode(encode(row))
    assert refused.value.problem is NdefProblem.TOO_MANY
    with pytest.raises(MalformedNdef) as refused:
        decode(URI_RECORD, max_bytes=15)
    assert refused.value.problem is NdefProblem.TOO_BIG


@pytest.mark.parametrize(
    "make",
    [
        lambda: encode([]),
        lambda: Record(Tnf.WELL_KNOWN),
        lambda: Record(Tnf.UNKNOWN, b"U"),
        lambda: Record(Tnf.EMPTY, payload=b"x"),
        lambda: Record(Tnf.EMPTY, id=b"x"),
        lambda: Record(Tnf.UNCHANGED, payload=b"x"),
        lambda: Record(Tnf.RESERVED, b"x"),
        lambda: Record(Tnf.MEDIA, bytes(256)),
        lambda: Record(Tnf.MEDIA, b"x", id=bytes(256)),
    ],
)
def test_record_that_nobody_can_write_is_the_callers_mistake(make: object) -> None:
    assert callable(make)
    with pytest.raises(UsageError):
        make()


def test_media_and_external_types_do_not_distinguish_case_and_well_known_ones_do() -> None:
    assert Record(Tnf.EXTERNAL, b"ISO.org:18013:NFC").of(Tnf.EXTERNAL, b"iso.org:18013:nfc")
    assert Record(Tnf.MEDIA, b"Text/Plain").of(Tnf.MEDIA, b"text/plain")
    assert not Record(Tnf.WELL_KNOWN, b"hs").of(Tnf.WELL_KNOWN, b"Hs")
    assert not Record(Tnf.MEDIA, b"Hs").of(Tnf.WELL_KNOWN, b"Hs")
