"""The prescription's code: two signatures, whom it is for, certificates in it or not, and everything that is refused."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import cbor2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from virtual_devices import pki
from virtual_devices.clock import NS
from virtual_devices.codes import lookup
from virtual_devices.cose import PROTECTED_ES256, X5CHAIN, Sign, Signature, decode_sign, signer_structure
from virtual_devices.errors import UsageError
from virtual_devices.link import Work
from virtual_devices.pki import ChainVerifier, Identity, Role
from virtual_devices.qr.prescription import CODES, Checker, Entry, Prescription, Reason, Verdict, read, sign, to_text
from virtual_devices.qr.text import MAX_BYTES, PRESCRIPTION, MalformedCode, pack, unpack
from virtual_devices.write_back import Kind, Record, holder_of, read_record, signer_header

from .desk import AUTHORITY, DOCTOR_ID, INSTITUTION, NOW_NS, SAM_ID, STRANGER
from .qr_desk import AUTHORITIES, CLINIC, DAY_NS, DOCTOR, ENTRIES, OTHER_KEY, RX, party, prescribed


def checker(work: Work | None = None, **more: Any) -> Checker:
    return Checker(ChainVerifier(AUTHORITY.root_der), AUTHORITIES, work or Work(), **more)


def check(text: str, now_ns: int = NOW_NS, device: bytes = RX.device, **more: Any) -> Verdict:
    return checker(**more).check(text, device, now_ns)


def test_prescription_is_believed_for_its_holder() -> None:
    work = Work()
    verdict = checker(work).check(prescribed(), RX.device, NOW_NS)
    assert verdict.believed and verdict.prescription == RX and str(verdict.code) == "0"
    assert verdict.physician is not None and verdict.physician.subject_id == DOCTOR_ID
    assert work == Work(chains=2, verifications=2)


def test_code_is_the_record_that_is_written_back() -> None:
    raw = unpack(PRESCRIPTION, prescribed())
    record, signed = read_record(raw)
    assert record == RX.record() and record.kind is Kind.PRESCRIPTION and len(signed.signatures) == 2


def test_certificates_may_stay_with_the_reader() -> None:
    small, large = prescribed(certificates=False), prescribed()
    assert check(small).reason is Reason.NO_CERTIFICATE
    assert check(small, known=[DOCTOR.chain[0], CLINIC.chain[0], b"another"]).believed
    assert check(small, known=[DOCTOR.chain[0]]).reason is Reason.NO_CERTIFICATE
    assert len(small) < 816 < len(large)


def test_code_is_as_small_as_stated() -> None:
    assert len(unpack(PRESCRIPTION, prescribed(certificates=False))) == 503
    assert 1400 <= len(unpack(PRESCRIPTION, prescribed())) <= 1640  # the certificates' names and signatures vary in length


TEXT = st.text(max_size=12)
ENTRY = st.builds(Entry, TEXT, TEXT, TEXT, TEXT, st.integers(0, 999), st.integers(0, 999_999), TEXT)


@given(st.binary(min_size=16, max_size=16), st.lists(ENTRY, min_size=1, max_size=60), TEXT, st.dates(date(1000, 1, 1)))
@settings(max_examples=40)
def test_prescription_comes_back(number: bytes, entries: list[Entry], institution: str, last_day: date) -> None:
    rx = Prescription(number, RX.device, NOW_NS, institution, tuple(entries), last_day)
    raw = sign(rx, party(DOCTOR), party(CLINIC), certificates=False)
    try:
        assert read(to_text(raw))[0] == rx
    except MalformedCode:
        assert len(raw) > MAX_BYTES


@pytest.mark.parametrize("change", [{"entries": ()}, {"entries": ENTRIES[:1] * 61}, {"id": b"short"}])
def test_prescription_that_cannot_be_is_the_callers_slip(change: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        prescribed(replace(RX, **change))


LAST_NS = 1_779_638_400 * NS  # the end of 2026-05-24 in Taiwan


@pytest.mark.parametrize(
    ("now_ns", "reason"),
    [(NOW_NS - 31 * NS, Reason.FROM_THE_FUTURE), (NOW_NS - 30 * NS, Reason.BELIEVED), (LAST_NS - 1, Reason.BELIEVED),
     (LAST_NS, Reason.EXPIRED)],
)
def test_times_are_held(now_ns: int, reason: Reason) -> None:
    assert check(prescribed(), now_ns).reason is reason


def test_prescription_for_another_card_is_refused() -> None:
    verdict = check(prescribed(), device=holder_of(OTHER_KEY.public_key()))
    assert verdict.reason is Reason.WRONG_HOLDER and str(verdict.code) == "5020" and not verdict.believed


def short_lived(identity: Identity, role: Role, who: str, organisation: str = "", days: int = 0) -> Identity:
    chain = AUTHORITY.renew(role, who, identity.key.public_key(), NOW_NS + days * DAY_NS, organisation=organisation)
    return Identity(identity.key, chain)


def test_certificates_must_have_been_good_when_it_was_signed_not_when_it_is_dispensed() -> None:
    doctor, clinic = short_lived(DOCTOR, Role.PHYSICIAN, DOCTOR_ID), short_lived(CLINIC, Role.SAM, SAM_ID, INSTITUTION)
    assert check(prescribed(doctor=doctor, clinic=clinic), NOW_NS + 60 * DAY_NS).believed
    late = short_lived(DOCTOR, Role.PHYSICIAN, DOCTOR_ID, days=1)
    assert check(prescribed(doctor=late)).reason is Reason.PHYSICIAN_INVALID
    assert check(prescribed(clinic=short_lived(CLINIC, Role.SAM, SAM_ID, INSTITUTION, 1))).reason is Reason.INSTITUTION_UNTRUSTED


def forged(identity: Identity) -> Identity:
    """Somebody with the certificate and without the key."""
    return Identity(OTHER_KEY, identity.chain)


@pytest.mark.parametrize(
    ("signers", "reason", "code"),
    [({"doctor": forged(DOCTOR)}, Reason.PHYSICIAN_FORGED, "1420"),
     ({"clinic": forged(CLINIC)}, Reason.INSTITUTION_FORGED, "3100"),
     ({"doctor": STRANGER.issue(Role.PHYSICIAN, DOCTOR_ID)}, Reason.PHYSICIAN_UNTRUSTED, "1423"),
     ({"clinic": STRANGER.issue(Role.SAM, SAM_ID, organisation=INSTITUTION)}, Reason.INSTITUTION_UNTRUSTED, "1301"),
     ({"doctor": AUTHORITY.issue(Role.PHARMACIST, "P1")}, Reason.NO_PHYSICIAN, "3212"),
     ({"doctor": CLINIC}, Reason.NO_PHYSICIAN, "3212"), ({"clinic": DOCTOR}, Reason.INSTITUTION_UNTRUSTED, "1301"),
     ({"clinic": AUTHORITY.issue(Role.SAM, "S2", organisation="0000000000")}, Reason.OTHER_INSTITUTION, "3211")],
)
def test_signer_who_is_not_who_it_must_be_is_refused(signers: dict[str, Identity], reason: Reason, code: str) -> None:
    verdict = check(prescribed(**signers))
    assert (verdict.reason, str(verdict.code)) == (reason, code)


@pytest.mark.parametrize(("who", "reason"), [(DOCTOR, Reason.PHYSICIAN_REVOKED), (CLINIC, Reason.INSTITUTION_REVOKED)])
def test_revoked_signer_is_refused(who: Identity, reason: Reason) -> None:
    verified = ChainVerifier(AUTHORITY.root_der).check(who.chain, set(Role), NOW_NS)
    assert isinstance(verified, pki.Verified) and check(prescribed(), revoked={verified.serial}).reason is reason


# -- texts of any make

def signed(record: Record, *parties: Identity, headers: Any = None, unprotected: Any = None) -> str:
    """Any record, signed by these, packed as a prescription."""
    whole = record.unsigned() if unprotected is None else replace(record.unsigned(), unprotected=unprotected)
    for one in parties:
        header = signer_header(one.chain[0]) if headers is None else headers
        value = pki.sign(one.key, signer_structure(whole.protected, header, whole.payload))
        whole = whole.with_signature(Signature(header, {X5CHAIN: one.chain[0]}, value))
    return pack(PRESCRIPTION, whole.to_bytes())


FIELDS = dict(RX.record().fields)
ROW = ENTRIES[0].value()


def fields(change: dict[int, Any]) -> str:
    found = {k: v for k, v in (FIELDS | change).items() if v is not None}
    return signed(replace(RX.record(), fields=found), DOCTOR, CLINIC)


SIGNED = decode_sign(unpack(PRESCRIPTION, prescribed()))


def carrying(unprotected: dict[int, Any]) -> str:
    signatures = tuple(replace(s, unprotected=unprotected) for s in SIGNED.signatures)
    return pack(PRESCRIPTION, replace(SIGNED, signatures=signatures).to_bytes())


ODD = ((0, 7), (3, b"x"), (4, "28"), (4, 1000), (4, -1), (4, True), (5, 1_000_000), (5, -1), (5, 1.5), (6, None))
MALFORMED = [
    signed(RX.record(), DOCTOR), signed(RX.record(), DOCTOR, CLINIC, CLINIC),
    signed(RX.record(), DOCTOR, CLINIC, unprotected={1: 1}), signed(RX.record(), DOCTOR, CLINIC, headers=PROTECTED_ES256),
    signed(replace(RX.record(), kind=Kind.VISIT), DOCTOR, CLINIC), carrying({X5CHAIN: [b"a", b"b"]}), carrying({4: b"kid"}),
    carrying({X5CHAIN: 7}), *(fields({key: None}) for key in FIELDS), fields({4: 1}), fields({1: 7}), fields({2: []}),
    fields({2: [ROW] * 61}), fields({2: 7}), fields({3: 20260230}), fields({3: 0}), fields({3: True}), fields({3: "20260524"}),
    fields({2: [ROW[:6]]}), fields({2: [7]}), *(fields({2: [[*ROW[:n], odd, *ROW[n + 1 :]]]}) for n, odd in ODD),
    pack(PRESCRIPTION, unpack(PRESCRIPTION, prescribed()).replace(b"\xd8\x62\x84", b"\xd8\x62\x98\x04", 1)),
    pack(PRESCRIPTION, b""), PRESCRIPTION, PRESCRIPTION + "A", prescribed()[:-1],
]


@pytest.mark.parametrize("text", MALFORMED, ids=range(len(MALFORMED)))
def test_code_of_another_make_is_malformed(text: str) -> None:
    verdict = check(text)
    assert (verdict.reason, str(verdict.code)) == (Reason.MALFORMED, "1520") and verdict.text


def test_makers_of_malformed_codes_make_good_ones_too() -> None:
    assert check(signed(RX.record(), DOCTOR, CLINIC)).believed and check(fields({})).believed


def test_swapped_or_borrowed_signatures_are_refused() -> None:
    first, second = SIGNED.signatures
    swapped = replace(SIGNED, signatures=(second, first))
    assert check(pack(PRESCRIPTION, swapped.to_bytes())).reason is Reason.NO_PHYSICIAN
    other = decode_sign(unpack(PRESCRIPTION, prescribed(replace(RX, id=bytes(16)))))
    for number, reason in ((0, Reason.PHYSICIAN_FORGED), (1, Reason.INSTITUTION_FORGED)):
        borrowed = [*SIGNED.signatures]
        borrowed[number] = other.signatures[number]
        assert check(pack(PRESCRIPTION, replace(SIGNED, signatures=tuple(borrowed)).to_bytes())).reason is reason
    liar = replace(first, unprotected={X5CHAIN: second.chain[0]})
    assert check(pack(PRESCRIPTION, replace(SIGNED, signatures=(liar, second)).to_bytes())).reason is Reason.NO_CERTIFICATE
    detached = Sign(b"", {}, SIGNED.payload, ())
    assert detached.with_signature(first).with_signature(second) == SIGNED


def test_flipped_bit_is_refused_at_every_position() -> None:
    raw, pharmacy = unpack(PRESCRIPTION, prescribed(certificates=False)), checker(known=[DOCTOR.chain[0], CLINIC.chain[0]])
    reasons = set()
    for position in range(len(raw) * 8):
        other = bytearray(raw)
        other[position // 8] ^= 1 << position % 8
        verdict = pharmacy.check(pack(PRESCRIPTION, bytes(other)), RX.device, NOW_NS)
        assert not verdict.believed, position
        reasons.add(verdict.reason)
    assert {Reason.MALFORMED, Reason.NO_CERTIFICATE, Reason.PHYSICIAN_FORGED, Reason.INSTITUTION_FORGED} <= reasons


@given(st.text(max_size=60) | st.binary(max_size=300).map(lambda b: pack(PRESCRIPTION, b)))
def test_any_text_is_refused(text: str) -> None:
    assert check(text).reason in (Reason.FOREIGN, Reason.MALFORMED)


def test_every_code_is_the_fields() -> None:
    assert set(CODES) == set(Reason)
    assert all(lookup(code.number, code.space).known or code.number == "0" for code in CODES.values())
    assert cbor2.loads(RX.record().to_bytes())[3] == RX.device
