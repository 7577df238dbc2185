"""What every benchmark prints: a table for people, or a JSON list for programs."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure. ``against`` names what it is compared with in the same run; ``ratio`` is value over that, 0 for none."""

    name: str
    value: float
    unit: str
    against: str = ""
    ratio: float = 0.0


def options(description: str | None) -> argparse.ArgumentParser:
    """The command line that all benchmarks share."""
    parser = argparse.ArgumentParser(description=(description or "").split("\n")[0])
    parser.add_argument("--json", action="store_true", help="print a JSON list of {name, value, unit, against, ratio}")
    parser.add_argument("--sample", action="store_true", help="a tenth of the work: whether it runs, not what it takes")
    return parser


def show(figures: list[Figure], as_json: bool) -> None:
    """Print the figures."""
    if as_json:
        sys.stdout.write(json.dumps([asdict(f) for f in figures], indent=1) + "\n")
        return
    for f in figures:
        ratio = f"{f.ratio:8.2f} x {f.against}" if f.against else ""
        sys.stdout.write(f"{f.name:44} {f.value:12.2f} {f.unit:14}{ratio}\n")
