"""Our data centre before software under test: who is heard, what becomes of requests, another one for each case."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from typing import Any

import cbor2
import httpx2
import pytest

from bench.reach.served_centre import ServedCentre
from conformance.references.desks import payload_of
from conformance.town import clinic
from conformance.vectors.world import CARD_NO, World
from virtual_devices import cose
from virtual_devices.pki import sign

WORLD = World(1)
COSE = {"Content-Type": "application/cose"}


@pytest.fixture(scope="module")
def there() -> Iterator[ServedCentre]:
    made = ServedCentre(WORLD, "served")
    yield made
    made.close()


@pytest.fixture
def client(there: ServedCentre, request: pytest.FixtureRequest) -> Iterator[httpx2.Client]:
    there.anew(WORLD, request.node.name)
    context = ssl.create_default_context(cafile=str(there.credentials / "ca.pem"))
    context.load_cert_chain(str(there.credentials / "clinic.pem"), str(there.credentials / "clinic.key"))
    with httpx2.Client(base_url=there.url, verify=context, trust_env=False, timeout=20) as made:
        yield made


def message(operation: str, arguments: dict[str, Any], number: int = 1) -> bytes:
    place = clinic(WORLD)
    body = {1: 1, 2: operation, 3: number.to_bytes(16, "big"), 4: place.institution, 5: place.sam_id, 6: WORLD.now_ns,
            7: arguments}
    payload = cbor2.dumps(body, canonical=True)
    signature = sign(place.sam.key, cose.sig_structure(cose.PROTECTED_ES256, payload))
    return cose.Sign1(cose.PROTECTED_ES256, {cose.X5CHAIN: list(place.sam.chain)}, payload, signature).to_bytes()


def visit(client: httpx2.Client, key: str = "key-0001") -> httpx2.Response:
    return client.post("/v1/visits", json={"card_no": CARD_NO, "visit_type": "01"}, headers={"Idempotency-Key": key})


def test_desks_message_is_answered_and_heard_as_it_came(there: ServedCentre, client: httpx2.Client) -> None:
    raw = message("eligibility", {"card_no": CARD_NO})
    answer = client.post("/v1/messages/desk", content=raw, headers=COSE)
    assert payload_of(answer.content)[8] == "0"
    assert there.heard() == [raw] and there.heard() == []


def test_request_to_a_resource_is_heard_as_a_desk_would_have_said_it(there: ServedCentre, client: httpx2.Client) -> None:
    assert visit(client).json()["identifier"]
    assert client.post("/v1/eligibility", json={"card_no": CARD_NO}).status_code == 200
    client.post("/v1/uploads", params={"sam": "SAM000000001"}, content=b"<x/>", headers={"Content-Type": "text/xml"})
    client.get("/v1/visits/late")
    client.get("/health")
    said = [payload_of(raw) for raw in there.heard()]
    assert [one[2] for one in said] == ["begin-visit", "eligibility", "upload", "GET /v1/visits/late"]
    assert said[0][7]["card_no"] == CARD_NO and said[2][7]["part"] == b"<x/>"


@pytest.mark.parametrize("fate", ["lost", "reply lost"])
def test_request_or_answer_is_lost(there: ServedCentre, client: httpx2.Client, fate: str) -> None:
    there.line_is([fate])
    with pytest.raises(httpx2.RemoteProtocolError):
        visit(client)
    assert len(there.heard()) == 1
    again = visit(client).json()
    assert again["identifier"] and (len(there.officer.late(clinic(WORLD).institution)) == 0)
    assert payload_of(there.heard()[0])[2] == "begin-visit"


def test_line_that_is_down_answers_nothing_and_then_everything(there: ServedCentre, client: httpx2.Client) -> None:
    there.line_is([], down=True)
    for _ in range(3):
        with pytest.raises(httpx2.RemoteProtocolError):
            client.post("/v1/messages/desk", content=message("time", {}), headers=COSE)
    assert client.get("/health").status_code == 200
    there.line_is([])
    assert client.post("/v1/messages/desk", content=message("time", {}), headers=COSE).status_code == 200


def test_signed_answer_is_spoilt_as_in_process(there: ServedCentre, client: httpx2.Client) -> None:
    centre = there.line._identity.key.public_key()
    for fate, genuine, code in (("forged", False, "0"), ("refuses 9060", True, "9060"), ("", True, "0")):
        there.line_is([fate])
        answer = cose.decode(client.post("/v1/messages/desk", content=message("time", {}), headers=COSE).content)
        assert answer.verify(centre) is genuine, fate
        assert cbor2.loads(answer.payload or b"")[8] == code


def test_resources_answer_is_refused_altered_or_none(there: ServedCentre, client: httpx2.Client) -> None:
    there.line_is(["refuses 9060", "without identifier", "odd sequence", "noise", "forged"])
    refused = visit(client)
    assert (refused.status_code, refused.json()["code"]) == (422, "9060")
    assert "identifier" not in visit(client).json()
    assert visit(client).json()["sequence"] == 7
    with pytest.raises(ValueError, match="codec"):
        visit(client).json()
    with pytest.raises(httpx2.RemoteProtocolError):
        visit(client)


def test_each_case_begins_with_another(there: ServedCentre, client: httpx2.Client) -> None:
    first = visit(client).json()
    there.line_is([], down=True)
    there.anew(WORLD, "another")
    assert there.heard() == []
    assert client.get(f"/v1/visits/{first['identifier']}").status_code == 404


def test_who_is_no_institution_is_not_heard(there: ServedCentre, client: httpx2.Client) -> None:
    context = ssl.create_default_context(cafile=str(there.credentials / "ca.pem"))
    with httpx2.Client(base_url=there.url, verify=context, trust_env=False) as stranger:
        assert stranger.get("/v1/visits/late").status_code == 401
    assert there.heard() == []


def test_other_institutions_ask_whatever_the_line_is(there: ServedCentre, client: httpx2.Client) -> None:
    there.line_is([], down=True)
    assert payload_of(there.tell_centre(message("time", {})))[8] == "0"
    assert there.heard() == []
