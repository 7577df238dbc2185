"""Median, 95th and 99th percentile of each step's latency, with their intervals, by channel, on a logarithmic scale."""

from __future__ import annotations

from collections import defaultdict
from functools import partial

from matplotlib.axes import Axes

from reports.catalogue import N_
from reports.drawing import bare, key, time_axis
from reports.formats import duration
from reports.latency import StepLatency, by_step
from reports.palette import LIGHT, PROVENANCE
from reports.picture import Blank, Frame, Picture
from reports.run import Run
from reports.statistics import Estimate
from reports.terms import term

TITLE = N_("Latency by channel and step")
CAPTION = N_(
    "Each row is one step over one channel, of one kind: ○ modelled, ● measured, ◎ presented, ▷ replayed. Dot: median. "
    "Diamond: 95th percentile. "
    "Triangle: 99th percentile. The thick line through a mark is its 95 % interval; a mark without one has none (too few "
    "samples, or no spread)."
)
UNITS = N_("Time a session, logarithmic")
SECTION = "latency"
ORDER = 10
MOST = 45
_MARKS = (("o", 8.0), ("D", 6.0), ("^", 7.0))


def draw(run: Run) -> Picture | Blank:
    rows = by_step(run)
    if not rows:
        return Blank(run.say("No message was exchanged, so there is no latency to show."))
    slowest = max(rows, key=lambda r: r.p50.value or 0)
    finding = run.say(
        "The slowest step is '{step}' over {channel} ({provenance}): half take {time} or more.",
        step=term(run.words, slowest.step) or run.say("(unnamed)"),
        channel=term(run.words, slowest.channel),
        provenance=term(run.words, slowest.provenance),
        time=duration(run.words, slowest.p50.value or 0),
    )
    if len(rows) > MOST:
        shortened = run.say("Shown are {shown} of {total} rows; the table has all.", shown=MOST, total=len(rows))
        finding = run.words.sentences(finding, shortened)
    shown = rows[:MOST]
    channels = len({r.channel for r in shown})
    alt = run.say("Percentiles of latency of {n} steps. {finding}", n=len(shown), finding=finding)
    return Picture(
        finding, alt, partial(_paint, run, shown), 80 + 25 * len(shown) + 30 * channels, 80 + 40 * len(shown) + 32 * channels
    )


def _paint(run: Run, rows: list[StepLatency], frame: Frame) -> None:
    channels = len({r.channel for r in rows})
    row_px, head_px = (40.0, 32.0) if frame.narrow else (25.0, 30.0)
    axes = frame.axes(8 if frame.narrow else 250, 22, 26, 36)
    bare(axes)
    values = [v for r in rows for e in (r.p50, r.p95, r.p99) for v in (e.value, e.low, e.high) if v]
    time_axis(run, axes, min(values, default=1e6) * 0.8, max(values, default=1e9) * 1.25, 4 if frame.narrow else 8)
    axes.set_ylim(row_px * len(rows) + head_px * channels + 4, 0)
    roles: dict[tuple[str, str], set[str]] = defaultdict(set)
    devices: dict[tuple[str, str, str, str], set[str]] = defaultdict(set)
    for row in rows:
        roles[row.channel, row.step].add(row.role)
        devices[row.channel, row.role, row.step, row.provenance].add(row.device)
    y, channel = 0.0, None
    for row in rows:
        if row.channel != channel:
            channel = row.channel
            left = 0.0 if frame.narrow else -250 / (frame.width_px - 272)
            axes.text(
                left,
                y + head_px - 8,
                term(run.words, channel),
                transform=axes.get_yaxis_transform(),
                va="baseline",
                fontsize=13.5,
                color=LIGHT["soft"],
            )
            axes.plot(
                [left, 1],
                [y + head_px - 2] * 2,
                transform=axes.get_yaxis_transform(),
                color=LIGHT["faint"],
                linewidth=0.8,
                clip_on=False,
            )
            y += head_px
        name = _name(run, row, several=len(roles[row.channel, row.step]) > 1)
        if len(devices[row.channel, row.role, row.step, row.provenance]) > 1:
            name = run.say("{step}, {device}", step=name, device=row.device)
        _row(run, axes, row, name, y + row_px * (0.7 if frame.narrow else 0.5), y + row_px * 0.36, frame.narrow)
        y += row_px
    _key(run, frame)


def _name(run: Run, row: StepLatency, *, several: bool) -> str:
    """The step's name, with its role where several roles take part in a step of that name."""
    step = term(run.words, row.step) or run.say("(unnamed)")
    return run.say("{step}, {role}", step=step, role=term(run.words, row.role)) if several else step


def _row(run: Run, axes: Axes, row: StepLatency, name: str, y: float, label_y: float, narrow: bool) -> None:
    colour_name, sign = PROVENANCE.get(row.provenance, ("grey", ""))
    colour = LIGHT[colour_name]
    label = f"{name}  {sign}"
    if narrow:
        axes.text(0, label_y, label, transform=axes.get_yaxis_transform(), va="baseline")
    else:
        axes.text(-0.015, y, label, transform=axes.get_yaxis_transform(), va="center", ha="right")
    marks = [e.value for e in (row.p50, row.p95, row.p99) if e.value]
    axes.plot([min(marks, default=1), max(marks, default=1)], [y, y], color=LIGHT["faint"], linewidth=1.2)
    for estimate, (shape, size) in zip((row.p50, row.p95, row.p99), _MARKS, strict=True):
        _mark(axes, estimate, y, colour, shape, size, hollow=row.provenance == "modelled")


def _mark(axes: Axes, estimate: Estimate, y: float, colour: str, shape: str, size: float, *, hollow: bool) -> None:
    if not estimate.value:
        return
    if estimate.low is not None and estimate.high is not None:
        axes.plot([max(estimate.low, axes.get_xlim()[0]), estimate.high], [y, y], color=colour, linewidth=3.4, alpha=0.55)
    axes.plot(
        [estimate.value],
        [y],
        shape,
        markersize=size,
        color=LIGHT["paper"] if hollow else colour,
        markeredgecolor=colour,
        markeredgewidth=1.6,
    )


def _key(run: Run, frame: Frame) -> None:
    names = (run.say("median"), run.say("95th percentile"), run.say("99th percentile"))
    look = {"color": LIGHT["paper"], "markeredgecolor": LIGHT["soft"], "markeredgewidth": 1.6}
    key(
        frame,
        8 if frame.narrow else 250,
        [({"marker": m, "markersize": size, **look}, n) for (m, size), n in zip(_MARKS, names, strict=True)],
    )
