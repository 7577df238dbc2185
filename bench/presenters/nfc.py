"""Our card or phone in front of somebody else's NFC reader: nfcpy listens, ISO-DEP is ours.

Each time that a reader selects it is a tap: a new UID (for phones a random one), and power on for the device. While the device
works longer than the reader would wait, S(WTX) asks for time, from a thread of its own. ``insert`` and ``eject`` of the control
channel bring the device into the field and take it away, in the middle of a command too. docs/reference/nfc.md.
"""

from __future__ import annotations

import select
from collections import deque
from collections.abc import Callable
from os import close as close_fd
from os import eventfd, eventfd_read, eventfd_write

from bench.presenters.control import WALLET
from bench.presenters.control_server import ControlServer
from bench.presenters.nfc_keeper import Keeper
from bench.presenters.nfc_radio import Gone, Radio
from bench.presenters.serve import Persistent, Rows, Signal
from bench.presenters.slotted import Slotted
from bench.stacks.nfc_udp import Woken
from virtual_devices import atr
from virtual_devices.clock import Clock
from virtual_devices.iso_dep import Ats, Picc
from virtual_devices.link import Device

FWI = 8
"""Frame waiting time 77 ms: what chips and drivers take between two frames fits in."""


def answer_to_select(device: Device, fwi: int = FWI) -> Ats:
    """That of a device: the historical bytes of its ATR, where it has one."""
    raw = getattr(device, "atr", b"")
    return Ats(fsci=8, fwi=fwi, historical=atr.parse(raw).historical[:15] if raw else b"")


class NfcTransport:
    """Taps, one after the other, for as long as the card is in the field (``insert`` to ``remove``).

    ``fresh`` gives random bytes, for UIDs. ``ats``: the answer to select of the card that is put in next.
    """

    channel = "nfc"

    def __init__(self, radio: Radio, fresh: Callable[[int], bytes], *, uid_bytes: int = 4) -> None:
        self.device = radio.device
        self.other: Callable[[int], object] | None = None  # for the descriptors that others put into the same poll
        self.tidy: Callable[[], float | None] = lambda: None
        self.ats = Ats()
        self._radio = radio
        self._fresh = fresh
        self._uid_bytes = uid_bytes if uid_bytes in radio.uid_bytes else 4
        self._uid = b""  # of the next tap
        self._wake = eventfd(0)
        radio.poll.register(self._wake, select.POLLIN)
        radio.woken = self._woken
        self._in_field = False
        self._picc: Picc | None = None  # of the tap under way
        self._message: bytes | None = None
        self._next: bytes | None = None  # the block to send
        self._first: bytes | None = None  # a block that has come and was not looked at
        self._silent = False
        self._signals: deque[Signal] = deque()
        self._ended = False
        self._keeper = Keeper(radio)

    @property
    def poll(self) -> select.poll:
        return self._radio.poll

    @property
    def connected(self) -> bool:
        return self._picc is not None

    def insert(self, seen: Callable[[bool], None] | None = None) -> None:
        """Bring the card into the field. ``seen`` is told False at once: most readers look when they are asked to, and whoever
        puts the card in may be the one who asks."""
        self._in_field = True
        if seen is not None:
            seen(False)

    def remove(self, left: Callable[[], None]) -> None:
        """Take the card away, whatever is under way."""
        self._in_field = False
        self._over()
        left()

    def stop(self) -> None:
        """End :meth:`receive`; may be called from any thread."""
        if self._wake >= 0:
            eventfd_write(self._wake, 1)

    def close(self) -> None:
        self._keeper.stop()
        self._radio.poll.unregister(self._wake)
        wake, self._wake = self._wake, -1
        close_fd(wake)
        self._radio.close()

    # -- the transport's port

    def receive(self) -> bytes | Signal:
        while True:
            if self._signals:
                return self._signals.popleft()
            if self._ended:
                return Signal.END
            message = self._look()
            if message is not None:
                return message

    def reply(self, message: bytes) -> bool:
        """Silence makes the card deaf until the next tap: ISO-DEP has no word for it."""
        if not self._keeper.rest() or self._picc is None or not self._picc.computing:
            self._over()
            return False
        if not message:
            self._silent = True
            return False
        self._next = self._picc.reply(message)
        return True

    def _look(self) -> bytes | None:
        """Wait for something to happen, and do it: a whole message, or None."""
        self.tidy()
        try:
            if not self._in_field:
                self._wait()
            elif self._picc is None:
                self._listen()
            else:
                return self._blocks(self._picc)
        except Woken:
            pass
        except Gone:
            self._over()
        return None

    # -- taps

    def _listen(self) -> None:
        if not self._uid:
            drawn = self._fresh(self._uid_bytes)
            self._uid = (b"\x08" if self._uid_bytes == 4 else b"\0") + drawn[1:]  # a random one; one of no manufacturer
        tapped = self._radio.listen(self._uid, self.ats.to_bytes())
        if tapped is None:
            return
        picc = Picc(self._take, self.ats)
        answer = picc.activate(tapped.rats)
        if answer is None:  # no RATS
            return
        self._picc, self._silent, self._message, self._uid = picc, False, None, b""
        self._next, self._first = (answer, None) if tapped.block is None else (None, tapped.block)
        self._signals.append(Signal.POWER_ON)

    def _take(self, message: bytes) -> None:
        self._message = message

    def _blocks(self, picc: Picc) -> bytes | None:
        """Exchange blocks until a message is whole, or none comes."""
        block, self._first = self._first, None
        while True:
            if block is None:
                answer, self._next = self._next, None
                block = self._radio.exchange(answer)
            if block is None:
                return None
            self._next = None if self._silent else picc.receive(block)
            block = None
            if self._message is not None:
                message, self._message = self._message, None
                self._keeper.work(picc)
                return message
            if not picc.active:  # S(DESELECT), or a message that is too long
                if self._next is not None:
                    self._radio.send(self._next)
                raise Gone

    def _over(self) -> None:
        """The tap has ended, by the reader's will or ours."""
        if self._picc is not None:
            self._keeper.rest()
            self._picc.field_off()
            self._picc = None
            self._signals.append(Signal.LOST)
        self._next = self._first = self._message = None

    # -- everything else

    def _wait(self) -> None:
        """No card in the field: only others want something."""
        tidy_s = self.tidy()
        ready = self.poll.poll(None if tidy_s is None else max(0.0, tidy_s) * 1000)
        self._radio.deaf()
        for fd, _ in ready:
            self._woken(fd)

    def _woken(self, fd: int) -> None:
        if fd == self._wake:
            eventfd_read(self._wake)
            self._ended = True
            self._over()
        elif self.other is not None:
            self.other(fd)
        raise Woken


class NfcPresenter(Slotted):
    """One card or phone, and the control channel that exchanges it. :meth:`run` blocks; :meth:`stop` ends it.

    ``radio`` is used up by one run. ``uid_bytes``: 4 or 7, where the radio can.
    """

    medium = "nfc"
    takes = WALLET

    def __init__(
        self, source: Callable[[], Device | None], radio: Radio, fresh: Callable[[int], bytes],
        control: ControlServer | None = None, *, load: Callable[[bytes], Persistent] | None = None, rows: Rows = Rows(),
        clock: Clock | None = None, uid_bytes: int = 4, fwi: int = FWI,
    ) -> None:
        self._transport: NfcTransport = NfcTransport(radio, fresh, uid_bytes=uid_bytes)
        self._fwi = fwi
        self.reader = radio.device
        super().__init__(source, self._transport, control, load=load, rows=rows, clock=clock)

    def prepare(self, device: Device) -> None:
        self._transport.ats = answer_to_select(device, self._fwi)


__all__ = ["FWI", "NfcPresenter", "NfcTransport", "answer_to_select"]
