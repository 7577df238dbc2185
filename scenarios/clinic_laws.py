"""What must be equal at the end of a clinic's morning: nothing is lost, nothing is counted twice.

Each law is checked visit by visit: its left side counts visits or records, its right side those of them that are as they
must be, less whatever is there too much. So a visit that is missing in one place is never made up for by one too many in
another.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from scenarios.clinic_counters import Visit
from scenarios.town import Patient
from virtual_devices.cloud.core import DataCentre
from virtual_devices.reader.desk import Institution
from virtual_devices.reader.visit import Registered

Name = TypeVar("Name")
Law = tuple[str, int, int]
"""A law's name, its left and its right side."""
OnCard = Callable[[Patient], Sequence[tuple[str, str]]]
"""Time and sequence number of each visit to the institution that is on the patient's physical card."""


def laws(
    visits: Sequence[Visit], left: Mapping[str, int], institution: Institution, core: DataCentre, on_card: OnCard
) -> list[Law]:
    """The laws of one replication. ``left``: how often each visit ended."""
    records = [*institution.done, *institution.refused, *institution.queue]
    told = Counter(pending.visit for pending in records)
    begun = {visit.id: visit.registered is not None for visit in visits}
    cards = [visit for visit in visits if visit.patient.card is not None]
    numbered = [visit for visit in cards if isinstance(visit.registered, Registered)]
    broken_off = [visit for visit in cards if visit.registered is None]
    return [
        ("patients who came = patients who left, each once", *each(Counter(v.id for v in visits), left)),
        ("visits registered from cards = visits on those cards, each its own", len(numbered),
         sum(list(on_card(v.patient)) == [_stated(v)] for v in numbered)),
        ("visits broken off while registering = cards with one visit at most", len(broken_off),
         sum(len(on_card(v.patient)) <= 1 for v in broken_off)),
        ("visits registered = records made, one each", *each(Counter(v for v, is_begun in begun.items() if is_begun), told)),
        ("uploads confirmed = the same records in the data centre", *stored(institution, core)),
        ("visits told to the data centre = different visits told", len(records), len({p.record.key for p in records})),
    ]  # fmt: skip


def each(wanted: Mapping[Name, int], there: Mapping[Name, int]) -> tuple[int, int]:
    """How many are wanted, and that less everything that is missing or too much."""
    whole = sum(wanted.values())
    return whole, whole - sum(abs(wanted.get(name, 0) - there.get(name, 0)) for name in wanted.keys() | there.keys())


def _stated(visit: Visit) -> tuple[str, str]:
    registered = visit.registered
    assert isinstance(registered, Registered)
    return registered.request.visited_at, registered.sequence


def stored(institution: Institution, core: DataCentre) -> tuple[int, int]:
    """Records confirmed, and those of them that are there as they were sent, less those that nobody sent.

    A record that still waits may be there already: then its confirmation was lost on the way.
    """
    sent = {(institution.code, p.record.key): p.record for p in [*institution.done, *institution.queue]}
    there = sum(core.records.get(institution.code, p.record.key) == p.record for p in institution.done)
    own = [record for record in core.records if record.institution == institution.code]
    return len(institution.done), there - sum(sent.get((record.institution, record.key)) != record for record in own)


__all__ = ["Law", "OnCard", "each", "laws", "stored"]
