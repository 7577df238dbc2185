"""A virtual device under test in a process of its own, with one fault in it or with none.

Tester and device are made of the same modules: only so is the fault the device's alone. What hangs or falls over there is a
device that does not answer. The near end has the methods of the device in the process, its links, and what its methods give out
that has methods itself (an end of a connection). A link or a function that is handed to the device stays here, and is asked
from there.
"""

from __future__ import annotations

import os
import signal
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pickle import PicklingError
from types import FrameType, FunctionType, MethodType
from typing import Any

from conformance.kinds import Suite
from conformance.mutants.operators import Mutant
from conformance.vectors.world import World
from virtual_devices.clock import VirtualClock, seconds
from virtual_devices.link import Attempt, Outcome, Provenance, connect

HANG_S = 60.0
"""A device that has not answered by then is taken for one that hangs."""
BUSY_S = 5.0
"""So has one that has reckoned so long about one answer: time of the processor, which passes no faster on a busy machine."""
FORK = get_context("fork")
_VALUES = ("medium", "clock", "channel")
"""What a device has beside methods; handed over as it is when it is new."""
_BACK = "asked"
"""What the device's process says first when it asks for something itself, before it answers."""


@dataclass(frozen=True)
class _Given:
    """Stands for an end that a method gave out: its number there, and the names that it has."""

    number: int
    names: frozenset[str]


@dataclass(frozen=True)
class _Lent:
    """Stands for a link of the tester's, or a function: its number here. ``channel``, ``device``: of a link."""

    number: int
    channel: str = ""
    device: str = ""


class Faulty:
    """One process for several devices, one after the other: each case gets a new one."""

    def __init__(self, suite: Suite, world: World, channel: str, mutant: Mutant | None, *, watched: bool = False) -> None:
        self.channel = channel
        self.alive = True
        self._clock: VirtualClock | None = None
        self._lent: list[Callable[..., Any]] = []
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
        self._clock, self._lent = None, []
        values, names = self.ask("new", name)
        self._clock = values.get("clock")
        return _Near(self, values, names=names)

    def called(self) -> dict[tuple[str, str], int]:
        """Module and qualified name of each function that was called since the last :meth:`new`, and how often; of a watched
        one."""
        found: dict[tuple[str, str], int] = self.ask("called")
        return found

    def ask(self, what: str, *rest: Any) -> Any:
        """What the device's process says. TimeoutError when it does not, or fell over; one that hangs is not asked again. It is
        there as late as it is here, and here as it is there."""
        self._send(what, *rest)
        said = self._hear()
        while said[0] == _BACK:
            _, number, given = said
            try:
                found = self._lent[number](*given)
            except BaseException:  # the case's own verdict, or its fault: nobody waits for the device's
                self._send(None)
                self._hear()
                raise
            self._send((found,))
            said = self._hear()
        fine, answer = said
        if not fine:
            raise TimeoutError(answer)
        return answer

    def _send(self, *what: Any) -> None:
        if not self.alive:
            raise TimeoutError
        try:
            self._near.send((0 if self._clock is None else self._clock.now_ns(), *what))
        except OSError as e:
            self.alive = False
            raise TimeoutError from e

    def _hear(self) -> tuple[Any, ...]:
        try:
            if not self._near.poll(HANG_S):
                raise EOFError
            now_ns, *said = self._near.recv()
        except (EOFError, OSError) as e:
            self.alive = False
            raise TimeoutError from e
        if self._clock is not None:
            self._clock.advance_to(now_ns)
        return tuple(said)

    def lend(self, value: Any) -> Any:
        """What goes over in place of an argument: of a link or a function, its number."""
        if hasattr(value, "attempt"):
            self._lent.append(value.attempt)
            return _Lent(len(self._lent) - 1, value.channel, value.device)
        if isinstance(value, FunctionType | MethodType):
            self._lent.append(value)
            return _Lent(len(self._lent) - 1)
        return value

    def close(self) -> None:
        self._near.close()
        if self._child.is_alive():
            os.kill(self.process, signal.SIGKILL)
        self._child.join()


class _Near:
    """The device, or a part of it, by the names of its methods. ``names``: those that it has, where that is known; a case may
    look whether it has one."""

    def __init__(
        self, far: Faulty, values: Mapping[str, Any], path: tuple[str | int, ...] = (), names: frozenset[str] | None = None,
    ) -> None:
        self._far = far
        self._path = path
        self._names = names
        self.__dict__.update(values)

    def __getattr__(self, name: str) -> _Near:
        if name.startswith("__") or (self._names is not None and name not in self._names):
            raise AttributeError(name)
        return _Near(self._far, {}, (*self._path, name))

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        args = tuple(map(self._far.lend, args))
        kwargs = {name: self._far.lend(value) for name, value in kwargs.items()}
        kind, answer = self._far.ask("call", self._path, args, kwargs)
        if kind == "links":
            return {role: _Way(self._far, role, channel) for role, channel in answer.items()}
        if type(answer) is tuple:
            return tuple(map(self._here, answer))
        return self._here(answer)

    def _here(self, value: Any) -> Any:
        return _Near(self._far, {}, (value.number,), value.names) if isinstance(value, _Given) else value


class _Way:
    """A link to one face of the device."""

    device = "virtual"
    provenance = Provenance.MODELLED

    def __init__(self, far: Faulty, role: str, channel: str) -> None:
        self._far = far
        self._role = role
        self.channel = channel

    def attempt(self, message: bytes, timeout_s: float) -> Attempt:
        return self._asked("attempt", message, timeout_s)

    def connect_to(self, address: bytes, timeout_s: float) -> Attempt:
        return self._asked("connect", address, timeout_s)

    def _asked(self, what: str, message: bytes, timeout_s: float) -> Attempt:
        try:
            outcome, reply = self._far.ask(what, self._role, message, timeout_s)
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
        far = _Far(suite, world, channel, watched, near)
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
            try:
                near.send((far.now_ns, *answer))
            except (TypeError, AttributeError, PicklingError) as e:
                near.send((far.now_ns, False, f"what it gives cannot be handed over: {e}"))


class _Far:
    """The far end: what may be asked of it are its methods."""

    def __init__(self, suite: Suite, world: World, channel: str, watched: bool, near: Connection) -> None:
        self._suite, self._world, self._channel = suite, world, channel
        self._near = near
        self._given: list[Any] = []
        self._watch = _Watch() if watched else None
        self._device: Any = None
        self._links: dict[str, Any] = {}

    def new(self, name: str) -> tuple[dict[str, Any], frozenset[str]]:
        """What it has beside methods, and the names of all."""
        self._device, self._links, self._given = self._suite.reference(self._world, self._channel, name), {}, []
        if self._watch is not None:
            self._watch.begin()
        values = {value: getattr(self._device, value) for value in _VALUES if hasattr(self._device, value)}
        return values, _names(self._device)

    @property
    def now_ns(self) -> int:
        """How late it is there, 0 where the device shows no clock."""
        clock = getattr(self._device, "clock", None)
        return 0 if clock is None else int(clock.now_ns())

    def at(self, now_ns: int) -> None:
        """Time passes as it does for the tester, where the device shows it a clock."""
        clock = getattr(self._device, "clock", None)
        if clock is not None:
            clock.advance_to(now_ns)

    def called(self) -> dict[tuple[str, str], int]:
        assert self._watch is not None
        return self._watch.end()

    def call(self, path: tuple[str | int, ...], args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[str, Any]:
        found = self._device
        for name in path:
            found = self._given[name] if isinstance(name, int) else getattr(found, name)
        answer = found(*map(self._there, args), **{name: self._there(value) for name, value in kwargs.items()})
        if isinstance(answer, dict) and answer and all(hasattr(link, "attempt") for link in answer.values()):
            self._links.update(answer)
            return "links", {role: link.channel for role, link in answer.items()}
        return "value", tuple(map(self._out, answer)) if type(answer) is tuple else self._out(answer)

    def _there(self, value: Any) -> Any:
        if not isinstance(value, _Lent):
            return value
        back = _Back(self, self._near, value)
        return back if value.channel else back.ask

    def _out(self, value: Any) -> Any:
        """An end of a connection stays there, and its number goes out."""
        if not (hasattr(value, "start") and hasattr(value, "handle")):
            return value
        self._given.append(value)
        return _Given(len(self._given) - 1, _names(value))

    def attempt(self, role: str, message: bytes, timeout_s: float) -> tuple[str, bytes | None]:
        attempt = self._links[role].attempt(message, timeout_s)
        return attempt.outcome.value, attempt.reply

    def connect(self, role: str, address: bytes, timeout_s: float) -> tuple[str, bytes | None]:
        attempt = connect(self._links[role], address, timeout_s)
        return attempt.outcome.value, attempt.reply


def _names(thing: object) -> frozenset[str]:
    return frozenset(name for name in dir(thing) if not name.startswith("_"))


class _Back:
    """A link of the tester's, or a function, as the device has it."""

    provenance = Provenance.MODELLED

    def __init__(self, far: _Far, near: Connection, lent: _Lent) -> None:
        self._far, self._near, self._number = far, near, lent.number
        self.channel, self.device = lent.channel, lent.device

    def attempt(self, message: bytes, timeout_s: float) -> Attempt:
        found: Attempt = self.ask(message, timeout_s)
        return found

    def ask(self, *given: Any) -> Any:
        self._near.send((self._far.now_ns, _BACK, self._number, given))
        now_ns, answer = self._near.recv()
        self._far.at(now_ns)
        if answer is None:
            raise TimeoutError("nobody is there any more")
        (found,) = answer
        return found


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
