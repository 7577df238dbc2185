"""The writing half of the CBOR codec against cbor2, and parts found as they stand."""

from __future__ import annotations

import cbor2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from virtual_devices import cbor

ITEMS = st.recursive(
    st.none() | st.booleans() | st.integers(-(1 << 64), (1 << 64) - 1) | st.binary(max_size=300),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=6,
)


@given(st.integers(-(1 << 64), (1 << 64) - 1))
def test_number_is_in_the_shortest_form(value: int) -> None:
    assert cbor.number(value) == cbor2.dumps(value)


@pytest.mark.parametrize("length", [0, 1, 23, 24, 255, 256, 65535, 65536])
def test_strings_of_every_length_are_in_the_shortest_form(length: int) -> None:
    assert cbor.byte_string(b"x" * length) == cbor2.dumps(b"x" * length)
    assert cbor.text("x" * length) == cbor2.dumps("x" * length)
    assert cbor.array([b"\x01"] * length) == cbor2.dumps([1] * length)


@given(st.dictionaries(st.text(max_size=300), st.binary(max_size=40), max_size=30))
def test_map_is_in_the_deterministic_order(values: dict[str, bytes]) -> None:
    entries = [cbor.text(name) + cbor.byte_string(value) for name, value in values.items()]
    assert cbor.map_of(entries) == cbor2.dumps(values, canonical=True)


@settings(max_examples=40)
@given(st.lists(ITEMS, max_size=5))
def test_items_read_together_are_those_read_one_by_one(values: list[object]) -> None:
    raws = [cbor2.dumps(value) for value in values]
    assert cbor.decode_all(raws) == [cbor.decode(raw) for raw in raws] == values


@pytest.mark.parametrize("raws", [[b"\x01\x02"], [b"\x82\x01", b"\x02"], [b""], [b"\x18"], [b"\x01", b"\xff"]])
def test_items_read_together_end_where_each_of_them_ends(raws: list[bytes]) -> None:
    with pytest.raises(cbor.MalformedCbor):
        cbor.decode_all(raws)


@settings(max_examples=40)
@given(st.dictionaries(st.text(max_size=30), st.tuples(ITEMS, ITEMS), max_size=3))
def test_part_is_found_as_it_stands(values: dict[str, tuple[object, object]]) -> None:
    raw = cbor2.dumps(values)
    assert cbor.part(raw) == raw
    for name, both in values.items():
        assert [cbor.part(raw, name, number) for number in (0, 1)] == [cbor2.dumps(each) for each in both]
        with pytest.raises(KeyError):
            cbor.part(raw, name, 2)


@pytest.mark.parametrize("raw, path, found", [
    ("bf6161 9f0102ff ff", ("a", 1), "02"),  # of indefinite length
    ("a16161 5f4101420203ff", ("a",), "5f4101420203ff"),  # a string in pieces stays in pieces
    ("a1 780161 1800", ("a",), "1800"),  # lengths that are not the shortest stay so
    ("82 d8184101 c11a514b67b0", (1,), "c11a514b67b0"),  # tagged
    ("82 fb3ff0000000000000 f97e00", (1,), "f97e00"),  # floats
])
def test_part_is_not_encoded_anew(raw: str, path: tuple[int | str, ...], found: str) -> None:
    assert cbor.part(bytes.fromhex(raw), *path) == bytes.fromhex(found)
