"""One end of BLE data retrieval, brought to any phase, and what its peer may do to it."""

from __future__ import annotations

from itertools import product

from virtual_devices.mdoc.ble import BleLink
from virtual_devices.mdoc.ble_events import (
    Connected,
    Discovered,
    Ended,
    Event,
    IdentRead,
    MtuAgreed,
    Notified,
    Notify,
    Output,
    Phase,
    Subscribed,
    Write,
    Written,
)
from virtual_devices.mdoc.ble_gatt import (
    GattRole,
    Mode,
    Name,
    Side,
    characteristics,
    gatt_role,
    ident,
)
from virtual_devices.mdoc.ble_table import TRANSITIONS

from .ble_medium import DEVICE_KEY, SERVICE

STATE, UP, DOWN = Name.STATE, Name.CLIENT_TO_SERVER, Name.SERVER_TO_CLIENT
ALL_ENDS = list(product(Mode, Side))
SERVER_ENDS = [(m, s) for m, s in ALL_ENDS if gatt_role(m, s) is GattRole.SERVER]
CLIENT_ENDS = [(m, s) for m, s in ALL_ENDS if gatt_role(m, s) is GattRole.CLIENT]
FOUND = {mode: Discovered({row.uuid: row.properties for row in characteristics(mode)}) for mode in Mode}
LIVE = {role: [p for p in rows if not p.final and p is not Phase.IDLE] for role, rows in TRANSITIONS.items()}


def make(mode: Mode, side: Side) -> BleLink:
    return BleLink(mode, side, SERVICE, DEVICE_KEY)


def way(link: BleLink) -> dict[Phase, Event]:
    """The event that leads out of each phase, for a session that goes well."""
    if link.role is GattRole.SERVER:
        return {Phase.SEEKING: Connected(185), Phase.WAITING: Subscribed(DOWN), Phase.READY: Written(STATE, b"\x01")}
    return {
        Phase.SEEKING: Connected(185), Phase.TUNING: MtuAgreed(185), Phase.DISCOVERING: FOUND[link.mode],
        Phase.IDENTIFYING: IdentRead(ident(DEVICE_KEY)), Phase.SUBSCRIBING: Subscribed(DOWN),
    }


def bring(mode: Mode, side: Side, phase: Phase) -> BleLink:
    """An end that stands in this phase."""
    link = make(mode, side)
    if phase is Phase.IDLE:
        return link
    link.start()
    while link.phase is not phase:
        event = way(link)[link.phase]
        if isinstance(event, Subscribed):
            link.handle(Subscribed(STATE))
        link.handle(event)
    return link


def phases(mode: Mode, role: GattRole) -> list[Phase]:
    return [p for p in LIVE[role] if p is not Phase.IDENTIFYING or mode is Mode.CENTRAL_CLIENT]


PLACES = [(m, s, p) for m, s in ALL_ENDS for p in phases(m, make(m, s).role)]


def spoken(name: Name, value: bytes, link: BleLink) -> Event:
    return Written(name, value) if link.role is GattRole.SERVER else Notified(name, value)


def data_of(link: BleLink) -> Name:
    """The characteristic by which the peer of this end sends data."""
    return UP if link.role is GattRole.SERVER else DOWN


def ended(outputs: tuple[Output, ...]) -> Ended:
    assert isinstance(outputs[-1], Ended)
    return outputs[-1]


def told_state_02(outputs: tuple[Output, ...]) -> bool:
    return any(isinstance(o, Write | Notify) and (o.characteristic.name, o.value) == (STATE, b"\x02") for o in outputs)
