"""Writes the page of a card's life from the tables that the data centre obeys.

    .venv/bin/python docs/reference/make_life_cycle.py docs/reference/life-cycle.md

A test holds the page to the tables.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from enum import Enum
from pathlib import Path

from virtual_devices.authorization import BOUNDS, Scope
from virtual_devices.cloud.card_ledger import ACTIVATION_DAYS
from virtual_devices.cloud.guardians import GROUNDS, MAJORITY_YEARS
from virtual_devices.cloud.identification import CODE_LIFE_S, CODE_TRIES, EFFORT, LEVELS, LOCKED_S, SESSION_LIFE_S, WRONG_ANSWERS
from virtual_devices.lifecycle import (
    LIFE,
    NOT_ALLOWED,
    REFUSED_EVENT,
    ROWS,
    STATUS,
    Carrier,
    Event,
    FieldCode,
    Refusal,
    Row,
    State,
    step,
)

INTRODUCTION = """\
# The life of a card

Made by `docs/reference/make_life_cycle.py` from `virtual_devices/lifecycle.py`, `virtual_devices/authorization.py` and the tables
of `virtual_devices/cloud/`; change them there, then make the page again.

A *card* is one carrier of a person's card number: a chip, or a credential bound to one phone's key. A new phone or a new chip is
a new card with a life of its own. The states are the bench's profile; the codes are the field's.
"""


LIMITS = f"""
The minutes and journeys are assumed, for comparison; a scenario brings its own. A one-time code lives {CODE_LIFE_S} s and
bears {CODE_TRIES} tries; after {WRONG_ANSWERS} wrong answers the ways that can be guessed are closed for
{LOCKED_S // 3600} h (9043), those with a proof are not. A session with the physical card counts once, within {SESSION_LIFE_S} s.
A card never activated ends after {ACTIVATION_DAYS} days. After the data centre itself stopped a card, the next is given at a
counter.
"""
GUARDIANS = f"""
Every authorization has an end; a parent's is the child's birthday of {MAJORITY_YEARS} years at the latest. Outside medical
care only the basic data are shown. Withdrawn: online at once, offline with the reader's next list. The guardian's lost phone ends
all of them; a new phone takes them along, made anew for its key, in the act of re-binding.
"""


def mermaid() -> str:
    """The diagram's text. Events of one way between two states share an arrow; what leads back to the same state is left out."""
    arrows: dict[tuple[State, State], list[Row]] = {}
    for row in LIFE:
        arrows.setdefault((row.state, row.to), []).append(row)
    lines = ["stateDiagram-v2", f"    [*] --> {_node(State.APPLIED)}: apply"]
    lines += [f'    state "{state.value}" as {_node(state)}' for state in State if _node(state) != state.value]
    for (state, to), rows in arrows.items():
        if state is not to:
            lines.append(f"    {_node(state)} --> {_node(to)}: {', '.join(map(_label, rows))}")
    final = [state for state in State if not any(row.state is state for row in LIFE)]
    return "\n".join([*lines, *(f"    {_node(state)} --> [*]" for state in final)])


def _node(state: State) -> str:
    return state.value.replace("-", "")


def _label(row: Row) -> str:
    return row.event.value + (f" ({_carriers(row)} only)" if len(row.carriers) == 1 else "")


def _carriers(row: Row) -> str:
    return ", ".join(carrier.value for carrier in Carrier if carrier in row.carriers)


def _parties(row: Row) -> str:
    return ", ".join(sorted(party.value for party in row.by))


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    heads = list(head)
    lines = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)])


def _status(state: State) -> str:
    status = STATUS[state]
    if status is None:
        return "no index yet" if state is State.APPLIED else "unchanged"
    return f"{status.value} {status.name.lower()}"


def _refused(state: State, carrier: Carrier) -> str:
    """The code of the first event that the state refuses without one of its own."""
    if state is not State.APPLIED and not any(row.to is state and carrier in row.carriers for row in LIFE):
        return "never so"
    codes = [
        outcome.code for event in Event
        if isinstance(outcome := step(state, event, carrier), Refusal) and (state, event, carrier) not in REFUSED_EVENT
    ]
    return _code(codes[0])


def _code(code: FieldCode) -> str:
    return f"{code.number} {code.code.zh} ({code.space.value}, {code.certainty.value})"


def page() -> str:
    """The whole page."""
    states = list(State)
    return "\n".join([
        INTRODUCTION,
        f"```mermaid\n{mermaid()}\n```\n",
        "## What each state accepts\n",
        _table(
            ["state", "event", "becomes", "carriers", "who may", "and only if", "what follows"],
            [[row.state.value, row.event.value, row.to.value, _carriers(row), _parties(row), row.guard, row.consequence]
             for row in LIFE],
        ),
        f"\nWho may not is refused with {_code(NOT_ALLOWED)}.\n",
        "## What each state refuses\n",
        "The code that answers every event not in the table above.\n",
        _table(
            ["state", "status list", "physical", "virtual"],
            [[s.value, _status(s), _refused(s, Carrier.PHYSICAL), _refused(s, Carrier.VIRTUAL)] for s in states],
        ),
        "\nEvents with a code of their own:\n",
        _table(
            ["state", "event", "carrier", "code"],
            [[state.value, event.value, carrier.value, _code(code)] for (state, event, carrier), code in REFUSED_EVENT.items()],
        ),
        "\n## At a glance\n",
        "What the state becomes; a dot is a refusal; P and V mark what holds for the physical or the virtual card alone.\n",
        _table(
            ["", *(event.value for event in Event)],
            [[f"**{state.value}**", *(_cell(state, event) for event in Event)] for state in states],
        ),
        "\n## Which information is enough\n",
        "How well the asker is known, and what that entitles to. Profile. One piece that is wrong refuses the whole (5020).\n",
        _table(
            ["known by", "pieces, all of them", "may", "holder", "officer", "journeys"],
            [[level.value, _words(rule.needs), _words(rule.may), f"{EFFORT[level].holder_min:g} min",
              f"{EFFORT[level].officer_min:g} min", str(EFFORT[level].journeys)] for level, rule in LEVELS.items()],
        ),
        LIMITS,
        "## What a guardian may be given\n",
        _table(
            ["relation", "by right of", "scope, at most", "days, at most"],
            [[who.value, _words(GROUNDS[who]), _names(most.scope), str(most.days)] for who, most in BOUNDS.items()],
        ),
        GUARDIANS,
    ])


def _words(of: Iterable[Enum]) -> str:
    """In the order in which they are defined."""
    members = frozenset(of)
    return ", ".join(str(one.value) for one in type(next(iter(members))) if one in members)


def _names(scopes: Iterable[Scope]) -> str:
    return ", ".join(scope.name.lower() for scope in sorted(scopes))


def _cell(state: State, event: Event) -> str:
    row = ROWS.get((state, event))
    if row is None:
        return "·"
    only = "" if len(row.carriers) == 2 else f" ({_carriers(row)[0].upper()})"
    return row.to.value + only


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("to", type=Path, help="Markdown file to write")
    parser.parse_args().to.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
