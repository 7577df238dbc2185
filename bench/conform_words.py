"""In which words a conformance report is shown: the page's own, and those of the suite, in one language."""

from __future__ import annotations

from conformance.case import Kind
from conformance.clause import clauses, unmarked
from conformance.form import form
from conformance.wording import SUBJECTS, first, sentences
from conformance.wording import Wording as Suites
from conformance.wording import clauses as chinese_clauses
from reports.catalogue import Catalogue, catalogue
from reports.names import NAMES
from reports.terms import TERMS
from reports.wording import Wording


def words_of(language: str) -> tuple[Catalogue, Wording]:
    """Raises ReportError for a language that there is not."""
    words = catalogue(language)
    if not words.chinese:
        there = clauses()
        firsts = {id: unmarked(one.first) for id, one in there.items()}
        return words, Wording(words, firsts, {id: one.plain for id, one in there.items()})
    whole = chinese_clauses()
    names = {name: words.say(name) for name in {*NAMES, *TERMS.values()}}
    names |= {question.en: question.zh for kind in Kind for question in form(kind).questions.values()}
    return words, Wording(words, {id: first(text) for id, text in whole.items()}, whole, Suites(names).told, sentences(SUBJECTS))


__all__ = ["words_of"]
