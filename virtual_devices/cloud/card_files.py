"""The data centre's copy of each card (雲端卡片資料): the same cells as on the chip, under the same rules of writing.

Control software 6.0 and the virtual card read and write here and not on a chip. That the copy has the chip's records, and how the
two come together for a holder of a physical card, is inferred: no public source tells.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from virtual_devices.card.areas import BY_NAME
from virtual_devices.card.draft import Draft
from virtual_devices.card.view import record
from virtual_devices.card.writes import visit_act
from virtual_devices.chip import Refusal
from virtual_devices.cloud.books import Books, Kind, MemoryBooks
from virtual_devices.codes import code_of_sw
from virtual_devices.link import Work
from virtual_devices.records import RECORDS
from virtual_devices.store import JOURNAL, Store

MALFORMED = "6018"


@dataclass(frozen=True, slots=True)
class FileCell:
    """One cell of one card's file."""

    card_no: str
    cell: str
    value: bytes


CARD_FILES = Kind("card_files", FileCell, ("card_no", "cell"), (("card_no",),))
Acts = Sequence[tuple[int, Mapping[int, list[bytes]]]]
"""Acts of a card (``card/writes.py``), by tag, with their fields."""


class CardFiles:
    """All files. Codes are those of the space ``cshis``."""

    def __init__(self, books: Books | None = None) -> None:
        self._cells = (books or MemoryBooks()).shelf(CARD_FILES)

    def take_in(self, card_no: str, cells: Mapping[str, bytes]) -> None:
        """A new card's file, from the cells that a fresh card has."""
        for cell, value in cells.items():
            self._cells.put(FileCell(card_no, cell, value))

    def knows(self, card_no: str) -> bool:
        return self._cells.get(card_no, "public") is not None

    def _store(self, card_no: str) -> Store:
        return Store({row.cell: row.value for row in self._cells.where(card_no=card_no)}, Work())

    def read(self, card_no: str, *areas: str, pharmacist: bool = False) -> bytes:
        """Every record of these areas, back to back."""
        store = self._store(card_no)
        found = []
        for name in areas:
            area = BY_NAME[name]
            found += [record(store, area, index, pharmacist=pharmacist) for index in range(area.count)]
        return b"".join(found)

    def texts(self, card_no: str, area: str, *, pharmacist: bool = False) -> list[dict[str, str]]:
        """The entries of an area that hold something, as text by field."""
        layout, raw = RECORDS[BY_NAME[area].record], self.read(card_no, area, pharmacist=pharmacist)
        entries = [raw[at : at + layout.length] for at in range(0, len(raw), layout.length)]
        return [layout.texts(entry) for entry in entries if entry.strip(b" \0")]

    def cell(self, card_no: str, cell: str) -> bytes:
        row = self._cells.get(card_no, cell)
        return b"" if row is None else row.value

    def set_cell(self, card_no: str, cell: str, value: bytes) -> None:
        self._cells.put(FileCell(card_no, cell, value))

    def write(self, card_no: str, institution: str, acts: Acts, sequence: str = "") -> tuple[str, bytes]:
        """Acts of an institution, all or none: code, and what the last one gives."""
        store = self._store(card_no)
        draft = Draft(store)
        answer = b""
        try:
            for tag, fields in acts:
                answer = visit_act(draft, tag, dict(fields), institution.encode("ascii")[:10].ljust(10), sequence.encode("ascii"))
        except Refusal as refusal:
            return code_of_sw(refusal.sw) or MALFORMED, b""
        for cell, value in draft.changes.items():
            if cell != JOURNAL:
                self._cells.put(FileCell(card_no, cell, value))
        return "0", answer


__all__ = ["CARD_FILES", "CardFiles", "FileCell"]
