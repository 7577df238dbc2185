"""A clinic's desk: a prescription is signed once, and the same bytes go to the data centre, to the phone, to the holder's code.

    issued = yield from issue(desk, drawer, rx, hpc)                 signed, at the data centre or waiting for the line
    yield from put_on_wallet(desk, counter, person, [issued.filed.signed], batch_id, hpc)      ``prescription_wallet.py``
    entries = card_entries(rx, visited_at)                           for a physical card, by ``write_consultation``

A first-generation card has no room for the signed document: it gets the layout's entries, and the pharmacy fetches the document
from the data centre.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from virtual_devices.clock import NS
from virtual_devices.errors import UsageError
from virtual_devices.flow import Flow
from virtual_devices.prescription.acts import About, Answer, Decision, Query, Restoration, read_act
from virtual_devices.prescription.codes import CODES, Why
from virtual_devices.prescription.document import Cancellation, Entry, Prescription, read_prescription
from virtual_devices.prescription.reckoning import Reckoning
from virtual_devices.prescription.rules import fault
from virtual_devices.prescription.signing import Filed
from virtual_devices.reader.desk import Desk
from virtual_devices.reader.prescription_desk import Drawer, Sent, need_line, send, sign, wait
from virtual_devices.reader.transmit import Ended, Handle
from virtual_devices.records import RECORDS, Value
from virtual_devices.write_back import Kind, Record


@dataclass(frozen=True, slots=True)
class Issued:
    """``online``: the data centre has it; else it waits."""

    prescription: Prescription
    filed: Filed
    online: bool


def issue(desk: Desk, drawer: Drawer, rx: Prescription, hpc: Handle) -> Flow[Issued]:
    """Sign a prescription or an amendment and leave it with the data centre. Run again with the same one after no line, it sends
    what was signed then.

    Raises Ended: what the rules have against the document, no line where the policy wants one (4061; it may have arrived all the
    same, so a cancellation waits), or the data centre's no.
    """
    wrong = fault(rx)
    if wrong is not None:
        raise Ended(f"the prescription: {wrong.value}", str(CODES[wrong]), "his")
    root = rx.id if not rx.amends else _root(drawer, rx.amends)
    filed = next((f for f in drawer.known.get(root, ()) if f.record.id == rx.id), None)
    if filed is None:
        filed = yield from sign(desk, drawer, rx.record(), hpc)
        drawer.keep(root, [filed])
    offline = drawer.policy.issue_offline
    sent = yield from send(desk, drawer, "rx-store", filed, queue=offline)
    if sent.waits and not offline:
        yield from _take_back(desk, drawer, filed, hpc)
    if not (sent.waits and offline):
        need_line(sent, "a prescription")
    return Issued(read_prescription(filed.record), filed, sent.ok)


def _take_back(desk: Desk, drawer: Drawer, filed: Filed, hpc: Handle) -> Flow[None]:
    """It was not given to anybody, and the data centre may have it all the same."""
    rx = read_prescription(filed.record)
    void = yield from sign(desk, drawer, _cancellation(desk, rx, filed, "not issued: no line").record(), hpc)
    wait(drawer, "rx-store", filed)
    wait(drawer, "rx-store", void)


def cancel(desk: Desk, drawer: Drawer, standing: Reckoning, hpc: Handle, reason: str) -> Flow[Sent]:
    """What is left of it is void. Waits without a line, where the policy lets prescriptions be issued without one."""
    void = _cancellation(desk, standing.rx, standing.head.filed, reason)
    return (yield from _change(desk, drawer, standing, void.record(), hpc))


def restore(desk: Desk, drawer: Drawer, standing: Reckoning, hpc: Handle) -> Flow[Sent]:
    """A cancellation taken back."""
    if standing.head.filed.record.kind is not Kind.CANCEL:
        raise Ended("nothing is cancelled", str(CODES[Why.NOT_CANCELLED]), "his")
    act = Restoration(desk.fresh(16), about(standing), desk.institution.code, _now(desk), standing.head.filed.digest)
    return (yield from _change(desk, drawer, standing, act.record(), hpc))


def amendment(desk: Desk, standing: Reckoning, changed: Prescription) -> Prescription:
    """The document that takes the place of the newest one: for :func:`issue`."""
    return replace(
        changed, id=desk.fresh(16), issued_ns=_now(desk), amends=standing.rx.id, follows=standing.head.filed.digest,
        device=standing.rx.device, institution=standing.rx.institution,
    )


def confirm(desk: Desk, drawer: Drawer, query: Query, hpc: Handle, text: str = "") -> Flow[Sent]:
    """The physician's answer to a doubt: dispense it as it is written. Needs the line. Raises Ended."""
    return (yield from answer(desk, drawer, query, Decision.CONFIRM, hpc, text))


def answer(desk: Desk, drawer: Drawer, query: Query, decision: Decision, hpc: Handle, text: str = "") -> Flow[Sent]:
    """An answer, or the pharmacy's own withdrawal. Raises Ended."""
    act = Answer(desk.fresh(16), query.about, desk.institution.code, _now(desk), query.id, decision, text)
    filed = yield from sign(desk, drawer, act.record(), hpc)
    sent = yield from send(desk, drawer, "rx-answer", filed, queue=False)
    return need_line(sent, "an answer")


def _change(desk: Desk, drawer: Drawer, standing: Reckoning, record: Record, hpc: Handle) -> Flow[Sent]:
    filed = yield from sign(desk, drawer, record, hpc)
    sent = yield from send(desk, drawer, "rx-store", filed, queue=drawer.policy.issue_offline)
    if not (sent.waits and drawer.policy.issue_offline):
        need_line(sent, "a change of a prescription")
    drawer.keep(standing.chain[0].filed.record.id, [filed])
    return sent


def _cancellation(desk: Desk, rx: Prescription, head: Filed, reason: str) -> Cancellation:
    return Cancellation(desk.fresh(16), rx.device, _now(desk), rx.institution, rx.id, head.digest, reason)


def _root(drawer: Drawer, document: bytes) -> bytes:
    """Of a document that this institution knows. Raises UsageError."""
    for root, records in drawer.known.items():
        if any(filed.record.id == document for filed in records):
            return root
    raise UsageError("the document that is amended is not known here: fetch the prescription first")


def about(standing: Reckoning) -> About:
    """What an act on a prescription says that it is about: its newest version."""
    document = standing.document
    return About(standing.chain[0].filed.record.id, document.record.id, document.digest, document.record.holder)


def _now(desk: Desk) -> int:
    """To the second, as records are dated."""
    return desk.clock.now_ns() // NS * NS


# -- a physical card's entries

def card_entries(rx: Prescription, visited_at: str) -> list[bytes]:
    """The layout's entries (門診處方箋, 61 bytes each) of a prescription. ``visited_at``: the visit's date-time on the card.
    Raises PackError for what the layout cannot hold."""
    return [RECORDS["outpatient_rx"].pack(_values(entry, visited_at)) for entry in rx.entries]


def _values(entry: Entry, visited_at: str) -> Mapping[str, Value]:
    return {
        "visit_datetime": visited_at, "order_type": entry.order_type, "item_code": entry.item_code, "body_site": entry.site,
        "usage": entry.usage, "days": f"{entry.days:02d}", "delivery_mark": entry.delivery_mark,
        "total_quantity": f"{entry.total_tenths // 10:05d}.{entry.total_tenths % 10}",
    }


def read_entries(raw: Iterable[bytes]) -> list[tuple[str, Entry]]:
    """The entries that a card shows, each with the date-time of its visit; blank slots are left out. Raises UnpackError."""
    found = []
    for one in raw:
        v = RECORDS["outpatient_rx"].texts(one)
        if any(v.values()):
            whole, _, tenth = v["total_quantity"].partition(".")
            total = int(whole or "0") * 10 + int(tenth or "0")
            entry = Entry(
                v["order_type"], v["item_code"], v["body_site"], v["usage"], int(v["days"] or "0"), total, v["delivery_mark"],
            )
            found.append((v["visit_datetime"], entry))
    return found


def query_of(filed: Filed) -> Query:
    """The query in a record. Raises MalformedPrescription, UsageError for another kind."""
    act = read_act(filed.record)
    if not isinstance(act, Query):
        raise UsageError(f"a record of kind {filed.record.kind.value} is no query")
    return act


__all__ = [
    "Issued", "about", "amendment", "answer", "cancel", "card_entries", "confirm", "issue", "query_of", "read_entries",
    "restore",
]
