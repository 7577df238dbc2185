"""Records on their way to the data centre, against the 24 hours."""

from __future__ import annotations

from reports.blocks import Block, Column, Section, Table, number, text
from reports.formats import duration, share
from reports.run import Run

NAME = "uploads"


def no_share(run: Run, settled: int) -> str:
    """Why no share of records in time is given: none was made, or nobody knows what became of the others."""
    if run.cut_short:
        return run.say_n(
            "{n} record had been settled when the run was broken off; only a whole replication tells what share is in time.",
            "{n} records had been settled when the run was broken off; only a whole replication tells what share is in time.",
            settled,
        )
    return run.say("No record was made for upload.")


def make(run: Run) -> Section:
    rows = run.sql(
        "SELECT queued, count(*), count(*) FILTER (WHERE stored_ns >= 0 AND stored_ns <= due_ns), count(*) FILTER (WHERE "
        "stored_ns > due_ns), "
        "count(*) FILTER (WHERE stored_ns < 0), quantile_disc(stored_ns - ended_ns, [0.5, 0.99]) FILTER (WHERE stored_ns >= "
        "0), max(tries) "
        "FROM uploads GROUP BY queued ORDER BY queued"
    )
    blocks: list[Block] = []
    if rows:
        body = []
        for queued, n, soon, late, never, times, tries in rows:
            half, most = (duration(run.words, t) for t in times) if times and times[0] is not None else ("–", "–")
            label = run.say("waited in the offline queue") if queued else run.say("sent at once")
            body.append(
                [
                    text(label),
                    number(f"{n:,}"),
                    number(f"{soon:,}"),
                    number(f"{late:,}"),
                    number(f"{never:,}"),
                    number(half),
                    number(most),
                    number(f"{tries:,}"),
                ]
            )
        blocks.append(
            Table(
                run.say("Records by their way"),
                (
                    Column(run.say("Record")),
                    Column(run.say("n"), True),
                    Column(run.say("In time"), True),
                    Column(run.say("Late"), True),
                    Column(run.say("Never"), True),
                    Column(run.say("Median until stored"), True),
                    Column(run.say("99th until stored"), True),
                    Column(run.say("Most tries"), True),
                ),
                body,
            )
        )
    return Section(NAME, run.say("Uploads against the deadline"), _finding(run, rows), blocks)


def _finding(run: Run, rows: list[tuple[object, ...]]) -> str:
    counts = [tuple(int(str(v)) for v in r[1:5]) for r in rows]
    total, soon, late, never = (sum(c[i] for c in counts) for i in range(4))
    if run.cut_short or not total:
        return no_share(run, total)
    queued = sum(int(str(r[1])) for r in rows if r[0])
    return run.say(
        "Stored in time: {share} of {n} records; {late} late, {never} never; {queued} had waited in the offline queue.",
        share=share(run.words, soon / total),
        n=f"{total:,}",
        late=f"{late:,}",
        never=f"{never:,}",
        queued=f"{queued:,}",
    )
