"""QR codes: the card's, bound to a reader or not, prescriptions, and one content in several codes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from typing import Any

import cbor2

from conformance.vectors.model import Input, Kind, Reason, Space, Value
from conformance.vectors.pictures import png
from conformance.vectors.suite import Suite, flipped, moment, number, signature_spoilt
from conformance.vectors.world import INSTITUTION, NOW_NS, PLACE, REVOKED_PLACE, SUSPENDED_PLACE, UNTIL_NS, World
from virtual_devices import cwt
from virtual_devices.clock import NS
from virtual_devices.cose import ALG, ES256, KCWT, SIGN1_TAG, TYP, Sign1, encode_protected, sig_structure
from virtual_devices.cose import decode as decode_cose
from virtual_devices.mdoc.mso import StatusReference
from virtual_devices.pki import DAY_NS, Identity, Role
from virtual_devices.qr import card, parts
from virtual_devices.qr.challenge import Challenge, new_challenge
from virtual_devices.qr.prescription import Entry, Prescription, SigningParty, sign, to_text
from virtual_devices.qr.text import CARD, pack, unpack
from virtual_devices.write_back import holder_of

READER = f"{INSTITUTION}/counter 1"
MODEL, BOUND = "card-code/unbound", "card-code/bound"


class Phone:
    """Wraps card codes, right ones and wrong ones."""

    def __init__(self, world: World) -> None:
        self.world = world

    def inner(self, *, signer: Identity | None = None, place: StatusReference = PLACE, from_ns: int = NOW_NS - 30 * DAY_NS,
              until_ns: int = UNTIL_NS, key: Any = None) -> bytes:
        """The issuer's word: the same data, whatever is changed."""
        world = self.world
        data = world.holder.qr(world.device.public_key())
        term = card.Term(from_ns, from_ns, until_ns)
        return card.issue(data, (key or world.code_key).public_key(), signer or world.signer, term, place, world.fresh("card"))

    def show(self, inner: bytes | None = None, *, at_ns: int = NOW_NS, challenge: Challenge | None = None, lifetime_s: int = 60,
             key: Any = None, header: Mapping[Any, Any] | None = None, without: int | None = None) -> bytes:
        """The text of a code. ``lifetime_s`` may be longer than any phone of ours would make it."""
        world, now_s = self.world, cwt.seconds(at_ns)
        values: dict[int | str, Any] = {cwt.IAT: now_s, cwt.EXP: now_s + lifetime_s, cwt.CTI: world.fresh("showing")(12)}
        if challenge is not None:
            values |= {cwt.AUD: challenge.reader, cwt.NONCE: challenge.nonce}
        values.pop(without or -1, None)
        item = cbor2.CBORTag(SIGN1_TAG, decode_cose(inner or self.inner()).item())
        protected = encode_protected({ALG: ES256, KCWT: item, TYP: card.MEDIA_TYPE, **(header or {})})
        payload = cwt.Claims(values).to_bytes()
        signature = world.es256(key or world.code_key, sig_structure(protected, payload))
        return pack(CARD, Sign1(protected, {}, payload, signature).to_bytes()).encode()


def _vhc(code: str) -> Any:
    return number(Space.VHC, code)


def add(suite: Suite, world: World) -> None:
    """Card codes, then prescriptions."""
    phone = Phone(world)
    text = phone.show()
    suite.good(Kind.CARD_CODE, "unbound", {Input.TEXT: text, Value.READER: READER}, "卡片條碼，未綁定讀取者，效期 60 秒",
               "a card's code for any reader, good for 60 s")
    suite.file("card-code/unbound.png", png(text.decode()), "同上的圖片", "the same as a picture")
    challenge = new_challenge(READER, world.fresh("challenge"))
    bound = phone.show(challenge=challenge)
    suite.good(Kind.CARD_CODE, "bound", {Input.TEXT: bound, Input.CHALLENGE: challenge.to_text().encode(), Value.READER: READER},
               "卡片條碼，綁定此讀取者的挑戰", "a card's code for this reader's question alone")
    suite.file("card-code/bound.png", png(bound.decode()), "同上的圖片", "the same as a picture")
    suite.file("card-code/challenge.png", png(challenge.to_text()), "讀取者挑戰的圖片", "the reader's challenge as a picture")
    _times(suite, phone)
    _signers(suite, world, phone)
    _binding(suite, world, phone, challenge)
    _form(suite, phone, text)
    _prescriptions(suite, world)


def _times(suite: Suite, phone: Phone) -> None:
    for name, at_ns, reason, code, zh, en in (
        ("late", NOW_NS + 91 * NS, Reason.EXPIRED, "1018", "91 秒後才掃描（60 秒加 30 秒時差）",
         "scanned after 91 s (60 s and a skew of 30 s)"),
        ("early", NOW_NS - 31 * NS, Reason.FROM_THE_FUTURE, "1521", "手機時鐘快 31 秒",
         "made by a phone whose clock is 31 s fast"),
    ):
        suite.bad(MODEL, name, {Value.AT: moment(at_ns)}, reason, _vhc(code), zh, en)
    day_ns = DAY_NS
    for name, text, reason, code, zh, en in (
        ("lives-61-s", phone.show(lifetime_s=61), Reason.LIVES_TOO_LONG, "1522", "效期 61 秒", "made to live for 61 s"),
        ("card-expired", phone.show(phone.inner(until_ns=NOW_NS - day_ns)), Reason.CARD_EXPIRED, "3201", "卡片昨天到期",
         "a card that ended yesterday"),
        ("card-too-early", phone.show(phone.inner(from_ns=NOW_NS + day_ns)), Reason.CARD_TOO_EARLY, "1524", "卡片明天才生效",
         "a card that begins tomorrow"),
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
    widened = cwt.Claims({**cwt.read_claims(message.payload or b"").values, cwt.EXP: cwt.seconds(UNTIL_NS + DAY_NS)})
    altered = replace(message, payload=widened.to_bytes()).to_bytes()
    stranger = world.stranger.issue(Role.DOCUMENT_SIGNER, "document signer")
    for name, text, reason, code, zh, en in (
        ("copied-card", phone.show(key=thief), Reason.FORGED_WRAPPER, "1523", "別的手機以自己的金鑰包裝他人的卡",
         "another phone wraps somebody's card with its own key"),
        ("card-signature-bit", phone.show(forged), Reason.FORGED_CARD, "1523", "發卡機構簽章最後一位元翻轉",
         "the last bit of the issuer's signature is turned over"),
        ("card-prolonged", phone.show(altered), Reason.FORGED_CARD, "1523", "卡片期限被延長一天",
         "the card's end was moved by a day"),
        ("stranger", phone.show(phone.inner(signer=stranger)), Reason.UNKNOWN_ISSUER, "1423", "發卡者的憑證不在讀取者手上",
         "of an issuer whose certificate is not here"),
    ):
        suite.bad(MODEL, name, {Input.TEXT: text}, reason, _vhc(code), zh, en)


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
        ("not-deterministic", pack(CARD, indefinite), Reason.MALFORMED, "1520", "不定長度的 CBOR 陣列",
         "an array of indefinite length"),
    ):
        suite.bad(MODEL, name, {Input.TEXT: made.encode()}, reason, _vhc(code), zh, en)
    for name, text_, zh, en in (
        ("no-expiry", phone.show(without=cwt.EXP), "外層沒有 exp", "the wrapper has no exp"),
        ("no-id", phone.show(without=cwt.CTI), "外層沒有 cti", "the wrapper has no cti"),
        ("other-type", phone.show(header={TYP: "application/statuslist+cwt"}), "typ 是別的型別", "typ is another's"),
        ("more-headers", phone.show(header={4: b"x"}), "外層多了一個標頭", "the wrapper has one header more"),
    ):
        suite.bad(MODEL, name, {Input.TEXT: text_}, Reason.MALFORMED, _vhc("1520"), zh, en)


# -- prescriptions

def _prescriptions(suite: Suite, world: World) -> None:
    device = holder_of(world.device.public_key())
    lines = tuple(Entry("1", f"AC{n}4917100", "", usage, 28, total, "01")
                  for n, (usage, total) in enumerate((("1T QD PO", 280), ("1T BID PC PO", 560), ("0.5T HS PO", 140))))
    rx = Prescription(bytes(range(16)), device, NOW_NS, INSTITUTION, lines, date(2026, 5, 24))
    doctor = SigningParty(world.physician.chain[0], lambda m: world.es256(world.physician.key, m))
    clinic = SigningParty(world.sam.chain[0], lambda m: world.es256(world.sam.key, m))
    text = to_text(sign(rx, doctor, clinic))
    values: Mapping[Input | Value, bytes | str] = {Input.TEXT: text.encode(), Value.DEVICE: device.hex()}
    model = suite.good(Kind.PRESCRIPTION_CODE, "whole", values, "處方條碼：三筆，醫師與院所簽章，附憑證",
                       "a prescription of three lines, signed by physician and institution, with their certificates")
    suite.file("prescription-code/whole.png", png(text), "同上的圖片（一張）", "the same as one picture")
    several = parts.split(text, world.fresh("parts"))
    for number_, part in enumerate(several, 1):
        suite.file(f"prescription-code/part-{number_}.png", png(part), f"分成 {len(several)} 張中的第 {number_} 張",
            f"part {number_} of {len(several)}")
    suite.good(Kind.PRESCRIPTION_CODE, "parts", {Input.TEXTS: "\n".join(several).encode(), Value.DEVICE: device.hex()},
               "同一處方分成數張條碼", "the same prescription in several codes")
    shuffled = "\n".join((several[0], *several[2:]))
    suite.bad("prescription-code/parts", "part-missing", {Input.TEXTS: shuffled.encode()}, Reason.MALFORMED, _vhc("1520"),
              "少了第二張", "the second part is missing")
    suite.bad(model, "another-card", {Value.DEVICE: holder_of(world.private("another phone").public_key()).hex()},
              Reason.WRONG_HOLDER, number(Space.CSHIS, "5020"), "出示者不是處方所屬的持卡人", "presented by another card")
    _wrong_prescriptions(suite, world, model, rx, doctor, clinic)


def _wrong_prescriptions(
    suite: Suite, world: World, model: str, rx: Prescription, doctor: SigningParty, clinic: SigningParty,
) -> None:
    def spoilt(which: int) -> str:
        return to_text(signature_spoilt(sign(rx, doctor, clinic), which))

    pharmacist = SigningParty(world.pharmacist.chain[0], lambda m: world.es256(world.pharmacist.key, m))
    stranger = world.reader(Role.PHYSICIAN, "A123456789", authority=world.stranger)
    expired = world.reader(Role.PHYSICIAN, "A123456789", from_ns=NOW_NS - 5 * DAY_NS)
    by_stranger, by_expired = replace(doctor, certificate=stranger.chain[0]), replace(doctor, certificate=expired.chain[0])
    other_clinic = world.stranger.renew(Role.SAM, "SAM000000001", world.sam.key.public_key(), NOW_NS, organisation=INSTITUTION)
    for name, text, reason, code, zh, en in (
        ("physician-bit", spoilt(0), Reason.PHYSICIAN_FORGED, "1420", "醫師簽章最後一位元翻轉",
         "the last bit of the physician's signature is turned over"),
        ("institution-bit", spoilt(1), Reason.INSTITUTION_FORGED, "3100", "院所簽章最後一位元翻轉",
         "the last bit of the institution's signature is turned over"),
        ("by-pharmacist", to_text(sign(rx, pharmacist, clinic)), Reason.NO_PHYSICIAN, "3212", "由藥師簽章",
         "signed by a pharmacist"),
        ("physician-stranger", to_text(sign(rx, by_stranger, clinic)), Reason.PHYSICIAN_UNTRUSTED, "1423", "醫師憑證屬於別的根",
         "a physician of another root"),
        ("physician-expired", to_text(sign(rx, by_expired, clinic)), Reason.PHYSICIAN_INVALID, "1422", "開立當日醫師憑證已到期",
         "the physician's certificate had ended on that day"),
        ("institution-stranger", to_text(sign(rx, doctor, replace(clinic, certificate=other_clinic[0]))),
         Reason.INSTITUTION_UNTRUSTED, "1301",
         "院所憑證屬於別的根", "an institution of another root"),
        ("other-institution", to_text(sign(replace(rx, institution="9901180099"), doctor, clinic)), Reason.OTHER_INSTITUTION,
         "3211",
         "處方上的院所與簽章者不同", "another institution than the one that signed"),
        ("no-certificates", to_text(sign(rx, doctor, clinic, certificates=False)), Reason.NO_CERTIFICATE, "1423",
         "條碼不附憑證，讀取者也沒有", "without certificates, and the reader has none"),
        ("dated-tomorrow", to_text(sign(replace(rx, issued_ns=NOW_NS + DAY_NS), doctor, clinic)), Reason.FROM_THE_FUTURE, "1421",
         "開立時間在明天", "signed tomorrow"),
        ("last-day-passed", to_text(sign(replace(rx, last_day=date(2026, 3, 1)), doctor, clinic)), Reason.EXPIRED, "1421",
         "調劑期限是昨天", "past its last day"),
        ("no-prescription", "VHP1:" + Phone(world).show().decode()[5:], Reason.MALFORMED, "1520", "內容是卡片而不是處方",
         "a card's content under a prescription's prefix"),
        ("other-prefix", Phone(world).show().decode(), Reason.FOREIGN, "1522", "卡片條碼不是處方條碼", "a card's code"),
    ):
        suite.bad(model, name, {Input.TEXT: text.encode()}, reason, _vhc(code), zh, en)
    serial = f"{_serial(doctor.certificate):032x}"
    suite.bad(model, "physician-revoked", {Value.REVOKED: serial}, Reason.PHYSICIAN_REVOKED, _vhc("1424"),
              "醫師憑證已撤銷", "the physician's certificate was revoked")


def _serial(certificate: bytes) -> int:
    from cryptography import x509

    return x509.load_der_x509_certificate(certificate).serial_number
