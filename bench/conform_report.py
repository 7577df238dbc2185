"""What ``conform --out DIR`` leaves: ``report.json`` and its signature, ``verdicts.json``, ``junit.xml``, ``report.html``."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from bench.signature import sign
from conformance.outcome import Outcome
from conformance.report import Judged, Made, Report, Tried, build, canonical, verdict_bytes
from conformance.verdict import Verdict
from reports.catalogue import catalogue
from reports.conformance import page
from virtual_devices.errors import UsageError

REPORT, SIGNATURE, VERDICTS, JUNIT, PAGE = "report.json", "report.json.jws", "verdicts.json", "junit.xml", "report.html"


def report_of(
    outcomes: Sequence[Outcome], asked: Mapping[str, Any], expected: Mapping[tuple[str, str], str], laboratory: str,
) -> Report:
    """The report of a run that ends now."""
    channels: dict[tuple[str, str], set[str]] = {}
    for outcome in outcomes:
        channels.setdefault((outcome.kind, outcome.device), set()).add(outcome.channel)
    devices = [
        Tried(kind=kind, device=device, channels=tuple(sorted(over)), real=device != "virtual")
        for (kind, device), over in sorted(channels.items())
    ]
    made = Made(
        at=datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"), laboratory=laboratory,
        python=platform.python_version(), machine=f"{platform.system()} {platform.machine()}",
    )
    return build(outcomes, made=made, bench=f"vhc-bench {version('vhc-bench')}", seed=1, asked=asked, expected=expected,
                 devices=devices)


def write(report: Report, folder: Path, *, key: Path | None = None, language: str = "en") -> Path:
    """All files; the path of the page. Raises UsageError."""
    write_data(report, folder, key=key)
    path = folder / PAGE
    path.write_text(page(report.model_dump(mode="json"), catalogue(language)), encoding="utf-8", newline="\n")
    return path


def write_data(report: Report, folder: Path, *, key: Path | None = None) -> None:
    """All files but the page. ``key``: the laboratory's, in PEM. Raises UsageError."""
    raw = canonical(report)
    signature = sign(raw, key) if key is not None else ""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / REPORT).write_bytes(raw)
        (folder / VERDICTS).write_bytes(verdict_bytes(report))
        (folder / JUNIT).write_bytes(junit(report))
        if signature:
            (folder / SIGNATURE).write_text(signature + "\n", encoding="ascii")
        else:
            (folder / SIGNATURE).unlink(missing_ok=True)
    except OSError as e:
        raise UsageError(f"--out {folder}: cannot be written: {e.strerror or e}") from None


def junit(report: Report) -> bytes:
    """The same for pipelines: a suite for each device and channel; FAIL is a failure, ERROR an error, the rest skipped."""
    root = ElementTree.Element("testsuites", name="vhc-bench conform")
    groups: dict[tuple[str, str, str], list[Judged]] = {}
    for judged in report.verdicts:
        groups.setdefault((judged.kind, judged.device, judged.channel), []).append(judged)
    for name, judged_here in groups.items():
        counted = [j.verdict for j in judged_here]
        skipped = sum(v not in (Verdict.PASS, Verdict.FAIL, Verdict.ERROR) for v in counted)
        suite = ElementTree.SubElement(
            root, "testsuite", name=" ".join(name), tests=str(len(counted)), failures=str(counted.count(Verdict.FAIL)),
            errors=str(counted.count(Verdict.ERROR)), skipped=str(skipped),
        )
        for judged in judged_here:
            _junit_case(suite, judged)
    ElementTree.indent(root)
    made: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return made + b"\n"


def _junit_case(suite: ElementTree.Element, judged: Judged) -> None:
    subject = ".".join(judged.case.split(".")[:2])
    case = ElementTree.SubElement(suite, "testcase", classname=subject, name=judged.case)
    properties = ElementTree.SubElement(case, "properties")
    for clause in judged.clauses:
        ElementTree.SubElement(properties, "property", name="clause", value=clause)
    if judged.verdict is Verdict.PASS:
        return
    kind = {Verdict.FAIL: "failure", Verdict.ERROR: "error"}.get(judged.verdict, "skipped")
    if kind == "failure" and judged.wanted:
        kind = "skipped"
    found = ElementTree.SubElement(case, kind, message=f"{judged.verdict.value}: {judged.why}"[:1000])
    if kind != "skipped":
        lines = [f"{'held' if c.holds else 'BROKE'}: {c.what}" for c in judged.checks]
        found.text = "\n".join([*lines, f"again: {judged.command}"])


__all__ = ["JUNIT", "PAGE", "REPORT", "SIGNATURE", "VERDICTS", "junit", "report_of", "write", "write_data"]
