"""The OpenAPI document: what FastAPI makes of the routes, with who may call what, and without answers that are never given.

``python -m bench.datacentre.web.document > docs/reference/data-centre-openapi.json`` writes the published one.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute

from virtual_devices.pki import Role

SCHEME = "clientCertificate"
METHODS = ("get", "post", "put", "delete", "patch")


def roles(route: APIRoute) -> frozenset[Role]:
    """Whom a route lets in; nobody's role where it asks nobody."""
    return frozenset(role for one in route.dependant.dependencies for role in getattr(one.call, "roles", ()))


def described(api: FastAPI, routes: list[APIRoute]) -> dict[str, Any]:
    """The document. Each operation says in ``x-roles`` who may call it."""
    found = get_openapi(title=api.title, version=api.version, description=api.description, routes=api.routes)
    allowed = {(route.path_format, method.lower()): roles(route) for route in routes for method in route.methods or ()}
    for path, item in found["paths"].items():
        for method in METHODS:
            if method in item:
                _finish(item[method], sorted(role.name.lower() for role in allowed[(path, method)]))
    schemas = found["components"]["schemas"]
    for name in ("HTTPValidationError", "ValidationError"):  # a request that is not as described is a problem, status 400
        schemas.pop(name, None)
    found["components"]["securitySchemes"] = {
        SCHEME: {"type": "mutualTLS", "description": "A client certificate of the bench's own authority."},
    }
    return found


def _finish(operation: dict[str, Any], may: list[str]) -> None:
    if "HTTPValidationError" in json.dumps(operation["responses"].get("422", {})):
        del operation["responses"]["422"]
    operation["x-roles"] = may
    operation["security"] = [{SCHEME: []}] if may else []


def main() -> None:
    """Write the document."""
    from bench.datacentre.centre import Centre
    from bench.datacentre.web.app import create_app
    from bench.datacentre.web.service import Service
    from virtual_devices.clock import VirtualClock
    from virtual_devices.cloud.books import MemoryBooks
    from virtual_devices.pki import Authority

    centre = Centre(Authority("document", 0), MemoryBooks(), lambda count: bytes(count))
    app = create_app(Service(centre, VirtualClock(0)))
    json.dump(app.api.openapi(), sys.stdout, ensure_ascii=False, indent=1)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()


__all__ = ["described", "roles"]
