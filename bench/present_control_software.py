"""The command ``present control-software``: the reader's control software in front of somebody's clinic or pharmacy program."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bench.exits import PASS
from virtual_devices.errors import UsageError

if TYPE_CHECKING:
    from virtual_devices.link import Link

LOOPBACK = ("127.0.0.1", "::1")
VIRTUAL, PCSC = "virtual", "pcsc:"
POWER_S = 0.5
"""Longest wait for a card in a real reader when it is given power: an empty slot is told of soon, for somebody waits."""
PORT = click.IntRange(0, 65535)


@click.command("control-software")
@click.option("--kit-port", default=3033, show_default=True, type=PORT, help="HTTP: the virtual card's kit. 0: any free.")
@click.option("--local-port", default=5066, show_default=True, type=PORT, help="HTTPS: control software 6.0 on the desk.")
@click.option("--cloud-port", default=5067, show_default=True, type=PORT, help="HTTPS: the calls of 6.0 to the data centre.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address of loopback: 127.0.0.1 or ::1.")
@click.option("--card", default=VIRTUAL, show_default=True, metavar="MONIKER",
              help="Where the patient's card is: virtual, or pcsc:NAME (a reader's name, with * and ?).")
@click.option("--sam", default=VIRTUAL, show_default=True, metavar="MONIKER", help="Where the security module is, likewise.")
@click.option("--hpc", default=VIRTUAL, show_default=True, metavar="MONIKER", help="Where the professional's card is, likewise.")
@click.option("--data-centre", "centre", metavar="URL",
              help="https://HOST:PORT: a data centre elsewhere, in place of its own; then the face 'cloud' is not served.")
@click.option("--credentials", type=click.Path(path_type=Path), metavar="DIRECTORY",
              help="With what to speak to it: ca.pem, clinic.pem, clinic.key; VHC_BENCH_CREDENTIALS when left out.")
@click.option("--uploads", type=click.Path(path_type=Path), metavar="DIRECTORY", help="The only place from which files are sent.")
@click.option("--empty", is_flag=True, help="Begin with an empty slot; cards are put in over the control channel.")
@click.option("--seed", default=1, show_default=True, type=click.IntRange(0),
              help="Whose card and whose authority: that of 'present vpcd' with the same seed.")
@click.option("--limit", "limit_s", default=10.0, show_default=True, type=click.FloatRange(0.1, 600),
              help="Seconds after which a call that waits for the desk is answered with a time-out.")
@click.option("--allow-origin", "origins", multiple=True, metavar="ORIGIN",
              help="A web page's origin (https://his.example) that may call; none without it. Can be given again.")
@click.option("--certificate", type=click.Path(path_type=Path), metavar="FILE",
              help="Write the self-signed certificate there, in PEM, for programs that check it.")
@click.option("--name", default="control-software", show_default=True, help="Name of the control channel.")
def command(
    kit_port: int, local_port: int, cloud_port: int, host: str, card: str, sam: str, hpc: str, centre: str | None,
    credentials: Path | None, uploads: Path | None, empty: bool, seed: int, limit_s: float, origins: tuple[str, ...],
    certificate: Path | None, name: str,
) -> None:
    """Present the control software of a card reader to programs of this computer.

    \b
    Try it:
      vhc-bench present control-software &
      curl -k https://127.0.0.1:5066/api/common/v1/Status
      curl -k -X POST https://127.0.0.1:5066/api/common/v1/Initial
      curl -k -X POST https://127.0.0.1:5067/bench/v1/phone/token
      curl -X POST http://127.0.0.1:3033/VHC/VHCcsOpenCom
      curl -k https://127.0.0.1:5066/bench/v1/call/csOpenCom -d '{"arguments": {"Comport": 0}}'
    A whole workstation, with nothing of its own but the software:
      vhc-bench present control-software --card "pcsc:Virtual PCD 00 00" --sam "pcsc:*00 01" --hpc "pcsc:*00 02" \\
        --data-centre https://127.0.0.1:8443 --credentials runs/data-centre/credentials

    Security module, professional's card, data centre and, with --card virtual, the patient's card are the bench's own; the holder
    is invented; each of them can be elsewhere. Which codes come back when is in the reference. The log has paths and codes, never
    a person. Ctrl-C ends it.
    """
    if host not in LOOPBACK:
        raise UsageError(f"{host} is not loopback: the field's component listens on its own computer only, and so does this one")
    slots = {"card": card, "sam": sam, "hpc": hpc}
    for role, moniker in slots.items():
        if moniker != VIRTUAL and not moniker.startswith(PCSC):
            raise UsageError(f"--{role} {moniker!r}: give 'virtual' or 'pcsc:NAME' ('vhc-bench devices' lists the names)")
    if card != VIRTUAL and empty:
        raise UsageError("--empty is for a virtual slot: with --card pcsc:NAME the card is in a real reader")
    if credentials is not None and centre is None:
        raise UsageError("--credentials are for a data centre elsewhere: give --data-centre https://HOST:PORT too")
    ports = {"kit": kit_port, "local": local_port, "cloud": cloud_port}
    with outside(slots, centre, credentials) as links:
        code = serve(
            ports, host, links, uploads, empty=empty, seed=seed, limit_s=limit_s, origins=origins, certificate=certificate,
            name=name,
        )
    sys.exit(code)


@contextmanager
def outside(
    slots: Mapping[str, str], centre: str | None, credentials: Path | None, env: Mapping[str, str] | None = None,
) -> Iterator[Mapping[str, Link]]:
    """Links to what is met elsewhere, by role, while this lasts. ``env``: laid over the environment of drivers. Raises LinkError
    or UsageError."""
    from bench.drivers import http
    from bench.reader_link import ReaderLink
    from bench.seat import find

    with ExitStack() as stack:
        links: dict[str, Link] = {}
        for role, moniker in slots.items():
            if moniker != VIRTUAL:
                real = find(moniker.removeprefix(PCSC), env)
                stack.callback(real.link.close)
                links[role] = ReaderLink(real.link, POWER_S)
        if centre is not None:
            files = {} if credentials is None else {"VHC_BENCH_CREDENTIALS": str(credentials)}
            links["cloud"] = stack.enter_context(http.open(centre, env={**(env or {}), **files}))
        yield links


def serve(
    ports: dict[str, int], host: str, links: Mapping[str, Link], uploads: Path | None, *, empty: bool, seed: int, limit_s: float,
    origins: tuple[str, ...], certificate: Path | None, name: str,
) -> int:
    """Serve until Ctrl-C. ``links``: by role, what is met elsewhere. Returns the exit code."""
    from bench.counter import PIN, PUK, Counter
    from bench.presenters.control_server import ControlServer
    from bench.presenters.control_software import ControlSoftwareServer
    from bench.presenters.hand import Hand
    from bench.presenters.images import save_image
    from bench.presenters.turns import Turns

    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    control = ControlServer(name)

    def keep(card_no: str, image: bytes) -> None:
        if control.state_folder != Path():
            save_image(control.state_folder, card_no, image)

    ours = "card" not in links
    counter = Counter(seed, keep, links, reading(uploads))
    turns = Turns(limit_s)
    server = ControlSoftwareServer(counter, turns, host, ports, origins)
    hand = Hand(control, counter, turns, ours=ours, urls=server.urls)
    if certificate is not None:
        certificate.write_bytes(server.certificate)

    def first() -> None:
        if ours and not empty:
            counter.insert_sample()

    hand.start(first)

    def started() -> None:
        for face, url in server.urls.items():
            sys.stdout.write(f"{face}: {url}\n")
        if not links:
            sys.stdout.write(f"SAM, professional's card (PIN {PIN}, PUK {PUK}) and data centre are invented\n")
        elsewhere = ", ".join(f"{role} at {link.device}" for role, link in links.items())
        sys.stdout.write(f"{elsewhere or 'all of it is in this process'}; Ctrl-C ends it\n")
        sys.stdout.flush()

    try:
        server.run(started)
    finally:
        hand.stop()
    return PASS


def reading(uploads: Path | None) -> Callable[[str], bytes]:
    """How a file to be sent is read: by its name or path, from that directory alone."""
    def read(path: str) -> bytes:
        if uploads is None or (uploads / path).resolve().parent != uploads.resolve():
            raise OSError(f"no file for uploading: {path}")
        return (uploads / path).read_bytes()

    return read


__all__ = ["command", "outside", "reading"]
