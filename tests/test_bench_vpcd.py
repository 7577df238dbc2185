"""Our card in the virtual reader of a real pcscd: put in, taken out, killed, and read by other people's tools."""

from __future__ import annotations

import os
import socket
import statistics
import struct
import subprocess
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from bench.drivers import pcsc
from bench.presenters import vpcd
from bench.presenters.control import Control, discover
from bench.presenters.control_server import ControlServer
from bench.presenters.serve import Rows
from bench.stacks.pcscd import PrivatePcscd
from virtual_devices.link import Outcome
from virtual_devices.trace import ExchangeRow, Row

from . import virtual_readers
from .processes import wait_until
from .toy_card import ATR_T1, READ, ToyCard, hang, update
from .virtual_readers import LIMIT_S, presented, presented_by_a_process, ready, settled

needs_pcsc = pytest.mark.needs("pcsc")
daemon, patient = virtual_readers.shared_pcscd, virtual_readers.patient
pytestmark = pytest.mark.usefixtures("patient")


@pytest.fixture
def slot(daemon: PrivatePcscd, tmp_path: Path) -> Iterator[tuple[Control, pcsc.PcscLink]]:
    """An empty slot with its control channel, and a link to its reader."""
    with (
        presented(None, daemon.ports[0], ControlServer("toy", tmp_path)),
        pcsc.open(daemon.readers[0], env=daemon.env) as link,
    ):
        yield ready(tmp_path), link


@needs_pcsc
def test_inserted_cards_are_seen_as_different_cards(slot: tuple[Control, pcsc.PcscLink]) -> None:
    control, link = slot
    for number, data in (("1", b"first"), ("2", b"second")):
        assert control.insert(data, number) is True
        assert link.attempt(READ, LIMIT_S).outcome is Outcome.GONE
        assert link.connect(LIMIT_S).outcome is Outcome.REPLIED, link.last_error
        assert link.attempt(READ, LIMIT_S).reply == data + b"\x90\x00"
    link.attempt(update(b"written"), LIMIT_S)
    assert control.eject() == b"written"
    assert link.connect(0.0).outcome is Outcome.GONE
    assert "no card" in link.last_error


@needs_pcsc
def test_card_stays_in_service_when_pcscd_stops_and_starts(tmp_path: Path) -> None:
    with (
        PrivatePcscd(1) as own, presented(None, own.ports[0], ControlServer("toy", tmp_path), settle_s=0),
        pcsc.open(own.readers[0], env=own.env) as link,
    ):
        control = ready(tmp_path)
        assert control.insert(b"data", "1") is True
        own.stop()
        assert wait_until(lambda: control.status()["connected"] is False)
        own.start()
        assert link.connect(LIMIT_S).outcome is Outcome.REPLIED, link.last_error
        assert link.attempt(READ, LIMIT_S).reply == b"data\x90\x00"


@needs_pcsc
@pytest.mark.parametrize(("command", "kept"), [
    (hang(20), b"old"), (bytes([0x00, 0xD6, 20]) + update(b"new")[3:], b"old"), (update(b"new"), b"new"),
])
def test_killed_presenter_leaves_the_card_before_or_after_its_commit(
    daemon: PrivatePcscd, tmp_path: Path, command: bytes, kept: bytes
) -> None:
    """Killed in a command without a commit; inside the command that commits, unanswered; after the answer."""
    with pcsc.open(daemon.readers[1], env=daemon.env) as link:
        with presented_by_a_process(daemon.ports[1], tmp_path, "empty") as presenter:
            control = ready(tmp_path)
            (info,) = discover(tmp_path)
            assert info.pid == presenter.pid and control.insert(b"old", "1") is True
            assert link.connect(LIMIT_S).outcome is Outcome.REPLIED
            killer = threading.Timer(0.2, presenter.kill)
            if kept == b"old":
                killer.start()
            answer = link.attempt(command, LIMIT_S)
            if kept == b"new":
                killer.start()
            killer.join()
        image = info.last_image("1")
        assert image == kept and (answer.outcome is Outcome.REPLIED) == (kept == b"new")
        assert discover(tmp_path) == []
        with presented_by_a_process(daemon.ports[1], tmp_path, "empty"):
            assert ready(tmp_path).insert(image, "1") is True
            assert link.connect(LIMIT_S).outcome is Outcome.REPLIED, link.last_error
            assert link.attempt(READ, LIMIT_S).reply == image + b"\x90\x00"


@needs_pcsc
def test_card_that_appears_under_a_running_reader_is_powered_before_it_is_asked(daemon: PrivatePcscd) -> None:
    """A card put in right after another presenter's: pcscd must not take it for the old one."""
    for data in (b"a", b"b", b"c"):
        with presented(ToyCard(data), daemon.ports[0]), pcsc.open(daemon.readers[0], env=daemon.env) as link:
            assert settled(link).attempt(READ, LIMIT_S).reply == data + b"\x90\x00"


@needs_pcsc
def test_card_that_comes_before_the_slot_was_seen_empty_is_powered_in_the_end(daemon: PrivatePcscd) -> None:
    """A machine that is busy for long enough does the same: pcscd then calls the reader empty, for good."""
    with pcsc.open(daemon.readers[0], env=daemon.env) as link:
        with presented(ToyCard(b"old"), daemon.ports[0]):
            assert settled(link).attempt(READ, LIMIT_S).reply == b"old\x90\x00"
        with presented(ToyCard(b"new"), daemon.ports[0], settle_s=0):
            assert link.connect(LIMIT_S).outcome is Outcome.REPLIED, link.last_error
            assert link.attempt(READ, LIMIT_S).reply == b"new\x90\x00"


def test_card_that_the_driver_never_powers_is_put_in_again_a_few_times_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vpcd, "REMOVAL_S", 0.001)
    with socket.create_server(("127.0.0.1", 0)) as driver, presented(ToyCard(), driver.getsockname()[1], settle_s=0):
        driver.settimeout(LIMIT_S)
        looks = []
        for _ in range(vpcd.RESEATS + 1):
            connection, _ = driver.accept()
            with connection:
                connection.settimeout(LIMIT_S)
                looks.append(0)
                while looks[-1] < 3 * vpcd.LOOKS and _asked(connection, b"\4"):
                    looks[-1] += 1
        assert looks == [vpcd.LOOKS - 1] * vpcd.RESEATS + [3 * vpcd.LOOKS]


def _asked(connection: socket.socket, message: bytes) -> bool:
    """Whether the presenter answers."""
    connection.sendall(struct.pack(">H", len(message)) + message)
    try:
        return bool(connection.recv(300))
    except ConnectionResetError:
        return False


@needs_pcsc
def test_exchange_does_not_wait_for_delayed_acknowledgements(daemon: PrivatePcscd) -> None:
    """A naive card takes 44 ms and more, nearly always; of ours a tenth is far quicker, on a busy machine too."""
    rows: list[Row] = []
    with (
        presented(ToyCard(), daemon.ports[0], rows=Rows(record=rows.append)),
        pcsc.open(daemon.readers[0], env=daemon.env) as link,
    ):
        settled(link)
        durations_ns = [link.attempt(update(bytes(200)), LIMIT_S).duration_ns for _ in range(100)]
    assert statistics.quantiles(durations_ns[20:], n=10)[0] < 20_000_000  # the first ones are acknowledged at once anyway
    provenances = [row.provenance for row in rows if isinstance(row, ExchangeRow)]
    assert set(provenances) == {"presented"} and len(provenances) == len(rows) >= 101


@needs_pcsc
@pytest.mark.needs("opensc")
def test_opensc_tool_reads_the_card(daemon: PrivatePcscd) -> None:
    """It probes with some thirty SELECTs of other cards first."""
    with presented(ToyCard(), daemon.ports[0]):
        with pcsc.open(daemon.readers[0], env=daemon.env) as link:
            settled(link)
        command = ["opensc-tool", "--reader", "0", "--send-apdu", READ.hex(":")]
        environment = {**os.environ, **daemon.env}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=LIMIT_S, check=False)
        assert "SW1=0x90, SW2=0x00" in done.stdout, done.stdout + done.stderr
        assert "74 6F 79" in done.stdout


@needs_pcsc
@pytest.mark.needs("pcsc-tools")
def test_pcsc_scan_sees_the_readers(daemon: PrivatePcscd) -> None:
    env = {**os.environ, **daemon.env}
    done = subprocess.run(["pcsc_scan", "-r"], env=env, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    assert all(reader in done.stdout for reader in daemon.readers), done.stdout + done.stderr


def test_length_prefix_is_big_endian_and_partial_messages_wait() -> None:
    """Without pcscd: a driver that sends byte by byte."""
    with socket.create_server(("127.0.0.1", 0)) as driver:
        with presented(ToyCard(), driver.getsockname()[1], settle_s=0):
            connection, _ = driver.accept()
            with connection:
                for message in (b"\x01", b"\x04", READ):
                    for byte in struct.pack(">H", len(message)) + message:
                        connection.sendall(bytes([byte]))
                answers = b""
                while len(answers) < 2 + len(ATR_T1) + 2 + 5:
                    answers += connection.recv(100)
        assert answers == b"\0\x05" + ATR_T1 + b"\0\x05toy\x90\x00"


def test_transport_that_is_stopped_after_its_end_writes_into_nobody_s_file(tmp_path: Path) -> None:
    transport = vpcd.VpcdTransport("127.0.0.1", 1)
    transport.close()
    with ExitStack() as stack:
        files = [stack.enter_context((tmp_path / str(number)).open("wb")) for number in range(8)]  # one has its number now
        transport.stop()
        assert [os.fstat(file.fileno()).st_size for file in files] == [0] * 8
