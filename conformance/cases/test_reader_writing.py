"""Writing back: the batch that a reader makes, what it does with receipts, and with a card that left before its receipt."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import replace

import cbor2

from conformance.case import Each, Nature, case
from conformance.kinds.reader import ReaderTester, Script, ScriptedCard, Task
from conformance.references.reader import Wants
from conformance.scripted import Answer, batch_of, receipt, storing
from virtual_devices import vhc
from virtual_devices.link import Outcome
from virtual_devices.mdoc.request import DeviceRequest
from virtual_devices.mdoc.response import DeviceResponse, Document, mac_device
from virtual_devices.mdoc.session import agree
from virtual_devices.pki import Role, Verified
from virtual_devices.write_back import Batch, Receipt, WriteOutcome, holder_of, read_record, thumbprint

GENERATION = 7
VALUES = {vhc.RECORDS: {"generation": GENERATION}}


def _written(card: ScriptedCard) -> list[Batch]:
    """The batches that came."""
    return [found for found in map(batch_of, card.requests) if found is not None]


@case("P-WBK-01", "P-WBK-02", "P-RSP-07", "P-REQ-04", "P-WRT-01", "P-WRT-02", "P-WRT-03", nature=Nature.VALID,
      zh="寫回：一批紀錄與其簽章")
def test_batch_is_made_for_the_card_that_was_shown(reader: ReaderTester) -> None:
    """The batch rides in requestInfo, names credential and generation, its records this card, signed [HPC, SAM] or by the SAM."""
    told, card = reader.present(Task.WRITE, storing(values=VALUES))
    reader.done(told)
    before, writing = card.requests[0], card.requests[-1]
    reader.expect("it asks for the generation first", "generation" in before.documents[0].items.wanted.get(vhc.RECORDS, {}))
    reader.equal("what the batch's request asks for", {s: set(n) for s, n in writing.documents[0].items.wanted.items()},
                 {vhc.WRITE: {vhc.RECEIPT}})
    [batch] = _written(card)
    reader.equal("credential", batch.issuer_auth, reader.world.issued.auth_hash())
    reader.equal("generation", batch.generation, GENERATION)
    reader.equal("a batch id", len(batch.id), 16)
    chains = {one.chain[0] for one in (writing.documents[0].auth, *writing.auth_all) if one is not None}
    names = {hashlib.sha256(leaf).digest(): leaf for leaf in chains}
    for raw in batch.records:
        reader.expect("tag 98", raw[:2] == b"\xd8\x62", "d862", raw[:2])
        record, signed = read_record(raw)
        reader.equal("whom it is for", record.holder, holder_of(reader.world.device_key))
        roles = []
        for number, signature in enumerate(signed.signatures):
            leaf = names.get(thumbprint(signature))
            reader.expect("signed under a certificate shown in this session", leaf is not None)
            chain = next(one.chain for one in (writing.documents[0].auth, *writing.auth_all) if one and one.chain[0] == leaf)
            who = reader.world.root.check(chain, {Role.SAM, Role.PHYSICIAN}, reader.reader.now_ns())
            assert isinstance(who, Verified)
            reader.expect("the signature holds", signed.verify(number, who.key))
            roles.append(who.role)
        wanted = [Role.PHYSICIAN, Role.SAM] if record.kind.needs_professional else [Role.SAM]
        reader.equal(f"signers of a record of kind {record.kind.value}", roles, wanted)


def _refusals() -> Mapping[str, Each]:
    return {one.name.lower().replace("_", "-"): Each(one, f"The card says {one.value}.", f"卡片回覆 {one.value}")
            for one in WriteOutcome if not one.done}


@case("P-WBK-01", nature=Nature.INVALID, zh="卡片拒絕寫入：回報代碼", each=_refusals)
def test_refusal_of_a_batch_is_told(reader: ReaderTester, outcome: WriteOutcome) -> None:
    """What a card has against a batch is told with the field's code."""
    told, _ = reader.present(Task.WRITE, storing(outcome))
    reader.equal("code, and no receipt", (told.code, told.receipt), (outcome.code, False))


@case("P-WBK-07", nature=Nature.VALID, zh="先前已寫入：視為完成")
def test_batch_that_was_stored_before_is_done(reader: ReaderTester) -> None:
    """*Already stored* is as good as *stored*."""
    told, _ = reader.present(Task.WRITE, storing(WriteOutcome.ALREADY))
    reader.done(told)


def _receipts() -> Mapping[str, Each]:
    def changed(**more: object) -> Callable[[Receipt], dict[int, object]]:
        return lambda r: replace(r, **more).value()  # type: ignore[arg-type]

    def body(change: Callable[[dict[int, object]], object]) -> Callable[[Receipt], dict[int, object]]:
        def made(r: Receipt) -> dict[int, object]:
            value = dict(r.value())
            change(value)
            return value
        return made

    attack = Nature.ATTACK
    return {
        "other-id": Each(changed(batch=bytes(16)), "Of another batch.", "他批之回條", nature=attack),
        "other-digest": Each(changed(digest=bytes(32)), "Of other bytes.", "他內容之回條", nature=attack),
        "unknown-outcome": Each(body(lambda v: v.update({3: 2})), "An outcome that is not defined.", "未定義之結果"),
        "negative-generation": Each(body(lambda v: v.update({4: -1})), "A negative generation.", "版次為負"),
        "no-date": Each(body(lambda v: v.pop(5)), "Without a date.", "無時間", ("P-CBR-05", "P-WBK-01")),
        "date-no-offset": Each(body(lambda v: v.update({5: _date("2026-03-02T00:00:00")})), "A date without an offset.",
                               "時間無時差",
                               ("P-CBR-05", "P-WBK-01")),
        "no-outcome": Each(body(lambda v: v.pop(3)), "Without an outcome.", "無結果"),
    }


def _date(text: str) -> object:
    return cbor2.CBORTag(0, text)


@case("P-WBK-01", nature=Nature.INVALID, zh="回條不成立", each=_receipts)
def test_receipt_that_is_none_is_not_believed(reader: ReaderTester, change: Callable[[Receipt], dict[int, object]]) -> None:
    """A receipt of something else, or one that is none, is a fault in reading."""
    def say(card: ScriptedCard, asked: DeviceRequest, _: int) -> bytes:
        batch = batch_of(asked)
        if batch is not None:
            made = receipt(batch, WriteOutcome.STORED, card.world.now_ns)
            card.script.values = {**card.script.values, vhc.WRITE: {vhc.RECEIPT: change(made)}}
        return card.right(asked)

    told, _ = reader.present(Task.WRITE, Script(say=say))
    reader.equal("code, and no receipt", (told.code, told.receipt), ("4043", False))


@case("P-CBR-05", "P-CBR-03", "P-WBK-01", nature=Nature.VALID, zh="回條：其他時差、未知鍵照收")
def test_receipt_with_another_offset_and_a_key_more_is_taken(reader: ReaderTester) -> None:
    """A receipt whose date has another offset, and which has a key that nobody knows, is one."""
    def say(card: ScriptedCard, asked: DeviceRequest, _: int) -> bytes:
        batch = batch_of(asked)
        if batch is not None:
            value = receipt(batch, WriteOutcome.STORED, card.world.now_ns).value()
            value |= {5: _date("2026-03-02T08:00:00+08:00"), 99: "more"}
            card.script.values = {**card.script.values, vhc.WRITE: {vhc.RECEIPT: value}}
        return card.right(asked)

    told, _ = reader.present(Task.WRITE, Script(say=say))
    reader.done(told)


@case("P-RSP-06", "P-WBK-01", nature=Nature.ATTACK, zh="回條僅有 MAC：不足為憑")
def test_receipt_by_a_mac_proves_nothing(reader: ReaderTester) -> None:
    """A receipt in a response that the device proves by a MAC is no receipt to anybody else."""
    def say(card: ScriptedCard, asked: DeviceRequest, _: int) -> bytes:
        batch = batch_of(asked)
        if batch is None:
            return card.right(asked)
        value = receipt(batch, WriteOutcome.STORED, card.world.now_ns).value()
        shared = agree(card.world.device, card.opened.reader.public_key())
        device = mac_device(shared, card.transcript, vhc.DOCTYPE, {vhc.WRITE: {vhc.RECEIPT: value}})
        return DeviceResponse((Document(vhc.DOCTYPE, card.world.issued.select({}), device),)).to_bytes()

    told, _ = reader.present(Task.WRITE, Script(say=say))
    reader.equal("code, and no receipt", (told.code, told.receipt), ("4043", False))


@case("P-WBK-07", "P-WBK-08", nature=Nature.MEDIUM, zh="回條未到：下次接觸以同一批再送")
def test_batch_without_a_receipt_comes_again_as_it_was(reader: ReaderTester) -> None:
    """A card that left before its receipt is sent the very same batch at the next contact."""
    first: list[Batch] = []

    def stored(card: ScriptedCard, asked: DeviceRequest, _: int) -> bytes:
        batch = batch_of(asked)
        if batch is not None and not first:
            first.append(batch)
            raise _Left
        return card.right(asked)

    script = Script(say=stored)
    told, _ = reader.present(Task.WRITE, _leaving(script))
    reader.expect("it is not done", told.code != "0" and not told.receipt, "a refusal", told.code)
    told, card = reader.present(Task.WRITE, storing(WriteOutcome.ALREADY))
    reader.done(told)
    reader.equal("the batch", [b.to_bytes() for b in _written(card)], [b.to_bytes() for b in first])


class _Left(Exception):
    pass


def _leaving(script: Script) -> Script:
    """A card that is taken away once its batch has come."""
    gone = False

    def fate(_: Wants) -> Answer | None:
        return (Outcome.GONE, None) if gone else None

    inner = script.say
    assert inner is not None

    def say(card: ScriptedCard, asked: DeviceRequest, number: int) -> bytes:
        nonlocal gone
        try:
            return inner(card, asked, number)
        except _Left:
            gone = True
            return b"\xa0"

    return replace(script, say=say, fate=fate)


@case("P-WBK-08", "P-WBK-02", nature=Nature.INOPPORTUNE, zh="保留之一批遭拒（版次衝突、簽章不符）：重新製作", each=lambda: {
    one.name.lower().replace("_", "-"): Each(one) for one in (WriteOutcome.CONFLICT, WriteOutcome.BAD_SIGNATURE)
})
def test_kept_batch_that_was_never_stored_is_made_anew(reader: ReaderTester, outcome: WriteOutcome) -> None:
    """A kept batch that a card answers with *conflict* or *bad signature* is made anew, for the generation of now."""
    def first(card: ScriptedCard, asked: DeviceRequest, _: int) -> bytes:
        if batch_of(asked) is not None:
            raise _Left
        return card.right(asked)

    reader.present(Task.WRITE, _leaving(Script(say=first)))

    def then(card: ScriptedCard, asked: DeviceRequest, _: int) -> bytes:
        batch = batch_of(asked)
        if batch is not None:
            fits = batch.generation == GENERATION
            made = receipt(batch, WriteOutcome.STORED if fits else outcome, card.world.now_ns)
            card.script.values = {**card.script.values, vhc.WRITE: {vhc.RECEIPT: made.value()}}
        return card.right(asked)

    told, card = reader.present(Task.WRITE, Script(say=then, values=VALUES))
    reader.done(told)
    reader.equal("generations of the batches", [b.generation for b in _written(card)], [0, GENERATION])


@case("P-WBK-08", nature=Nature.INOPPORTUNE, zh="換了憑證：重新製作")
def test_batch_for_another_credential_is_made_anew(reader: ReaderTester) -> None:
    """When another credential of the same person is presented meanwhile, the batch is made for that one."""
    def first(card: ScriptedCard, asked: DeviceRequest, number: int) -> bytes:
        if batch_of(asked) is not None:
            raise _Left
        return card.right(asked)

    reader.present(Task.WRITE, _leaving(Script(say=first)))
    other = reader.world.credential(until_ns=reader.world.until_ns - 86_400 * 10**9)
    told, card = reader.present(Task.WRITE, storing(carries=other))
    reader.done(told)
    reader.equal("the credentials that the batches name", [b.issuer_auth for b in _written(card)], [other.auth_hash()])


@case("P-WBK-11", nature=Nature.TIMER, zh="等待回條之時限：10 秒，或 4 秒加每筆 0.5 秒")
def test_receipt_is_waited_for_long_enough(reader: ReaderTester) -> None:
    """The receipt of a few records is waited for 10 s, and no less."""
    reader.need_waits()
    waits: list[float] = []

    def fate(wants: Wants) -> Answer | None:
        if wants.step == "write virtual card":
            waits.append(wants.timeout_s)
        return None

    told, _ = reader.present(Task.WRITE, storing(fate=fate))
    reader.done(told)
    reader.expect("10 s", bool(waits) and all(10.0 <= wait <= 34.0 for wait in waits), "10 to 34 s", waits)
