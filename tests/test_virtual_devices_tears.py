"""WBK-02: a card torn out at any point of any write holds the old state or the new one, and the act can be done again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import pytest

from virtual_devices.card.ic_card import IcCard
from virtual_devices.link import DirectLink
from virtual_devices.reader.transmit import Ended
from virtual_devices.reader.visit import register

from .chips import (
    WHEN,
    at,
    at_desk,
    bench_with,
    change_pin,
    diagnosis,
    fee,
    issue,
    prescriptions,
    roll_back,
    say,
    switch_pin,
    verify,
    write,
)
from .desk import Bench, bench_of, entry
from .links import Torn
from .memory import meant, points, settled, torn_commit
from .visits import FLOWS, meaning, registered


def copy_of(card: IcCard) -> IcCard:
    return IcCard.from_image(card.to_image())


@pytest.mark.parametrize("name", FLOWS)
def test_card_torn_anywhere_in_a_flow_is_old_or_new_and_ends_new(name: str) -> None:
    bench, visit = registered()
    flow = partial(FLOWS[name], bench, visit)
    begun, old = copy_of(bench.card), meaning(bench.card)
    bench.card.store.watch_points = True
    first_row = len(bench.rows)
    bench.run(flow())
    new = meaning(bench.card)
    assert new != old and len(bench.card.store.points_passed) > 12
    exchanges = [row for row in bench.rows[first_row:] if getattr(row, "role", "") == "card"]
    write_at = next(i for i, row in enumerate(exchanges) if row.request[:2] == b"\x80\xda")  # type: ignore[union-attr]
    seen = set()
    for point in range(len(bench.card.store.points_passed) + 1):
        bench.card = copy_of(begun)
        link = Torn(DirectLink(bench.card, bench.clock), bench.card, write_at, point)
        try:
            bench.run(flow(), card=link)
        except Ended as e:
            assert e.torn
        bench.card.power_on()  # a chip settles its journal
        state = meaning(bench.card)
        assert state in (old, new), f"a mixture after cut point {point}"
        seen.add(state == new)
        bench.run(flow())  # the card is put in again
        assert meaning(bench.card) == new, f"not settled after cut point {point}"
        if not link.torn:
            break
    assert seen == {True, False}  # some tears came before the point of no return, some after
    assert not link.torn  # the last cut point came after the write


# Each kind of write, as one command: what it commits is torn at every point, and again at every point of recovery.


def written() -> Bench:
    """A desk whose card holds a visit with its fee, and whose PIN has been entered."""
    bench = bench_with(available_visits=3, pin="1234")
    assert verify(bench.card, "1234") == 0x9000
    assert write(bench, issue(WHEN), "visit").ok and write(bench, fee(bench.card, WHEN), "fee").ok
    return bench


ACTS: dict[str, tuple[Callable[[], Bench], Callable[[Bench], object]]] = {
    "issue": (bench_with, lambda b: write(b, issue(WHEN), "visit")),
    "consultation": (
        written,
        lambda b: write(b, diagnosis(b.card, WHEN) + prescriptions(b.card, WHEN, [entry(WHEN, t) for t in "125"]), "write"),
    ),
    "fee": (written, lambda b: write(b, fee(b.card, WHEN, b"00000900" + b" " * 30), "fee anew")),
    "roll-back": (written, lambda b: write(b, roll_back(WHEN, at(60)), "back")),
    "update": (partial(bench_of, available_visits=0), lambda b: b.run(register(b.desk, b.request()))),
    "wrong PIN": (written, lambda b: verify(b.card, "9999")),
    "PIN change": (written, lambda b: change_pin(b.card, "4321")),
    "PIN off": (written, lambda b: switch_pin(b.card, False)),
    "challenge": (written, lambda b: say(at_desk(b), "0084000010")),
}


def commits_of(name: str) -> list[tuple[dict[str, bytes], dict[str, bytes]]]:
    """What the card had before, and what it wrote, for each commit of the act."""
    make, do = ACTS[name]
    bench, found = make(), []
    store = bench.card.store
    whole = store.commit

    def commit(changes: Mapping[str, bytes]) -> None:
        if changes:
            found.append((meant(store), dict(changes)))
        whole(changes)

    store.commit = commit  # type: ignore[method-assign]
    do(bench)
    return found


@pytest.mark.parametrize("name", ACTS)
def test_write_torn_twice_is_old_or_new(name: str) -> None:
    commits = commits_of(name)
    assert commits
    for old, changes in commits:
        new, count = {**old, **changes}, points(old, changes)
        assert new != old
        for first in range(count):
            torn = torn_commit(old, changes, first)
            wanted = new if first >= 2 else old  # only the journal's seal decides
            for second in (None, *range(count)):
                assert settled(torn, second) == wanted, f"cut points {first} and {second}"


@pytest.mark.parametrize("name", ["issue", "consultation", "fee", "roll-back", "PIN change", "PIN off"])
def test_act_is_one_commit(name: str) -> None:
    """What belongs together is written together: everything that an act changes, with the memory of the act itself."""
    assert len(commits_of(name)) == 1
