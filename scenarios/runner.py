"""The SimPy runner: the same flows as the blocking runner's, in virtual time, many at once.

The environment counts integer nanoseconds (``env.now`` is an int), so that no rounding ever moves an event. A device acts
when the attempt begins; the time that it took, drawn or measured, is then charged with one ``timeout``.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, TypeVar, assert_never

import simpy

from virtual_devices.clock import seconds
from virtual_devices.flow import (
    All,
    Ask,
    Connect,
    Effect,
    Exchange,
    Flow,
    Receive,
    Send,
    Session,
    Sleep,
    do_ask,
    do_exchange,
    message_link,
)

T = TypeVar("T")
Steps = Generator[simpy.Event, Any, T]
"""A SimPy process, or a part of one, that ends with a ``T``."""


class SimClock:
    """The environment's time as the bench counts it: nanoseconds since the Unix epoch."""

    def __init__(self, env: simpy.Environment, epoch_ns: int) -> None:
        self._env = env
        self.epoch_ns = epoch_ns

    def now_ns(self) -> int:
        return self.epoch_ns + int(self._env.now)


def perform(env: simpy.Environment, flow: Flow[T], session: Session) -> Steps[T]:
    """Run a flow inside a SimPy process: ``result = yield from perform(env, flow, session)``."""
    answer: Any = None
    while True:
        try:
            effect: Effect = flow.send(answer)
        except StopIteration as stop:
            result: T = stop.value
            return result
        match effect:
            case Exchange() | Connect() | Send():
                answer = do_exchange(effect, session)
                if answer.duration_ns:
                    yield env.timeout(answer.duration_ns)
            case Receive():
                answer = yield from _receive(env, effect, session)
            case Sleep():
                yield env.timeout(seconds(effect.duration_s))
                answer = None
            case Ask():
                duration_ns, answer = do_ask(effect, session)
                if duration_ns:
                    yield env.timeout(duration_ns)
            case All():
                processes = [env.process(perform(env, child, session)) for child in effect.flows]
                yield env.all_of(processes)
                answer = tuple(process.value for process in processes)
            case _:
                assert_never(effect)


def _receive(env: simpy.Environment, effect: Receive, session: Session) -> Steps[Any]:
    """Sleep until a message is there or the limit is over, then take it."""
    since_ns = session.clock.now_ns()
    woken = env.event()

    def wake(at_ns: int) -> None:
        if not woken.triggered:
            woken.succeed(max(0, at_ns - session.clock.now_ns()))

    message_link(session.link(effect.role), effect).when_arriving(wake)
    limit = env.timeout(seconds(effect.timeout_s))
    yield woken | limit
    if woken.triggered and woken.value:
        yield env.timeout(woken.value)
    return do_exchange(effect, session, since_ns)
