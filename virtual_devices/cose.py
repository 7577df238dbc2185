"""COSE (RFC 9052, RFC 9053) as far as the bench speaks it: COSE_Sign1 and COSE_Sign with ES256, COSE_Mac0 with HMAC 256/256.

What was received is verified as it was received: protected headers and payloads are kept as bytes and never encoded again.
A message may be tagged, or stand untagged inside another structure (ISO/IEC 18013-5), and its payload may be detached.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

import cbor2
from cryptography.hazmat.primitives.asymmetric import ec

from virtual_devices import cbor, pki
from virtual_devices.cbor import byte_string
from virtual_devices.errors import PeerError
from virtual_devices.quick import quick

MAC0_TAG, SIGN1_TAG, SIGN_TAG = 17, 18, 98
ALG, CRIT, KID, KCWT, TYP, X5CHAIN = 1, 2, 4, 13, 16, 33
"""Header labels: RFC 9052 3.1, RFC 9528 (kcwt), RFC 9596 (typ), RFC 9360 (x5chain)."""
ES256, HMAC_256 = -7, 5
_A_MAP = (dict, Mapping)  # an abstract class alone is slow to ask


class MalformedCose(PeerError, ValueError):
    """Bytes that are none of the messages above."""

    def __init__(self, what: str) -> None:
        super().__init__(what, clause="RFC 9052 4.2")


def encode_protected(header: Mapping[Any, Any]) -> bytes:
    """A protected header as it stands in the message: an empty one has no bytes (RFC 9052 clause 3)."""
    encoded: bytes = cbor2.dumps(dict(header), canonical=True) if header else b""
    return encoded


PROTECTED_ES256 = encode_protected({ALG: ES256})
_PROTECTED_HMAC = encode_protected({ALG: HMAC_256})


@quick
@dataclass(frozen=True, slots=True)
class Sign1:
    """A COSE_Sign1. ``protected`` and ``payload`` are the bytes as they stand in the message; a detached payload is None."""

    protected: bytes
    unprotected: Mapping[Any, Any]
    payload: bytes | None
    signature: bytes = field(repr=False)
    _encoded: bytes = field(default=b"", init=False, repr=False, compare=False)

    def item(self) -> list[Any]:
        """Untagged, to stand inside another structure."""
        return [self.protected, dict(self.unprotected), self.payload, self.signature]

    def encoded(self) -> bytes:
        """The same as bytes. A card's IssuerAuth is shown again and again: they are made once."""
        if not self._encoded:
            raw = _encoded(self.protected, self.unprotected, self.payload, self.signature)
            object.__setattr__(self, "_encoded", raw)
        return self._encoded

    def to_bytes(self) -> bytes:
        """Tagged."""
        return b"\xd2" + self.encoded()

    @property
    def header(self) -> Mapping[Any, Any]:
        """The protected header, read."""
        return _header(self.protected)

    def payload_map(self) -> Mapping[Any, Any] | None:
        """The payload, when it is there and a CBOR map."""
        return None if self.payload is None else decode_map(self.payload)

    @property
    def chain(self) -> list[bytes]:
        """The x5chain header, leaf first; empty when there is none or it is not one (RFC 9360)."""
        value = self.unprotected.get(X5CHAIN)
        certificates = [value] if isinstance(value, bytes) else value
        if not isinstance(certificates, (list, tuple)) or not set(map(type, certificates)) <= {bytes}:
            return []
        return list(certificates)

    def verify(self, key: ec.EllipticCurvePublicKey, external_aad: bytes = b"", *, detached: bytes | None = None) -> bool:
        """True when this key signed it. A detached payload must be handed in, and no other may be. Never raises."""
        if (self.payload is None) != (detached is not None):
            return False
        payload = detached if self.payload is None else self.payload
        assert payload is not None
        return pki.verify(key, self.signature, sig_structure(self.protected, payload, external_aad))


@dataclass(frozen=True, slots=True)
class Mac0:
    """A COSE_Mac0, as :class:`Sign1`."""

    protected: bytes
    unprotected: Mapping[Any, Any]
    payload: bytes | None
    tag: bytes = field(repr=False)

    def item(self) -> list[Any]:
        return [self.protected, dict(self.unprotected), self.payload, self.tag]

    def encoded(self) -> bytes:
        return _encoded(self.protected, self.unprotected, self.payload, self.tag)

    def verify(self, key: bytes, *, detached: bytes | None = None) -> bool:
        """True when this key made the tag. Never raises."""
        if (self.payload is None) != (detached is not None):
            return False
        payload = detached if self.payload is None else self.payload
        assert payload is not None
        return hmac.compare_digest(pki.mac(key, mac_structure(self.protected, payload)), self.tag)


@dataclass(frozen=True, slots=True)
class Signature:
    """One signer's part of a COSE_Sign."""

    protected: bytes
    unprotected: Mapping[Any, Any]
    signature: bytes = field(repr=False)

    @property
    def chain(self) -> list[bytes]:
        return Sign1(self.protected, self.unprotected, b"", b"").chain


@dataclass(frozen=True, slots=True)
class Sign:
    """A COSE_Sign: one payload, several signers."""

    protected: bytes
    unprotected: Mapping[Any, Any]
    payload: bytes
    signatures: tuple[Signature, ...]

    def to_bytes(self) -> bytes:
        signatures = [[s.protected, dict(s.unprotected), s.signature] for s in self.signatures]
        whole = cbor2.CBORTag(SIGN_TAG, [self.protected, dict(self.unprotected), self.payload, signatures])
        encoded: bytes = cbor2.dumps(whole, canonical=True)
        return encoded

    def with_signature(self, signature: Signature) -> Sign:
        return replace(self, signatures=(*self.signatures, signature))

    def verify(self, number: int, key: ec.EllipticCurvePublicKey, external_aad: bytes = b"") -> bool:
        """True when this key made the signature of that number (from 0). Never raises for what is in the message."""
        signer = self.signatures[number]
        structure = signer_structure(self.protected, signer.protected, self.payload, external_aad)
        return pki.verify(key, signer.signature, structure)


def _encoded(protected: bytes, unprotected: Mapping[Any, Any], payload: bytes | None, proof: bytes) -> bytes:
    """A COSE_Sign1 or COSE_Mac0, untagged."""
    detached = b"\xf6" if payload is None else byte_string(payload)
    return b"".join((b"\x84", byte_string(protected), _unprotected(unprotected), detached, byte_string(proof)))


def _unprotected(header: Mapping[Any, Any]) -> bytes:
    """An unprotected header: most hold nothing, or a chain alone, whose certificates need not be looked into."""
    if not header:
        return b"\xa0"
    chain = header.get(X5CHAIN) if len(header) == 1 else None
    if isinstance(chain, bytes):
        return b"\xa1\x18\x21" + byte_string(chain)
    if isinstance(chain, list) and set(map(type, chain)) == {bytes}:
        return _x5chain(tuple(chain))
    encoded: bytes = cbor2.dumps(dict(header), canonical=True)
    return encoded


@lru_cache(64)
def _x5chain(chain: tuple[bytes, ...]) -> bytes:
    """A header with a chain. The chains that somebody shows are few, and shown with every message."""
    return b"\xa1\x18\x21" + cbor.array([byte_string(c) for c in chain])


# -- what is signed

def sig_structure(protected: bytes, payload: bytes, external_aad: bytes = b"") -> bytes:
    """What a COSE_Sign1 signs (RFC 9052 clause 4.4)."""
    return b"".join((b"\x84\x6aSignature1", byte_string(protected), byte_string(external_aad), byte_string(payload)))


def signer_structure(body: bytes, signer: bytes, payload: bytes, external_aad: bytes = b"") -> bytes:
    """What each signer of a COSE_Sign signs (RFC 9052 clause 4.4). ``body`` and ``signer``: the protected headers."""
    parts = (body, signer, external_aad, payload)
    return b"\x85\x69Signature" + b"".join(byte_string(part) for part in parts)


def mac_structure(protected: bytes, payload: bytes) -> bytes:
    """What a COSE_Mac0 authenticates (RFC 9052 clause 6.3)."""
    return b"\x84\x64MAC0" + byte_string(protected) + b"\x40" + byte_string(payload)


def make_sign1(
    key: ec.EllipticCurvePrivateKey, payload: bytes, unprotected: Mapping[Any, Any] | None = None, *,
    protected: Mapping[Any, Any] | None = None, detached: bool = False,
) -> Sign1:
    """A message signed with a key in software; one with a key in a chip is put together by the reader's flow.

    ``protected``: what the protected header holds beside the algorithm.
    """
    header = encode_protected({ALG: ES256, **protected}) if protected else PROTECTED_ES256
    signature = pki.sign(key, sig_structure(header, payload))
    return Sign1(header, unprotected or {}, None if detached else payload, signature)


def sign1(key: ec.EllipticCurvePrivateKey, payload: bytes, unprotected: Mapping[Any, Any] | None = None) -> bytes:
    """The same as bytes, tagged."""
    return make_sign1(key, payload, unprotected).to_bytes()


def make_mac0(key: bytes, payload: bytes, *, detached: bool = False) -> Mac0:
    tag = pki.mac(key, mac_structure(_PROTECTED_HMAC, payload))
    return Mac0(_PROTECTED_HMAC, {}, None if detached else payload, tag)


# -- reading

def decode(raw: bytes) -> Sign1:
    """A tagged COSE_Sign1 with its payload. Raises MalformedCose, nothing else, whatever the bytes are."""
    message = read_sign1(_tagged(raw, SIGN1_TAG))
    if message.payload is None:
        raise MalformedCose("the payload is detached")
    return message


def decode_sign(raw: bytes) -> Sign:
    """A tagged COSE_Sign. Raises MalformedCose, nothing else, whatever the bytes are."""
    protected, unprotected, payload, signers = _four(_tagged(raw, SIGN_TAG))
    if not (isinstance(protected, bytes) and isinstance(unprotected, _A_MAP) and isinstance(payload, bytes)
            and isinstance(signers, (list, tuple)) and signers):
        raise MalformedCose("header, payload or signatures of the wrong type")
    return Sign(protected, unprotected, payload, tuple(_signature(s) for s in signers))


def read_sign1(item: object) -> Sign1:
    """An untagged COSE_Sign1, as it stands inside another structure. Raises MalformedCose."""
    protected, unprotected, payload, signature = _typed(item)
    _need_algorithm(protected, ES256)
    return Sign1(protected, unprotected, payload, signature)


def read_mac0(item: object) -> Mac0:
    """An untagged COSE_Mac0. Raises MalformedCose."""
    protected, unprotected, payload, tag = _typed(item)
    _need_algorithm(protected, HMAC_256)
    return Mac0(protected, unprotected, payload, tag)


def decode_map(raw: bytes) -> Mapping[Any, Any] | None:
    """A CBOR map, or None when the bytes are something else."""
    try:
        value = cbor.decode(raw)
    except cbor.MalformedCbor:
        return None
    return value if isinstance(value, _A_MAP) else None


def _tagged(raw: bytes, tag: int) -> object:
    try:
        message = cbor.decode(raw)
    except cbor.MalformedCbor as e:
        raise MalformedCose(e.what) from None
    if not isinstance(message, cbor2.CBORTag) or message.tag != tag:
        raise MalformedCose(f"not tagged {tag}")
    return message.value


def _four(item: object) -> tuple[Any, Any, Any, Any]:
    if not isinstance(item, (list, tuple)) or len(item) != 4:
        raise MalformedCose("not an array of four")
    return item[0], item[1], item[2], item[3]


def _typed(item: object) -> tuple[bytes, Mapping[Any, Any], bytes | None, bytes]:
    protected, unprotected, payload, proof = item if type(item) is list and len(item) == 4 else _four(item)
    if not (isinstance(protected, bytes) and isinstance(unprotected, _A_MAP)
            and (payload is None or isinstance(payload, bytes)) and isinstance(proof, bytes)):
        raise MalformedCose("header, payload or signature of the wrong type")
    return protected, unprotected, payload, proof


def _signature(item: object) -> Signature:
    if not isinstance(item, (list, tuple)) or len(item) != 3:
        raise MalformedCose("a signature is not an array of three")
    protected, unprotected, signature = item
    if not (isinstance(protected, bytes) and isinstance(unprotected, _A_MAP) and isinstance(signature, bytes)):
        raise MalformedCose("a signature's header or value of the wrong type")
    _need_algorithm(protected, ES256)
    return Signature(protected, unprotected, signature)


def _header(protected: bytes) -> Mapping[Any, Any]:
    return (decode_map(protected) or {}) if protected else {}


def _need_algorithm(protected: bytes, algorithm: int) -> None:
    if protected == (PROTECTED_ES256 if algorithm == ES256 else _PROTECTED_HMAC):  # as nearly everybody writes it
        return
    header = _header(protected)
    if header.get(ALG) != algorithm:
        raise MalformedCose("the algorithm is not " + ("ES256" if algorithm == ES256 else "HMAC 256/256"))
    if CRIT in header:  # RFC 9052 clause 3.1: what its sender wants understood, or else not read at all
        raise MalformedCose("a critical header (crit, 2)")
