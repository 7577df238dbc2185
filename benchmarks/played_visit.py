"""A played visit: what an exchange costs outside cryptography, visits per second, and the operations that are counted.

Patients with physical cards only, no faults, a line that loses nothing. Cryptography is the time inside the functions of
``virtual_devices.pki``; making the cards of patients and desks is set-up and counted apart. ``--golden`` writes the counted
operations to the golden file that a test compares.
"""

from __future__ import annotations

import json
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks._table import Figure, options, show
from scenarios.files import load
from scenarios.play import play
from scenarios.site import Site
from scenarios.town import Town
from virtual_devices import pki
from virtual_devices.network import ModelledLink
from virtual_devices.trace import ExchangeRow, Row, VisitRow, discard

ROOT = Path(__file__).resolve().parent.parent
GOLDEN = ROOT / "tests" / "golden" / "played_visit.json"
SETTINGS = {
    "fault": "[]",
    "network.loss": '{kind = "independent", share = 0.0}',
    "params.cards.virtual_share": "0.0",
}
PER_HOUR, SAMPLE_PER_HOUR = 40, 4


class Stopwatch:
    """Time spent inside some functions, the outermost call only. ``clock``: seconds of the wall, or of the processor."""

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self._inside = False
        self.reset()

    def reset(self) -> None:
        self.spent_s = 0.0
        self.calls = 0

    def timed(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            if self._inside:
                return function(*args, **kwargs)
            self._inside = True
            began = self._clock()
            try:
                return function(*args, **kwargs)
            finally:
                self.spent_s += self._clock() - began
                self.calls += 1
                self._inside = False

        return wrapper


@contextmanager
def watched(stopwatch: Stopwatch, *places: tuple[Any, str]) -> Iterator[None]:
    """Have the functions timed while this lasts."""
    before = [(owner, name, getattr(owner, name)) for owner, name in places]
    try:
        for owner, name, function in before:
            setattr(owner, name, stopwatch.timed(function))
        yield
    finally:
        for owner, name, function in before:
            setattr(owner, name, function)


CRYPTOGRAPHY = ((pki, "sign"), (pki, "verify"), (pki, "mac"), (pki.ChainVerifier, "check"))
SET_UP = ((Town, "patient"), (Site, "workplace"), (pki.Authority, "__init__"))


def seconds_of(record: Callable[[Row], None], per_hour: int) -> float:
    """Play one replication of two hours; returns its seconds."""
    arrivals = {"params.arrivals.bands": f'[{{start = "08:30", end = "10:30", per_hour = {per_hour}}}]'}
    scenario = load(ROOT / "scenarios" / "clinic_morning.toml", SETTINGS | arrivals)
    began = time.perf_counter()
    play(scenario, 0, record)
    return time.perf_counter() - began


def measure(per_hour: int = PER_HOUR) -> list[Figure]:
    """Play and take the time apart: once with the stopwatches, then rows kept and rows thrown away in turn, without them."""
    seconds_of(discard, per_hour)  # warm
    crypto, set_up = Stopwatch(), Stopwatch()
    rows: list[Row] = []
    with watched(set_up, *SET_UP), watched(crypto, *CRYPTOGRAPHY):
        watched_s = seconds_of(rows.append, per_hour)
    exchanges = sum(isinstance(row, ExchangeRow) for row in rows)
    visits = sum(isinstance(row, VisitRow) for row in rows)
    kept_s, thrown_s = [], []
    for _ in range(3):
        kept: list[Row] = []
        kept_s.append(seconds_of(kept.append, per_hour))
        thrown_s.append(seconds_of(discard, per_hour))
    each_us = (watched_s - crypto.spent_s - set_up.spent_s) / exchanges * 1e6
    crypto_us = crypto.spent_s / exchanges * 1e6
    return [
        Figure("an exchange, outside cryptography", each_us, "us", "inside cryptography", each_us / crypto_us),
        Figure("an exchange, inside cryptography", crypto_us, "us"),
        Figure("visits", visits / median(kept_s), "visits/s"),
        Figure("exchanges of a visit", exchanges / visits, "exchanges"),
        Figure("a replication with rows kept", median(kept_s), "s", "rows thrown away", median(kept_s) / median(thrown_s)),
    ]


def counted() -> dict[str, Any]:
    """The operations of the same replication: what each kind of device did, and exchanges by role and step."""
    rows: list[Row] = []
    devices: dict[int, Any] = {}
    connect = ModelledLink.__init__

    def connected(self: ModelledLink, device: Any, *args: Any, **kwargs: Any) -> None:
        devices[id(device)] = device
        connect(self, device, *args, **kwargs)

    ModelledLink.__init__ = connected  # type: ignore[method-assign]
    try:
        seconds_of(rows.append, PER_HOUR)
    finally:
        ModelledLink.__init__ = connect  # type: ignore[method-assign]
    work: dict[str, Counter[str]] = defaultdict(Counter)
    for device in devices.values():
        work[type(device).__name__].update(asdict(device.work))
    exchanges = [row for row in rows if isinstance(row, ExchangeRow)]
    steps = Counter(f"{row.role}: {row.step}" for row in exchanges)
    return {
        "visits": sum(isinstance(row, VisitRow) for row in rows),
        "exchanges": len(exchanges),
        "request_bytes": sum(row.request_bytes for row in exchanges),
        "reply_bytes": sum(max(row.reply_bytes, 0) for row in exchanges),
        "work_by_device": {name: dict(counts) for name, counts in sorted(work.items())},
        "exchanges_by_role_and_step": dict(sorted(steps.items())),
    }


def main() -> int:
    """``./bench.sh bench played_visit [--json | --golden] [--sample]``."""
    parser = options(__doc__)
    parser.add_argument("--golden", action="store_true", help="write the counted operations to the golden file")
    asked = parser.parse_args()
    if asked.golden:
        GOLDEN.parent.mkdir(exist_ok=True)
        GOLDEN.write_text(json.dumps(counted(), indent=1) + "\n", encoding="utf-8")
        sys.stdout.write(f"{GOLDEN}\n")
        return 0
    show(measure(SAMPLE_PER_HOUR if asked.sample else PER_HOUR), asked.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
