"""What physicians prescribe in a situation: documents drawn from a mix."""

from __future__ import annotations

from datetime import timedelta
from random import Random
from typing import Annotated

import pydantic
from pydantic import BaseModel

from scenarios.mirror import CONFIG
from virtual_devices.clock import NS
from virtual_devices.institution.common_lists import Order
from virtual_devices.prescription.document import Entry, Prescription, PrescriptionClass
from virtual_devices.prescription.rules import day_of, last_day

Share = Annotated[float, pydantic.Field(ge=0, le=1)]
RELEASED, RELEASED_REFILL = "02", "06"
REFILL_DAYS = 28


class RxMix(BaseModel):
    """What is prescribed. Shares of 1; assumed: no figures of this kind have been published for the bench's purpose."""

    model_config = CONFIG

    refill_share: Share = 0.3
    """Share of chronic refill prescriptions (慢性病連續處方箋): three issues of 28 days."""
    controlled_share: Share = 0.06
    """Share of prescriptions of controlled drugs (管制藥品): the recipient signs for them."""
    entries_max: Annotated[int, pydantic.Field(ge=1, le=20)] = 4
    """A prescription has 1 to this many drugs."""


def draw_kind(rng: Random, mix: RxMix) -> PrescriptionClass:
    """Refill, controlled or ordinary."""
    drawn = rng.random()
    if drawn < mix.refill_share:
        return PrescriptionClass.REFILL
    return PrescriptionClass.CONTROLLED if drawn < mix.refill_share + mix.controlled_share else PrescriptionClass.ORDINARY


def draw_prescription(
    rng: Random, mix: RxMix, kind: PrescriptionClass, *, id: bytes, device: bytes, card_no: str, institution: str, at_ns: int,
    visit: str = "",
) -> Prescription:
    """A document for a pharmacy. ``id``: 16 bytes; ``device``: whom records for the card name; ``visit``: its identifier."""
    at_ns -= at_ns % NS
    days = REFILL_DAYS if kind.refill else rng.choice((3, 5, 7))
    issues = 3 if kind.refill else 1
    entries = tuple(_entry(rng, days, order(kind)) for _ in range(rng.randint(1, mix.entries_max)))
    last = last_day(kind, at_ns, days, issues)
    if kind is PrescriptionClass.CONTROLLED:
        last = day_of(at_ns) + timedelta(days=2)
    return Prescription(id, device, at_ns, institution, entries, last, kind, issues, days, card_no, visit)


def order(kind: PrescriptionClass) -> Order:
    """A drug released to a pharmacy, for once or for long."""
    return Order("2", RELEASED_REFILL) if kind.refill else Order("1", RELEASED)


def _entry(rng: Random, days: int, how: Order) -> Entry:
    a_day = rng.randint(1, 4)
    usage = ("QD", "BID", "TID", "QID")[a_day - 1]
    item = f"AC{rng.randrange(10**8):08d}"
    return Entry(how.order_type, item, "", f"1T {usage} PO", days, days * a_day * 10, how.delivery_mark)


__all__ = ["RxMix", "draw_kind", "draw_prescription", "order"]
