"""Cards and phones in the field of a reader that nfcpy drives: ``nfc:usb``, ``nfc:usb:VID:PID``, ``nfc:tty:DEVICE``,
``nfc:udp:HOST:PORT``.

nfcpy runs in a worker process (:mod:`bench.worker`), so that a reader or a card that hangs costs that process. What the medium
does is never an exception here. docs/reference/nfc.md has the table from event to outcome.
"""

from __future__ import annotations

import re
import socket
import struct
import time
from collections.abc import Mapping, Sequence
from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cbor2

from bench import frames
from bench.drivers import Found
from bench.libraries import require
from bench.worker import START_S, Ended, Reply, Worker
from virtual_devices import atr
from virtual_devices.errors import LinkError, UsageError
from virtual_devices.iso_dep import Ats
from virtual_devices.link import Attempt, Outcome, Provenance

if TYPE_CHECKING:
    from bench.watch import Source

WORKER = "bench.drivers._nfc_worker"
LIST_LIMIT_S = 10.0
"""Longest wait for the list of USB readers."""
CONNECT_SLACK_S = 1.5
"""A worker that has not reported this long after the limit of a connect or reset is stuck and is killed. It covers one look for a
card by a chip, which takes up to 1 s and cannot be cut short."""
DISCONNECT_LIMIT_S = 2.0
PROTOCOL = "ISO-DEP"


class Op(IntEnum):
    """What the worker is asked for: payload -> answer."""

    LIST = 1  # nothing -> cbor [[moniker's part, detail]]
    CONNECT = 2  # DEADLINE, moniker's part -> RESULT, ATS
    TRANSMIT = 3  # command APDU -> RESULT, response
    RESET = 4  # as CONNECT
    DISCONNECT = 5  # nothing -> nothing
    FRAMES = 7  # nothing -> what the last of CONNECT, TRANSMIT and RESET sent and met: bench.frames.Tape.told
    WATCH = 6  # cbor [moniker's part] of the named -> for ever, an answer a change: cbor [came, moniker's part, at_ns, detail]


class What(IntEnum):
    """How an operation of the worker ended. Where it is not OK, a text may follow."""

    OK = 0
    NO_READER = 1
    NO_CARD = 2
    OTHER_CARD = 3
    GONE = 4
    GARBLED = 5
    NOT_CONNECTED = 6


DEADLINE = struct.Struct("<d")
"""Moment on the monotonic clock, in seconds: parent and worker share that clock."""
RESULT = struct.Struct("<Bq")
"""A :class:`What`, and the duration in nanoseconds."""

WHOLE = "is nfcpy whole? pip install --force-reinstall nfcpy"
_MEANING: Mapping[What, tuple[Outcome, str]] = {
    What.NO_READER: (
        Outcome.GONE, "the reader cannot be used: plug it in, close other programs that use it (pcscd too), look at the rights "
        "of its device file; 'vhc-bench devices' shows what is there",
    ),
    What.NO_CARD: (Outcome.GONE, "no card or phone in the field: hold it to the reader, out of its case, and keep it still"),
    What.OTHER_CARD: (Outcome.GARBLED, "what is in the field does not speak ISO-DEP (ISO/IEC 14443-4, type A): another card?"),
    What.GONE: (Outcome.GONE, "the card or phone has left the field: hold it to the reader again"),
    What.GARBLED: (Outcome.GARBLED, "what the card sends is damaged, again and again: hold it still, alone, and connect again"),
    What.NOT_CONNECTED: (Outcome.GONE, "not connected: connect first"),
}
_USB = re.compile(r"usb(:[0-9a-fA-F]{4}:[0-9a-fA-F]{4})?")
_UDP = re.compile(r"udp:([^:\[\]]+):([0-9]{1,5})")
SERIAL_DRIVERS = ("pn532", "arygon")
EXAMPLES = "'nfc:usb', 'nfc:usb:072f:2200', 'nfc:tty:/dev/ttyUSB0', 'nfc:udp:localhost:54321'"


def discover(*, env: Mapping[str, str] | None = None) -> list[Found]:
    """The USB readers attached now that nfcpy has a driver for. A serial reader cannot be told from other devices at serial
    ports, and a UDP address is no device: they are named, not found. LinkError when nfcpy is missing."""
    with _worker(env) as worker:
        return _list(worker)


def open(spec: str, *, env: Mapping[str, str] | None = None) -> NfcLink:
    """A link to whatever comes into the reader's field. UsageError for what is no moniker, LinkError when no such reader is
    there, with what was found instead. ``env`` is laid over the environment of the worker."""
    if not is_path(spec):
        raise UsageError(f"'nfc:{spec}' names no reader: give one such as {EXAMPLES}")
    worker = _worker(env)
    try:
        _check(spec, worker)
    except BaseException:
        worker.close()
        raise
    return NfcLink(spec, worker, frames=frames.asked(env))


def is_path(spec: str) -> bool:
    """Whether this could name a reader."""
    udp = _UDP.fullmatch(spec)
    if udp is not None:
        return 0 < int(udp[2]) < 65536
    return _USB.fullmatch(spec) is not None or (spec.startswith("tty:") and len(spec) > 4)


def _check(spec: str, worker: Worker) -> None:
    """LinkError when no such reader is attached. The worker runs afterwards: its start counts in no attempt."""
    if spec.startswith("usb"):
        found = _list(worker)
        if not any(f.moniker.startswith(f"nfc:{spec.lower()}") for f in found):
            there = ", ".join(f"{f.moniker} ({f.detail})" for f in found) or "no USB reader that nfcpy knows"
            raise LinkError(f"no reader is there for 'nfc:{spec}'; attached now: {there}")
    elif spec.startswith("tty:"):
        name, _, chip = spec[4:].partition(":")
        path = Path("/dev", name)
        if not path.exists():
            raise LinkError(f"'nfc:{spec}': there is no {path}; give the device file of the serial port")
        if not path.is_char_device():
            raise UsageError(f"'nfc:{spec}': {path} is no device file; give that of the serial port")
        if chip not in ("", *SERIAL_DRIVERS):
            raise UsageError(f"'nfc:{spec}': nfcpy has no serial driver {chip!r}; there are {', '.join(SERIAL_DRIVERS)}")
    else:
        host = spec.removeprefix("udp:").rpartition(":")[0]
        try:
            socket.getaddrinfo(host, None, socket.AF_INET, socket.SOCK_DGRAM)
        except OSError as e:
            raise LinkError(f"'nfc:{spec}': the name {host!r} leads to no address: {e.strerror or e}") from e
    reply = worker.call(Op.DISCONNECT, timeout_s=worker.start_s)
    if reply.ended is Ended.TIMED_OUT:
        raise LinkError(f"the NFC worker has not started within {START_S:g} s: the machine is too busy; try again")
    if reply.ended is not Ended.ANSWERED:
        raise LinkError(f"the NFC worker does not start: {reply.text}; {WHOLE}")


def _worker(env: Mapping[str, str] | None) -> Worker:
    require("nfc")
    return Worker(WORKER, env=env)


def _list(worker: Worker) -> list[Found]:
    reply = worker.call(Op.LIST, timeout_s=LIST_LIMIT_S + worker.start_s)
    if reply.ended is Ended.TIMED_OUT:
        raise LinkError("the USB readers could not be listed in time: one of them hangs? unplug it, plug it in again, try again")
    if reply.ended is not Ended.ANSWERED:
        raise LinkError(f"the NFC worker does not list the readers: {reply.text}; {WHOLE}")
    return [Found(f"nfc:{spec}", detail, False) for spec, detail in cbor2.loads(reply.payload)]


def source(*, named: Sequence[str] = (), env: Mapping[str, str] | None = None) -> Source:
    """What comes and goes: USB readers, as :func:`discover` finds them, and what is ``named``: serial ports and UDP addresses, by
    the moniker's part after ``nfc:``. A card is no event: looking for it would be a tap. LinkError when nfcpy is missing,
    UsageError for a name that is none."""
    from bench.watch import Event, EventKind, WorkerSource  # here: a worker process must start fast

    for spec in named:
        if not is_path(spec) or spec.startswith("usb"):
            raise UsageError(f"'nfc:{spec}' is none to look for: give nfc:tty:DEVICE or nfc:udp:HOST:PORT")

    def event(report: bytes) -> Event:
        came, spec, at_ns, detail = cbor2.loads(report)
        return Event(EventKind.APPEARED if came else EventKind.VANISHED, f"nfc:{spec}", at_ns, detail)

    return WorkerSource("nfc", _worker(env), Op.WATCH, event, cbor2.dumps(list(named)))


class NfcLink:
    """One try at a time towards the card in one reader's field (:class:`bench.drivers.RealLink`).

    An attempt is one APDU, of extended length too, over ISO-DEP; what it takes of blocks, repetitions and extensions is the
    worker's. ``protocol`` is ``ISO-DEP`` or, without a connection, empty.
    """

    provenance = Provenance.MEASURED
    channel = "nfc"

    def __init__(self, spec: str, worker: Worker, *, frames: bool = False) -> None:
        """``frames``: attempts come with theirs."""
        self._frames = frames
        self._spec = spec
        self.device = f"nfc:{spec}"
        self.protocol = ""
        self.atr = b""
        self.last_error = ""
        self._worker = worker

    @property
    def worker_pid(self) -> int | None:
        """Process id of the worker while one runs."""
        return self._worker.pid

    def connect(self, timeout_s: float) -> Attempt:
        """Wait for the reader and a card in its field, and select it. The reply is the ATR that PC/SC would make of its ATS."""
        return self._power(Op.CONNECT, timeout_s)

    def reset(self, timeout_s: float) -> Attempt:
        """Switch the field off and on, and select what is in it: a new tap. Without a connection this is :meth:`connect`."""
        return self._power(Op.RESET, timeout_s)

    def _power(self, op: int, timeout_s: float) -> Attempt:
        began = time.perf_counter_ns()
        self.protocol, self.atr = "", b""
        if not self._worker.running:  # first, so that a reader that hangs is not waited for as long as a start may take
            started = self._worker.call(Op.DISCONNECT, timeout_s=self._worker.start_s)
            if started.ended is not Ended.ANSWERED:
                return self._result(started, began)
        payload = DEADLINE.pack(time.monotonic() + timeout_s) + self._spec.encode()
        attempt = self._result(self._worker.call(op, payload, timeout_s + CONNECT_SLACK_S), began)
        if attempt.reply is None:
            return self._with_frames(attempt)
        self.protocol, self.atr = PROTOCOL, atr.contactless(Ats.parse(attempt.reply).historical)
        return self._with_frames(Attempt(Outcome.REPLIED, attempt.duration_ns, self.atr))

    def attempt(self, message: bytes, timeout_s: float) -> Attempt:
        """Carry one command APDU. The duration of an answered one is measured in the worker, tightly round the exchange."""
        if not self.protocol:
            self.last_error = self.last_error or _MEANING[What.NOT_CONNECTED][1]
            return Attempt(Outcome.GONE, 0)
        began = time.perf_counter_ns()
        attempt = self._result(self._worker.call(Op.TRANSMIT, message, timeout_s), began)
        if attempt.reply is not None and len(attempt.reply) < 2:
            self.last_error = "the card's answer has no status word: it broke off; connect again"
            attempt = Attempt(Outcome.GARBLED, attempt.duration_ns)
        return self._with_frames(attempt)

    def _with_frames(self, attempt: Attempt) -> Attempt:
        return frames.fetched(self._worker, Op.FRAMES, attempt) if self._frames else attempt

    def disconnect(self) -> None:
        """Send the card to sleep, and the field off. The link can be connected again."""
        if self.protocol and self._worker.running:
            self._worker.call(Op.DISCONNECT, timeout_s=DISCONNECT_LIMIT_S)
        self.protocol, self.atr = "", b""

    def close(self) -> None:
        """Disconnect and end the worker."""
        self.disconnect()
        self._worker.close()

    def __enter__(self) -> NfcLink:
        return self

    def __exit__(self, *exc: Any) -> None:
        self.close()

    def _result(self, reply: Reply, began_ns: int) -> Attempt:
        """What the worker's answer means; without one, the worker was killed or broke."""
        if reply.ended is Ended.ANSWERED:
            code, duration_ns = RESULT.unpack_from(reply.payload)
            rest = reply.payload[RESULT.size :]
            if code == What.OK:
                self.last_error = ""
                return Attempt(Outcome.REPLIED, duration_ns, rest)
            outcome, text = _MEANING[What(code)]
            if code == What.NO_CARD and self._spec.startswith("udp:"):
                text = f"nobody answers at {self._spec}: start who shall, such as 'vhc-bench present nfc --path {self._spec}'"
            said = rest.decode("utf-8", "replace")
            self.last_error = f"{text} [{said}]" if said else text
        else:
            duration_ns = time.perf_counter_ns() - began_ns
            outcome, self.last_error = _lost(reply)
        self.protocol, self.atr = "", b""
        return Attempt(outcome, duration_ns)


def _lost(reply: Reply) -> tuple[Outcome, str]:
    if reply.ended is Ended.TIMED_OUT:
        return Outcome.TIMED_OUT, "no answer within the limit: the card or the reader hangs; connect again"
    return Outcome.GONE, f"the NFC worker failed: {reply.text}; connect again"


__all__ = ["NfcLink", "Op", "What", "discover", "is_path", "open", "source"]
