"""Cards at the data centre: who may apply and how, one valid card at a time, loss at once, the same act once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from virtual_devices.cloud.card_ledger import ACTIVATION_DAYS, DAY_NS
from virtual_devices.cloud.identification import (
    CODE_LIFE_S,
    EFFORT,
    LEVELS,
    SESSION_LIFE_S,
    WRONG_ANSWERS,
    Act,
    CardSession,
    Given,
    Level,
)
from virtual_devices.cloud.journal import Answer, Asker, Request
from virtual_devices.cloud.places import Places
from virtual_devices.codes import Space
from virtual_devices.errors import UsageError
from virtual_devices.lifecycle import Carrier, Event, FieldCode, Party, Refusal, State, step
from virtual_devices.randomness import stream
from virtual_devices.status_list import Status

from . import shelves
from .card_office import ANNA, BO, CHILD, OFFICER, Office, at_counter, certified, facts, own_phone, phone

over_each = shelves.over_each

FIRST, SECOND, THIRD = phone("first"), phone("second"), phone("third")
BOTH = frozenset(Carrier)


# -- applying, at each level

WAYS: list[tuple[Level, Callable[[Office], Given]]] = [
    (Level.FACTS, lambda _: facts(ANNA)),
    (Level.REACHED, lambda office: office.reached(ANNA)),
    (Level.CERTIFIED, lambda _: certified(ANNA)),
    (Level.PHYSICAL_CARD, lambda office: office.session(ANNA)),
    (Level.COUNTER, lambda _: at_counter(ANNA)),
]


def asking(office: Office, level: Level) -> Request:
    return office.officer() if level is Level.COUNTER else office.by(ANNA)


@pytest.mark.parametrize(("level", "given"), WAYS, ids=[way[0].value for way in WAYS])
def test_virtual_card_is_got_in_each_way(level: Level, given: Callable[[Office], Given]) -> None:
    office = Office()
    card = office.card(office.cards.apply(asking(office, level), ANNA.card_no, given(office), FIRST))
    assert (card.state, card.level, office.status(card)) == (State.ISSUED, level, Status.SUSPENDED)
    assert office.standing(card) == "3239"
    answer = office.cards.activate(asking(office, level), card.name, FIRST.key)
    if level is Level.FACTS:
        assert answer.code.number == "1057" and card.state is State.ISSUED
        answer = office.cards.activate(office.by(ANNA), card.name, FIRST.key, office.session(ANNA))
    assert answer.ok and card.state is State.ACTIVE
    assert office.status(card) is Status.VALID and office.standing(card) == "0"


@pytest.mark.parametrize("level", Level)
@pytest.mark.parametrize("act", Act)
def test_level_entitles_to_its_acts_and_to_no_other(level: Level, act: Act) -> None:
    office = Office()
    office.with_phone(ANNA, FIRST)
    ways = {**dict(WAYS), Level.BOUND_PHONE: lambda _: own_phone(ANNA, FIRST)}
    given = ways[level](office)
    outcome = office.identification.level(ANNA.card_no, given, act, office.at_ns)
    if act in LEVELS[level].may:
        assert outcome is level
    else:
        assert not isinstance(outcome, Level) and outcome.number == "4029"


def test_facts_alone_end_nothing_and_move_nothing() -> None:
    """What family and thieves know lets one apply and suspend, and both can be undone."""
    assert LEVELS[Level.FACTS].may == {Act.APPLY, Act.SUSPEND}
    assert Act.REBIND not in LEVELS[Level.REACHED].may and Act.REISSUE not in LEVELS[Level.REACHED].may
    assert LEVELS[Level.CERTIFIED].may == LEVELS[Level.COUNTER].may == frozenset(Act)


def test_ways_can_be_compared_by_their_effort() -> None:
    assert set(EFFORT) == set(Level)
    assert EFFORT[Level.COUNTER].journeys > EFFORT[Level.CERTIFIED].journeys
    office = Office()
    office.with_phone(ANNA, FIRST)
    applied = [entry.detail for entry in office.ledger.journal.entries if entry.what == "apply" and entry.card.startswith("V")]
    assert [Level(detail) for detail in applied] == [Level.CERTIFIED]


@pytest.mark.parametrize(
    ("given", "code"),
    [
        (Given(), "1057"),
        (replace(facts(ANNA), household_no=""), "1057"),
        (replace(facts(ANNA), household_no="F0000000"), "5020"),
        (replace(facts(ANNA), birth_date=BO.birth_date), "5020"),
        (certified(BO), "5020"),
        (Given(id_no=ANNA.id_no, certified_id_no=BO.id_no), "5020"),
        (replace(facts(ANNA), one_time_code="123456"), "1013"),
        (own_phone(ANNA, SECOND), "5020"),
        (at_counter(ANNA), "4029"),
    ],
    ids=["nothing", "too little", "wrong household", "wrong birth date", "another's certificate", "a certificate not hers",
         "a code never sent", "a key that is not hers", "an officer who is none"],
)
def test_wrong_or_insufficient_information_gets_nothing(given: Given, code: str) -> None:
    office = Office()
    answer = office.cards.apply(office.by(ANNA), ANNA.card_no, given, FIRST)
    assert answer.code.number == code and answer.code.code.known
    assert office.ledger.own(ANNA.card_no) is None and answer.changes == ()


def test_one_asks_for_oneself_only() -> None:
    office = Office()
    assert office.cards.apply(office.by(BO), ANNA.card_no, certified(ANNA), FIRST).code.number == "5020"
    card = office.with_phone(ANNA, FIRST)
    assert office.cards.suspend(office.by(BO), card.name, certified(BO)).code.number == "5020"
    assert office.cards.suspend(office.guardian(BO), card.name, certified(BO)).code.number == "5020"
    assert office.cards.apply(office.device(FIRST), ANNA.card_no, certified(ANNA), SECOND).code.number == "4029"
    stranger = replace(ANNA, card_no="999999999999")
    assert office.cards.apply(office.by(stranger), stranger.card_no, certified(ANNA), FIRST).code.number == "9012"


def test_one_time_code_is_used_once_and_in_its_time() -> None:
    office = Office()
    given = office.reached(ANNA)
    office.later(seconds=CODE_LIFE_S)
    assert office.cards.apply(office.by(ANNA), ANNA.card_no, given, FIRST).code.number == "1013"  # too late
    given = office.reached(ANNA)
    card = office.card(office.cards.apply(office.by(ANNA), ANNA.card_no, given, FIRST))
    assert office.cards.suspend(office.by(ANNA), card.name, given).code.number == "3239"  # the state comes first
    assert office.cards.activate(office.by(ANNA), card.name, FIRST.key, given).code.number == "1013"  # used


def test_one_time_code_is_sent_to_one_who_knows_the_facts_and_the_number() -> None:
    office = Office()
    for known, code in ((facts(ANNA), "1057"), (Given(phone_no=ANNA.phone_no), "1057"),
                        (replace(facts(ANNA), phone_no=BO.phone_no), "5020")):
        refused, digits = office.identification.send_code(ANNA.card_no, known, office.at_ns)
        assert (refused.number, digits) == (code, "")


def test_one_time_code_is_of_no_use_after_three_tries() -> None:
    office = Office()
    given = office.reached(ANNA)
    wrong = replace(given, one_time_code="000000" if given.one_time_code != "000000" else "000001")
    for said in (wrong, wrong, wrong, given):
        assert office.identification.level(ANNA.card_no, said, Act.APPLY, office.at_ns) == FieldCode("1013", Space.VHC)


def test_guessing_closes_the_guessable_ways_for_a_day_and_no_other() -> None:
    office = Office()
    guess = replace(facts(ANNA), household_no="F0000000")
    for _ in range(WRONG_ANSWERS):
        assert office.cards.apply(office.by(ANNA), ANNA.card_no, guess, FIRST).code.number == "5020"
    assert office.cards.apply(office.by(ANNA), ANNA.card_no, facts(ANNA), FIRST).code.number == "9043"
    office.with_phone(ANNA, SECOND)  # with her certificate
    office.later(days=1)
    assert office.identification.level(ANNA.card_no, facts(ANNA), Act.APPLY, office.at_ns) is Level.FACTS


@pytest.mark.parametrize(
    ("change", "code"),
    [({"card_no": BO.card_no}, "5020"), ({"at_ns": -1}, "1703"), ({"at_ns": SESSION_LIFE_S}, "1703"),
     ({"statement": b"used"}, "66008")],
    ids=["another's card", "of the future", "long ago", "used before"],
)
def test_session_with_the_physical_card_counts_once_and_fresh(change: dict[str, object], code: str) -> None:
    office = Office()
    used = office.session(ANNA, b"used")
    assert office.identification.level(ANNA.card_no, used, Act.APPLY, office.at_ns) is Level.PHYSICAL_CARD
    if "at_ns" in change:
        change = {"at_ns": office.at_ns - int(str(change["at_ns"])) * 10**9}
    session = replace(CardSession(b"new", ANNA.card_no, office.at_ns), **change)  # type: ignore[arg-type]
    assert office.cards.apply(office.by(ANNA), ANNA.card_no, Given(session=session), FIRST).code.number == code


def test_lost_physical_card_proves_nothing_any_more() -> None:
    office = Office()
    assert office.cards.report_lost(office.by(ANNA), ANNA.card_no, certified(ANNA), frozenset({Carrier.PHYSICAL})).ok
    assert office.cards.apply(office.by(ANNA), ANNA.card_no, office.session(ANNA), FIRST).code.number == "5002"


# -- binding

@pytest.mark.parametrize("act", ["apply", "rebind", "reissue_both"])
def test_key_that_is_not_new_hardware_binds_nothing(act: str) -> None:
    office = Office()
    office.with_phone(BO, SECOND)
    if act != "apply":
        office.with_phone(ANNA, FIRST)
    before = len(office.ledger.cards)
    for bad in (phone("soft", attested=False), phone("copy", key="second"), *([FIRST] if act != "apply" else [])):
        answer = getattr(office.cards, act)(office.by(ANNA), ANNA.card_no, certified(ANNA), bad)
        assert answer.code.number == "1024" and answer.changes == ()
    assert len(office.ledger.cards) == before


def test_copied_credential_on_another_phone_is_refused() -> None:
    office = Office()
    card = office.card(office.cards.apply(office.by(ANNA), ANNA.card_no, certified(ANNA), FIRST))
    assert office.cards.activate(office.by(ANNA), card.name, SECOND.key).code.number == "1024"
    assert office.cards.activate(office.by(ANNA), card.name, FIRST.key).ok
    assert office.ledger.standing(card.name, office.at_ns, SECOND.key).number == "1024"
    assert office.ledger.standing(card.name, office.at_ns, FIRST.key).number == "0"


@pytest.mark.parametrize("given", [lambda: own_phone(ANNA, FIRST), lambda: certified(ANNA)], ids=["own phone", "certificate"])
def test_new_phone_becomes_valid_and_the_old_one_ends_in_the_same_act(given: Callable[[], Given]) -> None:
    office = Office()
    old = office.with_phone(ANNA, FIRST)
    answer = office.cards.rebind(office.by(ANNA), ANNA.card_no, given(), SECOND)
    new = office.card(answer)
    assert answer.cards == (new.name, old.name)
    changes = {change.place: change.status for change in answer.changes}
    assert changes == {old.place: Status.INVALID, new.place: Status.VALID}
    assert (office.standing(old), office.standing(new)) == ("1531", "0")
    assert office.ledger.wipe_orders(FIRST.device) == (old.name,) and office.ledger.wipe_orders(SECOND.device) == ()


def test_code_to_a_telephone_moves_no_card() -> None:
    office = Office()
    office.with_phone(ANNA, FIRST)
    assert office.cards.rebind(office.by(ANNA), ANNA.card_no, office.reached(ANNA), SECOND).code.number == "4029"


@pytest.mark.parametrize("state", [state for state in State if state is not State.APPLIED])  # issued in the same act
def test_rebinding_follows_the_table_in_every_state(state: State) -> None:
    office = Office()
    card = office.in_state(state, FIRST)
    answer = office.cards.rebind(office.by(BO), BO.card_no, certified(BO), THIRD)
    outcome = step(state, Event.REPLACE)
    if state is State.REBOUND:
        assert answer.ok  # of the card that took its place
    elif isinstance(outcome, Refusal):
        assert answer.code == outcome.code and answer.changes == () and card.state is state
    else:
        assert office.card(answer).state is State.ACTIVE and card.state is outcome.to
    assert sum(c.state is State.ACTIVE for c in office.ledger.cards.values() if c.card_no == BO.card_no) <= 2  # and the chip


# -- losing

def test_lost_phone_is_refused_online_at_once_and_invalid_in_the_list() -> None:
    office = Office()
    card = office.with_phone(ANNA, FIRST)
    answer = office.cards.report_lost(office.by(ANNA), ANNA.card_no, office.reached(ANNA))
    assert answer.ok and office.standing(card) == "1531"
    assert [(change.place, change.status) for change in answer.changes] == [(card.place, Status.INVALID)]
    assert office.ledger.wipe_orders(FIRST.device) == (card.name,)
    assert office.cards.wiped(office.device(SECOND), card.name).code.number == "5020"
    assert office.cards.wiped(office.device(FIRST), card.name).ok
    assert card.state is State.WIPED and office.ledger.wipe_orders(FIRST.device) == ()


def test_found_phone_stays_void_and_its_key_is_never_bound_again() -> None:
    office = Office()
    card = office.with_phone(ANNA, FIRST)
    office.cards.report_lost(office.by(ANNA), ANNA.card_no, certified(ANNA))
    assert office.cards.resume(office.by(ANNA), card.name, certified(ANNA)).code.number == "1531"
    assert office.cards.rebind(office.by(ANNA), ANNA.card_no, certified(ANNA), FIRST).code.number == "1024"
    assert office.card(office.cards.rebind(office.by(ANNA), ANNA.card_no, certified(ANNA), SECOND)).state is State.ACTIVE
    assert card.state is State.REBOUND and office.status(card) is Status.INVALID


def test_lost_phone_takes_everybodys_card_on_it_along_and_giving_up_ones_own_does_not() -> None:
    office = Office()
    shared = phone("first", key="bo's key on it")
    hers, his = office.with_phone(ANNA, FIRST), office.with_phone(BO, shared)
    assert office.cards.recall(office.by(BO), his.name, certified(BO)).ok
    assert (hers.state, his.state) == (State.ACTIVE, State.RECALLED)
    again = office.with_phone(BO, phone("first", key="another key of bo's"))
    assert office.cards.report_lost(office.by(ANNA), ANNA.card_no, certified(ANNA)).ok
    assert (hers.state, again.state) == (State.LOST, State.LOST)


@pytest.mark.parametrize("before", ["in use", "reported", "suspended", "expired"])
@pytest.mark.parametrize("where", ["online", "counter"])
def test_one_application_reissues_both(before: str, where: str) -> None:
    office = Office()
    old, chip = office.with_phone(ANNA, FIRST), office.physical(ANNA)
    match before:
        case "reported":
            assert office.cards.report_lost(office.by(ANNA), ANNA.card_no, office.reached(ANNA), BOTH).ok
        case "suspended":
            assert office.cards.suspend(office.by(ANNA), old.name, facts(ANNA)).ok
        case "expired":
            office.later(days=366)
    request = office.by(ANNA) if where == "online" else office.officer()
    given = certified(ANNA) if where == "online" else at_counter(ANNA)
    answer = office.cards.reissue_both(request, ANNA.card_no, given, SECOND)
    new, new_chip = office.card(answer), office.card(answer, 1)
    assert (new.state, new.phone, old.state, chip.state) == (State.ACTIVE, SECOND, State.REBOUND, State.REBOUND)
    assert new_chip.state is (State.ACTIVE if where == "counter" else State.ISSUED)
    assert office.status(old) is office.status(chip) is Status.INVALID
    if where == "online":
        assert office.cards.activate(office.by(ANNA), new_chip.name).ok and office.standing(new_chip) == "0"


def test_reissue_needs_a_certificate_or_a_counter_and_does_nothing_by_halves() -> None:
    office = Office()
    chip = office.physical(ANNA)
    assert office.cards.reissue_both(office.by(ANNA), ANNA.card_no, office.reached(ANNA), SECOND).code.number == "4029"
    answer = office.cards.reissue_both(office.by(ANNA), ANNA.card_no, certified(ANNA), SECOND)
    assert answer.code.number == "9012" and chip.state is State.ACTIVE and answer.changes == ()  # no virtual card was lost


def test_damaged_chip_is_replaced_and_one_that_never_came_is_made_again() -> None:
    office = Office()
    chip = office.physical(ANNA)
    new = office.card(office.cards.replace_physical(office.by(ANNA), ANNA.card_no, certified(ANNA)))
    assert (chip.state, office.standing(chip), new.state) == (State.REBOUND, "5002", State.ISSUED)
    assert office.cards.replace_physical(office.by(ANNA), ANNA.card_no, certified(ANNA)).code.number == "9010"  # on its way
    office.later(days=ACTIVATION_DAYS)
    again = office.card(office.cards.replace_physical(office.officer(), ANNA.card_no, at_counter(ANNA)))
    assert (new.state, again.state) == (State.ENDED, State.ACTIVE)


# -- suspending, recalling, expiring

def test_suspended_card_comes_back_by_who_suspended_it() -> None:
    office = Office()
    card = office.with_phone(ANNA, FIRST)
    assert office.cards.suspend(office.by(ANNA), card.name, facts(ANNA)).ok
    assert (office.standing(card), office.status(card)) == ("9011", Status.SUSPENDED)
    assert office.cards.resume(office.by(ANNA), card.name, facts(ANNA)).code.number == "4029"
    assert office.cards.resume(office.by(ANNA), card.name, own_phone(ANNA, FIRST)).ok
    assert office.standing(card) == "0"
    assert office.cards.suspend(office.officer(), card.name).ok
    assert office.cards.resume(office.by(ANNA), card.name, certified(ANNA)).code.number == "4029"
    assert office.cards.resume(office.officer(), card.name).ok and office.standing(card) == "0"


def test_what_the_data_centre_stopped_is_not_got_round_by_a_new_phone() -> None:
    office = Office()
    card = office.with_phone(ANNA, FIRST)
    office.cards.suspend(office.officer(), card.name)
    assert office.cards.report_lost(office.by(ANNA), ANNA.card_no, certified(ANNA)).ok
    assert office.cards.rebind(office.by(ANNA), ANNA.card_no, certified(ANNA), SECOND).code.number == "9011"
    assert office.cards.rebind(office.officer(), ANNA.card_no, at_counter(ANNA), SECOND).ok
    new = office.ledger.own(ANNA.card_no)
    assert new is not None
    assert office.cards.recall(office.officer(), new.name, why="a double").ok and office.standing(new) == "3203"
    assert office.cards.apply(office.by(ANNA), ANNA.card_no, certified(ANNA), THIRD).code.number == "9011"


def test_what_the_data_centre_lets_go_on_is_free_again() -> None:
    office = Office()
    card = office.with_phone(ANNA, FIRST)
    office.cards.suspend(office.officer(), card.name)
    office.cards.resume(office.officer(), card.name)
    assert office.cards.rebind(office.by(ANNA), ANNA.card_no, certified(ANNA), SECOND).ok


def test_physical_card_is_never_suspended() -> None:
    office = Office()
    assert office.cards.suspend(office.officer(), office.physical(ANNA).name).code.number == "1527"


def test_card_expires_by_its_date_and_a_chip_is_renewed_by_an_update() -> None:
    office = Office()
    card, chip = office.with_phone(ANNA, FIRST), office.physical(ANNA)
    assert office.cards.renew(office.by(ANNA), card.name, card.expires_ns + DAY_NS).code.number == "4029"
    assert office.cards.renew(office.officer(), card.name, card.expires_ns).code.number == "1059"
    renewed = office.cards.renew(office.officer(), card.name, card.expires_ns + DAY_NS)
    assert renewed.ok and renewed.changes == ()  # valid it was
    office.later(days=366)
    assert office.standing(card) == "3201" and office.standing(chip) == "0"
    office.later(days=3650)
    office.ledger.settle_all(office.at_ns)
    assert chip.state is State.EXPIRED and office.standing(chip) == "5003"
    assert office.cards.renew(office.officer(), card.name, office.at_ns + DAY_NS).code.number == "3201"
    assert office.cards.renew(office.officer(), chip.name, office.at_ns + DAY_NS).ok and office.standing(chip) == "0"


def test_card_never_activated_ends() -> None:
    office = Office()
    card = office.card(office.cards.apply(office.by(ANNA), ANNA.card_no, certified(ANNA), FIRST))
    office.later(days=ACTIVATION_DAYS)
    assert office.cards.activate(office.by(ANNA), card.name, FIRST.key).code.number == "3241"
    assert card.state is State.ENDED and office.status(card) is Status.INVALID
    assert office.with_phone(ANNA, SECOND).state is State.ACTIVE


@pytest.mark.parametrize(("state", "code"), [(State.ISSUED, "3239"), (State.ACTIVE, "1054"), (State.SUSPENDED, "9011")])
def test_second_application_is_refused_while_the_first_is_open(state: State, code: str) -> None:
    office = Office()
    office.in_state(state, FIRST)
    assert office.cards.apply(office.by(BO), BO.card_no, certified(BO), SECOND).code.number == code


# -- the same act, once

def test_same_request_is_done_once_and_another_under_its_id_is_refused() -> None:
    office = Office()
    request = office.by(ANNA)
    first = office.cards.apply(request, ANNA.card_no, certified(ANNA), FIRST)
    late = replace(request, at_ns=request.at_ns + DAY_NS)
    assert office.cards.apply(late, ANNA.card_no, certified(ANNA), FIRST) == first
    assert office.cards.apply(request, ANNA.card_no, certified(ANNA), SECOND).code.number == "9002"
    assert office.cards.report_lost(request, ANNA.card_no, certified(ANNA)).code.number == "9002"
    assert len([c for c in office.ledger.cards.values() if c.carrier is Carrier.VIRTUAL]) == 1
    other = Request(request.id, Asker(Party.HOLDER, BO.card_no), office.at_ns)  # his own id, by chance the same
    assert office.cards.apply(other, BO.card_no, certified(BO), SECOND).ok


def test_journal_tells_who_did_what_when() -> None:
    office = Office()
    card = office.with_phone(ANNA, FIRST)
    office.later(days=1)
    office.cards.report_lost(office.by(ANNA), ANNA.card_no, certified(ANNA))
    told = [entry for entry in office.ledger.journal.entries if entry.card == card.name]
    assert [entry.what for entry in told] == ["apply", "issue", "activate", "report lost"]
    assert {entry.asker.name for entry in told} == {ANNA.card_no} and told[-1].at_ns == office.at_ns
    with pytest.raises(AttributeError):
        told[0].what = "nothing"  # type: ignore[misc]
    assert office.ledger.journal.entries is not office.ledger.journal.entries


def test_only_the_data_centre_registers_people() -> None:
    office = Office()
    assert office.cards.register(office.by(ANNA), replace(ANNA, parents=frozenset({BO.card_no}))).code.number == "4029"
    assert office.identification.people[ANNA.card_no] == ANNA
    assert OFFICER.party is Party.DATA_CENTRE and office.physical(CHILD).state is State.ACTIVE


# -- places in the status lists

def test_places_are_all_given_once_and_in_no_order() -> None:
    places = Places("https://status.example/x", stream("tests", "all places"), 3, 64)
    drawn = [places.draw() for _ in range(192)]
    assert {(p.uri, p.index) for p in drawn} == {(f"https://status.example/x/{n}", i) for n in range(3) for i in range(64)}
    assert drawn != sorted(drawn, key=lambda p: (p.uri, p.index))
    with pytest.raises(UsageError):
        places.draw()


def test_places_are_even() -> None:
    """The first place of many draws falls into every tenth of the list about as often."""
    tenths = [0] * 10
    for number in range(2000):
        tenths[Places("x", stream("tests", "even", number), 1, 1000).draw().index // 100] += 1
    assert all(140 < count < 260 for count in tenths)


def test_answer_tells_of_every_change_and_no_other() -> None:
    office = Office()
    told: list[Answer] = []
    before = len(office.ledger.journal.changes)
    told.append(office.cards.apply(office.by(ANNA), ANNA.card_no, certified(ANNA), FIRST))
    told.append(office.cards.activate(office.by(ANNA), told[0].cards[0], FIRST.key))
    told.append(office.cards.rebind(office.by(ANNA), ANNA.card_no, certified(ANNA), SECOND))
    told.append(office.cards.recall(office.by(ANNA), told[2].cards[0], certified(ANNA)))
    assert office.ledger.journal.changes[before:] == tuple(change for answer in told for change in answer.changes)
