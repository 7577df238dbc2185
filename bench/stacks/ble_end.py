"""One end of BLE data retrieval at work: the machine of :mod:`virtual_devices.mdoc.ble` upon a Bluetooth stack.

A :class:`Stack` carries out actions one by one and tells events through :meth:`End.tell`, from callbacks in the same event
loop. The machine sees what happens in the order in which it happened: an event that comes while an action is carried out waits
until that is done. What asks for no action is done at once, in the callback or in the caller's task; each change of task would
cost an exchange 15 us and more.
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
from virtual_devices.mdoc.ble_events import (
    Action,
    Disconnected,
    Ended,
    Event,
    Failed,
    Notify,
    Opened,
    Output,
    Phase,
    Received,
    Write,
)
from virtual_devices.mdoc.ble_gatt import Name, Side
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

    def handle_of(self, name: Name) -> int:
        """The attribute handle of this characteristic's value; 0 while it is not known."""
        ...

    async def close(self) -> None:
        """Let go of the connection and of everything else. Never raises."""
        ...


class End:
    """One connection for one engagement. Use it from one task; close it in the end."""

    def __init__(self, machine: BleLink, stack: Stack) -> None:
        self.machine = machine
        self.ended: Ended | None = None
        self.gone = asyncio.Event()
        self._stack = stack
        self.opened = False  # a session was, whatever became of it since
        self._begun = asyncio.Event()  # opened, or ended before that
        self._received: deque[bytes] = deque()
        self._news = asyncio.Event()  # a message has come, or the end
        self._told: deque[Event] = deque()  # what the machine has not seen yet
        self._todo: deque[Output] = deque()  # what it wants, in order
        self._refused = False  # the stack refused one of these: the values after it are of no use
        self._rest = asyncio.Event()  # nobody carries actions out
        self._rest.set()
        self._acting: asyncio.Task[None] | None = None  # carries out what events ask for
        self._broken: Exception | None = None
        stack.begin(self.tell)

    def tell(self, event: Event) -> None:
        if isinstance(event, Disconnected):
            self.gone.set()
        self._told.append(event)
        if self._rest.is_set():
            self._go_on()

    async def start(self) -> None:
        """Advertise or scan; returns when messages can go, or :attr:`ended` says why they cannot."""
        await self._rest.wait()
        self._todo.extend(self.machine.start())
        self._go_on()
        await self._begun.wait()
        self._check()

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
            self._check()
            if self.ended is not None:
                return None
            self._news.clear()
            await self._news.wait()
        return self._received.popleft()

    async def close(self) -> None:
        """End the session where it has not ended, and let the stack go."""
        if self.machine.phase is Phase.OPEN and self._broken is None:  # before, it may wait for somebody who never comes
            with suppress(TimeoutError):
                await asyncio.wait_for(self._want(self.machine.end), GOODBYE_S)
        self._broken = self._broken or StackTrouble("it is closed")
        acting = self._acting
        while acting is not None and not acting.done():  # asyncio.wait_for loses a cancellation that meets an answer
            acting.cancel()
            await asyncio.wait((acting,), timeout=CANCEL_AGAIN_S)
        await self._stack.close()

    async def _want(self, wanted: Callable[[], Outputs]) -> int:
        """What the user wants, carried out in its own task; the moment when that was done."""
        while not self._rest.is_set():
            await self._rest.wait()
        self._check()
        self._todo.extend(wanted())
        self._rest.clear()
        try:
            while (action := self._next_action()) is not None:
                await self._do(action)
            return time.perf_counter_ns()
        finally:
            self._todo.clear()  # something is left after a cancellation only
            self._rested()

    # -- in order

    def _next_action(self) -> Action | None:
        """What stands before it is said: messages, the beginning, the end."""
        while self._todo:
            match output := self._todo.popleft():
                case Opened():
                    self.opened = True
                    self._begun.set()
                case Received():
                    self._received.append(output.message)
                    self._news.set()
                    if _ends(output.message, Side.MDOC if self.machine.side is Side.READER else Side.READER):
                        self._todo.extendleft(reversed(self.machine.session_ended(by_peer=True)))
                case Ended():
                    self.ended = self.ended or output
                    self._news.set()
                    self._begun.set()
                case Write() | Notify() if self._refused:
                    continue
                case _:
                    return output
        self._refused = False
        return None

    def _hear(self) -> Action | None:
        """The next action that events ask for; None when all that was told has been seen."""
        while self._broken is None:
            action = self._next_action()
            if action is not None or not self._told:
                return action
            self._todo.extend(self.machine.handle(self._told.popleft()))
        return None

    def _go_on(self) -> None:
        """Nobody acts: do what events ask for, by a task where it takes time."""
        try:
            action = self._hear()
        except Exception as error:  # ours or the driver's, and told to whoever wants something next
            self._break(error)
            return
        if action is not None:
            self._rest.clear()
            self._acting = asyncio.create_task(self._act(action))

    async def _act(self, action: Action | None) -> None:
        try:
            while action is not None:
                await self._do(action)
                action = self._hear()
        except Exception as error:
            self._break(error)
        finally:
            self._rested()

    def _rested(self) -> None:
        self._rest.set()
        if self._told or self._todo:
            self._go_on()

    def _break(self, error: Exception) -> None:
        self._broken = error
        self._begun.set()
        self._news.set()

    def _check(self) -> None:
        if self._broken is not None:
            raise self._broken

    # -- one action

    async def _do(self, action: Action) -> None:
        try:
            event = await self._stack.do(action)
        except StackTrouble as e:
            self._refused = True
            await self._failed(str(e))
            return
        if event is not None:
            self._told.append(event)

    async def _failed(self, what: str) -> None:
        """Was it the connection? Then its end has been told, or will be soon."""
        if self.machine.phase is not Phase.SEEKING:
            with suppress(TimeoutError):
                await asyncio.wait_for(self.gone.wait(), SETTLE_S)
        if not self.gone.is_set():
            self._told.append(Failed(what))


def _ends(message: bytes, by: Side) -> bool:
    """Whether the session is over with this message: it has a status, whichever. A reader's data beside it are answered first."""
    try:
        said = session.read_data(message)
    except MalformedMdoc:
        return False
    return said.status is not None and (by is Side.MDOC or said.data is None)


__all__ = ["End", "Stack", "StackTrouble"]
