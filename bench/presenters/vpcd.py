"""Our card in a virtual PC/SC reader: a TCP client of the ``vsmartcard-vpcd`` driver of pcscd.

Two bytes of length, big endian, then the payload: one byte 0 power off, 1 power on, 2 reset, 4 "give the ATR", anything
else a command APDU. The card is in the reader while it is connected. The driver looks every 0.4 s (it asks for the ATR),
so an insertion is seen after at most that, and a removal too. TCP_QUICKACK before every read keeps an exchange at 0.07 ms:
without it, the driver's two writes wait for a delayed acknowledgement (44 to 88 ms).
"""

from __future__ import annotations

import math
import select
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Callable
from enum import Enum
from os import close as close_fd
from os import eventfd, eventfd_read, eventfd_write

from bench.presenters.control_server import ControlServer
from bench.presenters.serve import Persistent, Rows, Signal
from bench.presenters.slotted import Slotted
from virtual_devices.clock import Clock
from virtual_devices.link import Device

PORT = 35963
"""The driver's port of the first slot, "Virtual PCD 00 00"; the second slot's is the next."""
POLL_S = 0.4
"""How often the driver looks at a slot."""
RECONNECT_S = 0.25
"""Longest pause between two tries to reach the driver; the first comes after :data:`FIRST_RETRY_S`, then doubling."""
FIRST_RETRY_S = 0.02
REMOVAL_S = POLL_S + 0.05
"""How long a lost card stays away, also the one of a presenter that ran before: pcscd must see the slot empty when it looks.

When it does not, it takes the new card for the old and never powers it, or calls the reader empty for good.
"""
LOOKS, RESEATS = 4, 3
"""So often the driver may look at a card that has come without giving it power: then pcscd has not seen the slot empty (it was
busy for longer than REMOVAL_S), and the card is taken out and put in again, each time after twice as long."""
LEAVE_LIMIT_S = 1.0
"""Longest wait for the driver to notice a card that is being taken out."""
SEEN_LIMIT_S = 2.0
"""Longest wait for the driver to notice a card that was put in, before ``insert`` answers that nobody looked."""
CONNECT_LIMIT_S = 1.0
UNANSWERED_S = 2.0
"""A driver that could not be reached for so long is told of; the presenter goes on trying."""

_HEAD = struct.Struct(">H")
_SIGNALS = {b"\0": Signal.POWER_OFF, b"\1": Signal.POWER_ON, b"\2": Signal.RESET, b"\4": Signal.ATR}
_QUICKACK = getattr(socket, "TCP_QUICKACK", 12)  # Linux


class _Seat(Enum):
    """Where the card is, between the hand and the reader."""

    OUT = "out"  # no connection, and none wanted
    AWAY = "away"  # a connection is wanted, from a given moment on
    IN = "in"
    LEAVING = "leaving"  # our side of the connection is closed; the driver has not noticed yet


class VpcdTransport:
    """The connection to the driver, made again for as long as a card is wanted in the slot (see :class:`_Seat`)."""

    channel = "contact"

    def __init__(self, host: str, port: int, *, settle_s: float = REMOVAL_S) -> None:
        self.device = f"vpcd:{host}:{port}"
        self._address = (host, port)
        self.poll = select.poll()
        self._wake = eventfd(0)
        self._waking = threading.RLock()  # a signal's handler may stop what is being closed
        self.poll.register(self._wake, select.POLLIN)
        self.other: Callable[[int], object] | None = None  # for the descriptors that others put into the same poll
        self.tidy: Callable[[], float | None] = lambda: None  # what others do in time: seconds until it is to be called again
        self.unanswered: Callable[[], None] | None = None  # called once a spell of UNANSWERED_S without a driver
        self._tried_s: float | None = None  # when the spell began
        self._socket: socket.socket | None = None
        self._seat = _Seat.OUT
        self._at_s = time.monotonic() + settle_s  # AWAY: when to try; LEAVING: when to give up; OUT: not to come back before
        self._left: Callable[[], None] | None = None
        self._seen: Callable[[bool], None] | None = None
        self._seen_limit_s = 0.0
        self._pause_s = FIRST_RETRY_S
        self._data = bytearray()
        self._looked = True  # LEAVING: the driver noticed by looking, not by an exchange
        self._owed = False  # a command waits for its answer
        self._signals: deque[Signal] = deque()
        self._looks: int | None = 0  # at a card that has come and has no power yet; None: it has had some
        self._reseats = 0

    @property
    def connected(self) -> bool:
        return self._seat is _Seat.IN

    def insert(self, seen: Callable[[bool], None] | None = None) -> None:
        """Want the card in the slot. ``seen`` is told True once the service has given it power, as it does with every card that
        it sees come; False after SEEN_LIMIT_S."""
        self._seat, self._at_s = _Seat.AWAY, max(self._at_s, time.monotonic())
        self._seen, self._seen_limit_s = seen, time.monotonic() + SEEN_LIMIT_S
        self._tried_s, self._reseats = None, 0

    def remove(self, left: Callable[[], None]) -> None:
        """Take the card out; ``left`` is called once the driver has noticed, or never will.

        Our half of the connection is closed, the other half by the driver when it looks: then pcscd knows.
        """
        if self._seat is _Seat.IN and self._socket is not None:
            self._left, self._looked = left, not self._owed
            self._seat, self._at_s = _Seat.LEAVING, time.monotonic() + LEAVE_LIMIT_S
            try:
                self._socket.shutdown(socket.SHUT_WR)
            except OSError:
                self._gone()
        else:
            self._seat = _Seat.OUT
            left()

    def stop(self) -> None:
        """End :meth:`receive`; may be called from any thread, also when it has ended by itself."""
        with self._waking:
            if self._wake >= 0:
                eventfd_write(self._wake, 1)

    def close(self) -> None:
        self._disconnect()
        with self._waking:  # its number may be another file's as soon as it is closed
            wake, self._wake = self._wake, -1
            self.poll.unregister(wake)
            close_fd(wake)

    def receive(self) -> bytes | Signal:
        while True:
            if self._signals:
                return self._signals.popleft()
            message = self._message()
            if message is not None:
                if self._seat is _Seat.IN:
                    if self._seen is not None and message != b"\4":
                        self._tell_seen(True)
                    if self._overlooked(message):
                        self._reseat()
                        continue
                    self._owed = message not in _SIGNALS
                    return _SIGNALS.get(message, message)
                self._looked = self._looked and message == b"\4"
                continue
            self._look()

    def _overlooked(self, message: bytes) -> bool:
        if self._looks is None or message != b"\4":
            self._looks, self._reseats = None, 0
            return False
        self._looks += 1
        return self._looks >= LOOKS and self._reseats < RESEATS

    def _reseat(self) -> None:
        self._reseats += 1
        self._seen_limit_s = time.monotonic() + SEEN_LIMIT_S
        self._gone()
        self._at_s += REMOVAL_S * (2**self._reseats - 1)

    def _look(self) -> None:
        """Wait for something to happen, and do it."""
        for fd, _ in self.poll.poll(self._timeout_ms()):
            if self._socket is not None and fd == self._socket.fileno():
                self._read(self._socket)
            elif fd == self._wake:
                eventfd_read(self._wake)
                self._signals.append(Signal.END)
            elif self.other is not None:
                self.other(fd)

    def _timeout_ms(self) -> float | None:
        """Until the next thing that time alone brings about; what is due already is done here."""
        tidy_s = self.tidy()
        now_s = time.monotonic()
        if self._seen is not None and now_s >= self._seen_limit_s:
            self._tell_seen(False)
        if self._seat in (_Seat.AWAY, _Seat.LEAVING) and now_s >= self._at_s:
            self._due()
        due_s = [self._at_s] if self._seat in (_Seat.AWAY, _Seat.LEAVING) else []
        due_s += [self._seen_limit_s] if self._seen is not None else []
        due_s += [now_s + tidy_s] if tidy_s is not None else []
        if self._signals:
            return 0
        return max(0.0, min(due_s) - time.monotonic()) * 1000 + 1 if due_s else None

    def _tell_seen(self, seen: bool) -> None:
        tell, self._seen = self._seen, None
        if tell is not None:
            tell(seen)

    def _due(self) -> None:
        if self._seat is _Seat.LEAVING:  # the driver is busy or gone; it will see the closed connection
            self._gone()
            return
        try:
            fresh = socket.create_connection(self._address, CONNECT_LIMIT_S)
        except OSError:
            self._missed()
            return
        fresh.settimeout(None)
        fresh.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        fresh.setsockopt(socket.IPPROTO_TCP, _QUICKACK, 1)
        self._socket, self._seat, self._pause_s, self._tried_s = fresh, _Seat.IN, FIRST_RETRY_S, None
        self._data.clear()
        self._looks = 0
        self.poll.register(fresh.fileno(), select.POLLIN)

    def _missed(self) -> None:
        """Nobody listens: try again later, and say so once."""
        now_s = time.monotonic()
        self._at_s, self._pause_s = now_s + self._pause_s, min(2 * self._pause_s, RECONNECT_S)
        if self._tried_s is None:
            self._tried_s = now_s
        elif now_s - self._tried_s >= UNANSWERED_S:
            self._tried_s = math.inf  # said
            if self.unanswered is not None:
                self.unanswered()

    def _read(self, connection: socket.socket) -> None:
        try:
            connection.setsockopt(socket.IPPROTO_TCP, _QUICKACK, 1)
            data = connection.recv(1 << 16)
        except OSError:
            data = b""
        if data:
            self._data += data
        else:
            self._gone()

    def _message(self) -> bytes | None:
        """The next whole message that has been read."""
        data = self._data
        if len(data) < 2:
            return None
        end = 2 + (data[0] << 8 | data[1])
        if len(data) < end:
            if self._socket is not None:  # the driver's second half comes by itself, once the first is acknowledged
                self._socket.setsockopt(socket.IPPROTO_TCP, _QUICKACK, 1)
            return None
        message = bytes(data[2:end])
        del data[:end]
        return message

    def reply(self, message: bytes) -> bool:
        """Silence pulls the card out: the driver has no time-out, and an answer of no bytes makes it wait for ever."""
        self._owed = False
        if self._socket is None or self._seat is not _Seat.IN:
            return False
        if not message:
            self._gone()
            return False
        try:
            self._socket.sendall(_HEAD.pack(len(message)) + message)
            self._socket.setsockopt(socket.IPPROTO_TCP, _QUICKACK, 1)
        except (OSError, struct.error):
            self._gone()
            return False
        return True

    def _disconnect(self) -> None:
        if self._socket is not None:
            self.poll.unregister(self._socket.fileno())
            self._socket.close()
            self._socket = None
        self._data.clear()

    def _gone(self) -> None:
        """The connection is over, by the driver's will or ours."""
        leaving, noticed = self._seat is _Seat.LEAVING, self._looked and time.monotonic() < self._at_s
        self._disconnect()
        self._signals.append(Signal.LOST)
        self._at_s = time.monotonic() + (0.0 if leaving and noticed else REMOVAL_S)
        self._seat = _Seat.OUT if leaving else _Seat.AWAY
        left, self._left = self._left, None
        if left is not None:
            left()


class VpcdPresenter(Slotted):
    """One slot, its card, and the control channel that exchanges the card. :meth:`run` blocks; :meth:`stop` ends it.

    ``source`` gives the card that is in at the start, or None for an empty slot. ``load`` makes a device from an image;
    without it cards can be taken out, not put in. ``reader`` is the name under which PC/SC shows the slot.
    ``settle_s`` may be 0 where pcscd is younger than every card before this one. ``unanswered`` is called when nobody listens
    at the driver's port, once a spell.
    """

    medium = "vpcd"

    def __init__(
        self, source: Callable[[], Device | None], host: str = "127.0.0.1", port: int = PORT,
        control: ControlServer | None = None, *, load: Callable[[bytes], Persistent] | None = None,
        rows: Rows = Rows(), clock: Clock | None = None, reader: str = "", settle_s: float = REMOVAL_S,
        unanswered: Callable[[], None] | None = None,
    ) -> None:
        transport = VpcdTransport(host, port, settle_s=settle_s)
        transport.unanswered = unanswered
        self.reader = reader or (f"Virtual PCD 00 {port - PORT:02X}" if port in (PORT, PORT + 1) else "")
        super().__init__(source, transport, control, load=load, rows=rows, clock=clock)


def present(
    device_source: Callable[[], Device | None], host: str = "127.0.0.1", port: int = PORT,
    control: ControlServer | None = None, *, load: Callable[[bytes], Persistent] | None = None,
    rows: Rows = Rows(), clock: Clock | None = None, reader: str = "", unanswered: Callable[[], None] | None = None,
) -> None:
    """Present a card until interrupted: :class:`VpcdPresenter` in one call."""
    VpcdPresenter(
        device_source, host, port, control, load=load, rows=rows, clock=clock, reader=reader, unanswered=unanswered
    ).run()


__all__ = ["PORT", "VpcdPresenter", "VpcdTransport", "present"]
