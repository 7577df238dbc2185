"""The card application's home on a chip (``holder/application.py``): no clock, no screen, little memory.

What may be read without the holder's PIN, when its holder has switched it on:

    asked by                     basic data, generation   medical data, visits, prescriptions   writing
    SAM                          yes                      -                                      yes (fees, cancellations)
    SAM and professional         yes                      after VERIFY                           yes
    reader outside medical care  after VERIFY             -                                      -

as on the card of today: basic data for a proved SAM, medical areas after the PIN, writing with the card there (manual 3.3). With
the PIN off, handing the card over is the consent, by contact and in the field alike, but for readers outside medical care: in
the field they get nothing unless a PIN was entered, for a card in a pocket is handed to nobody.
"""

from __future__ import annotations

from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec

from virtual_devices import pki, vhc
from virtual_devices.authentication import Authenticator
from virtual_devices.card.areas import CANCEL
from virtual_devices.card.second_image import CREDENTIAL, credential_of
from virtual_devices.card.second_records import CardRecords
from virtual_devices.holder.application import Act, Allowed, Names
from virtual_devices.holder.readers import ReaderCheck, Readers
from virtual_devices.holder.refusals import No
from virtual_devices.link import Work
from virtual_devices.mdoc.mso import IssuerSigned, read_mso
from virtual_devices.mdoc.session import Transcript
from virtual_devices.pin import Pin
from virtual_devices.pki import ChainVerifier
from virtual_devices.store import Store
from virtual_devices.write_back import Receipt

IN_FORCE = b"1"
"""Of the cancel mark in the insurance cell, which the data centre's update writes."""


class ChipHome:
    """The chip, as the card application sees it. ``in_field``: by the contactless interface."""

    def __init__(
        self, store: Store, work: Work, root: ChainVerifier, clock: Authenticator, pin: Pin, key: ec.EllipticCurvePrivateKey, *,
        in_field: bool,
    ) -> None:
        self.work = work
        self._store = store
        self._root = root
        self._clock = clock  # keeps the latest date seen, also of the certificates of three-card authentication
        self._pin = pin
        self._key = key
        self._in_field = in_field

    def reader_check(self, now_ns: int) -> ReaderCheck:
        """``now_ns`` is the true time, at which a chip must not look."""
        return ReaderCheck(self._root, self._clock.last_seen_ns(), clockless=True)

    def seen(self, readers: Readers) -> None:
        """A certificate begins not before its authority signed it: so late it is by now."""
        latest_ns = max((reader.who.not_before_ns for reader in readers.known()), default=0)
        self._store.commit(self._clock.seen(latest_ns))

    def credential(self, at_ns: int) -> IssuerSigned | No:
        raw = self._store.get(CREDENTIAL)
        if not raw or self._store["insurance"][CANCEL] != IN_FORCE:
            return No.NOT_IN_FORCE
        issued = credential_of(raw)
        ended = self._clock.last_seen_ns() > read_mso(issued.auth.payload or b"").valid_until_ns
        return No.NOT_IN_FORCE if ended else issued

    def allowed(self, names: Names, readers: Readers, write: bool, transcript: Transcript) -> Allowed:
        """As the table says. The code for the rest: a PIN can still be entered, or can not."""
        satisfied = self._pin.satisfied
        if readers.other_use is not None:
            open_to_all = satisfied and (self._pin.verified or not self._in_field)
            given = {space: frozenset(some if open_to_all else ()) for space, some in names.items()}
        else:
            given = {space: frozenset(n for n in some if satisfied or not _guarded(space, n)) for space, some in names.items()}
        may_ask = self._pin.enabled and self._pin.tries_left > (1 if self._in_field else 0)
        return Allowed(given, No.CONSENT_NEEDED if may_ask else No.DECLINED, write=readers.sam is not None)

    def device_values(self, names: Names, transcript: Transcript, room_bytes: int) -> dict[str, dict[str, Any]]:
        """A card is its holder's own: there is no delegation on it."""
        records = CardRecords(self._store, self.work)
        values: dict[str, Any] = {}
        for name in sorted(names.get(vhc.RECORDS, ())):
            value = _value(records, name)
            if value is not None:
                values[name] = value
        return {vhc.RECORDS: values} if values else {}

    def sign(self, message: bytes) -> bytes:
        self.work.signatures += 1
        return pki.sign(self._key, message)

    def write(self, raw: bytes, credential: IssuerSigned, act: Act) -> Receipt:
        """The receipt's date is the latest date seen, the writing SAM's certificate included."""
        records = CardRecords(self._store, self.work)
        return records.write(raw, credential, act.readers, self._clock.last_seen_ns(), lambda _: {})

    def note(self, act: Act) -> None:
        """No log: the holder has no screen to read it on."""
        return


def _guarded(space: str, name: str) -> bool:
    """An element that waits for the PIN, when there is one: whatever a professional must have proved themselves for."""
    element = vhc.BY_NAME.get((space, name))
    return element is None or element.need is vhc.Need.SAM_AND_HPC


def _value(records: CardRecords, name: str) -> Any:
    match name:
        case "generation":
            return records.generation
        case "visits":
            return records.visits() or None
        case "prescriptions":
            return records.prescriptions() or None
        case "certificates":
            return records.chains() or None
        case _:
            return None


__all__ = ["ChipHome"]
