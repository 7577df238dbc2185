"""Laboratory files: devices by names of one's own; every fault at its place; the manifest says what a device is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench.laboratory import load, schema
from bench.monikers import Kind
from bench.rig import Rig
from bench.run import manifest
from scenarios.files import load as load_scenario
from scenarios.listing import ScenarioFaults
from virtual_devices.errors import UsageError

from .places import MORNING, ROOT

GOOD = """title = "Bench 3"
[devices.front-desk]
moniker = "pcsc:ACS*"
make = "ACS"
model = "ACR39U"
firmware = "1.19"
[devices.phone]
moniker = "qr:/tmp/camera + ble:Phone A"
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "lab.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_device_is_found_by_its_name(tmp_path: Path) -> None:
    lab = load(written(tmp_path, GOOD))
    rig = Rig("front-desk", wallet="phone", sam="virtual", laboratory=lab)
    assert [one.kind for one in rig.monikers["wallet"]] == [Kind.QR, Kind.BLE]
    assert rig.table()["card"] == "pcsc:ACS*" and rig.table()["wallet"] == "qr:/tmp/camera + ble:Phone A"
    devices = {d["role"]: d["detail"] for d in manifest(load_scenario(MORNING), rig, 0)["devices"]}
    assert devices["card"] == "ACS ACR39U, firmware 1.19"
    assert devices["sam"] == "reference SAM"
    rigs = Rig("nfc:usb", wallet="nfc:own"), Rig("auto")
    told = {(d["role"], d["detail"]) for rig in rigs for d in manifest(load_scenario(MORNING), rig, 0)["devices"]}
    card = "reference IC card, profiles t1, t1-nul, t0, y2025"
    foreign_card, whatever = f"foreign device: latency probe only; visits by {card}", f"whatever is attached; {card} meanwhile"
    assert {("card", foreign_card), ("card", whatever),
            ("wallet", "patients' own phones, by our presenter"), ("wallet", "reference wallet on a phone")} <= told


def test_name_that_is_none_is_told_with_the_nearest(tmp_path: Path) -> None:
    lab = load(written(tmp_path, GOOD))
    with pytest.raises(UsageError, match="did you mean 'front-desk'"):
        Rig("frontdesk", laboratory=lab)
    with pytest.raises(UsageError, match=r"--card .*a card is given as virtual, auto.*can be a wallet"):
        Rig("phone", laboratory=lab)


@pytest.mark.parametrize(
    ("wrong", "line", "says"),
    [
        ('[devices.a]\nmoniker = "pcs:x"', 2, "did you mean 'pcsc:x'"),
        ('[devices.a]\nmoniker = "auto"\nmak = "x"', 3, "did you mean devices.a.make"),
        ("[devices.A_1]\nmoniker = \"auto\"", 1, "small letters, digits and hyphens"),
        ("[devices.virtual]\nmoniker = \"auto\"", 1, "a moniker by itself"),
        ("[devices.a]\nmake = \"x\"", 1, "moniker"),
        ("title = \"x\"", 1, "devices"),
        ("[devices.a]\nmoniker = \"auto\"\nfirmware = 3", 3, "put it in quotes"),
    ],
)
def test_fault_is_told_at_its_place(tmp_path: Path, wrong: str, line: int, says: str) -> None:
    with pytest.raises(ScenarioFaults) as refused:
        load(written(tmp_path, wrong))
    (fault,) = refused.value.faults
    assert fault.line == line
    assert says in str(fault)


def test_schema_for_editors_is_the_one_that_files_are_checked_by() -> None:
    kept = json.loads((ROOT / "docs" / "reference" / "schema" / "laboratory.json").read_text(encoding="utf-8"))
    assert kept == schema(), "vhc-bench scenarios --schema laboratory > docs/reference/schema/laboratory.json"
    for table in kept["$defs"].values():
        assert all("description" in value for value in table["properties"].values())
