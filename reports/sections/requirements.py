"""The requirements that this run can show something about."""

from __future__ import annotations

from reports.blocks import Block, Column, Section, Table, data
from reports.run import Run
from reports.terms import word

NAME = "requirements"


def make(run: Run) -> Section:
    shown = run.manifest.get("requirements", [])
    if not shown:
        return Section(NAME, run.say("Requirements shown"), run.say("The scenario names no requirement that it shows."), [])
    must = sum(1 for r in shown if r.get("duty") == "must")
    finding = run.say_n(
        "This run lets {n} requirement be seen, {must} of duty 'must'.",
        "This run lets {n} requirements be seen, {must} of duty 'must'.",
        len(shown),
        must=must,
    )
    rows = [[data(r.get("id", ""), "code"), word(run.words, r.get("duty", "")), data(r.get("says", ""))] for r in shown]
    blocks: list[Block] = [
        Table(
            run.say("Requirements"),
            (Column(run.say("Id")), Column(run.say("Duty")), Column(run.say("Says"))),
            rows,
            run.say(
                "Shown in a simulation is not the same as proved of a device: a device's verdict comes from the conformance "
                "suite alone."
            ),
        )
    ]
    return Section(NAME, run.say("Requirements shown"), finding, blocks)
