"""Bodies that are no JSON objects: read as bytes, described in the OpenAPI document."""

from __future__ import annotations

from typing import Any

from fastapi import Request

from bench.datacentre.web.problems import Problem
from bench.datacentre.web.service import Responses

BINARY = {"schema": {"type": "string", "format": "binary"}}


def wants(*media_types: str) -> dict[str, Any]:
    """The OpenAPI words of a route that takes a body of these types."""
    return {"requestBody": {"required": True, "content": dict.fromkeys(media_types, BINARY)}}


def gives(media_type: str, what: str) -> Responses:
    """The OpenAPI words of a route that answers with a body of this type."""
    return {200: {"content": {media_type: BINARY}, "description": what}}


async def body_of(request: Request, *media_types: str) -> bytes:
    """The body. Raises Problem (415) when it is said to be of another type."""
    said = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if said not in media_types:
        raise Problem(415, "9002", detail=f"send the body as {' or '.join(media_types)}")
    return await request.body()


__all__ = ["BINARY", "body_of", "gives", "wants"]
