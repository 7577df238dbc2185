"""In which words a conformance report is told: a page's and a terminal's own, and those of the suite, in one language."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from conformance.case import Case, Kind
from conformance.catalogue import Requirement
from conformance.clause import clauses, unmarked
from conformance.form import Form, Paper, Question, Rule, form
from conformance.latency import Latency
from conformance.report import Checked, Judged
from conformance.tester import Check
from conformance.verdict import Verdict
from conformance.wording import SUBJECTS, first, sentences
from conformance.wording import Wording as Suites
from conformance.wording import clauses as chinese_clauses
from conformance.wording import requirements as chinese_requirements
from reports.catalogue import Catalogue, catalogue
from reports.names import NAMES
from reports.terms import TERMS, VERDICTS, kind_of, term
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
    names |= {one.en: one.zh for kind in Kind for paper in Paper for one in _asked(form(kind, paper))}
    return words, Wording(words, {id: first(text) for id, text in whole.items()}, whole, Suites(names).told, sentences(SUBJECTS))


def _asked(paper: Form) -> Iterator[Question | Rule]:
    yield from paper.questions.values()
    yield from paper.rules


# In English a kind, a channel and a verdict are told as options and data have them.

def kind_in(words: Catalogue, kind: str) -> str:
    return kind_of(words, kind) if words.chinese else kind


def over(words: Catalogue, channel: str) -> str:
    return term(words, channel) if words.chinese else channel


def verdict_in(words: Catalogue, verdict: Verdict) -> str:
    return words.say(VERDICTS[verdict.value]) if words.chinese else verdict.value


def counted(words: Catalogue, counts: Mapping[Verdict, int]) -> str:
    """How many there are of each verdict, of which there are any."""
    return words.say(", ").join(words.say("{n} {verdict}", n=counts[verdict], verdict=verdict_in(words, verdict))
                                for verdict in Verdict if counts.get(verdict))


def requirement_in(words: Catalogue, one: Requirement) -> str:
    return chinese_requirements()[one.id] if words.chinese else one.says


def purpose(words: Catalogue, one: Case | Judged | Latency) -> str:
    """What a case or a limit shows."""
    if isinstance(one, Latency):
        from reports.conformance_latency import purpose as of_limit  # here: it draws, which takes longer to load than to tell

        return of_limit(one.model_dump(mode="json"), words)
    return one.zh if words.chinese else one.says


def checked(wording: Wording, check: Check | Checked) -> str:
    """An expectation, and whether it held."""
    what = wording.plain(check.what)
    return wording.words.say("held: {what}", what=what) if check.holds else wording.words.say("BROKE: {what}", what=what)


__all__ = ["checked", "counted", "kind_in", "over", "purpose", "requirement_in", "verdict_in", "words_of"]
