"""The map as a table: JSON by a closed schema, and the same rows as CSV; and a row as a scenario's Bluetooth takes it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any

import pydantic
from pydantic import BaseModel

from bench.maps import tables
from bench.maps.ble.trials import EXCHANGE_S, REQUEST_BYTES, RESPONSE_BYTES, USUAL, Ended, Trial, Weakness
from bench.maps.tables import CLOSED, Count, Share, Time
from reports.statistics import wilson
from virtual_devices.errors import UsageError
from virtual_devices.mdoc.ble_chunks import WANTED_MTU, airtime_plan
from virtual_devices.mdoc.ble_gatt import Mode

MODES = {"peripheral": Mode.PERIPHERAL_SERVER, "central": Mode.CENTRAL_CLIENT}


class Cell(BaseModel):
    """Presentations in one mode under one weakness at one strength."""

    model_config = CLOSED

    mode: str
    """peripheral: mdoc peripheral server mode; central: mdoc central client mode."""
    weakness: str
    """lost, cut, unheard, interval."""
    strength: float
    """In the unit of the weakness."""
    unit: str
    """What the strength counts."""
    trials: Annotated[int, pydantic.Field(ge=1)]
    """Presentations tried, each once."""
    done: Count
    """Of them, those that were had at the first try."""
    not_connected: Count
    """Those without a connection within 10 s."""
    broken: Count
    """Those whose connection broke off."""
    too_slow: Count
    """Those whose answer had not come within 10 s."""
    first_try: Share
    """Share done at the first try."""
    first_try_low: Share
    """Lower end of its 95 % interval (Wilson)."""
    first_try_high: Share
    """Upper end of it."""
    connect_ms_p50: Time | None
    """From the search to an open session, of those connected; null when none was."""
    connect_ms_p95: Time | None
    """95th percentile of it."""
    exchange_ms_p50: Time | None
    """Request and answer, of those done; null when none was."""
    exchange_ms_p95: Time | None
    """95th percentile of it."""


class Table(BaseModel):
    """A map of the weaknesses of Bluetooth LE. All of it follows from seed, trials and versions."""

    model_config = CLOSED

    schema_version: Annotated[int, pydantic.Field(ge=1, le=1)] = 1
    """Version of this layout."""
    seed: Count
    """Of what the air draws."""
    versions: dict[str, str]
    """Of the Bluetooth host."""
    request_bytes: Count = REQUEST_BYTES
    """Of a presentation's request."""
    response_bytes: Count = RESPONSE_BYTES
    """Of its answer."""
    packets_per_interval: Count = USUAL.packets_per_interval
    """Packets that one side sends in one connection interval."""
    interval_ms: Time = USUAL.interval_ms
    """Connection interval where nothing else is said."""
    cells: tuple[Cell, ...]
    """The rows."""


def cell(mode: str, weakness: Weakness, strength: float, trials: Sequence[Trial]) -> Cell:
    """What came of the trials of one condition."""
    counts = {ended: sum(trial.ended is ended for trial in trials) for ended in Ended}
    share = wilson(counts[Ended.DONE], len(trials))
    assert share.value is not None and share.low is not None and share.high is not None  # there was a trial
    connect_ms = sorted(t.connect_s * 1000 for t in trials if t.connect_s is not None)
    exchange_ms = sorted(t.exchange_s * 1000 for t in trials if t.exchange_s is not None)
    return Cell(
        mode=mode, weakness=weakness.name, strength=strength, unit=weakness.unit, trials=len(trials), done=counts[Ended.DONE],
        not_connected=counts[Ended.NOT_CONNECTED], broken=counts[Ended.BROKEN], too_slow=counts[Ended.TOO_SLOW],
        first_try=share.value, first_try_low=share.low, first_try_high=share.high,
        connect_ms_p50=_percentile(connect_ms, 50), connect_ms_p95=_percentile(connect_ms, 95),
        exchange_ms_p50=_percentile(exchange_ms, 50), exchange_ms_p95=_percentile(exchange_ms, 95),
    )


def _percentile(ordered: Sequence[float], percent: int) -> float | None:
    return round(ordered[-(-len(ordered) * percent // 100) - 1], 3) if ordered else None


def as_model(table: Table, found: Cell) -> dict[str, Any]:
    """The row as :class:`virtual_devices.radio.Bluetooth`: the model's own messages then take the measured time. UsageError when
    nothing was done under it."""
    if found.connect_ms_p50 is None or found.connect_ms_p95 is None or found.exchange_ms_p50 is None:
        raise UsageError(f"under {found.weakness} {found.strength:g} no presentation was done: there is nothing to model")
    packets = [airtime_plan(size, WANTED_MTU).link_packets for size in (table.request_bytes, table.response_bytes)]
    intervals = sum(-(-count // table.packets_per_interval) for count in packets) - 1  # half of one is waited for, each way
    interval_ms = min(found.exchange_ms_p50, EXCHANGE_S * 1000) / intervals
    connected = found.trials - found.not_connected
    return {
        "connected": {"median_ms": found.connect_ms_p50, "p95_ms": found.connect_ms_p95},
        "interval_ms": round(interval_ms, 3), "packets_per_interval": table.packets_per_interval, "mtu": WANTED_MTU,
        "lost": round((found.broken + found.too_slow) / connected, 4),
    }


def to_json(table: Table) -> bytes:
    return tables.to_json(table)


def to_csv(cells: Iterable[Cell]) -> bytes:
    return tables.to_csv(list(Cell.model_fields), (each.model_dump() for each in cells))


def schema() -> bytes:
    return tables.schema(Table)


def load(path: Path) -> Table:
    """Read a table back. Raises UsageError, which names the place."""
    return tables.load(path, Table, "map ble")


__all__ = ["MODES", "Cell", "Table", "as_model", "cell", "load", "schema", "to_csv", "to_json"]
