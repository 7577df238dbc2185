"""The conservation laws: nothing is lost, nothing is counted twice."""

from __future__ import annotations

from reports.blocks import Block, Cell, Column, Section, Table, number, text
from reports.run import Run
from reports.sections.headline import headline, laws_sentence
from reports.terms import word

NAME = "laws"


def make(run: Run) -> Section:
    rows = run.sql(
        'SELECT law, count(*), sum("left"), sum("right"), count(*) FILTER (WHERE NOT holds OR '
        '"left" <> "right"), '
        'min(replication) FILTER (WHERE NOT holds OR "left" <> "right") FROM ledger GROUP BY law ORDER BY law'
    )
    body = []
    for law, n, left, right, broken, first in rows:
        verdict = (
            Cell(run.say("BROKEN in {broken}, first in replication {first}", broken=broken, first=first + 1), style="bad")
            if broken
            else text(run.say("holds"), "good")
        )
        body.append([word(run.words, law), number(f"{n:,}"), number(f"{left:,}"), number(f"{right:,}"), verdict])
    blocks: list[Block] = (
        [
            Table(
                run.say("Each law over all replications"),
                (
                    Column(run.say("Law")),
                    Column(run.say("Checked"), True),
                    Column(run.say("Left side, sum"), True),
                    Column(run.say("Right side, sum"), True),
                    Column(run.say("Verdict")),
                ),
                body,
            )
        ]
        if body
        else []
    )
    h = headline(run)
    return Section(NAME, run.say("Conservation laws"), laws_sentence(run, h), blocks, "bad" if h.broken else "")
