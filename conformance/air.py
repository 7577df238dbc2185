"""The other side of a device's Bluetooth connection: a right stack, and a peer that says value by value what a case wants."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol, cast
from uuid import UUID

from conformance.tester import Tester
from virtual_devices.flow import Flow
from virtual_devices.link import Outcome
from virtual_devices.mdoc.ble_chunks import WANTED_MTU, Assembler, MalformedChunk, chunks, value_bytes
from virtual_devices.mdoc.ble_events import (
    Advertise,
    Connected,
    Disconnect,
    Discover,
    Discovered,
    Event,
    IdentRead,
    MtuAgreed,
    Notified,
    Notify,
    Output,
    ReadIdent,
    RequestMtu,
    Scan,
    Subscribe,
    Subscribed,
    Write,
    Written,
)
from virtual_devices.mdoc.ble_gatt import (
    STATE_END,
    STATE_START,
    GattRole,
    Mode,
    Name,
    Property,
    characteristics,
    ident,
)
from virtual_devices.reader.proximity import Engaged
from virtual_devices.reader.transmit import READ_WRITE_FAULT, Ended

Values = Mapping[UUID, frozenset[Property]]


class End(Protocol):
    """A device's end: what its stack is told, and what it wants done."""

    def start(self) -> Iterable[Output]: ...

    def handle(self, event: Event) -> Iterable[Output]: ...


class EndOnAir(End, Protocol):
    """That of a device on a real medium: what it does is seen as it comes."""

    def prepare(self, peer: Peer) -> None:
        """All that the peer is to be, before it begins. Raises CannotShow for what no stack can be."""
        ...

    def more(self, *, quiet: bool) -> Iterable[Output]:
        """What comes next; nothing where nothing comes in the time that an answer has, or (``quiet``) for a while."""
        ...


@dataclass
class Peer:
    """The other end, of one connection. ``role``: the device's own. ``mtu``: what is agreed. ``found``: the characteristics that
    it has, ``ident``: their Ident, where the peer is the server. ``hold``: what of the usual steps it leaves out.
    ``mtu_matters``: no other ``mtu`` will do."""

    tester: Tester
    end: End
    mode: Mode
    role: GattRole
    device_key_bytes: bytes
    mtu: int = WANTED_MTU
    found: Values | None = None
    ident: bytes | None = None
    hold: frozenset[type] = frozenset()
    done: list[Output] = field(default_factory=list)
    values: list[tuple[Name, bytes]] = field(default_factory=list)
    messages: list[bytes] = field(default_factory=list)
    left: bool = False
    mtu_matters: bool = False
    _incoming: Assembler = field(default_factory=Assembler)

    def begin(self) -> None:
        """The device advertises or scans, is found, and the connection is made ready by both, up to its State 01 (a device that
        is the server hears it)."""
        on_air = self._on_air
        if on_air is not None:
            on_air.prepare(self)
        self.take(self._asked(self.end.start))
        self.tell(Connected(), MtuAgreed(self.mtu)) if self.role is GattRole.SERVER else self.tell(Connected())
        if self.role is GattRole.SERVER and Subscribed not in self.hold:
            self.tell(Subscribed(Name.STATE), Subscribed(Name.SERVER_TO_CLIENT))
            if Write not in self.hold:
                self.value(Name.STATE, STATE_START)
        elif self.role is GattRole.CLIENT:
            self.settle(lambda: STATE_START in self.state)

    @property
    def _on_air(self) -> EndOnAir | None:
        return cast(EndOnAir, self.end) if hasattr(self.end, "more") else None

    def settle(self, done: Callable[[], bool], *, quiet: bool = False) -> None:
        """Until that is so, or the device has left, or its time is over; a virtual one has done at once what it does.
        ``quiet``: for a while in which nothing should come."""
        while self._on_air is not None and not (self.left or done()):
            came = tuple(self._on_air.more(quiet=quiet))
            if not came:
                return
            self.take(came)

    def hush(self) -> None:
        """A while in which the device can say what it should not."""
        self.settle(lambda: False, quiet=True)

    def tell(self, *events: Event) -> None:
        for event in events:
            self.take(self._asked(partial(self.end.handle, event)))

    def _asked(self, do: Callable[[], Iterable[Output]]) -> Iterable[Output]:
        """That the device's end goes on is a check."""
        try:
            return do()
        except TimeoutError as e:
            self.tester.expect("the device takes what its stack tells it", False, "what is to be done", str(e) or "silence")
            raise AssertionError("unreachable") from None

    def value(self, name: Name, value: bytes) -> None:
        """A value of the peer's, on that characteristic."""
        self.tell((Written if self.role is GattRole.SERVER else Notified)(name, value))

    def data(self, value: bytes) -> None:
        """A value where messages go."""
        self.value(Name.CLIENT_TO_SERVER if self.role is GattRole.SERVER else Name.SERVER_TO_CLIENT, value)

    def take(self, outputs: Iterable[Output]) -> None:
        """What the device wants done; a right stack does it, and tells it so."""
        for output in outputs:
            self.done.append(output)
            match output:
                case Write(row, value) | Notify(row, value):
                    self._heard(row.name, value)
                case RequestMtu() if RequestMtu not in self.hold:
                    self.tell(MtuAgreed(self.mtu))
                case Discover():
                    rows = {row.uuid: row.properties for row in characteristics(self.mode)}
                    self.tell(Discovered(rows if self.found is None else self.found))
                case ReadIdent():
                    self.tell(IdentRead(ident(self.device_key_bytes) if self.ident is None else self.ident))
                case Subscribe(row) if Subscribe not in self.hold:
                    self.tell(Subscribed(row.name))
                case Disconnect():
                    self.left = True
                case _:
                    pass

    def _heard(self, name: Name, value: bytes) -> None:
        self.values.append((name, value))
        if name is not Name.STATE:
            try:
                whole = self._incoming.feed(value, max(self.mtu, 23))
            except MalformedChunk as e:
                self.tester.expect("the device's chunk is a right one", False, "one", f"{e.problem.value}: {len(value)} bytes")
                raise AssertionError("unreachable") from None
            if whole is not None:
                self.messages.append(whole.content)

    def say(self, message: bytes, *, size: int = 0, quiet: bool = False) -> bytes | None:
        """A whole message, in full chunks or in such that bring ``size`` bytes; the device's answer, None when there is none.
        ``quiet``: as there should be."""
        had = len(self.messages)
        if size:
            pieces = [message[at : at + size] for at in range(0, len(message), size)]
            cut = [b"\1" + piece for piece in pieces[:-1]] + [b"\0" + pieces[-1]]
        else:
            cut = list(chunks(message, self.mtu))
        for value in cut:
            self.data(value)
        self.settle(lambda: len(self.messages) > had, quiet=quiet)
        return self.messages[had] if len(self.messages) > had else None

    @property
    def late(self) -> Outcome | None:
        """How a device on a real medium fell silent."""
        if self._on_air is None:
            return None
        return Outcome.GONE if self.left else Outcome.TIMED_OUT

    @property
    def state(self) -> list[bytes]:
        """The device's own values of State."""
        return [value for name, value in self.values if name is Name.STATE]

    def need_open(self) -> None:
        """What a case begins from."""
        opened = self.role is GattRole.SERVER or STATE_START in self.state
        self.tester.need("the connection is ready for messages", opened and not self.left, self.state)

    def refused(self, *, told: bool) -> None:
        """The device has let go of a peer that broke a rule, and said State 02 where the peer could hear it."""
        self.settle(lambda: self.left)
        self.tester.expect("the device disconnects", self.left, "disconnected", "connected")
        self.tester.equal("State 02 before it", STATE_END in self.state, told)


@dataclass(frozen=True)
class AirChannel:
    """Session messages over that connection (:class:`virtual_devices.reader.proximity.Channel`). ``size``: of the chunks."""

    peer: Peer
    size: int = 0

    def open(self, engaged: Engaged) -> Flow[None]:
        yield from ()

    def exchange(self, message: bytes, step: str, timeout_s: float = 10.0) -> Flow[bytes]:
        yield from ()
        if self.peer.left:
            raise Ended("the device has disconnected", READ_WRITE_FAULT, "wallet")
        said = self.peer.say(message, size=self.size)
        if said is None and self.peer.late is not None:
            raise Ended(self.peer.late.value, READ_WRITE_FAULT, "wallet", outcome=self.peer.late)
        return said or b""


# -- what is to be seen of it

def expect_full_chunks(peer: Peer) -> None:
    """The device's chunks are as long as the link allows, the last one too short or full, each with its first byte."""
    name = Name.SERVER_TO_CLIENT if peer.role is GattRole.SERVER else Name.CLIENT_TO_SERVER
    values = [value for where, value in peer.values if where is name]
    most = value_bytes(peer.mtu)
    peer.tester.need("the message takes several chunks", len(values) > 1, len(values))
    peer.tester.equal("bytes of all chunks but the last", {len(value) for value in values[:-1]}, {most})
    peer.tester.expect("bytes of the last", 1 <= len(values[-1]) <= most, f"1 to {most}", len(values[-1]))
    peer.tester.equal("first bytes", [value[0] for value in values], [1] * (len(values) - 1) + [0])


def expect_right_beginning(peer: Peer, service: UUID) -> None:
    """Up to State 01 the device has done what its role does, in its order."""
    acted = [output for output in peer.done if not isinstance(output, Write | Notify)]
    if peer.role is GattRole.SERVER:
        advertised = [output for output in acted if isinstance(output, Advertise)]
        peer.tester.equal("services advertised", [one.service for one in advertised], [service])
        peer.tester.equal("its characteristics", set(advertised[0].characteristics), set(characteristics(peer.mode)))
        return
    kinds = [type(output) for output in acted]
    wanted = [Scan, RequestMtu, Discover, *([ReadIdent] if peer.mode is Mode.CENTRAL_CLIENT else []), Subscribe, Subscribe]
    peer.tester.equal("what it did", [kind.__name__ for kind in kinds if kind in wanted], [kind.__name__ for kind in wanted])
    peer.tester.equal("the service sought", {one.service for one in acted if isinstance(one, Scan | Discover)}, {service})
    peer.tester.equal("ATT_MTU asked for", {one.mtu for one in acted if isinstance(one, RequestMtu)}, {WANTED_MTU})
    subscribed = {one.characteristic.name for one in acted if isinstance(one, Subscribe)}
    peer.tester.equal("what it listens to", subscribed, {Name.STATE, Name.SERVER_TO_CLIENT})
    peer.tester.equal("its first value", peer.values[:1], [(Name.STATE, STATE_START)])


__all__ = ["AirChannel", "End", "EndOnAir", "Peer", "Values", "expect_full_chunks", "expect_right_beginning"]
