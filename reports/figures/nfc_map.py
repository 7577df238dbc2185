"""The share of presentations done at the first tap, by strength: a small picture a way of holding."""

from __future__ import annotations

from functools import partial

from matplotlib.axes import Axes

from reports import panels
from reports.catalogue import N_
from reports.drawing import key, share_axis
from reports.nfc_map import HOLDINGS, HOW, Line, lines
from reports.palette import category
from reports.picture import Blank, Frame, Picture
from reports.run import Run

TITLE = N_("Presentations done at the first tap, by way of holding")
CAPTION = N_(
    "Share of presentations over NFC that one tap did, from held well (0) to held as badly as the map goes (1). Strokes: 95 % "
    "intervals."
)
UNITS = N_("Share of presentations; strength from 0 to 1")
SECTION = "nfc_map"
ORDER = 10
MARKS = "os"


def draw(run: Run) -> Picture | Blank:
    found = lines(run)
    if not found:
        return Blank(run.say("No map of NFC lies in the run's directory."))
    names = list(dict.fromkeys(each.holding for each in found))
    worst = min(names, key=lambda name: min(1 - each.failed for each in found if each.holding == name))
    finding = run.say("Worst: {holding}.", holding=run.say(HOLDINGS[worst]))
    alt = run.say("Lines of the share done at the first tap over the strength of each way of holding. {finding}", finding=finding)
    return Picture(finding, alt, partial(_paint, run, found, names), *panels.heights(len(names)))


def _paint(run: Run, found: list[Line], names: list[str], frame: Frame) -> None:
    hows = list(dict.fromkeys(each.how for each in found))
    looks: list[dict[str, str]] = [{"marker": MARKS[n % 2], "color": category(n)} for n in range(len(hows))]
    key(frame, 6, [(look, run.say(HOW[how])) for look, how in zip(looks, hows, strict=True)])
    for name, axes in zip(names, panels.grid(frame, len(names)), strict=True):
        _panel(run, axes, [each for each in found if each.holding == name], hows)


def _panel(run: Run, axes: Axes, own: list[Line], hows: list[str]) -> None:
    for number, how in enumerate(hows):
        colour, line = category(number), [each for each in own if each.how == how]
        x = [each.strength for each in line]
        low, high = ([1 - failed for failed in ends] for ends in zip(*((e.failed_high, e.failed_low) for e in line), strict=True))
        axes.vlines(x, low, high, color=colour, linewidth=0.9)
        axes.plot(x, [1 - each.failed for each in line], color=colour, marker=MARKS[number % 2], markersize=4.5, linewidth=1.4)
    axes.set_title(run.say(HOLDINGS[own[0].holding]), loc="left", fontsize=12.5)
    axes.set_xlabel(run.say("strength"), fontsize=11.5)
    axes.set_ylim(-0.05, 1.06)
    share_axis(run, axes.yaxis)
    axes.grid(axis="y")
