"""A second-generation card in a field, block by block: the contactless interface behind ISO-DEP (ISO/IEC 14443-4).

The chip computes at once and in no time here; what it would take by its price list is asked for by S(WTX), as often as needed,
before the answer goes out: a reader that does not grant time is found out. Anticollision is the radio's: the UID is to be a
random one (first byte 08), or the card could be told by it.
"""

from __future__ import annotations

from virtual_devices.card.chip_costs import ASSUMED, ChipCosts, waiting_extension
from virtual_devices.card.second import ATS, MAX_COMMAND_BYTES, Interface
from virtual_devices.iso_dep import Picc
from virtual_devices.link import PowerCut

MAX_APDU_BYTES = MAX_COMMAND_BYTES + 9
"""Header, extended Lc and Le, and data."""


class CardInField(Picc):
    """The card as blocks. ``activate`` gives the chip power, ``field_off`` and S(DESELECT) take it; while the card is in a slot,
    it is silent. A PowerCut inside the chip comes through :meth:`activate` and :meth:`receive`; the field is then gone."""

    def __init__(self, interface: Interface, costs: ChipCosts = ASSUMED) -> None:
        self._interface = interface
        self._costs = costs
        self._answer: bytes | None = None
        self._due_ns = 0.0  # of the computation, beyond what the reader has granted
        super().__init__(self._compute, ATS, MAX_APDU_BYTES)

    def field_off(self) -> None:
        super().field_off()
        self._answer = None
        self._interface.power_off()

    def activate(self, rats: bytes) -> bytes | None:
        ats = super().activate(rats)
        try:
            powered = ats is None or bool(self._interface.power_on())
        except PowerCut:
            self.field_off()
            raise
        if not powered:
            self.field_off()
            return None
        return ats

    def receive(self, raw: bytes) -> bytes | None:
        try:
            block = super().receive(raw)
        except PowerCut:
            self.field_off()
            raise
        if block is not None or self._answer is None or self._extending is not None:
            return block
        extension = waiting_extension(self._due_ns, self.ats)
        if extension:
            self._due_ns -= extension * self.ats.frame_waiting_s * 1e9
            return self.extend(extension)
        answer, self._answer = self._answer, None
        return self.reply(answer)

    def _compute(self, message: bytes) -> None:
        before = self._interface.work.copy()
        self._answer = self._interface.handle(message, 0)
        self._due_ns = float(self._costs.work_ns(self._interface.work.since(before)))


__all__ = ["MAX_APDU_BYTES", "CardInField"]
