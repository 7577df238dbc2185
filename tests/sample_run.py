"""A synthetic run directory, for the report's own tests: a morning in a clinic, made from a seed, without a simulator.

Not a simulation: arrivals, queues and latencies are drawn to look like one, so that every section has something to show.
"""

from __future__ import annotations

import heapq
import json
from collections import defaultdict
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from virtual_devices.clock import NS, TAIWAN, from_datetime
from virtual_devices.trace import (
    TABLES,
    ActRow,
    ExchangeRow,
    FaultRow,
    LedgerRow,
    PrescriptionRow,
    Row,
    StageRow,
    SwitchRow,
    UploadRow,
    VisitRow,
)

STATIONS = ["registration", "preparation", "consultation", "pricing", "collection"]
SERVERS = {
    "registration": (2, 75.0),
    "preparation": (1, 42.0),
    "consultation": (3, 265.0),
    "pricing": (1, 40.0),
    "collection": (2, 120.0),
}
ARROW = {"int": pa.int64(), "str": pa.string(), "bool": pa.bool_(), "bytes": pa.binary(), "float": pa.float64()}
STEPS = {  # station -> (role, step, median ms, spread)
    "registration": [
        ("card", "read basic data", 780, 0.25),
        ("sam", "authenticate cards", 410, 0.2),
        ("cloud", "issue sequence number", 240, 0.7),
    ],
    "preparation": [("card", "read medical data", 1350, 0.3)],
    "consultation": [("hpc", "unlock professional card", 620, 0.2), ("card", "write prescription", 1900, 0.3)],
    "pricing": [("sam", "sign record", 340, 0.15)],
    "collection": [("card", "read prescription", 900, 0.3), ("cloud", "verify prescription", 310, 0.8)],
}


@dataclass
class Sample:
    """What the sample is made of; every field has a default that shows everything."""

    seed: int = 20260511
    replications: int = 3
    visits: int = 150
    outage: tuple[float, float] = (9 + 40 / 60, 10 + 5 / 60)  # hours, Taiwan time
    refused_share: float = 0.03
    measured: bool = True
    broken_law: bool = False
    cut: bool = False  # the last replication has no ledger
    ended: str = "completed"  # completed | interrupted | recovered | killed
    rows: dict[str, list[Row]] = field(default_factory=lambda: defaultdict(list))


def midnight_ns() -> int:
    from datetime import datetime

    return from_datetime(datetime(2026, 5, 11, tzinfo=TAIWAN))


def at(hour: float) -> int:
    return midnight_ns() + round(hour * 3600) * NS


def write_sample(directory: Path, sample: Sample | None = None) -> Path:
    """Write manifest, tables and end of a sample run; returns the directory."""
    sample = sample or Sample()
    for replication in range(sample.replications):
        Morning(sample, replication).play()
    directory.mkdir(parents=True, exist_ok=True)
    write_tables(directory, sample.rows)
    (directory / "manifest.json").write_text(json.dumps(manifest(sample), ensure_ascii=False, indent=1, sort_keys=True))
    counts = {name: len(sample.rows.get(name, [])) for name in TABLES}
    if sample.ended in ("completed", "interrupted"):
        end = {"ended": sample.ended, "rows": counts, "started_at": "2026-05-11T00:00:00+00:00", "elapsed_s": 1.5}
        (directory / "end.json").write_text(json.dumps(end))
    elif sample.ended == "recovered":
        (directory / "recovered.json").write_text(json.dumps({"rows": counts}))
    return directory


def write_tables(directory: Path, rows: dict[str, list[Row]]) -> None:
    (directory / "tables").mkdir(exist_ok=True)
    for name, row_type in TABLES.items():
        schema = pa.schema([(f.name, ARROW[str(f.type)]) for f in fields(row_type)])
        table = pa.Table.from_pylist([asdict(r) for r in rows.get(name, [])], schema=schema)
        pq.write_table(table, directory / "tables" / f"{name}.parquet", compression="zstd")
    for path in (directory / "end.json", directory / "recovered.json"):
        if path.exists():
            end = json.loads(path.read_text())
            path.write_text(json.dumps(end | {"rows": {name: len(rows.get(name, [])) for name in TABLES}}))


def manifest(sample: Sample) -> dict[str, Any]:
    return {
        "schema": 1,
        "title": "A Monday morning in a three-doctor clinic",
        "situation": "clinic",
        "description": "Booked and walk-in patients from 08:00; the line to the data centre fails from 09:40 to 10:05.",
        "seed": sample.seed,
        "replications": sample.replications,
        "epoch_ns": midnight_ns(),
        "scenario": {
            "clinic": {"open": "08:00", "close": "12:00", "patients": sample.visits, "virtual_card_share": 0.4},
            "staff": {s: n for s, (n, _) in SERVERS.items()},
            "service_mean_s": {s: m for s, (_, m) in SERVERS.items()},
            "network": {"median_ms": 45.0, "loss_share": 0.004, "timeout_s": 4.0},
            "faults": [
                {"id": "line-down", "kind": "outage", "on": "cloud", "start": "09:40", "end": "10:05"},
                {"id": "pulled-out", "kind": "tear", "on": "card", "share": 0.01, "limit": 6},
            ],
            "engine": {"realtime": False, "workers": 1},
        },
        "stations": STATIONS,
        "rig": {"card": "auto" if sample.measured else "virtual", "sam": "virtual", "hpc": "virtual", "cloud": "virtual"},
        "devices": [{"role": "card", "moniker": "pcsc:ACS ACR39U 00 00", "detail": "T=1, ATR 3B FF 13"}]
        if sample.measured
        else [],
        "versions": {"vhc-bench": "0.1.0", "python": "3.11.7", "simpy": "4.1.2"},
        "commit": "8790b54c0ffee",
        "requirements": [
            {
                "id": "OFF-01",
                "says": "A visit goes on while the data centre cannot be reached, and settles later.",
                "duty": "must",
            },
            {"id": "UPL-01", "says": "Records reach the data centre within 24 hours of the visit's end.", "duty": "must"},
            {"id": "DEV-03", "says": "The time at the counter can be compared between carriers.", "duty": "should"},
        ],
        "upload_deadline_s": 86_400,
        "doubts": [
            "Service times at the counters are inferred; no published reading times exist (inferred).",
            "The 90 % bar for timely uploads comes from an association's notice (secondary).",
        ],
    }


class Morning:
    """One replication: patients through five stations, first come first served."""

    def __init__(self, sample: Sample, replication: int) -> None:
        self.sample, self.replication = sample, replication
        self.rng = Random(f"{sample.seed}/{replication}")
        self.down = (at(sample.outage[0]), at(sample.outage[1]))
        self.queue: list[int] = []  # indexes of waiting uploads
        self.outcomes: dict[str, list[str]] = defaultdict(list)

    def add(self, table: str, row: Row) -> None:
        self.sample.rows[table].append(row)

    def play(self) -> None:
        arrivals = sorted(at(8) + round(self.rng.betavariate(1.3, 1.9) * 4 * 3600) * NS for _ in range(self.sample.visits))
        if not arrivals:
            return
        names = [f"v{i:04d}" for i in range(len(arrivals))]
        refused = {n for n in names if self.rng.random() < self.sample.refused_share}
        ready = dict(zip(names, arrivals, strict=True))
        for station in STATIONS:
            ready.update(self.serve(station, {n: t for n, t in ready.items() if station == STATIONS[0] or n not in refused}))
        self.network_window()
        for name, arrived in zip(names, arrivals, strict=True):
            self.finish(name, arrived, ready[name], name in refused)
        self.drain()
        self.switches()
        self.prescriptions()
        if not (self.sample.cut and self.replication == self.sample.replications - 1):
            self.laws(len(names), len(refused))

    def serve(self, station: str, joined: dict[str, int]) -> dict[str, int]:
        servers, mean_s = SERVERS[station]
        free = [0] * servers
        left = {}
        for name, t in sorted(joined.items(), key=lambda kv: (kv[1], kv[0])):
            began = max(t, heapq.heappop(free))
            work = round(self.rng.lognormvariate(0, 0.45) * mean_s * 0.9) * NS
            work += self.touch(name, station, began)
            ended = began + work
            heapq.heappush(free, ended)
            left[name] = ended
            self.add("stages", StageRow(self.replication, name, station, t, began, ended))
        return left

    def touch(self, visit: str, station: str, began: int) -> int:
        """The exchanges and acts at one station; returns the nanoseconds that they took."""
        channel = ("contact", "nfc", "qr")[int(visit[1:]) % 3]
        used = self.act(visit, station, began, "holder", "hand over card", 4.0) if station == "registration" else 0
        if station == "consultation":
            used += self.act(visit, station, began, "physician", "enter PIN", 6.0)
        for role, step, median_ms, spread in STEPS[station]:
            used += self.exchange(visit, station, role, channel, step, median_ms, spread, began + used)
        return used

    def act(self, visit: str, station: str, began: int, person: str, act: str, mean_s: float) -> int:
        duration = round(self.rng.lognormvariate(0, 0.5) * mean_s * NS)
        self.add("acts", ActRow(self.replication, visit, f"{visit}/{station}", person, act, began, duration))
        return duration

    def exchange(
        self, visit: str, station: str, role: str, channel: str, step: str, median_ms: float, spread: float, at_ns: int
    ) -> int:
        medium = "network" if role == "cloud" else "contact" if role in ("sam", "hpc") else channel
        real = self.sample.measured and role == "card" and medium == "contact" and at_ns > at(10.5)
        total = 0
        for _ in range(4):
            duration = round(self.rng.lognormvariate(0, spread) * median_ms * (1.6 if medium == "nfc" else 1) * 1_000_000)
            outcome, status, fault = "replied", "9000" if role != "cloud" else "0000", ""
            if role == "cloud" and self.down[0] <= at_ns < self.down[1]:
                outcome, status, fault, duration = "request_lost", "", "line-down", 4 * NS
            elif role == "card" and self.rng.random() < 0.006:
                outcome, status, fault = "gone", "", "pulled-out"
            self.outcomes[visit].append(fault)
            self.add(
                "exchanges",
                ExchangeRow(
                    self.replication,
                    visit,
                    f"{visit}/{station}",
                    "visit",
                    step,
                    role,
                    medium,
                    "pcsc:ACS ACR39U 00 00" if real else "virtual",
                    "measured" if real else "modelled",
                    at_ns + total,
                    duration,
                    outcome,
                    b"",
                    b"",
                    32,
                    64 if status else -1,
                    status,
                    fault,
                ),
            )
            total += duration
            if outcome == "replied":
                break
            code = "cshis:4061" if fault == "line-down" else "cshis:4013"
            ended = "offline" if fault == "line-down" else "retried"
            self.add(
                "faults",
                FaultRow(
                    self.replication,
                    fault,
                    "outage" if fault == "line-down" else "tear",
                    role,
                    visit,
                    f"{visit}/{station}",
                    at_ns + total,
                    at_ns + total,
                    code,
                    ended,
                ),
            )
            if outcome == "request_lost":
                break
        return total

    def network_window(self) -> None:
        self.add("faults", FaultRow(self.replication, "line-down", "outage", "cloud", "", "", *self.down, "cshis:4061", "window"))

    def finish(self, name: str, arrived: int, left: int, refused: bool) -> None:
        number = int(name[1:])
        carrier = "ic-card" if number % 3 == 0 else "virtual-card"
        code = self.rng.choice(["cshis:5003", "cshis:9129", "vhc:5003"]) if refused else "0"
        offline = "line-down" in self.outcomes[name]
        self.add(
            "visits",
            VisitRow(
                self.replication,
                name,
                f"p{number:05d}",
                "booked" if number % 4 else "walk-in",
                carrier,
                "virtual",
                "modelled",
                arrived,
                left,
                "refused" if refused else "served",
                code,
                "" if refused else f"{number:04d}",
                not offline,
                4_200_000_000,
                600_000_000,
                9,
                self.outcomes[name].count("pulled-out"),
            ),
        )
        if not refused:
            waits = self.down[0] <= left < self.down[1]
            self.upload(name, left, waits)

    def upload(self, name: str, left: int, waits: bool) -> None:
        due = left + 86_400 * NS
        first = left + 2 * NS
        late = self.rng.random() < 0.012
        stored = (
            -1
            if self.rng.random() < 0.006
            else left + (27 * 3600 * NS if late else round(self.rng.lognormvariate(1.2, 0.9) * NS))
        )
        row = UploadRow(
            self.replication,
            name,
            f"b{self.replication}-{name}",
            left,
            due,
            first,
            stored,
            1,
            "stored" if stored >= 0 else "missing",
            False,
        )
        if waits:
            self.queue.append(len(self.sample.rows["uploads"]))
        self.add("uploads", row)

    def drain(self) -> None:
        moment = self.down[1] + 60 * NS
        for index in self.queue:
            moment += round(self.rng.uniform(15, 45) * NS)
            row = self.sample.rows["uploads"][index]
            assert isinstance(row, UploadRow)
            values = asdict(row) | {"stored_ns": moment, "tries": 3, "outcome": "stored", "queued": True}
            self.sample.rows["uploads"][index] = UploadRow(**values)

    def prescriptions(self) -> None:
        """Two: one whose way the data centre knew all along, one signed and dispensed while the line was down."""
        for name, hour, online in (("1111", 9.0, True), ("2222", 10.0, False)):
            for event, later, place, person in (
                ("issued", 0.0, "consultation 1", "physician"), ("on phone", 0.01, "consultation 1", "physician"),
                ("read", 0.5, "pharmacy reception 1", "pharmacist"), ("dispensed", 0.51, "pharmacy reception 1", "pharmacist"),
                ("stored", 1.5, "office", "desk"),
            ):
                known = online or event == "stored"
                self.add(
                    "prescriptions",
                    PrescriptionRow(self.replication, name, event, at(hour + later), place, person, "v0001", known, "0"),
                )

    def switches(self) -> None:
        if self.sample.measured:
            self.add(
                "switches", SwitchRow(self.replication, at(10.5), "card", "virtual", "pcsc:ACS ACR39U 00 00", "appeared", "")
            )
            self.add(
                "switches", SwitchRow(self.replication, at(11.9), "card", "pcsc:ACS ACR39U 00 00", "virtual", "vanished", "v0141")
            )

    def laws(self, visits: int, refused: int) -> None:
        served = visits - refused
        short = 1 if self.sample.broken_law and self.replication == 1 else 0
        self.add("ledger", LedgerRow(self.replication, "every arrival left", visits, visits, True))
        self.add(
            "ledger", LedgerRow(self.replication, "sequence numbers issued = visits served", served, served - short, short == 0)
        )
        self.add("ledger", LedgerRow(self.replication, "records stored + missing = visits served", served, served, True))
