"""COSE_Key (RFC 9053 clause 7.1) of a P-256 public key: {1: 2, -1: 1, -2: x, -3: y}."""

from __future__ import annotations

from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from virtual_devices.mdoc.tagged import A_MAP, MalformedMdoc, read

KTY, CRV, X, Y = 1, -1, -2, -3
EC2, P256 = 2, 1
_TO_X, _TO_Y = b"\xa4\x01\x02\x20\x01\x21\x58\x20", b"\x22\x58\x20"
"""What stands before each coordinate in the deterministic encoding."""


def point(key: ec.EllipticCurvePublicKey) -> tuple[bytes, bytes]:
    """The coordinates, 32 bytes each: arithmetic on the curve, so not for nothing."""
    raw = key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    return raw[1:33], raw[33:]


def to_cose(key: ec.EllipticCurvePublicKey) -> dict[int, Any]:
    x, y = point(key)
    return {KTY: EC2, CRV: P256, X: x, Y: y}


def encoded(key: ec.EllipticCurvePublicKey) -> bytes:
    """The same as bytes, in the deterministic order of keys."""
    x, y = point(key)
    return b"".join((_TO_X, x, _TO_Y, y))


def decode(raw: bytes, what: str) -> ec.EllipticCurvePublicKey:
    """The key of an encoded COSE_Key. Raises MalformedMdoc."""
    if len(raw) == 75 and raw[:8] == _TO_X and raw[40:43] == _TO_Y:  # as nearly everybody writes it
        return from_point(raw[8:40], raw[43:], what)
    return from_cose(read(raw, what), what)


def from_cose(value: object, what: str) -> ec.EllipticCurvePublicKey:
    """Raises MalformedMdoc for anything but a point of P-256."""
    if not isinstance(value, A_MAP) or value.get(KTY) != EC2 or value.get(CRV) != P256:
        raise MalformedMdoc(f"{what} is not a COSE_Key on P-256")
    x, y = value.get(X), value.get(Y)
    if not (isinstance(x, bytes) and isinstance(y, bytes) and len(x) == len(y) == 32):
        raise MalformedMdoc(f"the coordinates of {what} are not 32 bytes each")
    return from_point(x, y, what)


def from_point(x: bytes, y: bytes, what: str) -> ec.EllipticCurvePublicKey:
    """Raises MalformedMdoc for what is no point of the curve."""
    try:
        return ec.EllipticCurvePublicNumbers(int.from_bytes(x, "big"), int.from_bytes(y, "big"), ec.SECP256R1()).public_key()
    except ValueError:
        raise MalformedMdoc(f"{what} is no point of the curve") from None
