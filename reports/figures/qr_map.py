"""The share of codes that were read, by strength of each weakness: a small picture a weakness, a line a kind of code."""

from __future__ import annotations

from reports.catalogue import N_
from reports.picture import Blank, Picture
from reports.qr_map import KINDS, WEAKNESSES, cells
from reports.run import Run
from reports.share_panels import Point, picture

TITLE = N_("Codes that were read, by weakness")
CAPTION = N_(
    "Share of pictures in which the code's own text was found, from the harmless to the hopeless strength of each weakness. "
    "Strokes: 95 % intervals."
)
UNITS = N_("Share of pictures; strengths in the unit under each picture")
SECTION = "qr_map"
ORDER = 10


def draw(run: Run) -> Picture | Blank:
    found = cells(run)
    if not found:
        return Blank(run.say("No map of QR codes lies in the run's directory."))
    names = list(dict.fromkeys(c.weakness for c in found))
    safe = [name for name in names if all(c.read == c.trials for c in found if c.weakness == name)]
    finding = run.say_n(
        "{n} of the weaknesses cost no code at any strength that was tried.",
        "{n} of the weaknesses cost no code at any strength that was tried.", len(safe),
    )
    alt = run.say("Lines of the share read over the strength of each weakness. {finding}", finding=finding)
    points = [Point(c.weakness, c.kind, c.strength, 1 - c.failed, 1 - c.failed_high, 1 - c.failed_low) for c in found]
    return picture(run, (finding, alt), points, WEAKNESSES, KINDS)
