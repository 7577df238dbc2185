"""The distribution of a whole contact by channel: everything that one session sent over it."""

from __future__ import annotations

from collections import Counter
from functools import partial

import numpy as np

from reports.catalogue import N_
from reports.drawing import beside, share_axis, time_axis
from reports.formats import duration
from reports.latency import contacts
from reports.palette import LIGHT, PROVENANCE, category
from reports.picture import Blank, Frame, Picture
from reports.run import Run
from reports.terms import term

TITLE = N_("A whole contact, by channel")
CAPTION = N_(
    "Share of sessions whose exchanges over that channel took this long or less, all replications together. Broken line: "
    "modelled. Full line: "
    "measured or presented."
)
UNITS = N_("Time a session, logarithmic; share of sessions")
SECTION = "latency"
ORDER = 20
_SHARES = [round(i / 200, 3) for i in range(201)]


def draw(run: Run) -> Picture | Blank:
    rows = run.sql(
        f"SELECT channel, provenance, count(*), quantile_disc(ns, {_SHARES}), device FROM {contacts(run)} "
        "GROUP BY channel, provenance, device ORDER BY channel, provenance, device"
    )
    alike = Counter((c, p) for c, p, *_ in rows)  # several devices over one channel are told apart by their names
    curves = [
        (c, p, device if alike[c, p] > 1 else "", np.maximum(np.asarray(q, dtype=float), 1.0))
        for c, p, _, q, device in rows
        if max(q) > 0
    ]
    if not curves:
        return Blank(run.say("No exchange took any time, so there is no distribution to show."))
    slowest = max(curves, key=lambda c: c[3][100])
    finding = run.say(
        "Over {channel} ({provenance}), half of the contacts take {time} or more in all.",
        channel=term(run.words, slowest[0]),
        provenance=term(run.words, slowest[1]),
        time=duration(run.words, slowest[3][100]),
    )
    alt = run.say("Distribution of a contact's total latency for {n} channels. {finding}", n=len(curves), finding=finding)
    return Picture(finding, alt, partial(_paint, run, curves), 360, 340)


def _paint(run: Run, curves: list[tuple[str, str, str, np.ndarray]], frame: Frame) -> None:
    axes = frame.axes(48, 24, 16, 36)
    low = min(float(np.quantile(q, 0.005)) for *_, q in curves)
    time_axis(run, axes, low * 0.9, max(float(q[-1]) for *_, q in curves) * 1.1, 4 if frame.narrow else 9)
    axes.set_ylim(0, 1.02)
    share_axis(run, axes.yaxis)
    axes.grid(axis="y")
    axes.spines["left"].set_visible(False)
    channels = sorted({c for c, *_ in curves})
    for i, (channel, provenance, device, quantiles) in enumerate(curves):
        colour = category(channels.index(channel))
        axes.plot(quantiles, _SHARES, color=colour, linewidth=2, linestyle=(0, (4, 2)) if provenance == "modelled" else "-")
        place = 60 + round(i * 110 / max(1, len(curves) - 1)) if len(curves) > 1 else 100
        sign = PROVENANCE.get(provenance, ("", ""))[1]
        beside(
            axes,
            " ".join(part for part in (sign, term(run.words, channel), device) if part),
            quantiles[place],
            _SHARES[place],
            color=colour,
            va="top",
            bbox={"facecolor": LIGHT["paper"], "edgecolor": "none", "pad": 1, "alpha": 0.8},
        )
