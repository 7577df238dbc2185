"""What a virtual reader's time goes into: its own chips and its line behind modelled media, and the way to the card."""

from __future__ import annotations

from collections.abc import Mapping

from conformance.vectors.world import World
from virtual_devices.clock import Clock
from virtual_devices.link import Device, Link, Work
from virtual_devices.network import LINES, Contact, ContactMedium, Line, Medium, ModelledLink
from virtual_devices.radio import Bluetooth, BluetoothMedium, Field, FieldMedium
from virtual_devices.randomness import stream


class ReaderTime:
    """All of it is drawn from the reader's name. In virtual time a desk itself computes in no time."""

    def __init__(self, world: World, channel: str, name: str) -> None:
        self._rng = stream("conformance", world.seed, name, "turnaround")
        self._way = _way(channel, world, name)

    def links(self, chips: Mapping[str, Device], cloud: Device, clock: Clock) -> Mapping[str, Link]:
        """To the reader's own chips, by role, and to its data centre."""
        line = ModelledLink(cloud, Line(LINES["2M"], self._rng), clock)
        own = {role: ModelledLink(chip, ContactMedium(Contact(), self._rng), clock) for role, chip in chips.items()}
        return {**own, "cloud": line}

    def way_ns(self, message: bytes) -> int:
        """A command's way to the card; of an empty one, until the card is found."""
        way_ns = 0 if not message else self._way.carry(0, len(message)) or 0
        return way_ns + (0 if message else self._way.device_ns(Work(), True))


def _way(channel: str, world: World, name: str) -> Medium:
    rng = stream("conformance", world.seed, name, "way")
    match channel:
        case "nfc":
            return FieldMedium(Field(), rng)
        case "ble":
            return BluetoothMedium(Bluetooth(), rng)
        case _:
            return ContactMedium(Contact(), rng)


__all__ = ["ReaderTime"]
