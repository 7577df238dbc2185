"""Where connections come in: TLS with whoever asks, and room for those who have not said who they are kept small.

A client that opens many connections and says nothing takes the places of others of its kind only: when one more comes without
certificate, the oldest such goes. uvicorn knows a connection after its handshake only, so this takes them itself.
"""

from __future__ import annotations

import asyncio
import hashlib
import socket
import ssl
from collections import Counter
from collections.abc import Callable

from bench.datacentre.web.connection import Connection, Patience
from bench.datacentre.web.log import LOG

BACKLOG, PAUSE_S, FAREWELL_S = 512, 0.1, 2.0
Made = Callable[[Callable[[Connection, bytes], bool], Callable[[Connection], None]], Connection]


class Door:
    """A listening socket, ended by uvicorn like a server of its own. ``made`` makes a protocol from two callbacks."""

    def __init__(self, listening: socket.socket, tls: ssl.SSLContext, patience: Patience, made: Made) -> None:
        self._listening, self._tls, self._patience, self._made = listening, tls, patience, made
        self._greeting: dict[Connection, asyncio.Task[None]] = {}
        self._strangers: dict[Connection, None] = {}
        """In the order of coming; a certificate that was shown takes one out."""
        self._callers: dict[Connection, bytes] = {}
        self._of: Counter[bytes] = Counter()

    def open(self) -> None:
        """Begin to take connections, within a running loop."""
        self._listening.setblocking(False)
        self._listening.listen(BACKLOG)
        self._accepting = asyncio.get_running_loop().create_task(self._accept())

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                came, _ = await loop.sock_accept(self._listening)
            except OSError as error:  # too many files are open: some will be closed
                LOG.warning("a connection could not be taken: %s", error.strerror)
                await asyncio.sleep(PAUSE_S)
                continue
            if len(self._strangers) + len(self._callers) >= self._patience.connections:
                LOG.warning("connection closed: there are %d already", self._patience.connections)
                came.close()
                continue
            self._admit(came)

    def _admit(self, came: socket.socket) -> None:
        connection = self._made(self._known, self._gone)
        self._strangers[connection] = None
        self._greeting[connection] = asyncio.get_running_loop().create_task(self._greet(connection, came))
        if len(self._strangers) > self._patience.strangers:
            LOG.info("connection closed: the oldest of %d without certificate", self._patience.strangers)
            self._drop(next(iter(self._strangers)))

    async def _greet(self, connection: Connection, came: socket.socket) -> None:
        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                lambda: connection, came, ssl=self._tls, ssl_handshake_timeout=self._patience.handshake_s,
                ssl_shutdown_timeout=FAREWELL_S,
            )
        except OSError as error:
            LOG.info("connection refused: %s", _why(error))
            self._gone(connection)
        finally:
            self._greeting.pop(connection, None)

    def _drop(self, connection: Connection) -> None:
        self._strangers.pop(connection, None)
        greeting = self._greeting.get(connection)
        if greeting is not None:
            greeting.cancel()
        elif connection.transport is not None:
            connection.transport.abort()

    def _known(self, connection: Connection, certificate: bytes) -> bool:
        """Whether a connection may stay."""
        if not certificate:
            return connection in self._strangers
        self._strangers.pop(connection, None)
        name = hashlib.sha256(certificate).digest()
        if self._of[name] >= self._patience.per_caller:
            return False
        self._callers[connection] = name
        self._of[name] += 1
        return True

    def _gone(self, connection: Connection) -> None:
        self._strangers.pop(connection, None)
        name = self._callers.pop(connection, None)
        if name is not None:
            self._of[name] -= 1
            if not self._of[name]:
                del self._of[name]

    def close(self) -> None:
        """No further connections; handshakes that are under way are broken off."""
        self._accepting.cancel()
        self._listening.close()
        for greeting in list(self._greeting.values()):
            greeting.cancel()

    async def wait_closed(self) -> None:
        """Until nothing is left of those."""
        await asyncio.gather(self._accepting, *self._greeting.values(), return_exceptions=True)


def _why(error: OSError) -> str:
    """Why a handshake failed, without anything that the other side said of itself."""
    match error:
        case ssl.SSLCertVerificationError():
            return f"the client certificate is not accepted: {error.verify_message}"
        case ssl.SSLError():
            return f"no TLS: {(error.reason or 'broken off').replace('_', ' ').lower()}"
        case TimeoutError() | ConnectionAbortedError():
            return "no TLS: the client did not shake hands in time"
    return "no TLS: broken off by the client"


__all__ = ["Door"]
