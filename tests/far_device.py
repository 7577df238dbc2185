"""A device that lives here and is presented by another process, which may be killed: the device loses its power, nothing else.

Here a :class:`Home` keeps it and serves a socket; there a :class:`Far` passes on what the medium wants of it. A message is one
byte (:class:`Op`) and its payload, and has one answer.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from enum import IntEnum
from multiprocessing.connection import Client, Connection, Listener
from pathlib import Path

from virtual_devices.clock import Clock
from virtual_devices.link import Device
from virtual_devices.mdoc import engagement
from virtual_devices.mdoc.engagement import Engagement


class Op(IntEnum):
    POWER_ON = 1
    POWER_OFF = 2
    HANDLE = 3
    ENGAGE = 4  # nothing -> the text of the next engagement's code


class Home:
    """Serves the device at ``path``, one presenter at a time, until :meth:`close`. ``lock`` is held while it is at work."""

    def __init__(self, device: Device, path: Path, clock: Clock) -> None:
        self.device, self.clock = device, clock
        self.engage: Callable[[], str] = lambda: ""
        self.lock = threading.Lock()
        self._listener = Listener(str(path), family="AF_UNIX", backlog=8)
        self._connection: Connection | None = None
        self._over = False
        self._path = path
        self._thread = threading.Thread(target=self._serve, name="home")
        self._thread.start()

    def exchange(self, device: Device, clock: Clock) -> None:
        """Another device in its place; the one before loses its power."""
        with self.lock:
            self.device.power_off()
            self.device, self.clock = device, clock

    def close(self) -> None:
        self._over = True
        with suppress(OSError):
            Client(str(self._path), family="AF_UNIX").close()  # wakes the listener
        self._thread.join()
        self._listener.close()

    def _serve(self) -> None:
        while not self._over:
            with self._listener.accept() as connection:
                while not self._over:
                    try:
                        if not connection.poll(0.2):
                            continue
                        message = connection.recv_bytes()
                        connection.send_bytes(self._answer(Op(message[0]), message[1:]))
                    except (EOFError, OSError):
                        break
            with self.lock:
                self.device.power_off()

    def _answer(self, op: Op, payload: bytes) -> bytes:
        with self.lock:
            match op:
                case Op.POWER_ON:
                    return self.device.power_on()
                case Op.POWER_OFF:
                    self.device.power_off()
                    return b""
                case Op.HANDLE:
                    return self.device.handle(payload, self.clock.now_ns())
                case Op.ENGAGE:
                    return self.engage().encode()


class Far:
    """The presenter's side."""

    def __init__(self, path: str, atr: bytes = b"") -> None:
        self.atr = atr
        self._connection = Client(path, family="AF_UNIX")

    def power_on(self) -> bytes:
        return self._ask(Op.POWER_ON)

    def power_off(self) -> None:
        self._ask(Op.POWER_OFF)

    def handle(self, request: bytes, now_ns: int) -> bytes:
        return self._ask(Op.HANDLE, request)

    def engage(self) -> Engagement:
        """The device's next engagement, over a medium on which it is met by one."""
        return engagement.read_qr(self._ask(Op.ENGAGE).decode())

    def _ask(self, op: Op, payload: bytes = b"") -> bytes:
        self._connection.send_bytes(bytes([op]) + payload)
        return self._connection.recv_bytes()


__all__ = ["Far", "Home"]
