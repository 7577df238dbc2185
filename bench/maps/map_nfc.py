"""The command ``map nfc``: what it costs when a phone is held badly to a reader."""

from __future__ import annotations

import sys
from itertools import chain
from pathlib import Path

import click

from bench.exits import PASS
from bench.libraries import require
from virtual_devices.errors import UsageError

HOLDINGS = ("weak-field", "case", "wrong-place", "taken-away", "two-cards")


@click.command()
@click.option("--out", "directory", type=click.Path(path_type=Path), required=True, metavar="DIR", help="Where the map goes.")
@click.option("--presentations", type=click.IntRange(1, 100_000), default=60, show_default=True, help="For each point.")
@click.option("--seed", type=click.IntRange(0, 2**63 - 1), default=1, show_default=True, help="Which taps go wrong, and how.")
@click.option("--holding", "names", type=click.Choice(HOLDINGS), multiple=True, help="Only this way. Can be given again.")
@click.option("--measure", type=click.IntRange(1, 10_000), metavar="N",
              help="Play N presentations for each point through nfcpy's UDP driver too, with the same faults upon it.")
def command(directory: Path, presentations: int, seed: int, names: tuple[str, ...], measure: int | None) -> None:
    """Map what bad holding costs over NFC: share of presentations done at the first tap, taps, and time.

    \b
    Examples:
      vhc-bench map nfc --out runs/nfc-map
      vhc-bench map nfc --out runs/nfc-map --measure 20 --holding taken-away

    DIR gets the table (nfc-map.json after nfc-map.schema.json, nfc-map.csv) and the map as a picture (nfc-map.en.svg and zh-TW,
    PNG). In the directory of a run, its report shows the map. The modelled part follows from the seed; measured times are this
    machine's. How well a field reaches a phone is assumed (docs/reference/nfc.md), until a laboratory has measured its own.
    Half a minute; ten measured ones a point four minutes more.
    """
    sys.exit(make(directory, presentations, seed, names or HOLDINGS, measure))


def make(directory: Path, presentations: int, seed: int, names: tuple[str, ...], measure: int | None) -> int:
    """Make the map. Returns the exit code. Raises UsageError, LinkError."""
    if measure:
        require("nfc")
    from bench.maps.nfc import figures, table, trials
    from virtual_devices.sensing import Holding

    holdings = [Holding(name) for name in dict.fromkeys(names)]
    try:
        directory.mkdir(parents=True, exist_ok=True)
        cells = chain(
            trials.modelled(holdings, presentations, seed), trials.measured(holdings, measure, seed) if measure else (),
        )
        lines = [table.line(cell) for cell in cells]
        (directory / "nfc-map.schema.json").write_bytes(table.schema())
        (directory / "nfc-map.json").write_bytes(table.to_json(table.Table(seed=seed, lines=tuple(lines))))
        (directory / "nfc-map.csv").write_bytes(table.to_csv(lines))
        for language in figures.LANGUAGES:
            for suffix, content in figures.map_figure(lines, language).items():
                (directory / f"nfc-map.{language}{suffix}").write_bytes(content)
    except OSError as e:
        raise UsageError(f"{directory} cannot be written: {e.strerror or e}") from e
    click.echo(f"{directory / 'nfc-map.json'}: {sum(each.presentations for each in lines):,} presentations")
    return PASS


__all__ = ["command"]
