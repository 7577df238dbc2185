"""Whole signed messages, as in process: a desk's (COSE by its SAM) and a phone's (COSE by its own key).

What the driver ``http`` carries. The answer is signed too, and says the field's code: whenever there is one, the
HTTP status is 200.
"""

from __future__ import annotations

from collections.abc import Callable

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

from bench.datacentre.web.bodies import body_of, gives, wants
from bench.datacentre.web.service import Service, refusals
from virtual_devices.pki import Role

COSE = 'application/cose; cose-type="cose-sign1"'
_BODY, _ANSWER = wants("application/cose"), gives("application/cose", "the data centre's signed answer")


def router(service: Service) -> APIRouter:
    routes = APIRouter(prefix="/v1/messages", tags=["signed messages"])

    @routes.post("/desk", response_class=Response, responses=_ANSWER | refusals(415), openapi_extra=_BODY,
                 dependencies=[service.allow(Role.INSTITUTION)])
    async def desk(request: Request) -> Response:
        """One request of a desk's SAM."""
        return await _carried(request, service.centre.desk_message, service)

    @routes.post("/phone", response_class=Response, responses=_ANSWER | refusals(415), openapi_extra=_BODY,
                 dependencies=[service.allow(Role.INSTITUTION, Role.OFFICER)])
    async def phone(request: Request) -> Response:
        """One request of a phone, which proves itself in the message; the connection is the app operator's."""
        return await _carried(request, service.centre.phone_message, service)

    return routes


async def _carried(request: Request, handle: Callable[[bytes, int], bytes], service: Service) -> Response:
    body = await body_of(request, "application/cose")
    answer = await run_in_threadpool(handle, body, service.clock.now_ns())
    return Response(answer, media_type=COSE)


__all__ = ["router"]
