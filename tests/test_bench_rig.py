"""The rig with a card in a real PC/SC service: taken up, lost, found again, and nothing lost or counted twice."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import simpy

from bench.drivers import pcsc
from bench.presenters import control
from bench.presenters.serve import Rows
from bench.presenting import sample_card
from bench.reader_link import OwnCardLink
from bench.rig import Rig
from bench.run import Result, epoch, run
from bench.seat import Met, PcscSeat, find
from bench.stacks.pcscd import PrivatePcscd
from reports.build import build
from scenarios.files import Scenario, load
from scenarios.world import ModelledSeat, World
from virtual_devices.errors import LinkError, UsageError
from virtual_devices.link import Attempt
from virtual_devices.trace import ExchangeRow, Record, Row

from . import report_pages
from .places import MORNING
from .ports import free_port
from .processes import wait_until
from .run_directories import read_table
from .virtual_readers import presented

READER = "Virtual PCD 00 00"
unembedded, unpainted = report_pages.unembedded, report_pages.unpainted
needs_pcsc = pytest.mark.needs("pcsc")


def small_morning(per_hour: int, **more: str) -> Scenario:
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


def world_of(scenario: Scenario, record: Record) -> World:
    """A world without people: for a seat alone."""
    return World(
        simpy.Environment(), scenario, 0, record, epoch_ns=epoch(scenario, Rig()),
        seat=lambda world, contact: ModelledSeat(contact, world),
    )


class Bench:
    """A private PC/SC service with our presenter in front of it, both to be killed and started at will."""

    def __init__(self, pcscd: PrivatePcscd) -> None:
        self.pcscd = pcscd
        self.env = pcscd.env
        self.presenter: subprocess.Popen[bytes] | None = None

    def start_presenter(self, *options: str) -> None:
        """With an empty slot, or as the options say."""
        port = str(self.pcscd.ports[0])
        command = [sys.executable, "-m", "bench.cli", "present", "vpcd", "--port", port, "--reader", READER]
        command += options or ("--empty",)
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
    result = run(small_morning(3), tmp_path / "run", Rig("auto", desk.env))
    check_whole(result)
    card = [row for row in read_table(result.directory, "exchanges") if row["role"] == "card"]
    assert card
    assert {row["provenance"] for row in card} == {"measured"}
    assert {row["device"] for row in card} == {f"pcsc:{READER}"}
    assert {row["provenance"] for row in read_table(result.directory, "visits")} == {"measured"}


@needs_pcsc
@pytest.mark.usefixtures("unpainted")
def test_rig_survives_presenter_and_service(desk: Bench, tmp_path: Path) -> None:
    """Presenter killed and started again, service stopped, started and restarted: the run finishes and shows the switches."""
    desk.start_presenter()
    acts = {
        1: desk.kill_presenter,
        2: desk.start_presenter,
        3: desk.pcscd.restart,
        4: desk.pcscd.stop,
        5: desk.pcscd.start,
    }

    def progress(replication: int, visits: int) -> None:
        if visits in acts:
            acts.pop(visits)()

    result = run(small_morning(9), tmp_path / "run", Rig("auto", desk.env), progress)
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
        if visits == 1:
            desk.start_presenter()

    result = run(small_morning(4), tmp_path / "run", Rig("auto", desk.env), progress)
    check_whole(result)
    provenances = [row["provenance"] for row in read_table(result.directory, "visits")]
    assert provenances[0] == "modelled"
    assert "measured" in provenances


@needs_pcsc
def test_rig_uses_a_foreign_card_as_a_probe_only(desk: Bench, tmp_path: Path) -> None:
    """A card in the reader that nobody can exchange: read once a visit, masked; the visits run on the reference card."""
    with presented(sample_card(5), desk.pcscd.ports[0]):
        assert wait_until(lambda: any(found.has_card for found in pcsc.discover(env=desk.env)))
        result = run(small_morning(2), tmp_path / "run", Rig("auto", desk.env))
    check_whole(result)
    probes = [row for row in read_table(result.directory, "exchanges") if row["flow"] == "probe"]
    assert probes
    assert {row["provenance"] for row in probes} == {"measured"}
    assert all(row["request"] == b"" and row["reply"] == b"" and row["reply_bytes"] != 0 for row in probes)
    assert {row["provenance"] for row in read_table(result.directory, "visits")} == {"modelled"}


def at_exchange(monkeypatch: pytest.MonkeyPatch, number: int, act: Callable[[], None]) -> None:
    """Do something just before the n-th message of the run to a card of ours in the reader."""
    honest, count = OwnCardLink.attempt, 0

    def attempt(self: OwnCardLink, message: bytes, timeout_s: float) -> Attempt:
        nonlocal count
        count += 1
        if count == number:
            act()
        return honest(self, message, timeout_s)

    monkeypatch.setattr(OwnCardLink, "attempt", attempt)


WHO_ARE_YOU = {0xA4, 0xCA}  # SELECT, GET DATA: what every reader may ask


@needs_pcsc
@pytest.mark.parametrize("number", [1, 2, 14, 40])
@pytest.mark.parametrize("moniker", ["pcsc:Virtual*00 00", "auto"])
def test_rig_puts_no_stranger_into_a_visit_whenever_it_comes(
    desk: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moniker: str, number: int
) -> None:
    """The presenter is killed between two exchanges, and another person's card takes its place."""
    monkeypatch.setattr("bench.seat.NAMED_WAIT_S", 2.0)
    heard: list[Row] = []
    stranger = sample_card(5)
    with ExitStack() as stack:
        def swap() -> None:
            desk.kill_presenter()
            stack.enter_context(presented(stranger, desk.pcscd.ports[0], rows=Rows(record=heard.append)))
            wait_until(lambda: any(found.has_card for found in pcsc.discover(env=desk.env)), 2.0)

        desk.start_presenter()
        at_exchange(monkeypatch, number, swap)
        scenario = small_morning(3, **{"params.cards.pin_share": "1.0"})
        rig = Rig(moniker, desk.env)
        if moniker == "auto":
            check_whole(run(scenario, tmp_path / "run", rig))
        else:
            with pytest.raises(LinkError, match=r"no longer stands behind it|holds another card"):
                run(scenario, tmp_path / "run", rig)
    asked = {row.request[1] for row in heard if isinstance(row, ExchangeRow)}
    assert asked <= WHO_ARE_YOU, asked
    rows = read_table(tmp_path / "run", "exchanges")
    assert not any(stranger.card_no.encode() in row["reply"] + row["request"] for row in rows)
    assert not any(stranger.store["public"][12:49] in row["reply"] + row["request"] for row in rows)


@needs_pcsc
def test_rig_waits_for_the_presenter_of_a_named_reader(
    desk: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed, nobody comes in its place, started again: every card exchange is measured, and the switches say what happened."""
    desk.start_presenter()

    def again() -> None:
        desk.kill_presenter()
        desk.start_presenter()

    at_exchange(monkeypatch, 30, again)
    result = run(small_morning(3), tmp_path / "run", Rig(f"pcsc:{READER}", desk.env))
    check_whole(result)
    card = [row for row in read_table(result.directory, "exchanges") if row["role"] == "card"]
    assert {(row["provenance"], row["device"]) for row in card} == {("measured", f"pcsc:{READER}")}
    rows = read_table(result.directory, "switches")
    assert (rows[0]["was"], rows[0]["now"]) == ("virtual", f"pcsc:{READER}")
    assert not any("foreign" in row["reason"] for row in rows)


@needs_pcsc
def test_rig_waits_for_a_presenter_that_comes_late(desk: Bench, tmp_path: Path) -> None:
    """Dead for two seconds: the named reader stands empty, which is neither a foreign card nor a reason to go on without."""
    desk.start_presenter()
    later: list[threading.Timer] = []

    def progress(replication: int, visits: int) -> None:
        if visits == 1:
            desk.kill_presenter()
            later.append(threading.Timer(2.0, desk.start_presenter))
            later[0].start()

    result = run(small_morning(3), tmp_path / "run", Rig(f"pcsc:{READER}", desk.env), progress)
    later[0].join()
    check_whole(result)
    assert {row["provenance"] for row in read_table(result.directory, "exchanges") if row["role"] == "card"} == {"measured"}
    switches = [(row["was"], row["now"]) for row in read_table(result.directory, "switches")]
    reader = f"pcsc:{READER}"
    assert switches == [("virtual", reader), (reader, "waiting"), ("waiting", reader)]
    assert not any("foreign" in row["reason"] for row in read_table(result.directory, "switches"))


@needs_pcsc
def test_rig_calls_an_empty_slot_no_foreign_card_after_a_kill(desk: Bench, tmp_path: Path) -> None:
    desk.start_presenter()

    def progress(replication: int, visits: int) -> None:
        if visits == 1:
            desk.kill_presenter()

    result = run(small_morning(3), tmp_path / "run", Rig("auto", desk.env), progress)
    check_whole(result)
    rows = read_table(result.directory, "switches")
    assert [(row["was"], row["now"]) for row in rows] == [("virtual", f"pcsc:{READER}"), (f"pcsc:{READER}", "virtual")]
    assert not any("foreign" in row["reason"] for row in rows)


@needs_pcsc
@pytest.mark.parametrize("moniker", ["auto", f"pcsc:{READER}"])
def test_rig_takes_up_a_presenter_in_place_of_a_foreign_card(desk: Bench, tmp_path: Path, moniker: str) -> None:
    with ExitStack() as stack:
        stack.enter_context(presented(sample_card(5), desk.pcscd.ports[0]))
        assert wait_until(lambda: any(found.has_card for found in pcsc.discover(env=desk.env)))

        def progress(replication: int, visits: int) -> None:
            if visits == 1:
                stack.close()
                desk.start_presenter()

        result = run(small_morning(4), tmp_path / "run", Rig(moniker, desk.env), progress)
    check_whole(result)
    provenances = [row["provenance"] for row in read_table(result.directory, "visits")]
    assert provenances[0] == "modelled"
    assert provenances[-1] == "measured"


@needs_pcsc
def test_rig_does_not_begin_with_an_empty_named_reader(desk: Bench) -> None:
    with pytest.raises(LinkError, match="no card in the reader: insert one"):
        Rig(f"pcsc:{READER}", desk.env).check()


@needs_pcsc
def test_rig_puts_no_patients_card_where_our_presenter_shows_a_phone(desk: Bench) -> None:
    desk.start_presenter("--what", "wallet")
    with pytest.raises(UsageError, match="shows no patient's card but a wallet: start 'vhc-bench present vpcd' without"):
        Rig(f"pcsc:{READER}", desk.env).check()


@needs_pcsc
def test_presenter_is_the_runs_alone_and_has_its_own_card_again_after_it(desk: Bench, tmp_path: Path) -> None:
    desk.start_presenter("--seed", "5")
    own, seen = sample_card(5).card_no, []

    def progress(replication: int, visits: int) -> None:
        with pytest.raises(LinkError, match="lent to somebody who exchanges its devices now"):
            Rig(f"pcsc:{READER}", desk.env).check()
        seen.extend(info.card_no for info in control.discover())

    result = run(small_morning(2), tmp_path / "run", Rig(f"pcsc:{READER}", desk.env), progress)
    check_whole(result)
    assert own not in seen and [info.card_no for info in control.discover()] == [own]


@needs_pcsc
def test_rig_takes_of_several_readers_the_one_that_our_presenter_serves(desk: Bench) -> None:
    with pytest.raises(UsageError, match="matches several readers"):
        Rig("pcsc:Virtual*", desk.env).check()
    desk.start_presenter()
    Rig("pcsc:Virtual*", desk.env).check()
    assert find("Virtual*", desk.env).link.reader == READER


@needs_pcsc
def test_card_that_leaves_a_modelled_reader_takes_no_other_card_out_of_the_real_one(desk: Bench) -> None:
    """One patient is still at a modelled reader when the device is taken up for the next."""
    rows: list[Row] = []
    world = world_of(small_morning(3), rows.append)
    seat = PcscSeat("auto", desk.env, Met(), world, ModelledSeat(world.scenario.params.contact, world))
    try:
        first, second = sample_card(1), sample_card(2)
        assert not seat.shared
        seat.insert(first, "v1")
        desk.start_presenter()
        assert seat.shared
        assert seat.insert(second, "v2").device == f"pcsc:{READER}"
        assert seat.remove(first, "v1") is first
        assert [info.card_no for info in control.discover()] == [second.card_no]
        assert seat.remove(second, "v2").card_no == second.card_no
        assert [info.card_no for info in control.discover()] == [""]
    finally:
        seat.close()


@needs_pcsc
def test_card_of_a_presenter_that_began_anew_is_not_given_to_the_patient(desk: Bench) -> None:
    """Killed, and started again with a card of its own: the patient gets the card that the dead one kept."""
    rows: list[Row] = []
    world = world_of(small_morning(3), rows.append)
    desk.start_presenter()
    seat = PcscSeat(f"pcsc:{READER}", desk.env, Met(), world, ModelledSeat(world.scenario.params.contact, world))
    try:
        assert seat.shared
        card = sample_card(2)
        seat.insert(card, "v1")
        desk.kill_presenter()
        desk.start_presenter("--seed", "5")
        assert seat.remove(card, "v1").card_no == card.card_no
    finally:
        seat.close()


@needs_pcsc
def test_rig_names_the_readers_that_are_there(desk: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.seat.NAMED_WAIT_S", 0.0)
    with pytest.raises(LinkError, match="Virtual PCD 00 01"):
        run(small_morning(3), tmp_path / "run", Rig("pcsc:ACS*", desk.env))


def test_rig_does_not_begin_where_nobody_answers_over_nfc() -> None:
    port = free_port()
    with pytest.raises(LinkError, match=f"nobody answers at udp:localhost:{port}: start who shall"):
        Rig(wallet=f"nfc:udp:localhost:{port}").check()


def test_rig_refuses_an_unknown_moniker() -> None:
    with pytest.raises(UsageError, match="virtual, auto, pcsc:NAME"):
        Rig("acs")


def test_rig_says_why_a_scenario_has_its_own_data_centre() -> None:
    assert Rig(cloud="virtual").table()["cloud"] == "virtual"
    with pytest.raises(UsageError, match=r"https://localhost:8443.*a quarter of an hour off its clock.*point-your-software"):
        Rig(cloud="https://localhost:8443")
