"""How to read the numbers."""

from __future__ import annotations

from reports.blocks import Block, Bullets, Section, text
from reports.run import Run

NAME = "method"


def make(run: Run) -> Section:
    several = run.replications > 1
    finding = (
        run.say("Intervals are 95 % confidence intervals over {n} replications.", n=run.replications)
        if several
        else run.say(
            "There is one replication or none: intervals rest on the order of samples inside it, and means have no interval."
        )
    )
    items = [
        run.say(
            "With several replications, each one gives one number (a median, a share), and the interval is Student's t over "
            "those numbers. The value shown is their mean."
        ),
        run.say(
            "With one replication, the interval of a percentile lies between two of its ordered samples, chosen by the "
            "binomial distribution; a share has Wilson's "
            "score interval. Both take the samples as independent, which queues are not: such intervals are too narrow, and "
            "more replications are the cure."
        ),
        run.say(
            "'too few' stands where a replication has fewer samples than 1 / (1 − p) for the p-th percentile, or where no two "
            "ordered samples enclose it with "
            "95 % confidence. An interval that the samples do not carry is not shown."
        ),
        run.say("'no spread' stands where every replication gave the same number; that is no proof that more of them would."),
        run.say(
            "'cut short' stands where no replication came to its end: a day's beginning is not like the day. Where some did, the "
            "numbers of the day rest on those alone; exchanges, faults and switches are counted of all."
        ),
        run.say(
            "A percentile is always a value that occurred: the smallest with at least that share of the samples at or below it."
        ),
        run.say(
            "Time in the house is from arrival to leaving, of served patients; waiting is from joining a station's queue to "
            "the beginning of service there."
        ),
        run.say(
            "A record is in time when it was stored no later than its due moment, which counts from the end of the visit. A "
            "record never stored counts against the share."
        ),
        run.say(
            "Modelled: drawn from a model. Measured: timed on a device outside this process. Presented: our device before "
            "somebody else's reader; the time is that "
            "reader's turnaround. Replayed: answers from a recorded run. No row of this report mixes them."
        ),
        run.say(
            "Clock times are Taiwan's (UTC+8). Everything in this page is computed from the run directory alone: made again, "
            "it is the same, byte for byte."
        ),
    ]
    blocks: list[Block] = [Bullets([text(i) for i in items])]
    return Section(NAME, run.say("How to read the numbers"), finding, blocks)
