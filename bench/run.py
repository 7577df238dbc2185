"""One run: a scenario played as many times as it says, into a run directory."""

from __future__ import annotations

import platform
import re
import subprocess
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from bench.record import Recorder
from bench.replayed import PARTED
from bench.rig import Rig
from conformance.catalogue import find
from scenarios.files import Scenario, dump, situations
from scenarios.play import play
from scenarios.profiles import Stood
from virtual_devices.clock import NS
from virtual_devices.trace import LedgerRow, Row, SwitchRow, VisitRow
from virtual_devices.uploads.deadline import due_ns

PACKAGES = ("vhc-bench", "simpy", "cryptography", "cbor2", "numpy", "pyarrow", "duckdb", "matplotlib")
VIRTUAL = "virtual"
"""In switches: the reference device has taken over."""
Progress = Callable[[int, int], None]
"""Told of each visit that ended: replication, and visits so far in all."""


@dataclass(slots=True)
class Result:
    """What came of a run: visits that ended, conservation laws that were broken, where a run that is played again parted from its
    record, and role -> each time that its device left, why."""

    directory: Path
    visits: int = 0
    broken: int = 0
    parted: list[str] = field(default_factory=list)
    left: dict[str, list[str]] = field(default_factory=dict)


def run(scenario: Scenario, directory: Path, rig: Rig, progress: Progress = lambda _r, _n: None) -> Result:
    """Play the scenario into ``directory``. Raises RecordError, UsageError, LinkError; KeyboardInterrupt passes through, also of
    ``progress``, and what was played until then is kept."""
    epoch_ns = epoch(scenario, rig)
    result = Result(directory)
    with closing(rig), Recorder(directory, manifest(scenario, rig, epoch_ns)) as recorder:

        def record(row: Row) -> None:
            recorder.record(row)
            if isinstance(row, VisitRow):
                result.visits += 1
                progress(row.replication, result.visits)
            elif isinstance(row, LedgerRow) and not row.holds:
                result.broken += 1
            elif isinstance(row, SwitchRow) and row.reason.startswith(PARTED):
                result.parted.append(row.reason)
            elif isinstance(row, SwitchRow) and row.now == VIRTUAL:
                result.left.setdefault(row.role, []).append(row.reason)

        for replication in range(scenario.run.replications):
            try:
                play(scenario, replication, record, seat=rig.seat, epoch_ns=epoch_ns, around=rig.around)
                recorder.flush()  # a replication that has ended is whole, also when the next is killed
            except Exception:
                progress(replication, result.visits)  # which raises where a library took a Ctrl-C for an error of its own
                raise
    return result


def epoch(scenario: Scenario, rig: Rig) -> int:
    """When a replication begins, in nanoseconds."""
    return rig.epoch_ns(scenario.run.epoch)


def expected_visits(scenario: Scenario) -> int:
    """About how many visits a run will have, for the progress bar; 0 when the situation cannot say."""
    estimate = getattr(situations()[scenario.situation], "expected_visits", None)
    return 0 if estimate is None else round(estimate(scenario.params) * scenario.run.replications)


def manifest(scenario: Scenario, rig: Rig, epoch_ns: int) -> dict[str, Any]:
    """What was run, with every default filled in. Nothing of the wall clock, unless a real device may take part."""
    situation = situations()[scenario.situation]
    return {
        "title": scenario.title,
        "situation": scenario.situation,
        "description": scenario.description,
        "seed": scenario.run.seed,
        "replications": scenario.run.replications,
        "epoch_ns": epoch_ns,
        "scenario": dump(scenario),
        "stations": list(getattr(scenario.params, "journey", ())),
        "rig": rig.table(),
        "devices": [
            {"role": role, "moniker": moniker, "detail": rig.detail(role, _DETAIL[role])}
            for role, moniker in rig.table().items()
        ],
        "versions": {"python": platform.python_version(), **{name: _version(name) for name in PACKAGES}},
        "commit": commit(),
        "requirements": [
            {"id": r.id, "says": r.says, "duty": r.duty.value} for r in map(find, getattr(situation, "SHOWS", ()))
        ],
        "upload_deadline_s": due_ns(0) // NS,
        "doubts": _doubts(scenario, getattr(situation, "DOUBTS", ())),
        **({"latency_profiles": list(map(_stood, scenario.stood))} if scenario.stood else {}),
    }


def _doubts(scenario: Scenario, doubts: Sequence[str]) -> list[str]:
    """The situation's, without those that call assumed what was measured of a device."""
    measured = {place for one in scenario.stood if one.profile.origin.provenance == "measured" for place in one.places}

    def settled(doubt: str) -> bool:
        places = re.findall(r"params(?:\.[a-z_]+)+", doubt)
        return bool(places) and "assumed" in doubt and measured.issuperset(places)

    return [doubt for doubt in doubts if not settled(doubt)]


def _stood(one: Stood) -> dict[str, Any]:
    """A latency profile that stands for tables of the scenario: where its figures come from."""
    origin = one.profile.origin.model_dump(mode="json")
    return {"file": one.file, "places": list(one.places), **origin, "assumed": list(one.profile.modelled)}


_DETAIL = {
    "card": "reference IC card, profiles t1, t1-nul, t0, y2025",
    "sam": "reference SAM",
    "hpc": "reference professional's card",
    "cloud": "reference data centre",
    "wallet": "reference wallet on a phone",
}


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def commit() -> str:
    """The commit of the checkout that runs, "" when this is none."""
    root = Path(__file__).resolve().parent.parent
    if not (root / ".git").exists():
        return ""
    done = subprocess.run(
        ["git", "-C", str(root), "rev-parse", "HEAD"], capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
    )
    return done.stdout.strip()


def with_overrides(scenario: Scenario, *, seed: int | None, replications: int | None) -> Scenario:
    """The scenario with the command line's seed and number of replications."""
    changes = {k: v for k, v in (("seed", seed), ("replications", replications)) if v is not None}
    return replace(scenario, run=scenario.run.model_copy(update=changes)) if changes else scenario
