"""The way of prescriptions: how many went which way, and one followed from the desk where it was signed to the data centre."""

from __future__ import annotations

from reports.blocks import Block, Column, Section, Table, data, number, text
from reports.formats import clock_s
from reports.run import Run
from reports.terms import term, word

NAME = "prescriptions"
_STEPS = ("issued", "on phone", "on card", "read", "doubted", "answered", "dispensed", "received", "taken back", "amended",
          "not amended", "not issued", "stored", "told", "found")
"""In the order of a prescription's life; those that never came about are left out of the table."""


def make(run: Run) -> Section:
    title = run.say("Prescriptions on their way")
    total = run.one("SELECT count(DISTINCT replication || prescription) FROM prescriptions")
    if not total:
        return Section(NAME, title, run.say("No prescription was written, read or dispensed in this run."), [])
    counts = {event: (there, away) for event, there, away in run.sql(
        "SELECT event, count(*) FILTER (WHERE online), count(*) FILTER (WHERE NOT online) FROM prescriptions GROUP BY event"
    )}
    body = [
        [word(run.words, event), number(f"{counts[event][0]:,}"), number(f"{counts[event][1]:,}")]
        for event in _STEPS if event in counts
    ]
    blocks: list[Block] = [
        Table(
            run.say("What happened to prescriptions"),
            (Column(run.say("Event")), Column(run.say("The data centre knew"), True), Column(run.say("It did not yet"), True)),
            body,
        )
    ]
    followed = _followed(run)
    if followed is not None:
        blocks.append(_one(run, *followed))
    return Section(NAME, title, _finding(run, total, counts), blocks)


def _finding(run: Run, total: int, counts: dict[str, tuple[int, int]]) -> str:
    given, offline = sum(counts.get("dispensed", (0, 0))), counts.get("dispensed", (0, 0))[1]
    signed_offline, found = counts.get("issued", (0, 0))[1], sum(counts.get("found", (0, 0)))
    return run.say(
        "{n} prescriptions; {given} issues were dispensed, {offline} of them without a line; {signed} were signed without a "
        "line. Found against them when the line was back: {found}.",
        n=f"{total:,}", given=f"{given:,}", offline=f"{offline:,}", signed=f"{signed_offline:,}", found=f"{found:,}",
    )


def _followed(run: Run) -> tuple[int, str] | None:
    """The one with the most to tell: signed without a line and dispensed, if there is one; of these the longest, the first."""
    found = run.sql(
        "SELECT replication, prescription FROM prescriptions GROUP BY replication, prescription ORDER BY "
        "(bool_or(event = 'issued' AND NOT online) AND bool_or(event = 'dispensed')) DESC, count(*) DESC, replication, "
        "prescription LIMIT 1"
    )
    return (int(found[0][0]), str(found[0][1])) if found else None


def _one(run: Run, replication: int, prescription: str) -> Table:
    rows = run.sql(
        "SELECT at_ns, event, place, person, online, code FROM prescriptions WHERE replication = ? AND prescription = ? "
        "ORDER BY at_ns, event, place", replication, prescription,
    )
    knew, did_not = run.say("yes"), run.say("not yet")
    return Table(
        run.say("One prescription, followed: {name}", name=prescription),
        (
            Column(run.say("At"), True), Column(run.say("Event")), Column(run.say("Where")), Column(run.say("Who")),
            Column(run.say("The data centre knew")), Column(run.say("Code")),
        ),
        [
            [
                number(clock_s(at)), word(run.words, event), data(term(run.words, place)), word(run.words, person),
                text(knew if online else did_not), data(code, "code"),
            ]
            for at, event, place, person, online, code in rows
        ],
        run.say("Replication {n}. Chosen because it was signed without a line, where there is such a one.", n=replication + 1),
    )
