"""A scenario file is checked whole: every fault in it at once, each at its own place, whatever else is wrong."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from scenarios.files import ScenarioFaults, load

from .places import ROOT

MISTAKES = """\
situation = "clinic_morning"
titel = "Everything wrong"                                #! titel: unknown key; did you mean title?

[run]
replications = 0                                          #! run.replications: must be at least 1, is 0
sead = -3                                                 #! run.sead: unknown key; did you mean run.seed? #! run.seed: must be at least 0, is -3
epoch = 2026-03-02T08:00:00+08:00
horizon_h = -1                                            #! run.horizon_h: must be more than 0 (hours), is -1

[params]
opens = "8:20pm"                                          #! params.opens: '8:20pm' is not a time of day: write HH:MM or HH:MM:SS
institution = 9901180014                                  #! params.institution: must be a text in quotes, is 9901180014; put it in quotes
journey = ["registration", "consultation", "registration", "pricing"] #! params.journey: names a station twice
retry_uploads_s = 0                                       #! params.retry_uploads_s: must be more than 0 (seconds), is 0

[params.stations.consultation]
staf = 2                                                  #! params.stations.consultation.staf: unknown key; did you mean params.stations.consultation.staff?
service = { median_s = 300, p95_s = 30 }                  #! params.stations.consultation.service.p95_s: p95_s (30) must be at least median_s (300)

[params.station.pricing]                                  #! params.station: unknown key; did you mean params.stations?
staff = 0                                                 #! params.stations.pricing.staff: must be at least 1, is 0

[params.arrivals]
booked_share = 45                                         #! params.arrivals.booked_share: must be at most 1 (a share), is 45

[[params.arrivals.bands]]
start = "07:30"                                           #! params.arrivals.bands.0.start: 07:30 lies before 08:00 (Taiwan time), when run.epoch begins the day
end = "08:60"                                             #! params.arrivals.bands.0.end: '08:60' is not a time of day: hours 00 to 24, minutes and seconds 00 to 59
per_hour = -1                                             #! params.arrivals.bands.0.per_hour: must be at least 0, is -1

[[params.arrivals.bands]]
start = "10:00"
end = "09:00"                                             #! params.arrivals.bands.1.end: end (09:00) must be later than start (10:00)
per_hour = 4

[params.cards]
profiles = { t1 = 0 }                                     #! params.cards.profiles: needs at least one kind of card with a weight above 0

[params.policy]
cloud_tries = 0                                           #! params.policy.cloud_tries: must be at least 1, is 0

[network]
bandwidth_kbit_s = 0                                      #! network.bandwidth_kbit_s: must be more than 0 (kbit/s), is 0
one_way = { median_ms = 100 }                             #! network.one_way.median_ms: p95_ms (40) must be at least median_ms (100)

[network.loss]
kind = "brsty"                                            #! network.loss.kind: must be "bursty" or "independent", is the text "brsty"; did you mean "bursty"?
good_s = -1                                               #! network.loss.good_s: must be more than 0 (seconds), is -1
share_bad = 40                                            #! network.loss.share_bad: must be at most 1 (a share), is 40

[[fault]]
id = "a"
kind = "outage"
on = "cloudd"                                             #! fault.0.on: must be "card", "sam", "hpc", "cloud" or "wallet", is the text "cloudd"; did you mean "cloud"?
start = "25:00"                                           #! fault.0.start: '25:00' is not a time of day: hours 00 to 24, minutes and seconds 00 to 59
end = "07:00"                                             #! fault.0.end: 07:00 is too early: run.epoch begins the day at 08:00 (Taiwan time)

[[fault]]                                                 #! fault.1.share: a fault of kind 'delay' needs share above 0, the chance that it strikes an exchange
id = "a"                                                  #! fault.1.id: is used already, in line 52; give each fault its own id
kind = "dely"                                             #! fault.1.kind: must be "loss_before", "loss_after", "delay", "garble", "hang", "outage", "tear", "dns", "tls_expired", "clock_skew", "half_open" or "slow", is the text "dely"; did you mean "delay"?
on = "cloudd"                                             #! fault.1.on: must be "card", "sam", "hpc", "cloud" or "wallet", is the text "cloudd"; did you mean "cloud"?
extra_ms = -4                                             #! fault.1.extra_ms: must be at least 0 (milliseconds), is -4
limit = "2"                                               #! fault.1.limit: must be a whole number, is the text "2"; remove the quotes

[[falt]]                                                  #! falt: unknown key; did you mean fault?
id = "c"
kind = "tear"
on = "card"
shar = 0.1                                                #! fault.2.shar: unknown key; did you mean fault.2.share?
extra_ms = 3                                              #! fault.2.extra_ms: a fault of kind 'tear' takes no extra_ms: clock_skew, delay, half_open do
"""  # fmt: skip  # noqa: E501
LINES = MISTAKES.split("\n")


def wanted() -> list[tuple[int, str]]:
    return [(number, says.strip()) for number, line in enumerate(LINES, 1) for says in line.split("#! ")[1:]]


def told(path: Path, text: str, **overrides: str) -> list[tuple[int, str]]:
    path.write_text(re.sub(r" *#! .*", "", text), encoding="utf-8")
    with pytest.raises(ScenarioFaults) as caught:
        load(path, overrides)
    return [(f.line, f"{f.where}: {f.message}" + (f"; {f.hint}" if f.hint else "")) for f in caught.value.faults]


def test_every_mistake_in_every_table_is_told_once_at_its_own_place(tmp_path: Path) -> None:
    assert len(wanted()) > 30
    assert told(tmp_path / "f.toml", MISTAKES) == wanted()


def test_mark_stands_under_the_very_value(tmp_path: Path) -> None:
    path = tmp_path / "f.toml"
    told(path, MISTAKES)
    with pytest.raises(ScenarioFaults) as caught:
        load(path)
    lines = path.read_text(encoding="utf-8").split("\n")
    for fault in caught.value.faults:
        text, key = lines[fault.line - 1][fault.column - 1 :], fault.where.split(".")[-1]
        if fault.message.startswith("unknown key"):
            assert text.startswith(key)
        elif not text.startswith("fault"):  # a key that is missing is pointed at by its table
            written = "sead" if key == "seed" else key
            assert re.search(rf"\b{written}\s*=\s*$", lines[fault.line - 1][: fault.column - 1]), fault


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ('situatoin = "clinic_morning"', "situatoin: unknown key; did you mean situation?"),
        ('situation = "clinic_mornin"', 'situation: there is no situation "clinic_mornin"; there are: clinic_morning, district, '
         'home_visit, pharmacy; did you mean "clinic_morning"?'),
    ],
)  # fmt: skip
def test_misspelt_situation_hides_nothing(tmp_path: Path, line: str, says: str) -> None:
    text = MISTAKES.replace('situation = "clinic_morning"', line)
    assert told(tmp_path / "f.toml", text) == [(1, says), *wanted()]


def test_situation_in_a_table_hides_nothing(tmp_path: Path) -> None:
    text = "\n".join([*LINES[1:5], LINES[0], *LINES[5:]])
    (first, says), *others = told(tmp_path / "f.toml", text)
    assert (others[1], len(others)) == (
        (5, "run.situation: unknown key; situation belongs at the top of the file, before the first [table]"), len(wanted())
    )  # fmt: skip
    assert (first, says) == (1, "titel: unknown key; did you mean title?")


def test_misspelt_table_hides_nothing(tmp_path: Path) -> None:
    text = MISTAKES.replace("[params", "[parms").replace("[network", "[netwrk").replace("[run]", "[rn]")
    found = told(tmp_path / "f.toml", text)
    tables = {"rn": "run", "parms": "params", "netwrk": "network"}
    assert [one for one in found if one[1].split(":")[0] not in tables] == wanted()
    assert [says for _, says in found if says.split(":")[0] in tables] == [
        f"{wrong}: unknown key; did you mean {right}?" for wrong, right in tables.items()
    ]


@pytest.mark.parametrize("wrong", ["", "at all = ", "= 3", '"open'])
def test_line_that_is_no_toml_hides_no_other(tmp_path: Path, wrong: str) -> None:
    text = MISTAKES.replace("prescriptions_max", "").replace("[run]\n", f"[run]\n{wrong}\n")
    after = [(line + (line > 4), says.replace("in line 52", "in line 53")) for line, says in wanted()]
    found = [one for one in told(tmp_path / "f.toml", text) if "cannot be read as TOML" not in one[1]]
    lost = [one for one in after if one not in found]
    assert found == [one for one in after if one in found]
    # what may have stood in the line that cannot be read is not missing
    assert [says for _, says in lost] == ([says for _, says in after if "median_ms (100)" in says or "needs share" in says]
                                          if wrong else [])  # fmt: skip


def test_table_without_its_kind_is_checked_by_what_is_in_it(tmp_path: Path) -> None:
    text = 'situation = "clinic_morning"\ntitle = "t"\n[network]\nloss = { good_s = -1, shar_bad = 2 }\n'
    assert told(tmp_path / "f.toml", text) == [
        (4, 'network.loss.kind: is missing; write one of "bursty", "independent"'),
        (4, "network.loss.good_s: must be more than 0 (seconds), is -1"),
        (4, "network.loss.shar_bad: unknown key; did you mean network.loss.share_bad?"),
        (4, "network.loss.share_bad: must be at most 1 (a share), is 2"),
    ]


# --- times of day against the epoch


MORNING = (ROOT / "scenarios" / "clinic_morning.toml").read_text(encoding="utf-8")


def test_epoch_after_the_bands_is_told_where_the_epoch_was_set(tmp_path: Path) -> None:
    assert told(tmp_path / "f.toml", MORNING, **{"run.epoch": "2026-03-02T23:00:00+08:00"}) == [
        (0, "--set run.epoch: begins the day at 23:00 (Taiwan time), after params.arrivals.bands.0.start (08:30)")
    ]
    text = MORNING.replace("epoch = 2026-03-02T08:00:00+08:00", "epoch = 2026-03-02T15:00:00Z").replace('opens = "08:20"', "")
    assert told(tmp_path / "f.toml", text) == [
        (9, "run.epoch: begins the day at 23:00 (Taiwan time), after params.arrivals.bands.0.start (08:30)"),
        (25, "fault.0.end: 10:05 is too early: run.epoch begins the day at 23:00 (Taiwan time)"),
    ]


def test_opening_before_the_epoch_or_after_the_last_patient_is_told(tmp_path: Path) -> None:
    for opens, says in (
        ("07:59", "07:59 lies before 08:00 (Taiwan time), when run.epoch begins the day"),
        ("23:59", "23:59 is too late: the last patient comes before 12:00"),
    ):
        assert told(tmp_path / "f.toml", MORNING, **{"params.opens": opens}) == [(0, f"--set params.opens: {says}")]
        assert told(tmp_path / "f.toml", MORNING.replace("08:20", opens)) == [(12, f"params.opens: {says}")]


def test_band_before_the_epoch_is_told_at_its_start(tmp_path: Path) -> None:
    bands = '[{start = "07:00", end = "09:00", per_hour = 3}]'
    text = MORNING.replace("[network]\n", f"arrivals.bands = {bands}\n[network]\n")
    ((_, says),) = told(tmp_path / "f.toml", text)
    assert says == "params.arrivals.bands.0.start: 07:00 lies before 08:00 (Taiwan time), when run.epoch begins the day"
    assert load(written(tmp_path, text.replace("T08:00:00", "T07:00:00")))


def test_epoch_in_another_offset_is_taken_by_its_time_in_taiwan(tmp_path: Path) -> None:
    assert load(written(tmp_path, MORNING.replace("2026-03-02T08:00:00+08:00", "2026-03-02T00:00:00Z")))


def test_times_without_quotes_are_compared_as_well(tmp_path: Path) -> None:
    text = MORNING.replace('start = "09:40"', "start = 05:40:00").replace('end = "10:05"', "end = 06:00:00")
    ((_, says),) = told(tmp_path / "f.toml", text)
    assert says == "fault.0.end: 06:00:00 is too early: run.epoch begins the day at 08:00 (Taiwan time)"


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "g.toml"
    path.write_text(text, encoding="utf-8")
    return path
