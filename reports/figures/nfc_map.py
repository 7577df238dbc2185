"""The share of presentations done at the first tap, by strength: a small picture a way of holding."""

from __future__ import annotations

from reports.catalogue import N_
from reports.nfc_map import HOLDINGS, HOW, lines
from reports.picture import Blank, Picture
from reports.run import Run
from reports.share_panels import Point, picture

TITLE = N_("Presentations done at the first tap, by way of holding")
CAPTION = N_(
    "Share of presentations over NFC that one tap did, from held well (0) to held as badly as the map goes (1). Strokes: 95 % "
    "intervals."
)
UNITS = N_("Share of presentations; strength from 0 to 1")
SECTION = "nfc_map"
ORDER = 10


def draw(run: Run) -> Picture | Blank:
    found = lines(run)
    if not found:
        return Blank(run.say("No map of NFC lies in the run's directory."))
    names = list(dict.fromkeys(each.holding for each in found))
    worst = min(names, key=lambda name: min(1 - each.failed for each in found if each.holding == name))
    finding = run.say("Worst: {holding}.", holding=run.say(HOLDINGS[worst]))
    alt = run.say("Lines of the share done at the first tap over the strength of each way of holding. {finding}", finding=finding)
    points = [Point(e.holding, e.how, e.strength, 1 - e.failed, 1 - e.failed_high, 1 - e.failed_low) for e in found]
    return picture(run, (finding, alt), points, {name: (title, N_("strength")) for name, title in HOLDINGS.items()}, HOW)
