"""What the virtual card answers to a request: who asks, what they may have, what the holder allows, and what there is.

The same on a phone and on a chip; the differences are in what it lives in (:class:`Home`).

1. The readers' signatures are checked (``readers.py``). Nobody proved: nothing, with the code of the party that failed.
2. Of what is asked, an element is shown when its need is met (``vhc.ELEMENTS``) and the holder allows it. Every other
   element is answered with the reason, as a code of its own.
3. Where nothing is shown, no document is sent at all: its issuer's signature alone would tell the card.
4. A batch in the request is written (``writing.py``), and its receipt is part of what the device signs.
5. What was shown and written, to whom, goes into the holder's log before it leaves.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from virtual_devices import vhc
from virtual_devices.authentication import Party
from virtual_devices.holder.readers import ReaderCheck, Readers, who_asks
from virtual_devices.holder.refusals import No, code
from virtual_devices.link import Work
from virtual_devices.mdoc.mso import IssuerSigned
from virtual_devices.mdoc.request import DeviceRequest, DocRequest
from virtual_devices.mdoc.response import DeviceResponse, Document, sign_device
from virtual_devices.mdoc.session import Transcript
from virtual_devices.mdoc.tagged import MalformedMdoc, unembed
from virtual_devices.quick import quick
from virtual_devices.write_back import Receipt

RESPONSE_BYTES = 56_000
"""Of issuer's items and device's values in one response; MSO, signatures and frames take the rest of 64 kB."""
Names = Mapping[str, Collection[str]]
"""Elements by namespace."""
Shown = Mapping[str, frozenset[str]]
"""The same, each once."""


@quick
@dataclass(frozen=True, slots=True)
class Allowed:
    """What the holder allows of what may be shown. ``rest``: the code for the others."""

    names: Shown
    rest: No = No.DECLINED
    write: bool = True


@quick
@dataclass(frozen=True, slots=True)
class Act:
    """What is about to leave the device, or be written, for the holder's log."""

    readers: Readers
    shown: Names
    at_ns: int
    writes: bool = False
    declined: bool = False
    """Nothing leaves: the holder does not want it."""


class Home(Protocol):
    """What the application lives in: a phone or a chip."""

    @property
    def work(self) -> Work: ...

    def reader_check(self, now_ns: int) -> ReaderCheck:
        """By which root, time and lists the readers are judged."""
        ...

    def credential(self, at_ns: int) -> IssuerSigned | No:
        """The card that is presented, or why none is."""
        ...

    def allowed(self, names: Shown, readers: Readers, write: bool, transcript: Transcript) -> Allowed:
        """The holder's consent to showing these, and to writing, in this session."""
        ...

    def device_values(self, names: Names, transcript: Transcript, room_bytes: int) -> dict[str, dict[str, Any]]:
        """What the device itself says, of these elements, in so many bytes about: a response has its limit."""
        ...

    def sign(self, message: bytes) -> bytes:
        """The device key's ES256, 64 bytes."""
        ...

    def write(self, raw: bytes, credential: IssuerSigned, act: Act) -> Receipt:
        """Check a batch and store it, all or nothing, and in the same commit what the log says of it. Raises MalformedMdoc
        for one that is none."""
        ...

    def seen(self, readers: Readers) -> None:
        """Who has proved themselves: the latest date that a device without a clock knows."""
        ...

    def note(self, act: Act) -> None:
        """Into the holder's log."""
        ...


class Application:
    """The card application in its home."""

    def __init__(self, home: Home) -> None:
        self._home = home

    def answer(self, asked: DeviceRequest, transcript: Transcript, now_ns: int) -> DeviceResponse:
        """Never raises for what is asked."""
        home = self._home
        check = home.reader_check(now_ns)
        readers = who_asks(asked, transcript, check, home.work)
        others = {d.items.doctype: int(No.NOT_RETURNED) for d in asked.documents if d.items.doctype != vhc.DOCTYPE}
        ours = next((d for d in asked.documents if d.items.doctype == vhc.DOCTYPE), None)
        if not readers.known():
            trouble = readers.trouble(Party.SAM)
            assert trouble is not None
            refused = code(Party.SAM, trouble.trouble)
            return DeviceResponse(errors=dict.fromkeys([d.items.doctype for d in asked.documents], refused))
        home.seen(readers)
        if ours is None:
            return DeviceResponse(errors=others)
        found = self._document(ours, readers, transcript, check.now_ns)
        if isinstance(found, int):
            return DeviceResponse(errors={**others, vhc.DOCTYPE: found})
        return DeviceResponse((found,), others)

    def _document(self, asked: DocRequest, readers: Readers, transcript: Transcript, at_ns: int) -> Document | int:
        home = self._home
        credential = home.credential(at_ns)
        if isinstance(credential, No):
            return int(credential)
        wanted = asked.items.elements()
        batch = asked.items.info.get(vhc.WRITE_INFO)
        met = vhc.grants(sam=readers.sam is not None, hpc=readers.hpc is not None, other_use=readers.other_use is not None)
        may = vhc.allowed(wanted, met)
        consent = home.allowed(may, readers, batch is not None, transcript)
        shown = {space: names & consent.names.get(space, frozenset()) for space, names in may.items()}
        issued = credential.select(shown)
        room = RESPONSE_BYTES - sum([len(i.embedded) for items in issued.items.values() for i in items])
        values = home.device_values({s: n for s, n in shown.items() if s in vhc.AUTHORISED and n}, transcript, room)
        told = {space: sorted([i.identifier for i in items]) for space, items in issued.items.items()}
        act = Act(readers, told | {space: sorted(names) for space, names in values.items()}, at_ns, batch is not None)
        if batch is not None:
            if readers.sam is None or not consent.write:
                return int(No.OTHER_READERS_NEEDED if readers.sam is None else consent.rest)
            try:
                receipt = home.write(unembed(batch, "a batch"), credential, act)
            except MalformedMdoc:
                return int(No.VERSION)
            values.setdefault(vhc.WRITE, {})[vhc.RECEIPT] = receipt.value()
        errors = _reasons(wanted, told, values, readers, may, consent)
        if not issued.items and not values:
            if consent.rest is No.DECLINED and any(may.values()):
                home.note(Act(readers, may, at_ns, declined=True))
            reasons = {c for codes in errors.values() for c in codes.values()}
            return int(No.CONSENT_NEEDED) if No.CONSENT_NEEDED in reasons else min(reasons, default=int(No.NOT_RETURNED))
        if batch is None:
            home.note(act)
        return Document(vhc.DOCTYPE, issued, sign_device(home.sign, transcript, vhc.DOCTYPE, values), errors)


def _reasons(
    wanted: Shown, issued: Names, values: Names, readers: Readers, may: Names, consent: Allowed,
) -> dict[str, dict[str, int]]:
    """Why each element that was asked for is not there."""
    reasons: dict[str, dict[str, int]] = {}
    for space, names in wanted.items():
        missing = names.difference(issued.get(space, ()), values.get(space, ()))
        if missing:
            reasons[space] = {name: _reason(space, name, readers, may, consent) for name in sorted(missing)}
    return reasons


def _reason(space: str, name: str, readers: Readers, may: Names, consent: Allowed) -> int:
    element = vhc.BY_NAME.get((space, name))
    if element is None or name in consent.names.get(space, ()):
        return int(No.NOT_RETURNED)
    if name in may.get(space, ()):
        return int(consent.rest)
    missing = readers.trouble(Party.HPC) if readers.sam is not None and element.need is vhc.Need.SAM_AND_HPC else None
    return int(No.OTHER_READERS_NEEDED) if missing is None else code(Party.HPC, missing.trouble)
