"""Write-back to a chip: every medium, a tear at every cut point, and what gives place when the chip is full."""

from __future__ import annotations

from contextlib import suppress
from random import Random
from typing import Any

import pytest

from virtual_devices import vhc
from virtual_devices.card.chip_costs import ASSUMED, Contactless, ContactlessMedium
from virtual_devices.card.second import Interface, SecondCard
from virtual_devices.card.second_records import HELD_BYTES, MAX_RECORD_BYTES, ROOM, CardRecords
from virtual_devices.clock import NS
from virtual_devices.flow import Flow
from virtual_devices.holder.writing import RECEIPTS
from virtual_devices.link import Link, PowerCut, Work
from virtual_devices.network import ContactMedium, ModelledLink
from virtual_devices.pki import DAY_NS
from virtual_devices.reader.authenticate import sam_of
from virtual_devices.reader.proximity import ask
from virtual_devices.reader.transmit import Ended
from virtual_devices.reader.write_back import prepare, sign_records, target_of, write
from virtual_devices.write_back import Batch, Kind, Receipt, WriteOutcome, holder_of, read_record, records_of, thumbprint

from .chips import PUBLIC, say
from .desk import NOW_NS
from .second_cards import (
    HOLDER_PIN,
    MEDIA,
    SELECT_RETRIEVAL,
    SELECT_TAG,
    FieldLink,
    SecondDesk,
    copy_of,
    desk_at,
    open_by,
    record,
)


def prepared(desk: SecondDesk, medium: str, name: str, *makers: Any) -> Batch:
    """A batch for what the card shows now; each maker gives one record for the holder's key."""

    def flow() -> Flow[Batch]:
        _, opened = yield from open_by(desk, medium)
        sam = yield from sam_of(desk.bench.desk)
        target = target_of((yield from ask(desk.bench.desk, opened, vhc.REGISTRATION, sam)))
        signed = yield from sign_records(desk.bench.desk, [make(target.holder) for make in makers], sam, desk.doctor)
        return prepare(target, signed, desk.bench.act(name))

    return desk.run(flow())  # type: ignore[no-any-return]


def wrote(desk: SecondDesk, medium: str, batch: Batch) -> Receipt:
    """The batch, in a presentation of its own."""

    def flow() -> Flow[Receipt]:
        _, opened = yield from open_by(desk, medium)
        sam = yield from sam_of(desk.bench.desk)
        return (yield from write(desk.bench.desk, opened, batch, sam, hpc=desk.doctor))

    return desk.run(flow())  # type: ignore[no-any-return]


def made(name: str, kind: Kind = Kind.VISIT, amends: bytes | None = None) -> Any:
    return lambda holder: record(name, holder, kind, amends=amends)


def both(desk: SecondDesk, medium: str, name: str, *makers: Any) -> Receipt:
    return wrote(desk, medium, prepared(desk, medium, name, *makers))


def held(card: SecondCard) -> list[str]:
    """The names of the records on the chip, oldest first."""
    return [str(r.fields[2]) for r in records_of(CardRecords(card.store, Work()).all())]


def generation(card: SecondCard) -> int:
    return CardRecords(card.store, Work()).generation


VISIT = (made("visit"), made("first", Kind.PRESCRIPTION), made("second", Kind.PRESCRIPTION))


@pytest.mark.parametrize("pin", ["", HOLDER_PIN])
@pytest.mark.parametrize("medium", MEDIA)
def test_batch_is_stored_once_and_shown_at_the_next_presentation(medium: str, pin: str) -> None:
    """The PIN is not asked for: the card is there."""
    desk = desk_at(medium, pin=pin)
    batch = prepared(desk, medium, "batch", *VISIT)
    receipt = wrote(desk, medium, batch)
    assert (receipt.outcome, receipt.generation, receipt.at_ns) == (WriteOutcome.STORED, 1, NOW_NS)
    assert wrote(desk, medium, batch).outcome is WriteOutcome.ALREADY
    assert held(desk.card) == ["visit", "first", "second"] and generation(desk.card) == 1
    if pin:
        return

    def flow() -> Flow[Any]:
        _, opened = yield from open_by(desk, medium)
        sam = yield from sam_of(desk.bench.desk)
        return (yield from ask(desk.bench.desk, opened, vhc.CONSULTATION, sam, hpc=desk.doctor))

    shown = desk.run(flow())
    assert len(shown.value(vhc.RECORDS, "visits")) == 1 and len(shown.value(vhc.RECORDS, "prescriptions")) == 2
    assert len(shown.value(vhc.RECORDS, "certificates")) == 2


def test_receipt_is_dated_by_the_latest_date_seen() -> None:
    desk = SecondDesk()
    begun = copy_of(desk.card)
    desk.certify(NOW_NS + 3 * NS)
    desk.bench.clock.advance_to(NOW_NS + DAY_NS)
    batch = prepared(desk, "field", "batch", *VISIT)
    put_in(desk, begun, "field")  # a chip to which the writing SAM is the first news of the day
    receipt = wrote(desk, "field", batch)
    assert receipt.at_ns == NOW_NS + 3 * NS  # not a day later, which the chip cannot know


def modelled(desk: SecondDesk, interface: Interface, medium: str) -> Link:
    link = ContactMedium(ASSUMED.contact(), Random(1)) if medium == "T=1" else ContactlessMedium(Contactless(), Random(1))
    return ModelledLink(interface, link, desk.bench.clock)


def put_in(desk: SecondDesk, card: SecondCard, medium: str) -> None:
    desk.card = card
    desk.contact = modelled(desk, card.contact, medium)
    desk.field = modelled(desk, card.contactless, medium)


@pytest.mark.parametrize("medium", ["T=1", "field"])
def test_card_torn_anywhere_in_a_write_is_old_or_new_and_settled_at_the_next_contact(medium: str) -> None:
    desk = desk_at(medium)
    batch = prepared(desk, medium, "batch", *VISIT)
    begun = copy_of(desk.card)
    put_in(desk, copy_of(begun), medium)
    desk.card.store.watch_points = True
    wrote(desk, medium, batch)
    points, new = len(desk.card.store.points_passed), held(desk.card)
    assert points > 27  # the session's counter, and a journal, three records, two chains, receipt and generation
    seen = set()
    for point in range(points):
        put_in(desk, copy_of(begun), medium)
        desk.card.store.arm_cut(point)
        with pytest.raises(Ended) as caught:
            wrote(desk, medium, batch)
        assert caught.value.torn, f"cut point {point} was not passed"
        put_in(desk, copy_of(desk.card), medium)  # the image as power left it, torn journal and all
        desk.card.contact.power_on()
        state = held(desk.card), generation(desk.card)
        assert state in (([], 0), (new, 1)), f"a mixture after cut point {point}"
        assert say(desk.card.contact, PUBLIC).ok
        seen.add(state[1])
        desk.card.contact.power_off()
        outcome = wrote(desk, medium, batch).outcome
        assert outcome is (WriteOutcome.ALREADY if state[1] else WriteOutcome.STORED)
        assert (held(desk.card), generation(desk.card)) == (new, 1), f"not settled after cut point {point}"
    assert seen == {0, 1}


def test_card_torn_again_while_it_settles_is_still_old_or_new() -> None:
    desk = SecondDesk()
    batch = prepared(desk, "field", "batch", *VISIT)
    begun = copy_of(desk.card)
    desk.card.store.watch_points = True
    wrote(desk, "field", batch)
    passed = desk.card.store.points_passed
    first = max(i for i, point in enumerate(passed) if point == "journal:before" and i < len(passed) - 3)
    torn_states = set()
    for point in range(first, len(passed)):
        put_in(desk, copy_of(begun), "field")
        desk.card.store.arm_cut(point)
        with pytest.raises(Ended):
            wrote(desk, "field", batch)
        torn = desk.card.to_image()
        for second in range(0, 30, 2):
            card = SecondCard.from_image(torn)
            card.store.arm_cut(second)
            with suppress(PowerCut):
                card.contactless.power_on()
            card = copy_of(card)
            card.contact.power_on()
            torn_states.add((tuple(held(card)), generation(card)))
    assert torn_states == {((), 0), (("visit", "first", "second"), 1)}


def test_power_gone_in_the_field_leaves_a_card_that_begins_anew() -> None:
    desk = desk_at("blocks")
    batch = prepared(desk, "blocks", "batch", *VISIT)
    link = desk.field
    assert isinstance(link, FieldLink)
    desk.card.store.arm_cut(9)
    with pytest.raises(PowerCut):
        wrote(desk, "blocks", batch)
    assert not link.picc.active and not desk.card.contactless.powered
    assert wrote(desk, "blocks", batch).outcome.done


@pytest.mark.parametrize("medium", ["T=1", "field"])
def test_chip_without_power_says_nothing_until_it_has_it_again(medium: str) -> None:
    card = SecondDesk().card
    it = card.contact if medium == "T=1" else card.contactless
    it.power_on()
    it.arm_cut(1)
    with pytest.raises(PowerCut):  # the counter of sessions is being written
        for command in (SELECT_RETRIEVAL, SELECT_TAG):
            say(it, command)
    assert not it.powered and say(it, SELECT_RETRIEVAL).sw == 0x6F00
    it.power_on()
    assert say(it, SELECT_RETRIEVAL).ok


@pytest.mark.parametrize("loss", range(0, 40, 3))
def test_block_lost_on_the_air_writes_nothing_twice(loss: int) -> None:
    desk = SecondDesk()
    batch = prepared(desk, "field", "batch", *VISIT)
    desk.field = FieldLink(desk.card.contactless, lost=frozenset({loss, loss + 41}))
    assert wrote(desk, "field", batch).outcome is WriteOutcome.STORED
    assert held(desk.card) == ["visit", "first", "second"] and generation(desk.card) == 1


# -- room


def test_oldest_of_its_kind_gives_place_and_takes_its_amendments_with_it() -> None:
    desk = SecondDesk()
    first = record("visit 0", b"").id
    both(desk, "field", "0", made("visit 0"), made("rx", Kind.PRESCRIPTION))
    both(desk, "field", "amend", made("amended", Kind.AMEND, amends=first))
    room = ROOM[Kind.VISIT]
    for number in range(1, room):
        both(desk, "field", str(number), made(f"visit {number}"))
    assert len(held(desk.card)) == room + 2
    both(desk, "field", "one more", made(f"visit {room}"))
    assert held(desk.card) == ["rx", *(f"visit {n}" for n in range(1, room + 1))]


def test_prescriptions_beyond_the_room_push_the_oldest_out() -> None:
    desk, room = SecondDesk(), ROOM[Kind.PRESCRIPTION]
    both(desk, "field", "many", *(made(f"rx {n}", Kind.PRESCRIPTION) for n in range(room)))
    assert len(held(desk.card)) == room
    both(desk, "field", "more", *(made(f"late {n}", Kind.PRESCRIPTION) for n in range(3)))
    assert held(desk.card) == [f"rx {n}" for n in range(3, room)] + [f"late {n}" for n in range(3)]


@pytest.mark.parametrize("what", ["more visits than a card holds", "a record that is too long"])
def test_batch_that_an_empty_card_could_not_hold_is_full(what: str) -> None:
    desk = SecondDesk()
    if what.startswith("more"):
        makers = [made(f"visit {n}") for n in range(ROOM[Kind.VISIT] + 1)]
    else:
        makers = [made("x" * MAX_RECORD_BYTES)]
    with pytest.raises(Ended) as caught:
        both(desk, "field", "batch", *makers)
    assert caught.value.code == WriteOutcome.FULL.code and held(desk.card) == []


def test_chip_takes_no_more_cells_than_its_room_needs() -> None:
    """Chains, receipts and records that have gone leave cells that are taken again."""
    desk = SecondDesk()
    counts = []
    for number in range(RECEIPTS + 12):
        desk.certify(NOW_NS + number * NS)  # new reader certificates each time, as every 72 hours
        desk.bench.clock.advance_to(NOW_NS + number * NS)
        both(desk, "field", str(number), made(f"visit {number}"))
        counts.append(sum(cell.startswith("vhc.slot.") for cell in desk.card.store.cells()))
    assert counts[-1] == counts[-10] <= ROOM[Kind.VISIT] * 3 + RECEIPTS + 4
    assert len(CardRecords(desk.card.store, Work()).chains()) == 2 * ROOM[Kind.VISIT]
    assert generation(desk.card) == RECEIPTS + 12


def test_all_that_the_chip_holds_fits_into_one_answer_however_many_institutions_signed() -> None:
    """New reader certificates at each visit: two more chains to be shown with the records."""
    desk = SecondDesk()
    for number in range(30):
        desk.certify(NOW_NS + number * NS)
        desk.bench.clock.advance_to(NOW_NS + number * NS)
        prescribed = [made(f"{number} {n}", Kind.PRESCRIPTION) for n in range(2)]
        both(desk, "field", str(number), made(f"visit {number}"), *prescribed)

    def flow() -> Flow[Any]:
        _, opened = yield from open_by(desk, "field")
        sam = yield from sam_of(desk.bench.desk)
        return (yield from ask(desk.bench.desk, opened, vhc.CONSULTATION, sam, hpc=desk.doctor))

    shown, now_held = desk.run(flow()), held(desk.card)
    assert now_held[-3:] == ["visit 29", "29 0", "29 1"]
    assert sum(name.startswith("visit") for name in now_held) == ROOM[Kind.VISIT]
    chains, raw = shown.value(vhc.RECORDS, "certificates"), CardRecords(desk.card.store, Work()).all()
    total = sum(map(len, raw)) + sum(len(der) for chain in chains.values() for der in chain)
    assert HELD_BYTES - 3000 < total <= HELD_BYTES
    signers = {thumbprint(s) for one in raw for s in read_record(one)[1].signatures}
    assert set(chains) == signers  # each record can be checked, and nothing else is kept


def test_records_are_for_the_chips_own_key() -> None:
    desk = SecondDesk()
    other = holder_of(desk.bench.sam.image.identity.key.public_key())
    with pytest.raises(Ended) as caught:
        both(desk, "field", "batch", lambda _: record("visit", other))
    assert caught.value.code == "5020" and held(desk.card) == []
