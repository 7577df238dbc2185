"""Patients' own phones over NFC in a run: nfcpy on both sides, laws that hold; a lost worker costs a tap at most."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from bench.drivers import nfc
from bench.own_phones import Reader
from bench.rig import Rig
from bench.run import run
from scenarios.files import Scenario, load

from .nfc_desk import LIMIT_S
from .places import MORNING
from .processes import children
from .run_directories import read_table


def morning() -> Scenario:
    return load(MORNING, {
        "run.replications": "1", "params.arrivals.bands": '[{start="09:15", end="09:45", per_hour=6}]',
        "params.cards.virtual_share": "1.0", "fault": "[]",
    })


def test_run_with_own_phones_is_whole_also_when_the_driver_loses_its_worker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    for limit in ("LIST_LIMIT_S", "CONNECT_SLACK_S"):  # a busy machine is not to be taken for a hung one
        monkeypatch.setattr(nfc, limit, LIMIT_S)
    before = children()
    killed: list[int] = []

    def progress(_replication: int, visits: int) -> None:
        if visits == 1:
            for pid in children() - before:
                killed.append(pid)
                os.kill(pid, signal.SIGKILL)

    result = run(morning(), tmp_path / "run", Rig(wallet="nfc:own"), progress)
    rows = [row for row in read_table(result.directory, "exchanges") if row["role"] == "wallet"]
    assert {(row["device"], row["provenance"], row["channel"]) for row in rows} == {("nfc:own", "measured", "nfc")}
    visits = read_table(result.directory, "visits")
    assert len(visits) == result.visits > 1 and killed
    assert {row["outcome"] for row in visits} == {"served"}
    assert all(row["holds"] for row in read_table(result.directory, "ledger"))
    (switch,) = read_table(result.directory, "switches")
    assert (switch["was"], switch["now"]) == ("virtual", "nfc:own")
    assert children() == before
    again = run(morning(), tmp_path / "again", Rig(wallet=f"replay:{result.directory}"))
    for table in ("exchanges", "ledger"):
        assert without_origin(again.directory, table) == without_origin(result.directory, table)


def without_origin(directory: Path, table: str) -> list[dict[str, object]]:
    return [{k: v for k, v in row.items() if k not in ("device", "provenance")} for row in read_table(directory, table)]


class Phone:
    def __init__(self) -> None:
        self.said: list[str] = []

    def power_on(self) -> bytes:
        self.said.append("on")
        return b"ATR"

    def handle(self, request: bytes, now_ns: int) -> bytes:
        self.said.append("asked")
        return b"\x90\x00"

    def power_off(self) -> None:
        self.said.append("off")


def test_tap_stays_with_the_phone_that_it_began_with() -> None:
    reader, first, second = Reader(), Phone(), Phone()
    reader.held = first
    assert reader.power_on() == b"ATR" and reader.handle(b"", 0) == b"\x90\x00"
    reader.held = second
    reader.power_off()  # the field of the first tap is noticed late
    reader.take_away()
    assert (first.said, second.said) == (["on", "asked", "off"], [])
    reader.power_on()
    assert second.said == ["on"]


def test_phone_is_taken_away_from_a_reader_that_died(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.own_phones.LEFT_S", 0.0)
    reader, phone = Reader(), Phone()
    reader.held = phone
    reader.power_on()
    reader.take_away()
    assert phone.said == ["on", "off"] and reader.handle(b"", 0) == b"\x6a\x82"


def test_reader_without_a_phone_refuses() -> None:
    reader = Reader()
    assert (reader.power_on(), reader.handle(b"", 0)) == (b"", b"\x6a\x82")
