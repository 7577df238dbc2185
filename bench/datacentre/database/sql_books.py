"""Books in a database, through one connection: transactions come one after another.

Within a transaction, what was read is known and not read again, and what was written waits until something else must be looked up
or the transaction ends: then it goes in one statement a table. So a transaction that holds several acts costs little more than
one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import RLock
from typing import Any, Generic, cast

from sqlalchemy import Connection, Delete, Engine, Insert, Select, and_, bindparam, delete, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError

from bench.datacentre.database.tables import Codec, metadata_of
from virtual_devices.cloud.books import Key, Kind, Row, Scalar, Shelf, Undo
from virtual_devices.errors import UsageError

MOST_WAITING = 2000
"""Rows of one shelf that wait to be written; beyond, they are."""


class Statements(Generic[Row]):
    """What is said to the database of one kind, prepared once."""

    def __init__(self, kind: Kind[Row], dialect: str) -> None:
        table = metadata_of([kind]).tables[kind.name]
        self._kind, self._columns = kind, table.c
        self._select = select(*table.c)
        self._found: dict[tuple[str, ...], Select[Any]] = {}
        own = and_(*[table.c[name] == bindparam(f"key_{name}") for name in kind.key])
        self.get = self._select.where(own)
        self.delete: Delete = delete(table).where(own)
        self.every = self._select.order_by(*[table.c[name] for name in kind.key])
        self.count = select(func.count()).select_from(table)
        self.insert: Insert = table.insert()
        self.upsert = self._upsert(table, dialect)

    def _upsert(self, table: Any, dialect: str) -> Insert:
        made: Any = (postgresql if dialect == "postgresql" else sqlite).insert(table)
        changed = {column.name: made.excluded[column.name] for column in table.c if column.name not in self._kind.key}
        if not changed:
            return cast(Insert, made.on_conflict_do_nothing(index_elements=self._kind.key))
        return cast(Insert, made.on_conflict_do_update(index_elements=self._kind.key, set_=changed))

    def key(self, key: Key) -> dict[str, Any]:
        return {f"key_{name}": value for name, value in zip(self._kind.key, key, strict=True)}

    def where(self, group: tuple[str, ...], upto: bool) -> Select[Any]:
        """The rows whose fields have these values; of the last, ``upto``, that or less."""
        name = (*group, "upto") if upto else group
        if name not in self._found:
            columns = [self._columns[each] for each in group]
            tests = [column == bindparam(column.name) for column in columns]
            order = [self._columns[each] for each in self._kind.key]
            if upto:
                tests[-1] = columns[-1] <= bindparam(columns[-1].name)
                order.insert(0, columns[-1])
            self._found[name] = self._select.where(and_(*tests)).order_by(*order)
        return self._found[name]


class SqlShelf(Generic[Row]):
    """A shelf in a table."""

    def __init__(self, kind: Kind[Row], books: SqlBooks) -> None:
        self.kind = kind
        self._books = books
        self._codec = Codec(kind)
        self._say = Statements(kind, books.dialect)
        self._known: dict[Key, Row | None] = {}
        """Rows as this transaction has them, None where there is none."""
        self._waiting: dict[Key, Row | None] = {}
        """What is to be written, None for a row to be removed."""
        self._new: set[Key] = set()
        """Keys of those of them that are not in the table for certain."""

    def get(self, *key: Scalar) -> Row | None:
        with self._books.transaction():
            if key not in self._known:
                found = self._books.connection.execute(self._say.get, self._say.key(key)).first()
                self._known[key] = None if found is None else self._codec.row(found)
            return self._known[key]

    def put(self, row: Row) -> None:
        with self._books.transaction():
            key = self.kind.key_of(row)
            self._books.undo.note(self._set, key, self.get(*key))
            self._set(key, row)

    def add(self, row: Row) -> None:
        with self._books.transaction():
            key = self.kind.key_of(row)
            if self._known.get(key) is not None:
                raise UsageError(f"{self.kind.name}: there is a row with the key {key!r}")
            self._books.undo.note(self._set, key, None)
            if key not in self._waiting:
                self._new.add(key)
            self._set(key, row)

    def remove(self, *key: Scalar) -> None:
        with self._books.transaction():
            old = self.get(*key)
            if old is not None:
                self._books.undo.note(self._set, key, old)
                self._set(key, None)

    def _set(self, key: Key, row: Row | None) -> None:
        self._known[key] = row
        if row is None and key in self._new:
            self._new.discard(key)
            self._waiting.pop(key, None)
            return
        self._waiting[key] = row
        if len(self._waiting) >= MOST_WAITING:
            self.write()

    def write(self) -> None:
        """Have the database know what waits."""
        if not self._waiting:
            return
        values = self._codec.values
        added: list[dict[str, Any]] = []
        changed: list[dict[str, Any]] = []
        removed: list[dict[str, Any]] = []
        for key, row in self._waiting.items():
            if row is None:
                removed.append(self._say.key(key))
            else:
                (added if key in self._new else changed).append(values(row))
        self._waiting.clear()
        self._new.clear()
        for statement, many in ((self._say.delete, removed), (self._say.insert, added), (self._say.upsert, changed)):
            if many:
                self._execute(statement, many)

    def _execute(self, statement: Any, many: list[dict[str, Any]]) -> None:
        try:
            self._books.connection.execute(statement, many if len(many) > 1 else many[0])
        except IntegrityError as error:
            raise UsageError(f"{self.kind.name}: a row was added under a key that there is: {error.orig}") from error

    def where(self, **equal: Any) -> list[Row]:
        group = self.kind.index_for(frozenset(equal))
        if group == self.kind.key:
            row = self.get(*[equal[name] for name in group])
            return [] if row is None else [row]
        return self._rows(self._say.where(group, False), equal)

    def upto(self, column: str, value: Scalar, **equal: Any) -> list[Row]:
        equal[column] = value
        return self._rows(self._say.where(self.kind.index_for(frozenset(equal), column), True), equal)

    def _rows(self, statement: Select[Any], values: dict[str, Any]) -> list[Row]:
        with self._books.transaction():
            self.write()
            return [self._codec.row(found) for found in self._books.connection.execute(statement, values)]

    def __len__(self) -> int:
        with self._books.transaction():
            self.write()
            return int(self._books.connection.execute(self._say.count).scalar_one())

    def __iter__(self) -> Iterator[Row]:
        return iter(self._rows(self._say.every, {}))

    def forget(self) -> None:
        """The transaction is over."""
        self._known.clear()
        self._waiting.clear()
        self._new.clear()


class SqlBooks:
    """Books in a database whose tables are there already. ``close`` gives the database free for another service."""

    def __init__(self, engine: Engine, close: Callable[[], None] = lambda: None) -> None:
        self.dialect = engine.dialect.name
        self.undo = Undo()
        self._engine, self._closed = engine, close
        self._turn = RLock()
        self._shelves: dict[str, SqlShelf[Any]] = {}
        self.connection: Connection = engine.connect()

    def shelf(self, kind: Kind[Row]) -> Shelf[Row]:
        shelf = self._shelves.get(kind.name)
        if shelf is None:
            shelf = self._shelves[kind.name] = SqlShelf(kind, self)
        elif shelf.kind != kind:
            raise UsageError(f"two kinds of row are called {kind.name}")
        return shelf

    @contextmanager
    def transaction(self) -> Iterator[None]:
        with self._turn:
            if self.undo.open:
                with self.undo.scope():
                    yield
                return
            try:
                with self.connection.begin(), self.undo.scope():
                    yield from self._whole()
            finally:
                for shelf in self._shelves.values():
                    shelf.forget()

    def _whole(self) -> Iterator[None]:
        try:
            yield
            for shelf in self._shelves.values():
                shelf.write()
        except BaseException:
            self.undo.forget()  # the database takes all of it back
            raise

    def close(self) -> None:
        with self._turn:
            self.connection.close()
            self._engine.dispose()
            self._closed()


__all__ = ["SqlBooks", "SqlShelf"]
