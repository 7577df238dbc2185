"""What is wrong with a scenario file, shown as a compiler would: place, words, the line, and a mark under it."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from virtual_devices.errors import UsageError


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong with a file, and where. Line and column count from 1; 0 when it is not in the file at all
    but in an override, which ``where`` then names."""

    path: Path
    line: int
    column: int
    where: str
    message: str
    hint: str = ""

    def __str__(self) -> str:
        place = f"{self.path}:{self.line}:{self.column}: " if self.line else ""
        return place + ": ".join(part for part in (self.where, self.message) if part) + (f"; {self.hint}" if self.hint else "")


class ScenarioFaults(UsageError):
    """A scenario file that cannot be used. ``faults`` has everything that is wrong with it, in the file's order."""

    def __init__(self, path: Path, found: tuple[Fault, ...], text: str = "", widths: Mapping[Fault, int] | None = None) -> None:
        self.path = path
        self.faults = found
        self._lines = text.split("\n")
        self._widths = dict(widths or {})
        super().__init__(self.listing())

    def __reduce__(self) -> Any:
        return type(self), (self.path, self.faults, "\n".join(self._lines), self._widths)

    def listing(self, told: Callable[[str], str] = str) -> str:
        """All of it. ``told``: a sentence in the reader's words."""
        count = "1 fault" if len(self.faults) == 1 else f"{len(self.faults)} faults"
        return "\n".join([*(self._shown(fault, told) for fault in self.faults), told(f"{count} in {self.path}")])

    def _shown(self, fault: Fault, told: Callable[[str], str]) -> str:
        line = self._lines[fault.line - 1].rstrip("\r") if 0 < fault.line <= len(self._lines) else ""
        said = replace(fault, message=told(fault.message), hint=fault.hint and told(fault.hint))
        if not line.strip():
            return str(said)
        before = line[: fault.column - 1]
        under = line[fault.column - 1 :][: self._widths.get(fault, 1)]
        pad = "".join("\t" if c == "\t" else " " * _cells(c) for c in before)
        number = str(fault.line)
        margin = " " * len(number)
        return f"{said}\n  {number} | {line}\n  {margin} | {pad}{'^' * max(1, sum(map(_cells, under)))}"


def _cells(character: str) -> int:
    """How many columns of a terminal the character takes: Chinese ones take two."""
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
