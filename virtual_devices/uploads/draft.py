"""An upload in the making: what its records change, over what is kept, and put there all at once or not at all.

A pre-check makes a draft and throws it away. Checks of a record see what the records before it in the file changed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Any, Generic, TypeVar

from virtual_devices.cloud.books import Books, Key, Kind
from virtual_devices.uploads.document import Encoding, Record
from virtual_devices.uploads.fields import Version
from virtual_devices.uploads.rows import ISSUES, KEPT, SENDERS, Issue, Kept, Sender, Standing
from virtual_devices.uploads.xml_reader import read
from virtual_devices.uploads.xml_writer import write

Row = TypeVar("Row")
AFTER_DIGITS = "~"
"""Comes after every digit: closes the moments that begin with some digits."""


class Overlay(Generic[Row]):
    """A shelf with changes that are not on it yet."""

    def __init__(self, books: Books, kind: Kind[Row]) -> None:
        self._shelf = books.shelf(kind)
        self._kind = kind
        self._changed: dict[Key, Row | None] = {}

    def get(self, *key: Any) -> Row | None:
        return self._changed[key] if key in self._changed else self._shelf.get(*key)

    def put(self, row: Row) -> None:
        self._changed[self._kind.key_of(row)] = row

    def remove(self, *key: Any) -> None:
        self._changed[key] = None

    def where(self, **equal: Any) -> list[Row]:
        """In the order of their keys."""
        return self._over(self._shelf.where(**equal), lambda row: all(getattr(row, name) == equal[name] for name in equal))

    def between(self, column: str, low: str, high: str, **equal: Any) -> list[Row]:
        """Those whose ``column`` lies there, in the order of their keys."""
        def fits(row: Row) -> bool:
            return low <= getattr(row, column) <= high and all(getattr(row, name) == equal[name] for name in equal)

        return self._over(self._shelf.between(column, low, high, **equal), fits)

    def _over(self, kept: Iterable[Row], fits: Callable[[Row], bool]) -> list[Row]:
        found = {self._kind.key_of(row): row for row in kept}
        for key, row in self._changed.items():
            if row is not None and fits(row):
                found[key] = row
            else:
                found.pop(key, None)
        return [found[key] for key in sorted(found)]

    def commit(self) -> None:
        for key, row in self._changed.items():
            if row is None:
                self._shelf.remove(*key)
            else:
                self._shelf.put(row)


def _counted(rows: Iterable[Kept]) -> list[Kept]:
    return [one for one in rows if one.standing is Standing.COUNTED]


def key_of(record: Record) -> tuple[str, str, str, str, str]:
    """The key of a record among those kept."""
    names = ("institution", "national_id", "visited_at", "record_kind", "newborn_mark")
    institution, national_id, visited_at, kind, newborn = (record.get(name) for name in names)
    return institution, national_id, visited_at, kind, newborn


def content_of(record: Record) -> bytes:
    """A record as it is kept: a file of its own."""
    return write([record], Encoding.UTF8)


@lru_cache(maxsize=1024)
def _read(content: bytes) -> Record:
    return read(content).records[0]


class Draft:
    """What an upload will change. Answers what checks ask (:class:`~virtual_devices.uploads.rows.Earlier`)."""

    def __init__(self, books: Books) -> None:
        self.kept = Overlay(books, KEPT)
        self.refills = Overlay(books, ISSUES)
        self.senders = Overlay(books, SENDERS)

    def same(self, record: Record) -> Kept | None:
        return self.kept.get(*key_of(record))

    def by_identifier(self, identifier: str) -> Sequence[Kept]:
        return _counted(self.kept.where(identifier=identifier)) if identifier else ()

    def of_person(self, national_id: str, since: str, until: str = "") -> Sequence[Kept]:
        if not national_id:
            return ()
        return _counted(self.kept.between("visited_at", since, (until or since) + AFTER_DIGITS, national_id=national_id))

    def issue(self, identifier: str, drug_class: str, number: int) -> Issue | None:
        return self.refills.get(identifier, drug_class, number)

    def issues(self, identifier: str, drug_class: str) -> Sequence[Issue]:
        return self.refills.where(identifier=identifier, drug_class=drug_class)

    def used_20(self, institution: str) -> bool:
        sender = self.senders.get(institution)
        return sender is not None and sender.began_20_ns >= 0

    def read(self, kept: Kept) -> Record:
        return _read(kept.content)

    def sent(self, institution: str, version: Version, opcode: str, at_ns: int) -> None:
        """A record of this institution and format counts."""
        before = self.senders.get(institution) or Sender(institution, -1, "")
        began_ns = at_ns if version is Version.V20 and before.began_20_ns < 0 else before.began_20_ns
        self.senders.put(Sender(institution, began_ns, opcode))

    def commit(self) -> None:
        """Put every change on the shelves; within a transaction of the caller's."""
        for overlay in (self.kept, self.refills, self.senders):
            overlay.commit()


__all__ = ["Draft", "Overlay", "content_of", "key_of"]
