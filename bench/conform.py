"""The command ``conform``: the suite against a device, and the suite against itself."""

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
from bench.conform_report import Results, report_of, write
from bench.conform_told import tell
from bench.exits import ENVIRONMENT, INCONCLUSIVE, LAW_BROKEN, NOTHING_RAN, PASS, UNEXPECTED_PASS
from bench.reach.program import CHANNEL
from bench.tables import print_table
from conformance.case import Kind
from conformance.expected import read as read_expected
from conformance.limits import Timed
from conformance.limits import schema as limits_schema
from conformance.report import schema, unexpected_passes, verdict_bytes
from conformance.verdict import Verdict
from virtual_devices.errors import UsageError

_EXITS = {
    Verdict.PASS: PASS, Verdict.FAIL: LAW_BROKEN, Verdict.ERROR: ENVIRONMENT, Verdict.INCONCLUSIVE: INCONCLUSIVE,
    Verdict.REVIEW: INCONCLUSIVE, Verdict.NOT_APPLICABLE: NOTHING_RAN,
}


@click.command()
@click.option("--dut", "given", multiple=True, metavar="KIND=MONIKER",
              help="Device under test, such as wallet=virtual. Can be given again; every reference device when left out.")
@click.option("--channel", "channels", multiple=True, metavar="CHANNEL", help="Over this channel only: nfc, ble, ...")
@click.option("--pics", multiple=True, type=click.Path(path_type=Path), metavar="FILE",
              help="What the device can, as its maker declares (vhc-bench pics): other cases are not applicable.")
@click.option("--pixit", multiple=True, type=click.Path(path_type=Path), metavar="FILE",
              help="How the device is reached, in place of --dut.")
@click.option("--only", multiple=True, metavar="CASE", help="Cases whose id begins so.")
@click.option("--destructive", is_flag=True,
              help="On a real device: also cases that change it, or spend a try of its PIN or keys.")
@click.option("--latency", default="", metavar="FILE",
              help="Also time presentations against the limits in this file (TOML), or in the bench's own: example.")
@click.option("--hands", "robot", default="", metavar="PROGRAM",
              help="Does a person's steps: called with step, seconds, case; 0 means done.  [default: a person at the terminal]")
@click.option("--no-hands", is_flag=True, help="No person is there: cases that need one are not applicable.")
@click.option("--lab", type=click.Path(path_type=Path), metavar="FILE",
              help="A laboratory file: its devices' names can then be given for monikers.")
@click.option("--keep-personal-data", "personal", is_flag=True, help="Keep the bytes of a real device's messages as evidence.")
@click.option("--frames", is_flag=True,
              help="Of real devices over NFC and Bluetooth: the frames below the messages, too, for 'vhc-bench capture DIR'.")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), metavar="DIR",
              help="Write report.html, report.json, verdicts.json, junit.xml and every exchange there.")
@click.option("--sign", "key", type=click.Path(path_type=Path), metavar="FILE",
              help="The laboratory's private key in PEM: report.json is signed with it (report.json.jws).")
@click.option("--laboratory", default="", metavar="NAME", help="Who tried it, for the report.")
@click.option("--expected", "expected_file", type=click.Path(path_type=Path), metavar="FILE",
              help="Failures that are known (TOML). One that passes is an error: exit 7.")
@click.option("--lang", type=click.Choice(["en", "zh-TW"]), default="en", show_default=True,
              help="Language of report.html, and of the headline of what a person is to do.")
@click.option("--processes", "-n", default=2, show_default=True, type=click.IntRange(1, 64), help="Virtual devices at a time.")
@click.option("--list", "listing", is_flag=True, help="Only list the cases.")
@click.option("--self-check", is_flag=True, help="Try the suite: one fault after the other in the reference devices.")
@click.option("--remember", is_flag=True,
              help="With --self-check: keep which case found which fault in the source tree, to be looked at first next time.")
@click.option("--schema", "schema_of", type=click.Choice(["report", "latency"]),
              help="Print the JSON schema of report.json, or of --latency's file.")
@click.option("--seed", default=1, show_default=True, type=click.IntRange(0), help="Of the virtual parts.")
@click.option("--json", "as_json", is_flag=True, help="Results, list or self-check as JSON on standard output.")
def command(
    given: tuple[str, ...], channels: tuple[str, ...], pics: tuple[Path, ...], pixit: tuple[Path, ...], only: tuple[str, ...],
    destructive: bool, latency: str, robot: str, no_hands: bool, lab: Path | None, personal: bool, frames: bool, out: Path | None,
    key: Path | None, laboratory: str, expected_file: Path | None, lang: str, processes: int, listing: bool, self_check: bool,
    remember: bool, schema_of: str | None, seed: int, as_json: bool,
) -> None:
    """Try a device against the clauses of the profile, case by case, and give a verdict.

    \b
    Examples:
      vhc-bench conform                                   every reference device, over every channel
      vhc-bench conform --dut wallet=virtual --channel ble
      vhc-bench conform --only wallet.session             the cases of one subject
      vhc-bench conform --dut 'card=pcsc:ACS*' --pics card.pics.toml        the card in a reader on the desk
      vhc-bench conform --dut wallet=nfc:usb              a phone held to an NFC reader
      vhc-bench conform --dut 'wallet=qr:camera + ble:'   a phone over Bluetooth, its code before a camera
      vhc-bench conform --dut reader=nfc:usb --pixit reader.pixit.toml      your reader: our card comes into its field
      vhc-bench conform --dut reader=vpcd: --pixit reader.pixit.toml        reader software upon PC/SC: our card in its slot
      vhc-bench conform --dut data-centre=https://localhost:8443            a service, with client certificates
      vhc-bench conform --dut 'wallet=program:node w.cjs' a library, asked line by line (docs/reference/programs.md)
      vhc-bench conform --pics wallet.pics.toml           only what its maker declares
      vhc-bench conform --latency example                 its times against limits, too
      vhc-bench conform --only wallet.latency --latency my-limits.toml
      vhc-bench conform --out certified --sign lab.pem    a signed report; 'vhc-bench verify certified/report.json'
      vhc-bench conform --list                            what each case tries, and which clause it shows
      vhc-bench conform --self-check --json               how well the suite finds faults
      vhc-bench conform --self-check --only wallet --out checked    of one kind; who found what, as a page

    \b
    Verdicts: pass, fail, inconclusive, error (the bench's own), not applicable, review (a person has to look).
    Exit codes: 0 pass, 1 fail, 3 error, 5 nothing ran, 6 inconclusive or review only, 7 an expected failure passed.
    """
    if listing:
        _list(only, as_json)
        return
    if schema_of:
        click.echo(schema() if schema_of == "report" else limits_schema(), nl=False)
        return
    if self_check:
        sys.exit(_check_itself(only, processes, as_json, out, lang, remember))
    if key is not None and out is None:
        raise UsageError("--sign signs the report that --out DIR writes: give both")
    if frames and out is None:
        raise UsageError("--frames adds to the exchanges that --out DIR writes: give both")
    asked = Asked(given, channels, only, pics, pixit, destructive, latency, robot, no_hands, seed, laboratory, lang, personal,
                  lab, frames)
    places = asked.check()  # wrong use is told before anything starts
    expected = _expected(expected_file)
    results = _run(asked, max(processes, places), quiet=as_json, exchanges=out is not None)
    report = report_of(results, asked, expected)
    if as_json:
        click.echo(verdict_bytes(report))
    else:
        tell(report)
    if out is not None:
        click.echo(write(report, out, key=key, language=lang, captures=results.captures), err=as_json)
    if asked.only and not report.judged:
        click.echo(_nothing(asked), err=True)
    late = unexpected_passes(report)
    for judged in late:
        click.echo(f"EXPECTED TO FAIL, AND PASSED  {judged.case} over {judged.channel}: {judged.wanted}", err=True)
    sys.exit(UNEXPECTED_PASS if late else _EXITS[report.verdict])


def _expected(file: Path | None) -> Mapping[tuple[str, str], str]:
    if file is None:
        return {}
    from conformance.case import cases
    from conformance.kinds import suites

    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, ValueError) as e:
        raise UsageError(f"--expected {file}: {e}") from None
    channels = {CHANNEL, *(channel for suite in suites().values() for channel in suite.channels)}
    timed = {f"{kind.value}.latency.{segment}" for kind in suites() for segment in get_args(Timed)}
    return read_expected(text, str(file), {case.id for case in cases()}, channels, timed)


def _run(asked: Asked, processes: int, *, quiet: bool, exchanges: bool) -> Results:
    """The suite in pytest, away from the settings of whatever project lies around. Raises UsageError."""
    with TemporaryDirectory() as folder:
        results = Path(folder, "results.json")
        run = subprocess.run(
            [sys.executable, "-m", "pytest", "--disable-plugin-autoload", "-p", "xdist", "-p", "bench.pytest_plugin",
             "-p", "no:cacheprovider", "-c", os.devnull, f"--rootdir={folder}", "-q",
             "-n", str(processes if processes > 1 else 0), "--pyargs",
             *asked.modules(), f"--conformance-results={results}", *["--conformance-exchanges"] * exchanges,
             *asked.for_pytest()],
            stdout=subprocess.DEVNULL if quiet else sys.stderr, check=False,
        )
        if not results.exists():
            raise UsageError(f"the suite did not run: pytest ended with {run.returncode}")
        return Results.read(results)


def _nothing(asked: Asked) -> str:
    """Why no case ran, and what to do."""
    timed = "" if asked.latency else ", and --latency FILE adds the limits of time"
    return f"nothing ran: no case of what is tried begins with --only {' or '.join(asked.only)}; --list has all cases{timed}"


def _list(only: tuple[str, ...], as_json: bool) -> None:
    from conformance.case import cases

    there = [case for case in cases() if not only or case.id.startswith(only)]
    if as_json:
        listed = [{"id": c.id, "kind": c.kind.value, "clauses": c.clauses, "nature": c.nature.value, "says": c.says, "zh": c.zh,
                   "channels": sorted(c.channels)} for c in there]
        click.echo(json.dumps(listed, ensure_ascii=False, indent=1))
        return
    rows = [(c.id, c.nature.value, ", ".join(c.clauses), c.says) for c in there]
    print_table(("case", "nature", "clauses", "what it shows"), rows)


def _check_itself(
    only: tuple[str, ...], processes: int, as_json: bool, out: Path | None, lang: str, remember: bool,
) -> int:
    from bench.self_check import Checked, Kill, self_check
    from bench.self_check_report import remember_killers, summary, tell, write_matrix

    done = 0

    def progress(kill: Kill, of: int) -> None:
        nonlocal done
        done += 1
        found = f"{kill.case} over {kill.channel}" if kill.case else f"equivalent: {kill.why}" if kill.why else "SURVIVES"
        click.echo(f"{done:4} of {of}  {kill.name}  {kill.mutant.what}: {found}", err=True)

    def finished(kind: Kind, found: Checked) -> None:
        if remember:
            click.echo(remember_killers(kind, found), err=True)

    checked = self_check(only, processes=processes, progress=progress, finished=finished)
    told = summary(checked)
    click.echo(json.dumps(told, sort_keys=True, ensure_ascii=False) if as_json else tell(told))
    if out is not None:
        click.echo(write_matrix(told, out, lang), err=as_json)
    if not checked.kills:
        return NOTHING_RAN
    return PASS if told["enough"] and all(told["idle"].values()) else LAW_BROKEN


__all__ = ["command"]
