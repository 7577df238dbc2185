"""The command ``map field``: one row of a map of bad holding, as a scenario's field takes it."""

from __future__ import annotations

from pathlib import Path

import click

from virtual_devices.errors import UsageError


@click.command()
@click.argument("table", type=click.Path(path_type=Path))
@click.option("--holding", required=True, help="As in the table: weak-field, case, ...")
@click.option("--strength", required=True, type=float, help="One that the table has.")
@click.option("--how", type=click.Choice(["modelled", "measured"]), default="modelled", show_default=True,
              help="Which part of it.")
@click.option("--at", default="params.field", show_default=True, metavar="TABLE", help="Where the field stands in the file.")
def command(table: Path, holding: str, strength: float, how: str, at: str) -> None:
    """Print the row of TABLE (nfc-map.json) for one way of holding at one strength, for a scenario file.

    \b
    Example:
      vhc-bench map field runs/nfc-map/nfc-map.json --holding taken-away --strength 0.4 >> my_morning.toml

    A tap that came to nothing, for whatever reason, is one that ends too early there. What frames that are sent again cost is in
    the time of a block.
    """
    from bench.maps.nfc.table import as_field, load

    own = {(line.holding, line.strength): line for line in load(table).lines if line.how == how}
    found = own.get((holding, strength))
    if found is None:
        there = ", ".join(sorted(f"{way} {strong:g}" for way, strong in own))
        raise UsageError(f"{table} has no {holding} {strength:g} that is {how}; it has {there or 'nothing'}")
    click.echo(f"[{at}]  # {holding} {strength:g}: {found.at_first_tap} of {found.presentations} done at the first tap")
    for name, value in as_field(found, own.get((holding, 0.0))).items():
        click.echo(f"{name} = {value}")


__all__ = ["command"]
