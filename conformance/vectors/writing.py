"""Write-back: batches as a holder's device judges them, and receipts as a reader does.

The device of these vectors is empty (generation 0) unless a batch was stored ``before``; in its session the SAM and the physician
of ``trust/`` have proved themselves.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import cbor2

from conformance.vectors.model import Code, Input, Kind, Reason, Space, Value
from conformance.vectors.suite import Suite, flipped, number, signature_spoilt
from conformance.vectors.world import INSTITUTION, Reader, World
from virtual_devices.cose import PROTECTED_ES256, Signature, decode_sign, signer_structure
from virtual_devices.mdoc.tagged import dumps, embed, tdate
from virtual_devices.write_back import (
    MAX_RECORD_BYTES,
    MAX_RECORDS,
    Batch,
    Receipt,
    Record,
    WriteOutcome,
    holder_of,
    signer_header,
)
from virtual_devices.write_back import Kind as RecordKind

MODEL = "batch/visit"
UNREADABLE = number(Space.ERROR, -6)
_REASONS = {
    WriteOutcome.ALREADY: Reason.ALREADY, WriteOutcome.WRONG_HOLDER: Reason.WRONG_HOLDER, WriteOutcome.CONFLICT: Reason.CONFLICT,
    WriteOutcome.BAD_SIGNATURE: Reason.BAD_SIGNATURE, WriteOutcome.FULL: Reason.FULL,
}


class Writer:
    """Makes records and batches for the vectors' holder."""

    def __init__(self, world: World, at_ns: int = 0) -> None:
        self.world = world
        self.at_ns = at_ns or world.now_ns
        self.mine = holder_of(world.device_key)

    def record(self, kind: RecordKind, number_: int, *, holder: bytes = b"", amends: bytes | None = None) -> Record:
        fields: dict[int, Any] = {1: "W001", 2: "01",
            3: INSTITUTION} if kind is RecordKind.VISIT else {1: f"line {number_}".encode()}
        return Record(kind, self.world.id_of(number_), holder or self.mine, self.at_ns, fields, amends)

    def sign(self, record: Record, *signers: Reader) -> bytes:
        """By these, else by those whom its kind needs."""
        both = (self.world.physician, self.world.sam)
        message = record.unsigned()
        for signer in signers or (both if record.kind.needs_professional else both[1:]):
            header = signer_header(signer.chain[0])
            value = self.world.es256(signer.key, signer_structure(message.protected, header, message.payload))
            message = message.with_signature(Signature(header, {}, value))
        return message.to_bytes()

    def batch(self, *records: bytes, number_: int = 1, generation: int = 0) -> Batch:
        return Batch(self.world.id_of(number_), self.world.issued.auth_hash(), self.world.stored + generation, records)

    def visit(self) -> Batch:
        kinds = (RecordKind.VISIT, RecordKind.PRESCRIPTION, RecordKind.PRESCRIPTION, RecordKind.FEE)
        return self.batch(*(self.sign(self.record(kind, n)) for n, kind in enumerate(kinds, 1)))


def add(suite: Suite, world: World) -> None:
    """Batches, then receipts of the first of them."""
    writer = Writer(world)
    visit = writer.visit()
    suite.good(Kind.BATCH, "visit", {Input.BATCH: visit.to_bytes(), Value.CAPACITY: "600"},
               "一次就醫：就醫紀錄、兩筆處方、費用", "a visit: its record, two prescription lines and the fees",
               code=_outcome(WriteOutcome.STORED))
    full = [writer.sign(writer.record(RecordKind.PRESCRIPTION, n)) for n in range(1, MAX_RECORDS + 1)]
    suite.good(Kind.BATCH, "sixty", {Input.BATCH: writer.batch(*full).to_bytes(), Value.CAPACITY: "600"}, "一批 60 筆（上限）",
               "sixty records, as many as a batch holds", code=_outcome(WriteOutcome.STORED))
    cancelled = writer.sign(writer.record(RecordKind.CANCEL, 9, amends=writer.record(RecordKind.VISIT, 1).id))
    suite.good(Kind.BATCH, "cancelled-at-once",
               {Input.BATCH: replace(visit, records=(*visit.records, cancelled)).to_bytes(), Value.CAPACITY: "600"},
               "同一批裡取消前面的紀錄", "a record of the same batch is cancelled", code=_outcome(WriteOutcome.STORED))
    suite.bad(MODEL, "again", {Input.BEFORE: visit.to_bytes()}, Reason.ALREADY, _outcome(WriteOutcome.ALREADY),
              "同一批再送一次（回條遺失）：不再寫入，回覆相同",
              "the very same batch again (the receipt was lost): nothing is written twice", accepted=True)
    _refused(suite, writer, visit)
    _structure(suite, writer, visit, full)
    _receipts(suite, writer, visit)


def _outcome(outcome: WriteOutcome) -> Code:
    return number(Space.RECEIPT, outcome.value)


def _refused(suite: Suite, writer: Writer, visit: Batch) -> None:
    world, kinds = writer.world, RecordKind
    first = visit.records[0]
    stranger = holder_of(world.private("another phone").public_key())
    amended = writer.sign(writer.record(kinds.AMEND, 9, amends=bytes(15) + b"\x63"))
    alone = writer.sign(writer.record(kinds.VISIT, 1), world.sam)
    swapped = writer.sign(writer.record(kinds.VISIT, 1), world.sam, world.physician)
    other = writer.batch(writer.sign(writer.record(kinds.FEE, 77)), number_=1)
    for name, changed, outcome, zh, en in (
        ("another-holder", {Input.BATCH: replace(visit, records=(writer.sign(writer.record(kinds.VISIT, 1, holder=stranger)),
                                                                  *visit.records[1:])).to_bytes()},
         WriteOutcome.WRONG_HOLDER, "其中一筆寫給別人的裝置金鑰（驗證後換人）",
             "a record for another's device key (patient swapped)"),
        ("another-credential", {Input.BATCH: replace(visit, issuer_auth=hashlib.sha256(b"another").digest()).to_bytes()},
         WriteOutcome.WRONG_HOLDER, "所見憑證的雜湊屬於別張卡", "the hash of another credential"),
        ("generation", {Input.BATCH: replace(visit, generation=visit.generation + 1).to_bytes()}, WriteOutcome.CONFLICT,
         "資料版次與裝置不符", "another generation than the device's"),
        ("same-id-other-bytes", {Input.BEFORE: other.to_bytes()}, WriteOutcome.CONFLICT,
         "同一批號先前存過不同內容", "the same batch id was stored with other bytes before"),
        ("record-twice", {Input.BATCH: replace(visit, records=(*visit.records, first)).to_bytes()}, WriteOutcome.CONFLICT,
         "同一筆紀錄出現兩次", "a record stands there twice"),
        ("amends-nothing", {Input.BATCH: replace(visit, records=(*visit.records, amended)).to_bytes()}, WriteOutcome.CONFLICT,
         "更正一筆不存在的紀錄", "an amendment of a record that is not there"),
        ("signature-bit", {Input.BATCH: replace(visit, records=(signature_spoilt(first, 0), *visit.records[1:])).to_bytes()},
         WriteOutcome.BAD_SIGNATURE, "醫師簽章最後一位元翻轉", "the last bit of the physician's signature is turned over"),
        ("sam-alone", {Input.BATCH: replace(visit, records=(alone, *visit.records[1:])).to_bytes()}, WriteOutcome.BAD_SIGNATURE,
         "就醫紀錄只有安全模組簽章", "the visit is signed by the SAM alone"),
        ("signers-swapped", {Input.BATCH: replace(visit, records=(swapped, *visit.records[1:])).to_bytes()},
         WriteOutcome.BAD_SIGNATURE, "兩個簽章順序顛倒", "the two signatures in the other order"),
        ("another-professional", {Input.BATCH: replace(visit, records=(
            writer.sign(writer.record(kinds.VISIT, 1), world.pharmacist, world.sam), *visit.records[1:])).to_bytes()},
         WriteOutcome.BAD_SIGNATURE, "簽章的醫事人員不是本會話出示者",
             "signed by a professional who did not take part in the session"),
        ("cancels-what-follows", {Input.BATCH: replace(visit, records=(writer.sign(writer.record(
            kinds.CANCEL, 9, amends=writer.record(kinds.VISIT, 1).id)), *visit.records)).to_bytes()},
         WriteOutcome.CONFLICT, "取消的紀錄排在其後", "what is cancelled stands behind the cancellation"),
        ("three-signatures", {Input.BATCH: replace(visit, records=(writer.sign(
            writer.record(kinds.VISIT, 1), world.physician, world.sam, world.sam), *visit.records[1:])).to_bytes()},
         WriteOutcome.BAD_SIGNATURE, "三個簽章", "three signatures"),
        ("fee-by-both", {Input.BATCH: replace(visit, records=(*visit.records[:3], writer.sign(
            writer.record(kinds.FEE, 4), world.physician, world.sam))).to_bytes()},
         WriteOutcome.BAD_SIGNATURE, "費用由兩方簽章", "the fees are signed by both"),
        ("no-thumbprint", {Input.BATCH: replace(visit, records=(_unnamed(first), *visit.records[1:])).to_bytes()},
         WriteOutcome.BAD_SIGNATURE, "簽章未指明憑證（x5t）", "a signature that names no certificate (x5t)"),
        ("same-id-no-records", {Input.BATCH: replace(visit, records=(b"\xa0",)).to_bytes()},
         WriteOutcome.CONFLICT, "批號已存過；新內容的紀錄讀不出來，但先看批號",
         "the batch id was stored before; the record cannot be read, but the id is looked at first"),
        ("full", {Value.CAPACITY: "3"}, WriteOutcome.FULL, "裝置只容 3 筆", "the device holds three records"),
    ):
        of = "batch/again" if name == "same-id-no-records" else MODEL
        suite.bad(of, name, changed, _REASONS[outcome], _outcome(outcome), zh, en)


def _unnamed(record: bytes) -> bytes:
    """The first signature without its x5t."""
    message = decode_sign(record)
    return replace(message, signatures=(replace(message.signatures[0], protected=PROTECTED_ES256),
     *message.signatures[1:])).to_bytes()


def _structure(suite: Suite, writer: Writer, visit: Batch, full: list[bytes]) -> None:
    raw = visit.to_bytes()

    def changed(change: Callable[[dict[int, Any]], object]) -> bytes:
        body = cbor2.loads(raw)
        change(body)
        return dumps(body)

    def other(change: Callable[[dict[int, Any]], object]) -> bytes:
        """The first record with another content, signed as it should be."""
        body = cbor2.loads(writer.record(RecordKind.VISIT, 1).to_bytes())
        body[4] = tdate(writer.at_ns)
        change(body)
        message = replace(decode_sign(visit.records[0]), payload=dumps(body), signatures=())
        for signer in (writer.world.physician, writer.world.sam):
            header = signer_header(signer.chain[0])
            value = writer.world.es256(signer.key, signer_structure(message.protected, header, message.payload))
            message = message.with_signature(Signature(header, {}, value))
        return replace(visit, records=(message.to_bytes(), *visit.records[1:])).to_bytes()

    headed = replace(decode_sign(visit.records[0]), protected=dumps({3: 0})).to_bytes()
    one_more = writer.sign(writer.record(RecordKind.PRESCRIPTION, MAX_RECORDS + 1))
    suite.bad("batch/sixty", "sixty-one", {Input.BATCH: writer.batch(*full, one_more).to_bytes()}, Reason.MALFORMED, UNREADABLE,
              "一批 61 筆", "sixty-one records")
    for name, spoilt, zh, en in (
        ("version-2", changed(lambda b: b.update({1: 2})), "批次版本 2", "batch version 2"),
        ("no-records", changed(lambda b: b.update({5: []})), "沒有紀錄", "no records"),
        ("short-id", changed(lambda b: b.update({2: bytes(15)})), "批號只有 15 位元組", "a batch id of 15 bytes"),
        ("negative-generation", changed(lambda b: b.update({4: -1})), "資料版次為負", "a negative generation"),
        ("not-embedded", changed(lambda b: b.update({5: [b[5][0].value]})), "紀錄不是 #6.24 包裝",
         "a record that is not embedded (#6.24)"),
        ("untagged-record", changed(lambda b: b.update({5: [embed(dumps(cbor2.loads(b[5][0].value).value))]})),
         "紀錄的 COSE_Sign 沒有標籤 98", "a record whose COSE_Sign is not tagged 98"),
        ("unknown-kind", other(lambda b: b.update({1: "gossip"})), "未知的紀錄種類", "a record of a kind that nobody knows"),
        ("no-fields", other(lambda b: b.update({5: {}})), "紀錄沒有欄位", "a record without fields"),
        ("fields-not-numbered", other(lambda b: b.update({5: {"a": 1}})), "欄位不是編號", "fields that are not numbered"),
        ("short-record-id", other(lambda b: b.update({2: bytes(15)})), "紀錄編號只有 15 位元組", "a record's id of 15 bytes"),
        ("visit-names-another", other(lambda b: b.update({6: bytes(16)})), "就醫紀錄指明另一筆紀錄",
         "a visit that names another record"),
        ("date-without-offset", other(lambda b: b.update({4: cbor2.CBORTag(0, "2026-03-02T00:00:00")})), "時間沒有時差",
         "a date without an offset"),
        ("long-record", other(lambda b: b.update({5: {1: bytes(MAX_RECORD_BYTES)}})), "單筆紀錄超過 8192 位元組",
         "a record of more than 8192 bytes"),
        ("too-long", replace(visit, records=tuple(visit.records[:3]) + tuple(
            writer.sign(replace(writer.record(RecordKind.PRESCRIPTION, n),
             fields={1: bytes(7000)})) for n in range(90, 97))).to_bytes(),
         "整批超過 49152 位元組", "a batch of more than 49152 bytes"),
        ("record-with-headers", replace(visit, records=(headed, *visit.records[1:])).to_bytes(), "紀錄本身另有標頭",
         "a record with a header of its own"),
        ("truncated", raw[:-1], "少了最後一個位元組", "the last byte is missing"),
    ):
        suite.bad(MODEL, name, {Input.BATCH: spoilt}, Reason.MALFORMED, UNREADABLE, zh, en)


def _receipts(suite: Suite, writer: Writer, visit: Batch) -> None:
    digest = hashlib.sha256(visit.to_bytes()).digest()
    stored = Receipt(visit.id, digest, WriteOutcome.STORED, 1, writer.at_ns)
    batch = suite.vectors[MODEL].files[Input.BATCH]
    model = suite.good(Kind.RECEIPT, "stored", {Input.BATCH: batch, Input.RECEIPT: dumps(stored.value())}, "回條：已寫入",
                       "a receipt: stored", code=number(Space.CSHIS, "0"))
    for name, made, reason, code, zh, en in (
        ("other-digest", replace(stored, digest=flipped(digest)), Reason.OTHER_BATCH, "4043", "回條的雜湊不是這一批",
         "the digest of other bytes"),
        ("other-id", replace(stored, batch=bytes(16)), Reason.OTHER_BATCH, "4043", "回條的批號不是這一批", "another batch's id"),
        ("wrong-holder", replace(stored, outcome=WriteOutcome.WRONG_HOLDER, generation=0, at_fault=(0,)), Reason.WRONG_HOLDER,
         "5020",
         "裝置拒絕：不是這位持卡人", "refused: another holder"),
        ("conflict", replace(stored, outcome=WriteOutcome.CONFLICT, generation=0), Reason.CONFLICT, "5023", "裝置拒絕：版次衝突",
         "refused: a conflict"),
        ("bad-signature", replace(stored, outcome=WriteOutcome.BAD_SIGNATURE, generation=0, at_fault=(0,)), Reason.BAD_SIGNATURE,
         "5009",
         "裝置拒絕：簽章不符", "refused: a signature that does not hold"),
        ("full", replace(stored, outcome=WriteOutcome.FULL, generation=0), Reason.FULL, "5033", "裝置拒絕：沒有空間",
         "refused: no room"),
    ):
        suite.bad(model, name, {Input.RECEIPT: dumps(made.value())}, reason, number(Space.CSHIS, code), zh, en)
    already = replace(stored, outcome=WriteOutcome.ALREADY)
    suite.bad(model, "already", {Input.RECEIPT: dumps(already.value())}, Reason.ALREADY, number(Space.CSHIS, "0"),
              "回條：先前已寫入", "a receipt: already stored", accepted=True)
    for name, value, zh, en in (
        ("negative-generation", {**stored.value(), 4: -1}, "資料版次為負", "a negative generation"),
        ("fault-no-number", {**stored.value(), 6: ["0"]}, "有誤的紀錄不是編號", "a record at fault that is no number"),
        ("unknown-outcome", {**stored.value(), 3: 2}, "未定義的結果", "an outcome that is not defined"),
        ("no-date", {k: v for k, v in stored.value().items() if k != 5}, "沒有時間", "no date"),
    ):
        suite.bad(model, name, {Input.RECEIPT: dumps(value)}, Reason.MALFORMED, number(Space.CSHIS, "4043"), zh, en)
