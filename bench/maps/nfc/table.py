"""The map as rows: JSON and CSV, and what a scenario's field takes of it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from bench.maps import tables
from bench.maps.nfc.trials import Cell
from reports.statistics import wilson
from virtual_devices.radio import Field, blocks_of
from virtual_devices.sensed_presentation import REGISTRATION
from virtual_devices.sensing import Holding

REPEATING = (Holding.WEAK_FIELD.value, Holding.CASE.value)
"""Ways of holding that cost time within a tap."""
_BLOCKS = sum(map(blocks_of, (size for pair in REGISTRATION for size in pair)))


@dataclass(frozen=True, slots=True)
class Line:
    """One cell. Times are the device's, from the first tap to the end; what the holder takes between taps is not in them."""

    holding: str
    strength: float
    how: str  # modelled: follows from the seed; measured: through nfcpy's UDP driver, with the same faults upon it
    presentations: int
    done: int
    at_first_tap: int
    taps: int  # of all presentations, the vain ones too
    failed: float  # share not done at the first tap: what a scenario's field takes as ``taken_away``
    failed_low: float  # of its 95 % interval (Wilson)
    failed_high: float
    device_ms_p50: float
    device_ms_p95: float
    first_ms_p50: float | None  # of those done at the first tap


def line(cell: Cell) -> Line:
    """What came of a cell's presentations."""
    tried = cell.tried
    first = sum(each.at_first for each in tried)
    failed = wilson(len(tried) - first, len(tried))
    assert failed.value is not None and failed.low is not None and failed.high is not None  # there was a presentation
    times = sorted(each.device_ns for each in tried)
    at_first = sorted(each.device_ns for each in tried if each.at_first)
    return Line(
        cell.holding.value, cell.strength, cell.how, len(tried), sum(each.done for each in tried), first,
        sum(each.taps for each in tried), round(failed.value, 6), round(failed.low, 6), round(failed.high, 6),
        round(times[len(times) // 2] / 1e6, 1), round(times[-(-len(times) * 95 // 100) - 1] / 1e6, 1),
        round(at_first[len(at_first) // 2] / 1e6, 1) if at_first else None,
    )


def as_field(found: Mapping[str, Any], calm: Mapping[str, Any] | None) -> dict[str, float]:
    """The row as keys of :class:`virtual_devices.radio.Field`. ``calm``: the row of strength 0. Where frames are misread and sent
    again, each block takes so much longer that a presentation of the model takes what one at the first tap took."""
    model = {"taken_away": float(found["failed"])}
    if found["holding"] in REPEATING and calm is not None and found["first_ms_p50"] and calm["first_ms_p50"]:
        longer_ms = max(0.0, found["first_ms_p50"] - calm["first_ms_p50"])
        model["block_ms"] = round(Field().block_ms + longer_ms / _BLOCKS, 3)
    return model


def to_json(lines: Iterable[Line], seed: int) -> bytes:
    return (json.dumps({"seed": seed, "lines": [asdict(each) for each in lines]}, indent=1) + "\n").encode()


def to_csv(lines: Iterable[Line]) -> bytes:
    return tables.to_csv(list(Line.__dataclass_fields__), map(asdict, lines))


__all__ = ["REPEATING", "Line", "as_field", "line", "to_csv", "to_json"]
