"""Guardians at the data centre: who may grant what for how long, wards' cards on a guardian's phone, who came for whom."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from virtual_devices.authorization import BOUNDS, EVERYTHING, Authorization, Purpose, Relation, Scope, issue
from virtual_devices.authorization_check import Checker, Reason, Use
from virtual_devices.clock import NS, roc_datetime13
from virtual_devices.cloud.card_ledger import DAY_NS, Card
from virtual_devices.cloud.guardians import GROUNDS, Ground, Wish, majority_ns
from virtual_devices.cloud.identification import Given
from virtual_devices.cloud.late import LateRecords
from virtual_devices.cloud.restoring import Restoring
from virtual_devices.lifecycle import Party, State
from virtual_devices.link import Work
from virtual_devices.pki import ChainVerifier, Role
from virtual_devices.randomness import private_key
from virtual_devices.status_list import Status, StatusList, StatusLists

from . import shelves
from .card_office import ANNA, BABY, BO, CHILD, OLD, Office, at_counter, certified, facts, own_phone, phone
from .desk import AUTHORITY, NOW_NS

over_each = shelves.over_each

HERS, HIS, NEW = phone("anna's"), phone("bo's"), phone("anna's new one")
BASIC = frozenset({Scope.BASIC})
CLINIC = "9901180014"
FOR_CHILD = Wish(
    CHILD.card_no, ANNA.card_no, Relation.PARENT, Ground.PARENT, frozenset({Scope.BASIC, Scope.WRITE, Scope.COLLECT}),
    Purpose.CARE, NOW_NS, NOW_NS + 365 * DAY_NS, certified(ANNA),
)
FOR_OLD = replace(FOR_CHILD, ward=OLD.card_no, relation=Relation.FAMILY, ground=Ground.WARD, given=certified(OLD))
ORDERED = replace(
    FOR_CHILD, ward=OLD.card_no, relation=Relation.COURT_GUARDIAN, ground=Ground.COURT, given=at_counter(OLD), order="115-7",
)


def with_guardian() -> tuple[Office, Card]:
    office = Office()
    return office, office.with_phone(ANNA, HERS)


def granted(office: Office, wish: Wish = FOR_CHILD) -> bytes:
    answer = office.guardians.grant(office.by(ANNA), wish)
    assert answer.ok, answer.text
    return answer.authorization


def holding(office: Office, wish: Wish = FOR_CHILD) -> tuple[bytes, Card]:
    cti = granted(office, wish)
    return cti, office.card(office.guardians.hold(office.guardian(ANNA), cti, HERS))


def check(office: Office, cti: bytes, ward: str = CHILD.card_no, key: bytes = HERS.key, scope: frozenset[Scope] = BASIC) -> str:
    return office.guardians.check(cti, ward, key, scope, Purpose.OUTPATIENT, office.at_ns).number


# -- granting

def test_parent_grants_for_a_child_by_the_register() -> None:
    office, _ = with_guardian()
    cti = granted(office)
    assert len(cti) == 16 and check(office, cti) == "0"
    grant = office.guardians.grants[cti]
    assert (grant.guardian_name, grant.key) == (ANNA.name, HERS.key)
    assert office.ledger.journal.status(grant.place) is Status.VALID
    assert grant.place.uri.startswith("https://status.example/authorizations/")


def test_ward_grants_for_themselves_and_a_court_by_an_officer() -> None:
    office, _ = with_guardian()
    assert office.guardians.grant(office.by(OLD), FOR_OLD).ok
    assert office.guardians.grant(office.by(OLD), replace(FOR_OLD, given=facts(OLD))).code.number == "4029"
    assert office.guardians.grant(office.by(ANNA), replace(FOR_OLD, given=certified(ANNA))).code.number == "5020"
    assert office.guardians.grant(office.officer(), ORDERED).ok
    assert office.guardians.grant(office.officer(), replace(ORDERED, order="")).code.number == "4029"
    assert office.guardians.grant(office.by(ANNA), ORDERED).code.number == "4029"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"ends_ns": None}, "1059"),
        ({"ends_ns": NOW_NS}, "1059"),
        ({"ends_ns": NOW_NS + DAY_NS, "begins_ns": NOW_NS + DAY_NS}, "1059"),
        ({"ends_ns": NOW_NS + DAY_NS + 1}, "1059"),
        ({"ends_ns": NOW_NS + (BOUNDS[Relation.PARENT].days + 1) * DAY_NS}, "1059"),
        ({"ward": ANNA.card_no}, "1057"),
        ({"scope": frozenset()}, "1057"),
        ({"ward": "999999999999"}, "9012"),
        ({"guardian": "999999999999"}, "9012"),
        ({"purpose": Purpose.NON_MEDICAL}, "4029"),
        ({"ground": Ground.WARD}, "4029"),
        ({"relation": Relation.FAMILY}, "4029"),
        ({"relation": Relation.FAMILY, "ground": Ground.WARD, "given": certified(CHILD)}, "4029"),
        ({"relation": Relation.MESSENGER, "ground": Ground.COURT, "ends_ns": NOW_NS + DAY_NS}, "4029"),
        ({"ward": OLD.card_no}, "4029"),
        ({"guardian": BO.card_no, "given": certified(BO)}, "5020"),
        ({"given": facts(ANNA)}, "4029"),
        ({"given": Given()}, "1057"),
        ({"ward": BABY.card_no, "guardian": CHILD.card_no}, "4029"),
        ({"ward": OLD.card_no, "guardian": CHILD.card_no, "relation": Relation.FAMILY, "ground": Ground.WARD,
          "given": certified(OLD)}, "4029"),
    ],
    ids=["no end", "ended", "ends when it begins", "no whole second", "too long", "oneself", "for nothing", "unknown ward",
         "unknown guardian", "medical outside care", "a child grants", "no ground", "a child as its own", "messenger for all",
         "not the parent", "asked by another", "too weakly known", "not known at all", "a child as parent", "guardian under age"],
)
def test_grant_is_refused_with_its_code(change: dict[str, Any], code: str) -> None:
    office, _ = with_guardian()
    answer = office.guardians.grant(office.by(ANNA), replace(FOR_CHILD, **change))
    assert answer.code.number == code and answer.code.code.known
    assert office.guardians.grants == {} and answer.changes == ()


def test_guardian_without_a_card_in_use_gets_no_authorization() -> None:
    office = Office()
    assert office.guardians.grant(office.by(ANNA), FOR_CHILD).code.number == "3241"
    card = office.with_phone(ANNA, HERS)
    office.cards.suspend(office.by(ANNA), card.name, facts(ANNA))
    assert office.guardians.grant(office.by(ANNA), FOR_CHILD).code.number == "3241"


@pytest.mark.parametrize(
    ("birth", "eighteen"),
    [(date(2008, 6, 1), "1150601000000"), (date(2008, 2, 29), "1150301000000"), (date(2010, 2, 28), "1170228000000")],
)
def test_majority_begins_with_the_eighteenth_birthday(birth: date, eighteen: str) -> None:
    assert roc_datetime13(majority_ns(birth)) == eighteen


def test_parental_authority_ends_at_eighteen() -> None:
    office, _ = with_guardian()
    birth = date(2008, 6, 1)
    office.identification.people[CHILD.card_no] = replace(CHILD, birth_date=birth)
    wish = replace(FOR_CHILD, ends_ns=majority_ns(birth))
    assert office.guardians.grant(office.by(ANNA), replace(wish, ends_ns=majority_ns(birth) + NS)).code.number == "1059"
    cti = granted(office, wish)
    office.at_ns = majority_ns(birth)
    assert check(office, cti) == "3238"
    later = replace(wish, begins_ns=office.at_ns, ends_ns=office.at_ns + DAY_NS)
    assert office.guardians.grant(office.by(ANNA), later).code.number == "1059"


def test_every_relation_has_a_ground() -> None:
    assert set(GROUNDS) == set(Relation) and all(GROUNDS.values())


# -- using

@pytest.mark.parametrize(
    ("change", "code"),
    [({}, "0"), ({"ward": BABY.card_no}, "5020"), ({"key": HIS.key}, "5020"), ({"scope": EVERYTHING}, "4029"),
     ({"cti": b"?"}, "3237")],
    ids=["as granted", "another ward", "another guardian's key", "wider", "unknown"],
)
def test_use_is_checked_online_as_it_is_offline(change: dict[str, Any], code: str) -> None:
    office, _ = with_guardian()
    cti = granted(office)
    assert check(office, **{"cti": cti, **change}) == code


def test_it_holds_in_its_time_only() -> None:
    office, _ = with_guardian()
    cti = granted(office, replace(FOR_CHILD, begins_ns=NOW_NS + DAY_NS))
    assert check(office, cti) == "3239"
    office.later(days=1)
    assert check(office, cti) == "0"
    office.later(days=364)
    assert check(office, cti) == "3238"


def test_non_medical_use_needs_an_authorization_of_its_own_and_sees_the_basic_data_only() -> None:
    office, _ = with_guardian()
    cti = granted(office)
    for_library = granted(office, replace(FOR_CHILD, scope=BASIC, purpose=Purpose.NON_MEDICAL))
    assert office.guardians.check(cti, CHILD.card_no, HERS.key, BASIC, Purpose.NON_MEDICAL, office.at_ns).number == "4029"
    ask = (CHILD.card_no, HERS.key)
    assert office.guardians.check(for_library, *ask, BASIC, Purpose.NON_MEDICAL, office.at_ns).number == "0"
    assert office.guardians.check(for_library, *ask, EVERYTHING, Purpose.NON_MEDICAL, office.at_ns).number == "4029"
    assert office.guardians.check(for_library, *ask, BASIC, Purpose.PHARMACY, office.at_ns).number == "4029"


def test_visit_is_recorded_as_by_one_for_another() -> None:
    office, _ = with_guardian()
    cti = granted(office)
    ask = (CLINIC, cti, CHILD.card_no, HERS.key)
    request = office.guardian(ANNA)
    assert office.guardians.record(request, *ask, BASIC, Purpose.OUTPATIENT).ok
    assert office.guardians.record(request, *ask, BASIC, Purpose.OUTPATIENT).ok  # the same visit
    assert office.guardians.record(office.guardian(ANNA), *ask, EVERYTHING, Purpose.OUTPATIENT).code.number == "4029"
    [told] = office.guardians.presented
    assert str(told) == "by 陳美玲 (000000000001) for 000000000011" and told.institution == CLINIC
    assert office.ledger.journal.entries[-1].under == cti


def test_authorizations_are_listed_by_ward_and_by_guardian() -> None:
    office, _ = with_guardian()
    office.with_phone(BO, HIS)
    child, baby = granted(office), granted(office, replace(FOR_CHILD, ward=BABY.card_no))
    his = office.guardians.grant(office.by(BO), replace(FOR_CHILD, guardian=BO.card_no, given=certified(BO))).authorization
    listed = office.guardians.listed
    assert [g.cti for g in listed(office.at_ns, guardian=ANNA.card_no)] == [child, baby]
    assert [g.cti for g in listed(office.at_ns, ward=CHILD.card_no)] == [child, his]
    office.guardians.withdraw(office.by(ANNA), child)
    assert [g.cti for g in listed(office.at_ns, ward=CHILD.card_no)] == [his]
    office.later(days=365)
    assert listed(office.at_ns) == []


# -- withdrawing

def test_withdrawal_reaches_a_reader_that_is_offline_with_the_next_list() -> None:
    """All of it in bytes: the grant becomes a credential, the changes become a list, the reader has no line."""
    office, _ = with_guardian()
    key = private_key("tests", "anna's phone's key")
    cti = granted(office)
    g = office.guardians.grants[cti]
    credential = Authorization(
        g.cti, g.ward, g.guardian, g.guardian_name, key.public_key(), g.relation, g.scope, g.purpose, g.granted_ns, g.begins_ns,
        g.ends_ns, g.place,
    )
    issuer, root = AUTHORITY.issue(Role.DATA_CENTRE, "IDC"), ChainVerifier(AUTHORITY.root_der)
    published, lists = StatusList(g.place.uri, 4096), StatusLists(root, Work())
    reader, use = Checker(root, lists.look), Use(CHILD.card_no, BASIC, Purpose.OUTPATIENT, key.public_key())

    def publish_and_ask() -> Reason:
        for change in office.ledger.journal.changes:
            if change.place.uri == published.uri:
                published[change.place.index] = change.status
        lists.take(published.sign(issuer, office.at_ns, office.at_ns + DAY_NS, 3600), office.at_ns)
        return reader.check(issue(credential, issuer), use, office.at_ns).reason

    assert publish_and_ask() is Reason.HOLDS
    office.guardians.withdraw(office.by(ANNA), cti)
    assert reader.check(issue(credential, issuer), use, office.at_ns).reason is Reason.HOLDS  # the old list, inside its age
    office.later(seconds=3600)
    assert publish_and_ask() is Reason.WITHDRAWN


@pytest.mark.parametrize("who", ["ward", "guardian", "guardian's phone", "officer"])
def test_withdrawn_by_those_whose_it_is_ends_at_once_with_the_wards_card(who: str) -> None:
    office, own = with_guardian()
    cti, card = holding(office)
    request = {
        "ward": office.by(CHILD), "guardian": office.by(ANNA), "guardian's phone": office.guardian(ANNA),
        "officer": office.officer(),
    }[who]
    answer = office.guardians.withdraw(request, cti)
    assert answer.ok and check(office, cti) == "3240"
    assert {change.status for change in answer.changes} == {Status.INVALID}
    assert {change.place for change in answer.changes} == {office.guardians.grants[cti].place, card.place}
    assert office.standing(card) == "3203" and office.standing(own) == "0"
    assert office.ledger.wipe_orders(HERS.device) == (card.name,)


def test_withdrawal_is_refused_to_others_and_done_once() -> None:
    office, _ = with_guardian()
    cti = granted(office)
    for request in (office.by(BO), office.guardian(BO), office.request(Party.GUARDIAN, CHILD.card_no), office.device(HERS)):
        assert office.guardians.withdraw(request, cti).code.number == "4029"
    assert office.guardians.withdraw(office.by(ANNA), b"unknown").code.number == "3237"
    request = office.by(ANNA)
    first = office.guardians.withdraw(request, cti)
    assert first.ok and office.guardians.withdraw(request, cti) == first
    assert office.guardians.withdraw(office.by(ANNA), cti).code.number == "3240"
    assert office.guardians.grant(request, FOR_CHILD).code.number == "9002"


# -- the ward's card on the guardian's phone

def test_ward_without_any_device_has_a_card_on_the_guardians_phone_until_the_end() -> None:
    office, own = with_guardian()
    cti, card = holding(office)
    assert (card.card_no, card.phone, card.state) == (CHILD.card_no, HERS, State.ACTIVE)
    assert card.held is not None and (card.held.guardian, card.held.authorization) == (ANNA.card_no, cti)
    assert card.place != own.place and office.standing(card) == "0"
    assert office.ledger.own(CHILD.card_no) is None  # it is not the child's own phone's
    office.cards.renew(office.officer(), own.name, NOW_NS + 800 * DAY_NS)
    assert office.cards.renew(office.officer(), card.name, NOW_NS + 800 * DAY_NS).code.number == "1059"
    office.later(days=365)
    assert (office.standing(card), office.standing(own)) == ("3201", "0")


def test_wards_card_ends_with_a_short_authorization() -> None:
    office, _ = with_guardian()
    _, card = holding(office, replace(FOR_CHILD, ends_ns=NOW_NS + 10 * DAY_NS))
    assert card.expires_ns == NOW_NS + 10 * DAY_NS
    office.later(days=10)
    assert office.standing(card) == "3201"


@pytest.mark.parametrize(
    ("case", "code"),
    [("unknown", "3237"), ("another guardian", "5020"), ("holder", "5020"), ("another phone", "5020"),
     ("same key elsewhere", "1024"), ("withdrawn", "3240"), ("not begun", "3239"), ("held already", "0"),
     ("suspended", "1024"), ("without basic", "4029")],
)
def test_wards_card_is_given_under_an_authorization_in_force_to_its_phone_only(case: str, code: str) -> None:
    office, own = with_guardian()
    office.with_phone(BO, HIS)
    wish = FOR_CHILD
    if case == "not begun":
        wish = replace(wish, begins_ns=NOW_NS + DAY_NS)
    if case == "without basic":
        wish = replace(wish, scope=frozenset({Scope.COLLECT}))
    cti, request, at = granted(office, wish), office.guardian(ANNA), HERS
    match case:
        case "unknown":
            cti = b"unknown"
        case "another guardian":
            request, at = office.guardian(BO), HIS
        case "holder":
            request = office.by(ANNA)
        case "another phone":
            at = NEW
        case "same key elsewhere":
            at = phone("somewhere else", key="anna's")
        case "withdrawn":
            office.guardians.withdraw(office.by(ANNA), cti)
        case "held already":
            office.guardians.hold(office.guardian(ANNA), cti, HERS)
        case "suspended":
            office.cards.suspend(office.by(ANNA), own.name, facts(ANNA))
    before = len(office.ledger.cards)
    answer = office.guardians.hold(request, cti, at)
    assert answer.code.number == code and len(office.ledger.cards) == before


def test_several_wards_and_two_guardians_of_one_are_kept_apart() -> None:
    office, _ = with_guardian()
    office.with_phone(BO, HIS)
    cti, with_mother = holding(office)
    _, baby = holding(office, replace(FOR_CHILD, ward=BABY.card_no))
    his = office.guardians.grant(office.by(BO), replace(FOR_CHILD, guardian=BO.card_no, given=certified(BO))).authorization
    with_father = office.card(office.guardians.hold(office.guardian(BO), his, HIS))
    office.guardians.withdraw(office.by(ANNA), cti)
    assert [office.standing(card) for card in (with_mother, baby, with_father)] == ["3203", "0", "0"]


def test_guardians_lost_phone_ends_wards_cards_and_authorizations_with_it() -> None:
    office, own = with_guardian()
    cti, card = holding(office)
    answer = office.cards.report_lost(office.by(ANNA), ANNA.card_no, certified(ANNA))
    assert [office.standing(one) for one in (own, card)] == ["1531", "1531"] and check(office, cti) == "3240"
    assert {change.place for change in answer.changes} == {own.place, card.place, office.guardians.grants[cti].place}
    office.cards.rebind(office.by(ANNA), ANNA.card_no, certified(ANNA), NEW)
    assert office.guardians.listed(office.at_ns) == []  # the thief's key had it: it is granted anew, knowingly
    assert office.guardians.hold(office.guardian(ANNA), cti, NEW).code.number == "5020"


def test_guardians_new_phone_takes_the_wards_along_in_the_same_act() -> None:
    office, own = with_guardian()
    cti, card = holding(office)
    office.later(days=10)
    answer = office.cards.rebind(office.by(ANNA), ANNA.card_no, own_phone(ANNA, HERS), NEW)
    assert answer.ok and card.state is own.state is State.REBOUND
    [again] = office.guardians.listed(office.at_ns)
    before = office.guardians.grants[cti]
    assert again.cti != cti and again.key == NEW.key and again.place != before.place
    assert (again.scope, again.ends_ns, again.purpose) == (before.scope, before.ends_ns, before.purpose)
    moved = office.ledger.held(again.cti, CHILD.card_no)
    assert moved is not None and office.standing(moved) == "0" and moved.phone == NEW
    assert (check(office, cti), check(office, cti, key=NEW.key)) == ("3240", "5020")
    assert check(office, again.cti, key=NEW.key) == "0"
    statuses = {change.place: change.status for change in answer.changes}
    assert [statuses[p] for p in (card.place, before.place, moved.place, again.place)] == [
        Status.INVALID, Status.INVALID, Status.VALID, Status.VALID,
    ]
    assert set(office.ledger.wipe_orders(HERS.device)) == {own.name, card.name}


def test_new_phone_moves_what_was_there_and_makes_nothing_new() -> None:
    office, _ = with_guardian()
    never_held = granted(office)
    ended = granted(office, replace(FOR_CHILD, ward=BABY.card_no, ends_ns=NOW_NS + DAY_NS))
    office.later(days=1)
    assert office.cards.rebind(office.by(ANNA), ANNA.card_no, certified(ANNA), NEW).ok
    [again] = office.guardians.listed(office.at_ns)
    assert again.ward == CHILD.card_no and office.ledger.held(again.cti, CHILD.card_no) is None
    assert len(office.guardians.grants) == 3
    assert [office.guardians.grants[cti].withdrawn_ns for cti in (never_held, ended)] == [office.at_ns] * 2


def test_wards_card_that_the_data_centre_stopped_does_not_move_along() -> None:
    office, own = with_guardian()
    _, card = holding(office)
    assert office.cards.suspend(office.officer(), card.name).ok and office.standing(own) == "0"
    assert office.cards.suspend(office.by(ANNA), own.name, facts(ANNA)).ok
    assert office.cards.resume(office.by(ANNA), own.name, own_phone(ANNA, HERS)).ok
    assert (office.standing(own), office.standing(card)) == ("0", "9011")  # resumed is what she suspended
    assert office.cards.rebind(office.by(ANNA), ANNA.card_no, certified(ANNA), NEW).ok
    assert card.state is State.RECALLED
    [again] = office.guardians.listed(office.at_ns)
    assert office.ledger.held(again.cti, CHILD.card_no) is None
    assert office.guardians.hold(office.guardian(ANNA), again.cti, NEW).code.number == "9011"
    assert office.cards.lift(office.by(ANNA), CHILD.card_no).code.number == "4029"
    assert office.cards.lift(office.officer(), CHILD.card_no).ok
    assert office.guardians.hold(office.guardian(ANNA), again.cti, NEW).ok


def test_suspending_the_guardians_card_suspends_the_wards_with_it() -> None:
    office, own = with_guardian()
    _, card = holding(office)
    assert office.cards.suspend(office.by(ANNA), own.name, facts(ANNA)).ok and office.standing(card) == "9011"
    assert office.cards.resume(office.by(ANNA), own.name, own_phone(ANNA, HERS)).ok and office.standing(card) == "0"


# -- prescriptions

RX = [LateRecords(bytes([n]) * 16, (b"signed " + bytes([n]),), (), HERS.key) for n in range(3)]
CHILDS = LateRecords(bytes(16), (b"signed for the child",), ())


def with_prescriptions() -> tuple[Office, Card]:
    """``RX`` are for Anna's first phone, ``CHILDS`` for whoever asks about the child."""
    office, card = with_guardian()
    medicine = frozenset({Scope.MEDICAL, Scope.COLLECT})

    def register(card_no: str, cards: Collection[bytes]) -> list[LateRecords]:
        return [CHILDS] if card_no == CHILD.card_no else [one for one in RX if one.holder in cards]

    office.restoring = Restoring(
        office.ledger, lambda held, _: bool(office.guardians.grants[held.authorization].scope & medicine), register,
    )
    return office, card


def test_prescriptions_come_back_to_the_newly_bound_phone_and_to_no_other() -> None:
    office, old = with_prescriptions()
    first = office.by(ANNA)
    assert office.restoring.restore(first, old.name, HERS.key).records == tuple(RX)
    office.cards.report_lost(office.by(ANNA), ANNA.card_no, certified(ANNA))
    new = office.card(office.cards.rebind(office.by(ANNA), ANNA.card_no, certified(ANNA), NEW))
    assert office.restoring.restore(office.by(ANNA), new.name, NEW.key).records == tuple(RX)
    refused = [
        (office.by(ANNA), old.name, HERS.key, "1531"),  # the lost phone
        (first, old.name, HERS.key, "1531"),  # with a request that was answered before
        (office.by(ANNA), new.name, HERS.key, "1024"),  # the lost phone, with the new card's name
        (office.by(BO), new.name, NEW.key, "5020"),
        (office.guardian(ANNA), new.name, NEW.key, "5020"),
        (office.by(ANNA), "V9", NEW.key, "9012"),
        (office.by(ANNA), office.physical(ANNA).name, NEW.key, "1527"),
    ]
    for request, name, key, code in refused:
        restored = office.restoring.restore(request, name, key)
        assert (restored.code.number, restored.records) == (code, ())
    assert [e.card for e in office.ledger.journal.entries if e.what == "restore"] == [old.name, new.name]


@pytest.mark.parametrize(("scope", "code"), [({Scope.COLLECT}, "0"), ({Scope.MEDICAL}, "0"), ({Scope.WRITE}, "4029")])
def test_guardian_gets_the_wards_prescriptions_when_the_scope_covers_them(scope: set[Scope], code: str) -> None:
    office, _ = with_prescriptions()
    _, card = holding(office, replace(FOR_CHILD, scope=BASIC | scope))
    restored = office.restoring.restore(office.guardian(ANNA), card.name, HERS.key)
    assert restored.code.number == code and restored.records == ((CHILDS,) if code == "0" else ())
    assert office.restoring.restore(office.by(CHILD), card.name, HERS.key).code.number == "1024"
