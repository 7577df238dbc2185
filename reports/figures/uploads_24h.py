"""How soon the records reach the data centre, against the 24 hours and the bar for timely uploads."""

from __future__ import annotations

from functools import partial

import numpy as np
from matplotlib.axes import Axes

from reports.catalogue import N_
from reports.drawing import beside, share_axis
from reports.formats import NS, round_duration, share
from reports.palette import LIGHT
from reports.picture import Blank, Frame, Picture
from reports.run import Run

TITLE = N_("Records stored since the visit's end")
CAPTION = N_(
    "Share of all records, those that never arrived included, that the data centre had stored by then. Strong line: all "
    "replications together; "
    "pale lines: each replication (at most thirty). The bar of 90 % is known from an association's notice and a training deck, "
    "not from the insurer."
)
UNITS = N_("Time since the visit's end, logarithmic; share of records")
SECTION = "uploads"
ORDER = 10
BAR = 0.9
_TICKS_S = (0.1, 1, 10, 60, 600, 3600, 6 * 3600, 24 * 3600, 7 * 86_400)
_SHARES = [round(i / 250, 4) for i in range(251)]


def draw(run: Run) -> Picture | Blank:
    total, stored = run.sql("SELECT count(*), count(*) FILTER (WHERE stored_ns >= 0) FROM uploads")[0]
    if run.cut_short:
        return Blank(run.say("Of a day that was cut short, no curve is drawn: records that still waited are not in it."))
    if not total:
        return Blank(run.say("No record was made for upload, so there is no curve."))
    if not stored:
        return Blank(run.say("None of {n} records was ever stored.", n=f"{total:,}"))
    limit_s = float(run.manifest.get("upload_deadline_s", 86_400))
    pooled = _curve(run, "")
    each = [
        _curve(run, f"AND replication = {int(r)}")
        for (r,) in run.sql("SELECT DISTINCT replication FROM uploads ORDER BY replication LIMIT 30")
    ]
    soon = run.one("SELECT count(*) FROM uploads WHERE stored_ns >= 0 AND stored_ns - ended_ns <= 60000000000")
    finding = run.say(
        "{minute} of the records are stored within a minute, {all} at all.",
        minute=share(run.words, soon / total),
        all=share(run.words, stored / total),
    )
    alt = run.say("Cumulative share of stored records against time since the visit's end. {finding}", finding=finding)
    return Picture(finding, alt, partial(_paint, run, pooled, [c for c in each if len(c[0])], limit_s), 340, 320)


def _curve(run: Run, where: str) -> tuple[np.ndarray, np.ndarray]:
    """Seconds and share stored by then, at 251 points of the stored ones."""
    n, stored, found = run.sql(
        f"SELECT count(*), count(*) FILTER (WHERE stored_ns >= 0), quantile_disc(stored_ns - ended_ns, {_SHARES}) FILTER "
        f"(WHERE stored_ns >= 0) "
        f"FROM uploads WHERE true {where}"
    )[0]
    if not stored:
        return np.array([]), np.array([])
    return np.maximum(np.asarray(found, dtype=float) / NS, 0.01), np.asarray(_SHARES) * stored / n


def _paint(
    run: Run, pooled: tuple[np.ndarray, np.ndarray], each: list[tuple[np.ndarray, np.ndarray]], limit_s: float, frame: Frame
) -> None:
    axes = frame.axes(48, 30, 24, 36)
    axes.set_xscale("log")
    right = max(2 * limit_s, float(pooled[0][-1]) * 1.2)
    left = min(0.5, float(pooled[0][0]) * 0.8)
    axes.set_xlim(left, right)
    ticks = [t for t in _TICKS_S if left < t < right and not (frame.narrow and t in (10, 600, 6 * 3600))]
    axes.set_xticks(ticks, [round_duration(run.words, t * NS) for t in ticks])
    axes.minorticks_off()
    axes.set_ylim(0, 1.04)
    share_axis(run, axes.yaxis)
    axes.grid(axis="y")
    axes.spines["left"].set_visible(False)
    for seconds, shares in each if len(each) > 1 else []:
        axes.step(np.append(seconds, right), np.append(shares, shares[-1]), where="post", color=LIGHT["blue-pale"], linewidth=1.2)
    axes.step(np.append(pooled[0], right), np.append(pooled[1], pooled[1][-1]), where="post", color=LIGHT["blue"], linewidth=2.4)
    _promises(run, axes, limit_s)


def _promises(run: Run, axes: Axes, limit_s: float) -> None:
    axes.axvline(limit_s, color=LIGHT["red"], linewidth=1.3)
    beside(
        axes,
        run.say("due: {time}", time=round_duration(run.words, limit_s * NS)),
        limit_s,
        0.06,
        dx=-5,
        color=LIGHT["red"],
        ha="right",
    )
    axes.axhline(BAR, color=LIGHT["olive"], linewidth=1.3, linestyle=(0, (4, 2)))
    beside(
        axes, run.say("bar: {share}", share=share(run.words, BAR)), axes.get_xlim()[0], BAR, dy=-5, color=LIGHT["olive"], va="top"
    )
