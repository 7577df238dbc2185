"""Play one replication of a scenario: the one place where a world is made and run."""

from __future__ import annotations

import simpy

from scenarios.files import Scenario, situations
from scenarios.world import AroundMaker, ModelledSeat, NothingAround, SeatMaker, World
from virtual_devices.clock import from_datetime
from virtual_devices.trace import Record


def play(
    scenario: Scenario, replication: int, record: Record, *, seat: SeatMaker | None = None, epoch_ns: int | None = None,
    around: AroundMaker = lambda _: NothingAround(),
) -> None:
    """Run the situation's processes to their end. Without ``seat``, cards are put into modelled readers; without
    ``epoch_ns``, the replication begins at the scenario's own moment; ``around``: what a rig does round each session."""
    env = simpy.Environment(0)
    world = World(
        env, scenario, replication, record,
        epoch_ns=from_datetime(scenario.run.epoch) if epoch_ns is None else epoch_ns,
        seat=seat or (lambda world, contact: ModelledSeat(contact, world)), around=around,
    )
    try:
        for process in situations()[scenario.situation].processes(world, scenario.params):
            env.process(process)
        env.run()
    finally:
        world.close()
