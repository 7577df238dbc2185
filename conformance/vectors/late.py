"""Late records: what a holder's device makes of records that the data centre hands over after the holder had left.

The device is empty (generation 0) unless a batch was stored ``before``.
"""

from __future__ import annotations

from typing import Any

from conformance.vectors.model import Code, Input, Kind, Reason, Space
from conformance.vectors.suite import Suite, number, signature_spoilt
from conformance.vectors.world import DOCTOR_ID, INSTITUTION, SAM_ID, World
from conformance.vectors.writing import Writer
from virtual_devices.clock import NS
from virtual_devices.mdoc.tagged import dumps
from virtual_devices.pki import DAY_NS, Role
from virtual_devices.vhc import MAX_FORMER
from virtual_devices.write_back import MAX_RECORDS, WriteOutcome, holder_of
from virtual_devices.write_back import Kind as RecordKind

MODEL = "late-records/visit"
AGO_NS = 5 * DAY_NS
"""How long ago the records were written: the readers' certificates have ended since."""


def _outcome(outcome: WriteOutcome) -> Code:
    return number(Space.RECEIPT, outcome.value)


def add(suite: Suite, world: World) -> None:
    """Records of five days ago, received by the data centre an hour after; then each way to be refused."""
    ago_ns = world.now_ns - AGO_NS
    writer = Writer(world, at_ns=ago_ns)
    began_ns = ago_ns - 3600 * NS
    sam = world.reader(Role.SAM, SAM_ID, organisation=INSTITUTION, from_ns=began_ns)
    doctor = world.reader(Role.PHYSICIAN, DOCTOR_ID, from_ns=began_ns)
    ward = world.reader(Role.PHYSICIAN, DOCTOR_ID, from_ns=began_ns, authority=world.stranger)
    long = world.reader(Role.SAM, SAM_ID, organisation=INSTITUTION, from_ns=began_ns, hours=200)
    records = [writer.sign(writer.record(RecordKind.VISIT, 1), doctor, sam), writer.sign(writer.record(RecordKind.FEE, 2), sam)]
    chains = [list(doctor.chain), list(sam.chain)]
    received_ns = ago_ns + 3600 * NS

    def entry(
        number_: bytes = bytes(15) + b"\x07", what: Any = records, by: Any = chains, at: tuple[Any, ...] = (received_ns,),
    ) -> bytes:
        return dumps([number_, what, by, *at])

    suite.good(Kind.LATE_RECORDS, "visit", {Input.LATE_RECORDS: entry()},
               "五天前的紀錄；讀取者憑證當時有效，如今已到期",
                "records of five days ago: the readers' certificates were good then and have ended",
               code=_outcome(WriteOutcome.STORED))
    suite.good(Kind.LATE_RECORDS, "not-told", {Input.LATE_RECORDS: entry(at=())}, "沒有收件時間：以紀錄時間為準",
               "no moment of receipt: the records' own count", code=_outcome(WriteOutcome.STORED))
    lost, others = (holder_of(world.private(name).public_key()) for name in ("lost phone", "phones before"))
    was_lost = entry(what=[writer.sign(writer.record(RecordKind.VISIT, 1, holder=lost), doctor, sam)])
    successor, ninth = (dumps(world.credential(former=f).item()) for f in ([lost], [*[others] * MAX_FORMER, lost]))
    suite.good(Kind.LATE_RECORDS, "former", {Input.LATE_RECORDS: was_lost, Input.CREDENTIAL: successor},
               "寫給遺失手機的紀錄；此手機上的卡片由發卡者註明取代了它",
               "for the phone that was lost: the issuer says of the card on this phone that it took its place",
               code=_outcome(WriteOutcome.STORED))
    suite.bad("late-records/former", "former-ninth", {Input.CREDENTIAL: ninth}, Reason.WRONG_HOLDER,
              _outcome(WriteOutcome.WRONG_HOLDER), "前卡排在第九，只有八張算數", "the ninth of those named: eight count")
    for name, raw, outcome, reason, zh, en in (
        ("received-later-than-now", entry(at=(world.now_ns + 31 * NS,)), WriteOutcome.BAD_SIGNATURE, Reason.BAD_SIGNATURE,
         "收件時間在 31 秒後", "received in 31 s from now"),
        ("received-before-made", entry(at=(ago_ns - 31 * NS,)), WriteOutcome.BAD_SIGNATURE, Reason.BAD_SIGNATURE,
         "收件時間早於紀錄 31 秒", "received 31 s before they were made"),
        ("received-when-ended", entry(at=(world.now_ns,)), WriteOutcome.BAD_SIGNATURE, Reason.BAD_SIGNATURE,
         "收件時讀取者憑證已到期", "received when the certificates had ended"),
        ("no-chains", entry(by=[]), WriteOutcome.BAD_SIGNATURE, Reason.BAD_SIGNATURE, "沒有簽章者的憑證",
         "without the signers' chains"),
        ("stranger", entry(by=[list(ward.chain), list(sam.chain)]), WriteOutcome.BAD_SIGNATURE, Reason.BAD_SIGNATURE,
         "醫師憑證屬於別的根", "a physician of another root"),
        ("too-long", entry(what=[writer.sign(writer.record(RecordKind.FEE, 2), long)], by=[list(long.chain)]),
         WriteOutcome.BAD_SIGNATURE, Reason.BAD_SIGNATURE, "讀取者憑證效期超過 72 小時",
          "a reader certificate of more than 72 hours"),
        ("signature-bit", entry(what=[signature_spoilt(records[0], 0), records[1]]), WriteOutcome.BAD_SIGNATURE,
         Reason.BAD_SIGNATURE,
         "醫師簽章最後一位元翻轉", "the last bit of the physician's signature is turned over"),
        ("another-holder", entry(what=[writer.sign(writer.record(
            RecordKind.VISIT, 1, holder=holder_of(world.private("another phone").public_key())), doctor, sam)]),
         WriteOutcome.WRONG_HOLDER, Reason.WRONG_HOLDER, "寫給別人的裝置金鑰", "for another's device key"),
        ("record-twice", entry(what=[*records, records[0]]), WriteOutcome.CONFLICT, Reason.CONFLICT, "同一筆紀錄出現兩次",
         "a record stands there twice"),
        ("no-record", entry(what=[b"\xa0"]), WriteOutcome.BAD_SIGNATURE, Reason.BAD_SIGNATURE, "內容不是紀錄",
         "what is no record"),
        ("no-records", entry(what=[]), WriteOutcome.WRONG_HOLDER, Reason.WRONG_HOLDER, "沒有紀錄", "no records"),
        ("sixty-one", entry(what=[writer.sign(writer.record(RecordKind.FEE, n), sam) for n in range(1, MAX_RECORDS + 2)]),
         WriteOutcome.WRONG_HOLDER, Reason.WRONG_HOLDER, "61 筆紀錄", "sixty-one records"),
        ("short-id", entry(bytes(15)), WriteOutcome.WRONG_HOLDER, Reason.WRONG_HOLDER, "批號只有 15 位元組", "an id of 15 bytes"),
    ):
        suite.bad(MODEL, name, {Input.LATE_RECORDS: raw}, reason, _outcome(outcome), zh, en)
