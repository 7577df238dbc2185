"""Books of each make for the domain's tests: the same test in memory, over SQLite and over a real PostgreSQL server.

A module whose tests are to run over all of them takes :func:`over_each` by name; whatever asks :func:`fresh_books` within such a
test gets empty books of that make, elsewhere in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Any

import pytest

from virtual_devices.cloud.books import Books, Kind, MemoryBooks


class Mood(Enum):
    """An enum in a row."""

    GLAD = "glad"
    SAD = "sad"


@dataclass(frozen=True)
class Stay:
    """A row of each sort of field, for tests of the books themselves."""

    room: str
    number: int
    guest: str
    left_ns: int = -1
    paid: bool = False
    photograph: bytes = b""
    mood: Mood = Mood.GLAD
    others: tuple[Mood, ...] = ()


STAYS = Kind("stays", Stay, ("room", "number"), (("guest",), ("guest", "left_ns"), ("room",)))
_make: Callable[[], Books] = MemoryBooks


def fresh_books() -> Books:
    """Empty books, of the make that the test is running over."""
    return _make()


def examples(most: int) -> int:
    """How many examples a property gets: where a database is asked, a tenth."""
    return most if _make is MemoryBooks else most // 10


MAKES = ["memory", "sqlite", pytest.param("postgresql", marks=pytest.mark.needs("postgresql"))]


@pytest.fixture(params=MAKES, autouse=True)
def over_each(request: pytest.FixtureRequest) -> Iterator[None]:
    """Every test of the module over books of each make."""
    global _make
    make: Any = MemoryBooks if request.param == "memory" else request.getfixturevalue(f"{request.param}_books")
    _make = make
    yield
    _make = MemoryBooks
