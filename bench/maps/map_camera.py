"""The command ``map camera``: one condition of a map of weaknesses, as a scenario's camera takes it."""

from __future__ import annotations

from pathlib import Path

import click

from virtual_devices.errors import UsageError


@click.command()
@click.argument("table", type=click.Path(path_type=Path))
@click.option("--weakness", required=True, help="As in the table: blur, dim, ...")
@click.option("--strength", required=True, type=float, help="One that the table has.")
@click.option("--level", type=click.Choice(["L", "M", "Q", "H"]), default="M", show_default=True, help="Error correction.")
@click.option("--at", default="params.camera", show_default=True, metavar="TABLE", help="Where the camera stands in the file.")
def command(table: Path, weakness: str, strength: float, level: str, at: str) -> None:
    """Print the rows of TABLE (qr-map.json) for one weakness at one strength, for a scenario file.

    \b
    Example:
      vhc-bench map camera runs/qr-map/qr-map.json --weakness blur --strength 0.5 >> my_home_visit.toml
    """
    from bench.maps.qr.table import load

    cells = [c for c in load(table).cells if c.level == level]
    rows = {c.characters: c for c in cells if c.weakness == weakness and c.strength == strength}
    if not rows:
        there = sorted({f"{c.weakness} {c.strength:g}" for c in cells if c.weakness == weakness} or {c.weakness for c in cells})
        raise UsageError(f"{table} has no {weakness} {strength:g} at level {level}; it has {', '.join(there) or 'nothing there'}")
    for characters, cell in sorted(rows.items()):
        click.echo(f"[[{at}.codes]]  # {cell.kind}, {cell.read} of {cell.trials} read")
        click.echo(f'weakness = "{weakness}"\nstrength = {strength:g}\nlevel = "{level}"')
        click.echo(f"characters = {characters}\nfailed = {cell.failed:.4g}\n")
