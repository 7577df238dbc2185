"""Faults that no scan finds: one table a family (``families/*.toml``), each fault a few words of a function in place of others.

An entry names the function and what stands there now, which must stand there exactly once: one that fits no longer is an error,
so that the tables say what is so now.
"""

from __future__ import annotations

import ast
import textwrap
import tomllib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from functools import cache
from importlib.resources import files
from typing import Any

from conformance.case import Kind
from conformance.mutants.operators import Family, Mutant
from conformance.mutants.places import functions, parsed
from virtual_devices.errors import UsageError

FOLDER = "families"


@dataclass(frozen=True, slots=True)
class Entry:
    """``name``: of its own within the family. ``kinds``: into whose reference device it is put. ``function``: MODULE:NAME.
    ``old`` and ``new``: text of the function, its lines as they stand when the function begins at the margin."""

    name: str
    kinds: tuple[Kind, ...]
    function: str
    old: str
    new: str
    says: str


def by_hand(kind: Kind) -> list[Mutant]:
    """The faults of one kind's reference device. Raises UsageError for an entry that fits no longer."""
    return [_mutant(family, entry) for family, entries in tables().items() for entry in entries if kind in entry.kinds]


@cache
def tables() -> dict[Family, tuple[Entry, ...]]:
    """Every table. Raises UsageError."""
    found: dict[Family, tuple[Entry, ...]] = {}
    for file in sorted((files("conformance") / "mutants" / FOLDER).iterdir(), key=lambda file: file.name):
        if file.name.endswith(".toml"):
            family, entries = read(file.read_text(encoding="utf-8"), file.name)
            found[family] = entries
    return found


def read(text: str, name: str) -> tuple[Family, tuple[Entry, ...]]:
    """One table from its text; ``name``: of its file, for what is told. Raises UsageError."""
    try:
        table = tomllib.loads(text)
        family = Family(table.pop("family", ""))
    except ValueError as e:
        raise UsageError(f"{name}: {e}") from None
    rows = table.pop("mutant", [])
    if table or not isinstance(rows, list):
        raise UsageError(f"{name}: there must be a family, [[mutant]] rows, and nothing else")
    entries = tuple(_entry(row, f"{name}: row {number}") for number, row in enumerate(rows, start=1))
    if twice := {e.name for e in entries if sum(e.name == other.name for other in entries) > 1}:
        raise UsageError(f"{name}: {', '.join(sorted(twice))}: more than one of that name")
    return family, entries


def _entry(row: dict[str, Any], where: str) -> Entry:
    wanted = {field.name for field in fields(Entry)}
    if row.keys() != wanted:
        raise UsageError(f"{where}: missing or unknown: {', '.join(sorted(row.keys() ^ wanted))}")
    if not isinstance(row["kinds"], list) or not row["kinds"] or not all(isinstance(row[n], str) for n in wanted - {"kinds"}):
        raise UsageError(f"{where}: kinds is a list of one or more, everything else a text")
    try:
        kinds = tuple(Kind(kind) for kind in row["kinds"])
    except ValueError as e:
        raise UsageError(f"{where}: {e}") from None
    return Entry(row["name"], kinds, row["function"], row["old"], row["new"], row["says"])


def _mutant(family: Family, entry: Entry) -> Mutant:
    module, _, function = entry.function.partition(":")
    slug = family.name.lower().replace("_", "-")
    try:
        source, tree = parsed(module)
        node = dict(functions(tree))[function]
    except (ImportError, KeyError):
        raise UsageError(f"{slug}: {entry.name}: there is no function {entry.function}") from None
    text = _text(source, node)
    if text.count(entry.old) != 1 or entry.old == entry.new:
        raise UsageError(f"{slug}: {entry.name}: {entry.function} has {entry.old!r} {text.count(entry.old)} times, not once")
    line = node.lineno + text[: text.index(entry.old)].count("\n")
    return Mutant(f"{slug}:{entry.name}", family, module, function, line, entry.says, _changed(text, entry))


def _changed(text: str, entry: Entry) -> Callable[[ast.FunctionDef], None]:
    def change(function: ast.FunctionDef) -> None:
        made = ast.parse(text.replace(entry.old, entry.new)).body[0]
        assert isinstance(made, ast.FunctionDef)
        function.args, function.body = made.args, made.body

    return change


def _text(source: str, function: ast.FunctionDef) -> str:
    """The function from its ``def`` on, at the margin."""
    lines: Iterable[str] = source.splitlines(keepends=True)[function.lineno - 1 : function.end_lineno]
    return textwrap.dedent("".join(lines))


__all__ = ["FOLDER", "Entry", "by_hand", "read", "tables"]
