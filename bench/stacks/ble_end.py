"""One end of BLE data retrieval at work: the machine of :mod:`virtual_devices.mdoc.ble` upon a Bluetooth stack.

A :class:`Stack` carries out actions one by one and tells events through :meth:`End.tell`, from callbacks in the same event
loop. All that happens goes through one queue, so that the machine sees it in the order in which it happened.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

from virtual_devices.mdoc import session
from virtual_devices.mdoc.ble import BleLink, Outputs
from virtual_devices.mdoc.ble_events import Action, Disconnected, Ended, Event, Failed, Notify, Opened, Phase, Received, Write
from virtual_devices.mdoc.ble_gatt import Side
from virtual_devices.mdoc.tagged import MalformedMdoc

SETTLE_S = 0.5
"""A stack may report a failed operation before it reports that the connection is gone: the news is awaited for so long."""


GOODBYE_S = 1.0
"""Longest wait for the last word to leave."""
CANCEL_AGAIN_S = 0.05


class StackTrouble(Exception):
    """An operation that a stack refused. The text is for a person."""


class Stack(Protocol):
    """A Bluetooth stack in the role that the machine plays."""

    def begin(self, tell: Callable[[Event], None]) -> None:
        """Where events go. Called once, before the first action."""
        ...

    async def do(self, action: Action) -> Event | None:
        """Carry one action out; its answer, where it is one that has an answer. Raises StackTrouble."""
        ...

    async def close(self) -> None:
        """Let go of the connection and of everything else. Never raises."""
        ...


class End:
    """One connection for one engagement. Use it from one task; close it in the end."""

    def __init__(self, machine: BleLink, stack: Stack) -> None:
        self.machine = machine
        self.ended: Ended | None = None
        self.opened = asyncio.Event()  # or ended before that
        self._stack = stack
        self._received: deque[bytes] = deque()
        self._news = asyncio.Event()  # a message has come, or the end
        self.gone = asyncio.Event()
        self._queue: asyncio.Queue[tuple[Event | Callable[[], Outputs], asyncio.Future[int] | None]] = asyncio.Queue()
        stack.begin(self.tell)
        self._pump = asyncio.create_task(self._run())

    def tell(self, event: Event) -> None:
        if isinstance(event, Disconnected):
            self.gone.set()
        self._queue.put_nowait((event, None))

    async def start(self) -> None:
        """Advertise or scan; returns when messages can go, or :attr:`ended` says why they cannot."""
        await self._want(self.machine.start)
        await self._wait(self.opened)

    async def send(self, message: bytes) -> int:
        """Hand a whole message to the stack; the moment when the last of it had gone there (perf_counter, ns). After the
        session's last message the link is ended too."""
        last = _ends(message, self.machine.side)

        def wanted() -> Outputs:
            if self.machine.phase.final:
                return ()
            said = self.machine.send(message)
            return said + self.machine.session_ended(by_peer=False) if last else said

        return await self._want(wanted)

    async def receive(self) -> bytes | None:
        """The peer's next message; None when none will come any more: see :attr:`ended`."""
        while not self._received:
            if self.ended is not None:
                return None
            self._news.clear()
            await self._news.wait()
        return self._received.popleft()

    async def close(self) -> None:
        """End the session where it has not ended, and let the stack go."""
        if self.machine.phase is Phase.OPEN and not self._pump.done():  # before, it may wait for somebody who never comes
            with suppress(TimeoutError):
                await asyncio.wait_for(self._want(self.machine.end), GOODBYE_S)
        while not self._pump.done():  # once is not always enough: asyncio.wait_for loses a cancellation that meets an answer
            self._pump.cancel()
            await asyncio.wait((self._pump,), timeout=CANCEL_AGAIN_S)
        if not self._pump.cancelled():
            self._pump.exception()  # told already to whoever wanted something of it
        await self._stack.close()

    async def _want(self, wanted: Callable[[], Outputs]) -> int:
        done: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._queue.put_nowait((wanted, done))
        await asyncio.wait((done, self._pump), return_when=asyncio.FIRST_COMPLETED)
        if not done.done():
            await self._pump  # it broke, or was cancelled: its exception is ours
        return done.result()

    async def _wait(self, event: asyncio.Event) -> None:
        waiting = asyncio.create_task(event.wait())
        try:
            await asyncio.wait((waiting, self._pump), return_when=asyncio.FIRST_COMPLETED)
        finally:
            waiting.cancel()
        if self._pump.done():
            await self._pump

    async def _run(self) -> None:
        while True:
            what, done = await self._queue.get()
            try:
                outputs = what() if callable(what) else self.machine.handle(what)
            except Exception as error:
                if done is None:
                    raise
                done.set_exception(error)
                continue
            await self._carry_out(outputs)
            if done is not None:
                done.set_result(time.perf_counter_ns())

    async def _carry_out(self, outputs: Outputs) -> None:
        broken = False
        for output in outputs:
            match output:
                case Opened():
                    self.opened.set()
                case Received():
                    self._received.append(output.message)
                    self._news.set()
                    if _ends(output.message, Side.MDOC if self.machine.side is Side.READER else Side.READER):
                        await self._carry_out(self.machine.session_ended(by_peer=True))
                case Ended():
                    self.ended = self.ended or output
                    self._news.set()
                    self.opened.set()
                case Write() | Notify() if broken:
                    continue
                case _:
                    broken = not await self._do(output) or broken

    async def _do(self, action: Action) -> bool:
        try:
            event = await self._stack.do(action)
        except StackTrouble as e:
            await self._failed(str(e))
            return False
        if event is not None:
            self.tell(event)
        return True

    async def _failed(self, what: str) -> None:
        """Was it the connection? Then its end is in the queue, or will be soon."""
        try:
            await asyncio.wait_for(self.gone.wait(), SETTLE_S)
        except TimeoutError:
            self.tell(Failed(what))


def _ends(message: bytes, by: Side) -> bool:
    """Whether the session is over with this message: it has a status, whichever. A reader's data beside it are answered first."""
    try:
        said = session.read_data(message)
    except MalformedMdoc:
        return False
    return said.status is not None and (by is Side.MDOC or said.data is None)


__all__ = ["End", "Stack", "StackTrouble"]
