"""The data centre's operations on prescriptions, for institutions' desks: bytes in, the domain asked, an answer out.

    rx-store     a document, an amendment, a cancellation or one taken back         a clinic
    rx-dispense  a dispensing, before the medicine is handed over, with the         a pharmacy, online
                 documents that the pharmacy has
    rx-tell      a dispensing or return that has happened, or a recipient's         a pharmacy, whenever the line is back
                 signature, with the documents that the pharmacy had
    rx-return    a dispensing taken back                                            the same pharmacy
    rx-query     a doubt                                                            a pharmacy
    rx-answer    an answer to it, or its withdrawal                                 the clinic, or the pharmacy that asked
    rx-find      by ``card_no``, ``number``, ``id``, or the institution's own       whom it concerns
    rx-doubts    queries on what the institution has prescribed that are open       a clinic

Each record comes signed (``record``), with the chains of its signers (``chains``); an institution acts only for itself, with
records that it signed. Arguments that are none are refused with 9002. The answer's code is of the table that ``table`` names
(``prescription/codes.py``), and ``why`` says it in words. The form is the bench's profile.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

import cbor2

from virtual_devices.cloud.late import LateRecords, late_id
from virtual_devices.cloud.prescription_rows import CHAINS, ChainRow, Folder
from virtual_devices.cloud.prescriptions import Outcome, Prescriptions
from virtual_devices.link import Work
from virtual_devices.pki import MAX_CHAIN, ChainVerifier, Verified
from virtual_devices.prescription.acts import ABOUT
from virtual_devices.prescription.codes import CODES, Why
from virtual_devices.prescription.document import CARD_NO
from virtual_devices.prescription.reckoning import Reckoning, Supply
from virtual_devices.prescription.signing import Chains, Filed, by_leaf, verify_signed
from virtual_devices.write_back import Kind, read_record, thumbprint

MAX_DOCUMENTS, MAX_CHAINS, MAX_CERTIFICATE_BYTES, MAX_FOUND = 16, 8, 4096, 100
Arguments = Mapping[str, Any]
Reply = tuple[str, dict[str, Any]]
Operation = Callable[[Verified, bytes, Arguments, int], Reply]

TAKES: Mapping[str, frozenset[Kind]] = {
    "rx-store": frozenset({Kind.PRESCRIPTION, Kind.AMEND, Kind.CANCEL, Kind.RESTORE}),
    "rx-dispense": frozenset({Kind.DISPENSE}),
    "rx-tell": frozenset({Kind.DISPENSE, Kind.RETURN, Kind.RECEIVED}),
    "rx-return": frozenset({Kind.RETURN}),
    "rx-query": frozenset({Kind.QUERY}),
    "rx-answer": frozenset({Kind.ANSWER}),
}
"""Which records an operation takes."""
BRING = frozenset({"rx-dispense", "rx-query"})
"""Operations that bring the documents along, for the clinic may not have been on line since."""


class PrescriptionService:
    """The operations, as a table for the data centre's device."""

    def __init__(
        self, domain: Prescriptions, root: ChainVerifier, work: Work, revoked: Collection[int],
        known: Callable[[str], bool] = lambda _: True, about: Callable[[str], None] = lambda _: None,
    ) -> None:
        """``known``: whether there is such a card number. ``about``: told whose data a request was about, for the log."""
        self.domain = domain
        self._root, self._work, self._revoked, self._known = root, work, revoked, known
        self._about = about
        self.signed_by: Callable[[str], None] = lambda _: None
        """Told whose card has signed a record."""
        self._chains = domain.books.shelf(CHAINS)

    def operations(self) -> dict[str, Operation]:
        """By their names."""
        return {name: self._taking(name) for name in TAKES} | {"rx-find": self._find, "rx-doubts": self._doubts}

    def _taking(self, name: str) -> Operation:
        def operation(sam: Verified, request_id: bytes, a: Arguments, now_ns: int) -> Reply:
            return self._take(name, sam, a, now_ns)

        return operation

    def for_phone(self, card_no: str, cards: Collection[bytes]) -> list[LateRecords]:
        """The same as ``Prescriptions.for_phone``, each record with the chains of its signers."""
        found = []
        for row in self.domain.for_phone(card_no, cards):
            chains = tuple(tuple(cbor2.loads(known.chain)) for known in self._signers([row.signed]))
            holder = row.kept().filed.record.holder
            number = late_id([row.signed], chains)
            found.append(LateRecords(number, (row.signed,), chains, holder, row.received_ns, row.institution))
        return found

    # -- in

    def _take(self, name: str, sam: Verified, a: Arguments, now_ns: int) -> Reply:
        chains, raw, documents = _chains(a.get("chains")), a.get("record"), a.get("documents", [])
        if chains is None or not isinstance(raw, bytes) or not _some_bytes(documents, MAX_DOCUMENTS):
            return _refused(Why.MALFORMED)
        filed = verify_signed(raw, chains, self._root, self._work, self._revoked)
        if isinstance(filed, Why):
            return _refused(filed)
        self.signed_by(filed.signer)
        if filed.record.kind not in TAKES[name]:
            return _refused(Why.MALFORMED)
        if filed.institution != sam.organisation:
            return _refused(Why.OTHER_INSTITUTION)
        if filed.record.kind is Kind.PRESCRIPTION and not self._known(str(filed.record.fields.get(CARD_NO, ""))):
            return _refused(Why.UNKNOWN_HOLDER)
        with self.domain.books.transaction():
            had = [verify_signed(one, chains, self._root, self._work, self._revoked) for one in documents]
            believed = [one for one in had if isinstance(one, Filed)]
            if name == "rx-tell":
                outcome = self.domain.tell(filed, believed, now_ns)
            else:
                self.domain.bring(believed if name in BRING else (), now_ns)
                outcome = self.domain.take(filed, now_ns)
            if outcome.ok:
                self._keep_chains((filed, *believed), chains)
        return str(outcome.code), self._body(outcome, filed, now_ns)

    def _keep_chains(self, records: Collection[Filed], chains: Chains) -> None:
        for filed in records:
            for signature in read_record(filed.signed)[1].signatures:
                leaf = thumbprint(signature)
                if leaf in chains and self._chains.get(leaf) is None:
                    self._chains.put(ChainRow(leaf, cbor2.dumps(list(chains[leaf]))))

    def _body(self, outcome: Outcome, filed: Filed, now_ns: int) -> dict[str, Any]:
        body: dict[str, Any] = {"table": outcome.code.table.value, "why": outcome.why.value, "again": outcome.again}
        if outcome.found:
            body["found"] = sorted(str(CODES[why]) for why in outcome.found)
        if outcome.issue:
            body["issue"] = outcome.issue
        document = filed.record.amends or filed.record.fields.get(ABOUT, b"")  # of one that was refused: what it is about
        root = self.domain.root_of(filed.record.id) or (self.domain.root_of(document) if isinstance(document, bytes) else None)
        standing = None if root is None else self.domain.standing(root)
        if standing is None:
            return body
        if standing.versions:
            self._about(standing.rx.card_no)
        return body | _standing(standing, now_ns)

    # -- out

    def _find(self, sam: Verified, request_id: bytes, a: Arguments, now_ns: int) -> Reply:
        """With the records as they were signed, and the chains of their signers. A holder's or a number's: what is released to
        pharmacies, or was prescribed or dispensed here; by ``id``: whoever holds the document may ask."""
        what = {name: value for name, value in a.items() if name in ("card_no", "number", "id")}
        if len(what) > 1:
            return _refused(Why.MALFORMED)
        match what:
            case {"card_no": str(card_no)}:
                folders = self.domain.of_holder(card_no)
            case {"number": str(number)}:
                folders = self.domain.of_number(number)
            case {"id": bytes(record)}:
                return self._found([root for root in [self.domain.root_of(record)] if root is not None], now_ns)
            case {} if not what:
                own = [folder.root for folder in self.domain.of_institution(sam.organisation)]
                return self._found(sorted({*own, *self.domain.served_by(sam.organisation)}), now_ns)
            case _:
                return _refused(Why.MALFORMED)
        return self._found([folder.root for folder in folders if self._concerns(folder, sam.organisation)], now_ns)

    def _concerns(self, folder: Folder, institution: str) -> bool:
        standing = self.domain.standing(folder.root)
        if folder.institution == institution or standing is None:
            return True
        return standing.rx.released or any(supply.institution == institution for supply in standing.supplies)

    def _doubts(self, sam: Verified, request_id: bytes, a: Arguments, now_ns: int) -> Reply:
        """Those whose documents the institution signed, with their folders."""
        mine = [f.root for f in self.domain.of_institution(sam.organisation) if f.doubted]
        return self._found(mine, now_ns)

    def _found(self, roots: list[bytes], now_ns: int) -> Reply:
        """``more``: how many there are beyond those told."""
        told: list[dict[str, Any]] = []
        cards: set[str] = set()
        for root in roots[:MAX_FOUND]:
            standing = self.domain.standing(root)
            if standing is None:
                continue
            if standing.versions:
                cards.add(standing.rx.card_no)
            raws = self.domain.signed(root)
            told.append({"id": root, "records": raws, **_standing(standing, now_ns)})
        for card_no in sorted(cards):
            self._about(card_no)
        rows = self._signers(raw for one in told for raw in one["records"])
        body = {"prescriptions": told, "chains": [list(cbor2.loads(row.chain)) for row in rows]}
        return str(CODES[Why.OK]), body | ({"more": len(roots) - MAX_FOUND} if len(roots) > MAX_FOUND else {})

    def _signers(self, signed: Iterable[bytes]) -> list[ChainRow]:
        """The chains of those who signed these records, each once."""
        leaves = {thumbprint(signature) for raw in signed for signature in read_record(raw)[1].signatures}
        return [row for leaf in sorted(leaves) if (row := self._chains.get(leaf)) is not None]


def _standing(standing: Reckoning, now_ns: int) -> dict[str, Any]:
    """What stands of a prescription, in an answer."""
    if not standing.versions:
        return {"state": "", "dispensed": 0, "issues": 0}
    return {
        "state": standing.state(now_ns).value, "dispensed": standing.dispensed, "issues": standing.rx.issues,
        "conflicts": [_conflict(supply) for supply in standing.conflicts],
    }


def _conflict(supply: Supply) -> dict[str, Any]:
    return {
        "id": supply.act.id, "institution": supply.institution, "at_ns": supply.act.at_ns, "issue": supply.issue,
        "found": sorted(str(CODES[why]) for why in supply.found),
    }


def _refused(why: Why) -> Reply:
    code = CODES[why]
    return str(code), {"table": code.table.value, "why": why.value}


def _some_bytes(value: object, most: int) -> bool:
    return isinstance(value, (list, tuple)) and len(value) <= most and all(isinstance(one, bytes) for one in value)


def _chains(value: object) -> dict[bytes, tuple[bytes, ...]] | None:
    """By leaf; None when it is no list of chains."""
    if not isinstance(value, (list, tuple)) or len(value) > MAX_CHAINS:
        return None
    for chain in value:
        if not _some_bytes(chain, MAX_CHAIN) or any(len(der) > MAX_CERTIFICATE_BYTES for der in chain):
            return None
    return by_leaf(value)


__all__ = ["Operation", "PrescriptionService", "Reply", "TAKES"]
