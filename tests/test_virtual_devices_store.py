"""The journal: a commit has happened or has not, wherever power goes, however often."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from virtual_devices.errors import UsageError
from virtual_devices.link import Work
from virtual_devices.store import JOURNAL, Store

from .memory import meant, points, settled, torn_commit

OLD = {"a": b"old a, and long", "b": b"", "c": b"\0" * 9}
NEW = {"a": b"A", "b": b"new b, where nothing was", "d": b"d"}
CELLS = st.dictionaries(st.sampled_from("abcdef"), st.binary(max_size=12), max_size=5)


def test_commit_has_three_cut_points_for_each_write_and_the_journal_is_written_twice() -> None:
    assert points(OLD, NEW) == 3 * (len(NEW) + 2)
    assert points(OLD, {}) == 0


@given(CELLS, CELLS.filter(bool), st.data())
def test_cut_anywhere_and_again_in_recovery_leaves_old_or_new(
    old: dict[str, bytes], new: dict[str, bytes], data: st.DataObject
) -> None:
    store = torn_commit(old, new, data.draw(st.integers(0, points(old, new) - 1)))
    cuts = data.draw(st.lists(st.integers(0, 30), max_size=3))
    assert settled(store, *cuts) in (old, {**old, **new})


def test_every_point_before_the_journal_is_whole_keeps_the_old_and_every_later_one_gives_the_new() -> None:
    ends = []
    for point in range(points(OLD, NEW)):
        after = settled(torn_commit(OLD, NEW, point))
        assert after in (OLD, {**OLD, **NEW})
        ends.append(after != OLD)
    assert ends == sorted(ends) and ends.index(True) == 2  # once sealed, never lost


def test_generation_grows_with_a_torn_commit_too() -> None:
    """Whoever saves the image when it has grown must not miss what a tear left done."""
    for point in range(points(OLD, NEW)):
        assert torn_commit(OLD, NEW, point).generation > Store(OLD, Work()).generation


def test_damaged_journal_is_dropped() -> None:
    sealed = torn_commit(OLD, NEW, 2).cells()
    for at in range(len(sealed[JOURNAL])):
        damaged = bytearray(sealed[JOURNAL])
        damaged[at] ^= 0x10
        store = Store({**sealed, JOURNAL: bytes(damaged)}, Work())
        store.recover()
        assert meant(store) == OLD


def test_journal_is_no_cell_and_written_bytes_are_counted() -> None:
    work = Work()
    store = Store({}, work)
    with pytest.raises(UsageError):
        store.commit({JOURNAL: b"x"})
    store.commit({"a": b"12345"})
    assert store["a"] == b"12345" and work.written_bytes > 5
    with pytest.raises(KeyError):
        store["b"]
