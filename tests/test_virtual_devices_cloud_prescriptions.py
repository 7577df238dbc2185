"""Prescriptions at the data centre: stored once, dispensed once, doubted, changed, told of from offline, found, and deleted."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field, replace

import cbor2
import pytest

from virtual_devices.clock import NS
from virtual_devices.cloud.prescription_retention import delete_due, proof_of
from virtual_devices.cloud.prescriptions import Prescriptions
from virtual_devices.cose import decode, sign1
from virtual_devices.pki import DAY_NS, Role
from virtual_devices.prescription.acts import Decision
from virtual_devices.prescription.codes import Why
from virtual_devices.prescription.document import Prescription, PrescriptionClass
from virtual_devices.prescription.rules import ANSWER_WITHIN_S, RECIPIENT_WITHIN_S, Rules
from virtual_devices.prescription.states import (
    State,
)
from virtual_devices.randomness import private_key

from . import prescribed, shelves
from .desk import CARD_NO, INSTITUTION, NOW_NS
from .prescribed import OTHER_PHARMACY, PHARMACY, day, drawn, number, refill, rx

CONTROLLED = PrescriptionClass.CONTROLLED
LATER_H = 24 * 20


over_each = shelves.over_each


@dataclass
class Register(prescribed.Register):
    """Over books of each make."""

    domain: Prescriptions = field(default_factory=lambda: Prescriptions(shelves.fresh_books()))


def state(register: Register, document: Prescription) -> State:
    standing = register.domain.standing(document.id)
    assert standing is not None
    return standing.state(register.at())


# -- storing and dispensing

def test_prescription_is_stored_once_by_id_and_hash() -> None:
    r, document = Register(), rx()
    r.store(document)
    again = r.take(drawn(document.record()))
    assert again.ok and again.again and len(r.domain.signed(document.id)) == 1
    other = r.take(drawn(replace(document, last_day=day(9)).record()))
    assert other.why is Why.ANOTHER and str(other.code) == "9002" and len(r.domain.signed(document.id)) == 1
    assert r.take(drawn(rx("b", card_no="").record())).why is Why.NO_NUMBER


def test_prescription_is_dispensed_once() -> None:
    r, document = Register(), rx()
    r.store(document)
    first = r.dispensing(document)
    assert r.take(first).ok and state(r, document) is State.COMPLETED
    assert r.take(first).again
    second = r.take(r.dispensing(document, "second", where=OTHER_PHARMACY))
    assert second.why is Why.ELSEWHERE and str(second.code) == "D025"
    assert r.take(r.dispensing(document, "third", 2)).why is Why.USED_UP


def test_refill_is_dispensed_each_issue_once_and_not_too_early() -> None:
    r, document = Register(), refill()
    r.store(document)
    assert r.take(r.dispensing(document)).ok and state(r, document) is State.PARTLY
    r.hours = 24 * 17
    assert r.take(r.dispensing(document, "early", 2, OTHER_PHARMACY)).why is Why.TOO_EARLY
    r.hours = 24 * 18  # 28 days less 10
    assert r.take(r.dispensing(document, "three", 3)).why is Why.OUT_OF_TURN
    assert r.take(r.dispensing(document, "two", 2, OTHER_PHARMACY)).issue == 2
    r.hours = 24 * 36
    assert r.take(r.dispensing(document, "three", 3)).ok and state(r, document) is State.COMPLETED


def test_new_year_lets_a_refill_be_collected_earlier() -> None:
    r = Register(Prescriptions(Register().domain.books, Rules(early_days=14)))
    document = refill()
    r.store(document)
    assert r.take(r.dispensing(document)).ok
    r.hours = 24 * 14
    assert r.take(r.dispensing(document, "two", 2)).ok


def test_prescription_past_its_last_day_is_not_dispensed() -> None:
    r, document = Register(), rx()
    r.store(document)
    r.hours = 24 * 2 + 15.9
    assert state(r, document) is State.ISSUED
    r.hours = 24 * 2 + 16  # midnight in Taiwan
    assert r.take(r.dispensing(document)).why is Why.EXPIRED


def test_what_was_not_released_is_dispensed_at_home_only() -> None:
    r, document = Register(), rx(entries=(replace(rx().entries[0], delivery_mark="01"),))
    r.store(document)
    assert r.take(r.dispensing(document)).why is Why.OWN_ONLY
    own = r.dispensing(document, where=INSTITUTION)
    assert r.take(replace(own, role=Role.PHYSICIAN)).ok


def test_more_than_was_prescribed_is_refused() -> None:
    r, document = Register(), rx()
    r.store(document)
    item = document.entries[0].item_code
    assert r.take(r.dispensing(document, given=((item, 71),))).why is Why.TOO_MUCH
    assert r.take(r.dispensing(document, given=((item, 70),))).ok


def test_dispensing_that_came_back_leaves_the_issue_free() -> None:
    r, document = Register(), rx()
    r.store(document)
    first = r.dispensing(document)
    r.take(first)
    stranger = replace(r.give_back(first, document), institution=OTHER_PHARMACY)
    assert r.take(stranger).why is Why.NOT_YOURS
    assert r.take(r.give_back(first, document)).ok and state(r, document) is State.ISSUED
    assert r.take(r.dispensing(document, "second", where=OTHER_PHARMACY)).issue == 1


def test_record_from_the_future_is_refused() -> None:
    r, document = Register(), rx()
    assert r.take(drawn(replace(document, issued_ns=NOW_NS + 901 * NS).record())).why is Why.CLOCK


# -- controlled drugs

def test_controlled_drug_is_reported_until_its_recipient_has_signed() -> None:
    r, document = Register(), rx(kind=PrescriptionClass.CONTROLLED_REFILL, days=28, issues=2, last_day=day(60),
                                 entries=refill().entries)
    r.store(document)
    first = r.dispensing(document)
    r.take(first)
    signed_by_ns = r.at() + RECIPIENT_WITHIN_S * NS
    assert not r.domain.unsigned(signed_by_ns)
    assert [supply.act.id for supply in r.domain.unsigned(signed_by_ns + 1)] == [first.record.id]
    r.hours = LATER_H
    assert r.take(r.dispensing(document, "two", 2)).why is Why.NO_RECIPIENT
    assert r.take(r.written(first, document)).ok
    assert not r.domain.unsigned(r.at())
    assert r.take(r.dispensing(document, "two", 2)).ok
    broken = r.written(first, document, "other")
    torn = replace(broken, record=replace(broken.record, fields={**broken.record.fields, 6: {1: "written", 2: "x"}}))
    assert r.take(torn).why is Why.MALFORMED
    unknown = replace(broken.record, fields={**broken.record.fields, 5: number("nothing")})
    assert r.take(replace(broken, record=unknown)).why is Why.NO_SUCH_ACT


# -- changes

def test_amendment_takes_the_place_and_goes_on_with_the_count() -> None:
    r, document = Register(), refill()
    head = r.store(document)
    r.take(r.dispensing(document))
    amended = r.amendment(document, head, issues=2)
    assert r.take(drawn(amended.record())).ok
    standing = r.domain.standing(document.id)
    assert standing is not None and standing.rx == amended and standing.dispensed == 1
    r.hours = LATER_H
    assert r.take(r.dispensing(document, "old", 2)).why is Why.OLD_VERSION
    assert r.take(r.dispensing(amended, "new", 2, root=document.id)).ok and state(r, document) is State.COMPLETED


def test_amendment_may_not_fork_take_away_or_come_from_elsewhere() -> None:
    r, document = Register(), refill()
    head = r.store(document)
    r.take(r.dispensing(document))
    foreign = drawn(r.amendment(document, head).record(), institution=OTHER_PHARMACY)
    assert r.take(foreign).why is Why.OTHER_INSTITUTION
    assert r.take(drawn(r.amendment(document, head, card_no="000000000001").record())).why is Why.WRONG_HOLDER
    assert r.take(drawn(r.amendment(document, head, kind=CONTROLLED, issues=1).record())).why is Why.GIVEN
    assert r.take(drawn(r.amendment(document, head).record())).ok
    assert r.take(drawn(r.amendment(document, head, "fork").record())).why is Why.NOT_NEWEST
    assert r.take(drawn(r.amendment(rx("unknown"), head, "lost").record())).why is Why.NOT_HERE


def test_dispensed_prescription_is_not_changed_silently() -> None:
    r, document = Register(), rx()
    head = r.store(document)
    r.take(r.dispensing(document))
    assert r.take(drawn(r.amendment(document, head).record())).why is Why.GIVEN
    assert r.take(r.cancellation(document, head)).why is Why.NOTHING_LEFT


def test_cancelled_prescription_is_restored() -> None:
    r, document = Register(), rx()
    head = r.store(document)
    cancelled = r.cancellation(document, head)
    assert r.take(cancelled).ok and state(r, document) is State.CANCELLED
    refused = r.take(r.dispensing(document))
    assert refused.why is Why.CANCELLED and str(refused.code) == "D023"
    assert r.take(r.restoration(document, cancelled)).ok and state(r, document) is State.ISSUED
    assert r.take(r.restoration(document, cancelled, "again")).why is Why.NOT_CANCELLED
    assert r.take(r.dispensing(document)).ok


# -- doubts

def test_doubted_prescription_is_held_until_it_is_answered() -> None:
    r, document = Register(), rx()
    r.store(document)
    asked = r.query(document)
    assert r.take(asked).ok and state(r, document) is State.HELD
    held = r.take(r.dispensing(document, where=OTHER_PHARMACY))
    assert held.why is Why.HELD and str(held.code) == "RX06"
    assert r.take(r.answer(document, asked, where=OTHER_PHARMACY)).why is Why.NOT_YOURS
    assert r.take(r.answer(document, asked, role=Role.PHARMACIST)).why is Why.WRONG_SIGNER
    assert r.take(r.answer(document, asked)).ok and state(r, document) is State.ISSUED
    assert r.take(r.answer(document, asked, name="twice")).why is Why.NO_SUCH_ACT
    assert r.take(r.dispensing(document)).ok


def test_each_doubt_is_answered_and_a_pharmacy_withdraws_its_own() -> None:
    r, document = Register(), rx()
    r.store(document)
    asked, other = r.query(document), r.query(document, "other", OTHER_PHARMACY)
    assert r.take(asked).ok and r.take(other).ok
    back = r.answer(document, asked, Decision.WITHDRAW, where=PHARMACY, role=Role.PHARMACIST)
    assert r.take(replace(back, institution=OTHER_PHARMACY)).why is Why.NOT_YOURS
    assert r.take(back).ok and state(r, document) is State.HELD
    assert r.take(r.answer(document, other, name="yes")).ok and state(r, document) is State.ISSUED


def test_amendment_answers_a_doubt() -> None:
    r, document = Register(), rx()
    head = r.store(document)
    r.take(r.query(document))
    amended = r.amendment(document, head)
    assert r.take(drawn(amended.record())).ok and state(r, document) is State.ISSUED
    assert r.take(r.query(document, "of the old one")).why is Why.OLD_VERSION


def test_doubt_unanswered_is_named_when_its_time_is_over() -> None:
    r, document = Register(), refill()
    r.store(document)
    asked = r.query(document)
    r.take(asked)
    assert not r.domain.unanswered(r.at() + ANSWER_WITHIN_S * NS)
    [(about, doubt)] = r.domain.unanswered(r.at() + ANSWER_WITHIN_S * NS + 1)
    assert (about, doubt.query.id) == (document, asked.record.id)
    r.hours = 25
    assert r.take(r.answer(document, asked)).ok and not r.domain.unanswered(r.at())
    standing = r.domain.standing(document.id)
    assert standing is not None and standing.doubts[0].late(r.at())


# -- from offline

def test_two_pharmacies_offline_are_counted_by_the_order_of_signing_whatever_comes_first() -> None:
    ends = set()
    for order in itertools.permutations(range(3)):
        r, document = Register(), refill()
        papers = [drawn(document.record())]
        acts = [r.dispensing(document, f"act {n}", 1, where, hours=n) for n, where in
                enumerate((PHARMACY, OTHER_PHARMACY, PHARMACY))]
        r.hours = 30
        for n in order:
            assert r.domain.tell(acts[n], papers, r.at()).ok
        standing = r.domain.standing(document.id)
        assert standing is not None and standing.dispensed == 3
        ends.add(tuple((s.act.id, s.issue, s.found) for s in standing.supplies))
        assert {s.act.id for s in r.domain.conflicts()} == {acts[1].record.id, acts[2].record.id}
    [end] = ends
    assert end[0][2] == frozenset() and end[1][2] == end[2][2] == {Why.RENUMBERED, Why.TOO_EARLY}


def test_second_supply_of_one_issue_is_beyond_the_count_and_kept() -> None:
    r, document = Register(), rx()
    r.store(document)
    r.hours = 2
    assert r.take(r.dispensing(document)).ok
    r.hours = 5
    late = r.domain.tell(r.dispensing(document, "offline", where=OTHER_PHARMACY, hours=1), (), r.at())
    assert late.ok and late.issue == 1 and late.found == frozenset()
    standing = r.domain.standing(document.id)
    assert standing is not None and standing.dispensed == 1 and len(standing.supplies) == 2
    [conflict] = r.domain.conflicts()
    assert conflict.institution == PHARMACY and conflict.issue == 0 and conflict.found == {Why.USED_UP}


@pytest.mark.parametrize(
    ("hours", "found"), [(1, set()), (3, {Why.HELD}), (5, set()), (7, {Why.CANCELLED}), (70, {Why.EXPIRED, Why.CANCELLED})],
)
def test_what_stood_when_it_was_dispensed_offline_is_found(hours: float, found: set[Why]) -> None:
    r, document = Register(), rx()
    head = r.store(document)
    r.hours = 2
    asked = r.query(document)
    r.take(asked)
    r.hours = 4
    r.take(r.answer(document, asked))
    r.hours = 6
    r.take(r.cancellation(document, head))
    r.hours = 80
    assert r.domain.tell(r.dispensing(document, hours=hours), (), r.at()).found == found


def test_dispensing_comes_before_its_prescription_and_waits() -> None:
    r, document = Register(), rx()
    act = r.dispensing(document, hours=1)
    r.hours = 2
    first = r.domain.tell(act, (), r.at())
    assert first.ok and first.found == {Why.ORPHAN} and not r.domain.of_holder(CARD_NO)
    r.store(document)
    assert state(r, document) is State.COMPLETED and not r.domain.conflicts()
    assert r.domain.tell(act, (), r.at()).again


def test_pharmacy_brings_the_prescription_along() -> None:
    r, document = Register(), refill()
    head = drawn(document.record())
    amended = r.amendment(document, head, issues=2)
    papers = [head, drawn(amended.record())]
    r.hours = 1
    assert r.domain.tell(r.dispensing(amended, root=document.id), papers, r.at()).ok
    assert r.take(head).again and r.take(papers[1]).again
    standing = r.domain.standing(document.id)
    assert standing is not None and standing.rx == amended and standing.dispensed == 1


def test_told_of_is_kept_and_what_is_no_fact_is_not() -> None:
    r, document = Register(), rx()
    r.store(document)
    assert r.domain.tell(r.query(document), (), r.at()).why is Why.MALFORMED
    forged = r.dispensing(replace(document, last_day=day(20)))
    assert r.domain.tell(forged, (), r.at()).why is Why.NOT_HERE
    other = replace(document, device=bytes(32))
    wrong = replace(r.dispensing(document), record=replace(r.dispensing(document).record, holder=other.device))
    assert r.domain.tell(wrong, (), r.at()).why is Why.WRONG_HOLDER


def test_return_may_come_before_the_dispensing_that_it_takes_back() -> None:
    r, document = Register(), rx()
    r.store(document)
    first = r.dispensing(document)
    assert r.domain.tell(r.give_back(first, document), (), r.at()).ok
    assert r.domain.tell(first, (), r.at()).ok and state(r, document) is State.ISSUED


# -- search and retention

def test_prescription_is_found_by_holder_institution_and_number() -> None:
    r, one, two = Register(), rx("one"), refill("two", visit="11503020800000000002")
    r.store(one)
    r.store(two)
    assert {f.root for f in r.domain.of_holder(CARD_NO)} == {f.root for f in r.domain.of_institution(INSTITUTION)} \
        == {one.id, two.id}
    assert [f.root for f in r.domain.of_number(two.visit)] == [two.id] and r.domain.of_number("") == []
    r.take(r.dispensing(one))
    assert r.domain.served_by(PHARMACY) == [one.id]


@pytest.mark.parametrize(("kind", "years"), [(PrescriptionClass.ORDINARY, 3), (CONTROLLED, 5)])
def test_deleted_after_its_time_with_a_proof_and_not_before(kind: PrescriptionClass, years: int) -> None:
    r, document = Register(), rx(kind=kind)
    head = r.store(document)
    given = r.dispensing(document)
    r.take(given)
    key = private_key("tests", "data centre")
    books = r.domain.books
    [folder] = r.domain.of_holder(CARD_NO)
    end_ns = folder.keep_until_ns
    assert years * 365 * DAY_NS < end_ns - NOW_NS < (years * 365 + 6) * DAY_NS
    assert delete_due(books, end_ns - 1, lambda content: sign1(key, content)) == [] and r.domain.of_holder(CARD_NO)
    [deletion] = delete_due(books, end_ns, lambda content: sign1(key, content))
    assert deletion.root == document.id and not r.domain.of_holder(CARD_NO) and r.domain.standing(document.id) is None
    proof = proof_of(books, document.id)
    assert proof is not None and proof.digest == head.digest and proof.deleted_ns == end_ns and proof.letter == kind.value
    statement = decode(proof.statement)
    assert statement.verify(key.public_key())
    body = cbor2.loads(statement.payload or b"")
    assert body[4] == [[document.id, "rx", head.digest], [given.record.id, "dispense", given.digest]] and body[5] == years
    assert CARD_NO.encode() not in proof.statement
    assert r.domain.take(head, end_ns).why is Why.DELETED
    assert r.domain.tell(r.dispensing(document, "late"), (), end_ns).why is Why.DELETED
    assert r.domain.take(drawn(replace(document, last_day=day(9)).record()), end_ns).why is Why.ANOTHER
