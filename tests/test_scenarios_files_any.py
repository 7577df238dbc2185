"""Whatever is made of a scenario file or an override, it is read or refused with places inside it; nothing topples the reader."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from scenarios.files import ScenarioFaults, dump, load, restore

from . import scenario_text
from .scenario_text import WHOLE, written

toy = scenario_text.toy
LINES = WHOLE.split("\n")
VALUES = st.sampled_from(["1", "-1", "1.5", "nan", "true", '"x"', "'''", '"""', "[", "]", "[1, {}]", "{}", "{ x = 1 }", "{", "",
                          "2026-03-02", "08:00:00", "08:00", "x y", '"\\ud800"', "9" * 30, "早", "1e400", "[[", "#"])  # fmt: skip


@st.composite
def mutations(draw: st.DrawFn) -> str:
    """The valid file with up to three lines dropped, doubled, moved, renamed, given another value, or cut."""
    lines = list(LINES)
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(lines) - 1))
        line = lines[at]
        key, equals, value = line.partition(" = ")
        match draw(st.sampled_from(["drop", "double", "move", "rename", "value", "cut", "insert"])):
            case "drop":
                lines[at] = ""
            case "double":
                lines.insert(at, line)
            case "move":
                lines.insert(draw(st.integers(0, len(lines) - 1)), lines.pop(at))
            case "rename":
                lines[at] = draw(st.sampled_from([key[1:], key + "s", key.upper(), f"x.{key}", f'"{key}"'])) + equals + value
            case "value":
                lines[at] = key + " = " + draw(VALUES)
            case "cut":
                lines[at] = line[: draw(st.integers(0, len(line)))]
            case _:
                lines[at] = line[: draw(st.integers(0, len(line)))] + draw(st.text(min_size=1, max_size=3)) + line
    return draw(st.sampled_from(["\n", "\r\n"])).join(lines)


def assert_refused_or_read(path: Path, text: str) -> None:
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    try:
        scenario = load(path)
    except ScenarioFaults as caught:
        assert caught.faults
        lines = text.removeprefix("\ufeff").split("\n")
        for fault in caught.faults:
            assert 1 <= fault.line <= len(lines), fault
            assert 1 <= fault.column <= len(lines[fault.line - 1]) + 1, fault
            assert fault.message
        assert str(caught).count("\n") >= len(caught.faults)
    else:
        assert restore(json.loads(json.dumps(dump(scenario)))) == scenario


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300, deadline=None)
@given(text=mutations())
@example(text=WHOLE.replace('"bursty"', '"bursty", bursty = { x = 1 }'))
@example(text="[fault]\n0 = 1\n")
@example(text=WHOLE.replace('"toy"', "2026-03-02"))
@example(text="situation.x = 1\n[[params]]\n[[params.doctors]]\n")
def test_any_mutation_of_a_file_is_read_or_refused_with_places_inside_it(tmp_path: Path, text: str) -> None:
    assert_refused_or_read(tmp_path / "clinic.toml", text)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(text=st.text(max_size=60))
def test_any_text_is_refused_with_places_inside_it(tmp_path: Path, text: str) -> None:
    assert_refused_or_read(tmp_path / "clinic.toml", text)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.binary(max_size=60))
def test_any_bytes_are_refused_as_faults(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "clinic.toml"
    path.write_bytes(data)
    with pytest.raises(ScenarioFaults):
        load(path)


KEYS = st.sampled_from(["params.doctors", "params", "run", "fault.0", "fault.1.share", "fault", "x.y", "network.loss.kind",
                        "title", "", "a..b", '"q r".s', "network", "situation", "run.epoch", "params.stations.0"])  # fmt: skip


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(overrides=st.dictionaries(KEYS | st.text(max_size=8), VALUES | st.text(max_size=8), max_size=3))
def test_any_override_is_taken_or_refused_by_its_name(tmp_path: Path, overrides: dict[str, str]) -> None:
    try:
        scenario = load(written(tmp_path, WHOLE), overrides)
    except ScenarioFaults as caught:
        assert caught.faults
        for fault in caught.faults:
            assert fault.line > 0 or fault.where.removeprefix("--set ") in overrides
    else:
        assert restore(json.loads(json.dumps(dump(scenario)))) == scenario
