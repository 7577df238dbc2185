"""The share of presentations had at the first try, by strength of each weakness of the air."""

from __future__ import annotations

from functools import partial

from matplotlib.axes import Axes

from reports import panels
from reports.ble_map import MODES, WEAKNESSES, Cell, cells
from reports.catalogue import N_
from reports.drawing import key, share_axis
from reports.palette import category
from reports.picture import Blank, Frame, Picture
from reports.run import Run

TITLE = N_("Presentations had at the first try, by weakness of the air")
CAPTION = N_(
    "Share of presentations over Bluetooth LE that the first try had, from the harmless to the hopeless strength of each "
    "weakness. Strokes: 95 % intervals."
)
UNITS = N_("Share of presentations; strengths in the unit under each picture")
SECTION = "ble_map"
ORDER = 10
MARKS = "os"


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
    return Picture(finding, alt, partial(_paint, run, found, names), *panels.heights(len(names)))


def _paint(run: Run, found: list[Cell], names: list[str], frame: Frame) -> None:
    modes = list(dict.fromkeys(c.mode for c in found))
    looks: list[dict[str, str]] = [{"marker": MARKS[n % 2], "color": category(n)} for n in range(len(modes))]
    key(frame, 6, [(look, run.say(MODES[mode])) for look, mode in zip(looks, modes, strict=True)])
    for name, axes in zip(names, panels.grid(frame, len(names)), strict=True):
        _panel(run, axes, name, [c for c in found if c.weakness == name], modes)


def _panel(run: Run, axes: Axes, name: str, own: list[Cell], modes: list[str]) -> None:
    strengths = list(dict.fromkeys(c.strength for c in own))
    for number, mode in enumerate(modes):
        colour, line = category(number), [c for c in own if c.mode == mode]
        x = [strengths.index(c.strength) + (number - (len(modes) - 1) / 2) * 0.1 for c in line]
        axes.vlines(x, [c.first_try_low for c in line], [c.first_try_high for c in line], color=colour, linewidth=0.9)
        axes.plot(x, [c.first_try for c in line], color=colour, marker=MARKS[number % 2], markersize=4.5, linewidth=1.4)
    title, unit = WEAKNESSES[name]
    axes.set_title(run.say(title), loc="left", fontsize=12.5)
    axes.set_xticks(range(len(strengths)), [f"{s:g}" for s in strengths])
    axes.set_xlabel(run.say(unit), fontsize=11.5)
    axes.set_ylim(-0.05, 1.06)
    share_axis(run, axes.yaxis)
    axes.grid(axis="y")
