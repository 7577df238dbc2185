"""The data centre's domain: visits once, numbers in order, uploads once and whole, late and missing ones named."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from virtual_devices.clock import NS, roc_datetime13
from virtual_devices.cloud.core import DataCentre, Gap, Insurance, Late, Person, Stored, Visit, VisitRecord
from virtual_devices.cloud.gathering import OPEN_UPLOADS, Gathering
from virtual_devices.pki import DAY_NS

from . import shelves
from .desk import NOW_NS
from .shelves import fresh_books

over_each = shelves.over_each

HERE, THERE, CARD = "9901180014", "8801180014", "000012345678"
HOUR_NS = 3600 * NS


def centre(**person: Any) -> DataCentre:
    core = DataCentre(fresh_books())
    core.enrol(Person(CARD, **person))
    return core


def person_of(core: DataCentre) -> Person:
    found = core.people.get(CARD)
    assert found is not None
    return found


def begin(core: DataCentre, name: str = "one", at_ns: int = NOW_NS, place: str = HERE, **more: Any) -> Visit:
    code, visit = core.begin_visit(name.encode().ljust(16), CARD, place, more.pop("kind", "01"), at_ns, **more)
    assert code == "0" and visit is not None
    return visit


def now(core: DataCentre, visit: Visit) -> Visit:
    """The visit as it stands now."""
    found = core.visits.get(visit.identifier)
    assert found is not None
    return found


def record(visit: Visit, key: bytes = b"key", **more: Any) -> VisitRecord:
    made = VisitRecord(
        key, visit.identifier, visit.card_no, visit.institution, visit.sequence or "0001", roc_datetime13(visit.begun_ns),
        visit.begun_ns + HOUR_NS, b"content",
    )
    return replace(made, **more)


@pytest.mark.parametrize(
    ("person", "code"),
    [({}, "0"), ({"insurance": Insurance.NOT_INSURED}, "5012"), ({"insurance": Insurance.SUSPENDED}, "9084"),
     ({"insurance": Insurance.ENDED}, "9085"), ({"card_cancelled": True}, "5002"), ({"only_at": THERE}, "9129"),
     ({"only_at": HERE}, "0")],
)
def test_who_may_be_seen_is_told_by_the_fields_codes(person: dict[str, Any], code: str) -> None:
    core = centre(**person)
    assert core.begin_visit(b"r" * 16, CARD, HERE, "01", NOW_NS)[0] == code
    assert len(core.visits) == (code == "0")
    assert core.begin_visit(b"q" * 16, "000000000000", HERE, "01", NOW_NS)[0] == "9012"


def test_same_request_is_the_same_visit_and_an_id_serves_one_request_of_one_institution() -> None:
    core = centre()
    core.enrol(Person("000000000002"))
    visit = begin(core)
    assert begin(core) == visit and len(core.visits) == 1
    assert core.begin_visit(b"one".ljust(16), "000000000002", HERE, "01", NOW_NS) == ("9002", None)
    assert core.begin_visit(b"one".ljust(16), CARD, HERE, "02", NOW_NS) == ("9002", None)
    other = begin(core, place=THERE)  # nobody can learn of another's visit by its request id
    assert other.identifier != visit.identifier
    assert core.roll_back(visit.identifier, HERE, NOW_NS) == "0"
    assert core.begin_visit(b"one".ljust(16), CARD, HERE, "01", NOW_NS) == ("5153", None)


def test_identifiers_have_twenty_characters_and_never_repeat() -> None:
    core = centre()
    found = {begin(core, f"r{n}").identifier for n in range(200)}
    assert len(found) == 200 and {len(i) for i in found} == {20}


def test_virtual_cards_numbers_begin_anew_each_year_and_end_at_999() -> None:
    core = centre()
    assert [begin(core, f"a{n}", virtual=True).sequence for n in range(3)] == ["W001", "W002", "W003"]
    assert begin(core, "a1", virtual=True).sequence == "W002"
    assert begin(core, "next year", NOW_NS + 365 * DAY_NS, virtual=True).sequence == "W001"
    core.enrol(replace(person_of(core), virtual_visits=998))
    assert begin(core, "last", NOW_NS + 365 * DAY_NS, virtual=True).sequence == "W999"
    visits = len(core.visits)
    assert core.begin_visit(b"x" * 16, CARD, HERE, "01", NOW_NS + 365 * DAY_NS, virtual=True) == ("5007", None)
    assert len(core.visits) == visits


def test_same_day_leaves_out_rolled_back_visits() -> None:
    core = centre()
    first = begin(core)
    assert not first.same_day and begin(core, "two", NOW_NS + HOUR_NS).same_day
    other = centre()
    gone = begin(other)
    other.roll_back(gone.identifier, HERE, NOW_NS)
    assert not begin(other, "two").same_day
    assert not begin(other, "tomorrow", NOW_NS + DAY_NS).same_day


def test_roll_back_follows_the_cards_rules() -> None:
    core = centre()
    visit, course = begin(core), begin(core, "course", kind="AC")
    back = core.roll_back
    assert back("0" * 20, HERE, NOW_NS) == "5150" and back(course.identifier, HERE, NOW_NS) == "5151"
    assert back(visit.identifier, THERE, NOW_NS) == "5152"
    assert back(visit.identifier, HERE, NOW_NS + DAY_NS + 1) == back(visit.identifier, HERE, NOW_NS - 1) == "5154"
    assert back(visit.identifier, HERE, NOW_NS + DAY_NS) == "0" and back(visit.identifier, HERE, NOW_NS) == "5153"


@pytest.mark.parametrize(
    ("left", "expiry", "person", "code"),
    [(3, "", {}, "0"), (4, "", {}, "9081"), (4, "1140101", {}, "0"), (4, "1301231", {}, "9081"),
     (0, "", {"card_cancelled": True}, "9082"),
     (0, "", {"insurance": Insurance.NOT_INSURED}, "9083"), (0, "", {"insurance": Insurance.SUSPENDED}, "9084")],
)
def test_card_update_when_due(left: int, expiry: str, person: dict[str, Any], code: str) -> None:
    answer, cell = centre(**person).card_update(CARD, left, NOW_NS, expiry)
    assert answer == code and cell == (b"1013130123106" if code == "0" else b"")


def test_record_is_stored_once_and_the_first_stays() -> None:
    core = centre()
    visit = begin(core)
    told = record(visit)
    assert core.store(told, NOW_NS) is Stored.STORED and core.store(told, NOW_NS + 9) is Stored.ALREADY
    assert core.store(replace(told, content=b"other"), NOW_NS) is Stored.CONFLICT
    assert core.store(replace(told, key=b"second"), NOW_NS) is Stored.CONFLICT  # one visit, one record
    assert list(core.records) == [told] and [kept.stored_ns for kept in core.records] == [NOW_NS] == [now(core, visit).stored_ns]


def test_nobody_settles_another_ones_visit() -> None:
    core = centre()
    core.enrol(Person("000000000002"))
    visit = begin(core)
    for forged in (record(visit, institution=THERE), record(visit, card_no="000000000002"), record(visit, identifier="9" * 20)):
        assert core.store(forged, NOW_NS) is Stored.CONFLICT
    assert now(core, visit).stored_ns == -1 and not core.records
    theirs = record(begin(core, place=THERE))
    assert core.store(theirs, NOW_NS) is Stored.STORED and core.store(record(visit), NOW_NS) is Stored.STORED  # same key


def test_visit_whose_answer_was_lost_is_settled_by_its_late_record() -> None:
    core = centre()
    visit = begin(core)
    offline = record(visit, identifier="", visited_at=roc_datetime13(NOW_NS + 20 * NS))
    assert core.store(offline, NOW_NS + 2 * HOUR_NS) is Stored.STORED
    assert now(core, visit).stored_ns == NOW_NS + 2 * HOUR_NS and core.late(NOW_NS + 3 * DAY_NS) == []
    true = record(visit, key=b"true")  # it was another visit after all: the one that names it is believed
    assert core.store(true, NOW_NS + 2 * DAY_NS) is Stored.STORED
    assert [late.stored_ns for late in core.late(NOW_NS + 3 * DAY_NS)] == [NOW_NS + 2 * DAY_NS]


@pytest.mark.parametrize(
    "far", [{"visited_at": roc_datetime13(NOW_NS + HOUR_NS)}, {"card_no": "000000000002"}, {"institution": THERE}]
)
def test_record_without_identifier_settles_nothing_far_away(far: dict[str, Any]) -> None:
    core = centre()
    visit = begin(core)
    assert core.store(record(visit, identifier="", **far), NOW_NS) is Stored.STORED and now(core, visit).stored_ns == -1


def test_late_and_missing_are_named_with_when_they_were_due() -> None:
    core = centre()
    in_time, late, missing, back = (begin(core, name) for name in ("in time", "late", "missing", "back"))
    core.store(record(in_time), NOW_NS + DAY_NS)  # 24 hours count from the moment that the visit is called by
    core.store(record(late, b"late"), NOW_NS + DAY_NS + 1)
    begun = roc_datetime13(NOW_NS + 3 * HOUR_NS)
    offline = record(late, b"offline", identifier="", visited_at=begun, ended_ns=NOW_NS + 4 * HOUR_NS)
    core.store(offline, NOW_NS + 2 * DAY_NS)
    core.roll_back(back.identifier, HERE, NOW_NS)
    due = NOW_NS + DAY_NS
    assert core.late(due + HOUR_NS) == [
        Late(late.identifier, CARD, HERE, due, due + 1), Late(missing.identifier, CARD, HERE, due, -1),
        Late("", CARD, HERE, due + 3 * HOUR_NS, NOW_NS + 2 * DAY_NS),
    ]
    assert [found.identifier for found in core.late(due)] == [late.identifier, ""]


def test_visit_that_took_place_gets_its_identifier_afterwards_and_once() -> None:
    core = centre(insurance=Insurance.NOT_INSURED)  # they have been treated: nobody's right to it is asked
    made = [core.identify(b"r" * 16, CARD, HERE, "01", NOW_NS)[1] for _ in range(2)]
    assert made[0] is not None and made[0] == made[1] and len(core.visits) == 1
    assert made[0].identifier.startswith(roc_datetime13(NOW_NS)) and made[0].sequence == ""
    core.enrol(Person("000000000002"))
    assert core.identify(b"r" * 16, "000000000002", HERE, "01", NOW_NS) == ("9002", None)
    assert core.identify(b"q" * 16, "000000000009", HERE, "01", NOW_NS) == ("9012", None)
    assert [late.identifier for late in core.late(NOW_NS + 2 * DAY_NS)] == [made[0].identifier]
    core.roll_back(made[0].identifier, HERE, NOW_NS)
    assert core.identify(b"r" * 16, CARD, HERE, "01", NOW_NS) == ("5153", None)


def test_identifier_asked_for_again_finds_the_visit_whose_answer_was_lost_with_its_number() -> None:
    core = centre()
    visit = begin(core, virtual=True)
    assert core.identify(visit.request_id, CARD, HERE, "", NOW_NS + HOUR_NS) == ("0", visit) and visit.sequence == "W001"


def test_visit_begun_with_a_card_that_failed_becomes_one_without_card() -> None:
    core = centre()
    visit = begin(core)
    code, told = core.identify(visit.request_id, CARD, HERE, "", NOW_NS)
    assert code == "0" and told == replace(visit, visit_type="") == now(core, visit)


def test_gaps_name_numbers_nobody_told_of_and_not_those_taken_back() -> None:
    core = centre()
    for number in (3, 5, 8):
        core.store(record(begin(core, str(number)), b"%d" % number, sequence=f"{number:04d}"), NOW_NS)
    core.store(record(begin(core, "virtual", virtual=True), b"w"), NOW_NS)
    core.roll_back(begin(core, "back").identifier, HERE, NOW_NS, "0006")
    assert core.gaps() == [Gap(CARD, roc_datetime13(NOW_NS)[:3], (4, 7))]


def test_roll_back_told_by_an_upload_is_neither_a_gap_nor_a_visit() -> None:
    core = centre()
    for number in (3, 5):
        core.store(record(begin(core, str(number)), b"%d" % number, sequence=f"{number:04d}"), NOW_NS)
    taken_back = begin(core, "back")
    other_day = roc_datetime13(NOW_NS + DAY_NS)
    core.store(record(taken_back, b"b", identifier="", sequence="0004", rolled_back=True), NOW_NS)
    core.store(record(taken_back, b"c", identifier="", sequence="0006", visited_at=other_day, rolled_back=True), NOW_NS)
    assert core.gaps() == [] and now(core, taken_back).rolled_back
    assert core.roll_back(taken_back.identifier, HERE, NOW_NS) == "5153"
    assert taken_back.identifier not in {late.identifier for late in core.late(NOW_NS + 3 * DAY_NS)}


# -- uploads in parts

WHOLE = bytes(range(100))
PARTS = [WHOLE[i : i + 30] for i in range(0, 100, 30)]
DIGEST = hashlib.sha256(WHOLE).digest()


class Uploads(RuleBasedStateMachine):
    """Parts in any order, repeated, wrong, of two institutions; each upload is handed over whole once, whatever comes."""

    def __init__(self) -> None:
        super().__init__()
        self.gathering = Gathering(fresh_books())
        self.whole = dict.fromkeys((HERE, THERE), 0)

    @rule(place=st.sampled_from((HERE, THERE)), index=st.integers(0, 3))
    def part(self, place: str, index: int) -> None:
        outcome, whole = self.gathering.take(place, b"b", DIGEST, index, 4, PARTS[index])
        assert outcome is not Stored.CONFLICT and (outcome is Stored.ALREADY) == (self.whole[place] > 0)
        if outcome is Stored.STORED:
            assert whole == WHOLE
            self.whole[place] += 1
            self.gathering.finish(place, b"b", DIGEST, [Stored.STORED])

    @rule(place=st.sampled_from((HERE, THERE)), index=st.integers(-1, 5), total=st.integers(1, 5))
    def wrong_part(self, place: str, index: int, total: int) -> None:
        outcome, whole = self.gathering.take(place, b"b", b"another digest", index, total, b"wrong")
        assert whole == b"" and outcome in (Stored.CONFLICT, Stored.PART)
        if outcome is Stored.PART:  # a foreign upload has begun under this id: the next true part clears it away
            assert self.gathering.take(place, b"b", DIGEST, 0, 4, PARTS[0])[0] is Stored.CONFLICT

    @rule(place=st.sampled_from((HERE, THERE)))
    def all_parts(self, place: str) -> None:
        for index in (2, 0, 3, 1):
            self.part(place, index)
        assert self.whole[place] == 1 and self.gathering.outcomes(place, b"b") == [Stored.ALREADY]

    @invariant()
    def never_twice(self) -> None:
        assert all(count <= 1 for count in self.whole.values())


def test_uploads_are_whole_once_in_any_order() -> None:
    run_state_machine_as_test(Uploads, settings=settings(max_examples=shelves.examples(60), stateful_step_count=25))


def test_oldest_unfinished_upload_gives_way_and_can_come_again() -> None:
    gathering = Gathering(fresh_books())
    for number in range(OPEN_UPLOADS + 1):
        assert gathering.take(HERE, b"%d" % number, DIGEST, 0, 4, PARTS[0])[0] is Stored.PART
    assert [gathering.take(HERE, b"0", DIGEST, i, 4, PARTS[i])[0] for i in (1, 2, 3, 0)][-1] is Stored.STORED
