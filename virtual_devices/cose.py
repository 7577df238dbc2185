"""COSE_Sign1 (RFC 9052 clause 4.2) with ES256, as far as the bench speaks it.

What was received is verified as it was received: the protected header and the payload are kept as bytes and never encoded
again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import cbor2
from cryptography.hazmat.primitives.asymmetric import ec

from virtual_devices import cbor, pki
from virtual_devices.errors import PeerError

SIGN1_TAG = 18
ALG, X5CHAIN = 1, 33
ES256 = -7
PROTECTED_ES256: bytes = cbor2.dumps({ALG: ES256}, canonical=True)


class MalformedCose(PeerError, ValueError):
    """Bytes that are no COSE_Sign1 with ES256."""

    def __init__(self, what: str) -> None:
        super().__init__(what, clause="RFC 9052 4.2")


@dataclass(frozen=True, slots=True)
class Sign1:
    """A COSE_Sign1. ``payload`` and ``protected`` are the bytes as they stand in the message."""

    protected: bytes
    unprotected: Mapping[Any, Any]
    payload: bytes
    signature: bytes = field(repr=False)

    def to_bytes(self) -> bytes:
        encoded: bytes = cbor2.dumps(
            cbor2.CBORTag(SIGN1_TAG, [self.protected, dict(self.unprotected), self.payload, self.signature]), canonical=True
        )
        return encoded

    @property
    def chain(self) -> list[bytes]:
        """The x5chain header, leaf first; empty when there is none or it is not one (RFC 9360)."""
        value = self.unprotected.get(X5CHAIN)
        certificates = [value] if isinstance(value, bytes) else value
        if not isinstance(certificates, (list, tuple)) or not all(isinstance(c, bytes) for c in certificates):
            return []
        return list(certificates)

    def verify(self, key: ec.EllipticCurvePublicKey, external_aad: bytes = b"") -> bool:
        """True when this key signed it. Never raises."""
        return pki.verify(key, self.signature, sig_structure(self.protected, self.payload, external_aad))


def sig_structure(protected: bytes, payload: bytes, external_aad: bytes = b"") -> bytes:
    """What is signed (RFC 9052 clause 4.4)."""
    encoded: bytes = cbor2.dumps(["Signature1", protected, external_aad, payload])
    return encoded


def sign1(key: ec.EllipticCurvePrivateKey, payload: bytes, unprotected: Mapping[Any, Any] | None = None) -> bytes:
    """A signed message with a key in software; one with a key in a chip is put together by the reader's flow."""
    signature = pki.sign(key, sig_structure(PROTECTED_ES256, payload))
    return Sign1(PROTECTED_ES256, unprotected or {}, payload, signature).to_bytes()


def decode(raw: bytes) -> Sign1:
    """Raises MalformedCose, nothing else, whatever the bytes are."""
    try:
        message = cbor.decode(raw)
    except cbor.MalformedCbor as e:
        raise MalformedCose(e.what) from None
    if not isinstance(message, cbor2.CBORTag) or message.tag != SIGN1_TAG:
        raise MalformedCose("not tagged 18 (COSE_Sign1)")
    parts = message.value
    if not isinstance(parts, (list, tuple)) or len(parts) != 4:
        raise MalformedCose("not an array of four")
    protected, unprotected, payload, signature = parts
    if not (isinstance(protected, bytes) and isinstance(unprotected, Mapping)
            and isinstance(payload, bytes) and isinstance(signature, bytes)):
        raise MalformedCose("header, payload or signature of the wrong type")
    header = decode_map(protected)
    if header is None or header.get(ALG) != ES256:
        raise MalformedCose("the algorithm is not ES256")
    return Sign1(protected, unprotected, payload, signature)


def decode_map(raw: bytes) -> Mapping[Any, Any] | None:
    """A CBOR map, or None when the bytes are something else."""
    try:
        value = cbor.decode(raw)
    except cbor.MalformedCbor:
        return None
    return value if isinstance(value, Mapping) else None
