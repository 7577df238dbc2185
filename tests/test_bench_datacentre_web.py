"""The data centre over HTTP: who may call what, how refusals read, what is limited, what is logged."""

from __future__ import annotations

import logging
from collections import defaultdict
from typing import Any

import pytest
from cryptography import x509
from fastapi.routing import APIRoute

from bench.datacentre.web.document import roles
from bench.datacentre.web.limits import Limits
from bench.datacentre.web.routes import modules
from bench.datacentre.web.service import Service
from virtual_devices.clock import NS
from virtual_devices.pki import Authority, Role

from .data_centre import CALLERS, Here
from .desk import AUTHORITY, NOW_NS

ROLES = {"clinic": Role.INSTITUTION, "pharmacy": Role.INSTITUTION, "officer": Role.OFFICER}
VISIT = {"visit_type": "01", "virtual": True}


@pytest.fixture(scope="module")
def here() -> Here:
    return Here()


def begun(here: Here, key: str, by: str = "clinic", person: int = 0) -> Any:
    body = VISIT | {"card_no": here.people[person].card_no}
    return here.asked("POST", "/v1/visits", by, json=body, headers={"Idempotency-Key": key})


def routes(here: Here) -> list[APIRoute]:
    routers = [module.router(Service(here.centre, here.clock)) for module in modules()]
    return [route for router in routers for route in router.routes if isinstance(route, APIRoute)]


def allowed(route: APIRoute) -> frozenset[Role]:
    return roles(route)


def test_every_route_but_health_asks_who_calls(here: Here) -> None:
    open_to_all = [route.path for route in routes(here) if not allowed(route)]
    assert open_to_all == ["/health"]


def test_each_role_on_each_route(here: Here) -> None:
    """Nobody, a stranger's certificate, and each role: let in where the route says so, and nowhere else."""
    stranger = Authority("stranger", NOW_NS).issue(Role.INSTITUTION, "clinic software", organisation="9901180014")
    for route in routes(here):
        path = route.path.format_map(defaultdict(lambda: "x", identifier="1" * 20, kind="cards", number=0, opcode="1" * 42))
        for method in route.methods:
            for by in ("", stranger, *CALLERS):
                status = here.asked(method, path, by).status_code
                if route.path == "/health":
                    assert status == 200
                elif not isinstance(by, str) or not by:
                    assert status == 401, (method, path, by)
                elif ROLES[by] in allowed(route):
                    assert status not in (401, 403), (method, path, by, status)
                else:
                    assert status == 403, (method, path, by, status)


@pytest.mark.parametrize(
    ("days", "revoked", "code"), [((-30, -1), False, "66501"), ((1, 30), False, "66501"), ((-1, 30), True, "66503")],
)
def test_certificate_that_does_not_serve_is_refused(days: tuple[int, int], revoked: bool, code: str) -> None:
    who = AUTHORITY.issue(Role.INSTITUTION, "old", organisation="9901180014", days=days)
    serial = x509.load_der_x509_certificate(who.chain[0]).serial_number
    answer = Here(revoked={serial} if revoked else set()).asked("GET", "/v1/visits/late", who)
    assert (answer.status_code, answer.json()["code"], answer.json()["space"]) == (401, code, "vhc")


def test_sam_certificate_opens_no_connection(here: Here) -> None:
    sam = AUTHORITY.issue(Role.SAM, "SAM000000001", organisation="9901180014")
    assert here.asked("GET", "/v1/visits/late", sam).status_code == 401


def test_visit_is_begun_once_for_one_key(here: Here) -> None:
    first, again = begun(here, "one-visit-1"), begun(here, "one-visit-1")
    assert first.status_code == again.status_code == 201 and first.json() == again.json()
    other = begun(here, "one-visit-1", person=1)
    assert (other.status_code, other.json()["code"]) == (409, "9002")
    assert begun(here, "one-visit-1", by="pharmacy").json()["identifier"] != first.json()["identifier"]


def test_institution_sees_no_visit_of_another(here: Here) -> None:
    identifier = begun(here, "mine-only-1").json()["identifier"]
    for method, path in (("GET", f"/v1/visits/{identifier}"), ("POST", f"/v1/visits/{identifier}/roll-back")):
        assert here.asked(method, path, "pharmacy").json()["code"] == "5150"
    assert here.asked("GET", f"/v1/visits/{identifier}", "clinic").json()["rolled_back"] is False


def test_late_visit_is_named_to_its_institution_and_to_officers() -> None:
    here = Here()
    identifier = begun(here, "late-one-1").json()["identifier"]
    begun(here, "late-two-1", by="pharmacy")
    here.clock.advance_to(NOW_NS + 86_401 * NS)
    mine = here.asked("GET", "/v1/visits/late", "clinic").json()["late"]
    assert [(one["identifier"], one["stored"]) for one in mine] == [(identifier, "")]
    assert len(here.asked("GET", "/v1/visits/late", "officer").json()["late"]) == 2


def test_bad_request_names_every_place(here: Here) -> None:
    answer = here.asked("POST", "/v1/visits", "clinic", json={"card_no": "12", "visit_type": 1, "x": 2})
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert answer.status_code == body["status"] == 400 and body["code"] == "9002" and body["title_zh"]
    assert {e["pointer"] for e in body["errors"]} == {"header/Idempotency-Key", "/card_no", "/visit_type", "/x"}


def test_unknown_person_is_a_problem_with_the_fields_code(here: Here) -> None:
    answer = here.asked("POST", "/v1/eligibility", "clinic", json={"card_no": "9" * 12})
    assert (answer.status_code, answer.json()["code"]) == (404, "9012")


def test_no_such_path_and_method_are_problems(here: Here) -> None:
    for method, path, status in (("GET", "/v2/visits", 404), ("DELETE", "/health", 405)):
        answer = here.asked(method, path, "clinic")
        assert answer.status_code == status and answer.headers["content-type"] == "application/problem+json"


def test_large_body_is_refused_unread(here: Here) -> None:
    cose = {"Content-Type": "application/cose"}
    answer = here.asked("POST", "/v1/messages/desk", "clinic", content=bytes(5 << 20), headers=cose)
    assert (answer.status_code, answer.json()["code"]) == (413, "6015")


def test_too_many_requests_are_refused_until_later() -> None:
    here = Here(Limits(burst=2, per_s=1))
    assert [here.asked("GET", "/v1/visits/late", "clinic").status_code for _ in range(3)] == [200, 200, 429]
    assert here.asked("GET", "/v1/visits/late", "pharmacy").status_code == 200
    here.clock.advance_to(NOW_NS + NS)
    assert here.asked("GET", "/v1/visits/late", "clinic").status_code == 200


def test_log_has_no_personal_field(here: Here, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    begun(here, "logged-1")
    here.asked("POST", "/v1/eligibility", "clinic", json={"card_no": here.people[0].card_no})
    assert "POST /v1/visits -> 201, institution 9901180014" in caplog.text
    for who in here.people:
        for secret in (who.card_no, who.holder.id_no, who.holder.name, who.household_no, who.phone_no):
            assert secret not in caplog.text
