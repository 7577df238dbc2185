"""Uploads that come in parts: in any order, any number of times, interrupted and begun again, until each is whole, once.

An institution's uploads are its own: the same batch id from another is another upload.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from enum import Enum

OPEN_UPLOADS = 64
"""Unfinished uploads of one institution; beyond, the oldest gives way, and is sent again from its first part."""

Name = tuple[str, bytes]


class Stored(Enum):
    """What became of an upload."""

    STORED = "stored"
    ALREADY = "already"  # the same, stored before
    PART = "part"  # a part of it, others are missing
    CONFLICT = "conflict"  # the same id with another content: refused, the first stays


@dataclass(slots=True)
class _Parts:
    digest: bytes
    total: int
    parts: dict[int, bytes] = field(default_factory=dict)


class Gathering:
    """The uploads on their way, and what became of the finished ones."""

    def __init__(self) -> None:
        self._open: dict[Name, _Parts] = {}
        self._finished: dict[Name, tuple[bytes, tuple[Stored, ...]]] = {}

    def take(self, institution: str, batch: bytes, digest: bytes, index: int, total: int, part: bytes) -> tuple[Stored, bytes]:
        """One part. STORED with the whole once all parts are there and fit ``digest`` (SHA-256 of the whole), ALREADY when
        the upload was finished before, CONFLICT when the part contradicts what came earlier: then all of it is dropped."""
        name = institution, batch
        finished = self._finished.get(name)
        if finished is not None:
            return (Stored.ALREADY if finished[0] == digest else Stored.CONFLICT), b""
        gathered = self._open.get(name) or self._begin(name, digest, total)
        fits = gathered.digest == digest and gathered.total == total and 0 <= index < total
        if not fits or gathered.parts.setdefault(index, part) != part:
            del self._open[name]
            return Stored.CONFLICT, b""
        if len(gathered.parts) < total:
            return Stored.PART, b""
        del self._open[name]
        whole = b"".join(gathered.parts[i] for i in range(total))
        return (Stored.STORED, whole) if hashlib.sha256(whole).digest() == digest else (Stored.CONFLICT, b"")

    def _begin(self, name: Name, digest: bytes, total: int) -> _Parts:
        others = [other for other in self._open if other[0] == name[0]]
        if len(others) >= OPEN_UPLOADS:
            del self._open[others[0]]
        return self._open.setdefault(name, _Parts(digest, total))

    def finish(self, institution: str, batch: bytes, digest: bytes, outcomes: list[Stored]) -> None:
        """The whole was taken: a part that comes again changes nothing and hears the same."""
        self._finished[(institution, batch)] = digest, tuple(outcomes)

    def outcomes(self, institution: str, batch: bytes) -> list[Stored]:
        """What became of each record of a finished upload, as one hears it who asks again."""
        _, outcomes = self._finished[(institution, batch)]
        return [Stored.ALREADY if outcome is Stored.STORED else outcome for outcome in outcomes]


__all__ = ["Gathering", "Stored"]
