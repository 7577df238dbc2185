"""The values of a scenario file as they were probably meant: what has one likely meaning is put right in a copy.

A misspelt table, key, choice or situation would otherwise hide whatever else is wrong in it. Each value remembers where
it was written, or which override (``--set``) it came from.
"""

from __future__ import annotations

import copy
from collections.abc import Container, Mapping
from typing import Any

from scenarios.overrides import key_path, put, toml_value
from scenarios.positions import Path, Positions

TABLES = ("run", "network", "params")


def get(data: Any, place: Path) -> Any:
    """The value at a place; None, which TOML does not have, when there is none."""
    for part in place:
        try:
            data = data[part]
        except (KeyError, IndexError, TypeError):
            return None
    return data


class Meant:
    """One file's values, overridden and put right. Every place is one of the values as meant, unless it says otherwise."""

    def __init__(self, data: dict[str, Any], positions: Positions) -> None:
        self.data = copy.deepcopy(data)
        self.positions = positions
        self.overridden: dict[Path, str] = {}
        """Where overrides were written -> their names."""
        self._origin: dict[Path, Path] = {}
        self.added: set[str] = set()
        """Tables that the file does not have."""

    def override(self, name: str, value: str) -> tuple[str, str]:
        """Put one override in. Returns what was in the way, and a hint."""
        keys = key_path(name)
        if keys is None:
            return "is not a key", "write --set params.name=value"
        place, problem = put(self.data, keys, toml_value(value))
        if not problem:
            self.overridden[place] = name
        return problem, ""

    def add_tables(self, known: Container[str]) -> None:
        """Add the tables that are known and not there, so that what is missing in them is named as well."""
        lacking = {table for table in TABLES if table in known and table not in self.data}
        self.added |= lacking
        self.data |= {table: {} for table in lacking}

    def written(self, place: Path) -> Path:
        """Where the value was written."""
        for n in range(len(place), 0, -1):
            if place[:n] in self._origin:
                return (*self._origin[place[:n]], *place[n:])
        return place

    def is_written(self, place: Path) -> bool:
        """Whether the value stands in the file or in an override, and is no default."""
        return self.is_overridden(place) or self.positions.has(self.written(place))

    def is_overridden(self, place: Path) -> bool:
        """Whether an override gave the value."""
        return any(self.written(place)[: len(whole)] == whole for whole in self.overridden)

    def may_take(self, place: Path, value: Any) -> bool:
        """Whether a value could stand at a place: nothing is there yet, or both are tables, or both lists of tables."""
        there = get(self.data, place)
        return there is None or self._is_added(place) or (isinstance(there, dict | list) and type(there) is type(value))

    def move(self, place: Path, target: Path) -> bool:
        """Put a value where it was meant to stand. False when it cannot stand there."""
        home, value = get(self.data, target[:-1]), get(self.data, place)
        if not isinstance(home, dict) or not self.may_take(target, value):
            return False
        del get(self.data, place[:-1])[place[-1]]
        origin, key = self.written(place), target[-1]
        if key not in home or self._is_added(target):
            self.added.discard(str(key) if len(target) == 1 else "")
            home[key] = value
            self._origin[target] = origin
        elif isinstance(value, Mapping):
            for name in [name for name in value if name not in home[key]]:
                home[key][name] = value[name]
                self._origin[*target, name] = (*origin, name)
        else:
            for index, item in enumerate(value):
                self._origin[*target, len(home[key])] = (*origin, index)
                home[key].append(item)
        return True

    def replace(self, place: Path, value: Any) -> bool:
        """Put another value where one stands, or add it to its table. False when there is no such table."""
        home: Any = get(self.data, place[:-1])
        if not isinstance(home, dict):
            return False
        home[place[-1]] = value
        return True

    def _is_added(self, place: Path) -> bool:
        return len(place) == 1 and place[0] in self.added and not self.data.get(str(place[0]))
