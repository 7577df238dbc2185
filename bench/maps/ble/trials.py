"""Presentations over bad air, counted: our phone's end and our reader's, upon bumble, in one event loop whose time is virtual.

A trial is one presentation: found, connected and subscribed; a request as long as that of a registration, and its answer with the
photograph; the good-bye. What is on the air takes the air's time and nothing else takes any, so a table follows from its seed,
and a day's worth of trials takes minutes.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any
from uuid import UUID

from bench.stacks.air import Air, Weather
from bench.stacks.ble_end import End
from bench.stacks.bumble_radio import Radio
from bench.stacks.bumble_stack import ClientStack, ServerStack
from virtual_devices.mdoc.ble import BleLink
from virtual_devices.mdoc.ble_events import Phase
from virtual_devices.mdoc.ble_gatt import GattRole, Mode, Side
from virtual_devices.mdoc.session import TERMINATION
from virtual_devices.randomness import ByteStream

CONNECT_S, EXCHANGE_S = 10.0, 10.0
"""The limits of the reader's flow."""
REQUEST_BYTES, RESPONSE_BYTES = 1553, 10_555
"""Session messages of a registration, as the benchmark of presentations has them."""
USUAL = Weather(interval_ms=30.0, packets_per_interval=4)
"""Good air: a usual connection interval, nothing lost."""


class Ended(Enum):
    """How a trial ended."""

    DONE = "done"
    NOT_CONNECTED = "not connected"  # within the limit
    BROKEN = "broken off"
    TOO_SLOW = "too slow"  # for the exchange's limit


@dataclass(frozen=True, slots=True)
class Weakness:
    """One way in which the air is bad. ``field``: of :class:`bench.stacks.air.Weather`."""

    name: str
    field: str
    unit: str
    en: str
    zh: str
    strengths: tuple[float, ...]

    def weather(self, strength: float) -> Weather:
        changed: Any = {self.field: strength}
        return replace(USUAL, **changed)


WEAKNESSES = (
    Weakness("lost", "lost", "share of packets", "Packets repeated", "封包重送", (0.0, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8)),
    Weakness("cut", "cut", "share of link messages", "Connection breaks off", "連線中斷",
             (0.0, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02)),
    Weakness("unheard", "unheard", "share of advertisements", "Advertisements unheard", "廣播未收到",
             (0.0, 0.5, 0.8, 0.9, 0.95, 0.99)),
    Weakness("interval", "interval_ms", "ms", "Connection interval", "連線間隔", (7.5, 15.0, 30.0, 50.0, 100.0, 200.0)),
)
BY_NAME = {weakness.name: weakness for weakness in WEAKNESSES}


@dataclass(frozen=True, slots=True)
class Trial:
    """``connect_s``, ``exchange_s``: of what was done."""

    ended: Ended
    connect_s: float | None = None
    exchange_s: float | None = None


class _Jump(selectors.SelectSelector):
    """Nobody outside is waited for: the time that the loop would sleep is over at once."""

    def __init__(self) -> None:
        super().__init__()
        self.now_s = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is not None and timeout > 0:
            self.now_s += timeout
        return super().select(0)


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose time is virtual."""

    def __init__(self) -> None:
        self._jump = _Jump()
        super().__init__(self._jump)

    def time(self) -> float:
        return self._jump.now_s


def tried(mode: Mode, weakness: Weakness, strength: float, trials: int, seed: int) -> list[Trial]:
    """Trials of one condition; each has a seed of its own."""
    loop = VirtualLoop()
    try:
        return [
            loop.run_until_complete(_trial(mode, weakness.weather(strength), f"{seed}/{weakness.name}/{strength:g}/{number}"))
            for number in range(trials)
        ]
    finally:
        loop.close()


def conditions(weaknesses: Sequence[Weakness]) -> Iterator[tuple[Weakness, float]]:
    for weakness in weaknesses:
        for strength in weakness.strengths:
            yield weakness, strength


async def _trial(mode: Mode, weather: Weather, seed: str) -> Trial:
    air, fresh = Air(weather, seed), ByteStream("air trial", seed)
    radios = {side: await Radio.upon(air.controller(side.name)) for side in Side}
    service = UUID(bytes=fresh(16), version=4)
    ends = {side: _end(radio, BleLink(mode, side, service, b"trial")) for side, radio in radios.items()}
    try:
        return await _presented(ends[Side.MDOC], ends[Side.READER])
    finally:
        air.weather = Weather()  # nobody counts the way home
        for each in ends.values():
            await each.close()
        for radio in radios.values():
            await radio.close()


def _end(radio: Radio, machine: BleLink) -> End:
    return End(machine, ServerStack(radio) if machine.role is GattRole.SERVER else ClientStack(radio))


async def _presented(phone: End, reader: End) -> Trial:
    loop = asyncio.get_running_loop()
    began_s = loop.time()
    waiting = asyncio.create_task(phone.start())
    try:
        async with asyncio.timeout(CONNECT_S):
            await reader.start()
        if reader.ended is not None:
            return Trial(Ended.NOT_CONNECTED if reader.ended.phase is not Phase.LOST else Ended.BROKEN)
    except TimeoutError:
        return Trial(Ended.NOT_CONNECTED)
    finally:
        if not waiting.done() and reader.machine.phase is not Phase.OPEN:
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
    connected_s = loop.time()
    answering = asyncio.create_task(_answer(phone, waiting))
    try:
        async with asyncio.timeout(EXCHANGE_S):
            await reader.send(bytes(REQUEST_BYTES))
            answer = await reader.receive()
    except TimeoutError:
        return Trial(Ended.TOO_SLOW, connected_s - began_s)
    finally:
        answering.cancel()
        await asyncio.gather(answering, waiting, return_exceptions=True)
    if answer is None:
        return Trial(Ended.BROKEN, connected_s - began_s)
    exchanged_s = loop.time()
    await reader.send(TERMINATION)
    return Trial(Ended.DONE, connected_s - began_s, exchanged_s - connected_s)


async def _answer(phone: End, opened: asyncio.Task[None]) -> None:
    await opened
    if await phone.receive() is not None:
        await phone.send(bytes(RESPONSE_BYTES))
    await asyncio.get_running_loop().create_future()  # until it is cancelled


__all__ = ["BY_NAME", "WEAKNESSES", "Ended", "Trial", "VirtualLoop", "Weakness", "conditions", "tried"]
