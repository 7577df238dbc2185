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
    """The numbers that page and terminal share. Times are of served visits, in nanoseconds.

    ``laws`` of conservation were checked in ``checked`` of the ``asked`` replications; ``broken`` of them do not hold, in
    ``broken_in`` replications.
    """

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
    checked: int
    broken_in: int
    asked: int


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
    laws, checked, broken, broken_in = run.sql(
        'WITH l AS (SELECT law, replication, NOT holds OR "left" <> "right" AS broken FROM ledger) '
        "SELECT count(DISTINCT law), count(DISTINCT replication), count(DISTINCT law) FILTER (WHERE broken), "
        "count(DISTINCT replication) FILTER (WHERE broken) FROM l"
    )[0]
    return Headline(
        visits,
        served,
        refused,
        visits - served - refused,
        median,
        p90,
        sum(n for _, n in uploads),
        NOTHING if run.cut_short else share_over(uploads),
        laws,
        broken,
        checked,
        broken_in,
        max(checked, int(run.manifest.get("replications", checked))),
    )


def banner(run: Run) -> str:
    """What a reader must know first about a run that did not end by itself; '' for one that did."""
    match run.ended:
        case Ended.COMPLETED:
            return ""
        case Ended.INTERRUPTED:
            how = run.say("This run was interrupted by a person.")
        case Ended.FAILED:
            how = run.say("This run was stopped by an error: {error}.", error=run.end.get("error", "?"))
        case Ended.RECOVERED:
            how = run.say("This run was killed, and its journal was recovered. The last rows before the kill may be missing.")
        case Ended.KILLED:
            return run.say("This run was killed, and nothing has been recovered yet. The numbers below are not a result.")
    return run.words.sentences(how, *_rest_on(run))


def _rest_on(run: Run) -> list[str]:
    """Which replications the numbers of a broken run rest on."""
    if run.cut_short or not run.began:
        return [
            run.say(
                "No replication came to its end: the numbers cover what had been recorded by then, which is less than a day, and "
                "those of the day carry no interval."
            )
        ]
    asked = f"{int(run.manifest.get('replications', run.began)):,}"
    said = [
        run.say_n(
            "Of {asked} replications, {n} came to its end: the numbers of the day rest on it alone.",
            "Of {asked} replications, {n} came to their end: the numbers of the day rest on these alone.",
            run.replications,
            asked=asked,
        )
    ]
    lost = run.one("SELECT count(*) FROM every_visits") - run.one("SELECT count(*) FROM visits")
    if lost:
        said.append(
            run.say_n("{n} visit of what was cut short is left out.", "{n} visits of what was cut short are left out.", lost)
        )
    return said


def laws_sentence(run: Run, h: Headline) -> str:
    """Whether the conservation laws hold, and where they were checked."""
    if not h.laws:
        return run.say("No conservation law was checked.")
    if h.broken:
        laws = run.say_n("{n} of {laws} conservation laws is BROKEN", "{n} of {laws} conservation laws are BROKEN", h.broken,
                         laws=h.laws)  # fmt: skip
        where = run.say("in {n} of {checked} replications checked", n=h.broken_in, checked=h.checked)
    else:
        laws = run.say_n("The one conservation law holds", "All {n} conservation laws hold", h.laws)
        where = (
            run.say_n("in the one replication", "in all {n} replications", h.checked)
            if h.checked == h.asked
            else run.say("in the {n} of {asked} replications that were checked", n=h.checked, asked=h.asked)
        )
    return run.say("{laws} {where}.", laws=laws, where=where)


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
    words = run.words
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
    return [*tiles, _law_tile(run, h)]


def _law_tile(run: Run, h: Headline) -> Tile:
    name = run.say("conservation laws")
    if not h.laws:
        return Tile(name, "–", run.say("none checked"))
    if h.broken:
        return Tile(name, run.say("BROKEN"), run.say("{broken} of {laws}", broken=h.broken, laws=h.laws), "bad")
    if h.checked < h.asked:
        return Tile(name, run.say("hold"), run.say("{n} of {asked} replications checked", n=h.checked, asked=h.asked))
    where = run.say_n("{laws} in {n} replication", "{laws} in {n} replications", h.checked, laws=h.laws)
    return Tile(name, run.say("hold"), where, "good")


def _range(run: Run, estimate: Estimate, *, as_share: bool = False) -> str:
    if estimate.value is None:
        return run.say("nothing to count")
    if estimate.low is None:
        return run.say("no interval: {why}", why=interval(run.words, estimate))
    return run.say("95 % interval {range}", range=interval(run.words, estimate, as_share=as_share))
