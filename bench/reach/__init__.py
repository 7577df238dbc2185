"""How a device under test is reached, one file a way: from a moniker to what the suite's tester is made with.

    virtual            the reference device in this process, a new one for each case
    chip               a patient card, SAM or professional's card in a PC/SC reader    pcsc:NAME, pcsc:NAME;T=0
    second             a second-generation card in a slot or a field, as wallet        pcsc:NAME;T=1, pcsc:NAME;T=0, nfc:PATH;card
    wallet             a phone in a field                                              nfc:PATH, pcsc:NAME
                       over Bluetooth, by its code or a tap              qr:PATH + ble:NAME, nfc:PATH + ble:NAME
    wallet_program     a library, or an app's core, asked line by line                 program:COMMAND
    reader             a reader before which our card comes                            nfc:PATH, vpcd:HOST:PORT
    reader_by_code     one that scans a code and meets our phone over Bluetooth        qr:PATH + ble:TRANSPORT
    reader_tapped      one that is led there by a tap                                  nfc:PATH + ble:TRANSPORT
    reader_program     a library, or an app's core, asked line by line                 program:COMMAND
    data_centre        a service                                                       https://HOST:PORT
    control_software   on a desk, by each face that is given                           http://... + https://... + program:COMMAND
    office_program     a clinic's or pharmacy's software: an adapter is its people     program:COMMAND

Each is a :class:`Way`; :mod:`bench.duts` has the table that says which kind of device is reached by which. What a way needs
besides (people, slots, radios, a line, a data centre of ours) has files of its own beside it. The drivers are those of ``run``
(:mod:`bench.drivers`): a worker process each, every connection bounded in time.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from bench.hands import Hands, Nobody
from bench.monikers import Moniker
from conformance.kinds import Suite
from conformance.kinds.wallet import WAIT_S
from conformance.tester import CannotShow, Result, Tester
from conformance.vectors.world import World
from conformance.verdict import Status, Verdict
from virtual_devices.clock import NS
from virtual_devices.link import Attempt, Link, Outcome, Provenance
from virtual_devices.trace import ExchangeRow

ANSWER_S, CASE_S, PERSON_S = 10, 120.0, 60
"""Longest wait for an answer, for the exchanges of a case, for a person; the first and the last can be declared (PIXIT)."""
GIVE_UP = 3
"""After so many cases in a row without a single answer, but to a reset, the device is not tried any further."""


NOBODY = Nobody("it needs a person's hands")


@dataclass(frozen=True)
class Means:
    """What the bench brings along. ``seed``: of the authority that the device trusts, as ``present --seed`` has it; ``answers``:
    of the PIXIT; ``keep``: personal data stay in rows and reports; ``env``: laid over the environment of drivers; ``hands``: who
    does what only a person can."""

    seed: int = 1
    answers: Mapping[str, object] = field(default_factory=dict)
    keep: bool = False
    env: Mapping[str, str] | None = None
    hands: Hands = NOBODY

    @property
    def answer_s(self) -> float:
        return self._whole("answer_s", ANSWER_S)

    @property
    def person_s(self) -> float:
        return self._whole("person_s", PERSON_S)

    @property
    def wait_s(self) -> float:
        return self._whole("wait_s", WAIT_S)

    @property
    def gap_s(self) -> float:
        """Between two cards before a reader, which has a PIXIT always."""
        return self._whole("gap_ms", 0) / 1000

    def _whole(self, name: str, usual: int) -> float:
        value = self.answers.get(name, usual)
        return float(value) if isinstance(value, int) else usual


class Way(ABC):
    """One device over one channel. Nothing is opened before the first case asks for it; :meth:`close` lets it go."""

    def __init__(self, suite: Suite, found: Sequence[Moniker], channel: str, means: Means) -> None:
        self.suite, self.found, self.channel, self.means = suite, tuple(found), channel, means

    @classmethod
    @abstractmethod
    def channels(cls, suite: Suite, found: Sequence[Moniker]) -> tuple[str, ...]:
        """Over which channels of the suite the device of these monikers is tried; none: it cannot be reached so."""

    @property
    def masked(self) -> bool:
        """Whether the bytes of its messages are somebody's, and stay out of what is left behind."""
        return False

    @property
    def place(self) -> str:
        """What two cases cannot use at once; empty where every case has a device of its own."""
        return ""

    @abstractmethod
    def tester(self, name: str, *, anew: bool = False) -> Tester:
        """What the case of that name gets. ``anew``: it changes the device, and may begin with a new one. Raises LinkError when
        the device is not there, CannotShow for what it cannot give."""

    def timed(self, name: str) -> Tester:
        """What a presentation that is timed gets."""
        return self.tester(name, anew=True)

    def done(self, result: Result) -> Result:
        """The case is over. Its result, with what the way knows of it besides."""
        return result

    @property
    def given_up(self) -> str:
        """Why the device is not tried any further; empty while it is."""
        return ""

    def close(self) -> None:  # noqa: B027  # not every way has opened something
        """Let the device go."""


class RealWay(Way):
    """To a device on a medium. One that answers nothing any more is given up, so that a suite ends in bounded time."""

    def __init__(self, suite: Suite, found: Sequence[Moniker], channel: str, means: Means) -> None:
        super().__init__(suite, found, channel, means)
        self._silent, self._why = 0, ""
        self._fell_silent = ""
        """In which case the device did, and why; empty when it answered last."""
        self.ours = False  # our own presenter shows it: its holder is invented

    @property
    def masked(self) -> bool:
        return not self.ours and not self.means.keep

    @property
    def place(self) -> str:
        return " + ".join(f"{one.kind.value}:{one.where.partition(';')[0]}" for one in self.found)

    @abstractmethod
    def said(self, role: str) -> str:
        """What the driver said last of the link to that role; empty after a success."""

    def done(self, result: Result) -> Result:
        """``why`` says, of an exchange that failed and decided, what the driver said of it."""
        rows = [row for row in result.rows if isinstance(row, ExchangeRow)]
        unanswered = bool(rows) and rows[-1].outcome != Outcome.REPLIED.value
        if unanswered and result.verdict is not Verdict.PASS:
            said = self.said(rows[-1].role)
            result = replace(result, why=f"{result.why} [{said}]") if said else result
        if rows:
            self._fell_silent = f"{result.case}: {result.why}" if rows[-1].outcome in _NO_ANSWER else ""
        if result.verdict is Verdict.PASS or any(map(self._answers, rows)):
            self._silent = 0
        elif unanswered or result.verdict is Verdict.ERROR or _not_reached(result):
            self._silent, self._why = self._silent + 1, result.why
        return result

    def _answers(self, row: ExchangeRow) -> bool:
        """The device said something of itself: a reset may be answered by what is half dead, and a code is on a screen."""
        return row.outcome == Outcome.REPLIED.value and bool(row.request) and row.role == self.suite.kind.value

    @property
    def given_up(self) -> str:
        if self._silent < GIVE_UP:
            return ""
        last = f": {self._why}" if self._why else ""
        return f"it answered nothing in {GIVE_UP} cases one after the other, and is not tried further{last}"

    def tested(self, device: Any, world: World, name: str) -> Tester:
        """The suite's tester of a device."""
        tester = self.suite.tester(device, world, name)
        tester.masked = self.masked
        return tester


_NO_ANSWER = frozenset(outcome.value for outcome in Outcome) - {Outcome.REPLIED.value, Outcome.GARBLED.value}


def _not_reached(result: Result) -> bool:
    return result.verdict is Verdict.INCONCLUSIVE and result.status is Status.NOT_RUN


class Bounded:
    """A link on which an answer has so many seconds, whatever is asked for, and the exchanges of a case their time in all
    (CannotShow)."""

    def __init__(self, inner: Link, answer_s: float, case_s: float = CASE_S) -> None:
        self._inner, self._answer_s, self._case_s = inner, answer_s, case_s
        self._left_ns = round(case_s * NS)

    @property
    def provenance(self) -> Provenance:
        return self._inner.provenance

    @property
    def channel(self) -> str:
        return self._inner.channel

    @property
    def device(self) -> str:
        return self._inner.device

    def attempt(self, message: bytes, timeout_s: float) -> Attempt:
        return self._spent(self._inner.attempt(message, self._limit()))

    def connect_to(self, address: bytes, timeout_s: float) -> Attempt:
        attempt: Attempt = self._inner.connect_to(address, max(timeout_s, self._limit()))  # type: ignore[attr-defined]
        return self._spent(attempt)

    def _spent(self, attempt: Attempt) -> Attempt:
        self._left_ns -= attempt.duration_ns
        return attempt

    def _limit(self) -> float:
        if self._left_ns <= 0:
            raise CannotShow(f"its exchanges took more than {self._case_s:g} s, and the case was not over", open=True)
        return min(self._answer_s, self._left_ns / NS)


__all__ = ["ANSWER_S", "CASE_S", "GIVE_UP", "PERSON_S", "NOBODY", "Bounded", "Means", "RealWay", "Way"]
