"""The suite tested: a reference device with one fault in it, and which case finds it.

The faulty device lives in a process of its own, because tester and device are made of the same modules: the fault must be the
device's alone. What hangs or falls over there is a device that does not answer.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from multiprocessing import get_context
from multiprocessing.connection import Connection
from types import FrameType
from typing import Any

from conformance.case import Case, Kind, cases
from conformance.mutants.operators import Mutant, mutants_of
from conformance.mutants.places import live, places
from conformance.reference_wallet import ReferenceWallet
from conformance.tester import Result, Tester, perform
from conformance.vectors.world import World
from conformance.verdict import Verdict
from conformance.wallet import Names, WalletTester
from virtual_devices.clock import VirtualClock, seconds
from virtual_devices.link import Attempt, Link, Outcome, Provenance
from virtual_devices.reader.presentation import Medium
from virtual_devices.wallet.consent import Use

HANG_S = 10.0
"""A faulty device that has not answered by then is taken for one that hangs."""
_FORK = get_context("fork")


class FaultyWallet:
    """A reference wallet in a process of its own, with a fault (None: without). One for several cases: each gets a new phone."""

    def __init__(self, world: World, medium: Medium, mutant: Mutant | None, *, watched: bool = False) -> None:
        self.medium = medium
        self.clock = VirtualClock()
        self.holder = _Holder(self)
        self._near, far = _FORK.Pipe()
        self._child = _FORK.Process(target=_live, args=(far, world, medium, mutant, watched), daemon=True)
        self._child.start()
        far.close()

    def new(self, name: str) -> None:
        """Another phone, just set up."""
        self.clock = VirtualClock(self.ask("new", name))

    def ask(self, what: str, *rest: Any) -> Any:
        """What the device's process says. TimeoutError when it does not."""
        try:
            self._near.send((what, *rest))
            if not self._near.poll(HANG_S):
                raise TimeoutError
            fine, answer = self._near.recv()
        except (EOFError, OSError) as e:
            raise TimeoutError from e
        if not fine:
            raise TimeoutError(answer)
        return answer

    def meet(self) -> Mapping[str, Link]:
        self.ask("meet")
        return {role: _Way(self, role) for role in ("wallet", "screen")}

    def part(self) -> None:
        try:
            self.ask("part")
        except TimeoutError:
            return

    def close(self) -> None:
        self._near.close()
        if self._child.pid is not None and self._child.is_alive():
            os.kill(self._child.pid, signal.SIGKILL)
        self._child.join()


class _Holder:
    def __init__(self, wallet: FaultyWallet) -> None:
        self._wallet = wallet

    def agree(self, use: Use, names: Names, *, write: bool = True) -> None:
        self._wallet.ask("agree", use, names, write)

    def approve(self, use: Use) -> None:
        self._wallet.ask("approve", use)

    def refuse(self) -> None:
        self._wallet.ask("refuse")


class _Way:
    """A link to one face of the device in its process."""

    device = "virtual"
    provenance = Provenance.MODELLED

    def __init__(self, wallet: FaultyWallet, role: str) -> None:
        self._wallet = wallet
        self._role = role
        self.channel = "qr" if role == "screen" else wallet.medium.value

    def attempt(self, message: bytes, timeout_s: float) -> Attempt:
        try:
            reply = self._wallet.ask("attempt", self._role, message, timeout_s)
        except TimeoutError:
            return Attempt(Outcome.TIMED_OUT, seconds(timeout_s))
        return Attempt(Outcome.REPLIED, 0, reply)


def _live(near: Connection, world: World, medium: Medium, mutant: Mutant | None, watched: bool) -> None:
    """The device's process: one request after the other, until the other end closes."""
    sys.stderr = open(os.devnull, "w")  # noqa: SIM115, PTH123  # a faulty device's traceback is nobody's
    watch = _Watch()
    wallet: ReferenceWallet | None = None
    links: Mapping[str, Link] = {}
    with ExitStack() as stack:
        if mutant is not None:
            stack.enter_context(mutant.applied())
        while True:
            try:
                what, *rest = near.recv()
            except EOFError:
                return
            try:
                match what:
                    case "new":
                        wallet, answer = ReferenceWallet(world, medium, *rest), 0
                        answer = wallet.clock.now_ns()
                        if watched:
                            watch.begin()
                    case "called":
                        answer = watch.end()
                    case _ if wallet is None:
                        raise RuntimeError("no phone yet")
                    case "meet":
                        links, answer = wallet.meet(), None
                    case "part":
                        answer = wallet.part()
                    case "attempt":
                        role, message, timeout_s = rest
                        answer = links[role].attempt(message, timeout_s).reply
                    case "agree":
                        answer = wallet.holder.agree(rest[0], rest[1], write=rest[2])
                    case _:
                        answer = getattr(wallet.holder, what)(*rest)
                near.send((True, answer))
            except Exception as e:  # a device with a fault may do anything
                near.send((False, f"{type(e).__name__}: {e}"))


class _Watch:
    """Which functions of a device are called: they are what a case can find a fault in."""

    def __init__(self) -> None:
        self._called: set[tuple[str, str]] = set()

    def begin(self) -> None:
        self._called = set()
        sys.setprofile(self._see)

    def end(self) -> set[tuple[str, str]]:
        sys.setprofile(None)
        return self._called

    def _see(self, frame: FrameType, event: str, argument: object) -> None:
        if event == "call":
            self._called.add((frame.f_globals.get("__name__", ""), frame.f_code.co_qualname))


@dataclass
class Checked:
    """What the self-check found. ``caught``: mutant -> the case that found it. ``idle``: cases that found none, tried or not."""

    mutants: list[str]
    caught: dict[str, str] = field(default_factory=dict)
    survivors: list[str] = field(default_factory=list)

    def json(self) -> str:
        return json.dumps({"mutants": len(self.mutants), "caught": len(self.caught), "survivors": self.survivors})


class SelfCheck:
    """The wallet suite over one medium, against each mutant of the reference wallet."""

    def __init__(self, medium: Medium, seed: int = 1) -> None:
        self.medium = medium
        self.world = World(seed)
        self.cases = [case for case in cases() if case.kind is Kind.WALLET and medium.value in (case.channels or {medium.value})]
        self.mutants = [mutant for place in places(Kind.WALLET) for mutant in mutants_of(place)]
        self.calls: dict[str, set[tuple[str, str]]] = {}
        self.cost: dict[str, float] = {}

    def sound(self) -> list[Result]:
        """Every case on the device without a fault; learns what each calls. Those that are not PASS are returned."""
        wallet = FaultyWallet(self.world, self.medium, None, watched=True)
        wrong = []
        for case in self.cases:
            began = time.perf_counter()
            result = self._try(case, wallet)
            self.cost[case.id] = time.perf_counter() - began
            self.calls[case.id] = wallet.ask("called")
            if result.verdict is not Verdict.PASS:
                wrong.append(result)
        wallet.close()
        return wrong

    def _try(self, case: Case, wallet: FaultyWallet) -> Result:
        def make(case: Case) -> Tester:
            try:
                wallet.new(case.id)
            except TimeoutError:
                return _Dead()
            return WalletTester(wallet, self.world, case.id)

        return perform(case, make)

    def touching(self, mutant: Mutant) -> list[Case]:
        """The cases in which the mutant's function is called, the quickest first."""
        where = mutant.module, live(mutant.module, mutant.function).__qualname__
        found = [case for case in self.cases if where in self.calls[case.id]]
        return sorted(found, key=lambda case: self.cost[case.id])

    def kill(self, mutant: Mutant) -> str:
        """The first case that finds it, "" when none does."""
        wallet = FaultyWallet(self.world, self.medium, mutant)
        try:
            for case in self.touching(mutant):
                if self._try(case, wallet).verdict is Verdict.FAIL:
                    return case.id
        finally:
            wallet.close()
        return ""


class _Dead(Tester):
    """The device could not even be set up."""


def check(
    media: Iterable[Medium], progress: Callable[[int, int], None] = lambda done, of: None, *, processes: int = 2,
    only: Sequence[str] = (),
) -> Checked:
    """Every mutant over each medium until it is found. RuntimeError when the sound device does not pass."""
    left: list[str] = []
    found: Checked | None = None
    for medium in media:
        suite = SelfCheck(medium)
        if wrong := suite.sound():
            raise RuntimeError("the sound device does not pass: " + "; ".join(f"{r.case}: {r.why}" for r in wrong))
        chosen = [m for m in suite.mutants if any(m.id.startswith(o) for o in only) or not only]
        if found is None:
            found = Checked([m.id for m in chosen])
            left = list(found.mutants)
        global _suite
        _suite = suite
        with ProcessPoolExecutor(processes, mp_context=_FORK) as pool:
            by_id = {m.id: n for n, m in enumerate(suite.mutants)}
            for name, killer in zip(left, pool.map(_kill, [by_id[name] for name in left]), strict=True):
                if killer:
                    found.caught[name] = f"{killer} ({medium.value})"
                progress(len(found.caught), len(found.mutants))
        left = [name for name in left if name not in found.caught]
    assert found is not None
    found.survivors = left
    return found


_suite: SelfCheck | None = None


def _kill(number: int) -> str:
    assert _suite is not None
    return _suite.kill(_suite.mutants[number])


__all__ = ["Checked", "FaultyWallet", "SelfCheck", "check"]
