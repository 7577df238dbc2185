"""The map of bad air: virtual time, the same table from the same seed, and a row that a scenario's Bluetooth takes."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner

from bench.cli import main
from bench.exits import USAGE
from bench.maps.ble import table
from bench.maps.ble.figures import map_figure
from bench.maps.ble.trials import BY_NAME, Ended, Trial, tried
from virtual_devices.errors import UsageError
from virtual_devices.network import Delay
from virtual_devices.radio import Bluetooth

LOST, CUT, UNHEARD, INTERVAL = (BY_NAME[name] for name in ("lost", "cut", "unheard", "interval"))


def made(*trials: Trial) -> table.Cell:
    return table.cell("peripheral", LOST, 0.2, trials)


@pytest.mark.parametrize("mode", table.MODES)
def test_good_air_takes_its_intervals_in_either_mode_and_the_same_each_time(mode: str) -> None:
    first, again = (tried(table.MODES[mode], INTERVAL, 30.0, 1, seed) for seed in (7, 7))
    assert first == again and [trial.ended for trial in first] == [Ended.DONE]
    (trial,) = first
    assert trial.exchange_s is not None and 15 * 0.030 < trial.exchange_s < 30 * 0.030


def test_bad_air_is_slow_or_breaks_or_is_not_heard_through() -> None:
    mode = table.MODES["peripheral"]
    (slow,), (usual,) = tried(mode, LOST, 0.4, 1, 1), tried(mode, LOST, 0.0, 1, 1)
    assert slow.exchange_s is None or (usual.exchange_s is not None and slow.exchange_s > usual.exchange_s)
    assert tried(mode, CUT, 1.0, 1, 1)[0].ended in (Ended.BROKEN, Ended.NOT_CONNECTED)
    assert tried(mode, UNHEARD, 1.0, 1, 1) == [Trial(Ended.NOT_CONNECTED)]


def test_connection_that_breaks_off_in_the_middle_ends_on_both_sides() -> None:
    ended = [trial.ended for trial in tried(table.MODES["central"], CUT, 0.02, 2, 1)]
    assert Ended.BROKEN in ended


def test_row_becomes_the_model_whose_messages_take_the_measured_time(tmp_path: Path) -> None:
    cell = made(Trial(Ended.DONE, 0.5, 0.6), Trial(Ended.DONE, 0.7, 0.6), Trial(Ended.BROKEN, 0.4), Trial(Ended.NOT_CONNECTED))
    assert (cell.done, cell.broken, cell.not_connected, cell.first_try) == (2, 1, 1, 0.5)
    whole = table.Table(seed=1, versions={}, cells=(cell,))
    path = tmp_path / "ble-map.json"
    path.write_bytes(table.to_json(whole))
    assert table.load(path) == whole and table.to_csv(whole.cells).count(b"\n") == 2
    done = CliRunner().invoke(main, ["map", "bluetooth", str(path), "--weakness", "lost", "--strength", "0.2"])
    given = tomllib.loads(done.output)["params"]["bluetooth"]
    model = Bluetooth(**{**given, "connected": Delay(**given["connected"])})
    assert model.lost == round(1 / 3, 4) and model.connected == Delay(500.0, 700.0)
    wrong = CliRunner().invoke(main, ["map", "bluetooth", str(path), "--weakness", "lost", "--strength", "0.3"])
    assert wrong.exit_code == USAGE and "it has lost 0.2" in wrong.output
    with pytest.raises(UsageError, match="nothing to model"):
        table.as_model(whole, made(Trial(Ended.NOT_CONNECTED)))
    path.write_bytes(b"{}")
    with pytest.raises(UsageError, match="no table"):
        table.load(path)


def test_figure_has_a_panel_for_what_was_tried_and_what_never_came() -> None:
    cells = [table.cell(mode, LOST, 0.0, [Trial(Ended.DONE, 0.5, 0.6)] * 3) for mode in table.MODES]
    cells.append(table.cell("peripheral", LOST, 0.8, [Trial(Ended.NOT_CONNECTED)]))
    drawn = map_figure(table.Table(seed=1, versions={}, cells=tuple(cells)), "zh-TW")
    assert b"<svg" in drawn[".svg"] and drawn[".png"].startswith(b"\x89PNG")
