"""A presentation to a reader's field under :class:`~virtual_devices.sensing.Sensing`: block by block, in virtual time.

ISO-DEP at both ends is the real one (:mod:`virtual_devices.iso_dep`), so a lost frame costs what the protocol makes of it: a
frame waiting time and the block again, and after six tries the tap. What people take between two taps is not counted here.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from random import Random

from virtual_devices.clock import NS
from virtual_devices.iso_dep import Ats, Picc
from virtual_devices.iso_dep_reader import Frame, Lost, Pcd, air_time_ns, rats
from virtual_devices.radio import Field
from virtual_devices.sensing import Passage, Sensing, Tap

REGISTRATION: tuple[tuple[int, int], ...] = (
    (13, 2), (7, 2), (5, 17), (7, 2), (5, 4), (5, 190), (13, 2), (1566, 10561), (20, 4),
)
"""Bytes of each command and its answer: the handover, and one request with a portrait (the bench's own phone)."""
SELECTION = (b"\x26", b"\x04\x00", b"\x93\x20", bytes(5), b"\x93\x70" + bytes(7), b"\x20\xfc\x70")
"""The frames of anticollision and selection with a UID of four bytes, reader and card in turn."""
MAX_TAPS = 5
"""After so many the holder gives up (assumed)."""
PATIENCE_NS = 2 * NS
"""A phone that is not found within this is moved: a new tap (assumed)."""
POLL_NS = NS // 10
"""Pause between two looks of a reader (assumed)."""
ATS = Ats()


@dataclass(frozen=True, slots=True)
class Presented:
    """How it went. ``device_ns``: from the first tap to the end, without the holder's own time."""

    taps: int
    done: bool
    device_ns: int

    @property
    def at_first(self) -> bool:
        """Done at the first tap."""
        return self.done and self.taps == 1


def presented(
    sensing: Sensing, rng: Random, field: Field | None = None, script: Sequence[tuple[int, int]] = REGISTRATION,
) -> Presented:
    """One presentation, tap after tap."""
    model = field or Field()
    total_ns = 0
    for number in range(1, MAX_TAPS + 1):
        way = _Way(Tap(sensing, rng), model, rng)
        done = way.find() and way.say(script)
        total_ns += way.since_ns
        if done:
            return Presented(number, True, total_ns)
    return Presented(MAX_TAPS, False, total_ns)


class _Way:
    """One tap, and its time."""

    def __init__(self, tap: Tap, model: Field, rng: Random) -> None:
        self._tap, self._model, self._rng = tap, model, rng
        self._block_ns = round(model.block_ms * 1e6)
        self._answers: list[int] = []
        self._picc = Picc(lambda _: bytes(self._answers.pop(0)), ATS)
        self.since_ns = 0

    def find(self) -> bool:
        """Until it is selected and has answered RATS."""
        self.since_ns = self._model.found.draw_ns(self._rng)
        while self.since_ns < PATIENCE_NS:
            if all(self._passes(frame) for frame in (*SELECTION, rats(), ATS.to_bytes())):
                return self._picc.activate(rats()) is not None
            self.since_ns += POLL_NS
        return False

    def say(self, script: Sequence[tuple[int, int]]) -> bool:
        """Every command and its answer."""
        pcd = Pcd(ATS)
        for command, answer in script:
            self.since_ns += self._model.command.draw_ns(self._rng)
            self._answers.append(answer)
            try:
                self._exchange(pcd.exchange(bytes(command)))
            except Lost:
                return False
        return True

    def _exchange(self, blocks: Generator[Frame, bytes | None, bytes]) -> None:
        frame = next(blocks)
        while True:
            answer = self._picc.receive(frame.block) if self._passes(frame.block) else None
            if answer is None or not self._passes(answer):
                self.since_ns += round(frame.timeout_s * 1e9)
                answer = None
            else:
                self.since_ns += self._block_ns
            try:
                frame = blocks.send(answer)
            except StopIteration:
                return

    def _passes(self, frame: bytes) -> bool:
        self.since_ns += air_time_ns(frame)
        return self._tap.passes(frame, self.since_ns) is Passage.WHOLE


__all__ = ["MAX_TAPS", "PATIENCE_NS", "Presented", "REGISTRATION", "SELECTION", "presented"]
