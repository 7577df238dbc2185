"""Records in a batch, one by one: their form, who signs them and for whom, what they amend, how many there are."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import cbor2

from conformance.case import Each, Nature, case
from conformance.kinds.wallet import CONSULTATION, WalletTester
from conformance.spoil import Path, named, other, paths, put, without
from conformance.spoil import find as part
from conformance.vectors.world import Reader, World, signed
from conformance.vectors.writing import Writer
from virtual_devices import vhc
from virtual_devices.cose import ALG, CRIT, ES256, SIGN_TAG, Signature, decode_sign, signer_structure
from virtual_devices.mdoc.request import items_request
from virtual_devices.mdoc.tagged import dumps, embed
from virtual_devices.pki import Role
from virtual_devices.reader.proximity import ReaderSession
from virtual_devices.wallet.consent import Use
from virtual_devices.write_back import (
    MAX_BATCH_BYTES,
    MAX_RECORD_BYTES,
    MAX_RECORDS,
    SHA256,
    X5T,
    Batch,
    Kind,
    WriteOutcome,
    signer_header,
)

MALFORMED = -6
_KINDS = Kind
Change = Callable[[Any], Any]


def _opened(wallet: WalletTester, use: Use = Use.TREATMENT) -> tuple[ReaderSession, Writer]:
    """A session, and who writes for the card that was shown in it."""
    opened = wallet.meet(use)
    items = None if use is Use.TREATMENT else CONSULTATION
    if items is None:
        return opened, Writer(wallet.holding(wallet.shown_card(opened)))
    answer = wallet.request(opened, wallet.asked(opened, items, wallet.world.pharmacist), "what card it is")
    wallet.need("the wallet shows its card first", len(answer.documents) == 1, answer.errors)
    return opened, Writer(wallet.holding(answer.documents[0].issued))


def _sealed(writer: Writer, payload: bytes, signers: Sequence[Reader] = ()) -> bytes:
    """Any payload as a record, by the physician and the SAM."""
    message = replace(writer.record(_KINDS.VISIT, 1).unsigned(), payload=payload)
    for signer in signers or (writer.world.physician, writer.world.sam):
        header = signer_header(signer.chain[0])
        value = writer.world.es256(signer.key, signer_structure(message.protected, header, payload))
        message = message.with_signature(Signature(header, {}, value))
    return message.to_bytes()


# -- form

def _of_payload() -> Mapping[str, Each]:
    tree = cbor2.loads(Writer(World(1)).record(_KINDS.VISIT, 1).to_bytes())
    found: dict[str, Each] = {}
    for path in paths(tree):
        if path[:1] == (5,) and len(path) > 1:  # what a field holds is between institutions
            continue
        where = named(path)
        found[f"{where}-other"] = Each((path, False), f"{where} is of another type", f"{where if path else '整體'} 的型別不對")
        if path:
            found[f"{where}-missing"] = Each((path, True), f"{where} is not there", f"缺少 {where}")
    return found


@case("P-WBK-02", "P-WBK-03", nature=Nature.INVALID, zh="紀錄的一部分不合規則：錯誤 -6", destructive=True, each=_of_payload)
def test_record_with_a_wrong_part_is_malformed(wallet: WalletTester, how: tuple[Path, bool]) -> None:
    """A batch with a record of which one part is not as its rule has it is answered with -6, though it is signed."""
    opened, writer = _opened(wallet)
    path, left_out = how
    tree = cbor2.loads(writer.record(_KINDS.VISIT, 1).to_bytes())
    spoilt = without(tree, path) if left_out else put(tree, path, other(part(tree, path)))
    wallet.nothing(wallet.write(opened, writer.batch(_sealed(writer, dumps(spoilt))).to_bytes()), MALFORMED)


def _forms() -> Mapping[str, Each]:
    def tagged(tag: int) -> Change:
        return lambda m: cbor2.CBORTag(tag, m.value)

    def item(number: int, value: Any) -> Change:
        return lambda m: cbor2.CBORTag(SIGN_TAG, [*m.value[:number], value, *m.value[number + 1 :]])

    def signer(change: Change) -> Change:
        return lambda m: cbor2.CBORTag(SIGN_TAG, [*m.value[:3], [change(m.value[3][0]), *m.value[3][1:]]])

    def spoilt(number: int, value: Any) -> Change:
        return lambda s: [*s[:number], value, *s[number + 1 :]]

    return {
        "tag-97": Each(tagged(97), "A record tagged 97", "紀錄的標籤是 97"),
        "array": Each(lambda m: m.value, "A record without a tag", "紀錄沒有標籤"),
        "five-items": Each(lambda m: cbor2.CBORTag(SIGN_TAG, [*m.value, 0]), "A record of five items", "紀錄有五項"),
        "three-items": Each(lambda m: cbor2.CBORTag(SIGN_TAG, m.value[:3]), "A record of three items", "紀錄有三項"),
        "tagged-text": Each(lambda _: cbor2.CBORTag(SIGN_TAG, "four"), "A tagged text", "帶標籤的文字"),
        "header-is-text": Each(item(0, "header"), "A header that is a text", "標頭是文字"),
        "unprotected-is-text": Each(item(1, "header"), "An unprotected header that is a text", "未保護標頭是文字"),
        "unprotected-header": Each(item(1, {4: b"kid"}), "An unprotected header of its own", "另有未保護標頭"),
        "payload-detached": Each(item(2, None), "A detached payload", "內容分離"),
        "no-signers": Each(item(3, []), "No signatures", "沒有簽章"),
        "signers-are-text": Each(item(3, "two"), "Signatures that are a text", "簽章是文字"),
        "signer-is-text": Each(signer(lambda _: "one"), "A signature that is a text", "一個簽章是文字"),
        "signer-of-two": Each(signer(lambda s: s[:2]), "A signature of two items", "簽章只有兩項"),
        "signer-of-four": Each(signer(lambda s: [*s, 0]), "A signature of four items", "簽章有四項"),
        "signer-header-is-text": Each(signer(spoilt(0, "header")), "A signature's header that is a text", "簽章的標頭是文字"),
        "signer-header-is-array": Each(signer(spoilt(1, [])), "An unprotected header that is an array", "簽章的未保護標頭是陣列"),
        "signature-is-text": Each(signer(spoilt(2, "r and s")), "A signature value that is a text", "簽章值是文字"),
        "signer-header-no-cbor": Each(signer(spoilt(0, b"\xff")), "A signature's header that is no CBOR", "簽章的標頭不是 CBOR"),
        "signer-other-algorithm": Each(signer(spoilt(0, dumps({ALG: -8}))), "Another algorithm", "別的演算法"),
        "signer-critical": Each(signer(spoilt(0, dumps({ALG: ES256, CRIT: [99], 99: 0}))), "A critical header", "關鍵標頭"),
        "signer-is-number": Each(signer(lambda _: 7), "A signature that is a number", "一個簽章是數字"),
        "in-tag-99": Each(None, "A record inside #6.99", "紀錄在 #6.99 裡"),
        "no-cbor": Each(b"\xff", "Bytes that are no CBOR", "不是 CBOR 的位元組"),
        "in-a-text": Each("text", "A text inside #6.24", "#6.24 裡是文字"),
    }


@case("P-WBK-02", "P-WBK-03", "P-WRT-01", "P-CBR-01", "P-CBR-04",
      nature=Nature.INVALID, zh="紀錄不是 COSE_Sign：錯誤 -6", destructive=True, each=_forms)
def test_record_of_another_form_is_malformed(wallet: WalletTester, change: Change | bytes | str | None) -> None:
    """A batch with something that is no COSE_Sign as it should be is answered with -6."""
    opened, writer = _opened(wallet)
    batch = writer.visit()
    body = cbor2.loads(batch.to_bytes())
    if callable(change):
        made: Any = embed(dumps(change(cbor2.loads(batch.records[0]))))
    else:
        made = cbor2.CBORTag(99, batch.records[0]) if change is None else cbor2.CBORTag(24, change)
    wallet.nothing(wallet.write(opened, dumps({**body, 5: [made, *body[5][1:]]})), MALFORMED)


@case("P-WBK-03", nature=Nature.LIMIT, zh="批次的數字界限", destructive=True, each=lambda: {
    "generation-true": Each(True, "A generation that is true", "版次是 true"),
    "generation-too-large": Each(1 << 63, "A generation of 2^63", "版次是 2^63"),
})
def test_number_beyond_its_limit_is_malformed(wallet: WalletTester, generation: Any) -> None:
    """A generation that is no number, or too large, is answered with -6."""
    opened, writer = _opened(wallet)
    raw = dumps({**cbor2.loads(writer.visit().to_bytes()), 4: generation})
    wallet.nothing(wallet.write(opened, raw), MALFORMED)


@case("P-WBK-03", nature=Nature.LIMIT, zh="版次與欄位編號的最後一個合法值", destructive=True)
def test_last_numbers_are_numbers(wallet: WalletTester) -> None:
    """A generation of 2^63 - 1 is a number, though another's; a field may be numbered 0."""
    opened, writer = _opened(wallet)
    wallet.settled(opened, replace(writer.visit(), generation=(1 << 63) - 1).to_bytes(), WriteOutcome.CONFLICT)
    record = replace(writer.record(_KINDS.PRESCRIPTION, 1), fields={0: b"a line"})
    wallet.settled(opened, writer.batch(writer.sign(record), number_=2).to_bytes(), WriteOutcome.STORED)


# -- length and number

def _padded(writer: Writer, number: int, length: int) -> bytes:
    """A prescription of just so many bytes, signed."""
    empty = len(writer.sign(replace(writer.record(_KINDS.PRESCRIPTION, number), fields={1: bytes(300)})))
    size = 300 + length - empty
    return writer.sign(replace(writer.record(_KINDS.PRESCRIPTION, number), fields={1: bytes(size)}))


@case("P-WBK-03", "P-WRT-06", nature=Nature.LIMIT, zh="紀錄長 8192 位元組：寫入；8193：錯誤 -6", destructive=True, each=lambda: {
    "longest": Each(MAX_RECORD_BYTES), "too-long": Each(MAX_RECORD_BYTES + 1),
})
def test_record_has_a_limit(wallet: WalletTester, length: int) -> None:
    """A record of 8192 bytes is written; one of 8193 is answered with -6."""
    opened, writer = _opened(wallet)
    record = _padded(writer, 1, length)
    wallet.need("the record is as long as it should be", len(record) == length, len(record))
    raw = writer.batch(record).to_bytes()
    if length > MAX_RECORD_BYTES:
        wallet.nothing(wallet.write(opened, raw), MALFORMED)
    else:
        wallet.settled(opened, raw, WriteOutcome.STORED)


@case("P-WBK-03", nature=Nature.LIMIT, zh="批次長 49152 位元組：寫入；49153：錯誤 -6", destructive=True, each=lambda: {
    "longest": Each(MAX_BATCH_BYTES), "too-long": Each(MAX_BATCH_BYTES + 1),
})
def test_batch_has_a_limit(wallet: WalletTester, length: int) -> None:
    """A batch of 49152 bytes is written; one of 49153 is answered with -6."""
    opened, writer = _opened(wallet)
    full = [_padded(writer, number, 8000) for number in range(1, 7)]
    last = length - len(writer.batch(*full, _padded(writer, 7, 700)).to_bytes()) + 700
    raw = writer.batch(*full, _padded(writer, 7, last)).to_bytes()
    wallet.need("the batch is as long as it should be", len(raw) == length, len(raw))
    if length > MAX_BATCH_BYTES:
        wallet.nothing(wallet.write(opened, raw), MALFORMED)
    else:
        wallet.settled(opened, raw, WriteOutcome.STORED)


@case("P-WBK-05", "P-WBK-04", "P-WBK-09", nature=Nature.LIMIT, zh="600 筆寫滿，第 601 筆：空間不足", destructive=True)
def test_full_wallet_says_so(wallet: WalletTester) -> None:
    """Ten batches of sixty fees fill a wallet; one more record finds no room, and the same batch again is still known."""
    opened, writer = _opened(wallet)
    raw = b""
    for number in range(10):
        fees = [writer.sign(writer.record(_KINDS.FEE, number * MAX_RECORDS + n)) for n in range(1, MAX_RECORDS + 1)]
        raw = writer.batch(*fees, number_=number + 1, generation=number).to_bytes()
        wallet.settled(opened, raw, WriteOutcome.STORED)
    more = writer.batch(writer.sign(writer.record(_KINDS.FEE, 1000)), number_=99, generation=10).to_bytes()
    wallet.settled(opened, more, WriteOutcome.FULL)
    wallet.settled(opened, raw, WriteOutcome.ALREADY)


# -- who signs

def _signers() -> Mapping[str, Each]:
    bad = WriteOutcome.BAD_SIGNATURE
    return {
        "prescription-by-pharmacist": Each((_KINDS.PRESCRIPTION, Use.DISPENSING, bad), "A prescription by a pharmacist",
                                           "藥師開處方"),
        "visit-by-pharmacist": Each((_KINDS.VISIT, Use.DISPENSING, WriteOutcome.STORED), "A visit by a pharmacist",
                                    "藥師登錄就醫"),
        "dispensing-by-pharmacist": Each((_KINDS.DISPENSE, Use.DISPENSING, WriteOutcome.STORED), "A dispensing by a pharmacist",
                                         "藥師調劑"),
        "dispensing-by-physician": Each((_KINDS.DISPENSE, Use.TREATMENT, WriteOutcome.STORED), "A dispensing by a physician",
                                        "醫師調劑"),
        **{f"{kind.value}-not-carried": Each((kind, Use.DISPENSING, bad), "A record that lies with the data centre only",
                                             "只存於資料中心的紀錄") for kind in (_KINDS.RECEIVED, _KINDS.QUERY, _KINDS.ANSWER)},
    }


@case("P-WBK-06", "P-WBK-04", "P-WRT-06", nature=Nature.INVALID, zh="紀錄由哪種醫事人員簽署", destructive=True, each=_signers)
def test_kind_of_record_has_its_signers(wallet: WalletTester, tried: tuple[Kind, Use, WriteOutcome]) -> None:
    """A record is taken from the professionals whose kind of record it is, and only what holders carry."""
    kind, use, outcome = tried
    opened, writer = _opened(wallet, use)
    hpc = wallet.world.pharmacist if use is Use.DISPENSING else wallet.world.physician
    record = writer.sign(writer.record(kind, 1), hpc, wallet.world.sam)
    wallet.settled(opened, writer.batch(record).to_bytes(), outcome, hpc)


def _x5ts() -> Mapping[str, Each]:
    other_leaf = hashlib.sha256(b"another certificate").digest()
    return {
        "another-certificate": Each(lambda _: [SHA256, other_leaf], "Another certificate is named", "指明別的憑證"),
        "another-hash": Each(lambda digest: [-15, digest], "Another hash", "別的雜湊"),
        "three-parts": Each(lambda digest: [SHA256, digest, 0], "Three parts", "三個部分"),
        "short": Each(lambda digest: [SHA256, digest[:31]], "A hash of 31 bytes", "雜湊 31 位元組"),
        "none": Each(lambda _: None, "No certificate is named", "未指明憑證"),
    }


@case("P-WBK-02", "P-WBK-04", "P-WRT-01",
      nature=Nature.ATTACK, zh="簽章指明的憑證不是出示的那一張：簽章不符", destructive=True, each=_x5ts)
def test_signature_names_its_certificate(wallet: WalletTester, change: Change) -> None:
    """A signature that holds and names another certificate than the one that was shown is refused."""
    opened, writer = _opened(wallet)
    message, world = writer.record(_KINDS.VISIT, 1).unsigned(), wallet.world
    for signer in (world.physician, world.sam):
        x5t = change(hashlib.sha256(signer.chain[0]).digest())
        header = dumps({ALG: ES256} if x5t is None else {ALG: ES256, X5T: x5t})
        value = world.es256(signer.key, signer_structure(message.protected, header, message.payload))
        message = message.with_signature(Signature(header, {}, value))
    receipt = wallet.settled(opened, writer.batch(message.to_bytes()).to_bytes(), WriteOutcome.BAD_SIGNATURE)
    wallet.equal("records at fault", receipt.at_fault, (0,))


@case("P-WBK-04", nature=Nature.ATTACK, zh="第二個簽章（安全模組）被改：簽章不符", destructive=True, each=lambda: {
    "sam": Each(1), "professional": Each(0),
})
def test_every_signature_of_a_record_counts(wallet: WalletTester, number: int) -> None:
    """A record of which one signature is spoilt is refused, whichever it is."""
    opened, writer = _opened(wallet)
    message = decode_sign(writer.visit().records[0])
    parts = list(message.signatures)
    parts[number] = replace(parts[number], signature=bytes([parts[number].signature[0] ^ 1]) + parts[number].signature[1:])
    raw = writer.batch(replace(message, signatures=tuple(parts)).to_bytes()).to_bytes()
    wallet.settled(opened, raw, WriteOutcome.BAD_SIGNATURE)


# -- what is amended, and by whom

@case("P-WBK-04", "P-WRT-05", "P-CRT-03",
      nature=Nature.ATTACK, zh="別的機構更正或取消紀錄：簽章不符", destructive=True, each=lambda: {
    kind.value: Each(kind) for kind in (_KINDS.AMEND, _KINDS.CANCEL)
})
def test_record_is_amended_by_its_institution_alone(wallet: WalletTester, kind: Kind) -> None:
    """A record is amended and cancelled by the institution that wrote it, and by no other."""
    opened, writer = _opened(wallet)
    visit = writer.record(_KINDS.VISIT, 1)
    wallet.settled(opened, writer.batch(writer.sign(visit)).to_bytes(), WriteOutcome.STORED)
    world = wallet.world
    elsewhere = world.reader(Role.SAM, "SAM000000002", organisation="9901180099")
    record = writer.sign(writer.record(kind, 2, amends=visit.id), world.physician, elsewhere)
    raw = writer.batch(record, number_=2, generation=1).to_bytes()
    items = items_request(vhc.DOCTYPE, {vhc.WRITE: {vhc.RECEIPT: True}}, {vhc.WRITE_INFO: embed(raw)})
    again = wallet.meet(Use.TREATMENT)
    wallet.shown_card(again)
    asked = signed(items, again.transcript, elsewhere, (elsewhere, world.physician)).to_bytes()
    receipt = wallet.receipt(again, wallet.request(again, asked, "write from elsewhere"))
    wallet.equal("outcome in the receipt", receipt.outcome, WriteOutcome.BAD_SIGNATURE)
    mine = writer.sign(writer.record(kind, 3, amends=visit.id))
    wallet.settled(again, writer.batch(mine, number_=3, generation=1).to_bytes(), WriteOutcome.STORED)


@case("P-WBK-05", "P-WBK-07", "P-ELE-06", nature=Nature.VALID, zh="寫入的紀錄連同簽章者的憑證可再讀出", destructive=True)
def test_what_was_written_is_read(wallet: WalletTester) -> None:
    """What was written is read in the next session: visits and prescriptions apart, with the chains of those who signed."""
    opened, writer = _opened(wallet)
    batch = writer.visit()
    receipt = wallet.settled(opened, batch.to_bytes(), WriteOutcome.STORED)
    wallet.equal("generation in the receipt", receipt.generation, 1)
    shown = wallet.recorded(wallet.meet(), "visits", "prescriptions", "certificates", "generation")
    wallet.equal("visits", list(shown.get("visits", ())), [batch.records[0], batch.records[3]])
    wallet.equal("prescriptions", list(shown.get("prescriptions", ())), [batch.records[1], batch.records[2]])
    wallet.equal("generation", shown.get("generation"), 1)
    signers = (wallet.world.physician, wallet.world.sam)
    chains = {hashlib.sha256(s.chain[0]).digest(): list(s.chain) for s in signers}
    wallet.equal("chains of the signers", dict(shown.get("certificates", {})), chains)


@case("P-WBK-07", "P-ELE-06", nature=Nature.INVALID, zh="只問一種紀錄：不附其他", destructive=True, each=lambda: {
    name: Each(name) for name in ("visits", "prescriptions", "certificates", "generation")
})
def test_part_of_the_records_is_shown_alone(wallet: WalletTester, name: str) -> None:
    """Who asks for one element of the records is shown no other."""
    opened, writer = _opened(wallet)
    wallet.settled(opened, writer.visit().to_bytes(), WriteOutcome.STORED)
    wallet.equal("elements shown", set(wallet.recorded(opened, name)), {name})


@case("P-WBK-05", nature=Nature.ATTACK, zh="同一批只寫一次，紀錄不得再寫", destructive=True)
def test_nothing_is_written_twice(wallet: WalletTester) -> None:
    """A batch again is told as already stored; its records in another batch are a conflict; nothing stands there twice."""
    opened, writer = _opened(wallet)
    batch = writer.visit()
    first = wallet.settled(opened, batch.to_bytes(), WriteOutcome.STORED)
    again = wallet.settled(opened, batch.to_bytes(), WriteOutcome.ALREADY)
    wallet.equal("the receipt of then", replace(again, outcome=first.outcome), first)
    other_batch = Batch(bytes(15) + b"\x09", batch.issuer_auth, 1, batch.records)
    conflict = wallet.settled(opened, other_batch.to_bytes(), WriteOutcome.CONFLICT)
    wallet.equal("records at fault", conflict.at_fault, (0, 1, 2, 3))
    shown = wallet.recorded(opened, "visits", "generation")
    wallet.equal("visits", len(shown.get("visits", ())), 2)
    wallet.equal("generation", shown.get("generation"), 1)


@case("P-WBK-05", nature=Nature.INVALID, zh="回條指明有誤的紀錄", destructive=True)
def test_receipt_names_the_records_at_fault(wallet: WalletTester) -> None:
    """A receipt names the records at fault by their numbers from 0, and none where the batch itself is."""
    opened, writer = _opened(wallet)
    batch = writer.visit()
    alone = writer.sign(writer.record(_KINDS.VISIT, 9), wallet.world.sam)
    raw = replace(batch, records=(*batch.records, alone)).to_bytes()
    wallet.equal("records at fault", wallet.settled(opened, raw, WriteOutcome.BAD_SIGNATURE).at_fault, (4,))
    receipt = wallet.settled(opened, replace(batch, generation=3).to_bytes(), WriteOutcome.CONFLICT)
    wallet.equal("records at fault of another generation", receipt.at_fault, ())
    wallet.equal("generation in the receipt", receipt.generation, 0)


