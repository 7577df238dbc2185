"""Phones over Bluetooth LE, ISO/IEC 18013-5: moniker ``ble:``, ``ble:hci0``, ``ble:NAME-or-ADDRESS``, ``ble:bumble:TRANSPORT``.

Whom to look for is said by an engagement (:meth:`BleLink.connect_to`): its service's UUID is new each time, and by it the phone
is found. A name (with ``*`` and ``?``) or an address narrows it down; most phones show no name and a new address each time, so
``ble:`` alone is the usual moniker.

- ``ble:`` uses the Bluetooth of this computer by bleak, which is a GATT client only: mdoc peripheral server mode; ``ble:hci0``
  this one of its adapters.
- ``ble:bumble:usb:0`` uses a dongle of its own by bumble: both modes, central client mode where the phone offers it.

Library and radio live in a worker process. What the medium does is never an exception here. docs/reference/ble.md has the table
from event to outcome.
"""

from __future__ import annotations

import re
import struct
import time
from collections.abc import Mapping, Sequence
from enum import IntEnum
from typing import TYPE_CHECKING, Any

import cbor2

from bench import frames
from bench.drivers import Found
from bench.libraries import require
from bench.worker import Ended, Reply, Worker
from virtual_devices.errors import LinkError, UsageError
from virtual_devices.link import Attempt, Outcome, Provenance

if TYPE_CHECKING:
    from bench.watch import Source

WORKER = "bench.drivers._ble_worker"
LIST_LIMIT_S = 15.0
"""Longest wait for the list of adapters."""
SLACK_S = 1.5
"""A worker that has not reported this long after the limit is stuck in its library and is killed. The limit of a connection is
moved by what the start of the worker really took, and no more."""
DISCONNECT_LIMIT_S = 5.0
BUMBLE = "bumble:"


class Op(IntEnum):
    """What the worker is asked for: payload -> answer."""

    LIST = 1  # nothing -> cbor {"adapters": [[name, address, powered]], "trouble": text}
    READY = 2  # cbor {"asked", "deadline", "starting", "spec"} -> ANSWER
    CONNECT = 3  # the same and {"address"} -> ANSWER
    EXCHANGE = 4  # DEADLINE, message -> ANSWER and the peer's message
    SEND = 5  # DEADLINE, message -> ANSWER
    RECEIVE = 6  # DEADLINE -> ANSWER and the peer's message
    DISCONNECT = 7  # nothing -> nothing
    VALUES_BEGIN = 10  # of bench.ble_values: cbor -> bench.ble_values.told
    VALUES_DO = 11
    VALUES_NEWS = 12
    FRAMES = 9  # nothing -> what the last operation sent and met: bench.frames.Tape.told
    WATCH = 8  # nothing -> for ever, an answer for each change: cbor [kind, name, at_ns, detail]


DEADLINE = struct.Struct("<d")
"""Moment on the monotonic clock, in seconds: parent and worker share that clock."""
ANSWER = struct.Struct("<BHqq")
"""How it ended (:data:`OUTCOMES`), ATT_MTU, duration and time until the request had left (ns); then the message, or a text."""
OUTCOMES = (Outcome.REPLIED, Outcome.TIMED_OUT, Outcome.GONE, Outcome.GARBLED)
SWITCHED_OFF = "switched off: bluetoothctl power on, or rfkill unblock bluetooth"
NOT_ENGAGED = "no connection: connect to what an engagement names first (a QR code, or a tap)"
_ADAPTER = re.compile(r"hci\d+").fullmatch
_ADDRESS = re.compile(r"([0-9A-F]{2}:){5}[0-9A-F]{2}", re.IGNORECASE).fullmatch


def discover(*, env: Mapping[str, str] | None = None) -> list[Found]:
    """The adapters of this computer, by the service that drives them. LinkError with the remedy when there is none.

    Phones are not listed: by the standard they advertise only after an engagement, under an address of the moment.
    """
    with _worker(env) as worker:
        return [
            Found(f"ble:{name}", f"Bluetooth adapter {address}{'' if powered else f', {SWITCHED_OFF}'}", False)
            for name, address, powered in _adapters(worker)
        ]


def _adapters(worker: Worker) -> Sequence[tuple[str, str, bool]]:
    reply = worker.call(Op.LIST, timeout_s=LIST_LIMIT_S + worker.start_s)
    if reply.ended is Ended.TIMED_OUT:
        raise LinkError(f"the Bluetooth service did not answer within {LIST_LIMIT_S:g} s: systemctl restart bluetooth")
    if reply.ended is not Ended.ANSWERED:
        raise LinkError(f"the Bluetooth worker failed: {reply.text}")
    told = cbor2.loads(reply.payload)
    if told["trouble"]:
        raise LinkError(told["trouble"])
    adapters: Sequence[tuple[str, str, bool]] = told["adapters"]
    return adapters


def open(spec: str, *, env: Mapping[str, str] | None = None) -> BleLink:
    """A link over the Bluetooth of this computer, or a controller of its own. UsageError for what is no moniker, LinkError
    with the remedy when the libraries, the service or the adapter are missing. ``env`` is laid over the worker's environment."""
    if spec == BUMBLE:
        raise UsageError("ble:bumble: needs a transport, for example 'ble:bumble:usb:0' or 'ble:bumble:serial:/dev/ttyACM0'")
    if not spec.startswith(BUMBLE) and ":" in spec and not _ADDRESS(spec):
        raise UsageError(f"'ble:{spec}': give hci0, a name, an address such as C0:12:34:56:78:9A, 'bumble:TRANSPORT', or nothing")
    worker = _worker(env)
    try:
        if not spec.startswith(BUMBLE):
            _check(spec, _adapters(worker))
        return BleLink(spec, worker, frames=frames.asked(env))
    except BaseException:
        worker.close()
        raise


def _check(spec: str, there: Sequence[tuple[str, str, bool]]) -> None:
    """Whether there is an adapter that can be used, or the one that is named. Raises LinkError."""
    named = [each for each in there if not adapter_of(spec) or each[0] == spec]
    if not named:
        raise LinkError(f"there is no Bluetooth adapter {spec}; there is {', '.join(name for name, _, _ in there)}")
    if not any(powered for _, _, powered in named):
        raise LinkError(f"the Bluetooth adapter is {SWITCHED_OFF}")


def adapter_of(spec: str) -> str:
    """The adapter that a moniker names; empty where it names none."""
    return spec if _ADAPTER(spec) else ""


def _worker(env: Mapping[str, str] | None) -> Worker:
    require("bleak", "bumble")
    return Worker(WORKER, env=env)


def source(*, env: Mapping[str, str] | None = None) -> Source:
    """What comes and goes: the service and its adapters. LinkError when the libraries are missing."""
    from bench.watch import Event, EventKind, WorkerSource  # here: a worker process must start fast

    def event(report: bytes) -> Event:
        kind, name, at_ns, detail = cbor2.loads(report)
        return Event(EventKind(kind), f"ble:{name}", at_ns, detail)

    return WorkerSource("ble", _worker(env), Op.WATCH, event)


class BleLink:
    """One phone at a time (:class:`virtual_devices.link.Link`, AddressedLink, MessageLink).

    :meth:`connect_to` an engagement, then :meth:`attempt` carries a whole message there and waits for the answer. The message
    that ends the session has none: it is answered as soon as it has left. After any outcome but REPLIED nothing is connected.
    """

    channel = "ble"
    provenance = Provenance.MEASURED

    def __init__(self, spec: str, worker: Worker, *, frames: bool = False) -> None:
        """``frames``: attempts come with theirs."""
        self._frames = frames
        self.device = f"ble:{spec}"
        self.mtu = 0
        self.last_error = ""
        self._spec = spec
        self._worker = worker
        self._address = b""
        self._connected = False

    @property
    def worker_pid(self) -> int | None:
        return self._worker.pid

    @property
    def own_radio(self) -> bool:
        """The bench has the whole controller, and can be server or client."""
        return self._spec.startswith(BUMBLE)

    def asked(self, op: Op, limit_s: float, **more: Any) -> Any:
        """One of the worker's operations on values, and what it tells; or how the worker was lost."""
        began = time.perf_counter_ns()
        reply = self._worker.call(op, self._cbor(limit_s, **more), limit_s + SLACK_S + self._worker.start_s)
        if reply.ended is Ended.ANSWERED:
            return cbor2.loads(reply.payload)
        return self._lost(reply, began).outcome

    def connect(self, timeout_s: float) -> Attempt:
        """Connect again to the phone of the last engagement; before there was one, wait until the radio can be used."""
        if self._address:
            return self.connect_to(self._address, timeout_s)
        return self._call(Op.READY, self._cbor(timeout_s), timeout_s)

    def connect_to(self, address: bytes, timeout_s: float) -> Attempt:
        """Look for the phone that this DeviceEngagement names, connect, subscribe, open the session. The reply is empty."""
        self._address = address
        attempt = self._call(Op.CONNECT, self._cbor(timeout_s, address=address), timeout_s)
        self._connected = attempt.reply is not None
        return attempt

    def attempt(self, message: bytes, timeout_s: float) -> Attempt:
        """One message and its answer; the empty message (RESET) is :meth:`connect`. Measured in the worker, from the first
        chunk to the last; ``sent_ns``: when the last chunk of the message had been handed to the stack."""
        if not message:
            return self.connect(timeout_s)
        return self._carry(Op.EXCHANGE, message, timeout_s)

    def send(self, message: bytes, timeout_s: float = 10.0) -> Attempt:
        """One message, without waiting for an answer."""
        return self._carry(Op.SEND, message, timeout_s)

    def receive(self, timeout_s: float) -> Attempt:
        """The next message of the phone."""
        return self._carry(Op.RECEIVE, b"", timeout_s)

    def when_arriving(self, wake: Any) -> None:
        """A real link blocks in :meth:`receive` instead."""

    def disconnect(self) -> None:
        """End the session and let the phone go. It can be met again for as long as it waits for the same engagement."""
        if self._worker.running:
            self._worker.call(Op.DISCONNECT, timeout_s=DISCONNECT_LIMIT_S)
        self._connected, self.mtu = False, 0

    def close(self) -> None:
        """Disconnect and end the worker."""
        self.disconnect()
        self._worker.close()

    def __enter__(self) -> BleLink:
        return self

    def __exit__(self, *exc: Any) -> None:
        self.close()

    def _cbor(self, timeout_s: float, **more: Any) -> bytes:
        now, starting = time.monotonic(), self._worker.start_s
        asked: bytes = cbor2.dumps(
            {"asked": now, "deadline": now + timeout_s, "starting": starting, "spec": self._spec, **more}
        )
        return asked

    def _carry(self, op: Op, message: bytes, timeout_s: float) -> Attempt:
        if not self._connected:
            self.last_error = self.last_error or NOT_ENGAGED
            return Attempt(Outcome.GONE, 0)
        attempt = self._call(op, DEADLINE.pack(time.monotonic() + timeout_s) + message, timeout_s)
        self._connected = attempt.reply is not None
        return attempt

    def _call(self, op: Op, payload: bytes, timeout_s: float) -> Attempt:
        began = time.perf_counter_ns()
        reply = self._worker.call(op, payload, timeout_s + SLACK_S + self._worker.start_s)
        if reply.ended is not Ended.ANSWERED:
            return self._lost(reply, began)
        ended, self.mtu, duration_ns, sent_ns = ANSWER.unpack_from(reply.payload)
        outcome, rest = OUTCOMES[ended], reply.payload[ANSWER.size :]
        replied = outcome is Outcome.REPLIED
        self.last_error = "" if replied else rest.decode("utf-8", "replace")
        attempt = Attempt(outcome, duration_ns, rest if replied else None, sent_ns=sent_ns)
        return frames.fetched(self._worker, Op.FRAMES, attempt) if self._frames else attempt

    def _lost(self, reply: Reply, began_ns: int) -> Attempt:
        """The worker was killed because nothing came in time, or it broke."""
        self.mtu = 0
        duration_ns = time.perf_counter_ns() - began_ns
        if reply.ended is Ended.TIMED_OUT:
            self.last_error = "no answer within the limit: the Bluetooth service hangs; restart it and connect again"
            return Attempt(Outcome.TIMED_OUT, duration_ns)
        self.last_error = f"the Bluetooth worker failed: {reply.text or 'it ended'}; connect again"
        return Attempt(Outcome.GONE, duration_ns)


__all__ = ["BleLink", "Op", "discover", "open", "source"]
