"""Our phone's codes before cameras: pictures in a folder, and the same flow over pictures as within one process."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from bench.drivers.qr import WORKER
from bench.presenters import qr
from bench.presenters.serve import Rows
from bench.watch import EventKind, Watcher
from bench.watch_qr import QrSource
from bench.worker import Worker
from virtual_devices.clock import NS, VirtualClock
from virtual_devices.errors import UsageError
from virtual_devices.flow import Exchange, Flow, Session, run
from virtual_devices.link import Attempt, DirectLink, Link, Outcome
from virtual_devices.qr.challenge import new_challenge
from virtual_devices.qr.check import Verdict
from virtual_devices.qr.parts import Collector, split
from virtual_devices.randomness import ByteStream
from virtual_devices.reader.presentation import Counter, Medium
from virtual_devices.reader.wallet_visit import register_wallet
from virtual_devices.trace import ExchangeRow, Row
from virtual_devices.wallet.faces import SCAN, Screen

from .desk import NOW_NS
from .qr_desk import READER, Phone, prescribed, reader
from .qr_pictures import pictures_in
from .wallets import WalletBench


@pytest.fixture(scope="module")
def worker() -> Iterator[Worker]:
    with Worker(WORKER) as shared:
        yield shared


def scanned(texts: int = 1) -> Flow[list[str]]:
    """A reader that scans what is shown."""
    found = []
    for _ in range(texts):
        attempt: Attempt = yield Exchange("screen", SCAN, 10.0, "scan QR code")
        assert attempt.reply is not None, attempt
        found.append(attempt.reply.decode())
    return found


def checked(link: Link, *, asked: bool) -> tuple[str, Verdict, list[Row]]:
    """A code is scanned over that link and checked, with or without the reader's challenge."""
    rows: list[Row] = []
    challenge = new_challenge(READER, ByteStream("tests", "asked")) if asked else None
    session = Session({"screen": link}, VirtualClock(NOW_NS), record=rows.append)
    (text,) = run(scanned(), session)
    return text, reader().check(text, NOW_NS, challenge), rows


@pytest.mark.parametrize("asked", [False, True], ids=["for anybody", "for this reader"])
def test_card_s_code_is_the_same_and_believed_over_pictures_as_within_the_process(
    asked: bool, worker: Worker, tmp_path: Path,
) -> None:
    challenge = new_challenge(READER, ByteStream("tests", "asked")) if asked else None
    shown, screen = Phone().show(challenge=challenge), Screen()
    screen.text = shown
    within = checked(DirectLink(screen, VirtualClock(NOW_NS), channel="qr"), asked=asked)
    with pictures_in(tmp_path / "camera", worker) as (pictures, scanner):
        pictures.text = shown
        over = checked(scanner, asked=asked)
    assert within[0] == over[0] == shown and within[1].believed and within[1] == over[1]
    assert [_said(row) for row in within[2]] == [_said(row) for row in over[2]]
    (row,) = over[2]
    assert isinstance(row, ExchangeRow) and (row.channel, row.provenance) == ("qr", "measured") and row.duration_ns > 0


def _said(row: Row) -> Row:
    assert isinstance(row, ExchangeRow)
    return replace(row, device="", provenance="", duration_ns=0)


def test_parts_of_a_prescription_are_put_together_over_pictures(worker: Worker, tmp_path: Path) -> None:
    whole, collector = prescribed(), Collector()
    parts = split(whole, ByteStream("tests", "parts"), 300)
    shown = qr.Showing(lambda _now_ns: parts, 60.0)
    with pictures_in(tmp_path / "camera", worker) as (pictures, scanner):
        for turn in range(len(parts)):
            pictures.text = shown.handle(SCAN, NOW_NS + turn).decode()
            collector.add(run(scanned(), Session({"screen": scanner}, VirtualClock(NOW_NS)))[0])
    assert collector.whole == whole and shown.stays_s == qr.DWELL_S


def test_presentation_engaged_by_a_picture_has_the_same_messages(worker: Worker, tmp_path: Path) -> None:
    told = []
    for over_pictures in (False, True):
        bench = WalletBench(counter=Counter(Medium.QR_BLE))
        bench.ready()
        with pictures_in(tmp_path / str(over_pictures), worker) as (pictures, scanner):
            if over_pictures:
                bench.screen = pictures
            links = {"screen": scanner} if over_pictures else {}
            visit = bench.run(register_wallet(bench.desk, bench.counter, bench.request("visit")), **links)
        exchanges = [row for row in bench.rows if isinstance(row, ExchangeRow) and row.role in ("screen", "wallet")]
        said = [(r.role, r.step, len(r.request), len(r.reply), r.outcome) for r in exchanges]  # a new credential has new salts
        told.append((visit.sequence, visit.person.card_no, visit.person.name, exchanges[0].reply, said))
    assert told[0] == told[1] and told[1][-1][0][0] == "screen"


def test_screen_that_goes_dark_shows_nothing(worker: Worker, tmp_path: Path) -> None:
    with pictures_in(tmp_path / "camera", worker) as (pictures, scanner):
        pictures.text = Phone().show()
        pictures.power_off()
        assert scanner.attempt(SCAN, 0.1).outcome is Outcome.TIMED_OUT and not list((tmp_path / "camera").iterdir())


def test_folder_goes_on_where_it_ended_and_keeps_the_last_few(tmp_path: Path) -> None:
    for _ in range(2):
        folder = qr.Folder(tmp_path)
        for number in range(qr.KEPT):
            folder.put(f"VHC1:{number}")
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        f"code-{n:06}.png" for n in range(qr.KEPT + 1, 2 * qr.KEPT + 1)
    ]
    with pytest.raises(UsageError, match="cannot be written"):
        qr.Folder(tmp_path / "nowhere").put("VHC1:0")


def test_presenter_renews_codes_and_leaves_rows_until_it_is_stopped() -> None:
    clock, seen, rows = VirtualClock(NOW_NS), [], []

    def wait(duration_s: float) -> None:
        clock.advance_to(clock.now_ns() + round(duration_s * NS))
        if len(seen) == 3:
            presenter.stop()

    def source(now_ns: int) -> list[str]:
        return [f"VHC1:{(now_ns - NOW_NS) // NS}"]

    presenter = qr.QrPresenter(source, 20.0, seen.append, rows=Rows(rows.append, role="screen"), clock=clock, wait=wait)
    presenter.run()
    assert seen == ["VHC1:0", "VHC1:20", "VHC1:40"]
    assert all(isinstance(row, ExchangeRow) for row in rows)
    assert [(r.request, r.reply.decode(), r.channel, r.provenance, r.role) for r in rows] == [
        (SCAN, text, "qr", "presented", "screen") for text in seen
    ]


def test_presenter_is_stopped_from_another_thread() -> None:
    shown = threading.Event()
    presenter = qr.QrPresenter(lambda _: ["VHC1:A"], 3600.0, lambda _: shown.set())
    thread = threading.Thread(target=presenter.run)
    thread.start()
    assert shown.wait(10.0)
    presenter.stop()
    thread.join(10.0)
    assert not thread.is_alive()


def test_folder_of_a_camera_appears_and_vanishes(tmp_path: Path) -> None:
    path = tmp_path / "camera"
    source = QrSource(str(path))
    with Watcher([source]) as watcher:
        path.mkdir()
        (came,) = watcher.poll(10.0)
        path.rmdir()
        (went,) = watcher.poll(10.0)
        assert (came.kind, came.moniker, came.detail) == (EventKind.APPEARED, f"qr:{path}", "folder")
        assert went.kind is EventKind.VANISHED and came.at_ns < went.at_ns
    assert source.worker_pid is None
