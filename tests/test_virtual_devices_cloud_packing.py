"""Packing: what is packed is read again by its type, equal values give equal bytes, damaged bytes are refused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from enum import Enum
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from virtual_devices.cloud.packing import fingerprint, pack, unpack
from virtual_devices.errors import UsageError


class Colour(Enum):
    RED = "red"
    BLUE = 7


@dataclass(frozen=True)
class Inner:
    day: date | None
    colours: frozenset[Colour]


@dataclass(frozen=True)
class Outer:
    name: str
    raw: bytes
    count: int
    yes: bool
    inner: Inner | None
    several: tuple[Inner, ...]
    pair: tuple[str, int]
    loose: Mapping[str, Any]
    later: int = 3


INNERS = st.builds(Inner, st.none() | st.dates(), st.frozensets(st.sampled_from(Colour)))
LOOSE = st.dictionaries(st.text(max_size=5), st.none() | st.integers() | st.text() | st.lists(st.binary(max_size=9), max_size=3))
OUTERS = st.builds(
    Outer, st.text(), st.binary(max_size=2000), st.integers(-(2**63), 2**63 - 1), st.booleans(), st.none() | INNERS,
    st.lists(INNERS, max_size=40).map(tuple), st.tuples(st.text(), st.integers()), LOOSE,
)


@given(OUTERS)
def test_packing_gives_back_what_was_packed(value: Outer) -> None:
    assert unpack(Outer, pack(value)) == value


@given(OUTERS, OUTERS)
def test_equal_values_alone_have_one_fingerprint(one: Outer, other: Outer) -> None:
    assert (fingerprint(one) == fingerprint(other)) == (one == other)
    assert fingerprint(replace(one)) == fingerprint(one) != fingerprint(replace(one, count=one.count ^ 1))


def test_field_that_was_added_later_takes_its_default() -> None:
    @dataclass(frozen=True)
    class Before:
        name: str

    @dataclass(frozen=True)
    class After:
        name: str
        colour: Colour = Colour.BLUE

    assert unpack(After, pack(Before("n"))) == After("n")


@given(st.binary(max_size=200))
def test_bytes_that_are_no_value_are_refused(raw: bytes) -> None:
    try:
        value = unpack(Inner, raw)
    except UsageError:
        return
    assert unpack(Inner, pack(value)) == value


@pytest.mark.parametrize("value", [object(), Inner, {"a": object()}])
def test_what_has_no_form_is_refused(value: object) -> None:
    with pytest.raises(UsageError, match="cannot be packed"):
        pack(value)
