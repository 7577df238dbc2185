"""Which device held each role over the clock, in the first replication that had a switch."""

from __future__ import annotations

from functools import partial
from typing import Any

from reports.catalogue import N_
from reports.drawing import bare, beside, clock_axis
from reports.fonts import width_px
from reports.formats import NS, clock
from reports.palette import LIGHT
from reports.picture import Blank, Frame, Picture
from reports.run import Run
from reports.terms import OURS, term

TITLE = N_("Who held the role")
CAPTION = N_("The first replication in which a role changed hands. Grey: our virtual device. Green: a device outside the bench.")
UNITS = N_("Time of day in Taiwan (UTC+8)")
SECTION = "switches"
ORDER = 10
Spell = tuple[int, int, str]  # from, until, device


def draw(run: Run) -> Picture | Blank:
    first = run.one("SELECT min(replication) FROM switches")
    if first is None:
        return Blank(run.say("Every role stayed with the device that it began with."))
    rows = run.sql(
        "SELECT role, at_ns, was, now FROM switches WHERE replication = ? ORDER BY role, at_ns, was, now LIMIT 400", first
    )
    moments = [at for _, at, _, _ in rows]
    low, high = min([*moments, run.span_ns[0] or moments[0]]), max([*moments, run.span_ns[1]])
    lanes: dict[str, list[Spell]] = {}
    for role, at, was, now in rows:
        spells = lanes.setdefault(role, [(low, high, was)])
        spells[-1] = (spells[-1][0], at, spells[-1][2])
        spells.append((at, high, now))
    role, at, was, now = rows[0]
    finding = run.say(
        "At {clock} the {role} role went from {was} to {now}.", clock=clock(at), role=term(run.words, role), was=was, now=now
    )
    alt = run.say("Devices that held a role over the day. {finding}", finding=finding)
    return Picture(finding, alt, partial(_paint, run, lanes, (low, high)), 40 + 50 * len(lanes))


def _paint(run: Run, lanes: dict[str, list[Spell]], span: tuple[int, int], frame: Frame) -> None:
    low, high = span
    axes = frame.axes(8, 8, 4, 34)
    bare(axes)
    axes.set_ylim(len(lanes) * 50, 0)
    clock_axis(axes, frame, low, high)
    for index, (role, spells) in enumerate(lanes.items()):
        beside(axes, term(run.words, role), 0, index * 50 + 11, dx=0)
        for left, right, device in spells:
            _spell(axes, frame, (left - low) / NS, (right - low) / NS, index * 50 + 34, device)


def _spell(axes: Any, frame: Frame, left: float, right: float, y: float, device: str) -> None:
    colour = LIGHT["grey-pale"] if device in OURS else LIGHT["green-pale"]
    axes.barh(y, right - left, left=left, height=22, color=colour, edgecolor=LIGHT["paper"], linewidth=1.5)
    room = (right - left) / axes.get_xlim()[1] * (frame.width_px - 16) - 12
    shown = device if width_px(device, 11.5) <= room else device.partition(":")[0]
    if width_px(shown, 11.5) <= room:
        beside(axes, shown, left, y)
