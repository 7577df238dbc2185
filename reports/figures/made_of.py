"""What the exchanges of each role rest on: modelled, measured, presented, replayed."""

from __future__ import annotations

from collections import defaultdict
from functools import partial

from reports.catalogue import N_
from reports.drawing import bare, beside, share_axis
from reports.fonts import width_px
from reports.palette import LIGHT, PROVENANCE
from reports.picture import Blank, Frame, Picture
from reports.run import Run
from reports.terms import term

TITLE = N_("What each role's exchanges rest on")
CAPTION = N_(
    "Share of exchanges by role: ○ modelled, ● measured on a device outside this process, ◎ presented to somebody else's "
    "reader, ▷ replayed from a record."
)
UNITS = N_("Share of exchanges")
SECTION = "provenance"
ORDER = 10


def draw(run: Run) -> Picture | Blank:
    counts: dict[str, dict[str, int]] = defaultdict(dict)
    for role, provenance, n in run.sql(
        "SELECT role, provenance, count(*) FROM exchanges GROUP BY role, provenance ORDER BY role, provenance"
    ):
        counts[role][provenance] = n
    if not counts:
        return Blank(run.say("No message was exchanged."))
    total = sum(sum(c.values()) for c in counts.values())
    finding = run.say_n(
        "{n} exchange in all, by {roles} roles.", "{n} exchanges in all, by {roles} roles.", total, roles=len(counts)
    )
    alt = run.say("Stacked bars of exchanges by role and origin. {finding}", finding=finding)
    return Picture(finding, alt, partial(_paint, run, dict(counts)), 50 + 48 * len(counts), 50 + 54 * len(counts))


def _paint(run: Run, counts: dict[str, dict[str, int]], frame: Frame) -> None:
    names = {role: term(run.words, role) for role in counts}
    axes = frame.axes(6 if frame.narrow else max(100, *(width_px(name, 12.5) + 16 for name in names.values())), 12, 8, 34)
    bare(axes)
    axes.set_xlim(0, 1)
    axes.set_ylim(len(counts) - 0.4, -0.6)
    share_axis(run, axes.xaxis)
    for y, (role, parts) in enumerate(counts.items()):
        left, total = 0.0, sum(parts.values())
        for provenance in sorted(parts, key=lambda p: (list(PROVENANCE).index(p) if p in PROVENANCE else 99, p)):
            colour, sign = PROVENANCE.get(provenance, ("grey", ""))
            size = parts[provenance] / total
            axes.barh(
                y + (0.12 if frame.narrow else 0),
                size,
                left=left,
                height=0.46,
                color=LIGHT[f"{colour}-pale"],
                edgecolor=LIGHT["paper"],
                linewidth=1.5,
            )
            label, middle = f"{sign} {term(run.words, provenance)} {parts[provenance]:,}", y + (0.12 if frame.narrow else 0)
            if size * (frame.width_px - 120) > width_px(label, 11.5) + 12:
                beside(axes, label, left, middle)
            else:  # too short for its own label: above its end
                beside(axes, label, left + size, middle - 0.23, dx=0, dy=1, ha="right", va="bottom", color=LIGHT["soft"])
            left += size
        if frame.narrow:
            axes.text(0, y - 0.18, names[role], va="bottom")
        else:
            axes.text(-0.012, y, names[role], transform=axes.get_yaxis_transform(), ha="right", va="center")
