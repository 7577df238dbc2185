"""The app is switched off anywhere, or loses an answer, and is started anew: nothing is lost or stuck, and both sides agree."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from virtual_devices import cose, vhc
from virtual_devices.cloud.late import LateRecords, late_id
from virtual_devices.link import DirectLink, Outcome, PowerCut
from virtual_devices.mdoc.tagged import dumps
from virtual_devices.reader.transmit import Ended
from virtual_devices.wallet import app
from virtual_devices.wallet.app import App
from virtual_devices.wallet.held import OWN
from virtual_devices.wallet.phone import Phone
from virtual_devices.write_back import Kind, Record, holder_of

from .card_office import ANNA, BO
from .desk import AUTHORITY, NOW_NS
from .enrolment import MAKER, Town, wish
from .links import Failing, Strike
from .test_virtual_devices_holder_writing import HPC, HPC_READER, SAM, SAM_READER, signed
from .wallets import PHONE_PIN

CHAINS = (SAM_READER.chain, HPC_READER.chain)
MOST_CUTS = 300


def restarted(town: Town, of: App) -> App:
    """The same phone, from what lies in its memories, and a new app on it."""
    old = of.phone
    made = Phone(
        "town", old.name, AUTHORITY.root_der, maker=MAKER.batch(1), flash=old.vault.backup(), keystore=old.keystore.cells()
    )
    made.start(town.clock.now_ns())
    return App(made, town.clock)


def cut(town: Town, of: App, flow: Callable[[App], Any], points: int) -> tuple[App, bool]:
    """The flow with a cut after so many points; the app afterwards, and whether the power went."""
    of.phone.power.arm_cut(points)
    try:
        town.run(flow(of))
    except PowerCut:
        return restarted(town, of), True
    of.phone.power.arm_cut(None)
    return of, False


def states(town: Town) -> dict[str, str]:
    return {c.name: c.state.value for c in town.domain.ledger.cards.values() if c.phone is not None}


def agree(town: Town, of: App) -> None:
    """What the data centre calls active on this phone is on it, and nothing else."""
    device = {c.name for c in town.domain.ledger.cards.values() if c.phone is not None and c.state.value == "active"}
    assert set(of.cards) == device
    assert of.applied == {}


def keys_of_cards(of: App) -> None:
    """In the keystore are the keys of the cards on the phone, and no others of cards."""
    needed = of.phone.cards.keys()
    assert needed and {k.removeprefix("code.") for k in of.phone.keystore.names() if k.startswith(("device.", "code."))} == needed


def test_cut_anywhere_in_applying_makes_one_card() -> None:
    for points in range(MOST_CUTS):
        town = Town()
        of, went = cut(town, town.app("a"), lambda of: app.apply(of, ANNA.card_no, town.ticket(ANNA)), points)  # noqa: B023
        if not went:
            break
        card = town.run(app.apply(of, ANNA.card_no, town.ticket(ANNA))) if not of.applied else next(iter(of.applied))
        town.run(app.activate(of, card, town.ticket(ANNA)))
        assert states(town) == {card: "active"}
        agree(town, of)
    assert 10 < points < MOST_CUTS - 1


def test_cut_anywhere_in_activating_leaves_a_card_that_can_be_fetched() -> None:
    for points in range(MOST_CUTS):
        town = Town()
        of = town.app("a")
        card = town.run(app.apply(of, ANNA.card_no, town.ticket(ANNA)))
        of, went = cut(town, of, lambda of: app.activate(of, card, town.ticket(ANNA)), points)  # noqa: B023
        assert town.run(app.activate(of, card, town.ticket(ANNA))).card == card
        agree(town, of)
        keys_of_cards(of)
        if not went:
            break
    assert 10 < points < MOST_CUTS - 1


@pytest.mark.parametrize("same", [False, True])
def test_cut_anywhere_in_changing_phones_or_keys_ends_with_the_new_card(same: bool) -> None:
    for points in range(MOST_CUTS):
        town = Town()
        old, first = town.enrolled(ANNA, "old")
        of = old if same else town.app("new")
        of, went = cut(town, of, lambda of: app.rebind(of, ANNA.card_no, town.ticket(ANNA)), points)  # noqa: B023
        town.run(app.sync(of))
        if went and (of.phone.cards.get(OWN) is None or of.cards == {first: OWN}):
            town.run(app.rebind(of, ANNA.card_no, town.ticket(ANNA)))
        town.run(app.sync(old if not same else of))
        town.run(app.sync(of))
        agree(town, of)
        assert list(states(town).values()).count("active") == 1 and len(states(town)) == 2, (points, states(town))
        assert of.phone.vault.ready and of.phone.holder.has_pin
        keys_of_cards(of)
        if not went:
            break
    assert 10 < points < MOST_CUTS - 1


def test_cut_anywhere_in_erasing_the_own_card_is_finished_at_the_next_contact() -> None:
    for points in range(MOST_CUTS):
        town = Town()
        of, card = town.enrolled(ANNA, "lost")
        town.run(app.report_lost(town.app("friend"), ANNA.card_no, town.ticket(ANNA)))
        of, went = cut(town, of, app.sync, points)
        if of.phone.vault.ready:
            assert of.cards == {card: OWN} and states(town)[card] != "wiped"  # not told before it is true
        town.run(app.sync(of))
        assert not of.phone.vault.ready and states(town)[card] == "wiped"
        assert not [k for k in of.phone.keystore.names() if k.startswith(("device.", "code."))]
        if not went:
            break
    assert 10 < points < MOST_CUTS - 1


def test_cut_anywhere_in_erasing_a_wards_card_is_finished_at_the_next_contact() -> None:
    for points in range(MOST_CUTS):
        town = Town()
        of, own = town.enrolled(ANNA, "anna")
        grant = town.domain.guardians.grant(town.domain.by(ANNA), wish())
        ward = town.run(app.hold(of, own, grant.authorization)).card
        assert town.domain.guardians.withdraw(town.domain.officer(), grant.authorization).ok
        of, went = cut(town, of, app.sync, points)
        assert ward not in of.cards or states(town)[ward] != "wiped"
        town.run(app.sync(of))
        assert of.cards == {own: OWN} and states(town)[ward] == "wiped"
        if not went:
            break
    assert 5 < points < MOST_CUTS - 1


def test_cut_anywhere_in_holding_a_wards_card_leaves_it_to_be_fetched() -> None:
    for points in range(MOST_CUTS):
        town = Town()
        of, own = town.enrolled(ANNA, "anna")
        cti = town.domain.guardians.grant(town.domain.by(ANNA), wish()).authorization
        of, went = cut(town, of, lambda of: app.hold(of, own, cti), points)  # noqa: B023
        if cti.hex() not in of.phone.cards.names():
            town.run(app.hold(of, own, cti))
        agree(town, of)
        if not went:
            break
    assert 5 < points < MOST_CUTS - 1


def test_cut_anywhere_in_taking_late_records_takes_them_once() -> None:
    for points in range(MOST_CUTS):
        town = Town()
        of, _ = town.enrolled(ANNA, "anna")
        whose = holder_of(of.phone.cards.get(OWN).mso.device_key)  # type: ignore[union-attr]
        records = (signed(Record(Kind.VISIT, b"1" * 16, whose, NOW_NS, {1: b"visit"}), HPC, SAM),)
        town.office.late[ANNA.card_no] = [LateRecords(late_id(records, CHAINS), records, CHAINS, whose, NOW_NS)]
        of, went = cut(town, of, app.sync, points)
        town.run(app.sync(of))
        assert of.phone.records().all() == list(records) and town.office.late[ANNA.card_no] == []
        if not went:
            break
    assert 5 < points < MOST_CUTS - 1


# -- answers that are lost, and an app that is started anew

@pytest.mark.parametrize("outcome", [Outcome.REQUEST_LOST, Outcome.REPLY_LOST])
def test_lost_answer_and_a_new_app_get_the_card_all_the_same(outcome: Outcome) -> None:
    for at in range(2):
        town = Town()
        _, first = town.enrolled(ANNA, "old")
        of = town.app("new")
        with pytest.raises(Ended) as end:
            town.run(app.rebind(of, ANNA.card_no, town.ticket(ANNA)), Failing(town.link(), Strike(at, outcome)))
        assert end.value.code == "4061"
        of = restarted(town, of)
        card = town.run(app.rebind(of, ANNA.card_no, town.ticket(ANNA)))
        assert states(town) == {first: "re-bound", card: "active"} and of.cards == {card: OWN}


def test_key_that_is_refused_is_not_asked_for_again() -> None:
    """A key burnt by an answer that was lost does not bar the phone for ever, and none is left behind in the keystore."""
    town = Town()
    of, _ = town.enrolled(ANNA, "anna")
    used = of.phone.cards.get(OWN).key  # type: ignore[union-attr]
    what = f"rebind.{ANNA.card_no}"
    of.unfinished.commit(of.unfinished.binding(what, used))
    with pytest.raises(app.Refusal) as end:
        town.run(app.rebind(of, ANNA.card_no, town.ticket(ANNA)))
    assert end.value.code == "1024" and of.unfinished.key_for(what) == ""
    with pytest.raises(app.Refusal) as end:
        town.run(app.rebind(of, ANNA.card_no, {"id_no": ANNA.id_no}))  # too little
    assert end.value.code == "1057"
    keys_of_cards(of)
    card = town.run(app.rebind(of, ANNA.card_no, town.ticket(ANNA)))
    assert of.cards == {card: OWN}


def test_change_of_key_on_the_same_phone_keeps_the_phone() -> None:
    town = Town()
    of, first = town.enrolled(ANNA, "anna")
    whose = holder_of(of.phone.cards.get(OWN).mso.device_key)  # type: ignore[union-attr]
    records = (signed(Record(Kind.VISIT, b"1" * 16, whose, NOW_NS, {1: b"visit"}), HPC, SAM),)
    town.office.late[ANNA.card_no] = [LateRecords(late_id(records, CHAINS), records, CHAINS, whose, NOW_NS)]
    town.run(app.sync(of))
    assert len(of.phone.records().all()) == 1
    card = town.run(app.rebind(of, ANNA.card_no, town.ticket(ANNA)))
    assert of.phone.records().all() == []  # they name the former key
    town.run(app.sync(of))
    town.run(app.sync(restarted(town, of)))
    assert of.cards == {card: OWN} and states(town)[card] == "active" and first not in of.cards


def test_new_app_knows_the_cards_and_erases_what_it_is_told_to() -> None:
    town = Town()
    of, card = town.enrolled(ANNA, "anna")
    town.run(app.report_lost(town.app("friend"), ANNA.card_no, town.ticket(ANNA)))
    of = restarted(town, of)
    assert of.cards == {card: OWN}
    town.run(app.sync(of))
    assert not of.phone.vault.ready and states(town)[card] == "wiped"


def test_wiped_phone_is_set_up_anew_before_it_applies() -> None:
    town = Town()
    of, _ = town.enrolled(ANNA, "anna")
    town.run(app.report_lost(town.app("friend"), ANNA.card_no, town.ticket(ANNA)))
    town.run(app.sync(of))
    before = states(town)
    for flow in (app.apply, app.rebind):
        with pytest.raises(Ended) as end:
            town.run(flow(of, ANNA.card_no, town.ticket(ANNA)))
        assert end.value.code == "3241" and states(town) == before  # nothing was asked
    of.phone.format()
    assert of.phone.holder.set_pin(PHONE_PIN, NOW_NS)
    card = town.run(app.apply(of, ANNA.card_no, town.ticket(ANNA)))
    town.run(app.activate(of, card, town.ticket(ANNA)))
    assert of.cards == {card: OWN} and states(town)[card] == "active"


def test_second_persons_card_is_not_applied_for_on_a_phone_that_has_one() -> None:
    town = Town()
    of, card = town.enrolled(ANNA, "anna")
    for flow in (app.apply, app.rebind):
        with pytest.raises(Ended) as end:
            town.run(flow(of, BO.card_no, town.ticket(BO)))
        assert end.value.code == "5020"
    assert states(town) == {card: "active"} and of.phone.cards.get(OWN).issued.values()[vhc.BASIC]["name"] == ANNA.name  # type: ignore[union-attr]


# -- a data centre that answers nonsense

class Nonsense(DirectLink):
    """Answers as the data centre signs it, with another content."""

    def __init__(self, town: Town, body: Any) -> None:
        super().__init__(town.service, town.clock, channel="network")
        self._town, self._body = town, body

    def attempt(self, message: bytes, timeout_s: float) -> Any:
        attempt = super().attempt(message, timeout_s)
        payload = dict(cose.decode(attempt.reply or b"").payload_map() or {})
        centre = self._town.issuer.data_centre
        payload |= {8: "0", 9: self._body}
        return replace(attempt, reply=cose.sign1(centre.key, dumps(payload), {cose.X5CHAIN: list(centre.chain)}))


DETACHED = {"issuerAuth": [b"\xa1\x01\x26", {}, None, b""]}


@pytest.mark.parametrize("body", [
    {}, {"challenge": 5}, {"challenge": b"c" * 16}, {"challenge": b"c" * 16, "card": 7},
    {"challenge": b"c" * 16, "card": "V1", "issued": DETACHED}, {"challenge": b"c" * 16, "card": "V1", "issued": 5, "qr": 5},
    {"late": 5}, {"late": [5]}, {"late": [[]]}, {"late": [[5]]}, {"erase": 5}, {"erase": [5]}, {"standing": [5]}, [5],
    {"prescriptions": 5}, {"prescriptions": [5]}, {"prescriptions": [[1]]}, {"prescriptions": [[1, "x"]]},
])
def test_answer_of_nonsense_ends_the_flow_and_changes_nothing(body: Any) -> None:
    town = Town()
    of, card = town.enrolled(ANNA, "anna")
    new = town.app("new")
    waiting = town.run(app.apply(new, BO.card_no, town.ticket(BO)))
    cti = town.domain.guardians.grant(town.domain.by(ANNA), wish()).authorization
    flows = {
        "rebind": app.rebind(of, ANNA.card_no, {}), "hold": app.hold(of, card, cti), "sync": app.sync(of),
        "activate": app.activate(new, waiting, {}), "prescriptions": app.restore_prescriptions(of, card),
    }
    ended = []
    for name, flow in flows.items():
        try:
            town.run(flow, Nonsense(town, body))
        except Ended as e:
            assert e.code == "9015"
            ended.append(name)
    assert {"rebind", "hold", "activate"} <= set(ended)
    assert ("sync" in ended) == bool(isinstance(body, dict) and {"late", "erase"} & set(body))
    assert ("prescriptions" in ended) == (isinstance(body, dict) and "prescriptions" in body)
    assert of.cards == {card: OWN} and list(new.applied) == [waiting]
