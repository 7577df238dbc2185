"""The map as rows: JSON and CSV, and what a scenario's field takes of it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import pydantic
from pydantic import BaseModel

from bench.maps import tables
from bench.maps.nfc.trials import Cell
from bench.maps.tables import CLOSED, Count, Share, Time
from reports.statistics import wilson
from virtual_devices.radio import Field, blocks_of
from virtual_devices.sensed_presentation import REGISTRATION
from virtual_devices.sensing import Holding

REPEATING = (Holding.WEAK_FIELD.value, Holding.CASE.value)
"""Ways of holding that cost time within a tap."""
_BLOCKS = sum(map(blocks_of, (size for pair in REGISTRATION for size in pair)))


class Line(BaseModel):
    """One cell. Times are the device's, from the first tap to the end; what the holder takes between taps is not in them."""

    model_config = CLOSED

    holding: str
    """weak-field, case, wrong-place, taken-away, two-cards."""
    strength: float
    """0: as it should be, 1: as bad as the map goes."""
    how: str
    """modelled: follows from the seed; measured: through nfcpy's UDP driver, with the same faults upon it."""
    presentations: Annotated[int, pydantic.Field(ge=1)]
    """Presentations tried, each with five taps at most."""
    done: Count
    """Of them, those that were done in the end."""
    at_first_tap: Count
    """Of them, those that were done at the first tap."""
    taps: Count
    """Of all presentations, the vain ones too."""
    failed: Share
    """Share not done at the first tap: what a scenario's field takes as ``taken_away``."""
    failed_low: Share
    """Lower end of its 95 % interval (Wilson)."""
    failed_high: Share
    """Upper end of it."""
    device_ms_p50: Time
    """Median of the device's time."""
    device_ms_p95: Time
    """95th percentile of it."""
    first_ms_p50: Time | None
    """Median of those done at the first tap; null when none was."""


class Table(BaseModel):
    """A map of bad holding. What is modelled in it follows from the seed."""

    model_config = CLOSED

    schema_version: Annotated[int, pydantic.Field(ge=1, le=1)] = 1
    """Version of this layout."""
    seed: Count
    """Which taps go wrong, and how."""
    lines: tuple[Line, ...]
    """The rows."""


def line(cell: Cell) -> Line:
    """What came of a cell's presentations."""
    tried = cell.tried
    first = sum(each.at_first for each in tried)
    failed = wilson(len(tried) - first, len(tried))
    assert failed.value is not None and failed.low is not None and failed.high is not None  # there was a presentation
    times = sorted(each.device_ns for each in tried)
    at_first = sorted(each.device_ns for each in tried if each.at_first)
    return Line(
        holding=cell.holding.value, strength=cell.strength, how=cell.how, presentations=len(tried),
        done=sum(each.done for each in tried), at_first_tap=first, taps=sum(each.taps for each in tried),
        failed=round(failed.value, 6), failed_low=round(failed.low, 6), failed_high=round(failed.high, 6),
        device_ms_p50=round(times[len(times) // 2] / 1e6, 1),
        device_ms_p95=round(times[-(-len(times) * 95 // 100) - 1] / 1e6, 1),
        first_ms_p50=round(at_first[len(at_first) // 2] / 1e6, 1) if at_first else None,
    )


def as_field(found: Line, calm: Line | None) -> dict[str, float]:
    """The row as keys of :class:`virtual_devices.radio.Field`. ``calm``: the row of strength 0. Where frames are misread and sent
    again, each block takes so much longer that a presentation of the model takes what one at the first tap took."""
    model = {"taken_away": found.failed}
    if found.holding in REPEATING and calm is not None and found.first_ms_p50 and calm.first_ms_p50:
        longer_ms = max(0.0, found.first_ms_p50 - calm.first_ms_p50)
        model["block_ms"] = round(Field().block_ms + longer_ms / _BLOCKS, 3)
    return model


def to_json(table: Table) -> bytes:
    return tables.to_json(table)


def to_csv(lines: Iterable[Line]) -> bytes:
    return tables.to_csv(list(Line.model_fields), (each.model_dump() for each in lines))


def schema() -> bytes:
    return tables.schema(Table)


def load(path: Path) -> Table:
    """Read a table back. Raises UsageError, which names the place."""
    return tables.load(path, Table, "map nfc")


__all__ = ["REPEATING", "Line", "Table", "as_field", "line", "load", "schema", "to_csv", "to_json"]
