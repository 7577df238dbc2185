"""How many arrive, and how many wait at each station, over the clock; one pixel scale for all rows."""

from __future__ import annotations

from functools import partial

import numpy as np

from reports.catalogue import N_
from reports.drawing import bin_width_ns, clock_axis, shade, windows
from reports.formats import NS, round_duration, when
from reports.palette import LIGHT, category, pale
from reports.picture import Blank, Frame, Picture
from reports.run import Run
from reports.terms import term

TITLE = N_("Arrivals and queues over the clock")
CAPTION = N_(
    "Top: patients who arrived in each span of time. Below: patients waiting at each station, being served not counted. The "
    "strong line is the "
    "mean over the replications, the pale area reaches up to the fullest replication. All queues share one scale, so their "
    "heights compare."
)
UNITS = N_("Patients; time of day in Taiwan (UTC+8)")
SECTION = "morning"
ORDER = 20


def draw(run: Run) -> Picture | Blank:
    low, high = run.span_ns
    if high == low or not run.stations:
        return Blank(run.say("No patient stood at a station, so there is no queue to draw."))
    width = bin_width_ns(low, high)
    low -= low % width
    bins = (high - low) // width + 1
    arrivals = _arrivals(run, low, width, bins)
    queues = {station: _queue(run, station, low, width, bins) for station in run.stations}
    station = max(queues, key=lambda s: float(queues[s].mean(axis=0).max()))
    mean = queues[station].mean(axis=0)
    at = when(low + int(mean.argmax()) * width, run.span_ns)
    finding = run.say(
        "The longest queue is at {station}: {n} patients on average about {clock}.",
        station=term(run.words, station),
        n=f"{mean.max():,.1f}",
        clock=at,
    )
    if not mean.max():
        finding = run.say("Nobody waited anywhere.")
    height = 150 + 70 * len(queues)
    alt = run.say("Arrivals and number of waiting patients by station over the day. {finding}", finding=finding)
    return Picture(finding, alt, partial(_paint, run, arrivals, queues, (low, width)), height)


def _arrivals(run: Run, low: int, width: int, bins: int) -> np.ndarray:
    counts = np.zeros(bins)
    for place, n in run.sql(
        "SELECT (arrived_ns - ?) // ? AS place, count(*) FROM visits GROUP BY place ORDER BY place", low, width
    ):
        counts[place] = n / max(1, run.replications)
    return counts


def _queue(run: Run, station: str, low: int, width: int, bins: int) -> np.ndarray:
    """Mean number waiting in each span of time, one line a replication: waiting time inside the span over its length."""
    table = np.zeros((max(1, run.replications), bins))
    rows = run.sql(
        "WITH w AS (SELECT replication, joined_ns - $low AS a, began_ns - $low AS b FROM stages WHERE station = $station AND "
        "began_ns > joined_ns), "
        "cut AS (SELECT replication, a, b, unnest(range(a // $width, b // $width + 1)) AS place FROM w) "
        "SELECT dense_rank() OVER (ORDER BY replication) - 1, place, sum(least(b, (place + 1) * $width) - greatest(a, place * "
        "$width)) "
        "FROM cut GROUP BY replication, place ORDER BY replication, place".replace("$station", "?")
        .replace("$low", str(low))
        .replace("$width", str(width)),
        station,
    )
    for replication, place, waited in rows:
        if 0 <= place < bins and replication < len(table):
            table[replication, place] = float(waited) / width
    return table


def _paint(run: Run, arrivals: np.ndarray, queues: dict[str, np.ndarray], grid: tuple[int, int], frame: Frame) -> None:
    low, width = grid
    high = low + width * len(arrivals)
    seconds = np.arange(len(arrivals)) * width / NS
    top, bottom, gap = 24.0, 34.0, 26.0
    peaks = {s: max(1.0, float(q.max())) for s, q in queues.items()}
    room = frame.height_px - top - bottom - 70 - gap * (len(queues))
    least = 10.0
    scale = (room - least * len(queues)) / sum(peaks.values())
    y = frame.height_px - top - 70
    axes = frame.axes(30, 12, top, y)
    axes.bar(seconds, arrivals, width=width / NS * 0.86, align="edge", color=LIGHT["grey"])
    clock_axis(axes, frame, low, high)
    axes.set_xticklabels([])
    axes.spines["left"].set_visible(False)
    axes.set_yticks([0, int(np.ceil(arrivals.max()))])
    axes.set_title(
        run.say("arrivals in {time}", time=round_duration(run.words, width)), loc="left", fontsize=12.5, color=LIGHT["ink"], pad=4
    )
    shade(axes, windows(run), low, label_y=1.0)
    for index, (station, queue) in enumerate(queues.items()):
        tall = least + scale * peaks[station]
        y -= gap + tall
        axes = frame.axes(30, 12, frame.height_px - y - tall, y)
        axes.fill_between(seconds + width / NS / 2, queue.max(axis=0), color=pale(index), linewidth=0)
        axes.plot(seconds + width / NS / 2, queue.mean(axis=0), color=category(index), linewidth=2)
        axes.set_ylim(0, peaks[station] + least / scale)
        clock_axis(axes, frame, low, high)
        if index < len(queues) - 1:
            axes.set_xticklabels([])
        axes.spines["left"].set_visible(False)
        axes.set_yticks([0, int(peaks[station])] if tall > 24 else [0])
        name = run.say("waiting at {station}", station=term(run.words, station))
        axes.set_title(name, loc="left", fontsize=12.5, color=LIGHT["ink"], pad=4)
        shade(axes, windows(run), low)
