"""The data centre's messages round its domain core: signed requests in, signed answers out.

A request is a COSE_Sign1 by the institution's SAM, its chain in ``x5chain``. The payload is a CBOR map:

    1 version, 2 operation, 3 request id (16 bytes), 4 institution, 5 SAM id, 6 asker's time (ns), 7 map of arguments

A request whose time is more than a quarter of an hour from the data centre's is refused (9001): a recorded one cannot be
sent again later, and inside that time it changes nothing that it has not changed before.

The answer is a COSE_Sign1 by the data centre: 1 version, 3 request id, 8 code (space cshis), 9 map. An institution acts only
for itself: what it says of itself must be what its SAM's certificate says. What cannot be understood is answered too, with
9001, 9002 or 9020, and changes nothing. The form is the bench's profile; operations mirror the calls named beside them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Mapping
from typing import Any

import cbor2

from virtual_devices import cose, pki
from virtual_devices.authentication import CHALLENGE_BYTES, Party, padded_id, proof_message
from virtual_devices.authorization import CTI_BYTES
from virtual_devices.card.writes import update_message
from virtual_devices.clock import NS, parse_roc
from virtual_devices.cloud.audit import Who, audit_log, subjects
from virtual_devices.cloud.books import ByName
from virtual_devices.cloud.chain_codes import HPC_CODE, SAM_CODE
from virtual_devices.cloud.challenges import Challenges
from virtual_devices.cloud.core import OK, SIZE_MISMATCH, UNKNOWN_CARD, DataCentre, Stored
from virtual_devices.cloud.desk_operations import DeskOperations
from virtual_devices.cloud.emergency import Emergencies
from virtual_devices.cloud.home_visits import HomeVisits
from virtual_devices.cloud.identification import CARD_SESSIONS, CardSession
from virtual_devices.cloud.late import MAX_WAITING, MAX_WAITING_BYTES, LateRecords, WaitingRecords, late_id, verify_late
from virtual_devices.cloud.prescription_retention import Deletion, delete_due
from virtual_devices.cloud.prescription_service import PrescriptionService
from virtual_devices.cloud.prescriptions import Prescriptions
from virtual_devices.cloud.registers import CentreRegisters
from virtual_devices.cloud.upload_office import UploadOffice
from virtual_devices.cose import MalformedCose
from virtual_devices.link import Work
from virtual_devices.pki import PROFESSIONALS, Authority, ChainVerifier, Identity, Refused, Role, Verified
from virtual_devices.randomness import ByteStream, digest
from virtual_devices.sam.sam import VISIT_STATEMENT
from virtual_devices.uploads.values import is_moment

VERSION = 1
DATA_CENTRE_ID = "IDC"
KEPT_S = 86_400  # numbers of card sessions, which are good for ten minutes: who comes later hears that it is too old
BEGUN_BEFORE_S = 3600  # a visit is registered, with its retries, within this time of the moment that it is called by
CLOCK_SKEW_S = 900  # between an asker's clock and this one
MAX_PARTS, MAX_PART_BYTES, MAX_LATE, MAX_TEXT = 4096, 65536, 60, 64
HEADER_REJECTED, SYNTAX_REJECTED, OUT_OF_SERVICE, CARD_REFUSED, SIGNATURE_REJECTED = "9001", "9002", "9004", "9011", "9020"
Arguments = Mapping[str, Any]
Reply = tuple[str, dict[str, Any]]


class _BadArguments(Exception):
    """The arguments are not what the operation takes."""


def _take(arguments: Arguments, name: str, kind: type) -> Any:
    value = arguments.get(name)
    if not isinstance(value, kind) or isinstance(value, bool):
        raise _BadArguments(name)
    if isinstance(value, str) and (len(value) > MAX_TEXT or "\0" in value):  # no text of the field has either
        raise _BadArguments(name)
    return value


class DataCentreDevice:
    """The data centre as a device: whole messages in, whole answers out, whatever comes in."""

    def __init__(
        self, core: DataCentre, identity: Identity, root: bytes, revoked: Collection[int] = frozenset(),
        authority: Authority | None = None, lists: Callable[[int], Mapping[str, bytes]] = lambda _: {},
        fresh: Callable[[int], bytes] | None = None,
    ) -> None:
        """``authority``: who issues reader certificates; without one none are given (9004). ``lists``: the status lists of a
        moment, signed, by their address. ``fresh``: randomness of its own, for challenges and numbers; without it a stream that
        follows from its key, which nobody else has."""
        self.core = core
        self.work = Work()
        self._identity = identity
        self._root = ChainVerifier(root)
        self._revoked = revoked
        self._authority = authority
        self._lists = lists
        self.card_sessions: ByName[bytes, CardSession] = ByName(core.books.shelf(CARD_SESSIONS), CARD_SESSIONS)
        """Sessions in which a physical card has proved itself, by their number: for applications from phones."""
        self.late = WaitingRecords(core.books)
        """Card number -> signed records for phones that had left: each is fetched when the phone next asks."""
        self._fresh = fresh or ByteStream("data centre", pki.sign(identity.key, b"the data centre's own randomness"))
        self._order_key = digest("order signatures", identity.key.private_numbers().private_value)
        self._card_challenges: Challenges[tuple[str, str]] = Challenges(self._fresh)
        self.audit = audit_log(core.books, identity)
        self._professional = ""
        self._under = b""
        self._about: list[str] = []
        """Card numbers that the present request was about, where neither it nor its answer names one."""
        self.desk = DeskOperations(core)
        self._operations: dict[str, Callable[[Verified, bytes, Arguments, int], Reply]] = {
            "verify-sam": self._verify_sam,  # csVerifySAMDC
            "reader-certificates": self._reader_certificates,  # none in the field: for wallets
            "card-challenge": self._card_challenge,  # none in the field: a virtual card by way of the physical one
            "card-session": self._card_session,
            "late-records": self._late_records,  # none in the field: for a holder who left before they were written
            "status-lists": self._status_lists,  # none in the field: for wallets
            "begin-visit": self._begin_visit,  # SequelNumber/Next, TreatmentNumber/Card
            "roll-back": self._roll_back,  # csUnGetSeqNumber
            "update-card": self._update_card,  # csUpdateHCContents
            "sign-visit": self._sign_visit,  # SequelNumber/Next, Prescription/Write: of a visit with a virtual card
            "upload": self._upload,  # csUploadData
            **self.desk.all(),
        }
        self.prescriptions = Prescriptions(core.books)
        self.of_prescriptions = PrescriptionService(
            self.prescriptions, self._root, self.work, revoked, lambda card_no: core.people.get(card_no) is not None,
            lambda card_no: self._about.append(card_no),
        )
        self._operations |= self.of_prescriptions.operations()
        self.registers = CentreRegisters(core.books, self.prescriptions, lambda _: {})
        self.uploads = UploadOffice(core.books, core, self.registers)
        self.desk.card_of, self.desk.take = self.registers.card_of, self.uploads.take
        self.home_visits = HomeVisits(core, identity, self._root, self.work, revoked)
        self.emergencies = Emergencies(core, self._root, self.work, revoked)
        for part in (self.of_prescriptions, self.home_visits, self.emergencies):
            part.signed_by = self._signed_by
        self._operations |= self.home_visits.operations() | self.emergencies.operations()

    def _signed_by(self, professional: str) -> None:
        """The card of this professional has signed the present request."""
        self._professional = professional

    def offer(self, operations: Mapping[str, Callable[[Verified, bytes, Arguments, int], Reply]]) -> None:
        """Further operations, by their names: of what stands beside the domain."""
        self._operations |= operations

    def delete_due(self, now_ns: int) -> list[Deletion]:
        """Prescriptions whose time of retention is over, deleted with a signed statement each, whose SHA-256 stands in the audit
        log: once a day is enough."""
        chain = {cose.X5CHAIN: list(self._identity.chain)}
        with self.core.books.transaction():
            deleted = delete_due(self.core.books, now_ns, lambda content: cose.sign1(self._identity.key, content, chain))
            for one in deleted:
                proof = hashlib.sha256(one.statement).digest()
                self.audit.person(now_ns, OK, Who.OFFICER, "retention", "rx-delete", one.card_no, proof)
        return deleted

    def power_on(self) -> bytes:
        return b""

    def power_off(self) -> None:
        return

    def handle(self, request: bytes, now_ns: int) -> bytes:
        try:
            message = cose.decode(request)
        except MalformedCose:
            return self._answer(b"", HEADER_REJECTED, {})
        payload = message.payload_map()
        if payload is None or payload.get(1) != VERSION:
            return self._answer(b"", SYNTAX_REJECTED, {})
        request_id = payload.get(3)
        if not isinstance(request_id, bytes) or len(request_id) != 16:
            return self._answer(b"", SYNTAX_REJECTED, {})
        self.work.chains += 1
        sam = self._root.check(message.chain, {Role.SAM}, now_ns, self._revoked)
        if isinstance(sam, Refused):
            return self._answer(request_id, SAM_CODE[sam.trouble], {})
        self.work.verifications += 1
        if not message.verify(sam.key):
            return self._answer(request_id, SIGNATURE_REJECTED, {})
        if payload.get(4) != sam.organisation or payload.get(5) != sam.subject_id:
            return self._answer(request_id, "9014", {})
        name, asked_ns, arguments = payload.get(2), payload.get(6), payload.get(7)
        operation = self._operations.get(name) if isinstance(name, str) else None
        if operation is None or not isinstance(arguments, Mapping) or not isinstance(asked_ns, int):
            return self._answer(request_id, SYNTAX_REJECTED, {})
        if abs(now_ns - asked_ns) > CLOCK_SKEW_S * NS:
            return self._answer(request_id, HEADER_REJECTED, {})
        try:
            with self.core.books.transaction():
                self._about, self._professional, self._under = [], "", b""
                code, body = operation(sam, request_id, arguments, now_ns)
                for card_no in self._about or subjects(arguments, body):
                    self.audit.institution(
                        now_ns, code, sam.organisation, sam.subject_id, str(name), card_no, self._professional, self._under,
                    )
        except _BadArguments:
            code, body = SYNTAX_REJECTED, {}
        return self._answer(request_id, code, body)

    def _answer(self, request_id: bytes, code: str, body: dict[str, Any]) -> bytes:
        self.work.signatures += 1
        payload = cbor2.dumps({1: VERSION, 3: request_id, 8: code, 9: body}, canonical=True)
        return cose.sign1(self._identity.key, payload, {cose.X5CHAIN: list(self._identity.chain)})

    # -- operations

    def _verify_sam(self, sam: Verified, request_id: bytes, a: Arguments, now_ns: int) -> Reply:
        challenge = _challenge(a)
        self.work.signatures += 1
        proof = pki.sign(self._identity.key, proof_message(Party.DATA_CENTRE, challenge, padded_id(sam.subject_id)))
        return OK, {"proof": proof, "chain": self._identity.chain_bytes(), "time_ns": now_ns}

    def _reader_certificates(self, sam: Verified, request_id: bytes, a: Arguments, now_ns: int) -> Reply:
        """Certificates of 72 hours for the asking SAM and the professional whose chain is handed in. They are for the keys that
        those certify already, so nothing more needs to be proved; one that is revoked gets none."""
        if self._authority is None:
            return OUT_OF_SERVICE, {}
        from_ns = now_ns - CLOCK_SKEW_S * NS
        body = {"sam": self._renewed(sam, from_ns)}
        if "hpc" in a:
            self.work.chains += 1
            hpc = self._root.check_bytes(_take(a, "hpc", bytes), PROFESSIONALS, now_ns, self._revoked)
            if isinstance(hpc, Refused):
                return HPC_CODE[hpc.trouble], {}
            body["hpc"] = self._renewed(hpc, from_ns)
        return OK, body

    def _card_challenge(self, sam: Verified, request_id: bytes, a: Arguments, now_ns: int) -> Reply:
        """Of the data centre's own choosing; for this SAM and this card, ten minutes long, and good for one proof."""
        return OK, {"challenge": self._card_challenges.give((sam.subject_id, _card_no(a)), now_ns)}

    def _card_session(self, sam: Verified, request_id: bytes, a: Arguments, now_ns: int) -> Reply:
        """A patient card has signed the challenge that this SAM's desk asked for, which is used up."""
        card_no, proof = _card_no(a), _take(a, "proof", bytes)
        challenge = self._card_challenges.use((sam.subject_id, card_no), now_ns)
        self.work.chains += 1
        card = self._root.check_bytes(_take(a, "chain", bytes), {Role.PATIENT_CARD}, now_ns, self._revoked)
        if isinstance(card, Refused):
            return CARD_REFUSED, {}
        self.work.verifications += 1
        message = proof_message(Party.CARD, challenge or b"", padded_id(DATA_CENTRE_ID))
        if challenge is None or card.subject_id != card_no or not pki.verify(card.key, proof, message):
            return CARD_REFUSED, {}
        statement = self._fresh(16)
        for old in self.core.books.shelf(CARD_SESSIONS).upto("at_ns", now_ns - KEPT_S * NS):
            del self.card_sessions[old.statement]
        self.card_sessions[statement] = CardSession(statement, card_no, now_ns)
        return OK, {"statement": statement}

    def _late_records(self, sam: Verified, request_id: bytes, a: Arguments, now_ns: int) -> Reply:
        """Records with the chains of those who signed them, verified here too. The same ones again are kept once."""
        card_no, records, chains = _take(a, "card_no", str), _take(a, "records", list), _take(a, "chains", list)
        if not 1 <= len(records) <= MAX_LATE or not all(isinstance(r, bytes) and len(r) <= MAX_PART_BYTES for r in records):
            raise _BadArguments("records")
        if not 1 <= len(chains) <= 2 or not all(isinstance(c, list) and all(isinstance(x, bytes) for x in c) for c in chains):
            raise _BadArguments("chains")
        if self.core.people.get(card_no) is None:
            return UNKNOWN_CARD, {}
        self.work.chains += len(chains)
        self.work.verifications += len(records)
        holder = verify_late(records, chains, sam, self._root, now_ns, frozenset(self._revoked))
        if not isinstance(holder, bytes):
            return (SYNTAX_REJECTED if holder is None else SIGNATURE_REJECTED), {}
        number = late_id(records, chains)
        late = LateRecords(number, tuple(records), tuple(tuple(c) for c in chains), holder, now_ns, sam.organisation)
        waiting = self.late.get(card_no, [])
        if late.id not in {entry.id for entry in waiting}:
            theirs = [entry for entry in waiting if entry.institution == late.institution]
            whole_bytes = late.size_bytes + sum(entry.size_bytes for entry in waiting)
            if len(theirs) >= MAX_WAITING or whole_bytes > MAX_WAITING_BYTES:
                return OUT_OF_SERVICE, {}
            self.late[card_no] = [*waiting, late]
        return OK, {"id": late.id}

    def _status_lists(self, sam: Verified, request_id: bytes, a: Arguments, now_ns: int) -> Reply:
        """All of them: a question about one would tell of a person."""
        return OK, {"lists": list(self._lists(now_ns).values())}

    def _renewed(self, who: Verified, from_ns: int) -> list[bytes]:
        assert self._authority is not None
        self.work.signatures += 1
        return list(self._authority.renew(who.role, who.subject_id, who.key, from_ns, organisation=who.organisation))

    def _begin_visit(self, sam: Verified, request_id: bytes, a: Arguments, now_ns: int) -> Reply:
        card_no, visit_type = _take(a, "card_no", str), _take(a, "visit_type", str)
        virtual = a.get("carrier") == "virtual-card"
        self._under = _take(a, "authorization", bytes) if "authorization" in a else b""
        if len(self._under) not in (0, CTI_BYTES):
            raise _BadArguments("authorization")
        begun_ns = _begun_ns(a, now_ns)
        code, visit = self.core.begin_visit(request_id, card_no, sam.organisation, visit_type, begun_ns, virtual=virtual)
        if visit is None:
            return code, {}
        return code, {"identifier": visit.identifier, "sequence": visit.sequence, "same_day": visit.same_day}

    def _roll_back(self, sam: Verified, request_id: bytes, a: Arguments, now_ns: int) -> Reply:
        told = _take(a, "sequence", str) if "sequence" in a else ""
        visit = self.core.visits.get(_take(a, "identifier", str))
        self._about = [] if visit is None else [visit.card_no]
        return self.core.roll_back(_take(a, "identifier", str), sam.organisation, now_ns, told), {}

    def _update_card(self, sam: Verified, request_id: bytes, a: Arguments, now_ns: int) -> Reply:
        card_no, challenge = _take(a, "card_no", str), _challenge(a)
        expiry = _take(a, "expiry_date", str) if "expiry_date" in a else ""
        code, cell = self.core.card_update(card_no, _take(a, "visits_left", int), now_ns, expiry)
        if code != OK:
            return code, {}
        content = cell + now_ns.to_bytes(8, "big")
        self.work.signatures += 1
        signature = pki.sign(self._identity.key, update_message(card_no, challenge, content))
        return OK, {"content": content, "signature": signature, "chain": self._identity.chain_bytes()}

    def _sign_visit(self, sam: Verified, request_id: bytes, a: Arguments, now_ns: int) -> Reply:
        """Over the visit as a SAM states it, and over each order (entries of 61 bytes): 128 and 40 characters."""
        card_no, visited_at, sequence = _card_no(a), _take(a, "visited_at", str), _take(a, "sequence", str)
        entries = _take(a, "entries", list)
        if not is_moment(visited_at, 13) or len(sequence) > 4 or not all(isinstance(e, bytes) and len(e) == 61 for e in entries):
            raise _BadArguments("visited_at, sequence or entries")
        if self.core.people.get(card_no) is None:
            return UNKNOWN_CARD, {}
        self.work.signatures += 1
        self.work.macs += len(entries)
        text = card_no.ljust(12) + visited_at + sequence.ljust(4) + sam.organisation
        signature = pki.sign(self._identity.key, VISIT_STATEMENT + text.encode("utf-8"))
        return OK, {"signature": signature.hex(), "entries": [pki.mac(self._order_key, e)[:20].hex() for e in entries]}

    def _upload(self, sam: Verified, request_id: bytes, a: Arguments, now_ns: int) -> Reply:
        """One part of a file of visit records; the last missing part makes it whole, and then it is checked and kept. The same
        again hears the same report."""
        batch, digest, part = (_take(a, name, bytes) for name in ("batch", "digest", "part"))
        index, total = _take(a, "index", int), _take(a, "total", int)
        if not (len(batch) == 16 and len(digest) == 32 and 1 <= total <= MAX_PARTS and len(part) <= MAX_PART_BYTES):
            raise _BadArguments("batch, digest, total or part")
        outcome, whole = self.core.gathering.take(sam.organisation, batch, digest, index, total, part)
        match outcome:
            case Stored.PART:
                return OK, {"outcome": outcome.value}
            case Stored.CONFLICT:
                return SIZE_MISMATCH, {"outcome": outcome.value}
            case Stored.ALREADY:
                taken = self.uploads.taken(sam.organisation, digest)
                if taken is None:
                    return SIZE_MISMATCH, {"outcome": Stored.CONFLICT.value}
            case _:
                taken = self.uploads.take(whole, sam.organisation, sam.subject_id, now_ns)
                self._about = self.uploads.cards_in(taken.result)
                outcomes = [Stored.STORED if one.accepted else Stored.FAILED for one in taken.result.records]
                self.core.gathering.finish(sam.organisation, batch, digest, outcomes)
        return OK, {"outcome": outcome.value, "opcode": taken.opcode, "report": taken.result.to_json(), "received_ns": now_ns}


def _card_no(arguments: Arguments) -> str:
    card_no: str = _take(arguments, "card_no", str)
    if not 1 <= len(card_no) <= 12:
        raise _BadArguments("card_no")
    return card_no


def _begun_ns(arguments: Arguments, now_ns: int) -> int:
    """The moment by which the visit is called (就診日期時間), as the desk says; now, when it says nothing. It stands in the
    identifier, and the record must say the same."""
    if "visited_at" not in arguments:
        return now_ns
    visited_at: str = _take(arguments, "visited_at", str)
    if not is_moment(visited_at, 13) or abs(now_ns - parse_roc(visited_at)) > BEGUN_BEFORE_S * NS:
        raise _BadArguments("visited_at")
    return parse_roc(visited_at)


def _challenge(arguments: Arguments) -> bytes:
    challenge: bytes = _take(arguments, "challenge", bytes)
    if len(challenge) != CHALLENGE_BYTES:
        raise _BadArguments("challenge")
    return challenge
