"""Books in a database: SQLite in a file, or PostgreSQL by its URL."""

from bench.datacentre.database.opening import open_books
from bench.datacentre.database.sql_books import SqlBooks
from bench.datacentre.database.turns import Turns

__all__ = ["SqlBooks", "Turns", "open_books"]
