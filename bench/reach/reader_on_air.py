"""A reader met over Bluetooth value by value: the bench is the phone, server or client, and says what the suite's peer says."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping

from bench.ble_values import ValuesLink
from bench.drivers import ble
from bench.drivers.ble import BUMBLE, BleLink
from bench.reach.radio import PhoneOnAir
from virtual_devices.mdoc.ble_gatt import Mode, Side


class OwnRadio:
    """The bench's controller, while values go one by one; ``transport``: as bumble names it. Opened when it is first used."""

    def __init__(self, transport: str, env: Mapping[str, str] | None) -> None:
        self._transport, self._env = transport, env
        self._link: BleLink | None = None

    def reader(self, mode: Mode, service: uuid.UUID, answer_s: float, show: Callable[[], None]) -> PhoneOnAir:
        """The reader's end behind an engagement; ``show`` is called when the phone can be met. Raises LinkError."""
        if self._link is None:
            self._link = ble.open(BUMBLE + self._transport, env=self._env)
        return PhoneOnAir(ValuesLink(self._link, Side.MDOC), mode, service, answer_s, _Shown(show), role="reader")

    def leave(self) -> None:
        """The phone goes."""
        if self._link is not None:
            self._link.disconnect()

    def close(self) -> None:
        """Others may have the controller."""
        link, self._link = self._link, None
        if link is not None:
            link.close()


class _Shown:
    """The code before the reader."""

    def __init__(self, show: Callable[[], None]) -> None:
        self._show = show

    def begun(self) -> None:
        self._show()

    def connected(self) -> None:
        """It is shown for one connection alone."""

    def spoken(self) -> None:
        """The same."""


__all__ = ["OwnRadio"]
