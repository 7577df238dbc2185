"""Scenario files: what is right is read as it stands, and what is wrong is named, all of it, where it stands."""

from __future__ import annotations

import json
import pickle
import re
import tomllib
from datetime import datetime
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any, Literal

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field, model_validator

from scenarios import files
from scenarios.files import Fault, ScenarioFaults, dump, load, restore, schema
from scenarios.mirror import CONFIG, mirrored
from scenarios.positions import Positions
from scenarios.wording import nearest, unit_of
from virtual_devices import faults
from virtual_devices.clock import TAIWAN
from virtual_devices.errors import UsageError
from virtual_devices.network import BurstyLoss, Delay, Network

ROOT = Path(__file__).parent.parent


class Params(BaseModel):
    """A counter with doctors behind it."""

    model_config = CONFIG

    doctors: Annotated[int, Field(ge=1, le=50)]
    """Physicians on duty."""
    virtual_share: Annotated[float, Field(ge=0, le=1)] = 0.4
    service_s: Annotated[float, Field(gt=0)] = 300.0
    """How long one patient takes."""
    carrier: Literal["ic-card", "virtual-card"] = "ic-card"
    stations: Annotated[tuple[str, ...], Field(min_length=1)] = ("registration",)
    offline: bool = False
    weights: dict[Literal["t0", "t1-nul"], float] = {}
    rooms: dict[Annotated[str, Field(pattern="^[A-Z]$")], int] = {}
    opens: str = "08:00"

    @model_validator(mode="after")
    def _enough_doctors(self) -> Params:
        if self.doctors > 9 and self.offline:
            raise ValueError("more than 9 doctors cannot work offline")
        return self


WHOLE = """\
# 診所早晨
situation = "toy"
title = "A toy clinic"
description = "Three doctors."

[run]
seed = 7
replications = 3
epoch = 2026-03-02T08:00:00+08:00

[params]
doctors = 3
virtual_share = 0.5
carrier = "virtual-card"
stations = ["registration", "consultation"]

[network]
bandwidth_kbit_s = 2000
loss = { kind = "bursty", bad_s = 2.5 }

[network.one_way]
median_ms = 10
p95_ms = 30

[[fault]]
id = "line-down"
kind = "outage"
on = "cloud"
start = "09:40"
end = "10:05"

[[fault]]
id = "pulled-out"
kind = "tear"
on = "card"
share = 0.01
"""


@pytest.fixture(autouse=True)
def toy(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The situations are what a scan would find if there were one more module, ``toy``."""
    module = ModuleType("scenarios.toy")
    module.Params = Params  # type: ignore[attr-defined]
    module.processes = print  # type: ignore[attr-defined]
    there = {"toy": module, "town_morning": module}
    monkeypatch.setattr(files, "situations", lambda: there)
    return module


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "clinic.toml"
    path.write_text(text, encoding="utf-8")
    return path


def found(tmp_path: Path, text: str, **overrides: str) -> list[Fault]:
    with pytest.raises(ScenarioFaults) as caught:
        load(written(tmp_path, text), overrides)
    return list(caught.value.faults)


def told(tmp_path: Path, text: str, **overrides: str) -> list[str]:
    """Every fault as its place in the file and its words, without the path."""
    return [str(fault).removeprefix(f"{tmp_path / 'clinic.toml'}:") for fault in found(tmp_path, text, **overrides)]


def changed(old: str, new: str) -> str:
    assert WHOLE.count(old) == 1, old
    return WHOLE.replace(old, new)


# --- what is right ----------------------------------------------------------------------------------------


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


def test_fault_in_a_file_with_dos_line_ends_has_its_place(tmp_path: Path) -> None:
    path = tmp_path / "clinic.toml"
    path.write_bytes(changed("doctors = 3", "doctors = 0").replace("\n", "\r\n").encode())
    with pytest.raises(ScenarioFaults) as caught:
        load(path)
    assert [(f.line, f.column) for f in caught.value.faults] == [(12, 11)]
    assert "\r" not in str(caught.value)


def test_scenario_can_be_sent_to_another_process(tmp_path: Path) -> None:
    scenario = load(written(tmp_path, WHOLE))
    assert pickle.loads(pickle.dumps(scenario)) == scenario


def test_faults_can_be_sent_to_another_process(tmp_path: Path) -> None:
    with pytest.raises(ScenarioFaults) as caught:
        load(written(tmp_path, changed("doctors = 3", "doctors = 0")))
    again = pickle.loads(pickle.dumps(caught.value))
    assert (str(again), again.faults) == (str(caught.value), caught.value.faults)


# --- what is wrong: the whole listing ---------------------------------------------------------------------


def test_listing_shows_each_line_with_a_mark_under_what_is_wrong(tmp_path: Path) -> None:
    text = changed("doctors = 3", "doctrs = 3").replace("virtual_share = 0.5", "virtual_share = 1.4")
    path = written(tmp_path, text)
    with pytest.raises(ScenarioFaults) as caught:
        load(path)
    assert str(caught.value) == f"""\
{path}:12:1: params.doctrs: unknown key; did you mean params.doctors?
  12 | doctrs = 3
     | ^^^^^^
{path}:13:17: params.virtual_share: must be at most 1 (a share), is 1.4
  13 | virtual_share = 1.4
     |                 ^^^
2 faults in {path}"""


def test_mark_stands_under_the_value_after_wide_characters(tmp_path: Path) -> None:
    text = 'situation = "toy"\ntitle = "t"\nparams = { doctors = 1, opens = "早上", carrier = "紙本" }\n'
    with pytest.raises(ScenarioFaults) as caught:
        load(written(tmp_path, text))
    _, line, mark, _ = str(caught.value).split("\n")
    assert caught.value.faults[0].column == 1 + line.removeprefix("  3 | ").index('"紙本"')
    assert mark == "    | " + " " * (caught.value.faults[0].column - 1 + 2) + "^" * 6


def test_everything_wrong_with_a_file_is_said_at_once(tmp_path: Path) -> None:
    text = '''\
situation = "toy"
title = 3
sed = 4
[run]
replications = 0
epoch = 2026-03-02T08:00:00
title = "late"
[params]
carrier = "ic-crad"
stations = "registration"
service_s = "300"
[network]
loss = { share = 0.1 }
one_way = { median_ms = 50, p95_ms = 3 }
[[fault]]
id = "a"
kind = "teer"
on = "card"
[[fault]]
id = "a"
kind = "outage"
on = "cloud"
[ntwork]
x = 1
'''
    assert told(tmp_path, text) == [
        "2:9: title: must be a text in quotes, is 3; put it in quotes",
        "3:1: sed: unknown key; there are: situation, title, description, run, network, fault, params",
        "5:16: run.replications: must be at least 1, is 0",
        "6:9: run.epoch: must be a date and time with its offset, such as 2026-03-02T08:00:00+08:00, without quotes, is the "
        "date and time 2026-03-02T08:00:00 without an offset; add the offset, +08:00 for Taiwan",
        "7:1: run.title: unknown key; title belongs at the top of the file, before the first [table]",
        "8:2: params.doctors: is missing; Physicians on duty.",
        '9:11: params.carrier: must be "ic-card" or "virtual-card", is the text "ic-crad"; did you mean "ic-card"?',
        '10:12: params.stations: must be a list, is the text "registration"',
        '11:13: params.service_s: must be a number, is the text "300"; remove the quotes',
        '13:1: network.loss.kind: is missing; write one of "bursty", "independent"',
        "14:1: network.one_way: p95_ms (3.0) must be at least median_ms (50.0), and neither negative",
        '17:8: fault.0.kind: must be "loss_before", "loss_after", "delay", "garble", "hang", "outage" or "tear", is the text '
        '"teer"; did you mean "tear"?',
        "19:3: fault.1: an outage needs start and end",
        "20:6: fault.1.id: is used already, in line 16; give each fault its own id",
        "23:2: ntwork: unknown table; there are: situation, title, description, run, network, fault, params",
    ]


# --- what is wrong: one thing at a time -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("doctors = 3", "doctors = 3.0", "12:11: params.doctors: must be a whole number, is 3.0"),
        ("doctors = 3", 'doctors = "3"', '12:11: params.doctors: must be a whole number, is the text "3"; remove the quotes'),
        ("doctors = 3", 'doctors = "many"', '12:11: params.doctors: must be a whole number, is the text "many"'),
        ("doctors = 3", "doctors = true", "12:11: params.doctors: must be a whole number, is true"),
        ("doctors = 3", "doctors = 51", "12:11: params.doctors: must be at most 50, is 51"),
        ("doctors = 3", "", "11:2: params.doctors: is missing; Physicians on duty."),
        ("doctors = 3", "doctors = 3\nservice_s = 0", "13:13: params.service_s: must be more than 0 (seconds), is 0"),
        ("doctors = 3", "doctors = 3\nservice_s = nan", "13:13: params.service_s: must be a finite number, is nan"),
        ("doctors = 3", "doctors = 3\noffline = 'true'", '13:11: params.offline: must be true or false, is the text "true"; '
         "remove the quotes"),
        ("doctors = 3", "doctors = 3\nweights = { t0 = 1, t1nul = 2 }", "13:21: params.weights.t1nul: unknown key; did you mean "
         "params.weights.t1-nul?"),
        ("doctors = 3", "doctors = 3\nweights = { other = 2 }", "13:13: params.weights.other: unknown key; there are: t0, "
         "t1-nul"),
        ("doctors = 3", "doctors = 3\nweights.t0 = true", "13:14: params.weights.t0: must be a number, is true"),
        ("doctors = 3", "doctors = 3\nrooms = { a = 2 }", "13:11: params.rooms.a: this key must look like ^[A-Z]$, is the "
         'text "a"'),
        ("doctors = 3", "doctors = 12\noffline = true", "11:2: params: more than 9 doctors cannot work offline"),
        ('["registration", "consultation"]', "[]", "15:12: params.stations: must have at least 1 entries, is a list"),
        ('["registration", "consultation"]', '["a", 2]', "15:18: params.stations.1: must be a text in quotes, is 2; put it in "
         "quotes"),
        ('title = "A toy clinic"', 'title = ""', '3:9: title: must have at least 1 characters, is the text ""'),
        ('title = "A toy clinic"', "", "1:1: title: is missing; A short name, for reports."),
        ('situation = "toy"', 'situation = "toi"', '2:13: situation: there is no situation "toi"; there are: toy, town_morning; '
         'did you mean "toy"?'),
        ('situation = "toy"', "situation = 1", "2:13: situation: must be a text in quotes, is 1; put it in quotes"),
        ("seed = 7", "seed = -1", "7:8: run.seed: must be at least 0, is -1"),
        ("seed = 7", "sead = 7", "7:1: run.sead: unknown key; did you mean run.seed?"),
        ("seed = 7", "doctors = 7", "7:1: run.doctors: unknown key; it belongs in [params]"),
        ("replications = 3", "replications = 10001", "8:16: run.replications: must be at most 10000, is 10001"),
        ("epoch = 2026", "epoch = 1926", "9:9: run.epoch: must be at least 1970-01-01T00:00:00Z, is the date and time "
         "1926-03-02T08:00:00+08:00"),
        ("[run]", "[[run]]", "6:3: run: must be a table, is a list; write [run], with single brackets"),
        ("loss = { kind", "loss = { knd", '19:1: network.loss.kind: is missing; write one of "bursty", "independent"'),
        ('"bursty"', '"brsty"', '19:17: network.loss.kind: must be "bursty" or "independent", is the text "brsty"; did you mean '
         '"bursty"?'),
        ("bad_s = 2.5", "bad_z = 2.5", "19:27: network.loss.bad_z: unknown key; did you mean network.loss.bad_s?"),
        ("bad_s = 2.5", "bad_s = 0", "19:1: network.loss: good_s and bad_s must be above 0"),
        ("p95_ms = 30", "p95_ms = 3", "21:10: network.one_way: p95_ms (3.0) must be at least median_ms (10.0), and neither "
         "negative"),
        ('start = "09:40"', 'start = "11:40"', "25:3: fault.0: end (10:05) must be later than start (11:40)"),
        ('id = "line-down"', "", "25:3: fault.0.id: is missing; A name of its own, for rows and reports."),
        ("share = 0.01", "share = 0.01\n[[fault.x]]", "37:9: fault.1.x: unknown key; there are: id, kind, on, share, start, end, "
         "steps, extra_ms, limit"),
    ],
)  # fmt: skip
def test_mistake_is_told_in_plain_words_at_its_place(tmp_path: Path, old: str, new: str, says: str) -> None:
    assert says in told(tmp_path, changed(old, new))


def test_misspelt_key_is_one_fault_not_two(tmp_path: Path) -> None:
    assert told(tmp_path, changed("doctors = 3", "doctrs = 3")) == [
        "12:1: params.doctrs: unknown key; did you mean params.doctors?"
    ]


def test_misspelt_table_is_one_fault_not_two(tmp_path: Path) -> None:
    assert told(tmp_path, changed("[params]", "[parms]")) == ["11:2: parms: unknown key; did you mean params?"]


def test_missing_table_is_named_for_what_is_missing_in_it(tmp_path: Path) -> None:
    assert told(tmp_path, 'situation = "toy"\ntitle = "t"\n') == [
        "1:1: params.doctors: is missing; add it under [params]: Physicians on duty."
    ]


def test_single_brackets_round_fault_are_explained(tmp_path: Path) -> None:
    text = WHOLE[: WHOLE.index("[[fault]]")] + '[fault]\nid = "a"\n'
    assert told(tmp_path, text) == ["25:2: fault: must be a list, is a table; write [[fault]], with double brackets"]


def test_no_word_of_the_checking_library_comes_through(tmp_path: Path) -> None:
    values = ["1", "-1", "1.5", "nan", "true", '"x"', "[]", "[1]", "{}", "{ x = 1 }", "2026-03-02", "08:00:00", "1e400"]
    for line in [line for line in WHOLE.split("\n") if " = " in line]:
        for value in values:
            text = changed(f"{line}\n", f"{line.split(' = ')[0]} = {value}\n")
            try:
                load(written(tmp_path, text))
            except ScenarioFaults as caught:
                assert not re.search(r"Input|Literal|pydantic|dict|str\b|tuple|instance|Value error|None", str(caught))


# --- syntax -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("doctors = 3", "doctors = three", '12:11: cannot be read as TOML: invalid value; a text needs quotes: "three"'),
        ("doctors = 3", "doctors: 3", "12:8: cannot be read as TOML: expected '=' after a key in a key/value pair; write = "
         "between a key and its value"),
        ('"virtual-card"', '"virtual-card', "14:24: cannot be read as TOML: illegal character '\\n'; close the quotes before the "
         "end of the line"),
        ("[run]", "[run", "6:5: cannot be read as TOML: expected ']' at the end of a table declaration"),
        ('"consultation"]', '"consultation"', "17:1: cannot be read as TOML: unclosed array; a [ further up is never closed"),
        ("doctors = 3", "doctors =", "12:10: cannot be read as TOML: invalid value"),
    ],
)  # fmt: skip
def test_syntax_error_is_told_at_its_place(tmp_path: Path, old: str, new: str, says: str) -> None:
    assert told(tmp_path, changed(old, new)) == [says]


def test_every_unreadable_line_is_told_and_the_rest_still_checked(tmp_path: Path) -> None:
    text = changed("seed = 7", "seed = seven").replace("doctors = 3", "doctors = three").replace("0.5", "1.5")
    assert [t.split(";")[0] for t in told(tmp_path, text)] == [
        "7:8: cannot be read as TOML: invalid value",
        "12:11: cannot be read as TOML: invalid value",
        "13:17: params.virtual_share: must be at most 1 (a share), is 1.5",
    ]


def test_key_given_twice_names_the_line_of_the_first(tmp_path: Path) -> None:
    text = changed("seed = 7", "seed = 7\nseed = 8").replace("0.5", "1.5")
    assert told(tmp_path, text) == [
        "8:1: run.seed: this key is there already, in line 7; keep one of the two",
        "14:17: params.virtual_share: must be at most 1 (a share), is 1.5",
    ]


def test_table_given_twice_names_the_line_of_the_first(tmp_path: Path) -> None:
    assert told(tmp_path, WHOLE + "[run]\n") == ["37:2: run: this table [run] is there already, in line 6; keep one of the two"]


def test_text_that_ends_too_early_is_pointed_at_in_its_last_line(tmp_path: Path) -> None:
    faults = found(tmp_path, 'situation = "toy"\ntitle = """open\n\n')
    assert [(f.line, f.hint) for f in faults] == [(2, "close the quotes")]


def test_deep_nesting_is_a_fault_and_not_a_crash(tmp_path: Path) -> None:
    assert "nested too deeply" in told(tmp_path, f"x = {'[' * 5000}{']' * 5000}\n")[0]
    found(tmp_path, f"x = {'[' * 150}{']' * 150}\n")
    found(tmp_path, "x = " + "{ a = " * 150 + "1" + " }" * 150 + "\n")


# --- files that are no scenario ---------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["", "\n \n", "\ufeff"])
def test_empty_file_says_how_to_begin(tmp_path: Path, text: str) -> None:
    assert told(tmp_path, text) == ['1:1: is empty; begin with: situation = "toy"']


def test_file_of_comments_lacks_what_every_file_has(tmp_path: Path) -> None:
    assert [f.where for f in found(tmp_path, "# nothing\n")] == ["situation", "title"]


def test_directory_is_no_scenario_file(tmp_path: Path) -> None:
    with pytest.raises(ScenarioFaults, match=r"is a directory, not a scenario file; name a \.toml file in it"):
        load(tmp_path)


def test_file_that_is_not_there_suggests_one_that_is(tmp_path: Path) -> None:
    path = written(tmp_path, WHOLE)
    with pytest.raises(ScenarioFaults, match=r"there is no such file; did you mean .*clinic\.toml\?"):
        load(path.with_name("clinc.toml"))
    with pytest.raises(ScenarioFaults, match="there is no such file"):
        load(tmp_path / "nowhere" / "clinic.toml")


def test_file_that_is_not_utf8_is_pointed_at_where_it_stops_being(tmp_path: Path) -> None:
    path = tmp_path / "clinic.toml"
    path.write_bytes('situation = "toy"\ntitle = "診所'.encode() + "診所".encode("big5") + b'"\n')
    with pytest.raises(ScenarioFaults) as caught:
        load(path)
    (fault,) = caught.value.faults
    assert (fault.line, fault.column, fault.hint) == (2, 12, "save it as UTF-8 in the editor")


def test_path_with_a_null_character_is_a_fault() -> None:
    with pytest.raises(ScenarioFaults, match="cannot be read"):
        load(Path("a\0b.toml"))


# --- overrides --------------------------------------------------------------------------------------------


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
        ("network.one_way.p95_ms", "1", "--set network.one_way.p95_ms: p95_ms (1.0) must be at least median_ms (10.0), and "
         "neither negative"),
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


# --- dump, restore, schema --------------------------------------------------------------------------------


def test_dump_is_json_with_every_default_filled_in(tmp_path: Path) -> None:
    dumped = dump(load(written(tmp_path, WHOLE)))
    assert json.loads(json.dumps(dumped)) == dumped
    assert list(dumped) == ["situation", "title", "description", "run", "network", "fault", "params"]
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


# --- situations -------------------------------------------------------------------------------------------


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


# --- parts ------------------------------------------------------------------------------------------------


def test_union_that_cannot_be_told_apart_is_our_mistake() -> None:
    with pytest.raises(TypeError, match="no Literal field"):
        mirrored(Delay | Network)


@pytest.mark.parametrize(
    ("key", "unit"),
    [
        ("service_s", "seconds"), ("p95_ms", "milliseconds"), ("share", "a share"), ("share_bad", "a share"),
        ("horizon_h", "hours"),
        ("bandwidth_kbit_s", "kbit/s"), ("doctors", ""), ("s", ""), ("arrivals_per_h", "per hour"), ("limit", ""),
        ("write_ms_per_64_bytes", "milliseconds per 64 bytes"),
    ],
)  # fmt: skip
def test_unit_is_read_off_the_name(key: str, unit: str) -> None:
    assert unit_of(key) == unit


def test_nearest_word_ignores_case_and_gives_up_on_strangers() -> None:
    assert nearest("Doctors", ["doctors", "door"]) == "doctors"
    assert nearest("xylophone", ["doctors"]) == ""


def test_positions_follow_every_way_of_writing_a_key() -> None:
    text = 'a.b = 1\n"c d" = { e = [1, { f = 2 }] }\n[[g]]\nh.i = 3\n[[g]]\n[g.j]\nk = 4\n[l.m.n]\n'
    places = Positions(text)
    spots = {
        ("a", "b"): (1, 7), ("c d",): (2, 9), ("c d", "e", 0): (2, 16), ("c d", "e", 1, "f"): (2, 25), ("g", 0, "h", "i"): (4, 7),
        ("g", 1): (5, 3), ("g", 1, "j", "k"): (7, 5), ("l",): (8, 2), ("l", "m"): (8, 4), ("nowhere",): (1, 1),
    }  # fmt: skip
    assert {path: (places.value(path).line, places.value(path).column) for path in spots} == spots
    assert (places.key(("g", 1, "j", "k")).line, places.key(("g", 1, "j", "k")).column) == (7, 1)


def leaves(data: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    if isinstance(data, dict):
        return [leaf for key, value in data.items() for leaf in leaves(value, (*path, key))]
    if isinstance(data, list):
        return [leaf for index, value in enumerate(data) for leaf in leaves(value, (*path, index))]
    return [path]


def test_every_value_of_a_file_has_a_position_of_its_own() -> None:
    places = Positions(WHOLE)
    spots = [places.value(path) for path in leaves(tomllib.loads(WHOLE))]
    assert len(set(spots)) == len(spots)
    for path, spot in zip(leaves(tomllib.loads(WHOLE)), spots, strict=True):
        text = WHOLE.split("\n")[spot.line - 1][spot.column - 1 :][: spot.width]
        value: Any = tomllib.loads(WHOLE)
        for part in path:
            value = value[part]
        assert tomllib.loads(f"x = {text}")["x"] == value


# --- any mutation -----------------------------------------------------------------------------------------

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
        load(written(tmp_path, WHOLE), overrides)
    except ScenarioFaults as caught:
        for fault in caught.faults:
            assert fault.line > 0 or fault.where.removeprefix("--set ") in overrides


REFERENCE = ROOT / "docs" / "reference" / "scenario-file.md"


def test_reference_page_shows_a_file_that_can_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    examples = re.findall(r"```toml\n(.*?)```", REFERENCE.read_text(encoding="utf-8"), re.DOTALL)
    assert examples
    for text in examples:
        load(written(tmp_path, text))


def test_files_that_come_with_the_bench_can_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    paths = sorted((ROOT / "scenarios").glob("*.toml"))
    assert paths
    for path in paths:
        scenario = load(path)
        assert restore(json.loads(json.dumps(dump(scenario)))) == scenario
        assert schema(scenario.situation)["properties"]["situation"]["const"] == scenario.situation


@pytest.mark.parametrize("table", ["Run", "Network", "Delay", "IndependentLoss", "BurstyLoss", "Fault"])
def test_reference_page_names_every_key(table: str) -> None:
    text = REFERENCE.read_text(encoding="utf-8")
    for key in schema("toy")["$defs"][table]["properties"]:
        assert f"| `{key}` |" in text, key


def test_reference_page_gives_each_kind_of_fault_with_its_codes() -> None:
    text = REFERENCE.read_text(encoding="utf-8")
    for name, kind in faults.KINDS.items():
        assert re.search(rf"^\| `{name}` \|.*\| {kind.network_code} \| {kind.card_code} \|$", text, re.MULTILINE), name


def test_reference_page_states_the_defaults() -> None:
    """Every number in a default column is that of the code."""
    text = REFERENCE.read_text(encoding="utf-8")
    for table in ("Run", "Network", "Delay", "IndependentLoss", "BurstyLoss", "Fault"):
        for key, node in schema("toy")["$defs"][table]["properties"].items():
            default = node.get("default")
            if isinstance(default, int | float):
                row = re.search(rf"^\|.*\| `{key}` \|.*$|^\| `{key}` \|.*$", text, re.MULTILINE)
                assert row and re.search(rf"\| {default:g} \|", row[0]), key
