"""No visit lost or doubled: each flow, broken off at every one of its exchanges and run again, ends as if nothing had been."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from virtual_devices.clock import NS, roc_datetime13
from virtual_devices.cloud.core import VisitRecord
from virtual_devices.flow import Flow
from virtual_devices.link import Attempt, DirectLink, Link, Outcome
from virtual_devices.reader.authenticate import insert_hpc, open_sam
from virtual_devices.reader.transmit import Ended
from virtual_devices.reader.uploads import drain, enqueue
from virtual_devices.reader.visit import open_card, register, roll_back, sign_prescriptions, write_consultation, write_fees

from .desk import CARD_NO, INSTITUTION, NOW_NS, Bench, codes, entry, fees

NOT_MEANT = {"boots", "last_seen", "journal"}


class Breaking:
    """Loses the n-th exchange of a session once: the question (``before``), or the answer after the device has acted."""

    def __init__(self, at: int, before: bool) -> None:
        self.at, self.before, self.count = at, before, -1

    def link(self, inner: Link) -> Link:
        return _BrokenLink(self, inner)


class _BrokenLink:
    provenance = DirectLink.provenance

    def __init__(self, breaking: Breaking, inner: Link) -> None:
        self._breaking, self._inner = breaking, inner
        self.channel, self.device = inner.channel, inner.device

    def attempt(self, message: bytes, timeout_s: float) -> Attempt:
        self._breaking.count += 1
        if self._breaking.count != self._breaking.at:
            return self._inner.attempt(message, timeout_s)
        if not self._breaking.before:
            self._inner.attempt(message, timeout_s)
        return Attempt(Outcome.REQUEST_LOST if self._breaking.before else Outcome.REPLY_LOST, 0)


def switch_on(bench: Bench) -> Flow[None]:
    yield from insert_hpc(bench.desk, (yield from open_sam(bench.desk)))


def consult(bench: Bench, registered: Any) -> Flow[Any]:
    sam, card, _ = yield from open_card(bench.desk, bench.doctor)
    entries = [entry(registered.request.visited_at, kind, n) for n, kind in enumerate("125")]
    yield from write_consultation(card, registered, bench.act("write"), codes(), entries)
    return (yield from sign_prescriptions(bench.desk, sam, entries))


def upload(bench: Bench, registered: Any) -> Flow[Any]:
    if not bench.desk.institution.queue and not bench.desk.institution.done:
        when = registered.request.visited_at
        record = VisitRecord(
            bench.act("record"), registered.identifier, CARD_NO, INSTITUTION, registered.sequence, when, NOW_NS, b"x" * 9000
        )
        enqueue(bench.desk, "v1", record, NOW_NS)
    sam = yield from open_sam(bench.desk)
    yield from drain(bench.desk, sam)
    return len(bench.desk.institution.done)


FLOWS: dict[str, Callable[[Bench, Any], Flow[Any]]] = {
    "register": lambda b, _: register(b.desk, b.request("second", NOW_NS + 3600 * NS)),
    "consult": consult,
    "fees": lambda b, r: write_fees(b.desk, r, b.act("fees"), fees()),
    "roll back": lambda b, r: roll_back(b.desk, r, b.act("cancel"), roc_datetime13(NOW_NS + 60 * NS)),
    "upload": upload,
}


def begun() -> tuple[Bench, Any]:
    bench = Bench()
    registered = bench.run(register(bench.desk, bench.request()))
    bench.run(switch_on(bench))
    return bench, registered


def state(bench: Bench) -> Any:
    """What card and data centre hold, as far as it means something."""
    card = {k: v for k, v in bench.card.store.cells().items() if k not in NOT_MEANT}
    visits = [(v.card_no, v.sequence, v.rolled_back, v.stored_ns >= 0) for v in bench.core.visits.values()]
    return card, visits, len(bench.core.records), len(bench.desk.institution.queue)


def finish(bench: Bench, registered: Any, name: str, breaking: Breaking | None) -> Any:
    """Run the flow; when it broke off, put the card in again, wait for the line, and run it again."""
    for _ in range(3):
        links = {role: breaking.link(link) for role, link in bench.links().items()} if breaking else {}
        try:
            result = bench.run(FLOWS[name](bench, registered), **links)
        except Ended as e:
            assert e.torn, f"{name} was refused instead of broken off: {e}"
            bench.card.power_on()
            bench.run(switch_on(bench))  # whoever holds the desk's cards has them ready again
        else:
            if name not in ("upload", "register") or breaking is None or breaking.count < breaking.at:
                return result
            if name == "upload" and result == 0:  # the line failed: it stays in the queue until the line is back
                bench.clock.advance_to(bench.clock.now_ns() + 3600 * NS)
                breaking = None
                continue
            return result
        breaking = None
    raise AssertionError("it did not settle")


@pytest.mark.parametrize("before", [True, False], ids=["question lost", "answer lost"])
@pytest.mark.parametrize("name", sorted(FLOWS))
def test_flow_broken_off_anywhere_ends_as_if_nothing_had_been(name: str, before: bool) -> None:
    bench, registered = begun()
    wanted = finish(bench, registered, name, None)
    whole = state(bench)
    broken = 0
    for at in range(200):
        bench, registered = begun()
        breaking = Breaking(at, before)
        result = finish(bench, registered, name, breaking)
        if breaking.count < at:
            break
        broken += 1
        assert state(bench) == whole, f"after losing exchange {at}"
        if name in ("consult", "upload"):
            assert result == wanted
        if name == "register":
            assert (result.sequence, result.same_day) == (wanted.sequence, wanted.same_day)
    assert broken > 3
