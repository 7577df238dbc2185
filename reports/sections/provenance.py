"""What was real, presented, modelled."""

from __future__ import annotations

from reports.blocks import Block, Column, Section, Table, data, number
from reports.formats import share
from reports.run import Run
from reports.terms import mark, word

NAME = "provenance"


def make(run: Run) -> Section:
    rows = run.sql(
        "SELECT role, channel, device, provenance, count(*), count(*) FILTER (WHERE outcome <> 'replied'), count(DISTINCT "
        "(replication, session)) "
        "FROM exchanges GROUP BY role, channel, device, provenance ORDER BY role, channel, device, provenance"
    )
    blocks: list[Block] = []
    if rows:
        body = [
            [
                word(run.words, role),
                word(run.words, channel),
                data(device, "code"),
                mark(run.words, kind),
                number(f"{sessions:,}"),
                number(f"{n:,}"),
                number(f"{failed:,}"),
            ]
            for role, channel, device, kind, n, failed, sessions in rows
        ]
        blocks.append(
            Table(
                run.say("Exchanges by role, channel and device"),
                (
                    Column(run.say("Role")),
                    Column(run.say("Channel")),
                    Column(run.say("Device")),
                    Column(run.say("Origin")),
                    Column(run.say("Sessions"), True),
                    Column(run.say("Exchanges"), True),
                    Column(run.say("Without answer"), True),
                ),
                body,
                run.say(
                    "A modelled exchange says nothing about any device. Only measured and presented ones do, each about its "
                    "own device."
                ),
            )
        )
    return Section(NAME, run.say("What was real, and what was modelled"), _finding(run), blocks)


def _finding(run: Run) -> str:
    counts: dict[str, int] = dict(run.sql("SELECT provenance, count(*) FROM exchanges GROUP BY provenance ORDER BY provenance"))
    total = sum(counts.values())
    if not total:
        return run.say("No message was exchanged.")
    if counts.get("modelled") == total:
        return run.say("Everything was modelled: {n} exchanges, none with a device outside the bench.", n=f"{total:,}")
    parts = [
        run.say("{share} were measured on a device outside the bench", share=share(run.words, counts.get("measured", 0) / total)),
        run.say("{share} presented to somebody else's reader", share=share(run.words, counts.get("presented", 0) / total)),
        run.say("{share} replayed from a record", share=share(run.words, counts.get("replayed", 0) / total)),
        run.say("{share} modelled", share=share(run.words, counts.get("modelled", 0) / total)),
    ]
    there = [
        part for part, kind in zip(parts, ("measured", "presented", "replayed", "modelled"), strict=True) if counts.get(kind)
    ]
    return run.say("Of {n} exchanges, {parts}.", n=f"{total:,}", parts=run.words.join(there))
