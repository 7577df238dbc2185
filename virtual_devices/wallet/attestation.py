"""Key attestation: what a phone's maker says about a key, so that an issuer may bind a credential to it.

A COSE_Sign1 by the key of a production batch (one key for many phones, so that it tells no two of them apart), whose
certificate the maker's root has signed and which travels in ``x5chain``. The payload is a CBOR map (``profile``):

    1: 1                version
    2: COSE_Key         the public key (RFC 9053 7.1)
    3: 1 / 2            its one purpose: signing, key agreement
    4: bool             it lives in hardware
    5: 0 / 1            used freely; only with the holder's consent
    6: bstr             the issuer's challenge
    7: bstr             SHA-256 of the COSE_Key of the phone's own key, which lives in the same keystore

7 is what keeps an attestation from being relayed: no phone gets another phone's key bound to its own name, whoever was made to
attest it and for whichever challenge.

The maker belongs to the bench and follows from the seed. What a real maker promises beyond this (state of the boot loader,
patch level) is not modelled.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum, IntEnum
from typing import Any

import cbor2
from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from virtual_devices import cose
from virtual_devices.clock import to_datetime
from virtual_devices.link import Work
from virtual_devices.pki import DAY_NS, Identity
from virtual_devices.randomness import digest, private_key

VERSION = 1
_VERSION, _KEY, _PURPOSE, _HARDWARE, _POLICY, _CHALLENGE, _PHONE = range(1, 8)
_UNREADABLE = (
    ValueError, TypeError, OverflowError, UnsupportedAlgorithm, InvalidSignature, x509.DuplicateExtension, x509.InvalidVersion,
    x509.UnsupportedGeneralNameType, x509.AttributeNotFound, x509.ExtensionNotFound,
)


class Purpose(IntEnum):
    """What a key is for: one thing, for its whole life."""

    SIGN = 1  # ES256
    AGREE = 2  # ECDH on P-256
    SEAL = 3  # AES-256-GCM inside the keystore; cannot be attested, nobody outside ever meets it


class Policy(IntEnum):
    """When a key may be used."""

    FREE = 0
    HOLDER = 1  # only while the holder's consent holds


class Doubt(Enum):
    """Why an attestation is refused."""

    MALFORMED = "malformed"
    FORGED = "not by the phone maker"
    EXPIRED = "the batch certificate is not valid now"
    CHALLENGE = "another challenge"
    PHONE = "a key in another phone"
    SOFTWARE = "a key in software"
    PURPOSE = "another purpose"
    POLICY = "usable without the holder"


@dataclass(frozen=True, slots=True)
class NotAttested:
    """A key to which nothing shall be bound."""

    doubt: Doubt
    text: str = ""


@dataclass(frozen=True, slots=True)
class Claim:
    """What is said about one key."""

    key: ec.EllipticCurvePublicKey
    purpose: Purpose
    hardware: bool
    policy: Policy
    challenge: bytes
    phone: bytes
    """The id of the phone's own key (SHA-256 of its COSE_Key), by which the issuer knows the phone."""

    def to_bytes(self) -> bytes:
        numbers = self.key.public_numbers()
        key = {1: 2, -1: 1, -2: numbers.x.to_bytes(32, "big"), -3: numbers.y.to_bytes(32, "big")}
        encoded: bytes = cbor2.dumps(
            {
                _VERSION: VERSION, _KEY: key, _PURPOSE: int(self.purpose), _HARDWARE: self.hardware,
                _POLICY: int(self.policy), _CHALLENGE: self.challenge, _PHONE: self.phone,
            },
            canonical=True,
        )
        return encoded


class PhoneMaker:
    """The bench's maker of phones: a root, and a key with its certificate for each production batch."""

    def __init__(self, seed: object, epoch_ns: int) -> None:
        self._seed = seed
        self._epoch_ns = epoch_ns
        self._key = private_key(seed, "phone maker", "root")
        self._root = self._certificate("NHI bench phone maker (not a maker of anything)", self._key, "root", (-3650, 7300))
        self.root_der = self._root.public_bytes(serialization.Encoding.DER)

    def batch(self, number: int, days: tuple[int, int] = (-365, 3650)) -> Identity:
        """The attestation key that goes into the phones of one batch. ``days``: validity, counted from the epoch."""
        key = private_key(self._seed, "phone maker", "batch", number)
        leaf = self._certificate(f"NHI bench phones, batch {number}", key, f"batch {number}", days, issuer=self._root)
        return Identity(key, (leaf.public_bytes(serialization.Encoding.DER),))

    def _certificate(
        self, name: str, key: ec.EllipticCurvePrivateKey, serial: str, days: tuple[int, int],
        issuer: x509.Certificate | None = None,
    ) -> x509.Certificate:
        subject = x509.Name([x509.NameAttribute(NameOID.COUNTRY_NAME, "TW"), x509.NameAttribute(NameOID.COMMON_NAME, name)])
        midnight = to_datetime(self._epoch_ns // DAY_NS * DAY_NS)
        is_ca = issuer is None
        usage = x509.KeyUsage(
            digital_signature=not is_ca, key_cert_sign=is_ca, crl_sign=False, content_commitment=False, key_encipherment=False,
            data_encipherment=False, key_agreement=False, encipher_only=False, decipher_only=False,
        )
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(subject if issuer is None else issuer.subject)
            .public_key(key.public_key())
            .serial_number(int.from_bytes(digest(self._seed, "phone maker", "serial", serial)[:16], "big") >> 1 | 1)
            .not_valid_before(midnight + timedelta(days=days[0]))
            .not_valid_after(midnight + timedelta(days=days[1]))
            .add_extension(x509.BasicConstraints(ca=is_ca, path_length=0 if is_ca else None), critical=True)
            .add_extension(usage, critical=True)
            .sign(self._key, hashes.SHA256(), ecdsa_deterministic=True)
        )


def verify_attestation(
    raw: bytes, root_der: bytes, challenge: bytes, phone: bytes, now_ns: int, *, purpose: Purpose = Purpose.SIGN,
    policy: Policy = Policy.HOLDER, work: Work | None = None,
) -> Claim | NotAttested:
    """What the maker says about a key, or why it is not believed. Never raises on what is in ``raw``.

    ``challenge``: the one that the issuer gave for this enrolment. ``phone``: the id of the key of the phone that asks, which has
    to live beside the attested one. ``work`` counts the verification and the chain.
    """
    try:
        message = cose.decode(raw)
    except cose.MalformedCose as e:
        return NotAttested(Doubt.MALFORMED, e.what)
    if work is not None:
        work.chains += 1
        work.verifications += 1
    signer = _signer(message.chain, root_der, now_ns)
    if isinstance(signer, NotAttested):
        return signer
    if not message.verify(signer):
        return NotAttested(Doubt.FORGED, "the signature is not the batch's")
    claim = _claim(message.payload_map())
    if claim is None:
        return NotAttested(Doubt.MALFORMED, "not a statement of version 1 about a key")
    return _wanted(claim, challenge, phone, purpose, policy)


def _wanted(claim: Claim, challenge: bytes, phone: bytes, purpose: Purpose, policy: Policy) -> Claim | NotAttested:
    if claim.challenge != challenge:
        return NotAttested(Doubt.CHALLENGE)
    if claim.phone != phone:
        return NotAttested(Doubt.PHONE)
    if not claim.hardware:
        return NotAttested(Doubt.SOFTWARE)
    if claim.purpose is not purpose:
        return NotAttested(Doubt.PURPOSE, claim.purpose.name.lower())
    if claim.policy < policy:
        return NotAttested(Doubt.POLICY)
    return claim


def _signer(chain: list[bytes], root_der: bytes, now_ns: int) -> ec.EllipticCurvePublicKey | NotAttested:
    if len(chain) != 1:
        return NotAttested(Doubt.FORGED, f"{len(chain)} certificates, not the batch's alone")
    try:
        leaf = x509.load_der_x509_certificate(chain[0])
        if not chain[0].endswith(b"\0" + leaf.signature):  # the parser overlooks unused bits; one certificate, one encoding
            raise ValueError("the signature has unused bits")
        leaf.verify_directly_issued_by(x509.load_der_x509_certificate(root_der))
        usage = leaf.extensions.get_extension_for_class(x509.KeyUsage).value
        key = leaf.public_key()
        begins, ends = leaf.not_valid_before_utc, leaf.not_valid_after_utc
    except _UNREADABLE as e:
        return NotAttested(Doubt.FORGED, str(e)[:200])
    if not isinstance(key, ec.EllipticCurvePublicKey) or not usage.digital_signature:
        return NotAttested(Doubt.FORGED, "the batch's key may not sign")
    if not begins <= to_datetime(now_ns) <= ends:
        return NotAttested(Doubt.EXPIRED, f"valid {begins:%Y-%m-%d} to {ends:%Y-%m-%d}")
    return key


def _claim(said: Mapping[Any, Any] | None) -> Claim | None:
    match said:
        case {1: 1, 2: {1: 2, -1: 1, -2: bytes(x), -3: bytes(y)}, 3: int(purpose), 4: bool(hardware), 5: int(policy),
              6: bytes(challenge), 7: bytes(phone)} if len(x) == len(y) == 32:
            try:
                curve = ec.SECP256R1()
                key = ec.EllipticCurvePublicNumbers(int.from_bytes(x, "big"), int.from_bytes(y, "big"), curve).public_key()
                return Claim(key, Purpose(purpose), hardware, Policy(policy), challenge, phone)
            except ValueError:  # not on the curve, or a purpose or policy that nobody knows
                return None
        case _:
            return None
