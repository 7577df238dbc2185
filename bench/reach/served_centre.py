"""Our data centre before software under test: HTTPS with client certificates, begun anew for each case, its line led by the case.

The institutions and people are those of :mod:`conformance.town`. What becomes of a request is told as in process
(:class:`conformance.references.desks.Line`): a request that is lost, or whose answer is, has its connection broken off. What a
signed answer may be spoilt by is done to signed answers; the resources' own answers (JSON) are the data centre's because the
connection is, and so one that somebody else would have given is no answer at all.

Connections have certificates of an authority of their own, and are judged by the machine's clock; messages go by the bench's.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlsplit

from fastapi import FastAPI, Request, Response

from bench.clock import WallClock
from bench.datacentre.centre import Centre
from bench.datacentre.web import problems
from bench.datacentre.web.app import create_app
from bench.datacentre.web.identity import CUT, Gate
from bench.datacentre.web.limits import Limits
from bench.datacentre.web.problems import Problem
from bench.datacentre.web.routes import messages
from bench.datacentre.web.service import Service
from bench.presenters.http import Server
from bench.reach import connections
from bench.reach.heard import DESK, told
from conformance.references.data_centre import Face, ReferenceOfficer, populate
from conformance.references.desks import Line
from conformance.town import maker
from conformance.vectors.world import World
from virtual_devices.clock import Clock, VirtualClock
from virtual_devices.cloud.books import MemoryBooks
from virtual_devices.errors import LinkError
from virtual_devices.link import DirectLink

START_S, STOP_S = 20.0, 10.0
LIMITS = Limits(burst=1_000_000, per_s=10_000.0)
"""The clock of a case may stand still: nothing is counted by it."""
ON_THE_LINE = ("/v1/", "/upload/", "/api/")
"""Paths by which an institution asks for something. ``/health`` and the description are answered whatever the line is."""
MOST_BYTES = (4 << 20) + 1
_RESOURCES = {"report": "results"}
"""What a signed answer calls something -> what a resource's answer calls it."""


def address(url: str) -> tuple[str, int]:
    """Host and port at which it is to be served. Raises LinkError for what is no such address."""
    parts = urlsplit(url)
    if parts.scheme != "https" or not parts.hostname or parts.port is None:
        raise LinkError(f"data_centre = {url!r}: https://HOST:PORT, an address of this computer")
    return "127.0.0.1" if parts.hostname == "localhost" else parts.hostname, parts.port


class ServedCentre:
    """One address, and behind it one data centre at a time. ``world``: its institutions, and the authority that it trusts;
    ``name``: all of it follows from that; ``clock``: of its messages, one of the world's moment when left out.

    ``url``; ``credentials``: a directory with ca.pem, clinic.pem, clinic.key, pharmacy.pem, pharmacy.key, which is ``directory``
    where software has been set to it before. Raises LinkError when it cannot be served.
    """

    def __init__(
        self, world: World, name: str, clock: Clock | None = None, *, host: str = "127.0.0.1", port: int = 0,
        directory: Path | None = None,
    ) -> None:
        self._folder = TemporaryDirectory(prefix="vhc-bench-centre-")
        self.credentials = directory or Path(self._folder.name)
        files, issuer = connections.write(Path(self._folder.name), world.seed, sorted({*connections.HOSTS, host}))
        if directory is not None:
            connections.write_for_software(directory, world.seed)
        self._gate = Gate(issuer, (), WallClock().now_ns)
        self._app = self.anew(world, name, clock)

        async def answered(scope: dict[str, Any], receive: Any, send: Any) -> None:
            await self._app(scope, receive, send)

        self._server = Server(answered, host, port, ca=files["ca"], certificate=files["service"], key=files["service-key"])
        self.url = f"https://localhost:{self._server.port}" if host == "127.0.0.1" else self._server.url
        started = threading.Event()
        self._thread = threading.Thread(target=self._server.run, args=(started.set,), name="served data centre", daemon=True)
        self._thread.start()
        if not started.wait(START_S):
            self.close()
            raise LinkError(f"the data centre is not served at {self.url} after {START_S:g} s")

    def anew(self, world: World, name: str, clock: Clock | None = None) -> _OnTheLine:
        """Another data centre in this one's place; who still waits for the former one's answer gets it."""
        self._app = _OnTheLine(world, name, clock or VirtualClock(world.now_ns), self._gate)
        return self._app

    # -- what a case does

    @property
    def clock(self) -> Clock:
        return self._app.clock

    @property
    def line(self) -> Line:
        """To this data centre, also of a desk of ours."""
        return self._app.line

    @property
    def officer(self) -> ReferenceOfficer:
        return self._app.officer

    def line_is(self, fates: Sequence[str], *, down: bool = False) -> None:
        """What becomes of the next requests, as :class:`Line` has it."""
        self.line.fates, self.line.down = list(fates), down

    def heard(self) -> list[bytes]:
        """Requests, as they came, since this was asked last; those to resources as a desk would have said them."""
        found, self.line.heard = self.line.heard, []
        return found

    def tell_centre(self, message: bytes) -> bytes:
        """Another institution's signed request, by a line of its own."""
        return self._app.centre.desk_message(message, self.clock.now_ns())

    def consent(self, access_token: str, agreed: bool) -> bool:
        """The holder answers a request from afar in the app. False when there is none."""
        centre = self._app.centre
        return centre.act(lambda: centre.software_60.answer_consent(access_token, agreed))

    def also_hands_out(self, record: object, chains: Sequence[Sequence[bytes]]) -> None:
        """It hands out this too, with these chains, first among the records of each prescription."""
        self.line.also = record, [list(chain) for chain in chains]

    def close(self) -> None:
        self._server.stop()
        self._thread.join(STOP_S)
        self._folder.cleanup()


class _OnTheLine:
    """The service as the ASGI application of one case, behind the line."""

    def __init__(self, world: World, name: str, clock: Clock, gate: Gate) -> None:
        self.clock = clock
        self.centre = Centre(world.authority, MemoryBooks(), world.fresh("data centre", name), maker(world).root_der)
        self.centre.act(lambda: populate(self.centre, world))
        self.officer = ReferenceOfficer(self.centre, clock)
        desk = DirectLink(Face(self.centre.desk_message), clock, channel="network")
        self.line = Line(world, desk, self.centre.issuer.data_centre)
        self._service = Service(self.centre, clock)
        self._service.gate = gate
        self._desk = _desk_only(self._service)
        self._whole: Any = None

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        app, path = self._app(scope["path"]), scope["path"]
        if not path.startswith(ON_THE_LINE) or not self._known(scope):
            await app(scope, receive, send)
            return
        body = await _body(receive)
        if body is None:  # its sender has gone, or does not come to an end
            await _hung_up(scope, receive)
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        fate = self.line.fate(told(scope["method"], path, headers, body, self.clock.now_ns()))
        if fate == "lost":
            await _hung_up(scope, receive)
            return
        answer = _Answer()
        await app(scope, _once(body, receive), answer.send)
        if fate == "reply lost" or not self._spoil(answer, path, fate):
            await _hung_up(scope, receive)
            return
        for message in answer.messages():
            await send(message)

    def _app(self, path: str) -> Any:
        """All of it is described when somebody asks for more than a desk's messages: that takes a while."""
        if path == DESK:
            return self._desk
        self._whole = self._whole or create_app(self._service, LIMITS)
        return self._whole

    def _known(self, scope: dict[str, Any]) -> bool:
        """Whether it is an institution that asks; who else does is refused by the service, and not heard."""
        try:
            return bool(self._service.gate.caller(Request(scope)).institution)
        except Problem:
            return False

    def _spoil(self, answer: _Answer, path: str, fate: str) -> bool:
        """The answer as it arrives. False: there is none."""
        if path == DESK:
            if answer.status == 200:
                answer.body = self.line.spoilt(answer.body, fate)
            return True
        if not fate:
            return True
        match fate.split(" "):
            case ["noise"]:
                answer.become(Response(b"\x81" * 999, media_type="application/json"))
            case ["refuses" | "says", code]:
                answer.become(_refusal(path, code))
            case ["without" | "odd" | "words" as how, key]:
                return answer.change(how, key)
            case _:
                return False
        return True


class _Answer:
    """An answer of the application, whole."""

    def __init__(self) -> None:
        self.status, self.headers, self.body = 0, [(b"", b"")][:0], b""

    async def send(self, message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            self.status, self.headers = message["status"], list(message["headers"])
        else:
            self.body += message.get("body", b"")

    def become(self, other: Response) -> None:
        self.status, self.headers, self.body = other.status_code, list(other.raw_headers), bytes(other.body)

    def change(self, how: str, key: str) -> bool:
        """One value of a JSON object left out or altered. False: it has no such value."""
        try:
            said = json.loads(self.body)
        except ValueError:
            return False
        key = _RESOURCES.get(key, key)
        if not isinstance(said, dict) or key not in said:
            return False
        del said[key]
        if how != "without":
            said[key] = 7 if how == "odd" else "words"
        self.body = json.dumps(said).encode()
        return True

    def messages(self) -> list[dict[str, Any]]:
        kept = [(name, value) for name, value in self.headers if name.lower() != b"content-length"]
        length = (b"content-length", str(len(self.body)).encode())
        return [{"type": "http.response.start", "status": self.status, "headers": [*kept, length]},
                {"type": "http.response.body", "body": self.body}]


def _desk_only(service: Service) -> FastAPI:
    """The resources of signed messages alone: they are there at once."""
    made, router = FastAPI(openapi_url=None, docs_url=None, redoc_url=None), messages.router(service)
    problems.install(made, [])
    made.include_router(router)
    return made


def _refusal(path: str, code: str) -> Response:
    """That code, as the resource has its codes."""
    if path.startswith("/upload/"):
        return Response(json.dumps({"RtnCode": code, "Opcode": ""}), media_type="application/json")
    if path.startswith("/api/"):
        return Response(json.dumps({"statusCode": code}), media_type="application/json")
    return Problem(422, code).response()


async def _body(receive: Any) -> bytes | None:
    body = b""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect" or len(body) > MOST_BYTES:
            return None
        body += bytes(message.get("body", b""))
        if not message.get("more_body", False):
            return body


def _once(body: bytes, receive: Any) -> Any:
    """What was read already, to be read again."""
    left = [{"type": "http.request", "body": body, "more_body": False}]

    async def again() -> Any:
        return left.pop() if left else await receive()

    return again


async def _hung_up(scope: dict[str, Any], receive: Any) -> None:
    """The connection is broken off without an answer."""
    scope["extensions"][CUT]()
    while (await receive())["type"] != "http.disconnect":
        pass


__all__ = ["ServedCentre", "address"]
