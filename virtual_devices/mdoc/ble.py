"""BLE data retrieval of ISO/IEC 18013-5 (clause 8.3.3.1.1), without I/O: both modes, both ends, one machine.

The rules, in the order of a session:

1. The server (:func:`~virtual_devices.mdoc.ble_gatt.gatt_role` says who that is) advertises the service of this engagement; the
   client scans for it and connects.
2. The client asks for an ATT_MTU of 515, and looks for the characteristics. A server without one of them, or without one of
   its properties, is left.
3. In central client mode the mdoc reads Ident and compares it with its own. Another value is another reader: it is left at once,
   and told nothing.
4. The client subscribes to State and Server2Client, then writes 01 to State. From then on messages go both ways, in chunks
   (:mod:`virtual_devices.mdoc.ble_chunks`): the client writes Client2Server, the server notifies Server2Client.
5. Either party ends the session by State 02, or by session status 20 inside its last message, which the session's layer sees and
   says here (:meth:`BleLink.session_ended`), before the next event. Then the client disconnects; a server waits for that, and
   its driver lets go of a client that stays.
6. A peer that breaks a rule is refused: State 02 where it can hear it, then the connection is dropped. The rules broken are
   :class:`~virtual_devices.mdoc.ble_gatt.Problem`. After an end of ours, what the peer had sent before it knew is overheard;
   after an end of its own, more data is a breach.
7. A connection that goes away without an end is *lost*, whoever did it. There are no time limits here: silence is the flow's.

Nothing that a peer sends raises. What the driver or the user does wrong raises BleUsageError: a message before the session is
open or after its end, one above 64 KiB, an event that this end cannot have.

Not supported: L2CAP channels, a second connection in one session, bonding. The states are a table of their own, in
:mod:`virtual_devices.mdoc.ble_table`.
"""

from __future__ import annotations

import hmac
import uuid
from collections.abc import Callable
from typing import assert_never

from virtual_devices.mdoc.ble_chunks import WANTED_MTU, Assembler, MalformedChunk, chunks, value_bytes
from virtual_devices.mdoc.ble_events import (
    Advertise,
    Connected,
    Disconnect,
    Disconnected,
    Discover,
    Discovered,
    Ended,
    Event,
    Failed,
    IdentRead,
    MtuAgreed,
    Notified,
    Notify,
    Opened,
    Output,
    Phase,
    ReadIdent,
    Received,
    RequestMtu,
    Scan,
    Signal,
    Subscribe,
    Subscribed,
    Write,
    Written,
)
from virtual_devices.mdoc.ble_gatt import (
    STATE_END,
    STATE_START,
    BleUsageError,
    GattRole,
    Mode,
    Name,
    Problem,
    Side,
    characteristic,
    characteristics,
    gatt_role,
    ident,
)
from virtual_devices.mdoc.ble_table import OWN_INPUTS, TRANSITIONS, Input, problem_of

Outputs = tuple[Output, ...]
_NOTIFYING = frozenset({Name.STATE, Name.SERVER_TO_CLIENT})


class BleLink:
    """One end, for one engagement and one connection.

    ``service``: the UUID that the engagement gives for this mode. ``device_key_bytes``: EDeviceKeyBytes as shown in it, which
    both ends have; Ident is made from them. Each method returns what is to be done and said, in order.
    """

    def __init__(self, mode: Mode, side: Side, service: uuid.UUID, device_key_bytes: bytes) -> None:
        self.mode = mode
        self.side = side
        self.role = gatt_role(mode, side)
        self._rows = TRANSITIONS[self.role]
        self.service = service
        self.phase = Phase.IDLE
        self.mtu = 0
        self._ident = ident(device_key_bytes) if mode is Mode.CENTRAL_CLIENT else None
        self._subscribed: set[Name] = set()
        self._incoming = Assembler()
        self._leaving = False  # Disconnect has been said

    # what the user wants

    def start(self) -> Outputs:
        """Advertise or scan."""
        self._go(Input.START)
        if self.role is GattRole.CLIENT:
            return (Scan(self.service),)
        return (Advertise(self.service, characteristics(self.mode), self._ident),)

    def send(self, message: bytes) -> Outputs:
        """The chunks of one message. Raises BleUsageError when the session is not open, or the message above 64 KiB."""
        self._go(Input.SEND)
        values = chunks(message, self.mtu)
        if self.role is GattRole.CLIENT:
            row = characteristic(self.mode, Name.CLIENT_TO_SERVER)
            return tuple(Write(row, value) for value in values)
        row = characteristic(self.mode, Name.SERVER_TO_CLIENT)
        return tuple(Notify(row, value) for value in values)

    def end(self) -> Outputs:
        """End the session by State 02, or give up before it began. Nothing when it is over already."""
        return self._finish(Input.END, Signal.STATE)

    def session_ended(self, *, by_peer: bool) -> Outputs:
        """Session status 20 was sent, or received, inside a message."""
        return self._finish(Input.STATUS_RECEIVED if by_peer else Input.STATUS_SENT, Signal.SESSION_STATUS)

    # what the stack says

    def handle(self, event: Event) -> Outputs:
        """Raises BleUsageError for an event that this end cannot have at this point; never for what a peer sent."""
        match event:
            case Written():
                self._only(GattRole.SERVER, event)
                return self._value_came(event.name, event.value, Name.CLIENT_TO_SERVER)
            case Notified():
                self._only(GattRole.CLIENT, event)
                return self._value_came(event.name, event.value, Name.SERVER_TO_CLIENT)
            case Connected():
                return self._connected(event.mtu)
            case MtuAgreed():
                return self._mtu_agreed(event.mtu)
            case Discovered():
                return self._discovered(event)
            case IdentRead():
                return self._ident_read(event.value)
            case Subscribed():
                return self._subscription(event)
            case Failed():
                # what we had asked for may well fail once the session is over
                return () if self.phase.final else self._peer(Input.BREACH, problem=Problem.OPERATION_FAILED, detail=event.what)
            case Disconnected():
                return self._finish(Input.DISCONNECTED, Signal.SILENT)
            case _:
                assert_never(event)

    def _connected(self, mtu: int) -> Outputs:
        value_bytes(mtu)
        if self._go(Input.CONNECTED).final:
            return ()
        self.mtu = mtu
        return (RequestMtu(WANTED_MTU),) if self.role is GattRole.CLIENT else ()

    def _mtu_agreed(self, mtu: int) -> Outputs:
        value_bytes(mtu)
        before, after = self.phase, self._go(Input.MTU)
        if after.final:
            return ()
        self.mtu = mtu
        return (Discover(self.service),) if before is Phase.TUNING else ()

    def _discovered(self, event: Discovered) -> Outputs:
        self._only(GattRole.CLIENT, event)
        rows = characteristics(self.mode)
        for row in rows:
            if missing := row.properties - event.found.get(row.uuid, frozenset()):
                detail = f"{row.name.value}: {', '.join(sorted(p.name.lower() for p in missing))}"
                return self._answer(Input.FOUND, Problem.MISSING_CHARACTERISTIC, detail)
        if self._ident is None:
            return () if self._go(Input.FOUND).final else self._subscribe()
        if self._go(Input.FOUND_WITH_IDENT).final:
            return ()
        return (ReadIdent(characteristic(self.mode, Name.IDENT)),)

    def _ident_read(self, value: bytes) -> Outputs:
        if self._ident is None or not hmac.compare_digest(value, self._ident):
            return self._answer(Input.IDENT_RIGHT, Problem.WRONG_IDENT)
        return () if self._go(Input.IDENT_RIGHT).final else self._subscribe()

    def _subscribe(self) -> Outputs:
        return tuple(Subscribe(row) for row in characteristics(self.mode) if row.notifies)

    def _subscription(self, event: Subscribed) -> Outputs:
        if event.name not in _NOTIFYING or (not event.on and self.role is GattRole.CLIENT):
            raise BleUsageError(f"no {self.role.value} is told {event}")
        if not event.on:
            self._subscribed.discard(event.name)
            return self._peer(Input.UNSUBSCRIBED)
        before, subscribed = self.phase, self._subscribed | {event.name}
        after = self._go(Input.SUBSCRIBED_TO_ALL if subscribed == _NOTIFYING else Input.SUBSCRIBED)
        self._subscribed = subscribed
        if before is Phase.SUBSCRIBING and after is Phase.OPEN:
            return self._value(Name.STATE, STATE_START), Opened(value_bytes(self.mtu))
        return ()

    def _value_came(self, name: Name, value: bytes, data: Name) -> Outputs:
        if name is data:
            return self._peer(Input.CHUNK, take=lambda: self._chunk(value))
        if name is not Name.STATE:
            return self._peer(Input.BREACH, problem=Problem.WRONG_CHARACTERISTIC, detail=name.value)
        if value == STATE_END:
            return self._peer(Input.STATE_END)
        if value == STATE_START:
            return self._peer(Input.STATE_START, take=lambda: (Opened(value_bytes(self.mtu)),))
        return self._peer(Input.BREACH, problem=Problem.UNKNOWN_STATE, detail=f"{len(value)} bytes: {value[:4].hex()}")

    def _chunk(self, value: bytes) -> Outputs:
        try:
            message = self._incoming.feed(value, self.mtu)
        except MalformedChunk as e:
            return self._refuse(e.problem, f"{len(value)} bytes: {value[:4].hex()}")
        return () if message is None else (Received(message.content, message.chunks, message.uneven),)

    # how the phases change

    def _go(self, what: Input) -> Phase:
        """Follow the table. Raises BleUsageError where it has no row, and nothing has changed then."""
        row = self._rows[self.phase].get(what)
        if row is None:
            wish = "cannot" if what in OWN_INPUTS else "cannot have"
            raise BleUsageError(f"a {self.role.value} that is {self.phase.value!r} {wish} {what.value!r}")
        self.phase = row
        return row

    def _only(self, role: GattRole, event: Event) -> None:
        if self.role is not role:
            raise BleUsageError(f"{type(event).__name__} is an event of a GATT {role.value}; this is the {self.role.value}")

    def _peer(
        self, what: Input, take: Callable[[], Outputs] = tuple, problem: Problem | None = None, detail: str = "",
    ) -> Outputs:
        """The peer did this: follow the table, or refuse it. ``take``: what comes of it while the session goes on."""
        if self.phase is Phase.IDLE:
            raise BleUsageError(f"{what.value!r} before start()")
        after = self._rows[self.phase].get(what)
        if after is None or (after is Phase.REFUSED and self.phase is not Phase.REFUSED):
            return self._refuse(problem or problem_of(self.phase, what), detail)
        if after.final:
            return self._finish(what, Signal.STATE)
        self.phase = after
        return take()

    def _answer(self, expected: Input, problem: Problem, detail: str = "") -> Outputs:
        """The peer's answer to something asked for is a bad one: refuse it, where an answer is due at all."""
        return () if self._go(expected).final else self._refuse(problem, detail, silent=True)

    def _finish(self, what: Input, signal: Signal) -> Outputs:
        before, told = self.phase, self._can_tell()
        if self._go(what) is before:
            return ()
        by_us = what in OWN_INPUTS
        said: list[Output] = []
        if what is Input.END and told:
            said.append(self._last_state())
        silent = what is Input.END and not said
        if what is not Input.DISCONNECTED and (self.role is GattRole.CLIENT or (by_us and silent)):
            said.append(self._disconnect())
        return *said, self._ended(Signal.SILENT if silent else signal)

    def _refuse(self, problem: Problem, detail: str = "", *, silent: bool = False) -> Outputs:
        told = not silent and self._can_tell()
        self.phase = Phase.REFUSED
        said: list[Output] = [self._last_state()] if told else []
        if not self._leaving:
            said.append(self._disconnect())
        return *said, self._ended(Signal.STATE if told else Signal.SILENT, problem, detail)

    def _ended(self, signal: Signal, problem: Problem | None = None, detail: str = "") -> Ended:
        return Ended(self.phase, signal, problem, detail, self._incoming.unfinished_bytes)

    def _can_tell(self) -> bool:
        """The peer can hear State 02: the client has found State and trusts the server, or the server's client listens."""
        if self.role is GattRole.SERVER:
            return Name.STATE in self._subscribed
        return self.phase in (Phase.SUBSCRIBING, Phase.OPEN)

    def _last_state(self) -> Write | Notify:
        return self._value(Name.STATE, STATE_END)

    def _disconnect(self) -> Disconnect:
        self._leaving = True
        return Disconnect()

    def _value(self, name: Name, value: bytes) -> Write | Notify:
        return (Write if self.role is GattRole.CLIENT else Notify)(characteristic(self.mode, name), value)


__all__ = ["BleLink", "Outputs"]
