"""The map as rows: JSON and CSV, and what a scenario's field takes of it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass

from bench.maps import tables
from bench.maps.nfc.trials import Cell
from reports.statistics import wilson


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


def line(cell: Cell) -> Line:
    """What came of a cell's presentations."""
    tried = cell.tried
    first = sum(each.at_first for each in tried)
    failed = wilson(len(tried) - first, len(tried))
    assert failed.value is not None and failed.low is not None and failed.high is not None  # there was a presentation
    times = sorted(each.device_ns for each in tried)
    return Line(
        cell.holding.value, cell.strength, cell.how, len(tried), sum(each.done for each in tried), first,
        sum(each.taps for each in tried), round(failed.value, 6), round(failed.low, 6), round(failed.high, 6),
        round(times[len(times) // 2] / 1e6, 1), round(times[-(-len(times) * 95 // 100) - 1] / 1e6, 1),
    )


def to_json(lines: Iterable[Line], seed: int) -> bytes:
    return (json.dumps({"seed": seed, "lines": [asdict(each) for each in lines]}, indent=1) + "\n").encode()


def to_csv(lines: Iterable[Line]) -> bytes:
    return tables.to_csv(list(Line.__dataclass_fields__), map(asdict, lines))


__all__ = ["Line", "line", "to_csv", "to_json"]
