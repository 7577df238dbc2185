"""Probes and calibration over real media: a phone by the picture of its code and Bluetooth, SAM and HPC through a real pcscd."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import simpy

from bench.calibrating import profile, sample
from bench.clock import WallClock
from bench.monikers import for_role
from bench.phone_image import KeptPhone
from bench.presenters.ble import BlePresenter
from bench.presenters.qr import Folder
from bench.presenters.vpcd import VpcdPresenter
from bench.probe import Probe, Probes
from bench.sample_phone import SamplePhone
from bench.stacks.bluez import PrivateBluetooth
from bench.stacks.pcscd import PrivatePcscd
from scenarios.files import load
from scenarios.world import ModelledSeat, World
from virtual_devices.flow import PromptPeople
from virtual_devices.link import Device
from virtual_devices.mdoc.engagement import Engagement
from virtual_devices.randomness import ByteStream
from virtual_devices.trace import ExchangeRow, Row, SwitchRow
from virtual_devices.wallet.faces import MessageFace

from .ble_desk import method
from .media import running
from .places import MORNING
from .wallets import WalletBench

FRESH = ByteStream("probe media")


def world(rows: list[Row]) -> World:
    return World(
        simpy.Environment(), load(MORNING), 0, rows.append, epoch_ns=WallClock().now_ns(),
        seat=lambda world, contact: ModelledSeat(contact, world),
    )


def exchanges(rows: list[Row]) -> list[ExchangeRow]:
    return [row for row in rows if isinstance(row, ExchangeRow)]


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, PrivateBluetooth]]:
    """A phone whose codes are pictures in a folder, each new one a file of its own; its moniker."""
    folder, clock = tmp_path_factory.mktemp("camera"), WallClock()
    screen = Folder(folder)

    def engage(phone: Device) -> Engagement:
        assert isinstance(phone, KeptPhone)
        made = phone.phone.engage([method(fresh=FRESH)]).engagement
        screen.put(made.qr_text())
        return made

    with PrivateBluetooth() as bluetooth:
        phone = SamplePhone(1, clock.now_ns()).kept(MessageFace, clock)
        with running(BlePresenter(lambda: phone, bluetooth.transport, engage, clock=clock)):
            yield f"qr:{folder} + ble:", bluetooth


@pytest.mark.needs("dbus")
def test_phone_is_measured_by_its_code_and_over_bluetooth(shown: tuple[str, PrivateBluetooth]) -> None:
    moniker, bluetooth = shown
    samples = sample("wallet", for_role("wallet", moniker), 2, env=bluetooth.env, people=PromptPeople())
    assert samples.ended == {"whole": 2}
    assert {(row.role, row.channel) for row in samples.exchanges} == {("screen", "qr"), ("wallet", "ble"), ("sam", "contact")}
    assert {"bluetooth", "camera"} <= profile("wallet", moniker, samples).keys()


@pytest.mark.needs("dbus")
def test_foreign_phone_is_scanned_and_connected_to_once_a_visit(shown: tuple[str, PrivateBluetooth]) -> None:
    moniker, bluetooth = shown
    rows: list[Row] = []
    with closing(Probes({"wallet": Probe("wallet", for_role("wallet", moniker), bluetooth.env, world(rows))})) as probes:
        for visit in ("v1", "v2"):
            probes.links({"wallet": None}, "registration", "register", visit)  # type: ignore[dict-item]
    seen = [(row.session[-2:], row.step, row.role, row.channel, row.outcome) for row in exchanges(rows)]
    assert seen == [
        (visit, step, role, channel, "replied") for visit in ("v1", "v2")
        for step, role, channel in (("look", "screen", "qr"), ("scan QR code", "screen", "qr"), ("connect", "wallet", "ble"))
    ], [row.reason for row in rows if isinstance(row, SwitchRow)]
    assert all((row.request, row.reply, row.provenance) == (b"", b"", "measured") for row in exchanges(rows))


@pytest.mark.needs("pcsc")
def test_sam_and_professional_s_card_say_their_atr_through_pcscd(tmp_path: Path) -> None:
    bench, rows = WalletBench(), list[Row]()
    roles = {"sam": bench.sam, "hpc": bench.hpc}
    with PrivatePcscd(2) as service:
        first, second = (VpcdPresenter(lambda card=card: card, port=port, settle_s=0)  # type: ignore[misc]
                         for card, port in zip(roles.values(), service.ports, strict=True))
        monikers = [for_role(role, f"pcsc:{reader}") for role, reader in zip(roles, service.readers, strict=True)]
        there = world(rows)
        probes = Probes({role: Probe(role, found, service.env, there) for role, found in zip(roles, monikers, strict=True)})
        with running(first), running(second), closing(probes):
            for visit in ("v1", "v2"):
                probes.links(dict.fromkeys(roles), "registration", "register", visit)  # type: ignore[arg-type]
    assert [(row.role, row.step, row.channel, row.outcome, row.reply) for row in exchanges(rows)] == [
        (role, "find device", "contact", "replied", b"") for role in roles
    ], [row.reason for row in rows if isinstance(row, SwitchRow)]
    assert all(row.reply_bytes > 2 and row.provenance == "measured" for row in exchanges(rows))
