"""The deployed card's token: opaque, five minutes, one use, and nothing without the cloud."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from virtual_devices.clock import NS
from virtual_devices.codes import Space, lookup
from virtual_devices.errors import UsageError
from virtual_devices.qr.token import MAX_VERIFICATIONS, SESSION_S, Answer, Resolved, TokenOffice
from virtual_devices.randomness import ByteStream
from virtual_devices.tables import Certainty

from .desk import CARD_NO, INSTITUTION, NOW_NS

ELSEWHERE = "1101020018"


def office(**more: int) -> TokenOffice:
    return TokenOffice(ByteStream("tests", "office"), **more)


def test_code_is_opaque_and_says_nothing_of_the_card() -> None:
    at = office()
    texts = {at.issue(CARD_NO, NOW_NS) for _ in range(50)}
    assert len(texts) == 50 and all(re.fullmatch("VHT[0-9A-F]{48}", t) and CARD_NO not in t for t in texts)
    assert office().issue(CARD_NO, NOW_NS) == office().issue("another", NOW_NS)  # it follows from the stream alone


@pytest.mark.parametrize(
    ("after_ns", "answer", "code"),
    [(0, Answer.OK, "0"), (300 * NS - 1, Answer.OK, "0"), (300 * NS, Answer.EXPIRED, "1018"), (10**15, Answer.EXPIRED, "1018"),
     (-1, Answer.UNKNOWN, "1019")],
)
def test_code_lives_five_minutes(after_ns: int, answer: Answer, code: str) -> None:
    at = office()
    found = at.resolve(at.issue(CARD_NO, NOW_NS), INSTITUTION, NOW_NS + after_ns)
    assert found == Resolved(answer, CARD_NO if answer is Answer.OK else "") and str(found.answer.code) == code


@pytest.mark.parametrize("institution", [INSTITUTION, ELSEWHERE])
def test_code_is_used_once_anywhere(institution: str) -> None:
    at = office()
    text = at.issue(CARD_NO, NOW_NS)
    assert at.resolve(text, INSTITUTION, NOW_NS).answer is Answer.OK
    for later_s in (1, 299, 300, 5000):
        assert at.resolve(text, institution, NOW_NS + later_s * NS) == Resolved(Answer.USED)
    assert str(Answer.USED.code) == "1020"


@given(st.text(max_size=80))
def test_text_that_was_never_issued_is_unknown(text: str) -> None:
    at = office()
    at.issue(CARD_NO, NOW_NS)
    assert at.resolve(text, INSTITUTION, NOW_NS) == Resolved(Answer.UNKNOWN)
    assert at.verify(text, INSTITUTION, NOW_NS) == at.fetch(text, INSTITUTION, NOW_NS) == Resolved(Answer.SESSION_ABSENT)


def test_expired_scan_uses_nothing_up_and_opens_nothing() -> None:
    at = office()
    text = at.issue(CARD_NO, NOW_NS)
    late_ns = NOW_NS + 300 * NS
    assert [at.resolve(text, INSTITUTION, late_ns).answer for _ in range(2)] == [Answer.EXPIRED] * 2
    assert at.verify(text, INSTITUTION, late_ns).answer is Answer.SESSION_ABSENT


def test_session_belongs_to_who_scanned_and_ends() -> None:
    at = office()
    text = at.issue(CARD_NO, NOW_NS)
    assert at.verify(text, INSTITUTION, NOW_NS).answer is Answer.SESSION_ABSENT
    at.resolve(text, INSTITUTION, NOW_NS)
    end_ns = NOW_NS + SESSION_S * NS
    for call in (at.verify, at.fetch):
        assert call(text, ELSEWHERE, NOW_NS).answer is Answer.SESSION_INVALID
        assert call(text, INSTITUTION, end_ns).answer is Answer.SESSION_EXPIRED
        assert call(text, INSTITUTION, end_ns - 1) == Resolved(Answer.OK, CARD_NO)


def test_visit_data_are_fetched_once() -> None:
    at = office()
    text = at.issue(CARD_NO, NOW_NS)
    at.resolve(text, INSTITUTION, NOW_NS)
    assert [at.fetch(text, INSTITUTION, NOW_NS).answer for _ in range(3)] == [Answer.OK, Answer.FETCHED, Answer.FETCHED]
    assert at.verify(text, INSTITUTION, NOW_NS).answer is Answer.OK


def test_verifications_are_counted() -> None:
    at = office()
    text = at.issue(CARD_NO, NOW_NS)
    at.resolve(text, INSTITUTION, NOW_NS)
    answers = [at.verify(text, INSTITUTION, NOW_NS).answer for _ in range(MAX_VERIFICATIONS + 2)]
    assert answers == [Answer.OK] * MAX_VERIFICATIONS + [Answer.TOO_OFTEN] * 2


def test_several_codes_of_one_card_live_side_by_side() -> None:
    at = office()
    first, second = at.issue(CARD_NO, NOW_NS), at.issue(CARD_NO, NOW_NS + 60 * NS)
    assert at.resolve(second, INSTITUTION, NOW_NS + 61 * NS).answer is Answer.OK
    assert at.resolve(first, INSTITUTION, NOW_NS + 62 * NS).answer is Answer.OK


def test_memory_is_bounded_and_forgets_only_what_is_over() -> None:
    at = office(max_tokens=2, session_s=400)
    first, second = at.issue(CARD_NO, NOW_NS), at.issue(CARD_NO, NOW_NS)
    at.resolve(second, INSTITUTION, NOW_NS + 299 * NS)
    with pytest.raises(UsageError):
        at.issue(CARD_NO, NOW_NS + 799 * NS)
    third = at.issue(CARD_NO, NOW_NS + 800 * NS)
    assert at.resolve(first, INSTITUTION, NOW_NS + 801 * NS).answer is Answer.UNKNOWN
    assert at.resolve(second, INSTITUTION, NOW_NS + 801 * NS).answer is Answer.USED
    assert at.resolve(third, INSTITUTION, NOW_NS + 801 * NS).answer is Answer.OK


def test_every_answer_has_a_code_of_the_virtual_cards_software() -> None:
    codes = {answer: answer.code for answer in Answer}
    assert len({c.number for c in codes.values()}) == len(Answer) and {c.space for c in codes.values()} == {Space.VHC}
    assert all(c.certainty is Certainty.PUBLIC for c in codes.values())
    assert all(lookup(c.number, c.space).known for answer, c in codes.items() if answer is not Answer.OK)
