"""``vhc-bench map nfc``: the table follows from the seed, and the real stack under the same faults agrees with it."""

from __future__ import annotations

import csv
import json
import tomllib
from pathlib import Path
from random import Random
from statistics import median

import pytest
from click.testing import CliRunner

from bench.cli import main
from bench.maps.nfc.table import Table, line, to_json
from bench.maps.nfc.trials import STRENGTHS, measured, modelled
from virtual_devices.link import Work
from virtual_devices.radio import Field, FieldMedium
from virtual_devices.sensed_presentation import REGISTRATION
from virtual_devices.sensing import Holding


def test_map_follows_from_its_seed(tmp_path: Path) -> None:
    options = ("--presentations", "2", "--holding", "wrong-place", "--seed", "5")
    done = CliRunner().invoke(main, ["map", "nfc", "--out", str(tmp_path), *options])
    assert done.exit_code == 0 and "nfc-map.json: 12 presentations" in done.output, done.output
    files = {path.name for path in tmp_path.iterdir()}
    pictures = {f"nfc-map.{language}.{kind}" for language in ("en", "zh-TW") for kind in ("svg", "png")}
    assert files == {"nfc-map.json", "nfc-map.schema.json", "nfc-map.csv", *pictures}
    assert json.loads((tmp_path / "nfc-map.schema.json").read_bytes())["additionalProperties"] is False
    again = [line(cell) for cell in modelled([Holding.WRONG_PLACE], 2, 5)]
    assert (tmp_path / "nfc-map.json").read_bytes() == to_json(Table(seed=5, lines=tuple(again)))
    rows = list(csv.DictReader((tmp_path / "nfc-map.csv").open()))
    assert [each.strength for each in again] == list(STRENGTHS) == [float(row["strength"]) for row in rows]
    assert again[0].failed == 0.0 and again[-1].taps > again[0].taps


def test_row_goes_into_a_scenario(tmp_path: Path) -> None:
    table = tmp_path / "nfc-map.json"
    lines = [line(cell) for cell in modelled([Holding.WRONG_PLACE], 2, 5)]
    table.write_bytes(to_json(Table(seed=5, lines=tuple(lines))))
    asked = ["map", "field", str(table), "--holding", "wrong-place", "--strength"]
    said = CliRunner().invoke(main, [*asked, "1.0"]).output
    field = Field(**tomllib.loads(said)["params"]["field"])
    assert field.taken_away == lines[-1].failed and "done at the first tap" in said
    refused = CliRunner().invoke(main, [*asked, "0.3"])
    assert refused.exit_code == 2 and "it has wrong-place 0, wrong-place 0.2" in " ".join(refused.output.split())
    table.write_text("{}")
    assert "is no table of 'vhc-bench map nfc'" in " ".join(CliRunner().invoke(main, [*asked, "1.0"]).output.split())


def test_weak_field_takes_as_long_in_a_scenario_as_in_the_map(tmp_path: Path) -> None:
    """A day's model knows no frames: what is sent again is in the time of its blocks."""
    table = tmp_path / "nfc-map.json"
    lines = [line(cell) for cell in modelled([Holding.WEAK_FIELD], 20, 5)]
    table.write_bytes(to_json(Table(seed=5, lines=tuple(lines))))
    for row in (lines[0], lines[4]):
        asked = ["map", "field", str(table), "--holding", "weak-field", "--strength", str(row.strength)]
        field = Field(**tomllib.loads(CliRunner().invoke(main, asked).output)["params"]["field"])
        medium = FieldMedium(field, Random(1))
        times = [
            medium.device_ns(Work(), True) + sum(medium.carry(0, size) or 0 for pair in REGISTRATION for size in pair)
            for _ in range(100)
        ]
        assert median(times) / 1e6 == pytest.approx(row.first_ms_p50, rel=0.1)
    assert lines[4].first_ms_p50 and lines[0].first_ms_p50 and lines[4].first_ms_p50 > 2 * lines[0].first_ms_p50


def test_real_stack_under_the_same_faults_takes_taps_as_the_model_does() -> None:
    calm, bad, _, weak = (line(cell) for cell in measured([Holding.WRONG_PLACE, Holding.WEAK_FIELD], 3, 5, (0.0, 0.6)))
    assert (calm.how, calm.done, calm.taps) == ("measured", 3, 3)
    assert calm.device_ms_p50 > 1000  # what the frames would take on the air, at least
    assert bad.taps > 3
    assert (weak.done, weak.taps) == (3, 3) and weak.device_ms_p50 > calm.device_ms_p50  # frames were lost, and sent again
