"""What a card looks at before it takes a registration back (退掛): counters and totals that could not be right.

A value is implausible when it is no number, or smaller than what is to be taken off it; a field that was never written is
none. The manual has one code for each value and does not say what makes it implausible: that is inferred.
"""

from __future__ import annotations

from virtual_devices.card.areas import AVAILABLE
from virtual_devices.card.draft import FEE_FIELDS, TOTALS_BYTES, VISIT_COUNT, YEAR_BYTES, Draft, number
from virtual_devices.chip import refuse_unless

_YEAR_RULES = (
    ((7, 17), 0x9572, (0,)),  # outpatient fees
    ((17, 27), 0x9573, (2,)),  # inpatient fees
    ((27, 35), 0x9567, (1,)),  # outpatient copay
    ((35, 43), 0x9568, (3,)),  # copay of short stays
    ((43, 51), 0x9569, (4,)),  # copay of long stays
    ((51, 59), 0x9570, (1, 3, 4)),  # all copay
    ((59, 67), 0x9571, (1, 3)),  # outpatient and short stays
)
"""Of a year's running totals: where, the status word, and which of the visit's fees are in it."""


def refuse_implausible(draft: Draft, visit: bytes) -> None:
    """Raise Refusal with the status word of the first value that could not be right. ``visit``: the record to be taken back."""
    fees = [number(visit[31 + start : 31 + end]) for start, end in FEE_FIELDS]
    refuse_unless(draft.get("insurance")[AVAILABLE].isdigit(), 0x9560)
    last = draft.get("last_seq.0")
    refuse_unless(last[:3].isdigit() and last[:3] >= visit[3:6], 0x9561)
    refuse_unless(last[3:7].isdigit() and (last[:3] != visit[3:6] or last[3:7] >= visit[17:21]), 0x9562)
    totals = draft.get("cumulative_fee.0").ljust(TOTALS_BYTES)
    refuse_unless(_holds(totals[10:20], fees[2]), 0x9563)
    refuse_unless(_holds(totals[:10], fees[0]), 0x9564)
    years = [draft.get(f"cumulative_year.{i}").ljust(YEAR_BYTES) for i in (0, 1)]
    refuse_unless(all(record[:3].isdigit() or not record.strip(b" \0") for record in years), 0x9565)
    of_year = next((record for record in years if record[:3] == visit[3:6]), None)
    if of_year is None:  # a year that is no longer kept
        return
    refuse_unless(_holds(of_year[slice(*VISIT_COUNT)], 1), 0x9566)
    for (start, end), sw, parts in _YEAR_RULES:
        refuse_unless(_holds(of_year[start:end], sum(fees[part] for part in parts)), sw)


def _holds(raw: bytes, amount: int) -> bool:
    """The field has at least so much in it; blank counts as nothing."""
    return (raw.isdigit() or not raw.strip(b" \0")) and number(raw) >= amount


__all__ = ["refuse_implausible"]
