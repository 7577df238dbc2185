"""``junit.xml`` of a conformance report, for pipelines: names and types are the same in every language, what a person reads is in
the one that was asked for."""

from __future__ import annotations

from collections.abc import Iterator
from xml.etree import ElementTree

from bench.conform_words import checked, purpose, verdict_in
from conformance.latency import Latency
from conformance.report import Judged, Report
from conformance.verdict import Verdict
from reports.wording import Wording

LONGEST = 1000
"""Letters of a message."""


def junit(report: Report, wording: Wording) -> bytes:
    """A suite for each device and channel; FAIL is a failure, ERROR an error, the rest skipped."""
    root = ElementTree.Element("testsuites", name="vhc-bench conform")
    groups: dict[tuple[str, str, str], list[Judged | Latency]] = {}
    for judged in report.judged:
        groups.setdefault((judged.kind, judged.device, judged.channel), []).append(judged)
    for name, judged_here in groups.items():
        counted = [_kind(j) for j in judged_here]
        suite = ElementTree.SubElement(
            root, "testsuite", name=" ".join(name), tests=str(len(counted)), failures=str(counted.count("failure")),
            errors=str(counted.count("error")), skipped=str(counted.count("skipped")),
        )
        for judged in judged_here:
            _case(suite, judged, wording)
    ElementTree.indent(root)
    made: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return made + b"\n"


def _kind(judged: Judged | Latency) -> str:
    """JUnit's word for what is no success; empty for a PASS. An expected failure is none."""
    if judged.verdict is Verdict.FAIL:
        return "skipped" if judged.wanted else "failure"
    return {Verdict.PASS: "", Verdict.ERROR: "error"}.get(judged.verdict, "skipped")


def _case(suite: ElementTree.Element, judged: Judged | Latency, wording: Wording) -> None:
    words = wording.words
    subject = ".".join(judged.case.split(".")[:2])
    case = ElementTree.SubElement(suite, "testcase", classname=subject, name=judged.case)
    properties = ElementTree.SubElement(case, "properties")
    for name, value in [("purpose", purpose(words, judged)), *_properties(judged)]:
        ElementTree.SubElement(properties, "property", name=name, value=value)
    kind = _kind(judged)
    if not kind:
        return
    message = words.say("{name}: {says}", name=verdict_in(words, judged.verdict), says=wording.plain(judged.why))
    found = ElementTree.SubElement(case, kind, type=judged.verdict.value, message=message[:LONGEST])
    if kind != "skipped":
        found.text = "\n".join(_lines(judged, wording))


def _lines(judged: Judged | Latency, wording: Wording) -> Iterator[str]:
    for check in judged.checks if isinstance(judged, Judged) else ():
        yield checked(wording, check)
    yield wording.words.say("again: {command}", command=judged.command)


def _properties(judged: Judged | Latency) -> list[tuple[str, str]]:
    if isinstance(judged, Judged):
        return [("clause", clause) for clause in judged.clauses]
    return [("limit_ms", f"{judged.limit_ms:g}"), ("presented", str(len(judged.samples_ns))), ("slower", str(judged.slower)),
            ("still_needed", str(judged.more))]


__all__ = ["junit"]
