"""Cards in PC/SC readers: moniker ``pcsc:NAME``, where NAME is a reader's name or a glob pattern over the names.

Behind it, each after a semicolon, how the card is to be used: ``pcsc:ACS*;T=1;exclusive``. Without it: T=0 or T=1 as the card
and the reader agree, and shared with other programs.

The library runs in a worker process (:mod:`bench.worker`): a transmit cannot be cancelled, so a card that hangs costs that
process. What the medium does is never an exception here. docs/reference/pcsc.md has the table from event to outcome.
"""

from __future__ import annotations

import re
import struct
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

import cbor2

from bench.drivers import Found
from bench.libraries import require
from bench.worker import Ended, Reply, Worker
from virtual_devices.errors import LinkError, UsageError
from virtual_devices.link import Attempt, Outcome, Provenance

if TYPE_CHECKING:
    from bench.watch import Source

WORKER = "bench.drivers._pcsc_worker"
LIST_LIMIT_S = 5.0
"""Longest wait for the list of readers."""
CONNECT_SLACK_S = 0.5
"""A worker that has not reported this long after the limit of a connect or reset is stuck inside pcscd and is killed."""
DISCONNECT_LIMIT_S = 2.0
"""Longest wait for a disconnect: powering off a card that hangs blocks too."""


class Op(IntEnum):
    """What the worker is asked for: payload -> answer."""

    LIST = 1  # nothing -> cbor {"hresult", "readers": [[name, state, ATR]]}
    CONNECT = 2  # POWER, reader name -> CONNECTED
    TRANSMIT = 3  # command APDU -> TRANSMITTED
    RESET = 4  # POWER, reader name -> CONNECTED
    DISCONNECT = 5  # nothing -> nothing
    WATCH = 6  # nothing -> for ever, an answer for each change: cbor [kind, reader, at_ns, detail, ATR]


POWER = struct.Struct("<dB???")
"""Deadline on the monotonic clock in seconds, which parent and worker share; protocols that will do (PC/SC's bits: 1 T=0, 2 T=1);
whether for exclusive use; whether a reset is a warm one; whether a connection has to begin with a reset."""
CONNECTED = struct.Struct("<IBq")
"""hresult, protocol (1: T=0, 2: T=1), duration in nanoseconds; the ATR follows."""
TRANSMITTED = struct.Struct("<Iq")
"""hresult, duration in nanoseconds; the response follows."""
_PROTOCOLS = {1: "T=0", 2: "T=1"}
_USES = {"T=0": 1, "T=1": 2}
EXCLUSIVE = "exclusive"
_PRESENT, _MUTE = 0x20, 0x200
_CONTACTLESS = re.compile(r"contactless|picc|nfc|acr122|(?<![a-z])cl(?![a-z])", re.IGNORECASE)

NO_PCSCD = "no PC/SC service answers: start it with 'systemctl start pcscd.socket', or as root with 'pcscd --foreground'"

_MEANING: Mapping[int, tuple[Outcome, str]] = {
    0x80100003: (Outcome.GONE, "not connected: connect first"),
    0x80100008: (Outcome.GARBLED, "the answer is longer than PC/SC can carry"),
    0x80100009: (Outcome.GONE, "the reader is not attached: plug it in, or look at its name with 'vhc-bench devices'"),
    0x8010000B: (Outcome.TIMED_OUT, "another program uses the card, one of both exclusively: close it"),
    0x8010000C: (Outcome.GONE, "no card in the reader: insert one"),
    0x8010000F: (Outcome.GARBLED, "the card does not speak the protocol asked for: leave ';T=0' or ';T=1' away"),
    0x80100013: (Outcome.GONE, "the PC/SC service stopped: start it and connect again"),
    0x80100016: (Outcome.GONE, "the card did not take the command: it left, or the command is too long; connect again"),
    0x80100017: (Outcome.GONE, "the reader was unplugged"),
    0x8010001D: (Outcome.GONE, NO_PCSCD),
    0x8010001E: (Outcome.GONE, "the PC/SC service stopped: start it and connect again"),
    0x8010002F: (Outcome.GARBLED, "the reader could not understand the card's answer"),
    0x80100066: (Outcome.TIMED_OUT, "the card does not answer to reset: is it the right way up?"),
    0x80100067: (Outcome.GONE, "the card has no power: connect again"),
    0x80100068: (Outcome.GONE, "another program reset the card, and what was selected is lost: connect again"),
    0x80100069: (Outcome.GONE, "the card was removed: insert it and connect again"),
}


@dataclass(frozen=True, slots=True)
class Use:
    """How a card is used: the protocols that will do (PC/SC's bits), and whether nobody else may use it meanwhile."""

    protocols: int = 3
    exclusive: bool = False


def read_spec(spec: str) -> tuple[str, Use]:
    """Name or pattern of the reader, and the use. UsageError for a use that does not exist."""
    pattern, *uses = spec.split(";")
    unknown = [use for use in uses if use not in (*_USES, EXCLUSIVE)]
    if unknown:
        raise UsageError(f"'pcsc:{spec}': no use {unknown[0]!r}; there are {', '.join(_USES)} and {EXCLUSIVE}")
    return pattern, Use(sum({_USES[use] for use in uses if use in _USES}) or 3, EXCLUSIVE in uses)


def discover(*, env: Mapping[str, str] | None = None) -> list[Found]:
    """The readers attached now. LinkError when pyscard or the PC/SC service is missing, with what to do."""
    with _worker(env) as worker:
        return [_found(*reader) for reader in _list(worker)]


def open(spec: str, *, env: Mapping[str, str] | None = None) -> PcscLink:
    """A link to the card in the reader whose name is ``spec``, or matches it as a pattern with ``*`` and ``?``.

    Of several matches the only one that holds a card is taken. UsageError when the choice is not clear, LinkError when
    nothing matches or nothing can. ``env`` is laid over the environment of the worker (a private pcscd's address).
    """
    pattern, use = read_spec(spec)
    worker = _worker(env)
    try:
        return PcscLink(_choose(pattern, [_found(*reader) for reader in _list(worker)]), worker, use)
    except BaseException:
        worker.close()
        raise


def _worker(env: Mapping[str, str] | None) -> Worker:
    require("smartcard")
    return Worker(WORKER, env=env)


def _list(worker: Worker) -> Sequence[tuple[str, int, bytes]]:
    reply = worker.call(Op.LIST, timeout_s=LIST_LIMIT_S + worker.start_s)
    if reply.ended is Ended.TIMED_OUT:
        raise LinkError(f"the PC/SC service did not list its readers within {LIST_LIMIT_S:g} s: a card hangs? restart pcscd")
    if reply.ended is not Ended.ANSWERED:
        raise LinkError(f"the PC/SC worker failed: {reply.text}")
    answer = cbor2.loads(reply.payload)
    if answer["hresult"]:
        raise LinkError(_meaning(answer["hresult"])[1])
    readers: Sequence[tuple[str, int, bytes]] = answer["readers"]
    return readers


def _found(name: str, state: int, atr: bytes) -> Found:
    if not state & _PRESENT:
        detail = "no card"
    elif state & _MUTE:
        detail = "a card that does not answer to reset"
    else:
        detail = f"card, ATR {atr.hex(' ').upper()}"
    return Found(f"pcsc:{name}", f"{_channel(name)} reader, {detail}", bool(state & _PRESENT), atr)


def _choose(spec: str, readers: Sequence[Found]) -> str:
    names = [found.moniker.removeprefix("pcsc:") for found in readers]
    if spec in names:
        return spec
    if not spec:
        raise UsageError("pcsc: needs a reader's name or a pattern, for example 'pcsc:ACS*'")
    matching = [found for found, name in zip(readers, names, strict=True) if matches(spec, name)]
    if not matching:
        there = ", ".join(map(repr, names)) or "no reader at all"
        raise LinkError(f"no reader matches 'pcsc:{spec}'; attached now: {there}")
    holding = [found for found in matching if found.has_card]
    chosen = matching if len(matching) == 1 else holding
    if len(chosen) != 1:
        which = ", ".join(repr(found.moniker) for found in matching)
        raise UsageError(f"'pcsc:{spec}' matches several readers, and not just one holds a card: name one of {which}")
    return chosen[0].moniker.removeprefix("pcsc:")


def matches(spec: str, name: str) -> bool:
    """Whether a moniker's part after ``pcsc:`` means the reader of this name."""
    pattern = spec.split(";")[0].casefold()
    return fnmatchcase(name.casefold(), pattern.replace("[", "[[]"))  # reader names have brackets of their own


def _channel(name: str) -> str:
    return "nfc" if _CONTACTLESS.search(name) else "contact"


def _meaning(code: int) -> tuple[Outcome, str]:
    outcome, text = _MEANING.get(code, (Outcome.GONE, "PC/SC error without an entry in the bench's table; connect again"))
    return outcome, f"{text} [0x{code:08X}]"


def source(*, env: Mapping[str, str] | None = None) -> Source:
    """What comes and goes: readers, cards, the service."""
    from bench.watch import PcscSource  # it needs this module

    return PcscSource(env=env)


class PcscLink:
    """One try at a time towards the card in one reader (:class:`virtual_devices.link.Link`).

    ``connect`` first; after any outcome but REPLIED, ``connect`` again. ``protocol`` is ``T=0``, ``T=1`` or, without a
    connection, empty. ``last_error`` is what went wrong last, for a person, with the hresult; empty after a success. An
    attempt without a connection is GONE at once and keeps the text of what ended the connection.
    """

    provenance = Provenance.MEASURED

    def __init__(self, reader: str, worker: Worker, use: Use = Use()) -> None:
        self.reader = reader
        self.use = use
        self.channel = _channel(reader)
        self.device = f"pcsc:{reader}"
        self.protocol = ""
        self.atr = b""
        self.last_error = ""
        self._stale = False  # a worker was lost with a connection: the card may still be where that one left it
        self._worker = worker

    @property
    def worker_pid(self) -> int | None:
        """Process id of the worker while one runs."""
        return self._worker.pid

    def connect(self, timeout_s: float) -> Attempt:
        """Wait for the service, the reader and a card; power the card. The reply is its ATR.

        A card that a lost worker has left powered is reset: what was selected, or begun, is never carried on.
        """
        return self._power(Op.CONNECT, timeout_s)

    def reset(self, timeout_s: float, *, warm: bool = False) -> Attempt:
        """Reset the card; the reply is its ATR. Cold: its power goes off and on; ``warm``: it keeps it. Without a connection
        this is :meth:`connect`."""
        return self._power(Op.RESET, timeout_s, warm=warm)

    def _power(self, op: int, timeout_s: float, *, warm: bool = False) -> Attempt:
        began = time.perf_counter_ns()
        self.protocol, self.atr = "", b""
        if not self._worker.running:  # first, so that a card that hangs is not waited for as long as a start may take
            started = self._worker.call(Op.DISCONNECT, timeout_s=self._worker.start_s)
            if started.ended is not Ended.ANSWERED:
                return self._worker_lost(started, began)
        use = self.use
        asked = POWER.pack(time.monotonic() + timeout_s, use.protocols, use.exclusive, warm, self._stale)
        reply = self._worker.call(op, asked + self.reader.encode(), timeout_s + CONNECT_SLACK_S)
        if reply.ended is not Ended.ANSWERED:
            return self._worker_lost(reply, began)
        code, protocol, duration_ns = CONNECTED.unpack_from(reply.payload)
        if code:
            return self._failed(code, duration_ns)
        self.protocol = _PROTOCOLS.get(protocol, f"protocol {protocol}")
        self.atr = reply.payload[CONNECTED.size :]
        self.last_error, self._stale = "", False
        return Attempt(Outcome.REPLIED, duration_ns, self.atr)

    def attempt(self, message: bytes, timeout_s: float) -> Attempt:
        """Carry one command APDU. The duration of an answered one is measured in the worker, tightly round the transmit."""
        if not self.protocol:
            self.last_error = self.last_error or _meaning(0x80100003)[1]
            return Attempt(Outcome.GONE, 0)
        began = time.perf_counter_ns()
        reply = self._worker.call(Op.TRANSMIT, message, timeout_s)
        if reply.ended is not Ended.ANSWERED:
            return self._worker_lost(reply, began)
        payload = reply.payload
        code, duration_ns = TRANSMITTED.unpack_from(payload)
        if code:
            return self._failed(code, duration_ns)
        self.last_error = ""
        if len(payload) - TRANSMITTED.size < 2:
            self.last_error = "the card's answer has no status word: ask again, or try another reader"
            return Attempt(Outcome.GARBLED, duration_ns)
        return Attempt(Outcome.REPLIED, duration_ns, payload[TRANSMITTED.size :])

    def disconnect(self) -> None:
        """Power the card off and let others have it. The link can be connected again."""
        if self.protocol and self._worker.running:
            reply = self._worker.call(Op.DISCONNECT, timeout_s=DISCONNECT_LIMIT_S)
            self._stale = reply.ended is not Ended.ANSWERED
        self.protocol, self.atr = "", b""

    def close(self) -> None:
        """Disconnect and end the worker."""
        self.disconnect()
        self._worker.close()

    def __enter__(self) -> PcscLink:
        return self

    def __exit__(self, *exc: Any) -> None:
        self.close()

    def _failed(self, code: int, duration_ns: int) -> Attempt:
        self.protocol, self.atr = "", b""
        outcome, self.last_error = _meaning(code)
        return Attempt(outcome, duration_ns)

    def _worker_lost(self, reply: Reply, began_ns: int) -> Attempt:
        """The worker was killed because nothing came in time, or it broke."""
        self.protocol, self.atr, self._stale = "", b"", True
        duration_ns = time.perf_counter_ns() - began_ns
        if reply.ended is Ended.TIMED_OUT:
            self.last_error = "no answer within the limit: the card or the PC/SC service hangs; connect again"
            return Attempt(Outcome.TIMED_OUT, duration_ns)
        self.last_error = f"the PC/SC worker failed: {reply.text}; connect again"
        return Attempt(Outcome.GONE, duration_ns)
