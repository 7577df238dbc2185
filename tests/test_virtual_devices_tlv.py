"""BER-TLV: both directions, the long forms of length, and everything that must be refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from virtual_devices.errors import PeerError, UsageError
from virtual_devices.tlv import (
    TlvError,
    TlvProblem,
    decode,
    encode,
    encode_all,
    find,
    find_all,
    is_constructed,
    walk,
)

one_byte_tags = st.integers(1, 0xFF).filter(lambda tag: tag & 0x1F != 0x1F)
leads = st.sampled_from([0x1F, 0x3F, 0x5F, 0x7F, 0x9F, 0xBF, 0xDF, 0xFF])
two_byte_tags = st.builds(lambda lead, second: lead << 8 | second, leads, st.integers(0x1F, 0x7F))
three_byte_tags = st.builds(
    lambda lead, second, third: lead << 16 | second << 8 | third, leads, st.integers(0x81, 0xFF), st.integers(0, 0x7F)
)
tags = st.one_of(one_byte_tags, two_byte_tags, three_byte_tags)
objects = st.lists(st.tuples(tags, st.binary(max_size=300)), max_size=8)


def problem_of(raw: bytes) -> TlvProblem:
    with pytest.raises(TlvError) as caught:
        decode(raw)
    assert isinstance(caught.value, PeerError)
    assert isinstance(caught.value, ValueError)
    assert str(caught.value) == f"{caught.value.problem.value} at byte {caught.value.offset}"
    return caught.value.problem


@given(objects)
def test_tlv_objects_survive_encoding(items: list[tuple[int, bytes]]) -> None:
    assert decode(encode_all(items)) == items


@given(st.binary(max_size=80))
def test_tlv_of_any_bytes_round_trips_or_is_refused(raw: bytes) -> None:
    try:
        items = decode(raw)
    except TlvError as refused:
        assert 0 <= refused.offset <= len(raw)
        return
    assert encode_all(items) == raw


@given(st.binary(max_size=80))
def test_walk_of_any_bytes_ends_or_is_refused(raw: bytes) -> None:
    try:
        seen = list(walk(raw))
    except TlvError:
        return
    assert [(path[0], value) for path, value in seen if len(path) == 1] == decode(raw)


@pytest.mark.parametrize(
    ("size", "length"),
    [
        (0, "00"),
        (1, "01"),
        (127, "7f"),
        (128, "8180"),
        (255, "81ff"),
        (256, "820100"),
        (65535, "82ffff"),
        (65536, "83010000"),
        (100_000, "830186a0"),
    ],
)
def test_tlv_length_takes_its_shortest_form(size: int, length: str) -> None:
    value = b"\xa5" * size
    raw = encode(0x53, value)
    assert raw == b"\x53" + bytes.fromhex(length) + value
    assert decode(raw) == [(0x53, value)]


def test_tlv_reads_a_select_answer_of_the_standards_form() -> None:
    # FCI template 6F with DF name 84 and proprietary template A5 holding a two-byte tag (ISO/IEC 7816-4 tables 10, 14).
    raw = bytes.fromhex("6F14" + "8407A0000000041010" + "A509" + "5F2D027A68" + "9F380100")
    assert [(tag, len(value)) for tag, value in decode(raw)] == [(0x6F, 20)]
    assert find(raw, 0x6F, 0x84) == bytes.fromhex("A0000000041010")
    assert find(raw, 0x6F, 0xA5, 0x5F2D) == b"zh"
    assert [path for path, _ in walk(raw)] == [
        (0x6F,), (0x6F, 0x84), (0x6F, 0xA5), (0x6F, 0xA5, 0x5F2D), (0x6F, 0xA5, 0x9F38),
    ]


def test_find_all_gives_every_one_and_find_the_first() -> None:
    raw = encode(0x61, encode(0x4F, b"a") + encode(0x50, b"x")) + encode(0x61, encode(0x4F, b"b"))
    assert find_all(raw, 0x61, 0x4F) == [b"a", b"b"]
    assert find(raw, 0x61, 0x4F) == b"a"
    assert find(raw, 0x61, 0x51) is None
    assert find(raw, 0x4F) is None
    with pytest.raises(UsageError, match="at least one tag"):
        find(raw)


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        ("53", TlvProblem.TRUNCATED),
        ("5F", TlvProblem.TRUNCATED),
        ("5F81", TlvProblem.TRUNCATED),
        ("5302AA", TlvProblem.TRUNCATED),
        ("5381", TlvProblem.TRUNCATED),
        ("538201", TlvProblem.TRUNCATED),
        ("5384FFFFFFFF00", TlvProblem.TRUNCATED),
        ("5300" + "53", TlvProblem.TRUNCATED),
        ("5380AA0000", TlvProblem.INDEFINITE),
        ("7F4980AA0000", TlvProblem.INDEFINITE),
        ("538101AA", TlvProblem.OVERLONG),
        ("53817F" + "AA" * 127, TlvProblem.OVERLONG),
        ("53820080" + "AA" * 128, TlvProblem.OVERLONG),
        ("5384000001" + "00" * 256, TlvProblem.OVERLONG),
        ("53850000000001AA", TlvProblem.BAD_LENGTH),
        ("53FFAA", TlvProblem.BAD_LENGTH),
        ("0000", TlvProblem.BAD_TAG),
        ("5F1E00", TlvProblem.BAD_TAG),
        ("5F8000", TlvProblem.BAD_TAG),
        ("5F818100", TlvProblem.BAD_TAG),
    ],
)
def test_tlv_refuses_and_says_why(raw: str, problem: TlvProblem) -> None:
    assert problem_of(bytes.fromhex(raw)) is problem


def test_tlv_error_says_where() -> None:
    with pytest.raises(TlvError) as caught:
        decode(bytes.fromhex("5301AA" + "5380"))
    assert caught.value.offset == 4
    assert caught.value.clause == "ISO/IEC 7816-4 5.2.2"


@pytest.mark.parametrize("inner", ["04", "0402AA", "5F", "0481"])
def test_walk_keeps_an_inner_object_within_its_outer_one(inner: str) -> None:
    raw = encode(0x30, bytes.fromhex(inner)) + encode(0x04, b"more bytes behind it")
    with pytest.raises(TlvError) as caught:
        list(walk(raw))
    assert caught.value.problem is TlvProblem.TRUNCATED


def nested(depth: int) -> bytes:
    raw = b""
    for _ in range(depth):
        raw = encode(0x30, raw)
    return raw


def test_walk_refuses_a_depth_bomb_and_takes_the_deepest_allowed() -> None:
    assert max(len(path) for path, _ in walk(nested(5), max_depth=5)) == 5
    with pytest.raises(TlvError) as caught:
        list(walk(nested(2000)))
    assert caught.value.problem is TlvProblem.TOO_DEEP


def test_walk_depth_limit_counts_levels() -> None:
    assert len(list(walk(encode(0x30, encode(0x30, encode(0x04, b""))), max_depth=3))) == 3
    with pytest.raises(TlvError):
        list(walk(encode(0x30, encode(0x30, encode(0x04, b""))), max_depth=2))


def test_tlv_refuses_a_size_bomb() -> None:
    assert problem_of(b"\x04\x00" * 5000) is TlvProblem.TOO_MANY
    assert problem_of(bytes(2 << 20)) is TlvProblem.TOO_BIG
    with pytest.raises(TlvError) as caught:
        list(walk(encode(0x30, b"\x04\x00" * 3) * 2, max_objects=7))
    assert caught.value.problem is TlvProblem.TOO_MANY
    assert len(decode(b"\x04\x00" * 4096)) == 4096


@pytest.mark.parametrize("tag", [0, -1, 0x5F, 0x5F1E, 0x5F80, 0x5F8181, 0x5F818101, 0x1234, 0x5A00, 0x1000000])
def test_encode_refuses_what_is_no_tag(tag: int) -> None:
    with pytest.raises(UsageError, match="no BER-TLV tag"):
        encode(tag, b"")


@pytest.mark.parametrize(
    ("tag", "constructed"), [(0x5A, False), (0x6F, True), (0x5F20, False), (0x7F49, True), (0xDF8101, False)]
)
def test_constructed_is_a_bit_of_the_first_byte(tag: int, constructed: bool) -> None:
    assert is_constructed(tag) is constructed
