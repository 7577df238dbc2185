"""The card's QR codes, bound to a reader or not."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import cbor2
from cryptography import x509

from conformance.vectors.model import Input, Kind, Reason, Space, Value
from conformance.vectors.suite import Suite, flipped, moment, number
from conformance.vectors.world import (
    INSTITUTION,
    PLACE,
    RESERVED_PLACE,
    REVOKED_PLACE,
    SUSPENDED_PLACE,
    World,
)
from virtual_devices import base45, cwt
from virtual_devices.authorization import Purpose, Scope
from virtual_devices.clock import NS, from_datetime
from virtual_devices.cose import ALG, ES256, KCWT, SIGN1_TAG, TYP, Sign1, encode_protected, sig_structure
from virtual_devices.cose import decode as decode_cose
from virtual_devices.mdoc.mso import StatusReference
from virtual_devices.pki import DAY_NS, Identity, Role
from virtual_devices.qr import card
from virtual_devices.qr.challenge import Challenge, new_challenge
from virtual_devices.qr.text import CARD, MAX_BYTES, pack, unpack

READER = f"{INSTITUTION}/counter 1"
MODEL, BOUND = "card-code/unbound", "card-code/bound"


class Phone:
    """Wraps card codes, right ones and wrong ones."""

    def __init__(self, world: World) -> None:
        self.world = world

    def inner(self, *, signer: Identity | None = None, place: StatusReference = PLACE, from_ns: int | None = None,
              until_ns: int | None = None, key: Any = None, claims: Mapping[Any, Any] | None = None,
              guardian: card.Guardian | None = None) -> bytes:
        """The issuer's word: the same data, whatever is changed. ``claims``: put in the place of others, and signed anew."""
        if claims is not None:
            by = signer or self.world.signer
            message = decode_cose(self.inner())
            values = {**cbor2.loads(message.payload or b""), **claims}
            return cwt.make(by.key, values, protected={4: card.key_id(by.chain[0])}).to_bytes()
        world = self.world
        data = world.holder.qr(world.device.public_key(), guardian)
        begins_ns = world.now_ns - 30 * DAY_NS if from_ns is None else from_ns
        term = card.Term(begins_ns, begins_ns, world.until_ns if until_ns is None else until_ns)
        return card.issue(data, (key or world.code_key).public_key(), signer or world.signer, term, place, world.fresh("card"))

    def show(self, inner: bytes | None = None, *, at_ns: int | None = None, challenge: Challenge | None = None,
             lifetime_s: int = 60, key: Any = None, header: Mapping[Any, Any] | None = None, without: int | None = None,
             more: Mapping[Any, Any] | None = None, unprotected: Mapping[Any, Any] | None = None) -> bytes:
        """The text of a code. ``lifetime_s`` may be longer than any phone of ours would make it; ``more``: other claims."""
        world, now_s = self.world, cwt.seconds(self.world.now_ns if at_ns is None else at_ns)
        values: dict[int | str, Any] = {cwt.IAT: now_s, cwt.EXP: now_s + lifetime_s, cwt.CTI: world.fresh("showing")(12)}
        if challenge is not None:
            values |= {cwt.AUD: challenge.reader, cwt.NONCE: challenge.nonce}
        values.pop(without or -1, None)
        values |= more or {}
        item = cbor2.CBORTag(SIGN1_TAG, decode_cose(inner or self.inner()).item())
        protected = encode_protected({ALG: ES256, KCWT: item, TYP: card.MEDIA_TYPE, **(header or {})})
        payload = cwt.Claims(values).to_bytes()
        signature = world.es256(key or world.code_key, sig_structure(protected, payload))
        return pack(CARD, Sign1(protected, unprotected or {}, payload, signature).to_bytes()).encode()


def _vhc(code: str) -> Any:
    return number(Space.VHC, code)


def add(suite: Suite, world: World) -> None:
    """Card codes, right ones and wrong ones."""
    phone = Phone(world)
    text = phone.show()
    suite.good(Kind.CARD_CODE, "unbound", {Input.TEXT: text, Value.READER: READER}, "卡片條碼，未綁定讀取者，效期 60 秒",
               "a card's code for any reader, good for 60 s")
    suite.picture("card-code/unbound.png", text.decode(), "同上的圖片", "the same as a picture")
    challenge = new_challenge(READER, world.fresh("challenge"))
    bound = phone.show(challenge=challenge)
    suite.good(Kind.CARD_CODE, "bound", {Input.TEXT: bound, Input.CHALLENGE: challenge.to_text().encode(), Value.READER: READER},
               "卡片條碼，綁定此讀取者的挑戰", "a card's code for this reader's question alone")
    suite.picture("card-code/bound.png", bound.decode(), "同上的圖片", "the same as a picture")
    suite.picture("card-code/challenge.png", challenge.to_text(), "讀取者挑戰的圖片", "the reader's challenge as a picture")
    unlisted = phone.inner(place=StatusReference("https://status.bench.example/cards/99", 1))
    for name, values, zh, en in (
        ("last-second", {Value.AT: moment(world.now_ns + 89 * NS)}, "89 秒後才掃描（60 秒加 30 秒時差之內）",
         "scanned after 89 s (within 60 s and a skew of 30 s)"),
        ("phone-30-s-fast", {Value.AT: moment(world.now_ns - 30 * NS)}, "手機時鐘快 30 秒（時差容許）",
         "made by a phone whose clock is 30 s fast, which is within the skew"),
        ("unknown-claims", {Input.TEXT: phone.show(phone.inner(claims={99: "more"}), more={98: 1})}, "另有未知的 claim：不予理會",
         "claims that nobody knows: they are overlooked"),
        ("status-unknown", {Input.TEXT: phone.show(unlisted)},
         "沒有其狀態清單：受理並註記", "of a list that is not here: served, and marked"),
    ):
        suite.good(Kind.CARD_CODE, name, {Input.TEXT: text, Value.READER: READER, **values}, zh, en)
    suite.bad(MODEL, "used-before", {Input.BEFORE: text}, Reason.USED_BEFORE, _vhc("1020"), "同一個條碼已掃描過",
              "this reader has taken the very code before")
    _issuer_ends(suite, world, phone)
    _times(suite, phone)
    _signers(suite, world, phone)
    _binding(suite, world, phone, challenge)
    _ward(suite, phone)
    _form(suite, phone, text)


def _issuer_ends(suite: Suite, world: World, phone: Phone) -> None:
    """A card that outlives its signer's certificate, shown in the last seconds of that."""
    ends_ns = from_datetime(x509.load_der_x509_certificate(world.signer.chain[0]).not_valid_after_utc)
    text = phone.show(phone.inner(until_ns=ends_ns + DAY_NS), at_ns=ends_ns - 10 * NS)
    model = suite.good(
        Kind.CARD_CODE, "signer-last-second", {Input.TEXT: text, Value.READER: READER, Value.AT: moment(ends_ns)},
        "發卡憑證效期的最後一秒", "the last second of the signer's certificate",
    )
    suite.bad(model, "signer-ended", {Value.AT: moment(ends_ns + NS)}, Reason.ISSUER_EXPIRED, _vhc("1422"),
              "發卡憑證一秒前到期", "the signer's certificate ended a second ago")


def _times(suite: Suite, phone: Phone) -> None:
    now_ns = phone.world.now_ns
    for name, at_ns, reason, code, zh, en in (
        ("late", now_ns + 90 * NS, Reason.EXPIRED, "1018", "90 秒後才掃描（60 秒加 30 秒時差）",
         "scanned after 90 s (60 s and a skew of 30 s)"),
        ("early", now_ns - 31 * NS, Reason.FROM_THE_FUTURE, "1521", "手機時鐘快 31 秒",
         "made by a phone whose clock is 31 s fast"),
    ):
        suite.bad(MODEL, name, {Value.AT: moment(at_ns)}, reason, _vhc(code), zh, en)
    day_ns = DAY_NS
    for name, text, reason, code, zh, en in (
        ("lives-0-s", phone.show(lifetime_s=0), Reason.LIVES_TOO_LONG, "1522", "效期 0 秒", "made to live for no time"),
        ("lives-61-s", phone.show(lifetime_s=61), Reason.LIVES_TOO_LONG, "1522", "效期 61 秒", "made to live for 61 s"),
        ("card-expired", phone.show(phone.inner(until_ns=now_ns - day_ns)), Reason.CARD_EXPIRED, "3201", "卡片昨天到期",
         "a card that ended yesterday"),
        ("card-too-early", phone.show(phone.inner(from_ns=now_ns + day_ns)), Reason.CARD_TOO_EARLY, "1524", "卡片明天才生效",
         "a card that begins tomorrow"),
        ("status-reserved", phone.show(phone.inner(place=RESERVED_PLACE)), Reason.REVOKED, "1531", "狀態清單：保留值 3",
         "the status list says: 3"),
        ("revoked", phone.show(phone.inner(place=REVOKED_PLACE)), Reason.REVOKED, "1531", "狀態清單：已廢止",
         "the status list says: revoked"),
    ):
        suite.bad(MODEL, name, {Input.TEXT: text}, reason, _vhc(code), zh, en)
    suite.bad(MODEL, "suspended", {Input.TEXT: phone.show(phone.inner(place=SUSPENDED_PLACE))}, Reason.SUSPENDED,
              number(Space.CSHIS, "9011"), "狀態清單：停用中", "the status list says: suspended")


def _signers(suite: Suite, world: World, phone: Phone) -> None:
    thief = world.private("another phone")
    message = decode_cose(phone.inner())
    forged = replace(message, signature=flipped(message.signature)).to_bytes()
    widened = cwt.Claims({**cwt.read_claims(message.payload or b"").values, cwt.EXP: cwt.seconds(world.until_ns + DAY_NS)})
    altered = replace(message, payload=widened.to_bytes()).to_bytes()
    stranger = world.stranger.issue(Role.DOCUMENT_SIGNER, "document signer")
    for name, text, reason, code, zh, en in (
        ("copied-card", phone.show(key=thief), Reason.FORGED_WRAPPER, "1523", "別的手機以自己的金鑰包裝他人的卡",
         "another phone wraps somebody's card with its own key"),
        ("card-signature-bit", phone.show(forged), Reason.FORGED_CARD, "1523", "發卡機構簽章最後一位元翻轉",
         "the last bit of the issuer's signature is turned over"),
        ("card-prolonged", phone.show(altered), Reason.FORGED_CARD, "1523", "卡片期限被延長一天",
         "the card's end was moved by a day"),
        ("issued-before-signer", phone.show(phone.inner(claims={cwt.IAT: cwt.seconds(world.epoch_ns - 366 * DAY_NS)})),
         Reason.FORGED_CARD,
         "1523", "簽發時間早於發卡憑證的效期", "issued before the signer's certificate began"),
        ("stranger", phone.show(phone.inner(signer=stranger)), Reason.UNKNOWN_ISSUER, "1423", "發卡者的憑證不在讀取者手上",
         "of an issuer whose certificate is not here"),
    ):
        suite.bad(MODEL, name, {Input.TEXT: text}, reason, _vhc(code), zh, en)


def _ward(suite: Suite, phone: Phone) -> None:
    """Shown by a guardian, who may register visits and collect nothing."""
    guardian = card.Guardian(bytes(range(16)), "000000000099", "陳美玲", frozenset({Scope.BASIC}), Purpose.CARE)
    text = phone.show(phone.inner(guardian=guardian))
    suite.good(Kind.CARD_CODE, "ward", {Input.TEXT: text, Value.READER: READER, Value.SCOPE: "basic"},
               "代理人手機上的受代理人卡片條碼，用於掛號", "a ward's code on a guardian's phone, to register a visit")
    suite.bad("card-code/ward", "ward-collects", {Value.SCOPE: "collect"}, Reason.OUT_OF_SCOPE, number(Space.CSHIS, "4029"),
              "代理人要領藥，授權不及", "the guardian is to collect medicine, which the authorization does not reach to")


def _binding(suite: Suite, world: World, phone: Phone, challenge: Challenge) -> None:
    elsewhere, old = replace(challenge, reader=f"{INSTITUTION}/counter 2"), replace(challenge, nonce=flipped(challenge.nonce))
    for name, text, reason, zh, en in (
        ("not-bound", phone.show(), Reason.NOT_BOUND, "讀取者出了挑戰，條碼卻未綁定", "not bound, where this reader asked"),
        ("another-reader", phone.show(challenge=elsewhere), Reason.OTHER_READER, "為另一讀取者所作", "made for another reader"),
        ("another-nonce", phone.show(challenge=old), Reason.OTHER_READER, "回答的是另一個挑戰", "made for another question"),
    ):
        suite.bad(BOUND, name, {Input.TEXT: text}, reason, _vhc("1022"), zh, en)
    suite.bad(MODEL, "bound-elsewhere", {Input.TEXT: phone.show(challenge=elsewhere)}, Reason.OTHER_READER, _vhc("1022"),
              "綁定別的讀取者，在此未出挑戰", "bound to another reader, where nothing was asked")


def _form(suite: Suite, phone: Phone, text: bytes) -> None:
    good = text.decode()
    raw = unpack(CARD, good)
    item = cbor2.loads(raw)
    indefinite = b"\xd2\x9f" + b"".join(cbor2.dumps(part, canonical=True) for part in item.value) + b"\xff"
    for name, made, reason, code, zh, en in (
        ("other-prefix", "HC1:" + good[5:], Reason.FOREIGN, "1522", "別種條碼的開頭", "the prefix of another kind of code"),
        ("truncated", good[:-3], Reason.MALFORMED, "1520", "少了最後三個字元", "the last three characters are missing"),
        ("lower-case", good[:5] + good[5:].lower(), Reason.MALFORMED, "1520", "小寫字母不屬於 Base45",
         "letters that Base45 does not have"),
        ("not-packed", pack(CARD, b"")[:5] + good[5:45], Reason.MALFORMED, "1520", "解壓縮不完整",
         "packed bytes that are cut short"),
        ("byte-after", pack(CARD, raw + b"\0"), Reason.MALFORMED, "1520", "CBOR 後多一個位元組", "a byte follows the CBOR"),
        ("byte-after-zlib", CARD + base45.encode(zlib.compress(raw, 9) + b"\0"), Reason.MALFORMED, "1520",
         "壓縮內容後多一個位元組",
         "a byte follows the packed bytes"),
        ("too-long", pack(CARD, bytes(MAX_BYTES + 1)), Reason.MALFORMED, "1520", "解壓縮後超過 8192 位元組",
         "unpacked it has a byte more than 8192"),
        ("tag-61", pack(CARD, b"\xd8\x3d" + raw), Reason.MALFORMED, "1520", "外面多了標籤 61", "tag 61 round it"),
        ("not-deterministic", pack(CARD, indefinite), Reason.MALFORMED, "1520", "不定長度的 CBOR 陣列",
         "an array of indefinite length"),
    ):
        suite.bad(MODEL, name, {Input.TEXT: made.encode()}, reason, _vhc(code), zh, en)
    data = cbor2.loads(decode_cose(phone.inner()).payload or b"")[card.DATA]
    for name, text_, zh, en in (
        ("nonce-alone", phone.show(more={cwt.NONCE: bytes(12)}), "有 nonce 而沒有 aud", "a nonce without aud"),
        ("unprotected-header", phone.show(unprotected={33: b"x"}), "外層有未受保護的標頭",
         "the wrapper has an unprotected header"),
        ("more-data", phone.show(phone.inner(claims={card.DATA: {**data, 10: "more"}})), "卡片資料多一項",
         "the card's data have one more"),
        ("no-day", phone.show(phone.inner(claims={card.DATA: {**data, 4: 19580230}})), "出生日期不存在",
         "a birth date that there is not"),
        ("other-issuer", phone.show(phone.inner(claims={cwt.ISS: "somebody else"})), "iss 是別人", "iss is another's"),
        ("no-expiry", phone.show(without=cwt.EXP), "外層沒有 exp", "the wrapper has no exp"),
        ("no-id", phone.show(without=cwt.CTI), "外層沒有 cti", "the wrapper has no cti"),
        ("other-type", phone.show(header={TYP: "application/statuslist+cwt"}), "typ 是別的型別", "typ is another's"),
        ("more-headers", phone.show(header={4: b"x"}), "外層多了一個標頭", "the wrapper has one header more"),
    ):
        suite.bad(MODEL, name, {Input.TEXT: text_}, Reason.MALFORMED, _vhc("1520"), zh, en)
