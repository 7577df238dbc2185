"""Where QR codes could be read: the limits by weakness and kind of code, of the map that lies in the run's directory."""

from __future__ import annotations

from reports.blocks import Block, Column, Section, Table, number, text
from reports.qr_map import KINDS, WEAKNESSES, Cell, cells
from reports.run import Run

NAME = "qr_map"


def make(run: Run) -> Section:
    found = cells(run)
    title = run.say("Where QR codes can be read")
    if not found:
        return Section(NAME, title, run.say("No map of QR codes lies in the run's directory."), [])
    misread = sum(c.misread for c in found)
    finding = run.say(
        "{n} pictures of spoiled codes were read; {misread} gave a text that nobody showed.",
        n=f"{sum(c.trials for c in found):,}", misread=f"{misread:,}",
    )
    return Section(NAME, title, finding, [_table(run, found)], "bad" if misread else "")


def _table(run: Run, found: list[Cell]) -> Block:
    body = []
    for weakness in dict.fromkeys(c.weakness for c in found):
        for kind in dict.fromkeys(c.kind for c in found):
            own = [c for c in found if (c.weakness, c.kind) == (weakness, kind)]
            name, unit = WEAKNESSES[weakness]
            body.append([
                text(run.say(name)), text(run.say(KINDS[kind])), text(f"{own[0].version}-{own[0].level}"),
                number(_limit([c.strength for c in own if c.read == c.trials])),
                number(_limit([c.strength for c in own if not c.read], first=True)), text(run.say(unit)),
                number(f"{own[0].trials:,}"),
            ])
    return Table(
        run.say("How strong a weakness may be"),
        (
            Column(run.say("Weakness")), Column(run.say("Code")), Column(run.say("Version and level")),
            Column(run.say("All read up to"), True), Column(run.say("None read from"), True), Column(run.say("Unit")),
            Column(run.say("Pictures a point"), True),
        ),
        body,
        run.say(
            "Made by a program: codes of the virtual card drawn, spoiled, and read by the bench's own reader of pictures. "
            "No camera and no screen took part. Of a prescription it is one code of several. A dash: at no strength that was "
            "tried."
        ),
    )


def _limit(strengths: list[float], *, first: bool = False) -> str:
    """Strengths stand in the map from harmless to hopeless."""
    return f"{strengths[0 if first else -1]:g}" if strengths else "–"
