"""A reader that engages our scripted phone by a tap and meets it over Bluetooth after that, as device under test.

``nfc:PATH + ble:TRANSPORT``: the phone's tag is in the field at PATH; once it has been read whole, the phone can be met at the
Bluetooth controller TRANSPORT, as bumble names it. It leaves the field when the reader has come over Bluetooth.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from enum import Enum
from pathlib import Path
from queue import Empty

from bench.reach import Means
from bench.reach.card_places import Brought, InField
from bench.reach.reader import LOOK_S, RealReader
from bench.reach.reader_by_code import ROLE, OnAir
from conformance.kinds.reader import LONGEST_S
from conformance.references.reader import Told, Wants
from conformance.scripted import TAP
from conformance.tester import CannotShow
from virtual_devices.link import Outcome
from virtual_devices.mdoc import engagement

NOT_FOUND = b"\x6a\x82"
"""What the phone says in the field to whom it has led away."""


class _At(Enum):
    """Where the phone is."""

    FIELD = "its tag is read"
    LED = "the reader has been led away"
    AIR = "it is met over Bluetooth"


class ReaderTapped(RealReader):
    """The reader. ``field``: where the tag is; ``air``: where it goes on."""

    def __init__(self, field: InField, air: OnAir, means: Means, log: Path) -> None:
        super().__init__(field, TAP, means, log)
        self._field, self._air = field, air
        self._leads: Callable[[], bytes | None] = lambda: None
        self._at = _At.FIELD
        self._tag: Brought | None = None  # in the field, while the reader is expected elsewhere
        self._address = b""

    def leads(self, to: Callable[[], bytes | None]) -> None:
        """Where the tag of the card that comes next leads a reader (:meth:`conformance.scripted.ScriptedCard.leads_to`)."""
        self._leads = to

    def answer(self, outcome: Outcome, reply: bytes | None) -> Wants | Told:
        if self._at is _At.LED:
            return self._connection(outcome)
        if self._at is _At.FIELD and outcome is Outcome.REPLIED and (address := self._leads()) is not None:
            assert self._card is not None
            self._carries(reply or b"")
            self._card.answers.put(reply)
            self._at, self._address, self._tag, self._card = _At.LED, address, self._card, None
            return Wants(ROLE, address, "connect", self._means.answer_s, connect=True)
        return super().answer(outcome, reply)

    def _connection(self, outcome: Outcome) -> Wants | Told:
        """The reader connects, and its first message; or nobody is there, or has gone as soon as it was met."""
        limit_s = self._means.answer_s
        if outcome is Outcome.TIMED_OUT:
            return self._next(limit_s + LONGEST_S)
        if outcome not in (Outcome.REPLIED, Outcome.GONE):
            raise CannotShow(f"the bench's own end of this medium makes no connection {outcome.value.replace('_', ' ')}")
        self._air.engaged = engagement.read(self._address)
        card = Brought(lambda: b"", connects=True)
        self._air.bring(card)
        self._card, self._place, self._at = card, self._air, _At.AIR
        until_s = time.monotonic() + limit_s
        while not card.met.is_set() and self._written() <= self._read_bytes:
            self._check()
            if time.monotonic() > until_s:
                raise TimeoutError(f"the reader has not come over Bluetooth within {limit_s:g} s")
            time.sleep(LOOK_S)
        self._field.away()
        self._tag = None
        if outcome is Outcome.GONE:
            self._air.away()
        return self._next(limit_s)

    def _check(self) -> None:
        """Whoever still asks in the field is told that nothing is there."""
        super()._check()
        while self._tag is not None:
            with suppress(Empty):
                self._tag.commands.get_nowait()
                self._tag.answers.put(NOT_FOUND)
                continue
            break

    def away(self) -> None:
        super().away()
        self._air.away()
        self._field.away()
        self._place, self._at, self._tag = self._field, _At.FIELD, None


__all__ = ["ReaderTapped"]
