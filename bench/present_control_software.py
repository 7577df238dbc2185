"""The command ``present control-software``: the reader's control software in front of somebody's clinic or pharmacy program."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

import click

from bench.exits import PASS
from virtual_devices.errors import UsageError

LOOPBACK = ("127.0.0.1", "::1")
PORT = click.IntRange(0, 65535)


@click.command("control-software")
@click.option("--kit-port", default=3033, show_default=True, type=PORT, help="HTTP: the virtual card's kit. 0: any free.")
@click.option("--local-port", default=5066, show_default=True, type=PORT, help="HTTPS: control software 6.0 on the desk.")
@click.option("--cloud-port", default=5067, show_default=True, type=PORT, help="HTTPS: the calls of 6.0 to the data centre.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address of loopback: 127.0.0.1 or ::1.")
@click.option("--card", default="virtual", show_default=True, metavar="MONIKER",
              help="Where the patient's card is: virtual, or pcsc:NAME (a reader's name, with * and ?).")
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
    kit_port: int, local_port: int, cloud_port: int, host: str, card: str, empty: bool, seed: int, limit_s: float,
    origins: tuple[str, ...], certificate: Path | None, name: str,
) -> None:
    """Present the control software of a card reader to programs of this computer.

    \b
    Try it:
      vhc-bench present control-software &
      curl -k https://127.0.0.1:5066/api/common/v1/Status
      curl -k -X POST https://127.0.0.1:5066/api/common/v1/Initial
      curl -k -X POST https://127.0.0.1:5067/bench/v1/phone/token
      curl -X POST http://127.0.0.1:3033/VHC/VHCcsOpenCom

    Security module, professional's card, data centre and, with --card virtual, the patient's card are the bench's own; the holder
    is invented. Which codes come back when is in the reference. The log has paths and codes, never a person. Ctrl-C ends it.
    """
    if host not in LOOPBACK:
        raise UsageError(f"{host} is not loopback: the field's component listens on its own computer only, and so does this one")
    if card != "virtual" and not card.startswith("pcsc:"):
        raise UsageError(f"--card {card!r}: give 'virtual' or 'pcsc:NAME' ('vhc-bench devices' lists the names)")
    if card != "virtual" and empty:
        raise UsageError("--empty is for a virtual slot: with --card pcsc:NAME the card is in a real reader")
    ports = {"kit": kit_port, "local": local_port, "cloud": cloud_port}
    code = serve(
        ports, host, card, empty=empty, seed=seed, limit_s=limit_s, origins=origins, certificate=certificate, name=name
    )
    sys.exit(code)


def serve(
    ports: dict[str, int], host: str, card: str, *, empty: bool, seed: int, limit_s: float, origins: tuple[str, ...],
    certificate: Path | None, name: str,
) -> int:
    """Serve until Ctrl-C. Returns the exit code."""
    from bench.counter import PIN, PUK, Counter
    from bench.presenters.control import ControlServer, save_image
    from bench.presenters.control_software import ControlSoftwareServer
    from bench.presenters.hand import Hand
    from bench.presenters.turns import Turns
    from bench.reader_link import ReaderLink
    from bench.seat import find

    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    control = ControlServer(name)

    def keep(card_no: str, image: bytes) -> None:
        if control.state_folder != Path():
            save_image(control.state_folder, card_no, image)

    real = find(card.removeprefix("pcsc:"), None) if card != "virtual" else None
    counter = Counter(seed, keep, None if real is None else ReaderLink(real.link))
    turns = Turns(limit_s)
    server = ControlSoftwareServer(counter, turns, host, ports, origins)
    hand = Hand(control, counter, turns, ours=real is None)
    if certificate is not None:
        certificate.write_bytes(server.certificate)
    hand.start()
    if real is None and not empty:
        counter.insert_sample()

    def started() -> None:
        for face, url in server.urls.items():
            sys.stdout.write(f"{face}: {url}\n")
        sys.stdout.write(f"SAM, professional's card (PIN {PIN}, PUK {PUK}) and data centre are invented; Ctrl-C ends it\n")
        sys.stdout.flush()

    try:
        server.run(started)
    finally:
        hand.stop()
        if real is not None:
            real.link.close()
    return PASS


__all__ = ["command"]
