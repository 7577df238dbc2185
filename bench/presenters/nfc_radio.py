"""A card's ear in nfcpy: at a UDP address, or a PN53x chip that listens as a card.

The two differ in who answers RATS: at a UDP address we do; a chip is told the answer beforehand and hands over the first block,
and how it answers within the standard's 5 ms is its driver's affair. A chip's call cannot be woken: each returns after
:data:`LOOK_S`, and what else there is to do is done then.
"""

from __future__ import annotations

import errno
import select
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol

import nfc.clf

from bench.stacks.nfc_udp import RATE, CardEnd, nobody
from virtual_devices.errors import LinkError
from virtual_devices.sensing import Passage, Way

LOOK_S = 0.5
TRIES = 3
LOST_S = 2.0
"""Failures of the line to a chip, one after the other and for so long, after which it is called lost."""
_ABORT, SETTLE_MS, MOST_LATE = b"\x00\x00\xff\x00\xff\x00", 20, 8
"""An ACK from the host gives a command up (PN532 User Manual 6.2.1.3); what the chip had begun to say comes soon, if at all."""
SAK = b"\x20"
"""A card of ISO/IEC 14443-4."""
_DEFAULT_RATS = b"\xe0\x80"


class Gone(Exception):
    """The field has gone."""


@dataclass(frozen=True, slots=True)
class Tapped:
    """A reader has selected the card. ``block``: the first after an answer to select that has been given; None: it has not."""

    rats: bytes
    block: bytes | None = None


class Radio(Protocol):
    """Where frames come from. ``poll`` may be given other descriptors; ``woken`` hears of theirs and may raise ``Woken``, which
    passes through :meth:`listen` and :meth:`exchange`. LinkError when the device is lost."""

    device: str
    uid_bytes: tuple[int, ...]
    woken: Callable[[int], object]

    @property
    def poll(self) -> select.poll: ...

    def listen(self, uid: bytes, ats: bytes) -> Tapped | None:
        """Wait for a reader. None: nobody yet."""
        ...

    def exchange(self, block: bytes | None) -> bytes | None:
        """Send a block, or keep silent, and wait for the next. None: nothing yet. Raises Gone."""
        ...

    def send(self, block: bytes) -> None:
        """The last word. Raises Gone."""
        ...

    def ask(self, block: bytes | None, timeout_s: float) -> bytes | None:
        """As :meth:`exchange`, from another thread while this one computes: nobody else is heard meanwhile."""
        ...

    def deaf(self) -> None:
        """Nothing is in the field: what readers have sent is heard by nobody."""
        ...

    def close(self) -> None: ...


class UdpRadio:
    """At a UDP address."""

    uid_bytes: tuple[int, ...] = (4, 7)

    def __init__(self, host: str, port: int) -> None:
        self._end = CardEnd(host, port)
        self._clf = nfc.clf.ContactlessFrontend()
        self._clf.device = self._end
        self.device = f"nfc:udp:{host}:{self._end.addr[1]}"
        self.port: int = self._end.addr[1]

    @property
    def poll(self) -> select.poll:
        return self._end.poll

    def spoil(self, passes: Callable[[Way, bytes], Passage]) -> None:
        """From now on this says what becomes of each frame."""
        self._end.passes = passes

    @property
    def woken(self) -> Callable[[int], object]:
        return self._end.woken

    @woken.setter
    def woken(self, call: Callable[[int], object]) -> None:
        self._end.woken = call

    def listen(self, uid: bytes, ats: bytes) -> Tapped | None:
        target = self._clf.listen(_target(uid, ats), LOOK_S)
        command = bytes(target.tt4_cmd or b"") if target is not None else b""
        return Tapped(command) if command else None

    def exchange(self, block: bytes | None) -> bytes | None:
        return _guarded(lambda: self._clf.exchange(block, LOOK_S))

    def send(self, block: bytes) -> None:
        _guarded(lambda: self._clf.exchange(block, 0))

    def ask(self, block: bytes | None, timeout_s: float) -> bytes | None:
        return _guarded(lambda: self._end.quietly(self._clf.target, block, timeout_s))

    def deaf(self) -> None:
        self._end.deaf()

    def close(self) -> None:
        self._clf.close()


class ChipRadio:
    """A PN53x chip (nfcpy's ``listen_tta``): it knows UIDs of four bytes that begin with 08."""

    uid_bytes: tuple[int, ...] = (4,)

    def __init__(self, device: Any, name: str) -> None:
        self._clf = nfc.clf.ContactlessFrontend()
        self._clf.device = device
        self.device = name
        self.poll = select.poll()
        self.woken: Callable[[int], object] = nobody
        self._rats = _DEFAULT_RATS
        self._failures = 0  # in a row
        self._failing_s = 0.0  # since when
        self._overhear(device)

    def _overhear(self, device: Any) -> None:
        """nfcpy answers RATS and does not tell what it said: the frames that the reader takes."""
        activate = getattr(device, "_init_as_target", None)
        if activate is None:
            return

        def heard(*args: Any) -> Any:
            data = activate(*args)
            if data is not None and len(data) >= 3 and data[1] == _DEFAULT_RATS[0]:
                self._rats = bytes(data[1:3])
            return data

        device._init_as_target = heard

    def listen(self, uid: bytes, ats: bytes) -> Tapped | None:
        self._look()
        try:
            target = self._clf.listen(_target(uid, ats), LOOK_S)
        except nfc.clf.UnsupportedTargetError as e:
            raise LinkError(f"{self.device}: this reader cannot be a card: {e}") from e
        except OSError as e:
            self._failed(e)
            return None
        self._failures = 0
        command = bytes(target.tt4_cmd or b"") if target is not None else b""
        return Tapped(self._rats, command) if command else None

    def exchange(self, block: bytes | None) -> bytes | None:
        self._look()
        return self.ask(block, LOOK_S)

    def send(self, block: bytes) -> None:
        self.ask(block, 0)

    def ask(self, block: bytes | None, timeout_s: float) -> bytes | None:
        try:
            heard = _guarded(lambda: self._clf.exchange(None if block is None else bytearray(block), timeout_s))
        except OSError as e:
            self._failed(e)
            raise Gone from None
        self._failures = 0
        return heard

    def _failed(self, error: OSError) -> None:
        """The line to the chip: one failure is none, for a frame may be damaged or late, and all may be for a moment."""
        now_s = time.monotonic()
        self._failures += 1
        if self._failures == 1:
            self._failing_s = now_s
        if error.errno == errno.ENODEV or (self._failures >= TRIES and now_s - self._failing_s >= LOST_S):
            raise LinkError(f"{self.device} is lost: {error.strerror or error}; plug it in and start again") from error
        self._in_step()

    def _in_step(self) -> None:
        """An answer that came too late would be taken for the next command's, and so on: what is on the line is dropped."""
        transport = getattr(getattr(self._clf.device, "chipset", None), "transport", None)
        if transport is None:
            return
        with suppress(OSError):  # nothing more has come
            transport.write(bytearray(_ABORT))
            for _ in range(MOST_LATE):
                transport.read(SETTLE_MS)

    def deaf(self) -> None:
        """A chip that does not listen hears nothing."""

    def _look(self) -> None:
        for fd, _ in self.poll.poll(0):
            self.woken(fd)

    def close(self) -> None:
        try:
            self._clf.close()
        except nfc.clf.Error:
            pass


def _target(uid: bytes, ats: bytes) -> Any:
    sens = b"\x04\x00" if len(uid) == 4 else b"\x44\x00"
    return nfc.clf.LocalTarget(
        RATE, sens_res=bytearray(sens), sdd_res=bytearray(uid), sel_res=bytearray(SAK), rats_res=bytearray(ats)
    )


def _guarded(exchange: Callable[[], Any]) -> bytes | None:
    """What came, None when nothing or a damaged frame did: the card keeps silent, and the reader asks again."""
    try:
        heard = exchange()
    except nfc.clf.BrokenLinkError:
        raise Gone from None
    except nfc.clf.CommunicationError:
        return None
    return bytes(heard) if heard else None


def open_radio(path: str) -> Radio:
    """``udp:HOST:PORT``, ``usb``, ``usb:VID:PID`` or ``tty:DEVICE``. Raises LinkError."""
    kind, _, rest = path.partition(":")
    if kind == "udp":
        host, _, port = rest.rpartition(":")
        return UdpRadio(host, int(port))
    from bench.drivers._nfc_worker import open_reader

    began_s = time.monotonic()
    try:
        return ChipRadio(open_reader(path), f"nfc:{path}")
    except OSError as e:
        took_s = time.monotonic() - began_s
        raise LinkError(
            f"no reader that could be a card answers at {path} (after {took_s:.1f} s): {e.strerror or e}; plug it in, close "
            "other programs that use it (pcscd too), look at the rights of its device file"
        ) from e


__all__ = ["ChipRadio", "Gone", "Radio", "Tapped", "UdpRadio", "open_radio"]
