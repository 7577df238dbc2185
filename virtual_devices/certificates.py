"""X.509 certificates by profile: which extensions, which of them critical, for how long.

The three kinds of ISO/IEC 18013-5:2021 annex B come first; what annex B does not profile follows RFC 5280:

                     basicConstraints   keyUsage        extKeyUsage  issuerAltName  CRL points  days, at most
    IACA             critical, CA, 0    critical, CA    -            yes            yes         20 years
    document signer  -                  critical, sign  critical     yes            yes         457
    reader           -                  critical, sign  critical     -              yes         1187
    root             critical, CA, 1    critical, CA    -            -              -           -
    authority        critical, CA, 0    critical, CA    -            -              -           -
    party            critical, no CA    critical, sign  -            -              -           -

All have a subjectKeyIdentifier, and all but the two roots an authorityKeyIdentifier (SHA-1 of the key's BIT STRING). A leaf's
role is a policy, not critical, which annex B leaves free. A reader's issuerAltName is its authority's, which has none.

The addresses lead nowhere: names under ``.invalid`` are never given to anybody (RFC 2606). Annex B wants a place for a CRL, and
the bench has none: what is revoked is told as ``pki.ChainVerifier`` says.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import ip_address

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from virtual_devices.errors import UsageError

COUNTRY = "TW"
CONTACT, CRL_PLACE = "https://nhi-bench.invalid/", "http://crl.nhi-bench.invalid/"


@dataclass(frozen=True, slots=True)
class Profile:
    """What certificates of one kind hold. ``constraints``: basicConstraints stand in it; ``contact``: issuerAltName; ``crl``: CRL
    distribution points; ``longest``: of its validity, None where nobody says."""

    name: str
    ca: bool = False
    path_length: int | None = None
    constraints: bool = True
    contact: bool = False
    crl: bool = False
    longest: timedelta | None = None


IACA = Profile("IACA root", ca=True, path_length=0, contact=True, crl=True, longest=timedelta(days=20 * 365 + 5))  # B.1.2
DOCUMENT_SIGNER = Profile("document signer", constraints=False, contact=True, crl=True, longest=timedelta(days=457))  # B.1.4
READER = Profile("reader", constraints=False, crl=True, longest=timedelta(days=1187))  # B.1.7
ROOT = Profile("root", ca=True, path_length=1)
AUTHORITY = Profile("authority", ca=True, path_length=0)
PARTY = Profile("party")


@dataclass(frozen=True, slots=True)
class Issuer:
    """Who signs: key and certificate. ``certificate``: None for one that signs itself."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate | None = None


@dataclass(frozen=True, slots=True)
class Content:
    """What stands in one certificate beside its profile. ``policies``, ``purposes``: OIDs; ``window``: first and last moment;
    ``hosts``: names and addresses at which a service is met."""

    subject: x509.Name
    key: ec.EllipticCurvePublicKey
    serial: int
    window: tuple[datetime, datetime]
    policies: Sequence[x509.ObjectIdentifier] = ()
    purposes: Sequence[x509.ObjectIdentifier] = ()
    hosts: Sequence[str] = ()


def make(profile: Profile, content: Content, issuer: Issuer) -> x509.Certificate:
    """The certificate. Raises UsageError for a life longer than its profile allows."""
    begins, ends = content.window
    if profile.longest is not None and ends - begins > profile.longest:
        raise UsageError(f"a {profile.name}'s certificate lives {profile.longest.days} days at most, not {(ends - begins).days}")
    above = issuer.certificate
    builder = (
        x509.CertificateBuilder()
        .subject_name(content.subject)
        .issuer_name(content.subject if above is None else above.subject)
        .public_key(content.key)
        .serial_number(content.serial)
        .not_valid_before(begins)
        .not_valid_after(ends)
    )
    for extension, critical in _extensions(profile, content, above):
        builder = builder.add_extension(extension, critical=critical)
    return builder.sign(issuer.key, hashes.SHA256(), ecdsa_deterministic=True)


def _extensions(profile: Profile, content: Content, above: x509.Certificate | None) -> list[tuple[x509.ExtensionType, bool]]:
    found: list[tuple[x509.ExtensionType, bool]] = []
    if profile.constraints:
        found.append((x509.BasicConstraints(ca=profile.ca, path_length=profile.path_length), True))
    found += [(key_usage(profile.ca), True), (x509.SubjectKeyIdentifier.from_public_key(content.key), False)]
    if above is not None:
        public = above.public_key()
        assert isinstance(public, ec.EllipticCurvePublicKey)
        found.append((x509.AuthorityKeyIdentifier.from_issuer_public_key(public), False))
    if content.policies:
        found.append((x509.CertificatePolicies([x509.PolicyInformation(oid, None) for oid in content.policies]), False))
    if content.purposes:
        found.append((x509.ExtendedKeyUsage(list(content.purposes)), True))
    if content.hosts:
        found.append((x509.SubjectAlternativeName([_host(host) for host in content.hosts]), False))
    if profile.contact:
        found.append((x509.IssuerAlternativeName([x509.UniformResourceIdentifier(CONTACT)]), False))
    if profile.crl:
        place = [x509.UniformResourceIdentifier(CRL_PLACE)]
        found.append((x509.CRLDistributionPoints([x509.DistributionPoint(place, None, None, None)]), False))
    return found


def _host(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def key_usage(ca: bool) -> x509.KeyUsage:
    """A CA signs certificates and CRLs and nothing else, everybody else signs messages and nothing else."""
    return x509.KeyUsage(
        digital_signature=not ca, content_commitment=False, key_encipherment=False, data_encipherment=False,
        key_agreement=False, key_cert_sign=ca, crl_sign=ca, encipher_only=False, decipher_only=False,
    )


def name(common: str, organisation: str = "") -> x509.Name:
    """C=TW, the organisation where there is one, the common name."""
    parts = [x509.NameAttribute(NameOID.COUNTRY_NAME, COUNTRY)]
    if organisation:
        parts.append(x509.NameAttribute(NameOID.ORGANIZATION_NAME, organisation))
    return x509.Name([*parts, x509.NameAttribute(NameOID.COMMON_NAME, common)])
