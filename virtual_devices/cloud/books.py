"""What the data centre keeps: shelves of rows, by kind. In memory here; in a database where the service runs.

The domain puts rows and looks them up, and knows nothing of where they lie. A row is a frozen dataclass: it is changed by putting
another with the same key (``dataclasses.replace``). Rows come in the order of their keys, wherever they are kept: text by its
code points, bytes by their values.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, fields
from typing import Any, Generic, Protocol, TypeVar, cast

from virtual_devices.errors import UsageError

Row = TypeVar("Row")
Key = tuple[Any, ...]
Scalar = str | int | bytes | bool


@dataclass(frozen=True)
class Kind(Generic[Row]):
    """One kind of row. ``row``: a frozen dataclass whose fields are ``str``, ``int`` (64 bits), ``bytes``, ``bool``, an enum of
    such values, or what ``packing`` can turn into bytes; ``key``: the fields that name it; ``indexes``: further groups of fields
    by which rows are looked up."""

    name: str
    row: type[Row]
    key: tuple[str, ...]
    indexes: tuple[tuple[str, ...], ...] = ()

    def __post_init__(self) -> None:
        known = {field.name for field in fields(cast(Any, self.row))}
        if unknown := {name for group in (self.key, *self.indexes) for name in group} - known:
            raise UsageError(f"{self.name}: no such field: {', '.join(sorted(unknown))}; there are {', '.join(sorted(known))}")

    def key_of(self, row: Row) -> Key:
        return tuple(getattr(row, name) for name in self.key)

    def index_for(self, columns: frozenset[str]) -> tuple[str, ...]:
        """The index over just these fields. Raises UsageError when none is declared: looking through everything is slow."""
        for group in (self.key, *self.indexes):
            if columns == frozenset(group):
                return group
        raise UsageError(f"{self.name}: no index over {', '.join(sorted(columns))}; declare it in the kind")


class Shelf(Protocol[Row]):
    """All rows of one kind."""

    def get(self, *key: Scalar) -> Row | None:
        """The row with this key."""
        ...

    def put(self, row: Row) -> None:
        """A new row, or one in place of that with its key."""
        ...

    def remove(self, *key: Scalar) -> None:
        """Without the row with this key; nothing when there is none."""
        ...

    def where(self, **equal: Any) -> list[Row]:
        """The rows with these values, over an index. Raises UsageError without index."""
        ...

    def upto(self, column: str, value: Scalar, **equal: Any) -> list[Row]:
        """Of the rows with these values, those whose ``column`` is at most ``value``; the index is over all these fields."""
        ...

    def count(self, **equal: Any) -> int:
        """How many rows have these values; all without any."""
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
        """All changes within it or, when an exception leaves it, none. One within another is part of the outer."""
        ...


class MemoryShelf(Generic[Row]):
    """A shelf in memory. Each index is kept sorted by key, so that reading costs what is read."""

    def __init__(self, kind: Kind[Row], books: MemoryBooks) -> None:
        self._kind = kind
        self._books = books
        self._rows: dict[Key, Row] = {}
        self._found: dict[tuple[str, ...], dict[Key, list[Key]]] = {group: {} for group in kind.indexes}

    def get(self, *key: Scalar) -> Row | None:
        return self._rows.get(key)

    def put(self, row: Row) -> None:
        self._set(self._kind.key_of(row), row)

    def remove(self, *key: Scalar) -> None:
        self._set(key, None)

    def _set(self, key: Key, row: Row | None) -> None:
        old = self._rows.get(key)
        self._books.changing(lambda: self._set(key, old))
        for group, found in self._found.items():
            before = None if old is None else tuple(getattr(old, name) for name in group)
            after = None if row is None else tuple(getattr(row, name) for name in group)
            if before == after:
                continue
            if before is not None:
                found[before].remove(key)
                if not found[before]:
                    del found[before]
            if after is not None:
                insort(found.setdefault(after, []), key)
        if row is None:
            self._rows.pop(key, None)
        else:
            self._rows[key] = row

    def where(self, **equal: Any) -> list[Row]:
        group = self._kind.index_for(frozenset(equal))
        values = tuple(equal[name] for name in group)
        if group == self._kind.key:
            row = self._rows.get(values)
            return [] if row is None else [row]
        return [self._rows[key] for key in self._found[group].get(values, ())]

    def upto(self, column: str, value: Scalar, **equal: Any) -> list[Row]:
        self._kind.index_for(frozenset((*equal, column)))
        return [
            row for row in self
            if getattr(row, column) <= value and all(getattr(row, name) == wanted for name, wanted in equal.items())
        ]

    def count(self, **equal: Any) -> int:
        return len(self.where(**equal)) if equal else len(self._rows)

    def __iter__(self) -> Iterator[Row]:
        return iter([self._rows[key] for key in sorted(self._rows)])


class MemoryBooks:
    """Books in memory: for drawn and played worlds, and gone with the process."""

    def __init__(self) -> None:
        self._shelves: dict[str, MemoryShelf[Any]] = {}
        self._undo: list[Any] | None = None

    def shelf(self, kind: Kind[Row]) -> Shelf[Row]:
        shelf = self._shelves.get(kind.name)
        if shelf is None:
            shelf = self._shelves[kind.name] = MemoryShelf(kind, self)
        elif shelf._kind != kind:
            raise UsageError(f"two kinds of row are called {kind.name}")
        return shelf

    def changing(self, undo: Any) -> None:
        """Remember how to take a change back, while a transaction is open."""
        if self._undo is not None:
            self._undo.append(undo)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        if self._undo is not None:
            yield
            return
        self._undo = []
        try:
            yield
        except BaseException:
            undo, self._undo = self._undo, None
            for act in reversed(undo):
                act()
            raise
        finally:
            self._undo = None


__all__ = ["Books", "Kind", "MemoryBooks", "Shelf"]
