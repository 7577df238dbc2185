"""Clauses in the page of a conformance report: what each asks and what its cases say; those of what did not pass, whole; those
that no case can show."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from reports.blocks import Cell, Column, Section, Table, data, number, text
from reports.catalogue import N_
from reports.terms import PROOFS, kind_of
from reports.wording import Wording


def tried(report: Mapping[str, Any], verdict: Callable[[str], Cell], wording: Wording) -> Section:
    """Every clause that a case tried. ``verdict``: the cell of one."""
    words = wording.words
    rows = [
        [data(c["id"], "code"), wording.clause(c["id"]), verdict(c["verdict"]), number(str(c["cases"]))]
        for c in report["clauses"]
    ]
    columns = (Column(words.say("Clause")), Column(words.say("What it asks")), Column(words.say("Verdict")),
               Column(words.say("Cases"), True))
    finding = words.say_n("{n} clause was tried.", "{n} clauses were tried.", len(rows))
    note = words.say("Of each the first sentence: the profile's page has the rest.")
    return Section("clauses", words.say("Clauses"), finding, [Table(words.say("Verdict by clause"), columns, rows, note)])


def concerned(judged: Iterable[Mapping[str, Any]], wording: Wording) -> list[Table]:
    """What the clauses of these cases say, whole."""
    words = wording.words
    ids = sorted({id for each in judged for id in each.get("clauses", ()) if id in wording.whole})
    rows = [[data(id, "code"), wording.clause(id, whole=True)] for id in ids]
    columns = (Column(words.say("Clause")), Column(words.say("What it asks")))
    return [Table(words.say("What their clauses ask"), columns, rows)] if rows else []


def stated(report: Mapping[str, Any], wording: Wording) -> Section:
    """What no case can show."""
    words = wording.words
    rows = []
    for each in report["stated"]:
        proof = PROOFS[each["proof"]]
        answers = words.say("; ").join(map(wording.plain, each["answers"]))
        rows.append([
            data(each["clause"], "code"), data(kind_of(words, each["kind"])), wording.clause(each["clause"], each["says"]),
            text(words.say(proof)), wording.said(each["why"]), Cell(answers or "–", data=True, style="says", lang=words.language),
        ])
    columns = tuple(Column(words.say(name)) for name in (
        N_("Clause"), N_("Kind"), N_("What it asks"), N_("How it is shown"), N_("Why no case shows it"), N_("The maker says"),
    ))
    finding = words.say_n("{n} clause is shown by no case, and never counts as passed.",
                          "{n} clauses are shown by no case, and never count as passed.", len(rows))
    table = Table(words.say("Declared by the maker, or to be looked at"), columns, rows, wording.note(rows))
    return Section("stated", words.say("What no case can show"), finding, [table])


__all__ = ["concerned", "stated", "tried"]
