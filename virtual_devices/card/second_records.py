"""What was written back, in a chip's memory: the same rules as on a phone (``holder/writing.py``), in less room.

Room follows the physical card's layout: 6 visits, each with its fees and one cancellation, and 60 prescription entries.
Beyond that the oldest of its kind gives place, as a record of the layout does, and takes with it what amends or cancels it. FULL
is only a batch that an empty card could not hold: more of a kind than there is room for, or a record above 1024 bytes.
A certificate chain goes when the last record that it signed has gone. Whatever gives place goes in the batch's own commit.

What has gone is not lost: the data centre has every record. The layout's own areas for long-term prescriptions and key orders
are copies, which this card does not make.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from virtual_devices.card.areas import BY_NAME
from virtual_devices.cose import Sign
from virtual_devices.holder.readers import Readers
from virtual_devices.holder.writing import Records
from virtual_devices.link import Work
from virtual_devices.mdoc.mso import IssuerSigned
from virtual_devices.store import Store
from virtual_devices.write_back import MAX_RECORDS, Batch, Kind, Receipt, Record, WriteOutcome, read_record, thumbprint

_VISITS = BY_NAME["visit"].count
ROOM: Mapping[Kind, int] = {
    Kind.VISIT: _VISITS, Kind.FEE: _VISITS, Kind.CANCEL: _VISITS, Kind.PRESCRIPTION: BY_NAME["outpatient_rx"].count,
    Kind.AMEND: 2 * _VISITS,
}
"""Records of each kind that the chip holds; of amendments two a visit (assumed: the layout overwrites instead)."""
MAX_RECORD_BYTES = 1024
"""Of one signed record. The layout's longest has 78 bytes of content; two signatures and their names add about 250."""
_SLOT = "vhc.slot."
_RECORD, _CHAIN = "record.", "chain."  # as ``holder/writing.py`` names them
_CAPACITY = sum(ROOM.values()) + MAX_RECORDS
"""Handed to the phone's own rule so that it never decides here."""


class ChipMemory:
    """Named values in numbered cells of a chip's store, as :class:`~virtual_devices.holder.writing.Memory` wants them. Cells
    that are free are taken again, so that the chip never has more of them than it held values at one time. Made anew for each
    use: a tear leaves other cells than the last one saw."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._values: dict[str, tuple[str, bytes]] = {}  # name -> its cell and value
        self._free: list[str] = []
        cells = store.cells()
        self._count = 0
        while (raw := cells.get(f"{_SLOT}{self._count}")) is not None:
            self._note(f"{_SLOT}{self._count}", raw)
            self._count += 1

    def get(self, name: str) -> bytes | None:
        return self._values[name][1] if name in self._values else None

    def names(self, prefix: str) -> Collection[str]:
        return [name for name in self._values if name.startswith(prefix)]

    def commit(self, changes: Mapping[str, bytes | None]) -> None:
        """All in one commit of the store. Raises PowerCut at an armed cut point."""
        cells: dict[str, bytes] = {}
        for name, value in changes.items():  # what goes makes room for what comes
            if value is None and name in self._values:
                cell, _ = self._values.pop(name)
                cells[cell] = b""
                self._free.append(cell)
        for name, value in changes.items():
            if value is not None:
                cell = self._values[name][0] if name in self._values else self._take()
                cells[cell] = bytes([len(name)]) + name.encode("ascii") + value
                self._values[name] = (cell, value)
        self._store.commit(cells)

    def _take(self) -> str:
        if self._free:
            return self._free.pop()
        self._count += 1
        return f"{_SLOT}{self._count - 1}"

    def _note(self, cell: str, raw: bytes) -> None:
        if raw:
            self._values[raw[1 : 1 + raw[0]].decode("ascii")] = (cell, raw[1 + raw[0] :])
        else:
            self._free.append(cell)


class CardRecords(Records):
    """The records on a chip."""

    def __init__(self, store: Store, work: Work) -> None:
        self._chip = ChipMemory(store)
        super().__init__(self._chip, _CAPACITY, work)

    def _judge(
        self, batch: Batch, parts: list[tuple[Record, Sign]], credential: IssuerSigned, readers: Readers,
    ) -> tuple[WriteOutcome, tuple[int, ...]]:
        outcome, at_fault = super()._judge(batch, parts, credential, readers)
        if outcome is not WriteOutcome.STORED:
            return outcome, at_fault
        counts = dict.fromkeys(Kind, 0)
        too_much = []
        for number, ((record, _), raw) in enumerate(zip(parts, batch.records, strict=True)):
            counts[record.kind] += 1
            if counts[record.kind] > ROOM[record.kind] or len(raw) > MAX_RECORD_BYTES:
                too_much.append(number)
        return (WriteOutcome.FULL, tuple(too_much)) if too_much else (outcome, ())

    def _changes(self, batch: Batch, readers: Readers, receipt: Receipt) -> dict[str, bytes | None]:
        changes = super()._changes(batch, readers, receipt)
        after = {n: raw for n in self._chip.names(_RECORD) if (raw := self._chip.get(n)) is not None}
        after |= {name: raw for name, raw in changes.items() if name.startswith(_RECORD) and raw is not None}
        parts = {name: read_record(after[name]) for name in sorted(after)}  # oldest first
        gone = _displaced({name: record for name, (record, _) in parts.items()})
        signers = {thumbprint(s).hex() for name, (_, signed) in parts.items() if name not in gone for s in signed.signatures}
        chains = set(self._chip.names(_CHAIN)) | {name for name in changes if name.startswith(_CHAIN)}
        for name in gone | {name for name in chains if name.removeprefix(_CHAIN) not in signers}:
            changes[name] = None
        return changes


def _displaced(records: Mapping[str, Record]) -> set[str]:
    """Of these, oldest first, the ones for which there is no room, and those that amend what goes."""
    gone: set[str] = set()
    for kind, room in ROOM.items():
        of_kind = [name for name, record in records.items() if record.kind is kind]
        gone.update(of_kind[: max(len(of_kind) - room, 0)])
    lost = {records[name].id for name in gone}
    for name, record in records.items():  # what amends stands after what it amends
        if record.amends in lost:
            gone.add(name)
            lost.add(record.id)
    return gone


__all__ = ["MAX_RECORD_BYTES", "ROOM", "CardRecords", "ChipMemory"]
