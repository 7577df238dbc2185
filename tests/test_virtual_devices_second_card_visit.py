"""A whole visit with the second-generation card in the slot: registered, read, written back by the flows that phones have; and
batches so long that the chip needs longer than an answer usually may."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any

import pytest

from virtual_devices import vhc
from virtual_devices.card.chip_costs import ASSUMED, PUBLISHED, ChipCosts, Contactless, ContactlessMedium
from virtual_devices.card.second_records import CardRecords
from virtual_devices.cloud.service import DataCentreDevice
from virtual_devices.link import DirectLink, Work
from virtual_devices.network import ContactMedium, ModelledLink
from virtual_devices.pki import Role
from virtual_devices.reader.presentation import INSERT_CARD, OPEN_APP, Counter, Medium
from virtual_devices.reader.proximity import TIMEOUT_S
from virtual_devices.reader.transmit import Ended
from virtual_devices.reader.wallet_visit import VirtualRegistered, read_medical_wallet, register_wallet, write_wallet
from virtual_devices.reader.write_back import STEP, write_limit_s
from virtual_devices.write_back import MAX_RECORDS, Kind, Receipt, Record, WriteOutcome, records_of

from .desk import AUTHORITY, CARD_NO, Bench
from .second_cards import ALLERGY, HOLDER_PIN, SecondDesk, desk_at, record

SLOT = Counter(Medium.CONTACT)


def desk_online(medium: str, pin: str = "") -> SecondDesk:
    desk = desk_at(medium, pin=pin)
    centre = AUTHORITY.issue(Role.DATA_CENTRE, "IDC")
    desk.bench.cloud = DataCentreDevice(desk.bench.core, centre, AUTHORITY.root_der, authority=AUTHORITY)
    return desk


def registered(desk: SecondDesk, counter: Counter = SLOT) -> VirtualRegistered:
    found: VirtualRegistered = desk.run(register_wallet(desk.bench.desk, counter, desk.bench.request()))
    return found


def written(desk: SecondDesk, visit: VirtualRegistered, prescriptions: int, counter: Counter = SLOT) -> Receipt:
    """A visit and so many prescriptions, in one batch."""

    def records(holder: bytes) -> Sequence[Record]:
        return [record("visit", holder), *(record(f"rx {n}", holder, Kind.PRESCRIPTION) for n in range(prescriptions))]

    bench = desk.bench
    receipt: Receipt = desk.run(write_wallet(bench.desk, counter, visit, records, bench.act("batch"), desk.doctor))
    return receipt


def on_card(desk: SecondDesk) -> list[str]:
    return [str(r.fields[2]) for r in records_of(CardRecords(desk.card.store, Work()).all())]


@pytest.mark.parametrize("pin", ["", HOLDER_PIN])
@pytest.mark.parametrize("medium", ["T=1", "T=0"])
def test_whole_visit_in_the_slot_ends_with_the_records_on_the_card(medium: str, pin: str) -> None:
    desk = desk_online(medium, pin)
    first = len(desk.bench.rows)
    visit = registered(desk)
    assert (visit.person.card_no, visit.person.on_behalf, visit.online) == (CARD_NO, "", True)
    shown = desk.run(read_medical_wallet(desk.bench.desk, SLOT, desk.doctor, visit))
    assert shown.value(vhc.MEDICAL, "allergies") == [ALLERGY] and shown.value(vhc.RECORDS, "visits") is None
    receipt = written(desk, visit, 2)
    assert (receipt.outcome, receipt.generation) == (WriteOutcome.STORED, 1)
    assert on_card(desk) == ["visit", "rx 0", "rx 1"]
    again = desk.run(read_medical_wallet(desk.bench.desk, SLOT, desk.doctor, visit))
    assert len(again.value(vhc.RECORDS, "visits")) == 1 and len(again.value(vhc.RECORDS, "prescriptions")) == 2
    rows: list[Any] = desk.bench.rows[first:]
    assert {row.role for row in rows if hasattr(row, "channel")} == {"card", "sam", "hpc", "cloud"}  # nothing in the field
    acts = [row.act for row in rows if hasattr(row, "act")]
    assert acts.count(INSERT_CARD) == 4 and acts.count("enter PIN") == (2 if pin else 0)  # for medical data, each time


@pytest.mark.parametrize("pin", ["", HOLDER_PIN])
def test_card_in_the_field_is_no_phone_and_its_pin_is_typed_at_the_reader(pin: str) -> None:
    desk, tap = desk_online("field", pin), Counter(Medium.NFC)
    desk.card.contact.power_off()
    visit, first = registered(desk, tap), len(desk.bench.rows)
    shown = desk.run(read_medical_wallet(desk.bench.desk, tap, desk.doctor, visit))
    assert shown.value(vhc.MEDICAL, "allergies") == [ALLERGY] and written(desk, visit, 1, tap).outcome is WriteOutcome.STORED
    acts = [row.act for row in desk.bench.rows[first:] if hasattr(row, "act")]
    assert acts == [OPEN_APP, *(["enter PIN"] if pin else []), OPEN_APP]


def test_card_taken_out_while_it_writes_is_settled_when_it_comes_back() -> None:
    desk = desk_online("T=1")
    visit = registered(desk)
    desk.contact = ModelledLink(desk.card.contact, ContactMedium(ASSUMED.contact(), Random(1)), desk.bench.clock)
    for points in (1, 12, 20):  # in the session's counter, and twice in the batch
        desk.card.store.arm_cut(points)
        with pytest.raises(Ended) as end:
            written(desk, visit, 2)
        assert end.value.torn and (end.value.code, end.value.role) == ("4013", "card")
    assert written(desk, visit, 2).outcome in (WriteOutcome.STORED, WriteOutcome.ALREADY)
    assert on_card(desk) == ["visit", "rx 0", "rx 1"]


def test_first_generation_card_in_the_slot_is_told_from_a_virtual_one() -> None:
    desk = desk_online("T=1")
    desk.contact = DirectLink(Bench().card, desk.bench.clock)
    with pytest.raises(Ended) as end:
        registered(desk)
    assert (end.value.code, end.value.role, end.value.torn) == ("4033", "card", False)


@pytest.mark.parametrize("costs", [ASSUMED, PUBLISHED], ids=lambda c: c.name)
@pytest.mark.parametrize("counter", [SLOT, Counter(Medium.NFC)], ids=lambda c: c.medium.value)
def test_longest_batch_is_waited_for_as_long_as_a_chip_needs(counter: Counter, costs: ChipCosts) -> None:
    """60 records, two signatures each to check: on a slow chip more than twice what any other answer may take."""
    desk = desk_online("T=1")
    clock = desk.bench.clock
    desk.contact = ModelledLink(desk.card.contact, ContactMedium(costs.contact(), Random(1)), clock)
    desk.field = ModelledLink(desk.card.contactless, ContactlessMedium(Contactless(costs), Random(1)), clock)
    visit = registered(desk, counter)
    desk.card.contact.power_off()
    assert written(desk, visit, MAX_RECORDS - 1, counter).outcome is WriteOutcome.STORED
    rows: list[Any] = [row for row in desk.bench.rows if getattr(row, "step", "") == STEP and row.role in ("card", "wallet")]
    longest_s = max(row.duration_ns for row in rows) / 1e9
    assert TIMEOUT_S < write_limit_s(MAX_RECORDS) == 34 and longest_s < write_limit_s(MAX_RECORDS)
    assert round(longest_s, 1) == {ASSUMED: 11.4, PUBLISHED: 27.6}[costs] > TIMEOUT_S  # as chip_costs.py says of itself


def test_limit_of_a_short_batch_is_that_of_every_answer() -> None:
    assert [write_limit_s(n) for n in (1, 12, 13, 60)] == [TIMEOUT_S, TIMEOUT_S, 10.5, 34.0]
