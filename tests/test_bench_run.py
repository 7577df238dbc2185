"""A run: the same seed gives the same bytes, another seed others; laws hold under faults; a killed run is recovered."""

from __future__ import annotations

import json
import os
from hashlib import sha256
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from bench.record import State, recover, state
from bench.rig import Rig
from bench.run import Result, epoch, run, with_overrides
from reports.build import build, summary
from scenarios.files import Scenario, load, situations
from virtual_devices.clock import TAIWAN, to_datetime
from virtual_devices.trace import TABLES

from . import report_pages
from .places import MORNING
from .run_directories import read_table

unembedded, unpainted = report_pages.unembedded, report_pages.unpainted
SHORT = {"run.replications": "1", "params.arrivals.bands": '[{start="09:15", end="10:15", per_hour=30}]'}


def morning(**overrides: str) -> Scenario:
    return load(MORNING, {**SHORT, **overrides})


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Result:
    """A run that tests leave as it is."""
    return run(morning(), tmp_path_factory.mktemp("whole") / "run", Rig())


def prints(directory: Path) -> dict[str, str]:
    """Digest of every file that must be the same again."""
    files = [*sorted((directory / "tables").iterdir()), directory / "manifest.json", build(directory)]
    return {f.name: sha256(f.read_bytes()).hexdigest() for f in files}


@pytest.mark.usefixtures("unembedded")
def test_same_seed_gives_the_same_bytes(whole: Result, tmp_path: Path) -> None:
    run(morning(), tmp_path / "again", Rig())
    assert prints(tmp_path / "again") == prints(whole.directory)


@pytest.mark.usefixtures("unpainted")
def test_another_seed_gives_other_bytes(whole: Result, tmp_path: Path) -> None:
    run(with_overrides(morning(), seed=2, replications=None), tmp_path / "other", Rig())
    mine, theirs = prints(whole.directory), prints(tmp_path / "other")
    assert mine["visits.parquet"] != theirs["visits.parquet"]
    assert mine["exchanges.parquet"] != theirs["exchanges.parquet"]
    assert mine["report.html"] != theirs["report.html"]


def test_run_under_faults_loses_and_doubles_nothing(tmp_path: Path) -> None:
    faults = """[
        {id="tear", kind="tear", on="card", share=0.02},
        {id="lost", kind="loss_after", on="cloud", share=0.2},
        {id="hang", kind="hang", on="card", share=0.002},
        {id="garble", kind="garble", on="sam", share=0.002},
        {id="down", kind="outage", on="cloud", start="09:40", end="09:55"},
    ]"""
    scenario = morning(fault=faults, **{"params.cards.virtual_share": "0.2", "run.replications": "2"})
    result = run(scenario, tmp_path / "run", Rig())
    ledger = read_table(result.directory, "ledger")
    assert result.broken == 0
    assert len(ledger) == 2 * 6
    struck = read_table(result.directory, "faults")
    assert {row["fault"] for row in struck} >= {"tear", "lost", "down"}
    assert {row["ended"] for row in struck} <= {"retried", "offline", "settled-later", "refused", "window", "lost"}
    visits = read_table(result.directory, "visits")
    assert any(row["retries"] for row in visits)
    assert any(not row["online"] and row["outcome"] == "served" for row in visits)
    assert "conservation laws hold" in summary(result.directory)


@pytest.mark.usefixtures("unpainted")
def test_broken_law_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A clinic whose cards count visits twice must not pass."""
    from scenarios.site import Site

    honest = Site.visits_on
    monkeypatch.setattr(Site, "visits_on", lambda self, patient: 2 * honest(self, patient))
    result = run(morning(), tmp_path / "run", Rig())
    assert result.broken == 1
    assert "BROKEN" in build(result.directory).read_text(encoding="utf-8").upper()


def test_every_table_of_a_run_is_there_with_its_columns(whole: Result) -> None:
    for name, kind in TABLES.items():
        schema = pq.read_schema(whole.directory / "tables" / f"{name}.parquet")
        assert schema.names == list(kind.__dataclass_fields__)


def test_manifest_has_every_default_and_no_wall_clock(whole: Result) -> None:
    manifest = json.loads((whole.directory / "manifest.json").read_bytes())
    assert manifest["scenario"]["params"]["stations"]["consultation"]["staff"] == 4
    assert manifest["epoch_ns"] == epoch(morning(), Rig())
    assert {r["id"] for r in manifest["requirements"]} == set(situations()["clinic_morning"].SHOWS)
    assert not {"started_at", "elapsed_s"} & set(manifest)


@pytest.mark.usefixtures("unpainted")
def test_run_stopped_by_a_person_is_kept(tmp_path: Path) -> None:
    def stop(replication: int, visits: int) -> None:
        if visits == 7:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(morning(), tmp_path / "run", Rig(), stop)
    assert state(tmp_path / "run") is State.INTERRUPTED
    assert len(read_table(tmp_path / "run", "visits")) == 7
    assert build(tmp_path / "run").exists()


def test_interrupt_that_a_library_took_for_an_error_of_its_own_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its error does not say so, and may come long after."""
    asked = []

    def played(*_: object, **__: object) -> None:
        asked.append(True)
        raise OSError("broken")

    def look(replication: int, visits: int) -> None:
        if asked:
            raise KeyboardInterrupt

    monkeypatch.setattr("bench.run.play", played)
    with pytest.raises(KeyboardInterrupt):
        run(morning(), tmp_path / "run", Rig(), look)
    assert state(tmp_path / "run") is State.INTERRUPTED
    with pytest.raises(OSError, match="broken"):
        run(morning(), tmp_path / "other", Rig())
    assert state(tmp_path / "other") is State.FAILED


@pytest.mark.usefixtures("unpainted")
def test_killed_run_is_recovered_and_says_so(tmp_path: Path) -> None:
    """As SIGKILL leaves it: the journal without an end (bench.record's tests kill a real process)."""
    directory = tmp_path / "run"
    child = os.fork()
    if child == 0:
        def die(replication: int, visits: int) -> None:
            if visits == 12:
                os.kill(os.getpid(), 9)

        from bench import record

        record.Recorder.__init__.__kwdefaults__["flush_rows"] = 200
        run(morning(), directory, Rig(), die)
        os._exit(1)
    os.waitpid(child, 0)
    assert state(directory) is State.KILLED
    kept = recover(directory)
    assert kept.rows["exchanges"] >= 400
    assert "killed" in build(directory).read_text(encoding="utf-8")


def test_replication_that_has_ended_survives_the_kill_of_the_next(tmp_path: Path) -> None:
    """Neither the number of rows nor the clock flushes here: the replication's end does."""
    directory = tmp_path / "run"
    child = os.fork()
    if child == 0:
        def die(replication: int, visits: int) -> None:
            if replication == 1:
                os.kill(os.getpid(), 9)

        from bench import record

        record.Recorder.__init__.__kwdefaults__.update(flush_rows=10**9, flush_s=1e9)
        run(morning(**{"run.replications": "2"}), directory, Rig(), die)
        os._exit(1)
    os.waitpid(child, 0)
    recover(directory)
    assert {row["replication"] for row in read_table(directory, "ledger")} == {0}
    assert {row["replication"] for row in read_table(directory, "visits")} == {0}


def test_real_device_sets_the_day_to_today() -> None:
    moment = to_datetime(epoch(morning(), Rig("auto"))).astimezone(TAIWAN)
    assert (moment.hour, moment.minute) == (8, 0)
    assert moment.year >= 2026
    assert to_datetime(epoch(morning(), Rig())).astimezone(TAIWAN).date().isoformat() == "2026-03-02"
