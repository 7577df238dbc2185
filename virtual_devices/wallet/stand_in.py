"""A stand-in for the virtual card, until the wallet exists: a link of stated times that carries no content.

What it takes to present a virtual card at a counter is modelled; what would be said is not. Rows name the device
``stand-in``, and reports repeat that nothing here was a virtual card's own behaviour. The data centre's side, the sequence
number of a virtual card (W001 to W999) and the upload, is real.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

from virtual_devices.checks import bounded, check
from virtual_devices.clock import seconds
from virtual_devices.flow import Ask, Exchange, Flow
from virtual_devices.link import Attempt, Outcome, Provenance
from virtual_devices.network import Delay
from virtual_devices.reader.authenticate import sam_of
from virtual_devices.reader.calls import call
from virtual_devices.reader.desk import Desk
from virtual_devices.reader.transmit import Ended
from virtual_devices.reader.visit import SECOND_DEPARTMENT, VisitRequest

PRESENT, WRITE = b"present", b"write"
TAPS = 3


@dataclass(frozen=True, slots=True)
class NfcModel:
    """Assumed times of a phone at a contactless reader, and the share of taps that fail (moved away too early)."""

    present: Delay = field(default_factory=lambda: Delay(900.0, 2200.0))
    """Presenting the card at registration, one tap."""
    write: Delay = field(default_factory=lambda: Delay(450.0, 1100.0))
    """Handing the record to the phone at the end of the visit, one tap."""
    failed_taps: float = bounded(0.06, ge=0, le=1)
    """Share of taps that fail, from 0 to 1."""

    def __post_init__(self) -> None:
        check(self)


class StandInLink:
    """The phone's side of the counter, as times and failed taps."""

    channel = "nfc"
    device = "stand-in"
    provenance = Provenance.MODELLED

    def __init__(self, model: NfcModel, rng: Random) -> None:
        self._model = model
        self._rng = rng

    def attempt(self, message: bytes, timeout_s: float) -> Attempt:
        duration_ns = (self._model.write if message == WRITE else self._model.present).draw_ns(self._rng)
        if self._rng.random() < self._model.failed_taps:
            return Attempt(Outcome.GONE, min(duration_ns // 2, seconds(timeout_s)))
        if duration_ns > seconds(timeout_s):
            return Attempt(Outcome.TIMED_OUT, seconds(timeout_s))
        return Attempt(Outcome.REPLIED, duration_ns, b"")


@dataclass(frozen=True, slots=True)
class VirtualVisit:
    """A visit registered with the stand-in. ``sequence`` and ``identifier`` are empty when the line was down."""

    request: VisitRequest
    sequence: str
    identifier: str
    notice: str


def tap(message: bytes, step: str) -> Flow[None]:
    """Hold the phone to the reader, again when it was moved away. Raises Ended 4013 after three taps."""
    for number in range(TAPS):
        if number:
            yield Ask("holder", "tap again")
        attempt: Attempt = yield Exchange("wallet", message, 10.0, step)
        if attempt.outcome is Outcome.REPLIED:
            return
    raise Ended("the phone could not be read", "4013", "wallet")


def register_virtual(desk: Desk, request: VisitRequest, card_no: str) -> Flow[VirtualVisit]:
    """Registration with a virtual card: presented, then the sequence number from the data centre."""
    yield from tap(PRESENT, "present virtual card")
    sam = yield from sam_of(desk)
    arguments = {"card_no": card_no, "visit_type": request.visit_type, "carrier": "virtual-card"}
    answer = yield from call(desk, sam, "begin-visit", request.request_id, arguments, "get sequence number online")
    if answer is None:
        return VirtualVisit(request, "", "", "0")
    if answer.code != "0":
        raise Ended("the data centre refuses the visit", answer.code, "cloud")
    body = answer.body
    notice = SECOND_DEPARTMENT if body.get("same_day") else "0"
    return VirtualVisit(request, str(body.get("sequence", "")), str(body.get("identifier", "")), notice)


def write_virtual() -> Flow[None]:
    """The record handed to the phone at the end of the visit."""
    yield from tap(WRITE, "write virtual card")
