"""The latency of a step: the sum of its exchanges inside one session, as the person at the counter felt it.

Tries that failed count: they were waited for. A session that mixed devices or provenances gives one sample to each, never a
mixed one.
"""

from __future__ import annotations

from dataclasses import dataclass

from reports.quantiles import percentiles
from reports.run import Run
from reports.statistics import Estimate

PERCENTILES = (0.5, 0.95, 0.99)


@dataclass(frozen=True)
class StepLatency:
    """One step over one channel, one device, one provenance: median, 95th and 99th percentile in nanoseconds."""

    channel: str
    role: str
    step: str
    device: str
    provenance: str
    p50: Estimate
    p95: Estimate
    p99: Estimate


def samples(run: Run) -> str:
    """The relation with one row a session and step: replication, channel, role, step, device, provenance, ns."""
    by = "replication, session, channel, role, step, device, provenance"
    return run.derive(
        "latencies",
        f"SELECT {by}, CAST(sum(duration_ns) AS BIGINT) AS ns FROM exchanges "
        f"WHERE replication IN (SELECT replication FROM counted) GROUP BY {by} ORDER BY {by}",
    )


def contacts(run: Run) -> str:
    """The relation with one row a session, channel and device: everything that went that way in one contact."""
    by = "replication, session, channel, device, provenance"
    return run.derive(
        "contacts", f"SELECT {by}, CAST(sum(ns) AS BIGINT) AS ns FROM {samples(run)} GROUP BY {by} ORDER BY {by}"
    )


def by_step(run: Run) -> list[StepLatency]:
    """All steps, by channel, slowest first, the devices and provenances of one step side by side."""
    keys = ("channel", "role", "step", "device", "provenance")
    found = percentiles(run, samples(run), "ns", PERCENTILES, keys, steady=True)
    rows = [StepLatency(*key, *estimates) for key, estimates in found.items()]
    slowest: dict[tuple[str, str, str], float] = {}
    for r in rows:
        slowest[r.channel, r.role, r.step] = max(slowest.get((r.channel, r.role, r.step), 0.0), r.p50.value or 0.0)
    return sorted(rows, key=lambda r: (r.channel, -slowest[r.channel, r.role, r.step], r.step, r.role, r.provenance, r.device))
