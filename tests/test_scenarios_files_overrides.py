"""Overrides of a scenario file: taken as if they stood in it, and refused by their own name."""

from __future__ import annotations

from pathlib import Path

import pytest

from scenarios.files import load
from virtual_devices.network import Delay

from . import scenario_text
from .scenario_text import WHOLE, changed, found, told, written

toy = scenario_text.toy


def test_overrides_replace_values_of_the_file(tmp_path: Path) -> None:
    scenario = load(
        written(tmp_path, WHOLE),
        {
            "params.doctors": "5", "run.seed": "9", "title": "Another title", "params.stations": '["a"]', "fault.1.share": "0.5",
            "network.loss": '{ kind = "independent", share = 0.25 }', "network.service.p95_ms": "500",
            "run.epoch": "2027-01-01T00:00:00Z",
        },
    )  # fmt: skip
    assert (scenario.params.doctors, scenario.run.seed, scenario.title) == (5, 9, "Another title")
    assert (scenario.params.stations, scenario.fault[1].share) == (("a",), 0.5)
    assert scenario.network.service == Delay(35.0, 500.0)  # the median is the data centre's own default
    assert scenario.run.epoch.year == 2027


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("params.doctrs", "3", "--set params.doctrs: unknown key; did you mean params.doctors?"),
        ("pramas.doctors", "3", "--set pramas.doctors: unknown key; did you mean params.doctors?"),
        ("params.doctors", "many", '--set params.doctors: must be a whole number, is the text "many"'),
        ("params.doctors", "0", "--set params.doctors: must be at least 1, is 0"),
        ("run.seed", '"7"', '--set run.seed: must be a whole number, is the text "7"; remove the quotes'),
        ("network.one_way.p95_ms", "1", "--set network.one_way.p95_ms: p95_ms (1) must be at least median_ms (10)"),
        ("network.one_way.median_ms", "50", "--set network.one_way.median_ms: p95_ms (30) must be at least median_ms (50)"),
        ("fault.2.share", "1", "--set fault.2.share: fault has 2 entries, counted from 0; '2' is none of them"),
        ("fault.x.share", "1", "--set fault.x.share: fault has 2 entries, counted from 0; 'x' is none of them"),
        ("title.x", "1", "--set title.x: title is a single value and has nothing inside it"),
        ("situation", "toi", '--set situation: there is no situation "toi"; there are: toy, town_morning; did you mean "toy"?'),
        ("a b", "1", "--set a b: is not a key; write --set params.name=value"),
        ("", "1", "--set : is not a key; write --set params.name=value"),
        ("params.doctors", "1\nx = 2", '--set params.doctors: must be a whole number, is the text "1\\nx = 2"'),
    ],
)  # fmt: skip
def test_fault_in_an_override_names_the_override(tmp_path: Path, name: str, value: str, says: str) -> None:
    assert told(tmp_path, WHOLE, **{name: value}) == [says]


def test_override_of_a_fault_that_is_not_there_is_told(tmp_path: Path) -> None:
    text = WHOLE[: WHOLE.index("[[fault]]")]
    assert told(tmp_path, text, **{"fault.0.share": "1"}) == ["--set fault.0.share: there is no fault to change"]


def test_override_can_give_what_a_file_lacks(tmp_path: Path) -> None:
    path = written(tmp_path, 'situation = "toy"\ntitle = "t"\n')
    assert load(path, {"params.doctors": "2"}).params.doctors == 2


def test_faults_of_the_file_come_before_those_of_overrides(tmp_path: Path) -> None:
    faults = found(tmp_path, changed("doctors = 3", "doctors = 0"), **{"run.sed": "1"})
    assert [(f.line, f.where) for f in faults] == [(12, "params.doctors"), (0, "--set run.sed")]
