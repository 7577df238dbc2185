"""ENR, BND, LIF, DLG in messages between a phone and the data centre: applied for, bound, changed, lost, erased, held."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from virtual_devices import cose
from virtual_devices.authorization import Purpose, Relation, Scope
from virtual_devices.clock import NS
from virtual_devices.cloud.challenges import CHALLENGE_LIFE_S, Challenges, Newest
from virtual_devices.cloud.guardians import Ground, Wish
from virtual_devices.cloud.identification import CardSession
from virtual_devices.cloud.journal import Answer, Asker, Journal, Request
from virtual_devices.cloud.late import LateRecords, late_id
from virtual_devices.cloud.phone_messages import bound_proof
from virtual_devices.cloud.restoring import Prescription
from virtual_devices.lifecycle import OK, FieldCode, Party, State
from virtual_devices.link import DirectLink, Outcome
from virtual_devices.pki import DAY_NS, Role
from virtual_devices.reader.transmit import Ended
from virtual_devices.status_list import Status, StatusLists
from virtual_devices.wallet import app
from virtual_devices.wallet.app import App, Refusal
from virtual_devices.wallet.bound import NAMES, prove_bound
from virtual_devices.wallet.consent import Use
from virtual_devices.wallet.held import OWN
from virtual_devices.wallet.holder import Verdict
from virtual_devices.wallet.keystore import KeyDenied, Policy
from virtual_devices.wallet.keystore import Purpose as KeyPurpose
from virtual_devices.wallet.vault import search
from virtual_devices.write_back import Kind, Record, WriteOutcome, holder_of

from .card_office import ANNA, BO, CHILD, certified
from .desk import AUTHORITY, NOW_NS
from .enrolment import Town, facts
from .links import Failing, Strike
from .test_virtual_devices_holder_writing import HPC, HPC_READER, SAM, SAM_READER, signed
from .wallets import PHONE_PIN


def refused(town: Town, flow: Any) -> Refusal:
    with pytest.raises(Refusal) as end:
        town.run(flow)
    return end.value


def test_online_with_a_citizen_certificate_needs_no_counter() -> None:
    """ENR-02."""
    town = Town()
    of = town.app("anna")
    card = town.run(app.apply(of, ANNA.card_no, certified_by(town, of, "apply")))
    held = town.run(app.activate(of, card, certified_by(town, of, "activate")))
    assert held.issued.values()["tw.nhi.bench.basic.1"]["name"] == ANNA.name and of.phone.cards.get(OWN) is not None
    assert town.domain.ledger.standing(card, NOW_NS).number == "0" and held.qr is not None


def certified_by(town: Town, of: App, operation: str) -> dict[str, Any]:
    return town.certificate(ANNA, of, operation)


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


def test_key_in_software_is_bound_to_nothing() -> None:
    """BND-01."""
    town = Town()
    of = town.app("soft", hardware=False)
    assert refused(town, app.apply(of, ANNA.card_no, facts(ANNA))).code == "1024"


def test_key_for_codes_is_attested_like_the_device_key() -> None:
    """A QR credential for a key in software, or one that works without its holder, would be a card that anybody can copy."""
    town = Town()
    of, soft = town.app("anna"), town.app("soft", hardware=False)
    card = town.run(app.apply(of, ANNA.card_no, town.ticket(ANNA)))
    keystore = of.phone.keystore
    keystore.make("free", KeyPurpose.SIGN, Policy.FREE)

    def activate(attest: Any, number: bytes) -> tuple[str, dict[str, Any]]:
        challenge = town.run(app.call(of, "challenge", {}))["challenge"]
        return town.ask(of, "activate", {"card": card, "qr_attestation": attest(challenge)}, number)

    wrong: list[Callable[[bytes], bytes]] = [
        lambda c: keystore.attest("free", c), lambda c: soft.phone.keystore.attest(soft.phone.new_key(), c),
        lambda c: keystore.attest(of.phone.new_key(), b"another" + c[7:]), lambda _: b"",
    ]
    for attest in wrong:
        assert activate(attest, b"1" * 16)[0] == "1024" and town.domain.ledger.cards[card].state is State.ISSUED
    right, another = of.phone.new_key(), of.phone.new_key()
    for _ in range(2):
        code, body = activate(lambda c: keystore.attest(right, c), b"2" * 16)
        assert code == "0" and body["qr"] is not None
    assert activate(lambda c: keystore.attest(another, c), b"2" * 16)[0] == "9002"


def test_attestation_for_another_challenge_is_refused() -> None:
    town = Town()
    of = town.app("anna")
    old = town.run(app.call(of, "challenge", {}))["challenge"]
    town.run(app.apply(of, ANNA.card_no, facts(ANNA)))  # uses it up
    key = of.phone.new_key()
    arguments = {"card_no": ANNA.card_no, "given": facts(ANNA), "attestation": of.phone.keystore.attest(key, old)}
    assert refused(town, app.call(of, "apply", arguments)).code == "1024"


@pytest.mark.parametrize("waited_s", [0, 599, 600])
def test_attestation_needs_a_challenge_that_was_given_and_is_not_over(waited_s: int) -> None:
    town = Town()
    of = town.app("anna")

    def apply(challenge: bytes) -> Any:
        attestation = of.phone.keystore.attest(of.phone.new_key(), challenge)
        return app.call(of, "apply", {"card_no": ANNA.card_no, "given": facts(ANNA), "attestation": attestation})

    assert refused(town, apply(b"")).code == "1024"  # none was asked for
    given = town.run(app.call(of, "challenge", {}))["challenge"]
    town.clock.advance_to(NOW_NS + waited_s * NS)
    if waited_s < CHALLENGE_LIFE_S:
        town.run(apply(given))
    assert refused(town, apply(given)).code == "1024"


def test_challenges_are_kept_for_so_many_askers() -> None:
    drawn = iter(range(9))
    out: Challenges[int] = Challenges(lambda n: bytes([next(drawn)]) * n, most=2)
    first, second = out.give(1, NOW_NS), out.give(2, NOW_NS)
    assert out.give(1, NOW_NS + 1) == first != second and len(first) == 16
    out.give(3, NOW_NS)
    assert len(out) == 2 and out.use(1, NOW_NS) is None and out.use(2, NOW_NS) == second and out.use(2, NOW_NS) is None
    assert out.use(3, NOW_NS + CHALLENGE_LIFE_S * NS) is None and len(out) == 0


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
    assert town.domain.restoring.keep(town.domain.officer(), ANNA.card_no, Prescription(b"p" * 16, b"signed")).ok
    new = town.app("new phone")
    card = town.run(app.rebind(new, ANNA.card_no, certified_by(town, new, "rebind")))
    assert town.run(app.restore_prescriptions(new, card)) == [b"signed"]
    assert refused(town, app.restore_prescriptions(old, old_card)).code != "0"


def wish(scope: frozenset[Scope] = frozenset({Scope.BASIC, Scope.MEDICAL, Scope.WRITE}), days: int = 300) -> Wish:
    return Wish(
        CHILD.card_no, ANNA.card_no, Relation.PARENT, Ground.PARENT, scope, Purpose.CARE, NOW_NS, NOW_NS + days * DAY_NS,
        certified(ANNA),
    )


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


def asked(town: Town, of: App, operation: str, number: bytes, key: str, given: dict[str, Any]) -> tuple[str, Any]:
    """An application with that number for that key, attested for the challenge of now: code and card."""
    challenge = town.run(app.call(of, "challenge", {}))["challenge"]
    attestation = of.phone.keystore.attest(key, challenge)
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


def test_what_is_kept_for_askers_is_so_much_and_no_more() -> None:
    kept: Newest[int, str] = Newest(most=2)
    for number in range(5):
        kept.put(number, str(number))
    assert len(kept) == 2 and kept.get(2) is None and kept.get(3) == "3"


def test_refusals_are_kept_for_so_many_and_what_was_done_for_good() -> None:
    journal, asker = Journal(most_refused=2), Asker(Party.HOLDER, "anna")
    done: list[bytes] = []

    def act(number: int, code: FieldCode) -> FieldCode:
        request = Request(bytes([number]) * 16, asker, NOW_NS)
        return journal.once(request, number, lambda: done.append(request.id) or Answer(code)).code  # type: ignore[func-returns-value]

    for number, code in ((1, OK), (2, FieldCode("5020")), (3, FieldCode("5020")), (4, FieldCode("5020"))):
        assert act(number, code) == act(number, code) == code
    assert len(done) == 4
    act(1, OK)
    assert len(done) == 4  # done once, for good
    act(2, FieldCode("5020"))
    assert len(done) == 5  # refused before, and judged anew


def late(number: int, whose: bytes, kind: Kind = Kind.VISIT) -> LateRecords:
    raw = signed(Record(kind, bytes([number]) * 16, whose, NOW_NS, {1: b"late"}), HPC, SAM)
    chains = (SAM_READER.chain, HPC_READER.chain)
    return LateRecords(late_id((raw,), chains), (raw,), chains, whose, NOW_NS)


def key_of(of: App) -> bytes:
    held = of.phone.cards.get(OWN)
    assert held is not None
    return holder_of(held.mso.device_key)


def test_records_that_came_late_are_taken_in_once() -> None:
    """WBK-01: the patient had already left."""
    town = Town()
    of, card = town.enrolled(ANNA, "anna")
    first = late(1, key_of(of))
    town.office.late[ANNA.card_no] = [first]
    town.clock.advance_to(NOW_NS + 5 * DAY_NS)  # the reader certificates of then have ended
    town.run(app.sync(of))
    assert of.phone.records().all() == list(first.records) and town.office.late[ANNA.card_no] == []
    assert town.office.receipts == [(ANNA.card_no, first.id, 0)]
    nonsense = replace(first, id=b"z" * 16, records=(b"nonsense",))
    town.office.late[ANNA.card_no] = [first, nonsense]
    town.run(app.sync(of))
    assert len(of.phone.records().all()) == 1 and town.office.late[ANNA.card_no] == []  # a refusal is settled too
    assert town.office.receipts[-1] == (ANNA.card_no, nonsense.id, WriteOutcome.BAD_SIGNATURE.value)
    assert [entry.channel for entry in of.phone.log.entries()][:1] == ["network"] and card


def test_records_for_which_there_is_no_room_come_again() -> None:
    town = Town()
    of, card = town.enrolled(ANNA, "anna")
    waits = late(1, key_of(of))
    town.office.late[ANNA.card_no] = [waits]
    arguments = {"card": card, "receipts": [[waits.id, WriteOutcome.FULL.value]]}
    assert town.run(app.call(of, "receipts", arguments)) == {"left": 1} and town.office.late[ANNA.card_no] == [waits]


def test_late_records_reach_the_card_that_they_are_for() -> None:
    """A guardian's own card and the wards' on the same phone share one key: only whose card it is tells them apart."""
    town = Town()
    of, own = town.enrolled(ANNA, "anna")
    grant = town.domain.guardians.grant(town.domain.by(ANNA), wish())
    town.run(app.hold(of, own, grant.authorization))
    mine, childs, strangers = late(1, key_of(of)), late(2, key_of(of)), late(3, b"k" * 32)
    town.office.late.update({ANNA.card_no: [mine, strangers], CHILD.card_no: [childs]})
    town.run(app.sync(of))
    assert of.phone.records().all() == list(mine.records)
    assert of.phone.records(grant.authorization.hex()).all() == list(childs.records)
    assert town.office.late == {ANNA.card_no: [strangers], CHILD.card_no: []}  # of another key


def test_card_that_has_ended_has_no_say_over_late_records() -> None:
    town = Town()
    old, old_card = town.enrolled(ANNA, "old phone")
    waits = late(1, key_of(old))
    new = town.app("new phone")
    town.run(app.rebind(new, ANNA.card_no, certified_by(town, new, "rebind")))
    town.office.late[ANNA.card_no] = [waits, late(2, key_of(new))]
    before = list(town.office.late[ANNA.card_no])
    told = [[entry.id, 0] for entry in before]
    assert refused(town, app.call(old, "receipts", {"card": old_card, "receipts": told})).code != "0"
    assert town.office.late[ANNA.card_no] == before and not town.office.receipts


def test_late_records_signed_by_others_are_refused() -> None:
    town = Town()
    of, _ = town.enrolled(ANNA, "anna")
    whose = holder_of(of.phone.cards.get(OWN).mso.device_key)  # type: ignore[union-attr]
    record = Record(Kind.VISIT, b"r" * 16, whose, NOW_NS, {1: b"visit"})
    for raw, chains in (
        (signed(record, HPC, SAM), (SAM_READER.chain,)),  # nobody vouches for the professional
        (signed(record, SAM, HPC), (SAM_READER.chain, HPC_READER.chain)),
        (signed(replace(record, at_ns=NOW_NS + 90 * DAY_NS), HPC, SAM), (SAM_READER.chain, HPC_READER.chain)),  # expired by then
    ):
        assert of.phone.take_late([b"i" * 16, [raw], chains], NOW_NS).value < 0
    for nonsense in ([], [1, 2, 3], [b"i" * 16, [b"x"], []], [b"i" * 16, [], []], b"abc"):
        assert of.phone.take_late(nonsense, NOW_NS).value < 0
    assert of.phone.records().all() == []


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
