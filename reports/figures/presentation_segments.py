"""The segments of a presentation side by side, channel by channel: means, end to end."""

from __future__ import annotations

from collections import defaultdict
from functools import partial

from reports.catalogue import N_
from reports.drawing import bare, beside, duration_axis
from reports.fonts import width_px
from reports.formats import duration
from reports.palette import LIGHT, category, pale
from reports.picture import Blank, Frame, Picture
from reports.run import Run
from reports.segments import NAMES, found
from reports.terms import term
from virtual_devices.segments import Segment

TITLE = N_("A presentation's segments, by channel")
CAPTION = N_(
    "Mean time of each segment, end to end, over all presentations that came to their end. Acts of people are left out, and so "
    "are the desk's chips where their time is of another kind than the device's."
)
UNITS = N_("Time a presentation")
SECTION = "segments"
ORDER = 10
Bars = dict[tuple[str, str], tuple[int, dict[Segment, float]]]


def draw(run: Run) -> Picture | Blank:
    sums: dict[tuple[str, str], dict[Segment, int]] = defaultdict(lambda: dict.fromkeys(Segment, 0))
    counts: dict[tuple[str, str], int] = defaultdict(int)
    for one in found(run):
        key = (one.channel, one.provenance)
        counts[key] += 1
        for segment, ns in one.ns.items():
            own = segment is not Segment.HUMAN and one.origin(segment)[1] == one.provenance
            sums[key][segment] += ns if own else 0
    bars: Bars = {key: (counts[key], {s: ns / counts[key] for s, ns in sums[key].items() if ns}) for key in sorted(sums)}
    if not any(parts for _, parts in bars.values()):
        return Blank(run.say("No virtual card was presented to its end."))
    slowest = max(bars, key=lambda key: sum(bars[key][1].values()))
    finding = run.say(
        "Over {channel} a presentation takes {time} on average, people's acts aside.",
        channel=term(run.words, slowest[0]), time=duration(run.words, sum(bars[slowest][1].values())),
    )
    alt = run.say("Stacked bars of mean segments by channel. {finding}", finding=finding)
    height = 60 + 54 * len(bars) + 22
    return Picture(finding, alt, partial(_paint, run, bars), height, height + 40)


def _paint(run: Run, bars: Bars, frame: Frame) -> None:
    names = [f"{term(run.words, c)}, {term(run.words, p)} ({n:,})" for (c, p), (n, _) in bars.items()]
    axes = frame.axes(6 if frame.narrow else max(width_px(name, 12.5) + 16 for name in names), 12, 30, 34)
    bare(axes)
    longest = max(sum(parts.values()) for _, parts in bars.values())
    axes.set_xlim(0, longest * 1.02)
    axes.set_ylim(len(bars) - 0.4, -0.6)
    duration_axis(run, axes, longest, 4 if frame.narrow else 8)
    order = list(Segment)
    for y, (name, (_, parts)) in enumerate(zip(names, bars.values(), strict=True)):
        left, middle = 0.0, y + (0.12 if frame.narrow else 0)
        for segment in parts:
            size = parts[segment]
            colour = order.index(segment)
            axes.barh(middle, size, left=left, height=0.46, color=pale(colour), edgecolor=LIGHT["paper"], linewidth=1.5)
            label = run.say(NAMES[segment])
            if size / longest * (frame.width_px - 180) > width_px(label, 11.5) + 10:
                beside(axes, label, left, middle, color=category(colour))
            left += size
        if frame.narrow:
            axes.text(0, y - 0.18, name, va="bottom")
        else:
            axes.text(-0.012, y, name, transform=axes.get_yaxis_transform(), ha="right", va="center")
