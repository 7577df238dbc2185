"""The reference security module as a chip under test."""

from __future__ import annotations

from conformance.chips import MadeUp, VirtualChip, identity_of
from conformance.vectors.world import INSTITUTION, NOW_NS, SAM_ID, World
from virtual_devices.atr import Transport
from virtual_devices.authentication import Party
from virtual_devices.clock import VirtualClock
from virtual_devices.randomness import digest
from virtual_devices.sam.sam import Sam, SamImage


def reference_sam(world: World, channel: str, name: str) -> VirtualChip:
    """The module of the world's institution; all of it follows from ``name``. ``channel``: T=1, or T=0."""
    def make(made_up: MadeUp) -> Sam:
        own = identity_of(world, Party.SAM)
        seed = digest(world.seed, name, "sam")
        image = SamImage(SAM_ID, INSTITUTION, own, world.authority.root_der, seed, made_up.cells)
        return Sam(image, Transport.T0 if channel == "contact-t0" else Transport.T1)

    return VirtualChip("sam", VirtualClock(NOW_NS), make)


__all__ = ["reference_sam"]
