"""The data centre that breaks when a test says so: what stands behind ``place("network", ...)``."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path
from typing import Any

from bench.clock import WallClock
from bench.datacentre import credentials
from bench.datacentre.web.conformance import ForConformance
from bench.presenters.http import Server

from .broken_devices import FAULT, LONG, NOISE, Fault, read_fault


class BrokenService:
    """The data centre (ASGI) that breaks where messages come in."""

    def __init__(self, sound: Any, file: Path) -> None:
        self._sound, self._file = sound, file

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        fault = read_fault(self._file)[0] if "/messages/" in scope.get("path", "") else None
        while read_fault(self._file)[0] is Fault.HANG is fault:
            await asyncio.sleep(0.02)
        match fault:
            case None | Fault.HANG:
                await self._sound(scope, receive, send)
            case Fault.DEATH:
                os.kill(os.getpid(), signal.SIGKILL)
            case Fault.SILENCE:  # a service says so in the words of HTTP
                await self._say(send, 503, b"")
            case Fault.NOISE:
                await self._say(send, 200, NOISE)
            case Fault.ENDLESS:
                await self._say(send, 200, bytes(LONG), more=True)
                while read_fault(self._file)[0] is Fault.ENDLESS:
                    await send({"type": "http.response.body", "body": bytes(LONG), "more_body": True})

    async def _say(self, send: Any, status: int, body: bytes, *, more: bool = False) -> None:
        await send({"type": "http.response.start", "status": status, "headers": [(b"content-type", b"application/cose")]})
        await send({"type": "http.response.body", "body": body, "more_body": more})


def serve(port: int, folder: Path) -> None:
    clock = WallClock()
    authority = credentials.own_authority(folder, clock.now_ns())
    files = credentials.write(folder / "credentials", authority, ["127.0.0.1"])
    app = BrokenService(ForConformance(authority, 1, clock), folder / FAULT)
    Server(app, "127.0.0.1", port, ca=files["ca"], certificate=files["service"], key=files["service-key"]).run()


__all__ = ["serve"]
