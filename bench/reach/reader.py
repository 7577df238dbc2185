"""A reader (讀卡機) as device under test: our scripted card is brought into its field over NFC, and what it says of it is read.

``nfc:PATH`` is where our card is, as ``vhc-bench present nfc --path PATH`` has it. The reader trusts the authority of ``--seed``.
A person has it read the card, or it does so by itself; its verdict is a line of its log (PIXIT ``log``), JSON for each card:

    {"code": "0", "text": "", "card_no": "000012345678", "for_whom": "", "marked": false, "receipt": false}

Only ``code`` must be there. Each command has ``answer_s`` to come after the answer before it, and the line after the last one.
"""

from __future__ import annotations

import json
import queue
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

from bench.clock import WallClock
from bench.hands import Step
from bench.monikers import Kind as Medium
from bench.monikers import Moniker
from bench.presenters.nfc import NfcPresenter
from bench.presenters.nfc_radio import open_radio
from bench.reach import Means, RealWay
from bench.sample_phone import phone_epoch_ns
from conformance.kinds import Suite
from conformance.references.reader import Task, Told, Wants
from conformance.tester import CannotShow, Tester
from conformance.vectors.world import World
from virtual_devices.authorization import Purpose, Scope
from virtual_devices.errors import LinkError
from virtual_devices.link import Outcome
from virtual_devices.pki import Authority
from virtual_devices.randomness import ByteStream
from virtual_devices.wallet.faces import NFC_ATR

LOOK_S = 0.02
GAP_S = 2.0
"""So long nothing lies in the field between two cards, so that a reader that reads by itself notices."""
ASKED = {
    Task.REGISTER: "register a visit (掛號)", Task.CONSULT: "read medical data, with a professional's card (看診)",
    Task.COLLECT: "read prescriptions, at a pharmacy (領藥)", Task.WRITE: "write the record of a visit (寫入就醫紀錄)",
}


class ReaderBefore(RealWay):
    """A reader before whose field our card lies."""

    def __init__(self, suite: Suite, found: Sequence[Moniker], channel: str, means: Means) -> None:
        super().__init__(suite, found, channel, means)
        self._reader: RealReader | None = None

    @classmethod
    def channels(cls, suite: Suite, found: Sequence[Moniker]) -> tuple[str, ...]:
        in_field = [one.kind for one in found] == [Medium.NFC]
        return tuple(c for c in suite.channels if in_field and c == "nfc")

    def tester(self, name: str, *, anew: bool = False) -> Tester:
        del anew
        self.close()
        self.ours = True  # the card is an invented person's
        now_ns = WallClock().now_ns()
        epoch_ns = phone_epoch_ns(now_ns)
        world = World(self.means.seed, now_ns, epoch_ns, trusted=Authority(self.means.seed, epoch_ns), once=f"{now_ns} {name}")
        self._reader = self._reader or RealReader(self.found[0].where, self.means, self._log())
        return self.tested(self._reader, world, name)

    def _log(self) -> Path:
        said = self.means.answers.get("log")
        if not isinstance(said, str) or not said:
            raise LinkError('how the reader\'s verdict is seen is not said: give log = "FILE" in the PIXIT (--pixit), a file to '
                            "which it writes a line of JSON for each card")
        return Path(said)

    def said(self, role: str) -> str:
        return ""

    def close(self) -> None:
        if self._reader is not None:
            self._reader.away()


class RealReader:
    """The reader (:class:`conformance.kinds.reader.ReaderUnderTest`). ``path``: where our card is; ``log``: what it says."""

    channel = "nfc"

    def __init__(self, path: str, means: Means, log: Path) -> None:
        self._path, self._means, self._log = path, means, log
        self._clock = WallClock()
        self._card: _Card | None = None
        self._presenter: NfcPresenter | None = None
        self._thread: threading.Thread | None = None
        self._read_bytes = 0
        self._left_s = time.monotonic() - GAP_S

    def now_ns(self) -> int:
        return self._clock.now_ns()

    # -- what nobody can have it do

    def at(self, now_ns: int) -> NoReturn:
        raise CannotShow("nobody moves this reader's clock")

    def take_lists(self, lists: Sequence[bytes]) -> None:
        """It has those of its own data centre."""

    def show_challenge(self) -> NoReturn:
        raise CannotShow("codes go to its camera, and this one is tried over NFC")

    def scan(self, text: str, scope: frozenset[Scope], purpose: Purpose) -> NoReturn:
        raise CannotShow("codes go to its camera, and this one is tried over NFC")

    # -- a card before it

    def begin(self, task: Task) -> Wants | Told:
        """The card comes into the field, and the person has the reader read it: its first command. Raises CannotShow when that
        does not come in time."""
        self.away()
        hands = self._means.hands
        if hands.why_none and task is not Task.REGISTER:
            raise CannotShow(f"somebody has to have it {task.value}: {hands.why_none}")
        card = self._into_field()
        limit_s = self._means.person_s
        if not hands.why_none and not hands.ask(Step.READ, limit_s, lambda: card.asked, about=f"to {ASKED[task]}"):
            raise CannotShow(f"nobody had the reader {task.value} within {limit_s:g} s", open=True)
        until_s = time.monotonic() + limit_s
        while not card.asked:
            if time.monotonic() > until_s:
                raise CannotShow(f"the reader did not look at the card within {limit_s:g} s", open=True)
            time.sleep(LOOK_S)
        self._read_bytes = self._log.stat().st_size if self._log.exists() else 0
        return self._next()

    def answer(self, outcome: Outcome, reply: bytes | None) -> Wants | Told:
        """The answer to it, and its next command or its verdict. Raises TimeoutError when neither comes in time."""
        assert self._card is not None
        self._card.answers.put(reply if outcome is Outcome.REPLIED else None)
        if outcome is Outcome.GONE:
            self._out_of_field()
        return self._next()

    def _next(self) -> Wants | Told:
        assert self._card is not None
        answer_s = self._means.answer_s
        until_s = time.monotonic() + answer_s
        while time.monotonic() < until_s:
            with suppress(queue.Empty):
                command = self._card.commands.get(timeout=LOOK_S)
                return Wants("wallet", command, "command", answer_s)
            if (told := self._verdict()) is not None:
                self.away()
                return told
        raise TimeoutError(f"neither a command nor a line in {self._log} within {answer_s:g} s")

    def _verdict(self) -> Told | None:
        """The line that has come into its log, when it is whole. Raises LinkError for one that is none."""
        if not self._log.exists() or self._log.stat().st_size <= self._read_bytes:
            return None
        with self._log.open("rb") as file:
            file.seek(self._read_bytes)
            line, newline, _ = file.read().partition(b"\n")
        if not newline:
            return None
        self._read_bytes += len(line) + 1
        try:
            said = json.loads(line)
            return Told(
                str(said["code"]), str(said.get("text", "")), str(said.get("card_no", "")), str(said.get("for_whom", "")),
                bool(said.get("marked", False)), bool(said.get("receipt", False)),
            )
        except (ValueError, LookupError, TypeError, AttributeError):
            right = '{"code": "0"}, one line of JSON for each card'
            raise LinkError(f"{self._log}: {line[:80]!r} is no verdict: {right}") from None

    # -- the field

    def _into_field(self) -> _Card:
        time.sleep(max(0.0, self._left_s + GAP_S - time.monotonic()))
        self._card = card = _Card(self._means.answer_s)
        self._presenter = presenter = NfcPresenter(lambda: card, open_radio(self._path), ByteStream("UIDs", time.time_ns()))
        self._thread = threading.Thread(target=presenter.run, daemon=True)
        self._thread.start()
        return card

    def _out_of_field(self) -> None:
        if self._presenter is not None and self._thread is not None:
            self._presenter.stop()
            self._thread.join()
            self._left_s = time.monotonic()
        self._presenter = self._thread = None

    def away(self) -> None:
        """The card is taken away."""
        if self._card is not None:
            self._card.answers.put(None)
        self._out_of_field()
        self._card = None


class _Card:
    """What lies in the field: its answers come from the case (:class:`virtual_devices.link.Device`)."""

    atr = NFC_ATR

    def __init__(self, answer_s: float) -> None:
        self.commands: queue.Queue[bytes] = queue.Queue()
        self.answers: queue.Queue[bytes | None] = queue.Queue()
        self._answer_s = answer_s

    @property
    def asked(self) -> bool:
        return not self.commands.empty()

    def power_on(self) -> bytes:
        return NFC_ATR

    def handle(self, request: bytes, now_ns: int) -> bytes:
        """Silence where the case has none."""
        del now_ns
        self.commands.put(request)
        with suppress(queue.Empty):
            return self.answers.get(timeout=self._answer_s) or b""
        return b""

    def power_off(self) -> None:
        return


__all__ = ["RealReader", "ReaderBefore"]
