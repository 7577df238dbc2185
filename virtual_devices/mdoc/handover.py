"""NFC handover, ISO/IEC 18013-5:2021 8.2.2 on Connection Handover 1.5 and TNEP 1.0: messages, and the wallet's side.

*Static*: the NDEF file holds the Handover Select message (Hs) and the reader reads it: the engagement and the carriers
that the wallet offers. *Negotiated*: the file offers the service ``urn:nfc:sn:handover``, and the reader speaks to it by
writing messages, each answered in the file:

    tag: Service Parameter   reader: Service Select        (the tag's offer, the reader takes it)
    tag: TNEP status 0       reader: Handover Request Hr   (the reader's carriers, with a collision resolution number)
    tag: Handover Select Hs                                (the engagement and the one carrier chosen)

The session transcript takes Hs and Hr (null when static) as they went over the air, so both are kept as bytes. The engagement
itself is opaque here. Foreign messages are taken with whatever records and carriers they hold beside; a broken structure, a
reference to nothing, no engagement or two is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from uuid import UUID

from virtual_devices.errors import UsageError
from virtual_devices.mdoc import ndef, tnep
from virtual_devices.mdoc.carriers import BleCarrier, Carrier, MalformedHandover, alternative, read_alternative, read_carrier
from virtual_devices.mdoc.ndef import Record, Tnf
from virtual_devices.mdoc.type4 import MAX_MESSAGE_BYTES, Fixed
from virtual_devices.quick import quick

VERSION = 0x15
"""Connection Handover 1.5; any minor version of 1 is taken (its clause on versions)."""
SERVICE = b"urn:nfc:sn:handover"
ENGAGEMENT_TYPE, ENGAGEMENT_ID = b"iso.org:18013:deviceengagement", b"mdoc"
READER_ENGAGEMENT_TYPE, READER_ENGAGEMENT_ID = b"iso.org:18013:readerengagement", b"mdocreader"
READER_ENGAGEMENT = bytes.fromhex("A10063312E30")
"""{0: "1.0"}: what a reader says of itself in Hr (public code; annex D's Hr has none)."""
_SELECT, _REQUEST, _COLLISION, _ALTERNATIVE = b"Hs", b"Hr", b"cr", b"ac"


@quick
@dataclass(frozen=True, slots=True)
class Handover:
    """A handover that came about. ``hs`` and ``hr``: the messages as they went over the air; ``hr`` None when static.
    ``carriers``: what the wallet offers or has chosen, in its order of preference."""

    hs: bytes
    hr: bytes | None
    device_engagement: bytes
    carriers: tuple[Carrier, ...]

    @property
    def ble_service(self) -> UUID | None:
        """The service UUID for BLE: the wallet's, or in a negotiated handover the reader's when the wallet names none."""
        return service_of((*self.carriers, *(() if self.hr is None else read_request(self.hr))))


def service_of(carriers: Sequence[Carrier]) -> UUID | None:
    """The first service UUID that one of them names for BLE."""
    return next((one.service for one in carriers if isinstance(one, BleCarrier) and one.service is not None), None)


def make_select(device_engagement: bytes, carriers: Sequence[Carrier]) -> bytes:
    """Hs. No carriers: none of the reader's suits (negotiated only). Raises UsageError when it does not fit into the file."""
    engagement = Record(Tnf.EXTERNAL, ENGAGEMENT_TYPE, device_engagement, ENGAGEMENT_ID)
    return _fitting(_before_engagement(tuple(carriers)) + engagement.to_bytes(first=False))


@lru_cache(64)
def _before_engagement(carriers: tuple[Carrier, ...]) -> bytes:
    """What of Hs is the same whatever the engagement is. A wallet makes it once for what it offers."""
    _need_different(carriers)
    rows = [alternative(carrier, (ENGAGEMENT_ID,)) for carrier in carriers]
    first = Record(Tnf.WELL_KNOWN, _SELECT, bytes((VERSION,)) + (ndef.encode(rows) if rows else b""))
    return first.to_bytes(last=False) + b"".join(c.record().to_bytes(first=False, last=False) for c in carriers)


def make_request(carriers: Sequence[Carrier], draw: Callable[[int], bytes]) -> bytes:
    """Hr with the reader's carriers, at least one. ``draw`` gives random bytes: two for collision resolution."""
    if not carriers:
        raise UsageError("a handover request names at least one carrier")
    rows = [Record(Tnf.WELL_KNOWN, _COLLISION, draw(2)), *(alternative(carrier) for carrier in carriers)]
    first = Record(Tnf.WELL_KNOWN, _REQUEST, bytes((VERSION,)) + ndef.encode(rows))
    engagement = Record(Tnf.EXTERNAL, READER_ENGAGEMENT_TYPE, READER_ENGAGEMENT, READER_ENGAGEMENT_ID)
    _need_different(carriers)
    return _fitting(ndef.encode([first, *(carrier.record() for carrier in carriers), engagement]))


def read_select(hs: bytes, hr: bytes | None = None, records: tuple[Record, ...] = ()) -> Handover:
    """The handover that Hs makes, after Hr when negotiated. ``records``: those of ``hs``, where they are read already. Raises
    MalformedHandover or MalformedNdef."""
    records = records or ndef.decode(hs, max_bytes=MAX_MESSAGE_BYTES)
    carriers = _carriers(records, _rows(records, _SELECT))
    engagements = [r.payload for r in records if r.of(Tnf.EXTERNAL, ENGAGEMENT_TYPE) and r.id == ENGAGEMENT_ID]
    if len(engagements) != 1 or not engagements[0]:
        raise MalformedHandover(f"{len(engagements)} device engagements, or an empty one", "ISO/IEC 18013-5 8.2.2")
    return Handover(hs, hr, engagements[0], carriers)


def read_request(hr: bytes) -> tuple[Carrier, ...]:
    """The carriers that a reader offers in Hr. Raises MalformedHandover or MalformedNdef."""
    records = ndef.decode(hr, max_bytes=MAX_MESSAGE_BYTES)
    rows = _rows(records, _REQUEST)
    collisions = [row for row in rows if row.of(Tnf.WELL_KNOWN, _COLLISION)]
    if len(collisions) != 1 or len(collisions[0].payload) != 2:
        raise MalformedHandover("a request has one collision resolution record of two bytes")
    carriers = _carriers(records, rows)
    if not carriers:
        raise MalformedHandover("a request without a carrier")
    return carriers


def _need_different(carriers: Sequence[Carrier]) -> None:
    if len({carrier.id for carrier in carriers}) != len(carriers):
        raise UsageError("two carriers have one id: a reference could mean either")


def _fitting(message: bytes) -> bytes:
    if len(message) > MAX_MESSAGE_BYTES:
        raise UsageError(f"the NDEF file holds a message of {MAX_MESSAGE_BYTES} bytes, not {len(message)}")
    return message


def _rows(records: tuple[Record, ...], kind: bytes) -> tuple[Record, ...]:
    """The records inside the first one, which says what the message is."""
    first = records[0]
    if not first.of(Tnf.WELL_KNOWN, kind):
        raise MalformedHandover(f"the message does not begin with {kind.decode()}")
    if not first.payload or first.payload[0] >> 4 != VERSION >> 4:
        raise MalformedHandover(f"version {first.payload[:1].hex()}, not 1.x")
    return ndef.decode(first.payload[1:]) if len(first.payload) > 1 else ()


def _carriers(records: tuple[Record, ...], rows: tuple[Record, ...]) -> tuple[Carrier, ...]:
    found = []
    for row in rows:
        if not row.of(Tnf.WELL_KNOWN, _ALTERNATIVE):
            continue
        power, name, _ = read_alternative(row.payload)
        meant = [record for record in records[1:] if record.id == name]
        if len(meant) != 1:
            raise MalformedHandover(f"a carrier refers to {len(meant)} records")
        found.append(read_carrier(meant[0], power))
    return tuple(found)


class StaticHandover(Fixed):
    """A wallet's NDEF file for static handover: to stand behind a :class:`~virtual_devices.mdoc.type4.Type4Tag`, whose
    ``read_whole`` tells when a reader has it."""

    def __init__(self, device_engagement: bytes, carriers: Sequence[Carrier]) -> None:
        if not carriers:
            raise UsageError("a static handover offers at least one carrier")
        self.handover = Handover(make_select(device_engagement, carriers), None, device_engagement, tuple(carriers))
        super().__init__(self.handover.hs)


Choose = Callable[[tuple[Carrier, ...]], Carrier | None]


class NegotiatedHandover:
    """A wallet's NDEF file for negotiated handover. One engagement makes one handover: a second request is refused.

    ``choose`` is given the reader's carriers in its order of preference and names the wallet's own, as Hs shall have it
    (the same id as the reader's), or None. ``handover`` is None until Hs with a carrier has been put into the file.
    """

    writable = True

    def __init__(self, device_engagement: bytes, choose: Choose, offer: tnep.ServiceParameter | None = None) -> None:
        self._engagement = device_engagement
        self._choose = choose
        self._offer = offer or tnep.ServiceParameter(SERVICE)
        self._selected = False
        self.handover: Handover | None = None

    def begin(self) -> bytes:
        self._selected = False
        return ndef.encode([self._offer.record()])

    def written(self, message: bytes) -> bytes | None:
        try:
            records = ndef.decode(message, max_bytes=MAX_MESSAGE_BYTES)
            service = tnep.selected_service(records)
            if service is not None:
                return self._select(service)
            if not self._selected or self.handover is not None:
                return tnep.status_message(tnep.PROTOCOL_ERROR)
            return self._negotiate(message)
        except (ndef.MalformedNdef, MalformedHandover):
            return tnep.status_message(tnep.PROTOCOL_ERROR)

    def _select(self, service: bytes) -> bytes:
        if not service:  # deselected: back to the offer
            return self.begin()
        self._selected = service == SERVICE
        return tnep.status_message(tnep.SUCCESS if self._selected else tnep.PROTOCOL_ERROR)

    def _negotiate(self, hr: bytes) -> bytes:
        chosen = self._choose(read_request(hr))
        if chosen is None:
            return make_select(self._engagement, ())
        hs = make_select(self._engagement, (chosen,))
        self.handover = read_select(hs, hr)
        return hs


__all__ = [
    "Choose", "ENGAGEMENT_ID", "ENGAGEMENT_TYPE", "Handover", "NegotiatedHandover", "READER_ENGAGEMENT", "SERVICE",
    "StaticHandover", "VERSION", "make_request", "make_select", "read_request", "read_select", "service_of",
]
