"""A chip's memory that survives power-off, and the journal that makes several writes one.

A commit writes the journal, then the cells, then clears the journal. Power may go at any named cut point, also half way
through one cell; at the next power-on a whole journal is applied again and a torn one is thrown away. So a commit has
happened or has not, never in between: that is the promise of requirement WBK-02, and tests place a cut at every point.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import cbor2

from virtual_devices.errors import UsageError
from virtual_devices.link import PowerCut, Work

JOURNAL = "journal"
_SEAL_BYTES = 8


class Store:
    """Named cells of bytes with one atomic act: :meth:`commit`."""

    def __init__(self, cells: Mapping[str, bytes], work: Work) -> None:
        self._cells = dict(cells)
        self._work = work
        self._cut_in: int | None = None
        self.generation = 0  # grows with each act that writes, finished or torn; a presenter saves the image when it has grown
        self.points_passed: list[str] = []
        self.watch_points = False  # tests list the cut points by one run without a cut

    def __getitem__(self, cell: str) -> bytes:
        return self._cells[cell]

    def get(self, cell: str, default: bytes = b"") -> bytes:
        return self._cells.get(cell, default)

    def cells(self) -> dict[str, bytes]:
        """Everything as it lies in memory now, a torn journal included."""
        return dict(self._cells)

    def arm_cut(self, points: int | None) -> None:
        """Lose power after so many further cut points (0: at the next), or never."""
        self._cut_in = points

    def commit(self, changes: Mapping[str, bytes]) -> None:
        """Write all the cells, or none. Raises PowerCut at an armed cut point."""
        if not changes:
            return
        if JOURNAL in changes:
            raise UsageError("the journal is not a cell to be written")
        self.generation += 1  # memory differs from here on, also when power goes in between
        body: bytes = cbor2.dumps(dict(changes))
        journal = hashlib.sha256(body).digest()[:_SEAL_BYTES] + body
        if not self._pointed():
            self._cells[JOURNAL] = journal
            self._cells.update(changes)
            self._cells[JOURNAL] = b""
            self._work.written_bytes += len(journal) + sum(map(len, changes.values()))
            return
        self._write(JOURNAL, journal)
        for cell, value in changes.items():
            self._write(cell, value)
        self._write(JOURNAL, b"")

    def recover(self) -> None:
        """What a chip does at power-on: finish a whole journal, drop a torn one. May itself be cut, and repeated."""
        journal = self._cells.get(JOURNAL, b"")
        if not journal:
            return
        self.generation += 1
        body = journal[_SEAL_BYTES:]
        if hashlib.sha256(body).digest()[:_SEAL_BYTES] == journal[:_SEAL_BYTES]:
            for cell, value in cbor2.loads(body).items():
                self._write(cell, value)
        self._write(JOURNAL, b"")

    def _write(self, cell: str, value: bytes) -> None:
        if not self._pointed():
            self._cells[cell] = value
            self._work.written_bytes += len(value)
            return
        old = self._cells.get(cell, b"")
        self._point(cell, "before")
        half = len(value) // 2
        self._cells[cell] = value[:half] + old[half:]
        self._point(cell, "half")
        self._cells[cell] = value
        self._work.written_bytes += len(value)
        self._point(cell, "after")

    def _pointed(self) -> bool:
        """A cut is armed, or the points are watched: else nobody can tell a write from its halves."""
        return self.watch_points or self._cut_in is not None

    def _point(self, cell: str, where: str) -> None:
        if self.watch_points:
            self.points_passed.append(f"{cell}:{where}")
        if self._cut_in is not None:
            if self._cut_in == 0:
                self._cut_in = None
                raise PowerCut(f"{cell}:{where}")
            self._cut_in -= 1
