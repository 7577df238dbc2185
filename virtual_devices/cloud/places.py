"""Places in status lists: each card's is drawn at random from all that are free, so that a place tells nothing of its holder
or of the order of issue."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from virtual_devices.cloud.books import Books, Kind, MemoryBooks
from virtual_devices.errors import UsageError
from virtual_devices.mdoc.mso import StatusReference as Place


@dataclass(frozen=True, slots=True)
class Free:
    """How many places of these lists are free."""

    uri: str
    left: int


@dataclass(frozen=True, slots=True)
class Moved:
    """A free place that stands where a given one stood."""

    uri: str
    where: int
    number: int


FREE = Kind("places_free", Free, ("uri",))
MOVED = Kind("places_moved", Moved, ("uri", "where"))


class Places:
    """The free places of ``lists`` lists of ``size`` entries each. A place is given once and never again.

    Draws without repetition in constant time and with memory for what was given only (Fisher and Yates, sparse).
    """

    def __init__(self, uri: str, rng: Random, lists: int = 22, size: int = 1 << 20, books: Books | None = None) -> None:
        books = books or MemoryBooks()
        self._uri, self._rng, self._all, self._size = uri, rng, lists * size, size
        self._free, self._moved = books.shelf(FREE), books.shelf(MOVED)

    def draw(self) -> Place:
        """Raises UsageError when no place is left: the lists were planned too small."""
        free = self._free.get(self._uri)
        left = self._all if free is None else free.left
        if not left:
            raise UsageError(f"the status lists at {self._uri} are full: plan more of them")
        drawn, left = self._rng.randrange(left), left - 1
        self._free.put(Free(self._uri, left))
        number, last = self._at(drawn), self._at(left)
        self._moved.remove(self._uri, left)
        if drawn != left:
            self._moved.put(Moved(self._uri, drawn, last))
        return Place(f"{self._uri}/{number // self._size}", number % self._size)

    def _at(self, where: int) -> int:
        moved = self._moved.get(self._uri, where)
        return where if moved is None else moved.number


__all__ = ["Place", "Places"]
