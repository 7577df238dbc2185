"""Certificates: chains to the bench's own root, checked offline, with the trouble named; nothing that a peer sends raises."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import cbor2
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from hypothesis import given, settings
from hypothesis import strategies as st

from virtual_devices import certificates
from virtual_devices.clock import to_datetime
from virtual_devices.pki import (
    MAX_CHAIN,
    PROFESSIONALS,
    Authority,
    ChainVerifier,
    Identity,
    Refused,
    Role,
    Trouble,
    Verified,
    mac,
    sign,
    verify,
)
from virtual_devices.randomness import private_key

from .desk import AUTHORITY, NOW_NS, STRANGER

ROOT = AUTHORITY.verifier()
SAM = AUTHORITY.issue(Role.SAM, "SAM000000009", organisation="0401180014")
DER = serialization.Encoding.DER


def trouble(chain: object, roles: object = frozenset({Role.SAM}), now_ns: int = NOW_NS, **more: object) -> Trouble | None:
    verdict = ROOT.check(chain, roles, now_ns, **more)  # type: ignore[arg-type]
    return verdict.trouble if isinstance(verdict, Refused) else None


@pytest.mark.parametrize("role", Role)
def test_identity_of_each_role_is_believed_for_that_role_only(role: Role) -> None:
    identity = AUTHORITY.issue(role, "ID0000000001", organisation="0401180014")
    verdict = ROOT.check(identity.chain, {role}, NOW_NS)
    assert isinstance(verdict, Verified)
    assert (verdict.role, verdict.subject_id, verdict.organisation) == (role, "ID0000000001", "0401180014")
    assert verify(verdict.key, sign(identity.key, b"message"), b"message")
    assert trouble(identity.chain, set(Role) - {role}) is Trouble.WRONG_ROLE


@pytest.mark.parametrize(
    ("days", "clockless", "expected"),
    [((-10, 10), False, None), ((1, 10), False, Trouble.NOT_YET_VALID), ((1, 10), True, None),
     ((-10, -1), False, Trouble.EXPIRED), ((-10, -1), True, Trouble.EXPIRED)],
)
def test_validity_is_told_apart(days: tuple[int, int], clockless: bool, expected: Trouble | None) -> None:
    identity = AUTHORITY.issue(Role.SAM, "SAM000000002", days=days, key_name=days)
    assert trouble(identity.chain, clockless=clockless) is expected


def test_revoked_serial_is_refused() -> None:
    serial = x509.load_der_x509_certificate(SAM.chain[0]).serial_number
    assert trouble(SAM.chain, revoked={serial}) is Trouble.REVOKED and trouble(SAM.chain, revoked={serial + 1}) is None


def test_chain_of_another_root_or_of_mixed_parts_is_forged() -> None:
    stranger = STRANGER.issue(Role.SAM, "SAM000000009", organisation="0401180014")
    card = AUTHORITY.issue(Role.PATIENT_CARD, "000000000001")
    for chain in (stranger.chain, (stranger.chain[0], SAM.chain[1]), (SAM.chain[0], card.chain[1]), SAM.chain[:1],
                  (SAM.chain[0], STRANGER.root_der)):
        assert trouble(chain) is Trouble.FORGED
    assert trouble(SAM.chain[::-1]) in (Trouble.FORGED, Trouble.WRONG_ROLE)


def test_each_root_vouches_for_its_own_kind_only() -> None:
    """Who knows one root knows no document signer, and who has them the wrong way round believes nobody."""
    signer = AUTHORITY.issue(Role.DOCUMENT_SIGNER, "signer")
    assert len(signer.chain) == 1 and trouble(signer.chain, {Role.DOCUMENT_SIGNER}) is None
    swapped = ChainVerifier(AUTHORITY.iaca_der, AUTHORITY.root_der)
    for verifier in (ChainVerifier(AUTHORITY.root_der), ChainVerifier(AUTHORITY.root_der, AUTHORITY.root_der), swapped):
        verdict = verifier.check(signer.chain, {Role.DOCUMENT_SIGNER}, NOW_NS)
        assert isinstance(verdict, Refused) and verdict.trouble is Trouble.FORGED
    verdict = swapped.check(SAM.chain, {Role.SAM}, NOW_NS)
    assert isinstance(verdict, Refused) and verdict.trouble is Trouble.FORGED


def certificate(key: object, signer: Identity, **more: object) -> bytes:
    """A leaf that the signer's own key has signed, as if it were an authority."""
    issuer = x509.load_der_x509_certificate(signer.chain[0])
    now = to_datetime(NOW_NS)
    builder = (
        x509.CertificateBuilder().subject_name(issuer.subject).issuer_name(issuer.subject).public_key(key)  # type: ignore[arg-type]
        .serial_number(7).not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(False, None), critical=True)
        .add_extension(x509.CertificatePolicies([x509.PolicyInformation(Role.SAM.oid, None)]), critical=False)
    )
    return builder.sign(signer.key, hashes.SHA256()).public_bytes(DER)


def test_holder_of_a_certificate_is_no_authority() -> None:
    forged = certificate(private_key("attacker").public_key(), SAM)
    assert trouble((forged, *SAM.chain)) is Trouble.FORGED


def test_keys_of_other_kinds_are_malformed() -> None:
    other = ec.derive_private_key(7, ec.SECP384R1()).public_key()
    wide = rsa.RSAPublicNumbers(65537, (1 << 2047) + 12345).public_key()
    for key in (other, wide):
        assert trouble((certificate(key, SAM), *SAM.chain)) is Trouble.MALFORMED


@pytest.mark.parametrize("chain", [(), (b"",), (b"0\x82",), (b"\x30\x00",), ("text",), (7,), (SAM.chain[0][:-1],)])
def test_nonsense_is_missing_or_malformed(chain: tuple[object, ...]) -> None:
    assert trouble(chain) is (Trouble.MALFORMED if chain else Trouble.MISSING)


def test_long_chain_is_not_looked_into() -> None:
    assert trouble((SAM.chain[0], *SAM.chain[1:] * MAX_CHAIN)) is Trouble.MALFORMED
    assert trouble(SAM.chain * (MAX_CHAIN // 2)) is None  # twice the same does no harm


@pytest.mark.parametrize(
    "raw",
    [b"", b"\xff", cbor2.dumps(7), cbor2.dumps([1, 2]), cbor2.dumps({}), SAM.chain_bytes() + b"\0", SAM.chain_bytes()[:-1],
     b"\x81" * 100_000, bytes.fromhex("9bffffffffffffffff"), bytes.fromhex("5b7fffffffffffffff"), bytes.fromhex("d81c81d81d00"),
     cbor2.dumps(cbor2.CBORTag(35, "(")), cbor2.dumps(cbor2.CBORTag(30, [1, 0])), bytes.fromhex("d9010081d81900")],
)
def test_chain_in_cbor_that_is_none_is_malformed(raw: bytes) -> None:
    verdict = ROOT.check_bytes(raw, {Role.SAM}, NOW_NS)
    assert isinstance(verdict, Refused) and verdict.trouble is Trouble.MALFORMED


@pytest.mark.filterwarnings("ignore:Parsed a serial number")
@settings(max_examples=300)
@given(st.data())
def test_changed_byte_of_a_chain_is_refused(data: st.DataObject) -> None:
    """One byte of the leaf: never raises, and never makes a believed certificate with other contents."""
    leaf = bytearray(SAM.chain[0])
    at = data.draw(st.integers(0, len(leaf) - 1))
    leaf[at] ^= data.draw(st.integers(1, 255))
    assert trouble((bytes(leaf), SAM.chain[1])) is not None


@pytest.mark.filterwarnings("ignore:Parsed a serial number")
@pytest.mark.parametrize("which", range(2))
def test_every_flipped_bit_of_a_chain_is_refused(which: int) -> None:
    """One certificate has one encoding: each bit of the signature's frame too, where a parser may be lenient."""
    der = SAM.chain[which]
    believed = []
    for at in range(len(der) * 8):
        changed = bytearray(der)
        changed[at // 8] ^= 1 << at % 8
        if trouble([bytes(changed) if i == which else c for i, c in enumerate(SAM.chain)]) is None:
            believed.append(divmod(at, 8))
    assert believed == []


@given(st.binary(max_size=80), st.binary(max_size=80))
def test_signatures_of_any_length_are_judged_and_never_raise(signature: bytes, message: bytes) -> None:
    assert verify(SAM.key.public_key(), signature, message) is False


@pytest.mark.parametrize("signature", [b"\0" * 64, b"\xff" * 64, b"\0" * 32 + b"\x01" * 32])
def test_degenerate_signatures_are_refused(signature: bytes) -> None:
    assert not verify(SAM.key.public_key(), signature, b"m")


def test_everything_follows_from_the_seed() -> None:
    again = Authority("tests", NOW_NS).issue(Role.SAM, "SAM000000009", organisation="0401180014")
    assert again.chain == SAM.chain and sign(again.key, b"m") == sign(SAM.key, b"m")
    assert Identity.from_bytes(SAM.private_bytes(), SAM.chain).key.private_numbers() == SAM.key.private_numbers()
    assert AUTHORITY.issue(Role.SAM, "SAM000000009", key_name=2).chain != SAM.chain
    assert mac(b"k", b"m") != mac(b"k", b"n") and len(mac(b"k", b"m")) == 32
    assert Role.NURSE in PROFESSIONALS and Role.SAM not in PROFESSIONALS


def test_key_that_may_not_sign_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    usual = certificates.key_usage

    def agreement_only(ca: bool) -> Any:
        usage = usual(ca)
        if ca:
            return usage
        return type(usage)(
            digital_signature=False, content_commitment=False, key_encipherment=False, data_encipherment=False,
            key_agreement=True, key_cert_sign=False, crl_sign=False, encipher_only=False, decipher_only=False,
        )

    monkeypatch.setattr(certificates, "key_usage", agreement_only)
    authority = Authority("no signatures", NOW_NS)
    identity = authority.issue(Role.SAM, "SAM000000001")
    verdict = ChainVerifier(authority.root_der).check(identity.chain, {Role.SAM}, NOW_NS)
    assert verdict == Refused(Trouble.FORGED, "the key may not sign")
