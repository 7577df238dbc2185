"""The whole log of a busy session, at debug level, faults and error pages included, searched for everything that was sent."""

from __future__ import annotations

import base64
import json
import logging
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cbor2
import pytest
from fastapi.routing import APIRoute

from bench.datacentre.credentials import CLINIC, pem
from bench.datacentre.database import open_books
from bench.datacentre.signing import envelope, upload_request
from bench.datacentre.web.routes import modules
from bench.datacentre.web.service import Service
from virtual_devices import cose
from virtual_devices.fhir.prescription import to_fhir
from virtual_devices.mdoc.cose_key import to_cose
from virtual_devices.pki import Role
from virtual_devices.randomness import private_key

from . import prescribed
from .data_centre import CALLERS, Here, visit_facts, visit_file
from .desk import AUTHORITY, DOCTOR_ID, NOW_NS
from .test_bench_datacentre_web_signed import with_certificates

PIN, TOKEN, OTHER_NAME, OTHER_ID, OTHER_PHONE = "246810", "VHT0123456789ABCDEF", "歐陽小美", "F223456788", "0933555777"
SAM, XML = "SAM000000001", {"Content-Type": "text/xml"}
OF_THE_CLIENT = ("httpx", "httpcore", "hypothesis", "asyncio")
"""Loggers of this test's own tools."""


class Session:
    """Everybody's requests to one data centre, and what was in them that nobody may find in a log."""

    def __init__(self, here: Here) -> None:
        self.here, self.secrets, self.keys = here, {PIN, TOKEN, OTHER_NAME, OTHER_ID, OTHER_PHONE}, 0
        for who in here.people:
            holder = who.holder
            self.secrets |= {who.card_no, holder.id_no, holder.name, who.household_no, who.phone_no}
            self.secrets.add(holder.birth_date.isoformat())
        for caller in CALLERS.values():
            self.secrets |= {line for line in pem(caller.chain[:1]).decode().splitlines() if len(line) == 64}

    def ask(self, method: str, path: str, by: str, **more: Any) -> Any:
        self.keys += 1
        headers = {"Idempotency-Key": f"secret-key-{self.keys}", **more.pop("headers", {})}
        self.secrets.add(headers["Idempotency-Key"])
        answer = self.here.asked(method, path, by, headers=headers, **more)
        assert answer.status_code != 500
        return answer

    def everything(self) -> None:
        """What succeeds: people, tickets, visits, uploads, signed calls, messages, prescriptions, the audit log."""
        who, ask = self.here.people[0], self.ask
        card = {"card_no": who.card_no}
        for path, by, body in self._acts(who):
            answer = ask("POST", path, by, json=body)
            assert answer.status_code < 300, (path, answer.text)
            self.secrets |= {str(value) for name, value in answer.json().items() if name in ("ticket", "authorization")}
        begun = ask("POST", "/v1/visits", "clinic", json=card | {"visit_type": "01"}).json()["identifier"]
        file = visit_file(visit_facts(who, NOW_NS, begun))
        assert ask("POST", f"/v1/uploads?sam={SAM}", "clinic", content=file, headers=XML).json()["valid_visits"] == 1
        signed = upload_request(AUTHORITY, CLINIC, SAM, file, NOW_NS, random=self.here.centre.fresh(16))
        self.secrets.add(signed["sSignature"][:60])
        assert [ask("POST", "/upload/V2000", "clinic", json=signed).json()["RtnCode"] for _ in range(2)] == ["0000", "66008"]
        for path in self.here.centre.software_60.paths:
            made = envelope(AUTHORITY, CLINIC, SAM, "03", NOW_NS, random=self.here.centre.fresh(16))
            body = made | {"patientId": who.holder.id_no, "hcIdNo": who.holder.id_no, "token": TOKEN, "pin": PIN}
            assert ask("POST", path, "clinic", json=body).status_code == 200
        rx = prescribed.rx(card_no=who.card_no)
        document = to_fhir(rx, DOCTOR_ID, signed=with_certificates(rx, prescribed.DOCTOR, prescribed.CLINIC))
        fhir = {"Content-Type": "application/fhir+json"}
        assert ask("POST", "/v1/prescriptions/documents", "clinic", content=json.dumps(document), headers=fhir).status_code == 200
        assert who.card_no in ask("POST", "/v1/prescriptions/fhir", "pharmacy", json={"id": rx.id.hex()}).text
        self._messages(who.card_no)

    @staticmethod
    def _acts(who: Any) -> list[tuple[str, str, dict[str, Any]]]:
        card, papers = {"card_no": who.card_no}, {"card_no": who.card_no, "id_no": who.holder.id_no}
        return [
            ("/v1/people", "officer", {
                "card_no": "000087654321", "name": OTHER_NAME, "id_no": OTHER_ID, "birth_date": "1988-05-04", "sex": "F",
                "household_no": "F7654321", "phone_no": OTHER_PHONE,
            }),
            ("/v1/eligibility", "clinic", card), ("/v1/cards/list", "officer", card),
            ("/v1/cards/tickets", "officer", papers | {"birth_date": who.holder.birth_date.isoformat()}),
            ("/v1/prescriptions/find", "clinic", card), ("/v1/emergencies/of", "officer", card),
            ("/v1/authorizations/list", "officer", {"ward": who.card_no}),
        ]

    def _messages(self, card_no: str) -> None:
        sam, phone = AUTHORITY.issue(Role.SAM, SAM, organisation=CLINIC), private_key("tests", "log phone")
        head = {1: 1, 3: bytes(16), 6: NOW_NS}
        desk = head | {2: "begin-visit", 4: CLINIC, 5: SAM, 7: {"card_no": card_no, "visit_type": "01", "carrier": "card"}}
        own = head | {2: "challenge", 4: to_cose(phone.public_key()), 7: {"card_no": card_no, "id_no": OTHER_ID}}
        cbor = {"Content-Type": "application/cose"}
        for path, body, key, header in (
            ("desk", desk, sam.key, {cose.X5CHAIN: list(sam.chain)}), ("phone", own, phone, {}),
        ):
            message = cose.sign1(key, cbor2.dumps(body, canonical=True), header)
            answer = self.ask("POST", f"/v1/messages/{path}", "clinic", content=message, headers=cbor)
            assert cose.decode(answer.content).payload_map()[8] == "0", (path, answer.content)  # type: ignore[index]

    def on_each_route(self, most: int, bodies: Sequence[str] = ("json", "text")) -> None:
        """Every route by an institution and an officer, with secrets in body, query and address; no status above ``most``."""
        stuffed = dict.fromkeys((
            "name", "id_no", "card_no", "why", "ticket", "order", "ward", "code", "signature", "clientRandom", "patientId", "pin",
            "token",
        ), "".join((OTHER_NAME, OTHER_ID, PIN, TOKEN)))
        for route in routes(self.here):
            parts = defaultdict(lambda: OTHER_ID, identifier="1" * 20, kind="cards", number="0", opcode="1" * 42)
            path = route.path.format_map(parts)
            for method in route.methods:
                for by in ("clinic", "officer"):
                    for body in bodies:
                        sent = {"json": stuffed} if body == "json" else {"content": OTHER_ID.encode(), "headers": XML}
                        answer = self.here.asked(method, f"{path}?sam={OTHER_ID}&x={TOKEN}", by, **sent)
                        assert answer.status_code <= most, (method, path, answer.status_code)

    def found_in(self, text: str) -> set[str]:
        """Secrets that are in a text, also as programs write them."""
        forms: tuple[Callable[[str], str], ...] = (
            str, lambda one: one.encode("unicode_escape").decode(), lambda one: json.dumps(one)[1:-1],
            lambda one: repr(one.encode())[2:-1], lambda one: one.encode().hex(),
            lambda one: base64.b64encode(one.encode()).decode().rstrip("=")[:-1],
        )
        return {one for one in self.secrets if any(form(one) in text for form in forms)}


def routes(here: Here) -> list[APIRoute]:
    routers = [module.router(Service(here.centre, here.clock)) for module in modules()]
    return [route for router in routers for route in router.routes if isinstance(route, APIRoute)]


def logged(caplog: pytest.LogCaptureFixture) -> str:
    formatter = logging.Formatter("%(name)s %(message)s")
    return "\n".join(formatter.format(one) for one in caplog.records if not one.name.startswith(OF_THE_CLIENT))


def test_busy_session_leaves_nobody_and_no_secret_in_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
) -> None:
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, "sqlalchemy")
    here = Here(books=open_books(tmp_path / "books.db"))
    session = Session(here)
    with here.many():
        session.everything()
        session.on_each_route(499)

    def torn(_: Any) -> Any:
        try:
            raise KeyError(f"{OTHER_NAME} {OTHER_ID} {PIN}")
        except KeyError as cause:
            raise RuntimeError(f"duplicate key (card_no)=({here.people[0].card_no}), token {TOKEN}") from cause

    monkeypatch.setattr(here.centre, "act", torn)
    refused = here.asked("POST", "/v1/eligibility", "clinic", json={"card_no": here.people[0].card_no})
    assert (refused.status_code, refused.json()["code"]) == (500, "9004") and not session.found_in(refused.text)
    with here.many():
        session.on_each_route(500, ["json"])
    text, printed = logged(caplog), capfd.readouterr()
    assert "POST /v1/people -> 201" in text and "builtins.RuntimeError" in text and "because of builtins.KeyError" in text
    assert session.found_in(text) == session.found_in(printed.out + printed.err) == set()


def test_search_finds_what_is_there() -> None:
    """The search itself can fail."""
    session = Session(Here())
    for form in (OTHER_NAME, json.dumps(OTHER_NAME), repr(OTHER_NAME.encode()), OTHER_NAME.encode().hex()):
        assert session.found_in(f"x {form} y") == {OTHER_NAME}
    assert session.found_in(base64.b64encode(OTHER_ID.encode()).decode()) == {OTHER_ID}
