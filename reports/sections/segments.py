"""What a presentation's time goes into, by channel."""

from __future__ import annotations

from reports.blocks import Block, Column, Section, Table, data, number, text
from reports.formats import duration, interval, value
from reports.run import Run
from reports.segments import NAMES, SegmentTimes, by_segment
from reports.terms import mark, term, word
from virtual_devices.segments import Segment

NAME = "segments"


def make(run: Run) -> Section:
    times = by_segment(run)
    title = run.say("What a presentation's time goes into")
    if not times:
        return Section(NAME, title, run.say("No virtual card was presented to its end."), [])
    return Section(NAME, title, _finding(run, times), [_table(run, times)])


def _finding(run: Run, times: list[SegmentTimes]) -> str:
    longest = max((t for t in times if t.segment is not Segment.HUMAN), key=lambda t: t.p50.value or 0, default=times[0])
    return run.say(
        "The longest of a presentation's segments is '{segment}' over {channel}: half of them take {time} or more.",
        segment=run.say(NAMES[longest.segment]), channel=term(run.words, longest.channel),
        time=duration(run.words, longest.p50.value or 0),
    )


def _table(run: Run, times: list[SegmentTimes]) -> Block:
    body = [
        [
            word(run.words, t.channel), text(run.say(NAMES[t.segment])), data(t.device, "code"), mark(run.words, t.provenance),
            number(f"{t.p50.n:,}"), *(number(value(run.words, e), interval(run.words, e)) for e in (t.p50, t.p95)),
        ]
        for t in times
    ]
    return Table(
        run.say("Segments of a presentation, by channel"),
        (
            Column(run.say("Channel")), Column(run.say("Segment")), Column(run.say("Device")), Column(run.say("Origin")),
            Column(run.say("n"), True), Column(run.say("Median"), True), Column(run.say("95th percentile"), True),
        ),
        body,
        run.say(
            "n counts presentations in which the segment took time; those that broke off are left out. In virtual time a desk "
            "verifies in no time. What people did stands by itself and is in no other segment."
        ),
    )
