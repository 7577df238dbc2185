"""A holder's prescriptions, kept by the data centre as they were signed, and given again to the phone that now has the card.

After a phone is lost or changed, the new one asks once it is bound (LIF-05). What is kept is opaque here: the physician's
signature covers it, and the phone verifies it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from virtual_devices.cloud.books import Kind
from virtual_devices.cloud.card_ledger import WRONG_KEY, Held, Ledger
from virtual_devices.cloud.counting import next_number
from virtual_devices.cloud.journal import Answer, Request
from virtual_devices.codes import Space
from virtual_devices.lifecycle import NOT_ALLOWED, OK, Carrier, FieldCode, Party

VIRTUAL_ONLY = FieldCode("1527", Space.VHC)


@dataclass(frozen=True, slots=True)
class Prescription:
    """One prescription, signed. ``id`` is the prescriber's."""

    id: bytes
    signed: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Restored:
    """What the phone gets, in the order of issue; nothing when refused."""

    code: FieldCode
    prescriptions: tuple[Prescription, ...] = ()


@dataclass(frozen=True, slots=True)
class KeptPrescription:
    """A prescription of a card's holder; ``number``: in the order in which they came."""

    card_no: str
    id: bytes
    number: int
    signed: bytes


KEPT = Kind("kept_prescriptions", KeptPrescription, ("card_no", "id"), (("card_no",),))


class Restoring:
    """The prescriptions of everybody. ``covered(held, at_ns)``: whether a guardian's authorization covers reading them.
    ``register``: id and signed record of those that desks left with the data centre, by card number."""

    def __init__(
        self, ledger: Ledger, covered: Callable[[Held, int], bool],
        register: Callable[[str], Iterable[tuple[bytes, bytes]]] = lambda _: (),
    ) -> None:
        self._ledger = ledger
        self._covered = covered
        self._register = register
        self._books = ledger.books
        self._kept = self._books.shelf(KEPT)

    def keep(self, request: Request, card_no: str, prescription: Prescription) -> Answer:
        """Store one, once. The same id with another content is refused, and the first stays."""
        def act() -> Answer:
            if request.asker.party is not Party.DATA_CENTRE:
                return Answer(NOT_ALLOWED, "prescriptions come by the data centre's own upload")
            known = self._kept.get(card_no, prescription.id)
            if known is None:
                number = next_number(self._books, "prescriptions kept")
                self._kept.add(KeptPrescription(card_no, prescription.id, number, prescription.signed))
            elif known.signed != prescription.signed:
                return Answer(FieldCode("9002"), "this id belongs to another prescription")
            return Answer()

        return self._ledger.journal.once(request, ("keep", card_no, prescription), act)

    def restore(self, request: Request, name: str, key: bytes) -> Restored:
        """To the phone that the card is bound to now, and to no other.

        Asked again, it is answered anew and not from memory: a phone that was replaced in between gets nothing.
        """
        card = self._ledger.find(request, name)
        if isinstance(card, Answer):
            return Restored(card.code)
        if card.carrier is not Carrier.VIRTUAL:
            return Restored(VIRTUAL_ONLY)
        code = self._ledger.standing(name, request.at_ns)
        if code != OK:
            return Restored(code)
        if card.phone is None or card.phone.key != key or (request.asker.party is Party.GUARDIAN) != (card.held is not None):
            return Restored(WRONG_KEY)
        if card.held is not None and not self._covered(card.held, request.at_ns):
            return Restored(NOT_ALLOWED)
        rows = sorted(self._kept.where(card_no=card.card_no), key=lambda row: row.number)
        kept = {row.id: Prescription(row.id, row.signed) for row in rows}
        found = (*kept.values(), *(Prescription(*one) for one in self._register(card.card_no) if one[0] not in kept))
        under = card.held.authorization if card.held else b""
        self._ledger.journal.write(request, "restore", card.card_no, name, under, f"{len(found)} prescriptions")
        return Restored(OK, found)


__all__ = ["Prescription", "Restored", "Restoring"]
