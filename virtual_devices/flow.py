"""A protocol is a flow: a generator that yields what it wants done and receives the answer.

    def read_number(timeout_s=1.0):
        attempt = yield Exchange("card", SELECT, timeout_s, step="read card number")
        ...
        return number

There is no I/O, no clock and no thread in a flow, and it names roles ("card", "cloud"), never links. What runs it is a
*runner*: :func:`run` here (blocking, over any links, virtual or wall clock), or the SimPy runner in ``scenarios``. Both
do an effect through the same functions below, so a flow has the same outcome and the same rows in each, times aside.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, TypeVar, assert_never

from virtual_devices.clock import Clock, VirtualClock, seconds
from virtual_devices.errors import UsageError
from virtual_devices.link import Attempt, Frame, Link, MessageLink, Outcome, connect
from virtual_devices.quick import quick
from virtual_devices.trace import ActRow, ExchangeRow, FrameRow, Record, discard


@quick
@dataclass(frozen=True, slots=True)
class Exchange:
    """Carry a message to a role and wait for the whole answer. Answer: :class:`Attempt`."""

    role: str
    message: bytes
    timeout_s: float
    step: str = ""


@dataclass(frozen=True, slots=True)
class Send:
    """Carry a message that has no answer. Answer: :class:`Attempt`, with an empty reply when it was delivered."""

    role: str
    message: bytes
    step: str = ""


@dataclass(frozen=True, slots=True)
class Receive:
    """Wait for a message that the role sends of itself. Answer: :class:`Attempt`."""

    role: str
    timeout_s: float
    step: str = ""


@quick
@dataclass(frozen=True, slots=True)
class Connect:
    """Reach the device that an engagement names. Answer: :class:`Attempt`, with an empty reply when the link stands.

    ``address``: a DeviceEngagement (ISO/IEC 18013-5), which has the device's key and says how it can be met.
    """

    role: str
    address: bytes
    timeout_s: float
    step: str = "connect"


@dataclass(frozen=True, slots=True)
class Sleep:
    """Let time pass. Answer: None."""

    duration_s: float


@dataclass(frozen=True, slots=True)
class Ask:
    """Have a person do something: ``Ask("holder", "insert card")``. Answer: what the person gives, a text."""

    person: str
    act: str


@dataclass(frozen=True, slots=True)
class All:
    """Run flows side by side and wait for all. Answer: their results as a tuple, in order."""

    flows: tuple[Generator[Any, Any, Any], ...]


Effect = Exchange | Connect | Send | Receive | Sleep | Ask | All
T = TypeVar("T")
Flow = Generator[Effect, Any, T]
"""``Flow[T]``: a generator of effects that ends with a ``T``."""


class People(Protocol):
    """The people of a session: how long an act takes them, and what they give."""

    def ask(self, person: str, act: str) -> tuple[int, str]:
        """Duration in nanoseconds, and the answer."""
        ...


class PromptPeople:
    """People who do everything at once and give the answers put in their mouths."""

    def __init__(self, answers: Mapping[str, str] | None = None) -> None:
        self._answers = dict(answers or {})

    def ask(self, person: str, act: str) -> tuple[int, str]:
        return 0, self._answers.get(act, "")


def no_status(role: str, request: bytes, reply: bytes) -> str:
    """The default of :attr:`Session.status`: nothing is known of the protocol."""
    return ""


@dataclass(slots=True)
class Session:
    """One contact with one set of devices: what the roles mean here, and whose rows these are.

    ``status(role, request, reply)`` reads the status word or return code out of a reply, for the row.
    ``masked`` names the roles behind which real people stand: their bytes stay out of the rows.
    """

    links: Mapping[str, Link]
    clock: Clock
    people: People = field(default_factory=PromptPeople)
    record: Record = discard
    replication: int = 0
    visit: str = ""
    name: str = ""
    flow: str = ""
    status: Callable[[str, bytes, bytes], str] = no_status
    masked: frozenset[str] = frozenset()
    card_ns: int = 0
    cloud_ns: int = 0
    attempts: int = 0

    def link(self, role: str) -> Link:
        try:
            return self.links[role]
        except KeyError:
            there = ", ".join(sorted(self.links))
            raise UsageError(f"flow {self.flow!r} asks for role {role!r}; this session has {there}") from None


def named(session: Session, flow: str) -> Session:
    """The same session under another flow's name (counters start at zero)."""
    return replace(session, flow=flow, card_ns=0, cloud_ns=0, attempts=0)


def do_exchange(effect: Exchange | Connect | Send | Receive, session: Session, since_ns: int | None = None) -> Attempt:
    """One try over the role's link, and its row. Every path of every runner comes through here.

    ``since_ns``: when the waiting for a message began, for a Receive that has waited already.
    """
    role = effect.role
    link = session.link(role)
    at_ns = session.clock.now_ns()
    message = b""
    if hasattr(link, "step"):  # faults may be kept to a step
        link.step = effect.step
    match effect:
        case Exchange():
            message = effect.message
            attempt = link.attempt(message, effect.timeout_s)
        case Connect():
            attempt = connect(link, effect.address, effect.timeout_s)
        case Send():
            message = effect.message
            attempt = message_link(link, effect).send(message)
        case Receive():
            attempt = message_link(link, effect).receive(effect.timeout_s)
            if since_ns is not None:
                attempt = replace(attempt, duration_ns=at_ns - since_ns)
                at_ns = since_ns
        case _:
            assert_never(effect)
    session.attempts += 1
    if role == "cloud":
        session.cloud_ns += attempt.duration_ns
    else:
        session.card_ns += attempt.duration_ns
    if session.record is discard:  # nobody reads it: it is not made
        return attempt
    reply = attempt.reply
    shown = role not in session.masked
    session.record(
        ExchangeRow(
            replication=session.replication,
            visit=session.visit,
            session=session.name,
            flow=session.flow,
            step=effect.step,
            role=role,
            channel=link.channel,
            device=link.device,
            provenance=link.provenance.value,
            at_ns=at_ns,
            duration_ns=attempt.duration_ns,
            outcome=attempt.outcome.value,
            request=message if shown else b"",
            reply=(reply or b"") if shown else b"",
            request_bytes=len(message),
            reply_bytes=-1 if reply is None else len(reply),
            status="" if reply is None else session.status(role, message, reply),
            fault=attempt.fault,
            sent_ns=attempt.sent_ns,
        )
    )
    if attempt.frames:
        _record_frames(attempt.frames, session, role, at_ns)
    return attempt


def _record_frames(frames: Sequence[Frame], session: Session, role: str, at_ns: int) -> None:
    masked = role in session.masked
    for frame in frames:
        head = frame.head_bytes
        data = frame.data[:head] + b"*" * (len(frame.data) - head) if masked else frame.data
        session.record(FrameRow(
            session.replication, session.name, role, at_ns, frame.after_ns, frame.layer.value, frame.sent, head, data,
        ))


def do_ask(effect: Ask, session: Session) -> tuple[int, str]:
    """Have the person do it, and write the row. Returns the duration in nanoseconds and the answer."""
    at_ns = session.clock.now_ns()
    duration_ns, answer = session.people.ask(effect.person, effect.act)
    session.record(ActRow(session.replication, session.visit, session.name, effect.person, effect.act, at_ns, duration_ns))
    return duration_ns, answer


def message_link(link: Link, effect: Send | Receive) -> MessageLink:
    if not isinstance(link, MessageLink):
        raise UsageError(f"the link of role {effect.role!r} ({link.device}) carries questions and answers only")
    return link


class _Strand:
    """One generator being run, and the strand that waits for its result."""

    __slots__ = ("flow", "parent", "pending", "results", "slot")

    def __init__(self, flow: Flow[Any], parent: _Strand | None, slot: int) -> None:
        self.flow = flow
        self.parent = parent
        self.slot = slot
        self.pending = 0
        self.results: list[Any] = []


def run(flow: Flow[T], session: Session) -> T:
    """Run a flow to its end and return its result: the blocking runner.

    With a :class:`VirtualClock`, durations move the clock, and flows side by side (``All``) take turns in the order of
    virtual time, as they would in SimPy. With any other clock, time passes by itself: attempts block, a ``Sleep`` is the
    clock's own affair (``sleep_until``, when it has one).
    """
    result: T = _BlockingRunner(session).run(flow)
    return result


class _BlockingRunner:
    def __init__(self, session: Session) -> None:
        self.session = session
        self.clock = session.clock
        self.ready: list[tuple[int, int, _Strand, Any]] = []
        self.order = 0
        self.result: Any = None

    def run(self, flow: Flow[Any]) -> Any:
        root = _Strand(flow, None, 0)
        self._at(self.clock.now_ns(), root, None)
        while self.ready:
            at_ns, _, strand, answer = heapq.heappop(self.ready)
            self._wait_until(at_ns)
            self._resume(strand, answer() if callable(answer) else answer)
        return self.result

    def _at(self, at_ns: int, strand: _Strand, answer: Any) -> None:
        self.order += 1
        heapq.heappush(self.ready, (at_ns, self.order, strand, answer))

    def _wait_until(self, at_ns: int) -> None:
        if isinstance(self.clock, VirtualClock):
            self.clock.advance_to(at_ns)
        else:
            getattr(self.clock, "sleep_until", lambda _: None)(at_ns)

    def _resume(self, strand: _Strand, answer: Any) -> None:
        try:
            effect: Effect = strand.flow.send(answer)
            while isinstance(effect, (Exchange, Connect)) and not self.ready:  # nobody's turn lies between this and the next
                now_ns = self.clock.now_ns()
                attempt = do_exchange(effect, self.session)
                if attempt.duration_ns:
                    self._wait_until(now_ns + attempt.duration_ns)
                effect = strand.flow.send(attempt)
        except StopIteration as stop:
            self._finish(strand, stop.value)
            return
        now_ns = self.clock.now_ns()
        match effect:
            case Exchange() | Connect() | Send():
                attempt = do_exchange(effect, self.session)
                self._at(now_ns + attempt.duration_ns, strand, attempt)
            case Receive():
                self._receive(effect, strand, now_ns)
            case Sleep():
                self._at(now_ns + seconds(effect.duration_s), strand, None)
            case Ask():
                duration_ns, given = do_ask(effect, self.session)
                self._at(now_ns + duration_ns, strand, given)
            case All():
                strand.pending = len(effect.flows)
                strand.results = [None] * len(effect.flows)
                for slot, child in enumerate(effect.flows):
                    self._at(now_ns, _Strand(child, strand, slot), None)
                if not effect.flows:
                    self._at(now_ns, strand, ())
            case _:
                assert_never(effect)

    def _receive(self, effect: Receive, strand: _Strand, now_ns: int) -> None:
        """Over a real link this blocks; over a modelled one the strand sleeps until a message arrives or the limit."""
        link = message_link(self.session.link(effect.role), effect)
        if not isinstance(self.clock, VirtualClock):
            self._at(now_ns, strand, do_exchange(effect, self.session))
            return
        wakers: list[bool] = []

        def wake(at_ns: int) -> None:
            if not wakers:
                wakers.append(True)
                self._at(max(at_ns, self.clock.now_ns()), strand, lambda: do_exchange(effect, self.session, now_ns))

        link.when_arriving(wake)
        if not wakers:
            self._at(now_ns + seconds(effect.timeout_s), _Strand(_call(wake), None, -1), None)

    def _finish(self, strand: _Strand, value: Any) -> None:
        parent = strand.parent
        if parent is None:
            if strand.slot == 0:
                self.result = value
            return
        parent.results[strand.slot] = value
        parent.pending -= 1
        if parent.pending == 0:
            self._at(self.clock.now_ns(), parent, tuple(parent.results))


def _call(wake: Callable[[int], None]) -> Flow[None]:
    """A flow of one act: end somebody's waiting now."""
    wake(0)
    return
    yield  # a generator, though it yields nothing


__all__ = [
    "All", "Ask", "Attempt", "Connect", "Effect", "Exchange", "Flow", "Outcome", "People", "PromptPeople", "Receive", "Send",
    "Session", "Sleep", "do_ask", "do_exchange", "message_link", "named", "run",
]
