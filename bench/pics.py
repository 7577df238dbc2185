"""The command ``pics``: what a maker declares of a device, written and reviewed."""

from __future__ import annotations

import json
from pathlib import Path

import click

from bench.language import option, refusing_in
from conformance.case import Kind
from conformance.form import Paper


@click.group()
def command() -> None:
    """Declare what your device can (PICS) and how the bench reaches it (PIXIT), in two small files.

    PICS, the protocol implementation conformance statement: which optional parts the device has. Cases of parts that it does
    not have are then not applicable, and the report says so. PIXIT, the extra information for testing: the moniker (as
    'vhc-bench devices' lists it), waits, files. 'conform' needs neither for a device that can everything and is reached by
    --dut alone.

    \b
    From nothing to a verdict:
      vhc-bench pics new --kind wallet --out wallet.pics.toml             write the questions
      vhc-bench pics new --kind wallet --pixit --out wallet.pixit.toml    and those of how it is reached
                                                                          answer them in an editor
      vhc-bench pics check wallet.pics.toml                               look for what is missing or contradicts
      vhc-bench conform --pics wallet.pics.toml --pixit wallet.pixit.toml

    Exit codes: 0 nothing wrong, 4 something is.
    """


@command.command()
@click.option("--kind", required=True, type=click.Choice([kind.value for kind in Kind]), help="Kind of device.")
@click.option("--pixit", is_flag=True, help="The questions of how the bench reaches it, in place of what it can.")
@click.option("--schema", "as_schema", is_flag=True, help="The JSON schema of such a file, for editors that check what is typed.")
@click.option("--out", type=click.Path(path_type=Path), metavar="FILE",
              help="Write it there; a file that is there stays.  [default: standard output]")
def new(kind: str, pixit: bool, as_schema: bool, out: Path | None) -> None:
    """Write the questions about a kind of device, in English and Chinese, as a TOML file to be filled in.

    Each question is a comment with its clauses and the form of its answer, before a line such as '# nfc = true': take the # away
    and put your answer.
    """
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
@option("what is found")
@click.argument("file", type=click.Path(path_type=Path))
def check(file: Path, as_json: bool, language: str) -> None:
    """Review FILE, a PICS or a PIXIT, without its device: what is missing, what contradicts, what every such device must.

    Everything that is wrong is told with its line, and what to do. 'conform' does the same before it tries anything.
    """
    from bench.conform_words import kind_in, words_of
    from bench.declaration import load

    with refusing_in(language):
        declared = load(file)
    if as_json:
        plain = {"form": declared.form.paper.value, "kind": declared.kind.value, "answers": dict(declared.answers)}
        click.echo(json.dumps(plain, ensure_ascii=False, indent=1))
        return
    words = words_of(language)[0]
    click.echo(words.say("{file}: nothing wrong: {paper} of a {kind}, {n} answers", file=file, n=len(declared.answers),
                         paper=declared.form.paper.value.upper(), kind=kind_in(words, declared.kind.value)))


__all__ = ["command"]
