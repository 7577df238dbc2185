"""The segments of presentations in the report: a table and a figure, in both languages; nothing where nobody presents."""

from __future__ import annotations

import json
from collections.abc import Iterator
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


def session(number: int, *, broken: bool = False) -> Iterator[Row]:
    """A presentation over NFC: its second command is the last of its request."""
    at_ns = EXCHANGE.at_ns + number * 60_000 * MS
    yield ActRow(0, "v0", f"s{number}", "holder", "open the wallet", at_ns - 5000 * MS, 5000 * MS)
    for place, (step, ms) in enumerate(STEPS):
        request = b"\x10\xc3\x00\x00" if place == 2 else b"\x00\xc3\x00\x00"
        gone = broken and place == 3
        yield replace(
            EXCHANGE, session=f"s{number}", role="wallet", channel="nfc", step=step, at_ns=at_ns, duration_ns=ms * MS,
            request=request, outcome="gone" if gone else "replied", reply_bytes=-1 if gone else 2,
        )
        at_ns += ms * MS
        if gone:
            return


@pytest.fixture(scope="module")
def presented(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = write_sample(tmp_path_factory.mktemp("sample") / "like", Sample(visits=4))
    manifest = json.loads((directory / "manifest.json").read_bytes())
    manifest.pop("schema")
    run = directory.parent / "run"
    with Recorder(run, manifest) as recorder:
        for number in range(3):
            for row in session(number, broken=number == 2):
                recorder.record(row)
        recorder.record(LedgerRow(0, "law", 1, 1, holds=True))
    return run


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
