"""A presenter's control channel and the folder it lies in: private, found by others, and not toppled by garbage."""

from __future__ import annotations

import os
import select
import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bench.presenters import control as control_module
from bench.presenters.control import ANSWER_LIMIT_S, BUSY, Control, ControlInfo, discover, runtime_dir
from bench.presenters.control_server import ControlServer
from bench.presenters.hand import MEDIUM
from bench.presenters.images import last_image, save_image
from bench.presenters.vpcd import VpcdPresenter
from bench.reach import hand as hand_module
from bench.reach.desk_people import led
from bench.reach.hand import Hand
from virtual_devices.errors import LinkError, PeerError, UsageError

from .processes import wait_until
from .toy_card import ToyCard
from .virtual_readers import LIMIT_S, presented, ready

SEEN_S = 0.6


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
def control(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Control]:
    """The channel of a presenter whose reader does not exist; an insert says so after ``SEEN_S``, and soon."""
    monkeypatch.setattr("bench.presenters.vpcd.SEEN_LIMIT_S", SEEN_S)
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        with presented(None, closed.getsockname()[1], ControlServer("toy", tmp_path), settle_s=0):
            yield ready(tmp_path)


def test_control_socket_is_for_this_user_only(control: Control) -> None:
    assert control.path.stat().st_mode & 0o777 == 0o600


def test_control_discovers_live_presenters_and_passes_over_dead_ones(control: Control, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as left_behind:
        left_behind.bind(str(tmp_path / "dead.sock"))
    (info,) = discover(tmp_path)
    assert (info.path, info.pid, info.medium, info.card_no) == (control.path, os.getpid(), "vpcd", "")
    assert info.last_image("1") is None


def test_presenter_that_is_at_work_when_it_is_asked_is_discovered(
    control: Control, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It may take as long to say who it is as to answer anything else."""
    class AtWork(Control):
        def status(self) -> dict[str, Any]:
            if self._timeout_s < ANSWER_LIMIT_S:
                raise LinkError("not yet")
            return super().status()

    monkeypatch.setattr(control_module, "Control", AtWork)
    assert [info.path for info in discover(tmp_path)] == [control.path]


def test_presenter_that_ends_leaves_the_next_one_of_its_name_its_socket(tmp_path: Path) -> None:
    first, second = ControlServer("toy", tmp_path), ControlServer("toy", tmp_path)
    first.open(select.poll(), lambda *_: None)
    listener = first._listener
    assert listener is not None

    class Closing:
        """The next one begins as soon as nobody listens."""

        fileno = listener.fileno

        def close(self) -> None:
            listener.close()
            second.open(select.poll(), lambda *_: None)

    first._listener = Closing()  # type: ignore[assignment]
    first.close()
    assert second.path.exists()
    second.close()
    assert not second.path.exists()


def test_hand_waits_until_a_presenter_is_at_no_other_exchange(monkeypatch: pytest.MonkeyPatch) -> None:
    """The one before was killed, and its own device is just coming back."""
    refusals = [BUSY, BUSY]

    class Lent:
        over = False

        def __init__(self, path: Path) -> None:
            if refusals:
                raise PeerError(f"the presenter refused lease: {refusals.pop()}", code="control")

        def holder(self, act: str) -> dict[str, Any]:
            return {"did": act}

    monkeypatch.setattr(hand_module, "Lease", Lent)
    assert Hand(Path()).holder("look") == {"did": "look"}
    refusals.append("it takes no other card")
    with pytest.raises(LinkError, match="takes no other card"):
        Hand(Path()).holder("look")


def test_software_that_ended_since_it_was_found_has_nobody_who_types(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    found = ControlInfo(tmp_path / "ended.sock", 1, MEDIUM, "", "", tmp_path)
    monkeypatch.setattr(control_module, "discover", lambda: [found])
    assert led({"https://127.0.0.1:5066"}) is None


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
    assert time.monotonic() - began >= SEEN_S
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

    with presented(ToyCard(), 1, ControlServer("toy", tmp_path), load=load):
        control = ready(tmp_path)
        with pytest.raises(PeerError, match="no card: bad magic"):
            control.insert(b"x", "1")
        assert control.status()["inserted"] is True


def test_image_goes_when_the_card_has_been_given_back(control: Control, tmp_path: Path) -> None:
    control.insert(b"data", "42")
    assert control.eject() == b"data"
    assert wait_until(lambda: not list((tmp_path / "toy.state").iterdir()))
    control.insert(b"first", "1")
    control.insert(b"second", "2")
    assert last_image(tmp_path / "toy.state", "1") == b"first", "nobody was given that card: its image is the only one"


def test_image_stays_when_nobody_waited_for_the_card(tmp_path: Path) -> None:
    server = ControlServer("toy", tmp_path)
    server.state_folder = tmp_path
    presenter = VpcdPresenter(lambda: None, port=1, control=server, load=ToyCard)
    presenter._slot.put(ToyCard(b"data"), "42")
    presenter._asked({"op": "eject"}, lambda _: False)
    assert last_image(tmp_path, "42") == b"data"


def test_state_folder_that_was_removed_is_made_again(control: Control, tmp_path: Path) -> None:
    control.insert(b"data", "42")
    shutil.rmtree(tmp_path / "toy.state")
    control.insert(b"other", "43")
    assert last_image(tmp_path / "toy.state", "43") == b"other"
    assert (tmp_path / "toy.state").stat().st_mode & 0o777 == 0o700


def test_image_that_cannot_be_kept_is_a_link_error(tmp_path: Path) -> None:
    (tmp_path / "state").touch()
    with pytest.raises(LinkError, match=r"cannot keep the card's image in .*42\.new"):
        save_image(tmp_path / "state", "42", b"data")
    (tmp_path / "folder" / "42.image").mkdir(parents=True)
    with pytest.raises(LinkError, match="cannot keep"):
        save_image(tmp_path / "folder", "42", b"data")


def _asked_raw(control: Control, frame: bytes) -> bytes:
    """What comes back until the presenter closes the connection, or a whole answer is there."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(LIMIT_S)
        client.connect(str(control.path))
        client.sendall(frame)
        return client.recv(1000)


@pytest.mark.parametrize(("frame", "says"), [
    (b"\0\0\0\0", b"not a CBOR map"), (b"\xff\xff\xff\xff", b"at most 16777216 bytes"),
    (b"\0\0\0\x09abc", b"no whole frame within 0.2 s"), (b"\0", b"no whole frame within 0.2 s"),
])
def test_frame_that_is_empty_too_long_or_cut_short_is_answered(
    control: Control, monkeypatch: pytest.MonkeyPatch, frame: bytes, says: bytes
) -> None:
    monkeypatch.setattr("bench.presenters.control_server.ANSWER_LIMIT_S", 0.2)
    assert says in _asked_raw(control, frame)


def test_connection_on_which_nothing_comes_is_closed_and_one_that_is_answered_late_is_not(
    control: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An insert without a reader is answered after ``SEEN_S``, long after the limit of this test."""
    monkeypatch.setattr("bench.presenters.control_server.ANSWER_LIMIT_S", 0.2)
    with socket.socket(socket.AF_UNIX) as idle:
        idle.settimeout(LIMIT_S)
        idle.connect(str(control.path))
        assert Control(control.path, timeout_s=LIMIT_S).insert(b"data", "42") is False
        assert idle.recv(1) == b""


def test_driver_that_nobody_listens_for_is_told_of_once_a_spell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.presenters.vpcd.UNANSWERED_S", 0.2)
    told: list[float] = []
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        presenter = VpcdPresenter(
            ToyCard, port=closed.getsockname()[1], settle_s=0, unanswered=lambda: told.append(time.monotonic())
        )
        thread = threading.Thread(target=presenter.run)
        began = time.monotonic()
        thread.start()
        assert wait_until(lambda: bool(told))
        time.sleep(0.6)
        presenter.stop()
        thread.join()
    assert len(told) == 1
    assert told[0] - began >= 0.2


@pytest.mark.parametrize("garbage", [b"\0\0\0\x01\xff", b"\0\0\0\x02\x18", b"\xff\xff\xff\xff", b"\0\0\0\0", b"\0"])
def test_garbage_on_the_control_channel_does_no_harm(control: Control, garbage: bytes) -> None:
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(control.path))
        client.sendall(garbage)
        assert control.status()["inserted"] is False


def test_control_of_nobody_is_a_link_error(tmp_path: Path) -> None:
    with pytest.raises(LinkError, match="no presenter answers"):
        Control(tmp_path / "none.sock").status()
