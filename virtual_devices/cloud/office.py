"""What the data centre's side towards phones works with: the domain, the issuer, the registers, and what waits for phones."""

from __future__ import annotations

from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass, field

from virtual_devices.cloud.audit import AuditLog
from virtual_devices.cloud.cards import Cards
from virtual_devices.cloud.guardians import Guardians
from virtual_devices.cloud.identification import CardSession
from virtual_devices.cloud.issuer import CardHolder, CardIssuer
from virtual_devices.cloud.late import LateRecords
from virtual_devices.cloud.restoring import Restoring


@dataclass
class Office:
    """What the service works with: the domain, the issuer, the registers, and what waits for phones."""

    cards: Cards
    guardians: Guardians
    restoring: Restoring
    issuer: CardIssuer
    holders: Mapping[str, CardHolder]
    root: bytes
    maker_root: bytes
    fresh: Callable[[int], bytes]
    audit: AuditLog | None = None
    """Where every request of a phone is written down; None: nowhere."""
    telephone: dict[str, str] = field(default_factory=dict)
    """Card number -> the one-time code that was sent to the telephone on file last."""
    card_sessions: MutableMapping[bytes, CardSession] = field(default_factory=dict)
    """Three-card sessions that a desk has told of, by their statement's id."""
    tickets: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Ticket given at a counter -> card number, officer. Good once."""
    late: MutableMapping[str, list[LateRecords]] = field(default_factory=dict)
    """Card number -> records that came late."""
    receipts: list[tuple[str, bytes, int]] = field(default_factory=list)
    """Card number, id of late records, outcome as the phone told it."""
