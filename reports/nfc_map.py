"""The map of bad holding over NFC, where a run has one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from reports.catalogue import N_
from reports.map_rows import known, rows
from reports.run import Run


@dataclass(frozen=True, slots=True)
class Line:
    """One point of the map: the columns of ``nfc-map.json`` that the report shows."""

    holding: str
    strength: float
    how: str
    presentations: int
    done: int
    at_first_tap: int
    taps: int
    failed: float
    failed_low: float
    failed_high: float
    device_ms_p50: float


HOLDINGS: Mapping[str, str] = {
    "weak-field": N_("Held too far away"), "case": N_("A case, or metal between"),
    "wrong-place": N_("Antenna beside the reader's"), "taken-away": N_("Taken away too early"),
    "two-cards": N_("Another card in the field"),
}
HOW: Mapping[str, str] = {"modelled": N_("modelled"), "measured": N_("measured through nfcpy")}


def lines(run: Run) -> list[Line]:
    """The map's points; none without a map. ReportError when the file is none of the map's."""
    found = rows(run, "nfc", "lines", Line)
    known(run, "nfc", ([each.holding for each in found], HOLDINGS), ([each.how for each in found], HOW))
    return found


__all__ = ["HOLDINGS", "HOW", "Line", "lines"]
