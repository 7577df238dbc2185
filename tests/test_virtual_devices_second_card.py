"""The second-generation card: whole presentations by every medium, the PIN, and which card a desk has before it."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from virtual_devices import vhc
from virtual_devices.apdu import Command
from virtual_devices.card.chip_costs import ASSUMED, PUBLISHED, ChipCosts, Contactless, ContactlessMedium
from virtual_devices.card.second import ATS, MAX_COMMAND_BYTES, MAX_RESPONSE_BYTES
from virtual_devices.card.second_differences import DIFFERENCES
from virtual_devices.cloud.service import DataCentreDevice
from virtual_devices.flow import Flow
from virtual_devices.holder.refusals import No
from virtual_devices.iso_dep import Block, Kind, MalformedIsoDep
from virtual_devices.link import Work
from virtual_devices.network import ContactMedium, ModelledLink
from virtual_devices.pki import Role
from virtual_devices.reader.authenticate import sam_of, verify_pin
from virtual_devices.reader.presentation import Counter
from virtual_devices.reader.proximity import Shown, ask, end
from virtual_devices.reader.second_card import Generation, ask_with_pin, what_card
from virtual_devices.reader.transmit import Ended
from virtual_devices.reader.visit import register
from virtual_devices.reader.wallet_visit import register_wallet, write_wallet
from virtual_devices.write_back import Record

from .chips import PUBLIC, SELECT_16, say
from .desk import AUTHORITY, CARD_NO, NOW_NS, Bench, patient_card
from .second_cards import (
    ALLERGY,
    HOLDER_PIN,
    MEDIA,
    SELECT_RETRIEVAL,
    SELECT_TAG,
    WRONG_PIN,
    FieldLink,
    SecondDesk,
    desk_at,
    open_by,
    record,
    second_card,
)


def visit(desk: SecondDesk, medium: str) -> Flow[tuple[Shown, Shown]]:
    """Registration with the SAM, consultation with the professional as well, in one session."""
    card, opened = yield from open_by(desk, medium)
    sam = yield from sam_of(desk.bench.desk)
    registration = yield from ask(desk.bench.desk, opened, vhc.REGISTRATION, sam)
    consultation = yield from ask_with_pin(desk.bench.desk, opened, card, vhc.CONSULTATION, sam, hpc=desk.doctor)
    yield from end(opened)
    return registration, consultation


def one(desk: SecondDesk, medium: str, wanted: Any = vhc.CONSULTATION, hpc: bool = True) -> Flow[Shown]:
    """One request of one presentation."""
    _, opened = yield from open_by(desk, medium)
    sam = yield from sam_of(desk.bench.desk)
    return (yield from ask(desk.bench.desk, opened, wanted, sam, hpc=desk.doctor if hpc else None))


@pytest.mark.parametrize("pin", ["", HOLDER_PIN])
@pytest.mark.parametrize("medium", MEDIA)
def test_presentation_shows_basic_data_to_the_sam_and_medical_data_to_both(medium: str, pin: str) -> None:
    desk = desk_at(medium, pin=pin)
    registration, consultation = desk.run(visit(desk, medium))
    assert registration.value(vhc.BASIC, "card_no") == CARD_NO
    assert registration.value(vhc.RECORDS, "generation") == 0
    assert len(registration.value(vhc.BASIC, "portrait")) == 7000
    assert vhc.MEDICAL not in registration.document.values
    assert consultation.value(vhc.MEDICAL, "allergies") == [ALLERGY]


def test_card_and_reader_keep_to_the_lengths_that_each_medium_has() -> None:
    longest = {}
    for medium in MEDIA:
        desk = desk_at(medium)
        desk.run(visit(desk, medium))
        role = "card" if medium.startswith("T=") else "wallet"
        rows: list[Any] = [row for row in desk.bench.rows if getattr(row, "role", "") == role]
        longest[medium] = max(row.request_bytes for row in rows), max(row.reply_bytes for row in rows)
    assert longest["T=0"] == (5 + 255, 256 + 2)
    for medium in ("T=1", "field", "blocks"):
        request, reply = longest[medium]
        assert 300 < request <= MAX_COMMAND_BYTES + 9 and reply == MAX_RESPONSE_BYTES + 2


def test_blocks_fit_both_frame_sizes_and_ask_for_time_while_the_chip_computes() -> None:
    desk = desk_at("blocks")
    desk.run(visit(desk, "blocks"))
    frames = desk.field.frames  # type: ignore[attr-defined]
    assert all(len(sent) + 2 <= ATS.fsc_bytes and len(answer or b"") + 2 <= 256 for sent, answer in frames)
    extensions = [Block.parse(answer).inf[0] for _, answer in frames if answer and _kind(answer) is Kind.WTX]
    assert extensions and all(wtxm * ATS.frame_waiting_s > 0.2 for wtxm in extensions)  # a chain and two signatures at least


def test_slow_chip_asks_for_time_again_until_it_has_enough() -> None:
    desk = desk_at("blocks")
    slow = ChipCosts("slow", 1000.0, 1000.0, 3000.0, 0.0)
    desk.field = FieldLink(desk.card.contactless, costs=slow)
    before = desk.card.work.copy()
    desk.run(one(desk, "blocks", vhc.REGISTRATION))
    frames = desk.field.frames  # type: ignore[attr-defined]
    asked = [Block.parse(answer).inf[0] for _, answer in frames if answer and _kind(answer) is Kind.WTX]
    total_ns = sum(asked) * ATS.frame_waiting_s * 1e9
    assert max(asked) == 59 and slow.work_ns(desk.card.work.since(before)) <= total_ns < 10.3e9


@pytest.mark.parametrize(("costs", "least_s", "most_s"), [(ASSUMED, 3.2, 3.8), (PUBLISHED, 4.8, 5.5)])
@pytest.mark.parametrize("medium", MEDIA[:3])
def test_modelled_presentation_takes_seconds(medium: str, costs: ChipCosts, least_s: float, most_s: float) -> None:
    """As chip_costs.py says of itself."""
    desk, rng = desk_at(medium), Random(1)
    clock = desk.bench.clock
    desk.contact = ModelledLink(desk.card.contact, ContactMedium(costs.contact(), rng), clock)
    desk.field = ModelledLink(desk.card.contactless, ContactlessMedium(Contactless(costs), rng), clock)
    began, first = desk.card.work.copy(), len(desk.bench.rows)
    desk.run(visit(desk, medium))
    rows: list[Any] = [row for row in desk.bench.rows[first:] if getattr(row, "role", "") in ("card", "wallet")]
    assert least_s < sum(row.duration_ns for row in rows) / 1e9 < most_s
    assert costs.work_ns(desk.card.work.since(began)) == {ASSUMED: 856_000_000, PUBLISHED: 2_284_000_000}[costs]
    assert {price.source.split(":")[0] for price in costs.table()} <= {"assumed", "public"}


def test_card_in_the_field_is_met_as_a_phone_is() -> None:
    """Flows that were written for phones, unchanged."""
    desk = SecondDesk(pin=HOLDER_PIN)
    bench = desk.bench
    identity = AUTHORITY.issue(Role.DATA_CENTRE, "IDC")
    bench.cloud = DataCentreDevice(bench.core, identity, AUTHORITY.root_der, authority=AUTHORITY)
    registered = desk.run(register_wallet(bench.desk, Counter(), bench.request()))
    assert registered.person.card_no == CARD_NO and registered.online

    def records(holder: bytes) -> list[Record]:
        return [record("visit", holder)]

    receipt = desk.run(write_wallet(bench.desk, Counter(), registered, records, bench.act("batch"), desk.doctor))
    assert receipt.generation == 1


def _kind(raw: bytes) -> Kind | None:
    try:
        return Block.parse(raw).kind
    except MalformedIsoDep:
        return None


# -- the holder's PIN


@pytest.mark.parametrize("medium", MEDIA)
def test_card_with_pin_shows_basic_data_without_it_and_medical_data_after_it(medium: str) -> None:
    desk = desk_at(medium, pin=HOLDER_PIN)
    shown = desk.run(one(desk, medium))
    assert shown.value(vhc.BASIC, "id_no") and shown.value(vhc.RECORDS, "generation") == 0
    assert vhc.MEDICAL not in shown.document.values
    assert set(shown.errors[vhc.MEDICAL].values()) == {int(No.CONSENT_NEEDED)}
    assert shown.errors[vhc.RECORDS]["visits"] == No.CONSENT_NEEDED


@pytest.mark.parametrize("medium", MEDIA)
def test_request_for_medical_data_alone_waits_for_the_pin_too(medium: str) -> None:
    """Nothing could be shown without it: the whole document is refused, and asked for again after VERIFY."""
    desk = desk_at(medium, pin=HOLDER_PIN)

    def flow() -> Flow[Shown]:
        card, opened = yield from open_by(desk, medium)
        sam = yield from sam_of(desk.bench.desk)
        wanted = {vhc.MEDICAL: {"allergies": False}}
        return (yield from ask_with_pin(desk.bench.desk, opened, card, wanted, sam, hpc=desk.doctor))

    assert desk.run(flow()).value(vhc.MEDICAL, "allergies") == [ALLERGY]


def test_pin_does_not_help_a_card_that_is_not_in_force() -> None:
    desk = SecondDesk(pin=HOLDER_PIN, cancelled=True)
    with pytest.raises(Ended) as caught:
        desk.run(visit(desk, "field"))
    assert caught.value.said == No.NOT_IN_FORCE and not desk.card.pin.verified


@pytest.mark.parametrize("medium", MEDIA)
def test_pin_counts_in_one_session_only(medium: str) -> None:
    desk = desk_at(medium, pin=HOLDER_PIN)

    def flow() -> Flow[None]:
        card, opened = yield from open_by(desk, medium)
        yield from verify_pin(card, "holder")
        sam = yield from sam_of(desk.bench.desk)
        shown = yield from ask(desk.bench.desk, opened, vhc.CONSULTATION, sam, hpc=desk.doctor)
        assert shown.value(vhc.MEDICAL, "allergies") == [ALLERGY]
        assert desk.card.pin.verified
        yield from end(opened)
        assert not desk.card.pin.verified

    desk.run(flow())
    shown = desk.run(one(desk, medium))
    assert vhc.MEDICAL not in shown.document.values


@pytest.mark.parametrize("medium", MEDIA)
def test_pin_does_not_outlive_an_engagement_that_nobody_ended(medium: str) -> None:
    desk = desk_at(medium, pin=HOLDER_PIN)

    def begun() -> Flow[None]:
        card, _ = yield from open_by(desk, medium)
        yield from verify_pin(card, "holder")
        assert desk.card.pin.verified

    desk.run(begun())
    face = desk.card.contact if medium.startswith("T=") else desk.card.contactless
    assert say(face, SELECT_RETRIEVAL if medium.startswith("T=") else SELECT_TAG).ok
    assert not desk.card.pin.verified


@pytest.mark.parametrize("medium", MEDIA)
def test_wrong_pin_ends_the_flow_and_spends_a_try_a_time_but_never_the_last(medium: str) -> None:
    desk = desk_at(medium, pin=HOLDER_PIN)
    with pytest.raises(Ended) as caught:
        desk.run(visit(desk, medium), pin=WRONG_PIN)
    assert caught.value.code == "5102" and desk.card.pin.tries_left == 1


def test_last_try_is_not_to_be_had_in_the_field() -> None:
    desk = SecondDesk(pin=HOLDER_PIN)
    field, slot = desk.card.contactless, desk.card.contact
    field.power_on()
    assert say(field, SELECT_RETRIEVAL).ok
    for sw in (0x63C2, 0x63C1, 0x6983, 0x6983):
        assert say(field, Command(0, 0x20, 0, 0x81, b"9999\xff\xff\xff\xff")).sw == sw
    assert say(field, Command(0, 0x20, 0, 0x81, b"1357\xff\xff\xff\xff")).sw == 0x6983
    shown = desk.run(one(desk, "field"))
    assert set(shown.errors[vhc.MEDICAL].values()) == {int(No.DECLINED)}  # no PIN can help here
    slot.power_on()
    assert say(slot, SELECT_RETRIEVAL).ok
    assert say(slot, Command(0, 0x20, 0, 0x81, b"1357\xff\xff\xff\xff")).ok
    assert desk.card.pin.tries_left == 3


OTHER = {vhc.BASIC: {"name": False, "birth_date": False}}


@pytest.mark.parametrize(
    ("medium", "pin", "shows"),
    [("T=1", "", True), ("T=1", HOLDER_PIN, False), ("field", "", False), ("field", HOLDER_PIN, False)],
)
def test_reader_outside_medical_care_gets_nothing_from_a_pocket(medium: str, pin: str, shows: bool) -> None:
    desk = desk_at(medium, pin=pin)
    key = desk.bench.sam.image.identity.key.public_key()
    desk.bench.desk.reader_chain = AUTHORITY.renew(Role.OTHER_USE, "GYM", key, NOW_NS)
    if shows:
        assert desk.run(one(desk, medium, OTHER, hpc=False)).value(vhc.BASIC, "name")
        return
    with pytest.raises(Ended) as caught:
        desk.run(one(desk, medium, OTHER, hpc=False))
    assert caught.value.said == (No.CONSENT_NEEDED if pin else No.DECLINED)


# -- which card


@pytest.mark.parametrize("profile", ["t1", "t1-nul", "t0", "y2025"])
def test_desk_tells_a_first_generation_card(profile: str) -> None:
    bench = Bench(profile)
    found = bench.run(what_card(bench.desk))
    assert found.generation is Generation.FIRST and found.handle.atr == bench.card.atr


@pytest.mark.parametrize("profile", ["t1", "t0"])
def test_desk_tells_a_second_generation_card(profile: str) -> None:
    desk = SecondDesk(profile=profile)
    found = desk.run(what_card(desk.bench.desk))
    assert found.generation is Generation.SECOND and found.handle.t0 is (profile == "t0")


def test_card_that_is_neither_is_refused() -> None:
    desk = SecondDesk()
    desk.contact = desk.at(desk.bench.hpc, desk.bench.clock)  # type: ignore[arg-type]
    with pytest.raises(Ended) as caught:
        desk.run(what_card(desk.bench.desk))
    assert caught.value.code == "4033"


def test_both_generations_are_served_at_one_desk_one_after_the_other() -> None:
    desk = SecondDesk()
    second, first = desk.contact, desk.at(patient_card(), desk.bench.clock)  # type: ignore[arg-type]
    for link, generation in ((second, Generation.SECOND), (first, Generation.FIRST), (second, Generation.SECOND)):
        desk.contact = link
        assert desk.run(what_card(desk.bench.desk)).generation is generation
        if generation is Generation.SECOND:
            assert desk.run(visit(desk, "T=1"))[0].value(vhc.BASIC, "card_no") == CARD_NO


@pytest.mark.parametrize("profile", ["t1", "t0"])
def test_old_desk_registers_a_visit_on_the_second_card_as_ever(profile: str) -> None:
    """The old application is whole behind the slot: what knows nothing of the new card goes on."""
    desk = SecondDesk(profile=profile)
    registered = desk.run(register(desk.bench.desk, desk.bench.request()))
    assert registered.public.card_no == CARD_NO and registered.sequence == "0001"


def test_old_application_forgets_who_proved_themselves_when_it_is_left() -> None:
    desk = SecondDesk()
    desk.run(register(desk.bench.desk, desk.bench.request()))
    assert desk.card.legacy.authenticator.proved
    assert say(desk.card.contact, SELECT_RETRIEVAL).ok
    assert say(desk.card.contact, SELECT_16).ok
    assert not desk.card.legacy.authenticator.proved
    assert say(desk.card.contact, Command(0, 0xB2, 1, 0x0C, le=256)).sw == 0x6982


# -- one chip


def test_contact_has_the_power_and_the_field_is_silent_meanwhile() -> None:
    card = second_card()
    assert card.contactless.power_on() == card.contactless.atr
    assert card.contact.power_on() == card.contact.atr
    assert not card.contactless.powered and say(card.contactless, PUBLIC).sw == 0x6F00
    assert card.contactless.power_on() == b""
    assert say(card.contact, PUBLIC).ok
    card.contactless.power_off()  # of what has no power changes nothing
    assert say(card.contact, PUBLIC).ok
    card.contact.power_off()
    assert card.contactless.power_on() == card.contactless.atr


def test_image_holds_the_whole_card() -> None:
    desk = SecondDesk(pin=HOLDER_PIN)
    desk.run(visit(desk, "T=1"))
    again = SecondDesk(type(desk.card).from_image(desk.card.to_image()))
    assert again.card.to_image() == desk.card.to_image()
    assert again.run(visit(again, "field"))[1].value(vhc.MEDICAL, "allergies") == [ALLERGY]


def test_card_counts_its_work_and_the_price_list_names_a_duration() -> None:
    desk = SecondDesk()
    before = desk.card.work.copy()
    desk.run(visit(desk, "field"))
    done = desk.card.work.since(before)
    assert (done.signatures, done.chains, done.verifications) == (2, 3, 4)  # the SAM alone, then SAM and professional
    assert 0.8e9 < ASSUMED.work_ns(done) < 1.5e9
    assert ASSUMED.work_ns(Work()) == 0


def test_differences_are_told_each_with_its_mark() -> None:
    assert len({d.subject for d in DIFFERENCES}) == len(DIFFERENCES)
    assert all(d.phone and d.card and d.mark in ("profile", "assumed") for d in DIFFERENCES)
    assert {"time", "consent", "handover by contact", "records held"} <= {d.subject for d in DIFFERENCES}

