"""Several codes for one content, in any order and with anything between; codes that change while they are shown."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from virtual_devices import base45
from virtual_devices.errors import UsageError
from virtual_devices.qr.parts import COMFORTABLE_CHARACTERS, MAX_PARTS, Added, Collector, Part, read_part, split
from virtual_devices.qr.text import PART, MalformedCode
from virtual_devices.randomness import ByteStream, stream

from .qr_desk import Phone, prescribed


def fresh(name: str = "set") -> ByteStream:
    return ByteStream("tests", name)


def content(length: int, prefix: str = "VHP1:") -> str:
    return prefix + base45.encode(stream("tests", length).randbytes(length))


@given(st.integers(0, 4000), st.integers(450, 1000), st.data())
def test_parts_come_back_in_any_order_and_doubled(length: int, most: int, data: st.DataObject) -> None:
    text = content(length)
    parts = split(text, fresh(), most)
    assert all(len(part) <= most for part in parts)
    if parts == [text]:
        return
    seen = data.draw(st.permutations(parts + parts[:3]))
    collector = Collector()
    outcomes = [collector.add(part) for part in seen]
    assert collector.whole == text and not collector.missing
    assert outcomes.count(Added.COMPLETE) == 1 and outcomes.count(Added.AGAIN) == len(seen) - len(parts)
    assert outcomes.count(Added.KEPT) == len(parts) - 1


def test_prescription_with_its_certificates_goes_in_a_few_codes() -> None:
    text = prescribed()
    parts = split(text, fresh())
    assert len(parts) == 3 and max(map(len, parts)) <= COMFORTABLE_CHARACTERS
    assert max(map(len, parts)) - min(map(len, parts)) <= 4  # as equal as can be
    assert split(Phone().show(), fresh()) == [Phone().show()]
    collector = Collector()
    assert [collector.add(part) for part in reversed(parts)] == [Added.KEPT] * 2 + [Added.COMPLETE] and collector.whole == text


def test_what_is_missing_is_told() -> None:
    collector = Collector()
    assert collector.missing == ()
    parts = split(content(2000), fresh())
    collector.add(parts[2])
    assert collector.missing == tuple(n for n in range(len(parts)) if n != 2) and collector.whole is None


def test_parts_of_others_are_named_and_change_nothing() -> None:
    text = content(2000)
    mine, others = split(text, fresh()), split(content(2000), fresh("another"))
    collector = Collector()
    assert collector.add(mine[0]) is Added.KEPT
    assert collector.add(others[1]) is Added.OTHER_SET
    assert collector.add(Phone().show()) is collector.add("") is collector.add("https://example") is Added.FOREIGN
    assert collector.add(PART + "A") is collector.add(PART) is Added.MALFORMED
    assert [collector.add(part) for part in mine[1:]][-1] is Added.COMPLETE and collector.whole == text
    assert collector.add(others[0]) is Added.OTHER_SET and collector.whole == text
    collector.forget()
    assert collector.whole is None and collector.add(others[0]) is Added.KEPT


def test_part_that_contradicts_is_refused() -> None:
    text = content(2000)
    parts = split(text, fresh())
    first, second = read_part(parts[0]), read_part(parts[1])
    collector = Collector()
    assert collector.add(parts[0]) is Added.KEPT
    for wrong in (
        Part(first.of, 0, first.total, first.checksum, first.piece + b"x"),
        Part(first.of, 1, first.total + 1, first.checksum, b"x"),
        Part(first.of, 1, first.total, bytes(8), second.piece),
    ):
        assert collector.add(wrong.to_text()) is Added.CONTRADICTS
    assert [collector.add(part) for part in parts[1:]][-1] is Added.COMPLETE and collector.whole == text


def test_corrupt_whole_is_forgotten_and_can_begin_again() -> None:
    text = content(2000)
    parts = split(text, fresh())
    last = read_part(parts[-1])
    lie = Part(last.of, last.number, last.total, last.checksum, last.piece[:-1] + bytes((last.piece[-1] ^ 1,))).to_text()
    collector = Collector()
    for part in parts[:-1]:
        collector.add(part)
    assert collector.add(lie) is Added.CORRUPT and collector.whole is None and collector.missing == ()
    assert [collector.add(part) for part in parts][-1] is Added.COMPLETE and collector.whole == text


def test_flipped_bit_of_a_part_never_makes_another_whole() -> None:
    text = content(1500)
    parts = split(text, fresh())
    raw = base45.decode(parts[0].removeprefix(PART))
    for position in range(len(raw) * 8):
        other = bytearray(raw)
        other[position // 8] ^= 1 << position % 8
        collector = Collector()
        for part in (*parts[1:], PART + base45.encode(bytes(other))):
            collector.add(part)
        assert collector.whole is None


@pytest.mark.parametrize(
    "head", ["00000000 0001", "00000000 0202", "00000000 0302", "00000000 0011", "00000000 0000", "00000000 ff02"],
)
def test_part_with_numbers_that_cannot_be_is_malformed(head: str) -> None:
    assert Collector().add(PART + base45.encode(bytes.fromhex(head) + bytes(8) + b"piece")) is Added.MALFORMED


@given(st.text(max_size=40) | st.binary(max_size=60).map(lambda b: PART + base45.encode(b)))
def test_any_text_is_a_part_or_refused(text: str) -> None:
    collector = Collector()
    try:
        part = read_part(text)
    except MalformedCode:
        assert collector.add(text) in (Added.FOREIGN, Added.MALFORMED)
        return
    assert part.to_text() == text and collector.add(text) is Added.KEPT


def test_memory_of_a_collector_is_bounded() -> None:
    collector, piece = Collector(), bytes(3000)
    outcomes = [collector.add(Part(b"aset", n, 16, bytes(8), piece).to_text()) for n in range(4)]
    assert outcomes == [Added.KEPT, Added.KEPT, Added.MALFORMED, Added.MALFORMED]


@pytest.mark.parametrize(
    ("length", "most", "parts"), [(3963, 400, 16), (8187, 1000, 13), (475, 400, 2), (400, 605, 1), (400, 604, 2)],
)
def test_limits_of_parts_are_inside(length: int, most: int, parts: int) -> None:
    text = content(length)
    made, collector = split(text, fresh(), most), Collector()
    assert len(made) == parts
    if parts > 1:
        assert [collector.add(part) for part in made][-1] is Added.COMPLETE and collector.whole == text


def test_whole_without_a_prefix_is_corrupt() -> None:
    """Anybody can make parts with a true checksum: what they say is held when they are together."""
    whole = b"\xff\xfe\xfd\xfc\xfbwhatever"
    checksum = hashlib.sha256(whole).digest()[:8]
    collector = Collector()
    assert collector.add(Part(b"aset", 0, 2, checksum, whole[:6]).to_text()) is Added.KEPT
    assert collector.add(Part(b"aset", 1, 2, checksum, whole[6:]).to_text()) is Added.CORRUPT
    assert collector.add(Part(b"aset", 0, 2, checksum, b"").to_text()) is Added.MALFORMED


@pytest.mark.parametrize(
    ("length", "most"), [(8200, 734), (8188, 1000), (3964, 400), (4000, 100), (1000, 26), (1000, 5), (1000, 0)],
)
def test_content_that_needs_too_many_parts_is_the_callers_slip(length: int, most: int) -> None:
    with pytest.raises(UsageError):
        split(content(length), fresh(), most)
    assert MAX_PARTS == 16
