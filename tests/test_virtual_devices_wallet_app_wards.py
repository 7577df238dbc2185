"""DLG in messages between a phone and the data centre: a ward's card held, withdrawn, fetched again."""

from __future__ import annotations

from dataclasses import replace

import pytest

from virtual_devices.authorization import Purpose, Scope
from virtual_devices.lifecycle import State
from virtual_devices.pki import DAY_NS
from virtual_devices.reader.transmit import Ended
from virtual_devices.wallet import app
from virtual_devices.wallet.held import OWN

from .card_office import ANNA, CHILD
from .desk import NOW_NS
from .enrolment import Town, certified_by, refused, wish


def test_guardian_holds_the_card_of_a_ward_without_any_device() -> None:
    """DLG-01."""
    town = Town()
    of, own = town.enrolled(ANNA, "anna")
    grant = town.domain.guardians.grant(town.domain.by(ANNA), wish())
    held = town.run(app.hold(of, own, grant.authorization))
    assert held.authorization is not None and held.key == of.phone.cards.get(OWN).key  # type: ignore[union-attr]
    values = held.issued.values()["tw.nhi.bench.basic.1"]
    assert (values["name"], values["held_under"]) == (CHILD.name, grant.authorization)
    assert sorted(of.phone.cards.names()) == sorted([OWN, grant.authorization.hex()])


def test_withdrawn_authorization_gives_no_card_and_takes_the_one_away() -> None:
    """DLG-02."""
    town = Town()
    of, own = town.enrolled(ANNA, "anna")
    grant = town.domain.guardians.grant(town.domain.by(ANNA), wish())
    town.run(app.hold(of, own, grant.authorization))
    assert town.domain.guardians.withdraw(town.domain.officer(), grant.authorization).ok
    assert refused(town, app.hold(of, own, grant.authorization)).code != "0"
    town.run(app.sync(of))
    assert of.phone.cards.names() == [OWN]  # the ward's card is erased, the guardian's own stays


def test_request_sent_again_gives_no_credential_of_a_card_that_has_ended() -> None:
    town = Town()
    of = town.app("anna")
    card = town.run(app.apply(of, ANNA.card_no, town.ticket(ANNA)))
    activate = {"card": card}
    for _ in range(2):  # the answer was lost
        assert "issued" in town.ask(of, "activate", activate, b"a" * 16)[1]
    grant = town.domain.guardians.grant(town.domain.by(ANNA), wish())
    hold = {"card": card, "authorization": grant.authorization}
    assert "issued" in town.ask(of, "hold", hold, b"h" * 16)[1]
    assert town.domain.guardians.withdraw(town.domain.officer(), grant.authorization).ok
    code, body = town.ask(of, "hold", hold, b"h" * 16)
    assert code != "0" and "issued" not in body
    town.run(app.report_lost(town.app("friend"), ANNA.card_no, town.ticket(ANNA)))
    town.clock.advance_to(NOW_NS + 30 * DAY_NS)
    code, body = town.ask(of, "activate", activate, b"a" * 16)
    assert code != "0" and "issued" not in body


def test_guardian_on_a_new_phone_fetches_the_wards_cards_again() -> None:
    """The authorizations are made anew for the new key: the phone hears their ids when it asks what there is to do."""
    town = Town()
    of, own = town.enrolled(ANNA, "anna")
    grant = town.domain.guardians.grant(town.domain.by(ANNA), wish())
    assert town.run(app.sync(of))["authorizations"] == [[CHILD.card_no, grant.authorization]]
    town.run(app.hold(of, own, grant.authorization))
    new = town.app("anna's new phone")
    card = town.run(app.rebind(new, ANNA.card_no, certified_by(town, new, "rebind")))
    assert town.run(app.sync(of))["authorizations"] == []
    [[ward, moved]] = town.run(app.sync(new))["authorizations"]
    assert ward == CHILD.card_no and moved != grant.authorization
    held = town.run(app.hold(new, card, moved))
    assert held.issued.values()["tw.nhi.bench.basic.1"]["name"] == CHILD.name
    assert len([c for c in town.domain.ledger.cards.values() if c.held is not None and c.state is State.ACTIVE]) == 1


def test_wards_card_whose_answer_was_lost_is_given_again_to_the_same_key_only() -> None:
    town = Town()
    of, own = town.enrolled(ANNA, "anna")
    grant = town.domain.guardians.grant(town.domain.by(ANNA), wish())
    asked = {"card": own, "authorization": grant.authorization}
    first, second = (town.ask(of, "hold", asked, number)[1] for number in (b"1" * 16, b"2" * 16))  # the app began anew
    assert first["card"] == second["card"] and "issued" in second
    assert town.domain.cards.suspend(town.domain.officer(), str(first["card"])).ok
    assert town.ask(of, "hold", asked, b"3" * 16)[0] == "9011"


@pytest.mark.parametrize("purpose", list(Purpose))
def test_wards_card_is_held_for_whatever_purpose_was_granted(purpose: Purpose) -> None:
    town = Town()
    of, own = town.enrolled(ANNA, "anna")
    grant = town.domain.guardians.grant(town.domain.by(ANNA), replace(wish(frozenset({Scope.BASIC})), purpose=purpose))
    assert town.run(app.hold(of, own, grant.authorization)).held_under == grant.authorization


def test_another_authorization_than_was_asked_for_is_not_taken_in() -> None:
    """A narrow one was asked for, and a wide one of the same ward and guardian would stand under its name."""
    town = Town()
    of, own = town.enrolled(ANNA, "anna")
    narrow, wide = (
        town.domain.guardians.grant(town.domain.by(ANNA), wish(scope)).authorization
        for scope in (frozenset({Scope.BASIC}), frozenset({Scope.BASIC, Scope.MEDICAL}))
    )
    right = town.service._authorization
    town.service._authorization = lambda _, key: right(town.domain.guardians.grants[wide], key)  # type: ignore[method-assign]
    with pytest.raises(Ended) as end:
        town.run(app.hold(of, own, narrow))
    assert end.value.code == "9015" and of.phone.cards.names() == [OWN]
