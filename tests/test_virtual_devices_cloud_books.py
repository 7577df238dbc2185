"""Books: what is put is found, by key and by index, in the order of keys, and all or nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from virtual_devices.cloud.books import Books, Kind, MemoryBooks, Shelf
from virtual_devices.errors import UsageError

from . import shelves
from .shelves import STAYS, Mood, Stay, fresh_books

over_each = shelves.over_each


def filled(books: Books) -> Shelf[Stay]:
    shelf = books.shelf(STAYS)
    for stay in (Stay("b", 2, "lin"), Stay("a", 9, "chen"), Stay("b", 1, "lin", 5)):
        shelf.put(stay)
    return shelf


def test_shelf_gives_rows_in_the_order_of_their_keys() -> None:
    shelf = filled(fresh_books())
    assert [(row.room, row.number) for row in shelf] == [("a", 9), ("b", 1), ("b", 2)]
    assert [row.number for row in shelf.where(guest="lin")] == [1, 2]
    assert shelf.where(room="a", number=9) == [Stay("a", 9, "chen")]
    assert (len(shelf), shelf.where(guest="wu")) == (3, [])


def test_shelf_follows_a_row_that_changes() -> None:
    shelf = filled(fresh_books())
    row = shelf.get("b", 2)
    assert row is not None
    shelf.put(replace(row, guest="wu"))
    assert [r.number for r in shelf.where(guest="lin")] == [1]
    assert shelf.where(guest="wu") == [Stay("b", 2, "wu")]
    shelf.remove("b", 2)
    shelf.remove("b", 2)
    assert shelf.where(guest="wu") == [] and shelf.get("b", 2) is None


def test_shelf_finds_what_is_at_most() -> None:
    shelf = filled(fresh_books())
    assert [row.number for row in shelf.upto("left_ns", -1, guest="lin")] == [2]
    assert [row.number for row in shelf.upto("left_ns", 5, guest="lin")] == [2, 1]  # in the order of that column


def test_shelf_finds_what_lies_between() -> None:
    shelf = filled(fresh_books())
    for number, left_ns in ((20, 7), (21, 9), (22, 11)):
        shelf.put(Stay("d", number, "lin", left_ns))
    assert [row.number for row in shelf.between("left_ns", 7, 9, guest="lin")] == [20, 21]
    assert [row.number for row in shelf.between("left_ns", 8, 10**9, guest="lin")] == [21, 22]
    assert shelf.between("left_ns", 12, 10**9, guest="lin") == shelf.between("left_ns", 9, 7, guest="lin") == []
    with pytest.raises(UsageError, match="no index"):
        shelf.between("guest", "a", "z", left_ns=7)


def test_shelf_adds_no_row_over_another() -> None:
    shelf = filled(fresh_books())
    with pytest.raises(UsageError, match=r"there is a row|a row was added"):
        shelf.add(Stay("a", 9, "wu"))
    shelf.add(Stay("a", 10, "wu"))
    assert shelf.where(guest="wu") == [Stay("a", 10, "wu")]


def test_shelf_refuses_to_look_without_an_index() -> None:
    with pytest.raises(UsageError, match="no index over number"):
        filled(fresh_books()).where(number=1)
    with pytest.raises(UsageError, match="no such field: floor"):
        Kind("stays", Stay, ("floor",))


def test_transaction_is_all_or_nothing() -> None:
    books = fresh_books()
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
    books = fresh_books()
    shelf = filled(books)
    with books.transaction():
        shelf.put(Stay("c", 1, "wu"))
        with pytest.raises(RuntimeError), books.transaction():
            shelf.put(Stay("c", 1, "lin"))
            shelf.remove("a", 9)
            raise RuntimeError
    assert shelf.get("c", 1) == Stay("c", 1, "wu") and shelf.get("a", 9) is not None


def test_books_refuse_two_kinds_of_one_name() -> None:
    books = fresh_books()
    books.shelf(STAYS)
    with pytest.raises(UsageError, match="called stays"):
        books.shelf(Kind("stays", Stay, ("room",)))


def test_row_comes_back_as_it_was_put() -> None:
    row = Stay("旅館", 2**63 - 1, "\U0001f600 é", -(2**63), True, bytes(range(256)), Mood.SAD, (Mood.SAD, Mood.GLAD))
    books = fresh_books()
    books.shelf(STAYS).put(row)
    assert books.shelf(STAYS).get(row.room, row.number) == row == books.shelf(STAYS).where(guest=row.guest)[0]


def test_many_rows_at_once_come_back_as_they_were_put() -> None:
    odd = ["\t", "\\N", "\\.", "a\nb", "\r", "", "'", '"', "%s", "\U0001f600"]
    rows = [Stay(f"{odd[n % 10]}{n:04d}", n, odd[n % 10], n % 3, n % 2 == 0, bytes([n % 256]) * (n % 5)) for n in range(500)]
    books = fresh_books()
    with books.transaction():
        for row in rows:
            books.shelf(STAYS).add(row)
    assert list(books.shelf(STAYS)) == sorted(rows, key=lambda row: row.room)


def test_text_is_in_the_order_of_its_code_points() -> None:
    shelf = fresh_books().shelf(STAYS)
    names = ["", "A", "a", "Z", "é", "ä", "a b", "ab", "一", "\uffff", "\U00010000", "0", "W001", "-"]
    for name in names:
        shelf.put(Stay(name, 1, "lin"))
    assert [row.room for row in shelf] == sorted(names) == [row.room for row in shelf.where(guest="lin")]


class Histories(RuleBasedStateMachine):
    """Whatever is put, added, removed, looked up, taken back: these books and those in memory say the same."""

    def __init__(self) -> None:
        super().__init__()
        self.both = fresh_books(), MemoryBooks()

    @rule(data=st.data(), fails=st.booleans(), inner_fails=st.booleans())
    def act(self, data: st.DataObject, fails: bool, inner_fails: bool) -> None:
        changes = [data.draw(st.lists(CHANGES, max_size=4)) for _ in range(3)]
        said = [_acted(books, changes, fails, inner_fails) for books in self.both]
        assert said[0] == said[1]

    @invariant()
    def same(self) -> None:
        here, there = (list(books.shelf(STAYS)) for books in self.both)
        assert here == there


ROWS = st.builds(Stay, st.sampled_from("ab"), st.integers(0, 2), st.sampled_from(["lin", "wu"]), st.integers(-1, 1))
CHANGES = st.tuples(st.sampled_from(["put", "add", "remove", "get", "where", "upto", "between"]), ROWS)


def _acted(books: Books, changes: list[list[tuple[str, Stay]]], fails: bool, inner_fails: bool) -> list[object]:
    shelf, said = books.shelf(STAYS), []
    try:
        with books.transaction():
            said += [_done(shelf, *change) for change in changes[0]]
            try:
                with books.transaction():
                    said += [_done(shelf, *change) for change in changes[1]]
                    if inner_fails:
                        raise KeyError
            except KeyError:
                pass
            said += [_done(shelf, *change) for change in changes[2]]
            if fails:
                raise KeyError
    except KeyError:
        pass
    return said


def _done(shelf: Shelf[Stay], what: str, row: Stay) -> object:
    match what:
        case "put":
            shelf.put(row)
        case "add" if shelf.get(row.room, row.number) is None:
            shelf.add(row)
        case "remove":
            shelf.remove(row.room, row.number)
        case "get":
            return shelf.get(row.room, row.number)
        case "where":
            return shelf.where(room=row.room)
        case "upto":
            return shelf.upto("left_ns", row.left_ns, guest=row.guest)
        case "between":
            return shelf.between("left_ns", row.left_ns, row.left_ns + row.number, guest=row.guest)
    return None


def test_books_of_each_make_say_the_same_of_any_history() -> None:
    few = 2 if isinstance(fresh_books(), MemoryBooks) else 15
    run_state_machine_as_test(Histories, settings=settings(max_examples=few, stateful_step_count=10))
