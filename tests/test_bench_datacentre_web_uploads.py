"""Uploads over HTTP: stored once, reported in both languages, each institution its own; late visits, by whichever way."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from virtual_devices.clock import NS
from virtual_devices.uploads.fields import Version
from virtual_devices.uploads.rows import KEPT

from .data_centre import Here, visit_facts, visit_file
from .desk import NOW_NS

DAY_NS = 86_400 * NS
SAMS = {"clinic": "SAM000000001", "pharmacy": "SAM000000002"}


@pytest.fixture
def here() -> Here:
    found = Here()
    found.clock.advance_to(NOW_NS + 3600 * NS)
    return found


def begun(here: Here, person: int = 0, by: str = "clinic") -> str:
    body = {"card_no": here.people[person].card_no, "visit_type": "01"}
    headers = {"Idempotency-Key": f"visit-{person}-{here.clock.now_ns()}"}
    identifier: str = here.asked("POST", "/v1/visits", by, json=body, headers=headers).json()["identifier"]
    return identifier


def sent(here: Here, raw: bytes, by: str = "clinic", **query: str) -> Any:
    xml = {"Content-Type": "application/xml"}
    return here.asked("POST", "/v1/uploads", by, content=raw, headers=xml, params={"sam": SAMS.get(by, "")} | query)


def late(here: Here, by: str = "clinic") -> list[Any]:
    found: list[Any] = here.asked("GET", "/v1/visits/late", by).json()["late"]
    return found


def kept(here: Here) -> list[Any]:
    return list(here.centre.books.shelf(KEPT))


@pytest.mark.parametrize("version", list(Version))
def test_upload_counts_once_and_settles_its_visit(here: Here, version: Version) -> None:
    raw = visit_file(visit_facts(here.people[0], here.clock.now_ns(), begun(here)), version=version)
    first, again = sent(here, raw).json(), sent(here, raw).json()
    assert (first["valid_visits"], first["error_codes"], first["version"], first["again"]) == (1, [], version.value, False)
    assert again == first | {"again": True} and len(kept(here)) == 1
    here.clock.advance_to(here.clock.now_ns() + 2 * DAY_NS)
    assert late(here) == []


def test_report_can_be_fetched_by_its_institution_only(here: Here) -> None:
    report = sent(here, visit_file(visit_facts(here.people[0], here.clock.now_ns(), begun(here)))).json()
    path = f"/v1/uploads/{report['opcode']}"
    assert here.asked("GET", path, "clinic").json() == report | {"again": True}
    assert here.asked("GET", path, "pharmacy").status_code == 404


def test_failed_record_is_told_in_both_languages_and_leaves_its_visit_missing(here: Here) -> None:
    facts = visit_facts(here.people[0], here.clock.now_ns(), begun(here), professional_id="Z199999999")
    (record,) = sent(here, visit_file(facts)).json()["results"]
    (finding,) = record["findings"]
    assert (record["accepted"], finding["code"], finding["effect"]) == (False, "13", "record")
    assert finding["en"] and finding["zh"] and finding["en"] != finding["zh"]
    here.clock.advance_to(here.clock.now_ns() + DAY_NS + NS)
    (missing,) = late(here)
    assert (missing["stored"], missing["failed"]) == ("", "13")


def test_late_record_is_named_with_the_time_of_its_coming(here: Here) -> None:
    at_ns, identifier = here.clock.now_ns(), begun(here)
    here.clock.advance_to(at_ns + DAY_NS + 60 * NS)
    (missing,) = late(here)
    sent(here, visit_file(visit_facts(here.people[0], at_ns, identifier)))
    (came,) = late(here)
    assert (missing["identifier"], missing["stored"]) == (came["identifier"], "") == (identifier, "") and came["stored"]
    assert late(here, "pharmacy") == [] and len(late(here, "officer")) == 1


def test_pre_check_counts_nothing_and_is_told_later(here: Here) -> None:
    raw = visit_file(visit_facts(here.people[0], here.clock.now_ns(), begun(here)))
    told = sent(here, raw, kind="pre-check").json()
    path = f"/v1/uploads/{told['opcode']}"
    assert told["results"] == [] and kept(here) == [] and here.asked("GET", path, "clinic").status_code == 409
    here.clock.advance_to(here.clock.now_ns() + 3600 * NS)
    assert here.asked("GET", path, "clinic").json()["valid_visits"] == 1
    assert sent(here, raw, kind="formal").json()["valid_visits"] == 1 and len(kept(here)) == 1


def test_institution_uploads_for_itself_with_its_own_sam(here: Here) -> None:
    raw = visit_file(visit_facts(here.people[0], here.clock.now_ns(), begun(here)))
    foreign = sent(here, raw, "pharmacy").json()  # the clinic's record, sent by the pharmacy
    assert "07" in foreign["error_codes"] and foreign["valid_visits"] == 0
    refused = sent(here, raw, "pharmacy", sam="SAM000000001")
    assert (refused.status_code, refused.json()["code"], refused.json()["space"]) == (422, "5004", "upload-api")
    assert sent(here, raw, "officer").status_code == 403


def test_what_is_no_xml_is_refused_or_returned_whole(here: Here) -> None:
    wrong = here.asked("POST", "/v1/uploads", "clinic", content=b"{}", params={"sam": "SAM000000001"})
    assert wrong.status_code == 415
    report = sent(here, b"nonsense").json()
    assert report["returned"] and report["findings"][0]["code"] == "Y001" and report["results"] == []


def test_figures_stand_beside_the_bars(here: Here) -> None:
    identifier = begun(here)
    sent(here, visit_file(visit_facts(here.people[0], here.clock.now_ns(), identifier)))
    figures = here.asked("POST", "/v1/uploads/figures/of-month", "clinic", json={"claimed": [identifier, "1" * 20]}).json()
    assert (figures["records"], figures["timely"], figures["matched"], figures["matched_share"]) == (1, 1, 1, 0.5)
    assert figures["timely_enough"] and not figures["matched_enough"]


def test_one_file_of_many_people_has_an_entry_of_each_in_the_audit_log(here: Here) -> None:
    facts = [visit_facts(who, here.clock.now_ns(), begun(here, n)) for n, who in enumerate(here.people)]
    before = here.centre.desks.audit.size
    report = sent(here, visit_file(*facts)).json()
    assert report["valid_visits"] == 3 and here.centre.desks.audit.size == before + 3
    for who in here.people:
        assert here.centre.desks.audit.about(who.card_no)[-1].entry.what == "upload-formal"


def test_second_record_of_one_visit_changes_nothing_of_the_visit(here: Here) -> None:
    at_ns, identifier = here.clock.now_ns(), begun(here)
    facts = visit_facts(here.people[0], at_ns, identifier)
    sent(here, visit_file(facts))
    sent(here, visit_file(replace(facts, diagnoses=("I10",))))
    assert len(kept(here)) == 1 and len(list(here.centre.core.records)) == 1
