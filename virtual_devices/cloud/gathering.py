"""Uploads that come in parts: in any order, any number of times, interrupted and begun again, until each is whole, once.

An institution's uploads are its own: the same batch id from another is another upload.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from enum import Enum

from virtual_devices.cloud.books import Books, Kind, MemoryBooks
from virtual_devices.cloud.counting import next_number

OPEN_UPLOADS = 64
"""Unfinished uploads of one institution; beyond, the oldest gives way, and is sent again from its first part."""


class Stored(Enum):
    """What became of an upload."""

    STORED = "stored"
    ALREADY = "already"  # the same, stored before
    PART = "part"  # a part of it, others are missing
    CONFLICT = "conflict"  # the same id with another content: refused, the first stays
    FAILED = "failed"  # it came whole, and failed a check: it does not count


@dataclass(frozen=True, slots=True)
class OpenUpload:
    """An upload on its way. ``number``: in the order in which they began; ``there``: how many parts have come."""

    institution: str
    batch: bytes
    digest: bytes
    total: int
    number: int
    there: int = 0


@dataclass(frozen=True, slots=True)
class Part:
    """One part of an upload on its way."""

    institution: str
    batch: bytes
    index: int
    content: bytes


@dataclass(frozen=True, slots=True)
class FinishedUpload:
    """What became of each record of an upload that was whole."""

    institution: str
    batch: bytes
    digest: bytes
    outcomes: tuple[Stored, ...]


OPEN = Kind("open_uploads", OpenUpload, ("institution", "batch"), (("institution",),))
PARTS = Kind("upload_parts", Part, ("institution", "batch", "index"), (("institution", "batch"),))
FINISHED = Kind("finished_uploads", FinishedUpload, ("institution", "batch"))


class Gathering:
    """The uploads on their way, and what became of the finished ones."""

    def __init__(self, books: Books | None = None) -> None:
        self._books = books or MemoryBooks()
        self._open = self._books.shelf(OPEN)
        self._parts = self._books.shelf(PARTS)
        self._finished = self._books.shelf(FINISHED)

    def take(self, institution: str, batch: bytes, digest: bytes, index: int, total: int, part: bytes) -> tuple[Stored, bytes]:
        """One part. STORED with the whole once all parts are there and fit ``digest`` (SHA-256 of the whole), ALREADY when
        the upload was finished before, CONFLICT when the part contradicts what came earlier: then all of it is dropped."""
        with self._books.transaction():
            finished = self._finished.get(institution, batch)
            if finished is not None:
                return (Stored.ALREADY if finished.digest == digest else Stored.CONFLICT), b""
            upload = self._open.get(institution, batch)
            if upload is None and (index, total) == (0, 1):
                return _checked(part, digest)
            upload = upload or self._begin(institution, batch, digest, total)
            known = self._parts.get(institution, batch, index)
            fits = upload.digest == digest and upload.total == total and 0 <= index < total
            if not fits or (known is not None and known.content != part):
                self._drop(upload)
                return Stored.CONFLICT, b""
            if known is None:
                upload = replace(upload, there=upload.there + 1)
                self._parts.add(Part(institution, batch, index, part))
            if upload.there < total:
                self._open.put(upload)
                return Stored.PART, b""
            whole = b"".join([each.content for each in self._parts.where(institution=institution, batch=batch)])
            self._drop(upload)
            return _checked(whole, digest)

    def _begin(self, institution: str, batch: bytes, digest: bytes, total: int) -> OpenUpload:
        others = self._open.where(institution=institution)
        if len(others) >= OPEN_UPLOADS:
            self._drop(min(others, key=lambda other: other.number))
        return OpenUpload(institution, batch, digest, total, next_number(self._books, "open uploads"))

    def _drop(self, upload: OpenUpload) -> None:
        for part in self._parts.where(institution=upload.institution, batch=upload.batch):
            self._parts.remove(part.institution, part.batch, part.index)
        self._open.remove(upload.institution, upload.batch)

    def finish(self, institution: str, batch: bytes, digest: bytes, outcomes: list[Stored]) -> None:
        """The whole was taken: a part that comes again changes nothing and hears the same."""
        self._finished.put(FinishedUpload(institution, batch, digest, tuple(outcomes)))

    def outcomes(self, institution: str, batch: bytes) -> list[Stored]:
        """What became of each record of a finished upload, as one hears it who asks again. Raises KeyError for another."""
        finished = self._finished.get(institution, batch)
        if finished is None:
            raise KeyError((institution, batch))
        return [Stored.ALREADY if outcome is Stored.STORED else outcome for outcome in finished.outcomes]


def _checked(whole: bytes, digest: bytes) -> tuple[Stored, bytes]:
    return (Stored.STORED, whole) if hashlib.sha256(whole).digest() == digest else (Stored.CONFLICT, b"")


__all__ = ["FINISHED", "FinishedUpload", "Gathering", "OPEN", "OpenUpload", "PARTS", "Part", "Stored"]
