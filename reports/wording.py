"""The suite's own sentences in the reader's language, as a page is handed them: a report knows no suite.

What a page cannot say in its language stays as it came, marked as English; the page says once that there is some.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from reports.blocks import Cell, data
from reports.catalogue import N_, Catalogue

FOREIGN = N_("In English: what the bench has no Chinese for, such as what a device, a driver or a program says of itself.")


def _untold(text: str) -> str:
    return ""


@dataclass(frozen=True)
class Wording:
    """``clauses``: id -> its first sentence; ``whole``: id -> all of it; ``told``: a sentence of a verdict, a step, a value in
    the language of the page, empty where there is none. ``subjects``: of cases -> their name."""

    words: Catalogue
    clauses: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    whole: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    told: Callable[[str], str] = _untold
    subjects: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    def said(self, text: str, style: str = "") -> Cell:
        """A cell with a sentence of the suite's."""
        if not text or not self.words.chinese:
            return data(text or "–", style)
        found = self.told(text)
        return Cell(found or text, data=True, style=style, lang="zh-Hant" if found else "en")

    def plain(self, text: str) -> str:
        """The sentence where there is no cell of its own."""
        return (self.told(text) or text) if self.words.chinese else text

    def clause(self, id: str, english: str = "", *, whole: bool = False) -> Cell:
        """What a clause asks, in a sentence or ``whole``. ``english``: what stands in the report itself."""
        found = (self.whole if whole else self.clauses).get(id, "")
        text = (found or english or "–").replace("`", "")
        return Cell(text, data=True, style="prose", lang=self.words.language if found else "en")

    def subject(self, id: str) -> str:
        """The name of a subject: what its cases' ids begin with, where it has no other."""
        return self.subjects.get(id, id)

    def note(self, cells: list[list[Cell]]) -> str:
        """What to know of a table in which something is not in the page's language; empty without any."""
        foreign = self.words.chinese and any(cell.lang == "en" for row in cells for cell in row)
        return self.words.say(FOREIGN) if foreign else ""


__all__ = ["Wording"]
