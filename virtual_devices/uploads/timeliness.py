"""Whether records came in time: every late or missing visit by name, and an institution's figures beside the bars.

A record is due 24 hours after the service (official, special cases apart). The bars, and the steps of the share in error, are
**public**: a pharmacists' notice and the insurer's training decks.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from virtual_devices.clock import NS, parse_roc
from virtual_devices.tables import read_table
from virtual_devices.uploads.lists import DEADLINES
from virtual_devices.uploads.rows import Kept, Standing
from virtual_devices.uploads.values import is_moment

SAME_BEGINNING_S = 600


@dataclass(frozen=True, slots=True)
class KnownVisit:
    """A visit that the data centre knows to have been: it gave the identifier, or another record tells of it."""

    identifier: str
    institution: str
    national_id: str
    begun_ns: int
    ended_ns: int

    @property
    def due_ns(self) -> int:
        return self.ended_ns + int(DEADLINES["upload_24h"].value) * 3600 * NS


@dataclass(frozen=True, slots=True)
class LateRecord:
    """A visit whose record came after its time, or is not there. ``received_ns``: -1 when it is missing; ``failed``: one came and
    failed a check, which leaves the visit missing."""

    identifier: str
    institution: str
    national_id: str
    due_ns: int
    received_ns: int
    failed: bool = False

    @property
    def missing(self) -> bool:
        return self.received_ns < 0


def late(kept: Iterable[Kept], known: Iterable[KnownVisit], at_ns: int) -> list[LateRecord]:
    """Everything that is late at that moment: records first, then visits without a record that counts, each in its order.

    A record without identifier (format 1.0) is that of a visit of the same person and place that began within ten minutes of it.
    """
    found: list[LateRecord] = []
    told: dict[tuple[str, str], Standing] = {}
    nameless: dict[tuple[str, str], list[Kept]] = {}
    for row in kept:
        if row.standing is Standing.COUNTED and row.received_ns > row.due_ns:
            found.append(LateRecord(row.identifier, row.institution, row.national_id, row.due_ns, row.received_ns))
        if not row.identifier and is_moment(row.visited_at, 13):
            nameless.setdefault((row.institution, row.national_id), []).append(row)
        elif row.identifier and told.get((row.institution, row.identifier), Standing.FAILED) is Standing.FAILED:
            told[(row.institution, row.identifier)] = row.standing
    for visit in known:
        if at_ns <= visit.due_ns:
            continue
        standing = told.get((visit.institution, visit.identifier))
        near = [
            row.standing for row in nameless.get((visit.institution, visit.national_id), ())
            if abs(parse_roc(row.visited_at) - visit.begun_ns) <= SAME_BEGINNING_S * NS
        ]
        if standing in (None, Standing.FAILED) and all(one is Standing.FAILED for one in near):
            failed = standing is not None or bool(near)
            found.append(LateRecord(visit.identifier, visit.institution, visit.national_id, visit.due_ns, -1, failed))
    return found


@dataclass(frozen=True, slots=True)
class Acceptance:
    """One institution's figures. ``records``: those that count; ``claimed``: visits that it claims fees for; ``matched``: claims
    with a record; ``failed``: records that failed and were not corrected."""

    institution: str
    records: int
    timely: int
    failed: int
    claimed: int
    matched: int

    @property
    def timely_share(self) -> float:
        return self.timely / self.records if self.records else 1.0

    @property
    def matched_share(self) -> float:
        return self.matched / self.claimed if self.claimed else 1.0

    @property
    def error_share(self) -> float:
        came = self.records + self.failed
        return self.failed / came if came else 0.0

    @property
    def error_band(self) -> int:
        """How many steps of the payment scale are passed: 0 below the first."""
        steps: list[float] = read_table("upload_lists")["error_band"]["steps"]
        return sum(self.error_share >= step for step in steps)

    @property
    def timely_enough(self) -> bool:
        return self.timely_share >= DEADLINES["bar_timely"].value

    @property
    def matched_enough(self) -> bool:
        return self.matched_share >= DEADLINES["bar_matched"].value


def acceptance(institution: str, kept: Iterable[Kept], claimed: Iterable[str], month: str = "") -> Acceptance:
    """The figures of one institution, of a month (ROC YYYMM) or of all. ``claimed``: the identifiers it claims."""
    rows = [row for row in kept if row.institution == institution and row.visited_at.startswith(month)]
    counted = [row for row in rows if row.standing is Standing.COUNTED]
    claims = list(claimed)
    told = {row.identifier for row in counted}
    return Acceptance(
        institution, len(counted), sum(row.received_ns <= row.due_ns for row in counted),
        sum(row.standing is Standing.FAILED for row in rows), len(claims), sum(claim in told for claim in claims),
    )


__all__ = ["Acceptance", "KnownVisit", "LateRecord", "acceptance", "late"]
