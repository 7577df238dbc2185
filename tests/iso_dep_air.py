"""An active card and the air between it and a reader, for tests of ISO-DEP."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from itertools import chain, repeat
from typing import TypeVar

from virtual_devices.iso_dep import Ats, Picc
from virtual_devices.iso_dep_reader import Frame, rats

T = TypeVar("T")
H = bytes.fromhex
RATS_256 = rats()


def card(
    application: Callable[[bytes], bytes | None] = lambda message: message, ats: Ats | None = None, request: bytes = RATS_256,
) -> Picc:
    """An active card; by default it echoes."""
    picc = Picc(application, ats)
    assert picc.activate(request) == picc.ats.to_bytes()
    return picc


class Air:
    """Carries frames between a reader's generator and a card. ``lost`` says of each frame, either way, whether it is lost;
    ``late`` how often the card asks for time before each answer."""

    def __init__(
        self, picc: Picc, lost: Iterable[bool] = (), late: int = 0, answer: bytes | Callable[[], bytes] = b"",
    ) -> None:
        self.picc = picc
        self.frames: list[bytes] = []
        self._lost: Iterator[bool] = chain(lost, repeat(False))
        self._late = late
        self._answer = answer
        self._asked = 0

    def run(self, exchange: Generator[Frame, bytes | None, T]) -> T:
        block: bytes | None = None
        frame = next(exchange)
        while True:
            self.frames.append(frame.block)
            block = None if next(self._lost) else self._card(frame.block)
            if block is not None:
                self.frames.append(block)
                if next(self._lost):
                    block = None
            try:
                frame = exchange.send(block)
            except StopIteration as stop:
                result: T = stop.value
                return result

    def _card(self, block: bytes) -> bytes | None:
        answer = self.picc.receive(block)
        if answer is not None or not self.picc.computing:
            return answer
        if self._asked < self._late:
            self._asked += 1
            return self.picc.extend(self._asked)
        self._asked = 0
        return self.picc.reply(self._answer() if callable(self._answer) else self._answer)
