"""A virtual device under test in a process of its own, with one fault in it or with none.

Tester and device are made of the same modules: only so is the fault the device's alone. What hangs or falls over there is a
device that does not answer. The near end has the methods of the device in the process, and its links.
"""

from __future__ import annotations

import os
import signal
import sys
from collections import Counter
from collections.abc import Mapping
from contextlib import ExitStack
from multiprocessing import get_context
from multiprocessing.connection import Connection
from types import FrameType
from typing import Any

from conformance.kinds import Suite
from conformance.mutants.operators import Mutant
from conformance.vectors.world import World
from virtual_devices.clock import Clock, seconds
from virtual_devices.link import Attempt, Outcome, Provenance

HANG_S = 60.0
"""A device that has not answered by then is taken for one that hangs."""
BUSY_S = 5.0
"""So has one that has reckoned so long about one answer: time of the processor, which passes no faster on a busy machine."""
FORK = get_context("fork")
_VALUES = ("medium", "clock", "channel")
"""What a device has beside methods; handed over as it is when it is new."""


class Faulty:
    """One process for several devices, one after the other: each case gets a new one."""

    def __init__(self, suite: Suite, world: World, channel: str, mutant: Mutant | None, *, watched: bool = False) -> None:
        self.channel = channel
        self.alive = True
        self._clock: Clock | None = None
        self._near, far = FORK.Pipe()
        self._child = FORK.Process(target=_live, args=(far, self._near, suite, world, channel, mutant, watched), daemon=True)
        self._child.start()
        far.close()

    @property
    def process(self) -> int:
        """The number of its process."""
        assert self._child.pid is not None
        return self._child.pid

    def new(self, name: str) -> Any:
        """Another device, as its tester sees it. TimeoutError when it cannot even be set up."""
        values = self.ask("new", name)
        self._clock = values.get("clock")
        return _Near(self, values)

    def called(self) -> dict[tuple[str, str], int]:
        """Module and qualified name of each function that was called since the last :meth:`new`, and how often; of a watched
        one."""
        found: dict[tuple[str, str], int] = self.ask("called")
        return found

    def ask(self, what: str, *rest: Any) -> Any:
        """What the device's process says. TimeoutError when it does not, or fell over; one that hangs is not asked again. It is
        there as late as it is here."""
        if not self.alive:
            raise TimeoutError
        try:
            self._near.send((0 if self._clock is None else self._clock.now_ns(), what, *rest))
            if not self._near.poll(HANG_S):
                raise EOFError
            fine, answer = self._near.recv()
        except (EOFError, OSError) as e:
            self.alive = False
            raise TimeoutError from e
        if not fine:
            raise TimeoutError(answer)
        return answer

    def close(self) -> None:
        self._near.close()
        if self._child.is_alive():
            os.kill(self.process, signal.SIGKILL)
        self._child.join()


class _Near:
    """The device, or a part of it, by the names of its methods."""

    def __init__(self, far: Faulty, values: Mapping[str, Any], path: tuple[str, ...] = ()) -> None:
        self._far = far
        self._path = path
        self.__dict__.update(values)

    def __getattr__(self, name: str) -> _Near:
        if name.startswith("__"):
            raise AttributeError(name)
        return _Near(self._far, {}, (*self._path, name))

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        kind, answer = self._far.ask("call", self._path, args, kwargs)
        return {role: _Way(self._far, role, channel) for role, channel in answer.items()} if kind == "links" else answer


class _Way:
    """A link to one face of the device."""

    device = "virtual"
    provenance = Provenance.MODELLED

    def __init__(self, far: Faulty, role: str, channel: str) -> None:
        self._far = far
        self._role = role
        self.channel = channel

    def attempt(self, message: bytes, timeout_s: float) -> Attempt:
        try:
            outcome, reply = self._far.ask("attempt", self._role, message, timeout_s)
        except TimeoutError:
            return Attempt(Outcome.TIMED_OUT, seconds(timeout_s))
        return Attempt(Outcome(outcome), 0, reply)


def _live(
    near: Connection, parents: Connection, suite: Suite, world: World, channel: str, mutant: Mutant | None, watched: bool,
) -> None:
    parents.close()  # which was copied: this process ends when the other one does
    sys.stderr = open(os.devnull, "w")  # noqa: SIM115, PTH123  # a faulty device's traceback is nobody's
    with ExitStack() as stack:
        if mutant is not None:
            stack.enter_context(mutant.applied())
        far = _Far(suite, world, channel, watched)
        while True:
            try:
                now_ns, what, *rest = near.recv()
            except EOFError:
                return
            signal.setitimer(signal.ITIMER_PROF, BUSY_S)  # whose signal ends the process
            try:
                far.at(now_ns)
                answer = True, getattr(far, what)(*rest)
            except Exception as e:  # a device with a fault may do anything
                answer = False, f"{type(e).__name__}: {e}"
            near.send(answer)


class _Far:
    """The far end: what may be asked of it are its methods."""

    def __init__(self, suite: Suite, world: World, channel: str, watched: bool) -> None:
        self._suite, self._world, self._channel = suite, world, channel
        self._watch = _Watch() if watched else None
        self._device: Any = None
        self._links: dict[str, Any] = {}

    def new(self, name: str) -> dict[str, Any]:
        self._device, self._links = self._suite.reference(self._world, self._channel, name), {}
        if self._watch is not None:
            self._watch.begin()
        return {value: getattr(self._device, value) for value in _VALUES if hasattr(self._device, value)}

    def at(self, now_ns: int) -> None:
        """Time passes as it does for the tester, where the device shows it a clock."""
        clock = getattr(self._device, "clock", None)
        if clock is not None:
            clock.advance_to(now_ns)

    def called(self) -> dict[tuple[str, str], int]:
        assert self._watch is not None
        return self._watch.end()

    def call(self, path: tuple[str, ...], args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[str, Any]:
        found = self._device
        for name in path:
            found = getattr(found, name)
        answer = found(*args, **kwargs)
        if isinstance(answer, dict) and all(hasattr(link, "attempt") for link in answer.values()):
            self._links.update(answer)
            return "links", {role: link.channel for role, link in answer.items()}
        return "value", answer

    def attempt(self, role: str, message: bytes, timeout_s: float) -> tuple[str, bytes | None]:
        attempt = self._links[role].attempt(message, timeout_s)
        return attempt.outcome.value, attempt.reply


class _Watch:
    """Which functions of a device are called: they are what a case can find a fault in."""

    def __init__(self) -> None:
        self._called: Counter[tuple[str, str]] = Counter()

    def begin(self) -> None:
        self._called = Counter()
        sys.setprofile(self._see)

    def end(self) -> dict[tuple[str, str], int]:
        sys.setprofile(None)
        return dict(self._called)

    def _see(self, frame: FrameType, event: str, argument: object) -> None:
        if event == "call":
            self._called[frame.f_globals.get("__name__", ""), frame.f_code.co_qualname] += 1


__all__ = ["FORK", "Faulty"]
