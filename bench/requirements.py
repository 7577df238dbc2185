"""The command ``requirements``: what must hold, and what shows it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence

import click

from bench.conform_words import kind_in, requirement_in, words_of
from bench.language import option, refusing_in
from bench.tables import print_table
from conformance import catalogue
from conformance.coverage import Coverage, Shown, coverage
from reports.catalogue import N_, Catalogue
from reports.terms import PROOFS, term
from reports.wording import Wording


@click.command()
@click.option("--duty", type=click.Choice(["must", "should", "may"]), help="Only these.")
@click.option("--coverage", "covering", is_flag=True,
              help="With the clauses of the profile that refine each, and the cases that show them.")
@option("what a person reads")
@click.option("--json", "as_json", is_flag=True, help="As a JSON list.")
@click.argument("ids", nargs=-1)
def command(duty: str | None, covering: bool, language: str, as_json: bool, ids: tuple[str, ...]) -> None:
    """What the virtual card must do: the requirements by id, and which situations of 'vhc-bench scenarios' show them.

    \b
    Examples:
      vhc-bench requirements                       every requirement
      vhc-bench requirements --coverage            how many clauses and cases there are of each, or why there is none
      vhc-bench requirements LIF-01 --coverage     one in full: its clauses, and the cases by kind of device
      vhc-bench requirements --coverage --lang zh-TW

    A requirement is refined into clauses that can be tested; their whole text is in docs/reference/profile/. A clause that no
    case shows is declared by a device's maker, or looked at by a person or a laboratory. NOT YET: a case is to show it, and
    there is none. Exit codes: 0, and 2 for a requirement that there is not.
    """
    from scenarios.files import situations

    shown = {name: frozenset(getattr(module, "SHOWS", ())) for name, module in situations().items()}
    with refusing_in(language):
        chosen = [catalogue.find(i) for i in ids] if ids else list(catalogue.requirements())
    chosen = [r for r in chosen if duty is None or r.duty.value == duty]
    if covering:
        from conformance.case import cases

        _covered(coverage(chosen, cases(), shown), as_json, language, in_full=bool(ids))
        return
    by = {r.id: sorted(name for name, ids_ in shown.items() if r.id in ids_) for r in chosen}
    if as_json:
        listed = [{"id": r.id, "duty": r.duty.value, "says": r.says, "source": r.source, "situations": by[r.id]} for r in chosen]
        click.echo(json.dumps(listed, ensure_ascii=False, indent=2))
        return
    words = words_of(language)[0]
    rows = [(r.id, term(words, r.duty.value), requirement_in(words, r), ", ".join(by[r.id])) for r in chosen]
    print_table(tuple(map(words.say, (N_("id"), N_("duty"), N_("requirement"), N_("shown by")))), rows)


def _covered(found: Sequence[Coverage], as_json: bool, language: str, *, in_full: bool) -> None:
    if as_json:
        click.echo(json.dumps([one.plain() for one in found], ensure_ascii=False, indent=1))
        return
    words, wording = words_of(language)
    if in_full:
        for one in found:
            _in_full(one, wording)
    else:
        columns = (N_("id"), N_("duty"), N_("clauses"), N_("cases"), N_("NOT YET"), N_("situations"), N_("requirement"))
        print_table(tuple(map(words.say, columns)), [_row(one, wording) for one in found])
    waiting = Counter(kind.value for shown in {s.clause.id: s for one in found for s in one.clauses}.values()
                      for kind in shown.missing)
    if waiting:
        said = words.say(", ").join(f"{kind_in(words, kind)} {count}" for kind, count in waiting.most_common())
        click.echo("\n" + words.say("NOT YET: {n} times a case is to show a clause for a kind of device, and none does: {kinds}",
                                    n=sum(waiting.values()), kinds=said))


def _row(one: Coverage, wording: Wording) -> tuple[str, ...]:
    words, says = wording.words, requirement_in(wording.words, one.requirement)
    if one.reason:
        says = words.say("{requirement} No clause: it {why}", requirement=says, why=wording.plain(one.reason.says))
    elif not one.cases:
        reasons = dict.fromkeys(shown.clause.reason.says for shown in one.clauses if shown.clause.reason)
        why = words.say("; ").join(map(wording.plain, reasons))
        says = words.say("{requirement} No case: it {why}", requirement=says, why=why) if why else says
    return (
        one.requirement.id, term(words, one.requirement.duty.value), str(len(one.clauses)), str(len(one.cases)),
        str(one.missing or ""), ", ".join(one.situations), says,
    )


def _in_full(one: Coverage, wording: Wording) -> None:
    words, asked = wording.words, one.requirement
    click.echo(words.say("{id} ({duty})  {says}", id=asked.id, duty=term(words, asked.duty.value),
                         says=requirement_in(words, asked)))
    if one.situations:
        click.echo("  " + words.say("situations: {names}", names=", ".join(one.situations)))
    if one.reason:
        click.echo("  " + words.say("no clause: it {why}", why=wording.plain(one.reason.says)))
    for shown in one.clauses:
        _clause(shown, wording)


def _clause(shown: Shown, wording: Wording) -> None:
    words, clause = wording.words, shown.clause
    click.echo("  " + words.say("{id} ({duty}, {mark})  {says}", id=clause.id, duty=term(words, clause.level.value),
                                mark=_mark(words, clause.mark), says=wording.clause(clause.id, clause.first).text))
    for kind, proof in clause.binds.items():
        told = (words.say("NOT YET: no case") if kind in shown.missing
                else ", ".join(_together(shown.cases.get(kind, ()))) or words.say(PROOFS[proof.value]))
        click.echo("      " + words.say("{name}: {says}", name=kind_in(words, kind.value), says=told))
    if clause.reason:
        ending = f": {', '.join(clause.covered_by)}" if clause.covered_by else ""
        click.echo(f"      {wording.plain(clause.reason.says)}{ending}")


def _mark(words: Catalogue, mark: str) -> str:
    return term(words, mark) if words.chinese else mark


def _together(cases: Iterable[str]) -> list[str]:
    """Cases that one function tries with several values stand together: ``name[one, two]``."""
    by: dict[str, list[str]] = {}
    for case in cases:
        name, bracket, value = case.partition("[")
        by.setdefault(name, []).extend([value.removesuffix("]")] if bracket else [])
    return [f"{name}[{', '.join(values)}]" if values else name for name, values in by.items()]


__all__ = ["command"]
