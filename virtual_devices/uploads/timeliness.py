"""An institution's figures beside the bars. When a record is due says :mod:`virtual_devices.uploads.deadline`; which are late,
and which visits have none, the data centre knows (:mod:`virtual_devices.cloud.lateness`).

The bars, and the steps of the share in error, are **public**: a pharmacists' notice and the insurer's training decks.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from virtual_devices.tables import read_table
from virtual_devices.uploads.lists import DEADLINES
from virtual_devices.uploads.rows import Kept, Standing


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


__all__ = ["Acceptance", "acceptance"]
