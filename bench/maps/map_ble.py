"""The command ``map ble``: what bad air does to presentations over Bluetooth LE."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

import click

from bench.exits import PASS
from bench.files import write
from bench.libraries import require
from virtual_devices.errors import UsageError

WEAKNESSES = ("lost", "cut", "unheard", "interval")
MODES = ("peripheral", "central")


@click.command()
@click.option("--out", "directory", type=click.Path(path_type=Path), required=True, metavar="DIR", help="Where the map goes.")
@click.option("--trials", type=click.IntRange(1, 10_000), default=20, show_default=True, help="Presentations for each point.")
@click.option("--seed", type=click.IntRange(0, 2**63 - 1), default=1, show_default=True, help="Of what the air draws.")
@click.option("--weakness", "weaknesses", type=click.Choice(WEAKNESSES), multiple=True, help="Only these. Can be given again.")
@click.option("--mode", "modes", type=click.Choice(MODES), multiple=True, help="Only this mode.")
def command(directory: Path, trials: int, seed: int, weaknesses: tuple[str, ...], modes: tuple[str, ...]) -> None:
    """Map what bad air does to presentations over Bluetooth LE: packets that have to be repeated, connections that break off,
    advertisements that nobody hears, long connection intervals.

    \b
    Examples:
      vhc-bench map ble --out runs/ble-map
      vhc-bench map ble --out runs/interference --weakness lost --trials 200
      vhc-bench map bluetooth runs/ble-map/ble-map.json --weakness lost --strength 0.2     for a scenario's Bluetooth

    DIR gets the table (ble-map.json after ble-map.schema.json, ble-map.csv) and the map as a picture (ble-map.en.svg and zh-TW,
    PNG). In the directory of a run, its report shows the map.
    No radio takes part: both Bluetooth hosts run on an emulated air whose time is virtual, so the same seed gives the same table.
    """
    sys.exit(make(directory, trials, seed, weaknesses or WEAKNESSES, modes or MODES))


def make(directory: Path, trials: int, seed: int, weaknesses: tuple[str, ...], modes: tuple[str, ...]) -> int:
    """Make the map. Returns the exit code. Raises UsageError, LinkError."""
    from importlib.metadata import version

    require("bumble")
    from bench.maps.ble import figures, table
    from bench.maps.ble.trials import BY_NAME, conditions, tried

    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as e:
        raise UsageError(f"{directory} cannot be made: {e.strerror or e}") from e
    logging.getLogger("bumble").setLevel(logging.CRITICAL)  # it tells of each packet that comes after a connection's end
    wanted = [(mode, *condition) for mode in modes for condition in conditions([BY_NAME[name] for name in weaknesses])]
    with click.progressbar(wanted, label="presenting", file=sys.stderr, hidden=not sys.stderr.isatty()) as bar:
        cells = tuple(
            table.cell(mode, weakness, strength, tried(table.MODES[mode], weakness, strength, trials, seed))
            for mode, weakness, strength in bar
        )
    made = table.Table(seed=seed, versions={"bumble": version("bumble")}, cells=cells)
    write(directory / "ble-map.schema.json", table.schema())
    write(directory / "ble-map.json", table.to_json(made))
    write(directory / "ble-map.csv", table.to_csv(made.cells))
    for language in figures.LANGUAGES:
        for suffix, content in figures.map_figure(made, language).items():
            write(directory / f"ble-map.{language}{suffix}", content)
    click.echo(f"{directory / 'ble-map.json'}: {sum(c.trials for c in cells):,} presentations")
    return PASS
