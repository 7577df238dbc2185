"""What a reader shows to a phone so that the phone's code is for this reader and this moment only.

    "VHR1:" Base45(CBOR [reader: tstr, nonce: bstr .size (8..32)])      (profile)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cbor2

from virtual_devices import base45, cbor
from virtual_devices.errors import UsageError
from virtual_devices.qr.text import CHALLENGE, MalformedCode, strip

NONCE_BYTES = 12
_MAX_CHARACTERS, _MAX_READER = 448, 64
"""Sixty-four characters of four bytes and the longest nonce come to 445."""


@dataclass(frozen=True, slots=True)
class Challenge:
    """``reader``: who asks, such as an institution's code and a counter. ``nonce``: asked once."""

    reader: str
    nonce: bytes

    def __post_init__(self) -> None:
        if not 1 <= len(self.reader) <= _MAX_READER or not 8 <= len(self.nonce) <= 32:
            raise UsageError("a challenge has a reader of 1 to 64 characters and a nonce of 8 to 32 bytes")

    def to_text(self) -> str:
        raw: bytes = cbor2.dumps([self.reader, self.nonce], canonical=True)
        return CHALLENGE + base45.encode(raw)


def new_challenge(reader: str, fresh: Callable[[int], bytes]) -> Challenge:
    return Challenge(reader, fresh(NONCE_BYTES))


def read_challenge(text: str) -> Challenge:
    """Raises MalformedCode."""
    try:
        value = cbor.decode(strip(CHALLENGE, text, _MAX_CHARACTERS))
    except cbor.MalformedCbor as e:
        raise MalformedCode(e.what) from None
    if not isinstance(value, (list, tuple)) or len(value) != 2:
        raise MalformedCode("a challenge is an array of two")
    reader, nonce = value
    if not isinstance(reader, str) or not isinstance(nonce, bytes):
        raise MalformedCode("a challenge's reader is text, its nonce a byte string")
    try:
        return Challenge(reader, nonce)
    except UsageError as e:
        raise MalformedCode(str(e)) from None
