"""Every kind of row that a run leaves behind. Nothing else is recorded, and no other module defines a row.

A row is a flat, immutable record of ints, floats, texts, booleans and bytes, so that its table follows from its fields.
``*_ns`` are integer nanoseconds: moments since the Unix epoch, durations as such. ``-1`` stands for a moment that never
came (an upload that was never stored). ``replication`` counts from 0.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from virtual_devices.quick import quick


@quick
@dataclass(frozen=True, slots=True)
class ExchangeRow:
    """One try over one medium: what was asked, what came back, how long it took, how it ended."""

    replication: int
    visit: str  # "" when it belongs to no visit
    session: str  # one contact with one set of devices, unique in its replication
    flow: str  # the protocol: "register", "authenticate", ...
    step: str  # the part of it whose latency a person would ask about: "read basic data"
    role: str  # card, sam, hpc, cloud, ...
    channel: str  # contact, nfc, ble, qr, network
    device: str  # moniker of the other end
    provenance: str  # modelled, measured, presented, replayed
    at_ns: int
    duration_ns: int
    outcome: str  # see link.Outcome
    request: bytes  # empty when masked
    reply: bytes  # empty when masked or when none came
    request_bytes: int
    reply_bytes: int  # -1 when no reply came
    status: str  # status word or return code, never masked: "9000", "4061"
    fault: str  # id of the injected fault that struck, or ""
    sent_ns: int = -1  # of duration_ns, until the request had left; -1 when the medium does not tell


@dataclass(frozen=True, slots=True)
class FrameRow:
    """One frame that carried an exchange over a real medium, as the driver's library sent or met it. Recorded when asked for."""

    replication: int
    session: str
    role: str
    exchange_ns: int  # at_ns of the exchange that it belongs to
    after_ns: int  # since the exchange began
    layer: str  # iso14443-4, att
    sent: bool  # to the device
    head_bytes: int  # at its beginning, the protocol's own; the rest is part of a message
    data: bytes  # without check bytes; asterisks after the head when masked


@dataclass(frozen=True, slots=True)
class ActRow:
    """One act of a person: handing over a card, entering a PIN. Never mixed with device time."""

    replication: int
    visit: str
    session: str
    person: str  # holder, clerk, physician, pharmacist
    act: str
    at_ns: int
    duration_ns: int


@dataclass(frozen=True, slots=True)
class StageRow:
    """One patient at one station: when they joined its queue, when service began and ended."""

    replication: int
    visit: str
    station: str
    joined_ns: int
    began_ns: int
    ended_ns: int


@dataclass(frozen=True, slots=True)
class VisitRow:
    """One visit, written once, when the patient leaves."""

    replication: int
    visit: str
    patient: str  # the bench's own patient key, never a name or an ID number
    booking: str  # booked | walk-in
    carrier: str  # ic-card | virtual-card
    devices: str  # what carried the card exchanges: "virtual", "pcsc:...", or several joined by " + "
    provenance: str  # of the card exchanges: modelled | measured | mixed
    arrived_ns: int
    left_ns: int
    outcome: str  # served | refused | gave-up
    code: str  # return code (space cshis) that decided a refusal, or the last notice; "0" otherwise
    sequence: str  # visit sequence number, "" when none was issued
    online: bool  # the sequence number came with the cloud's identifier
    card_time_ns: int  # sum of card-side exchanges
    cloud_time_ns: int  # sum of exchanges with the data centre
    attempts: int  # exchanges tried
    retries: int  # of those, repeated after silence, a tear or a lost device


@dataclass(frozen=True, slots=True)
class UploadRow:
    """One visit's record on its way to the data centre."""

    replication: int
    visit: str
    batch: str  # idempotency key of the record
    ended_ns: int  # end of the visit: from here on the record could be sent
    due_ns: int  # 24 hours after the moment that the visit is called by
    first_try_ns: int
    stored_ns: int  # when the data centre stored it, -1 if it never did
    tries: int
    outcome: str  # stored | missing
    queued: bool  # it waited in the offline queue


@dataclass(frozen=True, slots=True)
class PrescriptionRow:
    """One thing that happened to one prescription."""

    replication: int
    prescription: str  # the beginning of its id
    event: str  # issued | on phone | stored | read | doubted | answered | dispensed | received | told | found | ...
    at_ns: int
    place: str  # name of the desk, or "data centre"
    person: str  # physician, pharmacist, recipient, desk, data centre
    visit: str  # "" when it belongs to no visit
    online: bool  # the data centre knew of it then
    code: str  # "0", or what was against it


@dataclass(frozen=True, slots=True)
class FaultRow:
    """One injected fault that struck, and how what it struck ended."""

    replication: int
    fault: str  # id from the scenario
    kind: str
    role: str
    visit: str
    session: str
    at_ns: int
    until_ns: int  # end of a window; equal to at_ns for a single stroke
    code: str  # the field's return code for it, with its space
    ended: str  # retried | offline | settled-later | refused | window | lost


@dataclass(frozen=True, slots=True)
class SwitchRow:
    """A role changed hands, or a device was found, lost, restarted."""

    replication: int
    at_ns: int
    role: str
    was: str
    now: str
    reason: str
    visit: str


@dataclass(frozen=True, slots=True)
class LedgerRow:
    """One conservation law at the end of one replication: what must be equal, and whether it was."""

    replication: int
    law: str
    left: int
    right: int
    holds: bool


Row = ExchangeRow | FrameRow | ActRow | StageRow | VisitRow | UploadRow | PrescriptionRow | FaultRow | SwitchRow | LedgerRow
Record = Callable[[Row], None]

TABLES: dict[str, type[Row]] = {
    "exchanges": ExchangeRow,
    "frames": FrameRow,
    "acts": ActRow,
    "stages": StageRow,
    "visits": VisitRow,
    "uploads": UploadRow,
    "prescriptions": PrescriptionRow,
    "faults": FaultRow,
    "switches": SwitchRow,
    "ledger": LedgerRow,
}
"""Table name in the run directory -> row type."""


def discard(row: Row) -> None:
    """A ``Record`` for those who do not want the rows."""
