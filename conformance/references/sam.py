"""The reference security module as a chip under test."""

from __future__ import annotations

from conformance.chips import MadeUp, VirtualChip, identity_of
from conformance.vectors.world import INSTITUTION, NOW_NS, SAM_ID, World
from virtual_devices.authentication import Party
from virtual_devices.clock import VirtualClock
from virtual_devices.randomness import digest
from virtual_devices.sam.sam import Sam, SamImage


def reference_sam(world: World, channel: str, name: str) -> VirtualChip:
    """The module of the world's institution; all of it follows from ``name``. There is one ``channel``."""
    def make(made_up: MadeUp) -> Sam:
        own = identity_of(world, Party.SAM)
        return Sam(SamImage(SAM_ID, INSTITUTION, own, world.authority.root_der, digest(world.seed, name, "sam"), made_up.cells))

    return VirtualChip("sam", VirtualClock(NOW_NS), make)


__all__ = ["reference_sam"]
