"""What a soak counts, and how it is shown."""

from __future__ import annotations

import ctypes
import gc
import json
import threading
from collections import Counter as Count
from collections.abc import Sequence
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
    lanes: int = 1
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

    @classmethod
    def of(cls, lanes: Sequence[Figures]) -> Figures:
        """What lanes side by side counted, as one. ``lanes``: one at least, by their seeds; of times and heaps the worst."""
        one = cls(lanes[0].channel, lanes[0].seed, len(lanes))
        for lane in lanes:
            for name in ("presentations", "visits", "tries", "exchanges", "workers"):
                setattr(one, name, getattr(one, name) + getattr(lane, name))
            for name in ("troubles", "outcomes", "refusals", "stored"):
                getattr(one, name).update(getattr(lane, name))
            for name in ("latest_s", "spent_s", "heap_growth_mib", "heap_from_mib"):
                setattr(one, name, max(getattr(one, name), getattr(lane, name)))
            one.interrupted = one.interrupted or lane.interrupted
            one.broken += [f"seed {lane.seed}: {what}" for what in lane.broken]
        return one

    @classmethod
    def read(cls, text: str) -> Figures:
        """From :meth:`to_json`."""
        told = json.loads(text)
        return cls(**{name: Count(value) if isinstance(value, dict) else value for name, value in told.items()})

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
            f"seed {self.seed}: {self.presentations} presentations, {troubles} troubles, {again} tries again, "
            f"heap {self.heap_growth_mib:+.1f} MiB"
            + (f", BROKEN: {len(self.broken)}" if self.broken else "")
        )

    def show(self) -> None:
        rows = [
            ("presentations", f"{self.presentations} of {self.visits} visits, {self._seeds()}, {self.spent_s:.0f} s"),
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

    def _seeds(self) -> str:
        last = self.seed + self.lanes - 1
        return f"seed {self.seed}" if self.lanes == 1 else f"{self.lanes} lanes, seeds {self.seed} to {last}"

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
