"""A presentation of the virtual card: what it costs outside cryptography, desk and phone together, and how long messages are.

One desk with SAM and physician's card, one phone, a medium that takes no time and loses nothing. A presentation begins when the
phone is in the field (its code is scanned) and ends with the good-bye; PIN and consent were given before. Times are the
processor's. ``--golden`` writes operations and lengths to the golden file that a test compares.

Cryptography is the time inside signing and checking, digests and MACs, certificate chains (X.509 is read there), making a key and
its point, whether a point lies on the curve, agreement, derivation, setting up the session's ciphers, session encryption, and the
ciphers of the phone's memory. Everything else is outside: CBOR, frames, APDUs, consent, what may be shown, the holder's log, the
commits of two memories with their journals and checksums, and the runner between the two.

Stopwatches round fifty calls would cost what they measure, so a few presentations are timed whole, then a few with stopwatches
round cryptography alone, whose own cost is measured and taken off, and so on in many turns: a machine that slows down slows down
both. Outside is the difference of the two medians. Beside it, in the same turns, the *floor* (``_floor.py``): the least that a
registration over BLE would take if nothing were checked, refused or kept but by cryptography.

What the two keep between presentations is what real ones keep: keys, the desk's own certificates as bytes, and the phone's card,
read once as long as its record is the same; of the other side nothing.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any, Protocol

from benchmarks._floor import Floor
from benchmarks._presentation import MEDIA, USES, DeskAndPhone, operations
from benchmarks._sizes import sizes
from benchmarks._table import Figure, options, show
from benchmarks.played_visit import CRYPTOGRAPHY, Stopwatch, watched
from virtual_devices import pki
from virtual_devices.flow import Flow
from virtual_devices.mdoc import cose_key, session
from virtual_devices.wallet import phone, vault

GOLDEN = Path(__file__).resolve().parent.parent / "tests" / "golden" / "presentation.json"
TURNS, TIMES, WARM = 16, 10, 4
SAMPLE = (1, 4)
INSIDE = (
    *CRYPTOGRAPHY, (pki, "hashed"), (session, "ephemeral_key"), (phone, "ephemeral_key"), (cose_key, "point"),
    (cose_key, "from_point"), (session, "agree"), (session.Transcript, "key"), *((session.Cipher, name) for name in (
        "__init__", "seal", "open",
    )), *((vault._Keys, name) for name in ("cell", "encrypt", "decrypt")),
)
"""What counts as cryptography, outermost call only."""


class Place(Protocol):
    """A desk and a phone."""

    def consent(self, name: str) -> None: ...

    def present(self, name: str) -> Flow[Any]: ...

    def run(self, flow: Flow[Any]) -> Any: ...


@dataclass(slots=True)
class Timed:
    """What one use takes at one place, in us of the processor: whole presentations, and what of others is cryptography."""

    place: Place
    use: str
    whole: list[float] = field(default_factory=list)
    inside: list[float] = field(default_factory=list)

    def measure(self, times: int, crypto: Stopwatch, each_us: float) -> None:
        """Some more of each. ``each_us``: what one start and stop of a stopwatch takes."""
        self.whole += self._presented(times, lambda took_us: took_us)
        with watched(crypto, *INSIDE):
            self.inside += self._presented(times, lambda _: crypto.spent_s * 1e6 - crypto.calls * each_us, crypto.reset)

    def _presented(
        self, times: int, spent_us: Callable[[float], float], begin: Callable[[], None] = lambda: None,
    ) -> list[float]:
        spent = []
        for _ in range(WARM + times):
            self.place.consent(self.use)
            presentation = self.place.present(self.use)
            begin()
            began = time.thread_time()
            self.place.run(presentation)
            spent.append(spent_us((time.thread_time() - began) * 1e6))
        return spent[WARM:]  # other code has run before, and the interpreter was still specialising this

    @property
    def inside_us(self) -> float:
        return median(self.inside)

    @property
    def outside_us(self) -> float:
        return median(self.whole) - self.inside_us


def stopwatch_us(calls: int = 2000) -> float:
    """What one start and stop takes of what is measured."""
    empty = Stopwatch(time.thread_time)
    nothing = empty.timed(lambda: None)
    for _ in range(calls):
        nothing()
    return empty.spent_s * 1e6 / calls


def measure(turns: int = TURNS, times: int = TIMES) -> list[Figure]:
    """Each use over each medium, and the floor."""
    timed = {f"{use}, {medium}": Timed(DeskAndPhone(medium), use) for medium in MEDIA for use in USES}
    floor, crypto, each_us = Timed(Floor(), ""), Stopwatch(time.thread_time), stopwatch_us()
    for _ in range(turns):
        for each in (floor, *timed.values()):
            each.measure(times, crypto, each_us)
    figures = []
    for name, found in timed.items():
        against = "inside cryptography", found.outside_us / found.inside_us
        figures += [
            Figure(f"{name}: outside cryptography", found.outside_us, "us", *against),
            Figure(f"{name}: inside cryptography", found.inside_us, "us"),
        ]
    name = "registration, ble"
    ratio = floor.outside_us / timed[name].outside_us
    return [*figures, Figure(f"{name}: the floor, outside cryptography", floor.outside_us, "us", "what it takes", ratio)]


def counted() -> dict[str, Any]:
    """Operations and lengths."""
    found = {f"{name}, {medium}": operations(medium, name) for medium in MEDIA for name in USES}
    return {"operations": found, "lengths": sizes()}


def main() -> int:
    """``./bench.sh bench presentation [--json | --golden] [--sample]``."""
    parser = options(__doc__)
    parser.add_argument("--golden", action="store_true", help="write the counted operations and lengths to the golden file")
    asked = parser.parse_args()
    if asked.golden:
        GOLDEN.write_text(json.dumps(counted(), indent=1) + "\n", encoding="utf-8")
        sys.stdout.write(f"{GOLDEN}\n")
        return 0
    show(measure(*SAMPLE) if asked.sample else measure(), asked.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
