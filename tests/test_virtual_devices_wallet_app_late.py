"""WBK-01 in messages between a phone and the data centre: records that come after the patient has left."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from virtual_devices.cloud.late import LateRecords, late_id
from virtual_devices.pki import DAY_NS
from virtual_devices.wallet import app
from virtual_devices.wallet.app import App
from virtual_devices.wallet.codes import NAMES as ELEMENTS
from virtual_devices.wallet.consent import Use
from virtual_devices.wallet.held import OWN
from virtual_devices.write_back import Kind, Record, WriteOutcome, holder_of

from .card_office import ANNA, CHILD
from .desk import NOW_NS
from .enrolment import Town, certified_by, refused, wish
from .test_virtual_devices_holder_writing import HPC, HPC_READER, SAM, SAM_READER, signed
from .wallets import PHONE_PIN


def late(number: int, whose: bytes, kind: Kind = Kind.VISIT) -> LateRecords:
    raw = signed(Record(kind, bytes([number]) * 16, whose, NOW_NS, {1: b"late"}), HPC, SAM)
    chains = (SAM_READER.chain, HPC_READER.chain)
    return LateRecords(late_id((raw,), chains), (raw,), chains, whose, NOW_NS)


def key_of(of: App, held_under: bytes = b"") -> bytes:
    held = of.phone.cards.get(OWN)
    assert held is not None
    return holder_of(held.mso.device_key, held_under)


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
    """A guardian's own card and the wards' on the same phone share one key: the records say which of them is meant."""
    town = Town()
    of, own = town.enrolled(ANNA, "anna")
    grant = town.domain.guardians.grant(town.domain.by(ANNA), wish())
    town.run(app.hold(of, own, grant.authorization))
    mine, childs = late(1, key_of(of)), late(2, key_of(of, grant.authorization))
    town.office.late.update({ANNA.card_no: [mine], CHILD.card_no: [childs]})
    town.run(app.sync(of))
    assert of.phone.records().all() == list(mine.records)
    assert of.phone.records(grant.authorization.hex()).all() == list(childs.records)
    assert town.office.late == {ANNA.card_no: [], CHILD.card_no: []}


def test_phone_takes_nobodys_word_for_which_card_late_records_are_for() -> None:
    """The data centre has mixed up guardian and ward, or two wards."""
    town = Town()
    of, own = town.enrolled(ANNA, "anna")
    cti = town.domain.guardians.grant(town.domain.by(ANNA), wish()).authorization
    ward = town.run(app.hold(of, own, cti)).name
    mine, childs, strangers = late(1, key_of(of)), late(2, key_of(of, cti)), late(3, b"k" * 32)
    for card, entry in ((OWN, childs), (ward, mine), (OWN, strangers), (ward, strangers)):
        told = [entry.id, list(entry.records), [list(c) for c in entry.chains], NOW_NS]
        assert of.phone.take_late(told, NOW_NS, card) is WriteOutcome.WRONG_HOLDER
    assert of.phone.records().all() == of.phone.records(ward).all() == []


def test_known_number_with_other_records_is_no_receipt_for_them() -> None:
    """The data centre would take records off that the phone has never had."""
    town = Town()
    of, _ = town.enrolled(ANNA, "anna")
    first, second = (late(number, key_of(of)) for number in (1, 2))

    def told(entry: LateRecords) -> list[Any]:
        return [b"n" * 16, list(entry.records), [list(c) for c in entry.chains], NOW_NS]

    assert [of.phone.take_late(told(first), NOW_NS) for _ in range(2)] == [WriteOutcome.STORED] * 2
    assert of.phone.take_late(told(second), NOW_NS) is WriteOutcome.CONFLICT
    assert of.phone.records().all() == list(first.records)


def test_log_says_of_late_records_that_the_holder_was_not_asked() -> None:
    town = Town()
    of, _ = town.enrolled(ANNA, "anna")
    town.office.late[ANNA.card_no] = [late(1, key_of(of))]
    of.phone.holder.enter_pin(PHONE_PIN, NOW_NS)
    assert of.phone.arm(Use.REGISTRATION, ELEMENTS, NOW_NS, write=False) and of.phone.card_qr(NOW_NS)
    assert of.phone.consent.given is not None  # a code is on the screen while the app is online
    town.run(app.sync(of))
    entry = of.phone.log.entries()[0]
    assert (entry.channel, entry.means, entry.armed) == ("network", None, False)


def test_records_for_the_phone_that_was_lost_reach_the_one_that_took_its_place() -> None:
    town = Town()
    old, _ = town.enrolled(ANNA, "old phone")
    waits = late(1, key_of(old))
    new = town.app("new phone")
    town.run(app.rebind(new, ANNA.card_no, certified_by(town, new, "rebind")))
    town.office.late[ANNA.card_no] = [waits]
    town.run(app.sync(new))
    assert new.phone.records().all() == list(waits.records) and town.office.late[ANNA.card_no] == []


def test_records_that_no_card_waits_for_do_not_take_up_room_for_ever() -> None:
    town = Town()
    town.enrolled(ANNA, "old phone")
    new = town.app("new phone")
    card = town.run(app.rebind(new, ANNA.card_no, certified_by(town, new, "rebind")))
    waits, suspended = late(1, bytes(32)), late(2, key_of(new))
    town.office.late[ANNA.card_no] = [waits, suspended]
    assert town.domain.cards.suspend(town.domain.officer(), card).ok
    town.run(app.sync(new))
    assert town.office.late[ANNA.card_no] == [suspended]  # the card may come into force again
    assert town.domain.cards.resume(town.domain.officer(), card).ok
    town.run(app.sync(new))
    assert new.phone.records().all() == list(suspended.records) and town.office.late[ANNA.card_no] == []


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
