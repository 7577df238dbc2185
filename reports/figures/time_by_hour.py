"""Time in the house by the hour of arrival: half of the patients, the middle eight of ten, and how much of it was waiting."""

from __future__ import annotations

from functools import partial
from typing import Any

from reports.catalogue import N_
from reports.drawing import bare, beside, duration_axis, key
from reports.formats import duration
from reports.palette import LIGHT
from reports.picture import Blank, Frame, Picture
from reports.run import Run

TITLE = N_("Time in the house by hour of arrival")
CAPTION = N_(
    "Served patients of all replications. Pale bar: from the tenth to the ninetieth of a hundred. Dot: the median. Thin dark "
    "line: the median of "
    "the time spent waiting."
)
UNITS = N_("Time; hour of arrival in Taiwan (UTC+8)")
SECTION = "morning"
ORDER = 30


def draw(run: Run) -> Picture | Blank:
    rows = run.sql(
        "WITH waits AS (SELECT replication, visit, sum(began_ns - joined_ns) AS wait_ns FROM stages GROUP BY replication, "
        "visit), "
        "v AS (SELECT (v.arrived_ns // 3600000000000 + 8) % 24 AS hour, v.left_ns - v.arrived_ns AS t, coalesce(w.wait_ns, 0) "
        "AS w "
        "FROM visits v LEFT JOIN waits w USING (replication, visit) WHERE v.outcome = 'served') "
        "SELECT hour, count(*), quantile_disc(t, [0.1, 0.5, 0.9]), quantile_disc(w, 0.5) FROM v GROUP BY hour ORDER BY hour"
    )
    if not rows:
        return Blank(run.say("No patient was served, so no time in the house can be given."))
    worst = max(rows, key=lambda r: r[2][1])
    finding = run.say(
        "Whoever arrived from {hour}:00 to {next}:00 stayed longest: half of them {time} or more.",
        hour=f"{worst[0]:02d}",
        next=f"{(worst[0] + 1) % 24:02d}",
        time=duration(run.words, worst[2][1]),
    )
    height = 96 + 42 * len(rows)
    alt = run.say("Median and spread of time in the house by hour of arrival. {finding}", finding=finding)
    return Picture(finding, alt, partial(_paint, run, rows), height)


def _paint(run: Run, rows: list[Any], frame: Frame) -> None:
    axes = frame.axes(118 if not frame.narrow else 74, 70, 34, 34)
    bare(axes)
    axes.set_ylim(len(rows) - 0.4, -0.75)
    duration_axis(run, axes, max(r[2][2] for r in rows) * 1.02, 4 if frame.narrow else 8)
    for y, (hour, n, (low, middle, high), wait) in enumerate(rows):
        axes.barh(y, (high - low), left=low, height=0.5, color=LIGHT["blue-pale"])
        axes.plot([0, wait], [y, y], color=LIGHT["ink"], linewidth=2.2)
        axes.plot([middle], [y], "o", color=LIGHT["blue"], markersize=9)
        beside(axes, duration(run.words, high), high, y, color=LIGHT["soft"])
        beside(
            axes,
            duration(run.words, middle),
            middle,
            y - 0.25,
            dx=0,
            dy=1,
            ha="center",
            va="bottom",
            color=LIGHT["blue"],
        )
        label = (
            f"{hour:02d}–{(hour + 1) % 24:02d}"
            if frame.narrow
            else run.say("{hour}–{next}, n = {n}", hour=f"{hour:02d}", next=f"{(hour + 1) % 24:02d}", n=f"{n:,}")
        )
        axes.text(-0.012, y, label, transform=axes.get_yaxis_transform(), ha="right", va="center", color=LIGHT["ink"])
    _key(run, frame)


def _key(run: Run, frame: Frame) -> None:
    key(
        frame,
        8 if frame.narrow else 118,
        [
            ({"linestyle": "-", "color": LIGHT["ink"], "linewidth": 2.2}, run.say("median waiting")),
            ({"marker": "o", "color": LIGHT["blue"], "markersize": 8}, run.say("median")),
            ({"linestyle": "-", "color": LIGHT["blue-pale"], "linewidth": 9}, run.say("middle eight of ten")),
        ],
    )
