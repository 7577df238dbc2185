"""Situations and the schema of their files: bounds, choices and units, and a reference page that says the same."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict

from scenarios import files
from scenarios.files import load, schema
from scenarios.mirror import mirrored
from virtual_devices import faults
from virtual_devices.errors import UsageError
from virtual_devices.network import Delay, Network

from . import scenario_text
from .places import ROOT
from .scenario_text import written

toy = scenario_text.toy
REFERENCE = ROOT / "docs" / "reference" / "scenario-file.md"


def resolved(whole: dict[str, Any], node: dict[str, Any]) -> dict[str, Any]:
    target: dict[str, Any] = whole["$defs"][node["$ref"].rsplit("/", 1)[1]] if "$ref" in node else node
    return target


def test_schema_has_bounds_choices_descriptions_and_units() -> None:
    made = schema("toy")
    assert made["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert json.loads(json.dumps(made)) == made
    assert made["required"] == ["situation", "title"] and made["additionalProperties"] is False
    params = resolved(made, made["properties"]["params"])
    assert params["required"] == ["doctors"] and params["additionalProperties"] is False
    assert params["properties"]["doctors"] == {
        "description": "Physicians on duty.", "maximum": 50, "minimum": 1, "type": "integer",
    }  # fmt: skip
    assert params["properties"]["service_s"]["description"] == "How long one patient takes.\nUnit: seconds."
    assert params["properties"]["virtual_share"]["description"] == "Unit: a share of 1."
    assert params["properties"]["carrier"]["enum"] == ["ic-card", "virtual-card"]
    assert resolved(made, made["properties"]["fault"]["items"])["properties"]["kind"]["enum"] == list(faults.KINDS)


def test_schema_names_a_unit_for_every_number_of_the_network() -> None:
    made = schema("toy")
    for name in ("Network", "Delay", "BurstyLoss", "IndependentLoss"):
        for key, node in made["$defs"][name]["properties"].items():
            assert node.get("type") != "number" or "Unit: " in node["description"], key


def _undescribed(made: dict[str, Any]) -> list[str]:
    """Fields, of the file and of each of its tables, of which nothing is said, or nothing but the unit."""
    return [
        f"{name}.{key}"
        for name, table in (("file", made), *made["$defs"].items())
        for key, node in table.get("properties", {}).items()
        if not re.sub(r"\n?Unit: .*\.$", "", node.get("description", ""))
    ]


def test_every_field_of_every_exported_schema_has_a_description(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "Params.virtual_share" in _undescribed(schema("toy"))
    monkeypatch.undo()
    for situation in files.situations():
        assert _undescribed(schema(situation)) == []


def test_schema_of_an_unknown_situation_is_refused() -> None:
    with pytest.raises(UsageError, match="no situation 'tow'; there are toy, town_morning"):
        schema("tow")


def test_scan_finds_modules_with_params_and_processes_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    import scenarios

    body = "from pydantic import BaseModel\nclass Params(BaseModel): ...\n"
    (tmp_path / "zz_situation.py").write_text(body + "def processes(world, params): ...\n")
    (tmp_path / "zz_half.py").write_text(body)
    monkeypatch.setattr(scenarios, "__path__", [*scenarios.__path__, str(tmp_path)])
    there = files.situations()
    assert "zz_situation" in there and "zz_half" not in there and "files" not in there
    assert list(there) == sorted(there)


@pytest.mark.parametrize("config", [ConfigDict(frozen=True), ConfigDict(extra="forbid"), ConfigDict()])
def test_situation_with_loose_params_is_our_mistake(config: ConfigDict) -> None:
    loose = type("Params", (BaseModel,), {"model_config": config, "__module__": __name__})
    with pytest.raises(TypeError, match="must be frozen and forbid extra keys"):
        files.file_model("toy", loose)


def test_union_that_cannot_be_told_apart_is_our_mistake() -> None:
    with pytest.raises(TypeError, match="no Literal field"):
        mirrored(Delay | Network)


def test_reference_page_shows_a_file_that_can_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    examples = re.findall(r"```toml\n(.*?)```", REFERENCE.read_text(encoding="utf-8"), re.DOTALL)
    assert examples
    for text in examples:
        load(written(tmp_path, text))


@pytest.mark.parametrize("table", ["Run", "Network", "Delay", "IndependentLoss", "BurstyLoss", "Fault"])
def test_reference_page_names_every_key(table: str) -> None:
    text = REFERENCE.read_text(encoding="utf-8")
    for key in schema("toy")["$defs"][table]["properties"]:
        assert f"| `{key}` |" in text, key


def test_reference_page_gives_each_kind_of_fault_with_its_codes() -> None:
    text = REFERENCE.read_text(encoding="utf-8")
    for name, kind in faults.KINDS.items():
        assert re.search(rf"^\| `{name}` \|.*\| {kind.network_code} \| {kind.card_code or 'none'} \|$", text, re.MULTILINE), name


def test_reference_page_states_the_defaults() -> None:
    """Every number in a default column is that of the code."""
    text, stated = REFERENCE.read_text(encoding="utf-8"), 0
    for table in ("Run", "Network", "Delay", "IndependentLoss", "BurstyLoss", "Fault"):
        for key, node in schema("toy")["$defs"][table]["properties"].items():
            default = node.get("default")
            if isinstance(default, int | float):
                row = re.search(rf"^\|.*\| `{key}` \|.*$|^\| `{key}` \|.*$", text, re.MULTILINE)
                assert row and re.search(rf"\| {default:g} \|", row[0]), key
                stated += 1
    assert stated > 10
