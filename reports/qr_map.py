"""The map of QR weaknesses, where a run has one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from reports.catalogue import N_
from reports.map_rows import known, rows
from reports.run import Run


@dataclass(frozen=True, slots=True)
class Cell:
    """One point of the map: the columns of ``qr-map.json`` that the report shows."""

    kind: str
    version: int
    level: str
    weakness: str
    strength: float
    trials: int
    read: int
    misread: int
    failed: float
    failed_low: float
    failed_high: float


KINDS: Mapping[str, str] = {
    "token": N_("Token"), "engagement": N_("Engagement"), "prescription": N_("Prescription"), "card": N_("Card"),
}
WEAKNESSES: Mapping[str, tuple[str, str]] = {
    "blur": (N_("Blur"), N_("modules")), "dim": (N_("Dim"), N_("share of contrast left")), "tilt": (N_("Tilt"), N_("degrees")),
    "perspective": (N_("Perspective"), N_("share that the far edge lost")), "glare": (N_("Glare"), N_("share of the side")),
    "moire": (N_("Moiré"), N_("share of light taken")), "cover": (N_("Partial cover"), N_("share of the area")),
    "coarse": (N_("Low resolution"), N_("pixels a module")), "several": (N_("Several at once"), N_("codes in a frame")),
}
"""Weakness -> its name, what its strength counts."""


def cells(run: Run) -> list[Cell]:
    """The map's points, of the first level that it has; none without a map. ReportError when the file is none of the map's."""
    found = rows(run, "qr", "cells", Cell)
    known(run, "qr", ([c.weakness for c in found], WEAKNESSES), ([c.kind for c in found], KINDS))
    return [c for c in found if c.level == found[0].level]


__all__ = ["KINDS", "WEAKNESSES", "Cell", "cells"]
