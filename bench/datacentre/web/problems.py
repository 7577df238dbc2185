"""Refusals as RFC 9457 problem details, each with the field's return code.

``type`` names code and space, ``title`` is the code's text in English and ``title_zh`` in Chinese, ``detail`` says what to do.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from virtual_devices.codes import Code, Space, lookup
from virtual_devices.lifecycle import FieldCode
from virtual_devices.prescription.codes import Table

MEDIA_TYPE = "application/problem+json"
UNDERSTOOD_NOTHING, NO_SUCH, FAILED = "9002", "9012", "9004"
STATUS = {
    (Space.CSHIS, "9012"): 404, (Space.CSHIS, "5150"): 404, (Space.CSHIS, "4029"): 403, (Space.CSHIS, "5152"): 403,
    (Space.CSHIS, "9002"): 409, (Space.CSHIS, "9004"): 503, (Space.CSHIS, "9070"): 409, (Space.CSHIS, "5020"): 403,
}
"""HTTP status of a code; 422 of every other: the request was understood, and the field's rules refuse it."""


class Wrong(BaseModel):
    """One thing that is wrong in what was sent."""

    pointer: str
    """Where: a JSON pointer into the body, or ``query/NAME``, ``path/NAME``, ``header/NAME``."""
    detail: str


class Details(BaseModel):
    """A problem (RFC 9457)."""

    type: str
    title: str
    title_zh: str
    status: int
    detail: str
    code: str
    """The field's return code, in ``space``."""
    space: str
    errors: list[Wrong] = []


class Problem(Exception):
    """A request is refused."""

    def __init__(
        self, status: int, code: str, space: Space | Table = Space.CSHIS, detail: str = "", errors: list[Wrong] | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        """``space``: whose code; a table of prescriptions where it is in none of the field's spaces, and ``detail`` says it."""
        super().__init__(detail or code)
        self.status, self.code, self.space, self.detail = status, code, space, detail
        self.errors = errors or []
        self.headers = headers or {}

    def response(self) -> JSONResponse:
        known: Code | None = lookup(self.code, self.space) if isinstance(self.space, Space) else None
        en, zh = (self.detail, "") if known is None else (known.en, known.zh)
        body = Details(
            type=f"urn:nhi:bench:code:{self.space.value}:{self.code}", title=en, title_zh=zh, status=self.status,
            detail=self.detail or en, code=self.code, space=self.space.value, errors=self.errors,
        )
        return JSONResponse(body.model_dump(), self.status, media_type=MEDIA_TYPE, headers=self.headers)


def need_ok(code: FieldCode | str, detail: str = "", *, space: Space = Space.CSHIS) -> None:
    """Raises Problem when the field's code is not ``0``."""
    number, where = (code.number, code.space) if isinstance(code, FieldCode) else (code, space)
    if number != "0":
        raise Problem(STATUS.get((where, number), 422), number, where, detail)


_HTTP = {404: (NO_SUCH, "there is no such resource"), 405: (UNDERSTOOD_NOTHING, "this resource has no such method"),
         413: ("6015", "too large"), 415: (UNDERSTOOD_NOTHING, "another media type is wanted")}


def install(app: FastAPI, routes: Sequence[APIRoute]) -> None:
    """Every refusal of the application reads like this."""

    @app.exception_handler(Problem)
    async def problem(_: Request, e: Problem) -> JSONResponse:
        return e.response()

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, e: RequestValidationError) -> JSONResponse:
        errors = [_wrong(error) for error in e.errors()]
        return Problem(400, UNDERSTOOD_NOTHING, detail="not as the OpenAPI document says", errors=errors).response()

    @app.exception_handler(ClientDisconnect)
    async def left(_: Request, __: ClientDisconnect) -> Response:
        return Response(status_code=400)  # nobody hears it

    @app.exception_handler(Exception)
    async def fault(_: Request, __: Exception) -> JSONResponse:
        return Problem(500, FAILED, detail="a fault of the service; its log says where").response()

    @app.exception_handler(HTTPException)
    async def http(request: Request, e: HTTPException) -> JSONResponse:
        code, detail = _HTTP.get(e.status_code, (UNDERSTOOD_NOTHING, str(e.detail)))
        headers = dict(e.headers or {})
        if e.status_code == 405:  # the framework names the methods of the first route of that path only
            fitting = [route for route in routes if route.path_regex.match(request.url.path)]
            exact = [route for route in fitting if route.path == request.url.path]
            headers["Allow"] = ", ".join(sorted({method for route in exact or fitting for method in route.methods or ()}))
        return Problem(e.status_code, code, detail=detail, headers=headers).response()


def _wrong(error: Any) -> Wrong:
    place, *inner = error["loc"]
    path = "/" + "/".join(str(part).replace("~", "~0").replace("/", "~1") for part in inner)
    return Wrong(pointer=(path if place == "body" else f"{place}{path}"), detail=str(error["msg"]))


__all__ = ["MEDIA_TYPE", "Details", "Problem", "Wrong", "install", "need_ok"]
