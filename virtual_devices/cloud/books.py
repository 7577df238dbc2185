"""What the data centre keeps: shelves of rows, by kind. In memory here; in a database where the service runs.

The domain puts rows and looks them up, and knows nothing of where they lie. A row is a frozen dataclass: it is changed by putting
another with the same key (``dataclasses.replace``). Rows come in the order of their keys, wherever they are kept: text by its
code points, bytes by their values.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Iterator, MutableMapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, fields
from typing import Any, Generic, Protocol, TypeVar, cast

from virtual_devices.errors import UsageError

Row = TypeVar("Row")
Name = TypeVar("Name", str, bytes)
Key = tuple[Any, ...]
Scalar = str | int | bytes | bool


@dataclass(frozen=True)
class Kind(Generic[Row]):
    """One kind of row. ``row``: a frozen dataclass whose fields are ``str``, ``int`` (64 bits), ``bytes``, ``bool``, an enum of
    such values, or what ``packing`` can turn into bytes; ``key``: the fields that name it; ``indexes``: further groups of fields
    by which rows are looked up. Neither keys nor indexes hold enums or what is packed."""

    name: str
    row: type[Row]
    key: tuple[str, ...]
    indexes: tuple[tuple[str, ...], ...] = ()

    def __post_init__(self) -> None:
        known = {field.name for field in fields(cast(Any, self.row))}
        if unknown := {name for group in (self.key, *self.indexes) for name in group} - known:
            raise UsageError(f"{self.name}: no such field: {', '.join(sorted(unknown))}; there are {', '.join(sorted(known))}")

    def key_of(self, row: Row) -> Key:
        return tuple([getattr(row, name) for name in self.key])

    def index_for(self, columns: frozenset[str], last: str = "") -> tuple[str, ...]:
        """The index over just these fields, ending in ``last`` if that is named. Raises UsageError when none is declared: looking
        through everything is slow."""
        for group in (self.key, *self.indexes):
            if columns == frozenset(group) and last in ("", group[-1]):
                return group
        ending = f" with {last} last" if last else ""
        raise UsageError(f"{self.name}: no index over {', '.join(sorted(columns))}{ending}; declare it in the kind")


class Shelf(Protocol[Row]):
    """All rows of one kind."""

    def get(self, *key: Scalar) -> Row | None:
        """The row with this key."""
        ...

    def put(self, row: Row) -> None:
        """A new row, or one in place of that with its key."""
        ...

    def add(self, row: Row) -> None:
        """A row whose key nobody has: a number that was just counted, say. Raises UsageError, now or at the end of the
        transaction, when there is one: then the caller is wrong."""
        ...

    def remove(self, *key: Scalar) -> None:
        """Without the row with this key; nothing when there is none."""
        ...

    def where(self, **equal: Any) -> list[Row]:
        """The rows with these values, over an index. Raises UsageError without index."""
        ...

    def upto(self, column: str, value: Scalar, **equal: Any) -> list[Row]:
        """Of the rows with these values, those whose ``column`` is at most ``value``, in its order; the index is over all these
        fields and ends in ``column``."""
        ...

    def between(self, column: str, low: Scalar, high: Scalar, **equal: Any) -> list[Row]:
        """The same of those whose ``column`` is neither below ``low`` nor above ``high``."""
        ...

    def __len__(self) -> int:
        """How many rows there are. For reports and checks: a database counts them one by one."""
        ...

    def __iter__(self) -> Iterator[Row]:
        """Every row. For reports and checks: it reads everything."""
        ...


class Books(Protocol):
    """Shelves that change together."""

    def shelf(self, kind: Kind[Row]) -> Shelf[Row]:
        """The shelf of a kind; the same each time."""
        ...

    def transaction(self) -> AbstractContextManager[None]:
        """All changes within it or, when an exception leaves it, none. One within another is part of the outer: what it did is
        taken back when it fails, and with the outer."""
        ...


class Undo:
    """The changes of the transaction that is open, and how each is taken back."""

    def __init__(self) -> None:
        self._changes: list[tuple[Callable[[Key, Any], None], Key, Any]] = []
        self.open = False

    def note(self, restore: Callable[[Key, Any], None], key: Key, old: Any) -> None:
        """A row is about to change from ``old``, None when there is none."""
        if self.open:
            self._changes.append((restore, key, old))

    def forget(self) -> None:
        """What was changed so far needs no taking back: somebody else does it."""
        self._changes.clear()

    @contextmanager
    def scope(self) -> Iterator[None]:
        """A transaction, or one within another."""
        outer, before, self.open = self.open, len(self._changes), True
        try:
            yield
        except BaseException:
            while len(self._changes) > before:
                restore, key, old = self._changes.pop()
                restore(key, old)
            raise
        finally:
            self.open = outer
            if not outer:
                self._changes.clear()


class _Index:
    """The keys of a shelf by some fields: sorted by the last of them and then by key, apart for each value of the others."""

    def __init__(self, group: tuple[str, ...]) -> None:
        self.group = group
        self._found: dict[Key, list[Key]] = {}

    def of(self, row: Any) -> Key:
        return tuple([getattr(row, name) for name in self.group])

    def insert(self, values: Key, key: Key) -> None:
        insort(self._found.setdefault(values[:-1], []), (values[-1], *key))

    def delete(self, values: Key, key: Key) -> None:
        found = self._found[values[:-1]]
        del found[bisect_left(found, (values[-1], *key))]
        if not found:
            del self._found[values[:-1]]

    def equal(self, values: Key) -> list[Key]:
        found, last = self._found.get(values[:-1], []), values[-1]
        return [entry[1:] for entry in found[bisect_left(found, (last,)) : _after(found, last)]]

    def upto(self, values: Key) -> list[Key]:
        found = self._found.get(values[:-1], [])
        return [entry[1:] for entry in found[: _after(found, values[-1])]]

    def between(self, low: Scalar, values: Key) -> list[Key]:
        found = self._found.get(values[:-1], [])
        return [entry[1:] for entry in found[bisect_left(found, (low,)) : _after(found, values[-1])]]


def _after(found: list[Key], last: Scalar) -> int:
    return bisect_right(found, last, key=lambda entry: entry[0])


class MemoryShelf(Generic[Row]):
    """A shelf in memory."""

    def __init__(self, kind: Kind[Row], undo: Undo) -> None:
        self.kind = kind
        self._undo = undo
        self._rows: dict[Key, Row] = {}
        self._indexes = [_Index(group) for group in kind.indexes]

    def get(self, *key: Scalar) -> Row | None:
        return self._rows.get(key)

    def put(self, row: Row) -> None:
        self._change(self.kind.key_of(row), row)

    def add(self, row: Row) -> None:
        key = self.kind.key_of(row)
        if key in self._rows:
            raise UsageError(f"{self.kind.name}: there is a row with the key {key!r}")
        self._change(key, row)

    def remove(self, *key: Scalar) -> None:
        self._change(key, None)

    def _change(self, key: Key, row: Row | None) -> None:
        self._undo.note(self._set, key, self._rows.get(key))
        self._set(key, row)

    def _set(self, key: Key, row: Row | None) -> None:
        old = self._rows.get(key)
        for index in self._indexes:
            before = None if old is None else index.of(old)
            after = None if row is None else index.of(row)
            if before == after:
                continue
            if before is not None:
                index.delete(before, key)
            if after is not None:
                index.insert(after, key)
        if row is None:
            self._rows.pop(key, None)
        else:
            self._rows[key] = row

    def where(self, **equal: Any) -> list[Row]:
        group = self.kind.index_for(frozenset(equal))
        values = tuple([equal[name] for name in group])
        if group == self.kind.key:
            row = self._rows.get(values)
            return [] if row is None else [row]
        return [self._rows[key] for key in self._index(group).equal(values)]

    def upto(self, column: str, value: Scalar, **equal: Any) -> list[Row]:
        equal[column] = value
        group = self.kind.index_for(frozenset(equal), column)
        return [self._rows[key] for key in self._index(group).upto(tuple([equal[name] for name in group]))]

    def between(self, column: str, low: Scalar, high: Scalar, **equal: Any) -> list[Row]:
        equal[column] = high
        group = self.kind.index_for(frozenset(equal), column)
        return [self._rows[key] for key in self._index(group).between(low, tuple([equal[name] for name in group]))]

    def _index(self, group: tuple[str, ...]) -> _Index:
        return next(index for index in self._indexes if index.group == group)

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[Row]:
        return iter([self._rows[key] for key in sorted(self._rows)])


class ByName(MutableMapping[Name, Row]):
    """A shelf whose key is one field, as a mapping by it."""

    def __init__(self, shelf: Shelf[Row], kind: Kind[Row]) -> None:
        self._shelf, (self._key,) = shelf, kind.key

    def __getitem__(self, name: Name) -> Row:
        row = self._shelf.get(cast(Scalar, name))
        if row is None:
            raise KeyError(name)
        return row

    def __setitem__(self, name: Name, row: Row) -> None:
        assert getattr(row, self._key) == name
        self._shelf.put(row)

    def __delitem__(self, name: Name) -> None:
        self._shelf.remove(cast(Scalar, name))

    def __iter__(self) -> Iterator[Name]:
        return iter([getattr(row, self._key) for row in self._shelf])

    def __len__(self) -> int:
        return len(self._shelf)


class MemoryBooks:
    """Books in memory: for drawn and played worlds, and gone with the process."""

    def __init__(self) -> None:
        self._shelves: dict[str, MemoryShelf[Any]] = {}
        self._undo = Undo()

    def shelf(self, kind: Kind[Row]) -> Shelf[Row]:
        shelf = self._shelves.get(kind.name)
        if shelf is None:
            shelf = self._shelves[kind.name] = MemoryShelf(kind, self._undo)
        elif shelf.kind != kind:
            raise UsageError(f"two kinds of row are called {kind.name}")
        return shelf

    def transaction(self) -> AbstractContextManager[None]:
        return self._undo.scope()


__all__ = ["Books", "ByName", "Key", "Kind", "MemoryBooks", "Row", "Scalar", "Shelf", "Undo"]
