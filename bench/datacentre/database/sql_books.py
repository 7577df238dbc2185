"""Books in a database, through one connection: transactions come one after another.

Within a transaction, what was read is known and not read again, and what was written waits until something else must be looked up
or the transaction ends: then it goes in one statement a table. So a transaction that holds several acts costs little more than
one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from threading import RLock
from typing import Any, Generic, cast

from sqlalchemy import ClauseElement, Connection, Dialect, Engine, and_, bindparam, delete, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.sql.compiler import SQLCompiler

from bench.datacentre.database.tables import Codec, metadata_of
from virtual_devices.cloud.books import Key, Kind, Row, Scalar, Shelf, Undo
from virtual_devices.errors import UsageError

LOW = "at_least"
MOST_WAITING, COPIED = 2000, 200
"""Rows of one shelf that wait to be written; beyond, they are. So many new ones at once go in bulk."""


class Said:
    """A statement in the database's own words. What SQLAlchemy has made of it once is given to the driver as it is: that is many
    times quicker than having it made each time."""

    def __init__(self, statement: ClauseElement, dialect: Dialect) -> None:
        compiled = cast(SQLCompiler, statement.compile(dialect=dialect))
        self.text = str(compiled)
        self._names = compiled.positiontup if compiled.positional else None

    def values(self, named: dict[str, Any]) -> Any:
        """Values as the driver takes them: in their order, or by their names."""
        return named if self._names is None else [named[name] for name in self._names]


class Statements(Generic[Row]):
    """What is said to the database of one kind, prepared once."""

    def __init__(self, kind: Kind[Row], dialect: Dialect) -> None:
        table = metadata_of([kind]).tables[kind.name]
        self._kind, self._columns, self._dialect = kind, table.c, dialect
        self._select = select(*table.c)
        self._found: dict[tuple[str, ...], Said] = {}
        own = and_(*[table.c[name] == bindparam(f"key_{name}") for name in kind.key])
        self.get = Said(self._select.where(own), dialect)
        self.delete = Said(delete(table).where(own), dialect)
        self.every = Said(self._select.order_by(*[table.c[name] for name in kind.key]), dialect)
        self.count = Said(select(func.count()).select_from(table), dialect)
        self.insert = Said(table.insert(), dialect)
        self.upsert = Said(self._upsert(table), dialect)
        quoted = [dialect.identifier_preparer.quote(name) for name in (kind.name, *table.c.keys())]
        self.copy = f"COPY {quoted[0]} ({', '.join(quoted[1:])}) FROM STDIN"

    def _upsert(self, table: Any) -> ClauseElement:
        made: Any = (postgresql if self._dialect.name == "postgresql" else sqlite).insert(table)
        changed = {column.name: made.excluded[column.name] for column in table.c if column.name not in self._kind.key}
        if not changed:
            return cast(ClauseElement, made.on_conflict_do_nothing(index_elements=self._kind.key))
        return cast(ClauseElement, made.on_conflict_do_update(index_elements=self._kind.key, set_=changed))

    def key(self, key: Key) -> dict[str, Any]:
        return {f"key_{name}": value for name, value in zip(self._kind.key, key, strict=True)}

    def where(self, group: tuple[str, ...], *, upto: bool = False, between: bool = False) -> Said:
        """The rows whose fields have these values; of the last, ``upto``, that or less; ``between``, and no less than ``low``."""
        name = (*group, "upto" if upto else "", "between" if between else "")
        if name not in self._found:
            columns = [self._columns[each] for each in group]
            tests = [column == bindparam(column.name) for column in columns]
            order = [self._columns[each] for each in self._kind.key]
            if upto or between:
                tests[-1] = columns[-1] <= bindparam(columns[-1].name)
                order.insert(0, columns[-1])
            if between:
                tests.append(columns[-1] >= bindparam(LOW))
            self._found[name] = Said(self._select.where(and_(*tests)).order_by(*order), self._dialect)
        return self._found[name]


@lru_cache(maxsize=1024)
def statements(kind: Kind[Row], dialect: Dialect) -> Statements[Row]:
    """What is said of this kind, made once for all books that an engine opens."""
    return Statements(kind, dialect)


class SqlShelf(Generic[Row]):
    """A shelf in a table."""

    def __init__(self, kind: Kind[Row], books: SqlBooks) -> None:
        self.kind = kind
        self._books = books
        self._codec = Codec(kind)
        self._say = statements(kind, books.dialect)
        self._known: dict[Key, Row | None] = {}
        """Rows as this transaction has them, None where there is none."""
        self._waiting: dict[Key, Row | None] = {}
        """What is to be written, None for a row to be removed."""
        self._new: set[Key] = set()
        """Keys of those of them that are not in the table for certain."""

    def get(self, *key: Scalar) -> Row | None:
        with self._books.transaction():
            if key not in self._known:
                found = self._books.asked(self._say.get, self._say.key(key))
                self._known[key] = self._codec.row(found[0]) if found else None
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

    def _execute(self, statement: Said, many: list[dict[str, Any]]) -> None:
        try:
            if statement is self._say.insert and len(many) >= COPIED and self._books.dialect.name == "postgresql":
                self._books.copied(self._say.copy, [list(each.values()) for each in many])
            else:
                self._books.told(statement, many)
        except IntegrityError as error:
            raise UsageError(f"{self.kind.name}: a row was added under a key that there is: {error.orig}") from error

    def where(self, **equal: Any) -> list[Row]:
        group = self.kind.index_for(frozenset(equal))
        if group == self.kind.key:
            row = self.get(*[equal[name] for name in group])
            return [] if row is None else [row]
        return self._rows(self._say.where(group), equal)

    def upto(self, column: str, value: Scalar, **equal: Any) -> list[Row]:
        equal[column] = value
        return self._rows(self._say.where(self.kind.index_for(frozenset(equal), column), upto=True), equal)

    def between(self, column: str, low: Scalar, high: Scalar, **equal: Any) -> list[Row]:
        equal[column] = high
        group = self.kind.index_for(frozenset(equal), column)
        return self._rows(self._say.where(group, between=True), {**equal, LOW: low})

    def _rows(self, statement: Said, values: dict[str, Any]) -> list[Row]:
        with self._books.transaction():
            self.write()
            return [self._codec.row(found) for found in self._books.asked(statement, values)]

    def __len__(self) -> int:
        with self._books.transaction():
            self.write()
            return int(self._books.asked(self._say.count, {})[0][0])

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
        self.dialect = engine.dialect
        self.undo = Undo()
        self._engine, self._closed = engine, close
        self._turn = RLock()
        self._refused: DBAPIError | None = None
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
        self._refused = None
        try:
            yield
            for shelf in self._shelves.values():
                shelf.write()
            if self._refused is not None:  # somebody has overlooked it, and a server takes all back where one statement failed
                raise self._refused
        except BaseException:
            self.undo.forget()  # the database takes all of it back
            raise

    def asked(self, said: Said, named: dict[str, Any]) -> list[Any]:
        """The rows that the database answers, within a transaction."""
        with self._driver(said.text) as cursor:
            cursor.execute(said.text, said.values(named))
            return cast(list[Any], cursor.fetchall())

    def told(self, said: Said, many: list[dict[str, Any]]) -> None:
        """The same statement with each of these values."""
        with self._driver(said.text) as cursor:
            if len(many) == 1:
                cursor.execute(said.text, said.values(many[0]))
            else:
                cursor.executemany(said.text, [said.values(named) for named in many])

    def copied(self, text: str, rows: list[list[Any]]) -> None:
        """Rows in bulk, as PostgreSQL takes them quickest."""
        with self._driver(text) as cursor, cursor.copy(text) as copy:
            for row in rows:
                copy.write_row(row)

    @contextmanager
    def _driver(self, text: str) -> Iterator[Any]:
        """A cursor of the driver's. Raises SQLAlchemy's errors for the driver's, as its own connection would."""
        errors = cast(Any, self.dialect.loaded_dbapi).Error
        connection = self.connection.connection
        cursor = connection.cursor()
        try:
            yield cursor
        except errors as error:
            lost = self.dialect.is_disconnect(error, cast(Any, connection.dbapi_connection), cursor)
            if lost:
                self.connection.invalidate(error)
            self._refused = cast(DBAPIError, DBAPIError.instance(
                text, None, error, errors, connection_invalidated=lost, dialect=self.dialect,
            ))
            raise self._refused from error
        finally:
            cursor.close()

    def close(self) -> None:
        with self._turn:
            self.connection.close()
            self._engine.dispose()
            self._closed()


__all__ = ["SqlBooks", "SqlShelf"]
