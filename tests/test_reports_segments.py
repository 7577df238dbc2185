"""The segments of presentations in the report: a table and a figure, in both languages; nothing where nobody presents."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from bench.record import Recorder
from reports import gallery
from reports.catalogue import Catalogue, catalogue
from reports.picture import Styles
from reports.run import Run
from reports.sections import segments
from reports.segments import by_segment, found
from virtual_devices.segments import Segment
from virtual_devices.trace import ActRow, LedgerRow, Row

from .run_directories import EXCHANGE
from .sample_run import Sample, write_sample

ASKED = "present virtual card"
STEPS = (("find phone", 400), ("engage by NFC", 90), (ASKED, 30), (ASKED, 60), ("end session", 10))
MS = 1_000_000


def session(number: int, *, broken: bool = False, measured: bool = False) -> Iterator[Row]:
    """A presentation over NFC: its second command is the last of its request. ``measured``: of a real phone, the SAM is ours."""
    at_ns = EXCHANGE.at_ns + number * 60_000 * MS
    yield ActRow(0, "v0", f"s{number}", "holder", "open the wallet", at_ns - 5000 * MS, 5000 * MS)
    for place, (step, ms) in enumerate(STEPS):
        request = b"\x10\xc3\x00\x00" if place == 2 else b"\x00\xc3\x00\x00"
        gone = broken and place == 3
        yield replace(
            EXCHANGE, session=f"s{number}", role="wallet", channel="nfc", step=step, at_ns=at_ns, duration_ns=ms * MS,
            request=request, outcome="gone" if gone else "replied", reply_bytes=-1 if gone else 2,
            **({"device": "nfc:usb", "provenance": "measured"} if measured else {}),
        )
        at_ns += ms * MS
        if gone:
            return


def written(folder: Path, rows: Iterable[Row]) -> Path:
    directory = write_sample(folder / "like", Sample(visits=4))
    manifest = json.loads((directory / "manifest.json").read_bytes())
    manifest.pop("schema")
    run = directory.parent / "run"
    with Recorder(run, manifest) as recorder:
        for row in (*rows, LedgerRow(0, "law", 1, 1, holds=True)):
            recorder.record(row)
    return run


@pytest.fixture(scope="module")
def presented(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rows = (row for number in range(3) for row in session(number, broken=number == 2))
    return written(tmp_path_factory.mktemp("sample"), rows)


def test_what_our_own_chips_and_people_take_is_never_called_measured(tmp_path: Path) -> None:
    rows = list(session(0, measured=True))
    signing = replace(EXCHANGE, session="s0", role="sam", step="sign request", at_ns=rows[1].at_ns + 1, duration_ns=300 * MS)
    with Run(written(tmp_path, [*rows, signing]), Catalogue()) as run:
        told = {t.segment: (t.device, t.provenance) for t in by_segment(run)}
        (one,) = found(run)
    assert told[Segment.SIGNED] == told[Segment.HUMAN] == ("virtual", "modelled")
    assert {told[segment] for segment in told.keys() - {Segment.SIGNED, Segment.HUMAN}} == {("nfc:usb", "measured")}
    assert one.ns[Segment.SIGNED] == 300 * MS


def test_segments_are_told_for_whole_presentations_only(presented: Path) -> None:
    with Run(presented, Catalogue()) as run:
        assert len(found(run)) == 2
        times = {t.segment: (t.p50.value, t.p50.n) for t in by_segment(run)}
    assert times == {
        Segment.FOUND: (400 * MS, 2), Segment.ENGAGED: (90 * MS, 2), Segment.REQUEST: (30 * MS, 2),
        Segment.RESPONSE: (60 * MS, 2), Segment.CLOSED: (10 * MS, 2), Segment.HUMAN: (5000 * MS, 2),
    }


@pytest.mark.parametrize(
    ("language", "title", "says"), [("en", "What a presentation's time goes into", "device found"),
                                    ("zh-TW", "出示一次的時間用在哪裡", "找到裝置")],
)
def test_report_has_section_and_figure(presented: Path, language: str, title: str, says: str) -> None:
    with Run(presented, catalogue(language)) as run:
        made = segments.make(run)
        (figure,) = [f for f in gallery.found() if f.section == made.name]
        hung = gallery.hang(figure, run, Styles())
    assert made.title == title and says in made.finding and len(made.blocks) == 1
    assert "<svg" in str(hung)


def test_run_without_presentations_has_no_segments(tmp_path: Path) -> None:
    with Run(write_sample(tmp_path / "run", Sample(visits=4)), Catalogue()) as run:
        assert found(run) == []
        assert segments.make(run).blocks == []
