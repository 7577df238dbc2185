"""About the service itself: whether it runs, which asks nobody who they are, and what it offers, which does."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from pydantic import BaseModel

from bench.datacentre.web.service import Service, refusals
from virtual_devices.clock import TAIWAN, to_datetime
from virtual_devices.pki import CONNECTIONS


class Health(BaseModel):
    """``time``: the service's clock, ISO 8601, Taiwan."""

    status: str
    time: str


def router(service: Service) -> APIRouter:
    routes = APIRouter(tags=["about"])

    @routes.get("/health")
    def health() -> Health:
        """The service answers. The one route without a certificate."""
        return Health(status="ok", time=to_datetime(service.clock.now_ns()).astimezone(TAIWAN).isoformat())

    @routes.get("/openapi.json", dependencies=[service.allow(*CONNECTIONS)], responses=refusals())
    def openapi(request: Request) -> dict[str, Any]:
        """This description."""
        found: dict[str, Any] = request.app.openapi()
        return found

    return routes


__all__ = ["router"]
