"""How a phone is met: in an NFC field, over a link for whole messages (BLE), on its screen. Each is a device behind the port.

- :class:`NfcFace`: every time the field comes on, a new engagement in the tag; the handover is static, or negotiated, and then
  messages come in ENVELOPE commands. What the holder has not armed stays inside.
- :class:`TagFace`: the tag alone, of a phone that goes on over Bluetooth: its handover names the service of this engagement.
- :class:`MessageFace`: the messages of the session that the phone has begun (the engagement was a QR code, or NFC).
- :class:`Screen`: the text of the QR code on the screen, to whoever scans it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from uuid import UUID

from virtual_devices import atr
from virtual_devices.link import Work
from virtual_devices.mdoc import engagement
from virtual_devices.mdoc.ble_gatt import service_uuid
from virtual_devices.mdoc.ble_options import of_carrier
from virtual_devices.mdoc.carriers import BleCarrier, Carrier, LeRole, NfcCarrier
from virtual_devices.mdoc.engagement import Engagement
from virtual_devices.mdoc.handover import NegotiatedHandover, StaticHandover
from virtual_devices.mdoc.nfc_applications import Applications
from virtual_devices.mdoc.nfc_retrieval import Retrieval
from virtual_devices.mdoc.type4 import Type4Tag
from virtual_devices.wallet.phone import Phone

NFC_ATR = atr.contactless(b"\x80\x77\x80VHC")
"""What a PC/SC reader would make of a phone's answer to select (PC/SC part 3, 3.1.3.2.3; historical bytes of our own)."""
MAX_COMMAND_BYTES, MAX_RESPONSE_BYTES = 65535, 65536
CARRIERS = (NfcCarrier(MAX_COMMAND_BYTES, MAX_RESPONSE_BYTES),)
SCAN = b"scan"


class NfcFace:
    """A phone in a reader's field. ``power_on``: the field comes on, or the phone is brought into it. ``negotiated``: the reader
    names its carriers first, and the phone chooses one."""

    def __init__(self, phone: Phone, *, negotiated: bool = False) -> None:
        self._phone = phone
        self._negotiated = negotiated
        self._begin: Callable[[], None] | None = None
        self._now_ns = 0
        self._applications = Applications()
        self.atr = NFC_ATR

    @property
    def work(self) -> Work:
        return self._phone.work

    def power_on(self) -> bytes:
        phone = self._phone
        key, shown = phone.new_engagement()
        tag = NegotiatedHandover(shown.raw, _own_way) if self._negotiated else StaticHandover(shown.raw, CARRIERS)

        def begin() -> None:
            if tag.handover is not None:
                phone.engaged(shown, key, (tag.handover.hs, tag.handover.hr), "nfc")

        self._begin = begin
        if not self._negotiated:
            self._begun()
        self._applications = Applications(Type4Tag(tag), Retrieval(self._answer, MAX_COMMAND_BYTES, MAX_RESPONSE_BYTES))
        return NFC_ATR

    def handle(self, request: bytes, now_ns: int) -> bytes:
        self._now_ns = now_ns
        answer = self._applications.handle(request)
        assert answer is not None  # retrieval answers at once here; a presenter asks for time while it waits
        return answer

    def power_off(self) -> None:
        self._begin = None
        self._applications.reset()
        self._phone.end_session()

    def arm_cut(self, points: int | None) -> None:
        self._phone.power.arm_cut(points)

    def _answer(self, message: bytes) -> bytes:
        self._begun()  # of a negotiated handover only now it is known which messages made it
        return self._phone.handle(message, self._now_ns)

    def _begun(self) -> None:
        begin, self._begin = self._begin, None
        if begin is not None:
            begin()


Begin = Callable[[], Engagement]
"""Begins the session of a handover; gives the engagement, with the ways by which the phone is met."""


class TagFace:
    """A phone's tag whose handover names Bluetooth; messages come to its :class:`MessageFace`. ``draw``: random bytes, for
    services; ``role``: in which modes it can be met; ``meet``: who has the radio is told to begin, before the reader can know
    whom to look for. Leaving the field ends nothing."""

    atr = NFC_ATR

    def __init__(
        self, phone: Phone, draw: Callable[[int], bytes], *, role: LeRole = LeRole.PERIPHERAL_PREFERRED, negotiated: bool = False,
        meet: Callable[[Begin], object] = lambda begin: begin(),
    ) -> None:
        self._phone, self._draw, self._role, self._negotiated, self._meet = phone, draw, role, negotiated, meet
        self._tag: StaticHandover | NegotiatedHandover | None = None
        self._begin: Begin | None = None
        self._applications = Applications()

    @property
    def work(self) -> Work:
        return self._phone.work

    def power_on(self) -> bytes:
        """A new engagement, made when the tag is first spoken to: a reader waits some milliseconds only for what comes before."""
        self._tag = None
        return NFC_ATR

    def handle(self, request: bytes, now_ns: int) -> bytes:
        del now_ns
        tag = self._tag or self._engaged()
        answer = self._applications.handle(request)
        assert answer is not None  # a tag answers at once
        if self._begin is not None and tag.handover is not None:
            begin, self._begin = self._begin, None
            self._meet(begin)
        return answer

    def power_off(self) -> None:
        self._tag = None

    def _engaged(self) -> StaticHandover | NegotiatedHandover:
        phone, service = self._phone, service_uuid(self._draw)
        key, shown = phone.new_engagement()
        tag = self._tag = (
            NegotiatedHandover(shown.raw, partial(_over_the_air, self._role, service)) if self._negotiated
            else StaticHandover(shown.raw, (BleCarrier(self._role, service),))
        )

        def begin() -> Engagement:
            handover = tag.handover
            assert handover is not None
            phone.engaged(shown, key, (handover.hs, handover.hr))
            methods = [of_carrier(one, handover.ble_service) for one in handover.carriers if isinstance(one, BleCarrier)]
            return engagement.read(engagement.with_methods(shown, [one.method() for one in methods if one is not None]))

        self._begin, self._applications = begin, Applications(Type4Tag(tag))
        return tag


def _over_the_air(role: LeRole, service: UUID, offered: tuple[Carrier, ...]) -> Carrier | None:
    """Retrieval over Bluetooth, under the id that the reader gave it: as its server where that can be, under this service, else
    as the client of the service that the reader names."""
    for one in offered:
        if isinstance(one, BleCarrier):
            if role.peripheral and one.role.central:
                return BleCarrier(LeRole.PERIPHERAL, service, power=one.power, id=one.id)
            if role.central and one.role.peripheral and one.service is not None:
                return BleCarrier(LeRole.CENTRAL, power=one.power, id=one.id)
    return None


def _own_way(offered: tuple[Carrier, ...]) -> Carrier | None:
    """Retrieval over NFC, under the id that the reader gave it."""
    nfc = next((one for one in offered if isinstance(one, NfcCarrier)), None)
    return None if nfc is None else NfcCarrier(MAX_COMMAND_BYTES, MAX_RESPONSE_BYTES, nfc.power, nfc.id)


class MessageFace:
    """A phone at the other end of a link that carries whole session messages."""

    atr = b""

    def __init__(self, phone: Phone) -> None:
        self._phone = phone

    @property
    def work(self) -> Work:
        return self._phone.work

    def power_on(self) -> bytes:
        return b""

    def handle(self, request: bytes, now_ns: int) -> bytes:
        return self._phone.handle(request, now_ns)

    def power_off(self) -> None:
        self._phone.end_session()

    def arm_cut(self, points: int | None) -> None:
        self._phone.power.arm_cut(points)


class Screen:
    """What is shown. Its device never answers anything else than the text on it; an empty one when there is none."""

    atr = b""

    def __init__(self) -> None:
        self.text = ""

    def power_on(self) -> bytes:
        return b""

    def handle(self, request: bytes, now_ns: int) -> bytes:
        return self.text.encode("ascii") if request == SCAN else b""

    def power_off(self) -> None:
        self.text = ""
