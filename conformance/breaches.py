"""What devices are tried with over Bluetooth: both modes, sizes of a link, and the rules that a peer breaks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from conformance.air import Peer, Values
from conformance.case import Each, Nature
from virtual_devices.mdoc.ble_chunks import MAX_MESSAGE_BYTES, WANTED_MTU
from virtual_devices.mdoc.ble_events import Event, Failed, RequestMtu, Subscribe, Subscribed, Write
from virtual_devices.mdoc.ble_gatt import STATE_END, STATE_START, GattRole, Mode, Name, Property, Side, characteristics, gatt_role

MOST_MTU = 517
"""The most that stacks agree on: an attribute's 512 bytes, and the longest head of a packet that brings them."""


@dataclass(frozen=True)
class Breach:
    """One of them. ``roles``: of the device that can see it; ``told``: whether the peer can hear State 02; ``hold``, ``found``,
    ``ident``: as of :class:`Peer`; ``values``: what the peer then says, (None: where messages go)."""

    values: tuple[tuple[Name | None, bytes], ...] = ()
    events: tuple[Event, ...] = ()
    told: bool = True
    hold: frozenset[type] = frozenset()
    found: Values | None = None
    ident: bytes | None = None
    roles: frozenset[GattRole] = frozenset(GattRole)

    def commit(self, peer: Peer) -> None:
        """The peer breaks the rule, at its place."""
        peer.hold, peer.found, peer.ident = self.hold, self.found, self.ident
        peer.begin()
        if not self.hold and self.found is None and self.ident is None:
            peer.need_open()
        for name, value in self.values:
            if name is None:
                peer.data(value)
            else:
                peer.value(name, value)
        peer.tell(*self.events)


_CLIENT, _SERVER = frozenset({GattRole.CLIENT}), frozenset({GattRole.SERVER})
_LONG = tuple((None, b"\1" + bytes(511)) for _ in range(MAX_MESSAGE_BYTES // 511 + 1))


def breaches() -> Mapping[str, tuple[Breach, str, str]]:
    """Every rule of P-BLE-10 that a peer can break: name -> how, and that in English and Chinese. A server's characteristics and
    Ident have cases of their own."""
    return {
        "no-first-byte": (Breach(((None, b""),)), "A chunk without first byte", "無首位元組之片段"),
        "no-content": (Breach(((None, b"\1"),)), "A chunk without content although more follow", "仍有後續卻無內容之片段"),
        "first-byte": (Breach(((None, b"\2x"),)), "A chunk whose first byte is neither 00 nor 01", "首位元組非 00、01"),
        "chunk-too-long": (Breach(((None, b"\0" + bytes(512)),)), "A chunk longer than the link allows", "片段超過連線上限"),
        "message-too-long": (Breach(_LONG), "A message longer than the limit", "訊息超過上限"),
        "unknown-state": (Breach(((Name.STATE, b"\3"),)), "A value of State that is neither 01 nor 02", "State 非 01、02"),
        "wrong-characteristic-of-client": (
            Breach(((Name.SERVER_TO_CLIENT, STATE_END),), roles=_SERVER), "A value where the server's go", "寫到伺服端之特徵"),
        "wrong-characteristic-of-server": (
            Breach(((Name.CLIENT_TO_SERVER, STATE_END),), roles=_CLIENT), "A value where the client's go", "通知用戶端之特徵"),
        "state-first": (
            Breach(((Name.STATE, STATE_START),), told=False, hold=frozenset({Subscribed}), roles=_SERVER),
            "State 01 before the subscriptions", "未訂閱即送 State 01"),
        "start-twice": (Breach(((Name.STATE, STATE_START),)), "State 01 twice, or from the server",
                        "State 01 重複或由伺服端送出"),
        "data-first": (Breach(((None, b"\0x"),), hold=frozenset({Write}), roles=_SERVER),
                       "Data before State 01", "State 01 前之資料"),
        "data-before-subscriptions": (
            Breach(((None, b"\0x"),), hold=frozenset({Subscribe}), roles=_CLIENT), "Data before State 01", "State 01 前之資料"),
        "unsubscribed": (
            Breach(events=(Subscribed(Name.SERVER_TO_CLIENT, False),), roles=_SERVER), "The peer unsubscribed", "取消訂閱"),
        "operation-failed-early": (
            Breach(events=(Failed("refused"),), told=False, hold=frozenset({RequestMtu}), roles=_CLIENT),
            "The peer's stack refused an operation before its characteristics were found", "尋得特徵之前拒絕操作"),
        "operation-failed": (Breach(events=(Failed("refused"),)), "The peer's stack refused an operation", "對方拒絕操作"),
    }


MODES: Mapping[str, Mode] = {"peripheral": Mode.PERIPHERAL_SERVER, "central": Mode.CENTRAL_CLIENT}
"""As cases and declarations name them."""


def named(mode: Mode) -> str:
    return next(name for name, one in MODES.items() if one is mode)


def each_mode() -> Mapping[str, Each]:
    return {name: Each(mode) for name, mode in MODES.items()}


def each_mtu() -> Mapping[str, Each]:
    """Both modes with the least ATT_MTU, a usual one, the one that fills values, and the most: mode and MTU."""
    return {f"{name}-{mtu}": Each((mode, mtu)) for name, mode in MODES.items() for mtu in (23, 185, WANTED_MTU, MOST_MTU)}


def each_breach(side: Side) -> Mapping[str, Each]:
    """Those that a device on that side can see in either mode: mode and breach."""
    return {f"{name}-{what}": Each((mode, breach), says, zh, nature=Nature.INOPPORTUNE if breach.hold else Nature.INVALID)
            for name, mode in MODES.items() for what, (breach, says, zh) in breaches().items()
            if gatt_role(mode, side) in breach.roles}


def lacking(mode: Mode) -> Mapping[str, Values]:
    """A server without one of its characteristics, or without one of their properties; by what is not there."""
    rows = characteristics(mode)
    whole = {row.uuid: row.properties for row in rows}
    found: dict[str, Values] = {"service": {}}
    for row in rows:
        name = row.name.value.lower()
        found[name] = {uuid: properties for uuid, properties in whole.items() if uuid != row.uuid}
        for one in (p for p in Property if p in row.properties):  # a set's order is another in each process
            less = row.properties - {one}
            found[f"{name}-{one.name.lower().replace('_', '-')}"] = {**whole, row.uuid: less}
    return found


__all__ = ["MODES", "Breach", "breaches", "each_breach", "each_mode", "each_mtu", "lacking", "named"]
