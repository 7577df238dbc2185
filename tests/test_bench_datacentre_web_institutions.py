"""Institutions taken in by an officer over HTTP, and the certificate with which their software connects."""

from __future__ import annotations

from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from bench.datacentre.web.identity import telling

from .data_centre import Here, visit_facts, visit_file

NEW = {
    "code": "9903180031", "trade": "hospital", "began_20": "1130101", "sams": ["SAM000000003"], "professionals": ["A123456789"],
}


@pytest.fixture
def here() -> Here:
    return Here()


def contract(here: Here, by: str = "officer", **other: Any) -> Any:
    return here.asked("POST", "/v1/institutions", by, json=NEW | other)


def request(key: Any = None) -> str:
    key = key or ec.generate_private_key(ec.SECP256R1())
    named = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    return named.sign(key, None if isinstance(key, ed25519.Ed25519PrivateKey) else SHA256()).public_bytes(Encoding.PEM).decode()


def test_institution_taken_in_connects_and_uploads(here: Here) -> None:
    assert contract(here).json() == {"code": NEW["code"], "sams": 1}
    asked = {"code": NEW["code"], "request": request()}
    chain = here.asked("POST", "/v1/institutions/certificates", "officer", json=asked).json()["certificate"]
    here.app = telling(here.app, [chain])
    assert here.asked("GET", "/v1/visits/late").json() == {"late": []}
    visit = {"card_no": here.people[0].card_no, "visit_type": "01"}
    begun = here.asked("POST", "/v1/visits", json=visit, headers={"Idempotency-Key": "new-one-1"}).json()["identifier"]
    facts = visit_facts(here.people[0], here.clock.now_ns(), begun, institution=NEW["code"], sam_id="SAM000000003")
    where = {"content": visit_file(facts), "params": {"sam": "SAM000000003"}, "headers": {"Content-Type": "application/xml"}}
    assert here.asked("POST", "/v1/uploads", **where).json()["valid_visits"] == 1


def test_institution_again_keeps_its_modules_and_gets_more(here: Here) -> None:
    contract(here)
    assert contract(here, sams=["SAM000000004"]).json()["sams"] == 2


def test_security_module_of_another_institution_is_refused_and_nothing_done(here: Here) -> None:
    refused = contract(here, sams=["SAM000000009", "SAM000000001"])
    assert (refused.status_code, refused.json()["code"], refused.json()["space"]) == (422, "5004", "upload-api")
    assert here.centre.registers.institutions.get(NEW["code"]) is None
    assert here.centre.registers.sam_institution("SAM000000009") is None


def test_certificate_is_for_contracted_institutions_and_sound_requests(here: Here) -> None:
    contract(here)
    for code, made, status in (
        ("9904180049", request(), 404), (NEW["code"], "none", 400),
        (NEW["code"], request(ed25519.Ed25519PrivateKey.generate()), 400),
        (NEW["code"], request(ec.generate_private_key(ec.SECP384R1())), 400),
    ):
        asked = {"code": code, "request": made}
        assert here.asked("POST", "/v1/institutions/certificates", "officer", json=asked).status_code == status


def test_institutions_take_in_nobody(here: Here) -> None:
    assert contract(here, "clinic").status_code == 403 and contract(here, code="12").status_code == 400
