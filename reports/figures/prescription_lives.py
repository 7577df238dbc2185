"""One day, one line a prescription: from the desk where it was signed to the counter; hollow where the data centre did not
know."""

from __future__ import annotations

from functools import partial
from typing import Any

from reports.catalogue import N_
from reports.drawing import bare, clock_axis, key, segments, shade, windows
from reports.formats import NS
from reports.palette import LIGHT
from reports.picture import Blank, Frame, Picture
from reports.run import Run
from reports.terms import term

TITLE = N_("The prescriptions' day")
CAPTION = N_(
    "First replication. Each line is one prescription, from the first that happened to it to the last, in the order of signing "
    "from top to bottom. A mark is filled when the data centre knew of it then, hollow when it did not. Shaded: a fault in force."
)
UNITS = N_("Time of day in Taiwan (UTC+8)")
SECTION = "prescriptions"
ORDER = 10
MOST = 90  # prescriptions; beyond that the marks touch
MARKS: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "issued": ("o", "blue", ("issued",)), "on phone": ("s", "cyan", ("on phone", "on card")), "read": ("|", "ink", ("read",)),
    "dispensed": ("D", "green", ("dispensed", "received")), "stored": ("^", "olive", ("stored", "told")),
    "doubted": ("v", "red", ("doubted", "not amended", "not issued", "found")),
    "amended": ("P", "purple", ("amended", "answered")),
}
"""A mark's name, form and colour, and the events that it stands for."""
_OF = {event: (form, colour) for form, colour, events in MARKS.values() for event in events}


def draw(run: Run) -> Picture | Blank:
    first = run.one("SELECT coalesce(min(replication), 0) FROM prescriptions")
    rows = run.sql(
        "SELECT prescription, event, at_ns, online FROM prescriptions WHERE replication = ? ORDER BY at_ns, prescription, event",
        first,
    )
    if not rows:
        return Blank(run.say("No prescription was written, read or dispensed, so there is no day to draw."))
    order = list(dict.fromkeys(name for name, *_ in rows))[:MOST]
    place = {name: i for i, name in enumerate(order)}
    shown = [row for row in rows if row[0] in place]
    unknown = len({name for name, event, _, online in shown if event == "issued" and not online})
    finding = run.say_n(
        "{n} prescription was signed before the data centre could hear of it.",
        "{n} prescriptions were signed before the data centre could hear of them.", unknown,
    )
    alt = run.say("{n} prescriptions as lines over the day. {finding}", n=len(order), finding=finding)
    height = min(760, 130 + 13 * len(order))
    return Picture(finding, alt, partial(_paint, run, shown, place), height, height)


def _paint(run: Run, rows: list[Any], place: dict[str, int], frame: Frame) -> None:
    low, high = rows[0][2], max(at for _, _, at, _ in rows)
    low, high = low - (high - low) // 50, high + (high - low) // 50
    axes = frame.axes(6, 6, 62 if frame.narrow else 44, 34)
    axes.set_ylim(len(place) + 0.5, -1.5)
    clock_axis(axes, frame, low, high)
    axes.grid(axis="x")
    bare(axes)
    shade(axes, windows(run), low, label_y=0.04)
    spans: dict[str, tuple[int, int]] = {}
    for name, _, at, _ in rows:
        spans[name] = (min(at, spans.get(name, (at, at))[0]), max(at, spans.get(name, (at, at))[1]))
    strokes = [(place[name], (begun - low) / NS, (ended - low) / NS) for name, (begun, ended) in spans.items()]
    axes.plot(*segments(strokes), color=LIGHT["grey-pale"], linewidth=2)
    for event, (form, colour) in _OF.items():
        for online in (True, False):
            there = [((at - low) / NS, place[name]) for name, what, at, knew in rows if what == event and knew == online]
            if there:
                axes.plot(
                    [x for x, _ in there], [y for _, y in there], form, color=LIGHT[colour], markersize=6, markeredgewidth=1.5,
                    markerfacecolor=LIGHT[colour] if online else LIGHT["paper"], clip_on=False,
                )
    used = {event for _, event, _, _ in rows}
    key(frame, 6, [
        ({"marker": form, "color": LIGHT[colour], "linestyle": "", "markersize": 6}, term(run.words, name))
        for name, (form, colour, events) in MARKS.items() if used & set(events)
    ])
