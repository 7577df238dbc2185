"""What several figures draw alike: the clock along the bottom, the windows in which something was down."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.lines import Line2D

from reports.fonts import width_px
from reports.formats import DAY_NS, NS, clock, date, round_duration, share
from reports.palette import LIGHT
from reports.picture import Frame
from reports.run import Run

_STEPS_MIN = (1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720, 1440, 2880, 10080)
_TAIWAN_NS = 8 * 3600 * NS


@dataclass(frozen=True)
class Window:
    """A span of time in which a fault was in force."""

    name: str
    low_ns: int
    high_ns: int


def windows(run: Run, role: str = "") -> list[Window]:
    """The fault windows of the run, each once, at most eight (a picture with more shows nothing)."""
    rows = run.sql(
        "SELECT DISTINCT fault, at_ns, until_ns FROM faults WHERE until_ns > at_ns AND (? = '' OR role = ?) "
        "ORDER BY at_ns, until_ns, fault LIMIT 8",
        role,
        role,
    )
    return [Window(*row) for row in rows]


def clock_axis(axes: Axes, frame: Frame, low_ns: int, high_ns: int) -> None:
    """X in seconds since ``low_ns``, labelled with Taiwan's time of day at round moments."""
    step_ns = next(
        (m * 60 * NS for m in _STEPS_MIN if (high_ns - low_ns) / (m * 60 * NS) <= (4 if frame.narrow else 9)), 14 * DAY_NS
    )
    first = -((-low_ns - _TAIWAN_NS) // step_ns) * step_ns - _TAIWAN_NS
    ticks = list(range(first, high_ns + 1, step_ns))
    several_days = high_ns - low_ns > 36 * 3600 * NS
    labels = [date(t)[5:] if several_days and clock(t) == "00:00" else clock(t) for t in ticks]
    axes.set_xlim(0, (high_ns - low_ns) / NS)
    axes.set_xticks([(t - low_ns) / NS for t in ticks], labels)


def bin_width_ns(low_ns: int, high_ns: int) -> int:
    """A round width of time that cuts a span into at most a hundred bins."""
    return next((m * 60 * NS for m in _STEPS_MIN if (high_ns - low_ns) / (m * 60 * NS) <= 100), 30 * DAY_NS)


def duration_axis(run: Run, axes: Axes, longest_ns: float, most: int) -> None:
    """X in nanoseconds from 0, linear: at most ``most`` round ticks, each with its unit."""
    steps = [n * NS // 1000 for n in (1, 5, 10, 50, 100, 500)]
    steps += [n * NS for n in (1, 5, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 28_800, 86_400, 172_800, 604_800)]
    step = next((s for s in steps if longest_ns / s <= most), steps[-1])
    ticks = [i * step for i in range(int(longest_ns // step) + 1)]
    axes.set_xlim(0, max(longest_ns, 1))
    axes.set_xticks(ticks, ["0" if not t else round_duration(run.words, t) for t in ticks])
    axes.grid(axis="x")


def shade(axes: Axes, spans: Sequence[Window], low_ns: int, *, label_y: float | None = None) -> None:
    """Grey columns where something was down; named at ``label_y`` (share of the axes' height) when given."""
    limit = axes.get_xlim()[1]
    for span in spans:
        left, right = (span.low_ns - low_ns) / NS, (span.high_ns - low_ns) / NS
        if right <= 0 or left >= limit:
            continue
        axes.axvspan(max(0, left), min(limit, right), color=LIGHT["grey-pale"], alpha=0.5, zorder=0)
        if label_y is not None:
            beside(
                axes, span.name, max(0, left), label_y, dx=4, color=LIGHT["red"], va="top", xycoords=axes.get_xaxis_transform()
            )


def segments(rows: Sequence[tuple[float, float, float]]) -> tuple[np.ndarray, np.ndarray]:
    """Horizontal strokes (y, left, right) as one broken line: one element in the SVG instead of thousands."""
    table = np.asarray(rows, dtype=float).reshape(-1, 3)
    gap = np.full(len(table), np.nan)
    return np.stack([table[:, 1], table[:, 2], gap], axis=1).ravel(), np.stack([table[:, 0], table[:, 0], gap], axis=1).ravel()


def beside(axes: Axes, text: str, x: float, y: float, *, dx: float = 6, dy: float = 0, **style: Any) -> None:
    """A text next to a point, its distance in pixels. (Leading spaces would vanish in SVG.)"""
    axes.annotate(
        text,
        (x, y),
        xytext=(dx, dy),
        textcoords="offset points",
        **{"va": "center", "fontsize": 11.5, "annotation_clip": False, **style},
    )


def key(frame: Frame, left_px: float, marks: Sequence[tuple[dict[str, Any], str]]) -> None:
    """What each mark means, in one line at the top: (how matplotlib draws it, its name)."""
    x, y = left_px, 1 - 10 / frame.height_px
    for look, name in marks:
        frame.figure.add_artist(
            Line2D([x / frame.width_px, (x + 12) / frame.width_px], [y, y], markevery=[0], **{"linestyle": "none", **look})
        )
        frame.figure.text((x + 19) / frame.width_px, y, name, va="center_baseline", fontsize=11.5, color=LIGHT["soft"])
        x += width_px(name, 11.5) + 38


def bare(axes: Axes) -> None:
    """No frame and no ticks on the left: the rows name themselves."""
    axes.spines["left"].set_visible(False)
    axes.set_yticks([])


def share_axis(run: Run, axis: Axis) -> None:
    """Ticks at the quarters of 1, in percent."""
    quarters = (0.25, 0.5, 0.75, 1.0)
    axis.set_ticks([0.0, *quarters], ["0", *(share(run.words, s) for s in quarters)])


def time_axis(run: Run, axes: Axes, low: float, high: float, most: int) -> None:
    """X in nanoseconds, logarithmic: ticks at 1, 2, 5 of each decade, at most ``most``, in units a person reads."""
    axes.set_xscale("log")
    axes.set_xlim(low, high)
    choices = [[m * 10.0**e for e in range(3, 15) for m in ms if low <= m * 10.0**e <= high] for ms in ((1, 2, 5), (1, 5), (1,))]
    ticks = next((ticks for ticks in choices if len(ticks) <= most), choices[-1][:most])
    axes.set_xticks(ticks, [round_duration(run.words, t) for t in ticks])
    axes.minorticks_off()
    axes.grid(axis="x")
