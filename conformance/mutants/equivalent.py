"""Mutants that nobody can tell from the device without a fault: named in ``equivalent.toml``, each with the reason.

An entry names the function and the text of the line, not its number, so that it survives edits elsewhere. One that fits no mutant
any more, or whose mutant a case finds after all, is an error: the list says what is so now.
"""

from __future__ import annotations

import linecache
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass, fields
from functools import cache
from importlib import import_module
from importlib.resources import files
from typing import Any

from conformance.case import Kind
from conformance.mutants.operators import Mutant
from virtual_devices.errors import UsageError

NAME = "equivalent.toml"


@dataclass(frozen=True, slots=True)
class Equivalent:
    """``kinds``: of whose reference device it is so. ``function``: MODULE:NAME; ``line``: its text; ``mutants``: the ends of
    their ids, such as ``left-out``; ``why``: in one line."""

    kinds: tuple[Kind, ...]
    function: str
    line: str
    mutants: tuple[str, ...]
    why: str

    def fits(self, kind: Kind, mutant: Mutant) -> bool:
        """The entry speaks of this mutant of this kind's device."""
        return (
            kind in self.kinds and self.function == f"{mutant.module}:{mutant.function}"
            and mutant.id.rpartition(":")[2] in self.mutants and self.line == _text(mutant)
        )


def _text(mutant: Mutant) -> str:
    return linecache.getline(import_module(mutant.module).__file__ or "", mutant.line).strip()


@cache
def equivalents() -> tuple[Equivalent, ...]:
    """Every entry. Raises UsageError."""
    return read((files("conformance") / "mutants" / NAME).read_text(encoding="utf-8"))


def read(text: str) -> tuple[Equivalent, ...]:
    """From the file's text. Raises UsageError at the first entry that is not in order."""
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as e:
        raise UsageError(f"{NAME}: {e}") from None
    rows = table.pop("equivalent", [])
    if table or not isinstance(rows, list):
        raise UsageError(f"{NAME}: there must be [[equivalent]] rows and nothing else")
    return tuple(_row(row, f"{NAME}: row {number}") for number, row in enumerate(rows, start=1))


def _row(row: dict[str, Any], where: str) -> Equivalent:
    wanted = {field.name for field in fields(Equivalent)}
    if row.keys() != wanted:
        raise UsageError(f"{where}: missing or unknown: {', '.join(sorted(row.keys() ^ wanted))}")
    if not all(isinstance(row[name], str) and row[name].strip() for name in ("function", "line", "why")) or "\n" in row["why"]:
        raise UsageError(f"{where}: function, line and why are texts of one line")
    if not all(isinstance(row[name], list) and row[name] for name in ("kinds", "mutants")):
        raise UsageError(f"{where}: kinds and mutants are lists of one or more")
    try:
        kinds = tuple(Kind(kind) for kind in row["kinds"])
    except ValueError as e:
        raise UsageError(f"{where}: {e}") from None
    return Equivalent(kinds, row["function"], row["line"], tuple(row["mutants"]), row["why"])


def stale(entries: Iterable[Equivalent], mutants: Iterable[tuple[Kind, Mutant]]) -> list[str]:
    """What of the entries fits no mutant: of these kinds' devices, all of whose mutants are given."""
    there = list(mutants)
    tried = {kind for kind, _ in there}
    return [
        f"{entry.function}: {entry.line}: {kind.value}: {word}"
        for entry in entries for kind in entry.kinds if kind in tried for word in entry.mutants
        if not any(entry.fits(kind, m) and m.id.endswith(f":{word}") for k, m in there if k is kind)
    ]


__all__ = ["NAME", "Equivalent", "equivalents", "read", "stale"]
