"""Certificates and raw signatures: X.509 chained to the bench's own root, checked by ``cryptography.x509.verification``.

Every signature and every chain check of a reference device goes through this module, so that what is spent on
cryptography can be told from what is spent on everything else.

The root and the issuing authorities belong to the bench. They are nobody's real authority, and their keys follow
from the seed: never trust them outside the bench.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from ipaddress import ip_address

import cbor2
from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, hmac, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from cryptography.x509.verification import Criticality, ExtensionPolicy, PolicyBuilder, Store, VerificationError

from virtual_devices import cbor
from virtual_devices.clock import NS, to_datetime
from virtual_devices.errors import UsageError
from virtual_devices.randomness import digest, private_key

READER_AUTHENTICATION = x509.ObjectIdentifier("1.0.18013.5.1.6")  # ISO/IEC 18013-5 B.1.7
_READER_AUTHENTICATION_2 = x509.ObjectIdentifier("1.0.23220.4.1.6")  # ISO/IEC TS 23220-4
DOCUMENT_SIGNING = x509.ObjectIdentifier("1.0.18013.5.1.2")  # ISO/IEC 18013-5 B.1.4
_ROLE_ARC = "2.25.187204171391049372418462718463528671829"  # a UUID-based arc (ITU-T X.667) of the bench's own
_ES256 = ec.ECDSA(hashes.SHA256(), deterministic_signing=True)
_ES256_VERIFY = ec.ECDSA(hashes.SHA256())
DAY_NS = 86_400 * NS
MAX_CHAIN = 4
"""Certificates in a chain, at most: leaf, issuing authority, and two to spare. A longer one is not looked into."""
_UNREADABLE = (
    ValueError, TypeError, OverflowError, UnsupportedAlgorithm, x509.DuplicateExtension, x509.InvalidVersion,
    x509.UnsupportedGeneralNameType, x509.AttributeNotFound,
)
"""What reading a certificate raises when its bytes are not one, or hold what nobody here understands."""


class Role(Enum):
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


class Trouble(Enum):
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


def mac(key: bytes, message: bytes) -> bytes:
    """HMAC-SHA-256, 32 bytes."""
    h = hmac.HMAC(key, hashes.SHA256())
    h.update(message)
    return h.finalize()


class Authority:
    """The bench's root and its issuing authorities. Everything follows from the seed and the epoch."""

    def __init__(self, seed: object, epoch_ns: int) -> None:
        self._seed = seed
        self._epoch_ns = epoch_ns
        self.root_key = private_key(seed, "pki", "root")
        self.root = self._certificate(
            subject=_name("NHI bench root (not an authority of anybody)"), issuer=None, key=self.root_key.public_key(),
            signer=self.root_key, serial="root", window=self._window((-3650, 7300)), path_length=1,
        )
        self.root_der = self.root.public_bytes(serialization.Encoding.DER)
        self._issuers = {family: self._issuer(family) for family in _FAMILIES}

    def issue(
        self, role: Role, subject_id: str, *, organisation: str = "", days: tuple[int, int] = (-365, 1825),
        key_name: object = "", hosts: Sequence[str] = (),
    ) -> Identity:
        """A new identity. ``days``: first and last day of validity, counted from the epoch; ``hosts``: names and addresses at
        which a service is met."""
        key = private_key(self._seed, "pki", role.name, subject_id, key_name)
        serial = " ".join((role.name, subject_id, str(key_name), *hosts))
        return Identity(key, self._chain(role, subject_id, organisation, key.public_key(), serial, self._window(days), hosts))

    def issuer(self, role: Role) -> bytes:
        """The certificate of the authority that issues this role's, in DER."""
        return self._issuers[_family(role)][1].public_bytes(serialization.Encoding.DER)

    def renew(
        self, role: Role, subject_id: str, key: ec.EllipticCurvePublicKey, from_ns: int, *, organisation: str = "",
        hours: float = READER_CERTIFICATE_H,
    ) -> tuple[bytes, ...]:
        """A short-lived chain for a key that exists: the reader certificate that a SAM or HPC shows to a wallet."""
        begins = to_datetime(from_ns // NS * NS)
        serial = f"{role.name} {subject_id} reader {from_ns}"
        return self._chain(role, subject_id, organisation, key, serial, (begins, begins + timedelta(hours=hours)))

    def _chain(
        self, role: Role, subject_id: str, organisation: str, key: ec.EllipticCurvePublicKey, serial: str,
        window: tuple[datetime, datetime], hosts: Sequence[str] = (),
    ) -> tuple[bytes, ...]:
        issuer_key, issuer = self._issuers[_family(role)]
        leaf = self._certificate(
            subject=_name(subject_id, organisation), issuer=issuer, key=key, signer=issuer_key, serial=serial, window=window,
            role=role, hosts=hosts,
        )
        encoding = serialization.Encoding.DER
        return leaf.public_bytes(encoding), issuer.public_bytes(encoding)

    def _window(self, days: tuple[int, int]) -> tuple[datetime, datetime]:
        midnight = to_datetime(self._epoch_ns // DAY_NS * DAY_NS)
        return midnight + timedelta(days=days[0]), midnight + timedelta(days=days[1])

    def _issuer(self, family: str) -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
        key = private_key(self._seed, "pki", "issuer", family)
        certificate = self._certificate(
            subject=_name(f"NHI bench {family} authority"), issuer=self.root, key=key.public_key(), signer=self.root_key,
            serial=f"issuer {family}", window=self._window((-3000, 6000)), path_length=0,
        )
        return key, certificate

    def _certificate(
        self, *, subject: x509.Name, issuer: x509.Certificate | None, key: ec.EllipticCurvePublicKey,
        signer: ec.EllipticCurvePrivateKey, serial: str, window: tuple[datetime, datetime], path_length: int | None = None,
        role: Role | None = None, hosts: Sequence[str] = (),
    ) -> x509.Certificate:
        is_ca = role is None
        number = int.from_bytes(digest(self._seed, "pki", "serial", serial)[:16], "big") >> 1 | 1
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(subject if issuer is None else issuer.subject)
            .public_key(key)
            .serial_number(number)
            .not_valid_before(window[0])
            .not_valid_after(window[1])
            .add_extension(x509.BasicConstraints(ca=is_ca, path_length=path_length), critical=True)
            .add_extension(_key_usage(is_ca), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        )
        if issuer is not None:
            public = issuer.public_key()
            assert isinstance(public, ec.EllipticCurvePublicKey)
            builder = builder.add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(public), critical=False)
        if role is not None:
            builder = builder.add_extension(x509.CertificatePolicies([x509.PolicyInformation(role.oid, None)]), critical=False)
            purposes = _purposes(role)
            if purposes:
                builder = builder.add_extension(x509.ExtendedKeyUsage(purposes), critical=True)
        if hosts:
            builder = builder.add_extension(x509.SubjectAlternativeName([_host(host) for host in hosts]), critical=False)
        return builder.sign(signer, hashes.SHA256(), ecdsa_deterministic=True)


class ChainVerifier:
    """Checks chains against one root, offline."""

    def __init__(self, root_der: bytes) -> None:
        """Raises UsageError when the root is no certificate."""
        try:
            self._root = _read(root_der)
            self._store = Store([self._root])
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
        verifier = (
            PolicyBuilder().store(self._store).time(at.replace(tzinfo=None))
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


_FAMILIES = ("card", "sam", "hpc", "data centre", "document", "other use", "citizen", "connection")
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


def _family(role: Role) -> str:
    match role:
        case Role.PATIENT_CARD:
            return "card"
        case Role.SAM:
            return "sam"
        case Role.DATA_CENTRE:
            return "data centre"
        case Role.DOCUMENT_SIGNER:
            return "document"
        case Role.OTHER_USE:
            return "other use"
        case Role.CITIZEN:
            return "citizen"
        case Role.INSTITUTION | Role.OFFICER | Role.SERVICE:
            return "connection"
        case _:
            return "hpc"


def _host(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _name(common: str, organisation: str = "") -> x509.Name:
    parts = [x509.NameAttribute(NameOID.COUNTRY_NAME, "TW")]
    if organisation:
        parts.append(x509.NameAttribute(NameOID.ORGANIZATION_NAME, organisation))
    return x509.Name([*parts, x509.NameAttribute(NameOID.COMMON_NAME, common)])


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


def _key_usage(is_ca: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not is_ca, content_commitment=False, key_encipherment=False, data_encipherment=False,
        key_agreement=False, key_cert_sign=is_ca, crl_sign=is_ca, encipher_only=False, decipher_only=False,
    )
