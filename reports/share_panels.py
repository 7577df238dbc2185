"""Small pictures of a share over the strength of a weakness: three in a row, or one below the other where a page is narrow."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from matplotlib.axes import Axes

from reports.drawing import key, share_axis
from reports.palette import category
from reports.picture import Frame, Picture
from reports.run import Run

PANEL_PX, GAP_PX, TOP_PX = 132, 74, 58
LEFT_PX, RIGHT_PX = 52, 12
WIDE = 3
MARKS = "osD^"
APART = 0.1
"""Between the lines of a panel at one strength, so that their strokes do not hide each other; strengths are one apart."""


@dataclass(frozen=True)
class Point:
    """What was had of the tries of a weakness at one strength, in one line; shares from 0 to 1, with a 95 % interval."""

    panel: str
    series: str
    strength: float
    share: float
    low: float
    high: float


def picture(
    run: Run, told: tuple[str, str], points: Sequence[Point], panels: Mapping[str, tuple[str, str]], series: Mapping[str, str],
) -> Picture:
    """A panel a weakness, a line a series, in the order of the points. ``told``: the finding, and what the picture shows.

    ``panels`` and ``series`` have the texts that are not yet in the reader's language: title and unit, and name.
    """
    names = list(dict.fromkeys(p.panel for p in points))
    wide, narrow = (TOP_PX + rows * (PANEL_PX + GAP_PX) for rows in (-(-len(names) // WIDE), len(names)))
    texts = {name: (run.say(panels[name][0]), run.say(panels[name][1])) for name in names}
    lines = {each: run.say(series[each]) for each in dict.fromkeys(p.series for p in points)}
    return Picture(*told, partial(_paint, run, points, texts, lines), wide, narrow)


def _paint(
    run: Run, points: Sequence[Point], texts: Mapping[str, tuple[str, str]], lines: Mapping[str, str], frame: Frame,
) -> None:
    key(frame, 6, [({"marker": MARKS[n % 4], "color": category(n)}, name) for n, name in enumerate(lines.values())])
    for (name, (title, unit)), axes in zip(texts.items(), _grid(frame, len(texts)), strict=True):
        own = [p for p in points if p.panel == name]
        strengths = list(dict.fromkeys(p.strength for p in own))
        for number, each in enumerate(lines):
            aside = (number - (len(lines) - 1) / 2) * APART
            line = [p for p in own if p.series == each]
            x = [strengths.index(p.strength) + aside for p in line]
            axes.vlines(x, [p.low for p in line], [p.high for p in line], color=category(number), linewidth=0.9)
            axes.plot(x, [p.share for p in line], color=category(number), marker=MARKS[number % 4], markersize=4.5, linewidth=1.4)
        axes.set_title(title, loc="left", fontsize=12.5)
        axes.set_xticks(range(len(strengths)), [f"{s:g}" for s in strengths])
        axes.set_xlabel(unit, fontsize=11.5)
        axes.set_ylim(-0.05, 1.06)
        share_axis(run, axes.yaxis)
        axes.grid(axis="y")


def _grid(frame: Frame, count: int) -> Iterator[Axes]:
    """The axes of each, below a key."""
    columns = 1 if frame.narrow else WIDE
    width = frame.width_px / columns
    for number in range(count):
        top = TOP_PX + number // columns * (PANEL_PX + GAP_PX)
        left = number % columns * width
        yield frame.axes(left + LEFT_PX, frame.width_px - left - width + RIGHT_PX, top, frame.height_px - top - PANEL_PX)


__all__ = ["Point", "picture"]
