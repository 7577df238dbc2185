"""The data centre of a case before a real phone: its messages come over HTTPS, and are answered as the case has it.

One address for all cases. Messages wait until the case is ready for them (:meth:`PhoneLine.serve`). A request that is not to be
answered is left open until the phone has had enough, and that is how long it waits.
"""

from __future__ import annotations

import asyncio
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bench.clock import WallClock
from bench.datacentre import credentials
from bench.presenters.http import Server
from bench.reach import asgi
from bench.reach.served import Served
from virtual_devices.link import Link
from virtual_devices.pki import Authority

PATH = "/v1/messages/phone"
AS = "officer"
"""Whose certificate a connection has: the app's operator's. Nothing hangs on it: a phone proves itself in the message."""
HOSTS = ("localhost", "127.0.0.1")
PATIENCE_S = 20.0
"""A phone that waits longer than that for an answer that does not come is left."""
LOOK_S = 0.02
MOST_BYTES = 1 << 20
COSE = b'application/cose; cose-type="cose-sign1"'


@dataclass
class Asked:
    """One request. ``waited_s``: how long the phone waited for an answer that did not come, once ``left``."""

    message: bytes
    answer: asyncio.Future[bytes | None]
    loop: asyncio.AbstractEventLoop
    left: threading.Event = field(default_factory=threading.Event)
    waited_s: float = PATIENCE_S

    def answered(self, answer: bytes | None) -> None:
        """None: nothing is said."""
        self.loop.call_soon_threadsafe(lambda: None if self.answer.done() else self.answer.set_result(answer))


class PhoneLine:
    """``url``; ``credentials``: a directory with what a phone's connection needs. Raises LinkError when it cannot be served."""

    def __init__(self, seed: int, host: str = "127.0.0.1", port: int = 0) -> None:
        self._folder = TemporaryDirectory(prefix="vhc-bench-line-")
        self.credentials = Path(self._folder.name)
        files = credentials.write(self.credentials, Authority(f"line {seed}", WallClock().now_ns()), HOSTS)
        self._asked: queue.Queue[Asked] = queue.Queue()

        async def hears(scope: dict[str, Any], receive: Any, send: Any) -> None:
            await self._hears(scope, receive, send)

        server = Server(hears, host, port, ca=files["ca"], certificate=files["service"], key=files["service-key"])
        self.url = f"https://localhost:{server.port}{PATH}"
        self._served = Served(server, f"the phone's data centre at {self.url}")

    def serve(self, line: Link, over: Callable[[], bool], limit_s: float) -> bool:
        """Answer as that line does until it is ``over``; False when it is not over within the limit. What the line raises (an
        expectation that does not hold) passes through, and the phone is left without an answer."""
        until_s = time.monotonic() + limit_s
        while not over():
            if time.monotonic() > until_s:
                return False
            try:
                asked = self._asked.get(timeout=LOOK_S)
            except queue.Empty:
                continue
            if not asked.left.is_set():  # else it was of a case before, or has been given up
                self._answer(line, asked)
        return True

    def _answer(self, line: Link, asked: Asked) -> None:
        try:
            reply = line.attempt(asked.message, 0.0).reply
        except BaseException:
            asked.answered(None)
            raise
        asked.answered(reply)
        if reply is None and asked.left.wait(PATIENCE_S + LOOK_S):
            waits_s: list[float] = getattr(line, "waits_s", [0.0])
            waits_s[-1] = float(round(asked.waited_s))  # the way itself takes part of a second

    async def _hears(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        body = await asgi.body(receive, MOST_BYTES)
        if scope["method"] != "POST" or scope["path"] != PATH or body is None:
            await _say(send, 404, b"")
            return
        loop = asyncio.get_running_loop()
        asked = Asked(body, loop.create_future(), loop)
        began_s = time.monotonic()
        self._asked.put(asked)
        gone = asyncio.ensure_future(asgi.gone(receive))
        try:
            await asyncio.wait((asked.answer, gone), return_when=asyncio.FIRST_COMPLETED, timeout=PATIENCE_S)
            answer = asked.answer.result() if asked.answer.done() else None
            if answer is not None:
                await _say(send, 200, answer)
                return
            await asyncio.wait((gone,), timeout=max(0.0, began_s + PATIENCE_S - time.monotonic()))
            asked.waited_s = time.monotonic() - began_s
        finally:
            asked.left.set()
            gone.cancel()

    def close(self) -> None:
        self._served.stop()
        self._folder.cleanup()


async def _say(send: Any, status: int, body: bytes) -> None:
    headers = [(b"content-type", COSE), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


__all__ = ["AS", "PATIENCE_S", "PhoneLine"]
