"""A holder's prescriptions given again, as they were signed, to the phone that now has the card (LIF-05).

After a phone is lost or changed, the new one asks once it is bound. It takes the records in as it does those that came late, by
their signers, whom it judges at the moment of the record, as the register did. They name the card that they were written for; the
new card names that one as former (``vhc.FORMER``), and shows them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

from virtual_devices.cloud.card_ledger import WRONG_KEY, Held, Ledger
from virtual_devices.cloud.journal import Answer, Request
from virtual_devices.cloud.late import LateRecords
from virtual_devices.codes import Space
from virtual_devices.lifecycle import NOT_ALLOWED, OK, Carrier, FieldCode, Party

VIRTUAL_ONLY = FieldCode("1527", Space.VHC)


@dataclass(frozen=True, slots=True)
class Restored:
    """What the phone gets, oldest first; nothing when refused."""

    code: FieldCode
    records: tuple[LateRecords, ...] = ()


class Restoring:
    """The prescriptions of everybody. ``covered(held, at_ns)``: whether a guardian's authorization covers reading them.
    ``register``: what is known of a person's prescriptions that names one of these cards (``write_back.holder_of``)."""

    def __init__(
        self, ledger: Ledger, covered: Callable[[Held, int], bool],
        register: Callable[[str, Collection[bytes]], Collection[LateRecords]] = lambda *_: (),
    ) -> None:
        self._ledger = ledger
        self._covered = covered
        self._register = register

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
        found = tuple(self._register(card.card_no, {card.holder, *self._ledger.former(card)}))
        under = card.held.authorization if card.held else b""
        self._ledger.journal.write(request, "restore", card.card_no, name, under, f"{len(found)} records")
        return Restored(OK, found)


__all__ = ["Restored", "Restoring"]
