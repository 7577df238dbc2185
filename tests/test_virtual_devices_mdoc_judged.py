"""Device responses before @auth0/mdl and isomdoc, which we did not write: what our wallet shows is accepted, and every spoilt
bit refused.

pymdoccbor is not among the judges: it accepts a response with broken device authentication, so its word proves nothing alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import pytest

from virtual_devices import vhc
from virtual_devices.clock import NS
from virtual_devices.cose import Mac0, Sign1
from virtual_devices.mdoc import response
from virtual_devices.mdoc.response import Document
from virtual_devices.mdoc.session import Transcript, key_bytes
from virtual_devices.pki import DAY_NS
from virtual_devices.randomness import private_key

from .desk import AUTHORITY, NOW_NS, STRANGER
from .judged import Presentation, every_byte, flipped, judged, pem, presentation, private_cose, transcript_bytes
from .test_virtual_devices_mdoc_annex_d import key, vector
from .wallets import ISSUER, PLACE, card_holder

pytestmark = pytest.mark.needs("judges")
DEVICE, ANOTHER_READER = private_key("tests", "a device that may agree keys"), private_key("tests", "another reader")
ANNEX_D_NOW_NS = 1_612_137_600 * NS  # 2021-02-01: in the validity of its credential
CHAIN, ISSUER_SIGNATURE = "ISSUER_CERTIFICATE_VALIDITY", "ISSUER_SIGNATURE_VALIDITY"
SIGNATURE, MAC = "DEVICE_SIGNATURE_VALIDITY", "DEVICE_MAC_VALIDITY"
DIGEST, VALIDITY = "ATTRIBUTE_DIGEST_MATCH", "MSO_VALIDITY_AT_VERIFICATION_TIME"
"""The judge's own names of its checks."""


@cache
def signed() -> Presentation:
    """What a phone showed to a desk over NFC, signed by its device key."""
    return presentation()


@cache
def by_mac() -> bytes:
    """In the same session, all of a card whose key may do ECDH: a MAC in place of the signature."""
    issued = ISSUER.credential(card_holder(), DEVICE.public_key(), PLACE, NOW_NS)
    return signed().by_mac(DEVICE, Document(vhc.DOCTYPE, issued, signed().document.device))


def case(name: str, raw: bytes, **more: Any) -> dict[str, Any]:
    of = {
        "transcript": transcript_bytes(signed().transcript).hex(), "readerKey": private_cose(signed().reader_key).hex(),
        "roots": [pem(AUTHORITY.iaca_der)], "nowMs": NOW_NS // 10**6,
    }
    return {"name": name, "response": raw.hex(), **of, **more}


def other_sessions() -> Mapping[str, Transcript]:
    """Sessions that differ from this one in a single bit, or in the part that a relay would exchange."""
    seen = signed().transcript
    assert seen.handover is not None
    hs, hr = seen.handover
    shown, reader = seen.engagement, seen.reader_key_bytes
    return {
        "one bit of the engagement": Transcript(shown[:-1] + bytes((shown[-1] ^ 1,)), reader, (hs, hr)),
        "one bit of the handover": Transcript(shown, reader, (hs[:-1] + bytes((hs[-1] ^ 8,)), hr)),
        "another reader's key": Transcript(shown, key_bytes(ANOTHER_READER.public_key()), (hs, hr)),
        "QR in place of NFC": Transcript(shown, reader, None),
    }


@cache
def spoilt() -> Mapping[str, tuple[str, dict[str, Any]]]:
    """Name -> the one check that must fail, and the case."""
    raw, mac, document = signed().response, by_mac(), signed().document
    (of_mac,) = response.read(mac).documents
    signature, tag, issued = document.device.auth, of_mac.device.auth, document.issued.auth.signature
    assert isinstance(signature, Sign1) and isinstance(tag, Mac0)
    found: dict[str, tuple[str, dict[str, Any]]] = {}

    def add(check: str, name: str, made: bytes, **more: Any) -> None:
        assert name not in found and (made not in (raw, mac) or more)
        found[name] = check, case(name, made, **more)

    for at, made in enumerate(every_byte(raw, signature.signature)):
        add(SIGNATURE, f"device signature, byte {at}", made)
    for at, made in enumerate(every_byte(mac, tag.tag)):
        add(MAC, f"device MAC, byte {at}", made)
    for at in range(0, 64, 8):
        add(ISSUER_SIGNATURE, f"issuer signature, byte {at}", flipped(raw, issued, at, at % 7))
    for item in (i for items in document.issued.items.values() for i in items):
        salt = item.raw[item.raw.index(b"random") + 8 :][:32]
        add(DIGEST, f"random of {item.identifier}", flipped(raw, salt, 5, 2))
    add(DIGEST, "name", raw.replace("王小明".encode(), "王大明".encode()))
    add(SIGNATURE, "what the device signs", raw.replace(document.device.raw, document.device.raw[:-1] + b"\x01"))
    for name, seen in other_sessions().items():
        add(SIGNATURE, f"session: {name}, by signature", raw, transcript=transcript_bytes(seen).hex())
        add(MAC, f"session: {name}, by MAC", mac, transcript=transcript_bytes(seen).hex())
    add(MAC, "a MAC for another reader", mac, readerKey=private_cose(ANOTHER_READER).hex())
    add(CHAIN, "another root", raw, roots=[pem(STRANGER.iaca_der)])
    add(VALIDITY, "too late", raw, nowMs=(NOW_NS + 365 * DAY_NS + DAY_NS // 2) // 10**6)
    add(VALIDITY, "too early", raw, nowMs=(NOW_NS - 10 * DAY_NS) // 10**6)
    return found


def annex_d() -> list[dict[str, Any]]:
    """The standard's own example, by which the judge itself is seen to judge. The root of its signer is not in the standard."""
    of = {
        "transcript": vector("session_transcript_bytes").hex(), "readerKey": private_cose(key("ephemeral_reader_key")).hex(),
        "nowMs": ANNEX_D_NOW_NS // 10**6,
    }
    raw = vector("device_response")
    (document,) = response.read(raw).documents
    assert isinstance(document.device.auth, Mac0)
    spoilt = flipped(raw, document.device.auth.tag)
    return [case("annex D", raw, **of), case("annex D, one bit of the MAC", spoilt, **of)]


@pytest.fixture(scope="module")
def verdicts() -> dict[str, Any]:
    """One process judges everything."""
    good = [case("by signature", signed().response), case("by MAC", by_mac())]
    return judged("mdl.cjs", [*good, *annex_d(), *(asked for _, asked in spoilt().values())])


def test_response_by_signature_is_accepted_and_read(verdicts: dict[str, Any]) -> None:
    verdict = verdicts["by signature"]
    assert (verdict["error"], verdict["failed"]) == ("", [])
    assert {CHAIN, ISSUER_SIGNATURE, SIGNATURE, DIGEST, VALIDITY} <= set(verdict["passed"])
    assert MAC not in verdict["passed"]
    shown = signed().shown.document.values
    assert {space: set(names) for space, names in verdict["values"].items()} == {s: set(n) for s, n in shown.items()}
    basic = verdict["values"][vhc.BASIC]
    assert (basic["name"], basic["birth_date"], basic["id_no"]) == ("王小明", "1980-01-02", "A123456789")
    assert bytes.fromhex(basic["portrait"]) == shown[vhc.BASIC]["portrait"]


def test_response_by_mac_is_accepted_and_read(verdicts: dict[str, Any]) -> None:
    verdict = verdicts["by MAC"]
    assert (verdict["error"], verdict["failed"]) == ("", [])
    assert {CHAIN, ISSUER_SIGNATURE, MAC, DIGEST, VALIDITY} <= set(verdict["passed"])
    assert SIGNATURE not in verdict["passed"]
    assert set(verdict["values"][vhc.BASIC]) == set(card_holder().elements()[vhc.BASIC])


def test_every_spoilt_response_is_refused_by_the_check_it_is_against(verdicts: dict[str, Any]) -> None:
    assert len(spoilt()) > 100
    wrong = {name: (check, verdicts[name]) for name, (check, _) in spoilt().items() if verdicts[name]["failed"] != [check]}
    assert wrong == {}


def test_judge_accepts_annex_d_and_refuses_it_with_one_bit_changed(verdicts: dict[str, Any]) -> None:
    assert verdicts["annex D"]["failed"] == [CHAIN]
    assert MAC in verdicts["annex D"]["passed"]
    assert verdicts["annex D, one bit of the MAC"]["failed"] == [CHAIN, MAC]


def test_isomdoc_accepts_the_signed_response_and_refuses_it_spoilt() -> None:
    """It knows signatures and digests only, and no MAC."""
    raw, seen, document = signed().response, signed().transcript, signed().document
    assert isinstance(document.device.auth, Sign1)
    signature = document.device.auth.signature
    made = {f"device signature, byte {at}": spoilt for at, spoilt in enumerate(every_byte(raw, signature))} | {
        "issuer signature": flipped(raw, document.issued.auth.signature), "what the device signs": raw.replace(
            document.device.raw, document.device.raw[:-1] + b"\x01"), "good": raw,
        "name": raw.replace("王小明".encode(), "王大明".encode()),
    }
    cases = [{"name": name, "response": r.hex(), "transcript": seen.encoded.hex()} for name, r in made.items()]
    others = {name: {**cases[0], "response": raw.hex(), "transcript": s.encoded.hex()} for name, s in other_sessions().items()}
    verdicts = judged("isomdoc_response.py", [*cases, *({**case, "name": name} for name, case in others.items())])
    names = [name for names in signed().shown.document.values.values() for name in names]
    assert verdicts.pop("good") == {"error": "", "names": sorted(names)}
    assert {name: verdict for name, verdict in verdicts.items() if not verdict["error"]} == {}
    why = {verdict["error"] for name, verdict in verdicts.items() if name != "name"}
    assert (why, verdicts["name"]["error"]) == ({"InvalidSignature: "}, "RuntimeError: Digest doesn't match")
