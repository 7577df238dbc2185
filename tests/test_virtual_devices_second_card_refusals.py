"""Skimming, broken rules and noise: what a second-generation card refuses, and that nothing makes it fall over."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from virtual_devices import atr, vhc
from virtual_devices.apdu import Command
from virtual_devices.authentication import CERTIFICATE
from virtual_devices.card.areas import AREAS
from virtual_devices.card.second import ATS, Interface, SecondCard
from virtual_devices.card.second_field import CardInField
from virtual_devices.card.second_image import CREDENTIAL, SecondImage, credential_of
from virtual_devices.errors import UsageError
from virtual_devices.flow import Flow
from virtual_devices.iso_dep_reader import rats
from virtual_devices.mdoc import nfc_retrieval, session, type4
from virtual_devices.mdoc.handover import read_select
from virtual_devices.pki import Role
from virtual_devices.reader.authenticate import sam_of
from virtual_devices.reader.proximity import ask, end
from virtual_devices.reader.second_card import ask_with_pin

from .chips import CARD_NUMBER, PUBLIC, PUBLIC_LE, SELECT_15_LE, SELECT_16, certify, say
from .desk import AUTHORITY, patient_card
from .fuzz_spoil import spoil
from .links import Through
from .second_cards import HOLDER_PIN, MEDIA, SELECT_RETRIEVAL, SELECT_TAG, SecondDesk, credential, desk_at, open_by, second_card

OLD_COMMANDS = (
    PUBLIC, PUBLIC_LE, CARD_NUMBER, Command(0, 0xCA, CERTIFICATE >> 8, CERTIFICATE & 0xFF, le=256), Command(0, 0x84, 0, 0, le=16),
    Command(0, 0x22, 0x81, 0xA4, b"\x83\x01\x02"), Command(0x80, 0xDA, 1, 0, b"\x8e\x00"),
    *(Command(0, 0xB2, 1, area.sfi << 3 | 5, le=256) for area in AREAS),
)


def face(card: SecondCard, medium: str) -> Interface:
    chosen = card.contactless if medium in ("field", "blocks") else card.contact
    chosen.power_on()
    return chosen


def secrets(card: SecondCard) -> tuple[bytes, ...]:
    public = card.store["public"]
    return public[:12], public[12:20], public[32:42]


# -- skimming


@pytest.mark.parametrize("selected", [None, SELECT_16, SELECT_15_LE, SELECT_TAG, SELECT_RETRIEVAL])
def test_old_read_is_refused_in_the_field_whatever_was_selected(selected: Any) -> None:
    card = second_card()
    field = face(card, "field")
    if selected in (SELECT_16, SELECT_15_LE):
        assert say(field, selected).sw == 0x6A82
    elif selected is not None:
        assert say(field, selected).ok
    for command in OLD_COMMANDS:
        answer = say(field, command)
        assert not answer.ok and not answer.data


@pytest.mark.parametrize("select", [None, SELECT_16, SELECT_15_LE])
@pytest.mark.parametrize("profile", ["t1", "t0"])
def test_the_same_bytes_are_served_by_contact_as_on_the_first_generation(profile: str, select: str | None) -> None:
    card, old = second_card(profile), patient_card(profile)
    slot = face(card, "T=1")
    old.power_on()
    for command in filter(None, (select, PUBLIC, PUBLIC_LE, CARD_NUMBER, "00C0000039")):
        ours, theirs = say(slot, command), say(old, command)
        assert (ours.data, ours.sw) == (theirs.data, theirs.sw)


def test_skimmer_without_a_certificate_sees_nothing_that_tells_the_card() -> None:
    """All that comes out of a pocket: files with a key that is new each time, and refusals."""
    card = second_card()
    field, said, engagements = face(card, "field"), b"", set()
    for _ in range(2):
        assert say(field, SELECT_TAG).ok and say(field, type4.select_file(type4.NDEF_FILE)).ok
        hs = say(field, type4.read_binary(2, 256)).data
        engagements.add(read_select(hs).device_engagement)
        said += field.atr + ATS.to_bytes() + hs
        assert say(field, SELECT_RETRIEVAL).ok
        stranger = AUTHORITY.root_key  # a key that belongs to no reader here
        message = session.establishment(session.key_bytes(stranger.public_key()), bytes(32))
        for link in nfc_retrieval.envelopes(message, 255, 256):
            said += say(field, link).data
    assert len(engagements) == 2 and not any(secret in said for secret in secrets(card))
    assert credential_of(card.store[CREDENTIAL]).auth.signature not in said


def test_stranger_sam_gets_nothing_in_the_field() -> None:
    desk = SecondDesk()
    desk.bench.desk.reader_chain = desk.bench.sam.image.identity.chain  # long-lived: not a reader certificate for 72 hours
    with pytest.raises(Exception, match="sam refused"):
        desk.run(_basic(desk, "field"))
    assert desk.card.work.signatures == 0


def _basic(desk: SecondDesk, medium: str) -> Flow[Any]:
    _, opened = yield from open_by(desk, medium)
    sam = yield from sam_of(desk.bench.desk)
    return (yield from ask(desk.bench.desk, opened, vhc.REGISTRATION, sam))


# -- rules


def test_names_are_known_by_their_interface() -> None:
    card = second_card()
    slot = face(card, "T=1")
    assert say(slot, SELECT_TAG).sw == 0x6A82  # the tag is in the field only
    assert say(slot, PUBLIC).ok  # and what was selected still is
    assert say(slot, SELECT_RETRIEVAL).ok and say(slot, PUBLIC).sw == 0x6D00
    assert say(slot, Command(0, 0xA4, 4, 0, b"\xa0\0\0\0\x01")).sw == 0x6A82
    assert say(slot, PUBLIC).ok  # back to the default
    slot.power_off()
    field = face(card, "field")
    assert say(field, type4.select_file(type4.CC_FILE)).sw == 0x6985  # nothing is selected there to begin with
    assert say(field, SELECT_RETRIEVAL).ok
    assert say(field, type4.select_file(type4.CC_FILE)).sw == 0x6D00  # files are the tag's own there
    assert say(field, Command(0, 0xA4, 4, 0, nfc_retrieval.AID + b"\x01")).sw == 0x6A82
    assert say(field, Command(0, nfc_retrieval.ENVELOPE, 0, 0, b"\x53\x00", 256)).sw == 0x6985


@pytest.mark.parametrize("between", [Command(0, 0x20, 0, 0x81), type4.read_binary(0, 2), type4.select_file(type4.CC_FILE)])
def test_another_command_inside_a_chain_ends_it(between: Command) -> None:
    slot = face(second_card(pin=HOLDER_PIN), "T=1")
    assert say(slot, SELECT_RETRIEVAL).ok
    assert say(slot, Command(0x10, nfc_retrieval.ENVELOPE, 0, 0, b"\x53\x82")).ok
    assert say(slot, between).sw == 0x6883
    assert say(slot, between).sw != 0x6883


@pytest.mark.parametrize("medium", ["T=1", "T=0", "field"])
def test_pin_comes_in_one_command(medium: str) -> None:
    it = face(second_card("t0" if medium == "T=0" else "t1", pin=HOLDER_PIN), medium)
    assert say(it, SELECT_RETRIEVAL).ok
    assert say(it, Command(0x10, 0x20, 0, 0x81, b"1357")).sw == 0x6884
    assert say(it, Command(0, 0x20, 0, 0x81, b"\xff\xff\xff\xff")).sw == 0x6A80
    assert it.card.pin.tries_left == 3


def test_old_application_is_left_with_nothing_under_way() -> None:
    """A chain that was begun there does not go on after the card application was selected in between."""
    slot = face(second_card(), "T=1")
    assert say(slot, Command(0, 0x22, 0x81, 0xA4, b"\x83\x01\x02")).ok
    chain = certify(AUTHORITY.issue(Role.SAM, "X"))
    first = Command(0x10, 0x2A, 0, 0xBE, chain.data[:200])
    assert say(slot, first).ok and say(slot, SELECT_RETRIEVAL).ok and say(slot, SELECT_16).ok
    assert say(slot, Command(0, 0x2A, 0, 0xBE, chain.data[200:])).sw == 0x6985


def test_message_without_an_engagement_ends_at_once() -> None:
    """In the field the card application without the tag: no key, no session."""
    field = face(second_card(), "field")
    assert say(field, SELECT_RETRIEVAL).ok
    answer = say(field, Command(0, nfc_retrieval.ENVELOPE, 0, 0, nfc_retrieval.wrap(b"\xa0"), 256))
    assert nfc_retrieval.unwrap(answer.data) == session.TERMINATION


def test_selecting_again_begins_a_session_with_another_key() -> None:
    desk = SecondDesk()

    def flow() -> Flow[None]:
        _, opened = yield from open_by(desk, "T=1")
        sam = yield from sam_of(desk.bench.desk)
        yield from ask(desk.bench.desk, opened, vhc.REGISTRATION, sam)
        assert say(desk.card.contact, SELECT_RETRIEVAL).ok
        yield from ask(desk.bench.desk, opened, vhc.REGISTRATION, sam)

    with pytest.raises(Exception, match="ended the session"):
        desk.run(flow())


def test_long_commands_need_a_transport_that_has_them() -> None:
    slot = face(second_card("t0"), "T=0")
    assert say(slot, SELECT_RETRIEVAL).ok
    assert say(slot, Command(0, 0xC3, 0, 0, bytes(300), 256)).sw == 0x6700
    assert say(slot, Command(0, 0xA4, 4, 0, nfc_retrieval.AID, 256, True)).sw == 0x6700
    assert say(slot, type4.select_file(type4.CC_FILE)).ok
    assert say(slot, type4.read_binary(0, 256)).sw == 0x6C0F  # says how long it is
    assert len(say(slot, type4.read_binary(0, 15)).data) == 15
    assert not atr.parse(slot.atr).extended


def test_message_longer_than_the_chip_takes_is_refused() -> None:
    slot = face(second_card(), "T=1")
    assert say(slot, SELECT_RETRIEVAL).ok
    links = list(nfc_retrieval.envelopes(bytes(40_000), 2048, 2048))
    assert say(slot, links[0]).sw == 0x6700


@pytest.mark.parametrize("change", ["key", "credential", "other card", "a ward's", "profile", "noise", "version"])
def test_image_whose_parts_do_not_belong_together_is_refused(change: str) -> None:
    image = SecondImage.from_bytes(second_card().to_image())
    with pytest.raises(UsageError):
        match change:
            case "key":
                SecondImage.from_bytes(SecondImage(image.card, bytes(31) + b"\x07").to_bytes())
            case "credential":
                second_card(issue_to=lambda _: credential(AUTHORITY.root_key.public_key()))
            case "other card":
                second_card(issue_to=lambda key: credential(key, card_no="000000000001"))
            case "a ward's":
                second_card(issue_to=lambda key: credential(key, **{vhc.HELD_UNDER: bytes(16)}))
            case "profile":
                second_card("y2025")
            case "noise":
                SecondImage.from_bytes(b"\xa1\x00")
            case _:
                SecondImage.from_bytes(image.card.to_bytes())


# -- noise


@cache
def overheard(medium: str) -> tuple[bytes, tuple[bytes, ...]]:
    """A fresh card's image, and the good messages of a presentation with PIN at it."""
    desk = desk_at("T=0" if medium == "T=0" else "T=1" if medium == "T=1" else "field", pin=HOLDER_PIN)
    image = desk.card.to_image()
    link = Through(desk.contact if medium.startswith("T=") else desk.field)
    desk.contact = desk.field = link

    def flow() -> Flow[None]:
        card, opened = yield from open_by(desk, "T=1" if medium.startswith("T=") else "field")
        sam = yield from sam_of(desk.bench.desk)
        yield from ask_with_pin(desk.bench.desk, opened, card, vhc.CONSULTATION, sam, hpc=desk.doctor)
        yield from end(opened)

    desk.run(flow())
    return image, tuple(m for m in link.messages if m)


@pytest.mark.parametrize("medium", MEDIA[:3])
@given(script=st.lists(st.tuples(st.integers(0, 1 << 16), st.booleans(), st.randoms(use_true_random=False)), max_size=40))
def test_spoilt_presentation_raises_nothing_and_leaks_nothing(medium: str, script: list[tuple[int, bool, Any]]) -> None:
    image, messages = overheard(medium)
    card = SecondCard.from_image(image)
    it, told = face(card, medium), secrets(card)
    for start, good, rng in script:
        for at in range(start % len(messages), min(start % len(messages) + 6, len(messages))):
            answer = it.handle(messages[at] if good else spoil(rng, messages[at]), 0)
            assert len(answer) >= 2 and (medium.startswith("T=") or not any(secret in answer for secret in told))


@pytest.mark.parametrize("medium", MEDIA[:3])
@given(noise=st.lists(st.binary(max_size=300), max_size=20))
def test_noise_raises_nothing(medium: str, noise: list[bytes]) -> None:
    it = face(SecondCard.from_image(overheard(medium)[0]), medium)
    for message in (SELECT_RETRIEVAL.to_bytes(), *noise):
        assert len(it.handle(message, 0)) >= 2


@given(
    commands=st.lists(
        st.builds(
            Command, st.sampled_from([0, 0x10, 0x80, 0x0C]), st.sampled_from([0xA4, 0xB0, 0xC0, 0xC3, 0x20, 0x24, 0x2C, 0xCA]),
            st.sampled_from([0, 1, 2, 4, 0x11, 0x80]), st.sampled_from([0, 2, 0x0C, 0x81, 0xFF]),
            st.one_of(
                st.binary(max_size=40),
                st.sampled_from([nfc_retrieval.AID, type4.AID, b"\xe1\x03", b"\xe1\x04", b"\x53\x01\xa0"]),
            ),
            st.sampled_from([None, 1, 15, 256, 65536]),
        ),
        max_size=30,
    ),
    medium=st.sampled_from(MEDIA[:3]),
)
def test_commands_in_any_order_raise_nothing(commands: list[Command], medium: str) -> None:
    it = face(SecondCard.from_image(overheard(medium)[0]), medium)
    for command in commands:
        assert len(it.handle(command.to_bytes(), 0)) >= 2


@given(blocks=st.lists(st.binary(max_size=260), max_size=20), wild=st.integers(0, 12))
def test_blocks_of_noise_raise_nothing(blocks: list[bytes], wild: int) -> None:
    picc = CardInField(SecondCard.from_image(overheard("field")[0]).contactless)
    assert picc.activate(rats(wild)) is not None
    for block in blocks:
        picc.receive(block)
    picc.field_off()


def test_card_in_a_slot_is_silent_in_the_field() -> None:
    card = second_card()
    card.contact.power_on()
    picc = CardInField(card.contactless)
    assert picc.activate(rats()) is None and not picc.active
    card.contact.power_off()
    assert picc.activate(rats()) == ATS.to_bytes()
