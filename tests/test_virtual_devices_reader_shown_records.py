"""Records that a phone shows are believed by those who signed them, and by nothing that the phone says."""

from __future__ import annotations

from typing import Any

import pytest

from virtual_devices.link import Work
from virtual_devices.pki import READER_CERTIFICATE_H, ChainVerifier, Identity, Role
from virtual_devices.reader.shown_records import SignedRecord, check_records
from virtual_devices.reader.transmit import Ended
from virtual_devices.write_back import Kind, Record

from .desk import AUTHORITY, DOCTOR_ID, INSTITUTION, NOW_NS, SAM_ID
from .test_virtual_devices_holder_writing import signed

HOUR_NS = 3600 * 10**9
ROOT = ChainVerifier(AUTHORITY.root_der)
HOLDER = bytes(range(32))


def renewed(role: Role, subject: str, from_ns: int = NOW_NS, **more: Any) -> Identity:
    identity = AUTHORITY.issue(role, subject)
    return Identity(identity.key, AUTHORITY.renew(role, subject, identity.key.public_key(), from_ns, **more))


SAM = renewed(Role.SAM, SAM_ID, organisation=INSTITUTION)
DOCTOR, NURSE = renewed(Role.PHYSICIAN, DOCTOR_ID), renewed(Role.NURSE, "B123456780")
CHAINS = {number.to_bytes(32, "big"): list(one.chain) for number, one in enumerate((SAM, DOCTOR, NURSE))}
"""Under names that say nothing: the certificate itself says who it is."""


def record(kind: Kind = Kind.PRESCRIPTION, at_ns: int = NOW_NS, number: int = 1, holder: bytes = HOLDER) -> Record:
    amends = bytes(16) if kind in (Kind.AMEND, Kind.CANCEL) else None
    return Record(kind, number.to_bytes(16, "big"), holder, at_ns, {1: "content"}, amends)


def checked(*raw: object, chains: object = CHAINS, work: Work | None = None, **more: Any) -> list[SignedRecord]:
    return check_records(list(raw), chains, {HOLDER}, ROOT, work or Work(), **more)


def test_signed_records_are_believed_with_their_signers() -> None:
    fee, visit = signed(record(Kind.FEE, number=2), SAM), signed(record(Kind.VISIT), NURSE, SAM)
    found = checked(signed(record(), DOCTOR, SAM), fee, visit)
    assert [[who.role for who in one.signers] for one in found] == [
        [Role.PHYSICIAN, Role.SAM], [Role.SAM], [Role.NURSE, Role.SAM],
    ]
    assert found[0].record == record() and found[0].signers[1].organisation == INSTITUTION
    assert check_records(None, None, {HOLDER}, ROOT, Work()) == []


def test_certificate_is_judged_by_the_moment_of_the_record() -> None:
    assert checked(signed(record(at_ns=NOW_NS + 71 * HOUR_NS), DOCTOR, SAM))
    for at_ns in (NOW_NS - HOUR_NS, NOW_NS + (READER_CERTIFICATE_H + 1) * HOUR_NS):
        with pytest.raises(Ended) as end:
            checked(signed(record(), DOCTOR, SAM), signed(record(at_ns=at_ns, number=2), DOCTOR, SAM))
        assert end.value.code == "1420" and end.value.trouble is not None


def test_certificate_is_checked_once_and_each_signature_once() -> None:
    work = Work()
    checked(*(signed(record(number=n), DOCTOR, SAM) for n in range(5)), work=work)
    assert (work.chains, work.verifications) == (2, 10)


FALSE: dict[str, tuple[object, str]] = {
    "a nurse's prescription": (signed(record(), NURSE, SAM), "1420"),
    "signers in the wrong order": (signed(record(), SAM, DOCTOR), "1420"),
    "a professional alone": (signed(record(), DOCTOR), "1420"),
    "a fee with two signers": (signed(record(Kind.FEE), DOCTOR, SAM), "1420"),
    "nobody": (record().unsigned().to_bytes(), "1420"),
    "somebody unknown": (signed(record(), renewed(Role.PHYSICIAN, "C123456780"), SAM), "1420"),
    "a stolen certificate": (signed(record(), Identity(SAM.key, DOCTOR.chain), SAM), "1420"),
    "another content": (signed(record(), DOCTOR, SAM).replace(b"content", b"CONTENT"), "1420"),
    "another card's": (signed(record(holder=bytes(32)), DOCTOR, SAM), "5020"),
    "no record": (b"\xa0", "1420"),
    "no bytes": (7, "1420"),
}


@pytest.mark.parametrize("what", FALSE)
def test_record_that_is_not_signed_as_it_must_be_ends_the_reading(what: str) -> None:
    raw, code = FALSE[what]
    with pytest.raises(Ended) as end:
        checked(signed(record(number=9), DOCTOR, SAM), raw)
    assert (end.value.code, end.value.role) == (code, "wallet")


@pytest.mark.parametrize("chains", [None, 7, {}, {b"": 7}, {b"": []}, {b"": ["text"]}, {b"": [b"no certificate"]}])
def test_whatever_stands_in_place_of_the_chains_is_refused(chains: object) -> None:
    with pytest.raises(Ended):
        checked(signed(record(), DOCTOR, SAM), chains=chains)


def test_records_that_are_no_list_and_a_revoked_signer_are_refused() -> None:
    with pytest.raises(Ended):
        check_records({}, CHAINS, {HOLDER}, ROOT, Work())
    serial = checked(signed(record(), DOCTOR, SAM))[0].signers[0].serial
    with pytest.raises(Ended) as end:
        checked(signed(record(), DOCTOR, SAM), revoked={serial})
    assert end.value.trouble is not None and end.value.trouble.value == "revoked"
