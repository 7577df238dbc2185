"""One end at work upon a stack that a test plays: order, refusals, what breaks, what is given up."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any
from uuid import UUID

import pytest

from bench.stacks.ble_end import End, StackTrouble
from virtual_devices.mdoc.ble import BleLink
from virtual_devices.mdoc.ble_events import (
    Action,
    Connected,
    Disconnect,
    Disconnected,
    Discover,
    Discovered,
    Event,
    MtuAgreed,
    Notified,
    Phase,
    RequestMtu,
    Scan,
    Subscribe,
    Subscribed,
    Write,
)
from virtual_devices.mdoc.ble_gatt import TABLE, BleUsageError, Mode, Name, Problem, Side
from virtual_devices.mdoc.session import TERMINATION

SERVICE = UUID(int=1, version=4)
MTU = 23
FOUND = {row.uuid: row.properties for row in TABLE if row.mode is Mode.PERIPHERAL_SERVER}


class Played:
    """A client's stack whose peer says yes to everything. ``hold``: writes wait until it is set; ``refuses``: what it cannot."""

    def __init__(self) -> None:
        self.did: list[Action] = []
        self.hold: asyncio.Event | None = None
        self.refuses: tuple[type[Action], ...] = ()
        self.tell: Callable[[Event], None] = lambda _: None
        self.closed = False

    def begin(self, tell: Callable[[Event], None]) -> None:
        self.tell = tell

    async def do(self, action: Action) -> Event | None:
        await asyncio.sleep(0)
        if isinstance(action, self.refuses):
            raise StackTrouble(f"no {type(action).__name__}")
        if self.hold is not None and isinstance(action, Write):
            await self.hold.wait()
        self.did.append(action)
        match action:
            case Scan():
                return Connected(MTU)
            case RequestMtu():
                return MtuAgreed(MTU)
            case Discover():
                return Discovered(FOUND)
            case Subscribe():
                return Subscribed(action.characteristic.name)
            case Disconnect():
                self.tell(Disconnected())
        return None

    def handle_of(self, name: Name) -> int:
        return 0

    async def close(self) -> None:
        self.closed = True

    @property
    def written(self) -> list[bytes]:
        return [each.value for each in self.did if isinstance(each, Write) and each.characteristic.name is Name.CLIENT_TO_SERVER]


def playing(story: Callable[[End, Played], Coroutine[Any, Any, None]]) -> None:
    async def run() -> None:
        stack = Played()
        end = End(BleLink(Mode.PERIPHERAL_SERVER, Side.READER, SERVICE, b"key"), stack)
        try:
            async with asyncio.timeout(30):
                await story(end, stack)
        finally:
            await end.close()
        assert stack.closed
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(run())


def said(part: bytes, *, last: bool = True) -> Notified:
    return Notified(Name.SERVER_TO_CLIENT, (b"\x00" if last else b"\x01") + part)


def test_end_carries_messages_both_ways() -> None:
    async def story(end: End, stack: Played) -> None:
        await end.start()
        assert end.ended is None
        assert await end.send(bytes(40)) > 0
        assert [len(value) for value in stack.written] == [20, 20, 3]
        stack.tell(said(bytes(19), last=False))
        stack.tell(said(b"end"))
        assert await end.receive() == bytes(19) + b"end"

    playing(story)


def test_end_reads_a_message_in_the_callback_that_brings_it() -> None:
    async def story(end: End, stack: Played) -> None:
        await end.start()
        stack.tell(said(b"at once"))
        waiting = end.receive()
        with pytest.raises(StopIteration) as got:  # without one turn of the event loop
            waiting.send(None)
        assert got.value.value == b"at once"

    playing(story)


def test_end_hears_an_answer_after_the_message_that_was_being_sent() -> None:
    async def story(end: End, stack: Played) -> None:
        await end.start()
        stack.hold = asyncio.Event()
        sending = asyncio.create_task(end.send(bytes(40)))
        await asyncio.sleep(0.001)
        stack.tell(Notified(Name.STATE, b"\x02"))  # the peer ends the session meanwhile
        assert end.machine.phase is Phase.OPEN
        stack.hold.set()
        await sending
        assert len(stack.written) == 3
        assert await end.receive() is None
        assert end.ended is not None
        assert end.ended.phase is Phase.ENDED_BY_PEER

    playing(story)


def test_end_sends_one_message_after_the_other() -> None:
    async def story(end: End, stack: Played) -> None:
        await end.start()
        stack.hold = asyncio.Event()
        both = [asyncio.create_task(end.send(message)) for message in (b"a" * 30, b"b" * 30)]
        await asyncio.sleep(0.001)
        stack.hold.set()
        await asyncio.gather(*both)
        assert [value[1:2] for value in stack.written] == [b"a", b"a", b"b", b"b"]

    playing(story)


def test_end_that_cannot_scan_waits_for_nobody_to_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.stacks.ble_end.SETTLE_S", 3600.0)

    async def story(end: End, stack: Played) -> None:
        stack.refuses = (Scan,)
        await end.start()
        assert end.ended is not None
        assert (end.ended.phase, end.ended.problem) == (Phase.REFUSED, Problem.OPERATION_FAILED)
        assert end.ended.detail == "no Scan"

    playing(story)


def test_end_keeps_the_rest_of_a_message_whose_value_was_refused() -> None:
    async def story(end: End, stack: Played) -> None:
        await end.start()
        stack.refuses = (Write,)
        stack.tell(Disconnected())  # which is why
        await end.send(bytes(100))
        assert stack.written == []
        assert await end.receive() is None
        assert end.ended is not None
        assert end.ended.phase is Phase.LOST

    playing(story)


def test_end_disconnects_after_the_last_message() -> None:
    async def story(end: End, stack: Played) -> None:
        await end.start()
        await end.send(TERMINATION)
        assert isinstance(stack.did[-1], Disconnect)
        assert end.ended is not None
        assert end.ended.phase is Phase.ENDED_BY_US
        assert await end.send(b"more") > 0  # nothing is said after the end
        assert isinstance(stack.did[-1], Disconnect)

    playing(story)


def test_end_tells_what_broke_it_to_who_wants_something() -> None:
    async def story(end: End, stack: Played) -> None:
        await end.start()
        waiting = asyncio.create_task(end.receive())
        await asyncio.sleep(0)
        stack.tell(Connected(MTU))  # no driver says so a second time
        with pytest.raises(BleUsageError):
            await waiting
        with pytest.raises(BleUsageError):
            await end.send(b"x")

    playing(story)


def test_end_goes_on_after_a_message_that_was_given_up() -> None:
    async def story(end: End, stack: Played) -> None:
        await end.start()
        stack.hold = asyncio.Event()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(end.send(bytes(200)), 0.01)
        stack.hold = None
        await end.close()
        assert stack.written == []
        last = [each for each in stack.did if isinstance(each, Write)][-1]
        assert (last.characteristic.name, last.value) == (Name.STATE, b"\x02")

    playing(story)
