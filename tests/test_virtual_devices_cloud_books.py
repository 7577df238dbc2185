"""Books: what is put is found, by key and by index, in the order of keys, and all or nothing."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest

from virtual_devices.cloud.books import Kind, MemoryBooks, Shelf
from virtual_devices.errors import UsageError


@dataclass(frozen=True)
class Stay:
    room: str
    number: int
    guest: str
    left_ns: int = -1


STAYS = Kind("stays", Stay, ("room", "number"), (("guest",), ("guest", "left_ns")))


def filled(books: MemoryBooks) -> Shelf[Stay]:
    shelf = books.shelf(STAYS)
    for stay in (Stay("b", 2, "lin"), Stay("a", 9, "chen"), Stay("b", 1, "lin", 5)):
        shelf.put(stay)
    return shelf


def test_shelf_gives_rows_in_the_order_of_their_keys() -> None:
    shelf = filled(MemoryBooks())
    assert [(row.room, row.number) for row in shelf] == [("a", 9), ("b", 1), ("b", 2)]
    assert [row.number for row in shelf.where(guest="lin")] == [1, 2]
    assert shelf.where(room="a", number=9) == [Stay("a", 9, "chen")]
    assert (len(shelf), shelf.where(guest="wu")) == (3, [])


def test_shelf_follows_a_row_that_changes() -> None:
    shelf = filled(MemoryBooks())
    row = shelf.get("b", 2)
    assert row is not None
    shelf.put(replace(row, guest="wu"))
    assert [r.number for r in shelf.where(guest="lin")] == [1]
    assert shelf.where(guest="wu") == [Stay("b", 2, "wu")]
    shelf.remove("b", 2)
    shelf.remove("b", 2)
    assert shelf.where(guest="wu") == [] and shelf.get("b", 2) is None


def test_shelf_finds_what_is_at_most() -> None:
    shelf = filled(MemoryBooks())
    assert [row.number for row in shelf.upto("left_ns", -1, guest="lin")] == [2]
    assert [row.number for row in shelf.upto("left_ns", 5, guest="lin")] == [2, 1]  # in the order of that column


def test_shelf_adds_no_row_over_another() -> None:
    shelf = filled(MemoryBooks())
    with pytest.raises(UsageError, match="there is a row"):
        shelf.add(Stay("a", 9, "wu"))
    shelf.add(Stay("a", 10, "wu"))
    assert shelf.where(guest="wu") == [Stay("a", 10, "wu")]


def test_shelf_refuses_to_look_without_an_index() -> None:
    with pytest.raises(UsageError, match="no index over number"):
        filled(MemoryBooks()).where(number=1)
    with pytest.raises(UsageError, match="no such field: floor"):
        Kind("stays", Stay, ("floor",))


def test_transaction_is_all_or_nothing() -> None:
    books = MemoryBooks()
    shelf = filled(books)
    before = list(shelf)
    with pytest.raises(RuntimeError), books.transaction():
        shelf.put(Stay("c", 1, "lin"))
        with books.transaction():
            shelf.put(Stay("a", 9, "lin"))
        shelf.remove("b", 1)
        raise RuntimeError
    assert list(shelf) == before and [row.number for row in shelf.where(guest="lin")] == [1, 2]
    with books.transaction():
        shelf.put(Stay("c", 1, "wu"))
    assert shelf.where(guest="wu") == [Stay("c", 1, "wu")]


def test_transaction_within_another_takes_back_its_own_part() -> None:
    books = MemoryBooks()
    shelf = filled(books)
    with books.transaction():
        shelf.put(Stay("c", 1, "wu"))
        with pytest.raises(RuntimeError), books.transaction():
            shelf.put(Stay("c", 1, "lin"))
            shelf.remove("a", 9)
            raise RuntimeError
    assert shelf.get("c", 1) == Stay("c", 1, "wu") and shelf.get("a", 9) is not None


def test_books_refuse_two_kinds_of_one_name() -> None:
    books = MemoryBooks()
    books.shelf(STAYS)
    with pytest.raises(UsageError, match="called stays"):
        books.shelf(Kind("stays", Stay, ("room",)))
