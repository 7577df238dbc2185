"""Which case found which fault last time: only where to look first, so that a whole self-check takes minutes and not hours.

``killers.json`` is made by ``vhc-bench conform --self-check --remember``. Nothing rests on it: a line that is wrong or missing
costs time, and no more.
"""

from __future__ import annotations

import json
import linecache
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.resources import files

from conformance.case import Kind
from conformance.mutants.operators import Mutant

NAME = "killers.json"
Where = tuple[str, str]
"""A case, and the channel over which it is tried."""


@dataclass(frozen=True)
class Memory:
    """``first``: kind of device -> key of a fault -> where it was found. ``second``: case that found none first -> key of a fault
    that it finds too."""

    first: Mapping[str, Mapping[str, Where]]
    second: Mapping[str, str]


def key(mutant: Mutant) -> str:
    """A fault by its function and the text of its line, which survive edits elsewhere."""
    text = linecache.getline(import_module(mutant.module).__file__ or "", mutant.line).strip()
    return f"{of_function(mutant)} {mutant.id.rpartition(':')[2]} {text}"


def of_function(mutant: Mutant) -> str:
    """How the keys of all faults of a function begin."""
    return f"{mutant.module.removeprefix('virtual_devices.')}:{mutant.function}"


def remembered() -> Memory:
    """What was found last time."""
    text = (files("conformance") / "mutants" / NAME).read_text(encoding="utf-8")
    table = json.loads(text)
    first = {kind: {fault: _where(told) for fault, told in found.items()} for kind, found in table["first"].items()}
    return Memory(first, table["second"])


def _where(told: str) -> Where:
    channel, _, case = told.partition(" ")
    return case, channel


def written(before: Memory, found: Iterable[tuple[Kind, Mutant, Where]], second: Mapping[str, str]) -> str:
    """The file's text: what was found now in place of all that was known of these kinds; ``second``: added to what was known."""
    now: dict[str, dict[str, Where]] = {}
    for kind, mutant, where in found:
        now.setdefault(kind.value, {})[key(mutant)] = where
    every = {**before.first, **now}
    told = {kind: {fault: f"{channel} {case}" for fault, (case, channel) in there.items()} for kind, there in every.items()}
    return json.dumps({"first": told, "second": {**before.second, **second}}, ensure_ascii=False, indent=0, sort_keys=True) + "\n"


__all__ = ["NAME", "Memory", "Where", "key", "of_function", "remembered", "written"]
