"""The reference device, in this process: a new one for each case, over every channel that its kind has."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from bench.monikers import Moniker
from bench.reach import Way
from conformance.kinds import Suite
from conformance.tester import Tester
from conformance.vectors.world import World
from virtual_devices.errors import UsageError


class Virtual(Way):
    @classmethod
    def channels(cls, suite: Suite, found: Sequence[Moniker]) -> tuple[str, ...]:
        return suite.channels if str(found[0]) == "virtual" else ()

    def tester(self, name: str, *, anew: bool = False) -> Tester:
        del anew  # each is
        world = world_of(self.means.seed)
        return self.suite.tester(self.suite.reference(world, self.channel, name), world, name)

    def timed(self, name: str) -> Tester:
        if self.suite.timing is None:
            raise UsageError(f"no {self.suite.kind.value} can be timed")
        world = world_of(self.means.seed)
        return self.suite.tester(self.suite.timing.reference(world, self.channel, name), world, name)


@cache
def world_of(seed: int) -> World:
    """That of all virtual devices of a seed: its certificates are made once."""
    return World(seed)


__all__ = ["Virtual", "world_of"]
