"""WBK-01, WBK-02 on the wallet: every outcome of a batch, and a phone whose power goes at any point of it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from virtual_devices import cbor, vhc
from virtual_devices.cose import PROTECTED_ES256, Sign, Signature, signer_structure
from virtual_devices.holder.application import Act
from virtual_devices.holder.readers import Reader, Readers
from virtual_devices.holder.writing import RECEIPTS
from virtual_devices.link import PowerCut
from virtual_devices.mdoc.tagged import MalformedMdoc, dumps
from virtual_devices.pki import ChainVerifier, Identity, Role, Verified, sign
from virtual_devices.randomness import ByteStream
from virtual_devices.wallet.held import Folder
from virtual_devices.wallet.phone import CAPACITY, Phone
from virtual_devices.write_back import (
    MAX_RECORD_BYTES,
    MAX_RECORDS,
    Batch,
    Kind,
    Receipt,
    Record,
    WriteOutcome,
    holder_of,
    read_batch,
    read_receipt,
    read_record,
    receipt_is_for,
    signer_header,
)

from .desk import AUTHORITY, DOCTOR_ID, INSTITUTION, NOW_NS, SAM_ID
from .wallets import phone

ROOT = ChainVerifier(AUTHORITY.root_der)
FRESH = ByteStream("writing")


def reader(role: Role, subject: str, **more: Any) -> tuple[Identity, Reader]:
    identity = AUTHORITY.issue(role, subject)
    chain = AUTHORITY.renew(role, subject, identity.key.public_key(), NOW_NS, **more)
    verdict = ROOT.check(chain, {role}, NOW_NS)
    assert isinstance(verdict, Verified)
    return Identity(identity.key, chain), Reader(verdict, chain)


SAM, SAM_READER = reader(Role.SAM, SAM_ID, organisation=INSTITUTION)
HPC, HPC_READER = reader(Role.PHYSICIAN, DOCTOR_ID)
OTHER, _ = reader(Role.SAM, "SAM000000009", organisation="8801180014")
BOTH = Readers(SAM_READER, HPC_READER)


def signed(record: Record, *signers: Identity) -> bytes:
    message = record.unsigned()
    for signer in signers:
        header = signer_header(signer.chain[0])
        message = message.with_signature(
            Signature(header, {}, sign(signer.key, signer_structure(b"", header, message.payload)))
        )
    return message.to_bytes()


def holder(made: Phone) -> bytes:
    card = made.cards.get("own")
    assert card is not None
    return holder_of(card.mso.device_key)


def record(made: Phone, kind: Kind = Kind.VISIT, name: int = 1, **more: Any) -> Record:
    fields: dict[str, Any] = {
        "kind": kind, "id": name.to_bytes(16, "big"), "holder": holder(made), "at_ns": NOW_NS, "fields": {1: b"content" * 9},
        **more,
    }
    return Record(**fields)


def batch(made: Phone, *records: bytes, name: int = 1, **more: Any) -> Batch:
    card = made.cards.get("own")
    assert card is not None
    made_batch = Batch(name.to_bytes(16, "big"), card.issued.auth_hash(), made.records().generation, records)
    return replace(made_batch, **more)


def write(made: Phone, whole: Batch | bytes, readers: Readers = BOTH) -> Receipt:
    card = made.cards.get("own")
    assert card is not None
    raw = whole if isinstance(whole, bytes) else whole.to_bytes()
    return made.records().write(raw, card.issued, readers, NOW_NS, lambda _: {})


def test_batch_is_stored_once_and_its_receipt_is_kept() -> None:
    made = phone()
    whole = batch(made, signed(record(made), HPC, SAM), signed(record(made, Kind.PRESCRIPTION, 2), HPC, SAM))
    receipt = write(made, whole)
    assert receipt.outcome is WriteOutcome.STORED and receipt_is_for(receipt, whole) and receipt.generation == 1
    again = write(made, whole)
    assert again == replace(receipt, outcome=WriteOutcome.ALREADY) and len(made.records().all()) == 2
    other = replace(whole, generation=1)
    assert write(made, other).outcome is WriteOutcome.CONFLICT and len(made.records().all()) == 2
    assert made.records().prescriptions() == [whole.records[1]]
    assert set(made.records().chains()) == {SAM_READER_ID, HPC_READER_ID}


SAM_READER_ID, HPC_READER_ID = (hashlib.sha256(one.chain[0]).digest() for one in (SAM_READER, HPC_READER))
Make = Callable[[Phone], Batch]
REFUSED: dict[str, tuple[Make, Readers, WriteOutcome, tuple[int, ...]]] = {
    "another credential": (
        lambda p: batch(p, signed(record(p), HPC, SAM), issuer_auth=bytes(32)), BOTH, WriteOutcome.WRONG_HOLDER, (),
    ),
    "a record for another": (
        lambda p: batch(p, signed(record(p), HPC, SAM), signed(record(p, name=2, holder=bytes(32)), HPC, SAM)), BOTH,
        WriteOutcome.WRONG_HOLDER, (1,),
    ),
    "an older generation": (
        lambda p: batch(p, signed(record(p), HPC, SAM), generation=7), BOTH, WriteOutcome.CONFLICT, (),
    ),
    "the same record twice": (
        lambda p: batch(p, signed(record(p), HPC, SAM), signed(record(p), HPC, SAM)), BOTH, WriteOutcome.CONFLICT, (1,),
    ),
    "an amendment of nothing": (
        lambda p: batch(p, signed(record(p, Kind.AMEND, amends=bytes(16)), HPC, SAM)), BOTH, WriteOutcome.CONFLICT, (0,),
    ),
    "no professional in this session": (
        lambda p: batch(p, signed(record(p), HPC, SAM)), Readers(SAM_READER), WriteOutcome.BAD_SIGNATURE, (0,),
    ),
    "no professional's signature": (
        lambda p: batch(p, signed(record(p), SAM)), BOTH, WriteOutcome.BAD_SIGNATURE, (0,),
    ),
    "signatures in the wrong order": (
        lambda p: batch(p, signed(record(p), SAM, HPC)), BOTH, WriteOutcome.BAD_SIGNATURE, (0,),
    ),
    "another SAM": (
        lambda p: batch(p, signed(record(p), HPC, OTHER)), BOTH, WriteOutcome.BAD_SIGNATURE, (0,),
    ),
    "a stolen certificate": (
        lambda p: batch(p, signed(record(p), HPC, Identity(OTHER.key, SAM.chain))), BOTH, WriteOutcome.BAD_SIGNATURE, (0,),
    ),
    "a signature that names no certificate": (
        lambda p: batch(p, Sign(b"", {}, record(p).to_bytes(), (Signature(PROTECTED_ES256, {}, bytes(64)),) * 2).to_bytes()),
        BOTH, WriteOutcome.BAD_SIGNATURE, (0,),
    ),
}


@pytest.mark.parametrize("why", REFUSED)
def test_refused_batch_leaves_everything_as_it_was(why: str) -> None:
    make, readers, outcome, at_fault = REFUSED[why]
    made = phone()
    receipt = write(made, make(made), readers)
    assert (receipt.outcome, receipt.at_fault, receipt.generation) == (outcome, at_fault, 0)
    assert made.records().all() == [] and outcome.code in ("5020", "5023", "5009", "5033")


def test_fees_need_the_sam_alone_and_a_cancellation_the_professional_too() -> None:
    made = phone()
    assert write(made, batch(made, signed(record(made), HPC, SAM))).outcome is WriteOutcome.STORED
    cancel = record(made, Kind.CANCEL, 3, amends=(1).to_bytes(16, "big"))
    fee = signed(record(made, Kind.FEE, 2), SAM)
    alone = write(made, batch(made, fee, signed(cancel, SAM), name=2), Readers(SAM_READER))
    assert (alone.outcome, alone.at_fault) == (WriteOutcome.BAD_SIGNATURE, (1,))
    assert write(made, batch(made, fee, signed(cancel, HPC, SAM), name=3)).outcome is WriteOutcome.STORED


NURSE, NURSE_READER = reader(Role.NURSE, "B123456780")


@pytest.mark.parametrize(("kind", "stored"), [(Kind.VISIT, True), (Kind.PRESCRIPTION, False)])
def test_prescription_is_a_physicians_and_a_visit_any_professionals(kind: Kind, stored: bool) -> None:
    made = phone()
    receipt = write(made, batch(made, signed(record(made, kind), NURSE, SAM)), Readers(SAM_READER, NURSE_READER))
    assert receipt.outcome is (WriteOutcome.STORED if stored else WriteOutcome.BAD_SIGNATURE)


OTHER_SAM, OTHER_READER = reader(Role.SAM, "SAM000000009", organisation="8801180014")


@pytest.mark.parametrize("kind", [Kind.CANCEL, Kind.AMEND])
def test_another_institution_neither_cancels_nor_amends(kind: Kind) -> None:
    made = phone()
    assert write(made, batch(made, signed(record(made), HPC, SAM))).outcome is WriteOutcome.STORED
    change = record(made, kind, 2, amends=(1).to_bytes(16, "big"))
    theirs = write(made, batch(made, signed(change, HPC, OTHER_SAM), name=2), Readers(OTHER_READER, HPC_READER))
    assert (theirs.outcome, theirs.at_fault) == (WriteOutcome.BAD_SIGNATURE, (0,))
    assert write(made, batch(made, signed(change, HPC, SAM), name=3)).outcome is WriteOutcome.STORED


def test_record_that_is_too_long_is_none() -> None:
    made = phone()
    long = signed(record(made, fields={1: bytes(MAX_RECORD_BYTES)}), HPC, SAM)
    with pytest.raises(MalformedMdoc, match="at most"):
        write(made, batch(made, long))


def test_full_wallet_says_so() -> None:
    made = phone()
    stored = 0
    for name in range(1, 100):
        records = [signed(record(made, Kind.FEE, name * 100 + i), SAM) for i in range(MAX_RECORDS)]
        receipt = write(made, batch(made, *records, name=name), Readers(SAM_READER))
        if receipt.outcome is not WriteOutcome.STORED:
            break
        stored += MAX_RECORDS
    assert receipt.outcome is WriteOutcome.FULL and stored == CAPACITY == len(made.records().all())


def test_receipts_are_kept_for_as_many_batches_as_stated() -> None:
    made = phone()
    batches = []
    for name in range(1, RECEIPTS + 3):
        whole = batch(made, signed(record(made, Kind.FEE, name), SAM), name=name)
        assert write(made, whole, Readers(SAM_READER)).outcome is WriteOutcome.STORED
        batches.append(whole)
    assert all(write(made, whole, Readers(SAM_READER)).outcome is WriteOutcome.ALREADY for whole in batches[2:])
    assert write(made, batches[0], Readers(SAM_READER)).outcome is WriteOutcome.CONFLICT  # its record is here: nothing twice
    assert len(Folder(made.vault, "own").names("receipt.")) == RECEIPTS


def test_phone_that_loses_power_anywhere_holds_the_old_or_the_new_and_the_same_batch_settles_it() -> None:
    def of_two(made: Phone) -> Batch:
        return batch(made, signed(record(made), HPC, SAM), signed(record(made, Kind.PRESCRIPTION, 2), HPC, SAM))

    plain = phone()
    plain.power.watch_points = True
    write(plain, of_two(plain))
    points = len(plain.power.points_passed)
    assert points > 20
    seen = set()
    for point in range(points):
        made = phone()
        whole = of_two(made)
        made.power.arm_cut(point)
        with pytest.raises(PowerCut):
            write(made, whole)
        made.power.arm_cut(None)
        made.start(NOW_NS)
        stored = made.records().all()
        assert stored in ([], list(whole.records)), f"a mixture after cut point {point}"
        seen.add(bool(stored))
        outcome = write(made, whole).outcome
        assert outcome is (WriteOutcome.ALREADY if stored else WriteOutcome.STORED), f"cut point {point}"
        assert made.records().all() == list(whole.records) and made.records().generation == 1
    assert seen == {True, False}


@pytest.mark.parametrize(
    "raw",
    [
        b"", b"\xa0", dumps({1: 2}), dumps([]), dumps({1: 1, 2: bytes(16), 3: bytes(32), 4: 0, 5: []}),
        dumps({1: 1, 2: bytes(15), 3: bytes(32), 4: 0, 5: [1]}), dumps({1: 1, 2: bytes(16), 3: bytes(32), 4: -1, 5: [1]}),
        dumps({1: 1, 2: bytes(16), 3: bytes(32), 4: 0, 5: [b"no tag"]}),
    ],
)
def test_bytes_that_are_no_batch_are_malformed_and_change_nothing(raw: bytes) -> None:
    made = phone()
    with pytest.raises(MalformedMdoc):
        write(made, raw)
    assert made.records().all() == []


@given(
    st.sampled_from(Kind), st.binary(min_size=16, max_size=16), st.binary(min_size=32, max_size=32),
    st.integers(0, 4_000_000_000),
    st.dictionaries(st.integers(0, 99), st.binary(min_size=200, max_size=900), min_size=1, max_size=6),
)
def test_record_comes_back_as_it_was(kind: Kind, name: bytes, whose: bytes, at_s: int, fields: dict[int, bytes]) -> None:
    amends = name if kind in (Kind.AMEND, Kind.CANCEL) else None
    made = Record(kind, name, whose, at_s * 10**9, fields, amends)
    back, message = read_record(signed(made, HPC, SAM))
    assert back == made and message.verify(0, HPC.key.public_key()) and message.verify(1, SAM.key.public_key())
    whole = Batch(name, whose, at_s, (signed(made, SAM),))
    assert read_batch(whole.to_bytes()) == whole


@given(st.binary(min_size=16, max_size=16), st.sampled_from(WriteOutcome), st.lists(st.integers(0, 59), max_size=60))
def test_receipt_comes_back_as_it_was(name: bytes, outcome: WriteOutcome, at_fault: list[int]) -> None:
    made = Receipt(name, bytes(32), outcome, 7, NOW_NS, tuple(at_fault))
    assert read_receipt(cbor.decode(dumps(made.value()))) == made


@pytest.mark.parametrize("at", range(0, 400, 7))
def test_flipped_bit_of_a_record_is_refused(at: int) -> None:
    made = phone()
    raw = bytearray(signed(record(made), HPC, SAM))
    raw[at % len(raw)] ^= 1 << at % 8
    try:
        outcome = write(made, batch(made, bytes(raw))).outcome
    except MalformedMdoc:
        return
    assert not outcome.done


def test_log_entry_and_records_are_one_act() -> None:
    made = phone()
    card = made.cards.get("own")
    assert card is not None
    act = Act(BOTH, {vhc.WRITE: [vhc.RECEIPT]}, NOW_NS, True)
    assert act.writes
    made.records().write(
        batch(made, signed(record(made), HPC, SAM)).to_bytes(), card.issued, BOTH, NOW_NS,
        lambda stored: {"/noted": b"who"} if stored else {},
    )
    assert made.vault.get("noted") == b"who"
