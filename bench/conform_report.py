"""What ``conform --out DIR`` leaves: ``report.json`` and its signature, ``verdicts.json``, ``junit.xml``, ``report.html``, and
every exchange, whose digests the report has: ``exchanges.jsonl.gz``."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING

from bench.conform_junit import junit
from bench.conform_words import words_of
from bench.exchanges import EXCHANGES, packed
from bench.results import Results
from conformance.case import Kind
from conformance.declared import stated
from conformance.report import Made, Report, Tried, build, canonical, read, verdict_bytes
from virtual_devices.errors import UsageError

if TYPE_CHECKING:
    from bench.conform_asked import Asked  # it knows every device that can be tried, and takes long to load

REPORT, SIGNATURE, VERDICTS, JUNIT, PAGE = "report.json", "report.json.jws", "verdicts.json", "junit.xml", "report.html"

_NAMES = {"maker": "maker", "model": "model", "firmware": "version"}
"""What identifies a device -> the question of the declaration that asks for it."""


def report_of(results: Results, asked: Asked, expected: Mapping[tuple[str, str], str]) -> Report:
    """The report of a run that ends now."""
    channels: dict[tuple[str, str], set[str]] = {}
    places = [(o.kind, o.device, o.channel) for o in results.outcomes] + [(o.kind, o.device, o.channel) for o in results.latency]
    for kind, device, channel in places:
        channels.setdefault((kind, device), set()).add(channel)
    declared = asked.declared()
    devices = [
        Tried(kind=kind, device=device, channels=tuple(sorted(over)), real=device != "virtual",
              resets=tuple(sorted({r for o in results.outcomes if (o.kind, o.device) == (kind, device) for r in o.resets}))[:20],
              **{name: str(declared[kind].get(key, "")) for name, key in _NAMES.items() if kind in declared})
        for (kind, device), over in sorted(channels.items())
    ]
    said = [each for kind in sorted({kind for kind, _ in channels}) for each in stated(Kind(kind), declared.get(kind))]
    made = Made(
        at=datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"), laboratory=asked.laboratory,
        python=platform.python_version(), machine=f"{platform.system()} {platform.machine()}",
    )
    outcomes = [replace(o, command=asked.again(o.kind, o.device, o.channel, o.case)) for o in results.outcomes]
    latency = [o.model_copy(update={"command": asked.again(o.kind, o.device, o.channel, f"{o.kind}.latency", timed=True)})
               for o in results.latency]
    return build(outcomes, latency, made=made, bench=bench_version(), seed=asked.seed,
                 asked=asked.for_report(), expected=expected, devices=devices, stated=said)


def write(
    report: Report, folder: Path, *, key: Path | None = None, language: str = "en", exchanges: bytes = b"",
) -> Path:
    """All files; the path of the page. Raises UsageError."""
    write_data(report, folder, key=key, language=language, exchanges=exchanges)
    return write_page(report, folder, language)


def write_page(report: Report, folder: Path, language: str) -> Path:
    """Its path. Raises UsageError."""
    path = folder / PAGE
    try:
        path.write_text(page_of(report, language), encoding="utf-8", newline="\n")
    except OSError as e:
        raise UsageError(f"{path}: cannot be written: {e.strerror or e}") from None
    return path


def page_of(report: Report, language: str) -> str:
    """The page, which is a function of the report and of the language alone."""
    from reports.conformance import page  # here: what draws takes longer to load than most runs take

    return page(report.model_dump(mode="json"), *words_of(language))


def page_again(folder: Path, language: str) -> Path:
    """The page anew, out of ``report.json`` alone. Raises UsageError."""
    try:
        raw = (folder / REPORT).read_bytes()
    except OSError as e:
        raise UsageError(f"{folder / REPORT}: {e.strerror or e}") from None
    return write_page(read(raw, str(folder / REPORT)), folder, language)


def bench_version() -> str:
    return f"vhc-bench {version('vhc-bench')}"


def write_data(
    report: Report, folder: Path, *, key: Path | None = None, language: str = "en", exchanges: bytes = b"",
) -> None:
    """All files but the page. ``key``: the laboratory's, in PEM; ``exchanges``: of :class:`bench.results.Results`. Raises
    UsageError."""
    raw, signature = canonical(report), ""
    if key is not None:
        from bench.signature import sign

        signature = sign(raw, key)
    check_folder(folder)
    try:
        (folder / REPORT).write_bytes(raw)
        (folder / VERDICTS).write_bytes(verdict_bytes(report))
        (folder / JUNIT).write_bytes(junit(report, words_of(language)[1]))
        (folder / EXCHANGES).write_bytes(exchanges or packed())
        if signature:
            (folder / SIGNATURE).write_text(signature + "\n", encoding="ascii")
        else:
            (folder / SIGNATURE).unlink(missing_ok=True)
    except OSError as e:
        raise UsageError(f"--out {folder}: cannot be written: {e.strerror or e}") from None


def check_folder(folder: Path) -> None:
    """It is there, and can be written to. Raises UsageError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=folder):
            pass
    except OSError as e:
        raise UsageError(f"--out {folder}: cannot be written: {e.strerror or e}") from None


__all__ = [
    "JUNIT", "PAGE", "REPORT", "SIGNATURE", "VERDICTS", "bench_version", "check_folder", "page_again", "page_of",
    "report_of", "write", "write_data", "write_page",
]
