"""The states of BLE data retrieval as a table, from which the machine (:mod:`virtual_devices.mdoc.ble`) and its diagram are made.

An input that has no row in a phase is either the peer's breach of a rule (:data:`PEER_INPUTS`: the session is refused) or a
mistake on our side of the stack (all others: the caller is told by BleUsageError).
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

from virtual_devices.mdoc.ble_events import Phase
from virtual_devices.mdoc.ble_gatt import GattRole, Problem


class Input(Enum):
    """What can happen to one end."""

    # our own wishes
    START = "start"
    SEND = "send a message"
    END = "end the session"
    STATUS_SENT = "session status 20 sent"
    STATUS_RECEIVED = "session status 20 received"
    # answers of our own stack
    CONNECTED = "connected"
    MTU = "MTU agreed"
    FOUND = "characteristics found"
    FOUND_WITH_IDENT = "characteristics found, Ident among them"
    IDENT_RIGHT = "Ident is right"
    SUBSCRIBED = "subscribed to one"
    SUBSCRIBED_TO_ALL = "subscribed to all"
    DISCONNECTED = "disconnected"
    # the peer's doing
    STATE_START = "State 01"
    STATE_END = "State 02"
    CHUNK = "chunk"
    UNSUBSCRIBED = "unsubscribed"
    BREACH = "breach of a rule"


PEER_INPUTS = frozenset({Input.STATE_START, Input.STATE_END, Input.CHUNK, Input.UNSUBSCRIBED, Input.BREACH})
OWN_INPUTS = frozenset({Input.START, Input.SEND, Input.END, Input.STATUS_SENT, Input.STATUS_RECEIVED})

Rows = Mapping[Input, Phase]


def _over(phase: Phase) -> dict[Input, Phase]:
    """A session that is over stays so: what is still on its way is overheard, and ending it again changes nothing."""
    return dict.fromkeys((i for i in Input if i not in (Input.START, Input.SEND)), phase)


_FINAL: dict[Phase, Rows] = {
    Phase.ENDED_BY_US: _over(Phase.ENDED_BY_US),
    Phase.ENDED_BY_PEER: {
        **_over(Phase.ENDED_BY_PEER),
        Input.CHUNK: Phase.REFUSED,
        Input.STATE_START: Phase.REFUSED,
        Input.BREACH: Phase.REFUSED,
    },
    Phase.REFUSED: _over(Phase.REFUSED),
    Phase.LOST: _over(Phase.LOST),
}
_LEAVING: Rows = {Input.END: Phase.ENDED_BY_US, Input.DISCONNECTED: Phase.LOST}
_TALKING: Rows = {
    **_LEAVING,
    Input.SEND: Phase.OPEN,
    Input.CHUNK: Phase.OPEN,
    Input.STATE_END: Phase.ENDED_BY_PEER,
    Input.STATUS_SENT: Phase.ENDED_BY_US,
    Input.STATUS_RECEIVED: Phase.ENDED_BY_PEER,
    Input.MTU: Phase.OPEN,
}
_ASLEEP: Rows = {Input.START: Phase.SEEKING, Input.END: Phase.ENDED_BY_US}

TRANSITIONS: Mapping[GattRole, Mapping[Phase, Rows]] = {
    GattRole.CLIENT: {
        Phase.IDLE: _ASLEEP,
        Phase.SEEKING: {**_LEAVING, Input.CONNECTED: Phase.TUNING},
        Phase.TUNING: {**_LEAVING, Input.MTU: Phase.DISCOVERING},
        Phase.DISCOVERING: {**_LEAVING, Input.FOUND: Phase.SUBSCRIBING, Input.FOUND_WITH_IDENT: Phase.IDENTIFYING},
        Phase.IDENTIFYING: {**_LEAVING, Input.IDENT_RIGHT: Phase.SUBSCRIBING},
        Phase.SUBSCRIBING: {
            **_LEAVING,
            Input.SUBSCRIBED: Phase.SUBSCRIBING,
            Input.SUBSCRIBED_TO_ALL: Phase.OPEN,
            Input.STATE_END: Phase.ENDED_BY_PEER,
        },
        Phase.OPEN: _TALKING,
        **_FINAL,
    },
    GattRole.SERVER: {
        Phase.IDLE: _ASLEEP,
        Phase.SEEKING: {**_LEAVING, Input.CONNECTED: Phase.WAITING},
        Phase.WAITING: {
            **_LEAVING,
            Input.MTU: Phase.WAITING,
            Input.SUBSCRIBED: Phase.WAITING,
            Input.SUBSCRIBED_TO_ALL: Phase.READY,
            Input.UNSUBSCRIBED: Phase.WAITING,
        },
        Phase.READY: {
            **_LEAVING,
            Input.MTU: Phase.READY,
            Input.SUBSCRIBED_TO_ALL: Phase.READY,
            Input.UNSUBSCRIBED: Phase.WAITING,
            Input.STATE_START: Phase.OPEN,
            Input.STATE_END: Phase.ENDED_BY_PEER,
        },
        Phase.OPEN: {**_TALKING, Input.SUBSCRIBED_TO_ALL: Phase.OPEN},
        **_FINAL,
    },
}


def problem_of(phase: Phase, what: Input) -> Problem:
    """Which rule an input of the peer breaks that has no row in this phase."""
    if phase is Phase.ENDED_BY_PEER:
        return Problem.DATA_AFTER_END
    match what:
        case Input.CHUNK:
            return Problem.DATA_BEFORE_START
        case Input.UNSUBSCRIBED:
            return Problem.UNSUBSCRIBED
        case Input.STATE_START if phase in (Phase.OPEN, Phase.SUBSCRIBING):
            return Problem.START_MISPLACED
        case _:
            return Problem.STATE_BEFORE_SUBSCRIPTION


__all__ = ["OWN_INPUTS", "PEER_INPUTS", "TRANSITIONS", "Input", "Rows", "problem_of"]
