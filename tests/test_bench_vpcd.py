"""Presenting: the serving loop, the control channel, and our card in the virtual reader of a real pcscd."""

from __future__ import annotations

import os
import socket
import statistics
import struct
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bench.drivers import pcsc
from bench.pcscd import PrivatePcscd
from bench.presenters.control import Control, ControlServer, discover, last_image, runtime_dir, save_image
from bench.presenters.serve import Persistent, Rows, Signal, Slot, serve
from bench.presenters.vpcd import POLL_S, RECONNECT_S, REMOVAL_S, SEEN_LIMIT_S, VpcdPresenter
from virtual_devices.clock import VirtualClock
from virtual_devices.errors import LinkError, PeerError, UsageError
from virtual_devices.link import Outcome
from virtual_devices.trace import ExchangeRow

from .toy_card import ATR_T1, READ, SELECT, SILENCE, ToyCard, hang, presented, presented_by_a_process, update

LIMIT_S = 5.0
needs_pcsc = pytest.mark.needs("pcsc")


class Script:
    """A transport that plays a list, and notes what the device answers and when."""

    channel = "contact"
    device = "script"

    def __init__(self, *asked: bytes | Signal, deaf: bool = False) -> None:
        self._asked: Iterator[bytes | Signal] = iter([*asked, Signal.END])
        self._deaf = deaf
        self.answers: list[bytes] = []
        self.happened: list[str] = []

    def receive(self) -> bytes | Signal:
        return next(self._asked)

    def reply(self, message: bytes) -> bool:
        self.answers.append(message)
        self.happened.append("reply")
        return not self._deaf


def rows_of(transport: Script, **options: object) -> list[ExchangeRow]:
    rows: list[ExchangeRow] = []
    serve(ToyCard(), transport, Rows(record=rows.append, **options), clock=VirtualClock(7))  # type: ignore[arg-type]
    return rows


def test_serve_writes_a_presented_row_for_each_request() -> None:
    def status(role: str, request: bytes, reply: bytes) -> str:
        return reply[-2:].hex()

    first, second = rows_of(Script(Signal.POWER_ON, READ, SELECT), status=status)
    assert (first.request, first.reply, first.status, first.outcome) == (READ, b"toy\x90\x00", "9000", "replied")
    assert (first.provenance, first.role, first.device, first.at_ns) == ("presented", "card", "script", 7)
    assert second.duration_ns > 0 and second.request_bytes == len(SELECT)


def test_serve_masks_the_bytes_of_real_people_and_keeps_their_lengths() -> None:
    (row,) = rows_of(Script(Signal.POWER_ON, READ), masked=True)
    assert (row.request, row.reply, row.request_bytes, row.reply_bytes) == (b"", b"", 5, 5)


@pytest.mark.parametrize(("before", "request_", "deaf", "outcome"), [
    ([], READ, False, Outcome.REQUEST_LOST), ([Signal.POWER_ON, Signal.POWER_OFF], READ, False, Outcome.REQUEST_LOST),
    ([Signal.POWER_ON, Signal.LOST], READ, False, Outcome.REQUEST_LOST),
    ([Signal.POWER_ON], SILENCE, False, Outcome.REPLY_LOST), ([Signal.POWER_ON], READ, True, Outcome.REPLY_LOST),
])
def test_serve_tells_a_request_without_power_from_an_answer_that_got_lost(
    before: list[Signal], request_: bytes, deaf: bool, outcome: Outcome
) -> None:
    (row,) = rows_of(Script(*before, request_, deaf=deaf))
    assert (row.outcome, row.reply, row.reply_bytes) == (outcome.value, b"", -1)


def test_serve_gives_the_atr_without_leaving_the_card_powered() -> None:
    transport = Script(Signal.ATR, READ, Signal.POWER_ON, Signal.ATR, Signal.RESET, READ)
    rows_of(transport)
    assert transport.answers == [ATR_T1, b"", ATR_T1, b"toy\x90\x00"]


def test_serve_ends_when_a_row_cannot_be_recorded() -> None:
    def full(row: object) -> None:
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        serve(ToyCard(), Script(Signal.POWER_ON, READ, READ), Rows(record=full))


def test_commit_is_kept_before_the_answer_goes_out() -> None:
    transport = Script(Signal.POWER_ON, READ, update(b"one"), READ, update(b"two"))
    slot = Slot(lambda card_no, image: transport.happened.append(f"{card_no}={image.decode()}"))
    slot.put(ToyCard(), "7")
    serve(slot, transport)
    assert transport.happened == ["7=toy", "reply", "7=one", "reply", "reply", "7=two", "reply"]


def test_toy_card_is_a_persistent_device() -> None:
    assert isinstance(ToyCard(), Persistent)


def test_empty_slot_answers_nothing() -> None:
    slot = Slot(lambda *_: None)
    assert (slot.power_on(), slot.handle(READ, 0), slot.occupied) == (b"", b"", False)


def test_image_is_replaced_whole_and_found_again(tmp_path: Path) -> None:
    assert last_image(tmp_path, "1") is None
    for image in (b"first", b"second"):
        save_image(tmp_path, "1", image)
        assert last_image(tmp_path, "1") == image
    (path,) = tmp_path.iterdir()
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("card_no", ["", "../1", ".hidden", "a/b", "x" * 65, "1\n"])
def test_card_number_that_is_no_file_name_is_refused(tmp_path: Path, card_no: str) -> None:
    with pytest.raises(UsageError, match="card number"):
        save_image(tmp_path, card_no, b"")


def test_runtime_folder_is_private_and_where_the_environment_says(tmp_path: Path) -> None:
    assert runtime_dir({"XDG_RUNTIME_DIR": str(tmp_path)}) == tmp_path / "vhc-bench"
    other = runtime_dir({"TMPDIR": str(tmp_path)})
    assert other == tmp_path / f"vhc-bench-{os.getuid()}"
    assert other.stat().st_mode & 0o777 == 0o700


def test_runtime_folder_that_others_could_write_into_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "vhc-bench"
    folder.mkdir()
    folder.chmod(0o770)
    with pytest.raises(LinkError, match="not a private folder"):
        runtime_dir({"XDG_RUNTIME_DIR": str(tmp_path)})
    folder.rmdir()
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    folder.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(LinkError, match="not a private folder"):
        runtime_dir({"XDG_RUNTIME_DIR": str(tmp_path)})


@pytest.fixture
def control(tmp_path: Path) -> Iterator[Control]:
    """The channel of a presenter whose reader does not exist."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        with presented(None, closed.getsockname()[1], ControlServer("toy", tmp_path), settle_s=0):
            yield ready(tmp_path)


def ready(folder: Path, name: str = "toy") -> Control:
    """The presenter's channel, once it answers."""
    path = folder / f"{name}.sock"
    deadline = time.monotonic() + LIMIT_S
    while path not in [info.path for info in discover(folder)] and time.monotonic() < deadline:
        time.sleep(0.01)
    return Control(path)


def settled(link: pcsc.PcscLink) -> pcsc.PcscLink:
    """The link, connected to the card that is in now: for up to 0.4 s pcscd offers the one that has just left."""
    assert link.connect(LIMIT_S).outcome is Outcome.REPLIED, link.last_error
    if link.attempt(READ, LIMIT_S).outcome is Outcome.GONE:
        assert link.connect(LIMIT_S).outcome is Outcome.REPLIED, link.last_error
        assert link.attempt(READ, LIMIT_S).outcome is Outcome.REPLIED, link.last_error
    return link


def test_control_socket_is_for_this_user_only(control: Control) -> None:
    assert control.path.stat().st_mode & 0o777 == 0o600


def test_control_discovers_live_presenters_and_passes_over_dead_ones(control: Control, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as left_behind:
        left_behind.bind(str(tmp_path / "dead.sock"))
    (info,) = discover(tmp_path)
    assert (info.path, info.pid, info.medium, info.card_no) == (control.path, os.getpid(), "vpcd", "")
    assert info.last_image("1") is None


def test_control_name_of_a_live_presenter_is_refused_and_a_stale_one_taken(control: Control, tmp_path: Path) -> None:
    with pytest.raises(LinkError, match="runs already"):
        VpcdPresenter(lambda: None, port=1, control=ControlServer("toy", tmp_path)).run()
    with socket.socket(socket.AF_UNIX) as left_behind:
        left_behind.bind(str(tmp_path / "stale.sock"))
    with presented(None, 1, ControlServer("stale", tmp_path)):
        assert ready(tmp_path, "stale").status()["inserted"] is False


def test_insert_without_a_reader_says_so_and_keeps_the_card(control: Control, tmp_path: Path) -> None:
    began = time.monotonic()
    assert control.insert(b"data", "42") is False
    assert time.monotonic() - began < SEEN_LIMIT_S + 1.0
    status = control.status()
    assert (status["card_no"], status["inserted"], status["connected"]) == ("42", True, False)
    assert discover(tmp_path)[0].last_image("42") == b"data"
    assert control.eject() == b"data"


@pytest.mark.parametrize(("ask", "why"), [
    (lambda it: it.eject(), "slot is empty"), (lambda it: it.insert(b"x", "../x"), "card number"),
    (lambda it: it.insert(b"x", 3), "missing"), (lambda it: it._ask({"op": "explode"}), "unknown operation"),
])
def test_control_refuses_what_cannot_be(control: Control, ask: Callable[[Control], object], why: str) -> None:
    with pytest.raises(PeerError, match=why):
        ask(control)
    assert control.status()["inserted"] is False


def test_image_that_is_no_card_is_refused_and_the_card_in_the_slot_stays(tmp_path: Path) -> None:
    def load(image: bytes) -> ToyCard:
        raise ValueError("bad magic")

    presenter = VpcdPresenter(ToyCard, port=1, control=ControlServer("toy", tmp_path), load=load)
    thread = threading.Thread(target=presenter.run)
    thread.start()
    control = ready(tmp_path)
    with pytest.raises(PeerError, match="no card: bad magic"):
        control.insert(b"x", "1")
    assert control.status()["inserted"] is True
    presenter.stop()
    thread.join()


@pytest.mark.parametrize("garbage", [b"\0\0\0\x01\xff", b"\0\0\0\x02\x18", b"\xff\xff\xff\xff", b"\0\0\0\0", b"\0"])
def test_garbage_on_the_control_channel_does_no_harm(control: Control, garbage: bytes) -> None:
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(control.path))
        client.sendall(garbage)
        assert control.status()["inserted"] is False


def test_control_of_nobody_is_a_link_error(tmp_path: Path) -> None:
    with pytest.raises(LinkError, match="no presenter answers"):
        Control(tmp_path / "none.sock").status()


@pytest.fixture(scope="module")
def daemon() -> Iterator[PrivatePcscd]:
    with PrivatePcscd(2) as it:
        yield it


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
        time.sleep(0.05)
        assert control.status()["connected"] is False
        own.start()
        began = time.monotonic()
        assert link.connect(LIMIT_S).outcome is Outcome.REPLIED, link.last_error
        assert time.monotonic() - began < REMOVAL_S + RECONNECT_S + POLL_S + 1.0
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
            killer.start()
            answer = link.attempt(command, LIMIT_S)
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
def test_exchange_does_not_wait_for_delayed_acknowledgements(daemon: PrivatePcscd) -> None:
    """A naive card takes 44 ms and more."""
    rows: list[ExchangeRow] = []
    with (
        presented(ToyCard(), daemon.ports[0], rows=Rows(record=rows.append)),
        pcsc.open(daemon.readers[0], env=daemon.env) as link,
    ):
        settled(link)
        durations_ns = [link.attempt(update(bytes(200)), LIMIT_S).duration_ns for _ in range(100)]
    assert statistics.median(durations_ns) < 20_000_000
    assert {row.provenance for row in rows} == {"presented"} and len(rows) >= 101


@needs_pcsc
@pytest.mark.needs("opensc")
def test_opensc_tool_reads_the_card(daemon: PrivatePcscd) -> None:
    """It probes with some thirty SELECTs of other cards first."""
    with presented(ToyCard(), daemon.ports[0]):
        with pcsc.open(daemon.readers[0], env=daemon.env) as link:
            settled(link)
        command = ["opensc-tool", "--reader", "0", "--send-apdu", READ.hex(":")]
        done = subprocess.run(command, env={**os.environ, **daemon.env}, capture_output=True, text=True, timeout=20, check=False)
        assert "SW1=0x90, SW2=0x00" in done.stdout, done.stdout + done.stderr
        assert "74 6F 79" in done.stdout


@needs_pcsc
@pytest.mark.needs("pcsc-tools")
def test_pcsc_scan_sees_the_readers(daemon: PrivatePcscd) -> None:
    env = {**os.environ, **daemon.env}
    done = subprocess.run(["pcsc_scan", "-r"], env=env, capture_output=True, text=True, timeout=20, check=False)
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
