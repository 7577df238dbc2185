"""BER-TLV data objects, ISO/IEC 7816-4:2013 5.2.2 and ITU-T X.690: a tag, a length, a value.

A tag is an integer whose bytes, big end first, are those on the wire: 0x5A, 0x5F20, 0x7F49. Tags have one to three bytes
and lengths one to five, as 7816-4 has it. There is one way to write everything: lengths and tag numbers in their shortest
form (X.690 10.1, 8.1.2), no indefinite length, no end-of-contents tag 00. Reading is as strict, so what was read and is
written again gives the same bytes.

What a peer sent and is not so raises :class:`TlvError`; a tag that nobody could write is the caller's ``UsageError``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import Enum

from virtual_devices.errors import PeerError, UsageError

MAX_DEPTH = 16
"""Objects within objects, by default: far above any real template."""

MAX_OBJECTS = 4096
"""Data objects in one reading, by default: what a peer can make us allocate stays small."""

MAX_INPUT_BYTES = 1 << 20
"""Bytes in one reading, by default: 16 times the longest APDU."""


class TlvProblem(Enum):
    """Why bytes are not data objects."""

    TRUNCATED = "truncated"  # the bytes end within a tag, a length or a value
    BAD_TAG = "bad tag"  # end-of-contents, more than three bytes, or a number not in its shortest form
    INDEFINITE = "indefinite length"
    OVERLONG = "length not in its shortest form"
    BAD_LENGTH = "length of more than five bytes"
    TOO_DEEP = "nested too deep"
    TOO_MANY = "too many data objects"
    TOO_BIG = "too many bytes"


class TlvError(PeerError, ValueError):
    """Bytes that are not BER-TLV. ``problem`` says why, ``offset`` where (bytes from the start of what was read)."""

    def __init__(self, problem: TlvProblem, offset: int) -> None:
        super().__init__(f"{problem.value} at byte {offset}", clause="ISO/IEC 7816-4 5.2.2")
        self.problem = problem
        self.offset = offset


def is_constructed(tag: int) -> bool:
    """True when the value consists of data objects itself (bit 0x20 of the first byte)."""
    while tag > 0xFF:
        tag >>= 8
    return bool(tag & 0x20)


def encode(tag: int, value: bytes) -> bytes:
    """One data object. Raises UsageError for a tag that does not exist or a value above 4 GiB."""
    return _tag_bytes(tag) + _length_bytes(len(value)) + value


def encode_all(objects: Iterable[tuple[int, bytes]]) -> bytes:
    """Data objects one after another: the inverse of :func:`decode`."""
    return b"".join(encode(tag, value) for tag, value in objects)


def decode(raw: bytes, max_objects: int = MAX_OBJECTS, max_bytes: int = MAX_INPUT_BYTES) -> list[tuple[int, bytes]]:
    """The data objects that ``raw`` consists of, as (tag, value), values not looked into. Raises TlvError."""
    if len(raw) > max_bytes:
        raise TlvError(TlvProblem.TOO_BIG, max_bytes)
    return [(tag, raw[start:end]) for tag, start, end in _objects(raw, 0, len(raw), max_objects)]


def walk(
    raw: bytes, max_depth: int = MAX_DEPTH, max_objects: int = MAX_OBJECTS, max_bytes: int = MAX_INPUT_BYTES
) -> Iterator[tuple[tuple[int, ...], bytes]]:
    """Every data object and all within constructed ones, in the order of the bytes: the tags from the outermost to its
    own, and its value. Raises TlvError, after the objects before the fault."""
    if len(raw) > max_bytes:
        raise TlvError(TlvProblem.TOO_BIG, max_bytes)
    seen = 0
    open_levels = [_objects(raw, 0, len(raw), max_objects)]
    path: list[int] = []
    while open_levels:
        found = next(open_levels[-1], None)
        if found is None:
            open_levels.pop()
            path = path[:-1]
            continue
        tag, start, end = found
        if len(open_levels) > max_depth:
            raise TlvError(TlvProblem.TOO_DEEP, start)
        seen += 1
        if seen > max_objects:
            raise TlvError(TlvProblem.TOO_MANY, start)
        yield (*path, tag), raw[start:end]
        if is_constructed(tag):
            path = [*path, tag]
            open_levels.append(_objects(raw, start, end, max_objects))


def find_all(raw: bytes, *path: int) -> list[bytes]:
    """Values of all data objects under these tags, from the outermost in: ``find_all(raw, 0x6F, 0x84)``. TlvError."""
    if not path:
        raise UsageError("name at least one tag to look for")
    level = [raw]
    for tag in path:
        level = [value for outer in level for found, value in decode(outer) if found == tag]
    return level


def find(raw: bytes, *path: int) -> bytes | None:
    """The first of :func:`find_all`, or None when there is none."""
    found = find_all(raw, *path)
    return found[0] if found else None


def _objects(raw: bytes, at: int, stop: int, max_objects: int) -> Iterator[tuple[int, int, int]]:
    """(tag, start of value, end of value) of the data objects in ``raw[at:stop]``."""
    count = 0
    while at < stop:
        count += 1
        if count > max_objects:
            raise TlvError(TlvProblem.TOO_MANY, at)
        tag, after = _read_tag(raw, at, stop)
        length, start = _read_length(raw, after, stop)
        end = start + length
        if end > stop:
            raise TlvError(TlvProblem.TRUNCATED, start)
        yield tag, start, end
        at = end


def _read_tag(raw: bytes, at: int, stop: int) -> tuple[int, int]:
    first = raw[at]
    if first & 0x1F != 0x1F:
        if not first:
            raise TlvError(TlvProblem.BAD_TAG, at)
        return first, at + 1
    if at + 1 >= stop:
        raise TlvError(TlvProblem.TRUNCATED, at)
    second = raw[at + 1]
    if second < 0x1F or second == 0x80:
        raise TlvError(TlvProblem.BAD_TAG, at)
    if second < 0x80:
        return first << 8 | second, at + 2
    if at + 2 >= stop:
        raise TlvError(TlvProblem.TRUNCATED, at)
    third = raw[at + 2]
    if third >= 0x80:
        raise TlvError(TlvProblem.BAD_TAG, at)
    return first << 16 | second << 8 | third, at + 3


def _read_length(raw: bytes, at: int, stop: int) -> tuple[int, int]:
    if at >= stop:
        raise TlvError(TlvProblem.TRUNCATED, at)
    first = raw[at]
    if first < 0x80:
        return first, at + 1
    if first == 0x80:
        raise TlvError(TlvProblem.INDEFINITE, at)
    if first > 0x84:
        raise TlvError(TlvProblem.BAD_LENGTH, at)
    start = at + 1 + (first & 0x7F)
    if start > stop:
        raise TlvError(TlvProblem.TRUNCATED, at)
    length = int.from_bytes(raw[at + 1 : start], "big")
    if length < 0x80 or not raw[at + 1]:
        raise TlvError(TlvProblem.OVERLONG, at)
    return length, start


def _tag_bytes(tag: int) -> bytes:
    if 0 < tag <= 0xFFFFFF:
        raw = tag.to_bytes((tag.bit_length() + 7) // 8, "big")
        try:
            if _read_tag(raw, 0, len(raw)) == (tag, len(raw)):
                return raw
        except TlvError:
            pass
    raise UsageError(f"{tag:#x} is no BER-TLV tag of one to three bytes")


def _length_bytes(length: int) -> bytes:
    if length < 0x80:
        return bytes((length,))
    size = (length.bit_length() + 7) // 8
    if size > 4:
        raise UsageError(f"{length} bytes: a value has at most {0xFFFFFFFF}")
    return bytes((0x80 | size,)) + length.to_bytes(size, "big")


__all__ = [
    "MAX_DEPTH", "MAX_INPUT_BYTES", "MAX_OBJECTS", "TlvError", "TlvProblem", "decode", "encode", "encode_all", "find",
    "find_all", "is_constructed", "walk",
]
