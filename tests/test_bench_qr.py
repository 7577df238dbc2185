"""``qr:PATH``: codes in pictures and in folders of them, through zxing-cpp in its worker process."""

from __future__ import annotations

import io
import os
import struct
import threading
import time
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest
import segno
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from bench.drivers import RealLink, qr
from bench.worker import Worker
from conformance.vectors import pictures
from virtual_devices.errors import LinkError, UsageError
from virtual_devices.link import Attempt, Outcome, Provenance
from virtual_devices.qr.parts import Added, Collector, split
from virtual_devices.qr.text import CARD, PRESCRIPTION, pack
from virtual_devices.randomness import ByteStream
from virtual_devices.wallet.faces import SCAN

TEXT, OTHER = pack(CARD, b"one card"), pack(CARD, b"another card")
SMALL = pictures.png(TEXT)
NEVER_S = 0.12


@pytest.fixture(scope="module")
def worker() -> Iterator[Worker]:
    """One process for all tests: a link of its own for each costs 0.2 s."""
    with Worker(qr.WORKER) as shared:
        yield shared


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "camera"
    made.mkdir()
    return made


def linked(worker: Worker, path: Path) -> qr.QrLink:
    link = qr.QrLink(str(path), worker)
    assert link.connect(0.0).reply == b"", link.last_error
    return link


def scan(link: qr.QrLink, timeout_s: float = 5.0) -> str:
    attempt = link.attempt(SCAN, timeout_s)
    assert attempt.outcome is Outcome.REPLIED and attempt.reply is not None, (attempt, link.last_error)
    return attempt.reply.decode()


def refused(link: qr.QrLink, timeout_s: float = NEVER_S) -> tuple[Outcome, str]:
    attempt = link.attempt(SCAN, timeout_s)
    assert attempt.reply is None
    assert link.attempt(SCAN, timeout_s) == Attempt(Outcome.GONE, 0)  # until it is connected again
    return attempt.outcome, link.last_error


def put(path: Path, content: bytes) -> None:
    """As a good camera does: in one step."""
    beside = path.with_name(f".{path.name}")
    beside.write_bytes(content)
    beside.replace(path)


def side_by_side(*texts: str) -> Image.Image:
    shown = [Image.open(io.BytesIO(pictures.png(text))).convert("L") for text in texts]
    sheet = Image.new("L", (sum(p.width for p in shown), max(p.height for p in shown)), 255)
    for number, picture in enumerate(shown):
        sheet.paste(picture, (sum(p.width for p in shown[:number]), 0))
    return sheet


def test_link_is_opened_by_its_moniker_and_is_a_real_one(tmp_path: Path) -> None:
    put(tmp_path / "code.png", pictures.png(TEXT))
    with qr.open(str(tmp_path / "code.png")) as link:
        real: RealLink = link
        assert (real.channel, real.provenance) == ("qr", Provenance.MEASURED) and real.device.startswith("qr:/")
        assert link.attempt(SCAN, 1.0).outcome is Outcome.GONE and link.worker_pid
        assert link.connect(1.0).reply == b"" and link.attempt(b"", 1.0).reply == b""
        attempt = link.attempt(SCAN, 5.0)
        assert attempt.reply == TEXT.encode() and 0 < attempt.duration_ns < 5 * 10**9 and not link.last_error
    assert link.worker_pid is None and qr.discover() == []


@pytest.mark.parametrize("spec, error", [("", UsageError), ("/dev/null", LinkError)])
def test_moniker_of_nothing_is_refused_with_the_remedy(spec: str, error: type[Exception]) -> None:
    with pytest.raises(error, match="picture"):
        qr.open(spec)


def test_picture_is_read_as_it_stands_again_and_again(worker: Worker, tmp_path: Path) -> None:
    path = tmp_path / "screen.png"
    put(path, pictures.png(TEXT))
    link = linked(worker, path)
    assert [scan(link), scan(link)] == [TEXT, TEXT]
    put(path, pictures.png(OTHER))
    assert scan(link) == OTHER


def test_folder_gives_the_newest_picture_once(worker: Worker, folder: Path) -> None:
    for number, text in enumerate([OTHER, TEXT]):
        put(folder / f"{9 - number}.png", pictures.png(text))
        os.utime(folder / f"{9 - number}.png", ns=(0, 10**18 + number))
    link = linked(worker, folder)
    assert scan(link) == TEXT
    outcome, why = refused(link)
    assert outcome is Outcome.TIMED_OUT and "no new picture" in why
    assert link.connect(0.0).reply == b""
    put(folder / "0.png", pictures.png(OTHER))
    assert scan(link) == OTHER
    assert refused(link)[0] is Outcome.TIMED_OUT


def test_worker_that_dies_does_not_make_old_pictures_new(folder: Path) -> None:
    put(folder / "a.png", pictures.png(TEXT))
    with Worker(qr.WORKER) as own:
        link = linked(own, folder)
        assert scan(link) == TEXT
        own.kill()
        assert link.connect(1.0).reply == b""
        assert refused(link)[0] is Outcome.TIMED_OUT
        put(folder / "b.png", pictures.png(OTHER))
        assert link.connect(1.0).reply == b"" and scan(link) == OTHER


def test_picture_that_is_being_written_is_waited_for(worker: Worker, folder: Path) -> None:
    content, path = pictures.png(TEXT), folder / "slow.png"
    path.write_bytes(content[: len(content) // 2])

    def rest() -> None:
        time.sleep(0.15)
        with path.open("ab") as file:
            file.write(content[len(content) // 2 :])

    writer = threading.Thread(target=rest)
    writer.start()
    assert scan(linked(worker, folder)) == TEXT
    writer.join()


def test_damaged_picture_is_garbled_and_the_next_one_is_read(worker: Worker, folder: Path) -> None:
    content = pictures.png(TEXT)
    put(folder / "a.png", content[: len(content) // 2])
    link = linked(worker, folder)
    outcome, why = refused(link, 5.0)
    assert outcome is Outcome.GARBLED and "a.png" in why and "take another" in why
    put(folder / "b.png", content)
    assert link.connect(0.0).reply == b"" and scan(link) == TEXT


def bomb(side: int) -> bytes:
    """A PNG of a few bytes that says it is a square of that many white pixels."""
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)) + chunk(
        b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")


@pytest.mark.parametrize("content, why", [
    (bomb(60_000), "60000 x 60000 pixels"), (b"GIF89a" + bytes(50), "no whole picture"), (b"", "no whole picture"),
    (b"\x89PNG\r\n\x1a\n" + bytes(40), "no whole picture"),
])
def test_hostile_picture_is_refused_before_it_is_unpacked(worker: Worker, tmp_path: Path, content: bytes, why: str) -> None:
    path = tmp_path / "hostile.png"
    path.write_bytes(content)
    outcome, said = refused(linked(worker, path), 5.0)
    assert outcome is Outcome.GARBLED and why in said


@given(st.data())
def test_spoiled_picture_is_a_picture_or_unreadable_and_never_another_code(data: st.DataObject) -> None:
    """In this process: what raises here would end the scan of a stranger's picture with a worker's failure."""
    from bench.drivers import _qr_worker

    content = bytearray(SMALL)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(content) - 1))
        content[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    try:
        texts = _qr_worker.codes(_qr_worker.unpacked(bytes(content)))
    except _qr_worker.Unreadable:
        return
    assert set(texts) <= {TEXT}


def test_picture_that_is_too_long_is_not_read(worker: Worker, tmp_path: Path) -> None:
    path = tmp_path / "long.png"
    with path.open("wb") as file:
        file.truncate(qr.MAX_FILE_BYTES + 1)
    outcome, said = refused(linked(worker, path), 5.0)
    assert outcome is Outcome.GARBLED and str(qr.MAX_FILE_BYTES) in said


def test_links_pipes_hidden_files_and_other_names_of_a_folder_are_not_opened(
    worker: Worker, folder: Path, tmp_path: Path,
) -> None:
    put(tmp_path / "secret.png", pictures.png(TEXT))
    (folder / "link.png").symlink_to(tmp_path / "secret.png")
    os.mkfifo(folder / "pipe.png")
    for name in (".hidden.png", "code.png.part", "code.svg"):
        (folder / name).write_bytes(pictures.png(TEXT))
    assert refused(linked(worker, folder))[0] is Outcome.TIMED_OUT


def test_codes_of_others_are_seen_and_not_answered(worker: Worker, tmp_path: Path) -> None:
    foreign = "https://shop.example/offer"
    path = tmp_path / "counter.png"
    side_by_side(foreign, TEXT).save(path)
    link = linked(worker, path)
    assert scan(link) == TEXT and sorted(link.found) == sorted([foreign, TEXT])
    side_by_side(foreign).save(path)
    outcome, why = refused(link)
    assert outcome is Outcome.TIMED_OUT and "codes of others" in why and "shop" not in why


def test_micro_codes_are_not_read_because_they_are_seen_in_ruins_of_others(worker: Worker, tmp_path: Path) -> None:
    path = tmp_path / "micro.png"
    segno.make_micro("8330").save(str(path), scale=6)
    outcome, why = refused(linked(worker, path))
    assert outcome is Outcome.TIMED_OUT and "no code could be read" in why


def test_codes_of_two_people_in_one_picture_are_nobodys(worker: Worker, tmp_path: Path) -> None:
    path = tmp_path / "two.png"
    side_by_side(TEXT, OTHER).save(path)
    outcome, why = refused(linked(worker, path), 5.0)
    assert outcome is Outcome.GARBLED and "one at a time" in why


@pytest.mark.parametrize("sheet", [True, False], ids=["all in one picture", "a picture each"])
def test_parts_are_answered_one_after_another(worker: Worker, folder: Path, sheet: bool) -> None:
    whole = pack(PRESCRIPTION, ByteStream("tests", "content")(500))
    parts = split(whole, ByteStream("tests", "parts"), 300)
    assert len(parts) > 2
    if sheet:
        side_by_side(*parts).save(folder / "sheet.png")
    else:
        for number, text in enumerate(parts):
            put(folder / f"rx-{number}.png", pictures.png(text))
    link, collector = linked(worker, folder), Collector()
    added = [collector.add(scan(link)) for _ in parts]
    assert added[-1] is Added.COMPLETE and collector.whole == whole


def test_path_that_goes_away_is_gone_and_is_waited_for(worker: Worker, folder: Path) -> None:
    link = linked(worker, folder)
    folder.rmdir()
    outcome, why = refused(link)
    assert outcome is Outcome.GONE and str(folder) in why
    attempt = link.connect(0.05)
    assert attempt.outcome is Outcome.GONE and "make it" in link.last_error
    threading.Timer(0.1, folder.mkdir).start()
    assert link.connect(5.0).reply == b"" and not link.last_error


def test_what_is_no_scan_meets_silence(worker: Worker, folder: Path) -> None:
    link = linked(worker, folder)
    assert link.attempt(b"\x00\xa4\x04\x00", 1.0).outcome is Outcome.TIMED_OUT and "scan" in link.last_error


@pytest.mark.parametrize("text, scheme", [
    (TEXT, "VHC1:"), ("VHT0a-_", "VHT"), ("mdoc:owBj", "mdoc:"), ("VHR1:AB", "VHR1:"), ("VHM1:AB", "VHM1:"),
])
def test_schemes_are_told_by_how_a_text_begins(text: str, scheme: str) -> None:
    assert qr.ours(text) and qr.kind_of(text) == scheme
    assert not qr.ours(f" {text}") and not qr.ours(f"{text}\N{SNOWMAN}")
