"""Whole signed messages, as in process: a desk's (COSE by its SAM) and a phone's (COSE by its own key).

What the driver ``http`` carries. The answer is signed too, and says the field's code: whenever there is one, the
HTTP status is 200.
"""

from __future__ import annotations

from collections.abc import Callable

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

from bench.datacentre.web.problems import Problem
from bench.datacentre.web.service import Responses, Service, refusals
from virtual_devices.pki import Role

COSE = 'application/cose; cose-type="cose-sign1"'
_BODY = {"requestBody": {"required": True, "content": {"application/cose": {"schema": {"type": "string", "format": "binary"}}}}}
_ANSWER: Responses = {200: {"content": {"application/cose": {"schema": {"type": "string", "format": "binary"}}},
                 "description": "the data centre's signed answer"}}


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
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/cose":
        raise Problem(415, "9002", detail="send the message as application/cose")
    body = await request.body()
    answer = await run_in_threadpool(handle, body, service.clock.now_ns())
    return Response(answer, media_type=COSE)


__all__ = ["router"]
