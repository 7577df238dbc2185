"""Maps of the media's weaknesses in a run's directory: section and figure of the report, in both languages."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from bench.maps.ble import table as ble_table
from bench.maps.ble.trials import WEAKNESSES as AIRS
from bench.maps.nfc import table as nfc_table
from bench.maps.nfc.trials import MEASURED, MODELLED
from bench.maps.qr import table as qr_table
from bench.maps.qr.codes import KINDS as CODES
from bench.maps.qr.weaknesses import WEAKNESSES as SPOILED
from reports import ble_map, gallery, nfc_map, qr_map
from reports.catalogue import Catalogue, ReportError, catalogue
from reports.picture import Styles
from reports.run import Run
from reports.sections import ble_map as ble_section
from reports.sections import nfc_map as nfc_section
from reports.sections import qr_map as qr_section
from virtual_devices.sensing import Holding

from .sample_run import Sample, write_sample


def code(weakness: str, strength: float, read: int, *, kind: str = "card", misread: int = 0) -> qr_table.Cell:
    return qr_table.Cell(
        kind=kind, characters=754, version=18, level="M", weakness=weakness, strength=strength, unit="u", trials=10, read=read,
        misread=misread, failed=1 - read / 10, failed_low=0, failed_high=1, read_ms_p50=5, read_ms_p95=9,
    )


def tap(holding: str, strength: float, first: int, taps: int, how: str = MODELLED) -> nfc_table.Line:
    return nfc_table.Line(
        holding=holding, strength=strength, how=how, presentations=10, done=10, at_first_tap=first, taps=taps,
        failed=1 - first / 10, failed_low=0, failed_high=1, device_ms_p50=1700 + 900 * strength, device_ms_p95=9_000,
        first_ms_p50=1700,
    )


def air(weakness: str, strength: float, done: int, mode: str = "peripheral") -> ble_table.Cell:
    times = dict.fromkeys(("connect_ms_p50", "connect_ms_p95", "exchange_ms_p50", "exchange_ms_p95"), 1250.0 if done else None)
    return ble_table.Cell(
        mode=mode, weakness=weakness, strength=strength, unit="u", trials=10, done=done, not_connected=10 - done, broken=0,
        too_slow=0, first_try=done / 10, first_try_low=0, first_try_high=1, **times,
    )


def of_codes(*points: Any) -> bytes:
    return qr_table.to_json(qr_table.Table(seed=1, reader="r", versions={}, cells=points))


def of_taps(*points: Any) -> bytes:
    return nfc_table.to_json(nfc_table.Table(seed=1, lines=points))


def of_air(*points: Any) -> bytes:
    return ble_table.to_json(ble_table.Table(seed=1, versions={}, cells=points))


@dataclass(frozen=True)
class Map:
    """One medium's. ``says``: of the points, in English and Chinese; ``row``: of the section's table."""

    section: ModuleType
    write: Callable[..., bytes]
    points: tuple[Any, ...]
    says: tuple[str, str]
    row: list[str]


MAPS = {
    "qr": Map(
        qr_section, of_codes,
        (code("blur", 0, 10), code("blur", 0.5, 4), code("blur", 0.7, 0), code("tilt", 0, 10), code("tilt", 45, 10)),
        ("50 pictures of spoiled codes", "50 張劣化的 QR 碼圖片"), ["Blur", "Card", "18-M", "0", "0.7", "modules", "10"],
    ),
    "nfc": Map(
        nfc_section, of_taps,
        (tap("case", 0, 10, 10), tap("case", 0.4, 10, 10), tap("case", 1, 3, 25), tap("case", 1, 2, 27, MEASURED)),
        ("Of 40 presentations with a phone held badly, 25 were done at the first tap and 40 in the end",
         "40 次感應不良的出示中，25 次"),
        ["A case, or metal between", "modelled", "0.4", "1", "30 %", "2.5", "1.7", "2.6"],
    ),
    "ble": Map(
        ble_section, of_air,
        (air("lost", 0, 10), air("lost", 0.2, 7), air("lost", 0.8, 0), air("cut", 0, 10, "central"),
         air("cut", 0.01, 1, "central")),
        ("Of 50 presentations over bad air, 28 were had at the first try", "50 次無線環境不良的出示中，28 次"),
        ["Packets repeated", "peripheral server", "0", "0.8", "share of packets", "2.5", "2.5", "0.2"],
    ),
}
EACH = pytest.mark.parametrize("medium", MAPS)


@pytest.fixture(scope="module")
def run_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_sample(tmp_path_factory.mktemp("sample") / "run", Sample(visits=2, replications=1))


def with_map(directory: Path, medium: str, *points: Any) -> Path:
    (directory / f"{medium}-map.json").write_bytes(MAPS[medium].write(*points))
    return directory


@EACH
@pytest.mark.parametrize("language", ["en", "zh-TW"])
def test_map_has_its_section_and_figure(run_directory: Path, medium: str, language: str) -> None:
    known = MAPS[medium]
    with Run(with_map(run_directory, medium, *known.points), catalogue(language)) as run:
        made = known.section.make(run)
        (figure,) = (f for f in gallery.found() if f.section == made.name)
        hung = gallery.hang(figure, run, Styles())
    assert known.says[language != "en"] in made.finding and made.mood == "" and len(made.blocks) == 1
    assert "<svg" in hung.wide and "<svg" in hung.narrow and hung.finding
    if language == "en":
        assert [cell.text for cell in made.blocks[0].rows[0]] == known.row


def test_misread_is_an_alarm(run_directory: Path) -> None:
    with Run(with_map(run_directory, "qr", code("glare", 0.5, 0, misread=1)), Catalogue()) as run:
        made = qr_section.make(run)
    assert made.mood == "bad" and "1 gave a text that nobody showed" in made.finding


@EACH
@pytest.mark.parametrize("content", ["{}", "[", json.dumps({"cells": [{"kind": "card"}], "lines": [{"how": "modelled"}]})])
def test_damaged_map_is_named(run_directory: Path, medium: str, content: str) -> None:
    (run_directory / f"{medium}-map.json").write_text(content)
    with Run(run_directory, Catalogue()) as run, pytest.raises(ReportError, match=f"{medium}-map.json"):
        MAPS[medium].section.make(run)


@EACH
def test_map_that_names_what_nobody_knows_is_refused(run_directory: Path, medium: str) -> None:
    known = MAPS[medium]
    point = known.points[0].model_copy(update={"holding" if medium == "nfc" else "weakness": "hail"})
    with Run(with_map(run_directory, medium, point), Catalogue()) as run, pytest.raises(ReportError, match="hail"):
        known.section.make(run)


@EACH
def test_run_without_a_map_says_nothing(run_directory: Path, medium: str) -> None:
    (run_directory / f"{medium}-map.json").unlink(missing_ok=True)
    with Run(run_directory, Catalogue()) as run:
        assert MAPS[medium].section.make(run).blocks == []


def test_report_knows_all_that_the_maps_can_say() -> None:
    assert set(qr_map.WEAKNESSES) == {w.name for w in SPOILED} and set(qr_map.KINDS) == set(CODES)
    assert set(nfc_map.HOLDINGS) == {holding.value for holding in Holding} and set(nfc_map.HOW) == {MODELLED, MEASURED}
    assert set(ble_map.WEAKNESSES) == {w.name for w in AIRS} and set(ble_map.MODES) == set(ble_table.MODES)
