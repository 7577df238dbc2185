"""A reader's side of a presentation (ISO/IEC 18013-5), at a desk with its SAM and, where there is one, a professional's card.

    engaged = yield from engage_nfc(desk.fresh)               or read_qr() of the code that was scanned
    session = yield from open_session(desk, engaged, channel)
    shown   = yield from ask(desk, session, vhc.REGISTRATION)             the SAM signs
    shown   = yield from ask(desk, session, vhc.CONSULTATION, hpc)        SAM and professional sign
    yield from end(session)

What comes back is believed when the issuer vouches for it, the device proves the key of this credential in this session, and
the status list does not say otherwise. Which of the parties the holder's device has refused is told (:class:`Ended`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from cryptography.hazmat.primitives.asymmetric import ec

from virtual_devices import vhc
from virtual_devices.apdu import Command
from virtual_devices.authentication import Party
from virtual_devices.cose import PROTECTED_ES256, X5CHAIN, Sign1, sig_structure
from virtual_devices.flow import Connect, Exchange, Flow
from virtual_devices.holder.readers import SKEW_S
from virtual_devices.holder.refusals import No, party_of
from virtual_devices.link import Attempt, Outcome, Work
from virtual_devices.mdoc import engagement, response, session
from virtual_devices.mdoc.ble_gatt import service_uuid
from virtual_devices.mdoc.ble_options import of_carrier
from virtual_devices.mdoc.carriers import BleCarrier, Carrier, LeRole, NfcCarrier
from virtual_devices.mdoc.engagement import Engagement
from virtual_devices.mdoc.handover import read_request, service_of
from virtual_devices.mdoc.mso import IssuerSigned
from virtual_devices.mdoc.request import V1_0, V1_1, DeviceRequest, DocRequest, items_request, signed_by_reader
from virtual_devices.mdoc.response import Believed, ResponseStatus
from virtual_devices.mdoc.session import Cipher, SessionData, Side, Transcript
from virtual_devices.mdoc.tagged import MalformedMdoc
from virtual_devices.pki import Refused, Trouble
from virtual_devices.quick import quick
from virtual_devices.reader import nfc
from virtual_devices.reader.authenticate import refused
from virtual_devices.reader.desk import Desk
from virtual_devices.reader.transmit import ABSENT, READ_WRITE_FAULT, READER_TIMEOUT, Ended, Handle, need_ok, power_on, transmit

ROLE, SCREEN = "wallet", "screen"
NFC_CARRIERS = (NfcCarrier(),)
"""What a reader offers in a negotiated handover that goes on in the field."""
TIMEOUT_S = 10.0
CONNECT_S = 10.0
"""Longest wait for the device that an engagement names to be found over the air and connected."""
DECLINED, NO_RIGHT, CANCELLED = "5109", "4029", "5002"
_CODES = {
    No.NOT_RETURNED: "4043", No.DECLINED: DECLINED, No.CONSENT_NEEDED: DECLINED, No.OTHER_READERS_NEEDED: NO_RIGHT,
    No.NOT_IN_FORCE: CANCELLED, No.AUTHORIZATION_ENDED: NO_RIGHT, No.VERSION: "4029",
}
"""The field's code for what a wallet answers; where it has none for a wallet, the nearest (inferred)."""


class Channel(Protocol):
    """How session messages travel to the holder's device and back."""

    def open(self, engaged: Engaged) -> Flow[None]:
        """Reach the device that was engaged. Raises Ended."""
        ...

    def exchange(self, message: bytes, step: str, timeout_s: float = TIMEOUT_S) -> Flow[bytes]:
        """One message and its answer, empty when there is none to give. ``timeout_s``: for each command. Raises Ended."""
        ...


@dataclass(frozen=True, slots=True)
class NfcChannel:
    """ENVELOPE commands to the device in the field. Lengths of data fields: the smaller of both sides."""

    max_command_bytes: int = 255
    max_response_bytes: int = 256

    def open(self, engaged: Engaged) -> Flow[None]:
        return nfc.open_retrieval(ROLE)

    def exchange(self, message: bytes, step: str, timeout_s: float = TIMEOUT_S) -> Flow[bytes]:
        return nfc.retrieve(message, self.max_command_bytes, self.max_response_bytes, ROLE, step, timeout_s)


@dataclass(frozen=True, slots=True)
class MessageChannel:
    """Whole messages: BLE, whose chunks are the link's own affair."""

    def open(self, engaged: Engaged) -> Flow[None]:
        attempt: Attempt = yield Connect(ROLE, engaged.address(), CONNECT_S)
        _answered(attempt)

    def exchange(self, message: bytes, step: str, timeout_s: float = TIMEOUT_S) -> Flow[bytes]:
        attempt: Attempt = yield Exchange(ROLE, message, timeout_s, step)
        return _answered(attempt)


def _answered(attempt: Attempt) -> bytes:
    if attempt.reply is not None:
        return attempt.reply
    match attempt.outcome:
        case Outcome.GONE:
            raise Ended("the phone has gone", ABSENT[ROLE], ROLE, outcome=attempt.outcome)
        case Outcome.GARBLED:
            raise Ended("the phone's answer is damaged", READ_WRITE_FAULT, ROLE, outcome=attempt.outcome)
        case _:
            raise Ended("the phone does not answer", READER_TIMEOUT, ROLE, outcome=attempt.outcome)


@quick
@dataclass(frozen=True, slots=True)
class Engaged:
    """A device engagement, and the handover by which it came (None: a QR code). ``carriers``: what the handover offers."""

    engagement: Engagement
    handover: tuple[bytes, bytes | None] | None = None
    carriers: tuple[Carrier, ...] = ()

    def address(self) -> bytes:
        """What a link over the air needs to find the device: the engagement, with the BLE carrier of a handover as its method."""
        return engagement.with_methods(self.engagement, methods) if (methods := self._methods()) else self.engagement.raw

    @property
    def names_ble(self) -> bool:
        """Its handover says how it is met over Bluetooth."""
        return bool(self._methods())

    def _methods(self) -> list[list[Any]]:
        """Of a wallet that names no service, the one that the reader has offered is meant."""
        offered = None if self.handover is None or self.handover[1] is None else service_of(read_request(self.handover[1]))
        offers = [of_carrier(c, offered) for c in self.carriers if isinstance(c, BleCarrier)]
        return [options.method() for options in offers if options is not None]

    def nfc_limits(self) -> tuple[int, int] | None:
        """Longest data fields of command and response over NFC, as the device says; None when it offers no NFC."""
        carrier = next((c for c in self.carriers if isinstance(c, NfcCarrier)), None)
        return None if carrier is None else (carrier.max_command_bytes or 255, carrier.max_response_bytes or 256)


@dataclass(slots=True)
class ReaderSession:
    """A session with one holder's device."""

    engaged: Engaged
    channel: Channel
    key: ec.EllipticCurvePrivateKey
    transcript: Transcript
    cipher: Cipher
    work: Work = field(default_factory=Work)
    newest: str = V1_1
    established: bool = False
    ended: bool = False

    @property
    def version(self) -> str:
        """The best request version that both know. What the wallet says of itself is in the transcript, so that nobody between
        the two can talk them down unnoticed."""
        return V1_1 if self.engaged.engagement.reader_auth_all and self.newest == V1_1 else V1_0


@quick
@dataclass(frozen=True, slots=True)
class Shown:
    """What the holder's device has shown, believed. ``errors``: namespace -> element -> why it is not there."""

    document: Believed
    issued: IssuerSigned
    errors: Mapping[str, Mapping[str, int]]

    @property
    def issued_hash(self) -> bytes:
        """SHA-256 of IssuerAuth: what a batch names the credential by."""
        return self.issued.auth_hash()

    def value(self, space: str, name: str) -> Any:
        """An element's value, or None."""
        values = self.document.device_values if space in vhc.AUTHORISED else self.document.values
        return values.get(space, {}).get(name)

    def why(self, space: str, name: str) -> str:
        """Why an element is not there, as a person reads it; empty when it is."""
        number = self.errors.get(space, {}).get(name)
        return "" if number is None else describe(number)


def describe(number: int) -> str:
    """A wallet's error code in words."""
    found = party_of(number)
    if found is not None:
        return f"{found[0].name}: {found[1].value}"
    return No(number).name.lower().replace("_", " ") if number in set(No) else f"error {number}"


def ble_carriers(draw: Callable[[int], bytes], *, serves: bool) -> tuple[Carrier, ...]:
    """What a reader offers in a negotiated handover that goes on over Bluetooth. ``serves``: it can be the server, too, under
    the service that it names."""
    return (BleCarrier(LeRole.CENTRAL_PREFERRED, service_uuid(draw)) if serves else BleCarrier(LeRole.CENTRAL),)


def engage_nfc(draw: Callable[[int], bytes], carriers: Sequence[Carrier] = NFC_CARRIERS) -> Flow[Engaged]:
    """The handover that the phone's tag offers; ``carriers``: what the reader offers where it is negotiated, with bytes that
    ``draw`` gives. Raises Ended."""
    yield from power_on(ROLE, "find phone")
    found = yield from nfc.handover(carriers, draw)
    try:
        return Engaged(engagement.read(found.device_engagement), (found.hs, found.hr), found.carriers)
    except MalformedMdoc as e:
        raise Ended(f"the phone's engagement: {e.what}", READ_WRITE_FAULT, ROLE) from None


def engage_qr() -> Flow[Engaged]:
    """Scan the QR code that the phone shows. Raises Ended when there is none, or another."""
    attempt: Attempt = yield Exchange(SCREEN, b"scan", TIMEOUT_S, "scan QR code")
    if attempt.reply is None:
        raise Ended("no QR code could be read", ABSENT[ROLE], ROLE, outcome=attempt.outcome)
    try:
        return Engaged(engagement.read_qr(attempt.reply.decode("ascii", "replace")))
    except MalformedMdoc as e:
        raise Ended(f"the QR code: {e.what}", "4033", ROLE) from None


def open_session(desk: Desk, engaged: Engaged, channel: Channel, newest: str = V1_1) -> Flow[ReaderSession]:
    """A fresh key for this session, never used again. Nothing is sent but what opens the channel. ``newest``: the newest version
    of requests that this reader knows."""
    key, public = session.ephemeral_key(desk.fresh(32))
    shared = session.agree(key, engaged.engagement.key)
    transcript = Transcript(engaged.engagement.raw, session.key_bytes(public), engaged.handover)
    yield from channel.open(engaged)
    return ReaderSession(engaged, channel, key, transcript, Cipher(shared, transcript, Side.READER), newest=newest)


def ask(
    desk: Desk, opened: ReaderSession, wanted: Mapping[str, Mapping[str, bool]], sam: Handle, *, hpc: Handle | None = None,
    info: Mapping[str, Any] | None = None, step: str = "present virtual card", timeout_s: float = TIMEOUT_S,
) -> Flow[Shown]:
    """One request, signed by the SAM and (a wallet of version "1.1") by the professional's card, and what is believed of its
    answer, waited for ``timeout_s``. Raises Ended: the party that was refused, the holder's no, a card that is not in force, or
    the medium's failure."""
    items = items_request(vhc.DOCTYPE, wanted, info)
    auth = yield from _sign(sam, desk.reader_chain, signed_by_reader(items, opened.transcript))
    asked = DeviceRequest(opened.version, (DocRequest(items, auth),))
    if opened.version == V1_1 and hpc is not None:
        signed = asked.signed_by_all(opened.transcript)
        sam_too = yield from _sign(sam, desk.reader_chain, signed)
        professional = yield from _sign(hpc, desk.hpc_reader_chain, signed)
        asked = DeviceRequest(opened.version, asked.documents, (sam_too, professional))
    answer = yield from _exchange(opened, asked.to_bytes(), step, timeout_s)
    return _believe(desk, opened, answer)


def end(opened: ReaderSession) -> Flow[None]:
    """Say that it is over, once. A medium that is gone by now has ended it too."""
    if opened.established and not opened.ended:
        opened.ended = True
        try:
            yield from opened.channel.exchange(session.TERMINATION, "end session")
        except Ended:
            return


def _sign(chip: Handle, chain: tuple[bytes, ...], payload: bytes) -> Flow[Sign1]:
    """A detached signature by a card at the desk, under its reader certificate."""
    if not chain:
        raise refused(Party.SAM if chip.role == "sam" else Party.HPC, Trouble.MISSING, "no reader certificate")
    command = Command(0, 0x2A, 0x9E, 0x9A, sig_structure(PROTECTED_ES256, payload), le=64)
    signature = need_ok((yield from transmit(chip, command, "sign request")), chip.role, "signature", code="5008")
    return Sign1(PROTECTED_ES256, {X5CHAIN: list(chain)}, None, signature)


def _exchange(opened: ReaderSession, plain: bytes, step: str, timeout_s: float) -> Flow[bytes]:
    """One request under the session's keys, and the plain answer."""
    sealed = opened.cipher.seal(plain)
    if opened.established:
        message = SessionData(sealed).to_bytes()
    else:
        message = session.establishment(opened.transcript.reader_key_bytes, sealed)
        opened.established = True
    raw = yield from opened.channel.exchange(message, step, timeout_s)
    try:
        answer = session.read_data(raw)
        if answer.data is None:
            opened.ended = True
            name = "" if answer.status is None else answer.status.name.lower().replace("_", " ")
            raise Ended(f"the phone ended the session: {name}", READ_WRITE_FAULT, ROLE)
        return opened.cipher.open(answer.data)
    except MalformedMdoc as e:
        opened.ended = True
        raise Ended(f"the phone's answer: {e.what}", READ_WRITE_FAULT, ROLE) from None


def _believe(desk: Desk, opened: ReaderSession, plain: bytes) -> Shown:
    """Raises Ended for whatever is not as it should be."""
    try:
        answer = response.read(plain)
    except MalformedMdoc as e:
        raise Ended(f"the phone's answer: {e.what}", READ_WRITE_FAULT, ROLE) from None
    if answer.status is not ResponseStatus.OK:
        why = answer.status.name.lower().replace("_", " ")
        raise Ended(f"the phone does not understand a request of version {opened.version}: {why}", NO_RIGHT, ROLE)
    document = next((d for d in answer.documents if d.doctype == vhc.DOCTYPE), None)
    if document is None:
        raise refusal(answer.errors.get(vhc.DOCTYPE, int(No.NOT_RETURNED)))
    verdict = response.believe(
        document, opened.transcript, desk.root, desk.clock.now_ns(), opened.work,
        agree=lambda device: session.agree(opened.key, device), skew_s=SKEW_S,
    )
    if isinstance(verdict, Refused):
        raise refused(Party.CARD, verdict.trouble, verdict.text)
    return Shown(verdict, document.issued, document.errors)


def refusal(number: int) -> Ended:
    """What a wallet's code for a whole document means to the desk."""
    found = party_of(number)
    if found is not None:
        return refused(found[0], found[1], "says the phone", said=number)
    code = _CODES[No(number)] if number in set(No) else NO_RIGHT
    return Ended(f"the phone shows nothing: {describe(number)}", code, ROLE, said=number)


__all__ = [
    "Channel", "Engaged", "MessageChannel", "NfcChannel", "ReaderSession", "Shown", "ask", "ble_carriers",
    "describe", "end", "engage_nfc", "engage_qr", "open_session",
]
