"""Credentials: what a reader believes of an issuer's word, and what not."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import cbor2

from conformance.vectors.model import Code, Input, Kind, Reason, Space, Value
from conformance.vectors.suite import Suite, flipped, moment, number
from conformance.vectors.world import NOW_NS, SAM_ID, UNTIL_NS, World
from virtual_devices import vhc
from virtual_devices.certificates import DOCUMENT_SIGNER
from virtual_devices.clock import from_datetime
from virtual_devices.cose import X5CHAIN, make_sign1, sig_structure
from virtual_devices.mdoc.mso import IssuerSigned
from virtual_devices.mdoc.tagged import dumps, embedded, tdate
from virtual_devices.pki import DAY_NS, DOCUMENT_SIGNING, Identity, Role

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
    suite.good(Kind.CREDENTIAL, "sha-512", {Input.CREDENTIAL: _digested(world, "SHA-512", hashlib.sha512)},
               "摘要為 SHA-512", "digests by SHA-512")
    suite.good(Kind.CREDENTIAL, "unknown-keys", {Input.CREDENTIAL: dumps({**world.issued.item(), "more": 1})},
               "另有未知的鍵：不予理會", "a key that nobody knows: it is overlooked")
    suite.good(Kind.CREDENTIAL, "other-encoding", {Input.CREDENTIAL: b"\xbf" + raw[1:] + b"\xff"},
               "外層為不定長度的 CBOR：照讀", "a map of indefinite length: it is read")
    _signatures(suite, world)
    _chains(suite, world)
    _contents(suite, world)
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


def _chains(suite: Suite, world: World) -> None:
    """The document signer's chain, step by step."""
    today = world.now_ns // DAY_NS - world.epoch_ns // DAY_NS

    def by(days: tuple[int, int]) -> IssuerSigned:
        """``days``: of the signer's certificate, counted from today."""
        first, last = days
        window = today + first, today + last
        made = world.authority.issue(Role.DOCUMENT_SIGNER, "document signer", key_name="other", days=window)
        return world.credential(signer=made)

    def chained(chain: Any) -> bytes:
        body = world.issued.item()
        body["issuerAuth"][1] = {X5CHAIN: chain}
        return dumps(body)

    (leaf,), other = world.signer.chain, world.sam.chain[1]
    for name, made, reason, zh, en in (
        ("signer-expired", by(days=(-365, -1)), Reason.EXPIRED, "發卡憑證昨天到期", "the signer's certificate ended yesterday"),
        ("signer-too-early", by(days=(1, 365)), Reason.NOT_YET_VALID, "發卡憑證明天才生效",
         "the signer's certificate begins tomorrow"),
        ("signed-before-signer", by(days=(-1, 365)), Reason.FORGED, "簽發時間早於發卡憑證的效期",
         "signed before the signer's certificate began"),
        ("signer-under-root", world.credential(signer=Identity(world.signer.key, (world.leaf(
            DOCUMENT_SIGNER, "document signer", world.signer.key.public_key(), [Role.DOCUMENT_SIGNER.oid],
             [DOCUMENT_SIGNING]),))),
         Reason.FORGED, "發卡憑證由另一個根簽發", "the signer is issued by the other root, which may not"),
        ("chain-is-text", chained("leaf"), Reason.MISSING, "x5chain 是文字", "x5chain is a text"),
    ):
        _bad(suite, name, made, reason, zh, en)
    suite.good(Kind.CREDENTIAL, "one-certificate-more", {Input.CREDENTIAL: chained([leaf, other])},
     "鏈中多一張用不到的憑證：不予理會",
               "a certificate more in the chain, which is not needed: it is overlooked")
    for name, made, zh, en in (
        ("five-certificates", chained([leaf, other, other, other, other]), "五張憑證", "five certificates"),
        ("byte-after-certificate", chained(leaf + b"\0"), "憑證後面多一個位元組", "a byte follows the certificate"),
    ):
        suite.bad(MODEL, name, {Input.CREDENTIAL: made}, Reason.MALFORMED, number(Space.CSHIS, "4033"), zh, en)


def _resigned(world: World, change: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    """The credential with another MSO, signed by the document signer."""
    body = world.issued.item()
    mso = cbor2.loads(cbor2.loads(body["issuerAuth"][2]).value)
    mso["validityInfo"] = {name: tdate(from_datetime(moment_)) for name, moment_ in mso["validityInfo"].items()}
    change(mso)
    body["issuerAuth"] = make_sign1(world.signer.key, embedded(dumps(mso)), {X5CHAIN: list(world.signer.chain)}).item()
    return body


def _digested(world: World, name: str, algorithm: Callable[[bytes], Any]) -> bytes:
    def change(mso: dict[str, Any]) -> None:
        items = world.issued.items
        mso["digestAlgorithm"] = name
        mso["valueDigests"] = {s: {i.digest_id: algorithm(embedded(i.raw)).digest() for i in found} for s, found in items.items()}

    return dumps(_resigned(world, change))


def _contents(suite: Suite, world: World) -> None:
    """What is in the MSO, rightly signed."""
    unreadable = number(Space.CSHIS, "4033")

    def off_curve(mso: dict[str, Any]) -> None:
        mso["deviceKeyInfo"]["deviceKey"][-3] = flipped(mso["deviceKeyInfo"]["deviceKey"][-3])

    for name, made, zh, en in (
        ("mso-version-2", dumps(_resigned(world, lambda mso: mso.update(version="2.0"))), "MSO 版本 2.0",
         "version 2.0 of the MSO"),
        ("sha-1", _digested(world, "SHA-1", hashlib.sha1), "摘要為 SHA-1", "digests by SHA-1"),
        ("device-key-off-curve", dumps(_resigned(world, off_curve)), "裝置金鑰不在曲線上",
         "the device key is no point of the curve"),
        ("no-end", dumps(_resigned(world, lambda mso: mso["validityInfo"].pop("validUntil"))), "沒有有效期限", "without an end"),
        ("status-no-place", dumps(_resigned(world, lambda mso: mso.update(status={"status_list": {"uri": "x"}}))),
         "狀態沒有位置（idx）", "a status without a place (idx)"),
    ):
        suite.bad(MODEL, name, {Input.CREDENTIAL: made}, Reason.MALFORMED, unreadable, zh, en)
    less = _resigned(world, lambda mso: mso["valueDigests"][vhc.BASIC].clear())
    _bad(suite, "no-digest", dumps(less), Reason.FORGED, "MSO 沒有該欄位的摘要", "the MSO has no digest of an element")


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
    def critical(auth: list[Any]) -> None:
        header = dumps({1: -7, 2: [99], 99: 1})
        auth[0], auth[3] = header, world.es256(world.signer.key, sig_structure(header, auth[2]))

    _bad(suite, "critical-header", with_auth(critical), Reason.MALFORMED, "標頭要求必須理解（crit）的未知標頭",
         "a header that wants to be understood (crit)")
    for name, value, zh, en in (
        ("big-number", cbor2.CBORTag(2, bytes(9)), "欄位值是大數（標籤 2）", "an element that is a big number (tag 2)"),
        ("no-day", cbor2.CBORTag(1004, "1958-02-30"), "欄位值是不存在的日期", "an element that is a date that there is not"),
    ):
        _bad(suite, name, dumps(_altered(issued.item(), vhc.BASIC, "birth_date", value)), Reason.MALFORMED, zh, en)
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
    for at, wrapped in enumerate(items):
        item = cbor2.loads(wrapped.value)
        if item["elementIdentifier"] == name:
            item |= ({} if value is None else {"elementValue": value}) | more
            items[at] = cbor2.CBORTag(24, dumps(item))
    return body
