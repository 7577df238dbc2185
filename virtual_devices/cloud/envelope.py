"""The signature envelope (簽章封套) of control software 6.0: who asks, and the proof, beside the fields of a cloud request.

A client copies what the local component signed into the body of its call: ``clientRandom``, ``hospitalId``, ``samId``,
``signature`` and, as the kind wants it, ``hcId``, ``hcIdNo``, ``hpcId``, ``hpcIdNo`` (public). Four kinds: SAM alone, SAM and
patient card, SAM and professional's card, all three. What is signed, and how it is written, is not public; here (profile):

    signature  = base64 of CBOR [statement, SAM chain, SAM signature, patient, professional]
    statement  = CBOR {1: label, 2: clientRandom, 3: hospitalId, 4: samId, 5: service type, 6: time in ns, 7: hcId, 8: hcIdNo,
                 9: hpcId, 10: hpcIdNo, 11: SHA-256 of the virtual card's token, hexadecimal}
    SAM        COSE Sig_structure over the statement
    patient    nil, or [chain, 64 bytes]: the card's proof to the data centre over the statement's hash; or a virtual card's
               token
    professional  nil, or [chain, 64 bytes] over the statement

The data centre takes a ``clientRandom`` of a SAM once: again, with whatever beside it, is 66008 (replay, by its words). An
altered request is 3100 (signature check failed, by its words), or 1704 when nothing can be read: the field has codes for both.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

import cbor2

from virtual_devices import cbor, pki
from virtual_devices.authentication import CHALLENGE_BYTES, Party, padded_id, proof_message
from virtual_devices.clock import NS
from virtual_devices.cloud.challenges import Newest
from virtual_devices.cloud.seen import SeenEnvelopes
from virtual_devices.cose import PROTECTED_ES256, sig_structure
from virtual_devices.pki import ChainVerifier, Refused, Role, Trouble

LABEL = "VHC 6.0 envelope 1"
FIELDS = ("clientRandom", "hospitalId", "samId", "hcId", "hcIdNo", "hpcId", "hpcIdNo")
REQUIRED = ("clientRandom", "hospitalId", "samId", "signature")
MAX_SIGNATURE_CHARACTERS = 16_384
AGE_S: Mapping[str, int] = {"30": 3_600, "15": 28_800, "17": 28_800}
"""How long a signature is good, by service type (public); the others as long as the shortest of these (inferred)."""
CLOCK_SKEW_S = 900
SIGNATURE_BAD, REPLAYED, MALFORMED, TOO_OLD = "3100", "66008", "1704", "1421"
_SAM_CODE: Mapping[Trouble, str] = {Trouble.EXPIRED: "1302", Trouble.NOT_YET_VALID: "1302", Trouble.REVOKED: "1304"}
_HPC_CODE: Mapping[Trouble, str] = {
    Trouble.EXPIRED: "1422", Trouble.NOT_YET_VALID: "1422", Trouble.REVOKED: "1424", Trouble.FORGED: "1423",
    Trouble.WRONG_ROLE: "1403",
}
_HC_CODE: Mapping[Trouble, str] = {Trouble.EXPIRED: "3201", Trouble.NOT_YET_VALID: "3201", Trouble.REVOKED: "3203"}


class Kind(Enum):
    """Whose signatures are in it."""

    SAM = "Sam"
    HC = "Hc"  # SAM and patient card
    HPC = "Hpc"  # SAM and professional's card
    HPC_HC = "HpcHc"  # all three

    @property
    def patient(self) -> bool:
        return self in (Kind.HC, Kind.HPC_HC)

    @property
    def professional(self) -> bool:
        return self in (Kind.HPC, Kind.HPC_HC)


@dataclass(frozen=True, slots=True)
class Signed:
    """Who asks, after the check. ``token``: of a virtual card, whose card the token office knows; else ``card_no``."""

    institution: str
    sam_id: str
    service_type: str
    client_random: str
    card_no: str = ""
    token: str = ""
    profession: Role | None = None
    professional_id: str = ""


def statement(fields: Mapping[str, str], service_type: str, at_ns: int, token: str = "") -> bytes:
    """What is signed."""
    values = {1: LABEL, 2: fields["clientRandom"], 3: fields["hospitalId"], 4: fields["samId"], 5: service_type, 6: at_ns}
    values |= {number: fields.get(name, "") for number, name in enumerate(FIELDS[3:], 7)}
    encoded: bytes = cbor2.dumps(values | {11: _token_hash(token)}, canonical=True)
    return encoded


def _token_hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest() if token else ""


def card_challenge(signed: bytes) -> bytes:
    """What the patient card proves itself over: the statement's hash and the data centre's name."""
    return hashlib.sha256(signed).digest()[:CHALLENGE_BYTES]


def signature_text(
    signed: bytes, sam: tuple[bytes, bytes], patient: tuple[bytes, bytes] | str | None, professional: tuple[bytes, bytes] | None,
) -> str:
    """The field ``signature``. Pairs are chain (CBOR) and signature."""
    whole = [signed, *sam, list(patient) if isinstance(patient, tuple) else patient, list(professional) if professional else None]
    return base64.b64encode(cbor2.dumps(whole, canonical=True)).decode("ascii")


class EnvelopeCheck:
    """The data centre's side. ``centre``: the name under which cards prove themselves to it. ``seen``: what was believed before,
    in memory when left out."""

    def __init__(
        self, root: ChainVerifier, centre: str, revoked: Collection[int] = frozenset(), seen: SeenEnvelopes | None = None,
    ) -> None:
        self._root = root
        self._centre = centre
        self.revoked = frozenset(revoked)
        self._seen: Newest[tuple[str, str], int] | SeenEnvelopes = Newest() if seen is None else seen

    def check(self, body: Mapping[str, Any], kind: Kind, now_ns: int) -> Signed | str:
        """Who asks, or the code that refuses (space vhc). A believed envelope is used up by this."""
        parts = _parts(body)
        if parts is None:
            return MALFORMED
        signed, sam_chain, sam_signature, patient, professional = parts
        claims = cbor2.loads(signed)
        sam = self._root.check_bytes(sam_chain, {Role.SAM}, now_ns, self.revoked)
        if isinstance(sam, Refused):
            return _SAM_CODE.get(sam.trouble, SIGNATURE_BAD)
        if not pki.verify(sam.key, sam_signature, sig_structure(PROTECTED_ES256, signed)):
            return SIGNATURE_BAD
        name = sam.subject_id, str(body["clientRandom"])
        if self._seen.get(name) is not None:
            return REPLAYED
        if any(str(body.get(field, "")) != claims[number] for number, field in _CLAIMS.items()):
            return SIGNATURE_BAD
        if (claims[3], claims[4]) != (sam.organisation, sam.subject_id):
            return SIGNATURE_BAD
        age_ns = now_ns - claims[6]
        if not -CLOCK_SKEW_S * NS <= age_ns <= AGE_S.get(claims[5], min(AGE_S.values())) * NS:
            return TOO_OLD
        who = Signed(sam.organisation, sam.subject_id, claims[5], claims[2])
        found = self._patient(who, signed, claims, patient, kind, now_ns)
        if isinstance(found, Signed):
            found = self._professional(found, signed, claims, professional, kind, now_ns)
        if isinstance(found, Signed):
            self._seen.put(name, now_ns)
        return found

    def _patient(
        self, who: Signed, signed: bytes, claims: Mapping[int, Any], patient: Any, kind: Kind, now_ns: int,
    ) -> Signed | str:
        if not kind.patient:
            return who
        if isinstance(patient, str) and patient:
            return _with(who, token=patient) if claims[11] == _token_hash(patient) else SIGNATURE_BAD
        if not _is_pair(patient):
            return SIGNATURE_BAD
        card = self._root.check_bytes(patient[0], {Role.PATIENT_CARD}, now_ns, self.revoked)
        if isinstance(card, Refused):
            return _HC_CODE.get(card.trouble, "1502")
        message = proof_message(Party.CARD, card_challenge(signed), padded_id(self._centre))
        if claims[7] != card.subject_id or not pki.verify(card.key, patient[1], message):
            return "1502"
        return _with(who, card_no=card.subject_id)

    def _professional(
        self, who: Signed, signed: bytes, claims: Mapping[int, Any], professional: Any, kind: Kind, now_ns: int,
    ) -> Signed | str:
        if not kind.professional:
            return who
        if not _is_pair(professional):
            return SIGNATURE_BAD
        hpc = self._root.check_bytes(professional[0], Party.HPC.roles, now_ns, self.revoked)
        if isinstance(hpc, Refused):
            return _HPC_CODE.get(hpc.trouble, "1420")
        if claims[10] != hpc.subject_id or not pki.verify(hpc.key, professional[1], signed):
            return "1420"
        return _with(who, profession=hpc.role, professional_id=hpc.subject_id)


_CLAIMS = {2: "clientRandom", 3: "hospitalId", 4: "samId", 7: "hcId", 8: "hcIdNo", 9: "hpcId", 10: "hpcIdNo"}


def _with(who: Signed, **more: Any) -> Signed:
    return replace(who, **more)


def _is_pair(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(isinstance(part, bytes) for part in value)


def _parts(body: Mapping[str, Any]) -> tuple[bytes, bytes, bytes, Any, Any] | None:
    """The parts of a signature whose statement has the right form; None for anything else."""
    if not all(isinstance(body.get(name), str) and body[name] for name in REQUIRED):
        return None
    if not all(isinstance(body.get(name, ""), str) for name in FIELDS) or len(body["signature"]) > MAX_SIGNATURE_CHARACTERS:
        return None
    try:
        whole = cbor.decode(base64.b64decode(body["signature"], validate=True))
        signed, sam_chain, sam_signature, patient, professional = whole
        claims = cbor.decode(signed)
    except (binascii.Error, cbor.MalformedCbor, TypeError, ValueError):
        return None
    texts = isinstance(claims, dict) and claims.keys() == set(range(1, 12)) and claims[1] == LABEL
    if not texts or not isinstance(claims[6], int) or not all(isinstance(claims[n], str) for n in claims if n != 6):
        return None
    if not isinstance(sam_chain, bytes) or not isinstance(sam_signature, bytes):
        return None
    return signed, sam_chain, sam_signature, patient, professional


__all__ = ["AGE_S", "EnvelopeCheck", "Kind", "Signed", "card_challenge", "signature_text", "statement"]
