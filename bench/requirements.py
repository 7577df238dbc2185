"""The command ``requirements``: what must hold, and what shows it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence

import click

from bench.tables import print_table
from conformance import catalogue
from conformance.catalogue import Requirement
from conformance.coverage import Coverage, coverage


@click.command()
@click.option("--duty", type=click.Choice(["must", "should", "may"]), help="Only these.")
@click.option("--coverage", "covering", is_flag=True, help="With the clauses that refine each, and the cases that show them.")
@click.option("--json", "as_json", is_flag=True, help="As a JSON list.")
@click.argument("ids", nargs=-1)
def command(duty: str | None, covering: bool, as_json: bool, ids: tuple[str, ...]) -> None:
    """What the virtual card must do: the requirements that the bench can show, by id, and which situations show them.

    With --coverage: for each the clauses of the profile that refine it, for each clause and kind of device the cases that try it,
    or the reason why none does. NOT YET: a case is to show it, and there is none.
    """
    from scenarios.files import situations

    shown = {name: frozenset(getattr(module, "SHOWS", ())) for name, module in situations().items()}
    chosen = [catalogue.find(i) for i in ids] if ids else list(catalogue.requirements())
    chosen = [r for r in chosen if duty is None or r.duty.value == duty]
    if covering:
        from conformance.case import cases

        _covered(coverage(chosen, cases(), shown), as_json, in_full=bool(ids))
        return
    by = {r.id: sorted(name for name, ids_ in shown.items() if r.id in ids_) for r in chosen}
    if as_json:
        listed = [{"id": r.id, "duty": r.duty.value, "says": r.says, "source": r.source, "situations": by[r.id]} for r in chosen]
        click.echo(json.dumps(listed, ensure_ascii=False, indent=2))
        return
    rows = [(r.id, r.duty.value, r.says, ", ".join(by[r.id])) for r in chosen]
    print_table(("id", "duty", "requirement", "shown by"), rows)


def _covered(found: Sequence[Coverage], as_json: bool, *, in_full: bool) -> None:
    if as_json:
        click.echo(json.dumps([one.plain() for one in found], ensure_ascii=False, indent=1))
        return
    if in_full:
        for one in found:
            _in_full(one)
    else:
        rows = [_row(one.requirement, one) for one in found]
        print_table(("id", "duty", "clauses", "cases", "NOT YET", "situations", "or why not"), rows)
    waiting = Counter(kind.value for shown in {s.clause.id: s for one in found for s in one.clauses}.values()
                      for kind in shown.missing)
    if waiting:
        said = ", ".join(f"{kind} {count}" for kind, count in waiting.most_common())
        total = sum(waiting.values())
        click.echo(f"\nNOT YET: {total} times a case is to show a clause for a kind of device, and none does: {said}")


def _row(requirement: Requirement, one: Coverage) -> tuple[str, ...]:
    return (
        requirement.id, requirement.duty.value, str(len(one.clauses)), str(len(one.cases)), str(one.missing or ""),
        ", ".join(one.situations), one.reason.says if one.reason else "",
    )


def _in_full(one: Coverage) -> None:
    click.echo(f"{one.requirement.id} ({one.requirement.duty.value})  {one.requirement.says}")
    if one.situations:
        click.echo(f"  situations: {', '.join(one.situations)}")
    if one.reason:
        click.echo(f"  no clause: it {one.reason.says}")
    for shown in one.clauses:
        clause = shown.clause
        click.echo(f"  {clause.id} ({clause.level.value}, {clause.mark})  {clause.first}")
        for kind, proof in clause.binds.items():
            cases = shown.cases.get(kind, ())
            told = "NOT YET: no case" if kind in shown.missing else ", ".join(cases) or proof.value
            click.echo(f"      {kind.value}: {told}")
        if clause.reason:
            ending = f": {', '.join(clause.covered_by)}" if clause.covered_by else ""
            click.echo(f"      {clause.reason.says}{ending}")


__all__ = ["command"]
