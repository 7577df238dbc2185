"""Writes the page of attacks from the tables that the tests run.

    .venv/bin/python -m tests.attacks_page docs/reference/attacks.md

A test holds the page to the tables.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path

from virtual_devices.codes import Space, lookup

from . import attacks_cards, attacks_guardians, attacks_readers, attacks_sessions, attacks_way, attacks_writing
from .attacks import Kind, Table
from .test_virtual_devices_qr_attacks import TABLE as QR

TABLES: tuple[Table, ...] = (
    attacks_sessions.ROWS, attacks_way.ROWS, attacks_readers.ROWS, attacks_cards.ROWS, attacks_writing.ROWS,
    attacks_guardians.ROWS,
)
HELD_ELSEWHERE: tuple[tuple[str, str, str], ...] = (
    ("a bit flipped in every byte of every message and APDU (in heads and keys, every bit); chains cut, doubled, out of order",
     Kind.REFUSED.value,
     "tests/test_attacks_messages.py"),
    ("a chunk over BLE too long, empty, of an unknown kind, out of place; a reader with another Ident", Kind.REFUSED.value,
     "tests/test_virtual_devices_mdoc_ble_breaches.py"),
    ("a block over ISO-DEP damaged, repeated, for another card", Kind.REFUSED.value, "tests/test_virtual_devices_iso_dep.py"),
    ("guessing the PIN of a second-generation card, in the field and by contact (5102)", Kind.REFUSED.value,
     "tests/test_virtual_devices_second_card.py"),
    ("skimming a second-generation card", Kind.REFUSED.value, "tests/test_virtual_devices_second_card_refusals.py"),
    ("the power cut at any moment, to win a try of the PIN, to write half a batch, to escape a wipe", Kind.REFUSED.value,
     "tests/test_virtual_devices_wallet_holder.py, tests/test_virtual_devices_holder_writing.py, "
     "tests/test_virtual_devices_wallet_vault.py"),
    ("inputs that nobody should send, by the million", Kind.REFUSED.value, "make fuzz"),
)
"""What needs more than one row, and where it is tried."""

INTRODUCTION = """\
# Attacks, and how each ends

Made by `tests/attacks_page.py` from the tables that the tests run (`tests/attacks_*.py`): change a table, then make it again.

Every row is a test that carries the attack out against the reference devices and asserts its class and its code:

- **refused**: one of the honest parties says no;
- **refused only when bound to a reader**: a reader that asked a question of its own refuses it, one that asked none believes it;
- **found at reconciliation**: it succeeds now, and what those who were there wrote down tells it later;
- **not detectable**: it succeeds, and nothing that the protocol carries tells it. Whoever needs more needs something else.

*Code*: what the desk's control software is told, in the field's numbers (0: no error). A dash where no desk is told anything,
because only the attacker hears. *Rule*: the clause that decides, with its mark: standard, public, profile (the bench's own) or
inferred. That the field has these numbers is in `virtual_devices/data/return_codes.toml`; which of them an attack gives is, where
the field has no wallet, inferred.
"""


def code_text(code: str, space: Space) -> str:
    """The number with the field's words; of the desk's control software where the virtual card's has no such number."""
    if not code:
        return "–"
    found = lookup(code, space)
    return "0" if code == "0" else f"{code} {(found if found.known else lookup(code)).zh}"


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    heads = list(head)
    return "\n".join(["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads), *("| " + " | ".join(r) + " |" for r in rows)])


def count() -> dict[Kind, int]:
    """Rows of each class, QR codes included."""
    kinds = [row.kind.value for table in TABLES for row in table.rows] + [kind.value for _, _, kind, _ in QR]
    return {kind: kinds.count(kind.value) for kind in Kind}


def page() -> str:
    """The whole page."""
    parts = [INTRODUCTION, "Rows here: " + ", ".join(f"{n} {kind.value}" for kind, n in count().items()) + ".\n"]
    for table in TABLES:
        rows = [
            (row.what, row.kind.value, code_text(row.code, row.space), row.seen, f"{row.clause} ({row.mark.value})")
            for row in table.rows
        ]
        parts += [f"## {table.title}\n", _table(("attack", "class", "code", "what is seen", "rule"), rows) + "\n"]
    qr = [(name, kind.value, code_text(code, Space.VHC)) for name, _, kind, code in QR]
    parts += [
        "## QR codes\n", "The card's code, prescriptions, several codes, and the token of the deployed card (profile; the token "
        "public).\n", _table(("attack", "class", "code"), qr) + "\n",
        "## Tried elsewhere\n", _table(("attack", "class", "where"), HELD_ELSEWHERE) + "\n",
    ]
    return "\n".join(parts)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("to", type=Path, help="Markdown file to write")
    parser.parse_args().to.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
