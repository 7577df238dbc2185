"""The process that talks to one NFC reader through nfcpy; what travels: :class:`bench.drivers.nfc.Op`.

nfcpy opens the reader, finds the card (type A, 106 kbit/s) and carries frames. ISO-DEP is ours, because nfcpy's takes an ATS by
fixed positions, knows neither DESELECT nor an extension inside a chained answer, and loses step with the card after a failure.
Any failed exchange gives the card up: only a new selection helps.
"""

from __future__ import annotations

import contextlib
import errno
import math
import time
from collections.abc import Generator
from dataclasses import replace
from typing import Any, TypeVar

import nfc.clf
import nfc.clf.device
import nfc.clf.transport

from bench.drivers.nfc import DEADLINE, RESULT, Op, What
from bench.frames import Tape
from bench.stacks.nfc_udp import RATE, SENSE_S, ReaderEnd
from bench.worker import answer_calls
from virtual_devices.iso_dep import FRAME_SIZES, Ats, MalformedIsoDep, head_bytes
from virtual_devices.iso_dep_reader import Frame, Lost, Pcd, rats
from virtual_devices.link import Layer

T = TypeVar("T")
POLL_S = 0.02
"""Pause between two looks for a card, or for a reader."""
FIELD_OFF_S = 0.006
"""A card forgets everything in 5 ms without a field (ISO/IEC 14443-3 5.4)."""
RATS_S = 0.1
"""Longest wait for the answer to select. The standard asks for 4.8 ms; a phone's processor, and a bench's, may be late."""
ISO_DEP = 0x20  # in SAK
ACKNOWLEDGED_MS, _NFCPYS_MS = 1000, 100
"""How long a chip at a serial port may take to acknowledge a command, in place of nfcpy's own limit."""


class Reader:
    """The one reader, and the one card in its field."""

    def __init__(self) -> None:
        self._clf = nfc.clf.ContactlessFrontend()
        self._pcd: Pcd | None = None
        self._damaged = False  # the last frame came, and was damaged
        self.tape = Tape(Layer.ISO_DEP)

    # -- operations

    def connect(self, payload: bytes) -> bytes:
        """Wait for the reader and a card until the deadline; select it."""
        (deadline_s,) = DEADLINE.unpack_from(payload)
        began_ns = time.perf_counter_ns()
        self.tape.begin()
        self._forget()
        while True:
            what, detail = self._try(payload[DEADLINE.size :].decode(), deadline_s)
            left_s = deadline_s - time.monotonic()
            if what in (What.OK, What.OTHER_CARD) or left_s <= 0:
                return _result(what, began_ns, detail)
            time.sleep(min(POLL_S, left_s))

    def transmit(self, apdu: bytes) -> bytes:
        if self._pcd is None:
            return _result(What.NOT_CONNECTED, time.perf_counter_ns())
        began_ns = time.perf_counter_ns()
        self.tape.begin()
        try:
            answer = self._run(self._pcd.exchange(apdu))
        except Lost as e:
            what, text = (What.GARBLED if self._damaged else What.GONE), str(e)
        except nfc.clf.BrokenLinkError:
            what, text = What.GONE, ""
        except (OSError, nfc.clf.Error) as e:
            what, text = What.NO_READER, str(e)
            self._shut()
        else:
            return _result(What.OK, began_ns, answer)
        ended = _result(what, began_ns, text.encode())
        self._forget()
        return ended

    def reset(self, payload: bytes) -> bytes:
        self.disconnect()
        time.sleep(FIELD_OFF_S)
        return self.connect(payload)

    def disconnect(self, _: bytes = b"") -> bytes:
        """Send the card to sleep and switch the field off."""
        if self._pcd is not None:
            with contextlib.suppress(nfc.clf.Error, OSError):
                self._run(self._pcd.deselect())
        self._forget()
        return b""

    # -- the reader

    def _open(self, spec: str) -> None:
        """Raises OSError."""
        if self._clf.device is None:
            self._clf.device = open_reader(spec)

    def _shut(self) -> None:
        self._pcd = None
        with contextlib.suppress(nfc.clf.Error, OSError, AttributeError):
            self._clf.close()
        self._clf.device = None

    def _forget(self) -> None:
        """The field off, and the card with it."""
        self._pcd = None
        if self._clf.device is not None:
            try:
                self._clf.device.mute()
            except (OSError, nfc.clf.Error):
                self._shut()

    # -- the card

    def _try(self, spec: str, deadline_s: float) -> tuple[What, bytes]:
        try:
            self._open(spec)
            if isinstance(self._clf.device, ReaderEnd):
                self._clf.device.deadline_s = max(deadline_s, time.monotonic() + SENSE_S)  # one look at least
            return self._select()
        except OSError as e:
            self._shut()
            return What.NO_READER, _why(e).encode()
        except nfc.clf.Error as e:
            return What.NO_CARD, str(e).encode()
        finally:
            if isinstance(self._clf.device, ReaderEnd):
                self._clf.device.deadline_s = math.inf

    def _select(self) -> tuple[What, bytes]:
        target = self._clf.sense(nfc.clf.RemoteTarget(RATE), iterations=1)
        if target is None:
            return What.NO_CARD, b""
        if target.sel_res is None or not target.sel_res[0] & ISO_DEP:
            self._forget()
            return What.OTHER_CARD, b""
        fsdi = 8 if self._clf.max_recv_data_size >= FRAME_SIZES[8] else 7
        asked = rats(fsdi)
        self.tape.note(True, asked, len(asked))
        raw = bytes(self._clf.exchange(asked, RATS_S) or b"")
        self.tape.note(False, raw, len(raw))
        try:
            ats = Ats.parse(raw)
        except MalformedIsoDep as e:
            self._forget()
            return What.OTHER_CARD, str(e).encode()
        if ats.sfgi:
            time.sleep(256 * 16 * 2**ats.sfgi / 13_560_000)
        self._pcd = Pcd(replace(ats, fsci=self._frames(ats)), fsdi)
        return What.OK, raw

    def _frames(self, ats: Ats) -> int:
        """The longest frames that card and reader can do; nobody uses more than 256 bytes."""
        room = self._clf.max_send_data_size + 2
        return max(code for code in range(min(ats.fsci, 8) + 1) if FRAME_SIZES[code] <= room)

    def _run(self, exchange: Generator[Frame, bytes | None, T]) -> T:
        frame = next(exchange)
        while True:
            block = self._carry(frame)
            try:
                frame = exchange.send(block)
            except StopIteration as stop:
                result: T = stop.value
                return result

    def _carry(self, frame: Frame) -> bytes | None:
        """One frame and its answer; None when none came or a damaged one did. Past nfcpy's frontend, which writes each frame out
        in hex for a log that nobody reads: as dear as ISO-DEP itself."""
        self._damaged = False
        device, target = self._clf.device, self._clf.target
        if device is None or target is None:
            raise OSError(errno.ENODEV, "no reader")
        if self.tape.on:
            self.tape.note(True, frame.block, head_bytes(frame.block))
        try:
            block = device.send_cmd_recv_rsp(target, bytearray(frame.block), frame.timeout_s)
        except nfc.clf.TimeoutError:
            return None
        except (nfc.clf.TransmissionError, nfc.clf.ProtocolError):
            self._damaged = True
            return None
        self._damaged = True  # unless the exchange goes on, it was of no use
        if not block:
            return None
        if self.tape.on:
            self.tape.note(False, block, head_bytes(block))
        return bytes(block)


def open_reader(spec: str) -> Any:
    """nfcpy's driver for a moniker's part after ``nfc:``. Raises OSError."""
    kind, _, rest = spec.partition(":")
    if kind == "udp":
        host, _, port = rest.rpartition(":")
        return ReaderEnd(host, int(port))
    if kind == "tty":
        return open_tty(rest)
    device = nfc.clf.device.connect(spec)
    if device is None:
        raise OSError(errno.ENODEV, "no reader")
    return device


class PatientTty(nfc.clf.transport.TTY):  # type: ignore[misc]
    """A serial port whose chip has longer to acknowledge: nfcpy gives it 0.1 s, which a busy computer may need for itself."""

    def read(self, timeout: int) -> Any:
        return super().read(ACKNOWLEDGED_MS if timeout == _NFCPYS_MS else timeout)


def open_tty(rest: str) -> Any:
    """A serial reader: ``DEVICE`` or ``DEVICE:DRIVER``; the device by its path, or without ``/dev/``. Raises OSError."""
    from importlib import import_module

    path, _, driver = rest.partition(":")
    path = path if path.startswith("/") else f"/dev/{path}"
    tty = PatientTty(path)
    try:
        device = import_module(f"nfc.clf.{driver or 'pn532'}").init(tty)
    except (OSError, nfc.clf.pn53x.Chipset.Error, IndexError, AttributeError) as e:  # what is no PN532 answers anything
        tty.close()
        raise OSError(errno.EIO, f"no {driver or 'pn532'} answers: {e}") from e
    device._path = path
    return device


def _why(error: OSError) -> str:
    return error.strerror or str(error)


def _result(what: What, began_ns: int, detail: bytes = b"") -> bytes:
    return RESULT.pack(what, time.perf_counter_ns() - began_ns) + detail


def main() -> None:
    from bench.drivers import _nfc_watch

    reader = Reader()
    answer_calls({
        Op.LIST: _nfc_watch.listing, Op.CONNECT: reader.connect, Op.TRANSMIT: reader.transmit, Op.RESET: reader.reset,
        Op.DISCONNECT: reader.disconnect, Op.WATCH: _nfc_watch.changes, Op.FRAMES: reader.tape.told,
    })


if __name__ == "__main__":
    main()
