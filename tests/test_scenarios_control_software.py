"""The control software's calls under SimPy: the same buffers and codes as with the blocking runner, in virtual time."""

from __future__ import annotations

from typing import Any

import simpy

from scenarios.runner import SimClock
from scenarios.runner import perform as perform_in
from virtual_devices.flow import PromptPeople, Session
from virtual_devices.link import Attempt
from virtual_devices.reader.cshis import perform

from .control_desk import Slot, usual
from .cshis_story import FUNCTIONS, NEW_VISIT, desk_of
from .desk import NOW_NS, PIN

TOOK_NS = 1_000_000


class Timed(Slot):
    """A slot whose every exchange takes a millisecond."""

    def attempt(self, message: bytes, timeout_s: float) -> Attempt:
        attempt = super().attempt(message, timeout_s)
        return Attempt(attempt.outcome, TOOK_NS, attempt.reply)


def test_calls_give_the_same_under_both_runners() -> None:
    calls: list[tuple[str, dict[str, Any]]] = [
        ("hpcVerifyHPCPIN", {}), ("hisGetBasicData", {}), ("hisReadPrescription", {}), ("hisGetSeqNumber256", NEW_VISIT),
        ("hisGetLastSeqNum", {}), ("csCloseCom", {}), ("hisGetBasicData", {}),
    ]
    blocking, simulated = desk_of(), desk_of()
    env = simpy.Environment(0)
    links = {role: Timed(simulated.bench, slot.device, slot.channel) for role, slot in simulated.slots.items()}
    session = Session(links, SimClock(env, NOW_NS), PromptPeople({"enter PIN": PIN}))
    found = []

    def desk() -> Any:
        for name, given in calls:
            call = perform(simulated.software, name, {**usual(FUNCTIONS[name]), **given})
            found.append((yield from perform_in(env, call, session)))

    env.run(env.process(desk()))
    assert found == [blocking.call(name, **given) for name, given in calls]
    assert [reply.code for reply in found] == ["0"] * 6 + ["9205"] and env.now == session.attempts * TOOK_NS
