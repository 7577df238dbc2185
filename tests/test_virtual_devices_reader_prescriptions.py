"""Prescriptions at the desks: issued, put on the phone, read, dispensed, signed for, doubted; online, offline, answers lost."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from virtual_devices.clock import NS
from virtual_devices.cose import X5CHAIN, Sign, Signature, decode_sign
from virtual_devices.link import Outcome
from virtual_devices.prescription.codes import Why
from virtual_devices.prescription.document import Prescription, PrescriptionClass
from virtual_devices.prescription.recipient import BATCH, TRANSCRIPT, Written
from virtual_devices.prescription.states import State
from virtual_devices.qr.text import PRESCRIPTION, pack
from virtual_devices.reader.dispensing import Dispensed, dispense, give_back, open_doubts, query, receive, withdraw
from virtual_devices.reader.prescribing import amendment, cancel, card_entries, confirm, issue, read_entries, restore
from virtual_devices.reader.prescription_desk import drain
from virtual_devices.reader.prescription_offers import Offer, from_card, from_centre, from_code, from_wallet
from virtual_devices.reader.prescription_wallet import leave_for_wallet, put_on_wallet
from virtual_devices.reader.transmit import Ended
from virtual_devices.reader.visit import open_card, register, write_consultation
from virtual_devices.write_back import WriteOutcome

from .desk import CARD_NO, codes
from .pharmacies import Place, Town
from .prescribed import CLINIC, DOCTOR, PHARMACY, day, number, refill, rx

AUTHORITIES = (DOCTOR.chain[1], CLINIC.chain[1])


def issued(town: Town, document: Prescription, wallet: bool = True) -> Any:
    """Signed at the clinic, and on the phone."""
    done = town.clinic.run(issue(town.clinic.desk, town.clinic.drawer, town.document(document), town.clinic.professional))
    if wallet:
        put(town, town.clinic, done.filed.signed)
    return done


def put(town: Town, place: Place, *records: bytes, name: str = "") -> Any:
    batch = number(f"batch {name or records[0].hex()}")
    return place.run(put_on_wallet(place.desk, town.bench.counter, CARD_NO, records, batch, place.professional))


def shown(town: Town, place: Place) -> list[Offer]:
    card_no, found = place.run(from_wallet(place.desk, place.drawer, town.bench.counter, place.professional))
    assert card_no == CARD_NO
    return list(found)


def give(town: Town, place: Place, offer: Offer, **more: Any) -> Dispensed:
    done = place.run(dispense(place.desk, place.drawer, offer, place.professional, **more))
    assert isinstance(done, Dispensed)
    return done


def settled(place: Place) -> int:
    return int(place.run(drain(place.desk, place.drawer)))


def refused(town: Town, place: Place, offer: Offer, code: str) -> None:
    with pytest.raises(Ended) as ended:
        give(town, place, offer)
    assert ended.value.code == code


def state(town: Town, root: bytes) -> State:
    standing = town.domain.standing(root)
    assert standing is not None
    return standing.state(town.bench.clock.now_ns())


def test_prescription_goes_from_the_clinic_by_the_phone_to_the_pharmacy_and_the_data_centre() -> None:
    town = Town()
    done = issued(town, rx())
    assert done.online and done.prescription == town.document(rx())
    [offer] = shown(town, town.pharmacy)
    assert offer.root == done.prescription.id and offer.records[0] == done.filed and not offer.online
    given = give(town, town.pharmacy, offer)
    assert given.online and state(town, offer.root) is State.COMPLETED
    assert put(town, town.pharmacy, given.filed.signed).receipt.outcome is WriteOutcome.STORED
    [again] = shown(town, town.other)
    assert again.standing.dispensed == 1
    refused(town, town.other, again, "D019")


def test_refill_is_counted_across_two_pharmacies_that_were_offline() -> None:
    town = Town()
    issued(town, refill())
    [at_one], [at_other] = shown(town, town.pharmacy), shown(town, town.other)
    town.pharmacy.line.down = town.other.line.down = True
    first, second = give(town, town.pharmacy, at_one), give(town, town.other, at_other)
    assert not first.online and not second.online and first.act.issue == second.act.issue == 1
    assert town.domain.standing(at_one.root).dispensed == 0
    town.pharmacy.line.down = town.other.line.down = False
    assert settled(town.other) == 1 and settled(town.pharmacy) == 1 and settled(town.pharmacy) == 0
    standing = town.domain.standing(at_one.root)
    assert standing.dispensed == 2 and [s.issue for s in standing.supplies] == [1, 2]
    [conflict] = town.domain.conflicts()
    assert conflict.found == {Why.RENUMBERED, Why.TOO_EARLY} and conflict.issue == 2


def test_offline_pharmacy_sees_on_the_phone_what_another_has_dispensed_offline() -> None:
    town = Town()
    issued(town, rx())
    town.pharmacy.line.down = town.other.line.down = True
    given = give(town, town.pharmacy, shown(town, town.pharmacy)[0])
    put(town, town.pharmacy, given.filed.signed)
    refused(town, town.other, shown(town, town.other)[0], "D019")
    refused(town, town.pharmacy, shown(town, town.pharmacy)[0], "D019")


def test_clinic_without_a_line_issues_and_the_pharmacy_brings_the_document_along() -> None:
    town = Town()
    town.clinic.line.down = True
    done = issued(town, rx())
    assert not done.online and town.domain.standing(done.prescription.id) is None
    given = give(town, town.pharmacy, shown(town, town.pharmacy)[0])
    assert given.online and state(town, done.prescription.id) is State.COMPLETED
    town.clinic.line.down = False
    assert settled(town.clinic) == 1 and town.clinic.drawer.done[0].code == "0"


def test_policy_may_forbid_prescribing_and_dispensing_without_a_line() -> None:
    town = Town()
    done = issued(town, rx())
    [offer] = shown(town, town.pharmacy)
    town.policy(issue_offline=False, dispense_offline=False)
    town.clinic.line.down = town.pharmacy.line.down = True
    refused(town, town.pharmacy, offer, "4061")
    with pytest.raises(Ended) as ended:
        issued(town, rx("second"), wallet=False)
    assert ended.value.code == "4061"
    town.clinic.line.down = town.pharmacy.line.down = False
    assert settled(town.clinic) == 2 and state(town, number("second")) is State.CANCELLED
    settled(town.pharmacy)
    assert state(town, done.prescription.id) is State.ISSUED
    assert give(town, town.pharmacy, offer).online


@pytest.mark.parametrize("offline", [True, False])
def test_answer_that_was_lost_counts_once_or_not_at_all(offline: bool) -> None:
    town = Town()
    issued(town, rx())
    [offer] = shown(town, town.pharmacy)
    town.policy(dispense_offline=offline)
    find_is_answered = Outcome.TIMED_OUT
    town.pharmacy.line.lose = [Outcome.REQUEST_LOST, find_is_answered]
    if offline:
        assert not give(town, town.pharmacy, offer).online
    else:
        refused(town, town.pharmacy, offer, "4061")
    assert state(town, offer.root) is State.COMPLETED  # it has counted already
    settled(town.pharmacy)
    assert state(town, offer.root) is (State.COMPLETED if offline else State.ISSUED)
    assert not town.domain.conflicts() and town.pharmacy.drawer.done[0].code == "0"


def test_medicine_that_came_back_leaves_the_issue_free() -> None:
    town = Town()
    issued(town, rx())
    [offer] = shown(town, town.pharmacy)
    given = give(town, town.pharmacy, offer)
    assert town.pharmacy.run(give_back(town.pharmacy.desk, town.pharmacy.drawer, given, town.pharmacy.professional)).ok
    assert state(town, offer.root) is State.ISSUED and give(town, town.other, offer).online


# -- controlled drugs

CONTROLLED = rx("controlled", PrescriptionClass.CONTROLLED)


def test_controlled_drug_is_signed_for_by_the_phone() -> None:
    town = Town()
    issued(town, CONTROLLED)
    given = give(town, town.pharmacy, shown(town, town.pharmacy)[0])
    assert given.needs_recipient
    stored = put(town, town.pharmacy, given.filed.signed)
    desk, drawer, hpc = town.pharmacy.desk, town.pharmacy.drawer, town.pharmacy.professional
    for spoilt in ({TRANSCRIPT: b"\x80"}, {BATCH: stored.evidence[BATCH][:-1]}, {1: "device "}):
        with pytest.raises(Ended) as ended:
            town.pharmacy.run(receive(desk, drawer, given, {**stored.evidence, **spoilt}, hpc))
        assert ended.value.code in ("RX13", "9002")
    assert town.pharmacy.run(receive(desk, drawer, given, stored.evidence, hpc)).ok
    standing = town.domain.standing(given.offer.root)
    assert standing.received == {given.act.id} and not standing.unsigned_for(town.bench.clock.now_ns() + 10**15)


def test_receipt_for_something_else_is_no_signature_of_the_recipient() -> None:
    town = Town()
    issued(town, CONTROLLED)
    given = give(town, town.pharmacy, shown(town, town.pharmacy)[0])
    issued_too = issued(town, rx("other"), wallet=False)
    other = put(town, town.clinic, issued_too.filed.signed)
    with pytest.raises(Ended) as ended:
        town.pharmacy.run(receive(town.pharmacy.desk, town.pharmacy.drawer, given, other.evidence, town.pharmacy.professional))
    assert ended.value.code == "RX13"


def test_controlled_drug_is_signed_for_on_paper() -> None:
    town = Town()
    issued(town, CONTROLLED)
    given = give(town, town.pharmacy, shown(town, town.pharmacy)[0])
    paper = Written("王小華", bytes(32), "daughter").evidence()
    assert town.pharmacy.run(receive(town.pharmacy.desk, town.pharmacy.drawer, given, paper, town.pharmacy.professional)).ok
    assert town.domain.standing(given.offer.root).received == {given.act.id}


# -- doubts and changes

def ask(town: Town, offer: Offer) -> Any:
    place = town.pharmacy
    return place.run(query(place.desk, place.drawer, offer, place.professional, "twice the usual dose?", (0,)))


def test_doubt_holds_until_the_physician_confirms() -> None:
    town = Town()
    issued(town, rx())
    [offer] = shown(town, town.pharmacy)
    ask(town, offer)
    refused(town, town.other, offer, "RX06")
    [(mine, asked)] = town.clinic.run(open_doubts(town.clinic.desk, town.clinic.drawer))
    assert mine.root == offer.root and asked.text == "twice the usual dose?" and asked.entries == (0,)
    assert town.clinic.run(confirm(town.clinic.desk, town.clinic.drawer, asked, town.clinic.professional, "as meant")).ok
    assert town.clinic.run(open_doubts(town.clinic.desk, town.clinic.drawer)) == []
    assert give(town, town.other, offer).online


def test_doubt_is_withdrawn_by_who_raised_it() -> None:
    town = Town()
    issued(town, rx())
    [offer] = shown(town, town.pharmacy)
    asked = ask(town, offer)
    with pytest.raises(Ended) as ended:
        town.other.run(withdraw(town.other.desk, town.other.drawer, asked, town.other.professional))
    assert ended.value.code == "4029"
    town.pharmacy.run(withdraw(town.pharmacy.desk, town.pharmacy.drawer, asked, town.pharmacy.professional))
    assert give(town, town.other, offer).online


def test_doubt_is_answered_by_an_amendment_which_reaches_pharmacy_and_phone() -> None:
    town = Town()
    first = issued(town, rx())
    [offer] = shown(town, town.pharmacy)
    ask(town, offer)
    [(mine, _)] = town.clinic.run(open_doubts(town.clinic.desk, town.clinic.drawer))
    less = replace(mine.standing.rx.entries[0], total_tenths=35)
    amended = issued(town, amendment(town.clinic.desk, mine.standing, replace(mine.standing.rx, entries=(less,))))
    assert amended.online and amended.prescription.amends == first.prescription.id
    town.other.line.down = True
    [seen] = shown(town, town.other)
    assert seen.standing.rx == amended.prescription  # offline too, from the phone
    given = give(town, town.pharmacy, offer)  # the pharmacy held the old one: it asks before it dispenses
    assert given.act.about.document == amended.prescription.id and state(town, offer.root) is State.COMPLETED


def test_pharmacy_offline_dispenses_what_is_on_hold_and_it_is_found() -> None:
    town = Town()
    issued(town, rx())
    [offer], [other] = shown(town, town.pharmacy), shown(town, town.other)
    ask(town, offer)
    town.other.line.down = True
    assert not give(town, town.other, other).online
    town.other.line.down = False
    settled(town.other)
    assert town.other.drawer.done[0].found == ("RX06",)
    [conflict] = town.domain.conflicts()
    assert conflict.found == {Why.HELD}


def test_cancelled_and_restored_at_the_clinic() -> None:
    town = Town()
    issued(town, rx())
    clinic = town.clinic
    [mine] = clinic.run(from_centre(clinic.desk, clinic.drawer))
    assert clinic.run(cancel(clinic.desk, clinic.drawer, mine.standing, clinic.professional, "other drug")).ok
    refused(town, town.pharmacy, mine, "D023")
    [mine] = clinic.run(from_centre(clinic.desk, clinic.drawer))
    assert clinic.run(restore(clinic.desk, clinic.drawer, mine.standing, clinic.professional)).ok
    assert give(town, town.pharmacy, mine).online


# -- other ways to the pharmacy

def test_prescription_comes_by_its_code() -> None:
    town = Town()
    done = issued(town, rx(), wallet=False)
    message = decode_sign(done.filed.signed)
    leaves = (town.clinic.desk.hpc_reader_chain[0], town.clinic.desk.reader_chain[0])
    carried = Sign(b"", {}, message.payload, tuple(
        Signature(s.protected, {X5CHAIN: leaf}, s.signature) for s, leaf in zip(message.signatures, leaves, strict=True)))
    text = pack(PRESCRIPTION, carried.to_bytes())
    place = town.pharmacy
    offer = from_code(place.desk, place.drawer, text, town.device, AUTHORITIES)
    assert offer.records == (done.filed,)  # one record, one hash, whichever way it came
    assert give(town, place, offer).online
    with pytest.raises(Ended) as ended:
        from_code(place.desk, place.drawer, text, bytes(32), AUTHORITIES)
    assert ended.value.code == "5020"


def test_prescription_comes_with_a_physical_card_from_the_data_centre() -> None:
    town = Town()
    clinic, place = town.clinic, town.pharmacy
    done = issued(town, rx(), wallet=False)
    visit = clinic.run(register(clinic.desk, town.bench.request()))

    def write() -> Any:
        _, card, _ = yield from open_card(clinic.desk, clinic.professional)
        entries = card_entries(done.prescription, visit.request.visited_at)
        yield from write_consultation(card, visit, town.bench.act("write"), codes(), entries)

    clinic.run(write())
    on_card = place.run(from_card(place.desk, place.drawer, place.professional))
    assert on_card.card_no == CARD_NO and on_card.entries == ((visit.request.visited_at, done.prescription.entries[0]),)
    [offer] = on_card.offers
    assert offer.online and give(town, place, offer).online
    place.line.down = True
    assert place.run(from_card(place.desk, place.drawer, place.professional)).offers is None


def test_entry_of_the_card_comes_back() -> None:
    document = refill(entries=(replace(refill().entries[0], total_tenths=12345, site="ABC"),) * 3)
    assert read_entries(card_entries(document, "1150302080000")) == [("1150302080000", e) for e in document.entries]


def test_prescription_waits_at_the_data_centre_for_a_phone_that_has_left() -> None:
    town = Town()
    done = issued(town, rx(), wallet=False)
    assert town.clinic.run(leave_for_wallet(town.clinic.desk, CARD_NO, [done.filed.signed]))
    assert [late.records for late in town.bench.cloud.late[CARD_NO]] == [(done.filed.signed,)]


def test_document_against_the_rules_is_not_signed() -> None:
    town = Town()
    with pytest.raises(Ended) as ended:
        issued(town, rx(days=8))
    assert ended.value.code == "RX03"
    assert not town.clinic.drawer.known


def test_signing_without_reader_certificates_uses_the_cards_own() -> None:
    town = Town()
    town.clinic.desk.reader_until_ns = town.bench.clock.now_ns() - 49 * 3600 * NS
    done = issued(town, rx(), wallet=False)
    assert done.online and done.filed.signer == town.clinic.desk.hpc_id


def test_wallet_that_shows_a_prescription_of_another_day_is_told_apart() -> None:
    town = Town()
    issued(town, rx("one"))
    issued(town, refill("two", last_day=day(83)))
    assert {offer.root for offer in shown(town, town.pharmacy)} == {number("one"), number("two")}
    assert town.pharmacy.code == PHARMACY
