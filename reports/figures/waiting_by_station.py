"""Where the time goes: mean waiting and mean service at each station."""

from __future__ import annotations

from functools import partial
from typing import Any

from reports.catalogue import N_
from reports.drawing import bare, beside, duration_axis
from reports.formats import duration, share
from reports.palette import LIGHT, category, pale
from reports.picture import Blank, Frame, Picture
from reports.run import Run
from reports.terms import term

TITLE = N_("Waiting and service by station")
CAPTION = N_("Mean over all patients of all replications who stood there. Pale: waiting. Strong: being served.")
UNITS = N_("Time a patient")
SECTION = "morning"
ORDER = 40


def draw(run: Run) -> Picture | Blank:
    found = {
        s: (w, d, n)
        for s, w, d, n in run.sql(
            "SELECT station, avg(began_ns - joined_ns), avg(ended_ns - began_ns), count(*) FROM stages GROUP BY station ORDER "
            "BY station"
        )
    }
    rows = [(i, s, *found[s]) for i, s in enumerate(run.stations)]
    if not rows:
        return Blank(run.say("No patient stood at a station, so there is nothing to compare."))
    waited = {s: w * n for _, s, w, _, n in rows}
    waiting = sum(waited.values())
    station = max(waited, key=lambda s: waited[s])
    if not waiting:
        finding = run.say("Nobody waited anywhere.")
    else:
        finding = run.say(
            "{share} of all waiting happens at {station}.",
            share=share(run.words, waited[station] / waiting),
            station=term(run.words, station),
        )
    alt = run.say("Mean waiting and service time by station. {finding}", finding=finding)
    return Picture(finding, alt, partial(_paint, run, [r[:4] for r in rows]), 60 + 52 * len(rows), 60 + 60 * len(rows))


def _paint(run: Run, rows: list[Any], frame: Frame) -> None:
    axes = frame.axes(118 if not frame.narrow else 6, 12, 12, 34)
    bare(axes)
    axes.set_ylim(len(rows) - 0.5, -0.6)
    longest = max(w + d for _, _, w, d in rows)
    duration_axis(run, axes, longest * (1.02 if frame.narrow else 1.3), 4 if frame.narrow else 8)
    for y, (index, station, wait, work) in enumerate(rows):
        axes.barh(y, wait, height=0.34 if frame.narrow else 0.5, color=pale(index))
        axes.barh(y, work, left=wait, height=0.34 if frame.narrow else 0.5, color=category(index))
        times = run.say("waiting {wait}, service {work}", wait=duration(run.words, wait), work=duration(run.words, work))
        name = term(run.words, station)
        if frame.narrow:
            axes.text(0, y - 0.22, run.say("{name}: {says}", name=name, says=times), va="bottom", fontsize=12)
        else:
            axes.text(-0.012, y, name, transform=axes.get_yaxis_transform(), ha="right", va="center")
            beside(axes, times, (wait + work), y, color=LIGHT["soft"])
