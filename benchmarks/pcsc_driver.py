"""The PC/SC driver: an APDU through its worker process against pyscard alone, side by side in one run.

Both ask the same presented reference card, through one private PC/SC service, in turns, so that a busy machine slows both.
"""

from __future__ import annotations

import os
import sys
import time
from statistics import median
from threading import Thread
from typing import Any

from bench.drivers import pcsc
from bench.presenters.vpcd import VpcdPresenter
from bench.presenting import sample_card
from bench.stacks.pcscd import PrivatePcscd
from benchmarks._table import Figure, options, show
from virtual_devices.errors import LinkError
from virtual_devices.link import Outcome

READ = bytes.fromhex("00CA1100020000")
ROUNDS, SAMPLE_ROUNDS, BLOCK = 40, 4, 50


def alone(reader: str) -> Any:
    """A function that transmits by pyscard's own low-level call, in this process."""
    from smartcard import scard

    _, context = scard.SCardEstablishContext(scard.SCARD_SCOPE_USER)
    code, card, protocol = scard.SCardConnect(context, reader, scard.SCARD_SHARE_SHARED, scard.SCARD_PROTOCOL_T1)
    if code:
        raise LinkError(f"pyscard cannot connect: {scard.SCardGetErrorMessage(code)}")
    command = list(READ)
    return lambda: scard.SCardTransmit(card, protocol, command)


def timed(transmit: Any) -> list[float]:
    """Microseconds of each of a block of transmits."""
    times = []
    for _ in range(BLOCK):
        began = time.perf_counter()
        transmit()
        times.append((time.perf_counter() - began) * 1e6)
    return times


def measure(rounds: int = ROUNDS) -> list[Figure]:
    """Turn by turn: the driver's block, pyscard's block."""
    with PrivatePcscd() as service:
        os.environ.update(service.env)
        presenter = VpcdPresenter(lambda: sample_card(1), port=service.ports[0])
        thread = Thread(target=presenter.run, daemon=True)
        thread.start()
        try:
            with pcsc.open("Virtual PCD 00 00", env=service.env) as link:
                if link.connect(5.0).outcome is not Outcome.REPLIED:
                    raise LinkError(link.last_error)
                plain = alone("Virtual PCD 00 00")
                driver_us: list[float] = []
                plain_us: list[float] = []
                for _ in range(rounds):
                    driver_us += timed(lambda: link.attempt(READ, 5.0))
                    plain_us += timed(plain)
        finally:
            presenter.stop()
            thread.join(5)
    through, direct = median(driver_us), median(plain_us)
    return [
        Figure("an APDU through the driver, p50", through, "us", "pyscard alone", through / direct),
        Figure("an APDU by pyscard alone, p50", direct, "us"),
        Figure("what the driver adds, p50", through - direct, "us"),
    ]


def main() -> int:
    """``./bench.sh bench pcsc_driver [--json] [--sample]``. Exit code 3, and why, without a PC/SC service or pyscard."""
    asked = options(__doc__).parse_args()
    try:
        figures = measure(SAMPLE_ROUNDS if asked.sample else ROUNDS)
    except (LinkError, ImportError) as e:
        sys.stderr.write(f"pcsc_driver: not measured: {e}. './bench.sh setup test' installs what it needs\n")
        return 3
    show(figures, asked.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
