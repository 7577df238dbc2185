"""The same visit with a physical card and with a virtual one: every difference of their records, with its reason.

The oracle of the two carriers. The physical card's record is usually of format 1.0 and the virtual one's of 2.0, so what the
formats do not say alike (:mod:`virtual_devices.uploads.comparison`) is explained first, and the rest by the closed list of
``data/upload_lists.toml`` (carrier_difference).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from virtual_devices.tables import Certainty, LazyMapping, read_table
from virtual_devices.uploads.comparison import Compared, compare
from virtual_devices.uploads.document import Record
from virtual_devices.uploads.lists import ABNORMAL_CODES


@dataclass(frozen=True, slots=True)
class CarrierDifference:
    """A fact that differs by what the patient carries. ``when``: at which visits."""

    name: str
    when: str
    rule: str
    reason: str
    certainty: Certainty


def _differences() -> Mapping[tuple[str, str], CarrierDifference]:
    return {
        (name, row["when"]): CarrierDifference(name, row["when"], row["rule"], row["reason"], Certainty(row["certainty"]))
        for row in read_table("upload_lists")["carrier_difference"] for name in row["names"]
    }


CARRIER_DIFFERENCES: Mapping[tuple[str, str], CarrierDifference] = LazyMapping(_differences)
"""By the fact's name and when."""


def compare_carriers(physical: Record, virtual: Record, when: str) -> tuple[Compared, ...]:
    """Every difference that the formats do not explain; ``reason`` empty: none is known. ``in_10`` is the physical card's."""
    found = []
    for one in compare(physical, virtual):
        if one.reason:
            continue
        listed = CARRIER_DIFFERENCES.get((one.name.split(" ")[-1], when))
        explained = listed is not None and _explained(listed.rule, one.in_10, one.in_20)
        found.append(Compared(one.name, one.in_10, one.in_20, listed.reason if listed is not None and explained else ""))
    return tuple(found)


def _explained(rule: str, physical: str, virtual: str) -> bool:
    match rule:
        case "numbered_online":
            return physical.isdigit() and virtual[:1] == "W" and virtual[1:].isdigit()
        case "other_signer":
            return bool(physical) and len(physical) == len(virtual)
        case "abnormal_for_number":
            return physical.isdigit() and virtual in ABNORMAL_CODES
        case "abnormal_only_virtual":
            return (physical, virtual) == ("no", "yes")
        case "absent_virtual":
            return bool(physical) and not virtual
        case "other_cause":
            return physical in ABNORMAL_CODES and virtual in ABNORMAL_CODES
        case _:
            return False


__all__ = ["CARRIER_DIFFERENCES", "CarrierDifference", "compare_carriers"]
