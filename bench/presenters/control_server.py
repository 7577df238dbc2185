"""The presenter's side of its control channel (:mod:`bench.presenters.control` has the messages)."""

from __future__ import annotations

import os
import select
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import cbor2

from bench.presenters.control import (
    ANSWER_LIMIT_S,
    FRAME_LIMIT_BYTES,
    HEAD,
    LEASE,
    LENT,
    NO_LEASE,
    RELEASE,
    Message,
    framed,
    runtime_dir,
)
from bench.presenters.images import FILE_NAME
from virtual_devices.errors import LinkError, UsageError

Respond = Callable[[Message], bool]
"""Answers one request; True when the answer went out to somebody who still waited."""


class Polled(Protocol):
    """Where descriptors are put that a presenter's own loop waits for: ``select.poll``, or what an event loop has instead."""

    def register(self, fd: int, eventmask: int, /) -> None: ...

    def unregister(self, fd: int, /) -> None: ...


@dataclass(slots=True)
class _Client:
    """One connection. ``due_s``: when it is closed unless a whole frame has come; None while a request is under way, or a lease.
    """

    socket: socket.socket
    due_s: float | None
    data: bytearray = field(default_factory=bytearray)


class ControlServer:
    """The presenter's side, without a thread: the presenter's own poll loop calls :meth:`ready`, and :meth:`tidy` in time.

    ``handle(request, respond)`` must call ``respond`` once, now or later. ``state_folder`` is made beside the socket. While one
    client has a lease, which ``handle`` grants, all others are refused; one whose client has gone is ended by a ``release`` that
    nobody waits for.
    """

    def __init__(self, name: str, folder: Path | None = None) -> None:
        if not FILE_NAME.fullmatch(name):
            raise UsageError(f"presenter name {name!r}: letters, digits, '-', '_', '.' are possible")
        self._name = name
        self._folder = folder
        self._listener: socket.socket | None = None
        self._clients: dict[int, _Client] = {}
        self._lessee: _Client | None = None
        self._poll: Polled = select.poll()
        self._handle: Callable[[Message, Respond], None] = _refuse
        self.path = Path()
        self.state_folder = Path()

    def open(self, poll: Polled, handle: Callable[[Message, Respond], None]) -> None:
        """Start to listen. LinkError when a live presenter has the name already."""
        folder = self._folder or runtime_dir()
        self.path = folder / f"{self._name}.sock"
        self.state_folder = folder / f"{self._name}.state"
        self.state_folder.mkdir(mode=0o700, exist_ok=True)
        listener = socket.socket(socket.AF_UNIX)
        try:
            self._bind(listener)
        except BaseException:
            listener.close()
            raise
        self._listener, self._poll, self._handle = listener, poll, handle
        poll.register(listener.fileno(), select.POLLIN)

    def _bind(self, listener: socket.socket) -> None:
        with socket.socket(socket.AF_UNIX) as probe:
            if self.path.exists() and probe.connect_ex(str(self.path)) == 0:
                raise LinkError(f"a presenter named {self._name!r} runs already ({self.path}): stop it, or give another name")
        self.path.unlink(missing_ok=True)
        before = os.umask(0o177)  # the socket is never there with another mode than 0600
        try:
            listener.bind(str(self.path))
        except OSError as error:
            raise LinkError(f"cannot listen at {self.path}: {error}") from error
        finally:
            os.umask(before)
        listener.listen(8)
        listener.setblocking(False)

    def ready(self, fd: int) -> bool:
        """Deal with a readable descriptor; False when it is none of ours."""
        if self._listener is not None and fd == self._listener.fileno():
            connection, _ = self._listener.accept()
            connection.settimeout(ANSWER_LIMIT_S)
            self._clients[connection.fileno()] = _Client(connection, time.monotonic() + ANSWER_LIMIT_S)
            self._poll.register(connection.fileno(), select.POLLIN)
            return True
        if fd not in self._clients:
            return False
        client = self._clients[fd]
        try:
            part = client.socket.recv(1 << 16)
        except OSError:
            part = b""
        client.data += part
        if part:
            self._frame(fd, client)
        else:
            self._drop(fd)
        return True

    def _frame(self, fd: int, client: _Client) -> None:
        """Answer the frame that has come, once it is whole."""
        if len(client.data) < HEAD.size:
            return
        end = HEAD.size + HEAD.unpack_from(client.data)[0]
        if end > FRAME_LIMIT_BYTES:
            _answer(client.socket, {"error": f"a frame has at most {FRAME_LIMIT_BYTES} bytes"})
            self._drop(fd)
        elif len(client.data) >= end:
            request = bytes(client.data[HEAD.size : end])
            del client.data[:end]
            self._request(client, request)

    def _request(self, client: _Client, request: bytes) -> None:
        try:
            message = cbor2.loads(request)
        except (cbor2.CBORDecodeError, ValueError):
            message = None
        op = message.get("op") if isinstance(message, dict) else None

        def respond(answer: Message) -> bool:
            if op == LEASE and "error" not in answer:
                self._lessee = client
            client.due_s = None if client is self._lessee else time.monotonic() + ANSWER_LIMIT_S
            return _answer(client.socket, answer)

        if not isinstance(message, dict):
            respond({"error": "the request is not a CBOR map"})
        elif self._refuses(client, op):
            respond({"error": NO_LEASE if op == RELEASE else LENT})
        else:
            client.due_s = None
            self._lessee = None if op == RELEASE else self._lessee
            self._handle(message, respond)

    def _refuses(self, client: _Client, op: object) -> bool:
        if op == RELEASE:
            return client is not self._lessee
        return self._lessee is not None and op != "status" and (client is not self._lessee or op == LEASE)

    def tidy(self) -> float | None:
        """Close the connections on which no whole frame came in time; how many seconds until the next is due."""
        now_s = time.monotonic()
        for fd, client in list(self._clients.items()):
            if client.due_s is not None and now_s >= client.due_s:
                if client.data:
                    _answer(client.socket, {"error": f"no whole frame within {ANSWER_LIMIT_S:g} s"})
                self._drop(fd)
        return min((c.due_s - now_s for c in self._clients.values() if c.due_s is not None), default=None)

    def _drop(self, fd: int) -> None:
        client = self._clients.pop(fd)
        self._poll.unregister(fd)
        client.socket.close()
        if client is self._lessee:
            self._lessee = None
            self._handle({"op": RELEASE}, _nobody)

    def close(self) -> None:
        """Stop listening and remove the socket; the state folder stays."""
        self._lessee = None
        for fd in list(self._clients):
            self._drop(fd)
        if self._listener is not None:
            self._poll.unregister(self._listener.fileno())
            self.path.unlink(missing_ok=True)  # first: once nobody listens, the path may be the next one's
            self._listener.close()
            self._listener = None


def _answer(client: socket.socket, answer: Message) -> bool:
    """False when the client did not wait; what it asked for has been done all the same."""
    try:
        client.sendall(framed(answer))
    except OSError:
        return False
    return True


def _nobody(answer: Message) -> bool:
    del answer
    return False


def _refuse(request: Message, respond: Respond) -> None:
    respond({"error": "nobody is listening yet"})


__all__ = ["ControlServer", "Polled", "Respond"]
