"""Run directories that are not whole: cut short, damaged, or not to be written to. Nothing false is said of them."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from reports import build as building
from reports.build import build, page, summary
from reports.catalogue import Catalogue, ReportError
from reports.latency import by_step, contacts
from reports.run import Run
from virtual_devices.trace import TABLES, ExchangeRow

from . import report_pages
from .sample_run import Sample, write_sample, write_tables

Make = Callable[..., tuple[Path, Sample]]
unembedded, unpainted = report_pages.unembedded, report_pages.unpainted


@pytest.fixture
def make(tmp_path: Path) -> Make:
    def made(name: str = "run", **settings: Any) -> tuple[Path, Sample]:
        sample = Sample(**settings)
        return write_sample(tmp_path / name, sample), sample

    return made


def numbers(path: Path) -> list[str]:
    """The summary without its banner and its laws, and without what is counted of all replications."""
    return [re.sub(r" Faults struck.*", "", line) for line in summary(path).splitlines()[1:4]]


# --- replications that were cut short


@pytest.mark.parametrize("ended", ["interrupted", "recovered"])
@pytest.mark.usefixtures("unpainted")
def test_replication_that_was_cut_short_is_in_no_number_of_the_day(make: Make, ended: str) -> None:
    cut, _ = make("cut", replications=3, visits=40, cut=True, ended=ended)
    two, _ = make("two", replications=2, visits=40)
    assert numbers(cut) == numbers(two)
    said = summary(cut).splitlines()
    assert "Of 3 replications, 2 came to their end: the numbers of the day rest on these alone." in said[0]
    assert "40 visits of what was cut short are left out." in said[0]
    assert said[-1] == "All 3 conservation laws hold in the 2 of 3 replications that were checked."
    made = page(cut, Catalogue())
    assert "2 of 3 replications checked" in made and "confidence intervals over 2 replications" in made


def test_exchanges_of_a_cut_replication_are_counted_as_real_or_not(make: Make) -> None:
    path, sample = make(replications=2, visits=12, cut=True, ended="interrupted", measured=False)
    rows = dict(sample.rows)
    rows["exchanges"] = [
        replace(r, provenance="measured", device="pcsc:X") if isinstance(r, ExchangeRow) and r.replication == 1 else r
        for r in rows["exchanges"]
    ]
    write_tables(path, rows)
    with Run(path, Catalogue()) as run:
        assert run.real
        assert {r.provenance for r in by_step(run)} == {"modelled"}  # what the numbers rest on


@pytest.mark.usefixtures("unpainted")
def test_run_without_a_whole_replication_gives_no_interval_and_no_share(make: Make) -> None:
    path, _ = make(replications=1, visits=40, cut=True, ended="interrupted")
    first, _, times, stored, laws = summary(path).splitlines()
    assert "No replication came to its end" in first
    assert times.endswith("(no interval: cut short)")
    assert "settled when the run was broken off" in stored and "100" not in stored
    assert laws == "No conservation law was checked."
    made = page(path, Catalogue())
    assert "cut short" in made and "Stored in time:" not in made and "Of a day that was cut short, no curve is drawn" in made


def test_interrupt_after_the_last_replication_leaves_nothing_out(make: Make) -> None:
    path, _ = make("i", replications=2, visits=20, ended="interrupted")
    whole, _ = make("w", replications=2, visits=20)
    assert numbers(path) == numbers(whole)
    assert "left out" not in summary(path) and "in all 2 replications" in summary(path)


def test_completed_run_counts_every_replication_also_without_laws(make: Make) -> None:
    path, sample = make(replications=2, visits=20)
    write_tables(path, {name: rows for name, rows in sample.rows.items() if name != "ledger"})
    assert summary(path).splitlines()[1].startswith("40 visits") and "No conservation law was checked." in summary(path)


# --- tables against the end


def test_table_that_is_missing_is_refused(make: Make) -> None:
    for ended, says in (("completed", "end.json"), ("recovered", "recovered.json")):
        path, sample = make(ended, visits=12, replications=1, ended=ended)
        (path / "tables" / "uploads.parquet").unlink()
        count = len(sample.rows["uploads"])
        with pytest.raises(ReportError, match=rf"uploads\.parquet is missing, but {says} says {count}: .* damaged"):
            build(path)


def test_table_that_lost_rows_is_refused(make: Make) -> None:
    path, sample = make(visits=12, replications=1)
    end = (path / "end.json").read_text()
    write_tables(path, sample.rows | {"visits": sample.rows["visits"][1:]})
    (path / "end.json").write_text(end)
    with pytest.raises(ReportError, match=r"visits\.parquet has 11 rows, but end.json says 12"):
        summary(path)


@pytest.mark.parametrize("table", list(TABLES))
def test_table_may_be_missing_that_had_no_rows(make: Make, table: str) -> None:
    path, sample = make(visits=12, replications=1)
    write_tables(path, {name: rows for name, rows in sample.rows.items() if name != table})
    with_file = summary(path)
    (path / "tables" / f"{table}.parquet").unlink()
    assert summary(path) == with_file


def test_table_that_is_damaged_is_named(make: Make) -> None:
    path, _ = make(visits=30, replications=1)
    table = path / "tables" / "exchanges.parquet"
    whole = table.read_bytes()
    for spoilt in (whole[: len(whole) // 2], b"", b"no parquet", whole[:200] + bytes(200) + whole[400:]):
        table.write_bytes(spoilt)
        with pytest.raises(ReportError, match=r"exchanges\.parquet cannot be read \(.*\): .* damaged") as caught:
            build(path)
        assert "LINE 1" not in str(caught.value) and "CREATE VIEW" not in str(caught.value)


def test_table_of_another_kind_is_named(make: Make) -> None:
    path, _ = make(visits=6, replications=1)
    (path / "tables" / "acts.parquet").write_bytes((path / "tables" / "stages.parquet").read_bytes())
    with pytest.raises(ReportError, match=r"acts\.parquet has other columns than a table of acts"):
        build(path)


# --- files that cannot be written or read


def test_directory_that_cannot_be_written_to_is_told(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    path, _ = make(visits=3, replications=1)

    def refuse(self: Path, *args: Any, **kwargs: Any) -> int:
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(building, "page", lambda *_: "<html>")
    with monkeypatch.context() as there:
        there.setattr(Path, "write_text", refuse)
        with pytest.raises(ReportError, match=r"report\.html cannot be written: Permission denied"):
            build(path)
    with monkeypatch.context() as there:
        there.setattr(Path, "replace", refuse)
        with pytest.raises(ReportError, match=r"report\.html cannot be written: Permission denied"):
            build(path)
    assert not list(path.glob(".report*")) and not (path / "report.html").exists()


def test_manifest_that_cannot_be_read_is_told(make: Make) -> None:
    path, _ = make(visits=3, replications=1)
    (path / "manifest.json").unlink()
    (path / "manifest.json").mkdir()
    with pytest.raises(ReportError, match=r"manifest\.json cannot be read: Is a directory"):
        build(path)
    (path / "manifest.json").rmdir()
    (path / "manifest.json").write_bytes(b"\xff\xfe{}")
    with pytest.raises(ReportError, match=r"manifest\.json is not JSON"):
        build(path)


def test_end_that_is_no_text_counts_as_none(make: Make) -> None:
    path, _ = make(visits=3, replications=1)
    (path / "end.json").write_bytes(b"\xff\xfe")
    assert "This run was killed" in summary(path)


# --- devices


@pytest.mark.usefixtures("unembedded")
def test_two_devices_of_one_run_are_never_mixed(make: Make) -> None:
    path, sample = make(visits=24, replications=1)
    rows = dict(sample.rows)
    slow = {"pcsc:A": 1, "pcsc:B": 10}

    def by_turns(row: ExchangeRow) -> ExchangeRow:
        device = list(slow)[int(row.visit[1:]) % 2]
        return replace(row, provenance="measured", device=device, duration_ns=slow[device] * 1_000_000, channel="contact")

    rows["exchanges"] = [by_turns(r) for r in rows["exchanges"] if isinstance(r, ExchangeRow) and r.outcome == "replied"]
    write_tables(path, rows)
    with Run(path, Catalogue()) as run:
        found = {(r.step, r.device): r.p50.value for r in by_step(run) if r.role == "card"}
        assert {device: value for (step, device), value in found.items() if step == "read basic data"} == {
            device: ms * 1e6 for device, ms in slow.items()
        }
        assert {d for (d,) in run.sql(f"SELECT DISTINCT device FROM {contacts(run)}")} == set(slow)
    made = page(path, Catalogue())
    table = made[made.index('id="latency"') : made.index('id="uploads"')]
    assert '<td class="code" translate="no">pcsc:A</td>' in table or "pcsc:A</td>" in table
    assert "read basic data, pcsc:A" in made and "read basic data, pcsc:B" in made


