"""The application: routes, refusals, limits, and a log without a secret or a personal field."""

from __future__ import annotations

from functools import cache
from typing import Any

from fastapi import FastAPI
from fastapi.routing import APIRoute

from bench.datacentre.web import problems
from bench.datacentre.web.document import described
from bench.datacentre.web.limits import Limited, Limits
from bench.datacentre.web.log import LOG, faults
from bench.datacentre.web.routes import modules
from bench.datacentre.web.service import Service

DESCRIPTION = """The reference data centre of the bench: not the administration's, and never connected to it.

Callers connect with a client certificate of the bench's own authority. An institution acts only for itself. A refusal is a
problem (RFC 9457) with the field's return code. The form of these resources is the bench's **profile**; what they do mirrors
the field's calls, named in each.
"""


def create_app(service: Service, limits: Limits = Limits()) -> Any:
    """The ASGI application."""
    api = FastAPI(title="vhc-bench data centre", version="1", description=DESCRIPTION, openapi_url=None)
    routers = [module.router(service) for module in modules()]
    routes = [route for router in routers for route in router.routes if isinstance(route, APIRoute)]
    problems.install(api, routes)
    for router in routers:
        api.include_router(router)
    api.openapi = cache(lambda: described(api, routes))  # type: ignore[method-assign]  # as FastAPI's pages have it
    return Logged(Limited(api, limits, service.clock), service, api)


class Logged:
    """One line a request: method, route (never a value in it), status, who."""

    def __init__(self, app: Any, service: Service, api: FastAPI) -> None:
        self._app, self._service, self.api = app, service, api

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began_ns, status = self._service.clock.now_ns(), 0

        async def noted(message: dict[str, Any]) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, noted)
        except Exception as error:  # answered already; its own text may hold what somebody sent
            LOG.error("fault of the service: %s", faults(error))
        finally:
            route = getattr(scope.get("route"), "path", "(no route)")
            caller = scope.get("state", {}).get("caller")
            who = f"{caller.role.name.lower()} {caller.organisation or 'of the administration'}" if caller else "nobody known"
            took_ms = (self._service.clock.now_ns() - began_ns) / 1e6
            LOG.info("%s %s -> %d, %s, %.1f ms", scope["method"], route, status, who, took_ms)


__all__ = ["LOG", "create_app"]
