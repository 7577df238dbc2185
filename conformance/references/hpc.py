"""The reference professional's card as a chip under test."""

from __future__ import annotations

from conformance.chips import MadeUp, VirtualChip, identity_of
from conformance.vectors.world import DOCTOR_ID, NOW_NS, World
from virtual_devices.atr import Transport
from virtual_devices.authentication import Party
from virtual_devices.clock import VirtualClock
from virtual_devices.hpc.hpc import Hpc, HpcImage, fresh_cells
from virtual_devices.randomness import digest

PIN, PUK = "246810", "13579024"
NAME, SERIAL, ENGLISH_NAME = "王小明", "HPC000000001", "WANG,HSIAO-MING"


def reference_hpc(world: World, channel: str, name: str) -> VirtualChip:
    """A physician's card, with :data:`PIN` and :data:`PUK`; all of it follows from ``name``. ``channel``: T=1, or T=0."""
    def make(made_up: MadeUp) -> Hpc:
        cells = {**fresh_cells(PIN, PUK), **made_up.cells}
        own, seed = identity_of(world, Party.HPC), digest(world.seed, name, "hpc")
        image = HpcImage(DOCTOR_ID, NAME, own, world.authority.root_der, seed, cells, SERIAL, ENGLISH_NAME)
        return Hpc(image, Transport.T0 if channel == "contact-t0" else Transport.T1)

    return VirtualChip("hpc", VirtualClock(NOW_NS), make)


__all__ = ["ENGLISH_NAME", "NAME", "PIN", "PUK", "SERIAL", "reference_hpc"]
