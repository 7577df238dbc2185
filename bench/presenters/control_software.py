"""The control software in front of others' programs: three faces on loopback, over one counter.

    kit     HTTP,  port 3033: the virtual card's software kit (VHC/..., QRCodeReader/uploadqrcode)
    local   HTTPS, port 5066: control software 6.0 on the desk; the certificate is self-signed and made at each start
    cloud   HTTPS, port 5067: the 6.0 calls of the data centre, and two paths of the bench for what a phone would do; not where
            the data centre is another service

The calls of manual 3.3 are on the local face, below :data:`CALLS`. Ports 3033 and 5066 and the paths are the field's (public),
the third port is the bench's. Calls take turns: one desk, one card. A page in a browser is refused unless its origin was allowed:
what the field's component does is not known.
"""

from __future__ import annotations

import asyncio
import json
import logging
import signal
import socket
import ssl
import threading
import time
from collections.abc import Callable, Collection, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType
from typing import Any, Protocol

import uvicorn
from fastapi import FastAPI, Request, Response
from starlette.exceptions import HTTPException

from bench.presenters.certificate import self_signed
from bench.presenters.turns import Busy, Late, Turns
from virtual_devices.clock import Clock
from virtual_devices.cloud.cs60 import Cloud60
from virtual_devices.codes import Space, lookup
from virtual_devices.errors import LinkError
from virtual_devices.flow import Flow
from virtual_devices.reader import cs60, sdk
from virtual_devices.reader.cshis import FUNCTIONS, ControlSoftware, perform
from virtual_devices.reader.sdk import VirtualCardSdk

LOG = logging.getLogger("vhc_bench.control_software")
KIT_PORT, LOCAL_PORT, CLOUD_PORT = 3033, 5066, 5067
BODY_BYTES = 256 << 10
MOST_CONNECTIONS, CLOSING_S = 64, 2
LOOPBACK = frozenset({"127.0.0.1", "localhost", "[::1]"})
NO_ANSWER = {"kit": {"ERRORCODE": "4000"}, "local": {"statusCode": "1202"}, "cloud": {"statusCode": "1700"}}
"""What an asker hears when the desk has not answered in time, or too many wait."""
LATE = {"code": "4000", "out": {}}
"""The same, of a call of manual 3.3."""
MALFORMED = {"kit": {"ERRORCODE": "1704"}, "local": {"statusCode": "1704"}, "cloud": {"statusCode": "1704"}}
UNKNOWN_PATH = "1701"
CALLS = "/bench/v1/call"
"""Where the calls of manual 3.3 are, which in the field are a library's: a path of the bench's own, each call by its name."""
Answer = Mapping[str, Any]
Work = Callable[[Any], Answer]


class Counter(Protocol):
    """One desk, and all that it speaks to (:class:`bench.counter.Counter`)."""

    @property
    def software(self) -> ControlSoftware: ...
    @property
    def kit(self) -> VirtualCardSdk: ...
    @property
    def component(self) -> cs60.LocalComponent: ...
    @property
    def cloud(self) -> Cloud60 | None: ...
    @property
    def clock(self) -> Clock: ...
    def run(self, flow: Flow[Any]) -> Any: ...
    def token(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Guard:
    """Who may ask: programs of this computer, and pages of these origins."""

    origins: frozenset[str] = frozenset()

    def refuses(self, host: str, origin: str | None) -> bool:
        """A name that is not loopback's is a page that had its address changed behind the browser's back."""
        name = host.rsplit(":", 1)[0] if not host.endswith("]") else host
        return name not in LOOPBACK or (origin is not None and origin not in self.origins)


class Face:
    """One face as an application: its paths, each a call that takes its turn."""

    def __init__(self, name: str, turns: Turns, guard: Guard) -> None:
        self.name, self._turns, self._guard = name, turns, guard
        self.app = FastAPI(title=f"vhc-bench control software: {name}", openapi_url=None, docs_url=None, redoc_url=None)
        self.app.middleware("http")(self._guarded)
        self.app.add_exception_handler(HTTPException, self._unknown)
        self.last: dict[str, Answer] = {}
        """The last answer of paths that are answered from memory while the desk is busy."""

    def add(self, method: str, path: str, work: Work, *, from_memory: bool = False, late: Answer | None = None) -> None:
        """``late``: what an asker hears that waited in vain, where it is not what the face says else."""
        async def handle(request: Request) -> Response:
            if from_memory and self._turns.busy and path in self.last:
                return self._reply(method, path, self.last[path], time.perf_counter())
            began = time.perf_counter()
            body = await _body(request)
            if body is _BAD:
                return self._reply(method, path, MALFORMED[self.name], began)
            try:
                answer = await self._turns.take(lambda: work(body))
            except (Busy, Late):
                return self._reply(method, path, late or NO_ANSWER[self.name], began)
            if from_memory:
                self.last[path] = answer
            return self._reply(method, path, answer, began)

        self.app.add_api_route(path, handle, methods=[method])

    def _reply(self, method: str, path: str, answer: Answer, began: float) -> Response:
        code = answer.get("ERRORCODE") or answer.get("statusCode") or answer.get("code") or ""
        LOG.info("%s %s %s -> %s, %.1f ms", self.name, method, path, _said(code), (time.perf_counter() - began) * 1e3)
        return _json(200, answer)

    async def _unknown(self, request: Request, error: Exception) -> Response:
        """No such path, or not by that method."""
        field = "ERRORCODE" if self.name == "kit" else "statusCode"
        return _json(getattr(error, "status_code", 404), {field: UNKNOWN_PATH})

    async def _guarded(self, request: Request, call_next: Callable[[Request], Any]) -> Response:
        origin = request.headers.get("origin")
        if self._guard.refuses(request.headers.get("host", ""), origin):
            LOG.info("%s refused: a page of an origin that was not allowed, or a name that is not loopback's", self.name)
            return _json(403, {"error": "this origin or host is not allowed; see --allow-origin"})
        if request.method == "OPTIONS" and origin is not None:
            response = Response(status_code=204)
            response.headers["Access-Control-Allow-Methods"] = "GET, POST, PUT, DELETE"
            response.headers["Access-Control-Allow-Headers"] = "content-type"
        else:
            response = await call_next(request)
        if origin is not None:
            response.headers["Access-Control-Allow-Origin"] = origin
            response.headers["Vary"] = "Origin"
        return response


def _said(code: str) -> str:
    """A code with its words, English and Chinese, from whichever of the two spaces has it."""
    if not code:
        return "answered"
    found = lookup(code, Space.VHC)
    return str(found if found.known else lookup(code, Space.CSHIS))


_BAD = object()


async def _body(request: Request) -> Any:
    """The JSON of the body, an empty object for none; :data:`_BAD` for what is no JSON or too long."""
    raw = b""
    async for part in request.stream():
        raw += part
        if len(raw) > BODY_BYTES:
            return _BAD
    if not raw.strip():
        return {}
    try:
        return json.loads(raw)
    except (ValueError, RecursionError):
        return _BAD


def _json(status: int, answer: Answer) -> Response:
    return Response(json.dumps(answer, ensure_ascii=False).encode(), status, media_type="application/json")


def faces(
    counter: Counter, turns: Turns, guard: Guard, more: Mapping[str, Work] = MappingProxyType({}),
) -> dict[str, Face]:
    """The three of them. Every path of the facts is there. ``more``: further paths of the kit's face."""
    found = {name: Face(name, turns, guard) for name in ("kit", "local")}
    for path in sdk.endpoints():
        found["kit"].add("POST", f"/{path}", lambda body, path=path: counter.run(sdk.answer(counter.kit, path, body)))  # type: ignore[misc]
    for path, further in more.items():
        found["kit"].add("POST", path, further)
    for method, path in cs60.endpoints():

        def work(body: Any, method: str = method, path: str = path) -> Answer:
            answer: Answer = counter.run(cs60.answer(counter.component, method, path, body))
            return answer

        found["local"].add(method, path, work, from_memory=method == "GET")
    for name in FUNCTIONS:
        found["local"].add("POST", f"{CALLS}/{name}", lambda body, name=name: called(counter, name, body), late=LATE)  # type: ignore[misc]
    if counter.cloud is not None:
        found["cloud"] = _cloud(Face("cloud", turns, guard), counter, counter.cloud)
    return found


def _cloud(face: Face, counter: Counter, cloud: Cloud60) -> Face:
    for path in cloud.paths:
        face.add("POST", path, lambda body, path=path: cloud.answer(path, body, counter.clock.now_ns()))  # type: ignore[misc]
    face.add("POST", "/bench/v1/phone/token", lambda _: {"statusCode": "0", "token": counter.token()})
    face.add("POST", "/bench/v1/phone/consent", lambda body: _consent(cloud, body))
    return face


def called(counter: Counter, name: str, body: Any) -> Answer:
    """A call of manual 3.3 as JSON: ``arguments`` by the names of the prototype, texts and buffers in hex, numbers as they are.
    ``code``, and ``out``: what was put into the arguments, likewise."""
    function, given = FUNCTIONS[name], body.get("arguments", {}) if isinstance(body, Mapping) else None
    if not isinstance(given, Mapping) or given.keys() != {a.name for a in function.arguments}:
        names = ", ".join(a.name for a in function.arguments)
        return {**MALFORMED["local"], "error": f"arguments: an object with {names or 'nothing in it'}"}
    try:
        taken = {a.name: bytes.fromhex(given[a.name]) if a.is_text else int(given[a.name]) for a in function.arguments}
    except (TypeError, ValueError):
        return {**MALFORMED["local"], "error": "arguments: texts and buffers in hex, the others numbers"}
    reply = counter.run(perform(counter.software, name, taken))
    return {"code": reply.code, "out": {k: v.hex() if isinstance(v, bytes) else v for k, v in reply.out.items()}}


def _consent(cloud: Cloud60, body: Any) -> Answer:
    """The holder answers a request from afar in the app: ``accessToken``, ``agreed``."""
    if not isinstance(body, Mapping) or not isinstance(body.get("agreed"), bool):
        return MALFORMED["cloud"]
    known = cloud.answer_consent(str(body.get("accessToken", "")), body["agreed"])
    return {"statusCode": "0" if known else "3237"}


class _Quiet(uvicorn.Server):
    """A server that leaves signals to whoever started it."""

    @contextmanager
    def capture_signals(self) -> Any:
        yield


class ControlSoftwareServer:
    """All faces on one address of loopback. ``ports``: by face; 0 takes any that is free. Raises LinkError when one is taken."""

    def __init__(
        self, counter: Counter, turns: Turns, host: str = "127.0.0.1", ports: Mapping[str, int] | None = None,
        origins: Collection[str] = (), more: Mapping[str, Work] = MappingProxyType({}),
    ) -> None:
        served = faces(counter, turns, Guard(frozenset(origins)), more)
        usual = {"kit": KIT_PORT, "local": LOCAL_PORT, "cloud": CLOUD_PORT}
        wanted = {name: (ports or {}).get(name, usual[name]) for name in served}
        self._turns = turns
        self._sockets: dict[str, socket.socket] = {}
        self._servers: dict[str, _Quiet] = {}
        try:
            for name in wanted:
                self._sockets[name] = _bound(host, wanted[name])
        except LinkError:
            self._close()
            raise
        self.urls = {
            name: f"{'http' if name == 'kit' else 'https'}://{f'[{host}]' if ':' in host else host}:{sock.getsockname()[1]}"
            for name, sock in self._sockets.items()
        }
        with TemporaryDirectory(prefix="vhc-bench-") as folder:
            self.certificate = self_signed(Path(folder), [host, "localhost"])
            for name, face in served.items():
                secure = name != "kit"
                config = uvicorn.Config(
                    face.app, ws="none", lifespan="off", access_log=False, log_level="warning", server_header=False,
                    limit_concurrency=MOST_CONNECTIONS, timeout_graceful_shutdown=CLOSING_S,
                    ssl_certfile=str(Path(folder) / "certificate.pem") if secure else None,
                    ssl_keyfile=str(Path(folder) / "key.pem") if secure else None,
                )
                config.load()
                if config.ssl is not None:
                    config.ssl.minimum_version = ssl.TLSVersion.TLSv1_2
                self._servers[name] = _Quiet(config)

    def run(self, started: Callable[[], None] = lambda: None) -> None:
        """Serve until :meth:`stop`, or SIGINT or SIGTERM in the main thread."""
        try:
            asyncio.run(self._serve(started))
        finally:
            self._turns.close()
            self._close()

    async def _serve(self, started: Callable[[], None]) -> None:
        if threading.current_thread() is threading.main_thread():
            loop = asyncio.get_running_loop()
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.add_signal_handler(number, self.stop)
        serving = [asyncio.ensure_future(server.serve([self._sockets[name]])) for name, server in self._servers.items()]
        while not all(server.started for server in self._servers.values()) and not any(task.done() for task in serving):
            await asyncio.sleep(0.01)
        if all(server.started for server in self._servers.values()):
            started()
        await asyncio.gather(*serving)

    def stop(self) -> None:
        for server in self._servers.values():
            server.should_exit = True

    def _close(self) -> None:
        for sock in self._sockets.values():
            sock.close()


def _bound(host: str, port: int) -> socket.socket:
    made = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        made.bind((host, port))
    except OSError as e:
        made.close()
        raise LinkError(f"{host}:{port} cannot be served: {e.strerror}; choose another port, or 0 for any") from None
    return made


__all__ = ["CLOUD_PORT", "KIT_PORT", "LOCAL_PORT", "LOG", "ControlSoftwareServer", "Guard", "faces"]
