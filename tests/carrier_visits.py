"""Visits played twice at the tests' desk: with a physical card and format 1.0, with a virtual card and format 2.0.

Both ways run the flows that a clinic runs: register, write, queue, upload. What the institution knows of the patient and orders
is the same; what the records say of it is compared.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from virtual_devices.clock import NS, parse_roc
from virtual_devices.flow import Flow
from virtual_devices.institution.abnormal import situation_of, trouble_of, without_line
from virtual_devices.institution.told import Begun, Done, Whom, begun_with_card, begun_with_wallet, consultation
from virtual_devices.institution.uploads import drain, enqueue
from virtual_devices.link import Link
from virtual_devices.prescription.document import Entry, Prescription, PrescriptionClass
from virtual_devices.reader.authenticate import sam_of
from virtual_devices.reader.calls import call
from virtual_devices.reader.prescribing import card_entries, read_entries
from virtual_devices.reader.presentation import Counter, Medium
from virtual_devices.reader.transmit import Ended
from virtual_devices.reader.visit import open_card, register, roll_back, sign_prescriptions, write_consultation
from virtual_devices.reader.wallet_visit import register_wallet, send_late, write_wallet
from virtual_devices.uploads.facts import Fees, Newborn
from virtual_devices.uploads.fields import Version
from virtual_devices.uploads.rows import KEPT, Kept, Standing
from virtual_devices.write_back import Kind
from virtual_devices.write_back import Record as Written

from .desk import CARD_NO, DOCTOR_ID, HOLDER, INSTITUTION, NOW_NS, codes, entry, switch_on
from .links import Silence
from .wallets import WalletBench

LATER_NS = 2 * 3600 * NS
WHEN = "1150302080000"


@dataclass(frozen=True)
class Case:
    """One visit. ``kind``: what is released to a pharmacy, None for what is dispensed here; ``when``: as the list of differences
    has it; ``late``: the holder leaves before anything is written; ``cancelled``: taken back before it is told of."""

    when: str = "online"
    kind: PrescriptionClass | None = None
    home: bool = False
    newborn: Newborn | None = None
    late: bool = False
    cancelled: bool = False


CASES = {
    "ordinary": Case(),
    "refill": Case(kind=PrescriptionClass.REFILL),
    "controlled": Case(kind=PrescriptionClass.CONTROLLED),
    "home visit": Case(home=True),
    "home visit without a line": Case("without a line", home=True),
    "without a line": Case("without a line"),
    "newborn under the mother's card": Case(newborn=Newborn(date(2026, 2, 20), 2, "b")),
    "unreadable": Case("unreadable"),
    "written back late": Case(late=True),
    "cancelled": Case(cancelled=True),
}


@dataclass(frozen=True)
class Stored:
    """What the data centre has of it in the end: records, and the visits that it knows."""

    kept: list[Kept]
    visits: list[tuple[object, ...]]


def prescription(case: Case) -> Prescription | None:
    if case.kind is None:
        return None
    refill = case.kind.refill
    entries = (Entry("2" if refill else "1", "AC00000001", "", "1T TID PO", 28 if refill else 3, 840, "06" if refill else "02"),)
    issues, last = (3, date(2026, 5, 1)) if refill else (1, date(2026, 3, 4))
    return Prescription(
        b"p" * 16, b"d" * 32, NOW_NS, INSTITUTION, entries, last, case.kind, issues, entries[0].days, CARD_NO
    )


def entries_of(case: Case) -> list[bytes]:
    document = prescription(case)
    return [entry(WHEN, "1", 1), entry(WHEN, "1", 2)] if document is None else card_entries(document, WHEN)


def done(case: Case, signatures: Sequence[str] = ()) -> Done:
    document = prescription(case)
    own = () if document is not None else tuple(one for _, one in read_entries(entries_of(case)))
    return Done(("J069",), Fees(outpatient=420, outpatient_copay=50), own, document, tuple(signatures))


def bench_for(case: Case, version: Version) -> WalletBench:
    bench = WalletBench(counter=Counter(Medium.QR_BLE) if case.home else Counter())
    bench.run(switch_on(bench))
    bench.desk.institution.version = version
    return bench


def without(case: Case, role: str) -> dict[str, Link]:
    """Links that are silent while the patient is there."""
    broken = {"without a line": "cloud", "unreadable": role}.get(case.when)
    return {} if broken is None else {broken: Silence()}


def with_card(case: Case) -> Stored:
    """The physical card's semantics, told in format 1.0."""
    bench = bench_for(case, Version.V10)
    request, broken = bench.request(), without(case, "card")
    try:
        registered = bench.run(register(bench.desk, request), **broken)
    except Ended as e:
        return told(bench, case, _treated_without(e), "")
    if case.cancelled:
        bench.run(roll_back(bench.desk, registered, bench.act("cancel"), WHEN), **broken)
        return settled(bench)
    entries = entries_of(case)

    def write() -> Flow[list[str]]:
        _, card, _ = yield from open_card(bench.desk, bench.doctor)
        yield from write_consultation(card, registered, bench.act("write"), codes(), entries)
        return (yield from sign_prescriptions(bench.desk, (yield from sam_of(bench.desk)), entries))

    signatures = bench.run(write(), **broken)  # a card that has left cannot be written at all: it is put in again
    return told(bench, case, begun_with_card(registered, bench.desk.sam_id, case.newborn), CARD_NO, signatures)


def with_wallet(case: Case) -> Stored:
    """The virtual card's semantics, told in format 2.0."""
    bench = bench_for(case, Version.V20)
    request, broken = bench.request(), without(case, "wallet")
    try:
        registered = bench.run(register_wallet(bench.desk, bench.counter, request), **broken)
    except Ended as e:
        return told(bench, case, _treated_without(e), "")
    if case.cancelled:
        def cancel() -> Flow[Any]:
            sam, arguments = (yield from sam_of(bench.desk)), {"identifier": registered.identifier}
            return (yield from call(bench.desk, sam, "roll-back", bench.act("cancel"), arguments, "cancel"))

        bench.run(cancel())
        return settled(bench)

    def records(holder: bytes) -> Sequence[Written]:
        return [Written(Kind.PRESCRIPTION, bench.act(f"rx {n}"), holder, NOW_NS, {1: e}) for n, e in enumerate(entries_of(case))]

    if case.late:
        bench.run(send_late(bench.desk, registered, records, bench.doctor), **broken)
    else:
        bench.run(write_wallet(bench.desk, bench.counter, registered, records, bench.act("batch"), bench.doctor), **broken)
    begun = begun_with_wallet(registered, without_line(home=case.home, bluetooth=case.home), case.newborn)
    return told(bench, case, begun, CARD_NO)


def _treated_without(ended: Ended) -> Begun:
    return Begun(parse_roc(WHEN), situation=situation_of(trouble_of(ended)))


def told(bench: WalletBench, case: Case, begun: Begun, card_no: str, signatures: Sequence[str] = ()) -> Stored:
    """Queued when the visit ends, and sent when there is a line."""
    whom = Whom(HOLDER.id_no, HOLDER.birth_date, card_no)
    facts = consultation(INSTITUTION, DOCTOR_ID, whom, replace(begun, newborn=case.newborn), done(case, signatures))
    enqueue(bench.desk, "visit", facts, bench.request().request_id, NOW_NS, NOW_NS)
    bench.clock.advance_to(bench.clock.now_ns() + LATER_NS)

    def send() -> Flow[int]:
        return (yield from drain(bench.desk, (yield from sam_of(bench.desk))))

    assert bench.run(send()) == 1, [p.findings for p in bench.desk.institution.refused]
    return settled(bench)


def settled(bench: WalletBench) -> Stored:
    visits = [
        (v.card_no, v.institution, v.begun_ns, v.rolled_back, v.stored_ns >= 0, v.ended_ns) for v in bench.core.visits
    ]
    return Stored([row for row in bench.core.books.shelf(KEPT) if row.standing is Standing.COUNTED], visits)


WAYS: tuple[Callable[[Case], Stored], Callable[[Case], Stored]] = (with_card, with_wallet)
