"""Prescriptions in QR codes, in one code and in several, as a pharmacy judges them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date
from typing import Any

import cbor2
from cryptography import x509

from conformance.vectors.codes import Phone
from conformance.vectors.model import Input, Kind, Reason, Space, Value
from conformance.vectors.suite import Suite, flipped, number, signature_spoilt
from conformance.vectors.world import INSTITUTION, NOW_NS, SAM_ID, World
from virtual_devices import base45
from virtual_devices.cose import X5CHAIN, decode_sign, signer_structure
from virtual_devices.mdoc.tagged import dumps, tdate
from virtual_devices.pki import DAY_NS, Role
from virtual_devices.qr import parts
from virtual_devices.qr.prescription import Entry, Prescription, SigningParty, sign, to_text
from virtual_devices.write_back import holder_of


def _vhc(code: str) -> Any:
    return number(Space.VHC, code)


def add(suite: Suite, world: World) -> None:
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
    suite.picture("prescription-code/whole.png", text, "同上的圖片（一張）", "the same as one picture")
    several = parts.split(text, world.fresh("parts"))
    for number_, part in enumerate(several, 1):
        suite.picture(f"prescription-code/part-{number_}.png", part, f"分成 {len(several)} 張中的第 {number_} 張",
                      f"part {number_} of {len(several)}")
    suite.good(Kind.PRESCRIPTION_CODE, "parts", {Input.TEXTS: "\n".join(several).encode(), Value.DEVICE: device.hex()},
               "同一處方分成數張條碼", "the same prescription in several codes")
    shuffled = "\n".join((several[0], *several[2:]))
    suite.bad("prescription-code/parts", "part-missing", {Input.TEXTS: shuffled.encode()}, Reason.MALFORMED, _vhc("1520"),
              "少了第二張", "the second part is missing")
    mixed = parts.split(to_text(sign(replace(rx, id=bytes(16)), doctor, clinic)), world.fresh("parts"))  # under the same set id
    for name, lines_, zh, en in (
        ("parts-mixed", (several[0], mixed[1], *several[2:]), "混入另一處方的一張：內容矛盾",
         "a part of another prescription under the same set id: it contradicts the others"),
        ("part-spoilt", (several[0], _spoilt(several[1]), *several[2:]), "一張的內容被改：核對碼不符",
         "a part was altered: the whole is not what the checksum says"),
    ):
        suite.bad("prescription-code/parts", name, {Input.TEXTS: "\n".join(lines_).encode()}, Reason.MALFORMED, _vhc("1520"), zh,
         en)
    suite.good(Kind.PRESCRIPTION_CODE, "parts-any-order", {
        Input.TEXTS: "\n".join((several[-1], several[0], several[-1], *several[1:-1])).encode(), Value.DEVICE: device.hex(),
    }, "順序顛倒且重複掃描", "in another order, and one of them twice")
    last = suite.good(Kind.PRESCRIPTION_CODE, "last-day", {**values, Value.AT: "2026-05-24T15:59:59Z"},
                      "調劑期限當日最後一秒（臺灣時間）", "the last second of its last day in Taiwan")
    suite.bad(last, "day-after", {Value.AT: "2026-05-24T16:00:00Z"}, Reason.EXPIRED, _vhc("1421"),
              "調劑期限次日零時（臺灣時間）", "the first moment of the day after in Taiwan")
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
        ("institution-expired", to_text(sign(rx, doctor, replace(clinic, certificate=world.reader(
            Role.SAM, SAM_ID, organisation=INSTITUTION, from_ns=NOW_NS - 5 * DAY_NS).chain[0]))), Reason.INSTITUTION_UNTRUSTED,
             "1301",
         "開立當日院所憑證已到期", "the institution's certificate had ended on that day"),
        ("institution-other-use", to_text(sign(rx, doctor, SigningParty(
            world.other_use.chain[0], lambda m: world.es256(world.other_use.key, m)))), Reason.INSTITUTION_UNTRUSTED, "1301",
         "院所簽章出自非醫療讀取者", "a reader outside medical care in place of the institution"),
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
    _no_prescriptions(suite, world, model, rx, doctor, clinic)
    suite.bad(model, "institution-revoked", {Value.REVOKED: f"{_serial(clinic.certificate):032x}"}, Reason.INSTITUTION_REVOKED,
              _vhc("1304"), "院所憑證已撤銷", "the institution's certificate was revoked")
    serial = f"{_serial(doctor.certificate):032x}"
    suite.bad(model, "physician-revoked", {Value.REVOKED: serial}, Reason.PHYSICIAN_REVOKED, _vhc("1424"),
              "醫師憑證已撤銷", "the physician's certificate was revoked")


def _no_prescriptions(
    suite: Suite, world: World, model: str, rx: Prescription, doctor: SigningParty, clinic: SigningParty,
) -> None:
    """What is rightly signed, or could be, and is no prescription of the profile."""
    whole = decode_sign(sign(rx, doctor, clinic))

    def signed(change: Callable[[dict[int, Any]], object]) -> str:
        body = {**cbor2.loads(rx.record().to_bytes()), 4: tdate(rx.issued_ns)}
        change(body)
        message = replace(whole, payload=dumps(body))
        made = [
            replace(s, signature=party.sign(signer_structure(b"", s.protected, message.payload)))
            for s, party in zip(whole.signatures, (doctor, clinic), strict=True)
        ]
        return to_text(replace(message, signatures=tuple(made)).to_bytes())

    other = replace(whole.signatures[0], unprotected={X5CHAIN: world.pharmacist.chain[0]})
    line = rx.entries[0].value()
    suite.bad(model, "certificate-of-another", {Input.TEXT: to_text(replace(whole, signatures=(
        other, whole.signatures[1])).to_bytes()).encode()}, Reason.NO_CERTIFICATE, _vhc("1423"),
        "所附憑證不是 x5t 所指的", "the certificate that it carries is not the one that x5t names")
    for name, text, zh, en in (
        ("one-signature", to_text(replace(whole, signatures=whole.signatures[:1]).to_bytes()), "只有一個簽章", "one signature"),
        ("a-visit", signed(lambda b: b.update({1: "visit"})), "紀錄不是處方", "a record of another kind"),
        ("sixty-one", signed(lambda b: b[5].update({2: [line] * 61})), "61 筆", "sixty-one orders"),
        ("more-fields", signed(lambda b: b[5].update({99: 1})), "多一個欄位", "a field more"),
        ("days-1000", signed(lambda b: b[5].update({2: [[*line[:4], 1000, *line[5:]]]})), "給藥日數 1000",
         "an order for 1000 days"),
        ("no-day", signed(lambda b: b[5].update({3: 20260230})), "調劑期限不存在", "a last day that there is not"),
    ):
        suite.bad(model, name, {Input.TEXT: text.encode()}, Reason.MALFORMED, _vhc("1520"), zh, en)


def _spoilt(part: str) -> str:
    """The same part with another last byte."""
    return part[:5] + base45.encode(flipped(base45.decode(part[5:])))


def _serial(certificate: bytes) -> int:
    return x509.load_der_x509_certificate(certificate).serial_number
