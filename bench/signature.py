"""A report's signature: a detached JSON Web Signature (RFC 7515, appendix F) over its canonical form, ES256 or EdDSA.

The header carries the public key; whether that key is the laboratory's is for the reader of the report to know: hand it to
:func:`verify`, or compare the thumbprint (RFC 7638) that it returns.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey

from virtual_devices.errors import UsageError

ALGORITHMS = ("ES256", "EdDSA", "Ed25519")


def signing_key(key_file: Path) -> tuple[ECKey | OKPKey, str]:
    """The key and its algorithm. ``key_file``: PEM of a P-256 or Ed25519 private key. Raises UsageError."""
    try:
        private = load_pem_private_key(key_file.read_bytes(), None)
    except (OSError, ValueError, TypeError) as e:
        raise UsageError(f"{key_file}: no private key in PEM without a password: {e}; {_MAKE}") from None
    if isinstance(private, ec.EllipticCurvePrivateKey) and isinstance(private.curve, ec.SECP256R1):
        return ECKey.import_key(key_file.read_bytes()), "ES256"
    if isinstance(private, ed25519.Ed25519PrivateKey):
        return OKPKey.import_key(key_file.read_bytes()), "Ed25519"
    raise UsageError(f"{key_file}: a key on P-256 or Ed25519 is wanted; {_MAKE}")


def sign(content: bytes, key_file: Path) -> str:
    """Header and signature, the content left out. Raises UsageError."""
    key, algorithm = signing_key(key_file)
    header = {"alg": algorithm, "jwk": key.as_dict(private=False), "kid": key.thumbprint()}
    return jws.detach_content(jws.serialize_compact(header, content, key, algorithms=list(ALGORITHMS)))


_MAKE = "openssl ecparam -name prime256v1 -genkey -noout -out laboratory.pem makes one"


def verify(content: bytes, signature: str, public_file: Path | None = None) -> str:
    """The thumbprint of the key that signed it. Raises UsageError: altered, no signature, or by another key than that in
    ``public_file`` (PEM)."""
    try:
        header: dict[str, Any] = jws.extract_compact(signature.strip().encode()).headers()
        key = ECKey.import_key(header["jwk"]) if header["alg"] == "ES256" else OKPKey.import_key(header["jwk"])
        jws.deserialize_compact(signature.strip(), key, payload=content, algorithms=list(ALGORITHMS))
    except (JoseError, KeyError, ValueError, TypeError) as e:
        why = f"the report was altered, or the signature is another's ({type(e).__name__})"
        raise UsageError(f"the signature does not hold: {why}") from None
    if public_file is not None and (wanted := _thumbprint(public_file)) != key.thumbprint():
        raise UsageError(f"signed by another key ({key.thumbprint()}) than that in {public_file} ({wanted})")
    return key.thumbprint()


def _thumbprint(public_file: Path) -> str:
    try:
        raw = public_file.read_bytes()
        curve = isinstance(load_pem_public_key(raw), ec.EllipticCurvePublicKey)
        return (ECKey if curve else OKPKey).import_key(raw).thumbprint()
    except (OSError, ValueError, TypeError, JoseError) as e:
        raise UsageError(f"{public_file}: no public key in PEM: {e}") from None


__all__ = ["sign", "signing_key", "verify"]
