"""``vhc-bench map qr``: where codes can be read, never a misread, the same pictures from the same seed."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from random import Random

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from bench.cli import main
from bench.maps.map_qr import KINDS, WEAKNESSES, make
from bench.maps.qr import codes, figures, table, trials, weaknesses
from conformance.vectors.pictures import png
from scenarios.files import load
from virtual_devices.checks import Unfit
from virtual_devices.clock import VirtualClock
from virtual_devices.errors import UsageError
from virtual_devices.link import Outcome
from virtual_devices.radio import Camera, Readability, ScreenLink
from virtual_devices.wallet.faces import SCAN, Screen

M = codes.Level.M
TOKEN, CARD = codes.KINDS["token"], codes.KINDS["card"]


@pytest.fixture(scope="module")
def card() -> codes.Code:
    return codes.several(CARD, M, 1, 1)[0]


def share(kind: codes.Kind, weakness: str, strength: float, count: int = 4) -> float:
    """Read by the driver's own reader."""
    which = weaknesses.BY_NAME[weakness]
    one = weaknesses.Weakness(which.name, which.zh, which.en, which.unit, which.unit_zh, (strength,), which.spoil)
    (cell,) = trials.tried([kind], [M], [one], count, 1)
    assert not cell.misreads
    return cell.read / cell.trials


@pytest.mark.parametrize("weakness", weaknesses.WEAKNESSES, ids=lambda w: w.name)
def test_code_is_read_where_the_weakness_is_harmless(weakness: weaknesses.Weakness) -> None:
    assert share(TOKEN, weakness.name, weakness.strengths[0], 2) == 1


@pytest.mark.parametrize("weakness, strength", [
    ("blur", 0.7), ("dim", 0.02), ("glare", 0.5), ("moire", 1.0), ("cover", 0.2), ("coarse", 1.0),
])
def test_code_is_not_read_where_it_is_hopeless(weakness: str, strength: float) -> None:
    assert share(TOKEN, weakness, strength, 2) == 0


def test_measured_limits_hold() -> None:
    """What was measured with another generator: these are no trouble."""
    assert [share(CARD, w, s, 2) for w, s in (("blur", 0.3), ("tilt", 45), ("dim", 0.2), ("perspective", 0.2))] == [1] * 4


def test_kinds_are_the_card_s_own_and_differ_in_size(card: codes.Code) -> None:
    sizes = [(len(code.text), code.version) for code in (codes.several(kind, M, 1, 1)[0] for kind in codes.KINDS.values())]
    assert sizes == sorted(sizes) and card.version <= 18 and set(codes.KINDS) == set(KINDS)
    assert {w.name for w in weaknesses.WEAKNESSES} == set(WEAKNESSES)
    assert codes.several(CARD, codes.Level.Q, 1, 1)[0].version > card.version
    texts = [code.text for code in codes.several(CARD, M, 1, 3)]
    assert len(set(texts)) == 3 and texts[0] == card.text


def test_picture_is_what_another_library_would_draw(card: codes.Code) -> None:
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(png(card.text))).convert("L")), np.asarray(card.picture()))


@pytest.mark.parametrize("weakness", weaknesses.WEAKNESSES, ids=lambda w: w.name)
def test_same_stream_gives_the_same_picture_and_another_another(weakness: weaknesses.Weakness) -> None:
    shown = codes.several(TOKEN, M, 1, 2)
    first, again, other = (
        np.asarray(weaknesses.seen(shown, weakness, weakness.strengths[1], np.random.default_rng(n))) for n in (1, 1, 2)
    )
    assert np.array_equal(first, again) and not (first.shape == other.shape and np.array_equal(first, other))


def test_text_that_nobody_showed_is_a_misread_and_fails_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(trials.tried, "__defaults__", (lambda _: ["VHTwrong"],))
    monkeypatch.setattr(figures, "LANGUAGES", ())
    assert make(tmp_path, 1, 1, ("token",), ("tilt",), ("M",)) == 1
    assert "MISREAD: token 3-M, tilt 0, trial 0: 'VHTwrong'" in capsys.readouterr().err
    assert len(list(tmp_path.glob("misread-*.png"))) == 5
    assert all(row["misread"] == "1" and row["read"] == "0" for row in csv.DictReader((tmp_path / "qr-map.csv").open()))


def test_command_writes_table_schema_and_pictures(tmp_path: Path) -> None:
    args = ["--trials", "2", "--kind", "token", "--weakness", "coarse"]
    done = CliRunner().invoke(main, ["map", "qr", "--out", str(tmp_path), *args])
    assert done.exit_code == 0 and "0 misread" in done.stdout, done.output
    made = table.load(tmp_path / "qr-map.json")
    assert [c.failed for c in made.cells][:3] == [0, 0, 0] and made.cells[5].failed == 1
    assert json.loads((tmp_path / "qr-map.schema.json").read_bytes())["additionalProperties"] is False
    assert [c.model_dump() for c in made.cells] == [
        table.Cell.model_validate(row).model_dump() for row in csv.DictReader((tmp_path / "qr-map.csv").open())
    ]
    for name in ("qr-map-M.en", "qr-map-M.zh-TW"):
        assert (tmp_path / f"{name}.svg").read_bytes().startswith(b"<?xml") and Image.open(tmp_path / f"{name}.png").width > 900
    assert {p.name for p in tmp_path.iterdir()} >= {"qr-samples.en.png", "qr-samples.zh-TW.png"}


@pytest.mark.parametrize("content, why", [
    (None, "cannot be read"), ("{}", "seed"), ('{"seed": 1, "reader": "x", "versions": {}, "cells": [], "more": 1}', "more"),
])
def test_table_of_another_kind_is_refused_with_the_place(tmp_path: Path, content: str | None, why: str) -> None:
    path = tmp_path / "qr-map.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(UsageError, match=why):
        table.load(path)


def test_row_of_a_map_feeds_a_scenario_s_camera(tmp_path: Path) -> None:
    cell = table.Cell(kind="card", characters=754, version=18, level="M", weakness="blur", strength=0.5, unit="modules",
                      trials=10, read=2, misread=0, failed=0.8, failed_low=0.5, failed_high=0.9, read_ms_p50=5, read_ms_p95=9)
    smaller = cell.model_copy(update={"kind": "token", "characters": 51, "failed": 0.4})
    made = table.Table(seed=1, reader="r", versions={}, cells=(cell, smaller))
    (tmp_path / "qr-map.json").write_bytes(table.to_json(made))
    asked = ["map", "camera", str(tmp_path / "qr-map.json"), "--weakness", "blur", "--strength"]
    said = CliRunner().invoke(main, [*asked, "0.5"])
    assert said.exit_code == 0
    scenario = tmp_path / "home.toml"
    scenario.write_text('title = "t"\nsituation = "home_visit"\n' + said.stdout)
    camera = load(scenario).params.camera
    assert camera == Camera(codes=(Readability(51, 0.4, "blur", 0.5), Readability(754, 0.8, "blur", 0.5)))
    assert [camera.unreadable(n) for n in (10, 51, 52, 754, 4000)] == [0.4, 0.4, 0.8, 0.8, 0.8] and Camera().unreadable(1) == 0
    refused = CliRunner().invoke(main, [*asked, "0.6"])
    assert refused.exit_code == 2 and "it has blur 0.5" in refused.output.replace("\n", " ")


def test_camera_reads_small_codes_where_large_ones_fail() -> None:
    screen, camera = Screen(), Camera(failed=0.0, codes=(Readability(51, 0.0), Readability(754, 1.0)))
    link = ScreenLink(screen, camera, Random(0), VirtualClock(0))
    screen.text = "V" * 50
    assert link.attempt(SCAN, 30.0).outcome is Outcome.REPLIED
    screen.text = "V" * 600
    assert link.attempt(SCAN, 30.0).outcome is Outcome.TIMED_OUT


@pytest.mark.parametrize("rows", [
    (Readability(10, 0.1, "blur", 0.5), Readability(20, 0.1, "blur", 0.6)), (Readability(10, 0.1), Readability(10, 0.2)),
])
def test_camera_has_one_condition(rows: tuple[Readability, ...]) -> None:
    with pytest.raises(Unfit, match="codes"):
        Camera(codes=rows)
