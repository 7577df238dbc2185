"""What officers do over HTTP: cards, authorizations, emergency accesses, the audit log."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from bench.datacentre.audit_check import check
from bench.datacentre.audit_files import read
from virtual_devices.clock import NS
from virtual_devices.cloud.audit import read_head
from virtual_devices.cloud.emergency import ACCOUNT_S, Access, Reason
from virtual_devices.cloud.identification import Given
from virtual_devices.cloud.journal import Asker, Request
from virtual_devices.lifecycle import Party
from virtual_devices.pki import ChainVerifier

from .card_office import phone
from .data_centre import Here
from .desk import AUTHORITY, INSTITUTION, NOW_NS

KEYS = count(1)


@pytest.fixture
def here() -> Iterator[Here]:
    yield Here()


def did(here: Here, path: str, body: Any, *, key: str = "") -> Any:
    headers = {"Idempotency-Key": key or f"officer-act-{next(KEYS)}"}
    return here.asked("POST", path, "officer", json=body, headers=headers)


def with_phone(here: Here, number: int = 0) -> str:
    """The name of a virtual card in use, of one of the invented people."""
    who, of, cards = here.people[number], phone(f"phone {number}"), here.centre.cards
    for_them = Given(id_no=who.holder.id_no, certified_id_no=who.holder.id_no)
    asker = Asker(Party.HOLDER, who.card_no)
    applied = cards.apply(Request(bytes([number]) * 16, asker, NOW_NS), who.card_no, for_them, of)
    assert cards.activate(Request(bytes([number + 100]) * 16, asker, NOW_NS), applied.cards[0], of.key).ok
    return applied.cards[0]


def state(here: Here, name: str) -> str:
    found: str = did(here, "/v1/cards/state", {"name": name}).json()["state"]
    return found


def test_ticket_is_given_to_whoever_has_the_papers(here: Here) -> None:
    who = here.people[0]
    papers = {"card_no": who.card_no, "id_no": who.holder.id_no, "birth_date": who.holder.birth_date.isoformat()}
    ticket = did(here, "/v1/cards/tickets", papers).json()["ticket"]
    assert here.centre.office.tickets[ticket] == (who.card_no, "officer 1")
    wrong = did(here, "/v1/cards/tickets", papers | {"id_no": here.people[1].holder.id_no})
    assert (wrong.status_code, wrong.json()["code"]) == (403, "5020") and len(here.centre.office.tickets) == 1
    assert did(here, "/v1/cards/tickets", papers | {"card_no": "9" * 12}).status_code == 404


def test_card_is_suspended_resumed_and_recalled(here: Here) -> None:
    name = with_phone(here)
    assert did(here, "/v1/cards/suspend", {"name": name}).json() == {"cards": [name]}
    assert state(here, name) == "suspended"
    assert did(here, "/v1/cards/resume", {"name": name}).status_code == 200 and state(here, name) == "active"
    again = [did(here, "/v1/cards/recall", {"name": name, "why": "test"}, key="recall-once").status_code for _ in range(2)]
    assert again == [200, 200] and state(here, name) == "recalled"
    refused = did(here, "/v1/cards/resume", {"name": name})
    assert refused.status_code in (403, 422) and refused.json()["title_zh"]
    assert did(here, "/v1/cards/suspend", {"name": "V9999999999"}).status_code in (404, 422)


def test_lost_cards_are_listed_as_lost(here: Here) -> None:
    name, card_no = with_phone(here), here.people[0].card_no
    lost = {"card_no": card_no, "id_no": here.people[0].holder.id_no, "what": ["virtual", "physical"]}
    assert did(here, "/v1/cards/report-lost", lost | {"id_no": here.people[1].holder.id_no}).status_code == 403
    assert did(here, "/v1/cards/report-lost", lost).status_code == 200
    listed = did(here, "/v1/cards/list", {"card_no": card_no}).json()["cards"]
    assert {one["name"]: one["state"] for one in listed}[name] == "lost" and len(listed) == 2
    assert did(here, "/v1/cards/list", {"card_no": "9" * 12}).status_code == 404


def test_authorization_is_granted_listed_and_withdrawn(here: Here) -> None:
    ward, guardian = here.people[1].card_no, here.people[0].card_no
    with_phone(here, 0)
    wanted = {
        "ward": ward, "guardian": guardian, "relation": "court guardian", "ground": "a court's order", "scope": ["basic", "log"],
        "begins": "2026-03-02T08:00:00+08:00", "ends": "2026-06-01T00:00:00+08:00", "order": "court 1",
    }
    granted = did(here, "/v1/authorizations", wanted)
    assert granted.status_code == 201
    (listed,) = did(here, "/v1/authorizations/list", {"ward": ward}).json()["authorizations"]
    assert (listed["authorization"], listed["scope"]) == (granted.json()["authorization"], ["basic", "log"])
    assert did(here, "/v1/authorizations/withdraw", granted.json()).status_code == 200
    assert did(here, "/v1/authorizations/list", {"guardian": guardian}).json()["authorizations"] == []
    by_ward = wanted | {"relation": "family", "ground": "the ward's own will", "id_no": here.people[1].holder.id_no}
    assert did(here, "/v1/authorizations", by_ward).status_code == 201
    without_order = did(here, "/v1/authorizations", wanted | {"order": ""})
    assert (without_order.status_code, without_order.json()["code"]) == (403, "4029")


def test_unaccounted_emergency_is_told_to_its_institution_and_to_officers(here: Here) -> None:
    emergencies = here.centre.desks.emergencies
    emergencies.accesses.put(Access(bytes(16), INSTITUTION, "A123456789", Reason.NO_CARD, NOW_NS, here.people[0].card_no))
    here.clock.advance_to(NOW_NS + (ACCOUNT_S + 1) * NS)
    for by, number in (("clinic", 1), ("pharmacy", 0), ("officer", 1)):
        assert len(here.asked("GET", "/v1/emergencies/unaccounted", by).json()["accesses"]) == number
    (seen,) = did(here, "/v1/emergencies/of", {"card_no": here.people[0].card_no}).json()["accesses"]
    assert (seen["institution"], seen["accounted"]) == (INSTITUTION, "")


def test_audit_log_is_handed_out_and_verifies(here: Here, tmp_path: Path) -> None:
    card_no = here.people[0].card_no
    here.asked("POST", "/v1/eligibility", "clinic", json={"card_no": card_no})
    early = read_head(here.asked("GET", "/v1/audit/head", "clinic").content, ChainVerifier(AUTHORITY.root_der))
    whole = here.asked("GET", f"/v1/audit/log?since={early.size}", "officer")
    mine = here.asked("POST", "/v1/audit/about", "officer", json={"card_no": card_no})
    for number, answer in enumerate((whole, mine)):
        path = tmp_path / f"{number}.jsonl"
        path.write_bytes(answer.content)
        found = check(read([path]), ChainVerifier(AUTHORITY.root_der))
        assert found.wrong == [] and found.proved
    assert card_no not in whole.text and '"what":"eligibility"' in mine.text
    inclusion = here.asked("GET", f"/v1/audit/proofs/inclusion?number=0&size={early.size}", "clinic").json()
    assert inclusion["root"] == early.root.hex()
    assert here.asked("GET", "/v1/audit/proofs/consistency?old=1&size=99999", "clinic").status_code == 404
    assert here.asked("GET", "/v1/audit/log?since=99999", "officer").status_code == 404
