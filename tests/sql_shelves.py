"""Books in databases for tests, empty each time."""

from __future__ import annotations

from sqlalchemy import create_engine
from sqlalchemy.pool import StaticPool

from bench.datacentre.database.opening import url_of
from bench.datacentre.database.sql_books import SqlBooks
from bench.datacentre.database.tables import metadata_of
from virtual_devices.cloud.books import Books
from virtual_devices.cloud.kinds import KINDS

from .shelves import STAYS

TABLES = metadata_of([*KINDS, STAYS])


class Cleaned:
    """One database with all tables; each time it is asked for, it is empty."""

    def __init__(self, url: str) -> None:
        self._engine = create_engine(url_of(url), poolclass=StaticPool)
        TABLES.create_all(self._engine)
        self._books: list[SqlBooks] = []

    def __call__(self) -> Books:
        touched = {name for before in self._books for name in before._shelves}
        for before in self._books:
            before.connection.close()
        with self._engine.begin() as connection:
            for table in TABLES.sorted_tables:
                if table.name in touched:
                    connection.execute(table.delete())
        self._books = [SqlBooks(self._engine)]
        return self._books[0]
