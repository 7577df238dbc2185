"""One presentation of a virtual card at a desk: a *tap*, from the holder's act to the end of the session.

    result = yield from present(desk, counter, OPEN_APP, body)      body(opened, sam): what the desk asks and writes

By each medium the same session, engaged in its own way, and the holder agrees in their own way:

    NFC        the phone is held to the reader       asked on its screen; of a second-generation card in the field as by contact
    QR_BLE     its code is scanned, BLE follows      asked on its screen
    NFC_BLE    a tap names Bluetooth, BLE follows    asked on its screen
    CONTACT    a second-generation card is put in    putting it in is consent; where its PIN is on, it is typed at the reader

Each can be run again after a device that was taken away too early: ids of requests and batches stay.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import TypeVar, assert_never

from virtual_devices.authorization import Purpose
from virtual_devices.flow import Ask, Flow
from virtual_devices.holder.refusals import No
from virtual_devices.mdoc.request import V1_1
from virtual_devices.reader.authenticate import knows_pins, sam_of, verify_pin
from virtual_devices.reader.calls import get_reader_certificates
from virtual_devices.reader.desk import Desk
from virtual_devices.reader.proximity import (
    ROLE,
    Channel,
    Engaged,
    MessageChannel,
    NfcChannel,
    ReaderSession,
    Shown,
    ask,
    ble_carriers,
    end,
    engage_nfc,
    engage_qr,
    open_session,
)
from virtual_devices.reader.second_card import ContactChannel, Generation, engage_contact, what_card
from virtual_devices.reader.transmit import READ_WRITE_FAULT, Ended, Handle

T = TypeVar("T")
OPEN_APP, APPROVE, TAP_AGAIN, INSERT_CARD = "open the wallet", "approve on the phone", "tap again", "insert card"
"""What a holder is asked to do, as the rows name it."""
FIRST_GENERATION = "4033"
"""The field's code for a card that a desk cannot use this way: one of the first generation goes by ``visit.py``."""
_IN_FIELD = Handle(ROLE, extended=False, t0=False, atr=b"")


class Medium(Enum):
    """How the virtual card is presented: engagement and retrieval."""

    NFC = "nfc"  # tap, and messages in the same field
    QR_BLE = "ble"  # the code on the screen, then messages over BLE
    NFC_BLE = "nfc-ble"  # tap, then messages over BLE
    CONTACT = "contact"  # the second-generation card in the slot


@dataclass(frozen=True, slots=True)
class Counter:
    """What a desk needs for virtual cards: by which medium, and the longest data fields of its contactless reader."""

    medium: Medium = Medium.NFC
    max_command_bytes: int = 65535
    max_response_bytes: int = 65536
    newest: str = V1_1  # version of requests that this reader knows
    purpose: Purpose = Purpose.OUTPATIENT  # for which a guardian's authorization has to be good here
    serves: bool = True  # its Bluetooth can be the server, too (mdoc central client mode)


def present(
    desk: Desk, counter: Counter, act: str, body: Callable[[ReaderSession, Handle], Flow[T]],
) -> Flow[T]:
    """One presentation, from the holder's act to the end of the session. ``act``: what they do with a phone; a card is put in."""
    sam = yield from ready_for_wallets(desk)
    yield Ask("holder", INSERT_CARD if counter.medium is Medium.CONTACT else act)
    opened = yield from open_at(desk, counter)
    try:
        result = yield from body(opened, sam)
    except Ended as e:
        if not e.torn:
            yield from end(opened)
        raise
    yield from end(opened)
    return result


def open_at(desk: Desk, counter: Counter) -> Flow[ReaderSession]:
    """Engagement and session by the counter's medium; nothing is asked yet. Raises Ended, also for a first-generation card."""
    engaged, channel = yield from _engaged(desk, counter)
    return (yield from open_session(desk, engaged, channel, counter.newest))


def engage(desk: Desk, counter: Counter) -> Flow[Engaged]:
    """How the device is met by the counter's medium, and no more. Raises Ended."""
    engaged, _ = yield from _engaged(desk, counter)
    return engaged


def _engaged(desk: Desk, counter: Counter) -> Flow[tuple[Engaged, Channel]]:
    match counter.medium:
        case Medium.NFC:
            engaged = yield from engage_nfc(desk.fresh)
            return engaged, _in_field(engaged, counter)
        case Medium.QR_BLE:
            return (yield from engage_qr()), MessageChannel()
        case Medium.NFC_BLE:
            engaged = yield from engage_nfc(desk.fresh, ble_carriers(desk.fresh, serves=counter.serves))
            if not engaged.names_ble:
                raise Ended("the phone's tag names no way over Bluetooth", READ_WRITE_FAULT, ROLE)
            return engaged, MessageChannel()
        case Medium.CONTACT:
            found = yield from what_card(desk)
            if found.generation is not Generation.SECOND:
                raise Ended("the card in the slot is of the first generation", FIRST_GENERATION, found.handle.role)
            engaged = yield from engage_contact(found.handle)
            return engaged, ContactChannel.of(found.handle, engaged)
        case _:
            assert_never(counter.medium)


def _in_field(engaged: Engaged, counter: Counter) -> Channel:
    limits = engaged.nfc_limits()
    if limits is None:
        raise Ended("the phone offers no retrieval over NFC", READ_WRITE_FAULT, ROLE)
    return NfcChannel(min(counter.max_command_bytes, limits[0]), min(counter.max_response_bytes, limits[1]))


def ready_for_wallets(desk: Desk) -> Flow[Handle]:
    """The SAM, with certificates that wallets take: fetched anew once a day; without a line the former ones serve on."""
    sam = yield from sam_of(desk)
    if desk.clock.now_ns() >= desk.reader_until_ns:
        yield from get_reader_certificates(desk, sam)
    return sam


# -- the holder, asked in the middle

def ask_again(
    desk: Desk, opened: ReaderSession, wanted: dict[str, dict[str, bool]], sam: Handle, hpc: Handle | None = None,
) -> Flow[Shown]:
    """Ask; when the holder has not been asked for all of it, have them asked and ask once more."""
    shown = yield from consented(opened, lambda: ask(desk, opened, wanted, sam, hpc=hpc))
    if any(c == No.CONSENT_NEEDED for codes in shown.errors.values() for c in codes.values()):
        yield from _holder_agrees(opened)
        shown = yield from ask(desk, opened, wanted, sam, hpc=hpc)
    return shown


def consented(opened: ReaderSession, request: Callable[[], Flow[T]]) -> Flow[T]:
    """A request; when the device says that its holder has not been asked, once more after they have been. Raises Ended."""
    try:
        return (yield from request())
    except Ended as e:
        if e.said != No.CONSENT_NEEDED:
            raise
    yield from _holder_agrees(opened)
    return (yield from request())


def _holder_agrees(opened: ReaderSession) -> Flow[None]:
    card: Handle | None = None
    if isinstance(opened.channel, ContactChannel):
        card = opened.channel.handle
    elif isinstance(opened.channel, NfcChannel) and (yield from knows_pins(_IN_FIELD)):
        card = _IN_FIELD
    if card is None:
        yield Ask("holder", APPROVE)
    else:  # it has no screen: VERIFY, in the same session
        yield from verify_pin(card, "holder")


__all__ = [
    "APPROVE", "FIRST_GENERATION", "INSERT_CARD", "OPEN_APP", "TAP_AGAIN", "Counter", "Medium", "ask_again", "consented",
    "engage", "open_at", "present", "ready_for_wallets",
]
