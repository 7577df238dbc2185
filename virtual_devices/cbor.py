"""CBOR from a peer (RFC 8949): one data item, the whole of the bytes, or a refusal. Nothing else comes out of it.

Bytes after the item are refused: they would be covered by no signature, and two readers could disagree about them. So is a key
that stands twice in a map. Of the tags that a decoder may make something of, only dates are taken: a shared reference (28, 29)
makes a few bytes a structure without end, a big number (2, 3) one that is slow to write down.
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


MAX_DEPTH = 64
"""Containers within containers, at most."""


def _not_taken(*_: Any) -> Any:
    raise cbor2.CBORDecodeError("a tag that is not taken")


_TAGS = dict.fromkeys(
    (1, 2, 3, 4, 5, 25, 28, 29, 30, 35, 36, 37, 52, 54, 100, 256, 258, 260, 261, 43_000, 55_799), _not_taken
)
"""Tags that the decoder would make something of (RFC 8949 3.4 and the registry); all but dates (0, 1004)."""


class MalformedCbor(PeerError, ValueError):
    """Bytes that are not one item of CBOR."""

    def __init__(self, what: str) -> None:
        super().__init__(what, clause="RFC 8949 5.3")


def decode(raw: bytes) -> Any:
    """The item that ``raw`` is. Raises MalformedCbor, nothing else, whatever the bytes are."""
    stream = io.BytesIO(raw)
    try:
        value = cbor2.CBORDecoder(
            stream, semantic_decoders=_TAGS, max_depth=MAX_DEPTH, allow_duplicate_keys=False
        ).decode()
    except _TROUBLE as e:
        raise MalformedCbor(f"not CBOR: {type(e).__name__}") from None
    if stream.tell() != len(raw):
        raise MalformedCbor(f"{len(raw) - stream.tell()} bytes after the item")
    return value


__all__ = ["MalformedCbor", "decode"]
