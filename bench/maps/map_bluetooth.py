"""The command ``map bluetooth``: one condition of a map of bad air, as a scenario's Bluetooth takes it."""

from __future__ import annotations

from pathlib import Path

import click

from virtual_devices.errors import UsageError


@click.command()
@click.argument("table", type=click.Path(path_type=Path))
@click.option("--weakness", required=True, help="As in the table: lost, cut, ...")
@click.option("--strength", required=True, type=float, help="One that the table has.")
@click.option("--mode", type=click.Choice(["peripheral", "central"]), default="peripheral", show_default=True,
              help="Who advertises: the phone, or the reader.")
@click.option("--at", default="params.bluetooth", show_default=True, metavar="TABLE", help="Where Bluetooth stands in the file.")
def command(table: Path, weakness: str, strength: float, mode: str, at: str) -> None:
    """Print the row of TABLE (ble-map.json) for one weakness at one strength, for a scenario file.

    \b
    Example:
      vhc-bench map bluetooth runs/ble-map/ble-map.json --weakness lost --strength 0.2 >> my_home_visit.toml

    What people do (raising the phone, looking for the code) is not in it: the map knows the air alone.
    """
    from bench.maps.ble.table import as_model, load

    read = load(table)
    cells = [c for c in read.cells if c.mode == mode]
    found = next((c for c in cells if c.weakness == weakness and c.strength == strength), None)
    if found is None:
        there = sorted({f"{c.weakness} {c.strength:g}" for c in cells if c.weakness == weakness} or {c.weakness for c in cells})
        raise UsageError(f"{table} has no {weakness} {strength:g} in mode {mode}; it has {', '.join(there) or 'nothing there'}")
    model = as_model(read, found)
    connected = model.pop("connected")
    click.echo(f"[{at}]  # {weakness} {strength:g}: {found.done} of {found.trials} done at the first try")
    for name, value in model.items():
        click.echo(f"{name} = {value}")
    click.echo(f"connected = {{median_ms = {connected['median_ms']}, p95_ms = {connected['p95_ms']}}}")
