"""The worker's part of :mod:`bench.ble_values`: a stack told action by action, and what it tells kept in its order."""

from __future__ import annotations

import asyncio
import uuid
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Protocol

import cbor2

from bench.ble_values import Act, left_s, told
from bench.stacks.ble_end import Stack, StackTrouble
from virtual_devices.link import Outcome
from virtual_devices.mdoc.ble_events import (
    Action,
    Advertise,
    Disconnect,
    Event,
    Notify,
    RequestMtu,
    Scan,
    Subscribe,
    Subscribed,
    Write,
)
from virtual_devices.mdoc.ble_events import Discover as DiscoverAction
from virtual_devices.mdoc.ble_gatt import Characteristic, Direction, Mode, Name, Property, Side, by_uuid, characteristic

CLOSE_S = 3.0


class Wild(Stack, Protocol):
    """A stack that does besides what no right peer does."""

    async def unsubscribe(self, row: Characteristic) -> None: ...


class Values:
    """The one connection. ``make(moniker, mode, side)``: its stack, once the radio is there;
    raises StackTrouble. ``leave``: what the messages' connection is let go by."""

    def __init__(self, make: Callable[[str, Mode, Side], Awaitable[Wild]], leave: Callable[[], Awaitable[Any]]) -> None:
        self._make, self._leave = make, leave
        self._stack: Wild | None = None
        self._spec, self._mode, self._side = "", Mode.PERIPHERAL_SERVER, Side.READER
        self._events: deque[Event] = deque()
        self._news = asyncio.Event()

    async def begin(self, payload: bytes) -> bytes:
        asked = cbor2.loads(payload)
        await self._leave()
        await self.close()
        self._events.clear()
        self._spec, self._mode, self._side = asked["spec"], Mode[asked["mode"]], Side[asked["side"]]
        return await self._done(asked, self._began())

    async def do(self, payload: bytes) -> bytes:
        asked = cbor2.loads(payload)
        return await self._done(asked, self._act(asked))

    async def news(self, payload: bytes) -> bytes:
        asked = cbor2.loads(payload)
        if not self._events:
            self._news.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._news.wait(), left_s(asked))
        return told(self._taken())

    async def close(self) -> None:
        stack, self._stack = self._stack, None
        if stack is not None:
            with suppress(TimeoutError):
                await asyncio.wait_for(stack.close(), CLOSE_S)

    async def _done(self, asked: dict[str, Any], work: Awaitable[None]) -> bytes:
        try:
            async with asyncio.timeout(left_s(asked)):
                await work
        except TimeoutError:
            return told(self._taken(), "not done within the limit", Outcome.TIMED_OUT)
        except StackTrouble as e:
            return told(self._taken(), str(e))
        return told(self._taken())

    def _taken(self) -> list[Event]:
        taken = list(self._events)
        self._events.clear()
        return taken

    def _tell(self, event: Event) -> None:
        self._events.append(event)
        self._news.set()

    async def _began(self) -> None:
        self._stack = await self._make(self._spec, self._mode, self._side)
        self._stack.begin(self._tell)

    async def _act(self, asked: dict[str, Any]) -> None:
        stack = self._stack
        if stack is None:
            raise StackTrouble("there is no connection")
        act = Act(asked["act"])
        if act is Act.UNSUBSCRIBE:
            await stack.unsubscribe(self._row(asked))
            return
        if act is Act.ADVERTISE:
            stack.most_mtu = asked["mtu"]  # type: ignore[attr-defined]
        event = await stack.do(self._action(act, asked))
        if event is not None and not isinstance(event, Subscribed):
            self._tell(event)

    def _row(self, asked: dict[str, Any]) -> Characteristic:
        return characteristic(self._mode, Name(asked["name"]))

    def _action(self, act: Act, asked: dict[str, Any]) -> Action:
        match act:
            case Act.SCAN:
                return Scan(uuid.UUID(bytes=asked["service"]))
            case Act.MTU:
                return RequestMtu(asked["mtu"])
            case Act.DISCOVER:
                return DiscoverAction(uuid.UUID(bytes=asked["service"]))
            case Act.SUBSCRIBE:
                return Subscribe(self._row(asked))
            case Act.WRITE:
                return Write(self._row(asked), asked["value"])
            case Act.NOTIFY:
                return Notify(self._row(asked), asked["value"])
            case Act.ADVERTISE:
                rows = tuple(self._served(uuid.UUID(bytes=key), properties) for key, properties in asked["rows"])
                return Advertise(uuid.UUID(bytes=asked["service"]), rows, asked["ident"])
            case _:
                return Disconnect()

    def _served(self, key: uuid.UUID, properties: list[int]) -> Characteristic:
        row = by_uuid(key)
        name, way = (row.name, row.direction) if row is not None else (Name.STATE, Direction.BOTH)
        return Characteristic(self._mode, name, way, frozenset(Property(p) for p in properties), key)


__all__ = ["Values", "Wild"]
