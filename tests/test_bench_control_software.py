"""``vhc-bench present control-software``: three faces served on loopback, asked by a real HTTP client."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest
from click.testing import CliRunner

from bench.cli import main
from bench.counter import PIN, Counter
from bench.drivers import pcsc
from bench.presenters import hand as hand_module
from bench.presenters.control import Control, framed
from bench.presenters.control_server import ControlServer
from bench.presenters.control_software import LOG, ControlSoftwareServer, Guard
from bench.presenters.hand import Hand
from bench.presenters.images import save_image
from bench.presenters.turns import Turns
from bench.presenting import sample_card, sample_data
from bench.reader_link import ReaderLink
from bench.stacks.pcscd import PrivatePcscd
from virtual_devices.card.ic_card import IcCard
from virtual_devices.errors import LinkError, PeerError
from virtual_devices.link import Attempt, Link

from .places import ROOT
from .processes import wait_until
from .virtual_readers import presented, ready

ORIGIN = "https://his.example"
PORTS = {"kit": 0, "local": 0, "cloud": 0}
DATA = sample_data(1)
VISIT = {"treatmentItem": "01", "babyTreatment": "", "afterCheck": "1"}


@dataclass
class Served:
    """A running service and a client for each face."""

    server: ControlSoftwareServer
    counter: Counter
    turns: Turns
    client: httpx2.Client

    def ask(self, face: str, path: str, body: Any = None, method: str = "POST", **more: Any) -> httpx2.Response:
        return self.client.request(method, self.server.urls[face] + path, json=body, **more)

    def local(self, path: str, method: str = "POST", **body: Any) -> dict[str, Any]:
        answer = self.ask("local", path, body or None, method)
        assert answer.status_code == 200
        found: dict[str, Any] = answer.json()
        return found

    def signed(self, path: str, kind: str = "hc/v1/Signature/Hc", service: str = "03", **body: Any) -> dict[str, Any]:
        envelope = self.local(f"/api/{kind}", serviceType=service)
        assert envelope.pop("statusCode") == "0"
        found: dict[str, Any] = self.ask("cloud", path, {**envelope, **body}).json()
        return found


@contextmanager
def serving(limit_s: float = 60.0, origins: tuple[str, ...] = (ORIGIN,), card: Link | None = None) -> Iterator[Served]:
    counter, turns = Counter(1, outside={} if card is None else {"card": card}), Turns(limit_s)
    if card is None:
        counter.insert_sample()
    server = ControlSoftwareServer(counter, turns, ports=PORTS, origins=origins)
    up = threading.Event()
    thread = threading.Thread(target=server.run, args=(up.set,))
    thread.start()
    assert up.wait(60)
    trust = ssl.create_default_context(cadata=server.certificate.decode())
    try:
        with httpx2.Client(verify=trust, timeout=60) as client:
            yield Served(server, counter, turns, client)
    finally:
        server.stop()
        thread.join()


@pytest.fixture(scope="module")
def there() -> Iterator[Served]:
    with serving() as served:
        assert served.local("/api/common/v1/Initial")["statusCode"] == "0"
        yield served


def fresh(served: Served) -> str:
    """A code on the holder's screen, and no patient at the desk."""
    assert served.local("/api/hc/v1/Logout", "DELETE")["statusCode"] == "0"
    token: str = served.ask("cloud", "/bench/v1/phone/token").json()["token"]
    return token


def test_walk_in_over_real_https_from_the_code_to_the_signatures(there: Served) -> None:
    token = fresh(there)
    basic = there.local("/api/hc/v1/VirtualHc/ReadBasic", token=token)
    assert (basic["cardId"], basic["name"]) == (DATA.card_no, DATA.holder.name)
    assert there.local("/api/hc/v1/Verification/VirtualHc", token=token)["statusCode"] == "0"
    assert there.local("/api/hpc/v1/Verification/Hpc", pin=PIN)["statusCode"] == "0"
    begun = there.signed("/api/v1/SequelNumber/Next", **VISIT)
    assert begun["statusCode"] == "0" and begun["sequenceNumber"].startswith("W")
    when = begun["treatmentDateTime"]
    at = {"treatmentDateTime": when}
    written = there.signed("/api/v1/Treatment/WriteCodeFee", service="02", **at, mainCode="J069", outpatientFee="00000450")
    assert written == {"statusCode": "0"}
    lines = [{"treatmentDateTime": when, "treatmentItem": "1", "treatmentItemCode": "AC00000001"}]
    signed = there.signed("/api/v1/Prescription/Write", service="02", **at, prescriptions=lines)
    assert len(signed["hexSignatureItems"][0]) == 40
    read = there.signed("/api/v1/Prescription/Query", "hc/v1/Signature/HpcHc", "01")
    assert [row["treatmentDateTime"] for row in read["outpatientPrescriptions"]] == [when]


def test_kit_over_http_with_the_card_of_the_same_holder(there: Served) -> None:
    token = fresh(there)
    assert there.ask("kit", "/VHC/VHCcsOpenCom").json() == {"ERRORCODE": "0"}
    assert there.ask("kit", "/QRCodeReader/uploadqrcode", {"QRCodeString": token}).json() == {"ERRORCODE": "0"}
    buffer = there.ask("kit", "/VHC/VHChisGetBasicData", {}).json()["pBuffer"]
    assert len(buffer.encode("big5hkscs")) == 72 and buffer.startswith(DATA.card_no)
    assert there.ask("kit", "/VHC/VHCcsCloseCom").json() == {"ERRORCODE": "0"}


def test_consent_from_afar_is_given_on_the_phone(there: Served) -> None:
    asked = there.signed("/api/v1/TeleMedicine/RequestToken", "sam/v1/Signature", "01", patientId=DATA.holder.id_no)
    access = asked["accessToken"]
    fetch = ("/api/v1/TeleMedicine/ResponseToken", "sam/v1/Signature", "01")
    assert there.signed(*fetch, accessToken=access)["statusCode"] == "3239"
    assert there.ask("cloud", "/bench/v1/phone/consent", {"accessToken": access, "agreed": True}).json() == {"statusCode": "0"}
    assert there.signed(*fetch, accessToken=access)["virtualCardToken"].startswith("VHT")
    assert there.ask("cloud", "/bench/v1/phone/consent", {"accessToken": "none", "agreed": True}).json() == {"statusCode": "3237"}
    assert there.ask("cloud", "/bench/v1/phone/consent", {"agreed": "yes"}).json() == {"statusCode": "1704"}


def test_physical_card_is_changed_by_hand_and_noticed(there: Served) -> None:
    fresh(there)
    signed = there.local("/api/hc/v1/Signature/Hc", serviceType="03")
    assert signed["hcId"] == DATA.card_no
    there.turns.put(there.counter.slot.take).result()
    assert there.local("/api/hc/v1/Signature/Hc", serviceType="03")["statusCode"] == "4013"
    there.turns.put(there.counter.insert_sample).result()
    assert there.local("/api/hc/v1/Signature/Hc", serviceType="03")["hcId"] == DATA.card_no


@pytest.mark.parametrize("face", PORTS)
def test_what_is_no_request_is_answered_in_the_faces_words(there: Served, face: str) -> None:
    field, path = ("ERRORCODE", "/VHC/VHCcsOpenCom") if face == "kit" else ("statusCode", "/api/common/v1/Initial")
    path = path if face != "cloud" else "/api/v1/BasicData/Query"
    for content in (b"{", b"\xff\xfe", b"[" * 100_000, b'"' + b"x" * 300_000 + b'"'):
        answer = there.client.post(there.server.urls[face] + path, content=content)
        assert answer.status_code == 200 and answer.json() == {field: "1704"}
    assert there.ask(face, "/nowhere", {}).json() == {field: "1701"}
    assert there.ask(face, path, method="PATCH").status_code == 405


@pytest.mark.parametrize("face", PORTS)
def test_page_of_a_foreign_origin_or_host_is_refused_before_anything_is_done(there: Served, face: str) -> None:
    path = "/VHC/VHCcsOpenCom" if face == "kit" else "/api/common/v1/Initial"
    foreign = ("evil.example", "127.0.0.1.evil.example")
    for headers in (*({"host": name} for name in foreign), {"origin": "https://evil.example"}, {"origin": "null"}):
        answer = there.ask(face, path, {}, headers=headers)
        assert answer.status_code == 403 and "access-control-allow-origin" not in answer.headers
    preflight = there.ask(face, path, method="OPTIONS", headers={"origin": ORIGIN, "access-control-request-method": "POST"})
    assert preflight.status_code == 204 and preflight.headers["access-control-allow-origin"] == ORIGIN
    assert there.ask(face, path, {}, headers={"origin": ORIGIN}).headers["access-control-allow-origin"] == ORIGIN
    assert not Guard().refuses("localhost:5066", None) and not Guard().refuses("[::1]", None)
    assert Guard().refuses("", None) and Guard().refuses("localhost", ORIGIN)


def test_log_has_codes_and_no_person_token_or_pin(there: Served, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, LOG.name):
        token = fresh(there)
        there.local("/api/hc/v1/VirtualHc/ReadBasic", token=token)
        there.local("/api/hpc/v1/Verification/Hpc", pin="1357")
        there.ask("kit", f"/VHC/{DATA.holder.id_no}", {})
        there.signed("/api/v1/TreatmentNumber/NoCard", "sam/v1/Signature", patientId=DATA.holder.id_no)
    text = caplog.text
    assert "local POST /api/hc/v1/VirtualHc/ReadBasic -> 0" in text and "/api/hpc/v1/Verification/Hpc -> 1410" in text
    for secret in (token, "1357", DATA.holder.id_no, DATA.holder.name, DATA.card_no, DATA.holder.birth_roc):
        assert secret not in text


class Held:
    """A card that does not answer before it is let go."""

    def __init__(self, inner: Link) -> None:
        self._inner = inner
        self.channel, self.device, self.provenance = inner.channel, inner.device, inner.provenance
        self.asked, self.let_go = threading.Event(), threading.Event()

    def attempt(self, message: bytes, timeout_s: float) -> Attempt:
        self.asked.set()
        assert self.let_go.wait(60)
        return self._inner.attempt(message, timeout_s)


def test_slow_card_keeps_nobody_from_the_state_and_calls_take_turns() -> None:
    with serving(limit_s=0.5) as served:
        before = served.local("/api/common/v1/Status", "GET")
        assert wait_until(lambda: served.local("/api/common/v1/Initial")["statusCode"] in ("0", "1001"))
        session = served.counter._session
        held = Held(session.links["card"])
        session.links = {**session.links, "card": held}
        answers: list[dict[str, Any]] = []
        asker = threading.Thread(target=lambda: answers.append(served.local("/api/hc/v1/Signature/Hc", serviceType="03")))
        asker.start()
        assert held.asked.wait(30)
        assert served.local("/api/common/v1/Status", "GET") == before and served.turns.busy  # from memory, at once
        waited = served.local("/api/sam/v1/Signature", serviceType="03")  # its turn does not come in time
        asker.join()
        assert waited == {"statusCode": "1202"} and answers == [{"statusCode": "1202"}]
        held.let_go.set()
        assert wait_until(lambda: not served.turns.busy, 30)
        served.turns.limit_s = 30
        assert served.local("/api/hc/v1/Signature/Hc", serviceType="03")["statusCode"] == "0"


def test_hand_changes_the_card_over_the_control_channel(tmp_path: Path) -> None:
    control, turns = ControlServer("counter", tmp_path), Turns(5)
    counter = Counter(1, lambda number, image: save_image(control.state_folder, number, image))
    hand = Hand(control, counter, turns, ours=True)
    hand.start()
    try:
        counter.insert_sample()
        client = Control(control.path)
        assert (client.status()["card_no"], client.status()["medium"]) == (DATA.card_no, "control-software")
        image = client.eject()
        assert not client.status()["inserted"]
        with pytest.raises(PeerError, match="the slot is empty"):
            client.eject()
        with pytest.raises(PeerError, match="no card image"):
            client.insert(b"nonsense", DATA.card_no)
        other = sample_card(2)
        assert client.insert(other.to_image(), other.card_no) and client.status()["card_no"] == other.card_no
        assert client.insert(image, DATA.card_no) and (control.state_folder / f"{DATA.card_no}.image").exists()
        real = Hand(ControlServer("real", tmp_path), counter, turns, ours=False)
        real.start()
        with pytest.raises(PeerError, match="in a real reader"):
            Control(tmp_path / "real.sock").eject()
        real.stop()
    finally:
        hand.stop()
        turns.close()


def test_card_that_is_put_in_at_once_is_not_replaced_by_the_sample(tmp_path: Path) -> None:
    """Somebody has found the channel before the sample was in."""
    control, turns, counter = ControlServer("counter", tmp_path), Turns(5), Counter(1)
    hand, other = Hand(control, counter, turns, ours=True), sample_card(2)
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(30)

        def first() -> None:
            client.connect(str(control.path))
            client.sendall(framed({"op": "insert", "image": other.to_image(), "card_no": other.card_no}))
            counter.insert_sample()

        hand.start(first)
        try:
            assert client.recv(1)
            assert Control(control.path).status()["card_no"] == other.card_no
        finally:
            hand.stop()
            turns.close()


def test_exchange_that_is_too_late_is_not_done_behind_its_asker_s_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    control, turns = ControlServer("counter", tmp_path), Turns(5)
    counter, busy = Counter(1), threading.Event()
    hand = Hand(control, counter, turns, ours=True)
    hand.start()
    try:
        counter.insert_sample()
        client = Control(control.path)
        turns.put(busy.wait)
        with monkeypatch.context() as soon:
            soon.setattr(hand_module, "HAND_LIMIT_S", 0.0)
            with pytest.raises(PeerError, match="not done"):
                client.eject()
        busy.set()
        assert client.status()["inserted"]
    finally:
        busy.set()
        hand.stop()
        turns.close()


def test_call_that_is_answered_just_at_its_limit_is_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    async def just_then(work: Any, _: float) -> None:
        await work
        raise TimeoutError

    turns = Turns(5)
    with monkeypatch.context() as late:
        late.setattr(asyncio, "wait_for", just_then)
        assert asyncio.run(turns.take(lambda: "done")) == "done"
    turns.close()


@pytest.mark.needs("pcsc")
def test_card_in_a_real_reader_signs_and_its_leaving_is_noticed(tmp_path: Path) -> None:
    """Our card behind a real pcscd, in a virtual reader: the service knows nothing but a reader's name."""
    control = ControlServer("card", tmp_path)
    with PrivatePcscd(1) as daemon, presented(sample_card(1), daemon.ports[0], control, settle_s=0, load=IcCard.from_image):
        link = pcsc.open(daemon.readers[0], env=daemon.env)
        try:
            with serving(card=ReaderLink(link)) as served:
                assert served.local("/api/common/v1/Initial")["statusCode"] == "0"
                assert served.local("/api/hc/v1/Signature/Hc", serviceType="03")["hcId"] == DATA.card_no
                begun = served.signed("/api/v1/SequelNumber/Next", **VISIT)
                assert (begun["statusCode"], begun["sequenceNumber"]) == ("0", "0001")
                hand = ready(tmp_path, "card")
                image = hand.eject()
                assert served.local("/api/hc/v1/Signature/Hc", serviceType="03") == {"statusCode": "4013"}
                hand.insert(image, DATA.card_no)
                assert served.local("/api/hc/v1/Signature/Hc", serviceType="03")["statusCode"] == "0"
        finally:
            link.close()


def test_port_that_is_taken_is_said_and_the_others_are_given_back() -> None:
    with serving() as served:
        taken = int(served.server.urls["local"].rpartition(":")[2])
        with pytest.raises(LinkError, match=rf"127.0.0.1:{taken} cannot be served: .*choose another port"):
            ControlSoftwareServer(Counter(1), Turns(1), ports={"kit": 0, "local": taken, "cloud": 0})


@pytest.mark.parametrize(("args", "says"), [
    (["--host", "0.0.0.0"], "is not loopback"), (["--card", "auto"], "give 'virtual' or 'pcsc:NAME'"),
    (["--card", "pcsc:X", "--empty"], "--empty is for a virtual slot"), (["--sam", "nfc:usb"], "--sam 'nfc:usb': give"),
    (["--credentials", "here"], "give --data-centre"),
])
def test_command_refuses_what_cannot_be(args: list[str], says: str) -> None:
    done = CliRunner().invoke(main, ["present", "control-software", *args])
    assert done.exit_code == 2 and says in done.output


def test_command_serves_until_it_is_interrupted(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "bench.cli", "present", "control-software", "--kit-port", "0", "--local-port", "0",
               "--cloud-port", "0", "--certificate", str(tmp_path / "local.pem")]
    environ = {**os.environ, "XDG_RUNTIME_DIR": str(tmp_path)}
    with subprocess.Popen(command, cwd=ROOT, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stderr is not None
        urls = {}
        for line in process.stdout:
            face, _, url = line.strip().partition(": ")
            urls[face] = url
            if "Ctrl-C" in line:
                break
        trust = ssl.create_default_context(cafile=str(tmp_path / "local.pem"))
        answer = httpx2.get(urls["local"] + "/api/common/v1/Status", verify=trust, timeout=60)
        assert answer.json()["status"]["initialized"] is False
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0
        assert "Traceback" not in process.stderr.read()


def called(served: Served, name: str, **arguments: Any) -> dict[str, Any]:
    found: dict[str, Any] = served.ask("local", f"/bench/v1/call/{name}", {"arguments": arguments}).json()
    return found


def test_calls_of_the_manual_are_json_too() -> None:
    with serving() as served:
        assert called(served, "csOpenCom", Comport=0) == {"code": "0", "out": {}}
        found = called(served, "hisGetBasicData", pBuffer="00" * 72, iBufferLen=72)
        assert (found["code"], found["out"]["iBufferLen"]) == ("0", 72)
        assert DATA.card_no.encode().hex() == found["out"]["pBuffer"][:24]
        assert called(served, "hisGetBasicData", pBuffer="00" * 71, iBufferLen=71) == {"code": "6018", "out": {}}
        for wrong in ({}, {"pBuffer": "00"}, {"pBuffer": "0", "iBufferLen": 1}, {"pBuffer": 7, "iBufferLen": 72}):
            assert called(served, "hisGetBasicData", **wrong)["statusCode"] == "1704"
        assert called(served, "hisNothing")["statusCode"] == "1701"


def test_people_at_the_desk_type_what_they_are_told(tmp_path: Path) -> None:
    with serving() as served:
        hand = Hand(ControlServer("people", tmp_path), served.counter, served.turns, ours=True, urls=served.server.urls)
        hand.start()
        try:
            control = Control(tmp_path / "people.sock")
            assert control.status()["urls"] == served.server.urls
            assert called(served, "csOpenCom", Comport=0)["code"] == "0"
            assert called(served, "hpcVerifyHPCPIN")["code"] == "5109"  # nobody types anything
            control.people({"enter PIN": "000000"})
            assert called(served, "hpcVerifyHPCPIN")["code"] == "5102"
            control.people({"enter PIN": PIN})
            assert called(served, "hpcVerifyHPCPIN")["code"] == "0"
        finally:
            hand.stop()
