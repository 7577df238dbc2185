"""What one end of BLE data retrieval is told (events), and what it wants done or has to say (actions and notices).

The driver between the machine (:mod:`virtual_devices.mdoc.ble`) and a Bluetooth stack turns callbacks into events and carries
out actions, all of them in the order in which they come.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from virtual_devices.mdoc.ble_gatt import Characteristic, Name, Problem, Property


class Phase(Enum):
    """Where one end stands."""

    IDLE = "idle"
    SEEKING = "seeking"  # the server advertises, the client scans
    TUNING = "tuning"  # client: asked for the MTU
    DISCOVERING = "discovering"  # client: asked for the characteristics
    IDENTIFYING = "identifying"  # client, central client mode: asked for Ident
    SUBSCRIBING = "subscribing"  # client: asked for notifications
    WAITING = "waiting"  # server: connected, the peer has not subscribed to everything
    READY = "ready"  # server: the peer has subscribed, State 01 is to come
    OPEN = "open"  # messages go both ways
    ENDED_BY_US = "ended by us"
    ENDED_BY_PEER = "ended by the peer"
    REFUSED = "refused"  # the peer broke a rule
    LOST = "lost"  # the connection went away before anybody had ended the session

    @property
    def final(self) -> bool:
        return self in (Phase.ENDED_BY_US, Phase.ENDED_BY_PEER, Phase.REFUSED, Phase.LOST)


class Signal(Enum):
    """How the end of a session was told."""

    STATE = "State 02"
    SESSION_STATUS = "session status 20"
    SILENT = "not at all"


# Events: what the stack says


@dataclass(frozen=True, slots=True)
class Connected:
    """The one connection of this session stands. ``mtu``: ATT_MTU in bytes, 23 until agreed otherwise.

    A driver gives the first peer only. Where a stack agrees the MTU by itself, this is that MTU. Some stacks report 23 whatever
    was agreed: the longest write without response, plus 3, is then the better source. It must be known at a server as well:
    a chunk longer than this MTU allows is refused.
    """

    mtu: int = 23


@dataclass(frozen=True, slots=True)
class MtuAgreed:
    """The answer to :class:`RequestMtu`, or at a server the client's wish. A stack that cannot ask repeats what stands."""

    mtu: int


@dataclass(frozen=True, slots=True)
class Discovered:
    """Client: the service's characteristics with those of their properties that :class:`Property` knows; empty: no service."""

    found: Mapping[uuid.UUID, frozenset[Property]]


@dataclass(frozen=True, slots=True)
class IdentRead:
    """Client, central client mode: the value of Ident."""

    value: bytes


@dataclass(frozen=True, slots=True)
class Subscribed:
    """Client: the server has taken our subscription. Server: the peer subscribed, or (``on`` False) no longer listens."""

    name: Name
    on: bool = True


@dataclass(frozen=True, slots=True)
class Written:
    """Server: the peer wrote this value without response."""

    name: Name
    value: bytes


@dataclass(frozen=True, slots=True)
class Notified:
    """Client: the peer notified this value."""

    name: Name
    value: bytes


@dataclass(frozen=True, slots=True)
class Failed:
    """The peer's stack refused an operation that we asked for, on a connection that stands. ``what``: for people."""

    what: str


@dataclass(frozen=True, slots=True)
class Disconnected:
    """The connection is gone, by whomever."""


Event = Connected | MtuAgreed | Discovered | IdentRead | Subscribed | Written | Notified | Failed | Disconnected


# Actions: what the stack shall do


@dataclass(frozen=True, slots=True)
class Advertise:
    """Server: serve these characteristics and advertise the service until a central connects. ``ident``: its value."""

    service: uuid.UUID
    characteristics: tuple[Characteristic, ...]
    ident: bytes | None


@dataclass(frozen=True, slots=True)
class Scan:
    """Client: find who advertises this service, and connect."""

    service: uuid.UUID


@dataclass(frozen=True, slots=True)
class RequestMtu:
    mtu: int


@dataclass(frozen=True, slots=True)
class Discover:
    service: uuid.UUID


@dataclass(frozen=True, slots=True)
class ReadIdent:
    characteristic: Characteristic


@dataclass(frozen=True, slots=True)
class Subscribe:
    characteristic: Characteristic


@dataclass(frozen=True, slots=True)
class Write:
    """Client: write without response. One at a time, waiting while the stack's queue is full: GATT tells nobody of a drop."""

    characteristic: Characteristic
    value: bytes


@dataclass(frozen=True, slots=True)
class Notify:
    """Server: notify. As for :class:`Write`, wait while the stack's queue is full."""

    characteristic: Characteristic
    value: bytes


@dataclass(frozen=True, slots=True)
class Disconnect:
    """Stop advertising or scanning; drop the connection, if there is one, once every value before this one has left."""


# Notices: what the user of the link shall know


@dataclass(frozen=True, slots=True)
class Opened:
    """Messages may be sent. ``value_bytes``: the longest value on this link."""

    value_bytes: int


@dataclass(frozen=True, slots=True)
class Received:
    """A whole message of the peer. ``uneven``: a chunk that was not the last was not full (the standard wants it full)."""

    message: bytes
    chunks: int
    uneven: bool


@dataclass(frozen=True, slots=True)
class Ended:
    """The session is over, in this final phase; said once, and once more when a peer goes on after its own end.

    ``problem`` and ``detail`` say why a peer was refused. ``unfinished_bytes`` had come of a message that never ended.
    """

    phase: Phase
    signal: Signal
    problem: Problem | None = None
    detail: str = ""
    unfinished_bytes: int = 0


Action = Advertise | Scan | RequestMtu | Discover | ReadIdent | Subscribe | Write | Notify | Disconnect
Notice = Opened | Received | Ended
Output = Action | Notice

__all__ = [
    "Action", "Advertise", "Connected", "Disconnect", "Disconnected", "Discover", "Discovered", "Ended", "Event", "Failed",
    "IdentRead", "MtuAgreed", "Notice", "Notified", "Notify", "Opened", "Output", "Phase", "ReadIdent", "Received", "RequestMtu",
    "Scan", "Signal", "Subscribe", "Subscribed", "Write", "Written",
]
