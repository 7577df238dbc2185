"""The command ``present ble``: our phone in front of somebody else's reader over Bluetooth LE, behind the code on its screen or a
tap."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bench.exits import PASS
from bench.files import write
from bench.interrupt import ending
from virtual_devices.errors import UsageError

TRANSPORT = "usb:0"
TAP, PATH = "nfc", "udp:localhost:54321"
if TYPE_CHECKING:
    from bench.presenters.ble_tag import TagInField
_LAST = re.compile(r"[^0-9A-Za-z._-]+")
BOTH, PERIPHERAL, CENTRAL = "both", "peripheral", "central"


@click.command("ble")
@click.option("--transport", default=TRANSPORT, show_default=True, metavar="TRANSPORT",
              help="The Bluetooth controller, as bumble names it: usb:0, serial:/dev/ttyACM0,1000000, hci-socket:0, "
                   "tcp-client:HOST:PORT.")
@click.option("--private", is_flag=True, help="No radio: an emulated Bluetooth service of its own, for a reader that uses bleak; "
                                              "prints what the reader needs in its environment.")
@click.option("--modes", type=click.Choice([BOTH, PERIPHERAL, CENTRAL]), default=BOTH, show_default=True,
              help="What the phone offers: peripheral (it advertises, the reader connects), central (the other way round), both.")
@click.option("--engagement", "form", type=click.Choice(["terminal", "text", "png", TAP]), default="terminal", show_default=True,
              help="How a reader learns of it: its code as half blocks, as text or as a picture; or by a tap, over NFC.")
@click.option("--out", type=click.Path(path_type=Path), metavar="FILE", help="Where the picture goes.")
@click.option("--path", default="", metavar="PATH",
              help="Where it is tapped: udp:HOST:PORT (udp:localhost:54321 when left out), usb, usb:VID:PID, or tty:DEVICE.")
@click.option("--trust", type=click.Path(path_type=Path), metavar="FILE", help="Write the certificates to trust there, in PEM.")
@click.option("--readers", type=click.Path(path_type=Path), metavar="FOLDER",
              help="Write there with what a reader may ask: keys and certificates of a SAM and a physician, for 3 days.")
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True, help="Whose card: another seed, another holder.")
@click.option("--empty", is_flag=True, help="Begin with no phone; one is put in over the control channel.")
@click.option("--name", default="", help="Name of the control channel; ble-0 for usb:0, ble-private when left out.")
def command(
    transport: str, private: bool, modes: str, form: str, out: Path | None, path: str, trust: Path | None, readers: Path | None,
    seed: int, empty: bool, name: str,
) -> None:
    """Present a phone over Bluetooth LE: show the code that a reader scans, or be tapped, and answer the reader that comes.

    \b
    Try it, with a Bluetooth dongle that nothing else uses (hciconfig hci0 down):
      vhc-bench present ble --transport usb:0 --trust trust.pem --readers readers
    With nothing attached, for a reader on this computer that uses bleak:
      vhc-bench present ble --private --engagement text
    Tapped first, at an NFC device that can be a card, or by a program that uses nfcpy:
      vhc-bench present ble --engagement nfc --path usb
      vhc-bench present ble --private --engagement nfc

    The holder is invented and agrees to everything. Each session needs an engagement of its own: a new code is shown when one has
    ended, and each tap is a new one.
    What happens is said on standard error.
    """
    if (form == "png") != (out is not None):
        raise UsageError("pictures go to a file: --engagement png --out FILE.png, both or neither")
    if path and form != TAP:
        raise UsageError("--path is where it is tapped: it goes with --engagement nfc")
    place, name = None if private else transport, name or f"ble-{'private' if private else _LAST.split(transport)[-1]}"
    path = path or PATH if form == TAP else ""
    sys.exit(show(place, modes, form, out, path=path, trust=trust, readers=readers, seed=seed, empty=empty, name=name))


def show(
    transport: str | None, modes: str, form: str, out: Path | None, *, path: str = "", trust: Path | None, readers: Path | None,
    seed: int, empty: bool, name: str,
) -> int:
    """Present until Ctrl-C; without a transport on an air of its own. ``path``: the NFC device at which it is tapped. Returns the
    exit code. Raises LinkError, UsageError."""
    import time

    from bench.clock import WallClock
    from bench.phone_image import KeptPhone
    from bench.present_qr import shown_as
    from bench.presenters.ble import BlePresenter
    from bench.presenters.control_server import ControlServer
    from bench.sample_phone import SamplePhone
    from bench.sample_readers import write_readers
    from virtual_devices.link import Device
    from virtual_devices.mdoc.ble_gatt import service_uuid
    from virtual_devices.mdoc.ble_options import BleOptions
    from virtual_devices.mdoc.engagement import Engagement
    from virtual_devices.randomness import ByteStream
    from virtual_devices.wallet.faces import MessageFace

    now_ns = time.time_ns()
    sample = SamplePhone(seed, now_ns)
    fresh = ByteStream(seed, "BLE services", now_ns)  # never the same ones again
    if trust is not None:
        write(trust, sample.trust())
    if readers is not None:
        write_readers(readers, sample.authority, now_ns)
    tag = _tag(path, modes, seed, now_ns) if path else None
    put = shown_as(form, out) if tag is None else None

    def engage(phone: Device) -> Engagement | None:
        assert isinstance(phone, KeptPhone)
        if tag is not None:
            return tag.engage(phone)
        assert put is not None
        phone.app.show = put
        options = BleOptions(
            None if modes == CENTRAL else service_uuid(fresh), None if modes == PERIPHERAL else service_uuid(fresh),
        )
        made = phone.phone.engage([options.method()]).engagement
        put([made.qr_text()])
        return made

    def load(image: bytes) -> KeptPhone:
        return KeptPhone.load(image, lambda phone, **_: MessageFace(phone), WallClock())

    first = None if empty else sample.kept(MessageFace, WallClock())
    what = f"a phone with card {first.card_no}, whose holder agrees to everything" if first else "no phone yet"
    with _controller(transport) as where, suppress(KeyboardInterrupt):
        _say(f"presenting {what}, at {f'{tag.device}, then ' if tag else ''}ble:{where}; Ctrl-C ends it")
        presenter = BlePresenter(lambda: first, where, engage, ControlServer(name), load=load, report=_say)
        if out is not None:
            presenter.reader = f"qr:{out.absolute()}"  # by its code it is found
        if tag is not None:
            presenter.reader = tag.device
            tag.start(presenter)

        def end() -> None:
            logging.getLogger("bumble").setLevel(logging.CRITICAL)  # it complains of answers to what is given up now
            presenter.stop()

        try:
            with ending(end):
                presenter.run()
        finally:
            if tag is not None:
                tag.stop()
    return PASS


def _tag(path: str, modes: str, seed: int, now_ns: int) -> TagInField:
    """Raises LinkError."""
    from bench.drivers.nfc import is_path
    from bench.presenters.ble_tag import TagInField
    from bench.presenters.nfc_radio import open_radio
    from virtual_devices.mdoc.carriers import LeRole
    from virtual_devices.randomness import ByteStream

    if not is_path(path):
        raise UsageError(f"--path {path!r}: give udp:HOST:PORT, usb, usb:VID:PID or tty:DEVICE")
    role = {BOTH: LeRole.PERIPHERAL_PREFERRED, PERIPHERAL: LeRole.PERIPHERAL, CENTRAL: LeRole.CENTRAL}[modes]
    return TagInField(open_radio(path), role, ByteStream(seed, "taps", now_ns))


@contextmanager
def _controller(transport: str | None) -> Iterator[str]:
    if transport is not None:
        yield transport
        return
    from bench.stacks.bluez import PrivateBluetooth

    with PrivateBluetooth() as bluetooth:
        for name, value in bluetooth.env.items():
            _say(f"a reader that uses bleak finds it by: export {name}={value}")
        _say(f"a reader with a Bluetooth host of its own finds it by bumble's transport {bluetooth.transport}")
        yield bluetooth.transport


def _say(text: str) -> None:
    sys.stderr.write(f"vhc-bench: {text}\n")
    sys.stderr.flush()


__all__ = ["command", "show"]
