"""A phone that is tapped and met over Bluetooth after it: nfcpy over UDP, then bleak upon an emulated BlueZ, or bumble."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest
import simpy
from click.testing import CliRunner

from bench.calibrating import profile, sample
from bench.clock import WallClock
from bench.duts import Dut
from bench.exits import USAGE
from bench.monikers import for_role
from bench.phone_image import KeptPhone
from bench.presenters.ble import BlePresenter
from bench.presenters.ble_tag import TagInField
from bench.presenters.control import discover
from bench.presenters.control_server import ControlServer
from bench.presenters.nfc_radio import UdpRadio
from bench.probe import Probe, Probes
from bench.reach import Means
from bench.sample_phone import SamplePhone
from bench.stacks.bluez import PrivateBluetooth
from conformance.case import Kind, cases
from conformance.kinds import suites
from conformance.tester import perform
from conformance.verdict import Verdict
from scenarios.files import load
from scenarios.world import ModelledSeat, World
from virtual_devices.errors import UsageError
from virtual_devices.flow import PromptPeople
from virtual_devices.mdoc.carriers import LeRole
from virtual_devices.randomness import ByteStream
from virtual_devices.trace import ExchangeRow, Row
from virtual_devices.wallet.faces import MessageFace

from .places import MORNING
from .ports import free_port
from .processes import wait_until

LIMIT_S = 60.0
pytestmark = pytest.mark.needs("dbus")


@dataclass(frozen=True)
class Place:
    """``field``: where it is tapped; ``own``: a controller on the same air, as bumble names it."""

    field: str
    bluetooth: PrivateBluetooth

    def moniker(self, *, own: bool = False) -> str:
        return f"{self.field} + ble:{f'bumble:{self.bluetooth.transport}' if own else ''}"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A phone of ours, presented so, with its control channel."""
    folder, clock = tmp_path_factory.mktemp("run"), WallClock()
    (folder / "vhc-bench").mkdir(mode=0o700)

    def face(phone: object, **_: object) -> MessageFace:
        return MessageFace(phone)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch, PrivateBluetooth() as bluetooth:
        patch.setenv("XDG_RUNTIME_DIR", str(folder))
        phone = SamplePhone(1, clock.now_ns()).kept(face, clock)
        tag = TagInField(UdpRadio("127.0.0.1", 0), LeRole.PERIPHERAL_PREFERRED, ByteStream("taps"))
        made = BlePresenter(
            lambda: phone, bluetooth.transport, tag.engage, ControlServer("tapped", folder / "vhc-bench"), clock=clock,  # type: ignore[arg-type]
            load=lambda image: KeptPhone.load(image, face, clock),
        )
        made.reader = tag.device
        tag.start(made)
        thread = threading.Thread(target=made.run)
        thread.start()
        try:
            assert wait_until(lambda: len(discover()) == 1, LIMIT_S)
            yield Place(tag.device, bluetooth)
        finally:
            tag.stop()
            made.stop()
            thread.join(LIMIT_S)


@pytest.mark.parametrize("own", [False, True], ids=["bleak", "bumble"])
def test_phone_is_measured_from_its_tap_to_its_answer_over_bluetooth(place: Place, own: bool) -> None:
    moniker = place.moniker(own=own)
    samples = sample("wallet", for_role("wallet", moniker), 3, env=place.bluetooth.env, people=PromptPeople())
    assert samples.ended == {"whole": 3}
    assert {(row.role, row.channel) for row in samples.exchanges} == {("wallet", "nfc"), ("wallet", "ble"), ("sam", "contact")}
    assert {row.provenance for row in samples.exchanges if row.role == "wallet"} == {"measured"}
    made = profile("wallet", moniker, samples)
    assert {"bluetooth", "field"} <= made.keys() and {"found", "engaged", "response"} <= made["segments"].keys()


def test_foreign_phone_is_tapped_and_connected_to_once_a_visit(place: Place) -> None:
    rows: list[Row] = []
    world = World(
        simpy.Environment(), load(MORNING), 0, rows.append, epoch_ns=WallClock().now_ns(),
        seat=lambda world, contact: ModelledSeat(contact, world),
    )
    probe = Probe("wallet", for_role("wallet", place.moniker()), place.bluetooth.env, world)
    with closing(Probes({"wallet": probe})) as probes:
        for number in range(20):  # the phone may be with the reader of the test before: then its tag has no handover
            rows.clear()
            for _ in range(2):
                probes.links({"wallet": None}, "desk", "flow", f"visit {number}")  # type: ignore[dict-item]
            seen = [row for row in rows if isinstance(row, ExchangeRow)]
            if seen[-1].step == "connect":
                break
    assert [row.step for row in seen if row.step in ("find phone", "connect")] == ["find phone", "connect"]
    assert {row.outcome for row in seen} == {"replied"} and not any(row.request or row.reply for row in seen)


CASES = (
    "wallet.tap.static-handover-names-bluetooth", "wallet.tap.each-tap-is-a-new-engagement",
    "wallet.tap.negotiated-handover-leads-over-bluetooth[client", "wallet.tap.negotiated-handover-leads-over-bluetooth[server",
    "wallet.session.first-message-opens", "wallet.nfc.container-is-the-standards", "wallet.records.nothing-is-written-twice",
)


def test_phone_under_test_passes_by_its_own_rows(place: Place) -> None:
    dut = Dut(suites()[Kind.WALLET], place.moniker(own=True), "nfc-ble", destructive=True, means=Means(env=place.bluetooth.env))
    try:
        found = {case.id: perform(case, dut.tester, real=True) for case in cases()
                 if case.kind is Kind.WALLET and case.id.startswith(CASES)}
    finally:
        dut.way.close()
    assert len(found) >= len(CASES) - 1
    assert {name: result.why for name, result in found.items() if result.verdict is not Verdict.PASS} == {}
    rows = [row for result in found.values() for row in result.rows if isinstance(row, ExchangeRow)]
    assert {row.channel for row in rows if row.role == "wallet"} == {"nfc", "ble"}


def test_command_shows_a_phone_that_is_tapped(tmp_path: Path) -> None:
    field = f"udp:127.0.0.1:{free_port()}"
    command = [sys.executable, "-m", "bench.cli", "present", "ble", "--private", "--engagement", "nfc", "--path", field]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, "XDG_RUNTIME_DIR": str(tmp_path)},
    ) as child:
        assert child.stderr is not None
        try:
            bus = re.search("DBUS_SYSTEM_BUS_ADDRESS=(.*)", child.stderr.readline())
            child.stderr.readline()
            assert bus is not None and field in child.stderr.readline()
            env, moniker = {"DBUS_SYSTEM_BUS_ADDRESS": bus[1]}, f"nfc:{field} + ble:"
            found = sample("wallet", for_role("wallet", moniker), 1, env=env, people=PromptPeople())
            assert found.ended == {"whole": 1}
        finally:
            child.send_signal(signal.SIGINT)
            said = child.communicate(timeout=LIMIT_S)[1]
    assert child.returncode == 0 and "a reader has connected" in said and "Traceback" not in said


@pytest.mark.parametrize(("moniker", "says"), [
    ("nfc:own + ble:", "patients' own phones are met over NFC alone"), ("pcsc:ACS* + ble:", '"nfc:PATH + ble:NAME"'),
    ("nfc:usb + qr:codes", '"nfc:PATH + ble:NAME"'), ("ble:", 'or by a tap, "nfc:PATH + ble:NAME"'),
])
def test_moniker_that_leads_nowhere_says_what_does(moniker: str, says: str) -> None:
    with pytest.raises(UsageError) as raised:
        for_role("wallet", moniker)
    assert says in str(raised.value)


def test_place_of_a_tap_without_a_tap_is_refused() -> None:
    from bench.cli import main

    done = CliRunner().invoke(main, ["present", "ble", "--path", "usb"])
    assert done.exit_code == USAGE and "--engagement nfc" in done.output
