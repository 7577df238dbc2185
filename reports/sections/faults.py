"""What was made to go wrong, the field's code for it, and how it ended."""

from __future__ import annotations

from reports.blocks import Block, Cell, Column, Section, Table, chinese, data, number
from reports.fieldcodes import explain
from reports.formats import clock
from reports.run import Run
from reports.terms import word

NAME = "faults"


def make(run: Run) -> Section:
    rows = run.sql(
        "SELECT fault, kind, role, code, ended, count(*), min(at_ns), max(greatest(at_ns, until_ns)) FROM faults "
        "GROUP BY fault, kind, role, code, ended ORDER BY fault, kind, role, code, ended"
    )
    blocks: list[Block] = []
    if rows:
        body: list[list[Cell]] = []
        for fault, kind, role, code, ended, n, first, last in rows:
            known = explain(code)
            body.append(
                [
                    data(fault),
                    data(kind),
                    word(run.words, role),
                    data(code or "–", "code"),
                    data(known.meaning(run.words) or "–"),
                    *([] if run.words.chinese else [chinese(known.zh or "–")]),
                    word(run.words, ended),
                    number(f"{n:,}"),
                    data(f"{clock(first)}–{clock(last)}", "number"),
                ]
            )
        blocks.append(
            Table(
                run.say("Faults, and how what they struck ended"),
                (
                    Column(run.say("Fault")),
                    Column(run.say("Kind")),
                    Column(run.say("On")),
                    Column(run.say("Code")),
                    Column(run.say("Meaning")),
                    *([] if run.words.chinese else [Column(run.say("Official text"))]),
                    Column(run.say("Ended")),
                    Column(run.say("Times"), True),
                    Column(run.say("From, until"), True),
                ),
                body,
                run.say(
                    "'in force' is the span in which a fault could strike; every other line counts exchanges that it struck."
                ),
            )
        )
    return Section(NAME, run.say("Faults"), _finding(run), blocks)


def _finding(run: Run) -> str:
    struck, bad = run.sql(
        "SELECT count(*) FILTER (WHERE ended <> 'window'), count(*) FILTER (WHERE ended IN ('refused', 'lost')) FROM faults"
    )[0]
    windows = run.one("SELECT count(*) FROM faults WHERE ended = 'window'")
    if not struck:
        return (
            run.say("No fault struck.")
            if not windows
            else run.say_n(
                "{n} window of a fault was opened, and no exchange fell into it.",
                "{n} windows of a fault were opened, and no exchange fell into one.",
                windows,
            )
        )
    if not bad:
        return run.say_n(
            "Faults struck {n} exchange; the visit went on.",
            "Faults struck {n} exchanges; every visit so struck went on.",
            struck,
        )
    return run.say_n(
        "Faults struck {n} exchange; it ended in a refusal or a loss.",
        "Faults struck {n} exchanges; {bad} ended in a refusal or a loss, the rest went on.",
        struck,
        bad=f"{bad:,}",
    )
