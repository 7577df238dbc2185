"""What software has asked of our data centre over HTTP, told as a desk's security module would have said it in a signed message.

Cases look at operations and their arguments. Software that uses the resources of the data centre asks for the same things in
other words (docs/reference/data-centre-http.md); here they become one of these requests, which nobody has signed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any

import cbor2

from bench.datacentre.web.problems import Problem
from bench.datacentre.web.routes.prescriptions import record_of
from virtual_devices import cose
from virtual_devices.clock import roc_datetime13
from virtual_devices.uploads.envelope import Operation, Refused, read_request

DESK = "/v1/messages/desk"
_NO_SIGNATURE = bytes(64)
_Said = tuple[str, Mapping[str, Any]]


def told(method: str, path: str, headers: Mapping[str, str], body: bytes, now_ns: int) -> bytes:
    """The request as a message of a desk's. ``headers``: names in small letters. One that is none of these resources' is an
    operation called by its method and path; of a signed message, the message itself."""
    if path == DESK:
        return body
    known = _KNOWN.get((method, path))
    try:
        said = None if known is None else known(body, now_ns)
    except (ValueError, LookupError, TypeError, RecursionError, Problem):  # what is no such request is answered so by the service
        said = None
    operation, arguments = said or (f"{method} {path}", {})
    key = headers.get("idempotency-key", "")
    request_id = hashlib.sha256(key.encode() or path.encode() + body).digest()[:16]
    payload = cbor2.dumps({1: 1, 2: operation, 3: request_id, 6: now_ns, 7: dict(arguments)}, canonical=True)
    return cose.Sign1(cose.PROTECTED_ES256, {}, payload, _NO_SIGNATURE).to_bytes()


def _begin(body: bytes, now_ns: int) -> _Said:
    asked = json.loads(body)
    return "begin-visit", {name: asked[name] for name in ("card_no", "visit_type")} | {"visited_at": roc_datetime13(now_ns)}


def _next(body: bytes, now_ns: int) -> _Said:
    asked = json.loads(body)
    return "begin-visit", {"card_no": asked.get("hcId", ""), "visit_type": asked["treatmentItem"],
                           "visited_at": roc_datetime13(now_ns)}


def _eligibility(body: bytes, _: int) -> _Said:
    return "eligibility", {"card_no": json.loads(body)["card_no"]}


def _file(body: bytes, _: int) -> _Said:
    """A file is sent whole, and known by its bytes: they are its batch."""
    digest = hashlib.sha256(body).digest()
    return "upload", {"batch": digest[:16], "digest": digest, "index": 0, "total": 1, "part": body}


def _field_upload(body: bytes, now_ns: int) -> _Said | None:
    request = read_request(json.loads(body))
    if isinstance(request, Refused) or request.operation is not Operation.FORMAL:
        return None
    return _file(request.file, now_ns)


def _find(body: bytes, _: int) -> _Said:
    asked = json.loads(body)
    return "rx-find", asked | ({"id": bytes.fromhex(asked["id"])} if "id" in asked else {})


def _document(body: bytes, _: int) -> _Said:
    return "rx-store", {"record": record_of(body)}


_KNOWN: Mapping[tuple[str, str], Callable[[bytes, int], _Said | None]] = {
    ("POST", "/v1/visits"): _begin, ("POST", "/v1/eligibility"): _eligibility, ("POST", "/v1/uploads"): _file,
    ("POST", "/upload/V2000"): _field_upload, ("POST", "/v1/prescriptions/find"): _find,
    ("POST", "/v1/prescriptions/documents"): _document, ("POST", "/api/v1/SequelNumber/Next"): _next,
    ("POST", "/api/v1/BasicData/Register"): lambda *_: ("eligibility", {}),
}


__all__ = ["DESK", "told"]
