"""nfcpy's UDP driver at both ends, where a socket is not like a radio.

What travels is nfcpy's own: ``106A`` and the frame in hex, ``RFOFF`` when the field goes. Three things are made as on the air:

- Nobody hears what is sent while he does not listen. A socket keeps it, so both ends throw away what has come before they send.
- A damaged frame is a damaged frame: nfcpy's driver raises ValueError for bad hex, which would end a listener.
- A field stays where it is: of two readers at one card, the one that it answers is heard, and the other only when the first has
  been silent for :data:`IDLE_S` (a reader that was killed has no chance to switch its field off).

The card's end binds the address that it is given, not all of them, and keeps its socket between two taps.
"""

from __future__ import annotations

import errno
import math
import select
import socket
import time
from binascii import unhexlify
from collections.abc import Callable
from typing import Any

import nfc.clf
import nfc.clf.udp

from virtual_devices.errors import LinkError
from virtual_devices.sensing import Passage, Way, whole

IDLE_S = 0.25
"""A reader that has said nothing for so long may be gone: another one that begins is then heard."""
SENSE_S = 0.1
"""Longest wait for an answer in anticollision. A card answers within 1 ms; a process may be kept from it for longer."""
RATE = "106A"
REQA = b"\x26"
_FIELD_OFF = b"RFOFF"
_BYTES = 1024  # of a datagram; the longest frame has 256 bytes in hex

Address = tuple[str, int]
Frame = tuple[str, bytearray, Address]


class ReaderEnd(nfc.clf.udp.Device):  # type: ignore[misc]
    """The reader's end. ``deadline_s``: on the monotonic clock; nothing is waited for beyond it."""

    socket: Any

    def __init__(self, host: str, port: int) -> None:
        super().__init__(host, port)
        self._vendor_name, self._device_name, self._chipset_name = "", "IP-Stack", "UDP"
        self._path = f"udp:{host}:{port}"
        self.deadline_s = math.inf
        self._longest_s = math.inf

    def sense_tta(self, target: Any) -> Any:
        self._longest_s = SENSE_S
        try:
            return super().sense_tta(target)
        finally:
            self._longest_s = math.inf

    def send_cmd_recv_rsp(self, target: Any, data: Any, timeout: float) -> Any:
        _drain(self.socket)
        return super().send_cmd_recv_rsp(target, data, timeout)

    def _recv_data(self, timeout: float, *rates: str) -> Frame:
        limit_s = max(0.0, min(timeout, self._longest_s, self.deadline_s - time.monotonic()))
        try:
            frame: Frame = super()._recv_data(limit_s, *rates)
        except ValueError as e:  # bad hex, or a rate that is no text
            raise nfc.clf.TransmissionError(str(e)) from None
        return frame


class Woken(Exception):
    """Something else than the air wants attention."""


def nobody(fd: int) -> None:
    """Nobody else shares the poll."""


class CardEnd(nfc.clf.udp.Device):  # type: ignore[misc]
    """The card's end. ``poll`` may be given other descriptors; ``woken`` is called with theirs and may raise :class:`Woken`.

    Raises LinkError when it cannot listen there.
    """

    socket: Any
    addr: Address

    def __init__(self, host: str, port: int) -> None:
        try:
            super().__init__(host, port)
        except OSError as e:
            raise LinkError(f"udp:{host}:{port}: {e.strerror or e}; give the name or address of this computer") from e
        self._vendor_name, self._device_name, self._chipset_name = "", "IP-Stack", "UDP"
        self._path = f"udp:{host}:{port}"
        self.poll = select.poll()
        self._air = select.poll()  # the socket alone
        self._ear = self.poll
        self.woken: Callable[[int], object] = nobody
        self.passes: Callable[[Way, bytes], Passage] = whole
        """What becomes of each frame: for trying how losses are met."""
        self.reader: Address | None = None
        """Who is in session with the card."""
        self._heard_s = 0.0
        self._held: Frame | None = None  # the first frame of a tap, met in the session before
        self._in_session = False
        self._bind()

    def _bind(self) -> None:
        host, port = self.addr
        try:
            self.socket.bind(self.addr)
        except OSError as e:
            self.socket.close()
            if e.errno == errno.EADDRINUSE:
                raise LinkError(f"udp:{host}:{port}: another program listens there: end it, or give another port") from e
            raise LinkError(f"udp:{host}:{port}: {e.strerror}; give the name or address of this computer") from e
        self.addr = self.socket.getsockname()
        self.socket.setblocking(False)
        for poll in (self.poll, self._air):
            poll.register(self.socket.fileno(), select.POLLIN)

    # -- what nfcpy calls

    def _bind_socket(self, time_to_return: float) -> bool:
        return True

    def mute(self) -> None:
        """A card has no field to switch off."""

    def close(self) -> None:
        if self.socket is not None:
            self.poll.unregister(self.socket.fileno())
            self.socket.close()
            self.socket = None

    def listen_tta(self, target: Any, timeout: float) -> Any:
        self._in_session = False
        found = super().listen_tta(target, timeout)
        self._in_session = found is not None
        return found

    def _send_data(self, rate: str, data: Any, addr: Address) -> None:
        if self._in_session:
            self._overhear()
        passage = self.passes(Way.TO_READER, bytes(data))
        if passage is Passage.LOST:
            return
        try:
            if passage is Passage.DAMAGED:
                self.socket.sendto(rate.encode(), addr)  # a frame without bytes: nfcpy calls it a transmission error
            else:
                super()._send_data(rate, data, addr)
        except OSError as e:
            raise nfc.clf.TransmissionError(str(e)) from None

    def _recv_data(self, timeout: float | None, *rates: str) -> Frame:
        if self._held is not None:
            frame, self._held = self._held, None
            return self._taken(frame)
        deadline_s = math.inf if timeout is None else time.monotonic() + timeout
        while True:
            left_s = deadline_s - time.monotonic()
            ready = self._ear.poll(None if left_s == math.inf else max(0.0, left_s) * 1000)
            for fd, _ in ready:
                if self.socket is not None and fd == self.socket.fileno():
                    heard = self._read()
                    if heard is not None and heard[0] in rates:
                        return self._taken(heard)
                else:
                    self.woken(fd)
            if left_s <= 0:
                raise nfc.clf.TimeoutError("no data received")

    def quietly(self, target: Any, data: Any, timeout_s: float) -> Any:
        """As an exchange, with an ear for the air alone. None when nothing comes."""
        self._ear = self._air
        try:
            return self.send_rsp_recv_cmd(target, data, timeout_s)
        except nfc.clf.TimeoutError:
            return None
        finally:
            self._ear = self.poll

    def deaf(self) -> None:
        """Nothing is in the field: what has come is heard by nobody."""
        self._in_session, self._held, self.reader = False, None, None
        _drain(self.socket)

    # -- the air

    def _taken(self, frame: Frame) -> Frame:
        self.reader, self._heard_s = frame[2], time.monotonic()
        return frame

    def _read(self) -> Frame | None:
        """The next frame that concerns the card. BrokenLinkError when the field has gone, TransmissionError for a damaged one."""
        try:
            raw, addr = self.socket.recvfrom(_BYTES)
        except OSError:  # also what an earlier datagram met: nobody there any more
            return None
        ours = addr == self.reader
        if raw.startswith(_FIELD_OFF):
            if ours:
                self.reader = None
                raise nfc.clf.BrokenLinkError("RFOFF")
            return None
        parts = raw.split()
        try:
            rate, data = parts[0].decode("ascii"), bytearray(unhexlify(parts[1]))
        except (IndexError, ValueError):
            if ours and self._in_session and raw:
                raise nfc.clf.TransmissionError("a damaged frame") from None
            return None
        if self.passes(Way.TO_CARD, bytes(data)) is not Passage.WHOLE:  # damaged or lost: the card keeps silent
            return None
        frame = (rate, data, addr)
        if not self._in_session:
            return frame if ours or data == REQA else None
        if data != REQA:
            return frame if ours else None
        if ours or time.monotonic() - self._heard_s >= IDLE_S:
            self._held = frame
            raise nfc.clf.BrokenLinkError("another tap begins")
        return None

    def _overhear(self) -> None:
        """Throw away what came while the card was busy, but for the field's going and another tap."""
        while self._air.poll(0):
            try:
                self._read()
            except nfc.clf.TransmissionError:
                continue


def _drain(open_socket: socket.socket) -> None:
    try:
        while True:
            open_socket.recv(_BYTES, socket.MSG_DONTWAIT)
    except OSError:  # nothing more
        return


__all__ = ["CardEnd", "IDLE_S", "RATE", "SENSE_S", "ReaderEnd", "Woken", "nobody"]
