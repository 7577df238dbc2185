"""Everything that can be made to go wrong on purpose: one grammar, one entry a kind.

To add a kind: one entry in ``KINDS`` (where it strikes, what it needs, the field's return code for it) and one branch in
``FaultyLink``. A fault strikes on a link, never inside a flow or a device, so the same fault works on a modelled link, on
loopback, and (where hands are not needed) on a real one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, Literal

from virtual_devices.checks import Unfit, bounded, check
from virtual_devices.clock import Clock, seconds
from virtual_devices.link import Attempt, Link, Outcome, Provenance, Tearable, connect
from virtual_devices.network import ModelledLink

FaultKind = Literal[
    "loss_before", "loss_after", "delay", "garble", "hang", "outage", "tear",
    "dns", "tls_expired", "clock_skew", "half_open", "slow",
]
RoleName = Literal["card", "sam", "hpc", "cloud", "wallet"]


@dataclass(frozen=True, slots=True)
class Kind:
    """What a kind of fault is: where it strikes, the code that the field has for it (space:code), and what it takes."""

    text: str
    network_code: str  # when it strikes the way to the data centre
    card_code: str  # when it strikes a card in the reader
    takes: frozenset[str]
    only_on: str = ""  # the one role whose link it can strike


KINDS: dict[str, Kind] = {
    "loss_before": Kind("the request is lost, the device never saw it", "cshis:4061", "cshis:4000", frozenset({"share"})),
    "loss_after": Kind("the device acted, its answer is lost", "cshis:9003", "cshis:4000", frozenset({"share"})),
    "delay": Kind("the answer comes late", "cshis:9003", "cshis:4000", frozenset({"share", "extra_ms"})),
    "garble": Kind("the answer is damaged and refused by the medium's check", "cshis:9002", "cshis:4043", frozenset({"share"})),
    "hang": Kind("the device stops answering until it is restarted", "cshis:9004", "cshis:4000", frozenset({"share"})),
    "outage": Kind("nothing passes in a window of time", "cshis:4061", "cshis:4000", frozenset()),
    "tear": Kind("the card is pulled out in the middle of an exchange", "cshis:4061", "cshis:4013", frozenset({"share"})),
    "dns": Kind("the data centre's name is not resolved: no connection, told at once", "cshis:4061", "",
                frozenset({"share"}), "cloud"),
    "tls_expired": Kind("the data centre's certificate has expired: the connection is refused in its handshake", "vhc:66501", "",
                        frozenset({"share"}), "cloud"),
    "clock_skew": Kind("the two sides' clocks differ by extra_ms", "cshis:9001", "", frozenset({"share", "extra_ms"}), "cloud"),
    "half_open": Kind("a connection that nobody used for extra_ms is dead, and neither side was told: its first message is lost",
                      "cshis:9003", "", frozenset({"extra_ms"}), "cloud"),
    "slow": Kind("the answer trickles in at kbit_s", "cshis:9003", "", frozenset({"share", "kbit_s"}), "cloud"),
}


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault of a scenario."""

    id: str
    """A name of its own, for rows and reports."""
    kind: FaultKind
    """What it does to an exchange, or to all in a window of time (outage)."""
    on: RoleName
    """The role whose link it strikes: card, sam, hpc, cloud, wallet."""
    share: float = bounded(0.0, ge=0, le=1)
    """Chance of each exchange to be struck; every kind but outage needs it."""
    start: str = ""
    """From when on it may strike, HH:MM or HH:MM:SS, Taiwan time of the epoch's day; 00:00 when left out."""
    end: str = ""
    """Until when it may strike, HH:MM or HH:MM:SS; 24:00 when left out."""
    steps: tuple[str, ...] = ()
    """The steps that it is kept to, by name; all when left out."""
    extra_ms: float = bounded(0.0, ge=0)
    """How late the answer comes (delay), how far the clocks differ (clock_skew), how long nobody spoke (half_open)."""
    limit: int = bounded(0, ge=0)
    """How often at most it strikes in one replication; 0: no limit."""
    kbit_s: float = bounded(0.0, ge=0)
    """How fast the answer trickles in, kbit/s; of kind slow, and only there."""

    def __post_init__(self) -> None:
        check(self)

    @staticmethod
    def check_field(name: str, value: Any, before: Mapping[str, Any]) -> None:
        kind = before.get("kind")
        match name:
            case "on" if kind in KINDS and KINDS[kind].only_on not in ("", value):
                raise Unfit(f"a fault of kind {kind!r} strikes the way to the {KINDS[kind].only_on} only, not to {value!r}", "on")
            case "share" if kind in KINDS and ("share" in KINDS[kind].takes) != (value > 0):
                if value:
                    raise Unfit(f"a fault of kind {kind!r} takes no share: it strikes everything in its window", "share")
                raise Unfit(f"a fault of kind {kind!r} needs share above 0, the chance that it strikes an exchange", "share")
            case "extra_ms" if kind in KINDS and ("extra_ms" in KINDS[kind].takes) != (value > 0):
                if value:
                    takers = ", ".join(sorted(name for name, one in KINDS.items() if "extra_ms" in one.takes))
                    raise Unfit(f"a fault of kind {kind!r} takes no extra_ms: {takers} do", "extra_ms")
                raise Unfit(f"a fault of kind {kind!r} needs extra_ms above 0: {KINDS[kind].text}", "extra_ms")
            case "kbit_s" if kind in KINDS and ("kbit_s" in KINDS[kind].takes) != (value > 0):
                words = "needs kbit_s above 0" if value == 0 else "takes no kbit_s: only 'slow' does"
                raise Unfit(f"a fault of kind {kind!r} {words}", "kbit_s")
            case "start" | "end" if not value:
                if kind == "outage":
                    raise Unfit(f"an outage needs {name}", name)
            case "start":
                day_seconds(value)
            case "end":
                start, end_s = before.get("start"), day_seconds(value)
                if start is not None and end_s <= day_seconds(start or "00:00"):
                    raise Unfit(f"end ({value}) must be later than start ({start or '00:00'})", "end", "start")

    def window_ns(self, midnight_ns: int) -> tuple[int, int]:
        """Start and end of the window in nanoseconds, for a day that began at ``midnight_ns``."""
        return (
            midnight_ns + seconds(day_seconds(self.start or "00:00")),
            midnight_ns + seconds(day_seconds(self.end or "24:00")),
        )

    def code(self) -> str:
        """The field's return code for what it does, with its space."""
        kind = KINDS[self.kind]
        return kind.network_code if self.on == "cloud" else kind.card_code


def day_seconds(text: str) -> int:
    """Seconds since midnight of ``HH:MM`` or ``HH:MM:SS`` (``24:00`` is the end of the day)."""
    parts = text.split(":")
    if len(parts) not in (2, 3) or not all(p.isdigit() and len(p) == 2 for p in parts):
        raise ValueError(f"{text!r} is not a time of day: write HH:MM or HH:MM:SS")
    hour, minute, second = (*map(int, parts), 0)[:3]
    if hour > 24 or minute > 59 or second > 59 or (hour == 24 and (minute or second)):
        raise ValueError(f"{text!r} is not a time of day: hours 00 to 24, minutes and seconds 00 to 59")
    return hour * 3600 + minute * 60 + second


@dataclass(slots=True)
class Strike:
    """One stroke of a fault."""

    fault: Fault
    at_ns: int


class Injector:
    """The faults of one replication: who strikes next, and how often each has struck."""

    def __init__(self, faults: Sequence[Fault], midnight_ns: int, rng: Random) -> None:
        self._rng = rng
        self._windows = [(f, *f.window_ns(midnight_ns)) for f in faults]
        self._counts: dict[str, int] = {}
        self._spoken_ns: dict[str, int] = {}  # when somebody last spoke over a role's connection

    def for_role(self, role: str) -> bool:
        """True when any fault may strike this role at all."""
        return any(f.on == role for f, _, _ in self._windows)

    def pick(self, role: str, step: str, at_ns: int) -> Fault | None:
        """The fault that strikes this exchange, if one does: the first of the scenario's order that draws so."""
        for fault, start_ns, end_ns in self._windows:
            if fault.on != role or not start_ns <= at_ns < end_ns or (fault.steps and step not in fault.steps):
                continue
            if fault.limit and self._counts.get(fault.id, 0) >= fault.limit:
                continue
            if self._draws(fault, role, at_ns):
                self._counts[fault.id] = self._counts.get(fault.id, 0) + 1
                return fault
        return None

    def _draws(self, fault: Fault, role: str, at_ns: int) -> bool:
        if fault.kind == "outage":
            return True
        if fault.kind == "half_open":
            spoken_ns = self._spoken_ns.get(role)
            return spoken_ns is not None and at_ns - spoken_ns >= fault.extra_ms * 1e6
        return self._rng.random() < fault.share

    def spoken(self, role: str, at_ns: int) -> None:
        """Somebody used the connection until this moment."""
        self._spoken_ns[role] = at_ns

    def outage_at(self, role: str, at_ns: int) -> Fault | None:
        """The outage in force for this role at this moment."""
        for fault, start_ns, end_ns in self._windows:
            if fault.kind == "outage" and fault.on == role and start_ns <= at_ns < end_ns:
                return fault
        return None

    def cut_points(self) -> int:
        """After how many cut points of the store a tear comes: from at once to past the longest write."""
        return self._rng.randrange(48)

    def windows(self) -> list[tuple[Fault, int, int]]:
        """The outages, with start and end in nanoseconds."""
        return [w for w in self._windows if w[0].kind == "outage"]


class FaultyLink:
    """A link on which faults strike. The runner sets ``step`` before each attempt; every stroke is added to ``strikes``,
    until it is known how what it struck ended."""

    def __init__(
        self, inner: Link, role: str, injector: Injector, clock: Clock, strikes: list[Strike], tearable: Tearable | None = None,
    ) -> None:
        self._inner = inner
        self._role = role
        self._injector = injector
        self._clock = clock
        self._strikes = strikes
        self._tearable = tearable
        self._gone = False
        self._hung = False
        self.step = ""

    @property
    def channel(self) -> str:
        return self._inner.channel

    @property
    def device(self) -> str:
        return self._inner.device

    @property
    def provenance(self) -> Provenance:
        return self._inner.provenance

    def attempt(self, message: bytes, timeout_s: float) -> Attempt:
        return self._carried(lambda: self._inner.attempt(message, timeout_s), timeout_s, restart=not message)

    def connect_to(self, address: bytes, timeout_s: float) -> Attempt:
        return self._carried(lambda: connect(self._inner, address, timeout_s), timeout_s, restart=True)

    def _carried(self, carry: Callable[[], Attempt], timeout_s: float, restart: bool) -> Attempt:
        limit_ns = seconds(timeout_s)
        if restart:  # it mends what a tear or a hang left
            self._gone = self._hung = False
        if self._gone:
            return Attempt(Outcome.GONE, 0)
        if self._hung:
            return Attempt(Outcome.TIMED_OUT, limit_ns)
        at_ns = self._clock.now_ns()
        fault = self._injector.pick(self._role, self.step, at_ns)
        if fault is not None:
            self._strikes.append(Strike(fault, at_ns))
            attempt = self._struck(fault, carry, limit_ns)
            self._injector.spoken(self._role, at_ns + attempt.duration_ns)
            return attempt
        attempt = carry()
        self._injector.spoken(self._role, at_ns + attempt.duration_ns)
        ended = self._injector.outage_at(self._role, at_ns + attempt.duration_ns)
        if attempt.outcome is Outcome.REPLIED and ended is not None:
            self._strikes.append(Strike(ended, at_ns + attempt.duration_ns))
            return Attempt(Outcome.REPLY_LOST, limit_ns, fault=ended.id)
        return attempt

    def _struck(self, fault: Fault, carry: Callable[[], Attempt], limit_ns: int) -> Attempt:
        match fault.kind:
            case "loss_before" | "outage" | "half_open":
                return Attempt(Outcome.REQUEST_LOST, limit_ns, fault=fault.id)
            case "loss_after":
                carry()
                return Attempt(Outcome.REPLY_LOST, limit_ns, fault=fault.id)
            case "delay":
                return self._later(fault, carry(), round(fault.extra_ms * 1e6), limit_ns)
            case "slow":
                attempt = carry()
                return self._later(fault, attempt, round(len(attempt.reply or b"") * 8 / fault.kbit_s * 1e6), limit_ns)
            case "dns" | "tls_expired":
                return Attempt(Outcome.GONE, 0, fault=fault.id)
            case "clock_skew":
                return self._skewed(fault, carry)
            case "garble":
                return Attempt(Outcome.GARBLED, carry().duration_ns, fault=fault.id)
            case "hang":
                self._hung = True
                return Attempt(Outcome.TIMED_OUT, limit_ns, fault=fault.id)
            case "tear":
                return self._torn(fault, carry)

    @staticmethod
    def _later(fault: Fault, attempt: Attempt, extra_ns: int, limit_ns: int) -> Attempt:
        late_ns = attempt.duration_ns + extra_ns
        if attempt.outcome is not Outcome.REPLIED or late_ns > limit_ns:
            return Attempt(Outcome.TIMED_OUT, limit_ns, fault=fault.id)
        return Attempt(Outcome.REPLIED, late_ns, attempt.reply, fault.id, attempt.sent_ns)

    def _skewed(self, fault: Fault, carry: Callable[[], Attempt]) -> Attempt:
        """The data centre's clock is ahead. Only a modelled one's can be moved: a real one answers as it does."""
        inner = self._inner
        if not isinstance(inner, ModelledLink):
            return carry()
        inner.skew_ns = round(fault.extra_ms * 1e6)
        try:
            attempt = carry()
        finally:
            inner.skew_ns = 0
        return Attempt(attempt.outcome, attempt.duration_ns, attempt.reply, fault.id, attempt.sent_ns)

    def _torn(self, fault: Fault, carry: Callable[[], Attempt]) -> Attempt:
        """Power goes away somewhere in the device's write, or just after its act: what it stored, it stored."""
        if self._tearable is not None:
            self._tearable.arm_cut(self._injector.cut_points())
        attempt = carry()
        if self._tearable is not None:
            self._tearable.arm_cut(None)
        self._gone = True
        return Attempt(Outcome.GONE, attempt.duration_ns, fault=fault.id)
