"""Our data centre of one case as an ASGI application behind the line: what becomes of a request is told by :class:`Line`."""

from __future__ import annotations

import json
import time
from typing import Any

import cbor2
from fastapi import FastAPI, Request, Response

from bench.datacentre.centre import Centre
from bench.datacentre.web import problems
from bench.datacentre.web.app import create_app
from bench.datacentre.web.identity import CUT, Gate
from bench.datacentre.web.limits import Limits
from bench.datacentre.web.problems import Problem
from bench.datacentre.web.routes import messages
from bench.datacentre.web.service import Service
from bench.reach import asgi
from bench.reach.heard import DESK, told
from conformance.references.data_centre import Face, ReferenceOfficer, populate
from conformance.references.desks import Line, payload_of
from conformance.town import maker
from conformance.vectors.world import World
from virtual_devices.clock import Clock
from virtual_devices.cloud.books import MemoryBooks
from virtual_devices.link import DirectLink, Outcome, Provenance
from virtual_devices.trace import ExchangeRow

LIMITS = Limits(burst=1_000_000, per_s=10_000.0)
"""The clock of a case may stand still: nothing is counted by it."""
ON_THE_LINE = ("/v1/", "/upload/", "/api/")
"""Paths by which an institution asks for something. ``/health`` and the description are answered whatever the line is."""
MOST_BYTES = (4 << 20) + 1
_RESOURCES = {"report": "results"}
"""What a signed answer calls something -> what a resource's answer calls it."""
KEPT_BYTES = 4096
"""So much of a message is kept as evidence."""


class OnTheLine:
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
        self.rows: list[ExchangeRow] = []
        """What came over HTTPS, and what became of it."""

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        app, path = self._app(scope["path"]), scope["path"]
        if not path.startswith(ON_THE_LINE) or not self._known(scope):
            await app(scope, receive, send)
            return
        body = await asgi.body(receive, MOST_BYTES)
        if body is None:  # its sender has gone, or does not come to an end
            await _hung_up(scope, receive)
            return
        began_ns, answer = time.perf_counter_ns(), _Answer()
        outcome, fate = await self._done(scope, (app, body), receive, answer)
        asked = body if path == DESK else f"{scope['method']} {path}\n".encode() + body
        self.rows.append(_row(asked, answer.body, outcome, fate, self.clock.now_ns(), time.perf_counter_ns() - began_ns))
        if outcome is not Outcome.REPLIED:
            await _hung_up(scope, receive)
            return
        for message in answer.messages():
            await send(message)

    async def _done(
        self, scope: dict[str, Any], asked: tuple[Any, bytes], receive: Any, answer: _Answer,
    ) -> tuple[Outcome, str]:
        """What becomes of a request, and by which fate. ``asked``: the application, and the body."""
        (app, body), path = asked, scope["path"]
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        fate = self.line.fate(told(scope["method"], path, headers, body, self.clock.now_ns()))
        if fate == "lost":
            return Outcome.REQUEST_LOST, fate
        await app(scope, _once(body, receive), answer.send)
        if fate == "reply lost" or not self._spoil(answer, path, fate):
            return Outcome.REPLY_LOST, fate
        return Outcome.REPLIED, fate

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


def _row(asked: bytes, answered: bytes, outcome: Outcome, fate: str, at_ns: int, duration_ns: int) -> ExchangeRow:
    """One request as evidence. What was answered and lost is not what the software had."""
    reply = answered if outcome is Outcome.REPLIED else b""
    return ExchangeRow(
        replication=0, visit="", session="", flow="conform", step=_operation(asked), role="data-centre", channel="network",
        device="served data centre", provenance=Provenance.PRESENTED.value, at_ns=at_ns, duration_ns=duration_ns,
        outcome=outcome.value, request=asked[:KEPT_BYTES], reply=reply[:KEPT_BYTES], request_bytes=len(asked),
        reply_bytes=len(reply), status="", fault=fate, sent_ns=-1,
    )


def _operation(asked: bytes) -> str:
    """What is asked for: of a signed message its operation, else method and path."""
    try:
        return str(payload_of(asked)[2])
    except (ValueError, LookupError, TypeError, cbor2.CBORDecodeError):
        return asked.partition(b"\n")[0][:100].decode("ascii", "replace")


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


def _once(body: bytes, receive: Any) -> Any:
    """What was read already, to be read again."""
    left = [{"type": "http.request", "body": body, "more_body": False}]

    async def again() -> Any:
        return left.pop() if left else await receive()

    return again


async def _hung_up(scope: dict[str, Any], receive: Any) -> None:
    """The connection is broken off without an answer."""
    scope["extensions"][CUT]()
    await asgi.gone(receive)


__all__ = ["OnTheLine"]
