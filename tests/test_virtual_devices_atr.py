"""Answers to reset, made and read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from virtual_devices.atr import Transport, make, parse
from virtual_devices.errors import UsageError


@given(st.binary(max_size=15), st.sampled_from(Transport))
def test_made_atr_is_read_again(historical: bytes, transport: Transport) -> None:
    raw = make(historical, transport)
    read = parse(raw)
    assert (read.transports, read.historical) == ((transport.value,), historical)
    if transport is Transport.T1:  # TCK: all bytes after TS give zero
        check = 0
        for byte in raw[1:]:
            check ^= byte
        assert check == 0


def test_sixteen_historical_bytes_do_not_fit() -> None:
    with pytest.raises(UsageError):
        make(b"x" * 16, Transport.T0)


@pytest.mark.parametrize(
    ("raw", "transports", "chaining", "extended"),
    [
        ("3B00", (0,), False, False), ("3B6500002063CB6800", (0,), False, False),
        ("3B8980014A434F503431563232", (0, 1), False, False),
        ("3B898131FE458073C001C053564843", (1,), True, True), ("3B868131FE4580728000C041", (1,), False, False),
        ("3B86800180738000C041", (0, 1), True, True), ("3B0680738000C041", (0,), True, True),
        ("3BDB960080B1FE451F830031C064B0FC100090005A", (0, 1), False, False),
        ("3B", (0,), False, False), ("", (0,), False, False),
    ],
)
def test_atr_of_any_make_is_read(raw: str, transports: tuple[int, ...], chaining: bool, extended: bool) -> None:
    read = parse(bytes.fromhex(raw))
    assert (read.transports, read.chaining, read.extended) == (transports, chaining, extended)


@given(st.binary(max_size=40))
def test_foreign_card_may_send_anything(raw: bytes) -> None:
    read = parse(raw)
    assert read.transports and len(read.historical) <= 15
