"""Write-back (profile): a batch of signed records rides in a second request, and a device-signed receipt comes back.

    requestInfo["tw.nhi.bench.write"] = #6.24(bstr .cbor Batch)
    Batch   = {1: 1, 2: batch id, 3: SHA-256(IssuerAuth seen this session), 4: generation read before, 5: [1*60 RecordBytes]}
    RecordBytes = #6.24(bstr .cbor COSE_Sign), signers [HPC, SAM]; of a fee record the SAM alone
    Record  = {1: kind, 2: record id, 3: whose (``holder_of``), 4: tdate, 5: {+ uint => any}, ? 6: record it amends}
    Receipt = {1: batch id, 2: SHA-256(Batch), 3: outcome, 4: generation, 5: tdate, ? 6: [+ number of a record at fault]}

The batch id is what makes writing twice the same as writing once. Each signature of a record names its certificate by its
SHA-256 (x5t, RFC 9360), which is the certificate shown in the session, so that sixty records do not carry sixty chains.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec

from virtual_devices import pki, vhc
from virtual_devices.cose import ALG, ES256, MalformedCose, Sign, Signature, decode_sign, encode_protected
from virtual_devices.mdoc.cose_key import encoded
from virtual_devices.mdoc.tagged import (
    MalformedMdoc,
    a_map,
    a_number,
    an_array,
    brief,
    dumps,
    embed,
    read_map,
    read_tdate,
    some_bytes,
    tdate,
    unembed,
)
from virtual_devices.pki import PROFESSIONALS, Role

VERSION = 1
MAX_RECORDS, MAX_RECORD_BYTES, MAX_BATCH_BYTES = 60, 8192, 49_152
"""Of one batch; bytes of one signed record; of a whole batch, which travels in one message beside two chains."""
ID_BYTES, HASH_BYTES = 16, 32
X5T, SHA256 = 34, -16


class Kind(Enum):
    """What a record is."""

    VISIT = "visit"
    FEE = "fee"  # the visit's fees, written at the cashier's: no professional there
    PRESCRIPTION = "rx"
    CANCEL = "cancel"
    AMEND = "amend"
    DISPENSE = "dispense"  # one issue of a prescription handed over
    RETURN = "return"  # a dispensing that did not take place after all
    RECEIVED = "received"  # the recipient's signature for what was dispensed
    QUERY = "query"  # a pharmacist doubts a prescription
    ANSWER = "answer"  # to a query
    RESTORE = "restore"  # a cancellation taken back

    @property
    def needs_professional(self) -> bool:
        return self is not Kind.FEE

    @property
    def carried(self) -> bool:
        """Whether holders' devices keep it; the rest lies with the data centre only."""
        return self not in _NOT_CARRIED

    @property
    def signers(self) -> frozenset[Role]:
        """The professionals whose kind of record it is; none where the SAM signs alone."""
        return frozenset() if self is Kind.FEE else _SIGNERS.get(self, PROFESSIONALS)


_PHYSICIAN, _DISPENSER = frozenset({Role.PHYSICIAN}), frozenset({Role.PHARMACIST, Role.PHYSICIAN})
_SIGNERS = {
    Kind.PRESCRIPTION: _PHYSICIAN, Kind.AMEND: _PHYSICIAN, Kind.RESTORE: _PHYSICIAN, Kind.DISPENSE: _DISPENSER,
    Kind.RETURN: _DISPENSER, Kind.RECEIVED: _DISPENSER, Kind.QUERY: frozenset({Role.PHARMACIST}), Kind.ANSWER: _DISPENSER,
}
"""Who signs, where it is not any professional."""
_NOT_CARRIED = frozenset({Kind.RECEIVED, Kind.QUERY, Kind.ANSWER})
_OF_PRESCRIPTIONS = frozenset({Kind.PRESCRIPTION, Kind.DISPENSE, Kind.RETURN, Kind.RESTORE})


class WriteOutcome(Enum):
    """What became of a batch."""

    STORED = 0
    ALREADY = 1
    WRONG_HOLDER = -1
    CONFLICT = -2
    BAD_SIGNATURE = -3
    FULL = -4

    @property
    def code(self) -> str:
        """The field's code (space cshis); where it has none for a wallet, the nearest (inferred)."""
        return _CODES[self]

    @property
    def done(self) -> bool:
        return self in (WriteOutcome.STORED, WriteOutcome.ALREADY)


_CODES = {
    WriteOutcome.STORED: "0", WriteOutcome.ALREADY: "0", WriteOutcome.WRONG_HOLDER: "5020", WriteOutcome.CONFLICT: "5023",
    WriteOutcome.BAD_SIGNATURE: "5009", WriteOutcome.FULL: "5033",
}


@dataclass(frozen=True, slots=True)
class Record:
    """One record, before its signatures. ``holder``: the card that it is written for (:func:`holder_of`)."""

    kind: Kind
    id: bytes
    holder: bytes
    at_ns: int
    fields: Mapping[int, Any]
    amends: bytes | None = None

    def to_bytes(self) -> bytes:
        body: dict[int, Any] = {1: self.kind.value, 2: self.id, 3: self.holder, 4: tdate(self.at_ns), 5: dict(self.fields)}
        if self.amends is not None:
            body[6] = self.amends
        return dumps(body)

    def unsigned(self) -> Sign:
        """As a COSE_Sign to which the signatures are still to be added."""
        return Sign(b"", {}, self.to_bytes(), ())


@dataclass(frozen=True, slots=True)
class Batch:
    """``records``: each an encoded COSE_Sign. ``issuer_auth``: SHA-256 of the credential's IssuerAuth seen this session."""

    id: bytes
    issuer_auth: bytes
    generation: int
    records: tuple[bytes, ...]

    def to_bytes(self) -> bytes:
        return dumps({1: VERSION, 2: self.id, 3: self.issuer_auth, 4: self.generation, 5: [embed(r) for r in self.records]})


@dataclass(frozen=True, slots=True)
class Receipt:
    """What the device says of a batch; its signature stands in the response that carries it."""

    batch: bytes
    digest: bytes
    outcome: WriteOutcome
    generation: int
    at_ns: int
    at_fault: tuple[int, ...] = ()

    def value(self) -> dict[int, Any]:
        body: dict[int, Any] = {1: self.batch, 2: self.digest, 3: self.outcome.value, 4: self.generation, 5: tdate(self.at_ns)}
        return body | ({6: list(self.at_fault)} if self.at_fault else {})


def holder_of(device_key: ec.EllipticCurvePublicKey, held_under: bytes = b"") -> bytes:
    """Whom a record is written for: SHA-256 of the device key as a COSE_Key; see :func:`of_card` for a ward's card."""
    return of_card(pki.hashed(encoded(device_key)), held_under)


def of_card(device: bytes, held_under: bytes) -> bytes:
    """The same from the id of the key. A guardian's own card and the wards' on that phone share one key: of a ward's it is
    SHA-256 over the key's id and the authorization's, so that no record passes from the one card to the other."""
    return pki.hashed(device + held_under) if held_under else device


def former_cards(basic: Mapping[str, Any]) -> frozenset[bytes]:
    """The cards whose place this one took, as its issuer-signed basic elements name them; what is none is passed over."""
    named = basic.get(vhc.FORMER)
    some = named[: vhc.MAX_FORMER] if isinstance(named, (list, tuple)) else ()
    return frozenset(one for one in some if isinstance(one, bytes) and len(one) == HASH_BYTES)


def signer_header(certificate: bytes) -> bytes:
    """The protected header of one signature of a record: ES256, and which certificate (DER) it is by."""
    return encode_protected({ALG: ES256, X5T: [SHA256, hashlib.sha256(certificate).digest()]})


def thumbprint(signature: Signature) -> bytes:
    """SHA-256 of the certificate that a signature names. Raises MalformedMdoc."""
    header = read_map(signature.protected, "a signature's header")
    found = an_array(header.get(X5T), "x5t")
    if len(found) != 2 or found[0] != SHA256:
        raise MalformedMdoc("x5t is not a SHA-256")
    return _exactly(found[1], HASH_BYTES, "x5t")


# -- reading

def read_batch(raw: bytes) -> Batch:
    """Raises MalformedMdoc. The records are not looked into: see :func:`read_record`."""
    if len(raw) > MAX_BATCH_BYTES:
        raise MalformedMdoc(f"a batch of {len(raw)} bytes, at most {MAX_BATCH_BYTES}")
    body = read_map(raw, "a batch")
    if body.get(1) != VERSION:
        raise MalformedMdoc(f"batch version {brief(body.get(1))}")
    records = an_array(body.get(5), "records")
    if not 1 <= len(records) <= MAX_RECORDS:
        raise MalformedMdoc(f"{len(records)} records, 1 to {MAX_RECORDS}")
    return Batch(
        _exactly(body.get(2), ID_BYTES, "the batch id"), _exactly(body.get(3), HASH_BYTES, "the IssuerAuth hash"),
        _not_negative(body.get(4), "the generation"), tuple(unembed(r, "a record") for r in records),
    )


def read_record(raw: bytes) -> tuple[Record, Sign]:
    """The record in an encoded COSE_Sign, and that. Raises MalformedMdoc."""
    try:
        signed = decode_sign(raw)
    except MalformedCose as e:
        raise MalformedMdoc(f"a record: {e.what}") from None
    if signed.protected or signed.unprotected:
        raise MalformedMdoc("a record with headers of its own: they are its signatures'")
    if len(raw) > MAX_RECORD_BYTES:
        raise MalformedMdoc(f"a record of {len(raw)} bytes, at most {MAX_RECORD_BYTES}")
    return read_content(signed.payload), signed


def read_content(payload: bytes) -> Record:
    """The record itself, without what signs it. Raises MalformedMdoc."""
    body = read_map(payload, "a record")
    try:
        kind = Kind(body.get(1))
    except ValueError:
        raise MalformedMdoc(f"a record of kind {brief(body.get(1))}") from None
    fields = a_map(body.get(5), "a record's fields")
    if not fields or not all(isinstance(k, int) and not isinstance(k, bool) and k >= 0 for k in fields):
        raise MalformedMdoc("a record's fields are not numbered")
    amends = body.get(6)
    if (amends is None) == (kind in (Kind.AMEND, Kind.CANCEL)):
        raise MalformedMdoc("an amendment or cancellation names a record, and nothing else does")
    return Record(
        kind, _exactly(body.get(2), ID_BYTES, "a record's id"), _exactly(body.get(3), HASH_BYTES, "a record's holder"),
        read_tdate(body.get(4), "a record's date"), {int(k): v for k, v in fields.items()},
        None if amends is None else _exactly(amends, ID_BYTES, "the id of what is amended"),
    )


def read_receipt(value: object) -> Receipt:
    """Raises MalformedMdoc."""
    body = a_map(value, "a receipt")
    try:
        outcome = WriteOutcome(a_number(body.get(3), "the outcome"))
    except ValueError:
        raise MalformedMdoc(f"write outcome {brief(body.get(3))}") from None
    at_fault = tuple(_not_negative(n, "a record's number") for n in an_array(body.get(6, []), "records at fault"))
    return Receipt(
        _exactly(body.get(1), ID_BYTES, "the batch id"), _exactly(body.get(2), HASH_BYTES, "the batch's digest"), outcome,
        _not_negative(body.get(4), "the generation"), read_tdate(body.get(5), "the receipt's date"), at_fault,
    )


def receipt_is_for(receipt: Receipt, batch: Batch) -> bool:
    """True when a receipt speaks of these very bytes."""
    return receipt.batch == batch.id and receipt.digest == hashlib.sha256(batch.to_bytes()).digest()


def records_of(raw: Sequence[bytes]) -> list[Record]:
    """The records without their signatures, for people to read. Raises MalformedMdoc."""
    return [read_record(r)[0] for r in raw]


def of_prescriptions(records: Iterable[Record]) -> frozenset[bytes]:
    """Ids of those that belong to prescriptions: what is prescribed or dispensed, and what amends or cancels that. The rest
    belongs to visits."""
    known = list(records)
    found = {record.id for record in known if record.kind in _OF_PRESCRIPTIONS}
    while more := {record.id for record in known if record.amends in found} - found:
        found |= more
    return frozenset(found)


def _exactly(value: object, length: int, what: str) -> bytes:
    if len(found := some_bytes(value, what)) != length:
        raise MalformedMdoc(f"{what} has {len(found)} bytes, not {length}")
    return found


def _not_negative(value: object, what: str) -> int:
    if not 0 <= (number := a_number(value, what)) < 1 << 63:
        raise MalformedMdoc(f"{what} is out of range")
    return number
