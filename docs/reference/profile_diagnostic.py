"""CBOR as people read it: the diagnostic notation of RFC 8949 clause 8, long strings cut short."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

import cbor2

from virtual_devices import cbor

LONGEST_BYTES, WIDTH = 20, 118
_EMBEDDED = 24


def diagnostic(raw: bytes) -> str:
    """The item that ``raw`` is. Items inside a byte string with tag 24 are shown as such."""
    return _lines(cbor.decode(raw), 0)


def _lines(value: Any, indent: int) -> str:
    """On one line where it fits, else one entry a line."""
    flat = _flat(value)
    if len(flat) + 2 * indent <= WIDTH or not isinstance(value, (Mapping, list, tuple, cbor2.CBORTag)):
        return flat
    if isinstance(value, cbor2.CBORTag):
        inside = _embedded(value)
        if inside is not None:
            return f"24(<< {_lines(inside, indent)} >>)"
        return f"{value.tag}({_lines(value.value, indent)})"
    pad = "  " * (indent + 1)
    if isinstance(value, Mapping):
        rows = [f"{pad}{_flat(k)}: {_lines(v, indent + 1)}" for k, v in value.items()]
        return "{\n" + ",\n".join(rows) + "\n" + "  " * indent + "}"
    return "[\n" + ",\n".join(pad + _lines(v, indent + 1) for v in value) + "\n" + "  " * indent + "]"


def _flat(value: Any) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case None:
            return "null"
        case int() | float():
            return str(value)
        case bytes():
            return _bytes(value)
        case str():
            return '"' + value + '"'
        case datetime():  # before date: a datetime is one
            return f'0("{value:%Y-%m-%dT%H:%M:%SZ}")'
        case date():
            return f'1004("{value.isoformat()}")'
        case Mapping():
            return "{" + ", ".join(f"{_flat(k)}: {_flat(v)}" for k, v in value.items()) + "}"
        case list() | tuple():
            return "[" + ", ".join(map(_flat, value)) + "]"
        case cbor2.CBORTag():
            inside = _embedded(value)
            return f"{value.tag}({_flat(value.value)})" if inside is None else f"24(<< {_flat(inside)} >>)"
        case _:
            raise TypeError(f"no notation for {type(value).__name__}")


def _bytes(value: bytes) -> str:
    if len(value) <= LONGEST_BYTES:
        return f"h'{value.hex()}'"
    return f"h'{value[:8].hex()}…{value[-4:].hex()}' /{len(value)} bytes/"


def _embedded(tag: cbor2.CBORTag) -> Any:
    if tag.tag != _EMBEDDED or not isinstance(tag.value, bytes):
        return None
    try:
        return cbor.decode(tag.value)
    except cbor.MalformedCbor:
        return None
