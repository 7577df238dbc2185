"""The command ``calibrate``: measure one device, and write its latency profile."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bench.monikers import JOINED, for_role, not_auto
from virtual_devices.errors import LinkError

if TYPE_CHECKING:
    from bench.calibrating import Samples

LEAST = 2
"""Whole sessions of which a profile can be made."""


class _AtHand:
    """The person at the reader: told once what to do, the device then stays where it is."""

    def __init__(self) -> None:
        self._told = False

    def ask(self, person: str, act: str) -> tuple[int, str]:
        from bench.calibrating import HOLD

        if not self._told:
            self._told = True
            _say(f"{person}: {act}, and leave it there" + ("; agree on it as often as it asks" if act == HOLD else ""))
        return 0, ""


@click.command()
@click.option("--wallet", metavar="MONIKER", help='The phone: nfc:..., pcsc:NAME, "qr:PATH + ble:NAME", "nfc:PATH + ble:NAME", '
                                                  "virtual.")
@click.option("--card", metavar="MONIKER", help="Or the card: pcsc:NAME, virtual.")
@click.option("--lab", "laboratory", type=click.Path(path_type=Path), metavar="FILE",
              help="A laboratory file: the device by its name there; make, model and firmware go into the profile.")
@click.option("--n", "-n", "count", default=200, show_default=True, type=click.IntRange(2, 100_000), help="Sessions.")
@click.option("--out", type=click.Path(path_type=Path), metavar="FILE", help="Write it there.  [default: standard output]")
@click.option("--seed", default=1, show_default=True, type=click.IntRange(0),
              help="Whose authority signs for the desk: that of 'present' with the same seed.")
@click.option("--quiet", "-q", is_flag=True, help="No progress.")
def command(
    wallet: str | None, card: str | None, laboratory: Path | None, count: int, out: Path | None, seed: int, quiet: bool,
) -> None:
    """Measure how long a phone or a card takes, in N sessions with it, and write that as a latency profile (TOML).

    A scenario that names the profile (profiles = ["phone.toml"]) plays with these times in place of assumed ones: what would
    this phone do to our queues? Whether it is fast enough is another question, which 'conform --latency' answers.

    \b
    With nothing attached:
      vhc-bench present nfc --path udp:localhost:54321 &
      vhc-bench calibrate --wallet nfc:udp:localhost:54321 --n 50 --out phone.toml
    A phone on an NFC reader, a card in a reader:
      vhc-bench calibrate --wallet nfc:usb --out phone.toml
      vhc-bench calibrate --card 'pcsc:ACS*' --out card.toml

    Nothing that the device says is kept, only how long it took. A phone that does not trust the desk's authority refuses; it is
    then measured up to its refusal. Of a card the public data are read. More: docs/how-to/calibrate.md.
    """
    from bench import laboratory as laboratories
    from bench.calibrating import Samples, profile, sample
    from scenarios.profiles import to_toml

    if (wallet is None) == (card is None):
        raise click.UsageError("give one device: --wallet MONIKER, or --card MONIKER")
    role, text, described = "wallet" if card is None else "card", wallet or card or "", {}
    if laboratory is not None:
        text, device = laboratories.load(laboratory).find(text)
        if device is not None:
            described = {"make": device.make, "model": device.model, "firmware": device.firmware}
    monikers = for_role(role, text)
    not_auto(monikers, f"--{role} {text!r}")

    def told(number: int, total: int, how: str, why: str) -> None:
        if not quiet and (number in (1, total) or number % max(1, total // 20) == 0 or how != "whole"):
            _say(f"{number} of {total}: {how}" + (f": {why}" if why else ""))

    def write() -> None:
        made = to_toml(profile(role, JOINED.join(map(str, monikers)), samples, seed=seed, described=described))
        if out is None:
            sys.stdout.write(made)
            return
        try:
            out.write_text(made, encoding="utf-8")
        except OSError as e:
            raise click.UsageError(f"{out} cannot be written: {e.strerror or e}") from e
        _say(f"{out}: {_counted(samples)}")

    samples = Samples()
    try:
        sample(role, monikers, count, seed=seed, people=_AtHand(), told=told, into=samples)
    except (LinkError, KeyboardInterrupt):
        if samples.ended["whole"] >= LEAST:  # people have held the device so often
            write()
        raise
    write()


def _counted(samples: Samples) -> str:
    counts = ", ".join(f"{samples.ended[how]} {how}" for how in ("whole", "refused", "broken off") if samples.ended[how])
    return f"{sum(samples.ended.values())} sessions: {counts}"


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()
