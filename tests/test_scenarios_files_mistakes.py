"""What is wrong in a scenario file is told in plain words, all of it, each thing at its place."""

from __future__ import annotations

import pickle
import re
from pathlib import Path

import pytest

from scenarios.files import ScenarioFaults, load

from . import scenario_text
from .scenario_text import WHOLE, changed, told, written

toy = scenario_text.toy


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


def test_fault_in_a_file_with_dos_line_ends_has_its_place(tmp_path: Path) -> None:
    path = tmp_path / "clinic.toml"
    path.write_bytes(changed("doctors = 3", "doctors = 0").replace("\n", "\r\n").encode())
    with pytest.raises(ScenarioFaults) as caught:
        load(path)
    assert [(f.line, f.column) for f in caught.value.faults] == [(12, 11)]
    assert "\r" not in str(caught.value)


def test_faults_can_be_sent_to_another_process(tmp_path: Path) -> None:
    with pytest.raises(ScenarioFaults) as caught:
        load(written(tmp_path, changed("doctors = 3", "doctors = 0")))
    again = pickle.loads(pickle.dumps(caught.value))
    assert (str(again), again.faults) == (str(caught.value), caught.value.faults)


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
        "3:1: sed: unknown key; there are: situation, title, description, profiles, run, network, fault, params",
        "5:16: run.replications: must be at least 1, is 0",
        "6:9: run.epoch: must be a date and time with its offset, such as 2026-03-02T08:00:00+08:00, without quotes, is the "
        "date and time 2026-03-02T08:00:00 without an offset; add the offset, +08:00 for Taiwan",
        "7:1: run.title: unknown key; title belongs at the top of the file, before the first [table]",
        "8:2: params.doctors: is missing; Physicians on duty.",
        '9:11: params.carrier: must be "ic-card" or "virtual-card", is the text "ic-crad"; did you mean "ic-card"?',
        '10:12: params.stations: must be a list, is the text "registration"',
        '11:13: params.service_s: must be a number, is the text "300"; remove the quotes',
        '13:1: network.loss.kind: is missing; write one of "bursty", "independent"',
        "14:38: network.one_way.p95_ms: p95_ms (3) must be at least median_ms (50)",
        "15:3: fault.0.share: a fault of kind 'tear' needs share above 0, the chance that it strikes an exchange",
        '17:8: fault.0.kind: must be "loss_before", "loss_after", "delay", "garble", "hang", "outage", "tear", "dns", '
        '"tls_expired", "clock_skew", "half_open" or "slow", is the text "teer"; did you mean "tear"?',
        "19:3: fault.1.start: an outage needs start",
        "19:3: fault.1.end: an outage needs end",
        "20:6: fault.1.id: is used already, in line 16; give each fault its own id",
        "23:2: ntwork: unknown key; did you mean network?",
        "24:1: network.x: unknown key; there are: one_way, service, bandwidth_kbit_s, loss, line",
    ]


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
        ("loss = { kind", "loss = { knd", "19:10: network.loss.knd: unknown key; did you mean network.loss.kind?"),
        ('"bursty"', '"brsty"', '19:17: network.loss.kind: must be "bursty" or "independent", is the text "brsty"; did you mean '
         '"bursty"?'),
        ("bad_s = 2.5", "bad_z = 2.5", "19:27: network.loss.bad_z: unknown key; did you mean network.loss.bad_s?"),
        ("bad_s = 2.5", "bad_s = 0", "19:35: network.loss.bad_s: must be more than 0 (seconds), is 0"),
        ("p95_ms = 30", "p95_ms = 3", "23:10: network.one_way.p95_ms: p95_ms (3) must be at least median_ms (10)"),
        ('start = "09:40"', 'start = "11:40"', "30:7: fault.0.end: end (10:05) must be later than start (11:40)"),
        ('id = "line-down"', "", "25:3: fault.0.id: is missing; A name of its own, for rows and reports."),
        ("share = 0.01", "share = 0.01\n[[fault.x]]", "37:9: fault.1.x: unknown key; there are: id, kind, on, share, start, end, "
         "steps, extra_ms, limit, kbit_s"),
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
    refused = 0
    for line in [line for line in WHOLE.split("\n") if " = " in line]:
        for value in values:
            text = changed(f"{line}\n", f"{line.split(' = ')[0]} = {value}\n")
            try:
                load(written(tmp_path, text))
            except ScenarioFaults as caught:
                refused += 1
                assert not re.search(r"Input|Literal|pydantic|dict|str\b|tuple|instance|Value error|None", str(caught))
    assert refused > 200
