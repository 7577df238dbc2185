"""Guardians' authorizations: what they say, the guardian's own proof, and every way to misuse them with its verdict."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from virtual_devices import pki
from virtual_devices.authorization import (
    BOUNDS,
    EVERYTHING,
    GRANT,
    MEDIA_TYPE,
    Authorization,
    MalformedAuthorization,
    Purpose,
    Relation,
    Scope,
    claims,
    issue,
    make_proof,
    read,
)
from virtual_devices.authorization_check import CLOCK_SKEW_S, CODES, Checker, Reason, Use
from virtual_devices.clock import NS
from virtual_devices.cose import TYP, X5CHAIN, Sign1, make_sign1
from virtual_devices.cwt import EXP, ISS
from virtual_devices.errors import UsageError
from virtual_devices.mdoc.mso import StatusReference
from virtual_devices.pki import DAY_NS, ChainVerifier, Identity, Role
from virtual_devices.randomness import private_key
from virtual_devices.status_list import Status, StatusVerdict

from .desk import AUTHORITY, NOW_NS, STRANGER

CENTRE = AUTHORITY.issue(Role.DATA_CENTRE, "IDC")
GUARDIAN_KEY, OTHER_KEY = private_key("tests", "guardian's phone"), private_key("tests", "another phone")
WARD, OTHER_WARD, GUARDIAN = "000000000011", "000000000012", "000000000001"
TRANSCRIPT = b"the transcript of this session"
LIST = "https://status.example/authorizations/1"
GRANTED = Authorization(
    b"authorization 01", WARD, GUARDIAN, "陳美玲", GUARDIAN_KEY.public_key(), Relation.PARENT,
    frozenset({Scope.BASIC, Scope.WRITE}), Purpose.CARE, NOW_NS, NOW_NS, NOW_NS + 300 * DAY_NS, StatusReference(LIST, 7),
)
READ = Use(WARD, frozenset({Scope.BASIC}), Purpose.OUTPATIENT, GUARDIAN_KEY.public_key())


def checker(status: Status = Status.VALID, revoked: frozenset[int] = frozenset()) -> Checker:
    """Of a reader whose list says this at place 7 and knows nothing else."""
    def look(uri: str, index: int, now_ns: int) -> StatusVerdict:
        return StatusVerdict(status if (uri, index) == (LIST, 7) else Status.UNKNOWN, 0)

    return Checker(ChainVerifier(AUTHORITY.root_der), look, revoked)


def signer(key: Any = GUARDIAN_KEY) -> Callable[[bytes], bytes]:
    return lambda message: pki.sign(key, message)


def signed_by(
    identity: Identity, a: Authorization = GRANTED, changed: Mapping[int, Any] | None = None, without: object = None,
) -> bytes:
    """What somebody who does not care for the rules would sign. ``changed``: claims of another value; ``without``: a claim."""
    said = {claim: value for claim, value in claims(a).items() if claim != without}
    payload = cbor2.dumps({**said, **(changed or {})}, canonical=True)
    return make_sign1(identity.key, payload, {X5CHAIN: list(identity.chain)}, protected={TYP: MEDIA_TYPE}).to_bytes()


def with_payload(raw: bytes, **changed: Any) -> bytes:
    """The same signature round another payload."""
    message, a = read(raw)
    return replace(message, payload=cbor2.dumps(claims(replace(a, **changed)), canonical=True)).to_bytes()


# -- what it says

def test_authorization_comes_back_as_it_was_granted() -> None:
    message, a = read(issue(GRANTED, CENTRE))
    assert a == GRANTED
    assert message.header[TYP] == MEDIA_TYPE and message.chain == list(CENTRE.chain)
    assert a.says() == "by 陳美玲 (000000000001) for 000000000011"


def test_authorization_is_small_enough_for_one_message() -> None:
    raw = issue(GRANTED, CENTRE)
    message, _ = read(raw)
    assert message.payload is not None
    assert len(message.payload) < 300 and len(raw) < 1800


@pytest.mark.parametrize(
    "change",
    [{"expires_ns": NOW_NS + 1}, {"cti": b"short"}, {"ward": ""}, {"guardian_name": "x" * 61}, {"scope": frozenset()}],
    ids=lambda c: next(iter(c)),
)
def test_what_could_not_be_read_back_is_not_issued(change: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        issue(replace(GRANTED, **change), CENTRE)


def test_holding_authorization_is_paid_for_in_counted_cryptography() -> None:
    check = checker()
    proof = make_proof(signer(), TRANSCRIPT, GRANTED.cti)
    verdict = check.check_presented(issue(GRANTED, CENTRE), proof, TRANSCRIPT, READ, NOW_NS)
    assert verdict.holds and verdict.code.number == "0" and verdict.status_known
    assert (check.work.chains, check.work.verifications) == (1, 2)


def test_unknown_status_serves_and_is_marked() -> None:
    verdict = checker(Status.UNKNOWN).check(issue(GRANTED, CENTRE), READ, NOW_NS)
    assert verdict.holds and not verdict.status_known


# -- when and for what

@pytest.mark.parametrize(
    ("at_ns", "reason"),
    [(NOW_NS - CLOCK_SKEW_S * NS - 1, Reason.NOT_YET_VALID), (NOW_NS - CLOCK_SKEW_S * NS, Reason.HOLDS), (NOW_NS, Reason.HOLDS),
     (GRANTED.expires_ns - 1, Reason.HOLDS), (GRANTED.expires_ns, Reason.EXPIRED)],
)
def test_it_holds_from_its_beginning_to_its_end(at_ns: int, reason: Reason) -> None:
    assert checker().check(issue(GRANTED, CENTRE), READ, at_ns).reason is reason


@pytest.mark.parametrize("granted", Purpose)
@pytest.mark.parametrize("wanted", Purpose)
def test_purpose_is_the_one_granted_and_care_is_every_medical_one(granted: Purpose, wanted: Purpose) -> None:
    raw = issue(replace(GRANTED, purpose=granted, scope=frozenset({Scope.BASIC})), CENTRE)
    covered = granted is wanted or (granted is Purpose.CARE and wanted is not Purpose.NON_MEDICAL)
    verdict = checker().check(raw, replace(READ, purpose=wanted), NOW_NS)
    assert verdict.reason is (Reason.HOLDS if covered else Reason.OUT_OF_SCOPE)


@pytest.mark.parametrize("relation", Relation)
@pytest.mark.parametrize("scope", Scope)
def test_relation_bounds_what_may_be_granted(relation: Relation, scope: Scope) -> None:
    a = replace(GRANTED, relation=relation, scope=frozenset({Scope.BASIC, scope}), expires_ns=NOW_NS + 80 * DAY_NS)
    verdict = checker().check(issue(a, CENTRE), replace(READ, scope=a.scope), NOW_NS)
    assert verdict.reason is (Reason.HOLDS if scope in BOUNDS[relation].scope else Reason.WIDENED)
    long = replace(a, scope=frozenset({Scope.BASIC}), expires_ns=NOW_NS + BOUNDS[relation].days * DAY_NS)
    assert checker().check(issue(long, CENTRE), READ, NOW_NS).holds
    longer = replace(long, expires_ns=long.expires_ns + NS)
    assert checker().check(issue(longer, CENTRE), READ, NOW_NS).reason is Reason.WIDENED


# -- attacks

GOOD = issue(GRANTED, CENTRE)
CHILD_OF_ANOTHER = issue(replace(GRANTED, ward=OTHER_WARD, cti=b"authorization 02"), CENTRE)
OWN_CARD = AUTHORITY.issue(Role.PATIENT_CARD, GUARDIAN)
SAM = AUTHORITY.issue(Role.SAM, "SAM000000001", organisation="9901180014")
BOGUS = STRANGER.issue(Role.DATA_CENTRE, "IDC")
PAST = AUTHORITY.issue(Role.DATA_CENTRE, "IDC", days=(-10, -1))
SELF_MADE = Identity(GUARDIAN_KEY, CENTRE.chain)
WIDE = replace(GRANTED, scope=EVERYTHING)
MESSENGER = replace(GRANTED, relation=Relation.MESSENGER, scope=EVERYTHING, expires_ns=NOW_NS + 30 * DAY_NS)
NON_MEDICAL = replace(GRANTED, purpose=Purpose.NON_MEDICAL, scope=frozenset({Scope.BASIC, Scope.MEDICAL}))
MEDICAL = frozenset({Scope.BASIC, Scope.MEDICAL})

ATTACKS: list[tuple[str, Any, Use, Reason, str]] = [
    ("none at all", None, READ, Reason.MISSING, "3237"),
    ("no CBOR", b"\xff", READ, Reason.MALFORMED, "1520"),
    ("cut short", GOOD[:-1], READ, Reason.MALFORMED, "1520"),
    ("a credential of another type",
     make_sign1(CENTRE.key, cbor2.dumps(claims(GRANTED)), {X5CHAIN: list(CENTRE.chain)}).to_bytes(), READ,
     Reason.MALFORMED, "1520"),
    ("of another issuer's name", signed_by(CENTRE, changed={ISS: "tw.example"}), READ, Reason.MALFORMED, "1520"),
    *((f"without claim {claim}", signed_by(CENTRE, without=claim), READ, Reason.MALFORMED, "1520") for claim in claims(GRANTED)),
    ("with an end that is no time", signed_by(CENTRE, changed={EXP: "never"}), READ, Reason.MALFORMED, "1520"),
    ("with a scope that is no number", signed_by(CENTRE, changed={GRANT: {**claims(GRANTED)[GRANT], 4: [True]}}), READ,
     Reason.MALFORMED, "1520"),
    ("with a scope nobody knows", signed_by(CENTRE, changed={GRANT: {**claims(GRANTED)[GRANT], 4: [1, 99]}}), READ,
     Reason.MALFORMED, "1520"),
    ("with a scope twice", signed_by(CENTRE, changed={GRANT: {**claims(GRANTED)[GRANT], 4: [1, 1]}}), READ,
     Reason.MALFORMED, "1520"),
    ("payload widened", with_payload(GOOD, scope=EVERYTHING), replace(READ, scope=MEDICAL), Reason.FORGED, "1523"),
    ("payload prolonged", with_payload(GOOD, expires_ns=GRANTED.expires_ns + DAY_NS), READ, Reason.FORGED, "1523"),
    ("payload for another ward", with_payload(GOOD, ward=OTHER_WARD), replace(READ, ward=OTHER_WARD), Reason.FORGED, "1523"),
    ("payload with another guardian's key", with_payload(GOOD, guardian_key=OTHER_KEY.public_key()),
     replace(READ, key=OTHER_KEY.public_key()), Reason.FORGED, "1523"),
    ("signed by the guardian with the centre's chain", signed_by(SELF_MADE, WIDE), READ, Reason.FORGED, "1523"),
    ("signed under another root", signed_by(BOGUS), READ, Reason.FORGED, "1523"),
    ("without a chain", make_sign1(CENTRE.key, cbor2.dumps(claims(GRANTED)), protected={TYP: MEDIA_TYPE}).to_bytes(), READ,
     Reason.FORGED, "1523"),
    ("passed on by the guardian's own card", signed_by(OWN_CARD, WIDE), READ, Reason.WIDENED, "4029"),
    ("granted by a clinic's SAM", signed_by(SAM), READ, Reason.WIDENED, "4029"),
    ("a messenger who may do everything", issue(MESSENGER, CENTRE), READ, Reason.WIDENED, "4029"),
    ("medical data outside medical care", issue(NON_MEDICAL, CENTRE), replace(READ, purpose=Purpose.NON_MEDICAL), Reason.WIDENED,
     "4029"),
    ("by an issuer that has expired", signed_by(PAST), READ, Reason.UNTRUSTED, "66501"),
    ("of another ward", CHILD_OF_ANOTHER, READ, Reason.WRONG_WARD, "5020"),
    ("for another ward's card", GOOD, replace(READ, ward=OTHER_WARD), Reason.WRONG_WARD, "5020"),
    ("on another guardian's phone", GOOD, replace(READ, key=OTHER_KEY.public_key()), Reason.WRONG_GUARDIAN, "5020"),
    ("for more than was granted", GOOD, replace(READ, scope=MEDICAL), Reason.OUT_OF_SCOPE, "4029"),
    ("to collect medicine", GOOD, replace(READ, scope=frozenset({Scope.COLLECT})), Reason.OUT_OF_SCOPE, "4029"),
    ("outside medical care", GOOD, replace(READ, purpose=Purpose.NON_MEDICAL), Reason.OUT_OF_SCOPE, "4029"),
]


@pytest.mark.parametrize(("raw", "use", "reason", "code"), [a[1:] for a in ATTACKS], ids=[a[0] for a in ATTACKS])
def test_misuse_is_refused_with_its_reason(raw: bytes | None, use: Use, reason: Reason, code: str) -> None:
    verdict = checker().check(raw, use, NOW_NS)
    assert (verdict.reason, verdict.code.number) == (reason, code)
    assert not verdict.holds and verdict.code.code.known


@pytest.mark.parametrize("status", [Status.INVALID, Status.SUSPENDED, Status.APPLICATION])
def test_withdrawn_is_refused_offline(status: Status) -> None:
    verdict = checker(status).check(GOOD, READ, NOW_NS)
    assert (verdict.reason, verdict.code.number) == (Reason.WITHDRAWN, "3240")


def test_revoked_issuer_is_not_trusted() -> None:
    verified = ChainVerifier(AUTHORITY.root_der).check(CENTRE.chain, {Role.DATA_CENTRE}, NOW_NS)
    assert isinstance(verified, pki.Verified)
    assert checker(revoked=frozenset({verified.serial})).check(GOOD, READ, NOW_NS).reason is Reason.UNTRUSTED


@pytest.mark.parametrize(
    "proof",
    [None, make_proof(signer(OTHER_KEY), TRANSCRIPT, GRANTED.cti), make_proof(signer(), b"another session", GRANTED.cti),
     make_proof(signer(), TRANSCRIPT, b"authorization 02"),
     make_sign1(GUARDIAN_KEY, b"anything", detached=True), replace(make_proof(signer(), TRANSCRIPT, GRANTED.cti), payload=b"")],
    ids=["none", "another phone's key", "recorded in another session", "for another authorization", "of another message",
         "with a payload of its own"],
)
def test_authorization_without_the_guardians_own_proof_is_refused(proof: Sign1 | None) -> None:
    verdict = checker().check_presented(GOOD, proof, TRANSCRIPT, READ, NOW_NS)
    assert (verdict.reason, verdict.code.number) == (Reason.NO_PROOF, "3100")


def test_proof_does_not_mend_a_refused_authorization() -> None:
    proof = make_proof(signer(), TRANSCRIPT, GRANTED.cti)
    assert checker(Status.INVALID).check_presented(GOOD, proof, TRANSCRIPT, READ, NOW_NS).reason is Reason.WITHDRAWN


def test_several_wards_of_one_guardian_are_kept_apart() -> None:
    """One phone, one key, two children: each card needs its own authorization, and the proof names which."""
    for raw, ward, cti in ((GOOD, WARD, GRANTED.cti), (CHILD_OF_ANOTHER, OTHER_WARD, b"authorization 02")):
        use = replace(READ, ward=ward)
        proof = make_proof(signer(), TRANSCRIPT, cti)
        assert checker().check_presented(raw, proof, TRANSCRIPT, use, NOW_NS).holds
        assert not checker().check_presented(CHILD_OF_ANOTHER if raw is GOOD else GOOD, proof, TRANSCRIPT, use, NOW_NS).holds


@pytest.mark.parametrize("position", range(0, len(GOOD), 7))
def test_flipped_bit_is_never_accepted(position: int) -> None:
    spoilt = bytearray(GOOD)
    spoilt[position] ^= 1 << position % 8
    proof = make_proof(signer(), TRANSCRIPT, GRANTED.cti)
    verdict = checker().check_presented(bytes(spoilt), proof, TRANSCRIPT, READ, NOW_NS)
    assert not verdict.holds


LEAVES = st.integers() | st.text(max_size=20) | st.binary(max_size=20) | st.none() | st.booleans()
NAMES = st.sampled_from([1, 2, 3, 4, 5, -1, -2, -3, "status_list", "idx", "uri"])
VALUES = st.recursive(LEAVES, lambda inner: st.dictionaries(NAMES, inner, max_size=6) | st.lists(inner), max_leaves=10)
CLAIMS = st.dictionaries(st.sampled_from(sorted(claims(GRANTED))), VALUES, min_size=1)


@given(st.binary(max_size=400) | CLAIMS.map(lambda changed: signed_by(SAM, changed=changed)))
def test_whatever_comes_is_answered(raw: bytes) -> None:
    assert not checker().check(raw, READ, NOW_NS).holds
    try:
        read(raw)
    except MalformedAuthorization as e:
        assert e.code == "1520"


def test_every_reason_has_a_code_of_the_field_and_is_met_here() -> None:
    assert set(CODES) == set(Reason)
    assert all(code.code.known for code in CODES.values())
    elsewhere = {Reason.HOLDS, Reason.NOT_YET_VALID, Reason.EXPIRED, Reason.WITHDRAWN, Reason.NO_PROOF}
    assert {attack[3] for attack in ATTACKS} | elsewhere == set(Reason)
