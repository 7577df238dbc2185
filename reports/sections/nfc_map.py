"""What bad holding costs over NFC, of the map that lies in the run's directory."""

from __future__ import annotations

from reports.blocks import Block, Column, Section, Table, number, text
from reports.formats import share
from reports.nfc_map import HOLDINGS, HOW, Line, lines
from reports.run import Run

NAME = "nfc_map"


def make(run: Run) -> Section:
    found = lines(run)
    title = run.say("What bad holding costs over NFC")
    if not found:
        return Section(NAME, title, run.say("No map of NFC lies in the run's directory."), [])
    tried = sum(each.presentations for each in found)
    finding = run.say(
        "Of {n} presentations with a phone held badly, {first} were done at the first tap and {done} in the end.",
        n=f"{tried:,}", first=f"{sum(each.at_first_tap for each in found):,}", done=f"{sum(each.done for each in found):,}",
    )
    return Section(NAME, title, finding, [_table(run, found)])


def _table(run: Run, found: list[Line]) -> Block:
    body = []
    for holding, how in dict.fromkeys((each.holding, each.how) for each in found):
        own = [each for each in found if (each.holding, each.how) == (holding, how)]
        whole = [each.strength for each in own if each.at_first_tap == each.presentations]
        worst = own[-1]
        body.append([
            text(run.say(HOLDINGS[holding])), text(run.say(HOW[how])),
            number(f"{max(whole):g}" if whole else "–"), number(f"{worst.strength:g}"),
            number(share(run.words, 1 - worst.failed)), number(f"{worst.taps / worst.presentations:.1f}"),
            number(f"{own[0].device_ms_p50 / 1000:.1f}"), number(f"{worst.device_ms_p50 / 1000:.1f}"),
        ])
    return Table(
        run.say("How badly a phone may be held"),
        (
            Column(run.say("Way of holding")), Column(run.say("How obtained")),
            Column(run.say("All at first tap up to"), True), Column(run.say("Worst"), True),
            Column(run.say("At first tap"), True), Column(run.say("Taps"), True),
            Column(run.say("Held well (s)"), True), Column(run.say("At worst (s)"), True),
        ),
        body,
        run.say(
            "Strength 0 is held as it should be, 1 as badly as the map goes; the share at the first tap and the taps of a "
            "presentation are those at the worst that was tried. How well a field reaches a phone is assumed. Times are medians "
            "of the device's alone: what people do between taps is not in them. A dash: at no strength that was tried."
        ),
    )
