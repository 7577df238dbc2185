"""What every presenter promises, over every medium of the table in ``media``: rows, the control channel, nothing left behind."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from bench.presenters.control import Lease, discover
from bench.presenters.control_server import ControlServer
from virtual_devices.errors import LinkError, PeerError
from virtual_devices.link import Outcome, Provenance

from . import test_bench_drivers_contract as drivers
from .media import Stand
from .processes import children, open_files, wait_until
from .test_bench_drivers_contract import awake, connected, over
from .toy_card import READ, SILENCE, update
from .virtual_readers import LIMIT_S, ready

stand, patient = drivers.stand, drivers.patient


@over("presented")
def test_each_request_is_a_row_with_the_peer_s_turnaround(stand: Stand) -> None:
    with connected(stand) as link:
        asked = [READ, update(b"toy"), READ]
        for command in asked:
            assert link.attempt(command, LIMIT_S).outcome is Outcome.REPLIED
        written = stand.shown.rows  # a row is written when its answer has left
        assert wait_until(lambda: [row.request for row in written[-3:]] == asked, LIMIT_S)
        rows = written[-3:]
    assert [row.reply for row in rows] == [b"toy\x90\x00", b"\x90\x00", b"toy\x90\x00"]
    assert {(row.provenance, row.outcome) for row in rows} == {(Provenance.PRESENTED.value, "replied")}
    assert all(row.duration_ns > 0 and row.device and row.channel in ("contact", "nfc", "ble") for row in rows)


@over("silence", "presented")
def test_answer_that_the_device_does_not_give_is_a_row_without_one(stand: Stand) -> None:
    with connected(stand) as link:
        stand.shown.rows.clear()
        link.attempt(SILENCE, 0.3)
        assert wait_until(lambda: SILENCE in {row.request for row in stand.shown.rows})
        (row,) = [row for row in stand.shown.rows if row.request == SILENCE]
        assert (row.outcome, row.reply, row.reply_bytes) == ("reply_lost", b"", -1)
        awake(stand, link)


@over("presented")
def test_control_channel_says_what_is_there_and_exchanges_it(stand: Stand) -> None:
    with connected(stand):
        status = stand.shown.control.status()
        assert (status["inserted"], status["connected"], status["card_no"]) == (True, True, "1")
    assert stand.shown.control.eject() == b"toy"
    assert stand.shown.control.status()["inserted"] is False and stand.shown.control.status()["card_no"] == ""
    with pytest.raises(PeerError, match="empty"):
        stand.shown.control.eject()
    with pytest.raises(PeerError, match="card number"):
        stand.shown.control.insert(b"x", "../1")
    stand.insert(b"other", "2")
    with connected(stand) as link:
        assert link.attempt(READ, LIMIT_S).reply == b"other\x90\x00"
    stand.insert()


@over("presented")
def test_lent_presenter_has_its_own_device_again_when_the_lease_ends(stand: Stand) -> None:
    path, own = stand.shown.control.path, stand.card
    lease = Lease(path)
    assert (lease.image, lease.card_no) == (b"toy", "1")
    for _ in range(2):
        lease.insert(b"lent", "2")
        with connected(stand) as link:
            assert link.attempt(READ, LIMIT_S).reply == b"lent\x90\x00"
        for ask in (lambda: stand.insert(), stand.shown.control.eject, lambda: Lease(path)):
            with pytest.raises(PeerError, match="lent to somebody"):
                ask()
    assert stand.shown.control.status()["card_no"] == "2"
    lease.close()
    assert stand.shown.control.status()["card_no"] == "1"
    assert [info.last_image("2") for info in discover(path.parent)] == [None]
    with connected(stand) as link:
        assert link.attempt(READ, LIMIT_S).reply == b"toy\x90\x00"
    assert own.powered, "the very device that was in before"


LESSEE = """
import sys, time
from bench.presenters.control import Lease
lease = Lease(sys.argv[1])
lease.insert(b"lent", "2")
print("lent", flush=True)
time.sleep(600)
"""


@over("presented")
def test_lease_ends_with_its_process(stand: Stand) -> None:
    path = stand.shown.control.path
    with subprocess.Popen([sys.executable, "-c", LESSEE, str(path)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"lent\n"
        assert stand.shown.control.status()["card_no"] == "2"
        process.kill()
    assert wait_until(lambda: stand.shown.control.status()["card_no"] == "1")
    with connected(stand) as link:
        assert link.attempt(READ, LIMIT_S).reply == b"toy\x90\x00"


@over("presented")
def test_name_of_a_presenter_that_runs_is_refused(stand: Stand) -> None:
    folder = stand.shown.control.path.parent
    assert [info.path.stem for info in discover(folder)] == ["stand"]
    with pytest.raises(LinkError):
        stand.shown.presenter(ControlServer("stand", folder)).run()
    with connected(stand) as link:  # the one that runs has not noticed
        assert link.attempt(READ, LIMIT_S).outcome is Outcome.REPLIED


@over("killed peer", "presented")
def test_killed_presenter_leaves_the_device_as_its_last_commit_left_it(stand: Stand, tmp_path: Path) -> None:
    with stand.shown.peer(tmp_path) as process, stand.shown.open_to_peer() as link:
        control = ready(tmp_path)
        control.insert(b"old", "1")
        (info,) = discover(tmp_path)
        assert info.pid == process.pid
        awake(stand, link)
        assert link.attempt(update(b"new"), LIMIT_S).outcome is Outcome.REPLIED
        process.kill()
        process.wait()
        assert info.last_image("1") == b"new" and discover(tmp_path) == []


@over("killed peer", "presented")
def test_stopped_presenter_leaves_nothing_and_may_be_started_again(stand: Stand, tmp_path: Path) -> None:
    """Beside the one of the stand it has no place of its own: it is stopped while it looks for one, or refuses."""
    files, processes, threads = open_files(), children(), threading.active_count()
    for _ in range(2):
        try:
            other = stand.shown.presenter(ControlServer("other", tmp_path))
        except LinkError:  # the medium says at once that the place is taken
            continue
        thread = threading.Thread(target=other.run)
        thread.start()
        ready(tmp_path, "other")
        other.stop()
        thread.join(LIMIT_S)
        assert not thread.is_alive()
    assert wait_until(lambda: open_files() <= files), "a connection of before may still have been open then"
    assert (children(), threading.active_count()) == (processes, threads)
    assert not list(tmp_path.glob("*.sock"))
