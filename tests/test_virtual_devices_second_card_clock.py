"""A card without a clock: the latest date that it has seen signed moves on, and what ended before it is refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from virtual_devices import vhc
from virtual_devices.clock import NS
from virtual_devices.flow import Flow
from virtual_devices.holder.refusals import No
from virtual_devices.mdoc.mso import Validity, issue
from virtual_devices.pki import DAY_NS, READER_CERTIFICATE_H, Role, Trouble
from virtual_devices.randomness import ByteStream
from virtual_devices.reader.authenticate import sam_of
from virtual_devices.reader.proximity import ask
from virtual_devices.reader.second_card import what_card
from virtual_devices.reader.transmit import Ended
from virtual_devices.reader.visit import register

from .desk import AUTHORITY, CARD_NO, DOCTOR_ID, INSTITUTION, NOW_NS, SAM_ID
from .links import Through
from .second_cards import LAST_SEEN_NS, SecondDesk, copy_of, desk_at, open_by

HOUR_NS = 3600 * NS
MEDIA = ("T=1", "field")


def basic(desk: SecondDesk, medium: str = "field", hpc: bool = True) -> Any:
    def flow() -> Flow[Any]:
        _, opened = yield from open_by(desk, medium)
        sam = yield from sam_of(desk.bench.desk)
        return (yield from ask(desk.bench.desk, opened, vhc.REGISTRATION, sam, hpc=desk.doctor if hpc else None))

    return desk.run(flow())


def last_seen(desk: SecondDesk) -> int:
    return desk.card.legacy.authenticator.last_seen_ns()


def refused(desk: SecondDesk, medium: str = "field") -> Ended:
    with pytest.raises(Ended) as caught:
        basic(desk, medium)
    return caught.value


@pytest.mark.parametrize("medium", MEDIA)
def test_last_seen_date_is_the_latest_beginning_of_a_proved_certificate_and_survives(medium: str) -> None:
    desk = desk_at(medium)
    assert last_seen(desk) == LAST_SEEN_NS
    basic(desk, medium)
    assert last_seen(desk) == NOW_NS
    desk.card = copy_of(desk.card)
    assert last_seen(desk) == NOW_NS
    desk.certify(NOW_NS - HOUR_NS)
    desk.contact, desk.field = (desk.at(it, desk.bench.clock) for it in (desk.card.contact, desk.card.contactless))
    basic(desk, medium)
    assert last_seen(desk) == NOW_NS  # never back


def test_professional_of_a_later_date_moves_it_too() -> None:
    desk = SecondDesk()
    key = desk.bench.hpc.image.identity.key.public_key()
    desk.bench.desk.hpc_reader_chain = AUTHORITY.renew(Role.PHYSICIAN, DOCTOR_ID, key, NOW_NS + HOUR_NS)
    basic(desk)
    assert last_seen(desk) == NOW_NS + HOUR_NS


@pytest.mark.parametrize("medium", MEDIA)
def test_ended_certificate_is_taken_until_a_newer_one_was_seen_and_refused_afterwards(medium: str) -> None:
    """The class of this attack: not detectable by a card that has met no newer reader; refused from then on."""
    ended_ns = NOW_NS - 30 * DAY_NS
    desk = desk_at(medium)
    desk.certify(ended_ns)
    assert basic(desk, medium).value(vhc.BASIC, "card_no") == CARD_NO
    desk.certify(NOW_NS)
    basic(desk, medium)
    desk.certify(ended_ns)
    refusal = refused(desk, medium)
    assert (refusal.trouble, refusal.role, refusal.code) == (Trouble.EXPIRED, "sam", "9061")


def test_certificate_that_signed_nothing_does_not_move_the_date() -> None:
    """Or whoever overhears a reader of next year could make the card refuse those of today."""
    desk = SecondDesk()
    strange = AUTHORITY.issue(Role.SAM, SAM_ID, organisation=INSTITUTION, key_name="another").key.public_key()
    desk.bench.desk.reader_chain = AUTHORITY.renew(Role.SAM, SAM_ID, strange, NOW_NS + 400 * DAY_NS, organisation=INSTITUTION)
    assert refused(desk).trouble is Trouble.FORGED
    assert last_seen(desk) == LAST_SEEN_NS


def test_reader_certificate_of_more_than_its_hours_is_refused() -> None:
    desk = SecondDesk()
    desk.certify(NOW_NS, hours=READER_CERTIFICATE_H + 1)
    assert refused(desk).trouble is Trouble.EXPIRED


def test_both_applications_know_the_same_date() -> None:
    desk = SecondDesk(last_seen_ns=0)
    desk.run(register(desk.bench.desk, desk.bench.request()))
    by_old = last_seen(desk)
    assert by_old > 0
    basic(desk)
    assert last_seen(desk) == NOW_NS
    short = AUTHORITY.issue(Role.SAM, SAM_ID, organisation=INSTITUTION, days=(-20, -1))
    desk.bench.sam = type(desk.bench.sam)(replace(desk.bench.sam.image, identity=short))
    desk.bench.clock = type(desk.bench.clock)(NOW_NS - 10 * DAY_NS)  # a desk whose clock went back takes its SAM for valid
    desk.bench.desk.clock, desk.bench.desk.sam = desk.bench.clock, None
    desk.contact = desk.at(desk.card.contact, desk.bench.clock)
    with pytest.raises(Ended) as caught:
        desk.run(register(desk.bench.desk, desk.bench.request("again", NOW_NS - 10 * DAY_NS)))
    assert caught.value.trouble is Trouble.EXPIRED  # says the card, which has seen a later date


@pytest.mark.parametrize("medium", MEDIA)
def test_card_does_not_look_at_the_time(medium: str) -> None:
    """The same messages at other moments get the same answers."""
    desk = desk_at(medium)
    begun = copy_of(desk.card)
    link = Through(desk.contact if medium == "T=1" else desk.field)
    desk.contact = desk.field = link
    basic(desk, medium)
    answers = []
    for now_ns in (0, NOW_NS, 4_000_000_000 * NS):
        card = copy_of(begun)
        face = card.contact if medium == "T=1" else card.contactless
        answers.append([face.handle(m, now_ns) if m else face.power_on() for m in link.messages])
    assert answers[0] == answers[1] == answers[2] and len(answers[0]) > 5


# -- in force


def test_credential_ends_when_a_later_date_was_seen() -> None:
    def until_yesterday(key: Any) -> Any:
        signer = AUTHORITY.issue(Role.DOCUMENT_SIGNER, "documents")
        validity = Validity(NOW_NS - 90 * DAY_NS, NOW_NS - 90 * DAY_NS, NOW_NS - DAY_NS)
        return issue(vhc.DOCTYPE, {vhc.BASIC: {"card_no": CARD_NO}}, key, signer, validity, ByteStream("tests", "short"))

    desk = SecondDesk(issue_to=until_yesterday)
    assert refused(desk).said == No.NOT_IN_FORCE and last_seen(desk) == NOW_NS


def test_cancelled_card_shows_nothing() -> None:
    desk = SecondDesk(cancelled=True)
    refusal = refused(desk)
    assert (refusal.said, refusal.code) == (No.NOT_IN_FORCE, "5002")
    assert desk.run(what_card(desk.bench.desk))  # and is still told for what it is
