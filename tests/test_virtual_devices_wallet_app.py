"""LIF, BND in messages between a phone and the data centre: changed, lost, erased, restored, over a line that fails or lies."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from virtual_devices import cose, vhc
from virtual_devices.cloud.late import LateRecords
from virtual_devices.cloud.restoring import Restoring
from virtual_devices.lifecycle import State
from virtual_devices.link import DirectLink, Outcome
from virtual_devices.pki import Role
from virtual_devices.reader.transmit import Ended
from virtual_devices.status_list import Status, StatusLists
from virtual_devices.wallet import app
from virtual_devices.wallet.held import OWN
from virtual_devices.wallet.vault import search
from virtual_devices.write_back import Kind, WriteOutcome

from .card_office import ANNA
from .desk import AUTHORITY, NOW_NS
from .enrolment import Town, certified_by, facts, refused, wish
from .links import Failing, Strike
from .test_virtual_devices_wallet_app_late import key_of, late


def test_change_of_phone_revokes_the_old_one_in_the_same_act_and_erases_it() -> None:
    """BND-02, LIF-02: the status list says so, the old phone erases itself when it next asks, and nothing can be read on it."""
    town = Town()
    old, old_card = town.enrolled(ANNA, "old phone")
    assert search(old.phone.vault.backup(), old.phone.keystore, ANNA.name.encode())
    new = town.app("new phone")
    card = town.run(app.rebind(new, ANNA.card_no, certified_by(town, new, "rebind")))
    assert new.phone.cards.get(OWN) is not None and town.domain.ledger.standing(card, NOW_NS).number == "0"
    assert town.domain.ledger.standing(old_card, NOW_NS).number != "0"
    lists = StatusLists(old.phone.root, old.phone.work)
    for raw in town.statuses():
        assert lists.take(raw, NOW_NS).outcome.name == "ACCEPTED"
    places = [town.domain.ledger.cards[name].place for name in (card, old_card)]
    assert [lists.look(p.uri, p.index, NOW_NS).status for p in places] == [Status.VALID, Status.INVALID]
    told = town.run(app.sync(old))
    assert told["erase"] == [old_card] and not old.phone.vault.ready
    assert search(old.phone.vault.backup(), old.phone.keystore, ANNA.name.encode()) == []
    assert not [k for k in old.phone.keystore.names() if k.startswith(("device.", "code."))]
    assert town.run(app.sync(new))["erase"] == []


def test_both_cards_lost_are_made_anew_by_one_application() -> None:
    """LIF-03."""
    town = Town()
    _, lost = town.enrolled(ANNA, "lost phone")
    new = town.app("new phone")
    card = town.run(app.rebind(new, ANNA.card_no, town.ticket(ANNA), both=True))
    assert town.domain.ledger.standing(card, NOW_NS).number == "0"
    assert town.domain.ledger.cards[lost].state.value in ("re-bound", "lost")
    assert town.domain.physical(ANNA).made_ns == NOW_NS


def test_lost_phone_is_refused_at_once_online() -> None:
    """LIF-01: reported from a friend's phone."""
    town = Town()
    _, card = town.enrolled(ANNA, "lost phone")
    friend = town.app("friend")
    town.run(app.report_lost(friend, ANNA.card_no, certified_by(town, friend, "report-lost")))
    assert town.domain.ledger.standing(card, NOW_NS).number != "0"


def test_prescriptions_come_back_to_the_new_phone_only() -> None:
    """LIF-05."""
    town = Town()
    old, old_card = town.enrolled(ANNA, "old phone")
    prescribed, dispensed = (late(number, key_of(old), kind) for number, kind in ((1, Kind.PRESCRIPTION), (2, Kind.RETURN)))
    registered(town, prescribed, dispensed)
    new = town.app("new phone")
    card = town.run(app.rebind(new, ANNA.card_no, certified_by(town, new, "rebind")))
    assert town.run(app.restore_prescriptions(new, card)) == [WriteOutcome.STORED] * 2
    assert new.phone.records().all() == [*prescribed.records, *dispensed.records]
    assert town.run(app.restore_prescriptions(new, card)) == [WriteOutcome.ALREADY] * 2
    assert refused(town, app.restore_prescriptions(old, old_card)).code != "0"


def registered(town: Town, *entries: LateRecords) -> None:
    """These are with the data centre."""
    town.office.restoring = Restoring(
        town.domain.ledger, lambda *_: True, lambda _, cards: [entry for entry in entries if entry.holder in cards],
    )


def test_card_names_those_whose_place_it_took() -> None:
    """Newest first; a guardian's hands are others than one's own."""
    town = Town()
    phones = [town.enrolled(ANNA, "first phone")[0]]
    for name in ("second phone", "third phone"):
        phones.append(town.app(name))
        card = town.run(app.rebind(phones[-1], ANNA.card_no, certified_by(town, phones[-1], "rebind")))
    first, second, third = (of.phone.cards.get(OWN) for of in phones)
    assert first is not None and second is not None and third is not None
    named = [held.issued.values()[vhc.BASIC].get(vhc.FORMER) for held in (first, second, third)]
    assert named == [None, [first.holder], [second.holder, first.holder]]
    grant = town.domain.guardians.grant(town.domain.by(ANNA), wish()).authorization
    assert vhc.FORMER not in town.run(app.hold(phones[-1], card, grant)).issued.values()[vhc.BASIC]


@pytest.mark.parametrize("outcome", [Outcome.REQUEST_LOST, Outcome.REPLY_LOST])
def test_line_that_fails_at_any_message_is_asked_again_and_nothing_is_done_twice(outcome: Outcome) -> None:
    for at in range(3):
        town = Town()
        of = town.app("anna")
        ticket = town.ticket(ANNA)
        link = Failing(town.link(), Strike(at, outcome))
        try:
            card = town.run(app.apply(of, ANNA.card_no, facts(ANNA)), link)
        except Ended as e:
            assert e.code == "4061"
            card = town.run(app.apply(of, ANNA.card_no, facts(ANNA)))
        town.run(app.activate(of, card, ticket))
        assert len([c for c in town.domain.ledger.cards.values() if c.phone is not None]) == 1


class Liar(DirectLink):
    """Answers with what somebody else signed."""

    def attempt(self, message: bytes, timeout_s: float) -> Any:
        attempt = super().attempt(message, timeout_s)
        stranger = AUTHORITY.issue(Role.SAM, "SAM000000001")
        answer = cose.decode(attempt.reply or b"")
        return replace(attempt, reply=cose.sign1(stranger.key, answer.payload or b"", {cose.X5CHAIN: list(stranger.chain)}))


def test_answer_that_the_data_centre_did_not_sign_is_not_believed() -> None:
    town = Town()
    of = town.app("anna")
    with pytest.raises(Ended) as end:
        town.run(app.apply(of, ANNA.card_no, facts(ANNA)), Liar(town.service, town.clock))
    assert end.value.code == "9015"


def test_card_is_erased_even_when_the_line_fails_right_after_the_order() -> None:
    town = Town()
    old, old_card = town.enrolled(ANNA, "anna")
    first = [key for key in old.phone.keystore.names() if key.startswith("device.")]
    card = town.run(app.rebind(old, ANNA.card_no, certified_by(town, old, "rebind")))  # on the same phone
    grant = town.domain.guardians.grant(town.domain.by(ANNA), wish()).authorization
    town.run(app.hold(old, card, grant))
    assert town.domain.guardians.withdraw(town.domain.officer(), grant).ok
    held = old.phone.cards.get(OWN)
    assert held is not None and held.key not in first
    town.office.late[ANNA.card_no] = [late(1, held.holder)]
    with pytest.raises(Ended):  # everything after the first answer is lost
        town.run(app.sync(old), Failing(town.link(), Strike(1, Outcome.REQUEST_LOST, 9)))
    assert old.phone.cards.names() == [OWN] and old_card not in old.cards


def test_wallet_set_up_anew_is_another_phone_to_the_data_centre() -> None:
    """Whoever gets the phone next finds nothing on it, and is told nothing of who had it: the phone's own key is gone too."""
    town = Town()
    of, card = town.enrolled(ANNA, "anna")
    registered(town, late(1, key_of(of), Kind.PRESCRIPTION))
    assert town.run(app.restore_prescriptions(of, card)) == [WriteOutcome.STORED]
    of.phone.wipe()  # without telling anybody
    of.phone.format()
    with pytest.raises(Ended) as ended:
        town.run(app.restore_prescriptions(of, card))
    assert ended.value.code == "3241" and refused(town, app.call(of, "prescriptions", {"card": card})).code == "9002"
    told = town.run(app.sync(of))
    assert told["standing"] == {} and told["erase"] == []


def test_phone_that_has_told_of_its_erasure_is_known_no_more() -> None:
    town = Town()
    of, card = town.enrolled(ANNA, "anna")
    town.run(app.report_lost(town.app("friend"), ANNA.card_no, town.ticket(ANNA)))
    with pytest.raises(Ended):
        town.run(app.sync(of), Failing(town.link(), Strike(1, Outcome.REPLY_LOST)))
    assert not of.phone.vault.ready and "phone" in of.phone.keystore.names()  # it could not tell yet
    town.run(app.sync(of))
    assert town.domain.ledger.cards[card].state is State.WIPED and not of.phone.keystore.names()
