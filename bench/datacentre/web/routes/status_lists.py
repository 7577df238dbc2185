"""Status lists (Token Status List): how cards and authorizations stand."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Path, Response
from pydantic import BaseModel

from bench.datacentre.web.problems import Problem
from bench.datacentre.web.service import Responses, Service, refusals
from virtual_devices.cloud.centre import STATUS_URI
from virtual_devices.pki import Role

MEDIA_TYPE = "application/statuslist+cwt"
_LIST: Responses = {
    200: {"content": {MEDIA_TYPE: {"schema": {"type": "string", "format": "binary"}}}, "description": "a signed list (CWT)"},
}


class Lists(BaseModel):
    """Addresses as they stand in credentials. Take all of them: a question about one tells of a person."""

    lists: list[str]


def router(service: Service) -> APIRouter:
    routes = APIRouter(prefix="/v1/status-lists", tags=["status lists"])
    reader = service.allow(Role.INSTITUTION, Role.OFFICER)
    base = STATUS_URI.rpartition("/")[0]

    @routes.get("", dependencies=[reader], responses=refusals())
    def lists() -> Lists:
        """Which lists there are."""
        return Lists(lists=sorted(service.centre.act(lambda: service.centre.status_lists(service.clock.now_ns()))))

    @routes.get("/{kind}/{number}", dependencies=[reader], response_class=Response, responses=_LIST | refusals(404))
    def one(kind: Literal["cards", "authorizations"], number: Annotated[int, Path(ge=0, le=999)]) -> Response:
        """One list, good for a day and to be fetched anew every hour."""
        found = service.centre.act(lambda: service.centre.status_lists(service.clock.now_ns())).get(f"{base}/{kind}/{number}")
        if found is None:
            raise Problem(404, "9012", detail="there is no such list")
        return Response(found, media_type=MEDIA_TYPE)

    return routes


__all__ = ["router"]
