"""Foreign devices in a run: asked once a visit, masked, and nothing of them enters a visit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import simpy
from click.testing import CliRunner

from bench import probe
from bench.cli import main
from bench.monikers import for_role
from bench.probe import Probe, Probes
from bench.sample_phone import SamplePhone
from scenarios.files import load
from scenarios.world import ModelledSeat, World
from virtual_devices.errors import LinkError
from virtual_devices.link import Attempt, Device, Outcome, Provenance
from virtual_devices.trace import ExchangeRow, Row, SwitchRow
from virtual_devices.wallet.faces import NfcFace

from .phones import NOW_NS
from .places import MORNING
from .ports import free_port


@dataclass
class Real:
    """A device behind a real medium, as a driver's link shows it; ``there`` is whether it is."""

    behind: Device
    there: bool = True
    channel: str = "nfc"
    device: str = "nfc:usb"
    provenance: Provenance = Provenance.MEASURED
    last_error: str = ""
    worker_pid: int | None = None
    asked: list[bytes] = field(default_factory=list)

    def connect(self, timeout_s: float) -> Attempt:
        return Attempt(Outcome.REPLIED, 3, self.behind.power_on()) if self.there else Attempt(Outcome.TIMED_OUT, 5)

    def attempt(self, message: bytes, timeout_s: float) -> Attempt:
        self.asked.append(message)
        return Attempt(Outcome.REPLIED, 2, self.behind.handle(message, NOW_NS))

    def disconnect(self) -> None: ...

    def close(self) -> None: ...


Made = tuple[Probes, list[Row], list[Real]]


@pytest.fixture
def probed(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str, Device], Made]:
    def make(role: str, moniker: str, device: Device) -> Made:
        rows, opened = list[Row](), list[Real]()
        world = World(
            simpy.Environment(), load(MORNING), 0, rows.append, epoch_ns=NOW_NS,
            seat=lambda world, contact: ModelledSeat(contact, world),
        )

        def open_device(*_: object) -> Real:
            opened.append(Real(device))
            return opened[-1]

        monkeypatch.setattr(probe, "open_device", open_device)
        return Probes({role: Probe(role, for_role(role, moniker), None, world)}), rows, opened

    return make


def exchanges(rows: list[Row]) -> list[ExchangeRow]:
    return [row for row in rows if isinstance(row, ExchangeRow)]


def test_foreign_phone_is_asked_once_a_visit_and_masked(probed: Callable[[str, str, Device], Made]) -> None:
    around, rows, _ = probed("wallet", "nfc:usb", NfcFace(SamplePhone(1, NOW_NS).phone))
    links = {"wallet": Real(NfcFace(SamplePhone(2, NOW_NS).phone))}
    for visit in ("v1", "v1", "v2"):
        assert around.links(dict(links), "registration", "register", visit) == links  # type: ignore[arg-type]
    assert {row.session for row in exchanges(rows)} == {"probe/wallet/v1", "probe/wallet/v2"}
    assert {row.step for row in exchanges(rows)} == {"find phone", "engage by NFC"}
    assert all((row.request, row.reply, row.provenance, row.flow) == (b"", b"", "measured", "probe") for row in exchanges(rows))
    assert any(row.reply_bytes > 2 for row in exchanges(rows))
    (switch,) = [row for row in rows if isinstance(row, SwitchRow)]
    assert (switch.role, switch.was, switch.now) == ("wallet", "virtual", "nfc:usb")


def test_foreign_phone_that_is_not_there_is_left_alone_a_while(
    probed: Callable[[str, str, Device], Made], monkeypatch: pytest.MonkeyPatch,
) -> None:
    around, rows, opened = probed("wallet", "nfc:usb", NfcFace(SamplePhone(1, NOW_NS).phone))

    def nobody(real: Real, _: float) -> Attempt:
        real.last_error = "nobody is in the field: hold it there"
        return Attempt(Outcome.TIMED_OUT, 5)

    monkeypatch.setattr(Real, "connect", nobody)
    for visit in ("v1", "v2"):
        around.links({"wallet": None}, "registration", "register", visit)  # type: ignore[dict-item]
    assert len(exchanges(rows)) == 1 and len(opened) == 1
    came, went = [row for row in rows if isinstance(row, SwitchRow)]
    assert [(row.was, row.now) for row in (came, went)] == [("virtual", "nfc:usb"), ("nfc:usb", "virtual")]
    assert went.reason == "nobody is in the field: hold it there"


def test_medium_that_is_missing_does_not_end_the_run(
    probed: Callable[[str, str, Device], Made], monkeypatch: pytest.MonkeyPatch,
) -> None:
    around, rows, _ = probed("sam", "pcsc:ACS*", NfcFace(SamplePhone(1, NOW_NS).phone))

    def missing(*_: object) -> Real:
        raise LinkError("no PC/SC service answers: start it")

    monkeypatch.setattr(probe, "open_device", missing)
    around.links({"sam": None}, "registration", "register", "v1")  # type: ignore[dict-item]
    (switch,) = rows
    assert isinstance(switch, SwitchRow) and "start it" in switch.reason


def test_session_without_the_role_is_no_occasion(probed: Callable[[str, str, Device], Made]) -> None:
    around, rows, _ = probed("wallet", "nfc:usb", NfcFace(SamplePhone(1, NOW_NS).phone))
    around.links({"card": None}, "registration", "register", "v1")  # type: ignore[dict-item]
    assert rows == []


def test_run_says_that_a_device_left_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """There when the run begins, and no longer when the first patient comes."""
    monkeypatch.setattr("bench.rig.met", lambda *_: None)
    monkeypatch.setattr(probe, "CONNECT_S", 0.2)
    few = ["--set", 'params.arrivals.bands=[{start="09:15", end="09:25", per_hour=24}]', "--set", "params.cards.virtual_share=1"]
    moniker = f"nfc:udp:localhost:{free_port()}"
    command = ["run", str(MORNING), "-n", "1", *few, "--wallet", moniker, "--out", str(tmp_path / "run"), "-q"]
    done = CliRunner().invoke(main, command)
    assert done.exit_code == 0, done.output
    said = " ".join(done.output.split())
    told = f"the wallet ({moniker}) was left alone once, and the reference device went on; the last time: nobody answers at"
    assert told in said
