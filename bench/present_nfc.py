"""The command ``present nfc``: our phone, or our second-generation card, in front of somebody else's NFC reader."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bench.exits import PASS
from bench.files import write
from bench.interrupt import ending
from virtual_devices.errors import UsageError

if TYPE_CHECKING:
    from bench.presenters.nfc_radio import Radio
    from bench.sample_devices import Samples

WALLET, CARD = "wallet", "second-card"
PATH = "udp:localhost:54321"
_LAST = re.compile(r"[^0-9A-Za-z._-]+")


@click.command("nfc")
@click.option("--path", default=PATH, show_default=True, metavar="PATH",
              help="Where it is held: udp:HOST:PORT, usb, usb:VID:PID, or tty:DEVICE (a PN532 at a serial port).")
@click.option("--what", type=click.Choice((WALLET, CARD)), default=WALLET, show_default=True,
              help="A phone whose holder agrees to everything, or the second-generation card.")
@click.option("--uid", type=click.Choice(("4", "7")), default="4", show_default=True,
              help="Bytes of the UID, which is another one at each tap. A PN53x chip knows only 4.")
@click.option("--seed", default=1, show_default=True, type=click.IntRange(0), help="Whose card: another seed, another holder.")
@click.option("--empty", is_flag=True, help="Begin with nothing in the field; a run puts the cards in.")
@click.option("--trust", type=click.Path(path_type=Path), metavar="FILE", help="Write the certificates to trust there, in PEM.")
@click.option("--readers", type=click.Path(path_type=Path), metavar="FOLDER",
              help="Write there with what a reader may ask: keys and certificates of a SAM and a physician, for 3 days.")
@click.option("--name", default="", help="Name of the control channel; nfc-PORT, nfc-ttyUSB0, nfc-usb when left out.")
def command(
    path: str, what: str, uid: str, seed: int, empty: bool, trust: Path | None, readers: Path | None, name: str,
) -> None:
    """Present a phone or a card to NFC readers: by UDP to programs that use nfcpy, by radio with a PN53x chip.

    \b
    Try it, with nothing attached:
      vhc-bench present nfc --trust trust.pem --readers readers &
      python -c "import nfc; clf = nfc.ContactlessFrontend('udp:localhost:54321'); \\
        print(clf.connect(rdwr={'targets': ['106A'], 'on-connect': lambda tag: print(tag.ndef.records)}))"
    With a PN533 or PN532 reader that a phone or a vendor's reader is held to:
      vhc-bench present nfc --path usb
      vhc-bench present nfc --path tty:/dev/ttyUSB0

    The holder is invented. Each selection by a reader is a tap: a new UID, a new engagement. docs/reference/nfc.md says what a
    chip and a UDP address cannot do.
    """
    import time

    from bench.presenters.nfc_radio import open_radio
    from bench.sample_devices import SECOND_IN_FIELD, Samples

    _check(path)
    samples = Samples(WALLET if what == WALLET else SECOND_IN_FIELD, seed, time.time_ns())
    radio = open_radio(path)
    try:
        if trust is not None:
            write(trust, samples.trust())
        if readers is not None:
            samples.write_readers(readers)
    except BaseException:
        radio.close()
        raise
    sys.exit(show(samples, radio, empty=empty, uid_bytes=int(uid), name=name or f"nfc-{_LAST.split(path)[-1]}", seed=seed))


def show(samples: Samples, radio: Radio, *, empty: bool, uid_bytes: int, name: str, seed: int) -> int:
    """Present until Ctrl-C. Returns the exit code. Raises LinkError."""
    from bench.presenters.control_server import ControlServer
    from bench.presenters.nfc import NfcPresenter

    exhibit = None if empty else samples.exhibit(0)
    if uid_bytes not in radio.uid_bytes:
        raise UsageError(f"--uid {uid_bytes}: {radio.device} is a chip, and knows UIDs of 4 bytes")
    presenter = NfcPresenter(
        lambda: exhibit.device if exhibit else None, radio, _fresh(seed), ControlServer(name), load=samples.load,
        uid_bytes=uid_bytes,
    )
    sys.stdout.write(f"presenting {exhibit.text if exhibit else 'nothing yet'}, at {radio.device}; Ctrl-C ends it\n")
    sys.stdout.flush()
    with ending(presenter.stop):
        presenter.run()
    return PASS


def _fresh(seed: int) -> Callable[[int], bytes]:
    """UIDs: never the same ones again."""
    import time

    from virtual_devices.randomness import ByteStream

    return ByteStream(seed, "UIDs", time.time_ns())


def _check(path: str) -> None:
    from bench.drivers.nfc import is_path

    if not is_path(path):
        raise UsageError(f"--path {path!r}: give udp:HOST:PORT, usb, usb:VID:PID or tty:DEVICE")


__all__ = ["command", "show"]
