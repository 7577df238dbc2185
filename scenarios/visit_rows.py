"""The row that each visit leaves behind when the patient leaves, whatever situation it was in."""

from __future__ import annotations

from scenarios.town import Patient
from scenarios.world import Tally, World
from virtual_devices.trace import VisitRow


def visit_row(
    world: World, visit: str, patient: Patient, tally: Tally, *, arrived_ns: int, outcome: str, code: str, sequence: str = "",
    online: bool = False, booked: bool = False,
) -> VisitRow:
    """The patient leaves now."""
    provenances = tally.provenances
    return VisitRow(
        replication=world.replication, visit=visit, patient=patient.key, booking="booked" if booked else "walk-in",
        carrier=patient.carrier, devices=" + ".join(sorted(tally.devices)),
        provenance=next(iter(provenances)) if len(provenances) == 1 else ("mixed" if provenances else "modelled"),
        arrived_ns=arrived_ns, left_ns=world.clock.now_ns(), outcome=outcome, code=code, sequence=sequence, online=online,
        card_time_ns=tally.card_ns, cloud_time_ns=tally.cloud_ns, attempts=tally.attempts, retries=tally.retries,
    )


__all__ = ["visit_row"]
