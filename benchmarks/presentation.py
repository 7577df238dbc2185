"""A presentation of the virtual card: what it costs outside cryptography, desk and phone together, and how long messages are.

One desk with SAM and physician's card, one phone, a medium that takes no time and loses nothing. A presentation begins when the
phone is in the field (its code is scanned) and ends with the good-bye; PIN and consent were given before. Times are the
processor's. ``--golden`` writes operations and lengths to the golden file that a test compares.

Cryptography is the time inside signing and checking, digests and MACs, certificate chains (X.509 is read there), making a key and
its point, whether a point lies on the curve, agreement, derivation, setting up the session's ciphers, session encryption, and the
ciphers of the phone's memory. Everything else is outside: CBOR, frames, APDUs, consent, what may be shown, the holder's log, the
commits of two memories with their journals and checksums, and the runner between the two.

Stopwatches round fifty calls would cost what they measure, so presentations are timed in turns: whole ones without any, then ones
with stopwatches round cryptography alone, whose own cost is measured and taken off. Outside is the difference of the two medians.

What the two keep between presentations is what real ones keep: keys, the desk's own certificates as bytes, and the phone's card,
read once as long as its record is the same; of the other side nothing.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks._presentation import MEDIA, USES, DeskAndPhone, operations
from benchmarks._sizes import sizes
from benchmarks._table import Figure, options, show
from benchmarks.played_visit import CRYPTOGRAPHY, Stopwatch, watched
from virtual_devices import pki
from virtual_devices.mdoc import cose_key, session
from virtual_devices.wallet import phone, vault

GOLDEN = Path(__file__).resolve().parent.parent / "tests" / "golden" / "presentation.json"
TURNS, TIMES, WARM = 5, 40, 8
SAMPLE = (1, 10)
INSIDE = (
    *CRYPTOGRAPHY, (pki, "hashed"), (session, "ephemeral_key"), (phone, "ephemeral_key"), (cose_key, "point"),
    (cose_key, "from_point"), (session, "agree"), (session.Transcript, "key"), *((session.Cipher, name) for name in (
        "__init__", "seal", "open",
    )), *((vault._Keys, name) for name in ("cell", "encrypt", "decrypt")),
)
"""What counts as cryptography, outermost call only."""


def seconds_each(place: DeskAndPhone, name: str, times: int, spent_s: Callable[[float], float]) -> float:
    """The median presentation. ``spent_s``: what of its seconds counts."""
    spent = []
    for number in range(WARM + times):
        place.consent(name)
        presentation = place.present(name)
        began = time.thread_time()
        place.run(presentation)
        spent.append(spent_s(time.thread_time() - began))
        if number < WARM:  # other code has run meanwhile, and the interpreter is still specialising this
            spent.clear()
    return median(spent)


def inside_s(place: DeskAndPhone, name: str, times: int) -> float:
    """Inside cryptography, without what the stopwatches themselves take."""
    crypto, empty, calls = Stopwatch(time.thread_time), Stopwatch(time.thread_time), 1000
    nothing = empty.timed(lambda: None)
    for _ in range(calls):
        nothing()

    def taken(_: float) -> float:
        spent = crypto.spent_s - crypto.calls * empty.spent_s / calls
        crypto.reset()
        return spent

    with watched(crypto, *INSIDE):
        return seconds_each(place, name, times, taken)


def microseconds(medium: str, name: str, turns: int, times: int) -> tuple[float, float]:
    """Medians of one presentation: inside cryptography, and outside."""
    place, inside, outside = DeskAndPhone(medium), [], []
    for _ in range(turns):
        whole, crypto = seconds_each(place, name, times, lambda took: took), inside_s(place, name, times)
        inside.append(crypto * 1e6)
        outside.append((whole - crypto) * 1e6)
    return median(inside), median(outside)


def measure(turns: int = TURNS, times: int = TIMES) -> list[Figure]:
    """Each use over each medium."""
    figures = []
    for medium in MEDIA:
        for name in USES:
            inside, outside = microseconds(medium, name, turns, times)
            figures += [
                Figure(f"{name}, {medium}: outside cryptography", outside, "us", "inside cryptography", outside / inside),
                Figure(f"{name}, {medium}: inside cryptography", inside, "us"),
            ]
    return figures


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
