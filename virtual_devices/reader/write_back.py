"""A reader's side of write-back to a wallet: records signed at the desk, one batch, and the receipt.

    records = yield from sign_records(desk, [...], sam, hpc)
    batch   = prepare(target_of(shown), records, batch_id)
    receipt = yield from write(desk, opened, batch, sam, hpc=hpc)

A receipt that never came is asked for again with the same batch, in this session or at the next contact: stored is then told as
already stored, and nothing is written twice. A patient who has left without it gets the batch from the data centre.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from virtual_devices import vhc
from virtual_devices.apdu import Command
from virtual_devices.cose import Sign, Signature, signer_structure
from virtual_devices.flow import Flow
from virtual_devices.mdoc.tagged import MalformedMdoc, embed
from virtual_devices.reader.desk import Desk
from virtual_devices.reader.proximity import ROLE, TIMEOUT_S, ReaderSession, Shown, ask
from virtual_devices.reader.transmit import READ_WRITE_FAULT, Ended, Handle, need_ok, transmit
from virtual_devices.write_back import (
    MAX_BATCH_BYTES,
    MAX_RECORDS,
    Batch,
    Receipt,
    Record,
    WriteOutcome,
    former_cards,
    holder_of,
    read_receipt,
    receipt_is_for,
    signer_header,
)

STEP = "write virtual card"
REQUEST_S, RECORD_S = 4.0, 0.5
"""What a slow chip may take for the request itself, and for each record: two signatures to check, 0.4 s, and its writing."""
Chains = tuple[tuple[bytes, ...], tuple[bytes, ...]]
ASKED = {vhc.WRITE: {vhc.RECEIPT: True}}


@dataclass(frozen=True, slots=True)
class Target:
    """Whom records are written for: the credential seen, its card (``write_back.holder_of``), and the generation of what is
    stored."""

    issuer_auth: bytes
    holder: bytes
    generation: int


def holder_shown(shown: Shown) -> bytes:
    """Whom records name that are for the card shown: by its key, and by the authorization under which it is held."""
    under = shown.value(vhc.BASIC, vhc.HELD_UNDER)
    return holder_of(shown.document.mso.device_key, under if isinstance(under, bytes) else b"")


def former_shown(shown: Shown) -> frozenset[bytes]:
    """The cards whose place the card shown took, by its issuer's word; none when it does not show them."""
    return former_cards(shown.document.values.get(vhc.BASIC, {}))


def target_of(shown: Shown) -> Target:
    """From what a wallet has shown. Raises Ended when it did not say its generation."""
    generation = shown.value(vhc.RECORDS, "generation")
    if not isinstance(generation, int) or isinstance(generation, bool) or generation < 0:
        raise Ended(f"the wallet does not say what it holds: {shown.why(vhc.RECORDS, 'generation')}", READ_WRITE_FAULT, ROLE)
    return Target(shown.issued_hash, holder_shown(shown), generation)


def sign_records(
    desk: Desk, records: Sequence[Record], sam: Handle, hpc: Handle | None = None, *, chains: Chains | None = None,
) -> Flow[list[bytes]]:
    """Each record as a COSE_Sign by [HPC, SAM], or by the SAM alone where no professional is needed. ``chains``: of HPC and SAM;
    their reader certificates without, which a wallet wants. Raises Ended."""
    of_hpc, of_sam = chains or (desk.hpc_reader_chain, desk.reader_chain)
    signed = []
    for record in records:
        message = record.unsigned()
        if record.kind.needs_professional:
            if hpc is None:
                raise Ended(f"a record of kind {record.kind.value} needs a professional's card", "4014", "hpc")
            message = yield from _signature(message, hpc, of_hpc)
        message = yield from _signature(message, sam, of_sam)
        signed.append(message.to_bytes())
    return signed


def _signature(message: Sign, chip: Handle, chain: tuple[bytes, ...]) -> Flow[Sign]:
    header = signer_header(chain[0])
    structure = signer_structure(message.protected, header, message.payload)
    answer = yield from transmit(chip, Command(0, 0x2A, 0x9E, 0x9A, structure, le=64), "sign records")
    return message.with_signature(Signature(header, {}, need_ok(answer, chip.role, "signature of a record", code="5008")))


def prepare(target: Target, records: Sequence[bytes], batch_id: bytes) -> Batch:
    """``batch_id``: 16 bytes, the same however often it is tried. Raises Ended for more than one message carries."""
    batch = Batch(batch_id, target.issuer_auth, target.generation, tuple(records))
    if len(records) > MAX_RECORDS or (size := len(batch.to_bytes())) > MAX_BATCH_BYTES:
        what = f"{len(records)} records" if len(records) > MAX_RECORDS else f"{size} bytes"
        raise Ended(f"{what} in one batch, at most {MAX_RECORDS} and {MAX_BATCH_BYTES} bytes: write it in parts", "5033", ROLE)
    return batch


def write_limit_s(records: int) -> float:
    """How long the receipt of so many records is waited for, in s: as for any answer, or longer where a chip needs longer."""
    return max(TIMEOUT_S, REQUEST_S + RECORD_S * records)


def write(
    desk: Desk, opened: ReaderSession, batch: Batch, sam: Handle, *, hpc: Handle | None = None, step: str = STEP,
) -> Flow[Receipt]:
    """The batch in a second request, and its receipt, believed. Raises Ended with the field's code when it was refused (5020,
    5009, ...), or when the medium failed: then the same batch may be tried again."""
    receipt, _ = yield from write_shown(desk, opened, batch, sam, hpc=hpc, step=step)
    return receipt


def write_shown(
    desk: Desk, opened: ReaderSession, batch: Batch, sam: Handle, *, hpc: Handle | None = None, step: str = STEP,
) -> Flow[tuple[Receipt, Shown]]:
    """The same, with the answer in which the device signed the receipt."""
    info = {vhc.WRITE_INFO: embed(batch.to_bytes())}
    limit_s = write_limit_s(len(batch.records))
    shown = yield from ask(desk, opened, ASKED, sam, hpc=hpc, info=info, step=step, timeout_s=limit_s)
    if not shown.document.signed:
        raise Ended("a receipt without the device's signature proves nothing to anybody else", READ_WRITE_FAULT, ROLE)
    try:
        receipt = read_receipt(shown.value(vhc.WRITE, vhc.RECEIPT))
    except MalformedMdoc as e:
        raise Ended(f"no receipt: {e.what}", READ_WRITE_FAULT, ROLE) from None
    if not receipt_is_for(receipt, batch):
        raise Ended("a receipt for another batch", READ_WRITE_FAULT, ROLE)
    if not receipt.outcome.done:
        raise Ended(f"the wallet refuses the batch: {_why(receipt)}", receipt.outcome.code, ROLE)
    return receipt, shown


def _why(receipt: Receipt) -> str:
    at = f", records {', '.join(map(str, receipt.at_fault))}" if receipt.at_fault else ""
    return receipt.outcome.name.lower().replace("_", " ") + at


__all__ = [
    "Target", "WriteOutcome", "prepare", "sign_records", "target_of", "write", "write_limit_s", "write_shown",
]
