"""BLE's chunks: every message comes back whole, what can be noticed is refused, and the plan of airtime counts what is sent."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from virtual_devices.mdoc.ble_chunks import (
    MAX_MESSAGE_BYTES,
    AirtimePlan,
    Assembler,
    MalformedChunk,
    Message,
    airtime_plan,
    chunks,
    value_bytes,
)
from virtual_devices.mdoc.ble_gatt import BleUsageError, Problem
from virtual_devices.randomness import ByteStream

MTUS = st.integers(23, 517) | st.sampled_from([23, 24, 185, 247, 514, 515, 516, 517])
LONG = st.binary(min_size=3000, max_size=7000)
MESSAGES = st.binary(max_size=60) | LONG | st.integers(0, 20_000).map(lambda n: ByteStream("long", n)(n))


@given(MESSAGES, MTUS)
def test_message_comes_back_from_chunks_that_fit_the_link(message: bytes, mtu: int) -> None:
    values = chunks(message, mtu)
    assert [v[:1] for v in values] == [b"\x01"] * (len(values) - 1) + [b"\x00"]
    assert all(len(v) == value_bytes(mtu) for v in values[:-1]) and len(values[-1]) <= min(512, mtu - 3)
    assembler = Assembler()
    assert [assembler.feed(v, mtu) for v in values] == [None] * (len(values) - 1) + [Message(message, len(values), False)]
    assert assembler.unfinished_bytes == 0


@given(st.lists(MESSAGES, min_size=2, max_size=4), MTUS)
def test_one_assembler_takes_message_after_message(messages: list[bytes], mtu: int) -> None:
    assembler = Assembler()
    taken = [assembler.feed(v, mtu) for m in messages for v in chunks(m, mtu)]
    assert [t.content for t in taken if t is not None] == messages


@pytest.mark.parametrize(("mtu", "size"), [(23, 20), (185, 182), (514, 511), (515, 512), (517, 512), (65_535, 512)])
def test_value_is_the_mtu_without_its_header_and_at_most_512(mtu: int, size: int) -> None:
    assert value_bytes(mtu) == size


@pytest.mark.parametrize("mtu", [-1, 0, 22, 65_536])
def test_mtu_that_no_link_has_is_our_mistake(mtu: int) -> None:
    assembler = Assembler()
    uses = (lambda: value_bytes(mtu), lambda: chunks(b"", mtu), lambda: assembler.feed(b"\0", mtu), lambda: airtime_plan(1, mtu))
    for use in uses:
        with pytest.raises(BleUsageError, match="ATT_MTU"):
            use()


@pytest.mark.parametrize(("message", "values"), [
    (b"", [b"\x00"]),
    (b"a" * 19, [b"\x00" + b"a" * 19]),
    (b"a" * 20, [b"\x01" + b"a" * 19, b"\x00a"]),
    (b"a" * 38, [b"\x01" + b"a" * 19, b"\x00" + b"a" * 19]),
])
def test_chunks_at_the_smallest_mtu(message: bytes, values: list[bytes]) -> None:
    assert chunks(message, 23) == tuple(values)


@pytest.mark.parametrize(("value", "problem"), [
    (b"", Problem.EMPTY_CHUNK), (b"\x01", Problem.EMPTY_CHUNK), (b"\x02", Problem.UNKNOWN_PREFIX),
    (b"\xffabc", Problem.UNKNOWN_PREFIX),
    (b"\x00" + bytes(20), Problem.CHUNK_TOO_LONG), (b"\x01" + bytes(20), Problem.CHUNK_TOO_LONG),
])
def test_bad_chunk_is_refused_and_leaves_what_had_come(value: bytes, problem: Problem) -> None:
    assembler = Assembler()
    assembler.feed(b"\x01first", 23)
    with pytest.raises(MalformedChunk) as refused:
        assembler.feed(value, 23)
    assert refused.value.problem is problem and refused.value.clause and assembler.unfinished_bytes == 5


def test_chunk_of_513_bytes_is_refused_even_where_the_mtu_would_carry_it() -> None:
    with pytest.raises(MalformedChunk) as refused:
        Assembler().feed(b"\x00" + bytes(512), 517)
    assert refused.value.problem is Problem.CHUNK_TOO_LONG


def test_message_at_the_limit_passes_and_one_byte_more_is_refused() -> None:
    longest = bytes(MAX_MESSAGE_BYTES)
    assembler = Assembler()
    taken = [assembler.feed(v, 515) for v in chunks(longest, 515)]
    assert taken[-1] is not None and taken[-1].content == longest
    with pytest.raises(BleUsageError, match="at most 65536"):
        chunks(longest + b"x", 515)
    for value in chunks(longest, 515)[:-1]:
        assembler.feed(value, 515)
    rest = MAX_MESSAGE_BYTES - assembler.unfinished_bytes
    with pytest.raises(MalformedChunk) as refused:
        assembler.feed(b"\x00" + bytes(rest + 1), 515)
    assert refused.value.problem is Problem.MESSAGE_TOO_LONG


@given(st.binary(min_size=2, max_size=4000), st.integers(1, 181), MTUS.filter(lambda mtu: mtu >= 185))
def test_chunks_that_are_not_full_are_taken_and_told(message: bytes, part: int, mtu: int) -> None:
    cut = [message[at : at + part] for at in range(0, len(message), part)]
    assembler = Assembler()
    taken = [assembler.feed(b"\x01" + c, mtu) for c in cut[:-1]] + [assembler.feed(b"\x00" + cut[-1], mtu)]
    assert taken[-1] == Message(message, len(cut), uneven=len(cut) > 1 and part + 1 < value_bytes(mtu))


def test_empty_last_chunk_after_full_ones_ends_the_message() -> None:
    assembler = Assembler()
    assert assembler.feed(b"\x01" + b"a" * 19, 23) is None and assembler.feed(b"\x00", 23) == Message(b"a" * 19, 2, False)


@given(st.lists(st.binary(max_size=30) | st.binary(max_size=18).map(b"\x01".__add__), max_size=30), MTUS)
def test_any_values_make_messages_or_are_refused(values: list[bytes], mtu: int) -> None:
    assembler, expected = Assembler(), b""
    for value in values:
        before = assembler.unfinished_bytes
        try:
            message = assembler.feed(value, mtu)
        except MalformedChunk:
            assert assembler.unfinished_bytes == before
            continue
        expected += value[1:]
        if message is not None:
            assert message.content == expected
            expected = b""


@given(st.integers(0, 20_000), MTUS, st.sampled_from([27, 251]))
def test_airtime_plan_counts_what_is_sent(size: int, mtu: int, link_payload_bytes: int) -> None:
    values = chunks(bytes(size), mtu)
    l2cap = [4 + 3 + len(v) for v in values]
    assert airtime_plan(size, mtu, link_payload_bytes) == AirtimePlan(
        packets=len(values), value_bytes=sum(map(len, values)), att_bytes=sum(3 + len(v) for v in values),
        link_packets=sum(len(range(0, n, link_payload_bytes)) for n in l2cap), link_bytes=sum(l2cap),
    )


def test_airtime_plan_of_a_card_with_photograph() -> None:
    assert airtime_plan(20_000, 515) == AirtimePlan(40, 20_040, 20_160, 39 * 3 + 1, 20_320)
    assert airtime_plan(20_000, 23, 27) == AirtimePlan(1053, 21_053, 24_212, 1053, 28_424)


def test_airtime_plan_refuses_what_is_not_sent() -> None:
    for size, payload in ((-1, 251), (MAX_MESSAGE_BYTES + 1, 251), (1, 0)):
        with pytest.raises(BleUsageError):
            airtime_plan(size, 515, payload)
