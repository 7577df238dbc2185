"""The command ``sign``: a request as a SAM of the served data centre's own authority signs it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click


@click.command()
@click.argument("file", required=False, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--directory", default="runs/data-centre", show_default=True, type=click.Path(path_type=Path),
              help="That of 'present http', whose authority the SAM is of.")
@click.option("--institution", default="9901180014", show_default=True, metavar="CODE", help="Whose SAM it is.")
@click.option("--sam", default="SAM000000001", show_default=True, metavar="ID", help="Which SAM signs.")
@click.option("--service-type", default="30", show_default=True, metavar="NN", help="Of the envelope, without FILE.")
def command(file: Path | None, directory: Path, institution: str, sam: str, service_type: str) -> None:
    """Sign a request with an invented SAM, for trying 'present http' with curl.

    \b
    Try it:
      vhc-bench sign visits.xml > request.json
      curl ... --json @request.json https://localhost:8443/upload/V2000

    With FILE, an upload as the field's clients send it (sSamId, sPatData ...). Without, the envelope of a call of control
    software 6.0 that needs the SAM alone. Either is good once and for an hour: sent again, it is refused with 66008.
    """
    from bench.clock import WallClock
    from bench.datacentre.credentials import own_authority
    from bench.datacentre.signing import envelope, upload_request

    now_ns, authority = WallClock().now_ns(), own_authority(directory)
    made = (
        envelope(authority, institution, sam, service_type, now_ns) if file is None
        else upload_request(authority, institution, sam, file.read_bytes(), now_ns)
    )
    sys.stdout.write(json.dumps(made) + "\n")


__all__ = ["command"]
