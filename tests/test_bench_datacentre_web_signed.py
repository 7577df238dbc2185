"""Signed requests over HTTP: the field's upload, the calls of control software 6.0, prescriptions; refused when replayed."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from typing import Any

import pytest

from bench.datacentre.centre import Centre
from bench.datacentre.credentials import CLINIC, PHARMACY
from bench.datacentre.signing import envelope, upload_request
from virtual_devices import pki
from virtual_devices.clock import NS
from virtual_devices.cose import X5CHAIN, Signature, signer_structure
from virtual_devices.fhir.prescription import to_fhir
from virtual_devices.pki import Identity
from virtual_devices.prescription.document import Prescription, PrescriptionClass
from virtual_devices.prescription.rules import RECIPIENT_WITHIN_S
from virtual_devices.randomness import ByteStream
from virtual_devices.uploads.rows import KEPT
from virtual_devices.write_back import signer_header

from . import prescribed
from .data_centre import Here, visit_facts, visit_file
from .desk import AUTHORITY, DOCTOR_ID, NOW_NS
from .test_bench_datacentre_web_uploads import begun

SAM = "SAM000000001"
NO_CARD = "/api/v1/TreatmentNumber/NoCard"


@pytest.fixture
def here() -> Here:
    return Here()


def a_visit(here: Here) -> bytes:
    return visit_file(visit_facts(here.people[0], NOW_NS, begun(here)))


def signed_upload(here: Here, file: bytes, institution: str = CLINIC) -> dict[str, str]:
    return upload_request(AUTHORITY, institution, SAM, file, here.clock.now_ns(), random=here.centre.fresh(16))


def sent(here: Here, request: dict[str, str], by: str = "clinic") -> Any:
    return here.asked("POST", "/upload/V2000", by, json=request).json()


def test_fields_upload_is_taken_once_and_its_report_fetched(here: Here) -> None:
    request = signed_upload(here, a_visit(here))
    taken = sent(here, request)
    report = here.asked("GET", f"/v1/uploads/{taken['Opcode']}", "clinic").json()
    assert taken["RtnCode"] == "0000" and report["valid_visits"] == 1
    assert sent(here, request) == {"RtnCode": "66008", "Opcode": ""}  # replayed
    again = sent(here, signed_upload(here, a_visit(here)))  # the same file, signed anew: known by its bytes
    assert again["RtnCode"] == "0000" and len(list(here.centre.books.shelf(KEPT))) == 1


@pytest.mark.parametrize(("field", "value", "code"), [
    ("sClientRandom", "00" * 16, "9002"), ("sSignature", "AAAA", "9002"), ("sSamId", "SAM000000002", "5004"),
    ("sType", "B1", "5003"), ("sHospId", "9902180022", "5004"), ("sPatData", "%", "9999"),
])
def test_altered_upload_is_refused(here: Here, field: str, value: str, code: str) -> None:
    request = signed_upload(here, a_visit(here))
    assert sent(here, request | {field: value})["RtnCode"] == code
    assert list(here.centre.books.shelf(KEPT)) == [] and sent(here, request)["RtnCode"] == "0000"


def test_upload_signed_long_ago_or_by_another_institutions_connection_is_refused(here: Here) -> None:
    request = signed_upload(here, a_visit(here))
    assert sent(here, request, "pharmacy")["RtnCode"] == "5004"
    here.clock.advance_to(NOW_NS + 3601 * NS)
    assert sent(here, request)["RtnCode"] == "8203"


def call(here: Here, body: dict[str, str], by: str = "clinic") -> Any:
    return here.asked("POST", NO_CARD, by, json=body)


def no_card(here: Here) -> dict[str, str]:
    made = envelope(AUTHORITY, CLINIC, SAM, "03", here.clock.now_ns(), random=here.centre.fresh(16))
    return made | {"patientId": here.people[0].holder.id_no}


def test_call_of_software_60_is_answered_once(here: Here) -> None:
    body = no_card(here)
    first = call(here, body).json()
    assert first["statusCode"] == "0" and here.centre.core.visits.get(first["treatmentNumber"]) is not None
    assert call(here, body).json() == {"statusCode": "66008"}
    assert call(here, no_card(here) | {"clientRandom": "00"}).json()["statusCode"] == "3100"
    assert call(here, body, "pharmacy").status_code == 403


def test_replayed_request_is_refused_after_a_restart_too(here: Here) -> None:
    body = no_card(here)
    assert call(here, body).json()["statusCode"] == "0"
    again = Centre(AUTHORITY, here.centre.books, ByteStream("tests", "another start"))
    assert again.software_60.answer(NO_CARD, body, NOW_NS) == {"statusCode": "66008"}


def with_certificates(rx: Prescription, *who: Identity) -> bytes:
    message = rx.record().unsigned()
    for identity in who:
        header = signer_header(identity.chain[0])
        value = pki.sign(identity.key, signer_structure(message.protected, header, message.payload))
        message = message.with_signature(Signature(header, {X5CHAIN: identity.chain[0]}, value))
    return message.to_bytes()


def stored(here: Here, document: Any, by: str = "clinic") -> Any:
    headers = {"Content-Type": "application/fhir+json"}
    return here.asked("POST", "/v1/prescriptions/documents", by, content=json.dumps(document), headers=headers)


def found(here: Here, by: str, **which: str) -> Any:
    return here.asked("POST", "/v1/prescriptions/find", by, json=which).json()


def test_prescription_goes_in_and_out_as_fhir_with_its_signed_record(here: Here) -> None:
    rx = prescribed.rx(card_no=here.people[0].card_no)
    raw = with_certificates(rx, prescribed.DOCTOR, prescribed.CLINIC)
    document = to_fhir(rx, DOCTOR_ID, signed=raw)
    assert [stored(here, document).json() for _ in range(2)] == [
        {"state": "issued", "again": False}, {"state": "issued", "again": True}]
    (one,) = found(here, "pharmacy", card_no=rx.card_no)["prescriptions"]
    assert (one["id"], one["state"], one["issues"]) == (rx.id.hex(), "issued", 1) and base64.b64decode(one["records"][0])
    out = here.asked("POST", "/v1/prescriptions/fhir", "pharmacy", json={"id": rx.id.hex()})
    assert out.headers["content-type"] == "application/fhir+json"
    assert stored(here, out.json()).json()["again"]  # what came out goes in: its signers are known here
    told = {one.entry.what: one.entry.actor.split("/") for one in here.centre.desks.audit.about(rx.card_no)}
    assert told["rx-store"][0] == CLINIC and len(told["rx-store"]) == 3 and DOCTOR_ID not in told["rx-store"]
    assert len(told["rx-fhir"]) == 2  # no professional's card has signed that


def test_document_that_says_another_thing_than_what_was_signed_is_refused(here: Here) -> None:
    rx = prescribed.rx(card_no=here.people[0].card_no)
    raw = with_certificates(rx, prescribed.DOCTOR, prescribed.CLINIC)
    more = replace(rx, entries=(replace(rx.entries[0], total_tenths=rx.entries[0].total_tenths + 10),))
    for document in (to_fhir(more, DOCTOR_ID, signed=raw), to_fhir(rx, DOCTOR_ID), {"resourceType": "Bundle"}, []):
        refused = stored(here, document)
        assert refused.status_code == 422 and refused.json()["detail"]
    assert found(here, "clinic")["prescriptions"] == []
    foreign = stored(here, to_fhir(rx, DOCTOR_ID, signed=raw), "pharmacy")
    assert foreign.status_code == 422 and found(here, "clinic")["prescriptions"] == []


def test_prescription_nobody_has_is_not_there(here: Here) -> None:
    refused = here.asked("POST", "/v1/prescriptions/fhir", "clinic", json={"id": "0" * 32})
    assert refused.status_code == 404
    assert found(here, "clinic", id="0" * 32)["prescriptions"] == []


def test_what_nobody_signed_or_answered_in_time_is_named_to_whom_it_concerns(here: Here) -> None:
    """The dispensing to its pharmacy, the query to both sides, both to the officer; each with the field's code."""
    register = prescribed.Register(here.centre.desks.prescriptions)
    controlled, doubted = prescribed.rx(kind=PrescriptionClass.CONTROLLED), prescribed.rx("doubted")
    for document in (controlled, doubted):
        register.store(document)
    given, asked = register.dispensing(controlled, where=PHARMACY), register.query(doubted, where=PHARMACY)
    assert register.take(given).ok and register.take(asked).ok
    here.clock.advance_to(NOW_NS + RECIPIENT_WITHIN_S * NS)
    assert here.asked("GET", "/v1/prescriptions/overdue", "officer").json() == {"unsigned": [], "unanswered": []}
    here.clock.advance_to(here.clock.now_ns() + 1)
    all_of_it, pharmacys, clinics = (
        here.asked("GET", "/v1/prescriptions/overdue", by).json() for by in ("officer", "pharmacy", "clinic"))
    (unsigned,), (unanswered,) = all_of_it["unsigned"], all_of_it["unanswered"]
    assert (unsigned["code"], unsigned["dispensing"], unsigned["prescription"]) == (
        "RX11", given.record.id.hex(), controlled.id.hex())
    assert (unanswered["code"], unanswered["query"], unanswered["prescribed_by"]) == ("RX15", asked.record.id.hex(), CLINIC)
    assert pharmacys == all_of_it and clinics == {"unsigned": [], "unanswered": [unanswered]}
