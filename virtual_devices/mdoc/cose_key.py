"""COSE_Key (RFC 9053 clause 7.1) of a P-256 public key: {1: 2, -1: 1, -2: x, -3: y}."""

from __future__ import annotations

from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec

from virtual_devices.mdoc.tagged import A_MAP, MalformedMdoc

KTY, CRV, X, Y = 1, -1, -2, -3
EC2, P256 = 2, 1


def to_cose(key: ec.EllipticCurvePublicKey) -> dict[int, Any]:
    numbers = key.public_numbers()
    return {KTY: EC2, CRV: P256, X: numbers.x.to_bytes(32, "big"), Y: numbers.y.to_bytes(32, "big")}


def from_cose(value: object, what: str) -> ec.EllipticCurvePublicKey:
    """Raises MalformedMdoc for anything but a point of P-256."""
    if not isinstance(value, A_MAP) or value.get(KTY) != EC2 or value.get(CRV) != P256:
        raise MalformedMdoc(f"{what} is not a COSE_Key on P-256")
    x, y = value.get(X), value.get(Y)
    if not (isinstance(x, bytes) and isinstance(y, bytes) and len(x) == len(y) == 32):
        raise MalformedMdoc(f"the coordinates of {what} are not 32 bytes each")
    try:
        return ec.EllipticCurvePublicNumbers(int.from_bytes(x, "big"), int.from_bytes(y, "big"), ec.SECP256R1()).public_key()
    except ValueError:
        raise MalformedMdoc(f"{what} is no point of the curve") from None
