"""The suite tested: each fault in turn in a reference device, and which case finds it first."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

from bench.faulty import FORK, Faulty
from conformance.case import Case, Kind, cases
from conformance.kinds import Suite, suites
from conformance.mutants.equivalent import NAME, equivalents, stale
from conformance.mutants.operators import Mutant, mutants_of
from conformance.mutants.places import live, places
from conformance.tester import Result, Tester, perform
from conformance.vectors.world import World
from conformance.verdict import Verdict
from virtual_devices.errors import BenchError


class Unsound(BenchError):
    """The suite does not pass the reference device without a fault: then what it finds says nothing."""


@dataclass(frozen=True)
class Kill:
    """What became of one mutant of a kind's device. ``case`` and ``channel``: where it was found first, empty when nowhere;
    ``why``: then, why nobody can find it, where that has been shown."""

    kind: Kind
    mutant: Mutant
    case: str = ""
    channel: str = ""
    why: str = ""

    @property
    def name(self) -> str:
        return f"{self.kind.value}/{self.mutant.id}"

    @property
    def survives(self) -> bool:
        return not self.case and not self.why


class Trial:
    """The suite of one kind over one channel, and what each case calls in the device."""

    def __init__(self, suite: Suite, channel: str, world: World, mutants: Sequence[Mutant] = ()) -> None:
        self.mutants = {mutant.id: mutant for mutant in mutants}
        self.suite = suite
        self.channel = channel
        self.world = world
        self.cases = [c for c in cases() if c.kind is suite.kind and (not c.channels or channel in c.channels)]
        self.calls: dict[str, set[tuple[str, str]]] = {}
        self.cost_s: dict[str, float] = {}

    def sound(self) -> list[Result]:
        """Every case on the device without a fault; learns what each calls. Results other than PASS and NOT APPLICABLE."""
        device = Faulty(self.suite, self.world, self.channel, None, watched=True)
        wrong = []
        for case in self.cases:
            began = time.perf_counter()
            result = self.tried(case, device)
            self.cost_s[case.id] = time.perf_counter() - began
            self.calls[case.id] = device.called()
            if result.verdict not in (Verdict.PASS, Verdict.NOT_APPLICABLE):
                wrong.append(result)
        device.close()
        return wrong

    def tried(self, case: Case, device: Faulty) -> Result:
        def make(case: Case) -> Tester:
            return self.suite.tester(device.new(case.id), self.world, case.id)

        return perform(case, make)

    def touching(self, mutant: Mutant) -> list[Case]:
        """The cases in which the mutant's function is called, the quickest first."""
        where = mutant.module, live(mutant.module, mutant.function).__qualname__
        found = [case for case in self.cases if where in self.calls[case.id]]
        return sorted(found, key=lambda case: self.cost_s[case.id])

    def kill(self, mutant: Mutant) -> str:
        """The first case that finds it, "" when none does."""
        device = Faulty(self.suite, self.world, self.channel, mutant)
        try:
            return next((c.id for c in self.touching(mutant) if self.tried(c, device).verdict is Verdict.FAIL), "")
        finally:
            device.close()


def all_mutants(suite: Suite) -> list[Mutant]:
    """Every fault of the reference device of a kind."""
    return [mutant for place in places(suite.modules) for mutant in mutants_of(place)]


def self_check(
    only: Sequence[str] = (), *, processes: int = 2, progress: Callable[[Kill, int], None] | None = None,
) -> list[Kill]:
    """Every mutant of every kind, over one channel after the other until it is found. ``only``: kinds of device, and
    beginnings of mutants' names. Raises Unsound."""
    found: list[Kill] = []
    kinds = {kind for kind in suites() if kind.value in only}
    begin = tuple(text for text in only if text not in {kind.value for kind in kinds})
    for kind, suite in suites().items():
        if kinds and kind not in kinds:
            continue
        whole = all_mutants(suite)
        if old := stale(equivalents(), [(kind, m) for m in whole]):
            raise Unsound(f"{NAME}: fits no mutant any more: {'; '.join(old)}")
        chosen = [m for m in whole if not begin or m.id.startswith(begin)]
        found += _of_kind(suite, chosen, processes, progress)
    return found


def _of_kind(
    suite: Suite, left: list[Mutant], processes: int, progress: Callable[[Kill, int], None] | None,
) -> list[Kill]:
    global _trial
    kills: list[Kill] = []
    for channel in suite.channels:
        _trial = Trial(suite, channel, World(1), left)
        if wrong := _trial.sound():
            raise Unsound("the suite does not pass the device without a fault: " + "; ".join(f"{r.case}: {r.why}" for r in wrong))
        last = channel == suite.channels[-1]
        survivors = []
        with ProcessPoolExecutor(processes, mp_context=FORK) as pool:
            for mutant, case in zip(left, pool.map(_kill, [m.id for m in left]), strict=True):
                if case or last:
                    kills.append(_judged(suite.kind, mutant, case, channel if case else ""))
                    if progress is not None:
                        progress(kills[-1], len(left))
                else:
                    survivors.append(mutant)
        left = survivors
    return kills


def _judged(kind: Kind, mutant: Mutant, case: str, channel: str) -> Kill:
    why = next((entry.why for entry in equivalents() if entry.fits(kind, mutant)), "")
    if case and why:
        raise Unsound(f"{NAME}: {mutant.id} is found by {case}: take its entry out")
    return Kill(kind, mutant, case, channel, why)


_trial: Trial | None = None
"""What the processes of the pool, which are forked, work on."""


def _kill(name: str) -> str:
    assert _trial is not None
    return _trial.kill(_trial.mutants[name])


__all__ = ["Kill", "Trial", "Unsound", "all_mutants", "self_check"]
