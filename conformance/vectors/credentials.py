"""Credentials: what a reader believes of an issuer's word, and what not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cbor2

from conformance.vectors.model import Code, Input, Kind, Reason, Space, Value
from conformance.vectors.suite import Suite, flipped, moment, number
from conformance.vectors.world import NOW_NS, SAM_ID, UNTIL_NS, World
from virtual_devices import vhc
from virtual_devices.mdoc.mso import IssuerSigned
from virtual_devices.mdoc.tagged import dumps
from virtual_devices.pki import DAY_NS, Role

MODEL = "credential/whole"


def add(suite: Suite, world: World) -> None:
    """One credential in full, one with a part of its elements, and what is wrong with others."""
    raw = world.issued.to_bytes()
    suite.good(Kind.CREDENTIAL, "whole", {Input.CREDENTIAL: raw}, "完整的虛擬卡憑證：全部欄位",
        "a virtual card's credential, with all its elements")
    part = world.issued.select({vhc.BASIC: ["name", "birth_date"]})
    suite.good(
        Kind.CREDENTIAL, "selected", {Input.CREDENTIAL: part.to_bytes()}, "選擇性揭露：只有姓名與出生日期，其餘不出現",
        "selective disclosure: name and birth date, and nothing else",
    )
    _signatures(suite, world)
    _times(suite)
    _structure(suite, world)


CODES = {
    Reason.FORGED: "4033", Reason.WRONG_ROLE: "4033", Reason.EXPIRED: "5003", Reason.NOT_YET_VALID: "5003",
    Reason.MISSING: "4013", Reason.REVOKED: "5002",
}
"""What control software says of a card that does not prove itself; of bytes that are none, 4043."""
UNREADABLE = number(Space.CSHIS, "4043")


def code_of(reason: Reason) -> Code:
    return number(Space.CSHIS, CODES[reason])


def _bad(suite: Suite, name: str, issued: IssuerSigned | bytes, reason: Reason, zh: str, en: str) -> None:
    raw = issued if isinstance(issued, bytes) else issued.to_bytes()
    code = UNREADABLE if reason is Reason.MALFORMED else code_of(reason)
    suite.bad(MODEL, name, {Input.CREDENTIAL: raw}, reason, code, zh, en)


def _signatures(suite: Suite, world: World) -> None:
    issued = world.issued
    body = issued.item()
    body["issuerAuth"][3] = flipped(body["issuerAuth"][3])
    _bad(suite, "signature-bit", dumps(body), Reason.FORGED, "發卡機構簽章最後一位元翻轉",
        "the last bit of the issuer's signature is turned over")
    _bad(suite, "name-altered", dumps(_altered(issued.item(), vhc.BASIC, "name", "王大明")), Reason.FORGED,
         "姓名被改，摘要不符", "the name is altered and does not match its digest")
    stranger = world.stranger.issue(Role.DOCUMENT_SIGNER, "document signer")
    _bad(suite, "stranger", world.credential(signer=stranger), Reason.FORGED, "發卡憑證不屬於受信任的根",
        "signed by a document signer of another root")
    sam = world.authority.issue(Role.SAM, SAM_ID)
    _bad(suite, "signed-by-sam", world.credential(signer=sam), Reason.WRONG_ROLE,
         "由安全模組的憑證簽發，該憑證不得簽發卡片", "signed by a SAM, whose certificate is not for documents")
    _bad(suite, "other-document", world.credential(doctype="org.iso.18013.5.1.mDL"), Reason.WRONG_ROLE,
         "MSO 的文件類型是別的文件", "the MSO is of another document type")
    body = issued.item()
    body["nameSpaces"][vhc.BASIC].append(body["nameSpaces"][vhc.BASIC][0])
    _bad(suite, "element-twice", dumps(body), Reason.FORGED, "同一欄位出現兩次", "an element stands there twice")


def _times(suite: Suite) -> None:
    for name, at_ns, reason, zh, en in (
        ("expired", UNTIL_NS + DAY_NS, Reason.EXPIRED, "查驗時間在有效期限之後一天", "looked at a day after its end"),
        ("too-early", NOW_NS - 31 * DAY_NS, Reason.NOT_YET_VALID, "查驗時間在生效之前一天",
         "looked at a day before its beginning"),
    ):
        suite.bad(MODEL, name, {Value.AT: moment(at_ns)}, reason, code_of(reason), zh, en)


def _structure(suite: Suite, world: World) -> None:
    issued = world.issued

    def with_auth(change: Callable[[list[Any]], None]) -> bytes:
        body = issued.item()
        change(body["issuerAuth"])
        return dumps(body)

    def no_payload(auth: list[Any]) -> None:
        auth[2] = None

    def other_algorithm(auth: list[Any]) -> None:
        auth[0] = dumps({1: -35})

    def no_chain(auth: list[Any]) -> None:
        auth[1] = {}

    suite.bad(MODEL, "no-payload", {Input.CREDENTIAL: with_auth(no_payload)}, Reason.MALFORMED, number(Space.CSHIS, "4033"),
              "issuerAuth 沒有內容（分離式）", "issuerAuth has no payload")
    _bad(suite, "other-algorithm", with_auth(other_algorithm), Reason.MALFORMED, "簽章演算法標為 ES384", "the header says ES384")
    _bad(suite, "no-certificate", with_auth(no_chain), Reason.MISSING, "沒有附發卡憑證（x5chain）", "no certificate (x5chain)")
    body = issued.item()
    body["nameSpaces"][vhc.BASIC][0] = body["nameSpaces"][vhc.BASIC][0].value
    _bad(suite, "not-embedded", dumps(body), Reason.MALFORMED, "欄位不是 #6.24 包裝", "an element that is not embedded (#6.24)")
    _bad(suite, "short-random", dumps(_altered(issued.item(), vhc.BASIC, "name", None, random=bytes(15))), Reason.MALFORMED,
         "欄位的亂數只有 15 位元組", "an element's random of 15 bytes")
    raw = issued.to_bytes()
    _bad(suite, "truncated", raw[:-1], Reason.MALFORMED, "少了最後一個位元組", "the last byte is missing")
    _bad(suite, "byte-after", raw + b"\0", Reason.MALFORMED, "後面多一個位元組", "a byte follows")


def _altered(body: dict[str, Any], space: str, name: str, value: Any, **more: Any) -> dict[str, Any]:
    """One element with another value (None: the same), and other fields of its item."""
    items = body["nameSpaces"][space]
    for at, embedded in enumerate(items):
        item = cbor2.loads(embedded.value)
        if item["elementIdentifier"] == name:
            item |= ({} if value is None else {"elementValue": value}) | more
            items[at] = cbor2.CBORTag(24, dumps(item))
    return body
