"""A batch on the holder's side: verify everything, then one commit that stores records, receipt and the new generation.

In this order, and the first that does not hold decides:

1. The batch id is known: the receipt of then, now ALREADY; or CONFLICT when the bytes are others.
2. The batch is for this credential, and each record for this card or one whose place it took (``write_back.holder_of``): else
   WRONG_HOLDER (5020).
3. The generation is the one that the reader saw, no record is here already, what is amended is: else CONFLICT.
4. Each record is signed by those who have proved themselves in this session, [HPC, SAM] or SAM alone, by a professional whose
   kind of record it is, and amends or cancels records of the same institution only: else BAD_SIGNATURE.
5. There is room: else FULL.

A cut anywhere leaves the old or the new; the reader sends the same batch at the next contact and hears which.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace
from typing import Protocol

import cbor2

from virtual_devices import vhc
from virtual_devices.cose import Sign
from virtual_devices.holder.readers import Reader, Readers
from virtual_devices.link import Work
from virtual_devices.mdoc.mso import IssuerSigned, read_mso
from virtual_devices.mdoc.tagged import MalformedMdoc, dumps
from virtual_devices.pki import organisation_of
from virtual_devices.write_back import (
    Batch,
    Receipt,
    Record,
    WriteOutcome,
    former_cards,
    holder_of,
    of_prescriptions,
    read_batch,
    read_receipt,
    read_record,
    thumbprint,
)

RECEIPTS = 64
"""Receipts kept, the newest: a reader that never heard comes back within as many batches."""
_GENERATION, _RECORD, _RECEIPT, _CHAIN = "records.generation", "record.", "receipt.", "chain."


Noted = Callable[[bool], Mapping[str, bytes | None]]
"""What goes into the holder's log, in the commit of the act: whether the batch was stored -> changes."""


class Memory(Protocol):
    """Where it is kept: named values with one atomic act."""

    def get(self, name: str) -> bytes | None: ...

    def names(self, prefix: str) -> Collection[str]:
        """In their own order or any."""
        ...

    def commit(self, changes: Mapping[str, bytes | None]) -> None:
        """All or none; None removes. Raises PowerCut at an armed cut point."""
        ...


class Records:
    """The records that were written back, in one device's memory. ``capacity``: how many it holds."""

    def __init__(self, memory: Memory, capacity: int, work: Work) -> None:
        self._memory = memory
        self._capacity = capacity
        self._work = work

    @property
    def generation(self) -> int:
        """Grows with each batch stored."""
        return int.from_bytes(self._memory.get(_GENERATION) or b"", "big")

    def all(self) -> list[bytes]:
        """Encoded COSE_Sign of each, oldest first."""
        return [raw for name in sorted(self._memory.names(_RECORD)) if (raw := self._memory.get(name)) is not None]

    def visits(self) -> list[bytes]:
        """What belongs to visits, oldest first."""
        return self._split(False)

    def prescriptions(self) -> list[bytes]:
        """What is prescribed, with what amends or cancels it and what of it was dispensed, oldest first."""
        return self._split(True)

    def _split(self, wanted: bool) -> list[bytes]:
        found = [(raw, read_record(raw)[0]) for raw in self.all()]
        rx = of_prescriptions(record for _, record in found)
        return [raw for raw, record in found if (record.id in rx) is wanted]

    def newest(self, most_bytes: int) -> tuple[list[bytes], dict[bytes, list[bytes]]]:
        """As many of the newest records as fit into so many bytes with the chains of their signers: the records, oldest first,
        and the chains by the SHA-256 of the leaf. A response has its limit; what is older stays in the device."""
        kept: list[bytes] = []
        used: dict[bytes, list[bytes]] = {}
        raws = self.all()
        known = self.chains() if raws else {}
        size = 0
        for raw in reversed(raws):
            more = {t: known[t] for s in read_record(raw)[1].signatures if (t := thumbprint(s)) in known and t not in used}
            size += len(raw) + sum(len(c) for chain in more.values() for c in chain)
            if size > most_bytes:
                break
            kept.append(raw)
            used |= more
        return kept[::-1], used

    def chains(self) -> dict[bytes, list[bytes]]:
        """The certificates of those who signed, by the SHA-256 of the leaf."""
        found = {name.removeprefix(_CHAIN): self._memory.get(name) for name in sorted(self._memory.names(_CHAIN))}
        return {bytes.fromhex(name): list(cbor2.loads(raw)) for name, raw in found.items() if raw is not None}

    def write(
        self, raw: bytes, credential: IssuerSigned, readers: Readers, at_ns: int, noted: Noted,
    ) -> Receipt:
        """Settle a batch. ``noted``: what the holder's log says of it, by whether it was stored now, for the same commit. Raises
        MalformedMdoc."""
        batch = read_batch(raw)
        digest = hashlib.sha256(raw).digest()
        known = self._memory.get(_RECEIPT + batch.id.hex())
        if known is not None:
            receipt = read_receipt(cbor2.loads(known))
            self._memory.commit(noted(False))
            if receipt.digest != digest:
                return self._receipt(batch, digest, WriteOutcome.CONFLICT, at_ns)
            return replace(receipt, outcome=WriteOutcome.ALREADY)
        parts = [read_record(record) for record in batch.records]
        outcome, at_fault = self._judge(batch, parts, credential, readers)
        if outcome is not WriteOutcome.STORED:
            self._memory.commit(noted(False))
            return self._receipt(batch, digest, outcome, at_ns, at_fault)
        receipt = replace(self._receipt(batch, digest, outcome, at_ns), generation=self.generation + 1)
        self._memory.commit({**self._changes(batch, readers, receipt), **noted(True)})
        return receipt

    def settled(self, batch_id: bytes) -> WriteOutcome | None:
        """What became of a batch of that id; None when none is known."""
        known = self._memory.get(_RECEIPT + batch_id.hex())
        return None if known is None else read_receipt(cbor2.loads(known)).outcome

    def _receipt(
        self, batch: Batch, digest: bytes, outcome: WriteOutcome, at_ns: int, at_fault: tuple[int, ...] = (),
    ) -> Receipt:
        return Receipt(batch.id, digest, outcome, self.generation, at_ns, at_fault)

    def _judge(
        self, batch: Batch, parts: list[tuple[Record, Sign]], credential: IssuerSigned, readers: Readers,
    ) -> tuple[WriteOutcome, tuple[int, ...]]:
        assert credential.auth.payload is not None
        basic = credential.values().get(vhc.BASIC, {})
        own = holder_of(read_mso(credential.auth.payload).device_key, basic.get(vhc.HELD_UNDER, b""))
        mine = {own} | former_cards(basic)
        strangers = _numbers(record.holder not in mine for record, _ in parts)
        if batch.issuer_auth != credential.auth_hash() or strangers:
            return WriteOutcome.WRONG_HOLDER, strangers
        here = [read_record(raw)[0].id for raw in self.all()]
        seen: set[bytes] = set(here)
        wrong = []
        for number, (record, _) in enumerate(parts):
            if record.id in seen or (record.amends is not None and record.amends not in seen):
                wrong.append(number)
            seen.add(record.id)
        if batch.generation != self.generation or wrong:
            return WriteOutcome.CONFLICT, tuple(wrong)
        unsigned = _numbers(not self._signed(record, signed, readers) for record, signed in parts)
        if unsigned:
            return WriteOutcome.BAD_SIGNATURE, unsigned
        if len(here) + len(parts) > self._capacity:
            return WriteOutcome.FULL, ()
        return WriteOutcome.STORED, ()

    def _signed(self, record: Record, signed: Sign, readers: Readers) -> bool:
        if not record.kind.carried:
            return False
        needed: list[Reader | None] = [readers.hpc, readers.sam] if record.kind.needs_professional else [readers.sam]
        if len(signed.signatures) != len(needed):
            return False
        if record.kind.signers and (readers.hpc is None or readers.hpc.who.role not in record.kind.signers):
            return False
        if record.amends is not None and not self._of_the_same_institution(record.amends, readers):
            return False
        for number, (signature, reader) in enumerate(zip(signed.signatures, needed, strict=True)):
            try:
                if reader is None or thumbprint(signature) != hashlib.sha256(reader.chain[0]).digest():
                    return False
            except MalformedMdoc:
                return False
            self._work.verifications += 1
            if not signed.verify(number, reader.who.key):
                return False
        return True

    def _of_the_same_institution(self, amended: bytes, readers: Readers) -> bool:
        """Whether the record of that id was signed by a SAM of the institution that writes now."""
        found = next((signed for raw in self.all() for record, signed in [read_record(raw)] if record.id == amended), None)
        if found is None or readers.sam is None:  # not here yet: it is in the same batch, which one SAM has signed
            return found is None
        chain = self.chains().get(thumbprint(found.signatures[-1]), [])
        return bool(chain) and organisation_of(chain[0]) == readers.sam.who.organisation

    def _changes(self, batch: Batch, readers: Readers, receipt: Receipt) -> dict[str, bytes | None]:
        last = max((int(name.removeprefix(_RECORD)) for name in self._memory.names(_RECORD)), default=0)
        changes: dict[str, bytes | None] = {
            f"{_RECORD}{last + number:08d}": raw for number, raw in enumerate(batch.records, 1)
        }
        for reader in readers.known():
            changes[_CHAIN + hashlib.sha256(reader.chain[0]).hexdigest()] = dumps(list(reader.chain))
        changes[_RECEIPT + batch.id.hex()] = dumps(receipt.value())
        changes[_GENERATION] = receipt.generation.to_bytes(8, "big")
        for name in self._too_many():
            changes[name] = None
        return changes

    def _too_many(self) -> list[str]:
        """The oldest receipts beyond what is kept, by the generation that they made."""
        def age(name: str) -> int:
            return read_receipt(cbor2.loads(self._memory.get(name) or b"")).generation

        return sorted(self._memory.names(_RECEIPT), key=age)[: -(RECEIPTS - 1)]


def _numbers(wrong: Iterable[bool]) -> tuple[int, ...]:
    return tuple(number for number, bad in enumerate(wrong) if bad)
