"""A map of QR weaknesses in a run's directory: its section and figure of the report, in both languages; nothing without one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench.maps.qr.table import Cell, Table, to_json
from bench.maps.qr.weaknesses import WEAKNESSES as SPOILED
from reports import gallery
from reports.catalogue import Catalogue, ReportError, catalogue
from reports.picture import Styles
from reports.qr_map import FILE_NAME, KINDS, WEAKNESSES
from reports.run import Run
from reports.sections import qr_map

from .sample_run import Sample, write_sample


def point(weakness: str, strength: float, read: int, *, kind: str = "card", misread: int = 0) -> Cell:
    return Cell(kind=kind, characters=754, version=18, level="M", weakness=weakness, strength=strength, unit="u", trials=10,
                read=read, misread=misread, failed=1 - read / 10, failed_low=0, failed_high=1, read_ms_p50=5, read_ms_p95=9)


POINTS = (point("blur", 0, 10), point("blur", 0.5, 4), point("blur", 0.7, 0), point("tilt", 0, 10), point("tilt", 45, 10))


@pytest.fixture(scope="module")
def run_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_sample(tmp_path_factory.mktemp("sample") / "run", Sample(visits=2, replications=1))


def with_map(directory: Path, *points: Cell) -> Path:
    (directory / FILE_NAME).write_bytes(to_json(Table(seed=1, reader="r", versions={}, cells=points)))
    return directory


@pytest.mark.parametrize("language, says", [("en", "50 pictures of spoiled codes"), ("zh-TW", "50 張劣化的 QR 碼圖片")])
def test_map_has_its_section_and_figure(run_directory: Path, language: str, says: str) -> None:
    with Run(with_map(run_directory, *POINTS), catalogue(language)) as run:
        made = qr_map.make(run)
        (figure,) = (f for f in gallery.found() if f.section == qr_map.NAME)
        hung = gallery.hang(figure, run, Styles())
    assert says in made.finding and made.mood == "" and len(made.blocks) == 1
    assert "<svg" in hung.wide and "<svg" in hung.narrow and "1" in hung.finding


def test_misread_is_an_alarm(run_directory: Path) -> None:
    with Run(with_map(run_directory, point("glare", 0.5, 0, misread=1)), Catalogue()) as run:
        made = qr_map.make(run)
    assert made.mood == "bad" and "1 gave a text that nobody showed" in made.finding


@pytest.mark.parametrize("content", ["{}", "[", json.dumps({"cells": [{"kind": "card"}]})])
def test_damaged_map_is_named(run_directory: Path, content: str) -> None:
    (run_directory / FILE_NAME).write_text(content)
    with Run(run_directory, Catalogue()) as run, pytest.raises(ReportError, match=FILE_NAME):
        qr_map.make(run)


def test_run_without_a_map_says_nothing(run_directory: Path) -> None:
    (run_directory / FILE_NAME).unlink(missing_ok=True)
    with Run(run_directory, Catalogue()) as run:
        assert qr_map.make(run).blocks == []


def test_report_knows_all_that_the_map_can_say() -> None:
    from bench.maps.qr.codes import KINDS as SHOWN

    assert set(WEAKNESSES) == {w.name for w in SPOILED} and set(KINDS) == set(SHOWN)
