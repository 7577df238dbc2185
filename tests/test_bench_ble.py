"""Bluetooth LE through its whole stack: the reader's flows, bleak on an emulated BlueZ, bumble on the same air, a phone."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bench.stacks.bluez import PrivateBluetooth
from virtual_devices import vhc
from virtual_devices.link import Provenance
from virtual_devices.mdoc.ble_gatt import Mode
from virtual_devices.reader.presentation import Counter, Medium
from virtual_devices.reader.wallet_visit import read_medical_wallet
from virtual_devices.trace import ExchangeRow

from .ble_desk import BleDesk
from .test_virtual_devices_reader_wallet_visit import registered, write
from .wallets import WalletBench

pytestmark = pytest.mark.needs("dbus")


@pytest.fixture(scope="module")
def bluetooth() -> Iterator[PrivateBluetooth]:
    with PrivateBluetooth() as made:
        yield made


def visit_at(bench: WalletBench) -> None:
    """Register, read the medical part, write back."""
    visit = registered(bench)
    assert visit.person.name == "王小明" and visit.sequence == "W001"
    shown = bench.run(read_medical_wallet(bench.desk, bench.counter, bench.doctor, visit))
    assert shown.value(vhc.MEDICAL, "allergies") == ["PENICILLIN"]
    assert bench.run(write(bench, visit)).outcome.done and len(bench.phone.records().all()) == 4


def messages(bench: WalletBench) -> list[tuple[str, str, str, int, int]]:
    """Of the wallet's exchanges what does not depend on session keys: step, outcome, lengths."""
    rows = [row for row in bench.rows if isinstance(row, ExchangeRow) and row.role == "wallet"]
    return [(row.step, row.outcome, row.status, row.request_bytes, row.reply_bytes) for row in rows]


@pytest.fixture(scope="module")
def directly() -> list[tuple[str, str, str, int, int]]:
    bench = WalletBench(counter=Counter(Medium.QR_BLE))
    bench.ready()
    visit_at(bench)
    return messages(bench)


@pytest.mark.parametrize(
    ("modes", "bumble"),
    [((), False), ((), True), ((Mode.PERIPHERAL_SERVER,), True)],  # none named: the phone offers both, the reader chooses
)
def test_visit_is_the_same_over_the_air_as_directly(
    bluetooth: PrivateBluetooth, directly: list[tuple[str, str, str, int, int]], modes: tuple[Mode, ...], bumble: bool,
) -> None:
    with BleDesk(bluetooth, *modes, bumble=bumble) as desk:
        visit_at(desk.bench)
        assert messages(desk.bench) == directly
        rows = [row for row in desk.bench.rows if isinstance(row, ExchangeRow) and row.role == "wallet"]
        assert {row.provenance for row in rows} == {Provenance.MEASURED.value} and {row.channel for row in rows} == {"ble"}
        asked = [row for row in rows if row.reply_bytes > 0]
        assert asked and all(0 < row.sent_ns < row.duration_ns for row in asked)
        assert desk.link.last_error == "" and desk.link.mtu in (0, 515)
    presented = [(row.request_bytes, row.reply_bytes) for row in desk.phone.rows if row.reply_bytes > 0]
    assert presented == [(row.request_bytes, row.reply_bytes) for row in asked]
