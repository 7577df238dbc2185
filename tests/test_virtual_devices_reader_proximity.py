"""Where the reader's flow looks for the phone: the address that it gives to a link over the air."""

from __future__ import annotations

from uuid import UUID

import pytest

from virtual_devices.mdoc import engagement
from virtual_devices.mdoc.ble_gatt import Mode
from virtual_devices.mdoc.ble_options import BleOptions, parse
from virtual_devices.mdoc.carriers import BleCarrier, Carrier, LeRole, NfcCarrier
from virtual_devices.mdoc.session import ephemeral_key
from virtual_devices.reader.proximity import Engaged

UUID_4 = UUID("45efef74-2b2c-4837-a9a3-b0e1d05a6917")
SHOWN = engagement.make(ephemeral_key(bytes(32))[1])


def options(engaged: Engaged) -> BleOptions | None:
    read = engagement.read(engaged.address())
    assert read.key_bytes == engaged.engagement.key_bytes  # Ident is made of it
    method = read.method(engagement.BLE)
    return None if method is None else parse(method)


def test_address_of_a_scanned_code_is_the_engagement_itself() -> None:
    shown = engagement.make(ephemeral_key(bytes(32))[1], [BleOptions(UUID_4).method()])
    assert Engaged(shown).address() == shown.raw


@pytest.mark.parametrize(
    ("role", "modes"),
    [
        (LeRole.PERIPHERAL, (Mode.PERIPHERAL_SERVER,)), (LeRole.CENTRAL, (Mode.CENTRAL_CLIENT,)),
        (LeRole.PERIPHERAL_PREFERRED, tuple(Mode)), (LeRole.CENTRAL_PREFERRED, tuple(Mode)),
    ],
)
def test_address_after_a_handover_has_its_carrier(role: LeRole, modes: tuple[Mode, ...]) -> None:
    carriers: tuple[Carrier, ...] = (NfcCarrier(), BleCarrier(role, UUID_4, b"\xc0\1\2\3\4\5"))
    found = options(Engaged(SHOWN, (b"hs", None), carriers))
    assert found is not None and found.modes == modes and found.address == b"\xc0\1\2\3\4\5"
    assert {found.service(mode) for mode in modes} == {UUID_4}


def test_carrier_without_a_service_adds_nothing() -> None:
    engaged = Engaged(SHOWN, (b"hs", None), (BleCarrier(LeRole.PERIPHERAL),))
    assert engaged.address() == SHOWN.raw and options(engaged) is None
