"""One small run of each situation, pinned: what people see of it in counts, and every row of it by a digest.

    python -m tests.golden_runs        after a change that is meant to change runs: writes golden/runs.json; say so in the commit

Each run is one that another test plays anyhow.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from virtual_devices.trace import ExchangeRow, LedgerRow, PrescriptionRow, Row, UploadRow, VisitRow

GOLDEN = Path(__file__).parent / "golden" / "runs.json"


def _counted(words: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(words).items()))


def summary(rows: Sequence[Row]) -> dict[str, Any]:
    """What a run came to. ``digest``: SHA-256 over all rows in their order, so that no number in them changes unseen."""
    digest, visits, uploads = hashlib.sha256(), list[str](), list[str]()
    exchanges, events, laws = list[str](), list[str](), dict[str, list[int]]()
    for row in rows:
        digest.update(repr(row).encode())
        match row:
            case VisitRow():
                visits.append(f"{row.carrier} {row.outcome} {row.code}")
            case UploadRow():
                uploads.append(f"{row.outcome}{' after waiting' if row.queued else ''}")
            case ExchangeRow():
                exchanges.append(f"{row.role} {row.channel}")
            case PrescriptionRow():
                events.append(f"{row.event}{'' if row.online else ' offline'}{'' if row.code == '0' else ' ' + row.code}")
            case LedgerRow():
                laws[row.law] = [row.left, row.right]
    return {
        "rows": len(rows), "visits": _counted(visits), "uploads": _counted(uploads), "prescriptions": _counted(events),
        "exchanges": _counted(exchanges), "laws": laws, "digest": digest.hexdigest(),
    }


def expected(name: str) -> dict[str, Any]:
    """Of this situation."""
    found: dict[str, Any] = json.loads(GOLDEN.read_text(encoding="utf-8"))[name]
    return found


def _main() -> int:
    from . import test_scenarios_clinic_morning, test_scenarios_district, test_scenarios_pharmacy

    runs = {
        "clinic_morning": test_scenarios_clinic_morning.played("fault=[]"),
        "pharmacy": test_scenarios_pharmacy.played("fault=[]"),
        "home_visit": test_scenarios_district.played("home_visit"),
        "district": test_scenarios_district.played("district", *test_scenarios_district.SMALL),
    }
    made = {name: summary(rows) for name, rows in runs.items()}
    GOLDEN.write_text(json.dumps(made, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    sys.stdout.write(f"{GOLDEN.name}: {', '.join(made)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(_main())
