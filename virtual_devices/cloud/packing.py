"""Values as bytes, for what a database has no column for: nested dataclasses, tuples, sets, dates. CBOR, and canonical: equal
values give equal bytes, so that a digest of them tells whether two are the same.

What is packed says little of its types: it is read again by the type hint that it was written for. A dataclass is the list of its
fields in their order. When a field is added, a default for it is all that rows packed before need.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import date
from enum import Enum
from functools import cache
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, cast, get_args, get_origin, get_type_hints

import cbor2

from virtual_devices.errors import UsageError

Value = TypeVar("Value")


def pack(value: object) -> bytes:
    """Raises UsageError for a value that has no form here."""
    packed: bytes = cbor2.dumps(_plain(value), canonical=True)
    return packed


def fingerprint(value: object) -> bytes:
    """SHA-256 of what :func:`pack` gives: the same for equal values."""
    return hashlib.sha256(pack(value)).digest()


def _plain(value: object) -> Any:
    """As CBOR has it."""
    if value is None or (isinstance(value, str | int | bytes | float) and not isinstance(value, Enum)):
        return value
    if isinstance(value, Enum):
        return _plain(value.value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, tuple | list):
        return [_plain(each) for each in value]
    if isinstance(value, frozenset | set):
        return sorted((_plain(each) for each in value), key=lambda each: cbor2.dumps(each, canonical=True))
    if isinstance(value, Mapping):
        return {_plain(name): _plain(each) for name, each in value.items()}
    if is_dataclass(value) and not isinstance(value, type):
        return [_plain(getattr(value, name)) for name in field_names(type(value))]
    raise UsageError(f"a {type(value).__name__} cannot be packed")


def unpack(hint: type[Value] | Any, packed: bytes) -> Value:
    """The value of that type. Raises UsageError when the bytes are not one's: then the store is damaged."""
    try:
        return cast(Value, _typed(hint, cbor2.loads(packed)))
    except (ValueError, TypeError, KeyError, cbor2.CBORError) as error:
        raise UsageError(f"these are not the bytes of a {hint}: {error}") from None


def _typed(hint: Any, plain: Any) -> Any:
    origin, inner = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        (other,) = [each for each in inner if each is not NoneType]
        return None if plain is None else _typed(other, plain)
    if origin is tuple:
        kinds = [inner[0]] * len(plain) if inner[1:] == (Ellipsis,) else inner
        return tuple([_typed(kind, each) for kind, each in zip(kinds, plain, strict=True)])
    if origin is frozenset:
        return frozenset([_typed(inner[0], each) for each in plain])
    if origin is not None and issubclass(origin, Mapping):
        return {_typed(inner[0], name): _typed(inner[1], each) for name, each in plain.items()}
    if hint is Any:
        return plain
    if issubclass(hint, Enum):
        return hint(plain)
    if hint is date:
        return date.fromisoformat(plain)
    if is_dataclass(hint):
        hints = hints_of(cast(type, hint))
        return cast(Any, hint)(*[_typed(hints[name], each) for name, each in zip(hints, plain, strict=False)])
    if type(plain) is not hint:
        raise TypeError(f"{type(plain).__name__} where {hint.__name__} belongs")
    return plain


@cache
def hints_of(row: type) -> dict[str, Any]:
    """The type hints of a dataclass's fields, in their order."""
    hints = get_type_hints(row)
    return {name: hints[name] for name in field_names(row)}


@cache
def field_names(row: type) -> tuple[str, ...]:
    return tuple(field.name for field in fields(cast(Any, row)) if field.init)


__all__ = ["field_names", "fingerprint", "hints_of", "pack", "unpack"]
