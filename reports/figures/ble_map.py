"""The share of presentations had at the first try, by strength of each weakness of the air."""

from __future__ import annotations

from reports.ble_map import MODES, WEAKNESSES, cells
from reports.catalogue import N_
from reports.picture import Blank, Picture
from reports.run import Run
from reports.share_panels import Point, picture

TITLE = N_("Presentations had at the first try, by weakness of the air")
CAPTION = N_(
    "Share of presentations over Bluetooth LE that the first try had, from the harmless to the hopeless strength of each "
    "weakness. Strokes: 95 % intervals."
)
UNITS = N_("Share of presentations; strengths in the unit under each picture")
SECTION = "ble_map"
ORDER = 10


def draw(run: Run) -> Picture | Blank:
    found = cells(run)
    if not found:
        return Blank(run.say("No map of Bluetooth lies in the run's directory."))
    names = list(dict.fromkeys(c.weakness for c in found))
    lasting = [name for name in names if any(c.done for c in [c for c in found if c.weakness == name][-2:])]
    finding = run.say_n(
        "{n} of the weaknesses leaves presentations possible at every strength that was tried.",
        "{n} of the weaknesses leave presentations possible at every strength that was tried.", len(lasting),
    )
    alt = run.say("Lines of the share had at the first try over the strength of each weakness. {finding}", finding=finding)
    points = [Point(c.weakness, c.mode, c.strength, c.first_try, c.first_try_low, c.first_try_high) for c in found]
    return picture(run, (finding, alt), points, WEAKNESSES, MODES)
