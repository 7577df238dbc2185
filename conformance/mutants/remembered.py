"""Which case found which fault last time: only where to look first, so that a whole self-check takes minutes and not hours.

``killers/KIND.json`` is made by ``vhc-bench conform --self-check --remember``. Nothing rests on it: a line that is wrong or
missing costs time, and no more.
"""

from __future__ import annotations

import json
import linecache
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from importlib.resources import files
from importlib.resources.abc import Traversable

from conformance.case import Kind
from conformance.mutants.operators import Mutant

FOLDER = "killers"
Where = tuple[str, str]
"""A case, and the channel over which it is tried."""


@dataclass(frozen=True)
class Memory:
    """Of one kind of device. ``first``: key of a fault -> where it was found. ``second``: case that found none first -> key of a
    fault that it finds too."""

    first: Mapping[str, Where] = field(default_factory=dict)
    second: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> str:
        """A line each, in order: so that two who try different faults change different lines."""
        first = {fault: f"{channel} {case}" for fault, (case, channel) in self.first.items()}
        table = {"first": first, "second": dict(self.second)}
        return json.dumps(table, ensure_ascii=False, indent=0, sort_keys=True) + "\n"


def key(mutant: Mutant) -> str:
    """A fault by its function and the text of its line, which survive edits elsewhere."""
    text = linecache.getline(import_module(mutant.module).__file__ or "", mutant.line).strip()
    return f"{of_function(mutant)} {mutant.id.rpartition(':')[2]} {text}"


def of_function(mutant: Mutant) -> str:
    """How the keys of all faults of a function begin."""
    return f"{mutant.module.removeprefix('virtual_devices.')}:{mutant.function}"


def file_of(kind: Kind) -> Traversable:
    """Where a kind's memory is kept."""
    return files("conformance") / "mutants" / FOLDER / f"{kind.value}.json"


def remembered(kind: Kind) -> Memory:
    """What was found last time; nothing where nobody kept it."""
    file = file_of(kind)
    if not file.is_file():
        return Memory()
    table = json.loads(file.read_text(encoding="utf-8"))
    return Memory({fault: _where(told) for fault, told in table["first"].items()}, table["second"])


def _where(told: str) -> Where:
    channel, _, case = told.partition(" ")
    return case, channel


__all__ = ["FOLDER", "Memory", "Where", "file_of", "key", "of_function", "remembered"]
