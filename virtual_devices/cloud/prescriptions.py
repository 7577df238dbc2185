"""Prescriptions at the data centre, as a pure domain: stored once by id and hash, dispensed once each issue, doubted and
answered, found until their retention ends.

No signature is checked here: who calls has done it (``prescription_service.py``), or stands in a drawn world where nothing is
signed. Two ways lead in, and the same record may come by both, and again:

    take    a record that asks: it is judged by the table of states, and refused it changes nothing
    tell    a dispensing or a return that has happened, with the documents that the pharmacy had: kept, whatever is against it

What stands is reckoned anew from all records of one prescription (``reckoning.py``), so it does not hang on the order of coming.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, replace

from virtual_devices.clock import NS
from virtual_devices.cloud.books import Books
from virtual_devices.cloud.prescription_rows import FOLDERS, GONE, NEVER_NS, RECORDS, Folder, RecordRow
from virtual_devices.pki import Role
from virtual_devices.prescription import recipient
from virtual_devices.prescription.acts import (
    ACTS,
    Act,
    Answer,
    Decision,
    Dispensing,
    Query,
    Received,
    Return,
    read_act,
)
from virtual_devices.prescription.codes import CODES, RxCode, Why
from virtual_devices.prescription.document import (
    FOLLOWS,
    MalformedPrescription,
    Prescription,
    read_cancellation,
    read_prescription,
)
from virtual_devices.prescription.judging import may_dispense
from virtual_devices.prescription.reckoning import Doubt, Kept, Reckoning, Supply, reckon
from virtual_devices.prescription.rules import SKEW_S, Rules, begin_of, fault, kept_until_ns
from virtual_devices.prescription.signing import Filed
from virtual_devices.prescription.states import Event, Refusal, State, step
from virtual_devices.write_back import Kind, Record

_EVENTS = {Kind.AMEND: Event.AMEND, Kind.CANCEL: Event.CANCEL, Kind.RESTORE: Event.RESTORE}
FACTS = frozenset({Kind.DISPENSE, Kind.RETURN, Kind.RECEIVED})
"""Kinds that may be told of, not only asked for."""
_DOCUMENTS = frozenset({Kind.PRESCRIPTION, Kind.AMEND, Kind.CANCEL, Kind.RESTORE})


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a record. ``again``: it was here already. ``issue``: what a dispensing counts as, 0 when beyond the count;
    ``found``: what is against it, reported and kept."""

    why: Why
    again: bool = False
    issue: int = 0
    found: frozenset[Why] = frozenset()

    @property
    def ok(self) -> bool:
        return self.why is Why.OK

    @property
    def code(self) -> RxCode:
        return CODES[self.why]


class Prescriptions:
    """All prescriptions that the data centre knows of."""

    def __init__(self, books: Books, rules: Rules | None = None) -> None:
        self.books = books
        self.cards_of: Callable[[str], Collection[bytes]] = lambda _: ()
        """What records name a person's cards (``write_back.holder_of``), of all that they ever had, by the card number."""
        self.rules = rules or Rules()
        self._folders = books.shelf(FOLDERS)
        self._records = books.shelf(RECORDS)
        self._gone = books.shelf(GONE)

    # -- in

    def take(self, filed: Filed, now_ns: int) -> Outcome:
        """A record that asks to be done: stored, or refused without a trace. The same again is answered as at first."""
        known = self._known(filed)
        if known is not None:
            return known
        with self.books.transaction():
            try:
                why, root = self._judge(filed, now_ns)
            except MalformedPrescription:
                return Outcome(Why.MALFORMED)
            return self._store(filed, root, now_ns) if why is Why.OK else Outcome(why)

    def tell(self, filed: Filed, documents: Iterable[Filed], now_ns: int) -> Outcome:
        """What has happened at a pharmacy, and the signed documents that it had, oldest first: those that have not come yet are
        taken too. Refused is only what is no such record."""
        if filed.record.kind not in FACTS:
            return Outcome(Why.MALFORMED)
        with self.books.transaction():
            self.bring(documents, now_ns)
            known = self._known(filed)
            if known is not None:
                return known
            try:
                act = read_act(filed.record)
            except MalformedPrescription:
                return Outcome(Why.MALFORMED)
            why = self._fact(act, filed)
            return self._store(filed, act.about.root, now_ns) if why is Why.OK else Outcome(why)

    def bring(self, documents: Iterable[Filed], now_ns: int) -> None:
        """Signed documents from somebody who holds them, oldest first: what has not come yet is taken, the rest passed over."""
        for document in documents:
            if document.record.kind in _DOCUMENTS:
                self.take(document, now_ns)

    # -- out

    def standing(self, root: bytes) -> Reckoning | None:
        """What stands of a prescription, by the id of its first document; None when nothing has come."""
        rows = self._records.where(root=root)
        return reckon((row.kept() for row in rows), self.rules) if rows else None

    def signed(self, root: bytes) -> list[bytes]:
        """The records of a prescription as they were signed, in the order of coming."""
        return [row.signed for row in sorted(self._records.where(root=root), key=lambda row: row.position)]

    def for_phone(self, card_no: str, cards: Collection[bytes]) -> list[RecordRow]:
        """Everything about a holder's prescriptions that phones keep and that names one of these cards: for a new one (LIF-05).
        In the order of coming."""
        rows = [row for folder in self.of_holder(card_no) for row in self._records.where(root=folder.root)]
        kept = [row for row in rows if (record := row.kept().filed.record).kind.carried and record.holder in cards]
        return sorted(kept, key=lambda row: (row.received_ns, row.root, row.position))

    def root_of(self, document: bytes) -> bytes | None:
        """The first document of the prescription that a record belongs to."""
        row = self._records.get(document)
        return None if row is None else row.root

    def of_holder(self, card_no: str) -> list[Folder]:
        return self._folders.where(card_no=card_no) if card_no else []

    def of_institution(self, institution: str) -> list[Folder]:
        """What an institution has prescribed."""
        return self._folders.where(institution=institution) if institution else []

    def of_number(self, number: str) -> list[Folder]:
        """By the identifier of the visit (就醫識別碼)."""
        return self._folders.where(number=number) if number else []

    def served_by(self, institution: str) -> list[bytes]:
        """Prescriptions on which an institution has acted, each once, by the id of their first document."""
        return sorted({row.root for row in self._records.where(institution=institution)})

    def conflicts(self) -> list[Supply]:
        """Every dispensing against which something is. Nothing that was told is missing from here or from the counts."""
        return [supply for reckoning in self._all(disputed=True) for supply in reckoning.conflicts]

    def unanswered(self, now_ns: int) -> list[tuple[Prescription, Doubt]]:
        """Queries that are open and whose time is over, with what they are about; the oldest first."""
        over = [(r.rx, d) for r in self._all(doubted=True) for d in r.doubts if d.open and d.late(now_ns)]
        return sorted(over, key=lambda one: (one[1].query.at_ns, one[1].query.id))

    def unsigned(self, now_ns: int) -> list[Supply]:
        """Controlled drugs dispensed whose recipient has not signed in time; the oldest first."""
        over = [supply for r in self._all(unsigned=True) for supply in r.unsigned_for(now_ns)]
        return sorted(over, key=lambda supply: (supply.act.at_ns, supply.act.id))

    def _all(self, **flag: bool) -> Iterator[Reckoning]:
        for folder in self._folders.where(**flag):
            reckoning = self.standing(folder.root)
            if reckoning is not None:
                yield reckoning

    # -- judging

    def _known(self, filed: Filed) -> Outcome | None:
        """The answer to a record that came before; None when it did not."""
        gone = self._gone.get(filed.record.id)
        if gone is not None:
            return Outcome(Why.DELETED if gone.digest == filed.digest else Why.ANOTHER)
        row = self._records.get(filed.record.id)
        if row is None:
            return None
        return self._told(filed.record, row.root, again=True) if row.signed == filed.signed else Outcome(Why.ANOTHER)

    def _judge(self, filed: Filed, now_ns: int) -> tuple[Why, bytes]:
        """Whether a new record may be taken, and the prescription that it belongs to. Raises MalformedPrescription."""
        record = filed.record
        if record.at_ns > now_ns + SKEW_S * NS:
            return Why.CLOCK, b""
        match record.kind:
            case Kind.PRESCRIPTION:
                rx = read_prescription(record)
                if self._gone.where(root=rx.id):
                    return Why.DELETED, rx.id
                return fault(rx) or (Why.OK if filed.role is Role.PHYSICIAN else Why.WRONG_SIGNER), rx.id
            case Kind.AMEND | Kind.CANCEL | Kind.RESTORE:
                return self._change(filed)
            case kind if kind in ACTS:
                act = read_act(record)
                why = self._fact(act, filed)
                return why if why is not Why.OK else self._act(act, filed, now_ns), act.about.root
            case _:
                return Why.MALFORMED, b""

    def _change(self, filed: Filed) -> tuple[Why, bytes]:
        """An amendment, a cancellation, or one taken back: of the newest, by the institution that prescribed. Its signed
        time says whether the prescription was still in force."""
        record = filed.record
        amended = read_act(record).about.document if record.kind is Kind.RESTORE else record.amends or b""
        root = self.root_of(amended)
        standing = None if root is None else self.standing(root)
        if root is None or standing is None or not standing.chain:
            return Why.NOT_HERE, b""
        if standing.rx.institution != filed.institution:
            return Why.OTHER_INSTITUTION, root
        if standing.rx.device != record.holder:
            return Why.WRONG_HOLDER, root
        verdict = step(standing.state(record.at_ns), _EVENTS[record.kind], standing.count, filed.role)
        if isinstance(verdict, Refusal):
            return verdict.why, root
        if record.fields.get(FOLLOWS) != standing.head.filed.digest or amended != standing.rx.id:
            return Why.NOT_NEWEST, root
        if record.kind is Kind.AMEND:
            return _amendment(read_prescription(record), standing), root
        if record.kind is Kind.CANCEL:
            read_cancellation(record)
        return Why.OK, root

    def _fact(self, act: Act, filed: Filed) -> Why:
        """What is asked of every act, also of one that only tells: that it belongs to what is here."""
        document = self._records.get(act.about.document)
        about = None if document is None else document.kept().filed
        if document is not None and about is not None:
            if document.root != act.about.root or about.digest != act.about.digest:
                return Why.NOT_HERE
            if about.record.holder != act.about.device:
                return Why.WRONG_HOLDER
        if self._gone.where(root=act.about.root):
            return Why.DELETED
        if not isinstance(act, (Return, Received)):
            return Why.OK
        row = self._records.get(act.dispensing)
        if row is None:
            return Why.OK if isinstance(act, Return) else Why.NO_SUCH_ACT
        given = row.kept().filed
        if given.record.kind is not Kind.DISPENSE or row.root != act.about.root:
            return Why.NO_SUCH_ACT
        if given.institution != filed.institution:
            return Why.NOT_YOURS
        if isinstance(act, Return):
            return Why.OK
        dispensing = read_act(given.record)
        assert isinstance(dispensing, Dispensing)
        standing = self.standing(act.about.root)
        card_no = standing.rx.card_no if standing is not None and standing.versions else ""
        return recipient.check(act, dispensing, given.signed, lambda card: bool(card_no) and card in self.cards_of(card_no))

    def _act(self, act: Act, filed: Filed, now_ns: int) -> Why:
        """Whether an act that asks may be done now."""
        standing = self.standing(act.about.root)
        if standing is None or not standing.chain:
            return Why.NOT_HERE
        state = standing.state(now_ns)
        match act:
            case Dispensing():
                return may_dispense(act, filed.role, standing, now_ns, self.rules)
            case Return():
                if act.dispensing not in {s.act.id for s in standing.supplies}:
                    return Why.NO_SUCH_ACT
                return _taken(step(state, Event.RETURN, standing.count, filed.role))
            case Received():
                return Why.OK if act.dispensing in {s.act.id for s in standing.supplies} else Why.NO_SUCH_ACT
            case Query():
                if act.about.document != standing.rx.id:
                    return Why.OLD_VERSION
                return _taken(step(state, Event.QUERY, standing.count, filed.role))
            case Answer():
                return _answer(act, filed, standing, state)
            case _:
                return Why.MALFORMED

    # -- keeping

    def _store(self, filed: Filed, root: bytes, now_ns: int) -> Outcome:
        folder = self._folders.get(root) or Folder(root, "", "", "", "", 0, NEVER_NS, False, False)
        record = filed.record
        self._records.put(RecordRow(
            record.id, root, folder.records, record.to_bytes(), filed.signed, filed.signer, filed.role.value, filed.institution,
            now_ns,
        ))
        standing = self.standing(root)
        assert standing is not None
        self._folders.put(_filled(replace(folder, records=folder.records + 1), standing, now_ns))
        return self._told(record, root)

    def _told(self, record: Record, root: bytes, again: bool = False) -> Outcome:
        standing = self.standing(root) if record.kind is Kind.DISPENSE else None
        mine = next((s for s in standing.supplies if s.act.id == record.id), None) if standing is not None else None
        return Outcome(Why.OK, again) if mine is None else Outcome(Why.OK, again, mine.issue, mine.found)


def _filled(folder: Folder, standing: Reckoning, now_ns: int) -> Folder:
    """The folder after a record has come. Retention runs from the last thing that happened, or from the last day."""
    disputed = bool(standing.conflicts)
    doubted = any(doubt.open for doubt in standing.doubts)
    if not standing.versions:
        return replace(folder, disputed=disputed, doubted=doubted)
    rx = standing.rx
    ended_ns = max(_end_ns(rx), *(row.received_ns for row in (*standing.chain, *(s.kept for s in standing.supplies))))
    return replace(
        folder, card_no=rx.card_no, institution=rx.institution, number=rx.visit, letter=rx.kind.value, disputed=disputed,
        doubted=doubted, unsigned=bool(standing.unsigned), keep_until_ns=kept_until_ns(rx.kind, ended_ns),
    )


def _end_ns(rx: Prescription) -> int:
    """The end of its last day."""
    return begin_of(rx.last_day) + 86_400 * NS


def _amendment(rx: Prescription, standing: Reckoning) -> Why:
    """An amendment is of the same holder, and takes away no issue that was dispensed."""
    if rx.card_no != standing.rx.card_no:
        return Why.WRONG_HOLDER
    if rx.issues < standing.dispensed or (standing.dispensed and rx.kind is not standing.rx.kind):
        return Why.GIVEN
    return fault(rx) or Why.OK


def _answer(act: Answer, filed: Filed, standing: Reckoning, state: State) -> Why:
    doubt = next((d for d in standing.doubts if d.query.id == act.query), None)
    if doubt is None or not doubt.open:
        return Why.NO_SUCH_ACT
    withdrawn = act.decision is Decision.WITHDRAW
    if filed.institution != (doubt.query.institution if withdrawn else standing.rx.institution):
        return Why.NOT_YOURS
    event = Event.WITHDRAW if withdrawn else Event.CONFIRM
    return _taken(step(state, event, standing.count, filed.role))


def _taken(verdict: object) -> Why:
    return verdict.why if isinstance(verdict, Refusal) else Why.OK


__all__ = ["FACTS", "Kept", "Outcome", "Prescriptions"]
