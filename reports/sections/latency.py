"""Latency by channel and step."""

from __future__ import annotations

from reports.blocks import Block, Column, Section, Table, data, number, text
from reports.formats import duration, interval, value
from reports.latency import StepLatency, by_step
from reports.run import Run
from reports.terms import mark, term, word

NAME = "latency"


def make(run: Run) -> Section:
    rows = by_step(run)
    return Section(NAME, run.say("Latency by channel and step"), _finding(run, rows), [_table(run, rows)] if rows else [])


def _finding(run: Run, rows: list[StepLatency]) -> str:
    if not rows:
        return run.say("No message was exchanged.")
    worst = max(rows, key=lambda r: r.p95.value or 0)
    kinds = {r.provenance for r in rows}
    closing = (
        run.say("All of it is modelled: nothing here is a measurement.")
        if kinds == {"modelled"}
        else run.say("Modelled and measured stand in rows of their own.")
    )
    return run.words.sentences(
        run.say(
            "The slowest twentieth of '{step}' over {channel} takes {time} or more.",
            step=term(run.words, worst.step) or run.say("(unnamed)"),
            channel=term(run.words, worst.channel),
            time=duration(run.words, worst.p95.value or 0),
        ),
        closing,
    )


def _table(run: Run, rows: list[StepLatency]) -> Block:
    body = []
    for r in rows:
        line = [
            word(run.words, r.channel),
            word(run.words, r.step) if r.step else text(run.say("(unnamed)"), "soft"),
            word(run.words, r.role),
            data(r.device, "code"),
            mark(run.words, r.provenance),
            number(f"{r.p50.n:,}"),
        ]
        body.append(line + [number(value(run.words, e), interval(run.words, e)) for e in (r.p50, r.p95, r.p99)])
    return Table(
        run.say("Latency of each step in one session"),
        (
            Column(run.say("Channel")),
            Column(run.say("Step")),
            Column(run.say("Role")),
            Column(run.say("Device")),
            Column(run.say("Origin")),
            Column(run.say("n"), True),
            Column(run.say("Median"), True),
            Column(run.say("95th percentile"), True),
            Column(run.say("99th percentile"), True),
        ),
        body,
        run.say(
            "n counts sessions. A session's latency of a step is the sum of all its tries, failed ones included, because the "
            "person waited for them. "
            "Below each value: its 95 % interval, or why it has none."
        ),
    )
