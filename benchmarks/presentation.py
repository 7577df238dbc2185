"""A presentation of the virtual card: what it costs outside cryptography, desk and phone together, and how long messages are.

One desk with SAM and physician's card, one phone, a medium that takes no time and loses nothing. A presentation begins when the
phone is in the field (its code is scanned) and ends with the good-bye; PIN and consent were given before. Times are the
processor's. Cryptography is the time inside signing, checking, MACs, chains, key agreement and derivation, session encryption
and the ciphers of the phone's memory; everything else is outside. ``--golden`` writes operations and lengths to the golden file
that a test compares.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks._presentation import MEDIA, USES, DeskAndPhone, operations
from benchmarks._sizes import sizes
from benchmarks._table import Figure, options, show
from benchmarks.played_visit import CRYPTOGRAPHY, Stopwatch, watched
from virtual_devices.mdoc import engagement, mso, session
from virtual_devices.reader import proximity
from virtual_devices.wallet import phone, vault

GOLDEN = Path(__file__).resolve().parent.parent / "tests" / "golden" / "presentation.json"
TIMES, SAMPLE_TIMES = 150, 15
INSIDE = (
    *CRYPTOGRAPHY,
    (session, "agree"), (session.Transcript, "key"), (session.Cipher, "seal"), (session.Cipher, "open"),
    *((module, "private_key") for module in (proximity, phone)),
    *((module, "from_cose") for module in (engagement, mso, session)),  # whether a point lies on the curve
    *((vault._Keys, name) for name in ("cell", "encrypt", "decrypt")),
)
"""What counts as cryptography, outermost call only. Hashes of elements and transcripts are counted outside."""


def microseconds(medium: str, name: str, times: int) -> tuple[float, float]:
    """Medians of one presentation, of the processor's time: inside cryptography, and outside."""
    place, inside, outside = DeskAndPhone(medium), [], []
    for _ in range(times):
        place.consent(name)
        crypto = Stopwatch(time.thread_time)
        with watched(crypto, *INSIDE):
            began = time.thread_time()
            place.run(place.present(name))
            took = time.thread_time() - began
        inside.append(crypto.spent_s * 1e6)
        outside.append((took - crypto.spent_s) * 1e6)
    return median(inside), median(outside)


def measure(times: int = TIMES) -> list[Figure]:
    """Each use over each medium."""
    figures = []
    for medium in MEDIA:
        for name in USES:
            inside, outside = microseconds(medium, name, times)
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
    show(measure(SAMPLE_TIMES if asked.sample else TIMES), asked.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
