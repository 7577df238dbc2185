"""Kinds of row as tables: a column for each scalar, a column of bytes for everything else.

Text is compared by code points (collation "C" in PostgreSQL, BINARY in SQLite), so that rows come in the same order wherever they
are kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import fields
from enum import Enum
from typing import Any, Generic, cast

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    TextClause,
    text,
)
from sqlalchemy.types import TypeEngine

from virtual_devices.cloud.books import Kind, Row
from virtual_devices.cloud.packing import hints_of, pack, unpack

TEXT = Text().with_variant(Text(collation="C"), "postgresql")
TYPES: dict[type, TypeEngine[Any]] = {str: TEXT, int: BigInteger(), bytes: LargeBinary(), bool: Boolean()}
NAMES = {
    "pk": "pk_%(table_name)s",
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
}


def scalar_of(hint: Any) -> type | None:
    """The type of a field's column, None for what is packed. An enum is kept as its value."""
    if isinstance(hint, type) and issubclass(hint, Enum):
        kinds = {type(member.value) for member in hint}
        return kinds.pop() if len(kinds) == 1 and kinds <= TYPES.keys() else None
    return hint if hint in TYPES else None


def metadata_of(kinds: Iterable[Kind[Any]]) -> MetaData:
    """The tables of these kinds, and no others."""
    metadata = MetaData(naming_convention=NAMES)
    for kind in kinds:
        table_of(kind, metadata)
    return metadata


def table_of(kind: Kind[Any], metadata: MetaData) -> Table:
    defaults = {field.name: field.default for field in fields(cast(Any, kind.row))}
    columns = [
        Column(name, TYPES[scalar_of(hint) or bytes], nullable=False, server_default=_default(hint, defaults[name]))
        for name, hint in hints_of(cast(type, kind.row)).items()
    ]
    key = PrimaryKeyConstraint(*kind.key)  # in the kind's order, which need not be the fields'
    indexes = [Index(None, *group) for group in kind.indexes if group != kind.key[: len(group)]]  # the key serves its beginnings
    return Table(kind.name, metadata, *columns, key, *indexes)


def _default(hint: Any, default: Any) -> TextClause | None:
    """What rows that are there already get when the field is added later. Of what is packed, whoever adds it must say."""
    value = default.value if isinstance(default, Enum) else default
    match value:
        case bool():
            return text("true" if value else "false")
        case int():
            return text(str(value))
        case str() if scalar_of(hint) is str:
            return text("'" + value.replace("'", "''") + "'")
        case b"":
            return text("''")
    return None


class Codec(Generic[Row]):
    """Rows of a kind as values of its table's columns, and back."""

    def __init__(self, kind: Kind[Row]) -> None:
        self.kind = kind
        hints = hints_of(cast(type, kind.row))
        self.names = tuple(hints)
        self._write = [(name, _writer(hint)) for name, hint in hints.items()]
        self._read = [_reader(hint) for hint in hints.values()]

    def values(self, row: Row) -> dict[str, Any]:
        return {name: getattr(row, name) if write is None else write(getattr(row, name)) for name, write in self._write}

    def row(self, values: Sequence[Any]) -> Row:
        return self.kind.row(
            *[value if read is None else read(value) for read, value in zip(self._read, values, strict=True)],
        )


def _writer(hint: Any) -> Callable[[Any], Any] | None:
    if scalar_of(hint) is None:
        return pack
    return (lambda member: member.value) if issubclass(hint, Enum) else None


def _reader(hint: Any) -> Callable[[Any], Any] | None:
    if scalar_of(hint) is None:
        return lambda packed: unpack(hint, packed)
    return cast(Callable[[Any], Any], hint) if hint is bool or issubclass(hint, Enum) else None  # SQLite has numbers for bools


__all__ = ["Codec", "metadata_of", "scalar_of", "table_of"]
