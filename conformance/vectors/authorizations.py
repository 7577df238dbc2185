"""Guardians' authorizations with their proof in a session, as a reader judges them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from conformance.vectors.engagements import Opened
from conformance.vectors.lists import WITHDRAWN_INDEX
from conformance.vectors.model import Input, Kind, Reason, Space, Value
from conformance.vectors.suite import Suite, flipped, moment, number
from conformance.vectors.world import CARD_NO, GRANTS_URI, GUARDIAN_NO, SAM_ID, World
from virtual_devices import cwt
from virtual_devices.authorization import (
    EVERYTHING,
    MEDIA_TYPE,
    Authorization,
    Purpose,
    Relation,
    Scope,
    claims,
    issue,
    make_proof,
)
from virtual_devices.clock import NS
from virtual_devices.cose import TYP, X5CHAIN, decode
from virtual_devices.mdoc.mso import StatusReference
from virtual_devices.mdoc.tagged import dumps
from virtual_devices.pki import DAY_NS, Identity, Role

MODEL = "authorization/parent"
VHC, CSHIS = Space.VHC, Space.CSHIS


def parents(world: World) -> Authorization:
    """A parent's: everything, for care, for a year."""
    return Authorization(
        bytes(range(16)), CARD_NO, GUARDIAN_NO, "陳淑芬", world.guardian.public_key(), Relation.PARENT, EVERYTHING, Purpose.CARE,
        world.now_ns, world.now_ns, world.now_ns + 365 * DAY_NS, StatusReference(GRANTS_URI, 77),
    )


def add(suite: Suite, world: World, opened: Opened, other: Opened) -> None:
    """A parent's and a messenger's authorization; each way to be refused."""
    parent = parents(world)
    messenger = replace(parent, relation=Relation.MESSENGER, scope=frozenset({Scope.BASIC, Scope.COLLECT}),
        purpose=Purpose.PHARMACY,
                        expires_ns=world.now_ns + 90 * DAY_NS)

    def proof(of: Authorization, at: Opened = opened, key: Any = None) -> bytes:
        return dumps(make_proof(lambda m: world.es256(key or world.guardian, m), at.transcript.encoded, of.cti).item())

    inputs: dict[Input | Value, bytes | str] = {
        Input.AUTHORIZATION: issue(parent, world.centre), Input.PROOF: proof(parent), Value.SESSION: opened.name,
        Value.WARD: CARD_NO, Value.SCOPE: "basic", Value.PURPOSE: Purpose.CARE.value,
    }
    suite.good(Kind.AUTHORIZATION, "parent", inputs, "父母代理：全部範圍、醫療用途",
        "a parent's authorization: everything, for care")
    suite.good(Kind.AUTHORIZATION, "messenger", {
        **inputs, Input.AUTHORIZATION: issue(messenger, world.centre), Value.SCOPE: "collect",
            Value.PURPOSE: Purpose.PHARMACY.value,
    }, "代領藥：只能領藥", "a messenger's: may collect medicine")
    elsewhere = replace(parent, status=StatusReference("https://status.bench.example/authorizations/99", 77))
    for name, changed, zh, en in (
        ("begins-within-skew", {Value.AT: moment(world.now_ns - 30 * NS)}, "開始前 30 秒（時差容許）",
         "looked at 30 s before it begins, which is within the skew"),
        ("status-unknown", {Input.AUTHORIZATION: issue(elsewhere, world.centre)}, "沒有其狀態清單：受理並註記",
         "of a list that is not here: served, and marked"),
    ):
        suite.good(Kind.AUTHORIZATION, name, {**inputs, **changed}, zh, en)
    _proofs(suite, world, parent, proof(parent, other), proof(parent, key=world.private("another phone")),
        proof(replace(parent, cti=bytes(16))))
    _grants(suite, world, parent)
    _forms(suite, world, parent)


def _proofs(suite: Suite, world: World, parent: Authorization, forwarded: bytes, foreign: bytes, of_another: bytes) -> None:
    code = number(VHC, "3100")
    for name, proof, zh, en in (
        ("proof-of-other-session", forwarded, "證明屬於另一會話", "the proof is of another session"),
        ("proof-by-other-key", foreign, "證明出自別的金鑰", "the proof is by another key"),
        ("proof-of-another", of_another, "證明屬於另一授權", "the proof is of another authorization"),
        ("no-proof", b"\xf6", "沒有證明（null）", "no proof (null)"),
    ):
        suite.bad(MODEL, name, {Input.PROOF: proof}, Reason.NO_PROOF, code, zh, en)


def _grants(suite: Suite, world: World, parent: Authorization) -> None:
    """What the authorization does not reach."""
    for name, value, reason, code, zh, en in (
        ("another-ward", {Value.WARD: "000000000077"}, Reason.WRONG_WARD, number(CSHIS, "5020"), "出示的是別人的卡",
         "another's card is presented"),
        ("expired", {Value.AT: moment(parent.expires_ns)}, Reason.EXPIRED, number(VHC, "3238"), "授權已到期",
         "looked at at its end"),
        ("too-early", {Value.AT: moment(world.now_ns - 31 * NS)}, Reason.NOT_YET_VALID, number(VHC, "3239"), "授權尚未開始",
         "looked at 31 s before it begins"),
    ):
        suite.bad(MODEL, name, value, reason, code, zh, en)
    no_right = number(CSHIS, "4029")
    for name, value, zh, en in (
        ("messenger-reads", {Value.SCOPE: "medical"}, "代領藥者要讀醫療資料", "the messenger wants medical data read"),
        ("messenger-visits", {Value.PURPOSE: Purpose.OUTPATIENT.value}, "代領藥者代為看診", "the messenger at a consultation"),
    ):
        suite.bad("authorization/messenger", name, value, Reason.OUT_OF_SCOPE, no_right, zh, en)
    other_key = replace(parent, guardian_key=world.device.public_key())
    suite.bad(MODEL, "another-guardian", {Input.AUTHORIZATION: issue(other_key, world.centre)}, Reason.WRONG_GUARDIAN,
              number(CSHIS, "5020"), "授權給別人的裝置金鑰，卡片卻綁定於此金鑰",
              "given to another device key than the card is bound to")
    withdrawn = replace(parent, status=StatusReference(GRANTS_URI, WITHDRAWN_INDEX))
    suite.bad(MODEL, "withdrawn", {Input.AUTHORIZATION: issue(withdrawn, world.centre)}, Reason.WITHDRAWN, number(VHC, "3240"),
              "授權已撤回（狀態清單）", "withdrawn, says the status list")


def _forms(suite: Suite, world: World, parent: Authorization) -> None:
    """Those that are forged, widened or none at all."""
    body, raw = claims(parent), issue(parent, world.centre)

    def signed(values: dict[int | str, Any], signer: Identity | None = None, kind: str = MEDIA_TYPE) -> bytes:
        by = signer or world.centre
        return cwt.make(by.key, values, protected={TYP: kind}, unprotected={X5CHAIN: list(by.chain)}).to_bytes()

    message = decode(raw)
    spoilt = raw[: -len(message.signature)] + flipped(message.signature)
    carer = replace(parent, relation=Relation.CARER)
    abroad = replace(parent, purpose=Purpose.NON_MEDICAL)
    grant = body[-65601]
    long = replace(parent, relation=Relation.FAMILY, expires_ns=world.now_ns + 367 * DAY_NS)
    stranger = world.stranger.issue(Role.DATA_CENTRE, "data centre")
    untrusted = world.authority.issue(Role.DATA_CENTRE, "data centre", days=(-365, -1), key_name="former")
    for name, made, reason, code, zh, en in (
        ("signature-bit", spoilt, Reason.FORGED, number(VHC, "1523"), "簽章最後一位元翻轉",
         "the last bit of the signature is turned over"),
        ("stranger", signed(body, stranger), Reason.FORGED, number(VHC, "1523"), "資料中心屬於別的根",
         "a data centre of another root"),
        ("issuer-expired", signed(body, untrusted), Reason.ISSUER_EXPIRED, number(VHC, "66501"), "簽發憑證已過期",
         "the issuer's certificate has ended"),
        ("granted-by-sam", signed(body, world.authority.issue(Role.SAM, SAM_ID)), Reason.WIDENED, number(CSHIS, "4029"),
         "由無權授權者簽發", "granted by a SAM, which may not"),
        ("carer-given-everything", issue(carer, world.centre), Reason.WIDENED, number(CSHIS, "4029"),
         "照顧者被授予超出其關係的範圍", "a carer is given more than a carer may have"),
        ("family-too-long", issue(long, world.centre), Reason.WIDENED, number(CSHIS, "4029"), "家人授權超過一年",
         "a relative is given more than a year"),
        ("unknown-scope", signed({**body, -65601: {**body[-65601], 4: [1, 9]}}), Reason.MALFORMED, number(VHC, "1520"),
         "未知的授權範圍", "a scope that nobody knows"),
        ("non-medical-with-everything", issue(abroad, world.centre), Reason.WIDENED, number(CSHIS, "4029"),
         "非醫療用途卻授予全部範圍", "everything is granted for a use that is not medical"),
        ("scope-twice", signed({**body, -65601: {**grant, 4: [1, 1, 2]}}), Reason.MALFORMED, number(VHC, "1520"),
         "同一範圍出現兩次", "a scope stands there twice"),
        ("no-scope", signed({**body, -65601: {**grant, 4: []}}), Reason.MALFORMED, number(VHC, "1520"), "沒有範圍", "no scope"),
        ("unknown-relation", signed({**body, -65601: {**grant, 3: "neighbour"}}), Reason.MALFORMED, number(VHC, "1520"),
         "未知的關係", "a relation that nobody knows"),
        ("unknown-purpose", signed({**body, -65601: {**grant, 5: "travel"}}), Reason.MALFORMED, number(VHC, "1520"),
         "未知的用途", "a purpose that nobody knows"),
        ("long-name", signed({**body, -65601: {**grant, 2: "名" * 61}}), Reason.MALFORMED, number(VHC, "1520"),
         "姓名 61 個字", "a name of 61 characters"),
        ("other-issuer", signed({**body, cwt.ISS: "somebody else"}), Reason.MALFORMED, number(VHC, "1520"), "iss 是別人",
         "iss is another's"),
        ("no-end", signed({k: v for k, v in body.items() if k != cwt.EXP}), Reason.MALFORMED, number(VHC, "1520"), "沒有期限",
         "without an end"),
        ("other-type", signed(body, kind="application/cwt"), Reason.MALFORMED, number(VHC, "1520"), "typ 是別的型別",
         "typ is another's"),
        ("truncated", raw[:-1], Reason.MALFORMED, number(VHC, "1520"), "少了最後一個位元組", "the last byte is missing"),
    ):
        suite.bad(MODEL, name, {Input.AUTHORIZATION: made}, reason, code, zh, en)
