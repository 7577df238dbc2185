"""The command ``vectors``: test vectors of the reference protocol, into a directory."""

from __future__ import annotations

from pathlib import Path

import click

from virtual_devices.errors import UsageError


@click.command()
@click.option("--out", "directory", type=click.Path(path_type=Path), required=True, metavar="DIR",
              help="Empty or new directory to write to.")
@click.option("--seed", type=click.IntRange(0, 2**63 - 1), default=1, show_default=True, help="The same seed, the same bytes.")
def command(directory: Path, seed: int) -> None:
    """Write test vectors, so that a wallet or a reader written elsewhere can be checked.

    \b
    Example:
      vhc-bench vectors --out vectors --seed 1

    DIR/README.md tells what is there, in Chinese and English; DIR/manifest.json says the same to programs, after
    DIR/schema.json: credentials, engagements, sessions, requests, responses, batches, receipts, late records, QR codes,
    authorizations and status lists, those to be accepted and those to be refused, with reason and code; test keys and trust
    anchors.
    """
    from conformance.vectors.build import MANIFEST, build

    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        raise UsageError(f"{directory} is not an empty directory: name another with --out, or remove it")
    try:
        files = build(seed)
        for path, content in sorted(files.items(), key=lambda item: item[0] == MANIFEST):  # the manifest last: all is there
            target = directory / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
    except OSError as e:
        raise UsageError(f"{directory} cannot be written to: {e.strerror or e}") from e
    click.echo(str(directory / MANIFEST))
