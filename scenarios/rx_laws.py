"""What must be equal at the end of a day with prescriptions: none is lost, none is counted beyond what was written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from scenarios.clinic_laws import Law, each
from virtual_devices.cloud.prescription_rows import FOLDERS, RECORDS
from virtual_devices.cloud.prescriptions import Prescriptions
from virtual_devices.reader.dispensing import Dispensed
from virtual_devices.reader.prescribing import Issued
from virtual_devices.reader.prescription_desk import Drawer


def laws(domain: Prescriptions, issued: Sequence[Issued], given: Sequence[Dispensed], drawers: Iterable[Drawer]) -> list[Law]:
    """``issued`` and ``given``: what was signed on this day; ``drawers``: where what is not told yet waits."""
    there = Counter(row.id for row in domain.books.shelf(RECORDS))
    queued = [one.filed.record.id for drawer in drawers for one in drawer.waiting]
    waiting = Counter(name for name in queued if not there[name])
    documents, dispensings = ({one.filed.record.id for one in signed} for signed in (issued, given))
    standings = [domain.standing(folder.root) for folder in domain.books.shelf(FOLDERS)]
    known = [standing for standing in standings if standing is not None and standing.versions]
    return [
        ("prescriptions signed = prescriptions in the data centre or waiting, each once", *_kept(documents, there + waiting)),
        ("dispensings signed = dispensings in the data centre or waiting, each once", *_kept(dispensings, there + waiting)),
        ("prescriptions = prescriptions with no more issues counted than written", len(known),
         sum(standing.dispensed <= standing.rx.issues for standing in known)),
    ]  # fmt: skip


def _kept(signed: set[bytes], there: Counter[bytes]) -> tuple[int, int]:
    return each(Counter(signed), {name: there[name] for name in signed})


__all__ = ["laws"]
