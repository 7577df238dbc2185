"""Lists for people: fitted to the terminal, and one line a row where there is none."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len
from rich.console import Console
from rich.table import Column, Table

WIDEST = 48
"""Off a terminal, what stands behind a longer cell begins where that ends."""


def print_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """To standard output. Off a terminal nothing is wrapped: another program wants a row in one line."""
    out = Console(soft_wrap=True)
    if out.is_terminal:
        table = Table(*(Column(name, overflow="fold") for name in header), box=None, pad_edge=False)
        for row in rows:
            table.add_row(*row)
        out.print(table)
        return
    widths = [min(WIDEST, max(map(cell_len, column))) for column in zip(header, *rows, strict=True)]
    for row in (header, *rows):
        cells = [text + " " * (width - cell_len(text)) for text, width in zip(row, widths, strict=True)]
        out.file.write("  ".join(cells).rstrip() + "\n")


__all__ = ["print_table"]
