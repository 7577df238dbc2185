"""Responses: what a reader believes of a holder's device in a session."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import cbor2

from conformance.vectors.credentials import UNREADABLE, code_of
from conformance.vectors.engagements import Opened
from conformance.vectors.model import Code, Input, Kind, Reason, Space, Value
from conformance.vectors.suite import Suite, flipped, moment, number
from conformance.vectors.world import (
    NOW_NS,
    RESERVED_PLACE,
    REVOKED_PLACE,
    SAM_ID,
    SUSPENDED_PLACE,
    UNTIL_NS,
    World,
)
from conformance.vectors.writing import Writer
from virtual_devices import vhc
from virtual_devices.mdoc import session
from virtual_devices.mdoc.mso import IssuerSigned, StatusReference, read_issuer_signed
from virtual_devices.mdoc.response import DeviceResponse, DeviceSigned, Document, ResponseStatus, mac_device, sign_device
from virtual_devices.mdoc.session import Transcript
from virtual_devices.mdoc.tagged import dumps
from virtual_devices.pki import DAY_NS, Role
from virtual_devices.write_back import Receipt, WriteOutcome

SHOWN = {space: list(names) for space, names in vhc.REGISTRATION.items()}
VALUES = {vhc.RECORDS: {"generation": 0}}


def add(suite: Suite, world: World, opened: Opened, other: Opened) -> None:
    """Answers to a registration, by signature and by MAC; each way to be refused."""
    part = world.issued.select(SHOWN)
    by_signature, by_mac = _signed(world, opened.transcript), _mac(world, opened)
    for name, device, zh, en in (
        ("signature", by_signature, "掛號回覆，裝置以簽章證明",
         "an answer to a registration, the device proves itself by a signature"),
        ("mac", by_mac, "同上，裝置以 MAC 證明", "the same, by a MAC"),
    ):
        inputs: dict[Any, bytes | str] = {Input.RESPONSE: _whole(part, device), Value.SESSION: opened.name}
        suite.good(Kind.RESPONSE, name, inputs, zh, en)
    visit = Writer(world).visit()
    receipt = Receipt(visit.id, hashlib.sha256(visit.to_bytes()).digest(), WriteOutcome.STORED, 1, NOW_NS)
    written = _signed(world, opened.transcript, {vhc.WRITE: {vhc.RECEIPT: receipt.value()}})
    inputs = {Input.RESPONSE: _whole(world.issued.select({}), written), Value.SESSION: opened.name}
    suite.good(Kind.RESPONSE, "receipt", inputs, "寫回的回覆：裝置簽署的回條",
        "the answer to a write-back: the receipt, signed by the device")
    by_mac_only = mac_device(session.agree(world.device, opened.reader.public_key()), opened.transcript, vhc.DOCTYPE,
                             {vhc.WRITE: {vhc.RECEIPT: receipt.value()}})
    suite.bad("response/receipt", "receipt-by-mac", {Input.RESPONSE: _whole(world.issued.select({}), by_mac_only)},
              Reason.NO_PROOF, number(Space.CSHIS, "4043"), "回條只有 MAC：不足為憑",
               "the receipt by a MAC, which proves nothing to others")
    _device(suite, world, opened, other, part)
    _issuer(suite, world, opened, part)
    _structure(suite, part, by_signature)
    unlisted = world.credential(place=StatusReference("https://status.bench.example/cards/99", 1)).select(SHOWN)
    suite.good(Kind.RESPONSE, "status-unknown", {Input.RESPONSE: _whole(unlisted, by_signature), Value.SESSION: opened.name},
               "沒有其狀態清單：受理並註記", "of a list that is not here: served, and marked")
    _not_shown(suite)


def _not_shown(suite: Suite) -> None:
    """The wallet says why there is no document, and the desk has a code for each."""
    for name, said, reason, code, zh, en in (
        ("declined", -1, Reason.NO_RIGHT, "5109", "持卡人不同意", "the holder declines"),
        ("not-asked", -2, Reason.NO_RIGHT, "5109", "尚未詢問持卡人", "the holder has not been asked"),
        ("may-never", -3, Reason.NO_RIGHT, "4029", "要求者無權", "those who ask may never have it"),
        ("not-in-force", -4, Reason.NOT_IN_FORCE, "5002", "裝置上的卡片已失效", "no card in force on the device"),
        ("authorization-ended", -5, Reason.NO_RIGHT, "4029", "代理授權已到期", "the guardian's authorization has ended"),
        ("sam-refused", -17, Reason.FORGED, "9013", "裝置拒絕安全模組：偽造", "the device refuses the SAM: forged"),
        ("hpc-refused", -23, Reason.EXPIRED, "9140", "裝置拒絕醫事人員卡：逾期", "the device refuses the professional: expired"),
        ("unknown-error", -99, Reason.NO_RIGHT, "4029", "未定義的錯誤碼", "an error code that is not defined"),
    ):
        nothing = DeviceResponse(errors={vhc.DOCTYPE: said})
        suite.bad("response/signature", name, {Input.RESPONSE: nothing.to_bytes()}, reason, number(Space.CSHIS, code),
                  f"{zh}（documentErrors {said}）", f"{en} (documentErrors {said})")
    for name, answer, reason, code, zh, en in (
        ("nothing", DeviceResponse(), Reason.MISSING, "4043", "既無文件也無錯誤碼", "neither a document nor an error"),
        ("status-11", DeviceResponse(status=ResponseStatus.DECODING_ERROR), Reason.MALFORMED, "4029",
         "裝置讀不懂要求（狀態 11）", "the device cannot read the request (status 11)"),
    ):
        suite.bad("response/signature", name, {Input.RESPONSE: answer.to_bytes()}, reason, number(Space.CSHIS, code), zh, en)


def _signed(world: World, at: Transcript, values: Mapping[str, Mapping[str, Any]] | None = None, key: Any = None) -> DeviceSigned:
    return sign_device(lambda m: world.es256(key or world.device, m), at, vhc.DOCTYPE, values or VALUES)


def _mac(world: World, opened: Opened) -> DeviceSigned:
    return mac_device(session.agree(world.device, opened.reader.public_key()), opened.transcript, vhc.DOCTYPE, VALUES)


def _whole(issued: IssuerSigned, device: DeviceSigned) -> bytes:
    return DeviceResponse((Document(vhc.DOCTYPE, issued, device),)).to_bytes()


def _device(suite: Suite, world: World, opened: Opened, other: Opened, part: IssuerSigned) -> None:
    """A device that does not hold the key, or says what it may not."""
    at = opened.transcript
    sign, mac = _signed(world, at), _mac(world, opened)

    def spoilt(device: DeviceSigned, **change: Any) -> bytes:
        return _whole(part, replace(device, auth=replace(device.auth, **change)))

    thief = world.private("another phone")
    assert hasattr(sign.auth, "signature") and hasattr(mac.auth, "tag")
    for of, name, raw, reason, zh, en in (
        ("signature", "signature-bit", spoilt(sign, signature=flipped(sign.auth.signature)), Reason.FORGED,
         "裝置簽章最後一位元翻轉", "the last bit of the device's signature is turned over"),
        ("mac", "mac-bit", spoilt(mac, tag=flipped(mac.auth.tag)), Reason.FORGED,
         "裝置 MAC 最後一位元翻轉", "the last bit of the device's MAC is turned over"),
        ("signature", "other-session", _whole(part, _signed(world, other.transcript)), Reason.FORGED,
         "為另一會話所簽（重播或轉送）", "signed for another session (replayed or forwarded)"),
        ("signature", "copied", _whole(part, _signed(world, at, key=thief)), Reason.FORGED,
         "憑證被複製到別的手機，金鑰不同", "the credential was copied to another phone, whose key is another"),
        ("signature", "not-authorised", _whole(part, _signed(world, at, {vhc.BASIC: {"name": "王大明"}})), Reason.WRONG_ROLE,
         "裝置自行簽署發卡機構才能說的欄位", "the device signs an element that is the issuer's to say"),
        ("mac", "mac-of-other-session", _whole(part, mac_device(
            session.agree(world.device, other.reader.public_key()), other.transcript, vhc.DOCTYPE, VALUES)), Reason.FORGED,
         "MAC 屬於另一會話", "a MAC of another session"),
    ):
        suite.bad(f"response/{of}", name, {Input.RESPONSE: raw}, reason, code_of(reason), zh, en)


def _issuer(suite: Suite, world: World, opened: Opened, part: IssuerSigned) -> None:
    device = _signed(world, opened.transcript)

    def shown(**more: Any) -> bytes:
        return _whole(world.credential(**more).select(SHOWN), device)

    stranger = world.stranger.issue(Role.DOCUMENT_SIGNER, "document signer")
    for name, raw, reason, zh, en in (
        ("issuer-stranger", shown(signer=stranger), Reason.FORGED, "發卡憑證屬於別的根",
         "the document signer is of another root"),
        ("issuer-wrong-role", shown(signer=world.authority.issue(Role.SAM, SAM_ID)), Reason.WRONG_ROLE,
         "由安全模組憑證簽發", "the credential is signed by a SAM"),
    ):
        suite.bad("response/signature", name, {Input.RESPONSE: raw}, reason, code_of(reason), zh, en)
    body = world.issued.select(SHOWN).item()
    body["nameSpaces"][vhc.BASIC].append(body["nameSpaces"][vhc.BASIC][0])
    for name, raw, reason, code, zh, en in (
        ("revoked", shown(place=REVOKED_PLACE), Reason.REVOKED, "5002", "狀態清單：已廢止", "the status list says: revoked"),
        ("suspended", shown(place=SUSPENDED_PLACE), Reason.SUSPENDED, "5002", "狀態清單：停用中",
         "the status list says: suspended"),
        ("status-reserved", shown(place=RESERVED_PLACE), Reason.REVOKED, "5002", "狀態清單：保留值 3", "the status list says: 3"),
        ("element-twice", _whole(read_issuer_signed(body), device), Reason.FORGED, "4033", "同一欄位出現兩次",
         "an element stands there twice"),
        ("other-document", _other_document(part, device), Reason.MISSING, "4043", "回覆的是別種文件",
         "a document of another type, and none of ours"),
        ("mso-of-another-type", shown(doctype="org.iso.18013.5.1.mDL"), Reason.WRONG_ROLE, "4033", "MSO 的文件類型與文件不同",
         "the MSO is of another document type than the document"),
    ):
        suite.bad("response/signature", name, {Input.RESPONSE: raw}, reason, number(Space.CSHIS, code), zh, en)
    suite.bad("response/signature", "expired", {Value.AT: moment(UNTIL_NS + DAY_NS)}, Reason.EXPIRED, code_of(Reason.EXPIRED),
              "查驗時憑證已過期一天", "looked at a day after the credential's end")


def _structure(suite: Suite, part: IssuerSigned, device: DeviceSigned) -> None:
    whole = _whole(part, device)

    def changed(change: Callable[[dict[str, Any]], None]) -> bytes:
        body = cbor2.loads(whole)
        change(body["documents"][0]["deviceSigned"])
        return dumps(body)

    def both_proofs(signed: dict[str, Any]) -> None:
        signed["deviceAuth"] |= {"deviceMac": signed["deviceAuth"]["deviceSignature"]}

    code: Code = UNREADABLE
    for name, raw, zh, en in (
        ("no-proof", changed(lambda signed: signed.update(deviceAuth={})), "既無簽章也無 MAC", "neither signature nor MAC"),
        ("two-proofs", changed(both_proofs), "簽章與 MAC 同時出現", "a signature and a MAC at once"),
        ("not-embedded", changed(lambda signed: signed.update(nameSpaces={})), "裝置欄位不是 #6.24 包裝",
         "the device's elements are not embedded (#6.24)"),
        ("version-2", _version_2(whole), "版本 2.0", "version 2.0"),
        ("truncated", whole[:-1], "少了最後一個位元組", "the last byte is missing"),
        ("byte-after", whole + b"\0", "後面多一個位元組", "a byte follows"),
    ):
        suite.bad("response/signature", name, {Input.RESPONSE: raw}, Reason.MALFORMED, code, zh, en)


def _version_2(whole: bytes) -> bytes:
    return dumps({**cbor2.loads(whole), "version": "2.0"})


def _other_document(issued: IssuerSigned, device: DeviceSigned) -> bytes:
    return DeviceResponse((Document("org.iso.18013.5.1.mDL", issued, device),)).to_bytes()
