"""How fast a reader is: its turnaround in one presentation, from the last byte of an answer to its next command or word.

    found      from the card's coming (in the field, in the slot, its code on the screen) to the first command, or the connection
    engaged    the commands that read the handover; after a code there are none
    request    until the whole request is there: signed by the SAM, sealed, sent
    response   the commands that fetch the rest of an answer
    verified   from the whole answer until the session is ended, or until the verdict of a reader that does not end it
    written    until the whole batch is there: the records signed, the request signed, sent

It is the reader's own time beside :mod:`virtual_devices.segments`, which has the card's. A typed PIN is a person's, and counted
nowhere; nor is what a person takes to have the reader read (found).
"""

from __future__ import annotations

from collections.abc import Sequence

from conformance.references.reader import Told, Wants
from virtual_devices import vhc
from virtual_devices.mdoc.nfc_retrieval import AID, ENVELOPE, GET_RESPONSE, SELECT
from virtual_devices.mdoc.request import DeviceRequest
from virtual_devices.segments import Segment

CHAINING, VERIFY, MORE = 0x10, 0x20, 0x61


class Turnaround:
    """Of one presentation. ``ns``: what was seen of each segment; ``awaited``: in which the reader is now."""

    def __init__(self, channel: str) -> None:
        self.ns: dict[Segment, int] = {}
        self.awaited = Segment.FOUND
        self._channel = channel
        self._parts_ns = 0
        self._begun = self._air = False

    def took(self, wants: Wants, requests: Sequence[DeviceRequest], reply: bytes | None) -> None:
        """The reader has come with this. ``requests``: those that were whole with it; ``reply``: what is answered."""
        if wants.role == "screen":
            return
        if wants.connect or not wants.message:
            self._add(Segment.FOUND, wants.after_ns)
            self._begun = self._air = wants.connect
            self.awaited = Segment.REQUEST if self._begun else Segment.FOUND
            return
        over = Segment.FOUND if not self._begun else self._of(wants.message, requests)
        self._begun = True
        if over is None:
            self._parts_ns += wants.after_ns
        elif over is not Segment.HUMAN:
            self._add(over, wants.after_ns + self._parts_ns)
            self._parts_ns = 0
        self.awaited = self._next(wants.message, reply)

    def told(self, told: Told) -> None:
        """It has said how it ended."""
        if self.ns.get(Segment.VERIFIED) is None and self.awaited is Segment.VERIFIED:
            self._add(Segment.VERIFIED, told.after_ns)

    def _add(self, segment: Segment, ns: int) -> None:
        self.ns[segment] = self.ns.get(segment, 0) + ns

    def _of(self, message: bytes, requests: Sequence[DeviceRequest]) -> Segment | None:
        """The segment that ends with this; None: a part of a message, which is of the whole one's."""
        if not self._air:
            ins = message[1]
            if ins == ENVELOPE and message[0] & CHAINING:
                return None
            if ins != ENVELOPE:
                return {GET_RESPONSE: Segment.RESPONSE, VERIFY: Segment.HUMAN}.get(ins, Segment.ENGAGED)
        if not requests:
            return Segment.VERIFIED
        writes = any(vhc.WRITE_INFO in document.items.info for document in requests[-1].documents)
        return Segment.WRITTEN if writes else Segment.REQUEST

    def _next(self, message: bytes, reply: bytes | None) -> Segment:
        if self._air:
            return Segment.VERIFIED
        if message[1] in (ENVELOPE, GET_RESPONSE):
            if message[0] & CHAINING:
                return Segment.REQUEST
            return Segment.RESPONSE if reply and len(reply) > 1 and reply[-2] == MORE else Segment.VERIFIED
        chosen = self._channel == "nfc" and message[1] == SELECT and message[5:].startswith(AID)
        return Segment.REQUEST if chosen else Segment.ENGAGED


__all__ = ["Turnaround"]
