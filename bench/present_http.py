"""The command ``present http``: the reference data centre in front of somebody's clinic or pharmacy software."""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bench.exits import PASS
from virtual_devices.errors import UsageError

if TYPE_CHECKING:
    from bench.datacentre.centre import Centre, Newcomer

LOOPBACK = ("127.0.0.1", "::1", "localhost")


@click.command("http")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to serve.")
@click.option("--port", default=8443, show_default=True, type=click.IntRange(0, 65535),
              help="0 takes any that is free, and says which.")
@click.option("--directory", default="runs/data-centre", show_default=True, type=click.Path(path_type=Path),
              help="Where certificates and the seed of the bench's own authority are kept.")
@click.option("--database", metavar="URL",
              help="Where the books are kept: sqlite:///PATH, postgresql://USER@HOST/NAME; DIRECTORY/books.db when left out.")
@click.option("--people", default=3, show_default=True, type=click.IntRange(0, 100_000), help="Invented people to begin with.")
@click.option("--seed", default=1, show_default=True, type=click.IntRange(0), help="Who they are: another seed, other people.")
@click.option("--clock-ahead", "ahead_s", default=0.0, show_default=True, metavar="SECONDS",
              help="The service's clock is wrong by so much; negative: behind.")
@click.option("--for-conformance", is_flag=True,
              help="With the institutions and people of 'conform', which begins it anew for each case; its books are in memory.")
@click.option("--exposed", is_flag=True, help="Also serve on an address that other computers reach. Test data only.")
def command(
    host: str, port: int, directory: Path, database: str | None, people: int, seed: int, ahead_s: float, for_conformance: bool,
    exposed: bool,
) -> None:
    """Present the data centre over HTTPS, to programs with a client certificate.

    \b
    Try it:
      vhc-bench present http &
      cd runs/data-centre/credentials
      curl --cacert ca.pem https://localhost:8443/health
      curl --cacert ca.pem --cert clinic.pem --key clinic.key https://localhost:8443/v1/visits/late
      vhc-bench present http --for-conformance &
      VHC_BENCH_CREDENTIALS=runs/data-centre/credentials vhc-bench conform --dut data-centre=https://localhost:8443

    Certificates of a clinic, a pharmacy and an officer of the administration are written into DIRECTORY/credentials; they are of
    the bench's own authority. /openapi.json describes every resource. Ctrl-C or SIGTERM ends it: what is being done is answered
    first.
    """
    if host not in LOOPBACK and not exposed:
        raise UsageError(f"{host} may be reached from other computers: add --exposed if that is meant")
    if for_conformance:
        if database:
            raise UsageError("--for-conformance keeps its books in memory: leave --database out")
        sys.exit(serve_for_conformance(host, port, directory, seed, ahead_s))
    sys.exit(serve(host, port, directory, database or str(directory / "books.db"), people, seed, ahead_s))


def serve_for_conformance(host: str, port: int, directory: Path, seed: int, ahead_s: float = 0.0) -> int:
    """Serve a data centre that is begun anew on demand, until Ctrl-C. Returns the exit code."""
    from bench.clock import WallClock
    from bench.datacentre import credentials
    from bench.datacentre.web.conformance import ForConformance
    from bench.presenters.http import Server

    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    clock = WallClock(ahead_s)
    authority = credentials.own_authority(directory, clock.now_ns())
    files = credentials.write(directory / "credentials", authority, sorted({"localhost", "127.0.0.1", "::1", host}))
    app = ForConformance(authority, seed, clock)
    server = Server(app, host, port, ca=files["ca"], certificate=files["service"], key=files["service-key"])
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(PASS))
    server.run(lambda: _says(server.url, directory))
    return PASS


def _says(url: str, directory: Path) -> None:
    sys.stdout.write(f"the data centre is at {url}; certificates in {directory / 'credentials'}; Ctrl-C ends it\n")
    sys.stdout.flush()


def serve(host: str, port: int, directory: Path, database: str, people: int, seed: int, ahead_s: float = 0.0) -> int:
    """Serve until Ctrl-C. Returns the exit code."""
    from bench.clock import WallClock
    from bench.datacentre import credentials
    from bench.datacentre.centre import Centre, sample_people
    from bench.datacentre.database import open_books
    from bench.datacentre.nightly import Nightly
    from bench.datacentre.web.app import create_app
    from bench.datacentre.web.service import Service
    from bench.presenters.http import Server
    from virtual_devices.clock import TAIWAN, to_datetime

    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    logging.getLogger("alembic").setLevel(logging.WARNING)  # which step the tables are at is said in our own words
    clock = WallClock(ahead_s)
    authority = credentials.own_authority(directory, clock.now_ns())
    books = open_books(database, lambda text: logging.info("%s", text))
    centre = Centre(authority, books, os.urandom)
    invented = sample_people(seed, people, to_datetime(authority.epoch_ns).astimezone(TAIWAN).date())
    centre.act(lambda: _begin(centre, invented, clock.now_ns()))
    files = credentials.write(directory / "credentials", authority, sorted({"localhost", "127.0.0.1", "::1", host}))
    app = create_app(Service(centre, clock))
    server = Server(app, host, port, ca=files["ca"], certificate=files["service"], key=files["service-key"])

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(PASS))  # once the server has ended in order: whatever is done is answered
    nightly = Nightly(centre, clock)
    nightly.start()
    try:
        server.run(lambda: _says(server.url, directory))
    finally:
        nightly.stop()
        books.close()
    return PASS


def _begin(centre: Centre, invented: Sequence[Newcomer], now_ns: int) -> None:
    """Institutions and people to begin with; those that are there already stay as they are."""
    from bench.datacentre.centre import sample_institutions

    sample_institutions(centre)
    for who in invented:
        if who.card_no not in centre.holders:
            centre.take_in(who, now_ns)
        sys.stdout.write(f"invented: {who.holder.name} {who.holder.id_no} {who.holder.birth_date}, card {who.card_no}\n")


__all__ = ["command"]
