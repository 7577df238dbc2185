"""The published description of the data centre's resources is the service's own, and requests made from it find no fault.

More requests by hand: ``BENCH_API_EXAMPLES=200 .venv/bin/python -m pytest tests/test_bench_datacentre_openapi.py``.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from bench.datacentre.credentials import pem
from bench.datacentre.web.document import METHODS
from bench.datacentre.web.identity import telling
from bench.datacentre.web.limits import Limits
from virtual_devices.pki import Role

from .data_centre import CALLERS, Here
from .places import ROOT

PUBLISHED = ROOT / "docs" / "reference" / "data-centre-openapi.json"
EXAMPLES = int(os.environ.get("BENCH_API_EXAMPLES", "1"))
CHECKS = [
    not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance, negative_data_rejection,
    response_headers_conformance, unsupported_method,
]
"""Those left out: that valid data are always accepted (a card number that nobody has is valid and refused), and what a missing
token or header does (a certificate is not in the request; each role on each route is another test)."""


@schemathesis.serializer("application/cose", "application/xml", "text/xml")
def as_it_is(_: Any, value: Any) -> bytes:
    """Bodies that are no JSON are sent as they were drawn."""
    return value if isinstance(value, bytes) else str(value).encode()


def test_published_description_is_the_services_own() -> None:
    kept = json.loads(PUBLISHED.read_text(encoding="utf-8"))
    assert kept == Here().app.api.openapi(), f".venv/bin/python -m bench.datacentre.web.document > {PUBLISHED.relative_to(ROOT)}"


def test_every_operation_says_who_may_call_it() -> None:
    known = {role.name.lower() for role in (Role.INSTITUTION, Role.OFFICER)}
    for path, item in Here().app.api.openapi()["paths"].items():
        for method in set(METHODS) & set(item):
            assert set(item[method]["x-roles"]) <= known and (item[method]["x-roles"] or path == "/health")


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
@pytest.mark.parametrize("by", ["clinic", "officer"])
def test_requests_made_from_the_description_find_no_fault(by: str, mode: GenerationMode) -> None:
    here = Here(Limits(burst=10**9))
    app = telling(here.app, [pem(CALLERS[by].chain[:1]).decode()])
    found = schemathesis.openapi.from_asgi("/openapi.json", app)
    asked = 0
    for operation in (one.ok() for one in found.get_all_operations()):
        @seed(1)
        @settings(
            max_examples=EXAMPLES, deadline=None, database=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck),
        )
        @given(operation.as_strategy(mode))
        def conforms(case: schemathesis.Case) -> None:
            nonlocal asked
            asked += 1
            case.call_and_validate(checks=CHECKS)

        with suppress(Unsatisfiable):  # nothing can be wrong with a request that takes any bytes, or nothing
            conforms()
    assert asked >= 20 * EXAMPLES


def test_page_names_every_resource_with_its_roles() -> None:
    page = (ROOT / "docs" / "reference" / "data-centre-http.md").read_text(encoding="utf-8")
    for path, item in Here().app.api.openapi()["paths"].items():
        for method in set(METHODS) & set(item):
            who = ", ".join(item[method]["x-roles"]) or "anybody"
            assert path.startswith(("/api/", "/test/")) or f"| `{method.upper()} {path}` | {who} |" in page
