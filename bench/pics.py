"""The command ``pics``: what a maker declares of a device, written and reviewed."""

from __future__ import annotations

import json
from pathlib import Path

import click

from conformance.case import Kind
from conformance.form import Paper


@click.group()
def command() -> None:
    """What a device can (PICS), and how the bench reaches it (PIXIT): declarations of its maker.

    \b
    Examples:
      vhc-bench pics new --kind wallet --out wallet.pics.toml
      vhc-bench pics new --kind wallet --pixit --out wallet.pixit.toml
      vhc-bench pics check wallet.pics.toml
      vhc-bench conform --dut wallet=virtual --pics wallet.pics.toml

    Exit codes: 0 nothing wrong, 4 something is.
    """


@command.command()
@click.option("--kind", required=True, type=click.Choice([kind.value for kind in Kind]), help="Kind of device.")
@click.option("--pixit", is_flag=True, help="The paper that says how the bench reaches it.")
@click.option("--schema", "as_schema", is_flag=True, help="The JSON schema of such a file, for editors.")
@click.option("--out", type=click.Path(path_type=Path), metavar="FILE", help="Write it there; a file that is there stays.")
def new(kind: str, pixit: bool, as_schema: bool, out: Path | None) -> None:
    """Write the questions, in English and Chinese, as a file to be filled in."""
    from bench.declaration import schema, template
    from conformance.form import form

    asked = form(Kind(kind), Paper.PIXIT if pixit else Paper.PICS)
    text = json.dumps(schema(asked), ensure_ascii=False, indent=1) + "\n" if as_schema else template(asked)
    if out is None:
        click.echo(text, nl=False)
        return
    try:
        with out.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise click.UsageError(f"{out} is there already; name another file") from None
    except OSError as e:
        raise click.UsageError(f"{out} cannot be written: {e.strerror}") from None
    click.echo(str(out))


@command.command()
@click.option("--json", "as_json", is_flag=True, help="The answers as JSON.")
@click.argument("file", type=click.Path(path_type=Path))
def check(file: Path, as_json: bool) -> None:
    """Review a declaration without its device: what is missing, what contradicts, what every such device must."""
    from bench.declaration import load

    declared = load(file)
    if as_json:
        plain = {"form": declared.form.paper.value, "kind": declared.kind.value, "answers": dict(declared.answers)}
        click.echo(json.dumps(plain, ensure_ascii=False, indent=1))
        return
    paper, kind = declared.form.paper.value.upper(), declared.kind.value
    click.echo(f"{file}: nothing wrong: {paper} of a {kind}, {len(declared.answers)} answers")


__all__ = ["command"]
