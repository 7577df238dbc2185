"""A visit as the desks' control software runs it on a virtual card: the same steps, and the same results, as ``visit.py`` has
for a physical one. What comes after reading does not know which card it was.

It is a phone met by NFC or by code and BLE, or a second-generation card in the slot: ``presentation.py`` knows which. Each flow
can be run again after a device that was taken away too early: ids of requests and batches stay.

How a credential stands is looked up in the status lists at hand. Suspended or revoked is refused (5002); unknown, because
the list is missing or past its end, is served, marked, and left to reconciliation.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from virtual_devices import vhc
from virtual_devices.authorization import Purpose, Scope
from virtual_devices.authorization_check import CODES, Checker, Reason, StatusLookup, Use
from virtual_devices.cose import MalformedCose, read_sign1
from virtual_devices.flow import Flow
from virtual_devices.reader.authenticate import sam_of
from virtual_devices.reader.calls import call
from virtual_devices.reader.desk import Desk
from virtual_devices.reader.presentation import OPEN_APP, Counter, ask_again, consented, present, ready_for_wallets
from virtual_devices.reader.proximity import ROLE, ReaderSession, Shown
from virtual_devices.reader.shown_records import SignedRecord, check_records
from virtual_devices.reader.transmit import Ended, Handle
from virtual_devices.reader.visit import SECOND_DEPARTMENT, WRONG_PERSON, VisitRequest
from virtual_devices.reader.write_back import former_shown, holder_shown, prepare, sign_records, target_of, write
from virtual_devices.status_list import Status, StatusVerdict
from virtual_devices.write_back import Batch, Receipt, Record, WriteOutcome

REVOKED = "5002"
NEVER_STORED = frozenset({WriteOutcome.BAD_SIGNATURE.code, WriteOutcome.CONFLICT.code})
"""What a wallet answers to a kept batch that it has never stored, when certificates were renewed, or something else was written,
since: the batch is made anew."""


@dataclass(frozen=True, slots=True)
class Person:
    """Whom the desk has before it. ``issuer_auth``: which credential was seen; ``device``: whom records for the card name
    (``write_back.holder_of``); ``status``: what is known of it, and the age of that knowledge in ns (-1: none); ``on_behalf``:
    who presented it for whom, when a guardian did, under which authorization (its id; DLG-03)."""

    card_no: str
    name: str
    issuer_auth: bytes
    device: bytes
    status: Status
    status_age_ns: int
    on_behalf: str = ""
    under: bytes = b""


@dataclass(frozen=True, slots=True)
class VirtualRegistered:
    """A visit registered with a virtual card. ``sequence`` and ``identifier`` are empty when the line was down."""

    request: VisitRequest
    person: Person
    sequence: str
    identifier: str
    notice: str

    @property
    def online(self) -> bool:
        return bool(self.identifier)


def register_wallet(desk: Desk, counter: Counter, request: VisitRequest) -> Flow[VirtualRegistered]:
    """Registration with a virtual card: presented and believed, then eligibility and sequence number from the data centre.

    Raises Ended with the code that refuses the patient, with the party that a wallet has refused, or a medium's failure.
    """

    def body(opened: ReaderSession, sam: Handle) -> Flow[Person]:
        shown = yield from ask_again(desk, opened, vhc.REGISTRATION, sam)
        return identify(desk, opened, shown, frozenset({Scope.BASIC}), counter.purpose)

    person = yield from present(desk, counter, OPEN_APP, body)
    sam = yield from sam_of(desk)
    arguments = {
        "card_no": person.card_no, "visit_type": request.visit_type, "carrier": "virtual-card", "visited_at": request.visited_at,
        **({"authorization": person.under} if person.under else {}),
    }
    answer = yield from call(desk, sam, "begin-visit", request.request_id, arguments, "get sequence number online")
    if answer is None:
        return VirtualRegistered(request, person, "", "", "0")
    if answer.code != "0":
        raise Ended("the data centre refuses the visit", answer.code, "cloud")
    notice = SECOND_DEPARTMENT if answer.body.get("same_day") else "0"
    return VirtualRegistered(
        request, person, str(answer.body.get("sequence", "")), str(answer.body.get("identifier", "")), notice
    )


def read_medical_wallet(desk: Desk, counter: Counter, hpc: Handle, registered: VirtualRegistered) -> Flow[Shown]:
    """What the physician reads before the consultation. Raises Ended 5020 for another person's card."""

    def body(opened: ReaderSession, sam: Handle) -> Flow[Shown]:
        shown = yield from ask_again(desk, opened, vhc.CONSULTATION, sam, hpc)
        _same(identify(desk, opened, shown, frozenset({Scope.BASIC, Scope.MEDICAL}), counter.purpose), registered)
        for name in ("visits", "prescriptions"):
            _signed(desk, opened, shown, name)
        return shown

    return (yield from present(desk, counter, OPEN_APP, body))


def write_wallet(
    desk: Desk, counter: Counter, registered: VirtualRegistered, records_for: Callable[[bytes], Sequence[Record]],
    batch_id: bytes, hpc: Handle | None = None,
) -> Flow[Receipt]:
    """Write records back, in one presentation: read what the wallet holds, sign, write. ``records_for`` makes the records for
    the card (``write_back.holder_of``).

    Run again after a receipt that never came, it sends the very same batch, which the desk has kept: stored is then told as
    already stored. Raises Ended: 5020 for another person's card, or what the wallet has against the batch.
    """

    def body(opened: ReaderSession, sam: Handle) -> Flow[Receipt]:
        shown = yield from ask_again(desk, opened, BEFORE_WRITING, sam, hpc)
        _same(identify(desk, opened, shown, frozenset({Scope.BASIC, Scope.WRITE}), counter.purpose), registered)
        target = target_of(shown)
        kept = desk.batches.get(batch_id)
        if kept is not None and kept.issuer_auth == target.issuer_auth:
            try:
                return (yield from send(opened, sam, kept))
            except Ended as e:
                if e.code not in NEVER_STORED:
                    raise
        signed = yield from sign_records(desk, records_for(target.holder), sam, hpc)
        kept = prepare(target, signed, batch_id)
        desk.batches[batch_id] = kept
        return (yield from send(opened, sam, kept))

    def send(opened: ReaderSession, sam: Handle, batch: Batch) -> Flow[Receipt]:
        receipt = yield from consented(opened, lambda: write(desk, opened, batch, sam, hpc=hpc))
        del desk.batches[batch_id]
        return receipt

    return (yield from present(desk, counter, OPEN_APP, body))


def send_late(
    desk: Desk, registered: VirtualRegistered, records_for: Callable[[bytes], Sequence[Record]], hpc: Handle | None = None,
) -> Flow[bool]:
    """The holder has left before the records were written: signed all the same, and left with the data centre for the phone.

    True when they are there; False when the line is down: run again later, and they are kept once. Raises Ended.
    """
    sam = yield from ready_for_wallets(desk)
    signed = yield from sign_records(desk, records_for(registered.person.device), sam, hpc)
    chains = [list(chain) for chain in (desk.reader_chain, desk.hpc_reader_chain if hpc is not None else ()) if chain]
    arguments = {"card_no": registered.person.card_no, "records": signed, "chains": chains}
    answer = yield from call(desk, sam, "late-records", desk.fresh(16), arguments, "leave records with the data centre")
    if answer is not None and answer.code != "0":
        raise Ended("the data centre does not take the records", answer.code, "cloud")
    return answer is not None


def read_prescriptions_wallet(desk: Desk, counter: Counter, hpc: Handle) -> Flow[tuple[Person, list[bytes], Shown]]:
    """At a pharmacy: the prescriptions on the phone, straight from the phone (RXS-02), as they were signed; whoever brings them.

    Each is a physician's and an institution's, for this very card: else Ended is raised, for a phone may show what its holder
    likes. Whether one was dispensed already the data centre knows.
    """

    def body(opened: ReaderSession, sam: Handle) -> Flow[tuple[Person, list[bytes], Shown]]:
        shown = yield from ask_again(desk, opened, vhc.DISPENSING, sam, hpc)
        person = identify(desk, opened, shown, frozenset({Scope.BASIC, Scope.COLLECT}), Purpose.PHARMACY)
        _signed(desk, opened, shown, "prescriptions")
        return person, list(shown.value(vhc.RECORDS, "prescriptions") or ()), shown

    return (yield from present(desk, counter, OPEN_APP, body))


BEFORE_WRITING = {
    vhc.BASIC: {"card_no": False, "name": False, vhc.HELD_UNDER: True}, vhc.RECORDS: {"generation": False},
    vhc.DELEGATION: {"authorization": True, "proof": True},
}


def identify(desk: Desk, opened: ReaderSession, shown: Shown, scope: frozenset[Scope], purpose: Purpose) -> Person:
    """Who this is, how the credential stands, and who presents it for whom. Raises Ended for what may not be served."""
    card_no, name = shown.value(vhc.BASIC, "card_no"), shown.value(vhc.BASIC, "name")
    if not isinstance(card_no, str) or not isinstance(name, str):
        raise Ended(f"the phone shows no card number: {shown.why(vhc.BASIC, 'card_no')}", "4043", ROLE)
    now_ns, mso, lists = desk.clock.now_ns(), shown.document.mso, desk.institution.lists
    status, age_ns = Status.UNKNOWN, -1
    if mso.status is not None and lists is not None:
        found = lists.look(mso.status.uri, mso.status.index, now_ns)
        status, age_ns = found.status, -1 if found.age_ns is None else found.age_ns
    if status not in (Status.VALID, Status.UNKNOWN):
        raise Ended(f"the card is {status.name.lower()}, says the status list", REVOKED, ROLE)
    on_behalf = _on_behalf(desk, opened, shown, Use(card_no, scope, purpose, mso.device_key))
    under = shown.value(vhc.BASIC, vhc.HELD_UNDER)
    return Person(card_no, name, shown.issued_hash, holder_shown(shown), status, age_ns, on_behalf, under)


def _on_behalf(desk: Desk, opened: ReaderSession, shown: Shown, use: Use) -> str:
    under, raw = shown.value(vhc.BASIC, vhc.HELD_UNDER), shown.value(vhc.DELEGATION, "authorization")
    if not isinstance(under, bytes):
        raise Ended(f"the phone does not say whose card it is: {shown.why(vhc.BASIC, vhc.HELD_UNDER)}", "4043", ROLE)
    if not under:
        return ""
    try:
        proof = read_sign1(shown.value(vhc.DELEGATION, "proof"))
    except MalformedCose:
        proof = None
    checker = Checker(desk.root, _lookup(desk), desk.revoked)
    presented = raw if raw is None or isinstance(raw, bytes) else b""
    verdict = checker.check_presented(presented, proof, opened.transcript.encoded, use, desk.clock.now_ns())
    if not verdict.holds:
        raise Ended(f"the guardian's authorization: {verdict.reason.value} {verdict.text}".rstrip(), verdict.code.number, ROLE)
    assert verdict.authorization is not None
    if verdict.authorization.cti != under:
        raise Ended("the card is held under another authorization", CODES[Reason.OUT_OF_SCOPE].number, ROLE)
    return verdict.authorization.says()


def _signed(desk: Desk, opened: ReaderSession, shown: Shown, name: str) -> list[SignedRecord]:
    """The records in this element, by those who signed them. Raises Ended."""
    found, chains = shown.value(vhc.RECORDS, name), shown.value(vhc.RECORDS, "certificates")
    mine = former_shown(shown) | {holder_shown(shown)}
    return check_records(found, chains, mine, desk.root, opened.work, desk.revoked)


def _lookup(desk: Desk) -> StatusLookup:
    lists = desk.institution.lists
    return lists.look if lists is not None else lambda *_: StatusVerdict(Status.UNKNOWN, None, "no status lists here")


def _same(person: Person, registered: VirtualRegistered) -> None:
    if person.card_no != registered.person.card_no:
        raise Ended("the phone in the field is another person's", WRONG_PERSON, ROLE)
