"""One day, one line a patient: pale while waiting, strong while being served, in the colour of the station."""

from __future__ import annotations

from collections import defaultdict
from functools import partial
from typing import Any

from matplotlib.patches import Rectangle

from reports.catalogue import N_
from reports.drawing import bare, beside, clock_axis, segments, shade, windows
from reports.fonts import width_px
from reports.formats import NS, duration, when
from reports.palette import LIGHT, category, pale
from reports.picture import Blank, Frame, Picture
from reports.run import Run
from reports.terms import term

TITLE = N_("The day, patient by patient")
CAPTION = N_(
    "First replication. Each line is one patient, from arrival to leaving, in the order of arrival from top to bottom: pale "
    "while "
    "waiting for a station, strong while being served there. A cross marks a patient who left without being served. Shaded: a "
    "fault in force."
)
UNITS = N_("Time of day in Taiwan (UTC+8)")
SECTION = "morning"
ORDER = 10
MOST = 260  # patients; beyond that the lines touch


def draw(run: Run) -> Picture | Blank:
    first = run.one("SELECT coalesce(min(replication), 0) FROM visits")
    total = run.one("SELECT count(*) FROM visits WHERE replication = ?", first)
    if not total:
        return Blank(run.say("No patient came, so there is no day to draw."))
    skip = max(0, (total - MOST) // 2)  # the middle of the day, where the queues are
    visits = run.sql(
        "SELECT visit, arrived_ns, left_ns, outcome FROM visits WHERE replication = ? ORDER BY arrived_ns, visit LIMIT ? "
        "OFFSET ?",
        first,
        MOST,
        skip,
    )
    place = {visit: i for i, (visit, *_) in enumerate(visits)}
    low, high = visits[0][1], max(left for _, _, left, _ in visits)
    stages = [
        row
        for row in run.sql(
            "SELECT visit, station, joined_ns, began_ns, ended_ns FROM stages WHERE replication = ? AND joined_ns BETWEEN ? "
            "AND ? "
            "ORDER BY joined_ns, visit, station",
            first,
            low,
            high,
        )
        if row[0] in place
    ]
    longest = max(visits, key=lambda v: v[2] - v[1])
    finding = run.say(
        "The longest visit, begun at {clock}, took {time}.",
        clock=when(longest[1], run.span_ns),
        time=duration(run.words, longest[2] - longest[1]),
    )
    if skip:
        shown = run.say("Shown are {shown} of {total} patients, the middle of the day.", shown=len(visits), total=f"{total:,}")
        finding = run.words.sentences(finding, shown)
    height = min(720, 120 + 4 * len(visits))
    paint = partial(_paint, run, visits, stages, place, longest, (low, high))
    return Picture(
        finding,
        run.say("{n} patients as lines over the day. {finding}", n=len(visits), finding=finding),
        paint,
        height,
        min(560, height),
    )


def _paint(
    run: Run, visits: list[Any], stages: list[Any], place: dict[str, int], longest: Any, span: tuple[int, int], frame: Frame
) -> None:
    low, high = span
    low -= (high - low) // 100
    high += (high - low) // 50
    axes = frame.axes(6, 6, 62 if frame.narrow else 40, 34)
    axes.set_ylim(len(visits) + 1, -2)
    clock_axis(axes, frame, low, high)
    axes.grid(axis="x")
    bare(axes)
    shade(axes, windows(run), low, label_y=0.05)
    width = max(0.9, 0.62 * (frame.height_px - 100) / (len(visits) + 3))
    lines: dict[tuple[str, str], list[tuple[float, float, float]]] = defaultdict(list)
    for visit, station, joined, began, ended in stages:
        y = place[visit]
        lines[station, "wait"].append((y, (joined - low) / NS, (began - low) / NS))
        lines[station, "serve"].append((y, (began - low) / NS, (ended - low) / NS))
    for index, station in enumerate(run.stations):
        for kind, colour, thick in (("wait", pale(index), width), ("serve", category(index), width)):
            if lines[station, kind]:
                axes.plot(*segments(lines[station, kind]), color=colour, linewidth=thick)
    lost = [(place[v], (left - low) / NS) for v, _, left, outcome in visits if outcome != "served"]
    axes.plot(
        [x for _, x in lost], [y for y, _ in lost], "x", color=LIGHT["red"], markersize=6, markeredgewidth=1.8, clip_on=False
    )
    beside(axes, duration(run.words, longest[2] - longest[1]), (longest[2] - low) / NS, place[longest[0]], color=LIGHT["ink"])
    _name_stations(run, frame)


def _name_stations(run: Run, frame: Frame) -> None:
    """The stations' names in their colours, above the lines: the picture's own key."""
    x, y, height = 6.0, 8.0, frame.height_px
    for index, station in enumerate(run.stations):
        name = term(run.words, station)
        wide = width_px(name, 12.5) + 40
        if x + wide > frame.width_px and x > 6:
            x, y = 6.0, y + 20
        for left, colour in ((0, pale(index)), (9, category(index))):
            corner = ((x + left) / frame.width_px, 1 - (y + 12) / height)
            frame.figure.add_artist(Rectangle(corner, 9 / frame.width_px, 7 / height, facecolor=colour))
        frame.figure.text((x + 23) / frame.width_px, 1 - y / height, name, fontsize=12.5, va="top")
        x += wide
