"""How the day went: arrivals, queues, waiting, and what people themselves had to do."""

from __future__ import annotations

from reports.blocks import Block, Column, Section, Table, number
from reports.formats import duration, interval, share, value
from reports.quantiles import percentiles
from reports.run import Run
from reports.terms import term, word

NAME = "morning"


def make(run: Run) -> Section:
    blocks: list[Block] = []
    if run.stations:
        blocks.append(_stations(run))
    acts = _acts(run)
    if acts.rows:
        blocks.append(acts)
    return Section(NAME, run.say("How the day went"), _finding(run), blocks)


def _finding(run: Run) -> str:
    waits = run.sql(
        "SELECT station, sum(began_ns - joined_ns), sum(ended_ns - began_ns) FROM stages GROUP "
        "BY station ORDER BY station"
    )
    waiting, work = sum(w for _, w, _ in waits), sum(d for _, _, d in waits)
    if not waits:
        return run.say("No patient stood at any station.")
    if not waiting:
        return run.say("Nobody waited: all the time in the house was service.")
    station, longest, _ = max(waits, key=lambda r: r[1])
    return run.say(
        "{waiting} of the time at the stations was waiting, and {share} of that waiting was for {station}.",
        waiting=share(run.words, waiting / (waiting + work)),
        share=share(run.words, longest / waiting),
        station=term(run.words, station),
    )


def _stations(run: Run) -> Table:
    waits = run.derive(
        "waits",
        "SELECT replication, station, began_ns - joined_ns AS wait, ended_ns - began_ns AS work FROM stages ORDER BY "
        "replication, station",
    )
    waiting = percentiles(run, waits, "wait", (0.5, 0.9), ("station",))
    working = percentiles(run, waits, "work", (0.5, 0.9), ("station",))
    rows = []
    for station in run.stations:
        (half, most), (work, long) = waiting[(station,)], working[(station,)]
        rows.append(
            [
                word(run.words, station),
                number(f"{half.n:,}"),
                *(number(value(run.words, e), interval(run.words, e)) for e in (half, most, work, long)),
            ]
        )
    return Table(
        run.say("Waiting and service by station"),
        (
            Column(run.say("Station")),
            Column(run.say("n"), True),
            Column(run.say("Waiting, median"), True),
            Column(run.say("Waiting, 90th"), True),
            Column(run.say("Service, median"), True),
            Column(run.say("Service, 90th"), True),
        ),
        rows,
        run.say("Below each value: its 95 % interval, or why it has none."),
    )


def _acts(run: Run) -> Table:
    acts = run.sql(
        "SELECT person, act, count(*), quantile_disc(duration_ns, [0.5, 0.9]) FROM acts GROUP BY person, act ORDER BY person, act"
    )
    rows = [
        [
            word(run.words, person),
            word(run.words, act),
            number(f"{n:,}"),
            number(duration(run.words, half)),
            number(duration(run.words, most)),
        ]
        for person, act, n, (half, most) in acts
    ]
    return Table(
        run.say("What people did with cards and devices"),
        (
            Column(run.say("Person")),
            Column(run.say("Act")),
            Column(run.say("n"), True),
            Column(run.say("Median"), True),
            Column(run.say("90th"), True),
        ),
        rows,
        run.say("Time of people, never mixed with the time of devices below."),
    )
