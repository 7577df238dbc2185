"""Scenario files: what is right is read as it stands, dumped whole and restored."""

from __future__ import annotations

import json
import pickle
from datetime import datetime
from pathlib import Path

import pytest

from scenarios.files import dump, load, restore, schema
from virtual_devices import faults
from virtual_devices.clock import TAIWAN
from virtual_devices.errors import UsageError
from virtual_devices.network import BurstyLoss, Delay, Network

from . import scenario_text
from .places import ROOT
from .scenario_text import WHOLE, Params, written

toy = scenario_text.toy


def test_file_is_read_as_it_stands(tmp_path: Path) -> None:
    scenario = load(written(tmp_path, WHOLE))
    assert (scenario.situation, scenario.title, scenario.description) == ("toy", "A toy clinic", "Three doctors.")
    assert (scenario.run.seed, scenario.run.replications) == (7, 3)
    assert scenario.run.epoch == datetime(2026, 3, 2, 8, tzinfo=TAIWAN)
    assert scenario.params == Params(
        doctors=3, virtual_share=0.5, carrier="virtual-card", stations=("registration", "consultation")
    )
    assert scenario.network == Network(Delay(10, 30), bandwidth_kbit_s=2000, loss=BurstyLoss(bad_s=2.5))
    assert scenario.fault == (
        faults.Fault("line-down", "outage", "cloud", start="09:40", end="10:05"),
        faults.Fault("pulled-out", "tear", "card", share=0.01),
    )


def test_defaults_fill_what_a_file_leaves_out(tmp_path: Path) -> None:
    scenario = load(written(tmp_path, 'situation = "toy"\ntitle = "t"\nparams.doctors = 1\n'))
    assert (scenario.run.seed, scenario.run.replications) == (1, 5)
    assert scenario.run.epoch.isoformat() == "2026-03-02T08:00:00+08:00"
    assert (scenario.network, scenario.fault, scenario.description) == (Network(), (), "")


def test_byte_order_mark_and_dos_line_ends_are_taken(tmp_path: Path) -> None:
    path = tmp_path / "clinic.toml"
    path.write_bytes(b"\xef\xbb\xbf" + WHOLE.replace("\n", "\r\n").encode())
    assert load(path).params.doctors == 3


def test_scenario_can_be_sent_to_another_process(tmp_path: Path) -> None:
    scenario = load(written(tmp_path, WHOLE))
    assert pickle.loads(pickle.dumps(scenario)) == scenario


def test_dump_is_json_with_every_default_filled_in(tmp_path: Path) -> None:
    dumped = dump(load(written(tmp_path, WHOLE)))
    assert json.loads(json.dumps(dumped)) == dumped
    assert list(dumped) == ["situation", "title", "description", "run", "network", "fault", "params", "profiles"]
    assert dumped["run"] == {"seed": 7, "replications": 3, "epoch": "2026-03-02T08:00:00+08:00", "horizon_h": 48.0}
    assert dumped["params"] == {
        "doctors": 3, "virtual_share": 0.5, "service_s": 300.0, "carrier": "virtual-card",
        "stations": ["registration", "consultation"], "offline": False, "weights": {}, "rooms": {}, "opens": "08:00",
    }  # fmt: skip
    assert dumped["network"]["loss"] == {"kind": "bursty", "good_s": 600.0, "bad_s": 2.5, "share_good": 0.0, "share_bad": 0.5}
    assert dumped["fault"][1]["share"] == 0.01


def test_dump_can_be_restored(tmp_path: Path) -> None:
    scenario = load(written(tmp_path, WHOLE))
    assert restore(json.loads(json.dumps(dump(scenario)))) == scenario


def test_restore_refuses_what_no_longer_fits(tmp_path: Path) -> None:
    dumped = dump(load(written(tmp_path, WHOLE)))
    with pytest.raises(UsageError, match="no situation 'gone'"):
        restore(dumped | {"situation": "gone"})
    with pytest.raises(UsageError, match="does not fit situation 'toy'"):
        restore(dumped | {"params": {"patients": 3}})


def test_files_that_come_with_the_bench_can_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    paths = sorted((ROOT / "scenarios").glob("*.toml"))
    assert paths
    for path in paths:
        scenario = load(path)
        assert restore(json.loads(json.dumps(dump(scenario)))) == scenario
        assert schema(scenario.situation)["properties"]["situation"]["const"] == scenario.situation
