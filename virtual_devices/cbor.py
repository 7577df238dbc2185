"""CBOR from a peer (RFC 8949): one data item, the whole of the bytes, or a refusal. Nothing else comes out of it.

Bytes after the item are refused: they would be covered by no signature, and two readers could disagree about them.
"""

from __future__ import annotations

import io
from typing import Any

import cbor2

from virtual_devices.errors import PeerError

_TROUBLE = (
    cbor2.CBORDecodeError, ValueError, OverflowError, MemoryError, RecursionError, TypeError, ArithmeticError, LookupError,
    AttributeError,
)
"""What decoders of hostile bytes have been seen to raise: the optional tags (dates, rationals, regular expressions, ...)
each bring errors of their own."""


class MalformedCbor(PeerError, ValueError):
    """Bytes that are not one item of CBOR."""

    def __init__(self, what: str) -> None:
        super().__init__(what, clause="RFC 8949 5.3")


def decode(raw: bytes) -> Any:
    """The item that ``raw`` is. Raises MalformedCbor, nothing else, whatever the bytes are."""
    stream = io.BytesIO(raw)
    try:
        value = cbor2.CBORDecoder(stream).decode()
    except _TROUBLE as e:
        raise MalformedCbor(f"not CBOR: {type(e).__name__}") from None
    if stream.tell() != len(raw):
        raise MalformedCbor(f"{len(raw) - stream.tell()} bytes after the item")
    return value


__all__ = ["MalformedCbor", "decode"]
