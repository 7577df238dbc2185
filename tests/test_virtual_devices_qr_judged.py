"""A card's code and a status list before ``cwt`` and ``base45``, which we did not write: read, and refused as they should."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from virtual_devices import cwt
from virtual_devices.clock import NS
from virtual_devices.cose import decode
from virtual_devices.pki import DAY_NS
from virtual_devices.qr import card as qr
from virtual_devices.qr.challenge import new_challenge
from virtual_devices.qr.text import CARD, pack, unpack
from virtual_devices.randomness import ByteStream

from .desk import NOW_NS
from .judged import every_byte, flipped, judged
from .qr_desk import CENTRE, DATA, KEY, OTHER_KEY, READER, SIGNER, TERM, URI, Phone, card, published

pytestmark = pytest.mark.needs("judges")
CHALLENGE = new_challenge(READER, ByteStream("tests", "challenge"))
WRONG_KEY, LATE = "VerifyError: Failed to verify.", "VerifyError: The token has expired."
EARLY = "VerifyError: The token is not yet valid."


def raw_key(key: ec.EllipticCurvePublicKey) -> str:
    numbers = key.public_numbers()
    return (numbers.x.to_bytes(32, "big") + numbers.y.to_bytes(32, "big")).hex()


def code(text: str, at_ns: int = NOW_NS, issuer: ec.EllipticCurvePublicKey = SIGNER.key.public_key()) -> dict[str, Any]:
    kid = qr.key_id(SIGNER.chain[0]).hex()
    return {"do": "code", "text": text, "nowS": at_ns // NS, "key": raw_key(issuer), "kid": kid}


def listed(token: bytes, at_ns: int = NOW_NS, issuer: ec.EllipticCurvePublicKey = CENTRE.key.public_key()) -> dict[str, Any]:
    return {"do": "list", "token": token.hex(), "nowS": at_ns // NS, "key": raw_key(issuer)}


@cache
def text() -> str:
    return Phone().show()


@cache
def refused() -> Mapping[str, tuple[str, str, dict[str, Any]]]:
    """Name -> the step that must refuse ("" for a list), how, and the case."""
    raw = unpack(CARD, text())
    shown = qr.read(text())
    found: dict[str, tuple[str, str, dict[str, Any]]] = {
        "another issuer": ("inner", WRONG_KEY, code(text(), issuer=OTHER_KEY.public_key())),
        "a copied card": ("outer", WRONG_KEY, code(Phone(key=OTHER_KEY, card=card(key=KEY)).show())),
        "an old code": ("outer", LATE, code(text(), NOW_NS + 62 * NS)),
        "an old card": ("inner", LATE, code(Phone().show(TERM.until_ns + 2 * NS), TERM.until_ns + 2 * NS)),
        "a card of tomorrow": ("inner", EARLY, code(text(), TERM.from_ns - 2 * NS)),
        "another name": ("inner", WRONG_KEY, code(pack(CARD, raw.replace("王小明".encode(), "王大明".encode())))),
        "list: another centre": ("", WRONG_KEY, listed(published(), issuer=SIGNER.key.public_key())),
        "list: an old one": ("", LATE, listed(published(), NOW_NS + 3 * DAY_NS + 2 * NS)),
        "list: one bit": ("", WRONG_KEY, listed(flipped(published(), URI.encode("ascii"), 9))),
    }
    for step, signature in (("inner", shown.inner.signature), ("outer", shown.outer.signature)):
        for at, spoilt in enumerate(every_byte(raw, signature)):
            found[f"{step} signature, byte {at}"] = step, WRONG_KEY, code(pack(CARD, spoilt))
    signature = decode(published()).signature
    for at, spoilt in enumerate(every_byte(published(), signature)):
        found[f"list: signature, byte {at}"] = "", WRONG_KEY, listed(spoilt)
    return found


@pytest.fixture(scope="module")
def verdicts() -> dict[str, Any]:
    good = {
        "code": code(text()), "code in its last second": code(text(), NOW_NS + 60 * NS),
        "code for one reader": code(Phone().show(challenge=CHALLENGE)), "list": listed(published()),
    }
    cases = {**good, **{name: case for name, (_, _, case) in refused().items()}}
    return judged("cwt_tokens.py", [{"name": name, **case} for name, case in cases.items()])


def test_code_is_read_by_others_as_by_us(verdicts: dict[str, Any]) -> None:
    verdict = verdicts["code"]
    assert (verdict["error"], verdict["at"], verdict["typ"]) == ("", "", qr.MEDIA_TYPE)
    inner, data = verdict["inner"], verdict["inner"][str(qr.DATA)]
    assert inner[str(cwt.ISS)] == qr.ISSUER
    assert [data["1"], data["2"], data["3"], data["4"]] == [DATA.card_no, DATA.name, DATA.id_no, 19580704]
    times = [TERM.issued_ns // NS, TERM.from_ns // NS, TERM.until_ns // NS]
    assert [inner[str(n)] for n in (cwt.IAT, cwt.NBF, cwt.EXP)] == times
    outer = verdict["outer"]
    assert [outer[str(n)] for n in (cwt.IAT, cwt.EXP)] == [NOW_NS // NS, NOW_NS // NS + qr.LIFETIME_S]
    assert outer[str(cwt.CTI)] == qr.read(text()).code_id.hex()
    assert verdicts["code in its last second"]["error"] == ""


def test_code_for_one_reader_names_it(verdicts: dict[str, Any]) -> None:
    outer = verdicts["code for one reader"]["outer"]
    assert (outer[str(cwt.AUD)], outer[str(cwt.NONCE)]) == (READER, CHALLENGE.nonce.hex())


def test_status_list_is_read_by_others(verdicts: dict[str, Any]) -> None:
    verdict = verdicts["list"]
    assert (verdict["error"], verdict["typ"]) == ("", "application/statuslist+cwt")
    assert (verdict["claims"][str(cwt.SUB)], verdict["claims"][str(cwt.STATUS_LIST)]["bits"]) == (URI, 2)


def test_what_is_spoilt_is_refused_at_its_step(verdicts: dict[str, Any]) -> None:
    assert len(refused()) == 9 + 3 * 64
    seen = {name: (verdicts[name].get("at", ""), verdicts[name]["error"]) for name in refused()}
    assert {name: found for name, found in seen.items() if found != refused()[name][:2]} == {}
