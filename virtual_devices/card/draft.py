"""What one act is about to change on a card: read through to the store, committed later in one; and the card's small arithmetic.

Nothing here trusts what lies on the card: a field that should be a number and is blank or something else counts as 0.
"""

from __future__ import annotations

from virtual_devices.card.areas import BY_NAME
from virtual_devices.chip import Refusal
from virtual_devices.store import Store

NO_ROOM_FOR_VISIT, NO_ROOM_FOR_FEES = 0x9407, 0x9428
YEAR_BYTES, TOTALS_BYTES = 67, 20
VISIT_COUNT = (3, 7)
FEE_FIELDS = ((0, 8), (8, 16), (16, 24), (24, 31), (31, 38))
"""Of ``write_fee``: outpatient fee and copay, inpatient fee, inpatient copay up to 30 days, and from 31 on."""


class Draft:
    """Changes on top of a store: read through, committed later in one."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.changes: dict[str, bytes] = {}

    def get(self, cell: str, default: bytes = b"") -> bytes:
        return self.changes[cell] if cell in self.changes else self._store.get(cell, default)

    def __setitem__(self, cell: str, value: bytes) -> None:
        self.changes[cell] = value

    def next_slot(self, area: str) -> int:
        """The slot to be overwritten next, and move on."""
        count = BY_NAME[area].count
        slot = (self.get(f"{area}.next") or b"\0")[0] % count
        self[f"{area}.next"] = bytes([(slot + 1) % count])
        return slot


def number(raw: bytes) -> int:
    """A field of digits; 0 when it is blank or holds anything else."""
    digits = raw.strip(b" \0")
    return int(digits) if digits.isdigit() else 0


def is_fees(raw: bytes) -> bool:
    """True when each of the five fields is digits filled with spaces, or blank."""
    return all(not (field := raw[a:b].strip(b" ")) or field.isdigit() for a, b in FEE_FIELDS)


def add_to_year(draft: Draft, year: bytes, sums: dict[tuple[int, int], int], full: int = NO_ROOM_FOR_VISIT) -> None:
    """Add to fields of that year's running totals. A new year takes the older record's place; a year older than both
    records is no longer kept. Raises Refusal with ``full`` when a total has no room: money is never dropped in silence."""
    records = [draft.get(f"cumulative_year.{i}").ljust(YEAR_BYTES) for i in (0, 1)]
    slot = next((i for i, r in enumerate(records) if r[:3] == year), None)
    if slot is None:
        slot = 0 if records[0][:3] <= records[1][:3] else 1
        if year < records[slot][:3]:
            return
        records[slot] = year + b"0" * (YEAR_BYTES - len(year))
    draft[f"cumulative_year.{slot}"] = _added(records[slot], sums, full)


def _added(record: bytes, sums: dict[tuple[int, int], int], full: int) -> bytes:
    for (start, end), amount in sums.items():
        value = max(number(record[start:end]) + amount, 0)
        if value >= 10 ** (end - start):
            raise Refusal(full)
        record = record[:start] + b"%0*d" % (end - start, value) + record[end:]
    return record


def book_fees(draft: Draft, year: bytes, old: bytes, new: bytes) -> None:
    """Put new fees (``write_fee``) in the place of a visit's old ones: that year's running totals and the lifetime totals."""
    out_fee, out_copay, in_fee, short, long = (number(new[a:b]) - number(old[a:b]) for a, b in FEE_FIELDS)
    sums = {
        (7, 17): out_fee, (17, 27): in_fee, (27, 35): out_copay, (35, 43): short, (43, 51): long,
        (51, 59): out_copay + short + long, (59, 67): out_copay + short,
    }
    add_to_year(draft, year, sums, NO_ROOM_FOR_FEES)
    total = draft.get("cumulative_fee.0").ljust(TOTALS_BYTES)
    draft["cumulative_fee.0"] = _added(total, {(0, 10): out_fee, (10, 20): in_fee}, NO_ROOM_FOR_FEES)


__all__ = ["Draft", "add_to_year", "book_fees", "is_fees", "number"]
