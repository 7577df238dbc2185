"""One table's rows on their way to disk: an Arrow IPC stream while the run lives, a Parquet file afterwards.

Both follow from the row type: int -> int64, str -> string, float -> float64, bool -> bool, bytes -> binary, never null.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from functools import cache
from numbers import Integral, Real
from pathlib import Path
from types import CodeType
from typing import Any, BinaryIO, get_type_hints

import pyarrow as pa
import pyarrow.parquet as pq

from virtual_devices.errors import BenchError
from virtual_devices.trace import TABLES, Row

ROW_GROUP_ROWS = 65_536
"""Rows of one Parquet row group: fixed, so that the bytes do not depend on the flushing, and what memory must hold."""

_TYPES = {int: pa.int64(), str: pa.string(), float: pa.float64(), bool: pa.bool_(), bytes: pa.binary()}


Adder = Callable[[Any], None]


class JournalError(BenchError):
    """A row does not fit its table, or a journal is not what it should be."""


def schema_of(row_type: type[Row]) -> Any:
    """The Arrow schema of a row type: a column a field, in order."""
    return pa.schema([pa.field(name, _TYPES[kind], nullable=False) for name, kind in get_type_hints(row_type).items()])


SCHEMAS: dict[str, Any] = {name: schema_of(row_type) for name, row_type in TABLES.items()}
"""Table name -> Arrow schema."""

_KINDS = {name: tuple(get_type_hints(row_type).values()) for name, row_type in TABLES.items()}
_WIDER: dict[type, type] = {int: Integral, float: Real}  # numpy's numbers are numbers too


class Journal:
    """One table's journal: rows wait as columns in memory, and go into the file a batch at a time.

    The file is made with the first batch. ``adders`` is the recorder's table of what to call for a row of which type;
    each journal keeps its own entry there up to date.
    """

    def __init__(self, path: Path, table: str, adders: dict[type, Adder]) -> None:
        self.path = path
        self.rows = 0
        """Rows in the file."""
        self._table = table
        self._adders = adders
        self._size_bytes = 0
        self._file: BinaryIO | None = None
        self._columns, adders[TABLES[table]] = _columns(TABLES[table])

    def waiting(self) -> int:
        """Rows not in the file yet. A row counts when its last column is there: an interrupt can leave half a row."""
        return len(self._columns[-1])

    def flush(self) -> None:
        """Append the waiting rows as one batch. OSError or JournalError; the file may then end with a torn batch."""
        count = self.waiting()
        if not count:
            return
        batch = to_batch(self._table, [c if len(c) == count else c[:count] for c in self._columns])
        if self._file is None:
            self._file = self.path.open("wb", buffering=0)
        self._check_still_there(self._file)
        size_bytes = self._size_bytes
        for message in [batch] if size_bytes else [SCHEMAS[self._table], batch]:
            size_bytes = _put(self._file, size_bytes, message.serialize())
        row_type = TABLES[self._table]
        columns, adder = _columns(row_type)
        # No call from here to the end: an interrupt can strike at calls only, and these four belong together. One that
        # strikes earlier leaves all as it was, and the next flush writes the same batch again, over the torn one.
        self._size_bytes = size_bytes
        self.rows += count
        self._columns = columns
        self._adders[row_type] = adder

    def _check_still_there(self, file: BinaryIO) -> None:
        """A file removed under our hands takes every write without complaint, and nobody will ever read it."""
        if not os.path.samestat(self.path.stat(), os.fstat(file.fileno())):
            raise JournalError(f"{self.path} was replaced while the run was writing it")

    def close(self) -> None:
        if self._file is not None:
            self._file.close()


def _put(file: BinaryIO, at: int, data: Any) -> int:
    """Write a buffer at a place in the file, and return where it ends."""
    file.seek(at)
    view = memoryview(data)
    while view:
        view = view[file.write(view) :]
    return at + len(data)


def _columns(row_type: type[Row]) -> tuple[list[list[Any]], Adder]:
    """Empty columns for a row type, and the function that appends a row to them.

    The function is spelled out for the row type, as the standard library does for dataclasses: a loop over the fields
    would cost three times as much, and keeping whole rows until the flush more still.
    """
    names = [field.name for field in fields(row_type)]
    columns: list[list[Any]] = [[] for _ in names]
    scope: dict[str, Any] = {f"add_{name}": column.append for name, column in zip(names, columns, strict=True)}
    exec(_adder_code(row_type.__name__, tuple(names)), scope)
    adder: Adder = scope["adder"]
    return columns, adder


@cache
def _adder_code(row_type: str, names: tuple[str, ...]) -> CodeType:
    parameters = ", ".join(f"add_{name}=add_{name}" for name in names)  # as defaults they are locals: faster to reach
    body = "".join(f"    add_{name}(row.{name})\n" for name in names)
    return compile(f"def adder(row, *, {parameters}):\n{body}", f"<columns of {row_type}>", "exec")


def to_batch(table: str, columns: list[list[Any]]) -> Any:
    """The columns as one Arrow record batch. JournalError names the column that a value does not fit."""
    arrays = []
    for field, kind, values in zip(SCHEMAS[table], _KINDS[table], columns, strict=True):
        if kind is not str:  # Arrow would cut 1.5 down to 1, and take a text for bytes, in silence
            for found in set(map(type, values)):
                if not issubclass(found, _WIDER.get(kind, kind)):
                    raise JournalError(f"{table}.{field.name} must be {kind.__name__}, a row has {found.__name__} there")
        try:
            array = pa.array(values, field.type)
        except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
            raise JournalError(f"{table}.{field.name} must fit {field.type}: {error}") from error
        if array.null_count:
            raise JournalError(f"{table}.{field.name} must be {kind.__name__}, a row has None there")
        arrays.append(array)
    return pa.RecordBatch.from_arrays(arrays, schema=SCHEMAS[table])


@dataclass(frozen=True, slots=True)
class Kept:
    """What was read out of a journal. ``truncated``: it went on after its last whole batch."""

    rows: int
    truncated: bool


class _Reader:
    """The whole batches of a journal, one at a time; afterwards ``rows`` and ``truncated`` are known."""

    def __init__(self, path: Path, table: str) -> None:
        self._path = path
        self._table = table
        self.rows = 0
        self.truncated = False

    def __iter__(self) -> Iterator[Any]:
        if not self._path.exists():
            return
        with pa.OSFile(str(self._path), "rb") as source:
            whole_bytes = 0
            for batch in self._batches(source):
                whole_bytes = source.tell()
                self.rows += batch.num_rows
                yield batch
            self.truncated = whole_bytes < source.size()

    def _batches(self, source: Any) -> Iterator[Any]:
        try:
            reader = pa.ipc.open_stream(source)
        except (pa.ArrowException, OSError) as error:
            _raise_if_the_disk_failed(error)
            return  # cut inside the schema: nothing was ever flushed
        if reader.schema != SCHEMAS[self._table]:
            raise JournalError(f"{self._path} has other columns than this version writes: recover it with the version that ran")
        while True:
            try:
                batch = reader.read_next_batch()
            except (StopIteration, pa.ArrowException, OSError) as error:
                _raise_if_the_disk_failed(error)
                return  # the end, or a batch that was being written
            yield batch


def _raise_if_the_disk_failed(error: Exception) -> None:
    """Arrow reports a stream cut short as an OSError without a number; one with a number is the disk's own."""
    if isinstance(error, OSError) and error.errno:
        raise error


def journal_to_parquet(journal: Path, directory: Path, table: str) -> Kept:
    """Write ``directory/<table>.parquet`` from a journal, a row group at a time; without a journal the table is empty.

    The file appears whole or not at all. OSError, or JournalError for a journal of another version.
    """
    directory.mkdir(exist_ok=True)
    part = directory / f"{table}.parquet.part"
    reader = _Reader(journal, table)
    with pq.ParquetWriter(part, SCHEMAS[table], compression="zstd") as writer:
        for group in _row_groups(iter(reader), SCHEMAS[table]):
            writer.write_table(group, row_group_size=ROW_GROUP_ROWS)
    part.replace(directory / f"{table}.parquet")
    return Kept(reader.rows, reader.truncated)


def _row_groups(batches: Iterator[Any], schema: Any) -> Iterator[Any]:
    """The same rows in tables of ``ROW_GROUP_ROWS``, each in one piece: page borders follow pieces."""
    parts: list[Any] = []
    room = ROW_GROUP_ROWS
    for batch in batches:
        while batch.num_rows:
            head, batch = batch.slice(0, room), batch.slice(room)
            parts.append(head)
            room -= head.num_rows
            if room == 0:
                yield pa.Table.from_batches(parts, schema).combine_chunks()
                parts, room = [], ROW_GROUP_ROWS
    if parts:
        yield pa.Table.from_batches(parts, schema).combine_chunks()


def parquet_rows(path: Path) -> int:
    """Rows in a Parquet file, from its footer."""
    return int(pq.ParquetFile(path).metadata.num_rows)
