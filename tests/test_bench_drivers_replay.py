"""What a run directory holds, as a device: byte for byte, in its times; what differs is told, and nothing is made up."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from bench.cli import main
from bench.drivers import replay
from bench.rig import Rig
from bench.run import Result, run
from scenarios.files import Scenario, load
from virtual_devices.errors import LinkError, UsageError
from virtual_devices.link import Outcome, Provenance
from virtual_devices.trace import ExchangeRow, Row

from .places import MORNING
from .run_directories import EXCHANGE, read_table, write_run

SHORT = {"run.replications": "1", "params.arrivals.bands": '[{start="09:15", end="09:45", per_hour=24}]'}


def scenario(**more: str) -> Scenario:
    return load(MORNING, {**SHORT, **more})


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Result:
    return run(scenario(), tmp_path_factory.mktemp("recorded") / "run", Rig())


def without_origin(directory: Path, table: str) -> list[dict[str, object]]:
    origin = ("device", "devices", "provenance")
    return [{k: v for k, v in row.items() if k not in origin} for row in read_table(directory, table)]


@pytest.mark.parametrize("roles", [("card", "wallet"), ("sam", "hpc", "cloud")], ids=" ".join)
def test_run_played_again_from_its_record_is_the_same_but_for_its_origin(
    recorded: Result, tmp_path: Path, roles: tuple[str, ...],
) -> None:
    rig = Rig.of(dict.fromkeys(roles, f"replay:{recorded.directory}"))
    rig.check(scenario())
    result = run(scenario(), tmp_path / "run", rig)
    assert (result.visits, result.broken) == (recorded.visits, 0)
    for table in ("exchanges", "visits", "faults", "ledger", "switches"):
        assert without_origin(result.directory, table) == without_origin(recorded.directory, table), table
    rows = read_table(result.directory, "exchanges")
    assert {row["provenance"] for row in rows if row["role"] in roles} == {"replayed"}
    assert {row["provenance"] for row in rows if row["role"] not in roles} == {"modelled"}


def test_request_that_differs_is_told_and_ends_the_flow(recorded: Result, tmp_path: Path) -> None:
    """Another institution asks: the first exchange that says so parts from the record, in each visit."""
    rig = Rig(f"replay:{recorded.directory}")
    result = run(scenario(**{"params.institution": '"9901180099"'}), tmp_path / "run", rig)
    switches = read_table(result.directory, "switches")
    assert switches and {row["now"] for row in switches} == {"gone"}
    assert "differs at byte" in switches[0]["reason"] and "recorded" in switches[0]["reason"] and "step" in switches[0]["reason"]
    replayed = [row for row in read_table(result.directory, "exchanges") if row["provenance"] == "replayed"]
    assert "gone" in {row["outcome"] for row in replayed}


def test_run_that_parts_from_its_record_is_no_pass_and_says_why(recorded: Result, tmp_path: Path) -> None:
    given = [part for key, value in SHORT.items() for part in ("--set", f"{key}={value}")]
    command = ["run", str(MORNING), *given, "--card", f"replay:{recorded.directory}", "--out"]
    done = CliRunner().invoke(main, [*command, str(tmp_path / "same"), "-q"])
    assert done.exit_code == 0, done.output
    done = CliRunner().invoke(main, [*command, str(tmp_path / "other"), "-q", "--set", 'params.institution="9901180099"'])
    assert done.exit_code == 1
    assert "parted from the record; the scenario is another than the record's in params.institution. The first: " in done.output


def test_more_replications_than_were_recorded_are_refused(recorded: Result) -> None:
    with pytest.raises(UsageError, match="has 1 of the 5 replications: give -n 1"):
        Rig(f"replay:{recorded.directory}").check(scenario(**{"run.replications": "5"}))


def test_record_of_another_seed_is_refused_before_the_run(recorded: Result) -> None:
    with pytest.raises(UsageError, match="recorded with seed 1"):
        Rig(f"replay:{recorded.directory}").check(scenario(**{"run.seed": "2"}))


def test_replay_and_a_real_device_are_not_mixed(recorded: Result) -> None:
    with pytest.raises(UsageError, match="not both"):
        Rig("auto", cloud=f"replay:{recorded.directory}")


# -- by itself

def exchange(request: bytes, reply: bytes | None, **more: object) -> ExchangeRow:
    outcome = "timed_out" if reply is None else "replied"
    row = replace(EXCHANGE, request=request, request_bytes=len(request), reply=reply or b"", outcome=outcome,
                  reply_bytes=-1 if reply is None else len(reply))
    return replace(row, **more)  # type: ignore[arg-type]


ROWS = (
    exchange(b"", b"ATR", sent_ns=7), exchange(b"one", b"1"), exchange(b"two", None, duration_ns=5),
    exchange(b"three", b"3", session="s1"),
)


def written(folder: Path, rows: Iterator[Row]) -> Path:
    return write_run(folder / "run", rows)


def test_link_answers_session_by_session_as_it_was(tmp_path: Path) -> None:
    with replay.open(str(written(tmp_path, iter(ROWS)))) as link:
        assert link.attempt(b"one", 1.0).outcome is Outcome.GONE
        assert "connect first" in link.last_error
        began = link.connect(1.0)
        assert (began.reply, began.duration_ns, began.sent_ns) == (b"ATR", EXCHANGE.duration_ns, 7)
        assert link.attempt(b"one", 1.0).reply == b"1"
        silent = link.attempt(b"two", 1.0)
        assert (silent.outcome, silent.duration_ns) == (Outcome.TIMED_OUT, 5)
        assert link.attempt(b"three", 1.0).outcome is Outcome.GONE
        assert link.connect(1.0).reply == b""
        assert link.attempt(b"three", 1.0).reply == b"3"
        assert link.connect(1.0).outcome is Outcome.GONE
        assert "no further session" in link.last_error
        assert (link.provenance, link.channel) == (Provenance.REPLAYED, "contact")


def test_link_says_where_a_request_differs_and_stays_gone(tmp_path: Path) -> None:
    link = replay.open(str(written(tmp_path, iter(ROWS))) + "#card")
    assert link.connect(1.0).reply == b"ATR"
    assert link.attempt(b"onf", 1.0).outcome is Outcome.GONE
    assert "step 'read basic data'" in link.last_error
    assert "differs at byte 2: recorded 65 (3 bytes in all); now 66 (3 bytes in all)" in link.last_error
    assert link.attempt(b"one", 1.0).outcome is Outcome.GONE


@given(st.binary(max_size=90), st.binary(max_size=90))
def test_difference_names_the_first_byte_that_differs(recorded: bytes, now: bytes) -> None:
    if recorded != now:
        text = replay.difference(recorded, now)
        at = int(text.split("byte ")[1].split(":")[0])
        assert recorded[:at] == now[:at] and recorded[at : at + 1] != now[at : at + 1]


@pytest.mark.parametrize(
    ("row", "says"),
    [
        (replace(EXCHANGE, request=b""), "1 exchanges with the role 'card' were masked"),
        (replace(EXCHANGE, reply=b""), "were masked"),
    ],
)
def test_masked_rows_are_refused(tmp_path: Path, row: ExchangeRow, says: str) -> None:
    with pytest.raises(LinkError, match=says):
        replay.open(str(written(tmp_path, iter([row]))))


def test_what_is_no_recording_is_refused_with_what_is_there(tmp_path: Path) -> None:
    with pytest.raises(LinkError, match=r"no run directory.*manifest\.json"):
        replay.open(str(tmp_path))
    with pytest.raises(UsageError, match="needs a run directory"):
        replay.open("")
    two = written(tmp_path, iter([EXCHANGE, replace(EXCHANGE, role="sam")]))
    with pytest.raises(UsageError, match="this run has card, sam: name the role"):
        replay.open(str(two))
    with pytest.raises(LinkError, match="nothing was exchanged with the role 'hpc'"):
        replay.open(f"{two}#hpc")
    (two / "tables" / "exchanges.parquet").write_bytes(b"no table")
    with pytest.raises(LinkError, match="cannot be read"):
        replay.open(str(two))
