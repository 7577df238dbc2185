"""The process that talks to pcscd for one link, or for one watcher; what travels: :class:`bench.drivers.pcsc.Op`.

It uses the low-level API (``smartcard.scard``): every call gives its hresult, nothing is hidden in an exception, and no
thread of the library dies with pcscd. One card handle at a time; any failed transmit gives the handle up, because after
each of them only a new connection helps.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any, Final

import cbor2
from smartcard import scard

from bench.drivers.pcsc import CONNECTED, POWER, TRANSMITTED, Op
from bench.worker import answer_calls

OK = 0
NO_READERS = 0x8010002E
NO_SERVICE = 0x8010001D
COMM_ERROR = 0x80100013
SERVICE_STOPPED = 0x8010001E
INVALID_HANDLE = 0x80100003
UNKNOWN_READER = 0x80100009
NO_SMARTCARD = 0x8010000C
SHARING_VIOLATION = 0x8010000B
TIMEOUT = 0x8010000A
PROTO_MISMATCH = 0x8010000F
UNRESPONSIVE = 0x80100066
UNPOWERED = 0x80100067
RESET_BY_OTHER = 0x80100068
REMOVED = 0x80100069

SERVICE_LOST: Final = frozenset({NO_SERVICE, COMM_ERROR, SERVICE_STOPPED, INVALID_HANDLE})
_WORTH_WAITING: Final = SERVICE_LOST | {
    UNKNOWN_READER, 0x80100017, NO_SMARTCARD, SHARING_VIOLATION, UNRESPONSIVE, UNPOWERED, REMOVED, RESET_BY_OTHER,
}
_CERTAIN: Final = SERVICE_LOST | {RESET_BY_OTHER, REMOVED, UNKNOWN_READER, 0x80100017}
"""Failures of an exchange after which pcscd knows what is in the reader."""
RETRY_S = 0.025
"""Pause between two tries for what pcscd cannot announce: pcscd itself, a reader by name, the end of exclusive use."""
SETTLE_S = 0.5
"""Readers that are polled (every 0.4 s) notice a removal late: a card that failed an exchange is doubted for this long."""
LOOK_S = 2.0
"""The watcher looks again after this long even when pcscd announces nothing: a reader that came between two calls."""
_PNP: Final = "\\\\?PnP?\\Notification"


def _code(hresult: int) -> int:
    return hresult & 0xFFFFFFFF


class Context:
    """A PC/SC context that is made anew after pcscd went away: old ones never recover."""

    def __init__(self) -> None:
        self._handle: Any = None

    def establish(self) -> tuple[int, Any]:
        if self._handle is None:
            hresult, handle = scard.SCardEstablishContext(scard.SCARD_SCOPE_USER)
            if hresult != OK:
                return _code(hresult), None
            self._handle = handle
        return OK, self._handle

    def drop(self) -> None:
        if self._handle is not None:
            scard.SCardReleaseContext(self._handle)
            self._handle = None

    def readers(self) -> tuple[int, list[str]]:
        """hresult, names of the readers. No reader is not an error."""
        hresult, handle = self.establish()
        if hresult != OK:
            return hresult, []
        hresult, names = scard.SCardListReaders(handle, [])
        if _code(hresult) in SERVICE_LOST:
            self.drop()
        if _code(hresult) == NO_READERS:
            return OK, []
        return _code(hresult), list(names) if hresult == OK else []

    def states(self, known: list[tuple[str, int]], timeout_s: float) -> tuple[int, list[tuple[str, int, bytes]]]:
        """hresult, (name, state, ATR) of each: at once when one differs from what is ``known``, else after the time."""
        hresult, handle = self.establish()
        if hresult != OK:
            return hresult, []
        hresult, states = scard.SCardGetStatusChange(handle, max(0, int(timeout_s * 1000)), known)
        code = _code(hresult)
        if code in SERVICE_LOST:
            self.drop()
        return code, [(name, state, bytes(atr)) for name, state, atr in states] if code in (OK, TIMEOUT) else []


class Card:
    """The one connection of a link."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._handle: Any = None
        self._pci: Any = None
        self._reader = ""
        self._protocols, self._share, self._reset = 0, scard.SCARD_SHARE_SHARED, scard.SCARD_UNPOWER_CARD
        self._fresh = False
        self._doubtful_until_s = 0.0  # of the monotonic clock

    def connect(self, payload: bytes) -> bytes:
        """Wait for pcscd, the reader and a card until the deadline, and connect."""
        deadline = self._asked(payload)
        self.disconnect()
        began = time.perf_counter_ns()
        if not self._settled(deadline):
            return CONNECTED.pack(NO_SMARTCARD, 0, time.perf_counter_ns() - began)
        code, protocol, atr = self._try_connect()  # mostly the card is there, and a look is a question more to pcscd
        while code in _WORTH_WAITING and deadline > time.monotonic():
            code = self._wait_for_card(deadline)
            if code == OK:
                code, protocol, atr = self._try_connect()
            if code in _WORTH_WAITING:
                time.sleep(max(0.0, min(RETRY_S, deadline - time.monotonic())))
        return CONNECTED.pack(code, protocol, time.perf_counter_ns() - began) + atr

    def _asked(self, payload: bytes) -> float:
        """Keep what is asked for; the deadline of it."""
        deadline, self._protocols, exclusive, warm, self._fresh = POWER.unpack_from(payload)
        self._reader = payload[POWER.size :].decode()
        self._share = scard.SCARD_SHARE_EXCLUSIVE if exclusive else scard.SCARD_SHARE_SHARED
        self._reset = scard.SCARD_RESET_CARD if warm else scard.SCARD_UNPOWER_CARD
        return float(deadline)

    def _try_connect(self) -> tuple[int, int, bytes]:
        code, context = self._context.establish()
        if code != OK:
            return code, 0, b""
        hresult, handle, protocol = scard.SCardConnect(context, self._reader, self._share, self._protocols)
        if hresult != OK:
            return self._failed(hresult), 0, b""
        self._take(handle, protocol)
        return self._restart() if self._fresh else self._status()

    def _wait_for_card(self, deadline: float) -> int:
        seen = scard.SCARD_STATE_UNAWARE
        while True:
            code, states = self._context.states([(self._reader, seen)], deadline - time.monotonic())
            if code == TIMEOUT:
                return UNRESPONSIVE if seen & scard.SCARD_STATE_MUTE else NO_SMARTCARD
            if code != OK:
                return code
            seen = states[0][1]
            if seen & (scard.SCARD_STATE_UNKNOWN | scard.SCARD_STATE_UNAVAILABLE):
                return UNKNOWN_READER
            if seen & scard.SCARD_STATE_PRESENT and not seen & scard.SCARD_STATE_MUTE:
                return OK

    def _settled(self, deadline: float) -> bool:
        """Whether pcscd knows by the deadline what is in the reader: until it has looked again it would connect to a card that
        has left."""
        left_s = self._doubtful_until_s - time.monotonic()
        if left_s <= 0:
            return True
        code, states = self._context.states([(self._reader, scard.SCARD_STATE_UNAWARE)], 0)
        if code == OK and states[0][1] & scard.SCARD_STATE_PRESENT:
            code, _ = self._context.states([(self._reader, states[0][1])], min(left_s, deadline - time.monotonic()))
            if code == TIMEOUT and time.monotonic() < self._doubtful_until_s:
                return False
        self._doubtful_until_s = 0.0
        return True

    def _take(self, handle: Any, protocol: int) -> None:
        self._handle = handle
        self._pci = scard.SCARD_PCI_T0 if protocol == scard.SCARD_PROTOCOL_T0 else scard.SCARD_PCI_T1

    def _status(self) -> tuple[int, int, bytes]:
        hresult, _, _, protocol, atr = scard.SCardStatus(self._handle)
        return (OK, protocol, bytes(atr)) if hresult == OK else (self._failed(hresult), 0, b"")

    def _failed(self, hresult: int) -> int:
        code = _code(hresult)
        self._release(scard.SCARD_LEAVE_CARD)
        if code in SERVICE_LOST:
            self._context.drop()
        return code

    def transmit(self, apdu: bytes) -> bytes:
        if self._handle is None:
            return TRANSMITTED.pack(INVALID_HANDLE, 0)
        request = list(apdu)
        began = time.perf_counter_ns()
        hresult, response = scard.SCardTransmit(self._handle, self._pci, request)
        if _code(hresult) == PROTO_MISMATCH and self._agreed_again():
            hresult, response = scard.SCardTransmit(self._handle, self._pci, request)
        duration_ns = time.perf_counter_ns() - began
        if hresult == OK and response:
            return TRANSMITTED.pack(OK, duration_ns) + bytes(response)
        # Success without a status word is how pcscd tells that the card vanished under the command.
        code = self._failed(hresult or REMOVED)
        if hresult == OK or code not in _CERTAIN:
            self._doubtful_until_s = time.monotonic() + SETTLE_S
        return TRANSMITTED.pack(code, duration_ns)

    def _agreed_again(self) -> bool:
        """Whether card and reader agree on a protocol once more.

        pcscd forgets the protocol of a card that is connected to in the moment in which it came: the connection is made
        before its own thread has noted the card as new. Such a command was not sent.
        """
        hresult, protocol = scard.SCardReconnect(self._handle, self._share, self._protocols, scard.SCARD_LEAVE_CARD)
        if hresult == OK:
            self._take(self._handle, protocol)
        return bool(hresult == OK)

    def reset(self, payload: bytes) -> bytes:
        """Reset the card, cold or warm. Without a connection, or when that fails: connect."""
        began = time.perf_counter_ns()
        self._asked(payload)
        if self._handle is not None:
            code, protocol, atr = self._restart()
            if code == OK:
                return CONNECTED.pack(OK, protocol, time.perf_counter_ns() - began) + atr
        return self.connect(payload)

    def _restart(self) -> tuple[int, int, bytes]:
        hresult, protocol = scard.SCardReconnect(self._handle, self._share, self._protocols, self._reset)
        if hresult != OK:
            return self._failed(hresult), 0, b""
        self._take(self._handle, protocol)
        return self._status()

    def disconnect(self, _: bytes = b"") -> bytes:
        self._release(scard.SCARD_UNPOWER_CARD)
        return b""

    def _release(self, disposition: int) -> None:
        if self._handle is not None:
            scard.SCardDisconnect(self._handle, disposition)
            self._handle = None


class Watch:
    """What changes: a loop of our own, because the library's monitors die with pcscd."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._states: dict[str, int] = {}
        self._up: bool | None = None
        self._events: list[list[Any]] = []

    def changes(self, _: bytes = b"") -> Iterator[bytes]:
        """What is there, then what changes, for ever."""
        while True:
            self._look()
            events, self._events = self._events, []
            for event in events:
                change: bytes = cbor2.dumps(event)
                yield change

    def _event(self, kind: str, reader: str = "", detail: str = "", atr: bytes = b"") -> None:
        self._events.append([kind, reader, time.time_ns(), detail, atr])

    def _look(self) -> None:
        code, names = self._context.readers()
        if code != OK:
            self._service_lost(code)
            return
        if self._up is not True:
            self._up = True
            self._event("service-up")
        for name in [n for n in self._states if n not in names]:
            self._vanish(name)
        known = [(name, self._states.get(name, scard.SCARD_STATE_UNAWARE)) for name in names]
        fresh = [name for name in names if name not in self._states]
        code, states = self._context.states(known if fresh else [*known, (_PNP, 0)], 0 if fresh else LOOK_S)
        if code not in (OK, TIMEOUT):
            self._service_lost(code)
            return
        for name, state, atr in states:
            if name != _PNP:
                self._settle(name, state, atr)

    def _service_lost(self, code: int) -> None:
        if code == UNKNOWN_READER:  # a reader left between two calls: the next look sees the new list
            return
        if self._up is not False:
            self._up = False
            self._event("service-down", detail=f"{code:08X}")
            for name in list(self._states):
                self._vanish(name)
        time.sleep(RETRY_S)

    def _vanish(self, name: str) -> None:
        if self._states.pop(name) & scard.SCARD_STATE_PRESENT:
            self._event("card-out", name)
        self._event("vanished", name)

    def _settle(self, name: str, state: int, atr: bytes) -> None:
        """Compare one reader's state with the last one. The upper half counts insertions: a swap between two looks shows."""
        if name not in self._states:
            self._event("appeared", name)
        was = self._states.get(name, 0)
        self._states[name] = state & ~scard.SCARD_STATE_CHANGED
        was_in, is_in = bool(was & scard.SCARD_STATE_PRESENT), bool(state & scard.SCARD_STATE_PRESENT)
        swapped = was_in and is_in and was >> 16 != state >> 16
        if was_in and (not is_in or swapped):
            self._event("card-out", name)
        if is_in and (not was_in or swapped):
            mute = bool(state & scard.SCARD_STATE_MUTE)
            self._event("card-in", name, "card does not answer to reset" if mute else "", atr)


def main() -> None:
    context = Context()
    card, watch = Card(context), Watch(context)

    def list_readers(_: bytes) -> bytes:
        code, names = context.readers()
        known = [(name, scard.SCARD_STATE_UNAWARE) for name in names]
        states = context.states(known, 0)[1] if known else []
        listing: bytes = cbor2.dumps({"hresult": code, "readers": [list(state) for state in states]})
        return listing

    answer_calls({
        Op.LIST: list_readers, Op.CONNECT: card.connect, Op.TRANSMIT: card.transmit, Op.RESET: card.reset,
        Op.DISCONNECT: card.disconnect, Op.WATCH: watch.changes,
    })


if __name__ == "__main__":
    main()
