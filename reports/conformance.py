"""The report of a conformance run as a page: the verdict, what failed and why, every case by subject.

It is made from the report's own JSON (a mapping), which is what is signed; the page is for people.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from reports import conformance_clauses, conformance_latency
from reports.blocks import Block, Bullets, Cell, Column, Section, Table, Tile, Tiles, data, number, text
from reports.catalogue import N_, Catalogue
from reports.page import Head, document
from reports.picture import Styles
from reports.terms import VERDICTS, kind_of, term
from reports.wording import Wording

Judged = Mapping[str, Any]
_MARKS = {
    "pass": ("good", "✓"), "fail": ("bad", "✗"), "inconclusive": ("soft", "?"), "error": ("bad", "!"),
    "not-applicable": ("soft", "–"), "review": ("soft", "…"),
}
"""Of a verdict: style and sign."""
_FINDINGS = {
    "pass": N_("Every case that applies passed."), "fail": N_("The device did something else than its clauses ask."),
    "inconclusive": N_("Some cases decided nothing."),
    "error": N_("The bench or its surroundings failed: this says nothing yet."),
    "not-applicable": N_("No case applies: nothing ran."), "review": N_("A person has to look before there is a verdict."),
}
_NATURES = {
    "valid": N_("valid"), "invalid": N_("invalid"), "inopportune": N_("inopportune"), "limit": N_("limit"), "timer": N_("timer"),
    "medium": N_("medium"), "attack": N_("attack"),
}
_SHOWN = 20
"""So many of what did not pass are shown with their last exchanges; all are in the file beside the page."""


def page(report: Mapping[str, Any], words: Catalogue, wording: Wording | None = None) -> str:
    """The page as HTML, in the words of a catalogue; ``wording``: the suite's own sentences in the same language."""
    wording = wording or Wording(words)
    devices = _named(report["devices"], words) or "–"
    real = any(d["real"] for d in report["devices"])
    head = Head(
        words.say("Virtual NHI card bench, conformance report"), devices,
        f"{report['bench']}, {report['made']['laboratory'] or '–'}",
        words.sentences(
            words.say("Made by a test bench. Not the insurance administration's specification, and not its certificate."),
            words.say("Real devices took part; their rows are marked.") if real else words.say("No real device took part."),
        ),
    )
    styles = Styles()
    sections = [_summary(report, words), _against(report, wording)]
    if report["latency"]:
        sections.append(conformance_latency.section(report["latency"], _verdict, words, styles))
    sections += [*_subjects(report, wording), conformance_clauses.tried(report, lambda key: _verdict(key, words), wording)]
    if report["stated"]:
        sections.append(conformance_clauses.stated(report, wording))
    sections.append(_method(report, words))
    return document(head, sections, words, styles)


def _named(devices: Iterable[Mapping[str, Any]], words: Catalogue) -> str:
    """As their makers call them, else by kind and where they are."""
    own: list[str] = []
    others: dict[str, list[str]] = {}
    for device in devices:
        named = " ".join(device[part] for part in ("maker", "model", "firmware") if device[part])
        if named:
            own.append(named)
        else:
            others.setdefault(device["device"], []).append(kind_of(words, device["kind"]))
    return words.join([*own, *(f"{words.join(kinds)} ({where})" for where, kinds in others.items())])


def _devices(report: Mapping[str, Any], words: Catalogue) -> Table:
    rows = [
        [data(kind_of(words, d["kind"])), data(d["device"]),
         data(words.say(", ").join(term(words, channel) for channel in d["channels"])), data(d["maker"] or "–"),
         data(d["model"] or "–"), data(d["firmware"] or "–"), data(", ".join(d["resets"]) or "–", "code")]
        for d in report["devices"]
    ]
    columns = tuple(Column(words.say(name)) for name in (
        N_("Kind"), N_("Device"), N_("Channels"), N_("Maker"), N_("Model"), N_("Firmware"), N_("Answer to reset"),
    ))
    return Table(words.say("Devices under test"), columns, rows, words.say("Maker, model and firmware are as declared."))


def _summary(report: Mapping[str, Any], words: Catalogue) -> Section:
    judged = [*report["verdicts"], *report["latency"]]
    counts = Counter(v["verdict"] for v in judged)
    tiles = [Tile(words.say(VERDICTS[key]), f"{counts[key]:,}", "", style if counts[key] and style != "soft" else "")
             for key, (style, _) in _MARKS.items()]
    rows: list[list[Cell]] = []
    for kind, device, channel in _of(judged):
        mine = [v for v in judged if (v["kind"], v["device"], v["channel"]) == (kind, device, channel)]
        counted = Counter(v["verdict"] for v in mine)
        place = (kind_of(words, kind), device, term(words, channel))
        rows.append([*map(data, place), *(number(f"{counted[key]:,}") for key in VERDICTS)])
    columns = (Column(words.say("Kind")), Column(words.say("Device")), Column(words.say("Channel")),
               *(Column(words.say(name), True) for name in VERDICTS.values()))
    table = Table(words.say("Verdicts by device and channel"), columns, rows)
    verdict = report["verdict"]
    finding, mood = _FINDINGS[verdict], "bad" if verdict in ("fail", "error") else ""
    if verdict == "pass" and any(v["verdict"] == "fail" for v in judged):
        finding = N_("Every case that applies passed, but those that are known to fail.")
    if verdict == "fail" and not any(v["verdict"] == "fail" and not v["wanted"] for v in report["verdicts"]):
        finding = N_("The device does what its clauses ask, and is slower than its limits.")
    return Section("summary", words.say("Summary"), words.say(finding), [Tiles(tiles), table, _devices(report, words)], mood)


def _of(verdicts: Iterable[Judged]) -> list[tuple[str, str, str]]:
    return sorted({(v["kind"], v["device"], v["channel"]) for v in verdicts})


def _against(report: Mapping[str, Any], wording: Wording) -> Section:
    """What is not PASS, each with what decided and how to see it again."""
    words = wording.words
    there = [v for v in (*report["verdicts"], *report["latency"]) if v["verdict"] not in ("pass", "not-applicable")]
    rows = [
        [_verdict(v["verdict"], words), data(v["case"], "name"), data(term(words, v["channel"])), _purpose(v, words),
         wording.said(v["why"], "says"),
         _ids(v.get("clauses", ())), data(v["wanted"] or "–")]
        for v in there
    ]
    columns = tuple(Column(words.say(name)) for name in (
        N_("Verdict"), N_("Case"), N_("Channel"), N_("What it shows"), N_("Why"), N_("Clauses"), N_("Known"),
    ))
    blocks: list[Block] = [Table(words.say("What did not pass"), columns, rows, wording.note(rows))] if rows else []
    if there:
        commands = sorted({v["command"] for v in there})
        blocks += conformance_clauses.concerned(there, wording)
        blocks += [_frames(v, wording) for v in there[:_SHOWN] if v.get("frames")]
        blocks.append(Bullets([data(command, "code") for command in commands], words.say("To see it again")))
    finding = words.say("Nothing failed.")
    if there:
        finding = words.say_n("{n} case did not pass.", "{n} cases did not pass.", len(there))
    return Section("against", words.say("What did not pass"), finding, blocks)


def _frames(judged: Judged, wording: Wording) -> Table:
    """What was said last before the verdict."""
    words = wording.words
    rows = [[wording.said(f["step"]), wording.said(f["outcome"]), data(f["status"] or "–", "code"),
             data(wording.plain(f["request"]) or "–", "name"),
             data(wording.plain(f["reply"]) or "–", "name")] for f in judged["frames"]]
    columns = tuple(Column(words.say(name)) for name in (
        N_("Step"), N_("How it ended"), N_("Status"), N_("Sent"), N_("Received"),
    ))
    channel = term(words, judged["channel"])
    return Table(words.say("Last exchanges of {case} over {channel}", case=judged["case"], channel=channel), columns, rows)


def _subjects(report: Mapping[str, Any], wording: Wording) -> list[Section]:
    words = wording.words
    by: dict[str, list[Judged]] = {}
    for judged in report["verdicts"]:
        by.setdefault(".".join(judged["case"].split(".")[:2]), []).append(judged)
    titles = [words.say(title) for title in (N_("Case"), N_("What it shows"), N_("Nature"), N_("Clauses"))]
    sections = []
    for subject, judged in sorted(by.items()):
        places = sorted({(v["device"], v["channel"]) for v in judged})
        one = len({device for device, _ in places}) == 1
        columns = tuple(Column(title) for title in (*titles, *(_over(d, c, one, words) for d, c in places)))
        rows = [_case(each, subject, places, wording) for each in _by_case(judged)]
        passed = sum(v["verdict"] == "pass" for v in judged)
        finding = words.say("{passed} of {n} passed.", passed=f"{passed:,}", n=f"{len(judged):,}")
        table = Table(words.say("Cases of {subject}", subject=subject), columns, rows)
        sections.append(Section(subject.replace(".", "-"), wording.subject(subject), finding, [table]))
    return sections


def _over(device: str, channel: str, one: bool, words: Catalogue) -> str:
    return term(words, channel) if one else f"{device} {term(words, channel)}"


def _by_case(judged: Iterable[Judged]) -> list[list[Judged]]:
    by: dict[str, list[Judged]] = {}
    for each in judged:
        by.setdefault(each["case"], []).append(each)
    return list(by.values())


def _case(judged: Sequence[Judged], subject: str, places: Iterable[tuple[str, str]], wording: Wording) -> list[Cell]:
    """One case: what it shows, and its verdict on each device over each channel."""
    words = wording.words
    first = judged[0]
    there = {(v["device"], v["channel"]): v for v in judged}
    verdicts = [
        _verdict(there[place]["verdict"], words, wording.plain(_why_not(there[place]))) if place in there else text("")
        for place in places
    ]
    nature = _NATURES[first["nature"]]
    name = first["case"].removeprefix(f"{subject}.")
    return [data(name, "name"), _purpose(first, words), text(words.say(nature)), _ids(first["clauses"]), *verdicts]


def _ids(clauses: Sequence[str]) -> Cell:
    """Ids of clauses, one below the other: a line never ends inside one."""
    return data(",\n".join(clauses) or "–", "ids")


def _method(report: Mapping[str, Any], words: Catalogue) -> Section:
    made: Mapping[str, str] = report["made"]
    rows: Sequence[tuple[str, str]] = (
        (N_("Made at"), made["at"]), (N_("Laboratory"), made["laboratory"] or "–"), (N_("Bench"), report["bench"]),
        (N_("Python"), made["python"]), (N_("Machine"), made["machine"]), (N_("Seed"), str(report["seed"])),
        (N_("Asked for"), report["asked"]), (N_("Configuration, SHA-256"), report["configuration"]),
    )
    table = Table(words.say("What was asked for, and where"), (Column(words.say("What")), Column(words.say("Value"))),
                  [[text(words.say(name)), data(value, "code")] for name, value in rows])
    finding = words.say(
        "The worst verdict decides: fail, error, inconclusive, review, pass. What is not applicable does not count, and an "
        "expected failure does not decide."
    )
    return Section("method", words.say("How it was made"), finding, [table])


def _purpose(judged: Judged, words: Catalogue) -> Cell:
    if "samples_ns" in judged:
        return text(conformance_latency.purpose(judged, words))
    if words.chinese:
        return Cell(judged["zh"], data=True, style="says", lang="zh-Hant")
    return Cell(judged["says"], data=True, style="says", lang="en")


def _why_not(judged: Judged) -> str:
    """Of a case that did not apply, the reason; of all others it stands further above."""
    return str(judged["why"]) if judged["verdict"] == "not-applicable" else ""


def _verdict(key: str, words: Catalogue, detail: str = "") -> Cell:
    style, sign = _MARKS[key]
    return Cell(words.say(VERDICTS[key]), style=style, sign=sign, detail=detail)


__all__ = ["page"]
