"""The data centre as the conformance suite tries it: begun anew for each case, its officer led over the same connection.

Two resources beside the usual ones, for an officer's certificate, CBOR both ways:

    POST /v1/conformance/anew      -> {}                 another data centre in this one's place, with the suite's people
    POST /v1/conformance/officer   {"act", "args", "more"} -> {"value"}      as ``conformance.kinds.data_centre.Officer`` has it
"""

from __future__ import annotations

import os
from typing import Any

import cbor2
from fastapi import Request, Response
from starlette.concurrency import run_in_threadpool

from bench.datacentre.centre import Centre
from bench.datacentre.web.app import create_app
from bench.datacentre.web.limits import Limits
from bench.datacentre.web.problems import Problem
from bench.datacentre.web.service import Service
from conformance.kinds.data_centre import Officer
from conformance.references.data_centre import ReferenceOfficer, populate
from conformance.town import maker
from conformance.vectors.world import World
from virtual_devices.authorization import Relation, Scope
from virtual_devices.clock import Clock
from virtual_devices.cloud.books import MemoryBooks
from virtual_devices.cloud.guardians import Ground
from virtual_devices.pki import Authority, Role

ROOT = "/v1/conformance"
MEDIA_TYPE = "application/cbor"
ACTS = frozenset(name for name in vars(Officer) if not name.startswith("_"))
LIMITS = Limits(burst=100_000, per_s=10_000.0)
"""A suite asks more in a second than a clinic."""


class ForConformance:
    """The ASGI application. ``seed``: of the suite, whose makers' phones are believed."""

    def __init__(self, authority: Authority, seed: int, clock: Clock) -> None:
        self._authority, self._seed, self._clock = authority, seed, clock
        self._begin()

    def _begin(self) -> None:
        now_ns = self._clock.now_ns()
        world = World(self._seed, now_ns, self._authority.epoch_ns, trusted=self._authority)
        centre = Centre(self._authority, MemoryBooks(), os.urandom, maker(world).root_der)
        centre.act(lambda: populate(centre, world))
        service = Service(centre, self._clock)
        self._gate, self._officer = service.gate, ReferenceOfficer(centre, self._clock)
        self._app = create_app(service, LIMITS)

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] != "http" or not scope["path"].startswith(ROOT):
            await self._app(scope, receive, send)
            return
        try:
            found = await self._led(Request(scope, receive))
        except Problem as e:
            found = e.response()
        await found(scope, receive, send)

    async def _led(self, request: Request) -> Response:
        if self._gate.caller(request).role is not Role.OFFICER:
            raise Problem(403, "4029", detail="this is for: officer")
        if request.url.path == f"{ROOT}/anew":
            await run_in_threadpool(self._begin)
            return Response(cbor2.dumps({}), media_type=MEDIA_TYPE)
        try:
            asked = cbor2.loads(await request.body())
            act, args, more = asked["act"], asked["args"], asked["more"]
        except (ValueError, LookupError, TypeError, EOFError):
            raise Problem(400, "9002", detail="a body is CBOR {act, args, more}") from None
        if request.url.path != f"{ROOT}/officer" or act not in ACTS:
            raise Problem(404, "9002", detail=f"{ROOT} has anew, and officer with one of {', '.join(sorted(ACTS))}")
        value = await run_in_threadpool(lambda: getattr(self._officer, act)(*_arguments(act, args), **more))
        return Response(cbor2.dumps({"value": value}), media_type=MEDIA_TYPE)


def _arguments(act: str, args: list[Any]) -> list[Any]:
    """Words of closed lists as what they stand for."""
    if act != "grant":
        return args
    ward, guardian, relation, scope, days, *ground = args
    return [ward, guardian, Relation(relation), frozenset(map(Scope, scope)), days, *map(Ground, ground)]


__all__ = ["ACTS", "MEDIA_TYPE", "ROOT", "ForConformance"]
