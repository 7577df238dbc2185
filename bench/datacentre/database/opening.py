"""A database by its URL, for one service at a time.

``sqlite:///PATH`` or a path is a file, written ahead (WAL) and synchronised at every commit: what was acknowledged survives the
death of the process and, as far as the disk tells the truth, the loss of power. ``postgresql://...`` is a server.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, OperationalError
from sqlalchemy.pool import NullPool, StaticPool

from bench.datacentre.database import schema
from bench.datacentre.database.sql_books import SqlBooks
from virtual_devices.errors import LinkError, UsageError

ADVISORY_LOCK = 0x5648435F494443  # any number, the same for every service: "VHC_IDC"
TAKEN = "another service keeps its books in {}: end it first, or name another database"


def url_of(name: str | Path) -> URL:
    """Raises UsageError for what is neither a path nor the URL of a database that is known here."""
    text = str(name)
    if "://" not in text:
        return make_url("sqlite://").set(database=text)
    try:
        url = make_url(text)
    except ArgumentError as error:
        raise UsageError(f"{text}: {error}") from None
    match url.get_backend_name():
        case "sqlite":
            return url
        case "postgresql":
            return url.set(drivername="postgresql+psycopg")
    raise UsageError(f"{url.drivername}: the books are kept in sqlite:///PATH or postgresql://USER@HOST/NAME")


def open_books(name: str | Path, say: Callable[[str], None] = lambda _: None) -> SqlBooks:
    """The books in that database, whose tables are made or brought up to date first; ``say`` hears what was done.

    Raises LinkError when the database cannot be reached or another service has it, UsageError when a later version of the
    program has made it.
    """
    url = url_of(name)
    engine, release = _sqlite(url) if url.get_backend_name() == "sqlite" else _postgresql(url)
    try:
        with engine.connect() as connection:
            schema.bring_up_to_date(connection, say)
        return SqlBooks(engine, release)
    except BaseException as error:
        engine.dispose()
        release()
        if isinstance(error, OperationalError):
            raise LinkError(f"{url.render_as_string()}: the database cannot be opened: {error.orig}") from error
        raise


def _sqlite(url: URL) -> tuple[Engine, Callable[[], None]]:
    path = url.database or ":memory:"
    if not Path(path).name:
        raise UsageError(f"{path}: that is a directory; name a file")
    in_memory = path == ":memory:"
    engine = create_engine(
        url, poolclass=StaticPool if in_memory else NullPool, connect_args={"check_same_thread": False, "timeout": 5},
    )

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _: Any) -> None:
        connection.isolation_level = None  # transactions begin where we say so, not where the driver thinks
        for pragma in ("journal_mode = WAL", "synchronous = FULL", "cache_size = -65536"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Any) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    if in_memory:
        return engine, lambda: None
    return engine, _locked(Path(path))


def _locked(path: Path) -> Callable[[], None]:
    """A lock on a file beside the database: SQLite has locks of its own on the file itself."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = os.open(path.with_name(path.name + ".lock"), os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise LinkError(f"{path}: the database cannot be opened: {error.strerror}") from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        raise LinkError(TAKEN.format(path)) from None
    return lambda: os.close(lock)


def _postgresql(url: URL) -> tuple[Engine, Callable[[], None]]:
    """Each connection holds the lock: one that was lost and is made again must have it, too."""
    try:
        import psycopg
    except ImportError:
        raise LinkError("PostgreSQL needs the Python package psycopg: pip install 'vhc-bench[postgresql]'") from None
    engine = create_engine(url, poolclass=StaticPool, isolation_level="REPEATABLE READ")

    @event.listens_for(engine, "connect")
    def _lock(connection: psycopg.Connection[Any], _: Any) -> None:
        row = connection.execute("SELECT pg_try_advisory_lock(%s)", (ADVISORY_LOCK,)).fetchone()
        connection.commit()
        if row is None or not row[0]:
            raise LinkError(TAKEN.format(url.render_as_string()))

    return engine, lambda: None


__all__ = ["open_books", "url_of"]
