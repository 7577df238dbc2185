"""The segments of a presentation of a virtual card: what its time went into. One pure function of its rows.

    found      the device answers for the first time: a phone in the field, a card in the slot, a connection over BLE
    engaged    how to speak to it is known: the handover that its tag or card offers, the code on its screen
    signed     SAM and professional's card sign the request, or the records: chips of the desk, not the device
    request    the request travels, until it has left the reader for good
    response   from then until the whole answer is there: the device's work, and the way back
    verified   from the whole answer until the desk goes on; in virtual time a desk computes in no time
    written    writing back: the batch there, the receipt back
    closed     the good-bye
    human      what people did meanwhile; never part of any other

A presentation is a session in which a device was engaged (rows of steps in :data:`ENGAGING`). docs/reference/segments.md says for
each channel which rows make which segment. Tries that failed count: they were waited for.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from itertools import groupby, pairwise

from virtual_devices.trace import ActRow, ExchangeRow


class Segment(Enum):
    FOUND = "found"
    ENGAGED = "engaged"
    SIGNED = "signed"
    REQUEST = "request"
    RESPONSE = "response"
    VERIFIED = "verified"
    WRITTEN = "written"
    CLOSED = "closed"
    HUMAN = "human"


DEVICE_ROLES = frozenset({"wallet", "screen", "card"})
_STEPS: Mapping[str, Segment] = {
    "find phone": Segment.FOUND, "find out which card": Segment.FOUND, "connect": Segment.FOUND, "look": Segment.FOUND,
    "engage by NFC": Segment.ENGAGED, "engage by contact": Segment.ENGAGED, "retrieve over NFC": Segment.ENGAGED,
    "scan QR code": Segment.ENGAGED, "write virtual card": Segment.WRITTEN, "end session": Segment.CLOSED,
}
"""Step -> segment; every other step towards the device is a request and its response."""
_SIGNING = frozenset({"sign request", "sign records", "sign prescriptions"})
ENGAGING = frozenset({"engage by NFC", "engage by contact", "scan QR code"})
_PEOPLE = "virtual", "modelled"
"""Device and provenance of what people do, as rows have them."""
_ENVELOPE, _GET_RESPONSE, _CHAINING = 0xC3, 0xC0, 0x10


@dataclass(frozen=True, slots=True)
class Seen:
    """What of a row decides. ``role``: "" for an act of a person; ``head``: the first two bytes of the request, empty when they
    were masked."""

    replication: int
    session: str
    role: str
    channel: str
    device: str
    provenance: str
    step: str
    at_ns: int
    duration_ns: int
    sent_ns: int
    replied: bool
    head: bytes


def seen(row: ExchangeRow | ActRow) -> Seen:
    """A row as the definition needs it."""
    if isinstance(row, ActRow):
        return Seen(row.replication, row.session, "", "", "", "", row.act, row.at_ns, row.duration_ns, -1, True, b"")
    return Seen(
        row.replication, row.session, row.role, row.channel, row.device, row.provenance, row.step, row.at_ns, row.duration_ns,
        row.sent_ns, row.outcome == "replied", row.request[:2],
    )


@dataclass(frozen=True, slots=True)
class Presentation:
    """One presentation. ``channel``, ``device``, ``provenance``: of its messages; ``whole``: every exchange was answered; ``ns``:
    every segment, 0 where nothing of it happened; ``signers``: device and provenance of the chips that signed, as the messages'
    where none did."""

    replication: int
    session: str
    channel: str
    device: str
    provenance: str
    whole: bool
    ns: Mapping[Segment, int]
    signers: tuple[str, str]

    def origin(self, segment: Segment) -> tuple[str, str]:
        """Device and provenance of a segment's time. People are the bench's own, whatever device they hold."""
        if segment is Segment.HUMAN:
            return _PEOPLE
        return self.signers if segment is Segment.SIGNED else (self.device, self.provenance)


def presentations(rows: Iterable[Seen]) -> Iterator[Presentation]:
    """The presentations among these rows, which come session by session, each in the order of time."""
    for _, session in groupby(rows, key=lambda row: (row.replication, row.session)):
        found = _presentation(list(session))
        if found is not None:
            yield found


def parts(row: Seen) -> Iterator[tuple[Segment, int]]:
    """What one row's duration went into."""
    if not row.role:
        yield Segment.HUMAN, row.duration_ns
    elif row.role not in DEVICE_ROLES:
        if row.step in _SIGNING:
            yield Segment.SIGNED, row.duration_ns
    elif row.step in _STEPS:
        yield _STEPS[row.step], row.duration_ns
    else:
        sent_ns = min(row.duration_ns, _sent_ns(row))
        yield Segment.REQUEST, sent_ns
        yield Segment.RESPONSE, row.duration_ns - sent_ns


def _sent_ns(row: Seen) -> int:
    """Until the request had left: as the medium told; else of commands, all parts of a message but the last."""
    if row.sent_ns >= 0:
        return row.sent_ns
    part = len(row.head) == 2 and row.head[1] == _ENVELOPE and row.head[0] & _CHAINING
    return row.duration_ns if part else 0


def _presentation(session: list[Seen]) -> Presentation | None:
    device = [row for row in session if row.role in DEVICE_ROLES]
    if not any(row.step in ENGAGING for row in device):
        return None
    ns = dict.fromkeys(Segment, 0)
    for row in session:
        for segment, part_ns in parts(row):
            ns[segment] += part_ns
    for row, following in pairwise(session):
        if _answers(row) and not _goes_on(following):
            ns[Segment.VERIFIED] += max(0, following.at_ns - row.at_ns - row.duration_ns)
    last = next((row for row in reversed(device) if row.role != "screen"), device[-1])
    signed = next((row for row in reversed(session) if row.role not in DEVICE_ROLES and row.step in _SIGNING), last)
    return Presentation(last.replication, last.session, last.channel, last.device, last.provenance,
                        all(row.replied for row in device), ns, (signed.device, signed.provenance))


def _answers(row: Seen) -> bool:
    """Whether an answer may end with this row: of a request, or of a writing."""
    return row.role in DEVICE_ROLES and row.replied and _STEPS.get(row.step, Segment.WRITTEN) is Segment.WRITTEN


def _goes_on(row: Seen) -> bool:
    """Whether this row fetches more of the same answer."""
    return row.role in DEVICE_ROLES and len(row.head) == 2 and row.head[1] == _GET_RESPONSE


__all__ = ["DEVICE_ROLES", "ENGAGING", "Presentation", "Seen", "Segment", "parts", "presentations", "seen"]
