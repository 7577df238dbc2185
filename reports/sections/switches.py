"""Devices that came, went, or took over a role."""

from __future__ import annotations

from reports.blocks import Block, Column, Section, Table, data, number, text
from reports.formats import clock_s
from reports.run import Run
from reports.terms import term, word

NAME = "switches"
MOST = 200


def make(run: Run) -> Section:
    total = run.one("SELECT count(*) FROM switches")
    if not total:
        return Section(NAME, run.say("Switches of devices"), run.say("No role changed hands during the run."), [])
    rows = run.sql(
        "SELECT replication, at_ns, role, was, now, reason, visit FROM switches ORDER BY replication, at_ns, role, was, now, "
        "reason, visit LIMIT ?",
        MOST,
    )
    body = [
        [
            number(str(r + 1)),
            number(clock_s(at)),
            word(run.words, role),
            data(was, "code"),
            data(now, "code"),
            data(reason),
            data(visit, "code") if visit else text(run.say("between visits"), "soft"),
        ]
        for r, at, role, was, now, reason, visit in rows
    ]
    roles = [term(run.words, r) for (r,) in run.sql("SELECT DISTINCT role FROM switches ORDER BY role")]
    finding = run.say_n(
        "{n} time a role changed hands: {roles}.", "{n} times a role changed hands: {roles}.", total, roles=run.words.join(roles)
    )
    note = run.say("The first {n} are shown.", n=MOST) if total > MOST else ""
    blocks: list[Block] = [
        Table(
            run.say("Every switch"),
            (
                Column(run.say("Replication"), True),
                Column(run.say("At"), True),
                Column(run.say("Role")),
                Column(run.say("Was")),
                Column(run.say("Became")),
                Column(run.say("Reason")),
                Column(run.say("Visit")),
            ),
            body,
            note,
        )
    ]
    return Section(NAME, run.say("Switches of devices"), finding, blocks)
