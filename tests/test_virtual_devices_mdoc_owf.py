"""@owf/mdoc, which we did not write, as judge of our requests, as a reader at our wallet, and as issuer and wallet at our reader.

Its word on a reader is about ``readerAuth`` alone: it checks no reader's chain and knows no ``readerAuthAll``.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from virtual_devices import vhc
from virtual_devices.authentication import Party
from virtual_devices.cose import X5CHAIN, Sign1, make_sign1
from virtual_devices.holder.refusals import code
from virtual_devices.link import Work
from virtual_devices.mdoc import request, response, session
from virtual_devices.mdoc.request import V1_0, DeviceRequest, DocRequest, items_request, signed_by_reader
from virtual_devices.mdoc.response import Believed
from virtual_devices.mdoc.session import Cipher, Side, Transcript
from virtual_devices.mdoc.tagged import embed
from virtual_devices.pki import DAY_NS, Refused, Role, Trouble
from virtual_devices.randomness import private_key
from virtual_devices.wallet.consent import Use

from .desk import AUTHORITY, INSTITUTION, NOW_NS, SAM_ID, STRANGER
from .judged import Presentation, every_byte, flipped, judged, presentation, private_cose
from .test_virtual_devices_mdoc_annex_d import transcript as annex_d_transcript
from .test_virtual_devices_mdoc_annex_d import vector
from .wallets import EVERYTHING, PHONE_PIN, WalletBench

pytestmark = pytest.mark.needs("judges")
READER_AUTH = "Signature is invalid on the reader auth"
"""The judge's name for this check, also where it passes."""
DEVICE_AUTH = "Device signature must be valid"
SAM, SIGNER = AUTHORITY.issue(Role.SAM, SAM_ID, organisation=INSTITUTION), AUTHORITY.issue(Role.DOCUMENT_SIGNER, "another maker")
SAM_CHAIN = AUTHORITY.renew(Role.SAM, SAM_ID, SAM.key.public_key(), NOW_NS, organisation=INSTITUTION)
STRANGE_SAM = STRANGER.issue(Role.SAM, SAM_ID, organisation=INSTITUTION)
STRANGE_CHAIN = STRANGER.renew(Role.SAM, SAM_ID, STRANGE_SAM.key.public_key(), NOW_NS, organisation=INSTITUTION)
DEVICE, READER = private_key("tests", "a phone of another maker"), private_key("tests", "a reader of another maker")
ASKED = {vhc.BASIC: {"name": False, "card_no": True, "id_no": True}, vhc.MEDICAL: {"allergies": False}}
SHOWN = {vhc.BASIC: {"name": "林美玲", "sex": "F"}}


# -- our requests before the judge

@cache
def ours() -> Presentation:
    return presentation()


def read_request(name: str, raw: bytes, seen: Transcript) -> dict[str, Any]:
    return {"name": name, "do": "read request", "request": raw.hex(), "transcript": seen.encoded.hex()}


def with_a_batch() -> bytes:
    """A request that writes: ``requestInfo`` is signed with the rest."""
    items = items_request(vhc.DOCTYPE, vhc.REGISTRATION, {vhc.WRITE_INFO: embed(b"\xa1\x01\x01")})
    auth = make_sign1(SAM.key, signed_by_reader(items, ours().transcript), {X5CHAIN: list(SAM_CHAIN)}, detached=True)
    return DeviceRequest(V1_0, (DocRequest(items, auth),)).to_bytes()


def good_requests() -> list[dict[str, Any]]:
    return [
        read_request("SAM and physician, over NFC", ours().request, ours().transcript),
        read_request("SAM, with a batch", with_a_batch(), ours().transcript),
        read_request("annex D", vector("device_request"), annex_d_transcript()),
    ]


def spoilt_requests() -> list[dict[str, Any]]:
    raw, seen = ours().request, ours().transcript
    (document,) = request.read(raw).documents
    auth, whole = document.auth, request.read(raw)
    assert auth is not None and seen.handover is not None
    other_chain = replace(auth, unprotected={X5CHAIN: list(whole.auth_all[1].chain)})
    (standard,) = request.read(vector("device_request")).documents
    assert isinstance(standard.auth, Sign1)
    made = {f"signature, byte {at}": spoilt for at, spoilt in enumerate(every_byte(raw, auth.signature))} | {
        "another element": flipped(raw, b"\x67card_no", 7), "kept, not only shown": flipped(raw, b"\x64name\xf4", 5),
        "the batch": with_a_batch().replace(b"\x43\xa1\x01\x01", b"\x43\xa1\x01\x02"),
        "another's certificate": whole.with_auth(0, other_chain).to_bytes(),
    }
    hs, hr = seen.handover
    sessions = {
        "another engagement": Transcript(seen.engagement[:-1] + b"\xf4", seen.reader_key_bytes, seen.handover),
        "another handover": Transcript(seen.engagement, seen.reader_key_bytes, (hs[:-1] + bytes((hs[-1] ^ 1,)), hr)),
        "another reader's key": Transcript(seen.engagement, session.key_bytes(READER.public_key()), seen.handover),
    }
    return [
        *(read_request(name, spoilt, seen) for name, spoilt in made.items()),
        *(read_request(name, raw, other) for name, other in sessions.items()),
        read_request("annex D, spoilt", flipped(vector("device_request"), standard.auth.signature, 40), annex_d_transcript()),
    ]


# -- its requests before our wallet

class AtOurWallet:
    """A phone with a QR code on its screen, and a session with a reader that this test speaks for."""

    def __init__(self) -> None:
        phone = WalletBench().phone
        phone.holder.enter_pin(PHONE_PIN, NOW_NS)
        phone.arm(Use.REGISTRATION, EVERYTHING, NOW_NS)
        self.session = phone.engage()
        self.transcript = Transcript(self.session.engagement.raw, session.key_bytes(READER.public_key()))

    def answer(self, plain: bytes) -> bytes:
        cipher = Cipher(READER.exchange(ec.ECDH(), self.session.engagement.key), self.transcript, Side.READER)
        sealed = session.establishment(self.transcript.reader_key_bytes, cipher.seal(plain))
        data = session.read_data(self.session.handle(sealed, NOW_NS)).data
        assert data is not None
        return cipher.open(data)


@cache
def at_wallet() -> AtOurWallet:
    return AtOurWallet()


def ask(name: str, key: ec.EllipticCurvePrivateKey, chain: tuple[bytes, ...], seen: Transcript) -> dict[str, Any]:
    return {
        "name": name, "do": "ask", "doctype": vhc.DOCTYPE, "elements": ASKED, "transcript": seen.encoded.hex(),
        "key": private_cose(key).hex(), "chain": [der.hex() for der in chain],
    }


def asked() -> list[dict[str, Any]]:
    seen = at_wallet().transcript
    return [
        ask("asks", SAM.key, SAM_CHAIN, seen), ask("asks with another's certificate", STRANGE_SAM.key, SAM_CHAIN, seen),
        ask("asks from outside", STRANGE_SAM.key, STRANGE_CHAIN, seen),
        ask("asked elsewhere", SAM.key, SAM_CHAIN, ours().transcript),
    ]


# -- its issuer and wallet before our reader

def answered(name: str, own: dict[str, Any]) -> dict[str, Any]:
    wanted = items_request(vhc.DOCTYPE, {space: dict.fromkeys(values, False) for space, values in SHOWN.items()})
    return {
        "name": name, "do": "answer", "request": DeviceRequest(V1_0, (DocRequest(wanted),)).to_bytes().hex(),
        "transcript": ours().transcript.encoded.hex(), "elements": SHOWN, "own": own, "authorized": [vhc.RECORDS],
        "device": private_cose(DEVICE).hex(), "issuer": private_cose(SIGNER.key).hex(), "chain": [c.hex() for c in SIGNER.chain],
        "signedMs": NOW_NS // 10**6, "untilMs": (NOW_NS + 30 * DAY_NS) // 10**6,
    }


@pytest.fixture(scope="module")
def answers() -> dict[str, Any]:
    """One process for everything that needs no answer of ours first."""
    theirs = [answered("shows", {vhc.RECORDS: {"generation": 7}}), answered("shows too much", {vhc.MEDICAL: {"allergies": []}})]
    return judged("owf.cjs", [*good_requests(), *spoilt_requests(), *asked(), *theirs])


def test_reader_authentication_is_accepted(answers: dict[str, Any]) -> None:
    for case in good_requests():
        assert answers[case["name"]] == {"passed": [READER_AUTH], "failed": [], "error": ""}, case["name"]


def test_spoilt_reader_authentication_is_refused(answers: dict[str, Any]) -> None:
    cases = [case["name"] for case in spoilt_requests()]
    assert len(cases) == 64 + 4 + 3 + 1
    assert {name: answers[name] for name in cases if answers[name]["failed"] != [READER_AUTH]} == {}


def test_its_request_is_answered_with_what_a_sam_alone_may_read(answers: dict[str, Any]) -> None:
    raw = bytes.fromhex(answers["asks"]["made"])
    assert request.read(raw).version == V1_0
    plain = at_wallet().answer(raw)
    (document,) = response.read(plain).documents
    basic = document.issued.values()[vhc.BASIC]
    assert (set(basic), basic["name"]) == ({"name", "card_no", "id_no"}, "王小明")
    assert document.errors == {vhc.MEDICAL: {"allergies": code(Party.HPC, Trouble.MISSING)}}
    assert isinstance(document.device.auth, Sign1)
    case = {
        "do": "read response", "transcript": at_wallet().transcript.encoded.hex(), "roots": [AUTHORITY.iaca_der.hex()],
        "nowMs": NOW_NS // 10**6,
    }
    spoilt = flipped(plain, document.device.auth.signature, 30)
    verdicts = judged("owf.cjs", [
        {**case, "name": "good", "response": plain.hex()}, {**case, "name": "spoilt", "response": spoilt.hex()},
        {**case, "name": "another root", "response": plain.hex(), "roots": [STRANGER.iaca_der.hex()]},
    ])
    assert (verdicts["good"]["failed"], verdicts["good"]["error"]) == ([], "") and DEVICE_AUTH in verdicts["good"]["passed"]
    assert verdicts["spoilt"]["failed"] == [DEVICE_AUTH]
    assert verdicts["another root"]["failed"] == ["Issuer certificate must be valid"]


@pytest.mark.parametrize("name", ["asks with another's certificate", "asks from outside", "asked elsewhere"])
def test_its_request_is_refused_when_the_reader_is_not_proved(answers: dict[str, Any], name: str) -> None:
    phone = AtOurWallet()
    assert phone.transcript == at_wallet().transcript, "the same phone, the same session"
    answer = response.read(phone.answer(bytes.fromhex(answers[name]["made"])))
    assert (answer.documents, answer.errors) == ((), {vhc.DOCTYPE: code(Party.SAM, Trouble.FORGED)})


def believe(raw: bytes, seen: Transcript) -> Believed | Refused:
    (document,) = response.read(raw).documents
    return response.believe(document, seen, AUTHORITY.verifier(), NOW_NS, Work())


def test_its_wallet_is_believed_with_the_credential_it_issued(answers: dict[str, Any]) -> None:
    found = believe(bytes.fromhex(answers["shows"]["made"]), ours().transcript)
    assert isinstance(found, Believed)
    assert (found.values, found.device_values) == (SHOWN, {vhc.RECORDS: {"generation": 7}})
    assert found.signer.subject_id == "another maker"


def test_its_wallet_is_refused_when_one_bit_is_changed(answers: dict[str, Any]) -> None:
    raw, seen = bytes.fromhex(answers["shows"]["made"]), ours().transcript
    (document,) = response.read(raw).documents
    assert isinstance(document.device.auth, Sign1)
    spoilt = [
        *every_byte(raw, document.device.auth.signature), flipped(raw, document.issued.auth.signature), flipped(raw, b"\x61F", 1),
        flipped(raw, b"\x6ageneration\x07", 11),
    ]
    verdicts = [believe(made, seen) for made in spoilt]
    verdicts.append(believe(raw, Transcript(seen.engagement, seen.reader_key_bytes)))
    assert [v for v in verdicts if not (isinstance(v, Refused) and v.trouble is Trouble.FORGED)] == []


def test_its_wallet_may_not_say_itself_what_the_issuer_did_not_let_it(answers: dict[str, Any]) -> None:
    found = believe(bytes.fromhex(answers["shows too much"]["made"]), ours().transcript)
    assert isinstance(found, Refused) and found.trouble is Trouble.WRONG_ROLE
