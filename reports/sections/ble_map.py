"""What bad air costs over Bluetooth LE, of the map that lies in the run's directory."""

from __future__ import annotations

from itertools import product

from reports.ble_map import MODES, WEAKNESSES, Cell, cells
from reports.blocks import Block, Column, Section, Table, number, text
from reports.run import Run

NAME = "ble_map"


def make(run: Run) -> Section:
    found = cells(run)
    title = run.say("What bad air costs over Bluetooth")
    if not found:
        return Section(NAME, title, run.say("No map of Bluetooth lies in the run's directory."), [])
    finding = run.say(
        "Of {n} presentations over bad air, {done} were had at the first try.",
        n=f"{sum(c.trials for c in found):,}", done=f"{sum(c.done for c in found):,}",
    )
    return Section(NAME, title, finding, [_table(run, found)])


def _table(run: Run, found: list[Cell]) -> Block:
    body = []
    weaknesses, modes = (dict.fromkeys(names) for names in ([c.weakness for c in found], [c.mode for c in found]))
    for weakness, mode in product(weaknesses, modes):
        own = [c for c in found if (c.weakness, c.mode) == (weakness, mode)]
        if not own:
            continue
        name, unit = WEAKNESSES[weakness]
        had = [c for c in own if c.taken_ms is not None]
        body.append([
            text(run.say(name)), text(run.say(MODES[mode])),
            number(_strength([c for c in own if c.done == c.trials])), number(_strength([c for c in own if not c.done][:1])),
            text(run.say(unit)), number(_seconds(had[:1])), number(_seconds(had[-1:])), number(_strength(had)),
        ])
    return Table(
        run.say("How bad the air may be"),
        (
            Column(run.say("Weakness")), Column(run.say("Mode")), Column(run.say("All had up to"), True),
            Column(run.say("None had from"), True), Column(run.say("Unit")), Column(run.say("Least (s)"), True),
            Column(run.say("Most (s)"), True), Column(run.say("At"), True),
        ),
        body,
        run.say(
            "Made on an emulated air in virtual time: no radio took part. Times are medians of connecting and of the exchange, "
            "of the presentations that were had, at the least strength and at the most at which any was. A dash: at no strength "
            "that was tried."
        ),
    )


def _strength(cells: list[Cell]) -> str:
    """Of the last: strengths stand in the map from harmless to hopeless."""
    return f"{cells[-1].strength:g}" if cells else "–"


def _seconds(cells: list[Cell]) -> str:
    taken_ms = cells[0].taken_ms if cells else None
    return "–" if taken_ms is None else f"{taken_ms / 1000:.1f}"
