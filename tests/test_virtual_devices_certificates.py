"""Certificates by ISO/IEC 18013-5 annex B, clause by clause: of the IACA root, document signers and readers; as they are sent."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import urlsplit

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtensionOID, NameOID

from virtual_devices import certificates, vhc
from virtual_devices.clock import to_datetime
from virtual_devices.errors import UsageError
from virtual_devices.flow import Flow
from virtual_devices.mdoc.mso import read_mso
from virtual_devices.pki import DAY_NS, READERS, Role
from virtual_devices.reader.presentation import OPEN_APP, present
from virtual_devices.reader.proximity import ReaderSession, Shown, ask
from virtual_devices.reader.transmit import Handle

from .desk import AUTHORITY, NOW_NS
from .wallets import ISSUER, PLACE, WalletBench, card_holder

EC_PUBLIC_KEY, P_256, ECDSA_SHA256 = "1.2.840.10045.2.1", "1.2.840.10045.3.1.7", "1.2.840.10045.4.3.2"
SKI, AKI, KU, EKU = (getattr(ExtensionOID, n) for n in (
    "SUBJECT_KEY_IDENTIFIER", "AUTHORITY_KEY_IDENTIFIER", "KEY_USAGE", "EXTENDED_KEY_USAGE"))
IAN, CRL, BC, POLICIES = (getattr(ExtensionOID, n) for n in (
    "ISSUER_ALTERNATIVE_NAME", "CRL_DISTRIBUTION_POINTS", "BASIC_CONSTRAINTS", "CERTIFICATE_POLICIES"))


@dataclass(frozen=True)
class Row:
    """One of annex B's tables: which extensions, and whether they are critical; what the key is for; its longest life."""

    clause: str
    extensions: dict[x509.ObjectIdentifier, bool]
    usage: set[str]
    days: int
    purpose: str = ""
    path_length: int | None = None


IACA = Row("B.1.2", {SKI: False, KU: True, IAN: False, BC: True, CRL: False}, {"key_cert_sign", "crl_sign"}, 20 * 365 + 5,
           path_length=0)
SIGNER = Row("B.1.4", {AKI: False, SKI: False, KU: True, IAN: False, EKU: True, CRL: False}, {"digital_signature"}, 457,
             "1.0.18013.5.1.2")
READER = Row("B.1.7", {AKI: False, SKI: False, KU: True, EKU: True, CRL: False}, {"digital_signature"}, 1187, "1.0.18013.5.1.6")


def read(der: bytes) -> x509.Certificate:
    return x509.load_der_x509_certificate(der)


def of(role: Role) -> tuple[x509.Certificate, x509.Certificate]:
    """A leaf of this role, and who issued it."""
    chain = AUTHORITY.issue(role, "ID0000000001").chain
    return read(chain[0]), read(chain[1] if len(chain) > 1 else AUTHORITY.iaca_der)


def renewed(role: Role) -> tuple[x509.Certificate, x509.Certificate]:
    """What a reader shows to wallets."""
    leaf, authority = AUTHORITY.renew(role, "ID0000000001", AUTHORITY.issue(role, "ID0000000001").key.public_key(), NOW_NS)
    return read(leaf), read(authority)


ROOT = read(AUTHORITY.iaca_der)
CASES: dict[str, tuple[Row, tuple[x509.Certificate, x509.Certificate]]] = {
    "IACA": (IACA, (ROOT, ROOT)), "document signer": (SIGNER, of(Role.DOCUMENT_SIGNER)),
    **{f"{role.name.lower()}, its own": (READER, of(role)) for role in sorted(READERS, key=lambda r: r.value)},
    **{f"{role.name.lower()}, for wallets": (READER, renewed(role)) for role in sorted(READERS, key=lambda r: r.value)},
}


def extension(certificate: x509.Certificate, oid: x509.ObjectIdentifier) -> object:
    return certificate.extensions.get_extension_for_oid(oid).value


def key_hash(certificate: x509.Certificate) -> bytes:
    """SHA-1 of the BIT STRING's value."""
    form = serialization.PublicFormat.UncompressedPoint
    return hashlib.sha1(certificate.public_key().public_bytes(serialization.Encoding.X962, form)).digest()


def frame(row: Row, found: x509.Certificate, above: x509.Certificate) -> None:
    """Version, serial number, algorithms, key."""
    assert found.version is x509.Version.v3 and 1 << 63 < found.serial_number < 1 << 159
    assert found.signature_algorithm_oid.dotted_string == ECDSA_SHA256
    public = found.public_key()
    assert isinstance(public, ec.EllipticCurvePublicKey) and isinstance(public.curve, ec.SECP256R1)
    assert found.public_key_algorithm_oid.dotted_string == EC_PUBLIC_KEY
    found.verify_directly_issued_by(above)


def names(row: Row, found: x509.Certificate, above: x509.Certificate) -> None:
    """The issuer is its issuer's subject, byte for byte; one country, the IACA's; one common name."""
    assert found.issuer.public_bytes() == above.subject.public_bytes()
    (country,) = found.subject.get_attributes_for_oid(NameOID.COUNTRY_NAME)
    (common,) = found.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    assert country.value == "TW" == ROOT.subject.get_attributes_for_oid(NameOID.COUNTRY_NAME)[0].value and common.value
    assert b"\x13\x02TW" in found.subject.public_bytes()  # a PrintableString


def validity(row: Row, found: x509.Certificate, above: x509.Certificate) -> None:
    assert timedelta(0) < found.not_valid_after_utc - found.not_valid_before_utc <= timedelta(days=row.days)
    assert above.not_valid_before_utc <= found.not_valid_before_utc and found.not_valid_after_utc <= above.not_valid_after_utc


def extensions(row: Row, found: x509.Certificate, above: x509.Certificate) -> None:
    """Just these, critical or not; the role's policy beside them is not critical."""
    assert {e.oid: e.critical for e in found.extensions if e.oid != POLICIES} == row.extensions
    assert all(not e.critical for e in found.extensions if e.oid == POLICIES)


def key_identifiers(row: Row, found: x509.Certificate, above: x509.Certificate) -> None:
    assert extension(found, SKI).digest == key_hash(found)  # type: ignore[attr-defined]
    if AKI in row.extensions:
        identifier = extension(found, AKI)
        assert identifier.key_identifier == key_hash(above)  # type: ignore[attr-defined]
        assert identifier.authority_cert_issuer is None  # type: ignore[attr-defined]


def purposes(row: Row, found: x509.Certificate, above: x509.Certificate) -> None:
    usage = extension(found, KU)
    bits = ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "key_cert_sign",
            "crl_sign")
    assert {bit for bit in bits if getattr(usage, bit)} == row.usage
    if row.purpose:
        assert next(oid.dotted_string for oid in extension(found, EKU)) == row.purpose  # type: ignore[attr-defined]
    if BC in row.extensions:
        assert extension(found, BC) == x509.BasicConstraints(ca=True, path_length=row.path_length)


def places(row: Row, found: x509.Certificate, above: x509.Certificate) -> None:
    """Where to ask, and where a CRL would be: URIs, no reasons, no other issuer; under a name that nobody is ever given."""
    (point,) = extension(found, CRL)  # type: ignore[attr-defined]
    assert point.reasons is None and point.crl_issuer is None and point.relative_name is None
    addresses = [name.value for name in point.full_name if isinstance(name, x509.UniformResourceIdentifier)]
    if IAN in row.extensions:
        (contact,) = extension(found, IAN)  # type: ignore[attr-defined]
        assert isinstance(contact, x509.UniformResourceIdentifier) and extension(above, IAN) == extension(found, IAN)
        addresses.append(contact.value)
    else:
        assert IAN not in {e.oid for e in above.extensions}  # wanted of a reader's where its authority has one
    assert len(addresses) == (2 if IAN in row.extensions else 1)
    assert all(str(urlsplit(a).hostname).endswith(".invalid") for a in addresses)


CLAUSES: tuple[Callable[[Row, x509.Certificate, x509.Certificate], None], ...] = (
    frame, names, validity, extensions, key_identifiers, purposes, places,
)


@pytest.mark.parametrize("clause", CLAUSES, ids=lambda c: c.__name__)
@pytest.mark.parametrize("kind", CASES)
def test_certificate_is_as_annex_b_has_it(kind: str, clause: Callable[[Row, x509.Certificate, x509.Certificate], None]) -> None:
    row, (found, above) = CASES[kind]
    clause(row, found, above)


def test_chains_are_sent_leaf_first_and_without_a_root() -> None:
    """A document signer's alone; with a reader's the authority between, as there is one for each family."""
    bench = WalletBench()
    bench.sam_handle, _ = bench.ready()

    def body(opened: ReaderSession, sam: Handle) -> Flow[Shown]:
        return (yield from ask(bench.desk, opened, vhc.REGISTRATION, sam))

    assert bench.run(present(bench.desk, bench.counter, OPEN_APP, body)).value(vhc.BASIC, "name")
    held = bench.phone.cards.get("own")
    assert held is not None and [read(der).issuer for der in held.issued.auth.chain] == [ROOT.subject]
    leaf, authority = map(read, bench.desk.reader_chain)
    assert leaf.issuer == authority.subject != authority.issuer == read(AUTHORITY.root_der).subject
    assert not {AUTHORITY.root_der, AUTHORITY.iaca_der} & {*bench.desk.reader_chain, *bench.desk.hpc_reader_chain}


def test_credential_does_not_outlive_its_signers_certificate() -> None:
    ends = read(ISSUER.signer.chain[0]).not_valid_after_utc
    key = AUTHORITY.issue(Role.CITIZEN, "x").key.public_key()
    for days in (0, 1, 200):
        issued = ISSUER.credential(card_holder(), key, PLACE, NOW_NS + days * DAY_NS)
        assert issued.auth.payload is not None
        until = to_datetime(read_mso(issued.auth.payload).valid_until_ns)
        assert until <= ends and (days != 200 or until == ends)


@pytest.mark.parametrize(
    ("role", "days"), [(Role.DOCUMENT_SIGNER, 457), (Role.SAM, 1187), (Role.PHYSICIAN, 1187), (Role.OTHER_USE, 1187)],
)
def test_longer_life_than_annex_b_allows_is_not_issued(role: Role, days: int) -> None:
    assert AUTHORITY.issue(role, "x", days=(-1, days - 1)).chain
    with pytest.raises(UsageError, match=f"{days} days"):
        AUTHORITY.issue(role, "x", days=(-1, days))


def test_root_of_more_than_twenty_years_is_not_made() -> None:
    key = AUTHORITY.issue(Role.CITIZEN, "x").key
    begins = to_datetime(NOW_NS)
    content = certificates.Content(certificates.name("x"), key.public_key(), 1 << 70, (begins, begins + timedelta(days=7306)))
    with pytest.raises(UsageError):
        certificates.make(certificates.IACA, content, certificates.Issuer(key))
