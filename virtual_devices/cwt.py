"""CBOR Web Tokens (CWT, RFC 8392): a set of claims inside a COSE_Sign1.

The set is kept as it came, unknown claims included. The claims that the bench knows are of the right type or the whole is
malformed; a claim that stands there twice makes it malformed too, for two readers could disagree about it.

The CWT tag (61) may stand in front of what is read and is never written: where a CWT is expected, it says nothing
(RFC 8392 clause 6).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from types import MappingProxyType
from typing import Any

import cbor2
from cryptography.hazmat.primitives.asymmetric import ec

from virtual_devices import cbor
from virtual_devices.clock import NS
from virtual_devices.cose import MalformedCose, Sign1, make_sign1
from virtual_devices.cose import decode as decode_cose
from virtual_devices.errors import PeerError
from virtual_devices.mdoc.cose_key import CRV, EC2, KTY, P256, X, Y, from_cose, to_cose
from virtual_devices.mdoc.mso import StatusReference
from virtual_devices.mdoc.tagged import MalformedMdoc

ISS, SUB, AUD, EXP, NBF, IAT, CTI, CNF, NONCE = 1, 2, 3, 4, 5, 6, 7, 8, 10
"""Claim keys: RFC 8392 clause 3.1, RFC 8747 (cnf), RFC 9711 (nonce)."""
STATUS_LIST, TTL, STATUS = 65533, 65534, 65535
"""Claim keys of draft-ietf-oauth-status-list."""
COSE_KEY = 1
"""The way of confirmation in ``cnf``: the key itself (RFC 8747 clause 3.2)."""
_TAG_61 = b"\xd8\x3d"
_LATEST_S = 1 << 40  # far beyond any date that a clock here can show


class MalformedCwt(PeerError, ValueError):
    """Bytes that are no CWT, or one whose claims are not of their types."""

    def __init__(self, what: str, clause: str = "3.1") -> None:
        super().__init__(what, clause=f"RFC 8392 {clause}")


class Timing(Enum):
    """How a set of claims stands to a moment."""

    IN_TIME = "in time"
    TOO_EARLY = "not yet valid"
    TOO_LATE = "expired"


@dataclass(frozen=True, slots=True)
class Claims:
    """A set of claims. Moments are in nanoseconds since the epoch; what is not there is None, or empty."""

    values: Mapping[int | str, Any]

    @property
    def issuer(self) -> str | None:
        return _text(self.values, ISS)

    @property
    def subject(self) -> str | None:
        return _text(self.values, SUB)

    @property
    def audience(self) -> tuple[str, ...]:
        found = self.values.get(AUD, ())
        return (found,) if isinstance(found, str) else tuple(found)

    @property
    def expires_ns(self) -> int | None:
        return _moment(self.values, EXP)

    @property
    def not_before_ns(self) -> int | None:
        return _moment(self.values, NBF)

    @property
    def issued_ns(self) -> int | None:
        return _moment(self.values, IAT)

    @property
    def token_id(self) -> bytes | None:
        return _bytes(self.values, CTI)

    @property
    def nonce(self) -> bytes | None:
        return _bytes(self.values, NONCE)

    @property
    def key(self) -> ec.EllipticCurvePublicKey | None:
        """The holder's key (``cnf``), which must be given as a COSE_Key on P-256."""
        if CNF not in self.values:
            return None
        value = _map(_map(self.values[CNF], CNF).get(COSE_KEY), CNF)
        x, y = value.get(X), value.get(Y)
        if value.get(KTY) != EC2 or value.get(CRV) != P256 or not (isinstance(x, bytes) and isinstance(y, bytes)):
            raise MalformedCwt("claim 8 (cnf) holds no COSE_Key on P-256")
        return _point(x, y)

    @property
    def status(self) -> StatusReference | None:
        """Where a status list says how the token stands."""
        if STATUS not in self.values:
            return None
        place = _map(_map(self.values[STATUS], STATUS).get("status_list"), STATUS)
        uri, index = place.get("uri"), place.get("idx")
        if not isinstance(uri, str) or type(index) is not int or index < 0:
            raise MalformedCwt("claim 65535 names no place in a status list")
        return StatusReference(uri, index)

    @property
    def ttl_s(self) -> int | None:
        """Seconds after which a fresh copy should be fetched."""
        found = self.values.get(TTL)
        if found is not None and (type(found) is not int or not 0 < found <= _LATEST_S):
            raise MalformedCwt("claim 65534 (ttl) is not a positive whole number")
        return found

    def timing(self, now_ns: int, skew_s: float = 0.0) -> Timing:
        """Whether ``nbf`` and ``iat`` have passed and ``exp`` has not, when the clocks may differ by ``skew_s``."""
        skew_ns = round(skew_s * NS)
        if any(moment is not None and now_ns + skew_ns < moment for moment in (self.not_before_ns, self.issued_ns)):
            return Timing.TOO_EARLY
        if self.expires_ns is not None and now_ns - skew_ns >= self.expires_ns:
            return Timing.TOO_LATE
        return Timing.IN_TIME

    def to_bytes(self) -> bytes:
        """Deterministic encoding (RFC 8949 clause 4.2)."""
        encoded: bytes = cbor2.dumps(dict(self.values), canonical=True)
        return encoded


@dataclass(frozen=True, slots=True)
class Cwt:
    """A signed set of claims; whether the signature is anybody's is another question (``message.verify``)."""

    message: Sign1
    claims: Claims


# -- making

def seconds(at_ns: int) -> int:
    """A moment as a NumericDate: whole seconds, rounded down."""
    return at_ns // NS


def confirmation(key: ec.EllipticCurvePublicKey) -> dict[int, Any]:
    """The value of ``cnf`` that names this key."""
    return {COSE_KEY: to_cose(key)}


def status_at(place: StatusReference) -> dict[str, Any]:
    """The value of ``status`` that names this place."""
    return {"status_list": {"idx": place.index, "uri": place.uri}}


def make(
    key: ec.EllipticCurvePrivateKey, values: Mapping[int | str, Any], *, protected: Mapping[Any, Any] | None = None,
    unprotected: Mapping[Any, Any] | None = None,
) -> Sign1:
    """A CWT signed with a key in software. Raises MalformedCwt for claims that no reader would take."""
    raw = Claims(values).to_bytes()
    read_claims(raw)
    return make_sign1(key, raw, unprotected, protected=protected)


# -- reading

def decode(raw: bytes) -> Cwt:
    """A tagged COSE_Sign1 with claims, with or without the CWT tag. Raises MalformedCwt, whatever the bytes are."""
    try:
        message = decode_cose(raw.removeprefix(_TAG_61))
    except MalformedCose as e:
        raise MalformedCwt(e.what, "7.2") from None
    return read(message)


def read(message: Sign1) -> Cwt:
    """The claims of a COSE_Sign1 that was read already. Raises MalformedCwt."""
    if message.payload is None:
        raise MalformedCwt("the claims are detached", "7.2")
    return Cwt(message, read_claims(message.payload))


def read_claims(raw: bytes) -> Claims:
    """A set of claims, each that the bench knows of its type. Raises MalformedCwt."""
    try:
        values = cbor.decode(raw)
    except cbor.MalformedCbor as e:
        raise MalformedCwt(e.what) from None
    if not isinstance(values, Mapping):
        raise MalformedCwt("the claims are not a map")
    if not all(type(k) in (int, str) for k in values):  # True and 1.0 would pass for the claim 1
        raise MalformedCwt("a claim's key is neither a whole number nor text")
    claims = Claims(MappingProxyType(dict(values)))
    _check_types(claims)
    return claims


@lru_cache(maxsize=64)
def _point(x: bytes, y: bytes) -> ec.EllipticCurvePublicKey:
    """Whether a point lies on the curve costs as much as half a signature: asked once for each key."""
    try:
        return from_cose({KTY: EC2, CRV: P256, X: x, Y: y}, "cnf")
    except MalformedMdoc as e:
        raise MalformedCwt(e.what) from None


def _check_types(claims: Claims) -> None:
    """Look at every claim that the bench knows, so that no access raises afterwards."""
    if AUD in claims.values:
        found = claims.values[AUD]
        several = isinstance(found, (list, tuple)) and found and all(isinstance(a, str) for a in found)
        if not isinstance(found, str) and not several:
            raise MalformedCwt("claim 3 (aud) is neither text nor an array of texts")
    _ = (
        claims.issuer, claims.subject, claims.expires_ns, claims.not_before_ns, claims.issued_ns, claims.token_id, claims.nonce,
        claims.key, claims.status, claims.ttl_s,
    )


def _text(values: Mapping[int | str, Any], key: int) -> str | None:
    found = values.get(key)
    if (key in values) != isinstance(found, str):
        raise MalformedCwt(f"claim {key} is not text")
    return found


def _bytes(values: Mapping[int | str, Any], key: int) -> bytes | None:
    found = values.get(key)
    if (key in values) != isinstance(found, bytes):
        raise MalformedCwt(f"claim {key} is not a byte string")
    return found


def _map(value: object, key: int) -> Mapping[Any, Any]:
    if not isinstance(value, Mapping):
        raise MalformedCwt(f"claim {key} is not a map, or lacks one")
    return value


def _moment(values: Mapping[int | str, Any], key: int) -> int | None:
    """A NumericDate: seconds, whole or with a fraction, without a tag (RFC 8392 clause 2)."""
    if key not in values:
        return None
    found = values[key]
    if type(found) not in (int, float) or not 0 <= found <= _LATEST_S:  # nor not-a-number, nor endless
        raise MalformedCwt(f"claim {key} is not a date in seconds")
    return found * NS if isinstance(found, int) else round(found * NS)


__all__ = [
    "AUD", "CNF", "CTI", "EXP", "IAT", "ISS", "NBF", "NONCE", "STATUS", "STATUS_LIST", "SUB", "TTL", "Claims", "Cwt",
    "MalformedCwt", "Timing", "confirmation", "decode", "make", "read", "read_claims", "seconds", "status_at",
]
