"""When each fault was in force and when it struck, by replication, in the colour of how it ended."""

from __future__ import annotations

import math
from collections import defaultdict
from functools import partial
from typing import Any

from reports.catalogue import N_
from reports.drawing import bare, clock_axis
from reports.fonts import width_px
from reports.formats import NS
from reports.palette import ENDED, LIGHT
from reports.picture import Blank, Frame, Picture
from reports.run import Run
from reports.terms import term

TITLE = N_("When faults struck")
CAPTION = N_(
    "A bar is a window in which the fault was in force, a stroke one exchange that it struck, in the colour of how that ended. "
    "One lane a replication."
)
UNITS = N_("Time of day in Taiwan (UTC+8)")
SECTION = "faults"
ORDER = 10
LANES = 6
MOST = 4000


def draw(run: Run) -> Picture | Blank:
    counts = run.sql(
        "SELECT fault, count(*) FILTER (WHERE ended <> 'window') FROM faults GROUP BY fault ORDER BY min(at_ns), fault LIMIT 20"
    )
    if not counts:
        return Blank(run.say("No fault struck, so there is nothing to draw."))
    lanes = [r for (r,) in run.sql("SELECT DISTINCT replication FROM faults ORDER BY replication LIMIT ?", LANES)]
    rows = run.sql(
        "SELECT fault, replication, at_ns, until_ns, ended FROM faults WHERE replication <= ? ORDER BY replication, at_ns, "
        "fault, session LIMIT ?",
        lanes[-1],
        MOST,
    )
    low, high = run.sql("SELECT min(at_ns), max(greatest(at_ns, until_ns)) FROM faults")[0]
    if run.span_ns != (0, 0):
        low, high = min(low, run.span_ns[0]), max(min(high, run.span_ns[1]), run.span_ns[0] + NS)
    most, strokes = max(counts, key=lambda c: c[1])
    finding = run.say_n(
        "'{fault}' struck most often: {n} exchange.", "'{fault}' struck most often: {n} exchanges.", strokes, fault=most
    )
    if run.replications > len(lanes):
        finding = run.words.sentences(finding, run.say("Shown are the first {n} replications.", n=len(lanes)))
    alt = run.say("Timeline of {n} faults. {finding}", n=len(counts), finding=finding)
    names = [f for f, _ in counts]
    lane_px = 9 if len(lanes) > 2 else 14
    return Picture(
        finding,
        alt,
        partial(_paint, run, rows, names, lanes, (low, high), lane_px),
        84 + len(names) * (28 + lane_px * len(lanes)),
    )


def _paint(
    run: Run, rows: list[Any], names: list[str], lanes: list[int], span: tuple[int, int], lane_px: int, frame: Frame
) -> None:
    low, high = span[0], span[1] + (span[1] - span[0]) // 50
    axes = frame.axes(8, 8, 36, 34)
    bare(axes)
    group = 28 + lane_px * len(lanes)
    axes.set_ylim(group * len(names), 0)
    clock_axis(axes, frame, low, high)
    axes.grid(axis="x")
    for index, name in enumerate(names):
        axes.text(0, index * group + 16, name, transform=axes.get_yaxis_transform(), fontsize=12.5)
    strokes: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for fault, replication, start, until, ended in rows:
        if fault not in names:
            continue
        y = names.index(fault) * group + 22 + lanes.index(replication) * lane_px
        left, right = (start - low) / NS, (min(until, high) - low) / NS
        if until > start:
            axes.barh(y + lane_px / 2, right - left, left=left, height=lane_px - 2, color=LIGHT["red-pale"])
        else:
            strokes[ended].append((left, y))
    for ended, places in strokes.items():  # one broken line a colour, not an element a stroke
        xs = [x for left, _ in places for x in (left, left, math.nan)]
        ys = [v for _, y in places for v in (y + 1, y + lane_px - 1, math.nan)]
        axes.plot(xs, ys, color=LIGHT[ENDED.get(ended, "grey")], linewidth=1.6)
    _key(run, frame, sorted({ended for *_, ended in rows}, key=lambda e: (list(ENDED).index(e) if e in ENDED else 99, e)))


def _key(run: Run, frame: Frame, ends: list[str]) -> None:
    x = 8.0
    for ended in ends:
        colour = LIGHT["red"] if ended == "window" else LIGHT[ENDED.get(ended, "grey")]
        name = term(run.words, ended)
        frame.figure.text(x / frame.width_px, 1 - 4 / frame.height_px, name, color=colour, va="top")
        x += width_px(name, 12.5) + 18
