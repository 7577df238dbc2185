"""The presentations of a run by segment, as a relation: one row a presentation and segment that took place."""

from __future__ import annotations

from dataclasses import dataclass

from reports.catalogue import N_
from reports.quantiles import percentiles
from reports.run import Run
from reports.statistics import Estimate
from virtual_devices.segments import ENGAGING, Presentation, Seen, Segment, presentations

NAMES = {
    Segment.FOUND: N_("device found"), Segment.ENGAGED: N_("engaged"), Segment.SIGNED: N_("request signed at the desk"),
    Segment.REQUEST: N_("request sent"), Segment.RESPONSE: N_("response received"), Segment.VERIFIED: N_("response verified"),
    Segment.WRITTEN: N_("written back"), Segment.CLOSED: N_("session closed"), Segment.HUMAN: N_("acts of people"),
}
_KEYS = ("channel", "provenance", "device")
_COLUMNS = "replication, session, role, channel, device, provenance, step, at_ns, duration_ns, sent_ns, outcome = 'replied'"


@dataclass(frozen=True)
class SegmentTimes:
    """One segment over one channel, on one device, of one provenance: median and 95th percentile in nanoseconds."""

    channel: str
    provenance: str
    device: str
    segment: Segment
    p50: Estimate
    p95: Estimate


def found(run: Run) -> list[Presentation]:
    """Every whole presentation: of one that broke off it is not known what its segments would have been."""
    engaging = ", ".join(f"'{step}'" for step in sorted(ENGAGING))
    sessions = run.derive(
        "presented",
        f"SELECT DISTINCT replication, session FROM exchanges WHERE step IN ({engaging}) "
        "AND replication IN (SELECT replication FROM counted)",
    )
    rows = run.sql(
        f"SELECT {_COLUMNS}, unhex(hex(request)[1:4]), at_ns AS moment, 0 AS act FROM exchanges SEMI JOIN {sessions} "
        "USING (replication, session) UNION ALL "
        "SELECT replication, session, '', '', '', '', act, at_ns, duration_ns, -1, true, ''::BLOB, at_ns, 1 FROM acts "
        f"SEMI JOIN {sessions} USING (replication, session) ORDER BY replication, session, moment, act, role, step"
    )
    return [one for one in presentations(Seen(*row[:12]) for row in rows) if one.whole]


def relation(run: Run, given: list[Presentation]) -> str:
    """The name of the relation: replication, channel, provenance, device, segment, ns."""
    rows = [
        (p.replication, p.channel, provenance, device, segment.value, ns)
        for p in given for segment, ns in p.ns.items() if ns for device, provenance in (p.origin(segment),)
    ]
    return run.keep("segments", ("replication", *_KEYS, "segment", "ns"), rows)


def by_segment(run: Run) -> list[SegmentTimes]:
    """All segments, by channel, in the order of a presentation."""
    name = relation(run, found(run))
    estimates = percentiles(run, name, "ns", (0.5, 0.95), (*_KEYS, "segment"), steady=True)
    order = list(Segment)
    made = [SegmentTimes(channel, provenance, device, Segment(segment), p50, p95)
            for (channel, provenance, device, segment), (p50, p95) in estimates.items()]
    return sorted(made, key=lambda s: (s.channel, s.provenance, s.device, order.index(s.segment)))


__all__ = ["NAMES", "SegmentTimes", "by_segment", "found", "relation"]
