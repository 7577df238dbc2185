"""A registered visit at a desk, and the flows that write something of it: what tests break off and tear."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from virtual_devices.card.ic_card import IcCard
from virtual_devices.clock import NS, roc_datetime13
from virtual_devices.flow import Flow
from virtual_devices.reader.visit import (
    open_card,
    register,
    roll_back,
    sign_prescriptions,
    write_consultation,
    write_fees,
)
from virtual_devices.store import JOURNAL

from .desk import NOW_NS, Bench, codes, entry, fees, switch_on

NOT_MEANT = {"boots", "last_seen", JOURNAL}
"""Cells of the chip itself, not what a write means."""


def registered() -> tuple[Bench, Any]:
    """A desk with all cards ready and one visit registered."""
    bench = Bench()
    visit = bench.run(register(bench.desk, bench.request()))
    bench.run(switch_on(bench))
    return bench, visit


def consult(bench: Bench, visit: Any) -> Flow[Any]:
    """Diagnoses and prescriptions written, and the prescriptions signed."""
    sam, card, _ = yield from open_card(bench.desk, bench.doctor)
    entries = [entry(visit.request.visited_at, kind, n) for n, kind in enumerate("125")]
    yield from write_consultation(card, visit, bench.act("write"), codes(), entries)
    return (yield from sign_prescriptions(bench.desk, sam, entries))


FLOWS: dict[str, Callable[[Bench, Any], Flow[Any]]] = {
    "register": lambda b, _: register(b.desk, b.request("second", NOW_NS + 3600 * NS)),
    "consult": consult,
    "fees": lambda b, visit: write_fees(b.desk, visit, b.act("fees"), fees()),
    "roll back": lambda b, visit: roll_back(b.desk, visit, b.act("cancel"), roc_datetime13(NOW_NS + 60 * NS)),
}


def meaning(card: IcCard) -> dict[str, bytes]:
    """What the card holds, as far as it means something."""
    return {cell: value for cell, value in card.store.cells().items() if cell not in NOT_MEANT}
