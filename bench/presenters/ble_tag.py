"""The tag of our phone that is met over Bluetooth: a reader in whose field it comes is led there (ISO/IEC 18013-5 8.2.2).

    a tap                                a new engagement, in the place of the one before
    the handover is read, or negotiated  the phone begins to advertise and to look for the reader (:class:`~bench.presenters.ble`)
    a reader has it over Bluetooth       nobody else is led there: the tag's application is not found until the session is over

The field is in a thread of its own.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Protocol

from bench.phone_image import KeptPhone
from bench.presenters.nfc import NfcPresenter
from bench.presenters.nfc_radio import Radio
from virtual_devices.mdoc.carriers import LeRole
from virtual_devices.mdoc.engagement import Engagement
from virtual_devices.mdoc.nfc_applications import Applications
from virtual_devices.wallet.faces import NFC_ATR, Begin, TagFace

ENDING_S, LOOK_S = 1.0, 0.02
"""A session that is just ending is waited for so long at the first command of a tap."""


class Air(Protocol):
    """What is used here of :class:`bench.presenters.ble.BlePresenter`."""

    @property
    def free(self) -> bool: ...

    def tapped(self, waits: Callable[[], bool]) -> None: ...


class TagInField:
    """``role``: the modes in which the phone can be met; ``draw``: random bytes, for UIDs and services."""

    atr = NFC_ATR

    def __init__(self, radio: Radio, role: LeRole, draw: Callable[[int], bytes]) -> None:
        self._air: Air | None = None
        self.device = radio.device
        self._role, self._draw = role, draw
        self._phone: KeptPhone | None = None
        self._begin: tuple[KeptPhone, Begin] | None = None  # set in the field, taken by Bluetooth
        self._face: tuple[KeptPhone, TagFace] | None = None  # of the tap under way
        self._presenter = NfcPresenter(lambda: self, radio, draw)
        self._thread = threading.Thread(target=self._presenter.run, daemon=True)

    def start(self, air: Air) -> None:
        """``air``: where the phone goes on."""
        self._air = air
        self._thread.start()

    def stop(self) -> None:
        self._presenter.stop()
        self._thread.join()

    def engage(self, phone: KeptPhone) -> Engagement | None:
        """Asked by Bluetooth: how the phone that is in can be met since the last tap; None: nobody has tapped."""
        self._phone = phone
        begun, self._begin = self._begin, None
        with phone.turn:
            return None if begun is None or begun[0] is not phone else begun[1]()

    # -- in the field (:class:`virtual_devices.link.Device`)

    def power_on(self) -> bytes:
        self._face = None
        return NFC_ATR

    def handle(self, request: bytes, now_ns: int) -> bytes:
        phone, air = self._phone, self._air
        until_s = time.monotonic() + ENDING_S
        while air is not None and not air.free and self._face is None and time.monotonic() < until_s:
            time.sleep(LOOK_S)  # the session before is ending: the reader is asked for time meanwhile
        if phone is None or air is None or not air.free:
            return Applications().handle(request) or b""
        with phone.turn:
            if self._face is None or self._face[0] is not phone:
                self._face = phone, TagFace(
                    phone.phone, self._draw, role=self._role, negotiated=phone.negotiated, meet=partial(self._meet, phone),
                )
            return self._face[1].handle(request, now_ns)

    def power_off(self) -> None:
        self._face = None

    def _meet(self, phone: KeptPhone, begin: Begin) -> None:
        begun = self._begin = phone, begin
        if self._air is not None:
            self._air.tapped(lambda: self._begin is begun)  # it may have been taken: the session before was just over


__all__ = ["TagInField"]
