"""Requests: who asks, as a holder's device tells it from the readers' signatures, and what it shows to them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import cbor2

from conformance.vectors.certificates import sam_certificates
from conformance.vectors.engagements import InSession
from conformance.vectors.model import Input, Kind, Reason, Space, Value
from conformance.vectors.suite import Suite, flipped, moment, number
from conformance.vectors.world import DOCTOR_ID, INSTITUTION, SAM_ID, Reader, World, signed
from conformance.vectors.writing import Writer
from virtual_devices import vhc
from virtual_devices.clock import NS
from virtual_devices.cose import X5CHAIN
from virtual_devices.mdoc.request import DeviceRequest, ItemsRequest, items_request
from virtual_devices.mdoc.tagged import dumps, embed
from virtual_devices.pki import Role

REGISTRATION, CONSULTATION = items_request(vhc.DOCTYPE, vhc.REGISTRATION), items_request(vhc.DOCTYPE, vhc.CONSULTATION)
OTHER_USE = items_request(vhc.DOCTYPE, vhc.OTHER_USE)
BASIC = tuple(f"{vhc.BASIC}/{name}" for name in sorted(vhc.CONSULTATION[vhc.BASIC]) if name != vhc.FORMER)
"""The card of the vectors is a first one: it took nobody's place."""
MEDICAL = tuple(f"{vhc.MEDICAL}/{name}" for name in sorted(vhc.CONSULTATION[vhc.MEDICAL]))
GENERATION = (f"{vhc.RECORDS}/generation",)
BY_SAM, BY_BOTH = (*BASIC, *GENERATION), (*BASIC, *MEDICAL, *GENERATION)
UNREADABLE = number(Space.RESPONSE, 11)
_DIGITS = {Reason.MISSING: 1, Reason.MALFORMED: 2, Reason.EXPIRED: 3, Reason.NOT_YET_VALID: 4, Reason.REVOKED: 5,
           Reason.WRONG_ROLE: 6, Reason.FORGED: 7}


def add(suite: Suite, world: World, opened: InSession, other: InSession) -> None:
    """Requests in the session ``opened``; ``other``: a session from which things are forwarded."""
    at = opened.transcript
    everything = tuple(f"{space}/{name}" for space, names in (*_of(vhc.REGISTRATION),) for name in sorted(names))
    for name, asked, shown, zh, en in (
        ("registration-1-0", signed(REGISTRATION, at, world.sam), everything, "掛號，1.0 版，僅安全模組（SAM）簽章",
         'registration, version "1.0", signed by the SAM'),
        ("registration-1-1", signed(REGISTRATION, at, world.sam, version="1.1"), everything,
         "掛號，1.1 版，僅安全模組簽章，沒有 readerAuthAll", 'registration, version "1.1", the SAM alone, no readerAuthAll'),
        ("consultation", signed(CONSULTATION, at, world.sam, (world.sam, world.physician)), BY_BOTH,
         "看診，1.1 版，readerAuthAll = [安全模組, 醫師卡]", 'consultation, version "1.1", readerAuthAll = [SAM, physician]'),
        ("dispensing", signed(CONSULTATION, at, world.sam, (world.sam, world.pharmacist)), BY_BOTH,
         "調劑，readerAuthAll = [安全模組, 藥師卡]", "dispensing, readerAuthAll = [SAM, pharmacist]"),
        ("other-use", signed(OTHER_USE, at, world.other_use), tuple(f"{vhc.BASIC}/{n}" for n in sorted(vhc.OTHER_USE[vhc.BASIC])),
         "非醫療用途：只有姓名、出生日期、照片", "outside medical care: name, birth date and photograph only"),
    ):
        inputs: Mapping[Input | Value, bytes | str] = {Input.REQUEST: asked.to_bytes(), Value.SESSION: opened.name}
        suite.good(Kind.REQUEST, name, inputs, zh, en, shown=shown)
    _also_right(suite, world, opened, everything)
    _writing(suite, world, opened)
    _sam(suite, world, opened, other)
    _professional(suite, world, opened, other)
    _rights(suite, world, opened)
    _structure(suite, world, opened)


def _also_right(suite: Suite, world: World, opened: InSession, everything: tuple[str, ...]) -> None:
    """What is taken though it is not as usual; then a card on its last day, and past it."""
    at = opened.transcript
    late = world.reader(Role.SAM, SAM_ID, organisation=INSTITUTION, from_ns=world.until_ns - 3600 * NS)
    ended = world.reader(Role.SAM, SAM_ID, organisation=INSTITUTION, from_ns=world.now_ns - (72 * 3600 + 30) * NS)
    newer = cbor2.loads(signed(REGISTRATION, at, world.sam, version="1.7").to_bytes()) | {"more": 1}
    both = signed(OTHER_USE, at, world.other_use, (world.sam, world.physician)).to_bytes()
    other_use = tuple(f"{vhc.BASIC}/{n}" for n in sorted(vhc.OTHER_USE[vhc.BASIC]))
    model = ""
    for name, raw, shown, more, zh, en in (
        ("version-1-7", dumps(newer), everything, {}, "次版本較新（1.7），另有未知的鍵：照 1.1 讀",
         "a newer minor version (1.7), with a key that nobody knows: read as 1.1"),
        ("sam-ended-30-s", signed(REGISTRATION, at, ended).to_bytes(), everything, {}, "讀取者憑證 30 秒前到期（時差容許）",
         "the reader certificate ended 30 s ago, which is within the skew"),
        ("other-use-all", both, other_use, {}, "非醫療用途的讀取者另附 readerAuthAll：不予理會",
         "a reader outside medical care, with a readerAuthAll beside it: it is not looked at"),
        ("last-second", signed(REGISTRATION, at, late).to_bytes(), everything, {Value.AT: moment(world.until_ns + 30 * NS)},
         "卡片到期後 30 秒（時差容許）", "30 s past the card's end, which is within the skew"),
    ):
        inputs: dict[Any, bytes | str] = {Input.REQUEST: raw, Value.SESSION: opened.name, **more}
        model = suite.good(Kind.REQUEST, name, inputs, zh, en, shown=shown)
    suite.bad(model, "past-its-end", {Value.AT: moment(world.until_ns + 31 * NS)}, Reason.NOT_IN_FORCE, number(Space.ERROR, -4),
              "卡片到期後 31 秒", "31 s past the card's end")


def _writing(suite: Suite, world: World, opened: InSession) -> None:
    """A batch in a request: what the readers sign covers it, and what the device signs holds the receipt."""
    at, writer = opened.transcript, Writer(world)
    visit = writer.visit().to_bytes()

    def asked(raw: bytes, *signers: Reader) -> bytes:
        items = items_request(vhc.DOCTYPE, {vhc.WRITE: {vhc.RECEIPT: True}}, {vhc.WRITE_INFO: embed(raw)})
        return signed(items, at, signers[0], signers if len(signers) > 1 else ()).to_bytes()

    inputs: Mapping[Input | Value, bytes | str] = {
        Input.REQUEST: asked(visit, world.sam, world.physician), Value.SESSION: opened.name,
    }
    model = suite.good(Kind.REQUEST, "write-back", inputs, "寫回：一批紀錄隨第二個要求送入，回條由裝置簽署",
                       "write-back: a batch rides in a request, and the device signs the receipt",
                       shown=(f"{vhc.WRITE}/{vhc.RECEIPT}",))
    silent = items_request(vhc.DOCTYPE, {vhc.RECORDS: {"generation": False}}, {vhc.WRITE_INFO: embed(visit)})
    suite.good(Kind.REQUEST, "write-back-not-named", {
        Input.REQUEST: signed(silent, at, world.sam, (world.sam, world.physician)).to_bytes(), Value.SESSION: opened.name,
    }, "寫回而未要求回條欄位：仍附回條", "write-back without asking for the receipt: it is there nevertheless",
        shown=(*GENERATION, f"{vhc.WRITE}/{vhc.RECEIPT}"))
    for name, raw, code, reason, zh, en in (
        ("write-back-other-use", asked(visit, world.other_use), -3, Reason.NO_RIGHT, "非醫療用途的讀取者要寫入",
         "a reader outside medical care wants to write"),
        ("write-back-no-batch", asked(b"\xa0", world.sam, world.physician), -6, Reason.MALFORMED, "內容不是批次",
         "what is to be written is no batch"),
    ):
        suite.bad(model, name, {Input.REQUEST: raw}, reason, number(Space.ERROR, code), zh, en)


def _of(wanted: Mapping[str, Mapping[str, bool]]) -> list[tuple[str, Mapping[str, bool]]]:
    """What of it there is: the holder of the vectors has no guardian."""
    return [(space, names) for space, names in sorted(wanted.items()) if space != vhc.DELEGATION]


def _no(tens: int, reason: Reason) -> Any:
    return number(Space.ERROR, -(10 * tens + _DIGITS[reason]))


def _sam(suite: Suite, world: World, opened: InSession, other: InSession) -> None:
    """A SAM that does not prove itself: nothing is shown, and -11 to -17 says why."""
    at, model = opened.transcript, "request/registration-1-0"

    def sam(**more: Any) -> Reader:
        return world.reader(Role.SAM, SAM_ID, organisation=INSTITUTION, **more)

    whole = signed(REGISTRATION, at, world.sam)
    auth = whole.documents[0].auth
    assert auth is not None
    not_der = replace(auth, unprotected={X5CHAIN: [b"\x30\x00", world.sam.chain[1]]})
    day_ns = 86_400 * NS
    for name, asked, reason, zh, en in (
        ("sam-missing", signed(REGISTRATION, at, None), Reason.MISSING, "沒有 readerAuth", "no readerAuth"),
        ("sam-not-a-certificate", whole.with_auth(0, not_der), Reason.MALFORMED, "x5chain 不是憑證",
         "x5chain holds no certificate"),
        ("sam-no-chain", whole.with_auth(0, replace(auth, unprotected={})), Reason.MISSING, "沒有 x5chain", "no x5chain"),
        ("sam-no-authority", whole.with_auth(0, replace(auth, unprotected={X5CHAIN: world.sam.chain[0]})), Reason.FORGED,
         "憑證鏈少了簽發者的憑證", "without the certificate of the SAM's authority"),
        ("sam-chain-is-text", whole.with_auth(0, replace(auth, unprotected={X5CHAIN: "leaf"})), Reason.MISSING, "x5chain 是文字",
         "x5chain is a text"),
        ("sam-ended-31-s", signed(REGISTRATION, at, sam(from_ns=world.now_ns - (72 * 3600 + 31) * NS)), Reason.EXPIRED,
         "讀取者憑證 31 秒前到期", "the reader certificate ended 31 s ago"),
        ("sam-expired-and-spoilt", signed(OTHER_USE, at, world.sam).with_auth(
            0, sam(from_ns=world.now_ns - 4 * day_ns).sign(b"something else")), Reason.EXPIRED,
         "憑證到期，簽章也不符：先看憑證",
         "the certificate ended, and the signature is of something else: the certificate decides"),
        ("sam-expired", signed(REGISTRATION, at, sam(from_ns=world.now_ns - 4 * day_ns)), Reason.EXPIRED,
         "安全模組的讀取者憑證昨天到期", "the SAM's reader certificate ended yesterday"),
        ("sam-too-long", signed(REGISTRATION, at, sam(hours=73)), Reason.EXPIRED,
         "讀取者憑證效期超過 72 小時", "a reader certificate of more than 72 hours"),
        ("sam-too-early", signed(REGISTRATION, at, sam(from_ns=world.now_ns + day_ns)), Reason.NOT_YET_VALID,
         "讀取者憑證明天才生效", "the reader certificate begins tomorrow"),
        ("sam-wrong-role", signed(REGISTRATION, at, world.physician), Reason.WRONG_ROLE,
         "由醫師卡代替安全模組簽章", "signed by a physician's card in place of the SAM"),
        ("sam-stranger", signed(REGISTRATION, at, sam(authority=world.stranger)), Reason.FORGED,
         "憑證屬於別的根", "a certificate of another root"),
        ("sam-other-session", signed(REGISTRATION, other.transcript, world.sam), Reason.FORGED,
         "為另一會話所簽（轉送）", "signed for another session (forwarded)"),
        ("sam-signature-bit", whole.with_auth(0, replace(auth, signature=flipped(auth.signature))), Reason.FORGED,
         "簽章最後一位元翻轉", "the last bit of the signature is turned over"),
        ("sam-other-request", signed(OTHER_USE, at, world.sam).with_auth(0, auth), Reason.FORGED,
         "簽章屬於別的要求內容", "the signature is of another request"),
    ):
        suite.bad(model, name, {Input.REQUEST: asked.to_bytes()}, reason, _no(1, reason), zh, en)


    for name, chain, reason, zh, en in sam_certificates(world):
        shown = Reader(world.sam.key, (chain,))
        suite.bad(model, name, {Input.REQUEST: signed(REGISTRATION, at, shown).to_bytes()}, reason, _no(1, reason), zh, en)


def _professional(suite: Suite, world: World, opened: InSession, other: InSession) -> None:
    """A professional's card that does not prove itself: what the SAM alone may have is shown, the rest is -21 to -27."""
    at, model = opened.transcript, "request/consultation"
    day_ns = 86_400 * NS

    def asked(second: Reader) -> DeviceRequest:
        return signed(CONSULTATION, at, world.sam, (world.sam, second))

    def physician(**more: Any) -> Reader:
        return world.reader(Role.PHYSICIAN, DOCTOR_ID, **more)

    whole = asked(world.physician)
    elsewhere = signed(CONSULTATION, other.transcript, world.sam, (world.sam, world.physician)).auth_all[1]
    spoilt = replace(whole.auth_all[1], signature=flipped(whole.auth_all[1].signature))
    for name, made, reason, zh, en in (
        ("hpc-missing", signed(CONSULTATION, at, world.sam, (world.sam,)), Reason.MISSING,
         "沒有醫事人員卡的簽章", "no signature of a professional's card"),
        ("hpc-not-a-certificate", replace(whole, auth_all=(whole.auth_all[0], replace(
            whole.auth_all[1], unprotected={X5CHAIN: [b"\x30\x00"]}))), Reason.MALFORMED, "醫師卡的 x5chain 不是憑證",
         "the physician's x5chain holds no certificate"),
        ("hpc-too-long", asked(physician(hours=73)), Reason.EXPIRED, "醫師卡的讀取者憑證效期超過 72 小時",
         "the physician's reader certificate is of more than 72 hours"),
        ("three-signers", signed(CONSULTATION, at, world.sam, (world.sam, world.physician, world.pharmacist)), Reason.MALFORMED,
         "readerAuthAll 有三個簽章", "three signatures in readerAuthAll"),
        ("all-in-1-0", signed(CONSULTATION, at, world.sam, (world.sam, world.physician), version="1.0"), Reason.MISSING,
         "1.0 版附 readerAuthAll：不予理會", 'readerAuthAll in version "1.0": it is not looked at'),
        ("hpc-expired", asked(physician(from_ns=world.now_ns - 4 * day_ns)), Reason.EXPIRED, "醫師卡憑證昨天到期",
         "the physician's certificate ended yesterday"),
        ("hpc-too-early", asked(physician(from_ns=world.now_ns + day_ns)), Reason.NOT_YET_VALID, "醫師卡憑證明天才生效",
         "the physician's certificate begins tomorrow"),
        ("hpc-wrong-role", asked(world.other_use), Reason.WRONG_ROLE, "第二個簽章者不是醫事人員",
         "the second signer is no professional"),
        ("hpc-stranger", asked(physician(authority=world.stranger)), Reason.FORGED, "醫師卡憑證屬於別的根",
         "a physician of another root"),
        ("hpc-other-session", replace(whole, auth_all=(whole.auth_all[0], elsewhere)), Reason.FORGED,
         "醫師卡的簽章取自另一會話", "the physician's signature is from another session"),
        ("hpc-signature-bit", replace(whole, auth_all=(whole.auth_all[0], spoilt)), Reason.FORGED,
         "醫師卡簽章最後一位元翻轉", "the last bit of the physician's signature is turned over"),
    ):
        suite.bad(model, name, {Input.REQUEST: made.to_bytes()}, reason, _no(2, reason), zh, en, shown=BY_SAM)
    another = world.reader(Role.SAM, "SAM000000002", organisation="9901180099")
    suite.bad(model, "signers-swapped", {Input.REQUEST: signed(CONSULTATION, at, world.sam, (world.physician,
     world.sam)).to_bytes()},
              Reason.WRONG_ROLE, _no(1, Reason.WRONG_ROLE), "readerAuthAll 的順序顛倒", "readerAuthAll in the other order")
    licence = items_request("org.iso.18013.5.1.mDL", {"org.iso.18013.5.1": {"family_name": False}})
    first = signed(CONSULTATION, at, world.sam)
    for name, reader, reason, zh, en in (
        ("two-readers", another, Reason.FORGED, "兩份文件要求出自不同的安全模組", "two document requests, by different SAMs"),
        ("second-unsigned", None, Reason.MISSING, "第二份文件要求沒有簽章", "the second document request is not signed"),
    ):
        pair = replace(first, documents=(*first.documents, *signed(licence, at, reader).documents))
        suite.bad(model, name, {Input.REQUEST: pair.to_bytes()}, reason, _no(1, reason), zh, en)
    for name, made, zh, en in (
        ("another-sam-over-all", signed(CONSULTATION, at, world.sam, (another, world.physician)),
         "readerAuthAll 的安全模組與 readerAuth 的不是同一個", "readerAuthAll is by another SAM than readerAuth"),
        ("sam-over-all-forwarded", replace(whole, auth_all=(
            signed(CONSULTATION, other.transcript, world.sam, (world.sam,)).auth_all[0], whole.auth_all[1])),
         "readerAuthAll 的安全模組簽章取自另一會話", "the SAM's signature in readerAuthAll is from another session"),
    ):
        suite.bad(model, name, {Input.REQUEST: made.to_bytes()}, Reason.FORGED, _no(1, Reason.FORGED), zh, en)


def _rights(suite: Suite, world: World, opened: InSession) -> None:
    at = opened.transcript
    no_right = number(Space.ERROR, -3)
    suite.bad(
        "request/other-use", "other-use-asks-medical", {Input.REQUEST: signed(CONSULTATION, at, world.other_use).to_bytes()},
        Reason.NO_RIGHT, no_right, "非醫療用途的讀取者要求醫療欄位", "a reader outside medical care asks for medical elements",
        shown=tuple(f"{vhc.BASIC}/{name}" for name in sorted(vhc.CONSULTATION[vhc.BASIC])
                    if vhc.BY_NAME[vhc.BASIC, name].need is vhc.Need.READER),
    )
    suite.bad(
        "request/consultation", "consultation-1-0", {Input.REQUEST: signed(CONSULTATION, at, world.sam).to_bytes()},
        Reason.MISSING, _no(2, Reason.MISSING), "1.0 版的讀取者要求醫療欄位：只得到安全模組可讀者",
        'a reader of version "1.0" asks for medical elements: it gets what the SAM alone may read', shown=BY_SAM,
    )


def _structure(suite: Suite, world: World, opened: InSession) -> None:
    at, model = opened.transcript, "request/registration-1-0"
    whole = signed(REGISTRATION, at, world.sam)

    def changed(change: Callable[[dict[str, Any]], None]) -> bytes:
        body = cbor2.loads(whole.to_bytes())
        change(body)
        return dumps(body)

    def no_retain() -> bytes:
        items = cbor2.loads(REGISTRATION.raw)
        items["nameSpaces"][vhc.BASIC]["name"] = 0
        return signed(ItemsRequest(dumps(items), vhc.DOCTYPE, {}, {}), at, world.sam).to_bytes()

    def attached(body: dict[str, Any]) -> None:
        body["docRequests"][0]["readerAuth"][2] = b""

    def other_algorithm(body: dict[str, Any]) -> None:
        body["docRequests"][0]["readerAuth"][0] = dumps({1: -35})

    def types(count: int) -> DeviceRequest:
        asked = [signed(items_request(f"type.{n}", {"space": {"element": False}}), at, world.sam) for n in range(count)]
        return replace(whole, documents=tuple(d for one in asked for d in one.documents))

    five = signed(REGISTRATION, at, world.sam, (world.sam,) * 5)
    for name, raw, zh, en in (
        ("other-algorithm", changed(other_algorithm), "簽章演算法標為 ES384", "the header says ES384"),
        ("five-signers", five.to_bytes(), "readerAuthAll 有五個簽章", "five signatures in readerAuthAll"),
        ("nine-documents", types(9).to_bytes(), "九份文件要求", "nine document requests"),
        ("nothing-asked", signed(items_request(vhc.DOCTYPE, {}), at, world.sam).to_bytes(), "沒有要求任何欄位",
         "no element is asked for"),
        ("not-embedded", changed(lambda body: body["docRequests"][0].update(itemsRequest={})), "itemsRequest 不是 #6.24 包裝",
         "itemsRequest is not embedded (#6.24)"),
        ("version-2", changed(lambda body: body.update(version="2.0")), "版本 2.0", "version 2.0"),
        ("no-documents", changed(lambda body: body.update(docRequests=[])), "沒有任何文件要求", "no document is asked for"),
        ("document-twice", changed(lambda body: body["docRequests"].append(body["docRequests"][0])),
         "同一文件類型要求兩次", "a document type is asked for twice"),
        ("payload-attached", changed(attached), "readerAuth 的內容不是分離式", "the payload of readerAuth is not detached"),
        ("intent-not-boolean", no_retain(), "保留意圖不是布林值", "an intent to retain that is no boolean"),
        ("key-twice", b"\xa3" + whole.to_bytes()[1:] + dumps("version") + dumps("1.0"), "同一個鍵出現兩次",
         "a key stands there twice"),
        ("request-truncated", whole.to_bytes()[:-1], "少了最後一個位元組", "the last byte is missing"),
        ("request-byte-after", whole.to_bytes() + b"\0", "後面多一個位元組", "a byte follows"),
    ):
        suite.bad(model, name, {Input.REQUEST: raw}, Reason.MALFORMED, UNREADABLE, zh, en)
