"""WBK-02, the hard way: what each kind of write commits, torn at every point, and again at every point of recovery."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress

import pytest

from virtual_devices.apdu import Command
from virtual_devices.link import PowerCut, Work
from virtual_devices.pin import pin_block
from virtual_devices.reader.visit import register
from virtual_devices.store import JOURNAL, Store

from .chips import WHEN, at, at_desk, bench_with, diagnosis, fee, issue, prescriptions, roll_back, say, write
from .desk import Bench, entry, patient_card

Commit = tuple[dict[str, bytes], dict[str, bytes]]


def listened(bench: Bench, act: Callable[[], object]) -> list[Commit]:
    """What the card had before, and what it wrote, for each commit of the act."""
    store, found = bench.card.store, []
    whole = store.commit

    def commit(changes: Mapping[str, bytes]) -> None:
        if changes:
            found.append((store.cells(), dict(changes)))
        whole(changes)

    store.commit = commit  # type: ignore[method-assign]
    act()
    return found


def registered() -> Bench:
    bench = bench_with(available_visits=3, pin="1234")
    assert say(bench.card, Command(0, 0x20, 0, 0x81, pin_block("1234"))).ok
    assert write(bench, issue(WHEN), "visit").ok and write(bench, fee(bench.card, WHEN), "fee").ok
    return bench


def updated() -> Bench:
    bench = Bench()
    bench.card = patient_card(available_visits=0)
    return bench


ACTS: dict[str, tuple[Callable[[], Bench], Callable[[Bench], object]]] = {
    "issue": (lambda: bench_with(), lambda b: write(b, issue(WHEN), "visit")),
    "consultation": (
        registered,
        lambda b: write(b, diagnosis(b.card, WHEN) + prescriptions(b.card, WHEN, [entry(WHEN, t) for t in "125"]), "write"),
    ),
    "fee": (registered, lambda b: write(b, fee(b.card, WHEN, b"00000900" + b" " * 30), "fee anew")),
    "roll-back": (registered, lambda b: write(b, roll_back(WHEN, at(60)), "back")),
    "update": (updated, lambda b: b.run(register(b.desk, b.request()))),
    "wrong PIN": (registered, lambda b: say(b.card, Command(0, 0x20, 0, 0x81, pin_block("9999")))),
    "PIN change": (registered, lambda b: say(b.card, Command(0, 0x24, 1, 0x81, pin_block("4321")))),
    "PIN off": (registered, lambda b: say(b.card, Command(0, 0x26, 1, 0x81))),
    "challenge": (registered, lambda b: say(at_desk(b), "0084000010")),
}


def settled(cells: Mapping[str, bytes], second: int | None) -> dict[str, bytes]:
    """The card's memory after the next power-on, which may itself be cut."""
    store = Store(cells, Work())
    store.arm_cut(second)
    with suppress(PowerCut):
        store.recover()
    store.arm_cut(None)
    store.recover()
    return {name: value for name, value in store.cells().items() if name != JOURNAL}


@pytest.mark.parametrize("act", ACTS)
def test_write_torn_twice_is_old_or_new(act: str) -> None:
    make, do = ACTS[act]
    bench = make()
    commits = listened(bench, lambda: do(bench))
    assert commits
    for before, changes in commits:
        old = {name: value for name, value in before.items() if name != JOURNAL}
        new = {**old, **changes}
        points = 3 * (len(changes) + 2)
        seen = set()
        for first in range(points):
            store = Store(before, Work())
            store.arm_cut(first)
            with pytest.raises(PowerCut):
                store.commit(changes)
            for second in (None, *range(points)):
                after = settled(store.cells(), second)
                assert after in (old, new), f"a mixture after cut points {first} and {second}"
                seen.add(after == new)
                assert (after == new) == (first >= 2), f"cut points {first} and {second}"  # only the journal's seal decides
        assert seen == {False, True}


def test_each_act_is_one_commit() -> None:
    """What belongs together is written together: everything that an act changes, with the memory of the act itself."""
    for act in ("issue", "consultation", "fee", "roll-back", "PIN change", "PIN off"):
        make, do = ACTS[act]
        bench = make()
        assert len(listened(bench, lambda b=bench, do=do: do(b))) == 1, act  # type: ignore[misc]
