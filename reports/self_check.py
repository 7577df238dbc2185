"""What a self-check of the suite found, as a page: how many faults by family, which case found which, what is left.

It is made from the self-check's own JSON (a mapping); the page is for people.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reports.blocks import Block, Cell, Column, Section, Table, Tile, Tiles, data, number, text
from reports.catalogue import N_, Catalogue
from reports.page import Head, document
from reports.picture import Styles
from reports.terms import kind_of
from reports.wording import Wording

FAMILIES = {
    "check left out": N_("check left out"), "one of several conditions left out": N_("one of several conditions left out"),
    "limit off by one": N_("limit off by one"), "wrong code": N_("wrong code"),
    "falls over in place of refusing": N_("falls over in place of refusing"), "state not reset": N_("state not reset"),
    "leak": N_("leak"), "too late or too early": N_("too late or too early"), "crypto misuse": N_("crypto misuse"),
    "offline error": N_("offline error"), "double spending": N_("double spending"),
}
"""Of faults."""


def page(told: Mapping[str, Any], words: Catalogue, wording: Wording | None = None) -> str:
    """The page as HTML, in the words of a catalogue; ``wording``: the suite's own sentences in the same language."""
    wording = wording or Wording(words)
    head = Head(
        words.say("Virtual NHI card bench, how well the suite finds faults"),
        words.join([kind_of(words, kind) for kind in told["kinds"]]), told["bench"],
        words.say("Faults are put into the bench's reference devices one at a time; the first case that fails finds them."),
    )
    sections = [_summary(told, words), _left(told, wording), _matrix(told, words), _idle(told, wording)]
    return document(head, sections, words, Styles())


def _summary(told: Mapping[str, Any], words: Catalogue) -> Section:
    left = len(told["survivors"])
    tiles = [
        Tile(words.say("faults"), f"{told['mutants']:,}", ""),
        Tile(words.say("found by a case"), f"{told['caught']:,}", "", "good"),
        Tile(words.say("equivalent"), f"{len(told['equivalent']):,}", ""),
        Tile(words.say("left"), f"{left:,}", "", "bad" if left else ""),
    ]
    rows = [
        [text(words.say(FAMILIES[family])), number(f"{n['mutants']:,}"), number(f"{n['caught']:,}"),
         number(f"{n['equivalent']:,}"), number(f"{n['mutants'] - n['caught'] - n['equivalent']:,}")]
        for family, n in sorted(told["families"].items())
    ]
    columns = (Column(words.say("Family")), *(Column(words.say(name), True) for name in (
        N_("faults"), N_("found by a case"), N_("equivalent"), N_("left"),
    )))
    finding = words.say("The suite finds what it has to find.") if told["enough"] else words.say("The suite finds too little.")
    return Section("summary", words.say("Summary"), finding, [Tiles(tiles), Table(words.say("Faults by family"), columns, rows)],
                   "" if told["enough"] else "bad")


def _left(told: Mapping[str, Any], wording: Wording) -> Section:
    words = wording.words
    rows = [[data(name, "code"), text(words.say("nobody has found it"), "bad")] for name in told["survivors"]]
    rows += [[data(name, "code"), wording.said(why, "says")] for name, why in sorted(told["equivalent"].items())]
    columns = (Column(words.say("Fault put in")), Column(words.say("Why nobody can")))
    table = Table(words.say("Faults that no case finds"), columns, rows, wording.note(rows))
    finding = words.say_n("{n} fault is left.", "{n} faults are left.", len(told["survivors"]))
    return Section("left", words.say("What is left"), finding, [table] if rows else [])


def _matrix(told: Mapping[str, Any], words: Catalogue) -> Section:
    """Cases by families; the names of the faults stand below their number."""
    families = [family for family in FAMILIES if family in told["families"]]
    rows: list[list[Cell]] = []
    for case, found in sorted(told["matrix"].items()):
        cells = [_found(found.get(family, [])) for family in families]
        rows.append([data(case, "code"), *cells])
    columns = (Column(words.say("Case")), *(Column(words.say(FAMILIES[family]), True) for family in families))
    finding = words.say_n("{n} case found a fault first.", "{n} cases found a fault first.", len(rows))
    blocks: list[Block] = [Table(words.say("Which case found which fault first"), columns, rows)] if rows else []
    return Section("matrix", words.say("Who found what"), finding, blocks)


def _found(names: list[str]) -> Cell:
    """How many, and the first few of them."""
    return number(f"{len(names):,}", ", ".join(names[:3]) + ("…" if len(names) > 3 else "")) if names else text("")


def _idle(told: Mapping[str, Any], wording: Wording) -> Section:
    words = wording.words
    rows = [[data(case, "code"), data(mutant, "code")] for case, mutant in sorted(told["second"].items())]
    columns = (Column(words.say("Case")), Column(words.say("A fault that it finds too")))
    blocks: list[Block] = [Table(words.say("Cases that found none first"), columns, rows)] if rows else []
    none = [[data(case, "code"), wording.said(why, "says")] for case, why in sorted(told["idle"].items())]
    columns = (Column(words.say("Case")), Column(words.say("Why it stays")))
    if none:
        blocks.append(Table(words.say("Cases that find nothing"), columns, none, wording.note(none)))
    finding = words.say_n("{n} case finds nothing.", "{n} cases find nothing.", len(none))
    return Section("idle", words.say("Cases that found none first"), finding, blocks)


__all__ = ["FAMILIES", "page"]
