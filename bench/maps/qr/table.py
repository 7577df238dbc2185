"""The map as a table: JSON by a closed schema, and the same rows as CSV."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Literal

import pydantic
from pydantic import BaseModel

from bench.maps import tables
from bench.maps.qr.codes import MODULE_PX
from bench.maps.qr.trials import Tried
from bench.maps.tables import CLOSED, Count, Share
from reports.statistics import wilson


class Cell(BaseModel):
    """One kind of code at one level under one weakness at one strength."""

    model_config = CLOSED

    kind: str
    """token, engagement, prescription (one part), card."""
    characters: Annotated[int, pydantic.Field(ge=1)]
    """Of its text."""
    version: Annotated[int, pydantic.Field(ge=1, le=40)]
    """Of the symbol (ISO/IEC 18004): 4 times it and 17 are the modules of a side."""
    level: Literal["L", "M", "Q", "H"]
    """Error correction."""
    weakness: str
    """blur, dim, tilt, perspective, glare, moire, cover, coarse, several."""
    strength: float
    """In the unit of the weakness."""
    unit: str
    """What the strength counts."""
    trials: Annotated[int, pydantic.Field(ge=1)]
    """Pictures that were made and read."""
    read: Count
    """Of them, those in which the code's own text was found."""
    misread: Count
    """Texts found that nobody showed. Any is a failure of the reader."""
    failed: Share
    """Share of trials that were not read: what a scenario's camera takes."""
    failed_low: Share
    """Lower end of its 95 % interval (Wilson)."""
    failed_high: Share
    """Upper end of it."""
    read_ms_p50: Annotated[float, pydantic.Field(ge=0)]
    """Median time of the reader for one picture, read or not, on the machine that made the table."""
    read_ms_p95: Annotated[float, pydantic.Field(ge=0)]
    """95th percentile of it."""


class Table(BaseModel):
    """A map of the weaknesses of QR codes. All but the times follow from seed, trials and versions."""

    model_config = CLOSED

    schema_version: Literal[1] = 1
    """Version of this layout."""
    seed: Count
    """Whose codes, and which pictures."""
    reader: str
    """What read them, with its version."""
    versions: dict[str, str]
    """Of what made the pictures."""
    module_px: Annotated[float, pydantic.Field(gt=0)] = MODULE_PX
    """Pixels of a module where nothing else is said."""
    cells: tuple[Cell, ...]
    """The rows."""


def cell(tried: Tried) -> Cell:
    """What came of the trials of one cell."""
    failed = wilson(tried.trials - tried.read, tried.trials)
    assert failed.value is not None and failed.low is not None and failed.high is not None  # there was a trial
    times = sorted(tried.read_ms)
    return Cell(
        kind=tried.code.kind.name, characters=len(tried.code.text), version=tried.code.version, level=tried.code.level.value,
        weakness=tried.weakness.name, strength=tried.strength, unit=tried.weakness.unit, trials=tried.trials, read=tried.read,
        misread=len(tried.misreads), failed=failed.value, failed_low=failed.low, failed_high=failed.high,
        read_ms_p50=round(times[len(times) // 2], 3), read_ms_p95=round(times[-(-len(times) * 95 // 100) - 1], 3),
    )


def to_json(table: Table) -> bytes:
    return tables.to_json(table)


def to_csv(cells: Iterable[Cell]) -> bytes:
    return tables.to_csv(list(Cell.model_fields), (each.model_dump() for each in cells))


def schema() -> bytes:
    return tables.schema(Table)


def load(path: Path) -> Table:
    """Read a table back. Raises UsageError, which names the place."""
    return tables.load(path, Table, "map qr")


__all__ = ["Cell", "Table", "cell", "load", "schema", "to_csv", "to_json"]
