"""One content in several QR codes, where a single one would be too dense for a phone's screen or a worn print (profile).

    "VHM1:" Base45(set (4 bytes) | number from 0 (1) | how many (1) | checksum (8) | piece)
    checksum = the first 8 bytes of SHA-256 of the whole; the whole = the single code's prefix (5 characters) and its bytes

Parts come in any order, and again and again while a phone shows them in turn. The checksum is against mixing and misreading:
who signed what is the content's own affair.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from virtual_devices import base45
from virtual_devices.errors import UsageError
from virtual_devices.qr.text import MAX_BYTES, PART, MalformedCode, strip

SET_BYTES, CHECKSUM_BYTES = 4, 8
_HEAD_BYTES = SET_BYTES + 2 + CHECKSUM_BYTES
_PREFIX = len(PART)
MAX_PARTS = 16
COMFORTABLE_CHARACTERS = 734
"""What a code of version 17 and level M holds: the size of the card's own code."""


@dataclass(frozen=True, slots=True)
class Part:
    """One part, read. ``of``: the set that it belongs to."""

    of: bytes
    number: int
    total: int
    checksum: bytes
    piece: bytes

    def to_text(self) -> str:
        return PART + base45.encode(self.of + bytes((self.number, self.total)) + self.checksum + self.piece)


def split(text: str, fresh: Callable[[int], bytes], most_characters: int = COMFORTABLE_CHARACTERS) -> list[str]:
    """The code itself when it is small enough, else its parts, as equal as can be. Raises UsageError when it needs too many."""
    if len(text) <= most_characters:
        return [text]
    prefix = text[:_PREFIX]
    whole = prefix.encode() + strip(prefix, text, len(text))
    room = (most_characters - _PREFIX) // 3 * 2 - _HEAD_BYTES
    total = -(-len(whole) // room) if room > 0 else MAX_PARTS + 1
    if total > MAX_PARTS or len(whole) > MAX_BYTES:
        raise UsageError(f"{len(text)} characters are too many for {MAX_PARTS} codes of {most_characters}")
    size = -(-len(whole) // total)
    of, checksum = fresh(SET_BYTES), _checksum(whole)
    pieces = [whole[at : at + size] for at in range(0, len(whole), size)]
    return [Part(of, number, len(pieces), checksum, piece).to_text() for number, piece in enumerate(pieces)]


def read_part(text: str) -> Part:
    """Raises MalformedCode."""
    raw = strip(PART, text)
    if len(raw) <= _HEAD_BYTES:
        raise MalformedCode("a part without a piece")
    number, total = raw[SET_BYTES], raw[SET_BYTES + 1]
    if not number < total or not 2 <= total <= MAX_PARTS:
        raise MalformedCode(f"part {number} of {total}")
    return Part(raw[:SET_BYTES], number, total, raw[SET_BYTES + 2 : _HEAD_BYTES], raw[_HEAD_BYTES:])


class Added(Enum):
    """What became of a code that was scanned."""

    KEPT = "kept"
    COMPLETE = "kept, and it was the last"
    AGAIN = "seen before"
    FOREIGN = "not a part at all"
    OTHER_SET = "a part of another set"
    CONTRADICTS = "says something else than a part seen before"
    MALFORMED = "a part that cannot be read"
    CORRUPT = "the last, and the whole is not what its checksum says: all are forgotten"


class Collector:
    """Puts parts together, for one set at a time: the first part says which."""

    def __init__(self) -> None:
        self._first: Part | None = None
        self._pieces: dict[int, bytes] = {}
        self.whole: str | None = None  # the single code's text, once it is complete

    @property
    def missing(self) -> tuple[int, ...]:
        """Numbers still to be seen, from 0; empty before the first part as well."""
        return tuple(n for n in range(self._first.total if self._first else 0) if n not in self._pieces)

    def add(self, text: str) -> Added:
        """One scanned code. Never raises for what is in it."""
        try:
            part = read_part(text)
        except MalformedCode as e:
            return Added.FOREIGN if e.foreign else Added.MALFORMED
        if self._first is None:
            self._first = part
        if part.of != self._first.of:
            return Added.OTHER_SET
        if (part.total, part.checksum) != (self._first.total, self._first.checksum):
            return Added.CONTRADICTS
        if part.number in self._pieces:
            return Added.AGAIN if self._pieces[part.number] == part.piece else Added.CONTRADICTS
        if sum(map(len, self._pieces.values())) + len(part.piece) > MAX_BYTES:
            return Added.MALFORMED
        self._pieces[part.number] = part.piece
        return Added.KEPT if self.missing else self._finish(part.checksum)

    def forget(self) -> None:
        """Begin again, with any set."""
        self._first, self._pieces, self.whole = None, {}, None

    def _finish(self, checksum: bytes) -> Added:
        whole = b"".join(piece for _, piece in sorted(self._pieces.items()))
        if _checksum(whole) != checksum or not whole[:_PREFIX].isascii():
            self.forget()
            return Added.CORRUPT
        self.whole = whole[:_PREFIX].decode() + base45.encode(whole[_PREFIX:])
        return Added.COMPLETE


def _checksum(whole: bytes) -> bytes:
    return hashlib.sha256(whole).digest()[:CHECKSUM_BYTES]
