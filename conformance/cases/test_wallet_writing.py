"""Write-back to a wallet: the vectors' batches, made anew for the card that it has just shown."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from conformance.case import Each, Nature, case
from conformance.kinds.wallet import REGISTRATION, WalletTester
from conformance.vectors import writing
from conformance.vectors.model import Input, Space, Value, Vector
from conformance.vectors.suite import Suite
from conformance.vectors.world import World, signed
from conformance.vectors.writing import Writer
from virtual_devices import vhc
from virtual_devices.mdoc.mso import IssuerSigned
from virtual_devices.mdoc.request import items_request
from virtual_devices.mdoc.tagged import embed
from virtual_devices.reader.proximity import ReaderSession
from virtual_devices.wallet.consent import Use
from virtual_devices.write_back import WriteOutcome, read_batch, receipt_is_for

_CAPACITY = "600"
_BESIDES = {
    "sam-alone": ("P-WRT-02",), "signers-swapped": ("P-WRT-02",), "three-signatures": ("P-WRT-02",), "fee-by-both": ("P-WRT-02",),
    "another-holder": ("P-WRT-03",), "cancels-what-follows": ("P-WRT-05",), "amends-nothing": ("P-WRT-05",),
    "cancelled-at-once": ("P-WRT-05",),
    "version-2": ("P-VER-01",), "date-without-offset": ("P-CBR-05",),
}
"""What else some vectors show, by their names."""
_ATTACKS = ("another-holder", "another-credential", "signature-bit", "another-professional", "same-id-other-bytes")


@cache
def _models() -> Mapping[str, Vector]:
    """The vectors of batches that do not need a memory of another size."""
    suite = Suite()
    writing.add(suite, World(1))
    found = {name.removeprefix("batch/"): v for name, v in suite.vectors.items() if name.startswith("batch/")}
    return {name: vector for name, vector in found.items() if vector.values.get(Value.CAPACITY) == _CAPACITY}


def _each() -> Mapping[str, Each]:
    return {name: Each(name, vector.says.en, vector.says.zh, _clauses(name, vector), _nature(name, vector))
            for name, vector in _models().items()}


def _clauses(name: str, vector: Vector) -> tuple[str, ...]:
    usual = ("P-WBK-01", "P-WBK-03") if vector.expected.code.space is Space.ERROR else ("P-WBK-04", "P-WBK-05")
    return usual + _BESIDES.get(name, ())


def _nature(name: str, vector: Vector) -> Nature:
    if vector.expected.accepted:
        return Nature.LIMIT if name == "sixty" else Nature.VALID
    return Nature.ATTACK if name in _ATTACKS else Nature.LIMIT if name in ("sixty-one", "too-long") else Nature.INVALID


@case(nature=Nature.VALID, zh="寫入一批紀錄", destructive=True, each=_each)
def test_batch_is_settled(wallet: WalletTester, name: str) -> None:
    """A batch is settled as its vector says, and a refused one leaves nothing."""
    opened, issued = _shown(wallet)
    stored = _generation(wallet, opened)
    suite = Suite()
    writing.add(suite, wallet.holding(issued, stored))
    vector = suite.vectors[f"batch/{name}"]
    if Input.BEFORE in vector.files:
        before = wallet.receipt(opened, wallet.write(opened, suite.files[vector.files[Input.BEFORE]]))
        wallet.need("the batch before is stored", before.outcome is WriteOutcome.STORED, before.outcome)
        stored += 1
    raw = suite.files[vector.files[Input.BATCH]]
    number = int(vector.expected.code.number)
    if vector.expected.code.space is Space.ERROR:
        wallet.nothing(wallet.write(opened, raw), number)
    else:
        receipt = wallet.settled(opened, raw, WriteOutcome(number))
        wallet.expect("the receipt is for this batch", receipt_is_for(receipt, read_batch(raw)), "its id and hash", receipt)
        stored += receipt.outcome is WriteOutcome.STORED
    wallet.equal("batches stored afterwards", _generation(wallet, opened), stored)


@case("P-WBK-06", nature=Nature.ATTACK, zh="醫師未出示即寫入就醫紀錄：拒絕", destructive=True)
def test_visit_is_not_written_without_the_professional(wallet: WalletTester) -> None:
    """A visit that nobody but the SAM vouches for in this session is not written."""
    stored = _generation(wallet, wallet.meet())
    opened, issued = _shown(wallet, Use.REGISTRATION)
    raw = Writer(wallet.holding(issued, stored)).visit().to_bytes()
    items = items_request(vhc.DOCTYPE, {vhc.WRITE: {vhc.RECEIPT: True}}, {vhc.WRITE_INFO: embed(raw)})
    answer = wallet.request(opened, signed(items, opened.transcript, wallet.world.sam).to_bytes(), "write by the SAM alone")
    if answer.documents:
        receipt = wallet.receipt(opened, answer)
        wallet.equal("outcome in the receipt", receipt.outcome, WriteOutcome.BAD_SIGNATURE)
    else:
        wallet.expect("an error for the document", answer.errors.get(vhc.DOCTYPE, 0) != 0, "an error", answer.errors)


@case("P-CON-01", nature=Nature.INVALID, zh="持卡人不同意寫入：不寫入", destructive=True)
def test_nothing_is_written_without_consent(wallet: WalletTester) -> None:
    """A holder who has agreed to showing and not to writing gets nothing written."""
    opened = wallet.meet(write=False)
    issued = wallet.shown_card(opened)
    raw = Writer(wallet.holding(issued)).visit().to_bytes()
    answer = wallet.write(opened, raw)
    wallet.equal("documents in the answer", len(answer.documents), 0)
    wallet.expect("an error for the document", answer.errors.get(vhc.DOCTYPE, 0) in (-1, -2), "-1 or -2", answer.errors)


def _shown(wallet: WalletTester, use: Use = Use.TREATMENT) -> tuple[ReaderSession, IssuerSigned]:
    """A session, and the card that was shown in it."""
    opened = wallet.meet(use)
    return opened, wallet.shown_card(opened, REGISTRATION if use is Use.REGISTRATION else None)


def _generation(wallet: WalletTester, opened: ReaderSession) -> int:
    found = wallet.recorded(opened, "generation").get("generation")
    wallet.expect("the wallet tells its generation", isinstance(found, int), "a number", found)
    assert isinstance(found, int)
    return found
