"""A desk before a physical card of either generation: which it is, and the card application by contact.

    found = yield from what_card(desk)                        FIRST: as ever (visit.py); SECOND: the card application is selected
    engaged = yield from engage_contact(found.handle)
    opened = yield from open_session(desk, engaged, ContactChannel.of(found.handle, engaged))
    shown = yield from ask_with_pin(desk, opened, found.handle, vhc.CONSULTATION, sam, hpc=hpc)

In a contactless field a second-generation card needs nothing of its own: it is met as a phone is (``proximity.engage_nfc``). The
handover by contact is the bench's profile: ISO/IEC 18013-5 has none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from virtual_devices.apdu import Command
from virtual_devices.card.ic_card import AID, PUBLIC_DATA
from virtual_devices.flow import Flow
from virtual_devices.holder.refusals import No
from virtual_devices.mdoc import engagement, ndef, type4
from virtual_devices.mdoc.carriers import MalformedHandover
from virtual_devices.mdoc.handover import read_select
from virtual_devices.mdoc.nfc_retrieval import AID as RETRIEVAL
from virtual_devices.mdoc.nfc_retrieval import ENVELOPE, MalformedEnvelope, unwrap, wrap
from virtual_devices.mdoc.tagged import MalformedMdoc
from virtual_devices.reader import nfc
from virtual_devices.reader.authenticate import verify_pin
from virtual_devices.reader.desk import Desk
from virtual_devices.reader.proximity import Engaged, ReaderSession, Shown, ask
from virtual_devices.reader.transmit import CARD_TIMEOUT_S, READ_WRITE_FAULT, Ended, Handle, need_ok, power_on, transmit

STEP_CARD, STEP_HANDOVER = "find out which card", "engage by contact"


class Generation(Enum):
    """Of physical cards."""

    FIRST = 1
    SECOND = 2


@dataclass(frozen=True, slots=True)
class FoundCard:
    """The card in the slot. Of the second generation the card application is selected, and waits for its files to be read."""

    generation: Generation
    handle: Handle


def what_card(desk: Desk) -> Flow[FoundCard]:
    """Power the card on and find out which it is: SELECT A0000002480400 first, which no card of the first generation knows,
    then what readers in the field send. Raises Ended: 4033 for a card that is neither, or the medium's failure."""
    handle = yield from power_on("card", STEP_CARD)
    selected = yield from transmit(handle, Command(0, 0xA4, 0x04, 0x00, RETRIEVAL, 256), STEP_CARD)
    if selected.ok:
        return FoundCard(Generation.SECOND, handle)
    old = yield from transmit(handle, Command(0, 0xA4, 0x04, 0x00, AID), STEP_CARD)
    if not old.ok:  # some serve the data and answer no SELECT
        old = yield from transmit(handle, Command(0, 0xCA, PUBLIC_DATA >> 8, PUBLIC_DATA & 0xFF, b"\0\0"), STEP_CARD)
    need_ok(old, handle.role, f"{desk.name}: no patient card of either generation", code="4033")
    return FoundCard(Generation.FIRST, handle)


def engage_contact(handle: Handle) -> Flow[Engaged]:
    """Hs from the NDEF file, read through the card application that has just been selected. Raises Ended."""
    try:
        raw = yield from _file(handle, type4.CC_FILE, 0, 15)
        container = nfc.read_container(raw)
        length = int.from_bytes((yield from _file(handle, container.file, 0, 2)), "big")
        if not 0 < length <= container.max_message_bytes:
            raise MalformedHandover(f"a message of {length} bytes", "Type 4 Tag 2.0, 5.2")
        hs = b""
        while len(hs) < length:
            piece = yield from _read(handle, 2 + len(hs), min(length - len(hs), container.max_read_bytes, 255))
            hs += piece
        found = read_select(hs)
        return Engaged(engagement.read(found.device_engagement), (found.hs, None), found.carriers)
    except (ndef.MalformedNdef, MalformedHandover, MalformedMdoc) as e:
        raise Ended(f"the card's handover: {e.what}", READ_WRITE_FAULT, handle.role) from None


def _file(handle: Handle, file: int, offset: int, count: int) -> Flow[bytes]:
    chosen = yield from transmit(handle, type4.select_file(file), STEP_HANDOVER)
    need_ok(chosen, handle.role, f"the card has no file {file:04X}")
    return (yield from _read(handle, offset, count))


def _read(handle: Handle, offset: int, count: int) -> Flow[bytes]:
    response = yield from transmit(handle, type4.read_binary(offset, count), STEP_HANDOVER)
    piece = need_ok(response, handle.role, "the card's file")
    if len(piece) != count:
        raise MalformedHandover(f"{len(piece)} bytes read where {count} were asked for", "Type 4 Tag 2.0, 5.2")
    return piece


@dataclass(frozen=True, slots=True)
class ContactChannel:
    """ENVELOPE commands by contact, to the card application as ``what_card`` has selected it: another SELECT would end the
    engagement. On T=0 in links of 255 bytes, the answer fetched by GET RESPONSE."""

    handle: Handle
    max_command_bytes: int = 255
    max_response_bytes: int = 256

    @staticmethod
    def of(handle: Handle, engaged: Engaged) -> ContactChannel:
        """As the card's handover says, and its answer to reset. Raises Ended when the handover names no such carrier."""
        limits = engaged.nfc_limits()
        if limits is None:
            raise Ended("the card's handover names no retrieval by commands", READ_WRITE_FAULT, handle.role)
        return ContactChannel(handle, *limits) if handle.extended else ContactChannel(handle)

    def open(self, engaged: Engaged) -> Flow[None]:
        yield from ()

    def exchange(self, message: bytes, step: str, timeout_s: float = CARD_TIMEOUT_S) -> Flow[bytes]:
        """One message and its answer, empty when there is none to give. Raises Ended."""
        if not self.handle.t0:
            limits = self.max_command_bytes, self.max_response_bytes
            return (yield from nfc.retrieve(message, *limits, self.handle.role, step, timeout_s))
        response = yield from transmit(self.handle, Command(0, ENVELOPE, 0, 0, wrap(message), 256), step, timeout_s)
        raw = need_ok(response, self.handle.role, "the card refuses a message", code=READ_WRITE_FAULT)
        try:
            return unwrap(raw) if raw else b""
        except MalformedEnvelope as e:
            raise Ended(f"the card's answer: {e.what}", READ_WRITE_FAULT, self.handle.role) from None


def ask_with_pin(
    desk: Desk, opened: ReaderSession, card: Handle, wanted: Mapping[str, Mapping[str, bool]], sam: Handle, *,
    hpc: Handle | None = None, person: str = "holder",
) -> Flow[Shown]:
    """Ask; where the card waits for its holder's PIN, have it entered at the reader and ask once more, in the same session.

    Raises Ended as ``ask`` and ``verify_pin`` do (5102 wrong PIN, 5109 cancelled, 4029 blocked).
    """
    try:
        shown = yield from ask(desk, opened, wanted, sam, hpc=hpc)
        waits = any(number == No.CONSENT_NEEDED for codes in shown.errors.values() for number in codes.values())
    except Ended as e:
        if e.said != No.CONSENT_NEEDED:
            raise
        waits = True
    if waits:
        yield from verify_pin(card, person)
        shown = yield from ask(desk, opened, wanted, sam, hpc=hpc)
    return shown


__all__ = ["ContactChannel", "FoundCard", "Generation", "ask_with_pin", "engage_contact", "what_card"]
