"""Attacks on the QR codes, as one table: the class of each and the field's code, and what the class means is asserted.

* REFUSED: the reader says no, with that code.
* WHEN_BOUND: a reader that asked no question believes it; one that asked (aud and nonce) refuses it, with that code.
* RECONCILED: believed now; the rows of those who were there, side by side, tell it later.
* NOT_DETECTABLE: believed, and nothing in anybody's rows tells it. That is stated, not promised away.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

import cbor2
import pytest

from virtual_devices import cwt, pki
from virtual_devices.authorization import Purpose, Scope
from virtual_devices.clock import NS
from virtual_devices.cose import (
    ALG,
    ES256,
    KCWT,
    KID,
    SIGN1_TAG,
    TYP,
    Sign1,
    decode_sign,
    encode_protected,
    make_sign1,
    sig_structure,
)
from virtual_devices.cose import decode as decode_cose
from virtual_devices.link import Work
from virtual_devices.pki import Identity, Role
from virtual_devices.qr.card import DATA as DATA_CLAIM
from virtual_devices.qr.card import MEDIA_TYPE, Guardian, read
from virtual_devices.qr.challenge import Challenge, new_challenge
from virtual_devices.qr.check import Issuers, QrReader, Verdict
from virtual_devices.qr.parts import Added, Collector, split
from virtual_devices.qr.prescription import Checker
from virtual_devices.qr.text import CARD, PRESCRIPTION, pack, unpack
from virtual_devices.qr.token import Resolved, TokenOffice
from virtual_devices.qr.used import Use, used_twice
from virtual_devices.randomness import ByteStream
from virtual_devices.status_list import Status, StatusList, StatusLists, Taking
from virtual_devices.write_back import holder_of

from .desk import AUTHORITY, CARD_NO, NOW_NS, STRANGER
from .qr_desk import (
    AUTHORITIES,
    CENTRE,
    DATA,
    DAY_NS,
    DOCTOR,
    KEY,
    OTHER_KEY,
    PLACE,
    READER,
    RX,
    SIGNER,
    TERM,
    URI,
    Phone,
    card,
    prescribed,
    published,
    reader,
)

ELSEWHERE = "1101020018/counter 3"


class Kind(Enum):
    REFUSED = "refused"
    WHEN_BOUND = "refused only when bound to a reader"
    RECONCILED = "found at reconciliation"
    NOT_DETECTABLE = "not detectable"


@dataclass(frozen=True)
class Result:
    """``evidence``: what the rows of all readers tell afterwards. ``bound``: the same attack on a reader that asked."""

    believed: bool
    code: str
    evidence: int = 0
    bound: Verdict | None = None


def of(*verdicts: Verdict, bound: Verdict | None = None) -> Result:
    """The last verdict is the attack's; the uses of all are laid side by side."""
    uses: list[Use] = [v.use for v in verdicts if v.use is not None]
    return Result(verdicts[-1].believed, str(verdicts[-1].code), len(used_twice(uses)), bound)


def ask(name: str = READER, number: int = 0) -> Challenge:
    return new_challenge(name, ByteStream("tests", "question", name, number))


# -- copies and relays

def photograph_at_the_same_reader() -> Result:
    at, text = reader(), Phone().show()
    return of(at.check(text, NOW_NS), at.check(text, NOW_NS + 5 * NS))


def photograph_after_its_time() -> Result:
    return of(reader(ELSEWHERE).check(Phone().show(), NOW_NS + 90 * NS))


def photograph_at_another_reader_after_the_holder() -> Result:
    text = Phone().show()
    return of(reader().check(text, NOW_NS), reader(ELSEWHERE).check(text, NOW_NS + 20 * NS))


def photograph_against_a_reader_that_asks() -> Result:
    text = Phone().show()
    return of(reader(ELSEWHERE).check(text, NOW_NS), bound=reader(ELSEWHERE).check(text, NOW_NS, ask(ELSEWHERE)))


def photograph_of_a_code_that_its_holder_never_used() -> Result:
    return of(reader(ELSEWHERE).check(Phone().show(), NOW_NS + 20 * NS))


def bound_code_taken_to_another_reader() -> Result:
    text = Phone().show(challenge=ask())
    elsewhere = reader(ELSEWHERE)
    assert str(elsewhere.check(text, NOW_NS).code) == "1022"  # nor where no question was asked
    return of(elsewhere.check(text, NOW_NS, ask(ELSEWHERE)))


def bound_code_shown_to_the_readers_next_question() -> Result:
    at, text = reader(), Phone().show(challenge=ask())
    return of(at.check(text, NOW_NS, ask(number=1)))


def bound_code_shown_twice_to_one_question() -> Result:
    at, text = reader(), Phone().show(challenge=ask())
    return of(at.check(text, NOW_NS, ask()), at.check(text, NOW_NS + NS, ask()))


def question_of_one_reader_shown_by_another() -> Result:
    """A reader lays another's question before the phone, and keeps the answer for itself."""
    return of(reader(ELSEWHERE).check(Phone().show(challenge=ask()), NOW_NS, ask()))


def live_relay_of_question_and_answer() -> Result:
    at, question = reader(), ask()
    return of(at.check(Phone().show(challenge=question), NOW_NS + 2 * NS, question))  # the phone is in another town


def holder_who_lends_the_phone() -> Result:
    question = ask()
    return of(reader().check(Phone().show(challenge=question), NOW_NS, question))  # no photograph fits into a code


def codes_made_ahead_shown_too_early() -> Result:
    return of(reader().check(Phone().show(NOW_NS + 3600 * NS), NOW_NS))


def codes_made_ahead_by_a_colluding_holder() -> Result:
    return of(reader().check(Phone().show(NOW_NS), NOW_NS))  # made yesterday with the clock put forward: the same bytes


def code_made_to_live_for_a_day() -> Result:
    claims = {cwt.IAT: NOW_NS // NS, cwt.EXP: NOW_NS // NS + 86_400, cwt.CTI: bytes(12)}
    return of(reader().check(wrap(decode_cose(card()), KEY, claims), NOW_NS))


# -- forgeries

def wrap(inner: Sign1, key: Any, claims: dict[int, Any] | None = None) -> str:
    if claims is None:
        claims = {cwt.IAT: NOW_NS // NS, cwt.EXP: NOW_NS // NS + 60, cwt.CTI: bytes(12)}
    header = encode_protected({ALG: ES256, KCWT: cbor2.CBORTag(SIGN1_TAG, inner.item()), TYP: MEDIA_TYPE})
    payload = cbor2.dumps(claims, canonical=True)
    return pack(CARD, Sign1(header, {}, payload, pki.sign(key, sig_structure(header, payload))).to_bytes())


def card_copied_to_another_phone() -> Result:
    return of(reader().check(Phone(key=OTHER_KEY).show(), NOW_NS))


def card_altered() -> Result:
    inner = decode_cose(card())
    assert inner.payload is not None
    other = replace(inner, payload=inner.payload.replace(CARD_NO.encode(), b"000099999999"))
    return of(reader().check(wrap(other, KEY), NOW_NS))


def card_bound_anew_to_the_thiefs_key() -> Result:
    inner = decode_cose(card())
    claims = dict(cwt.read(inner).claims.values) | {cwt.CNF: cwt.confirmation(OTHER_KEY.public_key())}
    return of(reader().check(wrap(replace(inner, payload=cwt.Claims(claims).to_bytes()), OTHER_KEY), NOW_NS))


def card_made_by_the_holder_in_the_issuers_name() -> Result:
    values = dict(cwt.read(decode_cose(card())).claims.values) | {DATA_CLAIM: replace(DATA, card_no="000099999999").value()}
    inner = make_sign1(KEY, cwt.Claims(values).to_bytes(), protected={KID: read(Phone().show()).kid})
    return of(reader().check(wrap(inner, KEY), NOW_NS))


def card_of_a_strange_issuer() -> Result:
    return of(reader().check(Phone(card=card(issuer=STRANGER.issue(Role.DOCUMENT_SIGNER, "document signer"))).show(), NOW_NS))


def card_signed_by_a_clinic() -> Result:
    root, work = AUTHORITY.verifier(), Work()
    issuers = Issuers(root, work)
    issuers.take(AUTHORITY.issue(Role.SAM, "S", organisation="9901180014").chain, NOW_NS)  # not taken: it may not sign cards
    forged = card(issuer=AUTHORITY.issue(Role.SAM, "S", organisation="9901180014"))
    return of(QrReader(READER, issuers, StatusLists(root, work), work).check(Phone(card=forged).show(), NOW_NS))


def wrapper_of_one_card_round_another() -> Result:
    mine, other = read(Phone().show()), decode_cose(card(replace(DATA, card_no="000099999999"), key=OTHER_KEY))
    header = encode_protected({ALG: ES256, KCWT: cbor2.CBORTag(SIGN1_TAG, other.item()), TYP: MEDIA_TYPE})
    return of(reader().check(pack(CARD, replace(mine.outer, protected=header).to_bytes()), NOW_NS))


def question_stripped_from_the_code() -> Result:
    shown = read(Phone().show(challenge=ask()))
    claims = {k: v for k, v in shown.wrapper.values.items() if k not in (cwt.AUD, cwt.NONCE)}
    return of(reader(ELSEWHERE).check(pack(CARD, replace(shown.outer, payload=cwt.Claims(claims).to_bytes()).to_bytes()), NOW_NS))


# -- dates and status

def card_past_its_end() -> Result:
    return of(reader().check(Phone(card=card(term=replace(TERM, until_ns=NOW_NS))).show(), NOW_NS))


def card_revoked() -> Result:
    return of(reader(status=Status.INVALID).check(Phone().show(), NOW_NS))


def card_suspended() -> Result:
    return of(reader(status=Status.SUSPENDED).check(Phone().show(), NOW_NS))


def reader_with(*lists: bytes) -> tuple[QrReader, list[Taking]]:
    root, work = AUTHORITY.verifier(), Work()
    issuers, statuses = Issuers(root, work), StatusLists(root, work)
    issuers.take(SIGNER.chain, NOW_NS)
    return QrReader(READER, issuers, statuses, work), [statuses.take(raw, NOW_NS).outcome for raw in lists]


def revoked_card_and_an_older_list() -> Result:
    at, taken = reader_with(published(Status.INVALID, NOW_NS - NS), published(Status.VALID, NOW_NS - 2 * NS))
    assert taken == [Taking.ACCEPTED, Taking.ROLLED_BACK]
    return of(at.check(Phone().show(), NOW_NS))


def revoked_card_and_a_forged_list() -> Result:
    mine = StatusList(URI)
    forged = mine.sign(Identity(OTHER_KEY, CENTRE.chain), NOW_NS, NOW_NS + DAY_NS, 60)
    at, taken = reader_with(published(Status.INVALID, NOW_NS - NS), forged)
    assert taken == [Taking.ACCEPTED, Taking.FORGED]
    return of(at.check(Phone().show(), NOW_NS))


def revoked_card_at_a_reader_long_offline() -> Result:
    """Served and marked; the mark is what reconciliation looks at when a list is there again."""
    at, later_ns = reader(status=Status.VALID), NOW_NS + 4 * DAY_NS
    verdict = at.check(Phone().show(later_ns), later_ns)
    fresh = StatusLists(AUTHORITY.verifier(), Work())
    fresh.take(published(Status.INVALID, later_ns), later_ns)
    told = verdict.to_reconcile and fresh.look(PLACE.uri, PLACE.index, later_ns).status is Status.INVALID
    return replace(of(verdict), evidence=int(told))


def card_revoked_after_the_readers_list_was_made() -> Result:
    """The list is in its time and does not know yet: the next one does, and the use is in the reader's rows."""
    verdict = reader(status=Status.VALID).check(Phone().show(), NOW_NS)
    fresh = StatusLists(AUTHORITY.verifier(), Work())
    fresh.take(published(Status.INVALID, NOW_NS + NS), NOW_NS + NS)
    told = verdict.use is not None and fresh.look(PLACE.uri, PLACE.index, NOW_NS + NS).status is Status.INVALID
    return replace(of(verdict), evidence=int(told))


# -- wards

WARD = replace(DATA, device=bytes(32), guardian=Guardian(
    bytes(16), "000000000001", "陳美玲", frozenset({Scope.BASIC}), Purpose.CARE,
))


def wards_code_for_more_than_the_guardian_may() -> Result:
    return of(reader().check(Phone(card=card(WARD)).show(), NOW_NS, scope=frozenset({Scope.COLLECT})))


def wards_code_widened() -> Result:
    assert WARD.guardian is not None
    inner = decode_cose(card(WARD))
    wide = replace(WARD, guardian=replace(WARD.guardian, scope=frozenset(Scope)))
    claims = dict(cwt.read(inner).claims.values) | {DATA_CLAIM: wide.value()}
    return of(reader().check(wrap(replace(inner, payload=cwt.Claims(claims).to_bytes()), KEY), NOW_NS))


def wards_code_on_another_phone() -> Result:
    return of(reader().check(Phone(card=card(WARD), key=OTHER_KEY).show(), NOW_NS))


def wards_code_after_the_authorization_was_withdrawn() -> Result:
    return of(reader(status=Status.INVALID).check(Phone(card=card(WARD)).show(), NOW_NS))


# -- texts

def text_of(change: Callable[[str], str]) -> Callable[[], Result]:
    return lambda: of(reader().check(change(Phone().show()), NOW_NS))


# -- prescriptions, parts, tokens

def pharmacy(**more: Any) -> Checker:
    return Checker(AUTHORITY.verifier(), AUTHORITIES, Work(), **more)


def rx(text: str, device: bytes = RX.device, **more: Any) -> Result:
    verdict = pharmacy(**more).check(text, device, NOW_NS)
    return Result(verdict.believed, str(verdict.code))


def prescription_of_somebody_else() -> Result:
    return rx(prescribed(), holder_of(OTHER_KEY.public_key()))


def prescription_without_the_institution() -> Result:
    whole = decode_sign(unpack(PRESCRIPTION, prescribed()))
    return rx(pack(PRESCRIPTION, replace(whole, signatures=whole.signatures[:1]).to_bytes()))


def prescription_with_more_tablets() -> Result:
    raw = unpack(PRESCRIPTION, prescribed())
    return rx(pack(PRESCRIPTION, raw.replace(cbor2.dumps([28, 280])[1:], cbor2.dumps([28, 980])[1:])))


def prescription_of_a_revoked_physician() -> Result:
    verified = AUTHORITY.verifier().check(DOCTOR.chain, {Role.PHYSICIAN}, NOW_NS)
    assert isinstance(verified, pki.Verified)
    return rx(prescribed(), revoked={verified.serial})


def prescription_dispensed_at_two_pharmacies_offline() -> Result:
    first, second = (pharmacy().check(prescribed(), RX.device, NOW_NS + n * NS) for n in range(2))
    assert first.prescription is not None and second.prescription is not None
    rows = [Use(first.prescription.id, "P1", NOW_NS), Use(second.prescription.id, "P2", NOW_NS + NS)]
    return Result(second.believed, str(second.code), len(used_twice(rows)))


def parts_of_two_prescriptions_mixed() -> Result:
    mine = split(prescribed(), ByteStream("a"), 400)
    other = split(prescribed(replace(RX, id=bytes(16))), ByteStream("b"), 400)
    collector = Collector()
    outcomes = [collector.add(part) for part in (*mine[:-1], other[len(mine) - 1])]
    assert outcomes[-1] is Added.OTHER_SET
    return Result(collector.whole is not None, "")


def token(*scans: tuple[str, float]) -> Result:
    at = TokenOffice(ByteStream("tests", "office"))
    text = at.issue(CARD_NO, NOW_NS)
    answers: list[Resolved] = [at.resolve(text, who, NOW_NS + round(s * NS)) for who, s in scans]
    return Result(bool(answers[-1].card_no), str(answers[-1].answer.code))


def token_guessed() -> Result:
    at = TokenOffice(ByteStream("tests", "office"))
    at.issue(CARD_NO, NOW_NS)
    found = at.resolve(TokenOffice(ByteStream("a guess")).issue(CARD_NO, NOW_NS), READER, NOW_NS)
    return Result(bool(found.card_no), str(found.answer.code))


def token_photographed_and_scanned_first() -> Result:
    """The thief's scan is good; the holder's own, refused as used before (1020), is what tells."""
    thief, holder = token((ELSEWHERE, 1)), token((ELSEWHERE, 1), (READER, 2))
    return replace(thief, evidence=int(holder.code == "1020"))


def token_session_of_another() -> Result:
    at = TokenOffice(ByteStream("tests", "office"))
    text = at.issue(CARD_NO, NOW_NS)
    at.resolve(text, READER, NOW_NS)
    found = at.fetch(text, ELSEWHERE, NOW_NS)
    return Result(bool(found.card_no), str(found.answer.code))


def token_fetched_twice() -> Result:
    at = TokenOffice(ByteStream("tests", "office"))
    text = at.issue(CARD_NO, NOW_NS)
    at.resolve(text, READER, NOW_NS)
    found = [at.fetch(text, READER, NOW_NS) for _ in range(2)][-1]
    return Result(bool(found.card_no), str(found.answer.code))


REFUSED, WHEN_BOUND, RECONCILED, NOT_DETECTABLE = Kind
TABLE: list[tuple[str, Callable[[], Result], Kind, str]] = [
    ("photograph, same reader", photograph_at_the_same_reader, REFUSED, "1020"),
    ("photograph, after its time", photograph_after_its_time, REFUSED, "1018"),
    ("photograph, another reader, offline, after the holder", photograph_at_another_reader_after_the_holder, RECONCILED, "0"),
    ("photograph, against a reader that asks", photograph_against_a_reader_that_asks, WHEN_BOUND, "1022"),
    ("photograph of a code never used", photograph_of_a_code_that_its_holder_never_used, NOT_DETECTABLE, "0"),
    ("forwarded to another reader", bound_code_taken_to_another_reader, REFUSED, "1022"),
    ("replayed to the next question", bound_code_shown_to_the_readers_next_question, REFUSED, "1022"),
    ("replayed to the same question", bound_code_shown_twice_to_one_question, REFUSED, "1020"),
    ("question of another reader", question_of_one_reader_shown_by_another, REFUSED, "1022"),
    ("live relay", live_relay_of_question_and_answer, NOT_DETECTABLE, "0"),
    ("colluding holder", holder_who_lends_the_phone, NOT_DETECTABLE, "0"),
    ("made ahead, shown too early", codes_made_ahead_shown_too_early, REFUSED, "1521"),
    ("made ahead, shown in time", codes_made_ahead_by_a_colluding_holder, NOT_DETECTABLE, "0"),
    ("made to live for a day", code_made_to_live_for_a_day, REFUSED, "1522"),
    ("card copied to another phone", card_copied_to_another_phone, REFUSED, "1523"),
    ("card altered", card_altered, REFUSED, "1523"),
    ("card bound anew", card_bound_anew_to_the_thiefs_key, REFUSED, "1523"),
    ("card in the issuer's name", card_made_by_the_holder_in_the_issuers_name, REFUSED, "1523"),
    ("card of a strange issuer", card_of_a_strange_issuer, REFUSED, "1423"),
    ("card signed by a clinic", card_signed_by_a_clinic, REFUSED, "1423"),
    ("wrapper moved to another card", wrapper_of_one_card_round_another, REFUSED, "1523"),
    ("downgrade: question stripped", question_stripped_from_the_code, REFUSED, "1523"),
    ("card expired", card_past_its_end, REFUSED, "3201"),
    ("card revoked", card_revoked, REFUSED, "1531"),
    ("card suspended", card_suspended, REFUSED, "9011"),
    ("revoked, list rolled back", revoked_card_and_an_older_list, REFUSED, "1531"),
    ("revoked, list forged", revoked_card_and_a_forged_list, REFUSED, "1531"),
    ("revoked, reader long offline", revoked_card_at_a_reader_long_offline, RECONCILED, "0"),
    ("revoked since the list was made", card_revoked_after_the_readers_list_was_made, RECONCILED, "0"),
    ("ward: more than the guardian may", wards_code_for_more_than_the_guardian_may, REFUSED, "4029"),
    ("ward: scope widened", wards_code_widened, REFUSED, "1523"),
    ("ward: copied to another phone", wards_code_on_another_phone, REFUSED, "1523"),
    ("ward: authorization withdrawn", wards_code_after_the_authorization_was_withdrawn, REFUSED, "1531"),
    ("text truncated", text_of(lambda t: t[:-3]), REFUSED, "1520"),
    ("text over-long", text_of(lambda t: t + "0" * 20_000), REFUSED, "1520"),
    ("text doubled", text_of(lambda t: t + t), REFUSED, "1520"),
    ("text reordered", text_of(lambda t: t[:5] + t[8:11] + t[5:8] + t[11:]), REFUSED, "1520"),
    ("text bit-flipped", text_of(lambda t: t[:40] + ("0" if t[40] != "0" else "1") + t[41:]), REFUSED, "1520"),
    ("another kind of code", text_of(lambda t: "HC1:" + t[5:]), REFUSED, "1522"),
    ("prescription of somebody else", prescription_of_somebody_else, REFUSED, "5020"),
    ("prescription without the institution", prescription_without_the_institution, REFUSED, "1520"),
    ("prescription with more tablets", prescription_with_more_tablets, REFUSED, "1420"),
    ("prescription of a revoked physician", prescription_of_a_revoked_physician, REFUSED, "1424"),
    ("prescription at two pharmacies", prescription_dispensed_at_two_pharmacies_offline, RECONCILED, "0"),
    ("parts mixed", parts_of_two_prescriptions_mixed, REFUSED, ""),
    ("token replayed", lambda: token((READER, 1), (READER, 2)), REFUSED, "1020"),
    ("token replayed elsewhere", lambda: token((READER, 1), (ELSEWHERE, 2)), REFUSED, "1020"),
    ("token too old", lambda: token((READER, 300)), REFUSED, "1018"),
    ("token guessed", token_guessed, REFUSED, "1019"),
    ("token scanned first by a thief", token_photographed_and_scanned_first, RECONCILED, "0"),
    ("token, another's session", token_session_of_another, REFUSED, "1022"),
    ("token, visit data twice", token_fetched_twice, REFUSED, "3244"),
]


@pytest.mark.parametrize(("run", "kind", "code"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
def test_attack_is_of_its_class(run: Callable[[], Result], kind: Kind, code: str) -> None:
    result = run()
    if kind is Kind.WHEN_BOUND:
        assert result.believed and result.bound is not None
        assert (result.bound.believed, str(result.bound.code)) == (False, code)
        return
    assert (result.believed, result.code) == (kind is not Kind.REFUSED, code)
    if kind is not Kind.REFUSED:
        assert bool(result.evidence) == (kind is Kind.RECONCILED)


def test_every_class_has_its_attacks() -> None:
    assert {row[2] for row in TABLE} == set(Kind) and len({row[0] for row in TABLE}) == len(TABLE)


def test_copy_elsewhere_is_bounded_by_life_and_clock_skew() -> None:
    """What another offline reader could still accept: a code for 90 s after it was made, and once there."""
    text = Phone().show()
    accepted = [s for s in range(-60, 200) if reader(ELSEWHERE).check(text, NOW_NS + s * NS).believed]
    assert (accepted[0], accepted[-1], len(accepted)) == (-30, 89, 120)
