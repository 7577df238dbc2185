"""A presented phone upon a stack that a test plays: what a reader leaves behind that comes and goes faster than anybody looks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import pytest

from bench.presenters import ble_tag
from bench.presenters.ble import BleTransport
from bench.presenters.ble_tag import TagInField
from bench.presenters.nfc_radio import UdpRadio
from bench.presenters.serve import Signal
from bench.stacks.ble_end import End
from virtual_devices.mdoc.ble import BleLink
from virtual_devices.mdoc.ble_events import Action, Advertise, Connected, Disconnected, Event, Subscribed, Written
from virtual_devices.mdoc.ble_gatt import STATE_START, Mode, Name, Side
from virtual_devices.mdoc.carriers import LeRole
from virtual_devices.mdoc.engagement import Engagement
from virtual_devices.randomness import ByteStream

from .ble_desk import toy_engagement

CAME: Sequence[Event] = (
    Connected(23), Subscribed(Name.STATE, True), Subscribed(Name.SERVER_TO_CLIENT, True),
)
BEGAN = Written(Name.STATE, STATE_START)


def says(message: bytes) -> Written:
    return Written(Name.CLIENT_TO_SERVER, b"\x00" + message)


class Hurried:
    """A server's stack. To each advertisement a reader comes who does all this in one turn of the event loop."""

    def __init__(self, does: Sequence[Event]) -> None:
        self._does = does
        self._tell: Callable[[Event], None] = lambda _: None

    def begin(self, tell: Callable[[Event], None]) -> None:
        self._tell = tell

    async def do(self, action: Action) -> Event | None:
        if isinstance(action, Advertise):
            for event in self._does:
                self._tell(event)
        return None

    def handle_of(self, name: Name) -> int:
        return 0

    async def close(self) -> None:
        await self.closes()

    async def closes(self) -> None:
        """At once."""


class Transport(BleTransport):
    """``readers``: what they do, one after the other."""

    def __init__(self, *readers: Sequence[Event]) -> None:
        self.said: list[str] = []
        super().__init__("played", self.said.append)
        self.shown: list[Engagement] = []
        self.engage = self._show
        self._readers = list(readers)

    def _show(self) -> Engagement:
        self.shown.append(toy_engagement(Mode.PERIPHERAL_SERVER))
        return self.shown[-1]

    async def _there(self) -> Any:
        class Radio:
            lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        return Radio

    def _make(self, radio: Any, shown: Engagement, mode: Mode, options: Any) -> End:
        machine = BleLink(mode, Side.MDOC, UUID(int=1, version=4), shown.key_bytes)
        self._ends.append(End(machine, self.stack(self._readers.pop(0))))
        return self._ends[-1]

    def stack(self, does: Sequence[Event]) -> Hurried:
        return Hurried(does)


class Disturbed(Transport):
    """Another phone is put in while the end of the one before is being closed, which takes its time."""

    def __init__(self, *readers: Sequence[Event]) -> None:
        super().__init__(*readers)
        self.log: list[str] = []

    def stack(self, does: Sequence[Event]) -> Hurried:
        transport = self

        class Slow(Hurried):
            async def do(self, action: Action) -> Event | None:
                transport.log.append(type(action).__name__)
                return await super().do(action)

            async def closes(self) -> None:
                transport.insert()
                for _ in range(50):
                    await asyncio.sleep(0)
                transport.log.append("closed")

        return Slow(does)


def test_session_that_ended_as_it_began_has_used_its_engagement_up() -> None:
    transport = Transport((*CAME, BEGAN, says(b"one"), Disconnected()), (*CAME, BEGAN, says(b"two"), says(b"three")))
    try:
        transport.insert()
        assert [transport.receive() for _ in range(3)] == [Signal.POWER_ON, b"one", Signal.LOST]
        assert transport.receive() is Signal.POWER_ON
        assert len(transport.shown) == 2 and transport.said == [
            "a reader has connected", "the session is lost", "a reader has connected"]
    finally:
        transport.close()


def test_connection_that_came_to_nothing_leaves_the_engagement() -> None:
    transport = Transport((*CAME, Disconnected()), (*CAME, BEGAN))
    try:
        transport.insert()
        assert transport.receive() is Signal.POWER_ON
        assert len(transport.shown) == 1 and transport.said == ["the session is lost", "a reader has connected"]
    finally:
        transport.close()


@pytest.mark.parametrize(("does", "told"), [
    pytest.param((*CAME, BEGAN, Disconnected()), [Signal.POWER_ON, Signal.LOST, Signal.POWER_ON], id="a-session"),
    pytest.param((*CAME, Disconnected()), [Signal.POWER_ON], id="a-connection-that-came-to-nothing"),
])
def test_phone_that_comes_while_another_is_put_away_is_served_after_that(does: Sequence[Event], told: list[Signal]) -> None:
    transport = Disturbed(does, (*CAME, BEGAN))
    try:
        transport.insert()
        assert [transport.receive() for _ in told] == told
        assert transport.log == ["Advertise", "closed", "Advertise"]
    finally:
        transport.close()


def test_everybody_who_waits_for_the_next_code_is_told_of_it() -> None:
    """Who put the phone in, and who asked for another code before that one was shown: nobody waits for ever."""
    transport = Transport((*CAME, BEGAN))
    told: list[str] = []
    try:
        transport.insert(lambda _: told.append("put in"))
        assert transport.anew(lambda _: told.append("another code"))
        assert transport.receive() is Signal.POWER_ON
        assert told == ["put in", "another code"] and len(transport.shown) == 1
    finally:
        transport.close()


def test_who_waits_for_a_code_of_a_phone_that_goes_is_told() -> None:
    transport = Transport((*CAME, BEGAN))
    told: list[str] = []

    def left() -> None:
        told.append("left")
        transport.stop()

    try:
        transport.insert()
        transport.anew(lambda _: told.append("another code"))
        transport.remove(left)
        assert transport.receive() is Signal.END
        assert told == ["another code", "left"] and transport.shown == []
    finally:
        transport.close()


@dataclass
class Phone:
    """As far as a tag knows it."""

    name: str
    negotiated = False
    turn: Any = field(default_factory=nullcontext)

    @property
    def phone(self) -> Phone:
        return self


class Led:
    """A tag whose reader is led on at its first command. ``between``: what happens while the face is made."""

    log: list[str]
    between: Callable[[], object]

    def __init__(self, phone: Phone, *_: object, meet: Callable[[Any], None], **__: object) -> None:
        self._name, self._meet = phone.name, meet
        Led.between()

    def handle(self, request: bytes, now_ns: int) -> bytes:
        Led.log.append(self._name)
        self._meet(lambda: toy_engagement(Mode.PERIPHERAL_SERVER))
        return b"\x90\x00"


@pytest.fixture
def tag(monkeypatch: pytest.MonkeyPatch) -> Iterator[TagInField]:
    monkeypatch.setattr(Led, "log", [], raising=False)
    monkeypatch.setattr(Led, "between", lambda: None, raising=False)
    monkeypatch.setattr(ble_tag, "TagFace", Led)
    made = TagInField(UdpRadio("127.0.0.1", 0), LeRole.PERIPHERAL_PREFERRED, ByteStream("taps"))
    yield made
    made.stop()


def test_tap_that_is_taken_up_before_it_is_told_leads_to_its_engagement(tag: TagInField) -> None:
    """The session before is just over: the phone engages anew by itself, after the tap and before it hears of it."""
    transport, phone = Transport((*CAME, BEGAN)), Phone("own")
    tag.engage(phone)  # type: ignore[arg-type]
    shown: list[Engagement | None] = []

    def engage() -> Engagement | None:
        if shown:
            transport.stop()
        else:
            tag.handle(b"", 0)
        shown.append(tag.engage(phone))  # type: ignore[arg-type]
        return shown[-1]

    transport.engage = engage
    tag.start(transport)
    try:
        transport.insert()
        assert transport.receive() is Signal.POWER_ON
        assert len(shown) == 1 and shown[0] is not None
    finally:
        transport.close()


def test_tap_of_a_phone_that_goes_meanwhile_does_not_lead_to_another(tag: TagInField) -> None:
    transport, own, other = Transport(), Phone("own"), Phone("other")
    transport.insert()
    tag.start(transport)
    tag.engage(own)  # type: ignore[arg-type]
    Led.between = lambda: tag.engage(other)  # type: ignore[arg-type]
    try:
        tag.handle(b"", 0)
        assert tag.engage(other) is None  # type: ignore[arg-type]
        tag.handle(b"", 0)
        assert tag.engage(other) is not None and Led.log == ["own", "other"]  # type: ignore[arg-type]
    finally:
        transport.close()
