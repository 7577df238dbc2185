"""No visit lost or doubled: each flow, broken off at every one of its exchanges and run again, ends as if nothing had been."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from virtual_devices.clock import NS
from virtual_devices.flow import Flow
from virtual_devices.institution.uploads import drain, enqueue
from virtual_devices.link import Outcome
from virtual_devices.reader.authenticate import open_sam
from virtual_devices.reader.transmit import Ended

from .desk import NOW_NS, Bench, switch_on
from .links import Failing, Strike
from .told import a_visit
from .visits import FLOWS, meaning, registered


def upload(bench: Bench, visit: Any) -> Flow[Any]:
    if not bench.desk.institution.queue and not bench.desk.institution.done:
        told = a_visit(orders=40, sequence=visit.sequence, identifier=visit.identifier)  # of several parts
        enqueue(bench.desk, "v1", told, visit.request.request_id, NOW_NS, NOW_NS)
    sam = yield from open_sam(bench.desk)
    yield from drain(bench.desk, sam)
    return len(bench.desk.institution.done)


ALL: dict[str, Callable[[Bench, Any], Flow[Any]]] = {**FLOWS, "upload": upload}


def state(bench: Bench) -> Any:
    """What card and data centre hold, as far as it means something."""
    visits = [(v.card_no, v.sequence, v.rolled_back, v.stored_ns >= 0) for v in bench.core.visits]
    return meaning(bench.card), visits, len(bench.core.records), len(bench.desk.institution.queue)


def finish(bench: Bench, visit: Any, name: str, strike: Strike | None) -> Any:
    """Run the flow; when it broke off, put the card in again, wait for the line, and run it again."""
    for _ in range(3):
        links = {role: Failing(link, strike) for role, link in bench.links().items()} if strike else {}
        strike = None
        try:
            result = bench.run(ALL[name](bench, visit), **links)
        except Ended as e:
            assert e.torn, f"{name} was refused instead of broken off: {e}"
            bench.card.power_on()
            bench.run(switch_on(bench))  # whoever holds the desk's cards has them ready again
            continue
        if name != "upload" or result:
            return result
        bench.clock.advance_to(bench.clock.now_ns() + 3600 * NS)  # it stays in the queue until the line is back
    raise AssertionError("it did not settle")


@pytest.mark.parametrize("outcome", [Outcome.REQUEST_LOST, Outcome.REPLY_LOST])
@pytest.mark.parametrize("name", ALL)
def test_flow_broken_off_anywhere_ends_as_if_nothing_had_been(name: str, outcome: Outcome) -> None:
    bench, visit = registered()
    wanted = finish(bench, visit, name, None)
    whole = state(bench)
    for at in range(200):
        bench, visit = registered()
        strike = Strike(at, outcome)
        result = finish(bench, visit, name, strike)
        assert state(bench) == whole, f"after losing exchange {at}"
        if name in ("consult", "upload"):
            assert result == wanted
        if name == "register":
            assert (result.sequence, result.same_day) == (wanted.sequence, wanted.same_day)
        if not strike.came:
            break
    assert not strike.came and at > 3
