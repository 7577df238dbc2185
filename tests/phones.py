"""Phones for tests of the wallet: a keystore, a vault, and cutting their power at every point of an act."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TypeVar

from virtual_devices.clock import NS, from_datetime, to_datetime
from virtual_devices.link import PowerCut
from virtual_devices.wallet.attestation import PhoneMaker
from virtual_devices.wallet.keystore import Keystore
from virtual_devices.wallet.power import Power

NOW_NS = 1_780_000_000 * NS
assert from_datetime(to_datetime(NOW_NS)) == NOW_NS
MAKER = PhoneMaker("test", NOW_NS)
BATCH = MAKER.batch(1)
T = TypeVar("T")


def keystore(phone: str = "phone A", cells: Mapping[str, bytes] | None = None, power: Power | None = None) -> Keystore:
    """A phone's hardware keystore, switched on."""
    made = Keystore("test", phone, batch=BATCH, cells=cells, power=power)
    made.power_on()
    return made


def points_of(act: Callable[[Power], object]) -> list[str]:
    """The cut points that an act passes, by name. ``act`` is given the power that it shall use."""
    power = Power()
    power.watch_points = True
    act(power)
    return power.points_passed


def cut(power: Power, point: int, act: Callable[[], object]) -> bool:
    """Do the act with the power going at that cut point; True when it went."""
    power.arm_cut(point)
    try:
        act()
    except PowerCut:
        return True
    finally:
        power.arm_cut(None)
    return False


def until_on(power: Power, cuts: list[int], power_on: Callable[[], T]) -> T:
    """Power-on, itself cut at these points, one after the other, and at last not."""
    for point in cuts:
        power.arm_cut(point)
        with suppress(PowerCut):
            power_on()
    power.arm_cut(None)
    return power_on()
