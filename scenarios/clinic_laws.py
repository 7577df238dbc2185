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
from virtual_devices.reader.desk import Institution, Pending
from virtual_devices.reader.visit import Registered
from virtual_devices.uploads.draft import content_of
from virtual_devices.uploads.rows import KEPT, Standing
from virtual_devices.uploads.xml_reader import read

Name = TypeVar("Name")
Law = tuple[str, int, int]
"""A law's name, its left and its right side."""
OnCard = Callable[[Patient], Sequence[tuple[str, str]]]
"""Time and sequence number of each visit to the institution that is on the patient's physical card."""
UPLOADED = "uploads confirmed = the same records in the data centre"


def laws(
    visits: Sequence[Visit], left: Mapping[str, int], institution: Institution, core: DataCentre, on_card: OnCard
) -> list[Law]:
    """The laws of one replication. ``left``: how often each visit ended."""
    records = made(institution)
    begun = Counter(visit.id for visit in visits if visit.registered is not None or visit.trouble is not None)
    cards = [visit for visit in visits if visit.patient.card is not None]
    numbered = [visit for visit in cards if isinstance(visit.registered, Registered)]
    broken_off = [visit for visit in cards if visit.registered is None]
    return [
        ("patients who came = patients who left, each once", *each(Counter(v.id for v in visits), left)),
        ("visits registered from cards = visits on those cards, each its own", len(numbered),
         sum(list(on_card(v.patient)) == [_stated(v)] for v in numbered)),
        ("visits broken off while registering = cards with one visit at most", len(broken_off),
         sum(len(on_card(v.patient)) <= 1 for v in broken_off)),
        ("visits registered = records made, one each", *each(begun, told(institution))),
        (UPLOADED, *uploaded(institution, core)),
        ("visits told to the data centre = different visits told", len(records),
         len({(p.told.national_id, p.told.visited_ns) for p in records})),
    ]  # fmt: skip


def each(wanted: Mapping[Name, int], there: Mapping[Name, int]) -> tuple[int, int]:
    """How many are wanted, and that less everything that is missing or too much."""
    whole = sum(wanted.values())
    return whole, whole - sum(abs(wanted.get(name, 0) - there.get(name, 0)) for name in wanted.keys() | there.keys())


def _stated(visit: Visit) -> tuple[str, str]:
    registered = visit.registered
    assert isinstance(registered, Registered)
    return registered.request.visited_at, registered.sequence


def made(institution: Institution) -> list[Pending]:
    """Every record that an institution has made, wherever it is."""
    return [*institution.done, *institution.refused, *institution.waiting, *institution.queue]


def told(institution: Institution) -> Counter[str]:
    """How many records were made of each visit."""
    return Counter(pending.visit for pending in made(institution))


def uploaded(institution: Institution, core: DataCentre) -> tuple[int, int]:
    """Records that count, as check reports said, and those of them that the data centre keeps as they were sent, each once, with
    their visit known to have been told of; less those kept that nobody sent.

    A record that still waits may be there already: then its report was lost on the way.
    """
    shelf = core.books.shelf(KEPT)
    kept = Counter(row.content for row in shelf.where(institution=institution.code) if row.standing is Standing.COUNTED)
    sent = Counter(_content(pending) for pending in institution.done)
    waiting = {_content(pending) for pending in [*institution.waiting, *institution.queue] if pending.file}
    known = sum(_known(pending, core) for pending in institution.done)
    there = sum((kept & sent).values())
    unsent = sum(count for content, count in (kept - sent).items() if content not in waiting)
    return len(institution.done), min(there, known) - unsent


def _content(pending: Pending) -> bytes:
    return content_of(read(pending.file).records[0])


def _known(pending: Pending, core: DataCentre) -> bool:
    """Whether nobody will ask for the visit as missing."""
    visit = core.visits.get(pending.told.identifier) if pending.told.identifier else None
    return visit.stored_ns >= 0 if visit is not None else pending.opcode != ""


__all__ = ["Law", "OnCard", "UPLOADED", "each", "laws", "made", "told", "uploaded"]
