"""The benchmarks: what they count is pinned, what they print can be read."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from benchmarks import played_visit, presentation

from .places import ROOT

NAMES = sorted(p.stem for p in (ROOT / "benchmarks").glob("[!_]*.py"))


def test_played_visit_takes_the_operations_that_it_always_took() -> None:
    """After a change that is meant to cost or save something: ``./bench.sh bench played_visit --golden``, and say so."""
    assert played_visit.counted() == json.loads(played_visit.GOLDEN.read_text(encoding="utf-8"))


def test_presentation_takes_the_operations_and_lengths_that_it_always_took() -> None:
    """After a change that is meant to cost or save something: ``./bench.sh bench presentation --golden``, and say so."""
    assert presentation.counted() == json.loads(presentation.GOLDEN.read_text(encoding="utf-8"))


@pytest.mark.sample
@pytest.mark.needs("pcsc", "dbus")
@pytest.mark.parametrize("name", NAMES)
def test_benchmark_prints_figures_that_programs_can_read(name: str) -> None:
    command = [sys.executable, "-m", f"benchmarks.{name}", "--json", "--sample"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT, timeout=300)
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout)
    assert figures
    assert all(set(f) == {"name", "value", "unit", "against", "ratio"} and isinstance(f["value"], float) for f in figures)
    assert any(f["against"] and f["ratio"] > 0 for f in figures)  # each compares side by side, in one run
