"""What the command ``conform`` does: cases in pytest, told and written; the list of cases; the suite tried itself."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import get_args

import click

from bench.conform_asked import Asked
from bench.conform_report import check_folder, report_of, write
from bench.conform_told import late, nothing, tell
from bench.conform_words import purpose, words_of
from bench.exchanges import EXCHANGES
from bench.exits import ENVIRONMENT, INCONCLUSIVE, LAW_BROKEN, NOTHING_RAN, PASS, UNEXPECTED_PASS
from bench.results import Results
from bench.tables import print_table
from conformance.case import Kind
from conformance.expected import read as read_expected
from conformance.limits import Timed
from conformance.limits import schema as limits_schema
from conformance.report import schema as report_schema
from conformance.report import verdict_bytes
from conformance.verdict import Verdict
from reports.catalogue import N_
from virtual_devices.errors import BenchError, UsageError

_EXITS = {
    Verdict.PASS: PASS, Verdict.FAIL: LAW_BROKEN, Verdict.ERROR: ENVIRONMENT, Verdict.INCONCLUSIVE: INCONCLUSIVE,
    Verdict.REVIEW: INCONCLUSIVE, Verdict.NOT_APPLICABLE: NOTHING_RAN,
}

STDERR = 2
"""Where what pytest says goes, whatever stands in for ``sys.stderr`` in this process."""
_ALONE = ("--disable-plugin-autoload", "-p", "xdist", "-p", "bench.pytest_plugin", "-p", "no:cacheprovider", "--noconftest",
          "-c", os.devnull, "-p", "no:terminal", "-p", "bench.conform_progress", "--assert=plain", "-p", "no:unraisableexception")
"""To pytest: away from plugins, settings and conftest.py of whatever project lies around, without what only tests need, and in
our own words."""


def tried(asked: Asked, processes: int, as_json: bool, out: Path | None, key: Path | None, expected_file: Path | None) -> int:
    """The suite against what is asked for; told, and written to ``out``. The exit code. Raises UsageError."""
    if key is not None and out is None:
        raise UsageError("--sign signs the report that --out DIR writes: give both")
    if asked.frames and out is None:
        raise UsageError("--frames adds to the exchanges that --out DIR writes: give both")
    places = asked.check()  # wrong use is told before anything starts
    expected = _expected(expected_file)
    if out is not None:
        check_folder(out)
    if key is not None:
        from bench.signature import signing_key

        signing_key(key)  # what would be lost at the end is told now
    results = _run(asked, max(1 if asked.single() else processes, places), exchanges=out is not None)
    report = report_of(results, asked, expected)
    words, wording = words_of(asked.language)
    if as_json:
        click.echo(verdict_bytes(report))
    else:
        tell(report, wording)
    if out is not None:
        click.echo(write(report, out, key=key, language=asked.language, exchanges=results.exchanges), err=as_json)
    if asked.only and not report.judged:
        click.echo(nothing(asked.only, words, timed=bool(asked.latency)), err=True)
    for line in (unexpected := list(late(report, words))):
        click.echo(line, err=True)
    return UNEXPECTED_PASS if unexpected else _EXITS[report.verdict]


def _expected(file: Path | None) -> Mapping[tuple[str, str], str]:
    if file is None:
        return {}
    from bench.reach.program import CHANNEL
    from conformance.case import cases
    from conformance.kinds import suites

    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, ValueError) as e:
        raise UsageError(f"--expected {file}: {e}") from None
    channels = {CHANNEL, *(channel for suite in suites().values() for channel in suite.channels)}
    timed = {f"{kind.value}.latency.{segment}" for kind in suites() for segment in get_args(Timed)}
    return read_expected(text, str(file), {case.id for case in cases()}, channels, timed)


def _run(asked: Asked, processes: int, *, exchanges: bool) -> Results:
    """The suite in pytest. Raises UsageError."""
    with TemporaryDirectory() as folder:
        results, every = Path(folder, "results.json"), Path(folder, EXCHANGES) if exchanges else None
        run = subprocess.run(
            [sys.executable, "-m", "pytest", *_ALONE, f"--rootdir={folder}", "-n", str(processes if processes > 1 else 0),
             "--pyargs", *asked.modules(), f"--conformance-results={results}", *[f"--conformance-exchanges={every}"] * exchanges,
             *asked.for_pytest()],
            stdout=STDERR, check=False,
        )
        if not results.exists():
            raise UsageError(f"the suite did not run: pytest ended with {run.returncode}")
        found = Results.read(results, every)
    if found.lost:
        raise BenchError(f"no verdict came of {', '.join(found.lost)}: what it fell over is told above; try again")
    return found


def listed(only: tuple[str, ...], as_json: bool, language: str) -> None:
    """Print the cases whose ids begin so."""
    from conformance.case import cases
    from reports.catalogue import catalogue

    there = [case for case in cases() if not only or case.id.startswith(only)]
    if as_json:
        plain = [{"id": c.id, "kind": c.kind.value, "clauses": c.clauses, "nature": c.nature.value, "says": c.says, "zh": c.zh,
                   "channels": sorted(c.channels)} for c in there]
        click.echo(json.dumps(plain, ensure_ascii=False, indent=1))
        return
    words = catalogue(language)
    rows = [(c.id, words.say(c.nature.value), words.say(", ").join(c.clauses), purpose(words, c)) for c in there]
    print_table(tuple(map(words.say, (N_("case"), N_("nature"), N_("clauses"), N_("what it shows")))), rows)


def checked(
    only: tuple[str, ...], processes: int, as_json: bool, out: Path | None, language: str, remember: bool,
) -> int:
    """The suite against itself; the exit code."""
    from bench.self_check import Checked, Kill, self_check
    from bench.self_check_report import killed, remember_killers, summary, write_matrix
    from bench.self_check_report import tell as tell_checked

    wording = words_of(language)[1]
    words, done = wording.words, 0

    def progress(kill: Kill, of: int) -> None:
        nonlocal done
        done += 1
        far = words.say("{n} of {total}", n=f"{done:4}", total=of)
        click.echo(f"{far}  {killed(kill, wording)}", err=True)

    def finished(kind: Kind, of_kind: Checked) -> None:
        if remember:
            click.echo(remember_killers(kind, of_kind), err=True)

    found = self_check(only, processes=processes, progress=progress, finished=finished)
    told = summary(found)
    click.echo(json.dumps(told, sort_keys=True, ensure_ascii=False) if as_json else tell_checked(told, wording))
    if out is not None:
        click.echo(write_matrix(told, out, language), err=as_json)
    if not found.kills:
        return NOTHING_RAN
    return PASS if told["enough"] and all(told["idle"].values()) else LAW_BROKEN


def schema_of(what: str) -> str:
    """The JSON schema of report.json, or of the file of limits."""
    return report_schema() if what == "report" else limits_schema()


__all__ = ["Asked", "checked", "listed", "schema_of", "tried"]
