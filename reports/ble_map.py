"""The map of bad air over Bluetooth LE, where a run has one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from reports.catalogue import N_
from reports.map_rows import known, rows
from reports.run import Run


@dataclass(frozen=True, slots=True)
class Cell:
    """One point of the map: the columns of ``ble-map.json`` that the report shows."""

    mode: str
    weakness: str
    strength: float
    trials: int
    done: int
    first_try: float
    first_try_low: float
    first_try_high: float
    connect_ms_p50: float | None
    exchange_ms_p50: float | None

    @property
    def taken_ms(self) -> float | None:
        """Half of those done took at most so long: connecting, and the exchange."""
        if self.connect_ms_p50 is None or self.exchange_ms_p50 is None:
            return None
        return self.connect_ms_p50 + self.exchange_ms_p50


MODES: Mapping[str, str] = {"peripheral": N_("peripheral server"), "central": N_("central client")}
"""Of an mdoc, as ISO/IEC 18013-5 names them."""
WEAKNESSES: Mapping[str, tuple[str, str]] = {
    "lost": (N_("Packets repeated"), N_("share of packets")),
    "cut": (N_("Connection breaks off"), N_("share of link messages")),
    "unheard": (N_("Advertisements unheard"), N_("share of advertisements")),
    "interval": (N_("Connection interval"), N_("ms")),
}
"""Weakness -> its name, what its strength counts."""


def cells(run: Run) -> list[Cell]:
    """The map's points; none without a map. ReportError when the file is none of the map's."""
    found = rows(run, "ble", "cells", Cell)
    known(run, "ble", ([c.weakness for c in found], WEAKNESSES), ([c.mode for c in found], MODES))
    return found


__all__ = ["MODES", "WEAKNESSES", "Cell", "cells"]
