"""What was written back, in a chip's memory: the same rules as on a phone (``holder/writing.py``), in less room.

Room follows the physical card's layout: 6 visits, each with its fees and one cancellation, and 60 prescription entries.
Beyond that the oldest of its kind gives place, as a record of the layout does, and takes with it what amends or cancels it. FULL
is only a batch that an empty card could not hold: more of a kind than there is room for, or a record above 1024 bytes.

With the records go the certificates of those who signed, two chains of 1 kB for each institution and day. All of it has to fit
into one answer (a session message has 64 kB at most) beside a credential with a photograph: above 40 kB the oldest record gives
place, of whichever kind. A chain goes when the last record that it signed has gone. Whatever goes, goes in the batch's commit.

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
    Kind.AMEND: 2 * _VISITS, Kind.DISPENSE: 2 * _VISITS, Kind.RETURN: _VISITS, Kind.RESTORE: _VISITS,
}
"""Records of each kind that the chip holds; of amendments and dispensings two a visit (assumed:
the layout overwrites instead)."""
MAX_RECORD_BYTES = 1024
"""Of one signed record. The layout's longest has 78 bytes of content; two signatures and their names add about 250."""
HELD_BYTES = 40_000
"""Of records and chains together. A batch of the longest message that the chip takes is less."""
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
        held = {name: raw for name in self._chip.names("") if (raw := self._chip.get(name)) is not None}
        after = held | {name: raw for name, raw in changes.items() if raw is not None}
        records = [_Held(name, after[name]) for name in sorted(after) if name.startswith(_RECORD)]
        chains = {name: raw for name, raw in after.items() if name.startswith(_CHAIN)}
        kept = _within_room(records)
        while _size(kept, chains) > HELD_BYTES:
            kept = _without(kept[:1], kept)
        needed = {chain for record in kept for chain in record.chains} | {record.name for record in kept}
        for name in [*chains, *(record.name for record in records)]:
            if name not in needed:
                changes[name] = None
        return changes


class _Held:
    """One record on the chip. ``chains``: the names under which the chains of its signers are kept."""

    def __init__(self, name: str, raw: bytes) -> None:
        self.name = name
        self.record, signed = read_record(raw)
        self.bytes = len(raw)
        self.chains = {_CHAIN + thumbprint(signature).hex() for signature in signed.signatures}


def _within_room(records: list[_Held]) -> list[_Held]:
    """Of these, oldest first, the ones for which there is room of their kind."""
    gone: list[_Held] = []
    for kind, room in ROOM.items():
        of_kind = [held for held in records if held.record.kind is kind]
        gone += of_kind[: max(len(of_kind) - room, 0)]
    return _without(gone, records)


def _without(gone: list[_Held], records: list[_Held]) -> list[_Held]:
    """The records without those that go, and without what amends them, which stands after them."""
    names, lost = {held.name for held in gone}, {held.record.id for held in gone}
    kept = []
    for held in records:
        if held.name in names or held.record.amends in lost:
            lost.add(held.record.id)
        else:
            kept.append(held)
    return kept


def _size(records: list[_Held], chains: Mapping[str, bytes]) -> int:
    needed = {name for held in records for name in held.chains}
    return sum(held.bytes for held in records) + sum(len(raw) for name, raw in chains.items() if name in needed)


__all__ = ["HELD_BYTES", "MAX_RECORD_BYTES", "ROOM", "CardRecords", "ChipMemory"]
