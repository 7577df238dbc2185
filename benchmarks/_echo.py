"""A device over Bluetooth LE that sends back what it was sent: ``python -m benchmarks._echo TRANSPORT``, until its input ends."""

from __future__ import annotations

import sys
import threading
from uuid import UUID

from bench.presenters.ble import BlePresenter
from virtual_devices.mdoc import engagement
from virtual_devices.mdoc.ble_options import BleOptions
from virtual_devices.mdoc.session import ephemeral_key

_MODES = BleOptions(UUID(int=1, version=4), UUID(int=2, version=4))
SHOWN = engagement.make(ephemeral_key(bytes(31) + b"\x01")[1], [_MODES.method()])
"""Its engagement, always the same: this is a measure of time, nothing here is secret."""


class Echo:
    def power_on(self) -> bytes:
        return b""

    def power_off(self) -> None:
        return

    def handle(self, request: bytes, now_ns: int) -> bytes:
        return request


def main() -> None:
    presenter = BlePresenter(Echo, sys.argv[1], lambda _: SHOWN)

    def until_the_end() -> None:
        sys.stdin.read()
        presenter.stop()

    threading.Thread(target=until_the_end, daemon=True).start()
    presenter.run()


if __name__ == "__main__":
    main()
