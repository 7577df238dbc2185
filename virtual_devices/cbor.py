"""CBOR (RFC 8949). Reading, from a peer: one data item, the whole of the bytes, or a refusal. Nothing else comes out of it.

Bytes after the item are refused: they would be covered by no signature, and two readers could disagree about them. So is a key
that stands twice in a map. Of the tags that a decoder may make something of, only dates are taken: a shared reference (28, 29)
makes a few bytes a structure without end, a big number (2, 3) one that is slow to write down.

Writing: frames of messages are put together from parts that are encoded already, in the deterministic order of keys (4.2.1), so
that what was received and is signed or hashed is handed on as it stands, and what is long is not taken apart.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from functools import lru_cache
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
BYTES, TEXT, ARRAY, MAP, TAG = 2, 3, 4, 5, 6
"""Major types (3.1)."""
_BREAK = 0xFF
_ONE_BYTE = [bytes((n,)) for n in range(256)]


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


_Decoder = tuple[io.BytesIO, cbor2.CBORDecoder]
_IDLE: list[_Decoder] = []
"""Decoders that have read what they were given, each with its stream emptied. Making one costs more than reading most items."""


def decode(raw: bytes) -> Any:
    """The item that ``raw`` is. Raises MalformedCbor, nothing else, whatever the bytes are."""
    idle = _idle()
    stream, decoder = idle
    stream.write(raw)
    stream.seek(0)
    try:
        item = decoder.decode()
    except _TROUBLE as e:
        raise MalformedCbor(f"not CBOR: {type(e).__name__}") from None
    if stream.tell() != len(raw):
        raise _wrong_end(stream.tell(), len(raw))
    _let_go(idle)
    return item


def decode_all(raws: Sequence[bytes]) -> list[Any]:
    """The items that ``raws`` are, each of them one. Raises MalformedCbor."""
    idle = _idle()
    stream, decoder = idle
    stream.write(b"".join(raws))
    stream.seek(0)
    items, end, one, tell = [], 0, decoder.decode, stream.tell
    try:
        for raw in raws:
            items.append(one())
            end += len(raw)
            if tell() != end:
                raise _wrong_end(tell(), end)
    except MalformedCbor:
        raise
    except _TROUBLE as e:
        raise MalformedCbor(f"not CBOR: {type(e).__name__}") from None
    _let_go(idle)
    return items


def _idle() -> _Decoder:
    """A decoder of an empty stream, that nobody else has (also in another thread: taking one off a list is one step)."""
    try:
        return _IDLE.pop()
    except IndexError:
        stream = io.BytesIO()
        return stream, cbor2.CBORDecoder(stream, semantic_decoders=_TAGS, max_depth=MAX_DEPTH, allow_duplicate_keys=False)


def _let_go(idle: _Decoder) -> None:
    """It has read well. One that has not is left to itself: what it remembers of that is its own affair."""
    idle[0].seek(0)
    idle[0].truncate()
    _IDLE.append(idle)


def _wrong_end(at: int, end: int) -> MalformedCbor:
    """The item ends at ``at``, the bytes that it was to be at ``end``."""
    return MalformedCbor(f"{end - at} bytes after the item" if at < end else f"{at - end} bytes too few for the item")


def part(raw: bytes, *path: int | str) -> bytes:
    """The bytes of an item inside ``raw``, as they stand. ``path``: keys of maps, numbers of array elements. ``raw`` is what
    :func:`decode` takes; KeyError where it has no such item."""
    at = 0
    for step in path:
        starts = _inside(raw, at)
        if raw[at] >> 5 == ARRAY:
            found: dict[Any, int] = dict(enumerate(starts[:-1]))
        else:
            found = {decode(raw[key:value]): value for key, value in zip(starts[:-1:2], starts[1::2], strict=True)}
        at = found[step]
    return raw[at : _end(raw, at)]


def _inside(raw: bytes, at: int) -> list[int]:
    """Where each item of the array or map at ``at`` begins (keys and values by turns), and where the last of them ends."""
    major, count, at = read_head(raw, at)
    left = -1 if count is None else count * (2 if major == MAP else 1)
    starts = [at]
    while left and (left > 0 or raw[at] != _BREAK):
        at = _end(raw, at)
        starts.append(at)
        left -= 1
    return starts


def _end(raw: bytes, at: int) -> int:
    """Where the item at ``at`` ends."""
    major, count, after = read_head(raw, at)
    if major in (ARRAY, MAP) or (count is None and major in (BYTES, TEXT)):
        return _inside(raw, at)[-1] + (count is None)
    if major == TAG:
        return _end(raw, after)
    return after + (count or 0) if major in (BYTES, TEXT) else after


def read_head(raw: bytes, at: int) -> tuple[int, int | None, int]:
    """Major type, argument (None: of indefinite length), and where the head ends (3). The bytes may end within it."""
    major, more = raw[at] >> 5, raw[at] & 31
    if more < 24:
        return major, more, at + 1
    if more == 31:
        return major, None, at + 1
    end = at + 1 + (1 << more - 24)
    return major, int.from_bytes(raw[at + 1 : end], "big"), end


# -- writing

def head(major: int, count: int) -> bytes:
    """The head of an item (3) in the shortest form. ``count``: its argument, below 2**64."""
    first = major << 5
    if count < 24:
        return _ONE_BYTE[first | count]
    if count < 1 << 8:
        return b"%c%c" % (first | 24, count)
    if count < 1 << 16:
        return b"%c%b" % (first | 25, count.to_bytes(2, "big"))
    if count < 1 << 32:
        return b"%c%b" % (first | 26, count.to_bytes(4, "big"))
    return b"%c%b" % (first | 27, count.to_bytes(8, "big"))


def byte_string(raw: bytes) -> bytes:
    length = len(raw)
    if length < 24:
        return _ONE_BYTE[0x40 | length] + raw
    if length < 1 << 8:
        return b"\x58%c%b" % (length, raw)
    return head(BYTES, length) + raw


def text(value: str) -> bytes:
    raw = value.encode()
    return head(TEXT, len(raw)) + raw


@lru_cache(512)
def name(value: str) -> bytes:
    """A text that is a name of ours, which are few and come in every message. Not for what a peer has sent: it is kept."""
    return text(value)


def number(value: int) -> bytes:
    """A whole number of at most 64 bits and its sign."""
    return head(0, value) if value >= 0 else head(1, ~value)


def array(items: Sequence[bytes]) -> bytes:
    """An array of items that are encoded."""
    return b"".join((head(ARRAY, len(items)), *items))


def map_of(entries: list[bytes]) -> bytes:
    """A map of entries, each a text as key and its value, both encoded; put into the deterministic order, which is theirs."""
    entries.sort()
    return b"".join((head(MAP, len(entries)), *entries))


__all__ = [
    "ARRAY", "BYTES", "MAP", "MAX_DEPTH", "TAG", "TEXT", "MalformedCbor", "array", "byte_string", "decode", "decode_all", "head",
    "map_of", "name", "number", "part", "read_head", "text",
]
