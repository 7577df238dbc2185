"""Certificates, raw signatures and digests: X.509 chained to the bench's own root, checked by ``cryptography.x509.verification``.

Every signature, chain check and digest of a message of a reference device goes through this module, so that what is spent on
cryptography can be told from what is spent on everything else.

The root and the issuing authorities belong to the bench. They are nobody's real authority, and their keys follow
from the seed: never trust them outside the bench.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import cbor2
from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, hmac, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from cryptography.x509.verification import Criticality, ExtensionPolicy, PolicyBuilder, Store, VerificationError

from virtual_devices import cbor, certificates
from virtual_devices.certificates import DOCUMENT_SIGNER, IACA, PARTY, READER, ROOT, Content, Issuer, Profile
from virtual_devices.clock import NS, to_datetime
from virtual_devices.errors import UsageError
from virtual_devices.quick import QuickEnum
from virtual_devices.randomness import digest, private_key

READER_AUTHENTICATION = x509.ObjectIdentifier("1.0.18013.5.1.6")  # ISO/IEC 18013-5 B.1.7
_READER_AUTHENTICATION_2 = x509.ObjectIdentifier("1.0.23220.4.1.6")  # ISO/IEC TS 23220-4
DOCUMENT_SIGNING = x509.ObjectIdentifier("1.0.18013.5.1.2")  # ISO/IEC 18013-5 B.1.4
_ROLE_ARC = "2.25.187204171391049372418462718463528671829"  # a UUID-based arc (ITU-T X.667) of the bench's own
_ES256 = ec.ECDSA(hashes.SHA256(), deterministic_signing=True)
_ES256_VERIFY = ec.ECDSA(hashes.SHA256())
DAY_NS = 86_400 * NS
IACA_DAYS, SIGNER_DAYS, READER_DAYS = (-365, 9 * 365), (-91, 366), (-365, 822)
"""Of the IACA root, a document signer and a reader, from the epoch: 457 and 1187 days are the most that annex B allows. A signer
is to sign for its first three months, so that it outlives the documents of a year: here, the three months before the epoch."""
MAX_CHAIN = 4
"""Certificates in a chain, at most: leaf, issuing authority, and two to spare. A longer one is not looked into."""
_UNREADABLE = (
    ValueError, TypeError, OverflowError, UnsupportedAlgorithm, x509.DuplicateExtension, x509.InvalidVersion,
    x509.UnsupportedGeneralNameType, x509.AttributeNotFound,
)
"""What reading a certificate raises when its bytes are not one, or hold what nobody here understands."""


HASHES = {"SHA-256": hashlib.sha256, "SHA-384": hashlib.sha384, "SHA-512": hashlib.sha512}


class Role(QuickEnum):
    """What a certificate says its holder is, as a policy OID under the bench's own arc."""

    PATIENT_CARD = 1
    SAM = 2
    PHYSICIAN = 3  # HPC of a physician
    PHARMACIST = 4  # HPC of a pharmacist
    NURSE = 5  # HPC of a nurse
    DATA_CENTRE = 6
    DOCUMENT_SIGNER = 7  # signs virtual cards for the data centre
    OTHER_USE = 8  # a reader outside medical care: reads no medical data
    CITIZEN = 9  # a citizen certificate (自然人憑證), or what mobile identification signs with
    INSTITUTION = 10  # an institution's program, when it connects to a service
    OFFICER = 11  # an officer of the insurance administration, when they connect
    SERVICE = 12  # a service of the data centre, as its clients meet it

    @property
    def oid(self) -> x509.ObjectIdentifier:
        return x509.ObjectIdentifier(f"{_ROLE_ARC}.{self.value}")


PROFESSIONALS = frozenset({Role.PHYSICIAN, Role.PHARMACIST, Role.NURSE})
READERS = PROFESSIONALS | {Role.SAM, Role.OTHER_USE}
"""Roles that sign requests to a wallet."""
READER_CERTIFICATE_H = 72
"""A wallet that is offline knows of a revoked reader because its certificate is no older: the longest validity, in hours."""
_BY_OID = {role.oid: role for role in Role}


class Trouble(QuickEnum):
    """Why a party is refused."""

    MISSING = "missing"
    MALFORMED = "malformed"
    EXPIRED = "expired"
    NOT_YET_VALID = "not yet valid"
    REVOKED = "revoked"
    WRONG_ROLE = "wrong role"
    FORGED = "forged"


@dataclass(frozen=True, slots=True)
class Refused:
    """A party that did not prove itself."""

    trouble: Trouble
    text: str = ""


@dataclass(frozen=True, slots=True)
class Verified:
    """A party whose certificate chains to the root: who it is, what it is, and with which key it signs."""

    role: Role
    subject_id: str  # card number, SAM id, professional's id
    organisation: str  # institution code of a SAM, "" otherwise
    serial: int
    key: ec.EllipticCurvePublicKey
    not_before_ns: int
    not_after_ns: int


@dataclass(frozen=True, slots=True)
class Identity:
    """A private key with its chain, leaf first, root left out (x5chain order, RFC 9360)."""

    key: ec.EllipticCurvePrivateKey
    chain: tuple[bytes, ...]

    def chain_bytes(self) -> bytes:
        """The chain as CBOR: an array of DER certificates."""
        return cbor2.dumps(list(self.chain))

    def private_bytes(self) -> bytes:
        """The private number, 32 bytes. For a card's image on the bench's own disk only."""
        return self.key.private_numbers().private_value.to_bytes(32, "big")

    @staticmethod
    def from_bytes(private: bytes, chain: Sequence[bytes]) -> Identity:
        return Identity(ec.derive_private_key(int.from_bytes(private, "big"), ec.SECP256R1()), tuple(chain))


def sign(key: ec.EllipticCurvePrivateKey, message: bytes) -> bytes:
    """ES256: 64 bytes r || s, deterministic (RFC 6979)."""
    r, s = utils.decode_dss_signature(key.sign(message, _ES256))
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def verify(key: ec.EllipticCurvePublicKey, signature: bytes, message: bytes) -> bool:
    """True when the 64 bytes r || s are this key's ES256 over the message. Never raises."""
    if len(signature) != 64:
        return False
    der = utils.encode_dss_signature(int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big"))
    try:
        key.verify(der, message, _ES256_VERIFY)
    except InvalidSignature:
        return False
    return True


def hashed(message: bytes, algorithm: str = "SHA-256") -> bytes:
    """The digest by which a message is signed, found again or told from others. ``algorithm``: of :data:`HASHES`."""
    return HASHES[algorithm](message).digest()


def mac(key: bytes, message: bytes) -> bytes:
    """HMAC-SHA-256, 32 bytes."""
    h = hmac.HMAC(key, hashes.SHA256())
    h.update(message)
    return h.finalize()


class Authority:
    """The bench's roots and its issuing authorities. Everything follows from the seed and the epoch.

    Two roots: the IACA root (ISO/IEC 18013-5 annex B) signs document signers directly and nothing else; under the other one
    there is an authority for each family of parties, as they are certified by different bodies in the field.
    """

    def __init__(self, seed: object, epoch_ns: int) -> None:
        self._seed = seed
        self.epoch_ns = epoch_ns
        self._root = self._self_signed(ROOT, "NHI bench root (not an authority of anybody)", "root", (-3650, 7300))
        self._iaca = self._self_signed(IACA, "NHI bench IACA (not an authority of anybody)", "iaca", IACA_DAYS)
        self.root_key, self.iaca_key = self._root.key, self._iaca.key
        self.root_der, self.iaca_der = _der(self._root.certificate), _der(self._iaca.certificate)
        self._issuers = {family: self._authority(family) for family in _FAMILIES}

    def issue(
        self, role: Role, subject_id: str, *, organisation: str = "", days: tuple[int, int] | None = None,
        key_name: object = "", hosts: Sequence[str] = (),
    ) -> Identity:
        """A new identity. ``days``: first and last day of validity, counted from the epoch, as the role has it when not given;
        ``hosts``: names and addresses at which a service is met."""
        key = private_key(self._seed, "pki", role.name, subject_id, key_name)
        serial = " ".join((role.name, subject_id, str(key_name), *hosts))
        window = self._window(_days(role) if days is None else days)
        return Identity(key, self._chain(role, subject_id, organisation, key.public_key(), serial, window, hosts))

    def issuer(self, role: Role) -> bytes:
        """The certificate of who issues this role's, in DER."""
        return _der(self._issuer(role).certificate)

    def renew(
        self, role: Role, subject_id: str, key: ec.EllipticCurvePublicKey, from_ns: int, *, organisation: str = "",
        hours: float = READER_CERTIFICATE_H,
    ) -> tuple[bytes, ...]:
        """A short-lived chain for a key that exists: the reader certificate that a SAM or HPC shows to a wallet."""
        begins = to_datetime(from_ns // NS * NS)
        serial = f"{role.name} {subject_id} reader {from_ns}"
        return self._chain(role, subject_id, organisation, key, serial, (begins, begins + timedelta(hours=hours)))

    def verifier(self) -> ChainVerifier:
        """Who knows both roots."""
        return ChainVerifier(self.root_der, self.iaca_der)

    def _chain(
        self, role: Role, subject_id: str, organisation: str, key: ec.EllipticCurvePublicKey, serial: str,
        window: tuple[datetime, datetime], hosts: Sequence[str] = (),
    ) -> tuple[bytes, ...]:
        """Leaf first; the root is left out, and so nothing follows a document signer's."""
        issuer = self._issuer(role)
        content = Content(
            certificates.name(subject_id, organisation), key, self._serial(serial), window, [role.oid], _purposes(role), hosts,
        )
        leaf = _der(certificates.make(_profile(role), content, issuer))
        return (leaf,) if role is Role.DOCUMENT_SIGNER else (leaf, _der(issuer.certificate))

    def _window(self, days: tuple[int, int]) -> tuple[datetime, datetime]:
        midnight = to_datetime(self.epoch_ns // DAY_NS * DAY_NS)
        return midnight + timedelta(days=days[0]), midnight + timedelta(days=days[1])

    def _self_signed(self, profile: Profile, common: str, serial: str, days: tuple[int, int]) -> Issuer:
        key = private_key(self._seed, "pki", serial)
        content = Content(certificates.name(common), key.public_key(), self._serial(serial), self._window(days))
        return Issuer(key, certificates.make(profile, content, Issuer(key)))

    def _issuer(self, role: Role) -> Issuer:
        return self._iaca if role is Role.DOCUMENT_SIGNER else self._issuers[_family(role)]

    def _authority(self, family: str) -> Issuer:
        key = private_key(self._seed, "pki", "issuer", family)
        subject = certificates.name(f"NHI bench {family} authority")
        content = Content(subject, key.public_key(), self._serial(f"issuer {family}"), self._window((-3000, 6000)))
        return Issuer(key, certificates.make(certificates.AUTHORITY, content, self._root))

    def _serial(self, name: str) -> int:
        """127 bits that nobody guesses (annex B wants 63 at least), never 0."""
        return int.from_bytes(digest(self._seed, "pki", "serial", name)[:16], "big") >> 1 | 1


def _der(certificate: x509.Certificate | None) -> bytes:
    assert certificate is not None  # every issuer here has one
    return certificate.public_bytes(serialization.Encoding.DER)


class ChainVerifier:
    """Checks chains against the bench's root, and those of document signers against its IACA root, offline."""

    def __init__(self, root_der: bytes, iaca_der: bytes | None = None) -> None:
        """``iaca_der``: without it no document signer is believed. Raises UsageError when a root is no certificate."""
        try:
            self._store = Store([_read(root_der)])
            self._documents = None if iaca_der is None else Store([_read(iaca_der)])
        except _UNREADABLE as e:
            raise UsageError(f"the root is no certificate in DER ({e}); take the one that the bench's authority gives") from None
        # No callback of ours in the policy: one is called from inside the verifier, which takes whatever it raises for a bad
        # certificate, also the KeyboardInterrupt of a Ctrl-C that arrived while it was busy.
        self._leaf_policy = ExtensionPolicy.permit_all().require_present(x509.KeyUsage, Criticality.CRITICAL, None)

    def check(
        self, chain: Sequence[bytes], roles: Collection[Role], now_ns: int, revoked: Collection[int] = frozenset(), *,
        clockless: bool = False,
    ) -> Verified | Refused:
        """Whether the chain leads to the root, now, for one of the roles. Never raises on what is in the chain.

        ``clockless``: ``now_ns`` is only the last date that the checker has seen, as on a chip; a certificate that begins
        later is then news and no trouble (the rule of ICAO 9303-11 and BSI TR-03110 for inspection certificates).
        """
        if not chain:
            return Refused(Trouble.MISSING)
        if len(chain) > MAX_CHAIN:
            return Refused(Trouble.MALFORMED, f"{len(chain)} certificates, at most {MAX_CHAIN}")
        try:
            leaf, *others = [_read(der) for der in chain]
            key = leaf.public_key()
            role = _role(leaf)
            subject_id, organisation = _text(leaf, NameOID.COMMON_NAME), _text(leaf, NameOID.ORGANIZATION_NAME)
            begins, ends = leaf.not_valid_before_utc, leaf.not_valid_after_utc
        except _UNREADABLE as e:
            return Refused(Trouble.MALFORMED, str(e)[:200])
        if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
            return Refused(Trouble.MALFORMED, "the key is not on P-256")
        now = to_datetime(now_ns)
        early, late = now < begins, now > ends
        at = begins if early or late else now
        store = self._documents if role is Role.DOCUMENT_SIGNER else self._store
        if store is None:
            return Refused(Trouble.FORGED, "no root of document signers is known here")
        verifier = (
            PolicyBuilder().store(store).time(at.replace(tzinfo=None))
            .extension_policies(ca_policy=_CA_POLICY, ee_policy=self._leaf_policy)
            .build_client_verifier()
        )
        try:
            verifier.verify(leaf, others)
        except (VerificationError, *_UNREADABLE) as e:
            return Refused(Trouble.FORGED, str(e)[:200])
        if not leaf.extensions.get_extension_for_class(x509.KeyUsage).value.digital_signature:
            return Refused(Trouble.FORGED, "the key may not sign")
        needed = _purposes(role) if role is not None else []
        if needed and needed[0] not in _extended_key_usage(leaf):
            return Refused(Trouble.WRONG_ROLE, "the certificate is for another purpose")
        if late or (early and not clockless):
            validity = f"valid {begins:%Y-%m-%d} to {ends:%Y-%m-%d}"
            return Refused(Trouble.NOT_YET_VALID if early else Trouble.EXPIRED, validity)
        if role is None or role not in roles:
            return Refused(Trouble.WRONG_ROLE, "no role" if role is None else role.name.lower())
        if leaf.serial_number in revoked:
            return Refused(Trouble.REVOKED)
        return Verified(
            role, subject_id, organisation, leaf.serial_number, key, round(begins.timestamp()) * NS, round(ends.timestamp()) * NS,
        )

    def check_bytes(
        self, chain: bytes, roles: Collection[Role], now_ns: int, revoked: Collection[int] = frozenset(), *,
        clockless: bool = False,
    ) -> Verified | Refused:
        """The same for a chain in CBOR, as devices hand it over."""
        try:
            certificates = cbor.decode(chain)
        except cbor.MalformedCbor as e:
            return Refused(Trouble.MALFORMED, e.what)
        if not isinstance(certificates, list) or not all(isinstance(c, bytes) for c in certificates):
            return Refused(Trouble.MALFORMED, "the chain is not an array of certificates")
        return self.check(certificates, roles, now_ns, revoked, clockless=clockless)


_CA_POLICY = ExtensionPolicy.webpki_defaults_ca()


_FAMILIES = ("card", "sam", "hpc", "data centre", "other use", "citizen", "connection")
CONNECTIONS = frozenset({Role.INSTITUTION, Role.OFFICER})
"""Roles of those who connect to a service of the data centre (TLS client certificates)."""


def _purposes(role: Role) -> list[x509.ObjectIdentifier]:
    """What its certificate is for (extended key usage), the standard's own first."""
    if role in READERS:
        return [READER_AUTHENTICATION, _READER_AUTHENTICATION_2]
    if role is Role.DOCUMENT_SIGNER:
        return [DOCUMENT_SIGNING]
    if role in CONNECTIONS:
        return [ExtendedKeyUsageOID.CLIENT_AUTH]
    return [ExtendedKeyUsageOID.SERVER_AUTH] if role is Role.SERVICE else []


def _profile(role: Role) -> Profile:
    if role in READERS:
        return READER
    return DOCUMENT_SIGNER if role is Role.DOCUMENT_SIGNER else PARTY


def _days(role: Role) -> tuple[int, int]:
    """From when to when an identity is good, in days from the epoch."""
    if role in READERS:
        return READER_DAYS
    return SIGNER_DAYS if role is Role.DOCUMENT_SIGNER else (-365, 1825)


def _family(role: Role) -> str:
    match role:
        case Role.PATIENT_CARD:
            return "card"
        case Role.SAM:
            return "sam"
        case Role.DATA_CENTRE:
            return "data centre"
        case Role.OTHER_USE:
            return "other use"
        case Role.CITIZEN:
            return "citizen"
        case Role.INSTITUTION | Role.OFFICER | Role.SERVICE:
            return "connection"
        case _:
            return "hpc"


def _read(der: bytes) -> x509.Certificate:
    """A certificate in DER. The parser overlooks a number of unused bits in the signature's BIT STRING; DER has none here, and
    one certificate shall have one encoding."""
    certificate = x509.load_der_x509_certificate(der)
    if not der.endswith(b"\0" + certificate.signature):
        raise ValueError("the signature has unused bits")
    return certificate


def _text(certificate: x509.Certificate, oid: x509.ObjectIdentifier) -> str:
    values = certificate.subject.get_attributes_for_oid(oid)
    return str(values[0].value) if values else ""


def ends_ns(der: bytes) -> int:
    """The last moment of a certificate of ours. Raises ValueError for bytes that are none."""
    return round(_read(der).not_valid_after_utc.timestamp()) * NS


def organisation_of(der: bytes) -> str:
    """The organisation that a certificate names, of one that was checked before; "" when it names none or is none."""
    try:
        return _text(x509.load_der_x509_certificate(der), NameOID.ORGANIZATION_NAME)
    except _UNREADABLE:
        return ""


def _role(leaf: x509.Certificate) -> Role | None:
    try:
        policies = leaf.extensions.get_extension_for_class(x509.CertificatePolicies).value
    except x509.ExtensionNotFound:
        return None
    found = [_BY_OID[p.policy_identifier] for p in policies if p.policy_identifier in _BY_OID]
    return found[0] if len(found) == 1 else None


def _extended_key_usage(leaf: x509.Certificate) -> tuple[x509.ObjectIdentifier, ...]:
    try:
        return tuple(leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value)
    except x509.ExtensionNotFound:
        return ()
