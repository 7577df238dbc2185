"""WBK-02: a card torn out at any point of any write holds the old state or the new one, and the act can be done again."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

import pytest

from virtual_devices.card.ic_card import IcCard
from virtual_devices.clock import NS, roc_datetime13
from virtual_devices.flow import Flow
from virtual_devices.link import Attempt, DirectLink, Outcome, PowerCut, Work
from virtual_devices.reader.authenticate import insert_hpc, open_sam
from virtual_devices.reader.transmit import Ended
from virtual_devices.reader.visit import open_card, register, roll_back, sign_prescriptions, write_consultation, write_fees
from virtual_devices.store import JOURNAL, Store

from .desk import NOW_NS, Bench, codes, entry, fees

VOLATILE = {"boots", "last_seen", JOURNAL}  # counters of the chip itself, not what a write means


class TornLink(DirectLink):
    """A link that pulls the card ``points`` cut points after its n-th exchange has begun."""

    def __init__(self, bench: Bench, at_exchange: int, points: int) -> None:
        super().__init__(bench.card, bench.clock)
        self._card = bench.card
        self._at, self._points, self._count = at_exchange, points, -1
        self.torn = False

    def attempt(self, message: bytes, timeout_s: float) -> Attempt:
        self._count += 1
        if self._count == self._at:
            self._card.arm_cut(self._points)
        try:
            attempt = super().attempt(message, timeout_s)
        except PowerCut:
            self._card.power_off()
            self.torn = True
            return Attempt(Outcome.GONE, 0)
        self._card.arm_cut(None)
        return attempt


def registered_bench() -> tuple[Bench, Any]:
    bench = Bench()
    registered = bench.run(register(bench.desk, bench.request()))
    bench.run(switch_on(bench))
    return bench, registered


def switch_on(bench: Bench) -> Flow[None]:
    opened = yield from open_sam(bench.desk)
    yield from insert_hpc(bench.desk, opened)


def consulting(bench: Bench, registered: Any) -> Flow[None]:
    sam, card, _ = yield from open_card(bench.desk, bench.doctor)
    when = registered.request.visited_at
    entries = [entry(when, kind, n) for n, kind in enumerate("125")]
    yield from write_consultation(card, registered, bench.act("write"), codes(), entries)
    yield from sign_prescriptions(bench.desk, sam, entries)


ACTS: dict[str, Callable[[Bench, Any], Flow[Any]]] = {
    "issue": lambda b, _: register(b.desk, b.request("second", NOW_NS + 7200 * NS)),
    "diagnoses and prescriptions": consulting,
    "fees": lambda b, r: write_fees(b.desk, r, b.act("fees"), fees()),
    "roll-back": lambda b, r: roll_back(b.desk, r, b.act("cancel"), roc_datetime13(NOW_NS + 60 * NS)),
}


def meaning(card: IcCard) -> dict[str, bytes]:
    return {cell: value for cell, value in card.store.cells().items() if cell not in VOLATILE}


def copy_of(card: IcCard) -> IcCard:
    return IcCard.from_image(card.to_image())


@pytest.mark.parametrize("act", sorted(ACTS))
def test_card_torn_anywhere_in_a_write_is_old_or_new_and_ends_new(act: str) -> None:
    bench, registered = registered_bench()
    begun = copy_of(bench.card)
    old = meaning(begun)
    bench.card.store.watch_points = True
    first_row = len(bench.rows)
    bench.run(ACTS[act](bench, registered))
    new = meaning(bench.card)
    assert new != old
    points = len(bench.card.store.points_passed)
    exchanges = [row for row in bench.rows[first_row:] if getattr(row, "role", "") == "card"]
    write_at = next(i for i, row in enumerate(exchanges) if row.request[:2] == b"\x80\xda")  # type: ignore[union-attr]
    assert points > 12
    seen = set()
    for point in range(points + 1):
        bench.card = copy_of(begun)
        link = TornLink(bench, write_at, point)
        try:
            bench.run(ACTS[act](bench, registered), card=link)
        except Ended as e:
            assert e.torn
        bench.card.power_on()  # a chip settles its journal
        state = meaning(bench.card)
        assert state in (old, new), f"a mixture after cut point {point}"
        seen.add(state == new)
        bench.run(ACTS[act](bench, registered))  # the card is put in again
        assert meaning(bench.card) == new, f"not settled after cut point {point}"
        if not link.torn:
            break
    assert seen == {True, False}  # some tears came before the point of no return, some after


def test_tear_during_recovery_is_settled_by_the_next_power_on() -> None:
    old, new = {"a": b"old a", "b": b"old b"}, {"a": b"new value of a", "b": b"new b"}
    for first in range(9):
        for second in range(9):
            store = Store(old, Work())
            for cut, act in ((first, partial(store.commit, new)), (second, store.recover)):
                store.arm_cut(cut)
                with suppress(PowerCut):
                    act()
            store.arm_cut(None)
            store.recover()
            cells = {k: v for k, v in store.cells().items() if k != JOURNAL}
            assert cells in (old, new)


def test_wrong_pin_counts_even_when_the_card_is_pulled() -> None:
    """The counter is written before the comparison: no tear wins a try back."""
    bench = Bench()
    bench.hpc.power_on()
    wrong = bytes.fromhex("0020008108") + b"111111\xff\xff"
    for point in range(12):
        bench.hpc = type(bench.hpc)(bench.hpc.image)
        bench.hpc.power_on()
        before = bench.hpc.pin.tries_left
        bench.hpc.arm_cut(point)
        try:
            answer = bench.hpc.handle(wrong, 0)
        except PowerCut:
            answer = b""
        bench.hpc.arm_cut(None)
        bench.hpc.power_on()
        assert bench.hpc.pin.tries_left == before - 1 or not answer, f"an answer without a try spent, cut point {point}"
