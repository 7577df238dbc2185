"""A Bluetooth link value by value: writes and notifications one by one, right ones and wrong ones, upon the stack of a
:class:`bench.drivers.ble.BleLink`.

    link.begin(Mode.PERIPHERAL_SERVER)             the messages' connection is let go
    link.do(Act.SCAN, service=...) -> Happened     what it brought, and all that has come since
    link.news(1.0) -> Happened                     what comes within a second

With the phone as the server (mdoc peripheral server mode) the bench is the GATT client, by bleak or by bumble; with the phone as
the client it is the server, by bumble alone.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

import cbor2

from bench.drivers.ble import BleLink, Op
from virtual_devices.errors import LinkError
from virtual_devices.link import Outcome
from virtual_devices.mdoc.ble_events import (
    Connected,
    Disconnected,
    Discovered,
    Event,
    IdentRead,
    MtuAgreed,
    Notified,
    Subscribed,
    Written,
)
from virtual_devices.mdoc.ble_gatt import Characteristic, Mode, Name, Property, Side

ACT_S = 10.0
"""Longest wait for the stack to do what it is told, but for a search: that has the caller's limit."""


class Act(Enum):
    """What the stack does, as client or as server."""

    SCAN = "scan"  # service -> Connected
    MTU = "mtu"  # mtu -> MtuAgreed
    DISCOVER = "discover"  # service -> Discovered
    SUBSCRIBE = "subscribe"  # name -> Subscribed
    UNSUBSCRIBE = "unsubscribe"  # name
    WRITE = "write"  # name, value
    ADVERTISE = "advertise"  # service, rows, ident, mtu: the longest that is agreed
    NOTIFY = "notify"  # name, value
    DISCONNECT = "disconnect"


@dataclass(frozen=True, slots=True)
class Happened:
    """``events``: in their order. ``trouble``: why the stack did not do it; empty when it did. ``outcome``: REPLIED; TIMED_OUT
    where it did not come back in time; GONE where the worker or the radio has gone."""

    events: tuple[Event, ...] = ()
    trouble: str = ""
    outcome: Outcome = Outcome.REPLIED


class ValuesLink:
    """One connection at a time, over the radio of that link; its own connection is given up meanwhile. ``side``: the bench's."""

    def __init__(self, link: BleLink, side: Side = Side.READER) -> None:
        self._link, self.side = link, side

    @property
    def device(self) -> str:
        return self._link.device

    @property
    def serves(self) -> bool:
        """Whether the bench can be the GATT server."""
        return self._link.own_radio

    def begin(self, mode: Mode, limit_s: float) -> Happened:
        """A new connection, which is still to be made."""
        self._link.disconnect()
        return self._ask(Op.VALUES_BEGIN, limit_s, mode=mode.name, side=self.side.name)

    def do(self, act: Act, limit_s: float = ACT_S, **given: Any) -> Happened:
        return self._ask(Op.VALUES_DO, limit_s, act=act.value, **{name: _plain(value) for name, value in given.items()})

    def news(self, limit_s: float) -> Happened:
        """What has come, or the first that comes within the limit; nothing is no trouble."""
        return self._ask(Op.VALUES_NEWS, limit_s)

    def end(self) -> None:
        """Let the phone go."""
        self._link.disconnect()

    def _ask(self, op: Op, limit_s: float, **more: Any) -> Happened:
        said = self._link.asked(op, limit_s, **more)
        if isinstance(said, Outcome):
            return Happened((), self._link.last_error, said)
        try:
            return Happened(tuple(_event(raw) for raw in said["events"]), said["trouble"], Outcome(said["outcome"]))
        except (KeyError, TypeError, ValueError) as e:
            raise LinkError(f"the Bluetooth worker said what cannot be understood: {e}") from e


def _plain(value: Any) -> Any:
    match value:
        case uuid.UUID():
            return value.bytes
        case Name():
            return value.value
        case _:
            return value


# -- what travels


def rows_out(rows: Sequence[Characteristic]) -> list[list[Any]]:
    """Characteristics to be served."""
    return [[row.uuid.bytes, sorted(p.value for p in row.properties)] for row in rows]


def event_out(event: Event) -> list[Any]:
    """An event as cbor takes it; :func:`_event` reads it."""
    match event:
        case Connected(mtu) | MtuAgreed(mtu):
            return [type(event).__name__, mtu]
        case Discovered(found):
            return ["Discovered", [[key.bytes, sorted(p.value for p in value)] for key, value in found.items()]]
        case IdentRead(value):
            return ["IdentRead", value]
        case Subscribed(name, on):
            return ["Subscribed", name.value, on]
        case Written(name, value) | Notified(name, value):
            return [type(event).__name__, name.value, value]
        case Disconnected():
            return ["Disconnected"]
        case _:
            return ["Failed", str(event)]


def _event(raw: Sequence[Any]) -> Event:
    kind, *rest = raw
    match kind:
        case "Connected":
            return Connected(rest[0])
        case "MtuAgreed":
            return MtuAgreed(rest[0])
        case "Discovered":
            return Discovered({uuid.UUID(bytes=key): frozenset(Property(p) for p in value) for key, value in rest[0]})
        case "IdentRead":
            return IdentRead(rest[0])
        case "Subscribed":
            return Subscribed(Name(rest[0]), rest[1])
        case "Written":
            return Written(Name(rest[0]), rest[1])
        case "Notified":
            return Notified(Name(rest[0]), rest[1])
        case "Disconnected":
            return Disconnected()
        case _:
            raise ValueError(kind)


def told(events: Sequence[Event], trouble: str = "", outcome: Outcome = Outcome.REPLIED) -> bytes:
    """The worker's answer."""
    answer: bytes = cbor2.dumps({"events": [event_out(e) for e in events], "trouble": trouble, "outcome": outcome.value})
    return answer


def left_s(asked: dict[str, Any]) -> float:
    """What is left of the time of a request; of the first, with what the start of the worker takes."""
    return max(0.0, float(asked["deadline"]) + float(asked["starting"]) - time.monotonic())


__all__ = ["ACT_S", "Act", "Happened", "ValuesLink", "event_out", "left_s", "rows_out", "told"]
