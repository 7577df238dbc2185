"""The command ``verify``: whether a conformance report is as its laboratory signed it."""

from __future__ import annotations

import hashlib
import sys
from collections import Counter
from pathlib import Path

import click

from bench.conform_report import REPORT, SIGNATURE
from bench.exchanges import EXCHANGES, lines
from bench.exits import LAW_BROKEN, PASS
from bench.signature import verify
from conformance.report import Report, canonical, read
from virtual_devices.errors import UsageError


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--key", type=click.Path(path_type=Path), metavar="FILE",
              help="The laboratory's public key in PEM. Without it the key is named, and whose it is stays open.")
@click.option("--signature", type=click.Path(path_type=Path), metavar="FILE", help="Beside the report when left out.")
def command(file: Path, key: Path | None, signature: Path | None) -> None:
    """Check FILE, a report.json or its folder: its schema, that its roll-ups follow from its verdicts, that it is what was
    signed, and that the exchanges beside it are those that it was made of.

    \b
    Examples:
      vhc-bench verify certified/report.json
      vhc-bench verify certified --key laboratory-public.pem

    Exit codes: 0 it holds, 1 it was altered or is signed by another, 2 there is nothing to check.
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
        thumbprint = verify(canonical(report), signed, key)
        _check_exchanges(report, path.parent)
    except UsageError as e:
        click.echo(str(e), err=True)
        sys.exit(LAW_BROKEN)
    by = report.made.laboratory or "nobody named"
    click.echo(f"{path}: holds; verdict {report.verdict.value}, {len(report.verdicts)} cases, by {by}")
    click.echo(f"signed by the key with the thumbprint {thumbprint}" + ("" if key else "; whose it is, --key would tell"))
    sys.exit(PASS)


def _check_exchanges(report: Report, folder: Path) -> None:
    """The exchanges beside the report are the ones whose digests it has, where they were handed on. Raises UsageError."""
    if not (folder / EXCHANGES).exists():
        click.echo(f"{folder / EXCHANGES} is not there: what was sent and received is not checked")
        return
    found = Counter(hashlib.sha256(line).hexdigest() for line in lines(folder))
    wanted = Counter(v.capture for v in report.verdicts if v.capture)
    if found != wanted:
        wrong = next((v.case for v in report.verdicts if v.capture and v.capture not in found), "lines that no case has")
        raise UsageError(f"{folder / EXCHANGES}: it is not what the report was made of: {wrong}")


__all__ = ["command"]
