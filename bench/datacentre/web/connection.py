"""One connection, and how long the service waits for whoever is at its other end.

uvicorn waits for ever for the rest of a request, and for a client that does not fetch its answer. Here each part of a request has
its time, which bytes that trickle in do not lengthen; whoever takes longer hears 408 where that can still be said.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any

import h11
from uvicorn.config import Config
from uvicorn.server import ServerState

from bench.datacentre.web.identity import TlsProtocol
from bench.datacentre.web.log import LOG
from bench.datacentre.web.problems import MEDIA_TYPE, Problem
from virtual_devices.pki import organisation_of

REFUSED = {408: "the request did not come in time", 503: "the service is ending: ask again when it is back"}


@dataclass(frozen=True)
class Patience:
    """Times in seconds, and numbers of connections. ``strangers``: those that have shown no certificate; when one more comes, the
    oldest of them goes. ``per_caller``: of one certificate. Over either of the others the new one is closed."""

    handshake_s: float = 10.0
    header_s: float = 10.0
    body_s: float = 60.0  # 4 MiB over a line of 1 Mbit/s take 34
    answer_s: float = 60.0
    keep_alive_s: float = 30.0
    closing_s: float = 5.0
    strangers: int = 64
    per_caller: int = 64
    connections: int = 512


class Phase(Enum):
    """What is waited for."""

    HEAD = "its header"  # from the connection, or from the first byte of a further request, on
    BODY = "its body"
    WORK = "the service"
    QUIET = "nothing"  # between two requests: uvicorn's own keep-alive


class Connection(TlsProtocol):
    """HTTP/1.1 over TLS, within :class:`Patience`. ``known`` is told of the connection's certificate (DER, empty for none), and
    says whether it may stay; ``gone``, that it has ended."""

    def __init__(
        self, config: Config, state: ServerState, patience: Patience, known: Callable[[Connection, bytes], bool],
        gone: Callable[[Connection], None],
    ) -> None:
        super().__init__(config, state, {})
        self._patience, self._known, self._gone = patience, known, gone
        self._phase = Phase.QUIET
        self._until: asyncio.TimerHandle | None = None
        self._unread: asyncio.TimerHandle | None = None
        self.institution = ""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.institution = organisation_of(self.certificate) if self.certificate else ""
        if self._known(self, self.certificate):
            self._wait_for(Phase.HEAD)
        else:
            LOG.info("connection closed: %s has %d already", self._who, self._patience.per_caller)
            transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        for timer in (self._until, self._unread):
            if timer is not None:
                timer.cancel()
        self._gone(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._look()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._look()

    def _look(self) -> None:
        """Which part of a request is being waited for now; its time begins when it does."""
        theirs = self.conn.their_state
        if theirs is h11.SEND_BODY:
            self._wait_for(Phase.BODY)
        elif theirs is h11.IDLE:
            self._wait_for(Phase.HEAD if self.cycle is None or self._begun else Phase.QUIET)
        else:
            self._wait_for(Phase.WORK)

    @property
    def _begun(self) -> bool:
        """Something of a request has come, and its header is not whole."""
        return bool(self.conn.trailing_data[0])

    def _wait_for(self, phase: Phase) -> None:
        if phase is self._phase:
            return
        self._phase = phase
        if self._until is not None:
            self._until.cancel()
            self._until = None
        waits_s = {Phase.HEAD: self._patience.header_s, Phase.BODY: self._patience.body_s}.get(phase)
        if waits_s is not None:
            self._until = self.loop.call_later(waits_s, self._late, phase)

    def _late(self, phase: Phase) -> None:
        LOG.info("connection closed: %s did not send %s in time", self._who, phase.value)
        self._refuse(408)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._unread = self._unread or self.loop.call_later(self._patience.answer_s, self._not_fetched)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None

    def _not_fetched(self) -> None:
        LOG.info("connection closed: %s does not fetch its answer", self._who)
        self.transport.abort()

    def shutdown(self) -> None:
        """The service ends: what is being done is still answered, what has not come whole is not begun."""
        if self._phase is Phase.BODY or (self._phase is Phase.HEAD and self._begun):
            self._refuse(503)
        else:
            super().shutdown()

    def _refuse(self, status: int) -> None:
        """Answer with a problem where nothing was answered yet, and close."""
        started = self.cycle is not None and self.cycle.response_started and not self.cycle.response_complete
        if self.cycle is not None and not self.cycle.response_complete:
            self.cycle.disconnected = True  # what the application may still say is said to nobody
            self.cycle.message_event.set()
        if not started and self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            body = bytes(Problem(status, "9003" if status == 408 else "9004", detail=REFUSED[status]).response().body)
            headers = [("Content-Type", MEDIA_TYPE), ("Content-Length", str(len(body))), ("Connection", "close")]
            said: tuple[Any, ...] = (h11.Response(status_code=status, headers=headers), h11.Data(body), h11.EndOfMessage())
            self.transport.write(b"".join(bytes(self.conn.send(part) or b"") for part in said))
        self.transport.close()

    @property
    def _who(self) -> str:
        if not self.certificate:
            return "a client without certificate"
        return f"institution {self.institution}" if self.institution else "an officer"


__all__ = ["Connection", "Patience", "Phase"]
