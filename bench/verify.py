"""The command ``verify``: whether a conformance report is as its laboratory signed it."""

from __future__ import annotations

import hashlib
import shlex
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import click

from bench.conform_junit import junit
from bench.conform_report import JUNIT, PAGE, REPORT, SIGNATURE, VERDICTS, bench_version, page_of
from bench.conform_words import counted, kind_in, over, verdict_in, words_of
from bench.exchanges import EXCHANGES, lines, needed
from bench.exits import LAW_BROKEN, PASS
from bench.language import option, refusing_in
from bench.signature import verify
from conformance.report import Report, canonical, read, verdict_bytes
from reports.catalogue import Catalogue, languages
from virtual_devices.errors import UsageError


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--key", type=click.Path(path_type=Path), metavar="FILE",
              help="The laboratory's public key in PEM. Without it the key is named, and whose it is stays open.")
@click.option("--signature", type=click.Path(path_type=Path), metavar="FILE",
              help="The signature.  [default: report.json.jws beside the report]")
@click.option("--report-alone", "alone", is_flag=True,
              help="The exchanges are elsewhere: what was sent and received stays unchecked.")
@option("what is said of it")
def command(file: Path, key: Path | None, signature: Path | None, alone: bool, language: str) -> None:
    """Check a conformance report that somebody hands you. FILE: the folder that 'conform --out' wrote, or its report.json.

    It is of the format, its verdict follows from those of its cases, it is what was signed (report.json.jws), the exchanges
    beside it are those that it was made of, and report.html, verdicts.json and junit.xml, which are not signed, say the same. Of
    how many cases no exchange is kept is said. What it does not show: that the laboratory tried the device that it names.

    \b
    Examples:
      vhc-bench verify certified                                      whole, and signed by the key that is named
      vhc-bench verify certified --key laboratory-public.pem          and by this laboratory's
      vhc-bench verify report.json --report-alone
      vhc-bench verify certified --lang zh-TW

    Exit codes: 0 it holds, 1 it was altered, is signed by another, or lacks its exchanges, 2 there is nothing to check.
    """
    with refusing_in(language):
        path = file / REPORT if file.is_dir() else file
        raw, signed = _files(path, signature or path.with_name(SIGNATURE))
        words = words_of(language)[0]
        try:
            with refusing_in(language):
                report = read(raw, str(path))
                if canonical(report) != raw:
                    raise UsageError(f"{path}: its bytes are not those of RFC 8785's form, over which a report is signed: an "
                                     "editor or a formatter has been at it; ask for the file as it was made")
                thumbprint = verify(raw, signed, key)
                _check_exchanges(report, path.parent, alone, words)
                _check_beside(report, path.parent, words)
        except UsageError as e:
            click.echo(str(e), err=True)
            sys.exit(LAW_BROKEN)
    _tell(report, path, words)
    by = words.say("signed by the key with the thumbprint {thumbprint}", thumbprint=thumbprint)
    click.echo(by if key else words.say("{signed}; whose it is, --key would tell", signed=by))
    sys.exit(PASS)


def _files(path: Path, beside: Path) -> tuple[bytes, str]:
    """The report and its signature. Raises UsageError."""
    try:
        return path.read_bytes(), beside.read_text(encoding="ascii")
    except (OSError, ValueError) as e:
        raise UsageError(f"{getattr(e, 'filename', None) or path}: {getattr(e, 'strerror', None) or e}; a report is signed by "
                         "'vhc-bench conform --out DIR --sign KEY.pem'") from None


def _tell(report: Report, path: Path, words: Catalogue) -> None:
    click.echo(words.say(
        "{path}: holds; verdict {verdict}, {n} cases, by {laboratory}", path=path, verdict=verdict_in(words, report.verdict),
        n=len(report.verdicts), laboratory=report.made.laboratory or words.say("nobody named"),
    ))
    click.echo(words.say("tried until {at} with {bench}: {counts}", at=report.made.at, bench=report.bench,
                         counts=counted(words, Counter(v.verdict for v in report.judged))))
    for one in report.devices:
        nobody = words.say("no maker declared") if one.real else words.say("the bench's own")
        named = " ".join(filter(None, (one.maker, one.model, one.firmware))) or nobody
        click.echo(words.say(
            "{kind} {device} over {channels}: {named}", kind=kind_in(words, one.kind), device=one.device, named=named,
            channels=words.say(", ").join(over(words, channel) for channel in one.channels),
        ))


def _check_exchanges(report: Report, folder: Path, alone: bool, words: Catalogue) -> None:
    """The exchanges beside the report are those whose digests it has, and none is missing that has to be there; says how many are
    not kept. Raises UsageError."""
    file = folder / EXCHANGES
    wanted = Counter(v.capture for v in report.verdicts if v.capture)
    if not file.exists():
        if wanted and not alone:
            raise UsageError(f"{file} is not there: what was sent and received is not checked; get it from whoever signed the "
                             "report, or say --report-alone")
        click.echo(words.say("{path} is not there: what was sent and received is not checked", path=file))
        return
    found = Counter(hashlib.sha256(line).hexdigest() for line in lines(folder))
    if found - wanted:
        raise UsageError(f"{file}: it is not what the report was made of: it has lines that are no case's")
    real = {(device.kind, device.device): device.real for device in report.devices}
    lost = [v for v in report.verdicts if v.capture and found[v.capture] < wanted[v.capture]]
    wrong = next((v.case for v in lost if needed(v.verdict, real=real.get((v.kind, v.device), True))), "")
    if wrong:
        raise UsageError(f"{file}: it is not what the report was made of: the exchanges of {wrong} are not there")
    if found:
        click.echo(words.say("cases whose exchanges are kept, and are those of the report's digests: {n}",
                             n=f"{found.total():,}"))
    if lost:
        click.echo(words.say(
            "cases whose exchanges are not kept, and not checked: {n}. They passed on the bench's own devices: the report has "
            "their digests, and its commands, with --keep all --out DIR, make them again (seed {seed}, {bench})",
            n=f"{(wanted - found).total():,}", seed=report.seed, bench=report.bench,
        ))


def _check_beside(report: Report, folder: Path, words: Catalogue) -> None:
    """What people and pipelines read is not signed: it is made anew, where it lies there, and compared. Raises UsageError."""
    there = [name for name in (VERDICTS, JUNIT, PAGE) if (folder / name).exists()]
    if there and report.bench != bench_version():
        click.echo(words.say("{files}: not compared with the report, for {bench} made them, and this is {this}",
                             files=", ".join(there), bench=report.bench, this=bench_version()))
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
    """What that file may be: page and JUnit are in one of the languages."""
    if name == VERDICTS:
        yield verdict_bytes(report)
        return
    for language in languages():
        yield page_of(report, language).encode() if name == PAGE else junit(report, words_of(language)[1])


__all__ = ["command"]
