"""Presentations under each way of holding: in virtual time, and through nfcpy's UDP driver with the same faults upon it.

Both play the same commands and answers (:data:`REGISTRATION`), tap after tap. On the measured way frames take no time by
themselves: what they would take at 106 kbit/s is added to the clock that ends a tap, and to the result.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random

from bench.drivers import nfc
from virtual_devices.iso_dep_reader import air_time_ns
from virtual_devices.link import Outcome
from virtual_devices.randomness import ByteStream, stream
from virtual_devices.sensed_presentation import MAX_TAPS, REGISTRATION, Presented, presented
from virtual_devices.sensing import Holding, Passage, Tap, Way, held

STRENGTHS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
FOUND_WITHIN_S = 0.3
"""Longest wait for a tap on the measured way: there, a card that is in the field is found in 10 ms."""
COMMAND_LIMIT_S = 30.0
MODELLED, MEASURED = "modelled", "measured"


@dataclass(frozen=True, slots=True)
class Cell:
    """One way of holding, at one strength."""

    holding: Holding
    strength: float
    how: str
    tried: tuple[Presented, ...]


def modelled(holdings: Sequence[Holding], presentations: int, seed: int) -> Iterator[Cell]:
    """Follows from the seed alone."""
    for holding in holdings:
        for strength in STRENGTHS:
            sensing = held(holding, strength)
            rngs = (stream(seed, "nfc map", holding.value, strength, n) for n in range(presentations))
            yield Cell(holding, strength, MODELLED, tuple(presented(sensing, rng) for rng in rngs))


def measured(
    holdings: Sequence[Holding], presentations: int, seed: int, strengths: Sequence[float] = STRENGTHS,
) -> Iterator[Cell]:
    """Through the real stack: our presenter, nfcpy's UDP driver, the reader's worker process."""
    from bench.presenters.nfc import NfcPresenter  # nfcpy: what is modelled needs none
    from bench.presenters.nfc_radio import UdpRadio

    air = _Spoilt()
    radio = UdpRadio("127.0.0.1", 0)
    radio.spoil(air.passes)
    presenter = NfcPresenter(Answering, radio, ByteStream(seed, "nfc map", "UIDs"))
    thread = threading.Thread(target=presenter.run, name="nfc-map")
    thread.start()
    try:
        with nfc.open(radio.device.removeprefix("nfc:")) as link:
            for holding in holdings:
                for strength in strengths:
                    rngs = [stream(seed, "nfc map", holding.value, strength, n) for n in range(presentations)]
                    yield Cell(holding, strength, MEASURED, tuple(_present(link, air, holding, strength, rng) for rng in rngs))
    finally:
        presenter.stop()
        thread.join()


def command(request_bytes: int, answer_bytes: int) -> bytes:
    """What :class:`Answering` answers with so many bytes."""
    return b"\x80\xef" + answer_bytes.to_bytes(2, "big") + bytes(request_bytes - 4)


class Answering:
    """A card that answers with as many bytes as it is asked for."""

    atr = b""

    def power_on(self) -> bytes:
        return b""

    def handle(self, request: bytes, now_ns: int) -> bytes:
        return bytes(int.from_bytes(request[2:4], "big") - 2) + b"\x90\x00"

    def power_off(self) -> None:
        return


class _Spoilt:
    """What becomes of frames, by the tap that is under way."""

    def __init__(self) -> None:
        self._tap: Tap | None = None
        self._began_ns = 0
        self.on_air_ns = 0
        """Of the tap's frames, had they been on the air."""

    def begin(self, tap: Tap) -> None:
        self._tap, self._began_ns, self.on_air_ns = tap, time.perf_counter_ns(), 0

    @property
    def since_ns(self) -> int:
        return time.perf_counter_ns() - self._began_ns + self.on_air_ns

    def passes(self, way: Way, frame: bytes) -> Passage:
        self.on_air_ns += air_time_ns(frame)
        return Passage.WHOLE if self._tap is None else self._tap.passes(frame, self.since_ns)


def _present(link: nfc.NfcLink, air: _Spoilt, holding: Holding, strength: float, rng: Random) -> Presented:
    total_ns = 0
    for number in range(1, MAX_TAPS + 1):
        air.begin(Tap(held(holding, strength), rng))
        done = link.reset(FOUND_WITHIN_S).outcome is Outcome.REPLIED and all(
            link.attempt(command(*sizes), COMMAND_LIMIT_S).outcome is Outcome.REPLIED for sizes in REGISTRATION
        )
        total_ns += air.since_ns
        if done:
            return Presented(number, True, total_ns)
    return Presented(MAX_TAPS, False, total_ns)


__all__ = ["Cell", "MEASURED", "MODELLED", "STRENGTHS", "measured", "modelled"]
