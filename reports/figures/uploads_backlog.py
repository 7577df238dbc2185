"""How many records wait for the data centre over the clock: an outage fills the queue, its end drains it."""

from __future__ import annotations

from functools import partial

import numpy as np
from matplotlib.ticker import MaxNLocator

from reports.catalogue import N_
from reports.drawing import bin_width_ns, clock_axis, shade, windows
from reports.formats import NS, when
from reports.palette import LIGHT
from reports.picture import Blank, Frame, Picture
from reports.run import Run

TITLE = N_("Records waiting to be stored, over the clock")
CAPTION = N_(
    "Records of ended visits that the data centre had not yet stored. Strong line: mean over the replications; pale area: from "
    "the smallest to the "
    "largest replication. Shaded: a fault in force on the way to the data centre."
)
UNITS = N_("Records; time of day in Taiwan (UTC+8)")
SECTION = "uploads"
ORDER = 20


def draw(run: Run) -> Picture | Blank:
    low, high = run.sql("SELECT min(ended_ns), max(ended_ns) FROM uploads")[0]
    if run.cut_short:
        return Blank(run.say("Of a day that was cut short, no queue is drawn: records that still waited are not in it."))
    if low is None:
        return Blank(run.say("No record was made for upload, so no queue of records formed."))
    end = high + max((high - low) // 8, 600 * NS)  # some time after the last visit, to see the queue drain
    width = max(60 * NS, bin_width_ns(low, end) // 2)
    low -= width
    table = _waiting(run, low, width, (end - low) // width + 1)
    mean = table.mean(axis=0)
    finding = run.say(
        "At most {n} records wait on average, about {clock}; {left} still wait at the end of the picture.",
        n=f"{mean.max():.1f}",
        clock=when(low + int(mean.argmax() + 1) * width, run.span_ns),
        left=f"{mean[-1]:.1f}",
    )
    alt = run.say("Number of records not yet stored over the day. {finding}", finding=finding)
    return Picture(finding, alt, partial(_paint, run, table, (low, width)), 260)


def _waiting(run: Run, low: int, width: int, bins: int) -> np.ndarray:
    """Records waiting at the end of each span of time, one line a replication."""
    replications = [r for (r,) in run.sql("SELECT DISTINCT replication FROM uploads ORDER BY replication")]
    table = np.zeros((len(replications), bins))
    rows = run.sql(
        "WITH steps AS (SELECT replication, ended_ns AS t, 1 AS d FROM uploads UNION ALL "
        "SELECT replication, stored_ns, -1 FROM uploads WHERE stored_ns >= 0) "
        "SELECT replication, (t - ?) // ? AS place, sum(d) FROM steps GROUP BY replication, place ORDER BY replication, place",
        low,
        width,
    )
    for replication, place, change in rows:
        if place < bins:
            table[replications.index(replication), max(0, place)] += int(change)
    return table.cumsum(axis=1)


def _paint(run: Run, table: np.ndarray, grid: tuple[int, int], frame: Frame) -> None:
    low, width = grid
    axes = frame.axes(34, 16, 24, 36)
    seconds = (np.arange(table.shape[1]) + 1) * width / NS
    axes.set_ylim(0, max(1.0, float(table.max())) * 1.08)
    clock_axis(axes, frame, low, low + width * table.shape[1])
    axes.yaxis.set_major_locator(MaxNLocator(nbins=4, integer=True))
    axes.grid(axis="y")
    axes.spines["left"].set_visible(False)
    axes.fill_between(seconds, table.min(axis=0), table.max(axis=0), color=LIGHT["blue-pale"], linewidth=0)
    axes.plot(seconds, table.mean(axis=0), color=LIGHT["blue"], linewidth=2.2)
    shade(axes, windows(run, "cloud"), low, label_y=0.98)
