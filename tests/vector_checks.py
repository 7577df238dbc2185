"""What our own reader and our own holder's device make of a vector: one function for each kind, from the files alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

import cbor2
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from conformance.vectors.holder import Holder
from conformance.vectors.model import Input, Kind, Manifest, Session, Value, Vector
from virtual_devices import authorization_check, status_list, vhc
from virtual_devices.authentication import Party
from virtual_devices.authorization import Purpose, Scope
from virtual_devices.clock import from_datetime
from virtual_devices.codes import Space as FieldSpace
from virtual_devices.cose import MalformedCose, read_sign1
from virtual_devices.holder.application import Application
from virtual_devices.holder.readers import SKEW_S, Reader, Readers
from virtual_devices.holder.refusals import No, party_of
from virtual_devices.holder.session import HolderSession
from virtual_devices.lifecycle import FieldCode
from virtual_devices.link import Work
from virtual_devices.mdoc import engagement, mso, request, response, session
from virtual_devices.mdoc.carriers import MalformedHandover
from virtual_devices.mdoc.handover import read_request, read_select
from virtual_devices.mdoc.ndef import MalformedNdef
from virtual_devices.mdoc.response import ResponseStatus
from virtual_devices.mdoc.session import Transcript
from virtual_devices.mdoc.tagged import MalformedMdoc, read
from virtual_devices.pki import ChainVerifier, Refused, Role, Verified
from virtual_devices.qr import check as qr_check
from virtual_devices.qr import prescription
from virtual_devices.qr.challenge import read_challenge
from virtual_devices.qr.parts import Added, Collector
from virtual_devices.reader.authenticate import refused
from virtual_devices.reader.proximity import NO_RIGHT, refusal
from virtual_devices.reader.wallet_visit import REVOKED
from virtual_devices.status_list import Status, StatusLists, Taking
from virtual_devices.wallet.late import late_readers, moments
from virtual_devices.write_back import (
    ID_BYTES,
    MAX_RECORDS,
    Batch,
    WriteOutcome,
    read_batch,
    read_receipt,
    read_record,
    receipt_is_for,
)

Said = tuple[bool, str, str, str, tuple[str, ...]]
"""Accepted, reason, code's space, code's number, what was shown."""


def word(name: str) -> str:
    return name.lower().replace("_", "-").replace(" ", "-")


def said(reason: str, code: FieldCode | None = None, *, space: str = "none", number: str = "", accepted: bool = False,
         shown: tuple[str, ...] = ()) -> Said:
    if code is not None:
        space, number = ("vhc" if code.space is FieldSpace.VHC else "cshis"), code.number
    return accepted, word(reason), space, number, shown


OK = said("accepted", accepted=True)


@dataclass
class Checks:
    """The suite as somebody has it who was given the directory."""

    manifest: Manifest
    files: Mapping[str, bytes]

    def __post_init__(self) -> None:
        self.root = ChainVerifier(self.pem("trust/root.pem")[0], self.pem("trust/iaca.pem")[0])
        self.sessions = {s.name: s for s in self.manifest.sessions}

    def pem(self, path: str) -> list[bytes]:
        found = x509.load_pem_x509_certificates(self.files[path])
        return [certificate.public_bytes(serialization.Encoding.DER) for certificate in found]

    def key(self, name: str) -> ec.EllipticCurvePrivateKey:
        found = serialization.load_pem_private_key(self.files[f"keys/{name}.pem"], None)
        assert isinstance(found, ec.EllipticCurvePrivateKey)
        return found

    def look(self, vector: Vector) -> Said:
        return _BY_KIND[vector.kind](Case(self, vector))

    def lists(self, at_ns: int) -> StatusLists:
        lists = StatusLists(self.root, Work())
        for name in ("cards", "authorizations"):
            lists.take(self.files[f"trust/status-{name}.cbor"], at_ns)
        return lists


@dataclass
class Case:
    """One vector with its inputs."""

    suite: Checks
    vector: Vector

    def raw(self, what: Input) -> bytes:
        return self.suite.files[self.vector.files[what]]

    def text(self, what: Input = Input.TEXT) -> str:
        return self.raw(what).decode()

    def value(self, what: Value) -> str:
        return self.vector.values[what]

    @property
    def at_ns(self) -> int:
        text = self.vector.values.get(Value.AT, self.suite.manifest.at)
        return from_datetime(datetime.fromisoformat(text.replace("Z", "+00:00")))

    @property
    def revoked(self) -> frozenset[int]:
        text = self.vector.values.get(Value.REVOKED)
        return frozenset() if text is None else frozenset({int(text, 16)})

    @property
    def session(self) -> Session:
        return self.suite.sessions[self.value(Value.SESSION)]

    def transcript(self) -> Transcript:
        s, files = self.session, self.suite.files
        hs, hr = s.handover_select and files[s.handover_select], s.handover_request and files[s.handover_request]
        key = session.key_bytes(self.suite.key(s.reader_key).public_key())
        made = Transcript(files[s.engagement], key, (hs, hr) if hs else None)
        assert made.encoded == files[s.transcript]
        return made

    def holder(self, capacity: int = 600) -> Holder:
        issued = mso.read_issuer_signed(read(self.suite.files["credential/whole.credential.cbor"], "the credential"))
        return Holder(self.suite.root, issued, self.suite.key("device"), capacity=capacity)


def _card(verdict: Refused) -> Said:
    return said(verdict.trouble.name, FieldCode(refused(Party.CARD, verdict.trouble).code))


def _credential(case: Case) -> Said:
    try:
        issued = mso.read_issuer_signed(read(case.raw(Input.CREDENTIAL), "a credential"))
    except MalformedMdoc:
        return said("malformed", FieldCode("4043"))
    verdict = mso.verify(issued, vhc.DOCTYPE, case.suite.root, case.at_ns, Work(), skew_s=SKEW_S)
    return _card(verdict) if isinstance(verdict, Refused) else OK


def _engagement(case: Case) -> Said:
    try:
        engagement.read_qr(case.text())
    except MalformedMdoc:
        return said("malformed", FieldCode("4033"))
    return OK


def _handover(case: Case) -> Said:
    hr = case.raw(Input.HANDOVER_REQUEST) if Input.HANDOVER_REQUEST in case.vector.files else None
    try:
        found = read_select(case.raw(Input.HANDOVER_SELECT), hr)
        if hr is not None:
            read_request(hr)
        engagement.read(found.device_engagement)
    except (MalformedHandover, MalformedNdef, MalformedMdoc):
        return said("malformed", FieldCode("4043"))
    return OK


def _session(case: Case) -> Said:
    s, transcript = case.session, case.transcript()
    holder = HolderSession(
        engagement.read(case.suite.files[s.engagement]), case.suite.key(s.device_key), Application(case.holder()).answer,
        transcript.handover,
    )
    for number, what in enumerate((Input.MESSAGE, Input.NEXT_MESSAGE), 1):
        answer = holder.handle(case.raw(what), case.at_ns)
        status = session.read_data(answer).status
        if status is not None:
            reason = "cannot-decrypt" if status is session.SessionStatus.ENCRYPTION_ERROR else "malformed"
            return said(reason, space="session-status", number=str(status.value))
        kept = case.suite.files.get(f"session/{s.name}.answer-{number}.cbor")
        assert case.vector.differs_from or answer == kept
    return OK


def _request(case: Case) -> Said:
    try:
        asked = request.read(case.raw(Input.REQUEST))
    except MalformedMdoc:
        return said("malformed", space="response-status", number="11")
    answer = Application(case.holder()).answer(asked, case.transcript(), case.at_ns)
    if not answer.documents:
        return _error(answer.errors[vhc.DOCTYPE], ())
    (document,) = answer.documents
    values = {**document.issued.values(), **document.device.values}
    shown = tuple(f"{space}/{name}" for space in sorted(values) for name in sorted(values[space]))
    others = {code for space, codes in document.errors.items() for code in codes.values() if code}
    if not others:
        return said("accepted", accepted=True, shown=shown)
    (code,) = others
    return _error(code, shown)


def _error(code: int, shown: tuple[str, ...]) -> Said:
    found = party_of(code)
    own = {int(No.VERSION): "malformed", int(No.NOT_IN_FORCE): "not-in-force"}.get(code, "no-right")
    return said(own if found is None else found[1].name, space="mdoc-error", number=str(code), shown=shown)


def _response(case: Case) -> Said:
    try:
        answer = response.read(case.raw(Input.RESPONSE))
    except MalformedMdoc:
        return said("malformed", FieldCode("4043"))
    if answer.status is not ResponseStatus.OK:
        return said("malformed", FieldCode(NO_RIGHT))
    document = next((d for d in answer.documents if d.doctype == vhc.DOCTYPE), None)
    if document is None:
        return _not_shown(answer.errors.get(vhc.DOCTYPE, int(No.NOT_RETURNED)))
    key = case.suite.key(case.session.reader_key)
    verdict = response.believe(
        document, case.transcript(), case.suite.root, case.at_ns, Work(), skew_s=SKEW_S,
        agree=lambda device: session.agree(key, device),
    )
    if isinstance(verdict, Refused):
        return _card(verdict)
    place = verdict.mso.status
    assert place is not None
    found = case.suite.lists(case.at_ns).look(place.uri, place.index, case.at_ns).status
    if found in (Status.VALID, Status.UNKNOWN):
        return _receipt_signed(verdict) or _ward(case, verdict)
    return said("suspended" if found is Status.SUSPENDED else "revoked", FieldCode(REVOKED))


def _receipt_signed(found: response.Believed) -> Said | None:
    by_mac = vhc.WRITE in found.device_values and not found.signed
    return said("no-proof", FieldCode("4043")) if by_mac else None


def _ward(case: Case, found: response.Believed) -> Said:
    """As ``wallet_visit`` does with what was shown."""
    under = found.values.get(vhc.BASIC, {}).get(vhc.HELD_UNDER)
    if not under:
        return OK
    shown = found.device_values.get(vhc.DELEGATION, {})
    try:
        proof = read_sign1(shown.get("proof"))
    except MalformedCose:
        proof = None
    use = authorization_check.Use(
        found.values[vhc.BASIC]["card_no"], frozenset({Scope.BASIC}), Purpose.OUTPATIENT, found.mso.device_key,
    )
    checker = authorization_check.Checker(case.suite.root, case.suite.lists(case.at_ns).look)
    verdict = checker.check_presented(shown.get("authorization"), proof, case.transcript().encoded, use, case.at_ns)
    if not verdict.holds:
        return said(verdict.reason.name, verdict.code)
    assert verdict.authorization is not None
    if verdict.authorization.cti != under:
        return said("out-of-scope", authorization_check.CODES[authorization_check.Reason.OUT_OF_SCOPE])
    return OK


def _not_shown(number: int) -> Said:
    found = party_of(number)
    words = {int(No.NOT_RETURNED): "missing", int(No.NOT_IN_FORCE): "not-in-force"}
    return said(found[1].name if found else words.get(number, "no-right"), FieldCode(refusal(number).code))


def _readers(case: Case) -> Readers:
    found = {}
    for name, role in (("sam", Role.SAM), ("physician", Role.PHYSICIAN)):
        chain = case.suite.pem(f"trust/{name}.pem")
        verdict = case.suite.root.check(chain, {role}, case.at_ns)
        assert isinstance(verdict, Verified)
        found[name] = Reader(verdict, tuple(chain))
    return Readers(sam=found["sam"], hpc=found["physician"])


def _batch(case: Case) -> Said:
    holder, readers = case.holder(int(case.value(Value.CAPACITY))), _readers(case)
    credential = holder.credential(case.at_ns)
    assert isinstance(credential, mso.IssuerSigned)
    if Input.BEFORE in case.vector.files:
        before = holder.records.write(case.raw(Input.BEFORE), credential, readers, case.at_ns, lambda _: {})
        assert before.outcome is WriteOutcome.STORED
    try:
        receipt = holder.records.write(case.raw(Input.BATCH), credential, readers, case.at_ns, lambda _: {})
    except MalformedMdoc:
        assert not holder.records.all()
        return said("malformed", space="mdoc-error", number="-6")
    outcome = receipt.outcome
    reason = {WriteOutcome.STORED: "accepted", WriteOutcome.ALREADY: "already-stored"}.get(outcome, outcome.name)
    return said(reason, space="receipt-outcome", number=str(outcome.value), accepted=outcome.done)


def _late(case: Case) -> Said:
    """As ``Phone.take_late`` does, on the device of the vectors."""
    holder = case.holder()
    credential = holder.credential(case.at_ns)
    if Input.CREDENTIAL in case.vector.files:  # the device has another card than that of the other vectors
        credential = mso.read_issuer_signed(cbor2.loads(case.raw(Input.CREDENTIAL)))
    assert isinstance(credential, mso.IssuerSigned)
    number, records, chains, *received = cbor2.loads(case.raw(Input.LATE_RECORDS))
    outcome = WriteOutcome.WRONG_HOLDER
    try:
        parts = [read_record(raw)[0] for raw in records]
        if 1 <= len(parts) <= MAX_RECORDS and len(number) == ID_BYTES:
            outcome = WriteOutcome.BAD_SIGNATURE
            if times := moments(received, [p.at_ns for p in parts], case.at_ns):
                readers = late_readers(chains, times, case.suite.root, Work())
                batch = Batch(number, credential.auth_hash(), holder.records.generation, tuple(records))
                outcome = holder.records.write(batch.to_bytes(), credential, readers, case.at_ns, lambda _: {}).outcome
    except MalformedMdoc:
        outcome = WriteOutcome.BAD_SIGNATURE
    reason = "accepted" if outcome is WriteOutcome.STORED else outcome.name
    return said(reason, space="receipt-outcome", number=str(outcome.value), accepted=outcome.done)


def _receipt(case: Case) -> Said:
    batch = read_batch(case.raw(Input.BATCH))
    try:
        receipt = read_receipt(read(case.raw(Input.RECEIPT), "a receipt"))
    except MalformedMdoc:
        return said("malformed", FieldCode("4043"))
    if not receipt_is_for(receipt, batch):
        return said("another-batch", FieldCode("4043"))
    reason = {WriteOutcome.STORED: "accepted", WriteOutcome.ALREADY: "already-stored"}.get(receipt.outcome, receipt.outcome.name)
    return said(reason, FieldCode(receipt.outcome.code), accepted=receipt.outcome.done)


def _card_code(case: Case) -> Said:
    made_ns = from_datetime(datetime.fromisoformat(case.suite.manifest.at.replace("Z", "+00:00")))
    lists = case.suite.lists(made_ns)
    issuers = qr_check.Issuers(case.suite.root, Work())
    issuers.take(case.suite.pem("trust/document-signer.pem"), made_ns)
    asked = read_challenge(case.text(Input.CHALLENGE)) if Input.CHALLENGE in case.vector.files else None
    scope = frozenset({Scope[case.vector.values.get(Value.SCOPE, "basic").upper()]})
    reader = qr_check.QrReader(case.value(Value.READER), issuers, lists, Work())
    if Input.BEFORE in case.vector.files:
        assert reader.check(case.text(Input.BEFORE), case.at_ns, asked, scope=scope).believed
    verdict = reader.check(case.text(), case.at_ns, asked, scope=scope)
    return OK if verdict.believed else said(verdict.reason.name, verdict.code)


def _prescription_code(case: Case) -> Said:
    text = case.text() if Input.TEXT in case.vector.files else ""
    if Input.TEXTS in case.vector.files:
        collector = Collector()
        added = [collector.add(line) for line in case.text(Input.TEXTS).splitlines()]
        if Added.COMPLETE not in added:
            return said("malformed", prescription.CODES[prescription.Reason.MALFORMED])
        text = collector.whole or ""
    authorities = [case.suite.pem(f"trust/{name}.pem")[1] for name in ("physician", "sam")]
    checker = prescription.Checker(case.suite.root, authorities, Work(), revoked=case.revoked)
    verdict = checker.check(text, bytes.fromhex(case.value(Value.DEVICE)), case.at_ns)
    return OK if verdict.believed else said(verdict.reason.name, verdict.code)


def _authorization(case: Case) -> Said:
    at_ns = from_datetime(datetime.fromisoformat(case.suite.manifest.at.replace("Z", "+00:00")))
    checker = authorization_check.Checker(case.suite.root, case.suite.lists(at_ns).look)
    use = authorization_check.Use(
        case.value(Value.WARD), frozenset({Scope[case.value(Value.SCOPE).upper()]}), Purpose(case.value(Value.PURPOSE)),
        case.suite.key("guardian").public_key(),
    )
    try:
        proof = read_sign1(cbor2.loads(case.raw(Input.PROOF)))
    except MalformedCose:
        proof = None
    verdict = checker.check_presented(case.raw(Input.AUTHORIZATION), proof, case.transcript().encoded, use, case.at_ns)
    if verdict.holds:
        return OK
    reason = "issuer-expired" if verdict.reason is authorization_check.Reason.UNTRUSTED else verdict.reason.name
    return said(reason, verdict.code)


def _status_list(case: Case) -> Said:
    lists = StatusLists(case.suite.root, Work())
    taken = lists.take(case.raw(Input.STATUS_LIST), case.at_ns)
    if taken.outcome is not Taking.ACCEPTED:
        return said(taken.outcome.name)
    _, token = status_list.read(case.raw(Input.STATUS_LIST))
    found = lists.look(token.uri, int(case.value(Value.INDEX)), case.at_ns)
    words = {Status.VALID: "accepted", Status.INVALID: "revoked", Status.SUSPENDED: "suspended",
        Status.UNKNOWN: "outside-the-list", Status.APPLICATION: "revoked"}
    return said(words[found.status], accepted=found.status is Status.VALID)


_BY_KIND: Mapping[Kind, Callable[[Case], Said]] = {
    Kind.CREDENTIAL: _credential, Kind.ENGAGEMENT: _engagement, Kind.HANDOVER: _handover, Kind.SESSION: _session,
    Kind.REQUEST: _request, Kind.RESPONSE: _response, Kind.BATCH: _batch, Kind.RECEIPT: _receipt, Kind.CARD_CODE: _card_code,
    Kind.LATE_RECORDS: _late, Kind.PRESCRIPTION_CODE: _prescription_code, Kind.AUTHORIZATION: _authorization,
     Kind.STATUS_LIST: _status_list,
}


def expected(vector: Vector) -> Said:
    e = vector.expected
    return e.accepted, e.reason.value, e.code.space.value, e.code.number, e.shown


__all__ = ["Checks", "expected"]
