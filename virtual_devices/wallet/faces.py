"""How a phone is met: in an NFC field, over a link for whole messages (BLE), on its screen. Each is a device behind the port.

- :class:`NfcFace`: every time the field comes on, a new engagement in the tag; the handover is static, or negotiated, and then
  messages come in ENVELOPE commands. What the holder has not armed stays inside.
- :class:`MessageFace`: the messages of the session that the phone has begun (the engagement was a QR code, or NFC).
- :class:`Screen`: the text of the QR code on the screen, to whoever scans it.
"""

from __future__ import annotations

from collections.abc import Callable

from virtual_devices import atr
from virtual_devices.link import Work
from virtual_devices.mdoc.carriers import Carrier, NfcCarrier
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
