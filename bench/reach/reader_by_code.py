"""A reader over Bluetooth as device under test: the code of our scripted phone stands in a picture, and the phone is met by it.

``qr:PATH + ble:TRANSPORT``: the picture is written to PATH, for the reader's camera or on a screen before it; TRANSPORT is the
controller of the phone, as bumble names it (``vhc-bench present ble --transport``). The picture is there while there is a phone.
A card's own code (P-QRC) is shown in the same way.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from enum import Enum
from pathlib import Path

import segno

from bench.files import write
from bench.presenters.ble import BlePresenter
from bench.presenters.serve import Rows
from bench.reach import Means
from bench.reach.card_places import Brought, Place, Presenter
from bench.reach.radio import PhoneOnAir
from bench.reach.reader import RealReader
from bench.reach.reader_on_air import OwnRadio
from conformance.kinds.reader import LONGEST_S
from conformance.references.reader import Power, Task, Told, Wants
from conformance.tester import CannotShow
from conformance.vectors.pictures import png
from virtual_devices.authorization import Purpose, Scope
from virtual_devices.link import Outcome
from virtual_devices.mdoc import ble_options, engagement, session
from virtual_devices.mdoc.ble_gatt import Mode
from virtual_devices.mdoc.ble_options import MalformedBleOptions
from virtual_devices.mdoc.engagement import Engagement
from virtual_devices.mdoc.tagged import MalformedMdoc
from virtual_devices.wallet.faces import SCAN

ROLE, SCREEN = "wallet", "screen"
NOTHING_SAID = "the reader said nothing of the code: it may overlook what is no code of a card"


class OnAir(Place):
    """In reach of a reader over Bluetooth, behind an engagement; ``show`` is called when the phone can be met."""

    hangs = False
    whole = True
    most_bytes = session.MAX_MESSAGE_BYTES
    too_long = "the bench's own end of a Bluetooth link sends no message above 64 KiB"

    def __init__(self, transport: str, gap_s: float) -> None:
        super().__init__(gap_s)
        self.transport = transport
        self.engaged: Engagement | None = None
        self.show: Callable[[], None] = lambda: None

    def _made(self, card: Brought) -> Presenter:
        return BlePresenter(lambda: card, self.transport, lambda _: self._met(), rows=Rows(card.carried))

    def _met(self) -> Engagement:
        assert self.engaged is not None
        self.show()
        if self._card is not None and not self._card.first_ns:  # it is shown again when a session has ended
            self._card.brought_ns = time.perf_counter_ns()
        return self.engaged


class _Next(Enum):
    """What the case is asked for next."""

    CODE = "the code on the screen"
    CONNECTION = "whether there is a phone behind it"
    MESSAGE = "a message"


class ReaderByCode(RealReader):
    """The reader. ``code``: where the picture goes."""

    def __init__(self, place: OnAir, code: Path, means: Means, log: Path) -> None:
        super().__init__(place, "ble", means, log)
        self._air, self._code = place, code
        self._task = Task.REGISTER
        self._text = ""
        self._asked = _Next.CODE
        self._radio = OwnRadio(place.transport, means.env)
        self._over_air: PhoneOnAir | None = None
        self._air_told: Told | None = None
        self._gone_s = 0.0  # when the last picture went

    def begin(self, task: Task, power: Power | None) -> Wants | Told:
        """It wants the code: the picture is shown when the phone behind it can be met."""
        self.away()
        self._can(task)
        self._task, self._asked = task, _Next.CODE
        return Wants(SCREEN, SCAN, "scan QR code", self._means.answer_s)

    def answer(self, outcome: Outcome, reply: bytes | None) -> Wants | Told:
        match self._asked:
            case _Next.CODE:
                if reply is None:
                    raise CannotShow("a screen without a code says nothing that a reader could take for a phone")
                return self._shown(reply)
            case _Next.CONNECTION:
                self._asked = _Next.MESSAGE
                return self._connection(outcome)
            case _:
                return super().answer(outcome, reply)

    def _shown(self, text: bytes) -> Wants | Told:
        self._text = text.decode("latin-1")
        self._air.engaged = engaged = _over_bluetooth(self._text)
        if engaged is None:
            return self._of_a_code(self._task)
        self._asked = _Next.CONNECTION
        return Wants(ROLE, engaged.raw, "connect", self._means.answer_s, connect=True)

    def _connection(self, outcome: Outcome) -> Wants | Told:
        """The reader connects, and its first message; or nobody is there, or has gone as soon as it was met."""
        limit_s = self._means.answer_s
        self._read_bytes = self._written()
        if outcome not in (Outcome.REPLIED, Outcome.GONE, Outcome.TIMED_OUT):
            raise CannotShow(f"the bench's own end of this medium makes no connection {outcome.value.replace('_', ' ')}")
        if outcome is Outcome.TIMED_OUT:
            limit_s += LONGEST_S
            self._put()
            self._person(self._task, lambda: self._written() > self._read_bytes)
            return self._next(limit_s)
        self._radio.close()
        card = self._card = self._shown_last = Brought(lambda: b"", connects=True)
        self._air.show = self._put
        self._air.bring(card)
        self._read(self._task, lambda: card.met.is_set() or self._written() > self._read_bytes)
        if outcome is Outcome.GONE:
            self._air.away()
        return self._next(limit_s)

    def scan(self, text: str, scope: frozenset[Scope], purpose: Purpose) -> Told:
        """A card's own code, which the reader looks at for the sake of a visit."""
        self.away()
        if scope != {Scope.BASIC} or purpose is not Purpose.CARE:
            raise CannotShow("nobody tells the reader for what it is to look at a code")
        if not text:
            raise CannotShow("there is no code to be shown")
        self._text = text
        return self._of_a_code(Task.REGISTER)

    def _of_a_code(self, task: Task) -> Told:
        """What it says of a code behind which no phone is. Raises CannotShow when it says nothing."""
        self._read_bytes = self._written()
        self._put()
        self._person(task, lambda: self._written() > self._read_bytes)
        try:
            told = self._next(self._means.answer_s)
        except TimeoutError:
            raise CannotShow(NOTHING_SAID, open=True) from None
        assert isinstance(told, Told)
        return told

    def _put(self) -> None:
        """The picture, when none has been there for as long as the reader takes to notice."""
        try:
            picture = png(self._text)
        except segno.DataOverflowError:
            raise CannotShow("no picture holds so long a text") from None
        time.sleep(max(0.0, self._gone_s + self._means.gap_s - time.monotonic()))
        write(self._code, picture)

    # -- value by value

    def radio(self, text: str, mode: Mode, task: Task = Task.REGISTER) -> PhoneOnAir | Told:
        """The code is shown when the phone can be met: the reader's end, or what it says where nobody can be met behind it."""
        self.away()
        self._can(task)
        self._text, self._air_told = text, None
        engaged = _over_bluetooth(text)
        method = None if engaged is None else engaged.method(engagement.BLE)
        service = None if method is None else ble_options.parse(list(method)).service(mode)
        if service is None:
            self._air_told = self._of_a_code(task)
            return self._air_told
        self._read_bytes = self._written()

        def show() -> None:
            self._put()
            self._person(task, lambda: self._written() > self._read_bytes)

        self._over_air = self._radio.reader(mode, service, self._means.answer_s, show)
        return self._over_air

    def told_on_air(self) -> Told | None:
        """What it said of the card that it met value by value; None: nothing in time."""
        if self._over_air is not None:
            self._over_air.over()
            self._over_air = None
            try:
                told = self._next(self._means.answer_s)
            except TimeoutError:
                return None
            assert isinstance(told, Told)
            self._air_told = told
        return self._air_told

    def away(self) -> None:
        """What it says late of a card is of that card."""
        self._radio.leave()
        if self._over_air is not None:
            self.told_on_air()
        super().away()
        if self._code.exists():
            self._code.unlink(missing_ok=True)
            self._gone_s = time.monotonic()

    def close(self) -> None:
        self._radio.close()


def _over_bluetooth(text: str) -> Engagement | None:
    """The engagement in a code, where it offers a way over Bluetooth; None: nobody could be met by it."""
    try:
        found = engagement.read_qr(text)
        method = found.method(engagement.BLE)
        return found if method is not None and ble_options.parse(list(method)).modes else None
    except (MalformedMdoc, MalformedBleOptions):
        return None


__all__ = ["OnAir", "ReaderByCode"]
