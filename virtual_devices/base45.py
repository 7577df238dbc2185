"""Base45 (RFC 9285): bytes as text of the characters that a QR code packs tightest (alphanumeric mode, ISO/IEC 18004).

Two bytes become three characters, a last single byte two. What is read has one spelling only: a character outside the
alphabet, a length that nothing encodes to, or a group above its range makes the whole malformed.
"""

from __future__ import annotations

import struct

from virtual_devices.errors import PeerError

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"
_PAIRS = [low + high for high in ALPHABET for low in ALPHABET]  # the first two characters of a group, by their value
_NONE = 0xFF
_VALUES = bytes(ALPHABET.find(chr(code)) & _NONE for code in range(256))  # find's -1 becomes _NONE


class MalformedBase45(PeerError, ValueError):
    """Text that is no Base45."""

    def __init__(self, what: str) -> None:
        super().__init__(what, clause="RFC 9285 4")


def encode(raw: bytes) -> str:
    even = len(raw) // 2
    words = struct.unpack(f">{even}H", raw[: 2 * even])
    text = "".join([_PAIRS[word % 2025] + ALPHABET[word // 2025] for word in words])
    return text + _PAIRS[raw[-1]] if len(raw) % 2 else text


def decode(text: str) -> bytes:
    """The bytes that ``text`` spells. Raises MalformedBase45."""
    whole, rest = divmod(len(text), 3)
    if rest == 1:
        raise MalformedBase45(f"{len(text)} characters: one is left over")
    values = text.encode("ascii", "replace").translate(_VALUES)  # "?", which replaces, is outside the alphabet as well
    if _NONE in values:
        raise MalformedBase45("a character outside the alphabet")
    groups = zip(values[: 3 * whole : 3], values[1 : 3 * whole : 3], values[2 : 3 * whole : 3], strict=True)
    try:
        raw = struct.pack(f">{whole}H", *[low + 45 * middle + 2025 * high for low, middle, high in groups])
        return raw + bytes((values[-2] + 45 * values[-1],)) if rest else raw
    except (struct.error, ValueError):
        raise MalformedBase45("a group above its range") from None


__all__ = ["ALPHABET", "MalformedBase45", "decode", "encode"]
