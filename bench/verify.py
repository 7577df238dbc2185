"""The command ``verify``: whether a conformance report is as its laboratory signed it."""

from __future__ import annotations

import hashlib
import shlex
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import click

from bench.conform_report import JUNIT, PAGE, REPORT, SIGNATURE, VERDICTS, bench_version, junit, page_of
from bench.exchanges import EXCHANGES, lines
from bench.exits import LAW_BROKEN, PASS
from bench.signature import verify
from conformance.report import Report, canonical, read, verdict_bytes
from conformance.verdict import Verdict
from reports.catalogue import languages
from virtual_devices.errors import UsageError


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--key", type=click.Path(path_type=Path), metavar="FILE",
              help="The laboratory's public key in PEM. Without it the key is named, and whose it is stays open.")
@click.option("--signature", type=click.Path(path_type=Path), metavar="FILE", help="Beside the report when left out.")
@click.option("--report-alone", "alone", is_flag=True,
              help="The exchanges are elsewhere: what was sent and received stays unchecked.")
def command(file: Path, key: Path | None, signature: Path | None, alone: bool) -> None:
    """Check FILE, a report.json or its folder: its schema, that its roll-ups follow from its verdicts, that it is what was
    signed, that the exchanges beside it are those that it was made of, and that report.html, verdicts.json and junit.xml, which
    are not signed, say the same.

    \b
    Examples:
      vhc-bench verify certified/report.json
      vhc-bench verify certified --key laboratory-public.pem
      vhc-bench verify report.json --report-alone

    Exit codes: 0 it holds, 1 it was altered, is signed by another, or lacks its exchanges, 2 there is nothing to check.
    """
    path = file / REPORT if file.is_dir() else file
    beside = signature or path.with_name(SIGNATURE)
    try:
        raw = path.read_bytes()
        signed = beside.read_text(encoding="ascii")
    except (OSError, ValueError) as e:
        raise UsageError(f"{getattr(e, 'filename', None) or path}: {getattr(e, 'strerror', None) or e}; a report is signed by "
                         "'vhc-bench conform --out DIR --sign KEY.pem'") from None
    try:
        report = read(raw, str(path))
        if canonical(report) != raw:
            raise UsageError(f"{path}: its bytes are not those of RFC 8785's form, over which a report is signed: an editor or a "
                             "formatter has been at it; ask for the file as it was made")
        thumbprint = verify(raw, signed, key)
        _check_exchanges(report, path.parent, alone)
        _check_beside(report, path.parent)
    except UsageError as e:
        click.echo(str(e), err=True)
        sys.exit(LAW_BROKEN)
    _tell(report, path)
    click.echo(f"signed by the key with the thumbprint {thumbprint}" + ("" if key else "; whose it is, --key would tell"))
    sys.exit(PASS)


def _tell(report: Report, path: Path) -> None:
    by = report.made.laboratory or "nobody named"
    click.echo(f"{path}: holds; verdict {report.verdict.value}, {len(report.verdicts)} cases, by {by}")
    counts = Counter(v.verdict for v in report.judged)
    told = ", ".join(f"{counts[verdict]} {verdict.value}" for verdict in Verdict if counts[verdict])
    click.echo(f"tried until {report.made.at} with {report.bench}: {told}")
    for one in report.devices:
        nobody = "no maker declared" if one.real else "the bench's own"
        named = " ".join(filter(None, (one.maker, one.model, one.firmware))) or nobody
        click.echo(f"{one.kind} {one.device} over {', '.join(one.channels)}: {named}")


def _check_exchanges(report: Report, folder: Path, alone: bool) -> None:
    """The exchanges beside the report are the ones whose digests it has. Raises UsageError."""
    wanted = Counter(v.capture for v in report.verdicts if v.capture)
    if not (folder / EXCHANGES).exists():
        missing = f"{folder / EXCHANGES} is not there: what was sent and received is not checked"
        if wanted and not alone:
            raise UsageError(f"{missing}; get it from whoever signed the report, or say --report-alone")
        click.echo(missing)
        return
    found = Counter(hashlib.sha256(line).hexdigest() for line in lines(folder))
    if found != wanted:
        wrong = next((v.case for v in report.verdicts if v.capture and v.capture not in found), "lines that no case has")
        raise UsageError(f"{folder / EXCHANGES}: it is not what the report was made of: {wrong}")


def _check_beside(report: Report, folder: Path) -> None:
    """What people and pipelines read is not signed: it is made anew, where it lies there, and compared. Raises UsageError."""
    there = [name for name in (VERDICTS, JUNIT, PAGE) if (folder / name).exists()]
    if there and report.bench != bench_version():
        others = f"{report.bench} made them, and this is {bench_version()}"
        click.echo(f"{', '.join(there)}: not compared with the report, for {others}")
        return
    for name in there:
        try:
            raw = (folder / name).read_bytes()
        except OSError as e:
            raise UsageError(f"{folder / name}: {e.strerror or e}") from None
        if raw not in _made(report, name):
            again = f"vhc-bench report {shlex.quote(str(folder))}"
            raise UsageError(f"{folder / name} is not what the signed report says: somebody has changed it, or another state of "
                             f"the bench made it; go by report.json ('{again}' makes the page anew)")


def _made(report: Report, name: str) -> Iterator[bytes]:
    """What that file may be: the page is in one of the languages."""
    if name == PAGE:
        yield from (page_of(report, language).encode() for language in languages())
    else:
        yield verdict_bytes(report) if name == VERDICTS else junit(report)


__all__ = ["command"]
