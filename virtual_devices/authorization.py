"""A guardian's authorization (代理授權): what lets one person present the card of another, and how it is checked offline.

It is a CWT (RFC 8392) in a COSE_Sign1 of the data centre, chain in ``x5chain``, type in the protected header (RFC 9596):

    1 issuer   2 ward's card number   4 end   5 begin   6 issued (whole seconds)   7 id (16 bytes)
    8 guardian's device key (RFC 8747: {1: COSE_Key})   65535 place in the status list
    -65601 {1: guardian's card number, 2: guardian's name, 3: relation, 4: [scope, ...], 5: purpose}

It proves nothing by itself: whoever presents it signs, with the key that it names, a message of the session, so that neither
a copied authorization nor a recorded proof is of use. :class:`Relation` bounds what may be granted at all, so that one wider
than its relation is refused even when the signature holds. Names, numbers and bounds are the bench's profile.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum, IntEnum
from typing import Any

import cbor2
from cryptography.hazmat.primitives.asymmetric import ec

from virtual_devices import cwt
from virtual_devices.clock import NS
from virtual_devices.cose import PROTECTED_ES256, TYP, X5CHAIN, Sign1, sig_structure
from virtual_devices.cwt import CNF, CTI, EXP, IAT, ISS, NBF, STATUS, SUB, Claims, MalformedCwt, confirmation, seconds, status_at
from virtual_devices.errors import PeerError, UsageError
from virtual_devices.mdoc.mso import StatusReference
from virtual_devices.pki import Identity

MEDIA_TYPE = "application/tw.nhi.bench.authorization+cwt"
PROOF_CONTEXT = "tw.nhi.bench.delegation.1"
ISSUER = "tw.nhi.bench"
GRANT = -65601  # private use (RFC 8392 clause 9.1)
CTI_BYTES, NAME_CHARACTERS, CARD_NO_CHARACTERS = 16, 60, 12
DAY_S = 86_400


class Scope(IntEnum):
    """What the guardian may do with the ward's card."""

    BASIC = 1  # present the basic data: register a visit
    MEDICAL = 2  # let medical data be read
    WRITE = 3  # accept what is written back
    COLLECT = 4  # collect what was prescribed
    LOG = 5  # see who read what


class Purpose(Enum):
    """What for. ``CARE`` covers every medical purpose; outside medical care only the basic data are ever shown."""

    CARE = "care"
    OUTPATIENT = "outpatient"
    PHARMACY = "pharmacy"
    HOME_CARE = "home-care"
    NON_MEDICAL = "non-medical"


EVERYTHING = frozenset(Scope)


def beyond(scope: frozenset[Scope], purpose: Purpose, granted: frozenset[Scope], granted_for: Purpose) -> str:
    """What of a use an authorization does not reach to; empty when it covers all of it."""
    if more := scope - granted:
        return ", ".join(sorted(s.name.lower() for s in more))
    general = granted_for is Purpose.CARE and purpose is not Purpose.NON_MEDICAL
    return "" if general or granted_for is purpose else f"for {granted_for.value}, not for {purpose.value}"


@dataclass(frozen=True, slots=True)
class Bounds:
    """The most that a relation can be granted."""

    scope: frozenset[Scope]
    days: int


class Relation(Enum):
    """What the guardian is to the ward."""

    PARENT = "parent"  # 法定代理人 of a child under age
    COURT_GUARDIAN = "court guardian"  # 監護人, by a court's order
    FAMILY = "family"  # chosen by the ward
    CARER = "carer"  # 照顧者: a helper at home
    MESSENGER = "messenger"  # fetches medicine for the ward


BOUNDS: Mapping[Relation, Bounds] = {
    Relation.PARENT: Bounds(EVERYTHING, 3 * 366),
    Relation.COURT_GUARDIAN: Bounds(EVERYTHING, 3 * 366),
    Relation.FAMILY: Bounds(EVERYTHING, 366),
    Relation.CARER: Bounds(frozenset({Scope.BASIC, Scope.WRITE, Scope.COLLECT}), 366),
    Relation.MESSENGER: Bounds(frozenset({Scope.BASIC, Scope.COLLECT}), 90),
}


class MalformedAuthorization(PeerError, ValueError):
    """Bytes that are no authorization."""

    def __init__(self, what: str) -> None:
        super().__init__(what, code="1520", clause="RFC 8392 7.2")


@dataclass(frozen=True, slots=True)
class Authorization:
    """An authorization, read. Times are whole seconds as nanoseconds."""

    cti: bytes
    ward: str  # card number
    guardian: str  # card number
    guardian_name: str
    guardian_key: ec.EllipticCurvePublicKey
    relation: Relation
    scope: frozenset[Scope]
    purpose: Purpose
    issued_ns: int
    not_before_ns: int
    expires_ns: int
    status: StatusReference

    def says(self) -> str:
        """Who for whom, as a record of a visit has it (DLG-03)."""
        return on_behalf(self.guardian_name, self.guardian, self.ward)

    def excess(self) -> str:
        """What goes beyond its relation; empty when nothing does."""
        bounds = BOUNDS[self.relation]
        if beyond := self.scope - bounds.scope:
            return f"a {self.relation.value} is never given: {', '.join(sorted(s.name.lower() for s in beyond))}"
        if self.expires_ns - self.not_before_ns > bounds.days * DAY_S * NS:
            return f"a {self.relation.value} is given {bounds.days} days at most"
        if self.purpose is Purpose.NON_MEDICAL and self.scope != {Scope.BASIC}:
            return "outside medical care only the basic data are shown"
        return ""


def on_behalf(guardian_name: str, guardian: str, ward: str) -> str:
    """Who for whom; ``guardian``, ``ward``: card numbers."""
    return f"by {guardian_name} ({guardian}) for {ward}"


# -- making and reading

def claims(a: Authorization) -> dict[int | str, Any]:
    """The claims map."""
    return {
        ISS: ISSUER, SUB: a.ward, EXP: seconds(a.expires_ns), NBF: seconds(a.not_before_ns), IAT: seconds(a.issued_ns),
        CTI: a.cti, CNF: confirmation(a.guardian_key), STATUS: status_at(a.status),
        GRANT: {1: a.guardian, 2: a.guardian_name, 3: a.relation.value, 4: sorted(int(s) for s in a.scope), 5: a.purpose.value},
    }


def issue(a: Authorization, issuer: Identity) -> bytes:
    """The signed credential. Raises UsageError when what it would say cannot be read back."""
    found = claims(a)
    try:
        if read_claims(Claims(found)) != a:
            raise UsageError("times of an authorization are whole seconds")
    except MalformedAuthorization as e:
        raise UsageError(f"this authorization would be refused: {e.what}") from None
    return cwt.make(issuer.key, found, protected={TYP: MEDIA_TYPE}, unprotected={X5CHAIN: list(issuer.chain)}).to_bytes()


def read(raw: bytes) -> tuple[Sign1, Authorization]:
    """The message and what it says, before anything is verified. Raises MalformedAuthorization, nothing else."""
    try:
        token = cwt.decode(raw)
    except MalformedCwt as e:
        raise MalformedAuthorization(e.what) from None
    if token.message.header.get(TYP) != MEDIA_TYPE:
        raise MalformedAuthorization("a message of another type")
    return token.message, read_claims(token.claims)


def read_claims(found: Claims) -> Authorization:
    """What the claims say. A scope, relation or purpose that is not known here is refused: it would grant nobody knows what."""
    if found.issuer != ISSUER:
        raise MalformedAuthorization("of another issuer")
    if found.token_id is None or len(found.token_id) != CTI_BYTES:
        raise MalformedAuthorization(f"the id is not {CTI_BYTES} bytes")
    issued_ns, begins_ns, ends_ns = found.issued_ns, found.not_before_ns, found.expires_ns
    if issued_ns is None or begins_ns is None or ends_ns is None:
        raise MalformedAuthorization("issue, beginning or end is missing")
    if found.key is None or found.status is None:
        raise MalformedAuthorization("the guardian's key or the place in the status list is missing")
    grant = found.values.get(GRANT)
    if not isinstance(grant, Mapping):
        raise MalformedAuthorization("the grant is not a map")
    scopes = grant.get(4)
    if not isinstance(scopes, list) or not scopes or not all(type(s) is int for s in scopes) or len(set(scopes)) != len(scopes):
        raise MalformedAuthorization("scopes are missing, are no numbers, or stand twice")
    try:
        relation, purpose = Relation(_text(grant.get(3), 20)), Purpose(_text(grant.get(5), 20))
        scope = frozenset(Scope(s) for s in scopes)
    except MalformedAuthorization:
        raise
    except ValueError as e:  # of an enum
        raise MalformedAuthorization(str(e)) from None
    return Authorization(
        found.token_id, _text(found.subject, CARD_NO_CHARACTERS), _text(grant.get(1), CARD_NO_CHARACTERS),
        _text(grant.get(2), NAME_CHARACTERS), found.key, relation, scope, purpose, issued_ns, begins_ns, ends_ns, found.status,
    )


def _text(value: object, most: int) -> str:
    if not isinstance(value, str) or not 1 <= len(value) <= most:
        raise MalformedAuthorization(f"not a text of 1 to {most} characters")
    return value


# -- the guardian's own proof

Signer = Callable[[bytes], bytes]
"""Signs a message with ES256, 64 bytes r || s: a key in software, or one that never leaves a phone's hardware."""


def proof_payload(transcript: bytes, cti: bytes) -> bytes:
    """What the guardian's key signs: this session, this authorization. ``transcript``: the SessionTranscript's bytes."""
    encoded: bytes = cbor2.dumps([PROOF_CONTEXT, hashlib.sha256(transcript).digest(), cti], canonical=True)
    return encoded


def make_proof(sign: Signer, transcript: bytes, cti: bytes) -> Sign1:
    """A detached COSE_Sign1: its payload is never sent, both sides have it."""
    return Sign1(PROTECTED_ES256, {}, None, sign(sig_structure(PROTECTED_ES256, proof_payload(transcript, cti))))


def verify_proof(proof: Sign1, a: Authorization, transcript: bytes) -> bool:
    """True when the key that the authorization names made it, in this session, for this authorization. Never raises."""
    return proof.verify(a.guardian_key, detached=proof_payload(transcript, a.cti))


__all__ = [
    "Authorization", "BOUNDS", "Bounds", "EVERYTHING", "MEDIA_TYPE", "MalformedAuthorization", "PROOF_CONTEXT", "Purpose",
    "Relation", "Scope", "Signer", "beyond", "claims", "issue", "make_proof", "on_behalf", "proof_payload", "read",
    "read_claims", "verify_proof",
]
