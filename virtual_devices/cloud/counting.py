"""Numbers that go up by one and are given once: of visits, of cards, of entries."""

from __future__ import annotations

from dataclasses import dataclass

from virtual_devices.cloud.books import Books, Kind


@dataclass(frozen=True, slots=True)
class Counter:
    """The last number given, by the name of what is counted."""

    name: str
    last: int


COUNTERS = Kind("counters", Counter, ("name",))


def next_number(books: Books, name: str) -> int:
    """The next number: 1 is the first."""
    counters = books.shelf(COUNTERS)
    known = counters.get(name)
    number = 1 if known is None else known.last + 1
    counters.put(Counter(name, number))
    return number


__all__ = ["COUNTERS", "Counter", "next_number"]
