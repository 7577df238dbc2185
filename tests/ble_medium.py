"""A Bluetooth connection between two ends of BLE data retrieval, in memory: in order and without loss, unless told otherwise."""

from __future__ import annotations

import uuid
from collections import deque
from collections.abc import Callable, Iterable

from virtual_devices.mdoc.ble import BleLink, Outputs
from virtual_devices.mdoc.ble_events import (
    Advertise,
    Connected,
    Disconnect,
    Disconnected,
    Discover,
    Discovered,
    Ended,
    Event,
    IdentRead,
    MtuAgreed,
    Notified,
    Notify,
    Opened,
    Output,
    ReadIdent,
    Received,
    RequestMtu,
    Scan,
    Subscribe,
    Subscribed,
    Write,
    Written,
)
from virtual_devices.mdoc.ble_gatt import GattRole, Mode, Side

SERVICE = uuid.UUID("45efef74-2b2c-4837-a9a3-b0e1d05a6917")
DEVICE_KEY = b"EDeviceKeyBytes of this engagement"

Delivery = tuple[Side, Event]
Tamper = Callable[[int, Side, Event], Iterable[Event]]
Answer = Callable[[BleLink, Output], Outputs]


def silent(link: BleLink, notice: Output) -> Outputs:
    return ()


def untouched(step: int, side: Side, event: Event) -> Iterable[Event]:
    return (event,)


def other(side: Side) -> Side:
    return Side.READER if side is Side.MDOC else Side.MDOC


def ends(mode: Mode) -> dict[Side, BleLink]:
    return {side: BleLink(mode, side, SERVICE, DEVICE_KEY) for side in Side}


class Medium:
    """Two ends and what is on its way between them.

    ``mtu``: what the two stacks agree on; above 515 (which our client would not ask for) they do so by themselves.
    ``tamper(step, side, event)``: what is delivered in place of an event. ``answer``: what a side does on a notice.
    """

    def __init__(
        self, links: dict[Side, BleLink], mtu: int = 515, tamper: Tamper = untouched, answer: Answer = silent,
    ) -> None:
        self.links = links
        self.mtu = mtu
        self.tamper = tamper
        self.answer = answer
        self.queue: deque[Delivery] = deque()
        self.said: dict[Side, list[Output]] = {side: [] for side in Side}
        self.step = 0
        self.connected = False
        self.severed = False

    def role(self, role: GattRole) -> Side:
        return next(side for side, link in self.links.items() if link.role is role)

    def notices(self, side: Side) -> list[Output]:
        return [o for o in self.said[side] if isinstance(o, Opened | Received | Ended)]

    def received(self, side: Side) -> list[bytes]:
        return [o.message for o in self.said[side] if isinstance(o, Received)]

    def values(self, side: Side) -> list[bytes]:
        """What this side wrote or notified."""
        return [o.value for o in self.said[side] if isinstance(o, Write | Notify)]

    def run(self) -> None:
        """Start both ends, and deliver until nothing is on its way."""
        for side in (self.role(GattRole.SERVER), self.role(GattRole.CLIENT)):
            self.carry_out(side, self.links[side].start())
        self.deliver()

    def deliver(self) -> None:
        while self.queue:
            side, event = self.queue.popleft()
            self.step += 1
            for delivered in self.tamper(self.step, side, event):
                self.carry_out(side, self.links[side].handle(delivered))

    def sever(self) -> None:
        """The connection breaks: what was on its way is gone, both ends hear of it."""
        if self.connected:
            self.severed = True
            self.queue.clear()
            self.queue.extend((side, Disconnected()) for side in Side)

    def carry_out(self, side: Side, outputs: Outputs) -> None:
        self.said[side] += outputs
        for output in outputs:
            if isinstance(output, Opened | Received | Ended):
                self.carry_out(side, self.answer(self.links[side], output))
            elif not self.severed:
                self.queue.extend(self._effects(side, output))

    def _effects(self, side: Side, action: Output) -> Iterable[Delivery]:
        server = self.role(GattRole.SERVER)
        match action:
            case Scan():
                advertised = next(o for o in self.said[server] if isinstance(o, Advertise))
                assert advertised.service == action.service
                self.connected = True
                at_first = self.mtu if self.mtu > 515 else 23
                return [(server, Connected(at_first)), (side, Connected(at_first))]
            case RequestMtu():
                agreed = self.mtu if self.mtu > 515 else min(self.mtu, action.mtu)
                return [(server, MtuAgreed(agreed)), (side, MtuAgreed(agreed))]
            case Discover():
                advertised = next(o for o in self.said[server] if isinstance(o, Advertise))
                return [(side, Discovered({row.uuid: row.properties for row in advertised.characteristics}))]
            case ReadIdent():
                ident = next(o for o in self.said[server] if isinstance(o, Advertise)).ident
                assert ident is not None
                return [(side, IdentRead(ident))]
            case Subscribe():
                name = action.characteristic.name
                return [(server, Subscribed(name)), (side, Subscribed(name))]
            case Write():
                return [(server, Written(action.characteristic.name, action.value))]
            case Notify():
                return [(self.role(GattRole.CLIENT), Notified(action.characteristic.name, action.value))]
            case Disconnect() if self.connected:
                self.severed = True  # after every value that is on its way already
                return [(both, Disconnected()) for both in Side]
            case _:
                return []


STATUS_20 = bytes.fromhex("a16673746174757314")
"""SessionData {"status": 20}."""


def session(request: bytes, response: bytes, ender: Side, *, by_status: bool = False) -> Answer:
    """The reader asks when the session is open, the mdoc answers, then one of the two ends it: by State 02, or by status 20."""

    def finish(link: BleLink) -> Outputs:
        return link.send(STATUS_20) + link.session_ended(by_peer=False) if by_status else link.end()

    def answer(link: BleLink, notice: Output) -> Outputs:
        if link.phase.final:  # nobody talks on when the session is over
            return ()
        match notice:
            case Received(message) if by_status and message == STATUS_20:
                return link.session_ended(by_peer=True)
            case Opened() if link.side is Side.READER:
                return link.send(request)
            case Received() if link.side is Side.MDOC:
                return link.send(response) + (finish(link) if ender is Side.MDOC else ())
            case Received() if ender is Side.READER:
                return finish(link)
            case _:
                return ()

    return answer
