"""The suite tested: each fault in turn in a reference device, which case finds it first, and which cases find none.

Where to look first is remembered from one time to the next (:mod:`conformance.mutants.remembered`); what is found rests on the
run alone.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field

from bench.faulty import FORK, Faulty
from conformance.case import Case, Kind, cases
from conformance.kinds import Suite, suites
from conformance.mutants import idle
from conformance.mutants.by_hand import by_hand
from conformance.mutants.equivalent import NAME, equivalents, stale
from conformance.mutants.operators import Mutant, mutants_of
from conformance.mutants.places import live, places
from conformance.mutants.remembered import Where, key, of_function, remembered
from conformance.tester import Result, Tester, perform
from conformance.vectors.world import World
from conformance.verdict import Verdict
from virtual_devices.errors import BenchError

PROCESSES = os.cpu_count() or 1
TRIES = 60
"""Of a fault shown to be equivalent so many of the likeliest cases are tried over each channel: a wrong entry is found."""
SECOND_TRIES = 120
"""A case that found no fault first is tried with so many of the likeliest, over each channel."""


class Unsound(BenchError):
    """The suite does not pass the reference device without a fault: then what it finds says nothing."""


@dataclass(frozen=True)
class Kill:
    """What became of one mutant of a kind's device. ``case`` and ``channel``: where it was found first, empty when nowhere;
    ``why``: why nobody can find it, where that is said."""

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


@dataclass(frozen=True)
class Checked:
    """What came of it. ``second``: of each case that found no mutant first, one that it finds too, or "" when it finds none;
    of kinds that were tried whole."""

    kills: list[Kill] = field(default_factory=list)
    second: dict[str, str] = field(default_factory=dict)

    def idle(self) -> dict[str, str]:
        """Cases that find nothing -> why they stay, "" where nobody has said so."""
        return {case: idle.why(case, idle.justified()) for case, mutant in self.second.items() if not mutant}


class Trial:
    """The suite of one kind over one channel, and what each case calls in the device."""

    def __init__(self, suite: Suite, channel: str, world: World) -> None:
        self.suite = suite
        self.channel = channel
        self.world = world
        self.cases = [c for c in cases() if c.kind is suite.kind and suite.tries(c, channel)]
        self.calls: dict[str, Mapping[tuple[str, str], int]] = {}

    def sound(self, number: int = 0, of: int = 1) -> list[Result]:
        """Every case on the device without a fault, or one part of so many; learns what each calls. Results other than PASS and
        NOT APPLICABLE."""
        device = Faulty(self.suite, self.world, self.channel, None, watched=True)
        wrong = []
        for case in self.cases[number::of]:
            result = self.tried(case, device)
            self.calls[case.id] = device.called()
            if result.verdict not in (Verdict.PASS, Verdict.NOT_APPLICABLE):
                wrong.append(result)
        device.close()
        return wrong

    def tried(self, case: Case, device: Faulty) -> Result:
        def make(case: Case) -> Tester:
            return self.suite.tester(device.new(case.id), self.world, case.id)

        return perform(case, make)

    def touches(self, case: Case, mutant: Mutant) -> bool:
        """The mutant's function is called in the case."""
        return (mutant.module, live(mutant.module, mutant.function).__qualname__) in self.calls[case.id]

    def touching(self, mutant: Mutant) -> list[Case]:
        """The cases in which the mutant's function is called, those that call least first."""
        found = [case for case in self.cases if self.touches(case, mutant)]
        return sorted(found, key=lambda case: sum(self.calls[case.id].values()))

    def finds(self, mutant: Mutant, some: Iterable[Case]) -> str:
        """The first of these cases that finds it, "" when none does."""
        device = Faulty(self.suite, self.world, self.channel, mutant)
        try:
            for case in some:
                if not device.alive:
                    device.close()
                    device = Faulty(self.suite, self.world, self.channel, mutant)
                try:
                    if self.tried(case, device).verdict is Verdict.FAIL:
                        return case.id
                except TimeoutError:  # it cannot even be set up
                    continue
            return ""
        finally:
            device.close()


class Trials:
    """One kind over all of its channels. ``mutants``: all that there are."""

    def __init__(self, suite: Suite, mutants: Sequence[Mutant]) -> None:
        self.kind = suite.kind
        self.mutants = {mutant.id: mutant for mutant in mutants}
        self.over = {channel: Trial(suite, channel, World(1)) for channel in suite.channels}
        memory = remembered(suite.kind)
        self.known, self.known_second = memory.first, memory.second
        for mutant in mutants:
            mutant.read()
        self._also: Counter[str] = Counter()
        self.by_function: dict[str, set[str]] = {}
        for fault, (case, _) in self.known.items():
            self.by_function.setdefault(fault.partition(" ")[0], set()).add(case)

    def learn(self, channel: str, calls: Mapping[str, Mapping[tuple[str, str], int]]) -> None:
        self.over[channel].calls.update(calls)

    def kill(self, mutant: Mutant) -> Where:
        """The first case that finds it, and over which channel; both "" when none does. Of one that is shown to be equivalent the
        likeliest :data:`TRIES` cases are tried."""
        hint = self.known.get(key(mutant))
        near = self.by_function.get(of_function(mutant), set())
        if hint is not None and hint[1] in self.over:
            trial = self.over[hint[1]]
            there = [case for case in trial.touching(mutant) if case.id == hint[0]]
            if there and (found := trial.finds(mutant, there)):
                return found, hint[1]
        for channel, trial in self.over.items():
            there = [case for case in trial.touching(mutant) if (case.id, channel) != hint]
            there = sorted(there, key=lambda case: case.id not in near)[: TRIES if why_equivalent(self.kind, mutant) else None]
            if there and (found := trial.finds(mutant, there)):
                return found, channel
        return "", ""

    def also(self, name: str, killed: Mapping[str, str]) -> str:
        """One of the mutants that this case finds as well; ``killed``: mutant -> who found it first. "" when it is none of the
        likeliest :data:`SECOND_TRIES`: the one of last time, those that a case of the same function found, those that others
        have found so, of the same subject."""
        function, hint = name.partition("[")[0], self.known_second.get(name)
        for trial in self.over.values():
            for case in (c for c in trial.cases if c.id == name):
                there = [m for id, m in self.mutants.items() if killed.get(id) and trial.touches(case, m)]

                def likely(mutant: Mutant) -> tuple[bool, bool, int, bool]:
                    who = killed[mutant.id]
                    return (key(mutant) != hint, who.partition("[")[0] != function, -self._also[mutant.id],
                            who.rpartition(".")[0] != name.partition("[")[0].rpartition(".")[0])

                for mutant in sorted(there, key=likely)[:SECOND_TRIES]:
                    if trial.finds(mutant, [case]):
                        self._also[mutant.id] += 1
                        return mutant.id
        return ""


def all_mutants(suite: Suite) -> list[Mutant]:
    """Every fault of the reference device of a kind: those of the scan, and those of the tables."""
    return [*(mutant for place in places(suite.modules) for mutant in mutants_of(place)), *by_hand(suite.kind)]


def self_check(
    only: Sequence[str] = (), *, processes: int = PROCESSES, progress: Callable[[Kill, int], None] | None = None,
    finished: Callable[[Kind, Checked], None] | None = None,
) -> Checked:
    """Every mutant of every kind, until a case finds it; of kinds that are tried whole, every case that found none first, until
    it finds one. ``only``: kinds of device, and beginnings of mutants' names. ``finished``: called after each kind, with what was
    found of it. Raises Unsound."""
    kinds = {kind for kind in suites() if kind.value in only}
    begin = tuple(text for text in only if text not in {kind.value for kind in kinds})
    if old := idle.stale(idle.justified(), {case.id for case in cases()}):
        raise Unsound(f"{idle.NAME}: fits no case any more: {', '.join(old)}")
    whole = {kind: all_mutants(suite) for kind, suite in suites().items() if not kinds or kind in kinds}
    if old := stale(equivalents(), [(kind, m) for kind, mutants in whole.items() for m in mutants]):
        raise Unsound(f"{NAME}: fits no mutant any more: {'; '.join(old)}")
    chosen = {kind: [m for m in mutants if not begin or m.id.startswith(begin)] for kind, mutants in whole.items()}
    number = sum(map(len, chosen.values()))
    found = Checked()
    for kind, mutants in chosen.items():
        if not mutants:
            continue
        mine = Checked()
        with _Workers(Trials(suites()[kind], whole[kind]), processes) as workers:
            for kill in workers.kills(mutants):
                mine.kills.append(kill)
                if progress is not None:
                    progress(kill, number)
            if not begin:
                mine.second.update(workers.second(mine.kills))
        if finished is not None:
            finished(kind, mine)
        found.kills.extend(mine.kills)
        found.second.update(mine.second)
    if wrong := [f"{kill.name} is found by {kill.case}" for kill in found.kills if kill.case and kill.why]:
        raise Unsound(f"{NAME}: what is found after all has no entry: {'; '.join(wrong)}")
    return found


class _Workers:
    """Processes that share one :class:`Trials`; what it has learnt by then goes with the fork."""

    def __init__(self, trials: Trials, processes: int) -> None:
        self._trials = trials
        self._processes = processes

    def __enter__(self) -> _Workers:
        global _trials
        _trials = self._trials
        parts = [(channel, number, self._processes) for channel in _trials.over for number in range(self._processes)]
        with ProcessPoolExecutor(self._processes, mp_context=FORK) as pool:
            wrong: list[Result] = []
            for (channel, _, _), (results, calls) in zip(parts, pool.map(_sound, parts), strict=True):
                wrong += results
                _trials.learn(channel, calls)
        if wrong:
            raise Unsound("the suite does not pass the device without a fault: " + "; ".join(f"{r.case}: {r.why}" for r in wrong))
        self._pool = ProcessPoolExecutor(self._processes, mp_context=FORK)
        return self

    def __exit__(self, *error: object) -> None:
        self._pool.shutdown(cancel_futures=True)

    def kills(self, mutants: Sequence[Mutant]) -> Iterator[Kill]:
        for mutant, (case, channel) in zip(mutants, self._pool.map(_kill, [m.id for m in mutants]), strict=True):
            yield _judged(self._trials.kind, mutant, case, channel)

    def second(self, kills: Iterable[Kill]) -> dict[str, str]:
        mine = {kill.mutant.id: kill.case for kill in kills}
        names = sorted({case.id for trial in self._trials.over.values() for case in trial.cases} - set(mine.values()))
        left = [name for name in names if not idle.why(name, idle.justified())]
        found = dict(zip(left, self._pool.map(_also, [(name, mine) for name in left]), strict=True))
        return {name: found.get(name, "") for name in names}


def why_equivalent(kind: Kind, mutant: Mutant) -> str:
    """Why nobody can find it, where that has been shown."""
    return next((entry.why for entry in equivalents() if entry.fits(kind, mutant)), "")


def _judged(kind: Kind, mutant: Mutant, case: str, channel: str) -> Kill:
    return Kill(kind, mutant, case, channel, why_equivalent(kind, mutant))


_trials: Trials | None = None
"""What the processes of the pool, which are forked, work on."""


def _sound(part: tuple[str, int, int]) -> tuple[list[Result], Mapping[str, Mapping[tuple[str, str], int]]]:
    assert _trials is not None
    channel, number, of = part
    trial = _trials.over[channel]
    return trial.sound(number, of), trial.calls


def _kill(name: str) -> Where:
    assert _trials is not None
    return _trials.kill(_trials.mutants[name])


def _also(case: tuple[str, Mapping[str, str]]) -> str:
    assert _trials is not None
    return _trials.also(*case)


__all__ = ["PROCESSES", "Checked", "Kill", "Trial", "Trials", "Unsound", "all_mutants", "self_check"]
