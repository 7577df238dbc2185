"""ENR in messages between a phone and the data centre: who may apply, prove, and find again what was asked for."""

from __future__ import annotations

from typing import Any

import pytest

from virtual_devices.clock import NS
from virtual_devices.cloud.challenges import CHALLENGE_LIFE_S
from virtual_devices.cloud.identification import CardSession
from virtual_devices.cloud.phone_messages import bound_proof
from virtual_devices.lifecycle import State
from virtual_devices.link import Outcome
from virtual_devices.reader.transmit import Ended
from virtual_devices.wallet import app
from virtual_devices.wallet.app import App
from virtual_devices.wallet.bound import NAMES, prove_bound
from virtual_devices.wallet.consent import Use
from virtual_devices.wallet.held import OWN
from virtual_devices.wallet.holder import Verdict
from virtual_devices.wallet.keystore import KeyDenied

from .card_office import ANNA, BO
from .desk import NOW_NS
from .enrolment import Town, certified_by, facts, refused
from .links import Failing, Strike
from .wallets import PHONE_PIN


def test_online_with_a_citizen_certificate_needs_no_counter() -> None:
    """ENR-02."""
    town = Town()
    of = town.app("anna")
    card = town.run(app.apply(of, ANNA.card_no, certified_by(town, of, "apply")))
    held = town.run(app.activate(of, card, certified_by(town, of, "activate")))
    assert held.issued.values()["tw.nhi.bench.basic.1"]["name"] == ANNA.name and of.phone.cards.get(OWN) is not None
    assert town.domain.ledger.standing(card, NOW_NS).number == "0" and held.qr is not None


def test_facts_let_one_apply_and_no_more() -> None:
    town = Town()
    of = town.app("anna")
    card = town.run(app.apply(of, ANNA.card_no, facts(ANNA)))
    end = refused(town, app.activate(of, card))
    assert end.code != "0" and of.phone.cards.get(OWN) is None
    given = {**facts(ANNA), "phone_no": ANNA.phone_no}
    town.run(app.call(of, "send-code", {"card_no": ANNA.card_no, "given": given}))
    code = town.office.telephone[ANNA.card_no]
    wrong = {**given, "one_time_code": f"{(int(code) + 1) % 10**6:06d}"}
    assert refused(town, app.activate(of, card, wrong)).space == "vhc"
    town.run(app.activate(of, card, {**given, "one_time_code": code}))
    assert of.phone.cards.get(OWN) is not None


def test_with_the_physical_card_at_a_reader() -> None:
    """ENR-01: a three-card session that a desk has told of, once."""
    town = Town()
    of = town.app("bo")
    town.office.card_sessions[b"s" * 16] = CardSession(b"s" * 16, BO.card_no, NOW_NS)
    card = town.run(app.apply(of, BO.card_no, {"statement": b"s" * 16}))
    assert refused(town, app.activate(of, card, {"statement": b"s" * 16})).code == "66008"  # used before
    town.office.card_sessions[b"t" * 16] = CardSession(b"t" * 16, BO.card_no, NOW_NS)
    town.run(app.activate(of, card, {"statement": b"t" * 16}))
    assert of.phone.cards.get(OWN) is not None


@pytest.mark.parametrize("wrong", ["abc", None, -1, 2**45, [300], {}, b"", b"s" * 15, b"s" * 17])
def test_statement_that_is_none_is_answered(wrong: Any) -> None:
    town = Town()
    of = town.app("anna")
    arguments = {"card_no": ANNA.card_no, "given": {"statement": wrong}}
    for operation in ("send-code", "apply", "rebind", "report-lost"):
        assert refused(town, app.call(of, operation, arguments)).code == "9002"


def test_citizen_certificate_signs_for_one_operation_and_person_and_challenge() -> None:
    town = Town()
    of, _ = town.enrolled(ANNA, "anna")
    signed = certified_by(town, of, "suspend")
    assert refused(town, app.report_lost(of, ANNA.card_no, signed)).code == "9002"  # for another operation, and used up by it
    for_bo = town.certificate(BO, of, "report-lost") | {"id_no": ANNA.id_no}
    assert refused(town, app.report_lost(of, ANNA.card_no, for_bo)).code == "9002"
    right = certified_by(town, of, "report-lost")
    town.clock.advance_to(NOW_NS + CHALLENGE_LIFE_S * NS)
    assert refused(town, app.report_lost(of, ANNA.card_no, right)).code == "9002"  # too old
    right = certified_by(town, of, "report-lost")
    town.run(app.report_lost(of, ANNA.card_no, right))
    assert refused(town, app.report_lost(of, ANNA.card_no, right)).code == "9002"  # used before


def suspend(of: App, card: str, given: dict[str, Any]) -> Any:
    return app.call(of, "suspend", {"card": card, "given": {"id_no": ANNA.id_no, **given}})


def consent(town: Town, of: App) -> None:
    assert of.phone.holder.enter_pin(PHONE_PIN, town.clock.now_ns()).verdict is Verdict.RIGHT
    assert of.phone.arm(Use.REGISTRATION, NAMES, town.clock.now_ns(), write=False)


def test_own_phone_proves_itself_by_its_cards_key_with_consent() -> None:
    """The phone's own key, which is free, and the data centre's ledger prove nothing about who has the phone in hand."""
    town = Town()
    of, card = town.enrolled(ANNA, "anna")
    assert refused(town, suspend(of, card, {"bound": True})).code != "0"
    with pytest.raises(KeyDenied):
        town.run(prove_bound(of, "suspend", ANNA.card_no))
    assert of.phone.holder.enter_pin(PHONE_PIN, NOW_NS).verdict is Verdict.RIGHT and of.phone.approve(Use.REGISTRATION, NOW_NS)
    proof = town.run(prove_bound(of, "suspend", ANNA.card_no))
    town.run(suspend(of, card, proof))
    assert town.domain.ledger.cards[card].state is State.SUSPENDED
    assert refused(town, suspend(of, card, proof)).code == "9002"  # used up
    with pytest.raises(KeyDenied):
        town.run(prove_bound(of, "resume", ANNA.card_no))  # the consent too


def test_own_phones_proof_is_for_one_operation_and_by_the_cards_key() -> None:
    town = Town()
    of, card = town.enrolled(ANNA, "anna")
    consent(town, of)
    proof = town.run(prove_bound(of, "suspend", ANNA.card_no))
    assert refused(town, app.report_lost(of, ANNA.card_no, {"id_no": ANNA.id_no, **proof})).code == "9002"
    challenge = town.run(app.call(of, "challenge", {}))["challenge"]
    forged = bound_proof("suspend", ANNA.card_no, challenge, lambda m: of.phone.keystore.sign("phone", m))
    assert refused(town, suspend(of, card, {"bound_proof": forged})).code == "9002"
    for wrong in (True, b"", [], [b"", {}, None, b""], None):
        assert refused(town, suspend(of, card, {"bound_proof": wrong})).code == "9002"


def test_after_a_change_of_key_the_new_card_proves_itself() -> None:
    town = Town()
    of, _ = town.enrolled(ANNA, "anna")
    card = town.run(app.rebind(of, ANNA.card_no, certified_by(town, of, "rebind")))
    consent(town, of)
    town.run(suspend(of, card, town.run(prove_bound(of, "suspend", ANNA.card_no))))
    assert town.domain.ledger.cards[card].state is State.SUSPENDED


def asked(town: Town, of: App, operation: str, number: bytes, key: str, given: dict[str, Any]) -> tuple[str, Any]:
    """An application with that number for that key, attested for the challenge of now: code and card."""
    challenge = town.run(app.call(of, "challenge", {}))["challenge"]
    attestation = of.attest(key, challenge)
    arguments = {"card_no": ANNA.card_no, "given": given, "attestation": attestation}
    code, body = town.ask(of, operation, arguments, number)
    return code, body.get("card")


@pytest.mark.parametrize("operation", ["apply", "rebind"])
def test_enrolment_whose_answer_was_lost_is_found_again_by_whatever_proof(operation: str) -> None:
    town = Town()
    if operation == "rebind":
        town.enrolled(ANNA, "old phone")
    of = town.app("anna")
    key, ticket = of.phone.new_key(), town.ticket(ANNA)
    first = asked(town, of, operation, b"1" * 16, key, ticket)
    assert first[0] == "0"
    assert asked(town, of, operation, b"1" * 16, key, ticket) == first  # the same ticket, used up by this very request
    assert asked(town, of, operation, b"1" * 16, key, town.ticket(ANNA)) == first
    assert asked(town, of, operation, b"1" * 16, key, certified_by(town, of, operation)) == first
    assert asked(town, of, operation, b"1" * 16, of.phone.new_key(), town.ticket(ANNA))[0] == "9002"  # another request
    assert asked(town, of, operation, b"2" * 16, of.phone.new_key(), ticket)[0] != "0"  # the ticket was good for one request
    assert len([c for c in town.domain.ledger.cards.values() if c.phone and c.phone.device == first_device(town, first)]) == 1


def first_device(town: Town, first: tuple[str, Any]) -> bytes:
    phone = town.domain.ledger.cards[first[1]].phone
    assert phone is not None
    return phone.device


def test_application_by_facts_is_found_again_by_certificate() -> None:
    town = Town()
    of = town.app("anna")
    key = of.phone.new_key()
    first = asked(town, of, "apply", b"1" * 16, key, facts(ANNA))
    assert first[0] == "0" and asked(town, of, "apply", b"1" * 16, key, certified_by(town, of, "apply")) == first


def test_activation_whose_answer_was_lost_is_found_again_by_whatever_proof() -> None:
    """The first answer was lost; meanwhile the patient stands at a counter, or has found their certificate."""
    town = Town()
    of, number = town.app("anna"), b"1" * 16
    card = town.run(app.apply(of, ANNA.card_no, facts(ANNA)))
    ticket = town.ticket(ANNA)
    first = town.ask(of, "activate", {"card": card, "given": ticket}, number)
    assert first[0] == "0"
    for given in (ticket, town.ticket(ANNA), certified_by(town, of, "activate"), {}):
        code, body = town.ask(of, "activate", {"card": card, "given": given}, number)
        assert (code, body["card"]) == ("0", card)
    assert town.ask(of, "activate", {"card": card}, number)[0] == "0"
    stranger = town.app("a stranger's phone")
    assert town.ask(stranger, "activate", {"card": card, "given": ticket}, number)[0] == "9002"
    code_key = of.attest(of.phone.new_key(), town.run(app.call(of, "challenge", {}))["challenge"])
    assert town.ask(of, "activate", {"card": card, "qr_attestation": code_key}, number)[0] == "9002"  # something else


@pytest.mark.parametrize("operation", ["report-lost", "suspend", "resume", "recall"])
def test_act_whose_answer_was_lost_is_found_again_by_whatever_proof(operation: str) -> None:
    town = Town()
    of, card = town.enrolled(ANNA, "anna")
    if operation == "resume":
        assert town.ask(of, "suspend", {"card": card, "given": certified_by(town, of, "suspend")}, b"0" * 16)[0] == "0"
    about = {"card_no": ANNA.card_no, "card": card}
    first = town.ask(of, operation, {**about, "given": certified_by(town, of, operation)}, b"1" * 16)
    assert first[0] == "0" and first[1]["cards"] == [card]
    reached = {**facts(ANNA), "phone_no": ANNA.phone_no, "one_time_code": "000000"}
    for given in (town.ticket(ANNA), certified_by(town, of, operation), reached):
        assert town.ask(of, operation, {**about, "given": given}, b"1" * 16) == first
    assert len([e for e in town.domain.ledger.journal.entries if e.card == card and e.what == operation.replace("-", " ")]) == 1


def test_better_proof_after_a_refusal_that_was_never_heard_is_judged_anew() -> None:
    """A mistyped code, the line fails, the right code: under the same id, as the phone knows no answer."""
    town = Town()
    of = town.app("anna")
    card = town.run(app.apply(of, ANNA.card_no, facts(ANNA)))
    given = {**facts(ANNA), "phone_no": ANNA.phone_no}
    town.run(app.call(of, "send-code", {"card_no": ANNA.card_no, "given": given}))
    code = town.office.telephone[ANNA.card_no]
    wrong, right = ({**given, "one_time_code": digits} for digits in (f"{(int(code) + 1) % 10**6:06d}", code))
    with pytest.raises(Ended):
        town.run(app.activate(of, card, wrong), Failing(town.link(), Strike(1, Outcome.REPLY_LOST)))
    town.run(app.activate(of, card, right))
    assert town.domain.ledger.cards[card].state is State.ACTIVE


def test_application_by_facts_keeps_the_person_out_no_longer_than_they_prove_themselves() -> None:
    """Family, or a thief of papers, has applied on a phone of theirs; it was never activated."""
    town = Town()
    other, of = town.app("somebody's"), town.app("anna")
    first = town.run(app.apply(other, ANNA.card_no, facts(ANNA)))
    assert refused(town, app.apply(of, ANNA.card_no, facts(ANNA))).code == "3239"
    card = town.run(app.apply(of, ANNA.card_no, certified_by(town, of, "apply")))
    town.run(app.activate(of, card))
    assert town.domain.ledger.cards[first].state is State.ENDED and town.domain.ledger.cards[card].state is State.ACTIVE
    assert refused(town, app.activate(other, first, facts(ANNA))).code == "3241"
    assert refused(town, app.apply(other, ANNA.card_no, facts(ANNA))).code != "0"


def test_new_application_takes_the_place_of_one_that_came_to_nothing() -> None:
    town = Town()
    of = town.app("anna")
    first = town.run(app.apply(of, ANNA.card_no, facts(ANNA)))
    second = town.run(app.apply(of, ANNA.card_no, town.ticket(ANNA)))
    assert list(of.applied) == [second] != [first]
    town.run(app.activate(of, second))
    assert of.applied == {} and sorted(device_keys(of)) == ["code." + own_key(of), own_key(of)]


def device_keys(of: App) -> list[str]:
    return [name for name in of.phone.keystore.names() if name.startswith(("device.", "code."))]


def own_key(of: App) -> str:
    held = of.phone.cards.get(OWN)
    assert held is not None
    return held.key
