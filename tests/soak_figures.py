"""What a soak counts, and how it is shown."""

from __future__ import annotations

import ctypes
import gc
import json
import threading
from collections import Counter as Count
from dataclasses import dataclass, field, fields
from pathlib import Path

from bench.tables import print_table

from .processes import children, open_files

HEAP_FROM, HEAP_MIB = 1000, 5.0
"""From which presentation on the heap is watched, and by how much it may grow."""


@dataclass
class Figures:
    """Times in seconds. ``stored``: what the phones' receipts say; ``refusals``: what tries of presentations that were made again
    ended with; ``broken``: what did not hold, in words."""

    channel: str
    seed: int
    presentations: int = 0
    visits: int = 0
    tries: int = 0
    exchanges: int = 0
    workers: int = 0
    troubles: Count[str] = field(default_factory=Count)
    outcomes: Count[str] = field(default_factory=Count)
    refusals: Count[str] = field(default_factory=Count)
    stored: Count[str] = field(default_factory=Count)
    latest_s: float = 0.0
    spent_s: float = 0.0
    heap_growth_mib: float = 0.0
    heap_from_mib: float = 0.0
    interrupted: bool = False
    broken: list[str] = field(default_factory=list)

    def look_at_heap(self) -> None:
        """Anonymous memory of this process after a collection, against what it was after the first thousand presentations."""
        if self.presentations < HEAP_FROM:
            return
        gc.collect()
        ctypes.CDLL(None).malloc_trim(0)
        status = Path("/proc/self/status").read_text()
        mib = int(next(line for line in status.splitlines() if line.startswith("RssAnon")).split()[1]) / 1024
        self.heap_from_mib = self.heap_from_mib or mib
        self.heap_growth_mib = mib - self.heap_from_mib

    def judge_heap(self) -> None:
        if self.heap_growth_mib > HEAP_MIB:
            self.broken.append(f"the heap grew by {self.heap_growth_mib:.1f} MiB after the first {HEAP_FROM} presentations")

    def progress(self) -> str:
        troubles, again = sum(self.troubles.values()), self.tries - self.presentations
        return (
            f"{self.presentations} presentations, {troubles} troubles, {again} tries again, heap {self.heap_growth_mib:+.1f} MiB"
            + (f", BROKEN: {len(self.broken)}" if self.broken else "")
        )

    def show(self) -> None:
        rows = [
            ("presentations", f"{self.presentations} of {self.visits} visits, seed {self.seed}, {self.spent_s:.0f} s"),
            ("tries", f"{self.tries}"),
            ("exchanges", f"{self.exchanges}: {_counted(self.outcomes)}"),
            ("troubles", f"{sum(self.troubles.values())}: {_counted(self.troubles)}"),
            ("tries that failed", _counted(self.refusals) or "none"),
            ("receipts", _counted(self.stored)),
            ("latest end of an exchange after its limit", f"{max(0.0, self.latest_s):.2f} s"),
            ("workers of the driver", f"{self.workers}"),
            (f"growth of the heap after the first {HEAP_FROM}", f"{self.heap_growth_mib:+.2f} MiB"),
            ("broken", "; ".join(self.broken) or ("nothing; interrupted" if self.interrupted else "nothing")),
        ]
        print_table((f"soak over {self.channel}", ""), rows)

    def to_json(self) -> str:
        told = {f.name: getattr(self, f.name) for f in fields(self)}  # asdict() would count what is counted anew
        return json.dumps(told, indent=1, sort_keys=True)


def _counted(counts: Count[str]) -> str:
    return ", ".join(f"{name} {number}" for name, number in sorted(counts.items()))


@dataclass(frozen=True)
class Left:
    """What a process has open: children, threads, descriptors."""

    processes: frozenset[int]
    threads: tuple[str, ...]
    descriptors: int

    @staticmethod
    def now() -> Left:
        return Left(frozenset(children()), tuple(sorted(t.name for t in threading.enumerate())), open_files())

    def more_than(self, before: Left) -> list[str]:
        """What is there now and was not, in words."""
        found = []
        if self.processes - before.processes:
            found.append(f"processes left behind: {sorted(self.processes - before.processes)}")
        if len(self.threads) > len(before.threads):
            found.append(f"threads left behind: {', '.join(self.threads)}, before: {', '.join(before.threads)}")
        if self.descriptors > before.descriptors:
            found.append(f"descriptors left behind: {self.descriptors - before.descriptors}")
        return found


__all__ = ["HEAP_FROM", "HEAP_MIB", "Figures", "Left"]
