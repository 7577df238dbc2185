"""The text of a code: a prefix that says what it is, then zlib and Base45, as the EU's health certificates do it.

Nothing but characters of a QR code's alphanumeric mode. What is unpacked has a cap, and nothing may follow it. (The spare
bits before zlib's checksum are anybody's: they change the text and nothing in it.)
"""

from __future__ import annotations

import zlib

from virtual_devices import base45
from virtual_devices.errors import PeerError
from virtual_devices.status_list import MalformedStatusList, inflate

CARD, CHALLENGE, PRESCRIPTION, PART = "VHC1:", "VHR1:", "VHP1:", "VHM1:"
"""Card, a reader's challenge, prescription, one of several parts (profile)."""
MAX_BYTES = 8192
MAX_CHARACTERS = 5 + MAX_BYTES * 3 // 2
"""Of a content, which may have come in several codes: a single one holds 4296 at most (ISO/IEC 18004, version 40-L)."""


class MalformedCode(PeerError, ValueError):
    """A text that is not the code it should be. ``foreign``: it does not even say that it is one."""

    def __init__(self, what: str, *, foreign: bool = False) -> None:
        super().__init__(what, clause="profile, QR")
        self.foreign = foreign


def pack(prefix: str, raw: bytes) -> str:
    return prefix + base45.encode(zlib.compress(raw, 9))


def unpack(prefix: str, text: str, most_characters: int = MAX_CHARACTERS) -> bytes:
    """The bytes of a code of that prefix. Raises MalformedCode."""
    packed = strip(prefix, text, most_characters)
    try:
        return inflate(packed, MAX_BYTES)
    except MalformedStatusList as e:
        raise MalformedCode(e.what.replace("list", "code")) from None


def strip(prefix: str, text: str, most_characters: int = MAX_CHARACTERS) -> bytes:
    """The bytes behind the prefix, not unpacked. Raises MalformedCode."""
    if not text.startswith(prefix):
        raise MalformedCode(f"no code that begins with {prefix}", foreign=True)
    if len(text) > most_characters:
        raise MalformedCode(f"{len(text)} characters, at most {most_characters}")
    try:
        return base45.decode(text[len(prefix) :])
    except base45.MalformedBase45 as e:
        raise MalformedCode(e.what) from None
