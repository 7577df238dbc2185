"""The card's code: what goes in comes out, every step of the check, hostile texts, and the reader's bounded memory."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import cbor2
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from conformance.vectors import pictures
from virtual_devices import base45, cwt, pki
from virtual_devices.authorization import Purpose, Scope
from virtual_devices.clock import NS
from virtual_devices.codes import lookup
from virtual_devices.cose import (
    ALG,
    ES256,
    KCWT,
    KID,
    SIGN1_TAG,
    TYP,
    X5CHAIN,
    Sign1,
    encode_protected,
    make_sign1,
    sig_structure,
)
from virtual_devices.cose import decode as decode_cose
from virtual_devices.cwt import Claims
from virtual_devices.errors import UsageError
from virtual_devices.link import Work
from virtual_devices.mdoc.mso import StatusReference
from virtual_devices.pki import Refused
from virtual_devices.qr.card import DATA as DATA_CLAIM
from virtual_devices.qr.card import MEDIA_TYPE, CardData, Guardian, read
from virtual_devices.qr.challenge import Challenge, new_challenge, read_challenge
from virtual_devices.qr.check import OUTCOMES, Issuers, Reason, Step
from virtual_devices.qr.text import CARD, MalformedCode, pack, strip, unpack
from virtual_devices.qr.used import Noted, Use, UsedCodes, used_twice
from virtual_devices.randomness import ByteStream
from virtual_devices.status_list import Status
from virtual_devices.write_back import holder_of

from .desk import AUTHORITY, NOW_NS, STRANGER
from .qr_desk import DATA, DAY_NS, KEY, OTHER_KEY, PLACE, READER, SIGNER, TERM, Phone, card, reader


def challenge(name: str = READER) -> Challenge:
    return new_challenge(name, ByteStream("tests", "challenge"))


def wrapped(header: dict[Any, Any], claims: dict[Any, Any], unprotected: dict[Any, Any] | None = None) -> str:
    """A code of any make, signed by the phone's key."""
    protected, payload = encode_protected({ALG: ES256, **header}), cbor2.dumps(claims, canonical=True)
    signature = pki.sign(KEY, sig_structure(protected, payload))
    return pack(CARD, Sign1(protected, unprotected or {}, payload, signature).to_bytes())


INNER = cbor2.CBORTag(SIGN1_TAG, decode_cose(card()).item())
HEADER = {KCWT: INNER, TYP: MEDIA_TYPE}
NOW_S = NOW_NS // NS
CLAIMS = {cwt.IAT: NOW_S, cwt.EXP: NOW_S + 60, cwt.CTI: bytes(12)}
CARD_CLAIMS = dict(cwt.read(decode_cose(card())).claims.values)


def of_issuer(claims: dict[Any, Any], header: dict[Any, Any] | None = None, unprotected: dict[Any, Any] | None = None) -> str:
    """A code whose card is of any make, signed by the true issuer."""
    protected = {KID: read(Phone().show()).kid} if header is None else header
    inner = make_sign1(SIGNER.key, cbor2.dumps(claims, canonical=True), unprotected, protected=protected)
    return wrapped({KCWT: cbor2.CBORTag(SIGN1_TAG, inner.item()), TYP: MEDIA_TYPE}, CLAIMS)


def test_code_is_believed_and_says_what_the_issuer_said() -> None:
    work = Work()
    at = reader(work=work)
    before = work.copy()
    verdict = at.check(Phone().show(), NOW_NS)
    assert verdict.believed and verdict.step is Step.DONE and str(verdict.code) == "0"
    assert verdict.shown is not None and verdict.shown.data == DATA and not verdict.bound and not verdict.to_reconcile
    assert verdict.status is not None and (verdict.status.status, verdict.status.age_ns) == (Status.VALID, 0)
    assert verdict.use == Use(verdict.shown.code_id, READER, NOW_NS)
    assert work.since(before) == Work(verifications=2)
    assert verdict.shown.device == holder_of(KEY.public_key())


def test_code_made_for_a_question_is_bound() -> None:
    asked = challenge()
    verdict = reader().check(Phone().show(challenge=read_challenge(asked.to_text())), NOW_NS, asked)
    assert verdict.believed and verdict.bound


def test_code_is_as_small_as_stated() -> None:
    """A change of size shows itself here. A QR code of version 17-M holds 734 characters, one of 18-M holds 816."""
    plain, bound = Phone().show(), Phone().show(challenge=challenge())
    assert (len(unpack(CARD, plain)), len(unpack(CARD, bound))) == (469, 505)
    assert len(plain) <= 734 and len(bound) <= 816  # to a few characters, which are zlib's own affair
    assert set(plain[5:]) <= set(base45.ALPHABET)


WARD = replace(DATA, device=holder_of(OTHER_KEY.public_key(), bytes(range(16))), guardian=Guardian(
    bytes(range(16)), "000000000001", "陳美玲", frozenset({Scope.BASIC, Scope.MEDICAL, Scope.WRITE}), Purpose.CARE,
))


@pytest.mark.parametrize(
    ("data", "asked", "size_bytes", "characters", "version"),
    [(replace(DATA, device=WARD.device), False, 488, 743, "18-M"), (replace(DATA, device=WARD.device), True, 524, 797, "18-M"),
     (WARD, False, 539, 812, "18-M"), (WARD, True, 575, 863, "19-M"), (DATA, False, 452, 686, "17-M")],
)
def test_codes_of_phones_are_as_long_as_the_profile_says(
    data: CardData, asked: bool, size_bytes: int, characters: int, version: str,
) -> None:
    """P-QRC-13; the last without datum 9. Characters vary with what zlib makes of signatures."""
    phone = Phone(card=card(data, place=StatusReference("urn:nhi:bench:status/0", 813_642)))
    text = phone.show(challenge=challenge() if asked else None)
    assert len(unpack(CARD, text)) == size_bytes and abs(len(text) - characters) <= 12
    assert pictures.code(text).designator == version


@pytest.mark.parametrize(
    "change", [
        {0: b"short"}, {0: "text"}, {1: ""}, {1: "0000000000012"}, {2: ""}, {2: "x" * 61}, {2: 5}, {3: []}, {3: [1, 1]}, {3: [6]},
        {3: [True]}, {3: 1}, {4: "everything"}, {4: 1}, {5: "more"}, None,
    ], ids=repr,
)
def test_guardian_that_is_none_is_malformed(change: dict[int, Any] | None) -> None:
    """An unknown scope or purpose would grant nobody knows what; None: a ward's card that does not say whom records are for."""
    assert WARD.guardian is not None
    said = dict(enumerate(WARD.guardian.value())) | (change or {})
    claims = {**CARD_CLAIMS, DATA_CLAIM: {**WARD.value(), 10: [said[n] for n in sorted(said)]}}
    if change is None:
        del claims[DATA_CLAIM][9]
    with pytest.raises(MalformedCode):
        read(of_issuer(claims))


def test_guardian_of_the_profile_is_read_in_the_same_frame() -> None:
    assert read(of_issuer({**CARD_CLAIMS, DATA_CLAIM: WARD.value()})).data == WARD


TEXT = st.text(max_size=20)
DATES = st.dates(date(1000, 1, 1), date(2999, 12, 31))


HASH = st.binary(min_size=32, max_size=32)
GUARDIANS = st.builds(
    Guardian, st.binary(min_size=16, max_size=16), st.text(min_size=1, max_size=12), st.text(min_size=1, max_size=60),
    st.frozensets(st.sampled_from(Scope), min_size=1), st.sampled_from(Purpose),
)


def card_data(device: st.SearchStrategy[bytes], guardian: st.SearchStrategy[Guardian | None]) -> st.SearchStrategy[CardData]:
    long = st.text(min_size=100, max_size=300)
    return st.builds(CardData, TEXT, long, TEXT, DATES, TEXT, DATES, DATES, TEXT, device, guardian)


@given(card_data(st.just(b"") | HASH, st.none()) | card_data(HASH, GUARDIANS), st.integers(0, 1 << 40), st.integers(1, 60))
@settings(max_examples=40)
def test_card_data_come_back(data: CardData, index: int, lifetime_s: int) -> None:
    phone = Phone(card=card(data, place=StatusReference("u", index)))
    shown = read(phone.show(NOW_NS, lifetime_s=lifetime_s))
    assert shown.data == data and shown.card.status == StatusReference("u", index)
    assert shown.device == (data.device or holder_of(KEY.public_key()))
    assert shown.wrapper.expires_ns == NOW_NS + lifetime_s * NS and shown.card.expires_ns == TERM.until_ns


@given(st.text(min_size=1, max_size=64), st.binary(min_size=8, max_size=32))
@example("\U00020000" * 64, b"\xff" * 32)
def test_challenge_comes_back(name: str, nonce: bytes) -> None:
    assert read_challenge(Challenge(name, nonce).to_text()) == Challenge(name, nonce)


@pytest.mark.parametrize(
    "value", [[], ["r"], ["", bytes(8)], ["r" * 65, bytes(8)], ["r", bytes(7)], ["r", bytes(33)], ["r", "n"], ["r", "n" * 8], 7,
              [b"r" * 8, bytes(8)],
              {"r": bytes(8)}],
)
def test_challenge_of_another_make_is_malformed(value: Any) -> None:
    good = base45.encode(cbor2.dumps(["r", bytes(8)]))
    assert read_challenge("VHR1:" + good) == Challenge("r", bytes(8))
    for text in ("VHR1:" + base45.encode(cbor2.dumps(value)), "VHC1:" + good, "VHR1:A", "VHR1:" + good + "00", ""):
        with pytest.raises(MalformedCode):
            read_challenge(text)


@pytest.mark.parametrize(("name", "nonce"), [("r", bytes(8)), ("r" * 64, bytes(32))])
def test_challenge_at_the_ends_of_its_ranges_comes_back(name: str, nonce: bytes) -> None:
    assert read_challenge(Challenge(name, nonce).to_text()) == Challenge(name, nonce)


def test_challenge_or_lifetime_that_cannot_be_is_the_callers_slip() -> None:
    with pytest.raises(UsageError):
        Challenge("", bytes(12))
    for lifetime_s in (0, 61, -1):
        with pytest.raises(UsageError):
            Phone().show(lifetime_s=lifetime_s)


@pytest.mark.parametrize(
    ("after_s", "reason"),
    [(-30.001, Reason.FROM_THE_FUTURE), (-30, Reason.BELIEVED), (0, Reason.BELIEVED), (89.999, Reason.BELIEVED),
     (90, Reason.EXPIRED), (1e6, Reason.EXPIRED)],
)
def test_times_of_a_code_are_held_with_the_phones_skew(after_s: float, reason: Reason) -> None:
    assert reader().check(Phone().show(), NOW_NS + round(after_s * NS)).reason is reason


@pytest.mark.parametrize(
    ("term", "reason"),
    [(replace(TERM, from_ns=NOW_NS + NS), Reason.CARD_TOO_EARLY), (replace(TERM, issued_ns=NOW_NS + NS), Reason.CARD_TOO_EARLY),
     (replace(TERM, until_ns=NOW_NS), Reason.CARD_EXPIRED), (replace(TERM, until_ns=NOW_NS + NS), Reason.BELIEVED),
     (replace(TERM, from_ns=NOW_NS), Reason.BELIEVED)],
)
def test_times_of_the_card_are_held(term: Any, reason: Reason) -> None:
    assert reader().check(Phone(card=card(term=term)).show(), NOW_NS).reason is reason


@pytest.mark.parametrize(
    ("status", "reason"),
    [(Status.INVALID, Reason.REVOKED), (Status.SUSPENDED, Reason.SUSPENDED), (Status.APPLICATION, Reason.REVOKED)],
)
def test_status_refuses(status: Status, reason: Reason) -> None:
    at = reader(status=status)
    verdict = at.check(Phone().show(), NOW_NS)
    assert (verdict.reason, verdict.step) == (reason, Step.STATUS) and verdict.shown is not None
    assert not verdict.to_reconcile and not at.check("", NOW_NS).to_reconcile  # a refused card is nothing to look at again


@pytest.mark.parametrize(("known", "after_ns"), [(None, 0), (Status.VALID, 3 * DAY_NS)])
def test_card_of_which_no_list_tells_is_served_and_marked(known: Status | None, after_ns: int) -> None:
    verdict = reader(status=known).check(Phone().show(NOW_NS + after_ns), NOW_NS + after_ns)
    assert verdict.believed and verdict.to_reconcile and verdict.text


def test_issuer_must_be_known_and_in_time() -> None:
    at = reader()
    stranger = STRANGER.issue(pki.Role.DOCUMENT_SIGNER, "document signer")
    assert at.check(Phone(card=card(issuer=stranger)).show(), NOW_NS).reason is Reason.UNKNOWN_ISSUER
    later = NOW_NS + 4000 * DAY_NS
    assert at.check(Phone().show(later), later).reason is Reason.ISSUER_EXPIRED
    issuers = Issuers(AUTHORITY.verifier(), Work())
    for chain in (stranger.chain, AUTHORITY.issue(pki.Role.DATA_CENTRE, "IDC").chain, (), (b"x",)):
        assert isinstance(issuers.take(chain, NOW_NS), Refused)
    assert issuers.find(read(Phone().show()).kid) is None


def test_card_older_than_its_issuers_certificate_is_forged() -> None:
    for days, reason in ((91, Reason.BELIEVED), (92, Reason.FORGED_CARD)):
        term = replace(TERM, issued_ns=NOW_NS - days * DAY_NS)
        assert reader().check(Phone(card=card(term=term)).show(), NOW_NS).reason is reason


def test_issuer_that_was_revoked_is_forgotten() -> None:
    issuers, kid = Issuers(AUTHORITY.verifier(), Work()), read(Phone().show()).kid
    found = issuers.take(SIGNER.chain, NOW_NS)
    assert isinstance(found, pki.Verified) and issuers.find(kid) == found
    cut_short = issuers.take((SIGNER.chain[0][:-1],), NOW_NS)
    assert isinstance(cut_short, Refused) and issuers.find(kid) == found  # which is no news of the issuer
    assert isinstance(issuers.take(SIGNER.chain, NOW_NS, {found.serial}), Refused) and issuers.find(kid) is None


def lacking(claims: dict[Any, Any], *keys: int) -> dict[Any, Any]:
    return {k: v for k, v in claims.items() if k not in keys}


FIELDS = dict(DATA.value())
MALFORMED = [
    *(wrapped(HEADER, lacking(CLAIMS, key)) for key in CLAIMS), wrapped(HEADER, CLAIMS | {cwt.AUD: "r"}),
    wrapped(HEADER, CLAIMS | {cwt.NONCE: bytes(12)}), wrapped(HEADER, CLAIMS | {cwt.CTI: bytes(11)}),
    wrapped(HEADER, CLAIMS | {cwt.EXP: "x"}), wrapped(HEADER, CLAIMS, {KID: b"x"}), wrapped({TYP: MEDIA_TYPE}, CLAIMS),
    wrapped({KCWT: INNER}, CLAIMS), wrapped(HEADER | {TYP: "application/cwt"}, CLAIMS), wrapped(HEADER | {KID: b"1"}, CLAIMS),
    wrapped(HEADER | {KCWT: INNER.value}, CLAIMS), wrapped(HEADER | {KCWT: cbor2.CBORTag(17, INNER.value)}, CLAIMS),
    wrapped(HEADER | {KCWT: cbor2.CBORTag(SIGN1_TAG, INNER.value[:3])}, CLAIMS), wrapped(HEADER | {KCWT: b"x"}, CLAIMS),
    *(of_issuer(lacking(CARD_CLAIMS, key)) for key in CARD_CLAIMS), of_issuer(CARD_CLAIMS | {cwt.ISS: "somebody"}),
    of_issuer(CARD_CLAIMS, {}), of_issuer(CARD_CLAIMS, {KID: b"short"}), of_issuer(CARD_CLAIMS, None, {X5CHAIN: b"x"}),
    of_issuer(CARD_CLAIMS, {KID: bytes(8), TYP: "x"}), of_issuer(CARD_CLAIMS | {DATA_CLAIM: 7}),
    *(of_issuer(CARD_CLAIMS | {DATA_CLAIM: lacking(FIELDS, field)}) for field in FIELDS),
    *(of_issuer(CARD_CLAIMS | {DATA_CLAIM: FIELDS | change}) for change in (
        {1: 7}, {2: b"x"}, {4: "1958-07-04"}, {4: 19581340}, {4: 0}, {4: True}, {7: 1 << 70}, {9: b"short"}, {9: "x"}, {10: 1})),
    pack(CARD, b""), pack(CARD, bytes(8193)), pack(CARD, b"\xd8\x3d" + unpack(CARD, Phone().show())), CARD, CARD + "A",
    CARD + "GGW", Phone().show() + "0", Phone().show() + "00", Phone().show()[:-1], Phone().show().lower().replace("vhc1:", CARD),
    CARD + "0" * 12_291, CARD + base45.encode(strip(CARD, Phone().show()) + b"\0"),
]


@pytest.mark.parametrize("text", MALFORMED, ids=range(len(MALFORMED)))
def test_code_of_another_make_is_malformed(text: str) -> None:
    verdict = reader().check(text, NOW_NS)
    assert (verdict.reason, str(verdict.code), verdict.shown) == (Reason.MALFORMED, "1520", None) and verdict.text


def test_the_makers_of_malformed_codes_make_good_ones_too() -> None:
    assert reader().check(wrapped(HEADER, CLAIMS), NOW_NS).believed and reader().check(of_issuer(CARD_CLAIMS), NOW_NS).believed


def test_other_encoding_of_the_same_code_is_malformed() -> None:
    outer = read(Phone().show()).outer
    longer = cbor2.dumps(cbor2.CBORTag(SIGN1_TAG, outer.item())).replace(b"\xd2\x84", b"\xd2\x98\x04", 1)
    assert reader().check(pack(CARD, longer), NOW_NS).reason is Reason.MALFORMED


PACKED, UNPACKED = st.binary(max_size=300).map(lambda b: pack(CARD, b)), st.binary(max_size=99).map(base45.encode)


@given(st.text(max_size=60) | PACKED | UNPACKED.map(CARD.__add__))
def test_any_text_is_refused(text: str) -> None:
    verdict = reader(status=None).check(text, NOW_NS)
    assert verdict.reason in (Reason.FOREIGN, Reason.MALFORMED) and verdict.step is Step.FORM


def test_flipped_bit_is_refused_at_every_position() -> None:
    text, at = Phone().show(), reader()
    raw = unpack(CARD, text)
    reasons = set()
    for position in range(len(raw) * 8):
        other = bytearray(raw)
        other[position // 8] ^= 1 << position % 8
        verdict = at.check(pack(CARD, bytes(other)), NOW_NS)
        assert not verdict.believed, position
        reasons.add(verdict.reason)
    assert {Reason.MALFORMED, Reason.FORGED_CARD, Reason.FORGED_WRAPPER, Reason.UNKNOWN_ISSUER} <= reasons
    assert at.check(text, NOW_NS).believed


def test_other_character_is_refused_at_every_position() -> None:
    """Or it is one of the spare bits before the checksum, which say nothing: then the code is the very same."""
    text, at = Phone().show(), reader(used=UsedCodes(most=0))
    raw, same = unpack(CARD, text), 0
    for place in range(len(text)):
        other = text[:place] + base45.ALPHABET[(base45.ALPHABET.find(text[place]) + 1) % 45] + text[place + 1 :]
        try:
            same += unpack(CARD, other) == raw
        except MalformedCode:
            assert at.check(other, NOW_NS).step is Step.FORM
    assert same <= 1


def test_every_code_is_the_fields() -> None:
    assert set(OUTCOMES) == set(Reason) and {step for step, _ in OUTCOMES.values()} == set(Step)
    assert all(lookup(code.number, code.space).known or code.number == "0" for _, code in OUTCOMES.values())


# -- what the reader remembers

def test_memory_is_bounded_in_time_and_number() -> None:
    used = UsedCodes(most=2)
    assert used.note(b"a", 100, 0) is used.note(b"b", 200, 0) is Noted.NEW
    assert used.note(b"a", 100, 99) is Noted.USED_BEFORE and used.note(b"c", 300, 99) is Noted.FULL
    assert used.note(b"c", 300, 100) is Noted.NEW and len(used) == 2  # a is dead, and made room
    assert used.note(b"b", 200, 199) is Noted.USED_BEFORE


def test_full_memory_refuses_rather_than_forgets() -> None:
    at, phone = reader(used=UsedCodes(most=1)), Phone()
    first = phone.show()
    assert at.check(first, NOW_NS).believed and at.check(phone.show(), NOW_NS).reason is Reason.MEMORY_FULL
    assert at.check(first, NOW_NS + 89 * NS).reason is Reason.USED_BEFORE
    assert at.check(phone.show(NOW_NS + 90 * NS), NOW_NS + 90 * NS).believed


@given(st.lists(st.builds(Use, st.sampled_from([b"a", b"b", b"c"]), st.sampled_from(["x", "y"]), st.integers(0, 3)), max_size=12))
def test_reconciliation_finds_every_code_used_twice_and_no_other(uses: list[Use]) -> None:
    found = used_twice([*uses, *uses])
    assert found == used_twice(reversed(uses))
    for code in {u.code_id for u in uses}:
        of_it = {u for u in uses if u.code_id == code}
        assert set(found.get(code, ())) == (of_it if len(of_it) > 1 else set())


def test_claims_of_a_card_are_deterministic() -> None:
    assert card() == card() and Claims(CARD_CLAIMS).to_bytes() == decode_cose(card()).payload
    assert Phone().show() == Phone().show() and OTHER_KEY.public_key() != KEY.public_key() and PLACE.index < 1 << 20
