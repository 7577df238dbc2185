"""A bad line on loopback: a proxy that carries TCP to a service as a modelled line would, and strikes with the same faults.

It sees bytes, not messages (they are encrypted): a *flight* of the client, everything that it sends before it is answered, stands
for a request. TCP loses nothing: a lost packet costs the time of its retransmission, a lost request leaves the connection silent.
What a proxy cannot do (a name that is not resolved, clocks that differ) is refused by name.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass
from random import Random
from typing import Any

from virtual_devices.clock import NS, Clock
from virtual_devices.errors import LinkError, UsageError
from virtual_devices.faults import Fault, Injector
from virtual_devices.network import LossState, Network

ROLE = "cloud"
CHUNK_BYTES, QUEUED = 16 << 10, 64
RETRANSMISSION_NS = NS // 5
"""The first retransmission timeout of TCP in Linux (RFC 6298 asks for a second at least; systems take 200 ms)."""
ELSEWHERE = {
    "dns": "a name is the client's affair: give it a name that does not exist, such as data-centre.invalid",
    "clock_skew": "a clock is the service's affair: vhc-bench present http --clock-ahead SECONDS",
    "tear": "there is no card on this line",
}
_MUTE = frozenset({"loss_before", "half_open", "hang", "outage"})  # the client speaks into the void
_DEAF = _MUTE | {"loss_after"}  # it hears nothing either


@dataclass(frozen=True, slots=True)
class Struck:
    """A fault struck a connection. ``connection`` counts from 1."""

    at_ns: int
    connection: int
    fault: Fault


class BadLine:
    """Carries connections from ``port`` (0: any free) to ``target``. ``told`` hears of every stroke.

    Raises UsageError for a fault that a proxy cannot make, or ``tls_expired`` without ``expired``: the TLS side with a
    certificate out of date.
    """

    def __init__(
        self, target: tuple[str, int], network: Network, faults: Sequence[Fault], rng: Random, clock: Clock, midnight_ns: int, *,
        host: str = "127.0.0.1", port: int = 0, expired: ssl.SSLContext | None = None,
        told: Callable[[Struck], None] = lambda _: None,
    ) -> None:
        mine = [fault for fault in faults if fault.on == ROLE]
        for fault in mine:
            if fault.kind in ELSEWHERE:
                raise UsageError(f"fault {fault.id!r} ({fault.kind}) is not made by a line: {ELSEWHERE[fault.kind]}")
            if fault.kind == "tls_expired" and expired is None:
                raise UsageError(f"fault {fault.id!r} ({fault.kind}) needs the data centre's own authority: name its directory")
        self._target, self._network, self._rng, self._clock = target, network, rng, clock
        self._injector = Injector(mine, midnight_ns, Random(rng.getrandbits(64)))
        self._loss = LossState(network.loss, Random(rng.getrandbits(64)))
        self._expired, self._told, self._connections = expired, told, 0
        self._listening = _listen(host, port)
        self.port = int(self._listening.getsockname()[1])
        self._tasks: set[asyncio.Task[None]] = set()

    async def serve(self, started: Callable[[], None] = lambda: None) -> None:
        """Until cancelled."""
        server = await asyncio.start_server(self._connected, sock=self._listening)
        started()
        try:
            await server.serve_forever()
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections += 1
        one = _Connection(self, self._connections)
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            await one.carry(reader, writer, *self._target)
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            self._tasks.discard(task)
            writer.transport.abort()

    # -- what a connection asks its line

    def strike(self, connection: int, kinds: frozenset[str] | None = None) -> Fault | None:
        """The fault that strikes this flight, if one does. ``kinds``: only these."""
        fault = self._injector.pick(ROLE, "", self._clock.now_ns())
        if fault is None or (kinds is not None and fault.kind not in kinds):
            return None
        self._told(Struck(self._clock.now_ns(), connection, fault))
        return fault

    def down(self) -> bool:
        """Whether an outage is in force."""
        return self._injector.outage_at(ROLE, self._clock.now_ns()) is not None

    def spoken(self) -> None:
        self._injector.spoken(ROLE, self._clock.now_ns())

    def wire_ns(self, size_bytes: int) -> int:
        """How long these bytes occupy one way of the line: others wait until they are on it."""
        return round(size_bytes * 8 / self._network.bandwidth_kbit_s * 1e6)

    def way_ns(self) -> int:
        """How long what is on the line is under way: latency, and a retransmission for each time that it is lost."""
        at_ns, wait_ns, again_ns = self._clock.now_ns(), 0, RETRANSMISSION_NS
        while self._loss.lost(at_ns + wait_ns) and again_ns < 60 * NS:
            wait_ns += again_ns
            again_ns *= 2
        return wait_ns + self._network.one_way.draw_ns(self._rng)

    @property
    def expired(self) -> ssl.SSLContext | None:
        return self._expired


class _Connection:
    """One client's connection, both ways."""

    def __init__(self, line: BadLine, number: int) -> None:
        self._line = line
        self._number = number
        self._fault: Fault | None = None
        self._answered = True  # the next bytes of the client begin a flight

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, host: str, port: int) -> None:
        if self._line.down():
            await reader.read()  # nothing comes of it until the client gives up
            return
        first = await reader.read(CHUNK_BYTES)
        self._flight()
        if self._fault is not None and self._fault.kind == "tls_expired":
            await self._refuse(first, reader, writer)
            return
        there, to_service = await asyncio.open_connection(host, port)
        try:
            await _first(
                self._pump(reader, to_service, self._outward, first), self._pump(there, writer, self._homeward, b""),
            )
        finally:
            to_service.transport.abort()

    async def _refuse(self, first: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """The handshake with a certificate out of date, on our side of the line."""
        context = self._line.expired
        assert context is not None
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = context.wrap_bio(incoming, outgoing, server_side=True)
        data = first
        while data:
            incoming.write(data)
            try:
                tls.do_handshake()
            except ssl.SSLWantReadError:
                pass
            except ssl.SSLError:
                writer.write(outgoing.read())
                return
            writer.write(outgoing.read())
            await writer.drain()
            data = await reader.read(CHUNK_BYTES)

    def _flight(self) -> None:
        if self._answered:
            self._answered = False
            self._fault = self._line.strike(self._number)
        self._line.spoken()

    def _outward(self, data: bytes) -> bytes:
        """What of the client's bytes goes on."""
        self._flight()
        return b"" if self._line.down() or (self._fault is not None and self._fault.kind in _MUTE) else data

    def _homeward(self, data: bytes) -> bytes:
        self._answered = self._fault is None or self._fault.kind not in _DEAF
        self._line.spoken()
        if self._line.down() or not self._answered:
            return b""
        if self._fault is not None and self._fault.kind == "garble":
            return bytes([*data[:-1], data[-1] ^ 1])
        return data

    def _extra_ns(self, size_bytes: int) -> tuple[int, int]:
        """What a fault adds on the way home: to the time on the wire and to the way."""
        match self._fault:
            case Fault(kind="delay", extra_ms=extra_ms):
                return 0, round(extra_ms * 1e6)
            case Fault(kind="slow", kbit_s=kbit_s):
                return round(size_bytes * 8 / kbit_s * 1e6), 0
        return 0, 0

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, passed: Callable[[bytes], bytes], first: bytes,
    ) -> None:
        """One way: bytes in, and out again when the line has carried them, in their order."""
        waiting: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(QUEUED)
        loop = asyncio.get_running_loop()

        async def read() -> None:
            data, free, due = first or await reader.read(CHUNK_BYTES), 0.0, 0.0
            while data:
                goes = passed(data)
                if goes:
                    wire_ns, way_ns = self._extra_ns(len(goes)) if passed == self._homeward else (0, 0)
                    free = max(free, loop.time()) + (wire_ns + self._line.wire_ns(len(goes))) / NS
                    due = max(due, free + (way_ns + self._line.way_ns()) / NS)
                    await waiting.put((due, goes))
                data = await reader.read(CHUNK_BYTES)
            await waiting.put((due, b""))

        async def write() -> None:
            while True:
                due, data = await waiting.get()
                await asyncio.sleep(max(0.0, due - loop.time()))
                if not data:
                    return
                writer.write(data)
                await writer.drain()

        reading = asyncio.ensure_future(read())
        try:
            await write()
        finally:
            reading.cancel()
            with suppress(asyncio.CancelledError, OSError):
                await reading


async def _first(*ways: Coroutine[Any, Any, None]) -> None:
    """Until one of them ends; the others are cancelled."""
    tasks = [asyncio.ensure_future(way) for way in ways]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _listen(host: str, port: int) -> socket.socket:
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as e:
        raise LinkError(f"{host}:{port} cannot be served: {e.strerror}; choose another with --port, or 0 for any") from None


__all__ = ["BadLine", "Struck"]
