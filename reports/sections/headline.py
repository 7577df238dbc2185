"""The summary at the top: what happened, in large numbers, and whether the run can be trusted."""

from __future__ import annotations

from dataclasses import dataclass

from reports.blocks import Block, Paragraph, Section, Tile, Tiles
from reports.formats import NS, duration, interval, round_duration, share, value
from reports.quantiles import percentiles
from reports.run import Ended, Run
from reports.statistics import NOTHING, Estimate
from reports.statistics import share as share_over

NAME = "summary"


@dataclass(frozen=True)
class Headline:
    """The numbers that page and terminal share. Times are of served visits, in nanoseconds."""

    visits: int
    served: int
    refused: int
    gave_up: int
    median: Estimate
    p90: Estimate
    uploads: int
    in_time: Estimate
    laws: int
    broken: int


def headline(run: Run) -> Headline:
    """Computed from the rows alone."""
    visits, served, refused = run.sql(
        "SELECT count(*), count(*) FILTER (WHERE outcome = 'served'), count(*) FILTER (WHERE outcome = 'refused') FROM visits"
    )[0]
    stays = run.derive(
        "stays", "SELECT replication, left_ns - arrived_ns AS ns FROM visits WHERE outcome = 'served' ORDER BY replication, ns"
    )
    median, p90 = percentiles(run, stays, "ns", (0.5, 0.9)).get((), [NOTHING, NOTHING])
    uploads = run.sql(
        "SELECT count(*) FILTER (WHERE stored_ns >= 0 AND stored_ns <= due_ns), count(*) FROM uploads GROUP BY replication "
        "ORDER BY replication"
    )
    laws, broken = run.sql('SELECT count(*), count(*) FILTER (WHERE NOT holds OR "left" <> "right") FROM ledger')[0]
    return Headline(
        visits,
        served,
        refused,
        visits - served - refused,
        median,
        p90,
        sum(n for _, n in uploads),
        share_over(uploads),
        laws,
        broken,
    )


def banner(run: Run) -> str:
    """What a reader must know first about a run that did not end by itself; '' for one that did."""
    match run.ended:
        case Ended.COMPLETED:
            return ""
        case Ended.INTERRUPTED:
            return run.say(
                "This run was interrupted by a person. The numbers cover what had been recorded by then; the last replication "
                "is cut short."
            )
        case Ended.FAILED:
            return run.say(
                "This run was stopped by an error: {error}. The numbers cover what had been recorded by then.",
                error=run.end.get("error", "?"),
            )
        case Ended.RECOVERED:
            return run.say(
                "This run was killed, and its journal was recovered. The last rows before the kill may be missing; the last "
                "replication is cut short."
            )
        case Ended.KILLED:
            return run.say("This run was killed, and nothing has been recovered yet. The numbers below are not a result.")


def laws_sentence(run: Run, h: Headline) -> str:
    """Whether the conservation laws hold."""
    if not h.laws:
        return run.say("No conservation law was checked.")
    if h.broken:
        return run.say_n(
            "{n} of {laws} conservation laws is BROKEN.", "{n} of {laws} conservation laws are BROKEN.", h.broken, laws=h.laws
        )
    return run.say_n("The one conservation law holds.", "All {n} conservation laws hold.", h.laws)


def make(run: Run) -> Section:
    h = headline(run)
    blocks: list[Block] = [Paragraph(banner(run), "alarm")] if banner(run) else []
    if h.broken:
        blocks.append(
            Paragraph(
                run.words.sentences(
                    laws_sentence(run, h),
                    run.say("Something was lost or counted twice; do not use these numbers before it is found."),
                ),
                "alarm",
            )
        )
    blocks.append(Tiles(_tiles(run, h)))
    return Section(NAME, run.say("Summary"), finding(run, h), blocks)


def finding(run: Run, h: Headline) -> str:
    """The run in one sentence."""
    if not h.visits:
        return run.say("No visit was recorded.")
    if h.served == 1:
        return run.say("The one served patient left within {time}.", time=duration(run.words, h.median.value or 0))
    if h.median.value is None:
        return run.say_n("The one visit was not served.", "None of the {n} visits was served.", h.visits)
    return run.say(
        "Half of the served patients left within {time}, nine of ten within {p90}.",
        time=duration(run.words, h.median.value),
        p90=duration(run.words, h.p90.value or 0),
    )


def _tiles(run: Run, h: Headline) -> list[Tile]:
    words, several = run.words, run.replications > 1
    per = run.say_n("in {n} replication", "in {n} replications", run.replications) if run.replications else ""
    outcomes = run.say("{refused} refused, {gave_up} gave up", refused=f"{h.refused:,}", gave_up=f"{h.gave_up:,}")
    tiles = [
        Tile(run.say("visits"), f"{h.visits:,}", per),
        Tile(run.say("served"), share(words, h.served / h.visits) if h.visits else "–", outcomes),
        Tile(run.say("median time in the house"), value(words, h.median), _range(run, h.median)),
        Tile(run.say("nine of ten leave within"), value(words, h.p90), _range(run, h.p90)),
    ]
    limit = round_duration(words, float(run.manifest.get("upload_deadline_s", 86_400)) * NS)
    mood = "" if h.in_time.value is None or run.ended is Ended.KILLED else "good" if h.in_time.value >= 0.9 else "bad"
    tiles.append(
        Tile(
            run.say("records stored within {time}", time=limit),
            value(words, h.in_time, as_share=True),
            _range(run, h.in_time, as_share=True),
            mood,
        )
    )
    if not h.laws:
        law = Tile(run.say("conservation laws"), "–", run.say("none checked"))
    elif h.broken:
        law = Tile(
            run.say("conservation laws"), run.say("BROKEN"), run.say("{broken} of {laws}", broken=h.broken, laws=h.laws), "bad"
        )
    else:
        law = Tile(
            run.say("conservation laws"),
            run.say("hold"),
            run.say("all {laws}", laws=h.laws) if several or h.laws > 1 else "",
            "good",
        )
    return [*tiles, law]


def _range(run: Run, estimate: Estimate, *, as_share: bool = False) -> str:
    if estimate.value is None:
        return run.say("nothing to count")
    if estimate.low is None:
        return run.say("no interval: {why}", why=interval(run.words, estimate))
    return run.say("95 % interval {range}", range=interval(run.words, estimate, as_share=as_share))
