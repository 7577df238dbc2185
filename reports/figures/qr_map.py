"""The share of codes that were read, by strength of each weakness: a small picture a weakness, a line a kind of code."""

from __future__ import annotations

from functools import partial

from matplotlib.axes import Axes

from reports import panels
from reports.catalogue import N_
from reports.drawing import key, share_axis
from reports.palette import category
from reports.picture import Blank, Frame, Picture
from reports.qr_map import KINDS, WEAKNESSES, Cell, cells
from reports.run import Run

TITLE = N_("Codes that were read, by weakness")
CAPTION = N_(
    "Share of pictures in which the code's own text was found, from the harmless to the hopeless strength of each weakness. "
    "Strokes: 95 % intervals."
)
UNITS = N_("Share of pictures; strengths in the unit under each picture")
SECTION = "qr_map"
ORDER = 10
MARKS = "osD^"


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
    return Picture(finding, alt, partial(_paint, run, found, names), *panels.heights(len(names)))


def _paint(run: Run, found: list[Cell], names: list[str], frame: Frame) -> None:
    kinds = list(dict.fromkeys(c.kind for c in found))
    looks: list[dict[str, str]] = [{"marker": MARKS[n % 4], "color": category(n)} for n in range(len(kinds))]
    marks = [(look, run.say(KINDS[kind])) for look, kind in zip(looks, kinds, strict=True)]
    key(frame, 6, marks)
    for name, axes in zip(names, panels.grid(frame, len(names)), strict=True):
        _panel(run, axes, name, [c for c in found if c.weakness == name], kinds)


def _panel(run: Run, axes: Axes, name: str, own: list[Cell], kinds: list[str]) -> None:
    strengths = list(dict.fromkeys(c.strength for c in own))
    for number, kind in enumerate(kinds):
        colour = category(number)
        line = [c for c in own if c.kind == kind]
        x = [strengths.index(c.strength) + (number - (len(kinds) - 1) / 2) * 0.1 for c in line]
        axes.vlines(x, [1 - c.failed_high for c in line], [1 - c.failed_low for c in line], color=colour, linewidth=0.9)
        axes.plot(x, [1 - c.failed for c in line], color=colour, marker=MARKS[number % 4], markersize=4.5, linewidth=1.4)
    title, unit = WEAKNESSES[name]
    axes.set_title(run.say(title), loc="left", fontsize=12.5)
    axes.set_xticks(range(len(strengths)), [f"{s:g}" for s in strengths])
    axes.set_xlabel(run.say(unit), fontsize=11.5)
    axes.set_ylim(-0.05, 1.06)
    share_axis(run, axes.yaxis)
    axes.grid(axis="y")
