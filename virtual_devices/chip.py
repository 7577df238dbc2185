"""A card's operating system: what every ISO/IEC 7816-4 chip of the bench (patient card, HPC, SAM) has in common.

The protocol's rules, first in prose:

- T=1: a command and its answer are whole. Data longer than Le come in pieces, 61xx and GET RESPONSE.
- T=0: an answer with data to a command with data is announced by 61xx and fetched by GET RESPONSE; a wrong Le is
  answered 6Cxx with the right one. Nobody below the application handles either.
- A command may come in links (5.3.3). Another command in between ends the chain with 6883.
- What is not understood is refused by its status word: 6700, 6E00, 6D00, 6A86, ... A chip never falls over.

Nothing here knows the time: a chip has no clock.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from virtual_devices.apdu import SW, Chainer, Command, MalformedApdu
from virtual_devices.atr import Transport
from virtual_devices.link import PowerCut, Work
from virtual_devices.quick import quick
from virtual_devices.store import Store


class Refusal(Exception):
    """Inside a chip: the command ends here with this status word. Never leaves the chip."""

    def __init__(self, sw: int) -> None:
        super().__init__(f"{sw:04X}")
        self.sw = sw


@quick
@dataclass(frozen=True, slots=True)
class Answer:
    """What a handler gives back. ``exact``: data of fixed length, so that a shorter Le is wrong (6Cxx), not a part."""

    data: bytes = b""
    sw: int = SW.OK
    exact: bool = False


Handler = Callable[[Command], Answer]
OK = Answer()
GET_RESPONSE = 0xC0
_MAX_SHORT = 256


class Chip:
    """The command loop. A card adds its handlers by INS, and resets its volatile state in :meth:`forget`."""

    def __init__(self, atr: bytes, transport: Transport, store: Store, work: Work, chain_limit_bytes: int = 8192) -> None:
        self.atr = atr
        self.transport = transport
        self._t0 = transport is Transport.T0
        self.store = store
        self.work = work
        self._chainer = Chainer(chain_limit_bytes)
        self._pending = b""
        self._handlers: dict[int, Handler] = {}
        self._on = False

    # -- the device port

    def power_on(self) -> bytes:
        self.power_off()
        self.store.recover()
        self._on = True
        return self.atr

    def power_off(self) -> None:
        self._on = False
        self._pending = b""
        self._chainer.reset()
        self.forget()

    def handle(self, request: bytes, now_ns: int) -> bytes:
        if not self._on:  # a reader cannot reach a chip without power; whoever calls gets silence's nearest word
            return SW.NO_PRECISE_DIAGNOSIS.to_bytes(2, "big")
        try:
            command = Command.parse(request)
        except MalformedApdu as e:
            return e.sw.to_bytes(2, "big")
        try:
            data, sw = self._respond(command)
        except PowerCut:  # what was volatile is gone with the power, whoever catches this
            self.power_off()
            raise
        return data + sw.to_bytes(2, "big")

    def arm_cut(self, points: int | None) -> None:
        self.store.arm_cut(points)

    @property
    def generation(self) -> int:
        """Grows with each commit to the store."""
        return self.store.generation

    # -- for the cards

    def forget(self) -> None:
        """Power is gone or the chip was reset: drop what was volatile."""

    def on(self, ins: int, handler: Handler) -> None:
        self._handlers[ins] = handler

    # -- the loop

    def _respond(self, command: Command) -> tuple[bytes, int]:
        if command.ins == GET_RESPONSE and command.cla in (0x00, 0x80):
            return self._get_response(command)
        self._pending = b""
        refused = 0
        if command.cla & 0xEF not in (0x00, 0x80):
            refused = SW.CLA_NOT_SUPPORTED
        elif command.ins not in self._handlers:
            refused = SW.INS_NOT_SUPPORTED
        elif command.extended and self._t0:  # which carries 255 bytes one way, 256 the other
            refused = SW.WRONG_LENGTH
        if refused:
            self._chainer.reset()
            return b"", refused
        whole = self._chainer.feed(command)
        if isinstance(whole, int):
            return b"", whole
        try:
            answer = self._handlers[command.ins](whole)
        except Refusal as refusal:
            return b"", refusal.sw
        if not answer.data:
            return b"", answer.sw
        return self._deliver_t0(command, answer) if self._t0 else self._deliver_t1(command, answer)

    def _deliver_t1(self, command: Command, answer: Answer) -> tuple[bytes, int]:
        limit = command.le or (65536 if command.extended else _MAX_SHORT)
        if len(answer.data) <= limit:
            return answer.data, answer.sw
        if answer.exact and command.le is not None and len(answer.data) <= _MAX_SHORT:  # 6Cxx has no word for more
            return b"", 0x6C00 | (len(answer.data) & 0xFF)
        self._pending = answer.data
        return self._next_piece(limit)

    def _deliver_t0(self, command: Command, answer: Answer) -> tuple[bytes, int]:
        length = len(answer.data)
        if command.data:
            self._pending = answer.data
            return b"", 0x6100 | (length if length < 256 else 0)
        asked = command.le or _MAX_SHORT
        if length >= _MAX_SHORT == asked:
            self._pending = answer.data
            return self._next_piece(asked)
        if asked != length:
            return b"", 0x6C00 | (length if length < 256 else 0)
        return answer.data, answer.sw

    def _get_response(self, command: Command) -> tuple[bytes, int]:
        if self._chainer.open:  # another command in between ends the chain
            self._chainer.reset()
            return b"", SW.LAST_OF_CHAIN_EXPECTED
        if command.p1 or command.p2:
            return b"", SW.WRONG_P1P2
        if command.data:
            return b"", SW.WRONG_LENGTH
        return self._next_piece(command.le or _MAX_SHORT)

    def _next_piece(self, limit: int) -> tuple[bytes, int]:
        if not self._pending:
            return b"", SW.CONDITIONS_NOT_SATISFIED
        if self._t0 and limit > len(self._pending):
            return b"", 0x6C00 | len(self._pending)
        piece, self._pending = self._pending[:limit], self._pending[limit:]
        rest = len(self._pending)
        return piece, SW.OK if not rest else 0x6100 | (rest if rest < 256 else 0)


def refuse_unless(condition: bool, sw: int) -> None:
    """End the command with this status word unless the condition holds."""
    if not condition:
        raise Refusal(sw)
