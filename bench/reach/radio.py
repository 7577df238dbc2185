"""A phone met over Bluetooth value by value: what a peer of the suite's says is really written, and what comes is what it hears.

What the phone does is told as the actions of ISO/IEC 18013-5 by which it does it. Two of them are not seen but follow: a client
that subscribes has looked for the characteristics; and what ATT_MTU it asked for shows in the one that is agreed, no more.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterable, Sequence
from typing import Protocol

from bench.ble_values import Act, Happened, ValuesLink, rows_out
from bench.clock import WallClock
from bench.reach import CASE_S
from conformance.air import Peer
from conformance.tester import CannotShow
from virtual_devices.link import Outcome
from virtual_devices.mdoc.ble_chunks import MAX_VALUE_BYTES, MIN_MTU, WANTED_MTU, value_bytes
from virtual_devices.mdoc.ble_events import (
    Advertise,
    Connected,
    Disconnect,
    Disconnected,
    Discover,
    Discovered,
    Event,
    Failed,
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
    Characteristic,
    Direction,
    GattRole,
    Mode,
    Name,
    by_uuid,
    characteristic,
    characteristics,
    gatt_role,
    ident,
)
from virtual_devices.reader.transmit import READ_WRITE_FAULT, Ended
from virtual_devices.trace import ExchangeRow

QUIET_S = 0.4
"""So long nothing comes where nothing should: twenty times what a local stack takes to say something."""
NOT_SEEN = "a phone's own Bluetooth stack keeps it from its app: "
NO_SERVER = ("the Bluetooth service of this computer makes no GATT server of the bench, and in central client mode the phone is "
             "the client: a controller of the bench's own can be one, ble:bumble:usb:0")


class Code(Protocol):
    """The code on the screen: whether a session has used it."""

    def begun(self) -> None:
        """The bench's radio is ready."""
        ...

    def connected(self) -> None: ...

    def spoken(self) -> None: ...


class PhoneOnAir:
    """The phone's end (:class:`conformance.air.EndOnAir`), or that of a reader (``role``). ``answer_s``: longest wait for an
    answer; ``code``: what is told of the code on its screen."""

    def __init__(
        self, values: ValuesLink, mode: Mode, service: uuid.UUID, answer_s: float, code: Code, role: str = "wallet",
    ) -> None:
        """Raises CannotShow where the bench cannot be its peer in this mode."""
        if gatt_role(mode, values.side) is GattRole.SERVER and not values.serves:
            raise CannotShow(NO_SERVER)
        self._role = role
        self.said = ""
        self._values, self._mode, self._service = values, mode, service
        self._answer_s, self._code = answer_s, code
        self._peer: Peer | None = None
        self._clock = WallClock()
        self._until_s = time.monotonic() + CASE_S
        self._ready = self._gone = self._looked = False
        self._written: list[bytes] = []
        self._heard: list[bytes] = []
        self._since_ns, self._began_ns = self._clock.now_ns(), time.perf_counter_ns()

    # -- what a peer asks of it

    def prepare(self, peer: Peer) -> None:
        if peer.hold & {RequestMtu, Subscribe}:
            raise CannotShow("the peer's Bluetooth stack answers what it is asked, whatever lies above it")
        self._peer = peer

    def start(self) -> Iterable[Output]:
        """It is met, as client or as server."""
        peer, limit_s = self._met, self._answer_s
        self._must("begin", self._values.begin(self._mode, limit_s))
        if self._met.role is GattRole.SERVER:
            self._code.begun()
        return self._sought(peer, limit_s) if peer.role is GattRole.SERVER else self._awaited(peer, limit_s)

    def handle(self, event: Event) -> Iterable[Output]:
        """The peer's part in it."""
        match event:
            case Subscribed(name, True) if self._met.role is GattRole.SERVER:
                return self._did(self._values.do(Act.SUBSCRIBE, name=name))
            case Subscribed(name, False):
                return self._did(self._values.do(Act.UNSUBSCRIBE, name=name))
            case Written(name, value):
                self._sayable(name, value, Direction.TO_SERVER)
                return self._say(Act.WRITE, name, value)
            case Notified(name, value):
                self._sayable(name, value, Direction.TO_CLIENT)
                return self._say(Act.NOTIFY, name, value)
            case Failed():
                raise CannotShow("that an operation is refused happens between two Bluetooth stacks")
            case _:
                return ()  # the two stacks have done it

    def more(self, *, quiet: bool) -> Iterable[Output]:
        if self._gone:
            return ()
        left_s = self._until_s - time.monotonic()
        if left_s <= 0:
            raise CannotShow(f"what was said took more than {CASE_S:g} s, and the case was not over", open=True)
        found = self._seen(self._values.news(min(QUIET_S if quiet else self._answer_s, left_s)))
        if not found and not quiet:
            self._note(Outcome.TIMED_OUT)
        return found

    # -- the connection

    def _sought(self, peer: Peer, limit_s: float) -> Sequence[Output]:
        """The phone advertises and serves."""
        events = [*self._must("connect", self._values.do(Act.SCAN, limit_s, service=self._service))]
        self._code.connected()
        events += self._must("agree the ATT_MTU", self._values.do(Act.MTU, mtu=peer.mtu)) if peer.mtu > MIN_MTU else ()
        events += self._must("find the characteristics", self._values.do(Act.DISCOVER, service=self._service))
        self._agreed(next((e.mtu for e in reversed(events) if isinstance(e, MtuAgreed | Connected)), MIN_MTU))
        found = next((e.found for e in events if isinstance(e, Discovered)), {})
        rows = tuple(_row(key, self._mode, found[key]) for key in found)
        return Advertise(self._service, rows, None), *self._seen(Happened(tuple(events)))

    def _awaited(self, peer: Peer, limit_s: float) -> Sequence[Output]:
        """The phone looks for who advertises, and comes."""
        mine = {row.uuid: row.properties for row in characteristics(self._mode)} if peer.found is None else peer.found
        rows = [_row(key, self._mode, properties) for key, properties in mine.items()]
        value = ident(peer.device_key_bytes) if peer.ident is None else peer.ident
        found = [*self._must("advertise", self._values.do(
            Act.ADVERTISE, service=self._service, rows=rows_out(rows), ident=value, mtu=peer.mtu))]
        self._code.begun()
        until_s = time.monotonic() + limit_s
        while not any(isinstance(e, Connected) for e in found):
            left_s = until_s - time.monotonic()
            if left_s <= 0:
                self._fail("nobody connects to the service that the code names", Outcome.TIMED_OUT)
            found += self._must("wait", self._values.news(left_s))
        self._code.connected()
        return self._seen(Happened(tuple(found)))

    def _agreed(self, mtu: int) -> None:
        peer = self._met
        if peer.mtu_matters and value_bytes(mtu) != value_bytes(peer.mtu):
            raise CannotShow(f"the two Bluetooth stacks have agreed an ATT_MTU of {mtu} bytes, and the case is of {peer.mtu}")
        peer.mtu = mtu

    # -- values

    def _sayable(self, name: Name, value: bytes, way: Direction) -> None:
        """Raises CannotShow for what no app hears of."""
        if len(value) > MAX_VALUE_BYTES:
            raise CannotShow(f"{NOT_SEEN}a value above {MAX_VALUE_BYTES} bytes (Core volume 3 part F 3.2.9)")
        if characteristic(self._mode, name).direction not in (way, Direction.BOTH):
            raise CannotShow(f"{NOT_SEEN}a value on {name.value}, which has no property for it")

    def _say(self, act: Act, name: Name, value: bytes) -> Iterable[Output]:
        if self._gone:
            return ()
        if self._heard:
            self.over()
        self._written.append(value)
        return self._did(self._values.do(act, name=name, value=value))

    def _did(self, happened: Happened) -> Iterable[Output]:
        """What the bench's stack was told to do. That it could not, may be the connection's end, which is told soon."""
        outputs = [*self._seen(happened)]
        if (happened.trouble or happened.outcome is not Outcome.REPLIED) and not self._gone:
            outputs += self._seen(self._values.news(QUIET_S))
            if not self._gone:
                raise CannotShow(f"the bench's own Bluetooth stack does not do it: {happened.trouble}")
        return outputs

    def _must(self, what: str, happened: Happened) -> Sequence[Event]:
        if happened.trouble or happened.outcome is not Outcome.REPLIED:
            outcome = happened.outcome if happened.outcome is not Outcome.REPLIED else Outcome.GONE
            self._fail(f"{what}: {happened.trouble}", outcome)
        return happened.events

    def _fail(self, what: str, outcome: Outcome) -> None:
        self.said = what
        self._note(outcome)
        raise Ended(what, READ_WRITE_FAULT, self._role, outcome=outcome)

    # -- what it does

    def _seen(self, happened: Happened) -> Sequence[Output]:
        """Events of the bench's stack, as the phone's actions."""
        outputs: list[Output] = []
        for event in happened.events:
            outputs += self._as_actions(event)
        values = [output for output in outputs if isinstance(output, Write | Notify)]
        if any(value.characteristic.name is not Name.STATE for value in values):
            self._code.spoken()
        self._heard += [one.value for one in values]
        if self._gone:
            self._note(Outcome.REPLIED if self._heard else Outcome.GONE)
        return outputs

    def over(self) -> None:
        """What was said has been answered, or nothing more comes of it."""
        if self._written or self._heard:
            self._note(Outcome.REPLIED if self._heard else Outcome.TIMED_OUT)

    def _as_actions(self, event: Event) -> Iterable[Output]:
        client = self._met.role is GattRole.CLIENT
        match event:
            case Connected(mtu) if client:
                self._met.mtu = mtu
                return (Scan(self._service),)
            case MtuAgreed(mtu) if client:
                wanted = self._met.mtu_matters
                self._met.mtu = mtu
                return (RequestMtu(WANTED_MTU if wanted or mtu == WANTED_MTU else mtu),)
            case IdentRead() if client:
                return *self._found(), ReadIdent(characteristic(self._mode, Name.IDENT))
            case Subscribed(name, True) if client:
                return *self._found(), Subscribe(characteristic(self._mode, name))
            case Written(name, value) if client:
                return (Write(characteristic(self._mode, name), value),)
            case Notified(name, value) if not client:
                return (Notify(characteristic(self._mode, name), value),)
            case Disconnected():
                self._gone = True
                return (Disconnect(),)
            case _:
                return ()

    def _found(self) -> Sequence[Output]:
        """It has looked for the characteristics, or it would not know them."""
        had, self._looked = self._looked, True
        return () if had else (Discover(self._service),)

    @property
    def _met(self) -> Peer:
        assert self._peer is not None
        return self._peer

    def _note(self, outcome: Outcome) -> None:
        """A row: what was said since the last one, and what came; a phone that speaks first does so to who advertises."""
        said, heard = b"".join(self._written) or self._service.bytes, b"".join(self._heard)
        self._written, self._heard = [], []
        now_ns = time.perf_counter_ns()
        self._met.tester.rows.append(ExchangeRow(
            replication=0, visit="", session="", flow="conform", step="values", role=self._role, channel="ble",
            device=self._values.device, provenance="measured", at_ns=self._since_ns, duration_ns=now_ns - self._began_ns,
            outcome=outcome.value, request=said, reply=heard, request_bytes=len(said),
            reply_bytes=len(heard) if outcome is Outcome.REPLIED else -1, status="", fault="", sent_ns=-1,
        ))
        self._since_ns, self._began_ns = self._clock.now_ns(), now_ns


def _row(key: uuid.UUID, mode: Mode, properties: frozenset[object]) -> Characteristic:
    """A characteristic as it was found, or is to be served; one of no known UUID stands for nothing."""
    known = by_uuid(key)
    name, way = (known.name, known.direction) if known is not None else (Name.STATE, Direction.BOTH)
    return Characteristic(mode, name, way, properties, key)  # type: ignore[arg-type]


__all__ = ["NO_SERVER", "PhoneOnAir"]
