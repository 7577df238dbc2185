"""Answers to reset: made and read (ISO/IEC 7816-3 clause 8, historical bytes after ISO/IEC 7816-4 clause 12.1)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from functools import lru_cache

from virtual_devices.errors import UsageError
from virtual_devices.quick import quick

CARD_CAPABILITIES = 0x7
GLOBAL = 15  # in TD: interface bytes of no protocol


class Transport(Enum):
    """The transmission protocol."""

    T0 = 0
    T1 = 1


@quick
@dataclass(frozen=True, slots=True)
class Atr:
    """What a reader learns from an ATR. ``chaining`` and ``extended`` come from the card capabilities, when it states them."""

    transports: tuple[int, ...]
    historical: bytes
    chaining: bool
    extended: bool


def make(historical: bytes, transport: Transport) -> bytes:
    """An ATR for one protocol. T=1: IFSC 254, BWI 4, CWI 5, and the check byte TCK. UsageError: over 15 historical bytes."""
    if len(historical) > 15:
        raise UsageError(f"an ATR has room for 15 historical bytes, not {len(historical)}")
    if transport is Transport.T0:
        return bytes([0x3B, len(historical)]) + historical
    body = bytes([0x80 | len(historical)]) + b"\x81\x31\xfe\x45" + historical
    check = 0
    for byte in body:
        check ^= byte
    return b"\x3b" + body + bytes([check])


def contactless(historical: bytes) -> bytes:
    """The ATR that PC/SC makes of a type A card's answer to select (PC/SC part 3, 3.1.3.2.3.1). UsageError as :func:`make`."""
    if len(historical) > 15:
        raise UsageError(f"an ATR has room for 15 historical bytes, not {len(historical)}")
    body = bytes([0x80 | len(historical), 0x80, 0x01]) + historical
    check = 0
    for byte in body:
        check ^= byte
    return b"\x3b" + body + bytes([check])


def of_a_field(raw: bytes) -> bool:
    """Whether PC/SC made this ATR for what lies in a contactless reader's field (PC/SC part 3, 3.1.3.2.3): TD1 80, TD2 01, and
    the historical bytes. A contact chip could say the same, and none that is known here does."""
    return len(raw) >= 4 and raw[0] == 0x3B and raw[1] & 0xF0 == 0x80 and raw[2:4] == b"\x80\x01"


@lru_cache(32)
def parse(raw: bytes) -> Atr:
    """Read an ATR; one that is cut short gives what could be read. Never raises: a foreign card may send anything.

    The last few are remembered, as reader drivers do: an ATR says which kind of chip it is, and nothing of whose.
    """
    transports: list[int] = []
    at, more = 1, raw[1] >> 4 if len(raw) > 1 else 0
    count = raw[1] & 0x0F if len(raw) > 1 else 0
    at = 2
    while more:
        at += bin(more & 0x7).count("1")
        if not more & 0x8 or at >= len(raw):
            break
        transports.append(raw[at] & 0x0F)
        more = raw[at] >> 4
        at += 1
    historical = raw[at : at + count]
    third = _third_capability(historical)
    named = tuple(dict.fromkeys(t for t in transports if t != GLOBAL)) or (0,)
    return Atr(named, historical, bool(third & 0x80), bool(third & 0x40))


def _third_capability(historical: bytes) -> int:
    """The third software function byte of the card capabilities in COMPACT-TLV, 0 when the card does not state it."""
    if historical[:1] != b"\x80":
        return 0
    at = 1
    while at < len(historical):
        tag, length = historical[at] >> 4, historical[at] & 0x0F
        if tag == CARD_CAPABILITIES and length >= 3 and at + 3 < len(historical):
            return historical[at + 3]
        at += 1 + length
    return 0
