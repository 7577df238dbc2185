"""Values from the command line, ``--set params.doctors=3``: put into what was read from the file."""

from __future__ import annotations

import tomllib
from typing import Any

from scenarios.positions import Path, dotted


def key_path(name: str) -> list[str] | None:
    """``params.doctors`` as its keys, quoted ones unquoted; None when it is no key."""
    try:
        data: Any = tomllib.loads(f"{name} = 0")
    except (tomllib.TOMLDecodeError, RecursionError):
        return None
    keys = []
    while isinstance(data, dict):
        if len(data) != 1:
            return None
        ((key, data),) = data.items()
        keys.append(key)
    return keys


def toml_value(text: str) -> Any:
    """What the text means as TOML; a text that means nothing there stands for itself."""
    try:
        data = tomllib.loads(f"value = {text}")
    except (tomllib.TOMLDecodeError, RecursionError):
        return text
    return data["value"] if len(data) == 1 else text


def put(data: Any, keys: list[str], value: Any) -> tuple[Path, str]:
    """Set a value deep inside. Returns where that was, and what was in the way."""
    place: list[str | int] = []
    for index, key in enumerate(keys):
        last = index == len(keys) - 1
        if isinstance(data, list):
            if not (key.isascii() and key.isdigit()) or int(key) >= len(data):
                return tuple(place), f"{dotted(tuple(place))} has {len(data)} entries, counted from 0; {key!r} is none of them"
            step: str | int = int(key)
        elif isinstance(data, dict):
            step = key
            if not last and key not in data and keys[index + 1].isdigit():
                return tuple(place), f"there is no {dotted((*place, key))} to change"
            if not last:
                data.setdefault(key, {})
        else:
            return tuple(place), f"{dotted(tuple(place))} is a single value and has nothing inside it"
        place.append(step)
        if last:
            data[step] = value
        else:
            data = data[step]
    return tuple(place), ""
