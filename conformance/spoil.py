"""Structures spoilt in one place: every part of a CBOR structure in turn replaced by something of another type, or left out.

Embedded CBOR (#6.24) is looked into where it is named.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import cbor2

from virtual_devices.mdoc.tagged import dumps

Path = tuple[Any, ...]
"""Keys of maps and indices of arrays from the outside in; :data:`INSIDE` steps into embedded CBOR."""
INSIDE = "#6.24"


def paths(value: Any, at: Path = ()) -> Iterator[Path]:
    """Every place in a structure, itself first."""
    yield at
    match value:
        case cbor2.CBORTag() if value.tag == 24 and isinstance(value.value, bytes):
            yield from paths(cbor2.loads(value.value), (*at, INSIDE))
        case dict():
            for key, inner in value.items():
                yield from paths(inner, (*at, key))
        case list():
            for number, inner in enumerate(value):
                yield from paths(inner, (*at, number))
        case _:
            return


def find(value: Any, path: Path) -> Any:
    """What stands at that place."""
    for step in path:
        value = cbor2.loads(value.value) if step == INSIDE else value[step]
    return value


def put(value: Any, path: Path, new: Any) -> Any:
    """The structure with ``new`` in that place."""
    if not path:
        return new
    step, rest = path[0], path[1:]
    if step == INSIDE:
        return cbor2.CBORTag(24, dumps(put(cbor2.loads(value.value), rest, new)))
    copied = dict(value) if isinstance(value, dict) else list(value)
    copied[step] = put(value[step], rest, new)
    return copied


def without(value: Any, path: Path) -> Any:
    """The structure without what stands in that place, which must be in a map."""
    outer = find(value, path[:-1])
    return put(value, path[:-1], {key: inner for key, inner in outer.items() if key != path[-1]})


def other(value: Any) -> Any:
    """A value of another type."""
    return 7 if isinstance(value, str | bytes | bool | dict | list | cbor2.CBORTag) or value is None else "seven"


def named(path: Path) -> str:
    """A place as a person reads it."""
    return "/".join(str(step) for step in path) or "the whole"


__all__ = ["INSIDE", "Path", "find", "named", "other", "paths", "put", "without"]
