"""The rig with a card in a real PC/SC service: taken up, lost, found again, and nothing lost or counted twice."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.drivers import pcsc
from bench.pcscd import PrivatePcscd
from bench.presenters import control
from bench.presenting import sample_card
from bench.rig import Rig
from bench.run import Result, run
from reports.build import build
from scenarios.files import Scenario, load
from virtual_devices.errors import LinkError, UsageError

from .places import MORNING
from .processes import wait_until
from .run_directories import read_table
from .virtual_readers import presented

READER = "Virtual PCD 00 00"
needs_pcsc = pytest.mark.needs("pcsc")


def small_morning(per_hour: int = 12, **more: str) -> Scenario:
    return load(
        MORNING,
        {
            "run.replications": "1",
            "params.arrivals.bands": f'[{{start="08:30", end="09:30", per_hour={per_hour}}}]',
            "params.cards.virtual_share": "0.0",
            "params.cards.pin_share": "0.0",
            "fault": "[]",
            **more,
        },
    )


class Bench:
    """A private PC/SC service with our presenter in front of it, both to be killed and started at will."""

    def __init__(self, pcscd: PrivatePcscd) -> None:
        self.pcscd = pcscd
        self.env = pcscd.env
        self.presenter: subprocess.Popen[bytes] | None = None

    def start_presenter(self) -> None:
        port = str(self.pcscd.ports[0])
        command = [sys.executable, "-m", "bench.cli", "present", "vpcd", "--port", port, "--reader", READER, "--empty"]
        self.presenter = subprocess.Popen(command, env={**os.environ, **self.env}, stdout=subprocess.DEVNULL)
        assert wait_until(lambda: bool(control.discover())), "the presenter did not come"

    def kill_presenter(self) -> None:
        assert self.presenter is not None
        self.presenter.kill()
        self.presenter.wait()
        self.presenter = None


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    runtime = tmp_path / "rt"
    runtime.mkdir(mode=0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime))
    with PrivatePcscd() as pcscd:
        made = Bench(pcscd)
        try:
            yield made
        finally:
            if made.presenter is not None:
                made.kill_presenter()


def check_whole(result: Result) -> None:
    """Every law holds: nothing lost, nothing counted twice."""
    ledger = read_table(result.directory, "ledger")
    assert ledger
    assert all(row["holds"] for row in ledger), ledger
    visits = read_table(result.directory, "visits")
    assert len({row["visit"] for row in visits}) == len(visits) == result.visits
    uploads = read_table(result.directory, "uploads")
    assert all(row["outcome"] == "stored" for row in uploads)


@needs_pcsc
def test_rig_runs_every_visit_through_the_reader(desk: Bench, tmp_path: Path) -> None:
    desk.start_presenter()
    result = run(small_morning(6), tmp_path / "run", Rig("auto", desk.env))
    check_whole(result)
    card = [row for row in read_table(result.directory, "exchanges") if row["role"] == "card"]
    assert card
    assert {row["provenance"] for row in card} == {"measured"}
    assert {row["device"] for row in card} == {f"pcsc:{READER}"}
    assert {row["provenance"] for row in read_table(result.directory, "visits")} == {"measured"}


@needs_pcsc
def test_rig_survives_presenter_and_service(desk: Bench, tmp_path: Path) -> None:
    """Presenter killed and started again, service stopped, started and restarted: the run finishes and shows the switches."""
    desk.start_presenter()
    acts = {
        2: desk.kill_presenter,
        4: desk.start_presenter,
        5: desk.pcscd.restart,
        6: desk.pcscd.stop,
        8: desk.pcscd.start,
    }

    def progress(replication: int, visits: int) -> None:
        if visits in acts:
            acts.pop(visits)()

    result = run(small_morning(12), tmp_path / "run", Rig("auto", desk.env), progress)
    assert not acts, f"the run was too short: {result.visits} visits"
    check_whole(result)
    switches = [(row["was"], row["now"]) for row in read_table(result.directory, "switches")]
    assert ("virtual", f"pcsc:{READER}") in switches
    assert switches.count((f"pcsc:{READER}", "virtual")) >= 2  # the presenter killed, the service stopped
    assert switches.count(("virtual", f"pcsc:{READER}")) >= 2  # taken up again
    assert f"pcsc:{READER}" in build(result.directory).read_text(encoding="utf-8")


@needs_pcsc
def test_rig_takes_up_a_reader_that_appears_mid_run(desk: Bench, tmp_path: Path) -> None:
    def progress(replication: int, visits: int) -> None:
        if visits == 2:
            desk.start_presenter()

    result = run(small_morning(8), tmp_path / "run", Rig("auto", desk.env), progress)
    check_whole(result)
    provenances = [row["provenance"] for row in read_table(result.directory, "visits")]
    assert provenances[0] == "modelled"
    assert "measured" in provenances


@needs_pcsc
def test_rig_uses_a_foreign_card_as_a_probe_only(desk: Bench, tmp_path: Path) -> None:
    """A card in the reader that nobody can exchange: read once a visit, masked; the visits run on the reference card."""
    with presented(sample_card(5), desk.pcscd.ports[0]):
        assert wait_until(lambda: any(found.has_card for found in pcsc.discover(env=desk.env)))
        result = run(small_morning(4), tmp_path / "run", Rig("auto", desk.env))
    check_whole(result)
    probes = [row for row in read_table(result.directory, "exchanges") if row["flow"] == "probe"]
    assert probes
    assert {row["provenance"] for row in probes} == {"measured"}
    assert all(row["request"] == b"" and row["reply"] == b"" and row["reply_bytes"] != 0 for row in probes)
    assert {row["provenance"] for row in read_table(result.directory, "visits")} == {"modelled"}


@needs_pcsc
def test_rig_names_the_readers_that_are_there(desk: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.rig.NAMED_WAIT_S", 0.0)
    with pytest.raises(LinkError, match="Virtual PCD 00 01"):
        run(small_morning(6), tmp_path / "run", Rig("pcsc:ACS*", desk.env))


def test_rig_refuses_an_unknown_moniker() -> None:
    with pytest.raises(UsageError, match="'virtual', 'auto', or 'pcsc:NAME'"):
        Rig("acs")
