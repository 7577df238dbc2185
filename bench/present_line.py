"""The command ``present line``: a bad line on loopback, between somebody's software and the data centre."""

from __future__ import annotations

import asyncio
import ssl
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import click

from bench.exits import PASS
from virtual_devices.errors import UsageError
from virtual_devices.network import LINES, Network

if TYPE_CHECKING:
    from scenarios.files import Scenario
    from virtual_devices.faults import Fault


@click.command("line")
@click.option("--to", "target", default="https://localhost:8443", show_default=True, metavar="URL",
              help="The service behind the line, on this computer.")
@click.option("--port", default=8444, show_default=True, type=click.IntRange(0, 65535),
              help="Where the line begins; 0 takes any that is free.")
@click.option("--line", "line", type=click.Choice(sorted(LINES)), help="A class of lines in the field.  [default: 1M]")
@click.option("--scenario", type=click.Path(path_type=Path, exists=True, dir_okay=False),
              help="Take [network] and the [[fault]]s on the cloud from this scenario file, at today's times of day.")
@click.option("--directory", default="runs/data-centre", show_default=True, type=click.Path(path_type=Path),
              help="That of the data centre, for a certificate out of date.")
@click.option("--seed", default=1, show_default=True, type=click.IntRange(0), help="Of what is drawn.")
def command(target: str, port: int, line: str | None, scenario: Path | None, directory: Path, seed: int) -> None:
    """Put a bad line between your software and a service of this computer: latency, bandwidth, losses, outages, faults.

    \b
    Try it:
      vhc-bench present http &
      vhc-bench present line --line mobile &
      cd runs/data-centre/credentials
      curl --cacert ca.pem --cert clinic.pem --key clinic.key https://localhost:8444/v1/visits/late

    Every stroke of a fault is printed. Ctrl-C ends it.
    """
    if line and scenario:
        raise UsageError("--line and --scenario exclude each other: a scenario has a [network] of its own")
    sys.exit(serve(target, port, line or "1M", scenario, directory, seed))


def serve(target: str, port: int, line: str, scenario: Path | None, directory: Path, seed: int) -> int:
    """Carry until Ctrl-C. Returns the exit code."""
    from bench.clock import WallClock
    from bench.proxy import BadLine, Struck
    from scenarios.files import load
    from scenarios.world import midnight_ns
    from virtual_devices.clock import TAIWAN, to_datetime
    from virtual_devices.randomness import stream

    where = urlsplit(target)
    if where.hostname not in ("localhost", "127.0.0.1", "::1") or where.port is None:
        raise UsageError(f"--to {target!r}: a service on this computer, with its port, such as https://localhost:8443")
    network, faults = (LINES[line], ()) if scenario is None else _of(load(scenario))
    clock = WallClock()

    def told(one: Struck) -> None:
        at = to_datetime(one.at_ns).astimezone(TAIWAN)
        sys.stdout.write(f"{at:%H:%M:%S} connection {one.connection}: {one.fault.id} ({one.fault.kind}, {one.fault.code()})\n")
        sys.stdout.flush()

    bad = BadLine(
        (where.hostname, where.port), network, faults, stream(seed, "line"), clock, midnight_ns(clock.now_ns()), port=port,
        expired=_expired(directory) if any(fault.kind == "tls_expired" for fault in faults) else None, told=told,
    )

    def started() -> None:
        sys.stdout.write(f"the line begins at 127.0.0.1:{bad.port} and leads to {where.hostname}:{where.port}; Ctrl-C ends it\n")
        sys.stdout.flush()

    asyncio.run(bad.serve(started))
    return PASS


def _of(scenario: Scenario) -> tuple[Network, tuple[Fault, ...]]:
    return scenario.network, tuple(fault for fault in scenario.fault if fault.on == "cloud")


def _expired(directory: Path) -> ssl.SSLContext:
    """The service's side of TLS with a certificate of its own authority that ran out."""
    from bench.datacentre import credentials

    with TemporaryDirectory() as kept:
        files = credentials.write(Path(kept), credentials.own_authority(directory), ["localhost", "127.0.0.1"], days=(-365, -1))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(files["service"], files["service-key"])
    return context


__all__ = ["command"]
