"""A reader (讀卡機) as device under test: our scripted card is brought before it, and what it says of it is read.

    nfc:PATH                     in its field: where our card is, as ``vhc-bench present nfc --path PATH`` has it
    vpcd:HOST:PORT               in the slot of a virtual PC/SC reader, as ``vhc-bench present vpcd`` has it: a second-generation
                                 card (contact), and a phone in a contactless reader (nfc)
    qr:PATH + ble:TRANSPORT      a phone over Bluetooth, whose code is put there as a picture (bench.reach.reader_by_code)
    nfc:PATH + ble:TRANSPORT     a phone over Bluetooth, to which its tag in that field leads (bench.reach.reader_tapped)

The reader trusts the authority of ``--seed``. A person has it read the card, or it does so by itself; its verdict is a line of
its log (PIXIT ``log``), JSON for each card:

    {"code": "0", "text": "", "card_no": "000012345678", "for_whom": "", "marked": false, "receipt": false}

Only ``code`` must be there. Each command has ``answer_s`` to come after the answer before it, and the line after the last one.
"""

from __future__ import annotations

import json
import queue
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

from bench.clock import WallClock
from bench.files import put
from bench.hands import Step
from bench.libraries import require
from bench.monikers import Kind as Medium
from bench.monikers import Moniker
from bench.reach import Means, RealWay
from bench.reach.card_places import Brought, InField, InSlot, Place
from bench.sample_phone import phone_epoch_ns
from conformance.kinds import Suite
from conformance.kinds.reader import LONGEST_S, OWN_LISTS, reader_lists
from conformance.references.reader import Task, Told, Wants
from conformance.scripted import TAP
from conformance.tester import CannotShow, Result, Tester
from conformance.vectors.world import World
from virtual_devices.authorization import Purpose, Scope
from virtual_devices.clock import NS
from virtual_devices.errors import LinkError
from virtual_devices.link import Outcome
from virtual_devices.mdoc import session
from virtual_devices.pki import Authority

LOOK_S = 0.005
LEAVES_S = 2.0
"""So long after its line a reader may stay connected to a phone, and be heard."""
ASKED = {
    Task.REGISTER: "register a visit (掛號)", Task.CONSULT: "read medical data, with a professional's card (看診)",
    Task.COLLECT: "read prescriptions, at a pharmacy (領藥)", Task.WRITE: "write the record of a visit (寫入就醫紀錄)",
}
_CARRIED = {
    frozenset({Medium.NFC}): ("nfc",), frozenset({Medium.VPCD}): ("nfc", "contact"), frozenset({Medium.QR, Medium.BLE}): ("ble",),
    frozenset({Medium.NFC, Medium.BLE}): (TAP,),
}
"""Monikers -> channels."""


class ReaderBefore(RealWay):
    """A reader before which our card is brought."""

    def __init__(self, suite: Suite, found: Sequence[Moniker], channel: str, means: Means) -> None:
        super().__init__(suite, found, channel, means)
        self._reader: RealReader | None = None

    @classmethod
    def channels(cls, suite: Suite, found: Sequence[Moniker]) -> tuple[str, ...]:
        over = _CARRIED.get(frozenset(one.kind for one in found), ())
        whole = all(one.where or one.kind is Medium.VPCD for one in found)
        return tuple(c for c in suite.channels if whole and c in over)

    def tester(self, name: str, *, anew: bool = False) -> Tester:
        del anew
        if self._reader is not None:
            self._reader.away()
            self._reader.spoke = False
        self.ours = True  # the card is an invented person's
        now_ns = WallClock().now_ns()
        epoch_ns = phone_epoch_ns(now_ns)
        world = World(
            self.means.seed, now_ns // NS * NS, epoch_ns, trusted=Authority(self.means.seed, epoch_ns), once=f"{now_ns} {name}",
        )
        self._reader = self._reader or self._met(self._log())
        self._reader.world = world
        return self.tested(self._reader, world, name)

    def _met(self, log: Path) -> RealReader:
        where, gap_s = {one.kind: one.where for one in self.found}, self.means.gap_s
        if Medium.BLE in where:
            require("bumble")
            from bench.reach.reader_by_code import OnAir, ReaderByCode  # bumble is large
            from bench.reach.reader_tapped import ReaderTapped

            if Medium.NFC in where:
                return ReaderTapped(InField(where[Medium.NFC], gap_s), OnAir(where[Medium.BLE], 0.0), self.means, log)
            return ReaderByCode(OnAir(where[Medium.BLE], gap_s), Path(where[Medium.QR]), self.means, log)
        place = InField(where[Medium.NFC], gap_s) if Medium.NFC in where else InSlot(where[Medium.VPCD], gap_s)
        return RealReader(place, self.channel, self.means, log)

    def _log(self) -> Path:
        said = self.means.answers.get("log")
        if not isinstance(said, str) or not said:
            raise LinkError('how the reader\'s verdict is seen is not said: give log = "FILE" in the PIXIT (--pixit), a file to '
                            "which it writes a line of JSON for each card")
        return Path(said)

    def said(self, role: str) -> str:
        return ""

    def done(self, result: Result) -> Result:
        """A reader that does not look at our card is silent, too, whatever code has been shown to it."""
        silent = self._silent
        result = super().done(result)
        if self._reader is not None:
            self._reader.away()  # what it says late is of this case
            if self._reader.spoke:
                self._silent = 0
            elif self._reader.overlooks:
                self._silent, self._why = silent + 1, result.why
        return result

    def close(self) -> None:
        if self._reader is not None:
            self._reader.away()
            self._reader.close()


class RealReader:
    """The reader (:class:`conformance.kinds.reader.ReaderUnderTest`). ``log``: what it says."""

    from_outside = True
    spoke = False  # it has said something of a card in this case
    overlooks = False  # it has not looked at the card that was brought last

    def __init__(self, place: Place, channel: str, means: Means, log: Path) -> None:
        self.channel = channel
        self.world: World | None = None
        self._place, self._means, self._log = place, means, log
        self._clock = WallClock()
        self._card: Brought | None = None
        self._shown_last: Brought | None = None  # also after it was taken away
        self._read_bytes = 0
        self._heard = b""  # the command or message that waits for an answer
        self._said: Told | None = None  # its line has come, and what it sent before may not have
        self._said_s = 0.0
        self._owes = False  # it has begun with a card, and its line has not come

    def now_ns(self) -> int:
        return self._clock.now_ns()

    # -- what nobody can have it do

    def at(self, now_ns: int) -> NoReturn:
        raise CannotShow("nobody moves this reader's clock")

    @property
    def found_ns(self) -> int | None:
        """From the card's coming to the reader's first command; None where a person has it read, and before."""
        card = self._shown_last
        if card is None or not card.first_ns or not self._means.hands.why_none:
            return None
        return card.first_ns - card.brought_ns

    @property
    def has_lists(self) -> bool:
        """It takes them from a folder of the bench's (PIXIT ``lists``)."""
        return bool(self._means.answers.get("takes_lists"))

    def take_lists(self, lists: Sequence[bytes]) -> None:
        """Into that folder; else it has those of its own data centre."""
        if self.has_lists:
            write_lists(Path(str(self._means.answers["lists"])), lists)
        elif self.world is None or list(lists) != reader_lists(self.world):
            raise CannotShow(OWN_LISTS)

    def show_challenge(self) -> str:
        raise CannotShow("codes go to its camera, and this one is tried by its field or slot")

    def scan(self, text: str, scope: frozenset[Scope], purpose: Purpose) -> Told:
        raise CannotShow("codes go to its camera, and this one is tried by its field or slot")

    # -- a card before it

    def begin(self, task: Task, power: Callable[[], bytes] | None) -> Wants | Told:
        """The card comes, and the person has the reader read it: its first command. Raises CannotShow when that does not come in
        time."""
        self.away()
        self._can(task)
        if power is None:
            return self._nothing_there(task)
        card = self._card = self._shown_last = Brought(power)
        self._place.bring(card)
        self._read(task, lambda: card.asked)
        self._read_bytes = self._written()
        return self._next(self._means.answer_s)

    def answer(self, outcome: Outcome, reply: bytes | None) -> Wants | Told:
        """The answer to it, and its next command or its verdict. Raises TimeoutError when neither comes in time."""
        assert self._card is not None
        limit_s = self._means.answer_s
        match outcome:
            case Outcome.REPLIED:
                self._carries(reply or b"")
                self._card.answers.put(reply)
            case Outcome.GONE:
                self._place.away()
            case Outcome.TIMED_OUT:
                limit_s += LONGEST_S  # it may wait so long, and then it has to say so
                if not self._place.hangs:
                    self._card.answers.put(None)
            case _:
                raise CannotShow(f"the bench's own end of this medium makes no exchange {outcome.value.replace('_', ' ')}")
        return self._next(limit_s)

    def _carries(self, answer: bytes) -> None:
        """Raises CannotShow for what is no answer on this medium."""
        if not answer and not (self._place.whole and self._heard == session.TERMINATION):
            raise CannotShow("this medium carries no empty answer: it is silence")
        if len(answer) > self._place.most_bytes:
            raise CannotShow(self._place.too_long)

    def _can(self, task: Task) -> None:
        hands = self._means.hands
        if hands.why_none and task is not Task.REGISTER:
            raise CannotShow(f"somebody has to have it {task.value}: {hands.why_none}")

    def _nothing_there(self, task: Task) -> Told:
        if why := self._means.hands.why_none:
            raise CannotShow(f"somebody has to have it read when there is no card: {why}")
        self._read_bytes = self._written()
        self._read(task, lambda: self._written() > self._read_bytes, "; there is no card")
        told = self._next(self._means.answer_s)
        assert isinstance(told, Told)
        return told

    def _person(self, task: Task, seen: Callable[[], bool], more: str = "") -> None:
        """Somebody has it read, where somebody is there."""
        hands, limit_s = self._means.hands, self._means.person_s
        if not hands.why_none and not hands.ask(Step.READ, limit_s, seen, about=f"to {ASKED[task]}{more}"):
            raise CannotShow(f"nobody had the reader {task.value} within {limit_s:g} s", open=True)

    def _read(self, task: Task, seen: Callable[[], bool], more: str = "") -> None:
        """A person has it read, or it does so by itself: until that is seen."""
        self._person(task, seen, more)
        limit_s = self._means.person_s
        until_s = time.monotonic() + limit_s
        self.overlooks = False
        while not seen():
            self._check()
            if time.monotonic() > until_s:
                self.overlooks = True
                raise CannotShow(f"the reader did not look at the card within {limit_s:g} s", open=True)
            time.sleep(LOOK_S)
        self._owes = True

    def _check(self) -> None:
        """Raises LinkError when the card's own end of the medium has failed."""
        if self._card is not None and self._card.trouble is not None:
            raise LinkError(f"the card's end of the medium: {self._card.trouble}") from self._card.trouble

    def _next(self, limit_s: float) -> Wants | Told:
        until_s = time.monotonic() + limit_s
        while time.monotonic() < until_s or self._said is not None:
            self._check()
            if self._card is not None:
                with suppress(queue.Empty):
                    command, after_ns = self._card.commands.get(timeout=LOOK_S)
                    self._heard = command
                    return Wants("wallet", command, "command", self._means.answer_s, after_ns=after_ns)
            else:
                time.sleep(LOOK_S)
            self._said = self._said or self._verdict()
            if self._said is not None and self._all_heard():
                told = self._said
                self.away()
                return told
        self._owes = False  # nor is it waited for any longer
        raise TimeoutError(f"neither a command nor a line in {self._log} within {limit_s:g} s")

    def _all_heard(self) -> bool:
        """All that it sent before its line has come: over the air the end has no answer, and a line in a file is faster."""
        card = self._card
        if card is None or not self._place.whole:
            return True
        over = not card.met.is_set() or card.left.is_set() or time.monotonic() > self._said_s + LEAVES_S
        return over and not card.asked

    def _written(self) -> int:
        """Bytes of its log."""
        return self._log.stat().st_size if self._log.exists() else 0

    def _line(self) -> bytes | None:
        """The next line, once all of it has come; a program may write it in parts."""
        if self._written() <= self._read_bytes:
            return None
        with self._log.open("rb") as file:
            file.seek(self._read_bytes)
            line, newline, _ = file.read().partition(b"\n")
        return line if newline else None

    def _verdict(self) -> Told | None:
        """The line that has come into its log, when it is whole. Raises LinkError for one that is none."""
        if self._written() <= self._read_bytes:
            return None
        after_ns = 0 if self._card is None else max(0, time.perf_counter_ns() - self._card.answered_ns)
        line = self._line()
        if line is None:
            return None
        self._read_bytes += len(line) + 1
        self.spoke, self._owes, self._said_s = True, False, time.monotonic()
        try:
            said = json.loads(line)
            return Told(
                str(said["code"]), str(said.get("text", "")), str(said.get("card_no", "")), str(said.get("for_whom", "")),
                bool(said.get("marked", False)), bool(said.get("receipt", False)), after_ns,
            )
        except (ValueError, LookupError, TypeError, AttributeError):
            right = '{"code": "0"}, one line of JSON for each card'
            raise LinkError(f"{self._log}: {line[:80]!r} is no verdict: {right}") from None

    def away(self) -> None:
        """The card is taken away. In the middle, the reader says so in a while, and that is not of the next card."""
        self._place.away()
        self._card = self._said = None
        until_s = time.monotonic() + self._means.answer_s
        while self._owes and self._line() is None and time.monotonic() < until_s:
            time.sleep(LOOK_S)
        self._owes = False

    def close(self) -> None:
        """Nobody tries it any more."""


def write_lists(folder: Path, lists: Sequence[bytes]) -> None:
    """Status lists, a file each, in place of those that were there. Raises LinkError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for number, raw in enumerate(lists, 1):
            put(folder / f"{number}.cbor", raw)
        for old in set(folder.glob("*.cbor")) - {folder / f"{number}.cbor" for number in range(1, len(lists) + 1)}:
            old.unlink()
    except OSError as e:
        raise LinkError(f"the reader's status lists: {e.filename or folder}: {e.strerror or e}") from e


__all__ = ["RealReader", "ReaderBefore", "write_lists"]
